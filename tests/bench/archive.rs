//! How fast closed segments become Parquet, how large they are, and how fast files of events are taken in:
//! `cargo bench --bench archive -- [EVENTS]`.
//!
//! Archived are events of 700 to 800 bytes of JSON with features and subjects, four in five with their label; all work is
//! included: staging, copying, reading back, hashing every record against its block's root, twice, and the segment
//! without records. Baselines, in the same run: `journal verify` over the same rows, the hot segment's bytes, and for
//! Parquet the import of the same table as CSV.

#![forbid(unsafe_code)]

#[path = "journal/events.rs"]
#[expect(dead_code, reason = "the plan is for the bench of the journal")]
mod events;

use events::{CONTRACT, write_lines};
use fedaudit_agent::archive::{Archive, Retention};
use fedaudit_agent::import::{Map, Reading, import_file};
use fedaudit_agent::journal::{Journal, StdRng};
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_tests::python;
use rand::SeedableRng as _;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

fn main() {
    let events = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(500_000_u64);
    let folder = tempfile::tempdir().expect("a folder");
    archive(folder.path(), events);
    import(folder.path(), events);
}

fn archive(folder: &Path, events: u64) {
    let contract = contract::from_toml(CONTRACT).expect("a contract");
    let (home, cold, staging) = (folder.join("home"), folder.join("cold"), folder.join("staging"));
    let mut rng = StdRng::seed_from_u64(1);
    let mut journal = Journal::create(&home).expect("a journal");
    let file = folder.join("events.ndjson");
    write_lines(&file, 0, events);
    take(&mut journal, &contract, &file);
    journal.seal(&mut rng).expect("closed");
    for made in [&cold, &staging] {
        std::fs::create_dir(made).expect("made");
    }
    let rows = ["predictions/loans/1", "outcomes/loans/1"].map(|log| journal.size(log).expect("a size")).iter().sum();
    println!("{events} events, {rows} rows with their labels and padding");
    // Opened anew, so that nothing is left in a write-ahead log and the file has its size.
    drop(journal);
    let mut journal = Journal::open(&home).expect("opened");
    let verified = timed("journal verify, the baseline", rows, || drop(journal.verify().expect("whole")));
    let segment = home.join("journal/000001.sqlite");
    let hot = std::fs::metadata(&segment).expect("there").len();
    let retention = Retention::default();
    let archive = Archive {
        retention: &retention,
        folder: cold.clone(),
        staging,
        contracts: vec![contract],
        encrypt: None,
        decrypt: None,
        needed: None,
    };
    let seconds = timed("archived, checked and deleted", rows, || {
        let done = archive.run(&mut journal, Time(i64::MAX), &mut rng).expect("archived");
        assert_eq!((done.archived, done.deleted), (vec![1], vec![1]));
    });
    println!("  ratio {:.2}; peak {} MiB", verified / seconds, peak_mib());
    let (bytes, files) = size(&cold);
    let stub = std::fs::metadata(&segment).expect("there").len();
    println!("  {:.0} bytes a row in {files} files", bytes as f64 / rows as f64);
    println!(
        "  ratio {:.2} to the hot segment's {:.0} bytes a row",
        bytes as f64 / hot as f64,
        hot as f64 / rows as f64
    );
    println!("  {:.1} bytes a row stay in the journal", stub as f64 / rows as f64);
}

fn import(folder: &Path, events: u64) {
    let contract = contract::from_toml(TABLE).expect("a contract");
    let (csv, parquet) = (folder.join("table.csv"), folder.join("table.parquet"));
    std::fs::write(&csv, table(events)).expect("written");
    let said = python(
        "tests/foreign/csv_to_parquet.py",
        &[csv.as_os_str(), parquet.as_os_str(), "snappy".as_ref(), "131072".as_ref()],
    );
    assert!(said.content, "{}", said.said);
    let mut seconds = Vec::new();
    for (name, file) in [("CSV, the baseline", &csv), ("Parquet", &parquet)] {
        let mut journal = Journal::create(&folder.join(name)).expect("a journal");
        seconds.push(timed(&format!("imported from {name}"), events, || take(&mut journal, &contract, file)));
    }
    println!("  ratio {:.2}", seconds[0] / seconds[1]);
}

const TABLE: &str = r#"
contract = "table"
version = 1
title = "A table"
task = "binary"
model = "m"
[decision]
values = ["0", "1"]
favourable = "1"
[label]
values = ["0", "1"]
positive = "1"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;

fn table(rows: u64) -> String {
    let mut text = "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,gender\n".to_owned();
    for n in 0..rows {
        let time = Time((20_000 * 24 * 3_600 + n as i64) * (HOUR_NS / 3_600));
        let (score, gender) = (n % 10_000, ["Female", "Male"][n as usize % 2]);
        let _ = writeln!(text, "event-{n:012},{time},m,v1,0.{score:04},{},{},{time},{gender}", n % 2, n / 2 % 2);
    }
    text
}

fn take(journal: &mut Journal, contract: &Contract, file: &Path) {
    let map = Map::default();
    let reading = Reading { contract, map: &map, released: &[] };
    let rejects = file.with_extension("rejects");
    let summary = import_file(journal, &reading, file, &rejects, &mut StdRng::seed_from_u64(2), &mut |_, _| {});
    let summary = summary.expect("imported");
    assert_eq!((summary.rejected, summary.events), (0, summary.rows), "{summary:?}");
}

fn timed(what: &str, rows: u64, work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{what}: {seconds:.3} s, {:.0} rows/s", rows as f64 / seconds);
    seconds
}

/// Bytes and number of the files below a folder.
fn size(folder: &Path) -> (u64, u64) {
    let entries = std::fs::read_dir(folder).expect("lists").flatten();
    let sizes = entries.map(|entry| match entry.metadata().expect("facts") {
        facts if facts.is_dir() => size(&entry.path()),
        facts => (facts.len(), 1),
    });
    sizes.fold((0, 0), |(bytes, files), (b, f)| (bytes + b, files + f))
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
