//! The agent's verified copy of the registry. Pure: entries come in, a larger copy or a refusal comes out.

use fedaudit_core::codec::Valid;
use fedaudit_core::fault::Refusal;
use fedaudit_core::ids::Digest;
use fedaudit_core::merkle::empty_root;
use fedaudit_core::note::{Checkpoint, NoteError};
use fedaudit_core::roster::{Registry, Trust, registry_origin};
use fedaudit_link::protocol::Document;

/// A verified copy of the registry.
#[derive(Clone, Debug)]
pub struct Mirror {
    registry: Registry,
}

impl Mirror {
    /// The copy that follows from stored entries, each checked again.
    ///
    /// # Errors
    /// An entry that does not pass.
    pub fn of(trust: &Valid<Trust>, entries: &[Document]) -> Result<Mirror, Refusal> {
        let mut mirror = Mirror { registry: Registry::new(trust.clone()) };
        mirror.take(entries)?;
        Ok(mirror)
    }

    fn take(&mut self, entries: &[Document]) -> Result<(), Refusal> {
        for (envelope, artifact) in entries {
            self.registry.apply(envelope, artifact)?;
        }
        Ok(())
    }

    /// The copy with `entries` added. Whether it is whole is up to [`Mirror::check`].
    ///
    /// # Errors
    /// An entry that does not pass.
    pub fn with(&self, entries: &[Document]) -> Result<Mirror, Refusal> {
        let mut mirror = self.clone();
        mirror.take(entries)?;
        Ok(mirror)
    }

    /// Holds this copy against the registry's checkpoint; how many entries that says there are. If they are more than here, who
    /// must have signed it is not known yet, for the entries say: it is to be checked again by the copy that has them.
    ///
    /// # Errors
    /// A checkpoint that the log key did not sign; one with fewer entries than this copy, or with as many and
    /// another root: the aggregator went back in time, or shows different registries. `witnesses`: too few cosigned it.
    pub fn check(&self, note: &str) -> Result<u64, Refusal> {
        let trust = self.registry.trust();
        let origin = registry_origin(&trust.federation);
        let bad = |e: NoteError| Refusal::new("checkpoint", format!("the signed checkpoint of {origin}"), e);
        let (size, root) = (self.registry.size(), self.root());
        let claimed = Checkpoint::claimed(note).map_err(bad)?;
        let behind = claimed.origin == origin && claimed.size > size;
        let opened = || self.registry.open_checkpoint(note.as_bytes(), &origin).map_err(bad);
        let checkpoint = if behind { claimed } else { opened()? };
        if checkpoint.size < size || (checkpoint.size == size && checkpoint.root != root) {
            let found = format!("{} entries, root {}", checkpoint.size, checkpoint.root);
            return Err(Refusal::new("fork", format!("{origin} to continue {size} entries, root {root}"), found));
        }
        // Without them somebody else may be shown another registry; with time they may come.
        let enough = trust.check_quorum(note.as_bytes());
        let few = |e| Refusal::new("witnesses", format!("a checkpoint of {origin} that enough witnesses cosigned"), e);
        enough.map_err(few)?;
        Ok(checkpoint.size)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn root(&self) -> Digest {
        self.registry.root_at(self.registry.size()).unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use fedaudit_core::envelope::Head;
    use fedaudit_core::ids::Name;
    use fedaudit_core::key::{KeyUse, PublicKey};
    use fedaudit_core::note::VerifierKey;
    use fedaudit_core::roster::{FORMAT, Governance, Party, RosterKey, RosterText, Witnesses, attest_entry};
    use fedaudit_core::time::Time;

    #[test]
    fn only_a_signed_checkpoint_that_goes_on_is_taken() {
        let [governance, log] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let federation = Name::new("fed").expect("a name");
        let origin = registry_origin(&federation);
        let trust = Trust {
            format: FORMAT,
            version: 1,
            federation,
            governance: Governance { threshold: 1, keys: vec![PublicKey::of(&governance)] },
            registry: VerifierKey { name: origin.clone(), key: PublicKey::of(&log) }.to_string(),
            witnesses: Witnesses { threshold: 0, keys: Vec::new() },
        };
        let mirror = Mirror::of(&Valid::new(trust).expect("valid"), &[]).expect("an empty copy");
        let empty = Checkpoint { origin: origin.clone(), size: 0, root: empty_root() };
        let check = |note: &str| mirror.check(note).map(|_| ()).map_err(|refusal| refusal.check);
        assert_eq!(check(&empty.sign(&log).expect("signs")), Ok(()));
        assert_eq!(check(&empty.sign(&governance).expect("signs")), Err("checkpoint".to_owned()));
        assert_eq!(check("no note"), Err("checkpoint".to_owned()));
        // This copy is ahead of what is shown.
        let uses = [(KeyUse::Attest, 3), (KeyUse::Log, 2), (KeyUse::Transport, 4)];
        let key = |seed| PublicKey::of(&SigningKey::from_bytes(&[seed; 32]));
        let keys = uses.map(|(usage, seed)| RosterKey { usage, key: key(seed) }).to_vec();
        let entry = Valid::new(RosterText::of(Party::Aggregator, keys)).expect("valid");
        let head =
            Head { federation: Name::new("fed").expect("a name"), issued_at: Time(0), seen: None, replaces: None };
        let entry = attest_entry(&entry, head, &[&governance]).expect("signs");
        let ahead = mirror.with(&[(entry.envelope, entry.artifacts[0].clone())]).expect("goes on");
        let refusal = ahead.check(&empty.sign(&log).expect("signs")).expect_err("went back");
        assert_eq!(refusal.check, "fork");
    }
}
