//! Heartbeats: durable before they are sent, the exact bytes until the receipt is verified. Of those received, the last
//! one is kept.

use super::{Outbox, Outgoing};
use crate::db::int;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Time;
use rusqlite::{OptionalExtension as _, params};

/// A signed heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// Number within the site.
    pub sequence: u64,
    /// When it was signed.
    pub at: Time,
    /// The envelope's exact bytes.
    pub envelope: Vec<u8>,
    /// `heartbeat.json`.
    pub artifact: Vec<u8>,
    /// The receipt, once it is verified.
    pub receipt: Option<String>,
}

/// Homes that were made before there were heartbeats get the table when they are opened.
pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS heartbeat (
        sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, envelope BLOB NOT NULL, artifact BLOB NOT NULL, receipt TEXT
    ) STRICT;
";

impl Outbox {
    /// Keeps what was just signed, or what the aggregator showed to be logged; it is durable when this returns.
    ///
    /// # Errors
    /// A second heartbeat with the number: nothing was kept.
    pub fn keep_beat(&self, beat: &Beat) -> Result<(), Fault> {
        self.db.run("keep a heartbeat in", |c| {
            c.execute(
                "INSERT INTO heartbeat VALUES (?1, ?2, ?3, ?4, ?5)",
                params![int(beat.sequence), beat.at.0, beat.envelope, beat.artifact, beat.receipt],
            )
            .map(|_| ())
        })
    }

    /// The last heartbeat.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn last_beat(&self) -> Result<Option<Beat>, Fault> {
        self.beat("ORDER BY sequence DESC LIMIT 1")
    }

    /// The last heartbeat whose receipt is here.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn received_beat(&self) -> Result<Option<Beat>, Fault> {
        self.beat("WHERE receipt IS NOT NULL ORDER BY sequence DESC LIMIT 1")
    }

    /// The heartbeat that is sent next, again if need be: the first without a receipt.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn pending_beat(&self) -> Result<Option<Beat>, Fault> {
        self.beat("WHERE receipt IS NULL ORDER BY sequence LIMIT 1")
    }

    fn beat(&self, tail: &str) -> Result<Option<Beat>, Fault> {
        self.db.run("read heartbeats of", |c| {
            c.query_row(&format!("SELECT sequence, at, envelope, artifact, receipt FROM heartbeat {tail}"), [], |row| {
                Ok(Beat {
                    sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                    at: Time(row.get(1)?),
                    envelope: row.get(2)?,
                    artifact: row.get(3)?,
                    receipt: row.get(4)?,
                })
            })
            .optional()
        })
    }

    /// Keeps a verified receipt, and the log checkpoint in it as seen.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn beat_received(&self, sequence: u64, receipt: &str, origin: &str, note: &str) -> Result<(), Fault> {
        self.together(|| {
            self.db.run("keep a receipt in", |c| {
                c.execute("UPDATE heartbeat SET receipt = ?2 WHERE sequence = ?1", params![int(sequence), receipt])?;
                c.execute("DELETE FROM heartbeat WHERE sequence < ?1", params![int(sequence)]).map(|_| ())
            })?;
            self.keep_seen(origin, note)
        })
    }

    /// Forgets the heartbeats without a receipt: the aggregator will never take them.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn forget_beats(&self) -> Result<(), Fault> {
        self.db
            .run("forget heartbeats in", |c| c.execute("DELETE FROM heartbeat WHERE receipt IS NULL", []).map(|_| ()))
    }

    /// Forgets the documents of a plan from a number on that have no receipt, and, with `reports`, that its reports were compared.
    ///
    /// # Errors
    /// A disk that fails: nothing was forgotten.
    pub fn forget(&self, plan: &Digest, from: u64, reports: bool) -> Result<(), Fault> {
        let sql = "DELETE FROM release WHERE plan = ?1 AND sequence >= ?2 AND state <> 'received'";
        self.together(|| {
            self.db.run("forget releases in", |c| c.execute(sql, params![plan.0, int(from)]).map(|_| ()))?;
            if reports {
                let sql = "DELETE FROM report WHERE plan = ?1";
                self.db.run("forget reports in", |c| c.execute(sql, params![plan.0]).map(|_| ()))?;
            }
            Ok(())
        })
    }

    /// Takes a document of this site that the outbox lost and the aggregator logged, with its verified receipt.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn adopt(&self, document: &Outgoing, receipt: &str, origin: &str, note: &str) -> Result<(), Fault> {
        let envelope = Digest::of(&document.envelope);
        self.together(|| {
            self.prepare(document)?;
            self.mark(&envelope, "received", Some(receipt), "prepared")?;
            self.keep_seen(origin, note)
        })
    }

    /// The same for a heartbeat.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn adopt_beat(&self, beat: &Beat, origin: &str, note: &str) -> Result<(), Fault> {
        self.together(|| {
            self.keep_beat(beat)?;
            self.keep_seen(origin, note)
        })
    }

    /// All of it, or nothing.
    fn together(&self, work: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        self.db.begin()?;
        let done = work().and_then(|()| self.db.commit());
        if done.is_err() {
            self.db.rollback();
        }
        done
    }
}
