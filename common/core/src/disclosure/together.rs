//! What follows from the releases of two plans, all solved together.
//!
//! Events are parted into *regions*: by which releases count them, in which stratum, and with which label where the two plans
//! saw different ones. Unknown is the table of each region over the slices of both plans; each block, fold and public number of
//! each release is a sum over the tables of the regions that it counts. A hidden cell of any of these releases must keep
//! the values that the rule promises it ([`super::attack`]) beside all the others. A region without events is taken to be known
//! as such: whoever knows more learns no less.
//!
//! Blocks that went down for others need no protection. Which did cannot be told where k counts people: there, as everywhere, a
//! cell is held only against what its own release leaves of it.

use super::attack::{Public, sides};
use super::rungs::{Behind, Block, Margins, Rung, rung};
use super::simplex::Work;
use super::solve::{Effort, System};
use super::views::Views;
use super::{Counts, ReleaseText, ReleasedSlice, SliceNames};
use crate::aggregate::Stratum;
use crate::contract::ContractText;
use crate::event::Prediction;
use crate::plan::{PlanText, Slice};
use std::collections::{BTreeMap, BTreeSet};

/// Who counts an event: the new release, one of the old ones, or both; with the old label where it was another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Region {
    new: Option<Stratum>,
    old: Option<(usize, Stratum)>,
    was: Option<usize>,
}

/// The tables of all regions.
pub(super) struct Together {
    names: Vec<SliceNames>,
    /// Of each slice: where its attributes stand in the contract, and how many codes they have.
    axes: Vec<Vec<(usize, usize)>>,
    /// Where each plan's slices stand among all.
    slices: [Vec<usize>; 2],
    tables: BTreeMap<Region, Vec<Vec<Counts>>>,
}

/// A block of a release: 0 is the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    release: usize,
    stratum: usize,
    slice: usize,
    /// Of a fold, its number among what comes after the groups.
    block: usize,
}

