//! Disclosure control: the only way from an [`Aggregate`] to a [`Release`].
//!
//! Rule K (`rungs-1`), with k from the plan, at one site, for one model version and sampling tier:
//!
//! 1. Each group of each slice is shown at a rung (`rungs.rs`): all cells, totals, the number of events, or in a fold.
//! 2. An attacker who solves everything that is shown together, and the public numbers, is let loose on it (`attack.rs`);
//!    where he learns too much of a hidden cell, neighbours go down a rung, too (`protect.rs`).
//! 3. Score histograms are shown where every group of a slice is full, so that nothing is left to be subtracted. They halve
//!    until each count is 0 or at least k; below ten bins they are withheld. All groups of a slice share one resolution, and
//!    all slices of two or more attributes share the coarsest that any of them needs, or show none. As no histogram stands
//!    beside a block below full, none can be cut at the decision's threshold to tell its cells.
//! 4. Sums of scores and of values are rounded to the plan's step, if it names one (`step.rs`).
//! 5. What only some tasks and journals have is said in `detail.rs`.
//!
//! The numbers of events and outcomes of a window, and what intake counted beside them, are public, by acceptance of the
//! plan. What is seen of features is said in `quality.rs`, of what events took in `operations.rs`.

mod amend;
mod attack;
mod detail;
mod identity;
mod noise;
mod operations;
mod overlap;
mod protect;
mod quality;
mod rungs;
mod scores;
mod simplex;
mod solve;
mod step;
mod together;
mod views;
mod zeros;

pub use amend::Transitions;
pub use detail::{Classes, LabelWeights, Moments, PAIR_CELLS, Ranks, Subjects};
pub use identity::ModelIdentity;
pub(crate) use noise::noisy_totals;
pub use noise::{NOISE_RULE, Noisy, disclose_noisy, noisy_numbers};
pub use operations::{Operations, Range, Sum};
pub use overlap::{Counted, Overlap};
pub(crate) use quality::passes;
pub use quality::{FeatureQuality, Quality};
pub use rungs::{Block, Margins, Rung};
pub use step::{Multiple, Step};
pub use together::{Released, Together};
pub(crate) use zeros::{Zeros, told};

use crate::aggregate::{Aggregate, SliceTensors};
use crate::codec;
use crate::contract::ContractText;
use crate::event::{IntakeCounts, Reason, Tier, Why};
use crate::ids::{Digest, Name};
use crate::plan::PlanText;
use crate::privacy::Noise;
use crate::time::Window;
use attack::Public;
use protect::protect;
use rungs::{Behind, Ladder};
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use views::Views;

/// The rule's name, as releases carry it.
pub const RULE: &str = "rungs-1";
/// Format of `release.json`.
pub const RELEASE_FORMAT: u32 = 1;

/// What may leave a site. Only [`disclose`] makes one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Release(ReleaseText);

impl Deref for Release {
    type Target = ReleaseText;
    fn deref(&self) -> &ReleaseText {
        &self.0
    }
}

/// The text of `release.json`, as sent and as claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseText {
    /// [`RELEASE_FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// Digest of the plan answered.
    pub plan: Digest,
    /// The window answered.
    pub window: Window,
    /// The disclosure rule.
    pub rule: String,
    /// Its k.
    pub k: u64,
    /// The noise on every count; absent where counts are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// Events of the plan's model versions in the window; always public.
    pub events: u64,
    /// Those of them with a label; always public.
    pub outcomes: u64,
    /// What intake counted beside them in the hours of the window, those of 0 left out; always public.
    #[serde(default, skip_serializing_if = "IntakeCounts::is_empty", with = "codec::counts")]
    pub intake: IntakeCounts,
    /// How well features keep the contract; absent where it lists none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// What events took; absent where none came with latency, cost or tokens, and none has a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
    /// One for each model version of the plan, and after it one for each of its sampling tiers that has events.
    pub strata: Vec<ReleasedStratum>,
}

