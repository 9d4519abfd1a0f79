//! What follows from the releases of several plans, all solved together.
//!
//! Events are parted into *regions*: by plan, which of its releases counts them, in which stratum, and with which label where
//! it saw another one than the first plan that counts them. Unknown is the table of each region over the slices of all plans;
//! each block, fold and public number of each release is a sum over the tables of the regions that it counts. A hidden cell of
//! any of these releases must keep the values that the rule promises it ([`super::attack`]) beside all the others. A region
//! without events is taken to be known as such: whoever knows more learns no less.
//!
//! Two plans are the smallest case. With three, a cell may follow from all of them that no two tell: a week less two plans that
//! show a part of its days each.
//!
//! Blocks that went down for others need no protection. Which did cannot be told where k counts people: there, as everywhere, a
//! cell is held only against what its own release leaves of it.

use super::attack::{Public, sides};
use super::overlap::Counted;
use super::rungs::{Behind, Block, Margins, Rule, Rung};
use super::simplex::Work;
use super::solve::{Effort, System};
use super::views::Views;
use super::zeros::Zeros;
use super::{Counts, ReleaseText, ReleasedSlice, SliceNames};
use crate::aggregate::{Aggregate, Stratum};
use crate::contract::ContractText;
use crate::event::Prediction;
use crate::plan::{PlanText, Slice};
use std::collections::{BTreeMap, BTreeSet};

/// By plan: the release and stratum that count an event, and its label there where that is not the region's. The windows of a
/// plan do not overlap, so it is one release at most.
type Region = Vec<Option<(usize, Stratum, Option<usize>)>>;

/// A plan and releases of it.
pub type Released<'a> = (&'a PlanText, Vec<&'a ReleaseText>);

/// The tables of all regions.
pub struct Together<'a> {
    plans: Vec<Released<'a>>,
    /// Says on which sides an event is; nothing is added to it.
    shape: Aggregate,
    names: Vec<SliceNames>,
    /// Of each slice: where its attributes stand in the contract, and how many codes they have.
    axes: Vec<Vec<(usize, usize)>>,
    /// Where each plan's slices stand among all.
    slices: Vec<Vec<usize>>,
    tables: BTreeMap<Region, Vec<Vec<Counts>>>,
}

/// A block of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Its plan, and its number among that plan's.
    release: (usize, usize),
    stratum: usize,
    slice: usize,
    /// Of a fold, its number among what comes after the groups.
    block: usize,
}

