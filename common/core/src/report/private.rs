//! Figures of a plan with differential privacy, from counts with noise. They follow from what was released, so that they cost
//! nothing; the noise of several sites and windows adds up, and intervals contain it beside sampling.

use super::Report;
use super::compile::Part;
use super::figure::{Estimate, Figure};
use super::group::Terms;
use crate::disclosure::{Noisy, ReleasedSlice};
use crate::event::Tier;
use crate::ids::Name;
use crate::plan::{Plan, Slice, is_compared};
use crate::privacy::Noise;
use crate::statistics::{self as st, Interval, LEVEL, NoisyRate, NoisySum, NotEstimable};
use serde::{Deserialize, Serialize};

/// All figures of a plan with differential privacy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateFigures {
    /// The noise on every count of a release.
    pub noise: Noise,
    /// Its variance.
    pub variance: f64,
    /// By model version.
    pub scopes: Vec<PrivateScope>,
}

/// Figures of one model version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateScope {
    /// The model version.
    pub model_version: String,
    /// The slice without attributes, then the plan's. Their counts do not add up to each other.
    pub slices: Vec<PrivateSlice>,
}

/// Figures of one slice, sites as if they were one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateSlice {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// The group that others are compared with.
    pub reference: Vec<String>,
    /// Sites with a release of every window: the figures are over them.
    pub sites: Vec<Name>,
    /// Releases added up.
    pub releases: u64,
    /// Its groups; empty without releases.
    pub groups: Vec<PrivateGroup>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateGroup {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// Whether it takes part in comparisons.
    pub compared: bool,
    /// The counts with noise, added up.
    pub counts: Noisy,
    /// What they add up to; the interval is about noise alone.
    pub events: Figure,
    /// Selected by decided events.
    pub selection_rate: Figure,
    /// Rates that need labels; absent where the contract has no label.
    pub outcomes: Option<PrivateOutcomes>,
    /// Rates less those of the reference; absent for the reference, and for groups that are not compared.
    pub differences: Option<PrivateDifferences>,
}

/// Decisions against labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateOutcomes {
    /// Share of the events that have a label. Below the plan's `min_coverage` what follows is immature.
    pub label_coverage: Figure,
    /// (TP + FN) / n.
    pub prevalence: Figure,
    /// (TP + TN) / n.
    pub accuracy: Figure,
    /// TP / (TP + FN).
    pub tpr: Figure,
    /// FP / (FP + TN).
    pub fpr: Figure,
    /// TP / (TP + FP).
    pub ppv: Figure,
}

/// Rates of a group less those of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateDifferences {
    /// Selection rate.
    pub selection_rate: Figure,
    /// Those that need labels; absent where the contract has no label.
    pub outcomes: Option<PrivateOutcomeDifferences>,
}

/// Rates that need labels, of a group less those of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateOutcomeDifferences {
    /// (TP + FN) / n.
    pub prevalence: Figure,
    /// (TP + TN) / n.
    pub accuracy: Figure,
    /// TP / (TP + FN).
    pub tpr: Figure,
    /// FP / (FP + TN).
    pub fpr: Figure,
    /// TP / (TP + FP).
    pub ppv: Figure,
}

/// Figures of a plan; none where its counts are exact. `all` is the part of any model version and slice.
pub(super) fn private_figures(plan: &Plan, slices: &[&Slice], all: &Part, terms: &Terms) -> Option<PrivateFigures> {
    let noise = Noise::of(plan)?;
    let variance = noise.variance();
    let scope = |version: &String| {
        let part = |slice| Part { version, tier: Tier::Full, slice, ..*all };
        let least = plan.disclosure.k;
        let figures = slices.iter().enumerate().map(|(at, slice)| slice_of(slice, &part(at), (variance, least), terms));
        PrivateScope { model_version: version.clone(), slices: figures.collect() }
    };
    Some(PrivateFigures { noise, variance, scopes: plan.model_versions.iter().map(scope).collect() })
}

