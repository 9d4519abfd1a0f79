//! Tests of the journal as a whole; crashes, damage and splits lie beside this file.

mod amend;
mod crash;
mod damage;
mod splits;
mod strata;

use super::*;
use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::event::{ABSENT, Outcome, Prediction, SCORE_ONE, Tier};
use fedaudit_core::merkle::{Frontier, leaf_hash, verify_consistency};
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::time::{HOUR_NS, Time, Window};
use rand::SeedableRng as _;
use std::collections::BTreeMap;
use tempfile::TempDir;

pub(crate) const CONTRACT: &str = r#"
contract = "admission"
version = 1
title = "Admission"
task = "binary"
model = "committee"
[decision]
values = ["0", "1"]
favourable = "1"
[label]
values = ["0", "1"]
positive = "1"
[score]
min = 0.0
max = 1.0
bins = 80
[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;
const PLAN: &str = r#"
plan = "admissions"
version = 1
title = "?"
contract = "admission"
model_versions = ["v1", "v2"]
required_sites = ["a"]
[windows]
start = "1970-01-01T00:00:00Z"
end = "1970-01-02T00:00:00Z"
every = "hour"
release_after_hours = 2
[[slice]]
attributes = ["gender"]
reference = ["Male"]
[disclosure]
k = 5
"#;
const LOGS: [&str; 3] = ["predictions/admission/1", "outcomes/admission/1", LEDGER];

pub(crate) fn contract() -> Contract {
    contract::from_toml(CONTRACT).expect("valid")
}

fn plan() -> Plan {
    plan::from_toml(PLAN, |_| Some(Digest([7; 32]))).expect("valid")
}

pub(crate) fn rng(seed: u8) -> StdRng {
    StdRng::from_seed([seed; 32])
}

/// Records of a log that are no padding.
fn real(report: &JournalReport, log: &str) -> u64 {
    report.logs.iter().filter(|of| of.name == log).map(|of| of.size - of.pads).sum()
}

pub(crate) fn new() -> (TempDir, Journal) {
    let home = tempfile::tempdir().expect("a folder");
    let journal = Journal::create(home.path()).expect("created");
    (home, journal)
}

/// Event `n`, at minute `n` of 1970; all else follows from `n` too.
fn event(n: u64) -> EventRow {
    EventRow {
        event_id: format!("event {n}"),
        occurred_at: Time(n as i64 * HOUR_NS / 60),
        model_version: ["v1", "v2", "v3"][n as usize % 3].to_owned(),
        decision: [0, 1, ABSENT][n as usize % 3],
        score_q: (!n.is_multiple_of(5)).then_some(n * 7_919 % SCORE_ONE),
        attributes: vec![(n % 4) as u16],
        ..EventRow::default()
    }
}

fn labelled(n: u64, label: u64, after_hours: i64) -> EventRow {
    let row = event(n);
    let at = row.occurred_at.plus_ns(after_hours * HOUR_NS);
    EventRow { outcome: Some((label, at)), ..row }
}

/// Size and root of every log.
pub(crate) fn state(journal: &mut Journal) -> BTreeMap<String, (u64, Digest)> {
    let report = journal.verify().expect("whole");
    report.logs.into_iter().map(|log| (log.name, (log.size, log.root))).collect()
}

fn counts(results: &[RowResult]) -> [usize; 4] {
    let count = |f: fn(&RowResult) -> bool| results.iter().filter(|r| f(r)).count();
    [
        count(|r| matches!(r, RowResult::Event { .. })),
        count(|r| *r == RowResult::Outcome),
        count(|r| *r == RowResult::Duplicate),
        count(|r| matches!(r, RowResult::Rejected(_))),
    ]
}

/// What `rows` come to, counted the plain way: events once, by id, and labels in their order.
fn recount(rows: &[EventRow], window: Window) -> Aggregate {
    let (plan, contract) = (plan(), contract());
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    let mut seen = BTreeMap::new();
    for row in rows {
        seen.entry(&row.event_id).or_insert((row, Vec::new())).1.extend(row.outcome);
    }
    for (row, labels) in seen.values() {
        let Some(stratum) = plan.model_versions.iter().position(|v| *v == row.model_version) else { continue };
        if !window.contains(row.occurred_at) {
            continue;
        }
        let until = window.end.plus_ns(2 * HOUR_NS);
        let best = labels.iter().filter(|(_, at)| *at <= until).max_by_key(|(_, at)| *at);
        let event = Prediction {
            occurred_at: row.occurred_at,
            decision: row.decision,
            score_q: row.score_q,
            attributes: row.attributes.clone(),
            ..Prediction::default()
        };
        best.into_iter().for_each(|(_, at)| aggregate.delay(row.occurred_at, *at));
        aggregate.describe(&event).expect("inside the contract");
        aggregate
            .add((stratum, Tier::Full), &event, best.map(|(label, _)| Truth::new(*label)))
            .expect("inside the contract");
    }
    aggregate
}

fn answer(journal: &mut Journal, window: Window) -> Aggregate {
    let [predictions, outcomes, _] = LOGS.map(|log| journal.size(log).expect("a size"));
    aggregate(journal, &plan(), &contract(), window, predictions, outcomes).expect("an answer")
}

fn hours(start: i64, end: i64) -> Window {
    Window { start: Time(start * HOUR_NS), end: Time(end * HOUR_NS) }
}

#[test]
fn a_second_journal_is_refused_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, journal) = new();
    let error = Journal::create(home.path()).expect_err("there is one");
    assert!(error.what.contains("holds a journal already"), "{error}");
    for file in ["sidecar.sqlite", "sidecar.sqlite-wal", "journal/000001.sqlite", "journal/000001.sqlite-wal"] {
        let mode = std::fs::metadata(home.path().join(file)).map(|facts| facts.permissions().mode() & 0o777);
        assert_eq!(mode.ok(), Some(0o600), "{file}");
    }
    drop(journal);
    let nowhere = Journal::open(&home.path().join("nowhere")).expect_err("none there");
    assert!(nowhere.what.contains("holds no journal"), "{nowhere}");
}

