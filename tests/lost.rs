//! A new epoch that is cut short: whatever of its steps a kill or a loss of power leaves out is done afterwards, once.

#[path = "power/disk.rs"]
mod disk;

use disk::{Disk, Op};
use fedaudit_tests::intake::{Desk, LOANS_PLAN, SITE, event, lines};
use fedaudit_tests::world::{copy, restore};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;

/// After how many changes to cut: right behind each file that took its place, for these part the steps, and halfway to the next.
fn cuts(ops: &[(u64, Op)]) -> Vec<usize> {
    let placed = |(_, op): &(u64, Op)| matches!(op, Op::Rename { to, .. } if to.ends_with("fence.json") || to.ends_with("enrolment.json"));
    let steps: Vec<usize> = ops.iter().enumerate().filter(|(_, op)| placed(op)).map(|(nth, _)| nth + 1).collect();
    assert!(steps.len() > 2, "the epoch and the fence: {steps:?}");
    let ends = steps.iter().skip(1).copied().chain([ops.len()]);
    let first = steps.first().map(|first| first / 2);
    first.into_iter().chain(steps.iter().zip(ends).flat_map(|(step, end)| [*step, (step + end) / 2])).collect()
}

fn documents(desk: &Desk) -> Vec<Value> {
    let said = desk.world.agent(SITE, &["outbox", "list", "--json"]).good().out;
    serde_json::from_str(&said).expect("JSON")
}

fn received(desk: &Desk) -> usize {
    documents(desk).iter().filter(|of| of["state"] == "received").count()
}

/// A site that signed a release and a heartbeat which nobody received, and whose journal then got a new epoch.
fn given_up() -> Desk {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    let events: Vec<Value> = (0..40)
        .map(|n| {
            let mut event = event(&format!("loan-{n}"));
            event["decision"] = ["grant", "deny"][n % 2].into();
            event["score"] = [0.75, 0.25][n % 2].into();
            event["attributes"]["sex"] = ["female", "male"][n / 2 % 2].into();
            event
        })
        .collect();
    assert_eq!(desk.post("/v1/predictions", "application/x-ndjson", &lines(&events)).json()["taken"], 40);
    desk.stop();
    desk.publish(LOANS_PLAN);
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.stop();
    desk.world.agent(SITE, &["outbox", "export", &desk.world.scratch("export").to_string_lossy()]).good();
    desk.world.aggregator(&["site", "epoch", SITE, "--reason", "the disk was lost"]).good();
    assert_eq!((documents(&desk).len(), received(&desk)), (1, 0));
    desk
}

#[test]
fn a_new_epoch_goes_on_wherever_it_was_cut() {
    let mut desk = given_up();
    let (centre, before, after) = (desk.world.home(), desk.world.scratch("before"), desk.world.scratch("after"));
    copy(&centre, &before);
    let (home, log) = (desk.home(), desk.world.scratch("power.log"));
    let mut site = Disk::of(&home);
    desk.world.start();
    let void = documents(&desk)[0]["envelope"].clone();
    assert!(desk.watched(&log).args(["run", "--once"]).status().expect("starts").success());
    assert_eq!(received(&desk), 1);
    assert_ne!(documents(&desk)[0]["envelope"], void, "its window was answered anew");
    desk.world.stop();
    copy(&centre, &after);

    let ops = disk::read(&std::fs::read(&log).expect("reads"));
    let mut done = 0;
    for (cut, until) in cuts(&ops).into_iter().enumerate() {
        ops[done..until].iter().for_each(|(_, op)| site.apply(op));
        done = until;
        let mut rng = StdRng::seed_from_u64(cut as u64);
        // A kill keeps all that was written, a loss of power what was synced.
        let image = if cut % 2 == 0 { site.now() } else { site.lose_power(&mut rng) };
        disk::restore(&home, &image);
        // The aggregator as it was for a site that has no receipt yet; with one, as it became.
        restore(if received(&desk) == 0 { &before } else { &after }, &centre);
        desk.world.start();
        let said = desk.world.agent(SITE, &["run", "--once"]);
        assert_eq!(said.code, Some(0), "cut {cut}, after {until} of {} changes: {said:#?}", ops.len());
        let held = documents(&desk);
        assert_eq!((held.len(), received(&desk)), (1, 1), "cut {cut}: {held:#?}");
        assert_ne!(held[0]["envelope"], void, "cut {cut}");
        desk.world.agent(SITE, &["journal", "verify"]).good();
        desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
        assert!(desk.world.logs().contains("/plan/"), "the logs hold");
        assert_eq!(desk.world.aggregator(&["conflict", "list"]).good().out, "", "cut {cut}");
        desk.world.stop();
    }
}
