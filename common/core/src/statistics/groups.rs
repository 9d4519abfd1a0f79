//! The spread of a rate over several groups, with intervals that hold for all pairs at once.
//!
//! A bootstrap of max - min, or Newcombe on the two extreme groups alone, does not cover: which groups are extreme was
//! chosen by looking. Here every pair of groups gets an interval at 1 - (1 - level) / (number of pairs) (Bonferroni), so
//! that with probability `level` all of them hold, and then any bound read from several of them holds too.

use super::proportion::newcombe_of;
use super::ratio::ratio_bounds;
use super::{Estimate, Interval, NotEstimable, RatioMethod, normal_quantile, rate};

/// Largest minus smallest rate over the groups that have events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxMinDifference {
    /// The point estimate, between 0 and 1.
    pub value: f64,
    /// Simultaneous interval, inside 0 to 1.
    pub interval: Interval,
    /// Groups with events ("g" of "g of G").
    pub groups_defined: usize,
    /// Groups given ("G").
    pub groups: usize,
}

/// Smallest over largest rate over the groups that have events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinMaxRatio {
    /// The point estimate, between 0 and 1.
    pub value: f64,
    /// Simultaneous interval, inside 0 to 1.
    pub interval: Interval,
    /// Groups with events ("g" of "g of G").
    pub groups_defined: usize,
    /// Groups given ("G").
    pub groups: usize,
    /// Pairs whose interval is Katz's.
    pub pairs_by_katz: usize,
    /// Pairs whose interval is Koopman's, because of a zero count, or unbounded, because both counts are 0.
    pub pairs_by_koopman: usize,
}

/// Max - min of `x / n` over groups, with a simultaneous interval: Newcombe on all pairs, lower = max(0, largest lower),
/// upper = largest upper, over ordered pairs.
///
/// Groups with `n = 0` have no rate and are left out; the result says how many remain.
///
/// # Errors
/// `TooFewGroups` if fewer than two groups have events; `CountExceedsTotal`; `InvalidLevel`.
pub fn max_min_difference(groups: &[(u64, u64)], level: f64) -> Result<MaxMinDifference, NotEstimable> {
    let defined = defined(groups)?;
    let (min, max) = extremes(&defined)?;
    let mut interval = Interval { lower: 0.0, upper: 0.0 };
    for_each_pair(&defined, level, |one, other, z| {
        let pair = newcombe_of(one, other, z)?;
        // The same interval read from the other side is -upper to -lower.
        interval.lower = interval.lower.max(pair.lower).max(-pair.upper);
        interval.upper = interval.upper.max(pair.upper).max(-pair.lower);
        Ok(())
    })?;
    Ok(MaxMinDifference { value: max - min, interval, groups_defined: defined.len(), groups: groups.len() })
}

/// Min / max of `x / n` over groups, with a conservative simultaneous interval from [`katz_ratio`](super::katz_ratio)'s
/// intervals of all pairs: lower = smallest lower, upper = min(1, smallest upper), over ordered pairs.
///
/// Why it holds: min / max is the smallest of all ratios of two groups, in either order. Where every pair's interval
/// holds, the smallest ratio is no larger than the smallest upper end, and no smaller than the smallest lower end.
/// A zero count takes Koopman's interval; a pair of two zero counts is unbounded.
///
/// # Errors
/// Those of [`max_min_difference`]; `ZeroRateInDenominator` if no group has a positive rate.
pub fn min_max_ratio(groups: &[(u64, u64)], level: f64) -> Result<MinMaxRatio, NotEstimable> {
    let defined = defined(groups)?;
    let (min, max) = extremes(&defined)?;
    if max == 0.0 {
        return Err(NotEstimable::ZeroRateInDenominator);
    }
    let mut interval = Interval { lower: 1.0, upper: 1.0 };
    let (mut pairs_by_katz, mut pairs_by_koopman) = (0, 0);
    for_each_pair(&defined, level, |(x1, n1), (x0, n0), z| {
        if x1 == 0 && x0 == 0 {
            pairs_by_koopman += 1;
            interval.lower = 0.0;
            return Ok(());
        }
        let pair = ratio_bounds(x1, n1, x0, n0, z)?;
        match pair.method {
            RatioMethod::KatzLog => pairs_by_katz += 1,
            RatioMethod::KoopmanScore => pairs_by_koopman += 1,
        }
        // The same interval read from the other side is 1 / upper to 1 / lower.
        interval.lower = interval.lower.min(pair.lower).min(pair.upper.map_or(0.0, f64::recip));
        interval.upper = interval.upper.min(pair.upper.unwrap_or(1.0));
        if pair.lower > 0.0 {
            interval.upper = interval.upper.min(pair.lower.recip());
        }
        Ok(())
    })?;
    let (groups_defined, groups) = (defined.len(), groups.len());
    Ok(MinMaxRatio { value: min / max, interval, groups_defined, groups, pairs_by_katz, pairs_by_koopman })
}

