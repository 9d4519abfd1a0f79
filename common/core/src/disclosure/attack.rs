//! What somebody can work out of hidden cells who has the whole release, and solves what it says as equations.
//!
//! Unknown are the integer cells behind every block that is not full; known are the blocks, the folds, that the groups of a
//! finer slice add up to those of a coarser one, and the public numbers of events and outcomes. Slices that overlap meet in
//! the table of the attributes that they share, itself unknown unless it is a slice: for slices that overlap without going
//! round in a circle (acyclic; Beeri, Fagin, Maier and Yannakakis 1983) nothing more follows from them. Where they do go
//! round (A x B, B x C, C x A), [`circle`] names them, and some are withheld.
//!
//! A cell is protected if at least k - 1 integers remain possible for it, or as many as the public numbers alone leave, or if
//! it can only be 0: zeros are published. Cells of a block that is full by the rule, and went down for others, need no
//! protection: nothing in it is below k.
//!
//! What this attacker does not use: that a group on a lower rung failed the higher one; histograms; that a cell may be
//! possible at two values and not in between, where totals of three directions meet; and rows that he knows.

use super::Counts;
use super::rungs::{Ladder, Margins, Rung};
use super::simplex::{Simplex, Unsolved};
use std::collections::{BTreeMap, BTreeSet};

/// Attributes and groups of the slices, and how they hang together.
pub(super) struct Views {
    /// The slices, then the tables of attributes that they share.
    views: Vec<View>,
    slices: usize,
    /// Coarse view, fine view, and the coarse group of each fine one.
    links: Vec<(usize, usize, Vec<usize>)>,
}

struct View {
    attributes: Vec<String>,
    groups: Vec<Vec<String>>,
}

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

impl Views {
    pub fn new(slices: &[(Vec<String>, Vec<Vec<String>>)]) -> Views {
        let mut views: Vec<View> = Vec::new();
        let view = |(attributes, groups): &(Vec<String>, Vec<Vec<String>>)| View {
            attributes: attributes.clone(),
            groups: groups.clone(),
        };
        views.extend(slices.iter().map(view));
        // Until no two share what is no view.
        let mut at = 0;
        while at < views.len() {
            for other in 0..at {
                let shared = |name: &&String| views[other].attributes.contains(name);
                let shared: Vec<String> = views[at].attributes.iter().filter(shared).cloned().collect();
                if !views.iter().any(|view| same(&view.attributes, &shared)) {
                    let groups: BTreeSet<_> = views[at].project(&shared).into_iter().collect();
                    views.push(View { attributes: shared, groups: groups.into_iter().collect() });
                }
            }
            at += 1;
        }
        let links = links(&views);
        Views { views, slices: slices.len(), links }
    }

    /// Whether a group of a slice has events in common with one of another, where one slice's attributes are the other's and
    /// more; or both are of one slice.
    pub fn touch(&self, one: Place, other: Place) -> bool {
        if one.stratum != other.stratum {
            return false;
        }
        if one.slice == other.slice {
            return true;
        }
        let (a, b) = (&self.views[one.slice], &self.views[other.slice]);
        let nested = subset(&a.attributes, &b.attributes) || subset(&b.attributes, &a.attributes);
        let (Some(x), Some(y)) = (one.group, other.group) else { return nested };
        let agree = |(name, value): (&String, &String)| {
            b.attributes.iter().position(|of| of == name).is_none_or(|at| b.groups[y][at] == *value)
        };
        nested && a.attributes.iter().zip(&a.groups[x]).all(agree)
    }

    /// How many attributes a slice has.
    pub fn depth(&self, slice: usize) -> usize {
        self.views[slice].attributes.len()
    }

