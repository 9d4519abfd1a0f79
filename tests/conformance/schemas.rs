//! The JSON Schemas accept every real artifact, refuse altered ones, and say what each member is.

use crate::artifacts::{all, fresh, put, python, root, scored, statement, text};
use fedaudit_aggregator::centre::Centre;
use fedaudit_aggregator::home::Home;
use fedaudit_core::ids::Digest;
use fedaudit_tests::world::{World, name};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Those of documents; only disputes are not made by federations here, and are taken from the vectors.
const SCHEMAS: [&str; 15] = [
    "contract",
    "plan",
    "roster-entry",
    "transport-key",
    "waiver",
    "epoch",
    "heartbeat",
    "trust",
    "release",
    "abstention",
    "dispute",
    "report",
    "envelope",
    "statement",
    "parcel",
];

/// What jsonschema says of `documents`; every one of them is named in it.
fn validate(schema: &str, documents: &[PathBuf]) -> (bool, String) {
    let mut args = vec![root().join(format!("schemas/{schema}.schema.json"))];
    args.extend(documents.iter().cloned());
    let answer = python("tests/foreign/validate_schema.py", &args);
    for document in documents {
        assert!(answer.said.contains(&document.display().to_string()), "{}: {}", document.display(), answer.said);
    }
    (answer.content, answer.said)
}

type BySchema = BTreeMap<&'static str, Vec<PathBuf>>;

/// Every artifact of all federations by its schema; of those that no federation here makes, the ones of accepted vectors.
fn real() -> &'static BySchema {
    static ONCE: OnceLock<BySchema> = OnceLock::new();
    ONCE.get_or_init(gather)
}

fn gather() -> BySchema {
    let mut found = BySchema::new();
    for (at, federation) in all().into_iter().enumerate() {
        let statements = fresh(&format!("statements-{at}"));
        found.entry("trust").or_default().push(federation.out.join("trust.json"));
        let (parcel, home) = (statements.join("registry.parcel"), federation.home("aggregator"));
        // The one with amendments left its bundle only.
        if home.is_dir() {
            let command = ["registry".as_ref(), "export".as_ref(), parcel.as_os_str()];
            fedaudit_tests::run(
                "fedaudit-aggregator",
                &[&["--home".as_ref(), home.as_os_str()], &command[..]].concat(),
            )
            .good();
            found.entry("parcel").or_default().push(parcel);
        }
        for (number, (envelope, statement)) in federation.attestations().into_iter().enumerate() {
            let path = statements.join(format!("{number}.json"));
            put(&path, &serde_json::to_vec(&statement).expect("JSON"));
            found.entry("statement").or_default().push(path);
            found.entry("envelope").or_default().push(envelope);
            for subject in statement["subject"].as_array().expect("subjects") {
                let name = text(&subject["name"]);
                if let Some(schema) = schema_of(name) {
                    found.entry(schema).or_default().push(federation.artifact(subject));
                }
            }
        }
    }
    continued(&mut found);
    for (schema, documents) in accepted("real") {
        found.entry(schema).or_insert(documents);
    }
    found
}

/// A site that sent a heartbeat, replaced its transport key and began a new epoch: all that its aggregator logged.
fn continued(found: &mut BySchema) {
    let world = World::new(&["dept-a", "dept-b"]);
    world.ship("dept-a");
    world.agent("dept-a", &["key", "rotate", "--use", "transport"]).good();
    let daemon = world.federation.start_agent(&name("dept-a"), false).expect("starts");
    let until = Instant::now() + Duration::from_secs(60);
    while !world.aggregator(&["heartbeat", "list"]).good().out.contains("dept-a") {
        assert!(Instant::now() < until, "no heartbeat: {}", world.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(daemon);
    world.aggregator(&["site", "epoch", "dept-a", "--reason", "the disk was lost"]).good();
    let centre = Centre::open(Home::open(&world.home()).expect("a home")).expect("a centre");
    let folder = fresh("continued");
    for log in centre.logs().chain([&centre.beats().log]) {
        for index in 0..log.size() {
            let envelope = log.entry(index).expect("an entry");
            let place = folder.join(log.origin().replace('/', "-")).join(index.to_string());
            let statement = statement(&envelope);
            let mut put = |schema: &'static str, bytes: &[u8]| {
                let path = place.join(format!("{schema}.json"));
                put(&path, bytes);
                found.entry(schema).or_default().push(path);
            };
            for subject in statement["subject"].as_array().expect("subjects") {
                let digest: Digest = serde_json::from_value(subject["digest"]["sha256"].clone()).expect("a digest");
                if let Some(schema) = schema_of(text(&subject["name"])) {
                    put(schema, &centre.artifact(&digest).expect("an artifact"));
                }
            }
            put("envelope", &envelope);
            put("statement", statement.to_string().as_bytes());
        }
    }
}

/// The schema of a document by the name of its file.
fn schema_of(file: &str) -> Option<&'static str> {
    SCHEMAS.into_iter().find(|schema| Some(*schema) == file.strip_suffix(".json"))
}

