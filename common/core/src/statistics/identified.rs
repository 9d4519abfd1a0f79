//! Where a figure lies for certain when events are hidden of which only ranges are known (Manski 2003): no assumption is made
//! about why they are hidden, or about what they are.

use super::completion::Range;
use super::{Interval, NotEstimable};

/// What can be of a rate's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possible {
    /// Events that count.
    pub cases: Range,
    /// Events that could have.
    pub rest: Range,
}

impl Possible {
    /// Nothing, for certain.
    pub const NOTHING: Possible = Possible { cases: Range { least: 0, most: 0 }, rest: Range { least: 0, most: 0 } };

    /// With other events.
    pub fn plus(self, other: Possible) -> Possible {
        Possible { cases: self.cases.plus(other.cases), rest: self.rest.plus(other.rest) }
    }

    /// The rate of what is no case.
    pub fn opposite(self) -> Possible {
        Possible { cases: self.rest, rest: self.cases }
    }

    /// Events, at the least.
    pub fn least(self) -> u64 {
        self.cases.least.saturating_add(self.rest.least)
    }
}

/// A rate of which only this is known.
///
/// # Errors
/// `EmptyDenominator` if there can be no event.
pub fn identified_rate(Possible { cases, rest }: Possible) -> Result<Interval, NotEstimable> {
    // With no rest for certain the rate is 1 wherever it is defined, with no case it is 0.
    let of = |cases: u64, rest: u64, alone: f64| match (cases, rest) {
        (0, 0) => alone,
        (cases, rest) => cases as f64 / (cases as f64 + rest as f64),
    };
    match (cases.most, rest.most) {
        (0, 0) => Err(NotEstimable::EmptyDenominator),
        _ => Ok(Interval { lower: of(cases.least, rest.most, 1.0), upper: of(cases.most, rest.least, 0.0) }),
    }
}

/// The difference of two rates. Of the events beyond the least ones no more than `shared[0]` are cases of `one` or rest of
/// `other`, and no more than `shared[1]` the other way round: sharper than what follows from both rates, as no event is in
/// both groups.
///
/// # Errors
/// `EmptyDenominator` if not both groups can have an event.
pub fn identified_difference(one: Possible, other: Possible, shared: [u64; 2]) -> Result<Interval, NotEstimable> {
    let empty = one.least() == 0 && other.least() == 0 && shared[0].max(shared[1]) < 2;
    match empty {
        true => Err(NotEstimable::EmptyDenominator),
        false => Ok(Interval { lower: -greatest(other, one, shared[1])?, upper: greatest(one, other, shared[0])? }),
    }
}

/// The greatest difference: `m` events join the first group's cases and the others of `shared` the second group's rest. It is
/// concave in m, and flat where sqrt(r1) / (n1 + m) = sqrt(x0) / (n0 + shared - m), x cases, r rest, n both, the least of
/// them; the whole number beside that is best.
fn greatest(one: Possible, other: Possible, shared: u64) -> Result<f64, NotEstimable> {
    let apart = identified_rate(one)?.upper - identified_rate(other)?.lower;
    let (n1, n0) = (one.least(), other.least());
    let (a, b) = (one.cases.width(), other.rest.width());
    let shared = shared.min(a.saturating_add(b));
    // A group without events has to get one.
    let least = shared.saturating_sub(b).max(u64::from(n1 == 0));
    let most = a.min(shared.saturating_sub(u64::from(n0 == 0)));
    if least > most || (n0 == 0 && b == 0) {
        return Ok(apart);
    }
    let [x1, n1, x0, n0, all] = [one.cases.least, n1, other.cases.least, n0, shared].map(|count| count as f64);
    let (r1, c0) = ((one.rest.least as f64).sqrt(), x0.sqrt());
    let flat = (r1 * (n0 + all) - c0 * n1) / (r1 + c0);
    let (least, most) = (least as f64, most as f64);
    // Where neither rate can move, every m is as good.
    let flat = if r1 + c0 > 0.0 { flat } else { least };
    let difference = |m: f64| (x1 + m) / (n1 + m) - x0 / (n0 + all - m);
    let best = difference(flat.floor().clamp(least, most)).max(difference(flat.ceil().clamp(least, most)));
    Ok(best.min(apart))
}

