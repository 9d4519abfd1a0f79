//! Shape, rule, bounds and sums of a release: whatever its site computed, these must hold.

use super::blocks::{check_blocks, check_sums};
use super::detail::check_detail;
use super::identity::check_identity;
use super::private::check_noisy;
use super::zeros::check_zeros;
use crate::contract::ContractText;
use crate::disclosure::{
    Bin, Block, Cell, Counts, Multiple, Quality, RELEASE_FORMAT, RULE, Range, ReleaseText, ReleasedGroup,
    ReleasedSlice, Scores, Step, Sum, passes,
};
use crate::event::{Tier, edge, log_linear};
use crate::fault::Refusal;
use crate::limits;
use crate::plan::PlanText;
use crate::roster::same;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Checks the numbers of a release against its plan and contract.
pub(super) fn check_numbers(text: &ReleaseText, plan: &PlanText, contract: &ContractText) -> Result<(), Refusal> {
    if plan.disclosure.privacy.is_some() {
        return check_noisy(text, plan, contract);
    }
    same("noise", &None, &text.noise.map(|noise| format!("{noise:?}")))?;
    same("version", &(RELEASE_FORMAT, RULE), &(text.format, text.rule.as_str()))?;
    same("release", &plan.disclosure.k, &text.k)?;
    if text.outcomes > text.events || text.events > limits::EVENTS_PER_RELEASE {
        let expected = format!("outcomes <= events <= {}", limits::EVENTS_PER_RELEASE);
        return Err(Refusal::new("release", expected, format!("{} outcomes, {} events", text.outcomes, text.events)));
    }
    if let Some((kind, count)) = text.intake.iter().find(|(_, count)| **count > limits::EVENTS_PER_RELEASE) {
        return Err(Refusal::new(
            "release",
            format!("counts up to {}", limits::EVENTS_PER_RELEASE),
            format!("{count} {kind:?}"),
        ));
    }
    check_strata(text, plan)?;
    let (mut events, mut outcomes) = (Some(0_u64), Some(0_u64));
    for stratum in &text.strata {
        check_slices(&stratum.slices, plan, contract, text)?;
        check_detail(&stratum.slices, contract, text.k, Step::of(&plan.disclosure))?;
        if plan.disclosure.hide_zeros {
            check_zeros(&stratum.slices)?;
        }
        check_identity(stratum, plan)?;
        let whole = whole(&stratum.slices);
        let labelled = whole.and_then(Block::margins).map(|totals| totals.labels[0].saturating_add(totals.labels[1]));
        events = events.zip(whole.and_then(Block::events)).map(|(sum, own)| sum.saturating_add(own));
        outcomes = outcomes.zip(labelled).map(|(sum, own)| sum.saturating_add(own));
    }
    events.map_or(Ok(()), |events| same("release", &text.events, &events))?;
    outcomes.map_or(Ok(()), |outcomes| same("release", &text.outcomes, &outcomes))?;
    check_quality(text, contract)?;
    check_operations(text)
}

/// Model versions of the plan in order, each in full first, then its sampling tiers, which have events.
fn check_strata(text: &ReleaseText, plan: &PlanText) -> Result<(), Refusal> {
    let full = text.strata.iter().filter(|stratum| stratum.tier == Tier::Full);
    let versions: Vec<_> = full.map(|stratum| &stratum.model_version).collect();
    same("release", &plan.model_versions.iter().collect::<Vec<_>>(), &versions)?;
    let place = |version: &String| plan.model_versions.iter().position(|listed| listed == version);
    let places: Vec<_> = text.strata.iter().map(|stratum| (place(&stratum.model_version), stratum.tier)).collect();
    if !places.is_sorted_by(|one, next| one < next) || places.iter().any(|(version, _)| version.is_none()) {
        return Err(Refusal::new(
            "release",
            "each model version in full, then its sampling tiers in order",
            "another order",
        ));
    }
    for stratum in &text.strata {
        let Tier::Sampled(one_in) = stratum.tier else { continue };
        if one_in < 2 || whole(&stratum.slices).and_then(Block::events) == Some(0) {
            return Err(Refusal::new("release", "tiers that sample one of at least 2, and hold events", one_in));
        }
    }
    Ok(())
}

