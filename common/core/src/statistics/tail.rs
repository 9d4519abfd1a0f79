//! Quantiles and tail probabilities of the normal, Student t and chi-square distributions.

use super::{LEVEL, NotEstimable};
use statrs::function::{beta, erf, gamma};

/// z with P(|Z| <= z) = `level` for a standard normal Z: 1.96 at 0.95.
///
/// # Errors
/// `InvalidLevel` unless 0 < `level` < 1 (and 1 - `level` is not lost to rounding).
pub fn normal_quantile(level: f64) -> Result<f64, NotEstimable> {
    // Nearly every interval is at this level, and the inverse costs as much as some of them.
    if level == LEVEL {
        return Ok(Z);
    }
    Ok(std::f64::consts::SQRT_2 * erf::erfc_inv(two_tails(level)?))
}

/// The quantile at [`LEVEL`].
const Z: f64 = 1.959963984540054;

/// t with P(|T| <= t) = `level` for Student's T with `dof` degrees of freedom: 12.7 at 0.95 and 1.
///
/// # Errors
/// `InvalidLevel` as above; `TooFewStudies` if `dof` is 0.
pub fn student_quantile(level: f64, dof: u64) -> Result<f64, NotEstimable> {
    two_tails(level)?;
    if dof == 0 {
        return Err(NotEstimable::TooFewStudies);
    }
    student(level, dof as f64)
}

/// The same for any degrees of freedom above 0.
///
/// The regularised incomplete beta function is inverted by Newton's steps on both logarithms, held inside a bracket, which
/// end for every input. It takes time and loses digits as they grow; where there are [`MANY`], the expansion around the
/// normal quantile is exact to 11 digits (Abramowitz and Stegun 1964, 26.7.5).
pub(super) fn student(level: f64, dof: f64) -> Result<f64, NotEstimable> {
    let tails = two_tails(level)?;
    let z = normal_quantile(level)?;
    let s = z * z;
    if dof >= MANY * s.max(2.0) {
        let terms = [
            (s + 1.0) / 4.0,
            ((5.0 * s + 16.0) * s + 3.0) / 96.0,
            (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0,
            ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92160.0,
        ];
        return Ok(z * (1.0 + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / dof)));
    }
    let beyond = |t: f64| beta::checked_beta_reg(dof / 2.0, 0.5, dof / (dof + t * t)).unwrap_or(0.0);
    let (mut lower, mut upper) = (0.0, 1.0);
    while beyond(upper) > tails && upper < 1e100 {
        (lower, upper) = (upper, upper * 2.0);
    }
    let both = std::f64::consts::LN_2 + gamma::ln_gamma((dof + 1.0) / 2.0) - gamma::ln_gamma(dof / 2.0);
    // The logarithm of both tails' density.
    let density = |t: f64| both - ((dof * std::f64::consts::PI).ln() + (dof + 1.0) * (t * t / dof).ln_1p()) / 2.0;
    let mut t = upper;
    for _ in 0..MAX_STEPS {
        let tail = beyond(t);
        if tail > tails {
            lower = t;
        } else {
            upper = t;
        }
        let step = (tail / tails).ln() * tail / (t * density(t).exp());
        let next = t * step.exp();
        let next = if lower < next && next < upper { next } else { lower + (upper - lower) / 2.0 };
        if (next - t).abs() <= f64::EPSILON * t {
            return Ok(next);
        }
        t = next;
    }
    Ok(t)
}

/// P(X >= `statistic`) for a chi-square X with `dof` degrees of freedom (1 at 0).
///
/// Small probabilities keep their digits. With one degree of freedom and `statistic` = z^2 it is P(|Z| >= |z|) of a
/// normal Z, to 13 digits, where `statrs` 0.19's `erfc` has 10.
///
/// # Errors
/// `NotFinite` if `statistic` is not a number; `TooFewGroups` if `dof` is 0.
pub fn chi2_upper_tail(statistic: f64, dof: u64) -> Result<f64, NotEstimable> {
    if statistic.is_nan() {
        Err(NotEstimable::NotFinite)
    } else if dof == 0 {
        Err(NotEstimable::TooFewGroups)
    } else if statistic <= 0.0 {
        Ok(1.0)
    } else if statistic.is_infinite() {
        Ok(0.0)
    } else {
        gamma::checked_gamma_ur(dof as f64 / 2.0, statistic / 2.0).map_err(|_| NotEstimable::NotFinite)
    }
}

