//! One durable batch over two files.
//!
//! Crash order: (1) the sidecar's transaction, (2) the journal's. A crash before (1) leaves neither; between them, the
//! sidecar names events at positions that the journal does not reach. Every batch, the empty one of `open` included,
//! first deletes what is said of such positions: then an event is in both or in none. A commit that came through but was
//! reported as failed is found by the next batch, which starts from what is stored.

use super::chunk;
use super::head::{Head, Heads};
use super::ids::{Ids, Kind};
use super::read;
use super::segment::{Model, Segment};
use super::sidecar::{Around, Identity, Known, Pending, Sidecar};
use super::{StdRng, last_of};
use fedaudit_core::event::{LedgerEntry, Outcome, Prediction, Record, SALT_BYTES};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::merkle::empty_root;
use rand::Rng as _;
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;

/// A batch that is being written; the caller holds the journal's lock.
pub(super) struct Batch<'a> {
    pub segments: &'a [Segment],
    last: &'a Segment,
    pub sidecar: &'a Sidecar,
    pub heads: &'a mut Heads,
    ids: &'a mut IdsAt,
    identities: Pending,
    /// The chunk that was read last: what comes again mostly comes in the order in which it came.
    recent: Option<Recent>,
    /// And the chunk of identities, with their contract.
    known: Option<(i64, Around)>,
    #[cfg(test)]
    stop: Option<Step>,
}

/// The ids, if they have been read, and where they lie.
#[derive(Debug)]
pub(super) struct IdsAt {
    pub folder: PathBuf,
    pub open_limit: usize,
    pub ids: Option<Ids>,
}

/// Records of one chunk.
struct Recent {
    log: i64,
    first: u64,
    bytes: Vec<u8>,
    /// Where each record stands in them.
    records: Vec<Range<usize>>,
}

