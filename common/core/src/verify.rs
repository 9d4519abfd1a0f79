//! One document at a time: from claimed bytes to a verified release. Only verified ones enter a report.

mod blocks;
mod detail;
mod numbered;
mod numbers;
mod order;
mod private;
mod zeros;

pub use numbered::{Numbered, numbered};
pub use order::{Conflict, PlanState};

use crate::absence::Abstention;
use crate::codec;
use crate::contract::ContractText;
use crate::disclosure::ReleaseText;
use crate::envelope::{AbstentionClaim, Claim, Claimed, ReleaseClaim, ReportClaim, Statement};
use crate::fault::Refusal;
use crate::ids::Digest;
use crate::key::KeyUse;
use crate::limits;
use crate::note::{Checkpoint, NoteError};
use crate::roster::{Party, Registry, check_federation, journal_origin, same};
use crate::time::Time;

/// A release whose signature, signer, plan, window, journal checkpoints and sums were checked. Only [`release`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedRelease {
    envelope: Digest,
    artifact: Digest,
    issued_at: Time,
    claim: ReleaseClaim,
    text: ReleaseText,
    journal: Vec<Checkpoint>,
}

impl VerifiedRelease {
    /// SHA-256 of the envelope.
    pub fn envelope(&self) -> Digest {
        self.envelope
    }
    /// SHA-256 of `release.json`.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }
    /// When the site says it signed.
    pub fn issued_at(&self) -> Time {
        self.issued_at
    }
    /// What the site claims of the release.
    pub fn claim(&self) -> &ReleaseClaim {
        &self.claim
    }
    /// The numbers.
    pub fn text(&self) -> &ReleaseText {
        &self.text
    }
    /// The journal checkpoints that the numbers were computed from.
    pub fn journal(&self) -> &[Checkpoint] {
        &self.journal
    }
}

/// Checks everything about a release that the registry and the release itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn release(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedRelease, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    let Claim::Release(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a release", statement.predicate.claim.predicate_type()));
    };
    same("signer", &party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let plan = &registry.plan(&claim.plan)?.plan;
    let contract = registry.contract_of(plan)?;
    same("contract", &plan.contract_digest, &claim.contract)?;
    if !plan.has_window(&claim.window) {
        return Err(Refusal::new("window", format!("a window of plan {}", plan.plan), claim.window));
    }
    let text: ReleaseText = codec::from_json(artifact).map_err(|e| Refusal::new("release", "a release document", e))?;
    same("release", &(&claim.site, claim.plan, claim.window), &(&text.site, text.plan, text.window))?;
    numbers::check_numbers(&text, plan, contract)?;
    private::check_once(plan, claim.amends.is_some())?;
    if let Some(amends) = &claim.amends {
        amends.check().map_err(|e| Refusal::new("release", "a reason to amend", e))?;
    }
    let journal = journal(claim, contract, registry)?;
    Ok(VerifiedRelease {
        envelope: Digest::of(envelope),
        artifact: Digest::of(artifact),
        issued_at: statement.predicate.issued_at,
        claim: claim.clone(),
        text,
        journal,
    })
}

/// An abstention whose signature, signer, plan and window were checked. Only [`abstention`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedAbstention {
    envelope: Digest,
    artifact: Digest,
    claim: AbstentionClaim,
    text: Abstention,
}

impl VerifiedAbstention {
    /// SHA-256 of the envelope.
    pub fn envelope(&self) -> Digest {
        self.envelope
    }
    /// SHA-256 of `abstention.json`.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }
    /// What the site claims of the abstention.
    pub fn claim(&self) -> &AbstentionClaim {
        &self.claim
    }
    /// Why the site abstains.
    pub fn reason(&self) -> &str {
        &self.text.reason
    }
}

/// Checks everything about an abstention that the registry and the abstention itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn abstention(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedAbstention, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    let Claim::Abstention(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "an abstention", statement.predicate.claim.predicate_type()));
    };
    same("signer", &party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let plan = &registry.plan(&claim.plan)?.plan;
    if !plan.has_window(&claim.window) {
        return Err(Refusal::new("window", format!("a window of plan {}", plan.plan), claim.window));
    }
    let text: Abstention =
        codec::from_json(artifact).map_err(|e| Refusal::new("abstention", "an abstention document", e))?;
    same("abstention", &(&claim.site, claim.plan, claim.window), &(&text.site, text.plan, text.window))?;
    let (envelope, artifact) = (Digest::of(envelope), Digest::of(artifact));
    Ok(VerifiedAbstention { envelope, artifact, claim: claim.clone(), text })
}

