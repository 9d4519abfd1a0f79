//! Tests over sites: is there an association within sites, and is it the same at each?

use super::mantel_haenszel::{Cells, odds_ratio_value, usable};
use super::{Chi2Test, NotEstimable, Stratum};

/// Tests of the hypothesis that the odds ratio is 1 at every site; one degree of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CochranMantelHaenszel {
    /// Without continuity correction (Cochran 1954, with Mantel and Haenszel's variance).
    pub plain: Chi2Test,
    /// With continuity correction (Mantel and Haenszel 1959).
    ///
    /// The correction is 1/2, or the whole distance where that is smaller (as in R): it never turns a distance around.
    pub corrected: Chi2Test,
    /// Sites with information: both groups, and both selected and not selected events.
    pub sites: usize,
}

/// Tests of the hypothesis that the odds ratio is the same at every site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreslowDay {
    /// Breslow and Day (1980).
    pub plain: Chi2Test,
    /// With the correction of Tarone (1985), which makes the statistic chi-square distributed.
    pub tarone: Chi2Test,
    /// Sites with information: both groups, and both selected and not selected events; degrees of freedom + 1.
    pub sites: usize,
}

/// The Cochran-Mantel-Haenszel test over `strata`, group against reference.
///
/// # Errors
/// `NoStrata` if no stratum holds both groups and both selected and not selected events; `CountExceedsTotal`.
pub fn cochran_mantel_haenszel(strata: &[Stratum]) -> Result<CochranMantelHaenszel, NotEstimable> {
    let cells = informative(strata)?;
    let (mut distance, mut variance) = (0.0, 0.0);
    for t in &cells {
        let (selected, not_selected) = (t.a + t.c, t.b + t.d);
        // a minus its expectation, n1 (a + c) / n.
        distance += (t.a * t.d - t.b * t.c) / t.n;
        variance += (t.n1 * t.n0 / t.n) * (selected * not_selected / t.n) / (t.n - 1.0);
    }
    let distance = f64::abs(distance);
    Ok(CochranMantelHaenszel {
        plain: Chi2Test::new(distance * distance / variance, 1)?,
        corrected: Chi2Test::new((distance - 0.5).max(0.0).powi(2) / variance, 1)?,
        sites: cells.len(),
    })
}

/// The Breslow-Day test over `strata` around the Mantel-Haenszel odds ratio, plain and with Tarone's correction.
///
/// A stratum without information has no expectation that could differ from what was seen; it takes no degree of freedom.
///
/// # Errors
/// `NoStrata`; `TooFewStrata` if only one stratum carries information; `ZeroCell` if the Mantel-Haenszel odds ratio is
/// 0 or has no value; `CountExceedsTotal`.
pub fn breslow_day(strata: &[Stratum]) -> Result<BreslowDay, NotEstimable> {
    let cells = informative(strata)?;
    if cells.len() < 2 {
        return Err(NotEstimable::TooFewStrata);
    }
    let odds_ratio = odds_ratio_value(&cells)?;
    if odds_ratio == 0.0 {
        return Err(NotEstimable::ZeroCell);
    }
    let (mut statistic, mut total_distance, mut total_variance) = (0.0, 0.0, 0.0);
    for t in &cells {
        let selected = t.a + t.c;
        let expected = expected_cell(odds_ratio, t);
        let variance = (expected.recip()
            + (selected - expected).recip()
            + (t.n1 - expected).recip()
            + (t.n0 - selected + expected).recip())
        .recip();
        statistic += (t.a - expected) * (t.a - expected) / variance;
        total_distance += t.a - expected;
        total_variance += variance;
    }
    let tarone = (statistic - total_distance * total_distance / total_variance).max(0.0);
    let dof = cells.len() as u64 - 1;
    Ok(BreslowDay { plain: Chi2Test::new(statistic, dof)?, tarone: Chi2Test::new(tarone, dof)?, sites: cells.len() })
}

