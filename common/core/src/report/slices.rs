//! Figures of one slice from the sites' counts.

use super::{
    AdjustedFigures, Contrast, Estimate, Figure, GroupFigures, LEVEL, PairFigures, Parity, PooledFigures, Selection,
    SimpsonFigures, SiteContrast, SiteState, SliceFigures, State, TestFigure,
};
use crate::disclosure::Counts;
use crate::ids::Name;
use crate::plan::{Slice, is_compared};
use crate::statistics::{
    self as st, Chi2Test, Effect, Interval, MeanEffect, NotEstimable, RatioMethod, Stratum, meta_analysis,
};

/// What a site gave for a slice: a count block for each group where `released`, else none.
pub(super) struct SiteCounts {
    pub site: Name,
    pub state: State,
    pub groups: Vec<Counts>,
}

pub(super) fn add(sum: &mut Counts, part: &Counts) {
    for (sum, part) in sum.iter_mut().flatten().zip(part.iter().flatten()) {
        *sum += part;
    }
}

pub(super) fn slice_figures(
    slice: &Slice,
    groups: &[Vec<String>],
    sites: &[SiteCounts],
    favourable: usize,
    min_site_n: u64,
) -> SliceFigures {
    let pooled: Vec<Option<Counts>> = (0..groups.len()).map(|group| pooled(sites, group)).collect();
    let rows = groups.iter().zip(&pooled).enumerate().map(|(at, (group, pooled))| GroupFigures {
        group: group.clone(),
        compared: is_compared(group),
        pooled: pooled.as_ref().map(selection),
        sites: sites.iter().map(|site| site.groups.get(at).map(selection)).collect(),
    });
    let rows: Vec<_> = rows.collect();
    let reference = groups.iter().position(|group| *group == slice.reference);
    let others = (0..groups.len()).filter(|&at| is_compared(&groups[at]) && Some(at) != reference);
    let pairs = reference.filter(|_| !slice.attributes.is_empty()).map(|reference| {
        others
            .filter_map(|at| {
                let pair = Pair { sites, group: at, reference, favourable, min_site_n };
                let seen = pooled[at].as_ref().is_some_and(|counts| decided(counts).1 > 0);
                seen.then(|| pair.figures(groups[at].clone(), &pooled))
            })
            .collect()
    });
    SliceFigures {
        attributes: slice.attributes.clone(),
        reference: slice.reference.clone(),
        sites: sites.iter().map(|site| SiteState { site: site.site.clone(), state: site.state }).collect(),
        parity: (!slice.attributes.is_empty())
            .then(|| parity(rows.iter().filter(|r| r.compared).map(|r| r.pooled.as_ref()))),
        site_parity: site_parity(slice, &rows, sites.len()),
        groups: rows,
        pairs: pairs.unwrap_or_default(),
    }
}

/// Sum over the sites that released the slice; none where no site did.
fn pooled(sites: &[SiteCounts], group: usize) -> Option<Counts> {
    sites.iter().filter_map(|site| site.groups.get(group)).copied().reduce(|mut sum, part| {
        add(&mut sum, &part);
        sum
    })
}

/// (events with decision `code`, events with a decision).
fn rate_of(counts: &Counts, code: usize) -> (u64, u64) {
    let row = |decision: usize| counts[decision].iter().sum::<u64>();
    (row(code), row(0) + row(1))
}

/// (selected, decided).
fn decided(counts: &Counts) -> (u64, u64) {
    rate_of(counts, 1)
}

fn selection(counts: &Counts) -> Selection {
    let (selected, decided) = decided(counts);
    let rate = st::rate(selected, decided).map(|value| (value, st::wilson(selected, decided, LEVEL)));
    Selection {
        n: counts.iter().flatten().sum(),
        decided,
        selected,
        labelled: counts.iter().map(|row| row[0] + row[1]).sum(),
        selection_rate: figure(rate, "wilson"),
    }
}

fn site_parity(slice: &Slice, groups: &[GroupFigures], sites: usize) -> Vec<Option<Parity>> {
    let at = |site: usize| {
        let compared = groups.iter().filter(|group| group.compared).map(|group| group.sites[site].as_ref());
        let known = compared.clone().all(|selection| selection.is_some());
        (known && !slice.attributes.is_empty()).then(|| parity(compared))
    };
    (0..sites).map(at).collect()
}

