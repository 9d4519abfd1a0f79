//! Gaps over all compared groups.

use super::figure::{Figure, TestFigure, figure, test};
use super::group::{Terms, decided, total};
use crate::disclosure::Counts;
use crate::statistics::{self as st, Interval, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// Gaps over all compared groups with events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Compared groups with events.
    pub groups: u64,
    /// Selection rate.
    pub demographic_parity: Gap,
    /// Pearson's test that selection does not depend on the group.
    pub chi2: TestFigure,
    /// Gaps of rates that need labels; absent where the contract has no label.
    pub outcomes: Option<OutcomeParity>,
}

/// Gaps of rates that need labels, over groups with enough of them (the plan's `min_coverage`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeParity {
    /// True positive rate.
    pub equal_opportunity: Gap,
    /// False positive rate.
    pub predictive_equality: Gap,
    /// The greater of both gaps, over groups that have both rates.
    pub equalized_odds: Gap,
    /// Positive predictive value.
    pub predictive_parity: Gap,
    /// Accuracy.
    pub accuracy: Gap,
}

/// The spread of a rate over groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Groups in which the rate is defined ("g of G").
    pub groups_defined: u64,
    /// Greatest less least rate; Newcombe on all pairs.
    pub difference: Figure,
    /// Least by greatest rate; Katz or Koopman on all pairs.
    pub ratio: Figure,
}

const DIFFERENCE: &str = "newcombe, Bonferroni over pairs";
const RATIO: &str = "katz or koopman, Bonferroni over pairs";

/// Of compared groups' counts; suppressed where they are not known.
pub(super) fn parity(compared: Option<&[Counts]>, terms: &Terms) -> Parity {
    let Some(compared) = compared else {
        let outcomes = terms.contract.label.is_some().then(|| OutcomeParity {
            equal_opportunity: hidden(),
            predictive_equality: hidden(),
            equalized_odds: hidden(),
            predictive_parity: hidden(),
            accuracy: hidden(),
        });
        return Parity { groups: 0, demographic_parity: hidden(), chi2: TestFigure::Suppressed, outcomes };
    };
    let present: Vec<Counts> = compared.iter().filter(|counts| total(counts) > 0).copied().collect();
    let rates: Vec<_> = present.iter().map(decided).filter(|(_, decided)| *decided > 0).collect();
    let table: Vec<[u64; 2]> = rates.iter().map(|&(selected, decided)| [selected, decided - selected]).collect();
    Parity {
        groups: present.len() as u64,
        demographic_parity: gap(&rates),
        chi2: test(st::pearson_chi2(&table)),
        outcomes: terms.contract.label.is_some().then(|| outcome_parity(&present, terms)),
    }
}

fn outcome_parity(present: &[Counts], terms: &Terms) -> OutcomeParity {
    let mature: Vec<Counts> = present.iter().filter(|counts| terms.is_mature(counts)).copied().collect();
    if mature.is_empty() && !present.is_empty() {
        let immature = || Gap {
            groups_defined: 0,
            difference: Figure::undefined(NotEstimable::Immature),
            ratio: Figure::undefined(NotEstimable::Immature),
        };
        return OutcomeParity {
            equal_opportunity: immature(),
            predictive_equality: immature(),
            equalized_odds: immature(),
            predictive_parity: immature(),
            accuracy: immature(),
        };
    }
    let rates = |of: fn(&Counts) -> (u64, u64)| mature.iter().map(of).filter(|(_, n)| *n > 0).collect::<Vec<_>>();
    OutcomeParity {
        equal_opportunity: gap(&rates(true_positives)),
        predictive_equality: gap(&rates(false_positives)),
        equalized_odds: equalized_odds(&mature),
        predictive_parity: gap(&rates(predicted_positives)),
        accuracy: gap(&rates(correct)),
    }
}

/// (TP, TP + FN).
pub(super) fn true_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][1], counts[0][1] + counts[1][1])
}

/// (FP, FP + TN).
pub(super) fn false_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][0], counts[0][0] + counts[1][0])
}

/// (TP, TP + FP).
pub(super) fn predicted_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][1], counts[1][0] + counts[1][1])
}

/// (TP + TN, all with decision and label).
pub(super) fn correct(counts: &Counts) -> (u64, u64) {
    let right = counts[0][0] + counts[1][1];
    (right, right + counts[0][1] + counts[1][0])
}

/// (x, n) of each group whose rate is defined.
fn gap(rates: &[(u64, u64)]) -> Gap {
    let difference = st::max_min_difference(rates, LEVEL).map(|f| (f.value, Ok(f.interval)));
    let ratio = st::min_max_ratio(rates, LEVEL).map(|f| (f.value, Ok(f.interval)));
    Gap { groups_defined: rates.len() as u64, difference: figure(difference, DIFFERENCE), ratio: figure(ratio, RATIO) }
}

/// Equalized odds (Hardt, Price and Srebro 2016): max of the TPR and the FPR difference, min of their ratios.
///
/// Each of the two has its interval at half the error, so both hold together with the level's probability, and then so do
/// the greater lower and the greater upper end of the differences, the lesser ones of the ratios.
fn equalized_odds(mature: &[Counts]) -> Gap {
    let both: Vec<_> = mature
        .iter()
        .map(|counts| [true_positives(counts), false_positives(counts)])
        .filter(|[tpr, fpr]| tpr.1 > 0 && fpr.1 > 0)
        .collect();
    let level = 1.0 - (1.0 - LEVEL) / 2.0;
    let of = |at: usize| both.iter().map(|rates| rates[at]).collect::<Vec<_>>();
    let (tpr, fpr) = (of(0), of(1));
    let greater = |a: f64, b: f64| a.max(b);
    let lesser = |a: f64, b: f64| a.min(b);
    let joined = |a: (f64, Interval), b: (f64, Interval), take: fn(f64, f64) -> f64| {
        let interval = Interval { lower: take(a.1.lower, b.1.lower), upper: take(a.1.upper, b.1.upper) };
        (take(a.0, b.0), Ok(interval))
    };
    let difference = |rates: &[(u64, u64)]| st::max_min_difference(rates, level).map(|f| (f.value, f.interval));
    let ratio = |rates: &[(u64, u64)]| st::min_max_ratio(rates, level).map(|f| (f.value, f.interval));
    Gap {
        groups_defined: both.len() as u64,
        difference: figure(
            difference(&tpr).and_then(|a| Ok(joined(a, difference(&fpr)?, greater))),
            "newcombe, Bonferroni over pairs and rates",
        ),
        ratio: figure(
            ratio(&tpr).and_then(|a| Ok(joined(a, ratio(&fpr)?, lesser))),
            "katz or koopman, Bonferroni over pairs and rates",
        ),
    }
}

fn hidden() -> Gap {
    Gap { groups_defined: 0, difference: Figure::Suppressed, ratio: Figure::Suppressed }
}
