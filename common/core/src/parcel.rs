//! Parcels: what is carried as a file where there is no network, or where none is wanted.
//!
//! A parcel proves nothing by itself: it is as good as the signatures on what it carries, and every reader checks those
//! as it would over the network.

mod conflict;
mod fork;

pub use conflict::check_conflict;
pub use fork::check_fork;

use crate::codec::{self, Rules, Valid};
use crate::fault::{Blame, Refusal};
use crate::ids::{Digest, Name};
use crate::limits;
use crate::merkle::empty_root;
use crate::note::{Checkpoint, NoteError};
use crate::roster::{LogSize, Registry, Trust, heartbeats_origin, plan_origin, registry_origin};
use crate::time::Time;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Format of parcels.
pub const FORMAT: u32 = 1;

/// A parcel that keeps its rules.
pub type Parcel = Valid<ParcelText>;

/// A parcel (JSON).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParcelText {
    /// [`FORMAT`].
    pub format: u32,
    /// The federation.
    pub federation: Name,
    /// What is carried.
    pub content: Content,
}

impl Rules for ParcelText {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}; this program knows {FORMAT}", self.format));
        }
        for Document { envelope, artifact } in self.content.documents() {
            if envelope.0.len() > limits::ENTRY_BYTES || artifact.0.len() > limits::ARTIFACT_BYTES {
                let (envelope, artifact) = (envelope.0.len(), artifact.0.len());
                return Err(format!(
                    "an envelope has {envelope} bytes and its artifact {artifact}; at most {} and {}",
                    limits::ENTRY_BYTES,
                    limits::ARTIFACT_BYTES
                ));
            }
        }
        match &self.content {
            Content::Join(join) if join.request.0.len() > limits::UNKNOWN_PEER_FRAME_BYTES => Err(format!(
                "`request` has {} bytes; at most {}",
                join.request.0.len(),
                limits::UNKNOWN_PEER_FRAME_BYTES
            )),
            Content::Registry(registry) if registry.trust.federation != self.federation => Err(format!(
                "`federation` is {}; the registry is that of {}",
                self.federation, registry.trust.federation
            )),
            _ => Ok(()),
        }
    }
}

/// What a parcel carries, and between whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A site asks to join: from the site to the aggregator, or straight to governance.
    Join(Join),
    /// A site asks for other keys: likewise.
    Rotation(Join),
    /// The registry: from the aggregator to sites and to governance.
    Registry(RegistryText),
    /// Documents that governance signed: to the aggregator, or to another signer.
    Governance(Governance),
    /// Releases on their way: from a site to the aggregator.
    Outbox(Outbox),
    /// The answers to them: from the aggregator to the site.
    Receipts(Receipts),
    /// Evidence that a site contradicted itself: from the aggregator to anybody.
    Conflict(Box<Conflict>),
}

impl Content {
    /// Every envelope with its artifact.
    fn documents(&self) -> Vec<&Document> {
        match self {
            Content::Join(_) | Content::Rotation(_) | Content::Receipts(_) => Vec::new(),
            Content::Registry(registry) => registry.entries.iter().collect(),
            Content::Governance(governance) => governance.documents.iter().collect(),
            Content::Outbox(outbox) => outbox.releases.iter().chain(&outbox.heartbeat).collect(),
            Content::Conflict(conflict) => {
                let registry = conflict.registry.iter().flat_map(|registry| &registry.entries);
                [Some(&conflict.refused), conflict.logged.as_ref()].into_iter().flatten().chain(registry).collect()
            }
        }
    }

    /// What it is, and who can use it.
    pub fn meant_for(&self) -> &'static str {
        match self {
            Content::Join(_) => "a request to join; it is for: fedaudit-aggregator import FILE",
            Content::Rotation(_) => "a request for other keys; it is for: fedaudit-aggregator import FILE",
            Content::Registry(_) => {
                "a registry; it is for a site (fedaudit-agent outbox import FILE) or governance (--from)"
            }
            Content::Governance(_) => "signed governance documents; they are for: fedaudit-aggregator import FILE",
            Content::Outbox(_) => "a site's releases; they are for: fedaudit-aggregator import FILE --receipts FILE",
            Content::Receipts(_) => "receipts; they are for their site: fedaudit-agent outbox import FILE",
            Content::Conflict(_) => "evidence; it is for: fedaudit-verify conflict FILE --trust TRUST",
        }
    }
}

/// Bytes, as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        STANDARD.decode(text.as_bytes()).map(Bytes).map_err(|e| serde::de::Error::custom(format!("not base64: {e}")))
    }
}

/// An envelope and its artifact, exact bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The envelope.
    pub envelope: Bytes,
    /// The file that it speaks of.
    pub artifact: Bytes,
}

impl Document {
    /// Takes both.
    pub fn new(envelope: Vec<u8>, artifact: Vec<u8>) -> Document {
        Document { envelope: Bytes(envelope), artifact: Bytes(artifact) }
    }
}

/// A request to join, or for other keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The request as it would cross the wire.
    pub request: Bytes,
}

/// The registry as of now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryText {
    /// `trust.json`. A reader takes it only where something it has from elsewhere vouches for it.
    pub trust: Valid<Trust>,
    /// `host:port` at which sites reach the aggregator; nobody signs it.
    pub address: String,
    /// The registry's signed checkpoint.
    pub checkpoint: String,
    /// All entries under it.
    pub entries: Vec<Document>,
    /// Join requests that wait for governance, as they would cross the wire.
    pub joins: Vec<Bytes>,
    /// Signed checkpoints of all of the aggregator's logs that have entries: where a key ends, governance says so by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// Requests for other keys that wait for governance, as they would cross the wire.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<Bytes>,
}

