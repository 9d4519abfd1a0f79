//! Comparison of gaps of two rates with `schemas/vectors/statistics/gaps.json`, statsmodels on every pair, and of identification
//! bounds with `identified.json`: all completions of what is hidden, and linear programs.

use super::oracle::{cases_of, counts, estimate, interval, same};
use super::*;
use serde_json::Value;

const GAPS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/gaps.json"));
const IDENTIFIED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/identified.json"));

#[test]
fn gaps_of_two_rates_match() {
    for case in cases_of(GAPS, "joint") {
        let group = |group: &Value| match (&counts(&group[0])[..], &counts(&group[1])[..]) {
            ([x, n], [y, m]) => [(*x, *n), (*y, *m)],
            _ => panic!("two counts of two rates"),
        };
        let groups: Vec<_> = case["groups"].as_array().expect("a list").iter().map(group).collect();
        for (name, joint) in [("worse", Joint::Worse), ("mean", Joint::Mean)] {
            same(name, &case, estimate(joint_difference(&groups, joint, LEVEL)), &case["difference"][name]);
            same(name, &case, estimate(joint_ratio(&groups, joint, LEVEL)), &case["ratio"][name]);
        }
    }
}

/// `x` cases of `n` known events, and up to `hidden` more.
fn open(x: u64, n: u64, hidden: u64) -> Possible {
    let from = |least: u64| Range { least, most: least + hidden };
    Possible { cases: from(x), rest: from(n - x) }
}

#[test]
fn identification_bounds_match() {
    for case in cases_of(IDENTIFIED, "rates") {
        let [x, n, hidden] = counts(&case["counts"])[..] else { panic!("three counts") };
        same("rate", &case, interval(identified_rate(open(x, n, hidden))), &case["bounds"]);
    }
    for case in cases_of(IDENTIFIED, "differences") {
        let [x1, n1, x0, n0, hidden] = counts(&case["counts"])[..] else { panic!("five counts") };
        same(
            "difference",
            &case,
            interval(identified_difference(open(x1, n1, hidden), open(x0, n0, hidden), [hidden; 2])),
            &case["bounds"],
        );
    }
}
