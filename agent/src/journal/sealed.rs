//! Segments that are closed: reading them for the archive, and taking their records out.
//!
//! A segment whose records are gone keeps its logs' sizes, the roots and zones of their blocks, the model versions, and
//! the records of the ledger: decisions, releases and dictionaries are read from there, and it names nobody.

use super::batch::PREDICTIONS;
use super::segment::{self, LogRow, Segment, Visit};
use super::sidecar::{NO_IDS, Sidecar};
use super::{FOLDER, Journal, LEDGER, SIDECAR, last_of};
use crate::db::{Db, damaged, io_fault};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, create_dir_private, sync_dir};
use rusqlite::config::DbConfig;
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A closed segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sealed {
    /// Its number, from 1.
    pub number: u32,
    /// Its logs with records of their own.
    pub logs: Vec<SealedLog>,
    /// When its newest event occurred.
    pub newest_event: Time,
    /// When it was closed, by its file.
    pub closed: Time,
    /// The later of both: from then on it ages.
    pub newest: Time,
    /// Whether its records are gone, those of the ledger apart.
    pub gone: bool,
}

/// What a closed segment holds of a log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SealedLog {
    pub name: String,
    /// Positions of its records, in whole blocks.
    pub range: Range<u64>,
    /// Roots of its blocks.
    pub roots: Vec<Digest>,
    /// Its id in all segments.
    pub id: i64,
}

impl Journal {
    /// Copies the journal of `home` to the folder `to`, without what identifies: its sidecar is one that knows no event.
    /// What is written meanwhile is not in the copy, or is in it as a whole.
    ///
    /// # Errors
    /// The journal cannot be read, or the copy not be written.
    pub(crate) fn copy(home: &Path, to: &Path) -> Result<(), Fault> {
        let folder = to.join(FOLDER);
        create_dir_private(&folder)?;
        let segments = segment::following(&home.join(FOLDER), 0)?;
        for (segment, number) in segments.iter().zip(1..) {
            let path = Segment::path(&folder, number);
            segment.db.copy(&path)?;
            set_modified(&path, modified(&segment.db.path)?)?;
        }
        sync_dir(&folder)?;
        Sidecar::create(&to.join(SIDECAR), &NO_IDS)
    }

