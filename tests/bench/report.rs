//! How long a report over many sites and windows takes, and its verification: `cargo bench --bench report -- [SITES] [WINDOWS]`.
//!
//! Releases are generated through disclosure control, signed and logged as by real sites. Baseline of the ratios, in the same
//! run: checking the same number of Ed25519 signatures, and hashing the same bytes, and nothing else.

#![forbid(unsafe_code)]

#[path = "report/federation.rs"]
mod federation;
#[path = "report/generate.rs"]
mod generate;

use fedaudit_core::bundle::{check, pack, unpack};
use fedaudit_core::codec;
use fedaudit_core::ids::Digest;
use fedaudit_core::report::{Input, compile};
use fedaudit_core::{render, verify};
use std::time::{Duration, Instant};

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let (sites, windows) = (numbers.first().copied().unwrap_or(500), numbers.get(1).copied().unwrap_or(12));
    println!("{sites} sites, {windows} windows, {} events a release, k = {}", generate::EVENTS, generate::K);
    let (federation, made) = timed("generated", || generate::generate(sites, windows)).0;
    let start = peak_mib();

    let (releases, verified) = timed("releases verified", || {
        let registry = &federation.registry;
        let verified = made.iter().zip(0..);
        verified
            .map(|(made, index)| {
                (index, verify::release(&made.envelope, &made.artifacts[0], registry).expect("passes"))
            })
            .collect::<Vec<_>>()
    });
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
    let (report, compiled) = timed("report compiled", || compile(&input).expect("compiles"));
    let (json, encoded) = timed("report.json", || codec::to_json(&report).expect("encodes"));
    let (html, rendered) = timed("report.html", || render::html(&report).into_bytes());
    println!("  report.json {} KiB, report.html {} KiB", json.len() >> 10, html.len() >> 10);
    drop(report);
    let bundle = generate::bundle(&federation, &made, json, html);
    let (bytes, packed) = timed("packed", || pack(&bundle).expect("packs"));
    println!("  bundle.zip {} KiB", bytes.len() >> 10);
    println!("  peak so far {} MiB, {} before the first release was verified", peak_mib(), start);
    drop((releases, bundle));

    let workers = std::thread::available_parallelism().expect("known");
    let trust = federation::trust();
    let (verdict, checked) = timed("bundle checked", || check(&bytes, &trust, workers));
    assert_eq!(verdict.exit_code(), 0, "{:#?}", verdict.checks.iter().find(|check| check.found.len() > 10_000));
    let (files, unpacked) = timed("  of it unpacked", || unpack(&bytes).expect("unpacks"));
    println!("  peak {} MiB", peak_mib());

    let signatures = 3 * made.len();
    let (_, signed) = timed(&format!("baseline: {signatures} signatures"), || generate::check_signatures(signatures));
    let (_, hashed) = timed("baseline: bytes hashed", || {
        files.plan.artifacts.values().for_each(|bytes| _ = std::hint::black_box(Digest::of(bytes)));
    });
    let base = signed + hashed;
    let ratio = |time: Duration| time.as_secs_f64() / base.as_secs_f64();
    println!("verify releases / baseline  {:.2}", ratio(verified));
    println!("compile + render / baseline {:.2}", ratio(compiled + encoded + rendered));
    println!("pack / baseline             {:.2}", ratio(packed));
    println!("check bundle / baseline     {:.2} (unpacking alone {:.2})", ratio(checked), ratio(unpacked));
}

fn timed<T>(what: &str, of: impl FnOnce() -> T) -> (T, Duration) {
    let clock = Instant::now();
    let made = of();
    let time = clock.elapsed();
    println!("{what:<32} {:>9.3} s", time.as_secs_f64());
    (made, time)
}

/// Most memory that this process has held, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) >> 10
}
