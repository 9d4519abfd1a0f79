//! Roster entries: who a party is from now on, and which of its earlier keys end, and where.

use super::FORMAT;
use crate::codec::{Rules, Valid};
use crate::contract::text;
use crate::envelope::{Attestation, Claim, Head, Published, json, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{KeyUse, PublicKey};
use crate::limits;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A party with keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Who signs the registry's entries.
    Governance,
    /// The centre.
    Aggregator,
    /// A site.
    Site(Name),
}

/// Names of parties that are no sites, in claims and file names; no site may have them.
const AGGREGATOR: &str = "aggregator";
const GOVERNANCE: &str = "governance";

impl Party {
    /// The party's name in claims and file names.
    ///
    /// # Errors
    /// Never.
    pub fn name(&self) -> Result<Name, Refusal> {
        let named = |name| Name::new(name).map_err(|e| Refusal::new("roster", "a name", e));
        match self {
            Party::Site(site) => Ok(site.clone()),
            Party::Aggregator => named(AGGREGATOR),
            Party::Governance => named(GOVERNANCE),
        }
    }

    /// The uses that its keys are for.
    pub fn uses(&self) -> &'static [KeyUse] {
        match self {
            Party::Governance => &[KeyUse::Governance],
            Party::Aggregator => &[KeyUse::Attest, KeyUse::Log, KeyUse::Transport],
            Party::Site(_) => &[KeyUse::Attest, KeyUse::Note, KeyUse::Transport],
        }
    }
}

/// A roster entry that keeps its rules.
pub type RosterEntry = Valid<RosterText>;

/// Who a party is from this entry on (`roster-entry.json`). A later version holds instead of the one before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterText {
    /// [`FORMAT`].
    pub format: u32,
    /// The party.
    pub party: Party,
    /// Version of what is said of this party, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub version: u32,
    /// Its keys, one for each use; of governance, all that may sign. None where the party has left the federation.
    pub keys: Vec<RosterKey>,
    /// How many keys of governance must sign from now on; of no other party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<usize>,
    /// The keys of the version before that are not keys any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<EndedKey>,
    /// What happened to them, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn first() -> u32 {
    1
}

fn is_first(version: &u32) -> bool {
    *version == first()
}

/// A key and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterKey {
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// The key.
    pub key: PublicKey,
}

/// A key that is one no more. What it signed holds where this says so, and nowhere else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedKey {
    /// SHA-256 of its SPKI.
    pub key: Digest,
    /// Why it ended.
    pub why: Ending,
    /// Sizes of logs: what stands in one of them below its size holds. Of a log key: its checkpoints up to this size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogSize>,
    /// Last numbers within the site and a plan that the key signed: these hold wherever they stand, for they may still be on
    /// their way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<LastNumber>,
}

impl EndedKey {
    /// Whether what it signed with this number within a plan holds wherever that stands.
    pub(crate) fn holds_number(&self, (plan, sequence): (Digest, u64)) -> bool {
        self.last.iter().any(|last| last.plan == plan && sequence <= last.sequence)
    }
}

/// Why a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Another one took its place, as planned.
    Rotated,
    /// It may be in other hands.
    Revoked,
    /// Nobody has it any more.
    Lost,
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Ending::Rotated => "rotated",
            Ending::Revoked => "revoked",
            Ending::Lost => "lost",
        })
    }
}

/// A log at a size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSize {
    /// The log's origin.
    pub origin: String,
    /// Entries in it.
    pub size: u64,
}

/// The last number of a site under a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastNumber {
    /// Digest of the plan.
    pub plan: Digest,
    /// The number.
    pub sequence: u64,
}

impl RosterText {
    /// The first entry of a party.
    pub fn of(party: Party, keys: Vec<RosterKey>) -> RosterText {
        RosterText { format: FORMAT, party, version: first(), keys, threshold: None, ended: Vec::new(), reason: None }
    }
}

impl Rules for RosterText {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}; this program knows {FORMAT}", self.format));
        }
        if let Party::Site(site) = &self.party
            && [AGGREGATOR, GOVERNANCE].contains(&site.as_str())
        {
            return Err(format!("`party` is a site called {site}; choose another name"));
        }
        if self.version == 0 || (self.version == 1 && !self.ended.is_empty()) {
            return Err("`version` begins with 1, and version 1 ends no key".to_owned());
        }
        let different: BTreeSet<_> = self.keys.iter().map(|key| key.key.id()).collect();
        let ended: BTreeSet<_> = self.ended.iter().map(|ended| ended.key).collect();
        if different.len() != self.keys.len() {
            return Err("`keys` must be different from the others".to_owned());
        }
        if ended.len() != self.ended.len() || !ended.is_disjoint(&different) {
            return Err("`ended` must name each key once, and none of `keys`".to_owned());
        }
        if self.reason.is_some() && self.ended.is_empty() {
            return Err("`reason` says why keys ended; none did".to_owned());
        }
        self.reason.iter().try_for_each(|reason| text("reason", reason))?;
        self.check_uses()
    }
}

impl RosterText {
    fn check_uses(&self) -> Result<(), String> {
        let wanted = self.party.uses();
        let uses: BTreeSet<_> = self.keys.iter().map(|key| key.usage).collect();
        if self.party == Party::Governance {
            let threshold = self.threshold.unwrap_or(0);
            if uses != wanted.iter().copied().collect() || !(1..=self.keys.len()).contains(&threshold) {
                return Err(format!("`threshold` is {threshold}; 1 to {} governance keys", self.keys.len()));
            }
            return match self.keys.len() <= limits::KEYS {
                true => Ok(()),
                false => Err(format!("`keys` holds {}; at most {}", self.keys.len(), limits::KEYS)),
            };
        }
        if self.threshold.is_some() {
            return Err("`threshold` is for governance".to_owned());
        }
        let left = self.keys.is_empty() && self.version > 1 && matches!(self.party, Party::Site(_));
        if !left && (uses != wanted.iter().copied().collect() || self.keys.len() != wanted.len()) {
            return Err(format!("`keys` must hold one key, different from the others, for each of {wanted:?}"));
        }
        Ok(())
    }

    /// The key for `usage`.
    ///
    /// # Errors
    /// `signer`: the entry has none.
    pub fn key(&self, usage: KeyUse) -> Result<PublicKey, Refusal> {
        let found = self.keys.iter().find(|key| key.usage == usage);
        found
            .map(|key| key.key)
            .ok_or_else(|| Refusal::new("signer", format!("a {usage} key of {:?}", self.party), "none"))
    }
}

/// Attests a roster entry.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_entry(entry: &RosterEntry, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: entry.party.name()?, version: entry.version, replaces: head.replaces };
    seal(head.predicate(Claim::Roster(claim)), vec![json(entry)?], keys)
}
