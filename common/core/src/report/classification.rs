//! Figures of one table of decisions against labels, beside its rates.

use super::figure::{Figure, estimated, katz, proportion};
use super::group::Terms;
use super::rates::{confusion, errors, false_discoveries, false_omissions, favourable_confusion};
use crate::disclosure::Counts;
use crate::statistics::{self as st, Estimate, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// What follows from decisions against labels, of pooled counts: too long a list to print for every site as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassificationFigures {
    /// (FP + FN) / n; Wilson.
    pub error_rate: Figure,
    /// False discovery rate, FP / (TP + FP); Wilson.
    pub fdr: Figure,
    /// False omission rate, FN / (TN + FN); Wilson.
    #[serde(rename = "for")]
    pub for_: Figure,
    /// 2 TP / (2 TP + FP + FN); delta method, as the others without another one.
    pub f1: Figure,
    /// F-beta with beta 2: 5 TP / (5 TP + 4 FN + FP).
    pub f2: Figure,
    /// TP / (TP + FP + FN).
    pub jaccard: Figure,
    /// Youden's J, TPR - FPR; Newcombe.
    pub youden: Figure,
    /// Matthews' correlation coefficient.
    pub mcc: Figure,
    /// Cohen's kappa of decision and label.
    pub kappa: Figure,
    /// Positive likelihood ratio, TPR / FPR; Katz, or Koopman beside a 0.
    pub lr_positive: Figure,
    /// Negative likelihood ratio, FNR / TNR; likewise.
    pub lr_negative: Figure,
    /// Diagnostic odds ratio, TP TN / (FP FN); Woolf.
    pub diagnostic_odds_ratio: Figure,
    /// Root of TPR times TNR.
    pub geometric_mean: Figure,
    /// FN / FP; Wilson of FN / (FN + FP), as odds.
    pub fn_to_fp: Figure,
    /// Generalised entropy index, alpha 2, of the benefits decision - label + 1, where 1 is the favourable decision and
    /// the label that calls for it.
    pub generalized_entropy: Figure,
    /// Theil's index of the same benefits.
    pub theil: Figure,
}

const DELTA: &str = "delta, multinomial";

/// Of a group's pooled counts.
pub(super) fn classification(counts: &Counts, terms: &Terms) -> ClassificationFigures {
    let mature = if terms.is_mature(counts) { Ok(()) } else { Err(NotEstimable::Immature) };
    let rate = |(x, n): (u64, u64)| mature.map_or_else(Figure::undefined, |()| proportion(x, n));
    let of = |figure: Result<Estimate, NotEstimable>, method: &str| estimated(mature.and(figure), method);
    let ratio = |x1, n1, x0, n0| mature.map_or_else(Figure::undefined, |()| katz(x1, n1, x0, n0));
    let table = confusion(counts);
    let [p, n] = table.labels();
    let youden = st::difference(table.tp, p, table.fp, n).map(|value| {
        let interval = st::newcombe_difference(table.tp, p, table.fp, n, LEVEL);
        Estimate { value, interval }
    });
    let benefits = favourable_confusion(counts, terms.contract.favourable_code());
    ClassificationFigures {
        error_rate: rate(errors(counts)),
        fdr: rate(false_discoveries(counts)),
        for_: rate(false_omissions(counts)),
        f1: of(table.f_beta(1.0, LEVEL), DELTA),
        f2: of(table.f_beta(2.0, LEVEL), DELTA),
        jaccard: of(table.jaccard(LEVEL), DELTA),
        youden: of(youden, "newcombe"),
        mcc: of(table.matthews(LEVEL), DELTA),
        kappa: of(table.kappa(LEVEL), DELTA),
        lr_positive: ratio(table.tp, p, table.fp, n),
        lr_negative: ratio(table.fn_, p, table.tn, n),
        diagnostic_odds_ratio: of(st::odds_ratio(table.tp, p, table.fp, n, LEVEL), "woolf"),
        geometric_mean: of(table.geometric_mean(LEVEL), DELTA),
        fn_to_fp: of(table.fn_to_fp(LEVEL), "wilson, as odds"),
        generalized_entropy: of(benefits.generalized_entropy(LEVEL), DELTA),
        theil: of(benefits.theil(LEVEL), DELTA),
    }
}