#[test]
fn duplicates_conflicts_and_later_labels() {
    let (_home, mut journal) = new();
    let contract = contract();
    let other = |change: fn(&mut EventRow)| {
        let mut row = labelled(1, 0, 1);
        change(&mut row);
        row
    };
    let rows = [
        labelled(1, 0, 1),
        labelled(1, 0, 1),
        event(1),
        labelled(1, 1, 1),
        labelled(1, 1, 3),
        other(|row| row.decision = 0),
        other(|row| row.model_version = "v1".to_owned()),
        other(|row| row.score_q = None),
        other(|row| row.attributes = vec![0]),
        other(|row| row.occurred_at = Time(0)),
        other(|row| row.attributes = vec![4]),
        other(|row| row.event_id = String::new()),
        other(|row| row.event_id = "x".repeat(201)),
        other(|row| row.outcome = Some((0, Time(-1)))),
        other(|row| row.outcome = Some((2, Time(1 << 60)))),
    ];
    let results = journal.record_events(&contract, &rows, &mut rng(1)).expect("written");
    use RowResult::{Duplicate, Event, Outcome, Rejected};
    assert_eq!(results[..5], [Event { outcome: true }, Duplicate, Duplicate, Outcome, Outcome]);
    let reasons = [
        "event `event 1` is already journaled with another decision",
        "another model version",
        "another score",
        "another attribute `gender`",
        "another occurred_at",
        "attribute codes",
        "event_id is blank",
        "at most 200",
        "before occurred_at",
        "label code 2",
    ];
    for (result, expected) in results[5..].iter().zip(reasons) {
        assert!(matches!(result, Rejected(reason) if reason.contains(expected)), "{expected}: {result:?}");
    }
    let before = state(&mut journal);
    let again = journal.record_events(&contract, &rows, &mut rng(2)).expect("written");
    assert_eq!(counts(&again), [0, 0, 5, 10]);
    assert_eq!(state(&mut journal), before);
    assert_eq!(journal.position_of(&contract, "event 1"), Ok(Some(0)));
    assert_eq!(journal.position_of(&contract, "event 2"), Ok(None));
}

