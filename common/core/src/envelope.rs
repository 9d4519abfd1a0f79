//! Attestations: in-toto Statement v1 in a DSSE v1.0.2 envelope, Ed25519.
//!
//! What is stored and sent is the exact bytes that were signed. The artifact travels beside the envelope.

use crate::codec;
use crate::contract::Contract;
use crate::disclosure::Release;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{PublicKey, sign};
use crate::limits;
use crate::plan::Plan;
use crate::time::{Time, Window};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// DSSE payload type of an in-toto statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// in-toto statement type.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Format of predicates.
pub const PREDICATE_FORMAT: u32 = 1;

/// A signed document and the files it speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation {
    /// The exact bytes of the envelope.
    pub envelope: Vec<u8>,
    /// The exact bytes of each subject, in order.
    pub artifacts: Vec<Vec<u8>>,
}

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
    /// The last log checkpoint that the signer had verified.
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
    /// A site answers a plan.
    Release(ReleaseClaim),
    /// The aggregator reports on a plan.
    Report(ReportClaim),
}

impl Claim {
    /// The in-toto predicate type.
    pub fn predicate_type(&self) -> &'static str {
        match self {
            Claim::Contract(_) => "urn:fedaudit:contract:v1",
            Claim::Plan(_) => "urn:fedaudit:plan:v1",
            Claim::Roster(_) => "urn:fedaudit:roster-entry:v1",
            Claim::Release(_) => "urn:fedaudit:release:v1",
            Claim::Report(_) => "urn:fedaudit:report:v1",
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

/// An amendment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amends {
    /// SHA-256 of the envelope replaced.
    pub envelope: Digest,
    /// Why.
    pub reason: String,
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
}

/// in-toto Statement v1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The files spoken of.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// Attests a release.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_release(
    release: &Release,
    head: Head,
    claim: ReleaseClaim,
    key: &SigningKey,
) -> Result<Attestation, Refusal> {
    seal(head.predicate(Claim::Release(claim)), vec![("release.json", json(release)?)], &[key])
}

/// Attests a contract.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_contract(contract: &Contract, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: contract.contract.clone(), version: contract.version, replaces: head.replaces };
    seal(head.predicate(Claim::Contract(claim)), vec![("contract.json", json(contract)?)], keys)
}

/// Attests a plan.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_plan(plan: &Plan, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: plan.plan.clone(), version: plan.version, replaces: head.replaces };
    seal(head.predicate(Claim::Plan(claim)), vec![("plan.json", json(plan)?)], keys)
}

/// What a signer adds to its claim.
#[derive(Clone, Debug)]
pub struct Head {
    /// The federation.
    pub federation: Name,
    /// Now.
    pub issued_at: Time,
    /// The last log checkpoint verified.
    pub seen: Option<Seen>,
    /// Artifact digest of the version replaced.
    pub replaces: Option<Digest>,
}

impl Head {
    /// The predicate that makes `claim`.
    pub fn predicate(self, claim: Claim) -> Predicate {
        Predicate {
            format: PREDICATE_FORMAT,
            federation: self.federation,
            issued_at: self.issued_at,
            seen: self.seen,
            claim,
        }
    }
}

pub(crate) fn json<T: Serialize>(document: &T) -> Result<Vec<u8>, Refusal> {
    codec::to_json(document).map_err(|e| Refusal::new("artifact", "a document that encodes", e))
}

/// Signs a statement about `files`. Only typed functions call it, so that nothing skips disclosure control.
pub(crate) fn seal(
    predicate: Predicate,
    files: Vec<(&str, Vec<u8>)>,
    keys: &[&SigningKey],
) -> Result<Attestation, Refusal> {
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: files
            .iter()
            .map(|(name, bytes)| Subject { name: (*name).to_owned(), digest: Digests { sha256: Digest::of(bytes) } })
            .collect(),
        predicate_type: predicate.claim.predicate_type().to_owned(),
        predicate,
    };
    let encoding = |e: serde_json::Error| Refusal::new("statement", "a statement that encodes", e);
    let payload = serde_json::to_vec(&statement).map_err(encoding)?;
    let signed = pre_authentication_encoding(PAYLOAD_TYPE, &payload);
    let signatures = keys
        .iter()
        .map(|key| Signature { keyid: PublicKey::of(key).id().to_string(), sig: STANDARD.encode(sign(key, &signed)) });
    let envelope = Envelope {
        payload: STANDARD.encode(&payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: signatures.collect(),
    };
    let envelope = serde_json::to_vec(&envelope).map_err(encoding)?;
    if envelope.len() > limits::ENTRY_BYTES {
        return Err(Refusal::new("envelope", format!("at most {} bytes", limits::ENTRY_BYTES), envelope.len()));
    }
    Ok(Attestation { envelope, artifacts: files.into_iter().map(|(_, bytes)| bytes).collect() })
}

/// DSSE v1.0.2: the bytes that are signed.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// An envelope whose signature nobody has checked yet. Its payload stays closed until [`Claimed::verify`].
pub struct Claimed {
    payload: Vec<u8>,
    signatures: Vec<(Digest, Vec<u8>)>,
}

