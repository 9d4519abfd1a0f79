//! Whether a release may stand beside releases of other plans over the same events.
//!
//! Two plans may count the same events in other windows or slices. Subtracting one's cell from the other's leaves the events
//! that only one of them counts: so these are 0 or at least k for every two cells, both ways, for each window of the other
//! plan, and for all windows of either plan that count some of the same events, added (a month less the days that are shown
//! leaves those that are not, whichever came first). A cell is a count, a total or a fold that is shown, or a bin of a histogram
//! (label, bin); where a group is withheld there is nothing to subtract. Plans are held against each other two by two here; what
//! follows only from all that they show, solved together, is for [`super::Together`] to say. What is neither is withheld beside
//! other plans ([`Release::hide_beside_others`]).

use super::amend::{ANY, Place, Seen, Shown, block_told, label_told, seen_of};
use super::{Cell, Release, ReleaseText, SliceNames, detail, identity};
use crate::aggregate::{Aggregate, Stratum};
use crate::contract::ContractText;
use crate::event::Prediction;
use crate::plan::PlanText;
use std::collections::{BTreeMap, HashMap};

/// Events that two plans count, in cells of either.
pub struct Overlap {
    new: Side,
    old: Side,
    /// Events that both of two cells count.
    both: HashMap<(At, At), u64>,
}

/// One plan's releases.
struct Side {
    /// Says which group of each slice counts an event; nothing is added to it.
    shape: Aggregate,
    names: Vec<SliceNames>,
    /// What each release shows.
    seen: Vec<BTreeMap<Stratum, Vec<Seen>>>,
    totals: HashMap<At, u64>,
}

/// A cell of one of the releases, or of all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct At {
    release: Option<usize>,
    stratum: Stratum,
    slice: usize,
    /// The group, or the fold.
    block: usize,
    place: Place,
    /// Bins of the histogram; 0 for counts.
    bins: u32,
    label: usize,
}

/// Where a plan counts an event: in which of its releases, stratum, with which label.
pub type Counted = (usize, Stratum, Option<u64>);

impl Overlap {
    /// A new release and, behind it, those of its plan that it may be added to; and those of another plan over the same
    /// contract.
    ///
    /// # Errors
    /// Plans that do not belong to the contract.
    pub fn new(
        (new, new_plan): (&[&ReleaseText], &PlanText),
        (old, old_plan): (&[&ReleaseText], &PlanText),
        contract: &ContractText,
    ) -> Result<Self, String> {
        Ok(Overlap {
            new: Side::of(new, new_plan, contract)?,
            old: Side::of(old, old_plan, contract)?,
            both: HashMap::new(),
        })
    }

    /// Counts one event, which one or both of the plans count.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn add(&mut self, event: &Prediction, new: Option<Counted>, old: Option<Counted>) -> Result<(), String> {
        let new = new.map_or(Ok(Vec::new()), |counted| self.new.count(event, counted))?;
        let old = old.map_or(Ok(Vec::new()), |counted| self.old.count(event, counted))?;
        for a in &new {
            for b in old.iter().filter(|b| (b.bins > 0) == (a.bins > 0)) {
                *self.both.entry((*a, *b)).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Whether what two cells do not share is no event, or at least `k`.
    ///
    /// # Errors
    /// Two cells of which it is fewer, in words for the site's own log.
    pub fn check(&self, k: u64) -> Result<(), String> {
        let few = |total: Option<&u64>, both: u64| {
            let rest = total.copied().unwrap_or(0).saturating_sub(both);
            (rest > 0 && rest < k).then_some(rest)
        };
        let mut found: Vec<_> = self
            .both
            .iter()
            .filter_map(|((a, b), both)| {
                let new = few(self.new.totals.get(a), *both).map(|n| (n, "only the new one counts"));
                let (n, who) = new.or(few(self.old.totals.get(b), *both).map(|n| (n, "only the other counts")))?;
                Some(format!("{} beside {}: {n} events that {who}", self.new.told(a), self.old.told(b)))
            })
            .collect();
        found.sort();
        found.into_iter().next().map_or(Ok(()), Err)
    }
}

impl Side {
    fn of(releases: &[&ReleaseText], plan: &PlanText, contract: &ContractText) -> Result<Side, String> {
        let mut names = vec![(Vec::new(), vec![Vec::new()])];
        names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
        let seen = releases.iter().map(|text| seen_of(text, plan)).collect();
        Ok(Side { shape: Aggregate::empty(plan, contract)?, names, seen, totals: HashMap::new() })
    }

    /// Counts an event in the cells that are seen; these cells.
    fn count(&mut self, event: &Prediction, (release, stratum, label): Counted) -> Result<Vec<At>, String> {
        let groups = self.shape.groups_of(event).ok_or("an event's codes are outside the contract")?;
        let (decision, label) = self.shape.sides_of(event, label)?;
        let seen = self.seen.get(release).and_then(|seen| seen.get(&stratum));
        let mut cells = Vec::new();
        for ((slice, group), visible) in groups.into_iter().enumerate().zip(seen.into_iter().flatten()) {
            for Shown { block, place, labels, bins } in visible.cells(group, decision, event.score_q) {
                let label = if labels { label } else { ANY };
                let cell = At { release: Some(release), stratum, slice, block, place, bins, label };
                cells.push(cell);
                if self.seen.len() > 1 {
                    cells.push(At { release: None, ..cell });
                }
            }
        }
        for cell in &cells {
            *self.totals.entry(*cell).or_default() += 1;
        }
        Ok(cells)
    }

    fn told(&self, at: &At) -> String {
        let (slice, label) = (block_told(&self.names[at.slice], at.block), label_told(at.label));
        let many = if at.release.is_none() { ", all windows" } else { "" };
        format!("{slice} ({}, {label}{many})", at.place)
    }
}

impl Release {
    /// Withholds what is neither a count nor a histogram of scores: details, model identity, quality and operations. Beside a release of
    /// another plan over some of the same events, nothing bounds what they would tell by subtraction.
    pub fn hide_beside_others(&mut self) {
        detail::hide_all(&mut self.0);
        identity::hide_all(&mut self.0);
        if let Some(quality) = &mut self.0.quality {
            quality.events = Cell::Suppressed;
            for feature in &mut quality.features {
                (feature.missing, feature.violations) = (Cell::Suppressed, Cell::Suppressed);
                feature.histogram = Cell::Suppressed;
            }
        }
        if let Some(operations) = &mut self.0.operations {
            operations.hide_all();
        }
    }
}

#[cfg(test)]
mod tests;
