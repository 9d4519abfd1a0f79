//! `report.html`: a report for people, in one file that asks for nothing: no script, no request, no font.
//!
//! A pure function of the report, byte for byte: a verifier recomputes the page and compares it. Names and titles are
//! untrusted text; they are escaped, and characters that would reorder their neighbours are made visible.

mod drift;
mod fairness;
mod forest;
mod format;
mod open;
mod outcomes;
mod packs;
mod private;
mod provenance;
mod quality;
mod scores;
mod tables;
mod tasks;
#[cfg(test)]
pub(crate) mod tests;

use crate::event::Tier;
use crate::ids::Name;
use crate::report::{PairFigures, Report, SimpsonFigures, SiteRow, SliceFigures, State, absent_sites, story};
use forest::Plot;
use format::{count, group, plain, plural, points, windows, with_interval};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::collections::BTreeMap;

/// The page of `report`.
pub fn html(report: &Report) -> String {
    let title = plain(&report.plan.title);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " \u{2013} " (report.federation) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (verdict(report, &title))
                    (sites(report))
                    (quality::section(report))
                    (scopes(report))
                    (private::section(report))
                    (drift::section(report))
                    (packs::section(report))
                    (provenance::provenance(report))
                    (provenance::limits(report))
                }
            }
        }
    };
    page.into_string()
}

const STYLE: &str = include_str!("render/style.css");
/// Rows of forest plots on one page. Later pairs have their tables only, and say so.
const PLOT_ROWS: usize = 5_000;

fn verdict(report: &Report, title: &str) -> Markup {
    let complete = report.sites.iter().filter(|site| is_complete(report, site)).count();
    let findings = story(report);
    let exact = report.scopes.iter().filter(|scope| scope.tier == Tier::Full).map(|scope| &scope.model_version);
    let noisy = report.private.iter().flat_map(|private| &private.scopes).map(|scope| &scope.model_version);
    let versions: Vec<_> = exact.chain(noisy).collect();
    html! {
        header {
            p.kind { "Cross-site fairness report" }
            h1 { bdi { (title) } }
            p.scope {
                (complete) " of " (plural(report.sites.len(), "site")) (absent_sites(report))
                @if report.retrospective { " \u{b7} retrospective: the plan was logged after its window began" }
                @if !report.plan_changed_inside.is_empty() { " \u{b7} a later version of the plan was signed inside a window" }
            }
            dl.facts {
                dt { "Model" }
                dd {
                    bdi { (plain(&report.model)) } ", "
                    (if versions.len() == 1 { "version " } else { "versions " })
                    @for (at, version) in versions.iter().enumerate() {
                        @if at > 0 { ", " } bdi { (plain(version)) }
                    }
                }
                dt { "Window" } dd { (windows(&report.windows)) " (UTC)" }
                dt { "Federation" } dd { (report.federation) }
                dt { "Selected" }
                dd {
                    "decision " q { bdi { (plain(&report.decision.selected)) } } "; favourable: "
                    q { bdi { (plain(&report.decision.favourable)) } }
                    @if let Some(label) = &report.positive_label { "; positive label: " q { bdi { (plain(label)) } } }
                }
            }
        }
        h2 id="findings" { "Findings" }
        @if findings.is_empty() { p.state { "no finding: the plan compares no groups, or no site released any" } }
        @else { ul.findings { @for line in &findings { li { (plain(line)) } } } }
        h2 id="open" { "What could not be evaluated" }
        (open::list(report))
        p.note {
            "Signatures are checked by " code { "fedaudit-verify" } ", not by this page. Whoever reads the page alone takes its numbers on trust."
        }
        (contents(report))
    }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                li { a href="#sites" { "Sites" } }
                @for (at, scope) in report.scopes.iter().enumerate() {
                    @for (number, slice) in scope.slices.iter().enumerate() {
                        li { a href=(format!("#s{at}-{number}")) { bdi { (open::slice_name(report, scope, slice)) } } }
                    }
                }
                @for (id, name) in private::contents(report) { li { a href=(format!("#{id}")) { bdi { (name) } } } }
                @if drift::is_compared(report) { li { a href="#drift" { "Drift" } } }
                @if report.operations.is_some() { li { a href="#operations" { "Operations" } } }
                @if !report.packs.is_empty() { li { a href="#packs" { "Policy packs" } } }
                li { a href="#provenance" { "Provenance" } }
                li { a href="#limits" { "Limits" } }
            }
        }
    }
}

fn is_complete(report: &Report, site: &SiteRow) -> bool {
    site.windows_released > 0 && site.windows_released >= report.windows.len() as u64
}

