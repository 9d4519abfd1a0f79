//! Runs `schemas/vectors/documents`: each through the functions that production reads such a document with.
//!
//! The wire's kinds (token, frame, request, response, join) are run by the whole-system tests.

use crate::bundle;
use crate::codec::{self, Valid};
use crate::contract::Contract;
use crate::contract::feature::{self, FeatureValue};
use crate::envelope::Claimed;
use crate::event;
use crate::fault::Refusal;
use crate::ids::{Digest, unhex};
use crate::key::PublicKey;
use crate::parcel;
use crate::plan::Plan;
use crate::roster::{Registry, RosterEntry, Trust};
use crate::verify::{self, At, Entry, PlanState};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Kinds that are read here, with the fewest vectors that there must be.
const KINDS: [(&str, usize); 17] = [
    ("contract", 65),
    ("features", 15),
    ("plan", 35),
    ("roster-entry", 20),
    ("trust", 15),
    ("envelope", 30),
    ("registry-entry", 30),
    ("release", 85),
    ("abstention", 25),
    ("heartbeat", 8),
    ("dispute", 28),
    ("report", 8),
    ("log-entry", 6),
    ("record", 50),
    ("bundle", 20),
    ("parcel", 15),
    ("conflict", 25),
];
const WIRE_KINDS: [&str; 5] = ["token", "frame", "request", "response", "join"];

fn vectors() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/vectors/documents");
    let files = std::fs::read_dir(folder).expect("the vectors are in the tree");
    let paths = files.map(|file| file.expect("a file").path());
    let json = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
    json.map(|path| {
        let vector: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), vector["name"].as_str());
        vector
    })
    .collect()
}

/// Text as it stands, or bytes from the key with `_hex`.
fn bytes(input: &Value, key: &str) -> Vec<u8> {
    match (input[key].as_str(), input[format!("{key}_hex")].as_str()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(hex)) => unhex(hex).expect("hexadecimal"),
        _ => panic!("no {key} in {input}"),
    }
}

fn world(vectors: &[Value]) -> Registry {
    let world = vectors.iter().find(|vector| vector["kind"] == "world").expect("the world is there");
    let trust: Valid<Trust> = codec::from_json(&bytes(&world["input"], "trust")).expect("valid");
    let mut registry = Registry::new(trust);
    for entry in world["input"]["registry"].as_array().expect("a list") {
        registry.apply(&bytes(entry, "envelope"), &bytes(entry, "artifact")).expect("the world holds together");
    }
    registry
}

/// The fixed keys: one byte, 32 times.
fn key(name: &str) -> PublicKey {
    let seed = match name {
        "governance" => 1,
        "governance-2" => 12,
        other => panic!("no key {other}"),
    };
    PublicKey::of(&SigningKey::from_bytes(&[seed; 32]))
}

fn envelope(input: &Value) -> Result<(), String> {
    let keys: Vec<_> = input["keys"].as_array().expect("a list").iter().filter_map(Value::as_str).map(key).collect();
    let threshold = usize::try_from(input["threshold"].as_u64().expect("a number")).expect("small");
    let claimed = Claimed::parse(&bytes(input, "envelope")).map_err(|refusal| refusal.to_string())?;
    claimed.verify(&keys, threshold).map(|_| ()).map_err(|refusal| refusal.to_string())
}

/// As the aggregator's intake and the verifier do: the document itself, then its place after those before it.
fn said(kind: Entry, input: &Value, registry: &Registry) -> Result<(), String> {
    let mut registry = registry.clone();
    for entry in input["registry"].as_array().into_iter().flatten() {
        registry.apply(&bytes(entry, "envelope"), &bytes(entry, "artifact")).expect("the registry goes on");
    }
    let registry = &registry;
    let mut state = PlanState::default();
    let mut at = At { registry, index: 0 };
    for before in input["after"].as_array().into_iter().flatten() {
        let kind = verify::entry(&bytes(before, "envelope"), registry).expect("what came before is good");
        admit(&kind, before, at, &mut state).expect("and in order");
        at.index += 1;
    }
    admit(&kind, input, at, &mut state)
}

