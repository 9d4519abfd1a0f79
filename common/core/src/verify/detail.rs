//! The parts of a release that only some tasks and journals have: shape, rule and sums.

use super::numbers::{check_count, check_multiple, check_remainder, total};
use crate::contract::{ContractText, Task};
use crate::disclosure::{
    Cell, Classes, Counts, Decimal, LabelWeights, Moments, PAIR_CELLS, Ranks, ReleasedGroup, ReleasedSlice, Step,
    Subjects,
};
use crate::event::{SCORE_ONE, Sides};
use crate::fault::Refusal;
use crate::limits::OUTPUTS;
use crate::roster::same;

/// Checks them in the slices of a stratum.
pub(super) fn check_detail(
    slices: &[ReleasedSlice],
    contract: &ContractText,
    k: u64,
    step: Step,
) -> Result<(), Refusal> {
    let groups = || slices.iter().flat_map(|slice| &slice.groups);
    let sides = Sides::of(contract);
    let (multiclass, regression) = (contract.task == Task::Multiclass, contract.task == Task::Regression);
    let weighted = groups().any(|group| group.label_weights.is_some());
    let named = groups().any(|group| group.subjects.is_some());
    for group in groups() {
        same(
            "release",
            &[multiclass, multiclass, regression],
            &[group.classes.is_some(), group.ranks.is_some(), group.moments.is_some()],
        )?;
        same("release", &[weighted, named], &[group.label_weights.is_some(), group.subjects.is_some()])?;
        check_group(group, sides, k, step)?;
    }
    seen(slices, |group| shown(&group.classes))?;
    seen(slices, |group| shown(&group.ranks))?;
    seen(slices, |group| shown(&group.moments))?;
    seen(slices, |group| shown(&group.label_weights))?;
    seen(slices, |group| shown(&group.subjects))?;
    slices.iter().try_for_each(|slice| check_sums(slice, slices, step))
}

fn shown<T>(part: &Option<Cell<T>>) -> Option<bool> {
    part.as_ref().map(|part| part.value().is_some())
}

/// A part is seen in all groups of all slices, or in the first slice only, or nowhere.
fn seen(slices: &[ReleasedSlice], of: impl Fn(&ReleasedGroup) -> Option<bool>) -> Result<(), Refusal> {
    let mut all = slices.iter().map(|slice| slice.groups.iter().filter_map(&of).collect::<Vec<_>>());
    let first = all.next().unwrap_or_default().into_iter().all(|seen| seen);
    let rest: Vec<bool> = all.flatten().collect();
    let alike = rest.windows(2).all(|two| two[0] == two[1]);
    match alike && (first || !rest.contains(&true)) {
        true => Ok(()),
        false => Err(Refusal::new("release", "a part seen everywhere, or of all events only", "parts of it")),
    }
}

fn check_group(group: &ReleasedGroup, sides: Sides, k: u64, step: Step) -> Result<(), Refusal> {
    let Some(counts) = group.counts.full() else {
        let hidden = [
            shown(&group.classes),
            shown(&group.ranks),
            shown(&group.moments),
            shown(&group.label_weights),
            shown(&group.subjects),
        ];
        return match hidden.contains(&Some(true)) {
            true => Err(Refusal::new("release", "no details of a group that is not full", "some")),
            false => Ok(()),
        };
    };
    value(&group.classes).map_or(Ok(()), |classes| check_classes(classes, counts, sides, k))?;
    value(&group.ranks).map_or(Ok(()), |ranks| check_ranks(ranks, counts, k))?;
    value(&group.moments).map_or(Ok(()), |moments| check_moments(moments, counts, k, step))?;
    value(&group.label_weights).map_or(Ok(()), |weights| check_weights(weights, counts))?;
    value(&group.subjects).map_or(Ok(()), |subjects| check_subjects(subjects, counts, k))
}

fn value<T>(part: &Option<Cell<T>>) -> Option<&T> {
    part.as_ref().and_then(Cell::value)
}

fn labelled(counts: &Counts) -> u64 {
    counts.iter().map(|row| row[0].saturating_add(row[1])).fold(0, u64::saturating_add)
}

