//! Writing an event that is new: its record, its codes, and what identifies it.

use super::Intake;
use crate::journal::StdRng;
use crate::journal::batch::Batch;
use crate::journal::events::EventRow;
use crate::journal::ids::Kind;
use crate::journal::segment::Model;
use fedaudit_core::event::{LedgerEntry, Output, Prediction, Record, feature_hmac, token};
use fedaudit_core::fault::Fault;
use rand::{Rng as _, RngExt as _};
use serde::Serialize;

/// [`crate::journal::sidecar::Identity`] of a row, without a copy of its texts.
#[derive(Serialize)]
struct IdentityRef<'a> {
    event_id: &'a str,
    salt: [u8; 16],
    subject: Option<SubjectRef<'a>>,
    explanation: Option<&'a str>,
    outcome: Option<u64>,
}

#[derive(Serialize)]
struct SubjectRef<'a> {
    id: &'a str,
    key: [u8; 16],
    previous: Option<u64>,
}

impl Intake<'_> {
    /// Journals an event that is new; its position.
    pub(super) fn add(&mut self, batch: &mut Batch, row: &EventRow, tier: u32, rng: &mut StdRng) -> Result<u64, Fault> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let subject = match &row.subject {
            Some(subject) => Some(self.subject(batch, subject, rng)?),
            None => None,
        };
        let mut outputs = Vec::with_capacity(row.outputs.len());
        for (class, confidence_q) in &row.outputs {
            outputs.push(Output { class: term(batch, class, rng)?, confidence_q: *confidence_q });
        }
        let prediction = Prediction {
            event_token: token(&salt, &row.event_id),
            occurred_at: row.occurred_at,
            model_version: self.version_code(batch, row, rng)?,
            caller: row.caller.as_ref().map(|caller| term(batch, caller, rng)).transpose()?,
            risk_tier: row.risk_tier.as_ref().map(|tier| term(batch, tier, rng)).transpose()?,
            tier,
            decision: row.decision,
            score_q: row.score_q,
            threshold_q: row.threshold_q,
            outputs,
            attributes: row.attributes.clone(),
            features: row.features.clone(),
            feature_hmac: row
                .canonical
                .map(|canonical| feature_hmac(&salt, subject.as_ref().map(|s| &s.key), &canonical)),
            subject: subject.as_ref().map(|subject| token(&subject.key, subject.id)),
            latency_us: row.latency_us,
            cost_micros: row.cost_micros,
            tokens_in: row.tokens_in,
            tokens_out: row.tokens_out,
        };
        let log = self.predictions.get(batch)?;
        let position = batch.put(log, &Record::Prediction(prediction), rng)?;
        if let Some(subject) = &subject {
            let ids = batch.ids()?;
            let key = ids.key(Kind::Subject, self.known.id, subject.id.as_bytes());
            ids.put_subject(key, position, subject.key);
        }
        let explanation = row.explanation.as_deref();
        // Written right after this one.
        let outcome = row.outcome.map(|_| batch.size(&self.outcomes.name));
        batch.identify(
            self.known.id,
            position,
            &IdentityRef { event_id: &row.event_id, salt, subject, explanation, outcome },
        )?;
        Ok(position)
    }

    /// The subject with their key, which is made at their first event.
    fn subject<'s>(&self, batch: &mut Batch, id: &'s str, rng: &mut StdRng) -> Result<SubjectRef<'s>, Fault> {
        let ids = batch.ids()?;
        let of = ids.key(Kind::Subject, self.known.id, id.as_bytes());
        let previous = ids.get(&of)?;
        let key = match (previous, ids.subject_key(&of)) {
            (Some(_), Some(key)) => key,
            (Some(at), None) => {
                let known = batch.identity(self.known.id, at)?.and_then(|identity| identity.subject);
                known.map_or_else(|| rng.random(), |subject| subject.key)
            }
            (None, _) => rng.random(),
        };
        Ok(SubjectRef { id, key, previous })
    }

    /// The code of a model version; the ledger defines it before its first use, in the same transaction.
    fn version_code(&mut self, batch: &mut Batch, row: &EventRow, rng: &mut StdRng) -> Result<u32, Fault> {
        let digests = [row.model_digest, row.dataset_digest];
        if let Some((code, version, known)) = &self.version
            && *version == row.model_version
            && *known == digests
        {
            return Ok(*code);
        }
        let model = &self.contract.model;
        let models = &batch.heads.dictionary.models;
        let same = |m: &Model| m.model == *model && m.version == row.model_version && [m.digest, m.dataset] == digests;
        let at = models.iter().position(same);
        let code = code_of(at.unwrap_or(models.len()));
        if at.is_none() {
            let (model, version) = (model.clone(), row.model_version.clone());
            let [digest, dataset] = digests;
            batch.put_ledger(LedgerEntry::ModelVersion { code, model, version, digest, dataset }, rng)?;
        }
        self.version = Some((code, row.model_version.clone(), digests));
        Ok(code)
    }
}

/// Whether the journal has codes left for the texts of a row: one sender that names each event anew must not keep others
/// from being heard.
pub(super) fn has_codes(batch: &Batch, row: &EventRow) -> Result<(), String> {
    let source = row.source.as_ref().map(|(source, _)| source);
    let texts = [row.caller.as_ref(), row.risk_tier.as_ref(), source].into_iter().flatten();
    let texts = texts.chain(row.outputs.iter().map(|(class, _)| class));
    let new = texts.filter(|text| !batch.heads.terms.contains_key(*text)).count();
    if new > 0 && batch.heads.dictionary.terms.len() + new > TERMS {
        let hint = "these are meant to have few values: send what names one event in `event_id` only";
        return Err(format!(
            "the journal would have more than {TERMS} sources, callers, risk tiers and classes of outputs; {hint}"
        ));
    }
    if batch.heads.dictionary.models.len() >= TERMS {
        return Err(format!("the journal has {TERMS} model versions; begin another home"));
    }
    Ok(())
}

/// The code of a text; the ledger defines it before its first use, in the same transaction.
pub(super) fn term(batch: &mut Batch, text: &str, rng: &mut StdRng) -> Result<u32, Fault> {
    if let Some(code) = batch.heads.terms.get(text) {
        return Ok(*code);
    }
    let code = code_of(batch.heads.dictionary.terms.len());
    batch.put_ledger(LedgerEntry::Term { code, text: text.to_owned() }, rng)?;
    Ok(code)
}

/// A place in a dictionary as a code; [`has_codes`] was asked.
fn code_of(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Different texts, and model versions, that a journal takes.
const TERMS: usize = 65_536;
