//! Sequence numbers of sources: what never came, and what came late, is counted where it belongs.
//!
//! The sidecar commits before the journal. So what a batch changes here carries the size of the predictions log before it:
//! if the log has not grown beyond when the next batch begins, the journal lost the batch, and what was before holds.

use super::sidecar::Sidecar;
use crate::db::{count, int};
use fedaudit_core::fault::Fault;
use fedaudit_core::time::{HOUR_NS, Time};
use rusqlite::{OptionalExtension as _, params};
use std::collections::HashMap;
use std::ops::Range;

/// Numbers that a source may leave out at once; more of them, and it has begun to count anew.
const GAP: u64 = 1_000_000;

/// Hours after its last event in which a source is silent; then it is one that is no more.
const SILENT_HOURS: i64 = 31 * 24;

/// The sources of a batch, as far as it has met them.
#[derive(Debug, Default)]
pub(super) struct Sources {
    known: HashMap<String, Source>,
}

/// Where a source is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Source {
    /// The number that is due.
    next: u64,
    /// Latest event.
    seen: Time,
    /// Until when its silence was counted.
    quiet: Time,
}

impl Source {
    /// The silence from the hour after the latest event to that of `until`, as far as it has not been counted; it is now.
    fn silence(&mut self, until: Time) -> Range<Time> {
        let seen = self.seen.hour_start();
        let from = seen.plus_ns(HOUR_NS).max(self.quiet);
        let end = until.hour_start().min(seen.plus_ns(SILENT_HOURS * HOUR_NS)).max(from);
        self.quiet = end;
        from..end
    }
}

/// The hours of a silence.
pub(super) fn hours(silence: Range<Time>) -> impl Iterator<Item = Time> {
    std::iter::successors(Some(silence.start), |hour| Some(hour.plus_ns(HOUR_NS)))
        .take_while(move |hour| *hour < silence.end)
}

/// What a number says of the numbers before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Followed {
    /// It was due, or is the source's first.
    InTurn,
    /// So many before it have not come.
    After(u64),
    /// It comes late; the hour in which it was counted as missing, if it was.
    Late(Option<Time>),
}

/// A source for people: what came of it, and what did not.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceReport {
    /// `<contract>/<version>`.
    pub contract: String,
    /// Its name.
    pub name: String,
    /// When its latest event occurred.
    pub seen: Time,
    /// Ranges of numbers that never came, first and last of each; at most 100.
    pub missing: Vec<(u64, u64)>,
}

impl Sources {
    /// Takes in the number of an event that is new; with the source's silence before it.
    pub fn follow(
        &mut self,
        sidecar: &Sidecar,
        contract: i64,
        name: &str,
        number: u64,
        at: Time,
    ) -> Result<(Followed, Range<Time>), Fault> {
        let stored = match self.known.get(name) {
            Some(source) => Some(*source),
            None => sidecar.source(contract, name)?,
        };
        let Some(mut source) = stored else {
            self.known
                .insert(name.to_owned(), Source { next: number.saturating_add(1), seen: at, quiet: at.hour_start() });
            return Ok((Followed::InTurn, at..at));
        };
        let silence = source.silence(at);
        source.seen = source.seen.max(at);
        let far = number.saturating_sub(source.next) > GAP;
        let followed = if far {
            // A source that counts anew, such as by the clock: nobody lost that many.
            source.next = number.saturating_add(1);
            Followed::InTurn
        } else if number < source.next {
            Followed::Late(sidecar.fill(contract, name, number)?)
        } else {
            let missing = number - source.next;
            if missing > 0 {
                sidecar.add_gap(contract, name, source.next..number, at.hour_start())?;
            }
            source.next = number.saturating_add(1);
            if missing > 0 { Followed::After(missing) } else { Followed::InTurn }
        };
        self.known.insert(name.to_owned(), source);
        Ok((followed, silence))
    }

    /// The silence of each source until a time, as far as it has not been counted.
    pub fn silent(&mut self, sidecar: &Sidecar, contract: i64, until: Time) -> Result<Vec<Range<Time>>, Fault> {
        let stored: Vec<(String, Source)> = sidecar.db.run("read", |c| {
            let sql = "SELECT next, seen, quiet, name FROM source WHERE contract = ?";
            c.prepare_cached(sql)?.query_map([contract], |row| Ok((row.get(3)?, source(row)?)))?.collect()
        })?;
        let mut silences = Vec::new();
        for (name, mut source) in stored {
            let silence = source.silence(until);
            if !silence.is_empty() {
                silences.push(silence);
                self.known.insert(name, source);
            }
        }
        Ok(silences)
    }