/// As many rows and columns as classes and one more, and the counts once the positive class is told from the rest.
fn check_classes(classes: &Classes, counts: &Counts, sides: Sides, k: u64) -> Result<(), Refusal> {
    let Sides::Class(_, of) = sides else { return Ok(()) };
    let size = usize::from(of) + 1;
    same("release", &vec![size; size], &classes.iter().map(Vec::len).collect::<Vec<_>>())?;
    classes.iter().flatten().try_for_each(|count| check_count(*count, k))?;
    let side = |at: usize| match u8::try_from(at) {
        Ok(code) if code < of => sides.decision(code).unwrap_or(crate::event::NEITHER),
        _ => crate::event::NEITHER,
    };
    let mut sums = [[0_u64; 3]; 3];
    for (row, counts) in classes.iter().enumerate() {
        for (column, count) in counts.iter().enumerate() {
            let sum = &mut sums[side(row)][side(column)];
            *sum = sum.saturating_add(*count);
        }
    }
    same("release", counts, &sums)
}

fn check_ranks(ranks: &Ranks, counts: &Counts, k: u64) -> Result<(), Refusal> {
    same("release", &(OUTPUTS + 1), &ranks.len())?;
    ranks.iter().try_for_each(|count| check_count(*count, k))?;
    check_remainder(ranks.iter().fold(0, |sum, count| sum.saturating_add(*count)), labelled(counts), k)
}

/// Sums that as many pairs of values can have.
fn check_moments(moments: &Moments, counts: &Counts, k: u64, step: Step) -> Result<(), Refusal> {
    check_remainder(moments.events, labelled(counts), k)?;
    let n = u128::from(moments.events);
    let one = u128::from(SCORE_ONE);
    let [p, t, pp, tt, pt, e, fourth] = [
        moments.predicted,
        moments.actual,
        moments.predicted_squares,
        moments.actual_squares,
        moments.products,
        moments.absolute_errors,
        moments.fourth_powers,
    ]
    .map(|sum| sum.0);
    let (once, squared) = ((one, step.sums), (one * one, step.squares));
    let limits = [(p, once), (t, once), (pp, squared), (tt, squared), (pt, squared), (e, once), (fourth, squared)];
    limits.iter().try_for_each(|(sum, (_, step))| check_multiple(*sum, *step))?;
    // Within the limits nothing below overflows: n is at most 2^32.
    let bounded = limits.iter().all(|(sum, (most, step))| *sum <= n * most + step.reach());
    let (r, rr) = (step.sums.reach(), step.squares.reach());
    let fits = bounded
        && squares((p, r), (pp, rr), n, one)
        && squares((t, r), (tt, rr), n, one)
        && p.abs_diff(t) <= e + 3 * r
        // The sum of (p - t)^2, of which four parts are rounded.
        && (pp + tt + 4 * rr).checked_sub(2 * pt).is_some_and(|most| {
            squares((e, r), (most.saturating_sub(4 * rr), 4 * rr), n, one)
        });
    match fits {
        true => Ok(()),
        false => Err(Refusal::new("release", format!("sums that {n} predicted and true values can have"), "others")),
    }
}

/// Whether n values of 0 to `most` can have this sum and this sum of squares: by Cauchy and Schwarz, and as none is beyond
/// `most`. In floating point where integers end; a sum off by less is none that helps to lie.
/// Each may be off by rounding as far as stands beside it.
fn squares((sum, r): (u128, u128), (squares, rr): (u128, u128), n: u128, most: u128) -> bool {
    let (least, greatest) = (sum.saturating_sub(r), sum.saturating_add(r));
    let by_schwarz = least as f64 * least as f64 <= squares.saturating_add(rr) as f64 * n as f64 * (1.0 + 1e-12);
    squares.saturating_sub(rr) <= greatest.saturating_mul(most) && by_schwarz
}

/// A label stands for at least one event.
fn check_weights(weights: &LabelWeights, counts: &Counts) -> Result<(), Refusal> {
    for (decision, row) in counts.iter().enumerate() {
        for (label, count) in row.iter().take(2).enumerate() {
            let (Decimal(sum), Decimal(squares)) = (weights.sums[decision][label], weights.squares[decision][label]);
            let n = u128::from(*count);
            let most = u128::from(u32::MAX);
            let fits = (n..=n * most).contains(&sum) && (sum..=sum.saturating_mul(most)).contains(&squares);
            if !fits || sum as f64 * sum as f64 > squares as f64 * n as f64 * (1.0 + 1e-12) {
                return Err(Refusal::new("release", format!("sums of the weights of {n} labels"), sum));
            }
        }
    }
    Ok(())
}