impl<'a> Together<'a> {
    /// Releases of plans over one contract, by plan; no events yet.
    ///
    /// # Errors
    /// Why they cannot be solved together, in words for the site's own log: no plan, one that does not belong to the contract, or
    /// slices that go round in a circle while the table of their attributes is too large.
    pub fn new(plans: Vec<Released<'a>>, contract: &ContractText) -> Result<Self, String> {
        let shape = Aggregate::empty(plans.first().ok_or("there are no plans")?.0, contract)?;
        let mut slices = vec![Slice { attributes: Vec::new(), reference: Vec::new() }];
        let mut places = Vec::new();
        for (plan, _) in &plans {
            let mut own = vec![0];
            for slice in &plan.slices {
                // One that several plans have is one table.
                let same = slices.iter().position(|of| of.attributes == slice.attributes);
                own.push(same.unwrap_or(slices.len()));
                if same.is_none() {
                    slices.push(slice.clone());
                }
            }
            places.push(own);
        }
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
                return Err(format!(
                    "the slices of {} go round in a circle over too many groups to be solved together",
                    told(&plans)
                ));
            }
            names.extend(named(&[Slice { attributes, reference: Vec::new() }]));
        }
        let axis = |name: &String| contract.attribute(name).map(|at| (at, contract.attributes[at].codes()));
        let axes = names.iter().map(|(attributes, _)| attributes.iter().filter_map(axis).collect()).collect();
        Ok(Together { plans, shape, names, axes, slices: places, tables: BTreeMap::new() })
    }

    /// Counts one event; by plan, where that counts it.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn add(&mut self, event: &Prediction, counted: &[Option<Counted>]) -> Result<(), String> {
        let Some(first) = counted.iter().flatten().next() else { return Ok(()) };
        let (decision, label) = self.shape.sides_of(event, first.2)?;
        let region = counted.iter().map(|of| {
            let Some((release, stratum, seen)) = *of else { return Ok(None) };
            let (_, seen) = self.shape.sides_of(event, seen)?;
            Ok(Some((release, stratum, (seen != label).then_some(seen))))
        });
        let region = region.collect::<Result<Region, String>>()?;
        let names = &self.names;
        let empty = || names.iter().map(|(_, groups)| vec![Counts::default(); groups.len()]).collect();
        let table = self.tables.entry(region).or_insert_with(empty);
        for (axes, counts) in self.axes.iter().zip(table) {
            let code = |at: usize| event.attributes.get(at).map_or(0, |code| usize::from(*code));
            let group = axes.iter().fold(0, |group, (at, codes)| group * codes + code(*at));
            if let Some(counts) = counts.get_mut(group) {
                counts[decision][label] += 1;
            }
        }
        Ok(())
    }

    /// Whether no hidden cell of any of these releases has too few values once they are solved together. It changes nothing
    /// that is shown.
    ///
    /// # Errors
    /// What would be learned, in words for the site's own log.
    pub fn check(&self) -> Result<(), String> {
        match self.learned().first() {
            None => Ok(()),
            Some(block) => Err(format!("{block}: what is hidden follows from {} together", told(&self.plans))),
        }
    }

    /// Slices with a hidden cell that has too few values beside all other releases, and not already in its own.
    fn learned(&self) -> Vec<String> {
        let all = || self.plans.iter().enumerate().flat_map(|(at, of)| of.1.iter().enumerate().map(move |of| (at, of)));
        let full = |text: &ReleaseText| text.strata.iter().flat_map(|of| &of.slices).all(|of| of.full().is_some());
        if all().all(|(_, (_, text))| full(text)) {
            return Vec::new();
        }
        let known: Vec<_> = all().map(|(plan, (at, _))| (plan, at)).collect();
        let found = self.unprotected(&known);
        let mut learned = BTreeSet::new();
        for (plan, (at, text)) in all() {
            let mut here: Vec<Place> = found.iter().filter(|place| place.release == (plan, at)).copied().collect();
            if here.is_empty() {
                continue;
            }
            // Each cell is named once.
            for place in self.unprotected(&[(plan, at)]) {
                if let Some(same) = here.iter().position(|of| *of == place) {
                    here.remove(same);
                }
            }
            for place in here {
                let slice = &text.strata[place.stratum].slices[place.slice];
                let group = (slice.attributes.clone(), slice.groups.iter().map(|of| of.group.clone()).collect());
                let block = super::amend::block_told(&group, place.block);
                learned.insert(format!("{block} ({}, {})", self.plans[plan].0.plan, text.window));
            }
        }
        learned.into_iter().collect()
    }

    /// The blocks of cells with too few values, one for each cell, where these releases are known.
    fn unprotected(&self, known: &[(usize, usize)]) -> Vec<Place> {
        let views = Views::new(&self.names);
        let mut system = System::new();
        let mut unknowns = Vec::new();
        let is_counted =
            |region: &Region| known.iter().any(|(plan, at)| region[*plan].is_some_and(|(release, ..)| release == *at));
        for (region, tables) in self.tables.iter().filter(|(region, _)| is_counted(region)) {
            let mut tables = tables.clone();
            tables.extend(views.sums(&tables));
            let blocks: Vec<Vec<Option<usize>>> = tables
                .iter()
                .map(|groups| groups.iter().map(|counts| Some(system.unknowns(counts))).collect())
                .collect();
            for (coarse, fine, groups) in &views.links {
                system.add_up(&blocks[*coarse], &blocks[*fine], groups);
            }
            // Of an event that some plan saw with another label, the region's is none of these.
            let others: BTreeSet<usize> = region.iter().flatten().filter_map(|of| of.2).collect();
            for other in others {
                let same = |first: &usize| [0, 3, 6].map(|row| first + row + other);
                blocks.iter().flatten().flatten().flat_map(same).for_each(|at| system.equate(vec![(at, 1)]));
            }
            unknowns.push((region, blocks));
        }
        let mut attacker = Attacker { together: self, unknowns, system };
        known.iter().for_each(|at| attacker.release(*at));
        attacker.system.unprotected(Effort::All, &mut Work::new(WORK))
    }
}

