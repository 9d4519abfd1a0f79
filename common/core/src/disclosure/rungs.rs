//! The rungs of a block of counts, and how the failing groups of a slice are folded: rule K (`rungs-1`).
//!
//! - *full*: every cell is 0 or has at least k behind it;
//! - *margins*: every row and column total is, and so is the number of events;
//! - *n*: the number of events is;
//! - else the block fails. Failing groups of a slice are folded into one block, at least two of them, and the smallest groups
//!   with events that passed are added until the fold passes; the fold has a rung of its own. If all of them together do not
//!   pass, they are withheld.
//!
//! k counts distinct people where events come with subjects, and events else. A person may be in several groups, so a fold
//! counts those who are in one group only: no more than there are. Where a plan hides zeros, only those of `zeros.rs` pass.

use super::Counts;
use super::zeros::Zeros;
use crate::aggregate::{People, SliceTensors};
use serde::{Deserialize, Serialize};

/// What of a block of counts is shown. Why no more is said nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// Every cell.
    Full(Counts),
    /// Row and column totals.
    Margins(Margins),
    /// The number of events.
    N(u64),
    /// Part of a fold of the slice, counted from 0.
    Folded(u32),
    /// Nothing.
    Withheld,
    /// Every cell with noise, under a plan of differential privacy. No exact figure comes of it: its rung is hidden.
    Noisy([[i64; 3]; 3]),
}

/// Totals of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Margins {
    /// Events by decision 0, 1, absent.
    pub decisions: [u64; 3],
    /// Events by label 0, 1, none.
    pub labels: [u64; 3],
}

impl Margins {
    /// Of all cells.
    pub fn of(counts: &Counts) -> Margins {
        Margins {
            decisions: counts.map(|row| row.into_iter().fold(0, u64::saturating_add)),
            labels: [0, 1, 2].map(|label| counts.iter().fold(0_u64, |sum, row| sum.saturating_add(row[label]))),
        }
    }

    /// Events.
    pub fn total(&self) -> u64 {
        self.decisions.into_iter().fold(0, u64::saturating_add)
    }
}

impl Block {
    /// Every cell, where all are shown.
    pub fn full(&self) -> Option<&Counts> {
        match self {
            Block::Full(counts) => Some(counts),
            _ => None,
        }
    }

    /// Totals, where they are shown or follow from what is.
    pub fn margins(&self) -> Option<Margins> {
        match self {
            Block::Full(counts) => Some(Margins::of(counts)),
            Block::Margins(margins) => Some(*margins),
            _ => None,
        }
    }

    /// The number of events, where it is shown or follows from what is.
    pub fn events(&self) -> Option<u64> {
        match self {
            Block::N(events) => Some(*events),
            _ => self.margins().map(|margins| margins.total()),
        }
    }

    /// Its rung.
    pub fn rung(&self) -> Rung {
        match self {
            Block::Full(_) => Rung::Full,
            Block::Margins(_) => Rung::Margins,
            Block::N(_) => Rung::N,
            Block::Folded(_) | Block::Withheld | Block::Noisy(_) => Rung::Hidden,
        }
    }

    /// Every cell with noise, where it has noise.
    pub fn noisy(&self) -> Option<&[[i64; 3]; 3]> {
        match self {
            Block::Noisy(counts) => Some(counts),
            _ => None,
        }
    }

    pub(super) fn at(rung: Rung, counts: &Counts) -> Block {
        match rung {
            Rung::Full => Block::Full(*counts),
            Rung::Margins => Block::Margins(Margins::of(counts)),
            Rung::N => Block::N(Margins::of(counts).total()),
            Rung::Hidden => Block::Withheld,
        }
    }
}

/// How much of a block is shown; a later one shows less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// Every cell.
    Full,
    /// Row and column totals.
    Margins,
    /// The number of events.
    N,
    /// Nothing of its own.
    Hidden,
}

impl Rung {
    /// The next one down.
    pub(super) fn below(self) -> Rung {
        match self {
            Rung::Full => Rung::Margins,
            Rung::Margins => Rung::N,
            Rung::N | Rung::Hidden => Rung::Hidden,
        }
    }
}

/// What is behind a group's block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    pub counts: Counts,
    /// Those whom k counts.
    pub people: People,
    /// Those of them who are in no other group of the slice.
    pub alone: People,
}

impl Behind {
    /// Every event is of somebody else.
    pub fn of_events(counts: Counts) -> Behind {
        let Margins { decisions, labels } = Margins::of(&counts);
        let people = People { cells: counts, decisions, labels, n: decisions.iter().sum() };
        Behind { counts, people, alone: people }
    }

    /// The groups of a slice.
    pub fn of_slice(slice: &SliceTensors) -> Vec<Behind> {
        let named = slice.subjects.iter().any(|of| of.subjects > 0);
        let of = |group: usize| {
            let counts = std::array::from_fn(|d| std::array::from_fn(|l| slice.counts[[group, d, l]]));
            match slice.subjects.get(group).filter(|_| named) {
                Some(of) => Behind { counts, people: of.people, alone: of.alone },
                None => Behind::of_events(counts),
            }
        };
        (0..slice.counts.dim().0).map(of).collect()
    }

