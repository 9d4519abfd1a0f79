//! One group against the reference: crude, at each site, adjusted for site, pooled.

use super::across::{PooledFigures, Scale, pooled_figures};
use super::contrast::{DistanceFigures, OutcomeContrast, distance, outcome_contrast};
use super::figure::{Figure, TestFigure, difference, figure, katz, test};
use super::group::{Scored, Terms, decided, rate_of};
use super::identified::{IdentifiedContrast, Partial};
use super::ranking::ScoreContrast;
use super::regression::{RegressionContrast, Values};
use super::{State, pools::SiteCounts};
use crate::disclosure::Counts;
use crate::ids::Name;
use crate::statistics::{self as st, Effect, LEVEL, NotEstimable, Stratum};
use serde::{Deserialize, Serialize};

/// One group against the reference group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairFigures {
    /// The group.
    pub group: Vec<String>,
    /// Sites whose counts of both groups are known: all figures of the pair are over them.
    pub known_at: u64,
    /// Counts of the group and of the reference at these sites: `[decision 0, 1, absent][label 0, 1, none]`.
    pub counts: [Counts; 2],
    /// Sites as if they were one.
    pub crude: Contrast,
    /// How far apart the crude selection rates are.
    pub distance: DistanceFigures,
    /// Each site, in the order of the slice's sites.
    pub sites: Vec<SiteContrast>,
    /// Sites where the group is selected more often than the reference.
    pub favouring_group: Vec<Name>,
    /// Sites where the reference is selected more often.
    pub favouring_reference: Vec<Name>,
    /// Adjusted for site.
    pub mantel_haenszel: AdjustedFigures,
    /// Risk differences of the sites pooled by inverse variance.
    pub pooled: PooledFigures,
    /// Risk ratios of the sites, pooled on their logarithms.
    pub pooled_risk_ratio: PooledFigures,
    /// Odds ratios of the sites, pooled on their logarithms.
    pub pooled_odds_ratio: PooledFigures,
    /// Sites whose difference is more than three standard errors from what the others say.
    pub outliers: Vec<Name>,
    /// The crude difference within and between sites.
    pub split: SplitFigures,
    /// Where differences lie for certain; absent where nothing is hidden.
    pub identified: Option<IdentifiedContrast>,
    /// Whether the crude and the adjusted difference tell different stories.
    pub simpson: SimpsonFigures,
    /// Rates that need labels, sites as if they were one; absent where the contract has no label.
    pub outcomes: Option<OutcomeContrast>,
    /// Scores, sites as if they were one; absent where the contract has no label or no score.
    pub scores: Option<ScoreContrast>,
    /// Errors of predicted values, sites as if they were one; absent unless the task is regression with labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionContrast>,
}

/// Differences and ratios of selection rates, group against reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Selection rate of the group less that of the reference; Newcombe.
    pub difference: Figure,
    /// Selection rate of the group by that of the reference; Katz, or a score interval beside a 0.
    pub selection_ratio: Figure,
    /// The same ratio for the favourable decision.
    pub impact_ratio: Figure,
    /// Odds ratio of selection; Woolf.
    pub odds_ratio: Figure,
}

/// A contrast at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteContrast {
    /// The contrast; absent where the site's counts of either group are not known.
    pub contrast: Option<Contrast>,
    /// Variance of the difference, p(1-p)/n summed over both groups.
    pub variance: Option<f64>,
    /// Share of the fixed-effect weight; absent where the site is left out.
    pub weight: Option<f64>,
    /// Random-effects mean of the other sites' differences; absent where the site is left out, or there are fewer than three.
    pub without: Option<f64>,
    /// How far the site's difference is from that mean, in standard errors of the two and of sites' variation.
    pub residual: Option<f64>,
    /// Why the site is left out of pooled effects; absent where it is in.
    pub left_out: Option<String>,
}

/// Parts of the crude difference (Kitagawa); they add up to it. Normal intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitFigures {
    /// What remains if both groups were spread over the sites alike.
    pub within_sites: Figure,
    /// What follows from the groups being at different sites.
    pub between_sites: Figure,
}

/// Stratified by site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustedFigures {
    /// Sites with events in both groups.
    pub sites: Vec<Name>,
    /// Mantel-Haenszel odds ratio; Robins, Breslow and Greenland.
    pub odds_ratio: Figure,
    /// Mantel-Haenszel risk ratio; Greenland and Robins.
    pub risk_ratio: Figure,
    /// Mantel-Haenszel risk difference; Sato.
    pub risk_difference: Figure,
    /// Cochran-Mantel-Haenszel test.
    pub cmh: TestFigure,
    /// The same with continuity correction.
    pub cmh_corrected: TestFigure,
    /// Breslow-Day test that the odds ratio is the same at all sites.
    pub breslow_day: TestFigure,
    /// The same with Tarone's correction.
    pub breslow_day_tarone: TestFigure,
}

