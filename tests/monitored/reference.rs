//! Counts of other data as the reference of drift, through the real programs.

use super::{event, near, psi, report_of, value};
use fedaudit_tests::intake::{Desk, LOANS_PLAN};
use serde_json::{Value, json};

const REFERENCE: &str = r#"[reference]
source = "what the scorer was fitted to"
events = 1000
decisions = [500, 500]
labels = [500, 450]
score = [0, 0, 500, 0, 0, 0, 0, 500, 0, 0]
[[reference.slice]]
attributes = ["sex"]
counts = [250, 750, 0, 0]
[[reference.feature]]
name = "age"
counts = [100, 400, 500]
[[slice]]"#;

#[test]
fn a_day_is_compared_with_what_the_model_was_fitted_to() {
    let events: Vec<Value> = (0..400).map(|n| event(0, n)).collect();
    let report = report_of(&LOANS_PLAN.replace("[[slice]]", REFERENCE), &events);
    assert_eq!(report["reference"], json!({"source": "what the scorer was fitted to", "events": 1000}));
    assert_eq!(report["reference_window"], Value::Null);
    let drift = &report["scopes"][0]["drift"][0];
    assert_eq!((&drift["sites"], &drift["window"]["start"]), (&json!(1), &json!("2026-05-04T00:00:00Z")));
    // 160 of 400 were granted, and three of four have repaid.
    near(value(&drift["selection_rate"]), 0.4 - 0.5);
    near(value(&drift["label_rate"]), 0.75 - 450.0 / 950.0);
    let scores = &drift["scores"];
    assert_eq!((&scores["reference"], &scores["current"], &scores["bins"]), (&json!(1000), &json!(400), &json!(2)));
    near(value(&scores["psi"]), psi(0.5, 0.4));
    near(value(&scores["ks"]), 0.1);
    near(value(&scores["wasserstein"]), 0.1 * 0.5);
    near(value(&scores["noise_floor"]), 1.0 / 1000.0 + 1.0 / 400.0);
    near(value(&drift["groups"][0]["psi"]), psi(0.25, 0.5));
    // Nobody is under eighteen, of whom there were a tenth; half are over 65, as there.
    let age = &report["feature_drift"][0];
    assert_eq!((&age["feature"], report["feature_drift"].as_array().map(Vec::len)), (&json!("age"), Some(1)));
    near(value(&age["distribution"]["total_variation"]), 0.1);
    near(value(&age["distribution"]["psi"]), (1e-4 - 0.1) * (1e-4 / 0.1_f64).ln() + (0.5 - 0.4) * (0.5 / 0.4_f64).ln());
    assert_eq!(age["distribution"]["alert"], json!(true));
}

#[test]
fn a_reference_that_the_contract_does_not_know_is_refused() {
    let desk = Desk::open("listen = \"127.0.0.1:0\"");
    let file = desk.world.scratch("plan.toml");
    for (from, to, why) in [
        ("[100, 400, 500]", "[100, 900]", "the contract has 3 bins"),
        ("score = [0, 0, ", "score = [0, ", "must be one of 80, 40, 20, 10"),
        ("events = 1000", "events = 999", "`reference.decisions` adds up to 1000"),
    ] {
        std::fs::write(&file, LOANS_PLAN.replace("[[slice]]", &REFERENCE.replace(from, to))).expect("writes");
        desk.world.aggregator(&["plan", "publish", &file.to_string_lossy()]).fault("input", &[why]);
    }
}
