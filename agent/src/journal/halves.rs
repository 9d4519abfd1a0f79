//! What waits in the sidecar for another message of the same event: it identifies, and it is gone when it is joined, or
//! has waited for [`WAITING_DAYS`]; and the keys of events that sampling left out, so that they are counted once.
//!
//! A message that waits was acknowledged, and the sidecar commits before the journal. So one that is joined is not
//! deleted but marked with the size of the predictions log before the batch: the next batch deletes it if the log has
//! grown beyond, and else, the journal having lost the batch, lets it wait again. One that is counted came in a batch
//! that made the log grow; where it has not, the message was never acknowledged, and goes.

use super::events::LabelRow;
use super::ids::Key;
use super::sidecar::Sidecar;
use crate::db::{damaged, int};
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::{HOUR_NS, Time};
use rusqlite::{OptionalExtension as _, params};

/// A message that waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Half {
    /// Its row.
    pub id: i64,
    /// What sort of message.
    pub side: u8,
    /// Start of the hour in which it is counted.
    pub hour: Time,
    /// Whether it was counted there.
    pub counted: bool,
    /// The message, coded.
    pub bytes: Vec<u8>,
}

impl Sidecar {
    /// Whether anything waits.
    pub fn any_half(&self, contract: i64) -> Result<bool, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT EXISTS (SELECT 1 FROM half WHERE contract = ? AND until IS NULL)";
            c.prepare_cached(sql)?.query_row([contract], |row| row.get(0))
        })
    }

    /// Messages that wait for `event_id`, in the order in which they came.
    pub fn halves(&self, contract: i64, event_id: &str) -> Result<Vec<Half>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT id, side, hour, since IS NOT NULL, bytes FROM half
                       WHERE contract = ? AND event_id = ? AND until IS NULL ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let half = |row: &rusqlite::Row| {
                let hour = Time(row.get(2)?);
                Ok(Half { id: row.get(0)?, side: row.get(1)?, hour, counted: row.get(3)?, bytes: row.get(4)? })
            };
            statement.query_map(params![contract, event_id], half)?.collect()
        })
    }

    /// Keeps a message that comes `now` until another one comes; `counted` if the journal's log grows by that.
    pub fn add_half(
        &self,
        contract: i64,
        event_id: &str,
        (counted, now): (bool, Option<Time>),
        (side, hour, bytes): (u8, Time, &[u8]),
    ) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO half (contract, event_id, side, hour, bytes, since, came)
                       SELECT id, ?2, ?3, ?4, ?5, iif(?6, size, NULL), ?7 FROM contract WHERE id = ?1";
            let mut statement = c.prepare_cached(sql)?;
            let came = now.map(|now| now.0);
            statement.execute(params![contract, event_id, side, hour.0, bytes, counted, came]).map(|_| ())
        })
    }

    /// Forgets messages that came [`WAITING_DAYS`] before `now`, some at a time: as they were counted, they stay.
    pub fn forget_halves(&self, now: Time) -> Result<(), Fault> {
        let before = now.plus_ns(-WAITING_DAYS * 24 * HOUR_NS).0;
        self.db.run("write", |c| {
            // Rows are in the order in which they came.
            let oldest = "SELECT came < ? FROM half WHERE came IS NOT NULL ORDER BY id LIMIT 1";
            let waited: Option<bool> = c.prepare_cached(oldest)?.query_row([before], |row| row.get(0)).optional()?;
            if waited == Some(true) {
                let sql = "DELETE FROM half WHERE came < ?1 AND id IN (SELECT id FROM half ORDER BY id LIMIT 1000)";
                c.prepare_cached(sql)?.execute([before])?;
            }
            Ok(())
        })
    }

    /// Keeps the keys of events that a batch leaves out, until a run holds them.
    pub fn add_skipped(&self, contract: i64, keys: &[Key]) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO skipped (contract, since, keys) SELECT id, size, ?2 FROM contract WHERE id = ?1";
            c.prepare_cached(sql)?.execute(params![contract, keys.as_flattened()]).map(|_| ())
        })
    }

    /// The keys of events that were left out and are in no run yet.
    pub fn skipped(&self) -> Result<Vec<Key>, Fault> {
        self.db.run("read", |c| {
            let mut statement = c.prepare("SELECT keys FROM skipped")?;
            let rows: Vec<Vec<u8>> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(rows.iter().flat_map(|keys| keys.as_chunks::<16>().0).copied().collect())
        })
    }

    /// Forgets a message that was joined, once the journal holds what it was joined to.
    pub fn drop_half(&self, id: i64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "UPDATE half SET until = (SELECT size FROM contract WHERE id = half.contract) WHERE id = ?";
            c.prepare_cached(sql)?.execute([id]).map(|_| ())
        })
    }

    /// Carries out what the batch before meant for messages, or, if the journal lost it, takes it back.
    pub fn sweep_halves(&self, contract: i64, size: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            for sql in [
                "DELETE FROM skipped WHERE contract = ? AND since >= ?",
                "DELETE FROM half WHERE contract = ? AND since >= ?",
                "DELETE FROM half WHERE contract = ? AND until < ?",
                "UPDATE half SET until = NULL WHERE contract = ? AND until >= ?",
            ] {
                c.prepare_cached(sql)?.execute(params![contract, int(size)])?;
            }
            Ok(())
        })
    }

    /// Keeps a label until its event comes; false if it waits already.
    pub fn add_label(&self, contract: i64, row: &LabelRow, came: (bool, Option<Time>)) -> Result<bool, Fault> {
        let of = (row.label, row.labelled_at, row.weight);
        let bytes = codec::encode(&of).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
        if self.halves(contract, &row.event_id)?.iter().any(|half| half.side == LABEL && half.bytes == bytes) {
            return Ok(false);
        }
        self.add_half(contract, &row.event_id, came, (LABEL, row.labelled_at.hour_start(), &bytes))?;
        Ok(true)
    }

    /// Takes the labels that wait for an event, and whether each was counted.
    pub fn take_labels(&self, contract: i64, event_id: &str) -> Result<Vec<(LabelRow, bool)>, Fault> {
        let mut labels = Vec::new();
        for half in self.halves(contract, event_id)?.into_iter().filter(|half| half.side == LABEL) {
            let decoded = codec::decode::<(u64, Time, u32)>(&half.bytes);
            let (label, labelled_at, weight) =
                decoded.map_err(|e| damaged(&self.db.path, format!("a label that waits: {e}")))?;
            labels.push((LabelRow { event_id: event_id.to_owned(), label, labelled_at, weight }, half.counted));
            self.drop_half(half.id)?;
        }
        Ok(labels)
    }
}

/// Days that a message waits for the other one of its event.
const WAITING_DAYS: i64 = 30;
/// A label whose event is not there yet.
pub(super) const LABEL: u8 = 0;
