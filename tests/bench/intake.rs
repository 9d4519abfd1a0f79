//! How fast one thread reads events such as the bench of the journal takes in, a line each, into codes of their contract.
//!
//! `cargo bench -p fedaudit-tests --bench intake`

#[path = "journal/events.rs"]
#[expect(dead_code, reason = "files and the plan are for the bench of the journal")]
mod events;

use events::{CONTRACT, line};
use fedaudit_agent::intake::events_of_lines;
use fedaudit_core::contract::from_toml;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    let contract = from_toml(CONTRACT).expect("a contract");
    let bodies: Vec<String> =
        (0..20).map(|body| (0..1_000).map(|at| line(body * 1_000 + at, 20_000)).collect()).collect();
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
