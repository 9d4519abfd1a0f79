//! Which model a version is: digests as OpenSSF model-signing states them.

use super::PlanText;
use crate::contract::text;
use crate::ids::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The model that a version of the plan is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDigest {
    /// The version: one of `model_versions`.
    pub version: String,
    /// SHA-256 of the model: the digest of the only subject of the in-toto statement that model-signing signs, which it
    /// computes over the digests of the model's files, sorted by path. Events are compared with it.
    pub subject: Digest,
    /// SHA-256 of the signature bundle or manifest beside the model. Nothing here opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
}

impl PlanText {
    /// The model that a version is said to be.
    pub fn model_digest(&self, version: &str) -> Option<&ModelDigest> {
        self.model_digests.iter().find(|digest| digest.version == version)
    }

    pub(super) fn check_model_digests(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for ModelDigest { version, .. } in &self.model_digests {
            text("model_digest.version", version)?;
            if !self.model_versions.contains(version) {
                return Err(format!("`model_digest` names version `{version}`; `model_versions` does not list it"));
            }
            if !seen.insert(version) {
                return Err(format!("`model_digest` names version `{version}` twice"));
            }
        }
        if self.model_digests.is_empty() || self.disclosure.privacy.is_none() {
            return Ok(());
        }
        Err("`model_digest` needs exact counts: leave it out beside `disclosure.privacy`".to_owned())
    }
}
