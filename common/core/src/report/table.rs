//! Weights and pairs by cell of a group: what rates of weighted events, and of people who come back, are made from.

use super::compile::Part;
use super::group::total;
use super::rates::Rate;
use crate::disclosure::{Cell, Counts, LabelWeights, PAIR_CELLS, ReleasedGroup, Subjects};
use crate::ids::Name;
use crate::statistics::WeightedSums;

const CELLS: usize = PAIR_CELLS as usize;

/// Sums over the events of a group by cell, decision x 3 + label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Events journaled.
    pub events: u64,
    /// Events that they stand for by their tiers.
    pub stands_for: u64,
    /// Whether labels have weights of their own.
    pub label_weights: bool,
    /// People; none where they are not all known.
    pub subjects: Option<u64>,
    /// Weight, and squared weight, of events by their tiers.
    by_event: [[f64; 2]; CELLS],
    /// The same with the weights of labels.
    by_label: [[f64; 2]; CELLS],
    /// Ordered pairs of one person's events, with the product of their tiers' weights.
    pairs: [[f64; CELLS]; CELLS],
}

impl Default for Table {
    fn default() -> Self {
        Table {
            events: 0,
            stands_for: 0,
            label_weights: false,
            subjects: Some(0),
            by_event: Default::default(),
            by_label: Default::default(),
            pairs: Default::default(),
        }
    }
}

/// What a site released of the groups of `part` over its windows; none unless it released all of them.
pub(super) fn tables<'a>(part: &Part<'a>, site: &'a Name) -> Option<Vec<Table>> {
    let weight = part.tier.weight();
    let mut sum: Vec<Table> = Vec::new();
    for slice in part.slices(site)? {
        let tables = slice.groups.iter().map(|group| Table::of(group, weight)).collect::<Option<Vec<_>>>()?;
        match sum.is_empty() {
            true => sum = tables,
            false => sum.iter_mut().zip(&tables).for_each(|(sum, table)| sum.add(table)),
        }
    }
    Some(sum)
}

impl Table {
    fn of(group: &ReleasedGroup, weight: u64) -> Option<Table> {
        let counts = group.counts.full()?;
        let labels = match &group.label_weights {
            None => None,
            // Rates without these weights would be of other events.
            Some(weights) => Some(weights.value()?),
        };
        let events = total(counts);
        let subjects = match &group.subjects {
            Some(Cell::Value(subjects)) => Some(subjects),
            _ => None,
        };
        let known = if events == 0 { Some(0) } else { subjects.map(|of| of.subjects.saturating_add(of.without)) };
        let mut table = Table {
            events,
            stands_for: weight.saturating_mul(events),
            label_weights: labels.is_some(),
            subjects: known,
            ..Table::default()
        };
        table.count(counts, labels, weight as f64);
        if let Some(subjects) = subjects {
            table.pair(subjects, weight as f64 * weight as f64);
        }
        Some(table)
    }

    fn count(&mut self, counts: &Counts, labels: Option<&LabelWeights>, weight: f64) {
        for (at, count) in counts.iter().flatten().enumerate() {
            let n = *count as f64;
            self.by_event[at] = [weight * n, weight * weight * n];
            let of = labels.and_then(|of| Some((of.sums[at / 3].get(at % 3)?.0, of.squares[at / 3].get(at % 3)?.0)));
            let [sum, squares] = of.map_or([n, n], |(sum, squares)| [sum as f64, squares as f64]);
            self.by_label[at] = [weight * sum, weight * weight * squares];
        }
    }

    fn pair(&mut self, subjects: &Subjects, weight: f64) {
        for (one, other, pairs) in &subjects.pairs {
            let of = self.pairs.get_mut(usize::from(*one)).and_then(|row| row.get_mut(usize::from(*other)));
            if let Some(sum) = of {
                *sum += weight * *pairs as f64;
            }
        }
    }

    /// Adds other events, of other people.
    pub fn add(&mut self, other: &Table) {
        self.events = self.events.saturating_add(other.events);
        self.stands_for = self.stands_for.saturating_add(other.stands_for);
        self.label_weights |= other.label_weights;
        self.subjects = self.subjects.zip(other.subjects).map(|(one, other)| one.saturating_add(other));
        let add = |mine: &mut f64, theirs: &f64| *mine += theirs;
        let tables = [(&mut self.by_event, &other.by_event), (&mut self.by_label, &other.by_label)];
        for (mine, theirs) in tables {
            mine.iter_mut().flatten().zip(theirs.iter().flatten()).for_each(|(mine, theirs)| add(mine, theirs));
        }
        let pairs = self.pairs.iter_mut().flatten().zip(other.pairs.iter().flatten());
        pairs.for_each(|(mine, theirs)| add(mine, theirs));
    }

    /// The sums of a rate that weighs events by their tiers.
    pub fn by_event(&self, rate: Rate) -> WeightedSums {
        self.sums(rate, &self.by_event, [1.0; CELLS])
    }

    /// The sums of a rate that weighs events by their labels, too.
    pub fn by_label(&self, rate: Rate) -> WeightedSums {
        // How much a label weighs in the mean of its cell's events: pairs are not told apart by the weights of labels.
        let mean = std::array::from_fn(|at| match self.by_event[at][0] {
            0.0 => 0.0,
            events => self.by_label[at][0] / events,
        });
        self.sums(rate, &self.by_label, mean)
    }

