//! Runs vectors of `schemas/vectors` through the readers of production. The core's tests run this very file.

mod documents;
mod logs;

use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::unhex;
use fedaudit_core::note::NoteError;
use fedaudit_core::roster::Registry;
use serde_json::{Value, json};

/// Why a reader refuses: the code that the vectors name, and what is said.
pub struct Refused {
    code: &'static str,
    /// What is said.
    pub said: String,
}

/// What a vector comes to; the outer error is the fault of the vector itself.
pub type Found = Result<Result<Value, Refused>, String>;

/// What all vectors of documents stand on: `world.json`.
pub use documents::world;

/// Runs one vector; `None` for kinds that another program reads.
pub fn run(set: &str, vector: &Value, registry: &Registry) -> Option<Found> {
    match set {
        "documents" => documents::run(vector, registry),
        "note" | "cosignature" | "merkle" | "log" | "ed25519" => Some(logs::run(vector)),
        _ => None,
    }
}

/// What it deviates in from what the vector expects. Those of logs that are no verdict expect nothing: what they say is held
/// against what comes out.
pub fn deviation(set: &str, vector: &Value, found: &Result<Value, Refused>) -> Option<String> {
    let expect = &vector["expect"];
    let good = match found {
        Ok(result) => match expect {
            Value::Null => set == "log",
            Value::Object(members) if expect["verdict"] == "accept" => {
                members.iter().filter(|(key, _)| *key != "verdict").all(|(key, value)| result[key] == *value)
            }
            _ => *expect == "accept",
        },
        Err(refused) => match expect["reject"].as_str() {
            Some(part) => refused.said.contains(part),
            None if expect["verdict"] == "reject" => expect["error"].as_str().is_none_or(|code| code == refused.code),
            None => *expect == "reject",
        },
    };
    let shown = match found {
        Ok(result) if result.is_null() => "accepted".to_owned(),
        Ok(result) => format!("accepted: {result}"),
        Err(refused) => format!("refused: {}", refused.said),
    };
    (!good).then(|| format!("expected {expect}, {shown}"))
}

/// A text of a vector.
fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, String> {
    value[key].as_str().ok_or_else(|| format!("it has no text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    value[key].as_array().ok_or_else(|| format!("it has no list `{key}`"))
}

fn number(value: &Value, key: &str) -> Result<u64, String> {
    value[key].as_u64().ok_or_else(|| format!("it has no number `{key}`"))
}

/// Text as it stands, or bytes from the key with `_hex`.
fn bytes(value: &Value, key: &str) -> Result<Vec<u8>, String> {
    match value[format!("{key}_hex")].as_str() {
        Some(hex) => unhex(hex).ok_or_else(|| format!("`{key}_hex` is not hexadecimal")),
        None => text(value, key).map(|text| text.as_bytes().to_vec()),
    }
}

/// What is refused in words alone.
fn said<T, E: ToString>(result: Result<T, E>) -> Result<Value, Refused> {
    result.map(|_| Value::Null).map_err(|error| Refused { code: "", said: error.to_string() })
}

/// A difference between what a vector says and what comes out.
fn same(good: bool, what: impl Fn() -> String) -> Result<Value, Refused> {
    if good { Ok(json!({})) } else { Err(Refused { code: "", said: what() }) }
}

impl From<NoteError> for Refused {
    fn from(error: NoteError) -> Self {
        let code = match error {
            NoteError::Malformed { .. } => "malformed",
            NoteError::BadSignature { .. } => "bad_signature",
            NoteError::UnknownSigner { .. } => "unknown_signer",
            NoteError::AmbiguousKey { .. } => "ambiguous_key",
            NoteError::Origin { .. } => "origin",
            NoteError::Ended { .. } => "ended",
            NoteError::Witnesses { .. } => "witnesses",
            NoteError::Proof(_) => "proof",
        };
        Refused { code, said: error.to_string() }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { code: "", said: refusal.to_string() }
    }
}
