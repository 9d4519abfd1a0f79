//! In what multiples sums of scores and of values leave.
//!
//! A sum over k events or more tells of one of them what it leaves once the others are known, and beside its mean it says
//! how many there are. Rounded, it tells that up to half a step.

use crate::event::SCORE_ONE;
use crate::plan::{Disclosure, Fraction};

/// The multiples of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of sums in 2^-32 of the score's range.
    pub sums: Multiple,
    /// Of sums in 2^-64 of its square, and of its fourth power.
    pub squares: Multiple,
}

/// Sums leave as the nearest multiple of this; halfway, as the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiple(u128);

impl Step {
    /// Sums are exact.
    pub const EXACT: Step = Step { sums: Multiple(1), squares: Multiple(1) };

    /// The plan's, to the nearest 2^-32 of the range.
    pub fn of(disclosure: &Disclosure) -> Step {
        let Some(step) = disclosure.moment_step else { return Step::EXACT };
        let (one, whole) = (u128::from(SCORE_ONE), u128::from(Fraction::ONE));
        let sums = ((u128::from(step.parts()) * one + whole / 2) / whole).max(1);
        Step { sums: Multiple(sums), squares: Multiple(sums * one) }
    }
}

impl Multiple {
    /// The nearest multiple.
    pub fn round(self, sum: u128) -> u128 {
        sum.saturating_add(self.reach()) / self.0 * self.0
    }

    /// Whether it is one.
    pub fn has(self, sum: u128) -> bool {
        sum.is_multiple_of(self.0)
    }

    /// How far a rounded sum may be from the exact one: half a step, 0 where sums are exact.
    pub fn reach(self) -> u128 {
        self.0 / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(text: &str) -> Step {
        let moment_step = Some(Fraction::parse(text).expect("a decimal"));
        Step::of(&Disclosure { k: 10, privacy: None, hide_zeros: false, moment_step })
    }

    #[test]
    fn a_step_is_a_share_of_the_range() {
        assert_eq!(Step::of(&Disclosure { k: 10, privacy: None, hide_zeros: false, moment_step: None }), Step::EXACT);
        assert_eq!((Step::EXACT.sums.round(7), Step::EXACT.sums.reach()), (7, 0));
        // A quarter of 2^32, and of 2^64.
        let quarter = step("0.25");
        assert_eq!(quarter, Step { sums: Multiple(1 << 30), squares: Multiple(1 << 62) });
        let half = 1 << 29;
        assert_eq!([half - 1, half, 3 * half - 1].map(|sum| quarter.sums.round(sum)), [0, 1 << 30, 1 << 30]);
        // 2^32 / 1000 is 4294967.296.
        assert_eq!(step("0.001").sums, Multiple(4_294_967));
        assert_eq!(step("0.000001").sums, Multiple(4_295));
    }

    proptest! {
        #[test]
        fn rounded_sums_are_near(
            parts in proptest::collection::vec(0..u128::from(u64::MAX), 1..20),
            millionths in 1..=1_000_000_u64,
        ) {
            let moment_step = Some(Fraction::of_parts(millionths * 1_000_000));
            let Step { sums, squares } = Step::of(&Disclosure { k: 2, privacy: None, hide_zeros: false, moment_step });
            for step in [sums, squares] {
                let rounded: Vec<u128> = parts.iter().map(|sum| step.round(*sum)).collect();
                for (exact, rounded) in parts.iter().zip(&rounded) {
                    prop_assert!(step.has(*rounded) && 2 * rounded.abs_diff(*exact) <= step.0);
                }
                let off = rounded.iter().sum::<u128>().abs_diff(parts.iter().sum());
                prop_assert!(off <= step.reach() * parts.len() as u128);
            }
        }
    }
}