/// Crude against adjusted risk difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimpsonFigures {
    /// Both can be told.
    Compared {
        /// They point opposite ways.
        reversal: bool,
        /// They differ by more than 20 % of an adjusted difference of at least 0.01.
        material: bool,
    },
    /// Undefined, and why.
    NotEstimable(String),
}

/// One group against the reference.
pub(super) struct Pair<'a> {
    pub sites: &'a [SiteCounts],
    pub group: usize,
    pub reference: usize,
    pub terms: Terms<'a>,
    /// What hidden cells leave certain.
    pub partial: &'a Partial,
    /// What sites show of values; none unless the task is regression.
    pub values: Option<&'a Values<'a>>,
}

/// Residual from which on a site is an outlier: 3 in 1,000 are by chance.
const OUTLIER: f64 = 3.0;

impl Pair<'_> {
    /// `name` is the group's; `counts` are the group's and the reference's over the sites that show both, and how many sites
    /// these are.
    pub fn figures(
        &self,
        name: Vec<String>,
        (known_at, counts): (u64, [Counts; 2]),
        scores: [Option<Scored>; 2],
    ) -> PairFigures {
        let [group, reference] = &counts;
        let mature = self.terms.is_mature(group) && self.terms.is_mature(reference);
        let strata: Vec<_> = self.sites.iter().map(|site| self.stratum(site)).collect();
        let known: Vec<(&Name, Stratum)> =
            self.sites.iter().zip(&strata).filter_map(|(site, stratum)| Some((&site.site, (*stratum)?))).collect();
        let favouring = |sign: f64| {
            let difference = |s: &Stratum| st::difference(s.x1, s.n1, s.x0, s.n0).unwrap_or(0.0) * sign;
            known.iter().filter(|(_, s)| difference(s) > 0.0).map(|(site, _)| (*site).clone()).collect()
        };
        let (sites, pooled) = self.pool(&strata);
        let outlier = |site: &SiteContrast| site.residual.is_some_and(|residual| residual.abs() > OUTLIER);
        let outliers = self.sites.iter().zip(&sites).filter(|(_, row)| outlier(row));
        PairFigures {
            group: name,
            known_at,
            counts,
            crude: contrast(group, reference, self.favourable()),
            outliers: outliers.map(|(site, _)| site.site.clone()).collect(),
            distance: distance(group, reference),
            sites,
            favouring_group: favouring(1.0),
            favouring_reference: favouring(-1.0),
            mantel_haenszel: adjusted(&known),
            pooled,
            pooled_risk_ratio: self.pool_ratios(&strata, st::log_risk_ratio_effect),
            pooled_odds_ratio: self.pool_ratios(&strata, st::log_odds_ratio_effect),
            split: split(&known),
            identified: self.partial.contrast(self.group, mature),
            simpson: simpson(&known),
            outcomes: self.terms.contract.label.is_some().then(|| outcome_contrast(group, reference, &self.terms)),
            scores: self.terms.score_contrast(scores),
            regression: self.values.map(|values| values.contrast(self.group, self.reference)),
        }
    }

    fn favourable(&self) -> usize {
        self.terms.contract.favourable_code()
    }

    /// Counts of the group and of the reference.
    fn at<'s>(&self, site: &'s SiteCounts) -> Option<[&'s Counts; 2]> {
        Some([site.groups.get(self.group)?.as_ref()?, site.groups.get(self.reference)?.as_ref()?])
    }

    fn stratum(&self, site: &SiteCounts) -> Option<Stratum> {
        let [group, reference] = self.at(site)?;
        let ((x1, n1), (x0, n0)) = (decided(group), decided(reference));
        Some(Stratum { x1, n1, x0, n0 })
    }

    /// Inverse-variance pooling: sites where both groups have at least `min_site_n` and the variance is above 0.
    fn pool(&self, strata: &[Option<Stratum>]) -> (Vec<SiteContrast>, PooledFigures) {
        let effects = self.effects(strata, st::risk_difference_effect);
        let used: Vec<Effect> = effects.iter().filter_map(|effect| effect.as_ref().ok().copied()).collect();
        let weights: f64 = used.iter().map(|effect| 1.0 / effect.variance).sum();
        let mut others = st::leave_one_out(&used).unwrap_or_default().into_iter();
        let rows = self.sites.iter().zip(strata).zip(&effects).map(|((site, stratum), effect)| {
            let left = effect.as_ref().ok().and_then(|_| others.next());
            SiteContrast {
                contrast: self.at(site).map(|[group, reference]| contrast(group, reference, self.favourable())),
                variance: stratum.and_then(|stratum| st::risk_difference_effect(stratum).ok()).map(|e| e.variance),
                weight: effect.as_ref().ok().map(|effect| 1.0 / effect.variance / weights),
                without: left.map(|left| left.mean),
                residual: left.map(|left| left.residual),
                left_out: effect.as_ref().err().cloned(),
            }
        });
        (rows.collect(), self.pooled(&effects, Scale::Plain))
    }

    fn pool_ratios(&self, strata: &[Option<Stratum>], effect: OfStratum) -> PooledFigures {
        self.pooled(&self.effects(strata, effect), Scale::Log)
    }

    fn pooled(&self, effects: &[Result<Effect, String>], scale: Scale) -> PooledFigures {
        let used = self.sites.iter().zip(effects);
        let used = used.filter_map(|(site, effect)| Some((site.site.clone(), *effect.as_ref().ok()?)));
        let (sites, effects): (Vec<_>, Vec<_>) = used.unzip();
        pooled_figures(sites, &effects, scale)
    }

    fn effects(&self, strata: &[Option<Stratum>], effect: OfStratum) -> Vec<Result<Effect, String>> {
        self.sites.iter().zip(strata).map(|(site, stratum)| self.effect(site, *stratum, effect)).collect()
    }

    fn effect(&self, site: &SiteCounts, stratum: Option<Stratum>, effect: OfStratum) -> Result<Effect, String> {
        let stratum = match (site.state, stratum) {
            (State::Missing, _) => return Err("no release".to_owned()),
            (_, None) => return Err("suppressed".to_owned()),
            (_, Some(stratum)) => stratum,
        };
        if stratum.n1 < self.terms.min_site_n || stratum.n0 < self.terms.min_site_n {
            return Err(format!("a group below {} events", self.terms.min_site_n));
        }
        let effect = effect(stratum).map_err(|e| e.reason().to_owned())?;
        if effect.variance > 0.0 { Ok(effect) } else { Err(NotEstimable::ZeroVariance.reason().to_owned()) }
    }
}

