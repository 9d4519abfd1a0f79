//! Errors of predicted values, worked by hand.

use super::*;
use crate::contract::{Contract, from_toml};

const STAY: &str = r#"
contract = "stay"
version = 1
title = "Days in hospital"
task = "regression"
model = "stay"

[decision]
values = ["short", "long"]
favourable = "short"
threshold = 10.0

[label]
values = ["short", "long"]
positive = "long"

[score]
min = -64.0
max = 64.0
bins = 10

[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;

/// One day, of 128, in whole numbers.
const DAY: u64 = SCORE_ONE / 128;

/// Sums of predicted and true days, counted from the range's start.
fn days(pairs: &[(u64, u64)]) -> Moments {
    pairs.iter().fold(Moments::default(), |sum, (p, t)| {
        let (p, t) = (p * DAY, t * DAY);
        let [wide_p, wide_t, error] = [p, t, p.abs_diff(t)].map(u128::from);
        sum.plus(&Moments {
            events: 1,
            predicted: wide_p,
            actual: wide_t,
            predicted_squares: wide_p * wide_p,
            actual_squares: wide_t * wide_t,
            products: wide_p * wide_t,
            absolute_errors: error,
            fourth_powers: ((error + (1 << 15)) >> 16).pow(4),
            ..Moments::default()
        })
    })
}

fn contract() -> Contract {
    from_toml(STAY).expect("valid")
}

fn with(groups: &[(Moments, u64)], look: impl Fn(&Values)) {
    let contract = contract();
    let terms = Terms { contract: &contract, min_coverage: 0.5, min_site_n: 10, step: Step::EXACT };
    // The rest of the events have no label.
    let counts: Vec<Counts> = groups.iter().map(|(sums, rest)| [[sums.events, 0, *rest], [0; 3], [0; 3]]).collect();
    let all = Shown { sites: 1, sums: groups.iter().map(|(sums, _)| *sums).collect(), counts };
    look(&Values { terms: &terms, unit: 128.0 / SCORE_ONE as f64, all, sites: vec![None] });
}

fn close(figure: &Figure, value: f64, ends: Option<(f64, f64)>) {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let Figure::Estimate(crate::report::Estimate { value: found, interval, .. }) = figure else { panic!("{figure:?}") };
    assert!(near(*found, value), "{figure:?}, not {value}");
    match (interval, ends) {
        (Some(interval), Some((lower, upper))) => {
            assert!(near(interval.lower, lower) && near(interval.upper, upper), "{figure:?}, not {lower} to {upper}");
        }
        (interval, ends) => assert_eq!(interval.is_some(), ends.is_some(), "{figure:?}"),
    }
}

fn undefined(why: &str) -> Figure {
    Figure::NotEstimable(why.to_owned())
}

fn method(figure: &Figure) -> &str {
    match figure {
        Figure::Estimate(estimate) => &estimate.method,
        _ => "",
    }
}

#[test]
fn four_stays_by_hand() {
    // Errors 2, -1, 4, -1 days: mean 1, variance 6; sizes 2, 1, 4, 1: mean 2, variance 2. t(3) = 3.182446.
    let sums = days(&[(12, 10), (19, 20), (34, 30), (39, 40)]);
    with(&[(sums, 0)], |values| {
        let found = values.figures(0);
        assert_eq!((found.sites, found.events, &found.at_sites), (1, Some(4), &vec![None]));
        let t = 3.182446305284263;
        close(&found.bias, 1.0, Some((1.0 - t * 1.5_f64.sqrt(), 1.0 + t * 1.5_f64.sqrt())));
        // The lower end would be -0.25.
        close(&found.mae, 2.0, Some((0.0, 2.0 + t * 0.5_f64.sqrt())));
        // A day is 512 of the coarse units: F = (root of fourth powers + half a unit for four events)^4.
        let fourth = ((16.0_f64 + 1.0 + 256.0 + 1.0).powf(0.25) + 4.0_f64.powf(0.25) / 1024.0).powi(4);
        let half = 1.959963984540054 * ((fourth - 22.0 * 5.5) / 12.0).sqrt();
        close(&found.mse, 5.5, Some((0.0, 5.5 + half)));
        close(&found.rmse, 5.5_f64.sqrt(), Some((0.0, (5.5 + half).sqrt())));
        close(&found.r_squared, 1.0 - 22.0 / 500.0, None);
        assert_eq!(method(&found.r_squared), "no interval: joint fourth moments are not released");
        let r = 480.0 / (478.0_f64 * 500.0).sqrt();
        let z = 1.959963984540054;
        close(&found.pearson, r, Some(((r.atanh() - z).tanh(), (r.atanh() + z).tanh())));
    });
}

#[test]
fn one_stay_has_errors_and_no_intervals() {
    with(&[(days(&[(5, 9)]), 0), (days(&[]), 0)], |values| {
        let found = values.figures(0);
        close(&found.bias, -4.0, None);
        close(&found.mae, 4.0, None);
        close(&found.rmse, 4.0, None);
        assert_eq!(method(&found.mse), "no interval: too_few_events");
        assert_eq!([&found.r_squared, &found.pearson], [&undefined("too_few_events"); 2]);
        let nothing = values.figures(1);
        let empty = undefined("empty_denominator");
        for figure in [nothing.bias, nothing.mae, nothing.mse, nothing.rmse, nothing.r_squared, nothing.pearson] {
            assert_eq!(figure, empty);
        }
    });
}

#[test]
fn stays_all_alike_say_so() {
    // Always two days too long; the true stay is always the same.
    with(&[(days(&[(12, 10), (12, 10), (12, 10), (12, 10)]), 0)], |values| {
        let found = values.figures(0);
        close(&found.bias, 2.0, None);
        close(&found.mse, 4.0, None);
        for figure in [&found.bias, &found.mae, &found.mse, &found.rmse] {
            assert_eq!(method(figure), "no interval: zero_variance");
        }
        assert_eq!([&found.r_squared, &found.pearson], [&undefined("zero_variance"); 2]);
    });
}

#[test]
fn hidden_and_immature_have_no_figures() {
    let contract = contract();
    let terms = Terms { contract: &contract, min_coverage: 0.5, min_site_n: 10, step: Step::EXACT };
    let all = Shown { sites: 0, sums: Vec::new(), counts: Vec::new() };
    let hidden = Values { terms: &terms, unit: 1.0, all, sites: vec![None, None] };
    let found = hidden.figures(0);
    assert_eq!((found.events, found.at_sites), (None, vec![None, None]));
    for figure in [found.bias, found.mae, found.mse, found.rmse, found.r_squared, found.pearson] {
        assert_eq!(figure, Figure::Suppressed);
    }
    let groups = ["Female", "Male"].map(|group| vec![group.to_owned()]);
    assert_eq!(hidden.contrast(0, 1).bias, Figure::Suppressed);
    assert_eq!(hidden.parity(&groups).mae, Figure::Suppressed);
    // Two of six stays have ended.
    let few = (days(&[(3, 1), (7, 9)]), 4);
    with(&[few, (days(&[(12, 10), (19, 20)]), 0)], |values| {
        let immature = undefined("immature");
        let found = values.figures(0);
        assert_eq!([&found.bias, &found.rmse, &found.r_squared, &found.pearson], [&immature; 4]);
        assert_eq!(values.contrast(0, 1).mae, immature);
        let parity = values.parity(&groups);
        assert_eq!((parity.groups_defined, parity.groups_hidden, &parity.mae), (1, 1, &undefined("too_few_groups")));
    });
    with(&[few, few], |values| assert_eq!(values.parity(&groups).bias, undefined("immature")));
}

#[test]
fn groups_are_compared() {
    // Errors 2, -1, 4, -1 against 0, 3, 3, 2: means 1 and 2, variances 6 and 2. Welch: 4.8 degrees of freedom.
    let (women, men) =
        (days(&[(12, 10), (19, 20), (34, 30), (39, 40)]), days(&[(10, 10), (23, 20), (33, 30), (42, 40)]));
    let few = (days(&[(3, 1)]), 4);
    let groups = ["Female", "Male", "other", "unknown"].map(|group| vec![group.to_owned()]);
    let half = st::welch(
        &Sample { n: 4, mean: 1.0, variance: 6.0, reach: 0.0 },
        &Sample { n: 4, mean: 2.0, variance: 2.0, reach: 0.0 },
        LEVEL,
    );
    let half = half.and_then(|e| e.interval).expect("an interval").upper + 1.0;
    // scipy 1.17: stats.t.isf(0.025, 4.8) * sqrt(2).
    assert!((half - 3.681_387_224_746_92).abs() < 1e-9, "{half}");
    with(&[(women, 0), (men, 0), (days(&[]), 0), (days(&[(90, 1)]), 0)], |values| {
        let contrast = values.contrast(0, 1);
        close(&contrast.bias, -1.0, Some((-1.0 - half, -1.0 + half)));
        assert_eq!(method(&contrast.bias), "welch");
        let parity = values.parity(&groups);
        assert_eq!((parity.groups_defined, parity.groups_hidden), (2, 0));
        close(&parity.bias, 1.0, Some((0.0, 1.0 + half)));
        // Both have errors of mean size 2.
        assert_eq!(parity.mae.value(), Some(0.0));
        assert_eq!(values.contrast(0, 2).bias, undefined("empty_denominator"));
    });
    with(&[(women, 0), (men, 0), few, (days(&[]), 0)], |values| {
        let parity = values.parity(&groups);
        assert_eq!((parity.groups_defined, parity.groups_hidden), (2, 1));
        let Figure::Estimate(bias) = &parity.bias else { panic!("two groups") };
        assert_eq!(bias.bounds, Some(Interval { lower: bias.value, upper: 256.0 }));
    });
}
