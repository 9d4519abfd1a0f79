//! Equations over counts, and which of these counts follow from them too well.
//!
//! What is not tied together is solved apart. What is too large to be solved at once is solved in the neighbourhood of each
//! count, as if all else were known: whoever knows more learns no less, so a count that has enough values there has them.

use super::Counts;
use super::simplex::{Simplex, Unsolved, Work};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Equations as unknown and coefficient, each sum being what it is in the table.
pub(super) struct System<T> {
    equations: Vec<Vec<(usize, i64)>>,
    table: Vec<i64>,
    targets: Vec<Target<T>>,
}

/// A count that needs so many values, and whom it is told of.
#[derive(Clone, Copy)]
struct Target<T> {
    of: T,
    unknown: usize,
    need: i64,
    /// Whether it may be known to be 0.
    or_zero: bool,
}

/// How hard to look for values before a count is said to have too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Among what is near.
    Near,
    /// Among all.
    All,
}

/// Unknowns that equations tie together, with numbers of their own.
struct Part<T> {
    equations: Vec<Vec<(usize, i64)>>,
    table: Vec<i64>,
    targets: Vec<Target<T>>,
}

impl<T: Copy + Ord> System<T> {
    /// No equations yet.
    pub fn new() -> System<T> {
        System { equations: Vec::new(), table: Vec::new(), targets: Vec::new() }
    }

    /// The first of nine unknowns.
    pub fn unknowns(&mut self, counts: &Counts) -> usize {
        let first = self.table.len();
        self.table.extend(counts.iter().flatten().map(|count| i64::try_from(*count).unwrap_or(i64::MAX)));
        first
    }

    /// What an unknown is in the table.
    pub fn count(&self, unknown: usize) -> u64 {
        self.table.get(unknown).map_or(0, |count| count.unsigned_abs())
    }

    /// An unknown that is the sum of others.
    pub fn total(&mut self, parts: &[usize]) -> usize {
        let whole = self.table.len();
        self.table.push(parts.iter().map(|at| self.table[*at]).sum());
        self.equate(parts.iter().map(|at| (*at, 1)).chain([(whole, -1)]).collect());
        whole
    }

    /// A sum of unknowns is known.
    pub fn equate(&mut self, equation: Vec<(usize, i64)>) {
        if !equation.is_empty() {
            self.equations.push(equation);
        }
    }

    /// Parts add up to a whole, known or not, cell by cell.
    pub fn sum(&mut self, whole: Option<usize>, parts: &[usize]) {
        for cell in 0..9 {
            let whole = whole.map(|first| (first + cell, -1));
            self.equate(whole.into_iter().chain(parts.iter().map(|first| (first + cell, 1))).collect());
        }
    }

    /// The groups of a fine view add up to those of a coarse one.
    pub fn add_up(&mut self, coarse: &[Option<usize>], fine: &[Option<usize>], groups: &[usize]) {
        let mut parts = vec![Vec::new(); coarse.len()];
        fine.iter().zip(groups).for_each(|(block, of)| parts[*of].extend(*block));
        coarse.iter().zip(&parts).for_each(|(whole, parts)| self.sum(*whole, parts));
    }

    /// An unknown needs so many values, or to be 0 alone.
    pub fn target(&mut self, of: T, unknown: usize, need: i64) {
        self.targets.push(Target { of, unknown, need, or_zero: true });
    }

    /// An unknown needs so many values, also where it is 0.
    pub fn target_zero_too(&mut self, of: T, unknown: usize, need: i64) {
        self.targets.push(Target { of, unknown, need, or_zero: false });
    }

    /// Whom the counts are told of that have too few values, one for each count, in order. Of those that were not got to
    /// before the work is spent, nothing is known: they are named.
    pub fn unprotected(mut self, effort: Effort, work: &mut Work) -> Vec<T> {
        let mut found = self.drop_zeros();
        self.drop_known();
        found.extend(self.parts().into_iter().flat_map(|part| part.unprotected(effort, work)));
        found.sort();
        found
    }

    /// Leaves out what can only be 0 as a part of a total of 0: most of a table without absent decisions or labels. Whom it is
    /// told of that needs more than that.
    fn drop_zeros(&mut self) -> Vec<T> {
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
        let few = self.targets.iter().filter(|of| zero[of.unknown] && !of.or_zero && of.need > 1).map(|of| of.of);
        let few = few.collect();
        self.targets.retain(|target| !zero[target.unknown]);
        few
    }

    /// Leaves out what an equation of its own says, but for targets.
    fn drop_known(&mut self) {
        let wanted: BTreeSet<usize> = self.targets.iter().map(|target| target.unknown).collect();
        loop {
            let alone = self.equations.iter().filter_map(|equation| match equation[..] {
                [(at, _)] if !wanted.contains(&at) => Some(at),
                _ => None,
            });
            let known: BTreeSet<usize> = alone.collect();
            if known.is_empty() {
                break;
            }
            self.equations.iter_mut().for_each(|equation| equation.retain(|(at, _)| !known.contains(at)));
            self.equations.retain(|equation| !equation.is_empty());
        }
    }

