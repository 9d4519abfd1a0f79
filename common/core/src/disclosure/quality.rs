//! What leaves of the quality of features, and of what intake counted.
//!
//! A count of missing values or violations is seen if it is 0 or at least k, and what is left of the events with features
//! is, too; if both are seen, what neither counts must be 0 or at least k as well. The number of events with features is
//! seen under the same rule, against the public number of events. A feature's histogram is seen if all of that is, and each
//! of its bins is 0 or at least k. Intake's counts are public, by acceptance of the plan.

use super::{Cell, ReleaseText};
use crate::aggregate::Aggregate;
use crate::contract::ContractText;
use crate::event::{IntakeCounts, TallyKind};
use serde::{Deserialize, Serialize};

/// How well the features of events keep the contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Events that came with features.
    pub events: Cell<u64>,
    /// One for each feature of the contract.
    pub features: Vec<FeatureQuality>,
}

/// Values of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureQuality {
    /// Its name.
    pub feature: String,
    /// Values that were absent, and might be.
    pub missing: Cell<u64>,
    /// Values that break the contract.
    pub violations: Cell<u64>,
    /// Values in each bin of the contract.
    pub histogram: Cell<Vec<u64>>,
}

/// Whether a count, or what is left beside it, may be seen.
pub(crate) fn passes(count: u64, k: u64) -> bool {
    count == 0 || count >= k
}

/// What of `aggregate` may leave; absent where the contract has no features.
pub(super) fn quality(aggregate: &Aggregate, contract: &ContractText, k: u64) -> Option<Quality> {
    let described = aggregate.quality.described;
    let cell = |count: u64, of: u64| {
        let seen = passes(count, k) && passes(of.saturating_sub(count), k);
        if seen { Cell::Value(count) } else { Cell::Suppressed }
    };
    let events = cell(described, aggregate.events);
    let feature = |(name, counts): (&String, &Vec<u64>)| {
        let (bins, others) = counts.split_at(counts.len().saturating_sub(2));
        let [missing, violations] = [others.first(), others.last()].map(|count| count.unwrap_or(&0));
        let rest = described.saturating_sub(missing + violations);
        let cells = match (cell(*missing, described), cell(*violations, described)) {
            (Cell::Value(_), Cell::Value(_)) if !passes(rest, k) => (Cell::Suppressed, Cell::Suppressed),
            cells => cells,
        };
        let all = [&events, &cells.0, &cells.1].into_iter().all(|cell| cell.value().is_some());
        let histogram = match all && bins.iter().all(|count| passes(*count, k)) {
            true => Cell::Value(bins.to_vec()),
            false => Cell::Suppressed,
        };
        FeatureQuality { feature: name.clone(), missing: cells.0, violations: cells.1, histogram }
    };
    let names = contract.features.iter().map(|feature| &feature.name);
    let features: Vec<_> = names.zip(&aggregate.quality.features).map(feature).collect();
    (!features.is_empty()).then_some(Quality { events, features })
}

/// Intake's counts by name. What was taken back without having been counted (a label that came by import, say) is not below
/// none.
pub(super) fn intake(aggregate: &Aggregate) -> IntakeCounts {
    let counts = TallyKind::ALL.into_iter().zip(aggregate.intake);
    let above = counts.filter_map(|(kind, count)| Some((kind, u64::try_from(count).ok()?)));
    above.filter(|(_, count)| *count > 0).collect()
}

/// Hides histograms of `after` that tell, beside `before`, of fewer than k events by subtraction.
pub(super) fn hide_differences(before: &Quality, after: &mut Quality, k: u64) {
    for (old, new) in before.features.iter().zip(&mut after.features) {
        let tells = old
            .histogram
            .value()
            .zip(new.histogram.value())
            .is_some_and(|(old, new)| old.iter().zip(new).any(|(old, new)| !passes(new.abs_diff(*old), k)));
        if tells {
            new.histogram = Cell::Suppressed;
        }
    }
}

/// Whether what two releases of a window show of quality tells of no fewer than k events by subtraction.
///
/// # Errors
/// A count that tells of fewer, in words.
pub(super) fn check_difference(before: &ReleaseText, after: &ReleaseText, k: u64) -> Result<(), String> {
    let check = |what: String, (old, all_old): (&Cell<u64>, u64), (new, all_new): (&Cell<u64>, u64)| {
        let (Some(old), Some(new)) = (old.value(), new.value()) else { return Ok(()) };
        let (more, others) = (new.saturating_sub(*old), all_new.saturating_sub(all_old));
        match passes(more, k) && passes(others.saturating_sub(more), k) {
            true => Ok(()),
            false => Err(format!(
                "{what}: {more} more by subtraction; it, and what is left, must be none or at least k = {k}"
            )),
        }
    };
    let (Some(old), Some(new)) = (&before.quality, &after.quality) else { return Ok(()) };
    check("events with features".to_owned(), (&old.events, before.events), (&new.events, after.events))?;
    // Of events with features where their number is known; else nothing is left to subtract from.
    let all = |quality: &Quality| quality.events.value().copied();
    let (all_old, all_new) = all(old).zip(all(new)).unwrap_or((0, u64::MAX));
    old.features.iter().zip(&new.features).try_for_each(|(old, new)| {
        let name = &new.feature;
        check(format!("feature {name}, missing"), (&old.missing, all_old), (&new.missing, all_new))?;
        check(format!("feature {name}, violations"), (&old.violations, all_old), (&new.violations, all_new))
    })
}