fn check_quality(text: &ReleaseText, contract: &ContractText) -> Result<(), Refusal> {
    let names: Vec<_> = contract.features.iter().map(|feature| &feature.name).collect();
    let Quality { events, features } = match (&text.quality, names.is_empty()) {
        (None, true) => return Ok(()),
        (Some(quality), false) => quality,
        (found, _) => {
            return Err(Refusal::new("release", format!("the quality of features {names:?}"), found.is_some()));
        }
    };
    same("release", &names, &features.iter().map(|feature| &feature.feature).collect::<Vec<_>>())?;
    let of = events.value().copied().unwrap_or(text.events);
    let check = |count: u64, of: u64| {
        let rest = of.checked_sub(count);
        match passes(count, text.k) && rest.is_some_and(|rest| passes(rest, text.k) || events.value().is_none()) {
            true => Ok(()),
            false => {
                Err(Refusal::new("release", format!("counts of 0 or {} to {of}, and as many left", text.k), count))
            }
        }
    };
    events.value().map_or(Ok(()), |events| check(*events, text.events))?;
    for feature in features {
        let seen: Vec<u64> =
            [&feature.missing, &feature.violations].into_iter().filter_map(Cell::value).copied().collect();
        seen.iter().try_for_each(|count| check(*count, of))?;
        check(seen.iter().fold(0, |sum: u64, count| sum.saturating_add(*count)), of)?;
    }
    let shown = features.iter().zip(&contract.features);
    shown.filter_map(|(feature, of)| Some((feature, of, feature.histogram.value()?))).try_for_each(
        |(feature, of, bins)| {
            let parts = [events, &feature.missing, &feature.violations].map(|cell| cell.value().copied());
            let [Some(events), Some(missing), Some(violations)] = parts else {
                return Err(Refusal::new("release", "no histogram where its sum is hidden", &feature.feature));
            };
            same("release", &usize::from(of.missing_code()), &bins.len())?;
            bins.iter().try_for_each(|count| check_count(*count, text.k))?;
            let sum = bins.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
            same("release", &events.checked_sub(missing.saturating_add(violations)), &Some(sum))
        },
    )
}

/// Ranges ascend; counts, and what they leave, are 0 or at least k.
fn check_operations(text: &ReleaseText) -> Result<(), Refusal> {
    let Some(operations) = &text.operations else { return same("release", &0, &text.outcomes) };
    let delays = operations.label_delay_s.value();
    let delayed = delays.map(|ranges| ranges.iter().fold(0, |sum: u64, range| sum.saturating_add(range.2)));
    delayed.map_or(Ok(()), |delayed| same("release", &text.outcomes, &delayed))?;
    let check = |events: u64, of: u64| check_remainder(events, of, text.k);
    for (ranges, of) in [(&operations.latency_us, text.events), (&operations.label_delay_s, text.outcomes)] {
        let (mut next, mut events) = (0, 0_u64);
        for Range(first, last, count) in ranges.value().into_iter().flatten() {
            if *first < next || last < first || *last > log_linear::LAST || *count < text.k.max(1) {
                let expected = format!("ascending ranges of buckets, with {} events or more", text.k);
                return Err(Refusal::new("release", expected, format!("{first} to {last}: {count}")));
            }
            (next, events) = (last + 1, events.saturating_add(*count));
        }
        ranges.value().map_or(Ok(()), |_| check(events, of))?;
    }
    for sum in [&operations.cost_micros, &operations.tokens_in, &operations.tokens_out] {
        let Some(Sum { events, sum }) = sum.value() else { continue };
        check(*events, text.events)?;
        if sum.0 > u128::from(*events) * u128::from(u64::MAX) {
            return Err(Refusal::new("release", "a sum of as many values as there are events", sum.0));
        }
    }
    Ok(())
}

fn whole(slices: &[ReleasedSlice]) -> Option<&Block> {
    slices.first().and_then(|slice| Some(&slice.groups.first()?.counts))
}

