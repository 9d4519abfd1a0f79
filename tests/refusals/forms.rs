//! What a site signed is one string of bytes, and nothing that comes later says anything else of it.

use crate::Hostile;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedaudit_core::envelope::cosign;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_tests::client::key;
use fedaudit_tests::forge::{Signed, envelope, payload};
use serde_json::{Value, json};

#[test]
fn other_bytes_of_a_document_that_the_site_signed_are_refused() {
    let mut hostile = Hostile::new();
    let good = hostile.forger.release(0, None, |_| {});
    let carried = |envelope: Vec<u8>| Signed { envelope, artifact: good.artifact.clone() };
    let text = String::from_utf8(good.envelope.clone()).expect("text");
    hostile.refused(&carried(text.replacen("\":", "\": ", 1).into_bytes()), "envelope");
    hostile.refused(&carried(format!("{text}\n").into_bytes()), "envelope");
    let turned = text.replacen('{', "{\"payloadType\":\"application/vnd.in-toto+json\",", 1);
    let turned = turned.replacen(",\"payloadType\":\"application/vnd.in-toto+json\",\"s", ",\"s", 1);
    assert!(turned != text && turned.len() == text.len(), "{turned}");
    hostile.refused(&carried(turned.into_bytes()), "envelope");
    let other = key(&hostile.world, "dept-a", "attest");
    hostile.refused(&carried(cosign(&good.envelope, &other).expect("signs")), "envelope");
    assert_eq!(hostile.conflicts(), 0, "nobody can make such evidence against a site");
    hostile.received(&good);
    hostile.end();
}

#[test]
fn nothing_is_taken_that_could_be_read_otherwise_later() {
    let mut hostile = Hostile::new();
    // A line for a key that the site may rotate to: once that is known, the line would be a bad signature.
    let line = |note: &Value| {
        let note = note.as_str().expect("a note");
        let origin = note.lines().next().expect("an origin");
        let next = PublicKey::of(&key(&hostile.world, "dept-a", "note"));
        let id = Digest::of(&[origin.as_bytes(), b"\n\x01", next.as_bytes()].concat());
        let junk = STANDARD.encode([&id.0[..4], &[0; 64]].concat());
        json!(format!("{note}\u{2014} {origin} {junk}\n"))
    };
    let lines = hostile.forger.release(0, None, |d| {
        let notes: Vec<Value> = d.claim["journal"].as_array().expect("notes").iter().map(line).collect();
        d.claim["journal"] = json!(notes);
    });
    hostile.refused(&lines, "journal");
    // What names no registry would be of another epoch once the registry has grown.
    let good = hostile.forger.release(0, None, |_| {});
    for seen in [Value::Null, json!({ "origin": "admissions/heartbeats", "size": 1, "root": "00".repeat(32) })] {
        let mut statement = payload(&good.envelope);
        statement["predicate"]["seen"] = seen;
        let (attest, bytes) = (&hostile.forger.attest, statement.to_string());
        let envelope = envelope(bytes.as_bytes(), attest, PublicKey::of(attest).id());
        hostile.refused(&Signed { envelope, artifact: good.artifact.clone() }, "seen");
    }
    hostile.received(&good);
    hostile.end();
}
