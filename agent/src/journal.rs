//! The journal: what the model did and what became of it, as Merkle logs in a folder of SQLite segments.
//!
//! A log's records are numbered from 0 and never change. Every 1,024 make a block, whose subtree root is stored with a
//! zone map when it fills; below that nothing is stored, and the open block is hashed again when the journal is opened.
//! The newest segment alone is written to, under a lock that all programs of this home take; readers take none.
//!
//! For each store, the worst if someone alters it: segments: a changed record no longer fits its block's root
//! ([`Journal::verify`]), and a changed root no longer fits the checkpoints that others hold. Sidecar: an event may be
//! taken for new or for a duplicate; what is in the journal stands.

mod answer;
mod batch;
mod chunk;
mod counted;
mod erase;
mod events;
mod halves;
mod head;
mod ids;
mod intake;
mod prove;
mod read;
mod sampling;
pub(crate) mod sealed;
mod segment;
mod sequence;
mod sidecar;
mod thaw;
mod verify;
#[cfg(test)]
pub(crate) mod tests;

pub use answer::{aggregate, count_together, count_transitions, span};
pub use erase::Found;
pub(crate) use events::check;
pub use events::{EventRow, Item, LabelRow, RowResult};
pub use intake::Rules;
pub use rand::rngs::StdRng;
pub use read::Seen;
pub use sampling::Sampling;
pub use sequence::SourceReport;
pub use verify::{JournalReport, LogReport};

use batch::{Batch, IdsAt};
use fedaudit_core::event::{LedgerEntry, Record, TallyKind};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{ProofError, consistency_proof, node_hash, root_at};
use fedaudit_core::note::Checkpoint;
use fedaudit_link::home::{self, Lock};
use head::Heads;
use segment::{Dictionary, LogRow, Segment};
use sidecar::Sidecar;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the log of what the site did.
pub const LEDGER: &str = "ledger";
/// Records after which a new segment is begun; a segment then has some 500 MB.
pub const SEGMENT_RECORDS: u64 = 4_000_000;

/// An open journal. It may be moved between threads; each program and thread opens its own.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    lock: PathBuf,
    segment_records: u64,
    /// Never empty; the last one is written to.
    segments: Vec<Segment>,
    sidecar: Sidecar,
    /// What the last batch left; read again where another program has written since.
    heads: Heads,
    /// Which ids are known; read at the first batch of events.
    ids: IdsAt,
    #[cfg(test)]
    stop: Option<batch::Step>,
}

impl Journal {
    /// Makes the journal of a home.
    ///
    /// Crash order: folder, sidecar, first segment; only with the last of them is there a journal, and until then a
    /// further attempt completes the first.
    ///
    /// # Errors
    /// There is one already, or it cannot be written.
    pub fn create(home: &Path) -> Result<Journal, Fault> {
        home::create_dir_private(home)?;
        let lock = Lock::acquire(&home.join(LOCK))?;
        let first = Segment::path(&home.join(FOLDER), 1);
        if first.exists() {
            let what = format!("{} holds a journal already", home.display());
            return Err(Fault::new(Blame::Operator, what, "use it, or name another home"));
        }
        home::create_dir_private(&home.join(FOLDER))?;
        let sidecar = home.join(SIDECAR);
        if !sidecar.exists() {
            Sidecar::create(&sidecar, &home::os_random())?;
        }
        Segment::create(&first, &[], &Dictionary::default())?;
        drop(lock);
        Journal::open(home)
    }

