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
use super::pools::{Pooled, Pools, SiteCounts, add};
use super::ranking::site_effect;
use super::regression::Values;
use super::{PairFigures, SiteState, SliceFigures, State, WindowFigures};
use crate::disclosure::{Counts, ReleasedSlice, Step};
use crate::plan::{Slice, is_compared};
use crate::statistics::Effect;
use crate::time::Window;

/// Scores by group, of a site or of several, and the counts of the same sites.
#[derive(Default)]
struct Scores {
    /// Empty where they are not known.
    histograms: Vec<Histogram>,
    counts: Vec<Counts>,
}

impl Scores {
    /// Of a site that shows all counts and scores in every window: scores are shown of all groups, or of none.
    fn of(parts: Option<&[&ReleasedSlice]>, counts: &SiteCounts, step: Step) -> Scores {
        let all: Vec<usize> = (0..counts.groups.len()).collect();
        let Some((parts, counts)) = parts.zip(counts.all(&all)) else { return Scores::default() };
        let mut sum = Scores { histograms: Vec::new(), counts };
        for part in parts {
            let released: Option<Vec<_>> = part.groups.iter().map(|group| group.scores.as_ref()?.value()).collect();
            let Some(released) = released else { return Scores::default() };
            add_histograms(
                &mut sum.histograms,
                released.into_iter().map(|scores| Histogram::new(scores, step)).collect(),
            );
        }
        sum
    }

    fn add(&mut self, part: Scores) {
        if part.histograms.is_empty() {
            return;
        }
        match self.counts.is_empty() {
            true => self.counts = part.counts,
            false => self.counts.iter_mut().zip(&part.counts).for_each(|(sum, part)| add(sum, part)),
        }
        add_histograms(&mut self.histograms, part.histograms);
    }

    fn scored(&self, group: usize) -> Option<Scored<'_>> {
        self.histograms.get(group).zip(self.counts.get(group)).map(|(scores, counts)| Scored::new(scores, counts))
    }
}

fn add_histograms(sum: &mut Vec<Histogram>, part: Vec<Histogram>) {
    match sum.is_empty() {
        true => *sum = part,
        false => sum.iter_mut().zip(&part).for_each(|(sum, part)| sum.add(part)),
    }
}

/// A group's figures at a site, and its area as an effect to pool, or why not.
type AtSite = (Option<Measures>, Result<Effect, String>);

/// What the sites of a slice show, site by site and added up.
struct Gathered {
    pools: Pools,
    states: Vec<SiteState>,
    scores: Scores,
    /// A row for each group.
    measures: Vec<Vec<AtSite>>,
}

/// Site by site: histograms are large, and only their sum is needed beside a site's own figures.
fn gather(part: &Part, groups: usize, terms: &Terms) -> Gathered {
    let mut all = Gathered {
        pools: Pools(Vec::new()),
        states: Vec::new(),
        scores: Scores::default(),
        measures: vec![Vec::new(); groups],
    };
    for site in part.sites {
        let parts = part.slices(site);
        let counts = SiteCounts::of(site, parts.as_deref(), groups);
        let scores = Scores::of(parts.as_deref(), &counts, terms.step);
        for (group, row) in all.measures.iter_mut().enumerate() {
            let own = counts.groups[group].as_ref();
            let known = own.map(|counts| Known { counts, scores: scores.scored(group) });
            row.push((known.map(|known| terms.measures(known)), site_effect(terms, known)));
        }
        let shows = if scores.histograms.is_empty() { State::Suppressed } else { State::Released };
        let counted = matches!(counts.state, State::Released | State::Partial);
        let shows = Some(shows).filter(|_| counted && terms.contract.score.is_some());
        all.states.push(SiteState { site: site.clone(), state: counts.state, scores: shows });
        all.scores.add(scores);
        all.pools.0.push(counts);
    }
    all
}

