//! A copy of a home for the day on which its disk is lost, without anything that identifies an event or a person: no
//! sidecar, no files of ids, no rejected rows. What is erased later need not be erased from it.
//!
//! Crash order: (1) all files, in a folder of another name, synced, (2) that folder gets its name. A crash before (2)
//! leaves a folder that the next attempt removes. Windows are not closed meanwhile (`import.lock`), so that ledger and
//! outbox agree, and no segment is replaced (`archive.lock`). Events are taken in all the time: closed segments do not
//! change, and of the newest one transaction is copied.

use crate::archive::{digest, list_files};
use crate::db::{Db, io_fault};
use crate::home::Home;
use crate::journal::Journal;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_link::home::{Lock, create_dir_private, create_new, sync_dir};
use std::path::{Path, PathBuf};

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Number of files, the list of digests apart.
    pub files: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// Copies `home` into the new folder `to`; `keys` says whether with its keys.
///
/// # Errors
/// `to` exists, or a file cannot be read or written; `to` is then not there.
pub fn backup(home: &Home, to: &Path, keys: bool) -> Result<Backup, Fault> {
    if to.exists() {
        let what = format!("{} exists", to.display());
        return Err(Fault::new(Blame::Operator, what, "name a folder that does not exist: a backup replaces nothing"));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = to.with_file_name(name);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(|error| io_fault("delete", &partial, &error))?;
    }
    let _import = Lock::acquire(&home.import_lock())?;
    let _archive = Lock::acquire(&home.archive_lock())?;
    create_dir_private(&partial)?;
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    if keys {
        let folder = home.dir.join("keys");
        let entries = std::fs::read_dir(&folder).map_err(|error| io_fault("list", &folder, &error))?;
        files.extend(entries.flatten().map(|entry| Path::new("keys").join(entry.file_name())));
    }
    create_dir_private(&partial.join("keys"))?;
    for file in files.iter().filter(|file| home.dir.join(file).is_file()) {
        let path = home.dir.join(file);
        let bytes = std::fs::read(&path).map_err(|error| io_fault("read", &path, &error))?;
        create_new(&partial.join(file), &bytes, 0o600)?;
    }
    Journal::copy(&home.dir, &partial)?;
    Db::open(&home.dir.join("outbox.sqlite"))?.copy(&partial.join("outbox.sqlite"))?;
    let done = list(&partial)?;
    sync_dir(&partial)?;
    std::fs::rename(&partial, to).map_err(|error| io_fault("write", to, &error))?;
    sync_dir(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(done)
}

/// Writes the digests of all files, as `sha256sum --check` reads them.
fn list(folder: &Path) -> Result<Backup, Fault> {
    let (mut text, mut done) = (String::new(), Backup { files: 0, bytes: 0 });
    for name in list_files(folder)? {
        let path = folder.join(&name);
        done.bytes += std::fs::metadata(&path).map_err(|error| io_fault("read", &path, &error))?.len();
        done.files += 1;
        text += &format!("{}  {name}\n", digest(&path)?);
    }
    create_new(&folder.join(SUMS), text.as_bytes(), 0o600)?;
    Ok(done)
}

/// Files of a home that are copied as they are, where they exist.
const FILES: [&str; 4] = ["config.toml", "trust.json", "enrolment.json", "invitation.json"];
/// The list of digests.
const SUMS: &str = "SHA256SUMS";
