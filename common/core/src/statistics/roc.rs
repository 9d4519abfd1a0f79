//! Areas under and between ROC curves of which only points are known: those at the edges of the bins.
//!
//! Between two neighbouring points the curve rises from the one to the other in a way that the bins hide: at worst late,
//! at best early, and along the straight line if the bin's events are ties.

use super::ranking::totals;
use super::{Bounded, Interval, NotEstimable};

/// Area under the ROC curve up to a false positive rate of `max_fpr`, standardised so that chance is 1/2 and a perfect
/// score 1 (McClish 1989): 1/2 (1 + (area - max^2 / 2) / (max - max^2 / 2)).
///
/// # Errors
/// Those of [`auc`](super::auc); `InvalidLevel` unless 0 < `max_fpr` <= 1.
pub fn partial_auc(positives: &[u64], negatives: &[u64], max_fpr: f64) -> Result<Bounded, NotEstimable> {
    let curve = Curve::new(positives, negatives, max_fpr)?;
    if !(max_fpr > 0.0 && max_fpr <= 1.0) {
        return Err(NotEstimable::InvalidLevel);
    }
    let (mut value, mut lower, mut upper) = (0.0, 0.0, 0.0);
    for pair in curve.0.windows(2) {
        let ((f0, t0), (f1, t1)) = (pair[0], pair[1]);
        let width = f1.min(max_fpr) - f0;
        if f0 >= max_fpr {
            break;
        }
        if width <= 0.0 {
            continue;
        }
        let end = t0 + (t1 - t0) * width / (f1 - f0);
        value += width * (t0 + end) / 2.0;
        lower += width * t0;
        upper += width * t1;
    }
    let chance = max_fpr * max_fpr / 2.0;
    let standardised = |area: f64| (1.0 + (area - chance) / (max_fpr - chance)) / 2.0;
    let bounds = Interval { lower: standardised(lower), upper: standardised(upper) };
    Ok(Bounded { value: standardised(value), bounds })
}

/// Area between the ROC curves of two groups, between 0 and 1 (Gardner, Brooks and Baker 2019): the mean over false
/// positive rates of how far the groups' true positive rates lie apart. Each group is (positives, negatives).
///
/// # Errors
/// Those of [`auc`](super::auc), for either group.
pub fn abroca(one: (&[u64], &[u64]), other: (&[u64], &[u64])) -> Result<Bounded, NotEstimable> {
    let (one, other) = (Curve::new(one.0, one.1, 1.0)?, Curve::new(other.0, other.1, 1.0)?);
    let (mut value, mut lower, mut upper) = (0.0, 0.0, 0.0);
    let (mut from, mut i, mut j) = (0.0, 0, 0);
    while let (Some(a), Some(b)) = (one.segment(&mut i, from), other.segment(&mut j, from)) {
        let to = a.end().min(b.end());
        let width = to - from;
        let (start, end) = (a.at(from) - b.at(from), a.at(to) - b.at(to));
        value += width * mean_distance(start, end);
        let (above, below) = (a.low() - b.high(), b.low() - a.high());
        lower += width * above.max(below).max(0.0);
        upper += width * (a.high() - b.low()).max(b.high() - a.low());
        from = to;
    }
    Ok(Bounded { value, bounds: Interval { lower, upper } })
}

/// The mean of |y| where y goes straight from `start` to `end`.
fn mean_distance(start: f64, end: f64) -> f64 {
    if start * end >= 0.0 {
        (start.abs() + end.abs()) / 2.0
    } else {
        (start * start + end * end) / (2.0 * (start - end).abs())
    }
}

/// Points (FPR, TPR) from (0, 0) to (1, 1): the thresholds fall through the bins.
struct Curve(Vec<(f64, f64)>);

