//! Senders that hand over events and their outcomes, and know what they were answered.

use crate::http::Http;
use crate::intake::{Desk, event, lines, post};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SENDERS: u64 = 4;
const BATCH: u64 = 7;
const NDJSON: &str = "application/x-ndjson";
/// Where events and outcomes go, and where they come to lie.
pub const LOGS: [(&str, &str); 2] = [("/v1/predictions", "predictions/loans/1"), ("/v1/outcomes", "outcomes/loans/1")];

/// What was sent, and what was answered.
#[derive(Default)]
pub struct Load {
    next: AtomicU64,
    /// When, by the clock of the test; the path; the first of the batch.
    answered: Mutex<Vec<(u64, &'static str, u64)>>,
    /// Which sender's batches were refused for now, and why.
    refused: Mutex<Vec<(u64, String)>>,
    /// Which senders got no answer any more, and what they got.
    cut: Mutex<Vec<(u64, String)>>,
    stop: AtomicBool,
}

impl Load {
    /// Runs senders against a desk until `end` says so; `clock` says when an answer came.
    ///
    /// # Panics
    /// An answer that is neither 200 nor a 503 that says why and when to come again.
    pub fn run(&self, desk: &mut Desk, clock: impl Fn() -> u64 + Sync, end: impl FnOnce(&mut Desk)) {
        self.stop.store(false, Ordering::Relaxed);
        let (address, token) = (desk.address.clone(), desk.token.clone());
        std::thread::scope(|scope| {
            let (address, token, clock) = (&address, &token, &clock);
            for sender in 0..SENDERS {
                scope.spawn(move || self.send(sender, address, token, clock));
            }
            // Whatever becomes of `end`, the senders stop.
            let _stop = Stop(&self.stop);
            end(desk);
        });
    }

    /// Sends batches of new events, and their outcomes, until there is no answer.
    fn send(&self, sender: u64, address: &str, token: &str, clock: impl Fn() -> u64) {
        let Ok(mut http) = Http::connect(address) else { return };
        while !self.stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(BATCH, Ordering::Relaxed);
            for (path, _) in LOGS {
                let answer = match post(&mut http, token, path, NDJSON, &body(path, first..first + BATCH)) {
                    Ok(answer) => answer,
                    Err(error) => return self.cut.lock().expect("no sender panics").push((sender, error.to_string())),
                };
                if answer.status == 200 {
                    assert_eq!(answer.json()["taken"], BATCH, "{answer:?}");
                    self.answered.lock().expect("no sender panics").push((clock(), path, first));
                    continue;
                }
                assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer:?}");
                let why = answer.json()["error"].as_str().expect("a reason").to_owned();
                self.refused.lock().expect("no sender panics").push((sender, why));
                std::thread::sleep(Duration::from_millis(5));
                // No label before its event.
                break;
            }
        }
    }

    /// Numbers that were used.
    pub fn sent(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// When each answer came.
    ///
    /// # Panics
    /// A sender panicked.
    pub fn answers(&self) -> Vec<u64> {
        self.answered.lock().expect("no sender panics").iter().map(|(at, ..)| *at).collect()
    }

    /// Why batches were refused since this was asked last.
    ///
    /// # Panics
    /// A sender panicked.
    pub fn refused(&self) -> Vec<String> {
        let refused = std::mem::take(&mut *self.refused.lock().expect("no sender panics"));
        refused.into_iter().map(|(_, why)| why).collect()
    }

    /// Waits until every sender is refused once more: what it was answered before is known by then.
    ///
    /// # Panics
    /// One never is.
    pub fn all_refused(&self) {
        let refused = || self.refused.lock().expect("no sender panics");
        let (from, until) = (refused().len(), Instant::now() + Duration::from_secs(60));
        while refused().iter().skip(from).map(|(sender, _)| sender).collect::<BTreeSet<_>>().len() < SENDERS as usize {
            assert!(Instant::now() < until, "a sender is not refused; without an answer: {:?}", self.cut);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until `more` further batches are acknowledged.
    ///
    /// # Panics
    /// They never are.
    pub fn progress(&self, more: usize) {
        let (from, until) = (self.answers().len(), Instant::now() + Duration::from_secs(60));
        while self.answers().len() < from + more {
            assert!(Instant::now() < until, "nothing is acknowledged any more: {:?}", self.refused().last());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether everything that was answered until `at` is there; what is not.
    ///
    /// # Errors
    /// What was answered and is not there.
    ///
    /// # Panics
    /// A sender panicked, or there is no answer.
    pub fn missing(&self, desk: &Desk, at: u64) -> Result<(), String> {
        for (path, log) in LOGS {
            let answered = self.answered.lock().expect("no sender panics");
            let of = answered.iter().filter(|(known, of, _)| *known <= at && *of == path);
            let numbers: Vec<u64> = of.flat_map(|(_, _, first)| *first..first + BATCH).collect();
            for numbers in numbers.chunks(1_000) {
                let answer = desk.post(path, NDJSON, &body(path, numbers.iter().copied())).json();
                if answer["duplicates"].as_u64() != Some(numbers.len() as u64) {
                    return Err(format!("{log}: answered, and not there: {answer}"));
                }
            }
        }
        Ok(())
    }

    /// Sends everything again: then all is there, each once, and of events `others` more.
    ///
    /// # Panics
    /// It is not.
    pub fn complete(&self, desk: &Desk, others: u64) {
        for (path, log) in LOGS {
            for first in (0..self.sent()).step_by(10_000) {
                let rest = body(path, first..self.sent().min(first + 10_000));
                assert_eq!(desk.post(path, NDJSON, &rest).status, 200);
            }
            let others = if path == LOGS[0].0 { others } else { 0 };
            assert_eq!(desk.journaled(log), self.sent() + others, "{log}: each once");
        }
    }

    /// Everything that was answered is there, and everything that was sent can be, once.
    ///
    /// # Panics
    /// It is not.
    pub fn check(&self, desk: &Desk) {
        assert_eq!(self.missing(desk, u64::MAX), Ok(()));
        self.complete(desk, 0);
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn body(path: &str, numbers: impl Iterator<Item = u64>) -> String {
    lines(&numbers.map(|nth| item(path, nth)).collect::<Vec<_>>())
}

/// An event, or the outcome of one.
fn item(path: &str, nth: u64) -> Value {
    let id = format!("e-{nth}");
    if path == LOGS[0].0 {
        return event(&id);
    }
    json!({"contract": "loans", "event_id": id, "label": "repaid", "labelled_at": "2026-05-06T00:00:00Z"})
}
