//! Several things are wrong at once: each has its line, with whose document it is. And what may be asked beside.

use crate::{AMENDED, EVIDENCE, NAMESAKE, payload};
use fedaudit_core::bundle::{Bundle, pack};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::merkle::{Frontier, ProofError, inclusion_proof, leaf_hash};
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_tests::evidence::{Evidence, Verdict, judge_with, sign_log};
use std::path::Path;

/// The lines that did not pass: check, subject, and what the found text begins with.
fn failures(verdict: &Verdict) -> Vec<(&str, &str, &str)> {
    let failed = verdict.checks.iter().filter(|check| check.outcome != "pass");
    failed.map(|check| (&*check.check, &*check.subject, check.found.split(':').next().unwrap_or_default())).collect()
}

/// Another signature byte: still base64, still the same signer.
fn spoil(envelope: &mut Vec<u8>) {
    let text = String::from_utf8(envelope.clone()).expect("text");
    let at = text.find("\"sig\":\"").expect("a signature") + 20;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    *envelope = format!("{}{other}{}", &text[..at], &text[at + 1..]).into_bytes();
}

fn index_of(bundle: &Bundle, kind: &str) -> usize {
    let of = |entry: &Vec<u8>| !payload(entry)["predicate"]["claim"][kind].is_null();
    bundle.plan.entries.iter().position(of).expect("one is logged")
}

#[test]
fn every_log_and_entry_has_its_line() {
    let aggregator = |use_: &str, key| format!("aggregator {use_} {}", PublicKey::of(key).id().short());
    let mut places = [0; 3];
    let verdict = AMENDED.altered(|bundle| {
        places = ["release", "abstention", "report"].map(|kind| index_of(bundle, kind));
        places.iter().for_each(|at| spoil(&mut bundle.plan.entries[*at]));
        // Not the one that is logged any more: the report's own signature is as bad as its entry's.
        spoil(&mut bundle.report_envelope);
        bundle.report_html.push(b' ');
    });
    let found = failures(&verdict);
    let [release, abstention, report] = places.map(|at| format!("plan/entries/{at}"));
    for line in [
        ("report-signature", "report.dsse.json", "signature"),
        ("release", &*release, "signature"),
        ("abstention", &*abstention, "signature"),
        ("report", &*report, "signature"),
        ("report-page", "report.html", "other bytes"),
    ] {
        let same = |of: &&(&str, &str, &str)| of.0 == line.0 && of.1 == line.1 && of.2.contains(line.2);
        assert!(found.iter().any(|of| same(&of)), "{line:?} in {found:#?}");
    }
    assert!(found.iter().any(|line| line.0 == "plan-log"), "{found:#?}");
    assert_eq!(found.len(), 6, "and nothing that only follows from these: {found:#?}");
    let signers: Vec<_> =
        verdict.checks.iter().filter(|check| check.outcome != "pass").map(|check| &check.signer).collect();
    assert!(signers.iter().all(|signer| signer.is_some() || found.iter().any(|line| line.0 == "report-page")));
    let line = |check: &str| verdict.checks.iter().find(|line| line.check == check).expect("a line").signer.clone();
    assert_eq!(line("report-signature"), Some(aggregator("attest", &AMENDED.attest)));
    assert_eq!(line("plan-log"), Some(aggregator("log", &AMENDED.log)));
    assert!(line("release").is_some_and(|signer| signer.starts_with("dept-") && signer.contains(" attest ")));

    // Checkpoints that the log's key did not sign; the registry's hides the plan's, whose key it would name.
    let foreign = EVIDENCE.altered(|bundle| {
        bundle.plan.checkpoint = NAMESAKE.bundle().plan.checkpoint;
        bundle.report_html.push(b' ');
    });
    let found = failures(&foreign);
    assert_eq!(
        found.iter().map(|line| line.0).collect::<Vec<_>>(),
        ["report-signature", "plan-checkpoint", "report-page"]
    );
    let foreign = EVIDENCE.altered(|bundle| {
        bundle.registry.checkpoint = NAMESAKE.bundle().registry.checkpoint;
        bundle.registry.entries.iter_mut().for_each(spoil);
    });
    let found = failures(&foreign);
    let entries = found.iter().filter(|line| line.0 == "registry-entry" && line.2 == "signature").count();
    assert_eq!((found[0].0, entries), ("registry-checkpoint", EVIDENCE.bundle().registry.entries.len()), "{found:#?}");
    assert!(foreign.checks.iter().all(|check| check.check != "registry-entry"
        || check.signer.as_ref().is_some_and(|signer| signer.starts_with("governance "))));
}

/// Every figure that differs is named, up to a hundred lines, and the others are counted.
#[test]
fn every_figure_that_differs_is_told() {
    let verdict = EVIDENCE.altered(|bundle| {
        let mut report = crate::report(bundle);
        report.sites.iter_mut().for_each(|site| site.events += 1);
        EVIDENCE.forge_report(bundle, &report, EVIDENCE.claim());
    });
    let found = failures(&verdict);
    let paths: Vec<_> = (0..4).map(|at| format!("report.json/sites/{at}/events")).collect();
    assert_eq!(found.iter().map(|line| line.1).collect::<Vec<_>>(), paths, "{found:#?}");
}

