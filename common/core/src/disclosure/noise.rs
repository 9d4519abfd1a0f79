//! Disclosure under differential privacy: counts with noise, and nothing else.
//!
//! Rule K does not apply: k hides nothing here, it only keeps rates of few noisy events out of reports. Numbers of events and
//! outcomes are not public either; what stands in their place follows from the counts with noise.

use super::{Block, RELEASE_FORMAT, Release, ReleaseText, ReleasedGroup, ReleasedSlice, ReleasedStratum};
use crate::aggregate::{Aggregate, SliceTensors};
use crate::contract::ContractText;
use crate::event::{IntakeCounts, Tier};
use crate::ids::{Digest, Name};
use crate::limits;
use crate::plan::PlanText;
use crate::privacy::Noise;
use crate::time::Window;

/// The rule's name, as releases with noise carry it.
pub const NOISE_RULE: &str = "noise-1";

/// Counts with noise, `[decision 0, 1, absent][label 0, 1, none]`; they may be below 0.
pub type Noisy = [[i64; 3]; 3];

/// How many counts a release of `plan` has, each with noise of its own.
pub fn noisy_numbers(plan: &PlanText, contract: &ContractText) -> usize {
    let groups = 1 + plan.slices.iter().map(|slice| slice.groups(contract).len()).sum::<usize>();
    groups * 9 * plan.model_versions.len()
}

/// Adds `noise` to an aggregate's counts, in the order of the release: by model version, slice, group, decision, label.
///
/// The strata are the plan's model versions, whatever the journal holds: that an event was there shows nowhere. The aggregate
/// has counted the first events of each subject only, and none of sampled tiers.
///
/// # Errors
/// A plan without noise; noise for another number of counts; an aggregate of another plan.
pub fn disclose_noisy(
    aggregate: &Aggregate,
    (plan, plan_digest): (&PlanText, Digest),
    contract: &ContractText,
    site: &Name,
    window: Window,
    noise: &[i64],
) -> Result<Release, String> {
    plan.check_against(contract)?;
    let of = Noise::of(plan).ok_or("a plan without noise")?;
    let wanted = noisy_numbers(plan, contract);
    if noise.len() != wanted {
        return Err(format!("{} values of noise for {wanted} counts", noise.len()));
    }
    let mut names = vec![(Vec::new(), vec![Vec::new()])];
    names.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    let mut noise = noise.iter().copied();
    let mut strata = Vec::new();
    for (version, model_version) in plan.model_versions.iter().enumerate() {
        let slices = aggregate.strata.get(&(version, Tier::Full)).ok_or("an aggregate of another plan")?;
        let released = names.iter().zip(slices).map(|((attributes, groups), slice)| ReleasedSlice {
            attributes: attributes.clone(),
            groups: groups.iter().enumerate().map(|(at, group)| noisy(group, slice, at, &mut noise)).collect(),
            folds: Vec::new(),
        });
        let slices = released.collect();
        let model_version = model_version.clone();
        strata.push(ReleasedStratum { model_version, tier: Tier::Full, identity: None, slices });
    }
    let [events, outcomes] = noisy_totals(&strata);
    Ok(Release(ReleaseText {
        format: RELEASE_FORMAT,
        site: site.clone(),
        plan: plan_digest,
        window,
        rule: NOISE_RULE.to_owned(),
        k: plan.disclosure.k,
        noise: Some(of),
        events,
        outcomes,
        intake: IntakeCounts::new(),
        quality: None,
        operations: None,
        strata,
    }))
}

fn noisy(group: &[String], slice: &SliceTensors, at: usize, noise: &mut impl Iterator<Item = i64>) -> ReleasedGroup {
    let mut counts = Noisy::default();
    for (decision, row) in counts.iter_mut().enumerate() {
        for (label, count) in row.iter_mut().enumerate() {
            let exact = i64::try_from(slice.counts[[at, decision, label]]).unwrap_or(i64::MAX);
            *count = exact.saturating_add(noise.next().unwrap_or(0));
        }
    }
    ReleasedGroup::new(group.to_vec(), Block::Noisy(counts), None)
}

/// What stands for the numbers of events and of outcomes: the sums of the slices without attributes, the first at least 0, the
/// second at least 0 and at most the first. They follow from what is released.
pub(crate) fn noisy_totals(strata: &[ReleasedStratum]) -> [u64; 2] {
    let blocks = strata.iter().filter_map(|stratum| stratum.slices.first()?.groups.first()?.counts.noisy());
    let (mut events, mut outcomes) = (0_i64, 0_i64);
    for block in blocks {
        events = block.iter().flatten().fold(events, |sum, count| sum.saturating_add(*count));
        outcomes = block.iter().flat_map(|row| &row[..2]).fold(outcomes, |sum, count| sum.saturating_add(*count));
    }
    let most = limits::EVENTS_PER_RELEASE;
    let events = u64::try_from(events).unwrap_or(0).min(most);
    [events, u64::try_from(outcomes).unwrap_or(0).min(events)]
}
