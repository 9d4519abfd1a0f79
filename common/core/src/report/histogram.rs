//! Score histograms of labelled events, at whatever resolution sites released them, added up.

use crate::disclosure::{Bin, Scores, Step};
use crate::event::SCORE_ONE;
use crate::statistics::{CalibrationBin, NotEstimable, Rounded, RoundedBin, RoundedScores};

/// Bins of a reliability diagram, and of the expected calibration error.
pub(super) const RELIABILITY_BINS: u32 = 10;

/// Bins behind what is approximate from bins: finer ones change little, and cost more.
pub(super) const FIT_BINS: u32 = 160;

/// Scores of the events of one group that have a label, in integers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    bins: u32,
    /// `[label 0, 1][bin]`.
    counts: [Vec<u64>; 2],
    /// Sum of q, `[label 0, 1][bin]`.
    sums: [Vec<u128>; 2],
    /// Sum of q^2, `[label 0, 1]`.
    square_sums: [u128; 2],
    /// How far sums of q may be off by rounding, `[label 0, 1][bin of a reliability diagram]`.
    reach: [[u128; RELIABILITY_BINS as usize]; 2],
    /// How far the sum of q^2 of both labels may be off.
    square_reach: u128,
}

impl Histogram {
    /// The histogram that a site released, rounded to `step`.
    pub fn new(scores: &Scores, step: Step) -> Histogram {
        let size = scores.bins as usize;
        let mut reach = [[0; RELIABILITY_BINS as usize]; 2];
        let (mut counts, mut sums) = ([vec![0; size], vec![0; size]], [vec![0; size], vec![0; size]]);
        for label in 0..2 {
            for Bin(bin, count, sum) in &scores.histogram[label] {
                // Verified releases have no bin beyond the last.
                if let (Some(c), Some(s)) = (counts[label].get_mut(*bin as usize), sums[label].get_mut(*bin as usize)) {
                    (*c, *s) = (*count, sum.0);
                }
                if let Some(reach) = reach[label].get_mut((bin / (scores.bins / RELIABILITY_BINS).max(1)) as usize) {
                    *reach += step.sums.reach();
                }
            }
        }
        let square_sums = [0, 1].map(|label| scores.square_sums[label].0);
        Histogram { bins: scores.bins, counts, sums, square_sums, reach, square_reach: 2 * step.squares.reach() }
    }

    /// Adds `other`; the coarser of the two resolutions holds.
    pub fn add(&mut self, other: &Histogram) {
        if other.bins < self.bins {
            self.coarsen(other.bins);
        }
        let width = (other.bins / self.bins).max(1) as usize;
        for label in 0..2 {
            for (at, (count, sum)) in other.counts[label].iter().zip(&other.sums[label]).enumerate() {
                self.counts[label][at / width] += count;
                self.sums[label][at / width] += sum;
            }
            self.square_sums[label] += other.square_sums[label];
            self.reach[label].iter_mut().zip(&other.reach[label]).for_each(|(reach, part)| *reach += part);
        }
        self.square_reach += other.square_reach;
    }

    /// Merges neighbours until `bins` are left; released resolutions are halvings of one another.
    fn coarsen(&mut self, bins: u32) {
        let width = (self.bins / bins).max(1) as usize;
        for label in 0..2 {
            self.counts[label] = self.counts[label].chunks(width).map(|part| part.iter().sum()).collect();
            self.sums[label] = self.sums[label].chunks(width).map(|part| part.iter().sum()).collect();
        }
        self.bins = bins;
    }

    /// Bins of this histogram.
    pub fn bins(&self) -> u32 {
        self.bins
    }

    /// Events by bin: of label 0, of label 1.
    pub fn counts(&self) -> [&[u64]; 2] {
        [&self.counts[0], &self.counts[1]]
    }

    /// Events: of label 0, of label 1.
    pub fn totals(&self) -> [u64; 2] {
        [0, 1].map(|label| self.counts[label].iter().sum())
    }

    /// Sum of the scores of label 0 and label 1, as shares of the contract's range.
    pub fn score_sums(&self) -> [f64; 2] {
        [0, 1].map(|label| unit(self.sums[label].iter().sum()))
    }

    /// Sum of the squared scores over both labels, as shares of the contract's range.
    pub fn square_sum(&self) -> f64 {
        unit(self.square_sums[0] + self.square_sums[1]) / SCORE_ONE as f64
    }

    /// The ten bins of a reliability diagram, from exact sums.
    ///
    /// # Errors
    /// `NotFinite`: fewer than ten bins, which no verified release has.
    pub fn reliability(&self) -> Result<Vec<CalibrationBin>, NotEstimable> {
        if self.bins < RELIABILITY_BINS {
            return Err(NotEstimable::NotFinite);
        }
        Ok(self.calibration_bins(RELIABILITY_BINS))
    }

