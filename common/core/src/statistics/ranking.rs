//! How well a score ranks, from a histogram: the area under the ROC curve and what else one number says of it.
//!
//! `positives` and `negatives` are events by bin, the bins in ascending order of the score.

use super::drift::ks_bounds;
use super::{Bounded, BoundedEstimate, Effect, Estimate, Interval, NotEstimable, normal_quantile};

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
    /// DeLong's variance; `ZeroVariance` if a label has a single event.
    pub variance: Result<f64, NotEstimable>,
}

/// The probability that a positive scores above a negative, ties one half.
///
/// # Errors
/// `UnequalRows`; `EmptyDenominator` without positives or without negatives; `InvalidLevel`.
pub fn auc(positives: &[u64], negatives: &[u64], level: f64) -> Result<Auc, NotEstimable> {
    let z = normal_quantile(level)?;
    let (p, n) = totals(positives, negatives)?;
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
    let variance = delong_variance(positives, negatives, value);
    let interval = variance.and_then(|variance| {
        let around = Interval::around(value, z * variance.sqrt())?;
        Ok(Interval { lower: around.lower.max(0.0), upper: around.upper.min(1.0) })
    });
    Ok(Auc { estimate: Estimate { value, interval }, bounds, variance })
}

/// Gini coefficient, or accuracy ratio, or Somers' D: 2 AUC - 1, between -1 and 1, with the interval and bounds of the area.
pub fn gini(auc: &Auc) -> BoundedEstimate {
    let twice = |i: Interval| Interval { lower: 2.0 * i.lower - 1.0, upper: 2.0 * i.upper - 1.0 };
    let Estimate { value, interval } = auc.estimate;
    BoundedEstimate {
        estimate: Estimate { value: 2.0 * value - 1.0, interval: interval.map(twice) },
        bounds: twice(auc.bounds),
    }
}

/// One area less another of other events, between -1 and 1; normal interval with the sum of DeLong's variances.
///
/// # Errors
/// `InvalidLevel`.
pub fn auc_difference(one: &Auc, other: &Auc, level: f64) -> Result<BoundedEstimate, NotEstimable> {
    let z = normal_quantile(level)?;
    let value = one.estimate.value - other.estimate.value;
    let interval = one.variance.and_then(|variance| {
        let around = Interval::around(value, z * (variance + other.variance?).sqrt())?;
        Ok(Interval { lower: around.lower.max(-1.0), upper: around.upper.min(1.0) })
    });
    let bounds =
        Interval { lower: one.bounds.lower - other.bounds.upper, upper: one.bounds.upper - other.bounds.lower };
    Ok(BoundedEstimate { estimate: Estimate { value, interval }, bounds })
}

/// The logit of an area with the delta method's variance, v / (A (1 - A))^2: what areas of sites are pooled on.
///
/// # Errors
/// `ZeroVariance` for an area of 0 or 1, and where it has no variance.
pub fn auc_effect(auc: &Auc) -> Result<Effect, NotEstimable> {
    let (area, variance) = (auc.estimate.value, auc.variance?);
    if area <= 0.0 || area >= 1.0 || variance <= 0.0 {
        return Err(NotEstimable::ZeroVariance);
    }
    Ok(Effect { estimate: (area / (1.0 - area)).ln(), variance: variance / (area * (1.0 - area)).powi(2) })
}

/// Kolmogorov-Smirnov distance between the scores of both labels, between 0 and 1: the greatest TPR - FPR, or FPR - TPR,
/// that a threshold gives. The value is that of the bins' edges.
///
/// # Errors
/// Those of [`auc`].
pub fn label_distance(positives: &[u64], negatives: &[u64]) -> Result<Bounded, NotEstimable> {
    let bounds = ks_bounds(positives, negatives)?;
    Ok(Bounded { value: bounds.lower, bounds })
}