/// The documents of all accepted vectors by their schemas.
fn accepted(folder: &str) -> BySchema {
    let folder = fresh(&format!("vectors-{folder}"));
    let mut found = BySchema::new();
    let mut take = |schema: &'static str, name: &str, document: &[u8]| {
        let path = folder.join(format!("{schema}-{name}.json"));
        put(&path, document);
        found.entry(schema).or_default().push(path);
    };
    for vector in crate::vectors::vectors().iter().filter(|vector| vector["expect"] == "accept") {
        let (name, kind, input) = (text(&vector["name"]), text(&vector["kind"]), &vector["input"]);
        match kind {
            "contract" | "plan" | "roster-entry" | "trust" | "parcel" | "conflict" => {
                let schema = if kind == "conflict" { "parcel" } else { kind };
                let schema = SCHEMAS.into_iter().find(|of| *of == schema).expect("a schema");
                take(schema, name, text(&input["document"]).as_bytes());
            }
            "release" | "abstention" | "dispute" | "heartbeat" | "registry-entry" => {
                let envelope = text(&input["envelope"]).as_bytes();
                let statement = statement(envelope);
                take("envelope", name, envelope);
                take("statement", name, statement.to_string().as_bytes());
                let schema = schema_of(text(&statement["subject"][0]["name"])).expect("a schema");
                take(schema, name, text(&input["artifact"]).as_bytes());
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_schema_is_checked() {
    let files = std::fs::read_dir(root().join("schemas")).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"));
    let mut found: Vec<_> = names.filter_map(|name| name.strip_suffix(".schema.json").map(str::to_owned)).collect();
    found.retain(|name| name != "common");
    found.sort();
    let mut schemas = SCHEMAS;
    schemas.sort_unstable();
    assert_eq!(found, schemas);
}

#[test]
fn every_real_artifact_keeps_its_schema() {
    let real = real();
    for schema in SCHEMAS {
        let documents = real.get(schema).unwrap_or_else(|| panic!("no {schema} was made"));
        let (content, said) = validate(schema, documents);
        assert!(content, "{said}");
    }
    // What the second federation is for: hidden cells, histograms, several windows.
    let releases: String = real["release"].iter().map(|path| std::fs::read_to_string(path).expect("text")).collect();
    assert!(releases.contains("\"suppressed\"") && releases.contains("\"histogram\""));
    let report = std::fs::read_to_string(scored().out.join("report.json")).expect("text");
    assert!(report.contains("\"suppressed\"") && report.contains("2024-02-01T00:00:00Z"));
}

#[test]
fn every_accepted_vector_keeps_its_schema() {
    let found = accepted("kept");
    assert_eq!(found.len(), SCHEMAS.len() - 1, "all but the report");
    for (schema, documents) in found {
        let (content, said) = validate(schema, &documents);
        assert!(content, "{said}");
    }
}

/// Schema, place, what to put there (null: take it away).
fn alterations() -> Vec<(&'static str, &'static str, Value)> {
    let first_count = "/strata/0/slices/0/groups/0/counts/full/0/0";
    vec![
        ("contract", "/owner", json!("me")),
        ("contract", "/title", Value::Null),
        ("contract", "/version", json!("1")),
        ("contract", "/version", json!(0)),
        ("contract", "/contract", json!("../loan")),
        ("contract", "/score/bins", json!(100)),
        ("contract", "/attribute/0/categories/0", json!("other")),
        ("plan", "/disclosure/k", json!(0)),
        ("plan", "/windows/start", json!("2024-01-01T00:30:00Z")),
        ("plan", "/contract_digest", json!("A".repeat(64))),
        ("plan", "/windows/every", json!("year")),
        ("plan", "/required_sites", json!([])),
        ("plan", "/min_coverage", json!(80)),
        ("roster-entry", "/keys/0/use", json!("governance")),
        ("roster-entry", "/keys/1/use", json!("attest")),
        ("roster-entry", "/keys/0/key", json!("AAAA")),
        ("roster-entry", "/party", json!("witness")),
        ("roster-entry", "/format", json!(2)),
        ("trust", "/governance/threshold", json!(0)),
        ("trust", "/witnesses/threshold", json!(33)),
        ("trust", "/registry", json!("loan/registry")),
        ("waiver", "/windows", json!([])),
        ("waiver", "/reason", json!("")),
        ("waiver", "/site", Value::Null),
        ("abstention", "/reason", json!(" ")),
        ("abstention", "/windows", json!([])),
        ("abstention", "/format", json!(2)),
        ("release", first_count, json!(-5)),
        ("release", first_count, json!(5.5)),
        ("release", "/strata/0/slices/0/groups/0/counts", json!("hidden")),
        ("release", "/strata/0/slices/0/groups/0/scores/value/square_sums/0", json!(0)),
        ("release", "/strata/0/slices/0/groups/0/scores/value/bins", json!(15)),
        ("release", "/rule", json!("blunt-1")),
        ("release", "/events", Value::Null),
        ("report", "/scopes/0/slices/1/pairs/0/crude/difference", json!(0)),
        ("report", "/scopes/0/slices/1/parity/demographic_parity/difference", json!({ "not_estimable": "" })),
        ("report", "/scopes/0/windows", Value::Null),
        ("report", "/releases/0/used", json!("ignored")),
        ("report", "/method", json!("2")),
        ("report", "/sites/0/missing", Value::Null),
        ("report", "/releases/0/amends", json!("")),
        ("report", "/note", json!("")),
        ("envelope", "/payloadType", json!("application/json")),
        ("envelope", "/signatures", json!([])),
        ("envelope", "/signatures/0/keyid", Value::Null),
        ("envelope", "/payload", json!("e30")),
        ("statement", "/predicateType", json!("urn:fedaudit:other:v1")),
        ("statement", "/predicate/format", json!(2)),
        ("statement", "/predicate/claim", json!({})),
        ("statement", "/subject/0/digest/sha512", json!("")),
        ("statement", "/predicate/issued_at", json!("2026-01-01T00:00:00.000Z")),
        ("parcel", "/format", json!(2)),
        ("parcel", "/content", json!({})),
        ("parcel", "/content/orders", json!({})),
        ("parcel", "/content/registry/joins", Value::Null),
        ("parcel", "/content/registry/trust/version", json!(0)),
        ("parcel", "/content/registry/entries/0/envelope", json!("e30")),
    ]
}

/// The same of what keeps keys and journals one thing.
fn continuity_alterations() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("roster-entry", "/version", json!(0)),
        ("roster-entry", "/threshold", json!(1)),
        ("roster-entry", "/ended", json!([])),
        ("transport-key", "/key", json!("AAAA")),
        ("transport-key", "/version", json!(2)),
        ("epoch", "/epoch", json!(1)),
        ("epoch", "/reason", json!("")),
        ("epoch", "/kept", json!([{ "log": "ledger", "size": -1 }])),
        ("heartbeat", "/journal", json!([])),
        ("heartbeat", "/epoch", json!(0)),
        ("dispute", "/what", json!("lost")),
        ("dispute", "/receipt", json!("")),
        ("dispute", "/window/start", json!("2024-01-01T00:30:00Z")),
    ]
}

/// The same of features, sampling tiers, and what intake counts.
fn intake_alterations() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("contract", "/currency", json!("")),
        ("contract", "/decision/threshold", json!("0.5")),
        ("contract", "/feature", json!([{ "name": "age", "type": "date" }])),
        ("contract", "/feature", json!([{ "name": "age", "type": "number", "min": 0 }])),
        ("contract", "/feature", json!([{ "name": "age", "type": "integer", "min": 0.5, "max": 9 }])),
        ("contract", "/feature", json!([{ "name": "first", "type": "boolean", "edges": [1] }])),
        ("contract", "/feature", json!([{ "name": "purpose", "type": "category" }])),
        ("contract", "/feature", json!([{ "name": "remark", "type": "text", "categories": ["a"] }])),
        ("release", "/strata/0/tier", json!("half")),
        ("release", "/strata/0/tier", json!({ "sampled": 1 })),
        ("release", "/intake", json!({ "lost": 1 })),
        ("release", "/intake", json!({ "late": 0 })),
        ("release", "/quality", json!({ "events": { "value": 1 } })),
        ("release", "/quality", json!({ "events": 1, "features": [] })),
        ("report", "/scopes/0/tier", json!("half")),
        ("report", "/weighted", Value::Null),
        ("report", "/weighted", json!([{ "model_version": "v1" }])),
        ("report", "/sites/0/intake", json!({ "late": -1 })),
        ("report", "/sites/0/quality", json!({})),
        (
            "report",
            "/sites/0/sampled",
            json!([{ "model_version": "v1", "one_in": 1, "events": "suppressed", "share": null }]),
        ),
    ]
}

