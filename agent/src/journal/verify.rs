//! Checking a whole journal against itself: every record is hashed again, and all that is derived is derived again.

use super::batch::{OUTCOMES, PREDICTIONS, predictions_log};
use super::head::{OpenBlock, zone_value};
use super::ids::Ids;
use super::read::{decode_strictly as decode, scan};
use super::sealed::gone;
use super::segment::{Block, Dictionary, LogRow, Model, Segment};
use super::sidecar::{Known, NO_IDS};
use super::{BLOCK_LEVEL, Journal, LEDGER, last_of};
use crate::db::damaged;
use fedaudit_core::event::{LedgerEntry, Outcome, Record};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{Frontier, leaf_hash};
use fedaudit_link::home::Lock;
use std::ops::Range;
use std::path::PathBuf;

/// A journal that was found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalReport {
    /// Its files.
    pub segments: usize,
    /// Its logs, in the order in which they began.
    pub logs: Vec<LogReport>,
    /// Predictions whose event id is no longer in the sidecar.
    pub erased: u64,
}

/// A log of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogReport {
    /// Name.
    pub name: String,
    /// Records, pads included.
    pub size: u64,
    /// Pads among them.
    pub pads: u64,
    /// Counts of intake among them.
    pub tallies: u64,
    /// Root over all records, those of the open block included.
    pub root: Digest,
}

impl LogReport {
    /// What it holds, in words.
    pub fn counts(&self) -> String {
        let real = self.size.saturating_sub(self.pads + self.tallies);
        let noun = match &self.name {
            name if name.starts_with(PREDICTIONS) => "prediction",
            name if name.starts_with(OUTCOMES) => "outcome",
            _ => "record",
        };
        let plural = if real == 1 { "" } else { "s" };
        let more = |count: u64, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
        format!("{real} {noun}{plural}{}{}", more(self.pads, "padding"), more(self.tallies, "tallies"))
    }
}

impl Journal {
    /// Reads everything: each position of each log is there once, each record hashes to its block's root, the open
    /// blocks to theirs, and zones, indices, model versions and sidecar say what the records say.
    ///
    /// # Errors
    /// The first thing found that is not so, with its file and place.
    pub fn verify(&mut self) -> Result<JournalReport, Fault> {
        self.notice_segments()?;
        self.check_chain()?;
        for segment in &self.segments {
            segment.db.check_pages()?;
        }
        self.sidecar.db.check_pages()?;
        // Files of ids come and go while they are read; under the lock they do not, but others wait for it.
        if Ids::verify(&self.ids.folder, &self.sidecar).is_err() {
            let _lock = Lock::acquire(&self.lock)?;
            Ids::verify(&self.ids.folder, &self.sidecar)?;
        }
        let last = last_of(&self.segments)?;
        // One state of the newest file throughout; the others do not change. The sidecar is read later, and so is
        // never behind it.
        last.db.run("read", |c| c.execute_batch("BEGIN"))?;
        let report = self.verify_snapshot(last);
        last.db.rollback();
        self.check_deleted()?;
        report
    }

    fn verify_snapshot(&self, last: &Segment) -> Result<JournalReport, Fault> {
        let mut report = JournalReport { segments: self.segments.len(), logs: Vec::new(), erased: 0 };
        let rows = last.logs()?;
        let dictionary = last.dictionary()?;
        let known = self.sidecar.contracts()?;
        if !rows.iter().any(|row| row.name == LEDGER) && dictionary != Dictionary::default() {
            return Err(damaged(&last.db.path, "says what codes mean, but has no ledger"));
        }
        for row in &rows {
            let mut check = LogCheck::new(self, row, &dictionary, &known)?;
            check.run()?;
            report.logs.push(LogReport {
                name: row.name.clone(),
                size: row.size,
                pads: check.pads,
                tallies: check.tallies,
                root: check.whole.root(),
            });
            report.erased += check.erased;
        }
        let sql = "SELECT (SELECT count(*) FROM chunk WHERE key >> 44 NOT IN (SELECT id FROM log) OR key = ?1)
                   + (SELECT count(*) FROM block WHERE log NOT IN (SELECT id FROM log))";
        for segment in &self.segments {
            if segment.count(sql, -1)? > 0 {
                return Err(damaged(&segment.db.path, "holds rows of a log that it does not list"));
            }
        }
        Ok(report)
    }
}

