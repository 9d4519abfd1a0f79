//! Differential privacy: what noise a plan needs, what it costs, and from which bytes it is drawn.
//!
//! Sampling itself is the agent's: nothing here draws.

mod account;
mod stream;

pub use account::{Cost, composed};
pub use stream::{Stream, key_id, seed};

use crate::plan::{Fraction, Mechanism, PlanText, Privacy};
use serde::{Deserialize, Serialize};

/// By how much all numbers of a release together change if one subject's events of the window come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// Greatest sum of absolute changes.
    pub l1: u64,
    /// Greatest sum of squared changes.
    pub l2_squared: u64,
}

/// The sensitivity of a release.
///
/// What is released are the counts `[decision][label]` of each group of each slice, the one without attributes included.
/// Truncation leaves at most m events of a subject in a window, over all model versions; each is in one cell of one group
/// of each slice. In one slice the changes therefore sum to m at most, and their squares to m^2 at most, where all events are
/// in one cell. Over S slices: L1 = m S, and L2 squared = m^2 S.
pub fn sensitivity(plan: &PlanText, privacy: &Privacy) -> Sensitivity {
    let m = u64::from(privacy.events_per_subject);
    let slices = 1 + plan.slices.len() as u64;
    Sensitivity { l1: m * slices, l2_squared: m * m * slices }
}

/// The noise that is added to each count of a release, each on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Its distribution.
    pub mechanism: Mechanism,
    /// The distribution's parameter, in events.
    pub scale: Scale,
    /// Events of a subject that were counted at most.
    pub events_per_subject: u32,
}

/// An exact rational number, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Below 2^53.
    pub numerator: u64,
    /// At least 1.
    pub denominator: u64,
}

impl Scale {
    fn reduced(numerator: u128, denominator: u128) -> Scale {
        let (mut a, mut b) = (numerator, denominator);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        let part = |of: u128| u64::try_from(of / a.max(1)).unwrap_or(u64::MAX);
        Scale { numerator: part(numerator), denominator: part(denominator) }
    }

    /// The nearest floating-point number.
    pub fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl Noise {
    /// The noise that a plan asks for; none where its counts are released as they are.
    ///
    /// Laplace: scale = L1 / epsilon, which is epsilon-differentially private. Gaussian: scale = L2 / sqrt(2 rho), rounded up
    /// to thousandths, which is rho-zero-concentrated (Canonne, Kamath, Steinke 2020, theorem 4 and its extension to
    /// vectors), with the greatest rho for which rho + 2 sqrt(rho ln(1 / delta)) <= epsilon (Bun, Steinke 2016,
    /// proposition 1.3): rho = (sqrt(epsilon + ln(1 / delta)) - sqrt(ln(1 / delta)))^2.
    pub fn of(plan: &PlanText) -> Option<Noise> {
        let privacy = plan.disclosure.privacy.as_ref()?;
        let Sensitivity { l1, l2_squared } = sensitivity(plan, privacy);
        let epsilon = privacy.epsilon;
        let scale = match privacy.mechanism {
            Mechanism::DiscreteLaplace => {
                Scale::reduced(u128::from(l1) * u128::from(Fraction::ONE), u128::from(epsilon.parts()))
            }
            Mechanism::DiscreteGaussian => {
                let log = -privacy.delta.unwrap_or_default().value().ln();
                let rho = ((epsilon.value() + log).sqrt() - log.sqrt()).powi(2);
                let sigma = (l2_squared as f64 / (2.0 * rho)).sqrt();
                Scale::reduced((sigma * 1_000.0).ceil() as u128, 1_000)
            }
        };
        Some(Noise { mechanism: privacy.mechanism, scale, events_per_subject: privacy.events_per_subject })
    }

    /// Its variance. The discrete Gaussian's is at most scale^2, and as good as equal from scale 1 on.
    pub fn variance(&self) -> f64 {
        let scale = self.scale.value();
        match self.mechanism {
            Mechanism::DiscreteGaussian => scale * scale,
            Mechanism::DiscreteLaplace => {
                let rest = -(-1.0 / scale).exp_m1();
                2.0 * (1.0 - rest) / (rest * rest)
            }
        }
    }
}

/// What one release of a plan costs; none where it adds no noise.
pub fn cost(plan: &PlanText) -> Option<Cost> {
    let privacy = plan.disclosure.privacy.as_ref()?;
    let noise = Noise::of(plan)?;
    Some(match privacy.mechanism {
        Mechanism::DiscreteLaplace => Cost::Pure(privacy.epsilon),
        Mechanism::DiscreteGaussian => {
            let sensitivity = sensitivity(plan, privacy).l2_squared as f64;
            Cost::Concentrated(Fraction::at_least(sensitivity / (2.0 * noise.variance())))
        }
    })
}

#[cfg(test)]
mod tests;
