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
//! A slice that both releases withhold has nothing to be subtracted and is not looked at. One that only one of them
//! shows is looked at all the same: the other numbers of the second bound it. With k = 1 everything passes.
//!
//! An amendment is held against every earlier release of its window, not only the last: small steps would add up.

use super::quality::check_difference;
use super::{Release, ReleaseText, ReleasedGroup, ReleasedSlice, Visible};
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
    /// What either release shows of each slice.
    seen: BTreeMap<Stratum, Vec<Visible>>,
    /// Whether what both show of the features' quality tells too much.
    quality: Result<(), String>,
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
    /// The label before, 0, 1 or neither; none for an event that was not there.
    before: Option<usize>,
    after: usize,
}

/// Where an event is counted beside its label; it never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Decision(usize),
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
        for stratum in &after.strata {
            let old =
                before.strata.iter().find(|old| old.model_version == stratum.model_version && old.tier == stratum.tier);
            // A tier that was not there yet had no events, and everybody could see that.
            let slices = match old {
                Some(old) => old.slices.iter().zip(&stratum.slices).map(either).collect(),
                None => stratum.slices.iter().map(|slice| Visible { counts: true, ..either((slice, slice)) }).collect(),
            };
            let version = plan.model_versions.iter().position(|version| *version == stratum.model_version);
            seen.extend(version.map(|version| ((version, stratum.tier), slices)));
        }
        let quality = check_difference(before, after, plan.disclosure.k);
        let mut names = vec![(Vec::new(), vec![Vec::new()])];
        names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
        let shape = Aggregate::empty(plan, contract)?;
        Ok(Transitions { shape, seen, quality, names, counts: BTreeMap::new() })
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
            let mut count = |place| {
                let transition = Transition { stratum, slice, group, place, before, after };
                *self.counts.entry(transition).or_default() += 1;
            };
            if visible.counts {
                count(Place::Decision(decision));
            }
            if let Some(bins) = visible.bins {
                count(event.score_q.map_or(Place::NoScore, |q| Place::Bin(bin_of(q, bins))));
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
            None => Ok(()),
            Some((transition, events)) => Err(self.told(transition, *events, k)),
        }
    }

    fn told(&self, transition: &Transition, events: u64, k: u64) -> String {
        let (attributes, groups) = &self.names[transition.slice];
        let slice = match groups.get(transition.group) {
            Some(group) if !attributes.is_empty() => format!("{} {}", attributes.join(" x "), group.join(" x ")),
            _ => "all events".to_owned(),
        };
        let place = transition.place;
        let label = |code: usize| if code < 2 { format!("label code {code}") } else { "no label".to_owned() };
        let how = match transition.before {
            None => format!("come in with {}", label(transition.after)),
            Some(before) if before == transition.after => format!("stay at {}", label(before)),
            Some(before) => format!("go from {} to {}", label(before), label(transition.after)),
        };
        format!("{slice} ({place}): {events} events {how}; it must be none, or at least k = {k}")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Place::Decision(code) => write!(f, "decision code {code}"),
            Place::Bin(bin) => write!(f, "score bin {bin}"),
            Place::NoScore => f.write_str("no score"),
        }
    }
}

/// What a release shows of each slice.
pub(super) fn seen_of(text: &ReleaseText, plan: &PlanText) -> BTreeMap<Stratum, Vec<Visible>> {
    let of = |stratum: &super::ReleasedStratum| {
        let version = plan.model_versions.iter().position(|version| *version == stratum.model_version)?;
        Some(((version, stratum.tier), stratum.slices.iter().map(|slice| either((slice, slice))).collect()))
    };
    text.strata.iter().filter_map(of).collect()
}

/// What one of two releases shows of a slice; of histograms, what both can show.
fn either((before, after): (&ReleasedSlice, &ReleasedSlice)) -> Visible {
    let counts = |slice: &ReleasedSlice| slice.groups.iter().any(|group| group.counts.value().is_some());
    let bins = |slice: &ReleasedSlice| {
        let of = |group: &ReleasedGroup| group.scores.as_ref().and_then(Cell::value).map(|scores| scores.bins);
        slice.groups.iter().find_map(of)
    };
    let coarser = [bins(before), bins(after)].into_iter().flatten().min();
    Visible { counts: counts(before) || counts(after), bins: coarser }
}

#[cfg(test)]
mod tests;
