//! Whether a score is the probability that it claims to be.
//!
//! Everything comes from counts and from exact sums of scores, so binning costs no accuracy.

use super::{Estimate, Interval, NotEstimable, normal_quantile, rate};

/// Events of one bin of the score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Events.
    pub n: u64,
    /// Those with the positive label.
    pub positives: u64,
    /// Sum of their scores.
    pub score_sum: f64,
    /// Sum of the scores of the positives.
    pub positive_score_sum: f64,
}

/// The Brier score, mean of (score - label)^2, between 0 and 1 (Brier 1950): (sum s^2 - 2 sum of s over positives + P) / n.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`.
pub fn brier(n: u64, positives: u64, square_sum: f64, positive_score_sum: f64) -> Result<f64, NotEstimable> {
    rate(positives, n)?;
    let mean = (square_sum - 2.0 * positive_score_sum + positives as f64) / n as f64;
    if mean.is_finite() { Ok(mean.clamp(0.0, 1.0)) } else { Err(NotEstimable::NotFinite) }
}

/// Expected calibration error over the given bins (Naeini, Cooper and Hauskrecht 2015): mean over events of
/// |observed rate - mean score| of the bin; empty bins have no weight.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`.
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> Result<f64, NotEstimable> {
    let mut sum = 0.0;
    for bin in bins.iter().filter(|bin| bin.n > 0) {
        rate(bin.positives, bin.n)?;
        sum += (bin.positives as f64 - bin.score_sum).abs();
    }
    mean(sum, bins)
}

/// What [`expected_calibration_error`] comes to on average where every score is exactly right: it is never 0 in a finite
/// sample. Normal approximation of each bin's binomial: E|X - np| = sqrt(2 n p (1 - p) / pi), p the bin's mean score.
///
/// # Errors
/// `EmptyDenominator` without events.
pub fn calibration_error_by_chance(bins: &[CalibrationBin]) -> Result<f64, NotEstimable> {
    let deviation = |bin: &CalibrationBin| {
        let p = (bin.score_sum / bin.n as f64).clamp(0.0, 1.0);
        (2.0 * bin.n as f64 * p * (1.0 - p) / std::f64::consts::PI).sqrt()
    };
    mean(bins.iter().filter(|bin| bin.n > 0).map(deviation).sum(), bins)
}

fn mean(sum: f64, bins: &[CalibrationBin]) -> Result<f64, NotEstimable> {
    let n: f64 = bins.iter().map(|bin| bin.n as f64).sum();
    match sum / n {
        _ if n == 0.0 => Err(NotEstimable::EmptyDenominator),
        mean if mean.is_finite() => Ok(mean),
        _ => Err(NotEstimable::NotFinite),
    }
}

/// Maximum calibration error: the largest |observed rate - mean score| of a bin, between 0 and 1 (Naeini et al. 2015).
///
/// # Errors
/// Those of [`expected_calibration_error`].
pub fn maximum_calibration_error(bins: &[CalibrationBin]) -> Result<f64, NotEstimable> {
    expected_calibration_error(bins)?;
    let error = |bin: &CalibrationBin| (bin.positives as f64 - bin.score_sum).abs() / bin.n as f64;
    Ok(bins.iter().filter(|bin| bin.n > 0).map(error).fold(0.0, f64::max))
}

/// Brier skill score against the base rate, at most 1: 1 - Brier / (p (1 - p)), p the share of positives.
///
/// # Errors
/// Those of [`brier`]; `ZeroVariance` with events of one label only.
pub fn brier_skill(brier: f64, n: u64, positives: u64) -> Result<f64, NotEstimable> {
    let p = rate(positives, n)?;
    if positives == 0 || positives == n { Err(NotEstimable::ZeroVariance) } else { Ok(1.0 - brier / (p * (1.0 - p))) }
}

/// Murphy's decomposition of the Brier score (1973) with the within-bin terms of Stephenson, Coelho and Jolliffe (2008):
/// Brier = reliability - resolution + uncertainty + within-bin variance - within-bin covariance, exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Murphy {
    /// Mean of (mean score - observed rate)^2 of the bins; 0 is best.
    pub reliability: f64,
    /// Mean of (observed rate of the bin - base rate)^2.
    pub resolution: f64,
    /// p (1 - p), p the base rate.
    pub uncertainty: f64,
    /// Mean of (score - mean score of the bin)^2.
    pub within_variance: f64,
    /// Twice the mean of (score - mean score of the bin)(label - observed rate of the bin).
    pub within_covariance: f64,
}

/// Decomposes the Brier score over `bins`; `square_sum` is that of all scores.
///
/// # Errors
/// `EmptyDenominator` without events; `CountExceedsTotal`.
pub fn murphy(bins: &[CalibrationBin], square_sum: f64) -> Result<Murphy, NotEstimable> {
    let n = bins.iter().map(|bin| bin.n).sum();
    let base = rate(bins.iter().map(|bin| bin.positives).sum(), n)?;
    let size = n as f64;
    let (mut reliability, mut resolution, mut explained, mut covariance) = (0.0, 0.0, 0.0, 0.0);
    for bin in bins.iter().filter(|bin| bin.n > 0) {
        let (observed, of_bin) = (rate(bin.positives, bin.n)?, bin.n as f64);
        let score = bin.score_sum / of_bin;
        reliability += of_bin * (score - observed).powi(2);
        resolution += of_bin * (observed - base).powi(2);
        explained += bin.score_sum * score;
        covariance += bin.positive_score_sum - bin.score_sum * observed;
    }
    let murphy = Murphy {
        reliability: reliability / size,
        resolution: resolution / size,
        uncertainty: base * (1.0 - base),
        within_variance: (square_sum - explained).max(0.0) / size,
        within_covariance: 2.0 * covariance / size,
    };
    if reliability.is_finite() && explained.is_finite() && square_sum.is_finite() && covariance.is_finite() {
        Ok(murphy)
    } else {
        Err(NotEstimable::NotFinite)
    }
}

