//! Tables of a slice: groups, gaps over groups, each pair's figures and tests.

use super::format::{
    count, fixed, gap, group, interval, method, no_interval, not_estimable, percent, plural, points, ratio, state,
    variance,
};
use crate::report::{Figure, GroupFigures, Measures, PairFigures, SliceFigures, State, TestFigure};
use maud::{Markup, html};

/// Groups of a slice with events, and those that are hidden.
pub(super) fn groups(slice: &SliceFigures) -> Markup {
    if slice.groups.iter().all(|row| row.pooled.is_none()) {
        let missing = slice.sites.iter().filter(|site| site.state == State::Missing).count();
        let hidden = slice.sites.len() - missing;
        return html! {
            p.state {
                @if hidden > 0 { "suppressed at " (plural(hidden, "site")) }
                @if hidden > 0 && missing > 0 { "; " }
                @if missing > 0 || hidden == 0 { "no release from " (plural(missing, "site")) }
                ": no site gave this slice, so it has no figures."
            }
        };
    }
    let known = slice.sites.iter().filter(|site| site.state == State::Released).count();
    // A group without events where it is known may have some where it is not.
    let is_empty = |row: &GroupFigures| row.known_at == row.of_sites && row.pooled.as_ref().is_some_and(|of| of.n == 0);
    let empty = slice.groups.iter().filter(|row| is_empty(row)).count();
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    (known) " of " (plural(slice.sites.len(), "site")) " showed all groups of this slice. Sites: those that show the group, "
                    "of those with a release; its figures are over them. Bars run from 0 to 100 %."
                    @if empty > 0 { " " (plural(empty, "group")) " without events." }
                }
                thead {
                    tr {
                        th scope="col" { "Group" }
                        @for head in ["Sites", "n", "Decided", "Selected", "Labelled", "Selection rate"] {
                            th.n scope="col" { (head) }
                        }
                        th.n scope="col" { "95 % interval" }
                        th.bar scope="col" { span { "" } }
                    }
                }
                tbody {
                    @for row in slice.groups.iter().filter(|row| !is_empty(row)) {
                        @match &row.pooled {
                            Some(pooled) => (group_row(slice, row, pooled)),
                            None => (hidden_row(slice, row)),
                        }
                    }
                }
            }
        }
    }
}

fn group_head(slice: &SliceFigures, row: &GroupFigures) -> Markup {
    let reference = !slice.attributes.is_empty() && row.group == slice.reference;
    html! {
        th scope="row" {
            bdi { (group(&row.group)) }
            @if reference { span.note { " (reference)" } }
            @if !row.compared { span.note { " (not compared)" } }
        }
        td.n { (row.known_at) " of " (row.of_sites) }
    }
}

/// Why it is hidden is said nowhere: that could be the count itself.
fn hidden_row(slice: &SliceFigures, row: &GroupFigures) -> Markup {
    html! { tr { (group_head(slice, row)) td.state colspan="7" { "suppressed at every site" } } }
}

fn group_row(slice: &SliceFigures, row: &GroupFigures, pooled: &Measures) -> Markup {
    html! {
        tr {
            (group_head(slice, row))
            @for number in [pooled.n, pooled.decided, pooled.selected, pooled.labelled] { td.n { (count(number)) } }
            (estimate(&pooled.selection_rate, percent))
            td.bar { (bar(&pooled.selection_rate)) }
        }
    }
}

/// Two cells, estimate and interval, or one that says why not.
fn estimate(figure: &Figure, text: fn(f64) -> String) -> Markup {
    if let Some(state) = state(figure) {
        return html! { td.n.state colspan="2" { (state) } };
    }
    let Figure::Estimate(known) = figure else { return html! {} };
    html! {
        td.n { (text(known.value)) }
        @match (&known.interval, no_interval(figure)) {
            (Some(bounds), _) => td.n { (interval(bounds, text)) },
            (None, reason) => td.n.state { "none (" (reason.unwrap_or_default()) ")" },
        }
    }
}

/// A rate and its interval on the scale from 0 to 100 %.
fn bar(figure: &Figure) -> Markup {
    let Figure::Estimate(estimate) = figure else { return html! {} };
    if !estimate.value.is_finite() {
        return html! {};
    }
    let x = |value: f64| fixed(4.0 + value.clamp(0.0, 1.0) * 112.0, 1);
    html! {
        svg viewBox="0 0 120 14" aria-hidden="true" {
            line.rule x1="4" x2="116" y1="7" y2="7" {}
            @if let Some(bounds) = &estimate.interval {
                line.site x1=(x(bounds.lower)) x2=(x(bounds.upper)) y1="7" y2="7" {}
            }
            circle.site cx=(x(estimate.value)) cy="7" r="3" {}
        }
    }
}

/// Gaps over all compared groups.
pub(super) fn parity(slice: &SliceFigures) -> Markup {
    let Some(parity) = &slice.parity else { return html! {} };
    let selection = &parity.demographic_parity;
    let rows = [
        Row("Demographic parity difference (greatest less least), points", &selection.difference, gap),
        Row("Demographic parity ratio (least by greatest)", &selection.ratio, ratio),
    ];
    let tests = [("Pearson chi-square: selection does not depend on the group", &parity.chi2)];
    html! {
        p.note {
            "Gaps are over the sites that show every compared group, " (slice.compared_at) " of " (plural(slice.sites.len(), "site"))
            ", and " (selection.groups_defined) " of " (parity.groups) " compared groups with events."
        }
        (figures(&[("", &rows)], false))
        (test_table(&tests))
        (super::outcomes::gaps(parity))
        @if let Some(fairness) = &slice.fairness { (super::fairness::slice(fairness, parity.groups)) }
        (super::tasks::gaps(slice))
    }
}

