//! Releases and envelopes made by hand: signed with real keys, and saying what the product would never say.

use crate::client::key;
use crate::world::{World, name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use fedaudit_agent::outbox::{Outbox, Outgoing};
use fedaudit_core::envelope::{PAYLOAD_TYPE, Seen, pre_authentication_encoding};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::{PublicKey, sign};
use fedaudit_core::merkle::{Frontier, leaf_hash};
use fedaudit_core::note::Checkpoint;
use fedaudit_link::protocol::Submission;
use serde_json::{Value, json};

/// An envelope and the artifact that it speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// The artifact.
    pub artifact: Vec<u8>,
}

impl Signed {
    /// As sent by a site whose journal the aggregator has not seen grow.
    pub fn submission(&self) -> Submission {
        let (envelope, artifact) = (self.envelope.clone(), self.artifact.clone());
        Submission { envelope, artifact, journal: Vec::new(), plan_seen: 0 }
    }

    /// SHA-256 of the envelope.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.envelope)
    }
}

impl From<&Outgoing> for Signed {
    fn from(release: &Outgoing) -> Signed {
        Signed { envelope: release.envelope.clone(), artifact: release.artifact.clone() }
    }
}

/// A DSSE envelope over `payload`, by `key` under the name of `keyid`.
pub fn envelope(payload: &[u8], key: &SigningKey, keyid: Digest) -> Vec<u8> {
    let signature = sign(key, &pre_authentication_encoding(PAYLOAD_TYPE, payload));
    let envelope = json!({
        "payload": STANDARD.encode(payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{ "keyid": keyid.to_string(), "sig": STANDARD.encode(signature) }],
    });
    envelope.to_string().into_bytes()
}

/// The statement in an envelope.
///
/// # Panics
/// It is none.
pub fn payload(envelope: &[u8]) -> Value {
    let envelope: Value = serde_json::from_slice(envelope).expect("an envelope");
    let payload = STANDARD.decode(envelope["payload"].as_str().expect("a payload")).expect("base64");
    serde_json::from_slice(&payload).expect("a statement")
}

/// The signed checkpoint of a journal log of `size` records; `history` tells different ones apart.
///
/// # Panics
/// An origin that is none.
pub fn journal_checkpoint(origin: &str, size: u64, history: u8, key: &SigningKey) -> String {
    let mut tree = Frontier::new();
    (0..size).for_each(|nth| tree.push(leaf_hash(&[&[history][..], &nth.to_be_bytes()].concat())));
    Checkpoint { origin: origin.to_owned(), size, root: tree.root() }.sign(key).expect("signs")
}

/// Makes releases in the name of `site`, after those that another site really released.
pub struct Forger {
    site: String,
    /// The site's attest key.
    pub attest: SigningKey,
    /// The site's note key.
    pub note: SigningKey,
    templates: Vec<(Value, Value)>,
}

/// What can be changed in a release before it is signed.
pub struct Draft<'a> {
    /// `predicate.claim.release`.
    pub claim: &'a mut Value,
    /// `release.json`.
    pub release: &'a mut Value,
}

impl Forger {
    /// For `site`, after the releases in the outbox of `after`.
    ///
    /// # Panics
    /// That site has released nothing.
    pub fn new(world: &World, site: &str, after: &str) -> Forger {
        let releases = Outbox::open(&world.site(after)).and_then(|outbox| outbox.releases()).expect("an outbox");
        let template = |release: &Outgoing| {
            let text = serde_json::from_slice(&release.artifact).expect("a release");
            (payload(&release.envelope), text)
        };
        let templates: Vec<_> = releases.iter().map(template).collect();
        assert!(templates.len() > 1, "templates of several windows");
        let site = name(site).to_string();
        Forger { attest: key(world, &site, "attest"), note: key(world, &site, "note"), site, templates }
    }

    /// What the site whose releases it copies had seen of the registry.
    ///
    /// # Panics
    /// Nothing.
    pub fn seen(&self) -> Seen {
        serde_json::from_value(self.templates[0].0["predicate"]["seen"].clone()).expect("a checkpoint")
    }

    /// The origins of the site's journal logs.
    pub fn origins(&self, epoch: u32) -> Vec<String> {
        let (statement, _) = &self.templates[0];
        let claim = &statement["predicate"]["claim"]["release"];
        let origin = |note: &Value| {
            let origin = note.as_str().and_then(|note| note.lines().next()).unwrap_or_default();
            let mut parts: Vec<&str> = origin.splitn(4, '/').collect();
            let epoch = epoch.to_string();
            (parts[1], parts[2]) = (&self.site, &epoch);
            parts.join("/")
        };
        claim["journal"].as_array().into_iter().flatten().map(origin).collect()
    }

    /// The signed checkpoints of a journal.
    pub fn journal(&self, epoch: u32, sizes: [u64; 2], history: u8) -> Value {
        let logs = self.origins(epoch).into_iter().zip(sizes);
        logs.map(|(origin, size)| journal_checkpoint(&origin, size, history, &self.note)).collect()
    }

    /// A release for window `nth` that is right in everything but what `edit` does, signed by the site.
    pub fn release(&self, nth: usize, previous: Option<&Signed>, edit: impl FnOnce(Draft)) -> Signed {
        self.signed_by(nth, previous, edit, &self.attest, PublicKey::of(&self.attest).id())
    }

    /// The same, signed by `key` in the name of `keyid`.
    ///
    /// # Panics
    /// A document without an encoding.
    pub fn signed_by(
        &self,
        nth: usize,
        previous: Option<&Signed>,
        edit: impl FnOnce(Draft),
        key: &SigningKey,
        keyid: Digest,
    ) -> Signed {
        let (mut statement, mut release) = self.templates[nth].clone();
        let journal = self.journal(1, [1024, 0], 0);
        let claim = &mut statement["predicate"]["claim"]["release"];
        claim["site"] = json!(self.site);
        claim["sequence"] = json!(nth);
        claim["previous"] = json!(previous.map(|signed| signed.digest().to_string()));
        claim["journal"] = journal;
        release["site"] = json!(self.site);
        edit(Draft { claim, release: &mut release });
        let artifact = serde_json::to_vec_pretty(&release).expect("encodes");
        statement["subject"][0]["digest"]["sha256"] = json!(Digest::of(&artifact).to_string());
        Signed { envelope: envelope(statement.to_string().as_bytes(), key, keyid), artifact }
    }
}
