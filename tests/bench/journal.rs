//! How fast events become durable, windows are closed and journals verified: `cargo bench --bench journal -- [EVENTS]`.
//!
//! Events are JSON lines of 700 to 800 bytes with features, a subject and an explanation; all work is included: reading,
//! parsing, validation, feature bins, HMAC, tokens, Merkle tree, duplicate check, two synced commits a batch. Baseline of
//! the ratio, in the same run: a bare loop that inserts rows of as many bytes as the journal stores an event, 1,000 a
//! transaction, into SQLite with the same settings.

#![forbid(unsafe_code)]

#[path = "journal/events.rs"]
mod events;
#[path = "journal/find.rs"]
mod find;

use events::{CONTRACT, PLAN, write_lines};
use fedaudit_agent::import::{Map, Reading, import_file};
use fedaudit_agent::journal::{Journal, StdRng, aggregate};
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::time::{Time, Window};
use rand::SeedableRng as _;
use std::path::Path;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, home, month, events] = &args[..]
        && flag == "--close"
    {
        return close_alone(Path::new(home), month.parse().expect("a month"), events.parse().expect("a number"));
    }
    if let [_, flag, home, subject, expected, files] = &args[..]
        && flag == "--find"
    {
        return find::alone(Path::new(home), subject, expected.parse().expect("a number"), files);
    }
    let events = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000_u64);
    let folder = tempfile::tempdir().expect("a folder");
    let contract = contract::from_toml(CONTRACT).expect("a contract");
    let mut rng = StdRng::seed_from_u64(1);
    let home = folder.path().join("home");
    let mut journal = Journal::create(&home).expect("a journal");

    let file = folder.path().join("events.ndjson");
    let bytes = write_lines(&file, 0, events);
    println!("{events} events of {} bytes of JSON, four in five with their label", bytes / events);
    let seconds = timed("journaled, durable", events, || import(&mut journal, &contract, &file, &mut rng));
    let stored = size(&home) / events;
    println!("  {stored} bytes on disk an event, identities and ids included; peak {} MiB", peak_mib());
    let bare = timed("bare SQLite, the same bytes", events, || {
        bare_insert(&folder.path().join("bare.sqlite"), events, stored)
    });
    println!("  ratio {:.2}", bare / seconds);
    timed("taken in again: all duplicates", events, || import(&mut journal, &contract, &file, &mut rng));

    let seconds = timed("opened again", 1, || drop(Journal::open(&home).expect("opened")));
    println!("  {:.1} ms", seconds * 1e3);
    let rows = ["predictions/loans/1", "outcomes/loans/1"].map(|log| journal.size(log).expect("a size"));
    timed("verified", rows.iter().sum(), || drop(journal.verify().expect("whole")));
    find::bench(folder.path(), events, &mut rng);
    many_segments(&folder.path().join("many"), &contract, &mut rng);
    close(&home, 0, events);
    for months in [10, 30] {
        // Older windows, so that the newest is the first still: history grows behind it.
        let from = (journal.size("predictions/loans/1").expect("a size")).div_ceil(events);
        for month in from..months {
            let file = folder.path().join(format!("{month}.ndjson"));
            write_lines(&file, month * events, events);
            import(&mut journal, &contract, &file, &mut rng);
            std::fs::remove_file(&file).expect("removed");
        }
        println!("history of {months} windows");
        close(&home, 0, events);
        close(&home, months - 1, events);
        if std::env::args().any(|arg| arg == "--short") {
            break;
        }
    }
}

/// A home with a hundred segments that are closed.
fn many_segments(home: &Path, contract: &Contract, rng: &mut StdRng) {
    let mut journal = Journal::create(home).expect("a journal");
    let file = home.with_extension("ndjson");
    for segment in 0..100 {
        write_lines(&file, segment * 1_000, 1_000);
        import(&mut journal, contract, &file, rng);
        journal.seal(rng).expect("sealed");
    }
    drop(journal);
    let seconds = timed("opened with 100 closed segments", 100, || drop(Journal::open(home).expect("opened")));
    println!("  {:.1} ms", seconds * 1e3);
}

fn import(journal: &mut Journal, contract: &Contract, file: &Path, rng: &mut StdRng) {
    let map = Map::default();
    let reading = Reading { contract, map: &map, released: &[] };
    let summary = import_file(journal, &reading, file, &file.with_extension("rejects"), rng, &mut |_, _| {});
    let summary = summary.expect("imported");
    assert_eq!((summary.rejected, summary.events + summary.duplicates), (0, summary.rows), "{summary:?}");
}

/// Closes a window in a process of its own, so that its memory is its own.
fn close(home: &Path, month: u64, events: u64) {
    let mut again = std::process::Command::new(std::env::current_exe().expect("this program"));
    again.arg("--close").arg(home).args([month.to_string(), events.to_string()]);
    assert!(again.status().expect("runs").success());
}

fn close_alone(home: &Path, month: u64, events: u64) {
    let contract = contract::from_toml(CONTRACT).expect("a contract");
    let plan: Plan = plan::from_toml(PLAN, |_| Some(Digest([7; 32]))).expect("a plan");
    let mut journal = Journal::open(home).expect("opened");
    let start = Time::parse("2026-01-01T00:00:00Z").expect("a time").plus_ns(month as i64 * events::WINDOW_NS);
    let window = Window { start, end: start.plus_ns(events::WINDOW_NS) };
    let [predictions, outcomes] = contract.journal_logs().map(|log| journal.size(&log).expect("a size"));
    let idle = status("VmRSS");
    timed(&format!("window {} closed", month + 1), events, || {
        let answer = aggregate(&mut journal, &plan, &contract, window, predictions, outcomes).expect("an answer");
        assert_ne!(answer.salted_digest(&[1; 16]).expect("a digest"), Digest([0; 32]));
    });
    println!("  {idle} MiB before, {} MiB at most", peak_mib());
}

/// Rows of `bytes` bytes behind an integer key, 1,000 a transaction.
fn bare_insert(path: &Path, rows: u64, bytes: u64) {
    let mut db = rusqlite::Connection::open(path).expect("opened");
    db.pragma_update(None, "journal_mode", "WAL").expect("set");
    db.pragma_update(None, "synchronous", "FULL").expect("set");
    db.execute_batch("CREATE TABLE row (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT").expect("made");
    let row = vec![0x5a_u8; usize::try_from(bytes).expect("small")];
    for from in (0..rows).step_by(1_000) {
        let transaction = db.transaction().expect("begun");
        {
            let mut insert = transaction.prepare_cached("INSERT INTO row VALUES (?, ?)").expect("prepared");
            for id in from..(from + 1_000).min(rows) {
                insert.execute(rusqlite::params![id as i64, row]).expect("inserted");
            }
        }
        transaction.commit().expect("committed");
    }
}

fn timed(what: &str, rows: u64, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {seconds:.3} s, {:.0}/s", rows as f64 / seconds);
    seconds
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(|entry| match entry.metadata().expect("facts") {
            facts if facts.is_dir() => size(&entry.path()),
            // What waits in a write-ahead log is in no place of its own yet.
            _ if entry.path().to_string_lossy().ends_with("-wal") => 0,
            facts => facts.len(),
        })
        .sum()
}

fn peak_mib() -> u64 {
    status("VmHWM")
}

fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
