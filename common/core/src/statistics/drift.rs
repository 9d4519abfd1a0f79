//! How far a distribution has moved from a reference window: counts in the same bins, twice.

use super::tail::chi2_quantile;
use super::{Bounded, Chi2Test, Interval, NotEstimable, pearson_chi2};

/// Distances are told on at most so many bins: with more of them chance alone looks like drift.
pub const DRIFT_BINS: usize = 20;

/// How far the shares of bins in a current window are from those in a reference window.
///
/// A bin that is empty in both windows is no bin. p is a share of the reference, q one of the current window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Events of the reference window (n).
    pub reference: u64,
    /// Events of the current window (m).
    pub current: u64,
    /// Bins with events in either window, after merging (k).
    pub bins: usize,
    /// Population stability index, at least 0: sum of (q - p) ln(q / p), shares below [`PSI_FLOOR`] taken as that
    /// (Siddiqi 2006; its distribution: Yurdakul and Naranjo 2020).
    pub psi: f64,
    /// Square root of the Jensen-Shannon divergence, base 2, between 0 and 1 (Lin 1991; Endres and Schindelin 2003).
    pub jensen_shannon: f64,
    /// Sum of q ln(q / p), nats (Kullback and Leibler 1951); `ZeroCell` if a bin is empty in the reference alone.
    pub kl: Result<f64, NotEstimable>,
    /// Square root of half the sum of (sqrt p - sqrt q)^2, between 0 and 1 (Hellinger 1909).
    pub hellinger: f64,
    /// Half the sum of |p - q|, between 0 and 1: the share of events that would have to move.
    pub total_variation: f64,
    /// The largest |p - q|.
    pub l_infinity: f64,
    /// Pearson's test that both windows have the same distribution; `TooFewGroups` if there is one bin.
    pub chi2: Result<Chi2Test, NotEstimable>,
    /// Cramer's V, sqrt(chi-square / (n + m)), between 0 and 1 (Cramer 1946); as the test.
    pub cramer_v: Result<f64, NotEstimable>,
    /// What the population stability index comes to on average where nothing changed: (k - 1)(1/n + 1/m).
    pub noise_floor: f64,
}

impl Drift {
    /// The index that one of `features` indices exceeds with a probability of 0.1 % where nothing changed:
    /// (1/n + 1/m) times the chi-square quantile, k - 1 degrees of freedom, at 1 - 0.001 / `features`.
    ///
    /// # Errors
    /// `TooFewGroups` if there is one bin; `InvalidLevel` if `features` is 0.
    pub fn alert_at(&self, features: u64) -> Result<f64, NotEstimable> {
        let freedom = self.bins.saturating_sub(1) as u64;
        Ok(chance(self.reference, self.current) * chi2_quantile(ALERT_TAIL / features as f64, freedom)?)
    }
}

