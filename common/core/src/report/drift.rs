//! How far each window is from the plan's reference window: decisions, labels, scores, groups, features; over the sites
//! that show both.

use super::compile::Part;
use super::figure::{Figure, TestFigure, difference, point, test, with_bounds};
use super::group::{Terms, decided, labelled, total};
use super::histogram::all_counts;
use super::slices::site_counts_in;
use crate::disclosure::{Cell, FeatureQuality, ReleaseText, ReleasedSlice};
use crate::plan::Slice;
use crate::statistics::{self as st, NotEstimable};
use crate::time::Window;
use serde::{Deserialize, Serialize};

/// A window against the reference window, for one model version and sampling tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeDrift {
    /// The window.
    pub window: Window,
    /// Sites that show all counts of both windows.
    pub sites: u64,
    /// Selection rate less that of the reference window.
    pub selection_rate: Figure,
    /// Share of label 1 among the labelled, less that of the reference window; immature where either window is, absent where
    /// the contract has no label.
    pub label_rate: Option<Figure>,
    /// Scores; absent where the contract has none.
    pub scores: Option<Distribution>,
    /// Shares of the groups of each slice of the plan, in its order.
    pub groups: Vec<Distribution>,
}

/// A feature in a window against the reference window, over all model versions of the plan.
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
    /// Sites that show both.
    pub sites: u64,
    /// Their events in the reference window.
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

/// What two windows hold of the same thing, bin by bin, over the sites that show both.
#[derive(Default)]
struct Pair {
    sites: u64,
    reference: Vec<u64>,
    current: Vec<u64>,
}

impl Pair {
    fn add(&mut self, reference: &[u64], current: &[u64]) {
        self.sites += 1;
        for (sum, part) in [(&mut self.reference, reference), (&mut self.current, current)] {
            sum.resize(part.len(), 0);
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
pub(super) fn scope_drift(slices: &[&Slice], part: &Part, reference: &Window, terms: &Terms) -> Vec<ScopeDrift> {
    let others = part.windows.iter().filter(|window| *window != reference);
    others.map(|window| one_window(slices, part, reference, window, terms)).collect()
}

fn one_window(slices: &[&Slice], part: &Part, reference: &Window, window: &Window, terms: &Terms) -> ScopeDrift {
    let (mut before, mut after) = ([[0; 3]; 3], [[0; 3]; 3]);
    let mut sites = 0;
    let mut mixes: Vec<Pair> = slices.iter().map(|_| Pair::default()).collect();
    let mut scores = Pair::default();
    for site in part.sites {
        for (at, mix) in mixes.iter_mut().enumerate() {
            let part = Part { slice: at, ..*part };
            let (Some(old), Some(new)) = (part.slice(site, reference), part.slice(site, window)) else { continue };
            let (Some(old_counts), Some(new_counts)) = (site_counts_in(old), site_counts_in(new)) else { continue };
            let totals = |counts: &[crate::disclosure::Counts]| counts.iter().map(total).collect::<Vec<u64>>();
            mix.add(&totals(&old_counts), &totals(&new_counts));
            if at == 0 {
                sites += 1;
                for (sum, counts) in [(&mut before, &old_counts), (&mut after, &new_counts)] {
                    let counts = counts.iter().flatten().flatten();
                    sum.iter_mut().flatten().zip(counts).for_each(|(sum, count)| *sum += count);
                }
                add_scores(&mut scores, old, new);
            }
        }
    }
    let rate = |of: fn(&crate::disclosure::Counts) -> (u64, u64)| match sites {
        0 => Figure::Suppressed,
        _ => difference(of(&after), of(&before)),
    };
    let score = terms.contract.score.as_ref();
    let compared = slices.len() as u64 - 1 + u64::from(score.is_some());
    ScopeDrift {
        window: *window,
        sites,
        selection_rate: rate(decided),
        label_rate: terms.contract.label.is_some().then(|| match terms.is_mature(&before) && terms.is_mature(&after) {
            true => rate(|counts| (counts.iter().map(|row| row[1]).sum(), labelled(counts))),
            false => Figure::undefined(NotEstimable::Immature),
        }),
        scores: score.map(|score| score_figures(&scores, (score.min, score.max), compared)),
        groups: mixes.iter().skip(1).map(|mix| mix.figures(mix.reference.len(), compared)).collect(),
    }
}

/// Scores are compared at the coarsest resolution that any site's release of either window has.
fn add_scores(sum: &mut Pair, old: &ReleasedSlice, new: &ReleasedSlice) {
    let scores = |slice: &ReleasedSlice| slice.groups.first().and_then(|group| group.scores.as_ref()?.value().cloned());
    let (Some(old), Some(new)) = (scores(old), scores(new)) else { return };
    let own = old.bins.min(new.bins);
    let bins = if sum.sites == 0 { own } else { own.min(sum.reference.len() as u32) };
    for counts in [&mut sum.reference, &mut sum.current] {
        let width = (counts.len() / bins as usize).max(1);
        *counts = counts.chunks(width).map(|part| part.iter().sum()).collect();
    }
    sum.add(&all_counts(&old, bins), &all_counts(&new, bins));
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

/// Features of every window but the reference, against it.
pub(super) fn feature_drift<'a>(
    windows: &[Window],
    reference: &Window,
    of: impl Fn(&Window) -> Vec<Option<&'a ReleaseText>>,
) -> Vec<FeatureDrift> {
    let before = of(reference);
    let names = |release: &ReleaseText| {
        let features = release.quality.iter().flat_map(|quality| &quality.features);
        features.map(|feature| feature.feature.clone()).collect::<Vec<_>>()
    };
    let features = before.iter().flatten().map(|release| names(release)).next().unwrap_or_default();
    let mut rows = Vec::new();
    for window in windows.iter().filter(|window| *window != reference) {
        let after = of(window);
        for (at, feature) in features.iter().enumerate() {
            let mut pair = Pair::default();
            for (old, new) in before.iter().zip(&after) {
                let counts =
                    |release: &Option<&ReleaseText>| shown(release.as_ref()?.quality.as_ref()?.features.get(at)?);
                if let (Some(old), Some(new)) = (counts(old), counts(new)) {
                    pair.add(&old, &new);
                }
            }
            let distribution = pair.figures(2, features.len() as u64);
            rows.push(FeatureDrift { window: *window, feature: feature.clone(), distribution });
        }
    }
    rows
}

/// Bins of a feature, then missing values and violations.
fn shown(feature: &FeatureQuality) -> Option<Vec<u64>> {
    let FeatureQuality {
        missing: Cell::Value(missing),
        violations: Cell::Value(violations),
        histogram: Cell::Value(bins),
        ..
    } = feature
    else {
        return None;
    };
    Some(bins.iter().chain([missing, violations]).copied().collect())
}
