//! Evidence of every kind that intake keeps, and how much of it.

use super::Hostile;
use fedaudit_core::fault::Blame;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_link::protocol::Request;
use fedaudit_tests::client::{Client, hello};
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

#[test]
fn no_site_takes_the_room_of_another() {
    let mut hostile = Hostile::new();
    let first = hostile.forger.release(0, None, |_| {});
    hostile.received(&first);
    for nth in 0..102 {
        let other = hostile.forger.release(0, None, |d| d.claim["raw"] = json!(format!("{nth:064}")));
        hostile.refused(&other, "window");
    }
    assert_eq!(hostile.listed().len(), 100);
    let (status, list) =
        (hostile.world.aggregator(&["status"]).good(), hostile.world.aggregator(&["conflict", "list"]).good());
    assert!(status.out.contains("conflicts kept: 100, 2 not kept (at most 100 of a site"), "{status:?}");
    assert!(list.out.lines().last().is_some_and(|line| line.starts_with("2 not kept")), "{list:?}");
    let status = hostile.world.aggregator(&["status", "--json"]).good().out;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!((&status["conflicts"], &status["conflicts_not_kept"]), (&json!(100), &json!(2)));
    // Another site's is kept, and so is what is not new.
    let client = Client::of_site(&hostile.world, "dept-a");
    assert!(client.ask(&hello("dept-a")).is_ok());
    let forger = Forger::new(&hostile.world, "dept-a", "dept-a");
    let forged = forger.release(0, None, |d| d.claim["raw"] = json!("11".repeat(32)));
    let request = Request::Submit(Box::new(forged.submission()));
    client.refused(&hostile.world, &request, Blame::Site, "window");
    assert_eq!(hostile.listed().len(), 101);
    hostile.end();
}