fn admit(kind: &Entry, entry: &Value, at: At, state: &mut PlanState) -> Result<(), String> {
    let registry = at.registry;
    let (envelope, artifact) = (bytes(entry, "envelope"), bytes(entry, "artifact"));
    let admitted = match kind {
        Entry::Abstention => {
            let abstention = verify::abstention(&envelope, &artifact, registry).map_err(|e| e.to_string())?;
            state.admit_abstention(&abstention, at)
        }
        Entry::Dispute => {
            let dispute = verify::dispute(&envelope, &artifact, registry).map_err(|e| e.to_string())?;
            state.admit_dispute(&dispute, at)
        }
        Entry::Report(claim, signer) => {
            let admitted = state.admit_report(Digest::of(&envelope), claim, signer, at);
            return admitted.map_err(|refusal| refusal.to_string());
        }
        Entry::Release => state.admit(&verify::release(&envelope, &artifact, registry).map_err(|e| e.to_string())?, at),
    };
    admitted.map_err(|conflict| conflict.refusal.to_string())
}

/// Accepted if the contradiction is proven; else what was not passed, under the exit code of the vector.
fn conflict(input: &Value, registry: &Registry) -> Result<(), String> {
    let trust = Valid::new(registry.trust().clone()).expect("the world's trust keeps its rules");
    let verdict = parcel::check_conflict(&bytes(input, "document"), &trust);
    assert_eq!(u64::from(verdict.exit_code()), input["verdict"].as_u64().expect("a number"), "{verdict:?}");
    let failed: Vec<_> = verdict.checks.iter().filter(|check| check.outcome != bundle::Outcome::Pass).collect();
    let said = failed.iter().map(|check| format!("{}: {}", check.check, check.found));
    if failed.is_empty() { Ok(()) } else { Err(said.collect::<Vec<_>>().join("; ")) }
}

/// What the vector says of the values: their codes, canonical form and HMAC.
fn features(input: &Value) -> Result<(), String> {
    let contract: Contract = codec::from_json(&bytes(input, "contract")).expect("valid");
    let given: Value = serde_json::from_slice(&bytes(input, "features")).expect("JSON");
    let value = |name: &str| match &given[name] {
        Value::Null => FeatureValue::Missing,
        Value::Bool(value) => FeatureValue::Bool(*value),
        Value::String(text) => FeatureValue::Text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => FeatureValue::Integer(integer),
            (None, Some(number)) => FeatureValue::Number(number),
            (None, None) => panic!("{number}"),
        },
        other => panic!("no feature is {other}"),
    };
    let values: Vec<_> = contract.features.iter().map(|feature| value(&feature.name)).collect();
    let codes: Vec<_> = contract.features.iter().zip(&values).map(|(f, v)| feature::code(f, *v)).collect();
    let mut form = String::new();
    feature::canonical(&values, &mut form).expect("a text takes all");
    let secret = |key: &str| bytes(input, key).try_into().expect("16 bytes");
    let mac = event::feature_hmac(&secret("salt"), Some(&secret("subject_key")), &feature::digest(&values));
    match (serde_json::json!(codes) == input["codes"], form.into_bytes() == bytes(input, "canonical")) {
        (true, true) if mac[..] == bytes(input, "hmac") => Ok(()),
        (right, same) => Err(format!("codes {codes:?} right: {right}; form right: {same}; or the HMAC differs")),
    }
}