    /// Opens the journal of a home, clears away what a crash left and hashes the open blocks again.
    ///
    /// # Errors
    /// No journal, a schema version that this program does not know, or an open block that is damaged.
    pub fn open(home: &Path) -> Result<Journal, Fault> {
        let folder = home.join(FOLDER);
        let segments = segment::following(&folder, 0)?;
        if segments.is_empty() {
            let what = format!("{} holds no journal", home.display());
            return Err(Fault::new(Blame::Operator, what, "check the path; has this home been initialised?"));
        }
        let mut journal = Journal {
            folder,
            lock: home.join(LOCK),
            segment_records: SEGMENT_RECORDS,
            segments,
            sidecar: Sidecar::open(&home.join(SIDECAR))?,
            heads: Heads::default(),
            ids: IdsAt { folder: home.join(IDS), open_limit: ids::OPEN_ENTRIES, ids: None },
            #[cfg(test)]
            stop: None,
        };
        journal.check_chain()?;
        // Recovery is a batch without records.
        journal.write(|_| Ok(()))?;
        Ok(journal)
    }

    /// The same journal with another size of segments than [`SEGMENT_RECORDS`].
    #[must_use]
    pub fn with_segment_records(mut self, records: u64) -> Self {
        self.segment_records = records;
        self
    }

    /// Moves what is committed from the write-ahead logs to its place, as far as that keeps nobody waiting: whoever
    /// writes then finds little of it left to do.
    ///
    /// # Errors
    /// The disk fails.
    pub fn tidy_logs(&mut self) -> Result<(), Fault> {
        self.notice_segments()?;
        last_of(&self.segments)?.db.move_log()?;
        self.sidecar.db.move_log()
    }

    /// The sources that number their events, and the numbers that never came.
    ///
    /// # Errors
    /// The sidecar cannot be read.
    pub fn sources(&self) -> Result<Vec<SourceReport>, Fault> {
        self.sidecar.sources()
    }

    /// What intake has counted beside events since this home began, by `<contract>/<version>`.
    ///
    /// # Errors
    /// The sidecar cannot be read.
    pub fn counts(&self) -> Result<BTreeMap<String, BTreeMap<TallyKind, u64>>, Fault> {
        self.sidecar.counts()
    }