    /// Since when the newest segment is written to, if this file system tells and more than ledger entries is in it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn open_since(&mut self) -> Result<Option<Time>, Fault> {
        self.notice_segments()?;
        let last = last_of(&self.segments)?;
        if !last.logs()?.iter().any(|log| log.name != LEDGER && log.size > log.start) {
            return Ok(None);
        }
        let path = &last.db.path;
        let facts = std::fs::metadata(path).map_err(|error| io_fault("read", path, &error))?;
        Ok(facts.created().ok().map(time))
    }

    /// The closed segments, in order; those that another program has replaced are opened anew.
    ///
    /// # Errors
    /// The journal cannot be read, or a segment ends within a block.
    pub(crate) fn sealed(&mut self) -> Result<Vec<Sealed>, Fault> {
        self.notice_segments()?;
        self.notice_deletions()?;
        let closed = self.segments.len().saturating_sub(1);
        let mut found = Vec::new();
        for (segment, number) in self.segments.iter().take(closed).zip(1..) {
            found.push(sealed(segment, number)?);
        }
        Ok(found)
    }

    /// Opens anew the closed segments that had their records, for another program may have taken them out: as long as
    /// the old file is open, its place on the disk is not free.
    pub(super) fn notice_deletions(&mut self) -> Result<(), Fault> {
        let closed = self.segments.len().saturating_sub(1);
        self.segments.iter_mut().take(closed).filter(|segment| !segment.gone).try_for_each(reopen)
    }

    /// Hands the records of a closed segment's log to `f`, each position once and in order.
    ///
    /// # Errors
    /// One is missing, or what `f` fails with.
    pub(crate) fn sealed_records(&self, of: &Sealed, log: &SealedLog, f: Visit) -> Result<(), Fault> {
        let number = usize::try_from(of.number).unwrap_or(usize::MAX);
        let segment = self.segments.get(number.wrapping_sub(1)).map(std::slice::from_ref).unwrap_or_default();
        let (start, size) = (log.range.start, log.range.end);
        let row = LogRow { id: log.id, name: log.name.clone(), start, size, tail: Digest([0; 32]) };
        super::read::scan(segment, &row, log.range.clone(), f)
    }

    /// Takes the records out of a closed segment. Its file is replaced at once, by one without them; programs that have
    /// the old one open go on with it until they look again ([`Journal::sealed`]).
    ///
    /// The ledger must have said so before. Crash order: (1) the write-ahead log is emptied, for it is found by name and
    /// would be taken for the new file's, (2) the new file gets the name of the old one, (3) its time is that of the old
    /// one, so that it goes on ageing; lost at (3), it ages from now, and is kept for longer.
    ///
    /// # Errors
    /// Another program reads the segment, or the disk fails; the old file stays.
    pub(crate) fn drop_records(&mut self, number: u32) -> Result<(), Fault> {
        let _lock = Lock::acquire(&self.lock)?;
        let segment = self.closed(number)?;
        let path = segment.db.path.clone();
        let busy: i64 =
            segment.db.run("close", |c| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0)))?;
        if busy != 0 {
            let what = format!("{} is being read by another program", path.display());
            return Err(Fault::new(Blame::Operator, what, "wait for it; the next run goes on"));
        }
        let closed_at = modified(&path)?;
        copy_without_records(segment, &path)?;
        set_modified(&path, closed_at)?;
        for suffix in ["-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
        reopen(segment)
    }

    /// Records that are gone were taken out: the ledger says so.
    pub(super) fn check_deleted(&mut self) -> Result<(), Fault> {
        let mut deleted = BTreeSet::new();
        self.ledger(|_, entry| {
            if let LedgerEntry::Deleted { segment, .. } = entry {
                deleted.insert(segment);
            }
            Ok(())
        })?;
        for row in last_of(&self.segments)?.logs()? {
            for (number, range) in gone(&self.segments, &row.name)? {
                if !deleted.contains(&number) {
                    let what = format!("lacks the records {} to {} of {}", range.start, range.end, row.name);
                    return Err(damaged(&Segment::path(&self.folder, number), what));
                }
            }
        }
        Ok(())
    }
}

/// Writes the file `path`: the segment without its records, those of the ledger apart.
pub(super) fn copy_without_records(segment: &Segment, path: &Path) -> Result<(), Fault> {
    let tables = tables(segment)?;
    Db::create(path, "", |new| {
        tables.iter().try_for_each(|(name, schema)| {
            new.execute_batch(schema)?;
            copy(&segment.db.connection, new, name)
        })
    })
}

/// Opens the file that has the name now. The old one is closed without touching the write-ahead log, which by its name
/// may be the new one's.
fn reopen(segment: &mut Segment) -> Result<(), Fault> {
    let path = segment.db.path.clone();
    open_instead(segment, &path)
}

/// Opens another file in the place of a closed segment.
pub(super) fn open_instead(segment: &mut Segment, path: &Path) -> Result<(), Fault> {
    let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    segment.db.run("close", |c| c.set_db_config(keep, true).map(|_| ()))?;
    *segment = Segment::open(path)?;
    Ok(())
}

/// The tables of a segment: name and schema.
fn tables(segment: &Segment) -> Result<Vec<(String, String)>, Fault> {
    segment.db.run("read", |c| {
        let mut statement = c.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    })
}

/// Copies a table: of records those of the ledger, else all.
fn copy(old: &rusqlite::Connection, new: &rusqlite::Connection, table: &str) -> rusqlite::Result<()> {
    let which = match table {
        "chunk" => "WHERE key >> 44 = (SELECT id FROM log WHERE name = 'ledger')",
        _ => "",
    };
    let mut rows = old.prepare(&format!("SELECT * FROM {table} {which}"))?;
    let columns = rows.column_count();
    let marks = vec!["?"; columns].join(", ");
    let mut insert = new.prepare(&format!("INSERT INTO {table} VALUES ({marks})"))?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}

