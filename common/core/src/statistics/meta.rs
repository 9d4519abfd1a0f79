//! Meta-analysis: effects of sites pooled by inverse variance, and how far sites differ.

use super::tail::bisect;
use super::{Chi2Test, Interval, NotEstimable, Stratum, normal_quantile, rate, student_quantile};

/// The effect at a site with its variance, on a scale on which it is about normal (difference, log ratio, logit).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The estimate y.
    pub estimate: f64,
    /// Its variance v, in the unit of y squared.
    pub variance: f64,
}

/// A pooled effect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanEffect {
    /// The weighted mean.
    pub estimate: f64,
    /// Its standard error.
    pub se: f64,
    /// Normal interval.
    pub interval: Interval,
}

/// How far the studies' effects differ beyond chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heterogeneity {
    /// Cochran's Q (1954), k - 1 degrees of freedom.
    pub q: Chi2Test,
    /// I^2 = max(0, (Q - (k - 1)) / Q), between 0 and 1: share of the variation beyond chance (Higgins and Thompson 2002).
    pub i2: f64,
    /// Variance between studies by DerSimonian and Laird (1986), held at 0.
    pub tau2_dl: f64,
    /// Variance between studies by Paule and Mandel (1982), held at 0.
    pub tau2_pm: f64,
}

/// The mean of studies whose effects differ, with DerSimonian and Laird's variance between studies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomEffects {
    /// The weighted mean, weights 1 / (v + tau^2).
    pub estimate: f64,
    /// Its standard error, 1 / sqrt(sum of weights).
    pub se: f64,
    /// Normal interval (DerSimonian and Laird 1986). `TooFewStudies` below three studies, as the three that follow.
    pub interval: Result<Interval, NotEstimable>,
    /// Hartung, Knapp, Sidik and Jonkman (2001, 2002): t with k - 1 degrees of freedom, variance scaled by
    /// q = sum w (y - mean)^2 / (k - 1). `ZeroVariance` if all effects are the same.
    pub hksj: Result<Interval, NotEstimable>,
    /// The same with max(1, q), never narrower than t with the usual variance (Röver, Knapp and Friede 2015).
    pub hksj_modified: Result<Interval, NotEstimable>,
    /// Where the effect of a further study lies: t with k - 2 degrees of freedom, variance tau^2 + se^2 (Higgins,
    /// Thompson and Spiegelhalter 2009).
    pub prediction: Result<Interval, NotEstimable>,
}

/// Effects pooled over studies (here: sites).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetaAnalysis {
    /// Number of studies.
    pub k: usize,
    /// One effect common to all studies, weights 1 / v.
    pub fixed: MeanEffect,
    /// `TooFewStudies` for a single study.
    pub heterogeneity: Result<Heterogeneity, NotEstimable>,
    /// `TooFewStudies` for a single study.
    pub random: Result<RandomEffects, NotEstimable>,
}

/// Fixed-effect and random-effects meta-analysis of `effects`.
///
/// One study has neither heterogeneity nor random effects; two have no random-effects interval.
///
/// # Errors
/// `TooFewStudies` without effects; `ZeroVariance` if a variance is not positive (the caller leaves such sites out and
/// names them); `NotFinite`; `InvalidLevel`.
pub fn meta_analysis(effects: &[Effect], level: f64) -> Result<MetaAnalysis, NotEstimable> {
    let z = normal_quantile(level)?;
    check(effects)?;
    let common = WeightedMean::new(effects, 0.0);
    let interval = Interval::around(common.mean, z * common.se)?;
    let fixed = MeanEffect { estimate: common.mean, se: common.se, interval };
    let heterogeneity = heterogeneity(effects, &common);
    let random = heterogeneity.and_then(|h| random_effects(effects, h.tau2_dl, level));
    Ok(MetaAnalysis { k: effects.len(), fixed, heterogeneity, random })
}

fn check(effects: &[Effect]) -> Result<(), NotEstimable> {
    if effects.is_empty() {
        return Err(NotEstimable::TooFewStudies);
    }
    if effects.iter().any(|e| !e.estimate.is_finite() || !e.variance.is_finite()) {
        return Err(NotEstimable::NotFinite);
    }
    // Below the smallest normal number the reciprocal would be infinite.
    if effects.iter().any(|e| e.variance < f64::MIN_POSITIVE) {
        return Err(NotEstimable::ZeroVariance);
    }
    Ok(())
}

