//! Canaries: numbers and names that must not leave a site, planted in a federation's rows and looked for in every byte that
//! does: the agent's requests before they are encrypted, its outbox, all that the aggregator keeps and logs, the bundle.
//! With k = 1 the same search finds the numbers, so it can see.

#[path = "canary/listener.rs"]
mod listener;

use fedaudit_core::event::SCORE_ONE;
use fedaudit_core::key::KeyUse;
use fedaudit_link::home::load_key;
use fedaudit_tests::intake::LOANS;
use fedaudit_tests::world::{World, name};
use listener::Listener;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const K: u64 = 4_000;
const SITES: [&str; 2] = ["dept-a", "dept-b"];

/// Rows that are alike: sex, age, decision, label, score, how many.
type Rows = (&'static str, u64, &'static str, Option<&'static str>, f64, usize);

/// A site with groups, cells, bins of scores and features below k; each number of rows is there once only.
const ROWS: [Rows; 8] = [
    ("female", 30, "grant", Some("repaid"), 0.75, 4_507),
    ("female", 30, "grant", Some("default"), 0.75, 4_513),
    ("female", 30, "deny", None, 0.25, 4_517),
    ("male", 30, "grant", Some("repaid"), 0.75, 4_519),
    ("male", 30, "grant", Some("default"), 0.75, 4_523),
    ("male", 30, "deny", None, 0.25, 4_547),
    // Nobody else was denied and repaid.
    ("male", 10, "deny", Some("repaid"), 0.125, 2_389),
    // A group of its own.
    ("divers", 30, "grant", None, 0.625, 3_761),
];

/// What is in few rows, or one.
const COST: u64 = 987_654_321;
const LATENCY_US: u64 = 76_543_210;
const TOKENS: u64 = 55_667_788;

fn rows(site: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for (sex, age, decision, label, score, count) in ROWS.iter().filter(|of| site == SITES[0] || of.5 > 4_000) {
        for _ in 0..*count {
            let n = events.len();
            let mut event = json!({
                "contract": "loans", "event_id": format!("canary-event-{site}-{n}"), "model_version": "v1",
                "occurred_at": "2026-05-04T10:00:00Z", "decision": decision, "score": score,
                "attributes": { "sex": sex }, "subject": format!("canary-person-{n}"),
                "features": { "age": age, "sex": "female" },
            });
            if let Some(label) = label {
                event["label"] = json!(label);
                event["labelled_at"] = json!("2026-05-04T20:00:00Z");
            }
            if n == 7 && site == SITES[0] {
                event["cost"] = json!(COST as f64 / 1e6);
                event["latency_ms"] = json!(LATENCY_US / 1000);
                event["tokens_in"] = json!(TOKENS);
            }
            events.push(event);
        }
    }
    events
}

/// Numbers that must not leave the site.
fn planted() -> Vec<(&'static str, u64)> {
    let q = |score: f64| (score * SCORE_ONE as f64) as u64;
    vec![
        ("events of a small group", 3_761),
        ("events of a small cell", 2_389),
        ("their scores, added", q(0.625) * 3_761),
        ("scores of a small cell, added", q(0.125) * 2_389),
        ("one event's cost", COST),
        ("one event's tokens", TOKENS),
    ]
}

/// All that left both sites, and what became of it, in a federation with this k.
fn left(k: u64) -> Vec<(String, Vec<u8>)> {
    let mut world = World::new(&SITES);
    let contract = world.scratch("loans.toml");
    let text = LOANS.replace(r#"categories = ["female", "male"]"#, r#"categories = ["female", "male", "divers"]"#);
    std::fs::write(&contract, text.replace("version = 1\n", "version = 1\ncurrency = \"EUR\"\n")).expect("writes");
    world.aggregator(&["contract", "publish", &contract.to_string_lossy()]).good();
    let plan = world.scratch("loans-plan.toml");
    std::fs::write(&plan, plan_of(k)).expect("writes");
    world.aggregator(&["plan", "publish", &plan.to_string_lossy()]).good();
    let mut found = Vec::new();
    for site in SITES {
        world.federation.enrol(&name(site), 1).expect("enrols");
        let (address, _) = world.address().expect("an address");
        let key =
            |home: PathBuf| load_key(&home.join("keys").join(format!("{}.key", KeyUse::Transport))).expect("a key");
        let listener = Listener::between(&address, &key(world.home()), &key(world.site(site)));
        readdress(&world.site(site), &listener.address);
        let file = world.scratch(&format!("{site}.ndjson"));
        let lines: String = rows(site).iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(&file, lines).expect("writes");
        world.agent(site, &["plan", "list"]).good();
        world.agent(site, &["import", &file.to_string_lossy(), "--contract", "loans"]).good();
        world.agent(site, &["plan", "accept", "canary"]).good();
        world.agent(site, &["run", "--once"]).good();
        let listed = world.agent(site, &["release", "list"]).good().out;
        assert!(listed.contains("received"), "{listed}");
        found.extend(listener.heard().into_iter().map(|bytes| (format!("a request of {site}"), bytes)));
        files(&world.site(site).join("outbox.sqlite"), &mut found);
    }
    let out = world.scratch("report");
    world.aggregator(&["report", "build", "canary", "--out", &out.to_string_lossy()]).good();
    world.stop();
    files(&out, &mut found);
    files(&world.home(), &mut found);
    found.push(("the aggregator's log".to_owned(), world.log().into_bytes()));
    found
}

fn plan_of(k: u64) -> String {
    format!(
        r#"
plan = "canary"
version = 1
title = "What must not leave"
contract = "loans"
model_versions = ["v1"]
required_sites = ["dept-a", "dept-b"]
[windows]
start = "2026-05-04T00:00:00Z"
end = "2026-05-05T00:00:00Z"
release_after_hours = 24
[disclosure]
k = {k}
[[slice]]
attributes = ["sex"]
reference = ["male"]
"#
    )
}

/// Has a home connect to another address.
fn readdress(home: &Path, address: &str) {
    let path = home.join("enrolment.json");
    let mut enrolment: Value = serde_json::from_slice(&std::fs::read(&path).expect("reads")).expect("JSON");
    enrolment["address"] = json!(address);
    std::fs::write(&path, enrolment.to_string()).expect("writes");
}

/// A file, or all files of a folder; what a bundle packs is unpacked.
fn files(path: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    if path.is_dir() {
        std::fs::read_dir(path).expect("lists").flatten().for_each(|entry| files(&entry.path(), found));
        return;
    }
    let bytes = std::fs::read(path).expect("reads");
    if let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(&bytes)) {
        for at in 0..archive.len() {
            let mut file = archive.by_index(at).expect("a file");
            let mut inner = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut inner).expect("reads");
            let name = file.name().expect("a name").into_owned();
            found.push((format!("{name} in {}", path.display()), inner));
        }
    }
    found.push((path.display().to_string(), bytes));
}

