//! Comparison of drift and quantiles with `schemas/vectors/statistics/drift.json`: scipy and numpy.

use super::oracle::{cases_of, counts, estimate, interval, same, same_test};
use super::*;
use serde_json::Value;

const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/drift.json"));

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

#[test]
fn distances_match() {
    for case in cases_of(VECTORS, "windows") {
        let (reference, current) = (counts(&case["reference"]), counts(&case["current"]));
        let apart = counts(&Value::from(vec![case["apart"].clone()]))[0] as usize;
        let theirs = &case["drift"];
        let found = drift(&reference, &current, apart);
        assert_eq!(found.is_err(), theirs.is_null(), "{case}");
        let ordered = reference.len() - apart;
        let (before, after) = (&reference[..ordered], &current[..ordered]);
        same("KS", &case, interval(ks_bounds(before, after)), &case["ks"]);
        let distance = wasserstein_1(before, after, &numbers(&case["edges"])).ok();
        let distance = distance.map(|w| [w.value, w.bounds.lower, w.bounds.upper].map(Some).to_vec());
        same("Wasserstein", &case, distance, &case["wasserstein"]);
        let Ok(found) = found else { continue };
        let ours = [
            Some(found.psi),
            Some(found.jensen_shannon),
            found.kl.ok(),
            Some(found.hellinger),
            Some(found.total_variation),
            Some(found.l_infinity),
            found.cramer_v.ok(),
            Some(found.noise_floor),
            found.alert_at(7).ok(),
        ];
        same("distances", &case, Some(ours.to_vec()), &theirs["distances"]);
        same_test("chi-square", &case, found.chi2.ok(), &theirs["chi2"]);
    }
}

#[test]
fn quantiles_match() {
    for case in cases_of(VECTORS, "quantiles") {
        let edges = numbers(&case["edges"]);
        let events = counts(&case["counts"]);
        let bins: Vec<ValueBin> = edges.windows(2).zip(&events).map(|(bin, n)| (bin[0], bin[1], *n)).collect();
        for (q, theirs) in [0.5, 0.95, 0.99].into_iter().zip(case["found"].as_array().expect("a list")) {
            let found = quantile(&bins, q, LEVEL);
            same("quantile", &case, estimate(found.map(|f| f.estimate)), &theirs["estimate"]);
            same("its bin", &case, interval(found.map(|f| f.bounds)), &theirs["bounds"]);
        }
    }
}
