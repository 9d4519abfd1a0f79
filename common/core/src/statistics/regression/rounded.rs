//! What rounded sums leave open of the figures of predicted values.

use super::{Interval, Moments, NotEstimable, signed};

impl Moments {
    /// How far the sum of p, of t, of |p - t| may be off.
    pub(super) fn sum_reach(&self) -> f64 {
        self.reach[0] as f64
    }

    /// How far the sum of (p - t)^2 may be off: of p^2, of t^2, and of p t twice.
    pub(super) fn errors_reach(&self) -> f64 {
        4.0 * self.reach[1] as f64
    }

    /// Whether its sums are rounded.
    pub fn is_rounded(&self) -> bool {
        self.reach != [0; 2]
    }

    /// Where the mean of (p - t)^2 of the exact sums lies.
    ///
    /// # Errors
    /// Those of [`Moments::mean_squared_error`].
    pub fn squared_error_bounds(&self) -> Result<Interval, NotEstimable> {
        let (n, squares, reach) = (self.some()? as f64, self.squared_errors()? as f64, self.errors_reach());
        Ok(Interval { lower: (squares - reach).max(0.0) / n, upper: (squares + reach) / n })
    }

    /// Where its root lies.
    ///
    /// # Errors
    /// Those of [`Moments::mean_squared_error`].
    pub fn root_bounds(&self) -> Result<Interval, NotEstimable> {
        self.squared_error_bounds().map(|i| Interval { lower: i.lower.sqrt(), upper: i.upper.sqrt() })
    }

    /// Where the coefficient of determination of the exact sums lies.
    ///
    /// # Errors
    /// Those of [`Moments::determination`]; `RoundedSums` where true values may all be the same.
    pub fn determination_bounds(&self) -> Result<Interval, NotEstimable> {
        let [_, actual, _] = self.spread_bounds()?;
        let (squares, reach) = (self.squared_errors()? as f64, self.errors_reach());
        match actual.lower > 0.0 {
            true => Ok(Interval {
                lower: 1.0 - (squares + reach) / actual.lower,
                upper: 1.0 - (squares - reach).max(0.0) / actual.upper,
            }),
            false => Err(NotEstimable::RoundedSums),
        }
    }

    /// Where the correlation of the exact sums lies.
    ///
    /// # Errors
    /// Those of [`Moments::correlation`]; `RoundedSums` where predicted, or true, values may all be the same.
    pub fn correlation_bounds(&self) -> Result<Interval, NotEstimable> {
        let [predicted, actual, both] = self.spread_bounds()?;
        if predicted.lower <= 0.0 || actual.lower <= 0.0 {
            return Err(NotEstimable::RoundedSums);
        }
        let [least, most] =
            [(predicted.lower, actual.lower), (predicted.upper, actual.upper)].map(|(p, t)| (p * t).sqrt());
        // What is divided by least is furthest from 0.
        let end = |sum: f64, away: bool| (sum / if away { least } else { most }).clamp(-1.0, 1.0);
        Ok(Interval { lower: end(both.lower, both.lower < 0.0), upper: end(both.upper, both.upper > 0.0) })
    }