fn check_slices(
    slices: &[ReleasedSlice],
    plan: &PlanText,
    contract: &ContractText,
    text: &ReleaseText,
) -> Result<(), Refusal> {
    let mut wanted = vec![(Vec::new(), vec![Vec::new()])];
    wanted.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    if slices.len() != wanted.len() {
        return Err(Refusal::new("release", format!("{} slices", wanted.len()), slices.len()));
    }
    let step = Step::of(&plan.disclosure);
    let mut intersections = BTreeSet::new();
    for (slice, (attributes, groups)) in slices.iter().zip(&wanted) {
        same("release", attributes, &slice.attributes)?;
        let found: Vec<_> = slice.groups.iter().map(|group| group.group.clone()).collect();
        same("release", groups, &found)?;
        check_blocks(slice, text.k)?;
        for group in &slice.groups {
            check_group(group, contract, text.k, step)?;
        }
        let seen: BTreeSet<_> = slice.groups.iter().map(bins).collect();
        if seen.len() != 1 || slice.full().is_none() && !seen.contains(&None) {
            let expected = "histograms of all groups at one resolution, where all are full, or of none";
            return Err(Refusal::new("release", expected, "parts of them"));
        }
        if attributes.len() >= 2 {
            intersections.extend(seen);
        }
        check_sums(slice, &slices[0].groups[0].counts, text.events)?;
        check_histograms(slice, &slices[0].groups[0], step)?;
    }
    if intersections.len() > 1 {
        let expected = "histograms of all slices of two or more attributes at one resolution, or of none";
        return Err(Refusal::new("release", expected, "some of them"));
    }
    Ok(())
}

/// At how many bins a group's scores are visible.
fn bins(group: &ReleasedGroup) -> Option<u32> {
    group.scores.as_ref().and_then(Cell::value).map(|scores| scores.bins)
}

/// The histograms of a slice's groups add up to that of the slice without attributes.
fn check_histograms(slice: &ReleasedSlice, whole: &ReleasedGroup, step: Step) -> Result<(), Refusal> {
    let scores: Option<Vec<_>> = slice.groups.iter().map(|group| group.scores.as_ref()?.value()).collect();
    let Some(bins) = scores.as_ref().and_then(|scores| scores.first()).map(|scores| scores.bins) else { return Ok(()) };
    let whole = whole.scores.as_ref().and_then(Cell::value).filter(|whole| whole.bins >= bins);
    let Some(whole) = whole else {
        return Err(Refusal::new("release", "a histogram of all events, at least as fine", "none"));
    };
    let scores = scores.unwrap_or_default();
    let (whole_sums, sums) = (histogram(&[whole], bins), histogram(&scores, bins));
    // As many sums as were rounded on both sides, and no further apart.
    let rounded = |bin: u32| match bin == bins {
        true => step.squares.reach() * (1 + scores.len() as u128),
        false => step.sums.reach() * (u128::from(whole.bins / bins.max(1)) + scores.len() as u128),
    };
    let near = |(at, (events, sum)): (&(usize, u32), &(u64, u128))| {
        sums.get(at).is_some_and(|own| own.0 == *events && own.1.abs_diff(*sum) <= rounded(at.1))
    };
    match whole_sums.len() == sums.len() && whole_sums.iter().all(near) {
        true => Ok(()),
        false => same("release", &whole_sums, &sums),
    }
}

/// Events and sums by (label, bin) at `bins` bins, added over groups; the bins beyond hold events without score and q^2.
fn histogram(groups: &[&Scores], bins: u32) -> BTreeMap<(usize, u32), (u64, u128)> {
    let mut sums = BTreeMap::new();
    let mut add = |label: usize, bin: u32, count: u64, sum: u128| {
        let entry: &mut (u64, u128) = sums.entry((label, bin)).or_default();
        *entry = (entry.0.saturating_add(count), entry.1.saturating_add(sum));
    };
    for scores in groups {
        for label in 0..3 {
            add(label, bins, scores.no_score[label], scores.square_sums[label].0);
            for Bin(bin, count, sum) in &scores.histogram[label] {
                add(label, bin / (scores.bins / bins).max(1), *count, sum.0);
            }
        }
    }
    sums
}

