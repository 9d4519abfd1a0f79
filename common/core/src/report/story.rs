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
                pair_story(&name, slice, pair, &mut lines);
            }
        }
    }
    lines
}

fn pair_story(name: &str, slice: &SliceFigures, pair: &PairFigures, lines: &mut Vec<String>) {
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
        "{name}: {} {group} ({}), {} {reference} ({}).",
        sites_favour(pair.favouring_group.len()),
        names(&pair.favouring_group),
        sites_favour(pair.favouring_reference.len()),
        names(&pair.favouring_reference)
    ));
    let odds = &pair.mantel_haenszel.odds_ratio;
    lines.push(format!(
        "{name}: adjusted for site, odds ratio {group} to {reference} {}{}.",
        number(odds),
        shows(odds)
    ));
    if let TestFigure::Test { p, .. } = pair.mantel_haenszel.breslow_day {
        let differ = if p < 0.05 { "sites differ" } else { "no sign that sites differ" };
        lines.push(format!("{name}: {differ} (Breslow-Day p = {}).", p_value(p)));
    }
    if let SimpsonFigures::Compared { reversal, material } = pair.simpson
        && (reversal || material)
    {
        let how = if reversal { "point opposite ways" } else { "differ by more than a fifth" };
        lines.push(format!(
            "{name}: Simpson's paradox: crude and adjusted difference {how} ({} against {}).",
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

fn sites_favour(count: usize) -> String {
    if count == 1 { "1 site favours".to_owned() } else { format!("{count} sites favour") }
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
    shown(figure, |value| format!("{:+.1}", value * 100.0), " points")
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

/// `0.002`, `< 0.001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}
