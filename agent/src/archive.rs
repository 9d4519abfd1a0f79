//! The archive: closed segments as Parquet files in Hive partitions, and when records are deleted.
//!
//! A segment ages from its newest event, or from when it was closed, whichever is later. Crash order of its way:
//! (1) its files are staged in this home, whole only when their folder has its name, (2) each is copied to the archive
//! in one go and read back, (3) every record in the copies is hashed and held against the roots of its blocks, (4) the
//! ledger says `Archived`, with the files' digests, (5) the staged files go; then, once nothing needs the records any
//! more, (6) the copies are checked again, (7) the ledger says `Deleted`, (8) the segment is replaced by one without
//! records. After any crash the next run takes up the same step: staged files are copied as they are, a copy that is
//! there is not written again, and what the ledger says is deleted is deleted.
//!
//! Segments are deleted from the oldest on, none while a window of an accepted plan that reaches into it is open, and
//! nothing at all during a legal hold, for which the ledger is read again right before each deletion. After
//! `delete_after_days` the files go as well: (1) the first of a segment, (2) `Deleted` with `archive`, (3) the others;
//! after a crash before (2) the first is missed until the next run. The roots of all blocks stay in the journal for good.

mod check;
mod columns;
mod command;
mod file;
mod key;
pub(crate) mod names;
mod retention;
mod stage;
mod store;
mod thaw;
#[cfg(test)]
mod tests;

pub use command::Command;
pub(crate) use command::{Rounds, verify};
pub use retention::Retention;
pub(crate) use store::digest;
pub(crate) use thaw::Thaw;

use crate::db::io_fault;
use crate::journal::sealed::Sealed;
use crate::journal::{Journal, StdRng};
use columns::Texts;
use fedaudit_core::contract::Contract;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Time;
use fedaudit_link::home::{create_dir_private, sync_dir};
pub use file::Key;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where segments go to, and by which rules.
pub struct Archive<'a> {
    /// How long records stay.
    pub retention: &'a Retention,
    /// The archive.
    pub folder: PathBuf,
    /// Where files are made before they go to the archive.
    pub staging: PathBuf,
    /// What codes mean; of a log without contract, the codes stay alone.
    pub contracts: Vec<Contract>,
    /// The key that new files are encrypted under.
    pub encrypt: Option<Key>,
    /// The key that reads encrypted files.
    pub decrypt: Option<Key>,
    /// From when on events are still needed.
    pub needed: Option<Time>,
    /// What happens right before a look for a hold.
    #[cfg(test)]
    meanwhile: Option<&'a dyn Fn()>,
}

/// What a run did: numbers of segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Written to the archive.
    pub archived: Vec<u32>,
    /// Deleted from the journal.
    pub deleted: Vec<u32>,
    /// Deleted from the archive.
    pub purged: Vec<u32>,
    /// Kept although they are due, and why.
    pub kept: Vec<(u32, String)>,
}

/// What the ledger says of segments.
#[derive(Default)]
struct Acts {
    archived: BTreeMap<u32, Vec<(String, Digest)>>,
    deleted: BTreeSet<u32>,
    purged: BTreeSet<u32>,
    hold: Option<String>,
    texts: Texts,
}

impl Acts {
    fn read(journal: &mut Journal) -> Result<Acts, Fault> {
        let mut acts = Acts::default();
        journal.ledger(|_, entry| {
            acts.texts.take(&entry);
            match entry {
                LedgerEntry::Archived { segment, files } => _ = acts.archived.insert(segment, files),
                LedgerEntry::Deleted { segment, archive: false } => _ = acts.deleted.insert(segment),
                LedgerEntry::Deleted { segment, archive: true } => _ = acts.purged.insert(segment),
                LedgerEntry::Held { reason } => acts.hold = Some(reason),
                LedgerEntry::HoldLifted { .. } => acts.hold = None,
                _ => {}
            }
            Ok(())
        })?;
        Ok(acts)
    }
}

