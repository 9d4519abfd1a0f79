//! Whether what is said again is what is journaled.

use super::Intake;
use crate::journal::batch::Batch;
use crate::journal::events::EventRow;
use fedaudit_core::event::{Prediction, feature_hmac};
use fedaudit_core::fault::Fault;

impl Intake<'_> {
    /// Which field of a row differs from what is journaled.
    pub(super) fn difference(
        &self,
        batch: &mut Batch,
        stored: &Prediction,
        position: u64,
        row: &EventRow,
    ) -> Result<Option<String>, Fault> {
        let version = batch.heads.dictionary.models.get(stored.model_version as usize);
        let same_version = version.is_some_and(|m| m.model == self.contract.model && m.version == row.model_version);
        let fields = [
            ("occurred_at", stored.occurred_at == row.occurred_at),
            ("model version", same_version),
            ("decision", stored.decision == row.decision),
            ("score", stored.score_q == row.score_q),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, same)| !same) {
            return Ok(Some((*field).to_owned()));
        }
        let mut attributes = self.contract.attributes.iter().zip(stored.attributes.iter().zip(&row.attributes));
        if let Some((attribute, _)) = attributes.find(|(_, (a, b))| a != b) {
            return Ok(Some(format!("attribute `{}`", attribute.name)));
        }
        // What is said again must be the same; what is not said is not compared.
        let code = |text: &Option<String>| text.as_ref().map(|text| batch.heads.terms.get(text).copied());
        let said = |new: Option<Option<u32>>, old: Option<u32>| new.is_none_or(|code| code.is_some() && code == old);
        let number = |new: Option<u64>, old: Option<u64>| new.is_none() || new == old;
        let further = [
            ("caller", said(code(&row.caller), stored.caller)),
            ("risk tier", said(code(&row.risk_tier), stored.risk_tier)),
            ("threshold", number(row.threshold_q, stored.threshold_q)),
            ("latency", number(row.latency_us, stored.latency_us)),
            ("cost", number(row.cost_micros, stored.cost_micros)),
            ("number of tokens", number(row.tokens_in, stored.tokens_in) && number(row.tokens_out, stored.tokens_out)),
        ];
        if let Some((field, _)) = further.iter().find(|(_, same)| !same) {
            return Ok(Some((*field).to_owned()));
        }
        if row.canonical.is_none() && row.subject.is_none() {
            return Ok(None);
        }
        let Some(identity) = batch.identity(self.known.id, position)? else { return Ok(None) };
        if row.subject.is_some() && row.subject.as_ref() != identity.subject.as_ref().map(|subject| &subject.id) {
            return Ok(Some("subject".to_owned()));
        }
        let Some((canonical, hmac)) = row.canonical.zip(stored.feature_hmac) else { return Ok(None) };
        let key = identity.subject.map(|subject| subject.key);
        let same = feature_hmac(&identity.salt, key.as_ref(), &canonical) == hmac;
        Ok((!same).then(|| "set of features".to_owned()))
    }
}
