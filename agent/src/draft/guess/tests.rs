//! Tests of single guesses; whole drafts are tests/newcomer.rs.

use super::*;
use crate::draft::{Documents, roles, text, trial};
use crate::import::Map;
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::{self, Plan};
use std::path::PathBuf;

/// A file of one site, drafted.
struct Drafted {
    guess: Guess,
    roles: Roles,
    table: Table,
    _dir: tempfile::TempDir,
}

fn drafted(csv: &str, now: &str) -> Result<Drafted, Fault> {
    let dir = tempfile::tempdir().expect("a folder");
    let path: PathBuf = dir.path().join("a.csv");
    std::fs::write(&path, csv).expect("written");
    let table = Table::read(&[(path, Name::new("a").expect("a name"))])?;
    let roles = roles::find(&table, &Map::default())?;
    let guess = guess(&table, &roles, Time::parse(now).expect("a time"))?;
    Ok(Drafted { guess, roles, table, _dir: dir })
}

/// Rows of id, time and decision, and one more column.
fn with(header: &str, values: &[&str]) -> String {
    let rows = values.iter().enumerate();
    let rows = rows.map(|(n, value)| format!("{n},2026-01-31T13:{:02}:00Z,{},{value}\n", n % 60, n % 2));
    format!("id,time,decision,{header}\n{}", rows.collect::<String>())
}

const NOW: &str = "2026-06-01T00:00:00Z";

#[test]
fn ranges_are_rounded_outwards() {
    let cases = [
        ((0.2, 0.7), (0.0, 1.0)),
        ((0.5, 0.5), (0.0, 1.0)),
        ((1.0, 10.0), (1.0, 10.0)),
        ((300.2, 849.0), (300.0, 850.0)),
        ((-3.17, 2.75), (-3.2, 2.8)),
        ((12.0, 97.0), (12.0, 97.0)),
        ((7.0, 7.0), (7.0, 8.0)),
        ((0.1, 1.3), (0.1, 1.3)),
        ((-1e300, 1e300), (-1e300, 1e300)),
    ];
    for (seen, expected) in cases {
        assert_eq!(range(seen), Some(expected), "{seen:?}");
    }
    let tiny = f64::from_bits(1);
    for seen in [(-2.0 * tiny, 0.0), (-tiny, -tiny / 2.0), (f64::MIN, f64::MAX), (-1e308, 1e308), (1e300, 1e300)] {
        assert_eq!(range(seen), None, "{seen:?}");
    }
    let fault = drafted(&with("score", &["-1e-323", "0"]), NOW).err().expect("is refused");
    assert!(fault.what.contains("score: what lies between -1e-323 and 0e0"), "{fault}");
}

proptest::proptest! {
    #[test]
    fn no_score_lies_outside_its_range(a in -1e9..1e9_f64, b in -1e9..1e9_f64) {
        let (min, max) = (a.min(b), a.max(b));
        let (low, high) = range((min, max)).expect("a range");
        proptest::prop_assert!(low <= min && max <= high && low < high);
    }
}

#[test]
fn the_good_one_of_two_values_is_guessed_by_its_word() {
    let cases: [(&[&str], Option<[&str; 2]>); 12] = [
        (&["0", "1"], Some(["0", "1"])),
        (&["-1", "1"], Some(["-1", "1"])),
        (&["Yes", "No"], Some(["No", "Yes"])),
        (&["approved", "denied"], Some(["denied", "approved"])),
        (&["accept", "refuse"], Some(["refuse", "accept"])),
        (&["a", "b"], Some(["a", "b"])),
        (&["denied", "zero"], Some(["denied", "zero"])),
        (&["1"], Some(["0", "1"])),
        (&["False"], Some(["False", "True"])),
        (&["NO"], Some(["NO", "YES"])),
        (&["approved"], None),
        (&["ja", "nein"], Some(["nein", "ja"])),
    ];
    for (values, expected) in cases {
        let rows: String = (0..4).map(|n| format!("{n},2026-01-31T13:00:00Z,{}\n", values[n % values.len()])).collect();
        let found = drafted(&format!("id,time,decision\n{rows}"), NOW);
        let found = found.map(|drafted| drafted.guess.decision.values).ok();
        assert_eq!(found, expected.map(|values| values.map(str::to_owned)), "{values:?}");
    }
}

#[test]
fn groups_are_attributes_and_measures_are_not() {
    let many: Vec<String> = (0..80).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let some = &many[..8];
    let cases: [(&str, Vec<&str>, Option<usize>, &str); 10] = [
        ("sex", vec!["m", "f"], Some(2), ""),
        ("Sex ", vec!["m", "f", "", "unknown", "other"], Some(2), ""),
        ("age", many.clone(), None, "many different numbers"),
        ("age_group", some.to_vec(), Some(8), ""),
        ("visits", some.to_vec(), None, "rather a measure"),
        ("grade", some[..3].to_vec(), Some(3), ""),
        ("note", many.iter().map(|_| "same").collect(), None, "single value"),
        ("blank", vec!["", ""], None, "is blank"),
        ("seen", vec!["2026-01-31T13:00:00Z", "2026-02-01T13:00:00Z"], None, "holds times"),
        ("score_text", vec!["tab\there", "b"], None, "control characters"),
    ];
    for (name, values, groups, why) in cases {
        let rows: Vec<&str> = values.iter().cycle().take(240).copied().collect();
        let drafted = drafted(&with(name, &rows), NOW).expect("drafted");
        let found = drafted.guess.attributes.first().map(|attribute| attribute.categories.len());
        assert_eq!(found, groups, "{name}");
        let said = drafted.guess.left_out.first().map(|(_, why)| why.as_str()).unwrap_or_default();
        assert!(said.contains(why), "{name}: {said}");
    }
}

