//! The report in sentences: what a reader should know first. Every number comes from the report.

use super::group::decided;
use super::rates::{Rate, false_negatives, false_positives};
use super::{
    Estimate, Figure, Finding, Gap, PairFigures, Report, Scope, SimpsonFigures, SiteState, SliceFigures, State,
    TestFigure,
};
use crate::disclosure::Counts;
use crate::ids::Name;
use crate::statistics::{self as st, Interval, NotEstimable};

/// Sentences about each slice with attributes, the most telling first.
pub fn story(report: &Report) -> Vec<String> {
    let mut lines = super::identity::identity_story(report);
    lines.extend(super::private::private_story(report));
    for scope in &report.scopes {
        lines.extend(whole_story(report, scope));
        for slice in scope.slices.iter().filter(|slice| !slice.attributes.is_empty()) {
            let name = match report.scopes.len() {
                1 => slice.attributes.join(" x "),
                _ => format!("{} ({})", slice.attributes.join(" x "), scope.name()),
            };
            lines.extend(known_story(&name, slice));
            let favours = report.decision.favourable == report.decision.selected;
            match &slice.pairs[..] {
                [pair] => pair_story(&name, slice, pair, favours, &mut lines),
                pairs => many_story(&name, slice, pairs, &mut lines),
            }
        }
        lines.extend(multiplicity_story(report, scope));
    }
    lines
}

/// What is known where, if not everything is.
fn known_story(name: &str, slice: &SliceFigures) -> Option<String> {
    let (all, of) = (slice.sites.len(), |state: State| slice.sites.iter().filter(|site| site.state == state).count());
    let some = match of(State::Partial) {
        0 => String::new(),
        1 => ", 1 only some".to_owned(),
        some => format!(", {some} only some"),
    };
    let known = of(State::Released);
    (known < all).then(|| format!("{name}: {known} of {all} sites showed all groups of this slice{some}."))
}

/// How many of a scope's tests are findings; nothing where there is one or none.
fn multiplicity_story(report: &Report, scope: &Scope) -> Option<String> {
    let all = &scope.multiplicity;
    let of = if report.scopes.len() == 1 { String::new() } else { format!(" ({})", scope.name()) };
    (all.tests.len() > 1).then(|| {
        format!(
            "all tests{of}: {} of {} differences between a group and its reference stand after Holm's correction; {} \
             more are nominal findings only.",
            all.count(Finding::Corrected),
            all.tests.len(),
            all.count(Finding::Nominal),
        )
    })
}

/// How good decisions and scores are over all events; nothing where there is no label.
fn whole_story(report: &Report, scope: &Scope) -> Option<String> {
    let pooled = scope.slices.first()?.groups.first()?.pooled.as_ref()?;
    let outcomes = pooled.outcomes.as_ref()?;
    let name = match report.scopes.len() {
        1 => "all events".to_owned(),
        _ => format!("all events ({})", scope.name()),
    };
    let slice = scope.slices.first()?;
    let known = |of: fn(&SiteState) -> bool| slice.sites.iter().filter(|site| of(site)).count();
    let over = |known: usize| match known == slice.sites.len() {
        true => String::new(),
        false => format!(" (over {known} of {} sites)", slice.sites.len()),
    };
    let name = format!("{name}{}", over(known(|site| site.state == State::Released)));
    let coverage = format!("{name}: {} of {} labelled ({})", pooled.labelled, pooled.n, rate(&outcomes.label_coverage));
    if matches!(&outcomes.accuracy, Figure::NotEstimable(reason) if reason == NotEstimable::Immature.reason()) {
        let least = percent(report.min_coverage);
        return Some(format!("{coverage}: too few for figures that need labels (the plan asks for {least})."));
    }
    let scores = pooled.scores.as_ref().map_or(String::new(), |scores| {
        let text = |figure: &Figure| shown(figure, |value| format!("{value:.3}"), "");
        format!(
            ", AUC {}, Brier score {}, calibration error {}{}",
            text(&scores.auc),
            text(&scores.brier),
            text(&scores.ece),
            over(known(|site| site.scores == Some(State::Released)))
        )
    });
    Some(format!("{coverage}: accuracy {}{scores}.", rate(&outcomes.accuracy)))
}

