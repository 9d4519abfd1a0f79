//! What is there beside decisions and labels where the task is not binary: classes, and predicted values.

use super::fairness::of_gap;
use super::format::{count, gap, group, not_estimable, percent, plain, plural, ratio, significant, state};
use super::open::Gaps;
use super::outcomes::{cell, groups, head, with_range};
use super::tables::{Row, figures};
use crate::report::{
    GroupFigures, MulticlassFigures, MulticlassOutcomes, MulticlassParity, PairFigures, RegressionFigures,
    RegressionParity, SliceFigures, State, TopFigures, WorstClass,
};
use maud::{Markup, html};

/// Groups whose classes are listed, a slice; the others stand in report.json.
const LISTED: usize = 12;
const IMMATURE: &str = "immature";

/// Classes and values, a group each.
pub(super) fn tables(slice: &SliceFigures) -> Markup {
    let classes: Vec<_> = groups(slice).filter_map(|(row, _)| Some((row, row.multiclass.as_ref()?))).collect();
    let values: Vec<_> = groups(slice).filter_map(|(row, _)| Some((row, row.regression.as_ref()?))).collect();
    html! {
        @if !classes.is_empty() { (each_class(slice, &classes)) (all_classes(&classes)) }
        @if !values.is_empty() { (errors(slice, &values)) }
    }
}

type Rows<'a, T> = [(&'a GroupFigures, &'a T)];

fn each_class(slice: &SliceFigures, rows: &Rows<MulticlassFigures>) -> Markup {
    let sites = rows.first().map_or(0, |(_, figures)| figures.sites);
    let columns = ["Class", "Selected", "Selection rate", "Base rate", "Precision", "Recall", "F1", "Specificity"];
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "Each class against all others; " (sites) " of " (plural(slice.sites.len(), "site"))
                    " showed classes. Everywhere else on this page one class is told from the rest: the one called selected."
                    @if rows.len() > LISTED { " " (rows.len() - LISTED) " more groups in report.json." }
                }
                (head(&columns))
                @for (row, figures) in rows.iter().take(LISTED) {
                    tbody {
                        @for class in &figures.classes {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                td { bdi { (plain(&class.class)) } }
                                td.n { (count(class.selected)) }
                                (with_range(&class.selection_rate, percent))
                                @if let Some(o) = &class.outcomes {
                                    @for figure in [&o.prevalence, &o.precision, &o.recall] { (with_range(figure, percent)) }
                                    (with_range(&o.f1, ratio))
                                    (with_range(&o.specificity, percent))
                                }
                            }
                        }
                        @if figures.classes.is_empty() {
                            tr { th scope="row" { bdi { (group(&row.group)) } } td.state colspan="8" { "suppressed" } }
                        }
                    }
                }
            }
        }
    }
}

fn all_classes(rows: &Rows<MulticlassFigures>) -> Markup {
    let rows: Vec<_> = rows.iter().filter_map(|(row, figures)| Some((row, figures.outcomes.as_ref()?))).collect();
    let Some((_, first)) = rows.first() else { return html! {} };
    let mut columns = ["Accuracy", "Precision", "Recall", "F1", "Weighted F1", "Kappa", "Quadratic kappa", "MCC"]
        .map(str::to_owned)
        .to_vec();
    let top = rows.iter().any(|(_, o)| has_outputs(&o.top));
    columns.extend(first.top.accuracies.iter().filter(|_| top).map(|top| format!("Top {}", top.k)));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "All classes together. Precision, recall and F1 are means in which every class counts the same; this recall is the balanced accuracy. Top: the true class is among so many likeliest."
                }
                (head(&columns))
                tbody {
                    @for (row, o) in &rows {
                        tr {
                            th scope="row" { bdi { (group(&row.group)) } }
                            (with_range(&o.accuracy, percent))
                            @for figure in [&o.macro_.precision, &o.macro_.recall] { (with_range(figure, percent)) }
                            @for figure in [&o.macro_.f1, &o.weighted.f1, &o.kappa, &o.quadratic_kappa, &o.mcc] {
                                (with_range(figure, ratio))
                            }
                            @for row in o.top.accuracies.iter().filter(|_| top) { (with_range(&row.accuracy, percent)) }
                        }
                    }
                }
            }
        }
        @for (row, o) in &rows { (without(row, o)) }
    }
}

/// Whether outputs came with events, as far as one knows.
fn has_outputs(top: &TopFigures) -> bool {
    top.events > 0 || top.sites == 0
}

/// Which classes a mean is not known for.
fn without(row: &GroupFigures, outcomes: &MulticlassOutcomes) -> Markup {
    let names = |classes: &[String]| classes.iter().map(|class| plain(class)).collect::<Vec<_>>().join(", ");
    html! {
        @for (classes, what) in [(&outcomes.never_decided, "decided"), (&outcomes.never_true, "true")] {
            @if !classes.is_empty() {
                p.note {
                    bdi { (group(&row.group)) } ": never " (what) " among the labelled events: " bdi { (names(classes)) } "."
                }
            }
        }
    }
}

fn errors(slice: &SliceFigures, rows: &Rows<RegressionFigures>) -> Markup {
    let sites = rows.first().map_or(0, |(_, figures)| figures.sites);
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "Predicted less true value, in the contract's units; " (sites) " of " (plural(slice.sites.len(), "site"))
                    " showed sums. The intervals of squared errors are approximate, and rather too wide."
                }
                (head(&["n", "Mean error", "Mean absolute error", "Root of mean square", "R\u{b2}", "Pearson's r"]))
                tbody {
                    @for (row, r) in rows {
                        tr {
                            th scope="row" { bdi { (group(&row.group)) } }
                            @match r.events {
                                Some(events) => td.n { (count(events)) },
                                None => td.n.state { "suppressed" },
                            }
                            @for figure in [&r.bias, &r.mae, &r.rmse] { (with_range(figure, significant)) }
                            (cell(&r.r_squared, ratio))
                            (with_range(&r.pearson, ratio))
                        }
                    }
                }
            }
        }
    }
}

