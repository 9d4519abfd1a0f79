//! How long it takes to find a person's events among 30 days, a closed segment each.

use super::events::{CONTRACT, line, write};
use super::{import, timed};
use fedaudit_agent::journal::{Journal, StdRng};
use fedaudit_core::contract;
use fedaudit_core::time::Time;
use std::path::Path;
use std::process::Command;

/// Days, and segments.
const DAYS: u64 = 30;
/// Subjects and how many events they have on each day, spread over it; 1,020 of one, for whom 1,000 were asked.
const SUBJECTS: [(&str, u64); 2] = [("one-a-day", 1), ("often", 34)];

/// Fills a home with `events` events and asks it, each time in a process of its own: opening it is part of the answer.
pub fn bench(folder: &Path, events: u64, rng: &mut StdRng) {
    let (home, file, day) = (folder.join("found"), folder.join("day.ndjson"), events / DAYS);
    let contract = contract::from_toml(CONTRACT).expect("a contract");
    let mut journal = Journal::create(&home).expect("a journal");
    for nth in 0..DAYS {
        write(&file, (nth * day..(nth + 1) * day).map(|n| of_subject(n, day)));
        import(&mut journal, &contract, &file, rng);
        journal.seal(rng).expect("sealed");
    }
    // Opened anew, so that nothing is left in write-ahead logs.
    drop(journal);
    drop(Journal::open(&home).expect("opened"));
    println!("{} events over {DAYS} days, a segment each", day * DAYS);
    for (subject, daily) in SUBJECTS {
        for forgotten in [true, false] {
            if forgotten {
                forget(&home);
            }
            let mut again = Command::new(std::env::current_exe().expect("this program"));
            again.arg("--find").arg(&home).args([subject, &(daily * DAYS).to_string()]);
            again.arg(if forgotten { "files not in memory" } else { "files in memory" });
            assert!(again.status().expect("runs").success());
        }
    }
}

/// What such a process does.
pub fn alone(home: &Path, subject: &str, expected: usize, files: &str) {
    timed(&format!("found {expected} events of a subject, {files}"), expected as u64, || {
        let mut journal = Journal::open(home).expect("opened");
        let found = journal.find(subject, Time(i64::MIN), Time(i64::MAX)).expect("found");
        assert_eq!(found.len(), expected);
    });
}

/// Event `n`, of one of the subjects where its place in its day is theirs.
fn of_subject(n: u64, day: u64) -> String {
    let of = |(nth, (_, daily)): &(usize, (&str, u64))| {
        let every = day / daily;
        n % day % every == *nth as u64 && n % day / every < *daily
    };
    let line = line(n, day);
    match SUBJECTS.into_iter().enumerate().find(of) {
        Some((_, (subject, _))) => line.replacen(&format!("customer-{:012}", n / 3), subject, 1),
        None => line,
    }
}

/// Has the operating system forget what it read of the files below a folder.
fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            forget(&entry.path());
            continue;
        }
        let mut dd = Command::new("dd");
        dd.arg(format!("if={}", entry.path().display())).args(["iflag=nocache", "count=0", "status=none"]);
        assert!(dd.status().expect("dd is there").success());
    }
}
