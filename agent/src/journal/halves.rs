//! What waits in the sidecar for another message of the same event: it identifies, and it is gone when it is joined.
//!
//! A message that waits was acknowledged, and the sidecar commits before the journal. So one that is joined is not
//! deleted but marked with the size of the predictions log before the batch: the next batch deletes it if the log has
//! grown beyond, and else, the journal having lost the batch, lets it wait again. One that is counted came in a batch
//! that made the log grow; where it has not, the message was never acknowledged, and goes.

use super::events::LabelRow;
use super::sidecar::Sidecar;
use crate::db::{damaged, int};
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::Time;
use rusqlite::params;

/// A message that waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Half {
    /// Its row.
    pub id: i64,
    /// What sort of message.
    pub side: u8,
    /// Start of the hour in which it is counted.
    pub hour: Time,
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
            let sql = "SELECT id, side, hour, bytes FROM half
                       WHERE contract = ? AND event_id = ? AND until IS NULL ORDER BY id";
            let mut statement = c.prepare_cached(sql)?;
            let half = |row: &rusqlite::Row| {
                Ok(Half { id: row.get(0)?, side: row.get(1)?, hour: Time(row.get(2)?), bytes: row.get(3)? })
            };
            statement.query_map(params![contract, event_id], half)?.collect()
        })
    }

    /// Keeps a message until another one comes; `counted` if the journal's log grows by that.
    pub fn add_half(
        &self,
        contract: i64,
        event_id: &str,
        counted: bool,
        (side, hour, bytes): (u8, Time, &[u8]),
    ) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO half (contract, event_id, side, hour, bytes, since)
                       SELECT id, ?2, ?3, ?4, ?5, iif(?6, size, NULL) FROM contract WHERE id = ?1";
            let mut statement = c.prepare_cached(sql)?;
            statement.execute(params![contract, event_id, side, hour.0, bytes, counted]).map(|_| ())
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
    pub fn add_label(&self, contract: i64, row: &LabelRow, counted: bool) -> Result<bool, Fault> {
        let of = (row.label, row.labelled_at, row.weight);
        let bytes = codec::encode(&of).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
        if self.halves(contract, &row.event_id)?.iter().any(|half| half.side == LABEL && half.bytes == bytes) {
            return Ok(false);
        }
        self.add_half(contract, &row.event_id, counted, (LABEL, row.labelled_at.hour_start(), &bytes))?;
        Ok(true)
    }

    /// Takes the labels that wait for an event.
    pub fn take_labels(&self, contract: i64, event_id: &str) -> Result<Vec<LabelRow>, Fault> {
        let mut labels = Vec::new();
        for half in self.halves(contract, event_id)?.into_iter().filter(|half| half.side == LABEL) {
            let decoded = codec::decode::<(u8, Time, u32)>(&half.bytes);
            let (label, labelled_at, weight) =
                decoded.map_err(|e| damaged(&self.db.path, format!("a label that waits: {e}")))?;
            labels.push(LabelRow { event_id: event_id.to_owned(), label, labelled_at, weight });
            self.drop_half(half.id)?;
        }
        Ok(labels)
    }
}

/// A label whose event is not there yet.
pub(super) const LABEL: u8 = 0;
