//! Figures of one group: selection, outcomes, scores.

use super::calibration::CalibrationFigures;
use super::classification::ClassificationFigures;
use super::figure::{Figure, figure, point, proportion, rounded, with_bounds};
use super::histogram::Histogram;
use super::identified::Identified;
use super::multiclass::MulticlassFigures;
use super::ranking::RankingFigures;
use super::regression::RegressionFigures;
use crate::contract::{ContractText, Task};
use crate::disclosure::{Counts, Step};
use crate::plan::PlanText;
use crate::statistics::{
    self as st, Auc, BoundedEstimate, CalibrationBin, Estimate, Interval, LEVEL, NotEstimable, RoundedBin,
    RoundedScores,
};
use serde::{Deserialize, Serialize};

/// One group, pooled and at each site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFigures {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// Whether it takes part in comparisons.
    pub compared: bool,
    /// Sites whose counts of this group are known: its pooled figures are over them.
    pub known_at: u64,
    /// Sites with a release in every window.
    pub of_sites: u64,
    /// Over the sites that show the group; absent where none does.
    pub pooled: Option<Measures>,
    /// What follows from its decisions against labels; absent where it is not known, or where the contract has no label.
    pub classification: Option<ClassificationFigures>,
    /// In the order of the slice's sites; absent where the site's counts are not known.
    pub sites: Vec<Option<Measures>>,
    /// Reliability diagram of the pooled scores, ten bins; empty where they are not known or no probabilities.
    pub reliability: Vec<ReliabilityBin>,
    /// How well the pooled scores rank; absent where there are none, or where no site's counts are known.
    pub ranking: Option<RankingFigures>,
    /// How well they are calibrated; likewise.
    pub calibration: Option<CalibrationFigures>,
    /// Where rates lie for certain; absent where nothing of the group is hidden.
    pub identified: Option<Identified>,
    /// Figures of all classes; absent unless the task is multiclass, or where no site's counts are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiclass: Option<MulticlassFigures>,
    /// Figures of predicted values; absent unless the task is regression with labels, or where no site's counts are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionFigures>,
}

/// Counts and figures of one group, pooled or at a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Events.
    pub n: u64,
    /// Events with a decision.
    pub decided: u64,
    /// Events with decision 1.
    pub selected: u64,
    /// Events with a label.
    pub labelled: u64,
    /// `selected / decided`, Wilson interval.
    pub selection_rate: Figure,
    /// Decisions against labels; absent where the contract has no label.
    pub outcomes: Option<OutcomeFigures>,
    /// Scores against labels; absent where the contract has no label or no score.
    pub scores: Option<ScoreFigures>,
}

/// Decisions against labels: decision 1 predicts the positive label. Rates have Wilson intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeFigures {
    /// Share of the events that have a label. Below the plan's `min_coverage` what follows is immature.
    pub label_coverage: Figure,
    /// Decision 1, label 1.
    pub tp: u64,
    /// Decision 1, label 0.
    pub fp: u64,
    /// Decision 0, label 1.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// Decision 0, label 0.
    pub tn: u64,
    /// Base rate: (TP + FN) / n, over events with decision and label.
    pub prevalence: Figure,
    /// (TP + TN) / n.
    pub accuracy: Figure,
    /// TP / (TP + FN).
    pub tpr: Figure,
    /// FN / (TP + FN).
    #[serde(rename = "fnr")]
    pub fnr: Figure,
    /// FP / (FP + TN).
    pub fpr: Figure,
    /// TN / (FP + TN).
    pub tnr: Figure,
    /// TP / (TP + FP).
    pub ppv: Figure,
    /// TN / (TN + FN).
    pub npv: Figure,
    /// (TPR + TNR) / 2.
    pub balanced_accuracy: Figure,
}