fn alter(document: &mut Value, place: &str, new: &Value) {
    let (parent, key) = place.rsplit_once('/').expect("a place begins with a slash");
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, new) {
        (Value::Object(members), Value::Null) => drop(members.remove(key).expect("it is there")),
        (Value::Object(members), new) => drop(members.insert(key.to_owned(), new.clone())),
        (Value::Array(items), new) => items[key.parse::<usize>().expect("an index")] = new.clone(),
        (other, _) => panic!("nothing stands in {other}"),
    }
}

#[test]
fn altered_artifacts_are_refused() {
    let (real, folder) = (real(), fresh("altered"));
    let mut altered: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for (number, (schema, place, new)) in
        alterations().iter().chain(&continuity_alterations()).chain(&intake_alterations()).enumerate()
    {
        // The last ones are the second federation's: they have all members, but releases, in any order, not each block in full.
        let parent = place.rsplit_once('/').expect("a place begins with a slash").0;
        let documents = real[schema].iter().rev().map(|path| std::fs::read(path).expect("a file"));
        let mut documents = documents.map(|json| serde_json::from_slice::<Value>(&json).expect("JSON"));
        let document = documents.find(|document| document.pointer(parent).is_some());
        let mut document = document.unwrap_or_else(|| panic!("no {schema} has {parent}"));
        alter(&mut document, place, new);
        let path = folder.join(format!("{number}.json"));
        put(&path, document.to_string().as_bytes());
        altered.entry(schema).or_default().push(path);
    }
    assert_eq!(altered.len(), SCHEMAS.len(), "each schema refuses something");
    for (schema, documents) in altered {
        let (content, said) = validate(schema, &documents);
        let accepted: Vec<_> = said.lines().filter(|line| line.starts_with("ok ")).collect();
        assert!(!content && accepted.is_empty(), "{schema} accepts {accepted:?}");
    }
}

