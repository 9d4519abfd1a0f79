//! Vectors of signatures, notes, Merkle trees and tiles.

use super::{Found, Refused, bytes, list, number, said, same, text};
use fedaudit_core::ids::{Digest, hex, unhex};
use fedaudit_core::key::PublicKey;
use fedaudit_core::log::{Log, decode_entries, entries_path, tile_path};
use fedaudit_core::merkle::{Frontier, leaf_hash, verify_consistency, verify_inclusion};
use fedaudit_core::note::{Checkpoint, Cosigner, LogProof, NoteError, VerifierKey, WitnessRequest};
use fedaudit_core::note::{cosignatures, open_note};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs one vector.
pub fn run(vector: &Value) -> Found {
    match text(vector, "check")? {
        "note" => note(vector),
        "key" => key(text(vector, "key")?),
        "checkpoint" => {
            let (origin, key) = log_key(vector)?;
            Ok(Checkpoint::open(&bytes(vector, "note")?, origin, &key).map(state).map_err(Refused::from))
        }
        "proof" => {
            let (origin, key) = log_key(vector)?;
            let (entry, proof) = (bytes(vector, "entry")?, text(vector, "proof")?);
            let verified = LogProof::parse(proof).and_then(|proof| proof.verify(&entry, origin, &key));
            Ok(verified.map(state).map_err(Refused::from))
        }
        "cosignature" => cosignature(vector),
        "cosigner" => cosigner(text(vector, "key")?),
        "request" => request(text(vector, "body")?),
        "root" => root(vector),
        "inclusion" => {
            let (index, size) = (number(vector, "index")?, number(vector, "size")?);
            let (leaf, root) = (digest(&vector["leaf"])?, digest(&vector["root"])?);
            Ok(said(verify_inclusion(&leaf, index, size, &digests(vector, "proof")?, &root)))
        }
        "consistency" => {
            let (old, new) = (number(vector, "old_size")?, number(vector, "new_size")?);
            let (old_root, new_root) = (digest(&vector["old_root"])?, digest(&vector["new_root"])?);
            Ok(said(verify_consistency(old, &old_root, new, &new_root, &digests(vector, "proof")?)))
        }
        "path" => path(vector),
        "files" => files(vector),
        "bundle" => {
            let entries = decode_entries(&bytes(vector, "bytes")?);
            let shown =
                |entries: Vec<Vec<u8>>| json!({ "entries_hex": entries.iter().map(|e| hex(e)).collect::<Vec<_>>() });
            Ok(entries.map(shown).map_err(|e| Refused { code: "", said: e.to_string() }))
        }
        "signature" => {
            let key = bytes(vector, "public")?[..].try_into().ok().and_then(PublicKey::from_bytes);
            let (message, signature) = (bytes(vector, "message")?, bytes(vector, "signature")?);
            let good = key.is_some_and(|key| key.verifies(&message, &signature));
            Ok(same(good, || "no signature by this key".to_owned()))
        }
        other => Err(format!("nobody reads a check {other}")),
    }
}

fn digest(value: &Value) -> Result<Digest, String> {
    value.as_str().and_then(Digest::from_hex).ok_or_else(|| format!("{value} is no digest"))
}

fn digests(vector: &Value, key: &str) -> Result<Vec<Digest>, String> {
    list(vector, key)?.iter().map(digest).collect()
}

/// An origin, and a key in base64 without its SPKI.
fn log_key(vector: &Value) -> Result<(&str, PublicKey), String> {
    let spki = format!("MCowBQYDK2VwAyEA{}", text(vector, "key")?);
    Ok((text(vector, "origin")?, serde_json::from_value(json!(spki)).map_err(|e| e.to_string())?))
}

fn state(found: Checkpoint) -> Value {
    json!({ "size": found.size, "root": found.root })
}

fn note(vector: &Value) -> Found {
    let keys = list(vector, "keys")?.iter().map(|key| VerifierKey::parse(key.as_str().unwrap_or_default()));
    let keys = keys.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let opened = open_note(&bytes(vector, "note")?, &keys);
    let shown = opened.map(|note| {
        let signers: Vec<_> = note.signers.iter().map(VerifierKey::to_string).collect();
        json!({ "text": note.text, "signers": signers })
    });
    Ok(shown.map_err(Refused::from))
}

/// What is read is written the same.
fn again<T>(
    parsed: Result<T, NoteError>,
    text: &str,
    write: impl Fn(&T) -> String,
    show: impl Fn(&T) -> Value,
) -> Found {
    match parsed {
        Ok(parsed) if write(&parsed) == text => Ok(Ok(show(&parsed))),
        Ok(parsed) => Ok(Err(Refused { code: "", said: format!("it is written {}", write(&parsed)) })),
        Err(error) => Ok(Err(Refused::from(error))),
    }
}

fn key(text: &str) -> Found {
    again(VerifierKey::parse(text), text, VerifierKey::to_string, |_| json!({}))
}

fn cosigner(text: &str) -> Found {
    again(Cosigner::parse(text), text, Cosigner::to_string, |_| json!({}))
}

fn request(body: &str) -> Found {
    let show = |request: &WitnessRequest| json!({ "old": request.old, "proof": request.proof });
    again(WitnessRequest::parse(body), body, WitnessRequest::to_text, show)
}

fn cosignature(vector: &Value) -> Found {
    let keys = list(vector, "keys")?.iter().map(|key| Cosigner::parse(key.as_str().unwrap_or_default()));
    let keys = keys.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    let cosigned = cosignatures(&bytes(vector, "note")?, &keys).map(|found| {
        let rows: Vec<_> = found.iter().map(|(of, time)| (of.to_string(), time.to_string())).collect();
        json!({ "cosigned": rows })
    });
    Ok(cosigned.map_err(Refused::from))
}

fn root(vector: &Value) -> Found {
    let mut tree = Frontier::new();
    for leaf in list(vector, "leaves")? {
        let leaf = leaf.as_str().and_then(unhex).ok_or("a leaf is not hexadecimal")?;
        tree.push(leaf_hash(&leaf));
    }
    let wanted = digest(&vector["root"])?;
    Ok(same(tree.root() == wanted, || format!("the root is {}", tree.root())))
}

fn path(vector: &Value) -> Found {
    let level = u32::try_from(number(vector, "level")?).map_err(|e| e.to_string())?;
    let width = vector["width"].as_u64().map(u16::try_from).transpose().map_err(|e| e.to_string())?;
    let index = number(vector, "index")?;
    let found = (tile_path(level, index, width), entries_path(index, width));
    let good = vector["tile"] == found.0 && vector["entries"] == found.1;
    Ok(same(good, || format!("they are {} and {}", found.0, found.1)))
}

fn files(vector: &Value) -> Found {
    let entries: Vec<_> = (0..number(vector, "size")?).map(|at| format!("entry {at}")).collect();
    let mut log = Log::new();
    let appended = log.append(&entries).map_err(|e| e.to_string())?;
    let written: BTreeMap<_, _> = appended.writes.iter().map(|file| (file.path.as_str(), &file.bytes)).collect();
    let digests = vector["sha256"].as_object().ok_or("it names no files")?;
    let same_files = digests
        .iter()
        .all(|(path, digest)| written.get(path.as_str()).is_some_and(|bytes| *digest == json!(Digest::of(bytes))));
    let good = same_files && log.root() == digest(&vector["root"])? && vector["count"] == written.len();
    Ok(same(good, || format!("{} files under the root {}", written.len(), log.root())))
}
