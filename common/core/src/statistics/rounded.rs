//! What rounded sums of scores leave open.
//!
//! Each sum may be off by its *reach*. Figures are computed from rounded sums as from exact ones; bounds say between which
//! numbers the figure of the exact sums lies, and intervals hold the interval of the exact sums.

use super::calibration::calibration_error_by_chance;
use super::{BoundedEstimate, CalibrationBin, Estimate, Interval, NotEstimable, normal_quantile, rate};

/// A sum, and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounded {
    /// As released.
    pub sum: f64,
    /// The largest error.
    pub reach: f64,
}

/// A bin of which sums are rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundedBin {
    /// As released.
    pub bin: CalibrationBin,
    /// The largest error of the sum of scores of label 0, and of label 1.
    pub reach: [f64; 2],
}

/// Scores in bins, of which sums are rounded.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundedScores {
    /// The bins.
    pub bins: Vec<RoundedBin>,
    /// Sum of all squared scores.
    pub square_sum: Rounded,
}

impl RoundedBin {
    fn both(&self) -> f64 {
        self.reach[0] + self.reach[1]
    }

    /// Where the bin's mean score lies.
    ///
    /// # Errors
    /// `EmptyDenominator` without events.
    pub fn mean_score(&self) -> Result<Interval, NotEstimable> {
        let (n, sum) = (self.bin.n as f64, self.bin.score_sum);
        match self.bin.n {
            0 => Err(NotEstimable::EmptyDenominator),
            _ => Ok(Interval { lower: (sum - self.both()).max(0.0) / n, upper: (sum + self.both()) / n }),
        }
    }

    /// Where |positives - sum of scores| lies.
    fn error(&self) -> Interval {
        around((self.bin.positives as f64 - self.bin.score_sum).abs(), self.both())
    }

    /// The bin with the mean score, of those that it may have, that is nearest to 1/2, or furthest.
    fn at(&self, nearest: bool) -> CalibrationBin {
        let Ok(Interval { lower, upper }) = self.mean_score() else { return self.bin };
        let nearer = if (lower - 0.5).abs() < (upper - 0.5).abs() { (lower, upper) } else { (upper, lower) };
        let mean = if nearest { 0.5_f64.clamp(lower, upper) } else { nearer.1 };
        CalibrationBin { score_sum: mean * self.bin.n as f64, ..self.bin }
    }
}

impl RoundedScores {
    fn filled(&self) -> impl Iterator<Item = &RoundedBin> {
        self.bins.iter().filter(|bin| bin.bin.n > 0)
    }

    fn sum(&self, of: impl Fn(&RoundedBin) -> f64) -> f64 {
        self.filled().map(of).sum()
    }

    fn ends(&self, of: impl Fn(&RoundedBin) -> Interval) -> Interval {
        let n = self.sum(|bin| bin.bin.n as f64);
        Interval { lower: self.sum(|bin| of(bin).lower) / n, upper: self.sum(|bin| of(bin).upper) / n }
    }

    fn n(&self) -> u64 {
        self.bins.iter().map(|bin| bin.bin.n).sum()
    }

    fn positives(&self) -> u64 {
        self.bins.iter().map(|bin| bin.bin.positives).sum()
    }

    /// How far the Brier score of the exact sums may be.
    fn brier_reach(&self) -> f64 {
        (self.square_sum.reach + 2.0 * self.sum(|bin| bin.reach[1])) / self.n() as f64
    }

    /// Where the Brier score of the exact sums lies, from that of the rounded ones.
    pub fn brier(&self, brier: f64) -> Interval {
        let bounds = around(brier, self.brier_reach());
        Interval { upper: bounds.upper.min(1.0), ..bounds }
    }

    /// The same of the skill score.
    ///
    /// # Errors
    /// Those of [`super::brier_skill`].
    pub fn brier_skill(&self, brier: f64) -> Result<Interval, NotEstimable> {
        let of = |brier| super::brier_skill(brier, self.n(), self.positives());
        let Interval { lower, upper } = self.brier(brier);
        Ok(Interval { lower: of(upper)?, upper: of(lower)? })
    }

