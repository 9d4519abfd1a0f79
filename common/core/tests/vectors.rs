//! Runs `schemas/vectors`, with the runner of `fedaudit-verify vectors`. The wire's kinds are run by the whole-system tests.

#[path = "../../../verifier/src/vectors/run/mod.rs"]
mod run;

use fedaudit_core::roster::Registry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Kinds that are read here, with the fewest vectors that there must be.
const KINDS: [(&str, &str, usize); 31] = [
    ("cosignature", "cosignature", 32),
    ("cosignature", "cosigner", 13),
    ("cosignature", "request", 15),
    ("documents", "abstention", 25),
    ("documents", "bundle", 20),
    ("documents", "conflict", 25),
    ("documents", "contract", 65),
    ("documents", "dispute", 28),
    ("documents", "envelope", 30),
    ("documents", "features", 15),
    ("documents", "heartbeat", 25),
    ("documents", "log-entry", 6),
    ("documents", "parcel", 35),
    ("documents", "plan", 35),
    ("documents", "record", 70),
    ("documents", "registry-entry", 115),
    ("documents", "release", 85),
    ("documents", "report", 8),
    ("documents", "roster-entry", 50),
    ("documents", "trust", 15),
    ("ed25519", "signature", 41),
    ("log", "bundle", 10),
    ("log", "files", 8),
    ("log", "path", 8),
    ("merkle", "consistency", 20),
    ("merkle", "inclusion", 20),
    ("merkle", "root", 9),
    ("note", "checkpoint", 25),
    ("note", "key", 15),
    ("note", "note", 45),
    ("note", "proof", 30),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors")
}

/// The vectors of a set by name.
fn vectors(set: &str) -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(folder().join(set)).expect("the vectors are in the tree");
    let paths = files.map(|file| file.expect("a file").path());
    let json = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let read = |path: PathBuf| serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    json.map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(path))).collect()
}

fn world() -> Registry {
    run::world(&vectors("documents")["world"]).expect("the world holds together")
}

#[test]
fn every_vector_gets_its_verdict() {
    let registry = world();
    let mut seen: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (set, ..) in KINDS {
        if seen.keys().any(|(of, _)| *of == set) {
            continue;
        }
        for (name, vector) in vectors(set) {
            assert!(set != "documents" || vector["name"] == *name, "{name} has another name inside");
            let Some(found) = run::run(set, &vector, &registry) else { continue };
            let kind = vector["kind"].as_str().or(vector["check"].as_str()).expect("a kind").to_owned();
            *seen.entry((set, kind)).or_default() += 1;
            match found {
                Ok(found) => {
                    wrong.extend(run::deviation(set, &vector, &found).map(|what| format!("{set}/{name}: {what}")));
                }
                Err(broken) => wrong.push(format!("{set}/{name}: {broken}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
    for (set, kind, fewest) in KINDS {
        let count = seen.get(&(set, kind.to_owned())).copied().unwrap_or_default();
        assert!(count >= fewest, "{set} {kind}: {count} of {fewest}");
    }
}

/// `schemas/codes.json`: what a document was refused for is shown by a vector.
#[test]
fn every_code_of_a_document_is_shown_by_a_vector() {
    let codes = std::fs::read(folder().join("../codes.json")).expect("a file");
    let codes: Vec<Value> = serde_json::from_slice(&codes).expect("JSON");
    let (vectors, registry) = (vectors("documents"), world());
    let mut shown = 0;
    for row in &codes {
        let code = row["code"].as_str().expect("a code");
        for name in row["vectors"].as_array().expect("a list") {
            let name = name.as_str().expect("a name");
            let vector = vectors.get(name).unwrap_or_else(|| panic!("{code}: no vector {name}"));
            let Some(found) = run::run("documents", vector, &registry) else { continue };
            let refused = found.expect("a vector").err().unwrap_or_else(|| panic!("{name} is accepted"));
            let said = refused.said;
            assert!(said.starts_with(&format!("{code}: ")), "{name} shows another code than {code}: {said}");
            shown += 1;
        }
    }
    assert!(shown >= 25, "{shown} vectors were run");
}
