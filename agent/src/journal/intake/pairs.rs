//! Requests and responses of an inference logger: a half waits in the sidecar until the other one comes.

use super::Intake;
use crate::db::damaged;
use crate::intake::pair::{self, Half, Said};
use crate::journal::StdRng;
use crate::journal::batch::Batch;
use crate::journal::events::{EventRow, RowResult, check_name};
use crate::journal::halves::{Half as Waiting, LABEL};
use crate::journal::ids::Kind;
use fedaudit_core::event::TallyKind;
use fedaudit_core::fault::Fault;
use fedaudit_core::time::Time;

impl Intake<'_> {
    /// Takes one side of the conversation `id`: journals its events if the other side waits, else lets it wait.
    pub(super) fn take_half(
        &mut self,
        batch: &mut Batch,
        id: &str,
        half: &Half,
        rng: &mut StdRng,
    ) -> Result<RowResult, Fault> {
        if half.instances() == 0 {
            self.count(half.at, TallyKind::Refused);
            return Ok(RowResult::Rejected("it holds no instance".to_owned()));
        }
        if let Err(reason) = check_name("id", &pair::name(id, half.instances(), half.instances())) {
            self.count(half.at, TallyKind::Refused);
            return Ok(RowResult::Rejected(reason));
        }
        if let Err(reason) = self.check_time("time", half.at) {
            self.count(half.at, TallyKind::Refused);
            return Ok(RowResult::Rejected(reason));
        }
        if let Some(result) = self.journaled(batch, id, half)? {
            return Ok(result);
        }
        for waiting in batch.sidecar.halves(self.known.id, id)? {
            if waiting.side == LABEL {
                continue;
            }
            let what = |error| damaged(&batch.sidecar.db.path, format!("a message that waits: {error}"));
            let other = Half::decode(&waiting.bytes).map_err(what)?;
            if other.key == half.key {
                self.count(half.at, TallyKind::Duplicate);
                return Ok(RowResult::Duplicate);
            }
            return match pair::join(id, half, &other) {
                Ok(rows) => self.paired(batch, &rows, &waiting, &other, rng),
                Err(reason) => Ok(self.conflict(half.at, reason)),
            };
        }
        batch.sidecar.add_half(
            self.known.id,
            id,
            (self.rules.count, self.rules.now),
            (half.side(), half.at.hour_start(), &half.encode()?),
        )?;
        self.count(half.at, alone(half));
        Ok(RowResult::Waiting)
    }

    /// What to say of a half whose conversation is journaled already; nothing if it is not.
    fn journaled(&mut self, batch: &mut Batch, id: &str, half: &Half) -> Result<Option<RowResult>, Fault> {
        let mut known = 0;
        for nth in 0..half.instances() {
            let ids = batch.ids()?;
            let name = pair::name(id, nth, half.instances());
            let Some(position) = ids.get(&ids.key(Kind::Event, self.known.id, name.as_bytes()))? else {
                known += usize::from(self.rules.sampling.is_some() && self.skipped_key(batch, &name)?.1);
                continue;
            };
            known += 1;
            let log = self.predictions.get(batch)?;
            if batch.is_gone(log, position) {
                return Ok(Some(RowResult::Rejected(super::gone(&name))));
            }
            let stored = batch.prediction(log, position)?;
            let version = batch.heads.dictionary.models.get(stored.model_version as usize);
            let event = EventRow {
                event_id: name,
                model_version: version.map(|model| model.version.clone()).unwrap_or_default(),
                decision: stored.decision,
                score_q: stored.score_q,
                attributes: stored.attributes.clone(),
                ..EventRow::default()
            };
            // Loggers say when they send, so that times of one conversation differ.
            let row = EventRow { occurred_at: stored.occurred_at, ..half.overlay(nth, event) };
            if let Some(field) = self.difference(batch, &stored, position, &row)? {
                let id = row.event_id.escape_debug();
                let reason = format!("event `{id}` is already journaled with another {field}");
                return Ok(Some(self.conflict(half.at, reason)));
            }
        }
        // A conversation is journaled with as many instances as it has: another number contradicts it.
        let instances = half.instances();
        let mut others = vec![pair::name(id, instances, instances.max(2))];
        if instances > 1 {
            others.push(id.to_owned());
        }
        if instances == 1 || known < instances && self.rules.sampling.is_none() {
            others.push(pair::name(id, 0, 2));
        }
        let ids = batch.ids()?;
        for name in others {
            if ids.get(&ids.key(Kind::Event, self.known.id, name.as_bytes()))?.is_some() {
                let reason = format!("`{}` is already journaled with another number of instances", id.escape_debug());
                return Ok(Some(self.conflict(half.at, reason)));
            }
        }
        if known > 0 {
            self.count(half.at, TallyKind::Duplicate);
            return Ok(Some(RowResult::Duplicate));
        }
        Ok(None)
    }

    /// Journals the events of a conversation that is whole.
    fn paired(
        &mut self,
        batch: &mut Batch,
        rows: &[EventRow],
        waiting: &Waiting,
        other: &Half,
        rng: &mut StdRng,
    ) -> Result<RowResult, Fault> {
        let mut refused = None;
        for row in rows {
            if let RowResult::Rejected(reason) = self.take_event(batch, row, rng)? {
                self.count(row.occurred_at, TallyKind::Refused);
                refused.get_or_insert(reason);
            }
        }
        batch.sidecar.drop_half(waiting.id)?;
        if waiting.counted {
            self.change(waiting.hour, alone(other), -1);
        }
        // Where there is no instance, nothing says when.
        self.count(rows.first().map_or(other.at, |row| row.occurred_at), TallyKind::Paired);
        Ok(refused.map_or(RowResult::Event { outcome: false }, RowResult::Rejected))
    }

    fn conflict(&mut self, at: Time, reason: String) -> RowResult {
        self.count(at, TallyKind::Conflicting);
        RowResult::Rejected(reason)
    }
}

/// How a half without its other is counted.
fn alone(half: &Half) -> TallyKind {
    match half.said {
        Said::Request(_) => TallyKind::RequestOnly,
        Said::Response(..) => TallyKind::ResponseOnly,
    }
}