/// Gaps over the compared groups of a slice.
pub(super) fn gaps(slice: &SliceFigures) -> Markup {
    let of = slice.parity.as_ref().map_or(0, |parity| parity.groups);
    html! {
        @if let Some(parity) = &slice.multiclass { (class_gaps(parity, of)) }
        @if let Some(parity) = &slice.regression { (error_gaps(parity, of)) }
    }
}

fn class_gaps(parity: &MulticlassParity, of_groups: u64) -> Markup {
    let title = |class: &str| format!("Decision {}", plain(class));
    let rows = parity.classes.iter().map(|class| of_gap(&title(&class.class), &class.selection_rate, of_groups));
    let rows: Vec<_> = rows.collect();
    let mut parts: Vec<(&str, &[Row])> = rows.iter().map(|(title, rows)| (title.as_str(), &rows[..])).collect();
    let worst = parity.worst.as_ref().map(|WorstClass { class, difference }| {
        let title = format!("The decision in which groups differ most: {}", plain(class));
        (title, [Row("Difference, points", difference, gap)])
    });
    parts.extend(worst.iter().map(|(title, rows)| (title.as_str(), &rows[..])));
    figures(&parts, true)
}

fn error_gaps(parity: &RegressionParity, of_groups: u64) -> Markup {
    let mut title = format!("Errors of predicted values: {} of {of_groups} groups", parity.groups_defined);
    if parity.groups_hidden > 0 && parity.groups_defined > 0 {
        title += "; as others have too few labels, a difference is a lower bound";
    }
    let rows = [
        Row("Mean error, greatest less least", &parity.bias, significant),
        Row("Mean absolute error, greatest less least", &parity.mae, significant),
    ];
    figures(&[(&title, &rows)], true)
}

/// Mean errors of the group less those of the reference.
pub(super) fn pair(pair: &PairFigures) -> Markup {
    let Some(contrast) = &pair.regression else { return html! {} };
    let rows = [
        Row("Mean error, difference", &contrast.bias, significant),
        Row("Mean absolute error, difference", &contrast.mae, significant),
    ];
    figures(&[("Errors of predicted values, sites as if they were one", &rows)], true)
}

/// What fewer sites show than gave the slice.
pub(super) fn hidden(name: &str, slice: &SliceFigures) -> Vec<String> {
    let given = slice.sites.iter().filter(|site| site.state == State::Released).count();
    let classes = slice.groups.iter().find_map(|row| row.multiclass.as_ref());
    let places = classes.and_then(|classes| Some(classes.outcomes.as_ref()?.top.sites));
    let values = slice.groups.iter().find_map(|row| row.regression.as_ref());
    let parts = [
        ("classes", classes.map(|classes| classes.sites)),
        ("places of the true class", places),
        ("sums of values", values.map(|values| values.sites)),
    ];
    let parts = parts.into_iter().filter_map(|(what, sites)| Some((what, given as u64 - sites?.min(given as u64))));
    let line = |(what, hiding): (&str, u64)| {
        format!(
            "{name}: {what} suppressed at {hiding} of the {} that showed all groups of this slice.",
            plural(given, "site")
        )
    };
    parts.filter(|(_, hiding)| *hiding > 0).map(line).collect()
}

/// What of a group has no value, or no interval.
pub(super) fn group_gaps(name: &str, row: &GroupFigures, gaps: &mut Gaps) {
    let immature = Some(not_estimable(IMMATURE));
    if let Some(o) = row.multiclass.as_ref().and_then(|classes| classes.outcomes.as_ref()) {
        // Immature labels were named with the outcomes.
        if state(&o.accuracy) != immature {
            let averages = [
                ("macro precision", &o.macro_.precision),
                ("macro recall", &o.macro_.recall),
                ("macro F1", &o.macro_.f1),
                ("weighted precision", &o.weighted.precision),
                ("kappa of all classes", &o.kappa),
                ("Matthews' correlation of all classes", &o.mcc),
            ];
            for (figure, of) in averages {
                gaps.figure(&format!("{figure} of {name}"), of);
            }
        }
        let shown = o.top.accuracies.iter().filter(|_| has_outputs(&o.top));
        for top in shown.filter(|top| state(&top.accuracy) != immature) {
            gaps.figure(&format!("top-{} accuracy of {name}", top.k), &top.accuracy);
        }
    }
    if let Some(r) = row.regression.as_ref().filter(|r| state(&r.bias) != immature) {
        let errors = [
            ("mean error", &r.bias),
            ("mean absolute error", &r.mae),
            ("mean squared error", &r.mse),
            ("R\u{b2}", &r.r_squared),
            ("Pearson's r", &r.pearson),
        ];
        for (figure, of) in errors {
            gaps.figure(&format!("{figure} of {name}"), of);
        }
    }
}

/// The same of a slice.
pub(super) fn slice_gaps(slice: &SliceFigures, gaps: &mut Gaps) {
    for class in slice.multiclass.iter().flat_map(|parity| &parity.classes) {
        gaps.gap(&format!("demographic parity of decision {}", plain(&class.class)), &class.selection_rate);
    }
    if let Some(parity) = &slice.regression {
        gaps.figure("difference of mean errors", &parity.bias);
        gaps.figure("difference of mean absolute errors", &parity.mae);
    }
}
