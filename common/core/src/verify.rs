//! One document at a time: from claimed bytes to a verified release. Only verified ones enter a report.

mod beats;
mod blocks;
mod detail;
mod dispute;
mod identity;
mod numbered;
mod numbers;
mod order;
mod private;
mod zeros;

pub use beats::{BeatState, SiteBeats};
pub use dispute::{VerifiedDispute, claimed_subjects, dispute, report_json};
pub use numbered::{Numbered, numbered};
pub use order::{At, Conflict, PlanState};

use crate::absence::Abstention;
use crate::codec;
use crate::continuity::Heartbeat;
use crate::disclosure::ReleaseText;
use crate::envelope::{AbstentionClaim, Claim, Claimed, HeartbeatClaim, ReleaseClaim, ReportClaim, Statement};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use crate::note::{Checkpoint, NoteError};
use crate::roster::{Member, Party, Registry, check_federation, journal_origin, same};
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
    /// Key ids: who signed it, and who signed each of the journal's checkpoints.
    signer: Digest,
    notes: Vec<Digest>,
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
    /// Ids of the keys that signed it and its notes.
    pub fn signers(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.signer).chain(&self.notes)
    }
}

/// Checks everything about a release that the registry and the release itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn release(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedRelease, Refusal> {
    let Signed { statement, signer, seen } = statement(envelope, registry)?;
    let Claim::Release(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a release", statement.predicate.claim.predicate_type()));
    };
    same("signer", &signer.party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let plan = &registry.plan(&claim.plan)?.plan;
    let contract = registry.contract_of(plan)?;
    same("contract", &plan.contract_digest, &claim.contract)?;
    if !plan.has_window(&claim.window) {
        return Err(Refusal::new("window", format!("a window of plan {}", plan.plan), claim.window));
    }
    let text: ReleaseText = codec::from_json(artifact).map_err(|e| Refusal::new("release", "a release document", e))?;
    same("epoch", &registry.epoch_at(&claim.site, seen), &claim.epoch)?;
    same("release", &(&claim.site, claim.plan, claim.window), &(&text.site, text.plan, text.window))?;
    numbers::check_numbers(&text, plan, contract)?;
    private::check_once(plan, claim.amends.is_some())?;
    if let Some(amends) = &claim.amends {
        amends.check().map_err(|e| Refusal::new("release", "a reason to amend", e))?;
    }
    let logs = contract.journal_logs().to_vec();
    let (journal, notes) = journal(&claim.site, claim.epoch, &logs, &claim.journal, registry)?.into_iter().unzip();
    Ok(VerifiedRelease {
        envelope: Digest::of(envelope),
        artifact: Digest::of(artifact),
        issued_at: statement.predicate.issued_at,
        claim: claim.clone(),
        text,
        journal,
        signer: signer.key.id(),
        notes,
    })
}

/// An abstention whose signature, signer, plan and window were checked. Only [`abstention`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedAbstention {
    envelope: Digest,
    artifact: Digest,
    claim: AbstentionClaim,
    text: Abstention,
    signer: Digest,
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
    let Signed { statement, signer, .. } = statement(envelope, registry)?;
    let Claim::Abstention(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "an abstention", statement.predicate.claim.predicate_type()));
    };
    same("signer", &signer.party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let plan = &registry.plan(&claim.plan)?.plan;
    if !plan.has_window(&claim.window) {
        return Err(Refusal::new("window", format!("a window of plan {}", plan.plan), claim.window));
    }
    let text: Abstention =
        codec::from_json(artifact).map_err(|e| Refusal::new("abstention", "an abstention document", e))?;
    same("abstention", &(&claim.site, claim.plan, claim.window), &(&text.site, text.plan, text.window))?;
    let (envelope, artifact) = (Digest::of(envelope), Digest::of(artifact));
    Ok(VerifiedAbstention { envelope, artifact, claim: claim.clone(), text, signer: signer.key.id() })
}

/// A heartbeat whose signature, signer and journal checkpoints were checked. Only [`heartbeat`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedHeartbeat {
    /// SHA-256 of the envelope.
    pub envelope: Digest,
    /// When the site says it signed.
    pub issued_at: Time,
    /// What the site claims.
    pub claim: HeartbeatClaim,
    /// The signed notes.
    pub notes: Vec<String>,
    /// What they say.
    pub journal: Vec<Checkpoint>,
    /// Ids of the keys that signed it and its notes.
    pub signers: Vec<Digest>,
}

/// Checks everything about a heartbeat that the registry and the heartbeat itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn heartbeat(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedHeartbeat, Refusal> {
    let Signed { statement, signer, seen } = statement(envelope, registry)?;
    let Claim::Heartbeat(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a heartbeat", statement.predicate.claim.predicate_type()));
    };
    same("signer", &signer.party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let text: Heartbeat =
        codec::from_json(artifact).map_err(|e| Refusal::new("heartbeat", "a heartbeat document", e))?;
    same("heartbeat", &(&claim.site, claim.epoch), &(&text.site, text.epoch))?;
    same("epoch", &registry.epoch_at(&claim.site, seen), &claim.epoch)?;
    let base = journal_origin(&registry.trust().federation, &claim.site, claim.epoch, "");
    let log = |note: &String| note.lines().next().and_then(|origin| origin.strip_prefix(&base)).map(str::to_owned);
    let logs: Option<Vec<String>> = text.journal.iter().map(log).collect();
    let logs = logs.ok_or_else(|| Refusal::new("journal", format!("checkpoints of logs of {base}"), "of others"))?;
    let (journal, mut signers): (_, Vec<Digest>) =
        journal(&claim.site, claim.epoch, &logs, &text.journal, registry)?.into_iter().unzip();
    signers.push(signer.key.id());
    Ok(VerifiedHeartbeat {
        envelope: Digest::of(envelope),
        issued_at: statement.predicate.issued_at,
        claim: claim.clone(),
        notes: text.journal.clone(),
        journal,
        signers,
    })
}

