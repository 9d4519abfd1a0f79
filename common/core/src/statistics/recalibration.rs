//! Whether a probability is too extreme: the logistic model of the label on the score's logit, and Spiegelhalter's test.
//!
//! Both need what a histogram does not hold, and take a bin's events to share their mean score: approximate, the better the
//! finer the bins.

use super::{CalibrationBin, Chi2Test, Estimate, Interval, NotEstimable, normal_quantile, rate};

/// logit P(label = 1) = intercept + slope logit(score), by maximum likelihood (Cox 1958), with Wald's intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recalibration {
    /// 1 where the score is calibrated; below 1 it is too extreme.
    pub slope: Estimate,
    /// 0 where the score is calibrated.
    pub intercept: Estimate,
}

/// Fits the model to bins. Mean scores within 1e-6 of 0 or 1 are held there: those have no logit.
///
/// # Errors
/// `EmptyDenominator` without events of either label; `CountExceedsTotal`; `ZeroVariance` if all scores are the same;
/// `Separated` if a threshold separates the labels; `NotFinite` if no maximum is found; `InvalidLevel`.
pub fn recalibration(bins: &[CalibrationBin], level: f64) -> Result<Recalibration, NotEstimable> {
    let z = normal_quantile(level)?;
    let rows = rows(bins)?;
    check_overlap(&rows)?;
    let (mut intercept, mut slope) = (0.0, 1.0);
    let mut at = Likelihood::new(&rows, intercept, slope);
    for _ in 0..MAX_STEPS {
        let ([g, h], [a, b, c]) = (at.gradient, at.information);
        let determinant = a * c - b * b;
        let mut step = [(c * g - b * h) / determinant, (a * h - b * g) / determinant];
        if !step.iter().all(|part| part.is_finite()) {
            return Err(NotEstimable::NotFinite);
        }
        // Newton's step, halved until the likelihood does not fall: it is concave, so this ends at its maximum.
        let mut next = Likelihood::new(&rows, intercept + step[0], slope + step[1]);
        while next.log < at.log - 1e-12 * at.log.abs() {
            step = step.map(|part| part / 2.0);
            next = Likelihood::new(&rows, intercept + step[0], slope + step[1]);
        }
        (intercept, slope, at) = (intercept + step[0], slope + step[1], next);
        if step[0].abs() <= CONVERGED * (1.0 + intercept.abs()) && step[1].abs() <= CONVERGED * (1.0 + slope.abs()) {
            let [a, b, c] = at.information;
            let determinant = a * c - b * b;
            let wald =
                |value: f64, variance: f64| Estimate { value, interval: Interval::around(value, z * variance.sqrt()) };
            return Ok(Recalibration {
                slope: wald(slope, a / determinant),
                intercept: wald(intercept, c / determinant),
            });
        }
    }
    Err(NotEstimable::NotFinite)
}

/// Spiegelhalter's test that every score is the probability that it claims to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spiegelhalter {
    /// Standard normal where it is; above 0 the Brier score is greater than the scores promise.
    pub z: f64,
    /// z^2, with the two-sided p.
    pub test: Chi2Test,
}

/// Spiegelhalter 1986: z = sum (y - s)(1 - 2s) / sqrt(sum (1 - 2s)^2 s (1 - s)). The numerator is exact, from
/// `square_sum` (of all scores) and the bins' sums; the denominator takes a bin's events to share their mean score.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`; `ZeroVariance` if every mean score is 0, 1/2 or 1.
pub fn spiegelhalter(bins: &[CalibrationBin], square_sum: f64) -> Result<Spiegelhalter, NotEstimable> {
    let sum = |of: fn(&CalibrationBin) -> f64| bins.iter().map(of).sum::<f64>();
    rate(bins.iter().map(|bin| bin.positives).sum(), bins.iter().map(|bin| bin.n).sum())?;
    let above = sum(|bin| bin.positives as f64 - bin.score_sum - 2.0 * bin.positive_score_sum) + 2.0 * square_sum;
    let variance = sum(|bin| {
        let s = if bin.n > 0 { (bin.score_sum / bin.n as f64).clamp(0.0, 1.0) } else { 0.0 };
        bin.n as f64 * (1.0 - 2.0 * s).powi(2) * s * (1.0 - s)
    });
    if variance <= 0.0 {
        return Err(NotEstimable::ZeroVariance);
    }
    let z = above / variance.sqrt();
    Ok(Spiegelhalter { z, test: Chi2Test::new(z * z, 1)? })
}

/// A bin's logit, positives and negatives.
type Row = (f64, f64, f64);

fn rows(bins: &[CalibrationBin]) -> Result<Vec<Row>, NotEstimable> {
    let row = |bin: &CalibrationBin| {
        rate(bin.positives, bin.n)?;
        let s = (bin.score_sum / bin.n as f64).clamp(NEAREST, 1.0 - NEAREST);
        Ok(((s / (1.0 - s)).ln(), bin.positives as f64, (bin.n - bin.positives) as f64))
    };
    bins.iter().filter(|bin| bin.n > 0).map(row).collect()
}