/// The check of one log.
struct LogCheck<'a> {
    journal: &'a Journal,
    row: &'a LogRow,
    path: &'a PathBuf,
    dictionary: &'a Dictionary,
    /// What the ledger's records define.
    defined: Dictionary,
    known: Option<&'a Known>,
    predictions: Option<LogRow>,
    blocks: Vec<Block>,
    /// Positions whose records are in the archive.
    gone: Vec<Range<u64>>,
    open: OpenBlock,
    whole: Frontier,
    pads: u64,
    tallies: u64,
    outcomes: u64,
    erased: u64,
}

impl<'a> LogCheck<'a> {
    fn new(
        journal: &'a Journal,
        row: &'a LogRow,
        dictionary: &'a Dictionary,
        known: &'a [Known],
    ) -> Result<Self, Fault> {
        let last = last_of(&journal.segments)?;
        let predictions = match row.name.strip_prefix(OUTCOMES) {
            Some(key) => last.log(&predictions_log(key))?,
            None => None,
        };
        Ok(LogCheck {
            journal,
            row,
            path: &last.db.path,
            dictionary,
            defined: Dictionary::default(),
            known: row.name.strip_prefix(PREDICTIONS).and_then(|key| known.iter().find(|known| known.key == key)),
            predictions,
            blocks: journal.blocks(row, row.size / BLOCK_RECORDS, None)?,
            gone: gone(&journal.segments, &row.name)?.into_iter().map(|(_, range)| range).collect(),
            open: OpenBlock::default(),
            whole: Frontier::new(),
            pads: 0,
            tallies: 0,
            outcomes: 0,
            erased: 0,
        })
    }

