//! A release as a data steward reads it.

use super::{Earlier, Hidden, View};
use crate::close::Question;
use crate::desk::beside_k;
use crate::desk::numbers::{Change, Leaf, label, leaves, text};
use fedaudit_core::contract::{Contract, Task};
use serde_json::Value;

/// All lines of it.
pub(super) fn lines(view: &View) -> Vec<String> {
    let mut said = head(view);
    said.extend(history(view));
    said.push(String::new());
    said.push("the whole window".to_owned());
    if let Value::Object(fields) = &view.release {
        for (key, value) in fields.iter().filter(|(key, _)| !SAID.contains(&key.as_str())) {
            said.extend(below(value, key, "  "));
        }
    }
    for stratum in list(&view.release, "strata") {
        said.push(String::new());
        said.push(label(stratum).unwrap_or_default());
        for slice in list(stratum, "slices") {
            said.extend(table(slice, &view.question.contract));
        }
        said.extend(rest(stratum, &["model_version", "tier", "slices"], "  "));
    }
    said.extend(hidden(view));
    if view.waiting {
        said.push(String::new());
        said.push(format!("to let it go   fedaudit-agent release approve {}", view.digest));
        said.push(format!("to keep it     fedaudit-agent release refuse {} --reason TEXT", view.digest));
    }
    said
}

fn head(view: &View) -> Vec<String> {
    let Question { plan, window, contract, .. } = &view.question;
    let mut said = vec![format!("{} v{}: {}", plan.plan, plan.version, plan.title), format!("window    {window}")];
    let persons: Vec<_> = view.approvals.iter().map(|(by, at)| format!("{by} on {at}")).collect();
    let persons = if persons.is_empty() { String::new() } else { format!(" ({})", persons.join(", ")) };
    said.push(match view.waiting {
        true => format!("state     waiting: {} of {} approvals{persons}", view.approvals.len(), view.needed),
        false if view.made.is_some() => format!("state     {}; approved{persons}", view.state),
        false => format!("state     {}", view.state),
    });
    said.push(format!("digest    {} (SHA-256 of release.json, {} bytes)", view.digest, view.size));
    if let Some(made) = view.made {
        said.push(format!("drafted   {made}"));
    }
    if let Some(reason) = &view.amends {
        said.push(format!("amends    the release before, because: {reason} (everybody reads this)"));
    }
    let logs = contract.journal_logs();
    let sizes: Vec<_> = logs.iter().zip(view.journal).map(|(log, size)| format!("{size} records of {log}")).collect();
    said.push(format!("journal   {}", sizes.join(", ")));
    let number = |key: &str| view.release.get(key).map_or(String::new(), text);
    let [events, outcomes] = ["events", "outcomes"].map(number);
    said.push(match view.release.get("noise") {
        Some(_) => format!(
            "rows      {events} events and {outcomes} outcomes, as counts with noise add up; no exact number leaves"
        ),
        None => {
            format!("rows      {events} events of the window, {outcomes} of them with an outcome; public by the plan")
        }
    });
    said.push(format!("rule      {}, k = {}{}", number("rule"), number("k"), beside_k(&plan.disclosure)));
    said
}

fn history(view: &View) -> Vec<String> {
    let mut said = Vec::new();
    if let Some((old, changes)) = &view.changed {
        said.push(format!("changed   since it was drafted as {}: approvals of that one are void", old.short()));
        said.extend(changes.iter().map(change));
    }
    for Earlier { number, state, digest, changes } in &view.before {
        let count = changes.len();
        said.push(format!("before    release {number}, {state}, {}: {count} places differ", digest.short()));
        said.extend(changes.iter().map(change));
    }
    if view.before.is_empty() {
        said.push("before    nothing of this window and plan has been signed".to_owned());
    }
    said
}

fn change(change: &Change) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "absent".to_owned());
    format!("          {}: {} -> {}", change.at, or(&change.old), or(&change.new))
}

/// A slice: a line for each group and decision, then what else there is of each group.
fn table(slice: &Value, contract: &Contract) -> Vec<String> {
    let (decisions, labels) = words(contract);
    let mut rows =
        vec![[String::from("group"), String::from("decision")].into_iter().chain(labels).collect::<Vec<_>>()];
    let mut more = Vec::new();
    for group in list(slice, "groups") {
        let name = label(group).unwrap_or_default();
        match matrix(group.get("counts")) {
            Some(counts) => {
                for (at, (decision, counts)) in decisions.iter().zip(counts).enumerate() {
                    let name = if at == 0 { name.clone() } else { String::new() };
                    rows.push([name, decision.clone()].into_iter().chain(counts).collect());
                }
            }
            None => {
                let seen = group.get("counts").map_or(Vec::new(), leaves);
                let seen = seen.iter().map(|leaf| format!("{} {}", leaf.path.join(" "), leaf.text).trim().to_owned());
                rows.push(vec![name.clone(), seen.collect::<Vec<_>>().join("; ")]);
            }
        }
        let rest = rest(group, &["group", "counts"], "");
        more.extend(rest.into_iter().map(|line| format!("    {name}: {line}")));
    }
    let name = label(slice).unwrap_or_default();
    let mut said = vec![format!("  by {name}: events, by decision and label")];
    said.extend(aligned(&rows));
    said.extend(more);
    said.extend(rest(slice, &["attributes", "groups"], "    "));
    said
}

