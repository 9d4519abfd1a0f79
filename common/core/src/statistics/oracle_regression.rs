//! Comparison with `schemas/vectors/statistics/regression.json`: scikit-learn and scipy, to 1e-9.

use super::oracle::{cases_of, estimate, same};
use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/regression.json"));

fn moments(sums: &Value) -> Moments {
    let sum = |at: usize| -> u128 { sums[at].as_str().expect("a text").parse().expect("a number") };
    Moments {
        events: u64::try_from(sum(0)).expect("events"),
        predicted: sum(1),
        actual: sum(2),
        predicted_squares: sum(3),
        actual_squares: sum(4),
        products: sum(5),
        absolute_errors: sum(6),
        fourth_powers: sum(7),
        reach: [0; 2],
    }
}

#[test]
fn predicted_values_match() {
    for case in cases_of(VECTORS, "events") {
        let m = moments(&case["moments"]);
        for (name, ours) in [
            ("bias", m.errors().and_then(|errors| errors.estimate(LEVEL))),
            ("mae", m.absolute_errors().and_then(|errors| errors.estimate(LEVEL))),
            ("mse", m.mean_squared_error(LEVEL)),
            ("rmse", m.root_mean_squared_error(LEVEL)),
            ("pearson", m.correlation(LEVEL)),
        ] {
            same(name, &case, estimate(ours), &case[name]);
        }
        same("R^2", &case, Some(vec![m.determination().ok()]), &Value::from(vec![case["r_squared"].clone()]));
    }
}

#[test]
fn groups_of_predicted_values_match() {
    for case in cases_of(VECTORS, "groups") {
        let groups: Vec<Moments> = case["groups"].as_array().expect("a list").iter().map(moments).collect();
        for (at, of) in [Moments::errors, Moments::absolute_errors].into_iter().enumerate() {
            let samples: Vec<Sample> = groups.iter().map(|group| of(group).expect("events")).collect();
            same("Welch", &case, estimate(welch(&samples[0], &samples[1], LEVEL)), &case["welch"][at]);
            same("max - min", &case, estimate(max_min_means(&samples, LEVEL)), &case["max_min"][at]);
        }
    }
}
