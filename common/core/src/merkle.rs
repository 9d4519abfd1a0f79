//! Merkle trees of RFC 6962, section 2.1 (the same trees as RFC 9162, section 2.1), over SHA-256.
//!
//! A node is named by `(level, index)`: the hash over the leaves `[index << level, (index + 1) << level)`. Only such
//! complete subtrees are ever stored or read; the nodes of a ragged right edge are computed when they are needed.

mod proof;
#[cfg(test)]
mod tests;

pub use proof::{consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};

use crate::ids::Digest;
use sha2::{Digest as _, Sha256};

/// Leaves that a tree may have; sizes above are refused, so that no arithmetic on sizes can overflow.
pub const MAX_LEAVES: u64 = 1 << 62;
/// Hashes that a proof in a tree of any `u64` size can have, at most.
pub const PROOF_HASHES: usize = 65;

/// Why a proof or a piece of a tree does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A leaf outside the tree.
    #[error("expected a leaf index below the tree's size {size}, found {index}")]
    Index {
        /// The leaf asked for.
        index: u64,
        /// The tree's leaves.
        size: u64,
    },
    /// A consistency proof towards the past.
    #[error("expected an old size of at most {new}, found {old}")]
    Sizes {
        /// The size claimed to be older.
        old: u64,
        /// The size claimed to be newer.
        new: u64,
    },
    /// Too many or too few hashes for these sizes.
    #[error("expected a proof of {expected} hashes, found {found}")]
    Length {
        /// Hashes that the sizes call for.
        expected: usize,
        /// Hashes given.
        found: usize,
    },
    /// An inclusion proof that ends elsewhere.
    #[error("leaf does not reach the checkpoint's root: expected {expected}, found {found}")]
    Root {
        /// The root of the checkpoint.
        expected: Digest,
        /// What leaf and proof come to.
        found: Digest,
    },
    /// A consistency proof that does not start at the old tree.
    #[error("proof does not reach the old root: expected {expected}, found {found}")]
    OldRoot {
        /// The old root.
        expected: Digest,
        /// What the proof comes to.
        found: Digest,
    },
    /// A consistency proof that does not end at the new tree.
    #[error("proof does not reach the new root: expected {expected}, found {found}")]
    NewRoot {
        /// The new root.
        expected: Digest,
        /// What the proof comes to.
        found: Digest,
    },
    /// A subtree put where it cannot stand.
    #[error(
        "expected a tree whose size is a multiple of 2^{level} with room for as many leaves more, found size {size}"
    )]
    Unaligned {
        /// Level of the subtree.
        level: u32,
        /// Leaves before it.
        size: u64,
    },
}

/// The hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962, section 2.1).
pub fn leaf_hash(data: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(&left.0);
    bytes[33..].copy_from_slice(&right.0);
    Digest::of(&bytes)
}

/// The root of a tree without leaves: SHA-256 of nothing (RFC 6962, section 2.1).
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// A compact range from leaf 0: the roots of the complete subtrees that a tree of this size is made of, largest
/// first. It is all that is needed to go on appending.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Frontier::default()
    }

    /// Takes a frontier that was kept; `None` if there is not one peak for each bit set in `size`, or if `size` is
    /// above [`MAX_LEAVES`].
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (size <= MAX_LEAVES && peaks.len() == size.count_ones() as usize).then_some(Frontier { size, peaks })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest (leftmost) first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The tree's root (RFC 6962, section 2.1).
    pub fn root(&self) -> Digest {
        join(&self.peaks)
    }

    /// Appends a leaf, given its hash.
    pub fn push(&mut self, leaf: Digest) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf, given its hash, and reports every subtree that it completes, from the leaf itself
    /// (level 0) upwards, as `(level, index, hash)`.
    pub fn push_with(&mut self, leaf: Digest, complete: impl FnMut(u32, u64, &Digest)) {
        self.add(0, leaf, complete);
    }

    /// Appends a complete subtree of `2^level` leaves, given its root.
    ///
    /// # Errors
    /// A size so far that is no multiple of `2^level`, or a tree that would grow beyond [`MAX_LEAVES`].
    pub fn push_subtree(&mut self, level: u32, hash: Digest) -> Result<(), ProofError> {
        self.push_subtree_with(level, hash, |_, _, _| {})
    }

    /// [`Self::push_subtree`], reporting every subtree completed, from the given one (at `level`) upwards.
    ///
    /// # Errors
    /// As [`Self::push_subtree`].
    pub fn push_subtree_with(
        &mut self,
        level: u32,
        hash: Digest,
        complete: impl FnMut(u32, u64, &Digest),
    ) -> Result<(), ProofError> {
        let fits = |leaves: u64| self.size.is_multiple_of(leaves) && leaves <= MAX_LEAVES.saturating_sub(self.size);
        if !1_u64.checked_shl(level).is_some_and(fits) {
            return Err(ProofError::Unaligned { level, size: self.size });
        }
        self.add(level, hash, complete);
        Ok(())
    }

    /// Callers have checked that the subtree is aligned. Each 1 bit of the size above `level` is a peak that the new
    /// subtree joins, up to the first 0.
    fn add(&mut self, level: u32, hash: Digest, mut complete: impl FnMut(u32, u64, &Digest)) {
        let (mut hash, mut level) = (hash, level);
        let mut index = self.size >> level;
        self.size += 1 << level;
        complete(level, index, &hash);
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            level += 1;
            index >>= 1;
            complete(level, index, &hash);
        }
        self.peaks.push(hash);
    }
}

/// The root over adjoining complete subtrees, largest first.
fn join(peaks: &[Digest]) -> Digest {
    let joined = peaks.iter().copied().rev().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(empty_root)
}
