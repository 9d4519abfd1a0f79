//! Differential privacy as a plan asks for it.

use super::{Disclosure, PlanText};
use crate::contract::ContractText;
use crate::limits;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;

/// What is released with noise, and how much of it.
///
/// Epsilon and delta hold for one release: all numbers of one window at one site. Neighbours are two journals of which one
/// has all events of one subject in the window, the other none of them; an event without subject is a subject of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// The noise that is added to each count.
    pub mechanism: Mechanism,
    /// Epsilon of a release: 0.001 to 100, at most six decimals.
    pub epsilon: Fraction,
    /// Delta of a release: for the Gaussian alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Fraction>,
    /// Events of a subject that count in a window, the first in the journal.
    pub events_per_subject: u32,
}

/// A distribution over the integers (Canonne, Kamath, Steinke 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// P(x) proportional to exp(-|x| / scale).
    DiscreteLaplace,
    /// P(x) proportional to exp(-x^2 / (2 scale^2)).
    DiscreteGaussian,
}

/// A decimal of up to twelve places, exact: `"0.5"` in text. It is no floating-point number, so that all compute the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction(u64);

impl Fraction {
    /// Parts of a whole.
    pub const ONE: u64 = 1_000_000_000_000;

    /// So many parts of [`Fraction::ONE`].
    pub fn of_parts(parts: u64) -> Fraction {
        Fraction(parts)
    }

    /// Parts of [`Fraction::ONE`].
    pub fn parts(self) -> u64 {
        self.0
    }

    /// The nearest floating-point number.
    pub fn value(self) -> f64 {
        self.0 as f64 / Fraction::ONE as f64
    }

    /// The least fraction that is not below `value`; the greatest there is, where there is none.
    pub fn at_least(value: f64) -> Fraction {
        // A float beyond the range saturates.
        Fraction((value * Fraction::ONE as f64).ceil() as u64)
    }

    /// Reads a decimal: digits, and up to twelve behind a point.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Fraction, String> {
        let bad = || format!("`{text}` is no decimal of 0 to 1000000 with up to 12 places, such as \"0.5\"");
        let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits(whole) && (whole == "0" || !whole.starts_with('0'));
        if !plain || whole.len() > 7 || places.is_some_and(|places| !digits(places) || places.len() > 12) {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let parts: u64 = format!("{:0<12}", places.unwrap_or("")).parse().map_err(|_| bad())?;
        match whole <= 1_000_000 {
            true => Ok(Fraction(whole * Fraction::ONE + parts)),
            false => Err(bad()),
        }
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.0 / Fraction::ONE, self.0 % Fraction::ONE);
        match parts {
            0 => write!(f, "{whole}"),
            _ => f.write_str(format!("{whole}.{parts:012}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Fraction::parse(&String::deserialize(d)?).map_err(D::Error::custom)
    }
}

impl Disclosure {
    pub(super) fn check_step(&self) -> Result<(), String> {
        let Some(step) = self.moment_step else { return Ok(()) };
        if !(Fraction::ONE / 1_000_000..=Fraction::ONE).contains(&step.parts()) {
            return Err(format!("`disclosure.moment_step` is {step}; a share of the score's range from 0.000001 to 1"));
        }
        match (self.k, self.privacy) {
            (..=1, _) => Err("`disclosure.moment_step` needs a k above 1: k = 1 hides nothing".to_owned()),
            (_, Some(_)) => {
                Err("`disclosure.moment_step` stands beside noise, where no sums leave; leave it out".to_owned())
            }
            (_, None) => Ok(()),
        }
    }
}

impl Privacy {
    pub(super) fn check(&self, plan: &PlanText) -> Result<(), String> {
        if plan.disclosure.hide_zeros {
            return Err("`disclosure.hide_zeros` is for exact counts: noise hides zeros; leave it out".to_owned());
        }
        let epsilon = self.epsilon.parts();
        let range = Fraction::ONE / 1_000..=100 * Fraction::ONE;
        if !range.contains(&epsilon) || !epsilon.is_multiple_of(1_000_000) {
            let at = "disclosure.privacy.epsilon";
            return Err(format!("`{at}` is {}; 0.001 to 100, with at most six decimals", self.epsilon));
        }
        let most = Fraction(Fraction::ONE / 100);
        match (self.mechanism, self.delta) {
            (Mechanism::DiscreteLaplace, None) => {}
            (Mechanism::DiscreteLaplace, Some(_)) => {
                return Err("`disclosure.privacy.delta` is for the discrete_gaussian; leave it out".to_owned());
            }
            (Mechanism::DiscreteGaussian, Some(delta)) if delta > Fraction(0) && delta <= most => {}
            (Mechanism::DiscreteGaussian, delta) => {
                let found = delta.map_or("missing".to_owned(), |delta| delta.to_string());
                return Err(format!("`disclosure.privacy.delta` is {found}; above 0, up to {most}"));
            }
        }
        if !(1..=limits::EVENTS_PER_SUBJECT).contains(&self.events_per_subject) {
            let (at, most) = ("disclosure.privacy.events_per_subject", limits::EVENTS_PER_SUBJECT);
            return Err(format!("`{at}` is {}; 1 to {most}", self.events_per_subject));
        }
        let exact = !plan.packs.is_empty() || plan.reference.is_some() || plan.reference_window.is_some();
        match exact {
            true => Err("`packs`, `reference` and `reference_window` need exact counts: leave them out beside \
                         `disclosure.privacy`"
                .to_owned()),
            false => Ok(()),
        }
    }

    pub(super) fn check_against(plan: &PlanText, contract: &ContractText) -> Result<(), String> {
        let groups = 1 + plan.slices.iter().map(|slice| slice.groups(contract).len()).sum::<usize>();
        let numbers = groups.saturating_mul(9).saturating_mul(plan.model_versions.len());
        match numbers <= limits::NOISY_NUMBERS {
            true => Ok(()),
            false => Err(format!(
                "{numbers} counts would be released with noise; at most {}: cut by fewer attributes, or ask two plans",
                limits::NOISY_NUMBERS
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_exact() {
        for (text, parts) in [("0", 0), ("0.5", Fraction::ONE / 2), ("1000000", 1_000_000 * Fraction::ONE)] {
            assert_eq!(Fraction::parse(text), Ok(Fraction(parts)));
            assert_eq!(Fraction(parts).to_string(), text);
        }
        assert_eq!(Fraction::parse("0.000000000001"), Ok(Fraction(1)));
        assert_eq!(Fraction::parse("2.50").map(|f| f.to_string()), Ok("2.5".to_owned()));
        for bad in ["", ".5", "1.", "-1", "+1", "1e3", "01", "0.0000000000001", "1000001", "1000000.5x", "NaN", "1,5"] {
            assert!(Fraction::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Fraction::at_least(0.1), Fraction(Fraction::ONE / 10));
        assert_eq!(Fraction::at_least(f64::INFINITY), Fraction(u64::MAX));
    }
}