/// The figures of `slice`, the `part`'s slice at every site.
pub(super) fn slice_figures(slice: &Slice, groups: &[Vec<String>], part: &Part, terms: &Terms) -> SliceFigures {
    let Gathered { pools, states, scores, measures } = gather(part, groups.len(), terms);
    let has_label = terms.contract.label.is_some();
    let partial = Partial::of(part, slice, groups, terms);
    let (classes, values) = (Classes::of(part, terms), Values::of(part, terms));
    let own: Vec<Pooled> = (0..groups.len()).map(|at| pools.sum(&[at])).collect();
    // Areas under curves are in it: they are computed once.
    let known = own
        .iter()
        .enumerate()
        .map(|(at, own)| Some(Known { counts: own.counts.as_ref()?.first()?, scores: scores.scored(at) }));
    let known: Vec<Option<Known>> = known.collect();
    let rows = groups.iter().zip(measures).enumerate().map(|(at, (group, sites))| {
        let (sites, areas): (Vec<_>, Vec<_>) = sites.into_iter().unzip();
        let areas: Vec<_> = part.sites.iter().zip(areas).collect();
        let known = known[at];
        GroupFigures {
            group: group.clone(),
            compared: is_compared(group),
            known_at: own[at].sites,
            of_sites: pools.released(),
            pooled: known.map(|known| terms.measures(known)),
            classification: known.filter(|_| has_label).map(|known| classification(known.counts, terms)),
            sites,
            reliability: known.map(|known| terms.reliability(known)).unwrap_or_default(),
            ranking: known.and_then(|known| terms.ranking(known, &areas)),
            calibration: known.and_then(|known| terms.calibration(known)),
            identified: partial.group(at, known.is_none_or(|known| terms.is_mature(known.counts))),
            multiclass: known.and(classes.as_ref()).map(|classes| classes.figures(at)),
            regression: known.and(values.as_ref()).map(|values| values.figures(at)),
        }
    });
    let cut = !slice.attributes.is_empty();
    let compared: Vec<usize> = (0..groups.len()).filter(|at| is_compared(&groups[*at])).collect();
    let together = pools.sum(&compared);
    let site_parity = |site: &SiteCounts| -> Option<Parity> {
        Some(parity(site.all(&compared).as_deref(), terms)).filter(|_| cut && site.all(&compared).is_some())
    };
    let names = || compared.iter().map(|at| &groups[*at][..]);
    let named = together.counts.as_ref().map(|counts| names().zip(counts.iter().copied()).collect::<Vec<_>>());
    SliceFigures {
        attributes: slice.attributes.clone(),
        reference: slice.reference.clone(),
        compared_at: together.sites,
        parity: cut.then(|| parity(together.counts.as_deref(), terms)),
        fairness: cut.then(|| fairness(named.as_deref(), &partial.favourable(&compared, terms), terms)),
        multiclass: classes.as_ref().filter(|_| cut).map(|classes| classes.parity(groups)),
        regression: values.as_ref().filter(|_| cut).map(|values| values.parity(groups)),
        site_parity: pools.0.iter().map(site_parity).collect(),
        groups: rows.collect(),
        pairs: pairs(slice, groups, (&pools, &known, &partial, values.as_ref()), terms),
        sites: states,
    }
}

/// What pairs are compared from: counts by site, groups pooled, hidden parts, and values where the task has them.
type Parts<'a> = (&'a Pools, &'a [Option<Known<'a>>], &'a Partial, Option<&'a Values<'a>>);

fn pairs(
    slice: &Slice,
    groups: &[Vec<String>],
    (pools, known, partial, values): Parts,
    terms: &Terms,
) -> Vec<PairFigures> {
    let reference = groups.iter().position(|group| *group == slice.reference).filter(|_| !slice.attributes.is_empty());
    let Some(reference) = reference else { return Vec::new() };
    let others = (0..groups.len()).filter(|at| *at != reference && is_compared(&groups[*at]));
    let of = |group: usize| {
        let Pooled { sites, counts } = pools.sum(&[group, reference]);
        let counts: [Counts; 2] = counts?.try_into().ok()?;
        let scores = [group, reference].map(|at| known[at].and_then(|known| known.scores));
        let pair = Pair { sites: &pools.0, group, reference, terms: *terms, partial, values };
        Some(pair)
            .filter(|_| decided(&counts[0]).1 > 0)
            .map(|pair| pair.figures(groups[group].clone(), (sites, counts), scores))
    };
    others.filter_map(of).collect()
}

/// All events of each window, over the sites that show them.
pub(super) fn window_figures(part: &Part, terms: &Terms) -> Vec<WindowFigures> {
    let of = |window: &Window| {
        let (mut pools, mut scores) = (Pools(Vec::new()), Scores::default());
        for (site, slice) in part.sites.iter().filter_map(|site| Some((site, part.slice(site, window)?))) {
            let counts = SiteCounts::of(site, Some(&[slice]), 1);
            scores.add(Scores::of(Some(&[slice]), &counts, terms.step));
            pools.0.push(counts);
        }
        let Pooled { sites, counts } = pools.sum(&[0]);
        let known =
            counts.as_ref().and_then(|counts| Some(Known { counts: counts.first()?, scores: scores.scored(0) }));
        WindowFigures { window: *window, sites, pooled: known.map(|known| terms.measures(known)) }
    };
    part.windows.iter().map(of).collect()
}