    /// Writes where the sources are now.
    pub fn keep(&mut self, sidecar: &Sidecar, contract: i64) -> Result<(), Fault> {
        let sql = "INSERT INTO source (contract, name, next, seen, quiet, since)
                   SELECT id, ?2, ?3, ?4, ?5, size FROM contract WHERE id = ?1
                   ON CONFLICT DO UPDATE SET was_next = next, was_seen = seen, was_quiet = quiet, next = excluded.next,
                     seen = excluded.seen, quiet = excluded.quiet, since = excluded.since";
        self.known.drain().try_for_each(|(name, source)| {
            sidecar.db.run("write", |c| {
                let mut statement = c.prepare_cached(sql)?;
                statement.execute(params![contract, name, int(source.next), source.seen.0, source.quiet.0]).map(|_| ())
            })
        })
    }
}

fn source(row: &rusqlite::Row) -> rusqlite::Result<Source> {
    Ok(Source { next: count(row.get(0)?), seen: Time(row.get(1)?), quiet: Time(row.get(2)?) })
}

impl Sidecar {
    fn source(&self, contract: i64, name: &str) -> Result<Option<Source>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT next, seen, quiet FROM source WHERE contract = ? AND name = ?";
            let mut statement = c.prepare_cached(sql)?;
            statement.query_row(params![contract, name], source).optional()
        })
    }

    fn add_gap(&self, contract: i64, name: &str, gap: std::ops::Range<u64>, hour: Time) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO gap (contract, name, first, last, hour, since)
                       SELECT id, ?2, ?3, ?4, ?5, size FROM contract WHERE id = ?1";
            let mut statement = c.prepare_cached(sql)?;
            statement.execute(params![contract, name, int(gap.start), int(gap.end - 1), hour.0]).map(|_| ())
        })
    }

    /// Takes a number out of the gap that it is in; the hour in which the gap was counted.
    fn fill(&self, contract: i64, name: &str, number: u64) -> Result<Option<Time>, Fault> {
        let gap: Option<(i64, u64, u64, Time)> = self.db.run("read", |c| {
            let sql = "SELECT id, first, last, hour FROM gap WHERE contract = ?1 AND name = ?2 AND first <= ?3
                       AND until IS NULL ORDER BY first DESC LIMIT 1";
            let mut statement = c.prepare_cached(sql)?;
            let gap =
                |row: &rusqlite::Row| Ok((row.get(0)?, count(row.get(1)?), count(row.get(2)?), Time(row.get(3)?)));
            statement.query_row(params![contract, name, int(number)], gap).optional()
        })?;
        let Some((id, first, last, hour)) = gap.filter(|(_, _, last, _)| number <= *last) else { return Ok(None) };
        self.db.run("write", |c| {
            let sql = "UPDATE gap SET until = (SELECT size FROM contract WHERE id = gap.contract) WHERE id = ?";
            c.prepare_cached(sql)?.execute([id]).map(|_| ())
        })?;
        if first < number {
            self.add_gap(contract, name, first..number, hour)?;
        }
        if number < last {
            self.add_gap(contract, name, number + 1..last + 1, hour)?;
        }
        Ok(Some(hour))
    }

    /// Takes back what a batch changed that the journal lost; what it closed for good goes.
    pub(super) fn sweep_sources(&self, contract: i64, size: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            for sql in [
                "DELETE FROM source WHERE contract = ? AND since >= ? AND was_next IS NULL",
                "UPDATE source SET next = was_next, seen = was_seen, quiet = was_quiet, since = -1 WHERE contract = ? AND since >= ?",
                "DELETE FROM gap WHERE contract = ? AND since >= ?",
                "DELETE FROM gap WHERE contract = ? AND until < ?",
                "UPDATE gap SET until = NULL WHERE contract = ? AND until >= ?",
            ] {
                c.prepare_cached(sql)?.execute(params![contract, int(size)])?;
            }
            Ok(())
        })
    }

    /// All sources, for people.
    pub fn sources(&self) -> Result<Vec<SourceReport>, Fault> {
        let sql = "SELECT contract.key, name, seen, contract FROM source JOIN contract ON contract.id = contract
                   ORDER BY contract.key, name";
        let rows: Vec<(SourceReport, i64)> = self.db.run("read", |c| {
            let report = |row: &rusqlite::Row| {
                let (contract, name, missing) = (row.get(0)?, row.get(1)?, Vec::new());
                Ok((SourceReport { contract, name, seen: Time(row.get(2)?), missing }, row.get(3)?))
            };
            c.prepare_cached(sql)?.query_map([], report)?.collect()
        })?;
        let with_gaps = rows.into_iter().map(|(mut report, contract)| {
            report.missing = self.db.run("read", |c| {
                let sql = "SELECT first, last FROM gap WHERE contract = ? AND name = ? AND until IS NULL ORDER BY first LIMIT 100";
                let mut statement = c.prepare_cached(sql)?;
                let gap = |row: &rusqlite::Row| Ok((count(row.get(0)?), count(row.get(1)?)));
                statement.query_map(params![contract, report.name], gap)?.collect()
            })?;
            Ok(report)
        });
        with_gaps.collect()
    }
}
