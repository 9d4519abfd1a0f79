//! `trust.json`: what a relying party believes beforehand.

use super::{FORMAT, registry_origin};
use crate::codec::Rules;
use crate::ids::Name;
use crate::key::PublicKey;
use crate::note::VerifierKey;
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
    /// Who must have cosigned the registry's checkpoints.
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
    /// The witness policy (C2SP tlog-policy) under which the log `origin` is published: there is no witness yet.
    pub fn policy(&self, origin: &str, key: &PublicKey) -> String {
        let log = VerifierKey { name: origin.to_owned(), key: *key };
        format!("log {log}\nquorum none\n")
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
        if self.witnesses.threshold > 0 {
            return Err("`witnesses.threshold` is above 0; this version cannot check cosignatures".to_owned());
        }
        let key = VerifierKey::parse(&self.registry).map_err(|e| format!("`registry`: {e}"))?;
        let origin = registry_origin(&self.federation);
        if key.name != origin {
            return Err(format!("`registry` is a key of {}; it must be of {origin}", key.name));
        }
        Ok(())
    }
}
