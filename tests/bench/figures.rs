//! What all figures of a report cost: `cargo bench --bench figures -- [ROWS]`.
//!
//! The same rows once through fairlearn's MetricFrame and scikit-learn, and once through ours, in one run: a score, a decision,
//! a label, two attributes of ten groups together. Python computes six kinds of figures; ours computes every figure of
//! the report with its intervals, and both must agree on those six. Then the figures of one slice alone, ten groups and 1,280
//! bins.

#![forbid(unsafe_code)]

#[path = "report/federation.rs"]
mod federation;
#[path = "figures/rows.rs"]
mod rows;

use fedaudit_agent::import::{Map, Reading, import_file};
use fedaudit_agent::journal::{Journal, StdRng, aggregate};
use fedaudit_core::aggregate::Aggregate;
use fedaudit_core::codec;
use fedaudit_core::disclosure::disclose;
use fedaudit_core::report::{Figure, Input, Report, SliceFigures, compile};
use fedaudit_core::verify::{self, VerifiedRelease};
use federation::{Federation, name};
use rand::SeedableRng as _;
use rows::{BY_GROUP, CONTRACT, PLAN};
use serde_json::Value;
use std::time::{Duration, Instant};

fn main() {
    let rows = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000_usize);
    if rows > 0 {
        whole_path(rows);
    }
    one_slice();
}

fn whole_path(rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.csv");
    rows::write(&file, rows);
    println!("{rows} rows, ten groups of two attributes, 1,280 bins");
    let answer = fedaudit_tests::python("tests/bench/figures/metrics.py", &[&file]);
    let theirs: Value = serde_json::from_str(answer.said.trim()).unwrap_or_else(|_| panic!("{}", answer.said));
    let seconds = |key: &str| Duration::from_secs_f64(theirs[key].as_f64().expect("seconds"));
    let [read, counts, scores] = ["read", "counts", "scores"].map(seconds);
    print("fairlearn, scikit-learn: read", read);
    print("  rates, gaps", counts);
    print("  AUC, Brier score", scores);

    let sites = [name("site-0000")];
    let (federation, contract, plan) = Federation::new(&sites, CONTRACT, PLAN);
    let mut rng = StdRng::seed_from_u64(1);
    let mut journal = Journal::create(&folder.path().join("home")).expect("a journal");
    timed("ours: imported, durable (not in the ratios)", || {
        let reading = Reading { contract: &contract, map: &Map::default(), released: &[] };
        let rejects = folder.path().join("rejects");
        let summary = import_file(&mut journal, &reading, &file, &rejects, &mut rng, &mut |_, _| {}).expect("imported");
        assert_eq!((summary.rejected, summary.events), (0, rows as u64), "{summary:?}");
    });
    let window = federation.windows[0];
    let (answer, aggregated) = timed("  journal to aggregate", || {
        let [predictions, outcomes] = contract.journal_logs().map(|log| journal.size(&log).expect("a size"));
        aggregate(&mut journal, &plan, &contract, window, predictions, outcomes).expect("an answer")
    });
    let (_, disclosed) = timed("  disclosed", || {
        disclose(&answer, &plan, &contract, federation.plan, &sites[0], window).expect("a release")
    });
    let (releases, verified) =
        timed("  disclosed again, signed, verified", || release(&federation, &plan, &contract, &answer));
    let (report, compiled) = timed("  report compiled: every figure", || report(&federation, &releases));
    let (json, encoded) = timed("  report.json", || codec::to_json(&report).expect("encodes"));
    println!("  {} KiB", json.len() >> 10);
    agree(&theirs, &report);
    let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    let ours = aggregated + disclosed + verified + compiled + encoded;
    println!("theirs / ours, from the file / from the journal: {:.1}", ratio(read + counts + scores, ours));
    println!("theirs without reading / ours from the journal:  {:.1}", ratio(counts + scores, ours));
    println!("theirs without reading / our figures alone:      {:.0}", ratio(counts + scores, compiled));
}

fn release(
    federation: &Federation,
    plan: &fedaudit_core::plan::Plan,
    contract: &fedaudit_core::contract::Contract,
    answer: &Aggregate,
) -> Vec<(u64, VerifiedRelease)> {
    let site = name("site-0000");
    let made = federation.release(plan, contract, (0, &site), federation.windows[0], (0, None), answer);
    let verified = verify::release(&made.envelope, &made.artifacts[0], &federation.registry).expect("passes");
    vec![(0, verified)]
}

