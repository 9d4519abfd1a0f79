//! The statistics of a report: rates, differences and ratios with intervals, stratified tables, meta-analysis.
//!
//! Counts are `u64`, everything derived is `f64`. Sums run in the order given, so that recomputation is bit-stable.
//! `level` is the coverage of a two-sided interval, between 0 and 1; [`LEVEL`] unless several intervals are read together.
//!
//! **Zero rule.** What has no value is [`NotEstimable`] with the reason: never 0, never 1, never infinite, never NaN.
//!
//! ```
//! use fedaudit_core::statistics::{LEVEL, NotEstimable, newcombe_difference, rate};
//!
//! // Berkeley 1973: 557 of 1,835 women and 1,198 of 2,691 men were admitted.
//! let gap = newcombe_difference(557, 1835, 1198, 2691, LEVEL)?;
//! assert_eq!(format!("{:.3} {:.3}", gap.lower, gap.upper), "-0.170 -0.113");
//! assert_eq!(rate(0, 0), Err(NotEstimable::EmptyDenominator));
//! # Ok::<(), NotEstimable>(())
//! ```

mod calibration;
mod classification;
mod completion;
mod contingency;
#[cfg(test)]
mod coverage;
mod drift;
mod dual;
mod fairness;
mod groups;
mod homogeneity;
mod identified;
#[cfg(test)]
mod laws;
mod mantel_haenszel;
mod means;
mod meta;
mod multiclass;
mod multiplicity;
mod noisy;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod oracle_across;
#[cfg(test)]
mod oracle_classes;
#[cfg(test)]
mod oracle_counts;
#[cfg(test)]
mod oracle_drift;
#[cfg(test)]
mod oracle_gaps;
#[cfg(test)]
mod oracle_noisy;
#[cfg(test)]
mod oracle_people;
#[cfg(test)]
mod oracle_regression;
#[cfg(test)]
mod oracle_scores;
mod proportion;
mod quantile;
mod ranking;
mod ratio;
mod recalibration;
mod regression;
mod roc;
mod rounded;
mod simpson;
mod split;
mod tail;
mod weighted;

pub use calibration::{
    CalibrationBin, Murphy, brier, brier_skill, calibration_error_by_chance, calibration_in_the_large,
    expected_calibration_error, maximum_calibration_error, mean_of_sums, murphy, observed_expected,
};
pub use classification::Confusion;
pub use completion::{Range, SliceRange, TableRange, add_tables};
pub use contingency::{odds_ratio, pearson_chi2};
pub use drift::{DRIFT_BINS, Drift, PSI_FLOOR, drift, ks_bounds, wasserstein_1};
pub use fairness::{average_odds_difference, cohen_d, differential_fairness, entropy_between, theil_between};
pub use groups::{
    Joint, MaxMinDifference, MinMaxRatio, joint_difference, joint_ratio, max_min_difference, min_max_ratio,
    worst_difference,
};
pub use homogeneity::{BreslowDay, CochranMantelHaenszel, breslow_day, cochran_mantel_haenszel};
pub use identified::{Possible, identified_difference, identified_rate};
pub use mantel_haenszel::{MantelHaenszel, Stratum, mantel_haenszel};
pub use means::{Sample, max_min_means, means_bounds, welch};
pub use meta::{
    Effect, Heterogeneity, LeftOut, MeanEffect, MetaAnalysis, RandomEffects, leave_one_out, log_odds_ratio_effect,
    log_risk_ratio_effect, meta_analysis, risk_difference_effect,
};
pub use multiclass::{Average, ClassTable, Weights, among_first};
pub use multiplicity::{NormalTest, benjamini_hochberg, holm, two_proportions};
pub use noisy::{NOISE_MULTIPLE, NoisyRate, NoisySum, noisy_difference, noisy_rate};
pub use proportion::{balanced_accuracy, difference, newcombe_difference, rate, wilson};
pub use quantile::{ValueBin, quantile, quantile_bin};
pub use ranking::{Auc, auc, auc_difference, auc_effect, average_precision, gini, label_distance};
pub use ratio::{RatioBounds, RatioEstimate, RatioMethod, katz_ratio, koopman_bounds, ratio};
pub use recalibration::{Recalibration, Spiegelhalter, recalibration, spiegelhalter};
pub use regression::Moments;
pub use roc::{abroca, partial_auc};
pub use rounded::{Rounded, RoundedBin, RoundedScores};
pub use simpson::{Simpson, simpson};
pub use split::{GapSplit, gap_split};
pub use tail::{chi2_quantile, chi2_upper_tail, normal_quantile, student_quantile};
pub use weighted::{WeightedRate, WeightedSums, newcombe_effective, weighted_rate, wilson_effective};

use serde::{Deserialize, Serialize};
use std::fmt;

/// The level of an interval that is read on its own: 95 %.
pub const LEVEL: f64 = 0.95;