    /// Of [`Moments::spreads`].
    fn spread_bounds(&self) -> Result<[Interval; 3], NotEstimable> {
        let n = self.some()? as f64;
        let (p, t) = (signed(self.predicted)? as f64, signed(self.actual)? as f64);
        let [r, rr] = self.reach.map(|reach| reach as f64);
        let [predicted, actual, both] = self.spreads()?;
        let around = |spread: f64, sums: f64| {
            // (x + r)(y + r) - x y = r (x + y + r).
            let reach = rr + r * (sums + r) / n;
            Interval { lower: spread - reach, upper: spread + reach }
        };
        Ok([around(predicted, 2.0 * p), around(actual, 2.0 * t), around(both, p + t)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::moments as exact;
    use super::*;
    use crate::statistics::{LEVEL, max_min_means, means_bounds};
    use proptest::prelude::*;

    /// To the nearest multiple of a 2^32nd's `step`.
    fn rounded(m: &Moments, step: u128) -> Moments {
        let (one, square) = (step, step << 32);
        let near = |sum: u128, step: u128| (sum + step / 2) / step * step;
        Moments {
            events: m.events,
            predicted: near(m.predicted, one),
            actual: near(m.actual, one),
            predicted_squares: near(m.predicted_squares, square),
            actual_squares: near(m.actual_squares, square),
            products: near(m.products, square),
            absolute_errors: near(m.absolute_errors, one),
            fourth_powers: near(m.fourth_powers, square),
            reach: [one / 2, square / 2],
        }
    }

    fn pairs() -> impl Strategy<Value = Vec<(u64, u64)>> {
        proptest::collection::vec((0..=1_u64 << 32, 0..=1_u64 << 32), 10..40)
    }

    /// Inside, but for floating point.
    fn inside(i: Interval, value: f64) -> bool {
        let slack = 1e-9 * value.abs().max(1.0);
        i.lower - slack <= value && value <= i.upper + slack
    }

    fn wider(wide: Interval, narrow: Interval) -> bool {
        inside(wide, narrow.lower) && inside(wide, narrow.upper)
    }

    proptest! {
        #[test]
        fn exact_figures_lie_inside_what_rounding_leaves_open(
            one in pairs(), other in pairs(), step in 1..=1_u128 << 31, spread in 0..1_u64 << 20,
        ) {
            let (a, b) = (exact(&one), exact(&other));
            // Each site rounds its own.
            let (sum, m) = (a.plus(&b), rounded(&a, step).plus(&rounded(&b, step)));
            for figure in [Moments::errors, Moments::absolute_errors] {
                let (true_mean, found) = (figure(&sum)?, figure(&m)?);
                prop_assert!(inside(found.bounds(), true_mean.mean));
                prop_assert!(found.variance >= true_mean.variance * (1.0 - 1e-9));
                prop_assert!(wider(found.estimate(LEVEL)?.interval?, true_mean.estimate(LEVEL)?.interval?));
                let both = [figure(&a)?, figure(&b)?];
                let near = [figure(&rounded(&a, step))?, figure(&rounded(&b, step))?];
                let gap = max_min_means(&both, LEVEL)?;
                prop_assert!(inside(means_bounds(&near), gap.value));
                prop_assert!(wider(max_min_means(&near, LEVEL)?.interval?, gap.interval?));
            }
            let (true_mse, mse) = (sum.mean_squared_error(LEVEL)?, m.mean_squared_error(LEVEL)?);
            prop_assert!(inside(m.squared_error_bounds()?, true_mse.value) && wider(mse.interval?, true_mse.interval?));
            prop_assert!(inside(m.root_bounds()?, true_mse.value.sqrt()));
            if let Ok(bounds) = m.determination_bounds() {
                prop_assert!(inside(bounds, sum.determination()?) && m.determination().is_ok());
            }
            if let (Ok(bounds), Ok(r)) = (m.correlation_bounds(), sum.correlation(LEVEL)) {
                prop_assert!(inside(bounds, r.value) && wider(m.correlation(LEVEL)?.interval?, r.interval?));
            }
            // All errors alike: the interval of exact sums collapses, that of rounded ones holds the mean.
            let alike: Vec<_> = one.iter().map(|(p, _)| (p / 2 + spread, p / 2)).collect();
            let (sum, m) = (exact(&alike), rounded(&exact(&alike), step));
            if m.is_rounded() {
                prop_assert!(inside(m.errors()?.estimate(LEVEL)?.interval?, spread as f64));
                prop_assert!(inside(m.root_mean_squared_error(LEVEL)?.interval?, sum.mean_squared_error(LEVEL)?.value.sqrt()));
            }
        }
    }
}
