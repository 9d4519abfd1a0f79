//! Models with several classes, and models that predict a value, through whole federations: every figure against scikit-learn,
//! scipy and statsmodels on the same rows.

use fedaudit_tests::intake::{self, Desk, LOANS_PLAN, SITE};
use fedaudit_tests::{figures, python, run};
use serde_json::{Value, json};

#[test]
fn classes_values_and_people_are_what_other_software_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = python("tests/tasks/make.py", &[dir.path()]);
    assert!(made.content, "{}", made.said);
    let expected = figures::json(&dir.path().join("expected.json"));
    for name in ["triage", "stay"] {
        let (folder, out) = (dir.path().join(name), dir.path().join(format!("{name}-out")));
        run("federation", &[folder.as_os_str(), "--out".as_ref(), out.as_os_str()]).good();
        let report: Value = figures::json(&out.join("report.json"));
        let places = expected[name].as_object().expect("figures by place");
        assert!(places.len() > 20, "{name}: {} figures", places.len());
        for (place, theirs) in places {
            let ours = report.pointer(place).and_then(Value::as_f64);
            let theirs = theirs.as_f64().expect("a number");
            // Values are rounded to 2^-32 of their range.
            let close = ours.is_some_and(|ours| (ours - theirs).abs() <= 1e-8 * theirs.abs().max(1.0));
            assert!(close, "{name}{place}: {ours:?}, not {theirs}");
        }
    }
}

const TRIAGE: &str = r#"
contract = "triage"
version = 1
title = "Where patients go"
task = "multiclass"
model = "triage"
[decision]
values = ["home", "ward", "intensive"]
favourable = "home"
[label]
values = ["home", "ward", "intensive"]
positive = "home"
[[attribute]]
name = "sex"
categories = ["female", "male"]
"#;

/// Of each ten: six are sent home and belong there, two are sent to the ward and belong there or into intensive care, two are
/// sent home and belong to the ward, which the model held for the second likeliest.
fn patient(n: u32) -> (Value, Value) {
    let (decided, second, third, label) = match n % 10 {
        0..6 => ("home", "ward", "intensive", "home"),
        6 => ("ward", "home", "intensive", "ward"),
        7 => ("ward", "home", "intensive", "intensive"),
        _ => ("home", "ward", "intensive", "ward"),
    };
    let output = |class: &str, confidence: f64| json!({"class": class, "confidence": confidence});
    let event = json!({
        "contract": "triage", "event_id": format!("patient-{n}"), "occurred_at": "2026-05-04T10:00:00Z", "model_version": "v1",
        "decision": decided, "attributes": {"sex": if n < 200 { "female" } else { "male" }},
        // Not in the order of their confidences.
        "outputs": [output(third, 0.1), output(decided, 0.6), output(second, 0.3)]
    });
    // Of those sent home every third label is known, and stands for three; of the others all are.
    let weight = if decided == "home" { 3 } else { 1 };
    let outcome = json!({
        "contract": "triage", "event_id": format!("patient-{n}"), "label": label, "labelled_at": "2026-05-05T00:00:00Z",
        "weight": weight
    });
    (event, outcome)
}

#[test]
fn outputs_and_weights_of_labels_come_over_http() {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    let contract = desk.world.scratch("triage.toml");
    std::fs::write(&contract, TRIAGE).expect("writes");
    desk.world.aggregator(&["contract", "publish", &contract.to_string_lossy()]).good();
    let plan = LOANS_PLAN.replace("loans-may", "triage-may").replace("\"loans\"", "\"triage\"");
    desk.publish(&plan.replace("[windows]", "min_coverage = 0.3\n[windows]"));
    // The daemon learns of the contract when it starts.
    desk.stop();
    desk.start();
    let patients: Vec<_> = (0..400).map(patient).collect();
    let events: Vec<_> = patients.iter().map(|(event, _)| event.clone()).collect();
    let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&events));
    assert_eq!(answer.json()["taken"], json!(400), "{answer:?}");
    // In each hundred, home comes 6 + 2 times in ten: those with n / 10 divisible by 3 keep their labels, 40 tens hold 14 of them.
    let known = |n: usize| ![0, 1, 2, 3, 4, 5, 8, 9].contains(&(n % 10)) || (n / 10).is_multiple_of(3);
    let outcomes: Vec<_> =
        patients.iter().enumerate().filter(|(n, _)| known(*n)).map(|(_, (_, outcome))| outcome.clone()).collect();
    let answer = desk.post("/v1/outcomes", "application/x-ndjson", &intake::lines(&outcomes));
    assert_eq!(answer.json()["taken"], json!(80 + 14 * 8), "{answer:?}");
    desk.stop();
    desk.world.agent(SITE, &["plan", "accept", "triage-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
    let out = desk.world.scratch("triage");
    desk.world.aggregator(&["report", "build", "triage-may", "--out", &out.to_string_lossy()]).good();
    let [bundle, trust] = ["bundle.zip", "trust.json"].map(|name| out.join(name).to_string_lossy().into_owned());
    run("fedaudit-verify", &[bundle.as_str(), "--trust", &trust]).good();
    let report = figures::json(&out.join("report.json"));
    let near = |place: &str, expected: f64| {
        let found = report.pointer(place).and_then(Value::as_f64);
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{place}: {found:?}, not {expected}");
    };
    // Labelled: 84 home and 28 ward of those sent home, 40 ward and 40 intensive of those sent to the ward.
    let all = "/scopes/0/slices/0/groups/0/multiclass/outcomes";
    near(&format!("{all}/accuracy/estimate/value"), 124.0 / 192.0);
    near(&format!("{all}/top/events"), 192.0);
    near(&format!("{all}/top/accuracies/0/accuracy/estimate/value"), 124.0 / 192.0);
    near(&format!("{all}/top/accuracies/1/accuracy/estimate/value"), 152.0 / 192.0);
    assert_eq!(report.pointer(&format!("{all}/quadratic_kappa/not_estimable")), Some(&json!("classes_not_ordered")));
    // Those sent home count three times: 252 right of 336, and 80 others, of whom none was to go home.
    let weighted = "/weighted/0/slices/0/groups/0";
    assert_eq!(report.pointer(&format!("{weighted}/label_weights")), Some(&json!(true)));
    near(&format!("{weighted}/outcomes/ppv/estimate/value"), 252.0 / 336.0);
    near(&format!("{weighted}/outcomes/accuracy/estimate/value"), (252.0 + 80.0) / 416.0);
    near(&format!("{weighted}/selection_rate/estimate/value"), 0.8);
}
