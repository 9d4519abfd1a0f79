//! Whether an amended release may follow the ones before it.
//!
//! Two releases for one window can be subtracted. What is left are the events that changed cells in between, and those
//! that did not: so the rule that holds for a cell of one release holds for every transition between two. At one site,
//! for one model version, slice and group, the events that went from one cell to another (a late label), came into one (a
//! late event), or stayed in one, are counted; each of these counts must be 0 or at least k, else nothing is amended.
//!
//! Score histograms have no decision but bins: there, events of one group are counted by label before, label after and
//! bin (or without a score), at the resolution that both releases share, the coarser of the two. Finer bins of one of
//! them stand alone and have nothing to be subtracted from. Sums of scores in a bin are then over at least k events, too.
//!
//! Of a group, or a fold, that shows its totals only, the transitions of its totals are counted: by decision, whether an
//! event is new; by label before and after. Of one that shows its number of events: whether an event is new. What both
//! releases withhold has nothing to be subtracted and is not looked at. The rungs must be the same in both: else what hid a
//! cell in one would be undone by the other. With k = 1 everything passes.
//!
//! An amendment is held against every earlier release of its window, not only the last: small steps would add up.

use super::quality::check_difference;
use super::{Block, Release, ReleaseText, ReleasedGroup, ReleasedSlice, Rung};
use crate::aggregate::{Aggregate, Stratum};
use crate::contract::ContractText;
use crate::disclosure::Cell;
use crate::event::{Prediction, bin_of};
use crate::plan::PlanText;
use std::collections::BTreeMap;

/// How many events went from which cell to which, between two releases of one plan, site and window.
pub struct Transitions {
    /// Says which group of each slice counts an event; nothing is added to it.
    shape: Aggregate,
    /// What the releases show of each slice.
    seen: BTreeMap<Stratum, Vec<Seen>>,
    /// Whether what both show of the features' quality tells too much.
    quality: Result<(), String>,
    /// Whether their rungs are the same.
    alike: Result<(), String>,
    /// Names of the slices, and of their groups.
    names: Vec<super::SliceNames>,
    counts: BTreeMap<Transition, u64>,
}

/// From one cell to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transition {
    stratum: Stratum,
    slice: usize,
    group: usize,
    place: Place,
    /// The label before, 0, 1, neither, or any; none for an event that was not there.
    before: Option<usize>,
    after: usize,
}

/// What two releases show of a slice.
pub(super) struct Seen {
    /// Of each group: which block counts it, itself or the fold, which comes after all groups; and the block's rung.
    blocks: Vec<(usize, Rung)>,
    /// Of histograms, what both can show.
    bins: Option<u32>,
}

/// A cell that is shown.
pub(super) struct Shown {
    /// The group, or the fold, which comes after all groups.
    pub block: usize,
    pub place: Place,
    /// Whether it tells labels apart.
    pub labels: bool,
    /// Bins of the histogram; 0 for counts.
    pub bins: u32,
}

/// A label that is not told apart from others.
pub(super) const ANY: usize = 3;

/// Where an event is counted beside its label; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Decision(usize),
    Anywhere,
    Bin(usize),
    NoScore,
}

impl Transitions {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// A contract and plan that do not belong together.
    pub fn new(
        before: &ReleaseText,
        after: &Release,
        plan: &PlanText,
        contract: &ContractText,
    ) -> Result<Self, String> {
        let mut seen = BTreeMap::new();
        let quality = check_difference(before, after, plan.disclosure.k);
        let mut alike = Ok(());
        for stratum in &after.strata {
            let old =
                before.strata.iter().find(|old| old.model_version == stratum.model_version && old.tier == stratum.tier);
            let slices = match old {
                Some(old) => old.slices.iter().zip(&stratum.slices).map(|both| both_show(both, &mut alike)).collect(),
                // A tier that was not there yet had no events, and everybody could see that.
                None => stratum.slices.iter().map(Seen::all).collect(),
            };
            let version = plan.model_versions.iter().position(|version| *version == stratum.model_version);
            seen.extend(version.map(|version| ((version, stratum.tier), slices)));
        }
        let mut names = vec![(Vec::new(), vec![Vec::new()])];
        names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
        let shape = Aggregate::empty(plan, contract)?;
        Ok(Transitions { shape, seen, quality, alike, names, counts: BTreeMap::new() })
    }

