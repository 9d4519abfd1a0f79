//! Records as columns: the exact bytes beside what they say, codes and the texts of the codes. Pure.

use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::ArrowError;
use fedaudit_core::contract::{Contract, ContractText, Score, Task};
use fedaudit_core::event::{LedgerEntry, Outcome, Prediction, Record, SCORE_ONE, Tally};
use fedaudit_core::time::Time;
use std::sync::Arc;

/// A record at its position.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub position: u64,
    pub bytes: Vec<u8>,
    pub record: Record,
}

impl Row {
    /// When what it says occurred or was labelled.
    pub fn time(&self) -> Option<Time> {
        match &self.record {
            Record::Prediction(prediction) => Some(prediction.occurred_at),
            Record::Outcome(outcome) => Some(outcome.labelled_at),
            Record::Tally(tally) => Some(tally.hour),
            Record::Pad | Record::Ledger(_) => None,
        }
    }
}

/// The texts of the codes that a ledger defines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    /// Versions of models by code.
    pub versions: Vec<String>,
    /// Callers, classes and the like by code.
    pub terms: Vec<String>,
}

impl Texts {
    /// Takes in an entry of the ledger, which are given in their order.
    pub fn take(&mut self, entry: &LedgerEntry) {
        match entry {
            LedgerEntry::ModelVersion { version, .. } => self.versions.push(version.clone()),
            LedgerEntry::Term { text, .. } => self.terms.push(text.clone()),
            _ => {}
        }
    }
}

/// Rows of a log as columns; without its contract, codes stay without their texts.
pub(crate) fn batch(
    log: &str,
    contract: Option<&Contract>,
    texts: &Texts,
    rows: &[Row],
) -> Result<RecordBatch, ArrowError> {
    let mut table = Table { columns: Vec::new() };
    table.put("log", Arc::new(StringArray::from(vec![log; rows.len()])));
    table.integers("position", rows.iter().map(|row| Some(row.position)));
    table.texts("kind", rows.iter().map(|row| Some(kind(&row.record))));
    table.put("record", Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.bytes))));
    match log.split('/').next() {
        Some("predictions") => predictions(&mut table, contract.map(|of| &**of), texts, rows)?,
        Some("outcomes") => outcomes(&mut table, contract.map(|of| &**of), rows),
        _ => table.texts("entry", rows.iter().map(entry)),
    }
    RecordBatch::try_from_iter_with_nullable(table.columns.into_iter().map(|(name, column)| (name, column, true)))
}

