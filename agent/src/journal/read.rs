//! Reading: only blocks whose zone can hold what is asked for. No lock is needed, for records never change.

use super::sealed::missing;
use super::segment::{Block, LogRow, Segment, Visit};
use super::{Journal, LEDGER, last_of};
use crate::db::damaged;
use fedaudit_core::contract::ContractText;
use fedaudit_core::event::{self, LedgerEntry, Outcome, Prediction, Record, Tally, Tier};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::time::{Time, Window};
use std::ops::Range;
use std::path::Path;

/// What a window of a predictions log holds.
pub enum Seen<'a> {
    /// An event.
    Prediction(&'a Prediction),
    /// A change of one of intake's counts.
    Tally(&'a Tally),
}

impl Journal {
    /// Hands the predictions of `window` below position `below`, and the tallies of its hours, to `f`, in the order of the
    /// log.
    ///
    /// # Errors
    /// `below` is above the log's size, the journal is damaged, or what `f` fails with.
    pub fn predictions_in(
        &mut self,
        contract: &ContractText,
        window: Window,
        below: u64,
        mut f: impl FnMut(u64, Seen) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let [log, _] = contract.journal_logs();
        let last = window.end.0.saturating_sub(1);
        self.scan_zone(&log, below, (window.start.0, last), |position, record| match record {
            Record::Prediction(prediction) if window.contains(prediction.occurred_at) => {
                f(position, Seen::Prediction(&prediction))
            }
            Record::Tally(tally) if window.contains(tally.hour) => f(position, Seen::Tally(&tally)),
            Record::Prediction(_) | Record::Tally(_) | Record::Pad => Ok(()),
            _ => Err(misplaced(&log, position)),
        })
    }

    /// Hands the outcomes below position `below` that label a prediction of the range `predictions`, and were labelled
    /// until `labelled_until`, to `f`, in the order of the log.
    ///
    /// # Errors
    /// As [`Journal::predictions_in`].
    pub fn outcomes_for(
        &mut self,
        contract: &ContractText,
        predictions: Range<u64>,
        below: u64,
        labelled_until: Time,
        mut f: impl FnMut(u64, &Outcome) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let [_, log] = contract.journal_logs();
        let zone = (crate::db::int(predictions.start), crate::db::int(predictions.end.saturating_sub(1)));
        self.scan_zone(&log, below, zone, |position, record| match record {
            Record::Outcome(outcome) => {
                let counts = predictions.contains(&outcome.prediction) && outcome.labelled_at <= labelled_until;
                if counts { f(position, &outcome) } else { Ok(()) }
            }
            Record::Pad => Ok(()),
            _ => Err(misplaced(&log, position)),
        })
    }

    /// Hands all ledger entries to `f`, in order.
    ///
    /// # Errors
    /// The journal is damaged, or what `f` fails with.
    pub fn ledger(&mut self, f: impl FnMut(u64, LedgerEntry) -> Result<(), Fault>) -> Result<(), Fault> {
        self.ledger_from(0, f)
    }

    /// As [`Journal::ledger`], from a position on.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn ledger_from(
        &mut self,
        from: u64,
        mut f: impl FnMut(u64, LedgerEntry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(row) = self.row(LEDGER)? else { return Ok(()) };
        let path = &last_of(&self.segments)?.db.path;
        scan(&self.segments, &row, from..row.size, &mut |position, bytes| match decode(path, &row, position, bytes)? {
            Record::Ledger(entry) => f(position, entry),
            Record::Pad => Ok(()),
            _ => Err(misplaced(LEDGER, position)),
        })
    }

    /// Model and version by code.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn model_versions(&mut self) -> Result<Vec<(String, String)>, Fault> {
        self.notice_segments()?;
        let models = last_of(&self.segments)?.dictionary()?.models;
        Ok(models.into_iter().map(|model| (model.model, model.version)).collect())
    }

    /// The model's digest that events of a version code came with, by code.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn model_digests(&mut self) -> Result<Vec<Option<Digest>>, Fault> {
        self.notice_segments()?;
        let models = last_of(&self.segments)?.dictionary()?.models;
        Ok(models.into_iter().map(|model| model.digest).collect())
    }

    /// Callers, classes and the like by code.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn terms(&mut self) -> Result<Vec<String>, Fault> {
        self.notice_segments()?;
        Ok(last_of(&self.segments)?.dictionary()?.terms)
    }

    /// The sampling tiers by code, the full one first.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn tiers(&mut self) -> Result<Vec<Tier>, Fault> {
        self.notice_segments()?;
        let sampled = last_of(&self.segments)?.dictionary()?.tiers;
        Ok(std::iter::once(Tier::Full).chain(sampled.into_iter().map(Tier::one_in)).collect())
    }

    /// The full blocks below number `below`, all of them unless a zone is given.
    pub(super) fn blocks(&self, row: &LogRow, below: u64, zone: Option<(i64, i64)>) -> Result<Vec<Block>, Fault> {
        let mut found = Vec::new();
        for segment in &self.segments {
            found.extend(segment.blocks(row.id, below, zone)?);
        }
        let whole = found.iter().zip(0..).all(|(block, number)| block.number == number) && found.len() as u64 == below;
        if zone.is_none() && !whole {
            let path = &last_of(&self.segments)?.db.path;
            return Err(damaged(path, format!("{}: the roots of its {below} blocks are not all there once", row.name)));
        }
        Ok(found)
    }

    /// Hands every record below `below` of the blocks that meet `zone` to `f`; the open block always does.
    fn scan_zone(
        &mut self,
        log: &str,
        below: u64,
        zone: (i64, i64),
        mut f: impl FnMut(u64, Record) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let row = self.row(log)?;
        let size = row.as_ref().map_or(0, |row| row.size);
        if below > size {
            let what = format!("{log} has {size} records, fewer than the {below} asked for");
            return Err(Fault::new(Blame::Site, what, "restore the journal, or ask for a size that it has"));
        }
        let Some(row) = row else { return Ok(()) };
        let full = (size / BLOCK_RECORDS).min(below.div_ceil(BLOCK_RECORDS));
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let blocks = self.blocks(&row, full, Some(zone))?;
        let open = (full * BLOCK_RECORDS < below).then_some(full);
        for number in blocks.iter().map(|block| block.number).chain(open) {
            let start = number * BLOCK_RECORDS;
            let end = start.saturating_add(BLOCK_RECORDS).min(below);
            match ranges.last_mut() {
                Some(before) if before.end == start => before.end = end,
                _ => ranges.push(start..end),
            }
        }
        let path = &last_of(&self.segments)?.db.path;
        ranges.into_iter().try_for_each(|range| {
            scan(&self.segments, &row, range, &mut |position, bytes| f(position, decode(path, &row, position, bytes)?))
        })
    }
}

