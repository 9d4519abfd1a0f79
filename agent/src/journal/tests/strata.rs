//! What an answer says beside counts: what intake counted, features, sampled tiers.

use super::super::events::Item;
use super::super::intake::Rules;
use super::*;
use fedaudit_core::disclosure::disclose;
use fedaudit_core::event::TallyKind;
use fedaudit_core::ids::Name;

const FEATURE: &str = r#"
[[feature]]
name = "grade"
type = "number"
min = 0
max = 4
missing = true
"#;

/// Event `n` of the first hour; its feature is in the one bin, missing, or a violation.
fn row(n: u64, feature: u16) -> EventRow {
    let risk = if n.is_multiple_of(5) { "high" } else { "low" };
    EventRow {
        model_version: "v1".to_owned(),
        attributes: vec![0],
        occurred_at: Time(1),
        features: vec![feature],
        risk_tier: Some(risk.to_owned()),
        ..event(n)
    }
}

#[test]
fn tiers_tallies_and_features_reach_the_release() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(&format!("{CONTRACT}{FEATURE}")).expect("valid");
    let sampling = journal.sample([3; 32], &[("low".to_owned(), 4)].into(), &mut rng(1)).expect("committed");
    let rules = Rules { count: true, sampling: Some(&sampling), ..Rules::default() };
    let mut take = |rows: &[EventRow]| {
        let items = rows.iter().map(Item::Event);
        journal.record(&contract, items, rules, &mut rng(2), |_| None).expect("written")
    };
    let rows: Vec<_> =
        (0..500).map(|n| row(n, if n.is_multiple_of(10) { 1 + (n / 10 % 2) as u16 } else { 0 })).collect();
    let results = take(&rows);
    let left_out = results.iter().filter(|result| **result == RowResult::Sampled).count() as u64;
    assert!((200..400).contains(&left_out), "{left_out} of 400");
    let again: Vec<_> = (0..3).map(|n| rows[n * 5].clone()).collect();
    assert!(take(&again).iter().all(|result| *result == RowResult::Duplicate));
    // Another hour's count is not this window's.
    take(&[EventRow { occurred_at: Time(2 * HOUR_NS), ..row(0, 0) }]);

    let sizes = [0, 1].map(|log| journal.size(LOGS[log]).expect("a size"));
    let raw = aggregate(&mut journal, &plan(), &contract, hours(0, 1), sizes[0], sizes[1]).expect("an answer");
    let name = Name::new("a").expect("a name");
    let release = disclose(&raw, &plan(), &contract, Digest([7; 32]), &name, hours(0, 1)).expect("fits");
    let strata = release.strata.iter().map(|stratum| {
        let counts = stratum.slices[0].groups[0].counts.value().expect("many");
        (stratum.model_version.as_str(), stratum.tier, counts.iter().flatten().sum::<u64>())
    });
    let expected = [("v1", Tier::Full, 100), ("v1", Tier::Sampled(4), 400 - left_out), ("v2", Tier::Full, 0)];
    assert_eq!(strata.collect::<Vec<_>>(), expected);
    assert_eq!(release.intake, [(TallyKind::Sampled, left_out), (TallyKind::Duplicate, 3)].into());
    // All events of the feature's exceptions are of high risk.
    let quality = serde_json::to_value(&release.quality).expect("JSON");
    let feature = serde_json::json!({ "feature": "grade", "missing": { "value": 25 }, "violations": { "value": 25 } });
    assert_eq!(quality, serde_json::json!({ "events": { "value": 500 - left_out }, "features": [feature] }));
}

#[test]
fn a_source_that_counts_anew_has_not_lost_the_numbers_between() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let rules = Rules { count: true, ..Rules::default() };
    let numbers = [1, 5, 1_700_000_000_000_000_000, 1_700_000_000_000_000_003, 3, i64::MAX as u64 + 1];
    let rows = numbers.into_iter().enumerate().map(|(n, number)| EventRow {
        occurred_at: Time(n as i64),
        model_version: "v1".to_owned(),
        source: Some(("clock".to_owned(), number)),
        ..event(n as u64 * 3)
    });
    let rows: Vec<_> = rows.collect();
    let results =
        journal.record(&contract, rows.iter().map(Item::Event), rules, &mut rng(2), |_| None).expect("written");
    assert_eq!(counts(&results), [5, 0, 0, 1]);
    let sizes = [0, 1].map(|log| journal.size(LOGS[log]).expect("a size"));
    let raw = aggregate(&mut journal, &plan(), &contract, hours(0, 1), sizes[0], sizes[1]).expect("an answer");
    let name = Name::new("a").expect("a name");
    let release = disclose(&raw, &plan(), &contract, Digest([7; 32]), &name, hours(0, 1)).expect("fits");
    // 2, 3, 4 and two by the clock; 3 came after all.
    let expected = [(TallyKind::OutOfOrder, 1), (TallyKind::MissingSequence, 4), (TallyKind::Refused, 1)];
    assert_eq!(release.intake, expected.into());
    let missing: Vec<_> = journal.sources().expect("read").into_iter().flat_map(|source| source.missing).collect();
    assert_eq!(missing, [(2, 2), (4, 4), (1_700_000_000_000_000_001, 1_700_000_000_000_000_002)]);
}
