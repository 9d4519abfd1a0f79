//! How far each window is from the plan's reference, one of its windows or counts of other data: decisions, labels, scores,
//! groups, features; over the sites that show the window, and the reference window too.

use super::compile::Part;
use super::figure::{Figure, TestFigure, difference, point, test, with_bounds};
use super::group::Terms;
use super::histogram::all_counts;
use crate::contract::ContractText;
use crate::disclosure::{Cell, FeatureQuality, Margins, ReleaseText, ReleasedSlice};
use crate::plan::{Plan, Reference, Slice};
use crate::statistics::{self as st, NotEstimable};
use crate::time::Window;
use serde::{Deserialize, Serialize};

/// Where the counts come from that a plan gives as its reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRef {
    /// What its author says of them.
    pub source: String,
    /// Events counted.
    pub events: u64,
}

/// A window against the reference, for one model version and sampling tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeDrift {
    /// The window.
    pub window: Window,
    /// Sites that show decisions and labels of all events of the window, and of the reference window.
    pub sites: u64,
    /// Selection rate less that of the reference.
    pub selection_rate: Figure,
    /// Share of label 1 among the labelled, less that of the reference; immature where either is, absent where the contract
    /// or the reference has no label.
    pub label_rate: Option<Figure>,
    /// Scores; absent where the contract or the reference has none.
    pub scores: Option<Distribution>,
    /// Shares of the groups of each slice of the plan, in its order; absent where the reference does not give them.
    pub groups: Vec<Option<Distribution>>,
}

/// A feature in a window against the reference, over all model versions of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureDrift {
    /// The window.
    pub window: Window,
    /// The feature.
    pub feature: String,
    /// Its bins, missing values and violations.
    pub distribution: Distribution,
}

/// Two distributions over the same bins, at most 20 of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Sites that show the window, and the reference window.
    pub sites: u64,
    /// Their events in the reference window, or those that the plan gives.
    pub reference: u64,
    /// Their events in the window.
    pub current: u64,
    /// Bins that hold events in either.
    pub bins: u64,
    /// Population stability index.
    pub psi: Figure,
    /// What the index comes to on average where nothing changed.
    pub noise_floor: Figure,
    /// The index that chance alone exceeds once in a thousand times in a window, over all distributions of the scope together,
    /// or all features.
    pub alert_at: Figure,
    /// Whether the index exceeds that; null where either is not known.
    pub alert: Option<bool>,
    /// Jensen-Shannon distance, base 2.
    pub jensen_shannon: Figure,
    /// Kullback-Leibler divergence of the window from the reference, nats.
    pub kl: Figure,
    /// Hellinger distance.
    pub hellinger: Figure,
    /// Total variation: the share of events that would have to move.
    pub total_variation: Figure,
    /// The largest difference of a bin's share.
    pub l_infinity: Figure,
    /// Pearson's test that both have the same distribution.
    pub chi2: TestFigure,
    /// Cramer's V of that table.
    pub cramer_v: Figure,
    /// Kolmogorov-Smirnov distance at the edges of bins, with bounds; absent where the bins have no order.
    pub ks: Option<Figure>,
    /// Wasserstein-1 distance in the score's unit, with bounds; absent where the bins have no width.
    pub wasserstein: Option<Figure>,
}

/// What windows are compared with.
#[derive(Clone, Copy)]
pub(super) enum Against<'a> {
    Window(Window),
    Given(&'a Reference),
}

