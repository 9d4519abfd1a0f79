//! Where the figures come from, how to recompute them, and what they do not say.

use super::format::{count, fixed, plain, window};
use crate::event::Tier;
use crate::ids::Name;
use crate::report::{AbstentionRow, LEVEL, LogRef, Report, Use, WaiverRow};
use maud::{Markup, html};

/// Documents, logs, rules and every release.
pub(super) fn provenance(report: &Report) -> Markup {
    let log = |log: &LogRef| html! { code { (plain(&log.origin)) } ", " (count(log.size)) (if log.size == 1 { " entry" } else { " entries" }) };
    let rule = match report.private {
        Some(_) => ": every count has noise; a rate is shown where its denominator with noise is at least k",
        None => ": a count that is seen is 0 or at least k",
    };
    html! {
        h2 id="provenance" { "Provenance" }
        dl.facts {
            dt { "Plan" }
            dd { (report.plan.name) ", version " (report.plan.version) br; code { (report.plan.digest) } }
            dt { "Contract" }
            dd {
                bdi { (plain(&report.contract.title)) } " (" (report.contract.name) ", version " (report.contract.version) ")"
                br; code { (report.contract.digest) }
            }
            dt { "Plan's log" } dd { (log(&report.log)) }
            dt { "Registry" } dd { (log(&report.registry)) }
            dt { "Disclosure rule" }
            dd { code { (plain(&report.disclosure.rule)) } ", k = " (count(report.disclosure.k)) (rule)
                @if let Some(step) = report.disclosure.moment_step { "; sums of scores and of values are rounded to multiples of " (step.to_string()) " of the score's range" }
            }
            dt { "Least n to pool" } dd { "min_site_n = " (count(report.min_site_n)) " events a group at a site" }
            @if report.positive_label.is_some() {
                dt { "Least label coverage" }
                dd { "min_coverage = " (fixed(report.min_coverage * 100.0, 0)) " %: below it, figures that need labels are immature" }
            }
            @if !report.plan_changed_inside.is_empty() {
                dt { "A later version of the plan, by the time that governance claims, was signed in" }
                dd { @for (at, one) in report.plan_changed_inside.iter().enumerate() { @if at > 0 { "; " } (window(one)) } }
            }
            dt { "Method version" } dd { (plain(&report.method)) ", report format " (report.format) }
            @if report.windows.len() > 1 {
                dt { "Windows (UTC)" }
                dd { @for (at, one) in report.windows.iter().enumerate() { @if at > 0 { "; " } (window(one)) } }
            }
        }
        p { "To check every signature, the completeness of the log and every number on this page, recomputed from the sites' signed releases:" }
        p { code { "fedaudit-verify bundle.zip --trust trust.json" } }
        @if !report.identity.is_empty() { (identity(report)) }
        h3 { "Releases in the plan's log" }
        @if report.releases.is_empty() { p.state { "no release" } } @else { (releases(report)) }
        @if !report.abstentions.is_empty() {
            h3 { "Abstentions in the plan's log" }
            (absences(report.abstentions.iter().map(abstention)))
        }
        @if !report.waivers.is_empty() {
            h3 { "Waivers in the registry" }
            (absences(report.waivers.iter().map(waiver)))
        }
        @if !report.disputes.is_empty() { (disputes(report)) }
    }
}

fn releases(report: &Report) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th.n scope="col" { "Index" }
                        th scope="col" { "Site" }
                        th scope="col" { "Window (UTC)" }
                        th scope="col" { "Used" }
                        th scope="col" { "Envelope" }
                        th scope="col" { "Release" }
                    }
                }
                tbody {
                    @for row in &report.releases {
                        tr {
                            td.n { (count(row.index)) }
                            th scope="row" { (row.site) }
                            td { (window(&row.window)) }
                            td {
                                @if let Some(reason) = &row.amends { "amends the one before (" bdi { (plain(reason)) } "): " }
                                @match row.used {
                                    Use::Used => "used",
                                    Use::AmendedBy(index) => { "no: amended by index " (count(index)) }
                                    Use::OtherWindow => "no: not a window of this report",
                                }
                            }
                            td { code title=(row.envelope) { (row.envelope.short()) } }
                            td { code title=(row.artifact) { (row.artifact.short()) } }
                        }
                    }
                }
            }
        }
    }
}

/// Which model events named.
fn identity(report: &Report) -> Markup {
    html! {
        h3 { "Model identity" }
        p { "Events by the digest of the model that they came with. The plan names the digest of each version; that an event names it does not prove that this model decided." }
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "Site" }
                        th scope="col" { "Version" }
                        th scope="col" { "Digest in the plan" }
                        th.n scope="col" { "Same digest" }
                        th.n scope="col" { "Another" }
                        th.n scope="col" { "None" }
                        th.n scope="col" { "Windows hidden" }
                        th scope="col" { "Another digest" }
                    }
                }
                tbody {
                    @for row in &report.identity {
                        tr {
                            th scope="row" { (row.site) }
                            td { bdi { (plain(&row.model_version)) } @if let Tier::Sampled(events) = row.tier { ", one in " (events) } }
                            td { code title=(row.subject) { (row.subject.short()) } }
                            td.n { (count(row.events.equal)) }
                            td.n { (count(row.events.different)) }
                            td.n { (count(row.events.absent)) }
                            td.n { (count(row.hidden)) }
                            td { (row.different.word()) }
                        }
                    }
                }
            }
        }
    }
}