    fn sums(&self, rate: Rate, weights: &[[f64; 2]; CELLS], scale: [f64; CELLS]) -> WeightedSums {
        // A rate is a sum of cells by another: its value of a single event says which.
        let of: [(u64, u64); CELLS] = std::array::from_fn(|at| {
            let mut counts: Counts = [[0; 3]; 3];
            counts[at / 3][at % 3] = 1;
            rate(&counts)
        });
        let mut sums = WeightedSums::default();
        for ((counts, of), [sum, squares]) in of.iter().zip(weights) {
            sums.count += *counts as f64 * sum;
            sums.total += *of as f64 * sum;
            sums.squares += *of as f64 * squares;
        }
        let known = self.subjects.is_some();
        for (one, row) in self.pairs.iter().enumerate().filter(|_| known) {
            for (other, pairs) in row.iter().enumerate().filter(|(other, _)| of[one].1 * of[*other].1 > 0) {
                let pairs = pairs * scale[one] * scale[other];
                match (of[one].0 > 0, of[other].0 > 0, one == other) {
                    // Pairs in one cell stand in both orders, pairs of two cells in one.
                    (true, true, same) => sums.pairs[0] += if same { pairs } else { 2.0 * pairs },
                    (false, false, same) => sums.pairs[2] += if same { pairs } else { 2.0 * pairs },
                    _ => sums.pairs[1] += pairs,
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::{Block, Decimal};
    use crate::report::group::decided;
    use crate::report::rates::{correct, true_positives};
    use crate::statistics::weighted_rate;

    /// 40 events: 10 of each decision and label.
    fn group() -> ReleasedGroup {
        ReleasedGroup::new(Vec::new(), Block::Full([[10, 10, 0], [10, 10, 0], [0; 3]]), None)
    }

    #[test]
    fn labels_that_stand_for_several_weigh_in_rates_of_labels_only() {
        // The ten true positives stand for 5 events each.
        let decimals = |table: [[u128; 2]; 3]| table.map(|row| row.map(Decimal));
        let sums = decimals([[10, 10], [10, 50], [0, 0]]);
        let squares = decimals([[10, 10], [10, 250], [0, 0]]);
        let label_weights = Some(Cell::Value(LabelWeights { sums, squares }));
        let table = Table::of(&ReleasedGroup { label_weights, ..group() }, 3).expect("seen");
        assert_eq!((table.events, table.stands_for, table.label_weights, table.subjects), (40, 120, true, None));
        let selected = weighted_rate(table.by_event(decided)).expect("defined");
        assert_eq!((selected.value, selected.effective), (0.5, 40.0));
        let found = weighted_rate(table.by_label(true_positives)).expect("defined");
        assert!((found.value - 50.0 / 60.0).abs() < 1e-15);
        // Kish: 60^2 by 10 * 1 + 10 * 25, whatever the tier's weight.
        assert!((found.effective - 3_600.0 / 260.0).abs() < 1e-12);
        let hidden = ReleasedGroup { label_weights: Some(Cell::Suppressed), ..group() };
        assert_eq!(Table::of(&hidden, 1), None, "rates without the weights would be of other events");
    }

    #[test]
    fn pairs_count_for_the_rates_whose_events_they_are_of() {
        // Twenty people twice each: those with decision 1 and label 1 (cell 4) with decision 1 and label 0 (cell 3), those
        // with decision 0 within their own cells (0 and 1).
        let pairs = vec![(0, 0, 10), (1, 1, 10), (3, 4, 10)];
        let subjects = Some(Cell::Value(Subjects { subjects: 20, without: 0, pairs }));
        let table = Table::of(&ReleasedGroup { subjects, ..group() }, 2).expect("seen");
        assert_eq!(table.subjects, Some(20));
        // Selection: all pairs are alike in the decision, so that 20 people tell as much as 20 events.
        let selected = weighted_rate(table.by_event(decided)).expect("defined");
        assert!((selected.effective - 20.0).abs() < 1e-12, "{selected:?}");
        // TPR: those of label 1; the pairs within cell 1 alone are of two such events, all misses: 20 events, of which the ten
        // misses are of five people. p (1 - p) / variance, variance (10 + 10 p^2 / (p (1 - p))) p (1 - p) / 400 with p = 1/2.
        let found = weighted_rate(table.by_label(true_positives)).expect("defined");
        assert!((found.effective - 400.0 / 30.0).abs() < 1e-12, "{found:?}");
        // Accuracy: right are cells 0 and 4. Within 0 both are right, within 1 both wrong, of 3 and 4 one: they cancel.
        let found = weighted_rate(table.by_label(correct)).expect("defined");
        assert!((found.effective - 40.0).abs() < 1e-12, "{found:?}");

        let unknown = Table::of(&group(), 2).expect("seen");
        let mut both = table.clone();
        both.add(&unknown);
        assert_eq!((both.subjects, both.events), (None, 80));
        let selected = weighted_rate(both.by_event(decided)).expect("defined");
        assert_eq!(selected.effective, 80.0, "people are not known of all events: assumed independent");
    }
}
