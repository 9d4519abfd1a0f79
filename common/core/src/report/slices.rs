//! Figures of one slice, and of each window, from what sites released.

use super::classification::classification;
use super::compile::Part;
use super::fairness::fairness;
use super::group::{GroupFigures, Known, Measures, Scored, Terms, decided};
use super::histogram::Histogram;
use super::identified::Partial;
use super::multiclass::Classes;
use super::pair::Pair;
use super::parity::{Parity, parity};
use super::ranking::site_effect;
use super::regression::Values;
use super::{SiteState, SliceFigures, State, WindowFigures};
use crate::disclosure::{Counts, ReleasedSlice};
use crate::ids::Name;
use crate::plan::{Slice, is_compared};
use crate::statistics::Effect;
use crate::time::Window;

/// What a site gave for a slice: a count block for each group where `released`, else none.
pub(super) struct SiteCounts {
    pub site: Name,
    pub state: State,
    pub groups: Vec<Counts>,
}

/// Counts and scores of a site, or of several, by group.
#[derive(Default)]
struct Sum {
    groups: Vec<Counts>,
    /// Empty where the scores are not known.
    scores: Vec<Histogram>,
    /// Counts of those whose scores are known.
    scored: Vec<Counts>,
}

impl Sum {
    fn known(&self, group: usize) -> Option<Known<'_>> {
        let scores = self.scores.get(group).zip(self.scored.get(group));
        let scores = scores.map(|(histogram, counts)| Scored::new(histogram, counts));
        Some(Known { counts: self.groups.get(group)?, scores })
    }

    fn add(&mut self, part: &Sum) {
        add_counts(&mut self.groups, &part.groups);
        add_counts(&mut self.scored, &part.scored);
        match self.scores.is_empty() {
            true => self.scores.clone_from(&part.scores),
            false => self.scores.iter_mut().zip(&part.scores).for_each(|(sum, part)| sum.add(part)),
        }
    }
}

pub(super) fn add_counts(sum: &mut Vec<Counts>, part: &[Counts]) {
    if sum.is_empty() {
        *sum = part.to_vec();
        return;
    }
    for (sum, part) in sum.iter_mut().flatten().flatten().zip(part.iter().flatten().flatten()) {
        *sum += part;
    }
}

/// A site's slices of one stratum, one a window; none where a window has no release.
fn site_sum(parts: Option<&[&ReleasedSlice]>) -> (State, Option<State>, Sum) {
    let Some(parts) = parts else { return (State::Missing, None, Sum::default()) };
    let mut sum = Sum::default();
    let mut scores = true;
    for part in parts {
        let Some(counts) = part.groups.iter().map(|group| group.counts.full().copied()).collect::<Option<Vec<_>>>()
        else {
            return (State::Suppressed, None, Sum::default());
        };
        add_counts(&mut sum.groups, &counts);
        let released: Option<Vec<_>> = part.groups.iter().map(|group| group.scores.as_ref()?.value()).collect();
        let Some(released) = released.filter(|_| scores) else {
            scores = false;
            continue;
        };
        let histograms: Vec<_> = released.into_iter().map(Histogram::new).collect();
        match sum.scores.is_empty() {
            true => sum.scores = histograms,
            false => sum.scores.iter_mut().zip(&histograms).for_each(|(sum, part)| sum.add(part)),
        }
    }
    if scores {
        sum.scored.clone_from(&sum.groups);
    } else {
        sum.scores.clear();
    }
    (State::Released, Some(if scores { State::Released } else { State::Suppressed }), sum)
}

/// The counts of a slice by group, if they are visible.
pub(super) fn site_counts_in(slice: &ReleasedSlice) -> Option<Vec<Counts>> {
    slice.groups.iter().map(|group| group.counts.full().copied()).collect()
}

/// A group's figures at a site, and its area as an effect to pool, or why not.
type AtSite = (Option<Measures>, Result<Effect, String>);

