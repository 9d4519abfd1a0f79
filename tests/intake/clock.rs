//! The clock of a daemon that runs: what days do to its journal, and what a step back does to intake.

use crate::{JSON, PREDICTIONS, TCP};
use fedaudit_tests::intake::{Desk, SITE, event};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const DAY: i64 = 24 * 3_600;

/// Sets the clock so many seconds ahead, at once.
fn set(clock: &Path, ahead: i64) {
    let next = clock.with_extension("next");
    fs::write(&next, ahead.to_string()).expect("writes");
    fs::rename(next, clock).expect("renames");
}

fn wait(what: &str, desk: &Desk, mut until: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !until() {
        assert!(Instant::now() < end, "{what}: {}", desk.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a file of the archive is below a folder.
fn has_archive(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| match path.is_dir() {
        true => has_archive(&path),
        false => path.extension().is_some_and(|extension| extension == "parquet"),
    })
}

#[test]
fn a_daemon_closes_segments_archives_and_takes_in_events_whatever_its_clock_does() {
    let mut desk = Desk::open(TCP);
    desk.kill();
    let config = desk.home().join("config.toml");
    let text = fs::read_to_string(&config).expect("reads");
    assert!(text.contains("archive = \"\""), "{text}");
    fs::write(&config, text.replace("archive = \"\"", "archive = \"cold\"")).expect("writes");
    fs::create_dir_all(desk.home().join("cold")).expect("makes");
    let clock = desk.world.scratch("clock");
    set(&clock, 0);
    let mut run = desk.watched("/dev/null".as_ref());
    run.env("FEDAUDIT_POWER_CLOCK", &clock).arg("run");
    desk.start_by(run);
    let take = |id: &str| assert_eq!(desk.post(PREDICTIONS, JSON, &event(id).to_string()).json()["taken"], 1, "{id}");
    take("first");
    // A day and more later, in the next hourly round.
    set(&clock, 2 * DAY);
    wait("no segment is closed", &desk, || desk.home().join("journal/000002.sqlite").exists());
    take("second");
    assert!(!has_archive(&desk.home().join("cold")), "30 days have not gone");
    set(&clock, 40 * DAY);
    wait("nothing is archived", &desk, || has_archive(&desk.home().join("cold")));
    take("third");
    // Back to where it was.
    set(&clock, 0);
    take("fourth");
    assert_eq!(desk.post(PREDICTIONS, JSON, &event("fourth").to_string()).json()["duplicates"], 1);
    desk.stop();
    let said = desk.world.agent(SITE, &["journal", "verify"]).good().out;
    // Files have the time of the kernel, so that the second segment is as old as the first.
    assert!(said.contains("archive: 2 segments whole"), "{said}");
}
