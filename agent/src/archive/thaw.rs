//! Records that have left the journal, read from the archive once more, so that a release can be computed again.
//!
//! A segment's records are written into a scratch copy of the segment in this home, checked as `journal verify` checks
//! them: only if every one hashes to the roots that the journal kept is any of them used.

use super::command::STAGING;
use super::{Acts, check, key, remove, remove_folder};
use crate::site::Site;
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::Window;
use fedaudit_link::home::{Lock, create_dir_private};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Segments that are in the journal again for a while.
#[derive(Debug, Default)]
pub(crate) struct Thaw {
    /// The archive, if it is not where the configuration says.
    from: Option<PathBuf>,
    numbers: BTreeSet<u32>,
    /// Held while there are any: nothing is deleted, and nobody else works in the folder.
    lock: Option<Lock>,
}

impl Thaw {
    /// No segment yet; the archive is at `from`, or where the configuration says.
    pub fn new(from: Option<&Path>) -> Thaw {
        Thaw { from: from.map(Path::to_owned), ..Thaw::default() }
    }

    /// Puts back what a window of a contract needs, and takes out what it does not.
    ///
    /// # Errors
    /// The archive is not there, is damaged, or was deleted: what, and what remains.
    pub fn need(&mut self, site: &mut Site, contract: &Contract, window: Window) -> Result<(), Fault> {
        let needed = site.journal.gone_for(contract, window, &self.numbers)?;
        let folder = site.home.dir.join(STAGING).join("thawed");
        let path = |number: u32| folder.join(format!("{number:06}.sqlite"));
        for number in self.numbers.difference(&needed).copied().collect::<Vec<_>>() {
            site.journal.freeze(number)?;
            remove(&path(number))?;
            self.numbers.remove(&number);
        }
        if needed.is_empty() {
            return Ok(());
        }
        if self.lock.is_none() {
            self.lock = Some(Lock::acquire(&site.home.archive_lock())?);
            // What a crash left.
            remove_folder(&folder)?;
            create_dir_private(&folder)?;
        }
        let acts = Acts::read(&mut site.journal)?;
        let archive = self.from.clone().or_else(|| site.home.config.retention.folder(&site.home.dir));
        let (key, logs) = (key::load(&site.home.dir)?, contract.journal_logs());
        for number in needed.difference(&self.numbers).copied().collect::<Vec<_>>() {
            let files = files(&acts, number, window)?;
            let archive = archive.as_ref().ok_or_else(|| {
                let what = format!("records of {window} are in the archive, segment {number}; this home names none");
                Fault::new(Blame::Operator, what, "name its folder: --archive DIR")
            })?;
            site.journal.thaw(number, &path(number), |segment, put| {
                segment.logs.iter().filter(|log| logs.contains(&log.name)).try_for_each(|log| {
                    let take = &mut |position, bytes: &[u8]| put(log.id, position, bytes);
                    check::check_log(archive, (segment, log), files, key.as_ref(), take)
                })
            })?;
            self.numbers.insert(number);
        }
        Ok(())
    }

    /// Takes out what is left, so that the journal is as it was.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn close(self, site: &mut Site) -> Result<(), Fault> {
        self.numbers.iter().try_for_each(|number| site.journal.freeze(*number))?;
        if self.lock.is_some() { clear(&site.home.dir.join(STAGING)) } else { Ok(()) }
    }
}

/// Removes what a crash left, in the staging folder of a home whose archive is locked.
pub(super) fn clear(staging: &Path) -> Result<(), Fault> {
    remove_folder(&staging.join("thawed"))
}

/// The archive's files of a segment.
fn files(acts: &Acts, number: u32, window: Window) -> Result<&[(String, fedaudit_core::ids::Digest)], Fault> {
    if acts.purged.contains(&number) {
        let what = format!(
            "{window} cannot be computed again: segment {number}, which holds records of it, was deleted from the archive \
             as well, as its retention says"
        );
        let hint = "what remains are the roots of its blocks: the checkpoints that left are still continued, and a record or \
                    an archive file that somebody kept can be proved against them";
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    acts.archived.get(&number).map(Vec::as_slice).ok_or_else(|| {
        let what = format!("segment {number} has no records, and the ledger does not say that it was archived");
        Fault::new(Blame::Site, what, "run `fedaudit-agent journal verify`")
    })
}
