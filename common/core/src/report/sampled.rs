//! What was sampled, and rates over all tiers: there an event of a sampled tier stands for several.

use super::compile::Part;
use super::figure::{Figure, figure};
use super::group::{Terms, decided, labelled, total};
use super::rates::{correct, false_positives, predicted_positives, true_positives};
use super::slices::site_counts;
use crate::disclosure::{Cell, Counts, ReleaseText};
use crate::event::Tier;
use crate::ids::Name;
use crate::plan::{Slice, is_compared};
use crate::statistics::{self as st, LEVEL, NotEstimable, WeightedRate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Events of a sampled tier at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampledRow {
    /// The model version.
    pub model_version: String,
    /// One event in so many was journaled.
    pub one_in: u32,
    /// Events journaled, in the windows released.
    pub events: Cell<u64>,
    /// Share of all events of the model version that were in this tier, journaled or not; an estimate. Absent where
    /// something that it needs is hidden.
    pub share: Option<f64>,
}

/// Rates of a model version over all its tiers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedFigures {
    /// The model version.
    pub model_version: String,
    /// The tiers added.
    pub tiers: Vec<Tier>,
    /// The slice without attributes, then the plan's.
    pub slices: Vec<WeightedSlice>,
}

/// A slice, its sites as if they were one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedSlice {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// Sites that released the slice in every tier: the figures are over them.
    pub sites: Vec<Name>,
    /// Its groups; empty where no site did.
    pub groups: Vec<WeightedGroup>,
}

/// Figures of a group. Intervals are Wilson's and Newcombe's at the effective number of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedGroup {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// Events journaled.
    pub events: u64,
    /// Events that they stand for.
    pub stands_for: u64,
    /// Selected by decided events.
    pub selection_rate: Figure,
    /// Selection rate less that of the reference; absent for the reference, and for groups that are not compared.
    pub difference: Option<Figure>,
    /// Rates that need labels; absent where the contract has no label.
    pub outcomes: Option<WeightedOutcomes>,
}

/// Decisions against labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedOutcomes {
    /// Share of the events that have a label.
    pub label_coverage: Figure,
    /// (TP + TN) / n.
    pub accuracy: Figure,
    /// TP / (TP + FN).
    pub tpr: Figure,
    /// FP / (FP + TN).
    pub fpr: Figure,
    /// TP / (TP + FP).
    pub ppv: Figure,
}

/// The sampled tiers of a site's releases.
pub(super) fn sampled_rows(releases: &[&ReleaseText]) -> Vec<SampledRow> {
    // Events by model version and tier; none where hidden.
    let mut events: BTreeMap<(&str, Tier), Option<u64>> = BTreeMap::new();
    for stratum in releases.iter().flat_map(|release| &release.strata) {
        let counts = stratum.slices.first().and_then(|slice| slice.groups.first()?.counts.value());
        let sum = events.entry((&stratum.model_version, stratum.tier)).or_insert(Some(0));
        *sum = sum.zip(counts).map(|(sum, counts)| sum.saturating_add(total(counts)));
    }
    let share = |version: &str, tier: Tier| {
        let of = |tier: Tier, n: u64| tier.weight() as f64 * n as f64;
        let mut all = 0.0;
        for ((_, tier), n) in events.iter().filter(|((other, _), _)| *other == version) {
            all += of(*tier, (*n)?);
        }
        let own = of(tier, events.get(&(version, tier)).copied().flatten()?);
        (all > 0.0).then_some(own / all)
    };
    let rows = events.iter().filter_map(|((version, tier), n)| {
        let Tier::Sampled(one_in) = *tier else { return None };
        Some(SampledRow {
            model_version: (*version).to_owned(),
            one_in,
            events: n.map_or(Cell::Suppressed, Cell::Value),
            share: share(version, *tier),
        })
    });
    rows.collect()
}

/// Counts of a group, a stratum each, with the stratum's weight.
type Weighted = Vec<(u64, Counts)>;