/// Average precision: mean over positives of the precision at their score, between 0 and 1; a bin's events are ties.
///
/// Logit interval with variance AP (1 - AP) / P (Boyd, Eng and Page 2013); `ZeroVariance` for an average of 1. Lower bound:
/// in each bin the negatives come first; upper: all positives of a bin tie, above its negatives.
///
/// # Errors
/// Those of [`auc`].
pub fn average_precision(positives: &[u64], negatives: &[u64], level: f64) -> Result<BoundedEstimate, NotEstimable> {
    let z = normal_quantile(level)?;
    let (all, _) = totals(positives, negatives)?;
    let (mut tp, mut fp) = (0.0, 0.0);
    let (mut value, mut lower, mut upper) = (0.0, 0.0, 0.0);
    for (p, n) in positives.iter().zip(negatives).rev() {
        let (p, n) = (*p as f64, *n as f64);
        if p > 0.0 {
            upper += p * (tp + p) / (tp + p + fp);
            value += p * (tp + p) / (tp + p + fp + n);
            // The i-th positive has precision (tp + i) / (tp + i + fp + n) = 1 - (fp + n) / (tp + i + fp + n).
            lower += p - (fp + n) * reciprocals(tp + fp + n, p);
        }
        (tp, fp) = (tp + p, fp + n);
    }
    let [value, lower, upper] = [value, lower, upper].map(|sum: f64| (sum / all as f64).clamp(0.0, 1.0));
    let logit = (value / (1.0 - value)).ln();
    let half = z / (all as f64 * value * (1.0 - value)).sqrt();
    let share = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    let interval = match value < 1.0 {
        true => Interval::around(logit, half).map(|i| Interval { lower: share(i.lower), upper: share(i.upper) }),
        false => Err(NotEstimable::ZeroVariance),
    };
    Ok(BoundedEstimate { estimate: Estimate { value, interval }, bounds: Interval { lower, upper } })
}

/// 1 / (start + 1) + ... + 1 / (start + count), both whole.
///
/// Where `count` is small beside `start`, by powers of the distances from the middle m: their mean is 0, that of their
/// squares (count^2 - 1) / 12, that of their fourth powers (count^2 - 1)(3 count^2 - 7) / 240, and the next term below 1e-13. Else
/// term by term where that is short or `start` is small, then by the asymptotic series of harmonic numbers around n + 1/2
/// (DeTemple and Wang 1991), whose next term is below 1e-13 here.
fn reciprocals(start: f64, count: f64) -> f64 {
    if 64.0 * count <= start {
        let middle = 1.0 / (start + (count + 1.0) / 2.0);
        let (square, of) = (middle * middle, count * count);
        let second = (of - 1.0) / 12.0 * square;
        return count * middle * (1.0 + second * (1.0 + (3.0 * of - 7.0) / 20.0 * square));
    }
    let direct = count.min(if count <= 4.0 { count } else { (16.0 - start).max(0.0) });
    let mut sum = 0.0;
    for i in 1..=direct as u64 {
        sum += 1.0 / (start + i as f64);
    }
    if direct < count {
        let (from, to) = (start + direct + 0.5, start + count + 0.5);
        let correction = |x: f64| {
            let square = 1.0 / (x * x);
            square * (1.0 / 24.0 - square * (7.0 / 960.0 - square * 31.0 / 8064.0))
        };
        sum += ((count - direct) / from).ln_1p() + correction(to) - correction(from);
    }
    sum
}

/// Positives and negatives in all.
///
/// # Errors
/// `UnequalRows`; `EmptyDenominator` without positives or without negatives.
pub(super) fn totals(positives: &[u64], negatives: &[u64]) -> Result<(u128, u128), NotEstimable> {
    if positives.len() != negatives.len() {
        return Err(NotEstimable::UnequalRows);
    }
    let total = |bins: &[u64]| bins.iter().map(|n| u128::from(*n)).sum::<u128>();
    match (total(positives), total(negatives)) {
        (0, _) | (_, 0) => Err(NotEstimable::EmptyDenominator),
        both => Ok(both),
    }
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
        s10 += p_b * (n_below + n_b / 2.0 - auc * n).powi(2);
        s01 += n_b * (p_above + p_b / 2.0 - auc * p).powi(2);
        n_below += n_b;
    }
    Ok(s10 / (n * n) / (p - 1.0) / p + s01 / (p * p) / (n - 1.0) / n)
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

    #[test]
    fn reciprocals_add_up() {
        for (start, count) in [
            (0.0, 5.0),
            (0.0, 40.0),
            (3.0, 1000.0),
            (20.0, 33.0),
            (1e6, 1e5),
            (5.0, 0.0),
            (64.0, 1.0),
            (6400.0, 100.0),
            (1e6, 3.0),
        ] {
            let plain: f64 = (1..=count as u64).map(|i| 1.0 / (start + i as f64)).sum();
            assert!((reciprocals(start, count) - plain).abs() <= 1e-12 * plain, "{start} {count}");
        }
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
            let precision = average_precision(&p, &n, LEVEL).and_then(|a| Ok((a, average_precision(&halve(&p), &halve(&n), LEVEL)?)));
            if let Ok((fine, coarse)) = precision {
                prop_assert!(coarse.bounds.lower <= fine.bounds.lower + 1e-12);
                prop_assert!(fine.bounds.upper <= coarse.bounds.upper + 1e-12);
                let (lower, upper) = (coarse.bounds.lower - 1e-12, coarse.bounds.upper + 1e-12);
                prop_assert!(lower <= fine.estimate.value && fine.estimate.value <= upper);
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
