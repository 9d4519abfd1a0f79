//! Quantiles from a histogram.

use super::{BoundedEstimate, Estimate, Interval, NotEstimable, normal_quantile};

/// A bin: lower edge, upper edge, events.
pub type ValueBin = (f64, f64, u64);

/// The smallest value that at least a share `q` of the events does not exceed (inverse of the empirical distribution;
/// Hyndman and Fan 1996, type 1). `bins` ascend.
///
/// The value is the middle of its bin, the bounds are the bin. Interval free of distribution, from the ranks
/// n q -+ z sqrt(n q (1 - q)) of order statistics, rounded up (Conover 1999), each taken at the outer edge of its bin;
/// `TooFewEvents` if there is no such rank.
///
/// # Errors
/// `EmptyDenominator` without events; `InvalidLevel` unless 0 < `q` < 1, or for `level`; `NotFinite` if the bin is unbounded.
pub fn quantile(bins: &[ValueBin], q: f64, level: f64) -> Result<BoundedEstimate, NotEstimable> {
    let z = normal_quantile(level)?;
    let (lower, upper) = quantile_bin(bins, q)?;
    let n = events(bins)?;
    let at = |rank: f64| bin_of_rank(bins, n, rank);
    let mean = n as f64 * q;
    let value = lower + (upper - lower) / 2.0;
    if !value.is_finite() {
        return Err(NotEstimable::NotFinite);
    }
    let spread = z * (mean * (1.0 - q)).sqrt();
    let interval = at((mean - spread).ceil()).and_then(|first| {
        let last = at((mean + spread).ceil())?;
        let interval = Interval { lower: first.0, upper: last.1 };
        let finite = interval.lower.is_finite() && interval.upper.is_finite();
        if finite { Ok(interval) } else { Err(NotEstimable::NotFinite) }
    });
    Ok(BoundedEstimate { estimate: Estimate { value, interval }, bounds: Interval { lower, upper } })
}

/// Lower and upper edge of the bin that holds the same value.
///
/// # Errors
/// `EmptyDenominator` without events; `InvalidLevel` unless 0 < `q` < 1.
pub fn quantile_bin(bins: &[ValueBin], q: f64) -> Result<(f64, f64), NotEstimable> {
    if !(q > 0.0 && q < 1.0) {
        return Err(NotEstimable::InvalidLevel);
    }
    let n = events(bins)?;
    let mean = n as f64 * q;
    // 0.29 * 100 is above 29: a share that is whole but for rounding is whole.
    let rank = if (mean - mean.round()).abs() < 1e-9 * mean { mean.round() } else { mean.ceil() };
    bin_of_rank(bins, n, rank.clamp(1.0, n as f64))
}

fn events(bins: &[ValueBin]) -> Result<u64, NotEstimable> {
    let n = bins.iter().try_fold(0_u64, |sum, bin| sum.checked_add(bin.2)).ok_or(NotEstimable::CountExceedsTotal)?;
    if n == 0 { Err(NotEstimable::EmptyDenominator) } else { Ok(n) }
}

/// Of the `rank`-th smallest of `n` values.
fn bin_of_rank(bins: &[ValueBin], n: u64, rank: f64) -> Result<(f64, f64), NotEstimable> {
    if rank < 1.0 || rank > n as f64 {
        return Err(NotEstimable::TooFewEvents);
    }
    let mut below = 0;
    let bin = bins.iter().find(|bin| {
        below += bin.2;
        below as f64 >= rank
    });
    bin.map(|bin| (bin.0, bin.1)).ok_or(NotEstimable::TooFewEvents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    #[test]
    fn a_quantile_lies_in_its_bin() {
        let bins = [(0.0, 1.0, 50), (1.0, 2.0, 0), (2.0, 4.0, 50)];
        let of = |q: f64| quantile(&bins, q, LEVEL);
        assert!(of(0.5).is_ok_and(|found| found.estimate.value == 0.5));
        assert!(of(0.51).is_ok_and(|found| found.bounds == Interval { lower: 2.0, upper: 4.0 }));
        assert!(of(0.5).is_ok_and(|found| found.estimate.interval == Ok(Interval { lower: 0.0, upper: 4.0 })));
        assert!(of(0.99).is_ok_and(|found| found.estimate.interval == Err(NotEstimable::TooFewEvents)));
    }

    #[test]
    fn what_has_no_quantile_says_why() {
        assert_eq!(quantile(&[(0.0, 1.0, 0)], 0.5, LEVEL).err(), Some(NotEstimable::EmptyDenominator));
        assert_eq!(quantile(&[], 0.5, LEVEL).err(), Some(NotEstimable::EmptyDenominator));
        for q in [0.0, 1.0, -1.0, f64::NAN] {
            assert_eq!(quantile(&[(0.0, 1.0, 3)], q, LEVEL).err(), Some(NotEstimable::InvalidLevel));
        }
        assert_eq!(quantile(&[(1.0, f64::INFINITY, 3)], 0.5, LEVEL).err(), Some(NotEstimable::NotFinite));
        assert!(quantile(&[(0.0, 1.0, 3)], 0.5, LEVEL).is_ok_and(|found| found.estimate.value == 0.5));
    }
}
