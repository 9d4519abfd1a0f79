//! What identifies: event ids and their salts, subjects and their keys, where explanations lie. It lies outside the
//! journal's folder and its backups, and what it says of a subject may be erased; the journal then keeps random tokens.

use super::chunk::{self, CHUNK_BYTES, TooLong, each, key, position_of};
use super::segment::Visit;
use crate::db::{Db, count, damaged, int};
use fedaudit_core::codec;
use fedaudit_core::event::{Prediction, token};
use fedaudit_core::fault::{Blame, Fault};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// The open sidecar.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub db: Db,
}

/// The secret of a sidecar that stands in a backup for the one that is not in it: it knows no event that the journal
/// holds, and so none is taken in under these contracts.
pub(super) const NO_IDS: [u8; 16] = [0; 16];

/// A contract version that the sidecar knows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub id: i64,
    /// `<contract>/<version>`.
    pub key: String,
    /// Size of the predictions log that this file has seen. It is written before the journal, so it is never behind;
    /// if it is, this file is not the one that belongs to the journal, and it cannot say what is a duplicate.
    pub size: u64,
    /// Sizes of the predictions and the outcomes log that the runs of sorted ids cover.
    pub indexed: [u64; 2],
}

/// What identifies an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub event_id: String,
    /// Of the event's token, and of its features' HMAC.
    pub salt: [u8; 16],
    pub subject: Option<Subject>,
    /// Where an explanation of the prediction lies.
    pub explanation: Option<String>,
    /// Position of the outcome that came with the event: most come so, and need no entry among the sorted ids.
    pub outcome: Option<u64>,
}

/// The person whom an event concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Subject {
    /// What the site calls them.
    pub id: String,
    /// Of the subject's token, the same for all their events.
    pub key: [u8; 16],
    /// Position of the event of theirs before this one.
    pub previous: Option<u64>,
}

impl Identity {
    /// Whether the prediction's tokens are made of this.
    pub fn is_of(&self, prediction: &Prediction) -> bool {
        prediction.event_token == token(&self.salt, &self.event_id)
            && prediction.subject == self.subject.as_ref().map(|subject| token(&subject.key, &subject.id))
    }
}

/// A chunk of identities that was read.
#[derive(Debug, Default)]
pub(super) struct Around {
    bytes: Vec<u8>,
    /// Positions, ascending, and where the postcard of each stands.
    places: Vec<(u64, Range<usize>)>,
}

impl Around {
    /// Whether the chunk says of a position whether there is an identity.
    pub fn covers(&self, position: u64) -> bool {
        let [first, last] = [self.places.first(), self.places.last()].map(|place| place.map(|(at, _)| *at));
        first.is_some_and(|first| first <= position) && last.is_some_and(|last| position <= last)
    }

    /// What identifies the event at `position`; nothing if it was erased.
    pub fn identity(&self, of: &Sidecar, position: u64) -> Result<Option<Identity>, Fault> {
        let found = self.places.binary_search_by_key(&position, |(at, _)| *at).ok();
        let body = found.and_then(|at| self.bytes.get(self.places.get(at)?.1.clone()));
        let body = body.filter(|body| body.first().is_some_and(|byte| *byte != ERASED));
        body.map(codec::decode_own).transpose().map_err(|e| of.wrong(position, &e.to_string()))
    }
}

/// Identities on their way into the sidecar.
#[derive(Debug, Default)]
pub(super) struct Pending {
    contract: i64,
    first: u64,
    bytes: Vec<u8>,
}

impl Sidecar {
    pub fn create(path: &Path, secret: &[u8; 16]) -> Result<(), Fault> {
        let sql = "INSERT INTO state (id, secret, erasures) VALUES (1, ?, 0)";
        Db::create(path, SCHEMA, |db| db.execute(sql, [secret]).map(|_| ()))
    }

    pub fn open(path: &Path) -> Result<Self, Fault> {
        if path.is_file() {
            let db = Db::open(path)?;
            // What is erased is overwritten, not merely unlinked.
            db.run("open", |c| c.pragma_update(None, "secure_delete", 1))?;
            return Ok(Sidecar { db });
        }
        let what = format!("{} is missing; without it, events cannot be told from duplicates", path.display());
        Err(Fault::new(Blame::Operator, what, "put it back, or begin a new epoch of this site's journal"))
    }