impl Recent {
    fn record(&self, log: i64, position: u64) -> Option<&[u8]> {
        let at = usize::try_from(position.checked_sub(self.first).filter(|_| self.log == log)?).ok()?;
        self.bytes.get(self.records.get(at)?.clone())
    }
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
    pub fn begin(
        segments: &'a [Segment],
        sidecar: &'a Sidecar,
        heads: &'a mut Heads,
        ids: &'a mut IdsAt,
    ) -> Result<Self, Fault> {
        let last = last_of(segments)?;
        heads.refresh(segments)?;
        let batch = Batch {
            segments,
            last,
            sidecar,
            heads,
            ids,
            identities: Pending::default(),
            recent: None,
            known: None,
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

    /// Deletes what a crash left in the sidecar. Runs of ids that reach beyond the journal are of a later one that was
    /// put back: they would find records that are not there, or are others by now.
    fn sweep(&self) -> Result<(), Fault> {
        for known in self.sidecar.contracts()? {
            let sizes = [predictions_log(&known.key), outcomes_log(&known.key)].map(|log| self.heads.size(&log));
            if known.indexed[0] > sizes[0] || known.indexed[1] > sizes[1] {
                self.sidecar.forget_runs()?;
            }
            self.sidecar.sweep(known.id, sizes[0])?;
        }
        Ok(())
    }

    /// Makes the batch durable, in the order above.
    pub fn commit(&mut self) -> Result<(), Fault> {
        self.sidecar.flush(&mut self.identities)?;
        for head in &mut self.heads.logs {
            if head.size != head.begun {
                head.flush(self.last)?;
                self.last.set_head(head.id, head.size, &head.root())?;
                if let Some(key) = head.name.strip_prefix(PREDICTIONS) {
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

    /// The place of a log among the heads; it begins, if it has not.
    pub fn log(&mut self, name: &str) -> Result<usize, Fault> {
        if let Some(at) = self.heads.find(name) {
            return Ok(at);
        }
        let id = self.last.add_log(name, &empty_root())?;
        self.heads.logs.push(Head::new(id, name));
        Ok(self.heads.logs.len() - 1)
    }

    /// Appends a record to a log; its position.
    pub fn put(&mut self, log: usize, record: &Record, rng: &mut StdRng) -> Result<u64, Fault> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let head = self.heads.logs.get_mut(log);
        let head = head.ok_or_else(|| Fault::new(Blame::Site, format!("log {log} has no head"), "report this"))?;
        head.append(self.last, salt, record)
    }

    /// Appends to the ledger; codes that the entry defines are known from here on.
    pub fn put_ledger(&mut self, entry: LedgerEntry, rng: &mut StdRng) -> Result<(), Fault> {
        let log = self.log(super::LEDGER)?;
        let record = Record::Ledger(entry);
        self.put(log, &record, rng)?;
        let Record::Ledger(entry) = record else { return Ok(()) };
        let dictionary = &mut self.heads.dictionary;
        let turn = |code: u32, due: usize| {
            let what = format!("the ledger gives code {code} out of turn");
            if code as usize == due { Ok(()) } else { Err(Fault::new(Blame::Site, what, "report this")) }
        };
        match entry {
            LedgerEntry::ModelVersion { code, model, version, digest, dataset } => {
                turn(code, dictionary.models.len())?;
                let model = Model { model, version, digest, dataset };
                self.last.add_model(code, &model)?;
                dictionary.models.push(model);
            }
            LedgerEntry::Term { code, text } => {
                turn(code, dictionary.terms.len())?;
                self.last.add_term(code, &text)?;
                self.heads.terms.insert(text.clone(), code);
                dictionary.terms.push(text);
            }
            LedgerEntry::Sampling { tier, one_in, .. } => {
                turn(tier, dictionary.tiers.len() + 1)?;
                self.last.add_tier(tier, one_in)?;
                dictionary.tiers.push(one_in);
            }
            _ => {}
        }
        Ok(())
    }

    /// The ids that are known, read if they have not been, or if another program has written runs since.
    pub fn ids(&mut self) -> Result<&mut Ids, Fault> {
        match &mut self.ids.ids {
            Some(ids) => Ok(ids),
            none => {
                let load = || Ids::load(&self.ids.folder, self.sidecar, self.ids.open_limit);
                let ids = match load() {
                    Ok(ids) => ids,
                    // A file is lost or damaged; all that it said stands elsewhere.
                    Err(_) => {
                        self.sidecar.forget_runs()?;
                        load()?
                    }
                };
                ids.clear_strays();
                Ok(none.insert(ids))
            }
        }
    }

    /// Takes up the ids of what is journaled under a contract version and not known yet.
    pub fn cover(&mut self, known: &Known) -> Result<(), Fault> {
        let outcomes = outcomes_log(&known.key);
        let sizes = [self.size(&predictions_log(&known.key)), self.size(&outcomes)];
        let (sidecar, segments, last) = (self.sidecar, self.segments, self.last);
        if let Some(ids) = &self.ids.ids
            && ids.is_stale(sidecar)?
        {
            self.ids.ids = None;
        }
        let ids = self.ids()?;
        let covered = ids.covered.get(&known.id).copied().unwrap_or_default();
        let mut from = covered[0];
        while from < sizes[0] {
            let to = sizes[0].min(from + COVERED_AT_ONCE);
            sidecar.identities(known.id, &(from..to), &mut |position, identity| {
                ids.put(ids.key(Kind::Event, known.id, identity.event_id.as_bytes()), position);
                if let Some(subject) = &identity.subject {
                    ids.put_subject(ids.key(Kind::Subject, known.id, subject.id.as_bytes()), position, subject.key);
                }
                Ok(())
            })?;
            // All runs may be made again here, and they do not fit into memory.
            ids.covered.insert(known.id, [to, covered[1]]);
            ids.seal_if_full(sidecar)?;
            from = to;
        }
        if let Some(row) = last.log(&outcomes)? {
            // What has left the journal is refused before its labels are looked for.
            let gone = super::sealed::gone(segments, &outcomes)?;
            let mut from = gone.iter().fold(covered[1], |from, (_, range)| from.max(range.end));
            let mut around = Around::default();
            while from < sizes[1] {
                let to = sizes[1].min(from + COVERED_AT_ONCE);
                read::scan(segments, &row, from..to, &mut |position, bytes| {
                    let Record::Outcome(outcome) = read::decode(&last.db.path, &row, position, bytes)? else {
                        return Ok(());
                    };
                    let prediction = outcome.prediction;
                    if !around.covers(prediction) {
                        around = sidecar.around(known.id, prediction)?;
                    }
                    let identity = around.identity(sidecar, prediction)?;
                    if identity.and_then(|identity| identity.outcome) != Some(position) {
                        ids.put(ids.key(Kind::Label, known.id, &prediction.to_be_bytes()), position);
                    }
                    Ok(())
                })?;
                ids.covered.insert(known.id, [sizes[0], to]);
                ids.seal_if_full(sidecar)?;
                from = to;
            }
        }
        ids.covered.insert(known.id, sizes);
        Ok(())
    }

    /// Adds what identifies the event at a position.
    pub fn identify(&mut self, contract: i64, position: u64, identity: &impl Serialize) -> Result<(), Fault> {
        self.sidecar.add(&mut self.identities, contract, position, identity)
    }

    /// What identifies the event at a position; nothing if it was erased.
    pub fn identity(&mut self, contract: i64, position: u64) -> Result<Option<Identity>, Fault> {
        self.sidecar.flush(&mut self.identities)?;
        if !self.known.as_ref().is_some_and(|(of, known)| *of == contract && known.covers(position)) {
            self.known = Some((contract, self.sidecar.around(contract, position)?));
        }
        self.known.as_ref().map_or(Ok(None), |(_, known)| known.identity(self.sidecar, position))
    }

    /// The prediction at a position of a log.
    pub fn prediction(&mut self, log: usize, position: u64) -> Result<Prediction, Fault> {
        match self.record(log, position)? {
            Record::Prediction(prediction) => Ok(prediction),
            _ => Err(crate::db::damaged(&self.last.db.path, format!("record {position} is no prediction"))),
        }
    }

    /// The outcome at a position of a log.
    pub fn outcome(&mut self, log: usize, position: u64) -> Result<Outcome, Fault> {
        match self.record(log, position)? {
            Record::Outcome(outcome) => Ok(outcome),
            _ => Err(crate::db::damaged(&self.last.db.path, format!("record {position} is no outcome"))),
        }
    }

    /// Whether a record has left the journal.
    pub fn is_gone(&self, log: usize, position: u64) -> bool {
        let Some(head) = self.heads.logs.get(log) else { return false };
        let closed = self.segments.split_last().map_or(&[][..], |(_, closed)| closed);
        closed.iter().find(|segment| segment.end(head.id) > position).is_some_and(|segment| segment.gone)
    }

    fn record(&mut self, log: usize, position: u64) -> Result<Record, Fault> {
        let head = self.heads.logs.get_mut(log);
        let head = head.ok_or_else(|| Fault::new(Blame::Site, format!("log {log} has no head"), "report this"))?;
        let closed = self.segments.split_last().map_or(&[][..], |(_, closed)| closed);
        let segment = closed.iter().find(|segment| segment.end(head.id) > position).unwrap_or(self.last);
        let path = &segment.db.path;
        if self.recent.as_ref().is_none_or(|recent| recent.record(head.id, position).is_none()) {
            head.flush(self.last)?;
            self.recent = segment.chunk(head.id, position)?.map(|(first, bytes)| {
                let mut end = 0;
                let lengths = chunk::each(&bytes).map_while(|record| record.map(<[u8]>::len));
                let records = lengths.map(|length| {
                    end += chunk::LENGTH_BYTES + length;
                    end - length..end
                });
                let records = records.collect();
                Recent { log: head.id, first, bytes, records }
            });
        }
        let bytes = self.recent.as_ref().and_then(|recent| recent.record(head.id, position));
        let missing = || crate::db::damaged(path, format!("{}: record {position} is missing", head.name));
        read::decode_named(path, &head.name, position, bytes.ok_or_else(missing)?)
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

/// Positions of which the ids are taken up at once.
const COVERED_AT_ONCE: u64 = 100_000;

/// The predictions log of a contract key.
pub(super) fn predictions_log(key: &str) -> String {
    format!("{PREDICTIONS}{key}")
}

/// The outcomes log of a contract key.
pub(super) fn outcomes_log(key: &str) -> String {
    format!("{OUTCOMES}{key}")
}

/// What the names of predictions logs begin with.
pub(super) const PREDICTIONS: &str = "predictions/";
/// What the names of outcomes logs begin with.
pub(super) const OUTCOMES: &str = "outcomes/";
