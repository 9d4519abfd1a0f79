//! How fast `fedaudit-verify` answers for many bundles, and for a large one: `cargo bench --bench verify -- [BUNDLES] [SITES]`.
//!
//! The real program over files. The many bundles are copies of one of five sites: all but the registry's replay, which the program
//! keeps where the bytes are the same, is done for each. Baseline of the ratio, in the same run: checking as many Ed25519
//! signatures on as many threads, and nothing else.

#![forbid(unsafe_code)]

#[path = "report/federation.rs"]
mod federation;
#[path = "report/generate.rs"]
mod generate;

use fedaudit_core::bundle::pack;
use fedaudit_core::codec;
use fedaudit_core::render;
use fedaudit_core::report::{Input, compile};
use fedaudit_core::verify;
use fedaudit_tests::program;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Sites of each of the many bundles.
const SITES: usize = 5;
/// Signatures of a release: its envelope's, and those of two checkpoints of the journal.
const OF_A_RELEASE: usize = 3;
/// Signatures of a bundle beside: the report, by itself and as an entry, and two checkpoints.
const OF_A_BUNDLE: usize = 4;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (bundles, sites) = (numbers.first().copied().unwrap_or(1_000), numbers.get(1).copied().unwrap_or(500));
    let dir = tempfile::tempdir().expect("a folder");
    let trust = dir.path().join("trust.json");
    std::fs::write(&trust, codec::to_json(&federation::trust()).expect("encodes")).expect("writes");
    let small = bundle(SITES);
    let files: Vec<PathBuf> = (0..bundles).map(|at| dir.path().join(format!("{at}.zip"))).collect();
    files.iter().for_each(|file| std::fs::write(file, &small).expect("writes"));
    measure(&format!("{bundles} bundles of {SITES} sites"), &files, &trust, SITES);
    let large = dir.path().join("large.zip");
    std::fs::write(&large, bundle(sites)).expect("writes");
    measure(&format!("one bundle of {sites} sites"), &[large], &trust, sites);
}

/// The bundle of a report over `sites` sites and one window.
fn bundle(sites: usize) -> Vec<u8> {
    let (federation, made) = generate::generate(sites, 1);
    let releases: Vec<_> = (0..)
        .zip(&made)
        .map(|(index, made)| {
            let release = verify::release(&made.envelope, &made.artifacts[0], &federation.registry);
            (index, release.expect("passes"))
        })
        .collect();
    let input = Input {
        registry: &federation.registry,
        plan: federation.plan,
        windows: &federation.windows,
        log_size: releases.len() as u64,
        releases: &releases,
        abstentions: &[],
        disputes: &[],
        reports: &[],
    };
    let report = compile(&input).expect("compiles");
    let (json, html) = (codec::to_json(&report).expect("encodes"), render::html(&report).into_bytes());
    pack(&generate::bundle(&federation, &made, json, html)).expect("packs")
}

fn measure(what: &str, files: &[PathBuf], trust: &Path, sites: usize) {
    let clock = Instant::now();
    let mut child = Command::new(program("fedaudit-verify"))
        .args(files)
        .arg("--trust")
        .arg(trust)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let (mut line, mut rest) = (String::new(), String::new());
    out.read_line(&mut line).expect("a line");
    let first = clock.elapsed();
    let status = format!("/proc/{}/status", child.id());
    let peak = std::thread::spawn(move || watch(&status));
    out.read_to_string(&mut rest).expect("text");
    assert!(child.wait().expect("ends").success(), "{line}");
    let whole = clock.elapsed();
    let peak = peak.join().expect("watches");
    // Governance signed one entry a site, the aggregator's, the contract and the plan: once, whatever the number of bundles.
    let signatures = files.len() * (sites * OF_A_RELEASE + OF_A_BUNDLE) + sites + 3;
    let bare = bare(signatures);
    println!(
        "{what}: {:.3} s, first verdict after {:.3} s, peak {peak} MiB; {signatures} bare signatures {:.3} s, ratio {:.2}",
        whole.as_secs_f64(),
        first.as_secs_f64(),
        bare.as_secs_f64(),
        whole.as_secs_f64() / bare.as_secs_f64()
    );
}

/// Most memory that a process has held while it was watched, in MiB.
fn watch(status: &str) -> u64 {
    let mut peak = 0;
    while let Ok(text) = std::fs::read_to_string(status) {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kib) = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()) else { break };
        peak = peak.max(kib >> 10);
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

/// The time of checking as many signatures on all threads.
fn bare(signatures: usize) -> Duration {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let clock = Instant::now();
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| _ = scope.spawn(|| generate::check_signatures(signatures.div_ceil(threads))));
    });
    clock.elapsed()
}