fn slice_of(slice: &Slice, part: &Part, (variance, least): (f64, u64), terms: &Terms) -> PrivateSlice {
    let names = slice.groups(terms.contract);
    let (mut sites, mut releases, mut sums) = (Vec::new(), 0_u64, vec![Noisy::default(); names.len()]);
    for site in part.sites {
        let Some(parts) = part.slices(site) else { continue };
        let counts: Option<Vec<Vec<Noisy>>> = parts.iter().map(|part| counts(part)).collect();
        let Some(counts) = counts else { continue };
        sites.push(site.clone());
        releases += counts.len() as u64;
        for groups in &counts {
            let cells = sums.iter_mut().flatten().flatten().zip(groups.iter().flatten().flatten());
            cells.for_each(|(sum, part)| *sum = sum.saturating_add(*part));
        }
    }
    let of = |counts: &Noisy| Rates { counts: *counts, variance: variance * releases as f64, least };
    let known: Vec<Rates> = sums.iter().filter(|_| releases > 0).map(of).collect();
    let reference = names.iter().position(|group| *group == slice.reference).and_then(|at| known.get(at));
    let group = |(names, rates): (&Vec<String>, &Rates)| {
        let other = reference.filter(|_| !names.is_empty() && is_compared(names) && *names != slice.reference);
        PrivateGroup {
            group: names.clone(),
            compared: is_compared(names),
            counts: rates.counts,
            events: rates.events(),
            selection_rate: shown(rates.rate(SELECTED)),
            outcomes: terms.contract.label.is_some().then(|| rates.outcomes(terms)),
            differences: other.map(|other| rates.differences(other, terms)),
        }
    };
    let groups = names.iter().zip(&known).map(group).collect();
    PrivateSlice { attributes: slice.attributes.clone(), reference: slice.reference.clone(), sites, releases, groups }
}

fn counts(slice: &ReleasedSlice) -> Option<Vec<Noisy>> {
    slice.groups.iter().map(|group| group.counts.noisy().copied()).collect()
}

/// Cells (decision, label) of a rate: those that count, and the others of its denominator.
type Cells = (&'static [(usize, usize)], &'static [(usize, usize)]);

const SELECTED: Cells = (&[(1, 0), (1, 1), (1, 2)], &[(0, 0), (0, 1), (0, 2)]);
const LABELLED: Cells = (&[(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)], &[(0, 2), (1, 2), (2, 2)]);
const POSITIVE: Cells = (&[(0, 1), (1, 1)], &[(0, 0), (1, 0)]);
const CORRECT: Cells = (&[(0, 0), (1, 1)], &[(0, 1), (1, 0)]);
const TRUE_POSITIVE: Cells = (&[(1, 1)], &[(0, 1)]);
const FALSE_POSITIVE: Cells = (&[(1, 0)], &[(0, 0)]);
const PREDICTED: Cells = (&[(1, 1)], &[(1, 0)]);

/// A group's counts with noise.
struct Rates {
    counts: Noisy,
    /// Of the noise on each count, over all releases.
    variance: f64,
    /// Least denominator.
    least: u64,
}

impl Rates {
    fn sum(&self, cells: &[(usize, usize)]) -> NoisySum {
        let value = cells.iter().map(|(decision, label)| self.counts[*decision][*label] as f64).sum();
        NoisySum { value, variance: self.variance * cells.len() as f64 }
    }

    fn rate(&self, (part, rest): Cells) -> Result<NoisyRate, NotEstimable> {
        st::noisy_rate(self.sum(part), self.sum(rest), self.least, LEVEL)
    }

    /// A rate that needs labels, by the coverage with noise.
    fn mature(&self, cells: Cells, terms: &Terms) -> Result<NoisyRate, NotEstimable> {
        match self.rate(LABELLED)?.value < terms.min_coverage {
            true => Err(NotEstimable::Immature),
            false => self.rate(cells),
        }
    }

