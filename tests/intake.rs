//! Intake over HTTP, through the real agent: what is answered, what is durable, and what the served document says.

#[path = "intake/client.rs"]
mod client;
#[path = "intake/clock.rs"]
mod clock;
#[path = "intake/cloudevents.rs"]
mod cloudevents;
#[path = "intake/document.rs"]
mod document;
#[path = "intake/durable.rs"]
mod durable;
#[path = "intake/readme.rs"]
mod readme;
#[path = "intake/trouble.rs"]
mod trouble;

use document::Seen;
use fedaudit_link::home::Lock;
use fedaudit_tests::http::Http;
use fedaudit_tests::intake::{Desk, LOANS, SITE, event, has_mode, lines, post};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TCP: &str = "listen = \"127.0.0.1:0\"";
const PREDICTIONS: &str = "/v1/predictions";
const OUTCOMES: &str = "/v1/outcomes";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn rejected(answer: &Value) -> Vec<(u64, String)> {
    let list = answer["rejected"].as_array().expect("a list").iter();
    list.map(|one| (one["line"].as_u64().expect("a line"), one["reason"].as_str().expect("a reason").to_owned()))
        .collect()
}

#[test]
fn what_is_taken_and_what_is_refused_is_as_the_document_says() {
    let desk = Desk::open(TCP);
    let mut seen = Seen::new(&desk);
    // One object, then an array, then lines: new, old, contradicting, wrong, no JSON.
    let one = seen.post(PREDICTIONS, JSON, &event("e-1").to_string());
    assert_eq!((one.status, one.json()), (200, json!({"taken": 1, "duplicates": 0, "rejected": []})));
    let mut full = event("e-2");
    full.as_object_mut().expect("an object").extend(document::every_key());
    let array = seen.post(PREDICTIONS, JSON, &json!([event("e-1"), full]).to_string());
    assert_eq!((array.status, array.json()), (200, json!({"taken": 1, "duplicates": 1, "rejected": []})));
    let mut other = event("e-1");
    other["score"] = json!(0.5);
    let mut misspelt = event("e-4");
    misspelt["attributes"] = json!({"sexx": "male"});
    let body = format!("{}\n{{\"event_id\":\n", lines(&[event("e-3"), other, misspelt]));
    let some = seen.post(PREDICTIONS, NDJSON, &body);
    assert_eq!((some.status, &some.json()["taken"], &some.json()["duplicates"]), (200, &json!(1), &json!(0)));
    let reasons = rejected(&some.json());
    assert_eq!(reasons.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 5], "{reasons:?}");
    assert!(reasons[0].1.contains("already journaled with another score"), "{reasons:?}");
    assert!(reasons[1].1.contains("the contract has no attribute `sexx`"), "{reasons:?}");
    // Labels: of an event that is there, again, wrong, and before its event.
    let label = |id: &str, label: &str| json!({"contract": "loans", "event_id": id, "label": label, "labelled_at": "2026-06-01T00:00:00Z"});
    let body = lines(&[label("e-1", "repaid"), label("e-1", "repaid"), label("e-1", "lost"), label("late", "default")]);
    let labels = seen.post(OUTCOMES, NDJSON, &body).json();
    assert_eq!([&labels["taken"], &labels["duplicates"], &labels["waiting"]], [1, 1, 1], "{labels}");
    assert_eq!(rejected(&labels)[0].0, 3, "{labels}");
    assert_eq!(seen.post(PREDICTIONS, JSON, &event("late").to_string()).json()["taken"], 1);
    // Nothing usable in it, and nothing readable at all.
    let mut unknown = event("e-5");
    unknown["descision"] = json!("deny");
    assert_eq!(seen.post(PREDICTIONS, JSON, &unknown.to_string()).status, 422);
    assert_eq!(seen.post(PREDICTIONS, JSON, "[{\"event_id\"").status, 400);
    assert_eq!(seen.post(PREDICTIONS, NDJSON, "").status, 400);
    assert_eq!(seen.post(PREDICTIONS, "text/csv", "event_id\n").status, 415);
    assert_eq!(seen.post(PREDICTIONS, NDJSON, &"x\n".repeat(20_001)).status, 413);
    seen.announced(9 << 20);
    seen.strangers();
    seen.conversation();
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(seen.get(path).status, 200);
        assert_eq!(seen.ask("DELETE", path).status, 405);
    }
    assert_eq!(desk.http().ask("GET", "/v2", &[], b"").expect("an answer").status, 404);
    // What was answered is what is there, and the log shows neither the token nor what identifies.
    assert_eq!((desk.journaled("predictions/loans/1"), desk.journaled("outcomes/loans/1")), (5, 3));
    assert!(!desk.log().contains(&desk.token) && !desk.log().contains("p-1"));
    seen.check(&[200, 400, 401, 405, 413, 415, 422]);
}

