//! Attestations through securesystemslib and in-toto-attestation.

use crate::artifacts::{Answer, Federation, all, fresh, put, python, scored, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The public key that must have signed, as the bundle carries it.
fn key_of(federation: &Federation, statement: &Value) -> PathBuf {
    let claim = &statement["predicate"]["claim"];
    let site = [&claim["release"]["site"], &claim["abstention"]["site"], &claim["dispute"]["site"]]
        .into_iter()
        .find(|site| site.is_string());
    let name = match (site.unwrap_or(&Value::Null), &claim["report"]) {
        (Value::String(site), _) => format!("{site}-attest"),
        (_, Value::Object(_)) => "aggregator-attest".to_owned(),
        _ => "governance-1".to_owned(),
    };
    federation.files.join(format!("keys/{name}.pem"))
}

/// The files that a statement speaks of, by name.
fn subjects(federation: &Federation, statement: &Value) -> Vec<(String, PathBuf)> {
    let subjects = statement["subject"].as_array().expect("subjects").iter();
    subjects.map(|subject| (text(&subject["name"]).to_owned(), federation.artifact(subject))).collect()
}

fn verify(envelope: &Path, key: &Path, subjects: &[(String, PathBuf)]) -> Answer {
    let mut args: Vec<OsString> = vec![envelope.into(), "--key".into(), key.into()];
    args.extend(subjects.iter().map(|(name, path)| format!("{name}={}", path.display()).into()));
    python("tests/foreign/verify_attestation.py", &args)
}

/// Runs `check` for all items, two at a time: each waits for a Python to start.
fn side_by_side<T: Sync>(items: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = check(item) {
                        failures.lock().expect("nobody panicked with it").push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panicked with it");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_attestation_verifies_elsewhere() {
    for federation in all() {
        let attestations = federation.attestations();
        let kinds = |kind: &str| attestations.iter().filter(|(_, s)| s["predicateType"] == kind).count();
        assert!(kinds("urn:fedaudit:roster-entry:v1") > 3 && kinds("urn:fedaudit:release:v1") > 3);
        assert!(kinds("urn:fedaudit:contract:v1") == 1 && kinds("urn:fedaudit:plan:v1") == 1);
        // In the log, and beside the report.
        assert_eq!(kinds("urn:fedaudit:report:v1"), 2);
        side_by_side(&attestations, |(envelope, statement)| {
            let answer = verify(envelope, &key_of(federation, statement), &subjects(federation, statement));
            let wanted = format!("ok {}", text(&statement["predicateType"]));
            let good = answer.content && answer.said.trim() == wanted;
            if good { Ok(()) } else { Err(format!("{}: {}", envelope.display(), answer.said)) }
        });
    }
}

/// What is spoilt: one bit of the payload, of the signature or of a file; or the key asked for.
const SPOILS: [&str; 4] = ["payload", "signature", "file", "key"];

#[test]
fn a_changed_bit_is_refused_elsewhere() {
    let (federation, folder) = (scored(), fresh("spoilt"));
    let attestations = federation.attestations();
    let mut cases = Vec::new();
    for kind in ["contract", "plan", "roster-entry", "release", "report"] {
        let kind = format!("urn:fedaudit:{kind}:v1");
        let found = attestations.iter().find(|(_, statement)| statement["predicateType"] == kind);
        cases.extend(SPOILS.iter().map(|spoil| (found.expect("one of each kind"), *spoil)));
    }
    side_by_side(&cases, |((envelope, statement), spoil)| {
        let mut spoilt: Value = serde_json::from_slice(&std::fs::read(envelope).expect("a file")).expect("JSON");
        let mut key = key_of(federation, statement);
        let mut subjects = subjects(federation, statement);
        let name = text(&statement["subject"][0]["digest"]["sha256"]);
        match *spoil {
            "payload" => flip(&mut spoilt["payload"]),
            "signature" => flip(&mut spoilt["signatures"][0]["sig"]),
            "file" => {
                let mut bytes = std::fs::read(&subjects[0].1).expect("a file");
                bytes[1] ^= 1;
                subjects[0].1 = folder.join(format!("{name}.json"));
                put(&subjects[0].1, &bytes);
            }
            _ => key = federation.files.join("keys/north-note.pem"),
        }
        let path = folder.join(format!("{name}-{spoil}.dsse.json"));
        put(&path, spoilt.to_string().as_bytes());
        let answer = verify(&path, &key, &subjects);
        let refused = !answer.content && answer.said.starts_with("refused: ");
        if refused { Ok(()) } else { Err(format!("{spoil} of {}: {}", envelope.display(), answer.said)) }
    });
}

/// Changes one bit in the middle of what base64 holds.
fn flip(value: &mut Value) {
    let mut bytes = STANDARD.decode(text(value)).expect("base64");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    *value = STANDARD.encode(bytes).into();
}
