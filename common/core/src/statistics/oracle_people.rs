//! Comparison of rates of people who come back with `schemas/vectors/statistics/people.json`: statsmodels.

use super::oracle::{cases_of, counts, same};
use super::*;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/people.json"));

#[test]
fn rates_of_people_match() {
    let mut less = 0;
    for case in cases_of(VECTORS, "people") {
        let [count, total] = ["count", "total"].map(|key| case[key].as_u64().expect("a count"));
        let pairs = counts(&case["pairs"]);
        let pairs = std::array::from_fn(|at| pairs[at] as f64);
        let rate = weighted_rate(WeightedSums { pairs, ..WeightedSums::of(1, count, total) }).expect("defined");
        let interval = wilson_effective(rate, LEVEL).expect("defined");
        let ours = [rate.value, rate.effective, interval.lower, interval.upper].map(Some).to_vec();
        same("rate", &case, Some(ours), &case["rate"]);
        less += u64::from(rate.effective < total as f64 - 1e-9);
    }
    assert!(less > 50, "cases in which people alike tell less than independent events: {less}");
}