    /// Counts one event of a stratum that the second release counts; `before` is its label in the first, if that counts it
    /// too. Journals forget nothing: the second counts all of the first.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn add(
        &mut self,
        stratum: Stratum,
        event: &Prediction,
        before: Option<Option<u64>>,
        after: Option<u64>,
    ) -> Result<(), String> {
        let (Some(groups), Some(seen)) = (self.shape.groups_of(event), self.seen.get(&stratum)) else {
            return Err("an event's codes are outside the contract".to_owned());
        };
        let (decision, after) = self.shape.sides_of(event, after)?;
        let before = before.map(|before| self.shape.sides_of(event, before)).transpose()?.map(|(_, label)| label);
        for ((slice, group), visible) in groups.into_iter().enumerate().zip(seen) {
            for Shown { block: group, place, labels, .. } in visible.cells(group, decision, event.score_q) {
                let told = |label| if labels { label } else { ANY };
                let (before, after) = (before.map(told), told(after));
                *self.counts.entry(Transition { stratum, slice, group, place, before, after }).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Whether each transition has no event, or at least `k`.
    ///
    /// # Errors
    /// One that has fewer, in words.
    pub fn check(&self, k: u64) -> Result<(), String> {
        self.quality.clone()?;
        match self.counts.iter().find(|(_, events)| **events < k) {
            None => self.alike.clone(),
            Some((transition, events)) => Err(self.told(transition, *events, k)),
        }
    }

    fn told(&self, transition: &Transition, events: u64, k: u64) -> String {
        let slice = block_told(&self.names[transition.slice], transition.group);
        let (place, after) = (transition.place, label_told(transition.after));
        let how = match transition.before {
            None => format!("come in with {after}"),
            Some(before) if before == transition.after => format!("stay at {after}"),
            Some(before) => format!("go from {} to {after}", label_told(before)),
        };
        format!("{slice} ({place}): {events} events {how}; it must be none, or at least k = {k}")
    }
}

/// A group of a slice, or its fold, in words.
pub(super) fn block_told((attributes, groups): &super::SliceNames, block: usize) -> String {
    match groups.get(block) {
        _ if attributes.is_empty() => "all events".to_owned(),
        Some(group) => format!("{} {}", attributes.join(" x "), group.join(" x ")),
        None => format!("{} (groups shown together)", attributes.join(" x ")),
    }
}

pub(super) fn label_told(label: usize) -> String {
    match label {
        0 | 1 => format!("label code {label}"),
        ANY => "any label".to_owned(),
        _ => "no label".to_owned(),
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Place::Decision(code) => write!(f, "decision code {code}"),
            Place::Anywhere => f.write_str("any decision"),
            Place::Bin(bin) => write!(f, "score bin {bin}"),
            Place::NoScore => f.write_str("no score"),
        }
    }
}

/// Which block of each group counts it, and how far it is shown.
fn blocks(slice: &ReleasedSlice) -> Vec<(usize, Rung)> {
    let block = |(at, group): (usize, &ReleasedGroup)| match group.counts {
        Block::Folded(fold) => {
            let rung = slice.folds.get(fold as usize).map_or(Rung::Hidden, Block::rung);
            (slice.groups.len() + fold as usize, rung)
        }
        _ => (at, group.counts.rung()),
    };
    slice.groups.iter().enumerate().map(block).collect()
}

impl Seen {
    /// Every cell, whatever is shown of it.
    fn all(slice: &ReleasedSlice) -> Seen {
        Seen { blocks: (0..slice.groups.len()).map(|group| (group, Rung::Full)).collect(), bins: bins(slice) }
    }

    /// What one release shows.
    fn of(slice: &ReleasedSlice) -> Seen {
        Seen { blocks: blocks(slice), bins: bins(slice) }
    }

    /// The cells that are shown and count an event of a group.
    pub(super) fn cells(&self, group: usize, decision: usize, score_q: Option<u64>) -> Vec<Shown> {
        let Some(&(block, rung)) = self.blocks.get(group) else { return Vec::new() };
        let shown = |place, labels| Shown { block, place, labels, bins: 0 };
        let mut cells = match rung {
            Rung::Full => vec![shown(Place::Decision(decision), true)],
            Rung::Margins => vec![shown(Place::Decision(decision), false), shown(Place::Anywhere, true)],
            Rung::N => vec![shown(Place::Anywhere, false)],
            Rung::Hidden => Vec::new(),
        };
        cells.extend(self.bins.map(|bins| {
            let place = score_q.map_or(Place::NoScore, |q| Place::Bin(bin_of(q, bins)));
            Shown { block: group, place, labels: true, bins }
        }));
        cells
    }
}

/// What a release shows of each slice.
pub(super) fn seen_of(text: &ReleaseText, plan: &PlanText) -> BTreeMap<Stratum, Vec<Seen>> {
    let of = |stratum: &super::ReleasedStratum| {
        let version = plan.model_versions.iter().position(|version| *version == stratum.model_version)?;
        Some(((version, stratum.tier), stratum.slices.iter().map(Seen::of).collect()))
    };
    text.strata.iter().filter_map(of).collect()
}

/// What both of two releases show of a slice.
fn both_show((before, after): (&ReleasedSlice, &ReleasedSlice), alike: &mut Result<(), String>) -> Seen {
    let (old, new) = (blocks(before), blocks(after));
    if old != new && alike.is_ok() {
        let name = if after.attributes.is_empty() { "all events".to_owned() } else { after.attributes.join(" x ") };
        *alike = Err(format!("{name}: it shows more of some groups, or less, than before"));
    }
    // Where they differ, every cell says best what is too little.
    let both = old.into_iter().zip(new).enumerate();
    let blocks = both.map(|(at, (old, new))| match old.0 == new.0 {
        true => (new.0, old.1.min(new.1)),
        false => (at, Rung::Full),
    });
    let blocks = blocks.collect();
    Seen { blocks, bins: [bins(before), bins(after)].into_iter().flatten().min() }
}

fn bins(slice: &ReleasedSlice) -> Option<u32> {
    let of = |group: &ReleasedGroup| group.scores.as_ref().and_then(Cell::value).map(|scores| scores.bins);
    slice.groups.iter().find_map(of)
}

#[cfg(test)]
mod tests;
