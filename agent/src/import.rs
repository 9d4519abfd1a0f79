//! Taking in files of events: CSV, plain or gzip, and Parquet.
//!
//! Rows go into the journal in durable batches, so that a crash loses none that were acknowledged and a second import
//! completes the first: what is there already is counted as a duplicate. The ledger's entry about the file is in the
//! transaction of the last batch. Rows that cannot be taken go, with the reason, to a file of rejects.

pub(crate) mod columns;
pub(crate) mod input;
mod lines;
pub(crate) mod map;
mod parquet;
pub(crate) mod rows;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use crate::intake::contracts::Known;
use crate::intake::json;
use crate::journal::{EventRow, Item, Journal, RowResult, Rules, StdRng};
use columns::Columns;
use fedaudit_core::contract::Contract;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::CSV_LINE_BYTES;
use fedaudit_core::time::{Time, Window};
use fedaudit_link::home::now;
use input::Input;
use lines::{Lines, is_lines};
pub use map::Map;
use parquet::{ParquetRows, is_parquet};
use rows::{Next, Rows};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
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

/// Takes in the file `path`, CSV (plain or gzip), JSON lines or Parquet, its columns named as `reading` says; `progress` is told bytes of the file read, and all of them.
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
    let import = Import { journal, reading, rng, progress, summary, rejects };
    let contract = reading.contract;
    if is_parquet(path) {
        let mut rows = ParquetRows::open(path)?;
        let columns = rows.columns(reading.contract, reading.map)?;
        import.run(&mut rows, |rows| columns.event(rows, contract), &columns.ignored)
    } else if is_lines(path) {
        let known = Known::new(contract.clone());
        import.run(&mut Lines::new(Input::open(path)?), |rows| json::event(rows.raw(), &known), &[])
    } else {
        let mut rows = Rows::new(Input::open(path)?);
        let columns = Columns::read(&mut rows, reading.contract, reading.map, path)?;
        import.run(&mut rows, |rows| columns.event(rows, contract), &columns.ignored)
    }
}

struct Import<'a> {
    journal: &'a mut Journal,
    reading: &'a Reading<'a>,
    rng: &'a mut StdRng,
    progress: &'a mut dyn FnMut(u64, u64),
    summary: ImportSummary,
    rejects: RejectFile,
}

/// Rows on their way into the journal, and what they were read from.
#[derive(Default)]
struct Batch {
    /// Those that are events.
    rows: Vec<EventRow>,
    lines: Vec<Line>,
    raw: Vec<u8>,
    /// Bytes of the file read so far, and all of them.
    progress: (u64, u64),
    /// In the last batch, the digest of the file.
    file: Option<Digest>,
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
    /// One thread reads rows into codes, this one journals them: each is as much work as the other.
    fn run<T: Table + Send>(
        mut self,
        rows: &mut T,
        event: impl Fn(&T) -> Result<EventRow, String> + Send,
        ignored: &[String],
    ) -> Result<ImportSummary, Fault> {
        (self.summary.unit, self.rejects.unit) = (T::UNIT, T::UNIT);
        self.summary.ignored_columns = ignored.to_vec();
        std::thread::scope(|scope| {
            let (send, batches) = sync_channel(BATCHES_WAITING);
            scope.spawn(move || {
                // Whoever writes may have failed, and no longer listens.
                let hand_over = &mut |batch| send.send(Ok(batch)).is_ok();
                if let Err(fault) = read(rows, event, hand_over) {
                    let _ = send.send(Err(fault));
                }
            });
            batches.iter().try_for_each(|batch| self.write(batch?))
        })?;
        self.rejects.finish()?;
        Ok(self.summary)
    }

    /// Writes a batch; with the last one the ledger's entry as well.
    fn write(&mut self, batch: Batch) -> Result<(), Fault> {
        let file = batch.file;
        let summary = &mut self.summary;
        summary.rows += batch.lines.len() as u64;
        summary.rejected += (batch.lines.len() - batch.rows.len()) as u64;
        let results = self.journal.record(
            self.reading.contract,
            batch.rows.iter().map(Item::Event),
            Rules { now: Some(now()), ..Rules::default() },
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
        (self.progress)(batch.progress.0, batch.progress.1);
        Ok(())
    }
}

/// Reads rows into batches, and hands them over until that fails.
fn read<T: Table>(
    rows: &mut T,
    event: impl Fn(&T) -> Result<EventRow, String>,
    hand_over: &mut dyn FnMut(Batch) -> bool,
) -> Result<(), Fault> {
    let mut batch = Batch::default();
    loop {
        let read = match rows.next()? {
            Next::End => break,
            Next::Bad(reason) => Err(reason),
            Next::Row => event(rows),
        };
        // Only when another row follows: the last batch is the one that also writes to the ledger.
        if batch.lines.len() >= BATCH_ROWS || batch.raw.len() >= BATCH_BYTES {
            batch.progress = rows.progress();
            if !hand_over(std::mem::take(&mut batch)) {
                return Ok(());
            }
        }
        batch.push(read, rows.number(), rows.raw());
    }
    batch.file = Some(rows.digest()?);
    batch.progress = rows.progress();
    hand_over(batch);
    Ok(())
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

/// Batches that wait for the journal.
const BATCHES_WAITING: usize = 1;
/// Rows of a transaction.
const BATCH_ROWS: usize = 16_000;
/// Bytes of rows after which a transaction is written even with fewer.
const BATCH_BYTES: usize = 16 * CSV_LINE_BYTES;
/// Rejected rows that a summary names.
const FIRST_REJECTS: usize = 10;