/// The plans' names.
fn told(plans: &[Released]) -> String {
    let names: Vec<String> = plans.iter().map(|(plan, _)| plan.plan.to_string()).collect();
    match &names[..] {
        [names @ .., last] if !names.is_empty() => format!("plans {} and {last}", names.join(", ")),
        _ => names.concat(),
    }
}

struct Attacker<'a> {
    together: &'a Together<'a>,
    unknowns: Vec<(&'a Region, Vec<Vec<Option<usize>>>)>,
    system: System<Place>,
}

impl Attacker<'_> {
    /// What a release says.
    fn release(&mut self, at: (usize, usize)) {
        let (plan, texts) = &self.together.plans[at.0];
        let text = texts[at.1];
        let public = Public { events: text.events, outcomes: text.outcomes };
        let mut wholes: [Vec<usize>; 9] = Default::default();
        for (stratum, of) in text.strata.iter().enumerate() {
            let version = plan.model_versions.iter().position(|version| *version == of.model_version);
            let Some(version) = version else { continue };
            let key = (version, of.tier);
            let whole = self.cells(at, key, 0, &[0]);
            wholes.iter_mut().zip(whole).for_each(|(all, own)| all.extend(own));
            let totals = of.slices.first().and_then(|slice| slice.groups.first()).and_then(|of| of.counts.margins());
            let zeros = if plan.disclosure.hide_zeros { Zeros::structural(totals) } else { Zeros::ALL };
            let rule = Rule { k: text.k, zeros };
            for (slice, released) in of.slices.iter().enumerate() {
                self.slice(Place { release: at, stratum, slice, block: 0 }, key, released, (public, rule));
            }
        }
        for cells in sides() {
            self.system.equate(cells.iter().flat_map(|cell| &wholes[*cell]).map(|at| (*at, 1)).collect());
        }
    }

    fn slice(&mut self, place: Place, stratum: Stratum, slice: &ReleasedSlice, of: (Public, Rule)) {
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
    fn cells(&self, at: (usize, usize), stratum: Stratum, slice: usize, groups: &[usize]) -> [Vec<usize>; 9] {
        let slice = self.together.slices[at.0][slice];
        let mut cells: [Vec<usize>; 9] = Default::default();
        for (region, blocks) in &self.unknowns {
            let Some((_, _, other)) = region[at.0].filter(|of| (of.0, of.1) == (at.1, stratum)) else { continue };
            for first in groups.iter().filter_map(|group| blocks[slice][*group]) {
                for cell in 0..9 {
                    let seen = other.map_or(cell, |label| cell / 3 * 3 + label);
                    cells[seen].push(first + cell);
                }
            }
        }
        cells
    }

    /// What a block says, and that its cells are to be protected where it hides them.
    fn block(&mut self, place: Place, cells: &[Vec<usize>; 9], shown: &Block, of: ((Public, Rule), bool)) {
        let ((public, rule), subjects) = of;
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
        let fails = rule.rung(&counts, &Behind::of_events(counts).people) != Rung::Full;
        if shown.rung() == Rung::Full || !(fails || subjects && Margins::of(&counts).total() > 0) {
            return;
        }
        for (cell, parts) in cells.iter().enumerate() {
            let unknown = match parts[..] {
                [one] => one,
                _ => self.system.total(parts),
            };
            match rule.zeros.cell(cell / 3, cell % 3) {
                true => self.system.target(place, unknown, public.need(cell, rule.k)),
                false => self.system.target_zero_too(place, unknown, public.need(cell, rule.k)),
            }
        }
    }
}

/// Entries of tableaux: what is not seen to be protected before they are written is taken not to be.
const WORK: u64 = 2_000_000_000;
/// Most groups of a table of all attributes, where slices of plans go round in a circle.
const JOINT_GROUPS: usize = 2_000;

#[cfg(test)]
mod tests;
