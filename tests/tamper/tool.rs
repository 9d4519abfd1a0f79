//! The tool around the checks: many bundles, large ones, its demo, and what it says of its own limits.

use crate::{EVIDENCE, OTHER};
use fedaudit_core::bundle::pack;
use fedaudit_tests::evidence::{Evidence, judge_with, verifier};
use fedaudit_tests::world::World;
use fedaudit_tests::{readme, run};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/what-a-verdict-means.md");
    std::fs::read_to_string(path).expect("the document")
}

#[test]
fn many_bundles_are_answered_in_the_order_given() {
    let dir = tempfile::tempdir().expect("a folder");
    let trust = dir.path().join("trust.json");
    std::fs::write(&trust, &EVIDENCE.trust).expect("writes");
    let mut cut = EVIDENCE.bundle();
    cut.plan.entries.pop();
    let kinds = [EVIDENCE.bytes.clone(), pack(&cut).expect("packs"), OTHER.bytes.clone(), b"no bundle".to_vec()];
    let expected = ["verified", "refuted", "undecidable", "malformed"];
    let files: Vec<PathBuf> = (0..40).map(|at| dir.path().join(format!("{at}.zip"))).collect();
    for (at, file) in files.iter().enumerate() {
        std::fs::write(file, &kinds[at % 4]).expect("writes");
    }
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let said = verifier(&paths, &trust);
    assert_eq!(said.code, Some(3), "the worst counts");
    let rows: Vec<Value> = serde_json::from_str(&said.out).expect("one array");
    assert_eq!(rows.len(), files.len());
    for (at, row) in rows.iter().enumerate() {
        assert_eq!((row["bundle"].as_str(), row["verdict"].as_str()), (paths[at].to_str(), Some(expected[at % 4])));
    }
    // The sentences of the document, word for word.
    let section = document();
    let section = section.split("## What no verdict establishes").nth(1).and_then(|text| text.split("## ").next());
    let sentences: Vec<_> = section.expect("a section").lines().filter_map(|line| line.strip_prefix("- ")).collect();
    assert!(sentences.len() > 9);
    assert!(rows.iter().all(|row| row["does_not_establish"] == serde_json::json!(sentences)));
    assert_eq!(run("fedaudit-verify", &["explain"]).good().out, document());
}

/// A site keeps what the aggregator promised; a regulator holds a later bundle against it.
#[test]
fn a_site_hands_out_its_receipt() {
    let world = World::new(&["dept-a", "dept-b", "dept-f"]);
    ["dept-a", "dept-b"].into_iter().for_each(|site| world.ship(site));
    let listed = world.agent("dept-a", &["outbox", "list"]).good().out;
    let digest = listed.lines().next().and_then(|line| line.split('\t').nth(4)).expect("a digest");
    let file = world.scratch("receipt");
    let args = ["outbox", "receipt", digest, "--out", file.to_str().expect("UTF-8")];
    world.agent("dept-a", &args).good();
    let evidence = Evidence::of(&world);
    let verdict = judge_with(&evidence.bytes, &evidence.trust, &["--receipt".as_ref(), file.as_os_str()]);
    let line = verdict.checks.iter().find(|check| check.check == "receipt").expect("a line");
    assert!(line.outcome == "pass" && line.found.contains(digest), "{verdict:#?}");
    assert!(line.signer.as_ref().is_some_and(|signer| signer.starts_with("dept-a attest ")), "{verdict:#?}");
    world.agent("dept-a", &args).fault("operator", &["exists"]);
    world.agent("dept-a", &["outbox", "receipt", "0", "--out", "x"]).fault("input", &["nothing sent is called 0"]);
}

#[test]
fn a_file_too_large_is_not_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let [large, trust] = ["large.zip", "trust.json"].map(|name| dir.path().join(name));
    std::fs::write(&trust, &EVIDENCE.trust).expect("writes");
    // Ten gigabytes of nothing, which take no room.
    std::fs::File::create(&large).and_then(|file| file.set_len(10 << 30)).expect("a sparse file");
    let said = verifier(&[&large], &trust);
    assert_eq!(said.code, Some(4));
    assert!(said.err.contains("has more than 1073741824 bytes"), "{said:?}");
}

#[test]
fn the_demo_prints_what_the_readme_shows_and_leaves_what_it_tried() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("demo");
    let said = run("fedaudit-verify", &["demo", "--out", out.to_str().expect("UTF-8")]).good();
    let commands = readme::commands("What a verifier notices");
    assert_eq!(commands[0].0, "fedaudit-verify demo");
    let shown: Vec<_> = commands[0].1.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let printed: Vec<_> = said.out.lines().map(str::trim).collect();
    assert_eq!(shown, printed, "show the output anew");
    assert!(said.out.contains("17 of 17 changes were noticed") && !said.out.contains("NOTHING"), "{said:?}");
    let trust = out.join("trust.json");
    assert_eq!(verifier(&[&out.join("bundle.zip")], &trust).code, Some(0));
    for number in 1..=17 {
        let broken = out.join(format!("broken-{number:02}.zip"));
        assert!(matches!(verifier(&[&broken], &trust).code, Some(1..=3)), "{number}");
    }
    let again = run("fedaudit-verify", &["demo", "--out", out.to_str().expect("UTF-8")]);
    again.fault("operator", &["exists"]);
}
