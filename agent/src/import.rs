//! Taking in files of events: CSV, plain or gzip, and Parquet.
//!
//! Rows go into the journal in durable batches, so that a crash loses none that were acknowledged and a second import
//! completes the first: what is there already is counted as a duplicate. The ledger's entry about the file is in the
//! transaction of the last batch. Rows that cannot be taken go, with the reason, to a file of rejects.

pub(crate) mod columns;
pub(crate) mod input;
pub(crate) mod map;
mod parquet;
pub(crate) mod rows;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use crate::journal::{EventRow, Item, Journal, RowResult, Rules, StdRng};
use columns::Columns;
use fedaudit_core::contract::Contract;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::CSV_LINE_BYTES;
use fedaudit_core::time::{Time, Window};
use input::Input;
pub use map::Map;
use parquet::{ParquetRows, is_parquet};
use rows::{Next, Rows};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use table::Table;
pub use table::Unit;

/// What an import did. Every row is in exactly one of: new event, new outcome of a known event, duplicate, rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportSummary {
    /// Rows read, blank lines not counted.
    pub rows: u64,
    /// Events that were new.
    pub events: u64,
    /// Outcomes that were new, those of new events included.
    pub outcomes: u64,
    /// New events, and new outcomes of older ones, that a release of this site should have counted.
    pub late: u64,
    /// Rows that were there already.
    pub duplicates: u64,
    /// Rows refused.
    pub rejected: u64,
    /// What refused rows are numbered by.
    pub unit: Unit,
    /// The first of them, at most 10.
    pub first_rejects: Vec<Reject>,
    /// Columns that the contract does not know.
    pub ignored_columns: Vec<String>,
}

/// A row refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The line or row of the file, from 1.
    pub number: u64,
    /// Why.
    pub reason: String,
}

/// What rows are read by.
pub struct Reading<'a> {
    /// The contract.
    pub contract: &'a Contract,
    /// What the columns are called, where not as the contract calls them.
    pub map: &'a Map,
    /// What this site has released under the contract.
    pub released: &'a [Released],
}

/// A window that was released, and until when a label had to be known to count.
pub struct Released {
    /// The window.
    pub window: Window,
    /// Its release time.
    pub until: Time,
}

/// Takes in the file `path`, CSV (plain or gzip) or Parquet, its columns named as `reading` says; `progress` is told bytes of the file read, and all of them.
///
/// Rows refused are written to `rejects`, which is made, or replaced, if there are any.
///
/// # Errors
/// Before anything is written: a file that cannot be read or has other columns. Later: a file that ends early, or a
/// journal or reject file that cannot be written; batches before that stay, and importing again completes them.
pub fn import_file(
    journal: &mut Journal,
    reading: &Reading,
    path: &Path,
    rejects: &Path,
    rng: &mut StdRng,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<ImportSummary, Fault> {
    if let (Ok(file), Ok(same)) = (path.canonicalize(), rejects.canonicalize())
        && file == same
    {
        let what = format!("{} is both the file to import and the file for rejects", path.display());
        return Err(Fault::new(Blame::Operator, what, "name another file for rejects"));
    }
    let rejects = RejectFile { path: rejects.to_owned(), unit: Unit::default(), writer: None };
    let summary = ImportSummary::default();
    let import = Import { journal, reading, rng, progress, summary, rejects, batch: Batch::default() };
    if is_parquet(path) {
        let mut rows = ParquetRows::open(path)?;
        let columns = rows.columns(reading.contract, reading.map)?;
        import.run(&mut rows, columns)
    } else {
        let mut rows = Rows::new(Input::open(path)?);
        let columns = Columns::read(&mut rows, reading.contract, reading.map, path)?;
        import.run(&mut rows, columns)
    }
}

struct Import<'a> {
    journal: &'a mut Journal,
    reading: &'a Reading<'a>,
    rng: &'a mut StdRng,
    progress: &'a mut dyn FnMut(u64, u64),
    summary: ImportSummary,
    rejects: RejectFile,
    batch: Batch,
}

/// Rows on their way into the journal, and what they were read from.
#[derive(Default)]
struct Batch {
    /// Those that are events.
    rows: Vec<EventRow>,
    lines: Vec<Line>,
    raw: Vec<u8>,
}

/// A row of the file.
struct Line {
    /// The line or row of the file.
    number: u64,
    /// Its place in the batch's bytes.
    raw: Range<usize>,
    /// Why it is no event.
    refused: Option<String>,
}

