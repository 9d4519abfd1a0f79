//! A copied home grows two histories: the witness refuses the second, and both signed checkpoints prove the fork.

use crate::{SITES, Witness, trust};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedaudit_aggregator::store::LogDir;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::Checkpoint;
use fedaudit_link::home::load_key;
use fedaudit_tests::http::Http;
use fedaudit_tests::world::{World, copy, restore};
use fedaudit_tests::{Said, run};
use std::path::Path;

fn fork(a: &Path, b: &Path, trust: &Path, more: &[&str]) -> Said {
    let (a, b, trust) = (a.display().to_string(), b.display().to_string(), trust.display().to_string());
    run("fedaudit-verify", &[&["fork", &a, &b, "--trust", &trust], more].concat())
}

pub fn two_histories(world: &mut World, witness: &Witness) {
    world.stop();
    let (copied, registry) = (world.scratch("copied"), world.home().join("logs/registry/checkpoint"));
    copy(&world.home(), &copied);
    let (before, first, second) = (world.scratch("before"), world.scratch("first"), world.scratch("second-note"));
    std::fs::copy(&registry, &before).expect("copies");
    let publish = |version: &str| {
        let text = std::fs::read_to_string(&world.dataset.contract).expect("reads");
        let file = world.scratch("contract.toml");
        std::fs::write(&file, text.replace("version = 1", &format!("version = {version}"))).expect("writes");
        world.aggregator(&["contract", "publish", &file.display().to_string()]).good()
    };
    assert_eq!(publish("2").err, "");
    std::fs::copy(&registry, &first).expect("copies");
    let valid = consistency(world, &before);
    // As if the second had never been: the copy publishes something else at the same place.
    restore(&copied, &world.home());
    let said = publish("3");
    assert!(said.err.contains("has cosigned another") && said.err.contains("another root at"), "{said:#?}");
    std::fs::copy(&registry, &second).expect("copies");
    let said = world.aggregator(&["report", "build", world.plan().as_str(), "--out", "nowhere"]);
    said.fault("aggregator", &["0 of 2 witnesses", "has cosigned another"]);
    // The home of before, which lacks what the witness has seen.
    restore(&copied, &world.home());
    let said = world.aggregator(&["report", "build", world.plan().as_str(), "--out", "nowhere"]);
    said.fault("aggregator", &["0 of 2 witnesses", "went back in time"]);
    // Without its fence it counts as restored, and takes the witness's word for what it lacks.
    std::fs::remove_file(world.home().join("fence.json")).expect("removes");
    for command in [&["log", "settle"][..], &["run"]] {
        world.aggregator(command).fault("aggregator", &["has cosigned", "entries of", "went back in time"]);
    }
    // The witness shows anybody the one that it holds.
    let note = std::fs::read_to_string(&first).expect("reads");
    let path = format!("/checkpoint/{}", Digest::of(note.lines().next().expect("an origin").as_bytes()));
    let held = Http::connect(&witness.url()).and_then(|mut http| http.ask("GET", &path, &[], b"")).expect("answers");
    assert!(held.body.starts_with(&note), "{held:?}");
    std::fs::write(&first, held.body).expect("writes");
    let trust = trust(world);
    let proven = fork(&first, &second, &trust, &[]).good();
    assert!(proven.out.starts_with("verified: the aggregator signed two histories of one log\n"), "{proven:#?}");
    assert!(fork(&first, &second, &trust, &["--json"]).good().out.contains("\"check\": \"fork\""));
    judged(&before, &first, &second, &trust, &world.scratch("file"));
    let (file, proof) = (world.scratch("file"), world.scratch("file").display().to_string());
    std::fs::write(file, valid).expect("writes");
    let said = fork(&before, &first, &trust, &["--proof", &proof]);
    assert!(said.code == Some(1) && said.out.contains("the smaller is the beginning"), "{said:#?}");
}