    /// The smallest of the slices in `among` that go round in a circle.
    pub fn circle(&self, among: &[usize]) -> Option<usize> {
        // Graham 1979; Yu and Özsoyoğlu 1979: an acyclic system vanishes under the two steps.
        let mut edges: Vec<(usize, BTreeSet<&String>)> =
            among.iter().map(|slice| (*slice, self.views[*slice].attributes.iter().collect())).collect();
        loop {
            let before: usize = edges.iter().map(|(_, edge)| edge.len() + 1).sum();
            let mut uses: BTreeMap<&String, usize> = BTreeMap::new();
            edges.iter().flat_map(|(_, edge)| edge).for_each(|name| *uses.entry(name).or_default() += 1);
            edges.iter_mut().for_each(|(_, edge)| edge.retain(|name| uses[*name] > 1));
            let inside = |at: usize| {
                let holds = |(other, (_, edge)): (usize, &(usize, BTreeSet<&String>))| {
                    other != at && edges[at].1.is_subset(edge) && (edges[at].1 != *edge || other < at)
                };
                edges.iter().enumerate().any(holds)
            };
            let kept: Vec<bool> = (0..edges.len()).map(|at| !inside(at)).collect();
            let mut kept = kept.into_iter();
            edges.retain(|_| kept.next().unwrap_or(true));
            if edges.iter().map(|(_, edge)| edge.len() + 1).sum::<usize>() == before {
                break;
            }
        }
        let left = edges.iter().filter(|(_, edge)| !edge.is_empty()).map(|(slice, _)| *slice);
        left.min_by_key(|slice| (self.views[*slice].groups.len(), *slice))
    }
}

impl View {
    /// Each group's categories of some of the attributes.
    fn project(&self, attributes: &[String]) -> Vec<Vec<String>> {
        let places: Vec<usize> =
            attributes.iter().filter_map(|name| self.attributes.iter().position(|own| own == name)).collect();
        self.groups.iter().map(|group| places.iter().map(|at| group[*at].clone()).collect()).collect()
    }
}

fn subset(one: &[String], other: &[String]) -> bool {
    one.iter().all(|name| other.contains(name))
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && subset(one, other)
}

/// Each view with the next coarser ones.
fn links(views: &[View]) -> Vec<(usize, usize, Vec<usize>)> {
    let coarser = |one: usize, other: usize| {
        let (a, b) = (&views[one].attributes, &views[other].attributes);
        one != other && subset(a, b) && (a.len() < b.len() || one < other)
    };
    let all = 0..views.len();
    let mut links = Vec::new();
    for coarse in all.clone() {
        for fine in all.clone().filter(|fine| coarser(coarse, *fine)) {
            if all.clone().any(|between| coarser(coarse, between) && coarser(between, fine)) {
                continue;
            }
            let names: BTreeMap<&Vec<String>, usize> = views[coarse].groups.iter().zip(0..).collect();
            let projected = views[fine].project(&views[coarse].attributes);
            let groups = projected.iter().filter_map(|group| names.get(group).copied());
            links.push((coarse, fine, groups.collect()));
        }
    }
    links
}

/// The blocks of cells that are not protected, one for each cell, in order.
pub(super) fn unprotected(views: &Views, strata: &[Vec<Ladder>], public: Public, k: u64) -> Vec<Place> {
    let system = System::new(views, strata);
    let need = |cell: usize| {
        let most = if cell % 3 == 2 { public.events.saturating_sub(public.outcomes) } else { public.outcomes };
        i64::try_from(k.saturating_sub(1).min(most.saturating_add(1))).unwrap_or(i64::MAX)
    };
    let mut found = Vec::new();
    for part in system.parts() {
        let targets = part.targets.iter().map(|(place, at, cell)| (*place, *at, need(*cell)));
        match Simplex::new(&part.equations, &part.table) {
            Ok(mut simplex) => {
                found.extend(
                    targets.filter(|(_, at, need)| !simplex.is_free(*at, *need).unwrap_or(false)).map(|of| of.0),
                );
            }
            Err(Unsolved) => found.extend(targets.map(|of| of.0)),
        }
    }
    found.sort();
    found
}

/// Equations over all strata, as unknown and coefficient: the right sides are those of the table.
#[derive(Default)]
struct System {
    equations: Vec<Vec<(usize, i64)>>,
    table: Vec<i64>,
    /// Block, unknown, cell.
    targets: Vec<(Place, usize, usize)>,
}

