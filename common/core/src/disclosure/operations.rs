//! What leaves of the time, money and tokens that events took, and of how long labels took to come.
//!
//! A distribution is seen as ranges of neighbouring buckets with at least k events each, and none between them. A bucket with
//! k events is a range of its own; others are joined from below until k are together, from the end of the range before; what
//! is left at the top joins the last, which then begins there, too. It, or a sum, is seen if the events that have the value, and those that
//! have none, are 0 or at least k; a sum also only if its two largest values are no more than [`DOMINANT_PERCENT`] of it.

use super::{Cell, Decimal, passes};
use crate::aggregate::{Aggregate, SumCounts};
use crate::event::log_linear;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What events took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Latency in microseconds.
    pub latency_us: Cell<Vec<Range>>,
    /// Seconds from the event to its label.
    pub label_delay_s: Cell<Vec<Range>>,
    /// Cost in millionths of the contract's currency.
    pub cost_micros: Cell<Sum>,
    /// Tokens read.
    pub tokens_in: Cell<Sum>,
    /// Tokens written.
    pub tokens_out: Cell<Sum>,
}

/// Buckets (`event::log_linear`) from the first to the last, and the events in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range(pub u32, pub u32, pub u64);

/// A sum over the events that came with a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Events.
    pub events: u64,
    /// Sum of their values.
    pub sum: Decimal,
}

impl Operations {
    /// Withholds all of it.
    pub(super) fn hide_all(&mut self) {
        (self.latency_us, self.label_delay_s) = (Cell::Suppressed, Cell::Suppressed);
        (self.cost_micros, self.tokens_in, self.tokens_out) = (Cell::Suppressed, Cell::Suppressed, Cell::Suppressed);
    }
}

/// What of `aggregate` may leave; absent where no event took anything.
pub(super) fn operations(aggregate: &Aggregate, k: u64) -> Option<Operations> {
    let of = &aggregate.operations;
    let is_seen = |sum: &SumCounts| {
        passes(sum.events, k) && passes(aggregate.events.saturating_sub(sum.events), k) && !is_dominated(sum, k)
    };
    let sum = |sum: SumCounts| match is_seen(&sum) {
        true => Cell::Value(Sum { events: sum.events, sum: Decimal(sum.sum) }),
        false => Cell::Suppressed,
    };
    let nothing = of.latency.is_empty()
        && of.label_delay.is_empty()
        && [of.cost, of.tokens_in, of.tokens_out].iter().all(|sum| sum.events == 0);
    (!nothing).then(|| Operations {
        latency_us: ranges(&of.latency, aggregate.events, k),
        label_delay_s: ranges(&of.label_delay, aggregate.outcomes, k),
        cost_micros: sum(of.cost),
        tokens_in: sum(of.tokens_in),
        tokens_out: sum(of.tokens_out),
    })
}

/// Whether the two largest values are nearly all of a sum: who knows one of them could tell the other well (the dominance rule
/// (n, p) of official statistics; Hundepool et al., Statistical Disclosure Control, 2012). With k = 1 nothing is hidden.
fn is_dominated(sum: &SumCounts, k: u64) -> bool {
    let largest: u128 = sum.largest.iter().map(|value| u128::from(*value)).sum();
    k > 1 && largest.saturating_mul(100) > sum.sum.saturating_mul(DOMINANT_PERCENT)
}

/// Per cent of a sum that its two largest values may be.
const DOMINANT_PERCENT: u128 = 85;

/// Hides in `after` what is not the same as in `before`: cuts follow the values, so that two distributions that differ may
/// tell of fewer than k events by subtraction, and so may two sums.
pub(super) fn hide_differences(before: &Operations, after: &mut Operations) {
    hide(&before.latency_us, &mut after.latency_us);
    hide(&before.label_delay_s, &mut after.label_delay_s);
    hide(&before.cost_micros, &mut after.cost_micros);
    hide(&before.tokens_in, &mut after.tokens_in);
    hide(&before.tokens_out, &mut after.tokens_out);
}

fn hide<T: PartialEq>(before: &Cell<T>, after: &mut Cell<T>) {
    if before != after {
        *after = Cell::Suppressed;
    }
}

