//! Windows against the reference window, and what events took.

use super::format::{count, group, plain, points, ratio, short_window, with_interval};
use crate::report::{Distribution, Mean, OperationFigures, Quantiles, Report, Scope};
use maud::{Markup, html};

/// Tables of what there is; nothing without a reference window and without latencies, costs, tokens and labels.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        @if is_compared(report) {
            h2 id="drift" { "Drift" }
            p.note {
                @if let Some(reference) = &report.reference_window {
                    "Against " (short_window(reference)) ", over the sites that show both windows. "
                }
                @if let Some(reference) = &report.reference {
                    "Against the " (count(reference.events)) " events of \u{201c}" bdi { (plain(&reference.source)) }
                    "\u{201d}, which governance gave with the plan, over the sites that show the window. "
                }
                "An index above its alert level is one that chance alone "
                "passes once in a thousand times in a window, over the distributions of a table together. Events of sampled tiers count once."
            }
            @for scope in report.scopes.iter().filter(|scope| !scope.drift.is_empty()) { (rates(scope)) }
            @if !report.feature_drift.is_empty() { (features(report)) }
        }
        @if let Some(figures) = &report.operations { (operations(figures)) }
    }
}

/// Whether windows are compared with anything.
pub(super) fn is_compared(report: &Report) -> bool {
    report.reference_window.is_some() || report.reference.is_some()
}

fn rates(scope: &Scope) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                caption { "Version " bdi { (plain(&scope.name())) } ": changes of rates, and population stability indices" }
                thead { tr {
                    th scope="col" { "Window" }
                    th.n scope="col" { "Sites" }
                    th.n scope="col" { "Selection rate, points" }
                    th.n scope="col" { "Label rate, points" }
                    th.n scope="col" { "Scores" }
                    @for slice in scope.slices.iter().skip(1) { th.n scope="col" { bdi { (group(&slice.attributes)) } } }
                } }
                tbody { @for drift in &scope.drift { tr {
                    th scope="row" { (short_window(&drift.window)) }
                    td.n { (drift.sites) }
                    td.n { (with_interval(&drift.selection_rate, points)) }
                    td.n { @if let Some(rate) = &drift.label_rate { (with_interval(rate, points)) } }
                    td.n { @if let Some(scores) = &drift.scores { (index(scores)) } }
                    @for groups in &drift.groups { td.n { @if let Some(groups) = groups { (index(groups)) } } }
                } } }
            }
        }
    }
}

fn features(report: &Report) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                caption { "Features" }
                thead { tr {
                    th scope="col" { "Window" }
                    th scope="col" { "Feature" }
                    th.n scope="col" { "Sites" }
                    th.n scope="col" { "Index" }
                    th.n scope="col" { "Alert level" }
                } }
                tbody { @for row in &report.feature_drift { tr {
                    th scope="row" { (short_window(&row.window)) }
                    td { bdi { (plain(&row.feature)) } }
                    td.n { (row.distribution.sites) }
                    td.n { (index(&row.distribution)) }
                    td.n { (with_interval(&row.distribution.alert_at, ratio)) }
                } } }
            }
        }
    }
}

fn operations(figures: &OperationFigures) -> Markup {
    html! {
        h2 id="operations" { "Operations" }
        div.scroll tabindex="0" {
            table {
                caption { "Over the sites that show it in all of their windows" }
                thead { tr {
                    th scope="col" { "" }
                    th.n scope="col" { "Sites" }
                    th.n scope="col" { "Events" }
                    th.n scope="col" { "Half are no greater" }
                    th.n scope="col" { "95 %" }
                    th.n scope="col" { "99 %" }
                    th.n scope="col" { "Mean" }
                } }
                tbody {
                    (quantiles("Latency, ms", &figures.latency_us, |us| ratio(us / 1_000.0)))
                    (quantiles("Until the label, days", &figures.label_delay_s, |s| ratio(s / 86_400.0)))
                    (mean("Cost", &figures.cost_micros, |micros| ratio(micros / 1e6)))
                    (mean("Tokens read", &figures.tokens_in, ratio))
                    (mean("Tokens written", &figures.tokens_out, ratio))
                }
            }
        }
    }
}

fn index(distribution: &Distribution) -> Markup {
    html! {
        (with_interval(&distribution.psi, ratio))
        @if distribution.alert == Some(true) { " " strong { "alert" } }
    }
}

fn quantiles(name: &str, of: &Quantiles, text: fn(f64) -> String) -> Markup {
    html! {
        @if of.sites == 0 || of.events > 0 { tr {
            th scope="row" { (name) }
            td.n { (of.sites) }
            td.n { (count(of.events)) }
            @for figure in [&of.p50, &of.p95, &of.p99] { td.n { (with_interval(figure, text)) } }
            td {}
        } }
    }
}

fn mean(name: &str, of: &Mean, text: fn(f64) -> String) -> Markup {
    html! {
        @if of.sites == 0 || of.events > 0 { tr {
            th scope="row" { (name) }
            td.n { (of.sites) }
            td.n { (count(of.events)) }
            td colspan="3" {}
            td.n { (with_interval(&of.mean, text)) }
        } }
    }
}