pub(super) fn sealed(segment: &Segment, number: u32) -> Result<Sealed, Fault> {
    let path = &segment.db.path;
    let closed = time(modified(path)?);
    let mut newest = i64::MIN;
    let mut logs = Vec::new();
    for row in segment.logs()?.into_iter().filter(|row| row.size > row.start) {
        if !row.start.is_multiple_of(BLOCK_RECORDS) || !row.size.is_multiple_of(BLOCK_RECORDS) {
            return Err(damaged(path, format!("{} does not end with a whole block", row.name)));
        }
        let blocks = segment.blocks(row.id, u64::MAX >> 1, None)?;
        if blocks.len() as u64 != (row.size - row.start) / BLOCK_RECORDS {
            return Err(damaged(path, format!("{}: the roots of its blocks are not all there", row.name)));
        }
        if row.name.starts_with(PREDICTIONS) {
            newest = blocks.iter().filter_map(|block| block.zone).fold(newest, |newest, (_, high)| newest.max(high));
        }
        let roots = blocks.into_iter().map(|block| block.root).collect();
        logs.push(SealedLog { name: row.name, range: row.start..row.size, roots, id: row.id });
    }
    let newest_event = Time(newest);
    Ok(Sealed { number, logs, newest_event, closed, newest: closed.max(newest_event), gone: segment.gone })
}

/// Whether a segment lists records of a log other than the ledger and has none.
pub(super) fn is_gone(segment: &Segment) -> Result<bool, Fault> {
    let mut gone = false;
    for row in segment.logs()?.iter().filter(|row| row.name != LEDGER && row.size > row.start) {
        let mut there = false;
        segment.records(row.id, &(row.start..row.start + 1), &mut |_, _| {
            there = true;
            Ok(())
        })?;
        gone |= !there;
    }
    Ok(gone)
}

/// Positions of a log whose records were taken out, and the number of the segment that had them.
pub(super) fn gone(segments: &[Segment], log: &str) -> Result<Vec<(u32, Range<u64>)>, Fault> {
    let mut found = Vec::new();
    let closed = segments.split_last().map(|(_, closed)| closed).unwrap_or_default();
    for (segment, number) in closed.iter().zip(1..) {
        if segment.gone
            && log != LEDGER
            && let Some(row) = segment.log(log)?
        {
            found.push((number, row.start..row.size));
        }
    }
    Ok(found)
}

/// What to say of a record that is not there: it was taken out, or it is lost.
pub(super) fn missing(segments: &[Segment], log: &str, position: u64) -> Fault {
    let taken = gone(segments, log).unwrap_or_default();
    if let Some((number, range)) = taken.into_iter().find(|(_, range)| range.contains(&position)) {
        let files = crate::archive::names::pattern(log, number);
        let what = format!(
            "records {} to {} of {} have left this journal, as its retention says; they are in the archive: {files}",
            range.start, range.end, log
        );
        return Fault::new(Blame::Operator, what, "read them there, or ask for a time within the hot days");
    }
    let what = format!("{log}: record {position} is missing");
    last_of(segments).map_or_else(|fault| fault, |last| damaged(&last.db.path, what))
}

fn set_modified(path: &Path, at: SystemTime) -> Result<(), Fault> {
    let set = OpenOptions::new().write(true).open(path).and_then(|file| file.set_modified(at));
    set.map_err(|error| io_fault("write", path, &error))
}

/// When a file was written last.
fn modified(path: &Path) -> Result<SystemTime, Fault> {
    File::open(path).and_then(|file| file.metadata()?.modified()).map_err(|error| io_fault("read", path, &error))
}

fn time(of: SystemTime) -> Time {
    let since = of.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
