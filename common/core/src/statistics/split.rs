//! How much of a crude difference lies within sites, and how much between them.

use super::{Estimate, Interval, NotEstimable, Stratum, normal_quantile, rate};

/// Parts of the crude difference of two rates, group less reference; they add up to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GapSplit {
    /// What remains if both groups were spread over the sites alike.
    pub within: Estimate,
    /// What follows from the groups being at different sites.
    pub between: Estimate,
}

/// Kitagawa's decomposition (1955). With w the share of a group's events that is at a site and p its rate there,
/// within = sum (w1 + w0)/2 (p1 - p0) and between = sum (w1 - w0)(p1 + p0)/2.
///
/// A site with one group has no difference within: all of it is between. Intervals are normal with binomial variances, the
/// groups' sizes given; `ZeroVariance` where no site's rates vary.
///
/// # Errors
/// `EmptyDenominator` if a group has no events; `CountExceedsTotal`; `InvalidLevel`.
pub fn gap_split(strata: &[Stratum], level: f64) -> Result<GapSplit, NotEstimable> {
    let z = normal_quantile(level)?;
    let n1: f64 = strata.iter().map(|s| s.n1 as f64).sum();
    let n0: f64 = strata.iter().map(|s| s.n0 as f64).sum();
    if n1 == 0.0 || n0 == 0.0 {
        return Err(NotEstimable::EmptyDenominator);
    }
    let (mut within, mut between) = (Sum::default(), Sum::default());
    for s in strata {
        let (w1, w0) = (s.n1 as f64 / n1, s.n0 as f64 / n0);
        match (s.n1, s.n0) {
            (0, 0) => {}
            (_, 0) => between.add(w1, s.x1, s.n1)?,
            (0, _) => between.add(-w0, s.x0, s.n0)?,
            _ => {
                within.add((w1 + w0) / 2.0, s.x1, s.n1)?;
                within.add(-(w1 + w0) / 2.0, s.x0, s.n0)?;
                between.add((w1 - w0) / 2.0, s.x1, s.n1)?;
                between.add((w1 - w0) / 2.0, s.x0, s.n0)?;
            }
        }
    }
    let estimate =
        |sum: Sum| Estimate { value: sum.value, interval: Interval::around(sum.value, z * sum.variance.sqrt()) };
    Ok(GapSplit { within: estimate(within), between: estimate(between) })
}

/// A weighted sum of independent rates.
#[derive(Default)]
struct Sum {
    value: f64,
    variance: f64,
}

impl Sum {
    fn add(&mut self, weight: f64, x: u64, n: u64) -> Result<(), NotEstimable> {
        let p = rate(x, n)?;
        self.value += weight * p;
        self.variance += weight * weight * p * (1.0 - p) / n as f64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::mantel_haenszel::tests::BERKELEY;
    use super::*;
    use crate::statistics::{LEVEL, difference};

    #[test]
    fn berkeley_is_between_departments() {
        let split = gap_split(&BERKELEY, LEVEL).expect("both groups");
        let (x1, n1, x0, n0) =
            BERKELEY.iter().fold((0, 0, 0, 0), |(a, b, c, d), s| (a + s.x1, b + s.n1, c + s.x0, d + s.n0));
        let crude = difference(x1, n1, x0, n0).expect("both groups");
        assert!((split.within.value + split.between.value - crude).abs() < 1e-15);
        assert!(split.within.value > 0.0 && split.between.value < -0.14, "{split:?}");
        assert!(split.between.interval.is_ok_and(|i| i.upper < -0.1 && i.contains(split.between.value)));
    }

    #[test]
    fn a_site_with_one_group_is_between() {
        let strata = [Stratum { x1: 3, n1: 10, x0: 0, n0: 0 }, Stratum { x1: 0, n1: 0, x0: 8, n0: 10 }];
        let split = gap_split(&strata, LEVEL).expect("both groups");
        assert_eq!(split.within, Estimate { value: 0.0, interval: Err(NotEstimable::ZeroVariance) });
        assert!((split.between.value + 0.5).abs() < 1e-15);
        assert_eq!(gap_split(&strata[..1], LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(gap_split(&[], LEVEL), Err(NotEstimable::EmptyDenominator));
    }
}
