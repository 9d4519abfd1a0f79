//! Figures of predicted values against true ones, in the contract's units.

use super::compile::Part;
use super::figure::{Figure, estimated, point, with_bounds};
use super::group::{Terms, total};
use super::shown::{Kind, Shown};
use crate::contract::Task;
use crate::disclosure::{Counts, Step};
use crate::event::SCORE_ONE;
use crate::plan::is_compared;
use crate::statistics::{self as st, Estimate, Interval, LEVEL, Moments, NotEstimable, Sample};
use serde::{Deserialize, Serialize};

/// How a group's predicted values meet the true ones, sites as if they were one; an error is predicted less true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionFigures {
    /// Sites added up: those that show sums of values, of every group, in every window.
    pub sites: u64,
    /// Their events with a predicted and a true value; absent where hidden.
    pub events: Option<u64>,
    /// Mean error; Student.
    pub bias: Figure,
    /// Mean absolute error; Student.
    pub mae: Figure,
    /// Mean squared error; normal, from fourth powers that are rounded up.
    pub mse: Figure,
    /// Its root.
    pub rmse: Figure,
    /// Coefficient of determination.
    pub r_squared: Figure,
    /// Correlation of predicted and true values; Fisher's z.
    pub pearson: Figure,
    /// Each site, in the order of the slice's sites; absent where it shows none.
    pub at_sites: Vec<Option<SiteErrors>>,
}

/// Errors at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteErrors {
    /// Events with a predicted and a true value.
    pub events: u64,
    /// Mean error; Student.
    pub bias: Figure,
    /// Mean absolute error; Student.
    pub mae: Figure,
}

/// Mean errors of the group less those of the reference, sites as if they were one; Welch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionContrast {
    /// Mean error.
    pub bias: Figure,
    /// Mean absolute error.
    pub mae: Figure,
}

/// How far apart the mean errors of compared groups are, sites as if they were one: greatest less least; Welch on all pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionParity {
    /// Groups that have these means ("g of G").
    pub groups_defined: u64,
    /// Groups that have events and hide them, because too few have a label. Where there are any, the differences are lower
    /// bounds, as `bounds` say, and of the intervals only the lower ends hold. 0 where all is suppressed.
    pub groups_hidden: u64,
    /// Mean error.
    pub bias: Figure,
    /// Mean absolute error.
    pub mae: Figure,
}

/// What sites show of values.
pub(super) struct Values<'a> {
    terms: &'a Terms<'a>,
    /// Of one whole number, in the contract's units.
    unit: f64,
    all: Shown<Moments>,
    /// `[site][group]`.
    sites: Vec<Option<Vec<SiteErrors>>>,
}

/// Of the errors, or of their absolute values.
type Errors = fn(&Moments) -> Result<Sample, NotEstimable>;

