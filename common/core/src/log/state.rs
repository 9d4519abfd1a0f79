//! A log at its end: what must be known to append.

use super::{
    LogError, MAX_TILE_LEVELS, TILE_LEVELS, TILE_WIDTH, Tile, encode_entry, entries_path, fold_row, split_entries,
};
use crate::ids::Digest;
use crate::limits;
use crate::merkle::{Frontier, MAX_LEAVES, ProofError, leaf_hash};

/// A file to be written as a whole, under a path relative to the log's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    /// Such as `tile/0/x001/234.p/5`.
    pub path: String,
    /// All of the file.
    pub bytes: Vec<u8>,
}

/// What an append amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The tiles and bundles that are new: full ones, and the partial ones of the new size. No path is there twice, and
    /// none that was written for an earlier size.
    pub writes: Vec<FileWrite>,
    /// Entries now.
    pub new_size: u64,
    /// Root over them.
    pub root: Digest,
}

/// The right edge of a log: the tiles and the entry bundle that are not full yet.
#[derive(Clone, Debug)]
pub struct Log {
    frontier: Frontier,
    /// Hashes of the partial tile of each level; as long as the log has levels, rows may be empty.
    rows: Vec<Vec<Digest>>,
    /// The partial entry bundle, encoded.
    bundle: Vec<u8>,
}

impl Default for Log {
    fn default() -> Self {
        Log::new()
    }
}

impl Log {
    /// A log without entries.
    pub fn new() -> Self {
        Log { frontier: Frontier::new(), rows: Vec::new(), bundle: Vec::new() }
    }

