//! The report in sentences: what a reader should know first. Every number comes from the report.

use super::{Figure, GroupFigures, PairFigures, Report, SimpsonFigures, SliceFigures, State, TestFigure};
use crate::ids::Name;

/// Sentences about each slice with attributes, the most telling first.
pub fn story(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for scope in &report.scopes {
        for slice in scope.slices.iter().filter(|slice| !slice.attributes.is_empty()) {
            let name = match report.scopes.len() {
                1 => slice.attributes.join(" x "),
                _ => format!("{} ({})", slice.attributes.join(" x "), scope.model_version),
            };
            let known = slice.sites.iter().filter(|site| site.state == State::Released).count();
            if known < slice.sites.len() {
                lines.push(format!("{name}: {known} of {} sites released this slice.", slice.sites.len()));
            }
            for pair in &slice.pairs {
                let favours = report.decision.favourable == report.decision.selected;
                pair_story(&name, slice, pair, favours, &mut lines);
            }
        }
    }
    lines
}

fn pair_story(name: &str, slice: &SliceFigures, pair: &PairFigures, favours: bool, lines: &mut Vec<String>) {
    let (group, reference) = (pair.group.join(" x "), slice.reference.join(" x "));
    let rate = |of: &[String]| {
        let found = slice.groups.iter().find(|g| g.group == of).and_then(|g: &GroupFigures| g.pooled.as_ref());
        found.and_then(|pooled| pooled.selection_rate.value()).map_or("no rate".to_owned(), percent)
    };
    lines.push(format!(
        "{name}: {group} selected {}, {reference} {}; crude difference {}.",
        rate(&pair.group),
        rate(&slice.reference),
        points(&pair.crude.difference)
    ));
    lines.push(format!(
        "{name}: {}, {}.",
        sites_favour(&pair.favouring_group, &group, favours),
        sites_favour(&pair.favouring_reference, &reference, favours)
    ));
    let odds = &pair.mantel_haenszel.odds_ratio;
    lines.push(format!(
        "{name}: adjusted for site, odds ratio {group} to {reference} {}{}.",
        number(odds),
        shows(odds)
    ));
    if let TestFigure::Test { p, .. } = pair.mantel_haenszel.breslow_day {
        let differ = if p < 0.05 { "sites differ" } else { "no sign that sites differ" };
        lines.push(format!("{name}: {differ} (Breslow-Day {}).", p_value(p)));
    }
    if let SimpsonFigures::Compared { reversal, material } = pair.simpson
        && (reversal || material)
    {
        let how = match reversal {
            true => "Simpson's paradox: crude and adjusted difference point opposite ways",
            false => "crude and adjusted difference are more than a fifth apart",
        };
        lines.push(format!(
            "{name}: {how} ({} against {}).",
            points(&pair.crude.difference),
            points(&pair.mantel_haenszel.risk_difference)
        ));
    }
}

fn shows(odds: &Figure) -> &'static str {
    match odds {
        Figure::Estimate(estimate) => match estimate.interval {
            Some(interval) if interval.contains(1.0) => ": no adjusted difference shown",
            Some(_) => ": an adjusted difference",
            None => "",
        },
        _ => "",
    }
}

/// To be selected is to be favoured only where the contract says so.
fn sites_favour(sites: &[Name], group: &str, favours: bool) -> String {
    let (plural, names) = (if sites.len() == 1 { ("", "s") } else { ("s", "") }, names(sites));
    let count = sites.len();
    match favours {
        true => format!("{count} site{} favour{} {group} ({names})", plural.0, plural.1),
        false => format!("{count} site{} select{} {group} more often ({names})", plural.0, plural.1),
    }
}

fn names(sites: &[Name]) -> String {
    if sites.is_empty() { "none".to_owned() } else { sites.iter().map(Name::as_str).collect::<Vec<_>>().join(", ") }
}

/// `30.4 %`.
pub(crate) fn percent(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// `-14.2 points (-17.0 to -11.3)`, or the state.
pub(crate) fn points(figure: &Figure) -> String {
    let text = |value: f64| {
        let text = format!("{:+.1}", value * 100.0);
        if text == "-0.0" { "+0.0".to_owned() } else { text }
    };
    shown(figure, text, " points")
}

/// `1.105 (0.943 to 1.295)`, or the state.
pub(crate) fn number(figure: &Figure) -> String {
    shown(figure, |value| format!("{value:.3}"), "")
}

pub(crate) fn shown(figure: &Figure, text: impl Fn(f64) -> String, unit: &str) -> String {
    match figure {
        Figure::Estimate(estimate) => match estimate.interval {
            Some(i) => format!("{}{unit} ({} to {})", text(estimate.value), text(i.lower), text(i.upper)),
            None => format!("{}{unit}", text(estimate.value)),
        },
        Figure::Suppressed => "suppressed".to_owned(),
        Figure::NotEstimable(reason) => format!("not estimable ({})", reason.replace('_', " ")),
    }
}

/// `p = 0.002`, `p < 0.001`.
fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}
