//! Homes that lost something: what the fence holds back, what the aggregator gives back, and new epochs.

use fedaudit_agent::abstain::{Abstain, abstain};
use fedaudit_agent::heartbeat::beat_if_due;
use fedaudit_agent::home::Home;
use fedaudit_agent::site::Site;
use fedaudit_link::home::now;
use fedaudit_tests::world::{World, copy, name, restore};
use fedaudit_tests::{Said, run};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;

const SITE: &str = "dept-a";

/// A world in which `dept-a` has data and has released nothing.
fn world() -> World {
    let world = World::new(&[SITE, "dept-b"]);
    world.enrol(SITE);
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(SITE)).expect("data");
    world.agent(SITE, &["import", &file.to_string_lossy()]).good();
    world
}

fn agent(home: &Path, args: &[&str]) -> Said {
    let home = [OsString::from("--home"), home.into()];
    run("fedaudit-agent", &home.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>())
}

/// How far each document in the outbox is.
fn states(world: &World) -> Vec<String> {
    let said = world.agent(SITE, &["outbox", "list", "--json"]).good().out;
    let rows: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    rows.iter().map(|row| row["state"].as_str().expect("a state").to_owned()).collect()
}

fn epoch(world: &World, kept: &[&str]) -> Said {
    let args = ["site", "epoch", SITE, "--reason", "the disk was lost"];
    world.aggregator(&[&args[..], kept].concat())
}

/// Puts an older outbox into the home.
fn put_outbox(world: &World, from: &Path) {
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.site(SITE).join(format!("outbox.sqlite{suffix}")));
    }
    std::fs::copy(from, world.site(SITE).join("outbox.sqlite")).expect("copies");
}

