//! Tests of finding columns: what is found is what an import takes.

use super::*;
use crate::draft::{Documents, guess, trial};
use fedaudit_core::ids::Name;
use fedaudit_core::time::Time;

/// Drafts from files, each of a site, and tries the draft; the map, what was said of `ours`, and the rows rejected.
fn drafted(files: &[&str], given: &str, ours: &str) -> Result<(Map, String, u64), Fault> {
    let dir = tempfile::tempdir().expect("a folder");
    let mut named = Vec::new();
    for (file, name) in files.iter().zip(["a", "b", "c"]) {
        let path = dir.path().join(format!("{name}.csv"));
        std::fs::write(&path, file).expect("written");
        named.push((path, Name::new(name).expect("a name")));
    }
    let table = Table::read(&named)?;
    let roles = find(&table, &Map::from_toml(given).expect("a map"))?;
    let guess = guess::guess(&table, &roles, Time::parse("2027-01-01T00:00:00Z").expect("a time"))?;
    let documents = Documents::write(&guess)?;
    let mut rejected = 0;
    for file in &table.files {
        rejected += trial::attempt(file, &documents.contract, &documents.plan, &roles.map)?.rejected;
    }
    let said = roles.said.iter().find(|(of, _)| *of == ours).map(|(_, what)| what.clone());
    Ok((roles.map, said.unwrap_or_default(), rejected))
}

/// Twenty rows of event_id, occurred_at, decision, model_id and model_version, and of what `more` gives for each.
fn file(header: &str, more: impl Fn(usize) -> String) -> String {
    let rows = (0..20).map(|n| format!("e{n},2026-01-31T13:00:{n:02}Z,{},m,v{}\n", n % 2, more(n)));
    format!("event_id,occurred_at,decision,model_id,model_version{header}\n{}", rows.collect::<String>())
}

#[test]
fn labels_come_with_a_time_or_get_one() {
    let at = |n: usize| format!("2026-02-01T00:00:{n:02}Z");
    let whole = file(",label,labelled_at", |n| format!(",{},{}", n % 2, at(n)));
    let (map, said, rejected) = drafted(&[&whole], "", "labelled_at").expect("drafted");
    assert_eq!((map, said.as_str(), rejected), (Map::default(), "column `labelled_at`, as named", 0));
    let cases = [
        // No time of labels; a blank one; one under another name; some events without a label.
        (file(",label", |n| format!(",{}", n % 2)), "occurred_at"),
        (file(",label,labelled_at", |n| format!(",{},", n % 2)), "occurred_at"),
        (file(",label,outcome_date", |n| format!(",{},{}", n % 2, at(n))), "outcome_date"),
        (file(",y_true", |n| format!(",{}", ["0", "1", ""][n % 3])), "occurred_at"),
        // A blank column of labels, which an import wants a time for.
        (file(",label", |_| ",".to_owned()), "occurred_at"),
    ];
    for (csv, expected) in cases {
        let (map, _, rejected) = drafted(&[&csv], "", "label").expect("drafted");
        assert_eq!((map.theirs("labelled_at"), rejected), (expected, 0), "{csv}");
    }
    let none = file(",score,label,labelled_at", |_| ",,,".to_owned());
    assert_eq!(drafted(&[&none], "", "label").expect("drafted").0, Map::default());
}

#[test]
fn files_may_differ_in_what_is_not_needed() {
    let labelled = file(",label,labelled_at,sex,ward", |n| format!(",{},2026-02-01T00:00:00Z,m,x", n % 2));
    let plain = file(",sex", |n| format!(",{}", ["m", "f"][n % 2]));
    for files in [[&labelled, &plain], [&plain, &labelled]] {
        let (map, _, rejected) = drafted(&files.map(String::as_str), "", "label").expect("drafted");
        assert_eq!((map, rejected), (Map::default(), 0));
    }
    let other = plain.replace("event_id", "id");
    let fault = drafted(&[&plain, &other], "", "").expect_err("an id of two names");
    assert!(fault.what.contains("event_id: column `event_id` is not in every file"), "{fault}");
}

#[test]
fn a_name_counts_only_with_what_it_should_hold() {
    let two = file(",score,risk", |n| format!(",low,0.{n}"));
    let (_, said, rejected) = drafted(&[&two], "", "score").expect("drafted");
    // A column of the very name hides the others: it is what a reader would look for.
    assert!(said.contains("none: column `score` holds no numbers") && said.contains("`low` is not a number"), "{said}");
    assert_eq!(rejected, 0);
    let (map, said, _) = drafted(&[&file(",Score", |n| format!(",0.{n}"))], "", "score").expect("drafted");
    assert_eq!(
        (map.theirs("score"), said.as_str()),
        ("Score", "column `Score`, another name for it: map.toml says so")
    );
    // A probability called prediction is a score, where something else is the decision.
    let (map, _, _) = drafted(&[&file(",prediction", |n| format!(",0.{n}"))], "", "score").expect("drafted");
    assert_eq!(map.theirs("score"), "prediction");
    let repeated = file("", |_| String::new()).replace("event_id", "id").replace("e1,", "e2,");
    let fault = drafted(&[&repeated], "", "").expect_err("no id of its own");
    assert!(fault.what.contains("event_id: column `id` has the same value in several rows"), "{fault}");
    let three = file(",label,labelled_at", |n| format!(",{},2026-02-01T00:00:00Z", n % 3));
    let fault = drafted(&[&three], "", "").expect_err("three labels");
    assert!(fault.what.contains("label: column `label` has more than two different values"), "{fault}");
    let blank = file("", |_| String::new()).replace(",m,v", ",,v");
    assert!(drafted(&[&blank], "", "").expect_err("no model").what.contains("model_id: column `model_id` is blank"));
}

#[test]
fn what_a_map_says_is_taken_as_said() {
    let csv = file(",a,b", |n| format!(",{},0.{n}", n % 2));
    let (map, _, rejected) = drafted(&[&csv], "[columns]\nlabel = \"a\"\nscore = \"b\"", "label").expect("drafted");
    assert_eq!(
        (map.theirs("label"), map.theirs("score"), map.theirs("labelled_at"), rejected),
        ("a", "b", "occurred_at", 0)
    );
    let fault = drafted(&[&csv], "[columns]\ndecision = \"z\"", "").expect_err("no such column");
    assert!(fault.what.contains("decision: the map says `z`, which is not in every file"), "{fault}");
    let fault = drafted(&[&csv], "[columns]\noccurred_at = \"a\"", "").expect_err("no times");
    assert!(fault.what.contains("occurred_at: the map says `a`; holds no time"), "{fault}");
}
