//! One proportion, and the difference of two independent ones.

use super::{Estimate, Interval, NotEstimable, normal_quantile};

/// The proportion `x / n`, between 0 and 1.
///
/// # Errors
/// `EmptyDenominator` if `n` is 0; `CountExceedsTotal` if `x > n`.
pub fn rate(x: u64, n: u64) -> Result<f64, NotEstimable> {
    if n == 0 {
        Err(NotEstimable::EmptyDenominator)
    } else if x > n {
        Err(NotEstimable::CountExceedsTotal)
    } else {
        Ok(x as f64 / n as f64)
    }
}

/// Wilson's score interval of the proportion `x / n`, without continuity correction (Wilson 1927).
///
/// It never leaves 0 to 1, starts at exactly 0 for `x = 0` and ends at exactly 1 for `x = n`.
///
/// # Errors
/// Those of [`rate`]; `InvalidLevel`.
pub fn wilson(x: u64, n: u64, level: f64) -> Result<Interval, NotEstimable> {
    let p = rate(x, n)?;
    let z = normal_quantile(level)?;
    Ok(wilson_of(p, n as f64, z))
}

/// Wilson's interval of the proportion `p`, 0 to 1, of `size` events.
pub(super) fn wilson_of(p: f64, size: f64, z: f64) -> Interval {
    let z2_n = z * z / size;
    let centre = (p + z2_n / 2.0) / (1.0 + z2_n);
    let half_width = z * (p * (1.0 - p) / size + z2_n / (4.0 * size)).sqrt() / (1.0 + z2_n);
    Interval {
        lower: if p == 0.0 { 0.0 } else { (centre - half_width).clamp(0.0, p) },
        upper: if p == 1.0 { 1.0 } else { (centre + half_width).clamp(p, 1.0) },
    }
}

/// The difference of two independent proportions, `x1 / n1 - x0 / n0`, between -1 and 1.
///
/// # Errors
/// Those of [`rate`], for either proportion.
pub fn difference(x1: u64, n1: u64, x0: u64, n0: u64) -> Result<f64, NotEstimable> {
    Ok(rate(x1, n1)? - rate(x0, n0)?)
}

/// Newcombe's interval of [`difference`], built from the two Wilson intervals (Newcombe 1998, method 10).
///
/// It never leaves -1 to 1 and has a width whatever the counts are.
///
/// # Errors
/// Those of [`rate`], for either proportion; `InvalidLevel`.
pub fn newcombe_difference(x1: u64, n1: u64, x0: u64, n0: u64, level: f64) -> Result<Interval, NotEstimable> {
    newcombe_of((x1, n1), (x0, n0), normal_quantile(level)?)
}

/// The same at a quantile that is known.
pub(super) fn newcombe_of((x1, n1): (u64, u64), (x0, n0): (u64, u64), z: f64) -> Result<Interval, NotEstimable> {
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    let (w1, w0) = (wilson_of(p1, n1 as f64, z), wilson_of(p0, n0 as f64, z));
    let difference = p1 - p0;
    let below = ((p1 - w1.lower).powi(2) + (w0.upper - p0).powi(2)).sqrt();
    let above = ((w1.upper - p1).powi(2) + (p0 - w0.lower).powi(2)).sqrt();
    Ok(Interval { lower: (difference - below).max(-1.0), upper: (difference + above).min(1.0) })
}

/// Balanced accuracy: the mean of two independent proportions, true positive and true negative rate.
///
/// Normal interval with the delta method's variance, held inside 0 to 1; `ZeroVariance` if both rates are 0 or 1.
///
/// # Errors
/// Those of [`rate`], for either proportion; `InvalidLevel`.
pub fn balanced_accuracy(tp: u64, p: u64, tn: u64, n: u64, level: f64) -> Result<Estimate, NotEstimable> {
    let (tpr, tnr, z) = (rate(tp, p)?, rate(tn, n)?, normal_quantile(level)?);
    let value = (tpr + tnr) / 2.0;
    let variance = (tpr * (1.0 - tpr) / p as f64 + tnr * (1.0 - tnr) / n as f64) / 4.0;
    let interval = Interval::around(value, z * variance.sqrt());
    let interval = interval.map(|i| Interval { lower: i.lower.max(0.0), upper: i.upper.min(1.0) });
    Ok(Estimate { value, interval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    fn rounded(interval: Result<Interval, NotEstimable>) -> Option<String> {
        interval.ok().map(|i| format!("{:.4} {:.4}", i.lower, i.upper))
    }

    #[test]
    fn nothing_out_of_nothing_is_not_zero() {
        assert_eq!(rate(0, 0), Err(NotEstimable::EmptyDenominator));
        assert_eq!(rate(3, 2), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(rate(0, 2), Ok(0.0));
        assert_eq!(wilson(0, 0, LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(difference(1, 2, 0, 0), Err(NotEstimable::EmptyDenominator));
        assert_eq!(newcombe_difference(0, 0, 1, 2, LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(wilson(1, 2, 1.0), Err(NotEstimable::InvalidLevel));
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        for (x, n, expected) in
            [(81, 263, "0.2553 0.3662"), (15, 148, "0.0624 0.1605"), (0, 20, "0.0000 0.1611"), (1, 29, "0.0061 0.1718")]
        {
            assert_eq!(rounded(wilson(x, n, LEVEL)).as_deref(), Some(expected));
        }
        assert_eq!(wilson(7, 7, LEVEL).map(|i| i.upper), Ok(1.0));
    }

    #[test]
    fn newcombe_gives_the_published_intervals() {
        // Newcombe 1998, "Interval estimation for the difference", table II, method 10.
        for (x1, n1, x0, n0, expected) in [
            (56, 70, 48, 80, "0.0524 0.3339"),
            (9, 10, 3, 10, "0.1705 0.8090"),
            (6, 7, 2, 7, "0.0582 0.8062"),
            (5, 56, 0, 29, "-0.0381 0.1926"),
            (0, 10, 0, 20, "-0.1611 0.2775"),
            (10, 10, 0, 20, "0.6791 1.0000"),
        ] {
            assert_eq!(rounded(newcombe_difference(x1, n1, x0, n0, LEVEL)).as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_largest_counts_do_not_overflow() {
        let most = u64::MAX;
        assert!(wilson(most, most, LEVEL).is_ok());
        assert!(newcombe_difference(most, most, 1, most, LEVEL).is_ok_and(|i| i.contains(1.0)));
    }
}