    pub fn events(&self) -> u64 {
        Margins::of(&self.counts).total()
    }
}

/// What is asked of a number for it to be seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub k: u64,
    pub zeros: Zeros,
}

impl Rule {
    /// The highest rung that a block passes. One without events is full where zeros are published.
    pub fn rung(&self, counts: &Counts, people: &People) -> Rung {
        let fits = |((count, people), zero): ((&u64, &u64), bool)| match count {
            0 => zero,
            _ => *people >= self.k,
        };
        let margins = Margins::of(counts);
        if counts.iter().flatten().zip(people.cells.iter().flatten()).zip(self.zeros.cells()).all(fits) {
            return Rung::Full;
        }
        if !fits(((&margins.total(), &people.n), self.zeros.number())) {
            return Rung::Hidden;
        }
        let rows = margins.decisions.iter().zip(&people.decisions);
        match rows.chain(margins.labels.iter().zip(&people.labels)).zip(self.zeros.totals()).all(fits) {
            true => Rung::Margins,
            false => Rung::N,
        }
    }
}

/// The rungs of a slice's groups while they are found: they only ever go down.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    pub behind: Vec<Behind>,
    pub rungs: Vec<Rung>,
    /// The highest rungs that the groups pass by themselves.
    pub own: Vec<Rung>,
    /// The fold is shown at this rung at best.
    pub fold_at_best: Rung,
    pub rule: Rule,
}

impl Ladder {
    /// By the rule alone: no neighbour is hidden for another yet.
    pub fn new(behind: Vec<Behind>, rule: Rule) -> Ladder {
        let rungs: Vec<Rung> = behind.iter().map(|group| rule.rung(&group.counts, &group.people)).collect();
        let mut ladder = Ladder { behind, own: rungs.clone(), rungs, fold_at_best: Rung::Full, rule };
        ladder.fill();
        ladder
    }

    /// Adds groups to the failing ones until their fold passes.
    fn fill(&mut self) {
        while self.rungs.contains(&Rung::Hidden) && self.fold().is_none() {
            let passing = (0..self.rungs.len()).filter(|at| self.rungs[*at] != Rung::Hidden);
            let next =
                passing.filter(|at| self.behind[*at].events() > 0).min_by_key(|at| (self.behind[*at].events(), *at));
            let Some(next) = next else { return };
            self.rungs[next] = Rung::Hidden;
        }
    }

    /// The rung and counts of a group, or of the fold; none where nothing of it is shown.
    pub fn shown(&self, group: Option<usize>) -> Option<(Rung, Counts)> {
        let own = |group: usize| Some((self.rungs[group], self.behind[group].counts));
        group.map_or_else(|| self.fold(), own).filter(|(rung, _)| *rung != Rung::Hidden)
    }

    /// Lowers a group, or the fold, to the next rung that says less.
    pub fn lower(&mut self, group: Option<usize>) {
        let Some((rung, counts)) = self.shown(group) else { return };
        let live = |of: &[u64]| of.iter().filter(|count| **count > 0).count();
        let margins = Margins::of(&counts);
        let whole = self.behind.iter().fold(Counts::default(), |mut sum, group| {
            add(&mut sum, &group.counts);
            sum
        });
        let next = match rung.below() {
            // Of one row or column, the totals are the cells.
            Rung::Margins if live(&margins.decisions).min(live(&margins.labels)) < 2 => Rung::N,
            next => next,
        };
        let next = if next == Rung::N && live(whole.as_flattened()) < 2 { Rung::Hidden } else { next };
        match group {
            Some(group) => self.rungs[group] = next,
            None => self.fold_at_best = next,
        }
    }

    /// Whether what is hidden is hidden by a fold that shows something, or the slice shows nothing of it at all.
    pub fn is_whole(&self) -> bool {
        let hidden = self.rungs.iter().filter(|rung| **rung == Rung::Hidden).count();
        hidden != 1 || self.rungs.len() == 1 || self.fold_at_best == Rung::Hidden
    }

    /// Shows nothing of the slice.
    pub fn withhold(&mut self) {
        self.rungs.fill(Rung::Hidden);
        self.fold_at_best = Rung::Hidden;
    }

    /// Rung and counts of what the hidden groups show together; none where they show nothing.
    pub fn fold(&self) -> Option<(Rung, Counts)> {
        let (counts, rung) = self.hidden();
        let rung = rung.max(self.fold_at_best);
        let several = self.rungs.iter().filter(|rung| **rung == Rung::Hidden).count() >= 2;
        (several && rung != Rung::Hidden).then_some((rung, counts))
    }

    /// The highest rung that the hidden groups pass together by themselves.
    pub fn fold_alone(&self) -> Rung {
        self.hidden().1
    }

