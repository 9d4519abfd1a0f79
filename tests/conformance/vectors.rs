//! The document vectors: those of the wire run here; all of them come from their generator, byte by byte.

use crate::artifacts::{fresh, python, root, text};
use fedaudit_core::event::{self, LedgerEntry, Record};
use fedaudit_core::ids::{Name, hex, unhex};
use fedaudit_core::{codec, limits};
use fedaudit_link::frame::{decode_frame, encode_frame};
use fedaudit_link::protocol::{JoinRequest, Request, Response, Token};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Every vector of `schemas/vectors/documents`.
pub fn vectors() -> Vec<Value> {
    let folder = root().join("schemas/vectors/documents");
    let files =
        std::fs::read_dir(folder).expect("the vectors are in the tree").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")).collect()
}

fn bytes(input: &Value, key: &str) -> Vec<u8> {
    unhex(text(&input[key])).expect("hexadecimal")
}

/// Reads a vector as the other end of a connection does. What is accepted must be what this program would have sent.
fn run(kind: &str, input: &Value) -> Option<Result<(), String>> {
    let said = match kind {
        "token" => Token::parse(text(&input["text"])).map(|token| {
            assert_eq!(token.to_text().expect("encodes"), text(&input["text"]).trim());
        }),
        "frame" => {
            let (frame, limit) = (bytes(input, "frame_hex"), input["limit"].as_u64().expect("a number"));
            let body = decode_frame(&frame, usize::try_from(limit).expect("small")).map_err(|e| e.to_string());
            body.map(|body| assert_eq!(encode_frame(body), frame))
        }
        "request" => codec::decode::<Request>(&bytes(input, "body_hex")).map(|_| ()).map_err(|e| e.to_string()),
        "response" => codec::decode::<Response>(&bytes(input, "body_hex")).map(|_| ()).map_err(|e| e.to_string()),
        "join" => join(input),
        _ => return None,
    };
    Some(said)
}

/// The aggregator checks possession, governance the secret.
fn join(input: &Value) -> Result<(), String> {
    let request: JoinRequest = codec::decode(&bytes(input, "request_hex")).expect("a join request");
    let secret = bytes(input, "secret_hex").try_into().expect("16 bytes");
    request.check_possession().and_then(|()| request.check_secret(&secret)).map_err(|refusal| refusal.to_string())
}

#[test]
fn every_vector_of_the_wire_gets_its_verdict() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for vector in vectors() {
        let Some(found) = run(text(&vector["kind"]), &vector["input"]) else { continue };
        *seen.entry(text(&vector["kind"]).to_owned()).or_default() += 1;
        match (&found, vector["expect"]["reject"].as_str()) {
            (Ok(()), None) => assert_eq!(vector["expect"], "accept", "{}", vector["name"]),
            (Err(message), Some(part)) => assert!(message.contains(part), "{}: {message}", vector["name"]),
            _ => panic!("{}: expected {}, found {found:?}", vector["name"], vector["expect"]),
        }
    }
    for (kind, fewest) in [("token", 12), ("frame", 14), ("request", 28), ("response", 20), ("join", 7)] {
        assert!(seen.get(kind).is_some_and(|count| *count >= fewest), "{kind}: {seen:?}");
    }
}

/// The generators know the specification and nothing of this program.
#[test]
fn the_vectors_are_what_their_generators_write() {
    for set in ["documents", "ed25519", "cosignature"] {
        let (folder, committed) = (fresh(&format!("generated-{set}")), root().join("schemas/vectors").join(set));
        let answer = python(&format!("schemas/vectors/{set}/generate.py"), &[&folder]);
        assert!(answer.content, "{}", answer.said);
        let names = |folder: &Path| {
            let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").file_name());
            let mut names: Vec<_> = files.filter(|name| name.to_string_lossy().ends_with(".json")).collect();
            names.sort();
            names
        };
        assert_eq!(names(&folder), names(&committed), "{set}");
        for name in names(&folder) {
            let [committed, generated] =
                [&committed, &folder].map(|folder| std::fs::read(folder.join(&name)).expect("a file"));
            assert!(committed == generated, "{set}/{} is not what generate.py writes", name.display());
        }
    }
}

/// The bytes of a worked example in the specification: hexadecimal, each line with a comment after `#`.
fn example(document: &str, name: &str) -> String {
    let document = std::fs::read_to_string(root().join("schemas").join(document)).expect("a specification");
    let (_, after) = document.split_once(&format!("<!-- example: {name} -->")).expect("the example is there");
    let block = after.split("```").nth(1).expect("a block follows");
    let lines = block.lines().skip(1).map(|line| line.split('#').next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect()
}

#[test]
fn the_worked_examples_are_what_the_program_writes() {
    let name = |text: &str| Name::new(text).expect("a name");
    let salt = std::array::from_fn(|at| u8::try_from(at).expect("small"));
    let genesis = LedgerEntry::Genesis { federation: name("fed"), site: name("site-a"), epoch: 1 };
    let record = event::encode_record(salt, &Record::Ledger(genesis)).expect("encodes");
    assert_eq!(example("journal.md", "record"), hex(&record));

    let wanted = vectors().into_iter().find(|vector| vector["name"] == "record-prediction").expect("it is there");
    assert_eq!(example("journal.md", "prediction"), text(&wanted["input"]["record_hex"]));

    let wanted = vectors().into_iter().find(|vector| vector["name"] == "features-good").expect("it is there");
    for (example_name, key) in [("canonical", "canonical_hex"), ("hmac", "hmac_hex")] {
        assert_eq!(example("features.md", example_name), text(&wanted["input"][key]));
    }
    let wanted = vectors().into_iter().find(|vector| vector["name"] == "record-tally-late").expect("it is there");
    assert_eq!(example("journal.md", "tally"), text(&wanted["input"]["record_hex"]));

    let frame = encode_frame(&codec::encode(&Request::Registry { from: 300 }).expect("encodes"));
    assert_eq!(example("wire.md", "frame"), hex(&frame));
    assert!(frame.len() < limits::UNKNOWN_PEER_FRAME_BYTES);

    let wanted = vectors().into_iter().find(|vector| vector["name"] == "token-good").expect("it is there");
    let token = Token::parse(text(&wanted["input"]["text"])).expect("a token");
    assert_eq!(format!("fedaudit-join-1-{}", example("wire.md", "token")), token.to_text().expect("encodes"));
}