/// Several groups against the reference: the gaps over all of them, then a line each; of intersections only the clearest.
fn many_story(name: &str, slice: &SliceFigures, pairs: &[PairFigures], lines: &mut Vec<String>) {
    let Some(parity) = &slice.parity else { return };
    let gap = |gap: &Gap| {
        let of = format!("{} of {} groups", gap.groups_defined, parity.groups);
        gap.difference.value().map(|value| format!("{:.1} points ({of})", value * 100.0))
    };
    let selection = gap(&parity.demographic_parity).map(|text| format!("selection rate {text}"));
    let odds = parity.outcomes.as_ref().and_then(|outcomes| gap(&outcomes.equalized_odds));
    let odds = odds.map(|text| format!("true or false positive rate {text}"));
    let gaps: Vec<_> = selection.into_iter().chain(odds).collect();
    if !gaps.is_empty() {
        lines.push(format!("{name}: greatest gap between groups: {}.", gaps.join("; ")));
    }
    let clearest = pairs.iter().max_by(|a, b| clear_by(a).total_cmp(&clear_by(b)));
    let shown =
        pairs.iter().filter(|pair| slice.attributes.len() < 2 || clearest.is_some_and(|c| c.group == pair.group));
    for pair in shown {
        let odds = &pair.mantel_haenszel.odds_ratio;
        lines.push(format!(
            "{name}: {} selected {}, {} {}; crude difference {}; adjusted for site, odds ratio {}{}.",
            pair.group.join(" x "),
            selection_rate(&pair.counts[0]),
            slice.reference.join(" x "),
            selection_rate(&pair.counts[1]),
            points(&pair.crude.difference),
            number(odds),
            shows(odds)
        ));
        lines.extend(outcome_story(name, slice, pair));
        lines.extend(simpson_story(name, pair));
    }
}

/// How far the interval of the crude difference stays from 0; below 0 where it holds 0.
fn clear_by(pair: &PairFigures) -> f64 {
    match &pair.crude.difference {
        Figure::Estimate(estimate) => estimate.interval.map_or(-1.0, |i| i.lower.max(-i.upper)),
        _ => -1.0,
    }
}

/// Rates that need labels, a group against the reference.
fn outcome_story(name: &str, slice: &SliceFigures, pair: &PairFigures) -> Option<String> {
    let contrast = pair.outcomes.as_ref()?;
    let (one, other) = (pair.group.join(" x "), slice.reference.join(" x "));
    let both = |rate: Rate| pair.counts.each_ref().map(|counts| share(rate(counts)));
    let positive = contrast.fpr.value().map(|_| {
        let ([group, reference], difference) = (both(false_positives), points(&contrast.fpr));
        format!("false positive rate {group}, {other} {reference}; difference {difference}")
    });
    let negative = contrast.tpr.value().map(|_| {
        let ([group, reference], difference) = (both(false_negatives), points(&opposite(&contrast.tpr)));
        format!("false negative rate {group}, {other} {reference}; difference {difference}")
    });
    let parts: Vec<_> = positive.into_iter().chain(negative).collect();
    (!parts.is_empty()).then(|| format!("{name}: {one} {}.", parts.join("; ")))
}

/// The same difference seen from the other outcome: of false negative rates instead of true positive rates.
fn opposite(difference: &Figure) -> Figure {
    match difference.clone() {
        Figure::Estimate(estimate) => Figure::Estimate(Estimate {
            value: -estimate.value,
            interval: estimate.interval.map(|i| Interval { lower: -i.upper, upper: -i.lower }),
            ..estimate
        }),
        other => other,
    }
}

fn simpson_story(name: &str, pair: &PairFigures) -> Option<String> {
    let SimpsonFigures::Compared { reversal, material } = pair.simpson else { return None };
    let how = match (reversal, material) {
        (true, _) => "Simpson's paradox: crude and adjusted difference point opposite ways",
        (false, true) => "crude and adjusted difference are more than a fifth apart",
        (false, false) => return None,
    };
    let (crude, adjusted) = (points(&pair.crude.difference), points(&pair.mantel_haenszel.risk_difference));
    Some(format!("{name}: {how} ({crude} against {adjusted})."))
}

fn selection_rate(counts: &Counts) -> String {
    share(decided(counts))
}

fn share((x, n): (u64, u64)) -> String {
    st::rate(x, n).map_or("no rate".to_owned(), percent)
}

fn rate(figure: &Figure) -> String {
    figure.value().map_or_else(|| shown(figure, percent, ""), percent)
}

fn pair_story(name: &str, slice: &SliceFigures, pair: &PairFigures, favours: bool, lines: &mut Vec<String>) {
    let (group, reference) = (pair.group.join(" x "), slice.reference.join(" x "));
    lines.push(format!(
        "{name}: {group} selected {}, {reference} {}; crude difference {}.",
        selection_rate(&pair.counts[0]),
        selection_rate(&pair.counts[1]),
        points(&pair.crude.difference)
    ));
    lines.extend(outcome_story(name, slice, pair));
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
    lines.extend(simpson_story(name, pair));
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
        Figure::AtLeast(least) => format!("at least {}{unit}", text(*least)),
        Figure::Suppressed => "suppressed".to_owned(),
        Figure::NotEstimable(reason) => format!("not estimable ({})", reason.replace('_', " ")),
    }
}

/// `p = 0.002`, `p < 0.001`.
fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}
