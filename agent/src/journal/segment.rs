//! One file of the journal: records in the order of their logs, the roots of full blocks, and what finds them.

use crate::db::{Db, count, damaged, int};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One segment. Only the last one is ever written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub db: Db,
    /// First position after this segment, by log id; right for every segment but the last, which grows.
    ends: BTreeMap<i64, u64>,
}

/// Takes a record's position and bytes.
pub(super) type Visit<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), Fault>;

/// What a segment says of a log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LogRow {
    pub id: i64,
    pub name: String,
    /// Size when this segment began.
    pub start: u64,
    /// Size after this segment.
    pub size: u64,
    /// Root over the records of the open block, so that they too are pinned by something stored.
    pub tail: Digest,
}

/// A full block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    pub number: u64,
    /// Hash of the subtree at merkle level 10 and this number as index.
    pub root: Digest,
    /// Least and greatest `occurred_at` (predictions) or prediction position (outcomes); none in a block of pads.
    pub zone: Option<(i64, i64)>,
}

impl Segment {
    /// Where segment `number` lies.
    pub fn path(folder: &Path, number: u32) -> PathBuf {
        folder.join(format!("{number:06}.sqlite"))
    }

    /// Makes a segment that carries on `logs` and `models`.
    pub fn create(path: &Path, logs: &[LogRow], models: &[(String, String)]) -> Result<(), Fault> {
        Db::create(path, SCHEMA, |db| {
            for log in logs {
                let (size, tail) = (int(log.size), log.tail.0);
                let sql = "INSERT INTO log (id, name, start, size, tail) VALUES (?, ?, ?, ?, ?)";
                db.execute(sql, params![log.id, log.name, size, size, tail])?;
            }
            models.iter().enumerate().try_for_each(|(code, model)| put_model(db, code, model))
        })
    }

    /// Opens a segment.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let mut segment = Segment { db: Db::open(path)?, ends: BTreeMap::new() };
        segment.learn_ends()?;
        Ok(segment)
    }

    /// Reads where this segment's logs end: right for good once another segment follows.
    pub fn learn_ends(&mut self) -> Result<(), Fault> {
        self.ends = self.logs()?.into_iter().map(|log| (log.id, log.size)).collect();
        Ok(())
    }

    /// First position of the log after this segment, which must not be the last.
    pub fn end(&self, log: i64) -> u64 {
        self.ends.get(&log).copied().unwrap_or(0)
    }

    pub fn logs(&self) -> Result<Vec<LogRow>, Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT id, name, start, size, tail FROM log ORDER BY id")?;
            statement.query_map([], log_row)?.collect()
        })
    }

    pub fn log(&self, name: &str) -> Result<Option<LogRow>, Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT id, name, start, size, tail FROM log WHERE name = ?")?;
            statement.query_row([name], log_row).optional()
        })
    }

    /// A log that begins here; its id.
    pub fn add_log(&self, name: &str, tail: &Digest) -> Result<i64, Fault> {
        self.db.run("write", |c| {
            c.execute("INSERT INTO log (name, start, size, tail) VALUES (?, 0, 0, ?)", params![name, tail.0])?;
            Ok(c.last_insert_rowid())
        })
    }

    pub fn set_head(&self, log: i64, size: u64, tail: &Digest) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("UPDATE log SET size = ?, tail = ? WHERE id = ?")?;
            statement.execute(params![int(size), tail.0, log]).map(|_| ())
        })
    }

    /// Model and version by code.
    pub fn models(&self) -> Result<Vec<(String, String)>, Fault> {
        let rows: Vec<(i64, String, String)> = self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT code, model, version FROM model ORDER BY code")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })?;
        if rows.iter().zip(0..).any(|(row, code)| row.0 != code) {
            return Err(damaged(&self.db.path, "the codes of the model versions do not count from 0"));
        }
        Ok(rows.into_iter().map(|(_, model, version)| (model, version)).collect())
    }

    pub fn add_model(&self, code: usize, model: &(String, String)) -> Result<(), Fault> {
        self.db.run("write", |c| put_model(c, code, model))
    }

    pub fn add_record(&self, log: i64, position: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("INSERT INTO record (log, position, bytes) VALUES (?, ?, ?)")?;
            statement.execute(params![log, int(position), bytes]).map(|_| ())
        })
    }

    pub fn add_block(&self, log: i64, block: &Block) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO block (log, number, root, low, high) VALUES (?, ?, ?, ?, ?)";
            let (low, high) = block.zone.unzip();
            let mut statement = c.prepare_cached(sql)?;
            statement.execute(params![log, int(block.number), block.root.0, low, high]).map(|_| ())
        })
    }

    /// Remembers that the outcome at `position` labels `prediction`.
    pub fn add_labelled(&self, log: i64, prediction: u64, position: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO labelled (log, prediction, position) VALUES (?, ?, ?)";
            let mut statement = c.prepare_cached(sql)?;
            statement.execute(params![log, int(prediction), int(position)]).map(|_| ())
        })
    }

    pub fn record(&self, log: i64, position: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT bytes FROM record WHERE log = ? AND position = ?")?;
            statement.query_row(params![log, int(position)], |row| row.get(0)).optional()
        })
    }

    /// Positions, in this segment, of the outcomes of `prediction`.
    pub fn labelled(&self, log: i64, prediction: u64) -> Result<Vec<u64>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT position FROM labelled WHERE log = ? AND prediction = ? ORDER BY position";
            let mut statement = c.prepare_cached(sql)?;
            statement.query_map(params![log, int(prediction)], |row| row.get(0).map(count))?.collect()
        })
    }

    /// Hands the records of a range that lie here to `f`, in order.
    pub fn records(&self, log: i64, range: &Range<u64>, f: Visit) -> Result<(), Fault> {
        let sql =
            "SELECT position, bytes FROM record WHERE log = ? AND position >= ? AND position < ? ORDER BY position";
        let fault = self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query(params![log, int(range.start), int(range.end)])?;
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(1)?;
                let bytes = bytes
                    .as_blob()
                    .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, bytes.data_type(), Box::new(e)))?;
                if let Err(fault) = f(count(row.get(0)?), bytes) {
                    return Ok(Some(fault));
                }
            }
            Ok(None)
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Full blocks of this segment with a number below `below`; those whose zone meets `zone` only, if one is given.
    pub fn blocks(&self, log: i64, below: u64, zone: Option<(i64, i64)>) -> Result<Vec<Block>, Fault> {
        let sql = "SELECT number, root, low, high FROM block WHERE log = ? AND number < ?
                   AND (?3 IS NULL OR (low <= ?4 AND high >= ?3)) ORDER BY number";
        let (low, high) = zone.unzip();
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            statement.query_map(params![log, int(below), low, high], block_row)?.collect()
        })
    }

    /// Records here, of all logs.
    pub fn len(&self) -> Result<u64, Fault> {
        let sql = "SELECT coalesce(sum(size - start), 0) FROM log";
        self.db.run("read", |c| c.query_row(sql, [], |row| row.get(0).map(count)))
    }

    /// A number that `sql` counts for a log.
    pub fn count(&self, sql: &str, log: i64) -> Result<u64, Fault> {
        self.db.run("check", |c| c.query_row(sql, [log], |row| row.get(0).map(count)))
    }
}

