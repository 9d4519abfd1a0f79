//! A copy of a home for the day on which its disk is lost. It lacks the fence, by which a home knows that it was restored.
//!
//! Crash order: (1) all files, in a folder of another name, synced, (2) that folder gets its name. Logs may grow meanwhile:
//! their checkpoints are read first, all at one time, and what stands under them never changes.

use crate::home::{Home, operator, operator_hint};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_link::home::{Lock, create_dir_private, create_new, sync_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Copies `home` into the new folder `to`, `keys` says whether with its keys; how many files.
///
/// # Errors
/// `to` exists, or a file cannot be read or written; `to` is then not there.
pub fn backup(home: &Home, to: &Path, keys: bool) -> Result<usize, Fault> {
    if to.exists() {
        let what = format!("{} exists", to.display());
        return Err(operator_hint(what, "name a folder that does not exist: a backup replaces nothing"));
    }
    let partial = crate::home::partial_path(to);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(|e| io(&partial, &e))?;
    }
    for folder in FOLDERS {
        create_dir_private(&partial.join(folder))?;
    }
    let mut heads = BTreeMap::new();
    let lock = Lock::acquire(&home.lock_path())?;
    for file in files(&home.dir, Path::new("logs"))?.into_iter().filter(|file| is_head(file)) {
        let bytes = std::fs::read(home.dir.join(&file)).map_err(|e| io(&file, &e))?;
        heads.insert(file, bytes);
    }
    drop(lock);
    let there = |name: &&&str| home.dir.join(name).is_file();
    let mut all: Vec<_> =
        ["config.toml", "trust.json", "carried.json"].iter().filter(there).map(PathBuf::from).collect();
    for folder in FOLDERS.iter().filter(|folder| keys || **folder != "keys") {
        all.extend(files(&home.dir, Path::new(folder))?.into_iter().filter(|file| !is_head(file)));
    }
    let mut sums = String::new();
    let copied = all.iter().map(|file| (file, std::fs::read(home.dir.join(file))));
    for (file, bytes) in copied.chain(heads.iter().map(|(file, bytes)| (file, Ok(bytes.clone())))) {
        let bytes = match bytes {
            // A join that was approved meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && file.starts_with("joins") => continue,
            bytes => bytes.map_err(|e| io(file, &e))?,
        };
        let target = partial.join(file);
        if let Some(folder) = target.parent() {
            create_dir_private(folder)?;
        }
        create_new(&target, &bytes, 0o600)?;
        sums += &format!("{}  {}\n", Digest::of(&bytes), file.display());
    }
    create_new(&partial.join("SHA256SUMS"), sums.as_bytes(), 0o600)?;
    std::fs::rename(&partial, to).map_err(|e| io(to, &e))?;
    sync_dir(to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(sums.lines().count())
}

/// What says how far a log is.
fn is_head(file: &Path) -> bool {
    file.starts_with("logs")
        && file.file_name().is_some_and(|name| name == "checkpoint" || name == crate::store::COSIGNED)
}

/// The files below a folder of a home, by path; none that another program is writing.
fn files(home: &Path, folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(home.join(folder)).map_err(|e| io(folder, &e))?;
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
        if entry.path().is_dir() {
            found.extend(files(home, &path)?);
        } else if !name.as_encoded_bytes().starts_with(b".") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn io(path: &Path, e: &std::io::Error) -> Fault {
    operator(format!("{}: {e}", path.display()))
}

const FOLDERS: [&str; 5] = ["keys", "logs", "artifacts", "joins", "conflicts"];
