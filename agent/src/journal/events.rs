//! Taking in events: what is new, what is there already, and what contradicts it.

use super::batch::{Batch, PREDICTIONS, predictions_log};
use super::{Journal, LEDGER, StdRng};
use fedaudit_core::contract::{Contract, ContractText};
use fedaudit_core::event::{ABSENT, LedgerEntry, Outcome, Prediction, Record, SCORE_ONE, token};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::EVENT_ID_CHARS;
use fedaudit_core::time::Time;
use rand::Rng as _;

/// An event in codes of its contract, and its label if that is known. Texts of few values (callers, classes, tiers) are
/// still texts; the journal gives them codes. What identifies goes into the sidecar only.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// What the site calls the event; it goes into the sidecar only.
    pub event_id: String,
    /// When the model decided.
    pub occurred_at: Time,
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
    /// 0, 1 or [`ABSENT`].
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
    /// Label, 0 or 1, and when it became known.
    pub outcome: Option<(u8, Time)>,
}

impl Default for EventRow {
    /// An event of which nothing is known.
    fn default() -> Self {
        EventRow {
            event_id: String::new(),
            occurred_at: Time(0),
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

/// What became of an [`EventRow`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowResult {
    /// The event was new.
    Event {
        /// It came with a label.
        outcome: bool,
    },
    /// The event was there; its label was new.
    Outcome,
    /// All of it was there.
    Duplicate,
    /// It contradicts the contract or what is journaled, as the text says; nothing was written.
    Rejected(String),
}

impl Journal {
    /// Takes in a batch of events in one durable transaction; what became of each.
    ///
    /// An event id that is there already must come with the same content; a label that is there already is not
    /// written again. Rows of one batch obey the same rule.
    ///
    /// # Errors
    /// Nothing was written; or, where only the last step failed, all may have been: taking them in again counts
    /// nothing twice.
    pub fn record_events(
        &mut self,
        contract: &Contract,
        rows: &[EventRow],
        rng: &mut StdRng,
    ) -> Result<Vec<RowResult>, Fault> {
        self.record_events_and(contract, rows, rng, |_| None)
    }

    /// [`Journal::record_events`], and a ledger entry about it in the same transaction.
    ///
    /// # Errors
    /// As there.
    pub fn record_events_and(
        &mut self,
        contract: &Contract,
        rows: &[EventRow],
        rng: &mut StdRng,
        entry: impl FnOnce(&[RowResult]) -> Option<LedgerEntry>,
    ) -> Result<Vec<RowResult>, Fault> {
        self.write(|batch| {
            let mut intake = Intake::begin(batch, contract)?;
            let results = rows.iter().map(|row| intake.take(batch, row, rng)).collect::<Result<Vec<_>, _>>()?;
            if let Some(entry) = entry(&results) {
                batch.put(LEDGER, &Record::Ledger(entry), rng)?;
            }
            Ok(results)
        })
    }

    /// Position of the prediction called `event_id`, unless it is unknown or erased.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn position_of(&mut self, contract: &Contract, event_id: &str) -> Result<Option<u64>, Fault> {
        let key = key_of(contract);
        let size = self.size(&predictions_log(&key))?;
        let Some(known) = self.sidecar.contract(&key)? else { return Ok(None) };
        // Rows from the size on belong to a batch that is not durable yet, or never became so.
        Ok(self.sidecar.position(known.id, event_id)?.filter(|position| *position < size))
    }
}

/// What the rows of a batch have in common.
struct Intake<'a> {
    contract: &'a ContractText,
    /// Id of the contract in the sidecar.
    known: i64,
    predictions: String,
    outcomes: String,
}

impl<'a> Intake<'a> {
    fn begin(batch: &Batch, contract: &'a Contract) -> Result<Self, Fault> {
        let [predictions, outcomes] = contract.journal_logs();
        let key = key_of(contract);
        let size = batch.size(&predictions);
        let known = match batch.sidecar.contract(&key)? {
            Some(known) if known.size >= size => known.id,
            None if size == 0 => batch.sidecar.add_contract(&key)?,
            _ => {
                let path = batch.sidecar.db.path.display();
                let what = format!("{path} is older than the journal; it cannot tell events from duplicates");
                let hint = "put back the sidecar that belongs to this journal, or begin a new epoch of it";
                return Err(Fault::new(Blame::Operator, what, hint));
            }
        };
        Ok(Intake { contract, known, predictions, outcomes })
    }