/// Model version and sampling tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedStratum {
    /// The model version.
    pub model_version: String,
    /// The sampling tier.
    pub tier: Tier,
    /// Events by whether they named the model that the plan names; absent where it names none for this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Cell<ModelIdentity>>,
    /// The slice without attributes, then the plan's.
    pub slices: Vec<ReleasedSlice>,
}

/// One slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedSlice {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// All of its groups, in the plan's order.
    pub groups: Vec<ReleasedGroup>,
    /// What groups that are shown together show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Block>,
}

impl ReleasedSlice {
    /// The counts of all groups, where every one of them is full.
    pub fn full(&self) -> Option<Vec<Counts>> {
        self.groups.iter().map(|group| group.counts.full().copied()).collect()
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedGroup {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// `[decision 0, 1, absent][label 0, 1, none]`.
    pub counts: Block,
    /// Score histogram; absent where the contract has no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Cell<Scores>>,
    /// Multiclass: decisions against labels, class by class; absent in other tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Cell<Classes>>,
    /// Multiclass: where the true class stands among the model's outputs; absent in other tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Cell<Ranks>>,
    /// Regression: sums of predicted and true values; absent in other tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moments: Option<Cell<Moments>>,
    /// Weights of labels; absent where each stands for its own event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_weights: Option<Cell<LabelWeights>>,
    /// Which events are of one person; absent where no event of the stratum came with a subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Cell<Subjects>>,
}

impl ReleasedGroup {
    /// Counts and scores, and nothing else.
    pub fn new(group: Vec<String>, counts: Block, scores: Option<Cell<Scores>>) -> Self {
        ReleasedGroup {
            group,
            counts,
            scores,
            classes: None,
            ranks: None,
            moments: None,
            label_weights: None,
            subjects: None,
        }
    }
}

/// `[decision 0, 1, absent][label 0, 1, none]`.
pub type Counts = [[u64; 3]; 3];

/// A value, or hidden. Hidden is never 0, and does not say which rule hid it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell<T> {
    /// Visible.
    Value(T),
    /// Withheld by disclosure control.
    Suppressed,
}

impl<T> Cell<T> {
    /// The value, if visible.
    pub fn value(&self) -> Option<&T> {
        match self {
            Cell::Value(value) => Some(value),
            Cell::Suppressed => None,
        }
    }
}

/// A score histogram as released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Number of right-closed, equally wide bins over the contract's range.
    pub bins: u32,
    /// Events without a score, by label.
    pub no_score: [u64; 3],
    /// Sum of q^2, by label.
    pub square_sums: [Decimal; 3],
    /// By label: the bins that hold events, in order.
    pub histogram: [Vec<Bin>; 3],
}

/// An integer that may pass 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decimal(#[serde(with = "codec::decimal")] pub u128);

/// A bin: index, events, sum of q.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin(pub u32, pub u64, pub Decimal);

/// A release, and what the site's own desk may know beside it.
pub struct Disclosed {
    /// What may leave.
    pub release: Release,
    /// Why groups are not full. It never leaves.
    pub reasons: Vec<Reason>,
}