/// Why a figure has no value. Serialised as [`NotEstimable::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEstimable {
    /// The count in the denominator is 0.
    EmptyDenominator,
    /// The rate (or the largest rate) in the denominator of a ratio is 0.
    ZeroRateInDenominator,
    /// A cell, or a sum of products of cells, that has to be positive is 0.
    ZeroCell,
    /// The variance is 0 (or not defined), so an interval would have no width.
    ZeroVariance,
    /// No stratum holds both groups, or none of those that do carries information.
    NoStrata,
    /// Fewer than two strata carry information.
    TooFewStrata,
    /// Too few studies for this figure.
    TooFewStudies,
    /// Fewer than two groups, or categories, have events.
    TooFewGroups,
    /// Too few events for this figure.
    TooFewEvents,
    /// A count exceeds the total that contains it.
    CountExceedsTotal,
    /// The rows of a table differ in length.
    UnequalRows,
    /// The level does not lie strictly between 0 and 1.
    InvalidLevel,
    /// An input, or a result, is not a finite number.
    NotFinite,
    /// The score separates the labels, so that no finite model fits best.
    Separated,
    /// Too small a share of the events has a label yet.
    Immature,
    /// The score's range is not 0 to 1, so it claims no probability.
    NotAProbability,
    /// The noise in the denominator is too large beside it.
    TooNoisy,
    /// The order of the classes means nothing.
    ClassesNotOrdered,
    /// No site shows all groups that are compared.
    NoSiteShowsAllGroups,
    /// Sums are rounded to steps too coarse for it.
    RoundedSums,
}

impl NotEstimable {
    /// The reason as reports print it, in `snake_case`.
    pub fn reason(self) -> &'static str {
        match self {
            NotEstimable::EmptyDenominator => "empty_denominator",
            NotEstimable::ZeroRateInDenominator => "zero_rate_in_denominator",
            NotEstimable::ZeroCell => "zero_cell",
            NotEstimable::ZeroVariance => "zero_variance",
            NotEstimable::NoStrata => "no_strata",
            NotEstimable::TooFewStrata => "too_few_strata",
            NotEstimable::TooFewStudies => "too_few_studies",
            NotEstimable::TooFewGroups => "too_few_groups",
            NotEstimable::TooFewEvents => "too_few_events",
            NotEstimable::CountExceedsTotal => "count_exceeds_total",
            NotEstimable::UnequalRows => "unequal_rows",
            NotEstimable::InvalidLevel => "invalid_level",
            NotEstimable::NotFinite => "not_finite",
            NotEstimable::Separated => "separated",
            NotEstimable::Immature => "immature",
            NotEstimable::NotAProbability => "not_a_probability",
            NotEstimable::TooNoisy => "too_noisy",
            NotEstimable::ClassesNotOrdered => "classes_not_ordered",
            NotEstimable::NoSiteShowsAllGroups => "no_site_shows_all_groups",
            NotEstimable::RoundedSums => "rounded_sums",
        }
    }
}

impl fmt::Display for NotEstimable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for NotEstimable {}

/// A two-sided confidence interval, in the unit of its figure; both ends are finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl Interval {
    /// Whether `value` lies inside, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }

    /// The interval of what cannot be below 0.
    pub(crate) fn not_negative(self) -> Interval {
        Interval { lower: self.lower.max(0.0), upper: self.upper }
    }

    /// `centre` plus and minus `half_width`; without width, or not finite, it is no interval.
    fn around(centre: f64, half_width: f64) -> Result<Interval, NotEstimable> {
        let interval = Interval { lower: centre - half_width, upper: centre + half_width };
        if !interval.lower.is_finite() || !interval.upper.is_finite() {
            Err(NotEstimable::NotFinite)
        } else if half_width > 0.0 {
            Ok(interval)
        } else {
            Err(NotEstimable::ZeroVariance)
        }
    }

    /// The interval whose logarithm is `centre` plus and minus `half_width`.
    fn around_log(centre: f64, half_width: f64) -> Result<Interval, NotEstimable> {
        let log = Interval::around(centre, half_width)?;
        let interval = Interval { lower: log.lower.exp(), upper: log.upper.exp() };
        if interval.upper.is_finite() { Ok(interval) } else { Err(NotEstimable::NotFinite) }
    }
}

/// A figure that is defined, with its interval or the reason why it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// Its interval.
    pub interval: Result<Interval, NotEstimable>,
}

/// An estimate from bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedEstimate {
    /// The estimate, the bins taken as the values.
    pub estimate: Estimate,
    /// Where the figure of the values themselves must lie, however they fall inside their bins. No confidence is involved.
    pub bounds: Interval,
}

/// A figure from bins of whose sampling error nothing is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The figure, the bins taken as the values.
    pub value: f64,
    /// Where the figure of the values themselves must lie, however they fall inside their bins. No confidence is involved.
    pub bounds: Interval,
}

/// A chi-square test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chi2Test {
    /// The statistic, at least 0.
    pub statistic: f64,
    /// Degrees of freedom, at least 1.
    pub dof: u64,
    /// Probability of a statistic at least this large under the null hypothesis.
    pub p: f64,
}

impl Chi2Test {
    fn new(statistic: f64, dof: u64) -> Result<Chi2Test, NotEstimable> {
        if statistic.is_finite() {
            Ok(Chi2Test { statistic, dof, p: chi2_upper_tail(statistic, dof)? })
        } else {
            Err(NotEstimable::NotFinite)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_what_is_serialised() {
        use NotEstimable::*;
        for reason in [
            EmptyDenominator,
            ZeroRateInDenominator,
            ZeroCell,
            ZeroVariance,
            NoStrata,
            TooFewStrata,
            TooFewStudies,
            TooFewGroups,
            TooFewEvents,
            CountExceedsTotal,
            UnequalRows,
            InvalidLevel,
            NotFinite,
            Separated,
            Immature,
            NotAProbability,
            ClassesNotOrdered,
            RoundedSums,
        ] {
            let text = serde_json::to_string(&reason).unwrap_or_default();
            assert_eq!(text, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<NotEstimable>(&text).ok(), Some(reason));
        }
    }
}