/// Compares two windows; `reference` and `current` are events by bin.
///
/// More than [`DRIFT_BINS`] bins are merged, the same number of neighbours each, whatever they hold. The last `apart` bins
/// (missing, out of range) have no neighbours and stay as they are.
///
/// # Errors
/// `UnequalRows`; `EmptyDenominator` if a window has no events.
pub fn drift(reference: &[u64], current: &[u64], apart: usize) -> Result<Drift, NotEstimable> {
    if reference.len() != current.len() {
        return Err(NotEstimable::UnequalRows);
    }
    let (before, after) = (merged(reference, apart), merged(current, apart));
    let (n, m) = (total(&before)?, total(&after)?);
    let shares = before.iter().zip(&after).filter(|(x, y)| **x > 0 || **y > 0);
    let shares: Vec<(f64, f64)> = shares.map(|(x, y)| (*x as f64 / n as f64, *y as f64 / m as f64)).collect();
    let sum = |of: fn(f64, f64) -> f64| shares.iter().map(|(p, q)| of(*p, *q)).sum::<f64>();
    let chi2 = pearson_chi2(&[&before, &after]);
    let unseen = shares.iter().any(|(p, _)| *p == 0.0);
    Ok(Drift {
        reference: n,
        current: m,
        bins: shares.len(),
        psi: sum(|p, q| {
            let (p, q) = (p.max(PSI_FLOOR), q.max(PSI_FLOOR));
            (q - p) * (q / p).ln()
        }),
        jensen_shannon: (sum(|p, q| divergence(p, (p + q) / 2.0) + divergence(q, (p + q) / 2.0))
            / std::f64::consts::LN_2
            / 2.0)
            .clamp(0.0, 1.0)
            .sqrt(),
        kl: if unseen { Err(NotEstimable::ZeroCell) } else { Ok(sum(|p, q| divergence(q, p)).max(0.0)) },
        hellinger: (sum(|p, q| (p.sqrt() - q.sqrt()).powi(2)) / 2.0).min(1.0).sqrt(),
        total_variation: (sum(|p, q| (p - q).abs()) / 2.0).min(1.0),
        l_infinity: shares.iter().map(|(p, q)| (p - q).abs()).fold(0.0, f64::max),
        chi2,
        cramer_v: chi2.map(|test| (test.statistic / (n as f64 + m as f64)).min(1.0).sqrt()),
        noise_floor: shares.len().saturating_sub(1) as f64 * chance(n, m),
    })
}

/// Where the two-sample Kolmogorov-Smirnov distance of the values themselves must lie, however they fall inside their
/// bins: at least the largest distance at an edge, at most what one bin could hide. No confidence is involved.
///
/// # Errors
/// Those of [`drift`].
pub fn ks_bounds(reference: &[u64], current: &[u64]) -> Result<Interval, NotEstimable> {
    if reference.len() != current.len() {
        return Err(NotEstimable::UnequalRows);
    }
    let (n, m) = (u128::from(total(reference)?), u128::from(total(current)?));
    // In units of 1 / (n m), so that what is equal is exactly 0.
    let (mut before, mut after, mut lower, mut upper) = (0_u128, 0_u128, 0_u128, 0_u128);
    for (x, y) in reference.iter().zip(current) {
        let (from, to) = ((before, after), (before + u128::from(*x) * m, after + u128::from(*y) * n));
        (before, after) = to;
        lower = lower.max(before.abs_diff(after));
        upper = upper.max(to.0.saturating_sub(from.1)).max(to.1.saturating_sub(from.0));
    }
    let share = |distance: u128| distance as f64 / (n as f64 * m as f64);
    Ok(Interval { lower: share(lower), upper: share(upper) })
}

/// Wasserstein-1 distance: how far events have to be moved, on average, to make one window into the other (Vaserstein 1969; Kantorovich 1942).
///
/// The value is that of events in the middle of their bins; none is further from there than half its bin. In the unit of
/// `edges`, which are those of the bins, ascending, one more than bins.
///
/// # Errors
/// Those of [`drift`]; `UnequalRows` for another number of edges; `NotFinite` for an edge that is not finite or not above the
/// one before.
pub fn wasserstein_1(reference: &[u64], current: &[u64], edges: &[f64]) -> Result<Bounded, NotEstimable> {
    if reference.len() != current.len() || edges.len() != reference.len() + 1 {
        return Err(NotEstimable::UnequalRows);
    }
    let (n, m) = (total(reference)? as f64, total(current)? as f64);
    if edges.iter().any(|edge| !edge.is_finite()) || edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(NotEstimable::NotFinite);
    }
    let (mut value, mut hidden, mut ahead, mut last) = (0.0, 0.0, 0.0_f64, None::<f64>);
    for ((x, y), bin) in reference.iter().zip(current).zip(edges.windows(2)) {
        let (p, q) = (*x as f64 / n, *y as f64 / m);
        let middle = bin[0] + (bin[1] - bin[0]) / 2.0;
        value += last.map_or(0.0, |last| ahead.abs() * (middle - last));
        hidden += (bin[1] - bin[0]) / 2.0 * (p + q);
        (ahead, last) = (ahead + p - q, Some(middle));
    }
    let bounds = Interval { lower: (value - hidden).max(0.0), upper: value + hidden };
    if bounds.upper.is_finite() { Ok(Bounded { value, bounds }) } else { Err(NotEstimable::NotFinite) }
}

