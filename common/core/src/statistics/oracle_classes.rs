//! Comparison with `schemas/vectors/statistics/classes.json`: scikit-learn and statsmodels, to 1e-9.

use super::oracle::{cases_of, counts, estimate, same};
use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/classes.json"));

fn proportion((x, n): (u64, u64)) -> Option<Vec<Option<f64>>> {
    estimate(rate(x, n).map(|value| Estimate { value, interval: wilson(x, n, LEVEL) }))
}

#[test]
fn tables_of_classes_match() {
    for case in cases_of(VECTORS, "tables") {
        let cells = case["cells"].as_array().expect("rows").iter().map(counts).collect();
        let t = ClassTable::new(cells).expect("square");
        same("accuracy", &case, proportion(t.correct()), &case["accuracy"]);
        for (name, ours) in [
            ("macro_precision", t.precision(Average::Macro, LEVEL)),
            ("macro_recall", t.macro_recall(LEVEL)),
            ("macro_f1", t.f1(Average::Macro, LEVEL)),
            ("weighted_precision", t.precision(Average::Weighted, LEVEL)),
            ("weighted_f1", t.f1(Average::Weighted, LEVEL)),
            ("kappa", t.kappa(Weights::Equal, LEVEL)),
            ("quadratic_kappa", t.kappa(Weights::Quadratic, LEVEL)),
            ("mcc", t.matthews(LEVEL)),
        ] {
            same(name, &case, estimate(ours), &case[name]);
        }
        for (class, theirs) in case["classes"].as_array().expect("a list").iter().enumerate() {
            let one = t.one_against_rest(class);
            let ours = vec![
                rate(one.tp, one.tp + one.fp).ok(),
                rate(one.tp, one.tp + one.fn_).ok(),
                one.f_beta(1.0, LEVEL).ok().map(|f1| f1.value),
                rate(one.tn, one.tn + one.fp).ok(),
            ];
            same("a class", &case, Some(ours), theirs);
        }
    }
}

#[test]
fn places_match() {
    for case in cases_of(VECTORS, "ranks") {
        let ranks = counts(&case["ranks"]);
        for (k, theirs) in [1, 2, 3, 5].into_iter().zip(case["top_k"].as_array().into_iter().flatten()) {
            same("top-k accuracy", &case, proportion(among_first(&ranks, k)), theirs);
        }
        assert_ne!(case["top_k"][1], Value::Null);
    }
}

#[test]
fn the_worst_class_matches() {
    for case in cases_of(VECTORS, "worst") {
        let groups: Vec<Vec<u64>> = case["decided"].as_array().expect("groups").iter().map(counts).collect();
        let rates = |class: usize| groups.iter().map(|group| (group[class], group.iter().sum())).collect();
        let classes: Vec<Vec<(u64, u64)>> = (0..groups[0].len()).map(rates).collect();
        same("worst", &case, estimate(worst_difference(&classes, LEVEL).map(|(_, worst)| worst)), &case["worst"]);
    }
}