    /// Records of a log; 0 for one that does not exist.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn size(&mut self, log: &str) -> Result<u64, Fault> {
        Ok(self.row(log)?.map_or(0, |row| row.size))
    }

    /// The names of all logs.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn logs(&mut self) -> Result<Vec<String>, Fault> {
        self.notice_segments()?;
        Ok(last_of(&self.segments)?.logs()?.into_iter().map(|log| log.name).collect())
    }

    /// Appends to the ledger in one durable transaction.
    ///
    /// # Errors
    /// Nothing was appended; or, where only the last step failed, it may have been: read the ledger.
    pub fn append(&mut self, entries: &[LedgerEntry], rng: &mut StdRng) -> Result<(), Fault> {
        self.roll_over(false, rng)?;
        self.write(|batch| entries.iter().try_for_each(|entry| batch.put_ledger(entry.clone(), rng)))
    }

    /// Fills the open block of a log with pads, so that a checkpoint can leave; its size then, a multiple of 1,024.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn pad(&mut self, log: &str, rng: &mut StdRng) -> Result<u64, Fault> {
        self.pad_to(log, 1, rng)
    }

    /// Fills a log with pads up to a multiple of so many blocks, so that its size tells the less; its size then. With more
    /// than one block, a log without records is filled, too.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn pad_to(&mut self, log: &str, blocks: u32, rng: &mut StdRng) -> Result<u64, Fault> {
        self.write(|batch| pad(batch, log, blocks, rng))
    }

    /// The checkpoint of a log's first `size` records, to be signed under the name `origin`.
    ///
    /// # Errors
    /// `size` is not a block boundary within the log.
    pub fn checkpoint(&mut self, log: &str, size: u64, origin: &str) -> Result<Checkpoint, Fault> {
        let blocks = self.block_roots(log, size)?;
        let root = root_at(size, |level, index| subtree(&blocks, level, index)).map_err(proof_fault)?;
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }

    /// The proof that the log's first `old` records are a prefix of its first `new`.
    ///
    /// # Errors
    /// `old` is above `new`, or one of them is not a block boundary within the log.
    pub fn consistency(&mut self, log: &str, old: u64, new: u64) -> Result<Vec<Digest>, Fault> {
        self.check_boundary(log, old)?;
        let blocks = self.block_roots(log, new)?;
        consistency_proof(old, new, |level, index| subtree(&blocks, level, index)).map_err(proof_fault)
    }

    /// Runs one batch: under the lock, from the state that is stored, durable when this returns.
    fn write<T>(&mut self, work: impl FnOnce(&mut Batch) -> Result<T, Fault>) -> Result<T, Fault> {
        let _lock = Lock::acquire(&self.lock)?;
        self.notice_segments()?;
        self.batch(work)
    }

    /// [`Journal::write`] for those that hold the lock.
    fn batch<T>(&mut self, work: impl FnOnce(&mut Batch) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut batch = Batch::begin(&self.segments, &self.sidecar, &mut self.heads, &mut self.ids)?;
        #[cfg(test)]
        batch.stop_at(self.stop);
        let done = work(&mut batch).and_then(|answer| batch.commit().map(|()| answer));
        if done.is_err() {
            // Whether or not a commit came through: the next batch starts from what is stored.
            batch.rollback();
            self.heads = Heads::default();
            self.ids.ids = None;
        }
        done
    }

    /// Opens segments that another program has begun.
    fn notice_segments(&mut self) -> Result<(), Fault> {
        let more = segment::following(&self.folder, self.segments.len())?;
        if !more.is_empty() {
            if let Some(last) = self.segments.last_mut() {
                last.learn_ends()?;
            }
            self.segments.extend(more);
            self.notice_deletions()?;
        }
        Ok(())
    }

    /// Begins a new segment if the last one is full, or anyhow, and says in the ledger where the old one ended.
    ///
    /// Crash order: (1) pads fill the open blocks, so that a segment holds whole ones, (2) the new file appears, with the
    /// sizes that it carries on, (3) the ledger's first record in it names the old one. What a crash left out is done by
    /// the next batch.
    fn roll_over(&mut self, anyhow: bool, rng: &mut StdRng) -> Result<(), Fault> {
        let _lock = Lock::acquire(&self.lock)?;
        self.notice_segments()?;
        let last = last_of(&self.segments)?;
        let length = last.len()?;
        if length >= self.segment_records.max(1) || (anyhow && length > 0) {
            let logs = last.logs()?;
            self.batch(|batch| logs.iter().try_for_each(|log| pad(batch, &log.name, 1, rng).map(|_| ())))?;
            let last = last_of(&self.segments)?;
            let number = u32::try_from(self.segments.len() + 1).unwrap_or(u32::MAX);
            Segment::create(&Segment::path(&self.folder, number), &last.logs()?, &last.dictionary()?)?;
            self.notice_segments()?;
        }
        let carried = last_of(&self.segments)?.logs()?;
        let sealed = carried.iter().any(|log| log.name == LEDGER && log.size > log.start);
        if self.segments.len() < 2 || sealed {
            return Ok(());
        }
        let segment = u32::try_from(self.segments.len() - 1).unwrap_or(u32::MAX);
        let mut logs = Vec::new();
        for log in carried {
            let blocks = self.blocks(&log, log.start / BLOCK_RECORDS, None)?;
            let blocks: Vec<_> = blocks.into_iter().map(|block| block.root).collect();
            let root = root_at(log.start, |level, index| subtree(&blocks, level, index)).map_err(proof_fault)?;
            logs.push((log.name, log.start, root));
        }
        self.batch(|batch| batch.put_ledger(LedgerEntry::Sealed { segment, logs }, rng))
    }

    /// Closes the segment that is written to, if anything is in it.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn seal(&mut self, rng: &mut StdRng) -> Result<(), Fault> {
        self.roll_over(true, rng)
    }

    /// Each segment must carry on where the one before ended; files of different journals do not.
    fn check_chain(&self) -> Result<(), Fault> {
        for pair in self.segments.windows(2) {
            let (before, after) = (pair[0].logs()?, pair[1].logs()?);
            let carries_on = |log: &LogRow| match before.iter().find(|b| b.id == log.id) {
                Some(b) => b.name == log.name && b.size == log.start,
                None => log.start == 0,
            };
            if !(after.iter().all(carries_on) && before.iter().all(|b| after.iter().any(|a| a.id == b.id))) {
                return Err(crate::db::damaged(&pair[1].db.path, "does not carry on where the segment before it ends"));
            }
        }
        Ok(())
    }

    /// What the newest segment says of a log.
    fn row(&mut self, log: &str) -> Result<Option<LogRow>, Fault> {
        self.notice_segments()?;
        last_of(&self.segments)?.log(log)
    }

    fn check_boundary(&mut self, log: &str, size: u64) -> Result<(), Fault> {
        let have = self.size(log)?;
        if size.is_multiple_of(BLOCK_RECORDS) && size <= have {
            return Ok(());
        }
        let what =
            format!("{log} has no checkpoint at size {size}: it has {have} records in blocks of {BLOCK_RECORDS}");
        Err(Fault::new(Blame::Site, what, "ask for a multiple of 1,024 within the log; `pad` fills its open block"))
    }

    /// The roots of the blocks that make up the first `size` records.
    fn block_roots(&mut self, log: &str, size: u64) -> Result<Vec<Digest>, Fault> {
        self.check_boundary(log, size)?;
        let Some(row) = self.row(log)? else { return Ok(Vec::new()) };
        let blocks = self.blocks(&row, size / BLOCK_RECORDS, None)?;
        Ok(blocks.into_iter().map(|block| block.root).collect())
    }
}

