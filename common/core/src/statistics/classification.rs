//! How decisions meet labels, in one figure each, from the four counts of a table.

use super::dual::Dual;
use super::{Estimate, Interval, NotEstimable, normal_quantile};

/// Events with decision and label. Decision 1 predicts label 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Decision 1, label 1.
    pub tp: u64,
    /// Decision 1, label 0.
    pub fp: u64,
    /// Decision 0, label 1.
    pub fn_: u64,
    /// Decision 0, label 0.
    pub tn: u64,
}

impl Confusion {
    fn cells(self) -> [u64; 4] {
        [self.tp, self.fp, self.fn_, self.tn]
    }

    /// Both tables together.
    pub fn plus(self, other: Confusion) -> Confusion {
        let Confusion { tp, fp, fn_, tn } = other;
        Confusion { tp: self.tp + tp, fp: self.fp + fp, fn_: self.fn_ + fn_, tn: self.tn + tn }
    }

    /// Events of label 1, of label 0.
    pub fn labels(self) -> [u64; 2] {
        [self.tp + self.fn_, self.fp + self.tn]
    }

    /// A figure of the cells with the delta method's normal interval for a multinomial sample, held inside `range`.
    fn delta(self, range: Interval, level: f64, figure: impl Fn([Dual; 4]) -> Dual) -> Result<Estimate, NotEstimable> {
        let found = figure(Dual::cells(self.cells()));
        let n: f64 = self.cells().iter().map(|cell| *cell as f64).sum();
        held(found.value, found.multinomial_variance(self.cells()), n, range, level)
    }

    /// F-beta, (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP) (van Rijsbergen 1979); F1 for `beta` = 1. Between 0 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` where no decision and no label is 1; `NotFinite`; `InvalidLevel`.
    pub fn f_beta(self, beta: f64, level: f64) -> Result<Estimate, NotEstimable> {
        if self.tp + self.fp + self.fn_ == 0 {
            return Err(NotEstimable::EmptyDenominator);
        }
        let square = Dual::constant(beta * beta);
        let more = Dual::constant(1.0 + beta * beta);
        self.delta(UNIT, level, |[tp, fp, fn_, _]| more * tp / (more * tp + square * fn_ + fp))
    }

    /// Jaccard's index, TP / (TP + FP + FN) (Jaccard 1912). Between 0 and 1.
    ///
    /// # Errors
    /// Those of [`Confusion::f_beta`].
    pub fn jaccard(self, level: f64) -> Result<Estimate, NotEstimable> {
        if self.tp + self.fp + self.fn_ == 0 {
            return Err(NotEstimable::EmptyDenominator);
        }
        self.delta(UNIT, level, |[tp, fp, fn_, _]| tp / (tp + fp + fn_))
    }

    /// Matthews' correlation coefficient (Matthews 1975). Between -1 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` where all decisions, or all labels, are the same; `InvalidLevel`.
    pub fn matthews(self, level: f64) -> Result<Estimate, NotEstimable> {
        let decisions = [self.tp + self.fp, self.fn_ + self.tn];
        if decisions.iter().chain(&self.labels()).any(|count| *count == 0) {
            return Err(NotEstimable::EmptyDenominator);
        }
        self.delta(SIGNED, level, |[tp, fp, fn_, tn]| {
            // Two roots: that of a perfect table is then exact.
            let (first, second) = ((tp + fp) * (tp + fn_), (tn + fp) * (tn + fn_));
            (tp * tn - fp * fn_) / (first.sqrt() * second.sqrt())
        })
    }

    /// Cohen's kappa of decision and label, (p_o - p_e) / (1 - p_e) (Cohen 1960; variance by Fleiss, Cohen and Everitt
    /// 1969). At most 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events, or where all decisions and labels are the same; `InvalidLevel`.
    pub fn kappa(self, level: f64) -> Result<Estimate, NotEstimable> {
        let [positives, negatives] = self.labels();
        let n = positives + negatives;
        let selected = self.tp + self.fp;
        let same = |count: u64| count == 0 || count == n;
        if n == 0 || (same(positives) && same(selected) && (positives == n) == (selected == n)) {
            return Err(NotEstimable::EmptyDenominator);
        }
        self.delta(SIGNED, level, |[tp, fp, fn_, tn]| {
            let n = tp + fp + fn_ + tn;
            let expected = ((tp + fp) * (tp + fn_) + (fn_ + tn) * (fp + tn)) / n;
            (tp + tn - expected) / (n - expected)
        })
    }

