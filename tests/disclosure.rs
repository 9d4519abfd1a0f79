//! Random tables through disclosure control, and an attacker from elsewhere on what leaves.
//!
//! Each release is signed and passes the verifier. `disclosure/attack.py` then solves all that a release says at once, in
//! integers, over the joint table of all attributes, and holds each hidden cell against the promise; it also says what is left
//! to be used. `FEDAUDIT_TABLES` is how many tables there are.

#[path = "bench/report/federation.rs"]
mod federation;
#[path = "disclosure/tables.rs"]
mod tables;

use fedaudit_core::verify;
use federation::{Federation, name};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tables::{Numbers, Table};

/// A line for the attacker: the release as it was verified, and the table behind it.
fn line(seed: u64) -> Value {
    let mut numbers = Numbers::new(seed);
    let table = Table::drawn(&mut numbers);
    let site = name("s");
    let (federation, contract, plan) = Federation::new(std::slice::from_ref(&site), &table.contract, &table.plan);
    let (aggregate, counted) = table.events(&mut numbers, &plan, &contract);
    let made = federation.release(&plan, &contract, (0, &site), federation.windows[0], (0, None), &aggregate);
    let verified = verify::release(&made.envelope, &made.artifacts[0], &federation.registry);
    verified.unwrap_or_else(|refusal| panic!("table {seed}: {refusal:?}"));
    let release: Value = serde_json::from_slice(&made.artifacts[0]).expect("JSON");
    json!({ "seed": seed, "hide_zeros": table.hide_zeros, "table": counted, "release": release })
}

fn write(name: &str, lines: impl Iterator<Item = Value>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = lines.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    });
    std::fs::write(&path, text).expect("a file can be written");
    path
}

fn attack(path: &Path) -> fedaudit_tests::Answer {
    fedaudit_tests::python("tests/disclosure/attack.py", &[path])
}

#[test]
fn no_hidden_cell_of_random_tables_has_too_few_values() {
    let tables = std::env::var("FEDAUDIT_TABLES").map_or(16, |of| of.parse().expect("a number of tables"));
    let answer = attack(&write("tables.jsonl", (0..tables).map(line)));
    println!("{}", answer.said);
    assert!(answer.content, "{}", answer.said);
}

/// Two groups of events of one decision and label, as a release with k = 5 that shows of them what is given.
fn by_hand(events: [u64; 2], shown: [Value; 2]) -> Value {
    let full = |n: u64| json!({ "full": [[0, 0, 0], [n, 0, 0], [0, 0, 0]] });
    let groups: Vec<_> =
        ["0", "1"].iter().zip(shown).map(|(of, shown)| json!({ "group": [of], "counts": shown })).collect();
    let all = events[0] + events[1];
    let table: Vec<_> = (0..2).map(|code| json!([0, [code], 1, 0, events[code]])).collect();
    let slices = json!([
        { "attributes": [], "groups": [{ "group": [], "counts": full(all) }] },
        { "attributes": ["a"], "groups": groups }
    ]);
    let release = json!({ "k": 5, "events": all, "outcomes": all, "strata": [{ "slices": slices }] });
    json!({ "seed": 0, "hide_zeros": false, "table": table, "release": release })
}

#[test]
fn the_attacker_can_win() {
    let said = |name: &str, shown: [Value; 2]| attack(&write(name, std::iter::once(by_hand([3, 30], shown))));
    let full = json!({ "full": [[0, 0, 0], [30, 0, 0], [0, 0, 0]] });
    let both = said("both.jsonl", [json!("withheld"), json!("withheld")]);
    assert!(both.content, "{}", both.said);
    let one = said("one.jsonl", [json!("withheld"), full]);
    assert!(!one.content && one.said.contains("block (0, 1, 0), cell (1, 0): [3] alone, 4 are needed"), "{}", one.said);
    let n = said("n.jsonl", [json!({ "n": 3 }), json!("withheld")]);
    assert!(!n.content && n.said.contains("are needed"), "{}", n.said);
    let wrong = said("wrong.jsonl", [json!({ "n": 4 }), json!("withheld")]);
    assert!(!wrong.content && wrong.said.contains("the release is not of its table"), "{}", wrong.said);
    // A group of nobody, shown, hidden beside the other, and hidden with it.
    let zero = |name: &str, shown: [Value; 2]| {
        let mut line = by_hand([0, 30], shown);
        line["hide_zeros"] = json!(true);
        attack(&write(name, std::iter::once(line)))
    };
    let [nobody, all] = [0, 30].map(|n| json!({ "full": [[0, 0, 0], [n, 0, 0], [0, 0, 0]] }));
    let shown = zero("zero.jsonl", [nobody, all.clone()]);
    assert!(!shown.content && shown.said.contains("table 0: ['a']: {'full'"), "{}", shown.said);
    let one = zero("zero-one.jsonl", [json!("withheld"), all]);
    assert!(!one.content && one.said.contains("[0] alone, 4 are needed"), "{}", one.said);
    let both = zero("zero-both.jsonl", [json!("withheld"), json!("withheld")]);
    assert!(both.content, "{}", both.said);
}
