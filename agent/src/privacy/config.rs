//! `[privacy]` in config.toml: how much this site gives away in all.

use fedaudit_core::plan::{Fraction, PlanText};
use fedaudit_core::privacy::{composed, cost};
use fedaudit_core::time::{HOUR_NS, Window};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// What one subject's events of one model and period may cost, over all releases of all plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Epsilon.
    pub epsilon: Fraction,
    /// Delta; 0 allows Laplace noise only.
    #[serde(default)]
    pub delta: Fraction,
    /// Length of a period in days. Periods are counted from 1970-01-01 (UTC); a release costs in each that its window
    /// touches.
    pub period_days: u32,
}

impl PrivacyConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// The key at fault.
    pub fn check(&self) -> Result<(), String> {
        if self.epsilon == Fraction::default() {
            return Err("`privacy.epsilon` is 0; above 0, such as \"4\"".to_owned());
        }
        if self.delta.parts() > Fraction::ONE / 100 {
            return Err(format!("`privacy.delta` is {}; at most 0.01", self.delta));
        }
        match (1..=DAYS_MAX).contains(&self.period_days) {
            true => Ok(()),
            false => Err(format!("`privacy.period_days` is {}; 1 to {DAYS_MAX}", self.period_days)),
        }
    }

    /// The periods that a window touches.
    pub(super) fn periods(&self, window: &Window) -> RangeInclusive<i64> {
        let length = i64::from(self.period_days) * 24 * HOUR_NS;
        window.start.0.div_euclid(length)..=window.end.plus_ns(-1).0.div_euclid(length)
    }

    /// A period as a window.
    pub(super) fn period(&self, number: i64) -> Window {
        let length = i64::from(self.period_days) * 24 * HOUR_NS;
        let start = fedaudit_core::time::Time(number.saturating_mul(length));
        Window { start, end: start.plus_ns(length) }
    }

    /// Whether a site with this budget may answer the plan at all.
    ///
    /// # Errors
    /// Why not.
    pub fn allows(budget: Option<&PrivacyConfig>, plan: &PlanText) -> Result<(), String> {
        let Some(cost) = cost(plan) else { return Ok(()) };
        let Some(budget) = budget else {
            return Err("it is answered with differential privacy, and this site has no budget for that: \
                        give one in config.toml, [privacy]"
                .to_owned());
        };
        match composed(&[cost], budget.delta) {
            Some(epsilon) if epsilon <= budget.epsilon => Ok(()),
            Some(epsilon) => Err(format!(
                "one release costs epsilon {epsilon}; this site's budget for a period is {}",
                budget.epsilon
            )),
            None => {
                Err("Gaussian noise needs a delta above 0 in this site's budget: config.toml, [privacy]".to_owned())
            }
        }
    }
}

const DAYS_MAX: u32 = 36_500;

/// For a new home's config.toml.
pub(crate) const SAMPLE: &str = "\
# What one person's events of one model may give away to all plans with differential privacy together. Without it, such
# plans are refused. Numbers are texts, so that they are exact. A period is that many days, counted from 1970-01-01; a
# release costs in each period that its window touches. delta 0 allows Laplace noise only.
# [privacy]
# epsilon = \"4\"
# delta = \"0.000001\"
# period_days = 365
";
