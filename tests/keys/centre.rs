//! The aggregator's own keys.

use super::rotated::received;
use super::*;

const THIRD: &str = "dept-c";

/// A key of the aggregator.
fn own(world: &World, usage: &str) -> SigningKey {
    load_key(&world.home().join(format!("keys/{usage}.key"))).expect("a key")
}

/// Asks for keys, and has governance give them.
fn rotate(world: &World, uses: &[&str]) {
    let asked = world.aggregator(&[&["key", "rotate"], uses].concat()).good().out;
    let asked = asked.lines().next().and_then(|line| line.strip_prefix("asked for: ")).expect("ids");
    let listed = world.aggregator(&["site", "list"]).good().out;
    assert!(listed.contains(&format!("aggregator\tasks for keys: {asked}\n")), "{asked}: {listed}");
    let granted = world.aggregator(&["site", "rotate", "aggregator"]).good().out;
    assert_eq!(granted, format!("aggregator has from now on: {asked}\n"));
}

/// How many entries of the registry a site has.
fn entries(world: &World, site: &str) -> u64 {
    let status: Value = serde_json::from_str(&world.agent(site, &["status", "--json"]).good().out).expect("JSON");
    status["registry_entries"].as_u64().expect("a number")
}

/// Sites that know the registry from before, one of them running, one away.
fn with_sites() -> World {
    let world = world();
    world.agent(SITE, &["run", "--once"]).good();
    world.enrol(OTHER);
    world
}

/// A site in the roster imports its data, and sends all releases.
fn send(world: &World, site: &str) {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(site)).expect("data");
    world.agent(site, &["import", &file.to_string_lossy()]).good();
    world.agent(site, &["run", "--once"]).good();
    assert_eq!(received(world, site), 6);
}

#[test]
fn a_lost_attest_key_is_replaced_by_governance_alone() {
    let world = with_sites();
    send(&world, OTHER);
    let early = Evidence::of(&world);
    std::fs::remove_file(world.home().join("keys/attest.key")).expect("removes");
    world.aggregator(&["key", "rotate", "attest"]).fault("operator", &["attest.key"]);
    let asked = world.aggregator(&["key", "rotate", "attest", "--lost"]).good().out;
    assert!(asked.ends_with("next: fedaudit-aggregator site rotate aggregator --lost\n"), "{asked}");
    let before = registry(&world);
    world.aggregator(&["site", "rotate", "aggregator"]).fault("operator", &["is not signed", "by another way"]);
    assert_eq!(registry(&world), before, "nothing was signed");
    world.aggregator(&["site", "rotate", "aggregator", "--lost"]).good();
    let (registry, _) = exported(&world);
    let (_, ended) = registry.member(&PublicKey::of(&early.attest).id()).expect("known").ended.clone().expect("ended");
    assert_eq!(ended.why.to_string(), "lost");
    // It signs again; what the lost key signed holds, and what it signs from now on does not.
    let late = Evidence::of(&world);
    assert_ne!(late.attest.to_bytes(), early.attest.to_bytes());
    for evidence in [&early, &late] {
        assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
    }
    let (bytes, trust, log) = (late.bytes.clone(), late.trust.clone(), late.log.clone());
    let forged = Evidence { bytes, trust, attest: early.attest.clone(), log };
    let verdict = forged.altered(|bundle| forged.forge_report(bundle, &late.figures(), late.claim()));
    assert!(verdict.code == 1 && verdict.checks.iter().any(|of| of.found.contains("lost by entry")), "{verdict:#?}");
    // Asked with the key at hand, nothing is lost.
    world.aggregator(&["key", "rotate", "attest"]).good();
    world.aggregator(&["site", "rotate", "aggregator", "--lost"]).fault("operator", &["says of none that it is lost"]);
}