    /// The same with how far sums may be off; none where they are exact.
    pub fn rounded(&self) -> Option<RoundedScores> {
        let bins = self.reliability().ok().filter(|_| self.square_reach > 0)?;
        let bins = bins.into_iter().enumerate().map(|(at, bin)| RoundedBin {
            bin,
            reach: [0, 1].map(|label| unit(self.reach[label].get(at).copied().unwrap_or_default())),
        });
        let reach = unit(self.square_reach) / SCORE_ONE as f64;
        Some(RoundedScores { bins: bins.collect(), square_sum: Rounded { sum: self.square_sum(), reach } })
    }

    /// The same in `bins` bins, or in as many as there are.
    pub fn calibration_bins(&self, bins: u32) -> Vec<CalibrationBin> {
        let width = (self.bins / bins).max(1) as usize;
        let [counts0, counts1] = self.counts.each_ref().map(|counts| counts.chunks(width));
        let [sums0, sums1] = self.sums.each_ref().map(|sums| sums.chunks(width));
        let bins = counts0.zip(counts1).zip(sums0.zip(sums1)).map(|((n0, n1), (sum0, sum1))| {
            let (positives, positive_sum) = (n1.iter().sum::<u64>(), sum1.iter().sum::<u128>());
            CalibrationBin {
                n: n0.iter().sum::<u64>() + positives,
                positives,
                score_sum: unit(sum0.iter().sum::<u128>() + positive_sum),
                positive_score_sum: unit(positive_sum),
            }
        });
        bins.collect()
    }
}

/// Events by bin, whatever their label, at `bins` bins.
pub(super) fn all_counts(scores: &Scores, bins: u32) -> Vec<u64> {
    by_bin(scores, bins, |Bin(_, count, _)| *count)
}

/// Sums of q by bin, likewise.
pub(super) fn all_sums(scores: &Scores, bins: u32) -> Vec<u128> {
    by_bin(scores, bins, |Bin(.., sum)| sum.0)
}

fn by_bin<T: Default + Clone + std::ops::AddAssign>(scores: &Scores, bins: u32, of: fn(&Bin) -> T) -> Vec<T> {
    let mut sums = vec![T::default(); bins as usize];
    let width = (scores.bins / bins.max(1)).max(1);
    for bin in scores.histogram.iter().flatten() {
        if let Some(sum) = sums.get_mut((bin.0 / width) as usize) {
            *sum += of(bin);
        }
    }
    sums
}

/// q as a share of the range.
fn unit(q: u128) -> f64 {
    q as f64 / SCORE_ONE as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disclosure::Decimal;
    use proptest::prelude::*;

    /// Scores (label, q) at `bins` bins, as a site would release them.
    fn released(scores: &[(usize, u64)], bins: u32) -> Scores {
        let mut released = Scores {
            bins,
            no_score: [0; 3],
            square_sums: [Decimal(0); 3],
            histogram: [Vec::new(), Vec::new(), Vec::new()],
        };
        for (label, q) in scores {
            released.square_sums[*label].0 += u128::from(*q) * u128::from(*q);
            let bin = crate::event::bin_of(*q, bins) as u32;
            let row = &mut released.histogram[*label];
            match row.iter_mut().find(|found| found.0 == bin) {
                Some(found) => (found.1, found.2.0) = (found.1 + 1, found.2.0 + u128::from(*q)),
                None => row.push(Bin(bin, 1, Decimal(u128::from(*q)))),
            }
        }
        released
    }

    fn scores() -> impl Strategy<Value = Vec<(usize, u64)>> {
        proptest::collection::vec((0..2_usize, 0..=SCORE_ONE), 0..40)
    }

    proptest! {
        #[test]
        fn resolutions_merge_in_any_order(a in scores(), b in scores(), i in 0..5_u32, j in 0..5_u32) {
            let (fine, coarse) = (10 << i, 10 << j);
            let mut ab = Histogram::new(&released(&a, fine), Step::EXACT);
            ab.add(&Histogram::new(&released(&b, coarse), Step::EXACT));
            let mut ba = Histogram::new(&released(&b, coarse), Step::EXACT);
            ba.add(&Histogram::new(&released(&a, fine), Step::EXACT));
            prop_assert_eq!(&ab, &ba);
            let both: Vec<_> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(&ab, &Histogram::new(&released(&both, fine.min(coarse)), Step::EXACT));
            prop_assert_eq!(ab.reliability().map(|bins| bins.len()), Ok(10));
        }
    }
}
