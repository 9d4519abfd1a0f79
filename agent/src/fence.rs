//! The fence: what this home has let go, in a file that no backup holds. A home that is behind it was restored from an
//! older copy, and would sign a second time, otherwise, what it has signed already.
//!
//! Crash order: (1) the signed bytes are durable in the outbox, (2) the fence names them, (3) they may be sent. A crash
//! before (2) leaves nothing that anybody saw; so the fence is never ahead of an outbox that was not exchanged.
//!
//! Altered by others: too high, and nothing is signed; too low or absent, and the aggregator is asked first.

use crate::drive::named_checkpoints;
use crate::home::Home;
use crate::journal::Journal;
use crate::outbox::{Outbox, Outgoing};
use crate::site::Site;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::roster::journal_origin;
use fedaudit_link::home::write_atomic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// `fence.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fence {
    epoch: u32,
    /// Number and envelope of the last release or abstention of each plan.
    plans: BTreeMap<Digest, (u64, Digest)>,
    /// Size and root of the largest checkpoint of each of the journal's logs.
    journal: BTreeMap<String, (u64, Digest)>,
    /// Number of the last heartbeat.
    heartbeat: Option<u64>,
}

/// Whether a home may sign anything new.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It holds all that it let go.
    Clear,
    /// There is no fence: the home was restored from a backup, or is a copy. The aggregator may have seen more.
    Unknown,
    /// It lacks something that it let go.
    Behind(String),
}

const FILE: &str = "fence.json";
const HINT: &str = "restore the newest copy of this home; if it is lost, governance lets the site go on: fedaudit-aggregator \
                    site epoch SITE --reason TEXT. Nothing is signed until then";

impl Standing {
    /// Whether something new may be signed.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn clear(&self) -> Result<(), Fault> {
        match self {
            Standing::Clear => Ok(()),
            Standing::Unknown => {
                let what = "this home has no fence.json: it was restored, and may be older than what it signed";
                let hint =
                    "let it reach the aggregator, which knows: fedaudit-agent run --once; nothing is signed until then";
                Err(Fault::new(Blame::Operator, what, hint))
            }
            Standing::Behind(what) => Err(Fault::new(Blame::Site, what.clone(), HINT)),
        }
    }
}

/// Puts the fence of a new home around nothing.
///
/// # Errors
/// A disk that fails.
pub fn create(home: &Path) -> Result<(), Fault> {
    write(home, &Fence { epoch: 1, ..Fence::default() })
}

fn write(home: &Path, fence: &Fence) -> Result<(), Fault> {
    let json = codec::to_json(fence).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    write_atomic(&home.join(FILE), &json, 0o600)
}

fn read(home: &Home) -> Result<Option<Fence>, Fault> {
    home.read(FILE)
}

/// How a home stands to its fence.
///
/// # Errors
/// A file that cannot be read.
pub fn standing(home: &Home, epoch: u32, journal: &mut Journal, outbox: &Outbox) -> Result<Standing, Fault> {
    let Some(fence) = read(home)?.filter(|fence| fence.epoch == epoch) else { return Ok(Standing::Unknown) };
    for (plan, (number, envelope)) in &fence.plans {
        let last = outbox.last_of(plan)?.map(|last| last.sequence);
        if last.is_none_or(|last| last < *number) || outbox.of(envelope)?.is_none() {
            let what = format!(
                "outbox.sqlite is older than what it sent: document {number} of plan {} is missing",
                plan.short()
            );
            return Ok(Standing::Behind(what));
        }
    }
    for (log, (size, root)) in &fence.journal {
        let known = if journal.size(log)? < *size { None } else { Some(journal.checkpoint(log, *size, log)?.root) };
        if known != Some(*root) {
            return Ok(Standing::Behind(format!("the journal is older than what it signed: {log} had {size} records")));
        }
    }
    let last = outbox.last_beat()?.map(|last| last.sequence);
    Ok(match fence.heartbeat {
        Some(number) if last.is_none_or(|last| last < number) => {
            Standing::Behind(format!("outbox.sqlite is older than what it sent: heartbeat {number} is missing"))
        }
        _ => Standing::Clear,
    })
}

