//! What an answer says beside counts: what intake counted, features, sampled tiers.

use super::super::events::{Item, LabelRow};
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
    let release = disclose(&raw, &plan(), &contract, Digest([7; 32]), &name, hours(0, 1)).expect("fits").release;
    let strata = release.strata.iter().map(|stratum| {
        let counts = stratum.slices[0].groups[0].counts.full().expect("many");
        (stratum.model_version.as_str(), stratum.tier, counts.iter().flatten().sum::<u64>())
    });
    let expected = [("v1", Tier::Full, 100), ("v1", Tier::Sampled(4), 400 - left_out), ("v2", Tier::Full, 0)];
    assert_eq!(strata.collect::<Vec<_>>(), expected);
    assert_eq!(release.intake, [(TallyKind::Sampled, left_out), (TallyKind::Duplicate, 3)].into());
    // All events of the feature's exceptions are of high risk.
    let quality = serde_json::to_value(&release.quality).expect("JSON");
    let histogram = serde_json::json!({ "value": [450 - left_out] });
    let feature = serde_json::json!({ "feature": "grade", "missing": { "value": 25 }, "violations": { "value": 25 }, "histogram": histogram });
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
    let release = disclose(&raw, &plan(), &contract, Digest([7; 32]), &name, hours(0, 1)).expect("fits").release;
    // 2, 3, 4 and two by the clock; 3 came after all.
    let expected = [(TallyKind::OutOfOrder, 1), (TallyKind::MissingSequence, 4), (TallyKind::Refused, 1)];
    assert_eq!(release.intake, expected.into());
    let missing: Vec<_> = journal.sources().expect("read").into_iter().flat_map(|source| source.missing).collect();
    assert_eq!(missing, [(2, 2), (4, 4), (1_700_000_000_000_000_001, 1_700_000_000_000_000_002)]);
}

/// What intake counted in the first ten hours.
fn counted(journal: &mut Journal) -> Vec<(TallyKind, u64)> {
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let sizes = [0, 1].map(|log| journal.size(LOGS[log]).expect("a size"));
    let raw = aggregate(journal, &plan(), &contract, hours(0, 10), sizes[0], sizes[1]).expect("an answer");
    let name = Name::new("a").expect("a name");
    let release = disclose(&raw, &plan(), &contract, Digest([7; 32]), &name, hours(0, 10)).expect("fits").release;
    release.intake.clone().into_iter().collect()
}

fn label(n: u64, at: Time) -> LabelRow {
    LabelRow { event_id: event(n).event_id, label: 1, labelled_at: at, weight: 1 }
}

#[test]
fn what_sampling_left_out_is_counted_once_and_its_labels_do_not_wait() {
    let (home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let sampling = journal.sample([3; 32], &[("low".to_owned(), 4)].into(), &mut rng(1)).expect("committed");
    let rules = Rules { count: true, sampling: Some(&sampling), ..Rules::default() };
    let rows: Vec<_> = (0..100).map(|n| EventRow { features: Vec::new(), ..row(5 * n + 1, 0) }).collect();
    let early = label(1, Time(7));
    let take = |journal: &mut Journal, items: &[Item]| {
        journal.record(&contract, items.iter().copied(), rules, &mut rng(2), |_| None).expect("written")
    };
    assert_eq!(take(&mut journal, &[Item::Label(&early)]), [RowResult::Waiting]);
    let items: Vec<_> = rows.iter().map(Item::Event).collect();
    let results = take(&mut journal, &items);
    let left_out: Vec<_> = (0..100).filter(|n| results[*n] == RowResult::Sampled).collect();
    assert!((50..95).contains(&left_out.len()), "{} of 100", left_out.len());
    let expected = vec![(TallyKind::Sampled, left_out.len() as u64)];
    let waits = if results[0] == RowResult::Sampled { "left out" } else { "joined" };
    assert_eq!(counted(&mut journal), expected, "the early label is {waits}");

    // Known from memory, after opening the journal again, and from a file of sorted ids.
    for limit in [1_000, 1_000, 1, 1] {
        drop(journal);
        journal = Journal::open(home.path()).expect("opened");
        journal.ids.open_limit = limit;
        assert!(take(&mut journal, &items).iter().all(|result| *result == RowResult::Duplicate));
        let late = label(5 * left_out[3] as u64 + 1, Time(9));
        assert_eq!(take(&mut journal, &[Item::Label(&late)]), [RowResult::Sampled]);
    }
    let expected = [(TallyKind::Sampled, left_out.len() as u64), (TallyKind::Duplicate, 400)];
    assert_eq!(counted(&mut journal), expected);
}

#[test]
fn an_import_takes_back_what_intake_counted_and_counts_nothing_itself() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let counting = Rules { count: true, ..Rules::default() };
    let label = label(1, Time(7));
    let mut take = |items: &[Item], rules| {
        journal.record(&contract, items.iter().copied(), rules, &mut rng(2), |_| None).expect("written");
        counted(&mut journal)
    };
    assert_eq!(take(&[Item::Label(&label)], counting), [(TallyKind::OutcomeWithoutEvent, 1)]);
    let source = Some(("s".to_owned(), 9));
    let row = EventRow { features: Vec::new(), source, ..row(1, 0) };
    assert_eq!(take(&[Item::Event(&row)], Rules::default()), []);
    // A number that an import brings says nothing of what came over the wire.
    let next = EventRow { event_id: "n".to_owned(), source: Some(("s".to_owned(), 20)), ..row };
    assert_eq!(take(&[Item::Event(&next)], counting), []);
    // Nothing was taken back twice.
    let other = LabelRow { event_id: "other".to_owned(), ..label };
    assert_eq!(take(&[Item::Label(&other)], counting), [(TallyKind::OutcomeWithoutEvent, 1)]);
}

