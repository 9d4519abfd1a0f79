//! What leaves of classes, true values, weights of labels and people who come back.
//!
//! Each of these parts is released for all groups of a slice or for none, and only where all of its groups are full:
//!
//! - *classes* if every count, *ranks* if every count and what they leave of the labelled events, is 0 or at least k;
//! - *moments* if the events that they sum over, and the labelled events that they do not, are 0 or at least k;
//! - *label weights* wherever counts are seen: each sum is then over 0 or at least k events;
//! - *subjects* if the people, those with several events, those behind each sum of pairs, and the events without a person are
//!   0 or at least k, and no one person gives more than half of a sum.
//!
//! A part that is not seen in every slice is seen in the slice without attributes only: a hidden table is then bounded by two
//! margins, whose Fréchet bounds meet only at 0 or at a margin.

use super::{Cell, Decimal, ReleaseText, ReleasedGroup, ReleasedSlice, ReleasedStratum, Step, passes};
use crate::aggregate::{MomentSums, SliceTensors, SubjectCounts, WeightSums};
use serde::{Deserialize, Serialize};

/// `[decision class, absent last][label class, none last]`, in the contract's order.
pub type Classes = Vec<Vec<u64>>;

/// Labelled events that came with outputs, by the place of the true class among them, likeliest first; the last: not among
/// them.
pub type Ranks = Vec<u64>;

/// Sums over events with a predicted value p and a true one t, in 2^-32 of the score's range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    /// Events.
    pub events: u64,
    /// Of p.
    pub predicted: Decimal,
    /// Of t.
    pub actual: Decimal,
    /// Of p^2.
    pub predicted_squares: Decimal,
    /// Of t^2.
    pub actual_squares: Decimal,
    /// Of p t.
    pub products: Decimal,
    /// Of |p - t|.
    pub absolute_errors: Decimal,
    /// Of the fourth power of |p - t|, rounded to 2^-16 of the range and in that unit.
    pub fourth_powers: Decimal,
}

/// Sums over the labelled events, `[decision 0, 1, absent][label 0, 1]`, where a label stands for several events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelWeights {
    /// Of weights.
    pub sums: [[Decimal; 2]; 3],
    /// Of squared weights.
    pub squares: [[Decimal; 2]; 3],
}

/// Which events are of one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    /// Distinct people.
    pub subjects: u64,
    /// Events that came without a subject; each is taken for a person's only one.
    pub without: u64,
    /// Two cells (decision x 3 + label, both of 0, 1, none; the first not above the second) and the ordered pairs of
    /// different events of one person, of which the first is in the one and the second in the other; those of 0 left out.
    pub pairs: Vec<(u8, u8, u64)>,
}

/// Cells that pairs speak of: `[decision 0, 1, absent][label 0, 1, none]`.
pub const PAIR_CELLS: u8 = 9;

/// Adds the parts that a stratum has to its slices.
pub(super) fn add(released: &mut [ReleasedSlice], slices: &[SliceTensors], k: u64, step: Step) {
    let whole = slices.first();
    let has = |part: fn(&SliceTensors) -> bool| whole.is_some_and(part);
    if has(|whole| !whole.detail.classes.is_empty()) {
        part(
            released,
            slices,
            |slice, at| {
                let classes = slice.detail.classes.get(at)?;
                classes.iter().flatten().all(|count| passes(*count, k)).then(|| classes.clone())
            },
            |group, cell| group.classes = Some(cell),
        );
        part(
            released,
            slices,
            |slice, at| {
                let ranks = slice.detail.ranks.get(at)?;
                let rest = labelled(slice, at).checked_sub(ranks.iter().sum())?;
                ranks.iter().chain([&rest]).all(|count| passes(*count, k)).then(|| ranks.to_vec())
            },
            |group, cell| group.ranks = Some(cell),
        );
    }
    if has(|whole| !whole.detail.moments.is_empty()) {
        part(
            released,
            slices,
            |slice, at| {
                let moments = slice.detail.moments.get(at)?;
                let rest = labelled(slice, at).checked_sub(moments.events)?;
                (passes(moments.events, k) && passes(rest, k)).then(|| Moments::of(moments, step))
            },
            |group, cell| group.moments = Some(cell),
        );
    }
    if has(|whole| whole.detail.weighted) {
        part(
            released,
            slices,
            |slice, at| slice.detail.weights.get(at).map(LabelWeights::of),
            |group, cell| {
                group.label_weights = Some(cell);
            },
        );
    }
    if has(|whole| whole.subjects.iter().any(|of| of.subjects > 0)) {
        part(
            released,
            slices,
            |slice, at| slice.subjects.get(at).and_then(|of| Subjects::of(of, k)),
            |group, cell| {
                group.subjects = Some(cell);
            },
        );
    }
}