/// Gaps over compared groups; none of them is known where no site gave the slice.
fn parity<'a>(compared: impl Iterator<Item = Option<&'a Selection>>) -> Parity {
    let Some(compared) = compared.collect::<Option<Vec<&Selection>>>() else {
        let (difference, ratio) = (Figure::Suppressed, Figure::Suppressed);
        return Parity { groups_defined: 0, groups: 0, difference, ratio, chi2: TestFigure::Suppressed };
    };
    let present: Vec<_> = compared.into_iter().filter(|selection| selection.n > 0).collect();
    let rates: Vec<_> = present.iter().map(|s| (s.selected, s.decided)).filter(|&(_, decided)| decided > 0).collect();
    let difference = st::max_min_difference(&rates, LEVEL).map(|f| (f.value, Ok(f.interval)));
    let ratio = st::min_max_ratio(&rates, LEVEL).map(|f| (f.value, Ok(f.interval)));
    let table: Vec<[u64; 2]> = rates.iter().map(|&(selected, decided)| [selected, decided - selected]).collect();
    Parity {
        groups_defined: rates.len() as u64,
        groups: present.len() as u64,
        difference: figure(difference, "newcombe, Bonferroni over pairs"),
        ratio: figure(ratio, "katz or koopman, Bonferroni over pairs"),
        chi2: test(st::pearson_chi2(&table)),
    }
}

/// One group against the reference.
struct Pair<'a> {
    sites: &'a [SiteCounts],
    group: usize,
    reference: usize,
    favourable: usize,
    min_site_n: u64,
}

impl Pair<'_> {
    fn figures(&self, name: Vec<String>, pooled: &[Option<Counts>]) -> PairFigures {
        let zero = [[0; 3]; 3];
        let counts = |at: usize| pooled[at].unwrap_or(zero);
        let strata: Vec<_> = self.sites.iter().map(|site| self.stratum(site)).collect();
        let known: Vec<(&Name, Stratum)> =
            self.sites.iter().zip(&strata).filter_map(|(site, stratum)| Some((&site.site, (*stratum)?))).collect();
        let favouring = |sign: f64| {
            let difference = |s: &Stratum| st::difference(s.x1, s.n1, s.x0, s.n0).unwrap_or(0.0) * sign;
            known.iter().filter(|(_, s)| difference(s) > 0.0).map(|(site, _)| (*site).clone()).collect()
        };
        let (sites, pooled) = self.pool(&strata);
        PairFigures {
            group: name,
            crude: contrast(&counts(self.group), &counts(self.reference), self.favourable),
            sites,
            favouring_group: favouring(1.0),
            favouring_reference: favouring(-1.0),
            mantel_haenszel: adjusted(&known),
            pooled,
            simpson: simpson(&known),
        }
    }

    fn stratum(&self, site: &SiteCounts) -> Option<Stratum> {
        let (x1, n1) = decided(site.groups.get(self.group)?);
        let (x0, n0) = decided(site.groups.get(self.reference)?);
        Some(Stratum { x1, n1, x0, n0 })
    }

    /// Inverse-variance pooling: sites where both groups have at least `min_site_n` and the variance is above 0.
    fn pool(&self, strata: &[Option<Stratum>]) -> (Vec<SiteContrast>, PooledFigures) {
        let effects: Vec<Result<Effect, String>> =
            self.sites.iter().zip(strata).map(|(site, stratum)| self.effect(site, *stratum)).collect();
        let used: Vec<Effect> = effects.iter().filter_map(|effect| effect.as_ref().ok().copied()).collect();
        let weights: f64 = used.iter().map(|effect| 1.0 / effect.variance).sum();
        let rows = self.sites.iter().zip(strata).zip(&effects).map(|((site, stratum), effect)| SiteContrast {
            contrast: stratum.and_then(|_| {
                Some(contrast(site.groups.get(self.group)?, site.groups.get(self.reference)?, self.favourable))
            }),
            variance: stratum.and_then(|stratum| st::risk_difference_effect(stratum).ok()).map(|e| e.variance),
            weight: effect.as_ref().ok().map(|effect| 1.0 / effect.variance / weights),
            left_out: effect.as_ref().err().cloned(),
        });
        let names = self.sites.iter().zip(&effects).filter(|(_, effect)| effect.is_ok());
        (rows.collect(), pooled_figures(names.map(|(site, _)| site.site.clone()).collect(), &used))
    }

    fn effect(&self, site: &SiteCounts, stratum: Option<Stratum>) -> Result<Effect, String> {
        let stratum = match (site.state, stratum) {
            (State::Suppressed, _) => return Err("suppressed".to_owned()),
            (State::Missing, _) | (_, None) => return Err("no release".to_owned()),
            (State::Released, Some(stratum)) => stratum,
        };
        if stratum.n1 < self.min_site_n || stratum.n0 < self.min_site_n {
            return Err(format!("a group below {} events", self.min_site_n));
        }
        let effect = st::risk_difference_effect(stratum).map_err(|e| e.reason().to_owned())?;
        if effect.variance > 0.0 { Ok(effect) } else { Err(NotEstimable::ZeroVariance.reason().to_owned()) }
    }
}

