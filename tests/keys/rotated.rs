//! Keys that a site asks governance for.

use super::*;
use fedaudit_agent::drive;
use fedaudit_agent::home::Home;
use fedaudit_agent::outbox::Outbox;
use fedaudit_agent::ship::Step;
use fedaudit_agent::site::Site;
use fedaudit_core::fault::Refusal;
use fedaudit_core::key::KeyUse;
use fedaudit_core::roster::{LastNumber, RosterKey};
use fedaudit_link::home::now;
use fedaudit_link::protocol::{Refused, RotateRequest};
use fedaudit_tests::python;
use std::path::{Path, PathBuf};

const USES: [&str; 3] = ["attest", "note", "transport"];

pub fn keys(world: &World, site: &str) -> [[u8; 32]; 3] {
    USES.map(|usage| key(world, site, usage).to_bytes())
}

fn next(world: &World, site: &str, usage: &str) -> PathBuf {
    world.site(site).join(format!("keys/{usage}.next.key"))
}

/// How many releases have their receipt.
pub fn received(world: &World, site: &str) -> usize {
    world.agent(site, &["outbox", "list"]).good().out.matches("received").count()
}

/// Asks for keys, and has governance give them; what both sides print of them.
fn rotate(world: &World, args: &[&str]) -> [String; 2] {
    let asked = world.agent(SITE, &[&["key", "rotate"], args].concat()).good().out;
    let listed = world.aggregator(&["site", "list"]).good().out;
    let granted = world.aggregator(&["site", "rotate", SITE]).good().out;
    let asked = asked.split("asked for: ").nth(1).and_then(|rest| rest.lines().next()).expect("ids").to_owned();
    assert!(listed.contains(&format!("dept-a\tasks for keys: {asked}\n")), "{asked}: {listed}");
    [asked, granted.trim().to_owned()]
}

#[test]
fn a_site_gets_the_keys_that_it_asked_for() {
    let world = world();
    let before = keys(&world, SITE);
    let asked = world.agent(SITE, &["key", "rotate"]).good().out;
    // Until governance has signed nothing new is, neither by the daemon nor by hand.
    let status = || world.agent(SITE, &["status"]).good().out;
    assert!(status().contains("until then nothing new is signed; governance signs them"), "{}", status());
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(world.agent(SITE, &["outbox", "list"]).good().out.lines().count(), 0, "nothing was signed");
    let plan = world.plan().to_string();
    let abstain = ["plan", "abstain", &plan, "--window", "all", "--reason", "no", "--by", "steward"];
    world.agent(SITE, &abstain).fault("operator", &["new keys wait", "key rotate --cancel"]);
    world.agent(SITE, &["key", "rotate", "--use", "transport"]).fault("operator", &["new keys wait"]);
    // Asked again, it is the same.
    assert_eq!(world.agent(SITE, &["key", "rotate"]).good().out, asked);
    let [asked, granted] = rotate(&world, &[]);
    assert_eq!(granted, format!("dept-a has from now on: {asked}"));
    assert!(USES.iter().all(|usage| asked.contains(usage)), "{asked}");

    // Connections by the old transport key are cut; the agent finds its way with the next one.
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6);
    let after = keys(&world, SITE);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    assert!(USES.iter().all(|usage| !next(&world, SITE, usage).exists()));
    let old = SigningKey::from_bytes(&before[2]);
    Client::connect(&world, &old).refused(&world, &hello(SITE), Blame::Operator, "key");
    assert!(!status().contains("nothing new is signed"), "{}", status());
    assert!(!world.aggregator(&["site", "list"]).good().out.contains("asks for keys"));
    world.aggregator(&["site", "rotate", SITE]).fault("operator", &["has not asked", "key rotate"]);
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn what_the_old_keys_signed_still_arrives_and_a_daemon_goes_on() {
    let world = world();
    // Signed, and on its way by file.
    world.agent(SITE, &["outbox", "export", &path(&world, "early")]).good();
    let daemon = world.federation.start_agent(&name(SITE), false).expect("starts");
    until("the daemon ships", || received(&world, SITE) == 6);
    let status =
        || -> Value { serde_json::from_str(&world.agent(SITE, &["status", "--json"]).good().out).expect("JSON") };
    until("the first heartbeat arrives", || status()["heartbeat"]["received"] == json!(true));
    let before = keys(&world, SITE);
    rotate(&world, &["--use", "attest", "--use", "note"]);
    until("the daemon takes the keys", || {
        !next(&world, SITE, "note").exists() && !next(&world, SITE, "attest").exists()
    });
    let after = keys(&world, SITE);
    assert!(before[0] != after[0] && before[1] != after[1] && before[2] == after[2]);
    until("the daemon knows", || status()["keys_wait"] == json!(false));
    drop(daemon);
    let receipts = path(&world, "receipts");
    world.aggregator(&["import", &path(&world, "early"), "--receipts", &receipts]).good();
    world.logs();
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn releases_that_were_signed_before_arrive_after_a_rotation() {
    let world = world();
    world.agent(SITE, &["outbox", "export", &path(&world, "early")]).good();
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    // The command reads the registry and sends nothing.
    rotate(&world, &[]);
    let receipts = path(&world, "receipts");
    world.aggregator(&["import", &path(&world, "early"), "--receipts", &receipts]).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6);
    let (registry, _) = exported(&world);
    let ended = registry.member(&PublicKey::of(&load_key(&older.join("keys/attest.key")).expect("a key")).id());
    let (_, ended) = ended.expect("a member").ended.clone().expect("ended");
    assert_eq!((ended.why.to_string().as_str(), ended.last[0].sequence), ("rotated", 5));
    // A copy of the home from before finds nobody who listens.
    restore(&older, &world.site(SITE));
    world.agent(SITE, &["run", "--once"]).fault("operator", &["which has ended"]);
}

