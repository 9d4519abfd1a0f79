//! A loss of power: whatever was not synced is lost, in part or wholly, and what was answered is there once.
//!
//! The agent runs with `power/shim.c` before the C library, which writes down what it does to files. From that, `disk`
//! says what a disk would hold if the power had gone at any byte of the log; a fresh agent then goes on from there.

#[path = "power/disk.rs"]
mod disk;

use disk::{Disk, Op, restore, tree};
use fedaudit_tests::intake::{Desk, SITE, event, lines};
use fedaudit_tests::load::{LOGS, Load};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NDJSON: &str = "application/x-ndjson";
/// Bytes of the header of SQLite's write-ahead log.
const WAL_HEADER: usize = 32;
/// Bytes of the log that a session adds. SQLite begins a write-ahead log again from the front after some 32 MB, and there
/// are two that the first session fills.
const SESSIONS: [u64; 3] = [80 << 20, 2 << 20, 2 << 20];

/// A subject with one event, erased after the first session.
const GONE: &str = "p-gone";

/// An agent under load whose every change to files is written down.
struct Recording {
    desk: Desk,
    log: PathBuf,
    load: Load,
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
        let mut recording = Recording { desk, log, load: Load::default(), gone: [0; 3] };
        for (nth, more) in SESSIONS.into_iter().enumerate() {
            let mut run = recording.desk.watched(&recording.log);
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
        assert!(self.desk.watched(&self.log).args(args).status().expect("starts").success(), "{args:?}");
    }

    /// Sends until the log has `more` further bytes; then the daemon is told to stop. A kill would tear a change from
    /// its record.
    fn load(&mut self, more: u64) {
        let log = &self.log;
        let clock = || length(log);
        self.load.run(&mut self.desk, clock, |desk| {
            let (from, until) = (length(log), Instant::now() + Duration::from_secs(120));
            while length(log) < from + more {
                assert!(Instant::now() < until, "nothing is answered any more: {}", desk.log());
                std::thread::sleep(Duration::from_millis(1));
            }
            desk.stop();
        });
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
        self.load.missing(&self.desk, at)?;
        self.load.complete(&self.desk, u64::from(found == 1 || at >= self.gone[0]));
        self.desk.kill();
        Ok(())
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
    let answers = recording.load.answers();
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
