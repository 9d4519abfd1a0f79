//! How well pooled scores rank: a group's, and one group's against another's.

use super::across::{PooledFigures, Scale, pooled_figures};
use super::figure::{Figure, figure, point, with_bounds};
use super::group::{Known, Scored, Terms};
use super::histogram::Histogram;
use crate::ids::Name;
use crate::statistics::{self as st, Auc, Bounded, BoundedEstimate, Effect, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// The false positive rate up to which [`RankingFigures::partial_auc`] looks.
const MAX_FPR: f64 = 0.1;

/// How well a group's scores rank its labels, sites as if they were one. Each figure has bounds that hold however scores
/// fall inside their bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingFigures {
    /// 2 AUC - 1; DeLong on bins.
    pub gini: Figure,
    /// Kolmogorov-Smirnov distance between the scores of both labels.
    pub ks: Figure,
    /// Mean precision over the positives; logit.
    pub average_precision: Figure,
    /// Area under the ROC curve up to a false positive rate of 0.1, standardised so that chance is 1/2 (McClish).
    pub partial_auc: Figure,
    /// The sites' areas pooled on their logits.
    pub across_sites: PooledFigures,
}

/// Scores of the group against those of the reference, sites as if they were one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreContrast {
    /// AUC of the group less that of the reference; DeLong on bins.
    pub auc: Figure,
    /// Area between both ROC curves.
    pub abroca: Figure,
}

/// A site's area on the logit scale, or why it is not pooled.
pub(super) fn site_effect(terms: &Terms, known: Option<Known>) -> Result<Effect, String> {
    let known = known.ok_or("suppressed or missing")?;
    let scored = known.scores.ok_or("suppressed")?;
    if !terms.is_mature(scored.counts) {
        return Err(NotEstimable::Immature.reason().to_owned());
    }
    if scored.histogram.totals().into_iter().any(|n| n < terms.min_site_n) {
        return Err(format!("a label below {} events", terms.min_site_n));
    }
    scored.auc.and_then(|auc| st::auc_effect(&auc)).map_err(|why| why.reason().to_owned())
}

impl Terms<'_> {
    /// Of a group's pooled scores, and of its `areas` at each site.
    pub fn ranking(&self, known: Known, areas: &[(&Name, Result<Effect, String>)]) -> Option<RankingFigures> {
        self.has_scores().then(|| {
            let of = |of: &dyn Fn(&Histogram, Auc) -> Figure| match self.scored(known.scores) {
                None => Figure::Suppressed,
                Some(Ok((scores, auc))) => of(scores, auc),
                Some(Err(why)) => Figure::undefined(why),
            };
            let used = areas.iter().filter_map(|(site, area)| Some(((*site).clone(), *area.as_ref().ok()?)));
            let (sites, effects): (Vec<Name>, Vec<Effect>) = used.unzip();
            RankingFigures {
                gini: of(&|_, auc| bounded_estimate(Ok(st::gini(&auc)), "delong_on_bins")),
                ks: of(&|scores, _| bounded(both(scores, st::label_distance))),
                average_precision: of(&|scores, _| {
                    bounded_estimate(both(scores, |p, n| st::average_precision(p, n, LEVEL)), "logit")
                }),
                partial_auc: of(&|scores, _| bounded(both(scores, |p, n| st::partial_auc(p, n, MAX_FPR)))),
                across_sites: pooled_figures(sites, &effects, Scale::Logit),
            }
        })
    }

    /// Of both groups' pooled scores.
    pub fn score_contrast(&self, [group, reference]: [Option<Scored>; 2]) -> Option<ScoreContrast> {
        self.has_scores().then(|| match (self.scored(group), self.scored(reference)) {
            (None, _) | (_, None) => ScoreContrast { auc: Figure::Suppressed, abroca: Figure::Suppressed },
            (Some(Err(why)), _) | (_, Some(Err(why))) => {
                ScoreContrast { auc: Figure::undefined(why), abroca: Figure::undefined(why) }
            }
            (Some(Ok((one, one_auc))), Some(Ok((other, other_auc)))) => {
                let ([n1, p1], [n0, p0]) = (one.counts(), other.counts());
                ScoreContrast {
                    auc: bounded_estimate(st::auc_difference(&one_auc, &other_auc, LEVEL), "delong_on_bins"),
                    abroca: bounded(st::abroca((p1, n1), (p0, n0))),
                }
            }
        })
    }

    fn has_scores(&self) -> bool {
        self.contract.label.is_some() && self.contract.score.is_some()
    }

    /// A group's scores with their area; none where they are hidden.
    fn scored<'a>(&self, scored: Option<Scored<'a>>) -> Option<Result<(&'a Histogram, Auc), NotEstimable>> {
        let scored = scored?;
        Some(match self.is_mature(scored.counts) {
            true => scored.auc.map(|auc| (scored.histogram, auc)),
            false => Err(NotEstimable::Immature),
        })
    }
}

fn both<T>(scores: &Histogram, of: impl Fn(&[u64], &[u64]) -> T) -> T {
    let [negatives, positives] = scores.counts();
    of(positives, negatives)
}

fn bounded(found: Result<Bounded, NotEstimable>) -> Figure {
    with_bounds(point(found.map(|b| b.value), "descriptive"), found.map(|b| b.bounds))
}

pub(super) fn bounded_estimate(found: Result<BoundedEstimate, NotEstimable>, method: &str) -> Figure {
    let figure = figure(found.map(|b| (b.estimate.value, b.estimate.interval)), method);
    with_bounds(figure, found.map(|b| b.bounds))
}
