//! The specification names what the code names: every check, every predicate type, every limit.

use crate::artifacts::root;
use fedaudit_core::limits;
use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Rust files of the product below a folder. The statistics refuse nothing.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match path.is_dir() {
            true if !["tests", "statistics"].contains(&name) => sources(&path, found),
            false if name.ends_with(".rs") && name != "tests.rs" => {
                // What stands after the tests' mark is no product.
                let text = std::fs::read_to_string(&path).expect("text");
                found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
}

/// The text literal that stands right after each `call`, across line ends.
fn literals(source: &str, call: &str) -> Vec<String> {
    let after = source.split(call).skip(1);
    after.filter_map(|text| text.trim_start().strip_prefix('"')?.split('"').next().map(str::to_owned)).collect()
}

/// Names in the first column of the tables of `schemas/checks.md`.
fn documented() -> BTreeSet<String> {
    let document = read("schemas/checks.md");
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
    cells.collect()
}

#[test]
fn every_check_is_documented_and_every_documented_check_exists() {
    let mut texts = Vec::new();
    for folder in
        ["common/core/src", "common/home/src", "common/link/src", "agent/src", "aggregator/src", "verifier/src"]
    {
        sources(&root().join(folder), &mut texts);
    }
    let calls = ["Refusal::new(", "same(", "conflict(", "verdict.pass(", "verdict.push(", "verdict.refuse("];
    let mut used = BTreeSet::new();
    for text in &texts {
        for call in calls {
            used.extend(literals(text, call));
        }
    }
    assert!(used.len() > 30, "the calls were found: {used:?}");
    let documented = documented();
    let missing: Vec<_> = used.iter().filter(|name| !documented.contains(*name)).collect();
    assert!(missing.is_empty(), "schemas/checks.md does not list {missing:?}");
    let code = texts.concat();
    let gone: Vec<_> = documented
        .iter()
        .filter(|name| !code.contains(&format!("\"{name}\"")))
        // Made of the log's folder and a word.
        .filter(|name| !["registry-checkpoint", "registry-log", "plan-log"].contains(&name.as_str()))
        .collect();
    assert!(gone.is_empty(), "schemas/checks.md lists {gone:?}, which no code names");
}

/// Code, where it occurs, and what it wants: the tables of `schemas/checks.md`, and `schemas/codes.json`.
type Code = (String, &'static str, String);

fn codes_of_the_page() -> Vec<Code> {
    let page = read("schemas/checks.md");
    let heads = ["## One document", "## Between agent and aggregator", "## The verifier", "Of evidence against a site"];
    let mut found = Vec::new();
    for (at, place) in ["document", "wire", "bundle", "conflict"].into_iter().enumerate() {
        let section = page.split_once(heads[at]).expect("a section").1;
        let section = heads.get(at + 1).map_or(section, |next| section.split(next).next().unwrap_or_default());
        found.extend(section.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| {
            let (code, rest) = line.split_once("` | ")?;
            Some((code.to_owned(), place, rest.split(" |").next()?.to_owned()))
        }));
    }
    found
}

#[test]
fn every_code_is_in_the_registry_and_shown() {
    let rows: Vec<serde_json::Value> = serde_json::from_str(&read("schemas/codes.json")).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let page = codes_of_the_page();
    let same = page.iter().map(|(code, place, wants)| (code.clone(), (*place).to_owned(), wants.clone()));
    let listed = rows.iter().map(|row| (text(&row["code"]), text(&row["where"]), text(&row["wants"])));
    assert_eq!(listed.collect::<Vec<_>>(), same.collect::<Vec<_>>(), "schemas/codes.json and checks.md say the same");
    for row in &rows {
        let code = text(&row["code"]);
        let exit = match row["outcome"].as_str() {
            Some("pass") => Some(0),
            Some("fail") => Some(1),
            Some("undecidable") => Some(2),
            Some("malformed") => Some(3),
            Some("refused") => None,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(row["exit"].as_u64(), exit, "{code}");
        let list = |key: &str| row[key].as_array().expect("a list").iter().map(text).collect::<Vec<_>>();
        let (vectors, tests) = (list("vectors"), list("shown_by"));
        assert!(!vectors.is_empty() || !tests.is_empty(), "{code} of {} is shown by nothing", row["where"]);
        // Those of documents are run, and what they are refused for is compared, beside the code that refuses them.
        for name in vectors {
            let vector: serde_json::Value =
                serde_json::from_str(&read(&format!("schemas/vectors/documents/{name}.json"))).expect("JSON");
            let reject = vector["expect"]["reject"].as_str().unwrap_or_else(|| panic!("{name} is accepted"));
            assert!(reject.starts_with(&format!("{code}: ")), "{name} is not about {code}: {reject}");
        }
        for test in tests {
            let (file, name) = test.split_once("::").expect("file::test");
            let file = read(file);
            // A test, or a part of one.
            let (_, body) = file.split_once(&format!("fn {name}(")).unwrap_or_else(|| panic!("{code}: no {test}"));
            let body = body.split("\n}\n").next().unwrap_or_default();
            let named = [format!("\"{code}\""), format!("\"{code}: "), format!("({code}: ")];
            assert!(named.iter().any(|name| body.contains(name.as_str())), "{test} does not name {code}");
        }
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let wire = read("schemas/wire.md");
    for (limit, what) in [
        (limits::FRAME_BYTES, "of a site in the roster"),
        (limits::UNKNOWN_PEER_FRAME_BYTES, "of a key that is not in the roster"),
        (limits::ENTRIES_PER_RESPONSE, "entries in one `Registry` response"),
        (limits::PENDING_JOINS, "joins that wait"),
    ] {
        let line = wire.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no limit {what}"));
        assert!(line.replace(',', "").contains(&limit.to_string()), "{limit}: {line}");
    }
    let documents = read("schemas/documents.md").replace(',', "");
    for limit in [limits::ENTRY_BYTES, limits::ARTIFACT_BYTES, limits::BUNDLE_FILES, limits::TOML_BYTES] {
        assert!(documents.contains(&limit.to_string()), "schemas/documents.md does not name {limit}");
    }
    assert!(documents.contains(&limits::PARCEL_BYTES.to_string()));
    let journal = read("schemas/journal.md").replace(',', "");
    assert!(journal.contains(&limits::BLOCK_RECORDS.to_string()));
}

#[test]
fn every_specification_is_in_the_index() {
    let index = read("schemas/README.md");
    for entry in std::fs::read_dir(root().join("schemas")).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        assert!(name == "README.md" || index.contains(&name), "schemas/README.md does not name {name}");
    }
}

/// Names of the members that hold a figure or a test.
fn figures(value: &serde_json::Value, key: &str, found: &mut BTreeSet<String>) {
    if matches!(value["$ref"].as_str(), Some("#/$defs/figure" | "#/$defs/test")) {
        found.insert(key.to_owned());
    }
    for (name, member) in value["properties"].as_object().into_iter().flatten() {
        figures(member, name, found);
    }
    let inner = ["anyOf", "oneOf"].into_iter().filter_map(|of| value[of].as_array()).flatten();
    inner.chain(value.get("items")).for_each(|value| figures(value, key, found));
    value["$defs"].as_object().into_iter().flatten().for_each(|(_, value)| figures(value, "", found));
}

#[test]
fn every_figure_of_a_report_is_defined() {
    let schema = serde_json::from_str(&read("schemas/report.schema.json")).expect("JSON");
    let mut found = BTreeSet::new();
    figures(&schema, "", &mut found);
    found.remove("");
    assert!(found.len() > 90, "{found:?}");
    let document = read("docs/metrics.md");
    // Code stands in every second part between backticks.
    let code = document.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let words: BTreeSet<&str> = code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = found.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not define {missing:?}");
}
