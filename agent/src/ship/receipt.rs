//! What a receipt proves.

use super::{Judged, Keep, went_back};
use crate::mirror::Mirror;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::merkle::verify_consistency;
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_link::protocol::Receipt;

/// The checkpoint of a receipt that proves `envelope` to stand in the log `origin`, continuing what was seen of it.
///
/// # Errors
/// A receipt that does not.
pub fn proven(
    receipt: &Receipt,
    envelope: &[u8],
    origin: &str,
    seen: Option<Checkpoint>,
    mirror: &Mirror,
) -> Result<String, Fault> {
    match logged(receipt, envelope, origin, seen, mirror) {
        Ok(proof) => Ok(proof.checkpoint),
        Err(Judged::Later(fault) | Judged::Never(fault)) => Err(fault),
    }
}

/// A receipt counts if the entry is in the plan's log, and that log continues the one seen before.
pub(super) fn receipt_of(
    receipt: Receipt,
    envelope: &[u8],
    origin: &str,
    seen: Option<Checkpoint>,
    mirror: &Mirror,
) -> Result<Keep, Judged> {
    let proof = logged(&receipt, envelope, origin, seen, mirror)?;
    Ok(Keep::Receipt { proof: receipt.proof, origin: origin.to_owned(), note: proof.checkpoint })
}

/// The proof that an entry is in a log, which continues what was seen of it.
pub(super) fn logged(
    receipt: &Receipt,
    envelope: &[u8],
    origin: &str,
    seen: Option<Checkpoint>,
    mirror: &Mirror,
) -> Result<LogProof, Judged> {
    let untrue =
        |what: String| Judged::Later(Fault::new(Blame::Aggregator, what, "the release stays in the outbox; report it"));
    let proof = LogProof::parse(&receipt.proof).map_err(|e| untrue(format!("a bad receipt: {e}")))?;
    let opened = mirror.registry().open_checkpoint(proof.checkpoint.as_bytes(), origin);
    let checkpoint = opened.and_then(|checkpoint| proof.verify_in(envelope, &checkpoint).map(|()| checkpoint));
    let checkpoint = checkpoint.map_err(|e| untrue(format!("a bad receipt: {e}")))?;
    if let Some(seen) = seen {
        verify_consistency(seen.size, &seen.root, checkpoint.size, &checkpoint.root, &receipt.consistency).map_err(
            |e| {
                went_back(Refusal::new(
                    "fork",
                    format!("{origin} to continue {} entries, root {}", seen.size, seen.root),
                    e,
                ))
            },
        )?;
    }
    Ok(proof)
}
