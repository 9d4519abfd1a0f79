//! The rates of a count block, (x, n) each.

use crate::disclosure::Counts;
use crate::statistics::Confusion;

/// A rate of a group's counts: (events that count, events that could).
pub(super) type Rate = fn(&Counts) -> (u64, u64);

/// Events with decision and label.
pub(super) fn confusion(counts: &Counts) -> Confusion {
    let [[tn, fn_, _], [fp, tp, _], _] = *counts;
    Confusion { tp, fp, fn_, tn }
}

/// The same where the decision and label called positive are those of the favourable decision's code.
pub(super) fn favourable_confusion(counts: &Counts, favourable: usize) -> Confusion {
    let Confusion { tp, fp, fn_, tn } = confusion(counts);
    match favourable {
        0 => Confusion { tp: tn, fp: fn_, fn_: fp, tn: tp },
        _ => Confusion { tp, fp, fn_, tn },
    }
}

/// (TP, TP + FN).
pub(super) fn true_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][1], counts[0][1] + counts[1][1])
}

/// (FN, TP + FN).
pub(super) fn false_negatives(counts: &Counts) -> (u64, u64) {
    (counts[0][1], counts[0][1] + counts[1][1])
}

/// (FP, FP + TN).
pub(super) fn false_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][0], counts[0][0] + counts[1][0])
}

/// (TN, FP + TN).
pub(super) fn true_negatives(counts: &Counts) -> (u64, u64) {
    (counts[0][0], counts[0][0] + counts[1][0])
}

/// (TP, TP + FP).
pub(super) fn predicted_positives(counts: &Counts) -> (u64, u64) {
    (counts[1][1], counts[1][0] + counts[1][1])
}

/// (FP, TP + FP).
pub(super) fn false_discoveries(counts: &Counts) -> (u64, u64) {
    (counts[1][0], counts[1][0] + counts[1][1])
}

/// (TN, TN + FN).
pub(super) fn predicted_negatives(counts: &Counts) -> (u64, u64) {
    (counts[0][0], counts[0][0] + counts[0][1])
}

/// (FN, TN + FN).
pub(super) fn false_omissions(counts: &Counts) -> (u64, u64) {
    (counts[0][1], counts[0][0] + counts[0][1])
}

/// (TP + TN, all with decision and label).
pub(super) fn correct(counts: &Counts) -> (u64, u64) {
    let right = counts[0][0] + counts[1][1];
    (right, right + counts[0][1] + counts[1][0])
}

/// (FP + FN, all with decision and label).
pub(super) fn errors(counts: &Counts) -> (u64, u64) {
    let (right, all) = correct(counts);
    (all - right, all)
}

/// (TP + FN, all with decision and label).
pub(super) fn positives(counts: &Counts) -> (u64, u64) {
    (counts[0][1] + counts[1][1], correct(counts).1)
}
