//! Attacks by what follows from all windows of a plan, or from all plans over the same events, together.

use super::site::{Group, PLAN, Site, block};
use serde_json::{Value, json};

#[test]
fn a_total_by_region_less_two_groups_of_three() {
    let mut site = Site::open();
    let mut groups = Vec::new();
    for (sex, region, denied) in [
        ("female", "south", 3),
        ("female", "north", 8),
        ("male", "south", 20),
        ("male", "north", 20),
        ("divers", "south", 20),
        ("divers", "north", 20),
    ] {
        for (decision, label, count) in [("deny", "default", denied), ("grant", "default", 20), ("grant", "repaid", 20)]
        {
            groups.push(Group { sex, region, decision, label: Some(label), count, ..Group::default() });
        }
    }
    site.take(&site.events("a", &groups));
    // Of the women, no more than how many there are: 3 and 8 denied, 11 together, 0 to 11 each.
    let release = site.released("credits", &plan_by(&["sex", "region"]));
    let women = ["south", "north"].map(|region| block(&release, &["sex", "region"], &["female", region]));
    assert_eq!(women, [json!({ "n": 43 }), json!({ "n": 48 })]);
    // Of the south, 43 are denied: less 20 there are 23, twice; less both, the three.
    kept_back_together(&site, "regions", &plan_by(&["region"]), "sex x region");
}

/// Three days: three women are denied on the second, and 20 on each of the others.
fn three_days() -> Vec<Group> {
    let mut groups = Vec::new();
    for (day, denied) in [20, 3, 20].into_iter().enumerate() {
        for (sex, decision, label, count) in [
            ("female", "deny", "default", denied),
            ("female", "grant", "default", 20),
            ("female", "grant", "repaid", 20),
            ("male", "deny", "default", if denied == 3 { 0 } else { 20 }),
            ("male", "grant", "default", 20),
            ("male", "grant", "repaid", 20),
        ] {
            groups.push(Group { sex, decision, label: Some(label), day, count, ..Group::default() });
        }
    }
    groups
}

/// The plan by sex, of days of May.
fn plan_of(from: usize, to: usize, every: &str) -> String {
    let text = plan_by(&["sex"]).replace("2026-05-05T00:00:00Z\"", &format!("2026-05-{to:02}T00:00:00Z\"{every}"));
    text.replace("2026-05-04", &format!("2026-05-{from:02}"))
}

#[test]
fn three_plans_of_which_each_two_pass() {
    let daily = ("daily", plan_of(4, 6, "\nevery = \"day\""));
    let (third, all) = (("third", plan_of(6, 7, "")), ("all", plan_of(4, 7, "")));
    for pair in [[&daily, &third], [&daily, &all], [&third, &all]] {
        let mut site = Site::open();
        site.take(&site.events("a", &three_days()));
        for (name, plan) in pair {
            let (release, said) = site.asked(name, plan);
            assert!(release.is_some() && !said.contains("not released"), "{name}: {said}");
        }
    }
    let mut site = Site::open();
    site.take(&site.events("a", &three_days()));
    site.released(daily.0, &daily.1);
    let second = site.artifact(daily.0).map(|bytes| serde_json::from_slice::<Value>(&bytes).expect("JSON"));
    assert_eq!(block(&second.expect("it left"), &["sex"], &["female"]), json!({ "n": 43 }), "the second day");
    site.released(third.0, &third.1);
    // 43 women were denied on all days, 20 on the first, 20 on the third.
    kept_back_together(&site, all.0, &all.1, "daily, 2026-05-05");
}

#[test]
fn a_week_released_before_its_days() {
    let mut site = Site::open();
    site.take(&site.events("a", &three_days()));
    site.released("all", &plan_of(4, 7, ""));
    // The first and the last of the days, less the week, would tell of the second. That no third plan is needed for.
    let (_, said) = site.asked("daily", &plan_of(4, 7, "\nevery = \"day\""));
    let why = "beside plan all: all events (decision code 0, label code 0, all windows)";
    assert!(said.contains(why) && said.contains("3 events that only the other counts"), "{said}");
    assert_eq!(said.matches("not released").count(), 1, "{said}");
    assert_eq!(site.abstained("daily"), ["2026-05-06T00:00:00Z/2026-05-07T00:00:00Z"]);
    assert_eq!(site.received("daily").len(), 2);
}

/// The plan with one slice.
fn plan_by(attributes: &[&str]) -> String {
    let reference: Vec<&str> = attributes.iter().map(|name| if *name == "sex" { "male" } else { "north" }).collect();
    let head = PLAN.split("[[slice]]").next().expect("a plan");
    format!("{head}[[slice]]\nattributes = {attributes:?}\nreference = {reference:?}\n")
}

/// Asks for what would let something hidden follow from all plans; the site's log says so.
#[track_caller]
fn kept_back_together(site: &Site, name: &str, plan: &str, what: &str) {
    let before = site.received(name);
    let (_, said) = site.asked(name, plan);
    let last = site.abstained(name).pop().unwrap_or_else(|| panic!("released: {said}"));
    assert!(!before.contains(&last) && !site.received(name).contains(&last), "{last}");
    assert!(said.contains("not released: another plan covers some of the same events"), "{said}");
    assert!(said.contains("follows from plans") && said.contains(what), "{said}");
}
