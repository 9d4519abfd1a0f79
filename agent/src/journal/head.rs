//! Where logs go on: their sizes, open blocks, and records that are not written yet.

use super::chunk::{self, CHUNK_BYTES};
use super::read;
use super::segment::{Block, Dictionary, LogRow, Segment};
use super::{BLOCK_LEVEL, last_of};
use crate::db::damaged;
use fedaudit_core::codec;
use fedaudit_core::event::{RECORD_FORMAT, Record, SALT_BYTES};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{Frontier, leaf_hash};
use std::collections::HashMap;

/// The heads of all logs, and what codes mean.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub logs: Vec<Head>,
    pub dictionary: Dictionary,
    /// Codes of the dictionary's terms.
    pub terms: HashMap<String, u32>,
}

/// Where one log goes on.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub id: i64,
    pub name: String,
    pub size: u64,
    /// Size when the batch began.
    pub begun: u64,
    open: OpenBlock,
    /// The last records, not written yet.
    pending: Vec<u8>,
    pending_first: u64,
}

/// A block that is not full.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenBlock {
    frontier: Frontier,
    zone: Option<(i64, i64)>,
}

impl Heads {
    /// Takes over what is stored, hashing the open block of every log that has moved since.
    pub fn refresh(&mut self, segments: &[Segment]) -> Result<(), Fault> {
        let last = last_of(segments)?;
        let mut moved = self.logs.is_empty();
        for row in last.logs()? {
            match self.logs.iter_mut().find(|head| head.name == row.name) {
                Some(head) if (head.id, head.size) == (row.id, row.size) && head.root() == row.tail => {
                    head.begun = head.size;
                }
                Some(head) => {
                    *head = Head::stored(segments, &row)?;
                    moved = true;
                }
                None => {
                    self.logs.push(Head::stored(segments, &row)?);
                    moved = true;
                }
            }
        }
        // Whoever defined a code wrote to the ledger.
        if moved {
            self.dictionary = last.dictionary()?;
            self.terms = self.dictionary.terms.iter().cloned().zip(0..).collect();
        }
        Ok(())
    }

    pub fn find(&self, log: &str) -> Option<usize> {
        self.logs.iter().position(|head| head.name == log)
    }

    pub fn size(&self, log: &str) -> u64 {
        self.find(log).and_then(|at| self.logs.get(at)).map_or(0, |head| head.size)
    }
}

impl Head {
    /// A log without records.
    pub fn new(id: i64, name: &str) -> Self {
        let (open, pending) = (OpenBlock::default(), Vec::new());
        Head { id, name: name.to_owned(), size: 0, begun: 0, open, pending, pending_first: 0 }
    }

    /// Hashes the open block of a stored log.
    fn stored(segments: &[Segment], row: &LogRow) -> Result<Self, Fault> {
        let path = &last_of(segments)?.db.path;
        let mut head = Head::new(row.id, &row.name);
        let start = row.size - row.size % BLOCK_RECORDS;
        read::scan(segments, row, start..row.size, &mut |position, bytes| {
            let zone = zone_value(&read::decode(path, row, position, bytes)?);
            // The open block has fewer than 1,024 records.
            head.open.push(leaf_hash(bytes), zone);
            Ok(())
        })?;
        (head.size, head.begun) = (row.size, row.size);
        if head.root() == row.tail {
            return Ok(head);
        }
        let what = format!("{}: the records {start} to {} do not hash to the stored root", row.name, row.size);
        Err(damaged(path, what))
    }

    /// Appends a record; its position.
    pub fn append(&mut self, last: &Segment, salt: [u8; SALT_BYTES], record: &Record) -> Result<u64, Fault> {
        let position = self.size;
        if self.pending.is_empty() {
            self.pending_first = position;
        }
        let name = &self.name;
        let written = chunk::push::<Fault>(&mut self.pending, |bytes| {
            bytes.extend(salt);
            bytes.push(RECORD_FORMAT);
            codec::encode_onto(bytes, record)
                .map_err(|error| Fault::new(Blame::Site, format!("a record of {name} {error}"), "report this"))
        })?;
        let leaf = leaf_hash(self.pending.get(written).unwrap_or_default());
        self.size += 1;
        if let Some((root, zone)) = self.open.push(leaf, zone_value(record)) {
            last.add_block(self.id, &Block { number: self.size / BLOCK_RECORDS - 1, root, zone })?;
        }
        if self.pending.len() >= CHUNK_BYTES {
            self.flush(last)?;
        }
        Ok(position)
    }

    /// Writes the records that are pending.
    pub fn flush(&mut self, last: &Segment) -> Result<(), Fault> {
        if !self.pending.is_empty() {
            last.add_chunk(self.id, self.pending_first, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }

    /// Root over the records of the open block.
    pub fn root(&self) -> Digest {
        self.open.frontier.root()
    }
}

impl OpenBlock {
    /// Takes in the next record; the root and zone of the block, if that is now full.
    pub fn push(&mut self, leaf: Digest, zone: Option<i64>) -> Option<(Digest, Option<(i64, i64)>)> {
        self.frontier.push(leaf);
        if let Some(at) = zone {
            let (low, high) = self.zone.unwrap_or((at, at));
            self.zone = Some((low.min(at), high.max(at)));
        }
        if self.frontier.size() >> BLOCK_LEVEL == 0 {
            return None;
        }
        let full = std::mem::take(self);
        Some((full.frontier.root(), full.zone))
    }

    pub fn root(&self) -> Digest {
        self.frontier.root()
    }
}

/// What a zone map holds of a record.
pub(super) fn zone_value(record: &Record) -> Option<i64> {
    match record {
        Record::Prediction(prediction) => Some(prediction.occurred_at.0),
        Record::Outcome(outcome) => Some(crate::db::int(outcome.prediction)),
        Record::Tally(tally) => Some(tally.hour.0),
        Record::Pad | Record::Ledger(_) => None,
    }
}
