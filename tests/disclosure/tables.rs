//! Random tables: contracts, plans and events of one seed each.

use fedaudit_core::aggregate::{Aggregate, Stratum, Truth};
use fedaudit_core::contract::Contract;
use fedaudit_core::event::{ABSENT, Prediction, Tier};
use fedaudit_core::plan::Plan;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Numbers that are the same on every machine, for ever (Steele, Lea and Flood 2014: SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    /// From a seed.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// Below `of`.
    pub fn below(&mut self, of: usize) -> usize {
        (self.next() % of as u64) as usize
    }

    /// A place of weights, as likely as it is heavy.
    fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        let at = weights.iter().position(|weight| match left.checked_sub(*weight) {
            None => true,
            Some(less) => {
                left = less;
                false
            }
        });
        at.expect("less than their sum")
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A plan's systems of slices, over the attributes a, b and c.
const SYSTEMS: [&[&[usize]]; 10] = [
    &[&[0]],
    &[&[0], &[1]],
    &[&[0, 1]],
    &[&[0], &[1], &[0, 1]],
    &[&[0, 1], &[1, 2]],
    &[&[0], &[0, 1], &[1, 2]],
    &[&[0, 1, 2]],
    &[&[0], &[1], &[2], &[0, 1, 2]],
    &[&[0], &[0, 1], &[0, 1, 2]],
    &[&[0, 1], &[1, 2], &[0, 2]],
];

/// Codes of each attribute at most, `other` and `unknown` among them.
const CODES: [usize; 3] = [6, 3, 10];

/// What a table is over, and how its events come.
pub struct Table {
    /// `contract.toml`.
    pub contract: String,
    /// `plan.toml`.
    pub plan: String,
    /// Whether the plan hides zeros.
    pub hide_zeros: bool,
    codes: Vec<usize>,
    versions: usize,
    tiers: bool,
    events: usize,
}

impl Table {
    /// The one of a seed.
    pub fn drawn(numbers: &mut Numbers) -> Table {
        let slices = numbers.one_of(&SYSTEMS);
        let attributes = slices.iter().flat_map(|slice| slice.iter()).max().map_or(0, |last| last + 1);
        let codes: Vec<usize> = CODES[..attributes].iter().map(|most| 3 + numbers.below(most - 2)).collect();
        let versions = numbers.one_of(&[1, 1, 1, 2]);
        let k = numbers.one_of(&[3, 5, 5, 10, 10, 20]);
        let tiers = numbers.below(4) == 0;
        let events = numbers.one_of(&[0, 1, 30, 100, 300, 300, 1_000, 1_000, 3_000, 3_000, 10_000]);
        let hide_zeros = numbers.below(3) == 0;
        let mut contract = "contract = \"t\"\nversion = 1\ntitle = \"t\"\ntask = \"binary\"\nmodel = \"t\"\n\
            [decision]\nvalues = [\"0\", \"1\"]\nfavourable = \"1\"\n[label]\nvalues = [\"0\", \"1\"]\npositive = \"1\"\n"
            .to_owned();
        for (name, codes) in NAMES.iter().zip(&codes) {
            let categories: Vec<String> = (0..codes - 2).map(|code| code.to_string()).collect();
            let _ = write!(contract, "[[attribute]]\nname = \"{name}\"\ncategories = {categories:?}\n");
        }
        let versioned: Vec<String> = (0..versions).map(|version| format!("v{version}")).collect();
        let mut plan = format!(
            "plan = \"t\"\nversion = 1\ntitle = \"t\"\ncontract = \"t\"\nmodel_versions = {versioned:?}\n\
             required_sites = [\"s\"]\n[windows]\nstart = \"2026-01-01T00:00:00Z\"\nend = \"2026-02-01T00:00:00Z\"\n\
             release_after_hours = 0\n[disclosure]\nk = {k}\nhide_zeros = {hide_zeros}\n"
        );
        for slice in slices {
            let attributes: Vec<&str> = slice.iter().map(|at| NAMES[*at]).collect();
            let reference = vec!["0"; slice.len()];
            let _ = write!(plan, "[[slice]]\nattributes = {attributes:?}\nreference = {reference:?}\n");
        }
        Table { contract, plan, hide_zeros, codes, versions, tiers, events }
    }

    /// Its events, and how many there are of each kind: stratum, attributes, decision, label.
    pub fn events(&self, numbers: &mut Numbers, plan: &Plan, contract: &Contract) -> (Aggregate, Vec<Counted>) {
        // Some categories are common, others rare; `other` and `unknown` are.
        let mut weights = |codes: usize| -> Vec<usize> {
            let heavy = (0..codes - 2).map(|_| numbers.one_of(&[1, 5, 20, 100]));
            heavy.chain([1, 1]).collect()
        };
        let categories: Vec<Vec<usize>> = self.codes.iter().map(|codes| weights(*codes)).collect();
        let lean: Vec<usize> = (0..self.codes[0]).map(|_| 10 + numbers.below(80)).collect();
        let labelled = numbers.one_of(&[0, 60, 90, 100]);
        let absent = numbers.one_of(&[0, 0, 0, 2]);
        let mut counted: BTreeMap<(Stratum, Vec<u16>, usize, usize), u64> = BTreeMap::new();
        let mut aggregate = Aggregate::empty(plan, contract).expect("fits");
        let start = plan.all_windows()[0].start;
        for _ in 0..self.events {
            let version = numbers.weighted(&[5, 1][..self.versions]);
            let tier = if self.tiers && numbers.below(8) == 0 { Tier::Sampled(10) } else { Tier::Full };
            let attributes: Vec<u16> = categories.iter().map(|weights| numbers.weighted(weights) as u16).collect();
            let lean = lean[usize::from(attributes[0])];
            let label = usize::from(numbers.below(100) < lean);
            let decision = if numbers.below(100) < 80 { label } else { 1 - label };
            let label = if numbers.below(100) < labelled { label } else { 2 };
            let decision = if numbers.below(100) < absent { 2 } else { decision };
            let event = Prediction {
                occurred_at: start,
                decision: if decision == 2 { ABSENT } else { decision as u8 },
                attributes: attributes.clone(),
                ..Prediction::default()
            };
            let truth = (label < 2).then(|| Truth::new(label as u64));
            aggregate.describe(&event).expect("inside the contract");
            if truth.is_some() {
                aggregate.delay(start, start);
            }
            aggregate.add((version, tier), &event, truth).expect("inside the contract");
            *counted.entry(((version, tier), attributes, decision, label)).or_default() += 1;
        }
        let strata: Vec<Stratum> = strata(self.versions, &counted);
        let place = |of: &Stratum| strata.iter().position(|stratum| stratum == of).expect("listed");
        let counted = counted.into_iter().map(|((of, codes, d, l), n)| (place(&of), codes, d, l, n));
        (aggregate, counted.collect())
    }
}

/// Place of the stratum in the release, attributes, decision, label, events.
pub type Counted = (usize, Vec<u16>, usize, usize, u64);

/// Each model version in full, then its tiers with events.
fn strata(versions: usize, counted: &BTreeMap<(Stratum, Vec<u16>, usize, usize), u64>) -> Vec<Stratum> {
    let full = (0..versions).map(|version| (version, Tier::Full));
    let mut strata: Vec<Stratum> = counted.keys().map(|(stratum, ..)| *stratum).chain(full).collect();
    strata.sort();
    strata.dedup();
    strata
}

const NAMES: [&str; 3] = ["a", "b", "c"];
