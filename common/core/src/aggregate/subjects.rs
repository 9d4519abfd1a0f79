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
    /// People by what they have events of; an event without a subject is a person's only one.
    pub people: People,
    /// Those of them who have no event in another group of the slice.
    pub alone: People,
}

/// How many people are behind the numbers of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct People {
    /// Behind each cell, `[decision 0, 1, absent][label 0, 1, none]`.
    pub cells: [[u64; 3]; 3],
    /// Behind each row total.
    pub decisions: [u64; 3],
    /// Behind each column total.
    pub labels: [u64; 3],
    /// In all.
    pub n: u64,
}

impl People {
    /// Adds other people.
    pub fn add(&mut self, other: &People) {
        self.cells.iter_mut().flatten().zip(other.cells.iter().flatten()).for_each(|(sum, part)| *sum += part);
        self.decisions.iter_mut().zip(other.decisions).for_each(|(sum, part)| *sum += part);
        self.labels.iter_mut().zip(other.labels).for_each(|(sum, part)| *sum += part);
        self.n += other.n;
    }

    /// Who has these events.
    fn of(cells: &Cells) -> People {
        let has = |cell: usize| cells[cell] > 0;
        let any = |cells: [usize; 3]| u64::from(cells.into_iter().any(has));
        People {
            cells: std::array::from_fn(|d| std::array::from_fn(|l| u64::from(has(d * 3 + l)))),
            decisions: std::array::from_fn(|d| any([d * 3, d * 3 + 1, d * 3 + 2])),
            labels: std::array::from_fn(|l| any([l, 3 + l, 6 + l])),
            n: 1,
        }
    }
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
                    self.count(group, named, true, &cells)
                })
            });
        }
        let mut together: BTreeMap<Group, Cells> = BTreeMap::new();
        for event in events {
            for (group, cell) in self.cells_of(event)? {
                together.entry(group).or_default()[cell] += 1;
            }
        }
        let alone = |of: &Group| {
            let whole = Group { group: 0, ..*of };
            let last = Group { group: usize::MAX, ..*of };
            together.range(whole..=last).take(2).count() == 1
        };
        together.iter().try_for_each(|(group, cells)| self.count(*group, named, alone(group), cells))
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

    fn count(&mut self, at: Group, named: bool, alone: bool, cells: &Cells) -> Result<(), String> {
        let of = self.strata.get_mut(&at.stratum).and_then(|slices| slices.get_mut(at.slice));
        let Some(of) = of else { return Err("a subject of events that were not counted".to_owned()) };
        if of.subjects.is_empty() {
            of.subjects = vec![SubjectCounts::default(); of.counts.dim().0];
        }
        if let Some(subjects) = of.subjects.get_mut(at.group) {
            subjects.add(named, cells);
            let person = People::of(cells);
            subjects.people.add(&person);
            if alone {
                subjects.alone.add(&person);
            }
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
        mine.people.add(&theirs.people);
        mine.alone.add(&theirs.alone);
        for (cells, sum) in &theirs.pairs {
            let own = mine.pairs.entry(*cells).or_default();
            own.pairs = own.pairs.saturating_add(sum.pairs);
            own.subjects += sum.subjects;
            own.greatest = own.greatest.max(sum.greatest);
        }
    }
}