/// Scores against labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreFigures {
    /// Events with a score and a label; absent where hidden.
    pub scored: Option<u64>,
    /// Bins of the histogram behind the figures; absent where hidden.
    pub bins: Option<u32>,
    /// Area under the ROC curve; DeLong on bins, with guaranteed bounds.
    pub auc: Figure,
    /// Mean of (score - label)^2, exact.
    pub brier: Figure,
    /// Expected calibration error over ten bins, from exact sums.
    pub ece: Figure,
    /// What the expected calibration error would be on average if every score were exactly right.
    pub ece_by_chance: Figure,
    /// Mean score.
    pub mean_score: Figure,
}

/// A bin of a reliability diagram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliabilityBin {
    /// Lower edge, not inside (but 0 is).
    pub lower: f64,
    /// Upper edge, inside.
    pub upper: f64,
    /// Events with a score and a label.
    pub n: u64,
    /// Those with label 1.
    pub positives: u64,
    /// Mean score.
    pub mean_score: Figure,
    /// Observed share of label 1; Wilson.
    pub observed: Figure,
}

/// What contract and plan say about figures.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub contract: &'a ContractText,
    pub min_coverage: f64,
    pub min_site_n: u64,
    pub step: Step,
}

/// Counts of a group and, where they are known, its scores.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub counts: &'a Counts,
    pub scores: Option<Scored<'a>>,
}

/// Scores, and the counts of the same sites: others may have released counts alone.
#[derive(Clone, Copy)]
pub(super) struct Scored<'a> {
    pub histogram: &'a Histogram,
    pub counts: &'a Counts,
    pub auc: Result<Auc, NotEstimable>,
}

impl<'a> Scored<'a> {
    pub fn new(histogram: &'a Histogram, counts: &'a Counts) -> Self {
        let [negatives, positives] = histogram.counts();
        Scored { histogram, counts, auc: st::auc(positives, negatives, LEVEL) }
    }
}

impl<'a> Terms<'a> {
    pub fn of(plan: &PlanText, contract: &'a ContractText) -> Self {
        let (min_coverage, min_site_n) = (plan.min_coverage, plan.min_site_n);
        Terms { contract, min_coverage, min_site_n, step: Step::of(&plan.disclosure) }
    }
}

