use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// A tree of leaf hashes, with the definitions of RFC 6962, section 2.1, written down as they stand there.
struct Rfc(Vec<Digest>);

impl Rfc {
    fn new(size: u64) -> Self {
        Rfc((0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect())
    }

    fn mth(leaves: &[Digest]) -> Digest {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            n => {
                let k = n.next_power_of_two() / 2;
                node_hash(&Rfc::mth(&leaves[..k]), &Rfc::mth(&leaves[k..]))
            }
        }
    }

    fn path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut path, last) = if m < left.len() {
            (Rfc::path(m, left), Rfc::mth(right))
        } else {
            (Rfc::path(m - left.len(), right), Rfc::mth(left))
        };
        path.push(last);
        path
    }

    fn subproof(m: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![Rfc::mth(leaves)] };
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (mut proof, last) = if m <= left.len() {
            (Rfc::subproof(m, left, whole), Rfc::mth(right))
        } else {
            (Rfc::subproof(m - left.len(), right, false), Rfc::mth(left))
        };
        proof.push(last);
        proof
    }

    fn root(&self, size: u64) -> Digest {
        Rfc::mth(&self.0[..size as usize])
    }

    /// All complete subtrees, by level: the rows that a node reader looks into.
    fn rows(&self) -> Vec<Vec<Digest>> {
        let mut rows = vec![Vec::new(); 64];
        let mut frontier = Frontier::new();
        for leaf in &self.0 {
            frontier.push_with(*leaf, |level, index, hash| {
                assert_eq!(rows[level as usize].len() as u64, index);
                rows[level as usize].push(*hash);
            });
        }
        rows
    }
}

fn reader(rows: &[Vec<Digest>]) -> impl FnMut(u32, u64) -> Result<Digest, ProofError> {
    |level, index| Ok(rows[level as usize][index as usize])
}

