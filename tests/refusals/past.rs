//! Homes that went back in time: restored from an older copy, they halt and say so.

use fedaudit_core::ids::Digest;
use fedaudit_tests::evidence::Evidence;
use fedaudit_tests::world::{World, copy, name, restore};
use fedaudit_tests::{Said, program};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Applicants to department A: 825 men and 108 women (Bickel, Hammel and O'Connell).
const DEPT_A: u64 = 933;

fn world() -> World {
    World::new(&["dept-a", "dept-b", "dept-c"])
}

/// The data of a site, imported into its home.
fn import(world: &World, site: &str) {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(site)).expect("data");
    world.agent(site, &["import", &file.to_string_lossy()]).good();
}

/// Puts older logs into the aggregator's home. The fence knows, and nothing is served; without it the sites are asked.
fn go_back(world: &mut World, older: &Path) {
    world.stop();
    restore(older, &world.home().join("logs"));
    world.aggregator(&["run"]).fault("aggregator", &["this home went back in time: log", "restore the newest copy"]);
    std::fs::rename(world.home().join("fence.json"), world.scratch("fence.json")).expect("moves");
    world.start();
}

#[test]
fn an_aggregator_with_older_logs_halts_and_says_so() {
    let mut world = world();
    world.enrol("dept-a");
    import(&world, "dept-a");
    // Twice: with an older log of the plan, and with an older registry too.
    let early = world.scratch("logs-before-the-release");
    copy(&world.home().join("logs"), &early);
    world.agent("dept-a", &["run", "--once"]).good();
    let late = world.scratch("logs-of-now");
    copy(&world.home().join("logs"), &late);
    world.enrol("dept-b");
    world.agent("dept-a", &["plan", "list"]).good();
    for (older, log) in [(&early, "/plan/"), (&late, "/registry with")] {
        let newest = world.scratch("newest");
        copy(&world.home().join("logs"), &newest);
        go_back(&mut world, older);
        let said = world.agent("dept-a", &["plan", "list"]);
        assert!(said.err.contains("halted: expected an aggregator that can serve"), "{said:?}");
        assert!(!world.ended().success(), "it ends as a failure");
        for text in ["this home went back in time: site dept-a holds a checkpoint of", log, "restore the newest copy"] {
            world.logged(text);
        }
        restore(&newest, &world.home().join("logs"));
        std::fs::rename(world.scratch("fence.json"), world.home().join("fence.json")).expect("moves");
        std::fs::remove_dir_all(newest).expect("removes");
        world.start();
    }
    world.ship("dept-c");
}