/// Hides in `plain` what `own` hides.
pub(super) fn hide_alike(own: &Quality, plain: &mut Quality) {
    fn hide<T>(own: &Cell<T>, plain: &mut Cell<T>) {
        if matches!(own, Cell::Suppressed) {
            *plain = Cell::Suppressed;
        }
    }
    hide(&own.events, &mut plain.events);
    for (own, plain) in own.features.iter().zip(&mut plain.features) {
        hide(&own.missing, &mut plain.missing);
        hide(&own.violations, &mut plain.violations);
        hide(&own.histogram, &mut plain.histogram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::tests::{FEATURES, FULL, documents, event};
    use crate::contract::tests::ADMISSION;
    use crate::disclosure::{Release, Transitions, disclose};
    use crate::event::{Prediction, Tally};
    use crate::ids::{Digest, Name};
    use crate::time::{HOUR_NS, Time, Window};
    use proptest::prelude::*;

    /// Counts of (missing, violation, neither) of the first feature, and events without features.
    fn release([missing, violations, rest, bare]: [u64; 4], intake: &[(TallyKind, i64)]) -> Release {
        let (plan, _) = documents();
        let contract = crate::contract::from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid");
        let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
        let features = [(vec![3, 0], missing), (vec![4, 1], violations), (vec![0, 0], rest), (Vec::new(), bare)];
        for (features, n) in features {
            let event = Prediction { features, ..event(1, None, [0, 0]) };
            let mut add = || aggregate.describe(&event).and_then(|()| aggregate.add(FULL, &event, None));
            (0..n).try_for_each(|_| add()).expect("inside");
        }
        intake.iter().for_each(|&(kind, change)| aggregate.tally(&Tally { hour: Time(0), kind, change }));
        let window = Window { start: Time(0), end: Time(HOUR_NS) };
        disclose(&aggregate, &plan, &contract, Digest([7; 32]), &Name::new("s").expect("a name"), window)
            .expect("fits")
            .release
    }

    fn seen(counts: [u64; 4]) -> [Option<u64>; 3] {
        let release = release(counts, &[]);
        let quality = release.quality.as_ref().expect("it has features");
        let first = &quality.features[0];
        [&quality.events, &first.missing, &first.violations].map(|cell| cell.value().copied())
    }

    #[test]
    fn counts_below_k_are_hidden_and_so_is_what_would_leave_few() {
        assert_eq!(seen([5, 0, 95, 0]), [Some(100), Some(5), Some(0)]);
        assert_eq!(seen([5, 4, 91, 0]), [Some(100), Some(5), None]);
        assert_eq!(seen([97, 0, 3, 0]), [Some(100), None, Some(0)], "three have a value");
        assert_eq!(seen([50, 47, 3, 0]), [Some(100), None, None], "three are neither");
        assert_eq!(seen([5, 5, 90, 4]), [None, Some(5), Some(5)], "four came without features");
        assert_eq!(seen([0, 0, 0, 9]), [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn intake_is_public_and_never_below_none() {
        let counts = [(TallyKind::Late, 1), (TallyKind::Paired, 7), (TallyKind::Paired, -7)];
        let text = release([0; 4], &counts);
        assert_eq!(text.intake, IntakeCounts::from([(TallyKind::Late, 1)]));
        assert_eq!(serde_json::to_value(&text.intake).expect("JSON"), serde_json::json!({ "late": 1 }));
        assert!(release([0; 4], &[(TallyKind::OutcomeWithoutEvent, -1)]).intake.is_empty());
    }

    #[test]
    fn an_amendment_shows_no_few_violations_by_subtraction() {
        let (plan, _) = documents();
        let contract = crate::contract::from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid");
        let verdict = |before, after| {
            let [before, after] = [before, after].map(|counts| release(counts, &[]));
            Transitions::new(&before, &after, &plan, &contract).expect("fits").check(plan.disclosure.k)
        };
        assert_eq!(verdict([5, 5, 90, 0], [5, 10, 95, 0]), Ok(()));
        let error = verdict([5, 5, 90, 0], [5, 7, 100, 0]).expect_err("two violations");
        assert!(error.starts_with("feature grade, violations: 2 more by subtraction"), "{error}");
        assert!(verdict([5, 5, 90, 0], [5, 15, 93, 0]).is_err(), "three are neither");
    }

    proptest! {
        #[test]
        fn every_visible_count_and_what_it_leaves_is_zero_or_at_least_k(counts in proptest::array::uniform4(0..12_u64)) {
            let (described, all) = (counts[..3].iter().sum::<u64>(), counts.iter().sum::<u64>());
            let [events, missing, violations] = seen(counts);
            let fits = |count: u64, of: u64| passes(count, 5) && passes(of - count, 5);
            prop_assert!(events.is_none_or(|events| events == described && fits(events, all)));
            prop_assert!(missing.is_none_or(|n| n == counts[0] && fits(n, described)));
            prop_assert!(violations.is_none_or(|n| n == counts[1] && fits(n, described)));
            prop_assert!(missing.zip(violations).is_none_or(|_| passes(counts[2], 5)));
        }
    }
}
