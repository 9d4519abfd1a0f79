//! The integer answer to a plan for one site and window. It stays at home: nothing here can be serialised.
//!
//! Merging is addition, so order never matters and recomputation is bit-exact.

mod detail;
mod operations;
mod subjects;
mod truncated;

pub(crate) use detail::{DetailTensors, MomentSums, WeightSums};
pub(crate) use operations::{OperationCounts, SumCounts};
pub(crate) use subjects::{People, SubjectCounts};
pub use truncated::Truncation;

use crate::codec;
use crate::contract::{ContractText, Feature};
use crate::event::{Prediction, Sides, Tally, TallyKind, Tier, bin_of};
use crate::ids::Digest;
use crate::plan::PlanText;
use crate::time::Time;
use ndarray::{Array2, Array3};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Place of a model version in the plan, and how its events came into the journal.
pub type Stratum = (usize, Tier);

/// Which model an event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The one that the plan names.
    Equal,
    /// Another one.
    Different,
    /// None.
    Absent,
}

/// Counts and histograms of one plan, site and window.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Events of the plan's model versions.
    pub(crate) events: u64,
    /// Those of them with a label.
    pub(crate) outcomes: u64,
    /// Events that a plan of differential privacy leaves out; part of no digest.
    left_out: u64,
    /// What intake counted, by kind.
    pub(crate) intake: [i64; TallyKind::ALL.len()],
    /// Values of features.
    pub(crate) quality: QualityCounts,
    /// What events took: time, money, tokens.
    pub(crate) operations: OperationCounts,
    /// One for each model version of the plan, and for each of its sampling tiers that has events.
    pub(crate) strata: BTreeMap<Stratum, Vec<SliceTensors>>,
    /// By the model's digest that events came with, where the plan names one; part of no digest.
    pub(crate) identity: BTreeMap<Stratum, [u64; 3]>,
    shapes: Vec<SliceShape>,
    sides: Sides,
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
    /// For each feature: events by code, which are its bins, missing, violations.
    pub features: Vec<Vec<u64>>,
}

/// Tensors of one slice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SliceTensors {
    /// `C[group][decision 0, 1, absent][label 0, 1, none]`.
    pub counts: Array3<u64>,
    /// `H` for each group; empty where the contract has no score.
    pub scores: Vec<ScoreTensors>,
    /// What only some tasks and journals have.
    pub detail: DetailTensors,
    /// For each group, which events are of one person; of groups without events perhaps none.
    pub subjects: Vec<SubjectCounts>,
}

/// What is known of an event once its label came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Its code ([`crate::event::label_code`]).
    pub label: u64,
    /// How many events this one stands for, where labels are a stratified sample; 1 else.
    pub weight: u32,
    /// In a multiclass task, where the true class stands among the model's outputs, likeliest first, counted from 0;
    /// `Some(None)` if it is not among them, none if the event came without outputs.
    pub rank: Option<Option<u8>>,
}