/// Puts an aggregate through disclosure control.
///
/// # Errors
/// A contract, plan and aggregate that do not belong together.
pub fn disclose(
    aggregate: &Aggregate,
    plan: &PlanText,
    contract: &ContractText,
    plan_digest: Digest,
    site: &Name,
    window: Window,
) -> Result<Disclosed, String> {
    plan.check_against(contract)?;
    if plan.disclosure.privacy.is_some() {
        return Err("counts of this plan leave with noise only".to_owned());
    }
    let (k, step) = (plan.disclosure.k, Step::of(&plan.disclosure));
    let mut names = vec![(Vec::new(), vec![Vec::new()])];
    names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    let behind = aggregate.strata.values().map(|slices| slices.iter().map(Behind::of_slice).collect()).collect();
    let public = Public { events: aggregate.events, outcomes: aggregate.outcomes };
    let hide_zeros = plan.disclosure.hide_zeros;
    let (ladders, whys) = protect(&Views::new(&names), behind, public, (k, hide_zeros));
    let (mut strata, mut reasons) = (Vec::new(), Vec::new());
    for (((stratum, slices), ladders), whys) in aggregate.strata.iter().zip(&ladders).zip(&whys) {
        let Some(model_version) = plan.model_versions.get(stratum.0) else { continue };
        let seen = scores::resolutions(slices, ladders, &names);
        let parts = names.iter().zip(slices).zip(ladders).zip(&seen);
        let released = parts.map(|(((names, slice), ladder), bins)| released(names, slice, (ladder, *bins), step));
        let mut released: Vec<_> = released.collect();
        detail::add(&mut released, slices, k, step);
        if hide_zeros {
            zeros::hide_details(&mut released);
        }
        reasons.extend(reasons_of(strata.len(), whys));
        let identity = identity::identity(aggregate, plan, *stratum, released.first(), k);
        let (model_version, tier) = (model_version.clone(), stratum.1);
        strata.push(ReleasedStratum { model_version, tier, identity, slices: released });
    }
    let release = Release(ReleaseText {
        format: RELEASE_FORMAT,
        site: site.clone(),
        plan: plan_digest,
        window,
        rule: RULE.to_owned(),
        k,
        noise: None,
        events: aggregate.events,
        outcomes: aggregate.outcomes,
        intake: quality::intake(aggregate),
        quality: quality::quality(aggregate, contract, k),
        operations: operations::operations(aggregate, k),
        strata,
    });
    Ok(Disclosed { release, reasons })
}

impl Release {
    /// Whether this says more than `before` does but for what [`Release::hide_differences`] hid.
    pub fn is_news_to(&self, before: &ReleaseText) -> bool {
        let mut plain = before.clone();
        if self.0.operations != before.operations {
            plain.operations.clone_from(&self.0.operations);
            if let (Some(own), Some(old)) = (&self.0.operations, &before.operations) {
                let mut hidden = old.clone();
                operations::hide_differences(own, &mut hidden);
                plain.operations = if hidden == *own { Some(hidden) } else { before.operations.clone() };
            }
        }
        if let (Some(own), Some(plain)) = (&self.0.quality, &mut plain.quality) {
            quality::hide_alike(own, plain);
        }
        detail::hide_alike(&self.0, &mut plain);
        identity::hide_alike(&self.0, &mut plain);
        self.0 != plain
    }

    /// Hides what is not about people's groups and would tell, beside an earlier release of the window, of fewer than k
    /// events by subtraction: histograms of features, what events took, and which model they named. Counts of groups are judged by
    /// [`Transitions`].
    pub fn hide_differences(&mut self, before: &ReleaseText) {
        let k = self.0.k;
        if let (Some(before), Some(after)) = (&before.operations, &mut self.0.operations) {
            operations::hide_differences(before, after);
        }
        if let (Some(before), Some(after)) = (&before.quality, &mut self.0.quality) {
            quality::hide_differences(before, after, k);
        }
        detail::hide_differences(before, &mut self.0);
        identity::hide_differences(before, &mut self.0);
    }
}

fn reasons_of(stratum: usize, whys: &[Vec<Option<Why>>]) -> impl Iterator<Item = Reason> {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    whys.iter().enumerate().flat_map(move |(slice, groups)| {
        let hidden = groups.iter().enumerate().filter_map(|(group, why)| why.map(|why| (group, why)));
        hidden.map(move |(group, why)| Reason {
            stratum: number(stratum),
            slice: number(slice),
            group: number(group),
            why,
        })
    })
}

type SliceNames = (Vec<String>, Vec<Vec<String>>);

fn released(
    names: &SliceNames,
    slice: &SliceTensors,
    (ladder, bins): (&Ladder, Option<u32>),
    step: Step,
) -> ReleasedSlice {
    let (blocks, folds) = ladder.blocks();
    let groups = names.1.iter().zip(blocks).enumerate().map(|(at, (group, block))| {
        let scores = slice.scores.get(at).map(|scores| match bins {
            Some(bins) => Cell::Value(scores::merged(scores, bins, step)),
            None => Cell::Suppressed,
        });
        ReleasedGroup::new(group.clone(), block, scores)
    });
    ReleasedSlice { attributes: names.0.clone(), groups: groups.collect(), folds }
}

#[cfg(test)]
mod tests;
