//! The longer list of figures from counts: of each group's table, over the groups, and which tests are findings.

use super::format::{count, fixed, gap, group, not_estimable, percent, plain, plural, ratio};
use super::outcomes::{groups, head, with_range};
use super::tables::{Row, figures};
use crate::report::{
    Below, DeviationsFigure, DistanceFigures, FairnessFigures, Finding, FourFifths, Gap, PairTest, Scope, SliceFigures,
    TestedRate,
};
use maud::{Markup, html};

/// What follows from decisions against labels, a group each.
pub(super) fn classification(slice: &SliceFigures) -> Markup {
    let columns = ["FDR", "FOR", "F1", "MCC", "Kappa", "Youden's J", "LR+", "LR-", "DOR"];
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "False discovery and false omission rate; F1; Matthews' correlation; Cohen's kappa; TPR less FPR; likelihood ratios; diagnostic odds ratio. report.json holds more."
                }
                (head(&columns))
                tbody {
                    @for (row, _) in groups(slice) {
                        @if let Some(c) = &row.classification {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                @for figure in [&c.fdr, &c.for_] { (with_range(figure, percent)) }
                                @for figure in [&c.f1, &c.mcc, &c.kappa, &c.youden] { (with_range(figure, ratio)) }
                                @for figure in [&c.lr_positive, &c.lr_negative, &c.diagnostic_odds_ratio] {
                                    (with_range(figure, ratio))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Over the compared groups of a slice.
pub(super) fn slice(fairness: &FairnessFigures, of_groups: u64) -> Markup {
    let mut single = vec![Row("Differential fairness, epsilon", &fairness.differential_fairness, ratio)];
    let mut gaps: Vec<(String, [Row; 2])> = Vec::new();
    if let Some(o) = &fairness.outcomes {
        single.extend([
            Row("Generalised entropy of benefits", &o.generalized_entropy, ratio),
            Row("Of it, between groups", &o.generalized_entropy_between, ratio),
            Row("Theil's index of benefits", &o.theil, ratio),
            Row("Of it, between groups", &o.theil_between, ratio),
        ]);
        gaps.extend([
            of_gap("Mean of true and false positive rate's gaps", &o.mean_equalized_odds, of_groups),
            of_gap("Conditional use accuracy (the worse of PPV and NPV)", &o.conditional_use_accuracy, of_groups),
            of_gap("False negative rate", &o.fnr, of_groups),
            of_gap("Error rate", &o.error_rate, of_groups),
        ]);
    }
    let titled: Vec<(&str, &[Row])> = gaps.iter().map(|(title, rows)| (title.as_str(), &rows[..])).collect();
    html! {
        @if !titled.is_empty() { (figures(&titled, true)) }
        (figures(&[("", &single)], false))
        (four_fifths(&fairness.four_fifths))
    }
}

/// Title and rows of a gap that needs labels.
pub(super) fn of_gap<'a>(name: &str, of: &'a Gap, groups: u64) -> (String, [Row<'a>; 2]) {
    let mut title = format!("{name}: {} of {groups} groups", of.groups_defined);
    if of.groups_hidden > 0 && of.groups_defined > 0 {
        title += "; as others have too few labels, a difference is a lower and a ratio an upper bound";
    }
    (title, [Row("Difference, points", &of.difference, gap), Row("Ratio", &of.ratio, ratio)])
}

fn four_fifths(flags: &FourFifths) -> Markup {
    let Some(highest) = &flags.highest else { return html! {} };
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "Favourable decisions by those of " bdi { (group(highest)) }
                    ", whose rate is the highest: four fifths, and standard deviations beside them (nominal)."
                }
                (head(&["Impact ratio", "Below four fifths", "Standard deviations", "p"]))
                tbody {
                    @for row in &flags.groups {
                        tr {
                            th scope="row" { bdi { (group(&row.group)) } }
                            (with_range(&row.impact_ratio, ratio))
                            td.n { (row.below.as_ref().map_or(html! {}, below)) }
                            (deviations(&row.deviations))
                        }
                    }
                }
            }
        }
    }
}

fn below(found: &Below) -> Markup {
    match found {
        Below::Yes => html! { "yes" },
        Below::No => html! { "no" },
        Below::Undecided(why) => html! { "undecided" br; span.note { (plain(why)) } },
    }
}

/// Two cells.
fn deviations(test: &DeviationsFigure) -> Markup {
    match test {
        DeviationsFigure::Test { z, p, .. } => html! { td.n { (fixed(*z, 2)) } td.n { (ratio(*p)) } },
        DeviationsFigure::NotEstimable(reason) => html! { td.n.state colspan="2" { (not_estimable(reason)) } },
    }
}

/// How far apart the selection rates of a pair are.
pub(super) fn distance(distance: &DistanceFigures) -> Markup {
    html! {
        (figures(&[("Distance of the crude selection rates", &[Row("Cohen's d", &distance.cohen_d, ratio)])], true))
        @if let DeviationsFigure::Test { z, p, beyond_two } = &distance.deviations {
            p.note {
                (fixed(*z, 2)) " standard deviations, " @if *beyond_two { "more" } @else { "not more" }
                " than two (p " (ratio(*p)) ", nominal)."
            }
        }
    }
}

/// Which differences of a scope are findings among so many tests; nothing where there are none to correct.
pub(super) fn multiplicity(scope: &Scope) -> Markup {
    let all = &scope.multiplicity;
    if all.tests.len() < 2 {
        return html! {};
    }
    let found: Vec<&PairTest> = all.tests.iter().filter(|test| test.finding != Finding::None).collect();
    html! {
        h3 { "Findings among many tests" }
        p {
            (plural(all.tests.len(), "test")) " of groups against their reference: "
            (all.count(Finding::Corrected)) " below " (percent(all.significance))
            " after Holm's correction; " (all.count(Finding::Nominal)) " more are nominal findings only, as chance alone would give some."
        }
        @if !found.is_empty() {
            div.scroll tabindex="0" {
                table {
                    (head(&["Rate", "Standard deviations", "p", "Holm", "q (Benjamini, Hochberg)", "Finding"]))
                    tbody {
                        @for test in found.iter().take(SHOWN) { (row(test)) }
                    }
                }
            }
            @if found.len() > SHOWN { p.note { (count((found.len() - SHOWN) as u64)) " more in report.json." } }
        }
    }
}

fn row(test: &PairTest) -> Markup {
    let rate = match test.rate {
        TestedRate::SelectionRate => "selection",
        TestedRate::Tpr => "true positive",
        TestedRate::Fpr => "false positive",
        TestedRate::Ppv => "positive predictive value",
    };
    html! {
        tr {
            th scope="row" { bdi { (group(&test.group)) } }
            td { (rate) }
            td.n { (fixed(test.z, 2)) }
            @for p in [test.p, test.holm, test.benjamini_hochberg] { td.n { (ratio(p)) } }
            td { @if test.finding == Finding::Corrected { "stands" } @else { "nominal only" } }
        }
    }
}

/// Findings shown, a scope; the others stand in report.json.
const SHOWN: usize = 40;
