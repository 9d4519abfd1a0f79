//! Disputes, and the reports that they are about.

use super::{Signed, statement};
use crate::codec;
use crate::dispute::{Dispute, DisputeText};
use crate::envelope::{Claim, DisputeClaim, ReportClaim};
use crate::fault::Refusal;
use crate::ids::Digest;
use crate::note::{Checkpoint, LogProof};
use crate::roster::{Party, Registry, plan_origin, same};

/// A dispute whose signature, signer, plan and receipt were checked. Only [`dispute`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedDispute {
    envelope: Digest,
    artifact: Digest,
    claim: DisputeClaim,
    text: Dispute,
    receipt: (u64, Checkpoint),
    pub(super) signer: Digest,
}

impl VerifiedDispute {
    /// SHA-256 of the envelope.
    pub fn envelope(&self) -> Digest {
        self.envelope
    }
    /// SHA-256 of `dispute.json`.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }
    /// What the site claims of the dispute.
    pub fn claim(&self) -> &DisputeClaim {
        &self.claim
    }
    /// What it is about.
    pub fn text(&self) -> &DisputeText {
        &self.text
    }
    /// Where the receipt says that the document stands.
    pub fn index(&self) -> u64 {
        self.receipt.0
    }
    /// The checkpoint of the plan's log that the receipt leads to.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.receipt.1
    }
}

/// Checks everything about a dispute that the registry and the dispute itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn dispute(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedDispute, Refusal> {
    let Signed { statement, signer, .. } = statement(envelope, registry)?;
    let Claim::Dispute(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a dispute", statement.predicate.claim.predicate_type()));
    };
    same("signer", &signer.party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    registry.plan(&claim.plan)?;
    let text: Dispute = codec::from_json(artifact).map_err(|e| Refusal::new("dispute", "a dispute document", e))?;
    same("dispute", &(&claim.site, claim.plan), &(&text.site, text.plan))?;
    let origin = plan_origin(&registry.trust().federation, &claim.plan);
    let bad = |found: String| Refusal::new("dispute", format!("a receipt of {origin}"), found);
    let proof = LogProof::parse(&text.receipt).map_err(|e| bad(e.to_string()))?;
    let note = proof.checkpoint.as_bytes();
    let sole = registry.log_keys().and_then(|keys| Checkpoint::open_sole(note, &origin, &keys));
    let checkpoint = sole.and_then(|_| registry.open_checkpoint(note, &origin)).map_err(|e| bad(e.to_string()))?;
    Ok(VerifiedDispute {
        envelope: Digest::of(envelope),
        artifact: Digest::of(artifact),
        claim: claim.clone(),
        receipt: (proof.index, checkpoint),
        text,
        signer: signer.key.id(),
    })
}

/// Checks who signed a report of which only `report.json` is at hand, and reads its claim.
///
/// # Errors
/// Which check it did not pass.
pub fn report_json(envelope: &[u8], json: &[u8], registry: &Registry) -> Result<ReportClaim, Refusal> {
    let Signed { statement, signer, .. } = statement(envelope, registry)?;
    let Claim::Report(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a report", statement.predicate.claim.predicate_type()));
    };
    same("signer", &Party::Aggregator, &signer.party)?;
    let signed = statement.subject.first().map(|subject| subject.digest.sha256);
    same("artifact", &signed, &Some(Digest::of(json)))?;
    Ok(claim.clone())
}

/// The digests of the files that an envelope speaks of. Nobody has checked the signature: this only finds the files.
///
/// # Errors
/// `envelope`, `statement`: no envelope.
pub fn claimed_subjects(envelope: &[u8]) -> Result<Vec<Digest>, Refusal> {
    let statement = crate::envelope::Claimed::parse(envelope)?.claimed_statement()?;
    Ok(statement.subject.iter().map(|subject| subject.digest.sha256).collect())
}
