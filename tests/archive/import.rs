//! The same events as CSV and as Parquet are the same events.

use fedaudit_tests::python;
use fedaudit_tests::world::World;
use std::path::PathBuf;

const SITES: [&str; 2] = ["dept-a", "dept-b"];

/// The CSV file of a site, and the same table as pyarrow writes it.
fn both(world: &World, site: &str, codec: &str) -> [String; 2] {
    let (_, csv) = world.dataset.sites.iter().find(|(of, _)| of.as_str() == site).expect("a site with data");
    let parquet: PathBuf = world.scratch(&format!("{site}-{codec}.parquet"));
    let files = [csv.display().to_string(), parquet.display().to_string()];
    let said = python("tests/foreign/csv_to_parquet.py", &[&files[0], &files[1], codec]);
    assert!(said.content, "{}", said.said);
    files
}

#[test]
fn parquet_holds_the_events_that_csv_holds() {
    let world = World::new(&SITES);
    SITES.iter().for_each(|site| world.enrol(site));
    let counts = |site: &str, file: &str| {
        let said = world.agent(site, &["import", file]).good().out;
        said.split_once(": ").map(|(_, counts)| counts.to_owned()).expect("a file and its counts")
    };
    let [csv, parquet] = both(&world, "dept-a", "snappy");
    let first = counts("dept-a", &parquet);
    assert!(first.contains("933 rows, 933 new events"), "{first}");
    // The other site takes the same file as CSV, and then each takes the other's: nothing is new, nothing contradicts.
    assert_eq!(counts("dept-b", &csv), first);
    let again = first.replace("933 new events", "0 new events").replace("0 duplicates", "933 duplicates");
    assert_eq!(counts("dept-a", &csv), again);
    for codec in ["zstd", "gzip", "lz4", "none"] {
        assert_eq!(counts("dept-b", &both(&world, "dept-a", codec)[1]), again, "{codec}");
    }
    let verified = |site: &str| {
        let said = world.agent(site, &["journal", "verify"]).good().out;
        said.lines().filter_map(|line| line.split(", root").next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(verified("dept-a"), verified("dept-b"));

    world.agent("dept-a", &["import", &both(&world, "dept-a", "brotli")[1]]).fault("input", &["brotli"]);
    let dir = world.scratch("drafted").display().to_string();
    let draft = world.agent("dept-a", &["contract", "draft", &parquet, "--out", &dir]);
    draft.fault("input", &["it is Parquet", "save it as CSV"]);
}
