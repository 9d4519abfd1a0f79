//! How pooled decisions treat the compared groups of a slice, beside the gaps that every site has too.

use super::figure::{Below, DeviationsFigure, Figure, estimated, katz, point, with_bounds};
use super::group::{Terms, rate_of, total};
use super::identified::Favourable;
use super::parity::{Compared, Gap};
use super::rates::*;
use crate::disclosure::Counts;
use crate::statistics::{self as st, Confusion, Joint, LEVEL, NotEstimable};
use serde::{Deserialize, Serialize};

/// Figures over all compared groups with events, sites as if they were one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessFigures {
    /// Differential fairness epsilon of the decisions, with add-one smoothing; Katz on all pairs.
    pub differential_fairness: Figure,
    /// Four-fifths flags beside significance.
    pub four_fifths: FourFifths,
    /// Figures that need labels; absent where the contract has no label.
    pub outcomes: Option<OutcomeFairness>,
}

/// Each group's rate of the favourable decision by the highest one (29 CFR 1607.4(D)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourFifths {
    /// The group with the highest rate; absent where no group has decisions, or no site shows all compared groups.
    pub highest: Option<Vec<String>>,
    /// Every other compared group with decisions.
    pub groups: Vec<FourFifthsRow>,
}

/// A group against the one with the highest rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FourFifthsRow {
    /// The group.
    pub group: Vec<String>,
    /// Rate of the favourable decision by the highest group's; Katz, or Koopman beside a 0. Bounds are of the same two groups
    /// over all released windows.
    pub impact_ratio: Figure,
    /// Whether its rate is below four fifths of the highest: where something is hidden, of the highest of any completion.
    /// Absent where it is undefined.
    pub below: Option<Below>,
    /// The two-proportion z test of the same two rates: a nominal finding, and the highest group is the data's choice.
    pub deviations: DeviationsFigure,
}

/// Figures that need labels, over groups with enough of them (the plan's `min_coverage`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeFairness {
    /// The mean of the gaps of true and false positive rate, over groups that have both.
    pub mean_equalized_odds: Gap,
    /// Conditional use accuracy equality: the worse of the gaps of positive and negative predictive value, over groups
    /// that have both.
    pub conditional_use_accuracy: Gap,
    /// False negative rate.
    pub fnr: Gap,
    /// True negative rate.
    pub tnr: Gap,
    /// Negative predictive value.
    pub npv: Gap,
    /// False discovery rate.
    pub fdr: Gap,
    /// False omission rate.
    #[serde(rename = "for")]
    pub for_: Gap,
    /// Error rate.
    pub error_rate: Gap,
    /// Generalised entropy index of all these groups' benefits together (see the groups' own).
    pub generalized_entropy: Figure,
    /// The part of it that lies between groups.
    pub generalized_entropy_between: Figure,
    /// Theil's index of the same benefits.
    pub theil: Figure,
    /// The part of it that lies between groups.
    pub theil_between: Figure,
}

/// Of compared groups' names and counts over the sites that show all of them; none where there is no such site.
pub(super) fn fairness(groups: Option<&[(&[String], Counts)]>, certain: &Favourable, terms: &Terms) -> FairnessFigures {
    let label = terms.contract.label.is_some();
    let Some(groups) = groups else {
        return FairnessFigures {
            differential_fairness: Figure::undefined(NotEstimable::NoSiteShowsAllGroups),
            four_fifths: FourFifths { highest: None, groups: Vec::new() },
            outcomes: label.then(|| outcomes(None, terms)),
        };
    };
    let favourable = terms.contract.favourable_code();
    let rates = groups.iter().enumerate().map(|(at, (name, counts))| (at, *name, rate_of(counts, favourable)));
    let rates: Vec<Rated> = rates.filter(|(.., (_, decided))| *decided > 0).collect();
    let alone: Vec<_> = rates.iter().map(|(.., rate)| *rate).collect();
    let present: Vec<Counts> = groups.iter().map(|(_, counts)| *counts).filter(|counts| total(counts) > 0).collect();
    FairnessFigures {
        differential_fairness: estimated(
            st::differential_fairness(&alone, LEVEL),
            "katz of smoothed counts, Bonferroni over pairs and decisions",
        ),
        four_fifths: four_fifths(&rates, certain),
        outcomes: label.then(|| outcomes(Some(&Compared::labelled(&present, terms)), terms)),
    }
}