/// Places where a number stands by itself in a text, however its thousands are parted.
fn places(found: &[(String, Vec<u8>)], number: u64) -> Vec<&str> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let texts = spellings(number);
    let holds = |bytes: &[u8]| {
        texts.iter().any(|text| {
            memchr::memmem::find_iter(bytes, text.as_bytes()).any(|at| {
                !is_word(at.checked_sub(1).and_then(|at| bytes.get(at))) && !is_word(bytes.get(at + text.len()))
            })
        })
    };
    found.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.as_str()).collect()
}

fn spellings(number: u64) -> Vec<String> {
    let digits = number.to_string();
    let parted = |by: &str| {
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push_str(by);
            }
            text.push(digit);
        }
        text
    };
    ["", ",", " ", "\u{a0}", "\u{2009}", "\u{202f}", "'", "_"].map(parted).to_vec()
}

#[test]
fn nothing_that_is_too_few_leaves_in_any_byte() {
    let found = left(K);
    for (what, number) in planted() {
        let places = places(&found, number);
        assert!(places.is_empty(), "{what} ({number}) left: {places:?}");
    }
    for text in ["canary-event", "canary-person"] {
        let holding = |bytes: &[u8]| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        let places: Vec<_> = found.iter().filter(|(_, bytes)| holding(bytes)).map(|(name, _)| name).collect();
        assert!(places.is_empty(), "{text} left: {places:?}");
    }
    // What may be shown is in all of these places, so they were looked at.
    let shown = places(&found, 4_507);
    for place in ["a request of dept-a", "outbox.sqlite", "report.json", "report.html", "bundle"] {
        assert!(shown.iter().any(|of| of.contains(place)), "{place}: {shown:?}");
    }
}

#[test]
fn with_k_of_1_the_same_search_finds_them() {
    let found = left(1);
    for (what, number) in planted() {
        let places = places(&found, number);
        assert!(places.iter().any(|of| of.contains("a request of dept-a")), "{what} ({number}): {places:?}");
    }
}