/// Has the site's agent ask with what waits for this step, and hear that it is refused by `check`.
fn falsely_refused(world: &World, step: Step, check: &str) {
    let home = Home::open(&world.site(SITE)).expect("a home");
    let mut site = Site::open(home).expect("opens");
    let mut shipper = drive::shipper(&site).expect("a shipper");
    let ask = drive::ask(&mut site, &shipper, step).expect("asks").expect("something waits");
    let refusal = Refusal::new(check, "what holds", "what has ended");
    let refused = Response::Refused(Refused { blame: Blame::Site, refusal, hint: "sign it again".to_owned() });
    drive::hear(&mut site, &mut shipper, &ask, refused, now(), 0.0).expect_err("it is refused");
}

#[test]
fn by_the_aggregators_word_alone_no_number_is_signed_twice() {
    let world = world();
    world.agent(SITE, &["outbox", "export", &path(&world, "early")]).good();
    let outbox = || Outbox::open(&world.site(SITE)).expect("opens");
    let beat = outbox().pending_beat().expect("reads").expect("a heartbeat waits");
    for check in ["key", "epoch", "federation"] {
        falsely_refused(&world, Step::Heartbeat, check);
    }
    assert_eq!(outbox().pending_beat().expect("reads"), Some(beat));
    // After a rotation the old key still holds for what it had signed.
    rotate(&world, &[]);
    world.aggregator(&["registry", "export", &path(&world, "registry")]).good();
    world.agent(SITE, &["outbox", "import", &path(&world, "registry")]).good();
    assert!(!next(&world, SITE, "attest").exists());
    let signed = || outbox().list().expect("reads").iter().map(|of| of.envelope).collect::<Vec<_>>();
    let before = signed();
    falsely_refused(&world, Step::Submit, "key");
    assert_eq!((before.len(), signed()), (6, before));
    // Of the heartbeat that is not so, and the registry says it.
    falsely_refused(&world, Step::Heartbeat, "key");
    assert_eq!(outbox().pending_beat().expect("reads"), None);
}

