//! How decisions treat groups: figures over several groups, and of one group against another.

use super::{
    Confusion, Estimate, Interval, NotEstimable, difference, newcombe_difference, normal_quantile, rate, wilson,
};

/// Differential fairness of selections x of n decisions a group: the greatest distance, over both decisions and all pairs
/// of groups, between logarithms of smoothed shares (count + 1) / (n + 2) (Foulds, Islam, Keya and Pan 2020, with a
/// uniform prior). At least 0; 0 where all groups are treated alike.
///
/// The interval is Katz's of the smoothed counts for every pair and decision at once (Bonferroni), read as that of
/// [`max_min_difference`](super::max_min_difference).
///
/// # Errors
/// `TooFewGroups` if fewer than two groups have decisions; `CountExceedsTotal`; `InvalidLevel`.
pub fn differential_fairness(groups: &[(u64, u64)], level: f64) -> Result<Estimate, NotEstimable> {
    let mut smoothed = Vec::new();
    for &(x, n) in groups.iter().filter(|(_, n)| *n > 0) {
        rate(x, n)?;
        smoothed.push(([n - x, x].map(|count| count as f64 + 1.0), n as f64 + 2.0));
    }
    let pairs = (smoothed.len() * smoothed.len().saturating_sub(1)) as f64;
    if pairs == 0.0 {
        return Err(NotEstimable::TooFewGroups);
    }
    // Half of `pairs`, as it has both orders, and two decisions.
    let z = normal_quantile(1.0 - (1.0 - level) / pairs)?;
    let (mut value, mut interval) = (0.0_f64, Interval { lower: 0.0, upper: 0.0 });
    for (at, (counts1, n1)) in smoothed.iter().enumerate() {
        for (counts0, n0) in smoothed.iter().skip(at + 1) {
            for (x1, x0) in counts1.iter().zip(counts0) {
                let distance = ((x1 / n1).ln() - (x0 / n0).ln()).abs();
                let half_width = z * (1.0 / x1 - 1.0 / n1 + 1.0 / x0 - 1.0 / n0).sqrt();
                value = value.max(distance);
                interval.lower = interval.lower.max(distance - half_width);
                interval.upper = interval.upper.max(distance + half_width);
            }
        }
    }
    Ok(Estimate { value, interval: Ok(interval) })
}

/// Cohen's d of two groups of selections: the difference of their rates by the pooled standard deviation (Cohen 1988),
/// with Hedges and Olkin's (1985) normal interval.
///
/// # Errors
/// Those of [`rate`], for either proportion; `ZeroVariance` if no group's decisions differ; `InvalidLevel`.
pub fn cohen_d(x1: u64, n1: u64, x0: u64, n0: u64, level: f64) -> Result<Estimate, NotEstimable> {
    let (p1, p0, z) = (rate(x1, n1)?, rate(x0, n0)?, normal_quantile(level)?);
    let (n1, n0) = (n1 as f64, n0 as f64);
    let squares = n1 * p1 * (1.0 - p1) + n0 * p0 * (1.0 - p0);
    // Without a squared deviation above 0 there is no scale; with one, a group has two events and so n1 + n0 - 2 > 0.
    if squares <= 0.0 {
        return Err(NotEstimable::ZeroVariance);
    }
    let value = (p1 - p0) / (squares / (n1 + n0 - 2.0)).sqrt();
    let variance = (n1 + n0) / (n1 * n0) + value * value / (2.0 * (n1 + n0));
    Ok(Estimate { value, interval: Interval::around(value, z * variance.sqrt()) })
}

/// Average odds difference: the mean of the differences of true and false positive rate, the group's less the
/// reference's (Bellamy and others 2018). Between -1 and 1.
///
/// Both differences are independent; the interval is put together from their Newcombe intervals (Zou and Donner 2008).
///
/// # Errors
/// `EmptyDenominator` where either has no event of a label; `InvalidLevel`.
pub fn average_odds_difference(group: Confusion, reference: Confusion, level: f64) -> Result<Estimate, NotEstimable> {
    let ([p1, n1], [p0, n0]) = (group.labels(), reference.labels());
    let tpr = difference(group.tp, p1, reference.tp, p0)?;
    let fpr = difference(group.fp, n1, reference.fp, n0)?;
    let around_tpr = newcombe_difference(group.tp, p1, reference.tp, p0, level)?;
    let around_fpr = newcombe_difference(group.fp, n1, reference.fp, n0, level)?;
    let value = (tpr + fpr) / 2.0;
    let below = (tpr - around_tpr.lower).hypot(fpr - around_fpr.lower) / 2.0;
    let above = (around_tpr.upper - tpr).hypot(around_fpr.upper - fpr) / 2.0;
    let interval = Interval { lower: (value - below).max(-1.0), upper: (value + above).min(1.0) };
    Ok(Estimate { value, interval: Ok(interval) })
}