/// The strata with both groups and both selected and not selected events.
fn informative(strata: &[Stratum]) -> Result<Vec<Cells>, NotEstimable> {
    let (used, _) = usable(strata)?;
    let mut cells: Vec<Cells> = used.iter().filter_map(|i| strata.get(*i)).map(Cells::new).collect();
    cells.retain(|t| t.a + t.c > 0.0 && t.b + t.d > 0.0);
    if cells.is_empty() { Err(NotEstimable::NoStrata) } else { Ok(cells) }
}

/// The cell a that, with the margins of `t`, has odds ratio `r`: (1 - r) e^2 + linear e - r n1 (a + c) = 0.
fn expected_cell(r: f64, t: &Cells) -> f64 {
    let selected = t.a + t.c;
    let linear = r * (t.n1 + selected) + t.n0 - selected;
    let product = r * t.n1 * selected;
    let root = (linear * linear + 4.0 * (1.0 - r) * product).max(0.0).sqrt();
    // Of the two forms of the root, the one that adds; the first also holds at r = 1, and `linear` is negative only
    // where r < 1.
    if linear >= 0.0 { 2.0 * product / (linear + root) } else { (root - linear) / (2.0 * (1.0 - r)) }
}

#[cfg(test)]
mod tests {
    use super::super::mantel_haenszel::tests::BERKELEY;
    use super::*;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= 1e-11 * expected.abs()
    }

    #[test]
    fn berkeley_departments_differ_from_each_other() {
        let cmh = cochran_mantel_haenszel(&BERKELEY);
        assert!(cmh.is_ok_and(|t| near(t.plain.statistic, 1.5246066604434427) && near(t.plain.p, 0.21692369705551717)));
        assert!(cmh.is_ok_and(|t| near(t.corrected.statistic, 1.4269462285866952) && t.sites == 6));
        let bd = breslow_day(&BERKELEY);
        assert!(bd.is_ok_and(|t| near(t.plain.statistic, 18.825513705236055) && t.plain.dof == 5));
        assert!(bd.is_ok_and(|t| near(t.plain.p, 0.0020713903499179898)));
        assert!(bd.is_ok_and(|t| near(t.tarone.statistic, 18.82550125205277)));
    }

    #[test]
    fn sites_without_information_change_nothing() {
        let mut more = BERKELEY.to_vec();
        more.insert(0, Stratum { x1: 0, n1: 8, x0: 0, n0: 9 });
        more.insert(3, Stratum { x1: 8, n1: 8, x0: 9, n0: 9 });
        more.push(Stratum { x1: 3, n1: 8, x0: 0, n0: 0 });
        assert_eq!(cochran_mantel_haenszel(&more), cochran_mantel_haenszel(&BERKELEY));
        assert_eq!(breslow_day(&more), breslow_day(&BERKELEY));
    }

    #[test]
    fn too_little_is_not_estimable() {
        let none = Stratum { x1: 0, n1: 8, x0: 0, n0: 9 };
        let zero = Stratum { x1: 0, n1: 8, x0: 4, n0: 9 };
        assert_eq!(cochran_mantel_haenszel(&[none]), Err(NotEstimable::NoStrata));
        assert_eq!(breslow_day(&[none]), Err(NotEstimable::NoStrata));
        assert_eq!(breslow_day(&[zero, none]), Err(NotEstimable::TooFewStrata));
        assert_eq!(breslow_day(&[zero, zero]), Err(NotEstimable::ZeroCell));
        assert!(cochran_mantel_haenszel(&[zero]).is_ok());
    }

    #[test]
    fn equal_sites_are_homogeneous() {
        // Odds ratio exactly 1, where the quadratic loses its square.
        let even = Stratum { x1: 4, n1: 8, x0: 5, n0: 10 };
        let bd = breslow_day(&[even, even, even]);
        assert!(bd.is_ok_and(|t| t.plain.statistic < 1e-25 && t.plain.p > 0.999));
        let cmh = cochran_mantel_haenszel(&[even]);
        assert!(cmh.is_ok_and(|t| t.corrected.statistic == 0.0 && t.corrected.p == 1.0));
    }
}
