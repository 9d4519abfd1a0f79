//! A later version of `trust.json` takes the place of the one before: its witnesses are others.

use crate::home::write_atomic;
use crate::protocol::governance_fingerprint;
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::roster::Trust;
use std::path::Path;

/// Reads a trust file.
///
/// # Errors
/// A file that cannot be read or breaks its rules.
pub fn read(path: &Path) -> Result<Valid<Trust>, Fault> {
    let hint = "check the path, its permissions and the disk";
    let broken = |e: String| Fault::new(Blame::Operator, format!("{}: {e}", path.display()), hint);
    let bytes = std::fs::read(path).map_err(|e| broken(e.to_string()))?;
    codec::from_json(&bytes).map_err(|e| broken(e.to_string()))
}

/// Puts the trust file `new` in the place of `held`, if it has the fingerprint that governance told by another way. Nothing vouches
/// for it otherwise.
///
/// # Errors
/// Another fingerprint; a file that is not the one before with other witnesses, or not later; a disk that fails.
pub fn take(held: &Path, new: &Path, fingerprint: &Digest, mode: u32) -> Result<Valid<Trust>, Fault> {
    let (before, after) = (read(held)?, read(new)?);
    let refused = |what: String, hint: &str| {
        Fault::new(Blame::Input, format!("{}: {what}; nothing was taken", new.display()), hint)
    };
    let found = governance_fingerprint(&after);
    if found != *fingerprint {
        let hint = "ask governance for the file and for its fingerprint, by two ways";
        return Err(refused(format!("its fingerprint is {found}"), hint));
    }
    let hint = "ask governance for the trust file of this federation";
    after.check_same_but_witnesses(&before).map_err(|e| refused(e, hint))?;
    if *after == *before {
        return Ok(after);
    }
    if after.version <= before.version {
        let what = format!("version {}, this home has {}", after.version, before.version);
        return Err(refused(what, "ask governance for the newest one"));
    }
    let json = codec::to_json(&after).map_err(|e| refused(e.to_string(), "report this"))?;
    write_atomic(held, &json, mode)?;
    Ok(after)
}

/// Who must have cosigned, for people.
pub fn describe(trust: &Trust) -> String {
    let cosigners: Vec<_> = trust.cosigners().iter().map(|key| key.label()).collect();
    let (version, needed) = (trust.version, trust.witnesses.threshold);
    format!(
        "trust.json version {version}: {needed} of {} witnesses must have cosigned: {}",
        cosigners.len(),
        cosigners.join(", ")
    )
}
