//! What events took: time until the answer, money, tokens; and how long their labels took to come.

use crate::event::{Prediction, log_linear};
use crate::time::Time;
use serde::Serialize;
use std::collections::BTreeMap;

/// Sums and histograms of all events of the plan's model versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct OperationCounts {
    /// Events by bucket ([`log_linear`]) of their latency in microseconds.
    pub latency: BTreeMap<u32, u64>,
    /// Labelled events by bucket of the seconds from the event to its label.
    pub label_delay: BTreeMap<u32, u64>,
    /// Cost, in millionths of the contract's currency.
    pub cost: SumCounts,
    /// Tokens read.
    pub tokens_in: SumCounts,
    /// Tokens written.
    pub tokens_out: SumCounts,
}

/// A sum over the events that came with a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct SumCounts {
    pub events: u64,
    pub sum: u128,
    /// The two largest values, the larger first; they say nothing that the journal does not.
    #[serde(skip)]
    pub largest: [u64; 2],
}

impl SumCounts {
    fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.events += 1;
            self.sum += u128::from(value);
            self.put(value);
        }
    }

    fn put(&mut self, value: u64) {
        let [first, second] = self.largest;
        self.largest = [first.max(value), second.max(value.min(first))];
    }

    fn merge(&mut self, other: &SumCounts) {
        self.events += other.events;
        self.sum += other.sum;
        other.largest.into_iter().for_each(|value| self.put(value));
    }
}

impl OperationCounts {
    pub fn add(&mut self, event: &Prediction) {
        if let Some(latency_us) = event.latency_us {
            *self.latency.entry(log_linear::bucket(latency_us)).or_default() += 1;
        }
        self.cost.add(event.cost_micros);
        self.tokens_in.add(event.tokens_in);
        self.tokens_out.add(event.tokens_out);
    }

    pub fn delay(&mut self, occurred_at: Time, labelled_at: Time) {
        let seconds = labelled_at.0.saturating_sub(occurred_at.0) / 1_000_000_000;
        *self.label_delay.entry(log_linear::bucket(u64::try_from(seconds).unwrap_or(0))).or_default() += 1;
    }

    pub fn merge(&mut self, other: &OperationCounts) {
        for (mine, theirs) in [(&mut self.latency, &other.latency), (&mut self.label_delay, &other.label_delay)] {
            theirs.iter().for_each(|(bucket, events)| *mine.entry(*bucket).or_default() += events);
        }
        self.cost.merge(&other.cost);
        self.tokens_in.merge(&other.tokens_in);
        self.tokens_out.merge(&other.tokens_out);
    }
}
