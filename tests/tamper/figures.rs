//! Every number of a report with scores, labels and several windows, changed one at a time by an aggregator that signs it.

use fedaudit_core::codec;
use fedaudit_core::report::Report;
use fedaudit_tests::evidence::{Evidence, judge};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// Three sites, two weeks, a score, late labels, two attributes.
pub static SCORED: LazyLock<Evidence> = LazyLock::new(|| Evidence::from_dataset("scored", scored));

const CONTRACT: &str = r#"contract = "risk"
version = 1
title = "A risk score"
task = "binary"
model = "risk"
decision = { values = ["low", "high"], favourable = "low" }
label = { values = ["0", "1"], positive = "1" }
score = { min = 0.0, max = 1.0, bins = 20 }
[[attribute]]
name = "sex"
categories = ["female", "male"]
[[attribute]]
name = "age"
categories = ["young", "old"]
"#;
const PLAN: &str = r#"plan = "risk"
version = 1
title = "Does the score err against some groups more than against others?"
contract = "risk"
model_versions = ["v1"]
required_sites = ["east", "north", "west"]
windows = { start = "2026-01-05T00:00:00Z", end = "2026-01-19T00:00:00Z", every = "week", release_after_hours = 24 }
disclosure = { k = 2 }
[[slice]]
attributes = ["sex"]
reference = ["male"]
[[slice]]
attributes = ["sex", "age"]
reference = ["male", "old"]
"#;

fn scored(folder: &Path) {
    std::fs::create_dir_all(folder.join("sites")).expect("makes");
    std::fs::write(folder.join("contract.toml"), CONTRACT).expect("writes");
    std::fs::write(folder.join("plan.toml"), PLAN).expect("writes");
    let mut rng = StdRng::seed_from_u64(3);
    for site in ["east", "north", "west"] {
        let mut csv =
            "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,sex,age\n".to_owned();
        for n in 0..1_500 {
            let (day, score) = (5 + n % 14, rng.random_range(0..1_000_u32));
            let decision = if score > 400 { "high" } else { "low" };
            let label = u8::from(rng.random_range(0..1_000_u32) < score);
            let (sex, age) = (["female", "male"][n % 2], ["young", "old"][rng.random_range(0..2_usize)]);
            let day = format!("2026-01-{day:02}T12:00:00Z");
            csv += &format!("{site}-{n},{day},risk,v1,0.{score:03},{decision},{label},{day},{sex},{age}\n");
        }
        std::fs::write(folder.join(format!("sites/{site}.csv")), csv).expect("writes");
    }
}

/// Pointers to all numbers under `value`.
fn numbers(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(place.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| numbers(item, &format!("{place}/{at}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| numbers(member, &format!("{place}/{key}"), found));
        }
        _ => {}
    }
}

fn other(number: &Value) -> Value {
    match number.as_u64() {
        Some(count) => json!(count + 1),
        None => number.as_f64().map_or(Value::Null, |x| json!(x + 1e-6 * x.abs().max(1.0))),
    }
}

#[test]
fn it_is_verified_as_it_is_and_shows_scores() {
    let verdict = judge(&SCORED.bytes, &SCORED.trust);
    assert_eq!((verdict.code, verdict.first()), (0, None), "{verdict:#?}");
    let report: Report = codec::from_json(&SCORED.bundle().report_json).expect("a report");
    let whole = report.scopes[0].slices[0].groups[0].pooled.as_ref().expect("released");
    assert!(whole.scores.as_ref().is_some_and(|scores| scores.auc.value().is_some_and(|auc| auc > 0.6)));
    assert_eq!((report.scopes[0].windows.len(), whole.labelled), (2, 4_500));
}

#[test]
fn any_number_changed_is_named() {
    let report: Value = serde_json::from_slice(&SCORED.bundle().report_json).expect("JSON");
    let mut places = Vec::new();
    numbers(&report["scopes"], "/scopes", &mut places);
    let mut rng = StdRng::seed_from_u64(u64::from(std::process::id()));
    // One place of each kind, by its path without indices, and some more.
    let kind = |place: &String| {
        let words = place.split('/').filter(|word| word.parse::<usize>().is_err());
        words.collect::<Vec<_>>().join("/")
    };
    let mut seen = BTreeSet::new();
    let mut chosen: Vec<&String> = places.iter().filter(|place| seen.insert(kind(place))).collect();
    assert!(chosen.len() > 150, "{} kinds of figure in {} places", chosen.len(), places.len());
    chosen.extend(places.sample(&mut rng, 20));
    let check = |place: &str| {
        let mut changed = report.clone();
        let number = changed.pointer_mut(place).expect("a place");
        *number = other(number);
        let changed: Report = serde_json::from_value(changed).expect("still a report");
        let verdict = SCORED.altered(|bundle| SCORED.forge_report(bundle, &changed, SCORED.claim()));
        let first = verdict.is(1, "report-numbers", "report.json/scopes");
        assert_eq!(first.subject, format!("report.json{place}"));
    };
    std::thread::scope(|scope| {
        let (one, other) = chosen.split_at(chosen.len() / 2);
        scope.spawn(|| one.iter().for_each(|place| check(place)));
        other.iter().for_each(|place| check(place));
    });
}