fn frontier(leaves: &[Digest]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

#[test]
fn every_small_tree_is_the_rfcs() -> Result<(), ProofError> {
    let tree = Rfc::new(130);
    let rows = tree.rows();
    for size in 0..=130 {
        let root = tree.root(size);
        let leaves = &tree.0[..size as usize];
        let grown = frontier(leaves);
        assert_eq!((grown.root(), grown.size()), (root, size));
        assert_eq!(Frontier::from_peaks(size, grown.peaks().to_vec()), Some(grown));
        assert_eq!(root_at(size, reader(&rows))?, root);
        for index in 0..size {
            let proof = inclusion_proof(index, size, reader(&rows))?;
            assert_eq!(proof, Rfc::path(index as usize, leaves));
            verify_inclusion(&leaves[index as usize], index, size, &proof, &root)?;
        }
        for old in 1..=size {
            let proof = consistency_proof(old, size, reader(&rows))?;
            assert_eq!(proof, Rfc::subproof(old as usize, leaves, true));
            verify_consistency(old, &tree.root(old), size, &root, &proof)?;
        }
        verify_consistency(0, &empty_root(), size, &root, &[])?;
    }
    Ok(())
}

#[test]
fn all_proofs_to_300_verify() -> Result<(), ProofError> {
    let tree = Rfc::new(300);
    let rows = tree.rows();
    let roots: Vec<_> = (0..=300).map(|size| tree.root(size)).collect();
    for size in 1..=300_u64 {
        let root = &roots[size as usize];
        for index in 0..size {
            let proof = inclusion_proof(index, size, reader(&rows))?;
            verify_inclusion(&tree.0[index as usize], index, size, &proof, root)?;
            let old = index + 1;
            let proof = consistency_proof(old, size, reader(&rows))?;
            verify_consistency(old, &roots[old as usize], size, root, &proof)?;
        }
    }
    Ok(())
}

/// Each single bit of each proof of small trees, and every other index, size and length.
#[test]
fn small_trees_accept_nothing_else() -> Result<(), ProofError> {
    let tree = Rfc::new(12);
    let rows = tree.rows();
    for size in 1..=12 {
        let root = tree.root(size);
        for index in 0..size {
            let leaf = tree.0[index as usize];
            let proof = inclusion_proof(index, size, reader(&rows))?;
            for bent in bent(&proof) {
                assert!(verify_inclusion(&leaf, index, size, &bent, &root).is_err());
            }
            for other in (0..20).chain([u64::MAX]).filter(|&other| other != index) {
                assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
            }
        }
        for old in 1..=size {
            let old_root = tree.root(old);
            let proof = consistency_proof(old, size, reader(&rows))?;
            for bent in bent(&proof) {
                assert!(verify_consistency(old, &old_root, size, &root, &bent).is_err());
            }
            for other in (0..20).chain([u64::MAX]).filter(|&other| other != old) {
                assert!(verify_consistency(other, &old_root, size, &root, &proof).is_err());
            }
        }
    }
    Ok(())
}

/// The proof with one bit flipped, cut short, extended, or with two hashes exchanged.
fn bent(proof: &[Digest]) -> Vec<Vec<Digest>> {
    let mut all = Vec::new();
    for bit in 0..proof.len() * 256 {
        let mut bent = proof.to_vec();
        bent[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
        all.push(bent);
    }
    if let Some((_, rest)) = proof.split_first() {
        all.push(rest.to_vec());
        all.push(proof[..rest.len()].to_vec());
    }
    for extra in [empty_root(), Digest([0; 32])].iter().chain(proof.last()) {
        all.push([proof, &[*extra]].concat());
        all.push([&[*extra], proof].concat());
    }
    for i in 1..proof.len() {
        let mut bent = proof.to_vec();
        bent.swap(i - 1, i);
        all.push(bent);
    }
    all
}

#[test]
fn sizes_out_of_range_are_errors() {
    let none = |_: u32, _: u64| -> Result<Digest, ProofError> { panic!("nothing to read") };
    let (zero, root) = (Digest([0; 32]), empty_root());
    assert_eq!(root_at(0, none), Ok(root));
    assert_eq!(inclusion_proof(0, 0, none), Err(ProofError::Index { index: 0, size: 0 }));
    assert_eq!(inclusion_proof(5, 5, none), Err(ProofError::Index { index: 5, size: 5 }));
    assert_eq!(consistency_proof(2, 1, none), Err(ProofError::Sizes { old: 2, new: 1 }));
    assert_eq!(consistency_proof(0, 9, none), Ok(vec![]));
    assert_eq!(consistency_proof(9, 9, none), Ok(vec![]));
    assert!(verify_consistency(0, &root, 0, &root, &[]).is_ok());
    assert!(verify_consistency(0, &root, 9, &zero, &[]).is_ok());
    assert!(verify_consistency(0, &zero, 9, &zero, &[]).is_err());
    assert!(verify_consistency(0, &root, 0, &zero, &[]).is_err());
    assert!(verify_consistency(0, &root, 9, &zero, &[zero]).is_err());
    assert!(verify_consistency(9, &zero, 9, &root, &[]).is_err());
    assert!(verify_consistency(9, &zero, 9, &zero, &[]).is_ok());
    assert!(verify_consistency(9, &zero, 9, &zero, &[zero]).is_err());
    for length in 0..=PROOF_HASHES + 1 {
        let proof = vec![zero; length];
        assert!(verify_inclusion(&zero, u64::MAX - 1, u64::MAX, &proof, &zero).is_err());
        assert!(verify_consistency(u64::MAX - 1, &zero, u64::MAX, &zero, &proof).is_err());
        assert!(verify_consistency(1 << 63, &zero, u64::MAX, &zero, &proof).is_err());
    }
    assert_eq!(Frontier::from_peaks(3, vec![zero]), None);
    assert_eq!(Frontier::from_peaks(MAX_LEAVES + 1, vec![zero; 2]), None);
    let mut frontier = Frontier::from_peaks(MAX_LEAVES - 2, vec![zero; 61]).expect("61 bits");
    assert!(frontier.push_subtree(0, zero).is_ok());
    assert!(frontier.push_subtree(1, zero).is_err(), "not aligned");
    assert!(frontier.push_subtree(0, zero).is_ok());
    assert!(frontier.push_subtree(0, zero).is_err(), "full");
    assert!(frontier.push_subtree(64, zero).is_err());
}

#[test]
fn block_sizes_never_read_below_a_block() -> Result<(), Infallible> {
    const LEVEL: u32 = 10;
    let roots: Vec<_> = (0..40_u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    let rows = Rfc(roots.clone()).rows();
    let read = |level: u32, index: u64| {
        assert!(level >= LEVEL, "read level {level}");
        Ok::<_, ProofError>(rows[(level - LEVEL) as usize][index as usize])
    };
    let blocks = |count: u64| {
        let mut frontier = Frontier::new();
        roots.iter().take(count as usize).for_each(|root| assert!(frontier.push_subtree(LEVEL, *root).is_ok()));
        (frontier.size(), frontier.root())
    };
    for new in 0..=40 {
        let (new_size, new_root) = blocks(new);
        assert_eq!(root_at(new_size, read), Ok(new_root));
        for old in 0..=new {
            let (old_size, old_root) = blocks(old);
            let proof = consistency_proof(old_size, new_size, read).expect("sizes in order");
            assert_eq!(verify_consistency(old_size, &old_root, new_size, &new_root, &proof), Ok(()));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn proofs_of_larger_trees(size in 1..5000_u64, a: u64, b: u64, bit: usize) {
        let tree = Rfc::new(size);
        let rows = tree.rows();
        let (index, old) = (a % size, b % size + 1);
        let (root, old_root, leaf) = (tree.root(size), tree.root(old), tree.0[index as usize]);
        let inclusion = inclusion_proof(index, size, reader(&rows))?;
        prop_assert_eq!(verify_inclusion(&leaf, index, size, &inclusion, &root), Ok(()));
        prop_assert_eq!(&inclusion, &Rfc::path(index as usize, &tree.0));
        let consistency = consistency_proof(old, size, reader(&rows))?;
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &consistency), Ok(()));
        prop_assert_eq!(&consistency, &Rfc::subproof(old as usize, &tree.0, true));
        let flip = |proof: &[Digest]| {
            let mut proof = proof.to_vec();
            let at = bit % (proof.len() * 256);
            proof[at / 256].0[at % 256 / 8] ^= 1 << (at % 8);
            proof
        };
        if !inclusion.is_empty() {
            prop_assert!(verify_inclusion(&leaf, index, size, &flip(&inclusion), &root).is_err());
        }
        if !consistency.is_empty() {
            prop_assert!(verify_consistency(old, &old_root, size, &root, &flip(&consistency)).is_err());
        }
        prop_assert!(verify_inclusion(&leaf, index ^ 1, size, &inclusion, &root).is_err() || size == 1);
        prop_assert!(verify_inclusion(&root, index, size, &inclusion, &root).is_err() || size == 1);
        if old < size {
            prop_assert!(verify_consistency(old + 1, &old_root, size, &root, &consistency).is_err());
        }
    }

    #[test]
    fn any_arguments_are_answered(a: u64, b: u64, count in 0..70_usize) {
        let proof = vec![Digest([7; 32]); count];
        let (one, other) = (Digest([8; 32]), Digest([9; 32]));
        for (a, b) in [(a, b), (a >> 1 << 1, a | 1), (a >> 60, b >> 60), (a >> 40 << 40, u64::MAX)] {
            prop_assert!(verify_inclusion(&one, a, b, &proof, &other).is_err());
            prop_assert!(verify_consistency(a, &one, b, &other, &proof).is_err());
        }
    }

    #[test]
    fn subtrees_can_stand_for_their_leaves(size in 1..2000_u64, level in 0..8_u32) {
        let tree = Rfc::new(size);
        let rows = tree.rows();
        let mut frontier = Frontier::new();
        let whole = size >> level;
        for root in &rows[level as usize] {
            frontier.push_subtree(level, *root)?;
        }
        for leaf in &tree.0[(whole << level) as usize..] {
            frontier.push(*leaf);
        }
        prop_assert_eq!(frontier.root(), tree.root(size));
    }
}