/// Sets one part in every group: a value if `of` gives one for each group of the slice, and of all slices or of the first.
fn part<T: Clone>(
    released: &mut [ReleasedSlice],
    slices: &[SliceTensors],
    of: impl Fn(&SliceTensors, usize) -> Option<T>,
    set: impl Fn(&mut ReleasedGroup, Cell<T>),
) {
    let values: Vec<Option<Vec<T>>> = released
        .iter()
        .zip(slices)
        .map(|(released, slice)| {
            let seen = |(at, group): (usize, &ReleasedGroup)| group.counts.full().and_then(|_| of(slice, at));
            released.groups.iter().enumerate().map(seen).collect()
        })
        .collect();
    let everywhere = values.iter().all(Option::is_some);
    for (nth, (slice, values)) in released.iter_mut().zip(values).enumerate() {
        let mut values = values.filter(|_| everywhere || nth == 0).into_iter().flatten();
        for group in &mut slice.groups {
            set(group, values.next().map_or(Cell::Suppressed, Cell::Value));
        }
    }
}

fn labelled(slice: &SliceTensors, group: usize) -> u64 {
    (0..3).flat_map(|decision| (0..2).map(move |label| slice.counts[[group, decision, label]])).sum()
}

impl Moments {
    fn of(sums: &MomentSums, step: Step) -> Self {
        let rounded = |sum| Decimal(step.sums.round(sum));
        let squares = |sum| Decimal(step.squares.round(sum));
        Moments {
            events: sums.events,
            predicted: rounded(sums.predicted),
            actual: rounded(sums.actual),
            predicted_squares: squares(sums.predicted_squares),
            actual_squares: squares(sums.actual_squares),
            products: squares(sums.products),
            absolute_errors: rounded(sums.absolute_errors),
            fourth_powers: squares(sums.fourth_powers),
        }
    }
}

impl LabelWeights {
    fn of(sums: &WeightSums) -> Self {
        LabelWeights { sums: sums.sums.map(|row| row.map(Decimal)), squares: sums.squares.map(|row| row.map(Decimal)) }
    }
}

impl Subjects {
    fn of(counts: &SubjectCounts, k: u64) -> Option<Self> {
        let few = [counts.subjects, counts.repeated, counts.without].iter().any(|count| !passes(*count, k));
        let mut sums = counts.pairs.values();
        if few || sums.any(|sum| !passes(sum.subjects, k) || k > 1 && sum.greatest > sum.pairs / 2) {
            return None;
        }
        let pairs = counts.pairs.iter().map(|((one, other), sum)| (*one, *other, sum.pairs)).collect();
        Some(Subjects { subjects: counts.subjects, without: counts.without, pairs })
    }
}

/// One of the parts.
struct Part {
    same: fn(&ReleasedGroup, &ReleasedGroup) -> bool,
    hidden: fn(&ReleasedGroup) -> bool,
    hide: fn(&mut ReleasedGroup),
}

macro_rules! parts {
    ($($name:ident),*) => {
        [$(Part {
            same: |one, other| one.$name == other.$name,
            hidden: |group| group.$name == Some(Cell::Suppressed),
            hide: |group| group.$name = Some(Cell::Suppressed),
        }),*]
    };
}

const PARTS: [Part; 5] = parts!(classes, ranks, moments, label_weights, subjects);

/// Hides, everywhere, each part that is not the same in `after` as in `before`: two that differ may tell of fewer than k
/// events by subtraction.
pub(super) fn hide_differences(before: &ReleaseText, after: &mut ReleaseText) {
    for part in &PARTS {
        let differs = |(before, after): (&ReleasedGroup, &mut ReleasedGroup)| !(part.same)(before, after);
        if pairs(before, after).any(differs) {
            groups(after).for_each(part.hide);
        }
    }
}

/// Hides all of them.
pub(super) fn hide_all(text: &mut ReleaseText) {
    // A part that is not there stays so.
    macro_rules! hide {
        ($($name:ident),*) => {
            groups(text).for_each(|group| { $(if group.$name.is_some() { group.$name = Some(Cell::Suppressed); })* })
        };
    }
    hide!(classes, ranks, moments, label_weights, subjects);
}

/// Hides in `plain` what `own` hides.
pub(super) fn hide_alike(own: &ReleaseText, plain: &mut ReleaseText) {
    for part in &PARTS {
        pairs(own, plain).filter(|(own, _)| (part.hidden)(own)).for_each(|(_, plain)| (part.hide)(plain));
    }
}

/// The groups that both have.
fn pairs<'a>(
    one: &'a ReleaseText,
    other: &'a mut ReleaseText,
) -> impl Iterator<Item = (&'a ReleasedGroup, &'a mut ReleasedGroup)> {
    let strata = other.strata.iter_mut().filter_map(|other| {
        let alike = |one: &&ReleasedStratum| one.model_version == other.model_version && one.tier == other.tier;
        Some((one.strata.iter().find(alike)?, other))
    });
    let slices = strata.flat_map(|(one, other)| one.slices.iter().zip(&mut other.slices));
    slices.flat_map(|(one, other)| one.groups.iter().zip(&mut other.groups))
}

fn groups(text: &mut ReleaseText) -> impl Iterator<Item = &mut ReleasedGroup> {
    text.strata.iter_mut().flat_map(|stratum| &mut stratum.slices).flat_map(|slice| &mut slice.groups)
}