impl Confusion {
    /// FN / FP: how many are missed for each that is wrongly selected (treatment equality asks that it be the same in all
    /// groups: Berk and others 2018). At least 0. The interval is Wilson's of FN / (FN + FP), as odds.
    ///
    /// # Errors
    /// `EmptyDenominator` if `fp` is 0; `InvalidLevel`.
    pub fn fn_to_fp(self, level: f64) -> Result<Estimate, NotEstimable> {
        if self.fp == 0 {
            return Err(NotEstimable::EmptyDenominator);
        }
        let share = wilson(self.fn_, self.fn_ + self.fp, level)?;
        let odds = |share: f64| share / (1.0 - share);
        let interval = Interval { lower: odds(share.lower), upper: odds(share.upper) };
        Ok(Estimate { value: self.fn_ as f64 / self.fp as f64, interval: Ok(interval) })
    }

    /// Events, and the sum of their benefits decision - label + 1.
    fn benefit(self) -> (f64, f64) {
        let right = (self.tp + self.tn) as f64;
        (right + self.fp as f64 + self.fn_ as f64, right + 2.0 * self.fp as f64)
    }
}

/// The part of [`Confusion::generalized_entropy`] of all groups' events together that lies between the groups: that of
/// benefits which are everywhere their group's mean (Speicher and others 2018). At least 0.
///
/// # Errors
/// `EmptyDenominator` without events, or without any benefit.
pub fn entropy_between(groups: &[Confusion]) -> Result<f64, NotEstimable> {
    between(groups, |share| (share * share - 1.0) / 2.0)
}

/// The part of [`Confusion::theil`] that lies between the groups, likewise.
///
/// # Errors
/// Those of [`entropy_between`].
pub fn theil_between(groups: &[Confusion]) -> Result<f64, NotEstimable> {
    between(groups, |share| if share > 0.0 { share * share.ln() } else { 0.0 })
}

