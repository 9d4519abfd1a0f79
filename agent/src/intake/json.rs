//! One event or outcome in JSON, read straight into codes of its contract.
//!
//! Strict: unknown keys, keys that stand twice and attributes that the contract does not list are refused by name, for
//! a misspelt one would silently become `unknown`.

use super::contracts::{Contracts, Known};
use super::limits::{EXPLANATION_CHARS, SUBJECT_CHARS, TERM_CHARS};
use super::scalar::{Pairs, Scalar, Text, Value, Word};
use super::writer::Item;
use crate::journal::{EventRow, LabelRow};
use fedaudit_core::contract::feature::{FeatureValue, canonical, code};
use fedaudit_core::contract::{ContractText, Task};
use fedaudit_core::event::{
    ABSENT, SCORE_ONE, attribute_code, decision_at, decision_code, label_code, quantise, value_code,
};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::OUTPUTS;
use fedaudit_core::time::Time;
use serde::Deserialize;
use std::sync::Arc;

/// What a request's objects are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Events.
    Predictions,
    /// Labels of events.
    Outcomes,
}

/// Why an object is none.
#[derive(Debug)]
pub(crate) struct Bad {
    /// Whether it is JSON.
    pub json: bool,
    /// What is wrong.
    pub what: String,
}

impl Bad {
    fn content(what: String) -> Self {
        Bad { json: true, what }
    }
}

/// Reads one object: its contract, and what it says or what is wrong with that.
///
/// # Errors
/// It names no contract, and there are several.
pub(crate) fn read<'a>(
    kind: Kind,
    json: &[u8],
    contracts: &'a Contracts,
) -> Result<(&'a Arc<Known>, Result<Item, String>), Bad> {
    let find = |name: Option<&Text>| contracts.find(name.map(Text::as_str)).map_err(Bad::content);
    let read = match kind {
        Kind::Predictions => parse(json)
            .map(|event: Event| find(event.contract.as_ref()).map(|known| (known, event.row(known).map(Item::Event)))),
        Kind::Outcomes => parse(json).map(|outcome: Outcome| {
            find(outcome.contract.as_ref()).map(|known| (known, outcome.row(&known.contract).map(Item::Label)))
        }),
    };
    match read {
        Ok(read) => read,
        // It did not come so far as to name its contract, so it is counted where there is but one.
        Err(bad) => {
            contracts.find(None).ok().filter(|_| bad.json).map(|known| (known, Err(bad.what.clone()))).ok_or(bad)
        }
    }
}

/// Reads an event of a contract that is known; the object may name it, but no other.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn event(json: &[u8], known: &Known) -> Result<EventRow, String> {
    let contract = &known.contract;
    let event: Event = parse(json).map_err(|bad: Bad| bad.what)?;
    match event.contract.as_ref().map(Text::as_str).filter(|name| *name != contract.contract.as_str()) {
        Some(other) => Err(format!("contract `{}`; the file is read by {}", other.escape_debug(), contract.contract)),
        None => event.row(known),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Bad> {
    // Once for all: the parser would look at each string again.
    let json = std::str::from_utf8(json).map_err(|_| Bad { json: false, what: "not UTF-8".to_owned() })?;
    serde_json::from_str(json).map_err(|error| Bad { json: error.is_data(), what: told(&error) })
}

/// An error of the parser without what does not help: the line is the sender's, and 25 keys are in the document.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let what = what.split(", expected one of").next().unwrap_or_default().replacen("unknown field", "unknown key", 1);
    format!("{} (column {})", what.replacen("duplicate field", "twice the key", 1), error.column())
}

/// An event as senders write it: `schemas/intake.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event<'a> {
    #[serde(borrow)]
    contract: Option<Text<'a>>,
    event_id: Text<'a>,
    occurred_at: Text<'a>,
    model_version: Text<'a>,
    model_digest: Option<Text<'a>>,
    dataset_digest: Option<Text<'a>>,
    caller: Option<Text<'a>>,
    source: Option<Text<'a>>,
    sequence: Option<u64>,
    risk_tier: Option<Text<'a>>,
    decision: Option<Word<'a>>,
    score: Option<f64>,
    threshold: Option<f64>,
    outputs: Option<Vec<Output<'a>>>,
    attributes: Option<Pairs<'a, Option<Word<'a>>>>,
    features: Option<Pairs<'a, Scalar<'a>>>,
    subject: Option<Text<'a>>,
    explanation: Option<Text<'a>>,
    latency_ms: Option<f64>,
    cost: Option<f64>,
    tokens_in: Option<u64>,
    tokens_out: Option<u64>,
    label: Option<Value<'a>>,
    labelled_at: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output<'a> {
    #[serde(borrow)]
    class: Word<'a>,
    confidence: f64,
}

