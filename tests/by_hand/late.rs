//! More than one export holds, with answers that got lost on the way.

use crate::refused::{data, file, parcel, world};
use fedaudit_core::parcel::Content;
use fedaudit_tests::world::World;

/// Publishes a plan of days, and has `dept-a` accept it.
fn by_day(world: &World, plan: &str) {
    let text = std::fs::read_to_string(&world.dataset.plans[0].0).expect("reads");
    let named = text.replacen("plan = \"admissions-1973\"", &format!("plan = \"{plan}\""), 1);
    let daily = named.replace("every = \"month\"", "every = \"day\"");
    assert!(daily != named && named != text);
    std::fs::write(world.scratch("plan.toml"), daily).expect("writes");
    world.aggregator(&["plan", "publish", &file(world, "plan.toml")]).good();
    world.aggregator(&["registry", "export", &file(world, "registry")]).good();
    world.agent("dept-a", &["outbox", "import", &file(world, "registry")]).good();
    world.agent("dept-a", &["plan", "accept", plan]).good();
}

/// Imports the site's events once more, as other ones.
fn grow(world: &World, prefix: &str) {
    let csv = std::fs::read_to_string(data(world, "dept-a")).expect("reads");
    let more: Vec<_> = csv.lines().map(|line| line.replacen("ucb-", prefix, 1)).collect();
    std::fs::write(world.scratch("more.csv"), more.join("\n") + "\n").expect("writes");
    world.agent("dept-a", &["import", &file(world, "more.csv")]).good();
}

/// Exports and has it taken in; how many releases there were.
fn taken(world: &World) -> usize {
    world.agent("dept-a", &["outbox", "export", &file(world, "outbox")]).good();
    let Content::Outbox(outbox) = parcel(&file(world, "outbox")).content else { panic!("releases") };
    world.aggregator(&["import", &file(world, "outbox"), "--receipts", &file(world, "receipts")]).good();
    outbox.releases.len()
}

fn received(world: &World) -> usize {
    let releases = taken(world);
    world.agent("dept-a", &["outbox", "import", &file(world, "receipts")]).good();
    releases
}

#[test]
fn a_site_whose_receipts_got_lost_does_not_contradict_itself() {
    let world = world();
    world.agent("dept-a", &["import", &data(&world, "dept-a")]).good();
    by_day(&world, "days");
    assert_eq!((received(&world), received(&world)), (100, 87), "6 months and 181 days");
    // An amendment has a number behind all of those, and a journal that grew.
    grow(&world, "more-");
    let day = "1973-01-02T00:00:00Z/1973-01-03T00:00:00Z";
    world.agent("dept-a", &["release", "amend", "days", "--window", day, "--reason", "a drawer"]).good();
    assert_eq!(taken(&world), 1, "and nobody brings the receipt home");
    // Now a hundred of another plan, with low numbers, of a journal that grew again.
    grow(&world, "again-");
    by_day(&world, "other-days");
    assert_eq!((received(&world), received(&world)), (100, 82));
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out, "", "nothing is held against it");
}
