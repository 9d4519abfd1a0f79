//! Vectors of documents: each through the functions that production reads such a document with.

use super::{Found, Refused, bytes, list, number, said, same};
use ed25519_dalek::SigningKey;
use fedaudit_core::bundle;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::contract::Contract;
use fedaudit_core::contract::feature::{self, FeatureValue};
use fedaudit_core::envelope::Claimed;
use fedaudit_core::event;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::parcel;
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::{Registry, RosterEntry, Trust};
use fedaudit_core::verify::{self, At, Entry, PlanState};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Trust, and the registry that the other vectors stand on.
pub fn world(world: &Value) -> Result<Registry, String> {
    let trust: Valid<Trust> = codec::from_json(&bytes(&world["input"], "trust")?).map_err(|e| e.to_string())?;
    going_on(&Registry::new(trust), &world["input"])
}

/// The registry with what stands in `registry` behind it.
fn going_on(registry: &Registry, input: &Value) -> Result<Registry, String> {
    let mut registry = registry.clone();
    for entry in input["registry"].as_array().into_iter().flatten() {
        let (envelope, artifact) = both(entry)?;
        registry.apply(&envelope, &artifact).map_err(|refusal| refusal.to_string())?;
    }
    Ok(registry)
}

fn both(entry: &Value) -> Result<(Vec<u8>, Vec<u8>), String> {
    Ok((bytes(entry, "envelope")?, bytes(entry, "artifact")?))
}

/// Runs one vector; `None` for kinds that another program reads.
pub fn run(vector: &Value, registry: &Registry) -> Option<Found> {
    let input = &vector["input"];
    let found = match vector["kind"].as_str()? {
        "contract" => document::<Contract>(input),
        "features" => features(input),
        "plan" => document::<Plan>(input),
        "roster-entry" => document::<RosterEntry>(input),
        "trust" => document::<Valid<Trust>>(input),
        "envelope" => envelope(input),
        "registry-entry" => going_on(registry, input).and_then(|mut registry| {
            let (envelope, artifact) = both(input)?;
            Ok(said(registry.apply(&envelope, &artifact)))
        }),
        "release" => placed(&Entry::Release, input, registry),
        "abstention" => placed(&Entry::Abstention, input, registry),
        "dispute" => placed(&Entry::Dispute, input, registry),
        "heartbeat" => going_on(registry, input).and_then(|registry| {
            let (envelope, artifact) = both(input)?;
            Ok(said(verify::heartbeat(&envelope, &artifact, &registry)))
        }),
        "report" => bytes(input, "envelope").and_then(|bytes| match verify::entry(&bytes, registry) {
            Ok(kind) => placed(&kind, input, registry),
            Err(refusal) => Ok(Err(refusal.into())),
        }),
        "log-entry" => bytes(input, "envelope").map(|bytes| said(verify::entry(&bytes, registry))),
        "record" => bytes(input, "record").map(|bytes| said(event::decode_record(&bytes))),
        "bundle" => bytes(input, "archive").map(|bytes| said(bundle::unpack(&bytes))),
        "parcel" => bytes(input, "document").map(|bytes| said(parcel::read(&bytes))),
        "conflict" => conflict(input, registry),
        // What crosses the wire, the verifier never reads.
        "world" | "token" | "frame" | "request" | "response" | "join" => return None,
        other => Err(format!("nobody reads a vector of kind {other}")),
    };
    Some(found)
}

fn document<T: DeserializeOwned>(input: &Value) -> Found {
    Ok(said(codec::from_json::<T>(&bytes(input, "document")?)))
}

/// The fixed keys: one byte, 32 times.
fn key(name: &Value) -> Result<PublicKey, String> {
    let seed = match name.as_str() {
        Some("governance") => 1,
        Some("governance-2") => 12,
        _ => return Err(format!("no key {name}")),
    };
    Ok(PublicKey::of(&SigningKey::from_bytes(&[seed; 32])))
}

fn envelope(input: &Value) -> Found {
    let keys = list(input, "keys")?.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    let threshold = usize::try_from(number(input, "threshold")?).map_err(|e| e.to_string())?;
    let claimed = Claimed::parse(&bytes(input, "envelope")?);
    Ok(said(claimed.and_then(|claimed| claimed.verify(&keys, threshold).map(|_| ()))))
}