/// As many people and pairs as the events allow.
fn check_subjects(subjects: &Subjects, counts: &Counts, k: u64) -> Result<(), Refusal> {
    check_count(subjects.subjects, k)?;
    check_count(subjects.without, k)?;
    let events = total(counts);
    let repeats = events.checked_sub(subjects.without).and_then(|named| named.checked_sub(subjects.subjects));
    let ascending = subjects.pairs.windows(2).all(|two| (two[0].0, two[0].1) < (two[1].0, two[1].1));
    let cells: Vec<u64> = counts.iter().flatten().copied().collect();
    let fits = |(one, other, pairs): &(u8, u8, u64)| {
        let [a, b] = [one, other].map(|at| cells.get(usize::from(*at)).copied().unwrap_or(0));
        let most = if one == other { a.saturating_mul(a.saturating_sub(1)) } else { a.saturating_mul(b) };
        one <= other && *other < PAIR_CELLS && (k.max(1)..=most).contains(pairs)
    };
    // Who comes n times has n (n - 1) ordered pairs, and comes n - 1 times again.
    let doubled = |(one, other, pairs): &(u8, u8, u64)| if one == other { *pairs } else { pairs.saturating_mul(2) };
    let pairs = subjects.pairs.iter().map(doubled).fold(0, u64::saturating_add);
    let enough = repeats.is_some_and(|repeats| pairs >= repeats.saturating_mul(2) && (repeats > 0 || pairs == 0));
    match ascending && enough && subjects.pairs.iter().all(fits) {
        true => Ok(()),
        false => Err(Refusal::new("release", format!("people and pairs of {events} events"), subjects.subjects)),
    }
}

/// What adds up over the groups of a slice: all but people, who may be in several.
fn check_sums(slice: &ReleasedSlice, slices: &[ReleasedSlice], step: Step) -> Result<(), Refusal> {
    let Some(whole) = slices.first().and_then(|slice| slice.groups.first()) else { return Ok(()) };
    additive(slice, whole, &[], |group| {
        Some(value(&group.classes)?.iter().flatten().map(|n| u128::from(*n)).collect())
    })?;
    additive(slice, whole, &[], |group| Some(value(&group.ranks)?.iter().map(|n| u128::from(*n)).collect()))?;
    additive(slice, whole, &reaches(step), |group| value(&group.moments).map(sums))?;
    additive(slice, whole, &[], |group| {
        let LabelWeights { sums, squares } = value(&group.label_weights)?;
        Some(sums.iter().chain(squares).flatten().map(|sum| sum.0).collect())
    })
}

fn sums(of: &Moments) -> Vec<u128> {
    let sums = [of.predicted, of.actual, of.predicted_squares, of.actual_squares, of.products, of.absolute_errors];
    std::iter::once(u128::from(of.events)).chain(sums.map(|sum| sum.0)).chain([of.fourth_powers.0]).collect()
}

/// How far each of [`sums`] may be off by rounding.
fn reaches(step: Step) -> [u128; 8] {
    let (r, rr) = (step.sums.reach(), step.squares.reach());
    [0, r, r, rr, rr, rr, r, rr]
}

/// Numbers that add up to those of the whole, each as near as rounding leaves them; exactly where `reaches` has none.
fn additive(
    slice: &ReleasedSlice,
    whole: &ReleasedGroup,
    reaches: &[u128],
    of: impl Fn(&ReleasedGroup) -> Option<Vec<u128>>,
) -> Result<(), Refusal> {
    let Some(parts) = slice.groups.iter().map(&of).collect::<Option<Vec<_>>>() else { return Ok(()) };
    let Some(whole) = of(whole) else { return Ok(()) };
    let mut sum = vec![0_u128; whole.len()];
    for part in &parts {
        sum.iter_mut().zip(part).for_each(|(sum, part)| *sum = sum.saturating_add(*part));
    }
    let most = |at: usize| reaches.get(at).copied().unwrap_or(0) * (1 + parts.len() as u128);
    let near = whole.iter().zip(&sum).enumerate().all(|(at, (whole, sum))| whole.abs_diff(*sum) <= most(at));
    if near { Ok(()) } else { same("release", &whole, &sum) }
}

#[cfg(test)]
mod tests;