    /// Of the expected calibration error.
    pub fn expected_calibration_error(&self) -> Interval {
        self.ends(RoundedBin::error)
    }

    /// Of the largest error of a bin.
    pub fn maximum_calibration_error(&self) -> Interval {
        let most = |of: fn(&RoundedBin) -> f64| self.filled().map(|bin| of(bin) / bin.bin.n as f64).fold(0.0, f64::max);
        Interval { lower: most(|bin| bin.error().lower), upper: most(|bin| bin.error().upper) }
    }

    /// Of the expected calibration error by chance.
    ///
    /// # Errors
    /// `EmptyDenominator` without events.
    pub fn calibration_error_by_chance(&self) -> Result<Interval, NotEstimable> {
        let of =
            |nearest| calibration_error_by_chance(&self.bins.iter().map(|bin| bin.at(nearest)).collect::<Vec<_>>());
        Ok(Interval { lower: of(false)?, upper: of(true)? })
    }

    /// Of Murphy's reliability.
    pub fn reliability(&self) -> Interval {
        self.ends(|bin| {
            let (error, n) = (bin.error(), bin.bin.n as f64);
            Interval { lower: error.lower * error.lower / n, upper: error.upper * error.upper / n }
        })
    }

    /// Of the variance inside bins.
    pub fn within_variance(&self) -> Interval {
        let explained = |bin: &RoundedBin| {
            let (sum, n) = (around(bin.bin.score_sum, bin.both()), bin.bin.n as f64);
            Interval { lower: sum.lower * sum.lower / n, upper: sum.upper * sum.upper / n }
        };
        let (n, squares) = (self.n() as f64, around(self.square_sum.sum, self.square_sum.reach));
        let least = squares.lower - self.sum(|bin| explained(bin).upper);
        let most = squares.upper - self.sum(|bin| explained(bin).lower);
        Interval { lower: least.max(0.0) / n, upper: most.max(0.0) / n }
    }

    /// Of twice the covariance inside bins, from that of the rounded sums.
    pub fn within_covariance(&self, covariance: f64) -> Interval {
        let reach = self.sum(|bin| {
            let observed = bin.bin.positives as f64 / bin.bin.n as f64;
            bin.reach[1] * (1.0 - observed) + bin.reach[0] * observed
        });
        let reach = 2.0 * reach / self.n() as f64;
        Interval { lower: covariance - reach, upper: covariance + reach }
    }

    /// The mean score.
    ///
    /// # Errors
    /// Those of [`super::mean_of_sums`].
    pub fn mean_score(&self, level: f64) -> Result<BoundedEstimate, NotEstimable> {
        let sum = Rounded { sum: self.sum(|bin| bin.bin.score_sum), reach: self.sum(RoundedBin::both) };
        mean(self.n(), sum, self.square_sum, level)
    }

    /// The mean of label - score.
    ///
    /// # Errors
    /// Those of [`super::calibration_in_the_large`].
    pub fn calibration_in_the_large(&self, level: f64) -> Result<BoundedEstimate, NotEstimable> {
        let positives = self.positives() as f64;
        rate(self.positives(), self.n())?;
        let scores = self.sum(|bin| bin.bin.score_sum);
        let of_positives = self.sum(|bin| bin.bin.positive_score_sum);
        let squares = Rounded {
            sum: self.square_sum.sum - 2.0 * of_positives + positives,
            reach: self.brier_reach() * self.n() as f64,
        };
        mean(self.n(), Rounded { sum: positives - scores, reach: self.sum(RoundedBin::both) }, squares, level)
    }