impl Terms<'_> {
    /// Whether enough of the events have a label (METRICS rule P).
    pub fn is_mature(&self, counts: &Counts) -> bool {
        self.covers(labelled(counts), total(counts))
    }

    /// The same of events with a label among `n`.
    pub fn covers(&self, labelled: u64, n: u64) -> bool {
        n == 0 || labelled as f64 >= self.min_coverage * n as f64
    }

    /// A regression's score is a value, whatever its range.
    pub fn is_probability(&self) -> bool {
        let range = self.contract.score.as_ref().is_some_and(|score| score.min == 0.0 && score.max == 1.0);
        range && self.contract.task != Task::Regression
    }

    pub fn measures(&self, known: Known) -> Measures {
        let (selected, decided) = decided(known.counts);
        let label = self.contract.label.is_some();
        Measures {
            n: total(known.counts),
            decided,
            selected,
            labelled: labelled(known.counts),
            selection_rate: proportion(selected, decided),
            outcomes: label.then(|| self.outcomes(known.counts)),
            scores: (label && self.contract.score.is_some()).then(|| self.scores(known)),
        }
    }

    fn outcomes(&self, counts: &Counts) -> OutcomeFigures {
        let [[tn, fn_, _], [fp, tp, _], _] = *counts;
        let mature = self.is_mature(counts);
        let rate = |x: u64, n: u64| if mature { proportion(x, n) } else { Figure::undefined(NotEstimable::Immature) };
        let (positives, negatives) = (tp + fn_, fp + tn);
        let balanced = st::balanced_accuracy(tp, positives, tn, negatives, LEVEL);
        let balanced = if mature { balanced } else { Err(NotEstimable::Immature) };
        OutcomeFigures {
            label_coverage: proportion(labelled(counts), total(counts)),
            tp,
            fp,
            fn_,
            tn,
            prevalence: rate(positives, positives + negatives),
            accuracy: rate(tp + tn, positives + negatives),
            tpr: rate(tp, positives),
            fnr: rate(fn_, positives),
            fpr: rate(fp, negatives),
            tnr: rate(tn, negatives),
            ppv: rate(tp, tp + fp),
            npv: rate(tn, tn + fn_),
            balanced_accuracy: figure(balanced.map(|b| (b.value, b.interval)), "delta"),
        }
    }

    fn scores(&self, known: Known) -> ScoreFigures {
        let Some(Scored { histogram: scores, counts, auc: area }) = known.scores else {
            let [auc, brier, ece, ece_by_chance, mean_score] = [const { Figure::Suppressed }; 5];
            return ScoreFigures { scored: None, bins: None, auc, brier, ece, ece_by_chance, mean_score };
        };
        let mature = if self.is_mature(counts) { Ok(()) } else { Err(NotEstimable::Immature) };
        let probability = if self.is_probability() { mature } else { mature.and(Err(NotEstimable::NotAProbability)) };
        let [n0, n1] = scores.totals();
        let [sum0, sum1] = scores.score_sums();
        let bins = scores.reliability();
        let over_bins = |of: fn(&[CalibrationBin]) -> Result<f64, NotEstimable>| {
            probability.and_then(|()| of(bins.as_ref().map_err(|why| *why)?))
        };
        let rounded = scores.rounded();
        // Bounds of rounded sums; none where they are exact.
        let open = |figure: Figure, bounds: fn(&RoundedScores, f64) -> Result<Interval, NotEstimable>| match (
            &rounded,
            figure.value(),
        ) {
            (Some(rounded), Some(value)) => with_bounds(figure, bounds(rounded, value)),
            _ => figure,
        };
        ScoreFigures {
            scored: Some(n0 + n1),
            bins: Some(scores.bins()),
            auc: mature.map_or_else(Figure::undefined, |()| auc(area)),
            brier: open(
                point(
                    probability.and_then(|()| st::brier(n0 + n1, n1, scores.square_sum(), sum1)),
                    "fourth powers of scores are not released",
                ),
                |rounded, brier| Ok(rounded.brier(brier)),
            ),
            ece: open(
                point(over_bins(st::expected_calibration_error), "biased upwards; compare with chance"),
                |rounded, _| Ok(rounded.expected_calibration_error()),
            ),
            ece_by_chance: open(point(over_bins(st::calibration_error_by_chance), "descriptive"), |rounded, _| {
                rounded.calibration_error_by_chance()
            }),
            mean_score: mature.map_or_else(Figure::undefined, |()| self.mean_score(n0 + n1, sum0 + sum1, scores)),
        }
    }

    fn mean_score(&self, n: u64, sum: f64, scores: &Histogram) -> Figure {
        let (min, max) = self.contract.score.as_ref().map_or((0.0, 1.0), |score| (score.min, score.max));
        let scale = |x: f64| min + x * (max - min);
        if let Some(scores) = scores.rounded() {
            let scaled = |i: Interval| Interval { lower: scale(i.lower), upper: scale(i.upper) };
            let mean = scores.mean_score(LEVEL).map(|mean| {
                let (value, interval) = (scale(mean.estimate.value), mean.estimate.interval.map(scaled));
                BoundedEstimate { estimate: Estimate { value, interval }, bounds: scaled(mean.bounds) }
            });
            return rounded(mean, "normal");
        }
        let mean = st::mean_of_sums(n, sum, scores.square_sum(), LEVEL).map(|mean| {
            let scaled = |i: st::Interval| st::Interval { lower: scale(i.lower), upper: scale(i.upper) };
            (scale(mean.value), mean.interval.map(scaled))
        });
        figure(mean, "normal")
    }

    /// The reliability diagram of pooled scores; empty where scores are not known or claim no probability.
    pub fn reliability(&self, known: Known) -> Vec<ReliabilityBin> {
        let Some(scores) = known.scores.filter(|_| self.is_probability()) else { return Vec::new() };
        let bins = scores.histogram.reliability().unwrap_or_default();
        let rounded = scores.histogram.rounded();
        let open = |at: usize| rounded.as_ref().and_then(|rounded| rounded.bins.get(at)).map(RoundedBin::mean_score);
        let mature = self.is_mature(scores.counts);
        let edge = |at: usize| at as f64 / bins.len() as f64;
        let row = |(at, bin): (usize, &CalibrationBin)| ReliabilityBin {
            lower: edge(at),
            upper: edge(at + 1),
            n: bin.n,
            positives: bin.positives,
            mean_score: with_bounds(
                point(
                    if bin.n == 0 { Err(NotEstimable::EmptyDenominator) } else { Ok(bin.score_sum / bin.n as f64) },
                    "descriptive",
                ),
                open(at).unwrap_or(Err(NotEstimable::EmptyDenominator)),
            ),
            observed: if mature { proportion(bin.positives, bin.n) } else { Figure::undefined(NotEstimable::Immature) },
        };
        bins.iter().enumerate().map(row).collect()
    }
}