fn disputes(report: &Report) -> Markup {
    html! {
        h3 { "Disputes in the plan's log" }
        p { "A site says, signed, that a report does not name what it had logged. A dispute is open until a later report over the same windows takes the place of that one; the verifier says whether the log bears it out." }
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th.n scope="col" { "Index" }
                        th scope="col" { "Site" }
                        th scope="col" { "Window (UTC)" }
                        th scope="col" { "Report" }
                        th scope="col" { "Release" }
                        th scope="col" { "In that report" }
                        th scope="col" { "State" }
                    }
                }
                tbody {
                    @for row in &report.disputes {
                        tr {
                            td.n { (count(row.index)) }
                            th scope="row" { (row.site) }
                            td { (window(&row.window)) }
                            td { code title=(row.report) { (row.report.short()) } }
                            td { code title=(row.release) { (row.release.short()) } }
                            td { (row.what.word()) }
                            td { (if row.superseded { "superseded" } else { "open" }) }
                        }
                    }
                }
            }
        }
    }
}

/// Index, site, windows, reason, and what became of it.
type Absence<'a> = (u64, &'a Name, String, &'a str, String);

fn abstention(row: &AbstentionRow) -> Absence<'_> {
    let became =
        row.released.map_or("no release".to_owned(), |index| format!("released after all: index {}", count(index)));
    (row.index, &row.site, window(&row.window), &row.reason, became)
}

fn waiver(row: &WaiverRow) -> Absence<'_> {
    let windows: Vec<_> = row.windows.iter().map(window).collect();
    (row.index, &row.site, windows.join("; "), &row.reason, "by governance".to_owned())
}

fn absences<'a>(rows: impl Iterator<Item = Absence<'a>>) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table {
                thead {
                    tr {
                        th.n scope="col" { "Index" }
                        th scope="col" { "Site" }
                        th scope="col" { "Windows (UTC)" }
                        th scope="col" { "Reason" }
                        th scope="col" { "State" }
                    }
                }
                tbody {
                    @for (index, site, windows, reason, state) in rows {
                        tr {
                            td.n { (count(index)) }
                            th scope="row" { (site) }
                            td.wide { (windows) }
                            td.wide { bdi { (plain(reason)) } }
                            td { (state) }
                        }
                    }
                }
            }
        }
    }
}

/// What the figures and the signatures do not say; the words used.
pub(super) fn limits(report: &Report) -> Markup {
    let unfavourable = report.decision.selected != report.decision.favourable;
    html! {
        h2 id="limits" { "Limits" }
        ul.open {
            li { "A signature says who wrote a release, not that what it says is true. What ties a site to its records are the journal checkpoints that its releases name." }
            li { "Figures are made from released counts alone. A group that a site suppressed is missing from every figure about it, at that site and in the pool: a group's figures are over the sites that show it, those of a pair over the sites that show both, gaps over the sites that show every compared group. Pools over the remaining sites may be biased; where something is hidden, bounds say what is certain, and a threshold is met only if they meet it. Tests and intervals say nothing of hidden events." }
            @if report.disclosure.moment_step.is_some() {
                li { "Sums of scores and of values were rounded before they left. Figures are those of the rounded sums; their intervals are wide enough for what rounding may have taken, and report.json has the bounds of each. Figures whose error rounding does not bound are not estimable." }
            }
            li { "Intervals are at " (fixed(LEVEL * 100.0, 0)) " % and assume that events are independent. Repeated events of one person make them too narrow; the tables of weights and people say by how much, where sites know and may say who came back." }
            li { "The interval of a greatest-less-least gap is simultaneous: it allows for having picked the two extremes among all groups. Other intervals and tests are read one at a time; among many groups some will stand out by chance." }
            li { "Odds ratios do not collapse: a crude and an adjusted odds ratio may differ without confounding. Simpson's paradox is therefore told from differences alone." }
            li { "A difference in selection rates is not by itself unlawful or unfair, and its absence is not a proof of fairness. Adjustment here is for the site and for nothing else." }
            @if unfavourable {
                li { "In this model to be selected (decision " q { bdi { (plain(&report.decision.selected)) } } ") is not the favourable decision (" q { bdi { (plain(&report.decision.favourable)) } } "): a higher selection rate is to the group's disadvantage." }
            }
        }
        h3 { "Words" }
        dl.facts { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } }
    }
}

const WORDS: [(&str, &str); 18] = [
    (
        "Selected",
        "an event with the decision that is named so at the top; the selection rate is selected by decided events.",
    ),
    ("Labelled", "an event whose outcome was known in time."),
    ("Label coverage", "share of the events that are labelled. Those still without label may differ from the others."),
    ("Equalized odds", "the greater of two gaps between groups: in true positive rate and in false positive rate."),
    ("AUC", "probability that a positive scores above a negative; 0.5 is chance."),
    (
        "ECE",
        "expected calibration error: mean distance of observed share and mean score over ten bins. By chance: what it would be if every score were exactly right.",
    ),
    ("Reference", "the group that the others are compared with, named by the plan."),
    ("Difference", "selection rate of the group less that of the reference, in percentage points."),
    ("Impact ratio", "rate of the favourable decision in the group by that in the reference."),
    ("Crude", "all sites added up as if they were one."),
    ("Mantel-Haenszel", "compared within each site, then averaged: adjusted for site."),
    ("Fixed effect", "average of the sites' differences if one true difference held everywhere; weight 1 / variance."),
    ("Random effects", "average if the true difference varies from site to site; HKSJ is the more careful interval."),
    ("I\u{b2}, tau\u{b2}", "share of the spread between sites that is beyond chance; its variance, in squared rates."),
    ("Simpson's paradox", "crude and adjusted difference point opposite ways, or differ by more than a fifth."),
    ("suppressed", "hidden by disclosure control at the site. It does not mean 0, and does not say why."),
    ("undecided", "what is hidden could put the figure on either side of the threshold."),
    ("not estimable", "undefined, with the reason. It does not mean 0."),
];