impl Together {
    /// No events yet; none where slices go round in a circle and their attributes have too large a table.
    pub fn new(plans: [&PlanText; 2], contract: &ContractText) -> Option<Together> {
        let whole = Slice { attributes: Vec::new(), reference: Vec::new() };
        let mut slices = vec![whole];
        let places = plans.map(|plan| {
            let own = plan.slices.iter().map(|slice| {
                slices.push(slice.clone());
                slices.len() - 1
            });
            std::iter::once(0).chain(own.collect::<Vec<_>>()).collect()
        });
        let named = |slices: &[Slice]| -> Vec<SliceNames> {
            slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))).collect()
        };
        let mut names = named(&slices);
        if Views::new(&names).circle(&(0..names.len()).collect::<Vec<_>>()).is_some() {
            let all: BTreeSet<&String> = slices.iter().flat_map(|slice| &slice.attributes).collect();
            let attributes: Vec<String> = all.into_iter().cloned().collect();
            let codes = attributes.iter().filter_map(|name| contract.attribute(name));
            let size = codes.fold(1_usize, |size, at| size.saturating_mul(contract.attributes[at].codes()));
            if size > JOINT_GROUPS {
                return None;
            }
            names.extend(named(&[Slice { attributes, reference: Vec::new() }]));
        }
        let axis = |name: &String| contract.attribute(name).map(|at| (at, contract.attributes[at].codes()));
        let axes = names.iter().map(|(attributes, _)| attributes.iter().filter_map(axis).collect()).collect();
        Some(Together { names, axes, slices: places, tables: BTreeMap::new() })
    }

    /// Counts one event, on the sides of its decision and of its label in each plan.
    pub fn add(
        &mut self,
        event: &Prediction,
        decision: usize,
        new: Option<(Stratum, usize)>,
        old: Option<(usize, Stratum, usize)>,
    ) {
        let label = new.map(|of| of.1).or(old.map(|of| of.2));
        let was = new.zip(old).map(|(new, old)| (new.1, old.2)).filter(|(now, was)| now != was).map(|of| of.1);
        let region = Region { new: new.map(|of| of.0), old: old.map(|of| (of.0, of.1)), was };
        let names = &self.names;
        let empty = || names.iter().map(|(_, groups)| vec![Counts::default(); groups.len()]).collect();
        let table = self.tables.entry(region).or_insert_with(empty);
        for (axes, counts) in self.axes.iter().zip(table) {
            let code = |at: usize| event.attributes.get(at).map_or(0, |code| usize::from(*code));
            let group = axes.iter().fold(0, |group, (at, codes)| group * codes + code(*at));
            if let (Some(counts), Some(label)) = (counts.get_mut(group), label) {
                counts[decision][label] += 1;
            }
        }
    }

    /// Slices with a hidden cell that has too few values beside all other releases, and not already in its own.
    pub fn learned(&self, releases: &[(&ReleaseText, &PlanText)]) -> Vec<String> {
        let slices = |text: &ReleaseText| text.strata.iter().flat_map(|of| &of.slices).all(|of| of.full().is_some());
        if releases.iter().all(|(text, _)| slices(text)) {
            return Vec::new();
        }
        let all: Vec<usize> = (0..releases.len()).collect();
        let found = self.unprotected(releases, &all);
        let mut learned = BTreeSet::new();
        for (at, (text, _)) in releases.iter().enumerate() {
            let mut here: Vec<Place> = found.iter().filter(|place| place.release == at).copied().collect();
            if here.is_empty() {
                continue;
            }
            // Each cell is named once.
            for place in self.unprotected(releases, &[at]) {
                if let Some(same) = here.iter().position(|of| *of == place) {
                    here.remove(same);
                }
            }
            for place in here {
                let slice = &text.strata[place.stratum].slices[place.slice];
                let group = (slice.attributes.clone(), slice.groups.iter().map(|of| of.group.clone()).collect());
                learned.insert(format!("{} ({})", super::amend::block_told(&group, place.block), text.window));
            }
        }
        learned.into_iter().collect()
    }

    /// The blocks of cells with too few values, one for each cell, where these releases are known.
    fn unprotected(&self, releases: &[(&ReleaseText, &PlanText)], known: &[usize]) -> Vec<Place> {
        let views = Views::new(&self.names);
        let mut system = System::new();
        let mut unknowns = Vec::new();
        for (region, tables) in &self.tables {
            let mut tables = tables.clone();
            tables.extend(views.sums(&tables));
            let blocks: Vec<Vec<Option<usize>>> = tables
                .iter()
                .map(|groups| groups.iter().map(|counts| Some(system.unknowns(counts))).collect())
                .collect();
            for (coarse, fine, groups) in &views.links {
                system.add_up(&blocks[*coarse], &blocks[*fine], groups);
            }
            // Of an event whose label changed, the new one is not the old one.
            if let Some(was) = region.was {
                let same = |first: &usize| [0, 3, 6].map(|row| first + row + was);
                blocks.iter().flatten().flatten().flat_map(same).for_each(|at| system.equate(vec![(at, 1)]));
            }
            unknowns.push((*region, blocks));
        }
        let mut attacker = Attacker { together: self, unknowns, system };
        for at in known {
            attacker.release(*at, releases[*at]);
        }
        attacker.system.unprotected(Effort::All, &mut Work::new(WORK))
    }
}

struct Attacker<'a> {
    together: &'a Together,
    unknowns: Vec<(Region, Vec<Vec<Option<usize>>>)>,
    system: System<Place>,
}

