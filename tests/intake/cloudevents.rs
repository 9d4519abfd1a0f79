//! Conversations of inference loggers, as they were recorded, replayed: shuffled, doubled, half missing, contradicted.

use crate::TCP;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedaudit_agent::journal::{Journal, Seen};
use fedaudit_core::contract::from_toml;
use fedaudit_core::event::{ABSENT, Prediction, TallyKind};
use fedaudit_core::time::Window;
use fedaudit_tests::http::{Answer, Http};
use fedaudit_tests::intake::{Desk, LOANS, LOANS_PLAN, SITE};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const KINDS: [TallyKind; 7] = [
    TallyKind::Paired,
    TallyKind::RequestOnly,
    TallyKind::ResponseOnly,
    TallyKind::Conflicting,
    TallyKind::Duplicate,
    TallyKind::OutcomeWithoutEvent,
    TallyKind::Sampled,
];

#[derive(Clone)]
struct Message {
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    /// What the conversation is called, and which part of it this is.
    of: (String, Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Request,
    Response,
    Feedback,
}

fn recorded(file: &str) -> (Vec<Message>, Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("intake/conversations").join(file);
    let file: Value = serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("JSON");
    let messages = file["messages"].as_array().expect("messages").iter().map(|message| message_of(&file, message));
    (messages.collect(), file.clone())
}

fn message_of(file: &Value, message: &Value) -> Message {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = message["headers"].as_object().expect("headers");
    let body = text(&message["body"]);
    let structured: Value = serde_json::from_str(&body).expect("JSON");
    let attribute = |name: &str| match headers.get(&format!("ce-{name}")) {
        Some(value) => text(value),
        None => text(&structured[name]),
    };
    let part = match attribute("type").rsplit('.').next() {
        Some("request") => Part::Request,
        Some("response") => Part::Response,
        _ => Part::Feedback,
    };
    let id = match (part, attribute("requestid")) {
        (Part::Feedback, _) => text(&structured["response"]["meta"]["puid"]),
        (_, id) if id.is_empty() => attribute("id"),
        (_, id) => id,
    };
    let headers = headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    Message { query: text(&file["query"]), headers, body, of: (id, part) }
}

fn send(http: &mut Http, token: &str, path: &str, message: &Message) -> Answer {
    let token = format!("Bearer {token}");
    let mut headers: Vec<(&str, &str)> =
        message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.push(("authorization", &token));
    let answer = http.ask("POST", &format!("{path}{}", message.query), &headers, message.body.as_bytes());
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// What the journal holds, once the daemon is down.
fn journaled(desk: &mut Desk) -> (Vec<Prediction>, [i64; 7]) {
    desk.stop();
    let contract = from_toml(LOANS).expect("a contract");
    let mut journal = Journal::open(&desk.home()).expect("opens");
    journal.verify().expect("whole");
    let (mut predictions, mut counts) = (Vec::new(), BTreeMap::new());
    let size = journal.size("predictions/loans/1").expect("reads");
    let year = Window::parse("2026-01-01T00:00:00Z/2027-01-01T00:00:00Z").expect("a window");
    let seen = |_, seen: Seen| {
        match seen {
            Seen::Prediction(prediction) => predictions.push(prediction.clone()),
            Seen::Tally(tally) => *counts.entry(tally.kind).or_default() += tally.change,
        }
        Ok(())
    };
    journal.predictions_in(&contract, year, size, seen).expect("reads");
    (predictions, KINDS.map(|kind| counts.get(&kind).copied().unwrap_or(0)))
}

#[test]
fn recorded_conversations_become_events_in_codes() {
    let mut desk = Desk::open(TCP);
    let mut expected = [0; 2];
    for (file, path) in [
        ("kserve-v1.json", "/v1/cloudevents"),
        ("kserve-v2.json", "/"),
        ("seldon-v1.json", "/"),
        ("mlserver.json", "/"),
    ] {
        let (messages, about) = recorded(file);
        for message in &messages {
            send(&mut desk.http(), &desk.token, path, message);
        }
        expected[0] += about["events"].as_u64().expect("a count");
        expected[1] += about["labels"].as_u64().unwrap_or(0);
    }
    assert_eq!([desk.journaled("predictions/loans/1"), desk.journaled("outcomes/loans/1")], expected);
    let (predictions, counts) = journaled(&mut desk);
    assert_eq!(counts, [25, 0, 0, 0, 0, 0, 0], "{KINDS:?}");
    // The fourth of KServe v1: [35, "female"] -> 0.375, below the threshold of 0.5.
    let fourth = &predictions[3];
    assert_eq!((fourth.decision, fourth.score_q), (0, Some(3 << 29)));
    assert_eq!((&fourth.features[..], &fourth.attributes[..]), (&[1, 0][..], &[0][..]));
    assert!(fourth.feature_hmac.is_some() && fourth.occurred_at.to_string() == "2026-05-04T10:03:00.123456789Z");
    // Two instances by name, decided by the model in words; 17 is in the first bin.
    let (grant, deny) = (&predictions[8], &predictions[9]);
    assert_eq!((grant.decision, &grant.features[..], grant.score_q), (1, &[1, 0][..], None));
    assert_eq!((deny.decision, &deny.features[..], &deny.attributes[..]), (0, &[0, 1][..], &[1][..]));
    // Confidences of both classes: the second is the score.
    let [low, high] = [&predictions[10], &predictions[11]];
    assert_eq!([low, high].map(|p| (p.decision, p.score_q)), [(0, Some(1 << 30)), (1, Some(7 << 29))]);
    assert_eq!(high.outputs.iter().map(|output| output.confidence_q).collect::<Vec<_>>(), [1 << 29, 7 << 29]);
    assert!(predictions.iter().all(|p| p.decision != ABSENT));
}

/// A replay: what was sent, in which order, and what must be counted of it.
struct Replay {
    messages: Vec<Message>,
    counts: [i64; 7],
    events: usize,
    outcomes: u64,
}

fn replay(rng: &mut StdRng) -> Replay {
    let mut parts: BTreeMap<String, BTreeSet<Part>> = BTreeMap::new();
    let (mut messages, mut doubles, mut conflicts) = (Vec::new(), 0, 0);
    for message in
        ["kserve-v1.json", "kserve-v2.json", "seldon-v1.json", "mlserver.json"].iter().flat_map(|file| recorded(file).0)
    {
        let fate = rng.next_u32() % 8;
        // One in eight is lost, two are sent again, one is contradicted.
        if fate == 0 {
            continue;
        }
        parts.entry(message.of.0.clone()).or_default().insert(message.of.1);
        if fate <= 2 {
            doubles += 1;
            messages.push(message.clone());
        }
        if fate == 3 && message.of.1 != Part::Feedback {
            let altered = contradicted(&message);
            conflicts += i64::from(altered.is_some());
            messages.extend(altered);
        }
        messages.push(message);
    }
    messages.shuffle(rng);
    let whole = |parts: &&BTreeSet<Part>| parts.contains(&Part::Request) && parts.contains(&Part::Response);
    let alone =
        |one: Part, other: Part| parts.values().filter(|p| p.contains(&one) && !p.contains(&other)).count() as i64;
    let labelled = parts.values().filter(|parts| parts.contains(&Part::Feedback));
    let (heard, unheard): (Vec<_>, Vec<_>) = labelled.partition(whole);
    let instances = |id: &str| if id.starts_with("v2-") || id == "batch-1" { 2 } else { 1 };
    let paired = parts.values().filter(whole).count() as i64;
    let counts = [
        paired,
        alone(Part::Request, Part::Response),
        alone(Part::Response, Part::Request),
        conflicts,
        doubles,
        unheard.len() as i64,
        0,
    ];
    let events = parts.iter().filter(|(_, parts)| whole(parts)).map(|(id, _)| instances(id)).sum();
    Replay { messages, counts, events, outcomes: heard.len() as u64 }
}

/// The same message with another content; none where the body has nothing that this test can change.
fn contradicted(message: &Message) -> Option<Message> {
    let changes = [
        ("\"female\"", "\"male\""),
        ("predictions\": [0.", "predictions\": [0.9"),
        ("0.75, 0.25", "0.5, 0.5"),
        ("[[0.4", "[[0.6"),
        ("\"grant\"", "\"deny\""),
    ];
    let (from, to) = changes.iter().find(|(from, _)| message.body.contains(from))?;
    Some(Message { body: message.body.replacen(from, to, 1), ..message.clone() })
}

/// What the site's release of the whole time says of intake, as it stands in the report.
fn reported(desk: &Desk) -> [i64; 7] {
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    let out = desk.world.scratch("report");
    desk.world.aggregator(&["report", "build", "loans-may", "--out", &out.to_string_lossy()]).good();
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).expect("reads")).expect("JSON");
    let intake = report["sites"][0]["intake"].as_object().expect("counts");
    KINDS.map(|kind| {
        let name = serde_json::to_value(kind).expect("a name");
        intake.get(name.as_str().expect("a text")).map_or(0, |count| count.as_i64().expect("a number"))
    })
}

