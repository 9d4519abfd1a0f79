//! How predicted values meet true ones, from sums over events.
//!
//! Values are whole numbers, of which the range holds 2^32; so are the figures' units, and those of their squares. What is
//! subtracted is subtracted in integers, so that large values with small errors lose nothing.

mod rounded;

use super::{Estimate, Interval, NotEstimable, Sample, normal_quantile};

/// Sums over the events that have a predicted value p and a true one t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Events.
    pub events: u64,
    /// Sum of p.
    pub predicted: u128,
    /// Sum of t.
    pub actual: u128,
    /// Sum of p^2.
    pub predicted_squares: u128,
    /// Sum of t^2.
    pub actual_squares: u128,
    /// Sum of p t.
    pub products: u128,
    /// Sum of |p - t|.
    pub absolute_errors: u128,
    /// Sum of r^4, r = |p - t| / 2^16 to the nearest whole number.
    pub fourth_powers: u128,
    /// How far each sum may be off by rounding: of p, t, |p - t|; of squares, products and fourth powers.
    pub reach: [u128; 2],
}

impl Moments {
    /// Both together.
    pub fn plus(&self, other: &Moments) -> Moments {
        Moments {
            events: self.events.saturating_add(other.events),
            predicted: self.predicted.saturating_add(other.predicted),
            actual: self.actual.saturating_add(other.actual),
            predicted_squares: self.predicted_squares.saturating_add(other.predicted_squares),
            actual_squares: self.actual_squares.saturating_add(other.actual_squares),
            products: self.products.saturating_add(other.products),
            absolute_errors: self.absolute_errors.saturating_add(other.absolute_errors),
            fourth_powers: self.fourth_powers.saturating_add(other.fourth_powers),
            reach: [0, 1].map(|at| self.reach[at].saturating_add(other.reach[at])),
        }
    }

    /// The errors p - t, whose mean is the bias.
    ///
    /// # Errors
    /// `EmptyDenominator` without events; `NotFinite` for sums that no events have.
    pub fn errors(&self) -> Result<Sample, NotEstimable> {
        let sum = signed(self.predicted)?.checked_sub(signed(self.actual)?).ok_or(NotEstimable::NotFinite)?;
        self.sample(sum, 2.0 * self.sum_reach())
    }

    /// Their absolute values |p - t|.
    ///
    /// # Errors
    /// Those of [`Moments::errors`].
    pub fn absolute_errors(&self) -> Result<Sample, NotEstimable> {
        self.sample(signed(self.absolute_errors)?, self.sum_reach())
    }

    /// Of numbers whose squares are those of the errors, and whose sum may be off by `reach`; the variance is then the
    /// greatest that it may be.
    fn sample(&self, sum: i128, reach: f64) -> Result<Sample, NotEstimable> {
        let n = self.some()?;
        let around_mean = centred(n, sum, sum, self.squared_errors()?)?;
        let (size, of) = (n as f64, (sum as f64).abs());
        let around_mean = around_mean + self.errors_reach() + reach.min(of) * (2.0 * of - reach.min(of)) / size;
        let variance = if n > 1 { around_mean.max(0.0) / (n - 1) as f64 } else { 0.0 };
        Ok(Sample { n, mean: sum as f64 / size, variance, reach: reach / size })
    }

    /// The mean of (p - t)^2. Normal interval from the variance of the squares, whose fourth powers are known up to
    /// rounding: they are taken to be as large as they can be (Minkowski), so that the interval is never narrower than that
    /// of the values themselves; nowhere below 0.
    ///
    /// # Errors
    /// Those of [`Moments::errors`]; `InvalidLevel`. One event, or errors of one size, have no interval.
    pub fn mean_squared_error(&self, level: f64) -> Result<Estimate, NotEstimable> {
        let z = normal_quantile(level)?;
        let spread = self.absolute_errors()?.variance;
        let (n, squares) = (self.events as f64, self.squared_errors()? as f64);
        let value = squares / n;
        let least = (squares - self.errors_reach()).max(0.0);
        let root = (self.fourth_powers as f64 + self.reach[1] as f64).powf(0.25) + n.powf(0.25) / 2.0;
        let fourth_powers = (root * COARSE).powi(4);
        let variance = (fourth_powers - least * (least / n)) / (n * (n - 1.0));
        let interval = match () {
            () if self.events < 2 => Err(NotEstimable::TooFewEvents),
            () if spread == 0.0 => Err(NotEstimable::ZeroVariance),
            () => Interval::around(value, z * variance.max(0.0).sqrt() + self.errors_reach() / n),
        };
        Ok(Estimate { value, interval: interval.map(Interval::not_negative) })
    }

