//! What stops a deletion at the last moment: a hold, and an archive that lets nothing go.

use super::*;
use std::cell::Cell;

/// Runs as of `now`, and puts the site on hold at the `nth` deletion, right before it.
fn held_at(site: &mut Site, now: Time, nth: u32) -> Done {
    let home = site.home.path().to_owned();
    let (seen, reason) = (Cell::new(0), "case 9".to_owned());
    let hold = || {
        seen.set(seen.get() + 1);
        if seen.get() == nth {
            let mut other = Journal::open(&home).expect("opened");
            other.append(&[LedgerEntry::Held { reason: reason.clone() }], &mut rng(4)).expect("written");
        }
    };
    let retention = site.retention.clone();
    let archive = Archive {
        retention: &retention,
        folder: home.join("cold"),
        staging: home.join("archive-staging"),
        contracts: vec![contract()],
        encrypt: None,
        decrypt: None,
        needed: None,
        meanwhile: Some(&hold),
    };
    create_dir_private(&archive.staging).expect("made");
    archive.run(&mut site.journal, now, &mut rng(5)).expect("ran")
}

fn lift(site: &mut Site) {
    let lifted = LedgerEntry::HoldLifted { reason: "closed".to_owned() };
    site.journal.append(&[lifted], &mut rng(1)).expect("written");
}

#[test]
fn a_hold_stops_a_round_that_runs() {
    let mut site = site();
    let done = held_at(&mut site, days(31), 2);
    assert_eq!((done.archived, done.deleted), (vec![1, 2], vec![1]));
    assert_eq!(done.kept, [(2, "legal hold: case 9".to_owned())]);
    lift(&mut site);
    assert_eq!(site.run(days(31)).map(|done| done.deleted), Ok(vec![2]));
    let files = site.files();
    let done = held_at(&mut site, days(101), 2);
    assert_eq!(done.purged, [1]);
    let left: Vec<_> = files.into_iter().filter(|name| name.contains("segment-000002")).collect();
    assert_eq!(site.files(), left);
    lift(&mut site);
    assert_eq!((site.run(days(101)).map(|done| done.purged), site.files()), (Ok(vec![2]), vec![]));
}

/// Puts a folder in the place of a file, which then cannot be removed as one, whoever tries; or takes it away again.
fn lock(site: &Site, name: &str, locked: bool) {
    let path = site.home.path().join("cold").join(name);
    if locked {
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("made");
    } else {
        std::fs::remove_dir(&path).expect("removed");
        std::fs::write(&path, b"").expect("written");
    }
}

#[test]
fn an_archive_that_lets_nothing_go_keeps_the_ledger_true() {
    let mut site = site();
    site.run(days(31)).expect("archived");
    let files: Vec<_> = site.files().into_iter().filter(|name| name.contains("segment-000001")).collect();
    // The first file of segment 1 stays: nothing of it goes, and the ledger does not say that it did.
    lock(&site, &files[0], true);
    let done = site.run(days(101)).expect("ran");
    assert_eq!((done.purged, done.kept.len(), done.kept[0].0), (vec![2], 1, 1));
    assert!(done.kept[0].1.contains(&files[0]), "{:?}", done.kept);
    assert_eq!(site.files(), files[1..]);
    let deleted = LedgerEntry::Deleted { segment: 1, archive: true };
    assert!(!site.ledger().contains(&deleted));
    // The last one stays: the ledger says that the segment is deleted, and each run names what is left.
    lock(&site, &files[0], false);
    let last = &files[files.len() - 1];
    lock(&site, last, true);
    for first in [true, false] {
        let done = site.run(days(101)).expect("ran");
        assert_eq!((done.purged.len(), done.kept.len()), (usize::from(first), 1));
        assert!(done.kept[0].1.contains(last) && site.ledger().contains(&deleted) && site.files().is_empty());
    }
    lock(&site, last, false);
    assert_eq!((site.run(days(101)), site.files()), (Ok(Done::default()), vec![]));
}

#[test]
fn an_event_of_the_future_is_named_as_what_keeps_records() {
    let mut site = site();
    let strange = EventRow { occurred_at: Time(4_102_444_800_000_000_000), outcome: None, ..event(3 * EVENTS) };
    let results = site.journal.record_events(&contract(), &[strange], &mut rng(7));
    assert_eq!(results, Ok(vec![RowResult::Event { outcome: false }]));
    site.journal.seal(&mut rng(9)).expect("sealed");
    assert_eq!(site.run(days(29)), Ok(Done::default()));
    let done = site.run(days(31)).expect("ran");
    assert_eq!((done.deleted, done.kept.len(), done.kept[0].0), (vec![1, 2], 1, 3));
    assert!(done.kept[0].1.contains("its newest event is dated 2100-01-01T00:00:00Z"), "{:?}", done.kept);
}
