//! Which events are of one person: what the variance of figures needs where people come back.

use super::{Aggregate, Stratum};
use crate::event::Prediction;
use serde::Serialize;
use std::collections::BTreeMap;

/// People of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct SubjectCounts {
    /// Distinct people.
    pub subjects: u64,
    /// Those of them with several events in the group.
    pub repeated: u64,
    /// Events that came without a subject.
    pub without: u64,
    /// Pairs of cells (decision x 3 + label, the first not above the second), with the ordered pairs of different events of
    /// one person of which the first is in the one cell and the second in the other.
    pub pairs: BTreeMap<(u8, u8), PairSum>,
}

/// Pairs of events of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct PairSum {
    pub pairs: u64,
    /// People who have such pairs.
    pub subjects: u64,
    /// Most pairs of one person.
    pub greatest: u64,
}

impl PairSum {
    fn add(&mut self, pairs: u64) {
        self.pairs = self.pairs.saturating_add(pairs);
        self.subjects += 1;
        self.greatest = self.greatest.max(pairs);
    }
}

/// Events of one person in one group, by cell.
type Cells = [u64; 9];

impl Aggregate {
    /// Counts that these events, each with its stratum and label, are all that there are of one person; or, where `named` is
    /// false, that nobody knows of whom each is.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn subject(&mut self, named: bool, events: &[(Stratum, &Prediction, Option<u64>)]) -> Result<(), String> {
        // Most people come once: then there are no pairs, and no need to bring anything together.
        if !named || events.len() == 1 {
            return events.iter().try_for_each(|event| {
                self.cells_of(event)?.into_iter().try_for_each(|(group, cell)| {
                    let mut cells = Cells::default();
                    cells[cell] = 1;
                    self.count(group, named, &cells)
                })
            });
        }
        let mut together: BTreeMap<Group, Cells> = BTreeMap::new();
        for event in events {
            for (group, cell) in self.cells_of(event)? {
                together.entry(group).or_default()[cell] += 1;
            }
        }
        together.iter().try_for_each(|(group, cells)| self.count(*group, named, cells))
    }

    /// The group of each slice that counts an event, and the cell.
    fn cells_of(
        &self,
        (stratum, event, label): &(Stratum, &Prediction, Option<u64>),
    ) -> Result<Vec<(Group, usize)>, String> {
        let groups = self.groups_of(event).ok_or("an event's attribute codes are outside the contract")?;
        let (decision, label) = self.sides_of(event, *label)?;
        let of = |(slice, group)| (Group { stratum: *stratum, slice, group }, decision * 3 + label);
        Ok(groups.into_iter().enumerate().map(of).collect())
    }

    fn count(&mut self, at: Group, named: bool, cells: &Cells) -> Result<(), String> {
        let of = self.strata.get_mut(&at.stratum).and_then(|slices| slices.get_mut(at.slice));
        let Some(of) = of else { return Err("a subject of events that were not counted".to_owned()) };
        if of.subjects.is_empty() {
            of.subjects = vec![SubjectCounts::default(); of.counts.dim().0];
        }
        if let Some(subjects) = of.subjects.get_mut(at.group) {
            subjects.add(named, cells);
        }
        Ok(())
    }
}

/// A group of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    stratum: Stratum,
    slice: usize,
    group: usize,
}

impl SubjectCounts {
    fn add(&mut self, named: bool, cells: &Cells) {
        let events = cells.iter().sum::<u64>();
        if !named {
            self.without += events;
            return;
        }
        self.subjects += 1;
        if events < 2 {
            return;
        }
        self.repeated += 1;
        for (one, a) in (0..).zip(cells) {
            for (other, b) in (0..).zip(cells).filter(|(other, _)| *other >= one) {
                let pairs = if one == other { a * a.saturating_sub(1) } else { a * b };
                if pairs > 0 {
                    self.pairs.entry((one, other)).or_default().add(pairs);
                }
            }
        }
    }
}

/// Adds people who are not in `mine`.
pub(super) fn merge(mine: &mut Vec<SubjectCounts>, theirs: &[SubjectCounts]) {
    if mine.is_empty() {
        mine.extend_from_slice(theirs);
        return;
    }
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.subjects += theirs.subjects;
        mine.repeated += theirs.repeated;
        mine.without += theirs.without;
        for (cells, sum) in &theirs.pairs {
            let own = mine.pairs.entry(*cells).or_default();
            own.pairs = own.pairs.saturating_add(sum.pairs);
            own.subjects += sum.subjects;
            own.greatest = own.greatest.max(sum.greatest);
        }
    }
}
