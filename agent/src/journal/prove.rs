//! Proofs that a record is in a log.

use super::{BLOCK_LEVEL, Journal, proof_fault, read, subtree};
use fedaudit_core::event::Record;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::merkle::{ProofError, inclusion_proof, leaf_hash, node_hash};

impl Journal {
    /// Whether the record at `position` of a predictions log is an event that this journal holds.
    ///
    /// # Errors
    /// The log does not reach there, it is no event, or it has left the journal: then, where it is.
    pub fn check_event(&mut self, log: &str, position: u64) -> Result<(), Fault> {
        let row = self.row(log)?;
        let size = row.as_ref().map_or(0, |row| row.size);
        let Some(row) = row.filter(|_| position < size) else {
            let what = format!("#{position} is outside of {log}, which has {size} records, counted from #0");
            return Err(Fault::new(Blame::Operator, what, "ask for a position that it has"));
        };
        let path = &super::last_of(&self.segments)?.db.path;
        read::scan(&self.segments, &row, position..position + 1, &mut |_, bytes| match read::decode(
            path, &row, position, bytes,
        )? {
            Record::Prediction(_) => Ok(()),
            _ => {
                let what = format!("#{position} of {log} is padding or a count of intake's, no event");
                Err(Fault::new(Blame::Operator, what, "`journal find` shows positions of events"))
            }
        })
    }

    /// The bytes of the record at `position` of a log, and the hashes that lead from it to the root of the log's first
    /// `size` records, its sibling first.
    ///
    /// # Errors
    /// `size` is not a block boundary within the log, `position` is not below it, or the journal is damaged.
    pub fn prove(&mut self, log: &str, position: u64, size: u64) -> Result<(Vec<u8>, Vec<Digest>), Fault> {
        let blocks = self.block_roots(log, size)?;
        let row = self.row(log)?.filter(|_| position < size).ok_or_else(|| {
            Fault::new(
                Blame::Operator,
                format!("{log} has no record {position} below {size}"),
                "ask for one that it has",
            )
        })?;
        let first = position - position % BLOCK_RECORDS;
        let (mut leaves, mut record) = (Vec::new(), Vec::new());
        read::scan(&self.segments, &row, first..first + BLOCK_RECORDS, &mut |at, bytes| {
            leaves.push(leaf_hash(bytes));
            if at == position {
                record = bytes.to_vec();
            }
            Ok(())
        })?;
        let block = usize::try_from(first / BLOCK_RECORDS).ok().and_then(|number| blocks.get(number));
        if block != Some(&fold(leaves.clone())) {
            return Err(crate::db::damaged(
                &self.folder,
                format!("{log}: block of record {first} does not hash to its root"),
            ));
        }
        let proof = inclusion_proof(position, size, |level, index| {
            if level >= BLOCK_LEVEL {
                return subtree(&blocks, level, index);
            }
            // Below a block, only the block of the record itself is asked for.
            let width = 1_u64 << level;
            let start = (index * width).checked_sub(first).and_then(|start| usize::try_from(start).ok());
            let part = start.and_then(|start| leaves.get(start..start + width as usize));
            part.map(|part| fold(part.to_vec())).ok_or(ProofError::Unaligned { level, size: index })
        });
        Ok((record, proof.map_err(proof_fault)?))
    }
}

/// The root over a number of leaves that is a power of two.
fn fold(mut row: Vec<Digest>) -> Digest {
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or_else(fedaudit_core::merkle::empty_root)
}
