//! How many releases a second the aggregator verifies, logs and makes durable: `cargo bench --bench receipts -- [SITES] [WINDOWS]`.
//!
//! Requests as they come from sites, through the daemon's own function, without the network: in groups, as they form while
//! the group before becomes durable, and one by one. Baseline of the ratio, in the same run: checking as many Ed25519
//! signatures on as many threads, and storing the same bytes in SQLite (WAL, synchronous = FULL), a commit a group.

#![forbid(unsafe_code)]

// Bundles and reports are for others.
#[allow(dead_code)]
#[path = "report/federation.rs"]
mod federation;
#[allow(dead_code)]
#[path = "report/generate.rs"]
mod generate;

use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::home::Home;
use fedaudit_aggregator::store::LogDir;
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::registry_origin;
use fedaudit_link::home::{create_key, now};
use fedaudit_link::protocol::{Request, Response, Submission};
use federation::{Federation, key};
use rusqlite::Connection;
use std::path::Path;
use std::time::{Duration, Instant};

/// Requests that become durable together.
const GROUP: usize = 256;
/// Requests that are measured one by one.
const ALONE: usize = 100;
/// Signatures of a release: its envelope's, and those of two checkpoints of the journal.
const SIGNATURES: usize = 3;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (sites, windows) = (numbers.first().copied().unwrap_or(200), numbers.get(1).copied().unwrap_or(12));
    let (federation, releases) = generate::generate(sites, windows);
    let bytes: usize = releases.iter().map(|made| made.envelope.len() + made.artifacts[0].len()).sum();
    println!("{} releases of {sites} sites, {} KiB each", releases.len(), (bytes / releases.len()) >> 10);
    let dir = tempfile::tempdir().expect("a folder");
    write_home(dir.path(), &federation);
    let mut centre = Centre::open(Home::open(dir.path()).expect("opens")).expect("opens");
    // No fence: the home counts as restored until somebody speaks for every site.
    let names: Vec<_> = centre.registry().sites().cloned().collect();
    assert!(centre.settle(&names).expect("settles"));
    let (alone, many) = releases.split_at(ALONE.min(releases.len() / 2));
    let ours = log(&mut centre, alone, 0, sites, 1);
    measure("one by one", alone, 1, ours);
    let ours = log(&mut centre, many, alone.len(), sites, GROUP);
    measure(&format!("in groups of {GROUP}"), many, GROUP, ours);
    let clock = Instant::now();
    let again = Centre::open(Home::open(dir.path()).expect("opens")).expect("opens");
    let logged = again.plan(&federation.plan).expect("the plan").releases.len();
    assert_eq!(logged, releases.len(), "every release stands in the log of another process too");
    println!("read and checked again: {logged} in {:.2} s", clock.elapsed().as_secs_f64());
}

/// An aggregator's home with the federation's keys and registry.
fn write_home(dir: &Path, federation: &Federation) {
    for folder in ["keys", "artifacts", "joins", "conflicts", "logs"] {
        std::fs::create_dir(dir.join(folder)).expect("makes");
    }
    for usage in [KeyUse::Attest, KeyUse::Log, KeyUse::Transport] {
        create_key(&dir.join("keys").join(format!("{usage}.key")), key(0, usage).to_bytes()).expect("writes");
    }
    std::fs::write(dir.join("config.toml"), "listen = \"127.0.0.1:0\"\naddress = \"localhost:1\"\n").expect("writes");
    std::fs::write(dir.join("trust.json"), codec::to_json(&federation::trust()).expect("encodes")).expect("writes");
    for (digest, artifact) in &federation.registry_part.artifacts {
        std::fs::write(dir.join("artifacts").join(digest.to_string()), artifact).expect("writes");
    }
    let log_key = key(0, KeyUse::Log);
    let origin = registry_origin(&federation::federation());
    let mut log = LogDir::open(&dir.join("logs/registry"), &origin, &[PublicKey::of(&log_key)]).expect("opens");
    let entries: Vec<_> = federation.registry_part.entries.iter().map(Vec::as_slice).collect();
    log.append(&entries, &log_key).expect("appends");
}

/// Logs releases, the first of which is number `from` of all.
fn log(centre: &mut Centre, releases: &[Attestation], from: usize, sites: usize, group: usize) -> Vec<Duration> {
    let request = |(at, made): (usize, &Attestation)| {
        let peer = PublicKey::of(&key(1 + (from + at) % sites, KeyUse::Transport));
        let (envelope, artifact) = (made.envelope.clone(), made.artifacts[0].clone());
        (peer, Request::Submit(Box::new(Submission { envelope, artifact, journal: Vec::new(), plan_seen: 0 })))
    };
    let mut requests: Vec<_> = releases.iter().enumerate().map(request).collect();
    let mut took = Vec::new();
    while !requests.is_empty() {
        let rest = requests.split_off(requests.len().min(group));
        let clock = Instant::now();
        let lock = centre.lock().expect("locks");
        let answers = centre.take_all(std::mem::replace(&mut requests, rest), Some(&lock), now()).expect("takes");
        took.push(clock.elapsed());
        assert!(answers.iter().all(|answer| matches!(answer, Response::Receipt(_))), "every release is logged");
    }
    took
}

fn measure(what: &str, releases: &[Attestation], group: usize, mut took: Vec<Duration>) {
    let clock = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = (releases.len() * SIGNATURES).div_ceil(threads);
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(|| generate::check_signatures(part))));
    let signatures = clock.elapsed();
    let clock = Instant::now();
    store(releases, group);
    let sqlite = clock.elapsed();
    let ours: Duration = took.iter().sum();
    let rate = |time: Duration| releases.len() as f64 / time.as_secs_f64();
    took.sort_unstable();
    println!(
        "{what}: {:.0}/s, p50 {:.1} ms a group; bare signatures {:.0}/s, bare SQLite {:.0}/s, both {:.0}/s, ratio {:.2}",
        rate(ours),
        took[took.len() / 2].as_secs_f64() * 1_000.0,
        rate(signatures),
        rate(sqlite),
        rate(signatures + sqlite),
        ours.as_secs_f64() / (signatures + sqlite).as_secs_f64()
    );
}

/// The same bytes in a table of their digests.
fn store(releases: &[Attestation], group: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut database = Connection::open(dir.path().join("bare.sqlite")).expect("opens");
    database.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    database.pragma_update(None, "synchronous", "FULL").expect("FULL");
    database.execute_batch("CREATE TABLE of (digest BLOB PRIMARY KEY, bytes BLOB) WITHOUT ROWID").expect("makes");
    for group in releases.chunks(group) {
        let write = database.transaction().expect("begins");
        for bytes in group.iter().flat_map(|made| [&made.envelope, &made.artifacts[0]]) {
            write.execute("INSERT INTO of VALUES (?1, ?2)", (Digest::of(bytes).0, bytes)).expect("inserts");
        }
        write.commit().expect("commits");
    }
}
