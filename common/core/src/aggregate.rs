//! The integer answer to a plan for one site and window. It stays at home: nothing here can be serialised.
//!
//! Merging is addition, so order never matters and recomputation is bit-exact.

use crate::codec;
use crate::contract::{ContractText, Feature};
use crate::event::{Prediction, Tally, TallyKind, Tier, bin_of};
use crate::ids::Digest;
use crate::plan::PlanText;
use ndarray::{Array2, Array3};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Place of a model version in the plan, and how its events came into the journal.
pub type Stratum = (usize, Tier);

/// Counts and histograms of one plan, site and window.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Events of the plan's model versions.
    pub(crate) events: u64,
    /// Those of them with a label.
    pub(crate) outcomes: u64,
    /// What intake counted, by kind.
    pub(crate) intake: [i64; TallyKind::ALL.len()],
    /// Values of features.
    pub(crate) quality: QualityCounts,
    /// One for each model version of the plan, and for each of its sampling tiers that has events.
    pub(crate) strata: BTreeMap<Stratum, Vec<SliceTensors>>,
    shapes: Vec<SliceShape>,
    bins: Option<u32>,
    /// Number of bins of each feature.
    features: Vec<u16>,
    versions: usize,
}

/// How well the features of events keep the contract.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QualityCounts {
    /// Events that came with features.
    pub described: u64,
    /// For each feature: missing, violations.
    pub features: Vec<[u64; 2]>,
}

/// Tensors of one slice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SliceTensors {
    /// `C[group][decision 0, 1, absent][label 0, 1, none]`.
    pub counts: Array3<u64>,
    /// `H` for each group; empty where the contract has no score.
    pub scores: Vec<ScoreTensors>,
}

/// Score histogram of one group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScoreTensors {
    /// Events `[label][bin]`.
    pub counts: Array2<u64>,
    /// Sum of q `[label][bin]`.
    pub sums: Array2<u128>,
    /// Events without a score, by label.
    pub no_score: [u64; 3],
    /// Sum of q^2, by label.
    pub square_sums: [u128; 3],
}

/// How a slice's groups are numbered: row-major over its attributes' codes.
#[derive(Clone, Debug, PartialEq)]
struct SliceShape {
    /// (position of the attribute in the contract, its number of codes).
    axes: Vec<(usize, usize)>,
}

impl SliceShape {
    fn groups(&self) -> usize {
        self.axes.iter().map(|&(_, codes)| codes).product()
    }

    fn group_of(&self, attributes: &[u16]) -> Option<usize> {
        self.axes.iter().try_fold(0, |group, &(at, codes)| {
            let code = usize::from(*attributes.get(at)?);
            (code < codes).then_some(group * codes + code)
        })
    }
}

impl Aggregate {
    /// No events yet.
    ///
    /// # Errors
    /// A plan that does not fit its contract.
    pub fn empty(plan: &PlanText, contract: &ContractText) -> Result<Self, String> {
        plan.check_against(contract)?;
        let axis = |name: &String| contract.attribute(name).map(|at| (at, contract.attributes[at].codes()));
        let mut shapes = vec![SliceShape { axes: Vec::new() }];
        shapes.extend(plan.slices.iter().map(|s| SliceShape { axes: s.attributes.iter().filter_map(axis).collect() }));
        let bins = contract.score.as_ref().map(|score| score.bins);
        let slices: Vec<_> = shapes.iter().map(|shape| SliceTensors::empty(shape.groups(), bins)).collect();
        let versions = plan.model_versions.len();
        let features: Vec<u16> = contract.features.iter().map(Feature::missing_code).collect();
        Ok(Aggregate {
            events: 0,
            outcomes: 0,
            intake: [0; TallyKind::ALL.len()],
            quality: QualityCounts { described: 0, features: vec![[0; 2]; features.len()] },
            strata: (0..versions).map(|version| ((version, Tier::Full), slices.clone())).collect(),
            shapes,
            bins,
            features,
            versions,
        })
    }

