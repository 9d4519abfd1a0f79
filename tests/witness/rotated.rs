//! Witnesses and a change of the log key.

use super::*;

#[test]
fn witnesses_follow_a_change_of_the_log_key() {
    let mut witness = Witness::new("one");
    let world = world(&[&witness], "1");
    witness.start(&trust(&world));
    world.enrol(SITES[0]);
    world.enrol(SITES[1]);
    witness.kill();
    world.aggregator(&["key", "rotate", "log"]).good();
    let said = world.aggregator(&["site", "rotate", "aggregator"]).good();
    assert!(said.err.contains("not cosigned yet"), "{said:?}");
    // The checkpoint by both keys must be cosigned before anything is published that only the next one signs.
    let revoke = || world.aggregator(&["site", "revoke", SITES[1]]);
    revoke().fault("operator", &["by the log key before and the next one", "witnesses"]);
    world.agent(SITES[0], &["key", "rotate", "--use", "transport"]).fault("aggregator", &["witnesses"]);

    // A witness that knows only the first key cosigns it, and nothing later.
    witness.start(&trust(&world));
    let end = Instant::now() + PATIENCE;
    while revoke().code != Some(0) {
        assert!(Instant::now() < end, "the handover is cosigned");
        std::thread::sleep(Duration::from_millis(50));
    }
    let entries = |site: &str| {
        let status = world.agent(site, &["status", "--json"]).good().out;
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        status["registry_entries"].as_u64().expect("a number")
    };
    world.agent(SITES[0], &["plan", "list"]).good();
    let before = entries(SITES[0]);
    let handover = world.home().join(format!("logs/registry/handover/{before}"));
    let kept = std::fs::read_to_string(&handover).expect("the site has the change, and nothing behind it");
    assert_eq!(kept.lines().filter(|line| line.starts_with('\u{2014}')).count(), 3, "with the cosignature: {kept}");

    // With the present key it cosigns the rest too.
    witness.kill();
    let present = world.scratch("present.json");
    world.aggregator(&["trust", "export", "--for-witness", "--out", &present.to_string_lossy()]).good();
    witness.start(&present);
    while entries(SITES[0]) == before {
        assert!(Instant::now() < end, "later checkpoints are cosigned");
        world.agent(SITES[0], &["plan", "list"]).good();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(entries(SITES[0]), before + 1);
}
