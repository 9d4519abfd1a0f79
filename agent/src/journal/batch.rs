//! One durable batch over two files.
//!
//! Crash order: (1) the sidecar's transaction, (2) the journal's. A crash before (1) leaves neither; between them, the
//! sidecar has rows for positions that the journal does not reach. Every batch, the empty one of `open` included,
//! first deletes such rows: then an event is in both or in none. A commit that came through but was reported as failed
//! is found by the next batch, which starts from what is stored.

use super::head::{Head, Heads, zone_value};
use super::read;
use super::segment::Segment;
use super::sidecar::Sidecar;
use super::{StdRng, last_of};
use fedaudit_core::event::{self, LedgerEntry, Outcome, Prediction, Record, SALT_BYTES};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::merkle::{empty_root, leaf_hash};
use rand::Rng as _;

/// A batch that is being written; the caller holds the journal's lock.
pub(super) struct Batch<'a> {
    segments: &'a [Segment],
    last: &'a Segment,
    pub sidecar: &'a Sidecar,
    pub heads: &'a mut Heads,
    #[cfg(test)]
    stop: Option<Step>,
}

/// Before which step a test lets the batch die.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Sidecar,
    Journal,
    Answer,
}

impl<'a> Batch<'a> {
    pub fn begin(segments: &'a [Segment], sidecar: &'a Sidecar, heads: &'a mut Heads) -> Result<Self, Fault> {
        let last = last_of(segments)?;
        heads.refresh(segments)?;
        let batch = Batch {
            segments,
            last,
            sidecar,
            heads,
            #[cfg(test)]
            stop: None,
        };
        let begun = sidecar.db.begin().and_then(|()| last.db.begin()).and_then(|()| batch.sweep());
        if let Err(fault) = begun {
            batch.rollback();
            return Err(fault);
        }
        Ok(batch)
    }

    /// Deletes what a crash left in the sidecar.
    fn sweep(&self) -> Result<(), Fault> {
        for known in self.sidecar.contracts()? {
            self.sidecar.sweep(known.id, self.heads.size(&predictions_log(&known.key)))?;
        }
        Ok(())
    }

    /// Makes the batch durable, in the order above.
    pub fn commit(&mut self) -> Result<(), Fault> {
        for (name, head) in &mut self.heads.logs {
            if head.size != head.begun {
                self.last.set_head(head.id, head.size, &head.root())?;
                if let Some(key) = name.strip_prefix(PREDICTIONS) {
                    self.sidecar.advance(key, head.begun, head.size)?;
                }
                head.begun = head.size;
            }
        }
        #[cfg(test)]
        self.trip(Step::Sidecar)?;
        self.sidecar.db.commit()?;
        #[cfg(test)]
        self.trip(Step::Journal)?;
        self.last.db.commit()?;
        #[cfg(test)]
        self.trip(Step::Answer)?;
        Ok(())
    }

    pub fn rollback(&self) {
        self.last.db.rollback();
        self.sidecar.db.rollback();
    }

    pub fn size(&self, log: &str) -> u64 {
        self.heads.size(log)
    }

    /// Appends a record to a log, which begins with its first; the record's position.
    pub fn put(&mut self, log: &str, record: &Record, rng: &mut StdRng) -> Result<u64, Fault> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let bytes = event::encode_record(salt, record)
            .map_err(|error| Fault::new(Blame::Site, format!("a record of {log} {error}"), "report this"))?;
        if !self.heads.logs.contains_key(log) {
            let id = self.last.add_log(log, &empty_root())?;
            self.heads.logs.insert(log.to_owned(), Head::new(id));
        }
        let Some(head) = self.heads.logs.get_mut(log) else {
            return Err(Fault::new(Blame::Site, format!("{log} has no head"), "report this"));
        };
        let position = head.size;
        self.last.add_record(head.id, position, &bytes)?;
        match record {
            Record::Outcome(outcome) => self.last.add_labelled(head.id, outcome.prediction, position)?,
            Record::Ledger(LedgerEntry::ModelVersion { code, model, version, .. }) => {
                let model = (model.clone(), version.clone());
                if self.heads.models.len() != *code as usize {
                    let what = format!("model version {} {} has code {code}, out of turn", model.0, model.1);
                    return Err(Fault::new(Blame::Site, what, "report this"));
                }
                self.last.add_model(self.heads.models.len(), &model)?;
                self.heads.models.push(model);
            }
            _ => {}
        }
        if let Some(block) = head.push(leaf_hash(&bytes), zone_value(record)) {
            self.last.add_block(head.id, &block)?;
        }
        Ok(position)
    }

    /// The prediction at a position of a log.
    pub fn prediction(&self, log: &str, position: u64) -> Result<Prediction, Fault> {
        match self.record(log, position)? {
            Record::Prediction(prediction) => Ok(prediction),
            _ => Err(crate::db::damaged(&self.last.db.path, format!("{log}: record {position} is no prediction"))),
        }
    }

    /// The outcomes of a prediction, in the order of their log.
    pub fn outcomes(&self, log: &str, prediction: u64) -> Result<Vec<Outcome>, Fault> {
        let Some(head) = self.heads.logs.get(log) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for segment in self.segments {
            for position in segment.labelled(head.id, prediction)? {
                match self.record(log, position)? {
                    Record::Outcome(outcome) => found.push(outcome),
                    _ => {
                        let what = format!("{log}: record {position} is no outcome");
                        return Err(crate::db::damaged(&segment.db.path, what));
                    }
                }
            }
        }
        Ok(found)
    }

    fn record(&self, log: &str, position: u64) -> Result<Record, Fault> {
        let id = self.heads.logs.get(log).map_or(0, |head| head.id);
        let closed = self.segments.split_last().map_or(&[][..], |(_, closed)| closed);
        let segment = closed.iter().find(|segment| segment.end(id) > position).unwrap_or(self.last);
        let path = &segment.db.path;
        let bytes = segment.record(id, position)?;
        let bytes = bytes.ok_or_else(|| crate::db::damaged(path, format!("{log}: record {position} is missing")))?;
        read::decode_named(path, log, position, &bytes)
    }

    #[cfg(test)]
    pub fn stop_at(&mut self, step: Option<Step>) {
        self.stop = step;
    }

    #[cfg(test)]
    fn trip(&self, step: Step) -> Result<(), Fault> {
        if self.stop == Some(step) { Err(Fault::new(Blame::Site, "stopped by a test", "-")) } else { Ok(()) }
    }
}

/// The predictions log of a contract key.
pub(super) fn predictions_log(key: &str) -> String {
    format!("{PREDICTIONS}{key}")
}

/// What the names of predictions logs begin with.
pub(super) const PREDICTIONS: &str = "predictions/";