/// Checks who signed a report, over which files, and reads its claim.
///
/// # Errors
/// Which check it did not pass.
pub fn report(envelope: &[u8], files: &[&[u8]], registry: &Registry) -> Result<ReportClaim, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    let Claim::Report(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a report", statement.predicate.claim.predicate_type()));
    };
    same("signer", &party, &Party::Aggregator)?;
    statement.check_artifacts(files)?;
    Ok(claim.clone())
}

/// What an entry of a plan's log is.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A release; [`release`] checks it.
    Release,
    /// An abstention; [`abstention`] checks it.
    Abstention,
    /// A report by the aggregator.
    Report(ReportClaim),
}

/// Checks who signed an entry of a plan's log, and of what kind it is.
///
/// # Errors
/// Which check it did not pass.
pub fn entry(envelope: &[u8], registry: &Registry) -> Result<Entry, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    match statement.predicate.claim {
        Claim::Release(_) => Ok(Entry::Release),
        Claim::Abstention(_) => Ok(Entry::Abstention),
        Claim::Report(claim) => {
            same("signer", &Party::Aggregator, &party)?;
            Ok(Entry::Report(claim))
        }
        other => Err(Refusal::new("statement", "a release, an abstention or a report", other.predicate_type())),
    }
}

/// What an envelope claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A release.
    Release,
    /// An abstention.
    Abstention,
    /// Something else.
    Other,
}

/// What an envelope claims to be. Nobody has checked the signature: this only says which check to make.
///
/// # Errors
/// `envelope`, `statement`: no envelope.
pub fn claimed_kind(envelope: &[u8]) -> Result<Kind, Refusal> {
    Ok(match Claimed::parse(envelope)?.claimed_statement()?.predicate.claim {
        Claim::Release(_) => Kind::Release,
        Claim::Abstention(_) => Kind::Abstention,
        _ => Kind::Other,
    })
}

/// The digest of the one artifact that an envelope speaks of. Nobody has checked the signature: this only finds the file.
///
/// # Errors
/// `envelope`, `statement`: no envelope, or none with one subject.
pub fn claimed_subject(envelope: &[u8]) -> Result<Digest, Refusal> {
    Claimed::parse(envelope)?.claimed_statement()?.only_subject()
}

fn statement(envelope: &[u8], registry: &Registry) -> Result<(Statement, Party), Refusal> {
    let claimed = Claimed::parse(envelope)?;
    let owner = claimed.signers().find_map(|id| match registry.owner(&id) {
        Some((party, KeyUse::Attest)) => Some(party.clone()),
        _ => None,
    });
    let Some(party) = owner else {
        let found: Vec<_> = claimed.signers().map(|id| id.short()).collect();
        return Err(Refusal::new("signer", "an attest key in the roster", format!("[{}]", found.join(", "))));
    };
    let statement = claimed.verify(&[registry.party(&party)?.key(KeyUse::Attest)?], 1)?;
    check_federation(&statement, &registry.trust().federation)?;
    Ok((statement, party))
}

fn journal(claim: &ReleaseClaim, contract: &ContractText, registry: &Registry) -> Result<Vec<Checkpoint>, Refusal> {
    let key = registry.party(&Party::Site(claim.site.clone()))?.key(KeyUse::Note)?;
    let federation = &registry.trust().federation;
    let wanted = contract.journal_logs().map(|log| journal_origin(federation, &claim.site, claim.epoch, &log));
    if claim.journal.len() != wanted.len() {
        return Err(Refusal::new("journal", format!("checkpoints of {}", wanted.join(", ")), claim.journal.len()));
    }
    let opened = wanted.iter().zip(&claim.journal).map(|(origin, note)| {
        let bad = |e: NoteError| {
            Refusal::new("journal", format!("a checkpoint of {origin} signed by the site's note key"), e)
        };
        let checkpoint = Checkpoint::open(note.as_bytes(), origin, &key).map_err(bad)?;
        if !checkpoint.size.is_multiple_of(limits::BLOCK_RECORDS) {
            return Err(Refusal::new(
                "journal",
                format!("a multiple of {} records", limits::BLOCK_RECORDS),
                checkpoint.size,
            ));
        }
        Ok(checkpoint)
    });
    opened.collect()
}
