//! What governance signs, as one reads it before signing or publishing.

use super::{RosterEntry, check_federation, same};
use crate::absence::Waiver;
use crate::codec;
use crate::continuity::Epoch;
use crate::contract::Contract;
use crate::envelope::{Claim, Claimed, Published, Statement};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::plan::Plan;
use serde::de::DeserializeOwned;

/// A governance document that says what its statement claims.
pub(super) enum Governed {
    Entry(RosterEntry, Option<Digest>),
    Contract(Box<Contract>, Option<Digest>),
    Plan(Box<Plan>, Option<Digest>),
    Waiver(Waiver),
    Epoch(Epoch),
}

impl Governed {
    /// Reads `artifact`, if it is what `statement` speaks of.
    pub(super) fn open(statement: &Statement, federation: &Name, artifact: &[u8]) -> Result<Governed, Refusal> {
        check_federation(statement, federation)?;
        statement.check_artifacts(&[artifact])?;
        match &statement.predicate.claim {
            Claim::Roster(claim) => {
                let entry: RosterEntry = parse(artifact)?;
                same("roster", &(&entry.party.name()?, entry.version), &(&claim.name, claim.version))?;
                Ok(Governed::Entry(entry, claim.replaces))
            }
            Claim::Contract(claim) => {
                let contract: Contract = parse(artifact)?;
                same("contract", &(&contract.contract, contract.version), &(&claim.name, claim.version))?;
                Ok(Governed::Contract(Box::new(contract), claim.replaces))
            }
            Claim::Plan(claim) => {
                let plan: Plan = parse(artifact)?;
                same("plan", &(&plan.plan, plan.version), &(&claim.name, claim.version))?;
                Ok(Governed::Plan(Box::new(plan), claim.replaces))
            }
            Claim::Waiver(claim) => {
                let waiver: Waiver = parse(artifact)?;
                same("waiver", &Published { name: waiver.site.clone(), version: 1, replaces: None }, claim)?;
                Ok(Governed::Waiver(waiver))
            }
            Claim::Epoch(claim) => {
                let epoch: Epoch = parse(artifact)?;
                same("epoch", &Published { name: epoch.site.clone(), version: epoch.epoch, replaces: None }, claim)?;
                Ok(Governed::Epoch(epoch))
            }
            other @ (Claim::Transport(_)
            | Claim::Heartbeat(_)
            | Claim::Release(_)
            | Claim::Abstention(_)
            | Claim::Report(_)
            | Claim::Dispute(_)) => {
                let expected = "a contract, plan, roster entry, waiver or epoch";
                Err(Refusal::new("registry", expected, other.predicate_type()))
            }
        }
    }

    /// Its kind and what names it.
    fn line(&self) -> String {
        let replacing = |old: &Option<Digest>| old.map_or(String::new(), |old| format!(" replacing {}", old.short()));
        match self {
            Governed::Entry(entry, _) => {
                let name = entry.party.name().map_or("?".to_owned(), |name| name.to_string());
                let version = if entry.version > 1 { format!(" v{}", entry.version) } else { String::new() };
                let ended: Vec<_> = entry.ended.iter().map(|of| format!("{} {}", of.key.short(), of.why)).collect();
                let ended = if ended.is_empty() { String::new() } else { format!(", ending {}", ended.join(", ")) };
                format!("roster entry {name}{version}{ended}")
            }
            Governed::Contract(it, old) => format!("contract {} v{}{}", it.contract, it.version, replacing(old)),
            Governed::Plan(it, old) => format!("plan {} v{}{}", it.plan, it.version, replacing(old)),
            Governed::Epoch(epoch) => format!("epoch {} of {}", epoch.epoch, epoch.site),
            Governed::Waiver(waiver) => {
                let windows: Vec<_> = waiver.windows.iter().map(ToString::to_string).collect();
                format!("waiver of {} for plan {}, windows {}", waiver.site, waiver.plan, windows.join(" "))
            }
        }
    }
}

/// A governance document in a line, for whoever is asked to sign it: `artifact` is what the envelope speaks of. No
/// signature is checked, and not whether it follows from the registry.
///
/// # Errors
/// `envelope`, `statement`, `federation`, `artifact`, `registry`, or the check of its kind: a document that must not be
/// signed.
pub fn describe(envelope: &[u8], artifact: &[u8], federation: &Name) -> Result<String, Refusal> {
    let claimed = Claimed::parse(envelope)?;
    let statement = claimed.claimed_statement()?;
    statement.check()?;
    let line = Governed::open(&statement, federation, artifact)?.line();
    let signers: Vec<_> = claimed.signers().map(|id| id.short()).collect();
    Ok(format!("{line} of {federation}, {}, signed by [{}]", statement.only_subject()?, signers.join(", ")))
}

fn parse<T: DeserializeOwned>(artifact: &[u8]) -> Result<T, Refusal> {
    codec::from_json(artifact).map_err(|e| Refusal::new("artifact", "a valid document", e))
}