/// A late label as senders write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome<'a> {
    #[serde(borrow)]
    contract: Option<Text<'a>>,
    event_id: Text<'a>,
    label: Value<'a>,
    labelled_at: Text<'a>,
    weight: Option<u32>,
}

impl Event<'_> {
    /// The event in codes of its contract.
    fn row(&self, known: &Known) -> Result<EventRow, String> {
        let contract: &ContractText = &known.contract;
        let term = |name, text: &Option<Text>| limited(name, text, TERM_CHARS);
        let source = match (term("source", &self.source)?, self.sequence) {
            (Some(source), Some(number)) => Some((source, number)),
            (None, Some(_)) => return Err("sequence without source".to_owned()),
            // A source that does not number its events misses none.
            (_, None) => None,
        };
        let (features, canonical) = match &self.features {
            Some(pairs) if !contract.features.is_empty() => {
                let values = feature_values(known, pairs)?;
                let (codes, canonical) = coded(known, &values);
                (codes, Some(canonical))
            }
            _ => (Vec::new(), None),
        };
        let score_q = score("score", contract, self.score)?;
        let decision = match (&self.decision, score_q) {
            (Some(text), _) => decision_code(contract, text.as_str())?,
            (None, Some(score_q)) => decision_at(contract, score_q),
            (None, None) => ABSENT,
        };
        Ok(EventRow {
            event_id: self.event_id.as_str().to_owned(),
            occurred_at: time("occurred_at", &self.occurred_at)?,
            source,
            model_version: self.model_version.as_str().to_owned(),
            model_digest: digest("model_digest", &self.model_digest)?,
            dataset_digest: digest("dataset_digest", &self.dataset_digest)?,
            caller: term("caller", &self.caller)?,
            risk_tier: term("risk_tier", &self.risk_tier)?,
            decision,
            score_q,
            threshold_q: score("threshold", contract, self.threshold)?,
            outputs: self.outputs.as_deref().map_or(Ok(Vec::new()), outputs)?,
            attributes: attributes(contract, self.attributes.as_ref())?,
            features,
            canonical,
            subject: limited("subject", &self.subject, SUBJECT_CHARS)?,
            explanation: limited("explanation", &self.explanation, EXPLANATION_CHARS)?,
            latency_us: scaled("latency_ms", self.latency_ms, 1e3)?,
            cost_micros: scaled("cost", self.cost, 1e6)?,
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            outcome: self.outcome(contract)?,
        })
    }

    fn outcome(&self, contract: &ContractText) -> Result<Option<(u64, Time)>, String> {
        match (&self.label, &self.labelled_at) {
            (None, None) => Ok(None),
            (Some(_), None) => Err("label without labelled_at".to_owned()),
            (None, Some(_)) => Err("labelled_at without label".to_owned()),
            (Some(label), Some(at)) => Ok(Some((known_label(contract, label)?, time("labelled_at", at)?))),
        }
    }
}

impl Outcome<'_> {
    fn row(&self, contract: &ContractText) -> Result<LabelRow, String> {
        let weight = self.weight.unwrap_or(1);
        if weight == 0 {
            return Err("weight 0; a label stands for at least 1 event".to_owned());
        }
        Ok(LabelRow {
            event_id: self.event_id.as_str().to_owned(),
            label: known_label(contract, &self.label)?,
            labelled_at: time("labelled_at", &self.labelled_at)?,
            weight,
        })
    }
}

/// The values of the contract's features, in its order; those that it does not list are not part of an event.
fn feature_values<'a>(known: &Known, pairs: &'a Pairs<Scalar>) -> Result<Vec<FeatureValue<'a>>, String> {
    let mut values = vec![None; known.contract.features.len()];
    for (nth, (name, scalar)) in pairs.0.iter().enumerate() {
        let Some(slot) = known.feature(nth, name.as_str()).and_then(|at| values.get_mut(at)) else { continue };
        if slot.replace(scalar.value()).is_some() {
            return Err(format!("twice the feature `{}`", name.as_str().escape_debug()));
        }
    }
    Ok(values.into_iter().map(Option::unwrap_or_default).collect())
}

/// Codes of values of the contract's features, and the SHA-256 of their canonical form.
pub(crate) fn coded(known: &Known, values: &[FeatureValue]) -> (Vec<u16>, [u8; 32]) {
    let codes = known.contract.features.iter().zip(values).map(|(feature, value)| code(feature, *value));
    // Hashed as a whole, which is faster than piece by piece; a text takes whatever is written to it.
    let mut form = String::with_capacity(32 * values.len());
    let canonical = match canonical(values, &mut form) {
        Ok(()) | Err(std::fmt::Error) => Digest::of(form.as_bytes()).0,
    };
    (codes.collect(), canonical)
}

