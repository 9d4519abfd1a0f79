//! Comparison of effects, studies left out and split gaps with `schemas/vectors/statistics/across.json`: statsmodels and exact
//! arithmetic.

use super::oracle::{cases_of, counts, estimate, same};
use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/across.json"));

#[test]
fn effects_and_splits_match() {
    for case in cases_of(VECTORS, "strata") {
        let strata = case["strata"].as_array().expect("a list").iter().map(|stratum| match counts(stratum)[..] {
            [x1, n1, x0, n0] => Stratum { x1, n1, x0, n0 },
            _ => panic!("four counts"),
        });
        let strata: Vec<Stratum> = strata.collect();
        type OfStratum = fn(Stratum) -> Result<Effect, NotEstimable>;
        let kinds: [(&str, OfStratum); 2] =
            [("log_risk_ratio", log_risk_ratio_effect), ("log_odds_ratio", log_odds_ratio_effect)];
        for (name, effect) in kinds {
            for (stratum, theirs) in strata.iter().zip(case[name].as_array().expect("a list")) {
                let ours = effect(*stratum).ok().map(|e| vec![Some(e.estimate), Some(e.variance)]);
                same(name, &case, ours, theirs);
            }
        }
        let split = gap_split(&strata, LEVEL);
        same("within", &case, estimate(split.map(|s| s.within)), &case["within"]);
        same("between", &case, estimate(split.map(|s| s.between)), &case["between"]);
    }
}

#[test]
fn studies_left_out_match() {
    for case in cases_of(VECTORS, "studies") {
        let number = |value: &Value| value.as_f64().expect("a number");
        let effects = case["effects"].as_array().expect("a list").iter();
        let effects: Vec<Effect> =
            effects.map(|pair| Effect { estimate: number(&pair[0]), variance: number(&pair[1]) }).collect();
        let ours = leave_one_out(&effects).ok();
        let flat = ours.map(|left| left.iter().flat_map(|l| [Some(l.mean), Some(l.residual)]).collect());
        same("left out", &case, flat, &case["left_out"]);
    }
}