#[test]
fn a_transport_key_that_was_asked_for_by_file_is_taken_back() {
    let world = world();
    let before = keys(&world, SITE);
    world.agent(SITE, &["key", "rotate", "--use", "transport", "--to", &path(&world, "request")]).good();
    assert!(next(&world, SITE, "transport").exists());
    assert!(world.agent(SITE, &["key", "rotate", "--cancel"]).good().out.contains("present keys go on"));
    assert!(!next(&world, SITE, "transport").exists());
    world.agent(SITE, &["key", "rotate", "--cancel"]).fault("operator", &["no new keys wait"]);
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((received(&world, SITE), keys(&world, SITE)), (6, before));
}

#[test]
fn a_request_is_taken_back_or_comes_too_late() {
    let world = world();
    let before = keys(&world, SITE);
    world.agent(SITE, &["key", "rotate", "--cancel"]).fault("operator", &["no new keys wait"]);
    world.agent(SITE, &["key", "rotate"]).good();
    assert!(world.agent(SITE, &["key", "rotate", "--cancel"]).good().out.contains("present keys go on"));
    world.aggregator(&["site", "rotate", SITE]).fault("operator", &["has not asked"]);
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((received(&world, SITE), keys(&world, SITE)), (6, before));
    rotate(&world, &["--use", "note", "--use", "attest"]);
    assert!(world.agent(SITE, &["key", "rotate", "--cancel"]).good().out.contains("too late"));
    assert!(keys(&world, SITE)[0] != before[0] && keys(&world, SITE)[2] == before[2]);
    world.agent(SITE, &["run", "--once"]).good();
    world.logs();
}

#[test]
fn keys_are_asked_for_and_given_by_file() {
    let world = world();
    let [request, registry, signed] = ["request", "registry", "signed"].map(|file| path(&world, file));
    let before = keys(&world, SITE);
    world.agent(SITE, &["key", "rotate", "--to", &request]).good();
    assert!(world.aggregator(&["import", &request]).good().out.contains("site rotate dept-a"));
    world.aggregator(&["registry", "export", &registry]).good();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/parcel.schema.json");
    let files = [schema.as_os_str(), request.as_ref(), registry.as_ref()];
    let answer = python("tests/foreign/validate_schema.py", &files);
    assert!(answer.content, "{}", answer.said);
    assert!(std::fs::read_to_string(&registry).expect("reads").contains("\"rotations\""));
    let governance = world.governance().to_string_lossy().into_owned();
    let args = ["--home", "nowhere", "--governance", &governance, "site", "rotate", SITE];
    let args = [&args[..], &["--from", &registry, "--to", &signed]].concat();
    assert!(run("fedaudit-aggregator", &args).good().out.contains("dept-a is to have: attest "));
    world.aggregator(&["import", &signed]).good();
    world.aggregator(&["registry", "export", &registry]).good();
    world.agent(SITE, &["outbox", "import", &registry]).good();
    assert!(keys(&world, SITE).iter().zip(&before).all(|(after, before)| after != before));
    // The request was for the roster entry as it was.
    world.aggregator(&["import", &request]).fault("site", &["roster", "as it is now"]);
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6);
}

#[test]
fn a_crash_between_two_keys_is_mended() {
    let world = world();
    // Between the first next key and the others: nothing is signed, and the command goes on.
    world.agent(SITE, &["key", "rotate"]).good();
    let first = std::fs::read(next(&world, SITE, "attest")).expect("reads");
    for usage in ["note", "transport"] {
        std::fs::remove_file(next(&world, SITE, usage)).expect("removes");
    }
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(world.agent(SITE, &["outbox", "list"]).good().out.lines().count(), 0);
    let older = world.scratch("older");
    copy(&world.site(SITE), &older);
    rotate(&world, &[]);
    world.agent(SITE, &["plan", "list"]).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(std::fs::read(world.site(SITE).join("keys/attest.key")).expect("reads"), first);

    // Between taking the first and the second: the home goes on with the second.
    let [present, waiting] = [world.site(SITE).join("keys/note.key"), next(&world, SITE, "note")];
    let new = std::fs::read(&present).expect("reads");
    std::fs::rename(&present, &waiting).expect("renames");
    std::fs::copy(older.join("keys/note.key"), &present).expect("copies");
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((std::fs::read(&present).expect("reads"), waiting.exists()), (new, false));
    world.logs();
}

