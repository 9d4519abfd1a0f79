//! What only some tasks and journals have: classes, true values, weights of labels.

use super::Truth;
use crate::event::{ABSENT, Prediction, SCORE_ONE, Sides};
use crate::limits::OUTPUTS;
use serde::Serialize;

/// Of each group of a slice; empty where the task or the journal has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct DetailTensors {
    /// Multiclass: `[decision class, absent][label class, none]`.
    pub classes: Vec<Vec<Vec<u64>>>,
    /// Multiclass: labelled events that came with outputs, by the place of the true class among them; the last: not among
    /// them.
    pub ranks: Vec<[u64; OUTPUTS + 1]>,
    /// Regression: sums over events with predicted and true value.
    pub moments: Vec<MomentSums>,
    /// Weights of labels that stand for several events; empty until there is one.
    pub weights: Vec<WeightSums>,
    /// Whether a label stands for several events.
    pub weighted: bool,
}

/// Sums of a predicted value p and a true one t, both quantised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct MomentSums {
    pub events: u64,
    pub predicted: u128,
    pub actual: u128,
    pub predicted_squares: u128,
    pub actual_squares: u128,
    pub products: u128,
    /// Of |p - t|.
    pub absolute_errors: u128,
    /// Of the fourth power of |p - t|, rounded to 2^-16 of the range.
    pub fourth_powers: u128,
}

/// Sums over labelled events, `[decision 0, 1, absent][label 0, 1]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct WeightSums {
    pub sums: [[u128; 2]; 3],
    pub squares: [[u128; 2]; 3],
}

impl DetailTensors {
    pub fn empty(groups: usize, sides: Sides) -> Self {
        let mut detail = DetailTensors { weights: vec![WeightSums::default(); groups], ..Self::default() };
        match sides {
            Sides::Binary => {}
            Sides::Class(_, classes) => {
                let size = usize::from(classes) + 1;
                detail.classes = vec![vec![vec![0; size]; size]; groups];
                detail.ranks = vec![[0; OUTPUTS + 1]; groups];
            }
            Sides::Value(_) => detail.moments = vec![MomentSums::default(); groups],
        }
        detail
    }

    pub fn add(
        &mut self,
        group: usize,
        sides: Sides,
        event: &Prediction,
        (decision, label): (usize, usize),
        truth: Option<Truth>,
    ) {
        if let Sides::Class(_, classes) = sides
            && let Some(table) = self.classes.get_mut(group)
        {
            let none = usize::from(classes);
            let row = if event.decision == ABSENT { none } else { usize::from(event.decision) };
            let column = truth.and_then(|truth| usize::try_from(truth.label).ok()).unwrap_or(none);
            if let Some(count) = table.get_mut(row).and_then(|row| row.get_mut(column)) {
                *count += 1;
            }
        }
        let Some(truth) = truth else { return };
        if let (Some(rank), Some(ranks)) = (truth.rank, self.ranks.get_mut(group))
            && let Some(count) = ranks.get_mut(rank.map_or(OUTPUTS, |rank| usize::from(rank).min(OUTPUTS)))
        {
            *count += 1;
        }
        if let (Some(moments), Some(predicted)) = (self.moments.get_mut(group), event.score_q) {
            moments.add(predicted, truth.label);
        }
        self.weighted |= truth.weight != 1;
        if let Some(weights) = self.weights.get_mut(group)
            && label < 2
        {
            let weight = u128::from(truth.weight);
            weights.sums[decision][label] += weight;
            weights.squares[decision][label] += weight * weight;
        }
    }

    pub fn merge(&mut self, other: &DetailTensors) {
        let classes = self.classes.iter_mut().flatten().flatten().zip(other.classes.iter().flatten().flatten());
        let ranks = self.ranks.iter_mut().flatten().zip(other.ranks.iter().flatten());
        classes.chain(ranks).for_each(|(mine, theirs)| *mine += theirs);
        for (mine, theirs) in self.moments.iter_mut().zip(&other.moments) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.weights.iter_mut().zip(&other.weights) {
            let sums = mine.sums.iter_mut().flatten().zip(theirs.sums.iter().flatten());
            let squares = mine.squares.iter_mut().flatten().zip(theirs.squares.iter().flatten());
            sums.chain(squares).for_each(|(mine, theirs)| *mine += theirs);
        }
        self.weighted |= other.weighted;
    }
}

impl MomentSums {
    fn add(&mut self, predicted: u64, actual: u64) {
        let [p, t] = [predicted, actual].map(|q| u128::from(q.min(SCORE_ONE)));
        let error = p.abs_diff(t);
        self.events += 1;
        self.predicted += p;
        self.actual += t;
        self.predicted_squares += p * p;
        self.actual_squares += t * t;
        self.products += p * t;
        self.absolute_errors += error;
        self.fourth_powers += ((error + (1 << 15)) >> 16).pow(4);
    }

    fn merge(&mut self, other: &MomentSums) {
        self.events += other.events;
        self.predicted += other.predicted;
        self.actual += other.actual;
        self.predicted_squares += other.predicted_squares;
        self.actual_squares += other.actual_squares;
        self.products += other.products;
        self.absolute_errors += other.absolute_errors;
        self.fourth_powers += other.fourth_powers;
    }
}