/// At most [`DRIFT_BINS`] bins, and the last `apart` ones.
fn merged(bins: &[u64], apart: usize) -> Vec<u64> {
    let (ordered, apart) = bins.split_at(bins.len().saturating_sub(apart));
    let width = ordered.len().div_ceil(DRIFT_BINS).max(1);
    ordered.chunks(width).map(|part| part.iter().sum()).chain(apart.iter().copied()).collect()
}

fn total(bins: &[u64]) -> Result<u64, NotEstimable> {
    match bins.iter().try_fold(0_u64, |sum, n| sum.checked_add(*n)) {
        Some(0) => Err(NotEstimable::EmptyDenominator),
        Some(total) => Ok(total),
        None => Err(NotEstimable::CountExceedsTotal),
    }
}

/// One bin's part of the divergence of `p` from `q`, nats; nothing where `p` is 0.
fn divergence(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() } else { 0.0 }
}

/// 1/n + 1/m: the variance of a difference of two shares goes with it.
fn chance(n: u64, m: u64) -> f64 {
    1.0 / n as f64 + 1.0 / m as f64
}

/// Shares below this count as this in the population stability index, where 0 has no logarithm.
pub const PSI_FLOOR: f64 = 1e-4;
/// How often an alarm over all features may be false.
const ALERT_TAIL: f64 = 0.001;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_small_example_by_hand() {
        // Shares 1/2 and 1/2 against 1/4 and 3/4.
        let found = drift(&[10, 10], &[5, 15], 0).expect("defined");
        assert!((found.psi - (0.25 * 2_f64.ln() + 0.25 * 1.5_f64.ln())).abs() < 1e-15);
        assert_eq!((found.total_variation, found.l_infinity, found.bins), (0.25, 0.25, 2));
        assert!((found.noise_floor - 0.1).abs() < 1e-15);
        // 10.83 is the chi-square quantile of the tables at 0.999, one degree of freedom.
        assert!(found.alert_at(1).is_ok_and(|alert| (alert - 1.0827566).abs() < 1e-6));
        assert!(found.alert_at(5).is_ok_and(|alert| alert > 1.3));
        assert_eq!(found.alert_at(0), Err(NotEstimable::InvalidLevel));
        let distance = wasserstein_1(&[10, 10], &[5, 15], &[0.0, 1.0, 3.0]).expect("defined");
        assert!((distance.value - 0.25 * 1.5).abs() < 1e-15);
        assert!((distance.bounds.upper - (0.375 + 0.375 + 1.25)).abs() < 1e-15 && distance.bounds.lower == 0.0);
    }

    #[test]
    fn nothing_has_not_moved() {
        assert_eq!(drift(&[0], &[1], 0).err(), Some(NotEstimable::EmptyDenominator));
        assert_eq!(drift(&[1], &[1, 2], 0).err(), Some(NotEstimable::UnequalRows));
        assert_eq!(drift(&[u64::MAX, 1], &[1, 2], 0).err(), Some(NotEstimable::CountExceedsTotal));
        assert_eq!(ks_bounds(&[], &[]).err(), Some(NotEstimable::EmptyDenominator));
        assert_eq!(wasserstein_1(&[1], &[1], &[0.0, f64::INFINITY]), Err(NotEstimable::NotFinite));
        assert_eq!(wasserstein_1(&[1], &[1], &[1.0, 1.0]), Err(NotEstimable::NotFinite));
        assert_eq!(wasserstein_1(&[1], &[1], &[1.0]), Err(NotEstimable::UnequalRows));
        // One bin: nothing can move, and nothing can be tested.
        let one = drift(&[4, 0], &[9, 0], 0).expect("defined");
        assert_eq!((one.psi, one.jensen_shannon, one.kl, one.noise_floor, one.bins), (0.0, 0.0, Ok(0.0), 0.0, 1));
        assert_eq!((one.chi2, one.cramer_v), (Err(NotEstimable::TooFewGroups), Err(NotEstimable::TooFewGroups)));
        assert!(one.alert_at(1).is_err());
        assert_eq!(drift(&[4, 0], &[9, 1], 0).map(|found| found.kl), Ok(Err(NotEstimable::ZeroCell)));
    }

    #[test]
    fn many_bins_are_merged_but_for_those_apart() {
        assert_eq!(merged(&[1; 20], 0).len(), 20);
        assert_eq!(merged(&[1; 21], 0), [vec![2; 10], vec![1]].concat());
        assert_eq!(merged(&[1; 42], 2), [vec![2; 20], vec![1; 2]].concat());
        assert_eq!(merged(&[1; 1280], 0), vec![64; 20]);
        assert_eq!(merged(&[1, 2], 5), vec![1, 2]);
    }

    fn windows() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        (proptest::collection::vec(0..40_u64, 16), proptest::collection::vec(0..40_u64, 16))
    }

    proptest! {
        #[test]
        fn halving_widens_the_bounds_around_the_finer_value((p, q) in windows()) {
            let halve = |bins: &[u64]| bins.chunks(2).map(|pair| pair.iter().sum()).collect::<Vec<u64>>();
            let edges: Vec<f64> = (0..=16).map(|at| f64::from(at) / 16.0).collect();
            let wide: Vec<f64> = edges.iter().copied().step_by(2).collect();
            let (a, b) = (halve(&p), halve(&q));
            if let (Ok(fine), Ok(coarse)) = (ks_bounds(&p, &q), ks_bounds(&a, &b)) {
                prop_assert!(coarse.lower <= fine.lower && fine.upper <= coarse.upper && fine.upper <= 1.0);
            }
            if let (Ok(fine), Ok(coarse)) = (wasserstein_1(&p, &q, &edges), wasserstein_1(&a, &b, &wide)) {
                prop_assert!(coarse.bounds.lower <= fine.bounds.lower + 1e-12);
                prop_assert!(fine.bounds.upper <= coarse.bounds.upper + 1e-12);
                prop_assert!(coarse.bounds.lower <= fine.value + 1e-12 && fine.value <= coarse.bounds.upper + 1e-12);
            }
        }

        #[test]
        fn distances_turn_and_do_not_know_the_order((p, q) in windows()) {
            let Ok(found) = drift(&p, &q, 0) else { return Ok(()) };
            let reversed = |bins: &[u64]| bins.iter().rev().copied().collect::<Vec<_>>();
            for other in [drift(&q, &p, 0)?, drift(&reversed(&p), &reversed(&q), 0)?] {
                let pairs = [
                    (found.psi, other.psi),
                    (found.jensen_shannon, other.jensen_shannon),
                    (found.hellinger, other.hellinger),
                    (found.total_variation, other.total_variation),
                    (found.l_infinity, other.l_infinity),
                    (found.noise_floor, other.noise_floor),
                ];
                for (one, other) in pairs {
                    prop_assert!((one - other).abs() < 1e-7, "{} {}", one, other);
                }
            }
            for share in [found.jensen_shannon, found.hellinger, found.total_variation, found.l_infinity] {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!(found.psi >= 0.0 && found.l_infinity <= found.total_variation + 1e-12);
            prop_assert!(found.hellinger.powi(2) <= found.total_variation + 1e-12);
        }
    }
}