impl<'a> Against<'a> {
    /// None where the plan names neither, or a window that the report does not add.
    pub fn of(plan: &'a Plan, windows: &[Window]) -> Option<Against<'a>> {
        let window = plan.reference_window.filter(|window| windows.contains(window)).map(Against::Window);
        window.or(plan.reference.as_ref().map(Against::Given))
    }

    pub fn window(&self) -> Option<Window> {
        match self {
            Against::Window(window) => Some(*window),
            Against::Given(_) => None,
        }
    }

    pub fn given(&self) -> Option<ReferenceRef> {
        match self {
            Against::Window(_) => None,
            Against::Given(Reference { source, events, .. }) => {
                Some(ReferenceRef { source: source.clone(), events: *events })
            }
        }
    }

    /// The windows that are compared with it.
    fn others(self, windows: &[Window]) -> impl Iterator<Item = &Window> {
        windows.iter().filter(move |window| self.window() != Some(**window))
    }
}

/// What a window holds, and the reference of the same thing, bin by bin, over the sites that show both.
#[derive(Default)]
struct Pair {
    sites: u64,
    reference: Vec<u64>,
    current: Vec<u64>,
}

impl Pair {
    /// None where the reference does not give this thing.
    fn new(against: Against, given: impl FnOnce(&Reference) -> Option<Vec<u64>>) -> Option<Pair> {
        match against {
            Against::Window(_) => Some(Pair::default()),
            Against::Given(reference) => Some(Pair { reference: given(reference)?, ..Pair::default() }),
        }
    }

    /// Adds a site; `reference` is what it shows of the reference window.
    fn add(&mut self, reference: Option<&[u64]>, current: &[u64]) {
        self.sites += 1;
        for (sum, part) in [(&mut self.reference, reference.unwrap_or_default()), (&mut self.current, current)] {
            sum.resize(current.len(), 0);
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }

    /// The last `apart` bins have no neighbours; `compared` distributions are looked at together.
    fn figures(&self, apart: usize, compared: u64) -> Distribution {
        let drift = st::drift(&self.reference, &self.current, apart);
        let known = |value: Result<f64, NotEstimable>| match self.sites {
            0 => Figure::Suppressed,
            _ => point(value, "compare with what chance alone makes"),
        };
        let of =
            |of: fn(&st::Drift) -> Result<f64, NotEstimable>| known(drift.as_ref().map_err(|why| *why).and_then(of));
        let alert_at = drift.as_ref().map_err(|why| *why).and_then(|drift| drift.alert_at(compared));
        Distribution {
            sites: self.sites,
            reference: self.reference.iter().sum(),
            current: self.current.iter().sum(),
            bins: drift.as_ref().map_or(0, |drift| drift.bins as u64),
            psi: of(|drift| Ok(drift.psi)),
            noise_floor: of(|drift| Ok(drift.noise_floor)),
            alert: drift.as_ref().ok().zip(alert_at.ok()).map(|(drift, at)| drift.psi > at),
            alert_at: known(alert_at),
            jensen_shannon: of(|drift| Ok(drift.jensen_shannon)),
            kl: of(|drift| drift.kl),
            hellinger: of(|drift| Ok(drift.hellinger)),
            total_variation: of(|drift| Ok(drift.total_variation)),
            l_infinity: of(|drift| Ok(drift.l_infinity)),
            chi2: match self.sites {
                0 => TestFigure::Suppressed,
                _ => test(drift.as_ref().map_err(|why| *why).and_then(|drift| drift.chi2)),
            },
            cramer_v: of(|drift| drift.cramer_v),
            ks: None,
            wasserstein: None,
        }
    }
}

/// Every window but the reference, against it, in order.
pub(super) fn scope_drift(slices: &[&Slice], part: &Part, against: Against, terms: &Terms) -> Vec<ScopeDrift> {
    against.others(part.windows).map(|window| one_window(slices, part, against, window, terms)).collect()
}

/// Decisions and labels, `[0, 1]` each.
struct Rates {
    decisions: [u64; 2],
    labels: [u64; 2],
    mature: bool,
}

impl Rates {
    fn of(Margins { decisions, labels }: Margins, terms: &Terms) -> Rates {
        let (decisions, labels, n) = ([decisions[0], decisions[1]], [labels[0], labels[1]], labels.iter().sum());
        Rates { decisions, labels, mature: terms.covers(labels[0] + labels[1], n) }
    }