    /// Counts one event, the features that it came with included; `label` is 0, 1 or absent.
    ///
    /// # Errors
    /// Codes outside the contract: a journal that this contract did not write.
    pub fn add(&mut self, stratum: Stratum, event: &Prediction, label: u8) -> Result<(), String> {
        let (decision, label) = (usize::from(event.decision), usize::from(label));
        let inside = self.shapes.iter().all(|shape| shape.group_of(&event.attributes).is_some());
        if !inside || stratum.0 >= self.versions {
            return Err("an event's attribute codes are outside the contract".to_owned());
        }
        if decision > 2 || label > 2 {
            return Err("an event's decision or label code is outside the contract".to_owned());
        }
        self.describe(&event.features)?;
        let (shapes, bins) = (&self.shapes, self.bins);
        let empty = || shapes.iter().map(|shape| SliceTensors::empty(shape.groups(), bins)).collect();
        let slices = self.strata.entry(stratum).or_insert_with(empty);
        // The same bin in every slice.
        let score = bins.map(|bins| event.score_q.map(|q| (q, bin_of(q, bins))));
        for (slice, shape) in slices.iter_mut().zip(shapes) {
            let Some(group) = shape.group_of(&event.attributes) else { continue };
            slice.counts[[group, decision, label]] += 1;
            if let (Some(score), Some(scores)) = (score, slice.scores.get_mut(group)) {
                scores.add(score, label);
            }
        }
        self.events += 1;
        self.outcomes += u64::from(label < 2);
        Ok(())
    }

    /// Counts the features of an event: all of them, or none where it came without. For those who hold events in columns,
    /// and hand them to [`Aggregate::add`] without their features.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn describe(&mut self, features: &[u16]) -> Result<(), String> {
        if features.is_empty() {
            return Ok(());
        }
        let inside = |(code, bins): (&u16, &u16)| *code <= bins.saturating_add(1);
        if features.len() != self.features.len() || !features.iter().zip(&self.features).all(inside) {
            return Err("an event's feature codes are outside the contract".to_owned());
        }
        self.quality.described += 1;
        for ((code, bins), [missing, violations]) in features.iter().zip(&self.features).zip(&mut self.quality.features)
        {
            *missing += u64::from(code == bins);
            *violations += u64::from(code > bins);
        }
        Ok(())
    }

    /// Counts what intake saw in an hour of the window.
    pub fn tally(&mut self, tally: &Tally) {
        if let Some(count) = self.intake.get_mut(tally.kind as usize) {
            *count = count.saturating_add(tally.change);
        }
    }

    /// The group of each slice that counts the event; none for codes outside the contract.
    pub(crate) fn groups_of(&self, event: &Prediction) -> Option<Vec<usize>> {
        self.shapes.iter().map(|shape| shape.group_of(&event.attributes)).collect()
    }

    /// Adds another part of the same plan.
    ///
    /// # Errors
    /// An aggregate of another shape.
    pub fn merge(mut self, other: &Aggregate) -> Result<Self, String> {
        let same = self.shapes == other.shapes && self.bins == other.bins && self.features == other.features;
        if !same || self.versions != other.versions {
            return Err("aggregates of different plans do not merge".to_owned());
        }
        self.events += other.events;
        self.outcomes += other.outcomes;
        for (mine, theirs) in self.intake.iter_mut().zip(other.intake) {
            *mine = mine.saturating_add(theirs);
        }
        self.quality.described += other.quality.described;
        let features = self.quality.features.iter_mut().flatten().zip(other.quality.features.iter().flatten());
        features.for_each(|(mine, theirs)| *mine += theirs);
        for (stratum, theirs) in &other.strata {
            match self.strata.get_mut(stratum) {
                Some(mine) => add_slices(mine, theirs),
                None => drop(self.strata.insert(*stratum, theirs.clone())),
            }
        }
        Ok(self)
    }

    /// SHA-256 over the salt and every integer: pins the raw answer without giving it away.
    ///
    /// # Errors
    /// Never for an aggregate of this program.
    pub fn salted_digest(&self, salt: &[u8; 16]) -> Result<Digest, codec::CodecError> {
        let mut hash = Sha256::new().chain_update(salt);
        hash.update(codec::encode(&(self.events, self.outcomes))?);
        hash.update(codec::encode(&(self.intake, self.quality.described, &self.quality.features))?);
        for ((version, tier), slices) in &self.strata {
            hash.update(codec::encode(&(*version as u64, tier.weight()))?);
            for slice in slices {
                hash.update(codec::encode(&slice.counts.iter().copied().collect::<Vec<u64>>())?);
                for scores in &slice.scores {
                    hash.update(codec::encode(&scores.counts.iter().copied().collect::<Vec<u64>>())?);
                    hash.update(codec::encode(&scores.sums.iter().copied().collect::<Vec<u128>>())?);
                    hash.update(codec::encode(&(scores.no_score, scores.square_sums))?);
                }
            }
        }
        Ok(Digest(hash.finalize().into()))
    }
}