/// Rates over `tiers`; `part` is the model version's, of any tier and slice.
pub(super) fn weighted_figures(slices: &[&Slice], tiers: &[Tier], part: &Part, terms: &Terms) -> WeightedFigures {
    let of = |(at, slice): (usize, &&Slice)| weighted_slice(slice, &Part { slice: at, ..*part }, tiers, terms);
    WeightedFigures {
        model_version: part.version.to_owned(),
        tiers: tiers.to_vec(),
        slices: slices.iter().enumerate().map(of).collect(),
    }
}

fn weighted_slice(slice: &Slice, part: &Part, tiers: &[Tier], terms: &Terms) -> WeightedSlice {
    let names = slice.groups(terms.contract);
    let mut groups: Vec<Weighted> = vec![Vec::new(); names.len()];
    let mut sites = Vec::new();
    for site in part.sites {
        let counts = |tier: &Tier| Some((tier.weight(), site_counts(&Part { tier: *tier, ..*part }, site)?));
        let Some(strata) = tiers.iter().map(counts).collect::<Option<Vec<_>>>() else { continue };
        sites.push(site.clone());
        for (weight, counts) in strata {
            groups.iter_mut().zip(counts).for_each(|(group, counts)| group.push((weight, counts)));
        }
    }
    let reference = names.iter().position(|name| *name == slice.reference && !slice.attributes.is_empty());
    let reference = reference.and_then(|at| groups.get(at).map(|counts| (at, counts)));
    let rows = names.iter().zip(&groups).enumerate().map(|(at, (name, counts))| {
        let against = reference.filter(|(other, _)| *other != at && is_compared(name)).map(|(_, counts)| counts);
        weighted_group(name, counts, against, terms)
    });
    let groups = if sites.is_empty() { Vec::new() } else { rows.collect() };
    WeightedSlice { attributes: slice.attributes.clone(), sites, groups }
}

fn weighted_group(name: &[String], counts: &Weighted, reference: Option<&Weighted>, terms: &Terms) -> WeightedGroup {
    let sum = |of: fn(u64) -> u64| {
        let parts = counts.iter().map(|(weight, counts)| of(*weight).saturating_mul(total(counts)));
        parts.fold(0, u64::saturating_add)
    };
    WeightedGroup {
        group: name.to_vec(),
        events: sum(|_| 1),
        stands_for: sum(|weight| weight),
        selection_rate: proportion(rate(counts, decided)),
        difference: reference.map(|reference| difference(rate(counts, decided), rate(reference, decided))),
        outcomes: terms.contract.label.is_some().then(|| outcomes(counts, terms)),
    }
}

fn outcomes(counts: &Weighted, terms: &Terms) -> WeightedOutcomes {
    let coverage = rate(counts, |counts| (labelled(counts), total(counts)));
    let mature = coverage.is_ok_and(|coverage| coverage.value >= terms.min_coverage);
    let of = |of: fn(&Counts) -> (u64, u64)| match mature {
        true => proportion(rate(counts, of)),
        false => Figure::undefined(coverage.err().unwrap_or(NotEstimable::Immature)),
    };
    WeightedOutcomes {
        label_coverage: proportion(coverage),
        accuracy: of(correct),
        tpr: of(true_positives),
        fpr: of(false_positives),
        ppv: of(predicted_positives),
    }
}

fn rate(counts: &Weighted, of: fn(&Counts) -> (u64, u64)) -> Result<WeightedRate, NotEstimable> {
    let strata: Vec<_> = counts.iter().map(|(weight, counts)| (*weight, of(counts))).collect();
    st::weighted_rate(&strata.into_iter().map(|(weight, (x, n))| (weight, x, n)).collect::<Vec<_>>())
}

fn proportion(rate: Result<WeightedRate, NotEstimable>) -> Figure {
    figure(rate.map(|rate| (rate.value, st::wilson_effective(rate, LEVEL))), "wilson at the effective number of events")
}

fn difference(one: Result<WeightedRate, NotEstimable>, other: Result<WeightedRate, NotEstimable>) -> Figure {
    let both = one.and_then(|one| other.map(|other| (one, other)));
    let value = both.map(|(one, other)| (one.value - other.value, st::newcombe_effective(one, other, LEVEL)));
    figure(value, "newcombe at the effective number of events")
}
