//! A loss of power: whatever was not synced is lost, in part or wholly, and what was answered is there once.
//!
//! The agent runs with `power/shim.c` before the C library, which writes down what it does to files. From that, `disk`
//! says what a disk would hold if the power had gone at any byte of the log; a fresh agent then goes on from there.

#[path = "power/disk.rs"]
mod disk;

use disk::{Disk, Op, restore, tree};
use fedaudit_tests::http::Http;
use fedaudit_tests::intake::{Desk, SITE, event, lines, post};
use fedaudit_tests::program;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SENDERS: u64 = 4;
const BATCH: u64 = 7;
const NDJSON: &str = "application/x-ndjson";
const LOGS: [(&str, &str); 2] = [("/v1/predictions", "predictions/loans/1"), ("/v1/outcomes", "outcomes/loans/1")];
/// Bytes of the header of SQLite's write-ahead log.
const WAL_HEADER: usize = 32;
/// Bytes of the log that a session adds. SQLite begins a write-ahead log again from the front after some 32 MB, and there
/// are two that the first session fills.
const SESSIONS: [u64; 3] = [80 << 20, 2 << 20, 2 << 20];

/// A subject with one event, erased after the first session.
const GONE: &str = "p-gone";

/// An event, or the outcome of one.
fn item(path: &str, nth: u64) -> Value {
    let id = format!("e-{nth}");
    if path == LOGS[0].0 {
        return event(&id);
    }
    json!({"contract": "loans", "event_id": id, "label": "repaid", "labelled_at": "2026-05-06T00:00:00Z"})
}

fn body(path: &str, numbers: impl Iterator<Item = u64>) -> String {
    lines(&numbers.map(|nth| item(path, nth)).collect::<Vec<_>>())
}