#[test]
fn a_lost_log_key_is_replaced_by_governance_alone() {
    let mut world = with_sites();
    send(&world, OTHER);
    let early = Evidence::of(&world);
    let (before, logs) = (registry(&world), world.logs());
    world.stop();
    let path = world.home().join("keys/log.key");
    let copied = std::fs::read(&path).expect("reads");
    std::fs::remove_file(&path).expect("removes");
    // Nothing can be logged, everything can be read.
    world.aggregator(&["run"]).fault("operator", &["log.key is missing", "key rotate log --lost"]);
    let revoke = |world: &World| world.aggregator(&["site", "revoke", OTHER]);
    revoke(&world).fault("operator", &["log.key is missing", "--lost"]);
    assert_eq!((registry(&world), world.logs()), (before, logs));
    world.aggregator(&["key", "rotate", "attest"]).fault("operator", &["log.key"]);
    world.aggregator(&["key", "rotate", "--cancel"]).good();

    world.aggregator(&["key", "rotate", "log", "--lost"]).good();
    world.aggregator(&["site", "rotate", "aggregator"]).fault("operator", &["is not signed", "by another way"]);
    revoke(&world).fault("operator", &["log.key is missing"]);
    world.aggregator(&["site", "rotate", "aggregator", "--lost"]).good();
    assert_ne!(own(&world, "log").to_bytes(), early.log.to_bytes());
    let (exported, _) = exported(&world);
    let (_, ended) = exported.member(&PublicKey::of(&early.log).id()).expect("known").ended.clone().expect("ended");
    assert_eq!(ended.why.to_string(), "lost");
    // Sites that know the key before follow, and so does one that was away; what it signed holds.
    world.start();
    world.enrol(THIRD);
    for site in [SITE, OTHER, THIRD] {
        world.agent(site, &["plan", "list"]).good();
        assert_eq!(entries(&world, site), registry(&world), "{site}");
    }
    world.agent(SITE, &["run", "--once"]).good();
    let late = Evidence::of(&world);
    for evidence in [&early, &late] {
        assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
    }
    let forged =
        Evidence { log: early.log.clone(), bytes: late.bytes.clone(), trust: late.trust.clone(), attest: late.attest };
    forged.altered(|bundle| forged.sign_registry(bundle)).is(1, "registry-checkpoint", "registry/checkpoint");
    forged.altered(|bundle| forged.sign_plan_log(bundle)).is(1, "plan-checkpoint", "plan/checkpoint");

    // A copy of the key that comes back signs nothing.
    let present = std::fs::read(&path).expect("reads");
    world.stop();
    std::fs::write(&path, copied).expect("writes");
    world.aggregator(&["run"]).fault("operator", &["is not the log key that the registry names"]);
    revoke(&world).fault("operator", &["is not the log key that the registry names"]);
    std::fs::write(&path, present).expect("writes");
    world.start();
    revoke(&world).good();
}

#[test]
fn the_log_key_changes_and_every_reader_follows() {
    let world = with_sites();
    let daemon = world.federation.start_agent(&name(SITE), false).expect("starts");
    let (log, attest) = (own(&world, "log"), own(&world, "attest"));
    rotate(&world, &["log", "attest"]);
    assert!(own(&world, "log").to_bytes() != log.to_bytes() && own(&world, "attest").to_bytes() != attest.to_bytes());
    assert!(!world.home().join("keys/log.next.key").exists());
    // Entries that only the next key covers, for a reader who knows neither of both changes; a second change; a new site.
    rotate(&world, &["log"]);
    world.enrol(THIRD);
    assert_eq!(entries(&world, THIRD), registry(&world), "a new site reads all of it at once");
    send(&world, OTHER);
    assert_eq!(entries(&world, OTHER), registry(&world));
    until("the daemon reads on", || entries(&world, SITE) == registry(&world));
    drop(daemon);
    world.agent(SITE, &["run", "--once"]).good();
    world.logs();

    let evidence = Evidence::of(&world);
    let verdict = judge(&evidence.bytes, &evidence.trust);
    assert_eq!(verdict.code, 0, "{verdict:#?}");
    // A registry, or a plan's log, of today under the key of yesterday.
    let old = |log: &SigningKey, attest: &SigningKey| Evidence {
        bytes: evidence.bytes.clone(),
        trust: evidence.trust.clone(),
        attest: attest.clone(),
        log: log.clone(),
    };
    let forged = old(&log, &evidence.attest);
    forged.altered(|bundle| forged.sign_registry(bundle)).is(1, "registry-checkpoint", "registry/checkpoint");
    forged.altered(|bundle| forged.sign_plan_log(bundle)).is(1, "plan-checkpoint", "plan/checkpoint");
    let forged = old(&evidence.log, &attest);
    let verdict = forged.altered(|bundle| forged.forge_report(bundle, &evidence.figures(), evidence.claim()));
    assert!(verdict.code == 1 && verdict.checks.iter().any(|of| of.found.contains("rotated by entry")), "{verdict:#?}");
}