/// The risk difference of a site, group minus reference, with variance p1 (1 - p1) / n1 + p0 (1 - p0) / n0.
///
/// The variance is 0 where each group's rate is 0 or 1; [`meta_analysis`] refuses such an effect.
///
/// # Errors
/// Those of [`rate`], for either group.
pub fn risk_difference_effect(stratum: Stratum) -> Result<Effect, NotEstimable> {
    let Stratum { x1, n1, x0, n0 } = stratum;
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    let variance = p1 * (1.0 - p1) / n1 as f64 + p0 * (1.0 - p0) / n0 as f64;
    Ok(Effect { estimate: p1 - p0, variance })
}

/// The logarithm of a site's risk ratio, group by reference, with variance (1 - p1) / x1 + (1 - p0) / x0 (Katz et al. 1978).
///
/// # Errors
/// Those of [`rate`], for either group; `ZeroCell` if a group has no case: nothing is added to zeros.
pub fn log_risk_ratio_effect(stratum: Stratum) -> Result<Effect, NotEstimable> {
    let Stratum { x1, n1, x0, n0 } = stratum;
    let (p1, p0) = (rate(x1, n1)?, rate(x0, n0)?);
    if x1 == 0 || x0 == 0 {
        return Err(NotEstimable::ZeroCell);
    }
    Ok(Effect { estimate: (p1 / p0).ln(), variance: (1.0 - p1) / x1 as f64 + (1.0 - p0) / x0 as f64 })
}

/// The logarithm of a site's odds ratio, group by reference, with the sum of the cells' reciprocals (Woolf 1955).
///
/// # Errors
/// Those of [`rate`], for either group; `ZeroCell` if one of the four cells is 0.
pub fn log_odds_ratio_effect(stratum: Stratum) -> Result<Effect, NotEstimable> {
    let Stratum { x1, n1, x0, n0 } = stratum;
    rate(x1, n1)?;
    rate(x0, n0)?;
    let [a, b, c, d] = [x1, n1 - x1, x0, n0 - x0].map(|cell| cell as f64);
    if [a, b, c, d].contains(&0.0) {
        return Err(NotEstimable::ZeroCell);
    }
    Ok(Effect { estimate: (a / b).ln() - (c / d).ln(), variance: 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d })
}

/// What the other studies say without one, and how that one fits them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeftOut {
    /// The others' random-effects mean (DerSimonian and Laird).
    pub mean: f64,
    /// (y - mean) / sqrt(v + tau^2 + se^2), all of the others: about standard normal for a study that is like them
    /// (Viechtbauer and Cheung 2010).
    pub residual: f64,
}

/// Leaves out each study in turn.
///
/// # Errors
/// Those of [`meta_analysis`]; `TooFewStudies` below three.
pub fn leave_one_out(effects: &[Effect]) -> Result<Vec<LeftOut>, NotEstimable> {
    check(effects)?;
    if effects.len() < 3 {
        return Err(NotEstimable::TooFewStudies);
    }
    let mut others = effects.to_vec();
    let mut found = Vec::with_capacity(effects.len());
    for (at, left) in effects.iter().enumerate() {
        others.truncate(at);
        others.extend_from_slice(&effects[at + 1..]);
        let tau2 = dersimonian_laird(&WeightedMean::new(&others, 0.0), others.len());
        let WeightedMean { mean, se, .. } = WeightedMean::new(&others, tau2);
        let residual = (left.estimate - mean) / (left.variance + tau2 + se * se).sqrt();
        if !mean.is_finite() || !residual.is_finite() {
            return Err(NotEstimable::NotFinite);
        }
        found.push(LeftOut { mean, residual });
        others.truncate(at);
        others.push(*left);
    }
    Ok(found)
}

