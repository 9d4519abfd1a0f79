//! What is answered is durable: kills, a full disk, the end of the daemon.

use crate::TCP;
use fedaudit_tests::intake::Desk;
use fedaudit_tests::load::Load;
use fedaudit_tests::program;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many kills: ten in every run of the tests, as many as `FEDAUDIT_KILLS` says in a long one.
fn kills() -> u64 {
    std::env::var("FEDAUDIT_KILLS").ok().map_or(10, |text| text.parse().expect("FEDAUDIT_KILLS is a number"))
}

#[test]
fn killed_after_the_answer_everything_answered_is_there_once() {
    let mut desk = Desk::open(TCP);
    let load = Load::default();
    for round in 0..kills() {
        load.run(
            &mut desk,
            || 0,
            |desk| {
                load.progress(8);
                std::thread::sleep(Duration::from_micros(round * 7_919 % 20_000));
                desk.kill();
            },
        );
        desk.start();
    }
    load.check(&desk);
}

#[test]
fn a_daemon_that_is_told_to_stop_answers_for_what_it_took() {
    let mut desk = Desk::open(TCP);
    let load = Load::default();
    load.run(
        &mut desk,
        || 0,
        |desk| {
            load.progress(8);
            desk.stop();
        },
    );
    desk.start();
    load.check(&desk);
}

#[test]
fn a_disk_that_is_full_is_said_and_takes_nothing_back() {
    let mut desk = Desk::open(TCP);
    desk.kill();
    // A limit on the size of its files is a disk that is full: writes fail, and the process lives on.
    let mut shell = Command::new("sh");
    let limited = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" --home \"$1\" run";
    shell.arg("-c").arg(limited).arg(program("fedaudit-agent")).arg(desk.home());
    desk.start_by(shell);
    let load = Load::default();
    let mut refused = None;
    load.run(
        &mut desk,
        || 0,
        |desk| {
            let until = Instant::now() + Duration::from_secs(60);
            while refused.is_none() {
                assert!(Instant::now() < until, "the disk is never full");
                let answer = desk.http().ask("GET", "/readyz", &[], b"").expect("an answer");
                refused = (answer.status == 503).then_some(answer.body);
                std::thread::sleep(Duration::from_millis(5));
            }
        },
    );
    let reason = refused.expect("refused");
    assert!(reason.contains("sqlite"), "{reason}");
    // Each with 503 and when to come again, as the load asserts.
    let refused = load.refused();
    assert!(!refused.is_empty() && refused.iter().all(|why| why.contains("sqlite")), "{refused:?}");
    assert!(!load.answers().is_empty() && desk.log().contains("ERROR"), "{}", desk.log());
    desk.kill();
    desk.start();
    load.check(&desk);
}
