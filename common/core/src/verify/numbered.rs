//! What a site signs under a plan, numbered together: releases, abstentions and disputes.

use super::{Kind, VerifiedAbstention, VerifiedDispute, VerifiedRelease, abstention, claimed_kind, dispute, release};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::note::Checkpoint;
use crate::roster::Registry;
use crate::time::Window;

/// A verified document that has a number within site and plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbered {
    /// A release.
    Release(Box<VerifiedRelease>),
    /// An abstention.
    Abstention(Box<VerifiedAbstention>),
    /// A dispute.
    Dispute(Box<VerifiedDispute>),
}

/// Checks a release, an abstention or a dispute by the rules of its kind.
///
/// # Errors
/// Which check it did not pass.
pub fn numbered(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<Numbered, Refusal> {
    match claimed_kind(envelope)? {
        Kind::Dispute => dispute(envelope, artifact, registry).map(Box::new).map(Numbered::Dispute),
        Kind::Abstention => abstention(envelope, artifact, registry).map(Box::new).map(Numbered::Abstention),
        Kind::Release | Kind::Heartbeat | Kind::Other => {
            release(envelope, artifact, registry).map(Box::new).map(Numbered::Release)
        }
    }
}

impl Numbered {
    /// `release`, `abstention` or `dispute`.
    pub fn word(&self) -> &'static str {
        match self {
            Numbered::Release(_) => "release",
            Numbered::Abstention(_) => "abstention",
            Numbered::Dispute(_) => "dispute",
        }
    }
    /// SHA-256 of the envelope.
    pub fn envelope(&self) -> Digest {
        match self {
            Numbered::Release(it) => it.envelope(),
            Numbered::Abstention(it) => it.envelope(),
            Numbered::Dispute(it) => it.envelope(),
        }
    }
    /// The site.
    pub fn site(&self) -> &Name {
        match self {
            Numbered::Release(it) => &it.claim().site,
            Numbered::Abstention(it) => &it.claim().site,
            Numbered::Dispute(it) => &it.claim().site,
        }
    }
    /// Digest of the plan.
    pub fn plan(&self) -> Digest {
        match self {
            Numbered::Release(it) => it.claim().plan,
            Numbered::Abstention(it) => it.claim().plan,
            Numbered::Dispute(it) => it.claim().plan,
        }
    }
    /// The window; of a dispute, that of what it is about.
    pub fn window(&self) -> Window {
        match self {
            Numbered::Release(it) => it.claim().window,
            Numbered::Abstention(it) => it.claim().window,
            Numbered::Dispute(it) => it.text().window,
        }
    }
    /// Number within site and plan.
    pub fn sequence(&self) -> u64 {
        match self {
            Numbered::Release(it) => it.claim().sequence,
            Numbered::Abstention(it) => it.claim().sequence,
            Numbered::Dispute(it) => it.claim().sequence,
        }
    }
    /// SHA-256 of the envelope before it, within site and plan.
    pub fn previous(&self) -> Option<Digest> {
        match self {
            Numbered::Release(it) => it.claim().previous,
            Numbered::Abstention(it) => it.claim().previous,
            Numbered::Dispute(it) => it.claim().previous,
        }
    }
    /// Ids of the keys that signed it, and its journal checkpoints.
    pub fn signers(&self) -> Vec<Digest> {
        match self {
            Numbered::Release(it) => it.signers().copied().collect(),
            Numbered::Abstention(it) => vec![it.signer],
            Numbered::Dispute(it) => vec![it.signer],
        }
    }
    /// The journal checkpoints that it names; others name none.
    pub fn journal(&self) -> &[Checkpoint] {
        match self {
            Numbered::Release(it) => it.journal(),
            Numbered::Abstention(_) | Numbered::Dispute(_) => &[],
        }
    }
}
