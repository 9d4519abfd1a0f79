//! Which zeros may be seen. By default all: that nobody of a group was selected is what an audit looks for.
//!
//! A plan with `hide_zeros` hides a 0 like a number from 1 to k - 1, where it says something of a group. It says nothing of one
//! where nobody has the decision, or nobody the label, among all events of the stratum: such zeros are structural. Who reads a
//! release knows them from the totals of the slice without attributes, so groups are seen in full or with totals only beside
//! these. Likewise a score bin, a place among outputs, a number of people or of pairs may be 0 where it is for all events.

use super::rungs::{Block, Margins};
use super::{Cell, Classes, Moments, ReleasedGroup, ReleasedSlice, Scores};
use crate::aggregate::ScoreTensors;
use std::collections::{BTreeMap, BTreeSet};

/// Decisions and labels of which a 0 may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zeros {
    decisions: [bool; 3],
    labels: [bool; 3],
}

impl Zeros {
    /// Every 0 may be seen.
    pub const ALL: Zeros = Zeros { decisions: [true; 3], labels: [true; 3] };
    /// None may: nothing is known of all events.
    const NONE: Zeros = Zeros { decisions: [false; 3], labels: [false; 3] };

    /// Those of what nobody has, given the totals of all events where they are known.
    pub fn structural(whole: Option<Margins>) -> Zeros {
        let of = |of: Margins| Zeros { decisions: of.decisions.map(|n| n == 0), labels: of.labels.map(|n| n == 0) };
        whole.map_or(Zeros::NONE, of)
    }

    /// Of the cell of a decision and a label.
    pub fn cell(&self, decision: usize, label: usize) -> bool {
        self.decisions[decision] || self.labels[label]
    }

    /// Of the cells, in order.
    pub fn cells(&self) -> [bool; 9] {
        std::array::from_fn(|cell| self.cell(cell / 3, cell % 3))
    }

    /// Of the totals by decision, then by label.
    pub fn totals(&self) -> [bool; 6] {
        std::array::from_fn(|at| if at < 3 { self.decisions[at] } else { self.labels[at - 3] })
    }

    /// Of the number of events.
    pub fn number(&self) -> bool {
        self.decisions == [true; 3]
    }

    /// Whether a block shows no other.
    pub fn allow(&self, block: &Block) -> bool {
        let fits = |(count, seen): (&u64, bool)| *count > 0 || seen;
        match block {
            Block::Full(counts) => counts.iter().flatten().zip(self.cells()).all(fits),
            Block::Margins(of) => of.decisions.iter().chain(&of.labels).zip(self.totals()).all(fits),
            Block::N(events) => fits((events, self.number())),
            Block::Folded(_) | Block::Withheld | Block::Noisy(_) => true,
        }
    }

    /// Whether a histogram shows none but of bins that are empty for all events, and of labels that nobody has.
    pub fn allow_scores(&self, scores: &Scores, whole: &Scores) -> bool {
        let width = (whole.bins / scores.bins.max(1)).max(1);
        let live: BTreeSet<u32> = whole.histogram.iter().flatten().map(|bin| bin.0 / width).collect();
        let unscored = whole.no_score != [0; 3];
        (0..3).filter(|label| !self.labels[*label]).all(|label| {
            let seen: BTreeSet<u32> = scores.histogram[label].iter().map(|bin| bin.0).collect();
            seen == live && (scores.no_score[label] > 0 || !unscored)
        })
    }

    /// By label, whether a 0 may be seen among the events without a score, and in some bins added, of all events.
    pub fn of_scores(&self, whole: &ScoreTensors, bins: std::ops::Range<usize>) -> ([bool; 3], [bool; 3]) {
        let nobody = bins.flat_map(|bin| whole.counts.column(bin)).all(|count| *count == 0);
        let unscored = whole.no_score == [0; 3];
        (self.labels.map(|label| label || unscored), self.labels.map(|label| label || nobody))
    }
}

