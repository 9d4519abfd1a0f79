//! What asks governance for keys: to be enrolled with them, or to have others. Whoever carries it proves nothing by that.

use ed25519_dalek::SigningKey;
use fedaudit_core::codec::{self, CodecError, Rules};
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, sign};
use fedaudit_core::roster::{LastNumber, Party, Registry, RosterKey, RosterText};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A request to be enrolled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The federation of the token.
    pub federation: Name,
    /// The site of the token.
    pub site: Name,
    /// The site's keys.
    pub keys: Vec<RosterKey>,
    /// A signature by each key over [`join_bytes`]: proofs of possession.
    pub proofs: Vec<Vec<u8>>,
    /// HMAC-SHA-256 of [`join_bytes`] and the proofs under the token's secret.
    pub mac: [u8; 32],
}

/// The bytes that each of `keys` signs to join.
///
/// # Errors
/// Never for plain values.
pub fn join_bytes(federation: &Name, site: &Name, keys: &[RosterKey]) -> Result<Vec<u8>, CodecError> {
    codec::encode(&("fedaudit join v1", federation, site, keys))
}

impl JoinRequest {
    /// Signs with every key and authenticates all of it with the token's secret.
    ///
    /// # Errors
    /// Never for plain values.
    pub fn new(
        federation: Name,
        site: Name,
        keys: Vec<RosterKey>,
        signing: &[&SigningKey],
        secret: &[u8; 16],
    ) -> Result<Self, CodecError> {
        let bytes = join_bytes(&federation, &site, &keys)?;
        let proofs: Vec<Vec<u8>> = signing.iter().map(|key| sign(key, &bytes).to_vec()).collect();
        let mac = join_mac(secret, &bytes, &proofs)?.finalize().into_bytes().into();
        Ok(JoinRequest { federation, site, keys, proofs, mac })
    }

    /// Whether every key signed.
    ///
    /// # Errors
    /// `possession`: a key that did not.
    pub fn check_possession(&self) -> Result<(), Refusal> {
        let bad = |found: String| Refusal::new("possession", "a signature by each key", found);
        let bytes = join_bytes(&self.federation, &self.site, &self.keys).map_err(|e| bad(e.to_string()))?;
        check_proofs(&bytes, &self.keys, &self.proofs)
    }

    /// Whether whoever made this request knew the token's secret; compared in constant time.
    ///
    /// # Errors
    /// `secret`: it did not.
    pub fn check_secret(&self, secret: &[u8; 16]) -> Result<(), Refusal> {
        let bad = || Refusal::new("secret", "an HMAC under the token's secret", "another");
        let bytes = join_bytes(&self.federation, &self.site, &self.keys).map_err(|_| bad())?;
        let mac = join_mac(secret, &bytes, &self.proofs).map_err(|_| bad())?;
        mac.verify_slice(&self.mac).map_err(|_| bad())
    }
}

fn join_mac(secret: &[u8; 16], bytes: &[u8], proofs: &[Vec<u8>]) -> Result<Hmac<Sha256>, CodecError> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|e| CodecError::Encode(e.to_string()))?;
    Ok(mac.chain_update(codec::encode(&(bytes, proofs))?))
}

/// A request by a party of the roster to have other keys from now on: governance signs it, or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RotateRequest {
    /// The federation.
    pub federation: Name,
    /// Who asks.
    pub party: Party,
    /// The artifact of its roster entry that it wants changed: after another change the request is void.
    pub replaces: Digest,
    /// All of its keys as they are to be.
    pub keys: Vec<RosterKey>,
    /// The last numbers that its present keys signed, by plan: these hold wherever they will stand.
    pub last: Vec<LastNumber>,
    /// A signature by each of `keys`: proofs of possession.
    pub proofs: Vec<Vec<u8>>,
    /// The same by its present attest key; empty if a key is lost, which only the aggregator may say: a site joins anew.
    pub signature: Vec<u8>,
}

