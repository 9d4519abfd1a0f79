//! The median of scores of which bins are known, and how many scores lie above it.

use crate::event::{SCORE_ONE, edge};
use crate::statistics::{Interval, NotEstimable};

/// Where the median of all scores lies, as shares of the contract's range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Median {
    /// Its bin; scores of later bins are above it.
    pub bin: usize,
    /// The share of that bin's scores that is above it: 0 where that is certain, else if they are spread evenly.
    pub above: f64,
    /// Whether none of that bin's scores is above it for certain.
    pub exact: bool,
    /// The median; where it is not known, interpolated inside its bin.
    pub value: f64,
    /// Between which it lies.
    pub bounds: Interval,
}

/// Of events and, where they are exact, sums of q by bin, all groups together.
///
/// None of the bin's scores is above the median where the bin ends with half of all scores, and where its sum says that
/// all its scores are equal, as on a grid of scores that are edges of bins. For an even number the median may be anything
/// between the two in the middle; that no score is between them makes the scores above it the same.
///
/// # Errors
/// `EmptyDenominator` without scores.
pub(super) fn median(counts: &[u64], sums: Option<&[u128]>) -> Result<Median, NotEstimable> {
    let (total, bins) = (counts.iter().sum::<u64>(), counts.len() as u32);
    let (mut below, mut bin) = (0, 0);
    while bin + 1 < counts.len() && 2 * (below + counts[bin]) < total {
        below += counts[bin];
        bin += 1;
    }
    let Some(inside) = counts.get(bin).copied().filter(|_| total > 0) else {
        return Err(NotEstimable::EmptyDenominator);
    };
    let unit = |q: u64| q as f64 / SCORE_ONE as f64;
    let end = |bin: usize| unit(edge(bin as u64, bins));
    let bounds = Interval { lower: end(bin), upper: end(bin + 1) };
    if 2 * (below + inside) == total {
        // The scores in the middle are the last one here and the first one of a later bin.
        let next = (bin + 1..counts.len()).find(|next| counts[*next] > 0).unwrap_or(bin);
        let bounds = Interval { upper: end(next + 1), ..bounds };
        return Ok(Median { bin, above: 0.0, exact: true, value: end(bin + 1), bounds });
    }
    let sum = sums.map(|sums| sums.get(bin).copied().unwrap_or_default());
    if let Some(q) = sum.and_then(|sum| only_score(inside, sum, (bin as u64, bins))) {
        let value = unit(q);
        return Ok(Median { bin, above: 0.0, exact: true, value, bounds: Interval { lower: value, upper: value } });
    }
    let above = ((below + inside) as f64 - total as f64 / 2.0) / inside as f64;
    Ok(Median { bin, above, exact: false, value: bounds.upper - above * (bounds.upper - bounds.lower), bounds })
}

/// The score that all of a bin's scores have, where their sum leaves no other: all at one of the bin's ends, or one alone.
fn only_score(count: u64, sum: u128, (bin, bins): (u64, u32)) -> Option<u64> {
    let least = if bin == 0 { 0 } else { edge(bin, bins) + 1 };
    let all_at = |q: u64| u128::from(q) * u128::from(count) == sum;
    let alone = || u64::try_from(sum).ok().filter(|_| count == 1);
    [edge(bin + 1, bins), least].into_iter().find(|q| all_at(*q)).or_else(alone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::bin_of;
    use proptest::prelude::*;

    fn binned(scores: &[u64], bins: u32) -> (Vec<u64>, Vec<u128>) {
        let (mut counts, mut sums) = (vec![0; bins as usize], vec![0; bins as usize]);
        for q in scores {
            counts[bin_of(*q, bins)] += 1;
            sums[bin_of(*q, bins)] += u128::from(*q);
        }
        (counts, sums)
    }

    fn of(scores: &[u64], bins: u32) -> Median {
        let (counts, sums) = binned(scores, bins);
        median(&counts, Some(&sums)).expect("scores")
    }

    #[test]
    fn a_grid_of_edges_is_exact_and_other_scores_are_interpolated() {
        let half = SCORE_ONE / 2;
        let found = of(&[half / 2, half, half, half, SCORE_ONE], 20);
        assert_eq!((found.exact, found.value, found.bin, found.above), (true, 0.5, 9, 0.0));
        assert_eq!(found.bounds, Interval { lower: 0.5, upper: 0.5 });
        // Three of five in the bin, none known; the median is in the middle of it.
        let found = of(&[half / 2, half - 1, half - 2, half - 3, SCORE_ONE], 10);
        assert_eq!((found.exact, found.bin, found.above), (false, 4, 0.5));
        assert!((found.value - 0.45).abs() < 1e-9 && (found.bounds.upper - 0.5).abs() < 1e-9);
        // Half of four end with the bin: the median is between it and the next score.
        let found = of(&[1, half - 2, SCORE_ONE - 9, SCORE_ONE], 10);
        assert_eq!((found.exact, found.bin, found.bounds.upper), (true, 4, 1.0));
        // One alone is the median.
        let found = of(&[1, half - 2, SCORE_ONE - 9], 10);
        assert_eq!((found.exact, found.value), (true, (half - 2) as f64 / SCORE_ONE as f64));
        assert_eq!(of(&[0, 0, 0], 10).bounds, Interval { lower: 0.0, upper: 0.0 });
        assert_eq!(median(&[0; 10], Some(&[0; 10])), Err(NotEstimable::EmptyDenominator));
        assert_eq!(median(&[], None), Err(NotEstimable::EmptyDenominator));
    }

    proptest! {
        #[test]
        fn the_scores_above_are_those_of_the_scores_themselves(
            scores in proptest::collection::vec(prop_oneof![0..=SCORE_ONE, (0..=10_u64).prop_map(|at| edge(at, 10))], 1..12),
            m in 0..4_u32,
        ) {
            let mut sorted = scores.clone();
            sorted.sort_unstable();
            let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
            let found = of(&scores, 10 << m);
            let middle = (low as f64 + high as f64) / 2.0 / SCORE_ONE as f64;
            prop_assert!(found.bounds.contains(middle), "{:?} {}", found, middle);
            let (counts, _) = binned(&scores, 10 << m);
            let later = counts[found.bin + 1..].iter().sum::<u64>();
            let above = scores.iter().filter(|q| 2 * **q > low + high).count() as u64;
            prop_assert!(later <= above && above <= later + counts[found.bin]);
            prop_assert!(!found.exact || above == later, "{:?}", found);
        }
    }
}
