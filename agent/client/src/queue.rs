//! What waits between callers and the thread that sends.

use crate::event::Event;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What became of events. Those handed over and not yet delivered or rejected wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken into the queue.
    pub handed_over: u64,
    /// Durable at the agent, those included that it had already.
    pub delivered: u64,
    /// Refused by the agent, with a reason.
    pub rejected: u64,
    /// Not taken: the queue was full, or the client was closing.
    pub dropped: u64,
}

/// An event that was not taken.
#[derive(Debug, PartialEq)]
pub struct Dropped(
    /// The event.
    pub Box<Event>,
);

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} was dropped: too many wait for the agent", self.0.event_id)
    }
}

impl std::error::Error for Dropped {}

/// The lock guards a list that is only pushed to, or taken as a whole: nobody holds it for longer than a moment.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    settled: Condvar,
    most: usize,
    delivered: AtomicU64,
    rejected: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    events: Vec<Event>,
    /// Taken by the thread and not settled yet: they count against the limit too.
    in_flight: usize,
    handed_over: u64,
    /// Whether the thread sleeps: only then is it woken.
    asleep: bool,
    /// When to give up, once the client is dropped.
    closed: Option<Instant>,
    trouble: Option<String>,
}

impl Queue {
    pub fn new(most: usize) -> Self {
        let waiting = Waiting {
            events: Vec::with_capacity(most),
            in_flight: 0,
            handed_over: 0,
            asleep: false,
            closed: None,
            trouble: None,
        };
        Queue {
            waiting: Mutex::new(waiting),
            arrived: Condvar::new(),
            settled: Condvar::new(),
            most,
            delivered: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub fn push(&self, event: Event) -> Result<(), Dropped> {
        let mut waiting = self.lock();
        if waiting.closed.is_some() || waiting.events.len() + waiting.in_flight >= self.most {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Err(Dropped(Box::new(event)));
        }
        waiting.events.push(event);
        waiting.handed_over += 1;
        let wake = std::mem::take(&mut waiting.asleep);
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes all that waits, in exchange for an empty list of the same room; waits for the first event.
    pub fn take(&self, into: &mut Vec<Event>) -> Taken {
        let mut waiting = self.lock();
        while waiting.events.is_empty() {
            if waiting.closed.is_some() {
                return Taken::Closed;
            }
            waiting.asleep = true;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut waiting.events, into);
        waiting.in_flight = into.len();
        Taken::Some
    }

    /// Sleeps for `time`, or until the client is closed.
    pub fn rest(&self, time: Duration) {
        let waiting = self.lock();
        // Events that come meanwhile wake nobody: `asleep` is not set.
        drop(self.arrived.wait_timeout_while(waiting, time, |waiting| waiting.closed.is_none()));
    }

    /// Says what became of events.
    pub fn settle(&self, delivered: usize, rejected: usize) {
        self.delivered.fetch_add(delivered as u64, Ordering::Relaxed);
        self.rejected.fetch_add(rejected as u64, Ordering::Relaxed);
        let mut waiting = self.lock();
        waiting.in_flight = waiting.in_flight.saturating_sub(delivered + rejected);
        drop(waiting);
        self.settled.notify_all();
    }

    /// When to give up, if the client is closed.
    pub fn deadline(&self) -> Option<Instant> {
        self.lock().closed
    }

    pub fn close(&self, deadline: Instant) {
        self.lock().closed = Some(deadline);
        self.arrived.notify_all();
    }

    pub fn wait_empty(&self, deadline: Instant) -> bool {
        let mut waiting = self.lock();
        loop {
            if waiting.events.is_empty() && waiting.in_flight == 0 {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting = self.settled.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn counts(&self) -> Counts {
        let handed_over = self.lock().handed_over;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { handed_over, delivered: of(&self.delivered), rejected: of(&self.rejected), dropped: of(&self.dropped) }
    }

    pub fn set_trouble(&self, trouble: String) {
        self.lock().trouble = Some(trouble);
    }

    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Some,
    /// Nothing waits, and nothing will come.
    Closed,
}