fn auc(auc: Result<Auc, NotEstimable>) -> Figure {
    let figure = figure(auc.map(|a| (a.estimate.value, a.estimate.interval)), "delong_on_bins");
    with_bounds(figure, auc.map(|a| a.bounds))
}

/// All events.
pub(super) fn total(counts: &Counts) -> u64 {
    counts.iter().flatten().sum()
}

/// Events with a label.
pub(super) fn labelled(counts: &Counts) -> u64 {
    counts.iter().map(|row| row[0] + row[1]).sum()
}

/// (events with decision `code`, events with a decision).
pub(super) fn rate_of(counts: &Counts, code: usize) -> (u64, u64) {
    let row = |decision: usize| counts[decision].iter().sum::<u64>();
    (row(code), row(0) + row(1))
}

/// (selected, decided).
pub(super) fn decided(counts: &Counts) -> (u64, u64) {
    rate_of(counts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{from_toml, tests::ADMISSION};
    use crate::disclosure::{Bin, Decimal, Scores};

    #[test]
    fn scores_are_as_mature_as_the_sites_that_gave_them() {
        let contract = from_toml(ADMISSION).expect("valid");
        let terms = Terms { contract: &contract, min_coverage: 0.8, min_site_n: 10, step: Step::EXACT };
        // One site has 2,000 labelled events and hid its histogram; another has 40 of 400 labelled, and showed it.
        let counts = [[1_000, 20, 180], [20, 1_000, 180], [0; 3]];
        let few = [[20, 0, 180], [0, 20, 180], [0; 3]];
        let q = |bin: u32, n: u64| vec![Bin(bin, n, Decimal(u128::from(n)))];
        let scores = Scores {
            bins: 10,
            no_score: [0; 3],
            square_sums: [Decimal(0); 3],
            histogram: [q(0, 20), q(9, 20), q(5, 360)],
        };
        let histogram = Histogram::new(&scores, Step::EXACT);
        let of = |counts: &Counts| {
            let scores = Some(Scored::new(&histogram, &few));
            terms.measures(Known { counts, scores }).scores.expect("scores")
        };
        let immature = Figure::NotEstimable("immature".to_owned());
        let found = of(&counts);
        assert!(terms.is_mature(&counts) && !terms.is_mature(&few));
        assert_eq!([&found.auc, &found.brier, &found.ece, &found.mean_score], [&immature; 4]);
        assert!(
            terms
                .reliability(Known { counts: &counts, scores: Some(Scored::new(&histogram, &few)) })
                .iter()
                .all(|bin| bin.observed == immature)
        );
        let enough = terms.measures(Known { counts: &counts, scores: Some(Scored::new(&histogram, &counts)) });
        assert_eq!(enough.scores.and_then(|scores| scores.auc.value()), Some(1.0));
    }
}
