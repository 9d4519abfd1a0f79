//! Proportions of events that stand for several, or of which several are of one person.

use super::proportion::wilson_of;
use super::{Interval, NotEstimable, normal_quantile};

/// A proportion of weighted events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedRate {
    /// Sum of w x by sum of w n.
    pub value: f64,
    /// How many unweighted events of as many people would tell as much. Where all weights are the same and nobody comes
    /// twice, the events themselves.
    pub effective: f64,
}

/// Sums over a sample of events, some of which count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WeightedSums {
    /// Sum of the weights of the events that count.
    pub count: f64,
    /// Sum of the weights of all of them.
    pub total: f64,
    /// Sum of the squares of the same.
    pub squares: f64,
    /// Over ordered pairs of different events of one person, the sum of the products of their weights: both count; the
    /// first counts and the second does not; neither does. The second sum is taken once, not for both orders.
    pub pairs: [f64; 3],
}

impl WeightedSums {
    /// Those of n events that stand for `weight` each, of which x count; all of different people.
    pub fn of(weight: u64, x: u64, n: u64) -> Self {
        let w = weight as f64;
        WeightedSums { count: w * x as f64, total: w * n as f64, squares: w * w * n as f64, pairs: [0.0; 3] }
    }

    /// Both samples together.
    pub fn plus(self, other: Self) -> Self {
        WeightedSums {
            count: self.count + other.count,
            total: self.total + other.total,
            squares: self.squares + other.squares,
            pairs: std::array::from_fn(|at| self.pairs[at] + other.pairs[at]),
        }
    }
}

/// The proportion of a sample.
///
/// Its variance is that of a simple random sample of `effective` events. With people told apart by c, the linearised
/// variance of the ratio (Liang and Zeger 1986; Särndal, Swensson and Wretman 1992) is
/// sum_c (sum_i w_i (y_i - p))^2 / (sum w)^2: p (1 - p) sum w^2 as for independent events (Kish 1965), and over the pairs of
/// one person's events the products of their residuals. Where these take away, people are taken for independent; where p is
/// 0 or 1, and has no residuals, one person's events for the same.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`.
pub fn weighted_rate(sums: WeightedSums) -> Result<WeightedRate, NotEstimable> {
    let WeightedSums { count, total, squares, pairs: [both, one, neither] } = sums;
    if total <= 0.0 {
        return Err(if count > 0.0 { NotEstimable::CountExceedsTotal } else { NotEstimable::EmptyDenominator });
    }
    if count > total {
        return Err(NotEstimable::CountExceedsTotal);
    }
    let p = count / total;
    let more = if count == 0.0 || count == total {
        both + 2.0 * one + neither
    } else {
        let residuals = (1.0 - p) * (1.0 - p) * both - 2.0 * p * (1.0 - p) * one + p * p * neither;
        residuals / (p * (1.0 - p))
    };
    Ok(WeightedRate { value: p, effective: total * total / (squares + more.max(0.0)) })
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

    fn strata(strata: &[(u64, u64, u64)]) -> Result<WeightedRate, NotEstimable> {
        let sums = strata.iter().map(|(weight, x, n)| WeightedSums::of(*weight, *x, *n));
        weighted_rate(sums.fold(WeightedSums::default(), WeightedSums::plus))
    }

    #[test]
    fn a_small_example_by_hand() {
        // 100 events that stand for themselves, 30 selected; 50 that stand for 20 each, 25 selected.
        let rate = strata(&[(1, 30, 100), (20, 25, 50)]).expect("defined");
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
        assert_eq!(strata(&[]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(strata(&[(20, 0, 0)]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(strata(&[(20, 2, 1)]), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(strata(&[(20, 1, 0)]), Err(NotEstimable::CountExceedsTotal));
    }

    #[test]
    fn who_comes_twice_with_the_same_outcome_tells_once() {
        // 20 people, each twice: 8 selected both times, 12 never.
        let sums = WeightedSums { pairs: [16.0, 0.0, 24.0], ..WeightedSums::of(1, 16, 40) };
        let rate = weighted_rate(sums).expect("defined");
        assert!((rate.value - 0.4).abs() < 1e-15 && (rate.effective - 20.0).abs() < 1e-12, "{rate:?}");
        // Each selected once: not less than 40 independent events.
        let sums = WeightedSums { pairs: [0.0, 20.0, 0.0], ..WeightedSums::of(1, 20, 40) };
        assert_eq!(weighted_rate(sums).map(|rate| rate.effective), Ok(40.0));
        // Nobody is ever selected: 20 people have told that, not 40.
        let sums = WeightedSums { pairs: [0.0, 0.0, 40.0], ..WeightedSums::of(1, 0, 40) };
        assert_eq!(weighted_rate(sums).map(|rate| rate.effective), Ok(20.0));
    }

    proptest! {
        #[test]
        fn equal_weights_change_nothing(w in 1..1_000_u64, a in 1..500_u64, x in 0..500_u64, b in 1..500_u64) {
            let (n1, n0) = (a + b, b + 1);
            let (x1, x0) = (x.min(n1), x.min(n0));
            let one = strata(&[(w, x1, n1)]).expect("defined");
            let split = strata(&[(w, x1.min(a), a), (w, x1 - x1.min(a), b)]).expect("defined");
            let other = strata(&[(w, x0, n0)]).expect("defined");
            let near = |a: Interval, b: Interval| (a.lower - b.lower).abs() < 1e-9 && (a.upper - b.upper).abs() < 1e-9;
            let plain = wilson(x1, n1, LEVEL).expect("defined");
            prop_assert!(near(wilson_effective(one, LEVEL).expect("defined"), plain));
            prop_assert!(near(wilson_effective(split, LEVEL).expect("defined"), plain));
            let gap = newcombe_difference(x1, n1, x0, n0, LEVEL).expect("defined");
            prop_assert!(near(newcombe_effective(one, other, LEVEL).expect("defined"), gap));
        }

        #[test]
        fn unequal_weights_tell_less(w in 2..1_000_u64, x in 0..100_u64, y in 0..100_u64) {
            let rate = strata(&[(1, x, 100), (w, y, 100)]).expect("defined");
            prop_assert!(rate.effective < 200.0 && rate.effective > 100.0 && (0.0..=1.0).contains(&rate.value));
        }
    }
}