#[test]
fn shuffled_doubled_contradicted_and_half_missing_the_counts_are_exact() {
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..4 {
        let mut desk = Desk::open(TCP);
        // Until feedback came, and what it says is due.
        desk.publish(&LOANS_PLAN.replace("end = \"2026-05-05", "end = \"2026-07-01"));
        let replay = replay(&mut rng);
        let half = replay.messages.len() / 2;
        for (nth, message) in replay.messages.iter().enumerate() {
            if nth == half {
                // What was answered with 200 is durable, halves included.
                desk.kill();
                desk.start();
            }
            // Loggers keep no order between connections.
            send(&mut desk.http(), &desk.token, "/v1/cloudevents", message);
        }
        assert_eq!(desk.journaled("outcomes/loans/1"), replay.outcomes, "round {round}");
        let (predictions, counts) = journaled(&mut desk);
        assert_eq!((predictions.len(), counts), (replay.events, replay.counts), "round {round}: {KINDS:?}");
        assert_eq!(reported(&desk), replay.counts, "round {round}: {KINDS:?}");
    }
}

#[test]
fn conversations_of_a_sampled_risk_tier_are_left_out_and_counted_once() {
    let mut desk = Desk::open(TCP);
    desk.stop();
    desk.configure("listen = \"127.0.0.1:0\"\nsample = { low = 2 }");
    desk.start();
    let (messages, about) = recorded("kserve-v1.json");
    for message in messages.iter().chain(&messages) {
        let join = if message.query.is_empty() { '?' } else { '&' };
        let message = Message { query: format!("{}{join}risk_tier=low", message.query), ..message.clone() };
        send(&mut desk.http(), &desk.token, "/v1/cloudevents", &message);
    }
    let (predictions, counts) = journaled(&mut desk);
    let events = about["events"].as_i64().expect("a count");
    let conversations = messages.iter().filter(|message| message.of.1 == Part::Request).count() as i64;
    assert_eq!(predictions.len() as i64 + counts[6], events, "{counts:?}");
    assert_eq!(counts[..6], [conversations, 0, 0, 0, messages.len() as i64, 0], "{KINDS:?}");
    assert!(predictions.iter().all(|prediction| prediction.tier > 0), "all are of the sampled tier");
}

