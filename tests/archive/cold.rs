//! The way into the archive through the real program, and what a column store makes of it.

use fedaudit_tests::world::World;
use fedaudit_tests::{Said, python};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

pub(super) const SITE: &str = "dept-a";
const ROWS: usize = 933;

/// A site whose events lie in a closed segment of 40 days ago, with `retention` in its configuration.
pub(super) fn cold(world: &World, retention: &str) {
    world.enrol(SITE);
    world.agent(SITE, &["import", &data(world)]).good();
    let home = world.site(SITE);
    world.agent(SITE, &["run", "--once"]).good();
    world.agent(SITE, &["journal", "seal"]).good();
    let segment = OpenOptions::new().write(true).open(home.join("journal/000001.sqlite")).expect("opens");
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 86_400);
    segment.set_modified(long_ago).expect("sets");
    let config = home.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let start = text.find("[retention]").expect("a section");
    std::fs::write(&config, format!("{}{retention}", &text[..start])).expect("writes");
    std::fs::create_dir_all(home.join("cold")).expect("makes");
}

pub(super) fn data(world: &World) -> String {
    let (_, file) = world.dataset.sites.iter().find(|(site, _)| site.as_str() == SITE).expect("a site with data");
    file.display().to_string()
}

/// Rows of the CSV by month and day, model version, decision and gender.
fn recount(world: &World) -> BTreeMap<Vec<String>, u64> {
    let text = std::fs::read_to_string(data(world)).expect("reads");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let at = |name: &str| names.iter().position(|of| *of == name).expect("a column");
    let columns = [at("occurred_at"), at("model_version"), at("decision"), at("gender")];
    let mut counts = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let mut key: Vec<String> = columns.iter().map(|at| fields[*at].to_owned()).collect();
        key[0].truncate(10);
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn query(archive: &Path, key: Option<&str>) -> Value {
    let archive = archive.display().to_string();
    let args: Vec<&str> = [archive.as_str()].into_iter().chain(key).collect();
    let said = python("tests/foreign/query_archive.py", &args);
    assert!(said.content, "{}", said.said);
    serde_json::from_str(&said.said).unwrap_or_else(|error| panic!("{error}: {}", said.said))
}

fn counts(answer: &Value) -> BTreeMap<Vec<String>, u64> {
    let rows = answer.as_array().expect("rows").iter().map(|row| {
        let (count, key) = row.as_array().and_then(|row| row.split_last()).expect("a row");
        let key = key.iter().map(|text| text.as_str().expect("a text").to_owned()).collect();
        (key, count.as_u64().expect("a count"))
    });
    rows.collect()
}

#[test]
fn a_column_store_counts_what_was_imported() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\narchive = \"cold\"\nhot_days = 30\n");
    let archive = world.site(SITE).join("cold");
    let before = world.agent(SITE, &["journal", "verify"]).good().out;
    let said = world.agent(SITE, &["journal", "archive"]).good().out;
    assert_eq!(said, "segment 1 archived; segment 1 deleted from the journal\n");
    assert_eq!(world.agent(SITE, &["journal", "archive"]).good().out, "nothing is due\n");

    let answer = query(&archive, None);
    assert_eq!(counts(&answer["predictions"]), recount(&world));
    let kinds = |kind: &str| answer["kinds"][kind].as_u64().unwrap_or(0);
    assert_eq!((kinds("prediction"), answer["whole"].as_bool()), (ROWS as u64, Some(true)));
    let ledger = counts(&answer["ledger"]);
    assert_eq!(
        ledger.get(&vec!["import".to_owned()]).or(ledger.get(&vec!["Import".to_owned()])),
        Some(&1),
        "{ledger:?}"
    );

    // Sizes and roots of events are as they were, and the copy is checked with them.
    let after = world.agent(SITE, &["journal", "verify"]).good().out;
    let roots = |said: &str| {
        let lines = said.lines().filter(|line| line.starts_with("predictions") || line.starts_with("outcomes"));
        lines.map(|line| line.split(" root ").nth(1).expect("a root").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(roots(&before), roots(&after));
    assert!(after.contains("archive: 1 segments whole"), "{after}");

    // The site goes on; who asks for a record is told where it is.
    world.agent(SITE, &["run", "--once"]).good();
    damaged(&world, &archive);
}

/// The first window that the site released.
pub(super) fn window(world: &World) -> String {
    let said = world.agent(SITE, &["status", "--json"]).good().out;
    let status: Value = serde_json::from_str(&said).expect("JSON");
    let window = &status["releases"][0]["window"];
    format!("{}/{}", window["start"].as_str().expect("a time"), window["end"].as_str().expect("a time"))
}

fn damaged(world: &World, archive: &Path) {
    let files = std::fs::read_dir(archive.join("predictions/model=graduate-admission")).expect("lists").flatten();
    let file = files.map(|folder| folder.path().join("segment-000001-v1.parquet")).next().expect("a file");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("sets");
    let good = std::fs::read(&file).expect("reads");
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    std::fs::write(&file, &bytes).expect("writes");
    let verify = |args: &[&str]| world.agent(SITE, &[&["journal", "verify"], args].concat());
    verify(&[]).fault("site", &["segment-000001-v1.parquet"]);
    std::fs::remove_file(&file).expect("removes");
    verify(&[]).fault("operator", &["segment-000001-v1.parquet is missing"]);
    std::fs::write(&file, &good).expect("writes");
    verify(&[]).good();
    let moved = world.scratch("moved");
    std::fs::rename(archive, &moved).expect("moves");
    verify(&[]).fault("operator", &["is missing", "mount the archive"]);
    assert!(verify(&["--archive", &moved.display().to_string()]).good().out.contains("archive: 1 segments whole"));
}

#[test]
fn an_encrypted_archive_opens_with_the_sites_key_only() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\nencrypt = true\n");
    let to = world.scratch("mount");
    let archive = || world.agent(SITE, &["journal", "archive", "--to", &to.display().to_string()]);
    archive().fault("operator", &["is not there"]);
    world.agent(SITE, &["journal", "archive"]).fault("operator", &["this home has no archive"]);
    std::fs::create_dir(&to).expect("makes");
    let hold = |args: &[&str]| -> Said { world.agent(SITE, &[&["journal"], args].concat()) };
    hold(&["release-hold", "--reason", "none"]).fault("operator", &["there is no hold"]);
    hold(&["hold", "--reason", " "]).fault("operator", &["a reason"]);
    hold(&["hold", "--reason", "a complaint"]).good();
    assert_eq!(archive().good().out, "segment 1 archived; segment 1 is kept: legal hold: a complaint\n");
    hold(&["release-hold", "--reason", "settled"]).good();
    assert_eq!(archive().good().out, "segment 1 deleted from the journal\n");
    let said = hold(&["verify"]).good().out;
    assert!(said.contains("archive: 1 segments NOT checked"), "{said}");

    let file = world.site(SITE).join("keys/archive.key");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    let key = std::fs::read_to_string(&file).expect("reads");
    let answer = query(&to, Some(key.trim()));
    let wanted = recount(&world).into_iter().fold(BTreeMap::new(), |mut counts, (key, count)| {
        *counts.entry(key[1..].to_vec()).or_default() += count;
        counts
    });
    assert_eq!((counts(&answer["predictions"]), answer["whole"].as_bool()), (wanted, Some(true)));
    let said = python("tests/foreign/query_archive.py", &[&to]);
    assert!(!said.content && said.said.contains("encrypted"), "{}", said.said);
    std::fs::rename(&file, world.scratch("key")).expect("moves");
    hold(&["verify", "--archive", &to.display().to_string()]).fault("site", &["keys/archive.key"]);
}

#[test]
fn retention_is_configured_strictly() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\nhot_day = 30\n");
    let status = |retention: &str| {
        let path = world.site(SITE).join("config.toml");
        let text = std::fs::read_to_string(&path).expect("reads");
        let start = text.find("[retention]").expect("a section");
        std::fs::write(&path, format!("{}{retention}", &text[..start])).expect("writes");
        world.agent(SITE, &["status"])
    };
    for (retention, said) in [
        ("[retention]\nhot_day = 30\n", "unknown field `hot_day`"),
        ("[retention]\nhot_days = 0\n", "`retention.hot_days` is 0; 1 to 36500"),
        ("[retention]\ndelete_after_days = 30\n", "above hot_days (30)"),
    ] {
        status(retention).fault("operator", &[said]);
    }
    status("[retention]\nhot_days = 60\n").good();
}
