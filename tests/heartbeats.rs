//! Heartbeats by real programs: they are logged and pin the journal, and what is not one is refused by name.

use fedaudit_core::codec::to_json;
use fedaudit_core::continuity::{FORMAT, Heartbeat, HeartbeatText, attest_heartbeat};
use fedaudit_core::envelope::Head;
use fedaudit_core::fault::Blame;
use fedaudit_core::ids::Digest;
use fedaudit_core::parcel::{Content, Document, Outbox, Parcel, ParcelText};
use fedaudit_core::time::Time;
use fedaudit_link::protocol::{Request, Response};
use fedaudit_tests::client::{Client, hello};
use fedaudit_tests::forge::{Forger, Signed, journal_checkpoint};
use fedaudit_tests::run;
use fedaudit_tests::world::{World, name};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What a JSON listing of the aggregator says.
fn listed(world: &World, args: &[&str]) -> Vec<Value> {
    let said = world.aggregator(args).good().out;
    serde_json::from_str::<Value>(&said).expect("JSON").as_array().expect("a list").clone()
}

/// Lets a site's daemon run until it has this many heartbeats received.
fn beat(world: &World, site: &str, count: u64) {
    let daemon = world.federation.start_agent(&name(site), false).expect("starts");
    let until = Instant::now() + Duration::from_secs(60);
    let received = || {
        let status: Value = serde_json::from_str(&world.agent(site, &["status", "--json"]).good().out).expect("JSON");
        status["heartbeat"]["sequence"] == json!(count - 1) && status["heartbeat"]["received"] == json!(true)
    };
    while !received() {
        assert!(Instant::now() < until, "no heartbeat {count}: {}", world.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(daemon);
}

#[test]
fn a_daemon_sends_heartbeats_that_are_logged_and_read_back() {
    let mut world = World::new(&["dept-a", "dept-b"]);
    world.ship("dept-a");
    beat(&world, "dept-a", 1);
    let rows = listed(&world, &["heartbeat", "list", "--json"]);
    assert_eq!((rows.len(), &rows[0]["site"], &rows[0]["sequence"]), (1, &json!("dept-a"), &json!(0)));
    assert!(world.logs().contains("admissions/heartbeats: 1 entries"), "{}", world.logs());
    world.stop();
    world.start();
    // Not due again: nothing new, whoever restarts.
    beat(&world, "dept-a", 1);
    assert_eq!(listed(&world, &["heartbeat", "list", "--site", "dept-a", "--json"]), rows);
    let sites = listed(&world, &["site", "list", "--json"]);
    let row = sites.iter().find(|row| row["site"] == "dept-a").expect("listed");
    assert_eq!((&row["last_heartbeat"], &row["silent_since"]), (&rows[0]["at"], &Value::Null));
    // Its envelope is altered in the log: whoever verifies the logs says so.
    let bundle = world.home().join("logs/heartbeats/tile/entries/000.p/1");
    let mut bytes = std::fs::read(&bundle).expect("reads");
    bytes[100] ^= 1;
    std::fs::write(&bundle, bytes).expect("writes");
    assert_eq!(world.aggregator(&["log", "verify"]).code, Some(4));
}

/// What a heartbeat says.
#[derive(Clone)]
struct Draft {
    federation: &'static str,
    epoch: u32,
    sequence: u64,
    previous: Option<Digest>,
    size: u64,
    history: u8,
    at: &'static str,
}

const FIRST: Draft = Draft {
    federation: "admissions",
    epoch: 1,
    sequence: 0,
    previous: None,
    size: 1024,
    history: 0,
    at: "2026-01-05T00:00:00Z",
};

fn signed(forger: &Forger, site: &str, draft: &Draft) -> Signed {
    let origins = forger.origins(draft.epoch);
    let note = |origin: &String| journal_checkpoint(origin, draft.size, draft.history, &forger.note);
    let mut journal: Vec<String> = origins.iter().map(note).collect();
    journal.sort();
    let text = HeartbeatText { format: FORMAT, site: name(site), epoch: draft.epoch, journal };
    let at = Time::parse(draft.at).expect("a time");
    let head = Head { federation: name(draft.federation), issued_at: at, seen: Some(forger.seen()), replaces: None };
    let heartbeat = Heartbeat::new(text).expect("a heartbeat");
    let mut made = attest_heartbeat(&heartbeat, head, draft.sequence, draft.previous, &forger.attest).expect("signs");
    Signed { envelope: made.envelope, artifact: made.artifacts.remove(0) }
}

#[test]
fn heartbeats_that_do_not_follow_are_refused_by_name() {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    // Before: what the forger copies must have seen their keys.
    world.enrol("dept-b");
    world.enrol("dept-c");
    world.ship("dept-a");
    let client = Client::of_site(&world, "dept-b");
    assert!(matches!(client.ask(&hello("dept-b")), Ok(Response::Hello(_))));
    let forger = Forger::new(&world, "dept-b", "dept-a");
    let other = Forger::new(&world, "dept-c", "dept-a");
    let request = |signed: &Signed| Request::Heartbeat(Box::new(signed.submission()));
    let refused = |signed: &Signed, blame, check: &str| client.refused(&world, &request(signed), blame, check);
    let send = |signed: &Signed| match client.ask(&request(signed)) {
        Ok(Response::Receipt(receipt)) => receipt.proof,
        other => panic!("not received: {other:?}"),
    };
    refused(&signed(&forger, "dept-b", &Draft { sequence: 1, ..FIRST }), Blame::Site, "sequence");
    refused(&signed(&forger, "dept-b", &Draft { epoch: 2, ..FIRST }), Blame::Site, "epoch");
    refused(&signed(&forger, "dept-b", &Draft { federation: "others", ..FIRST }), Blame::Site, "federation");
    refused(&signed(&forger, "dept-b", &Draft { size: 1000, ..FIRST }), Blame::Site, "journal");
    refused(&signed(&other, "dept-c", &FIRST), Blame::Site, "signer");
    let first = signed(&forger, "dept-b", &FIRST);
    let proof = send(&first);
    assert!(proof.contains("\nindex 0\n") && proof.contains("admissions/heartbeats"), "{proof}");
    assert_eq!(send(&first), proof, "the same bytes again, the same receipt");
    refused(&signed(&forger, "dept-b", &Draft { history: 1, ..FIRST }), Blame::Site, "sequence");
    let second = Draft { sequence: 1, previous: Some(first.digest()), at: "2026-01-05T02:00:00Z", ..FIRST };
    refused(&signed(&forger, "dept-b", &Draft { previous: None, ..second }), Blame::Site, "previous");
    refused(&signed(&forger, "dept-b", &Draft { history: 1, ..second.clone() }), Blame::Site, "journal");
    refused(&signed(&forger, "dept-b", &Draft { size: 2048, ..second.clone() }), Blame::Operator, "journal");
    // A release over another journal than the heartbeat pinned.
    let rewritten = forger.release(0, None, |d| d.claim["journal"] = forger.journal(1, [1024, 1024], 1));
    client.refused(&world, &Request::Submit(Box::new(rewritten.submission())), Blame::Site, "journal");
    send(&signed(&forger, "dept-b", &second));
    assert!(world.logs().contains("admissions/heartbeats: 2 entries"), "{}", world.logs());
    // Two hours without one, and none since.
    let lines = world.aggregator(&["heartbeat", "list", "--site", "dept-b"]).good().out;
    assert!(lines.contains("silent from 2026-01-05T00:00:00Z to 2026-01-05T02:00:00Z"), "{lines}");
    let sites = world.aggregator(&["site", "list"]).good().out;
    assert!(sites.contains("dept-b\tenrolled\tsilent since 2026-01-05T02:00:00Z"), "{sites}");
    assert!(sites.contains("dept-c\tenrolled\tno heartbeat yet"), "{sites}");
}

#[test]
fn heartbeats_that_contradict_each_other_are_kept_and_judged() {
    let world = World::new(&["dept-a", "dept-b"]);
    world.enrol("dept-b");
    world.ship("dept-a");
    let forger = Forger::new(&world, "dept-b", "dept-a");
    let client = Client::of_site(&world, "dept-b");
    let first = signed(&forger, "dept-b", &FIRST);
    assert!(matches!(client.ask(&Request::Heartbeat(Box::new(first.submission()))), Ok(Response::Receipt(_))));
    let next = Draft { sequence: 1, previous: Some(first.digest()), history: 1, ..FIRST };
    // The number again with another history; the next one with another history; a number left out, which proves nothing.
    for (draft, check, proven) in [
        (Draft { history: 1, ..FIRST }, "sequence", true),
        (next, "journal", true),
        (Draft { sequence: 2, previous: Some(Digest([7; 32])), ..FIRST }, "sequence", false),
    ] {
        let before: Vec<Value> = listed(&world, &["conflict", "list", "--json"]);
        let request = Request::Heartbeat(Box::new(signed(&forger, "dept-b", &draft).submission()));
        client.refused(&world, &request, Blame::Site, check);
        let kept = listed(&world, &["conflict", "list", "--json"]);
        let new: Vec<_> = kept.iter().filter(|of| !before.contains(of)).collect();
        assert_eq!((new.len(), &new[0]["site"]), (1, &json!("dept-b")), "{kept:#?}");
        let file = world.scratch("conflict").to_string_lossy().into_owned();
        let _ = std::fs::remove_file(&file);
        world.aggregator(&["conflict", "export", new[0]["id"].as_str().expect("an id"), "--out", &file]).good();
        let trust = world.governance().join("trust.json").to_string_lossy().into_owned();
        let said = run("fedaudit-verify", &["conflict", &file, "--trust", &trust]);
        assert_eq!(said.code, Some(if proven { 0 } else { 2 }), "{check}: {said:#?}");
    }
}

/// Has a heartbeat carried by file; what the aggregator says of the site.
fn carried(world: &World, site: &str, heartbeat: &Signed) -> String {
    let [file, receipts] = ["parcel", "receipts"].map(|name| world.scratch(name).to_string_lossy().into_owned());
    let heartbeat = Some(Document::new(heartbeat.envelope.clone(), heartbeat.artifact.clone()));
    let outbox = Outbox { site: name(site), seen: Vec::new(), releases: Vec::new(), proofs: Vec::new(), heartbeat };
    let parcel = Parcel::new(ParcelText::new(name("admissions"), Content::Outbox(outbox))).expect("a parcel");
    std::fs::write(&file, to_json(&parcel).expect("encodes")).expect("writes");
    let said = world.aggregator(&["import", &file, "--receipts", &receipts]).good().out;
    assert!(said.contains("and a heartbeat"), "{said}");
    line(world, site)
}

fn line(world: &World, site: &str) -> String {
    let sites = world.aggregator(&["site", "list"]).good().out;
    sites.lines().find(|line| line.starts_with(site)).expect("listed").to_owned()
}

#[test]
fn a_site_by_file_is_silent_after_days_not_minutes() {
    let world = World::new(&["dept-a", "dept-b"]);
    world.enrol("dept-b");
    world.ship("dept-a");
    let forger = Forger::new(&world, "dept-b", "dept-a");
    let config = world.home().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    assert!(text.contains("\nby_file_days = 31\n"), "{text}");
    let first = signed(&forger, "dept-b", &FIRST);
    assert!(carried(&world, "dept-b", &first).contains("silent since 2026-01-05T00:00:00Z"), "for many months");
    // A century.
    std::fs::write(&config, text.replace("by_file_days = 31", "by_file_days = 36500")).expect("writes");
    assert!(line(&world, "dept-b").contains("last heartbeat 2026-01-05T00:00:00Z, by file"));
    let next = |sequence, of: &Signed, at| Draft { sequence, previous: Some(of.digest()), at, ..FIRST };
    let second = signed(&forger, "dept-b", &next(1, &first, "2026-01-06T00:00:00Z"));
    assert!(carried(&world, "dept-b", &second).contains("last heartbeat 2026-01-06T00:00:00Z, by file"));
    // It got a network: from then on, minutes count.
    let third = signed(&forger, "dept-b", &next(2, &second, "2026-01-06T01:00:00Z"));
    let client = Client::of_site(&world, "dept-b");
    assert!(matches!(client.ask(&Request::Heartbeat(Box::new(third.submission()))), Ok(Response::Receipt(_))));
    assert!(line(&world, "dept-b").contains("silent since 2026-01-06T01:00:00Z"));
    // Brought again: nothing new, and the last one still came over the network.
    assert!(carried(&world, "dept-b", &second).contains("silent since 2026-01-06T01:00:00Z"));
    // A day between two by file, and the way from the last of them to a network, was no silence.
    let gaps = world.aggregator(&["heartbeat", "list", "--site", "dept-b"]).good().out;
    assert!(!gaps.contains("silent from"), "{gaps}");
}
