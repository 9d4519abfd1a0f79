//! Two plans over the same events at one site, through the real programs: what could be subtracted does not leave.

use fedaudit_tests::figures;
use fedaudit_tests::intake::{self, Desk, LOANS_PLAN, SITE};
use serde_json::{Value, json};

/// Events of a day, half of them granted a loan.
fn events(day: usize, number: usize) -> Vec<Value> {
    let event = |n: usize| {
        json!({
            "contract": "loans", "event_id": format!("day-{day}-{n}"), "occurred_at": format!("2026-05-0{}T10:00:00Z", 4 + day),
            "model_version": "v1", "decision": (["grant", "deny"][n % 2]), "score": ([0.75, 0.25][n % 2]),
            "attributes": {"sex": (["female", "male"][n / 2 % 2])}, "latency_ms": 10,
            "label": "repaid", "labelled_at": format!("2026-05-0{}T20:00:00Z", 4 + day)
        })
    };
    (0..number).map(event).collect()
}

fn plan(name: &str, every: &str) -> String {
    let windows = format!("end = \"2026-05-07T00:00:00Z\"\n{every}");
    LOANS_PLAN.replace("loans-may", name).replace("end = \"2026-05-05T00:00:00Z\"\n", &windows)
}

/// A site that released three days, one by one, with so many events, and was then asked for all of them together.
fn released(days: [usize; 3]) -> (Desk, String) {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    desk.publish(&plan("daily", "every = \"day\"\n"));
    for (day, number) in days.into_iter().enumerate() {
        let answer = desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&events(day, number)));
        assert_eq!(answer.json()["taken"], json!(number), "{answer:?}");
    }
    desk.stop();
    desk.world.agent(SITE, &["plan", "accept", "daily"]).good();
    desk.world.agent(SITE, &["run", "--once"]).good();
    desk.publish(&plan("together", ""));
    desk.world.agent(SITE, &["plan", "accept", "together"]).good();
    let said = desk.world.agent(SITE, &["run", "--once"]).good().err;
    (desk, said)
}

fn report(desk: &Desk, plan: &str) -> Value {
    let out = desk.world.scratch(plan);
    desk.world.aggregator(&["report", "build", plan, "--out", &out.to_string_lossy()]);
    figures::json(&out.join("report.json"))
}

#[test]
fn days_that_add_up_leave_and_details_do_not() {
    let (desk, said) = released([80, 40, 40]);
    assert!(!said.contains("not released"), "{said}");
    let listed = desk.world.agent(SITE, &["release", "list"]).good().out;
    assert_eq!(listed.lines().filter(|line| line.contains("received")).count(), 4, "{listed}");
    let (daily, together) = (report(&desk, "daily"), report(&desk, "together"));
    let pooled = |report: &Value| report["scopes"][0]["slices"][1]["groups"][0]["pooled"]["n"].clone();
    assert_eq!((pooled(&daily), pooled(&together)), (json!(80), json!(80)));
    // Latency is a sum that nothing bounds by subtraction: the plan that was first shows it.
    assert!(daily["operations"]["latency_us"]["p50"]["estimate"].is_object(), "{}", daily["operations"]);
    assert_eq!(together["operations"]["latency_us"]["p50"], json!("suppressed"));
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
}

#[test]
fn a_day_that_was_withheld_cannot_be_had_by_subtraction() {
    // Of the three events of the last day two were granted a loan.
    let (mut desk, said) = released([80, 40, 3]);
    assert!(said.contains("together") && said.contains("1 events that only the new one counts"), "{said}");
    let listed = desk.world.agent(SITE, &["release", "list"]).good().out;
    assert!(listed.lines().any(|line| line.starts_with("together") && line.contains("abstention")), "{listed}");
    let told = report(&desk, "together");
    let abstained = &told["abstentions"][0]["reason"];
    assert_eq!(abstained, &json!("another plan covers some of the same events"), "no number leaves: {told}");
    // Tried again, it says the same; with more events of the third day it would leave, but they are late: the day is out.
    let window = "2026-05-04T00:00:00Z/2026-05-07T00:00:00Z";
    desk.world.agent(SITE, &["plan", "withdraw", "together", "--window", window]).good();
    let again = desk.world.agent(SITE, &["run", "--once"]).good().err;
    assert!(again.contains("1 events that only the new one counts"), "{again}");
    desk.world.agent(SITE, &["plan", "withdraw", "together", "--window", window]).good();
    desk.start();
    let more: Vec<_> = events(2, 40).split_off(3);
    desk.post("/v1/predictions", "application/x-ndjson", &intake::lines(&more));
    desk.stop();
    let said = desk.world.agent(SITE, &["run", "--once"]).good().err;
    assert!(!said.contains("not released"), "{said}");
    desk.world.agent(SITE, &["journal", "reproduce", "all"]).good();
}