/// Ranges with `k` events or more each; empty without events.
fn ranges(buckets: &BTreeMap<u32, u64>, of: u64, k: u64) -> Cell<Vec<Range>> {
    let events = buckets.values().sum::<u64>();
    if !passes(events, k) || !passes(of.saturating_sub(events), k) {
        return Cell::Suppressed;
    }
    let (mut ranges, mut first, mut together) = (Vec::new(), 0, 0);
    for (bucket, count) in buckets {
        if together == 0 && *count >= k {
            first = *bucket;
        }
        together += count;
        if together >= k {
            ranges.push(Range(first, *bucket, together));
            (first, together) = (bucket + 1, 0);
        }
    }
    if together > 0
        && let Some(Range(.., count)) = ranges.pop()
    {
        // From the end of the range before, too: beside a bucket of its own the rest would be known.
        let first = ranges.last().map_or(0, |Range(_, last, _)| last + 1);
        ranges.push(Range(first, log_linear::LAST, count + together));
    }
    Cell::Value(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_cut_where_k_are_together() {
        let of = |counts: &[(u32, u64)], all| ranges(&counts.iter().copied().collect(), all, 5);
        let seen = of(&[(3, 2), (4, 3), (9, 7), (40, 4)], 16);
        assert_eq!(seen, Cell::Value(vec![Range(0, 4, 5), Range(5, log_linear::LAST, 11)]));
        assert_eq!(of(&[(3, 8), (9, 1), (40, 7)], 16), Cell::Value(vec![Range(3, 3, 8), Range(4, 40, 8)]));
        assert_eq!(of(&[(3, 5), (40, 1)], 6), Cell::Value(vec![Range(0, log_linear::LAST, 6)]));
        assert_eq!(of(&[(3, 4)], 4), Cell::Suppressed);
        assert_eq!(of(&[(3, 5)], 9), Cell::Suppressed, "four have none");
        assert_eq!(of(&[(3, 5)], 10), Cell::Value(vec![Range(3, 3, 5)]));
        assert_eq!(of(&[], 10), Cell::Value(Vec::new()));
    }

    #[test]
    fn a_sum_of_nearly_two_values_is_not_seen() {
        let of = |largest, sum| is_dominated(&SumCounts { events: 20, sum, largest }, 10);
        assert!(of([80, 6], 100) && !of([80, 5], 100) && !of([5, 5], 100));
        assert!(!is_dominated(&SumCounts { events: 20, sum: 100, largest: [99, 1] }, 1));
        assert!(!of([0, 0], 0), "nobody took anything");
    }

    #[test]
    fn an_amendment_hides_what_changed() {
        let all = |latency: Vec<Range>, events| Operations {
            latency_us: Cell::Value(latency),
            label_delay_s: Cell::Value(Vec::new()),
            cost_micros: Cell::Value(Sum { events, sum: Decimal(1) }),
            tokens_in: Cell::Suppressed,
            tokens_out: Cell::Value(Sum { events: 0, sum: Decimal(0) }),
        };
        let seen = |before: &Operations, mut after: Operations| {
            hide_differences(before, &mut after);
            (after.latency_us.value().is_some(), after.cost_micros.value().is_some())
        };
        // Four events in bucket 5, four in 8, one in 9, five in 30; then one more in 5 and five in 30: other cuts, which
        // beside these would tell that two events are new up to 9, or were in 9.
        let before = all(vec![Range(0, 8, 8), Range(9, 30, 6)], 40);
        assert_eq!(seen(&before, all(vec![Range(5, 5, 5), Range(6, 9, 5), Range(30, 30, 10)], 40)), (false, true));
        assert_eq!(seen(&before, before.clone()), (true, true));
        assert_eq!(seen(&before, all(vec![Range(0, 8, 8), Range(9, 30, 6)], 50)), (true, false));
    }

    proptest! {
        #[test]
        fn ranges_hold_all_events_at_least_k_each(
            counts in proptest::collection::btree_map(0..=log_linear::LAST, 1..9_u64, 0..20),
            k in 1..12_u64,
        ) {
            let events = counts.values().sum::<u64>();
            match ranges(&counts, events, k) {
                Cell::Suppressed => prop_assert!(0 < events && events < k),
                Cell::Value(seen) => {
                    prop_assert_eq!(seen.iter().map(|range| range.2).sum::<u64>(), events);
                    let mut next = 0;
                    for Range(first, last, count) in &seen {
                        prop_assert!(next <= *first && first <= last && *count >= k);
                        // Alone in a range stands a bucket with k events; others begin where the one before ended.
                        prop_assert!(*first == next || (first == last && counts[first] >= k));
                        let inside = counts.range(first..=last).map(|(_, count)| count).sum::<u64>();
                        prop_assert_eq!(inside, *count);
                        next = last + 1;
                    }
                    prop_assert!(seen.is_empty() == (events == 0) && next <= log_linear::LAST + 1);
                }
            }
        }
    }
}
