//! A federation in which releases are amended, withheld and waived.

use crate::evidence::Evidence;
use crate::world::World;
use std::path::PathBuf;

/// The sites: `dept-a` amends, `dept-b` abstains for a window, `dept-c` never joins; nobody requires `dept-f`.
pub const SITES: [&str; 4] = ["dept-a", "dept-b", "dept-c", "dept-f"];
/// The first window.
pub const JANUARY: &str = "1973-01-01T00:00:00Z/1973-02-01T00:00:00Z";
/// A later one.
pub const MARCH: &str = "1973-03-01T00:00:00Z/1973-04-01T00:00:00Z";

/// Such a federation at k = 10, with nobody enrolled yet.
pub fn world() -> World {
    World::with_plan(&SITES, |plan| {
        assert!(plan.contains("k = 5"));
        plan.replace("k = 5", "k = 10")
    })
}

/// Files with the first `held` admissions of men, all of January, and with all other rows of a site.
///
/// # Panics
/// A folder that cannot be written.
pub fn split(world: &World, site: &str, held: usize) -> [PathBuf; 2] {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == site).expect("data");
    let text = std::fs::read_to_string(file).expect("reads");
    let (header, rows) = text.split_once('\n').expect("a header");
    let (late, early): (Vec<_>, Vec<_>) = rows.lines().enumerate().partition(|(at, _)| *at < held);
    assert!(late.iter().all(|(_, row)| row.contains(",1973-01-") && row.ends_with(",1,Male")), "{late:?}");
    let write = |name: &str, rows: Vec<(usize, &str)>| {
        let path = world.scratch(&format!("{site}-{held}-{name}.csv"));
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        std::fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).expect("writes");
        path
    };
    [write("late", late), write("early", early)]
}

/// Imports a file into a site's journal.
///
/// # Panics
/// It fails.
pub fn import(world: &World, site: &str, file: &std::path::Path) {
    world.agent(site, &["import", &file.to_string_lossy()]).good();
}

/// `dept-a` with all of its releases received but for some late rows, which are imported now.
///
/// # Panics
/// A step that fails.
pub fn late(world: &World, held: usize) {
    let [late, early] = split(world, "dept-a", held);
    world.enrol("dept-a");
    import(world, "dept-a", &early);
    world.agent("dept-a", &["run", "--once"]).good();
    let said = world.agent("dept-a", &["import", &late.to_string_lossy()]).good();
    let told = format!("{held} events fall into windows already released: see `release amend`");
    assert_eq!(said.out.lines().nth(1), Some(told.as_str()), "{said:?}");
}

/// Has a site abstain for windows.
///
/// # Panics
/// It fails.
pub fn abstain(world: &World, site: &str, window: &str) {
    let plan = world.plan();
    let args = ["plan", "abstain", plan.as_str(), "--window", window, "--reason", "the records burnt"];
    world.agent(site, &args).good();
}

/// Runs `release amend` for January.
pub fn amend(world: &World, site: &str) -> crate::Said {
    let plan = world.plan();
    world.agent(site, &["release", "amend", plan.as_str(), "--window", JANUARY, "--reason", "a drawer was overlooked"])
}

/// Runs `waiver` for all windows.
pub fn waive(world: &World, site: &str) -> crate::Said {
    let plan = world.plan();
    world.aggregator(&["waiver", plan.as_str(), site, "--window", "all", "--reason", "it closed down"])
}

/// A report with all of it: an amendment, an abstention, a waiver; complete, and so verified.
///
/// # Panics
/// A step that fails.
pub fn evidence() -> Evidence {
    let world = world();
    late(&world, 12);
    amend(&world, "dept-a").good();
    world.agent("dept-a", &["run", "--once"]).good();
    world.enrol("dept-b");
    abstain(&world, "dept-b", MARCH);
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == "dept-b").expect("data");
    import(&world, "dept-b", file);
    world.agent("dept-b", &["run", "--once"]).good();
    world.ship("dept-f");
    // Last: whoever signed a later entry of the registry would have seen it.
    waive(&world, "dept-c").good();
    Evidence::of(&world)
}
