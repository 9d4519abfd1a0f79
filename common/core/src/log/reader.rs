//! Tree nodes out of tile files, for proofs.

use super::{LogError, MAX_TILE_LEVELS, TILE_LEVELS, TILE_WIDTH, Tile, fold_row};
use crate::ids::Digest;
use crate::merkle;

/// Reads the nodes of a log's tree from its tile files; keeps the last tile read of each level.
///
/// What the files say is taken as it is: whoever proves something with it checks the proof against the checkpoint.
pub struct TileReader<R> {
    size: u64,
    read: R,
    kept: Vec<Option<(Tile, Vec<Digest>)>>,
}

impl<R, E> TileReader<R>
where
    R: FnMut(&str) -> Result<Vec<u8>, E>,
    E: From<LogError>,
{
    /// A reader over the files of a log of `size` entries; `read` gives the bytes of a path.
    pub fn new(size: u64, read: R) -> Self {
        TileReader { size, read, kept: vec![None; MAX_TILE_LEVELS as usize] }
    }

    /// The hash over the entries `[index << level, (index + 1) << level)`: the node reader of [`merkle`].
    ///
    /// # Errors
    /// A subtree that is not complete at this size, a tile of a wrong length, or what `read` fails with.
    pub fn node(&mut self, level: u32, index: u64) -> Result<Digest, E> {
        let none = LogError::Node { level, index, size: self.size };
        let (tile_level, within) = (level / TILE_LEVELS, level % TILE_LEVELS);
        // `index` hashes of 2^within each lie before it in the level of tiles.
        let Some(first) = index.checked_mul(1 << within) else { return Err(none.into()) };
        let start = (first % TILE_WIDTH as u64) as usize;
        let end = start + (1 << within);
        let tile = Tile::at(tile_level, first / TILE_WIDTH as u64, self.size).filter(|tile| end <= tile.width);
        let Some(tile) = tile else { return Err(none.into()) };
        Ok(fold_row(&self.tile(tile)?[start..end]))
    }

    /// The root of the first `size` entries.
    ///
    /// # Errors
    /// A size above the log's, and as [`Self::node`].
    pub fn root_at(&mut self, size: u64) -> Result<Digest, E> {
        merkle::root_at(size, |level, index| self.node(level, index))
    }

    /// The inclusion proof of entry `index` in the log of `size` entries.
    ///
    /// # Errors
    /// An index not below `size`, a size above the log's, and as [`Self::node`].
    pub fn inclusion_proof(&mut self, index: u64, size: u64) -> Result<Vec<Digest>, E> {
        flat(merkle::inclusion_proof(index, size, |level, index| self.node(level, index).map_err(Flat)))
    }

    /// The consistency proof from `old` to `new` entries.
    ///
    /// # Errors
    /// `old` above `new`, a size above the log's, and as [`Self::node`].
    pub fn consistency_proof(&mut self, old: u64, new: u64) -> Result<Vec<Digest>, E> {
        flat(merkle::consistency_proof(old, new, |level, index| self.node(level, index).map_err(Flat)))
    }

    fn tile(&mut self, tile: Tile) -> Result<&[Digest], E> {
        // `Tile::at` gives no tile at or above MAX_TILE_LEVELS.
        let kept = &mut self.kept[tile.level as usize];
        let row = match kept.take() {
            Some((held, row)) if held == tile => row,
            _ => tile.parse(&(self.read)(&tile.path())?)?,
        };
        Ok(&kept.insert((tile, row)).1)
    }
}

/// A caller's error, which knows of [`LogError`] only, where [`merkle`] asks for one that knows of proofs.
struct Flat<E>(E);

impl<E: From<LogError>> From<merkle::ProofError> for Flat<E> {
    fn from(error: merkle::ProofError) -> Self {
        Flat(LogError::from(error).into())
    }
}

fn flat<T, E>(result: Result<T, Flat<E>>) -> Result<T, E> {
    result.map_err(|Flat(error)| error)
}
