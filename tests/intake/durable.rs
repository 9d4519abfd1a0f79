//! What is answered is durable: kills, a full disk, the end of the daemon.

use crate::{JSON, NDJSON, PREDICTIONS, TCP};
use fedaudit_tests::http::Http;
use fedaudit_tests::intake::{Desk, event, lines, post};
use fedaudit_tests::program;
use serde_json::Value;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SENDERS: u64 = 4;
const LOG: &str = "predictions/loans/1";

/// Events that were answered for, and those that were sent.
#[derive(Default)]
struct Load {
    next: AtomicU64,
    acknowledged: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Load {
    /// Sends batches of new events until there is no answer.
    fn send(&self, address: &str, token: &str) {
        let Ok(mut http) = Http::connect(address) else { return };
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(7, Ordering::Relaxed);
            let ids: Vec<String> = (first..first + 7).map(|nth| format!("e-{nth}")).collect();
            let body = lines(&ids.iter().map(|id| event(id)).collect::<Vec<_>>());
            match post(&mut http, token, PREDICTIONS, NDJSON, &body) {
                Ok(answer) if answer.status == 200 => {
                    assert_eq!(answer.json()["taken"], 7, "{answer:?}");
                    self.acknowledged.lock().expect("no sender panics").extend(ids);
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => return,
            }
        }
    }

    /// Runs senders against a desk until `end` says so.
    fn run(&self, address: &str, token: &str, end: impl FnOnce()) {
        self.stop.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| self.send(address, token));
            }
            end();
            self.stop.store(true, Ordering::Relaxed);
        });
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.lock().expect("no sender panics").len()
    }

    /// Waits until `more` further events are acknowledged.
    fn progress(&self, more: usize) {
        let (from, until) = (self.acknowledged(), Instant::now() + Duration::from_secs(60));
        while self.acknowledged() < from + more {
            assert!(Instant::now() < until, "nothing is acknowledged any more");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every acknowledged event is a duplicate now, and all that were ever sent are there once.
    fn check(&self, desk: &Desk) {
        for ids in self.acknowledged.lock().expect("no sender panics").chunks(1_000) {
            let body = lines(&ids.iter().map(|id| event(id)).collect::<Vec<_>>());
            let answer: Value = desk.post(PREDICTIONS, NDJSON, &body).json();
            assert_eq!(answer["duplicates"].as_u64(), Some(ids.len() as u64), "{answer}");
        }
        let sent = self.next.load(Ordering::Relaxed);
        let all: Vec<String> = (0..sent).map(|nth| format!("e-{nth}")).collect();
        for ids in all.chunks(1_000) {
            let body = lines(&ids.iter().map(|id| event(id)).collect::<Vec<_>>());
            assert_eq!(desk.post(PREDICTIONS, NDJSON, &body).status, 200);
        }
        assert_eq!(desk.journaled(LOG), sent);
    }
}

/// How many kills: three in every run of the tests, as many as `FEDAUDIT_KILLS` says in a long one.
fn kills() -> u64 {
    std::env::var("FEDAUDIT_KILLS").ok().map_or(3, |text| text.parse().expect("FEDAUDIT_KILLS is a number"))
}

#[test]
fn killed_after_the_answer_everything_answered_is_there_once() {
    let mut desk = Desk::open(TCP);
    let load = Load::default();
    for round in 0..kills() {
        let (address, token) = (desk.address.clone(), desk.token.clone());
        load.run(&address, &token, || {
            load.progress(50);
            std::thread::sleep(Duration::from_micros(round * 7_919 % 20_000));
            desk.kill();
        });
        desk.start();
    }
    load.check(&desk);
}

#[test]
fn a_daemon_that_is_told_to_stop_answers_for_what_it_took() {
    let mut desk = Desk::open(TCP);
    let load = Load::default();
    let (address, token) = (desk.address.clone(), desk.token.clone());
    load.run(&address, &token, || {
        load.progress(50);
        desk.stop();
    });
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
    let (address, token) = (desk.address.clone(), desk.token.clone());
    let mut refused = None;
    load.run(&address, &token, || {
        let until = Instant::now() + Duration::from_secs(60);
        while refused.is_none() {
            assert!(Instant::now() < until, "the disk is never full");
            let answer = desk.http().ask("GET", "/readyz", &[], b"").expect("an answer");
            refused = (answer.status == 503).then_some(answer.body);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let reason = refused.expect("refused");
    assert!(reason.contains("sqlite"), "{reason}");
    // What the log held may still go into the file, so that one more event finds room: the disk fills up again.
    let mut posts = (0..10_000).map(|n| desk.post(PREDICTIONS, JSON, &event(&format!("x-{n}")).to_string()));
    let answer = posts.find(|answer| answer.status != 200).expect("the disk is full");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
    assert!(answer.json()["error"].as_str().is_some_and(|error| error.contains("sqlite")), "{answer:?}");
    assert!(load.acknowledged() > 0 && desk.log().contains("ERROR"), "{}", desk.log());
    desk.kill();
    desk.start();
    load.check(&desk);
}