fn predictions(
    table: &mut Table,
    contract: Option<&ContractText>,
    texts: &Texts,
    rows: &[Row],
) -> Result<(), ArrowError> {
    let events: Vec<Option<&Prediction>> = rows.iter().map(prediction).collect();
    let of = |get: fn(&Prediction) -> Option<u64>| events.iter().map(move |event| event.and_then(get));
    let code = |get: fn(&Prediction) -> Option<u32>| events.iter().map(move |event| event.and_then(get));
    table.times("occurred_at", events.iter().map(|event| event.map(|event| event.occurred_at)));
    table.binaries("event_token", 16, events.iter().map(|event| event.map(|event| &event.event_token[..])))?;
    let subjects =
        events.iter().map(|event| event.and_then(|event| event.subject.as_ref()).map(|subject| &subject[..]));
    table.binaries("subject", 16, subjects)?;
    table.coded("model_version", code(|event| Some(event.model_version)), &texts.versions);
    table.coded("caller", code(|event| event.caller), &texts.terms);
    table.coded("risk_tier", code(|event| event.risk_tier), &texts.terms);
    table.integers("sampling_tier", code(|event| Some(event.tier)));
    let decisions: Vec<_> = contract.iter().flat_map(|contract| contract.decision.values.clone()).collect();
    table.coded("decision", code(|event| Some(u32::from(event.decision))), &decisions);
    let score = contract.and_then(|contract| contract.score.as_ref());
    table.quantised("score", of(|event| event.score_q), score);
    table.quantised("threshold", of(|event| event.threshold_q), score);
    outputs(table, &events, texts);
    // Prefixes keep apart whatever names a contract has.
    let nth = |get: fn(&Prediction) -> &[u16], at: usize| {
        let codes = events.iter().map(move |event| event.and_then(|event| get(event).get(at)));
        codes.map(|code| code.map(|code| u32::from(*code)))
    };
    for (at, attribute) in contract.iter().flat_map(|contract| contract.attributes.iter().enumerate()) {
        let (name, codes) = (&attribute.name, || nth(|event| &event.attributes, at));
        let texts: Vec<_> = (0..attribute.codes()).map(|code| attribute.category(code).to_owned()).collect();
        table.texts(&format!("attribute_{name}"), codes().map(|code| text(&texts, code)));
        table.codes(&format!("code_attribute_{name}"), codes());
    }
    for (at, feature) in contract.iter().flat_map(|contract| contract.features.iter().enumerate()) {
        table.codes(&format!("code_feature_{}", feature.name), nth(|event| &event.features, at));
    }
    let hmacs = events.iter().map(|event| event.and_then(|event| event.feature_hmac.as_ref()).map(|hmac| &hmac[..]));
    table.binaries("feature_hmac", 32, hmacs)?;
    table.integers("latency_us", of(|event| event.latency_us));
    table.integers("cost_micros", of(|event| event.cost_micros));
    table.integers("tokens_in", of(|event| event.tokens_in));
    table.integers("tokens_out", of(|event| event.tokens_out));
    let tallies: Vec<Option<&Tally>> = rows.iter().map(tally).collect();
    table.times("tally_hour", tallies.iter().map(|tally| tally.map(|tally| tally.hour)));
    table.texts("tally_kind", tallies.iter().map(|tally| tally.and_then(|tally| word(&tally.kind))));
    table.put(
        "tally_change",
        Arc::new(Int64Array::from_iter(tallies.iter().map(|tally| tally.map(|tally| tally.change)))),
    );
    Ok(())
}

/// Three lists side by side: class, its code, its confidence.
fn outputs(table: &mut Table, events: &[Option<&Prediction>], texts: &Texts) {
    let mut classes = ListBuilder::new(StringBuilder::new());
    let mut codes = ListBuilder::new(Int32Builder::new());
    let mut confidences = ListBuilder::new(Float64Builder::new());
    for event in events {
        for output in event.iter().flat_map(|event| &event.outputs) {
            classes.values().append_option(text(&texts.terms, Some(output.class)));
            codes.values().append_option(i32::try_from(output.class).ok());
            confidences.values().append_value(output.confidence_q as f64 / SCORE_ONE as f64);
        }
        classes.append(event.is_some());
        codes.append(event.is_some());
        confidences.append(event.is_some());
    }
    table.put("output_class", Arc::new(classes.finish()));
    table.put("output_class_code", Arc::new(codes.finish()));
    table.put("output_confidence", Arc::new(confidences.finish()));
}

fn outcomes(table: &mut Table, contract: Option<&ContractText>, rows: &[Row]) {
    let outcomes: Vec<Option<&Outcome>> = rows.iter().map(outcome).collect();
    let labels: Vec<_> = contract.iter().filter_map(|of| of.label.as_ref()).flat_map(|of| of.values.clone()).collect();
    table.integers("prediction", outcomes.iter().map(|outcome| outcome.map(|outcome| outcome.prediction)));
    let codes = || outcomes.iter().map(|outcome| outcome.map(|outcome| outcome.label));
    match contract.filter(|of| of.task == Task::Regression) {
        Some(regression) => table.quantised("label", codes(), regression.score.as_ref()),
        None => table.coded("label", codes().map(|code| u32::try_from(code?).ok()), &labels),
    }
    table.times("labelled_at", outcomes.iter().map(|outcome| outcome.map(|outcome| outcome.labelled_at)));
    table.integers("weight", outcomes.iter().map(|outcome| outcome.map(|outcome| outcome.weight)));
    table.integers("previous", outcomes.iter().map(|outcome| outcome.and_then(|outcome| outcome.previous)));
}

