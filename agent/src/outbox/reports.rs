//! Reports that the aggregator showed, and what came of comparing them with this site's receipts.

use super::Outbox;
use crate::ship::SeenReport;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use rusqlite::params;

/// A report that was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The plan.
    pub plan: Digest,
    /// Its index in the plan's log.
    pub index: u64,
    /// The envelope.
    pub envelope: Vec<u8>,
    /// What was found, a line.
    pub found: String,
}

impl Outbox {
    /// The index from which on reports in a plan's log were not seen yet.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next_report(&self, plan: &Digest) -> Result<u64, Fault> {
        let next: i64 = self.db.run("read the reports of", |c| {
            let query = "SELECT coalesce(max(position) + 1, 0) FROM report WHERE plan = ?1";
            c.query_row(query, params![plan.0], |row| row.get(0))
        })?;
        Ok(next.unsigned_abs())
    }

    /// Every report that was compared, by plan and index.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn compared(&self) -> Result<Vec<Compared>, Fault> {
        let read = |row: &rusqlite::Row| {
            let index: i64 = row.get(1)?;
            Ok(Compared {
                plan: Digest(row.get(0)?),
                index: index.unsigned_abs(),
                envelope: row.get(2)?,
                found: row.get(3)?,
            })
        };
        self.db.run("read the reports of", |c| {
            c.prepare_cached("SELECT plan, position, envelope, found FROM report ORDER BY plan, position")?
                .query_map([], read)?
                .collect()
        })
    }

    /// Keeps what was found of a report, and the log checkpoint that came with it as seen. Of one that is disputed
    /// `report.json` stays as well: it is evidence.
    ///
    /// # Errors
    /// A disk that fails: nothing was kept.
    pub fn keep_report(&self, plan: &Digest, report: &SeenReport, found: &str, disputed: bool) -> Result<(), Fault> {
        let json = if disputed { &report.json[..] } else { &[] };
        let position = i64::try_from(report.index).unwrap_or(i64::MAX);
        self.db.begin()?;
        let kept = self.db.run("keep a report in", |c| {
            // Another process of this home may have compared it meanwhile.
            let values = params![plan.0, position, report.envelope, json, report.proof, found];
            c.execute("INSERT OR IGNORE INTO report VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values).map(|_| ())
        });
        let done = kept.and_then(|()| self.keep_seen(&report.origin, &report.note)).and_then(|()| self.db.commit());
        if done.is_err() {
            self.db.rollback();
        }
        done
    }
}