#[test]
fn a_home_is_served_by_one_aggregator() {
    let mut world = world();
    let config = world.home().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let (before, port) = text.split_once("listen = \"127.0.0.1:").expect("an address of this machine");
    let (_, after) = port.split_once('"').expect("an end");
    // On the same port, and on a free one.
    for other in [text.clone(), format!("{before}listen = \"127.0.0.1:0\"{after}")] {
        std::fs::write(&config, other).expect("writes");
        let home = [OsString::from("--home"), world.home().into(), "run".into()];
        let mut second = Command::new(program("fedaudit-aggregator"));
        let mut second = second.args(home).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut ready = String::new();
        BufReader::new(second.stdout.take().expect("a pipe")).read_line(&mut ready).expect("reads");
        second.kill().expect("kills, if it serves");
        let output = second.wait_with_output().expect("ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(ready, "", "it was never ready");
        Said { code: output.status.code(), out: ready, err }
            .fault("operator", &["run.lock", "another aggregator is at work on this home"]);
    }
    std::fs::write(&config, text).expect("writes");
    world.stop();
    world.start();
    world.ship("dept-c");
}

#[test]
fn log_verify_names_the_artifact_that_was_altered() {
    let world = world();
    world.ship("dept-a");
    world
        .aggregator(&["report", "build", world.plan().as_str(), "--out", &world.scratch("out").to_string_lossy()])
        .good();
    let built = ["report.json", "report.html"].map(|name| world.scratch("out").join(name));
    let release = Evidence::of(&world).figures().releases[0].artifact.to_string();
    let reports = built.map(|path| Digest::of(&std::fs::read(path).expect("reads")).to_string());
    world.aggregator(&["log", "verify"]).good();
    for digest in reports.iter().chain([&release]) {
        let path = world.home().join("artifacts").join(digest);
        let good = std::fs::read(&path).expect("an artifact");
        let restore = format!("hint: restore {}", path.display());
        std::fs::write(&path, [&good[..], b" "].concat()).expect("writes");
        world.aggregator(&["log", "verify"]).fault("aggregator", &[digest, "was altered", &restore]);
        std::fs::remove_file(&path).expect("removes");
        world.aggregator(&["log", "verify"]).fault("operator", &[digest, "No such file", &restore]);
        std::fs::write(&path, good).expect("writes");
        world.aggregator(&["log", "verify"]).good();
    }
}

#[test]
fn an_aggregator_that_lost_a_plans_log_halts_and_says_so() {
    let mut world = world();
    world.enrol("dept-a");
    import(&world, "dept-a");
    let older = world.scratch("older");
    copy(&world.home().join("logs"), &older);
    world.agent("dept-a", &["run", "--once"]).good();
    go_back(&mut world, &older);
    let said = world.agent("dept-a", &["plan", "list"]);
    assert!(said.err.contains("aggregator: "), "{said:?}");
    assert!(!world.ended().success(), "it ends as a failure");
    for text in ["this home went back in time", "/plan/", "with 6 entries", "do not serve from an older one"] {
        world.logged(text);
    }
}

#[test]
fn a_running_aggregator_whose_logs_shrink_halts_and_says_so() {
    let mut world = world();
    world.enrol("dept-a");
    import(&world, "dept-a");
    let older = world.scratch("older");
    copy(&world.home().join("logs"), &older);
    world.agent("dept-a", &["run", "--once"]).good();
    restore(&older, &world.home().join("logs"));
    let said = world.agent("dept-a", &["plan", "list"]);
    assert!(said.err.contains("aggregator: "), "{said:?}");
    assert!(!world.ended().success(), "it ends as a failure");
    world.logged("/plan/");
}

#[test]
fn an_agent_with_an_older_home_halts_and_says_so() {
    let world = world();
    world.enrol("dept-a");
    let empty = world.scratch("before-the-import");
    copy(&world.site("dept-a"), &empty);
    import(&world, "dept-a");
    let unsigned = world.scratch("before-the-release");
    copy(&world.site("dept-a"), &unsigned);
    world.agent("dept-a", &["run", "--once"]).good();
    let verified = world.agent("dept-a", &["journal", "verify"]).good().out;
    let counts = format!(": {DEPT_A} predictions, {} padding, root ", 1_024 - DEPT_A);
    assert!(verified.contains(&counts), "{verified}");
    let newest = world.scratch("newest");
    copy(&world.site("dept-a"), &newest);
    let logs = world.logs();
    for older in [&empty, &unsigned] {
        restore(older, &world.site("dept-a"));
        let said = world.agent("dept-a", &["run", "--once"]);
        said.fault("site", &["that this journal does not lead to", "with 1024 records", "older than what it signed"]);
        let said = world.agent("dept-a", &["plan", "list"]);
        assert!(said.err.contains("that this journal does not lead to"), "{said:?}");
        assert_eq!(world.logs(), logs, "nothing new is logged");
    }
    restore(&newest, &world.site("dept-a"));
    world.agent("dept-a", &["run", "--once"]).good();
    world.ship("dept-c");
}

#[test]
fn an_agent_with_another_key_names_its_file() {
    let world = world();
    world.enrol("dept-a");
    import(&world, "dept-a");
    let logs = world.logs();
    world.agent("dept-b", &["init"]).good();
    for usage in ["transport", "attest", "note"] {
        let file = format!("keys/{usage}.key");
        let (own, kept) = (world.site("dept-a").join(&file), world.scratch("kept.key"));
        std::fs::copy(&own, &kept).expect("copies");
        std::fs::copy(world.site("dept-b").join(&file), &own).expect("copies");
        let what = format!("{file} is not the key that this site was enrolled with");
        let said = world.agent("dept-a", &["run", "--once"]).fault("site", &[&what, "restore keys/ from a backup"]);
        assert!(!said.err.contains("aggregator"), "{said:?}");
        std::fs::copy(&kept, &own).expect("copies");
        assert_eq!(world.logs(), logs, "nothing is logged");
    }
    world.agent("dept-a", &["run", "--once"]).good();
    assert_ne!(world.logs(), logs, "with its own keys, it ships");
}

#[test]
fn a_damaged_file_of_a_home_is_named() {
    let world = world();
    world.agent("dept-a", &["init"]).good();
    let token = world.aggregator(&["site", "add", "dept-a"]).good().out;
    world.agent("dept-a", &["join", token.trim()]).good();
    for file in ["outbox.sqlite", "sidecar.sqlite", "journal/000001.sqlite"] {
        let (path, kept) = (world.site("dept-a").join(file), world.scratch("kept"));
        std::fs::copy(&path, &kept).expect("copies");
        std::fs::write(&path, [b'x'; 8192]).expect("writes");
        let name = format!("{} is damaged", path.file_name().expect("a name").display());
        world.agent("dept-a", &["status"]).fault("site", &[&name, "restore this home as a whole"]);
        std::fs::copy(&kept, &path).expect("copies");
    }
    world.agent("dept-a", &["status"]).good();
}

#[test]
fn a_second_run_of_a_home_is_never_ready() {
    let world = world();
    world.enrol("dept-a");
    let run_lock = std::fs::File::create(world.site("dept-a").join("run.lock")).expect("makes");
    run_lock.lock().expect("locks");
    let said = world.agent("dept-a", &["run", "--once"]).fault("operator", &["another fedaudit-agent run is at work"]);
    assert_eq!(said.out, "", "not ready");
    drop(run_lock);
    let said = world.agent("dept-a", &["run", "--once"]).good();
    assert_eq!(said.out, "ready: dept-a of admissions\nstopped: nothing in the outbox\n");
}

#[test]
fn an_agent_with_an_older_outbox_changes_nothing_that_is_logged() {
    let world = world();
    world.enrol("dept-a");
    import(&world, "dept-a");
    let older = world.scratch("outbox.sqlite");
    std::fs::copy(world.site("dept-a").join("outbox.sqlite"), &older).expect("copies");
    world.agent("dept-a", &["run", "--once"]).good();
    let logs = world.logs();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.site("dept-a").join(format!("outbox.sqlite{suffix}")));
    }
    std::fs::copy(&older, world.site("dept-a").join("outbox.sqlite")).expect("copies");
    // The journal is whole; the outbox has forgotten what was sent, and takes it back.
    world.agent("dept-a", &["run", "--once"]).good();
    assert_eq!(world.logs(), logs, "nothing new is logged");
    world.ship("dept-c");
}
