//! Attestations through securesystemslib and in-toto-attestation.

use crate::artifacts::{Answer, Federation, federations, fresh, put, python, scored, text};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The public key that must have signed, as the bundle carries it.
fn key_of(federation: &Federation, statement: &Value) -> PathBuf {
    let claim = &statement["predicate"]["claim"];
    let name = match (&claim["release"]["site"], &claim["report"]) {
        (Value::String(site), _) => format!("{site}-attest"),
        (_, Value::Object(_)) => "aggregator-attest".to_owned(),
        _ => "governance-1".to_owned(),
    };
    federation.files.join(format!("keys/{name}.pem"))
}

fn verify(federation: &Federation, envelope: &Path, statement: &Value, key: &Path) -> Answer {
    let mut args: Vec<OsString> = vec![envelope.into(), "--key".into(), key.into()];
    for subject in statement["subject"].as_array().expect("subjects") {
        let artifact = federation.artifact(subject);
        args.push(format!("{}={}", text(&subject["name"]), artifact.display()).into());
    }
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
    for federation in federations() {
        let attestations = federation.attestations();
        let kinds = |kind: &str| attestations.iter().filter(|(_, s)| s["predicateType"] == kind).count();
        assert!(kinds("urn:fedaudit:roster-entry:v1") > 3 && kinds("urn:fedaudit:release:v1") > 3);
        assert!(kinds("urn:fedaudit:contract:v1") == 1 && kinds("urn:fedaudit:plan:v1") == 1);
        // In the log, and beside the report.
        assert_eq!(kinds("urn:fedaudit:report:v1"), 2);
        side_by_side(&attestations, |(envelope, statement)| {
            let answer = verify(federation, envelope, statement, &key_of(federation, statement));
            let wanted = format!("ok {}", text(&statement["predicateType"]));
            let good = answer.content && answer.said.trim() == wanted;
            if good { Ok(()) } else { Err(format!("{}: {}", envelope.display(), answer.said)) }
        });
    }
}

/// Ways to spoil an attestation. Each is given the envelope and changes one byte of what was signed, or the key.
const SPOILS: [&str; 4] = ["payload", "signature", "artifact", "key"];

#[test]
fn a_changed_byte_is_refused_elsewhere() {
    let (federation, folder) = (scored(), fresh("flipped"));
    let attestations = federation.attestations();
    let kinds = ["contract", "plan", "roster-entry", "release", "report"];
    let mut cases = Vec::new();
    for kind in kinds {
        let kind = format!("urn:fedaudit:{kind}:v1");
        let found = attestations.iter().find(|(_, statement)| statement["predicateType"] == kind);
        let (envelope, statement) = found.expect("one of each kind");
        cases.extend(SPOILS.iter().map(|spoil| (envelope, statement, *spoil)));
    }
    side_by_side(&cases, |(envelope, statement, spoil)| {
        let mut parsed: Value = serde_json::from_slice(&std::fs::read(envelope).expect("a file")).expect("JSON");
        let mut key = key_of(federation, statement);
        let mut said = (*statement).clone();
        match *spoil {
            "payload" => flip(&mut parsed["payload"]),
            "signature" => flip(&mut parsed["signatures"][0]["sig"]),
            // Another file under the right name: the checker is given the file, so give it another digest's.
            "artifact" => said["subject"] = attestations.last().expect("one").1["subject"].clone(),
            _ => key = federation.files.join("keys/north-note.pem"),
        }
        let is_report = statement["predicateType"] == "urn:fedaudit:report:v1";
        if *spoil == "artifact" && is_report {
            return Ok(());
        }
        let path = folder.join(format!("{}-{spoil}.json", text(&statement["subject"][0]["digest"]["sha256"])));
        put(&path, parsed.to_string().as_bytes());
        let answer = verify(federation, &path, &said, &key);
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