impl<'a> Values<'a> {
    /// Of all sites; none unless the task is regression with labels.
    pub fn of(part: &Part, terms: &'a Terms<'a>) -> Option<Values<'a>> {
        let score = terms.contract.score.as_ref().filter(|_| terms.contract.task == Task::Regression)?;
        terms.contract.label.as_ref()?;
        let unit = (score.max - score.min) / SCORE_ONE as f64;
        let kind = Kind {
            read: &|group| group.moments.as_ref()?.value().map(|released| moments(released, terms.step)),
            add: |sum: &mut Moments, part| *sum = sum.plus(part),
        };
        let mut sites = Vec::with_capacity(part.sites.len());
        let all = Shown::of(part, &kind, |shown| {
            let errors = |shown: &Shown<Moments>| {
                let groups = shown.sums.iter().zip(&shown.counts);
                groups.map(|(sums, counts)| site_errors(sums, mature(terms, counts), unit)).collect()
            };
            sites.push(shown.map(errors));
        });
        Some(Values { terms, unit, all, sites })
    }

    /// The figures of a group.
    pub fn figures(&self, group: usize) -> RegressionFigures {
        let known = self.all.group(group).map(|(sums, counts)| (sums, mature(self.terms, counts)));
        let of = |method: &str,
                  power: i32,
                  figure: &dyn Fn(&Moments) -> Result<Estimate, NotEstimable>,
                  bounds: &dyn Fn(&Moments) -> Result<Interval, NotEstimable>| match known {
            None => Figure::Suppressed,
            Some((sums, mature)) => {
                let unit = self.unit.powi(power);
                let figure = estimated(mature.and_then(|()| figure(sums)).map(|e| scaled(e, unit)), method);
                open(figure, sums, bounds(sums), unit)
            }
        };
        let mean = |errors: Errors| move |sums: &Moments| errors(sums)?.estimate(LEVEL);
        let around = |errors: Errors| move |sums: &Moments| errors(sums).map(|sample| sample.bounds());
        RegressionFigures {
            sites: self.all.sites,
            events: known.map(|(sums, _)| sums.events),
            bias: of(STUDENT, 1, &mean(Moments::errors), &around(Moments::errors)),
            mae: of(
                STUDENT,
                1,
                &|sums| mean(Moments::absolute_errors)(sums).map(not_negative),
                &around(Moments::absolute_errors),
            ),
            mse: of(ROUNDED, 2, &|sums| sums.mean_squared_error(LEVEL), &Moments::squared_error_bounds),
            rmse: of(ROUNDED, 1, &|sums| sums.root_mean_squared_error(LEVEL), &Moments::root_bounds),
            r_squared: known.map_or(Figure::Suppressed, |(sums, mature)| {
                let figure = point(mature.and_then(|()| sums.determination()), "joint fourth moments are not released");
                open(figure, sums, sums.determination_bounds(), 1.0)
            }),
            pearson: of("fisher_z", 0, &|sums| sums.correlation(LEVEL), &Moments::correlation_bounds),
            at_sites: self.sites.iter().map(|site| site.as_ref()?.get(group).cloned()).collect(),
        }
    }

    /// A group against the reference.
    pub fn contrast(&self, group: usize, reference: usize) -> RegressionContrast {
        let of = |errors: Errors| match (self.sample(group, errors), self.sample(reference, errors)) {
            (None, _) | (_, None) => Figure::Suppressed,
            (Some(one), Some(other)) => {
                let both = one.and_then(|one| Ok([one, other?]));
                let difference = both.and_then(|[one, other]| st::welch(&one, &other, LEVEL));
                let figure = estimated(difference.map(|e| scaled(e, self.unit)), "welch");
                match both {
                    Ok([one, other]) if one.reach > 0.0 => {
                        let (value, reach) = (one.mean - other.mean, one.reach + other.reach);
                        let bounds = Interval { lower: value - reach, upper: value + reach };
                        with_bounds(figure, Ok(wide(bounds, self.unit)))
                    }
                    _ => figure,
                }
            }
        };
        RegressionContrast { bias: of(Moments::errors), mae: of(Moments::absolute_errors) }
    }

    /// The gaps over the compared ones of `groups`.
    pub fn parity(&self, groups: &[Vec<String>]) -> RegressionParity {
        let compared = groups.iter().enumerate().filter(|(_, group)| is_compared(group));
        let compared: Option<Vec<_>> = compared.map(|(at, _)| self.all.group(at)).collect();
        let Some(compared) = compared else {
            let (bias, mae) = (Figure::Suppressed, Figure::Suppressed);
            return RegressionParity { groups_defined: 0, groups_hidden: 0, bias, mae };
        };
        let present = compared.into_iter().filter(|(_, counts)| total(counts) > 0);
        let (seen, hidden): (Vec<_>, Vec<_>) = present.partition(|(_, counts)| self.terms.is_mature(counts));
        let samples = |errors: Errors| -> Result<Vec<Sample>, NotEstimable> {
            seen.iter().filter(|(sums, _)| sums.events > 0).map(|(sums, _)| errors(sums)).collect()
        };
        let immature = if seen.is_empty() && !hidden.is_empty() { Err(NotEstimable::Immature) } else { Ok(()) };
        let gap = |errors: Errors, most: f64| {
            let difference = immature.and_then(|()| st::max_min_means(&samples(errors)?, LEVEL));
            let difference = difference.map(|e| scaled(e, self.unit));
            let figure = estimated(difference, "welch, Bonferroni over pairs");
            let rounded = samples(errors).ok().filter(|samples| samples.iter().any(|sample| sample.reach > 0.0));
            let rounded = rounded.map(|samples| wide(st::means_bounds(&samples), self.unit));
            let least = |value: f64| rounded.map_or(value, |rounded| rounded.lower);
            match (hidden.is_empty(), rounded) {
                (true, None) => figure,
                (true, Some(rounded)) => with_bounds(figure, Ok(rounded)),
                (false, _) => with_bounds(figure, difference.map(|e| Interval { lower: least(e.value), upper: most })),
            }
        };
        let range = self.unit * SCORE_ONE as f64;
        RegressionParity {
            groups_defined: seen.iter().filter(|(sums, _)| sums.events > 0).count() as u64,
            groups_hidden: hidden.len() as u64,
            bias: gap(Moments::errors, 2.0 * range),
            mae: gap(Moments::absolute_errors, range),
        }
    }

    /// None where it is hidden.
    fn sample(&self, group: usize, errors: Errors) -> Option<Result<Sample, NotEstimable>> {
        let (sums, counts) = self.all.group(group)?;
        Some(mature(self.terms, counts).and_then(|()| errors(sums)))
    }
}

