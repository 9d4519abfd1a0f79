//! Attestations: in-toto Statement v1 in a DSSE v1.0.2 envelope, Ed25519.
//!
//! What is stored and sent is the exact bytes that were signed. The artifact travels beside the envelope.

mod cosign;
mod statement;

pub use cosign::cosign;
pub use statement::{
    AbstentionClaim, Amends, Claim, Digests, DisputeClaim, HeartbeatClaim, Predicate, Published, ReleaseClaim,
    ReportClaim, Seen, Statement, Subject,
};

use crate::codec;
use crate::contract::Contract;
use crate::disclosure::Release;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::{PublicKey, sign};
use crate::limits;
use crate::plan::Plan;
use crate::time::Time;
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
    seal(head.predicate(Claim::Release(claim)), vec![json(release)?], &[key])
}

/// Attests a contract.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_contract(contract: &Contract, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: contract.contract.clone(), version: contract.version, replaces: head.replaces };
    seal(head.predicate(Claim::Contract(claim)), vec![json(contract)?], keys)
}

/// Attests a plan.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_plan(plan: &Plan, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: plan.plan.clone(), version: plan.version, replaces: head.replaces };
    seal(head.predicate(Claim::Plan(claim)), vec![json(plan)?], keys)
}

/// What a signer adds to its claim.
#[derive(Clone, Debug)]
pub struct Head {
    /// The federation.
    pub federation: Name,
    /// Now.
    pub issued_at: Time,
    /// The last checkpoint of the registry verified; governance and transport keys may name none.
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

/// Signs a statement about `artifacts`, the files of its claim in order. Only typed functions call it, so that nothing skips disclosure control.
pub(crate) fn seal(
    predicate: Predicate,
    artifacts: Vec<Vec<u8>>,
    keys: &[&SigningKey],
) -> Result<Attestation, Refusal> {
    let statement = Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: predicate
            .claim
            .files()
            .iter()
            .zip(&artifacts)
            .map(|(name, bytes)| Subject { name: (*name).to_owned(), digest: Digests { sha256: Digest::of(bytes) } })
            .collect(),
        predicate_type: predicate.claim.predicate_type().to_owned(),
        predicate,
    };
    let encoding = |e: serde_json::Error| Refusal::new("statement", "a statement that encodes", e);
    let payload = serde_json::to_vec(&statement).map_err(encoding)?;
    let signed = pre_authentication_encoding(PAYLOAD_TYPE, &payload);
    let signatures: Vec<_> = keys.iter().map(|key| (PublicKey::of(key).id(), sign(key, &signed).to_vec())).collect();
    let envelope = encode(&payload, &signatures).map_err(encoding)?;
    if envelope.len() > limits::ENTRY_BYTES {
        return Err(Refusal::new("envelope", format!("at most {} bytes", limits::ENTRY_BYTES), envelope.len()));
    }
    Ok(Attestation { envelope, artifacts })
}

/// An envelope as this program writes it: no white space, standard base64.
fn encode(payload: &[u8], signatures: &[(Digest, Vec<u8>)]) -> Result<Vec<u8>, serde_json::Error> {
    let signatures =
        signatures.iter().map(|(keyid, sig)| Signature { keyid: keyid.to_string(), sig: STANDARD.encode(sig) });
    serde_json::to_vec(&Envelope {
        payload: STANDARD.encode(payload),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: signatures.collect(),
    })
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
            // A widely used verifier demands that key ids are unique in an envelope.
            if signatures.iter().any(|(known, _)| *known == keyid) {
                return Err(Refusal::new("envelope", "each key id once", format!("{} twice", keyid.short())));
            }
            signatures.push((keyid, sig));
        }
        Ok(Claimed { payload, signatures })
    }

    /// The same of a document that others name by the digest of its envelope, and the key id that it names: one signature, in
    /// the very form that this program writes. The signature covers the payload alone, so that whoever carries the envelope
    /// could else make a second document of it.
    ///
    /// # Errors
    /// As [`Claimed::parse`]; another number of signatures, or another form.
    pub(crate) fn parse_exact(bytes: &[u8]) -> Result<(Self, Digest), Refusal> {
        let claimed = Claimed::parse(bytes)?;
        let [(keyid, _)] = claimed.signatures[..] else {
            return Err(Refusal::new("envelope", "one signature", claimed.signatures.len()));
        };
        if encode(&claimed.payload, &claimed.signatures).is_ok_and(|exact| exact == bytes) {
            return Ok((claimed, keyid));
        }
        let expected = "an envelope as it was written: no white space, its members in order, standard base64";
        Err(Refusal::new("envelope", expected, "another form of it"))
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

/// Both alphabets are accepted (DSSE), padded and canonical.
fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests;
