//! What an attestation says: in-toto Statement v1 with this project's predicates.

use super::{PREDICATE_FORMAT, STATEMENT_TYPE};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::time::{Time, Window};
use serde::{Deserialize, Serialize};

/// What every predicate says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// [`PREDICATE_FORMAT`].
    pub format: u32,
    /// The federation.
    pub federation: Name,
    /// When the signer says it signed.
    pub issued_at: Time,
    /// The last checkpoint of the registry that the signer had verified; documents of the registry itself may name none.
    pub seen: Option<Seen>,
    /// What is claimed of the subject.
    pub claim: Claim,
}

/// A log checkpoint that a signer had verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The log's origin.
    pub origin: String,
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Digest,
}

/// What is claimed, by kind of attestation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    /// Governance publishes a contract.
    Contract(Published),
    /// Governance publishes a plan.
    Plan(Published),
    /// Governance states who a party is.
    Roster(Published),
    /// Governance does without the releases of a site.
    Waiver(Published),
    /// Governance lets a site begin a new epoch of its journal.
    Epoch(Published),
    /// A site replaces its transport key.
    Transport(Published),
    /// A site answers a plan.
    Release(ReleaseClaim),
    /// A site says that it will not answer.
    Abstention(AbstentionClaim),
    /// A site says how far its journal has come.
    Heartbeat(HeartbeatClaim),
    /// The aggregator reports on a plan.
    Report(ReportClaim),
    /// A site says that a report does not name what it logged.
    Dispute(DisputeClaim),
}

impl Claim {
    /// The in-toto predicate type.
    pub fn predicate_type(&self) -> &'static str {
        match self {
            Claim::Contract(_) => "urn:fedaudit:contract:v1",
            Claim::Plan(_) => "urn:fedaudit:plan:v1",
            Claim::Roster(_) => "urn:fedaudit:roster-entry:v1",
            Claim::Waiver(_) => "urn:fedaudit:waiver:v1",
            Claim::Epoch(_) => "urn:fedaudit:epoch:v1",
            Claim::Transport(_) => "urn:fedaudit:transport-key:v1",
            Claim::Heartbeat(_) => "urn:fedaudit:heartbeat:v1",
            Claim::Release(_) => "urn:fedaudit:release:v1",
            Claim::Abstention(_) => "urn:fedaudit:abstention:v1",
            Claim::Report(_) => "urn:fedaudit:report:v1",
            Claim::Dispute(_) => "urn:fedaudit:dispute:v1",
        }
    }

    /// Names of the files spoken of, in order.
    pub fn files(&self) -> &'static [&'static str] {
        match self {
            Claim::Contract(_) => &["contract.json"],
            Claim::Plan(_) => &["plan.json"],
            Claim::Roster(_) => &["roster-entry.json"],
            Claim::Waiver(_) => &["waiver.json"],
            Claim::Epoch(_) => &["epoch.json"],
            Claim::Transport(_) => &["transport-key.json"],
            Claim::Heartbeat(_) => &["heartbeat.json"],
            Claim::Release(_) => &["release.json"],
            Claim::Abstention(_) => &["abstention.json"],
            Claim::Report(_) => &["report.json", "report.html"],
            Claim::Dispute(_) => &["dispute.json"],
        }
    }
}

/// A governance document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: u32,
    /// Artifact digest of the version it replaces.
    pub replaces: Option<Digest>,
}

/// A site's answer to a plan for a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseClaim {
    /// The site.
    pub site: Name,
    /// Digest of the plan.
    pub plan: Digest,
    /// Digest of the contract.
    pub contract: Digest,
    /// The window.
    pub window: Window,
    /// The journal's epoch.
    pub epoch: u32,
    /// Number within site and plan, from 0.
    pub sequence: u64,
    /// SHA-256 of the envelope before it, within site and plan.
    pub previous: Option<Digest>,
    /// The release that this one replaces, and why.
    pub amends: Option<Amends>,
    /// Signed checkpoints of the journal logs that the answer was computed from.
    pub journal: Vec<String>,
    /// Salted digest of the raw aggregate.
    pub raw: Digest,
    /// Name and version of the software.
    pub software: String,
}

