//! A site disputes a report: what it logged is not in it, or not as it was logged.
//!
//! A dispute adds no number to a report. It says, signed and logged, which report does not name which of the site's
//! documents; the log that holds all three tells who is right.

use crate::codec::{Rules, Valid};
use crate::envelope::{Attestation, Claim, DisputeClaim, Head, json, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::limits;
use crate::time::Window;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// Format of `dispute.json`.
pub const FORMAT: u32 = 1;

/// A dispute that keeps its rules.
pub type Dispute = Valid<DisputeText>;

/// A site says what a report does not name as it was logged (`dispute.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeText {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// Digest of the plan.
    pub plan: Digest,
    /// SHA-256 of the report's envelope.
    pub report: Digest,
    /// SHA-256 of the envelope of the site's own release, or abstention.
    pub release: Digest,
    /// Its window.
    pub window: Window,
    /// What is wrong.
    pub what: What,
    /// The receipt for it: a C2SP tlog-proof.
    pub receipt: String,
}

/// What a report does with a document that was logged before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It does not name it.
    Missing,
    /// It names it as something else: another digest, window or place.
    Altered,
    /// It does not use it, for a reason that does not hold; or uses it although another one holds.
    Unused,
}

impl What {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            What::Missing => "missing",
            What::Altered => "altered",
            What::Unused => "unused",
        }
    }
}

impl Rules for DisputeText {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}; this program knows {FORMAT}", self.format));
        }
        if self.receipt.is_empty() || self.receipt.len() > limits::NOTE_BYTES {
            let found = self.receipt.len();
            return Err(format!("`receipt` has {found} bytes; at least 1, at most {}", limits::NOTE_BYTES));
        }
        Ok(())
    }
}

/// Attests a dispute, as the next document of the site in the plan's log: number and envelope before it as in a release's
/// claim.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_dispute(
    dispute: &Dispute,
    head: Head,
    sequence: u64,
    previous: Option<Digest>,
    key: &SigningKey,
) -> Result<Attestation, Refusal> {
    let DisputeText { site, plan, .. } = &**dispute;
    let claim = DisputeClaim { site: site.clone(), plan: *plan, sequence, previous };
    seal(head.predicate(Claim::Dispute(claim)), vec![json(dispute)?], &[key])
}
