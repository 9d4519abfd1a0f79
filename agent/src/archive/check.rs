//! Archive files against the roots that the journal kept: every record is hashed again.

use super::file::{Key, records};
use super::{names, store};
use crate::journal::sealed::{Sealed, SealedLog};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{Frontier, leaf_hash};
use std::path::Path;

/// Takes a record's position and bytes.
pub(super) type Take<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), String>;

/// Checks the files of a segment: their bytes are those that were archived, each position is there once, each record
/// hashes to its block's root. Memory: 33 bytes a record of the largest log.
///
/// # Errors
/// The first thing found that is not so, with its file and positions.
pub(super) fn check(
    archive: &Path,
    segment: &Sealed,
    files: &[(String, Digest)],
    key: Option<&Key>,
) -> Result<(), Fault> {
    let mut strangers: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for log in &segment.logs {
        strangers.retain(|name| !names::belongs(name, &log.name, segment.number));
        check_log(archive, (segment, log), files, key, &mut |_, _| Ok(()))?;
    }
    match strangers.first() {
        None => Ok(()),
        Some(name) => Err(damaged(&archive.join(name), "it belongs to no log of the segment")),
    }
}

/// As [`check`] for one log of the segment; its records go by `f`, and only when this returns are they the right ones.
pub(super) fn check_log(
    archive: &Path,
    (segment, log): (&Sealed, &SealedLog),
    files: &[(String, Digest)],
    key: Option<&Key>,
    f: Take,
) -> Result<(), Fault> {
    let mut leaves = Leaves { log, hashes: vec![None; places(log.range.end - log.range.start)], spans: Vec::new() };
    // A file whose bytes are others is read all the same: its records say where.
    let mut altered = None;
    for (name, digest) in files.iter().filter(|(name, _)| names::belongs(name, &log.name, segment.number)) {
        let path = archive.join(name);
        if !path.is_file() {
            let hint =
                "mount the archive, or name its folder; if it is lost, its records are: their blocks' roots remain";
            return Err(Fault::new(Blame::Operator, format!("{} is missing", path.display()), hint));
        }
        if store::digest(&path)? != *digest {
            altered.get_or_insert_with(|| path.clone());
        }
        let mut span: Option<(u64, u64)> = None;
        let read = records(&path, name, key, |position, bytes| {
            let position = leaves.take(position, leaf_hash(bytes))?;
            f(position, bytes)?;
            span = Some(span.map_or((position, position), |(low, high)| (low.min(position), high.max(position))));
            Ok(())
        });
        read.map_err(|error| damaged(&path, error))?;
        leaves.spans.extend(span.map(|span| (name.as_str(), span)));
    }
    leaves.check(archive)?;
    match altered {
        None => Ok(()),
        Some(path) => Err(damaged(&path, "its bytes are not those that were archived, though its records are whole")),
    }
}

/// The hashes of a log's records in a segment.
struct Leaves<'a> {
    log: &'a SealedLog,
    hashes: Vec<Option<Digest>>,
    /// Files with their least and greatest positions.
    spans: Vec<(&'a str, (u64, u64))>,
}

impl Leaves<'_> {
    fn take(&mut self, position: i64, hash: Digest) -> Result<u64, String> {
        let at = u64::try_from(position).ok().filter(|position| self.log.range.contains(position));
        let Some(at) = at else { return Err(format!("record {position} does not belong into the segment")) };
        match self.hashes.get_mut(places(at - self.log.range.start)) {
            Some(slot @ None) => *slot = Some(hash),
            _ => return Err(format!("record {position} is there twice")),
        }
        Ok(at)
    }

    fn check(&self, archive: &Path) -> Result<(), Fault> {
        let whole = self.hashes.len() / places(BLOCK_RECORDS) == self.log.roots.len();
        for (block, (hashes, root)) in self.hashes.chunks(places(BLOCK_RECORDS)).zip(&self.log.roots).enumerate() {
            let start = self.log.range.start + block as u64 * BLOCK_RECORDS;
            let place = |what: String| {
                let meets = |(_, (low, high)): &&(&str, (u64, u64))| *low < start + BLOCK_RECORDS && *high >= start;
                let files: Vec<_> = self.spans.iter().filter(meets).map(|(name, _)| *name).collect();
                let file = if files.is_empty() { "no file".to_owned() } else { files.join(" or ") };
                damaged(archive, format!("{file}: {}: {what}", self.log.name))
            };
            let mut tree = Frontier::new();
            for (hash, position) in hashes.iter().zip(start..) {
                tree.push(hash.ok_or_else(|| place(format!("record {position} is missing")))?);
            }
            if tree.root() != *root {
                let end = start + BLOCK_RECORDS;
                return Err(place(format!(
                    "the records {start} to {end} do not hash to the root that the journal kept"
                )));
            }
        }
        if whole { Ok(()) } else { Err(damaged(archive, "the journal's roots do not cover the segment")) }
    }
}

fn places(records: u64) -> usize {
    usize::try_from(records).unwrap_or(usize::MAX)
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> Fault {
    let hint = "keep it as it is, and put back a copy of the archive; what no copy has is lost, and its roots remain";
    Fault::new(Blame::Site, format!("{}: {what}", path.display()), hint)
}
