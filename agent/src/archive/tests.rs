//! A journal on its way into the archive, through crashes and damage.

use super::*;
use crate::archive::file::{Meaning, records};
use crate::journal::tests::{contract, new, rng};
use crate::journal::{EventRow, RowResult};
use crate::journal::{Journal, LEDGER};
use fedaudit_core::event::{ABSENT, Record};
use fedaudit_core::fault::Blame;
use fedaudit_core::time::{HOUR_NS, Window};
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use zeroize::Zeroizing;

mod held;
mod thaw;

const EVENTS: u64 = 3_000;
const PREDICTIONS: &str = "predictions/admission/1";

/// A journal with two closed segments of three days each and one open, and where its archive is.
struct Site {
    home: TempDir,
    journal: Journal,
    retention: Retention,
}

fn event(n: u64) -> EventRow {
    let occurred_at = Time(n as i64 * HOUR_NS / 40);
    EventRow {
        event_id: format!("event {n}"),
        occurred_at,
        model_version: ["v1", "v2"][n as usize % 2].to_owned(),
        decision: [0, 1, ABSENT][n as usize % 3],
        score_q: (!n.is_multiple_of(5)).then_some(n << 16),
        attributes: vec![(n % 4) as u16],
        outcome: n.is_multiple_of(4).then_some((n / 4 % 2, occurred_at.plus_ns(50 * HOUR_NS))),
        ..EventRow::default()
    }
}

fn site() -> Site {
    let (home, mut journal) = new();
    for part in 0..3 {
        let rows: Vec<_> = (part * EVENTS..(part + 1) * EVENTS).map(event).collect();
        journal.record_events(&contract(), &rows, &mut rng(part as u8)).expect("written");
        if part < 2 {
            assert_eq!(journal.seal(&mut rng(9)), Ok(()));
        }
    }
    let retention = Retention { archive: "cold".to_owned(), delete_after_days: 100, ..Retention::default() };
    std::fs::create_dir(home.path().join("cold")).expect("made");
    Site { home, journal, retention }
}

/// So many days from now.
fn days(days: i64) -> Time {
    fedaudit_link::home::now().plus_ns(days * names::DAY_NS)
}

impl Site {
    fn run_with(&mut self, now: Time, edit: impl FnOnce(&mut Archive)) -> Result<Done, Fault> {
        let home = self.home.path();
        let mut archive = Archive {
            retention: &self.retention,
            folder: home.join("cold"),
            staging: home.join("archive-staging"),
            contracts: vec![contract()],
            encrypt: None,
            decrypt: None,
            needed: None,
            meanwhile: None,
        };
        edit(&mut archive);
        create_dir_private(&archive.staging).expect("made");
        archive.run(&mut self.journal, now, &mut rng(5))
    }

    fn run(&mut self, now: Time) -> Result<Done, Fault> {
        self.run_with(now, |_| {})
    }

    fn files(&self) -> Vec<String> {
        list_files(&self.home.path().join("cold")).expect("listed")
    }

    fn ledger(&mut self) -> Vec<LedgerEntry> {
        let mut found = Vec::new();
        let wanted = |of: &LedgerEntry| matches!(of, LedgerEntry::Archived { .. } | LedgerEntry::Deleted { .. });
        self.journal
            .ledger(|_, entry| {
                if wanted(&entry) {
                    found.push(entry);
                }
                Ok(())
            })
            .expect("read");
        found
    }

    /// Checks of the archive alone.
    fn check(&mut self, key: Option<&Key>) -> Result<(), Fault> {
        let acts = Acts::read(&mut self.journal)?;
        let folder = self.home.path().join("cold");
        for segment in self.journal.sealed()? {
            let Some(files) = acts.archived.get(&segment.number) else { continue };
            check::check(&folder, &segment, files, key)?;
        }
        Ok(())
    }
}

fn count(journal: &mut Journal, days: std::ops::Range<i64>) -> Result<u64, Fault> {
    let window = Window { start: Time(days.start * names::DAY_NS), end: Time(days.end * names::DAY_NS) };
    let (size, mut found) = (journal.size(PREDICTIONS)?, 0);
    journal.predictions_in(&contract(), window, size, |_, _| {
        found += 1;
        Ok(())
    })?;
    Ok(found)
}