    /// The geometric mean of true positive and true negative rate (Kubat and Matwin 1997). Between 0 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events of either label; `InvalidLevel`.
    pub fn geometric_mean(self, level: f64) -> Result<Estimate, NotEstimable> {
        if self.labels().contains(&0) {
            return Err(NotEstimable::EmptyDenominator);
        }
        self.delta(UNIT, level, |[tp, fp, fn_, tn]| (tp / (tp + fn_) * (tn / (tn + fp))).sqrt())
    }

    /// The generalised entropy index of the benefits decision - label + 1, alpha 2: half of their squared coefficient of
    /// variation (Speicher and others 2018). 0 where all benefits are the same.
    ///
    /// # Errors
    /// `EmptyDenominator` without events, or without any benefit; `InvalidLevel`.
    pub fn generalized_entropy(self, level: f64) -> Result<Estimate, NotEstimable> {
        self.benefits()?;
        let (two, four) = (Dual::constant(2.0), Dual::constant(4.0));
        self.delta(NOT_NEGATIVE, level, |[tp, fp, fn_, tn]| {
            let (right, n) = (tp + tn, tp + fp + fn_ + tn);
            let sum = right + two * fp;
            (n * (right + four * fp) / (sum * sum) - Dual::constant(1.0)) / two
        })
    }

    /// Theil's index of the same benefits: the mean of b/m ln(b/m), m their mean (Speicher and others 2018).
    ///
    /// # Errors
    /// Those of [`Confusion::generalized_entropy`].
    pub fn theil(self, level: f64) -> Result<Estimate, NotEstimable> {
        self.benefits()?;
        let two = Dual::constant(2.0);
        self.delta(NOT_NEGATIVE, level, |[tp, fp, fn_, tn]| {
            let (right, n) = (tp + tn, tp + fp + fn_ + tn);
            let sum = right + two * fp;
            // The benefits 0 and 1 add nothing to the mean of b ln b.
            two * Dual::constant(2.0_f64.ln()) * fp / sum - (sum / n).ln()
        })
    }

    fn benefits(self) -> Result<(), NotEstimable> {
        if self.tp + self.tn + self.fp == 0 { Err(NotEstimable::EmptyDenominator) } else { Ok(()) }
    }
}

/// A figure of `n` events with the delta method's `variance` and a normal interval, both held inside `range`.
pub(super) fn held(value: f64, variance: f64, n: f64, range: Interval, level: f64) -> Result<Estimate, NotEstimable> {
    let z = normal_quantile(level)?;
    if !value.is_finite() {
        return Err(NotEstimable::NotFinite);
    }
    // Where the figure is at the end of its range its slope says nothing of the width: it is 0, but for rounding.
    let around = if variance * n > ROUNDING && variance.is_finite() {
        Interval::around(value, z * variance.sqrt())
    } else {
        Err(NotEstimable::ZeroVariance)
    };
    let held = |i: Interval| Interval { lower: i.lower.max(range.lower), upper: i.upper.min(range.upper) };
    Ok(Estimate { value: value.clamp(range.lower, range.upper), interval: around.map(held) })
}