/// Observed by expected positives: P / sum of scores. Interval normal on the logarithm with variance (1 - P/n) / P, the
/// scores given (Debray et al. 2017); `ZeroCell` without positives, `ZeroVariance` without negatives.
///
/// # Errors
/// Those of [`rate`]; `ZeroRateInDenominator` if all scores are 0; `InvalidLevel`.
pub fn observed_expected(n: u64, positives: u64, score_sum: f64, level: f64) -> Result<Estimate, NotEstimable> {
    let (z, p) = (normal_quantile(level)?, rate(positives, n)?);
    if score_sum <= 0.0 {
        return Err(NotEstimable::ZeroRateInDenominator);
    }
    let value = positives as f64 / score_sum;
    let interval = match positives {
        0 => Err(NotEstimable::ZeroCell),
        _ => Interval::around_log(value.ln(), z * ((1.0 - p) / positives as f64).sqrt()),
    };
    Ok(Estimate { value, interval })
}

/// Calibration in the large: mean of label - score, between -1 and 1, with the normal interval of its exact variance.
///
/// # Errors
/// Those of [`mean_of_sums`]; `CountExceedsTotal`.
pub fn calibration_in_the_large(
    n: u64,
    positives: u64,
    score_sum: f64,
    brier: f64,
    level: f64,
) -> Result<Estimate, NotEstimable> {
    rate(positives, n)?;
    mean_of_sums(n, positives as f64 - score_sum, brier * n as f64, level)
}

/// A mean from its sums, with the normal interval of its standard error.
///
/// The interval is `ZeroVariance` for a single value, or where all are the same.
///
/// # Errors
/// `EmptyDenominator` for `n` = 0; `NotFinite`; `InvalidLevel`.
pub fn mean_of_sums(n: u64, sum: f64, square_sum: f64, level: f64) -> Result<Estimate, NotEstimable> {
    let z = normal_quantile(level)?;
    if n == 0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    let size = n as f64;
    let value = sum / size;
    let variance = (square_sum - sum * value).max(0.0) / (size - 1.0);
    match (value * value * square_sum).is_finite() {
        true if n < 2 => Ok(Estimate { value, interval: Err(NotEstimable::ZeroVariance) }),
        true => Ok(Estimate { value, interval: Interval::around(value, z * (variance / size).sqrt()) }),
        false => Err(NotEstimable::NotFinite),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    const NOTHING: CalibrationBin = CalibrationBin { n: 0, positives: 0, score_sum: 0.0, positive_score_sum: 0.0 };

    #[test]
    fn a_small_example_by_hand() {
        // Scores 0.1, 0.3 in one bin, labels 0, 1; score 0.8, label 1 in another.
        let bins = [
            CalibrationBin { n: 2, positives: 1, score_sum: 0.4, positive_score_sum: 0.3 },
            NOTHING,
            CalibrationBin { n: 1, positives: 1, score_sum: 0.8, positive_score_sum: 0.8 },
        ];
        assert!(expected_calibration_error(&bins).is_ok_and(|e| (e - (0.6 + 0.2) / 3.0).abs() < 1e-15));
        let squares = 0.01 + 0.09 + 0.64;
        assert!(brier(3, 2, squares, 1.1).is_ok_and(|b| (b - (0.01 + 0.49 + 0.04) / 3.0).abs() < 1e-15));
        let mean = mean_of_sums(3, 1.2, squares, LEVEL).expect("defined");
        // Sample variance 0.13, standard error 0.2082.
        assert!((mean.value - 0.4).abs() < 1e-15);
        assert!(mean.interval.is_ok_and(|i| (i.upper - 0.8080).abs() < 1e-4));
    }

    #[test]
    fn nothing_has_no_calibration() {
        assert_eq!(expected_calibration_error(&[NOTHING]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(calibration_error_by_chance(&[]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(brier(0, 0, 0.0, 0.0), Err(NotEstimable::EmptyDenominator));
        assert_eq!(brier(1, 2, 0.0, 0.0), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(mean_of_sums(0, 0.0, 0.0, LEVEL), Err(NotEstimable::EmptyDenominator));
        assert!(mean_of_sums(1, 0.5, 0.25, LEVEL).is_ok_and(|m| m.interval == Err(NotEstimable::ZeroVariance)));
    }

    #[test]
    fn chance_alone_makes_an_error() {
        // 10,000 events with score 1/2: the mean deviation of Binomial(n, 1/2) is sqrt(n / (2 pi)).
        let bins = [CalibrationBin { n: 10_000, positives: 5_000, score_sum: 5_000.0, positive_score_sum: 2_500.0 }];
        let expected = (10_000.0 / (2.0 * std::f64::consts::PI)).sqrt() / 10_000.0;
        assert!(calibration_error_by_chance(&bins).is_ok_and(|e| (e - expected).abs() < 1e-15));
        assert_eq!(expected_calibration_error(&bins), Ok(0.0));
    }
}
