//! Keys that end, by real programs: what was logged before stays valid, what comes after is refused.

use fedaudit_core::fault::Blame;
use fedaudit_core::parcel::{Content, read};
use fedaudit_tests::client::{Client, hello};
use fedaudit_tests::evidence::{Evidence, judge};
use fedaudit_tests::world::{World, copy, name};
use fedaudit_tests::{Said, run};
use std::path::Path;
use std::time::{Duration, Instant};

const SITE: &str = "dept-a";
const OTHER: &str = "dept-b";

/// A world in which `dept-a` has data and has released nothing.
fn world() -> World {
    let world = World::new(&[SITE, OTHER, "dept-c"]);
    world.enrol(SITE);
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(SITE)).expect("data");
    world.agent(SITE, &["import", &file.to_string_lossy()]).good();
    world
}

fn agent(home: &Path, args: &[&str]) -> Said {
    let home = ["--home".into(), home.as_os_str().to_owned()];
    run("fedaudit-agent", &home.into_iter().chain(args.iter().map(Into::into)).collect::<Vec<_>>())
}

fn path(world: &World, name: &str) -> String {
    world.scratch(name).to_string_lossy().into_owned()
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_revoked_site_is_cut_and_what_it_logged_stays() {
    let world = world();
    world.agent(SITE, &["run", "--once"]).good();
    let _daemon = world.federation.start_agent(&name(SITE), false).expect("starts");
    let client = Client::of_site(&world, SITE);
    assert!(client.ask(&hello(SITE)).is_ok(), "the site may speak");
    let logs = world.logs();

    world.aggregator(&["site", "revoke", "dept-x"]).fault("operator", &["dept-x", "site list"]);
    world.aggregator(&["site", "revoke", SITE]).good();
    assert!(world.aggregator(&["site", "revoke", SITE]).good().out.contains("revoked before"));
    // Both connections: the daemon's and this one.
    world.logged_times("connection cut: its key has ended", 2);
    until("the connection lives on", || client.ask(&hello(SITE)).is_err());
    Client::of_site(&world, SITE).refused(&world, &hello(SITE), Blame::Operator, "key");
    world.logged("which has ended");
    drop(_daemon);
    world.agent(SITE, &["run", "--once"]).fault("operator", &["key", "which has ended", "ask governance"]);

    let sites = world.aggregator(&["site", "list"]).good().out;
    assert!(sites.contains("dept-a\trevoked"), "{sites}");
    let plans = |logs: &str| logs.lines().filter(|line| line.contains("/plan/")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(plans(&world.logs()), plans(&logs), "every document is checked again, and holds");
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!((verdict.code, evidence.releases(&evidence.bundle()).len()), (0, 12), "{verdict:#?}");
}

#[test]
fn what_a_revoked_key_signs_later_is_refused_and_refuted() {
    let world = world();
    world.agent(SITE, &["outbox", "export", &path(&world, "late")]).good();
    world.aggregator(&["site", "revoke", SITE]).good();
    let receipts = path(&world, "receipts");
    world
        .aggregator(&["import", &path(&world, "late"), "--receipts", &receipts])
        .fault("operator", &["key", "which has ended"]);

    // The agent takes the registry by file, and says why it signs nothing.
    world.aggregator(&["registry", "export", &path(&world, "registry")]).good();
    world.agent(SITE, &["outbox", "import", &path(&world, "registry")]).good();
    world.agent(SITE, &["run", "--once"]).fault("operator", &["governance revoked site dept-a"]);

    // An aggregator that logs it all the same is refuted.
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    let parcel = read(&std::fs::read(world.scratch("late")).expect("reads")).expect("a parcel");
    let Content::Outbox(late) = &parcel.content else { panic!("an outbox") };
    let verdict = evidence.altered(|bundle| {
        let late = &late.releases[0];
        let digest = fedaudit_core::ids::Digest::of(&late.artifact.0);
        bundle.plan.entries.push(late.envelope.0.clone());
        bundle.plan.artifacts.insert(digest, late.artifact.0.clone());
        evidence.sign_plan_log(bundle);
    });
    let refuted = verdict.checks.iter().find(|check| check.check == "release" && check.outcome == "fail");
    let refuted = refuted.unwrap_or_else(|| panic!("{verdict:#?}"));
    assert!(refuted.found.contains("revoked by entry"), "{refuted:#?}");
    assert_eq!(verdict.code, 1, "{verdict:#?}");
}

#[test]
fn a_revocation_by_file_names_the_sizes_that_were_exported() {
    let world = world();
    let (registry, signed) = (path(&world, "registry"), path(&world, "signed"));
    world.aggregator(&["registry", "export", &registry]).good();
    let governance = world.scratch("elsewhere");
    copy(&world.governance(), &governance);
    let revoke = |home: &str| {
        let args = ["--governance", &governance.to_string_lossy(), "site", "revoke", SITE, "--from", &registry, "--to", &signed]
            .map(str::to_owned);
        let args: Vec<_> = ["--home".to_owned(), home.to_owned()].into_iter().chain(args).collect();
        run("fedaudit-aggregator", &args)
    };
    revoke("nowhere").good();
    // What was logged meanwhile would not hold: the document is refused, and the logs stay as they are.
    world.agent(SITE, &["run", "--once"]).good();
    let logs = world.logs();
    world.aggregator(&["import", &signed]).fault("operator", &["would not hold", "registry export"]);
    assert_eq!(world.logs(), logs);
    world.aggregator(&["registry", "export", &registry]).good();
    revoke("nowhere").good();
    world.aggregator(&["import", &signed]).good();
    world.logs();
    world.agent(SITE, &["run", "--once"]).fault("operator", &["which has ended"]);
}
