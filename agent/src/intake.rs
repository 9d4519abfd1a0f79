//! Intake over HTTP: serving systems hand over predictions and labels, and are answered when those are durable.
//!
//! One way through: `http` reads and checks a request and parses its body into codes of a contract (`body`,
//! `json`); the rows wait in a bounded `queue`; one thread with a journal of its own (`writer`) makes whatever
//! waits one durable batch and answers. Memory is bounded by [`limits`]. The loopback interface or a Unix socket only:
//! whoever may hand over events must be on this machine and know the token.

mod body;
mod cloudevents;
pub mod config;
pub(crate) mod contracts;
mod convert;
mod http;
pub(crate) mod json;
pub mod limits;
mod listen;
pub mod pair;
mod queue;
mod scalar;
mod served;
mod token;
mod writer;

pub use config::IntakeConfig;
pub(crate) use scalar::{Pairs, Scalar};
pub use token::create_token;

use crate::home::Home;
use crate::journal::{EventRow, Journal};
use contracts::Contracts;
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::roster::Registry;
use fedaudit_core::time::Time;
use http::Shared;
use listen::Bound;
use queue::Queue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task;
use writer::Policy;

/// Intake at work. To be stopped with [`Intake::stop`], which loses nothing; dropping it only loses what is not
/// acknowledged.
pub struct Intake {
    shared: Arc<Shared>,
    server: task::JoinHandle<()>,
    stop: oneshot::Sender<()>,
    writer: JoinHandle<()>,
    tidying: JoinHandle<()>,
    stop_tidying: Arc<AtomicBool>,
    /// Registry entries that the contracts were taken from.
    registry_size: u64,
    /// Where it listens, for people.
    pub address: String,
}

impl Intake {
    /// Begins to listen and to write.
    ///
    /// # Errors
    /// An address that cannot be had, a token that cannot be read, or a journal that cannot be opened.
    pub async fn start(home: &Home, config: &IntakeConfig, registry: &Registry) -> Result<Intake, Fault> {
        // Before anything is promised in the ledger.
        let place = config.place()?;
        let token = token::load_or_create(&home.dir)?;
        let mut journal = Journal::open(&home.dir)?;
        let policy = Policy::prepare(&mut journal, home, config)?;
        let bound = Bound::bind(&home.dir, &place).await?;
        let address = bound.address();
        let queue = Arc::new(Queue::new(config.queue_events));
        let shared = Arc::new(Shared::new(token, Arc::clone(&queue), Contracts::of(registry)));
        let stop_tidying = Arc::new(AtomicBool::new(false));
        let tidying = writer::start_tidying(Journal::open(&home.dir)?, Arc::clone(&stop_tidying))?;
        let writer = writer::start(journal, policy, queue)?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(listen::serve(bound, http::router(Arc::clone(&shared)), stopped));
        Ok(Intake { shared, server, stop, writer, tidying, stop_tidying, registry_size: registry.size(), address })
    }

    /// Takes in contracts that were published since.
    ///
    /// # Errors
    /// The thread that writes has died.
    pub fn learn(&mut self, registry: &Registry) -> Result<(), Fault> {
        if registry.size() != self.registry_size {
            self.shared.learn(Contracts::of(registry));
            self.registry_size = registry.size();
        }
        if self.writer.is_finished() || self.server.is_finished() {
            return Err(died());
        }
        Ok(())
    }

    /// Stops listening, lets requests that have begun end, writes what waits.
    ///
    /// # Errors
    /// A thread has died.
    pub async fn stop(self) -> Result<(), Fault> {
        let _ = self.stop.send(());
        let abort = self.server.abort_handle();
        if tokio::time::timeout(DRAIN, self.server).await.is_err() {
            // A sender that neither sends nor goes away: it has no acknowledgement to lose.
            abort.abort();
        }
        self.shared.queue.close();
        self.stop_tidying.store(true, Ordering::Relaxed);
        let join = move || self.tidying.join().and_then(|()| self.writer.join());
        task::spawn_blocking(join).await.ok().and_then(Result::ok).ok_or_else(died)
    }
}

/// Reads events that stand a line each, as `POST /v1/predictions` does: the events, and how many lines are none.
///
/// # Errors
/// Nothing in it, or too many lines.
pub fn events_of_lines(contract: &Contract, lines: &[u8]) -> Result<(Vec<EventRow>, usize), Fault> {
    let contracts = Contracts::only(contract.clone());
    let rows = body::read(json::Kind::Predictions, body::Format::Lines, lines, &contracts, Time(0));
    let rows = rows.map_err(|useless| {
        Fault::new(Blame::Input, format!("the lines cannot be read: {useless:?}"), "see schemas/intake.md")
    })?;
    let items: Vec<_> = rows.groups.into_iter().flat_map(|group| group.items).collect();
    let lines = items.len() + rows.rejected.len();
    let events =
        items.into_iter().filter_map(|item| if let writer::Item::Event(row) = item { Some(row) } else { None });
    let events: Vec<_> = events.collect();
    let refused = lines - events.len();
    Ok((events, refused))
}

fn died() -> Fault {
    Fault::new(Blame::Site, "intake has stopped by itself", "see the log above; what was acknowledged is journaled")
}

/// Longest that requests which have begun may take to end.
const DRAIN: Duration = Duration::from_secs(limits::BODY_SECONDS + 5);