    fn given(reference: &Reference, terms: &Terms) -> Rates {
        let mature = reference.is_mature(terms.min_coverage);
        Rates { decisions: reference.decisions, labels: reference.labels.unwrap_or_default(), mature }
    }
}

fn one_window(slices: &[&Slice], part: &Part, against: Against, window: &Window, terms: &Terms) -> ScopeDrift {
    let nothing = Margins { decisions: [0; 3], labels: [0; 3] };
    let (mut before, mut after) = (nothing, nothing);
    let mut sites = 0;
    let given = |slice: &&Slice| Pair::new(against, |reference| Some(reference.slice(&slice.attributes)?.to_vec()));
    // The slice without attributes is one group: nothing can drift in it.
    let mut mixes: Vec<_> = slices.iter().map(given).collect();
    let score = terms.contract.score.as_ref();
    let mut scores = score.and_then(|_| Pair::new(against, |reference| reference.score.clone()));
    for site in part.sites {
        let shown = |at: usize, window: &Window| Part { slice: at, ..*part }.slice(site, window);
        for (at, mix) in mixes.iter_mut().enumerate().skip(1) {
            let both = both(against, window, |window| totals(shown(at, window)?));
            if let Some((mix, (old, new))) = mix.as_mut().zip(both) {
                mix.add(old.as_deref(), &new);
            }
        }
        let whole = |window: &Window| {
            let slice = shown(0, window)?;
            Some((slice, slice.groups.first()?.counts.margins()?))
        };
        let Some((old, (new, counts))) = both(against, window, whole) else { continue };
        sites += 1;
        add(&mut after, counts);
        old.iter().for_each(|(_, counts)| add(&mut before, *counts));
        scores.iter_mut().for_each(|scores| add_scores(scores, old.as_ref().map(|(slice, _)| *slice), new));
    }
    let before = match against {
        Against::Window(_) => Rates::of(before, terms),
        Against::Given(reference) => Rates::given(reference, terms),
    };
    let after = Rates::of(after, terms);
    let rate = |of: fn(&Rates) -> [u64; 2]| match sites {
        0 => Figure::Suppressed,
        _ => {
            let [one, other] = [&after, &before].map(|rates| (of(rates)[1], of(rates).iter().sum()));
            difference(one, other)
        }
    };
    let has_label = match against {
        Against::Given(Reference { labels: None, .. }) => false,
        _ => terms.contract.label.is_some(),
    };
    let compared = mixes.iter().skip(1).flatten().count() as u64 + u64::from(scores.is_some());
    ScopeDrift {
        window: *window,
        sites,
        selection_rate: rate(|rates| rates.decisions),
        label_rate: has_label.then(|| match before.mature && after.mature {
            true => rate(|rates| rates.labels),
            false => Figure::undefined(NotEstimable::Immature),
        }),
        scores: score.zip(scores).map(|(score, scores)| score_figures(&scores, (score.min, score.max), compared)),
        groups: mixes
            .iter()
            .skip(1)
            .map(|mix| Some(mix.as_ref()?.figures(mix.as_ref()?.reference.len(), compared)))
            .collect(),
    }
}

/// What a site shows of the reference window, and of the other one; none where it hides either.
fn both<T>(against: Against, window: &Window, shown: impl Fn(&Window) -> Option<T>) -> Option<(Option<T>, T)> {
    let new = shown(window)?;
    match against.window() {
        Some(reference) => Some((Some(shown(&reference)?), new)),
        None => Some((None, new)),
    }
}

/// Events by group, if all numbers are shown.
fn totals(slice: &ReleasedSlice) -> Option<Vec<u64>> {
    slice.groups.iter().map(|group| group.counts.events()).collect()
}

fn add(sum: &mut Margins, part: Margins) {
    let lines = [(&mut sum.decisions, part.decisions), (&mut sum.labels, part.labels)];
    lines.into_iter().for_each(|(sum, part)| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
}

/// Scores are compared at the coarsest resolution that the reference has, or any site's release of either window.
fn add_scores(sum: &mut Pair, old: Option<&ReleasedSlice>, new: &ReleasedSlice) {
    let scores = |slice: &ReleasedSlice| slice.groups.first().and_then(|group| group.scores.as_ref()?.value().cloned());
    let Some(new) = scores(new) else { return };
    let Some(old) = old.map_or(Some(None), |old| scores(old).map(Some)) else { return };
    let own = old.as_ref().map_or(new.bins, |old| old.bins.min(new.bins));
    let bins = if sum.reference.is_empty() { own } else { own.min(sum.reference.len() as u32) };
    for counts in [&mut sum.reference, &mut sum.current] {
        let width = (counts.len() / bins as usize).max(1);
        *counts = counts.chunks(width).map(|part| part.iter().sum()).collect();
    }
    sum.add(old.map(|old| all_counts(&old, bins)).as_deref(), &all_counts(&new, bins));
}

fn score_figures(scores: &Pair, (min, max): (f64, f64), compared: u64) -> Distribution {
    let bins = scores.reference.len();
    let edges: Vec<f64> = (0..=bins).map(|at| min + (max - min) * at as f64 / bins.max(1) as f64).collect();
    let ks = st::ks_bounds(&scores.reference, &scores.current);
    let moved = st::wasserstein_1(&scores.reference, &scores.current, &edges);
    let shown = |figure: Result<(f64, st::Interval), NotEstimable>| match scores.sites {
        0 => Figure::Suppressed,
        _ => with_bounds(point(figure.map(|(value, _)| value), "descriptive"), figure.map(|(_, bounds)| bounds)),
    };
    Distribution {
        ks: Some(shown(ks.map(|bounds| (bounds.lower, bounds)))),
        wasserstein: Some(shown(moved.map(|moved| (moved.value, moved.bounds)))),
        ..scores.figures(0, compared)
    }
}

/// Features of every window but the reference, against it; `of` is what the sites released in a window.
pub(super) fn feature_drift<'a>(
    windows: &[Window],
    against: Against,
    contract: &ContractText,
    of: impl Fn(&Window) -> Vec<Option<&'a ReleaseText>>,
) -> Vec<FeatureDrift> {
    let before = against.window().map(|reference| of(&reference));
    let given = |name: &str| {
        Pair::new(against, |reference| Some(reference.features.iter().find(|given| given.name == name)?.by_code()))
    };
    let features = contract.features.iter().map(|feature| feature.name.as_str()).enumerate();
    let features: Vec<_> = features.filter(|(_, name)| given(name).is_some()).collect();
    let mut rows = Vec::new();
    for window in against.others(windows) {
        let after = of(window);
        for (at, name) in &features {
            let mut pair = given(name).unwrap_or_default();
            for (site, new) in after.iter().enumerate() {
                let Some(new) = shown(*new, *at) else { continue };
                match before.as_ref().map(|before| shown(before[site], *at)) {
                    Some(None) => {}
                    old => pair.add(old.flatten().as_deref(), &new),
                }
            }
            let distribution = pair.figures(2, features.len() as u64);
            rows.push(FeatureDrift { window: *window, feature: (*name).to_owned(), distribution });
        }
    }
    rows
}

/// Bins of a feature, then missing values and violations, if they are visible.
fn shown(release: Option<&ReleaseText>, at: usize) -> Option<Vec<u64>> {
    let FeatureQuality {
        missing: Cell::Value(missing),
        violations: Cell::Value(violations),
        histogram: Cell::Value(bins),
        ..
    } = release?.quality.as_ref()?.features.get(at)?
    else {
        return None;
    };
    Some(bins.iter().chain([missing, violations]).copied().collect())
}

#[cfg(test)]
mod tests;
