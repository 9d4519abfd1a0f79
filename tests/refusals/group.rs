//! Requests that come together become durable together: each is answered as if it had come after those before it.

use super::{Hostile, evidence};
use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::home::Home;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_link::home::{load_key, now};
use fedaudit_link::protocol::{Hello, PROTOCOL, Request, Response};
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

#[test]
fn a_home_that_went_back_in_time_logs_nothing_more() {
    let hostile = Hostile::new();
    let release = hostile.forger.release(0, None, |_| {});
    let peer = PublicKey::of(&key(&hostile.world, "dept-b", "transport"));
    let mut centre = Centre::open(Home::open(&hostile.world.home()).expect("a home")).expect("a centre");
    let log_key = load_key(&hostile.world.home().join("keys/log.key")).expect("a key");
    let origin = centre.registry_log().origin().to_owned();
    let seen = Checkpoint { origin, size: centre.registry_log().size() + 1, root: Digest::of(b"more than here") };
    let hello = Hello {
        protocol: PROTOCOL,
        site: fedaudit_tests::world::name("dept-b"),
        software: "a test".to_owned(),
        seen: vec![seen.sign(&log_key).expect("signs")],
    };
    let submit = || (peer, Request::Submit(Box::new(release.submission())));
    let before = hostile.world.logs();
    let lock = centre.lock().expect("the lock");
    let group = vec![(peer, Request::Hello(hello)), submit()];
    let halted = centre.take_all(group, Some(&lock), now()).expect_err("a site holds more").0;
    assert!(halted.what.contains("went back in time"), "{halted}");
    // What waited behind that is not taken either, in this group or in the next.
    let again = centre.take_all(vec![submit()], Some(&lock), now()).expect_err("it must not go on").0;
    drop(lock);
    assert_eq!(again.what, halted.what);
    assert!(centre.lock().is_err_and(|fault| fault.what == halted.what));
    drop(centre);
    assert_eq!(hostile.world.logs(), before);
    hostile.end();
}
