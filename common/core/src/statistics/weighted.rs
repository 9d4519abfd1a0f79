//! Proportions of events that stand for several: those of sampled tiers.

use super::proportion::wilson_of;
use super::{Interval, NotEstimable, normal_quantile, rate};

/// A proportion of weighted events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedRate {
    /// Sum of w x by sum of w n.
    pub value: f64,
    /// How many unweighted events would tell as much: (sum of w n)^2 by sum of w^2 n (Kish 1965). Where all weights are
    /// the same, the events themselves.
    pub effective: f64,
}

/// The proportion of strata (w, x, n): of n events in each, x count, and each stands for w.
///
/// Its variance is p (1 - p) sum w^2 / (sum w)^2, that of a simple random sample of `effective` events.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`.
pub fn weighted_rate(strata: &[(u64, u64, u64)]) -> Result<WeightedRate, NotEstimable> {
    let (mut count, mut total, mut squares) = (0.0, 0.0, 0.0);
    for &(weight, x, n) in strata.iter().filter(|(weight, _, n)| *weight > 0 && *n > 0) {
        rate(x, n)?;
        let w = weight as f64;
        count += w * x as f64;
        total += w * n as f64;
        squares += w * w * n as f64;
    }
    if strata.iter().any(|(_, x, n)| x > n) {
        return Err(NotEstimable::CountExceedsTotal);
    }
    if total == 0.0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    Ok(WeightedRate { value: count / total, effective: total * total / squares })
}

/// Wilson's interval at the effective number of events.
///
/// # Errors
/// `InvalidLevel`.
pub fn wilson_effective(rate: WeightedRate, level: f64) -> Result<Interval, NotEstimable> {
    Ok(wilson_of(rate.value, rate.effective, normal_quantile(level)?))
}

/// Newcombe's interval of the difference of two weighted proportions, from their Wilson intervals.
///
/// # Errors
/// `InvalidLevel`.
pub fn newcombe_effective(one: WeightedRate, other: WeightedRate, level: f64) -> Result<Interval, NotEstimable> {
    let (w1, w0) = (wilson_effective(one, level)?, wilson_effective(other, level)?);
    let (p1, p0) = (one.value, other.value);
    let below = ((p1 - w1.lower).powi(2) + (w0.upper - p0).powi(2)).sqrt();
    let above = ((w1.upper - p1).powi(2) + (p0 - w0.lower).powi(2)).sqrt();
    Ok(Interval { lower: (p1 - p0 - below).max(-1.0), upper: (p1 - p0 + above).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{LEVEL, newcombe_difference, wilson};
    use proptest::prelude::*;

    #[test]
    fn a_small_example_by_hand() {
        // 100 events that stand for themselves, 30 selected; 50 that stand for 20 each, 25 selected.
        let rate = weighted_rate(&[(1, 30, 100), (20, 25, 50)]).expect("defined");
        assert!((rate.value - 530.0 / 1_100.0).abs() < 1e-15);
        assert!((rate.effective - 1_210_000.0 / 20_100.0).abs() < 1e-12);
        // statsmodels 0.14, proportion_confint(p * n, n, method="wilson") with n = 60.199.
        let interval = wilson_effective(rate, LEVEL).expect("defined");
        assert!(
            (interval.lower - 0.360525904483219).abs() < 1e-12 && (interval.upper - 0.60529172711065).abs() < 1e-12,
            "{interval:?}"
        );
    }

    #[test]
    fn nothing_has_no_rate() {
        assert_eq!(weighted_rate(&[]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(weighted_rate(&[(20, 0, 0)]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(weighted_rate(&[(20, 2, 1)]), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(weighted_rate(&[(20, 1, 0)]), Err(NotEstimable::CountExceedsTotal));
    }

    proptest! {
        #[test]
        fn equal_weights_change_nothing(w in 1..1_000_u64, a in 1..500_u64, x in 0..500_u64, b in 1..500_u64) {
            let (n1, n0) = (a + b, b + 1);
            let (x1, x0) = (x.min(n1), x.min(n0));
            let one = weighted_rate(&[(w, x1, n1)]).expect("defined");
            let split = weighted_rate(&[(w, x1.min(a), a), (w, x1 - x1.min(a), b)]).expect("defined");
            let other = weighted_rate(&[(w, x0, n0)]).expect("defined");
            let near = |a: Interval, b: Interval| (a.lower - b.lower).abs() < 1e-9 && (a.upper - b.upper).abs() < 1e-9;
            let plain = wilson(x1, n1, LEVEL).expect("defined");
            prop_assert!(near(wilson_effective(one, LEVEL).expect("defined"), plain));
            prop_assert!(near(wilson_effective(split, LEVEL).expect("defined"), plain));
            let gap = newcombe_difference(x1, n1, x0, n0, LEVEL).expect("defined");
            prop_assert!(near(newcombe_effective(one, other, LEVEL).expect("defined"), gap));
        }

        #[test]
        fn unequal_weights_tell_less(w in 2..1_000_u64, x in 0..100_u64, y in 0..100_u64) {
            let rate = weighted_rate(&[(1, x, 100), (w, y, 100)]).expect("defined");
            prop_assert!(rate.effective < 200.0 && rate.effective > 100.0 && (0.0..=1.0).contains(&rate.value));
        }
    }
}