/// Fills a log up to a multiple of so many blocks; its size then.
fn pad(batch: &mut Batch, log: &str, blocks: u32, rng: &mut StdRng) -> Result<u64, Fault> {
    let least = u64::from(blocks.max(1)) * BLOCK_RECORDS;
    let empty = if blocks > 1 { least } else { 0 };
    let full = batch.size(log).next_multiple_of(least).max(empty);
    if batch.size(log) < full {
        let at = batch.log(log)?;
        while batch.size(log) < full {
            batch.put(at, &Record::Pad, rng)?;
        }
    }
    Ok(batch.size(log))
}

/// The segment that is written to.
fn last_of(segments: &[Segment]) -> Result<&Segment, Fault> {
    segments.last().ok_or_else(|| Fault::new(Blame::Operator, "the journal has no segment", "report this"))
}

/// The hash of a subtree of blocks; nothing below a block is ever asked for.
fn subtree(blocks: &[Digest], level: u32, index: u64) -> Result<Digest, ProofError> {
    let unknown = || ProofError::Unaligned { level, size: index };
    let blocks_each = 1_usize.checked_shl(level.checked_sub(BLOCK_LEVEL).ok_or_else(unknown)?).ok_or_else(unknown)?;
    let start = usize::try_from(index).ok().and_then(|index| index.checked_mul(blocks_each)).ok_or_else(unknown)?;
    let end = start.checked_add(blocks_each).ok_or_else(unknown)?;
    let mut row = blocks.get(start..end).ok_or_else(unknown)?.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().ok_or_else(unknown)
}

fn proof_fault(error: ProofError) -> Fault {
    Fault::new(Blame::Site, format!("the journal's blocks: {error}"), "run `fedaudit-agent journal verify`")
}

/// Merkle level of a block's root.
const BLOCK_LEVEL: u32 = BLOCK_RECORDS.ilog2();
const FOLDER: &str = "journal";
const SIDECAR: &str = "sidecar.sqlite";
/// Files of sorted ids; they identify, and lie outside the journal's folder for it.
const IDS: &str = "ids";
const LOCK: &str = "journal.lock";
