//! A plan that names a reference window and policy packs, through the real programs: events over HTTP with features,
//! latency, cost and tokens, to a verified report. The numbers expected are worked out by hand from the counts sent.

#[path = "monitored/reference.rs"]
mod reference;

use fedaudit_tests::intake::{self, Desk, LOANS, LOANS_PLAN, SITE};
use serde_json::{Value, json};
use std::io::Read as _;

/// Of 200 women and 200 men a day: how many are granted a loan, and how many of all are seventy years old.
const DAYS: [(u32, u32, u32); 2] = [(60, 100, 200), (40, 100, 300)];

fn event(day: usize, n: u32) -> Value {
    let (women, men, old) = DAYS[day];
    let (sex, granted) = if n < 200 { ("female", n < women) } else { ("male", n - 200 < men) };
    let aged = (n * 7 % 400) < old;
    json!({
        "contract": "loans", "event_id": format!("day-{day}-{n}"), "occurred_at": format!("2026-05-0{}T10:00:00Z", 4 + day),
        "model_version": "v1", "decision": if granted { "grant" } else { "deny" }, "score": if granted { 0.74 } else { 0.24 },
        "attributes": {"sex": sex}, "features": {"age": if aged { 70 } else { 30 }, "sex": sex},
        "latency_ms": if n.is_multiple_of(10) { 100 } else { 10 }, "cost": 0.002, "tokens_in": 300, "tokens_out": n % 2,
        "label": if n.is_multiple_of(4) { "default" } else { "repaid" }, "labelled_at": format!("2026-05-0{}T10:00:00Z", 5 + day)
    })
}

/// A federation, and the report of both days.
fn reported() -> (Desk, std::path::PathBuf, Value) {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    let contract = desk.world.scratch("loans-2.toml");
    std::fs::write(&contract, LOANS.replace("version = 1\n", "version = 2\ncurrency = \"EUR\"\n")).expect("writes");
    desk.world.aggregator(&["contract", "publish", &contract.to_string_lossy()]).good();
    let windows = "end = \"2026-05-06T00:00:00Z\"\nevery = \"day\"\n";
    let more = "[reference_window]\nstart = \"2026-05-04T00:00:00Z\"\nend = \"2026-05-05T00:00:00Z\"\n[disclosure]";
    let plan = LOANS_PLAN.replace("end = \"2026-05-05T00:00:00Z\"\n", windows).replace("[disclosure]", more);
    let packs = "packs = [\"four-fifths\", \"nyc-ll144\", \"eu-ai-act\"]\n[windows]";
    desk.publish(&plan.replace("release_after_hours = 24", "release_after_hours = 48").replace("[windows]", packs));
    // The daemon learns of the contract when it starts.
    desk.stop();
    desk.start();
    for day in 0..2 {
        let events: Vec<_> = (0..400).map(|n| event(day, n)).collect();
        let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&events));
        assert_eq!(answer.json()["taken"], json!(400), "{answer:?}");
    }
    desk.stop();
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
    let out = desk.world.scratch("report");
    desk.world.aggregator(&["report", "build", "loans-may", "--out", &out.to_string_lossy()]).good();
    let [bundle, trust] = ["bundle.zip", "trust.json"].map(|name| out.join(name).to_string_lossy().into_owned());
    fedaudit_tests::run("fedaudit-verify", &[bundle.as_str(), "--trust", &trust]).good();
    let report = serde_json::from_slice(&std::fs::read(out.join("report.json")).expect("reads")).expect("JSON");
    (desk, out, report)
}