/// Pads columns; a row that is cut short says something of the whole group.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let whole = |row: &&Vec<String>| row.len() > 2;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let rows = rows.iter().filter(|row| at == 0 || whole(row));
        rows.filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("    {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What a field holds that no table has.
fn rest(of: &Value, said: &[&str], indent: &str) -> Vec<String> {
    let Value::Object(fields) = of else { return Vec::new() };
    let others = fields.iter().filter(|(key, _)| !said.contains(&key.as_str()));
    others.flat_map(|(key, value)| below(value, key, indent)).collect()
}

fn below(value: &Value, key: &str, indent: &str) -> Vec<String> {
    let line = |leaf: Leaf| {
        let path: Vec<_> = leaf.path.iter().map(|part| format!(" {part}")).collect();
        format!("{indent}{key}{}: {}", path.concat(), leaf.text)
    };
    leaves(value).into_iter().map(line).collect()
}

/// Nine counts, where they are seen.
fn matrix(counts: Option<&Value>) -> Option<Vec<Vec<String>>> {
    let counts = counts?;
    let rows = ["full", "noisy"].iter().find_map(|key| counts.get(key))?.as_array()?;
    let row = |row: &Value| row.as_array().map(|row| row.iter().map(text).collect::<Vec<_>>());
    rows.iter().map(row).collect()
}

/// What the contract calls decisions and labels 0 and 1.
fn words(contract: &Contract) -> (Vec<String>, Vec<String>) {
    let names = |values: &[String], chosen: &String, word: &str| -> Vec<String> {
        let said = |name: &String| if name == chosen { format!("{name} ({word})") } else { name.clone() };
        match values {
            // In a multiclass task it is one class against the others.
            [first, second] if contract.task != Task::Multiclass => vec![said(first), said(second)],
            _ => vec!["another".to_owned(), said(chosen)],
        }
    };
    let mut decisions = names(&contract.decision.values, &contract.decision.favourable, "favourable");
    decisions.push("none".to_owned());
    let label = contract.label.as_ref();
    let mut labels = label.map_or_else(
        || vec!["label 0".to_owned(), "label 1".to_owned()],
        |label| names(&label.values, &label.positive, "positive"),
    );
    labels.push("no label".to_owned());
    (decisions, labels)
}

/// What is hidden, group by group.
fn hidden(view: &View) -> Vec<String> {
    let mut said = vec![String::new()];
    if view.hidden.is_empty() {
        said.push("hidden: nothing".to_owned());
        return said;
    }
    let text = |key: &str| view.release.get(key).map_or(String::new(), text);
    said.push(format!(
        "hidden, by rule {} at k = {}; those who receive it see that, and not the reason",
        text("rule"),
        text("k")
    ));
    // Of many groups of a slice it is said once; `--json` has each.
    for of in view.hidden.chunk_by(is_alike) {
        match of {
            [first, .., last] if of.len() > GROUPS => {
                let [first, last] = [first, last].map(|of| of.at[2].as_str());
                let mut at = of[0].at.clone();
                at[2] = format!("{} groups, {first} to {last}", of.len());
                said.push(told(&Hidden { at, ..of[0].clone() }));
            }
            few => said.extend(few.iter().map(told)),
        }
    }
    said
}

fn told(Hidden { at, shown, why }: &Hidden) -> String {
    format!("  {}: {shown}; {why}", at.join(", "))
}

/// Whether it is the same but for the group.
fn is_alike(one: &Hidden, other: &Hidden) -> bool {
    let at = |of: &Hidden| (of.at.len() > 3).then(|| [&of.at[..2], &of.at[3..]].concat());
    at(one).is_some_and(|one| Some(one) == at(other)) && (&one.shown, &one.why) == (&other.shown, &other.why)
}

/// So many hidden groups of a slice are named each.
const GROUPS: usize = 3;

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Fields of a release that the first lines say, or the tables.
const SAID: [&str; 8] = ["site", "plan", "window", "rule", "k", "events", "outcomes", "strata"];
