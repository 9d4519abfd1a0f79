//! The key from which noise is derived: `noise.key` in the home, in no backup.

use crate::site::Site;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::privacy::key_id;
use fedaudit_link::home::{create_key, load_key};
use rand::Rng as _;
use zeroize::Zeroizing;

/// The file's name. It is in the form of the site's other keys, and signs nothing.
const FILE: &str = "noise.key";

/// The key, if it is here and the one that the ledger names.
///
/// # Errors
/// Another key is here; a file that is no key, or readable by others.
pub(super) fn held(site: &mut Site) -> Result<Option<Zeroizing<[u8; 32]>>, Fault> {
    let named = named(site)?;
    let path = site.home.dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let key = Zeroizing::new(load_key(&path)?.to_bytes());
    match named {
        Some(id) if id != key_id(&key) => {
            Err(lost("noise.key is not the key that this site's ledger names".to_owned()))
        }
        _ => Ok(Some(key)),
    }
}

/// Why the key cannot be used; none if it can, or is still to be made.
///
/// # Errors
/// A journal that is damaged.
pub(super) fn missing(site: &mut Site) -> Result<Option<Fault>, Fault> {
    let named = named(site)?;
    Ok(match (held(site), named) {
        (Err(fault), _) => Some(fault),
        (Ok(None), Some(id)) => Some(absent(&id)),
        _ => None,
    })
}

/// The key, made at its first use.
///
/// # Errors
/// As [`held`]; the ledger names a key that is not here.
pub(super) fn obtain(site: &mut Site) -> Result<Zeroizing<[u8; 32]>, Fault> {
    let named = named(site)?;
    let key = match (held(site)?, named) {
        (Some(key), Some(_)) => return Ok(key),
        (None, Some(id)) => {
            return Err(absent(&id));
        }
        (Some(key), None) => key,
        (None, None) => {
            let mut key = Zeroizing::new([0; 32]);
            site.rng.fill_bytes(&mut *key);
            create_key(&site.home.dir.join(FILE), *key)?;
            key
        }
    };
    site.journal.append(&[LedgerEntry::NoiseKey { key: key_id(&key) }], &mut site.rng)?;
    Ok(key)
}

fn named(site: &mut Site) -> Result<Option<Digest>, Fault> {
    let mut named = None;
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::NoiseKey { key } = entry {
            named = Some(key);
        }
        Ok(())
    })?;
    Ok(named)
}

fn absent(id: &Digest) -> Fault {
    lost(format!("noise.key is missing; this site's ledger names {}", id.short()))
}

fn lost(what: String) -> Fault {
    let hint = "put back the noise.key that you keep apart from backups; until then nothing is released with noise, as \
                other noise on the same counts would give them away";
    Fault::new(Blame::Site, what, hint)
}