/// What was answered: how long the log was when the answer had come, the path, and the first of the batch.
type Answered = (u64, &'static str, u64);

/// An agent under load whose every change to files is written down.
struct Recording {
    desk: Desk,
    log: PathBuf,
    next: AtomicU64,
    answered: Mutex<Vec<Answered>>,
    stop: AtomicBool,
    /// How long the log was when the event of [`GONE`] was answered, before its erasure, and after.
    gone: [u64; 3],
}

impl Recording {
    /// A home as it was, and what became of it: three sessions of the daemon, and a segment that is closed.
    fn make() -> (Recording, Disk, Vec<(u64, Op)>) {
        let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
        desk.stop();
        let disk = Disk::of(&desk.home());
        let log = desk.world.scratch("power.log");
        let (next, answered, stop) = Default::default();
        let mut recording = Recording { desk, log, next, answered, stop, gone: [0; 3] };
        for (nth, more) in SESSIONS.into_iter().enumerate() {
            let mut run = recording.watched();
            run.arg("run");
            recording.desk.start_by(run);
            if nth == 0 {
                let mut event = event("gone");
                event["subject"] = GONE.into();
                assert_eq!(recording.desk.post(LOGS[0].0, NDJSON, &lines(&[event])).json()["taken"], 1);
                recording.gone[0] = length(&recording.log);
            }
            recording.load(more);
            if nth == 0 {
                recording.gone[1] = length(&recording.log);
                recording.command(["erase", GONE]);
                recording.gone[2] = length(&recording.log);
                recording.command(["journal", "seal"]);
            }
        }
        let ops = disk::read(&std::fs::read(&recording.log).expect("reads"));
        (recording, disk, ops)
    }

    fn command(&self, args: [&str; 2]) {
        assert!(self.watched().args(args).status().expect("starts").success(), "{args:?}");
    }

    /// The agent, with what it does written down.
    fn watched(&self) -> Command {
        let shim = self.desk.world.scratch("shim.so");
        if !shim.exists() {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/power/shim.c");
            let mut compile = Command::new("cc");
            compile.args(["-shared", "-fPIC", "-O2", "-pthread", "-o"]).arg(&shim).arg(source);
            assert!(compile.status().expect("tests/setup asks for a C compiler").success());
        }
        let mut command = Command::new(program("fedaudit-agent"));
        command.env("LD_PRELOAD", shim).env("FEDAUDIT_POWER_LOG", &self.log).arg("--home").arg(self.desk.home());
        command
    }

    /// Sends until the log has `more` further bytes; then the daemon is told to stop. A kill would tear a change from
    /// its record.
    fn load(&mut self, more: u64) {
        let (address, token) = (self.desk.address.clone(), self.desk.token.clone());
        self.stop.store(false, Ordering::Relaxed);
        let (log, next, answered, stop) = (&self.log, &self.next, &self.answered, &self.stop);
        let desk = &mut self.desk;
        std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                scope.spawn(|| {
                    send(&address, &token, stop, next, |path, first| {
                        answered.lock().expect("no sender panics").push((length(log), path, first));
                    })
                });
            }
            let (from, until) = (length(log), Instant::now() + Duration::from_secs(120));
            while length(log) < from + more {
                assert!(Instant::now() < until, "nothing is answered any more: {}", desk.log());
                std::thread::sleep(Duration::from_millis(1));
            }
            desk.stop();
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// What was answered while the log was no longer than `at`, by path.
    fn answered(&self, at: u64, path: &str) -> Vec<u64> {
        let answered = self.answered.lock().expect("no sender panics");
        let of = answered.iter().filter(|(known, of, _)| *known <= at && *of == path);
        of.flat_map(|(_, _, first)| *first..first + BATCH).collect()
    }

    /// What is missing of what was answered at `at`; why the home is of no use; or nothing, and the journal is whole and
    /// takes what else was sent, each once.
    fn check(&mut self, at: u64) -> Result<(), String> {
        self.desk.kill();
        let said = self.desk.world.agent(SITE, &["journal", "verify"]);
        if said.code != Some(0) {
            return Err(said.err);
        }
        let found = self.desk.world.agent(SITE, &["journal", "find", "--subject", GONE, "--json"]).good().out;
        let found = serde_json::from_str::<Value>(&found).expect("JSON").as_array().map_or(0, Vec::len) as u64;
        if found != 1 && (self.gone[0]..self.gone[1]).contains(&at) || found != 0 && at >= self.gone[2] {
            return Err(format!("{found} events of a subject that has one from {:?}", self.gone));
        }
        self.desk.start();
        let sent = self.next.load(Ordering::Relaxed);
        for (path, log) in LOGS {
            let answered = self.answered(at, path);
            for numbers in answered.chunks(1_000) {
                let answer = self.desk.post(path, NDJSON, &body(path, numbers.iter().copied())).json();
                if answer["duplicates"].as_u64() != Some(numbers.len() as u64) {
                    return Err(format!("{log}: answered, and not there: {answer}"));
                }
            }
            for first in (0..sent).step_by(10_000) {
                let rest = body(path, first..sent.min(first + 10_000));
                assert_eq!(self.desk.post(path, NDJSON, &rest).status, 200);
            }
            let gone = u64::from(found == 1 || at >= self.gone[0]) * u64::from(path == LOGS[0].0);
            assert_eq!(self.desk.journaled(log), sent + gone, "each once");
        }
        self.desk.kill();
        Ok(())
    }
}

/// Sends batches of new events, and their outcomes, until there is no answer.
fn send(address: &str, token: &str, stop: &AtomicBool, next: &AtomicU64, answered: impl Fn(&'static str, u64)) {
    let Ok(mut http) = Http::connect(address) else { return };
    while !stop.load(Ordering::Relaxed) {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        for (path, _) in LOGS {
            match post(&mut http, token, path, NDJSON, &body(path, first..first + BATCH)) {
                Ok(answer) if answer.status == 200 => {
                    assert_eq!(answer.json()["taken"], BATCH, "{answer:?}");
                    answered(path, first);
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => return,
            }
        }
    }
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).expect("is written").len()
}

/// Whether a write-ahead log got a second header: what it held was in its database by then.
fn began_again(ops: &[(u64, Op)]) -> bool {
    let mut headers = BTreeMap::new();
    ops.iter().any(|(_, op)| match op {
        Op::Create { inode, .. } => {
            headers.insert(*inode, 0);
            false
        }
        Op::Write { inode, offset: 0, bytes } if bytes.len() == WAL_HEADER => {
            let count = headers.entry(*inode).or_insert(0);
            *count += 1;
            *count == 2
        }
        _ => false,
    })
}

/// How many losses: eight in every run of the tests, as many as `FEDAUDIT_KILLS` says in a long one.
fn losses() -> u64 {
    std::env::var("FEDAUDIT_KILLS").ok().map_or(8, |text| text.parse().expect("FEDAUDIT_KILLS is a number"))
}

#[test]
fn what_was_answered_outlives_a_loss_of_power() {
    let (mut recording, mut disk, ops) = Recording::make();
    let (home, begin) = (recording.desk.home(), disk.clone());
    ops.iter().for_each(|(_, op)| disk.apply(op));
    assert!(disk.now() == tree(&home), "something was done to files that is not in the log");

    assert!(began_again(&ops), "SQLite never wrote its write-ahead log from the front again");

    // Had the disk only said that it syncs, what was answered would be lost: the check can fail.
    let end = ops.last().expect("something was done").0;
    let mut liar = begin.clone();
    liar.lies = true;
    ops.iter().for_each(|(_, op)| liar.apply(op));
    restore(&home, &liar.lose_power(&mut StdRng::seed_from_u64(1)));
    assert!(recording.check(end).is_err(), "nothing had to be synced");

    let mut rng = StdRng::seed_from_u64(losses());
    // Right after an answer, anywhere, and right after an erasure.
    let answers: Vec<u64> = recording.answered.lock().expect("no sender panics").iter().map(|(at, ..)| *at).collect();
    let erased = recording.gone[2];
    let point = |nth: u64, rng: &mut StdRng| match nth % 8 {
        1 => erased,
        0 | 2 | 4 | 6 => answers[rng.next_u64() as usize % answers.len()],
        _ => rng.next_u64() % end,
    };
    let mut points: Vec<u64> = (0..losses()).map(|nth| point(nth, &mut rng)).collect();
    points.sort_unstable();
    let (mut disk, mut done) = (begin, 0);
    for (nth, at) in points.into_iter().enumerate() {
        while let Some((_, op)) = ops.get(done).filter(|(known, _)| *known <= at) {
            disk.apply(op);
            done += 1;
        }
        restore(&home, &disk.lose_power(&mut StdRng::seed_from_u64(nth as u64)));
        if let Err(why) = recording.check(at) {
            panic!("loss {nth}, at byte {at} of {end}: {why}");
        }
    }
    println!("{} changes and syncs of {end} bytes, {} answers, {} losses", ops.len(), answers.len(), losses());
}
