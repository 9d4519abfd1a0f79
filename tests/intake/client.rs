//! The client for Rust services and the example in Python, against the real agent.

use crate::TCP;
use fedaudit_client::{Client, Counts, Event, Options, Target};
use fedaudit_tests::intake::Desk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

const LOG: &str = "predictions/loans/1";

fn target(address: &str) -> Target {
    match address.strip_prefix("unix:") {
        Some(path) => Target::Socket(PathBuf::from(path)),
        None => Target::Tcp(address.trim_start_matches("http://").to_owned()),
    }
}

fn loan(nth: u64) -> Event {
    let mut event = Event::new(format!("e-{nth}"), UNIX_EPOCH + Duration::from_millis(1_777_000_000_000 + nth), "v1");
    event.contract = Some("loans".to_owned());
    event.decision = Some("grant".to_owned());
    event.score = Some(0.25);
    event.attributes = BTreeMap::from([("sex".to_owned(), "male".to_owned())]);
    event
}

#[test]
fn what_is_handed_over_is_delivered_over_either_way() {
    for place in [TCP, "socket = \"intake.sock\""] {
        let desk = Desk::open(place);
        let client = Client::connect(target(&desk.address), &desk.token, Options::default()).expect("a client");
        for nth in 0..5_000 {
            client.record(loan(nth)).expect("there is room");
        }
        let mut wrong = loan(5_000);
        wrong.decision = Some("perhaps".to_owned());
        client.record(wrong).expect("there is room");
        assert!(client.flush(Duration::from_secs(60)), "{:?}", client.last_trouble());
        let trouble = client.last_trouble().expect("a rejection");
        assert!(trouble.contains("decision \"perhaps\""), "{trouble}");
        let counts = client.close();
        assert_eq!(counts, Counts { handed_over: 5_001, delivered: 5_000, rejected: 1, dropped: 0 });
        assert_eq!(desk.journaled(LOG), 5_000);
    }
}

#[test]
fn an_agent_that_dies_and_comes_back_misses_nothing() {
    // A port of its own, so that the client finds the agent again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut desk = Desk::open(&format!("listen = \"{free}\""));
    let options = Options { batch_events: 50, patience: Duration::from_secs(2), ..Options::default() };
    let client = Client::connect(target(&desk.address), &desk.token, options).expect("a client");
    let mut next = 0;
    for _ in 0..3 {
        let until = client.counts().delivered + 200;
        while client.counts().delivered < until {
            let _ = client.record(loan(next)).inspect(|()| next += 1);
            std::thread::sleep(Duration::from_micros(100));
        }
        desk.kill();
        for _ in 0..100 {
            let _ = client.record(loan(next)).inspect(|()| next += 1);
        }
        desk.start();
    }
    assert!(client.flush(Duration::from_secs(60)), "{:?}", client.last_trouble());
    let counts = client.close();
    assert_eq!((counts.handed_over, counts.delivered, counts.rejected), (next, next, 0));
    assert_eq!(desk.journaled(LOG), next);
}

#[test]
fn without_an_agent_the_caller_goes_on_and_drops_are_counted() {
    let options = Options { queue_events: 1_000, flush: Duration::from_millis(300), ..Options::default() };
    let nobody = Target::Socket(PathBuf::from("no-agent-listens-here.sock"));
    let client = Client::connect(nobody, "token", options).expect("a client");
    let dropped = (0..3_000).filter(|nth| client.record(loan(*nth)).is_err()).count();
    assert_eq!(dropped, 2_000);
    assert!(!client.flush(Duration::from_millis(50)));
    assert!(client.last_trouble().is_some_and(|trouble| trouble.contains("cannot be reached")));
    let start = Instant::now();
    assert_eq!(client.close(), Counts { handed_over: 1_000, delivered: 0, rejected: 0, dropped: 2_000 });
    assert!(start.elapsed() < Duration::from_secs(5), "the deadline is heeded");
    assert!(Client::connect(Target::Tcp("127.0.0.1:1".to_owned()), " ", Options::default()).is_err());
}

#[test]
fn the_example_in_python_records_a_prediction() {
    let desk = Desk::open(TCP);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = std::env::var_os("FEDAUDIT_TOOLS").map_or_else(|| root.join(".tools"), PathBuf::from);
    let run = |id: &str, decision: &str, token: &Path| {
        let mut python = Command::new(tools.join("python/bin/python"));
        python.arg(root.join("../examples/python/record_prediction.py"));
        python.args(["--url", &desk.address, "--contract", "loans", "--decision", decision, "--score", "0.75"]);
        python
            .args(["--event-id", id, "--model-version", "v1", "--attribute", "sex=female", "--token-file"])
            .arg(token);
        python.output().expect("tests/setup installs Python")
    };
    let token = desk.home().join("keys/intake.token");
    let said = run("p-1", "grant", &token);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout), "taken 1, duplicates 0\n");
    let refused = run("p-2", "perhaps", &token);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("line 1: decision \"perhaps\""), "{refused:?}");
    assert!(!run("p-3", "grant", &desk.home().join("config.toml")).status.success());
    assert_eq!(desk.journaled(LOG), 1);
}
