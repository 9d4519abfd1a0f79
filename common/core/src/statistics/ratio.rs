//! The ratio of two independent proportions: impact ratio, relative risk.

use super::tail::bisect;
use super::{Interval, NotEstimable, normal_quantile, rate};
use serde::{Deserialize, Serialize};

/// How the interval of a ratio was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioMethod {
    /// Normal on the logarithm (Katz et al. 1978).
    KatzLog,
    /// Inverted score test (Koopman 1984).
    KoopmanScore,
}

/// A ratio of two proportions with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioEstimate {
    /// The ratio, at least 0.
    pub value: f64,
    /// Its interval.
    pub interval: Interval,
    /// How the interval was made.
    pub method: RatioMethod,
}

/// Ends of the interval of a ratio that may reach to infinity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioBounds {
    /// Lower end, at least 0.
    pub lower: f64,
    /// Upper end; none if every larger ratio is compatible with the counts.
    pub upper: Option<f64>,
    /// How the bounds were made.
    pub method: RatioMethod,
}

/// The ratio of two independent proportions, `(x1 / n1) / (x0 / n0)`.
///
/// # Errors
/// Those of [`rate`], for either proportion; `ZeroRateInDenominator` if `x0` is 0.
pub fn ratio(x1: u64, n1: u64, x0: u64, n0: u64) -> Result<f64, NotEstimable> {
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    if x0 == 0 { Err(NotEstimable::ZeroRateInDenominator) } else { Ok(p1 / p0) }
}

/// [`ratio`] with Katz's log interval (Katz, Baptista, Azen and Pike 1978).
///
/// That interval does not exist if `x1` is 0 and has no width if both rates are 1; Koopman's score interval then
/// takes its place, and the result says so.
///
/// # Errors
/// Those of [`ratio`] (for `x0 = 0`, [`koopman_bounds`] still gives a lower bound); `InvalidLevel`.
pub fn katz_ratio(x1: u64, n1: u64, x0: u64, n0: u64, level: f64) -> Result<RatioEstimate, NotEstimable> {
    let value = ratio(x1, n1, x0, n0)?;
    let RatioBounds { lower, upper, method } = ratio_bounds(x1, n1, x0, n0, normal_quantile(level)?)?;
    let upper = upper.ok_or(NotEstimable::ZeroRateInDenominator)?;
    Ok(RatioEstimate { value, interval: Interval { lower, upper }, method })
}

/// Koopman's score interval of [`ratio`] (Koopman 1984, without Miettinen and Nurminen's factor n / (n - 1)).
///
/// With `x1 = 0` it starts at 0; with `x0 = 0` the ratio has no value and its interval no upper end.
///
/// # Errors
/// Those of [`rate`], for either proportion; `ZeroCell` if `x1` and `x0` are both 0 (nothing is known about the ratio);
/// `InvalidLevel`.
pub fn koopman_bounds(x1: u64, n1: u64, x0: u64, n0: u64, level: f64) -> Result<RatioBounds, NotEstimable> {
    rate(x1, n1)?;
    rate(x0, n0)?;
    koopman_of(x1, n1, x0, n0, normal_quantile(level)?)
}

fn koopman_of(x1: u64, n1: u64, x0: u64, n0: u64, z: f64) -> Result<RatioBounds, NotEstimable> {
    if x1 == 0 && x0 == 0 {
        return Err(NotEstimable::ZeroCell);
    }
    // The statistic falls as the logarithm of the ratio grows; at the ends of the range it is beyond any level.
    let root =
        |target: f64| bisect(-LOG_RANGE, LOG_RANGE, |log| koopman_score(log.exp(), x1, n1, x0, n0) > target).exp();
    Ok(RatioBounds {
        lower: if x1 == 0 { 0.0 } else { root(z) },
        upper: if x0 == 0 { None } else { Some(root(-z)) },
        method: RatioMethod::KoopmanScore,
    })
}

/// Katz where that is defined and has a width, else Koopman; at the normal quantile `z`.
pub(super) fn ratio_bounds(x1: u64, n1: u64, x0: u64, n0: u64, z: f64) -> Result<RatioBounds, NotEstimable> {
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    if x1 == 0 || x0 == 0 || (x1 == n1 && x0 == n0) {
        return koopman_of(x1, n1, x0, n0, z);
    }
    let variance = (1.0 - p1) / x1 as f64 + (1.0 - p0) / x0 as f64;
    let interval = Interval::around_log((p1 / p0).ln(), z * variance.sqrt())?;
    Ok(RatioBounds { lower: interval.lower, upper: Some(interval.upper), method: RatioMethod::KatzLog })
}