    /// Opens a log of `size` entries; `read` gives the bytes of a path.
    ///
    /// Reads the last bundle and the last tiles of each level, and checks them against each other, leaf to root. That
    /// [`Self::root`] is the one of the stored checkpoint is left to the caller, who must check it before appending.
    ///
    /// # Errors
    /// Files of wrong lengths or that do not belong to each other, a size above [`MAX_LEAVES`], or what `read` fails
    /// with.
    pub fn open<E: From<LogError>>(size: u64, mut read: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        if size > MAX_LEAVES {
            return Err(LogError::Size { found: size }.into());
        }
        let Some(last) = Tile::last(0, size) else { return Ok(Log::new()) };
        let mut below = load(last, &mut read)?;
        let bundle = load_bundle(last, &below, &mut read)?;
        let mut rows = vec![if last.is_full() { Vec::new() } else { below.clone() }];
        for level in 1..MAX_TILE_LEVELS {
            let Some(last) = Tile::last(level, size) else { break };
            let row = load(last, &mut read)?;
            let covered = last.index * TILE_WIDTH as u64 + last.width as u64 - 1;
            let tile = Tile { level: level - 1, index: covered, width: TILE_WIDTH };
            if below.len() < TILE_WIDTH {
                below = load(tile, &mut read)?;
            }
            if let Some(hash) = row.last() {
                expect_hash(&tile.path(), hash, fold_row(&below))?;
            }
            rows.push(if last.is_full() { Vec::new() } else { row.clone() });
            below = row;
        }
        let mut frontier = Frontier::new();
        for (level, row) in (0..MAX_TILE_LEVELS).zip(&rows).rev() {
            for hash in row {
                frontier.push_subtree(level * TILE_LEVELS, *hash).map_err(LogError::from)?;
            }
        }
        Ok(Log { frontier, rows, bundle: if last.is_full() { Vec::new() } else { bundle } })
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root over them.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Appends entries, and says which files that makes. Nothing is changed by an error.
    ///
    /// # Errors
    /// An entry above [`limits::ENTRY_BYTES`], or a log that would grow beyond [`MAX_LEAVES`].
    pub fn append(&mut self, entries: &[impl AsRef<[u8]>]) -> Result<Appended, LogError> {
        let found = entries.iter().map(|entry| entry.as_ref().len()).max().unwrap_or(0);
        if found > limits::ENTRY_BYTES {
            return Err(LogError::EntryBytes { found });
        }
        let before = self.size();
        let after = before.saturating_add(entries.len() as u64);
        if after > MAX_LEAVES {
            return Err(LogError::Size { found: after });
        }
        let mut writes = Vec::new();
        for entry in entries {
            self.append_one(entry.as_ref(), &mut writes)?;
        }
        self.partial_files(before, &mut writes);
        Ok(Appended { writes, new_size: self.size(), root: self.root() })
    }

    /// Entry `index`; `read` gives the bytes of a path, and is not asked for what lies in the partial bundle.
    ///
    /// The entry is not checked against the tree; [`super::TileReader::inclusion_proof`] is there for that.
    ///
    /// # Errors
    /// An index not below the size, a bundle that is malformed or of a wrong width, or what `read` fails with.
    pub fn entry<E: From<LogError>>(
        &self,
        index: u64,
        read: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        self.rest_of_bundle(index, read, |rest| rest.first().map_or(Vec::new(), |entry| entry.to_vec()))
    }

    /// The entries from `index` to the end of its bundle: a log is read with one look at each file.
    ///
    /// # Errors
    /// As [`Log::entry`].
    pub fn entries<E: From<LogError>>(
        &self,
        index: u64,
        read: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<Vec<u8>>, E> {
        self.rest_of_bundle(index, read, |rest| rest.iter().map(|entry| entry.to_vec()).collect())
    }

    /// What `take` makes of the entries from `index` to the end of its bundle, at least one.
    fn rest_of_bundle<E: From<LogError>, T>(
        &self,
        index: u64,
        mut read: impl FnMut(&str) -> Result<Vec<u8>, E>,
        take: impl FnOnce(&[&[u8]]) -> T,
    ) -> Result<T, E> {
        let outside = || LogError::from(ProofError::Index { index, size: self.size() });
        let (number, within) = (index / TILE_WIDTH as u64, (index % TILE_WIDTH as u64) as usize);
        let tile = Tile::at(0, number, self.size()).filter(|tile| within < tile.width).ok_or_else(outside)?;
        let file;
        let bytes = if tile.is_full() {
            file = read(&entries_path(number, None))?;
            &file
        } else {
            &self.bundle
        };
        let entries = bundle_entries(tile, bytes)?;
        let rest = entries.get(within..).filter(|rest| !rest.is_empty()).ok_or_else(outside)?;
        Ok(take(rest))
    }

    /// Appends one entry; a tile or bundle that it fills is written and leaves the state.
    fn append_one(&mut self, entry: &[u8], writes: &mut Vec<FileWrite>) -> Result<(), LogError> {
        let number = self.size() / TILE_WIDTH as u64;
        encode_entry(entry, &mut self.bundle)?;
        let rows = &mut self.rows;
        let mut full = Vec::new();
        self.frontier.push_with(leaf_hash(entry), |level, index, hash| {
            if level % TILE_LEVELS != 0 {
                return;
            }
            let level = level / TILE_LEVELS;
            if rows.len() <= level as usize {
                rows.resize(level as usize + 1, Vec::new());
            }
            let row = &mut rows[level as usize];
            row.push(*hash);
            if row.len() == TILE_WIDTH {
                let tile = Tile { level, index: index / TILE_WIDTH as u64, width: TILE_WIDTH };
                full.push(FileWrite { path: tile.path(), bytes: row_bytes(row) });
                row.clear();
            }
        });
        if !full.is_empty() {
            writes.push(FileWrite { path: entries_path(number, None), bytes: std::mem::take(&mut self.bundle) });
            writes.append(&mut full);
        }
        Ok(())
    }

    /// The partial bundle and tiles, of the levels that have grown since the log had `before` entries.
    fn partial_files(&self, before: u64, writes: &mut Vec<FileWrite>) {
        for (level, row) in (0..).zip(&self.rows) {
            let Some(tile) = Tile::last(level, self.size()).filter(|tile| !tile.is_full()) else { continue };
            if Tile::last(level, before) == Some(tile) {
                continue;
            }
            if level == 0 {
                let path = entries_path(tile.index, tile.suffix());
                writes.push(FileWrite { path, bytes: self.bundle.clone() });
            }
            writes.push(FileWrite { path: tile.path(), bytes: row_bytes(row) });
        }
    }
}

fn load<E: From<LogError>>(tile: Tile, read: &mut impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Vec<Digest>, E> {
    Ok(tile.parse(&read(&tile.path())?)?)
}

/// Reads the bundle of a level-0 tile and checks each of its entries against the tile's hashes.
fn load_bundle<E: From<LogError>>(
    tile: Tile,
    row: &[Digest],
    read: &mut impl FnMut(&str) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    let path = entries_path(tile.index, tile.suffix());
    let bytes = read(&path)?;
    for (entry, hash) in bundle_entries(tile, &bytes)?.into_iter().zip(row) {
        expect_hash(&path, hash, leaf_hash(entry))?;
    }
    Ok(bytes)
}

/// The entries of a level-0 tile's bundle: exactly as many as the tile is wide.
fn bundle_entries(tile: Tile, bytes: &[u8]) -> Result<Vec<&[u8]>, LogError> {
    let entries = split_entries(bytes)?;
    if entries.len() == tile.width {
        return Ok(entries);
    }
    let path = entries_path(tile.index, tile.suffix());
    Err(LogError::BundleWidth { path, expected: tile.width, found: entries.len() })
}

fn expect_hash(path: &str, expected: &Digest, found: Digest) -> Result<(), LogError> {
    if *expected == found {
        return Ok(());
    }
    Err(LogError::Mismatch { path: path.to_owned(), expected: *expected, found })
}

fn row_bytes(row: &[Digest]) -> Vec<u8> {
    row.iter().flat_map(|hash| hash.0).collect()
}