impl Curve {
    /// As far as the false positive rate `until`.
    fn new(positives: &[u64], negatives: &[u64], until: f64) -> Result<Curve, NotEstimable> {
        let (p, n) = totals(positives, negatives)?;
        let (p, n) = (p as f64, n as f64);
        let (mut tp, mut fp) = (0.0, 0.0);
        let mut points = Vec::with_capacity(positives.len() + 1);
        points.push((0.0, 0.0));
        for (p_b, n_b) in positives.iter().zip(negatives).rev().filter(|(p_b, n_b)| **p_b > 0 || **n_b > 0) {
            (tp, fp) = (tp + *p_b as f64, fp + *n_b as f64);
            points.push((fp / n, tp / p));
            if until < 1.0 && fp >= until * n {
                break;
            }
        }
        Ok(Curve(points))
    }

    /// The segment over the false positive rates after `from`, looked for from the point `at` on.
    fn segment(&self, at: &mut usize, from: f64) -> Option<Segment> {
        while let Some(pair) = self.0.get(*at..*at + 2) {
            if pair[1].0 > from {
                return Some(Segment(pair[0], pair[1]));
            }
            *at += 1;
        }
        None
    }
}

/// A part of a curve that is not vertical.
struct Segment((f64, f64), (f64, f64));

impl Segment {
    fn end(&self) -> f64 {
        self.1.0
    }

    fn low(&self) -> f64 {
        self.0.1
    }

    fn high(&self) -> f64 {
        self.1.1
    }

    /// The straight line's height.
    fn at(&self, x: f64) -> f64 {
        let Segment((x0, y0), (x1, y1)) = self;
        y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn areas_by_hand() {
        // One bin: the diagonal, and anything from nothing to everything.
        let diagonal = partial_auc(&[3], &[4], 0.1).expect("defined");
        assert!((diagonal.value - 0.5).abs() < 1e-15);
        assert!((diagonal.bounds.upper - 1.0).abs() < 1e-15 && (diagonal.bounds.lower - 0.47368421).abs() < 1e-8);
        let perfect = partial_auc(&[0, 3], &[4, 0], 0.1).expect("defined");
        assert!((perfect.value - 1.0).abs() < 1e-15 && (perfect.bounds.lower - 1.0).abs() < 1e-15);
        // Perfect against diagonal: half of the square.
        let between = abroca((&[0, 3], &[4, 0]), (&[3], &[4])).expect("defined");
        assert_eq!((between.value, between.bounds), (0.5, Interval { lower: 0.0, upper: 1.0 }));
        assert_eq!(abroca((&[0], &[4]), (&[3], &[4])), Err(NotEstimable::EmptyDenominator));
        assert_eq!(partial_auc(&[1], &[1], 0.0), Err(NotEstimable::InvalidLevel));
    }

    fn histogram() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
        (proptest::collection::vec(0..9_u64, 16), proptest::collection::vec(0..9_u64, 16))
    }

    proptest! {
        #[test]
        fn halving_widens_the_bounds_around_the_finer_value((p, n) in histogram(), (r, m) in histogram()) {
            let halve = |bins: &[u64]| bins.chunks(2).map(|pair| pair.iter().sum()).collect::<Vec<u64>>();
            let (hp, hn, hr, hm) = (halve(&p), halve(&n), halve(&r), halve(&m));
            let pairs = [
                (partial_auc(&p, &n, 0.1), partial_auc(&hp, &hn, 0.1)),
                (abroca((&p, &n), (&r, &m)), abroca((&hp, &hn), (&hr, &hm))),
            ];
            for (fine, coarse) in pairs {
                let (Ok(fine), Ok(coarse)) = (fine, coarse) else { continue };
                prop_assert!(coarse.bounds.lower <= fine.bounds.lower + 1e-12);
                prop_assert!(fine.bounds.upper <= coarse.bounds.upper + 1e-12);
                prop_assert!(coarse.bounds.lower <= fine.value + 1e-12 && fine.value <= coarse.bounds.upper + 1e-12);
            }
        }
    }
}
