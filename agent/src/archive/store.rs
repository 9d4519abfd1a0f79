//! The archive's folder. It may be a mount that lets a file be written once and never again.
//!
//! A file is copied there under its own name, from first byte to last, with one open: never renamed, never replaced,
//! never opened for writing again. What an interrupted copy left is the beginning of the file; it is removed and written
//! anew, and where the mount does not let that happen, the fault says so. A file with other content is never touched.

use crate::db::io_fault;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_link::home::sync_dir;
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Copies a staged file to its place; its digest, as read back from there.
pub(super) fn put(staged: &Path, archive: &Path, name: &str) -> Result<Digest, Fault> {
    let path = archive.join(name);
    let folder = path.parent().unwrap_or(archive);
    if !folder.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| io_fault("create", folder, &error))?;
    }
    let wanted = digest(staged)?;
    match there(staged, &path)? {
        There::Whole => {}
        There::Nothing => copy(staged, &path)?,
        There::Beginning => {
            std::fs::remove_file(&path).map_err(|error| {
                let what = format!("an interrupted copy left {}, and it cannot be removed: {error}", path.display());
                Fault::new(Blame::Operator, what, "remove it by the means of that store, or archive to another folder")
            })?;
            copy(staged, &path)?;
        }
        There::Other => {
            let what = format!("{} is there already, with other content", path.display());
            let hint = "this folder holds the archive of another home, or of another state of this one: name another";
            return Err(Fault::new(Blame::Operator, what, hint));
        }
    }
    sync_dir(folder)?;
    let found = digest(&path)?;
    if found == wanted {
        return Ok(found);
    }
    let what = format!("{} does not read as it was written", path.display());
    Err(Fault::new(Blame::Operator, what, "check the disk or mount of the archive; nothing was deleted"))
}

/// SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> Result<Digest, Fault> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut file = File::open(path).map_err(|error| io_fault("read", path, &error))?;
    loop {
        match file.read(&mut buffer).map_err(|error| io_fault("read", path, &error))? {
            0 => return Ok(Digest(hash.finalize().into())),
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

enum There {
    Nothing,
    Beginning,
    Whole,
    Other,
}

/// What stands at a file's place.
fn there(staged: &Path, path: &Path) -> Result<There, Fault> {
    let mut placed = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) => return Err(io_fault("read", path, &error)),
    };
    let mut staged_file = File::open(staged).map_err(|error| io_fault("read", staged, &error))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    loop {
        chunk(&mut placed, &mut theirs).map_err(|error| io_fault("read", path, &error))?;
        chunk(&mut staged_file, &mut ours).map_err(|error| io_fault("read", staged, &error))?;
        match (ours.starts_with(&theirs), ours.len() == theirs.len()) {
            (true, true) if ours.is_empty() => return Ok(There::Whole),
            (true, true) => {}
            (true, false) => return Ok(There::Beginning),
            (false, _) => return Ok(There::Other),
        }
    }
}

fn chunk(file: &mut File, into: &mut Vec<u8>) -> std::io::Result<usize> {
    into.clear();
    file.take(CHUNK_BYTES as u64).read_to_end(into)
}

fn copy(staged: &Path, path: &Path) -> Result<(), Fault> {
    let mut from = File::open(staged).map_err(|error| io_fault("read", staged, &error))?;
    let mut written = || -> std::io::Result<()> {
        // Read-only from birth, for everybody but this one open.
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o400).open(path)?;
        let mut buffer = Vec::new();
        while chunk(&mut from, &mut buffer)? > 0 {
            to.write_all(&buffer)?;
        }
        to.sync_all()
    };
    written().map_err(|error| io_fault("write", path, &error))
}

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;