/// The likelihood has a finite maximum just where the labels overlap (Albert and Anderson 1984).
fn check_overlap(rows: &[Row]) -> Result<(), NotEstimable> {
    let ends = |count: fn(&Row) -> f64| {
        let own = rows.iter().filter(|row| count(row) > 0.0).map(|row| row.0);
        own.fold(None, |ends: Option<(f64, f64)>, x| Some(ends.map_or((x, x), |(low, high)| (low.min(x), high.max(x)))))
    };
    let both = ends(|row| row.1).zip(ends(|row| row.2));
    let ((p_low, p_high), (n_low, n_high)) = both.ok_or(NotEstimable::EmptyDenominator)?;
    if p_low.min(n_low) == p_high.max(n_high) {
        Err(NotEstimable::ZeroVariance)
    } else if n_high <= p_low || p_high <= n_low {
        Err(NotEstimable::Separated)
    } else {
        Ok(())
    }
}

/// The logarithm of the likelihood with its derivatives for intercept a and slope b.
struct Likelihood {
    log: f64,
    gradient: [f64; 2],
    /// aa, ab, bb.
    information: [f64; 3],
}

impl Likelihood {
    fn new(rows: &[Row], intercept: f64, slope: f64) -> Likelihood {
        let (mut log, mut gradient, mut information) = (0.0, [0.0; 2], [0.0; 3]);
        for (x, p, n) in rows {
            let t = intercept + slope * x;
            // Of the likelier label's odds against it, whatever t.
            let small = (-t.abs()).exp();
            let unlikely = small / (1.0 + small);
            let share = if t < 0.0 { unlikely } else { 1.0 - unlikely };
            log += p * t.min(0.0) - n * t.max(0.0) - (p + n) * small.ln_1p();
            let (rest, weight) = (p - (p + n) * share, (p + n) * unlikely * (1.0 - unlikely));
            gradient[0] += rest;
            gradient[1] += rest * x;
            information[0] += weight;
            information[1] += weight * x;
            information[2] += weight * x * x;
        }
        Likelihood { log, gradient, information }
    }
}

/// How near to 0 or 1 a score may come before it is held.
const NEAREST: f64 = 1e-6;
/// Relative size of the last step.
const CONVERGED: f64 = 1e-10;
/// Newton's method needs about ten.
const MAX_STEPS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    fn bin(n: u64, positives: u64, mean: f64) -> CalibrationBin {
        let score_sum = mean * n as f64;
        CalibrationBin { n, positives, score_sum, positive_score_sum: mean * positives as f64 }
    }

    #[test]
    fn a_calibrated_score_has_slope_one() {
        let fit = recalibration(&[bin(100, 20, 0.2), bin(50, 25, 0.5), bin(1000, 900, 0.9)], LEVEL).expect("fits");
        assert!((fit.slope.value - 1.0).abs() < 1e-12 && fit.intercept.value.abs() < 1e-12);
        let twice = |s: f64| {
            let odds = (s / (1.0 - s)).powi(2);
            odds / (1.0 + odds)
        };
        let extreme = [bin(100, 20, twice(0.2)), bin(50, 25, 0.5), bin(1000, 900, twice(0.9))];
        assert!(recalibration(&extreme, LEVEL).is_ok_and(|fit| (fit.slope.value - 0.5).abs() < 1e-12));
    }

    #[test]
    fn what_has_no_fit_says_why() {
        let fails = |bins: &[CalibrationBin]| recalibration(bins, LEVEL).err();
        assert_eq!(fails(&[]), Some(NotEstimable::EmptyDenominator));
        assert_eq!(fails(&[bin(5, 5, 0.2), bin(5, 5, 0.3)]), Some(NotEstimable::EmptyDenominator));
        assert_eq!(fails(&[bin(5, 2, 0.2)]), Some(NotEstimable::ZeroVariance));
        assert_eq!(fails(&[bin(5, 0, 0.2), bin(5, 5, 0.8)]), Some(NotEstimable::Separated));
        assert_eq!(fails(&[bin(5, 0, 0.2), bin(5, 2, 0.5), bin(5, 5, 0.8)]), Some(NotEstimable::Separated));
        assert_eq!(fails(&[bin(1, 2, 0.2)]), Some(NotEstimable::CountExceedsTotal));
        assert_eq!(spiegelhalter(&[], 0.0).err(), Some(NotEstimable::EmptyDenominator));
        assert_eq!(spiegelhalter(&[bin(4, 2, 0.5)], 1.0).err(), Some(NotEstimable::ZeroVariance));
        // Scores of exactly 0 and 1 are held, not infinite.
        assert!(recalibration(&[bin(9, 1, 0.0), bin(9, 8, 1.0)], LEVEL).is_ok_and(|fit| fit.slope.value < 0.5));
    }
}