#[test]
fn segments_roll_over_and_hold_whole_blocks() {
    let (home, journal) = new();
    let mut journal = journal.with_segment_records(1_500);
    let contract = contract();
    let rows: Vec<_> = (0..3_000).map(|n| if n % 2 == 0 { labelled(n, 1, 0) } else { event(n) }).collect();
    for batch in rows.chunks(250) {
        journal.record_events(&contract, batch, &mut rng(1)).expect("written");
    }
    assert!(journal.segments.len() > 2);
    let before = state(&mut journal);
    assert_eq!(real(&journal.verify().expect("whole"), LOGS[0]), 3_000);
    for segment in &journal.segments {
        let starts = segment.logs().expect("read").into_iter().map(|log| log.start);
        assert!(starts.into_iter().all(|start| start.is_multiple_of(BLOCK_RECORDS)));
    }
    let mut sealed = Vec::new();
    let mut note = |_, entry| {
        if let LedgerEntry::Sealed { segment, logs } = entry {
            sealed.push((segment, logs));
        }
        Ok(())
    };
    journal.ledger(&mut note).expect("read");
    assert_eq!(sealed.len() + 1, journal.segments.len());
    for (number, logs) in sealed.into_iter().map(|(segment, logs)| (segment as usize, logs)) {
        for (name, size, root) in logs {
            assert_eq!(journal.segments[number].log(&name).expect("read").expect("there").start, size);
            assert_eq!(journal.checkpoint(&name, size, "o").expect("a boundary").root, root);
        }
    }
    let mut opened = Journal::open(home.path()).expect("opened");
    assert_eq!(state(&mut opened), before);
    let again = opened.record_events(&contract, &rows, &mut rng(2)).expect("written");
    assert_eq!(counts(&again), [0, 0, 3_000, 0]);
    assert_eq!(state(&mut opened), before);
    assert_eq!(opened.model_versions().expect("read").len(), 3);
    for window in [hours(0, 1), hours(10, 30), hours(0, 50), hours(60, 70)] {
        assert_eq!(answer(&mut opened, window), recount(&rows, window));
    }
}

#[test]
fn a_size_can_be_made_to_tell_less() {
    let (_home, mut journal) = new();
    let contract = contract();
    assert_eq!(journal.pad_to(LOGS[1], 4, &mut rng(0)), Ok(4 * 1_024), "nor does it tell that there is nothing");
    let mut sizes = Vec::new();
    for day in 0..3_u64 {
        let rows: Vec<_> = (day * 1_500..(day + 1) * 1_500).map(event).collect();
        journal.record_events(&contract, &rows, &mut rng(1)).expect("written");
        sizes.push(journal.pad_to(LOGS[0], 4, &mut rng(2)).expect("padded"));
    }
    assert_eq!(sizes, [4_096, 8_192, 12_288]);
    assert_eq!(journal.pad_to(LOGS[0], 1, &mut rng(2)), Ok(12_288));
}

#[test]
fn pads_fill_blocks_and_checkpoints_are_consistent() {
    let (_home, mut journal) = new();
    let contract = contract();
    assert_eq!(journal.pad(LOGS[0], &mut rng(0)), Ok(0));
    let mut checkpoints = vec![(0, journal.checkpoint(LOGS[0], 0, "o").expect("empty"))];
    for round in 0..5_u64 {
        let rows: Vec<_> = (round * 1_500..(round + 1) * 1_500).map(event).collect();
        journal.record_events(&contract, &rows, &mut rng(round as u8)).expect("written");
        let size = journal.pad(LOGS[0], &mut rng(9)).expect("padded");
        assert_eq!(journal.pad(LOGS[0], &mut rng(9)), Ok(size));
        checkpoints.push((size, journal.checkpoint(LOGS[0], size, "o").expect("a boundary")));
    }
    assert_eq!(journal.size(LOGS[0]), Ok(10 * 1_024));
    // The roots are those of the plain tree over all records.
    let mut tree = Frontier::new();
    let row = journal.row(LOGS[0]).expect("read").expect("there");
    read::scan(&journal.segments, &row, 0..row.size, &mut |position, bytes| {
        if let Some((_, checkpoint)) = checkpoints.iter().find(|(size, _)| *size == position) {
            assert_eq!(checkpoint.root, tree.root());
        }
        tree.push(leaf_hash(bytes));
        Ok(())
    })
    .expect("read");
    for (old, a) in &checkpoints {
        for (new, b) in checkpoints.iter().filter(|(new, _)| new >= old) {
            let proof = journal.consistency(LOGS[0], *old, *new).expect("a proof");
            assert_eq!(verify_consistency(*old, &a.root, *new, &b.root, &proof), Ok(()));
        }
    }
    assert!(journal.checkpoint(LOGS[0], 1_000, "o").is_err());
    assert!(journal.checkpoint(LOGS[0], 11 * 1_024, "o").is_err());
    assert!(journal.consistency(LOGS[0], 2_048, 1_024).is_err());
    assert_eq!(state(&mut journal)[LOGS[0]].0, 10 * 1_024);
}