/// How the spreads of two rates become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// The worse of both: the greater difference, the lesser ratio.
    Worse,
    /// The mean of both.
    Mean,
}

impl Joint {
    fn of(self, a: Estimate, b: Estimate, worse: fn(f64, f64) -> f64) -> Result<Estimate, NotEstimable> {
        let join = |a: f64, b: f64| match self {
            Joint::Worse => worse(a, b),
            Joint::Mean => (a + b) / 2.0,
        };
        let (i, j) = (a.interval?, b.interval?);
        let interval = Interval { lower: join(i.lower, j.lower), upper: join(i.upper, j.upper) };
        Ok(Estimate { value: join(a.value, b.value), interval: Ok(interval) })
    }
}

/// [`max_min_difference`] of two rates of each group, joined: equalized odds of TPR and FPR (Hardt, Price and Srebro
/// 2016), conditional use accuracy equality of PPV and NPV (Berk and others 2018).
///
/// Each of the two has its interval at half the error, so both hold together with the level's probability, and then so do
/// the greater lower and the greater upper end, and the means of the ends.
///
/// # Errors
/// Those of [`max_min_difference`]; groups without both rates are for the caller to leave out.
pub fn joint_difference(groups: &[[(u64, u64); 2]], joint: Joint, level: f64) -> Result<Estimate, NotEstimable> {
    let spread = |at: usize| {
        let rates: Vec<_> = groups.iter().map(|rates| rates[at]).collect();
        max_min_difference(&rates, half_error(level)).map(|s| Estimate { value: s.value, interval: Ok(s.interval) })
    };
    joint.of(spread(0)?, spread(1)?, f64::max)
}

/// [`min_max_ratio`] of two rates of each group, joined likewise: here the lesser is the worse.
///
/// # Errors
/// Those of [`min_max_ratio`].
pub fn joint_ratio(groups: &[[(u64, u64); 2]], joint: Joint, level: f64) -> Result<Estimate, NotEstimable> {
    let spread = |at: usize| {
        let rates: Vec<_> = groups.iter().map(|rates| rates[at]).collect();
        min_max_ratio(&rates, half_error(level)).map(|s| Estimate { value: s.value, interval: Ok(s.interval) })
    };
    joint.of(spread(0)?, spread(1)?, f64::min)
}

/// The greatest of several [`max_min_difference`]s, and whose it is: of the classes of a decision, say. Each has its interval
/// at its share of the error, so all hold together with the level's probability, and then so do the greatest lower and the
/// greatest upper end.
///
/// # Errors
/// Those of [`max_min_difference`], for any of them; `TooFewGroups` without any.
pub fn worst_difference(several: &[Vec<(u64, u64)>], level: f64) -> Result<(usize, Estimate), NotEstimable> {
    let level = 1.0 - (1.0 - level) / several.len().max(1) as f64;
    let mut worst: Option<(usize, MaxMinDifference)> = None;
    for (at, groups) in several.iter().enumerate() {
        let spread = max_min_difference(groups, level)?;
        worst = Some(match worst {
            None => (at, spread),
            Some((first, so_far)) => {
                let interval = Interval {
                    lower: so_far.interval.lower.max(spread.interval.lower),
                    upper: so_far.interval.upper.max(spread.interval.upper),
                };
                let (at, greater) = if spread.value > so_far.value { (at, spread) } else { (first, so_far) };
                (at, MaxMinDifference { interval, ..greater })
            }
        });
    }
    let (at, MaxMinDifference { value, interval, .. }) = worst.ok_or(NotEstimable::TooFewGroups)?;
    Ok((at, Estimate { value, interval: Ok(interval) }))
}

fn half_error(level: f64) -> f64 {
    1.0 - (1.0 - level) / 2.0
}

fn defined(groups: &[(u64, u64)]) -> Result<Vec<(u64, u64)>, NotEstimable> {
    if groups.iter().any(|(x, n)| x > n) {
        return Err(NotEstimable::CountExceedsTotal);
    }
    let defined: Vec<_> = groups.iter().copied().filter(|(_, n)| *n > 0).collect();
    if defined.len() < 2 { Err(NotEstimable::TooFewGroups) } else { Ok(defined) }
}

fn extremes(groups: &[(u64, u64)]) -> Result<(f64, f64), NotEstimable> {
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for (x, n) in groups {
        let rate = rate(*x, *n)?;
        (min, max) = (min.min(rate), max.max(rate));
    }
    Ok((min, max))
}