/// As the aggregator's intake and the verifier do: the document itself, then its place after those before it.
fn placed(kind: &Entry, input: &Value, registry: &Registry) -> Found {
    let registry = &going_on(registry, input)?;
    let mut state = PlanState::default();
    let mut at = At { registry, index: 0 };
    for before in input["after"].as_array().into_iter().flatten() {
        let kind = verify::entry(&bytes(before, "envelope")?, registry).map_err(|refusal| refusal.to_string())?;
        admit(&kind, before, at, &mut state)?.map_err(|refused| format!("what came before: {}", refused.said))?;
        at.index += 1;
    }
    admit(kind, input, at, &mut state)
}

fn admit(kind: &Entry, entry: &Value, at: At, state: &mut PlanState) -> Found {
    let (envelope, artifact) = both(entry)?;
    let read = |result: Result<_, _>| result.map_err(Refused::from);
    let admitted = match kind {
        Entry::Abstention => verify::abstention(&envelope, &artifact, at.registry)
            .map_err(Refused::from)
            .map(|abstention| state.admit_abstention(&abstention, at)),
        Entry::Dispute => verify::dispute(&envelope, &artifact, at.registry)
            .map_err(Refused::from)
            .map(|dispute| state.admit_dispute(&dispute, at)),
        Entry::Report(claim, signer) => {
            return Ok(read(state.admit_report(Digest::of(&envelope), claim, signer, at)).map(|_| Value::Null));
        }
        Entry::Release => verify::release(&envelope, &artifact, at.registry)
            .map_err(Refused::from)
            .map(|release| state.admit(&release, at)),
    };
    Ok(admitted.and_then(|admitted| admitted.map(|_| Value::Null).map_err(|conflict| conflict.refusal.into())))
}

/// Accepted if the contradiction is proven; else what was not passed, under the exit code of the vector.
fn conflict(input: &Value, registry: &Registry) -> Found {
    let trust = Valid::new(registry.trust().clone()).map_err(|e| e.to_string())?;
    let verdict = parcel::check_conflict(&bytes(input, "document")?, &trust);
    if u64::from(verdict.exit_code()) != number(input, "verdict")? {
        return Err(format!("the exit code is {}", verdict.exit_code()));
    }
    let failed: Vec<_> = verdict.checks.iter().filter(|check| check.outcome != bundle::Outcome::Pass).collect();
    let shown: Vec<_> = failed.iter().map(|check| format!("{}: {}", check.check, check.found)).collect();
    Ok(if failed.is_empty() { Ok(Value::Null) } else { Err(Refused { code: "", said: shown.join("; ") }) })
}

/// What the vector says of the values: their codes, canonical form and HMAC.
fn features(input: &Value) -> Found {
    let contract: Contract = codec::from_json(&bytes(input, "contract")?).map_err(|e| e.to_string())?;
    let given: Value = serde_json::from_slice(&bytes(input, "features")?).map_err(|e| e.to_string())?;
    let value = |name: &str| match &given[name] {
        Value::Null => Ok(FeatureValue::Missing),
        Value::Bool(value) => Ok(FeatureValue::Bool(*value)),
        Value::String(text) => Ok(FeatureValue::Text(text)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(FeatureValue::Integer(integer)),
            (None, Some(number)) => Ok(FeatureValue::Number(number)),
            (None, None) => Err(format!("no feature is {number}")),
        },
        other => Err(format!("no feature is {other}")),
    };
    let values = contract.features.iter().map(|feature| value(&feature.name)).collect::<Result<Vec<_>, _>>()?;
    let codes: Vec<_> = contract.features.iter().zip(&values).map(|(f, v)| feature::code(f, *v)).collect();
    let mut form = String::new();
    feature::canonical(&values, &mut form).map_err(|e| e.to_string())?;
    let secret = |key: &str| <[u8; 16]>::try_from(bytes(input, key)?).map_err(|_| format!("`{key}` has 16 bytes"));
    let mac = event::feature_hmac(&secret("salt")?, Some(&secret("subject_key")?), &feature::digest(&values));
    let good = serde_json::json!(codes) == input["codes"]
        && form.as_bytes() == bytes(input, "canonical")?
        && mac[..] == bytes(input, "hmac")?;
    Ok(same(good, || format!("codes {codes:?}, the form {form:?}, an HMAC")))
}