impl RotateRequest {
    /// Signs what is asked, whose proofs and signature are not looked at, with every key that is to be and the present
    /// attest key, if there is one.
    ///
    /// # Errors
    /// Never for plain values.
    pub fn sign(mut self, keys: &[&SigningKey], attest: Option<&SigningKey>) -> Result<Self, CodecError> {
        let bytes = self.bytes()?;
        self.proofs = keys.iter().map(|key| sign(key, &bytes).to_vec()).collect();
        self.signature = attest.map_or(Vec::new(), |attest| sign(attest, &bytes).to_vec());
        Ok(self)
    }

    /// Whether it says that a key is lost, and no key speaks for it: governance must know from elsewhere who asks.
    pub fn is_unsigned(&self) -> bool {
        self.signature.is_empty()
    }

    fn bytes(&self) -> Result<Vec<u8>, CodecError> {
        let RotateRequest { federation, party, replaces, keys, last, .. } = self;
        codec::encode(&("fedaudit rotate v1", federation, party, replaces, keys, last))
    }

    /// Whether the party asks that may, for keys that it has and nobody else ever had.
    ///
    /// # Errors
    /// `federation`, `signer`, `roster`, `possession`: what is wrong with it.
    pub fn check(&self, registry: &Registry) -> Result<(), Refusal> {
        if self.federation != registry.trust().federation {
            return Err(Refusal::new("federation", &registry.trust().federation, &self.federation));
        }
        let present = registry.party(&self.party)?;
        let attest = present.key(KeyUse::Attest)?;
        if registry.party_digest(&self.party) != Some(self.replaces) {
            let expected = "a request about the party's roster entry as it is now";
            return Err(Refusal::new("roster", expected, format!("one about {}", self.replaces.short())));
        }
        let text = RosterText::of(self.party.clone(), self.keys.clone());
        Rules::check(&text).map_err(|e| Refusal::new("roster", "all keys of the party", e))?;
        let kept = |key: &&RosterKey| present.keys.contains(key);
        let (kept, new): (Vec<_>, Vec<_>) = self.keys.iter().partition(kept);
        if new.is_empty() || new.iter().any(|key| registry.member(&key.key.id()).is_some()) {
            let found = format!("{} kept, {} others", kept.len(), new.len());
            return Err(Refusal::new("roster", "a new key, and no other that anybody has or had", found));
        }
        let bytes = self.bytes().map_err(|e| Refusal::new("possession", "a request", e))?;
        check_proofs(&bytes, &self.keys, &self.proofs)?;
        let lost = self.is_unsigned() && self.party == Party::Aggregator;
        match lost || attest.verifies(&bytes, &self.signature) {
            true => Ok(()),
            false => Err(Refusal::new("signer", "a signature by the party's attest key", "another")),
        }
    }
}

fn check_proofs(bytes: &[u8], keys: &[RosterKey], proofs: &[Vec<u8>]) -> Result<(), Refusal> {
    let bad = |found: String| Refusal::new("possession", "a signature by each key", found);
    if proofs.len() != keys.len() {
        return Err(bad(format!("{} for {} keys", proofs.len(), keys.len())));
    }
    match keys.iter().zip(proofs).find(|(key, proof)| !key.key.verifies(bytes, proof)) {
        Some((key, _)) => Err(bad(format!("a bad one for the {} key", key.usage))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::key::PublicKey;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn a_join_request_proves_possession_and_the_secret() {
        let keys = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport];
        let public = uses.iter().zip(&keys).map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) });
        let signing: Vec<_> = keys.iter().collect();
        let request = JoinRequest::new(name("f"), name("s"), public.collect(), &signing, &[7; 16]).expect("encodes");
        assert_eq!(request.check_possession(), Ok(()));
        assert_eq!(request.check_secret(&[7; 16]), Ok(()));
        assert_eq!(request.check_secret(&[8; 16]).expect_err("wrong secret").check, "secret");
        let mut other = request.clone();
        other.site = name("t");
        assert_eq!(other.check_possession().expect_err("other site").check, "possession");
        assert!(other.check_secret(&[7; 16]).is_err());
        let mut swapped = request.clone();
        swapped.proofs.swap(0, 1);
        assert!(swapped.check_possession().is_err() && swapped.check_secret(&[7; 16]).is_err());
    }
}