#[test]
fn nobody_else_asks_for_a_sites_keys() {
    let world = world();
    world.enrol(OTHER);
    let (registry, _) = exported(&world);
    let party = Party::Site(name(SITE));
    let replaces = registry.party_digest(&party).expect("enrolled");
    let signing: Vec<SigningKey> = [41, 42, 43].map(|seed| SigningKey::from_bytes(&[seed; 32])).into();
    let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport];
    let asked = |signing: &[SigningKey], edit: &dyn Fn(&mut RotateRequest), attest: &SigningKey| {
        let keys = uses.iter().zip(signing).map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) });
        let (federation, last) = (name("admissions"), vec![LastNumber { plan: replaces, sequence: 3 }]);
        let (proofs, signature) = Default::default();
        let keys = keys.collect();
        let mut request = RotateRequest { federation, party: party.clone(), replaces, keys, last, proofs, signature };
        edit(&mut request);
        let request = request.sign(&signing.iter().collect::<Vec<_>>(), Some(attest)).expect("encodes");
        Request::Rotate(Some(Box::new(request)))
    };
    let (attest, none) = (key(&world, SITE, "attest"), |_: &mut RotateRequest| {});
    let [of_site, of_other] = [SITE, OTHER].map(|site| Client::of_site(&world, site));
    let refused = |client: &Client, request: Request, check| client.refused(&world, &request, Blame::Site, check);
    refused(&of_other, asked(&signing, &none, &attest), "signer");
    refused(&of_site, asked(&signing, &none, &key(&world, SITE, "note")), "signer");
    refused(&of_site, asked(&signing, &|of| of.party = Party::Aggregator, &attest), "signer");
    refused(&of_site, asked(&signing, &|of| of.federation = name("elsewhere"), &attest), "federation");
    refused(&of_site, asked(&signing, &|of| of.replaces = Digest([0; 32]), &attest), "roster");
    let held = USES.map(|usage| key(&world, SITE, usage));
    refused(&of_site, asked(&held, &none, &attest), "roster");
    let foreign = [key(&world, OTHER, "attest"), signing[1].clone(), signing[2].clone()];
    refused(&of_site, asked(&foreign, &none, &attest), "roster");
    let swapped = [signing[1].clone(), signing[1].clone(), signing[2].clone()];
    refused(&of_site, asked(&swapped, &none, &attest), "roster");
    let Request::Rotate(Some(mut unproven)) = asked(&signing, &none, &attest) else { panic!("a request") };
    unproven.proofs.swap(0, 1);
    refused(&of_site, Request::Rotate(Some(unproven)), "possession");
    let Request::Rotate(Some(mut unsigned)) = asked(&signing, &none, &attest) else { panic!("a request") };
    unsigned.signature.clear();
    refused(&of_site, Request::Rotate(Some(unsigned)), "signer");
    assert!(!world.aggregator(&["site", "list"]).good().out.contains("asks for keys"));
    // Nobody takes back what another one asked.
    assert!(matches!(of_site.ask(&asked(&signing, &none, &attest)), Ok(Response::Kept)));
    assert!(matches!(of_other.ask(&Request::Rotate(None)), Ok(Response::Kept)));
    assert!(world.aggregator(&["site", "list"]).good().out.contains("dept-a\tasks for keys: attest"));
}
