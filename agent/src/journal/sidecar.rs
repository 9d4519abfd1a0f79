//! What identifies: event ids and their salts. It lies outside the journal's folder and its backups, and rows of it
//! may be erased; the journal then keeps random tokens.

use crate::db::{Db, count, int};
use fedaudit_core::fault::{Blame, Fault};
use rusqlite::{OptionalExtension as _, params};
use std::ops::Range;
use std::path::Path;

/// The open sidecar.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub db: Db,
}

/// A contract version that the sidecar knows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub id: i64,
    /// `<contract>/<version>`.
    pub key: String,
    /// Size of the predictions log that this file has seen. It is written before the journal, so it is never behind;
    /// if it is, this file is not the one that belongs to the journal, and it cannot say what is a duplicate.
    pub size: u64,
}

impl Sidecar {
    pub fn create(path: &Path) -> Result<(), Fault> {
        Db::create(path, SCHEMA, |_| Ok(()))
    }

    pub fn open(path: &Path) -> Result<Self, Fault> {
        if path.is_file() {
            return Ok(Sidecar { db: Db::open(path)? });
        }
        let what = format!("{} is missing; without it, events cannot be told from duplicates", path.display());
        Err(Fault::new(Blame::Operator, what, "put it back, or begin a new epoch of this site's journal"))
    }

    pub fn contracts(&self) -> Result<Vec<Known>, Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT id, key, size FROM contract ORDER BY id")?;
            let known = |row: &rusqlite::Row| Ok(Known { id: row.get(0)?, key: row.get(1)?, size: count(row.get(2)?) });
            statement.query_map([], known)?.collect()
        })
    }

    pub fn contract(&self, key: &str) -> Result<Option<Known>, Fault> {
        Ok(self.contracts()?.into_iter().find(|known| known.key == key))
    }

    /// A contract version that is new here; its id.
    pub fn add_contract(&self, key: &str) -> Result<i64, Fault> {
        self.db.run("write", |c| {
            c.execute("INSERT INTO contract (key, size) VALUES (?, 0)", [key])?;
            Ok(c.last_insert_rowid())
        })
    }

    /// Notes that the predictions log is about to grow from `old` to `new`; a file that was behind stays behind.
    pub fn advance(&self, key: &str, old: u64, new: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("UPDATE contract SET size = ? WHERE key = ? AND size >= ?")?;
            statement.execute(params![int(new), key, int(old)]).map(|_| ())
        })
    }

    /// Deletes the rows from `size` on: a crash left them before their records were durable. Nothing beyond `size` is
    /// vouched for any more: should a journal that is longer come back, this file is behind it.
    pub fn sweep(&self, contract: i64, size: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("DELETE FROM event WHERE contract = ? AND position >= ?")?;
            statement.execute(params![contract, int(size)])?;
            let mut statement = c.prepare_cached("UPDATE contract SET size = ?2 WHERE id = ?1 AND size > ?2")?;
            statement.execute(params![contract, int(size)]).map(|_| ())
        })
    }

    pub fn add(&self, contract: i64, position: u64, event_id: &str, salt: &[u8; 16]) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO event (contract, position, event_id, salt) VALUES (?, ?, ?, ?)";
            let mut statement = c.prepare_cached(sql)?;
            statement.execute(params![contract, int(position), event_id, salt]).map(|_| ())
        })
    }

    /// Position of the prediction of `event_id`.
    pub fn position(&self, contract: i64, event_id: &str) -> Result<Option<u64>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT position FROM event WHERE contract = ? AND event_id = ?";
            let mut statement = c.prepare_cached(sql)?;
            statement.query_row(params![contract, event_id], |row| row.get(0).map(count)).optional()
        })
    }

    /// Position, event id and salt of each event of a range of positions, in order.
    pub fn events(&self, contract: i64, range: &Range<u64>) -> Result<Vec<(u64, String, [u8; 16])>, Fault> {
        let sql = "SELECT position, event_id, salt FROM event
                   WHERE contract = ? AND position >= ? AND position < ? ORDER BY position";
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            let rows = statement.query_map(params![contract, int(range.start), int(range.end)], |row| {
                Ok((count(row.get(0)?), row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        })
    }
}

/// By position, so that new events are appended and leftovers are a range at the end; the index finds them by id.
const SCHEMA: &str = "
CREATE TABLE contract (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL) STRICT;
CREATE TABLE event (
  contract INTEGER NOT NULL, position INTEGER NOT NULL, event_id TEXT NOT NULL, salt BLOB NOT NULL,
  PRIMARY KEY (contract, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_by_id ON event (contract, event_id);
";