fn site_errors(sums: &Moments, mature: Result<(), NotEstimable>, unit: f64) -> SiteErrors {
    let of = |errors: Errors, held: fn(Estimate) -> Estimate| {
        let mean = mature.and_then(|()| errors(sums)?.estimate(LEVEL));
        let figure = estimated(mean.map(|e| scaled(held(e), unit)), STUDENT);
        open(figure, sums, errors(sums).map(|sample| sample.bounds()), unit)
    };
    SiteErrors {
        events: sums.events,
        bias: of(Moments::errors, |mean| mean),
        mae: of(Moments::absolute_errors, not_negative),
    }
}

fn mature(terms: &Terms, counts: &Counts) -> Result<(), NotEstimable> {
    if terms.is_mature(counts) { Ok(()) } else { Err(NotEstimable::Immature) }
}

fn moments(released: &crate::disclosure::Moments, step: Step) -> Moments {
    Moments {
        events: released.events,
        predicted: released.predicted.0,
        actual: released.actual.0,
        predicted_squares: released.predicted_squares.0,
        actual_squares: released.actual_squares.0,
        products: released.products.0,
        absolute_errors: released.absolute_errors.0,
        fourth_powers: released.fourth_powers.0,
        reach: [step.sums.reach(), step.squares.reach()],
    }
}

fn not_negative(estimate: Estimate) -> Estimate {
    Estimate { interval: estimate.interval.map(Interval::not_negative), ..estimate }
}

fn scaled(estimate: Estimate, unit: f64) -> Estimate {
    Estimate { value: estimate.value * unit, interval: estimate.interval.map(|i| wide(i, unit)) }
}

fn wide(i: Interval, unit: f64) -> Interval {
    Interval { lower: i.lower * unit, upper: i.upper * unit }
}

/// The figure with where it must lie, if its sums are rounded.
fn open(figure: Figure, sums: &Moments, bounds: Result<Interval, NotEstimable>, unit: f64) -> Figure {
    match sums.is_rounded() {
        true => with_bounds(figure, bounds.map(|i| wide(i, unit))),
        false => figure,
    }
}

const STUDENT: &str = "student_t";
const ROUNDED: &str = "delta, approximate: fourth powers are rounded up";

#[cfg(test)]
mod tests;
