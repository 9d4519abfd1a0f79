//! The fence: sizes and roots of the logs as others may have seen them, in a file that no backup holds. A home whose logs
//! are behind it went back in time; one without it was restored from a copy, and would log a second history, otherwise,
//! beside the one that sites and witnesses have seen.
//!
//! Crash order: (1) the log's new checkpoint is durable, (2) the fence names it, (3) whoever sent the entry gets the receipt. A
//! crash before (2) leaves a log that is ahead of its fence, which is as good; the fence is never ahead of a log that is whole.
//!
//! Altered by others: too high, and nothing is served; too low or absent, and the sites are asked first.

use crate::centre::Centre;
use crate::home::{operator, operator_hint};
use crate::store::LogDir;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::merkle::verify_consistency;
use fedaudit_link::home::{Lock, write_atomic};
use fedaudit_link::protocol::{Request, Response};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// `fence.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fence {
    /// Size and root of each log, by origin.
    logs: BTreeMap<String, (u64, Digest)>,
    /// Only while sites are waited for: those that said hello since, none of which is ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<BTreeSet<Name>>,
}

/// Whether the logs may grow.
#[derive(Clone, Debug)]
pub enum Standing {
    /// They hold all that was ever shown of them.
    Clear,
    /// Nobody knows: this home was restored from a copy, or is older than its fence. These sites have said hello since.
    Unknown(BTreeSet<Name>),
    /// They lack something that was shown.
    Behind(String),
    /// What is in memory is not what is on disk: this process must not go on.
    Stopped(Fault),
}

const FILE: &str = "fence.json";

impl Standing {
    /// Whether the logs may grow.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn clear(&self) -> Result<(), Fault> {
        self.serve()?;
        match self {
            Standing::Unknown(_) => Err(operator_hint(
                "this home has no fence.json: it was restored from a copy, and may lack what sites have seen of its logs",
                "let it run until every site has said hello (fedaudit-aggregator status says which have not), or settle it: \
                 fedaudit-aggregator log settle. Nothing is appended until then, and nothing is lost",
            )),
            _ => Ok(()),
        }
    }

    /// Whether the logs may be shown to others.
    ///
    /// # Errors
    /// They are behind what was shown; this process must not go on.
    pub fn serve(&self) -> Result<(), Fault> {
        match self {
            Standing::Behind(what) => Err(Fault::new(
                Blame::Aggregator,
                format!("this home went back in time: {what}"),
                "restore the newest copy of this home; do not serve from an older one. If there is no newer one, remove \
                 fence.json: the sites are asked then",
            )),
            Standing::Stopped(fault) => Err(fault.clone()),
            _ => Ok(()),
        }
    }
}

/// Puts the fence of a new home around its registry.
///
/// # Errors
/// A disk that fails.
pub(crate) fn create(home: &Path, registry: &LogDir) -> Result<(), Fault> {
    let logs = BTreeMap::from([(registry.origin().to_owned(), (registry.size(), registry.root()))]);
    write(home, &Fence { logs, heard: None })
}

/// Reads the fence; before the logs, where nobody holds them: they only grow.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read(home: &Path) -> Result<Option<Fence>, Fault> {
    let path = home.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => codec::from_json(&bytes).map(Some).map_err(|e| {
            let hint = "remove it: this home then counts as restored, and asks the sites first";
            operator_hint(format!("{}: {e}", path.display()), hint)
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(operator(format!("{}: {e}", path.display()))),
    }
}

fn write(home: &Path, fence: &Fence) -> Result<(), Fault> {
    let json = codec::to_json(fence).map_err(|e| operator(e.to_string()))?;
    write_atomic(&home.join(FILE), &json, 0o600)
}

