//! Figures where there are more than two classes: each against all others, and all together.

use super::compile::Part;
use super::figure::{Figure, estimated, proportion};
use super::group::{Terms, decided};
use super::parity::{Compared, Gap};
use super::rates::{confusion, positives, predicted_positives, true_negatives, true_positives};
use super::shown::{Kind, Shown};
use crate::contract::Task;
use crate::disclosure::{Counts, ReleasedGroup};
use crate::plan::is_compared;
use crate::statistics::{self as st, Average, ClassTable, LEVEL, NotEstimable, Weights};
use serde::{Deserialize, Serialize};

/// Figures of all classes, of a group's pooled decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MulticlassFigures {
    /// Sites added up: those that show decisions and labels by class, of every group, in every window.
    pub sites: u64,
    /// Each class against all others, in the contract's order; empty where hidden.
    pub classes: Vec<ClassFigures>,
    /// What all classes say together; absent where the contract has no label.
    pub outcomes: Option<MulticlassOutcomes>,
}

/// A class against all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassFigures {
    /// How data write it.
    pub class: String,
    /// Events with this decision.
    pub selected: u64,
    /// Their share of all events with a decision; Wilson.
    pub selection_rate: Figure,
    /// Against labels; absent where the contract has no label.
    pub outcomes: Option<ClassOutcomes>,
}

/// A class against all others, over events with decision and label. Rates have Wilson intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassOutcomes {
    /// This decision, and this label.
    pub tp: u64,
    /// This decision, another label.
    pub fp: u64,
    /// Another decision, this label.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// Neither.
    pub tn: u64,
    /// (TP + FN) / n.
    pub prevalence: Figure,
    /// TP / (TP + FP).
    pub precision: Figure,
    /// TP / (TP + FN).
    pub recall: Figure,
    /// 2 TP / (2 TP + FP + FN); delta method.
    pub f1: Figure,
    /// TN / (FP + TN).
    pub specificity: Figure,
}

/// All classes together, over events with decision and label. Intervals by the delta method where nothing else is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MulticlassOutcomes {
    /// Share of the events whose decision is their label; Wilson.
    pub accuracy: Figure,
    /// Means in which every class counts the same.
    #[serde(rename = "macro")]
    pub macro_: Averages,
    /// Of the decisions of all classes as one pile: all three are accuracy.
    pub micro: Averages,
    /// Means in which a class counts as often as it is true. Recall is accuracy.
    pub weighted: Averages,
    /// Macro recall under the name that it has for two classes.
    pub balanced_accuracy: Figure,
    /// Cohen's kappa of decision and label.
    pub kappa: Figure,
    /// The same where a disagreement weighs the square of its distance; only where the contract says that its classes are in
    /// order.
    pub quadratic_kappa: Figure,
    /// Matthews' correlation coefficient of K classes (Gorodkin).
    pub mcc: Figure,
    /// Classes that are never decided among these events: they have no precision, and then its macro average is not known.
    pub never_decided: Vec<String>,
    /// Classes that are never true among these events: they have no recall, and then its macro average is not known.
    pub never_true: Vec<String>,
    /// How often the true class was among the model's likeliest.
    pub top: TopFigures,
}

/// Means over classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Averages {
    /// TP / (TP + FP).
    pub precision: Figure,
    /// TP / (TP + FN).
    pub recall: Figure,
    /// 2 TP / (2 TP + FP + FN).
    pub f1: Figure,
}

/// Accuracies of the model's likeliest outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopFigures {
    /// Sites added up: those that show the places of true classes, of every group, in every window.
    pub sites: u64,
    /// Their labelled events that came with the model's likeliest outputs.
    pub events: u64,
    /// For k of 1, 2, 3 and 5, as far as there are more classes.
    pub accuracies: Vec<TopAccuracy>,
}

/// Share of events whose true class is among the model's `k` likeliest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopAccuracy {
    /// How many count.
    pub k: u64,
    /// The share; Wilson.
    pub accuracy: Figure,
}

/// How far apart compared groups are in how often each class is decided, sites as if they were one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MulticlassParity {
    /// Each class, in the contract's order.
    pub classes: Vec<ClassGap>,
    /// The class with the greatest difference; absent where there is none.
    pub worst: Option<WorstClass>,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassGap {
    /// How data write it.
    pub class: String,
    /// Demographic parity of this decision.
    pub selection_rate: Gap,
}

