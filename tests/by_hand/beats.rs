//! Heartbeats by file: they pin the journal of a site that never connects.

use crate::refused::{data, file, parcel, world};
use fedaudit_agent::carry;
use fedaudit_agent::home::Home;
use fedaudit_agent::site::Site;
use fedaudit_core::parcel::{Content, Outbox};
use fedaudit_core::time::HOUR_NS;
use fedaudit_link::home::now;
use fedaudit_tests::world::World;
use serde_json::{Value, json};

fn export(world: &World) -> Outbox {
    world.agent("dept-a", &["outbox", "export", &file(world, "outbox")]).good();
    let Content::Outbox(outbox) = parcel(&file(world, "outbox")).content else { panic!("an outbox") };
    outbox
}

fn take_in(world: &World) -> String {
    world.aggregator(&["import", &file(world, "outbox"), "--receipts", &file(world, "receipts")]).good().out
}

fn beat(world: &World) -> Value {
    let said = world.agent("dept-a", &["status", "--json"]).good().out;
    serde_json::from_str::<Value>(&said).expect("JSON")["heartbeat"].clone()
}

#[test]
fn a_heartbeat_goes_with_the_releases_and_its_receipt_comes_back() {
    let world = world();
    world.agent("dept-a", &["import", &data(&world, "dept-a")]).good();
    let first = export(&world);
    assert!(first.heartbeat.is_some() && first.releases.len() == 6);
    let said = take_in(&world);
    assert!(said.contains("6 of 6 releases received, and a heartbeat"), "{said}");
    let logs = world.logs();
    assert!(logs.contains("admissions/heartbeats: 1 entries"), "{logs}");

    // The receipts are lost, and the journal grows: the same heartbeat again, and what the aggregator has stays proven.
    let csv = std::fs::read_to_string(data(&world, "dept-a")).expect("reads");
    let more: Vec<_> = csv.lines().map(|line| line.replacen("ucb-", "more-", 1)).collect();
    std::fs::write(world.scratch("more.csv"), more.join("\n") + "\n").expect("writes");
    world.agent("dept-a", &["import", &file(&world, "more.csv")]).good();
    assert_eq!(beat(&world)["received"], json!(false));
    assert_eq!(export(&world).heartbeat, first.heartbeat);
    take_in(&world);
    assert_eq!(world.logs(), logs, "nothing is logged twice");
    let said = world.agent("dept-a", &["outbox", "import", &file(&world, "receipts")]).good().out;
    assert!(said.contains("7 receipts verified and kept"), "{said}");
    let said = world.agent("dept-a", &["outbox", "import", &file(&world, "receipts")]).good().out;
    assert!(said.contains("0 receipts verified and kept, 7 known before"), "{said}");
    assert_eq!((beat(&world)["sequence"].clone(), beat(&world)["received"].clone()), (json!(0), json!(true)));

    // Not due again; and a site may want none.
    let said = world.agent("dept-a", &["outbox", "export", &file(&world, "none")]).good().out;
    assert!(said.contains("nothing is ready") && !world.scratch("none").exists(), "{said}");
    let config = world.site("dept-a").join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let never = text.replace("heartbeat_minutes = 15", "heartbeat_minutes = 0");
    assert_ne!(never, text);
    std::fs::write(&config, never).expect("writes");
    let said = world.agent("dept-a", &["outbox", "export", &file(&world, "none")]).good().out;
    assert!(said.contains("nothing is ready"), "{said}");
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out, "", "nothing is held against it");
}

#[test]
fn a_heartbeat_that_comes_too_late_holds_up_none_that_follows() {
    let world = world();
    world.agent("dept-a", &["import", &data(&world, "dept-a")]).good();
    let take = |name: &str| world.agent("dept-a", &["outbox", "import", &file(&world, name)]);
    let early = export(&world);
    let keys = |args: &[&str]| world.aggregator(args).good();
    world.agent("dept-a", &["key", "rotate", "--to", &file(&world, "request")]).good();
    keys(&["import", &file(&world, "request")]);
    keys(&["site", "rotate", "dept-a"]);
    let said = take_in(&world);
    assert!(said.contains("6 of 6 releases received, no heartbeat: key"), "{said}");
    // A refusal counts for nothing until the registry bears it out.
    take("receipts").fault("site", &["6 receipts verified", "heartbeat 0 was refused: key", "still offers it"]);
    assert_eq!(beat(&world)["sequence"], json!(0));
    keys(&["registry", "export", &file(&world, "registry")]);
    take("registry").good();
    let said = take("receipts").good().out;
    assert!(said.contains("6 known before, 1 refused for a key or an epoch that has ended"), "{said}");
    let next = export(&world);
    assert!(next.heartbeat.is_some() && next.heartbeat != early.heartbeat && next.releases.is_empty());
    let said = take("receipts").good().out;
    assert!(said.contains("7 known before"), "{said}");
    assert!(take_in(&world).contains("and a heartbeat"));
    take("receipts").good();
    assert_eq!((beat(&world)["sequence"].clone(), beat(&world)["received"].clone()), (json!(0), json!(true)));

    // Receipts of an earlier heartbeat, again.
    std::fs::rename(world.scratch("receipts"), world.scratch("receipts-0")).expect("renames");
    let mut site = Site::open(Home::open(&world.site("dept-a")).expect("a home")).expect("opens");
    carry::export(&mut site, &world.scratch("outbox"), now().plus_ns(HOUR_NS)).expect("exports");
    drop(site);
    take_in(&world);
    take("receipts").good();
    assert_eq!(beat(&world)["sequence"], json!(1));
    for name in ["receipts-0", "receipts"] {
        let said = take(name).good().out;
        assert!(said.contains("0 receipts verified and kept, 1 known before"), "{said}");
    }
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out, "", "nothing is held against it");
}
