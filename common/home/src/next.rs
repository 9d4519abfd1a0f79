//! Next keys: `keys/USE.next.key`, until the roster names them.
//!
//! Crash order: (1) the next key is durable, (2) the roster names it, (3) it takes the place of the one before, which is gone.
//! Whatever opens a home after (2) goes on with (3).

use crate::{create_key, io_fault, load_key, os_random, sync_dir};
use ed25519_dalek::SigningKey;
use fedaudit_core::fault::Fault;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::{Party, Registry};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn path(keys: &Path, usage: KeyUse) -> PathBuf {
    keys.join(format!("{usage}.next.key"))
}

/// The next key for `usage` in the folder `keys`; none if there is none.
///
/// # Errors
/// A file that is no key.
pub fn next_key(keys: &Path, usage: KeyUse) -> Result<Option<SigningKey>, Fault> {
    let path = path(keys, usage);
    if !path.exists() {
        return Ok(None);
    }
    match load_key(&path) {
        // Another process of this home has just put it in its place.
        Err(_) if !path.exists() => Ok(None),
        loaded => loaded.map(Some),
    }
}

/// The next key for `usage`, made if there is none.
///
/// # Errors
/// As [`next_key`], or a disk that fails.
pub fn make_next_key(keys: &Path, usage: KeyUse) -> Result<SigningKey, Fault> {
    next_key(keys, usage)?.map_or_else(|| create_key(&path(keys, usage), os_random()), Ok)
}

/// Whether the registry names a next key that still waits in the folder `keys`.
///
/// # Errors
/// As [`next_key`].
pub fn next_named(keys: &Path, registry: &Registry, party: &Party, usage: KeyUse) -> Result<bool, Fault> {
    let named = registry.party(party).and_then(|entry| entry.key(usage)).ok();
    Ok(named.is_some() && next_key(keys, usage)?.as_ref().map(PublicKey::of) == named)
}

/// Puts the next key for `usage` in the place of the one before.
///
/// # Errors
/// A disk that fails.
pub fn take_next_key(keys: &Path, usage: KeyUse) -> Result<(), Fault> {
    let place = keys.join(format!("{usage}.key"));
    match std::fs::rename(path(keys, usage), &place) {
        // Another process of this home was faster.
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io_fault("replace", &place, &e)),
        Ok(()) => sync_dir(keys),
    }
}

/// Removes the next key for `usage`.
///
/// # Errors
/// A disk that fails.
pub fn drop_next_key(keys: &Path, usage: KeyUse) -> Result<(), Fault> {
    let path = path(keys, usage);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io_fault("remove", &path, &e)),
        Ok(()) => sync_dir(keys),
    }
}