/// The consistency proof from the checkpoint in a file to the registry as it is, as witnesses are sent it.
fn consistency(world: &World, before: &Path) -> String {
    let note = std::fs::read_to_string(before).expect("reads");
    let (origin, old) = (note.lines().next().expect("an origin"), note.lines().nth(1).expect("a size"));
    let key = PublicKey::of(&load_key(&world.home().join("keys/log.key")).expect("a key"));
    let log = LogDir::open(&world.home().join("logs/registry"), origin, &[key]).expect("opens");
    let proof = log.consistency(old.parse().expect("a size")).expect("proves");
    proof.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect()
}

/// What proves nothing, or the contrary.
fn judged(before: &Path, first: &Path, second: &Path, trust: &Path, file: &Path) {
    let code = |said: Said, code: i32, what: &str| {
        assert!(said.code == Some(code) && said.out.contains(what), "{code}, {what}: {said:#?}");
    };
    code(fork(first, first, trust, &[]), 2, "one and the same checkpoint");
    code(fork(first, first, trust, &[]), 2, "fork");
    code(fork(before, first, trust, &[]), 2, "is missing");
    let proof = file.display().to_string();
    std::fs::write(file, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").expect("writes");
    code(fork(before, first, trust, &["--proof", &proof]), 2, "which says nothing");
    std::fs::write(file, "no hash\n").expect("writes");
    code(fork(before, first, trust, &["--proof", &proof]), 3, "consistency");
    let text = std::fs::read_to_string(second).expect("reads");
    std::fs::write(file, text.replacen('\n', "x\n", 1)).expect("writes");
    code(fork(first, file, trust, &[]), 2, "signed-checkpoint");
    let size = text.lines().nth(1).expect("a size").to_owned();
    std::fs::write(file, text.replacen(&format!("\n{size}\n"), "\n99\n", 1)).expect("writes");
    code(fork(first, file, trust, &[]), 1, "does not verify");
    std::fs::write(file, "no note").expect("writes");
    code(fork(first, file, trust, &[]), 3, "malformed");
}

#[test]
fn after_a_change_of_the_log_key_the_registry_says_who_signs() {
    let world = crate::world(&[], "0");
    let (checkpoint, parcel) = (world.home().join("logs/registry/checkpoint"), world.scratch("registry"));
    let (before, trust) = (world.scratch("before"), trust(&world));
    std::fs::copy(&checkpoint, &before).expect("copies");
    let given_up = load_key(&world.home().join("keys/log.key")).expect("a key");
    world.aggregator(&["key", "rotate", "log"]).good();
    world.aggregator(&["site", "rotate", "aggregator"]).good();
    world.enrol(SITES[1]);
    let parcel = parcel.display().to_string();
    world.aggregator(&["registry", "export", &parcel]).good();
    let fork = |a: &Path, b: &Path, more: &[&str], code: i32, what: &str| {
        let said = fork(a, b, &trust, more);
        assert!(said.code == Some(code) && said.out.contains(what), "{code}, {what}: {said:#?}");
    };
    let known = ["--registry", &parcel];
    fork(&before, &checkpoint, &[], 2, "all by other keys");
    fork(&before, &checkpoint, &known, 2, "is missing");
    // Whoever stole the key before makes two histories beyond its end.
    let note = std::fs::read_to_string(&checkpoint).expect("reads");
    let (origin, size) = (note.lines().next().expect("an origin"), note.lines().nth(1).expect("a size"));
    let [one, two] = [1, 2].map(|root| {
        let root = Digest([root; 32]);
        let forged = Checkpoint { origin: origin.to_owned(), size: size.parse().expect("a size"), root };
        let path = world.scratch(&format!("forged-{}", root.short()));
        std::fs::write(&path, forged.sign(&given_up).expect("signs")).expect("writes");
        path
    });
    fork(&one, &two, &[], 0, "two roots");
    fork(&one, &two, &known, 1, "a key that had ended");
    fork(&one, &checkpoint, &known, 1, "a key that had ended");
    // What is no registry says nothing.
    let none = one.display().to_string();
    fork(&one, &two, &["--registry", &none], 3, "parcel");
}