#[test]
fn a_change_of_the_log_key_that_was_interrupted_goes_on() {
    let mut world = with_sites();
    world.stop();
    let older = world.scratch("older");
    world.aggregator(&["key", "rotate", "log", "attest"]).good();
    // A crash before governance signs: the present keys go on, and the request waits.
    copy(&world.home().join("keys"), &older);
    world.logs();
    world.aggregator(&["site", "rotate", "aggregator"]).good();
    let new = own(&world, "log").to_bytes();
    // A crash right after the commit: no key was taken.
    restore(&older, &world.home().join("keys"));
    world.logs();
    assert_eq!(own(&world, "log").to_bytes(), new);
    // A crash between two keys.
    for file in ["attest.key", "attest.next.key"] {
        std::fs::copy(older.join(file), world.home().join("keys").join(file)).expect("copies");
    }
    world.start();
    world.enrol(THIRD);
    assert!(!world.home().join("keys/attest.next.key").exists());
    send(&world, OTHER);
    world.agent(SITE, &["run", "--once"]).good();
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn sites_learn_the_next_transport_key_before_it_is_shown() {
    let mut world = with_sites();
    let before = own(&world, "transport");
    world.aggregator(&["key", "rotate", "transport"]).good();
    world.aggregator(&["key", "rotate", "--cancel"]).good();
    world.aggregator(&["site", "rotate", "aggregator"]).fault("operator", &["has not asked"]);
    assert_eq!(own(&world, "transport").to_bytes(), before.to_bytes());
    rotate(&world, &["transport"]);
    assert!(own(&world, "transport").to_bytes() != before.to_bytes());
    // The daemon shows the old one until it is started again, and the site reads what comes.
    world.agent(SITE, &["run", "--once"]).good();
    world.agent(SITE, &["run", "--once"]).good();
    world.stop();
    world.start();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6);
    // The one before is taken for a while, and none before that one.
    let taken = || {
        let home = fedaudit_agent::home::Home::open(&world.site(SITE)).expect("a home");
        fedaudit_agent::site::Site::open(home).expect("opens").server_keys()
    };
    let [first, second] = [before, own(&world, "transport")].map(|key| PublicKey::of(&key).id());
    assert_eq!(taken(), [second, first]);
    rotate(&world, &["transport"]);
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(taken(), [PublicKey::of(&own(&world, "transport")).id(), second]);
    // Who missed it takes the registry by file.
    let said = world.agent(OTHER, &["plan", "list"]).good().err;
    assert!(said.contains("holds a different key") && said.contains("registry in by file"), "{said}");
    let parcel = path(&world, "registry.parcel");
    world.aggregator(&["registry", "export", &parcel]).good();
    world.agent(OTHER, &["outbox", "import", &parcel]).good();
    send(&world, OTHER);
}

#[test]
fn the_log_key_changes_by_file_only_where_nothing_was_logged_since() {
    let world = world();
    let [exported, signed] = ["exported", "signed"].map(|file| path(&world, file));
    let governance = world.governance().to_string_lossy().into_owned();
    world.aggregator(&["key", "rotate", "log"]).good();
    let sign = || {
        world.aggregator(&["registry", "export", &exported]).good();
        let args = ["--home", "nowhere", "--governance", &governance, "site", "rotate", "aggregator"];
        run("fedaudit-aggregator", &[&args[..], &["--from", &exported, "--to", &signed]].concat()).good();
    };
    sign();
    // Neither in a plan's log nor in the registry.
    world.agent(SITE, &["run", "--once"]).good();
    let logs = world.logs();
    world.aggregator(&["import", &signed]).fault("operator", &["would not hold", "registry export"]);
    sign();
    world.enrol(OTHER);
    world.aggregator(&["import", &signed]).fault("operator", &["would not hold", "registry export"]);
    assert_ne!(world.logs(), logs);
    sign();
    // A home without the key that the document names.
    let [next, away] = [world.home().join("keys/log.next.key"), world.scratch("away")];
    std::fs::rename(&next, &away).expect("renames");
    world.aggregator(&["import", &signed]).fault("operator", &["keys/log.next.key is not the log key"]);
    std::fs::rename(&away, &next).expect("renames");
    world.aggregator(&["import", &signed]).good();
    send(&world, OTHER);
    world.agent(SITE, &["run", "--once"]).good();
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}
