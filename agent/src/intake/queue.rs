//! What waits to be written. The lock guards the list alone and is never held across a wait or IO.

use super::writer::Job;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded queue between the requests and the thread that writes.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    most_rows: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    rows: usize,
    closed: bool,
    /// Why the last batch was not written.
    trouble: Option<String>,
}

/// Why a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Too much waits.
    Full,
    /// Nothing is written any more.
    Closed,
}

/// What the writer finds.
pub(crate) enum Next {
    /// Jobs, to be made one batch.
    Jobs(Vec<Job>),
    /// Nothing within the time asked for.
    Quiet,
    /// Nothing, for ever.
    Closed,
}

impl Queue {
    pub fn new(most_rows: usize) -> Self {
        Queue { waiting: Mutex::default(), arrived: Condvar::new(), most_rows }
    }

    /// Adds a job, unless it would make too much wait; into an empty queue every job fits.
    pub fn push(&self, job: Job) -> Result<(), Turned> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Turned::Closed);
        }
        let rows = job.rows();
        if waiting.rows > 0 && waiting.rows + rows > self.most_rows {
            return Err(Turned::Full);
        }
        waiting.rows += rows;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes what waits, until it has `rows` rows; waits for the first, but no longer than `patience`.
    pub fn take(&self, rows: usize, patience: Duration) -> Next {
        let empty = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.arrived.wait_timeout_while(self.lock(), patience, empty);
        let mut waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        let (mut taken, mut count) = (Vec::new(), 0);
        while count < rows
            && let Some(job) = waiting.jobs.pop_front()
        {
            count += job.rows();
            taken.push(job);
        }
        waiting.rows -= count;
        match taken.is_empty() {
            false => Next::Jobs(taken),
            true if waiting.closed => Next::Closed,
            true => Next::Quiet,
        }
    }

    /// Nothing more is taken; what waits is still written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// The writer has died: nothing is taken, and what waits is not answered well.
    pub fn abandon(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.jobs.clear();
        waiting.rows = 0;
    }

    /// Says why the last batch was not written, or that it was.
    pub fn set_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// Why nothing can be taken just now.
    pub fn trouble(&self) -> Option<String> {
        let waiting = self.lock();
        if waiting.closed { Some(CLOSED.to_owned()) } else { waiting.trouble.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic elsewhere leaves the list whole: each change of it is a single step.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said once nothing is written any more.
pub(crate) const CLOSED: &str = "this agent is stopping";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::EventRow;

    fn job(rows: usize) -> Job {
        Job::of_events(vec![EventRow::default(); rows]).0
    }

    #[test]
    fn a_queue_is_bounded_by_rows_and_drains_when_closed() {
        let queue = Queue::new(10);
        assert_eq!(queue.push(job(25)), Ok(()), "into an empty queue every job fits");
        assert_eq!(queue.push(job(1)), Err(Turned::Full));
        assert!(matches!(queue.take(20, Duration::ZERO), Next::Jobs(jobs) if jobs.len() == 1));
        assert!(matches!(queue.take(20, Duration::ZERO), Next::Quiet));
        (0..10).for_each(|_| assert_eq!(queue.push(job(1)), Ok(())));
        assert_eq!(queue.push(job(1)), Err(Turned::Full));
        assert!(matches!(queue.take(4, Duration::ZERO), Next::Jobs(jobs) if jobs.len() == 4));
        queue.close();
        assert_eq!(queue.push(job(1)), Err(Turned::Closed));
        assert!(matches!(queue.take(20, Duration::ZERO), Next::Jobs(jobs) if jobs.len() == 6));
        assert!(matches!(queue.take(20, Duration::ZERO), Next::Closed));
    }
}
