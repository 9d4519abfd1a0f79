//! The aggregator's own keys: next ones, and the change of the log key.
//!
//! The registry names the key of its own checkpoints: the entry that brings the next log key stands under one by that key already.
//! So the key before is not needed, and one that is lost is replaced like any other.
//!
//! Crash order: (1) `keys/USE.next.key` is durable, (2) the registry's checkpoint is the commit, (3) each next key takes the place of
//! the one before, which is gone. Whatever opens this home after (2) goes on with (3).

use crate::centre::Centre;
use crate::home::{operator, operator_hint};
use crate::store::LogDir;
use clap::ValueEnum;
use ed25519_dalek::SigningKey;
use fedaudit_core::codec::Valid;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::note::VerifierKey;
use fedaudit_core::roster::{Party, Registry, RosterKey, Trust};
use fedaudit_link::home::{drop_next_key, make_next_key, next_key, next_named, take_next_key};
use fedaudit_link::protocol::RotateRequest;

/// A key of the aggregator.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Rotated {
    /// The one that signs reports.
    Attest,
    /// The one that signs the checkpoints of all logs.
    Log,
    /// The one that it shows to sites; the daemon shows the next one once it is started again.
    Transport,
}

const USES: [KeyUse; 3] = [KeyUse::Attest, KeyUse::Log, KeyUse::Transport];

impl Rotated {
    fn usage(self) -> KeyUse {
        match self {
            Rotated::Attest => KeyUse::Attest,
            Rotated::Log => KeyUse::Log,
            Rotated::Transport => KeyUse::Transport,
        }
    }
}

/// Reads what was appended to a log, under the log keys of the registry.
pub(crate) fn refresh(log: &mut LogDir, registry: &Registry) -> Result<(), Fault> {
    log.know(&registry.log_keys().map_err(|e| operator(e.to_string()))?);
    if log.refresh()? { check_note(log, registry) } else { Ok(()) }
}

/// Whether a log key that held signed a log's checkpoint.
pub(crate) fn check_note(log: &LogDir, registry: &Registry) -> Result<(), Fault> {
    let opened = registry.open_checkpoint(log.note().as_bytes(), log.origin());
    opened.map(drop).map_err(|e| {
        let what = format!("the checkpoint of {}: {e}", log.origin());
        Fault::new(
            Blame::Aggregator,
            what,
            "do not append; restore the log from its newest backup, sites will see a loss",
        )
    })
}

impl Centre {
    /// Puts next keys that the registry names in their place.
    pub(crate) fn take_keys(&mut self) -> Result<(), Fault> {
        let keys = self.home.keys();
        // A registry that is only tried names nothing yet.
        if self.registry().size() != self.registry_log().size() {
            return Ok(());
        }
        for usage in USES {
            if next_named(&keys, self.registry(), &Party::Aggregator, usage)? {
                take_next_key(&keys, usage)?;
                tracing::warn!(%usage, "the next key is this home's from now on; a transport key once the daemon is started again");
            }
        }
        let Ok(named) = self.registry().party(&Party::Aggregator).and_then(|entry| entry.key(KeyUse::Log)) else {
            return Ok(());
        };
        if self.log_key.as_ref().map(PublicKey::of) != Some(named) {
            self.log_key = self.home.log_key()?.filter(|key| PublicKey::of(key) == named);
        }
        Ok(())
    }

    /// The key that signs checkpoints.
    ///
    /// # Errors
    /// Its file is missing, or holds another key.
    pub(crate) fn log_key(&self) -> Result<SigningKey, Fault> {
        self.log_key.clone().ok_or_else(|| {
            let path = self.home.keys().join("log.key");
            let why = if path.exists() { "is not the log key that the registry names" } else { "is missing" };
            let what = format!("{} {why}: nothing can be logged", path.display());
            let hint = "put the newest copy of it back; if nobody has one, governance gives another key: \
                        fedaudit-aggregator key rotate log --lost";
            operator_hint(what, hint)
        })
    }

