//! What was sampled, what intake counted, and how well features keep the contract.

use super::format::{count, fixed, group, percent, plain, points, with_interval};
use crate::disclosure::{Cell, Quality};
use crate::event::{TallyKind, Tier};
use crate::report::{Report, SiteRow, WeightedFigures, WeightedGroup};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Tables of what there is; nothing where nothing was sampled, counted or described.
pub(super) fn section(report: &Report) -> Markup {
    let sampled = report.sites.iter().any(|site| !site.sampled.is_empty());
    let kinds: BTreeSet<TallyKind> = report.sites.iter().flat_map(|site| site.intake.keys().copied()).collect();
    let described: Vec<_> = report.sites.iter().filter_map(|site| Some((site, site.quality.as_ref()?))).collect();
    html! {
        @if sampled { (sampling(report)) }
        @for figures in &report.weighted { (weighted(figures)) }
        @if !kinds.is_empty() { (intake(report, &kinds)) }
        @if !described.is_empty() { (quality(&described)) }
    }
}

fn sampling(report: &Report) -> Markup {
    let rows = report.sites.iter().flat_map(|site| site.sampled.iter().map(move |row| (site, row)));
    html! {
        h3 id="sampled" { "What was sampled" }
        div.scroll tabindex="0" {
            table {
                caption { "Of some events only one in so many is journaled, chosen by a keyed hash of its id. Figures by tier count journaled events." }
                thead { tr {
                    th scope="col" { "Site" }
                    th scope="col" { "Model version" }
                    th.n scope="col" { "One in" }
                    th.n scope="col" { "Events journaled" }
                    th.n scope="col" { "Share of all events, estimated" }
                } }
                tbody { @for (site, row) in rows { tr {
                    th scope="row" { (site.site) }
                    td { bdi { (plain(&row.model_version)) } }
                    td.n { (count(u64::from(row.one_in))) }
                    (cell(&row.events))
                    td.n { (row.share.map_or("not known".to_owned(), |share| format!("{} %", fixed(share * 100.0, 1)))) }
                } } }
            }
        }
    }
}

fn weighted(figures: &WeightedFigures) -> Markup {
    html! {
        h3 { "Weights and people, model version " bdi { (plain(&figures.model_version)) } }
        p.note {
            "Events of " @for (at, tier) in figures.tiers.iter().enumerate() { @if at > 0 { ", " } (tier_name(*tier)) }
            ", each counted as many times as it stands for. Sites are added up as if they were one; intervals are those of the effective number of events."
            @if figures.slices.iter().flat_map(|slice| &slice.groups).any(|group| group.label_weights) {
                " Labels are a sample: rates that need them count a label as many times as it stands for, so that they speak of all events; the tables by tier speak of the labelled ones as they are."
            }
            " Where the number of people is known, intervals count that events of one person are not independent; else events are assumed to be."
        }
        @for slice in &figures.slices {
            @if slice.groups.is_empty() { p.state { (super::open::attributes(&slice.attributes)) ": no site released this slice in every tier" } }
            @else {
                div.scroll tabindex="0" {
                    table {
                        caption { bdi { (super::open::attributes(&slice.attributes)) } ", " (slice.sites.len()) " of the sites" }
                        thead { tr {
                            th scope="col" { "Group" }
                            th.n scope="col" { "Events journaled" }
                            th.n scope="col" { "Stand for" }
                            th.n scope="col" { "People" }
                            th.n scope="col" { "Selection rate" }
                            th.n scope="col" { "Difference, points" }
                            th.n scope="col" { "Accuracy" }
                            th.n scope="col" { "True positive rate" }
                            th.n scope="col" { "False positive rate" }
                        } }
                        tbody { @for row in &slice.groups { (weighted_row(row)) } }
                    }
                }
            }
        }
    }
}

fn weighted_row(row: &WeightedGroup) -> Markup {
    let outcomes = row.outcomes.as_ref();
    let rates = [outcomes.map(|o| &o.accuracy), outcomes.map(|o| &o.tpr), outcomes.map(|o| &o.fpr)];
    html! {
        tr {
            th scope="row" { bdi { @if row.group.is_empty() { "all" } @else { (group(&row.group)) } } }
            td.n { (count(row.events)) }
            td.n { (count(row.stands_for)) }
            td.n { @if let Some(subjects) = row.subjects { (count(subjects)) } @else { span.state { "not known" } } }
            td.n { (with_interval(&row.selection_rate, percent)) }
            td.n { @if let Some(difference) = &row.difference { (with_interval(difference, points)) } }
            @for rate in rates { td.n { @if let Some(rate) = rate { (with_interval(rate, percent)) } } }
        }
    }
}

fn intake(report: &Report, kinds: &BTreeSet<TallyKind>) -> Markup {
    html! {
        h3 id="intake" { "Intake" }
        div.scroll tabindex="0" {
            table {
                caption { "What sites counted while events came in, beside events and outcomes. Public by acceptance of the plan." }
                thead { tr {
                    th scope="col" { "Site" }
                    @for kind in kinds { th.n scope="col" { (kind_name(*kind)) } }
                } }
                tbody { @for site in report.sites.iter().filter(|site| site.windows_released > 0) { tr {
                    th scope="row" { (site.site) }
                    @for kind in kinds { td.n { (count(site.intake.get(kind).copied().unwrap_or(0))) } }
                } } }
            }
        }
    }
}

fn quality(described: &[(&SiteRow, &Quality)]) -> Markup {
    html! {
        h3 id="quality" { "Features" }
        div.scroll tabindex="0" {
            table {
                caption { "Values that are absent where they may be, and values that break the contract: outside the range, not listed, of another type, or absent." }
                thead { tr {
                    th scope="col" { "Site" }
                    th scope="col" { "Feature" }
                    th.n scope="col" { "Events with features" }
                    th.n scope="col" { "Missing" }
                    th.n scope="col" { "Violations" }
                } }
                tbody { @for (site, quality) in described { @for feature in &quality.features { tr {
                    th scope="row" { (site.site) }
                    td { bdi { (plain(&feature.feature)) } }
                    (cell(&quality.events))
                    (cell(&feature.missing))
                    (cell(&feature.violations))
                } } } }
            }
        }
    }
}

fn cell(cell: &Cell<u64>) -> Markup {
    html! {
        @match cell {
            Cell::Value(value) => { td.n { (count(*value)) } }
            Cell::Suppressed => { td.n.state { "suppressed" } }
        }
    }
}

/// `full`, `one in 20`.
fn tier_name(tier: Tier) -> String {
    match tier {
        Tier::Full => "the full tier".to_owned(),
        Tier::Sampled(events) => format!("the tier of one in {}", count(u64::from(events))),
    }
}

fn kind_name(kind: TallyKind) -> &'static str {
    match kind {
        TallyKind::Paired => "Paired",
        TallyKind::RequestOnly => "Requests alone",
        TallyKind::ResponseOnly => "Responses alone",
        TallyKind::Conflicting => "Conflicting",
        TallyKind::Sampled => "Left out by sampling",
        TallyKind::Duplicate => "Duplicates",
        TallyKind::Late => "Late",
        TallyKind::OutOfOrder => "Out of order",
        TallyKind::MissingSequence => "Numbers missing",
        TallyKind::OutcomeWithoutEvent => "Outcomes without event",
        TallyKind::ChangedOutcome => "Changed outcomes",
        TallyKind::Refused => "Refused",
        TallyKind::SilentSource => "Silent hours of sources",
    }
}