#[test]
fn two_handles_write_in_turn() {
    let (home, first) = new();
    let mut first = first.with_segment_records(900);
    let mut second = Journal::open(home.path()).expect("opened").with_segment_records(900);
    let contract = contract();
    for round in 0..40_u64 {
        let rows: Vec<_> = (round * 50..round * 50 + 100).map(|n| labelled(n, n % 2, 1)).collect();
        let journal = if round % 3 == 0 { &mut first } else { &mut second };
        let results = journal.record_events(&contract, &rows, &mut rng(round as u8)).expect("written");
        let known = if round == 0 { 0 } else { 50 };
        assert_eq!(counts(&results), [100 - known, 0, known, 0]);
        assert_eq!(first.size(LOGS[0]), second.size(LOGS[0]));
    }
    assert_eq!(state(&mut first), state(&mut second));
    assert_eq!(real(&first.verify().expect("whole"), LOGS[0]), 2_050);
}

#[test]
fn the_ledger_keeps_its_order() {
    let (home, mut journal) = new();
    let entries: Vec<_> = (0..3).map(|n| LedgerEntry::Held { reason: format!("case {n}") }).collect();
    journal.append(&entries, &mut rng(1)).expect("written");
    journal.pad(LEDGER, &mut rng(1)).expect("padded");
    journal.append(&entries[..1], &mut rng(1)).expect("written");
    let mut found = Vec::new();
    let mut opened = Journal::open(home.path()).expect("opened");
    opened
        .ledger(|position, entry| {
            found.push((position, entry));
            Ok(())
        })
        .expect("read");
    let expected = [0, 1, 2, 0].map(|n| entries[n].clone());
    assert_eq!(found, [0, 1, 2, 1_024].into_iter().zip(expected).collect::<Vec<_>>());
}

#[test]
fn answers_name_their_sizes() {
    let (_home, mut journal) = new();
    let contract = contract();
    let first: Vec<_> = (0..50).map(|n| labelled(n, 0, 1)).collect();
    journal.record_events(&contract, &first, &mut rng(1)).expect("written");
    let sizes = [LOGS[0], LOGS[1]].map(|log| journal.pad(log, &mut rng(1)).expect("padded"));
    let before = answer(&mut journal, hours(0, 1));
    let later: Vec<_> = (0..60).map(|n| labelled(n, 1, 2)).collect();
    journal.record_events(&contract, &later, &mut rng(2)).expect("written");
    let [predictions, outcomes] = sizes;
    let same = aggregate(&mut journal, &plan(), &contract, hours(0, 1), predictions, outcomes);
    assert_eq!(same.as_ref(), Ok(&before));
    assert_ne!(answer(&mut journal, hours(0, 1)), before);
    let beyond = aggregate(&mut journal, &plan(), &contract, hours(0, 1), predictions + 2_048, outcomes);
    assert!(beyond.expect_err("too many").what.contains("fewer than the"));
}

#[test]
fn positions_and_outcomes_are_found_by_zone() {
    let (_home, mut journal) = new();
    let contract = contract();
    let rows: Vec<_> = (0..4_000).map(|n| labelled(n, 1, 0)).collect();
    journal.record_events(&contract, &rows, &mut rng(1)).expect("written");
    let mut positions = Vec::new();
    journal
        .predictions_in(&contract, hours(20, 21), 4_000, |position, _| {
            positions.push(position);
            Ok(())
        })
        .expect("read");
    assert_eq!(positions, (1_200..1_260).collect::<Vec<_>>());
    let row = journal.row(LOGS[0]).expect("read").expect("there");
    let zone = (20 * HOUR_NS, 21 * HOUR_NS - 1);
    assert_eq!(journal.blocks(&row, 3, Some(zone)).expect("read").len(), 1);
    let mut found = Vec::<Outcome>::new();
    let until = Time(1_210 * HOUR_NS / 60);
    journal
        .outcomes_for(&contract, 1_200..1_260, 4_000, until, |_, outcome| {
            found.push(outcome.clone());
            Ok(())
        })
        .expect("read");
    assert_eq!(found.iter().map(|o| o.prediction).collect::<Vec<_>>(), (1_200..=1_210).collect::<Vec<_>>());
}
