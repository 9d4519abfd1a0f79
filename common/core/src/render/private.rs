//! Figures from counts with noise.

use super::format::{count, fixed, group, percent, plain, plural, points, significant, with_interval};
use crate::plan::Mechanism;
use crate::report::{PrivateGroup, PrivateScope, PrivateSlice, Report};
use maud::{Markup, html};

/// The section; nothing where counts are exact.
pub(super) fn section(report: &Report) -> Markup {
    let Some(private) = &report.private else { return html! {} };
    let noise = match private.noise.mechanism {
        Mechanism::DiscreteLaplace => "discrete Laplace",
        Mechanism::DiscreteGaussian => "discrete Gaussian",
    };
    html! {
        h2 id="private" { "Figures with noise" }
        p {
            "Differential privacy: every count of every release has noise of its own (" (noise) ", scale "
            (significant(private.noise.scale.value())) " events, standard deviation " (significant(private.variance.sqrt()))
            "), so that nobody can tell from all of them together whether one person's events of a window at one site are in them. Of each person at most "
            (plural(private.noise.events_per_subject as usize, "event")) " of a window count. A person at several sites is another one at each. "
            "Slices do not add up to each other. A rate is shown where the counts with noise in its denominator are at least k = "
            (count(report.disclosure.k)) " and five standard deviations of their noise; intervals contain sampling and noise."
        }
        @for (at, scope) in private.scopes.iter().enumerate() {
            h3 { "Model version " bdi { (plain(&scope.model_version)) } }
            @for (number, slice) in scope.slices.iter().enumerate() { (table(slice, &id(at, number))) }
        }
    }
}

fn id(scope: usize, slice: usize) -> String {
    format!("p{scope}-{slice}")
}

/// Places of the slices on the page, with their names.
pub(super) fn contents(report: &Report) -> Vec<(String, String)> {
    let scopes = report.private.iter().flat_map(|private| private.scopes.iter().enumerate());
    let of = |(at, scope): (usize, &PrivateScope)| {
        let slices = scope.slices.iter().enumerate();
        slices.map(|(number, slice)| (id(at, number), plain(&slice.name()))).collect::<Vec<_>>()
    };
    scopes.flat_map(of).collect()
}

/// What could not be evaluated.
pub(super) fn open(report: &Report) -> Vec<String> {
    let slices = report.private.iter().flat_map(|private| &private.scopes).flat_map(|scope| &scope.slices);
    let of = |slice: &PrivateSlice| {
        let name = plain(&slice.name());
        if slice.releases == 0 {
            return vec![format!("{name}: no figures, as no site gave this slice.")];
        }
        let without = slice.groups.iter().filter(|group| group.selection_rate.value().is_none()).count();
        let groups = plural(slice.groups.len(), "group");
        (without > 0)
            .then(|| format!("{name}: no selection rate for {without} of {groups}: too few events beside the noise."))
            .into_iter()
            .collect()
    };
    slices.flat_map(of).collect()
}

fn table(slice: &PrivateSlice, id: &str) -> Markup {
    let labels = slice.groups.iter().any(|group| group.outcomes.is_some());
    let compared = slice.groups.iter().any(|group| group.differences.is_some());
    html! {
        section {
            h4 id=(id) { bdi { (plain(&slice.name())) } }
            @if slice.groups.is_empty() { p.state { "no site released this slice" } } @else {
                div.scroll tabindex="0" {
                    table {
                        caption {
                            "Counts with noise, " (plural(usize::try_from(slice.releases).unwrap_or(usize::MAX), "release"))
                            " of " (plural(slice.sites.len(), "site")) " added. 95 % intervals."
                        }
                        thead {
                            tr {
                                th scope="col" { "Group" }
                                th.n scope="col" { "Events" }
                                th.n scope="col" { "Selection rate" }
                                @if compared { th.n scope="col" { "Difference, points" } }
                                @if labels {
                                    th.n scope="col" { "Labelled" }
                                    th.n scope="col" { "Base rate" }
                                    th.n scope="col" { "Accuracy" }
                                    th.n scope="col" { "TPR" }
                                    th.n scope="col" { "FPR" }
                                    th.n scope="col" { "PPV" }
                                    @if compared {
                                        th.n scope="col" { "TPR difference" }
                                        th.n scope="col" { "FPR difference" }
                                    }
                                }
                            }
                        }
                        tbody { @for group in &slice.groups { (row(group, labels, compared)) } }
                    }
                }
            }
        }
    }
}

fn row(of: &PrivateGroup, labels: bool, compared: bool) -> Markup {
    let whole = |value: f64| fixed(value, 0);
    let outcomes = of.outcomes.as_ref().filter(|_| labels);
    let between = of.differences.as_ref();
    html! {
        tr {
            th scope="row" { bdi { (group(&of.group)) } }
            td.n { (with_interval(&of.events, whole)) }
            td.n { (with_interval(&of.selection_rate, percent)) }
            @if compared { td.n { @if let Some(of) = between { (with_interval(&of.selection_rate, points)) } } }
            @if let Some(o) = outcomes {
                @for rate in [&o.label_coverage, &o.prevalence, &o.accuracy, &o.tpr, &o.fpr, &o.ppv] {
                    td.n { (with_interval(rate, percent)) }
                }
                @if compared {
                    @let between = between.and_then(|of| of.outcomes.as_ref());
                    td.n { @if let Some(of) = between { (with_interval(&of.tpr, points)) } }
                    td.n { @if let Some(of) = between { (with_interval(&of.fpr, points)) } }
                }
            }
        }
    }
}
