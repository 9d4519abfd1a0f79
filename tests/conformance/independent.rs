//! All vectors through the verifier's binary, and through a second implementation, `tests/foreign/vectors.py`, which was written
//! from the specification alone.

use crate::artifacts::{fresh, python, root, text};
use fedaudit_tests::run;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sets that a reader gives a verdict on; `statistics` holds figures.
const SETS: [&str; 6] = ["cosignature", "documents", "ed25519", "log", "merkle", "note"];

/// All vectors of a folder, by set and kind.
fn by_kind(folder: &Path) -> BTreeMap<(String, String), Vec<(PathBuf, Value)>> {
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

/// A copy of all vectors in which one of each kind expects the contrary: kind, and name as `set/name`.
fn contrary(folder: &Path) -> Vec<(String, String)> {
    let vectors = root().join("schemas/vectors");
    for set in SETS {
        std::fs::create_dir_all(folder.join(set)).expect("a folder can be made");
    }
    let world = "documents/world.json";
    std::fs::copy(vectors.join(world), folder.join(world)).expect("a file can be copied");
    let mut altered = Vec::new();
    for ((set, kind), listed) in by_kind(&vectors) {
        for (at, (path, vector)) in listed.into_iter().enumerate() {
            let mut vector = vector;
            if at == 0 {
                let name = format!("{set}/{}", path.file_stem().expect("a name").to_string_lossy());
                // Two sets have kinds of one name.
                altered.push((if set == "documents" { kind.clone() } else { format!("{set} {kind}") }, name));
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
    let mut named: Vec<_> = wrong.iter().map(|line| text(line).split(':').next().unwrap_or_default()).collect();
    named.sort_unstable();
    // A release that is said to be wrong may be so by a rule that the independent reader does not know: that it says.
    let (release, others): (Vec<_>, Vec<_>) = altered.iter().partition(|(kind, _)| kind == "release");
    let mut others: Vec<_> = others.iter().map(|(_, name)| name.as_str()).collect();
    others.sort_unstable();
    assert_eq!(named, others, "each kind once");
    let listed = json!({ "release": { "document": [release[0].1.trim_start_matches("documents/")] } });
    assert_eq!(found["not_judged"], listed);
}

/// Kinds that cross the wire, which the verifier never reads.
const WIRE: [&str; 5] = ["token", "frame", "request", "response", "join"];

#[test]
fn the_verifiers_binary_gives_every_vector_its_verdict() {
    let folder = root().join("schemas/vectors");
    let out = run("fedaudit-verify", &["vectors".as_ref(), folder.as_os_str()]).good().out;
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    for ((set, kind), listed) in by_kind(&folder) {
        let line = lines.iter().find(|line| line[..2] == [set.as_str(), kind.as_str()]);
        let line = line.unwrap_or_else(|| panic!("no line of {set} {kind}: {out}"));
        let number = |at: usize| line[at].parse::<usize>().expect("a number");
        if set == "documents" && WIRE.contains(&kind.as_str()) {
            assert_eq!((number(2), line[3..].join(" ")), (listed.len(), "not read by this program".to_owned()));
        } else {
            assert_eq!(number(2) + number(4), listed.len(), "{set} {kind}");
        }
    }
    assert_eq!(lines.len(), by_kind(&folder).len());
}

#[test]
fn the_verifiers_binary_names_each_vector_that_says_the_contrary() {
    let folder = fresh("contrary-verify");
    let altered = contrary(&folder);
    let ran = run("fedaudit-verify", &["vectors".as_ref(), folder.as_os_str()]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let named: Vec<_> = ran.out.lines().filter_map(|line| line.strip_prefix("  ")?.split(':').next()).collect();
    let read = altered.iter().filter(|(kind, _)| !WIRE.contains(&kind.as_str())).map(|(_, name)| name.as_str());
    let mut read: Vec<_> = read.collect();
    read.sort_by_key(|name| named.iter().position(|other| other == name));
    assert_eq!(named, read, "each kind once");
}

#[test]
fn the_verifiers_binary_takes_no_vector_for_granted() {
    let folder = fresh("granted");
    contrary(&folder);
    let vector = folder.join("documents/release-good.json");
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&vector).expect("a file")).expect("JSON") };
    let mut silent = read();
    silent.as_object_mut().expect("a vector").remove("expect");
    std::fs::write(&vector, silent.to_string()).expect("a file can be written");
    let ran = || run("fedaudit-verify", &["vectors".as_ref(), folder.as_os_str()]);
    let out = ran().out;
    assert!(out.contains("  documents/release-good: expected null, accepted"), "{out}");
    for file in std::fs::read_dir(folder.join("merkle")).expect("a folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("a file can be removed");
    }
    ran().fault("input", &["merkle: it holds no vectors"]);
}
