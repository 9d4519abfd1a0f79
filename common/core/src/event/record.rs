//! What one position of a journal's log holds.

use super::ABSENT;
use super::ledger::LedgerEntry;
use crate::codec::{self, CodecError};
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// First byte after a record's salt.
pub const RECORD_FORMAT: u8 = 3;
/// Bytes of a record's salt.
pub const SALT_BYTES: usize = 16;
/// The sampling tier of which every event is journaled.
pub const FULL_TIER: u32 = 0;

/// What one position of a journal log holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// Fills a block, so that a checkpoint can leave.
    Pad,
    /// A prediction.
    Prediction(Prediction),
    /// A late label.
    Outcome(Outcome),
    /// Something that the site did.
    Ledger(LedgerEntry),
    /// Something that intake saw; in the predictions log, so that the checkpoint that a release names pins it.
    Tally(Tally),
}

/// A prediction in codes of its contract. Texts of few values are codes that the ledger defines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// First 16 bytes of SHA-256(salt ‖ event id); the salt lives in the sidecar, so erasing it leaves a random token.
    pub event_token: [u8; 16],
    /// When the model decided.
    pub occurred_at: Time,
    /// Code of the model version, with its digest and that of its training data ([`LedgerEntry::ModelVersion`]).
    pub model_version: u32,
    /// Code of who asked ([`LedgerEntry::Term`]).
    pub caller: Option<u32>,
    /// Code of the risk tier that the caller names ([`LedgerEntry::Term`]).
    pub risk_tier: Option<u32>,
    /// Code of the sampling tier: [`FULL_TIER`], or one that [`LedgerEntry::Sampling`] defines.
    pub tier: u32,
    /// Its place in the contract, or [`ABSENT`].
    pub decision: u8,
    /// The score, quantised by [`super::quantise`].
    pub score_q: Option<u64>,
    /// The threshold that the score was held against, quantised likewise.
    pub threshold_q: Option<u64>,
    /// The model's likeliest outputs with their confidences, as it gave them.
    pub outputs: Vec<Output>,
    /// A code for each attribute of the contract, in its order.
    pub attributes: Vec<u16>,
    /// A code for each feature of the contract, in its order; empty where the event came without features.
    pub features: Vec<u16>,
    /// HMAC of the features' canonical form under keys of the sidecar; it can be matched until they are erased.
    pub feature_hmac: Option<[u8; 32]>,
    /// First 16 bytes of SHA-256(key ‖ subject) under a key of the sidecar: random without it, the same for all events
    /// of a subject.
    pub subject: Option<[u8; 16]>,
    /// How long the model took, microseconds.
    pub latency_us: Option<u64>,
    /// What the answer cost, millionths of the contract's currency.
    pub cost_micros: Option<u64>,
    /// Tokens read.
    pub tokens_in: Option<u64>,
    /// Tokens written.
    pub tokens_out: Option<u64>,
}

impl Default for Prediction {
    /// An event of which nothing is known.
    fn default() -> Self {
        Prediction {
            event_token: [0; 16],
            occurred_at: Time(0),
            model_version: 0,
            caller: None,
            risk_tier: None,
            tier: FULL_TIER,
            decision: ABSENT,
            score_q: None,
            threshold_q: None,
            outputs: Vec::new(),
            attributes: Vec::new(),
            features: Vec::new(),
            feature_hmac: None,
            subject: None,
            latency_us: None,
            cost_micros: None,
            tokens_in: None,
            tokens_out: None,
        }
    }
}

/// One output of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Code of its text ([`LedgerEntry::Term`]).
    pub class: u32,
    /// Its confidence from 0 to 1, as an integer in 0..=2^32.
    pub confidence_q: u64,
}

/// A late label of a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Position of the prediction in its log.
    pub prediction: u64,
    /// Its place in the contract, or in a regression the true value, quantised by [`super::quantise`].
    pub label: u64,
    /// When the label became known.
    pub labelled_at: Time,
    /// How many events this one stands for, where labels are a stratified sample; 1 else.
    pub weight: u32,
    /// Position of the outcome before it of the same prediction: a changed label points back to what it changes.
    pub previous: Option<u64>,
}

/// A change of one of intake's counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Start of the hour that is counted.
    pub hour: Time,
    /// What is counted.
    pub kind: TallyKind,
    /// By how much the count changes; below zero where what was counted turned out otherwise.
    pub change: i64,
}

/// What intake counts beside events and outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TallyKind {
    /// Requests and responses of an inference logger that found each other.
    Paired,
    /// Requests without response.
    RequestOnly,
    /// Responses without request.
    ResponseOnly,
    /// Messages that contradict an earlier one of the same id.
    Conflicting,
    /// Events left out by sampling.
    Sampled,
    /// Events that came again.
    Duplicate,
    /// Events of a window that was released already.
    Late,
    /// Events older than one before them of the same source.
    OutOfOrder,
    /// Sequence numbers of a source that never came.
    MissingSequence,
    /// Outcomes whose event is unknown.
    OutcomeWithoutEvent,
    /// Outcomes that changed an earlier label.
    ChangedOutcome,
    /// Messages refused: outside the contract, dated ahead, or beyond the horizon of ids.
    Refused,
    /// Hours in which a source that numbers its events sent none.
    SilentSource,
}

/// The bytes of a record.
///
/// # Errors
/// Never for a record of this program.
pub fn encode_record(salt: [u8; SALT_BYTES], record: &Record) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.extend(salt);
    bytes.push(RECORD_FORMAT);
    codec::encode_onto(&mut bytes, record)?;
    Ok(bytes)
}

/// Reads a record's bytes.
///
/// # Errors
/// A format this program does not know, or bytes that are no record.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    codec::decode(body(bytes)?)
}

/// Reads a record that this program wrote and whose bytes a block's root pins: [`decode_record`] without the second
/// look at whether they are the only encoding of their value.
///
/// # Errors
/// As [`decode_record`].
pub fn decode_own_record(bytes: &[u8]) -> Result<Record, CodecError> {
    codec::decode_own(body(bytes)?)
}

fn body(bytes: &[u8]) -> Result<&[u8], CodecError> {
    match bytes.split_at_checked(SALT_BYTES) {
        Some((_, [RECORD_FORMAT, body @ ..])) => Ok(body),
        Some((_, [format, ..])) => {
            Err(CodecError::Decode(format!("record format {format}; this program knows {RECORD_FORMAT}")))
        }
        _ => Err(CodecError::Decode(format!("a record of {} bytes", bytes.len()))),
    }
}

/// Room that most records fit into.
const RECORD_BYTES: usize = 192;
