//! Where a figure lies for certain when events are hidden of which only a number is known (Manski 2003): no assumption is made
//! about why they are hidden, or about what they are.

use super::{Interval, NotEstimable, rate};

/// A rate `x / n` over known events, when up to `hidden` more belong to it, cases or not.
///
/// # Errors
/// `CountExceedsTotal`; `EmptyDenominator` if nothing is known or hidden.
pub fn identified_rate(x: u64, n: u64, hidden: u64) -> Result<Interval, NotEstimable> {
    check(x, n, hidden)?;
    Ok(Interval { lower: x as f64 / (n as f64 + hidden as f64), upper: with_cases(x, n, hidden as f64) })
}

/// The difference of two rates, `x1 / n1 - x0 / n0`, when the same `hidden` events may belong to either: sharper than what
/// follows from both rates, as no event is in both groups.
///
/// # Errors
/// Those of [`identified_rate`], for either rate; `EmptyDenominator` if both groups cannot have an event.
pub fn identified_difference(x1: u64, n1: u64, x0: u64, n0: u64, hidden: u64) -> Result<Interval, NotEstimable> {
    check(x1, n1, hidden)?;
    check(x0, n0, hidden)?;
    Ok(Interval { lower: -greatest(x0, n0, x1, n1, hidden)?, upper: greatest(x1, n1, x0, n0, hidden)? })
}

fn check(x: u64, n: u64, hidden: u64) -> Result<(), NotEstimable> {
    match n {
        0 if x == 0 && hidden > 0 => Ok(()),
        _ => rate(x, n).map(drop),
    }
}

/// The rate if `more` cases came to it.
fn with_cases(x: u64, n: u64, more: f64) -> f64 {
    (x as f64 + more) / (n as f64 + more)
}

/// The greatest difference: `m` hidden cases join the first group and the others, no cases, join the second. It is concave in m,
/// and flat where sqrt(n1 - x1) / (n1 + m) = sqrt(x0) / (n0 + hidden - m); the whole number beside that is best.
fn greatest(x1: u64, n1: u64, x0: u64, n0: u64, hidden: u64) -> Result<f64, NotEstimable> {
    // A group without events has to get one.
    let (least, most) = (u64::from(n1 == 0) as f64, hidden as f64 - u64::from(n0 == 0) as f64);
    if least > most {
        return Err(NotEstimable::EmptyDenominator);
    }
    let (a, b) = ((n1.saturating_sub(x1) as f64).sqrt(), (x0 as f64).sqrt());
    let flat = (a * (n0 as f64 + hidden as f64) - b * n1 as f64) / (a + b);
    // Where neither rate can move, every m is as good.
    let flat = if a + b > 0.0 { flat } else { least };
    let difference = |m: f64| with_cases(x1, n1, m) - x0 as f64 / (n0 as f64 + hidden as f64 - m);
    Ok(difference(flat.floor().clamp(least, most)).max(difference(flat.ceil().clamp(least, most))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_every_completion_spans() {
        for (x1, n1, x0, n0, hidden) in [
            (3, 10, 4, 9, 5_u64),
            (0, 4, 4, 4, 3),
            (4, 4, 0, 4, 3),
            (1, 1, 1, 2, 7),
            (0, 0, 2, 5, 4),
            (2, 30, 29, 40, 1),
        ] {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for m1 in 0..=hidden {
                for m0 in 0..=hidden - m1 {
                    for (s1, s0) in (0..=m1).flat_map(|s1| (0..=m0).map(move |s0| (s1, s0))) {
                        let (Ok(one), Ok(other)) = (rate(x1 + s1, n1 + m1), rate(x0 + s0, n0 + m0)) else { continue };
                        (low, high) = (low.min(one), high.max(one));
                        (least, most) = (least.min(one - other), most.max(one - other));
                    }
                }
            }
            let found = identified_rate(x1, n1, hidden).expect("defined");
            assert!((found.lower - low).abs() < 1e-12 && (found.upper - high).abs() < 1e-12, "{found:?} {low} {high}");
            let found = identified_difference(x1, n1, x0, n0, hidden).expect("defined");
            assert!(
                (found.lower - least).abs() < 1e-12 && (found.upper - most).abs() < 1e-12,
                "{found:?} {least} {most}"
            );
        }
        assert_eq!(identified_difference(0, 0, 0, 0, 1), Err(NotEstimable::EmptyDenominator));
        assert_eq!(identified_rate(0, 0, 0), Err(NotEstimable::EmptyDenominator));
        assert_eq!(identified_rate(3, 2, 9), Err(NotEstimable::CountExceedsTotal));
        assert_eq!(identified_rate(3, 10, 0), Ok(Interval { lower: 0.3, upper: 0.3 }));
    }
}