fn value(figure: &Value) -> f64 {
    figure["estimate"]["value"].as_f64().unwrap_or_else(|| panic!("no estimate: {figure}"))
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

/// The population stability index of two bins.
fn psi(before: f64, after: f64) -> f64 {
    let part = |p: f64, q: f64| (q - p) * (q / p).ln();
    part(before, after) + part(1.0 - before, 1.0 - after)
}

#[test]
fn windows_are_compared_operations_summed_and_packs_computed() {
    let (desk, out, report) = reported();
    let drift = &report["scopes"][0]["drift"];
    assert_eq!((drift.as_array().map(Vec::len), &drift[0]["sites"]), (Some(1), &json!(1)));
    near(value(&drift[0]["selection_rate"]), 140.0 / 400.0 - 160.0 / 400.0);
    near(value(&drift[0]["label_rate"]), 0.0);
    near(value(&drift[0]["scores"]["psi"]), psi(0.4, 0.35));
    near(value(&drift[0]["scores"]["ks"]), 0.05);
    near(value(&drift[0]["scores"]["wasserstein"]), 0.05 * 0.5);
    near(value(&drift[0]["groups"][0]["psi"]), 0.0);
    let age = &report["feature_drift"][0];
    assert_eq!((&age["feature"], &age["distribution"]["alert"]), (&json!("age"), &json!(true)), "{age}");
    near(value(&age["distribution"]["psi"]), psi(0.5, 0.75));
    near(value(&age["distribution"]["total_variation"]), 0.25);
    assert_eq!(report["feature_drift"][1]["distribution"]["alert"], json!(false));

    let operations = &report["operations"];
    let latency = |name: &str| value(&operations["latency_us"][name]);
    // One in ten took 100 ms; a bucket is 1 % wide.
    assert!((latency("p50") / 10_000.0 - 1.0).abs() < 0.01 && (latency("p95") / 100_000.0 - 1.0).abs() < 0.01);
    assert_eq!(
        (&operations["cost_micros"]["events"], &operations["cost_micros"]["sum"]),
        (&json!(800), &json!("1600000"))
    );
    near(value(&operations["tokens_out"]["mean"]), 0.5);
    assert!((value(&operations["label_delay_s"]["p50"]) / 86_400.0 - 1.0).abs() < 0.01);

    // The only site's own view, by the same functions.
    let own = desk.world.scratch("own");
    desk.world.agent(SITE, &["release", "figures", "loans-may", "--out", &own.to_string_lossy()]).good();
    let own: Value = serde_json::from_slice(&std::fs::read(own.join("report.json")).expect("reads")).expect("JSON");
    for part in ["scopes", "feature_drift", "operations", "packs", "windows"] {
        assert_eq!(own[part], report[part], "{part}");
    }

    let [four_fifths, ll144, act] = [0, 1, 2].map(|at| &report["packs"][at]);
    assert_eq!([four_fifths, ll144, act].map(|pack| pack["tables"].as_array().map_or(9, Vec::len)), [1, 2, 0]);
    let row = &four_fifths["tables"][0]["rows"][0];
    assert_eq!((&row["n"], &row["favourable"], &row["below_threshold"]), (&json!(400), &json!(100), &json!("yes")));
    near(value(&row["impact_ratio"]), 0.5);
    // Pearson's statistic of 100 of 400 against 200 of 400.
    near(
        row["test"]["test"]["statistic"].as_f64().expect("a number"),
        800.0 * (100.0 * 200.0 - 300.0 * 200.0_f64).powi(2) / (400.0 * 400.0 * 300.0 * 500.0),
    );
    // 500 scores of 0.24 and 300 of 0.74: the median is in the lower bin, of which a fifth lies above it.
    let scoring = &ll144["tables"][1];
    near(value(&scoring["rows"][0]["rate"]), (100.0 + 0.2 * 300.0) / 400.0);
    near(value(&scoring["rows"][1]["rate"]), (200.0 + 0.2 * 200.0) / 400.0);
    near(value(&scoring["rows"][0]["impact_ratio"]), 160.0 / 240.0);
    let bounds = &scoring["rows"][0]["rate"]["estimate"]["bounds"];
    assert_eq!((&bounds["lower"], &bounds["upper"]), (&json!(0.25), &json!(1.0)));

    let page = std::fs::read_to_string(out.join("report.html")).expect("reads");
    assert!(
        page.contains("below the threshold") && page.contains("Against 4 May 2026") && page.contains("6 RCNY 5-300")
    );
    let mut zip =
        zip::ZipArchive::new(std::fs::File::open(out.join("bundle.zip")).expect("opens")).expect("a ZIP file");
    let mut table = String::new();
    zip.by_name("tables/impact.csv").expect("there").read_to_string(&mut table).expect("reads");
    let line = "v1,1,sex,female,male,,,four-fifths.selection.impact_ratio,0.5,";
    assert!(table.lines().any(|row| row.starts_with(line)), "{table}");
}

/// What a report says of a day of these events, once it is verified; every estimate is a number.
fn report_of(plan: &str, events: &[Value]) -> Value {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    desk.publish(
        &plan.replace("k = 5", "k = 1").replace("[windows]", "packs = [\"four-fifths\", \"nyc-ll144\"]\n[windows]"),
    );
    let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(events));
    assert_eq!(answer.json()["taken"], json!(events.len()), "{answer:?}");
    desk.stop();
    let config = desk.home().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    assert!(text.contains("k_floor = 5"), "{text}");
    std::fs::write(&config, text.replace("k_floor = 5", "k_floor = 1")).expect("writes");
    desk.world.agent(SITE, &["plan", "accept", "loans-may"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    let out = desk.world.scratch("report");
    desk.world.aggregator(&["report", "build", "loans-may", "--out", &out.to_string_lossy()]).good();
    let [bundle, trust] = ["bundle.zip", "trust.json"].map(|name| out.join(name).to_string_lossy().into_owned());
    fedaudit_tests::run("fedaudit-verify", &[bundle.as_str(), "--trust", &trust]).good();
    let report = serde_json::from_slice(&std::fs::read(out.join("report.json")).expect("reads")).expect("JSON");
    check_numbers(&report, "");
    report
}

/// JSON has no NaN: it would stand there as null.
fn check_numbers(value: &Value, place: &str) {
    match value {
        Value::Object(object) => {
            if let Some(estimate) = object.get("estimate") {
                let ends = [&estimate["interval"], &estimate["bounds"]]
                    .map(|ends| ends.is_null() || ends["lower"].is_f64() && ends["upper"].is_f64());
                assert!(estimate["value"].is_number() && ends == [true; 2], "{place}: {estimate}");
                assert!(
                    !estimate["interval"].is_null()
                        || estimate["method"].as_str().is_some_and(|why| why.starts_with("no interval")),
                    "{place}"
                );
            }
            object.iter().for_each(|(key, value)| check_numbers(value, &format!("{place}/{key}")));
        }
        Value::Array(array) => {
            array.iter().enumerate().for_each(|(at, value)| check_numbers(value, &format!("{place}/{at}")));
        }
        _ => {}
    }
}

#[test]
fn what_has_no_value_says_why() {
    let of = |n: u32, change: &dyn Fn(u32, &mut Value)| {
        let events = (0..n).map(|n| {
            let mut event = event(0, n * 4);
            change(n, &mut event);
            event
        });
        let report = report_of(LOANS_PLAN, &events.collect::<Vec<_>>());
        let slices = &report["scopes"][0]["slices"];
        (slices[0]["groups"][0]["pooled"].clone(), slices[1].clone())
    };
    let why = |figure: &Value| figure["not_estimable"].as_str().unwrap_or("an estimate").to_owned();
    let (pooled, slice) = of(1, &|_, _| {});
    assert_eq!((&pooled["n"], why(&pooled["outcomes"]["fpr"])), (&json!(1), "an estimate".to_owned()), "{pooled}");
    assert_eq!(
        [&pooled["scores"]["auc"], &slice["parity"]["demographic_parity"]["difference"]].map(why),
        ["empty_denominator", "too_few_groups"]
    );
    let (pooled, slice) = of(90, &|_, event| event["decision"] = json!("deny"));
    assert_eq!(
        [&pooled["outcomes"]["ppv"], &slice["parity"]["demographic_parity"]["ratio"]].map(why),
        ["empty_denominator", "zero_rate_in_denominator"]
    );
    let (pooled, _) = of(90, &|_, event| event["label"] = json!("repaid"));
    assert_eq!(
        [&pooled["outcomes"]["fpr"], &pooled["outcomes"]["tnr"], &pooled["scores"]["auc"]].map(why),
        ["empty_denominator"; 3]
    );
    let (pooled, _) = of(90, &|n, event| {
        event["score"] = json!(0.5);
        event["label"] = json!(["default", "repaid"][n as usize % 2]);
    });
    assert_eq!(value(&pooled["scores"]["auc"]), 0.5);
    let (_, slice) = of(90, &|_, event| event["attributes"]["sex"] = json!("female"));
    assert_eq!(why(&slice["parity"]["demographic_parity"]["difference"]), "too_few_groups", "{slice}");
}

#[test]
fn a_plan_names_packs_and_windows_that_there_are() {
    let desk = Desk::open("listen = \"127.0.0.1:0\"");
    let file = desk.world.scratch("plan.toml");
    let refused = |plan: String, why: &str| {
        std::fs::write(&file, plan).expect("writes");
        desk.world.aggregator(&["plan", "publish", &file.to_string_lossy()]).fault("input", &[why]);
    };
    refused(LOANS_PLAN.replace("[windows]", "packs = [\"sr-11-7\"]\n[windows]"), "no policy pack is called `sr-11-7`");
    let other = "[reference_window]\nstart = \"2026-05-05T00:00:00Z\"\nend = \"2026-05-06T00:00:00Z\"\n[disclosure]";
    refused(LOANS_PLAN.replace("[disclosure]", other), "must be one of the plan's windows");
    let exclusion =
        format!("{LOANS_PLAN}\n[[exclusion]]\nattributes = [\"age\"]\ngroup = [\"old\"]\njustification = \"few\"\n");
    refused(exclusion, "it must name a slice");
}
