//! A figure is an estimate, a bound, hidden, or undefined with the reason; never 0 for hidden or undefined.

use crate::statistics::{self as st, Chi2Test, Interval, LEVEL, NormalTest, NotEstimable, RatioMethod};
use serde::{Deserialize, Serialize};

/// A figure: an estimate, a bound, hidden, or undefined with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// An estimate.
    Estimate(Estimate),
    /// It is at least this for certain, and how much greater nothing tells.
    AtLeast(f64),
    /// Hidden by disclosure control.
    Suppressed,
    /// Undefined, and why.
    NotEstimable(String),
}

impl Figure {
    /// The point estimate, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Figure::Estimate(estimate) => Some(estimate.value),
            _ => None,
        }
    }

    /// Undefined for `why`.
    pub(super) fn undefined(why: NotEstimable) -> Figure {
        Figure::NotEstimable(why.reason().to_owned())
    }
}

/// A figure from an estimate with its interval, or with the reason why it has none.
pub(super) fn figure(estimate: Result<(f64, Result<Interval, NotEstimable>), NotEstimable>, method: &str) -> Figure {
    let (value, interval, method) = match estimate {
        // JSON has no number for these.
        Ok((value, _)) if !value.is_finite() => return Figure::undefined(NotEstimable::NotFinite),
        Ok((value, Ok(interval))) if !(interval.lower.is_finite() && interval.upper.is_finite()) => {
            (value, None, format!("no interval: {}", NotEstimable::NotFinite.reason()))
        }
        Ok((value, Ok(interval))) => (value, Some(interval), method.to_owned()),
        Ok((value, Err(why))) => (value, None, format!("no interval: {}", why.reason())),
        Err(why) => return Figure::undefined(why),
    };
    Figure::Estimate(Estimate { value, interval, method, bounds: None })
}

/// A figure from an estimate of the statistics.
pub(super) fn estimated(estimate: Result<st::Estimate, NotEstimable>, method: &str) -> Figure {
    figure(estimate.map(|e| (e.value, e.interval)), method)
}

/// A figure that has no interval, for `reason`.
pub(super) fn point(value: Result<f64, NotEstimable>, reason: &str) -> Figure {
    match value {
        Ok(value) if !value.is_finite() => Figure::undefined(NotEstimable::NotFinite),
        Ok(value) => {
            let method = format!("no interval: {reason}");
            Figure::Estimate(Estimate { value, interval: None, method, bounds: None })
        }
        Err(why) => Figure::undefined(why),
    }
}

/// A figure with an interval, or the reason why it has none, and with bounds that are certain.
pub(super) fn bounded(
    estimate: Result<(f64, Result<Interval, NotEstimable>, Interval), NotEstimable>,
    method: &str,
) -> Figure {
    let bounds = estimate.and_then(|(.., bounds)| match bounds.lower.is_finite() && bounds.upper.is_finite() {
        true => Ok(bounds),
        false => Err(NotEstimable::NotFinite),
    });
    with_bounds(figure(estimate.map(|(value, interval, _)| (value, interval)), method), bounds)
}

/// The figure with where it must lie.
pub(super) fn with_bounds(figure: Figure, bounds: Result<Interval, NotEstimable>) -> Figure {
    match (figure, bounds) {
        (Figure::Estimate(estimate), Ok(bounds)) => Figure::Estimate(Estimate { bounds: Some(bounds), ..estimate }),
        (figure, _) => figure,
    }
}

/// A figure that rounding may have moved, with where it must lie.
pub(super) fn rounded(estimate: Result<st::BoundedEstimate, NotEstimable>, method: &str) -> Figure {
    let figure = figure(estimate.map(|e| (e.estimate.value, e.estimate.interval)), method);
    with_bounds(figure, estimate.map(|e| e.bounds))
}

/// The proportion `x / n` with Wilson's interval.
pub(super) fn proportion(x: u64, n: u64) -> Figure {
    figure(st::rate(x, n).map(|value| (value, st::wilson(x, n, LEVEL))), "wilson")
}

/// The difference of two proportions with Newcombe's interval.
pub(super) fn difference((x1, n1): (u64, u64), (x0, n0): (u64, u64)) -> Figure {
    let value = st::difference(x1, n1, x0, n0);
    figure(value.map(|value| (value, st::newcombe_difference(x1, n1, x0, n0, LEVEL))), "newcombe")
}

/// The ratio of two proportions with Katz's interval, or Koopman's beside a 0.
pub(super) fn katz(x1: u64, n1: u64, x0: u64, n0: u64) -> Figure {
    let estimate = st::katz_ratio(x1, n1, x0, n0, LEVEL);
    let method = match &estimate {
        Ok(estimate) if estimate.method == RatioMethod::KoopmanScore => "koopman_score",
        _ => "katz_log",
    };
    figure(estimate.map(|e| (e.value, Ok(e.interval))), method)
}

pub(super) fn test(test: Result<Chi2Test, NotEstimable>) -> TestFigure {
    match test {
        Ok(Chi2Test { statistic, dof, p }) => TestFigure::Test { statistic, dof, p },
        Err(why) => TestFigure::NotEstimable(why.reason().to_owned()),
    }
}

/// A point estimate with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The point.
    pub value: f64,
    /// 95 % interval; absent where `method` says why.
    pub interval: Option<Interval>,
    /// How the interval was made, or why there is none.
    pub method: String,
    /// Where the figure lies for certain, whatever bins or hidden groups hold, and rounding took; absent where nothing is
    /// hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Interval>,
}

/// A test, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestFigure {
    /// Statistic, degrees of freedom, p.
    Test {
        /// The statistic.
        statistic: f64,
        /// Degrees of freedom.
        dof: u64,
        /// Upper tail of chi-square.
        p: f64,
    },
    /// Hidden by disclosure control.
    Suppressed,
    /// Undefined, and why.
    NotEstimable(String),
}

/// Whether a figure is below a threshold, over all released windows and for certain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Below {
    /// It is, whatever is hidden.
    Yes,
    /// It is not, whatever is hidden.
    No,
    /// What is hidden decides, and how.
    Undecided(String),
}

/// The rule of two standard deviations, or why it cannot be applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviationsFigure {
    /// A two-proportion z test with pooled variance.
    Test {
        /// Standard deviations.
        z: f64,
        /// Two-sided p.
        p: f64,
        /// Whether they are more than two, either way.
        beyond_two: bool,
    },
    /// Undefined, and why.
    NotEstimable(String),
}

impl DeviationsFigure {
    pub(super) fn of(test: Result<NormalTest, NotEstimable>) -> DeviationsFigure {
        match test {
            Ok(NormalTest { z, p }) => DeviationsFigure::Test { z, p, beyond_two: z.abs() > 2.0 },
            Err(why) => DeviationsFigure::NotEstimable(why.reason().to_owned()),
        }
    }
}
