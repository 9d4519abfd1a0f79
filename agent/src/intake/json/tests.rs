//! Objects that are taken, word by word, and objects that are refused, with what is said.

use super::*;
use fedaudit_core::contract::from_toml;

const TOML: &str = r#"
contract = "loans"
version = 1
title = "Loans"
task = "binary"
model = "scorer"

[decision]
values = ["deny", "grant"]
favourable = "grant"
threshold = 1.0

[label]
values = ["0", "1"]
positive = "1"

[score]
min = 0.0
max = 2.0
bins = 80

[[attribute]]
name = "sex"
categories = ["female", "male"]

[[attribute]]
name = "region"
categories = ["1", "2"]

[[feature]]
name = "age"
type = "integer"
min = 0
max = 120
edges = [17, 65]

[[feature]]
name = "job"
type = "text"
missing = true
"#;

/// The contract of these tests.
pub(crate) fn contracts() -> Contracts {
    Contracts::with([from_toml(TOML).expect("a contract")])
}

fn event(json: &str) -> Result<EventRow, String> {
    match read(Kind::Predictions, json.as_bytes(), &contracts()) {
        Ok((_, Ok(Item::Event(row)))) => Ok(row),
        Ok((_, Ok(_))) => panic!("a label"),
        Ok((_, Err(what))) | Err(Bad { what, .. }) => Err(what),
    }
}

fn outcome(json: &str) -> Result<LabelRow, String> {
    match read(Kind::Outcomes, json.as_bytes(), &contracts()) {
        Ok((_, Ok(Item::Label(row)))) => Ok(row),
        Ok((_, Ok(_))) => panic!("an event"),
        Ok((_, Err(what))) | Err(Bad { what, .. }) => Err(what),
    }
}

const LEAST: &str = r#""event_id":"e-1","occurred_at":"1970-01-01T00:00:02Z","model_version":"v1""#;

#[test]
fn all_that_an_event_says_arrives_as_codes() {
    let digest = "ab".repeat(32);
    let json = format!(
        r#"{{{LEAST},"contract":"loans","model_digest":"{digest}","dataset_digest":"{digest}","caller":"app","source":"s",
        "sequence":7,"risk_tier":"high","decision":"grant","score":0.5,"threshold":1,"outputs":[{{"class":"a","confidence":0.25}},
        {{"class":1,"confidence":1}}],"attributes":{{"region":2,"sex":"f\u0065male"}},"subject":"p","explanation":"x/1",
        "latency_ms":1.5,"cost":0.000002,"tokens_in":3,"tokens_out":4,"label":1,"labelled_at":"1970-01-01T00:00:03Z"}}"#
    );
    let digest = Digest([0xab; 32]);
    let expected = EventRow {
        event_id: "e-1".to_owned(),
        occurred_at: Time(2_000_000_000),
        source: Some(("s".to_owned(), 7)),
        model_version: "v1".to_owned(),
        model_digest: Some(digest),
        dataset_digest: Some(digest),
        caller: Some("app".to_owned()),
        risk_tier: Some("high".to_owned()),
        decision: 1,
        score_q: Some(1 << 30),
        threshold_q: Some(1 << 31),
        outputs: vec![("a".to_owned(), 1 << 30), ("1".to_owned(), 1 << 32)],
        attributes: vec![0, 1],
        features: Vec::new(),
        canonical: None,
        subject: Some("p".to_owned()),
        explanation: Some("x/1".to_owned()),
        latency_us: Some(1_500),
        cost_micros: Some(2),
        tokens_in: Some(3),
        tokens_out: Some(4),
        outcome: Some((1, Time(3_000_000_000))),
    };
    assert_eq!(event(&json), Ok(expected));
}

#[test]
fn what_is_left_out_or_null_is_absent() {
    let least = event(&format!("{{{LEAST}}}")).expect("an event");
    assert_eq!((least.decision, least.score_q, &least.attributes[..]), (ABSENT, None, &[3, 3][..]));
    let nulls = r#""decision":null,"score":null,"attributes":{"sex":null,"region":"9"},"label":null,"subject":null"#;
    let row = event(&format!("{{{LEAST},{nulls}}}")).expect("an event");
    assert_eq!(row, EventRow { attributes: vec![3, 2], ..least });
}

#[test]
fn a_score_alone_is_decided_by_the_contract() {
    let decision = |more: &str| event(&format!("{{{LEAST},{more}}}")).expect("an event").decision;
    assert_eq!(["\"score\":0.99", "\"score\":1", "\"score\":2,\"decision\":\"deny\""].map(decision), [0, 1, 0]);
}

