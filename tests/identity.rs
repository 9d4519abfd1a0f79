//! Whether events named the model that the plan names: from files to the report, by real programs.

use fedaudit_core::report::{Different, IdentityRow};
use fedaudit_tests::evidence::{Evidence, judge};
use fedaudit_tests::world::World;
use std::path::{Path, PathBuf};

const OWN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A site's file with a column more: [`OTHER`] for so many events of one month, `digest` for all else; the file, its rows,
/// and how many of them are of other months.
fn with_digests(world: &World, site: &str, digest: &str, other: usize) -> (PathBuf, Vec<String>, u64) {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == site).expect("data");
    let text = std::fs::read_to_string(file).expect("reads");
    let (header, rows) = text.split_once('\n').expect("a header");
    // Rows are in the order of their times; the second month that a site has is whole.
    let months: Vec<&str> = rows.lines().filter_map(|row| row.split(',').nth(1)?.get(..7)).collect();
    let month = *months.iter().find(|month| **month != months[0]).expect("a second month");
    let in_month = |row: &str| row.contains(&format!(",{month}-"));
    let mut left = other;
    let mut row = |row: &str| {
        let take = left > 0 && in_month(row);
        left -= usize::from(take);
        format!("{row},{}", if take { OTHER } else { digest })
    };
    let rows: Vec<_> = rows.lines().map(&mut row).collect();
    assert_eq!(left, 0, "the month holds so many");
    let path = world.scratch(&format!("{site}-digests.csv"));
    std::fs::write(&path, format!("{header},model_digest\n{}\n", rows.join("\n"))).expect("writes");
    let others = months.iter().filter(|of| **of != month).count() as u64;
    (path, rows, others)
}

fn ship(world: &World, site: &str, file: &Path) {
    world.enrol(site);
    // The column is read because a map names it: others may call something else so.
    let map = world.scratch("map.toml");
    std::fs::write(&map, "[columns]\nmodel_digest = \"model_digest\"\n").expect("writes");
    world.agent(site, &["import", &file.to_string_lossy(), "--map", &map.to_string_lossy()]).good();
    world.agent(site, &["run", "--once"]).good();
}

fn ending(rows: &[String], end: &str) -> u64 {
    rows.iter().filter(|row| row.ends_with(end)).count() as u64
}

#[test]
fn events_of_another_model_are_told_and_few_are_hidden() {
    let world = World::with_plan(&["dept-a", "dept-b", "dept-c", "dept-d"], |plan| {
        assert!(plan.contains("k = 5"));
        let (_, version) = plan.split_once("model_versions = [\"").expect("versions");
        let version = version.split('"').next().expect("a version");
        // A table of its own stands before the first of the others.
        let digest = format!("[[model_digest]]\nversion = \"{version}\"\nsubject = \"{OWN}\"\n\n[windows]");
        assert!(plan.contains("[windows]"));
        plan.replacen("[windows]", &digest, 1)
    });
    let (file, own, _) = with_digests(&world, "dept-a", OWN, 0);
    ship(&world, "dept-a", &file);
    let (file, some, _) = with_digests(&world, "dept-b", OWN, 20);
    ship(&world, "dept-b", &file);
    let (file, _, shown) = with_digests(&world, "dept-c", "", 2);
    ship(&world, "dept-c", &file);
    world.ship("dept-d");
    let evidence = Evidence::of(&world);
    let rows = evidence.figures().identity;
    let said = |row: &IdentityRow| (row.events.counts(), row.hidden, row.different);
    assert_eq!(said(&rows[0]), ([own.len() as u64, 0, 0], 0, Different::No));
    assert_eq!(said(&rows[1]), ([ending(&some, OWN), 20, 0], 0, Different::Yes));
    assert_eq!(said(&rows[2]), ([0, 0, shown], 1, Different::Hidden));
    assert_eq!((rows[3].events.equal, rows[3].events.different, rows[3].different), (0, 0, Different::No));
    let page = String::from_utf8(evidence.bundle().report_html).expect("text");
    for line in ["20 events at site dept-b of version", "whether events at site dept-c of version"] {
        assert!(page.contains(&format!("model identity: {line}")), "{line}");
    }
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.code, 0, "{verdict:#?}");
}