#[cfg(test)]
mod tests {
    use super::super::rate;
    use super::*;

    /// `x` cases of `n` known events, and up to `hidden` more.
    fn open(x: u64, n: u64, hidden: u64) -> Possible {
        let from = |least: u64| Range { least, most: least + hidden };
        Possible { cases: from(x), rest: from(n - x) }
    }

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
            let (one, other) = (open(x1, n1, hidden), open(x0, n0, hidden));
            let found = identified_rate(one).expect("defined");
            assert!((found.lower - low).abs() < 1e-12 && (found.upper - high).abs() < 1e-12, "{found:?} {low} {high}");
            let found = identified_difference(one, other, [hidden; 2]).expect("defined");
            assert!(
                (found.lower - least).abs() < 1e-12 && (found.upper - most).abs() < 1e-12,
                "{found:?} {least} {most}"
            );
        }
        let (nothing, known) = (open(0, 0, 0), open(3, 10, 0));
        assert_eq!(identified_difference(open(0, 0, 1), open(0, 0, 1), [1; 2]), Err(NotEstimable::EmptyDenominator));
        assert_eq!(identified_rate(nothing), Err(NotEstimable::EmptyDenominator));
        assert_eq!(identified_rate(known), Ok(Interval { lower: 0.3, upper: 0.3 }));
        assert_eq!(identified_rate(known.opposite()), Ok(Interval { lower: 0.7, upper: 0.7 }));
        assert_eq!(identified_difference(known, nothing, [0; 2]), Err(NotEstimable::EmptyDenominator));
        // Up to four cases and nothing else: whatever they are, all events are cases.
        let cases = Possible { cases: Range { least: 0, most: 4 }, rest: Range::exactly(0) };
        assert_eq!(identified_rate(cases), Ok(Interval { lower: 1.0, upper: 1.0 }));
        assert_eq!(identified_rate(cases.opposite()), Ok(Interval { lower: 0.0, upper: 0.0 }));
    }

    #[test]
    fn what_only_one_of_them_can_have_is_not_shared() {
        // Every completion of two ranges each, of which no more than `shared` events beyond the least can be.
        for (one, other, shared) in [
            ([(1, 4), (2, 3)], [(0, 2), (1, 5)], 3_u64),
            ([(0, 0), (0, 3)], [(2, 2), (0, 2)], 2),
            ([(0, 5), (1, 1)], [(3, 3), (1, 6)], 9),
            ([(2, 2), (0, 4)], [(0, 4), (3, 3)], 4),
        ] {
            let all = |ranges: [(u64, u64); 2]| {
                let [cases, rest] = ranges;
                (cases.0..=cases.1).flat_map(move |x| (rest.0..=rest.1).map(move |r| (x, r)))
            };
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for (x1, r1) in all(one) {
                for (x0, r0) in all(other) {
                    let beyond = x1 + r1 + x0 + r0 - [one, other].iter().flatten().map(|range| range.0).sum::<u64>();
                    let (Ok(p1), Ok(p0)) = (rate(x1, x1 + r1), rate(x0, x0 + r0)) else { continue };
                    if beyond <= shared {
                        (least, most) = (least.min(p1 - p0), most.max(p1 - p0));
                    }
                }
            }
            let of = |[cases, rest]: [(u64, u64); 2]| {
                let range = |(least, most)| Range { least, most };
                Possible { cases: range(cases), rest: range(rest) }
            };
            let found = identified_difference(of(one), of(other), [shared; 2]).expect("defined");
            assert!(found.lower <= least + 1e-12 && found.upper >= most - 1e-12, "{found:?} {least} {most}");
            assert!((found.upper - most).abs() < 1e-9 || one[0] == (0, 0), "{found:?} {least} {most}");
        }
    }
}
