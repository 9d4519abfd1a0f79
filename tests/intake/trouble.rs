//! A disk that becomes read-only, and one whose syncs fail, under load: senders are told, and once it is over intake goes
//! on by itself, in the same process.

use crate::{JSON, PREDICTIONS, TCP};
use fedaudit_tests::intake::{Desk, event};
use fedaudit_tests::load::Load;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// An agent on such a disk, and the folder of `power/shim.c` in which trouble is made.
fn on_a_bad_disk() -> (Desk, PathBuf) {
    let mut desk = Desk::open(TCP);
    desk.kill();
    let folder = desk.world.scratch("trouble");
    fs::create_dir(&folder).expect("makes");
    let mut run = desk.watched("/dev/null".as_ref());
    desk.start_by({
        run.env("FEDAUDIT_POWER_TROUBLE", &folder).arg("run");
        run
    });
    (desk, folder)
}

fn wait(what: &str, desk: &Desk, mut until: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !until() {
        assert!(Instant::now() < end, "{what}: {}", desk.log());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn readiness(desk: &Desk) -> (u16, String) {
    let answer = desk.http().ask("GET", "/readyz", &[], b"").expect("an answer");
    (answer.status, answer.body)
}

#[test]
fn a_disk_that_becomes_read_only_is_said_and_intake_goes_on_when_it_can_be_written_again() {
    let (mut desk, folder) = on_a_bad_disk();
    let load = Load::default();
    load.run(
        &mut desk,
        || 0,
        |desk| {
            load.progress(20);
            fs::write(folder.join("read-only"), "").expect("writes");
            // A commit that was on its way may fail first, and say so.
            wait("it stays ready", desk, || {
                let (status, said) = readiness(desk);
                status == 503 && said.contains("journal.lock")
            });
            load.all_refused();
            let known = load.answers().len();
            // Long enough for the link to fail, and to be made again: neither ends the daemon.
            let end = Instant::now() + Duration::from_secs(4);
            while Instant::now() < end {
                let answer = desk.post(PREDICTIONS, JSON, &event("x").to_string());
                assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
                assert!(answer.body.contains("Read-only file system"), "{answer:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
            assert_eq!(load.answers().len(), known, "nothing is acknowledged");
            fs::remove_file(folder.join("read-only")).expect("removes");
            load.progress(20);
        },
    );
    assert!(!load.refused().is_empty());
    // Without senders it finds out by itself.
    fs::write(folder.join("read-only"), "").expect("writes");
    assert_eq!(desk.post(PREDICTIONS, JSON, &event("x").to_string()).status, 503);
    fs::remove_file(folder.join("read-only")).expect("removes");
    wait("it never is ready again", &desk, || readiness(&desk).0 == 200);
    desk.stop();
    desk.start();
    load.check(&desk);
}

#[test]
fn a_sync_that_fails_is_said_and_takes_nothing_back() {
    let (mut desk, folder) = on_a_bad_disk();
    let load = Load::default();
    let mut reasons = Vec::new();
    load.run(
        &mut desk,
        || 0,
        |desk| {
            for _ in 0..SYNCS {
                load.progress(5);
                fs::write(folder.join("sync"), "").expect("writes");
                wait("nothing is synced", desk, || !folder.join("sync").exists());
            }
            load.progress(20);
            reasons = load.refused();
            desk.kill();
        },
    );
    // Some fail where the logs are kept short, and no sender waits.
    assert!(!reasons.is_empty() && reasons.iter().all(|why| why.contains("sqlite: disk I/O error")), "{reasons:?}");
    println!("{SYNCS} syncs failed, {} batches were refused", reasons.len());
    desk.start();
    load.check(&desk);
}

/// Syncs that fail, each another step of a batch.
const SYNCS: u32 = 12;
