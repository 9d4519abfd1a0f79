//! Disclosure control: the only way from an [`Aggregate`] to a [`Release`].
//!
//! This rule is deliberately blunt (`blunt-1`). With k from the plan, at one site, for one model version and sampling tier:
//!
//! 1. A slice is released whole if every one of its counts is 0 or at least k, else it is withheld whole.
//! 2. If a slice of two or more attributes is withheld, all such slices are. What is left beside a withheld
//!    intersection are then one-attribute margins, whose Fréchet bounds meet only at 0 or at a margin, so that no
//!    hidden count between 0 and k follows from what is released. (A coarser slice always passes where a finer does.)
//! 3. Score histograms halve until each count is 0 or at least k; below ten bins they are withheld. All groups of a
//!    slice share one resolution, and all slices of two or more attributes share the coarsest that any of them needs.
//!
//! 4. What only some tasks and journals have is said in `detail.rs`.
//!
//! The numbers of events and outcomes of a window, and what intake counted beside them, are public, by acceptance of the
//! plan. What is seen of features is said in `quality.rs`, of what events took in `operations.rs`.

mod amend;
mod detail;
mod operations;
mod overlap;
mod quality;

pub use amend::Transitions;
pub use detail::{Classes, LabelWeights, Moments, PAIR_CELLS, Ranks, Subjects};
pub use operations::{Operations, Range, Sum};
pub use overlap::{Counted, Overlap};
pub(crate) use quality::passes;
pub use quality::{FeatureQuality, Quality};

use crate::aggregate::{Aggregate, ScoreTensors, SliceTensors};
use crate::codec;
use crate::contract::ContractText;
use crate::event::{IntakeCounts, Tier};
use crate::ids::{Digest, Name};
use crate::plan::PlanText;
use crate::time::Window;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// The rule's name, as releases carry it.
pub const RULE: &str = "blunt-1";
/// Format of `release.json`.
pub const RELEASE_FORMAT: u32 = 1;
/// Fewest bins of a released histogram.
const FEWEST_BINS: u32 = 10;

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
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedGroup {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// `[decision 0, 1, absent][label 0, 1, none]`.
    pub counts: Cell<Counts>,
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
    pub fn new(group: Vec<String>, counts: Cell<Counts>, scores: Option<Cell<Scores>>) -> Self {
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
) -> Result<Release, String> {
    plan.check_against(contract)?;
    let k = plan.disclosure.k;
    let mut names = vec![(Vec::new(), vec![Vec::new()])];
    names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    let strata = aggregate.strata.iter().filter_map(|((version, tier), slices)| {
        let seen = visibility(slices, &names, k);
        let parts = names.iter().zip(slices).zip(&seen);
        let mut released: Vec<_> = parts.map(|((name, slice), seen)| released(name, slice, *seen)).collect();
        detail::add(&mut released, slices, k);
        let model_version = plan.model_versions.get(*version)?.clone();
        Some(ReleasedStratum { model_version, tier: *tier, slices: released })
    });
    Ok(Release(ReleaseText {
        format: RELEASE_FORMAT,
        site: site.clone(),
        plan: plan_digest,
        window,
        rule: RULE.to_owned(),
        k,
        events: aggregate.events,
        outcomes: aggregate.outcomes,
        intake: quality::intake(aggregate),
        quality: quality::quality(aggregate, contract, k),
        operations: operations::operations(aggregate, k),
        strata: strata.collect(),
    }))
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
        self.0 != plain
    }

    /// Hides what is not about people's groups and would tell, beside an earlier release of the window, of fewer than k
    /// events by subtraction: histograms of features, and what events took. Counts of groups are judged by
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
    }
}

/// What of one slice may be seen.
#[derive(Clone, Copy)]
struct Visible {
    counts: bool,
    bins: Option<u32>,
}

type SliceNames = (Vec<String>, Vec<Vec<String>>);

fn visibility(slices: &[SliceTensors], names: &[SliceNames], k: u64) -> Vec<Visible> {
    let passes = |count: &u64| passes(*count, k);
    let mut seen: Vec<Visible> = slices
        .iter()
        .map(|slice| {
            let counts = slice.counts.iter().all(passes);
            Visible { counts, bins: if counts { finest_bins(&slice.scores, k) } else { None } }
        })
        .collect();
    let many: Vec<usize> = (0..seen.len()).filter(|&at| names[at].0.len() >= 2).collect();
    let counts = many.iter().all(|&at| seen[at].counts);
    let bins = many.iter().map(|&at| seen[at].bins).min().flatten();
    for at in many {
        seen[at] = Visible { counts, bins: if counts { bins } else { None } };
    }
    seen
}

/// The finest number of bins at which every count of every group is 0 or at least k.
fn finest_bins(groups: &[ScoreTensors], k: u64) -> Option<u32> {
    let passes = |count: &u64| passes(*count, k);
    if !groups.iter().all(|group| group.no_score.iter().all(passes)) {
        return None;
    }
    let full = groups.first()?.counts.ncols();
    let mut width = 1;
    while full / width >= FEWEST_BINS as usize {
        let fits = |group: &ScoreTensors| {
            group
                .counts
                .rows()
                .into_iter()
                .all(|row| row.exact_chunks(width).into_iter().all(|merged| passes(&merged.sum())))
        };
        if groups.iter().all(fits) {
            return u32::try_from(full / width).ok();
        }
        width *= 2;
    }
    None
}

fn released(names: &SliceNames, slice: &SliceTensors, seen: Visible) -> ReleasedSlice {
    let groups = names.1.iter().enumerate().map(|(at, group)| {
        let counts = match seen.counts {
            true => Cell::Value(std::array::from_fn(|d| std::array::from_fn(|l| slice.counts[[at, d, l]]))),
            false => Cell::Suppressed,
        };
        let scores = slice.scores.get(at).map(|scores| match seen.bins {
            Some(bins) => Cell::Value(merged_scores(scores, bins)),
            None => Cell::Suppressed,
        });
        ReleasedGroup::new(group.clone(), counts, scores)
    });
    ReleasedSlice { attributes: names.0.clone(), groups: groups.collect() }
}

fn merged_scores(scores: &ScoreTensors, bins: u32) -> Scores {
    let width = scores.counts.ncols() / (bins as usize).max(1);
    let histogram = std::array::from_fn(|label| {
        let counts = scores.counts.row(label);
        let sums = scores.sums.row(label);
        let merged = counts.exact_chunks(width).into_iter().zip(sums.exact_chunks(width));
        (0..bins)
            .zip(merged)
            .map(|(bin, (count, sum))| Bin(bin, count.sum(), Decimal(sum.sum())))
            .filter(|bin| bin.1 > 0)
            .collect()
    });
    Scores { bins, no_score: scores.no_score, square_sums: scores.square_sums.map(Decimal), histogram }
}

#[cfg(test)]
mod tests;