#[test]
fn a_message_waits_for_thirty_days() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let day = 24 * HOUR_NS;
    let (first, second) = (label(1, Time(7)), label(2, Time(7)));
    let mut take = |items: &[Item], now| {
        let rules = Rules { count: true, now: Some(Time(now)), ..Rules::default() };
        journal.record(&contract, items.iter().copied(), rules, &mut rng(2), |_| None).expect("written")
    };
    take(&[Item::Label(&first)], day);
    take(&[Item::Label(&second)], 2 * day);
    let rows = [1, 2].map(|n| EventRow { features: Vec::new(), ..row(n, 0) });
    take(&[Item::Event(&rows[0]), Item::Event(&rows[1])], 31 * day + 1);
    assert_eq!(counted(&mut journal), [(TallyKind::OutcomeWithoutEvent, 1)]);
    assert_eq!(journal.size(LOGS[1]).expect("a size"), 1);
}

#[test]
fn what_is_dated_far_ahead_is_refused() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let day = 24 * HOUR_NS;
    let rows =
        [day, day + 1].map(|at| EventRow { features: Vec::new(), occurred_at: Time(at), ..row((at % 10) as u64, 0) });
    let rules = Rules { now: Some(Time(0)), ..Rules::default() };
    let results =
        journal.record(&contract, rows.iter().map(Item::Event), rules, &mut rng(2), |_| None).expect("written");
    assert_eq!(results[0], RowResult::Event { outcome: false });
    assert!(
        matches!(&results[1], RowResult::Rejected(reason) if reason.contains("this machine's clock")),
        "{results:?}"
    );
}

#[test]
fn hours_without_an_event_of_a_source_are_counted_once() {
    let (_home, mut journal) = new();
    let contract = contract::from_toml(CONTRACT).expect("valid");
    let rules = Rules { count: true, ..Rules::default() };
    let take = |journal: &mut Journal, hour: i64, number| {
        let (source, occurred_at) = (Some(("s".to_owned(), number)), Time(hour * HOUR_NS + 5));
        let row = EventRow { features: Vec::new(), source, occurred_at, ..row(number, 0) };
        journal.record(&contract, [Item::Event(&row)].into_iter(), rules, &mut rng(2), |_| None).expect("written");
    };
    let silent = |journal: &mut Journal| counted(journal).first().map_or(0, |(_, count)| *count);
    take(&mut journal, 0, 1);
    take(&mut journal, 1, 2);
    assert_eq!(silent(&mut journal), 0);
    take(&mut journal, 4, 3);
    assert_eq!(silent(&mut journal), 2);
    for _ in 0..2 {
        journal.count_silence(&contract, Time(7 * HOUR_NS), &mut rng(3)).expect("counted");
        assert_eq!(counted(&mut journal), [(TallyKind::SilentSource, 4)]);
    }
    take(&mut journal, 8, 4);
    assert_eq!(silent(&mut journal), 5);
    // A source that is no more is not silent for ever.
    journal.count_silence(&contract, Time(10_000 * HOUR_NS), &mut rng(3)).expect("counted");
    let size = journal.size(LOGS[0]).expect("a size");
    journal.count_silence(&contract, Time(20_000 * HOUR_NS), &mut rng(3)).expect("counted");
    assert_eq!(journal.size(LOGS[0]).expect("a size"), size);
}
