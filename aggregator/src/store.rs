//! One log as a C2SP tlog-tiles folder.
//!
//! Crash order: tiles and entry bundles are durable first, then the checkpoint is replaced. The checkpoint is the commit:
//! files beyond it are leftovers that the next append writes again. `checkpoint.cosigned` follows later, if at all: the last
//! checkpoint that enough witnesses cosigned, of this size or a smaller one.

use crate::home::operator;
use ed25519_dalek::SigningKey;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::log::{Log, LogError, TileReader};
use fedaudit_core::merkle::{Frontier, empty_root, leaf_hash};
use fedaudit_core::note::{Checkpoint, LogProof};
use fedaudit_link::home::{create_dir_private, write_all, write_atomic};
use std::path::{Path, PathBuf};

/// A log on disk.
pub struct LogDir {
    path: PathBuf,
    origin: String,
    keys: Vec<PublicKey>,
    log: Log,
    note: String,
    cosigned: Option<Head>,
    /// Entries behind the log, in order, until they are sealed.
    staged: Vec<Vec<u8>>,
}

/// Files that are to be written: where, and what.
pub type Files = Vec<(PathBuf, Vec<u8>)>;

/// A signed checkpoint of a log, whose files are at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Folder of the log.
    pub path: PathBuf,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

impl Head {
    /// The proof that the log of `old` entries is the beginning of this one.
    ///
    /// # Errors
    /// A size beyond the log, or a file that cannot be read.
    pub fn consistency(&self, old: u64) -> Result<Vec<Digest>, Fault> {
        let mut tiles = TileReader::new(self.checkpoint.size, |file: &str| read(&self.path, file));
        let proof = tiles.consistency_proof(old, self.checkpoint.size);
        proof.map_err(|e: ReadError| broken(&self.checkpoint.origin, &self.path, &e))
    }
}