/// A code for each attribute of the contract; those that are not given are `unknown`.
fn attributes(contract: &ContractText, pairs: Option<&Pairs<Option<Word>>>) -> Result<Vec<u16>, String> {
    let mut codes = vec![NONE; contract.attributes.len()];
    for (nth, (name, word)) in pairs.iter().flat_map(|pairs| pairs.0.iter()).enumerate() {
        // Senders mostly write them in the contract's order.
        let expected = contract.attributes.get(nth).is_some_and(|attribute| attribute.name == name.as_str());
        let at = if expected { Some(nth) } else { contract.attribute(name.as_str()) };
        let found = at.and_then(|at| Some((contract.attributes.get(at)?, codes.get_mut(at)?)));
        let Some((attribute, code)) = found else {
            let name = name.as_str().escape_debug();
            return Err(format!("the contract has no attribute `{name}`"));
        };
        if *code != NONE {
            return Err(format!("twice the attribute `{}`", attribute.name));
        }
        *code = attribute_code(attribute, word.as_ref().map(Word::as_str).unwrap_or_default());
    }
    for (attribute, code) in contract.attributes.iter().zip(&mut codes).filter(|(_, code)| **code == NONE) {
        *code = attribute_code(attribute, "");
    }
    Ok(codes)
}

fn outputs(outputs: &[Output]) -> Result<Vec<(String, u64)>, String> {
    if outputs.len() > OUTPUTS {
        return Err(format!("{} outputs; at most {OUTPUTS}, the likeliest", outputs.len()));
    }
    let one = |output: &Output| {
        if !(0.0..=1.0).contains(&output.confidence) {
            return Err(format!("confidence {}; 0 to 1", output.confidence));
        }
        check_chars("class", output.class.as_str(), TERM_CHARS)?;
        Ok((output.class.as_str().to_owned(), (output.confidence * SCORE_ONE as f64).round() as u64))
    };
    outputs.iter().map(one).collect()
}

fn score(name: &str, contract: &ContractText, value: Option<f64>) -> Result<Option<u64>, String> {
    let Some(value) = value else { return Ok(None) };
    let range = contract.score.as_ref().ok_or_else(|| format!("{name} {value}: the contract has no [score]"))?;
    quantise(range, value).map(Some).map_err(|error| error.replacen("score", name, 1))
}

/// A label that is one: an empty text is none.
fn known_label(contract: &ContractText, label: &Value) -> Result<u64, String> {
    match label {
        Value::Word(word) => label_code(contract, word.as_str())?
            .ok_or_else(|| "label is blank; leave it out until it is known".to_owned()),
        Value::Number(value) if contract.task == Task::Regression => value_code(contract, *value),
        Value::Number(value) => Err(format!("label {value}; a string, an integer, true or false")),
    }
}

fn time(name: &str, text: &Text) -> Result<Time, String> {
    Time::parse(text.as_str()).map_err(|error| format!("{name}: {error}"))
}

fn digest(name: &str, text: &Option<Text>) -> Result<Option<Digest>, String> {
    let read = |text: &Text| {
        Digest::from_hex(text.as_str()).ok_or_else(|| format!("{name} is not 64 lowercase hexadecimal digits"))
    };
    text.as_ref().map(read).transpose()
}

fn limited(name: &str, text: &Option<Text>, chars: usize) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    check_chars(name, text.as_str(), chars)?;
    Ok(Some(text.as_str().to_owned()))
}

fn check_chars(name: &str, text: &str, chars: usize) -> Result<(), String> {
    if !text.is_empty() && text.len() <= chars && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(format!("{name} is blank or holds control characters"));
    }
    // Bytes first: they are never fewer than characters.
    if text.len() > chars && text.chars().count() > chars {
        return Err(format!("{name} has more than {chars} characters"));
    }
    Ok(())
}

/// `value * unit` as a whole number.
fn scaled(name: &str, value: Option<f64>, unit: f64) -> Result<Option<u64>, String> {
    let Some(value) = value else { return Ok(None) };
    let scaled = (value * unit).round();
    if !(0.0..=MOST_SCALED).contains(&scaled) {
        return Err(format!("{name} is {value}; 0 to {}", MOST_SCALED / unit));
    }
    Ok(Some(scaled as u64))
}

/// No code of an attribute: contracts list at most 1,000 categories.
const NONE: u16 = u16::MAX;
/// Integers up to here are exact as floating-point numbers.
const MOST_SCALED: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
pub(crate) mod tests;
