//! Means, and how far apart those of groups are whose variances may differ.

use super::tail::student;
use super::{Estimate, Interval, NotEstimable, normal_quantile};

/// What a mean is known from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Events, at least one.
    pub n: u64,
    /// Mean.
    pub mean: f64,
    /// Unbiased variance of one event; 0 where there is one only.
    pub variance: f64,
    /// How far the mean may be off because sums are rounded; the variance is then the greatest that it may be.
    pub reach: f64,
}

impl Sample {
    /// The mean with Student's interval.
    ///
    /// # Errors
    /// `InvalidLevel`. One event, or events all alike, have no interval.
    pub fn estimate(&self, level: f64) -> Result<Estimate, NotEstimable> {
        let interval = match self.n {
            0 | 1 => Err(NotEstimable::TooFewEvents),
            n => {
                let half = student(level, (n - 1) as f64)? * (self.variance / n as f64).sqrt() + self.reach;
                Interval::around(self.mean, half)
            }
        };
        Ok(Estimate { value: self.mean, interval })
    }

    /// Where the mean of the exact sums lies.
    pub fn bounds(&self) -> Interval {
        Interval { lower: self.mean - self.reach, upper: self.mean + self.reach }
    }
}

/// The difference of two means with Welch's interval: variances may differ (Welch 1947).
///
/// # Errors
/// `InvalidLevel`. A sample of one event, or two whose events are all alike, have no interval.
pub fn welch(one: &Sample, other: &Sample, level: f64) -> Result<Estimate, NotEstimable> {
    normal_quantile(level)?;
    let value = one.mean - other.mean;
    let [a, b] = [one, other].map(|sample| sample.variance / sample.n as f64);
    let interval = match () {
        () if one.n < 2 || other.n < 2 => Err(NotEstimable::TooFewEvents),
        () if a + b <= 0.0 => Err(NotEstimable::ZeroVariance),
        () => {
            // By shares, so that squares of small variances do not vanish.
            let (a, b, sum) = (a / (a + b), b / (a + b), a + b);
            let reach = one.reach + other.reach;
            // Of smaller variances the degrees of freedom are others, but never fewer than those of the smaller sample.
            let dof = match reach > 0.0 {
                true => (one.n.min(other.n) - 1) as f64,
                false => (a * a / (one.n - 1) as f64 + b * b / (other.n - 1) as f64).recip(),
            };
            Interval::around(value, student(level, dof)? * sum.sqrt() + reach)
        }
    };
    Ok(Estimate { value, interval })
}

/// Largest less smallest mean, with a simultaneous interval: Welch's of all pairs at 1 - (1 - level) / pairs, lower =
/// max(0, largest lower), upper = largest upper, over ordered pairs.
///
/// # Errors
/// `TooFewGroups` for fewer than two; `InvalidLevel`. Where a pair has no interval there is none.
pub fn max_min_means(samples: &[Sample], level: f64) -> Result<Estimate, NotEstimable> {
    normal_quantile(level)?;
    if samples.len() < 2 {
        return Err(NotEstimable::TooFewGroups);
    }
    let (min, max) = samples
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), sample| (min.min(sample.mean), max.max(sample.mean)));
    let count = samples.len() as f64;
    let pair_level = 1.0 - (1.0 - level) / (count * (count - 1.0) / 2.0);
    let mut interval = Ok(Interval { lower: 0.0, upper: 0.0 });
    for (at, one) in samples.iter().enumerate() {
        for other in &samples[at + 1..] {
            let pair = welch(one, other, pair_level)?.interval;
            // The same interval read from the other side is -upper to -lower.
            interval = interval.and_then(|so_far| {
                pair.map(|pair| Interval {
                    lower: so_far.lower.max(pair.lower).max(-pair.upper),
                    upper: so_far.upper.max(pair.upper).max(-pair.lower),
                })
            });
        }
    }
    Ok(Estimate { value: max - min, interval })
}

/// Where [`max_min_means`] of the exact sums lies.
pub fn means_bounds(samples: &[Sample]) -> Interval {
    let ends = |of: fn(&Sample) -> f64| {
        let ends = samples.iter().map(of);
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), end| (min.min(end), max.max(end)))
    };
    let (lower, upper) = (ends(|sample| sample.bounds().lower), ends(|sample| sample.bounds().upper));
    Interval { lower: (lower.1 - upper.0).max(0.0), upper: upper.1 - lower.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;
    use proptest::prelude::*;

    fn sample(values: &[i32]) -> Sample {
        let n = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
        Sample { n: values.len() as u64, mean, variance: if n > 1.0 { squares / (n - 1.0) } else { 0.0 }, reach: 0.0 }
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-6)
    }

    #[test]
    fn few_or_like_events_have_no_interval() {
        use NotEstimable::*;
        let without = |value, why| Ok(Estimate { value, interval: Err(why) });
        let (one, two, same) = (sample(&[-4]), sample(&[2, -2]), sample(&[3, 3, 3]));
        assert_eq!(one.estimate(LEVEL), without(-4.0, TooFewEvents));
        assert_eq!(same.estimate(LEVEL), without(3.0, ZeroVariance));
        assert_eq!(welch(&one, &two, LEVEL), without(-4.0, TooFewEvents));
        assert_eq!(welch(&same, &same, LEVEL), without(0.0, ZeroVariance));
        assert!(welch(&same, &two, LEVEL).is_ok_and(|e| e.value == 3.0 && e.interval.is_ok()));
        assert_eq!(max_min_means(&[one, two, two], LEVEL), without(4.0, TooFewEvents));
        assert_eq!(max_min_means(&[two], LEVEL), Err(TooFewGroups));
        assert_eq!(welch(&two, &two, 1.0), Err(InvalidLevel));
        assert_eq!(max_min_means(&[two, two], 0.0), Err(InvalidLevel));
    }

    fn groups() -> impl Strategy<Value = Vec<Vec<i32>>> {
        proptest::collection::vec(proptest::collection::vec(-500..500_i32, 1..30), 2..6)
    }

    proptest! {
        #[test]
        fn the_order_of_groups_does_not_matter(groups in groups(), by in 0..5_usize) {
            let samples: Vec<Sample> = groups.iter().map(|values| sample(values)).collect();
            let mut moved = samples.clone();
            moved.rotate_left(by % samples.len());
            let (here, there) = (max_min_means(&samples, LEVEL)?, max_min_means(&moved, LEVEL)?);
            prop_assert!(near(here.value, there.value));
            if let (Ok(a), Ok(b)) = (here.interval, there.interval) {
                prop_assert!(near(a.lower, b.lower) && near(a.upper, b.upper));
                prop_assert!(a.lower >= 0.0 && a.contains(here.value));
            }
            let pair = welch(&samples[0], &samples[1], LEVEL)?;
            let turned = welch(&samples[1], &samples[0], LEVEL)?;
            prop_assert_eq!(pair.value, -turned.value);
            if let (Ok(a), Ok(b)) = (pair.interval, turned.interval) {
                prop_assert!(near(a.lower, -b.upper) && near(a.upper, -b.lower));
            }
        }
    }
}