#[test]
fn records_leave_the_journal_and_their_roots_stay() {
    let mut site = site();
    let before = site.journal.verify().expect("whole");
    assert_eq!(site.run(days(29)), Ok(Done::default()));
    assert!(site.files().is_empty());
    let done = site.run(days(31)).expect("archived");
    assert_eq!((done.archived, done.deleted, done.purged), (vec![1, 2], vec![1, 2], vec![]));
    // Days 0 to 9 have 960 events each; segments end at 3,000 and 6,000.
    let files = site.files();
    assert!(files.contains(&"predictions/model=admission/date=1970-01-04/segment-000001-v1.parquet".to_owned()));
    assert!(files.contains(&"predictions/model=admission/date=1970-01-04/segment-000002-v1.parquet".to_owned()));
    assert!(files.contains(&"ledger/segment-000002.parquet".to_owned()), "{files:?}");
    let mode = std::fs::metadata(site.home.path().join("cold").join(&files[0])).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o400);
    // Roots and sizes are as they were; the ledger has grown.
    let after = site.journal.verify().expect("whole");
    let roots = |report: &crate::journal::JournalReport| {
        let logs = report.logs.iter().filter(|log| log.name != LEDGER);
        logs.map(|log| (log.name.clone(), log.size, log.root)).collect::<Vec<_>>()
    };
    assert_eq!(roots(&before), roots(&after));
    assert_eq!(site.check(None), Ok(()));
    assert_eq!(site.run(days(31)), Ok(Done::default()));
    // What is there is read; what is not is said to be in the archive.
    assert_eq!(count(&mut site.journal, 7..9), Ok(1_920));
    let fault = count(&mut site.journal, 0..1).expect_err("gone");
    let said = "they are in the archive: predictions/model=admission/date=*/segment-000001-v1.parquet";
    assert!(fault.what.contains(said) && fault.blame == Blame::Operator, "{fault}");
    let mut reopened = Journal::open(site.home.path()).expect("opened");
    assert_eq!(reopened.verify().map(|report| roots(&report)), Ok(roots(&after)));
    // New events are taken in, old ones are told from those that have left.
    let more: Vec<_> = [3 * EVENTS, 3 * EVENTS - 1, EVENTS].map(event).into();
    let results = reopened.record_events(&contract(), &more, &mut rng(7)).expect("written");
    assert_eq!(results[..2], [RowResult::Event { outcome: true }, RowResult::Duplicate]);
    assert!(matches!(&results[2], RowResult::Rejected(why) if why.contains("has left this journal")), "{results:?}");
    // At last the files go as well.
    let done = site.run(days(101)).expect("purged");
    assert_eq!((done.purged, site.files()), (vec![1, 2], vec![]));
    assert_eq!(site.run(days(101)), Ok(Done::default()));
    assert!(matches!(site.ledger().last(), Some(LedgerEntry::Deleted { segment: 2, archive: true })));
    assert!(site.journal.verify().is_ok());
}

#[test]
fn the_exact_records_are_in_the_files() {
    let mut site = site();
    let mut wanted = Vec::new();
    let sealed = site.journal.sealed().expect("closed");
    for log in &sealed[0].logs {
        let mut keep = |position: u64, bytes: &[u8]| {
            wanted.push((log.name.clone(), position as i64, bytes.to_vec()));
            Ok(())
        };
        site.journal.sealed_records(&sealed[0], log, &mut keep).expect("read");
    }
    site.run(days(31)).expect("archived");
    let mut found = Vec::new();
    for name in site.files().into_iter().filter(|name| name.contains("segment-000001")) {
        let log = sealed[0].logs.iter().find(|log| names::belongs(&name, &log.name, 1)).expect("of a log");
        let path = site.home.path().join("cold").join(&name);
        records(&path, &name, None, |position, bytes| {
            found.push((log.name.clone(), position, bytes.to_vec()));
            Ok(())
        })
        .expect("read");
    }
    found.sort();
    wanted.sort();
    assert!(found == wanted && found.len() == 3 * 1_024 + 1_024 + 1_024, "{} of {}", found.len(), wanted.len());
}

#[test]
fn a_hold_or_an_open_window_keeps_everything() {
    let mut site = site();
    let hold = LedgerEntry::Held { reason: "case 7".to_owned() };
    site.journal.append(&[hold], &mut rng(1)).expect("written");
    let done = site.run(days(200)).expect("archived");
    assert_eq!((done.archived, done.deleted, done.purged), (vec![1, 2], vec![], vec![]));
    assert_eq!(done.kept, [(1, "legal hold: case 7".to_owned())]);
    let lifted = LedgerEntry::HoldLifted { reason: "closed".to_owned() };
    site.journal.append(&[lifted], &mut rng(1)).expect("written");
    // Segment 2 reaches to day 6; a window of an accepted plan begins on day 5.
    let needed = Some(Time(5 * names::DAY_NS));
    let done = site.run_with(days(31), |archive| archive.needed = needed).expect("ran");
    assert_eq!((done.deleted, done.kept[0].0), (vec![1], 2));
    assert_eq!(site.run(days(31)).map(|done| done.deleted), Ok(vec![2]));
    // A hold keeps the files as well, even of what is deleted here.
    site.journal.append(&[LedgerEntry::Held { reason: "case 8".to_owned() }], &mut rng(1)).expect("written");
    let files = site.files();
    assert_eq!(site.run(days(101)).map(|done| done.purged), Ok(vec![]));
    assert_eq!(site.files(), files);
}