/// Unknowns that equations tie together.
#[derive(Default)]
struct Part {
    equations: Vec<Vec<(usize, i64)>>,
    table: Vec<i64>,
    targets: Vec<(Place, usize, usize)>,
}

/// The first of a block's nine unknowns; none where they are known.
type Block = Option<usize>;

impl System {
    fn new(views: &Views, strata: &[Vec<Ladder>]) -> System {
        let mut system = System::default();
        let mut wholes = Vec::new();
        for (stratum, ladders) in strata.iter().enumerate() {
            let known = |ladder: &Ladder| ladder.rungs.iter().all(|rung| *rung == Rung::Full);
            if ladders.iter().all(known) {
                continue;
            }
            let blocks = system.blocks(views, stratum, ladders);
            for (coarse, fine, groups) in &views.links {
                system.add_up(&blocks[*coarse], &blocks[*fine], groups);
            }
            wholes.extend(blocks.first().and_then(|groups| *groups.first()?));
        }
        // Events and outcomes of all strata are public.
        for labels in [&[0, 1][..], &[2]] {
            let cells = labels.iter().flat_map(|label| [*label, 3 + label, 6 + label]);
            let cells: Vec<usize> = cells.collect();
            system.equate(wholes.iter().flat_map(|first| cells.iter().map(move |cell| (first + cell, 1))).collect());
        }
        system.drop_zeros();
        system
    }

    /// Leaves out what can only be 0 as a part of a total of 0: most of a table without absent decisions or labels.
    fn drop_zeros(&mut self) {
        let mut zero = vec![false; self.table.len()];
        loop {
            let before = self.equations.len();
            self.equations.retain(|equation| {
                let is_zero = equation.iter().all(|(at, by)| *by > 0 && self.table[*at] == 0);
                equation.iter().filter(|_| is_zero).for_each(|(at, _)| zero[*at] = true);
                !is_zero
            });
            for equation in &mut self.equations {
                equation.retain(|(at, _)| !zero[*at]);
                // A whole of which no part is left is 0, too.
                if let [(_, by @ -1)] = &mut equation[..] {
                    *by = 1;
                }
            }
            self.equations.retain(|equation| !equation.is_empty());
            if self.equations.len() == before {
                break;
            }
        }
        self.targets.retain(|(_, at, _)| !zero[*at]);
    }

    fn equate(&mut self, equation: Vec<(usize, i64)>) {
        if !equation.is_empty() {
            self.equations.push(equation);
        }
    }

    fn unknown(&mut self, counts: &Counts) -> usize {
        let first = self.table.len();
        self.table.extend(counts.iter().flatten().map(|count| i64::try_from(*count).unwrap_or(i64::MAX)));
        first
    }

    /// The unknowns of each view's groups, with what the blocks say of them.
    fn blocks(&mut self, views: &Views, stratum: usize, ladders: &[Ladder]) -> Vec<Vec<Block>> {
        let mut blocks = Vec::new();
        for (slice, ladder) in ladders.iter().enumerate() {
            let mut own: Vec<Block> = Vec::new();
            for (group, (rung, behind)) in ladder.rungs.iter().zip(&ladder.behind).enumerate() {
                let place = Place { stratum, slice, group: Some(group) };
                let place = (ladder.own[group] != Rung::Full).then_some(place);
                own.push((*rung != Rung::Full).then(|| self.block(place, *rung, &behind.counts)));
            }
            if let Some((rung, counts)) = ladder.fold() {
                let hidden = own.iter().zip(&ladder.rungs).filter(|(_, rung)| **rung == Rung::Hidden);
                let hidden: Vec<usize> = hidden.filter_map(|(block, _)| *block).collect();
                let place = Place { stratum, slice, group: None };
                let place = (ladder.fold_alone() != Rung::Full).then_some(place);
                let fold = (rung != Rung::Full).then(|| self.block(place, rung, &counts));
                self.sum(fold, &hidden);
            }
            blocks.push(own);
        }
        for view in &views.views[views.slices..] {
            let counts = shared(view, views, ladders);
            blocks.push(counts.iter().map(|counts| Some(self.unknown(counts))).collect());
        }
        blocks
    }

