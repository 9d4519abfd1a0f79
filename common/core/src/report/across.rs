//! Effects of sites pooled by inverse variance, whatever the effect.

use super::figure::{Figure, TestFigure, figure, point, test};
use crate::ids::Name;
use crate::statistics::{self as st, Effect, Interval, LEVEL, NotEstimable, RandomEffects};
use serde::{Deserialize, Serialize};

/// Inverse-variance pooling of one effect a site. Means, intervals and predictions of ratios and areas are given as such,
/// Q, I^2 and tau^2 on the scale on which they were pooled: logarithm, logit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledFigures {
    /// Sites used.
    pub sites: Vec<Name>,
    /// Fixed effect.
    pub fixed: Figure,
    /// Random effects, DerSimonian and Laird.
    pub random: Figure,
    /// Random effects with the Hartung-Knapp-Sidik-Jonkman interval.
    pub random_hksj: Figure,
    /// The same with its scale held at 1: never narrower than the usual variance.
    pub random_hksj_modified: Figure,
    /// Random effects, with the interval in which the effect of a further site lies; from five sites on.
    pub prediction: Figure,
    /// Cochran's Q.
    pub q: TestFigure,
    /// Share of the variation that is between sites.
    pub i2: Figure,
    /// Between-site variance, DerSimonian and Laird, not below 0.
    pub tau2: Figure,
    /// Between-site variance, Paule and Mandel, not below 0.
    pub tau2_paule_mandel: Figure,
}

/// The scale on which effects are pooled, and back from it.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    Plain,
    Log,
    Logit,
}

impl Scale {
    fn back(self, x: f64) -> f64 {
        match self {
            Scale::Plain => x,
            Scale::Log => x.exp(),
            Scale::Logit => 1.0 / (1.0 + (-x).exp()),
        }
    }
}

/// Fewer sites tell too little of how sites differ for a prediction to be shown.
const PREDICTION_SITES: usize = 5;

pub(super) fn pooled_figures(sites: Vec<Name>, effects: &[Effect], scale: Scale) -> PooledFigures {
    let meta = st::meta_analysis(effects, LEVEL);
    let heterogeneity = meta.and_then(|m| m.heterogeneity);
    let random = meta.and_then(|m| m.random);
    let back = |i: Interval| Interval { lower: scale.back(i.lower), upper: scale.back(i.upper) };
    let fixed = meta.map(|m| m.fixed);
    let mean = |of: fn(RandomEffects) -> Result<Interval, NotEstimable>, method: &str| {
        figure(random.map(|r| (scale.back(r.estimate), of(r).map(back))), method)
    };
    PooledFigures {
        sites,
        fixed: figure(fixed.map(|m| (scale.back(m.estimate), Ok(back(m.interval)))), "inverse_variance"),
        random: mean(|r| r.interval, "dersimonian_laird"),
        random_hksj: mean(|r| r.hksj, "hartung_knapp_sidik_jonkman"),
        random_hksj_modified: mean(|r| r.hksj_modified, "hartung_knapp_sidik_jonkman, scale at least 1"),
        prediction: match effects.len() < PREDICTION_SITES {
            true => Figure::undefined(NotEstimable::TooFewStudies),
            false => mean(|r| r.prediction, "higgins_thompson_spiegelhalter"),
        },
        q: test(heterogeneity.map(|h| h.q)),
        i2: point(heterogeneity.map(|h| h.i2), "descriptive"),
        tau2: point(heterogeneity.map(|h| h.tau2_dl), "descriptive"),
        tau2_paule_mandel: point(heterogeneity.map(|h| h.tau2_pm), "descriptive"),
    }
}