    /// What keys the hashes by which ids are found, and how often something was erased.
    pub fn state(&self) -> Result<([u8; 16], u64), Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT secret, erasures FROM state")?;
            statement.query_row([], |row| Ok((row.get(0)?, count(row.get(1)?))))
        })
    }

    /// Notes that something is erased: other programs that know ids forget them.
    pub fn count_erasure(&self) -> Result<(), Fault> {
        self.db.run("write", |c| c.execute("UPDATE state SET erasures = erasures + 1", []).map(|_| ()))
    }

    /// Empties the write-ahead log, which may still hold what was erased.
    pub fn empty_log(&self) -> Result<(), Fault> {
        let busy: i64 = self
            .db
            .run("empty the log of", |c| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)))?;
        if busy == 0 {
            return Ok(());
        }
        let what = format!(
            "{}-wal is being read by another program and may still hold what was erased",
            self.db.path.display()
        );
        Err(Fault::new(Blame::Operator, what, "close programs that read this home, and erase once more"))
    }

    pub fn contracts(&self) -> Result<Vec<Known>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT id, key, size, predictions_indexed, outcomes_indexed FROM contract ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let known = |row: &rusqlite::Row| {
                let indexed = [count(row.get(3)?), count(row.get(4)?)];
                Ok(Known { id: row.get(0)?, key: row.get(1)?, size: count(row.get(2)?), indexed })
            };
            statement.query_map([], known)?.collect()
        })
    }

    pub fn contract(&self, key: &str) -> Result<Option<Known>, Fault> {
        Ok(self.contracts()?.into_iter().find(|known| known.key == key))
    }

    /// A contract version that is new here.
    pub fn add_contract(&self, key: &str) -> Result<Known, Fault> {
        let id = self.db.run("write", |c| {
            let sql = "INSERT INTO contract (key, size, predictions_indexed, outcomes_indexed) VALUES (?, 0, 0, 0)";
            c.execute(sql, [key])?;
            Ok(c.last_insert_rowid())
        })?;
        if id > CONTRACTS {
            let what = format!("this site journals more than {CONTRACTS} contract versions");
            return Err(Fault::new(Blame::Operator, what, "begin another home for the next"));
        }
        Ok(Known { id, key: key.to_owned(), size: 0, indexed: [0; 2] })
    }

    /// Notes that the predictions log is about to grow from `old` to `new`; a file that was behind stays behind.
    pub fn advance(&self, key: &str, old: u64, new: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("UPDATE contract SET size = ? WHERE key = ? AND size >= ?")?;
            statement.execute(params![int(new), key, int(old)]).map(|_| ())
        })
    }

    /// Notes which sizes the runs of sorted ids cover.
    pub fn set_indexed(&self, contract: i64, indexed: [u64; 2]) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "UPDATE contract SET predictions_indexed = ?, outcomes_indexed = ? WHERE id = ?";
            c.execute(sql, params![int(indexed[0]), int(indexed[1]), contract]).map(|_| ())
        })
    }

    /// Forgets the runs of sorted ids, which are then made again: one is lost, or they know more than the journal.
    pub fn forget_runs(&self) -> Result<(), Fault> {
        self.db.run("write", |c| {
            c.execute("DELETE FROM run", [])?;
            c.execute("UPDATE contract SET predictions_indexed = 0, outcomes_indexed = 0", [])?;
            c.execute("UPDATE state SET erasures = erasures + 1", []).map(|_| ())
        })
    }

    /// Deletes what is said of positions from `size` on: a crash left it before their records were durable. Nothing
    /// beyond `size` is vouched for any more: should a journal that is longer come back, this file is behind it.
    pub fn sweep(&self, contract: i64, size: u64) -> Result<(), Fault> {
        self.sweep_halves(contract, size)?;
        self.sweep_sources(contract, size)?;
        self.sweep_counts(contract, size)?;
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("DELETE FROM identity WHERE key BETWEEN ? AND ?")?;
            statement.execute([key(contract, size), key(contract, u64::MAX)])?;
            let mut statement = c.prepare_cached("UPDATE contract SET size = ?2 WHERE id = ?1 AND size > ?2")?;
            statement.execute(params![contract, int(size)]).map(|_| ())
        })
    }

    /// Adds the identity of the event at `position`.
    pub fn add(&self, pending: &mut Pending, contract: i64, position: u64, of: &impl Serialize) -> Result<(), Fault> {
        let full = pending.bytes.len() >= CHUNK_BYTES || pending.contract != contract;
        if full {
            self.flush(pending)?;
        }
        if pending.bytes.is_empty() {
            (pending.contract, pending.first) = (contract, position);
        }
        let offset = u32::try_from(position - pending.first).unwrap_or(u32::MAX);
        let pushed = chunk::push::<Fault>(&mut pending.bytes, |bytes| {
            bytes.extend(offset.to_be_bytes());
            codec::encode_onto(bytes, of).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))
        });
        pushed.map(|_| ())
    }

    /// Writes what is pending.
    pub fn flush(&self, pending: &mut Pending) -> Result<(), Fault> {
        if pending.bytes.is_empty() {
            return Ok(());
        }
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached("INSERT INTO identity (key, bytes) VALUES (?, ?)")?;
            statement.execute(params![key(pending.contract, pending.first), pending.bytes])
        })?;
        pending.bytes.clear();
        Ok(())
    }

    /// The chunk in which the identity of the event at `position` stands, if it does.
    pub fn around(&self, contract: i64, position: u64) -> Result<Around, Fault> {
        let mut around = Around::default();
        self.chunks(contract, &(position..position + 1), &mut |first, bytes| {
            let (mut places, mut end) = (Vec::new(), 0);
            for entry in each(bytes) {
                let (at, body) = self.place(first, entry)?;
                end += 2 + OFFSET_BYTES + body.len();
                places.push((at, end - body.len()..end));
            }
            around = Around { bytes: bytes.to_vec(), places };
            Ok(())
        })?;
        Ok(around)
    }

    /// Hands what identifies the events of a range of positions to `f`, in order.
    pub fn identities(
        &self,
        contract: i64,
        range: &Range<u64>,
        f: &mut dyn FnMut(u64, Identity) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.chunks(contract, range, &mut |first, bytes| {
            for entry in each(bytes) {
                let (position, body) = self.place(first, entry)?;
                if range.contains(&position) && body.first().is_some_and(|byte| *byte != ERASED) {
                    let identity = codec::decode_own(body);
                    f(position, identity.map_err(|e| self.wrong(position, &e.to_string()))?)?;
                }
            }
            Ok(())
        })
    }

    /// Overwrites what identifies the events at `positions` with zeros; how many there were.
    pub fn erase(&self, contract: i64, positions: &[u64]) -> Result<u64, Fault> {
        let mut erased = 0;
        for &at in positions {
            let Around { mut bytes, places } = self.around(contract, at)?;
            let first = places.first().map_or(at, |(first, _)| *first);
            let place = places.into_iter().find(|(position, _)| *position == at);
            let body = place.and_then(|(_, place)| bytes.get_mut(place));
            if let Some(body) = body.filter(|body| body.first().is_some_and(|byte| *byte != ERASED)) {
                body.fill(ERASED);
                self.db.run("erase in", |c| {
                    let mut statement = c.prepare_cached("UPDATE identity SET bytes = ? WHERE key = ?")?;
                    statement.execute(params![bytes, key(contract, first)])
                })?;
                erased += 1;
            }
        }
        Ok(erased)
    }

    /// Hands the chunks that may hold positions of a range to `f`: first position and bytes.
    fn chunks(&self, contract: i64, range: &Range<u64>, f: Visit) -> Result<(), Fault> {
        let sql = "SELECT key, bytes FROM identity
                   WHERE key >= coalesce((SELECT max(key) FROM identity WHERE key BETWEEN ?1 AND ?2), ?2) AND key < ?3
                   ORDER BY key";
        let fault = self.db.run("read", |c| {
            let mut statement = c.prepare_cached(sql)?;
            let keys = params![key(contract, 0), key(contract, range.start), key(contract, range.end)];
            let mut rows = statement.query(keys)?;
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
                if let Err(fault) = f(position_of(row.get(0)?), bytes) {
                    return Ok(Some(fault));
                }
            }
            Ok(None)
        })?;
        fault.map_or(Ok(()), Err)
    }

    /// Position and postcard of an entry.
    fn place<'a>(&self, first: u64, entry: Option<&'a [u8]>) -> Result<(u64, &'a [u8]), Fault> {
        let (offset, body) = entry
            .and_then(|entry| entry.split_first_chunk::<OFFSET_BYTES>())
            .ok_or_else(|| self.wrong(first, "it is cut"))?;
        Ok((first + u64::from(u32::from_be_bytes(*offset)), body))
    }

    fn wrong(&self, position: u64, what: &str) -> Fault {
        damaged(&self.db.path, format!("what identifies the event of record {position}: {what}"))
    }
}