    fn is_gone(&self, position: u64) -> bool {
        self.gone.iter().any(|range| range.contains(&position))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Fault {
        damaged(self.path, format!("{}: {what}", self.row.name))
    }

    fn run(&mut self) -> Result<(), Fault> {
        self.check_counts()?;
        for number in 0..=self.row.size / BLOCK_RECORDS {
            self.check_block(number)?;
        }
        if self.row.name == LEDGER && self.defined != *self.dictionary {
            return Err(self.wrong("it does not define what the segment says that codes mean"));
        }
        Ok(())
    }

    /// Each segment holds as many rows as it says; with [`scan`], each position is there once.
    fn check_counts(&self) -> Result<(), Fault> {
        let mut blocks = 0;
        for segment in &self.journal.segments {
            blocks += segment.count("SELECT count(*) FROM block WHERE log = ?", self.row.id)?;
            // What belongs here is looked at block by block; here, that there is nothing more.
            let (start, size) = segment.log(&self.row.name)?.map_or((0, 0), |row| (row.start, row.size));
            for range in [0..start, size..u64::MAX] {
                segment.records(self.row.id, &range, &mut |position, _| {
                    let what = format!("{}: record {position} is not listed: {start} to {size} are", self.row.name);
                    Err(damaged(&segment.db.path, what))
                })?;
            }
        }
        if blocks == self.row.size / BLOCK_RECORDS {
            return Ok(());
        }
        Err(self.wrong(format!("{blocks} blocks are stored for {} records", self.row.size)))
    }

    fn check_block(&mut self, number: u64) -> Result<(), Fault> {
        let start = number * BLOCK_RECORDS;
        if self.is_gone(start) {
            // What the archive holds is checked there.
            let root = self.blocks.get(usize::try_from(number).unwrap_or(usize::MAX)).map(|block| block.root);
            let root = root.ok_or_else(|| self.wrong(format!("block {number} has no root")))?;
            return self.whole.push_subtree(BLOCK_LEVEL, root).map_err(|error| self.wrong(error));
        }
        let range = start..(start + BLOCK_RECORDS).min(self.row.size);
        let mut records = Vec::new();
        let mut full = None;
        let (journal, row) = (self.journal, self.row);
        scan(&journal.segments, row, range.clone(), &mut |position, bytes| {
            let record = decode(self.path, row, position, bytes)?;
            let leaf = leaf_hash(bytes);
            if row.size - start < BLOCK_RECORDS {
                self.whole.push(leaf);
            }
            full = self.open.push(leaf, zone_value(&record));
            records.push((position, record));
            Ok(())
        })?;
        if let Some((root, zone)) = full {
            let place = format!("block {number} (records {} to {})", range.start, range.end);
            match self.blocks.get(usize::try_from(number).unwrap_or(usize::MAX)) {
                Some(block) if block.root != root => {
                    return Err(self.wrong(format!("{place} does not hash to its stored root")));
                }
                Some(block) if block.zone == zone => {}
                _ => return Err(self.wrong(format!("the zone of {place} is not that of its records"))),
            }
            self.whole.push_subtree(BLOCK_LEVEL, root).map_err(|error| self.wrong(error))?;
        } else if self.open.root() != row.tail {
            let what = format!("the records {start} to {} do not hash to the stored root", range.end);
            return Err(self.wrong(what));
        }
        for (position, record) in &records {
            self.check_record(*position, record)?;
        }
        if self.row.name.starts_with(PREDICTIONS) { self.check_sidecar(&range, &records) } else { Ok(()) }
    }

    fn check_record(&mut self, position: u64, record: &Record) -> Result<(), Fault> {
        let name = &self.row.name;
        match record {
            Record::Pad => self.pads += 1,
            Record::Tally(_) if name.starts_with(PREDICTIONS) => self.tallies += 1,
            Record::Prediction(prediction) if name.starts_with(PREDICTIONS) => {
                if prediction.model_version as usize >= self.dictionary.models.len() {
                    let what = format!("record {position} has model version {}, undefined", prediction.model_version);
                    return Err(self.wrong(what));
                }
            }
            Record::Outcome(outcome) if name.starts_with(OUTCOMES) => {
                self.outcomes += 1;
                self.check_outcome(position, outcome)?;
            }
            Record::Ledger(entry) if name == LEDGER => {
                self.define(position, entry)?;
            }
            _ => return Err(self.wrong(format!("record {position} is of a kind that does not belong into this log"))),
        }
        Ok(())
    }

    /// Codes are defined in turn.
    fn define(&mut self, position: u64, entry: &LedgerEntry) -> Result<(), Fault> {
        let defined = &mut self.defined;
        let in_turn = match entry {
            LedgerEntry::ModelVersion { code, model, version, digest, dataset } => {
                let (model, version) = (model.clone(), version.clone());
                defined.models.push(Model { model, version, digest: *digest, dataset: *dataset });
                *code as usize + 1 == defined.models.len()
            }
            LedgerEntry::Term { code, text } => {
                defined.terms.push(text.clone());
                *code as usize + 1 == defined.terms.len()
            }
            LedgerEntry::Sampling { tier, one_in, .. } => {
                defined.tiers.push(*one_in);
                *tier as usize == defined.tiers.len()
            }
            _ => true,
        };
        if in_turn { Ok(()) } else { Err(self.wrong(format!("record {position} defines a code out of turn"))) }
    }

    fn check_outcome(&self, position: u64, outcome: &Outcome) -> Result<(), Fault> {
        let size = self.predictions.as_ref().map_or(0, |row| row.size);
        if outcome.prediction >= size || outcome.label > fedaudit_core::event::SCORE_ONE {
            return Err(self.wrong(format!("record {position} labels no prediction")));
        }
        let Some(previous) = outcome.previous else { return Ok(()) };
        let mut same = self.is_gone(previous);
        if previous < position && !same {
            scan(&self.journal.segments, self.row, previous..previous + 1, &mut |at, bytes| {
                let earlier = decode(self.path, self.row, at, bytes)?;
                same = matches!(earlier, Record::Outcome(earlier) if earlier.prediction == outcome.prediction);
                Ok(())
            })?;
        }
        if same {
            return Ok(());
        }
        Err(self.wrong(format!("record {position} points back to {previous}, which is no outcome of its prediction")))
    }

    /// Every event id of the range belongs to a prediction there. Predictions without one were erased.
    fn check_sidecar(&mut self, range: &Range<u64>, records: &[(u64, Record)]) -> Result<(), Fault> {
        let path = &self.journal.sidecar.db.path;
        let size = self.known.map_or(0, |known| known.size);
        let restored = self.known.is_none() && self.journal.sidecar.state()?.0 == NO_IDS;
        if size < self.row.size && !restored {
            let what = format!("has seen {size} of the {} records of {}: it is older", self.row.size, self.row.name);
            return Err(damaged(path, what));
        }
        let mut identified = 0;
        if let Some(known) = self.known {
            self.journal.sidecar.identities(known.id, range, &mut |position, identity| {
                let at = usize::try_from(position - range.start).unwrap_or(usize::MAX);
                let own = matches!(records.get(at), Some((_, Record::Prediction(p))) if identity.is_of(p));
                identified += 1;
                let what = || format!("what identifies record {position} of {} is not its own", self.row.name);
                if own { Ok(()) } else { Err(damaged(path, what())) }
            })?;
        }
        let predictions = records.iter().filter(|(_, record)| matches!(record, Record::Prediction(_))).count() as u64;
        self.erased += predictions.saturating_sub(identified);
        Ok(())
    }
}
