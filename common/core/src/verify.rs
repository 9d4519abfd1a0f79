//! One document at a time: from claimed bytes to a verified release. Only verified ones enter a report.

mod numbers;

use crate::codec;
use crate::contract::ContractText;
use crate::disclosure::ReleaseText;
use crate::envelope::{Claim, Claimed, ReleaseClaim, ReportClaim, Statement};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::KeyUse;
use crate::limits;
use crate::note::{Checkpoint, NoteError};
use crate::roster::{Party, Registry, check_federation, journal_origin, same};
use crate::time::{Time, Window};
use std::collections::BTreeMap;

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
        Claim::Report(claim) => {
            same("signer", &Party::Aggregator, &party)?;
            Ok(Entry::Report(claim))
        }
        other => Err(Refusal::new("statement", "a release or a report", other.predicate_type())),
    }
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

/// What a plan's log holds so far, site by site: the order that releases must come in.
#[derive(Clone, Debug, Default)]
pub struct PlanState {
    sites: BTreeMap<Name, SiteState>,
}

#[derive(Clone, Debug, Default)]
struct SiteState {
    next: u64,
    last: Option<Digest>,
    windows: BTreeMap<Window, Digest>,
}

/// Why a release does not fit behind those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The check.
    pub refusal: Refusal,
    /// The logged envelope that contradicts it; both together are evidence.
    pub against: Option<Digest>,
}

impl PlanState {
    /// Whether `release` may come next.
    ///
    /// # Errors
    /// A broken sequence, a second release for a window that does not amend the first, a wrong previous digest.
    pub fn check(&self, release: &VerifiedRelease) -> Result<(), Conflict> {
        let empty = SiteState::default();
        let claim = release.claim();
        let state = self.sites.get(&claim.site).unwrap_or(&empty);
        let conflict = |check: &str, expected: String, found: String, against: Option<Digest>| {
            Err(Conflict { refusal: Refusal::new(check, expected, found), against })
        };
        let amended = claim.amends.as_ref().map(|amends| amends.envelope);
        let current = state.windows.get(&claim.window).copied();
        if current != amended {
            let wanted = current.map_or("no release amended".to_owned(), |old| format!("a release that amends {old}"));
            let found = amended.map_or("one that amends none".to_owned(), |old| format!("one that amends {old}"));
            return conflict("window", wanted, found, current);
        }
        if claim.sequence != state.next {
            return conflict("sequence", state.next.to_string(), claim.sequence.to_string(), state.last);
        }
        if claim.previous != state.last {
            return conflict("previous", format!("{:?}", state.last), format!("{:?}", claim.previous), state.last);
        }
        Ok(())
    }

    /// Takes the release that comes next.
    ///
    /// # Errors
    /// As [`PlanState::check`]; then nothing has changed.
    pub fn admit(&mut self, release: &VerifiedRelease) -> Result<(), Conflict> {
        self.check(release)?;
        let state = self.sites.entry(release.claim().site.clone()).or_default();
        state.next += 1;
        state.last = Some(release.envelope());
        state.windows.insert(release.claim().window, release.envelope());
        Ok(())
    }

    /// The envelope that holds for a site and window: the last one logged.
    pub fn current(&self, site: &Name, window: &Window) -> Option<Digest> {
        self.sites.get(site)?.windows.get(window).copied()
    }
}
