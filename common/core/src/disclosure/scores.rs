//! Score histograms: at how many bins they are shown.

use super::rungs::{Ladder, Rule, Rung};
use super::{Bin, Decimal, Scores, SliceNames, Step, passes};
use crate::aggregate::{ScoreTensors, SliceTensors};

/// At how many bins the scores of each slice are seen.
pub(super) fn resolutions(slices: &[SliceTensors], ladders: &[Ladder], names: &[SliceNames]) -> Vec<Option<u32>> {
    let is_full = |ladder: &Ladder| ladder.rungs.iter().all(|rung| *rung == Rung::Full);
    let whole = slices.first().and_then(|slice| slice.scores.first());
    let of = |(slice, ladder): (&SliceTensors, &Ladder)| {
        whole.filter(|_| is_full(ladder)).and_then(|whole| finest_bins(&slice.scores, whole, ladder.rule))
    };
    let mut seen: Vec<Option<u32>> = slices.iter().zip(ladders).map(of).collect();
    let many: Vec<usize> = (0..seen.len()).filter(|&at| names[at].0.len() >= 2).collect();
    let bins = many.iter().map(|&at| seen[at]).min().flatten();
    many.into_iter().for_each(|at| seen[at] = bins);
    // Groups are bins of the whole: without it they would be held against nothing.
    let whole = seen.first().copied().flatten();
    seen.into_iter().map(|bins| bins.filter(|bins| whole.is_some_and(|whole| whole >= *bins))).collect()
}

/// The finest number of bins at which every count of every group is at least k, or a 0 that may be seen.
fn finest_bins(groups: &[ScoreTensors], whole: &ScoreTensors, rule: Rule) -> Option<u32> {
    let passes = |(count, zero): (u64, bool)| passes(count, rule.k) && (count > 0 || zero);
    let unscored = rule.zeros.of_scores(whole, 0..0).0;
    if !groups.iter().all(|group| group.no_score.into_iter().zip(unscored).all(passes)) {
        return None;
    }
    let full = groups.first()?.counts.ncols();
    let mut width = 1;
    while full / width >= FEWEST_BINS as usize {
        let fits = |first: usize| {
            let bins = first..first + width;
            let zeros = rule.zeros.of_scores(whole, bins.clone()).1;
            let of = |group: &ScoreTensors, label: usize| bins.clone().map(|bin| group.counts[[label, bin]]).sum();
            groups.iter().all(|group| (0..3).map(|label| (of(group, label), zeros[label])).all(passes))
        };
        if full.is_multiple_of(width) && (0..full).step_by(width).all(fits) {
            return u32::try_from(full / width).ok();
        }
        width *= 2;
    }
    None
}

/// Adds neighbouring bins, and rounds their sums.
pub(super) fn merged(scores: &ScoreTensors, bins: u32, step: Step) -> Scores {
    let width = scores.counts.ncols() / (bins as usize).max(1);
    let histogram = std::array::from_fn(|label| {
        let counts = scores.counts.row(label);
        let sums = scores.sums.row(label);
        let merged = counts.exact_chunks(width).into_iter().zip(sums.exact_chunks(width));
        (0..bins)
            .zip(merged)
            .map(|(bin, (count, sum))| Bin(bin, count.sum(), Decimal(step.sums.round(sum.sum()))))
            .filter(|bin| bin.1 > 0)
            .collect()
    });
    let square_sums = scores.square_sums.map(|sum| Decimal(step.squares.round(sum)));
    Scores { bins, no_score: scores.no_score, square_sums, histogram }
}

/// Fewest bins of a released histogram.
const FEWEST_BINS: u32 = 10;