fn run(kind: &str, input: &Value, registry: &Registry) -> Result<(), String> {
    fn document<T: serde::de::DeserializeOwned>(input: &Value) -> Result<(), String> {
        codec::from_json::<T>(&bytes(input, "document")).map(|_| ()).map_err(|e| e.to_string())
    }
    match kind {
        "contract" => document::<Contract>(input),
        "features" => features(input),
        "plan" => document::<Plan>(input),
        "roster-entry" => document::<RosterEntry>(input),
        "trust" => document::<Valid<Trust>>(input),
        "envelope" => envelope(input),
        "registry-entry" => {
            let applied = registry.clone().apply(&bytes(input, "envelope"), &bytes(input, "artifact"));
            applied.map_err(|refusal| refusal.to_string())
        }
        "release" => said(Entry::Release, input, registry),
        "abstention" => said(Entry::Abstention, input, registry),
        "heartbeat" => {
            let heartbeat = verify::heartbeat(&bytes(input, "envelope"), &bytes(input, "artifact"), registry);
            heartbeat.map(|_| ()).map_err(|refusal| refusal.to_string())
        }
        "dispute" => said(Entry::Dispute, input, registry),
        "report" => match verify::entry(&bytes(input, "envelope"), registry) {
            Ok(kind) => said(kind, input, registry),
            Err(refusal) => Err(refusal.to_string()),
        },
        "log-entry" => {
            verify::entry(&bytes(input, "envelope"), registry).map(|_| ()).map_err(|refusal| refusal.to_string())
        }
        "record" => event::decode_record(&bytes(input, "record")).map(|_| ()).map_err(|e| e.to_string()),
        "bundle" => bundle::unpack(&bytes(input, "archive")).map(|_| ()).map_err(|refusal| refusal.to_string()),
        "parcel" => parcel::read(&bytes(input, "document")).map(|_| ()).map_err(|refusal| refusal.to_string()),
        "conflict" => conflict(input, registry),
        other => panic!("nobody reads a vector of kind {other}"),
    }
}

#[test]
fn every_document_vector_gets_its_verdict() {
    let vectors = vectors();
    let registry = world(&vectors);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let kind = vector["kind"].as_str().expect("a kind");
        if kind == "world" || WIRE_KINDS.contains(&kind) {
            continue;
        }
        *seen.entry(kind).or_default() += 1;
        let found = run(kind, &vector["input"], &registry);
        let right = match (&found, vector["expect"]["reject"].as_str()) {
            (Ok(()), None) => vector["expect"] == "accept",
            (Err(message), Some(part)) => message.contains(part),
            _ => false,
        };
        if !right {
            wrong.push(format!("{}: expected {}, found {found:?}", vector["name"], vector["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
    for (kind, fewest) in KINDS {
        assert!(seen.get(kind).is_some_and(|count| *count >= fewest), "{kind}: {:?} of {fewest}", seen.get(kind));
    }
}

/// `schemas/codes.json`: what a document was refused for is shown by a vector, and what a verifier makes of it is as written.
#[test]
fn every_code_of_a_document_is_shown_by_a_vector() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/codes.json");
    let codes: Vec<Value> = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    let vectors = vectors();
    let registry = world(&vectors);
    let mut shown = 0;
    for row in &codes {
        let code = row["code"].as_str().expect("a code");
        if row["where"] == "document" {
            let mut verdict = bundle::Verdict::empty();
            verdict.refuse("release", "a document", &Refusal::new(code, "", ""));
            assert_eq!(serde_json::json!(verdict.checks[0].outcome), row["outcome"], "{code}");
        }
        for name in row["vectors"].as_array().expect("a list") {
            let vector = vectors.iter().find(|vector| vector["name"] == *name);
            let vector = vector.unwrap_or_else(|| panic!("{code}: no vector {name}"));
            let kind = vector["kind"].as_str().expect("a kind");
            if WIRE_KINDS.contains(&kind) {
                continue;
            }
            let said = run(kind, &vector["input"], &registry).expect_err("a reject");
            assert!(said.starts_with(&format!("{code}: ")), "{name} shows another code than {code}: {said}");
            shown += 1;
        }
    }
    assert!(shown >= 25, "{shown} vectors were run");
}
