//! What somebody can work out of hidden cells who has the whole release, and solves what it says as equations.
//!
//! Unknown are the integer cells behind every block that is not full; known are the blocks, the folds, that the groups of a
//! finer slice add up to those of a coarser one, and the public numbers of events and outcomes. Slices that overlap meet in
//! the table of the attributes that they share, itself unknown unless it is a slice: for slices that overlap without going
//! round in a circle (acyclic; Beeri, Fagin, Maier and Yannakakis 1983) nothing more follows from them. Where they do go
//! round (A x B, B x C, C x A), [`Views::circle`] names them, and some are withheld.
//!
//! A cell is protected if at least k - 1 integers remain possible for it, or as many as the public numbers alone leave, or if
//! it can only be 0 and zeros are published (`zeros.rs` says which are, where a plan hides them). Cells of a block that is full
//! by the rule, and went down for others, need no protection: nothing in it is below k.
//!
//! Values are looked for among what is near a cell first, as if all else were known, and among all only where the equations are
//! not too many (`solve.rs`): he may be taken to learn more than he does, never less.
//!
//! What this attacker does not use: that a group on a lower rung failed the higher one; histograms; that a cell may be
//! possible at two values and not in between, where totals of three directions meet; and rows that he knows.

use super::Counts;
use super::rungs::{Ladder, Margins, Rung};
use super::simplex::Work;
use super::solve::{Effort, System};
use super::views::Views;
use super::zeros::Zeros;

/// A group of a slice, or its fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub stratum: usize,
    pub slice: usize,
    pub group: Option<usize>,
}

/// What is known of all strata together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Public {
    pub events: u64,
    pub outcomes: u64,
}

impl Public {
    /// How many values a cell needs: k - 1, or as many as these numbers alone leave.
    pub fn need(self, cell: usize, k: u64) -> i64 {
        let most = if cell % 3 == 2 { self.events.saturating_sub(self.outcomes) } else { self.outcomes };
        i64::try_from(k.saturating_sub(1).min(most.saturating_add(1))).unwrap_or(i64::MAX)
    }
}

/// The cells, as unknowns beside the first of the whole's nine, of events with labels and of those without.
pub(super) fn sides() -> [Vec<usize>; 2] {
    [&[0, 1][..], &[2]].map(|labels| labels.iter().flat_map(|label| [*label, 3 + label, 6 + label]).collect())
}

/// The blocks of cells that are not protected, one for each cell, in order.
pub(super) fn unprotected(
    views: &Views,
    strata: &[Vec<Ladder>],
    public: Public,
    k: u64,
    work: &mut Work,
) -> Vec<Place> {
    attack(views, strata, public, k, (None, Effort::All), work)
}

/// The same, of some blocks alone or of all, as soon seen as not: a cell that is named may be protected.
pub(super) fn perhaps_unprotected(
    views: &Views,
    strata: &[Vec<Ladder>],
    public: Public,
    k: u64,
    among: Option<&[Place]>,
    work: &mut Work,
) -> Vec<Place> {
    attack(views, strata, public, k, (among, Effort::Near), work)
}

fn attack(
    views: &Views,
    strata: &[Vec<Ladder>],
    public: Public,
    k: u64,
    (among, effort): (Option<&[Place]>, Effort),
    work: &mut Work,
) -> Vec<Place> {
    let mut attacker = Attacker { system: System::new(), public, k, among };
    let mut wholes = Vec::new();
    for (stratum, ladders) in strata.iter().enumerate() {
        let known = |ladder: &Ladder| ladder.rungs.iter().all(|rung| *rung == Rung::Full);
        if ladders.iter().all(known) {
            continue;
        }
        let blocks = attacker.blocks(views, stratum, ladders);
        for (coarse, fine, groups) in &views.links {
            attacker.system.add_up(&blocks[*coarse], &blocks[*fine], groups);
        }
        wholes.extend(blocks.first().and_then(|groups| *groups.first()?));
    }
    // Events and outcomes of all strata are public.
    for cells in sides() {
        let all = wholes.iter().flat_map(|first| cells.iter().map(move |cell| (first + cell, 1)));
        attacker.system.equate(all.collect());
    }
    attacker.system.unprotected(effort, work)
}

struct Attacker<'a> {
    system: System<Place>,
    public: Public,
    k: u64,
    /// The blocks that are asked for, in order; none for all.
    among: Option<&'a [Place]>,
}

/// The first of a block's nine unknowns; none where they are known.
type Block = Option<usize>;

impl Attacker<'_> {
    /// The unknowns of each view's groups, with what the blocks say of them.
    fn blocks(&mut self, views: &Views, stratum: usize, ladders: &[Ladder]) -> Vec<Vec<Block>> {
        let mut blocks = Vec::new();
        for (slice, ladder) in ladders.iter().enumerate() {
            let mut own: Vec<Block> = Vec::new();
            for (group, (rung, behind)) in ladder.rungs.iter().zip(&ladder.behind).enumerate() {
                let place = Place { stratum, slice, group: Some(group) };
                let place = (ladder.own[group] != Rung::Full).then_some(place);
                own.push((*rung != Rung::Full).then(|| self.block(place, *rung, &behind.counts, ladder.rule.zeros)));
            }
            if let Some((rung, counts)) = ladder.fold() {
                let hidden = own.iter().zip(&ladder.rungs).filter(|(_, rung)| **rung == Rung::Hidden);
                let hidden: Vec<usize> = hidden.filter_map(|(block, _)| *block).collect();
                let place = Place { stratum, slice, group: None };
                let place = (ladder.fold_alone() != Rung::Full).then_some(place);
                let fold = (rung != Rung::Full).then(|| self.block(place, rung, &counts, ladder.rule.zeros));
                self.system.sum(fold, &hidden);
            }
            blocks.push(own);
        }
        let counts: Vec<Vec<Counts>> =
            ladders.iter().map(|ladder| ladder.behind.iter().map(|behind| behind.counts).collect()).collect();
        for sums in views.sums(&counts) {
            blocks.push(sums.iter().map(|counts| Some(self.system.unknowns(counts))).collect());
        }
        blocks
    }

    /// A block's unknowns, targets of the place if there is one, with what its rung says.
    fn block(&mut self, place: Option<Place>, rung: Rung, counts: &Counts, zeros: Zeros) -> usize {
        let first = self.system.unknowns(counts);
        if let Some(place) = place.filter(|of| self.among.is_none_or(|among| among.binary_search(of).is_ok())) {
            for (cell, is_seen) in zeros.cells().into_iter().enumerate() {
                let need = self.public.need(cell, self.k);
                match is_seen {
                    true => self.system.target(place, first + cell, need),
                    false => self.system.target_zero_too(place, first + cell, need),
                }
            }
        }
        let of = |cells: &[usize]| cells.iter().map(|cell| (first + cell, 1)).collect::<Vec<_>>();
        match rung {
            Rung::Margins => {
                let Margins { decisions, labels } = Margins::of(counts);
                for line in 0..3 {
                    self.line(of(&[line * 3, line * 3 + 1, line * 3 + 2]), decisions[line]);
                    self.line(of(&[line, line + 3, line + 6]), labels[line]);
                }
            }
            Rung::N => self.system.equate(of(&[0, 1, 2, 3, 4, 5, 6, 7, 8])),
            Rung::Full | Rung::Hidden => {}
        }
        first
    }

    /// A total of 0 says that each of its cells is.
    fn line(&mut self, cells: Vec<(usize, i64)>, total: u64) {
        match total {
            0 => cells.into_iter().for_each(|cell| self.system.equate(vec![cell])),
            _ => self.system.equate(cells),
        }
    }
}