/// Every object is closed, and every member and definition is described.
fn check_described(place: &str, schema: &Value) {
    match schema {
        Value::Object(members) => {
            // `if`, `then` and the branches of a statement repeat members only to narrow them.
            let narrows = ["/if", "/then", "/else", "/contains", "/items/properties/name", "/prefixItems"];
            let narrows = narrows.iter().any(|part| place.contains(part)) || place.starts_with("statement/oneOf");
            if let (Some(Value::Object(properties)), false) = (members.get("properties"), narrows) {
                assert_eq!(members.get("additionalProperties"), Some(&Value::Bool(false)), "{place} is open");
                for (name, property) in properties {
                    let described = property["description"].as_str().is_some_and(|text| text.len() > 3);
                    assert!(described, "{place}: {name} is not described");
                }
            }
            members.iter().for_each(|(key, value)| check_described(&format!("{place}/{key}"), value));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| check_described(&format!("{place}/{at}"), item));
        }
        _ => {}
    }
}

#[test]
fn every_member_is_described_and_every_object_closed() {
    for schema in SCHEMAS.iter().chain(&["common"]) {
        let path = root().join(format!("schemas/{schema}.schema.json"));
        let value: Value = serde_json::from_slice(&std::fs::read(&path).expect("a schema")).expect("JSON");
        check_described(schema, &value);
        let index = std::fs::read_to_string(Path::new(root()).join("schemas/README.md")).expect("an index");
        assert!(index.contains(&format!("{schema}.schema.json")), "schemas/README.md does not name {schema}");
    }
}
