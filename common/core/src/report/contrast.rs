//! Rates that need labels, one group against the reference, and how sure their difference in selection is.

use super::figure::{DeviationsFigure, Figure, difference, estimated};
use super::group::{Terms, decided};
use super::rates::*;
use crate::disclosure::Counts;
use crate::statistics::{self as st, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// How far apart two selection rates are, beside their difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceFigures {
    /// The rule of two standard deviations: the two-proportion z test with pooled variance, a nominal finding.
    pub deviations: DeviationsFigure,
    /// Cohen's d; Hedges and Olkin.
    pub cohen_d: Figure,
}

/// Rates of the group less those of the reference; Newcombe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeContrast {
    /// True positive rate.
    pub tpr: Figure,
    /// False positive rate.
    pub fpr: Figure,
    /// Positive predictive value.
    pub ppv: Figure,
    /// Accuracy.
    pub accuracy: Figure,
    /// False negative rate.
    pub fnr: Figure,
    /// True negative rate.
    pub tnr: Figure,
    /// Negative predictive value.
    pub npv: Figure,
    /// False discovery rate.
    pub fdr: Figure,
    /// False omission rate.
    #[serde(rename = "for")]
    pub for_: Figure,
    /// Error rate.
    pub error_rate: Figure,
    /// Base rate.
    pub prevalence: Figure,
    /// Average odds difference: the mean of the differences of true and false positive rate.
    pub average_odds: Figure,
    /// Treatment equality: FN / FP of the group by that of the reference; Woolf. 1 where both are the same.
    pub treatment_equality: Figure,
}

/// Of the group's and the reference's pooled counts.
pub(super) fn distance(group: &Counts, reference: &Counts) -> DistanceFigures {
    let ((x1, n1), (x0, n0)) = (decided(group), decided(reference));
    DistanceFigures {
        deviations: DeviationsFigure::of(st::two_proportions(x1, n1, x0, n0)),
        cohen_d: estimated(st::cohen_d(x1, n1, x0, n0, LEVEL), "hedges_olkin"),
    }
}

/// Of the group's and the reference's pooled counts.
pub(super) fn outcome_contrast(group: &Counts, reference: &Counts, terms: &Terms) -> OutcomeContrast {
    let mature = terms.is_mature(group) && terms.is_mature(reference);
    let mature = if mature { Ok(()) } else { Err(NotEstimable::Immature) };
    let of = |rate: Rate| mature.map_or_else(Figure::undefined, |()| difference(rate(group), rate(reference)));
    let (one, other) = (confusion(group), confusion(reference));
    let treatment = st::odds_ratio(one.fn_, one.fn_ + one.fp, other.fn_, other.fn_ + other.fp, LEVEL);
    OutcomeContrast {
        tpr: of(true_positives),
        fpr: of(false_positives),
        ppv: of(predicted_positives),
        accuracy: of(correct),
        fnr: of(false_negatives),
        tnr: of(true_negatives),
        npv: of(predicted_negatives),
        fdr: of(false_discoveries),
        for_: of(false_omissions),
        error_rate: of(errors),
        prevalence: of(positives),
        average_odds: estimated(
            mature.and_then(|()| st::average_odds_difference(one, other, LEVEL)),
            "newcombe of both, joined",
        ),
        treatment_equality: estimated(mature.and(treatment), "woolf"),
    }
}