#[test]
fn features_become_codes_and_a_digest_whatever_their_order() {
    let read = |features: &str| {
        let row = event(&format!("{{{LEAST},\"features\":{features}}}")).expect("an event");
        (row.features, row.canonical)
    };
    // schemas/features.md: one line a feature.
    let digest = |form: &str| Some(Digest::of(form.as_bytes()).0);
    let good = (vec![1, 0], digest("i 41\nt 5 nurse\n"));
    assert_eq!(read(r#"{"age":41,"job":"nurse"}"#), good);
    assert_eq!(read(r#"{"job":"nurs\u0065","shoe_size":40,"age":41.0}"#), good);
    assert_eq!(read(r#"{"age":65}"#), (vec![1, 1], digest("i 65\n-\n")));
    assert_eq!(read(r#"{"age":"old","job":null}"#), (vec![4, 1], digest("t 3 old\n-\n")));
    let twice = event(&format!(r#"{{{LEAST},"features":{{"age":1,"job":"a","age":2}}}}"#));
    assert_eq!(twice, Err("twice the feature `age`".to_owned()));
}

#[test]
fn a_refusal_names_what_is_wrong() {
    let cases = [
        (r#""descision":"grant""#, "unknown key `descision` (column"),
        (r#""event_id":"e-2""#, "twice the key `event_id`"),
        (r#""attributes":{"sexx":"male"}"#, "the contract has no attribute `sexx`"),
        (r#""attributes":{"sex":"male","sex":"male"}"#, "twice the attribute `sex`"),
        (r#""attributes":{"sex":1.5}"#, "expected a string, an integer, true or false"),
        (r#""attributes":["male"]"#, "expected an object"),
        (r#""contract":"lones""#, "no contract is called `lones`; this site knows loans"),
        (r#""decision":"Grant""#, "decision \"Grant\"; the contract lists \"deny\", \"grant\""),
        (r#""score":2.1"#, "score 2.1; the contract's range is 0 to 2"),
        (r#""threshold":-1"#, "threshold -1; the contract's range"),
        (r#""score":"0.5""#, "invalid type: string"),
        (r#""outputs":[{"class":"a","confidence":1.1}]"#, "confidence 1.1; 0 to 1"),
        (r#""outputs":[{"class":"a"}]"#, "missing field `confidence`"),
        (r#""label":"1""#, "label without labelled_at"),
        (r#""labelled_at":"1970-01-01T00:00:03Z""#, "labelled_at without label"),
        (r#""label":"","labelled_at":"1970-01-01T00:00:03Z""#, "label is blank"),
        (r#""label":"yes","labelled_at":"1970-01-01T00:00:03Z""#, "label \"yes\""),
        (r#""sequence":1"#, "sequence without source"),
        (r#""caller":"""#, "caller is blank"),
        (r#""caller":"a\u0000b""#, "holds control characters"),
        (r#""latency_ms":-1"#, "latency_ms is -1; 0 to"),
        (r#""model_digest":"AB""#, "model_digest is not 64 lowercase"),
        (r#""tokens_in":-3"#, "invalid value: integer `-3`"),
    ];
    for (more, expected) in cases {
        let error = event(&format!("{{{LEAST},{more}}}")).expect_err(more);
        assert!(error.contains(expected), "{more}: {error}");
    }
    let subject = format!(r#"{{{LEAST},"subject":"{}"}}"#, "ä".repeat(SUBJECT_CHARS));
    assert!(event(&subject).is_ok() && event(&subject.replace('ä', "äa")).is_err_and(|e| e.contains("more than 200")));
    assert!(event(r#"{"event_id":"e"}"#).is_err_and(|e| e.contains("missing field `occurred_at`")));
    let yesterday = r#"{"event_id":"e","occurred_at":"yesterday","model_version":"1"}"#;
    assert!(event(yesterday).is_err_and(|e| e.starts_with("occurred_at: `yesterday` is not a time")));
}

#[test]
fn an_outcome_names_event_label_and_time() {
    let json = r#"{"event_id":"e","label":0,"labelled_at":"1970-01-01T00:00:02Z"}"#;
    let row = LabelRow { event_id: "e".to_owned(), label: 0, labelled_at: Time(2_000_000_000), weight: 1 };
    assert_eq!(outcome(json), Ok(row.clone()));
    assert_eq!(outcome(&json.replace("\"label\"", "\"weight\":12,\"label\"")), Ok(LabelRow { weight: 12, ..row }));
    let cases = [
        ("\"label\":0", "\"label\":2", "label \"2\""),
        ("\"label\":0", "\"label\":\"\"", "label is blank"),
        ("\"label\":0", "\"label\":0,\"weight\":0", "weight 0"),
        ("\"label\":0,", "", "missing field `label`"),
        ("\"label\":0", "\"label\":0,\"score\":1", "unknown key `score`"),
    ];
    for (from, to, expected) in cases {
        let error = outcome(&json.replace(from, to)).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn of_several_contracts_one_must_be_named() {
    let other = from_toml(&TOML.replace("\"loans\"", "\"cards\"")).expect("a contract");
    let both = Contracts::with([from_toml(TOML).expect("a contract"), other]);
    let said = |contracts: &Contracts, json: &str| match read(Kind::Predictions, json.as_bytes(), contracts) {
        Ok((known, _)) => known.contract.contract.to_string(),
        Err(bad) => bad.what,
    };
    let (bare, named) = (format!("{{{LEAST}}}"), format!("{{{LEAST},\"contract\":\"cards\"}}"));
    assert_eq!(said(&both, &named), "cards");
    assert_eq!(said(&both, &bare), "several contracts are known: name one in `contract` (cards, loans)");
    assert!(said(&Contracts::default(), &bare).contains("no contract yet"));
}