/// Whether classes, ranks, moments and subjects of a group, as far as they are shown, show a 0 that is not one of all events.
pub(crate) fn told(group: &ReleasedGroup, whole: &ReleasedGroup) -> [bool; 4] {
    let less = |own: &[u64], all: &[u64]| own.iter().zip(all).any(|(own, all)| *own == 0 && *all > 0);
    let both = |of: fn(&ReleasedGroup) -> Option<Vec<u64>>| {
        of(group).is_some_and(|own| of(whole).is_none_or(|all| less(&own, &all)))
    };
    let classes =
        shown(&group.classes).is_some_and(|own| shown(&whole.classes).is_none_or(|all| !rectangular(own, all)));
    let pairs = |group: &ReleasedGroup| -> Option<BTreeSet<(u8, u8)>> {
        shown(&group.subjects).map(|of| of.pairs.iter().map(|(one, other, _)| (*one, *other)).collect())
    };
    let people = both(|group| shown(&group.subjects).map(|of| vec![of.subjects, of.without]));
    [
        classes,
        both(|group| shown(&group.ranks).map(|ranks| with_rest(ranks, group))),
        both(|group| shown(&group.moments).map(|Moments { events, .. }| with_rest(&[*events], group))),
        people || pairs(group).is_some_and(|own| pairs(whole) != Some(own)),
    ]
}

/// Whether only those cells are 0 of whose row or column nobody has any.
fn rectangular(own: &Classes, all: &Classes) -> bool {
    let mut columns: BTreeMap<usize, u64> = BTreeMap::new();
    for (at, count) in all.iter().flat_map(|row| row.iter().enumerate()) {
        let sum = columns.entry(at).or_default();
        *sum = sum.saturating_add(*count);
    }
    let live = |at: usize| columns.get(&at).is_some_and(|sum| *sum > 0);
    let mut rows = own.iter().zip(all).filter(|(_, all)| all.iter().any(|count| *count > 0));
    rows.all(|(own, _)| own.iter().enumerate().all(|(at, count)| *count > 0 || !live(at)))
}

/// Some counts of labelled events, and what they leave of them.
fn with_rest(counts: &[u64], group: &ReleasedGroup) -> Vec<u64> {
    let labelled =
        group.counts.full().map_or(0, |of| of.iter().flat_map(|row| &row[..2]).copied().fold(0, u64::saturating_add));
    let rest = labelled.saturating_sub(counts.iter().copied().fold(0, u64::saturating_add));
    counts.iter().copied().chain([rest]).collect()
}

/// Withholds details that show a 0 which is not one of all events: in every slice with attributes, or where all events
/// themselves show one, everywhere.
pub(super) fn hide_details(slices: &mut [ReleasedSlice]) {
    let Some(whole) = slices.first().and_then(|slice| slice.groups.first()).cloned() else { return };
    let mut tells = [false; 4];
    for group in slices.iter().flat_map(|slice| &slice.groups) {
        tells.iter_mut().zip(told(group, &whole)).for_each(|(tells, own)| *tells |= own);
    }
    let first = told(&whole, &whole);
    for (nth, slice) in slices.iter_mut().enumerate() {
        let hide: [bool; 4] = std::array::from_fn(|part| tells[part] && (nth > 0 || first[part]));
        for group in &mut slice.groups {
            hide_part(&mut group.classes, hide[0]);
            hide_part(&mut group.ranks, hide[1]);
            hide_part(&mut group.moments, hide[2]);
            hide_part(&mut group.subjects, hide[3]);
        }
    }
}

fn hide_part<T>(part: &mut Option<Cell<T>>, hide: bool) {
    if hide && part.is_some() {
        *part = Some(Cell::Suppressed);
    }
}

fn shown<T>(part: &Option<Cell<T>>) -> Option<&T> {
    part.as_ref().and_then(Cell::value)
}