impl Centre {
    /// How the logs stand to a fence that was read before them.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub(crate) fn stand(&self, fence: Option<Fence>) -> Result<Standing, Fault> {
        let Some(fence) = fence else { return Ok(Standing::Unknown(BTreeSet::new())) };
        let logs: BTreeMap<&str, &LogDir> = self.logs().map(|log| (log.origin(), log)).collect();
        for (origin, (size, root)) in &fence.logs {
            let log = logs.get(origin.as_str());
            let here = log.map_or(0, |log| log.size());
            if here < *size {
                return Ok(Standing::Behind(format!("log {origin} had {size} entries, here are {here}")));
            }
            let Some(log) = log else { continue };
            let proof = log.consistency(*size)?;
            if verify_consistency(*size, root, here, &log.root(), &proof).is_err() {
                return Ok(Standing::Behind(format!("log {origin} had another history of {size} entries")));
            }
        }
        Ok(fence.heard.map_or(Standing::Clear, Standing::Unknown))
    }

    /// Moves the fence around what was just appended; once is enough for a batch. `_lock` shows that nobody else appends.
    ///
    /// # Errors
    /// A disk that fails: no receipt may leave.
    pub(crate) fn move_fence(&self, _lock: &Lock) -> Result<(), Fault> {
        write(&self.home.dir, &Fence { logs: self.sizes(), heard: None })
    }

    fn sizes(&self) -> BTreeMap<String, (u64, Digest)> {
        let logs = self.logs().filter(|log| log.size() > 0);
        logs.map(|log| (log.origin().to_owned(), (log.size(), log.root()))).collect()
    }

    /// Sites with keys that have not said hello since this home was restored.
    pub fn unheard(&self) -> Vec<Name> {
        let Standing::Unknown(heard) = &self.standing else { return Vec::new() };
        let sites = self.registry().sites().filter(|site| self.registry().is_member(site) && !heard.contains(*site));
        sites.cloned().collect()
    }

    /// What is not answered while nobody knows whether the logs are whole: what would be appended, and whether this home
    /// has all of a site's documents.
    pub(crate) fn held_back(&self, request: &Request) -> Option<Response> {
        let Standing::Unknown(_) = self.standing else { return None };
        match request {
            Request::Join(_) | Request::Rotate(_) => None,
            Request::Hello(_) | Request::Registry { .. } | Request::Reports { .. } => None,
            Request::Submit(_) | Request::Heartbeat(_) | Request::Transport(_) | Request::Mine(_) => {
                let expected = "logs that are known to hold all that sites have seen";
                let refusal = Refusal::new("restored", expected, "logs of a home that was restored from a copy");
                let hint = "keep what is to be sent, and try again: the aggregator waits until all sites have said hello, \
                            or its operator settles it";
                Some(crate::intake::refused(Blame::Aggregator, refusal, hint))
            }
        }
    }

    /// A site said hello over the network, and is not ahead. With the last one, the logs may grow again.
    ///
    /// # Errors
    /// A disk that fails.
    pub(crate) fn heard(&mut self, site: &Name, _lock: &Lock) -> Result<(), Fault> {
        let Standing::Unknown(heard) = &mut self.standing else { return Ok(()) };
        heard.insert(site.clone());
        let heard = Some(heard.clone()).filter(|_| !self.unheard().is_empty());
        self.enclose(heard)
    }

    /// Lets the logs grow again without the word of sites that will not say hello; true if that had to be settled.
    ///
    /// # Errors
    /// Logs that are behind what was shown, or what a witness saw; a site that was neither heard nor named; a disk that fails.
    pub fn settle(&mut self, without: &[Name]) -> Result<bool, Fault> {
        // Asked again about what they cosigned before: they may have seen more since.
        if let Some(fault) =
            self.witnesses_round(true)?.faults.into_iter().find(|fault| fault.blame == Blame::Aggregator)
        {
            return Err(fault);
        }
        let _lock = self.lock()?;
        let Standing::Unknown(_) = self.standing else { return Ok(false) };
        let unheard = self.unheard();
        let missing: Vec<_> = unheard.iter().filter(|site| !without.contains(site)).map(Name::as_str).collect();
        if !missing.is_empty() {
            let what = format!("not heard of since this home was restored: {}", missing.join(", "));
            let hint = format!("{RISK}. If that cannot be avoided, name each of them: log settle --without SITE");
            return Err(operator_hint(what, hint));
        }
        self.enclose(None)?;
        Ok(true)
    }

    fn enclose(&mut self, heard: Option<BTreeSet<Name>>) -> Result<(), Fault> {
        write(&self.home.dir, &Fence { logs: self.sizes(), heard: heard.clone() })?;
        self.standing = heard.map_or(Standing::Clear, Standing::Unknown);
        Ok(())
    }
}

/// What is risked by going on without a site's word.
pub const RISK: &str = "if a site has seen more of a log than is here, what is appended now contradicts it: that site halts, for \
                        good, and holds the proof of two histories. Let it connect, or have its newest export taken in first";