/// The mean over events of `index` of their group's mean benefit by that of all.
fn between(groups: &[Confusion], index: impl Fn(f64) -> f64) -> Result<f64, NotEstimable> {
    let (mut n, mut sum) = (0.0, 0.0);
    for (events, benefit) in groups.iter().map(|group| group.benefit()) {
        (n, sum) = (n + events, sum + benefit);
    }
    if sum == 0.0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    let filled = groups.iter().map(|group| group.benefit()).filter(|(events, _)| *events > 0.0);
    let total: f64 = filled.map(|(events, benefit)| events * index(benefit / events / (sum / n))).sum();
    Ok((total / n).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;
    use proptest::prelude::*;

    const NOTHING: Confusion = Confusion { tp: 0, fp: 0, fn_: 0, tn: 0 };

    #[test]
    fn nothing_out_of_nothing_is_not_zero() {
        let empty = Err(NotEstimable::EmptyDenominator);
        assert_eq!(differential_fairness(&[(1, 2), (0, 0)], LEVEL), Err(NotEstimable::TooFewGroups));
        assert_eq!(differential_fairness(&[(3, 2), (1, 2)], LEVEL), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(cohen_d(0, 0, 1, 2, LEVEL), empty);
        assert_eq!(cohen_d(1, 1, 0, 1, LEVEL), Err(NotEstimable::ZeroVariance));
        assert_eq!(cohen_d(5, 5, 0, 7, LEVEL), Err(NotEstimable::ZeroVariance));
        let one = Confusion { tp: 1, fp: 1, fn_: 1, tn: 1 };
        assert_eq!(average_odds_difference(one, Confusion { tp: 0, fn_: 0, ..one }, LEVEL), empty);
        assert_eq!(Confusion { fn_: 4, ..NOTHING }.fn_to_fp(LEVEL), empty);
        assert_eq!(Confusion { fp: 4, ..NOTHING }.fn_to_fp(LEVEL).map(|e| e.value), Ok(0.0));
        assert_eq!(entropy_between(&[NOTHING]).err(), empty.err());
        assert_eq!(theil_between(&[Confusion { fn_: 4, ..NOTHING }]).err(), empty.err());
    }

    #[test]
    fn groups_alike_are_fairly_treated() {
        let fair = differential_fairness(&[(50, 100); 4], LEVEL).expect("defined");
        assert_eq!(fair.value, 0.0);
        assert!(fair.interval.is_ok_and(|i| i.lower == 0.0 && i.upper > 0.1));
        // 8 of 8 against 0 of 8: the smoothed shares are 9/10 and 1/10.
        let far = differential_fairness(&[(8, 8), (0, 8)], LEVEL).expect("defined");
        assert!((far.value - 9.0_f64.ln()).abs() < 1e-15);
    }

    fn confusion() -> impl Strategy<Value = Confusion> {
        proptest::array::uniform4(0..40_u64).prop_map(|[tp, fp, fn_, tn]| Confusion { tp, fp, fn_, tn })
    }

    proptest! {
        #[test]
        fn inequality_is_that_within_and_between_groups(groups in proptest::collection::vec(confusion(), 1..6)) {
            let add = |a: Confusion, b: &Confusion| {
                Confusion { tp: a.tp + b.tp, fp: a.fp + b.fp, fn_: a.fn_ + b.fn_, tn: a.tn + b.tn }
            };
            let all = groups.iter().fold(NOTHING, add);
            let (n, sum) = all.benefit();
            prop_assume!(sum > 0.0);
            let within = |power: i32, of: fn(Confusion) -> Result<Estimate, NotEstimable>| -> f64 {
                let part = |group: &Confusion| {
                    let (events, benefit) = group.benefit();
                    let share = if events > 0.0 { benefit / events / (sum / n) } else { 0.0 };
                    // A group without benefit is equal within.
                    of(*group).map_or(0.0, |inside| events / n * share.powi(power) * inside.value)
                };
                groups.iter().map(part).sum()
            };
            let entropy = within(2, |group| group.generalized_entropy(LEVEL)) + entropy_between(&groups)?;
            prop_assert!((entropy - all.generalized_entropy(LEVEL)?.value).abs() < 1e-12);
            let theil = within(1, |group| group.theil(LEVEL)) + theil_between(&groups)?;
            prop_assert!((theil - all.theil(LEVEL)?.value).abs() < 1e-12);
        }

        #[test]
        fn the_order_of_groups_changes_nothing(groups in proptest::collection::vec((0..30_u64, 30..60_u64), 2..6)) {
            let mut turned = groups.clone();
            turned.rotate_left(1);
            let (one, other) = (differential_fairness(&groups, LEVEL)?, differential_fairness(&turned, LEVEL)?);
            let near = |a: Estimate, b: Estimate| {
                let ends = |e: Estimate| e.interval.map_or([0.0; 2], |i| [i.lower, i.upper]);
                (a.value - b.value).abs() < 1e-12 && ends(a).iter().zip(ends(b)).all(|(a, b)| (a - b).abs() < 1e-12)
            };
            prop_assert!(near(one, other));
            prop_assert!(one.interval.is_ok_and(|i| i.contains(one.value)));
            // Neither does which decision is called 1.
            let mirrored: Vec<_> = groups.iter().map(|(x, n)| (n - x, *n)).collect();
            prop_assert!(near(one, differential_fairness(&mirrored, LEVEL)?));
        }

        #[test]
        fn the_pair_turned_round_has_the_opposite_sign(a in confusion(), b in confusion()) {
            let turned = |one: Result<Estimate, NotEstimable>, other: Result<Estimate, NotEstimable>| match (one, other) {
                (Ok(one), Ok(other)) => match (one.interval, other.interval) {
                    (Ok(i), Ok(j)) => {
                        (one.value + other.value).abs() < 1e-12 && (i.lower + j.upper).abs() < 1e-12 && i.contains(one.value)
                    }
                    (i, j) => i == j,
                },
                (one, other) => one == other,
            };
            prop_assert!(turned(average_odds_difference(a, b, LEVEL), average_odds_difference(b, a, LEVEL)));
            let d = |a: Confusion, b: Confusion| cohen_d(a.tp, a.labels()[0], b.tp, b.labels()[0], LEVEL);
            prop_assert!(turned(d(a, b), d(b, a)));
        }
    }
}
