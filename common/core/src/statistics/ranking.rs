//! How well a score ranks: the area under the ROC curve from a histogram.

use super::{Estimate, Interval, NotEstimable, normal_quantile};

/// The area under the ROC curve, from counts in the same bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// Ties inside a bin count one half. Normal interval with DeLong's variance (DeLong, DeLong and Clarke-Pearson
    /// 1988), the bins taken as the scores; held inside 0 to 1. `ZeroVariance` if a label has a single event, or if the
    /// labels are ranked without a fault.
    pub estimate: Estimate,
    /// Where the area of the scores themselves must lie, however they fall inside their bins: half of the sum of
    /// p_b q_b / (P N) to either side. No confidence is involved.
    pub bounds: Interval,
}

/// The probability that a positive scores above a negative, ties one half.
///
/// `positives` and `negatives` are events by bin, bins in ascending order of the score.
///
/// # Errors
/// `UnequalRows`; `EmptyDenominator` without positives or without negatives; `InvalidLevel`.
pub fn auc(positives: &[u64], negatives: &[u64], level: f64) -> Result<Auc, NotEstimable> {
    let z = normal_quantile(level)?;
    if positives.len() != negatives.len() {
        return Err(NotEstimable::UnequalRows);
    }
    let total = |bins: &[u64]| bins.iter().map(|n| u128::from(*n)).sum::<u128>();
    let (p, n) = (total(positives), total(negatives));
    if p == 0 || n == 0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    // Pairs in exact integers: those certainly in order, and those inside a bin.
    let (mut ordered, mut tied, mut below) = (0_u128, 0_u128, 0_u128);
    for (p_b, n_b) in positives.iter().zip(negatives) {
        ordered += u128::from(*p_b) * below;
        tied += u128::from(*p_b) * u128::from(*n_b);
        below += u128::from(*n_b);
    }
    let pairs = p as f64 * n as f64;
    let value = (2 * ordered + tied) as f64 / (2.0 * pairs);
    let bounds = Interval { lower: ordered as f64 / pairs, upper: (ordered + tied) as f64 / pairs };
    let interval = delong_variance(positives, negatives, value).and_then(|variance| {
        let around = Interval::around(value, z * variance.sqrt())?;
        Ok(Interval { lower: around.lower.max(0.0), upper: around.upper.min(1.0) })
    });
    Ok(Auc { estimate: Estimate { value, interval }, bounds })
}

/// S10 / P + S01 / N: the spread of each event's share of pairs in order.
fn delong_variance(positives: &[u64], negatives: &[u64], auc: f64) -> Result<f64, NotEstimable> {
    let total = |bins: &[u64]| bins.iter().map(|n| *n as f64).sum::<f64>();
    let (p, n) = (total(positives), total(negatives));
    if p < 2.0 || n < 2.0 {
        return Err(NotEstimable::ZeroVariance);
    }
    let (mut s10, mut s01, mut n_below, mut p_above) = (0.0, 0.0, 0.0, p);
    for (p_b, n_b) in positives.iter().zip(negatives) {
        let (p_b, n_b) = (*p_b as f64, *n_b as f64);
        p_above -= p_b;
        s10 += p_b * ((n_below + n_b / 2.0) / n - auc).powi(2);
        s01 += n_b * ((p_above + p_b / 2.0) / p - auc).powi(2);
        n_below += n_b;
    }
    Ok(s10 / (p - 1.0) / p + s01 / (n - 1.0) / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;
    use proptest::prelude::*;

    #[test]
    fn hanley_and_mcneil_1982() {
        // "The meaning and use of the area under a ROC curve", table I: 58 normal and 51 abnormal images, five ratings.
        // They print 0.893 from table II.
        let found = auc(&[3, 2, 2, 11, 33], &[33, 6, 6, 11, 2], LEVEL);
        assert!(found.is_ok_and(|a| (a.estimate.value - 0.893).abs() < 5e-4), "{found:?}");
    }

    #[test]
    fn a_label_without_events_has_no_area() {
        assert_eq!(auc(&[0, 0], &[1, 2], LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(auc(&[1, 2], &[0, 0], LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(auc(&[1], &[1, 2], LEVEL), Err(NotEstimable::UnequalRows));
        let perfect = auc(&[0, 5], &[5, 0], LEVEL).expect("defined");
        assert_eq!(perfect.estimate, Estimate { value: 1.0, interval: Err(NotEstimable::ZeroVariance) });
        assert_eq!(perfect.bounds, Interval { lower: 1.0, upper: 1.0 });
    }

    fn histogram() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        (2..6_usize).prop_flat_map(|m| {
            let bins = 1 << m;
            (proptest::collection::vec(0..50_u64, bins), proptest::collection::vec(0..50_u64, bins))
        })
    }

    proptest! {
        #[test]
        fn halving_widens_the_bounds_around_the_finer_value((p, n) in histogram()) {
            let halve = |bins: &[u64]| bins.chunks(2).map(|pair| pair.iter().sum()).collect::<Vec<u64>>();
            if let (Ok(fine), Ok(coarse)) = (auc(&p, &n, LEVEL), auc(&halve(&p), &halve(&n), LEVEL)) {
                prop_assert!(coarse.bounds.lower <= fine.bounds.lower && fine.bounds.upper <= coarse.bounds.upper);
                prop_assert!(coarse.bounds.contains(fine.estimate.value));
            }
        }

        #[test]
        fn labels_exchanged_give_the_complement((p, n) in histogram()) {
            if let (Ok(one), Ok(other)) = (auc(&p, &n, LEVEL), auc(&n, &p, LEVEL)) {
                prop_assert!((one.estimate.value + other.estimate.value - 1.0).abs() < 1e-12);
            }
        }
    }
}