/// The class in whose selection rate groups differ most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorstClass {
    /// How data write it.
    pub class: String,
    /// Greatest less least rate; Newcombe on all pairs of groups and all classes.
    pub difference: Figure,
}

/// What sites show of classes.
pub(super) struct Classes<'a> {
    terms: &'a Terms<'a>,
    /// `[decision class, absent last][label class, none last]`.
    tables: Shown<Vec<Vec<u64>>>,
    /// Events by the place of the true class, those at none of them last.
    places: Shown<Vec<u64>>,
}

impl<'a> Classes<'a> {
    /// Of all sites; none unless the task is multiclass.
    pub fn of(part: &Part, terms: &'a Terms<'a>) -> Option<Classes<'a>> {
        let tables = Kind {
            read: &read_classes,
            add: |sum: &mut Vec<Vec<u64>>, part| sum.iter_mut().zip(part).for_each(|(sum, part)| add_each(sum, part)),
        };
        let places = Kind { read: &read_places, add: |sum: &mut Vec<u64>, part| add_each(sum, part) };
        (terms.contract.task == Task::Multiclass).then(|| Classes {
            terms,
            tables: Shown::of(part, &tables, |_| ()),
            places: Shown::of(part, &places, |_| ()),
        })
    }

    fn names(&self) -> &'a [String] {
        &self.terms.contract.decision.values
    }

    fn has_label(&self) -> bool {
        self.terms.contract.label.is_some()
    }

    /// The figures of a group.
    pub fn figures(&self, group: usize) -> MulticlassFigures {
        let table = self.tables.group(group);
        let classes = table.map_or(Vec::new(), |(table, counts)| {
            let mature = self.mature(counts);
            let row = |(at, name): (usize, &String)| self.class(name, &against_rest(table, at), mature);
            self.names().iter().enumerate().map(row).collect()
        });
        MulticlassFigures {
            sites: self.tables.sites,
            classes,
            outcomes: self.has_label().then(|| self.outcomes(table, group)),
        }
    }

    fn mature(&self, counts: &Counts) -> Result<(), NotEstimable> {
        if self.terms.is_mature(counts) { Ok(()) } else { Err(NotEstimable::Immature) }
    }

    /// `counts` are those of the class against all others.
    fn class(&self, name: &str, counts: &Counts, mature: Result<(), NotEstimable>) -> ClassFigures {
        let (selected, all) = decided(counts);
        let rate = |(x, n): (u64, u64)| mature.map_or_else(Figure::undefined, |()| proportion(x, n));
        let table = confusion(counts);
        ClassFigures {
            class: name.to_owned(),
            selected,
            selection_rate: proportion(selected, all),
            outcomes: self.has_label().then(|| ClassOutcomes {
                tp: table.tp,
                fp: table.fp,
                fn_: table.fn_,
                tn: table.tn,
                prevalence: rate(positives(counts)),
                precision: rate(predicted_positives(counts)),
                recall: rate(true_positives(counts)),
                f1: estimated(mature.and_then(|()| table.f_beta(1.0, LEVEL)), DELTA),
                specificity: rate(true_negatives(counts)),
            }),
        }
    }

    fn outcomes(&self, table: Option<(&Vec<Vec<u64>>, &Counts)>, group: usize) -> MulticlassOutcomes {
        let k = self.names().len();
        let square = |(table, counts): (&Vec<Vec<u64>>, &Counts)| {
            let cells = table.iter().take(k).map(|row| row.iter().take(k).copied().collect()).collect();
            ClassTable::new(cells).map(|table| (table, self.mature(counts)))
        };
        let known = table.map(square);
        let of = |figure: &dyn Fn(&ClassTable) -> Result<st::Estimate, NotEstimable>| match &known {
            None => Figure::Suppressed,
            Some(Ok((table, mature))) => estimated(mature.and_then(|()| figure(table)), DELTA),
            Some(Err(why)) => Figure::undefined(*why),
        };
        let accuracy = match &known {
            Some(Ok((table, Ok(())))) => proportion(table.correct().0, table.correct().1),
            _ => of(&|_| Err(NotEstimable::Immature)),
        };
        let quadratic = |table: &ClassTable| table.kappa(Weights::Quadratic, LEVEL);
        let never = |margin: fn(&ClassTable) -> &[u64]| {
            let zeros = known.iter().flatten().flat_map(|(table, _)| margin(table).iter().zip(self.names()));
            zeros.filter(|(count, _)| **count == 0).map(|(_, name)| name.clone()).collect()
        };
        MulticlassOutcomes {
            macro_: Averages {
                precision: of(&|table| table.precision(Average::Macro, LEVEL)),
                recall: of(&|table| table.macro_recall(LEVEL)),
                f1: of(&|table| table.f1(Average::Macro, LEVEL)),
            },
            micro: Averages { precision: accuracy.clone(), recall: accuracy.clone(), f1: accuracy.clone() },
            weighted: Averages {
                precision: of(&|table| table.precision(Average::Weighted, LEVEL)),
                recall: accuracy.clone(),
                f1: of(&|table| table.f1(Average::Weighted, LEVEL)),
            },
            balanced_accuracy: of(&|table| table.macro_recall(LEVEL)),
            kappa: of(&|table| table.kappa(Weights::Equal, LEVEL)),
            quadratic_kappa: match (self.terms.contract.decision.ordered, &known) {
                (false, Some(_)) => Figure::undefined(NotEstimable::ClassesNotOrdered),
                _ => of(&quadratic),
            },
            mcc: of(&|table| table.matthews(LEVEL)),
            never_decided: never(ClassTable::decided),
            never_true: never(ClassTable::labelled),
            accuracy,
            top: self.top(group),
        }
    }

    fn top(&self, group: usize) -> TopFigures {
        let known = self.places.group(group);
        let accuracy = |k: u64| match known.map(|(places, counts)| (places, self.mature(counts))) {
            None => Figure::Suppressed,
            Some((_, Err(why))) => Figure::undefined(why),
            Some((places, Ok(()))) => {
                let (among, all) = st::among_first(places, k as usize);
                proportion(among, all)
            }
        };
        let below = TOP.into_iter().filter(|k| *k < self.names().len() as u64);
        TopFigures {
            sites: self.places.sites,
            events: known.map_or(0, |(places, _)| places.iter().sum()),
            accuracies: below.map(|k| TopAccuracy { k, accuracy: accuracy(k) }).collect(),
        }
    }

    /// The gaps over the compared ones of `groups`.
    pub fn parity(&self, groups: &[Vec<String>]) -> MulticlassParity {
        let compared: Vec<usize> = (0..groups.len()).filter(|at| is_compared(&groups[*at])).collect();
        let of_class = |class: usize| -> Option<Vec<Counts>> {
            compared.iter().map(|group| Some(against_rest(self.tables.group(*group)?.0, class))).collect()
        };
        let all: Vec<Option<Vec<Counts>>> = (0..self.names().len()).map(of_class).collect();
        let rates: Option<Vec<Vec<_>>> =
            all.iter().map(|counts| Some(counts.as_ref()?.iter().map(decided).collect())).collect();
        let worst = rates.and_then(|rates| st::worst_difference(&rates, LEVEL).ok());
        let gap = |counts: Option<Vec<Counts>>| {
            counts.map_or_else(Gap::suppressed, |counts| Compared { counts, hidden: 0 }.gap(decided))
        };
        let row = |(name, counts): (&String, _)| ClassGap { class: name.clone(), selection_rate: gap(counts) };
        MulticlassParity {
            classes: self.names().iter().zip(all).map(row).collect(),
            worst: worst.map(|(at, difference)| WorstClass {
                class: self.names()[at].clone(),
                difference: estimated(Ok(difference), "newcombe, Bonferroni over pairs and classes"),
            }),
        }
    }
}

/// The counts of `class`, as 1, against all other classes, as 0.
fn against_rest(table: &[Vec<u64>], class: usize) -> Counts {
    let mut counts = [[0; 3]; 3];
    let place = |at: usize, last: usize| if at == last { 2 } else { usize::from(at == class) };
    for (decision, row) in table.iter().enumerate() {
        for (label, count) in row.iter().enumerate() {
            counts[place(decision, table.len() - 1)][place(label, row.len() - 1)] += count;
        }
    }
    counts
}

fn read_classes(group: &ReleasedGroup) -> Option<Vec<Vec<u64>>> {
    group.classes.as_ref()?.value().cloned()
}

fn read_places(group: &ReleasedGroup) -> Option<Vec<u64>> {
    group.ranks.as_ref()?.value().cloned()
}

fn add_each(sum: &mut [u64], part: &[u64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

const DELTA: &str = "delta, multinomial";
/// How many of the likeliest outputs count.
const TOP: [u64; 4] = [1, 2, 3, 5];

#[cfg(test)]
mod tests;
