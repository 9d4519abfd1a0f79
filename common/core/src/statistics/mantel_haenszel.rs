//! Mantel-Haenszel estimates over sites: what the groups' ratio or difference is within sites.

use super::{Estimate, Interval, NotEstimable, normal_quantile};

/// The 2 x 2 table of a site: events of a group and of the reference group, and how many of each were selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stratum {
    /// Selected events of the group.
    pub x1: u64,
    /// Events of the group.
    pub n1: u64,
    /// Selected events of the reference group.
    pub x0: u64,
    /// Events of the reference group.
    pub n0: u64,
}

/// Estimates over the sites that hold both groups (Mantel and Haenszel 1959), group relative to reference.
///
/// A site at which all or none of the events are selected adds nothing to the ratios; the difference keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct MantelHaenszel {
    /// Odds ratio; log interval with the variance of Robins, Breslow and Greenland (1986).
    ///
    /// `ZeroCell` if its denominator is 0; without interval if it is 0 itself.
    pub odds_ratio: Result<Estimate, NotEstimable>,
    /// Risk ratio; log interval with the variance of Greenland and Robins (1985).
    ///
    /// `ZeroRateInDenominator` if no event of the reference group is selected; without interval if it is 0 itself.
    pub risk_ratio: Result<Estimate, NotEstimable>,
    /// Risk difference; normal interval with the variance of Sato (1989), held to -1 to 1.
    ///
    /// Without interval (`ZeroVariance`) if all or none of the events are selected.
    pub risk_difference: Estimate,
    /// Indices of the sites used: both groups have events.
    pub used: Vec<usize>,
    /// Indices of the sites left out.
    pub left_out: Vec<usize>,
}

/// Mantel-Haenszel odds ratio, risk ratio and risk difference over `strata`, each with its interval.
///
/// # Errors
/// `NoStrata` if no stratum holds both groups; `CountExceedsTotal`; `InvalidLevel`.
pub fn mantel_haenszel(strata: &[Stratum], level: f64) -> Result<MantelHaenszel, NotEstimable> {
    let z = normal_quantile(level)?;
    let (used, left_out) = usable(strata)?;
    let cells: Vec<Cells> = used.iter().filter_map(|i| strata.get(*i)).map(Cells::new).collect();
    Ok(MantelHaenszel {
        odds_ratio: pooled_odds_ratio(&cells, z),
        risk_ratio: pooled_risk_ratio(&cells, z),
        risk_difference: pooled_risk_difference(&cells, z),
        used,
        left_out,
    })
}

/// Indices of the strata that hold both groups, and of the others.
pub(super) fn usable(strata: &[Stratum]) -> Result<(Vec<usize>, Vec<usize>), NotEstimable> {
    if strata.iter().any(|s| s.x1 > s.n1 || s.x0 > s.n0) {
        return Err(NotEstimable::CountExceedsTotal);
    }
    let both = |i: &usize| strata.get(*i).is_some_and(|s| s.n1 > 0 && s.n0 > 0);
    let (used, left_out): (Vec<usize>, Vec<usize>) = (0..strata.len()).partition(both);
    if used.is_empty() { Err(NotEstimable::NoStrata) } else { Ok((used, left_out)) }
}

/// A stratum in floating point, named as in the papers: group a, b; reference c, d (selected, not selected).
pub(super) struct Cells {
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) c: f64,
    pub(super) d: f64,
    /// Events of the group.
    pub(super) n1: f64,
    /// Events of the reference group.
    pub(super) n0: f64,
    /// Events of both.
    pub(super) n: f64,
}

impl Cells {
    /// The cells of a stratum that [`usable`] let through.
    pub(super) fn new(s: &Stratum) -> Cells {
        let [a, b, c, d] = [s.x1, s.n1 - s.x1, s.x0, s.n0 - s.x0].map(|cell| cell as f64);
        let (n1, n0) = (s.n1 as f64, s.n0 as f64);
        Cells { a, b, c, d, n1, n0, n: n1 + n0 }
    }
}