    /// Observed by expected positives.
    ///
    /// # Errors
    /// Those of [`super::observed_expected`]; `RoundedSums` where all scores may be 0.
    pub fn observed_expected(&self, level: f64) -> Result<BoundedEstimate, NotEstimable> {
        let (sum, reach) = (self.sum(|bin| bin.bin.score_sum), self.sum(RoundedBin::both));
        rate(self.positives(), self.n())?;
        if sum <= reach {
            return Err(NotEstimable::RoundedSums);
        }
        let Estimate { value, interval } = super::observed_expected(self.n(), self.positives(), sum, level)?;
        let wide =
            |i: Interval| Interval { lower: i.lower * sum / (sum + reach), upper: i.upper * sum / (sum - reach) };
        let bounds = wide(Interval { lower: value, upper: value });
        Ok(BoundedEstimate { estimate: Estimate { value, interval: interval.map(wide) }, bounds })
    }
}

/// Of what is not below 0.
fn around(value: f64, reach: f64) -> Interval {
    Interval { lower: (value - reach).max(0.0), upper: value + reach }
}

/// A mean from rounded sums, with the normal interval of the greatest standard error that it may have.
fn mean(n: u64, sum: Rounded, squares: Rounded, level: f64) -> Result<BoundedEstimate, NotEstimable> {
    let z = normal_quantile(level)?;
    if n == 0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    let (size, least) = (n as f64, (sum.sum.abs() - sum.reach).max(0.0));
    let (value, reach) = (sum.sum / size, sum.reach / size);
    let variance = (squares.sum + squares.reach - least * least / size).max(0.0) / (size - 1.0);
    let interval = match n {
        1 => Err(NotEstimable::ZeroVariance),
        _ => Interval::around(value, z * (variance / size).sqrt() + reach),
    };
    let bounds = Interval { lower: value - reach, upper: value + reach };
    Ok(BoundedEstimate { estimate: Estimate { value, interval }, bounds })
}

#[cfg(test)]
mod tests {
    use super::super::{
        LEVEL, brier, brier_skill, calibration_in_the_large, expected_calibration_error, maximum_calibration_error,
        mean_of_sums, murphy, observed_expected,
    };
    use super::*;
    use proptest::prelude::*;

    /// Scores and labels in ten bins; sums of each label rounded to `step`, squares likewise, or exact.
    fn scores(events: &[(f64, bool)], step: Option<f64>) -> RoundedScores {
        let near = |sum: f64| step.map_or(sum, |step| (sum / step).round() * step);
        let bin = |at: usize| {
            let own = |label: bool| {
                let own = events.iter().filter(move |(score, own)| (score * 10.0) as usize == at && *own == label);
                own.map(|(score, _)| *score)
            };
            let [negative, positive] = [false, true].map(|label| near(own(label).sum()));
            let positives = own(true).count() as u64;
            let n = own(false).count() as u64 + positives;
            let bin = CalibrationBin { n, positives, score_sum: negative + positive, positive_score_sum: positive };
            RoundedBin { bin, reach: [step.unwrap_or(0.0) / 2.0; 2] }
        };
        let squares = |label: bool| near(events.iter().filter(|(_, own)| *own == label).map(|(s, _)| s * s).sum());
        let square_sum = Rounded { sum: squares(false) + squares(true), reach: step.unwrap_or(0.0) };
        RoundedScores { bins: (0..10).map(bin).collect(), square_sum }
    }

    fn inside(i: Interval, value: f64) -> bool {
        i.lower - 1e-9 <= value && value <= i.upper + 1e-9
    }