impl RegistryText {
    /// Rebuilds the registry against `trust`: every entry, and the checkpoint over all of them.
    ///
    /// # Errors
    /// Which check it did not pass.
    pub fn open(&self, trust: &Valid<Trust>) -> Result<(Registry, Checkpoint), Refusal> {
        let origin = registry_origin(&trust.federation);
        let bad = |e: NoteError| {
            let check = match e {
                NoteError::UnknownSigner { .. } => "signer",
                NoteError::Witnesses { .. } => "witnesses",
                _ => "checkpoint",
            };
            Refusal::new(check, format!("the signed checkpoint of {origin}"), e)
        };
        let mut registry = Registry::new(trust.clone());
        for Document { envelope, artifact } in &self.entries {
            registry.apply(&envelope.0, &artifact.0)?;
        }
        let checkpoint = registry.open_checkpoint(self.checkpoint.as_bytes(), &origin).map_err(bad)?;
        trust.check_quorum(self.checkpoint.as_bytes()).map_err(bad)?;
        let root = registry.root_at(registry.size()).unwrap_or_else(empty_root);
        if (registry.size(), root) != (checkpoint.size, checkpoint.root) {
            let expected = format!("{} entries, root {}", checkpoint.size, checkpoint.root);
            return Err(Refusal::new("checkpoint", expected, format!("{}, root {root}", registry.size())));
        }
        Ok((registry, checkpoint))
    }

    /// The sizes of the aggregator's logs, by origin, which `registry` holds the keys of; one without entries is not named.
    ///
    /// # Errors
    /// `checkpoint`: one that no log key signed, or of no log of this federation.
    pub fn sizes(&self, registry: &Registry) -> Result<Vec<LogSize>, Refusal> {
        let federation = &registry.trust().federation;
        let plans = registry.plans().map(|(digest, _)| plan_origin(federation, digest));
        let known: Vec<_> = plans.chain([registry_origin(federation), heartbeats_origin(federation)]).collect();
        let read = |note: &String| {
            let origin = note.lines().next().unwrap_or_default();
            let bad =
                |e: String| Refusal::new("checkpoint", format!("a signed checkpoint of a log of {federation}"), e);
            if !known.iter().any(|known| known == origin) {
                return Err(bad(origin.to_owned()));
            }
            let checkpoint = registry.open_checkpoint(note.as_bytes(), origin).map_err(|e| bad(e.to_string()))?;
            Ok(LogSize { origin: checkpoint.origin, size: checkpoint.size })
        };
        self.logs.iter().map(read).collect()
    }
}

/// Signed governance documents, in the order in which they are to be published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// Contracts, plans, roster entries.
    pub documents: Vec<Document>,
}

/// What a site signed and has no receipt for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// The site.
    pub site: Name,
    /// The last signed checkpoint of each of the aggregator's logs that the site verified.
    pub seen: Vec<String>,
    /// The releases, in the order in which they are to be taken in.
    pub releases: Vec<Document>,
    /// Proofs between all journal checkpoints that the aggregator may hold and those that releases and heartbeat name.
    pub proofs: Vec<Proof>,
    /// The heartbeat that waits for its receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Document>,
}

/// An RFC 6962 consistency proof between two sizes of one of the site's journal logs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The log's origin.
    pub origin: String,
    /// The smaller size.
    pub old: u64,
    /// The larger size.
    pub new: u64,
    /// The hashes.
    pub hashes: Vec<Digest>,
}

/// What the aggregator answers to a site's outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipts {
    /// The site.
    pub site: Name,
    /// The last signed checkpoint of each of the site's journal logs that the aggregator verified.
    pub seen: Vec<String>,
    /// An answer for each release that was decided about, and for the heartbeat; behind a refused one the rest of its plan is not looked at.
    pub answers: Vec<Answer>,
}

/// The answer to one release, or to the heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// Received or refused.
    pub result: Outcome,
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is durable in the plan's log.
    Receipt(Receipt),
    /// It was refused. Nobody signs this: it informs people and changes nothing.
    Refused(Refused),
}

/// Proof that a release is in its plan's log, or a heartbeat in theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// C2SP tlog-proof.
    pub proof: String,
    /// Size of that log from which `consistency` leads to the proof's checkpoint: the one that the site had seen.
    pub from: u64,
    /// The consistency proof.
    pub consistency: Vec<Digest>,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Whose fault it is.
    pub blame: Blame,
    /// The check.
    pub check: String,
    /// What it wanted.
    pub expected: String,
    /// What it met.
    pub found: String,
    /// What to do next.
    pub hint: String,
}

/// A release that was refused because it contradicts what the site signed before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// When the aggregator refused it first, by its clock.
    pub at: Time,
    /// The site whose connection or parcel it came by.
    pub site: Name,
    /// Why it was refused.
    pub reason: Refused,
    /// What was refused.
    pub refused: Document,
    /// The logged release that it contradicts; none if it contradicts an empty log.
    pub logged: Option<Document>,
    /// The registry, to check both signatures with; always there in an export.
    pub registry: Option<RegistryText>,
}

impl ParcelText {
    /// A parcel of `federation`.
    pub fn new(federation: Name, content: Content) -> ParcelText {
        ParcelText { format: FORMAT, federation, content }
    }
}

/// Reads a parcel.
///
/// # Errors
/// `parcel`: bytes that are none.
pub fn read(bytes: &[u8]) -> Result<Parcel, Refusal> {
    codec::from_json(bytes).map_err(|e| Refusal::new("parcel", "a parcel", e))
}

#[cfg(test)]
mod tests;