/// Checks who signed a report, over which files, and reads its claim. Whether the key held where the report stands is for
/// [`entry`] to say, and [`PlanState::admit_report`].
///
/// # Errors
/// Which check it did not pass.
pub fn report(envelope: &[u8], files: &[&[u8]], registry: &Registry) -> Result<ReportClaim, Refusal> {
    let Signed { statement, signer, .. } = statement(envelope, registry)?;
    let Claim::Report(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a report", statement.predicate.claim.predicate_type()));
    };
    same("signer", &signer.party, &Party::Aggregator)?;
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
    /// A report by the aggregator, and the id of the key that signed it.
    Report(ReportClaim, Digest),
    /// A dispute; [`dispute`] checks it.
    Dispute,
}

/// Checks who signed an entry of a plan's log, and of what kind it is.
///
/// # Errors
/// Which check it did not pass.
pub fn entry(envelope: &[u8], registry: &Registry) -> Result<Entry, Refusal> {
    let Signed { statement, signer, .. } = statement(envelope, registry)?;
    match statement.predicate.claim {
        Claim::Release(_) => Ok(Entry::Release),
        Claim::Abstention(_) => Ok(Entry::Abstention),
        Claim::Dispute(_) => Ok(Entry::Dispute),
        Claim::Report(claim) => {
            same("signer", &Party::Aggregator, &signer.party)?;
            Ok(Entry::Report(claim, signer.key.id()))
        }
        other => {
            Err(Refusal::new("statement", "a release, an abstention, a dispute or a report", other.predicate_type()))
        }
    }
}

/// What an envelope claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A release.
    Release,
    /// An abstention.
    Abstention,
    /// A dispute.
    Dispute,
    /// A heartbeat.
    Heartbeat,
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
        Claim::Dispute(_) => Kind::Dispute,
        Claim::Heartbeat(_) => Kind::Heartbeat,
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

/// What a site or the aggregator signed.
struct Signed<'a> {
    statement: Statement,
    /// By any key that party ever had to attest with; whether it held where the document stands is another question.
    signer: &'a Member,
    /// How many entries of the registry the signer had seen: what they say holds for the document, whatever comes later.
    seen: u64,
}

fn statement<'a>(envelope: &[u8], registry: &'a Registry) -> Result<Signed<'a>, Refusal> {
    let (claimed, keyid) = Claimed::parse_exact(envelope)?;
    let Some(signer) = registry.member(&keyid).filter(|member| member.usage == KeyUse::Attest) else {
        return Err(Refusal::new("signer", "an attest key in the roster", keyid.short()));
    };
    let statement = claimed.verify(&[signer.key], 1)?;
    check_federation(&statement, &registry.trust().federation)?;
    let seen = statement.predicate.seen.as_ref().filter(|seen| registry.is_origin(&seen.origin));
    let Some(seen) = seen else {
        return Err(Refusal::new("seen", "a checkpoint of the registry, which the signer had seen", "none of it"));
    };
    registry.check_seen(Some(seen))?;
    let seen = seen.size;
    // Whoever had not seen its own key in the roster signed before it stood there: it was put in later.
    if seen <= signer.since {
        let expected = format!("a signer that had seen entry {} of the registry, which names its key", signer.since);
        return Err(Refusal::new("seen", expected, format!("one that had seen {seen} entries")));
    }
    Ok(Signed { statement, signer, seen })
}

/// The signed checkpoints of some of a site's journal logs, and who signed each.
fn journal(
    site: &Name,
    epoch: u32,
    logs: &[String],
    notes: &[String],
    registry: &Registry,
) -> Result<Vec<(Checkpoint, Digest)>, Refusal> {
    let keys: Vec<PublicKey> = registry.keys_of(&Party::Site(site.clone()), KeyUse::Note);
    let federation = &registry.trust().federation;
    let wanted: Vec<_> = logs.iter().map(|log| journal_origin(federation, site, epoch, log)).collect();
    if notes.len() != wanted.len() {
        return Err(Refusal::new("journal", format!("checkpoints of {}", wanted.join(", ")), notes.len()));
    }
    let opened = wanted.iter().zip(notes).map(|(origin, note)| {
        let bad = |e: NoteError| {
            Refusal::new("journal", format!("a checkpoint of {origin} signed by the site's note key"), e)
        };
        let (checkpoint, signer) = Checkpoint::open_sole(note.as_bytes(), origin, &keys).map_err(bad)?;
        if !checkpoint.size.is_multiple_of(limits::BLOCK_RECORDS) {
            return Err(Refusal::new(
                "journal",
                format!("a multiple of {} records", limits::BLOCK_RECORDS),
                checkpoint.size,
            ));
        }
        Ok((checkpoint, signer.id()))
    });
    opened.collect()
}