impl Claimed {
    /// Reads the envelope's frame; the payload is not parsed.
    ///
    /// # Errors
    /// `envelope`: bytes that are no DSSE envelope of an in-toto statement.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > limits::ENTRY_BYTES {
            return Err(Refusal::new("envelope", format!("at most {} bytes", limits::ENTRY_BYTES), bytes.len()));
        }
        let envelope: Envelope = codec::from_json(bytes).map_err(|e| Refusal::new("envelope", "a DSSE envelope", e))?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(Refusal::new("envelope", PAYLOAD_TYPE, envelope.payload_type.escape_debug()));
        }
        let payload = base64(&envelope.payload).ok_or_else(|| Refusal::new("envelope", "base64", "something else"))?;
        let mut signatures = Vec::new();
        for signature in &envelope.signatures {
            let keyid = Digest::from_hex(&signature.keyid);
            let (Some(keyid), Some(sig)) = (keyid, base64(&signature.sig)) else {
                return Err(Refusal::new("envelope", "a keyid in hexadecimal and a sig in base64", "something else"));
            };
            signatures.push((keyid, sig));
        }
        Ok(Claimed { payload, signatures })
    }

    /// The key ids that the envelope names; claims, until verified.
    pub fn signers(&self) -> impl Iterator<Item = Digest> {
        self.signatures.iter().map(|(keyid, _)| *keyid)
    }

    /// The statement as claimed, signature unchecked: to find the files and keys to check it with, and for nothing else.
    pub(crate) fn claimed_statement(&self) -> Result<Statement, Refusal> {
        codec::from_json(&self.payload).map_err(|e| Refusal::new("statement", "an in-toto statement", e))
    }

    /// Opens the payload if at least `threshold` different `keys` signed it. Signatures of other keys are ignored.
    ///
    /// # Errors
    /// `signer`: too few of `keys` signed. `signature`: one of `keys` is named, but its signature is bad.
    /// `statement`: signed, but no statement of this format.
    pub fn verify(&self, keys: &[PublicKey], threshold: usize) -> Result<Statement, Refusal> {
        let signed = pre_authentication_encoding(PAYLOAD_TYPE, &self.payload);
        let mut by = BTreeSet::new();
        for (keyid, sig) in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.id() == *keyid) else { continue };
            if !key.verifies(&signed, sig) {
                return Err(Refusal::new("signature", format!("a signature by key {keyid}"), "a bad one"));
            }
            by.insert(*keyid);
        }
        if by.len() < threshold.max(1) {
            let known: Vec<_> = keys.iter().map(|key| key.id().short()).collect();
            let found: Vec<_> = self.signers().map(|id| id.short()).collect();
            let expected = format!("{} of the keys [{}]", threshold.max(1), known.join(", "));
            return Err(Refusal::new("signer", expected, format!("signatures by [{}]", found.join(", "))));
        }
        let statement = self.claimed_statement()?;
        statement.check()?;
        Ok(statement)
    }
}

impl Statement {
    fn check(&self) -> Result<(), Refusal> {
        if self.kind != STATEMENT_TYPE {
            return Err(Refusal::new("statement", STATEMENT_TYPE, self.kind.escape_debug()));
        }
        if self.predicate.format != PREDICATE_FORMAT {
            return Err(Refusal::new("statement", format!("format {PREDICATE_FORMAT}"), self.predicate.format));
        }
        let named = self.predicate.claim.predicate_type();
        if self.predicate_type != named {
            return Err(Refusal::new("statement", named, self.predicate_type.escape_debug()));
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

/// Both alphabets are accepted (DSSE), padded and canonical.
fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head { federation: Name::new("f").expect("a name"), issued_at: Time(0), seen: None, replaces: None }
    }

    fn contract() -> Contract {
        crate::contract::from_toml(crate::contract::tests::ADMISSION).expect("valid")
    }

    #[test]
    fn the_signed_bytes_are_those_of_dsse() {
        // DSSE protocol, test vectors.
        let signed = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let attestation = attest_contract(&contract(), head(), &[&key]).expect("signs");
        let claimed = Claimed::parse(&attestation.envelope).expect("an envelope");
        let statement = claimed.verify(&[PublicKey::of(&key)], 1).expect("verifies");
        assert_eq!(statement.check_artifacts(&[&attestation.artifacts[0]]), Ok(()));
        assert_eq!(statement.only_subject(), Ok(Digest::of(&attestation.artifacts[0])));
        assert_eq!(statement.check_artifacts(&[b"{}"]).expect_err("another file").check, "artifact");
    }

    #[test]
    fn unknown_few_and_bad_signatures_are_told_apart() {
        let keys = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let public = keys.each_ref().map(PublicKey::of);
        let attestation = attest_contract(&contract(), head(), &[&keys[0], &keys[1]]).expect("signs");
        let claimed = Claimed::parse(&attestation.envelope).expect("an envelope");
        assert!(claimed.verify(&public, 2).is_ok());
        assert_eq!(claimed.verify(&public, 3).map(|_| ()).expect_err("two of three").check, "signer");
        assert_eq!(claimed.verify(&public[2..], 1).map(|_| ()).expect_err("unknown").check, "signer");
        let twice = Claimed { payload: claimed.payload.clone(), signatures: vec![claimed.signatures[0].clone(); 2] };
        assert_eq!(twice.verify(&public, 2).map(|_| ()).expect_err("one key twice").check, "signer");
        let mut altered = Claimed { payload: claimed.payload.clone(), signatures: claimed.signatures.clone() };
        altered.payload[10] ^= 1;
        assert_eq!(altered.verify(&public, 1).map(|_| ()).expect_err("altered").check, "signature");
    }

    #[test]
    fn every_flipped_bit_of_an_envelope_is_noticed() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let attestation = attest_contract(&contract(), head(), &[&key]).expect("signs");
        let whole =
            Claimed::parse(&attestation.envelope).and_then(|c| c.verify(&[PublicKey::of(&key)], 1)).expect("good");
        for at in 0..attestation.envelope.len() {
            let mut bytes = attestation.envelope.clone();
            bytes[at] ^= 1;
            let opened = Claimed::parse(&bytes).and_then(|claimed| claimed.verify(&[PublicKey::of(&key)], 1));
            assert!(opened.is_err() || opened == Ok(whole.clone()), "byte {at} changed the statement unseen");
        }
    }
}
