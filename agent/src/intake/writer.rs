//! The thread that writes: whatever waits becomes one durable batch, and then its senders are answered.

use super::config::IntakeConfig;
use super::contracts::Known;
use super::limits::BATCH_EVENTS;
use super::pair::Half;
use super::queue::{Next, Queue};
use super::token::sampling_secret;
use crate::home::Home;
use crate::journal::{self, EventRow, Journal, LEDGER, LabelRow, RowResult, Rules, Sampling, StdRng};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_link::home::{now, os_random};
use rand::SeedableRng as _;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Something to journal.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every item is an event, and a box for each costs more")]
pub(crate) enum Item {
    /// An event.
    Event(EventRow),
    /// A label of an event that is journaled.
    Label(LabelRow),
    /// One side of a conversation, and what that is called.
    Half(String, Half),
    /// What could not be read, when, and why.
    Refused(Time, String),
}

/// Items under one contract.
#[derive(Debug)]
pub(crate) struct Group {
    pub contract: Arc<Known>,
    pub items: Vec<Item>,
}

/// What one request hands over.
pub(crate) struct Job {
    groups: Vec<Group>,
    answer: oneshot::Sender<Written>,
    /// Its share of [`super::limits::BYTES_IN_FLIGHT`], freed when it is answered.
    _room: Option<OwnedSemaphorePermit>,
}

/// What became of each item of each group; or why nothing is known to be durable.
pub(crate) type Written = Result<Vec<Vec<RowResult>>, Fault>;

impl Job {
    /// A job, and where its answer will come from.
    pub fn new(groups: Vec<Group>, room: Option<OwnedSemaphorePermit>) -> (Self, oneshot::Receiver<Written>) {
        let (answer, answered) = oneshot::channel();
        (Job { groups, answer, _room: room }, answered)
    }

    /// Number of items.
    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.items.len()).sum()
    }

    #[cfg(test)]
    pub fn of_events(rows: Vec<EventRow>) -> (Self, oneshot::Receiver<Written>) {
        let toml = "contract = \"c\"\nversion = 1\ntitle = \"t\"\ntask = \"binary\"\nmodel = \"m\"\n\
                    [decision]\nvalues = [\"0\", \"1\"]\nfavourable = \"1\"\n";
        let contract = Arc::new(Known::new(fedaudit_core::contract::from_toml(toml).expect("a contract")));
        Job::new(vec![Group { contract, items: rows.into_iter().map(Item::Event).collect() }], None)
    }
}

/// What of what comes is journaled, and what comes late.
pub(crate) struct Policy {
    sampling: Option<Sampling>,
    horizon_days: Option<u32>,
    /// Size of the ledger when it was read, and until when windows of each plan had been released then.
    released: (u64, BTreeMap<Digest, Time>),
}

impl Policy {
    /// Commits to what sampling will leave out, before the first event comes.
    pub fn prepare(journal: &mut Journal, home: &Home, config: &IntakeConfig) -> Result<Self, Fault> {
        let sampling = match config.sample.is_empty() {
            true => None,
            false => {
                let secret = sampling_secret(&home.dir)?;
                Some(journal.sample(secret, &config.sample, &mut StdRng::from_seed(os_random()))?)
            }
        };
        Ok(Policy { sampling, horizon_days: config.horizon_days, released: Default::default() })
    }

    /// Until when windows of a contract have been released.
    fn released_until(&mut self, journal: &mut Journal, known: &Known) -> Result<Option<Time>, Fault> {
        let size = journal.size(LEDGER)?;
        if self.released.0 != size {
            let (from, until) = (self.released.0, &mut self.released.1);
            journal.ledger_from(from, |_, entry| {
                if let LedgerEntry::Released { plan, window, .. } = entry {
                    let end = until.entry(plan).or_insert(window.end);
                    *end = window.end.max(*end);
                }
                Ok(())
            })?;
            self.released.0 = size;
        }
        Ok(known.plans.iter().filter_map(|plan| self.released.1.get(plan)).max().copied())
    }
}

/// Starts the thread; it ends when the queue is closed and empty.
///
/// # Errors
/// The operating system has no thread left.
pub(crate) fn start(journal: Journal, policy: Policy, queue: Arc<Queue>) -> Result<JoinHandle<()>, Fault> {
    let work = move || {
        // Whatever ends this thread, nobody may wait for it.
        let queue = Abandon(queue);
        run(journal, policy, &queue.0);
    };
    std::thread::Builder::new().name("intake".to_owned()).spawn(work).map_err(|error| {
        Fault::new(Blame::Operator, format!("no thread for intake: {error}"), "check the limits of this user")
    })
}

