//! An aggregator that was restored from a copy: it asks the sites before its logs grow again.

use fedaudit_tests::world::{World, name, restore};
use fedaudit_tests::{Said, run};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SITES: [&str; 3] = ["dept-a", "dept-b", "dept-c"];

/// A federation of two sites that have data and have sent nothing.
fn world() -> World {
    let world = World::new(&SITES);
    for site in &SITES[..2] {
        world.enrol(site);
        let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(site)).expect("data");
        world.agent(site, &["import", &file.to_string_lossy()]).good();
    }
    world
}

fn backup(world: &World, folder: &str) -> PathBuf {
    let to = world.scratch(folder);
    world.aggregator(&["backup", &to.to_string_lossy()]).good();
    to
}

/// Puts a backup in the place of the home, and starts it.
fn put_back(world: &mut World, backup: &Path) {
    world.stop();
    restore(backup, &world.home());
    // The test's copy has other modes.
    for usage in ["attest", "log", "transport"] {
        let key = world.home().join(format!("keys/{usage}.key"));
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    }
    world.start();
}

fn status(world: &World) -> Value {
    serde_json::from_str(&world.aggregator(&["status", "--json"]).good().out).expect("JSON")
}

fn unheard(world: &World) -> Value {
    status(world)["unheard"].clone()
}

#[track_caller]
fn until(world: &World, so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "{}", world.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What needs the logs to grow, by governance and by file.
fn held(world: &World, export: &str) {
    let said = ["no fence.json", "restored from a copy"];
    world.aggregator(&["site", "revoke", "dept-b"]).fault("operator", &said);
    let receipts = world.scratch("receipts");
    world.aggregator(&["import", export, "--receipts", &receipts.to_string_lossy()]).fault("operator", &said);
    assert!(!receipts.exists(), "nothing was answered");
}

#[test]
fn a_restored_aggregator_appends_nothing_until_every_site_has_said_hello() {
    let mut world = world();
    let copy = backup(&world, "backup");
    assert!(!copy.join("fence.json").exists(), "no backup holds it");
    assert!(world.home().join("fence.json").exists());
    let sums =
        std::process::Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&copy).status();
    assert!(sums.expect("runs").success());
    let export = world.scratch("export").to_string_lossy().into_owned();
    world.agent("dept-b", &["outbox", "export", &export]).good();

    put_back(&mut world, &copy);
    world.logged("no fence.json");
    let logs = world.logs();
    assert_eq!(unheard(&world), json!(["dept-a", "dept-b"]));
    let said = world.aggregator(&["status"]).good().out;
    assert!(said.contains("nothing is appended") && said.contains("not heard of since, 2: dept-a, dept-b"), "{said}");
    held(&world, &export);
    assert_eq!(unheard(&world), json!(["dept-a", "dept-b"]), "a file may be older than the copy");

    // A site with something to send waits, keeps it, and sends it in the end; whoever is restarted remembers its hello.
    let daemon = world.federation.start_agent(&name("dept-a"), false).expect("starts");
    until(&world, || unheard(&world) == json!(["dept-b"]));
    world.logged("restored: expected logs that are known to hold all that sites have seen");
    world.stop();
    world.start();
    held(&world, &export);
    assert_eq!((unheard(&world), world.logs()), (json!(["dept-b"]), logs));
    world.agent("dept-b", &["run", "--once"]).good();
    assert_eq!((status(&world)["held"].clone(), unheard(&world)), (Value::Null, json!([])));
    let received = || {
        let said = world.agent("dept-a", &["outbox", "list", "--json"]).good().out;
        let rows: Vec<Value> = serde_json::from_str(&said).expect("JSON");
        rows.len() == 6 && rows.iter().all(|row| row["state"] == "received")
    };
    until(&world, received);
    drop(daemon);
    let fence = std::fs::read_to_string(world.home().join("fence.json")).expect("there again");
    assert!(fence.contains("admissions/registry") && !fence.contains("heard"), "{fence}");
    world.ship("dept-c");
}

#[test]
fn the_operator_settles_it_for_sites_that_never_connect() {
    let mut world = world();
    let copy = backup(&world, "backup");
    put_back(&mut world, &copy);
    let settle = |without: &[&str]| -> Said {
        let named = without.iter().flat_map(|site| ["--without", site]);
        world.aggregator(&["log", "settle"].into_iter().chain(named).collect::<Vec<_>>())
    };
    settle(&[]).fault("operator", &["not heard of", "dept-a, dept-b", "contradicts it", "--without SITE"]);
    settle(&["dept-b"]).fault("operator", &["dept-a"]);
    world.aggregator(&["site", "revoke", "dept-b"]).fault("operator", &["no fence.json"]);
    let said = settle(&["dept-a", "dept-b"]).good();
    assert!(said.err.contains("without the word of dept-b") && said.out.contains("appends again"), "{said:#?}");
    assert!(settle(&[]).good().out.contains("nothing had to be settled"));
    // The daemon that runs has noticed.
    world.agent("dept-a", &["run", "--once"]).good();
    world.aggregator(&["site", "revoke", "dept-b"]).good();
}

#[test]
fn a_site_that_the_copy_does_not_know_stops_it() {
    let mut world = world();
    let copy = backup(&world, "backup");
    world.ship("dept-c");
    put_back(&mut world, &copy);
    let said = world.agent("dept-c", &["plan", "list"]);
    assert!(said.err.contains("halted"), "{said:#?}");
    assert!(!world.ended().success(), "it ends as a failure");
    world.logged("this home went back in time: the holder of key");
}

#[test]
fn logs_behind_their_fence_are_not_served() {
    let mut world = world();
    let copy = backup(&world, "backup");
    world.agent("dept-a", &["run", "--once"]).good();
    world.stop();
    restore(&copy.join("logs"), &world.home().join("logs"));
    let said = ["this home went back in time", "had 6 entries, here are 0", "restore the newest copy"];
    world.aggregator(&["run"]).fault("aggregator", &said);
    world.aggregator(&["log", "verify"]).fault("aggregator", &said);
    world.aggregator(&["site", "revoke", "dept-a"]).fault("aggregator", &said);
    let shown = world.aggregator(&["status"]).good().out;
    assert!(shown.contains("nothing is appended: this home went back in time"), "{shown}");
    let home = world.home().into_os_string();
    let said = run("fedaudit-aggregator", &["--home".into(), home, "log".into(), "settle".into()]);
    said.fault("aggregator", &["went back in time"]);
}