/// The figures of a group against the reference.
pub(super) fn pair(slice: &SliceFigures, pair: &PairFigures) -> Markup {
    let all = slice.sites.len();
    let adjusted =
        format!("Adjusted for site (Mantel-Haenszel), {} of {}", pair.mantel_haenszel.sites.len(), plural(all, "site"));
    let pooled = format!(
        "Sites' differences pooled by inverse variance, {} of {}",
        pair.pooled.sites.len(),
        plural(all, "site")
    );
    let crude = [
        Row("Difference, points", &pair.crude.difference, points),
        Row("Selection ratio", &pair.crude.selection_ratio, ratio),
        Row("Impact ratio (favourable decision)", &pair.crude.impact_ratio, ratio),
        Row("Odds ratio", &pair.crude.odds_ratio, ratio),
    ];
    let stratified = [
        Row("Difference, points", &pair.mantel_haenszel.risk_difference, points),
        Row("Risk ratio", &pair.mantel_haenszel.risk_ratio, ratio),
        Row("Odds ratio", &pair.mantel_haenszel.odds_ratio, ratio),
    ];
    let effects = [
        Row("Fixed effect, points", &pair.pooled.fixed, points),
        Row("Random effects, points", &pair.pooled.random, points),
        Row("Random effects, HKSJ interval, points", &pair.pooled.random_hksj, points),
        Row("The same, scale at least 1, points", &pair.pooled.random_hksj_modified, points),
        Row("A further site, points", &pair.pooled.prediction, points),
        Row("I\u{b2}, share of variation between sites", &pair.pooled.i2, percent),
        Row("tau\u{b2}, variance between sites", &pair.pooled.tau2, variance),
        Row("tau\u{b2}, Paule and Mandel", &pair.pooled.tau2_paule_mandel, variance),
        Row("Risk ratio, random effects", &pair.pooled_risk_ratio.random, ratio),
        Row("Odds ratio, random effects", &pair.pooled_odds_ratio.random, ratio),
    ];
    let split = [
        Row("Within sites, points", &pair.split.within_sites, points),
        Row("Between sites, points", &pair.split.between_sites, points),
    ];
    let tests = [
        ("Cochran-Mantel-Haenszel: no association within sites", &pair.mantel_haenszel.cmh),
        ("The same, continuity corrected", &pair.mantel_haenszel.cmh_corrected),
        ("Breslow-Day: one odds ratio for all sites", &pair.mantel_haenszel.breslow_day),
        ("The same, Tarone's correction", &pair.mantel_haenszel.breslow_day_tarone),
        ("Cochran's Q: one difference for all sites", &pair.pooled.q),
    ];
    let known = format!("Crude, sites as if they were one: {} of {}", pair.known_at, plural(all, "site"));
    html! {
        (figures(&[(&known, &crude), ("Parts of the crude difference", &split), (&adjusted, &stratified), (&pooled, &effects)], true))
        (across(pair))
        (test_table(&tests))
        (super::fairness::distance(&pair.distance))
        (super::outcomes::pair(pair))
        (super::tasks::pair(pair))
    }
}

/// Sites unlike the others, and what hidden cells leave certain.
fn across(pair: &PairFigures) -> Markup {
    let outliers: Vec<_> = pair.outliers.iter().map(|site| site.as_str()).collect();
    let certain = pair.identified.as_ref().and_then(|identified| identified.selection_rate.as_ref());
    html! {
        @if !outliers.is_empty() {
            p.note { "More than three standard errors from what the other sites say: " (outliers.join(", ")) "." }
        }
        @if let Some(bounds) = certain {
            p.note { "Whatever the hidden cells hold, the crude difference over all sites with a release is " (interval(bounds, points)) " points." }
        }
    }
}

/// Name, figure, and how its numbers are written.
pub(super) struct Row<'a>(pub &'static str, pub &'a Figure, pub fn(f64) -> String);

pub(super) fn figures(parts: &[(&str, &[Row])], titled: bool) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "Figure" }
                        th.n scope="col" { "Estimate" }
                        th.n scope="col" { "95 % interval" }
                        th scope="col" { "Method" }
                    }
                }
                @for (title, rows) in parts {
                    tbody {
                        @if titled { tr { th.part scope="rowgroup" colspan="4" { (title) } } }
                        @for Row(name, figure, text) in *rows {
                            tr {
                                th scope="row" { (name) }
                                (estimate(figure, *text))
                                td { @if let Figure::Estimate(known) = figure { (method(&known.method)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn test_table(tests: &[(&str, &TestFigure)]) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "Test, and what it would refute" }
                        th.n scope="col" { "Statistic" }
                        th.n scope="col" { "df" }
                        th.n scope="col" { "p" }
                    }
                }
                tbody {
                    @for (name, test) in tests {
                        tr {
                            th scope="row" { (name) }
                            @match test {
                                TestFigure::Test { statistic, dof, p } => {
                                    td.n { (fixed(*statistic, 2)) }
                                    td.n { (count(*dof)) }
                                    td.n { (ratio(*p)) }
                                }
                                TestFigure::Suppressed => td.n.state colspan="3" { "suppressed" },
                                TestFigure::NotEstimable(reason) => td.n.state colspan="3" { (not_estimable(reason)) },
                            }
                        }
                    }
                }
            }
        }
    }
}