/// Variance of one event's share in a figure, below which it is none.
const ROUNDING: f64 = 1e-24;
pub(super) const UNIT: Interval = Interval { lower: 0.0, upper: 1.0 };
pub(super) const SIGNED: Interval = Interval { lower: -1.0, upper: 1.0 };
const NOT_NEGATIVE: Interval = Interval { lower: 0.0, upper: f64::MAX };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;
    use proptest::prelude::*;

    #[test]
    fn nothing_out_of_nothing_is_not_zero() {
        let empty = Err(NotEstimable::EmptyDenominator);
        let nothing = Confusion::default();
        let right = Confusion { tn: 5, ..nothing };
        assert_eq!(nothing.f_beta(1.0, LEVEL), empty);
        assert_eq!(right.f_beta(1.0, LEVEL), empty);
        assert_eq!(right.jaccard(LEVEL), empty);
        assert_eq!(right.matthews(LEVEL), empty);
        assert_eq!(right.kappa(LEVEL), empty);
        assert_eq!(right.geometric_mean(LEVEL), empty);
        assert_eq!(nothing.theil(LEVEL), empty);
        assert_eq!(Confusion { fn_: 3, ..nothing }.generalized_entropy(LEVEL), empty);
        // Decisions are all 1 and labels all 0: agreement by chance is none, and so is agreement.
        assert_eq!(Confusion { fp: 3, ..nothing }.kappa(LEVEL).map(|k| k.value), Ok(0.0));
        assert_eq!(right.theil(LEVEL), Ok(Estimate { value: 0.0, interval: Err(NotEstimable::ZeroVariance) }));
        let perfect = Confusion { tp: 4, tn: 5, ..nothing };
        assert_eq!(perfect.matthews(LEVEL), Ok(Estimate { value: 1.0, interval: Err(NotEstimable::ZeroVariance) }));
    }

    #[test]
    fn fleiss_cohen_and_everitt_1969_are_the_delta_method() {
        // Kappa's variance by their formula (13), for two categories.
        let table = Confusion { tp: 40, fp: 9, fn_: 7, tn: 44 };
        let p = [[0.40, 0.09], [0.07, 0.44]];
        let (row, column) = ([0.49, 0.51], [0.47, 0.53]);
        let (po, pe): (f64, f64) = (0.84, 0.49 * 0.47 + 0.51 * 0.53);
        let kappa = (po - pe) / (1.0 - pe);
        let diagonal: f64 = (0..2).map(|i| p[i][i] * (1.0 - (row[i] + column[i]) * (1.0 - kappa)).powi(2)).sum();
        let beside =
            (1.0 - kappa).powi(2) * (p[0][1] * (column[0] + row[1]).powi(2) + p[1][0] * (column[1] + row[0]).powi(2));
        let variance = (diagonal + beside - (kappa - pe * (1.0 - kappa)).powi(2)) / ((1.0 - pe).powi(2) * 100.0);
        let found = table.kappa(LEVEL).expect("defined");
        assert!((found.value - kappa).abs() < 1e-12);
        let width = found.interval.map(|i| (i.upper - i.lower) / 2.0).expect("an interval");
        assert!((width - 1.959_963_984_540_054 * variance.sqrt()).abs() < 1e-9, "{width}");
    }

    proptest! {
        #[test]
        fn figures_stay_in_their_ranges_whatever_the_counts(cells in proptest::array::uniform4(0..30_u64)) {
            let [tp, fp, fn_, tn] = cells;
            let table = Confusion { tp, fp, fn_, tn };
            let swapped = Confusion { tp: tn, fp: fn_, fn_: fp, tn: tp };
            for (figure, lower) in [
                (table.f_beta(2.0, LEVEL), 0.0), (table.jaccard(LEVEL), 0.0), (table.matthews(LEVEL), -1.0),
                (table.kappa(LEVEL), -1.0), (table.geometric_mean(LEVEL), 0.0),
            ] {
                if let Ok(Estimate { value, interval }) = figure {
                    prop_assert!((lower..=1.0).contains(&value));
                    prop_assert!(interval.is_err() || interval.is_ok_and(|i| i.contains(value) && i.lower >= lower && i.upper <= 1.0));
                }
            }
            // Which label is called positive does not matter to these.
            let close = |a: Result<Estimate, NotEstimable>, b: Result<Estimate, NotEstimable>| match (a, b) {
                (Ok(a), Ok(b)) => (a.value - b.value).abs() < 1e-12,
                (a, b) => a == b,
            };
            prop_assert!(close(table.matthews(LEVEL), swapped.matthews(LEVEL)));
            prop_assert!(close(table.kappa(LEVEL), swapped.kappa(LEVEL)));
            prop_assert!(close(table.geometric_mean(LEVEL), swapped.geometric_mean(LEVEL)));
        }
    }
}
