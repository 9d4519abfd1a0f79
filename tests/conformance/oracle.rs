//! The oracles of the statistics, computed again by the libraries that they came from.

use crate::artifacts::{fresh, python, root};
use serde_json::Value;
use std::collections::BTreeSet;

/// Each program of `schemas/vectors/statistics/`, and what it writes.
const PROGRAMS: [(&str, &str); 11] = [
    ("across.py", "across.json"),
    ("classes.py", "classes.json"),
    ("counts.py", "counts.json"),
    ("drift.py", "drift.json"),
    ("gaps.py", "gaps.json"),
    ("generate.py", "oracle.json"),
    ("identified.py", "identified.json"),
    ("noisy.py", "noisy.json"),
    ("people.py", "people.json"),
    ("regression.py", "regression.json"),
    ("scores.py", "scores.json"),
];

/// The first place where two documents differ: floating-point numbers by more than 1e-10 of their size, all else at all.
fn difference(place: &str, committed: &Value, computed: &Value) -> Option<String> {
    match (committed, computed) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(key, value)| difference(&format!("{place}/{key}"), value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| difference(&format!("{place}/{at}"), a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64()?, b.as_f64()?);
            let close = (a - b).abs() <= 1e-10 * a.abs().max(b.abs());
            (!close).then(|| format!("{place}: {a} is committed, {b} is computed"))
        }
        (a, b) => (a != b).then(|| format!("{place}: {a} is committed, {b} is computed")),
    }
}

#[test]
fn the_oracles_are_what_their_libraries_compute() {
    let folder = fresh("oracle");
    for (program, vectors) in PROGRAMS {
        let path = folder.join(vectors);
        let answer = python(&format!("schemas/vectors/statistics/{program}"), &[&path]);
        assert!(answer.content, "{program}: {}", answer.said);
        let read = |path: &std::path::Path| -> Value {
            serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
        };
        let committed = read(&root().join("schemas/vectors/statistics").join(vectors));
        assert_eq!(difference(vectors, &committed, &read(&path)), None);
    }
}

#[test]
fn every_oracle_has_its_program() {
    let names = |ending: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(root().join("schemas/vectors/statistics")).expect("a folder");
        let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(ending)).collect()
    };
    assert_eq!(names(".py"), PROGRAMS.map(|(program, _)| program.to_owned()).into());
    assert_eq!(names(".json"), PROGRAMS.map(|(_, vectors)| vectors.to_owned()).into());
}

#[test]
fn the_comparison_can_fail() {
    let differs = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        difference("", &a, &b).is_some()
    };
    assert!(!differs(r#"{"a":[1,0.5,null]}"#, r#"{"a":[1,0.50000000001,null]}"#));
    for other in [r#"{"a":[1,0.500000001,null]}"#, r#"{"a":[1,0.5]}"#, r#"{"a":[2,0.5,null]}"#, r#"{"b":[1,0.5,null]}"#]
    {
        assert!(differs(r#"{"a":[1,0.5,null]}"#, other), "{other}");
    }
    assert!(differs("[1]", "[1.0]") && differs("[null]", "[0.0]"));
}