#[test]
fn windows_cover_the_events_and_wait_for_the_labels() {
    let of = |rows: &[(&str, &str)], now: &str| {
        let rows = rows.iter().enumerate().map(|(n, (at, labelled))| format!("{n},{at},{0},{0},{labelled}\n", n % 2));
        let csv = format!("event_id,occurred_at,decision,label,labelled_at\n{}", rows.collect::<String>());
        let guess = drafted(&csv, now).expect("drafted").guess;
        (guess.window.to_string(), guess.release_after_hours, guess.notes.len())
    };
    let long = [("2026-01-31T13:00:00Z", "2026-02-04T00:30:00Z"), ("2026-02-02T23:59:59Z", "2026-02-03T00:00:00Z")];
    assert_eq!(of(&long, NOW), ("2026-01-31T00:00:00Z/2026-02-03T00:00:00Z".to_owned(), 48, 0));
    // Not yet two days later: hours, so that the release is due.
    assert_eq!(of(&long, "2026-02-04T02:00:00Z"), ("2026-01-31T00:00:00Z/2026-02-03T00:00:00Z".to_owned(), 25, 0));
    // Nor the day's end: the window is of hours.
    let today = "2026-02-02T23:59:59.5Z";
    assert_eq!(of(&long, today), ("2026-01-31T13:00:00Z/2026-02-03T00:00:00Z".to_owned(), 25, 1));
    // A window is half-open: an event on the hour lies in the hour that it begins.
    let short =
        [("2026-01-31T13:30:00Z", "2026-01-31T13:30:00Z"), ("2026-01-31T15:00:00+00:00", "2026-01-31T15:00:00Z")];
    assert_eq!(of(&short, NOW), ("2026-01-31T13:00:00Z/2026-01-31T16:00:00Z".to_owned(), 0, 0));
}

/// The documents with what they have as comments.
fn uncommented(documents: &Documents) -> (Contract, Plan) {
    let keys = ["[[attribute]]", "name =", "categories =", "[[slice]]", "attributes =", "reference ="];
    let [contract, plan] = documents.texts.each_ref().map(|text| {
        keys.iter().fold(text.clone(), |text, key| text.replace(&format!("\n# {key}"), &format!("\n{key}")))
    });
    let contract = contract::from_toml(&contract).expect("a contract");
    let plan = plan::from_toml(&plan, |_| Some(Digest([0; 32]))).expect("a plan");
    plan.check_against(&contract).expect("they fit");
    (contract, plan)
}

#[test]
fn odd_texts_survive_the_documents() {
    let odd = ["q\"uote", "back\\slash", "# no comment", "ünï", "a'b", "]", "\u{202e}x", "other"];
    let rows: Vec<String> =
        odd.iter().cycle().take(96).map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let drafted = drafted(&with("\"kind \"\"of\"\" [x]\"", &rows), NOW).expect("drafted");
    let documents = Documents::write(&drafted.guess).expect("written");
    assert!(documents.contract.attributes.is_empty() && documents.plan.slices.is_empty(), "comments only");
    let (contract, plan) = uncommented(&documents);
    let map = Map::from_toml(&text::map(&drafted.roles.map)).expect("a map");
    assert_eq!(map, drafted.roles.map);
    assert_eq!(contract.attributes[0].name, "kind \"of\" [x]");
    assert_eq!((contract.attributes[0].categories.len(), plan.slices.len()), (7, 1));
    let tried = trial::attempt(&drafted.table.files[0], &contract, &plan, &map).expect("tried");
    assert_eq!((tried.rejected, tried.withheld.len()), (0, 0));
}

#[test]
fn what_would_be_withheld_is_tried() {
    // Six of twelve were selected, where k is 10.
    let rows: Vec<&str> = ["m", "f", "f", "m"].into_iter().cycle().take(24).collect();
    let drafted = drafted(&with("sex", &rows), NOW).expect("drafted");
    let Documents { contract, plan, .. } = Documents::write(&drafted.guess).expect("written");
    let tried = trial::attempt(&drafted.table.files[0], &contract, &plan, &drafted.roles.map).expect("tried");
    assert_eq!((tried.rejected, tried.withheld), (0, vec![vec!["sex".to_owned()]]));
}

#[test]
fn values_that_few_have_are_no_categories() {
    let drafted = |counts: &[(&str, usize)]| {
        let rows: Vec<&str> = counts.iter().flat_map(|(value, count)| vec![*value; *count]).collect();
        let guess = drafted(&with("religion", &rows), NOW).expect("drafted").guess;
        let texts = Documents::write(&guess).expect("written").texts.concat();
        (guess, texts)
    };
    let (guess, texts) = drafted(&[("none", 280), ("Yazidi", 9), ("Bahai", 10), ("Sikh", 1)]);
    let religion = &guess.attributes[0];
    assert_eq!((&religion.categories[..], religion.rare), (&["Bahai".to_owned(), "none".to_owned()][..], 2));
    assert!(texts.contains("Bahai") && !texts.contains("Yazidi") && !texts.contains("Sikh"), "{texts}");
    let (guess, texts) = drafted(&[("none", 299), ("Yazidi", 1)]);
    assert!(guess.attributes.is_empty() && !texts.contains("Yazidi"), "{texts}");
    let left = ("religion".to_owned(), "fewer than two values have 10 rows or more".to_owned());
    assert_eq!(guess.left_out, [left]);
}
