//! All vectors through a second implementation: `tests/foreign/vectors.py`, written from the specification alone.

use crate::artifacts::{fresh, python, root, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sets that a reader gives a verdict on; `statistics` holds figures.
pub const SETS: [&str; 6] = ["cosignature", "documents", "ed25519", "log", "merkle", "note"];

/// All vectors of a folder, by set and kind.
pub fn by_kind(folder: &Path) -> BTreeMap<(String, String), Vec<(PathBuf, Value)>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for set in SETS {
        let files = std::fs::read_dir(folder.join(set)).expect("the vectors are in the tree");
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        for path in paths {
            let vector: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
            let kind = vector["kind"].as_str().or(vector["check"].as_str()).expect("a kind").to_owned();
            if kind != "world" {
                found.entry((set.to_owned(), kind)).or_default().push((path, vector));
            }
        }
    }
    found
}

/// A copy of all vectors in which one of each kind expects the contrary; their names, as `set/name`.
pub fn contrary(folder: &Path) -> Vec<String> {
    let vectors = root().join("schemas/vectors");
    for set in SETS {
        std::fs::create_dir_all(folder.join(set)).expect("a folder can be made");
    }
    let world = "documents/world.json";
    std::fs::copy(vectors.join(world), folder.join(world)).expect("a file can be copied");
    let mut altered = Vec::new();
    for ((set, _), listed) in by_kind(&vectors) {
        for (at, (path, vector)) in listed.into_iter().enumerate() {
            let mut vector = vector;
            if at == 0 {
                altered.push(format!("{set}/{}", path.file_stem().expect("a name").to_string_lossy()));
                turn(&mut vector);
            }
            let place = folder.join(&set).join(path.file_name().expect("a name"));
            std::fs::write(place, vector.to_string()).expect("a file can be written");
        }
    }
    altered
}

fn turn(vector: &mut Value) {
    let accept = vector["expect"] == "accept" || vector["expect"]["verdict"] == "accept";
    match &vector["check"] {
        // What a log's files and paths are is no verdict.
        Value::String(check) if check == "path" => vector["tile"] = json!("tile/0/999"),
        Value::String(check) if check == "files" => vector["count"] = json!(999),
        Value::String(_) if vector["expect"].is_string() => {
            vector["expect"] = json!(if accept { "reject" } else { "accept" });
        }
        Value::String(_) => vector["expect"] = json!({ "verdict": if accept { "reject" } else { "accept" } }),
        _ if vector["kind"] == "features" => vector["input"]["codes"][0] = json!(99),
        _ => vector["expect"] = if accept { json!({ "reject": "" }) } else { json!("accept") },
    }
    vector["about"] = json!("altered");
}

fn judge(folder: &Path) -> (bool, Value) {
    let answer = python("tests/foreign/vectors.py", &[folder]);
    let found = serde_json::from_str(&answer.said).unwrap_or_else(|error| panic!("{error}: {}", answer.said));
    (answer.content, found)
}

#[test]
fn an_independent_reader_gives_the_same_verdicts() {
    let folder = root().join("schemas/vectors");
    let (content, found) = judge(&folder);
    assert!(content, "{:#}", found["wrong"]);
    // Whatever stands here rests on rules that the independent reader does not know: nothing, and it stays so.
    assert_eq!(found["not_judged"], json!({}));
    let mut judged = 0;
    for ((set, kind), listed) in by_kind(&folder) {
        let counts = &found["sets"][&set][&kind];
        let accepts = |(_, vector): &&(PathBuf, Value)| {
            let expect = &vector["expect"];
            expect.is_null() || *expect == "accept" || expect["verdict"] == "accept"
        };
        let accepted = listed.iter().filter(accepts).count();
        let on_disk = json!({ "accepted": accepted, "refused": listed.len() - accepted, "not_judged": 0 });
        assert_eq!(*counts, on_disk, "{set}/{kind}");
        judged += listed.len();
    }
    assert!(judged > 1000, "{judged}");
}

#[test]
fn an_independent_reader_is_not_told_what_to_say() {
    let folder = fresh("contrary");
    let altered = contrary(&folder);
    let (content, found) = judge(&folder);
    assert!(!content);
    let wrong = found["wrong"].as_array().expect("a list");
    let named: Vec<_> = wrong.iter().map(|line| text(line).split(':').next().unwrap_or_default()).collect();
    for name in &altered {
        assert!(named.contains(&name.as_str()), "{name} passes");
    }
    assert_eq!(named.len(), altered.len());
}
