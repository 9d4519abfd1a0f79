//! Where logs go on: their sizes and open blocks.

use super::read;
use super::segment::{Block, LogRow, Segment};
use super::{BLOCK_LEVEL, last_of};
use crate::db::damaged;
use fedaudit_core::event::Record;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{Frontier, leaf_hash};
use std::collections::BTreeMap;

/// The heads of all logs, and the dictionary of model versions.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub logs: BTreeMap<String, Head>,
    /// Model and version by code.
    pub models: Vec<(String, String)>,
}

/// Where one log goes on.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub id: i64,
    pub size: u64,
    /// Size when the batch began.
    pub begun: u64,
    open: OpenBlock,
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
        self.models = last.models()?;
        for row in last.logs()? {
            match self.logs.get_mut(&row.name) {
                Some(head) if (head.id, head.size) == (row.id, row.size) && head.root() == row.tail => {
                    head.begun = head.size;
                }
                _ => {
                    let head = Head::stored(segments, &row)?;
                    self.logs.insert(row.name, head);
                }
            }
        }
        Ok(())
    }

    pub fn size(&self, log: &str) -> u64 {
        self.logs.get(log).map_or(0, |head| head.size)
    }
}

impl Head {
    /// A log without records.
    pub fn new(id: i64) -> Self {
        Head { id, size: 0, begun: 0, open: OpenBlock::default() }
    }

    /// Hashes the open block of a stored log.
    fn stored(segments: &[Segment], row: &LogRow) -> Result<Self, Fault> {
        let path = &last_of(segments)?.db.path;
        let mut open = OpenBlock::default();
        let start = row.size - row.size % BLOCK_RECORDS;
        read::scan(segments, row, start..row.size, &mut |position, bytes| {
            let zone = zone_value(&read::decode(path, row, position, bytes)?);
            // The open block has fewer than 1,024 records.
            open.push(leaf_hash(bytes), zone);
            Ok(())
        })?;
        if open.frontier.root() == row.tail {
            return Ok(Head { id: row.id, size: row.size, begun: row.size, open });
        }
        let what = format!("{}: the records {start} to {} do not hash to the stored root", row.name, row.size);
        Err(damaged(path, what))
    }

    /// Takes in the next record; its block, if that is now full.
    pub fn push(&mut self, leaf: Digest, zone: Option<i64>) -> Option<Block> {
        self.size += 1;
        let (root, zone) = self.open.push(leaf, zone)?;
        Some(Block { number: self.size / BLOCK_RECORDS - 1, root, zone })
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
