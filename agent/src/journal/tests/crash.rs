//! A table of crashes: each durable step, lost or persisted but reported as failed; then all is checked again.

use super::*;
use crate::intake::pair::{Answered, Asked, Half, Said};
use crate::journal::batch::Step;
use fedaudit_core::event::TallyKind;

fn rows() -> Vec<EventRow> {
    (0..1_500).map(|n| labelled(n, n % 2, 1)).collect()
}

#[test]
fn a_crash_at_any_step_counts_nothing_twice() {
    for step in [Step::Sidecar, Step::Journal, Step::Answer] {
        for reopen in [false, true] {
            for pad in [false, true] {
                crash_once(step, reopen, pad);
            }
        }
    }
}

fn crash_once(step: Step, reopen: bool, pad: bool) {
    let (home, mut journal) = new();
    let (contract, rows) = (contract(), rows());
    journal.record_events(&contract, &rows[..600], &mut rng(1)).expect("written");
    journal.stop = Some(step);
    journal.record_events(&contract, &rows[400..1_200], &mut rng(2)).expect_err("stopped");
    journal.stop = None;
    let persisted = step == Step::Answer;
    let expected = if persisted { 1_200 } else { 600 };
    assert_eq!(journal.size(LOGS[0]), Ok(expected), "{step:?}");
    // Rows that are only in the sidecar are not seen, whether or not they have been swept.
    assert_eq!(journal.position_of(&contract, "event 1100").map(|p| p.is_some()), Ok(persisted));
    journal.verify().expect("whole");
    if reopen {
        journal = Journal::open(home.path()).expect("opened");
        let known = journal.sidecar.contract("admission/1").expect("read").expect("there");
        let mut left = 0;
        let mut count = |_, _| {
            left += 1;
            Ok(())
        };
        journal.sidecar.identities(known.id, &(0..10_000), &mut count).expect("read");
        assert_eq!(left, expected, "{step:?}");
    }
    if pad {
        // Pads take the positions that the leftovers name.
        journal.pad(LOGS[0], &mut rng(3)).expect("padded");
    }
    let results = journal.record_events(&contract, &rows, &mut rng(4)).expect("written");
    assert_eq!(counts(&results), [1_500 - expected as usize, 0, expected as usize, 0], "{step:?}");
    let report = journal.verify().expect("whole");
    assert_eq!(report.erased, 0);
    for window in [hours(0, 1), hours(0, 24)] {
        assert_eq!(answer(&mut journal, window), recount(&rows, window));
    }
}

#[test]
fn leftovers_of_another_program_are_swept() {
    let (home, mut journal) = new();
    let (contract, rows) = (contract(), rows());
    journal.record_events(&contract, &rows[..10], &mut rng(1)).expect("written");
    let mut other = Journal::open(home.path()).expect("opened");
    other.stop = Some(Step::Journal);
    other.record_events(&contract, &rows[10..30], &mut rng(2)).expect_err("stopped");
    drop(other);
    let results = journal.record_events(&contract, &rows[20..40], &mut rng(3)).expect("written");
    assert_eq!(counts(&results), [20, 0, 0, 0]);
    let results = journal.record_events(&contract, &rows[..50], &mut rng(4)).expect("written");
    assert_eq!(counts(&results), [20, 0, 30, 0]);
    assert_eq!(journal.verify().map(|report| report.erased), Ok(0));
}

#[test]
fn an_unfinished_segment_or_journal_is_made_again() {
    let (home, journal) = new();
    let mut journal = journal.with_segment_records(10);
    journal.record_events(&contract(), &rows()[..20], &mut rng(1)).expect("written");
    let stray = home.path().join("journal/000002.sqlite.new");
    std::fs::write(&stray, b"half").expect("written");
    std::fs::write(home.path().join("journal/000002.sqlite.new-wal"), b"half").expect("written");
    journal.record_events(&contract(), &rows()[20..40], &mut rng(2)).expect("written");
    assert_eq!(journal.segments.len(), 2);
    assert!(!stray.exists());
    state(&mut journal);

    let home = tempfile::tempdir().expect("a folder");
    drop(Journal::create(home.path()).expect("created"));
    std::fs::remove_file(home.path().join("journal/000001.sqlite")).expect("removed");
    assert!(Journal::open(home.path()).is_err());
    Journal::create(home.path()).expect("completed");
}