/// A compared group: its place among them, its name, (favourable, decided).
type Rated<'a> = (usize, &'a [String], (u64, u64));

fn four_fifths(rates: &[Rated], certain: &Favourable) -> FourFifths {
    // Products of two counts, so that equal rates are equal; of those the first is the highest.
    let lower = |(x1, n1): (u64, u64), (x0, n0): (u64, u64), fifths: u128| {
        5 * u128::from(x1) * u128::from(n0) < fifths * u128::from(x0) * u128::from(n1)
    };
    let highest = rates.iter().reduce(|best, next| if lower(best.2, next.2, 5) { next } else { best });
    let Some((highest, name, top)) = highest else { return FourFifths { highest: None, groups: Vec::new() } };
    let all = certain.groups();
    let row = |(at, group, rate): &Rated| {
        let ((x1, n1), (x0, n0)) = (*rate, *top);
        let below = (x0 > 0).then(|| lower(*rate, *top, 4));
        FourFifthsRow {
            group: group.to_vec(),
            impact_ratio: with_bounds(katz(x1, n1, x0, n0), certain.ratio(*at, *highest)),
            below: certain.below(*at, &all, 0.8, below),
            deviations: DeviationsFigure::of(st::two_proportions(x1, n1, x0, n0)),
        }
    };
    let groups = rates.iter().filter(|(at, ..)| at != highest).map(row).collect();
    FourFifths { highest: Some(name.to_vec()), groups }
}

/// None where no site shows all groups.
fn outcomes(compared: Option<&Compared>, terms: &Terms) -> OutcomeFairness {
    let gap = |rate: Rate| compared.map_or_else(Gap::apart, |compared| compared.gap(rate));
    let joint =
        |rates: [Rate; 2], joint: Joint| compared.map_or_else(Gap::apart, |compared| compared.joint(rates, joint));
    let favourable = terms.contract.favourable_code();
    let tables: Result<Vec<Confusion>, Figure> = match compared {
        None => Err(Figure::undefined(NotEstimable::NoSiteShowsAllGroups)),
        Some(compared) if compared.is_immature() => Err(Figure::undefined(NotEstimable::Immature)),
        Some(compared) => Ok(compared.counts.iter().map(|counts| favourable_confusion(counts, favourable)).collect()),
    };
    let whole = |of: fn(Confusion, f64) -> Result<st::Estimate, NotEstimable>| {
        let sum = |tables: &Vec<Confusion>| tables.iter().fold(Confusion::default(), |sum, table| sum.plus(*table));
        tables.as_ref().map_or_else(Clone::clone, |tables| estimated(of(sum(tables), LEVEL), "delta, multinomial"))
    };
    let between = |of: fn(&[Confusion]) -> Result<f64, NotEstimable>| {
        tables.as_ref().map_or_else(Clone::clone, |tables| point(of(tables), AT_ITS_END))
    };
    OutcomeFairness {
        mean_equalized_odds: joint([true_positives, false_positives], Joint::Mean),
        conditional_use_accuracy: joint([predicted_positives, predicted_negatives], Joint::Worse),
        fnr: gap(false_negatives),
        tnr: gap(true_negatives),
        npv: gap(predicted_negatives),
        fdr: gap(false_discoveries),
        for_: gap(false_omissions),
        error_rate: gap(errors),
        generalized_entropy: whole(Confusion::generalized_entropy),
        generalized_entropy_between: between(st::entropy_between),
        theil: whole(Confusion::theil),
        theil_between: between(st::theil_between),
    }
}

/// Why what lies between groups has no interval.
const AT_ITS_END: &str = "equal groups are at the end of its range";
