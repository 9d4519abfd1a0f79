//! Finds what an id belongs to, without an index on a disk that is written at random, and without all ids in memory.
//!
//! Keys are keyed hashes of ids; values are positions. Those that came last are in a table in memory (some 13 MB); when
//! it is full it becomes a file of sorted keys, and eight of those become one. For each file a filter (10 bits a key)
//! and fences (half a bit) are kept in memory, so that an id that is new is not looked for on the disk. All of it can be
//! made again from the sidecar and the outcomes log; a file's name is a row of the sidecar's table `run`.

mod filter;
mod run;

use super::sidecar::Sidecar;
use crate::db::damaged;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_link::home;
use run::Run;
use rusqlite::params;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::path::{Path, PathBuf};

/// A keyed hash of an id. Uniform, so that it needs no further hashing.
pub(super) type Key = [u8; 16];

/// What ids are for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// An event id: the position of its prediction.
    Event = 1,
    /// A subject: the position of their last prediction.
    Subject = 2,
    /// A prediction's position: the position of its last outcome.
    Label = 3,
    /// An event id that sampling left out.
    Skipped = 4,
}

/// The ids of a journal.
#[derive(Debug)]
pub(super) struct Ids {
    folder: PathBuf,
    secret: [u8; 16],
    open: HashMap<Key, u64, BuildHasherDefault<First>>,
    /// Keys of the subjects whose events came last, so that the sidecar need not be asked.
    subjects: HashMap<Key, [u8; 16], BuildHasherDefault<First>>,
    /// Newest last.
    runs: Vec<Run>,
    /// Sizes of predictions and outcomes log, by contract, of which the ids are here.
    pub covered: BTreeMap<i64, [u64; 2]>,
    /// Entries in memory after which a run is written.
    open_limit: usize,
    /// How often something had been erased when they were loaded.
    erasures: u64,
}

impl Ids {
    /// What the sidecar lists; positions after what its runs cover must be put in by the caller.
    pub fn load(folder: &Path, sidecar: &Sidecar, open_limit: usize) -> Result<Self, Fault> {
        let runs = listed(sidecar)?;
        let runs = runs.into_iter().map(|(id, level)| Run::open(&path(folder, id), id, level));
        let covered = sidecar.contracts()?.into_iter().map(|known| (known.id, known.indexed)).collect();
        let runs = runs.collect::<Result<_, _>>()?;
        let (secret, erasures) = sidecar.state()?;
        // Room for all at once: a table that grows moves everything, and memory that is not touched takes none.
        let mut open = HashMap::with_capacity_and_hasher(open_limit, BuildHasherDefault::default());
        open.extend(sidecar.skipped()?.into_iter().map(|key| (key, 0)));
        let subjects = HashMap::default();
        Ok(Ids { folder: folder.to_owned(), secret, open, subjects, runs, covered, open_limit, erasures })
    }

    /// Whether another program has written or erased runs since they were loaded.
    pub fn is_stale(&self, sidecar: &Sidecar) -> Result<bool, Fault> {
        let listed = listed(sidecar)?;
        Ok(sidecar.state()?.1 != self.erasures
            || listed.len() != self.runs.len()
            || listed.iter().zip(&self.runs).any(|((id, _), run)| *id != run.id))
    }

    /// The key of an id within a contract version.
    pub fn key(&self, kind: Kind, contract: i64, id: &[u8]) -> Key {
        // One compression of SHA-256 for ids of up to 36 bytes, such as UUIDs.
        let contract = u16::try_from(contract).unwrap_or(u16::MAX).to_be_bytes();
        let hash = Sha256::new().chain_update(self.secret).chain_update([kind as u8]).chain_update(contract);
        let digest: [u8; 32] = hash.chain_update(id).finalize().into();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        key
    }

