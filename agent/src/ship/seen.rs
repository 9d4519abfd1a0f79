//! What the aggregator shows of a plan's log: that something is in it, and that it continues what was seen.

use super::Judged;
use super::receipt::logged;
use crate::mirror::Mirror;
use fedaudit_core::envelope::ReportClaim;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::note::Checkpoint;
use fedaudit_core::verify;
use fedaudit_link::protocol::Reported;

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
