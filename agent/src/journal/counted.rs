//! What intake has counted since the sidecar began, for people: the journal's tallies are the truth, and a sum of all of them
//! would be a walk through all of it.
//!
//! The sidecar commits before the journal: a count carries what it was before the batch, and takes that again if the
//! journal lost the batch.

use super::sidecar::Sidecar;
use crate::db::int;
use fedaudit_core::event::TallyKind;
use fedaudit_core::fault::Fault;
use rusqlite::params;
use std::collections::BTreeMap;

impl Sidecar {
    /// Adds what a batch counts under a contract version, once a batch.
    pub fn add_counts(&self, contract: i64, changes: &BTreeMap<TallyKind, i64>) -> Result<(), Fault> {
        let sql = "INSERT INTO counted (contract, kind, count, since, was) SELECT id, ?2, ?3, size, 0 FROM contract WHERE id = ?1
                   ON CONFLICT DO UPDATE SET was = count, count = count + excluded.count, since = excluded.since";
        self.db.run("write", |c| {
            let mut statement = c.prepare_cached(sql)?;
            changes
                .iter()
                .try_for_each(|(kind, change)| statement.execute(params![contract, *kind as i64, change]).map(|_| ()))
        })
    }

    /// Takes back what a batch counted that the journal lost.
    pub(super) fn sweep_counts(&self, contract: i64, size: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "UPDATE counted SET count = was, since = -1 WHERE contract = ? AND since >= ?";
            c.prepare_cached(sql)?.execute(params![contract, int(size)]).map(|_| ())
        })
    }

    /// All counts above none, by `<contract>/<version>`.
    pub fn counts(&self) -> Result<BTreeMap<String, BTreeMap<TallyKind, u64>>, Fault> {
        let rows: Vec<(String, u16, i64)> = self.db.run("read", |c| {
            let sql =
                "SELECT contract.key, kind, count FROM counted JOIN contract ON contract.id = contract WHERE count > 0";
            c.prepare_cached(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })?;
        let mut counts: BTreeMap<String, BTreeMap<TallyKind, u64>> = BTreeMap::new();
        for (key, kind, count) in rows {
            if let (Some(kind), Ok(count)) = (TallyKind::ALL.get(usize::from(kind)), u64::try_from(count)) {
                counts.entry(key).or_default().insert(*kind, count);
            }
        }
        Ok(counts)
    }
}