    /// The value put in last for a key.
    pub fn get(&self, key: &Key) -> Result<Option<u64>, Fault> {
        if let Some(value) = self.open.get(key) {
            return Ok(Some(*value));
        }
        for run in self.runs.iter().rev() {
            if let Some(value) = run.get(key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    pub fn put(&mut self, key: Key, value: u64) {
        self.open.insert(key, value);
    }

    /// Puts in a subject's last event, and the key of the subject's token.
    pub fn put_subject(&mut self, key: Key, position: u64, subject_key: [u8; 16]) {
        self.open.insert(key, position);
        self.subjects.insert(key, subject_key);
    }

    /// The key of a subject's token, if it is at hand.
    pub fn subject_key(&self, key: &Key) -> Option<[u8; 16]> {
        self.subjects.get(key).copied()
    }

    /// Writes a run if the table in memory is full. What is in it must be durable in the journal; the caller commits
    /// the sidecar.
    ///
    /// Crash order: (1) the file is durable, (2) the sidecar's transaction lists it and what it covers. A crash before
    /// (2) leaves a stray file, which the next run of that number replaces.
    pub fn seal_if_full(&mut self, sidecar: &Sidecar) -> Result<(), Fault> {
        if self.open.len() < self.open_limit {
            return Ok(());
        }
        // Another program may have left out some.
        self.open.extend(sidecar.skipped()?.into_iter().map(|key| (key, 0)));
        let mut entries: Vec<_> = self.open.iter().map(|(key, value)| (*key, *value)).collect();
        entries.sort_unstable();
        let run = self.write(sidecar, None, 0, entries.len(), &mut entries.into_iter().map(Ok))?;
        self.runs.push(run);
        self.open.clear();
        self.subjects.clear();
        sidecar.db.run("write", |c| c.execute("DELETE FROM skipped", []))?;
        for (contract, covered) in &self.covered {
            sidecar.set_indexed(*contract, *covered)?;
        }
        self.merge_if_many(sidecar)
    }

    /// Makes one run of the small ones, once there are [`MERGED`].
    fn merge_if_many(&mut self, sidecar: &Sidecar) -> Result<(), Fault> {
        let from = self.runs.iter().position(|run| run.level == 0).unwrap_or(self.runs.len());
        if self.runs.len() - from < MERGED {
            return Ok(());
        }
        let small = self.runs.split_off(from);
        let entries = small.iter().map(|run| run.entries).sum();
        let run = self.write(sidecar, None, 1, entries, &mut run::merged(&small)?)?;
        self.runs.push(run);
        small.iter().try_for_each(|run| unlist(sidecar, run.id).map(|_| ()))
    }

    /// Takes keys out of every run that holds one of them, and out of memory. The caller commits the sidecar; then
    /// [`Ids::clear_strays`] removes the files that held them.
    pub fn erase(&mut self, sidecar: &Sidecar, keys: &[Key]) -> Result<(), Fault> {
        for key in keys {
            self.open.remove(key);
            self.subjects.remove(key);
        }
        let mut gone = keys.to_vec();
        gone.sort_unstable();
        let runs = std::mem::take(&mut self.runs);
        for run in runs {
            let mut holds = false;
            for key in keys {
                holds |= run.get(key)?.is_some();
            }
            if !holds {
                self.runs.push(run);
                continue;
            }
            let kept = run::merged(std::slice::from_ref(&run))?;
            let mut kept = kept.filter(|entry| !matches!(entry, Ok((key, _)) if gone.binary_search(key).is_ok()));
            // The new run takes the place of the old one: values that came later win.
            let rank = unlist(sidecar, run.id)?;
            let made = self.write(sidecar, Some(rank), run.level, run.entries, &mut kept)?;
            self.runs.push(made);
        }
        sidecar.count_erasure()?;
        self.erasures += 1;
        Ok(())
    }

    /// Deletes files that no row lists: a crash, or a merge, left them.
    pub fn clear_strays(&self) {
        let Ok(files) = std::fs::read_dir(&self.folder) else { return };
        let listed: Vec<_> = self.runs.iter().map(|run| path(&self.folder, run.id)).collect();
        for file in files.flatten().filter(|file| !listed.contains(&file.path())) {
            // It takes space and is never read; the next opening tries again.
            let _ = std::fs::remove_file(file.path());
        }
    }

    /// Compares each run with the digest that the sidecar lists.
    pub fn verify(folder: &Path, sidecar: &Sidecar) -> Result<(), Fault> {
        let rows: Vec<(i64, [u8; 32])> = sidecar.db.run("read", |c| {
            let mut statement = c.prepare_cached("SELECT id, digest FROM run ORDER BY id")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        for (id, digest) in rows {
            let file = path(folder, id);
            let bytes = std::fs::read(&file).map_err(|error| crate::db::io_fault("read", &file, &error))?;
            if Digest::of(&bytes).0 != digest {
                return Err(damaged(&file, "is not the file that the sidecar lists"));
            }
        }
        Ok(())
    }

    fn write(
        &self,
        sidecar: &Sidecar,
        rank: Option<i64>,
        level: u8,
        entries: usize,
        sorted: &mut dyn Iterator<Item = Result<(Key, u64), Fault>>,
    ) -> Result<Run, Fault> {
        home::create_dir_private(&self.folder)?;
        // A number is not used again while its file may be there: names of runs that are gone are strays.
        let sql = "SELECT max(coalesce(max(id), 0), coalesce(max(rank), 0)) + 1 FROM run";
        let mut id: i64 = sidecar.db.run("read", |c| c.query_row(sql, [], |row| row.get(0)))?;
        while path(&self.folder, id).exists() {
            id += 1;
        }
        let (run, digest) = Run::write(&path(&self.folder, id), id, level, entries, sorted)?;
        sidecar.db.run("write", |c| {
            let sql = "INSERT INTO run (id, rank, level, entries, digest) VALUES (?, ?, ?, ?, ?)";
            c.execute(sql, params![id, rank.unwrap_or(id), level, run.entries as i64, digest.0])
        })?;
        Ok(run)
    }
}

/// Number and level of each run, in the order in which they were written.
fn listed(sidecar: &Sidecar) -> Result<Vec<(i64, u8)>, Fault> {
    sidecar.db.run("read", |c| {
        let mut statement = c.prepare_cached("SELECT id, level FROM run ORDER BY rank")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    })
}

/// Takes a run off the list; its rank.
fn unlist(sidecar: &Sidecar, id: i64) -> Result<i64, Fault> {
    sidecar.db.run("write", |c| c.query_row("DELETE FROM run WHERE id = ? RETURNING rank", [id], |row| row.get(0)))
}

fn path(folder: &Path, id: i64) -> PathBuf {
    folder.join(format!("{id:08}.ids"))
}

/// Takes a key's first bytes for its hash: it is one already, under a secret.
#[derive(Debug, Default)]
struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Entries in memory after which a run is written: the table then has 2^19 places.
pub(super) const OPEN_ENTRIES: usize = 450_000;
/// Small runs that become one.
const MERGED: usize = 8;

#[cfg(test)]
mod tests;
