//! A further signature under a document that was signed already: governance of several keys.

use super::{Claimed, Envelope, PAYLOAD_TYPE, STANDARD, Signature, base64, pre_authentication_encoding};
use crate::codec;
use crate::fault::Refusal;
use crate::key::{PublicKey, sign};
use crate::limits;
use base64::Engine as _;
use ed25519_dalek::SigningKey;

/// The envelope with a signature by `key` too; what is signed stays the same bytes. A key that signed before signs nothing.
///
/// # Errors
/// Bytes that are no envelope, or one that would be over [`limits::ENTRY_BYTES`].
pub fn cosign(bytes: &[u8], key: &SigningKey) -> Result<Vec<u8>, Refusal> {
    let bad = |e: String| Refusal::new("envelope", "a DSSE envelope", e);
    let id = PublicKey::of(key).id();
    if Claimed::parse(bytes)?.signers().any(|signer| signer == id) {
        return Ok(bytes.to_vec());
    }
    let mut envelope: Envelope = codec::from_json(bytes).map_err(|e| bad(e.to_string()))?;
    let payload = base64(&envelope.payload).ok_or_else(|| bad("no base64".to_owned()))?;
    let signature = sign(key, &pre_authentication_encoding(PAYLOAD_TYPE, &payload));
    envelope.signatures.push(Signature { keyid: id.to_string(), sig: STANDARD.encode(signature) });
    let bytes = serde_json::to_vec(&envelope).map_err(|e| bad(e.to_string()))?;
    if bytes.len() > limits::ENTRY_BYTES {
        return Err(Refusal::new("envelope", format!("at most {} bytes", limits::ENTRY_BYTES), bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Attestation, Claim, Head, Published, seal};
    use crate::ids::Name;
    use crate::time::Time;

    #[test]
    fn a_second_signer_signs_the_same_bytes() {
        let keys = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let public = keys.each_ref().map(PublicKey::of);
        let name = || Name::new("f").expect("a name");
        let head = Head { federation: name(), issued_at: Time(0), seen: None, replaces: None };
        let claim = Claim::Plan(Published { name: name(), version: 1, replaces: None });
        let Attestation { envelope, .. } =
            seal(head.predicate(claim), vec![b"{}".to_vec()], &[&keys[0]]).expect("signs");
        let verify = |bytes: &[u8], threshold| Claimed::parse(bytes).expect("parses").verify(&public[..2], threshold);
        assert_eq!(verify(&envelope, 2).expect_err("one of two").check, "signer");
        let stranger = cosign(&envelope, &keys[2]).expect("signs");
        assert_eq!(verify(&stranger, 2).expect_err("a stranger does not count").check, "signer");
        let both = cosign(&envelope, &keys[1]).expect("signs");
        assert_eq!(verify(&both, 2), verify(&envelope, 1), "the same statement");
        assert_eq!(cosign(&both, &keys[1]).as_ref(), Ok(&both), "a key signs once");
        assert!(cosign(b"{}", &keys[1]).is_err());
    }
}
