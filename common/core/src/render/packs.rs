//! Policy packs: tables in the form of published audits, and which figure answers which clause.

use super::format::{count, group, interval, percent, plain, plural, ratio, with_interval};
use super::open;
use crate::report::{Below, Estimate, Figure, ImpactRow, ImpactTable, Kind, PackFigures, Report, TestFigure};
use maud::{Markup, html};

/// The packs that the plan names; nothing where it names none.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        @if !report.packs.is_empty() { h2 id="packs" { "Policy packs" } }
        @for figures in &report.packs { (pack(figures)) }
    }
}

fn pack(figures: &PackFigures) -> Markup {
    let PackFigures { pack, tables } = figures;
    html! {
        h3 id=(format!("pack-{}", pack.id)) { (pack.title) }
        p { (pack.citation) ". " strong { (pack.status) } " (as of " (pack.status_as_of) ")" }
        p { (pack.rule) }
        @for table in tables { (impact(table)) }
        div.scroll tabindex="0" {
            table {
                caption { "Clauses and what answers them. Whether that is enough is for people to say." }
                thead { tr { th scope="col" { "Clause" } th scope="col" { "Asks for" } th scope="col" { "Answer" } } }
                tbody { @for clause in &pack.clauses { tr {
                    th scope="row" { (clause.id) }
                    td.wide { (clause.asks) }
                    td.wide { (clause.answer) }
                } } }
            }
        }
    }
}

fn impact(table: &ImpactTable) -> Markup {
    let tests = table.kind == Kind::Selection;
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    bdi { (open::attributes(&table.attributes)) } ", version " bdi { (plain(&table.model_version)) } ": "
                    (if tests { "rates of the favourable decision" } else { "rates of scores above the median" })
                    ", " (table.sites) " of " (plural(table.of_sites as usize, "site")) " with a release, "
                    (table.unknown.map_or("an unknown number of".to_owned(), count)) " events in no group"
                    @if let Some(median) = &table.median { "; median " (certain(median, ratio)) }
                    @if table.rows.is_empty() { "; no group is visible" }
                }
                thead { tr {
                    th scope="col" { "Group" }
                    th.n scope="col" { "Events" }
                    th.n scope="col" { "Share of all" }
                    th.n scope="col" { "Rate" }
                    th.n scope="col" { "Impact ratio" }
                    @if tests { th.n scope="col" { "p against the highest" } }
                    th scope="col" { "Remarks" }
                } }
                tbody { @for row in &table.rows { (impact_row(row, tests)) } }
            }
        }
    }
}

/// The figure with its interval, or with where it lies for certain.
fn certain(figure: &Figure, text: fn(f64) -> String) -> String {
    match figure {
        Figure::Estimate(Estimate { value, interval: None, bounds: Some(bounds), .. }) => {
            format!("{} (for certain {})", text(*value), interval(bounds, text))
        }
        other => with_interval(other, text),
    }
}

fn impact_row(row: &ImpactRow, tests: bool) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (group(&row.group)) } }
            td.n { (count(row.n)) }
            td.n { (row.share.value().map_or(String::new(), percent)) }
            td.n { (certain(&row.rate, percent)) }
            td.n { (certain(&row.impact_ratio, ratio)) }
            @if tests { td.n { @match &row.test {
                Some(TestFigure::Test { p, .. }) => { (ratio(*p)) }
                Some(_) => { "not estimable" }
                None => {}
            } } }
            td.wide {
                @match &row.below_threshold {
                    Some(Below::Yes) => strong { "below the threshold" },
                    Some(Below::Undecided(why)) => { "above or below the threshold: undecided, as " (plain(why)) }
                    Some(Below::No) | None => {}
                }
                @if let Some(why) = &row.excluded {
                    "left out: " bdi { (plain(why)) }
                    @if row.may_be_excluded == Some(false) { strong { " (too large a share to be left out)" } }
                }
            }
        }
    }
}