struct Abandon(Arc<Queue>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Keeps the write-ahead logs short beside the thread that writes, until `stop` is set: a sender would wait for it.
///
/// # Errors
/// The operating system has no thread left.
pub(crate) fn start_tidying(mut journal: Journal, stop: Arc<AtomicBool>) -> Result<JoinHandle<()>, Fault> {
    let work = move || {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TIDY);
            if let Err(fault) = journal.tidy_logs() {
                // The thread that writes meets the same trouble, and tells senders.
                tracing::warn!(what = %fault.what, "intake");
            }
        }
    };
    std::thread::Builder::new().name("intake-logs".to_owned()).spawn(work).map_err(|error| {
        Fault::new(Blame::Operator, format!("no thread for intake: {error}"), "check the limits of this user")
    })
}

fn run(mut journal: Journal, mut policy: Policy, queue: &Queue) {
    let mut rng = StdRng::from_seed(os_random());
    let mut troubled = false;
    loop {
        let trouble = match queue.take(BATCH_EVENTS, QUIET) {
            Next::Closed => return,
            // After a failure, an empty batch shows whether the journal can be written again.
            Next::Quiet if troubled => journal.append(&[], &mut rng).err(),
            Next::Quiet => continue,
            Next::Jobs(jobs) => write(&mut journal, jobs, &mut policy, &mut rng),
        };
        if let Some(fault) = &trouble {
            tracing::error!(blame = %fault.blame, what = %fault.what, hint = %fault.hint, "intake");
        }
        if troubled || trouble.is_some() {
            troubled = trouble.is_some();
            queue.set_trouble(trouble.map(|fault| fault.what));
        }
    }
}

/// Writes what the jobs hold, a durable batch for each contract, and answers them; the first failure.
fn write(journal: &mut Journal, mut jobs: Vec<Job>, policy: &mut Policy, rng: &mut StdRng) -> Option<Fault> {
    let mut batches: Vec<Group> = Vec::new();
    let mut places = Vec::with_capacity(jobs.len());
    for job in &mut jobs {
        let groups = std::mem::take(&mut job.groups).into_iter();
        places.push(groups.map(|group| (group.items.len(), join(&mut batches, group))).collect::<Vec<_>>());
    }
    let record = |batch: Group| record(journal, &batch.contract, &batch.items, policy, rng).map(Vec::into_iter);
    let mut written: Vec<Result<_, Fault>> = batches.into_iter().map(record).collect();
    for (job, places) in jobs.into_iter().zip(places) {
        let mut of = |(count, at): (usize, usize)| match written.get_mut(at) {
            Some(Ok(results)) => Ok(results.by_ref().take(count).collect()),
            Some(Err(fault)) => Err(fault.clone()),
            None => Err(Fault::new(Blame::Site, "a batch has no answer", "report this")),
        };
        // A sender that has gone away will come again, and be told of duplicates.
        let _ = job.answer.send(places.into_iter().map(&mut of).collect());
    }
    written.into_iter().find_map(Result::err)
}

/// Adds a group to the batch of its contract; the batch's place.
fn join(batches: &mut Vec<Group>, mut group: Group) -> usize {
    let name = |group: &Group| (group.contract.contract.contract.clone(), group.contract.contract.version);
    let same = |batch: &Group| Arc::ptr_eq(&batch.contract, &group.contract) || name(batch) == name(&group);
    match batches.iter().position(same) {
        Some(at) => {
            if let Some(batch) = batches.get_mut(at) {
                batch.items.append(&mut group.items);
            }
            at
        }
        None => {
            batches.push(group);
            batches.len() - 1
        }
    }
}

/// Journals the items of one contract in one durable batch; what became of each.
fn record(
    journal: &mut Journal,
    known: &Known,
    items: &[Item],
    policy: &mut Policy,
    rng: &mut StdRng,
) -> Result<Vec<RowResult>, Fault> {
    let items = items.iter().map(|item| match item {
        Item::Event(row) => journal::Item::Event(row),
        Item::Label(row) => journal::Item::Label(row),
        Item::Half(id, half) => journal::Item::Half(id, half),
        Item::Refused(at, reason) => journal::Item::Refused(*at, reason),
    });
    let now = now();
    let horizon = policy.horizon_days.map(|days| now.plus_ns(-i64::from(days) * 24 * HOUR_NS));
    let released_until = policy.released_until(journal, known)?;
    let rules = Rules { count: true, now: Some(now), horizon, released_until, sampling: policy.sampling.as_ref() };
    journal.record(&known.contract, items, rules, rng, |_| None)
}

/// How long the thread waits before it looks whether the journal can be written again.
const QUIET: Duration = Duration::from_secs(2);
/// Between two looks at the write-ahead logs.
const TIDY: Duration = Duration::from_millis(200);