/// A site's effect.
type OfStratum = fn(Stratum) -> Result<Effect, NotEstimable>;

fn split(known: &[(&Name, Stratum)]) -> SplitFigures {
    let strata: Vec<_> = known.iter().map(|(_, stratum)| *stratum).collect();
    let split = st::gap_split(&strata, LEVEL);
    let part = |of: fn(st::GapSplit) -> st::Estimate| figure(split.map(of).map(|e| (e.value, e.interval)), "normal");
    SplitFigures { within_sites: part(|s| s.within), between_sites: part(|s| s.between) }
}

fn contrast(group: &Counts, reference: &Counts, favourable: usize) -> Contrast {
    let ((x1, n1), (x0, n0)) = (decided(group), decided(reference));
    let ((f1, _), (f0, _)) = (rate_of(group, favourable), rate_of(reference, favourable));
    Contrast {
        difference: difference((x1, n1), (x0, n0)),
        selection_ratio: katz(x1, n1, x0, n0),
        impact_ratio: katz(f1, n1, f0, n0),
        odds_ratio: figure(st::odds_ratio(x1, n1, x0, n0, LEVEL).map(|e| (e.value, e.interval)), "woolf"),
    }
}

fn adjusted(known: &[(&Name, Stratum)]) -> AdjustedFigures {
    let strata: Vec<_> = known.iter().map(|(_, stratum)| *stratum).collect();
    let pooled = st::mantel_haenszel(&strata, LEVEL);
    let part = |of: fn(&st::MantelHaenszel) -> Result<st::Estimate, NotEstimable>, method: &str| {
        figure(pooled.as_ref().map_err(|e| *e).and_then(of).map(|e| (e.value, e.interval)), method)
    };
    let cmh = st::cochran_mantel_haenszel(&strata);
    let breslow_day = st::breslow_day(&strata);
    AdjustedFigures {
        sites: pooled.as_ref().map_or(Vec::new(), |p| p.used.iter().map(|&at| known[at].0.clone()).collect()),
        odds_ratio: part(|p| p.odds_ratio, "robins_breslow_greenland"),
        risk_ratio: part(|p| p.risk_ratio, "greenland_robins"),
        risk_difference: part(|p| Ok(p.risk_difference), "sato"),
        cmh: test(cmh.as_ref().map(|c| c.plain).map_err(|e| *e)),
        cmh_corrected: test(cmh.map(|c| c.corrected)),
        breslow_day: test(breslow_day.as_ref().map(|b| b.plain).map_err(|e| *e)),
        breslow_day_tarone: test(breslow_day.map(|b| b.tarone)),
    }
}

fn simpson(known: &[(&Name, Stratum)]) -> SimpsonFigures {
    let strata: Vec<_> = known.iter().map(|(_, stratum)| *stratum).collect();
    match st::simpson(&strata, LEVEL) {
        Ok(s) => SimpsonFigures::Compared { reversal: s.reversal, material: s.material },
        Err(reason) => SimpsonFigures::NotEstimable(reason.reason().to_owned()),
    }
}