fn heterogeneity(effects: &[Effect], common: &WeightedMean) -> Result<Heterogeneity, NotEstimable> {
    let freedom = degrees_of_freedom(effects)?;
    let q = Chi2Test::new(common.distance, effects.len() as u64 - 1)?;
    let excess = (q.statistic - freedom).max(0.0);
    let i2 = if excess > 0.0 { excess / q.statistic } else { 0.0 };
    let tau2_dl = dersimonian_laird(common, effects.len());
    let tau2_pm = paule_mandel(effects, freedom);
    if !tau2_dl.is_finite() || !tau2_pm.is_finite() {
        return Err(NotEstimable::NotFinite);
    }
    Ok(Heterogeneity { q, i2, tau2_dl, tau2_pm })
}

/// The tau^2 that the fixed-effect Q has on average, or 0 if that is negative.
fn dersimonian_laird(common: &WeightedMean, k: usize) -> f64 {
    let excess = common.distance - (k as f64 - 1.0);
    if excess > 0.0 { excess / (common.weight - common.weight2 / common.weight) } else { 0.0 }
}

/// The tau^2 at which the generalised Q equals its expectation k - 1, or 0 if it is no larger at 0.
fn paule_mandel(effects: &[Effect], freedom: f64) -> f64 {
    let above = |tau2: f64| WeightedMean::new(effects, tau2).distance > freedom;
    if !above(0.0) {
        return 0.0;
    }
    // At the plain sample variance Q is at most k - 1: each weight is below 1 / tau^2, and the weighted mean
    // minimises the weighted sum of squares.
    let mean = effects.iter().map(|e| e.estimate).sum::<f64>() / effects.len() as f64;
    let variance = effects.iter().map(|e| (e.estimate - mean).powi(2)).sum::<f64>() / freedom;
    bisect(0.0, variance, above)
}

fn random_effects(effects: &[Effect], tau2: f64, level: f64) -> Result<RandomEffects, NotEstimable> {
    let freedom = degrees_of_freedom(effects)?;
    let k = effects.len() as u64;
    let WeightedMean { mean, se, distance, .. } = WeightedMean::new(effects, tau2);
    if !mean.is_finite() || !se.is_finite() {
        return Err(NotEstimable::NotFinite);
    }
    if k < 3 {
        let none = Err(NotEstimable::TooFewStudies);
        return Ok(RandomEffects {
            estimate: mean,
            se,
            interval: none,
            hksj: none,
            hksj_modified: none,
            prediction: none,
        });
    }
    let scale = distance / freedom;
    let t = student_quantile(level, k - 1)?;
    Ok(RandomEffects {
        estimate: mean,
        se,
        interval: Interval::around(mean, normal_quantile(level)? * se),
        hksj: Interval::around(mean, t * scale.sqrt() * se),
        hksj_modified: Interval::around(mean, t * scale.max(1.0).sqrt() * se),
        prediction: Interval::around(mean, student_quantile(level, k - 2)? * (tau2 + se * se).sqrt()),
    })
}

fn degrees_of_freedom(effects: &[Effect]) -> Result<f64, NotEstimable> {
    if effects.len() < 2 { Err(NotEstimable::TooFewStudies) } else { Ok((effects.len() - 1) as f64) }
}

/// The mean with weights 1 / (v + tau^2).
struct WeightedMean {
    mean: f64,
    se: f64,
    /// Sum of the weights.
    weight: f64,
    /// Sum of the squared weights.
    weight2: f64,
    /// Weighted sum of squares around the mean: Q.
    distance: f64,
}

impl WeightedMean {
    fn new(effects: &[Effect], tau2: f64) -> WeightedMean {
        let (mut weight, mut weight2, mut sum) = (0.0, 0.0, 0.0);
        for e in effects {
            let w = 1.0 / (e.variance + tau2);
            weight += w;
            weight2 += w * w;
            sum += w * e.estimate;
        }
        let mean = sum / weight;
        let distance = effects.iter().map(|e| (e.estimate - mean).powi(2) / (e.variance + tau2)).sum();
        WeightedMean { mean, se: weight.recip().sqrt(), weight, weight2, distance }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mantel_haenszel::tests::BERKELEY;
    use super::*;
    use crate::statistics::LEVEL;

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() <= 1e-11 * expected.abs()
    }

    fn holds(interval: Result<Interval, NotEstimable>, lower: f64, upper: f64) -> bool {
        interval.is_ok_and(|i| near(i.lower, lower) && near(i.upper, upper))
    }

