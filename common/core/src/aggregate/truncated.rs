//! Which events count under differential privacy: the first of each subject in a window, in the order of the journal.

use crate::event::Tier;
use std::collections::HashMap;

/// Leaves events out as a plan asks. What it leaves out is for the site's own eyes.
#[derive(Debug)]
pub struct Truncation {
    most: u32,
    seen: HashMap<[u8; 16], u32>,
    left_out: u64,
}

impl Truncation {
    /// At most so many events of a subject.
    pub fn new(most: u32) -> Truncation {
        Truncation { most, seen: HashMap::new(), left_out: 0 }
    }

    /// Whether the next event of the window counts, of whatever model version. An event without subject is a subject of its
    /// own. Events of sampled tiers do not count: that there is such a tier would tell of an event.
    pub fn counts(&mut self, tier: Tier, subject: Option<[u8; 16]>) -> bool {
        let counts = tier == Tier::Full
            && subject.is_none_or(|subject| {
                let seen = self.seen.entry(subject).or_default();
                *seen = seen.saturating_add(1);
                *seen <= self.most
            });
        self.left_out += u64::from(!counts);
        counts
    }

    /// Events that did not count.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{Aggregate, Truth};
    use crate::contract;
    use crate::event::Prediction;
    use crate::ids::Digest;
    use crate::plan::{self, Privacy};
    use crate::privacy::sensitivity;
    use proptest::prelude::*;

    /// Subject, decision, label, attribute codes, whether of the second model version.
    type Event = (u8, u8, u64, [u16; 2], bool);

    fn counted(plan: &plan::Plan, events: &[Event], without: Option<u8>, privacy: &Privacy) -> Vec<i64> {
        let contract = contract::from_toml(contract::tests::ADMISSION).expect("valid");
        let mut aggregate = Aggregate::empty(plan, &contract).expect("valid");
        let mut truncation = Truncation::new(privacy.events_per_subject);
        for (subject, decision, label, codes, second) in events.iter().filter(|event| Some(event.0) != without) {
            // Subject 0 is none: then an event is a subject of its own, and it is not the one that goes.
            let named = (*subject > 0).then_some([*subject; 16]);
            if truncation.counts(Tier::Full, named) {
                let mut attributes = vec![0; contract.attributes.len()];
                attributes[..2].copy_from_slice(codes);
                let event = Prediction { decision: *decision, attributes, ..Prediction::default() };
                let truth = (*label < 2).then(|| Truth::new(*label));
                aggregate.add((usize::from(*second), Tier::Full), &event, truth).expect("counted");
            }
        }
        let slices = aggregate.strata.values().flatten();
        slices.flat_map(|slice| slice.counts.iter().map(|count| *count as i64)).collect()
    }

    proptest! {
        #[test]
        fn one_subject_changes_no_more_than_the_sensitivity_says(
            events in proptest::collection::vec((0..5_u8, 0..2_u8, 0..3_u64, [0..2_u16, 0..2_u16], any::<bool>()), 0..60),
            m in 1..5_u32,
            gone in 1..5_u8,
        ) {
            let table = format!(
                "k = 5\n[disclosure.privacy]\nmechanism = \"discrete_laplace\"\nepsilon = \"1\"\nevents_per_subject = {m}\n"
            );
            let source = plan::tests::ADMISSIONS.replacen("k = 5\n", &table, 1).replace("[\"v1\"]", "[\"v1\", \"v2\"]");
            let plan = plan::from_toml(&source, |_| Some(Digest([7; 32]))).expect("valid");
            let privacy = plan.disclosure.privacy.expect("private");
            let (all, without) = (counted(&plan, &events, None, &privacy), counted(&plan, &events, Some(gone), &privacy));
            let changes: Vec<u64> = all.iter().zip(&without).map(|(one, other)| one.abs_diff(*other)).collect();
            let bound = sensitivity(&plan, &privacy);
            prop_assert!(changes.iter().sum::<u64>() <= bound.l1);
            prop_assert!(changes.iter().map(|change| change * change).sum::<u64>() <= bound.l2_squared);
        }
    }

    #[test]
    fn the_first_events_of_a_subject_count() {
        let mut truncation = Truncation::new(2);
        let (one, other) = (Some([1; 16]), Some([2; 16]));
        let counts = [one, one, None, one, other, None, None].map(|of| truncation.counts(Tier::Full, of));
        assert_eq!(counts, [true, true, true, false, true, true, true]);
        assert!(!truncation.counts(Tier::Sampled(10), None));
        assert_eq!(truncation.left_out(), 2);
    }
}