    proptest! {
        #[test]
        fn exact_figures_lie_inside_what_rounding_leaves_open(
            events in proptest::collection::vec((0.0..1.0_f64, any::<bool>()), 4..60), step in 0.0001..1.0_f64,
        ) {
            let (exact, found) = (scores(&events, None), scores(&events, Some(step)));
            let bins = |of: &RoundedScores| of.bins.iter().map(|bin| bin.bin).collect::<Vec<_>>();
            let (sharp, near) = (bins(&exact), bins(&found));
            let (n, p) = (exact.n(), exact.positives());
            let sum = |of: fn(&CalibrationBin) -> f64, bins: &[CalibrationBin]| bins.iter().map(of).sum::<f64>();
            let (all, own) = (sum(|bin| bin.score_sum, &sharp), sum(|bin| bin.positive_score_sum, &sharp));
            let squares = exact.square_sum.sum;
            let true_brier = brier(n, p, squares, own)?;
            let near_brier = brier(n, p, found.square_sum.sum, sum(|bin| bin.positive_score_sum, &near))?;
            prop_assert!(inside(found.brier(near_brier), true_brier));
            if let Ok(skill) = brier_skill(true_brier, n, p) {
                prop_assert!(inside(found.brier_skill(near_brier)?, skill));
            }
            prop_assert!(inside(found.expected_calibration_error(), expected_calibration_error(&sharp)?));
            prop_assert!(inside(found.maximum_calibration_error(), maximum_calibration_error(&sharp)?));
            prop_assert!(inside(found.calibration_error_by_chance()?, calibration_error_by_chance(&sharp)?));
            let (true_parts, parts) = (murphy(&sharp, squares)?, murphy(&near, found.square_sum.sum)?);
            prop_assert!(inside(found.reliability(), true_parts.reliability));
            prop_assert!(inside(found.within_variance(), true_parts.within_variance));
            prop_assert!(inside(found.within_covariance(parts.within_covariance), true_parts.within_covariance));
            // Means hold the whole interval of the exact sums, and with it a point to which it may collapse.
            let holds = |found: BoundedEstimate, exact: Estimate| {
                let ends = exact.interval.unwrap_or(Interval { lower: exact.value, upper: exact.value });
                let wide = found.estimate.interval.unwrap_or(found.bounds);
                inside(found.bounds, exact.value) && inside(wide, ends.lower) && inside(wide, ends.upper)
            };
            prop_assert!(holds(found.mean_score(LEVEL)?, mean_of_sums(n, all, squares, LEVEL)?));
            let large = calibration_in_the_large(n, p, all, true_brier, LEVEL)?;
            prop_assert!(holds(found.calibration_in_the_large(LEVEL)?, large));
            if let Ok(ratio) = found.observed_expected(LEVEL) {
                prop_assert!(holds(ratio, observed_expected(n, p, all, LEVEL)?));
            }
            for (bin, exact) in found.bins.iter().zip(&sharp).filter(|(_, exact)| exact.n > 0) {
                prop_assert!(inside(bin.mean_score()?, exact.score_sum / exact.n as f64));
            }
        }
    }

    #[test]
    fn half_a_step_a_sum_by_hand() {
        // Two events of label 0 with score 0.5, sums to quarters: 1.0 may be off by 1/8, the sum of squares 0.5, too.
        let bin = CalibrationBin { n: 2, positives: 0, score_sum: 1.0, positive_score_sum: 0.0 };
        let square_sum = Rounded { sum: 0.5, reach: 0.125 };
        let found = RoundedScores { bins: vec![RoundedBin { bin, reach: [0.125, 0.0] }], square_sum };
        assert_eq!(found.brier(0.25), Interval { lower: 0.1875, upper: 0.3125 });
        assert_eq!(found.expected_calibration_error(), Interval { lower: 0.4375, upper: 0.5625 });
        let mean = found.mean_score(LEVEL).expect("events");
        assert_eq!(mean.bounds, Interval { lower: 0.4375, upper: 0.5625 });
        // Greatest variance: 0.625 less 0.875 squared by two.
        let half = 1.959963984540054 * ((0.625_f64 - 0.3828125) / 2.0).sqrt() + 0.0625;
        assert!(mean.estimate.interval.is_ok_and(|i| (i.upper - 0.5 - half).abs() < 1e-9));
        let coarse = RoundedScores { bins: vec![RoundedBin { bin, reach: [1.0, 0.0] }], square_sum };
        assert_eq!(coarse.observed_expected(LEVEL), Err(NotEstimable::RoundedSums));
    }
}