    /// The next log key, where the registry that is to be names one: it is at hand, and so is every other key that it names.
    pub(crate) fn next_log_key(&self, after: &Registry) -> Result<Option<SigningKey>, Fault> {
        let keys = |registry: &Registry| registry.party(&Party::Aggregator).map(|entry| entry.keys.clone());
        let (Ok(before), Ok(wanted)) = (keys(self.registry()), keys(after)) else { return Ok(None) };
        let mut log = None;
        for RosterKey { usage, key } in wanted.into_iter().filter(|key| !before.contains(key)) {
            let next = next_key(&self.home.keys(), usage)?.filter(|next| PublicKey::of(next) == key);
            let next = next.ok_or_else(|| {
                let what = format!("keys/{usage}.next.key is not the {usage} key {} that the document names", key.id());
                operator_hint(what, "put it there, or ask again: fedaudit-aggregator key rotate; nothing was published")
            })?;
            if usage == KeyUse::Log {
                log = Some(next);
            }
        }
        Ok(log)
    }

    /// The trust file with the present log key: what a witness knows the logs by.
    ///
    /// # Errors
    /// Never.
    pub fn trust_of_witnesses(&self) -> Result<Valid<Trust>, Fault> {
        let mut trust: Trust = (*self.home.trust).clone();
        let present = self.registry().party(&Party::Aggregator).and_then(|entry| entry.key(KeyUse::Log));
        let (name, key) = (self.registry_log().origin().to_owned(), present.map_err(crate::home::refused)?);
        trust.registry = VerifierKey { name, key }.to_string();
        Valid::new(trust).map_err(operator)
    }

    /// Asks governance for new keys of these uses, and of those that wait already; the new keys. The present attest key
    /// signs that, unless it or another of those that are to be replaced is `lost`.
    ///
    /// # Errors
    /// A disk that fails, an attest key that is missing and not said to be lost.
    pub fn ask_for_keys(&mut self, uses: &[Rotated], lost: bool) -> Result<String, Fault> {
        let _lock = self.lock()?;
        let present = self.registry().party(&Party::Aggregator).map_err(crate::home::refused)?.keys.clone();
        let (folder, mut keys, mut public) = (self.home.keys(), Vec::new(), Vec::new());
        for usage in USES {
            let next = match next_key(&folder, usage)? {
                None if uses.iter().any(|of| of.usage() == usage) => Some(make_next_key(&folder, usage)?),
                next => next,
            };
            let key = next.map_or_else(|| self.home.key(usage), Ok)?;
            public.push(RosterKey { usage, key: PublicKey::of(&key) });
            keys.push(key);
        }
        let party = Party::Aggregator;
        let replaces = self.registry().party_digest(&party).unwrap_or(fedaudit_core::ids::Digest([0; 32]));
        let (federation, last) = (self.home.trust.federation.clone(), Vec::new());
        let (proofs, signature) = Default::default();
        let request = RotateRequest { federation, party, replaces, keys: public, last, proofs, signature };
        let attest = if lost { None } else { Some(self.home.key(KeyUse::Attest)?) };
        let request = request.sign(&keys.iter().collect::<Vec<_>>(), attest.as_ref());
        let request = request.map_err(|e| operator(e.to_string()))?;
        request.check(self.registry()).map_err(|refusal| {
            operator_hint(refusal.to_string(), "name the keys that are to be replaced: key rotate attest|log|transport")
        })?;
        self.home.keep_rotation(&Party::Aggregator.name().map_err(crate::home::refused)?, Some(&request))?;
        let new = request.keys.iter().filter(|key| !present.contains(key));
        Ok(new.map(|key| format!("{} {}", key.usage, key.key.id())).collect::<Vec<_>>().join(", "))
    }

    /// Takes the request back, and removes the next keys.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn cancel_keys(&mut self) -> Result<(), Fault> {
        // What the registry names by now is taken.
        let _lock = self.lock()?;
        self.home.keep_rotation(&Party::Aggregator.name().map_err(crate::home::refused)?, None)?;
        USES.iter().try_for_each(|usage| drop_next_key(&self.home.keys(), *usage))
    }
}
