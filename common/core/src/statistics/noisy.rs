//! Proportions of counts to which noise was added.

use super::{Interval, NotEstimable, normal_quantile};

/// Counts with independent noise, added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisySum {
    /// The sum.
    pub value: f64,
    /// Variance of the noise in it.
    pub variance: f64,
}

/// A proportion of noisy counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisyRate {
    /// The point, held inside 0 to 1.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
}

/// A denominator below so many standard deviations of its own noise is none.
pub const NOISE_MULTIPLE: f64 = 5.0;

/// The proportion `part / (part + rest)` of independent noisy sums, shown where the denominator is at least `least` and at
/// least [`NOISE_MULTIPLE`] standard deviations of its own noise.
///
/// With x the part, n the denominator and p the proportion, x - n p = (1 - p) part - p rest has the variance n p (1 - p) from
/// sampling and (1 - p)^2 V(part) + p^2 V(rest) from noise. The interval holds all p for which (x - n p)^2 is at most z^2 times
/// both: the score interval of Wilson (1927) with the noise of numerator and denominator as in Fieller (1954). Without noise
/// it is Wilson's.
///
/// # Errors
/// `TooFewEvents` below `least`; `TooNoisy`; `InvalidLevel`.
pub fn noisy_rate(part: NoisySum, rest: NoisySum, least: u64, level: f64) -> Result<NoisyRate, NotEstimable> {
    let (n, noise) = (part.value + rest.value, part.variance + rest.variance);
    if n < least.max(1) as f64 {
        return Err(NotEstimable::TooFewEvents);
    }
    if n < NOISE_MULTIPLE * noise.sqrt() {
        return Err(NotEstimable::TooNoisy);
    }
    let (x, z2) = (part.value, normal_quantile(level)?.powi(2));
    // a p^2 - b p + c <= 0; a is above 0 as n is five standard deviations.
    let a = n * n + z2 * (n - noise);
    let b = 2.0 * x * n + z2 * (n - 2.0 * part.variance);
    let c = x * x - z2 * part.variance;
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    let value = (x / n).clamp(0.0, 1.0);
    let interval = Interval {
        lower: ((b - root) / (2.0 * a)).clamp(0.0, value),
        upper: ((b + root) / (2.0 * a)).clamp(value, 1.0),
    };
    Ok(NoisyRate { value, interval })
}

/// The difference of two independent proportions and its interval, by the method of Newcombe (1998) and Zou and Donner (2008)
/// from theirs.
pub fn noisy_difference(one: NoisyRate, other: NoisyRate) -> (f64, Interval) {
    let value = one.value - other.value;
    let (low, high) = (one.interval, other.interval);
    let below = ((one.value - low.lower).powi(2) + (high.upper - other.value).powi(2)).sqrt();
    let above = ((low.upper - one.value).powi(2) + (other.value - high.lower).powi(2)).sqrt();
    (value, Interval { lower: (value - below).max(-1.0), upper: (value + above).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{LEVEL, newcombe_difference, wilson};

    fn exact(value: f64) -> NoisySum {
        NoisySum { value, variance: 0.0 }
    }

    #[test]
    fn without_noise_it_is_wilson_and_newcombe() {
        for (x, n) in [(0, 7), (3, 11), (50, 50), (412, 1_000)] {
            let found = noisy_rate(exact(x as f64), exact((n - x) as f64), 1, LEVEL).expect("a rate").interval;
            let expected = wilson(x, n, LEVEL).expect("an interval");
            assert!((found.lower - expected.lower).abs() < 1e-12 && (found.upper - expected.upper).abs() < 1e-12);
        }
        let of = |x: f64, n: f64| noisy_rate(exact(x), exact(n - x), 1, LEVEL).expect("a rate");
        let (value, found) = noisy_difference(of(30.0, 80.0), of(50.0, 90.0));
        let expected = newcombe_difference(30, 80, 50, 90, LEVEL).expect("an interval");
        assert!((found.lower - expected.lower).abs() < 1e-12 && (found.upper - expected.upper).abs() < 1e-12);
        assert!((value - (30.0 / 80.0 - 50.0 / 90.0)).abs() < 1e-12);
    }

    #[test]
    fn noise_widens_and_hides() {
        let noisy = |value: f64, variance: f64| NoisySum { value, variance };
        let of = |variance: f64| noisy_rate(noisy(40.0, variance), noisy(60.0, variance), 10, LEVEL);
        let (narrow, wide) = (of(0.0).expect("a rate"), of(100.0).expect("a rate"));
        assert!(wide.interval.upper - wide.interval.lower > 1.2 * (narrow.interval.upper - narrow.interval.lower));
        // The score equation holds at both ends: (40 - 100 p)^2 = z^2 (100 p (1 - p) + 100 (1 - p)^2 + 100 p^2).
        for p in [wide.interval.lower, wide.interval.upper] {
            let z2 = normal_quantile(LEVEL).expect("valid").powi(2);
            let right = z2 * (100.0 * p * (1.0 - p) + 100.0 * (1.0 - p).powi(2) + 100.0 * p * p);
            assert!(((40.0 - 100.0 * p).powi(2) - right).abs() < 1e-9, "{p}");
        }
        // 100 events, the noise of all of them has a standard deviation of 20.
        assert!(of(200.0).is_ok() && of(200.1) == Err(NotEstimable::TooNoisy));
        assert_eq!(noisy_rate(noisy(4.0, 0.0), noisy(5.0, 0.0), 10, LEVEL), Err(NotEstimable::TooFewEvents));
        assert_eq!(noisy_rate(noisy(-4.0, 0.0), noisy(4.0, 0.0), 0, LEVEL), Err(NotEstimable::TooFewEvents));
        let below = noisy_rate(noisy(-3.0, 9.0), noisy(200.0, 9.0), 10, LEVEL).expect("a rate");
        assert!(below.value == 0.0 && below.interval.lower == 0.0 && below.interval.upper > 0.0);
    }
}
