//! Tiled logs (C2SP tlog-tiles v0.1.0), the part without IO: which files a log consists of and what stands in them.
//!
//! Crash order, for whoever writes the files: all writes of an [`Appended`] are durable first, then the signed
//! checkpoint of the new size is. Files beyond the size of the last checkpoint are leftovers of an append that was
//! never promised; nothing here reads them, and the next append writes over them. A log whose files could not be
//! written is thrown away and opened again at its checkpoint.

mod reader;
mod state;
#[cfg(test)]
mod tests;

pub use reader::TileReader;
pub use state::{Appended, FileWrite, Log};

use crate::ids::Digest;
use crate::limits;
use crate::merkle::{MAX_LEAVES, ProofError, empty_root, node_hash};

/// Hashes of a full tile, entries of a full bundle (tlog-tiles, "Merkle Tree").
pub const TILE_WIDTH: usize = 256;
/// Levels of the tree that one level of tiles spans.
const TILE_LEVELS: u32 = 8;
/// Levels of tiles that a log of any `u64` size can have.
const MAX_TILE_LEVELS: u32 = 8;

/// Why a log's files or entries are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// An entry that is too long for its 16-bit length.
    #[error("expected an entry of at most {} bytes, found {found}", limits::ENTRY_BYTES)]
    EntryBytes {
        /// Bytes of the entry.
        found: usize,
    },
    /// More entries than a bundle holds.
    #[error("expected at most {TILE_WIDTH} entries in a bundle, found {found} or more")]
    BundleEntries {
        /// Entries.
        found: usize,
    },
    /// A bundle that ends within an entry.
    #[error("expected {expected} more bytes of an entry bundle at offset {offset}, found {found}")]
    BundleEnd {
        /// Where the length or entry begins.
        offset: usize,
        /// Its bytes.
        expected: usize,
        /// Bytes left.
        found: usize,
    },
    /// A tile that is too long or too short for the log's size.
    #[error("{path}: expected {expected} bytes, found {found}")]
    TileBytes {
        /// The tile.
        path: String,
        /// Bytes that its width calls for.
        expected: usize,
        /// Bytes read.
        found: usize,
    },
    /// A bundle with too few or too many entries for the log's size.
    #[error("{path}: expected {expected} entries, found {found}")]
    BundleWidth {
        /// The bundle.
        path: String,
        /// Entries that its width calls for.
        expected: usize,
        /// Entries read.
        found: usize,
    },
    /// A file whose hash is not the one that the tile above it holds.
    #[error("{path}: expected contents with hash {expected}, which the tile above holds, found {found}")]
    Mismatch {
        /// The file below.
        path: String,
        /// The hash in the tile above.
        expected: Digest,
        /// The hash of what was read.
        found: Digest,
    },
    /// A node that the log of this size does not have complete.
    #[error("expected a complete subtree of a log of size {size}, found level {level}, index {index}")]
    Node {
        /// Level in the tree.
        level: u32,
        /// Index in the level.
        index: u64,
        /// The log's size.
        size: u64,
    },
    /// A log beyond what a tree may hold.
    #[error("expected a log of at most {MAX_LEAVES} entries, found {found}")]
    Size {
        /// Entries.
        found: u64,
    },
    /// An index or a size that the log does not have.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Path of a tile: `tile/<level>/<index>[.p/<width>]`; `width` is `None` for a full one.
pub fn tile_path(level: u32, index: u64, width: Option<u16>) -> String {
    format!("tile/{level}/{}", index_path(index, width))
}

/// Path of an entry bundle: `tile/entries/<index>[.p/<width>]`; `width` is `None` for a full one.
pub fn entries_path(index: u64, width: Option<u16>) -> String {
    format!("tile/entries/{}", index_path(index, width))
}

/// Groups of three digits, all but the last marked with an x: 1234067 is `x001/x234/067`.
fn index_path(index: u64, width: Option<u16>) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    match width {
        Some(width) => format!("{path}.p/{width}"),
        None => path,
    }
}

/// Encodes an entry bundle: each entry after its length (u16, big-endian) (tlog-tiles, "Log entries").
///
/// # Errors
/// More than [`TILE_WIDTH`] entries, or one above [`limits::ENTRY_BYTES`].
pub fn encode_entries(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, LogError> {
    if entries.len() > TILE_WIDTH {
        return Err(LogError::BundleEntries { found: entries.len() });
    }
    let mut bytes = Vec::new();
    for entry in entries {
        encode_entry(entry.as_ref(), &mut bytes)?;
    }
    Ok(bytes)
}

/// Decodes an entry bundle, to its last byte.
///
/// # Errors
/// A bundle that ends within an entry or holds more than [`TILE_WIDTH`].
pub fn decode_entries(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
    Ok(split_entries(bytes)?.into_iter().map(<[u8]>::to_vec).collect())
}

fn encode_entry(entry: &[u8], bytes: &mut Vec<u8>) -> Result<(), LogError> {
    let length = u16::try_from(entry.len()).map_err(|_| LogError::EntryBytes { found: entry.len() })?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle, where they lie.
fn split_entries(bytes: &[u8]) -> Result<Vec<&[u8]>, LogError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    let short =
        |rest: &[u8], expected| LogError::BundleEnd { offset: bytes.len() - rest.len(), expected, found: rest.len() };
    while !rest.is_empty() {
        if entries.len() == TILE_WIDTH {
            return Err(LogError::BundleEntries { found: TILE_WIDTH + 1 });
        }
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(|| short(rest, 2))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or_else(|| short(after, length))?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

/// Place of a tile in a log: level, index, and the hashes it has there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Tile {
    level: u32,
    index: u64,
    width: usize,
}

impl Tile {
    /// The tile with this index, in a log of `size` entries; `None` if it would be empty.
    fn at(level: u32, index: u64, size: u64) -> Option<Tile> {
        let before = index.checked_mul(TILE_WIDTH as u64)?;
        let width = hashes(level, size).checked_sub(before)?.min(TILE_WIDTH as u64) as usize;
        (width > 0).then_some(Tile { level, index, width })
    }

    /// The last tile of a level, in a log of `size` entries; `None` if the level has none.
    fn last(level: u32, size: u64) -> Option<Tile> {
        Tile::at(level, hashes(level, size).checked_sub(1)? / TILE_WIDTH as u64, size)
    }

    fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The width as it stands in a path.
    fn suffix(self) -> Option<u16> {
        u16::try_from(self.width).ok().filter(|_| !self.is_full())
    }

    fn path(self) -> String {
        tile_path(self.level, self.index, self.suffix())
    }

    /// Reads the tile's file: exactly as many hashes as it is wide.
    fn parse(self, bytes: &[u8]) -> Result<Vec<Digest>, LogError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if hashes.len() != self.width || !rest.is_empty() {
            let (expected, found) = (self.width * 32, bytes.len());
            return Err(LogError::TileBytes { path: self.path(), expected, found });
        }
        Ok(hashes.iter().copied().map(Digest).collect())
    }
}

/// Hashes that a level of tiles holds in a log of `size` entries: floor(size / 256^level).
fn hashes(level: u32, size: u64) -> u64 {
    size.checked_shr(level.saturating_mul(TILE_LEVELS)).unwrap_or(0)
}

/// The root over a row of hashes whose number is a power of two.
fn fold_row(row: &[Digest]) -> Digest {
    let mut row = row.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or_else(empty_root)
}
