//! The thread that sends.

use crate::event::Event;
use crate::http::{Answer, Connection};
use crate::queue::{Queue, Taken};
use crate::{Options, Target};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Shipper {
    target: Target,
    token: String,
    options: Options,
    queue: Arc<Queue>,
    connection: Option<Connection>,
    /// How long to wait before the next attempt.
    pause: Duration,
}

/// What intake answers to lines.
#[derive(Deserialize)]
struct Lines {
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Rejected {
    line: u64,
    reason: String,
}

impl Shipper {
    pub fn new(target: Target, token: String, options: Options, queue: Arc<Queue>) -> Self {
        Shipper { target, token, options, queue, connection: None, pause: LEAST_PAUSE }
    }

    /// Sends until the client is closed and all is sent, or its deadline is past.
    pub fn run(mut self) {
        let mut events = Vec::with_capacity(self.options.queue_events);
        let mut body = Vec::with_capacity(self.options.batch_bytes + SLACK);
        while self.queue.take(&mut events) == Taken::Some {
            let mut rest = events.as_slice();
            while !rest.is_empty() {
                let (count, broken) = self.write(rest, &mut body);
                // What cannot be written as JSON is refused here: the agent never sees it.
                if broken {
                    self.queue.set_trouble("an event cannot be written as JSON".to_owned());
                    self.queue.settle(0, 1);
                }
                let sent = count - usize::from(broken);
                if sent > 0 && !self.deliver(&body, sent) {
                    return;
                }
                rest = rest.get(count..).unwrap_or_default();
            }
            events.clear();
            if self.queue.deadline().is_none() {
                self.queue.rest(self.options.linger);
            }
        }
    }

    /// Writes as many events as a request may have; how many, and whether the last one of them could not be written.
    fn write(&self, events: &[Event], body: &mut Vec<u8>) -> (usize, bool) {
        body.clear();
        for (nth, event) in events.iter().enumerate() {
            let start = body.len();
            if serde_json::to_writer(&mut *body, event).is_err() {
                body.truncate(start);
                return (nth + 1, true);
            }
            body.push(b'\n');
            if nth + 1 == self.options.batch_events || body.len() >= self.options.batch_bytes {
                return (nth + 1, false);
            }
        }
        (events.len(), false)
    }

    /// Sends a body until it is answered for; false if the client's deadline is past.
    fn deliver(&mut self, body: &[u8], events: usize) -> bool {
        loop {
            let trouble = match self.attempt(body) {
                Ok(answer) => match self.settle(&answer, events) {
                    Ok(()) => return true,
                    Err(trouble) => trouble,
                },
                Err(error) => {
                    self.connection = None;
                    format!("the agent cannot be reached: {error}")
                }
            };
            self.queue.set_trouble(trouble);
            if self.queue.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            let left = self.queue.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match left {
                // While the client closes, every moment counts.
                Some(left) => std::thread::sleep(left.min(LEAST_PAUSE)),
                None => self.queue.rest(self.pause),
            }
            self.pause = (self.pause * 2).min(MOST_PAUSE);
        }
    }

    fn attempt(&mut self, body: &[u8]) -> std::io::Result<Answer> {
        let patience = match self.queue.deadline() {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()).min(self.options.patience),
            None => self.options.patience,
        };
        // The operating system takes no patience of zero.
        let patience = patience.max(LEAST_PAUSE);
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.target, patience)?),
        };
        let answer = connection.post(PREDICTIONS, &self.token, body, patience)?;
        if answer.last {
            self.connection = None;
        }
        Ok(answer)
    }

    /// Counts what became of a request's events, unless it is to be sent again: then, why.
    fn settle(&mut self, answer: &Answer, events: usize) -> Result<(), String> {
        let said = || String::from_utf8_lossy(&answer.body).chars().take(SAID_CHARS).collect::<String>();
        match answer.status {
            200 | 422 => {
                let lines: Lines = serde_json::from_slice(&answer.body)
                    .map_err(|error| format!("the agent's answer cannot be read: {error}"))?;
                let rejected = lines.rejected.len().min(events);
                if let Some(last) = lines.rejected.last() {
                    self.queue.set_trouble(format!("line {} was rejected: {}", last.line, last.reason));
                }
                self.pause = LEAST_PAUSE;
                self.queue.settle(events - rejected, rejected);
                Ok(())
            }
            // Sent again it would be answered the same; no line of it can be taken.
            400 | 413 => {
                self.queue.set_trouble(format!("a request was refused ({}): {}", answer.status, said()));
                self.queue.settle(0, events);
                Ok(())
            }
            status => {
                self.pause = answer.retry_after.map_or(self.pause, Duration::from_secs).min(MOST_PAUSE);
                Err(format!("the agent answers {status}: {}", said()))
            }
        }
    }
}

const PREDICTIONS: &str = "/v1/predictions";
const LEAST_PAUSE: Duration = Duration::from_millis(20);
const MOST_PAUSE: Duration = Duration::from_secs(5);
/// Room for the last event of a body.
const SLACK: usize = 64 << 10;
const SAID_CHARS: usize = 300;