impl Truth {
    /// A label that stands for its own event.
    pub fn new(label: u64) -> Truth {
        Truth { label, weight: 1, rank: None }
    }
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
        let sides = Sides::of(contract);
        let slices: Vec<_> = shapes.iter().map(|shape| SliceTensors::empty(shape.groups(), bins, sides)).collect();
        let versions = plan.model_versions.len();
        let features: Vec<u16> = contract.features.iter().map(Feature::missing_code).collect();
        Ok(Aggregate {
            events: 0,
            outcomes: 0,
            left_out: 0,
            intake: [0; TallyKind::ALL.len()],
            quality: QualityCounts {
                described: 0,
                features: features.iter().map(|bins| vec![0; usize::from(*bins) + 2]).collect(),
            },
            operations: OperationCounts::default(),
            strata: (0..versions).map(|version| ((version, Tier::Full), slices.clone())).collect(),
            identity: BTreeMap::new(),
            shapes,
            sides,
            bins,
            features,
            versions,
        })
    }

    /// Counts one event. What [`Aggregate::describe`] and [`Aggregate::subject`] count is not part of it.
    ///
    /// # Errors
    /// Codes outside the contract: a journal that this contract did not write.
    pub fn add(&mut self, stratum: Stratum, event: &Prediction, truth: Option<Truth>) -> Result<(), String> {
        let inside = self.shapes.iter().all(|shape| shape.group_of(&event.attributes).is_some());
        if !inside || stratum.0 >= self.versions {
            return Err("an event's attribute codes are outside the contract".to_owned());
        }
        let (decision, label) = self.sides_of(event, truth.map(|truth| truth.label))?;
        let (shapes, bins, sides) = (&self.shapes, self.bins, self.sides);
        let empty = || shapes.iter().map(|shape| SliceTensors::empty(shape.groups(), bins, sides)).collect();
        let slices = self.strata.entry(stratum).or_insert_with(empty);
        // The same bin in every slice.
        let score = bins.map(|bins| event.score_q.map(|q| (q, bin_of(q, bins))));
        for (slice, shape) in slices.iter_mut().zip(shapes) {
            let Some(group) = shape.group_of(&event.attributes) else { continue };
            slice.counts[[group, decision, label]] += 1;
            if let (Some(score), Some(scores)) = (score, slice.scores.get_mut(group)) {
                scores.add(score, label);
            }
            slice.detail.add(group, sides, event, (decision, label), truth);
        }
        self.events += 1;
        self.outcomes += u64::from(truth.is_some());
        Ok(())
    }

    /// The sides (0, 1 or neither) of decision and label.
    pub(crate) fn sides_of(&self, event: &Prediction, label: Option<u64>) -> Result<(usize, usize), String> {
        let sides = self.sides.decision(event.decision).zip(self.sides.label(label));
        sides.ok_or_else(|| "an event's decision or label code is outside the contract".to_owned())
    }

    /// Counts what does not depend on the label: the features of an event, all of them or none where it came without, and
    /// what it took.
    ///
    /// # Errors
    /// Codes outside the contract.
    pub fn describe(&mut self, event: &Prediction) -> Result<(), String> {
        self.operations.add(event);
        let features = &event.features;
        if features.is_empty() {
            return Ok(());
        }
        let inside = |(code, bins): (&u16, &u16)| *code <= bins.saturating_add(1);
        if features.len() != self.features.len() || !features.iter().zip(&self.features).all(inside) {
            return Err("an event's feature codes are outside the contract".to_owned());
        }
        self.quality.described += 1;
        for (code, counts) in features.iter().zip(&mut self.quality.features) {
            if let Some(count) = counts.get_mut(usize::from(*code)) {
                *count += 1;
            }
        }
        Ok(())
    }

    /// Counts an event by the model that it names ([`Named`]); [`Aggregate::add`] counts the rest.
    pub fn identify(&mut self, stratum: Stratum, named: Named) {
        if let Some(count) = self.identity.entry(stratum).or_default().get_mut(named as usize) {
            *count += 1;
        }
    }

    /// Notes how many events were left out ([`Truncation`]).
    pub fn leave_out(&mut self, events: u64) {
        self.left_out += events;
    }

    /// Events that were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts how long a label took to come.
    pub fn delay(&mut self, occurred_at: Time, labelled_at: Time) {
        self.operations.delay(occurred_at, labelled_at);
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

    /// Adds another part of the same plan, which holds no event of a subject that this part holds one of.
    ///
    /// # Errors
    /// An aggregate of another shape.
    pub fn merge(mut self, other: &Aggregate) -> Result<Self, String> {
        let same = self.shapes == other.shapes && self.bins == other.bins && self.features == other.features;
        if !same || self.sides != other.sides || self.versions != other.versions {
            return Err("aggregates of different plans do not merge".to_owned());
        }
        self.events += other.events;
        self.outcomes += other.outcomes;
        self.left_out += other.left_out;
        for (mine, theirs) in self.intake.iter_mut().zip(other.intake) {
            *mine = mine.saturating_add(theirs);
        }
        self.quality.described += other.quality.described;
        let features = self.quality.features.iter_mut().flatten().zip(other.quality.features.iter().flatten());
        features.for_each(|(mine, theirs)| *mine += theirs);
        self.operations.merge(&other.operations);
        for (stratum, theirs) in &other.identity {
            let mine = self.identity.entry(*stratum).or_default();
            mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
        }
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
        hash.update(codec::encode(&self.operations)?);
        for ((version, tier), slices) in &self.strata {
            hash.update(codec::encode(&(*version as u64, tier.weight()))?);
            for slice in slices {
                hash.update(codec::encode(&slice.counts.iter().copied().collect::<Vec<u64>>())?);
                for scores in &slice.scores {
                    hash.update(codec::encode(&scores.counts.iter().copied().collect::<Vec<u64>>())?);
                    hash.update(codec::encode(&scores.sums.iter().copied().collect::<Vec<u128>>())?);
                    hash.update(codec::encode(&(scores.no_score, scores.square_sums))?);
                }
                hash.update(codec::encode(&(&slice.detail, &slice.subjects))?);
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
        mine.detail.merge(&theirs.detail);
        subjects::merge(&mut mine.subjects, &theirs.subjects);
    }
}

impl SliceTensors {
    fn empty(groups: usize, bins: Option<u32>, sides: Sides) -> Self {
        let scores = bins.map_or(Vec::new(), |bins| vec![ScoreTensors::empty(bins as usize); groups]);
        let detail = DetailTensors::empty(groups, sides);
        SliceTensors { counts: Array3::zeros((groups, 3, 3)), scores, detail, subjects: Vec::new() }
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
pub(crate) mod tests;