#[test]
fn an_interrupted_run_is_taken_up() {
    let mut site = site();
    let cold = site.home.path().join("cold");
    // The third file cannot be written: nothing is in the ledger, and nothing is deleted.
    let blocked = cold.join("predictions");
    std::fs::write(&blocked, b"in the way").expect("written");
    site.run(days(31)).expect_err("in the way");
    assert_eq!(site.ledger(), []);
    let copied = site.files();
    assert!(copied.len() > 1 && copied.contains(&"predictions".to_owned()), "{copied:?}");
    std::fs::remove_file(&blocked).expect("removed");
    // One copy is cut short, as by a crash: it is a beginning of the staged file.
    let whole = copied.iter().find(|name| name.ends_with(".parquet")).expect("a file");
    let bytes = std::fs::read(cold.join(whole)).expect("read");
    std::fs::remove_file(cold.join(whole)).expect("removed");
    std::fs::write(cold.join(whole), &bytes[..bytes.len() / 2]).expect("written");
    let done = site.run(days(31)).expect("archived");
    assert_eq!((done.archived, done.deleted), (vec![1, 2], vec![1, 2]));
    assert_eq!(std::fs::read(cold.join(whole)).expect("read"), bytes);
    assert!(list_files(&site.home.path().join("archive-staging")).expect("listed").is_empty());
    assert_eq!(site.check(None), Ok(()));

    // A crash after the ledger said so, before the records went.
    let mut site = self::site();
    let needed = Some(Time(i64::MIN));
    site.run_with(days(31), |archive| archive.needed = needed).expect("archived");
    site.journal.append(&[LedgerEntry::Deleted { segment: 1, archive: false }], &mut rng(1)).expect("written");
    assert!(site.journal.verify().is_ok());
    assert_eq!(site.run(days(31)).map(|done| done.deleted), Ok(vec![1, 2]));
    let deleted = site.ledger().into_iter().filter(|entry| matches!(entry, LedgerEntry::Deleted { .. })).count();
    assert_eq!(deleted, 2);

    // Another home's file under the same name is left alone.
    let mut site = self::site();
    let cold = site.home.path().join("cold");
    std::fs::create_dir_all(cold.join("ledger")).expect("made");
    std::fs::write(cold.join("ledger/segment-000001.parquet"), b"PAR1 of others").expect("written");
    let fault = site.run(days(31)).expect_err("of others");
    assert!(fault.what.contains("is there already, with other content"), "{fault}");
    assert_eq!(std::fs::read(cold.join("ledger/segment-000001.parquet")).expect("read"), b"PAR1 of others");
}

/// Puts `bytes` in the place of a file of the archive.
fn replace(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).expect("removed");
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn damage_in_the_archive_is_found_and_placed() {
    let mut site = site();
    site.run(days(31)).expect("archived");
    let cold = site.home.path().join("cold");
    let name = "predictions/model=admission/date=1970-01-02/segment-000001-v1.parquet";
    let path = cold.join(name);
    let good = std::fs::read(&path).expect("read");
    // A flipped byte, anywhere: the file is named.
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        replace(&path, &bytes);
        let fault = site.check(None).expect_err("found");
        assert!(fault.what.contains(name), "byte {at}: {fault}");
    }
    replace(&path, &good[..good.len() - 100]);
    assert!(site.check(None).expect_err("found").what.contains(name));
    std::fs::remove_file(&path).expect("removed");
    let fault = site.check(None).expect_err("found");
    assert!(fault.what.contains(name) && fault.what.contains("is missing"), "{fault}");

    // A file that is whole in itself and says something else: the positions are named.
    let mut rows = Vec::new();
    std::fs::write(&path, &good).expect("written");
    records(&path, name, None, |position, bytes| {
        let (position, bytes) = (position as u64, bytes.to_vec());
        let record = fedaudit_core::event::decode_record(&bytes).map_err(|error| error.to_string())?;
        rows.push(columns::Row { position, bytes, record });
        Ok(())
    })
    .expect("read");
    assert_eq!((rows.len(), rows[100].position), (960, 1_060));
    let forge = |site: &mut Site, edit: &dyn Fn(&mut Vec<columns::Row>)| {
        let mut rows = rows.clone();
        edit(&mut rows);
        std::fs::remove_file(&path).expect("removed");
        let texts = Texts::default();
        let meaning = Meaning { log: PREDICTIONS, contract: None, texts: &texts };
        let mut writer = file::Writer::new(path.clone(), name, meaning, None).expect("begun");
        rows.into_iter().for_each(|row| writer.push(row).expect("written"));
        writer.finish().expect("written");
        site.check(None).expect_err("found").what
    };
    let said = forge(&mut site, &|rows| rows[100].bytes[3] ^= 1);
    assert!(said.contains("the records 1024 to 2048 do not hash") && said.contains(name), "{said}");
    assert!(forge(&mut site, &|rows| _ = rows.remove(100)).contains("record 1060 is missing"));
    assert!(forge(&mut site, &|rows| rows[100].position = 1_061).contains("record 1061 is there twice"));
    assert!(forge(&mut site, &|rows| rows[100].position = 4_000).contains("record 4000 does not belong"));
    let swapped = forge(&mut site, &|rows| {
        let (a, b) = (rows[100].position, rows[101].position);
        (rows[100].position, rows[101].position) = (b, a);
    });
    assert!(swapped.contains("the records 1024 to 2048 do not hash"), "{swapped}");
    // The same records, and columns without texts: the bytes tell.
    assert!(forge(&mut site, &|_| {}).contains("not those that were archived"));
}