    fn effects(pairs: &[(f64, f64)]) -> Vec<Effect> {
        pairs.iter().map(|(estimate, variance)| Effect { estimate: *estimate, variance: *variance }).collect()
    }

    #[test]
    fn berkeley_departments_vary() {
        let effects: Vec<Effect> = BERKELEY.iter().filter_map(|s| risk_difference_effect(*s).ok()).collect();
        let Ok(meta) = meta_analysis(&effects, LEVEL) else { panic!("has effects") };
        assert_eq!(meta.k, 6);
        assert!(near(meta.fixed.estimate, 0.02104838281602691) && near(meta.fixed.se, 0.012790284595602502));
        assert!(holds(Ok(meta.fixed.interval), -0.004020114343371451, 0.04611687997542527));
        let Ok(h) = meta.heterogeneity else { panic!("has six studies") };
        assert!(near(h.q.statistic, 25.39028773591849) && h.q.dof == 5 && near(h.q.p, 0.00011712008016755137));
        assert!(near(h.i2, 0.80307430730977) && near(h.tau2_dl, 0.004736262427540558) && h.tau2_pm > 0.0);
        let Ok(r) = meta.random else { panic!("has six studies") };
        assert!(near(r.estimate, 0.03221900392218397) && near(r.se, 0.032825970342410575));
        assert!(holds(r.interval, -0.032118715706520716, 0.09655672355088865));
        assert!(holds(r.hksj, -0.061576501004562904, 0.12601450884893084));
        assert!(r.prediction.is_ok_and(|p| p.lower < -0.15 && p.upper > 0.2));
    }

    #[test]
    fn few_studies_promise_little() {
        assert_eq!(meta_analysis(&[], LEVEL), Err(NotEstimable::TooFewStudies));
        let one = meta_analysis(&effects(&[(0.1, 0.01)]), LEVEL);
        assert!(one.is_ok_and(|m| m.heterogeneity == Err(NotEstimable::TooFewStudies) && m.random.is_err()));
        let two = meta_analysis(&effects(&[(0.1, 0.01), (0.4, 0.02)]), LEVEL);
        assert!(two.is_ok_and(|m| m.heterogeneity.is_ok()));
        assert!(two.is_ok_and(|m| m.random.is_ok_and(|r| r.interval == Err(NotEstimable::TooFewStudies)
            && r.hksj.is_err()
            && r.hksj_modified.is_err()
            && r.prediction.is_err())));
    }

    #[test]
    fn equal_effects_have_no_heterogeneity() {
        let same = meta_analysis(&effects(&[(0.1, 0.01), (0.1, 0.02), (0.1, 0.04)]), LEVEL);
        assert!(same.is_ok_and(|m| m.heterogeneity.is_ok_and(|h| (h.i2, h.tau2_dl, h.tau2_pm) == (0.0, 0.0, 0.0))));
        assert!(
            same.is_ok_and(|m| m.random.is_ok_and(|r| near(r.estimate, m.fixed.estimate) && near(r.se, m.fixed.se)))
        );
        let zero = meta_analysis(&effects(&[(0.0, 0.01), (0.0, 0.02), (0.0, 0.04)]), LEVEL);
        assert!(zero.is_ok_and(|m| m.random.is_ok_and(|r| r.hksj == Err(NotEstimable::ZeroVariance))));
        assert!(zero.is_ok_and(|m| m.random.is_ok_and(|r| r.hksj_modified.is_ok())));
    }

    #[test]
    fn what_cannot_be_weighed_is_refused() {
        let with = |estimate, variance| meta_analysis(&effects(&[(0.1, 0.01), (estimate, variance)]), LEVEL).err();
        assert_eq!(with(0.1, 0.0), Some(NotEstimable::ZeroVariance));
        assert_eq!(with(0.1, -1.0), Some(NotEstimable::ZeroVariance));
        assert_eq!(with(0.1, f64::NAN), Some(NotEstimable::NotFinite));
        assert_eq!(with(f64::INFINITY, 1.0), Some(NotEstimable::NotFinite));
        let empty = Stratum { x1: 0, n1: 0, x0: 1, n0: 2 };
        assert_eq!(risk_difference_effect(empty), Err(NotEstimable::EmptyDenominator));
    }
}