/// x with P(X >= x) = `tail` for a chi-square X with `dof` degrees of freedom: 3.84 at 0.05 and 1.
///
/// # Errors
/// `InvalidLevel` unless 0 < `tail` < 1; `TooFewGroups` if `dof` is 0.
pub fn chi2_quantile(tail: f64, dof: u64) -> Result<f64, NotEstimable> {
    if !(tail > 0.0 && tail < 1.0) {
        return Err(NotEstimable::InvalidLevel);
    }
    let mut upper = 1.0;
    while chi2_upper_tail(upper, dof)? > tail {
        upper *= 2.0;
    }
    Ok(bisect(0.0, upper, |x| chi2_upper_tail(x, dof).is_ok_and(|p| p > tail)))
}

/// The point between `lower` and `upper` up to which `below` holds, to the last bit.
pub(super) fn bisect(mut lower: f64, mut upper: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..MAX_HALVINGS {
        let middle = lower + (upper - lower) / 2.0;
        if middle <= lower || middle >= upper {
            break;
        }
        if below(middle) {
            lower = middle;
        } else {
            upper = middle;
        }
    }
    upper
}

fn two_tails(level: f64) -> Result<f64, NotEstimable> {
    let tails = 1.0 - level;
    if tails > 0.0 && tails < 1.0 { Ok(tails) } else { Err(NotEstimable::InvalidLevel) }
}

/// An interval of numbers around 1 is a single step wide after about 60 halvings; the rest is for roots near 0.
const MAX_HALVINGS: u32 = 400;
/// Newton's steps end after about six; a bracket that only halves, after about 60.
const MAX_STEPS: u32 = 200;
/// Degrees of freedom from which on Student's quantile is expanded, by the square of the normal quantile.
const MANY: f64 = 50.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(result: Result<f64, NotEstimable>, expected: f64) -> bool {
        result.is_ok_and(|value| (value - expected).abs() <= 1e-12 * expected.abs())
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!(close(normal_quantile(0.95), 1.959963984540054));
        assert!((std::f64::consts::SQRT_2 * erf::erfc_inv(1.0 - LEVEL) - Z).abs() < 1e-14);
        assert!(close(normal_quantile(0.99), 2.5758293035489004));
        assert!(close(student_quantile(0.95, 1), 12.706204736174694));
        assert!(close(student_quantile(0.95, 2), 4.302652729749464));
        assert!(close(student_quantile(0.95, 5), 2.570581835636314));
        // A million degrees of freedom are nearly normal.
        // scipy 1.17, stats.t.isf.
        assert!(close(student_quantile(0.95, 1_000_000), 1.9599663568141072));
        assert!(
            close(student_quantile(0.95, 499), 1.964729390987689)
                && close(student_quantile(0.95, 500), 1.9647198374673678)
        );
        assert!(student_quantile(1.0 - 0.05 / 190.0, 500).is_ok_and(|t| (t - 3.6753913467414687).abs() < 1e-10));
        assert!(close(student(0.95, 7.25), 2.3481948491053717));
        for level in [0.0, 1.0, -1.0, 2.0, f64::NAN, f64::INFINITY] {
            assert_eq!(normal_quantile(level), Err(NotEstimable::InvalidLevel));
            assert_eq!(student_quantile(level, 3), Err(NotEstimable::InvalidLevel));
        }
        assert_eq!(student_quantile(0.95, 0), Err(NotEstimable::TooFewStudies));
        assert!(student_quantile(1.0 - 1e-15, 1).is_ok_and(f64::is_finite));
    }

    proptest! {
        #[test]
        fn a_students_quantile_has_its_tails(tails in prop_oneof![1e-14..1e-6_f64, 1e-6..0.999_f64], dof in 1.0..700.0_f64) {
            let t = student(1.0 - tails, dof).expect("a quantile");
            // The level is rounded, too.
            let tails = 1.0 - (1.0 - tails);
            let found = beta::beta_reg(dof / 2.0, 0.5, dof / (dof + t * t));
            prop_assert!((found - tails).abs() <= 1e-9 * tails, "{t} {found} {tails}");
        }
    }

    #[test]
    fn chi_square_tails_are_those_of_the_tables() {
        assert!(close(chi2_upper_tail(3.841458820694124, 1), 0.05));
        assert!(close(chi2_upper_tail(5.991464547107979, 2), 0.05));
        assert!(close(chi2_upper_tail(1.0, 5), 0.9625657732472964));
        assert_eq!(chi2_upper_tail(0.0, 3), Ok(1.0));
        assert_eq!(chi2_upper_tail(f64::INFINITY, 3), Ok(0.0));
        assert_eq!(chi2_upper_tail(f64::INFINITY, 1), Ok(0.0));
        assert!(chi2_upper_tail(f64::NAN, 3).is_err());
        assert!(chi2_upper_tail(1.0, 0).is_err());
    }
}