#[test]
fn records_that_went_by_another_way_are_missed() {
    let mut site = site();
    site.journal.drop_records(1).expect("dropped");
    let fault = site.journal.verify().expect_err("the ledger does not say so");
    assert!(fault.what.contains("000001.sqlite") && fault.what.contains("lacks the records 0 to 3072"), "{fault}");
    // Without an archive of them, nothing more is deleted or said to be archived.
    let done = site.run(days(31)).expect("ran");
    assert_eq!((done.archived, done.deleted), (vec![2], vec![2]));
}

#[test]
fn encrypted_files_open_with_the_key_and_under_their_name() {
    let mut site = site();
    let key: Key = Zeroizing::new([7; 32]);
    let done = site.run_with(days(31), |archive| {
        (archive.encrypt, archive.decrypt) = (Some(key.clone()), Some(key.clone()));
    });
    assert_eq!(done.map(|done| done.deleted), Ok(vec![1, 2]));
    let cold = site.home.path().join("cold");
    for name in site.files() {
        let bytes = std::fs::read(cold.join(&name)).expect("read");
        assert!(bytes.starts_with(b"PARE") && bytes.ends_with(b"PARE"), "{name}");
        let shows = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!shows(b"occurred_at") && !shows(b"Female"), "{name}");
    }
    assert_eq!(site.check(Some(&key)), Ok(()));
    assert!(site.check(None).expect_err("no key").what.contains("keys/archive.key"));
    site.check(Some(&Zeroizing::new([8; 32]))).expect_err("another key");
    let name = |date: &str| format!("predictions/model=admission/date=1970-01-{date}/segment-000001-v1.parquet");
    let read = |as_name: &str| records(&cold.join(name("02")), as_name, Some(&key), |_, _| Ok(()));
    assert_eq!(read(&name("02")), Ok(()));
    read(&name("03")).expect_err("bound to its name");
}

#[test]
fn the_key_is_kept_for_its_owner() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("keys")).expect("made");
    assert_eq!(key::load(home.path()), Ok(None));
    let made = key::make(home.path()).expect("made");
    assert_eq!((key::make(home.path()), key::load(home.path())), (Ok(made.clone()), Ok(Some(made))));
    let path = key::path(home.path());
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("set");
    assert!(key::load(home.path()).expect_err("open").what.contains("open to others"));
    std::fs::write(&path, "f".repeat(63) + "g\n").expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("set");
    assert!(key::load(home.path()).expect_err("no key").what.contains("is no key"));
}

/// Pads, and what else has no date, are in the partition of null; all of a block's records are somewhere.
#[test]
fn kinds_lie_where_they_belong() {
    let mut site = site();
    site.run(days(31)).expect("archived");
    let cold = site.home.path().join("cold");
    let name = "outcomes/model=admission/date=__HIVE_DEFAULT_PARTITION__/segment-000001-v1.parquet";
    let mut pads = 0;
    records(&cold.join(name), name, None, |_, bytes| {
        let record = fedaudit_core::event::decode_record(bytes).map_err(|error| error.to_string())?;
        pads += u64::from(record == Record::Pad);
        Ok(())
    })
    .expect("read");
    assert_eq!(pads, 1_024 - EVENTS / 4);
}