impl Archive<'_> {
    /// Archives and deletes what is due.
    ///
    /// # Errors
    /// The first thing that fails; what was done before stays done, and the next run goes on.
    pub fn run(&self, journal: &mut Journal, now: Time, rng: &mut StdRng) -> Result<Done, Fault> {
        let mut acts = Acts::read(journal)?;
        let mut done = Done::default();
        let sealed = journal.sealed()?;
        for segment in sealed.iter().filter(|segment| self.retention.is_cold(segment.newest, now)) {
            if !acts.archived.contains_key(&segment.number) && !segment.gone {
                let files = self.archive(journal, segment, &acts.texts)?;
                let entry = LedgerEntry::Archived { segment: segment.number, files: files.clone() };
                journal.append(&[entry], rng)?;
                acts.archived.insert(segment.number, files);
                done.archived.push(segment.number);
            }
            self.unstage(segment.number)?;
        }
        for segment in &sealed {
            if let Err(why) = self.may_leave(segment, &acts, now) {
                done.kept.extend(why.map(|why| (segment.number, why)));
                break;
            }
            if !segment.gone {
                let files = acts.archived.get(&segment.number).map(Vec::as_slice).unwrap_or_default();
                check::check(&self.folder, segment, files, self.decrypt.as_ref())?;
                if let Some(reason) = self.held(journal, &mut acts)? {
                    done.kept.push((segment.number, reason));
                    break;
                }
                if !acts.deleted.contains(&segment.number) {
                    journal.append(&[LedgerEntry::Deleted { segment: segment.number, archive: false }], rng)?;
                }
                journal.drop_records(segment.number)?;
                done.deleted.push(segment.number);
            }
        }
        let over = sealed.iter().filter(|of| self.retention.is_over(of.newest, now));
        let over = over.filter(|of| of.gone || done.deleted.contains(&of.number)).map(|segment| segment.number);
        for number in over.collect::<Vec<_>>() {
            if !self.purge(journal, number, &mut acts, &mut done, rng)? {
                break;
            }
        }
        Ok(done)
    }

    /// Whether a segment's records may leave the journal; if not, why, where it is cold.
    fn may_leave(&self, segment: &Sealed, acts: &Acts, now: Time) -> Result<(), Option<String>> {
        match (&acts.hold, self.needed) {
            _ if !self.retention.is_cold(segment.newest, now) => {
                let newest = segment.newest_event;
                let why = format!("it was closed at {}, but its newest event is dated {newest}", segment.closed);
                Err(self.retention.is_cold(segment.closed, now).then(|| why + "; later segments wait for it"))
            }
            _ if segment.gone => Ok(()),
            (Some(reason), _) => Err(Some(on_hold(reason))),
            (None, Some(needed)) if segment.newest_event >= needed => {
                Err(Some(format!("a window from {needed} on is not released yet")))
            }
            (None, _) => Ok(()),
        }
    }

    /// Deletes a segment's files, the first of them before the ledger says so: where the archive lets nobody delete it yet,
    /// the ledger says nothing. False if a hold stands.
    fn purge(
        &self,
        journal: &mut Journal,
        segment: u32,
        acts: &mut Acts,
        done: &mut Done,
        rng: &mut StdRng,
    ) -> Result<bool, Fault> {
        let files = acts.archived.get(&segment).map(Vec::as_slice).unwrap_or_default();
        let files: Vec<_> = files.iter().map(|(name, _)| self.folder.join(name)).filter(|path| path.exists()).collect();
        if files.is_empty() && acts.purged.contains(&segment) {
            return Ok(true);
        }
        if self.held(journal, acts)?.is_some() {
            return Ok(false);
        }
        let mut removed = files.iter().take(1).try_for_each(|path| remove(path));
        if removed.is_ok() && !acts.purged.contains(&segment) {
            journal.append(&[LedgerEntry::Deleted { segment, archive: true }], rng)?;
            done.purged.push(segment);
        }
        removed = removed.and_then(|()| files.iter().try_for_each(|path| remove(path)));
        done.kept.extend(removed.err().map(|fault| (segment, fault.what)));
        Ok(true)
    }

    /// Why nothing is deleted, if a hold stands by now: checking a segment takes long enough for somebody to say so.
    fn held(&self, journal: &mut Journal, acts: &mut Acts) -> Result<Option<String>, Fault> {
        #[cfg(test)]
        if let Some(meanwhile) = self.meanwhile {
            meanwhile();
        }
        *acts = Acts::read(journal)?;
        Ok(acts.hold.as_deref().map(on_hold))
    }

    fn archive(&self, journal: &Journal, segment: &Sealed, texts: &Texts) -> Result<Vec<(String, Digest)>, Fault> {
        let staged = self.staged(segment.number);
        if !staged.is_dir() {
            let partial = staged.with_extension("partial");
            remove_folder(&partial)?;
            create_dir_private(&partial)?;
            stage::stage(journal, segment, &self.contracts, texts, self.encrypt.as_ref(), &partial)?;
            std::fs::rename(&partial, &staged).map_err(|error| io_fault("write", &staged, &error))?;
            sync_dir(&self.staging)?;
        }
        let mut files = Vec::new();
        for name in list_files(&staged)? {
            let digest = store::put(&staged.join(&name), &self.folder, &name)?;
            files.push((name, digest));
        }
        check::check(&self.folder, segment, &files, self.decrypt.as_ref())?;
        Ok(files)
    }

    fn staged(&self, segment: u32) -> PathBuf {
        self.staging.join(format!("segment-{segment:06}"))
    }

    /// Removes the staged files of a segment that is archived.
    fn unstage(&self, segment: u32) -> Result<(), Fault> {
        remove_folder(&self.staged(segment))
    }
}

fn on_hold(reason: &str) -> String {
    format!("legal hold: {reason}")
}

/// Names of the files below a folder, in order, with `/` between their parts.
pub(crate) fn list_files(folder: &Path) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((at, prefix)) = folders.pop() {
        let fault = |error: std::io::Error| io_fault("list", &at, &error);
        for entry in std::fs::read_dir(&at).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(fault)?.is_dir() {
                true => folders.push((entry.path(), format!("{name}/"))),
                false => found.push(name),
            }
        }
    }
    found.sort();
    Ok(found)
}

fn remove(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_fault("delete", path, &error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_fault("delete", path, &error)),
        _ => Ok(()),
    }
}
