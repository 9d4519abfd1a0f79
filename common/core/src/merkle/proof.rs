//! Making and checking proofs (RFC 6962, section 2.1; RFC 9162, sections 2.1.3 and 2.1.4).

use super::{ProofError, empty_root, join, node_hash};
use crate::ids::Digest;

/// The root of the first `size` leaves.
///
/// `read(level, index)` gives the hash of a complete subtree; it is asked only for the peaks of `size`.
///
/// # Errors
/// What `read` fails with.
pub fn root_at<E>(size: u64, mut read: impl FnMut(u32, u64) -> Result<Digest, E>) -> Result<Digest, E> {
    range_root(0, size, &mut read)
}

/// The proof that leaf `index` is in the tree of `size` leaves, its sibling first (RFC 9162, section 2.1.3.1).
///
/// `read(level, index)` gives the hash of a complete subtree; it is asked only for what the proof is made of.
///
/// # Errors
/// A leaf outside the tree, or what `read` fails with.
pub fn inclusion_proof<E: From<ProofError>>(
    index: u64,
    size: u64,
    mut read: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    if index >= size {
        return Err(ProofError::Index { index, size }.into());
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `old` leaves is a prefix of the one of `new` leaves (RFC 9162, section 2.1.4.1).
/// Empty for `old` = 0 and for `old` = `new`.
///
/// `read(level, index)` gives the hash of a complete subtree. If both sizes are multiples of `2^n`, no node below
/// level `n` is asked for.
///
/// # Errors
/// `old` above `new`, or what `read` fails with.
pub fn consistency_proof<E: From<ProofError>>(
    old: u64,
    new: u64,
    mut read: impl FnMut(u32, u64) -> Result<Digest, E>,
) -> Result<Vec<Digest>, E> {
    if old > new {
        return Err(ProofError::Sizes { old, new }.into());
    }
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    // Only if the way led always left is this last subtree the old tree itself, which the checker knows.
    if start != 0 {
        proof.push(range_root(start, end, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that the leaf with this hash is number `index` in the tree of `size` leaves and this root.
///
/// The proof must have exactly the length that index and size call for (RFC 9162, section 2.1.3.2). It does not prove
/// the size: some proofs fit several sizes of one root, so size and root must come from one signed checkpoint.
///
/// # Errors
/// An index outside the tree, a wrong length, or another root.
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (inner, outer) = way(index, size - 1);
    check_length(inner + outer, proof)?;
    let (inner_proof, outer_proof) = proof.split_at(inner);
    let mut hash = *leaf;
    for (bit, sibling) in inner_proof.iter().enumerate() {
        hash = if index >> bit & 1 == 0 { node_hash(&hash, sibling) } else { node_hash(sibling, &hash) };
    }
    for sibling in outer_proof {
        hash = node_hash(sibling, &hash);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root { expected: *root, found: hash }) }
}

/// Checks that the tree of `old_size` leaves with root `old_root` is a prefix of the one of `new_size` with `new_root`.
///
/// The proof must have exactly the length that the sizes call for (RFC 9162, section 2.1.4.2). For `old_size` = 0 it
/// must be empty and `old_root` the empty root; for equal sizes it must be empty and the roots equal. It does not prove
/// the sizes: each must come from one signed checkpoint with its root.
///
/// # Errors
/// `old_size` above `new_size`, a wrong length, or other roots.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Digest,
    new_size: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Sizes { old: old_size, new: new_size });
    }
    if old_size == 0 {
        check_length(0, proof)?;
        same_old(old_root, &empty_root())?;
        return if new_size == 0 { same_new(new_root, &empty_root()) } else { Ok(()) };
    }
    if old_size == new_size {
        check_length(0, proof)?;
        return same_new(new_root, old_root);
    }
    // The way up starts at the last complete subtree of the old tree. If that is the whole old tree, the proof leaves
    // its hash out.
    let level = old_size.trailing_zeros();
    let index = (old_size - 1) >> level;
    let (inner, outer) = way(index, (new_size - 1) >> level);
    let whole = old_size.is_power_of_two();
    check_length(inner + outer + usize::from(!whole), proof)?;
    let (seed, proof) = match proof.split_first() {
        Some((first, rest)) if !whole => (*first, rest),
        _ => (*old_root, proof),
    };
    let (inner_proof, outer_proof) = proof.split_at(inner);
    let (mut old, mut new) = (seed, seed);
    for (bit, sibling) in inner_proof.iter().enumerate() {
        if index >> bit & 1 == 0 {
            new = node_hash(&new, sibling);
        } else {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
        }
    }
    for sibling in outer_proof {
        old = node_hash(sibling, &old);
        new = node_hash(sibling, &new);
    }
    same_old(old_root, &old)?;
    same_new(new_root, &new)
}

/// Lengths of the two parts of a path from node `index` to the root, where `last` is the last node of that level:
/// below the point where the ways of `index` and `last` meet every level has a sibling, above it only the levels
/// with a left one.
fn way(index: u64, last: u64) -> (usize, usize) {
    let inner = 64 - (index ^ last).leading_zeros();
    let outer = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner as usize, outer as usize)
}

/// The root over the leaves `[start, end)`, where `start` is a multiple of a power of two no smaller than their number.
fn range_root<E>(start: u64, end: u64, read: &mut impl FnMut(u32, u64) -> Result<Digest, E>) -> Result<Digest, E> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        let level = (end - at).ilog2();
        peaks.push(read(level, at >> level)?);
        at += 1 << level;
    }
    Ok(join(&peaks))
}

/// The largest power of two below `n`, for `n` > 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn check_length(expected: usize, proof: &[Digest]) -> Result<(), ProofError> {
    let found = proof.len();
    if found == expected { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

fn same_old(expected: &Digest, found: &Digest) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::OldRoot { expected: *expected, found: *found }) }
}

fn same_new(expected: &Digest, found: &Digest) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::NewRoot { expected: *expected, found: *found }) }
}