/// Opens the segments after `known` ones that are there. Their numbers have no gap.
pub(super) fn following(folder: &Path, known: usize) -> Result<Vec<Segment>, Fault> {
    let mut found = Vec::new();
    loop {
        let number = u32::try_from(known + found.len() + 1)
            .map_err(|_| Fault::new(Blame::Operator, "the journal has too many segments", "report this"))?;
        let path = Segment::path(folder, number);
        if !path.is_file() {
            return Ok(found);
        }
        found.push(Segment::open(&path)?);
    }
}

fn put_model(db: &Connection, code: usize, (model, version): &(String, String)) -> rusqlite::Result<()> {
    let code = i64::try_from(code).unwrap_or(i64::MAX);
    db.execute("INSERT INTO model (code, model, version) VALUES (?, ?, ?)", params![code, model, version])?;
    Ok(())
}

fn log_row(row: &Row) -> rusqlite::Result<LogRow> {
    let (start, size) = (count(row.get(2)?), count(row.get(3)?));
    Ok(LogRow { id: row.get(0)?, name: row.get(1)?, start, size, tail: Digest(row.get(4)?) })
}

fn block_row(row: &Row) -> rusqlite::Result<Block> {
    let (low, high): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
    Ok(Block { number: count(row.get(0)?), root: Digest(row.get(1)?), zone: low.zip(high) })
}

/// `record` is the journal; all else can be computed from it, and `verify` does. A log has one id in all segments.
const SCHEMA: &str = "
CREATE TABLE log (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, start INTEGER NOT NULL, size INTEGER NOT NULL, tail BLOB NOT NULL
) STRICT;
CREATE TABLE record (
  log INTEGER NOT NULL, position INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (log, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE block (
  log INTEGER NOT NULL, number INTEGER NOT NULL, root BLOB NOT NULL, low INTEGER, high INTEGER,
  PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE labelled (
  log INTEGER NOT NULL, prediction INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (log, prediction, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE model (code INTEGER PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL) STRICT;
";