/// The signed root of Koopman's statistic: p1 - theta * p0 over its standard error at the proportions that are most
/// likely among those with ratio `theta`.
fn koopman_score(theta: f64, x1: u64, n1: u64, x0: u64, n0: u64) -> f64 {
    let (f1, f0) = ((n1 - x1) as f64, (n0 - x0) as f64);
    let (x1, n1, x0, n0) = (x1 as f64, n1 as f64, x0 as f64, n0 as f64);
    let distance = x1 / n1 - theta * x0 / n0;
    if distance == 0.0 {
        return 0.0;
    }
    // p0 is the smaller root of theta * n * p^2 - (s + t) * p + x = 0, and p1 = theta * p0. Both, and what they lack to 1,
    // are written as sums of what is not negative: with large counts the interval may be narrower than 1 - p's rounding.
    let n = n1 + n0;
    let (s, t) = (theta * (n1 + x0), x1 + n0);
    let root = ((s - t) * (s - t) + 4.0 * theta * f1 * f0).sqrt();
    let p0 = 2.0 * (x1 + x0) / (s + t + root);
    let (m1, m0) = (n + f1 - s, theta * (n + f0) - t);
    let q1 = if m1 >= 0.0 { (m1 + root) / (2.0 * n) } else { 2.0 * (theta - 1.0) * f1 / (root - m1) };
    let q0 = if m0 >= 0.0 { (m0 + root) / (2.0 * theta * n) } else { 2.0 * (1.0 - theta) * f0 / (root - m0) };
    let variance = theta * p0 * (q1 / n1 + theta * q0 / n0);
    distance / variance.sqrt()
}

/// Natural logarithm of the largest ratio considered: above 2^64 squared, and its square is still a number.
const LOG_RANGE: f64 = 200.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    fn rounded(lower: f64, upper: f64) -> String {
        format!("{lower:.3} {upper:.3}")
    }

    #[test]
    fn koopman_gives_the_published_interval() {
        // Koopman's (1984) example: 36 of 40 against 16 of 80.
        let bounds = koopman_bounds(36, 40, 16, 80, LEVEL).ok();
        assert_eq!(bounds.map(|b| rounded(b.lower, b.upper.unwrap_or(0.0))).as_deref(), Some("2.940 7.152"));
    }

    #[test]
    fn katz_is_used_where_it_exists() {
        let berkeley = katz_ratio(557, 1835, 1198, 2691, LEVEL);
        assert!(
            berkeley.is_ok_and(|r| (r.value - 0.6818298435630683).abs() < 1e-15 && r.method == RatioMethod::KatzLog)
        );

        let none = katz_ratio(0, 10, 5, 10, LEVEL);
        assert!(none.is_ok_and(|r| r.value == 0.0
            && r.interval.lower == 0.0
            && r.interval.upper < 1.0
            && r.method == RatioMethod::KoopmanScore));

        // Both rates 1: n1 / (n1 + z^2) below, (n0 + z^2) / n0 above.
        let z2 = 1.959963984540054_f64.powi(2);
        let all = katz_ratio(10, 10, 20, 20, LEVEL);
        assert!(all.is_ok_and(|r| r.method == RatioMethod::KoopmanScore
            && (r.interval.lower - 10.0 / (10.0 + z2)).abs() < 1e-12
            && (r.interval.upper - (20.0 + z2) / 20.0).abs() < 1e-12));
    }

    #[test]
    fn a_ratio_to_nothing_has_a_lower_bound_only() {
        assert_eq!(ratio(0, 0, 1, 2), Err(NotEstimable::EmptyDenominator));
        assert_eq!(ratio(1, 2, 0, 2), Err(NotEstimable::ZeroRateInDenominator));
        assert_eq!(katz_ratio(1, 2, 0, 2, LEVEL), Err(NotEstimable::ZeroRateInDenominator));
        assert!(koopman_bounds(9, 10, 0, 10, LEVEL).is_ok_and(|b| b.lower > 1.0 && b.upper.is_none()));
        assert_eq!(koopman_bounds(0, 10, 0, 10, LEVEL), Err(NotEstimable::ZeroCell));
        assert_eq!(koopman_bounds(1, 10, 1, 10, 0.0), Err(NotEstimable::InvalidLevel));
    }

    #[test]
    fn the_largest_counts_do_not_overflow() {
        let most = u64::MAX;
        for (x1, x0) in [(1, most), (most, 1), (most, most), (0, most), (0, 1), (1, 1)] {
            let bounds = koopman_bounds(x1, most, x0, most, LEVEL);
            assert!(bounds.is_ok_and(|b| b.lower.is_finite() && b.upper.is_some_and(f64::is_finite)));
        }
    }
}