    fn take(&mut self, batch: &mut Batch, row: &EventRow, rng: &mut StdRng) -> Result<RowResult, Fault> {
        if let Err(reason) = check(self.contract, row) {
            return Ok(RowResult::Rejected(reason));
        }
        let Some(position) = batch.sidecar.position(self.known, &row.event_id)? else {
            return self.take_new(batch, row, rng);
        };
        let stored = batch.prediction(&self.predictions, position)?;
        if let Some(field) = self.difference(batch, &stored, row) {
            let id = row.event_id.escape_debug();
            return Ok(RowResult::Rejected(format!("event `{id}` is already journaled with another {field}")));
        }
        let Some((label, labelled_at)) = row.outcome else { return Ok(RowResult::Duplicate) };
        let outcome = Outcome { prediction: position, label, labelled_at, weight: 1, previous: None };
        if batch.outcomes(&self.outcomes, position)?.contains(&outcome) {
            return Ok(RowResult::Duplicate);
        }
        batch.put(&self.outcomes, &Record::Outcome(outcome), rng)?;
        Ok(RowResult::Outcome)
    }

    fn take_new(&self, batch: &mut Batch, row: &EventRow, rng: &mut StdRng) -> Result<RowResult, Fault> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let prediction = Prediction {
            event_token: token(&salt, &row.event_id),
            occurred_at: row.occurred_at,
            model_version: self.version_code(batch, &row.model_version, rng)?,
            decision: row.decision,
            score_q: row.score_q,
            attributes: row.attributes.clone(),
            ..Prediction::default()
        };
        let position = batch.put(&self.predictions, &Record::Prediction(prediction), rng)?;
        batch.sidecar.add(self.known, position, &row.event_id, &salt)?;
        if let Some((label, labelled_at)) = row.outcome {
            let outcome = Outcome { prediction: position, label, labelled_at, weight: 1, previous: None };
            batch.put(&self.outcomes, &Record::Outcome(outcome), rng)?;
        }
        Ok(RowResult::Event { outcome: row.outcome.is_some() })
    }

    /// The code of a model version; the ledger defines it before its first use, in the same transaction.
    fn version_code(&self, batch: &mut Batch, version: &str, rng: &mut StdRng) -> Result<u32, Fault> {
        let model = &self.contract.model;
        let models = &batch.heads.models;
        let at = models.iter().position(|(m, v)| m == model && v == version);
        let code = u32::try_from(at.unwrap_or(models.len()))
            .map_err(|_| Fault::new(Blame::Site, "the journal has too many model versions", "report this"))?;
        if at.is_none() {
            let entry = LedgerEntry::ModelVersion {
                code,
                model: model.clone(),
                version: version.to_owned(),
                digest: None,
                dataset: None,
            };
            batch.put(LEDGER, &Record::Ledger(entry), rng)?;
        }
        Ok(code)
    }

    /// Which field of a row differs from what is journaled.
    fn difference(&self, batch: &Batch, stored: &Prediction, row: &EventRow) -> Option<String> {
        let version = batch.heads.models.get(stored.model_version as usize);
        let same_version = version.is_some_and(|(m, v)| *m == self.contract.model && *v == row.model_version);
        let fields = [
            ("occurred_at", stored.occurred_at == row.occurred_at),
            ("model version", same_version),
            ("decision", stored.decision == row.decision),
            ("score", stored.score_q == row.score_q),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, same)| !same) {
            return Some((*field).to_owned());
        }
        let mut attributes = self.contract.attributes.iter().zip(stored.attributes.iter().zip(&row.attributes));
        let other = attributes.find(|(_, (a, b))| a != b);
        other.map(|(attribute, _)| format!("attribute `{}`", attribute.name))
    }
}

/// Checks that a row's codes are codes of the contract.
pub fn check(contract: &ContractText, row: &EventRow) -> Result<(), String> {
    check_name("event_id", &row.event_id)?;
    check_name("model_version", &row.model_version)?;
    if row.decision > ABSENT {
        return Err(format!("decision code {} is outside the contract", row.decision));
    }
    if row.score_q.is_some_and(|q| q > SCORE_ONE || contract.score.is_none()) {
        return Err("the score is outside the contract".to_owned());
    }
    let mut codes = contract.attributes.iter().zip(&row.attributes);
    if row.attributes.len() != contract.attributes.len() || codes.any(|(a, code)| usize::from(*code) >= a.codes()) {
        return Err("the attribute codes are outside the contract".to_owned());
    }
    match row.outcome {
        Some((label, _)) if label >= ABSENT || contract.label.is_none() => {
            Err(format!("label code {label} is outside the contract"))
        }
        Some((_, labelled_at)) if labelled_at < row.occurred_at => {
            Err(format!("labelled_at {labelled_at} is before occurred_at {}", row.occurred_at))
        }
        _ => Ok(()),
    }
}

fn check_name(field: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{field} is blank"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{field} `{}` holds control characters", text.escape_debug()));
    }
    match text.chars().count() {
        count if count > EVENT_ID_CHARS => Err(format!("{field} has {count} characters; at most {EVENT_ID_CHARS}")),
        _ => Ok(()),
    }
}

/// `<contract>/<version>`.
fn key_of(contract: &ContractText) -> String {
    let [predictions, _] = contract.journal_logs();
    predictions.strip_prefix(PREDICTIONS).unwrap_or(&predictions).to_owned()
}