/// File beside `checkpoint` that holds the last checkpoint with enough cosignatures.
pub const COSIGNED: &str = "checkpoint.cosigned";

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl LogDir {
    /// Opens the log in `path`; a folder that does not exist is a log without entries.
    ///
    /// # Errors
    /// A checkpoint that none of `keys` signed, or tiles that do not lead to its root.
    pub fn open(path: &Path, origin: &str, keys: &[PublicKey]) -> Result<LogDir, Fault> {
        let mut log = LogDir::unread(path, origin);
        log.know(keys);
        log.refresh()?;
        Ok(log)
    }

    /// The log in `path`, of which nothing is read yet.
    pub fn unread(path: &Path, origin: &str) -> LogDir {
        let (path, origin, keys) = (path.to_owned(), origin.to_owned(), Vec::new());
        LogDir { path, origin, keys, log: Log::new(), note: String::new(), cosigned: None, staged: Vec::new() }
    }

    /// The keys that sign the log's checkpoints, or signed them.
    pub fn know(&mut self, keys: &[PublicKey]) {
        self.keys = keys.to_vec();
    }

    /// Reads what other processes appended; true if there is something new.
    ///
    /// # Errors
    /// As [`LogDir::open`]; and a log that is smaller than it was, or has another root.
    pub fn refresh(&mut self) -> Result<bool, Fault> {
        self.refresh_with(|log, grown| {
            if grown {
                Checkpoint::open_by(log.note.as_bytes(), &log.origin, &log.keys).map_err(|e| log.broken(e))?;
            }
            Ok(log.keys.clone())
        })
    }

    /// The same for a log that names the keys of its own checkpoints: `read` reads it, checks who signed, if that is new, and
    /// says them.
    ///
    /// # Errors
    /// As [`LogDir::refresh`], and those of `read`: then the log is as it was.
    pub fn refresh_with(
        &mut self,
        read: impl FnOnce(&LogDir, bool) -> Result<Vec<PublicKey>, Fault>,
    ) -> Result<bool, Fault> {
        // Read first: it is never ahead of the checkpoint that is read after it.
        let cosigned = self.read_cosigned()?;
        let before = (self.log.clone(), self.note.clone());
        let grown = self.refresh_log()?;
        self.keys = read(self, grown).inspect_err(|_| (self.log, self.note) = before)?;
        self.take_cosigned(cosigned)?;
        Ok(grown)
    }

    /// Reads only what witnesses cosigned since.
    ///
    /// # Errors
    /// As [`LogDir::refresh`].
    pub fn refresh_cosigned(&mut self) -> Result<(), Fault> {
        let cosigned = self.read_cosigned()?;
        self.take_cosigned(cosigned)
    }

    fn read_cosigned(&self) -> Result<Option<String>, Fault> {
        match std::fs::read_to_string(self.path.join(COSIGNED)) {
            Ok(note) => Ok(Some(note)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.broken(e)),
        }
    }

    fn take_cosigned(&mut self, note: Option<String>) -> Result<(), Fault> {
        let Some(note) = note.filter(|note| self.cosigned.as_ref().is_none_or(|held| held.note != *note)) else {
            return Ok(());
        };
        let (checkpoint, _) = Checkpoint::open_by(note.as_bytes(), &self.origin, &self.keys).map_err(|e| {
            let hint = "remove this file: the witnesses will be asked again";
            Fault::new(Blame::Operator, format!("{}: {e}", self.path.join(COSIGNED).display()), hint)
        })?;
        let same = checkpoint.size < self.size() || (checkpoint.size == self.size() && checkpoint.root == self.root());
        if !same {
            let (size, here) = (checkpoint.size, self.size());
            return Err(
                self.broken(format!("witnesses cosigned {size} entries, root {}; here are {here}", checkpoint.root))
            );
        }
        self.cosigned = Some(Head { path: self.path.clone(), checkpoint, note });
        Ok(())
    }

    fn refresh_log(&mut self) -> Result<bool, Fault> {
        let note = match std::fs::read_to_string(self.path.join("checkpoint")) {
            Ok(note) => note,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && self.note.is_empty() => return Ok(false),
            Err(e) => return Err(self.broken(e)),
        };
        if note == self.note {
            return Ok(false);
        }
        // Who signed it is for the caller.
        let checkpoint = Checkpoint::claimed(&note).map_err(|e| self.broken(e))?;
        if checkpoint.size < self.log.size() {
            return Err(self.broken(format!("{} entries on disk, {} before", checkpoint.size, self.log.size())));
        }
        let log = Log::open(checkpoint.size, |file| read(&self.path, file)).map_err(|e: ReadError| self.broken(e))?;
        if log.root() != checkpoint.root {
            return Err(self.broken(format!(
                "tiles lead to root {}, the checkpoint says {}",
                log.root(),
                checkpoint.root
            )));
        }
        (self.log, self.note) = (log, note);
        Ok(true)
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// The root over them.
    pub fn root(&self) -> Digest {
        if self.note.is_empty() { empty_root() } else { self.log.root() }
    }

    /// The signed checkpoint; empty for a log that never had an entry.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The checkpoint with its files; none for a log that never had an entry.
    pub fn head(&self) -> Option<Head> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: self.size(), root: self.root() };
        (!self.note.is_empty()).then(|| Head { path: self.path.clone(), checkpoint, note: self.note.clone() })
    }

    /// The last checkpoint that witnesses cosigned, with their cosignatures; how many were enough is not looked at.
    pub fn cosigned(&self) -> Option<&Head> {
        self.cosigned.as_ref()
    }

    /// Appends `entries`, under a checkpoint by `key`; when it returns, they and the checkpoint over them are durable.
    ///
    /// # Errors
    /// An entry too large, a disk that fails. The log is then read again from disk before its next use.
    pub fn append(&mut self, entries: &[&[u8]], key: &SigningKey) -> Result<(), Fault> {
        self.staged.extend(entries.iter().map(|entry| entry.to_vec()));
        let (after, files) = self.grow()?;
        write_all(&files, 0o644)?;
        self.seal(after, key)
    }

    /// Puts an entry behind the log; its index, once the log is sealed.
    pub fn stage(&mut self, entry: &[u8]) -> u64 {
        self.staged.push(entry.to_vec());
        self.next() - 1
    }

    /// The index of the entry that is staged next.
    pub fn next(&self) -> u64 {
        self.size() + self.staged.len() as u64
    }

    /// The log with what is staged, and the files that this makes; they must be durable before [`LogDir::seal`].
    ///
    /// # Errors
    /// An entry too large, a folder that cannot be made.
    pub fn grow(&mut self) -> Result<(Log, Files), Fault> {
        let mut log = self.log.clone();
        let appended = log.append(&std::mem::take(&mut self.staged)).map_err(|e| self.broken(e))?;
        let files: Vec<_> = appended.writes.into_iter().map(|file| (self.path.join(&file.path), file.bytes)).collect();
        for folder in files.iter().filter_map(|(path, _)| path.parent()).filter(|folder| !folder.is_dir()) {
            create_dirs(folder)?;
        }
        Ok((log, files))
    }

    /// Makes a log whose files are durable this one, by its checkpoint.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn seal(&mut self, after: Log, key: &SigningKey) -> Result<(), Fault> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: after.size(), root: after.root() };
        let note = checkpoint.sign(key).map_err(|e| self.broken(e))?;
        write_atomic(&self.path.join("checkpoint"), note.as_bytes(), 0o644)?;
        (self.log, self.note) = (after, note);
        Ok(())
    }

    /// The entry at `index`, which may be staged only.
    ///
    /// # Errors
    /// An index beyond the log, or a file that cannot be read.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Fault> {
        let staged = index.checked_sub(self.size()).and_then(|at| self.staged.get(usize::try_from(at).ok()?));
        if let Some(entry) = staged {
            return Ok(entry.clone());
        }
        self.log.entry(index, |file| read(&self.path, file)).map_err(|e: ReadError| self.broken(e))
    }

    /// The entries from `index` to the end of its bundle, which is read once.
    ///
    /// # Errors
    /// As [`LogDir::entry`].
    pub fn entries(&self, index: u64) -> Result<Vec<Vec<u8>>, Fault> {
        self.log.entries(index, |file| read(&self.path, file)).map_err(|e: ReadError| self.broken(e))
    }

    /// The proof that entry `index` is in the log of the current checkpoint (C2SP tlog-proof).
    ///
    /// # Errors
    /// As [`LogDir::entry`].
    pub fn proof(&self, index: u64) -> Result<LogProof, Fault> {
        let mut tiles = TileReader::new(self.size(), |file: &str| read(&self.path, file));
        let hashes = tiles.inclusion_proof(index, self.size()).map_err(|e: ReadError| self.broken(e))?;
        Ok(LogProof { index, extra: None, hashes, checkpoint: self.note.clone() })
    }

    /// The proof that the log of `old` entries is the beginning of this one.
    ///
    /// # Errors
    /// A size beyond the log, or a file that cannot be read.
    pub fn consistency(&self, old: u64) -> Result<Vec<Digest>, Fault> {
        self.head().map_or(Ok(Vec::new()), |head| head.consistency(old))
    }

    /// Reads every entry again and rebuilds the root from them.
    ///
    /// # Errors
    /// An entry that cannot be read, or a root that is not the checkpoint's.
    pub fn verify(&self) -> Result<(), Fault> {
        let mut tree = Frontier::new();
        while tree.size() < self.size() {
            self.entries(tree.size())?.iter().for_each(|entry| tree.push(leaf_hash(entry)));
        }
        if tree.root() == self.root() {
            return Ok(());
        }
        Err(self.broken(format!("its entries lead to root {}, the checkpoint says {}", tree.root(), self.root())))
    }

    fn broken(&self, e: impl std::fmt::Display) -> Fault {
        broken(&self.origin, &self.path, &e)
    }
}

