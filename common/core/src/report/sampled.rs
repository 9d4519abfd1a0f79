//! What was sampled, and rates that take into account for how many events each stands, and which are of one person.

use super::compile::Part;
use super::figure::{Figure, figure};
use super::group::{Terms, decided, labelled, total};
use super::rates::{Rate, correct, false_positives, predicted_positives, true_positives};
use super::table::{Table, tables};
use crate::disclosure::{Cell, ReleaseText, ReleasedGroup};
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

/// Rates of a model version over all its tiers: absent where it has one, each label stands for its own event, and nobody is
/// known to come twice.
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
    /// Events that they stand for by their tiers.
    pub stands_for: u64,
    /// Whether labels have weights, which count in rates that need labels.
    pub label_weights: bool,
    /// Distinct people, told apart within a site, window and tier; absent where that is not known of all events. Then events
    /// are assumed independent.
    pub subjects: Option<u64>,
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
        let own = stratum.slices.first().and_then(|slice| slice.groups.first()?.counts.events());
        let sum = events.entry((&stratum.model_version, stratum.tier)).or_insert(Some(0));
        *sum = sum.zip(own).map(|(sum, own)| sum.saturating_add(own));
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

/// Whether something in the releases of a model version calls for its weighted figures beside those of its tiers.
pub(super) fn is_weighted(tiers: &[Tier], part: &Part) -> bool {
    let strata = part.used.values().flat_map(|release| &release.text().strata);
    let own = strata.filter(|stratum| stratum.model_version == part.version);
    let mut groups = own.filter_map(|stratum| stratum.slices.first()?.groups.first());
    let again = |group: &ReleasedGroup| match &group.subjects {
        Some(Cell::Value(subjects)) => !subjects.pairs.is_empty(),
        Some(Cell::Suppressed) => true,
        None => false,
    };
    tiers.len() > 1 || groups.any(|group| group.label_weights.is_some() || again(group))
}

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
    let mut groups = vec![Table::default(); names.len()];
    let mut sites = Vec::new();
    for site in part.sites {
        let of = |tier: &Tier| tables(&Part { tier: *tier, ..*part }, site);
        let Some(strata) = tiers.iter().map(of).collect::<Option<Vec<_>>>() else { continue };
        sites.push(site.clone());
        for tables in strata {
            groups.iter_mut().zip(&tables).for_each(|(group, table)| group.add(table));
        }
    }
    let reference = names.iter().position(|name| *name == slice.reference && !slice.attributes.is_empty());
    let reference = reference.and_then(|at| groups.get(at).map(|table| (at, table)));
    let rows = names.iter().zip(&groups).enumerate().map(|(at, (name, table))| {
        let against = reference.filter(|(other, _)| *other != at && is_compared(name)).map(|(_, table)| table);
        weighted_group(name, table, against, terms)
    });
    let groups = if sites.is_empty() { Vec::new() } else { rows.collect() };
    WeightedSlice { attributes: slice.attributes.clone(), sites, groups }
}

fn weighted_group(name: &[String], table: &Table, reference: Option<&Table>, terms: &Terms) -> WeightedGroup {
    let selected = |table: &Table| st::weighted_rate(table.by_event(decided));
    WeightedGroup {
        group: name.to_vec(),
        events: table.events,
        stands_for: table.stands_for,
        label_weights: table.label_weights,
        subjects: table.subjects,
        selection_rate: proportion(selected(table)),
        difference: reference.map(|reference| difference(selected(table), selected(reference))),
        outcomes: terms.contract.label.is_some().then(|| outcomes(table, terms)),
    }
}

fn outcomes(table: &Table, terms: &Terms) -> WeightedOutcomes {
    let coverage = st::weighted_rate(table.by_event(|counts| (labelled(counts), total(counts))));
    let mature = coverage.is_ok_and(|coverage| coverage.value >= terms.min_coverage);
    let of = |rate: Rate| match mature {
        true => proportion(st::weighted_rate(table.by_label(rate))),
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

fn proportion(rate: Result<WeightedRate, NotEstimable>) -> Figure {
    figure(rate.map(|rate| (rate.value, st::wilson_effective(rate, LEVEL))), "wilson at the effective number of events")
}

fn difference(one: Result<WeightedRate, NotEstimable>, other: Result<WeightedRate, NotEstimable>) -> Figure {
    let both = one.and_then(|one| other.map(|other| (one, other)));
    let value = both.map(|(one, other)| (one.value - other.value, st::newcombe_effective(one, other, LEVEL)));
    figure(value, "newcombe at the effective number of events")
}
