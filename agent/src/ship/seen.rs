//! What the aggregator shows of a plan's log: that something is in it, and that it continues what was seen.

use super::{Judged, Keep, went_back};
use crate::mirror::Mirror;
use fedaudit_core::envelope::ReportClaim;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::merkle::verify_consistency;
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_core::verify;
use fedaudit_link::protocol::{Receipt, Reported};

/// A report that the aggregator signed, and that is in its plan's log.
#[derive(Clone, Debug)]
pub struct SeenReport {
    /// Its index in the log.
    pub index: u64,
    /// The envelope.
    pub envelope: Vec<u8>,
    /// `report.json`; empty if it was too long to be sent.
    pub json: Vec<u8>,
    /// What it claims; none where `report.json` did not come.
    pub claim: Option<ReportClaim>,
    /// C2SP tlog-proof.
    pub proof: String,
    /// Origin of the plan's log.
    pub origin: String,
    /// The checkpoint in the proof.
    pub note: String,
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

/// A report counts if the aggregator signed it, over this `report.json`, and it is in the log like anything else.
pub(super) fn reported(
    report: Reported,
    origin: &str,
    from: u64,
    seen: Option<Checkpoint>,
    mirror: &Mirror,
) -> Result<SeenReport, Judged> {
    let Reported { envelope, json, receipt } = report;
    let proof = logged(&receipt, &envelope, origin, seen, mirror)?;
    let untrue = |what: String| Judged::Later(Fault::new(Blame::Aggregator, what, "report it to governance"));
    if proof.index < from {
        return Err(untrue(format!("a report at entry {}, asked from {from}", proof.index)));
    }
    let claim = match json.is_empty() {
        true => None,
        false => Some(verify::report_json(&envelope, &json, mirror.registry())),
    };
    let claim = claim.transpose().map_err(|refusal| untrue(format!("a report that does not pass: {refusal}")))?;
    let (index, proof, note) = (proof.index, receipt.proof, proof.checkpoint);
    Ok(SeenReport { index, envelope, json, claim, proof, origin: origin.to_owned(), note })
}

fn logged(
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