#[test]
fn an_older_home_goes_on_in_a_new_epoch() {
    let world = world();
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    world.agent(SITE, &["run", "--once"]).good();
    let (before, logs) = (states(&world), world.logs());
    assert_eq!(before, ["received"; 6]);
    restore(&older, &world.site(SITE));
    world.agent(SITE, &["run", "--once"]).fault("site", &["does not lead to", "older than what it signed"]);
    assert_eq!(world.logs(), logs, "nothing new is logged");

    // More than was ever seen cannot be kept; what is said to be kept must be there.
    let log = "predictions/graduate-admission/1";
    epoch(&world, &["--kept", &format!("{log}=2048")]).fault("operator", &["1024 records were seen"]);
    epoch(&world, &["--kept", &format!("{log}=1024")]).good();
    world
        .agent(SITE, &["run", "--once"])
        .fault("site", &["epoch 2 says", "keeps 1024 records", "this journal has 933"]);
    epoch(&world, &[]).good();
    let logs = world.logs();
    // The first of both epochs keeps what is not there: it never began, and the last one counts.
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(states(&world), ["received"; 6], "what was signed before is taken back");
    world.agent(SITE, &["journal", "verify"]).good();
    let plans = |logs: &str| logs.lines().filter(|line| line.contains("/plan/")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(plans(&world.logs()), plans(&logs), "and nothing is signed a second time");
    let sites = world.aggregator(&["site", "list"]).good().out;
    assert!(sites.contains("epoch 3"), "{sites}");

    // Whoever reads a report learns what was lost, and the verifier computes the same.
    let out = world.scratch("out");
    world.aggregator(&["report", "build", world.plan().as_str(), "--out", &out.to_string_lossy()]).good();
    let args = [out.join("bundle.zip").into_os_string(), "--trust".into(), out.join("trust.json").into_os_string()];
    let said = run("fedaudit-verify", &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).expect("reads")).expect("JSON");
    let text = report.to_string();
    assert!(text.contains(r#""epochs":[{"#) && text.contains("the disk was lost"), "{text}");
}

/// As a restored backup, which holds no fence.
fn restore_backup(world: &World, older: &Path) {
    restore(older, &world.site(SITE));
    std::fs::remove_file(world.site(SITE).join("fence.json")).expect("removes");
}

#[test]
fn what_a_restored_home_abstained_from_is_not_released() {
    let world = world();
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    let plan = world.plan().to_string();
    world.agent(SITE, &["plan", "abstain", &plan, "--window", "all", "--reason", "a strike"]).good();
    world.agent(SITE, &["run", "--once"]).good();
    let logs = world.logs();
    restore_backup(&world, &older);
    for _ in 0..2 {
        world.agent(SITE, &["run", "--once"]).good();
        assert_eq!((states(&world), world.logs()), (vec!["received".to_owned(); 6], logs.clone()));
    }
    // The ledger has it all, whatever the outbox loses.
    put_outbox(&world, &older.join("outbox.sqlite"));
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((states(&world), world.logs()), (vec!["received".to_owned(); 6], logs));
    let said = world.agent(SITE, &["plan", "withdraw", &plan, "--window", "all"]).good().out;
    assert!(said.contains("6 abstentions"), "{said}");
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(states(&world), ["received"; 12]);
}

#[test]
fn a_release_that_was_taken_back_keeps_its_salt_where_the_ledger_has_it() {
    let world = world();
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    world.agent(SITE, &["run", "--once"]).good();
    put_outbox(&world, &older.join("outbox.sqlite"));
    world.agent(SITE, &["run", "--once"]).good();
    let said = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    assert_eq!(said.matches(": reproduced").count(), 6, "{said}");
    // Governance lets an older journal go on, and the salts are gone.
    restore_backup(&world, &older);
    epoch(&world, &[]).good();
    world.agent(SITE, &["run", "--once"]).good();
    let said = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    assert_eq!(said.matches("its salt is lost").count(), 6, "{said}");
}

#[test]
fn nothing_is_signed_in_an_epoch_that_is_over() {
    let world = world();
    let mut site = Site::open(Home::open(&world.site(SITE)).expect("a home")).expect("opens");
    epoch(&world, &[]).good();
    // Another process of this home reads of it, and begins it, while this one waits.
    world.agent(SITE, &["plan", "list"]).good();
    let (plan, window, reason) = (world.plan(), "all".to_owned(), "late".to_owned());
    let wanted = Abstain { plan, window, reason, by: None };
    let fault = abstain(&mut site, &wanted, now()).expect_err("another epoch");
    assert!(fault.what.contains("epoch 2 of this site's journal began"), "{fault}");
    assert_eq!(beat_if_due(&mut site, now()), Ok(false));
    let mut site = Site::open(Home::open(&world.site(SITE)).expect("a home")).expect("opens");
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(site.enrolment.epoch, 2);
    assert!(site.outbox.pending_beat().expect("reads").is_none());
    site.reload_mirror().expect("reads");
    assert_eq!(states(&world), ["received"; 6]);
}

#[test]
fn two_copies_of_a_home_release_once() {
    let mut world = world();
    let second = world.scratch("second");
    copy(&world.site(SITE), &second);
    // Both close their windows without knowing of each other.
    world.stop();
    for (home, file) in [(world.site(SITE), "one"), (second.clone(), "two")] {
        agent(&home, &["outbox", "export", &world.scratch(file).to_string_lossy()]).good();
    }
    world.start();
    world.agent(SITE, &["run", "--once"]).good();
    let logs = world.logs();
    agent(&second, &["run", "--once"]).fault("site", &["that this journal does not lead to"]);
    assert_eq!(world.logs(), logs, "the other one changes nothing");
    world.agent(SITE, &["run", "--once"]).good();
}

#[test]
fn an_outbox_behind_its_fence_signs_nothing_and_is_mended_by_the_log() {
    let mut world = world();
    let older = world.scratch("outbox.sqlite");
    std::fs::copy(world.site(SITE).join("outbox.sqlite"), &older).expect("copies");
    world.agent(SITE, &["run", "--once"]).good();
    let logs = world.logs();
    put_outbox(&world, &older);
    world.stop();
    let export = world.scratch("export").to_string_lossy().into_owned();
    world.agent(SITE, &["outbox", "export", &export]).fault("site", &["outbox.sqlite is older than what it sent"]);
    world.start();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((states(&world), world.logs()), (vec!["received".to_owned(); 6], logs));
}

#[test]
fn a_home_without_a_fence_asks_first() {
    let mut world = world();
    let fence = world.site(SITE).join("fence.json");
    assert_eq!(
        serde_json::from_slice::<Value>(&std::fs::read(&fence).expect("there")).expect("JSON")["plans"],
        json!({})
    );
    let backup = world.scratch("backup");
    world.agent(SITE, &["backup", &backup.to_string_lossy()]).good();
    assert!(!backup.join("fence.json").exists(), "no backup holds it");
    std::fs::remove_file(&fence).expect("removes");
    world.stop();
    let export = world.scratch("export").to_string_lossy().into_owned();
    world.agent(SITE, &["outbox", "export", &export]).fault("operator", &["has no fence.json", "reach the aggregator"]);
    let status = world.agent(SITE, &["status"]).good().out;
    assert!(status.contains("nothing new is signed"), "{status}");
    world.start();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(states(&world), ["received"; 6]);
    let fence: Value = serde_json::from_slice(&std::fs::read(&fence).expect("there again")).expect("JSON");
    let plans = fence["plans"].as_object().expect("plans");
    assert_eq!(plans.values().next().expect("a plan")[0], json!(5), "{fence}");
}