/// Hands every record of a range to `f`, each position once and in order.
pub(super) fn scan(segments: &[Segment], row: &LogRow, range: Range<u64>, f: Visit) -> Result<(), Fault> {
    let mut next = range.start;
    for segment in segments {
        segment.records(row.id, &(next..range.end), &mut |position, bytes| {
            if position != next {
                return Err(missing(segments, &row.name, next));
            }
            next = position + 1;
            f(position, bytes)
        })?;
    }
    if next == range.end {
        return Ok(());
    }
    Err(missing(segments, &row.name, next))
}

/// Reads a record's bytes; a failure names it.
pub(super) fn decode(path: &Path, row: &LogRow, position: u64, bytes: &[u8]) -> Result<Record, Fault> {
    decode_named(path, &row.name, position, bytes)
}

/// [`decode`], and the bytes must be the only ones that say so.
pub(super) fn decode_strictly(path: &Path, row: &LogRow, position: u64, bytes: &[u8]) -> Result<Record, Fault> {
    let record = event::decode_record(bytes);
    record.map_err(|error| damaged(path, format!("{}: record {position}: {error}", row.name)))
}

/// [`decode`] for a log known by its name.
pub(super) fn decode_named(path: &Path, log: &str, position: u64, bytes: &[u8]) -> Result<Record, Fault> {
    event::decode_own_record(bytes).map_err(|error| damaged(path, format!("{log}: record {position}: {error}")))
}

fn misplaced(log: &str, position: u64) -> Fault {
    let what = format!("{log}: record {position} is of a kind that does not belong into this log");
    Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`")
}