/// The figures of `slice`, the `part`'s slice at every site.
pub(super) fn slice_figures(slice: &Slice, groups: &[Vec<String>], part: &Part, terms: &Terms) -> SliceFigures {
    let mut pooled = Sum::default();
    let (mut sites, mut states) = (Vec::new(), Vec::new());
    let mut measures: Vec<Vec<AtSite>> = vec![Vec::new(); groups.len()];
    let (has_label, has_scores) = (terms.contract.label.is_some(), terms.contract.score.is_some());
    let partial = Partial::of(part, groups.len(), terms.contract.label.is_some());
    // Site by site: histograms are large, and only their sum is needed beside a site's own figures.
    for site in part.sites {
        let (state, scores, sum) = site_sum(part.slices(site).as_deref());
        for (group, row) in measures.iter_mut().enumerate() {
            let known = sum.known(group);
            row.push((known.map(|known| terms.measures(known)), site_effect(terms, known)));
        }
        pooled.add(&sum);
        states.push(SiteState { site: site.clone(), state, scores: scores.filter(|_| has_scores) });
        sites.push(SiteCounts { site: site.clone(), state, groups: sum.groups });
    }
    let (classes, values) = (Classes::of(part, terms), Values::of(part, terms));
    // Areas under curves are in it: they are computed once.
    let known: Vec<Option<Known>> = (0..groups.len()).map(|at| pooled.known(at)).collect();
    let rows = groups.iter().zip(measures).enumerate().map(|(at, (group, sites))| {
        let (sites, areas): (Vec<_>, Vec<_>) = sites.into_iter().unzip();
        let areas: Vec<_> = part.sites.iter().zip(areas).collect();
        let known = known[at];
        GroupFigures {
            group: group.clone(),
            compared: is_compared(group),
            pooled: known.map(|known| terms.measures(known)),
            classification: pooled.groups.get(at).filter(|_| has_label).map(|counts| classification(counts, terms)),
            sites,
            reliability: known.map(|known| terms.reliability(known)).unwrap_or_default(),
            ranking: known.and_then(|known| terms.ranking(known, &areas)),
            calibration: known.and_then(|known| terms.calibration(known)),
            identified: partial.as_ref().and_then(|partial| partial.group(at, terms)),
            multiclass: known.and(classes.as_ref()).map(|classes| classes.figures(at)),
            regression: known.and(values.as_ref()).map(|values| values.figures(at)),
        }
    });
    let cut = !slice.attributes.is_empty();
    let compared = |counts: &[Counts]| -> Option<Vec<Counts>> {
        (0..groups.len()).filter(|at| is_compared(&groups[*at])).map(|at| counts.get(at).copied()).collect()
    };
    let site_parity = |site: &SiteCounts| -> Option<Parity> {
        Some(parity(Some(&compared(&site.groups)?), terms)).filter(|_| cut && site.state == State::Released)
    };
    SliceFigures {
        attributes: slice.attributes.clone(),
        reference: slice.reference.clone(),
        parity: cut.then(|| parity(compared(&pooled.groups).as_deref(), terms)),
        fairness: cut.then(|| fairness(named(groups, &pooled.groups).as_deref(), terms)),
        multiclass: classes.as_ref().filter(|_| cut).map(|classes| classes.parity(groups)),
        regression: values.as_ref().filter(|_| cut).map(|values| values.parity(groups)),
        site_parity: sites.iter().map(site_parity).collect(),
        groups: rows.collect(),
        pairs: pairs(slice, groups, (&sites, &known, partial.as_ref(), values.as_ref()), terms),
        sites: states,
    }
}

/// Compared groups with their counts; none where the counts are not known.
fn named<'a>(groups: &'a [Vec<String>], counts: &[Counts]) -> Option<Vec<(&'a [String], Counts)>> {
    let all = groups.iter().enumerate().filter(|(_, group)| is_compared(group));
    all.map(|(at, group)| Some((&group[..], *counts.get(at)?))).collect()
}

/// What pairs are compared from: counts by site, groups pooled, hidden parts, and values where the task has them.
type Pools<'a> = (&'a [SiteCounts], &'a [Option<Known<'a>>], Option<&'a Partial>, Option<&'a Values<'a>>);

fn pairs(
    slice: &Slice,
    groups: &[Vec<String>],
    (sites, known, partial, values): Pools,
    terms: &Terms,
) -> Vec<super::PairFigures> {
    let reference = groups.iter().position(|group| *group == slice.reference).filter(|_| !slice.attributes.is_empty());
    let Some((reference, against)) = reference.and_then(|at| Some((at, known[at]?))) else {
        return Vec::new();
    };
    let others = groups
        .iter()
        .enumerate()
        .filter_map(|(at, group)| Some((at, group, known[at]?)))
        .filter(|(at, group, known)| is_compared(group) && *at != reference && decided(known.counts).1 > 0);
    others
        .map(|(at, group, known)| {
            Pair { sites, group: at, reference, terms: *terms, partial, values }.figures(group.clone(), known, against)
        })
        .collect()
}

/// All events of each window, over the sites that released the slice without attributes.
pub(super) fn window_figures(part: &Part, terms: &Terms) -> Vec<WindowFigures> {
    let of = |window: &Window| {
        let mut pooled = Sum::default();
        let mut sites = 0;
        for slice in part.sites.iter().filter_map(|site| part.slice(site, window)) {
            let (state, _, sum) = site_sum(Some(&[slice]));
            pooled.add(&sum);
            sites += u64::from(state == State::Released);
        }
        WindowFigures { window: *window, sites, pooled: pooled.known(0).map(|known| terms.measures(known)) }
    };
    part.windows.iter().map(of).collect()
}
