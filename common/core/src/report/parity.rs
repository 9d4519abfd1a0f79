//! Gaps over all compared groups.

use super::figure::{Figure, TestFigure, estimated, test};
use super::group::{Terms, decided, total};
use super::rates::{Rate, correct, false_positives, predicted_positives, true_positives};
use crate::disclosure::Counts;
use crate::statistics::{self as st, Estimate, Interval, Joint, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// Gaps over all compared groups with events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Compared groups with events; 0 where no site shows all compared groups.
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
    /// Groups that have events and hide the rate, because too few of them have a label. Where there are any, the difference
    /// is a lower and the ratio an upper bound, as `bounds` say; of the intervals only the difference's lower and the
    /// ratio's upper end hold then.
    pub groups_hidden: u64,
    /// Greatest less least rate; Newcombe on all pairs.
    pub difference: Figure,
    /// Least by greatest rate; Katz or Koopman on all pairs.
    pub ratio: Figure,
}

/// Of compared groups' counts over the sites that show all of them; none where there is no such site.
pub(super) fn parity(compared: Option<&[Counts]>, terms: &Terms) -> Parity {
    let label = terms.contract.label.is_some();
    let Some(compared) = compared else {
        let (demographic_parity, chi2) = (Gap::apart(), test(Err(NotEstimable::NoSiteShowsAllGroups)));
        return Parity { groups: 0, demographic_parity, chi2, outcomes: label.then(|| outcome_parity(None)) };
    };
    let present: Vec<Counts> = compared.iter().filter(|counts| total(counts) > 0).copied().collect();
    let rates: Vec<_> = present.iter().map(decided).filter(|(_, decided)| *decided > 0).collect();
    let table: Vec<[u64; 2]> = rates.iter().map(|&(selected, decided)| [selected, decided - selected]).collect();
    Parity {
        groups: present.len() as u64,
        demographic_parity: Compared { counts: present.clone(), hidden: 0 }.gap(decided),
        chi2: test(st::pearson_chi2(&table)),
        outcomes: label.then(|| outcome_parity(Some(&Compared::labelled(&present, terms)))),
    }
}

fn outcome_parity(compared: Option<&Compared>) -> OutcomeParity {
    let gap = |rate: Rate| compared.map_or_else(Gap::apart, |compared| compared.gap(rate));
    let odds = |compared: &Compared| compared.joint([true_positives, false_positives], Joint::Worse);
    OutcomeParity {
        equal_opportunity: gap(true_positives),
        predictive_equality: gap(false_positives),
        equalized_odds: compared.map_or_else(Gap::apart, odds),
        predictive_parity: gap(predicted_positives),
        accuracy: gap(correct),
    }
}

/// Counts of the compared groups that have events, as far as they may be used.
pub(super) struct Compared {
    pub counts: Vec<Counts>,
    /// Groups whose rates exist and are not shown.
    pub hidden: u64,
}

impl Compared {
    /// Those with enough labels; the others hide their rates.
    pub fn labelled(present: &[Counts], terms: &Terms) -> Compared {
        let counts: Vec<Counts> = present.iter().filter(|counts| terms.is_mature(counts)).copied().collect();
        let hidden = (present.len() - counts.len()) as u64;
        Compared { counts, hidden }
    }

    /// Whether no group has enough labels.
    pub fn is_immature(&self) -> bool {
        self.counts.is_empty() && self.hidden > 0
    }

    /// Over the groups in which the rate is defined.
    pub fn gap(&self, rate: Rate) -> Gap {
        let rates: Vec<_> = self.counts.iter().map(rate).filter(|(_, n)| *n > 0).collect();
        let difference = st::max_min_difference(&rates, LEVEL);
        let difference = difference.map(|f| Estimate { value: f.value, interval: Ok(f.interval) });
        let ratio = st::min_max_ratio(&rates, LEVEL);
        let ratio = ratio.map(|f| Estimate { value: f.value, interval: Ok(f.interval) });
        self.shown(
            rates.len(),
            (difference, ratio),
            ("newcombe, Bonferroni over pairs", "katz or koopman, Bonferroni over pairs"),
        )
    }

    /// Of two rates, over the groups in which both are defined.
    pub fn joint(&self, [one, other]: [Rate; 2], joint: Joint) -> Gap {
        let both = self.counts.iter().map(|counts| [one(counts), other(counts)]);
        let both: Vec<_> = both.filter(|[one, other]| one.1 > 0 && other.1 > 0).collect();
        let spread = (st::joint_difference(&both, joint, LEVEL), st::joint_ratio(&both, joint, LEVEL));
        let methods = ("newcombe, Bonferroni over pairs and rates", "katz or koopman, Bonferroni over pairs and rates");
        self.shown(both.len(), spread, methods)
    }

    fn shown(&self, defined: usize, (difference, ratio): (Spread, Spread), methods: (&str, &str)) -> Gap {
        let immature = if self.is_immature() { Err(NotEstimable::Immature) } else { Ok(()) };
        let bounded =
            |spread: Spread, method: &str, bounds: fn(f64) -> Interval| match estimated(immature.and(spread), method) {
                Figure::Estimate(estimate) if self.hidden > 0 => {
                    Figure::Estimate(super::Estimate { bounds: Some(bounds(estimate.value)), ..estimate })
                }
                figure => figure,
            };
        Gap {
            groups_defined: defined as u64,
            groups_hidden: self.hidden,
            difference: bounded(difference, methods.0, |value| Interval { lower: value, upper: 1.0 }),
            ratio: bounded(ratio, methods.1, |value| Interval { lower: 0.0, upper: value }),
        }
    }
}

type Spread = Result<Estimate, NotEstimable>;

impl Gap {
    /// No site shows all groups.
    pub(super) fn apart() -> Gap {
        let [difference, ratio] = [NotEstimable::NoSiteShowsAllGroups; 2].map(Figure::undefined);
        Gap { groups_defined: 0, groups_hidden: 0, difference, ratio }
    }

    pub(super) fn suppressed() -> Gap {
        Gap { groups_defined: 0, groups_hidden: 0, difference: Figure::Suppressed, ratio: Figure::Suppressed }
    }
}
