//! Whether a group's pooled scores are the probabilities that they claim to be.

use super::figure::{Figure, TestFigure, figure, point, rounded, test, with_bounds};
use super::group::{Known, Terms};
use super::histogram::{FIT_BINS, Histogram};
use crate::statistics::{self as st, Interval, LEVEL, Murphy, NotEstimable, RoundedScores};
use serde::{Deserialize, Serialize};

/// Calibration of a group's scores, sites as if they were one. All figures are exact but those that say approximate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationFigures {
    /// 1 - Brier score / uncertainty.
    pub brier_skill: Figure,
    /// Brier score = this - resolution + uncertainty + within-bin variance - within-bin covariance (Murphy; Stephenson), over
    /// the ten bins of the reliability diagram.
    pub murphy_reliability: Figure,
    /// How far the bins' observed rates lie from the base rate.
    pub murphy_resolution: Figure,
    /// Base rate times its complement.
    pub murphy_uncertainty: Figure,
    /// Variance of scores inside their bins.
    pub murphy_within_variance: Figure,
    /// Twice the covariance of scores and labels inside bins.
    pub murphy_within_covariance: Figure,
    /// Greatest |observed rate - mean score| of the ten bins.
    pub mce: Figure,
    /// Observed by expected positives; normal on the logarithm.
    pub observed_expected: Figure,
    /// Mean of label - score; normal.
    pub in_the_large: Figure,
    /// Slope of the label's logit on the score's; Wald. Approximate: a bin's events share their mean score.
    pub slope: Figure,
    /// Intercept of the same model.
    pub intercept: Figure,
    /// Spiegelhalter's z; its variance is approximate, from bins.
    pub spiegelhalter_z: Figure,
    /// z^2 as a test that every score is right.
    pub spiegelhalter: TestFigure,
}

const APPROXIMATE: &str = "wald, approximate from bins";

impl Terms<'_> {
    /// Of a group's pooled scores; absent where the contract has no label or no score.
    pub fn calibration(&self, known: Known) -> Option<CalibrationFigures> {
        if self.contract.label.is_none() || self.contract.score.is_none() {
            return None;
        }
        let Some(scored) = known.scores else { return Some(hidden()) };
        let usable = match () {
            () if !self.is_mature(scored.counts) => Err(NotEstimable::Immature),
            () if !self.is_probability() => Err(NotEstimable::NotAProbability),
            () => Ok(scored.histogram),
        };
        let figures = figures(usable);
        Some(match (usable, scored.histogram.rounded()) {
            (Ok(_), Some(scores)) => open(figures, &scores),
            _ => figures,
        })
    }
}

fn figures(scores: Result<&Histogram, NotEstimable>) -> CalibrationFigures {
    let sums = scores.map(|scores| {
        let ([n0, n1], [sum0, sum1]) = (scores.totals(), scores.score_sums());
        (n0 + n1, n1, sum0 + sum1, sum1)
    });
    let brier = scores.and_then(|scores| sums.and_then(|(n, p, _, sum1)| st::brier(n, p, scores.square_sum(), sum1)));
    let ten = scores.and_then(Histogram::reliability);
    let ten = ten.as_deref().map_err(|why| *why);
    let murphy = ten.and_then(|ten| st::murphy(ten, scores?.square_sum()));
    let part = |of: fn(Murphy) -> f64| point(murphy.map(of), "descriptive");
    let fine = scores.map(|scores| scores.calibration_bins(FIT_BINS));
    let fine = fine.as_deref().map_err(|why| *why);
    let fit = fine.and_then(|fine| st::recalibration(fine, LEVEL));
    let spiegelhalter = fine.and_then(|fine| st::spiegelhalter(fine, scores?.square_sum()));
    let ratio = sums.and_then(|(n, p, sum, _)| st::observed_expected(n, p, sum, LEVEL));
    let large = sums.and_then(|(n, p, sum, _)| st::calibration_in_the_large(n, p, sum, brier?, LEVEL));
    CalibrationFigures {
        brier_skill: point(
            sums.and_then(|(n, p, _, _)| st::brier_skill(brier?, n, p)),
            "fourth powers of scores are not released",
        ),
        murphy_reliability: part(|m| m.reliability),
        murphy_resolution: part(|m| m.resolution),
        murphy_uncertainty: part(|m| m.uncertainty),
        murphy_within_variance: part(|m| m.within_variance),
        murphy_within_covariance: part(|m| m.within_covariance),
        mce: point(ten.and_then(st::maximum_calibration_error), "biased upwards"),
        observed_expected: figure(ratio.map(|e| (e.value, e.interval)), "normal on the logarithm"),
        in_the_large: figure(large.map(|e| (e.value, e.interval)), "normal"),
        slope: figure(fit.map(|f| (f.slope.value, f.slope.interval)), APPROXIMATE),
        intercept: figure(fit.map(|f| (f.intercept.value, f.intercept.interval)), APPROXIMATE),
        spiegelhalter_z: point(spiegelhalter.map(|s| s.z), "a test statistic, approximate from bins"),
        spiegelhalter: test(spiegelhalter.map(|s| s.test)),
    }
}

/// The figures of rounded sums, with bounds and wider intervals; those whose error rounding does not bound are left out.
fn open(figures: CalibrationFigures, scores: &RoundedScores) -> CalibrationFigures {
    let why = NotEstimable::RoundedSums;
    let lies = |figure: Figure, bounds: Interval| with_bounds(figure, Ok(bounds));
    let covariance = figures.murphy_within_covariance.value().unwrap_or_default();
    let skill = match (figures.brier_skill.value(), figures.murphy_uncertainty.value()) {
        (Some(skill), Some(spread)) => scores.brier_skill((1.0 - skill) * spread),
        _ => Err(why),
    };
    let defined = |figure: Figure| if figure.value().is_some() { Figure::undefined(why) } else { figure };
    CalibrationFigures {
        brier_skill: with_bounds(figures.brier_skill, skill),
        murphy_reliability: lies(figures.murphy_reliability, scores.reliability()),
        murphy_within_variance: lies(figures.murphy_within_variance, scores.within_variance()),
        murphy_within_covariance: lies(figures.murphy_within_covariance, scores.within_covariance(covariance)),
        mce: lies(figures.mce, scores.maximum_calibration_error()),
        observed_expected: rounded(scores.observed_expected(LEVEL), "normal on the logarithm"),
        in_the_large: rounded(scores.calibration_in_the_large(LEVEL), "normal"),
        slope: defined(figures.slope),
        intercept: defined(figures.intercept),
        spiegelhalter_z: defined(figures.spiegelhalter_z),
        spiegelhalter: match figures.spiegelhalter {
            TestFigure::Test { .. } => test(Err(why)),
            other => other,
        },
        ..figures
    }
}

fn hidden() -> CalibrationFigures {
    let [brier_skill, murphy_reliability, murphy_resolution, murphy_uncertainty] = [const { Figure::Suppressed }; 4];
    let [murphy_within_variance, murphy_within_covariance, mce, observed_expected] = [const { Figure::Suppressed }; 4];
    let [in_the_large, slope, intercept, spiegelhalter_z] = [const { Figure::Suppressed }; 4];
    CalibrationFigures {
        brier_skill,
        murphy_reliability,
        murphy_resolution,
        murphy_uncertainty,
        murphy_within_variance,
        murphy_within_covariance,
        mce,
        observed_expected,
        in_the_large,
        slope,
        intercept,
        spiegelhalter_z,
        spiegelhalter: TestFigure::Suppressed,
    }
}
