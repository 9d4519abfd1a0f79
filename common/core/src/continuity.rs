//! What keeps a site's journal and keys one unbroken thing: heartbeats that pin its logs, epochs where a journal was lost,
//! transport keys that the site replaces itself.

use crate::codec::{Rules, Valid};
use crate::contract::text;
use crate::envelope::{Attestation, Claim, Claimed, Head, HeartbeatClaim, Published, json, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::PublicKey;
use crate::limits;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// Format of `heartbeat.json`, `epoch.json` and `transport-key.json`.
pub const FORMAT: u32 = 1;

/// A heartbeat that keeps its rules.
pub type Heartbeat = Valid<HeartbeatText>;

/// A site's journal as it stands (`heartbeat.json`): what is older cannot be rewritten any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatText {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// The journal's epoch.
    pub epoch: u32,
    /// Signed checkpoints of the journal's logs, by origin, on block boundaries.
    pub journal: Vec<String>,
}

/// A new epoch that keeps its rules.
pub type Epoch = Valid<EpochText>;

/// Governance lets a site go on whose journal was lost, or is older than what it signed (`epoch.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochText {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// The epoch that begins: one more than the last.
    pub epoch: u32,
    /// How many records the site still has of each log of the epoch before; logs that are not named are lost as a whole.
    pub kept: Vec<KeptLog>,
    /// What happened.
    pub reason: String,
}

/// A log of a journal, as far as it was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptLog {
    /// Name of the log, such as `ledger`.
    pub log: String,
    /// Records kept, from the first.
    pub size: u64,
}

/// A transport key that keeps its rules.
pub type TransportKey = Valid<TransportText>;

/// A site's transport key from now on (`transport-key.json`), under its attest key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportText {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// The key that takes the place of the one before.
    pub key: PublicKey,
}

impl Rules for HeartbeatText {
    fn check(&self) -> Result<(), String> {
        format(self.format)?;
        if self.journal.is_empty() || self.journal.len() > limits::JOURNAL_LOGS {
            return Err(format!("`journal` holds {} checkpoints; 1 to {}", self.journal.len(), limits::JOURNAL_LOGS));
        }
        let origins: Vec<_> = self.journal.iter().map(|note| note.lines().next().unwrap_or_default()).collect();
        if origins.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("`journal` must ascend by origin, each once".to_owned());
        }
        Ok(())
    }
}

impl Rules for EpochText {
    fn check(&self) -> Result<(), String> {
        format(self.format)?;
        text("reason", &self.reason)?;
        if self.epoch < 2 {
            return Err("`epoch` is below 2; the first one needs no document".to_owned());
        }
        if self.kept.len() > limits::JOURNAL_LOGS {
            return Err(format!("`kept` holds {} logs; at most {}", self.kept.len(), limits::JOURNAL_LOGS));
        }
        if self.kept.windows(2).any(|pair| pair[0].log >= pair[1].log) {
            return Err("`kept` must ascend by log, each once".to_owned());
        }
        self.kept.iter().try_for_each(|kept| text("log", &kept.log))
    }
}

impl Rules for TransportText {
    fn check(&self) -> Result<(), String> {
        format(self.format)
    }
}

fn format(found: u32) -> Result<(), String> {
    if found == FORMAT { Ok(()) } else { Err(format!("`format` is {found}; this program knows {FORMAT}")) }
}

/// Attests a heartbeat: number and envelope before it within the site's heartbeats.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_heartbeat(
    heartbeat: &Heartbeat,
    head: Head,
    sequence: u64,
    previous: Option<Digest>,
    key: &SigningKey,
) -> Result<Attestation, Refusal> {
    let claim = HeartbeatClaim { site: heartbeat.site.clone(), epoch: heartbeat.epoch, sequence, previous };
    seal(head.predicate(Claim::Heartbeat(claim)), vec![json(heartbeat)?], &[key])
}

/// Attests a new epoch.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_epoch(epoch: &Epoch, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: epoch.site.clone(), version: epoch.epoch, replaces: head.replaces };
    seal(head.predicate(Claim::Epoch(claim)), vec![json(epoch)?], keys)
}

/// Attests a site's next transport key; `head` names the roster entry that it changes.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_transport(
    key: &TransportKey,
    version: u32,
    head: Head,
    attest: &SigningKey,
) -> Result<Attestation, Refusal> {
    let claim = Published { name: key.site.clone(), version, replaces: head.replaces };
    seal(head.predicate(Claim::Transport(claim)), vec![json(key)?], &[attest])
}

/// The site whose next transport key an envelope claims to be. Nothing of it is checked.
///
/// # Errors
/// `envelope`, `statement`: it is none. `registry`: it claims something else.
pub fn claimed_transport(envelope: &[u8]) -> Result<Name, Refusal> {
    match Claimed::parse(envelope)?.claimed_statement()?.predicate.claim {
        Claim::Transport(claim) => Ok(claim.name),
        other => Err(Refusal::new("registry", "a site's transport key", other.predicate_type())),
    }
}