    /// A block's unknowns, targets of the place if there is one, with what its rung says.
    fn block(&mut self, place: Option<Place>, rung: Rung, counts: &Counts) -> usize {
        let first = self.unknown(counts);
        self.targets.extend(place.into_iter().flat_map(|place| (0..9).map(move |cell| (place, first + cell, cell))));
        let of = |cells: &[usize]| cells.iter().map(|cell| (first + cell, 1)).collect::<Vec<_>>();
        match rung {
            Rung::Margins => {
                let Margins { decisions, labels } = Margins::of(counts);
                for line in 0..3 {
                    self.line(of(&[line * 3, line * 3 + 1, line * 3 + 2]), decisions[line]);
                    self.line(of(&[line, line + 3, line + 6]), labels[line]);
                }
            }
            Rung::N => self.equate(of(&[0, 1, 2, 3, 4, 5, 6, 7, 8])),
            Rung::Full | Rung::Hidden => {}
        }
        first
    }

    /// A total of 0 says that each of its cells is.
    fn line(&mut self, cells: Vec<(usize, i64)>, total: u64) {
        match total {
            0 => cells.into_iter().for_each(|cell| self.equate(vec![cell])),
            _ => self.equate(cells),
        }
    }

    /// Parts add up to a whole, known or not, cell by cell.
    fn sum(&mut self, whole: Block, parts: &[usize]) {
        for cell in 0..9 {
            let whole = whole.map(|first| (first + cell, -1));
            self.equate(whole.into_iter().chain(parts.iter().map(|first| (first + cell, 1))).collect());
        }
    }

    /// The groups of a fine view add up to those of a coarse one.
    fn add_up(&mut self, coarse: &[Block], fine: &[Block], groups: &[usize]) {
        for (at, whole) in coarse.iter().enumerate() {
            let parts: Vec<usize> =
                fine.iter().zip(groups).filter(|(_, of)| **of == at).filter_map(|(block, _)| *block).collect();
            self.sum(*whole, &parts);
        }
    }

    /// What is not tied together apart, each with numbers of its own.
    fn parts(self) -> Vec<Part> {
        let mut roots: Vec<usize> = (0..self.table.len()).collect();
        fn root(roots: &mut [usize], mut at: usize) -> usize {
            while roots[at] != at {
                roots[at] = roots[roots[at]];
                at = roots[at];
            }
            at
        }
        for equation in &self.equations {
            for pair in equation.windows(2) {
                let (one, other) = (root(&mut roots, pair[0].0), root(&mut roots, pair[1].0));
                roots[one] = other;
            }
        }
        let mut parts: BTreeMap<usize, Part> = BTreeMap::new();
        let mut places = Vec::new();
        for (unknown, value) in self.table.iter().enumerate() {
            let part = parts.entry(root(&mut roots, unknown)).or_default();
            places.push(part.table.len());
            part.table.push(*value);
        }
        for equation in self.equations {
            let Some(part) = equation.first().and_then(|(at, _)| parts.get_mut(&root(&mut roots, *at))) else {
                continue;
            };
            part.equations.push(equation.iter().map(|(at, by)| (places[*at], *by)).collect());
        }
        for (place, unknown, cell) in self.targets {
            if let Some(part) = parts.get_mut(&root(&mut roots, unknown)) {
                part.targets.push((place, places[unknown], cell));
            }
        }
        parts.into_values().filter(|part| !part.targets.is_empty()).collect()
    }
}

/// The counts of a table of shared attributes, from a slice that has them all.
fn shared(view: &View, views: &Views, ladders: &[Ladder]) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); view.groups.len()];
    let fine = (0..views.slices).find(|slice| subset(&view.attributes, &views.views[*slice].attributes));
    let Some(fine) = fine else { return counts };
    for (group, behind) in views.views[fine].project(&view.attributes).iter().zip(&ladders[fine].behind) {
        let Some(at) = view.groups.iter().position(|own| own == group) else { continue };
        counts[at].iter_mut().flatten().zip(behind.counts.iter().flatten()).for_each(|(sum, part)| *sum += part);
    }
    counts
}