impl From<TooLong> for Fault {
    fn from(TooLong: TooLong) -> Fault {
        Fault::new(Blame::Input, "an event has more than 65,535 bytes", "send shorter texts")
    }
}

/// An event id is never empty, so that a record of it never begins with this length.
const ERASED: u8 = 0;
const OFFSET_BYTES: usize = 4;
/// Contract versions of one journal: their ids fit into two bytes.
const CONTRACTS: i64 = 65_535;
/// Identities are chunks, as records are: the key is the contract's id << 44 | the position of the first. `half` holds
/// messages that wait for another one of the same event; `skipped` what sampling left out and no run holds yet;
/// `erasure` what the ledger may not say yet; `run` names the files of sorted ids.
const SCHEMA: &str = "
CREATE TABLE state (id INTEGER PRIMARY KEY, secret BLOB NOT NULL, erasures INTEGER NOT NULL) STRICT;
CREATE TABLE contract (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
  predictions_indexed INTEGER NOT NULL, outcomes_indexed INTEGER NOT NULL
) STRICT;
CREATE TABLE erasure (at INTEGER PRIMARY KEY, events INTEGER NOT NULL, ledger INTEGER NOT NULL) STRICT;
CREATE TABLE identity (key INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE half (
  id INTEGER PRIMARY KEY, contract INTEGER NOT NULL, event_id TEXT NOT NULL, side INTEGER NOT NULL,
  hour INTEGER NOT NULL, bytes BLOB NOT NULL, since INTEGER, until INTEGER, came INTEGER
) STRICT;
CREATE INDEX half_by_event ON half (contract, event_id, side);
CREATE INDEX half_by_since ON half (contract, since);
CREATE INDEX half_by_until ON half (contract, until);
CREATE TABLE skipped (id INTEGER PRIMARY KEY, contract INTEGER NOT NULL, since INTEGER NOT NULL, keys BLOB NOT NULL) STRICT;
CREATE INDEX skipped_by_since ON skipped (contract, since);
CREATE TABLE run (
  id INTEGER PRIMARY KEY, rank INTEGER NOT NULL UNIQUE, level INTEGER NOT NULL, entries INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;
CREATE TABLE source (
  contract INTEGER NOT NULL, name TEXT NOT NULL, next INTEGER NOT NULL, seen INTEGER NOT NULL,
  since INTEGER NOT NULL, was_next INTEGER, was_seen INTEGER, quiet INTEGER NOT NULL, was_quiet INTEGER,
  PRIMARY KEY (contract, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX source_by_since ON source (contract, since);
CREATE TABLE counted (
  contract INTEGER NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL, since INTEGER NOT NULL, was INTEGER NOT NULL,
  PRIMARY KEY (contract, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE gap (
  id INTEGER PRIMARY KEY, contract INTEGER NOT NULL, name TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  hour INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER
) STRICT;
CREATE INDEX gap_by_number ON gap (contract, name, first);
CREATE INDEX gap_by_since ON gap (contract, since);
CREATE INDEX gap_by_until ON gap (contract, until);
";