/// Moves the fence around documents that are about to leave.
///
/// # Errors
/// A disk that fails: they must not leave.
pub fn record(site: &Site, documents: &[Outgoing]) -> Result<(), Fault> {
    change(site, |fence| {
        for of in documents {
            let entry = fence.plans.entry(of.plan).or_insert((of.sequence, Digest::of(&of.envelope)));
            if of.sequence >= entry.0 {
                *entry = (of.sequence, Digest::of(&of.envelope));
            }
            // A site that is not enrolled cannot check its own release, and sends nothing either.
            raise(site, fence, named_checkpoints(site, of).unwrap_or_default());
        }
    })
}

/// The same for a heartbeat.
///
/// # Errors
/// As [`record`].
pub fn record_beat(site: &Site, sequence: u64, checkpoints: &[Checkpoint]) -> Result<(), Fault> {
    change(site, |fence| {
        fence.heartbeat = fence.heartbeat.max(Some(sequence));
        raise(site, fence, checkpoints.to_vec());
    })
}

/// Moves the fence back behind heartbeats that the aggregator will never take.
///
/// # Errors
/// A disk that fails.
pub fn forget_beats(site: &Site) -> Result<(), Fault> {
    let last = site.outbox.received_beat()?.map(|beat| beat.sequence);
    change(site, |fence| fence.heartbeat = last)
}

/// Moves the fence of a plan back behind what an epoch made void.
///
/// # Errors
/// A disk that fails.
pub fn go_back(site: &Site, plan: Digest, last: Option<(u64, Digest)>) -> Result<(), Fault> {
    change(site, |fence| match last {
        Some(last) => drop(fence.plans.insert(plan, last)),
        None => drop(fence.plans.remove(&plan)),
    })
}

/// Nothing is written without a fence: only contact makes a new one.
fn change(site: &Site, work: impl FnOnce(&mut Fence)) -> Result<(), Fault> {
    let Some(before) = read(&site.home)?.filter(|fence| fence.epoch == site.enrolment.epoch) else { return Ok(()) };
    let mut fence = before.clone();
    work(&mut fence);
    if fence == before { Ok(()) } else { write(&site.home.dir, &fence) }
}

fn raise(site: &Site, fence: &mut Fence, checkpoints: Vec<Checkpoint>) {
    let base = journal_origin(&site.enrolment.federation, &site.enrolment.site, site.enrolment.epoch, "");
    for checkpoint in checkpoints {
        let Some(log) = checkpoint.origin.strip_prefix(&base) else { continue };
        let entry = fence.journal.entry(log.to_owned()).or_insert((checkpoint.size, checkpoint.root));
        if checkpoint.size > entry.0 {
            *entry = (checkpoint.size, checkpoint.root);
        }
    }
}

/// After the aggregator showed that it has nothing of this site that this home lacks: a fence that was missing is made
/// again, around all that is here and all that the aggregator has seen.
///
/// # Errors
/// A home that cannot be read or written.
pub fn settle(site: &mut Site, seen: &BTreeMap<String, Checkpoint>) -> Result<(), Fault> {
    if let Standing::Unknown = site.standing {
        let mut fence = Fence { epoch: site.enrolment.epoch, ..Fence::default() };
        for of in site.outbox.list()? {
            fence.plans.insert(of.plan, (of.sequence, of.envelope));
        }
        fence.heartbeat = site.outbox.last_beat()?.map(|beat| beat.sequence);
        raise(site, &mut fence, seen.values().cloned().collect());
        write(&site.home.dir, &fence)?;
    }
    site.standing = standing(&site.home, site.enrolment.epoch, &mut site.journal, &site.outbox)?;
    Ok(())
}