#[test]
fn what_is_no_message_of_a_logger_is_told_or_counted() {
    let mut desk = Desk::open(TCP);
    let (messages, _) = recorded("kserve-v1.json");
    let first = messages[0].clone();
    let header = |name: &str, value: &str| {
        let mut message = first.clone();
        message.headers.retain(|(of, _)| of != name);
        if !value.is_empty() {
            message.headers.push((name.to_owned(), value.to_owned()));
        }
        message
    };
    let ask = |message: &Message, authorization: &str| {
        let mut headers: Vec<(&str, &str)> = message.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        headers.push(("authorization", authorization));
        desk.http().ask("POST", "/v1/cloudevents", &headers, message.body.as_bytes()).expect("an answer")
    };
    let bearer = format!("Bearer {}", desk.token);
    for (name, value, said) in [
        ("ce-id", "", "no header ce-id"),
        ("ce-specversion", "2.0", "specversion `2.0`"),
        ("ce-time", "noon", "time: `noon` is not a time"),
        ("ce-inferenceservicename", "another", "the address may say which"),
        ("content-type", "application/cloudevents-batch+json", "one message at a time"),
        ("content-type", "application/cloudevents+json", "structured mode"),
    ] {
        let answer = ask(&header(name, value), &bearer);
        assert!(answer.status == 400 && answer.body.contains(said), "{name}: {answer:?}");
    }
    assert_eq!(ask(&first, "Basic eDp3cm9uZw==").status, 401);
    // The token as a password: what a logger makes of http://x:TOKEN@host/.
    let basic = format!("Basic {}", STANDARD.encode(format!("x:{}", desk.token)));
    assert_eq!(ask(&first, &basic).json()["waiting"], 1);
    let other = ask(&header("ce-type", "io.seldon.serving.inference.outlier"), &bearer);
    assert!(other.status == 200 && other.body.contains("passed over"), "{other:?}");
    let mut strange = messages[1].clone();
    strange.body = json!({"predictions": [[0.1, 0.2, 0.7]]}).to_string();
    let answer = ask(&strange, &bearer);
    assert!(answer.status == 200 && answer.body.contains("an answer of 3 numbers"), "{answer:?}");
    assert_eq!(journaled(&mut desk).1, [0, 1, 0, 0, 0, 0, 0]);
}
