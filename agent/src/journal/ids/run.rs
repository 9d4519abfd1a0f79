//! A file of sorted keys with their values, written once: a line that names the format, 24 bytes an entry, the words of
//! the filter, the fences, and how many of entries and words there are. Integers are big-endian.

use super::Key;
use super::filter::Filter;
use crate::db::{damaged, io_fault};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_link::home;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// An open run.
#[derive(Debug)]
pub(super) struct Run {
    pub id: i64,
    /// 0: as it left memory; 1: made of several.
    pub level: u8,
    pub entries: usize,
    file: File,
    path: PathBuf,
    filter: Filter,
    /// First 8 bytes of the keys at multiples of [`FENCE`].
    fences: Vec<u64>,
}

impl Run {
    /// Opens a run; reads its filter and fences.
    pub fn open(path: &Path, id: i64, level: u8) -> Result<Self, Fault> {
        let io = |error| io_fault("read", path, &error);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let cut = || damaged(path, "is no file of sorted ids, or is cut");
        let (head_bytes, tail_bytes) = (HEAD.len() as u64, TAIL as u64);
        let body = length.checked_sub(head_bytes + tail_bytes).ok_or_else(cut)?;
        let (mut head, mut tail) = ([0; HEAD.len()], [0; TAIL]);
        file.read_exact_at(&mut head, 0).map_err(io)?;
        file.read_exact_at(&mut tail, head_bytes + body).map_err(io)?;
        let [entries, words] = [&tail[..8], &tail[8..]].map(|n| n.first_chunk().map_or(0, |n| u64::from_be_bytes(*n)));
        let derived = words.checked_add(entries.div_ceil(FENCE as u64)).and_then(|n| n.checked_mul(8));
        let listed = entries.checked_mul(ENTRY as u64).zip(derived).and_then(|(a, b)| a.checked_add(b));
        if head != *HEAD || listed != Some(body) {
            return Err(cut());
        }
        let size = |n: u64| usize::try_from(n).map_err(|_| cut());
        let mut bytes = vec![0; size(derived.unwrap_or(0))?];
        file.read_exact_at(&mut bytes, head_bytes + entries * ENTRY as u64).map_err(io)?;
        let mut words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let fences = words.split_off(size(words.len() as u64 - entries.div_ceil(FENCE as u64))?);
        let filter = Filter::of(words).ok_or_else(cut)?;
        Ok(Run { id, level, entries: size(entries)?, file, path: path.to_owned(), filter, fences })
    }

    /// Writes a run of at most `entries` keys, in order and each once, and syncs it; with the digest of the file.
    pub fn write(
        path: &Path,
        id: i64,
        level: u8,
        entries: usize,
        sorted: &mut dyn Iterator<Item = Result<(Key, u64), Fault>>,
    ) -> Result<(Self, Digest), Fault> {
        let io = |error| io_fault("write", path, &error);
        let stray = path.with_extension("new");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&stray).map_err(io)?;
        let (filter, fences) = (Filter::new(entries), Vec::with_capacity(entries / FENCE + 1));
        let own = file.try_clone().map_err(io)?;
        let mut run = Run { id, level, entries: 0, file: own, path: path.to_owned(), filter, fences };
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut hash = Sha256::new().chain_update(HEAD);
        out.write_all(HEAD).map_err(io)?;
        for entry in sorted {
            let (key, value) = entry?;
            let mut bytes = [0; ENTRY];
            bytes[..16].copy_from_slice(&key);
            bytes[16..].copy_from_slice(&value.to_be_bytes());
            out.write_all(&bytes).map_err(io)?;
            hash.update(bytes);
            run.filter.add(&key);
            if run.entries.is_multiple_of(FENCE) {
                run.fences.push(first(&key));
            }
            run.entries += 1;
        }
        let counts = [run.entries as u64, run.filter.words().len() as u64];
        for word in run.filter.words().iter().chain(&run.fences).chain(&counts) {
            out.write_all(&word.to_be_bytes()).map_err(io)?;
            hash.update(word.to_be_bytes());
        }
        let file = out.into_inner().map_err(|error| io(error.into_error()))?;
        file.sync_all().map_err(io)?;
        std::fs::rename(&stray, path).map_err(io)?;
        home::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok((run, Digest(hash.finalize().into())))
    }

    pub fn get(&self, key: &Key) -> Result<Option<u64>, Fault> {
        if !self.filter.may_hold(key) {
            return Ok(None);
        }
        // Keys that share their first 8 bytes with a fence may stand on both sides of it.
        let from = self.fences.partition_point(|fence| *fence < first(key)).saturating_sub(1) * FENCE;
        let to = (self.fences.partition_point(|fence| *fence <= first(key)) * FENCE).min(self.entries);
        let mut bytes = vec![0; to.saturating_sub(from) * ENTRY];
        let offset = (HEAD.len() + from * ENTRY) as u64;
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| io_fault("read", &self.path, &error))?;
        let (entries, _) = bytes.as_chunks::<ENTRY>();
        let found = entries.binary_search_by(|entry| entry[..16].cmp(key)).ok();
        Ok(found.and_then(|at| entries.get(at)).map(value))
    }
}

/// The entries of several runs in the order of their keys; of a key's values that of the last run.
pub(super) fn merged(runs: &[Run]) -> Result<impl Iterator<Item = Result<(Key, u64), Fault>>, Fault> {
    let mut readers = runs.iter().map(Entries::of).collect::<Result<Vec<_>, _>>()?;
    let mut heads = readers.iter_mut().map(Iterator::next).collect::<Vec<_>>();
    Ok(std::iter::from_fn(move || {
        if let Some(at) = heads.iter().position(|head| matches!(head, Some(Err(_)))) {
            return heads[at].take();
        }
        let least = heads.iter().filter_map(|head| head.as_ref()?.as_ref().ok().map(|entry| entry.0)).min()?;
        let mut found = None;
        for (head, reader) in heads.iter_mut().zip(&mut readers) {
            if matches!(head, Some(Ok((key, _))) if *key == least) {
                found = std::mem::replace(head, reader.next());
            }
        }
        found
    }))
}

/// Reads a run from its beginning.
struct Entries {
    reader: BufReader<File>,
    path: PathBuf,
    left: usize,
}

impl Entries {
    fn of(run: &Run) -> Result<Self, Fault> {
        let io = |error| io_fault("read", &run.path, &error);
        // Opened again: a clone would share its place with the run's own file.
        let mut file = File::open(&run.path).map_err(io)?;
        file.seek(SeekFrom::Start(HEAD.len() as u64)).map_err(io)?;
        Ok(Entries { reader: BufReader::with_capacity(BUFFER_BYTES, file), path: run.path.clone(), left: run.entries })
    }
}

impl Iterator for Entries {
    type Item = Result<(Key, u64), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut bytes = [0; ENTRY];
        let read = self.reader.read_exact(&mut bytes);
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[..16]);
        Some(read.map(|()| (key, value(&bytes))).map_err(|error| io_fault("read", &self.path, &error)))
    }
}

fn first(key: &Key) -> u64 {
    key.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

fn value(entry: &[u8; ENTRY]) -> u64 {
    entry.last_chunk().map_or(0, |value| u64::from_be_bytes(*value))
}

const HEAD: &[u8; 16] = b"fedaudit-ids/1\n\n";
/// Numbers of entries and of the filter's words.
const TAIL: usize = 16;
/// Key and value.
const ENTRY: usize = 24;
/// Entries between two fences.
const FENCE: usize = 128;
const BUFFER_BYTES: usize = 256 << 10;
