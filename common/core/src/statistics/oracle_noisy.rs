//! Comparison of what differential privacy needs with `schemas/vectors/statistics/noisy.json`: formulas in other words, and exact
//! privacy losses that no claim may be below.

use super::oracle::{cases_of, near, same};
use super::*;
use crate::plan::{Fraction, PlanText};
use crate::privacy::{Cost, Noise, composed};
use serde_json::{Value, json};

const NOISY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/noisy.json"));

fn plan(case: &Value) -> PlanText {
    let mut privacy = json!({
        "mechanism": case["mechanism"], "epsilon": case["epsilon"], "events_per_subject": case["m"],
    });
    if !case["delta"].is_null() {
        privacy["delta"] = case["delta"].clone();
    }
    let slices = case["slices"].as_u64().expect("a count") - 1;
    let slice = |at: u64| json!({ "attributes": [format!("a{at}")], "reference": ["x"] });
    let plan = json!({
        "plan": "p", "version": 1, "title": "t", "contract": "c", "contract_digest": "0".repeat(64),
        "model_versions": ["v"], "required_sites": ["s"],
        "windows": { "start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "release_after_hours": 0 },
        "disclosure": { "k": 5, "privacy": privacy }, "slice": (0..slices).map(slice).collect::<Vec<_>>(),
    });
    serde_json::from_value(plan).expect("a plan")
}

fn fraction(value: &Value) -> Fraction {
    Fraction::parse(value.as_str().expect("a decimal")).expect("a decimal")
}

#[test]
fn noise_is_as_much_as_is_needed() {
    for case in cases_of(NOISY, "noise") {
        let noise = Noise::of(&plan(&case)).expect("noise");
        assert_eq!(json!([noise.scale.numerator, noise.scale.denominator]), case["scale"], "{case}");
        assert!(near(noise.variance(), case["variance"].as_f64().expect("a number")), "{case}");
        if let Some(exact) = case["exact"].as_f64() {
            let claimed = fraction(&case["delta"]).value();
            assert!(exact <= claimed && exact > claimed / 1e4, "{exact} where {claimed} is claimed: {case}");
        }
    }
}

#[test]
fn several_releases_cost_no_less_than_they_do() {
    for case in cases_of(NOISY, "together") {
        let list = |key: &str| case[key].as_array().expect("a list").iter().map(fraction).collect::<Vec<_>>();
        let costs: Vec<Cost> =
            list("pure").into_iter().map(Cost::Pure).chain(list("rho").into_iter().map(Cost::Concentrated)).collect();
        let found = composed(&costs, fraction(&case["delta"])).map(Fraction::value);
        match (found, case["bound"].as_f64()) {
            (Some(found), Some(bound)) => assert!(near(found, bound), "{found}: {case}"),
            (found, bound) => assert_eq!(found, bound, "{case}"),
        }
        if let (Some(found), Some(exact)) = (found, case["exact"].as_f64()) {
            assert!(found >= exact * (1.0 - 1e-9), "{found} where {exact} is exact: {case}");
        }
    }
}

#[test]
fn noisy_rates_match() {
    for case in cases_of(NOISY, "rates") {
        let number = |value: &Value| value.as_f64().expect("a number");
        let sum = |key: &str, at: usize| NoisySum {
            value: number(&case[key]),
            variance: number(&case["cells"][at]) * number(&case["variance"]),
        };
        let found = noisy_rate(sum("part", 0), sum("rest", 1), 10, LEVEL).ok();
        let found = found.map(|of| vec![Some(of.value), Some(of.interval.lower), Some(of.interval.upper)]);
        same("rate", &case, found, &case["rate"]);
    }
}
