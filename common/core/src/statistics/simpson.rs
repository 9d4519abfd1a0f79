//! Simpson's paradox: does pooling the sites' counts tell another story than comparing within sites?

use super::mantel_haenszel::usable;
use super::{Estimate, NotEstimable, Stratum, difference, mantel_haenszel, newcombe_difference};

/// The crude risk difference beside the Mantel-Haenszel one.
///
/// Only risk differences are compared: odds ratios differ between crude and adjusted without any confounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Simpson {
    /// Difference of the proportions pooled over all sites, group minus reference, with Newcombe's interval.
    pub crude: Estimate,
    /// Mantel-Haenszel risk difference over the sites with both groups, with Sato's interval.
    pub adjusted: Estimate,
    /// Whether the two have opposite signs.
    pub reversal: bool,
    /// Whether |crude - adjusted| / |adjusted| > 20 %, where |adjusted| is at least 0.01 (below that: false).
    pub material: bool,
    /// Sites at which the group's rate is the higher one.
    pub sites_favouring_group: usize,
    /// Sites at which the reference group's rate is the higher one.
    pub sites_favouring_reference: usize,
    /// Sites with both groups at which the two rates are the same.
    pub sites_equal: usize,
    /// Indices of the sites that lack one of the groups: part of the crude difference only.
    pub left_out: Vec<usize>,
}

/// Compares the crude and the Mantel-Haenszel risk difference over `strata` (Simpson 1951; Bickel et al. 1975).
///
/// # Errors
/// `NoStrata` if no stratum holds both groups; `CountExceedsTotal` (also where a total exceeds 64 bits); `InvalidLevel`.
pub fn simpson(strata: &[Stratum], level: f64) -> Result<Simpson, NotEstimable> {
    let (used, left_out) = usable(strata)?;
    let (x1, n1) = (total(strata, |s| s.x1)?, total(strata, |s| s.n1)?);
    let (x0, n0) = (total(strata, |s| s.x0)?, total(strata, |s| s.n0)?);
    let crude =
        Estimate { value: difference(x1, n1, x0, n0)?, interval: Ok(newcombe_difference(x1, n1, x0, n0, level)?) };
    let adjusted = mantel_haenszel(strata, level)?.risk_difference;
    let (mut group, mut reference, mut equal) = (0, 0, 0);
    for s in used.iter().filter_map(|i| strata.get(*i)) {
        let [for_group, for_reference] = [(s.x1, s.n0), (s.x0, s.n1)].map(|(x, n)| u128::from(x) * u128::from(n));
        match for_group.cmp(&for_reference) {
            std::cmp::Ordering::Greater => group += 1,
            std::cmp::Ordering::Less => reference += 1,
            std::cmp::Ordering::Equal => equal += 1,
        }
    }
    let shift = (crude.value - adjusted.value).abs();
    Ok(Simpson {
        crude,
        adjusted,
        reversal: crude.value * adjusted.value < 0.0,
        material: adjusted.value.abs() >= SMALLEST_ADJUSTED && shift / adjusted.value.abs() > MATERIAL_SHIFT,
        sites_favouring_group: group,
        sites_favouring_reference: reference,
        sites_equal: equal,
        left_out,
    })
}

fn total(strata: &[Stratum], count: impl Fn(&Stratum) -> u64) -> Result<u64, NotEstimable> {
    strata.iter().try_fold(0u64, |sum, s| sum.checked_add(count(s))).ok_or(NotEstimable::CountExceedsTotal)
}

/// Relative shift by adjustment from which on confounding is called material (the change-in-estimate rule doubled).
const MATERIAL_SHIFT: f64 = 0.20;
/// Adjusted differences below this are too small for a relative shift to mean anything.
const SMALLEST_ADJUSTED: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::super::mantel_haenszel::tests::BERKELEY;
    use super::*;
    use crate::statistics::LEVEL;

    #[test]
    fn berkeley_turns_around() {
        let Ok(s) = simpson(&BERKELEY, LEVEL) else { panic!("has strata") };
        assert!((s.crude.value - -0.14164542824654186).abs() < 1e-15);
        assert!(s.crude.interval.is_ok_and(|i| (i.lower - -0.1695695110299901).abs() < 1e-14));
        assert!(s.crude.interval.is_ok_and(|i| (i.upper - -0.11321312144252813).abs() < 1e-14));
        assert!(s.adjusted.value > 0.0 && s.adjusted.interval.is_ok_and(|i| i.contains(0.0)));
        assert!(s.reversal && s.material);
        // Departments A, B, D and F against C and E.
        assert_eq!((s.sites_favouring_group, s.sites_favouring_reference, s.sites_equal), (4, 2, 0));
    }

    #[test]
    fn a_single_site_is_its_own_adjustment() {
        let site = Stratum { x1: 30, n1: 100, x0: 45, n0: 90 };
        let Ok(s) = simpson(&[site], LEVEL) else { panic!("has a stratum") };
        assert!((s.crude.value - s.adjusted.value).abs() < 1e-15 && !s.reversal && !s.material);

        let even = Stratum { x1: 10, n1: 20, x0: 45, n0: 90 };
        let lone = Stratum { x1: 1, n1: 20, x0: 0, n0: 0 };
        let Ok(s) = simpson(&[even, lone], LEVEL) else { panic!("has a stratum") };
        assert_eq!((s.sites_equal, s.left_out, s.material, s.reversal), (1, vec![1], false, false));
        assert_eq!(simpson(&[lone], LEVEL), Err(NotEstimable::NoStrata));
    }

    #[test]
    fn totals_beyond_64_bits_are_refused() {
        let huge = Stratum { x1: 1, n1: u64::MAX, x0: 1, n0: u64::MAX };
        assert_eq!(simpson(&[huge, huge], LEVEL), Err(NotEstimable::CountExceedsTotal));
        assert!(simpson(&[huge], LEVEL).is_ok());
    }
}
