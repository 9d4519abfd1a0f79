//! The entries of the registry, each checked against the roster before it.

use super::{Verdict, signer_of};
use crate::bundle::LogPart;
use crate::codec::Valid;
use crate::fault::Refusal;
use crate::ids::Digest;
use crate::roster::{Registry, Trust};
use crate::verify;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex, PoisonError};

/// An entry of the registry that does not follow from those before it.
#[derive(Debug)]
pub(super) struct Stray {
    index: usize,
    refusal: Refusal,
}

/// Registries that were replayed without a stray, by the digest of all that they were replayed from.
#[derive(Default)]
pub(super) struct Replays(Mutex<Vec<(Digest, Arc<Registry>)>>);

impl Replays {
    /// As [`replay`] of the whole; the same bytes are replayed once.
    pub(super) fn replay(&self, part: &LogPart, trust: &Valid<Trust>) -> (Arc<Registry>, Vec<Stray>) {
        let digest = digest(part);
        let known = |of: &Replays| {
            let replays = of.0.lock().unwrap_or_else(PoisonError::into_inner);
            replays.iter().find(|(key, _)| *key == digest).map(|(_, registry)| registry.clone())
        };
        if let Some(registry) = known(self) {
            return (registry, Vec::new());
        }
        let (registry, strays) = replay(part, part.entries.len(), trust);
        let registry = Arc::new(registry);
        if strays.is_empty() {
            let mut replays = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if replays.len() == REPLAYS {
                replays.remove(0);
            }
            replays.push((digest, registry.clone()));
        }
        (registry, strays)
    }
}

/// Of everything that a replay reads: how many entries there are, then all of it, each with its length before it.
fn digest(part: &LogPart) -> Digest {
    let mut hash = Sha256::new();
    hash.update((part.entries.len() as u64).to_le_bytes());
    let mut take = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part.entries.iter().for_each(|entry| take(entry));
    part.artifacts.iter().for_each(|(name, bytes)| {
        take(&name.0);
        take(bytes);
    });
    Digest(hash.finalize().into())
}

/// The registry's first `size` entries. Behind the first stray the roster cannot be told; there an entry is looked at by
/// itself: its form, its file and its signature.
pub(super) fn replay(part: &LogPart, size: usize, trust: &Valid<Trust>) -> (Registry, Vec<Stray>) {
    let mut registry = Registry::new(trust.clone());
    let mut strays: Vec<Stray> = Vec::new();
    for (index, envelope) in part.entries.iter().take(size).enumerate() {
        let artifact = artifact_of(envelope, part);
        let missing = artifact.is_err();
        let applied = artifact.and_then(|artifact| registry.apply(envelope, artifact));
        let Err(refusal) = applied else { continue };
        let alone = missing || ["envelope", "signature", "statement", "artifact"].contains(&refusal.check.as_str());
        if strays.is_empty() || alone {
            strays.push(Stray { index, refusal });
        }
    }
    (registry, strays)
}

pub(super) fn judge(part: &LogPart, registry: &Registry, strays: &[Stray], verdict: &mut Verdict) {
    if strays.is_empty() {
        let (size, sites) = (part.entries.len(), registry.sites().count());
        let found = format!("{size} entries signed by governance, {sites} sites");
        verdict.pass("registry-entry", "registry/entries", found);
    }
    for Stray { index, refusal } in strays {
        verdict.refuse("registry-entry", format!("registry/entries/{index}"), refusal);
        verdict.by(part.entries.get(*index).and_then(|entry| signer_of(entry, registry)));
    }
}

/// The artifact that an envelope names; found before the signature is checked, so nothing follows from it alone.
pub(super) fn artifact_of<'a>(envelope: &[u8], part: &'a LogPart) -> Result<&'a [u8], Refusal> {
    let digest = verify::claimed_subject(envelope)?;
    let found = part.artifacts.get(&digest);
    found.map(Vec::as_slice).ok_or_else(|| Refusal::new("missing", format!("artifacts/{digest}.json"), "no such file"))
}

/// Registries that are kept.
const REPLAYS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_are_taken_for_one_another() {
        let (name, file) = (Digest::of(b"name"), b"file".to_vec());
        let entries = LogPart { entries: vec![name.0.to_vec(), file.clone()], ..LogPart::default() };
        let artifact = LogPart { artifacts: [(name, file)].into(), ..LogPart::default() };
        assert_ne!(digest(&entries), digest(&artifact));
    }
}