#[test]
fn a_sidecar_that_is_not_the_journals_takes_no_events() {
    let (home, mut journal) = new();
    let contract = contract();
    journal.record_events(&contract, &rows()[..10], &mut rng(1)).expect("written");
    drop(journal);
    let sidecar = home.path().join("sidecar.sqlite");
    let copy = std::fs::read(&sidecar).expect("read");
    let mut journal = Journal::open(home.path()).expect("opened");
    journal.record_events(&contract, &rows()[10..20], &mut rng(1)).expect("written");
    drop(journal);
    std::fs::write(&sidecar, copy).expect("written");
    let mut journal = Journal::open(home.path()).expect("opened");
    let error = journal.record_events(&contract, &rows()[..30], &mut rng(2)).expect_err("older");
    assert!(error.what.contains("older than the journal"), "{error}");
    journal.pad(LOGS[0], &mut rng(2)).expect("pads need no sidecar");
    journal.record_events(&contract, &rows()[..30], &mut rng(2)).expect_err("still older");
    assert!(journal.verify().expect_err("older").what.contains("it is older"));
    assert_eq!(answer(&mut journal, hours(0, 24)), recount(&rows()[..20], hours(0, 24)));
    drop(journal);
    std::fs::remove_file(&sidecar).expect("removed");
    assert!(Journal::open(home.path()).expect_err("missing").what.contains("is missing"));
}

#[test]
fn a_journal_set_back_and_forth_takes_no_events_twice() {
    let (home, mut journal) = new();
    let contract = contract();
    journal.record_events(&contract, &rows()[..10], &mut rng(1)).expect("written");
    drop(journal);
    let segment = home.path().join("journal/000001.sqlite");
    let older = std::fs::read(&segment).expect("read");
    let mut journal = Journal::open(home.path()).expect("opened");
    journal.record_events(&contract, &rows()[10..20], &mut rng(1)).expect("written");
    drop(journal);
    let newer = std::fs::read(&segment).expect("read");
    std::fs::write(&segment, older).expect("written");
    drop(Journal::open(home.path()).expect("opened"));
    std::fs::write(&segment, newer).expect("written");
    let mut journal = Journal::open(home.path()).expect("opened");
    let error = journal.record_events(&contract, &rows()[..20], &mut rng(2)).expect_err("its sidecar was cut");
    assert!(error.what.contains("older than the journal"), "{error}");
}

/// What the ledger says of erasures.
fn erased(journal: &mut Journal) -> Vec<u64> {
    let mut found = Vec::new();
    let entry = |_, entry| {
        if let LedgerEntry::Erased { events, .. } = entry {
            found.push(events);
        }
        Ok(())
    };
    journal.ledger(entry).expect("read");
    found
}

#[test]
fn an_erasure_stands_in_the_ledger_once_whatever_step_is_lost() {
    let of = |n: u64, person: &str| EventRow { subject: Some(person.to_owned()), ..event(n) };
    for step in [Step::Sidecar, Step::Journal, Step::Answer] {
        for again in [false, true] {
            let (home, mut journal) = new();
            let rows = [of(0, "ann"), of(1, "bea"), of(2, "ann")];
            journal.record_events(&contract(), &rows, &mut rng(1)).expect("written");
            assert_eq!(journal.erase("bea", Time(1), &mut rng(2)), Ok(1));
            journal.stop = Some(step);
            journal.erase("ann", Time(2), &mut rng(2)).expect_err("stopped");
            let mut journal = Journal::open(home.path()).expect("opened");
            // Others write to the ledger before the site is opened again.
            journal.append(&[LedgerEntry::Held { reason: "case 7".to_owned() }], &mut rng(3)).expect("written");
            assert_eq!(erased(&mut journal), if step == Step::Answer { vec![1, 2] } else { vec![1] }, "{step:?}");
            if again {
                let left = if step == Step::Sidecar { 2 } else { 0 };
                assert_eq!(journal.erase("ann", Time(3), &mut rng(4)), Ok(left), "{step:?}");
            } else {
                journal.settle_erasures(&mut rng(4)).expect("written");
            }
            let expected = if step == Step::Sidecar && !again { vec![1] } else { vec![1, 2] };
            assert_eq!(erased(&mut journal), expected, "{step:?}");
            journal.settle_erasures(&mut rng(5)).expect("nothing is owed");
            assert_eq!(erased(&mut journal), expected, "{step:?}");
            let report = journal.verify().expect("whole");
            assert_eq!(report.erased, expected.iter().sum::<u64>(), "{step:?}");
        }
    }
}

