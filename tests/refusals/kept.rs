//! Evidence of every kind that intake keeps.

use super::Hostile;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_tests::forge::{Forger, Signed, envelope, payload};
use serde_json::{Value, json};

/// An abstention by the signer of `release`, for its window, with its number and the one before it.
fn instead_of(forger: &Forger, release: &Signed, reason: &str) -> Signed {
    let mut statement = payload(&release.envelope);
    let mut claim = serde_json::Map::new();
    for part in ["site", "plan", "window", "sequence", "previous"] {
        claim.insert(part.to_owned(), statement["predicate"]["claim"]["release"][part].clone());
    }
    let text = json!({
        "format": 1, "site": claim["site"], "plan": claim["plan"], "window": claim["window"], "reason": reason,
    });
    let artifact = serde_json::to_vec(&text).expect("encodes");
    statement["predicate"]["claim"] = json!({ "abstention": Value::Object(claim) });
    statement["predicateType"] = json!("urn:fedaudit:abstention:v1");
    let digest = json!({ "sha256": Digest::of(&artifact).to_string() });
    statement["subject"] = json!([{ "name": "abstention.json", "digest": digest }]);
    let id = PublicKey::of(&forger.attest).id();
    Signed { envelope: envelope(statement.to_string().as_bytes(), &forger.attest, id), artifact }
}

#[test]
fn abstentions_that_contradict_are_evidence() {
    let mut hostile = Hostile::new();
    let forger = Forger::new(&hostile.world, "dept-b", "dept-a");
    let first = forger.release(0, None, |_| {});
    let silent = instead_of(&forger, &first, "the disk failed");
    hostile.received(&silent);
    // Against a logged abstention: a release, and another abstention.
    hostile.conflict(
        &forger.release(1, None, |d| d.claim["sequence"] = json!(0)),
        "sequence",
        Some(&silent),
        Some("one number"),
    );
    let again = instead_of(&forger, &first, "the other disk failed");
    hostile.conflict(&again, "window", Some(&silent), Some("two abstentions for"));
    let gap = forger.release(2, Some(&first), |_| {});
    hostile.conflict(&gap, "sequence", Some(&silent), None);
    // The site changed its mind; what is released is not unsaid.
    let released = forger.release(0, Some(&silent), |d| d.claim["sequence"] = json!(1));
    hostile.received(&released);
    let next = forger.release(0, Some(&released), |d| d.claim["sequence"] = json!(2));
    hostile.conflict(&instead_of(&forger, &next, "never mind"), "window", Some(&released), Some("abstention 2 for"));
    hostile.end();
}
