//! What needs labels: decisions and scores against labels, reliability diagrams, and the windows one after another.

use super::format::{bare_interval, count, fixed, group, percent, points, ratio, short_window, shorten, state};
use super::tables::{Row, figures};
use crate::report::{
    Estimate, Figure, Gap, GroupFigures, Measures, PairFigures, Parity, ReliabilityBin, Report, Scope, SliceFigures,
};
use maud::{Markup, html};

/// Groups whose reliability diagram is drawn, a slice; the others stand in report.json.
const DIAGRAMS: usize = 12;

/// Groups with events, and their pooled figures.
pub(super) fn groups(slice: &SliceFigures) -> impl Iterator<Item = (&GroupFigures, &Measures)> {
    slice.groups.iter().filter_map(|row| Some((row, row.pooled.as_ref().filter(|pooled| pooled.n > 0)?)))
}

/// Decisions against labels and scores against labels, pooled, a group each.
pub(super) fn tables(slice: &SliceFigures) -> Markup {
    let labels = groups(slice).any(|(_, pooled)| pooled.outcomes.is_some());
    let scores = groups(slice).any(|(_, pooled)| pooled.scores.is_some());
    html! {
        @if labels { (decisions(slice)) (rates(slice)) (super::fairness::classification(slice)) }
        @if scores { (super::scores::tables(slice)) (diagrams(slice)) }
    }
}

