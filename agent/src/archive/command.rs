//! `journal archive`, `journal hold`, `journal release-hold`, and the daemon's rounds.

use super::retention::older;
use super::{Acts, Archive, Done, check, key, thaw};
use crate::abstain::standing;
use crate::desk::Desk;
use crate::home::Home;
use crate::journal::Journal;
use crate::outbox::Kind;
use crate::site::{Decision, Site, refused};
use clap::Subcommand;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_link::home::{Lock, create_dir_private};
use fedaudit_link::say;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What stays, and where.
#[derive(Subcommand)]
pub enum Command {
    /// Write closed segments that are beyond the hot days to the archive, check them there, and delete them here.
    Archive {
        /// The archive's folder; left out, that of config.toml.
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Legal hold: from now on nothing is deleted, neither here nor in the archive.
    Hold {
        /// Why; kept in this site's ledger.
        #[arg(long)]
        reason: String,
    },
    /// End a legal hold.
    ReleaseHold {
        /// Why; kept in this site's ledger.
        #[arg(long)]
        reason: String,
    },
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// No archive, one that cannot be written, or a hold that does not fit.
    pub fn run(self, site: &mut Site, now: Time) -> Result<(), Fault> {
        match self {
            Command::Archive { to } => {
                let Some(done) = archive(site, to.as_deref(), now)? else {
                    let hint = "name it with --to, or set `archive` in [retention] of config.toml";
                    return Err(Fault::new(Blame::Operator, "this home has no archive", hint));
                };
                say!("{}", said(&done));
                Ok(())
            }
            Command::Hold { reason } => {
                let reason = reason_of(reason)?;
                site.journal.append(&[LedgerEntry::Held { reason }], &mut site.rng)?;
                // A round that runs looks for a hold before each thing that it deletes: when it is over, nothing more is.
                let _lock = Lock::acquire(&site.home.archive_lock())?;
                say!("held: nothing is deleted until `journal release-hold`");
                Ok(())
            }
            Command::ReleaseHold { reason } => {
                let reason = reason_of(reason)?;
                if Acts::read(&mut site.journal)?.hold.is_none() {
                    return Err(Fault::new(Blame::Operator, "there is no hold", "nothing was changed"));
                }
                site.journal.append(&[LedgerEntry::HoldLifted { reason }], &mut site.rng)?;
                say!("the hold is lifted: what is due is deleted again");
                Ok(())
            }
        }
    }
}

fn reason_of(reason: String) -> Result<String, Fault> {
    let length = reason.chars().count();
    if reason.trim().is_empty() || length > REASON_CHARS {
        let what = format!("a reason of {length} characters; 1 to {REASON_CHARS}");
        return Err(Fault::new(Blame::Operator, what, "say why in a sentence: it stands in the ledger for good"));
    }
    Ok(reason)
}

/// What a run did, in words.
fn said(done: &Done) -> String {
    let count = |numbers: &[u32], what: &str| match numbers {
        [] => None,
        [one] => Some(format!("segment {one} {what}")),
        [first, .., last] => Some(format!("{} segments ({first} to {last}) {what}", numbers.len())),
    };
    let kept = done.kept.iter().map(|(number, why)| Some(format!("segment {number} is kept: {why}")));
    let acts = [
        count(&done.archived, "archived"),
        count(&done.deleted, "deleted from the journal"),
        count(&done.purged, "deleted from the archive"),
    ];
    let words: Vec<_> = acts.into_iter().chain(kept).flatten().collect();
    if words.is_empty() { "nothing is due".to_owned() } else { words.join("; ") }
}

/// Closes the newest segment if it is old, then archives and deletes what is due; none without an archive.
fn archive(site: &mut Site, to: Option<&Path>, now: Time) -> Result<Option<Done>, Fault> {
    let home = site.home.dir.clone();
    let retention = site.home.config.retention.clone();
    let Some(folder) = to.map(Path::to_owned).or_else(|| retention.folder(&home)) else { return Ok(None) };
    if !folder.is_dir() {
        let what = format!("the archive's folder {} is not there", folder.display());
        return Err(Fault::new(Blame::Operator, what, "make it, or mount what belongs there"));
    }
    let _lock = Lock::acquire(&site.home.archive_lock())?;
    let staging = home.join(STAGING);
    create_dir_private(&staging)?;
    thaw::clear(&staging)?;
    if site.journal.open_since()?.is_some_and(|since| older(since, retention.segment_days, now)) {
        site.journal.seal(&mut site.rng)?;
    }
    let encrypt = if retention.encrypt { Some(key::make(&home)?) } else { None };
    let archive = Archive {
        retention: &retention,
        folder,
        staging,
        contracts: site.mirror.registry().contracts().cloned().collect(),
        encrypt,
        decrypt: key::load(&home)?,
        needed: needed(site, now)?,
        #[cfg(test)]
        meanwhile: None,
    };
    archive.run(&mut site.journal, now, &mut site.rng).map(Some)
}

/// The start of the first window of an accepted plan that has begun and is not answered yet.
fn needed(site: &mut Site, now: Time) -> Result<Option<Time>, Fault> {
    let released = site.outbox.list()?;
    let abstained = standing(site)?;
    let desk = Desk::read(site)?;
    let mut first: Option<Time> = None;
    for (digest, decision) in site.decisions()? {
        let Ok(published) = site.mirror.registry().plan(&digest) else { continue };
        let plan = &published.plan;
        let [log, _] = site.mirror.registry().contract_of(plan).map_err(refused)?.journal_logs();
        if matches!(decision, Decision::Refused(_)) || site.journal.size(&log)? == 0 {
            continue;
        }
        let released = released.iter().filter(|of| of.plan == digest && of.kind == Kind::Release).map(|of| of.window);
        let done = released.chain(abstained.keys().filter(|(of, _)| *of == digest).map(|(_, window)| *window));
        // What was refused at the desk and is asked for again is read from the archive.
        let done: BTreeSet<_> = done.chain(desk.kept_back(&digest)).collect();
        let open = plan.windows_before(now).into_iter().find(|window| !done.contains(window));
        first = first.into_iter().chain(open.map(|window| window.start)).min();
    }
    Ok(first)
}

/// Checks the archive files of a journal's segments, in `from`, or where the configuration says. Segments checked, and
/// those of which no copy was there to be checked, because no archive was named.
///
/// # Errors
/// As [`check::check`].
pub(crate) fn verify(home: &Home, journal: &mut Journal, from: Option<&Path>) -> Result<[Vec<u32>; 2], Fault> {
    let acts = Acts::read(journal)?;
    let folder = from.map(Path::to_owned).or_else(|| home.config.retention.folder(&home.dir));
    let key = key::load(&home.dir)?;
    let mut found = [Vec::new(), Vec::new()];
    for segment in journal.sealed()? {
        let Some(files) = acts.archived.get(&segment.number) else { continue };
        if acts.purged.contains(&segment.number) {
            continue;
        }
        if let Some(folder) = &folder {
            check::check(folder, &segment, files, key.as_ref())?;
        }
        found[usize::from(folder.is_none())].push(segment.number);
    }
    Ok(found)
}

/// The daemon's looks at retention.
pub(crate) struct Rounds {
    next: Time,
}

impl Rounds {
    /// The first is due.
    pub fn new() -> Rounds {
        Rounds { next: Time(i64::MIN) }
    }

    /// Does what is due, once an hour. A fault is logged: an archive that is away must not stop releases.
    pub fn go(&mut self, site: &mut Site, now: Time) {
        if now < self.next {
            return;
        }
        self.next = now.plus_ns(HOUR_NS);
        match archive(site, None, now) {
            Ok(Some(done)) if done != Done::default() => tracing::info!(done = said(&done), "archive"),
            Ok(_) => {}
            Err(fault) => tracing::warn!(blame = %fault.blame, what = %fault.what, hint = %fault.hint, "archive"),
        }
    }
}

/// Folder of a home in which archive files are made and read.
pub(super) const STAGING: &str = "archive-staging";
/// Longest reason of a hold.
const REASON_CHARS: usize = 1_000;