fn sites(report: &Report) -> Markup {
    let mut hidden: BTreeMap<&Name, [usize; 2]> = BTreeMap::new();
    for site in report.scopes.iter().flat_map(|scope| &scope.slices).flat_map(|slice| &slice.sites) {
        let [all, some] = hidden.entry(&site.site).or_default();
        *all += usize::from(site.state == State::Suppressed);
        *some += usize::from(site.state == State::Partial);
    }
    let caption = match report.private {
        Some(_) => "Numbers of events and outcomes are what counts with noise add up to.",
        None => "Numbers of events and outcomes are public by acceptance of the plan.",
    };
    html! {
        h2 id="sites" { "Sites" }
        div.scroll tabindex="0" {
            table {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "Site" }
                        th scope="col" { "Required" }
                        th.n scope="col" { "Windows released" }
                        th.n scope="col" { "Events" }
                        th.n scope="col" { "Outcomes" }
                        th scope="col" { "State" }
                    }
                }
                tbody { @for site in &report.sites {
                        (site_row(report, site, hidden.get(&site.site).copied().unwrap_or_default()))
                    } }
            }
        }
    }
}

fn site_row(report: &Report, site: &SiteRow, [hidden, partly]: [usize; 2]) -> Markup {
    let all: usize = report.scopes.iter().map(|scope| scope.slices.len()).sum();
    html! {
        tr {
            th scope="row" { (site.site) }
            td { (if site.required { "yes" } else { "no" }) }
            td.n { (count(site.windows_released)) " of " (report.windows.len()) }
            @if site.windows_released == 0 {
                td.n.state colspan="2" { "not known" }
                td.state { "no release" (open::because(site)) }
            } @else {
                td.n { (count(site.events)) }
                td.n { (count(site.outcomes)) }
                td.wide {
                    (if is_complete(report, site) { "complete" } else { "partial: left out of the figures" })
                    (open::because(site))
                    @if hidden > 0 { span.state { ", " (hidden) " of " (plural(all, "slice")) " suppressed" } }
                    @if partly > 0 { span.state { ", " (partly) " of " (plural(all, "slice")) " in part" } }
                }
            }
        }
    }
}

fn scopes(report: &Report) -> Markup {
    let mut rows = 0;
    html! {
        @for (at, scope) in report.scopes.iter().enumerate() {
            h2 { "Model version " bdi { (plain(&scope.name())) } }
            @for (number, slice) in scope.slices.iter().enumerate() {
                (slice_part(report, slice, &format!("s{at}-{number}"), &mut rows))
                @if number == 0 { (outcomes::windows(report, scope)) }
            }
            (fairness::multiplicity(scope))
        }
    }
}

fn slice_part(report: &Report, slice: &SliceFigures, id: &str, rows: &mut usize) -> Markup {
    html! {
        section {
            h3 id=(id) { bdi { (open::slice_title(slice)) } }
            (tables::groups(slice))
            (outcomes::tables(slice))
            (tasks::tables(slice))
            @if slice.groups.iter().any(|group| group.pooled.is_some()) {
                (tables::parity(slice))
                @for (at, pair) in slice.pairs.iter().enumerate() {
                    (pair_part(report, slice, pair, &format!("{id}-{at}"), rows))
                }
            }
        }
    }
}

fn pair_part(report: &Report, slice: &SliceFigures, pair: &PairFigures, id: &str, rows: &mut usize) -> Markup {
    let plot =
        Plot { slice, pair, favourable: report.decision.selected == report.decision.favourable, id: id.to_owned() };
    let fits = *rows + forest::height_rows(slice) <= PLOT_ROWS;
    if fits {
        *rows += forest::height_rows(slice);
    }
    html! {
        h4 id=(format!("{id}h")) { bdi { (group(&pair.group)) } " against " bdi { (group(&slice.reference)) } }
        @if let SimpsonFigures::Compared { reversal, material } = pair.simpson {
            @if reversal || material { (simpson(pair, reversal)) }
        }
        @if fits { (forest::figure(&plot)) } @else { (forest::without_plot(slice.sites.len())) }
        (tables::pair(slice, pair))
    }
}

fn simpson(pair: &PairFigures, reversal: bool) -> Markup {
    html! {
        p.alert {
            strong { "Simpson's paradox. " }
            "Over all sites as one, the difference is " (with_interval(&pair.crude.difference, points)) " points; within sites it is "
            (with_interval(&pair.mantel_haenszel.risk_difference, points)) " points. The two "
            (if reversal { "point opposite ways." } else { "differ by more than a fifth." })
            " The groups are spread unevenly over sites that select at different rates."
        }
    }
}