fn check_group(group: &ReleasedGroup, contract: &ContractText, k: u64, step: Step) -> Result<(), Refusal> {
    same("release", &contract.score.is_some(), &group.scores.is_some())?;
    let Some(counts) = group.counts.full() else {
        return match &group.scores {
            Some(Cell::Value(_)) => Err(Refusal::new("release", "no histogram of a group that is not full", "one")),
            _ => Ok(()),
        };
    };
    match (&group.scores, &contract.score) {
        (Some(Cell::Value(scores)), Some(score)) => check_scores(scores, counts, (score.bins, k), step),
        _ => Ok(()),
    }
}

/// A count, and what it leaves of `of`, is 0 or at least k.
pub(super) fn check_remainder(count: u64, of: u64, k: u64) -> Result<(), Refusal> {
    match passes(count, k) && of.checked_sub(count).is_some_and(|rest| passes(rest, k)) {
        true => Ok(()),
        false => Err(Refusal::new("release", format!("0 or {k} to {of} events, and as many left"), count)),
    }
}

pub(super) fn check_count(count: u64, k: u64) -> Result<(), Refusal> {
    if (count == 0 || count >= k) && count <= limits::EVENTS_PER_RELEASE {
        return Ok(());
    }
    Err(Refusal::new("release", format!("counts of 0 or {k} to {}", limits::EVENTS_PER_RELEASE), count))
}

fn check_scores(scores: &Scores, counts: &Counts, (bins, k): (u32, u64), step: Step) -> Result<(), Refusal> {
    let nested = scores.bins >= 10 && bins.is_multiple_of(scores.bins) && (bins / scores.bins).is_power_of_two();
    if !nested {
        return Err(Refusal::new("release", format!("{bins} bins, halved down to 10"), scores.bins));
    }
    for label in 0..3 {
        let mut events = scores.no_score[label];
        let (mut next, mut squares) = (0, (0, 0));
        check_count(events, k)?;
        for Bin(bin, count, sum) in &scores.histogram[label] {
            check_count(*count, k)?;
            // q is an integer: above the lower edge, up to the upper one; the first bin holds 0.
            let lower = if *bin == 0 { 0 } else { u128::from(edge(u64::from(*bin), scores.bins)) + 1 };
            let upper = u128::from(edge(u64::from(*bin) + 1, scores.bins));
            let n = u128::from(*count);
            let inside = around(n * lower, n * upper, step.sums);
            check_multiple(sum.0, step.sums)?;
            if *bin < next || *bin >= scores.bins || *count == 0 || !inside.contains(&sum.0) {
                return Err(Refusal::new("release", "ascending bins with events and sums inside their edges", bin));
            }
            next = bin + 1;
            events = events.saturating_add(*count);
            squares = (squares.0 + n * lower * lower, squares.1 + n * upper * upper);
        }
        same("release", &counts.iter().map(|row| row[label]).sum::<u64>(), &events)?;
        check_multiple(scores.square_sums[label].0, step.squares)?;
        if !around(squares.0, squares.1, step.squares).contains(&scores.square_sums[label].0) {
            let expected = format!("a sum of squares from {} to {}", squares.0, squares.1);
            return Err(Refusal::new("release", expected, scores.square_sums[label].0));
        }
    }
    Ok(())
}

/// A sum is rounded as the plan says.
pub(super) fn check_multiple(sum: u128, step: Multiple) -> Result<(), Refusal> {
    match step.has(sum) {
        true => Ok(()),
        false => Err(Refusal::new("release", "sums rounded to the plan's moment_step", sum)),
    }
}

/// Where a sum from `least` to `most` may be after rounding.
fn around(least: u128, most: u128, step: Multiple) -> RangeInclusive<u128> {
    least.saturating_sub(step.reach())..=most.saturating_add(step.reach())
}

pub(super) fn total(counts: &Counts) -> u64 {
    counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests;
