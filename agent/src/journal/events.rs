//! What is handed to the journal: events and labels in codes of their contract, and what became of them.

use crate::intake::pair::Half;
use fedaudit_core::contract::ContractText;
use fedaudit_core::event::{ABSENT, SCORE_ONE, Sides};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::{EVENT_ID_CHARS, OUTPUTS};
use fedaudit_core::time::Time;

/// An event in codes of its contract, and its label if that is known. Texts of few values (callers, classes, tiers) are
/// still texts; the journal gives them codes. What identifies goes into the sidecar only.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// What the site calls the event; it goes into the sidecar only.
    pub event_id: String,
    /// When the model decided.
    pub occurred_at: Time,
    /// What sent it, and the number that the source gave it; no number is given twice.
    pub source: Option<(String, u64)>,
    /// Version of the contract's model.
    pub model_version: String,
    /// SHA-256 of the model, if the source tells it.
    pub model_digest: Option<Digest>,
    /// SHA-256 of the manifest of the data that it was trained on, if the source tells it.
    pub dataset_digest: Option<Digest>,
    /// Who asked for the prediction.
    pub caller: Option<String>,
    /// Risk tier that the caller names.
    pub risk_tier: Option<String>,
    /// Its place in the contract, or [`ABSENT`].
    pub decision: u8,
    /// The score, quantised over the contract's range.
    pub score_q: Option<u64>,
    /// The threshold that the score was held against, quantised likewise.
    pub threshold_q: Option<u64>,
    /// The likeliest outputs, each with its confidence from 0 to 1 as an integer in 0..=2^32.
    pub outputs: Vec<(String, u64)>,
    /// A code for each attribute of the contract, in its order.
    pub attributes: Vec<u16>,
    /// A code for each feature of the contract, in its order; empty where the event came without features.
    pub features: Vec<u16>,
    /// SHA-256 of the features in canonical form, if the event came with features.
    pub canonical: Option<[u8; 32]>,
    /// The person concerned, as the site calls them; it goes into the sidecar only.
    pub subject: Option<String>,
    /// Where an explanation of the prediction lies; it goes into the sidecar only.
    pub explanation: Option<String>,
    /// How long the model took, microseconds.
    pub latency_us: Option<u64>,
    /// What the answer cost, millionths of the contract's currency.
    pub cost_micros: Option<u64>,
    /// Tokens read.
    pub tokens_in: Option<u64>,
    /// Tokens written.
    pub tokens_out: Option<u64>,
    /// Label ([`fedaudit_core::event::label_code`]), and when it became known.
    pub outcome: Option<(u64, Time)>,
}

impl Default for EventRow {
    /// An event of which nothing is known.
    fn default() -> Self {
        EventRow {
            event_id: String::new(),
            occurred_at: Time(0),
            source: None,
            model_version: String::new(),
            model_digest: None,
            dataset_digest: None,
            caller: None,
            risk_tier: None,
            decision: ABSENT,
            score_q: None,
            threshold_q: None,
            outputs: Vec::new(),
            attributes: Vec::new(),
            features: Vec::new(),
            canonical: None,
            subject: None,
            explanation: None,
            latency_us: None,
            cost_micros: None,
            tokens_in: None,
            tokens_out: None,
            outcome: None,
        }
    }
}

/// A label of an event that may be journaled already.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRow {
    /// What the site calls the event.
    pub event_id: String,
    /// Its code ([`fedaudit_core::event::label_code`]).
    pub label: u64,
    /// When it became known.
    pub labelled_at: Time,
    /// How many events this one stands for, where labels are a stratified sample; 1 else.
    pub weight: u32,
}

/// One thing to take in.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// An event, perhaps with its label.
    Event(&'a EventRow),
    /// A label.
    Label(&'a LabelRow),
    /// One side of a conversation that an inference logger saw, and what the conversation is called.
    Half(&'a str, &'a Half),
    /// Something that could not be read, when, and why: it is counted.
    Refused(Time, &'a str),
}

/// What became of an [`Item`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowResult {
    /// The event was new.
    Event {
        /// It came with a label.
        outcome: bool,
    },
    /// The event was there; its label was new.
    Outcome,
    /// The event was left out by sampling, and counted.
    Sampled,
    /// The event of the label is unknown; the label waits for it.
    Waiting,
    /// All of it was there.
    Duplicate,
    /// It contradicts the contract or what is journaled, as the text says; nothing was written.
    Rejected(String),
}

/// Checks that a row's codes are codes of the contract.
pub fn check(contract: &ContractText, row: &EventRow) -> Result<(), String> {
    check_name("event_id", &row.event_id)?;
    check_name("model_version", &row.model_version)?;
    if Sides::of(contract).decision(row.decision).is_none() {
        return Err(format!("decision code {} is outside the contract", row.decision));
    }
    if [row.score_q, row.threshold_q].into_iter().flatten().any(|q| q > SCORE_ONE || contract.score.is_none()) {
        return Err("the score or its threshold is outside the contract".to_owned());
    }
    if let Some((source, number)) = &row.source {
        check_name("source", source)?;
        if i64::try_from(*number).is_err() {
            return Err(format!("sequence {number}; at most {}", i64::MAX));
        }
    }
    for text in [&row.caller, &row.risk_tier, &row.subject].into_iter().flatten() {
        check_name("caller, risk_tier or subject", text)?;
    }
    if row.explanation.as_ref().is_some_and(|text| text.is_empty() || text.len() > EXPLANATION_BYTES) {
        return Err(format!("explanation is blank or has more than {EXPLANATION_BYTES} bytes"));
    }
    if row.outputs.len() > OUTPUTS || row.outputs.iter().any(|(_, confidence)| *confidence > SCORE_ONE) {
        return Err(format!("at most {OUTPUTS} outputs, with confidences from 0 to 1"));
    }
    row.outputs.iter().try_for_each(|(class, _)| check_name("class of an output", class))?;
    let mut codes = contract.attributes.iter().zip(&row.attributes);
    if row.attributes.len() != contract.attributes.len() || codes.any(|(a, code)| usize::from(*code) >= a.codes()) {
        return Err("the attribute codes are outside the contract".to_owned());
    }
    match row.outcome {
        Some((label, labelled_at)) => check_label(contract, label, labelled_at, row.occurred_at),
        None => Ok(()),
    }
}

/// Checks the label of an event that occurred at `occurred_at`.
pub(super) fn check_label(
    contract: &ContractText,
    label: u64,
    labelled_at: Time,
    occurred_at: Time,
) -> Result<(), String> {
    if contract.label.is_none() || Sides::of(contract).label(Some(label)).is_none() {
        return Err(format!("label code {label} is outside the contract"));
    }
    if labelled_at < occurred_at {
        return Err(format!("labelled_at {labelled_at} is before occurred_at {occurred_at}"));
    }
    Ok(())
}

pub(super) fn check_name(field: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{field} is blank"));
    }
    if text.len() <= EVENT_ID_CHARS && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{field} `{}` holds control characters", text.escape_debug()));
    }
    match text.chars().count() {
        count if count > EVENT_ID_CHARS => Err(format!("{field} has {count} characters; at most {EVENT_ID_CHARS}")),
        _ => Ok(()),
    }
}

/// Bytes of the place of an explanation: 1,000 characters.
const EXPLANATION_BYTES: usize = 4_000;
