//! Parcels as files.

use crate::home::write_atomic;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Name;
use fedaudit_core::limits::PARCEL_BYTES;
use fedaudit_core::parcel::{Content, Parcel, ParcelText};
use std::io::Read as _;
use std::path::Path;

/// Reads a parcel of `federation`.
///
/// # Errors
/// A file that cannot be read, is too long, is no parcel, or belongs to another federation.
pub fn read_parcel(path: &Path, federation: &Name) -> Result<Content, Fault> {
    let parcel = read_any(path)?;
    if parcel.federation != *federation {
        let what = format!("{} belongs to federation {}, not to {federation}", path.display(), parcel.federation);
        return Err(Fault::new(Blame::Input, what, "name the file that was meant; nothing was taken from this one"));
    }
    Ok(parcel.content.clone())
}

/// Reads a parcel of any federation.
///
/// # Errors
/// A file that cannot be read, is too long, or is no parcel.
pub fn read_any(path: &Path) -> Result<Parcel, Fault> {
    let fault = |what: String| {
        let hint = "carry the file again; nothing was taken from this one";
        Fault::new(Blame::Input, format!("{}: {what}", path.display()), hint)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| fault(e.to_string()))?;
    file.take(PARCEL_BYTES + 1).read_to_end(&mut bytes).map_err(|e| fault(e.to_string()))?;
    if bytes.len() as u64 > PARCEL_BYTES {
        return Err(fault(format!("longer than a parcel may be, {PARCEL_BYTES} bytes")));
    }
    fedaudit_core::parcel::read(&bytes).map_err(|refusal| fault(refusal.to_string()))
}

/// Writes a parcel, readable by its owner only.
///
/// # Errors
/// A parcel that breaks its rules or is too long, or a file that cannot be written: then nothing was written.
pub fn write_parcel(path: &Path, federation: &Name, content: Content) -> Result<(), Fault> {
    let fault = |what: String| Fault::new(Blame::Operator, format!("{}: {what}", path.display()), "report this");
    let parcel = Parcel::new(ParcelText::new(federation.clone(), content)).map_err(fault)?;
    let bytes = codec::to_json(&parcel).map_err(|e| fault(e.to_string()))?;
    if bytes.len() as u64 > PARCEL_BYTES {
        return Err(fault(format!("{} bytes, more than a parcel may have, {PARCEL_BYTES}", bytes.len())));
    }
    write_atomic(path, &bytes, 0o600)
}

/// A parcel of another kind than a command takes.
pub fn misdirected(path: &Path, content: &Content) -> Fault {
    let what = format!("{} is {}", path.display(), content.meant_for());
    Fault::new(Blame::Input, what, "use it there; nothing was taken from it here")
}