impl Import<'_> {
    fn run<T: Table>(mut self, rows: &mut T, columns: Columns) -> Result<ImportSummary, Fault> {
        (self.summary.unit, self.rejects.unit) = (T::UNIT, T::UNIT);
        loop {
            let read = match rows.next()? {
                Next::End => break,
                Next::Bad(reason) => Err(reason),
                Next::Row => columns.event(rows, self.reading.contract),
            };
            // Only when another row follows: the last batch is the one that also writes to the ledger.
            if self.batch.lines.len() >= BATCH_ROWS || self.batch.raw.len() >= BATCH_BYTES {
                self.flush(None)?;
                self.tell(rows);
            }
            self.batch.push(read, rows.number(), rows.raw());
        }
        let digest = rows.digest()?;
        self.flush(Some(digest))?;
        self.tell(rows);
        self.rejects.finish()?;
        self.summary.ignored_columns = columns.ignored;
        Ok(self.summary)
    }

    fn tell<T: Table>(&mut self, rows: &T) {
        let (done, total) = rows.progress();
        (self.progress)(done, total);
    }

    /// Writes the batch; with the digest of the file, which now is at its end, the ledger's entry as well.
    fn flush(&mut self, file: Option<Digest>) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.batch);
        let summary = &mut self.summary;
        summary.rows += batch.lines.len() as u64;
        summary.rejected += (batch.lines.len() - batch.rows.len()) as u64;
        let results = self.journal.record(
            self.reading.contract,
            batch.rows.iter().map(Item::Event),
            Rules::default(),
            self.rng,
            |results| {
                results.iter().for_each(|result| summary.count(result));
                let new = batch.rows.iter().zip(results);
                let late = new.filter(|(row, result)| self.reading.released.iter().any(|of| of.missed(row, result)));
                summary.late += late.count() as u64;
                file.and_then(|file| summary.entry(file))
            },
        )?;
        let mut results = results.into_iter();
        for line in batch.lines {
            let refused = line.refused.or_else(|| match results.next() {
                Some(RowResult::Rejected(reason)) => Some(reason),
                _ => None,
            });
            let Some(reason) = refused else { continue };
            self.rejects.add(line.number, &reason, batch.raw.get(line.raw).unwrap_or_default())?;
            if self.summary.first_rejects.len() < FIRST_REJECTS {
                self.summary.first_rejects.push(Reject { number: line.number, reason });
            }
        }
        Ok(())
    }
}

impl Released {
    /// Whether a row is new and belongs into the release.
    fn missed(&self, row: &EventRow, result: &RowResult) -> bool {
        let new = match result {
            RowResult::Event { .. } => true,
            RowResult::Outcome => row.outcome.is_some_and(|(_, labelled_at)| labelled_at <= self.until),
            _ => false,
        };
        new && self.window.contains(row.occurred_at)
    }
}

impl Batch {
    fn push(&mut self, read: Result<EventRow, String>, number: u64, raw: &[u8]) {
        let start = self.raw.len();
        self.raw.extend_from_slice(raw);
        let refused = read.map(|row| self.rows.push(row)).err();
        self.lines.push(Line { number, raw: start..self.raw.len(), refused });
    }
}

impl ImportSummary {
    /// The failure of an import that took none of its rows.
    pub fn refused(&self, path: &Path) -> Option<Fault> {
        let first = self.first_rejects.first().filter(|_| self.rejected == self.rows)?;
        let what = format!(
            "{}: all {} rows were rejected and nothing was journaled; the first, {} {}: {}",
            path.display(),
            self.rows,
            self.unit,
            first.number,
            first.reason
        );
        Some(Fault::new(Blame::Input, what, "mend the file, or its contract or map, and import it again"))
    }

    fn count(&mut self, result: &RowResult) {
        match result {
            RowResult::Event { outcome } => {
                self.events += 1;
                self.outcomes += u64::from(*outcome);
            }
            RowResult::Outcome => self.outcomes += 1,
            RowResult::Duplicate => self.duplicates += 1,
            RowResult::Rejected(_) => self.rejected += 1,
            // A file of rows holds events, and is not sampled.
            RowResult::Sampled | RowResult::Waiting => {}
        }
    }

    /// What the ledger says of the import; nothing if nothing was new, so that importing twice changes nothing.
    fn entry(&self, file: Digest) -> Option<LedgerEntry> {
        let ImportSummary { events, outcomes, duplicates, rejected, .. } = *self;
        (events + outcomes > 0).then_some(LedgerEntry::Import { file, events, outcomes, duplicates, rejected })
    }
}

/// A file that exists only if a row was refused. It holds raw rows: only its owner may read it.
struct RejectFile {
    path: PathBuf,
    unit: Unit,
    writer: Option<csv::Writer<File>>,
}

impl RejectFile {
    fn add(&mut self, number: u64, reason: &str, raw: &[u8]) -> Result<(), Fault> {
        let path = &self.path;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let mut options = OpenOptions::new();
                let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
                let mut writer = csv::Writer::from_writer(file.map_err(|error| reject_fault(path, &error))?);
                let names = [&self.unit.to_string(), "reason", "content"];
                writer.write_record(names).map_err(|error| reject_fault(path, &error))?;
                self.writer.insert(writer)
            }
        };
        let number = number.to_string();
        writer.write_record([number.as_bytes(), reason.as_bytes(), raw]).map_err(|error| reject_fault(path, &error))
    }

    fn finish(&mut self) -> Result<(), Fault> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        writer.flush().map_err(|error| reject_fault(&self.path, &error))
    }
}

fn reject_fault(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let what = format!("cannot write rejected rows to {}: {error}", path.display());
    Fault::new(Blame::Operator, what, "name a file that can be written, and import again: nothing is counted twice")
}

/// Rows of a transaction.
const BATCH_ROWS: usize = 20_000;
/// Bytes of rows after which a transaction is written even with fewer.
const BATCH_BYTES: usize = 16 * CSV_LINE_BYTES;
/// Rejected rows that a summary names.
const FIRST_REJECTS: usize = 10;