    fn hidden(&self) -> (Counts, Rung) {
        let mut sum = Behind::of_events(Counts::default());
        for (_, group) in self.rungs.iter().zip(&self.behind).filter(|(rung, _)| **rung == Rung::Hidden) {
            add(&mut sum.counts, &group.counts);
            sum.people.add(&group.alone);
        }
        (sum.counts, self.rule.rung(&sum.counts, &sum.people))
    }

    /// The groups' blocks, and the folds.
    pub fn blocks(&self) -> (Vec<Block>, Vec<Block>) {
        let fold = self.fold();
        let of = |(rung, group): (&Rung, &Behind)| match (rung, fold) {
            (Rung::Hidden, Some(_)) => Block::Folded(0),
            _ => Block::at(*rung, &group.counts),
        };
        let blocks = self.rungs.iter().zip(&self.behind).map(of).collect();
        (blocks, fold.iter().map(|(rung, counts)| Block::at(*rung, counts)).collect())
    }
}

fn add(sum: &mut Counts, part: &Counts) {
    sum.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(sum, part)| *sum += part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ladder(groups: &[Counts], k: u64) -> Ladder {
        Ladder::new(groups.iter().map(|counts| Behind::of_events(*counts)).collect(), Rule { k, zeros: Zeros::ALL })
    }

    fn n(events: u64) -> Counts {
        [[0; 3], [0, 0, events], [0; 3]]
    }

    #[test]
    fn a_block_is_shown_as_far_as_it_has_k() {
        let of = |counts: Counts| ladder(&[counts, n(50)], 5).rungs[0];
        assert_eq!(of([[5, 0, 0], [9, 7, 0], [0; 3]]), Rung::Full);
        assert_eq!(of([[5, 3, 0], [9, 7, 0], [0; 3]]), Rung::Margins);
        assert_eq!(of([[5, 3, 0], [9, 1, 0], [0; 3]]), Rung::N, "4 have label 1");
        assert_eq!(of([[2, 2, 0], [0; 3], [0; 3]]), Rung::Hidden);
        assert_eq!(of(Counts::default()), Rung::Full, "nobody is nobody");
    }

    #[test]
    fn failing_groups_are_folded_with_the_smallest_that_passes() {
        let (blocks, folds) = ladder(&[n(3), n(0), n(9), n(7), n(50)], 5).blocks();
        assert_eq!(folds, [Block::Full(n(10))]);
        let full = |events| Block::Full(n(events));
        assert_eq!(blocks, [Block::Folded(0), full(0), full(9), Block::Folded(0), full(50)]);
        let (blocks, folds) = ladder(&[n(3), n(1), n(9)], 5).blocks();
        assert_eq!((folds, &blocks[2]), (vec![Block::Full(n(13))], &Block::Folded(0)), "3 and 1 are too few together");
        let (blocks, folds) = ladder(&[n(3), n(0)], 5).blocks();
        assert_eq!((folds, &blocks[0]), (vec![], &Block::Withheld), "there is nobody to be folded with");
    }

    #[test]
    fn k_counts_people() {
        // Nine events of two people are few, whatever their number.
        let mut group = Behind::of_events(n(9));
        group.people = People { cells: n(2), decisions: [0, 2, 0], labels: [0, 0, 2], n: 2 };
        let ladder = Ladder::new(vec![group, Behind::of_events(n(5))], Rule { k: 5, zeros: Zeros::ALL });
        assert_eq!(ladder.rungs, [Rung::Hidden; 2]);
        assert_eq!(ladder.fold(), Some((Rung::Full, n(14))));
    }

    pub(crate) fn any_counts() -> impl Strategy<Value = Counts> {
        let count = prop_oneof![3 => Just(0_u64), 3 => 1..5_u64, 3 => 5..40_u64];
        proptest::array::uniform3(proptest::array::uniform3(count))
    }

    proptest! {
        #[test]
        fn what_is_shown_is_0_or_at_least_k(groups in proptest::collection::vec(any_counts(), 1..7), k in 1..9_u64) {
            let ladder = ladder(&groups, k);
            let (blocks, folds) = ladder.blocks();
            let fits = |count: &u64| *count == 0 || *count >= k;
            for block in blocks.iter().chain(&folds) {
                prop_assert!(block.full().is_none_or(|counts| counts.iter().flatten().all(fits)));
                let totals = block.margins();
                prop_assert!(totals.is_none_or(|m| m.decisions.iter().chain(&m.labels).all(fits)));
                prop_assert!(block.events().is_none_or(|events| fits(&events)));
            }
            let folded = blocks.iter().filter(|block| **block == Block::Folded(0)).count();
            prop_assert!(folds.len() == usize::from(folded > 0) && folded != 1);
            // Events are conserved, as far as they are shown.
            let all: u64 = groups.iter().flatten().flatten().sum();
            let events: Option<u64> = blocks.iter().filter(|b| **b != Block::Folded(0)).chain(&folds).map(Block::events).sum();
            prop_assert!(events.is_none_or(|events| events == all));
        }
    }
}
