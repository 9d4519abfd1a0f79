//! Requests that come together become durable together: each is answered as if it had come after those before it.

use super::{Hostile, evidence};
use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::home::Home;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::LogProof;
use fedaudit_link::home::now;
use fedaudit_link::protocol::{Request, Response};
use fedaudit_tests::client::key;
use fedaudit_tests::forge::Signed;
use serde_json::json;

/// Where a receipt says that something stands, and of how many entries.
fn place(answer: &Response) -> (u64, String) {
    let Response::Receipt(receipt) = answer else { panic!("{answer:?}") };
    let proof = LogProof::parse(&receipt.proof).expect("a proof");
    (proof.index, proof.checkpoint.lines().nth(1).expect("a size").to_owned())
}

#[test]
fn what_comes_in_one_group_is_answered_in_its_order() {
    let mut hostile = Hostile::new();
    let first = hostile.forger.release(0, None, |_| {});
    let second = hostile.forger.release(1, Some(&first), |_| {});
    // It contradicts what came with it, and is not logged yet.
    let other = hostile.forger.release(0, None, |d| d.claim["raw"] = json!("22".repeat(32)));
    let altered = Signed { artifact: b"{}".to_vec(), ..first.clone() };
    let peer = PublicKey::of(&key(&hostile.world, "dept-b", "transport"));
    let group = [&altered, &first, &first, &other, &second];
    let group = group.map(|signed| (peer, Request::Submit(Box::new(signed.submission()))));
    let answers = {
        let mut centre = Centre::open(Home::open(&hostile.world.home()).expect("a home")).expect("a centre");
        let lock = centre.lock().expect("the lock");
        centre.take_all(group.to_vec(), Some(&lock), now()).expect("nothing halts it")
    };
    let places: Vec<_> = [1, 2, 4].map(|at| place(&answers[at])).into();
    assert_eq!(places, [(6, "8".to_owned()), (6, "8".to_owned()), (7, "8".to_owned())], "one checkpoint for all");
    for (at, check) in [(0, "artifact"), (3, "window")] {
        let Response::Refused(refused) = &answers[at] else { panic!("{answers:?}") };
        assert_eq!(refused.refusal.check, check);
    }
    hostile.logged += 2;
    let [row] = &hostile.listed()[..] else { panic!("one conflict is kept") };
    assert_eq!(
        (&row["refused"], &row["logged"]),
        (&json!(other.digest().to_string()), &json!(first.digest().to_string()))
    );
    evidence::check(&hostile.world, row["id"].as_str().expect("an id"), &other, Some(&first), Some("neither amends"));
    // The daemon goes on from there.
    let third = hostile.forger.release(2, Some(&second), |_| {});
    hostile.received(&third);
    hostile.end();
}