/// Two sides of a conversation, and a label of its event.
fn conversation() -> [Item<'static>; 3] {
    let half = |said| Half { key: Digest([9; 32]), at: Time(HOUR_NS), risk_tier: None, said };
    let asked = Asked { attributes: vec![1], features: Vec::new(), canonical: None };
    let answered = Answered { decision: 1, ..Answered::default() };
    let request = Box::leak(Box::new(half(Said::Request(vec![asked]))));
    let response = Half { key: Digest([8; 32]), ..half(Said::Response("v1".to_owned(), vec![answered])) };
    let event_id = "conversation".to_owned();
    let label = LabelRow { event_id, label: 1, labelled_at: Time(2 * HOUR_NS), weight: 1 };
    let (response, label) = (Box::leak(Box::new(response)), Box::leak(Box::new(label)));
    [Item::Half("conversation", request), Item::Half("conversation", response), Item::Label(label)]
}

/// What is counted of all that was seen, without what is counted zero times.
fn tallied(journal: &mut Journal) -> BTreeMap<TallyKind, i64> {
    let (size, mut counts) = (journal.size(LOGS[0]).expect("read"), BTreeMap::new());
    let seen = |_, seen: Seen| {
        if let Seen::Tally(tally) = seen {
            *counts.entry(tally.kind).or_default() += tally.change;
        }
        Ok(())
    };
    journal.predictions_in(&contract(), hours(0, 24), size, seen).expect("read");
    counts.retain(|_, count| *count != 0);
    counts
}

#[test]
fn what_waits_for_another_message_survives_a_crash_at_any_step() {
    let rules = Rules { count: true, ..Rules::default() };
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for (step, at) in
            [Step::Sidecar, Step::Journal, Step::Answer].into_iter().flat_map(|step| (0..3).map(move |at| (step, at)))
        {
            let (_home, mut journal) = new();
            for (nth, item) in order.iter().enumerate() {
                let item = conversation()[*item];
                if nth == at {
                    journal.stop = Some(step);
                    journal.record(&contract(), [item].into_iter(), rules, &mut rng(1), |_| None).expect_err("stopped");
                    journal.stop = None;
                }
                // The sender got no answer, and sends it again.
                journal.record(&contract(), [item].into_iter(), rules, &mut rng(2), |_| None).expect("written");
            }
            let persisted = i64::from(step == Step::Answer);
            let expected = [(TallyKind::Paired, 1), (TallyKind::Duplicate, persisted)];
            let expected: BTreeMap<_, _> = expected.into_iter().filter(|(_, count)| *count != 0).collect();
            assert_eq!(tallied(&mut journal), expected, "{order:?} {step:?} {at}");
            let shown = journal.counts().expect("read").remove(&contract().journal_key()).unwrap_or_default();
            let shown: BTreeMap<_, _> = shown.into_iter().map(|(kind, count)| (kind, count as i64)).collect();
            assert_eq!(shown, expected, "{order:?} {step:?} {at}: what status shows");
            let report = journal.verify().expect("whole");
            assert_eq!(real(&report, LOGS[1]), 1, "{order:?} {step:?} {at}: the label");
        }
    }
}
