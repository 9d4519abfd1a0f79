//! Witnesses and a change of the log key.

use super::*;

#[test]
fn witnesses_follow_a_change_of_the_log_key() {
    let mut witness = Witness::new("one");
    let world = world(&[&witness], "1");
    witness.start(&trust(&world));
    world.enrol(SITES[0]);
    world.enrol(SITES[1]);
    let logs = world.logs();
    let size: u64 = logs.split(' ').nth(1).and_then(|size| size.parse().ok()).expect("the registry comes first");
    witness.kill();
    world.aggregator(&["key", "rotate", "log"]).good();
    let said = world.aggregator(&["site", "rotate", "aggregator"]).good();
    assert!(said.err.contains("not cosigned yet"), "{said:?}");
    // A witness that knows only the first key cosigns nothing that the next one signs, and sites are shown nothing of it.
    witness.start(&trust(&world));
    let said = world.aggregator(&["site", "revoke", SITES[1]]).good();
    assert!(said.err.contains("not cosigned yet"), "{said:?}");
    let entries = |site: &str| {
        let status = world.agent(site, &["status", "--json"]).good().out;
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        status["registry_entries"].as_u64().expect("a number")
    };
    world.agent(SITES[0], &["plan", "list"]).good();
    let before = entries(SITES[0]);
    assert_eq!(before, size, "the site is shown what is cosigned");

    // With the present key it cosigns both.
    witness.kill();
    let present = world.scratch("present.json");
    world.aggregator(&["trust", "export", "--for-witness", "--out", &present.to_string_lossy()]).good();
    witness.start(&present);
    let end = Instant::now() + PATIENCE;
    while entries(SITES[0]) == before {
        assert!(Instant::now() < end, "later checkpoints are cosigned");
        world.agent(SITES[0], &["plan", "list"]).good();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(entries(SITES[0]), size + 2);
}
