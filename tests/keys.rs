//! Keys that end, by real programs: what was logged before stays valid, what comes after is refused.

#[path = "keys/centre.rs"]
mod centre;
#[path = "keys/lost.rs"]
mod lost;
#[path = "keys/rotated.rs"]
mod rotated;

use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::continuity::{FORMAT, TransportKey, TransportText, attest_transport};
use fedaudit_core::envelope::Head;
use fedaudit_core::fault::Blame;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::parcel::{Content, Document, RegistryText, read};
use fedaudit_core::roster::{Party, Registry, Trust};
use fedaudit_core::time::Time;
use fedaudit_link::home::load_key;
use fedaudit_link::protocol::{Request, Response};
use fedaudit_tests::client::{Client, hello, key};
use fedaudit_tests::evidence::{Evidence, judge};
use fedaudit_tests::run;
use fedaudit_tests::world::{World, copy, name, restore};
use serde_json::{Value, json};
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

fn path(world: &World, name: &str) -> String {
    world.scratch(name).to_string_lossy().into_owned()
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(180);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_revoked_site_is_cut_and_what_it_logged_stays() {
    let world = world();
    world.agent(SITE, &["run", "--once"]).good();
    let daemon = world.federation.start_agent(&name(SITE), false).expect("starts");
    let client = Client::of_site(&world, SITE);
    assert!(client.ask(&hello(SITE)).is_ok(), "the site may speak");
    let logs = world.logs();

    world.aggregator(&["site", "revoke", "dept-x"]).fault("operator", &["dept-x", "site list"]);
    world.aggregator(&["site", "revoke", SITE, "--reason", "a\nb"]).fault("operator", &["`reason`"]);
    world.aggregator(&["site", "revoke", SITE, "--reason", "a laptop was stolen"]).good();
    assert!(world.aggregator(&["site", "revoke", SITE]).good().out.contains("revoked before"));
    // This connection, and the daemon's, if that has not left by itself: it is refused from now on.
    world.logged("connection cut: its key has ended");
    until("the connection lives on", || client.ask(&hello(SITE)).is_err());
    Client::of_site(&world, SITE).refused(&world, &hello(SITE), Blame::Operator, "key");
    world.logged("which has ended");
    drop(daemon);
    world.agent(SITE, &["run", "--once"]).fault("operator", &["key", "which has ended", "ask governance"]);

    let sites = world.aggregator(&["site", "list"]).good().out;
    let row = sites.lines().find(|line| line.starts_with("dept-a\trevoked")).unwrap_or_else(|| panic!("{sites}"));
    assert!(row.ends_with("\ta laptop was stolen"), "{row}");
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
    let said = world.agent(SITE, &["outbox", "import", &path(&world, "registry")]).good().out;
    assert!(said.contains("dept-a was revoked by governance"), "{said}");
    let said = world.agent(SITE, &["status"]).good().out;
    assert!(said.contains("governance revoked this site") && !said.contains("pending"), "{said}");
    world.agent(SITE, &["run", "--once"]).fault("operator", &["governance revoked site dept-a"]);

    // An aggregator that logs it all the same is refuted.
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    let parcel = read(&std::fs::read(world.scratch("late")).expect("reads")).expect("a parcel");
    let Content::Outbox(late) = &parcel.content else { panic!("an outbox") };
    let verdict = evidence.altered(|bundle| {
        let late = &late.releases[0];
        let digest = Digest::of(&late.artifact.0);
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
        let args = [
            "--governance",
            &governance.to_string_lossy(),
            "site",
            "revoke",
            SITE,
            "--from",
            &registry,
            "--to",
            &signed,
        ]
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

/// The registry's size.
fn registry(world: &World) -> u64 {
    let said = world.logs();
    let line = said.lines().find(|line| line.starts_with("admissions/registry: ")).expect("a registry");
    line.split(' ').nth(1).and_then(|size| size.parse().ok()).expect("a size")
}

#[test]
fn a_site_replaces_its_transport_key_while_it_runs() {
    let world = world();
    let daemon = world.federation.start_agent(&name(SITE), false).expect("starts");
    until("the daemon ships", || world.agent(SITE, &["outbox", "list"]).good().out.matches("received").count() == 6);
    let (before, entries) = (key(&world, SITE, "transport"), registry(&world));
    world.agent(SITE, &["key", "rotate", "--use", "transport"]).good();
    assert_ne!(key(&world, SITE, "transport").to_bytes(), before.to_bytes());
    assert!(!world.site(SITE).join("keys/transport.next.key").exists(), "it is no next key any more");
    assert_eq!(registry(&world), entries + 1);
    world.logged("connection cut: its key has ended");
    Client::connect(&world, &before).refused(&world, &hello(SITE), Blame::Operator, "key");

    // The daemon has gone on with the new key: what is signed from now on arrives.
    let received = || {
        let status: Value = serde_json::from_str(&world.agent(SITE, &["status", "--json"]).good().out).expect("JSON");
        status["registry_entries"] == json!(entries + 1) && status["heartbeat"]["received"] == json!(true)
    };
    until("the daemon goes on", received);
    drop(daemon);
    world.agent(SITE, &["run", "--once"]).good();
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn a_rotation_that_was_interrupted_goes_on() {
    let world = world();
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    world.agent(SITE, &["key", "rotate", "--use", "transport"]).good();
    // As if power had failed after the aggregator took the key, and before its answer came.
    let next = world.site(SITE).join("keys/transport.key");
    std::fs::copy(next, older.join("keys/transport.next.key")).expect("copies");
    let entries = registry(&world);
    restore(&older, &world.site(SITE));
    world.agent(SITE, &["run", "--once"]).good();
    assert!(!world.site(SITE).join("keys/transport.next.key").exists());
    assert_eq!(registry(&world), entries, "and no second one is published");

    // A next key that nobody took, in a home whose keys were revoked, helps nobody.
    restore(&older, &world.site(SITE));
    world.aggregator(&["site", "revoke", SITE]).good();
    world.agent(SITE, &["run", "--once"]).fault("operator", &["key", "ask governance"]);
}

#[test]
fn a_transport_key_is_the_sites_own_word() {
    let world = world();
    world.enrol(OTHER);
    let [of_site, of_other] = [SITE, OTHER].map(|site| Client::of_site(&world, site));
    let (registry, text) = exported(&world);
    let party = Party::Site(name(SITE));
    let head = || Head {
        federation: name("admissions"),
        issued_at: Time(0),
        seen: None,
        replaces: registry.party_digest(&party),
    };
    let new = SigningKey::from_bytes(&[77; 32]);
    let request = |version: u32, signer: &SigningKey, key: &SigningKey| {
        let text = TransportText { format: FORMAT, site: name(SITE), key: PublicKey::of(key) };
        let text = TransportKey::new(text).expect("valid");
        let mut signed = attest_transport(&text, version, head(), signer).expect("signs");
        Request::Transport((signed.envelope, signed.artifacts.remove(0)))
    };
    let attest = key(&world, SITE, "attest");
    let refused = |client: &Client, request: Request, check| client.refused(&world, &request, Blame::Site, check);
    refused(&of_other, request(2, &attest, &new), "signer");
    refused(&of_site, request(2, &key(&world, OTHER, "attest"), &new), "signer");
    refused(&of_site, request(2, &key(&world, SITE, "note"), &new), "signer");
    refused(&of_site, request(3, &attest, &new), "roster");
    refused(&of_site, request(2, &attest, &key(&world, OTHER, "transport")), "roster");
    // What governance signed is published by governance.
    let Document { envelope, artifact } = text.entries[0].clone();
    refused(&of_site, Request::Transport((envelope.0, artifact.0)), "registry");
    let asked = of_site.ask(&request(2, &attest, &new));
    assert!(matches!(asked, Ok(Response::Published { .. }) | Err(_)), "{asked:?}");
    let renewed = Client::connect(&world, &new);
    assert!(matches!(renewed.ask(&hello(SITE)), Ok(Response::Hello(_))));
}

#[test]
fn no_site_fills_the_registry_with_transport_keys() {
    let world = world();
    let (mut registry, _) = exported(&world);
    let (party, attest) = (Party::Site(name(SITE)), key(&world, SITE, "attest"));
    let next = |registry: &mut Registry, nth: u32| {
        let key =
            SigningKey::from_bytes(&[(nth / 200) as u8, (nth % 200) as u8].repeat(16).try_into().expect("32 bytes"));
        let text = TransportText { format: FORMAT, site: name(SITE), key: PublicKey::of(&key) };
        let replaces = registry.party_digest(&party);
        let head = Head { federation: name("admissions"), issued_at: Time(0), seen: None, replaces };
        let version = registry.party(&party).expect("is enrolled").version + 1;
        let text = TransportKey::new(text).expect("valid");
        let signed = attest_transport(&text, version, head, &attest).expect("signs");
        registry.apply(&signed.envelope, &signed.artifacts[0]).map_err(|refusal| (refusal.check, refusal.expected))
    };
    // As documents.md says, in a row.
    for nth in 1..=100 {
        assert_eq!(next(&mut registry, nth), Ok(()), "{nth}");
    }
    let refused = ("roster".to_owned(), "at most 100 transport keys by a site's own word".to_owned());
    assert_eq!(next(&mut registry, 101), Err(refused));
}

/// The registry as the aggregator exports it.
fn exported(world: &World) -> (Registry, RegistryText) {
    let mut registry = Registry::new(trust(world));
    let parcel = world.scratch("registry");
    world.aggregator(&["registry", "export", &parcel.to_string_lossy()]).good();
    let parcel = read(&std::fs::read(parcel).expect("reads")).expect("a parcel");
    let Content::Registry(text) = parcel.content.clone() else { panic!("a registry") };
    text.entries.iter().for_each(|of| registry.apply(&of.envelope.0, &of.artifact.0).expect("applies"));
    (registry, text)
}

fn trust(world: &World) -> Valid<Trust> {
    codec::from_json(&std::fs::read(world.home().join("trust.json")).expect("reads")).expect("a trust file")
}

#[test]
fn governance_grows_from_one_key_to_two_of_three() {
    let world = world();
    world.agent(SITE, &["run", "--once"]).good();
    world.ship(OTHER);
    let trust = world.home().join("trust.json").to_string_lossy().into_owned();
    let folders = ["second", "third"].map(|folder| path(&world, folder));
    for folder in &folders {
        world.aggregator(&["governance", "new", folder, "--trust", &trust]).good();
        world.aggregator(&["governance", "new", folder, "--trust", &trust]).fault("operator", &["exists"]);
    }
    let first = path(&world, "first.pem");
    let own = load_key(&world.governance().join("governance.key")).expect("a key");
    std::fs::write(&first, PublicKey::of(&own).pem()).expect("writes");
    let keys = [first, format!("{}/governance.pem", folders[0]), format!("{}/governance.pem", folders[1])];
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--key", key]).collect();
    let rotate = |threshold: &str| {
        world.aggregator(&[&["governance", "rotate", "--threshold", threshold][..], &keys[..]].concat())
    };
    rotate("4").fault("operator", &["`threshold` is 4"]);
    world.aggregator(&["governance", "rotate", "--threshold", "1", "--key", &trust]).fault("input", &["public key"]);
    rotate("2").good();

    // From now on one signature is too few, whoever's it is.
    world.aggregator(&["site", "revoke", SITE]).fault("operator", &["signer", "governance sign"]);
    let [registry, one, two] = ["registry", "one", "two"].map(|file| path(&world, file));
    world.aggregator(&["registry", "export", &registry]).good();
    let revoke = ["site", "revoke", SITE, "--from", &registry, "--to", &one];
    assert!(world.aggregator(&revoke).good().out.contains("the other signers"));
    world.aggregator(&["import", &one]).fault("operator", &["signer"]);
    let by = |folder: &str, args: &[&str]| run("fedaudit-aggregator", &[&["--governance", folder][..], args].concat());
    by(&folders[1], &["governance", "sign", &one, "--to", &two]).good();
    world.aggregator(&["import", &two]).good();
    assert!(world.aggregator(&["site", "list"]).good().out.contains("dept-a\trevoked"));
    world.logs();
    // Whoever has the first trust.json follows, and a registry with one signature where two are asked for is refuted.
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
    let Content::Governance(alone) = &read(&std::fs::read(one).expect("reads")).expect("a parcel").content.clone()
    else {
        panic!("governance documents")
    };
    let verdict = evidence.altered(|bundle| {
        *bundle.registry.entries.last_mut().expect("an entry") = alone.documents[0].envelope.0.clone();
        evidence.sign_registry(bundle);
    });
    verdict.is(2, "registry-entry", "registry/entries/6");
}
