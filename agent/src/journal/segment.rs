//! One file of the journal: records in the order of their logs, the roots of full blocks, and what their codes mean.

use super::chunk::{each, key, position_of};
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
    /// Whether its records were taken out when it was opened, those of the ledger apart ([`super::sealed`]).
    pub gone: bool,
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

/// A model, its version, and what is known of both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    pub model: String,
    pub version: String,
    pub digest: Option<Digest>,
    pub dataset: Option<Digest>,
}

/// What codes mean, by code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dictionary {
    pub models: Vec<Model>,
    pub terms: Vec<String>,
    /// One in so many, by sampling tier; tier 0 is not listed.
    pub tiers: Vec<u32>,
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

    /// Makes a segment that carries on `logs` and `dictionary`.
    pub fn create(path: &Path, logs: &[LogRow], dictionary: &Dictionary) -> Result<(), Fault> {
        Db::create(path, SCHEMA, |db| {
            for log in logs {
                let (size, tail) = (int(log.size), log.tail.0);
                let sql = "INSERT INTO log (id, name, start, size, tail) VALUES (?, ?, ?, ?, ?)";
                db.execute(sql, params![log.id, log.name, size, size, tail])?;
            }
            dictionary.models.iter().zip(0..).try_for_each(|(model, code)| put_model(db, code, model))?;
            dictionary.terms.iter().zip(0..).try_for_each(|(term, code)| put_term(db, code, term))?;
            dictionary.tiers.iter().zip(1..).try_for_each(|(one_in, tier)| put_tier(db, tier, *one_in))
        })
    }

    /// Opens a segment.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let mut segment = Segment { db: Db::open(path)?, ends: BTreeMap::new(), gone: false };
        segment.learn_ends()?;
        segment.gone = super::sealed::is_gone(&segment)?;
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

    /// What codes mean.
    pub fn dictionary(&self) -> Result<Dictionary, Fault> {
        let sql = "SELECT code, model, version, digest, dataset FROM model ORDER BY code";
        let models = self.coded(sql, 0, |row| {
            let digest = |at| row.get::<_, Option<[u8; 32]>>(at).map(|digest| digest.map(Digest));
            Ok(Model { model: row.get(1)?, version: row.get(2)?, digest: digest(3)?, dataset: digest(4)? })
        })?;
        let terms = self.coded("SELECT code, text FROM term ORDER BY code", 0, |row| row.get(1))?;
        let tiers = self.coded("SELECT tier, one_in FROM tier ORDER BY tier", 1, |row| row.get(1))?;
        Ok(Dictionary { models, terms, tiers })
    }

    /// What a table lists, by code; codes count from `first`.
    fn coded<T>(&self, sql: &str, first: i64, read: impl Fn(&Row) -> rusqlite::Result<T>) -> Result<Vec<T>, Fault> {
        let rows: Vec<(i64, T)> = self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            statement.query_map([], |row| Ok((row.get(0)?, read(row)?)))?.collect()
        })?;
        if rows.iter().zip(first..).any(|((code, _), due)| *code != due) {
            return Err(damaged(&self.db.path, format!("the codes of `{sql}` do not count from {first}")));
        }
        Ok(rows.into_iter().map(|(_, value)| value).collect())
    }

    pub fn add_model(&self, code: u32, model: &Model) -> Result<(), Fault> {
        self.db.run("write", |c| put_model(c, code, model))
    }

    pub fn add_term(&self, code: u32, text: &str) -> Result<(), Fault> {
        self.db.run("write", |c| put_term(c, code, text))
    }

    pub fn add_tier(&self, tier: u32, one_in: u32) -> Result<(), Fault> {
        self.db.run("write", |c| put_tier(c, tier, one_in))
    }

    /// Writes a chunk of records, the first of them at `position`.
    pub fn add_chunk(&self, log: i64, position: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("INSERT INTO chunk (key, bytes) VALUES (?, ?)")?;
            statement.execute(params![key(log, position), bytes]).map(|_| ())
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

    /// The chunk that holds a record, if it is here: the position of its first record, and its bytes.
    pub fn chunk(&self, log: i64, position: u64) -> Result<Option<(u64, Vec<u8>)>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT key, bytes FROM chunk WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1";
            let mut statement = c.prepare_cached(sql)?;
            let keys = [key(log, 0), key(log, position)];
            statement.query_row(keys, |row| Ok((position_of(row.get(0)?), row.get(1)?))).optional()
        })
    }

    /// Hands the records of a range that lie here to `f`, in order.
    pub fn records(&self, log: i64, range: &Range<u64>, f: Visit) -> Result<(), Fault> {
        if range.is_empty() {
            return Ok(());
        }
        // The first record asked for may stand inside of a chunk.
        let sql = "SELECT key, bytes FROM chunk
                   WHERE key >= coalesce((SELECT max(key) FROM chunk WHERE key BETWEEN ?1 AND ?2), ?2) AND key < ?3
                   ORDER BY key";
        let fault = self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            let mut rows = statement.query(params![key(log, 0), key(log, range.start), key(log, range.end)])?;
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(1)?;
                let bytes = bytes
                    .as_blob()
                    .map_err(|e| rusqlite::Error::FromSqlConversionFailure(1, bytes.data_type(), Box::new(e)))?;
                if let Err(fault) = self.visit(position_of(row.get(0)?), bytes, range, f) {
                    return Ok(Some(fault));
                }
            }
            Ok(None)
        })?;
        fault.map_or(Ok(()), Err)
    }

    fn visit(&self, first: u64, chunk: &[u8], range: &Range<u64>, f: Visit) -> Result<(), Fault> {
        for (record, position) in each(chunk).zip(first..) {
            if position >= range.end {
                break;
            }
            let cut = || damaged(&self.db.path, format!("the chunk of records from {first} on is cut at {position}"));
            let record = record.ok_or_else(cut)?;
            if position >= range.start {
                f(position, record)?;
            }
        }
        Ok(())
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

fn put_model(db: &Connection, code: u32, of: &Model) -> rusqlite::Result<()> {
    let sql = "INSERT INTO model (code, model, version, digest, dataset) VALUES (?, ?, ?, ?, ?)";
    let (digest, dataset) = (of.digest.map(|d| d.0), of.dataset.map(|d| d.0));
    db.execute(sql, params![code, of.model, of.version, digest, dataset]).map(|_| ())
}

fn put_term(db: &Connection, code: u32, text: &str) -> rusqlite::Result<()> {
    db.execute("INSERT INTO term (code, text) VALUES (?, ?)", params![code, text]).map(|_| ())
}

fn put_tier(db: &Connection, tier: u32, one_in: u32) -> rusqlite::Result<()> {
    db.execute("INSERT INTO tier (tier, one_in) VALUES (?, ?)", params![tier, one_in]).map(|_| ())
}

fn log_row(row: &Row) -> rusqlite::Result<LogRow> {
    let (start, size) = (count(row.get(2)?), count(row.get(3)?));
    Ok(LogRow { id: row.get(0)?, name: row.get(1)?, start, size, tail: Digest(row.get(4)?) })
}

fn block_row(row: &Row) -> rusqlite::Result<Block> {
    let (low, high): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
    Ok(Block { number: count(row.get(0)?), root: Digest(row.get(1)?), zone: low.zip(high) })
}

/// `chunk` is the journal; all else can be computed from it, and `verify` does. A log has one id in all segments; a
/// chunk's key is the log's id << 44 | the position of its first record.
const SCHEMA: &str = "
CREATE TABLE log (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, start INTEGER NOT NULL, size INTEGER NOT NULL, tail BLOB NOT NULL
) STRICT;
CREATE TABLE chunk (key INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE block (
  log INTEGER NOT NULL, number INTEGER NOT NULL, root BLOB NOT NULL, low INTEGER, high INTEGER,
  PRIMARY KEY (log, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE model (
  code INTEGER PRIMARY KEY, model TEXT NOT NULL, version TEXT NOT NULL, digest BLOB, dataset BLOB
) STRICT;
CREATE TABLE term (code INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE tier (tier INTEGER PRIMARY KEY, one_in INTEGER NOT NULL) STRICT;
";