/// The receipt of entry `index`, as of the log's first `size` entries.
fn receipt(evidence: &Evidence, bundle: &Bundle, index: usize, size: usize) -> LogProof {
    let mut part = bundle.plan.clone();
    part.entries.truncate(size);
    let origin = String::from_utf8(bundle.plan.checkpoint.clone()).expect("text");
    sign_log(&mut part, origin.lines().next().expect("an origin"), &evidence.log);
    let leaves: Vec<Digest> = part.entries.iter().map(|entry| leaf_hash(entry)).collect();
    let subtree = |level: u32, at: u64| {
        let mut tree = Frontier::new();
        leaves.chunks(1 << level).nth(at as usize).expect("inside").iter().for_each(|leaf| tree.push(*leaf));
        Ok::<_, ProofError>(tree.root())
    };
    let hashes = inclusion_proof(index as u64, size as u64, subtree).expect("inside");
    let checkpoint = String::from_utf8(part.checkpoint).expect("text");
    LogProof { index: index as u64, extra: None, hashes, checkpoint }
}

fn asked_of(check: &str, bundle: &Bundle, receipt: &str) -> (i32, String, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("receipt");
    std::fs::write(&file, receipt).expect("writes");
    let args = ["--receipt".as_ref(), file.as_os_str()];
    let verdict = judge_with(&pack(bundle).expect("packs"), &EVIDENCE.trust, &args);
    let line = verdict.checks.iter().find(|line| line.check == check).expect("a line");
    (verdict.code, line.outcome.clone(), line.found.clone())
}

#[test]
fn a_receipt_is_held_against_the_log() {
    let asked = |bundle: &Bundle, text: &str| asked_of("receipt", bundle, text);
    let bundle = EVIDENCE.bundle();
    let held = bundle.plan.entries.len();
    let good = receipt(&EVIDENCE, &bundle, 1, 3);
    let said = asked(&bundle, &good.to_text());
    assert_eq!((said.0, said.1.as_str()), (0, "pass"), "{said:?}");
    assert!(said.2.contains(&Digest::of(&bundle.plan.entries[1]).to_string()), "{said:?}");
    // The aggregator gave the receipt, then dropped the entry, and signed and reported what was left.
    let mut dropped = bundle.clone();
    dropped.plan.entries.remove(1);
    EVIDENCE.sign_plan_log(&mut dropped);
    let said = asked(&dropped, &good.to_text());
    assert_eq!((said.0, said.1.as_str()), (1, "fail"), "a dropped entry is refuted by its receipt: {said:?}");
    // The last one dropped, with all that a checkpoint can hide: the receipt is of a longer log.
    let last = receipt(&EVIDENCE, &bundle, held - 1, held);
    let mut cut = bundle.clone();
    cut.plan.entries.truncate(held - 1);
    EVIDENCE.sign_plan_log(&mut cut);
    let said = asked(&cut, &last.to_text());
    assert_eq!((said.1.as_str(), said.2.contains("earlier log")), ("undecidable", true), "{said:?}");
    // What anybody can write proves nothing against the bundle.
    let mut forged = good.clone();
    let mut tree = Frontier::new();
    tree.push(leaf_hash(b"never logged"));
    let origin = forged.checkpoint.lines().next().expect("an origin").to_owned();
    let other = Checkpoint { origin, size: 1, root: tree.root() };
    forged.checkpoint = other.sign(&EVIDENCE.attest).expect("signs");
    let said = asked(&bundle, &forged.to_text());
    assert_eq!((said.0, said.1.as_str()), (2, "undecidable"), "a receipt that the log's key did not sign: {said:?}");
    let mut altered = good;
    altered.hashes[0].0[0] ^= 1;
    let said = asked(&bundle, &altered.to_text());
    assert_eq!((said.0, said.1.as_str()), (2, "undecidable"), "altered hashes: {said:?}");
    let said = asked(&bundle, "no receipt");
    assert_eq!((said.0, said.1.as_str()), (3, "malformed"), "{said:?}");
}

#[test]
fn a_receipt_of_another_log_says_nothing() {
    let bundle = EVIDENCE.bundle();
    let of = |log: &str| {
        let mut other = bundle.clone();
        other.plan.checkpoint = format!("{log}\n").into_bytes();
        receipt(&EVIDENCE, &other, 1, 3).to_text()
    };
    let federation = EVIDENCE.trust().federation.clone();
    for log in
        [format!("{federation}/heartbeats"), format!("{federation}/plan/{}", "0".repeat(64)), "x/registry".into()]
    {
        let said = asked_of("receipt", &bundle, &of(&log));
        assert_eq!((said.0, said.1.as_str()), (2, "undecidable"), "{log}: {said:?}");
        assert!(said.2.contains(&log), "{said:?}");
    }
    // The plan's log under the registry's name: its key signed what the registry is not.
    let said = asked_of("receipt", &bundle, &of(&format!("{federation}/registry")));
    assert_eq!((said.0, said.1.as_str()), (1, "fail"), "{said:?}");
}

#[test]
fn without_a_witness_the_time_is_open() {
    let verdict = judge_with(&EVIDENCE.bytes, &EVIDENCE.trust, &["--at".as_ref(), "2100-01-01T00:00:00Z".as_ref()]);
    verdict.is(2, "time", "registry/checkpoint");
    assert_eq!(failures(&verdict).len(), 2, "{verdict:#?}");
    let dir = tempfile::tempdir().expect("a folder");
    let [bundle, trust] = ["bundle.zip", "trust.json"].map(|name| dir.path().join(name));
    std::fs::write(&bundle, &EVIDENCE.bytes).expect("writes");
    std::fs::write(&trust, &EVIDENCE.trust).expect("writes");
    let args = [&bundle, Path::new("--trust"), &trust, Path::new("--at"), Path::new("yesterday")];
    fedaudit_tests::run("fedaudit-verify", &args.map(Path::as_os_str)).fault("input", &["--at yesterday"]);
}
