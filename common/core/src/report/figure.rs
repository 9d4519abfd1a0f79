//! A figure is an estimate, hidden, or undefined with the reason; never 0 for hidden or undefined.

use crate::statistics::Interval;
use serde::{Deserialize, Serialize};

/// A figure: an estimate, hidden, or undefined with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// An estimate.
    Estimate(Estimate),
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
