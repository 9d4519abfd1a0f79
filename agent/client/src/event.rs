//! An event as the agent's intake takes it.

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// A prediction. `schemas/intake.md` says what each key means; what is `None` or empty is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Name of the contract, where the site knows several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Unique under the contract.
    pub event_id: String,
    /// When the model decided.
    #[serde(serialize_with = "rfc_3339")]
    pub occurred_at: SystemTime,
    /// Version of the model.
    pub model_version: String,
    /// SHA-256 of the model, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_digest: Option<String>,
    /// SHA-256 of the manifest of its training data, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
    /// Who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// Which sender counts `sequence`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The sender's running number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Risk tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_tier: Option<String>,
    /// The decision, as the contract writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The threshold that it was held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The likeliest outputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// Attributes of the person concerned.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What the model saw.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, Value>,
    /// The person concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Where an explanation lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// How long the model took, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// What the answer cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Tokens read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    /// Tokens written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// The label, if it is known already, and when it became so.
    #[serde(flatten, serialize_with = "labelled", skip_serializing_if = "Option::is_none")]
    pub label: Option<(String, SystemTime)>,
}

/// One output of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Output {
    /// Its class.
    pub class: String,
    /// Its confidence from 0 to 1.
    pub confidence: f64,
}

/// A value of a feature.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// An integer.
    Integer(i64),
    /// Another number; one that is not finite arrives as missing.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// A text.
    Text(String),
    /// Nothing.
    Missing,
}

impl Event {
    /// An event of which only this is known.
    pub fn new(event_id: impl Into<String>, occurred_at: SystemTime, model_version: impl Into<String>) -> Self {
        Event {
            contract: None,
            event_id: event_id.into(),
            occurred_at,
            model_version: model_version.into(),
            model_digest: None,
            dataset_digest: None,
            caller: None,
            source: None,
            sequence: None,
            risk_tier: None,
            decision: None,
            score: None,
            threshold: None,
            outputs: Vec::new(),
            attributes: BTreeMap::new(),
            features: BTreeMap::new(),
            subject: None,
            explanation: None,
            latency_ms: None,
            cost: None,
            tokens_in: None,
            tokens_out: None,
            label: None,
        }
    }
}

fn labelled<S: Serializer>(label: &Option<(String, SystemTime)>, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Labelled<'a> {
        label: &'a str,
        #[serde(serialize_with = "rfc_3339")]
        labelled_at: SystemTime,
    }
    label.as_ref().map(|(label, at)| Labelled { label, labelled_at: *at }).serialize(s)
}

fn rfc_3339<S: Serializer>(time: &SystemTime, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&text_of(*time))
}

/// A time as RFC 3339 in UTC with nanoseconds. The civil date follows the days-from-civil arithmetic of the proleptic
/// Gregorian calendar, in eras of 400 years that begin on 1 March.
fn text_of(time: SystemTime) -> String {
    let ns = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    let (seconds, ns) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    // 0000-03-01 is 719,468 days before 1970-01-01; an era has 146,097.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + of_era + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_calendars_do() {
        // Seconds of `date -u -d TEXT +%s`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (1_795_347_364, "2026-11-22T11:36:04"),
        ] {
            assert_eq!(text_of(UNIX_EPOCH + Duration::from_secs(seconds)), format!("{text}.000000000Z"));
        }
        assert_eq!(text_of(UNIX_EPOCH - Duration::from_nanos(1)), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn an_event_is_written_without_what_is_not_known() {
        let mut event = Event::new("e", UNIX_EPOCH, "v");
        let least = r#"{"event_id":"e","occurred_at":"1970-01-01T00:00:00.000000000Z","model_version":"v"}"#;
        assert_eq!(serde_json::to_string(&event).expect("writes"), least);
        event.label = Some(("1".to_owned(), UNIX_EPOCH));
        event.features = BTreeMap::from([("a".to_owned(), Value::Missing), ("b".to_owned(), Value::Integer(1))]);
        let json: serde_json::Value = serde_json::to_value(&event).expect("writes");
        assert_eq!((&json["label"], &json["labelled_at"]), (&"1".into(), &"1970-01-01T00:00:00.000000000Z".into()));
        assert_eq!(json["features"], serde_json::json!({"a": null, "b": 1}));
    }
}
