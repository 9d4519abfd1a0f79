//! What events took: latency, delay of labels, cost, tokens, over the sites whose releases show it in every window.

use super::figure::{Figure, bounded, point};
use crate::disclosure::{Cell, Decimal, Operations, Range, ReleaseText, Sum};
use crate::event::log_linear;
use crate::statistics::{self as st, LEVEL, NotEstimable, ValueBin};
use serde::{Deserialize, Serialize};

/// What events took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationFigures {
    /// Latency in microseconds.
    pub latency_us: Quantiles,
    /// Seconds from an event to its label.
    pub label_delay_s: Quantiles,
    /// Cost in millionths of the contract's currency.
    pub cost_micros: Mean,
    /// Tokens read.
    pub tokens_in: Mean,
    /// Tokens written.
    pub tokens_out: Mean,
}

/// Quantiles of a distribution of which buckets of 1 % are known, or what disclosure control joined of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Sites added up: those that show it in every window that they released.
    pub sites: u64,
    /// Their events with a value.
    pub events: u64,
    /// Half of the values are no greater.
    pub p50: Figure,
    /// 95 % of the values are no greater.
    pub p95: Figure,
    /// 99 % of the values are no greater.
    pub p99: Figure,
}

/// A mean of values whose sum is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// Sites added up: those that show it in every window that they released.
    pub sites: u64,
    /// Their events with a value.
    pub events: u64,
    /// Sum of their values.
    pub sum: Decimal,
    /// Mean over these events.
    pub mean: Figure,
}

/// Of the releases of each site; absent where no event took anything.
pub(super) fn operation_figures(sites: &[Vec<&ReleaseText>]) -> Option<OperationFigures> {
    let shown: Vec<Vec<&Operations>> = sites
        .iter()
        .map(|releases| releases.iter().filter_map(|release| release.operations.as_ref()).collect())
        .filter(|shown: &Vec<&Operations>| !shown.is_empty())
        .collect();
    (!shown.is_empty()).then(|| OperationFigures {
        latency_us: quantiles(&shown, |of| &of.latency_us),
        label_delay_s: quantiles(&shown, |of| &of.label_delay_s),
        cost_micros: mean(&shown, |of| &of.cost_micros),
        tokens_in: mean(&shown, |of| &of.tokens_in),
        tokens_out: mean(&shown, |of| &of.tokens_out),
    })
}

/// What each site shows, of those that show all of it.
fn seen<'a, T>(sites: &[Vec<&'a Operations>], of: fn(&Operations) -> &Cell<T>) -> Vec<Vec<&'a T>> {
    sites.iter().filter_map(|windows| windows.iter().map(|window| of(window).value()).collect()).collect()
}

fn quantiles(sites: &[Vec<&Operations>], of: fn(&Operations) -> &Cell<Vec<Range>>) -> Quantiles {
    let seen = seen(sites, of);
    let bins = ranked(seen.iter().flatten().copied().flatten());
    let events = bins.iter().map(|bin| bin.2).sum();
    let figure = |q| if seen.is_empty() { Figure::Suppressed } else { quantile(&bins, q) };
    Quantiles { sites: seen.len() as u64, events, p50: figure(0.5), p95: figure(0.95), p99: figure(0.99) }
}

/// In the last range, which has no upper end, the lower one is a bound.
fn quantile(bins: &[ValueBin], q: f64) -> Figure {
    match (st::quantile(bins, q, LEVEL), st::quantile_bin(bins, q)) {
        (Err(NotEstimable::NotFinite), Ok((least, _))) if least > 0.0 => Figure::AtLeast(least),
        (found, _) => bounded(found.map(|q| (q.estimate.value, q.estimate.interval, q.bounds)), "order statistics"),
    }
}