fn add_slices(mine: &mut [SliceTensors], theirs: &[SliceTensors]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.counts += &theirs.counts;
        for (mine, theirs) in mine.scores.iter_mut().zip(&theirs.scores) {
            mine.counts += &theirs.counts;
            mine.sums += &theirs.sums;
            for label in 0..3 {
                mine.no_score[label] += theirs.no_score[label];
                mine.square_sums[label] += theirs.square_sums[label];
            }
        }
    }
}

impl SliceTensors {
    fn empty(groups: usize, bins: Option<u32>) -> Self {
        let scores = bins.map_or(Vec::new(), |bins| vec![ScoreTensors::empty(bins as usize); groups]);
        SliceTensors { counts: Array3::zeros((groups, 3, 3)), scores }
    }
}

impl ScoreTensors {
    fn empty(bins: usize) -> Self {
        ScoreTensors {
            counts: Array2::zeros((3, bins)),
            sums: Array2::zeros((3, bins)),
            no_score: [0; 3],
            square_sums: [0; 3],
        }
    }

    /// Counts a score with its bin, or that there is none.
    fn add(&mut self, score: Option<(u64, usize)>, label: usize) {
        let Some((q, bin)) = score else {
            self.no_score[label] += 1;
            return;
        };
        self.counts[[label, bin]] += 1;
        self.sums[[label, bin]] += u128::from(q);
        self.square_sums[label] += u128::from(q) * u128::from(q);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::contract::{Contract, from_toml, tests::ADMISSION};
    use crate::event::SCORE_ONE;
    use crate::plan::{Plan, tests::plan};
    use proptest::prelude::*;

    pub(crate) const FULL: Stratum = (0, Tier::Full);

    pub(crate) fn documents() -> (Plan, Contract) {
        (plan(), from_toml(ADMISSION).expect("valid"))
    }

    pub(crate) fn event(decision: u8, score_q: Option<u64>, attributes: [u16; 2]) -> Prediction {
        let attributes = attributes.to_vec();
        Prediction { decision, score_q, attributes, ..Prediction::default() }
    }

    fn of(rows: &[(u8, u8, Option<u64>, u16, u16)]) -> Aggregate {
        let (plan, contract) = documents();
        let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
        for &(decision, label, q, a, b) in rows {
            aggregate.add((0, Tier::Full), &event(decision, q, [a, b]), label).expect("inside the contract");
        }
        aggregate
    }

    fn rows() -> impl Strategy<Value = Vec<(u8, u8, Option<u64>, u16, u16)>> {
        proptest::collection::vec((0..3_u8, 0..3_u8, proptest::option::of(0..=SCORE_ONE), 0..4_u16, 0..4_u16), 0..40)
    }

    #[test]
    fn codes_outside_the_contract_are_refused() {
        let mut aggregate = of(&[]);
        assert!(aggregate.add((0, Tier::Full), &event(3, None, [0, 0]), 0).is_err());
        assert!(aggregate.add((0, Tier::Full), &event(1, None, [4, 0]), 0).is_err());
        assert!(aggregate.add((1, Tier::Full), &event(1, None, [0, 0]), 0).is_err());
        assert_eq!(aggregate, of(&[]));
    }

    pub(crate) const FEATURES: &str = r#"
[[feature]]
name = "grade"
type = "number"
min = 0
max = 4
edges = [1, 2]
missing = true

[[feature]]
name = "first"
type = "boolean"
"#;

    #[test]
    fn tallies_features_and_tiers_are_counted_apart() {
        let (plan, _) = documents();
        let contract = from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid");
        let empty = Aggregate::empty(&plan, &contract).expect("fits");
        let of = |stratum: Stratum, features: &[u16], kind, change| {
            let mut aggregate = empty.clone();
            let event = Prediction { features: features.to_vec(), ..event(1, None, [0, 0]) };
            aggregate.add(stratum, &event, 2).expect("inside the contract");
            aggregate.tally(&Tally { hour: crate::time::Time(0), kind, change });
            aggregate
        };
        let parts = [
            of(FULL, &[3, 1], TallyKind::RequestOnly, 5),
            of((0, Tier::Sampled(20)), &[4, 3], TallyKind::RequestOnly, -2),
            of((0, Tier::Sampled(10)), &[2, 3], TallyKind::Refused, 1),
            of((0, Tier::Sampled(20)), &[], TallyKind::Refused, 1),
        ];
        let sum = parts.iter().try_fold(empty.clone(), |sum, part| sum.merge(part)).expect("same plan");
        let back = parts.iter().rev().try_fold(empty.clone(), |sum, part| sum.merge(part)).expect("same plan");
        assert_eq!(sum, back);
        assert_eq!((sum.events, sum.intake[1], sum.intake[11]), (4, 3, 2));
        assert_eq!(sum.quality, QualityCounts { described: 3, features: vec![[1, 1], [0, 2]] });
        let events = |stratum: Stratum| sum.strata[&stratum][0].counts.sum();
        let tiers = [Tier::Full, Tier::Sampled(10), Tier::Sampled(20)].map(|tier| (0, tier));
        assert_eq!((sum.strata.len(), tiers.map(events)), (3, [1, 1, 2]));
        let digest = |aggregate: &Aggregate| aggregate.salted_digest(&[0; 16]).expect("encodes");
        let digests: std::collections::BTreeSet<_> = parts.iter().map(digest).collect();
        assert_eq!(digests.len(), 4, "each of them changes the digest");
        let mut outside = empty.clone();
        assert!(outside.describe(&[5, 0]).is_err() && outside.describe(&[0]).is_err());
        assert_eq!(outside, empty);
    }

    proptest! {
        #[test]
        fn any_split_and_order_gives_the_same(a in rows(), b in rows()) {
            let both: Vec<_> = a.iter().chain(&b).copied().collect();
            let merged = of(&a).merge(&of(&b)).expect("same plan");
            prop_assert_eq!(&merged, &of(&b).merge(&of(&a)).expect("same plan"));
            prop_assert_eq!(&merged, &of(&both));
            let salt = [1; 16];
            prop_assert_eq!(merged.salted_digest(&salt), of(&both).salted_digest(&salt));
            prop_assert_eq!(merged.events as usize, both.len());
        }

        #[test]
        fn slices_add_up_to_the_whole(rows in rows()) {
            let aggregate = of(&rows);
            let whole = aggregate.strata[&FULL][0].counts.index_axis(ndarray::Axis(0), 0).to_owned();
            for slice in &aggregate.strata[&FULL] {
                prop_assert_eq!(slice.counts.sum_axis(ndarray::Axis(0)), whole.clone());
            }
        }
    }
}
