//! What was said to the aggregator and heard from it: signed releases, abstentions and disputes with their receipts, the
//! reports, and a copy of the registry.
//!
//! A release (any other document likewise) is `prepared` (its exact bytes are durable), then `ready` (the ledger names it too),
//! then `received` (with a verified receipt) or `refused` (final, with the aggregator's reason). Its bytes never change.
//! Whether what is ready may leave is for [`crate::leave`] to say.
//! Altered by others, this file gives itself away: signatures, receipts and the registry are checked again when they are
//! read.

mod beats;
mod document;
mod reports;

pub use beats::Beat;
pub use document::{Kind, Listed, Outgoing, State};
pub use reports::Compared;

use crate::db::Db;
use document::{amends_of, word_of};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::time::{Time, Window};
use fedaudit_link::protocol::{Document, Refused};
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeSet;
use std::path::Path;

/// The outbox of a home.
pub struct Outbox {
    db: Db,
}

const SCHEMA: &str = "
    CREATE TABLE release (
        plan BLOB NOT NULL, sequence INTEGER NOT NULL, window_start INTEGER NOT NULL, window_end INTEGER NOT NULL,
        kind TEXT NOT NULL, amends BLOB NOT NULL,
        digest BLOB NOT NULL UNIQUE, envelope BLOB NOT NULL, artifact BLOB NOT NULL, salt BLOB NOT NULL,
        state TEXT NOT NULL, answer TEXT,
        PRIMARY KEY (plan, sequence), UNIQUE (plan, window_start, kind, amends)
    ) STRICT;
    CREATE TABLE draft (digest BLOB PRIMARY KEY, artifact BLOB NOT NULL) STRICT;
    CREATE TABLE registry (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL, artifact BLOB NOT NULL) STRICT;
    CREATE TABLE report (plan BLOB NOT NULL, position INTEGER NOT NULL, envelope BLOB NOT NULL, json BLOB NOT NULL,
        proof TEXT NOT NULL, found TEXT NOT NULL, PRIMARY KEY (plan, position)) STRICT;
    CREATE TABLE seen (origin TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT;
";
const COLUMNS: &str = "plan, window_start, window_end, sequence, envelope, artifact, salt, state, answer, kind, amends";

impl Outbox {
    /// Makes the outbox of a new home.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn create(home: &Path) -> Result<(), Fault> {
        Db::create(&home.join("outbox.sqlite"), SCHEMA, |_| Ok(()))
    }

    /// Opens the outbox of a home.
    ///
    /// # Errors
    /// A file that is missing or no outbox of this version.
    pub fn open(home: &Path) -> Result<Outbox, Fault> {
        let db = Db::open(&home.join("outbox.sqlite"))?;
        db.run("open", |c| c.execute_batch(beats::SCHEMA))?;
        Ok(Outbox { db })
    }

    /// All releases without their bytes, by plan and sequence.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, Fault> {
        let read = |row: &rusqlite::Row| {
            Ok(Listed {
                plan: Digest(row.get(0)?),
                window: Window { start: Time(row.get(1)?), end: Time(row.get(2)?) },
                sequence: row.get::<_, i64>(3)?.try_into().unwrap_or(u64::MAX),
                state: word_of(row, 4, &State::ALL)?,
                refusal: row.get(5)?,
                envelope: Digest(row.get(6)?),
                kind: word_of(row, 7, &Kind::ALL)?,
                amends: amends_of(row, 8)?,
            })
        };
        self.db.run("list the releases of", |c| {
            c.prepare_cached(
                "SELECT plan, window_start, window_end, sequence, state, iif(state = 'refused', answer, NULL), digest,
                        kind, amends
                 FROM release ORDER BY plan, sequence",
            )?
            .query_map([], read)?
            .collect()
        })
    }

    /// All releases with their bytes, by plan and sequence.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn releases(&self) -> Result<Vec<Outgoing>, Fault> {
        self.select("ORDER BY plan, sequence", params![])
    }

    /// Releases that the ledger may not name yet, by plan and sequence.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn prepared(&self) -> Result<Vec<Outgoing>, Fault> {
        self.select("WHERE state = 'prepared' ORDER BY plan, sequence", params![])
    }

    /// The last release or abstention of `plan`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn last_of(&self, plan: &Digest) -> Result<Option<Outgoing>, Fault> {
        Ok(self.select("WHERE plan = ?1 ORDER BY sequence DESC LIMIT 1", params![plan.0])?.pop())
    }

    /// A release or abstention by its envelope's digest.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(&self, envelope: &Digest) -> Result<Option<Outgoing>, Fault> {
        Ok(self.select("WHERE digest = ?1", params![envelope.0])?.pop())
    }

    fn select(&self, tail: &str, values: impl rusqlite::Params) -> Result<Vec<Outgoing>, Fault> {
        let read = |row: &rusqlite::Row| {
            Ok(Outgoing {
                plan: Digest(row.get(0)?),
                window: Window { start: Time(row.get(1)?), end: Time(row.get(2)?) },
                sequence: row.get::<_, i64>(3)?.try_into().unwrap_or(u64::MAX),
                envelope: row.get(4)?,
                artifact: row.get(5)?,
                salt: row.get(6)?,
                state: word_of(row, 7, &State::ALL)?,
                answer: row.get(8)?,
                kind: word_of(row, 9, &Kind::ALL)?,
                amends: amends_of(row, 10)?,
            })
        };
        self.db.run("read releases of", |c| {
            let mut statement = c.prepare_cached(&format!("SELECT {COLUMNS} FROM release {tail}"))?;
            statement.query_map(values, read)?.collect()
        })
    }

    /// Keeps the exact bytes of what was just signed; it is durable when this returns.
    ///
    /// # Errors
    /// A second document for the number, a second abstention for the window, a second release for the window that does
    /// not amend the latest: nothing was kept.
    pub fn prepare(&self, release: &Outgoing) -> Result<(), Fault> {
        self.db.run("keep a release in", |c| {
            c.execute(
                "INSERT INTO release VALUES (?1, ?2, ?3, ?4, ?9, ?10, ?5, ?6, ?7, ?8, 'prepared', NULL)",
                params![
                    release.plan.0,
                    i64::try_from(release.sequence).unwrap_or(i64::MAX),
                    release.window.start.0,
                    release.window.end.0,
                    Digest::of(&release.envelope).0,
                    release.envelope,
                    release.artifact,
                    release.salt,
                    release.kind.word(),
                    release.amends.as_ref().map_or(&[][..], |amends| &amends.0)
                ],
            )
            .map(|_| ())
        })
    }

    /// The ledger names the release: it may be sent.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn mark_ready(&self, envelope: &Digest) -> Result<(), Fault> {
        self.mark(envelope, "ready", None, "prepared")
    }

    /// Keeps a verified receipt, and the log checkpoint in it as seen.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn mark_received(&self, envelope: &Digest, receipt: &str, origin: &str, note: &str) -> Result<(), Fault> {
        self.db.begin()?;
        let done = self
            .mark(envelope, "received", Some(receipt), "ready")
            .and_then(|()| self.keep_seen(origin, note))
            .and_then(|()| self.db.commit());
        if done.is_err() {
            self.db.rollback();
        }
        done
    }

    /// Keeps the aggregator's final refusal.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn mark_refused(&self, envelope: &Digest, refused: &Refused) -> Result<(), Fault> {
        let reason = format!("{}: {} (hint: {})", refused.blame, refused.refusal, refused.hint);
        self.mark(envelope, "refused", Some(&reason), "ready")
    }

    /// Keeps the `release.json` of what waits for the steward.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn keep_draft(&self, artifact: &[u8]) -> Result<(), Fault> {
        self.db.run("keep a draft in", |c| {
            c.execute("INSERT OR REPLACE INTO draft VALUES (?1, ?2)", params![Digest::of(artifact).0, artifact])
                .map(|_| ())
        })
    }

    /// The `release.json` of a draft, if it is here and is what its digest says.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn draft(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        let found: Option<Vec<u8>> = self.db.run("read a draft of", |c| {
            c.query_row("SELECT artifact FROM draft WHERE digest = ?1", params![digest.0], |row| row.get(0)).optional()
        })?;
        Ok(found.filter(|artifact| Digest::of(artifact) == *digest))
    }

    /// Forgets the drafts that wait no more.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn keep_only_drafts(&self, waiting: &BTreeSet<Digest>) -> Result<(), Fault> {
        self.db.run("forget drafts in", |c| {
            let mut kept = c.prepare_cached("SELECT digest FROM draft")?;
            let kept: Vec<[u8; 32]> = kept.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            for digest in kept.iter().filter(|digest| !waiting.contains(&Digest(**digest))) {
                c.execute("DELETE FROM draft WHERE digest = ?1", params![digest])?;
            }
            Ok(())
        })
    }

    fn mark(&self, envelope: &Digest, state: &str, answer: Option<&str>, from: &str) -> Result<(), Fault> {
        self.db.run("mark a release in", |c| {
            c.execute(
                "UPDATE release SET state = ?2, answer = ?3 WHERE digest = ?1 AND state = ?4",
                params![envelope.0, state, answer, from],
            )
            .map(|_| ())
        })
    }

    /// The last verified checkpoint of each of the aggregator's logs.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn seen(&self) -> Result<Vec<String>, Fault> {
        self.db.run("read checkpoints of", |c| {
            c.prepare_cached("SELECT note FROM seen ORDER BY origin")?.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The last verified checkpoint of one log.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn seen_of(&self, origin: &str) -> Result<Option<String>, Fault> {
        self.db.run("read a checkpoint of", |c| {
            c.query_row("SELECT note FROM seen WHERE origin = ?1", [origin], |row| row.get(0)).optional()
        })
    }

    /// Keeps a checkpoint, unless another process of this home has seen a larger one.
    fn keep_seen(&self, origin: &str, note: &str) -> Result<(), Fault> {
        let size = |note: &str| note.lines().nth(1).and_then(|size| size.parse::<u64>().ok());
        if self.seen_of(origin)?.is_some_and(|seen| size(&seen) > size(note)) {
            return Ok(());
        }
        self.db.run("keep a checkpoint in", |c| {
            c.execute("INSERT INTO seen VALUES (?1, ?2) ON CONFLICT (origin) DO UPDATE SET note = ?2", [origin, note])
                .map(|_| ())
        })
    }

    /// How many entries of the registry are here.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn registry_size(&self) -> Result<u64, Fault> {
        let count: i64 = self
            .db
            .run("count the registry in", |c| c.query_row("SELECT count(*) FROM registry", [], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }

    /// The registry's entries: envelope and artifact, in order.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn registry(&self) -> Result<Vec<Document>, Fault> {
        self.db.run("read the registry in", |c| {
            c.prepare_cached("SELECT envelope, artifact FROM registry ORDER BY position")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Keeps verified registry entries from `from` on, and the checkpoint over them.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn keep_registry(&self, from: u64, entries: &[Document], origin: &str, note: &str) -> Result<(), Fault> {
        let from =
            i64::try_from(from).map_err(|_| Fault::new(Blame::Aggregator, "an index beyond 2^63", "report it"))?;
        self.db.begin()?;
        let kept = self.db.run("keep the registry in", |c| {
            // Another process of this home may have kept the same entries meanwhile.
            let mut insert = c.prepare_cached("INSERT OR IGNORE INTO registry VALUES (?1, ?2, ?3)")?;
            for (position, (envelope, artifact)) in (from..).zip(entries) {
                insert.execute(params![position, envelope, artifact])?;
            }
            Ok(())
        });
        let done = kept.and_then(|()| self.keep_seen(origin, note)).and_then(|()| self.db.commit());
        if done.is_err() {
            self.db.rollback();
        }
        done
    }
}