fn for_each_pair(
    groups: &[(u64, u64)],
    level: f64,
    mut visit: impl FnMut((u64, u64), (u64, u64), f64) -> Result<(), NotEstimable>,
) -> Result<(), NotEstimable> {
    normal_quantile(level)?;
    let count = groups.len() as f64;
    let z = normal_quantile(1.0 - (1.0 - level) / (count * (count - 1.0) / 2.0))?;
    for (i, first) in groups.iter().enumerate() {
        for second in groups.iter().skip(i + 1) {
            visit(*first, *second, z)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{LEVEL, katz_ratio, newcombe_difference};

    #[test]
    fn two_groups_are_one_pair() {
        let pair = newcombe_difference(1198, 2691, 557, 1835, LEVEL);
        let spread = max_min_difference(&[(557, 1835), (1198, 2691)], LEVEL);
        assert!(spread.is_ok_and(|s| (s.value - 0.14164542824654186).abs() < 1e-15));
        // 1 - (1 - 0.95) is not 0.95 to the last bit.
        assert!(spread.is_ok_and(|s| pair.is_ok_and(|p| (s.interval.lower - p.lower).abs() < 1e-12)));
        assert!(spread.is_ok_and(|s| pair.is_ok_and(|p| (s.interval.upper - p.upper).abs() < 1e-12)));

        let katz = katz_ratio(557, 1835, 1198, 2691, LEVEL);
        let ratio = min_max_ratio(&[(1198, 2691), (557, 1835)], LEVEL);
        assert!(ratio.is_ok_and(|r| katz.is_ok_and(|k| (r.value - k.value).abs() < 1e-15)));
        assert!(ratio.is_ok_and(|r| katz.is_ok_and(|k| (r.interval.lower - k.interval.lower).abs() < 1e-12)));
        assert!(ratio.is_ok_and(|r| katz.is_ok_and(|k| (r.interval.upper - k.interval.upper).abs() < 1e-12)));
    }

    #[test]
    fn the_worst_of_several_is_named() {
        let (one, other) = (vec![(1, 10), (5, 12), (3, 9)], vec![(9, 10), (1, 12), (2, 9)]);
        let both: Vec<_> = one.iter().zip(&other).map(|(a, b)| [*a, *b]).collect();
        let worst = joint_difference(&both, Joint::Worse, LEVEL).expect("defined");
        assert_eq!(worst_difference(&[one.clone(), other.clone()], LEVEL), Ok((1, worst)));
        assert_eq!(worst_difference(&[other, one.clone()], LEVEL), Ok((0, worst)));
        let alone = max_min_difference(&one, LEVEL).map(|s| (s.value, s.groups_defined));
        assert_eq!(worst_difference(&[one.clone(), one], LEVEL).map(|(at, e)| (e.value, at + 3)), alone);
        assert_eq!(worst_difference(&[], LEVEL), Err(NotEstimable::TooFewGroups));
        assert_eq!(worst_difference(&[vec![(1, 2)]], LEVEL), Err(NotEstimable::TooFewGroups));
    }

    #[test]
    fn equal_groups_do_not_differ() {
        let spread = max_min_difference(&[(50, 100); 5], LEVEL);
        assert!(spread.is_ok_and(|s| s.value == 0.0 && s.interval.lower == 0.0 && s.interval.upper > 0.1));
        let ratio = min_max_ratio(&[(50, 100); 5], LEVEL);
        assert!(ratio.is_ok_and(|r| r.value == 1.0 && r.interval.upper == 1.0 && r.interval.lower < 0.8));
        assert!(ratio.is_ok_and(|r| (r.pairs_by_katz, r.pairs_by_koopman) == (10, 0)));
    }

    #[test]
    fn groups_without_events_are_counted_and_left_out() {
        let spread = max_min_difference(&[(0, 0), (1, 10), (9, 10)], LEVEL);
        assert!(spread.is_ok_and(|s| (s.groups_defined, s.groups) == (2, 3)));
        assert_eq!(spread.map(|s| s.interval), max_min_difference(&[(1, 10), (9, 10)], LEVEL).map(|s| s.interval));
        assert_eq!(max_min_difference(&[(0, 0), (1, 10)], LEVEL), Err(NotEstimable::TooFewGroups));
        assert_eq!(max_min_difference(&[(2, 1), (1, 10)], LEVEL), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(max_min_difference(&[(1, 2), (1, 2)], 1.5), Err(NotEstimable::InvalidLevel));
    }

    #[test]
    fn zero_counts_keep_a_ratio_with_bounds() {
        let ratio = min_max_ratio(&[(0, 10), (0, 12), (30, 40)], LEVEL);
        assert!(ratio.is_ok_and(|r| r.value == 0.0 && r.interval.lower == 0.0 && r.interval.upper < 1.0));
        assert!(ratio.is_ok_and(|r| (r.pairs_by_katz, r.pairs_by_koopman) == (0, 3)));
        assert_eq!(min_max_ratio(&[(0, 10), (0, 12)], LEVEL), Err(NotEstimable::ZeroRateInDenominator));
    }
}