/// A site does not answer a plan for a window. It takes a number among the site's releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbstentionClaim {
    /// The site.
    pub site: Name,
    /// Digest of the plan.
    pub plan: Digest,
    /// The window.
    pub window: Window,
    /// Number within site and plan, from 0.
    pub sequence: u64,
    /// SHA-256 of the envelope before it, within site and plan.
    pub previous: Option<Digest>,
}

/// How far a site's journal has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatClaim {
    /// The site.
    pub site: Name,
    /// The journal's epoch.
    pub epoch: u32,
    /// Number within the site's heartbeats, from 0.
    pub sequence: u64,
    /// SHA-256 of the envelope before it, within the site's heartbeats.
    pub previous: Option<Digest>,
}

/// An amendment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amends {
    /// SHA-256 of the envelope replaced.
    pub envelope: Digest,
    /// Why.
    pub reason: String,
}

impl Amends {
    /// Whether the reason is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        crate::contract::text("reason", &self.reason)
    }
}

/// The aggregator's report on a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportClaim {
    /// Digest of the plan.
    pub plan: Digest,
    /// The windows added, in order.
    pub windows: Vec<Window>,
    /// The plan log's size: every entry below it was considered.
    pub log_size: u64,
    /// The registry's size: the roster is as of here.
    pub registry_size: u64,
    /// Method version of the figures.
    pub method: String,
    /// Number among the plan's reports over these very windows, from 0.
    pub number: u64,
    /// SHA-256 of the envelope of the report before it over these windows.
    pub supersedes: Option<Digest>,
}

/// A site disputes a report. It takes a number among the site's releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeClaim {
    /// The site.
    pub site: Name,
    /// Digest of the plan.
    pub plan: Digest,
    /// Number within site and plan, from 0.
    pub sequence: u64,
    /// SHA-256 of the envelope before it, within site and plan.
    pub previous: Option<Digest>,
}

/// in-toto Statement v1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    /// The files spoken of.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(super) predicate_type: String,
    /// What is said.
    pub predicate: Predicate,
}

/// A file by name and digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// File name.
    pub name: String,
    /// Digests of its bytes.
    pub digest: Digests,
}

/// in-toto DigestSet; only SHA-256 is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// SHA-256.
    pub sha256: Digest,
}

impl Statement {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.kind != STATEMENT_TYPE {
            return Err(Refusal::new("statement", STATEMENT_TYPE, self.kind.escape_debug()));
        }
        if self.predicate.format != PREDICATE_FORMAT {
            return Err(Refusal::new("version", format!("format {PREDICATE_FORMAT}"), self.predicate.format));
        }
        let named = self.predicate.claim.predicate_type();
        if self.predicate_type != named {
            return Err(Refusal::new("statement", named, self.predicate_type.escape_debug()));
        }
        let files: Vec<_> = self.subject.iter().map(|subject| subject.name.as_str()).collect();
        if files != self.predicate.claim.files() {
            return Err(Refusal::new(
                "statement",
                format!("subjects {:?}", self.predicate.claim.files()),
                format!("{files:?}"),
            ));
        }
        Ok(())
    }

    /// Checks that `artifacts` are the files that were signed, in order.
    ///
    /// # Errors
    /// `artifact`: a file with another digest, or a different number of files.
    pub fn check_artifacts(&self, artifacts: &[&[u8]]) -> Result<(), Refusal> {
        if artifacts.len() != self.subject.len() {
            return Err(Refusal::new("artifact", format!("{} files", self.subject.len()), artifacts.len()));
        }
        for (subject, bytes) in self.subject.iter().zip(artifacts) {
            let found = Digest::of(bytes);
            if found != subject.digest.sha256 {
                return Err(Refusal::new("artifact", format!("{} {}", subject.name, subject.digest.sha256), found));
            }
        }
        Ok(())
    }

    /// The digest of the only subject.
    ///
    /// # Errors
    /// `statement`: none or several subjects.
    pub fn only_subject(&self) -> Result<Digest, Refusal> {
        match &self.subject[..] {
            [subject] => Ok(subject.digest.sha256),
            _ => Err(Refusal::new("statement", "one subject", self.subject.len())),
        }
    }
}
