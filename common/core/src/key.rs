//! Ed25519 keys (RFC 8032), published as SPKI (RFC 8410) and named by the SHA-256 of that.

use crate::ids::Digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// DER of `SubjectPublicKeyInfo { id-Ed25519, BIT STRING }` before the 32 key bytes (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What a key is for. One key, one use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// Signs the roster, contracts and plans.
    Governance,
    /// Signs attestations.
    Attest,
    /// Signs the checkpoints of a site's journal.
    Note,
    /// Signs the checkpoints of the aggregator's logs.
    Log,
    /// Authenticates QUIC connections.
    Transport,
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyUse::Governance => "governance",
            KeyUse::Attest => "attest",
            KeyUse::Note => "note",
            KeyUse::Log => "log",
            KeyUse::Transport => "transport",
        })
    }
}

/// An Ed25519 public key; base64 of its SPKI in text, 32 bytes on the wire. It is a point that can verify.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes the 32 bytes of a key; `None` if they are no usable point.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(PublicKey)
    }

    /// Takes a `SubjectPublicKeyInfo` in DER.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        PublicKey::from_bytes(der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?)
    }

    /// The public half of a signing key.
    pub fn of(key: &SigningKey) -> Self {
        PublicKey(key.verifying_key())
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// `SubjectPublicKeyInfo` in DER, 44 bytes.
    pub fn spki(&self) -> [u8; 44] {
        let mut der = [0; 44];
        der[..12].copy_from_slice(&SPKI_PREFIX);
        der[12..].copy_from_slice(self.0.as_bytes());
        der
    }

    /// SHA-256 of the SPKI: the key's name and fingerprint.
    pub fn id(&self) -> Digest {
        Digest::of(&self.spki())
    }

    /// The key as a PEM file.
    pub fn pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(self.spki()))
    }

    /// Whether `signature` over `message` is by this key (RFC 8032, strict: no small-order points, no malleability).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

/// Signs `message`; the same message and key always give the same 64 bytes.
pub fn sign(key: &SigningKey, message: &[u8]) -> [u8; 64] {
    key.sign(message).to_bytes()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id().short())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&STANDARD.encode(self.spki()))
        } else {
            self.as_bytes().serialize(s)
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let key = if d.is_human_readable() {
            STANDARD.decode(String::deserialize(d)?).ok().and_then(|der| PublicKey::from_spki(&der))
        } else {
            PublicKey::from_bytes(&<[u8; 32]>::deserialize(d)?)
        };
        key.ok_or_else(|| serde::de::Error::custom("not an Ed25519 public key (base64 of its SPKI)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_1() {
        let secret = crate::ids::unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = SigningKey::from_bytes(&secret.and_then(|s| s.try_into().ok()).expect("32 bytes"));
        let public = PublicKey::of(&key);
        assert_eq!(
            crate::ids::hex(public.as_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = sign(&key, b"");
        assert!(crate::ids::hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974"));
        assert!(public.verifies(b"", &signature));
        assert!(!public.verifies(b"x", &signature));
        assert!(!public.verifies(b"", &signature[..63]));
    }

    #[test]
    fn weak_keys_are_refused() {
        assert!(PublicKey::from_bytes(&[0; 32]).is_none());
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(PublicKey::from_bytes(&identity).is_none());
    }
}
