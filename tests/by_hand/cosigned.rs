//! What a second signer is shown is what is signed: a parcel that shows another document shows and signs nothing.

use crate::refused::{file, parcel, put, world};
use fedaudit_core::parcel::{Bytes, Content, Document};
use fedaudit_tests::client::key;
use fedaudit_tests::forge::{envelope, payload};
use fedaudit_tests::world::World;
use serde_json::Value;
use std::path::Path;

const MARCH: &str = "1973-03-01T00:00:00Z/1973-04-01T00:00:00Z";

/// A contract that governance signed, in a parcel.
fn signed(world: &World, to: &str) {
    let text = std::fs::read_to_string(&world.dataset.contract).expect("reads");
    std::fs::write(world.scratch("contract.toml"), text.replace("version = 1", "version = 2")).expect("writes");
    let (source, registry) = (file(world, "contract.toml"), file(world, "registry"));
    world.aggregator(&["contract", "publish", &source, "--from", &registry, "--to", to]).good();
}

/// The same artifact under a statement that says something else, by whatever key.
fn restated(world: &World, document: &Document, edit: fn(&mut Value)) -> Bytes {
    let mut statement = payload(&document.envelope.0);
    edit(&mut statement);
    let key = key(world, "dept-a", "attest");
    let id = fedaudit_core::key::PublicKey::of(&key).id();
    Bytes(envelope(statement.to_string().as_bytes(), &key, id))
}

fn abstention(statement: &mut Value) {
    let window = serde_json::json!({ "start": "1973-03-01T00:00:00Z", "end": "1973-04-01T00:00:00Z" });
    let plan = "00".repeat(32);
    let claim =
        serde_json::json!({ "site": "dept-a", "plan": plan, "window": window, "sequence": 0, "previous": null });
    statement["predicateType"] = "urn:fedaudit:abstention:v1".into();
    statement["subject"][0]["name"] = "abstention.json".into();
    statement["predicate"]["claim"] = serde_json::json!({ "abstention": claim });
}

#[test]
fn a_second_signer_signs_what_was_shown() {
    let world = world();
    let (good, bad, both) = (file(&world, "good"), file(&world, "bad"), file(&world, "both"));
    signed(&world, &good);
    type Edit = fn(&World, &mut Document);
    let edits: [(&str, Edit); 6] = [
        // A harmless document beside the envelope of another.
        ("artifact: expected contract.json", |_, d| {
            let text = String::from_utf8(d.artifact.0.clone()).expect("text");
            assert!(text.contains("Admission to"));
            d.artifact.0 = text.replace("Admission to", "Harmless").into_bytes();
        }),
        ("artifact: expected contract.json", |_, d| d.artifact.0.clear()),
        ("federation: expected", |w, d| d.envelope = restated(w, d, |s| s["predicate"]["federation"] = "other".into())),
        ("registry: expected a contract, plan, roster entry, waiver or epoch", |w, d| {
            d.envelope = restated(w, d, abstention)
        }),
        ("contract: expected", |w, d| {
            d.envelope = restated(w, d, |s| s["predicate"]["claim"]["contract"]["version"] = 7.into());
        }),
        ("statement: expected subjects", |w, d| {
            d.envelope = restated(w, d, |s| s["subject"][0]["name"] = "plan.json".into());
        }),
    ];
    for (what, edit) in edits {
        let mut altered = parcel(&good);
        let Content::Governance(signed) = &mut altered.content else { panic!("documents") };
        edit(&world, &mut signed.documents[0]);
        put(&bad, altered);
        let shown = world.aggregator(&["governance", "show", &bad]).fault("input", &[what]);
        assert_eq!(shown.out, "", "{what}: nothing is shown");
        world.aggregator(&["governance", "sign", &bad, "--to", &both]).fault("input", &[what]);
        assert!(!Path::new(&both).exists(), "{what}: nothing is signed");
    }
    let shown = world.aggregator(&["governance", "show", &good]).good();
    assert!(shown.out.starts_with("contract graduate-admission v2 replacing "), "{shown:?}");
    world.aggregator(&["governance", "sign", &good, "--to", &both]).good();
}

#[test]
fn a_waiver_is_named_by_plan_site_and_windows() {
    let world = world();
    let (registry, to) = (file(&world, "registry"), file(&world, "waiver"));
    let plan = world.plan();
    let args = ["waiver", plan.as_str(), "dept-b", "--window", MARCH, "--reason", "a strike"];
    world.aggregator(&[&args[..], &["--from", &registry, "--to", &to]].concat()).good();
    let shown = world.aggregator(&["governance", "show", &to]).good();
    let line = shown.out.lines().next().unwrap_or_default();
    assert!(line.starts_with("waiver of dept-b for plan ") && line.contains(&format!("windows {MARCH} of")), "{line}");
    assert!(world.aggregator(&["governance", "sign", &to, "--to", &to]).good().out.contains("waiver of dept-b"));
}
