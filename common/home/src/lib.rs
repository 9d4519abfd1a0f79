//! A daemon's home: files that a crash leaves old or new but never half, private keys, locks; and the one place where
//! the clock and the operating system's random numbers are read.
//!
//! Crash order of [`write_atomic`] and [`create_new`]: (1) temporary file with its final mode, (2) fsync of it, (3) it
//! gets its name, (4) fsync of the folder. A crash before (3) leaves the old content and a stray `.NAME.*.tmp`, which
//! nothing reads; after (3) the new content; only after (4) is it certain to last, and only then does the call return.

#![forbid(unsafe_code)]

mod key;
mod many;
mod next;
mod passphrase;

pub use key::{create_key, is_protected, key_files, load_key, protect_keys, unprotect_keys};
pub use next::{drop_next_key, make_next_key, next_key, next_named, take_next_key};
pub use passphrase::{Passphrase, new_passphrase, passphrase};

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::Time;
use key::KEY_MODE;
use rand::TryRng as _;
use rand::rngs::SysRng;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Error, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroize as _;

/// Puts `bytes` at `path` with exactly `mode`, replacing what was there, durably and at once.
///
/// # Errors
/// Nothing was replaced, or, where only the last fsync failed, it may not last.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    put(path, bytes, mode, |temporary| std::fs::rename(temporary, path))
        .map_err(|error| io_fault("write", path, &error))
}

/// Files up to which each is written out by itself.
const ONE_BY_ONE: usize = 6;

/// The same for many files: each is old or new but never half, and all are durable when this returns. Many are written
/// out with one call for their whole filesystem (`syncfs`), which costs as much as a few do one by one.
///
/// # Errors
/// Some may have been replaced; none of them is half.
pub fn write_all(files: &[(PathBuf, Vec<u8>)], mode: u32) -> Result<(), Fault> {
    if files.len() <= ONE_BY_ONE {
        return files.iter().try_for_each(|(path, bytes)| write_atomic(path, bytes, mode));
    }
    many::write(files, mode)
}

/// Puts `bytes` at `path` with exactly `mode`, durably and at once, and never replaces anything.
///
/// # Errors
/// Something is there already (blamed on the operator), or as for [`write_atomic`].
pub fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    let name = |temporary: &Path| {
        std::fs::hard_link(temporary, path)?;
        std::fs::remove_file(temporary)
    };
    put(path, bytes, mode, name).map_err(|error| io_fault("create", path, &error))
}

/// Makes the names in a folder last.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_dir(path: &Path) -> Result<(), Fault> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|error| io_fault("sync", path, &error))
}

/// Makes a folder, and those above it that are missing, for its owner only (0700). One that is there stays as it is.
///
/// # Errors
/// It cannot be made, or something else has its name.
pub fn create_dir_private(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| io_fault("create", path, &error))?;
    sync_dir(parent(path))
}

/// An exclusive lock between programs, by a file that stays. Dropping it, or the end of the program, frees it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock at `path`.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn acquire(path: &Path) -> Result<Self, Fault> {
        let file = lock_file(path)?;
        file.lock().map_err(|error| io_fault("lock", path, &error))?;
        Ok(Lock { _file: file })
    }

    /// Takes the lock at `path` if it is free.
    ///
    /// # Errors
    /// Another program holds it (blamed on the operator), or as for [`Lock::acquire`].
    pub fn try_acquire(path: &Path) -> Result<Self, Fault> {
        let file = lock_file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Fault::new(
                Blame::Operator,
                format!("another program holds the lock {}", path.display()),
                "stop the other program that uses this home, or wait for it",
            )),
            Err(TryLockError::Error(error)) => Err(io_fault("lock", path, &error)),
        }
    }
}

/// `N` bytes from the operating system's random numbers.
///
/// # Panics
/// The operating system gives none; nothing can go on then.
pub fn os_random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = SysRng.try_fill_bytes(&mut bytes) {
        bytes.zeroize();
        panic!("the operating system gives no random numbers: {error}");
    }
    bytes
}

/// The time by this machine's clock, held at the ends of the range (1677 to 2262).
pub fn now() -> Time {
    let clock = SystemTime::now();
    Time(match clock.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    })
}

/// Writes `bytes` beside `path` and lets `name` give them their name.
fn put(path: &Path, bytes: &[u8], mode: u32, name: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    // Opened first: where this fails nothing has happened yet, and a write-back error is seen by this handle.
    let dir = File::open(parent(path))?;
    let (temporary, file) = temporary(path)?;
    let named = fill(file, bytes, mode).and_then(|()| name(&temporary));
    if let Err(error) = named {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    dir.sync_all()
}

fn fill(mut file: File, bytes: &[u8], mode: u32) -> Result<(), Error> {
    file.write_all(bytes)?;
    // Exactly the mode: what `open` gave it, the umask has narrowed.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// A new file in the folder of `path` that no one else can read. A stray one of the same name is passed over.
fn temporary(path: &Path) -> Result<(PathBuf, File), Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it has no file name"))?;
    loop {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{nth}.tmp", std::process::id()));
        let temporary = parent(path).join(temporary);
        match OpenOptions::new().write(true).create_new(true).mode(KEY_MODE).open(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((temporary, file)),
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock_file(path: &Path) -> Result<File, Fault> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(KEY_MODE).open(path);
    opened.map_err(|error| io_fault("open", path, &error))
}

fn io_fault(doing: &str, path: &Path, error: &Error) -> Fault {
    let hint = match error.kind() {
        ErrorKind::NotFound => "check the path; has this home been initialised?",
        ErrorKind::PermissionDenied => "run as the user that owns this home, or correct its permissions",
        ErrorKind::AlreadyExists => "it is never replaced; move it away first if it is no longer wanted",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free space on this disk",
        ErrorKind::ReadOnlyFilesystem => "mount the file system writable",
        _ => "check the disk and the path",
    };
    Fault::new(Blame::Operator, format!("cannot {doing} {}: {error}", path.display()), hint)
}
