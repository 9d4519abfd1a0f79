//! Tests of two proportions, and what is left of them when many are read together.

use super::{NotEstimable, chi2_upper_tail, rate};

/// A test with a normal statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalTest {
    /// The statistic: standard deviations from what the null hypothesis expects.
    pub z: f64,
    /// Probability of one at least as far from 0, on either side.
    pub p: f64,
}

/// The two-proportion z test with pooled variance: whether `x1 / n1` and `x0 / n0` have the same expectation. Courts call
/// z the number of standard deviations (Hazelwood School District v. United States 1977).
///
/// # Errors
/// Those of [`rate`], for either proportion; `ZeroVariance` if both rates are 0 or both are 1.
pub fn two_proportions(x1: u64, n1: u64, x0: u64, n0: u64) -> Result<NormalTest, NotEstimable> {
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    if (x1 == 0 && x0 == 0) || (x1 == n1 && x0 == n0) {
        return Err(NotEstimable::ZeroVariance);
    }
    let [x1, n1, x0, n0] = [x1, n1, x0, n0].map(|count| count as f64);
    // Of 1 - pooled rate in this form, no digit is lost where the rate is near 1.
    let (n, x, rest) = (n1 + n0, x1 + x0, (n1 - x1) + (n0 - x0));
    let z = (p1 - p0) / (x / n * (rest / n) * (n / n1 / n0)).sqrt();
    Ok(NormalTest { z, p: chi2_upper_tail(z * z, 1)? })
}

/// Holm's (1979) step-down correction: with these, in the same order, the chance of any false finding below a level is at
/// most that level, however the tests depend on each other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut corrected = vec![1.0; p.len()];
    let mut greatest: f64 = 0.0;
    for (rank, at) in order.iter().enumerate() {
        greatest = greatest.max((p.len() - rank) as f64 * p[*at]).min(1.0);
        corrected[*at] = greatest;
    }
    corrected
}

/// Benjamini and Hochberg's (1995) step-up q, in the same order: of the findings below a level, at most that share is
/// false in expectation, where tests are independent or positively dependent.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut corrected = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (rank, at) in order.iter().enumerate().rev() {
        least = least.min(p.len() as f64 / (rank + 1) as f64 * p[*at]);
        corrected[*at] = least;
    }
    corrected
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_out_of_nothing_is_not_zero() {
        assert_eq!(two_proportions(0, 0, 1, 2), Err(NotEstimable::EmptyDenominator));
        assert_eq!(two_proportions(0, 5, 0, 2), Err(NotEstimable::ZeroVariance));
        assert_eq!(two_proportions(5, 5, 2, 2), Err(NotEstimable::ZeroVariance));
        assert_eq!(two_proportions(1, 2, 3, 2), Err(NotEstimable::CountExceedsTotal));
        assert_eq!((holm(&[]), benjamini_hochberg(&[])), (vec![], vec![]));
    }

    #[test]
    fn a_small_family_by_hand() {
        let p = [0.04, 0.001, 0.03, 0.5];
        let near = |found: Vec<f64>, expected: [f64; 4]| {
            found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15)
        };
        assert!(near(holm(&p), [0.09, 0.004, 0.09, 0.5]), "{:?}", holm(&p));
        let q = [0.16 / 3.0, 0.004, 0.16 / 3.0, 0.5];
        assert!(near(benjamini_hochberg(&p), q), "{:?}", benjamini_hochberg(&p));
    }

    proptest! {
        #[test]
        fn corrections_keep_the_order_and_never_help(p in proptest::collection::vec(0.0..=1.0_f64, 1..40)) {
            for corrected in [holm(&p), benjamini_hochberg(&p)] {
                for (i, (p_i, c_i)) in p.iter().zip(&corrected).enumerate() {
                    prop_assert!(c_i >= p_i && *c_i <= 1.0);
                    prop_assert!(p.iter().zip(&corrected).skip(i).all(|(p_j, c_j)| p_i > p_j || c_i <= c_j));
                }
            }
            prop_assert!(holm(&p).iter().zip(benjamini_hochberg(&p)).all(|(h, q)| q <= *h));
        }

        #[test]
        fn turned_round_the_test_has_the_opposite_sign(x1 in 0..20_u64, a in 0..20_u64, x0 in 0..20_u64, b in 0..20_u64) {
            let (one, other) = (two_proportions(x1, x1 + a, x0, x0 + b), two_proportions(x0, x0 + b, x1, x1 + a));
            prop_assert_eq!(one.err(), other.err());
            prop_assert!(one.is_err() || one.is_ok_and(|t| other.is_ok_and(|o| (t.z + o.z).abs() < 1e-12)));
            let table = super::super::pearson_chi2(&[[x1, a], [x0, b]]);
            prop_assert!(one.is_err() || table.is_ok_and(|t| (t.statistic - one.map_or(0.0, |o| o.z * o.z)).abs() < 1e-9));
        }
    }
}