/// Where the values lie by rank, whatever ranges they were released in: the r-th smallest value is no less than the r-th
/// smallest lower end of all values' ranges, and no greater than the r-th smallest upper end.
fn ranked<'a>(ranges: impl Iterator<Item = &'a Range>) -> Vec<ValueBin> {
    let ends = |Range(first, last, count): &Range| {
        // The last bucket has no end that anybody would know.
        let upper = log_linear::lower(last + 1).map_or(f64::INFINITY, |next| (next - 1) as f64);
        (log_linear::lower(*first).unwrap_or(u64::MAX) as f64, upper, *count)
    };
    let ranges: Vec<ValueBin> = ranges.map(ends).collect();
    let mut lower: Vec<(f64, u64)> = ranges.iter().map(|bin| (bin.0, bin.2)).collect();
    let mut upper: Vec<(f64, u64)> = ranges.iter().map(|bin| (bin.1, bin.2)).collect();
    for ends in [&mut lower, &mut upper] {
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let (mut bins, mut upper) = (Vec::with_capacity(ranges.len()), upper.into_iter());
    let mut end = upper.next();
    for (from, mut left) in lower {
        while left > 0
            && let Some((to, room)) = end
        {
            let taken = left.min(room);
            bins.push((from, to, taken));
            left -= taken;
            end = if room > taken { Some((to, room - taken)) } else { upper.next() };
        }
    }
    bins
}

fn mean(sites: &[Vec<&Operations>], of: fn(&Operations) -> &Cell<Sum>) -> Mean {
    let seen = seen(sites, of);
    let (mut events, mut sum) = (0_u64, 0_u128);
    for part in seen.iter().flatten() {
        (events, sum) = (events.saturating_add(part.events), sum.saturating_add(part.sum.0));
    }
    let value = if events == 0 { Err(NotEstimable::EmptyDenominator) } else { Ok(sum as f64 / events as f64) };
    let mean = if seen.is_empty() { Figure::Suppressed } else { point(value, "squares are not released") };
    Mean { sites: seen.len() as u64, events, sum: Decimal(sum), mean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Latencies as a site would release them: cut wherever `cuts` says.
    fn released(values: &[u64], cuts: &[u32]) -> Vec<Range> {
        let mut ends: Vec<u32> = cuts.iter().copied().filter(|cut| *cut < log_linear::LAST).collect();
        ends.push(log_linear::LAST);
        ends.sort_unstable();
        ends.dedup();
        let mut first = 0;
        let ranges = ends.into_iter().map(|last| {
            let inside = |value: &&u64| (first..=last).contains(&log_linear::bucket(**value));
            let range = Range(first, last, values.iter().filter(inside).count() as u64);
            first = last + 1;
            range
        });
        ranges.filter(|range| range.2 > 0).collect()
    }

    #[test]
    fn a_tail_without_end_gives_a_bound() {
        // 90 values of 10, ten of 1,000 and more that had to be joined.
        let mut values = vec![10; 90];
        values.extend([1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000]);
        let start = log_linear::bucket(1_000);
        let ranges = released(&values, &[10, start - 1]);
        assert_eq!(ranges.last(), Some(&Range(start, log_linear::LAST, 10)));
        let bins = ranked(ranges.iter());
        assert_eq!(quantile(&bins, 0.5).value(), Some(5.0));
        assert_eq!(quantile(&bins, 0.95), Figure::AtLeast(1_000.0));
        // Of one range for all values nothing is known.
        let all = ranked([Range(0, log_linear::LAST, 100)].iter());
        assert_eq!(quantile(&all, 0.99), Figure::NotEstimable("not_finite".to_owned()));
    }

    proptest! {
        #[test]
        fn a_quantile_lies_inside_its_bounds_whatever_was_joined(
            sites in proptest::collection::vec(
                (proptest::collection::vec(0..100_000_u64, 1..40), proptest::collection::vec(0..1_500_u32, 0..6)), 1..4),
            q in 0.05..0.95_f64,
        ) {
            let mut all: Vec<u64> = sites.iter().flat_map(|(values, _)| values).copied().collect();
            all.sort_unstable();
            let ranges: Vec<Range> = sites.iter().flat_map(|(values, cuts)| released(values, cuts)).collect();
            let bins = ranked(ranges.iter());
            prop_assert_eq!(bins.iter().map(|bin| bin.2).sum::<u64>(), all.len() as u64);
            if let Ok(found) = st::quantile(&bins, q, LEVEL) {
                let rank = (all.len() as f64 * q).ceil() as usize;
                prop_assert!(found.bounds.contains(all[rank - 1] as f64), "{:?} {}", found, all[rank - 1]);
            }
        }
    }
}