#[test]
fn a_full_queue_turns_away_and_what_it_took_is_there() {
    let desk = Desk::open(&format!("{TCP}\nqueue_events = 5"));
    // Whoever holds the journal's lock keeps the writer from writing.
    let lock = Lock::acquire(&desk.home().join("journal.lock")).expect("the lock");
    let send = |id: String| {
        let (mut http, token) = (desk.http(), desk.token.clone());
        std::thread::spawn(move || {
            post(&mut http, &token, PREDICTIONS, JSON, &event(&id).to_string()).expect("an answer")
        })
    };
    let mut waiting = vec![send("first".to_owned())];
    let until = Instant::now() + Duration::from_secs(60);
    // One batch is in the writer's hands, five wait; then no more is taken.
    let turned = loop {
        assert!(Instant::now() < until, "everything is taken");
        let many: Vec<_> = (0..4).map(|nth| event(&format!("{}-{nth}", waiting.len()))).collect();
        let (mut http, token) = (desk.http(), desk.token.clone());
        let next =
            std::thread::spawn(move || post(&mut http, &token, PREDICTIONS, NDJSON, &lines(&many)).expect("an answer"));
        std::thread::sleep(Duration::from_millis(50));
        if next.is_finished() {
            break next.join().expect("an answer");
        }
        waiting.push(next);
    };
    assert_eq!((turned.status, turned.header("retry-after")), (503, Some("1")), "{turned:?}");
    assert!(turned.json()["error"].as_str().expect("a text").contains("wait"), "{turned:?}");
    assert!(desk.http().ask("GET", "/healthz", &[], b"").is_ok_and(|answer| answer.status == 200));
    drop(lock);
    let taken: u64 = waiting
        .into_iter()
        .map(|answer| answer.join().expect("an answer").json()["taken"].as_u64().expect("a count"))
        .sum();
    assert!(taken >= 5, "{taken}");
    assert_eq!(desk.journaled("predictions/loans/1"), taken);
}

#[test]
fn a_socket_is_for_its_owner_and_survives_a_kill() {
    let mut desk = Desk::open("socket = \"intake.sock\"");
    let path = desk.home().join("intake.sock");
    assert_eq!(desk.address, format!("unix:{}", path.display()));
    assert!(has_mode(&path, 0o600) && has_mode(&desk.home().join("keys/intake.token"), 0o600));
    assert_eq!(desk.post(PREDICTIONS, JSON, &event("e-1").to_string()).json()["taken"], 1);
    assert_eq!(post(&mut desk.http(), "wrong", PREDICTIONS, JSON, "{}").expect("an answer").status, 401);
    desk.kill();
    assert!(path.exists(), "a kill leaves it");
    desk.start();
    assert_eq!(desk.post(PREDICTIONS, JSON, &event("e-1").to_string()).json()["duplicates"], 1);
}

#[test]
fn a_place_that_others_could_reach_is_refused() {
    let mut desk = Desk::open(TCP);
    desk.kill();
    for (table, said) in [
        ("listen = \"0.0.0.0:0\"", "other machines can reach"),
        ("listen = \"127.0.0.1:0\"\nsocket = \"s\"", "either `listen` or `socket`"),
        ("lisen = \"127.0.0.1:0\"", "unknown field `lisen`"),
        ("socket = \"no/such/folder\"", "cannot listen on"),
    ] {
        desk.configure(table);
        desk.world.agent(SITE, &["run"]).fault("operator", &[said]);
    }
}

#[test]
fn a_contract_published_meanwhile_is_known_without_a_restart() {
    let desk = Desk::open(TCP);
    let (path, mut named) = (desk.world.scratch("cards.toml"), event("e-1"));
    named["contract"] = json!("cards");
    assert_eq!(desk.post(PREDICTIONS, JSON, &named.to_string()).status, 422);
    std::fs::write(&path, LOANS.replace("\"loans\"", "\"cards\"")).expect("writes");
    desk.world.aggregator(&["contract", "publish", &path.to_string_lossy()]).good();
    let until = Instant::now() + Duration::from_secs(60);
    while desk.post(PREDICTIONS, JSON, &named.to_string()).status != 200 {
        assert!(Instant::now() < until, "cards stay unknown: {}", desk.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(desk.journaled("predictions/cards/1"), 1);
    let mut unnamed = event("e-2");
    unnamed.as_object_mut().expect("an object").remove("contract");
    let answer = desk.post(PREDICTIONS, JSON, &unnamed.to_string());
    assert!(answer.body.contains("name one in `contract`"), "{answer:?}");
}

#[test]
fn bodies_may_come_in_chunks() {
    let desk = Desk::open(TCP);
    let token = format!("Bearer {}", desk.token);
    let headers = [("authorization", token.as_str()), ("content-type", NDJSON), ("transfer-encoding", "chunked")];
    let body = lines(&[event("e-1"), event("e-2")]);
    let (first, rest) = body.split_at(100);
    let chunked = format!("{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", first.len(), rest.len());
    let mut http: Http = desk.http();
    assert_eq!(http.ask("POST", PREDICTIONS, &headers, chunked.as_bytes()).expect("an answer").json()["taken"], 2);
    // More than there is room for; the connection then ends, whatever was still to come.
    let endless = format!("{:x}\r\n{}\r\n", 9 << 20, "x".repeat(9 << 20));
    let refused = http.ask("POST", PREDICTIONS, &headers, endless.as_bytes());
    assert!(refused.map_or(true, |answer| answer.status == 413));
    assert_eq!(desk.post(OUTCOMES, JSON, "{}").status, 422);
}