fn contrast(group: &Counts, reference: &Counts, favourable: usize) -> Contrast {
    let ((x1, n1), (x0, n0)) = (decided(group), decided(reference));
    let ((f1, _), (f0, _)) = (rate_of(group, favourable), rate_of(reference, favourable));
    let difference = st::difference(x1, n1, x0, n0);
    Contrast {
        difference: figure(difference.map(|d| (d, st::newcombe_difference(x1, n1, x0, n0, LEVEL))), "newcombe"),
        selection_ratio: ratio(x1, n1, x0, n0),
        impact_ratio: ratio(f1, n1, f0, n0),
        odds_ratio: figure(st::odds_ratio(x1, n1, x0, n0, LEVEL).map(|e| (e.value, e.interval)), "woolf"),
    }
}

fn ratio(x1: u64, n1: u64, x0: u64, n0: u64) -> Figure {
    let estimate = st::katz_ratio(x1, n1, x0, n0, LEVEL);
    let method = match &estimate {
        Ok(estimate) if estimate.method == RatioMethod::KoopmanScore => "koopman_score",
        _ => "katz_log",
    };
    figure(estimate.map(|e| (e.value, Ok(e.interval))), method)
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

fn pooled_figures(sites: Vec<Name>, effects: &[Effect]) -> PooledFigures {
    let meta = meta_analysis(effects, LEVEL);
    let mean = |m: MeanEffect| (m.estimate, Ok(m.interval));
    let heterogeneity = meta.and_then(|m| m.heterogeneity);
    let random = meta.and_then(|m| m.random);
    PooledFigures {
        sites,
        fixed: figure(meta.map(|m| mean(m.fixed)), "inverse_variance"),
        random: figure(random.map(|r| (r.estimate, r.interval)), "dersimonian_laird"),
        random_hksj: figure(random.map(|r| (r.estimate, r.hksj)), "hartung_knapp_sidik_jonkman"),
        q: test(heterogeneity.map(|h| h.q)),
        i2: point(heterogeneity.map(|h| h.i2)),
        tau2: point(heterogeneity.map(|h| h.tau2_dl)),
    }
}

fn simpson(known: &[(&Name, Stratum)]) -> SimpsonFigures {
    let strata: Vec<_> = known.iter().map(|(_, stratum)| *stratum).collect();
    match st::simpson(&strata, LEVEL) {
        Ok(s) => SimpsonFigures::Compared { reversal: s.reversal, material: s.material },
        Err(reason) => SimpsonFigures::NotEstimable(reason.reason().to_owned()),
    }
}

fn figure(estimate: Result<(f64, Result<Interval, NotEstimable>), NotEstimable>, method: &str) -> Figure {
    match estimate {
        Ok((value, Ok(interval))) => {
            Figure::Estimate(Estimate { value, interval: Some(interval), method: method.to_owned() })
        }
        Ok((value, Err(why))) => {
            Figure::Estimate(Estimate { value, interval: None, method: format!("no interval: {}", why.reason()) })
        }
        Err(why) => Figure::NotEstimable(why.reason().to_owned()),
    }
}

/// A figure that describes and has no interval of its own.
fn point(value: Result<f64, NotEstimable>) -> Figure {
    match value {
        Ok(value) => {
            Figure::Estimate(Estimate { value, interval: None, method: "no interval: descriptive".to_owned() })
        }
        Err(why) => Figure::NotEstimable(why.reason().to_owned()),
    }
}

fn test(test: Result<Chi2Test, NotEstimable>) -> TestFigure {
    match test {
        Ok(Chi2Test { statistic, dof, p }) => TestFigure::Test { statistic, dof, p },
        Err(why) => TestFigure::NotEstimable(why.reason().to_owned()),
    }
}