    /// What is not tied together apart, each with numbers of its own.
    fn parts(self) -> Vec<Part<T>> {
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
        let mut parts: BTreeMap<usize, Part<T>> = BTreeMap::new();
        let mut places = Vec::new();
        for (unknown, value) in self.table.iter().enumerate() {
            let part = parts.entry(root(&mut roots, unknown)).or_insert_with(Part::empty);
            places.push(part.table.len());
            part.table.push(*value);
        }
        for equation in self.equations {
            let Some(part) = equation.first().and_then(|(at, _)| parts.get_mut(&root(&mut roots, *at))) else {
                continue;
            };
            part.equations.push(equation.iter().map(|(at, by)| (places[*at], *by)).collect());
        }
        for target in self.targets {
            if let Some(part) = parts.get_mut(&root(&mut roots, target.unknown)) {
                part.targets.push(Target { unknown: places[target.unknown], ..target });
            }
        }
        parts.into_values().filter(|part| !part.targets.is_empty()).collect()
    }
}

impl<T: Copy> Part<T> {
    fn empty() -> Part<T> {
        Part { equations: Vec::new(), table: Vec::new(), targets: Vec::new() }
    }

    /// Most counts have enough values among few others, which is soon seen; the rest are tried among more, and then all.
    fn unprotected(mut self, effort: Effort, work: &mut Work) -> Vec<T> {
        let uses = self.uses();
        for size in NEAR.into_iter().filter(|size| effort == Effort::Near || *size < self.table.len()) {
            self.targets = self.unprotected_near(&uses, size, work);
        }
        let is_small = effort == Effort::All && self.table.len().saturating_mul(self.equations.len()) <= ENTRIES;
        let left = if is_small && !self.targets.is_empty() { self.solve(work) } else { self.targets };
        left.into_iter().map(|target| target.of).collect()
    }

    /// Targets that have too few values each among those around it.
    fn unprotected_near(&self, uses: &[Vec<usize>], size: usize, work: &mut Work) -> Vec<Target<T>> {
        let (mut left, mut found) = (VecDeque::from_iter(self.targets.iter().copied()), Vec::new());
        while let Some(target) = left.pop_front() {
            let (near, equations) = self.near(uses, target.unknown, size);
            let inside = left.iter().filter(|other| near.contains_key(&other.unknown)).copied();
            let part = self.within(&near, &equations, [target].into_iter().chain(inside).collect());
            let few: BTreeSet<usize> = part.solve(work).into_iter().map(|target| target.unknown).collect();
            found.extend(near.get(&target.unknown).filter(|at| few.contains(at)).map(|_| target));
            left.retain(|other| near.get(&other.unknown).is_none_or(|at| few.contains(at)));
        }
        found
    }

    /// Targets with too few values.
    fn solve(&self, work: &mut Work) -> Vec<Target<T>> {
        match Simplex::new(&self.equations, &self.table, work) {
            Ok(mut simplex) => {
                let few = |target: &&Target<T>| {
                    !simplex.is_free(target.unknown, target.need, target.or_zero).unwrap_or(false)
                };
                self.targets.iter().filter(few).copied().collect()
            }
            Err(Unsolved) => self.targets.clone(),
        }
    }

    /// The equations of each unknown.
    fn uses(&self) -> Vec<Vec<usize>> {
        let mut uses = vec![Vec::new(); self.table.len()];
        for (at, equation) in self.equations.iter().enumerate() {
            equation.iter().for_each(|(unknown, _)| uses[*unknown].push(at));
        }
        uses
    }

    /// The nearest unknowns, each with its place among them, and the equations that they are in.
    fn near(&self, uses: &[Vec<usize>], unknown: usize, size: usize) -> (BTreeMap<usize, usize>, BTreeSet<usize>) {
        let (mut near, mut queue) = (BTreeMap::from([(unknown, 0)]), VecDeque::from([unknown]));
        let mut met = BTreeSet::new();
        while let Some(at) = queue.pop_front() {
            for equation in uses[at].iter().filter(|equation| met.insert(**equation)) {
                for (other, _) in &self.equations[*equation] {
                    if near.len() < size && !near.contains_key(other) {
                        near.insert(*other, near.len());
                        queue.push_back(*other);
                    }
                }
            }
        }
        (near, met)
    }

    /// As if all but some unknowns were known.
    fn within(&self, near: &BTreeMap<usize, usize>, equations: &BTreeSet<usize>, targets: Vec<Target<T>>) -> Part<T> {
        let mut table = vec![0; near.len()];
        near.iter().for_each(|(unknown, at)| table[*at] = self.table[*unknown]);
        let of = |equation: &usize| -> Vec<(usize, i64)> {
            self.equations[*equation].iter().filter_map(|(unknown, by)| Some((*near.get(unknown)?, *by))).collect()
        };
        let inside = targets.into_iter().filter_map(|of| Some(Target { unknown: *near.get(&of.unknown)?, ..of }));
        Part { equations: equations.iter().map(of).collect(), table, targets: inside.collect() }
    }
}

/// Unknowns of a neighbourhood: of the first, and of one around what has too few values there.
const NEAR: [usize; 2] = [60, 300];
/// Most entries of a tableau that is solved at once.
const ENTRIES: usize = 1 << 20;