fn report(federation: &Federation, releases: &[(u64, VerifiedRelease)]) -> Report {
    compile(&Input {
        registry: &federation.registry,
        plan: federation.plan,
        windows: &federation.windows,
        log_size: 1,
        releases,
        abstentions: &[],
        disputes: &[],
        reports: &[],
    })
    .expect("compiles")
}

/// Both say the same: counts exactly, Brier scores to the resolution of a score, areas within our bounds.
fn agree(theirs: &Value, report: &Report) {
    let [whole, slice] = &report.scopes[0].slices[..] else { panic!("two slices") };
    let groups = |slice: &SliceFigures| -> Vec<_> {
        slice.groups.iter().map(|group| (group.group.join("/"), group.pooled.clone())).collect()
    };
    let mut compared = 0;
    for (group, measures) in groups(whole).into_iter().chain(groups(slice)) {
        let rates = &theirs["rates"][if group.is_empty() { "overall" } else { &group }];
        let Some(measures) = measures.filter(|_| rates.is_object()) else { continue };
        let (outcomes, scores) = (measures.outcomes.expect("labels"), measures.scores.expect("scores"));
        let same = |key: &str, figure: &Figure, tolerance: f64| {
            let (ours, theirs) = (figure.value().expect(key), rates[key].as_f64().expect(key));
            assert!((ours - theirs).abs() <= tolerance, "{group} {key}: {ours} is not {theirs}");
        };
        same("selection_rate", &measures.selection_rate, 1e-12);
        same("tpr", &outcomes.tpr, 1e-12);
        same("fpr", &outcomes.fpr, 1e-12);
        same("accuracy", &outcomes.accuracy, 1e-12);
        same("brier", &scores.brier, 1e-9);
        let Figure::Estimate(auc) = &scores.auc else { panic!("{group} has no AUC") };
        assert!(
            auc.bounds.expect("bins").contains(rates["auc"].as_f64().expect("an area")),
            "{group}: {auc:?} {rates}"
        );
        compared += 1;
    }
    assert_eq!(compared, 11);
    let parity = slice.parity.as_ref().expect("a cut");
    let odds = &parity.outcomes.as_ref().expect("labels").equalized_odds;
    for (key, gap) in [("demographic_parity", &parity.demographic_parity), ("equalized_odds", odds)] {
        let (ours, theirs) = (gap.difference.value().expect(key), theirs["gaps"][key].as_f64().expect(key));
        assert!((ours - theirs).abs() < 1e-12, "{key}: {ours} is not {theirs}");
    }
}

/// The difference between a report with the slice and one without it, at one site.
fn one_slice() {
    let sites = [name("site-0000")];
    let medians = [BY_GROUP.0, BY_GROUP.1].map(|plan| {
        let (federation, contract, plan) = Federation::new(&sites, rows::GROUPS_CONTRACT, plan);
        let releases = release(&federation, &plan, &contract, &rows::drawn(&plan, &contract, 200_000));
        let mut times: Vec<Duration> = (0..201)
            .map(|_| {
                let clock = Instant::now();
                std::hint::black_box(report(&federation, &releases));
                clock.elapsed()
            })
            .collect();
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() / 20])
    });
    let [without, with] = medians;
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    println!("all figures of one slice, ten groups, 1,280 bins, one site (median of 201; the twentieth)");
    println!("  report with it    {:>8.0} us {:>8.0} us", us(with.0), us(with.1));
    println!("  without it        {:>8.0} us {:>8.0} us", us(without.0), us(without.1));
    println!("  the slice         {:>8.0} us {:>8.0} us", us(with.0) - us(without.0), us(with.1) - us(without.1));
}

fn timed<T>(what: &str, of: impl FnOnce() -> T) -> (T, Duration) {
    let clock = Instant::now();
    let made = of();
    let time = clock.elapsed();
    print(what, time);
    (made, time)
}

fn print(what: &str, time: Duration) {
    println!("{what:<44} {:>9.4} s", time.as_secs_f64());
}