impl Attacker<'_> {
    /// What a release says.
    fn release(&mut self, at: usize, (text, plan): (&ReleaseText, &PlanText)) {
        let public = Public { events: text.events, outcomes: text.outcomes };
        let mut wholes: [Vec<usize>; 9] = Default::default();
        for (stratum, of) in text.strata.iter().enumerate() {
            let version = plan.model_versions.iter().position(|version| *version == of.model_version);
            let Some(version) = version else { continue };
            let key = (version, of.tier);
            let whole = self.cells(at, key, 0, &[0]);
            wholes.iter_mut().zip(whole).for_each(|(all, own)| all.extend(own));
            for (slice, released) in of.slices.iter().enumerate() {
                self.slice(Place { release: at, stratum, slice, block: 0 }, key, released, (public, text.k));
            }
        }
        for cells in sides() {
            self.system.equate(cells.iter().flat_map(|cell| &wholes[*cell]).map(|at| (*at, 1)).collect());
        }
    }

    fn slice(&mut self, place: Place, stratum: Stratum, slice: &ReleasedSlice, of: (Public, u64)) {
        let hidden = |fold: usize| {
            let inside = |(at, group): (usize, &super::ReleasedGroup)| match group.counts {
                Block::Folded(number) if number as usize == fold => Some(at),
                _ => None,
            };
            slice.groups.iter().enumerate().filter_map(inside).collect::<Vec<_>>()
        };
        let subjects = slice.groups.iter().any(|group| group.subjects.is_some());
        let own = slice.groups.iter().enumerate().map(|(at, group)| (vec![at], &group.counts));
        let folds = slice.folds.iter().enumerate().map(|(fold, block)| (hidden(fold), block));
        for (block, (groups, shown)) in own.chain(folds).enumerate() {
            let cells = self.cells(place.release, stratum, place.slice, &groups);
            self.block(Place { block, ..place }, &cells, shown, (of, subjects));
        }
    }

    /// The unknowns that add up to each cell of some groups together.
    fn cells(&self, release: usize, stratum: Stratum, slice: usize, groups: &[usize]) -> [Vec<usize>; 9] {
        let is_new = release == 0;
        let slice = self.together.slices[usize::from(!is_new)][slice];
        let mut cells: [Vec<usize>; 9] = Default::default();
        for (region, blocks) in &self.unknowns {
            let counts = if is_new { region.new == Some(stratum) } else { region.old == Some((release - 1, stratum)) };
            if !counts {
                continue;
            }
            for first in groups.iter().filter_map(|group| blocks[slice][*group]) {
                for cell in 0..9 {
                    let seen = region.was.filter(|_| !is_new).map_or(cell, |was| cell / 3 * 3 + was);
                    cells[seen].push(first + cell);
                }
            }
        }
        cells
    }

    /// What a block says, and that its cells are to be protected where it hides them.
    fn block(&mut self, place: Place, cells: &[Vec<usize>; 9], shown: &Block, of: ((Public, u64), bool)) {
        let ((public, k), subjects) = of;
        let counts: Counts = std::array::from_fn(|d| {
            std::array::from_fn(|l| cells[d * 3 + l].iter().map(|at| self.system.count(*at)).sum())
        });
        let sum = |of: &[usize]| of.iter().flat_map(|cell| &cells[*cell]).map(|at| (*at, 1)).collect::<Vec<_>>();
        match shown {
            Block::Full(_) => (0..9).for_each(|cell| self.system.equate(sum(&[cell]))),
            Block::Margins(_) => {
                for line in 0..3 {
                    self.system.equate(sum(&[line * 3, line * 3 + 1, line * 3 + 2]));
                    self.system.equate(sum(&[line, line + 3, line + 6]));
                }
            }
            Block::N(_) => self.system.equate(sum(&[0, 1, 2, 3, 4, 5, 6, 7, 8])),
            // Releases with noise are not held against others.
            Block::Folded(_) | Block::Withheld | Block::Noisy(_) => {}
        }
        let fails = rung(&counts, &Behind::of_events(counts).people, k) != Rung::Full;
        if shown.rung() == Rung::Full || !(fails || subjects && Margins::of(&counts).total() > 0) {
            return;
        }
        for (cell, parts) in cells.iter().enumerate() {
            let unknown = match parts[..] {
                [one] => one,
                _ => self.system.total(parts),
            };
            self.system.target(place, unknown, public.need(cell, k));
        }
    }
}

/// Entries of tableaux: what is not seen to be protected before they are written is taken not to be.
const WORK: u64 = 2_000_000_000;
/// Most groups of a table of all attributes, where slices of two plans go round in a circle.
const JOINT_GROUPS: usize = 2_000;

#[cfg(test)]
mod tests;