/// Columns on their way into a batch.
struct Table {
    columns: Vec<(String, ArrayRef)>,
}

impl Table {
    fn put(&mut self, name: &str, column: ArrayRef) {
        self.columns.push((name.to_owned(), column));
    }

    /// Counts and positions; far below 2^63, and signed, as all column stores know them.
    fn integers<T: Into<u64>>(&mut self, name: &str, values: impl Iterator<Item = Option<T>>) {
        let values = values.map(|value| value.map(|value| i64::try_from(value.into()).unwrap_or(i64::MAX)));
        self.put(name, Arc::new(Int64Array::from_iter(values)));
    }

    fn texts<T: AsRef<str>>(&mut self, name: &str, values: impl Iterator<Item = Option<T>>) {
        self.put(name, Arc::new(StringArray::from_iter(values)));
    }

    /// Microseconds, which all column stores know; the record has nanoseconds.
    fn times(&mut self, name: &str, values: impl Iterator<Item = Option<Time>>) {
        let times = TimestampMicrosecondArray::from_iter(values.map(|time| time.map(|time| time.0.div_euclid(1_000))));
        self.put(name, Arc::new(times.with_timezone("UTC")));
    }

    fn binaries<'a>(
        &mut self,
        name: &str,
        size: i32,
        values: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Result<(), ArrowError> {
        self.put(name, Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, size)?));
        Ok(())
    }

    /// Codes, and the texts that they stand for.
    fn coded(&mut self, name: &str, codes: impl Iterator<Item = Option<u32>>, texts: &[String]) {
        let codes: Vec<Option<u32>> = codes.collect();
        self.texts(name, codes.iter().map(|code| text(texts, *code)));
        self.codes(&format!("{name}_code"), codes.into_iter());
    }

    fn codes(&mut self, name: &str, codes: impl Iterator<Item = Option<u32>>) {
        let codes = codes.map(|code| code.and_then(|code| i32::try_from(code).ok()));
        self.put(name, Arc::new(Int32Array::from_iter(codes)));
    }

    /// Integers in 0..=2^32, and what they stand for within the contract's range.
    fn quantised(&mut self, name: &str, values: impl Iterator<Item = Option<u64>>, score: Option<&Score>) {
        let values: Vec<Option<u64>> = values.collect();
        let meant = values.iter().map(|q| {
            let (q, score) = q.zip(score)?;
            Some(score.min + q as f64 / SCORE_ONE as f64 * (score.max - score.min))
        });
        self.put(name, Arc::new(Float64Array::from_iter(meant)));
        self.integers(&format!("{name}_q"), values.into_iter());
    }
}

fn text(texts: &[String], code: Option<u32>) -> Option<&str> {
    texts.get(usize::try_from(code?).ok()?).map(String::as_str)
}

fn kind(record: &Record) -> &'static str {
    match record {
        Record::Pad => "pad",
        Record::Prediction(_) => "prediction",
        Record::Outcome(_) => "outcome",
        Record::Ledger(_) => "ledger",
        Record::Tally(_) => "tally",
    }
}

fn prediction(row: &Row) -> Option<&Prediction> {
    if let Record::Prediction(prediction) = &row.record { Some(prediction) } else { None }
}

fn outcome(row: &Row) -> Option<&Outcome> {
    if let Record::Outcome(outcome) = &row.record { Some(outcome) } else { None }
}

fn tally(row: &Row) -> Option<&Tally> {
    if let Record::Tally(tally) = &row.record { Some(tally) } else { None }
}

/// A ledger entry as JSON.
fn entry(row: &Row) -> Option<String> {
    if let Record::Ledger(entry) = &row.record { serde_json::to_string(entry).ok() } else { None }
}

/// A name as serde writes it.
fn word(of: &impl serde::Serialize) -> Option<String> {
    serde_json::to_value(of).ok()?.as_str().map(str::to_owned)
}