    /// The root of [`Moments::mean_squared_error`], and of the ends of its interval.
    ///
    /// # Errors
    /// Those of [`Moments::mean_squared_error`].
    pub fn root_mean_squared_error(&self, level: f64) -> Result<Estimate, NotEstimable> {
        let Estimate { value, interval } = self.mean_squared_error(level)?;
        let roots = |i: Interval| Interval { lower: i.lower.sqrt(), upper: i.upper.sqrt() };
        Ok(Estimate { value: value.sqrt(), interval: interval.map(roots) })
    }

    /// The coefficient of determination, 1 - sum (p - t)^2 / sum (t - mean of t)^2 (Wright 1921). At most 1; below 0 where
    /// the mean would predict better.
    ///
    /// # Errors
    /// `EmptyDenominator` without events; `TooFewEvents` for one; `ZeroVariance` where all true values are the same;
    /// `RoundedSums` where they may be; `NotFinite`.
    pub fn determination(&self) -> Result<f64, NotEstimable> {
        if self.is_rounded() {
            self.determination_bounds()?;
        }
        let [_, actual, _] = self.spreads()?;
        if actual > 0.0 { Ok(1.0 - self.squared_errors()? as f64 / actual) } else { Err(NotEstimable::ZeroVariance) }
    }

    /// Pearson's correlation of predicted and true values (Pearson 1895). Fisher's z interval from four events on, none
    /// where all points are on a line. Between -1 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events; `TooFewEvents` for one; `ZeroVariance` where all predicted, or all true, values
    /// are the same; `RoundedSums` where they may be; `NotFinite`; `InvalidLevel`.
    pub fn correlation(&self, level: f64) -> Result<Estimate, NotEstimable> {
        let z = normal_quantile(level)?;
        let [predicted, actual, both] = self.spreads()?;
        let rounded = if self.is_rounded() { Some(self.correlation_bounds()?) } else { None };
        if predicted <= 0.0 || actual <= 0.0 {
            return Err(NotEstimable::ZeroVariance);
        }
        let value = (both / (predicted.sqrt() * actual.sqrt())).clamp(-1.0, 1.0);
        let interval = match () {
            () if self.events < 4 => Err(NotEstimable::TooFewEvents),
            () if rounded.is_none() && 1.0 - value.abs() < ON_A_LINE => Err(NotEstimable::ZeroVariance),
            () => {
                let half = z / ((self.events - 3) as f64).sqrt();
                let Interval { lower, upper } = rounded.unwrap_or(Interval { lower: value, upper: value });
                Ok(Interval { lower: (lower.atanh() - half).tanh(), upper: (upper.atanh() + half).tanh() })
            }
        };
        Ok(Estimate { value, interval })
    }

    /// Around their means: sum of squares of p, of t, sum of products.
    fn spreads(&self) -> Result<[f64; 3], NotEstimable> {
        let n = self.some()?;
        if n == 1 {
            return Err(NotEstimable::TooFewEvents);
        }
        let (p, t) = (signed(self.predicted)?, signed(self.actual)?);
        Ok([
            centred(n, p, p, signed(self.predicted_squares)?)?,
            centred(n, t, t, signed(self.actual_squares)?)?,
            centred(n, p, t, signed(self.products)?)?,
        ])
    }

    fn some(&self) -> Result<u64, NotEstimable> {
        if self.events == 0 { Err(NotEstimable::EmptyDenominator) } else { Ok(self.events) }
    }

    /// Sum of (p - t)^2.
    fn squared_errors(&self) -> Result<i128, NotEstimable> {
        let both = signed(self.predicted_squares)?.checked_add(signed(self.actual_squares)?);
        let sum = both.and_then(|both| both.checked_sub(signed(self.products).ok()?.checked_mul(2)?));
        // Rounding may take a small sum below 0.
        let sum = sum.map(|sum| if self.is_rounded() { sum.max(0) } else { sum });
        sum.filter(|sum| *sum >= 0).ok_or(NotEstimable::NotFinite)
    }
}

fn signed(sum: u128) -> Result<i128, NotEstimable> {
    i128::try_from(sum).map_err(|_| NotEstimable::NotFinite)
}