fn broken(origin: &str, path: &Path, e: &dyn std::fmt::Display) -> Fault {
    let what = format!("log {origin} in {}: {e}", path.display());
    Fault::new(Blame::Aggregator, what, "do not append; restore the log from its newest backup, sites will see a loss")
}

/// Makes a folder and its parents, each durable before the next.
fn create_dirs(folder: &Path) -> Result<(), Fault> {
    let missing: Vec<_> = folder.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.iter().rev() {
        create_dir_private(path)?;
        let parent = path.parent().ok_or_else(|| operator(format!("{}: no parent", path.display())))?;
        fedaudit_link::home::sync_dir(parent)?;
    }
    Ok(())
}

fn read(path: &Path, file: &str) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path.join(file)).map_err(|e| ReadError::Io(file.to_owned(), e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::merkle::verify_consistency;

    #[test]
    fn a_log_survives_reopening_and_leftovers() {
        let dir = tempfile::tempdir().expect("a folder");
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = PublicKey::of(&key);
        let open = || LogDir::open(&dir.path().join("log"), "f/registry", &[public]).expect("opens");
        let mut log = open();
        assert_eq!((log.size(), log.note()), (0, ""));
        let mut roots = vec![];
        for n in 0..300_u32 {
            log.append(&[&n.to_be_bytes()], &key).expect("appends");
            roots.push(log.root());
        }
        // A crash after the tiles and before the checkpoint: the old checkpoint stands over longer files.
        let checkpoint = dir.path().join("log/checkpoint");
        let before = std::fs::read(&checkpoint).expect("reads");
        log.append(&[b"lost"], &key).expect("appends");
        std::fs::write(&checkpoint, before).expect("writes");
        let mut log = open();
        assert_eq!((log.size(), log.root()), (300, roots[299]));
        log.append(&[b"another"], &key).expect("appends");
        let log = open();
        assert_eq!(log.entry(300).expect("reads"), b"another");
        assert_eq!(log.entry(7).expect("reads"), 7_u32.to_be_bytes());
        assert!(log.entry(301).is_err());
        log.proof(299).expect("proves").verify(&299_u32.to_be_bytes(), "f/registry", &public).expect("holds");
        for old in [1, 100, 256, 300] {
            let proof = log.consistency(old).expect("proves");
            verify_consistency(old, &roots[old as usize - 1], log.size(), &log.root(), &proof).expect("holds");
        }
    }

    #[test]
    fn altered_files_and_foreign_checkpoints_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let key = SigningKey::from_bytes(&[1; 32]);
        let mut log = LogDir::open(dir.path(), "f/registry", &[PublicKey::of(&key)]).expect("opens");
        log.append(&[b"a", b"b"], &key).expect("appends");
        let other = PublicKey::of(&SigningKey::from_bytes(&[2; 32]));
        assert!(LogDir::open(dir.path(), "f/registry", &[other]).is_err());
        assert!(LogDir::open(dir.path(), "f/other", &[PublicKey::of(&key)]).is_err());
        let bundle = dir.path().join("tile/entries/000.p/2");
        let mut bytes = std::fs::read(&bundle).expect("reads");
        bytes[2] ^= 1;
        std::fs::write(&bundle, bytes).expect("writes");
        assert!(LogDir::open(dir.path(), "f/registry", &[PublicKey::of(&key)]).is_err());
    }
}
