//! Many files at once, with few waits for the disk.
//!
//! Crash order: (1) temporary files with their final mode, (2) `syncfs` of the filesystem that they are on, (3) they get
//! their names, (4) fsync of their folders. As for one file, a crash leaves old content or new, and perhaps stray files.

use super::{io_fault, parent, temporary};
use fedaudit_core::fault::Fault;
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{Error, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Puts all `files` in their places with exactly `mode`.
pub(super) fn write(files: &[(PathBuf, Vec<u8>)], mode: u32) -> Result<(), Fault> {
    let mut temporaries = Vec::with_capacity(files.len());
    let named = fill_all(files, mode, &mut temporaries).and_then(|folders| {
        for ((path, _), temporary) in files.iter().zip(&temporaries) {
            std::fs::rename(temporary, path).map_err(|error| io_fault("write", path, &error))?;
        }
        folders.iter().try_for_each(|(path, folder)| folder.sync_all().map_err(|e| io_fault("sync", path, &e)))
    });
    if named.is_err() {
        // Those that have their names already are not found here; the first error is the one to tell.
        temporaries.iter().for_each(|temporary| _ = std::fs::remove_file(temporary));
    }
    named
}

/// Writes all files under temporary names, which last when this returns; the folders that they are in.
fn fill_all<'a>(
    files: &'a [(PathBuf, Vec<u8>)],
    mode: u32,
    temporaries: &mut Vec<PathBuf>,
) -> Result<BTreeMap<&'a Path, File>, Fault> {
    let (mut folders, mut filesystems) = (BTreeMap::new(), BTreeMap::new());
    for (path, bytes) in files {
        let faulty = |error: Error| io_fault("write", path, &error);
        if !folders.contains_key(parent(path)) {
            // Opened before anything is written: a write-back error is then seen by these handles.
            let folder = File::open(parent(path)).map_err(faulty)?;
            let filesystem = folder.metadata().map_err(faulty)?.dev();
            filesystems.entry(filesystem).or_insert(folder.try_clone().map_err(faulty)?);
            folders.insert(parent(path), folder);
        }
        let (temporary, mut file) = temporary(path).map_err(faulty)?;
        temporaries.push(temporary);
        file.write_all(bytes).map_err(faulty)?;
        file.set_permissions(Permissions::from_mode(mode)).map_err(faulty)?;
    }
    for filesystem in filesystems.values() {
        rustix::fs::syncfs(filesystem).map_err(|error| {
            let path = files.first().map_or(Path::new("."), |(path, _)| path);
            io_fault("sync", path, &error.into())
        })?;
    }
    Ok(folders)
}