fn decisions(slice: &SliceFigures) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                caption { "Decisions against labels. What follows from them rests on the labelled events alone." }
                (head(&["Labelled", "Label coverage", "TP", "FP", "FN", "TN", "Base rate", "Accuracy"]))
                tbody {
                    @for (row, pooled) in groups(slice) {
                        @if let Some(outcomes) = &pooled.outcomes {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                td.n { (count(pooled.labelled)) }
                                (cell(&outcomes.label_coverage, percent))
                                @for number in [outcomes.tp, outcomes.fp, outcomes.fn_, outcomes.tn] { td.n { (count(number)) } }
                                (cell(&outcomes.prevalence, percent))
                                (cell(&outcomes.accuracy, percent))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn rates(slice: &SliceFigures) -> Markup {
    let columns = ["TPR", "FNR", "FPR", "TNR", "PPV", "NPV", "Balanced accuracy"];
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "True positive rate (sensitivity), false negative, false positive and true negative rate (specificity); positive and negative predictive value; with 95 % intervals."
                }
                (head(&columns))
                tbody {
                    @for (row, pooled) in groups(slice) {
                        @if let Some(o) = &pooled.outcomes {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                @for figure in [&o.tpr, &o.fnr, &o.fpr, &o.tnr, &o.ppv, &o.npv, &o.balanced_accuracy] {
                                    (with_range(figure, percent))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn head(columns: &[&str]) -> Markup {
    html! { thead { tr { th scope="col" { "Group" } @for column in columns { th.n scope="col" { (column) } } } } }
}

/// The estimate alone, or why there is none.
pub(super) fn cell(figure: &Figure, text: fn(f64) -> String) -> Markup {
    match (figure, state(figure)) {
        (Figure::Estimate(estimate), None) => html! { td.n { (text(estimate.value)) } },
        (_, state) => html! { td.n.state { (state.unwrap_or_default()) } },
    }
}

/// The estimate over its interval, or why there is none.
pub(super) fn with_range(figure: &Figure, text: fn(f64) -> String) -> Markup {
    match (figure, state(figure)) {
        (Figure::Estimate(Estimate { value, interval: Some(i), .. }), None) => html! {
            td.n { (text(*value)) br; span.note { (bare_interval(i, text)) } }
        },
        _ => cell(figure, text),
    }
}

/// A reliability diagram for each of the groups with scores.
fn diagrams(slice: &SliceFigures) -> Markup {
    let shown: Vec<_> = groups(slice).filter(|(row, _)| row.reliability.iter().any(|bin| bin.n > 0)).collect();
    if shown.is_empty() {
        return html! {};
    }
    html! {
        figure {
            div.diagrams { @for (row, _) in shown.iter().take(DIAGRAMS) { (diagram(&group(&row.group), &row.reliability)) } }
            figcaption {
                "Reliability: observed share of the positive label (95 % interval) against the mean score, ten bins. On the line a score is the probability it claims to be."
                @if shown.len() > DIAGRAMS { " " (shown.len() - DIAGRAMS) " more in report.json." }
            }
        }
        details {
            summary { "The same as a table" }
            div.scroll tabindex="0" {
                table {
                    (head(&["Score", "Scored", "Positive", "Mean score", "Observed"]))
                    @for (row, _) in shown.iter().take(DIAGRAMS) {
                        tbody {
                            @for bin in row.reliability.iter().filter(|bin| bin.n > 0) {
                                tr {
                                    th scope="row" { bdi { (group(&row.group)) } }
                                    td.n { (fixed(bin.lower, 1)) " to " (fixed(bin.upper, 1)) }
                                    td.n { (count(bin.n)) }
                                    td.n { (count(bin.positives)) }
                                    (cell(&bin.mean_score, ratio))
                                    (with_range(&bin.observed, percent))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn diagram(name: &str, bins: &[ReliabilityBin]) -> Markup {
    let x = |value: f64| fixed(22.0 + value.clamp(0.0, 1.0) * 120.0, 1);
    let y = |value: f64| fixed(130.0 - value.clamp(0.0, 1.0) * 120.0, 1);
    let points = bins.iter().filter_map(|bin| match (&bin.mean_score, &bin.observed) {
        (Figure::Estimate(score), Figure::Estimate(observed)) => Some((score.value, observed)),
        _ => None,
    });
    html! {
        svg.diagram viewBox="0 0 150 160" role="img" aria-label=(format!("Reliability of the score for {name}")) {
            rect.frame x="22" y="10" width="120" height="120" {}
            line.zero x1="22" y1="130" x2="142" y2="10" {}
            @for (score, observed) in points {
                @if let Some(i) = &observed.interval {
                    line.site x1=(x(score)) x2=(x(score)) y1=(y(i.lower)) y2=(y(i.upper)) {}
                }
                circle.site cx=(x(score)) cy=(y(observed.value)) r="2.4" {}
            }
            @for tick in ["0", "1"] {
                text.soft.small.m x=(if tick == "0" { "22" } else { "142" }) y="142" { (tick) }
                text.soft.small.e x="18" y=(if tick == "0" { "132" } else { "14" }) { (tick) }
            }
            text.small.m x="82" y="155" { (shorten(name, 24)) }
        }
    }
}

/// Rows of gaps that need labels.
pub(super) fn gaps(parity: &Parity) -> Markup {
    let Some(outcomes) = &parity.outcomes else { return html! {} };
    let named: [(&str, &Gap); 5] = [
        ("Equal opportunity (true positive rate)", &outcomes.equal_opportunity),
        ("Predictive equality (false positive rate)", &outcomes.predictive_equality),
        ("Equalized odds (the greater of both)", &outcomes.equalized_odds),
        ("Predictive parity (positive predictive value)", &outcomes.predictive_parity),
        ("Accuracy", &outcomes.accuracy),
    ];
    let parts: Vec<(String, [Row; 2])> =
        named.iter().map(|(name, of)| super::fairness::of_gap(name, of, parity.groups)).collect();
    let parts: Vec<(&str, &[Row])> = parts.iter().map(|(title, rows)| (title.as_str(), &rows[..])).collect();
    figures(&parts, true)
}

/// Differences of rates that need labels, group against reference.
pub(super) fn pair(pair: &PairFigures) -> Markup {
    let Some(outcomes) = &pair.outcomes else { return html! {} };
    let rows = [
        Row("True positive rate, points", &outcomes.tpr, points),
        Row("False positive rate, points", &outcomes.fpr, points),
        Row("Positive predictive value, points", &outcomes.ppv, points),
        Row("Negative predictive value, points", &outcomes.npv, points),
        Row("Accuracy, points", &outcomes.accuracy, points),
        Row("Base rate, points", &outcomes.prevalence, points),
        Row("Average odds difference, points", &outcomes.average_odds, points),
        Row("Treatment equality, ratio of FN / FP", &outcomes.treatment_equality, ratio),
    ];
    let scores = pair.scores.as_ref().map(|scores| {
        [Row("AUC", &scores.auc, ratio), Row("Area between the ROC curves (ABROCA)", &scores.abroca, ratio)]
    });
    let mut parts: Vec<(&str, &[Row])> = vec![("Differences that need labels, sites as if they were one", &rows)];
    parts.extend(scores.as_ref().map(|rows| ("Scores, sites as if they were one", &rows[..])));
    figures(&parts, true)
}

/// All events, window after window.
pub(super) fn windows(report: &Report, scope: &Scope) -> Markup {
    if scope.windows.len() < 2 {
        return html! {};
    }
    let labels = report.positive_label.is_some();
    html! {
        h4 { "Window after window" }
        div.scroll tabindex="0" {
            table {
                caption { "Over the sites whose counts of all events are known in the window." }
                thead {
                    tr {
                        th scope="col" { "Window (UTC)" }
                        @for column in ["Sites", "n", "Selection rate"] { th.n scope="col" { (column) } }
                        @if labels {
                            @for column in ["Label coverage", "Base rate", "Accuracy", "TPR", "FPR", "AUC"] { th.n scope="col" { (column) } }
                        }
                    }
                }
                tbody {
                    @for row in &scope.windows {
                        tr {
                            th scope="row" { (short_window(&row.window)) }
                            td.n { (row.sites) " of " (report.sites.len()) }
                            (window_cells(row.pooled.as_ref(), labels))
                        }
                    }
                }
            }
        }
    }
}

fn window_cells(pooled: Option<&Measures>, labels: bool) -> Markup {
    let Some(pooled) = pooled else {
        return html! { td.n.state colspan=(if labels { "8" } else { "2" }) { "not known" } };
    };
    html! {
        td.n { (count(pooled.n)) }
        (cell(&pooled.selection_rate, percent))
        @if let Some(o) = &pooled.outcomes {
            @for figure in [&o.label_coverage, &o.prevalence, &o.accuracy, &o.tpr, &o.fpr] { (cell(figure, percent)) }
            @match &pooled.scores { Some(scores) => (cell(&scores.auc, ratio)), None => td.n { "" } }
        }
    }
}