/// The sum of (x - mean of x)(y - mean of y) over `n` pairs, from their sums: whole numbers near the means are taken off
/// in integers, and only what is left of them in floating point.
fn centred(n: u64, x: i128, y: i128, xy: i128) -> Result<f64, NotEstimable> {
    let whole = i128::from(n);
    let (mean_x, rest_x) = (x.div_euclid(whole), x.rem_euclid(whole));
    let (mean_y, rest_y) = (y.div_euclid(whole), y.rem_euclid(whole));
    let near = || xy.checked_sub(mean_x.checked_mul(y)?)?.checked_sub(mean_y.checked_mul(rest_x)?);
    let near = near().ok_or(NotEstimable::NotFinite)? as f64;
    Ok(near - rest_x as f64 * rest_y as f64 / n as f64)
}

/// What the errors are divided by before their fourth powers are taken.
const COARSE: f64 = 65_536.0;
/// How far from 1 a correlation is that is 1 but for rounding.
const ON_A_LINE: f64 = 1e-13;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;
    use proptest::prelude::*;

    /// Predicted and true values, as a journal would add them up.
    pub(super) fn moments(pairs: &[(u64, u64)]) -> Moments {
        pairs.iter().fold(Moments::default(), |sum, &(p, t)| {
            let (wide_p, wide_t) = (u128::from(p), u128::from(t));
            let error = p.abs_diff(t);
            sum.plus(&Moments {
                events: 1,
                predicted: wide_p,
                actual: wide_t,
                predicted_squares: wide_p * wide_p,
                actual_squares: wide_t * wide_t,
                products: wide_p * wide_t,
                absolute_errors: u128::from(error),
                fourth_powers: u128::from((error + (1 << 15)) >> 16).pow(4),
                ..Moments::default()
            })
        })
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-6)
    }

    #[test]
    fn four_events_by_hand() {
        // Errors 2, -1, 4, -1.
        let m = moments(&[(12, 10), (19, 20), (34, 30), (39, 40)]);
        let errors = m.errors().expect("events");
        assert_eq!((errors.n, errors.mean, errors.variance), (4, 1.0, (1.0 + 4.0 + 9.0 + 4.0) / 3.0));
        let absolute = m.absolute_errors().expect("events");
        assert_eq!((absolute.mean, absolute.variance), (2.0, (0.0 + 1.0 + 4.0 + 1.0) / 3.0));
        assert_eq!(m.mean_squared_error(LEVEL).map(|e| e.value), Ok(22.0 / 4.0));
        assert_eq!(m.determination(), Ok(1.0 - 22.0 / 500.0));
        // Around 26 and 25: sum of products 480, of squares 478 and 500.
        let r = m.correlation(LEVEL).expect("events");
        assert!(near(r.value, 480.0 / (478.0_f64 * 500.0).sqrt()));
        assert!(r.interval.is_ok_and(|i| near(i.upper, (r.value.atanh() + 1.959963984540054).tanh())));
        // t(3) = 3.182446, standard error root of 6 / 4.
        let bias = errors.estimate(LEVEL).and_then(|bias| bias.interval);
        assert!(bias.is_ok_and(|i| near(i.lower, 1.0 - 3.182446305284263 * 1.5_f64.sqrt())));
    }

    #[test]
    fn what_cannot_be_said_says_why() {
        use NotEstimable::*;
        let none = moments(&[]);
        assert_eq!([none.errors(), none.absolute_errors()], [Err(EmptyDenominator); 2]);
        assert_eq!([none.mean_squared_error(LEVEL), none.correlation(LEVEL)], [Err(EmptyDenominator); 2]);
        assert_eq!(none.determination(), Err(EmptyDenominator));
        let one = moments(&[(5, 9)]);
        let only = |value| Ok(Estimate { value, interval: Err(TooFewEvents) });
        assert_eq!(one.errors().and_then(|e| e.estimate(LEVEL)), only(-4.0));
        assert_eq!([one.mean_squared_error(LEVEL), one.root_mean_squared_error(LEVEL)], [only(16.0), only(4.0)]);
        assert_eq!((one.determination(), one.correlation(LEVEL)), (Err(TooFewEvents), Err(TooFewEvents)));
        // Errors all 3: no variance; predicted values on a line.
        let same = moments(&[(3, 0), (13, 10), (23, 20), (33, 30)]);
        let alike = |value| Ok(Estimate { value, interval: Err(ZeroVariance) });
        assert_eq!(same.errors().and_then(|e| e.estimate(LEVEL)), alike(3.0));
        assert_eq!(same.mean_squared_error(LEVEL), alike(9.0));
        assert!(same.correlation(LEVEL).is_ok_and(|r| near(r.value, 1.0) && r.interval == Err(ZeroVariance)));
        // Errors 2 and -2 differ, their sizes do not.
        let mirrored = moments(&[(2, 0), (8, 10)]);
        assert!(mirrored.errors().and_then(|e| e.estimate(LEVEL)).is_ok_and(|e| e.interval.is_ok()));
        assert_eq!(mirrored.root_mean_squared_error(LEVEL), alike(2.0));
        assert_eq!(mirrored.correlation(LEVEL), Ok(Estimate { value: 1.0, interval: Err(TooFewEvents) }));
        let constant = moments(&[(1, 7), (2, 7), (9, 7)]);
        assert_eq!((constant.determination(), constant.correlation(LEVEL)), (Err(ZeroVariance), Err(ZeroVariance)));
        // Sums that no events have.
        let lie = Moments { events: 1, predicted: u128::MAX, ..Moments::default() };
        assert_eq!(lie.errors(), Err(NotFinite));
        assert_eq!(Moments { events: 1, products: 1, ..Moments::default() }.errors(), Err(NotFinite));
    }

    fn pairs(most: u64) -> impl Strategy<Value = Vec<(u64, u64)>> {
        proptest::collection::vec((0..=most, 0..=most), 2..60)
    }

    proptest! {
        #[test]
        fn sums_say_what_the_events_say(near_zero in pairs(300), shift in 0..=((1_u64 << 32) - 301)) {
            // Far from 0 the errors are as small as before: nothing may be lost to cancellation.
            let pairs: Vec<_> = near_zero.iter().map(|(p, t)| (p + shift, t + shift)).collect();
            let m = moments(&pairs);
            let n = pairs.len() as f64;
            let mean = |of: &dyn Fn(f64, f64) -> f64| {
                near_zero.iter().map(|(p, t)| of(*p as f64, *t as f64)).sum::<f64>() / n
            };
            let (bias, mae) = (mean(&|p, t| p - t), mean(&|p, t| (p - t).abs()));
            let (errors, absolute) = (m.errors()?, m.absolute_errors()?);
            prop_assert!(near(errors.mean, bias) && near(absolute.mean, mae));
            prop_assert!(near(errors.variance, mean(&|p, t| (p - t - bias).powi(2)) * n / (n - 1.0)));
            prop_assert!(near(absolute.variance, mean(&|p, t| ((p - t).abs() - mae).powi(2)) * n / (n - 1.0)));
            let (p_mean, t_mean) = (mean(&|p, _| p), mean(&|_, t| t));
            let spread = mean(&|_, t| (t - t_mean).powi(2));
            if spread > 0.0 {
                prop_assert!(near(m.determination()?, 1.0 - mean(&|p, t| (p - t).powi(2)) / spread));
            }
            if let Ok(r) = m.correlation(LEVEL) {
                let both = mean(&|p, t| (p - p_mean) * (t - t_mean));
                prop_assert!(near(r.value, both / (spread * mean(&|p, _| (p - p_mean).powi(2))).sqrt()));
            }
        }

        #[test]
        fn rounded_fourth_powers_widen_and_hardly(pairs in pairs(1 << 32)) {
            let m = moments(&pairs);
            let n = pairs.len() as f64;
            let squares: Vec<f64> = pairs.iter().map(|(p, t)| (p.abs_diff(*t) as f64).powi(2)).collect();
            let mean = squares.iter().sum::<f64>() / n;
            let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let found = m.mean_squared_error(LEVEL)?;
            prop_assert!((found.value - mean).abs() < 1e-9 * mean);
            let exact = normal_quantile(LEVEL)? * (variance / n).sqrt();
            if let Ok(interval) = found.interval {
                let half = interval.upper - found.value;
                prop_assert!(half >= exact * (1.0 - 1e-9) && interval.lower >= 0.0);
                // Each is rounded by half a unit at most, and then taken as half a unit more.
                let fourth = squares.iter().map(|s| s * s).sum::<f64>().powf(0.25) + COARSE * n.powf(0.25);
                let widest = (fourth.powi(4) / n - mean * mean) / (n - 1.0);
                prop_assert!(half <= normal_quantile(LEVEL)? * widest.sqrt() * (1.0 + 1e-9), "{half} {exact}");
            }
        }

    }
}
