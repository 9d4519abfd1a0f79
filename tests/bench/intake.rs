//! How fast one thread reads events of 700 to 800 bytes, a line each, into codes of their contract.
//!
//! `cargo bench -p fedaudit-tests --bench intake`

use fedaudit_agent::intake::events_of_lines;
use fedaudit_core::contract::from_toml;
use std::hint::black_box;
use std::time::{Duration, Instant};

const CONTRACT: &str = r#"
contract = "credit"
version = 1
title = "Credit decisions"
task = "binary"
model = "scorer"
[decision]
values = ["deny", "grant"]
favourable = "grant"
[label]
values = ["default", "repaid"]
positive = "repaid"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "sex"
categories = ["female", "male"]
[[attribute]]
name = "age_group"
categories = ["18-25", "26-40", "41-65", "66+"]
"#;

/// Features of an event: eight numbers, three texts, a truth value.
fn contract() -> String {
    let number = |nth: usize| {
        format!(
            "[[feature]]\nname = \"amount_{nth}\"\ntype = \"number\"\nmin = 0\nmax = 100000\nedges = [100, 1000, 5000, 20000]\n"
        )
    };
    let text = |name: &str| {
        format!("[[feature]]\nname = \"{name}\"\ntype = \"category\"\ncategories = [\"own\", \"rent\", \"none\"]\n")
    };
    let numbers: String = (0..8).map(number).collect();
    let texts: String = ["housing", "savings", "job"].map(text).concat();
    format!("{CONTRACT}{numbers}{texts}[[feature]]\nname = \"foreign\"\ntype = \"boolean\"\n")
}

fn line(nth: usize) -> String {
    let amounts: String = (0..8)
        .map(|at| format!("\"amount_{at}\":{}.{:02},", (nth * 7_919 + at * 104_729) % 90_000, nth % 100))
        .collect();
    format!(
        "{{\"event_id\":\"018f6b1c-7d2a-7c3e-9b1f-{nth:012x}\",\"occurred_at\":\"2026-05-04T10:{:02}:{:02}.{:06}Z\",\"model_version\":\"2026-04-30.1\",\
         \"caller\":\"branch-app\",\"source\":\"gateway-1\",\"sequence\":{nth},\"risk_tier\":\"high\",\"decision\":\"grant\",\"score\":0.{:06},\
         \"threshold\":0.5,\"outputs\":[{{\"class\":\"grant\",\"confidence\":0.8125}}],\"attributes\":{{\"sex\":\"female\",\"age_group\":\"26-40\"}},\
         \"features\":{{{amounts}\"housing\":\"own\",\"savings\":\"none\",\"job\":\"rent\",\"foreign\":false}},\"subject\":\"customer-{:08}\",\
         \"explanation\":\"shap/2026/05/04/{nth}\",\"latency_ms\":3.25,\"cost\":0.0001}}\n",
        nth / 60 % 60,
        nth % 60,
        nth % 1_000_000,
        nth * 31 % 1_000_000,
        nth % 100_000
    )
}

fn main() {
    let contract = from_toml(&contract()).expect("a contract");
    let bodies: Vec<String> = (0..20).map(|body| (0..1_000).map(|at| line(body * 1_000 + at)).collect()).collect();
    let bytes: usize = bodies.iter().map(String::len).sum();
    println!("{} bytes an event", bytes / 20_000);
    for _ in 0..3 {
        let (start, mut events) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(2) {
            for body in &bodies {
                let (rows, bad) = events_of_lines(&contract, body.as_bytes()).expect("lines");
                assert_eq!(bad, 0);
                events += black_box(rows).len();
            }
        }
        println!("{:.0} events/s on one thread", events as f64 / start.elapsed().as_secs_f64());
    }
}
