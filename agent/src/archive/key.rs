//! The key that archive files are encrypted under: 32 random bytes in hexadecimal, for its owner only.

use super::file::Key;
use crate::db::io_fault;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_link::home::{create_new, os_random};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the key of a home lies.
pub(super) fn path(home: &Path) -> PathBuf {
    home.join("keys").join("archive.key")
}

/// The key of a home, made at its first use.
pub(super) fn make(home: &Path) -> Result<Key, Fault> {
    if let Some(key) = load(home)? {
        return Ok(key);
    }
    let key = Zeroizing::new(os_random::<32>());
    let mut text = Zeroizing::new(String::with_capacity(2 * key.len() + 1));
    for byte in key.iter() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    create_new(&path(home), text.as_bytes(), 0o600)?;
    Ok(key)
}

/// The key of a home, if it has one.
///
/// # Errors
/// A file that others may read, or that is no key.
pub(super) fn load(home: &Path) -> Result<Option<Key>, Fault> {
    let path = path(home);
    let fault = |what: &str, hint: &str| Fault::new(Blame::Operator, format!("{} {what}", path.display()), hint);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault("read", &path, &error)),
    };
    let facts = file.metadata().map_err(|error| io_fault("read", &path, &error))?;
    if facts.permissions().mode() & 0o077 != 0 {
        return Err(fault("is open to others", "chmod 600 it; if others may have read it, they can read the archive"));
    }
    let mut text = Zeroizing::new(vec![0; 65]);
    let whole = facts.len() == 65 && file.read_exact(&mut text).is_ok();
    let mut key = Zeroizing::new([0; 32]);
    let digit = |of: u8| char::from(of).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut filled = 0;
    for (slot, [high, low]) in key.iter_mut().zip(text.as_chunks::<2>().0) {
        if let (Some(high), Some(low)) = (digit(*high), digit(*low)) {
            *slot = high << 4 | low;
            filled += 1;
        }
    }
    if whole && filled == key.len() {
        return Ok(Some(key));
    }
    Err(fault("is no key: 64 hexadecimal digits", "put it back from a backup; without it the archive cannot be read"))
}