/// The pooled odds ratio's value.
///
/// # Errors
/// `ZeroCell` if its denominator is 0.
pub(super) fn odds_ratio_value(cells: &[Cells]) -> Result<f64, NotEstimable> {
    let numerator: f64 = cells.iter().map(|t| t.a * t.d / t.n).sum();
    let denominator: f64 = cells.iter().map(|t| t.b * t.c / t.n).sum();
    if denominator > 0.0 { Ok(numerator / denominator) } else { Err(NotEstimable::ZeroCell) }
}

fn pooled_odds_ratio(cells: &[Cells], z: f64) -> Result<Estimate, NotEstimable> {
    let value = odds_ratio_value(cells)?;
    if value == 0.0 {
        return Ok(Estimate { value, interval: Err(NotEstimable::ZeroCell) });
    }
    // R, S, P and Q of the paper: shares of the concordant and the discordant pairs.
    let (mut r, mut s, mut pr, mut ps_qr, mut qs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for t in cells {
        let (r_i, s_i) = (t.a * t.d / t.n, t.b * t.c / t.n);
        let (p_i, q_i) = ((t.a + t.d) / t.n, (t.b + t.c) / t.n);
        r += r_i;
        s += s_i;
        pr += p_i * r_i;
        ps_qr += p_i * s_i + q_i * r_i;
        qs += q_i * s_i;
    }
    let variance = pr / (2.0 * r * r) + ps_qr / (2.0 * r * s) + qs / (2.0 * s * s);
    Ok(Estimate { value, interval: Interval::around_log(value.ln(), z * variance.sqrt()) })
}

fn pooled_risk_ratio(cells: &[Cells], z: f64) -> Result<Estimate, NotEstimable> {
    let (mut numerator, mut denominator, mut spread) = (0.0, 0.0, 0.0);
    for t in cells {
        numerator += t.a * t.n0 / t.n;
        denominator += t.c * t.n1 / t.n;
        // The paper's n1 n0 (a + c) - a c n, without its difference of near numbers.
        spread += (t.a * t.n1 * t.d + t.c * t.n0 * t.b) / (t.n * t.n);
    }
    if denominator == 0.0 {
        return Err(NotEstimable::ZeroRateInDenominator);
    }
    let value = numerator / denominator;
    let interval = if value == 0.0 {
        Err(NotEstimable::ZeroCell)
    } else {
        Interval::around_log(value.ln(), z * (spread / (numerator * denominator)).sqrt())
    };
    Ok(Estimate { value, interval })
}

fn pooled_risk_difference(cells: &[Cells], z: f64) -> Estimate {
    let (mut distance, mut weight, mut p, mut q) = (0.0, 0.0, 0.0, 0.0);
    for t in cells {
        distance += (t.a * t.n0 - t.c * t.n1) / t.n;
        weight += t.n1 * t.n0 / t.n;
        p += (t.n1 * t.n1 * t.c - t.n0 * t.n0 * t.a + t.n1 * t.n0 * (t.n0 - t.n1) / 2.0) / (t.n * t.n);
        q += (t.a * t.d + t.c * t.b) / (2.0 * t.n);
    }
    let value = distance / weight;
    // With all of one group selected and none of the other the two terms cancel but for rounding.
    let varies = value * p + q > 1e-12 * (value * p).abs().max(q);
    let variance = if varies { (value * p + q) / (weight * weight) } else { 0.0 };
    let interval = Interval::around(value, z * variance.sqrt());
    Estimate { value, interval: interval.map(|i| Interval { lower: i.lower.max(-1.0), upper: i.upper.min(1.0) }) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    /// Berkeley 1973, departments A to F: women admitted and applying, men admitted and applying (Bickel 1975).
    pub(in crate::statistics) const BERKELEY: [Stratum; 6] = [
        Stratum { x1: 89, n1: 108, x0: 512, n0: 825 },
        Stratum { x1: 17, n1: 25, x0: 353, n0: 560 },
        Stratum { x1: 202, n1: 593, x0: 120, n0: 325 },
        Stratum { x1: 131, n1: 375, x0: 138, n0: 417 },
        Stratum { x1: 94, n1: 393, x0: 53, n0: 191 },
        Stratum { x1: 24, n1: 341, x0: 22, n0: 373 },
    ];

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= 1e-12 * expected.abs()
    }

    #[test]
    fn berkeley_shows_no_adjusted_difference() {
        let Ok(mh) = mantel_haenszel(&BERKELEY, LEVEL) else { panic!("has strata") };
        assert_eq!((mh.used, mh.left_out), (vec![0, 1, 2, 3, 4, 5], vec![]));
        assert!(mh.odds_ratio.is_ok_and(|or| near(or.value, 1.1053426615022164)));
        let interval = mh.odds_ratio.and_then(|or| or.interval);
        assert!(interval.is_ok_and(|i| near(i.lower, 0.9431028285160811) && near(i.upper, 1.2954922436816447)));
        assert!(mh.risk_ratio.is_ok_and(|rr| near(rr.value, 1.058307423589208)));
        assert!(mh.risk_difference.interval.is_ok_and(|i| i.contains(0.0)));
    }

    #[test]
    fn sites_without_a_group_are_named() {
        let strata = [
            Stratum { x1: 0, n1: 0, x0: 3, n0: 9 },
            Stratum { x1: 4, n1: 9, x0: 3, n0: 9 },
            Stratum { x1: 1, n1: 2, x0: 0, n0: 0 },
        ];
        let Ok(mh) = mantel_haenszel(&strata, LEVEL) else { panic!("has a stratum") };
        assert_eq!((mh.used, mh.left_out), (vec![1], vec![0, 2]));
        assert_eq!(mantel_haenszel(&strata[..1], LEVEL), Err(NotEstimable::NoStrata));
        assert_eq!(mantel_haenszel(&[], LEVEL), Err(NotEstimable::NoStrata));
        assert_eq!(mantel_haenszel(&BERKELEY, 0.0), Err(NotEstimable::InvalidLevel));
        let wrong = Stratum { x1: 3, n1: 2, x0: 0, n0: 0 };
        assert_eq!(mantel_haenszel(&[wrong], LEVEL), Err(NotEstimable::CountExceedsTotal));
    }

    #[test]
    fn degenerate_tables_have_no_interval() {
        let one = |x1, n1, x0, n0| mantel_haenszel(&[Stratum { x1, n1, x0, n0 }], LEVEL);
        let all = one(5, 5, 7, 7);
        assert!(all.as_ref().is_ok_and(|mh| mh.odds_ratio == Err(NotEstimable::ZeroCell)));
        assert!(all.as_ref().is_ok_and(|mh| {
            mh.risk_ratio.is_ok_and(|rr| rr.value == 1.0 && rr.interval == Err(NotEstimable::ZeroVariance))
        }));
        assert!(all.is_ok_and(|mh| mh.risk_difference.interval == Err(NotEstimable::ZeroVariance)));
        let none = one(0, 5, 0, 7);
        assert!(none.is_ok_and(|mh| mh.risk_ratio == Err(NotEstimable::ZeroRateInDenominator)));
        for (n1, n0) in [(5, 7), (3, 11), (1, 1), (1000, 7)] {
            let apart = one(n1, n1, 0, n0);
            assert!(
                apart.is_ok_and(|mh| mh.risk_difference.value == 1.0
                    && mh.risk_difference.interval == Err(NotEstimable::ZeroVariance))
            );
        }
        let zero = one(0, 5, 3, 7);
        assert!(zero.is_ok_and(|mh| {
            mh.odds_ratio.is_ok_and(|or| or.value == 0.0 && or.interval == Err(NotEstimable::ZeroCell))
        }));
    }
}
