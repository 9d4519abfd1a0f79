//! `trust.json`: what a relying party believes beforehand.

use super::{FORMAT, registry_origin};
use crate::codec::Rules;
use crate::ids::{Digest, Name};
use crate::key::PublicKey;
use crate::limits;
use crate::note::{Cosigner, NoteError, VerifierKey, cosignatures};
use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// All that a relying party needs to know beforehand (`trust.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of this file, from 1.
    pub version: u32,
    /// The federation.
    pub federation: Name,
    /// Who signs the registry's entries.
    pub governance: Governance,
    /// Verifier key of the registry's checkpoints (C2SP signed-note); its name is the registry's origin.
    pub registry: String,
    /// Who must have cosigned the checkpoints of the aggregator's logs.
    pub witnesses: Witnesses,
}

/// Governance: n of m.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governance {
    /// How many of `keys` must sign.
    pub threshold: usize,
    /// The keys.
    pub keys: Vec<PublicKey>,
}

impl Trust {
    /// The witness policy (C2SP tlog-policy) under which the log `origin` is published. Names in it mean nothing outside it.
    pub fn policy(&self, origin: &str, key: &PublicKey) -> String {
        let log = VerifierKey { name: origin.to_owned(), key: *key };
        let (threshold, keys) = (self.witnesses.threshold, &self.witnesses.keys);
        if threshold == 0 {
            return format!("log {log}\nquorum none\n");
        }
        let mut text = format!("log {log}\n");
        (1..).zip(keys).for_each(|(at, key)| text += &format!("witness w{at} {key}\n"));
        let names: Vec<_> = (1..=keys.len()).map(|at| format!("w{at}")).collect();
        text + &format!("group witnesses {threshold} {}\nquorum witnesses\n", names.join(" "))
    }

    /// Whether this is `before` but for its version and witnesses: all else of a federation changes by entries of its registry.
    ///
    /// # Errors
    /// What differs.
    pub fn check_same_but_witnesses(&self, before: &Trust) -> Result<(), String> {
        let parts = [
            ("federation", self.federation == before.federation),
            ("governance", self.governance == before.governance),
            ("registry", self.registry == before.registry),
        ];
        match parts.iter().find(|(_, same)| !same) {
            Some((part, _)) => {
                Err(format!("`{part}` is another; only the witnesses of a federation change in this file"))
            }
            None => Ok(()),
        }
    }

    /// The witnesses.
    pub fn cosigners(&self) -> Vec<Cosigner> {
        // The rules let none pass that cannot be read; one left out here could only be missed.
        self.witnesses.keys.iter().filter_map(|key| Cosigner::parse(key).ok()).collect()
    }

    /// When which of the witnesses cosigned a checkpoint: as of then, it was the largest that they had seen of its log. One
    /// witness may stand here several times. Whether they are enough is for [`Trust::check_quorum`].
    ///
    /// # Errors
    /// A malformed note, or a line of a known witness that is not its cosignature.
    pub fn cosigned_at(&self, note: &[u8]) -> Result<Vec<(String, Time)>, NoteError> {
        let cosigners = self.cosigners();
        let found = cosignatures(note, &cosigners)?;
        Ok(found.into_iter().map(|(of, time)| (of.name.clone(), time)).collect())
    }

    /// Checks that enough witnesses cosigned a checkpoint; how many did.
    ///
    /// # Errors
    /// As [`Trust::cosigned_at`], and [`NoteError::Witnesses`].
    pub fn check_quorum(&self, note: &[u8]) -> Result<usize, NoteError> {
        let (cosigners, needed) = (self.cosigners(), self.witnesses.threshold);
        let keys: BTreeSet<_> = cosignatures(note, &cosigners)?.into_iter().map(|(of, _)| of.key.id()).collect();
        let (found, known) = (keys.len(), cosigners.len());
        if found >= needed { Ok(found) } else { Err(NoteError::Witnesses { found, known, needed }) }
    }
}

/// Witness policy: n of m.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witnesses {
    /// How many of `keys` must have cosigned; 0 where the federation has no witness.
    pub threshold: usize,
    /// Verifier keys.
    pub keys: Vec<String>,
}

impl Rules for Trust {
    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("`format` is {}; this program knows {FORMAT}", self.format));
        }
        let keys: BTreeSet<_> = self.governance.keys.iter().map(PublicKey::id).collect();
        if self.governance.threshold == 0 || self.governance.threshold > keys.len() {
            return Err(format!("`governance.threshold` is {}; 1 to {} keys", self.governance.threshold, keys.len()));
        }
        let key = VerifierKey::parse(&self.registry).map_err(|e| format!("`registry`: {e}"))?;
        let origin = registry_origin(&self.federation);
        if key.name != origin {
            return Err(format!("`registry` is a key of {}; it must be of {origin}", key.name));
        }
        let others = self.governance.keys.iter().chain([&key.key]).map(PublicKey::id);
        self.witnesses.check(others.collect())
    }
}

impl Witnesses {
    /// One key, one party, one use: nobody counts twice, and who is watched is no witness.
    fn check(&self, mut taken: BTreeSet<Digest>) -> Result<(), String> {
        let Witnesses { threshold, keys } = self;
        if *threshold > keys.len() || keys.len() > limits::WITNESSES {
            let (found, most) = (keys.len(), limits::WITNESSES);
            return Err(format!(
                "`witnesses.threshold` is {threshold} of {found} keys; at most {most} keys, and as many"
            ));
        }
        for text in keys {
            let key = Cosigner::parse(text).map_err(|e| format!("`witnesses.keys`: {e}"))?;
            if !taken.insert(key.key.id()) {
                return Err(format!("`witnesses.keys`: the key of {} stands twice in this file", key.label()));
            }
        }
        Ok(())
    }
}
