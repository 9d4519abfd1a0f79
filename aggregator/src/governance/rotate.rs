//! Who governs from now on: further governance folders, and the entry that names their keys.

use super::Governance;
use super::keys::Change;
use crate::basis::Basis;
use crate::centre::Centre;
use crate::home::{operator, operator_hint, read_text};
use clap::Args;
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::{Ending, Party, RosterKey};
use fedaudit_core::time::Time;
use fedaudit_link::home::{create_dir_private, create_key, create_new, os_random};
use std::path::{Path, PathBuf};

/// `governance rotate --key FILE... --threshold N`
#[derive(Args)]
pub struct Signers {
    /// The public key of a signer, a PEM file such as the `governance.pem` that `governance new` writes; all that may sign from
    /// now on, so those that stay as well.
    #[arg(long, required = true)]
    key: Vec<PathBuf>,
    /// How many of them must sign from now on.
    #[arg(long)]
    threshold: usize,
}

/// Makes a further governance folder, with a key of its own; the file of its public key. It signs for nobody until
/// governance names that key.
///
/// # Errors
/// A folder that exists or cannot be written, a trust file that is none.
pub fn new_folder(dir: &Path, trust: &Path) -> Result<PathBuf, Fault> {
    let trust = fedaudit_link::trust::read(trust)?;
    if dir.exists() {
        return Err(operator_hint(format!("{} exists", dir.display()), "name a folder that does not exist"));
    }
    create_dir_private(&dir.join("invites"))?;
    let key = create_key(&dir.join("governance.key"), os_random())?;
    let public = dir.join("governance.pem");
    create_new(&public, PublicKey::of(&key).pem().as_bytes(), 0o644)?;
    // Last: with it the folder is one.
    let json = codec::to_json(&trust).map_err(|e| operator(e.to_string()))?;
    create_new(&dir.join("trust.json"), &json, 0o644)?;
    Ok(public)
}

fn public_key(path: &Path) -> Result<RosterKey, Fault> {
    let text = read_text(path)?;
    let lines = text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
    let body = lines.and_then(|text| text.strip_suffix("-----END PUBLIC KEY-----"));
    let body = body.map(|body| body.split_whitespace().collect::<String>());
    let key = body.and_then(|body| serde_json::from_value::<PublicKey>(body.into()).ok());
    let usage = KeyUse::Governance;
    key.map(|key| RosterKey { usage, key }).ok_or_else(|| {
        let what = format!("{} is no Ed25519 public key in PEM", path.display());
        Fault::new(Blame::Input, what, "name the governance.pem of each signer; nothing was signed")
    })
}

impl Governance {
    /// Signs who governs from now on.
    ///
    /// # Errors
    /// A file that is no public key; a threshold that the keys cannot reach.
    pub fn sign_rotation(&self, basis: &Basis, wanted: &Signers, now: Time) -> Result<Attestation, Fault> {
        let keys = wanted.key.iter().map(|path| public_key(path)).collect::<Result<_, _>>()?;
        let (threshold, why, last) = (Some(wanted.threshold), Ending::Rotated, Vec::new());
        let reason = None;
        self.sign_change(basis, Change { party: Party::Governance, keys, threshold, why, last, reason }, now)
    }

    /// Publishes who governs from now on.
    ///
    /// # Errors
    /// As [`Governance::sign_rotation`]; where several must sign, it goes by file; a disk that fails.
    pub fn rotate(&self, centre: &mut Centre, wanted: &Signers, now: Time) -> Result<(), Fault> {
        let lock = centre.lock()?;
        let attestation = self.sign_rotation(&Basis::of(centre)?, wanted, now)?;
        centre.publish(&attestation, &lock).map(drop)
    }
}