    fn events(&self) -> Figure {
        let value = self.counts.iter().flatten().map(|count| *count as f64).sum::<f64>();
        match st::normal_quantile(LEVEL).map(|z| z * (9.0 * self.variance).sqrt()) {
            Ok(half) => estimate(value, Interval { lower: value - half, upper: value + half }, "normal, noise alone"),
            Err(why) => Figure::undefined(why),
        }
    }

    fn outcomes(&self, terms: &Terms) -> PrivateOutcomes {
        let of = |cells| shown(self.mature(cells, terms));
        PrivateOutcomes {
            label_coverage: shown(self.rate(LABELLED)),
            prevalence: of(POSITIVE),
            accuracy: of(CORRECT),
            tpr: of(TRUE_POSITIVE),
            fpr: of(FALSE_POSITIVE),
            ppv: of(PREDICTED),
        }
    }

    fn differences(&self, other: &Rates, terms: &Terms) -> PrivateDifferences {
        let of = |cells| difference(self.mature(cells, terms), other.mature(cells, terms));
        let outcomes = || PrivateOutcomeDifferences {
            prevalence: of(POSITIVE),
            accuracy: of(CORRECT),
            tpr: of(TRUE_POSITIVE),
            fpr: of(FALSE_POSITIVE),
            ppv: of(PREDICTED),
        };
        PrivateDifferences {
            selection_rate: difference(self.rate(SELECTED), other.rate(SELECTED)),
            outcomes: terms.contract.label.is_some().then(outcomes),
        }
    }
}

fn estimate(value: f64, interval: Interval, method: &str) -> Figure {
    Figure::Estimate(Estimate { value, interval: Some(interval), method: method.to_owned(), bounds: None })
}

fn shown(rate: Result<NoisyRate, NotEstimable>) -> Figure {
    rate.map_or_else(Figure::undefined, |rate| estimate(rate.value, rate.interval, "wilson with noise"))
}

fn difference(one: Result<NoisyRate, NotEstimable>, other: Result<NoisyRate, NotEstimable>) -> Figure {
    match one.and_then(|one| other.map(|other| st::noisy_difference(one, other))) {
        Ok((value, interval)) => estimate(value, interval, "newcombe with noise"),
        Err(why) => Figure::undefined(why),
    }
}

impl PrivateSlice {
    /// The attributes joined by ` x `, or that there are none.
    pub fn name(&self) -> String {
        if self.attributes.is_empty() { "all events".to_owned() } else { self.attributes.join(" x ") }
    }
}

/// Sentences about each group that is compared; nothing where counts are exact.
pub(super) fn private_story(report: &Report) -> Vec<String> {
    let Some(private) = &report.private else { return Vec::new() };
    let mut lines = Vec::new();
    for scope in &private.scopes {
        for slice in &scope.slices {
            let name = match private.scopes.len() {
                1 => slice.name(),
                _ => format!("{} ({})", slice.name(), scope.model_version),
            };
            if slice.sites.len() < report.sites.len() {
                let of = report.sites.len();
                lines.push(format!("{name}: {} of {of} sites released this slice, with noise.", slice.sites.len()));
            }
            let rate = |group: &PrivateGroup| super::story::shown(&group.selection_rate, super::story::percent, "");
            let reference = slice.groups.iter().find(|group| group.group == slice.reference);
            let compared =
                slice.groups.iter().filter_map(|group| Some((group, group.differences.as_ref()?, reference?)));
            lines.extend(compared.filter(|(.., of, _)| of.selection_rate.value().is_some()).map(
                |(group, of, reference)| {
                    format!(
                        "{name}: {} selected {}, {} {}; difference {}; counts have noise.",
                        group.group.join(" x "),
                        rate(group),
                        reference.group.join(" x "),
                        rate(reference),
                        super::story::points(&of.selection_rate)
                    )
                },
            ));
        }
    }
    lines
}
