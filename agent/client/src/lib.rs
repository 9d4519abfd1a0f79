//! Hands predictions over to a site's agent, and never makes their caller wait.
//!
//! [`Client::record`] puts an event into a bounded queue; a thread of the client writes what waits as lines of JSON and
//! sends it to the agent's intake (`schemas/intake.md`), which answers when it is durable. What could not be sent is
//! sent again, the same lines: the agent knows an event by its id, so that nothing counts twice. An event that finds the
//! queue full is dropped and counted, for a serving system must not slow down because its journal does.
//!
//! ```no_run
//! use fedaudit_client::{Client, Event, Options, Target};
//! use std::time::SystemTime;
//!
//! let token = std::fs::read_to_string("agent-home/keys/intake.token")?;
//! let client = Client::connect(Target::Tcp("127.0.0.1:7070".into()), &token, Options::default())?;
//! let mut event = Event::new("request-17", SystemTime::now(), "2026-05-01");
//! event.decision = Some("grant".into());
//! event.score = Some(0.75);
//! client.record(event).unwrap_or_else(|dropped| eprintln!("{dropped}"));
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

mod event;
mod http;
mod queue;
mod shipper;

pub use event::{Event, Output, Value};
pub use queue::{Counts, Dropped};

use queue::Queue;
use shipper::Shipper;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where an agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket.
    Socket(PathBuf),
    /// A loopback address with port.
    Tcp(String),
}

/// How much may wait, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Events that may wait; beyond, they are dropped.
    pub queue_events: usize,
    /// Events of a request.
    pub batch_events: usize,
    /// Bytes of a request after which it is sent with fewer events; the agent takes 8 MiB.
    pub batch_bytes: usize,
    /// How long an event waits for others to be sent with.
    pub linger: Duration,
    /// Longest that dropping the client waits until all is delivered.
    pub flush: Duration,
    /// Longest that connecting, sending or an answer may take.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue_events: 65_536,
            batch_events: 5_000,
            batch_bytes: 4 << 20,
            linger: Duration::from_millis(5),
            flush: Duration::from_secs(5),
            patience: Duration::from_secs(10),
        }
    }
}

/// Hands events over. One client serves all threads of a program, by reference or in an `Arc`.
#[derive(Debug)]
pub struct Client {
    queue: Arc<Queue>,
    flush: Duration,
}

impl Client {
    /// Begins to deliver to the agent at `target`. It need not be there yet: events wait for it.
    ///
    /// # Errors
    /// A token that is none, or no thread to be had.
    pub fn connect(target: Target, token: &str, options: Options) -> io::Result<Client> {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the token is blank or holds spaces"));
        }
        let queue = Arc::new(Queue::new(options.queue_events));
        let flush = options.flush;
        let shipper = Shipper::new(target, token.to_owned(), options, Arc::clone(&queue));
        std::thread::Builder::new().name("fedaudit-client".to_owned()).spawn(move || shipper.run())?;
        Ok(Client { queue, flush })
    }

    /// Hands over an event. Returns at once, whatever the agent does.
    ///
    /// # Errors
    /// The queue is full and the event is gone; [`Counts::dropped`] says how many are.
    pub fn record(&self, event: Event) -> Result<(), Dropped> {
        self.queue.push(event)
    }

    /// What became of events so far.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// Why the agent rejected the last event that it did, or why it cannot be reached.
    pub fn last_trouble(&self) -> Option<String> {
        self.queue.trouble()
    }

    /// Delivers what waits, as dropping does, and says what became of everything. What was handed over, and is neither
    /// delivered nor rejected then, the agent never acknowledged.
    pub fn close(self) -> Counts {
        let queue = Arc::clone(&self.queue);
        drop(self);
        queue.counts()
    }

    /// Waits until all events handed over so far are delivered or rejected, but no longer than `patience`; true if so.
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.wait_empty(Instant::now() + patience)
    }
}

impl Drop for Client {
    /// Takes nothing more, and waits until what was handed over is delivered, for as long as [`Options::flush`] says.
    fn drop(&mut self) {
        let deadline = Instant::now() + self.flush;
        self.queue.close(deadline);
        // The thread ends by itself: at the latest when the answer that it waits for does not come.
        self.queue.wait_empty(deadline);
    }
}
