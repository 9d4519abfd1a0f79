//! What passes between the link's state machine and its driver.

use super::SeenReport;
use crate::mirror::Mirror;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::time::Time;
use fedaudit_link::protocol::{Document, Logged, Refused};

/// What the driver does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Connect to the aggregator.
    Connect,
    /// Send the hello.
    Hello,
    /// Ask for registry entries from this index on.
    Registry(u64),
    /// Ask for the first report in this plan's log from this index on.
    Reports(Digest, u64),
    /// Ask for what this site signed and this home does not have.
    Mine,
    /// Send the next ready release.
    Submit,
    /// Send the heartbeat that waits.
    Heartbeat,
    /// Nothing to do before this time, unless something becomes ready.
    Wait(Time),
    /// Nothing to do ever: the aggregator or this home contradicts what was signed.
    Halt(Fault),
}

/// What the driver keeps, after it was verified here.
#[derive(Clone, Debug)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// The registry grew: from this index on, with this checkpoint. The mirror is the verified copy with it.
    Registry {
        /// Index of the first new entry.
        from: u64,
        /// New entries.
        entries: Vec<Document>,
        /// The signed checkpoint over all of them.
        note: String,
        /// The copy with them.
        mirror: Box<Mirror>,
    },
    /// The submitted release is received: receipt, and the plan log's checkpoint in it.
    Receipt {
        /// C2SP tlog-proof.
        proof: String,
        /// Origin of the plan's log.
        origin: String,
        /// The checkpoint.
        note: String,
    },
    /// The submitted release is refused for good.
    Refused(Refused),
    /// A report on a plan, signed and in its log.
    Report(Box<SeenReport>),
    /// A document of this site, not verified yet.
    Mine(Box<Logged>),
}

/// The root of the first so many records of one of this site's journal logs, by origin; none if it has fewer.
pub type RootAt<'a> = dyn FnMut(&str, u64) -> Result<Option<Digest>, Fault> + 'a;

/// What was sent last, as the answer to it is judged by.
pub enum Asked<'a> {
    /// The hello. The sizes and roots of this site's journal logs at a checkpoint that the aggregator names.
    Hello(&'a mut RootAt<'a>),
    /// Registry entries.
    Registry,
    /// A report.
    Reports {
        /// Origin of the plan's log.
        origin: &'a str,
        /// First index wanted.
        from: u64,
        /// The last checkpoint of that log that was verified.
        seen: Option<Checkpoint>,
    },
    /// What this home lacks.
    Mine,
    /// A release, or a heartbeat.
    Submit {
        /// Its envelope.
        envelope: &'a [u8],
        /// Origin of its plan's log.
        origin: &'a str,
        /// The last checkpoint of that log that was verified.
        seen: Option<Checkpoint>,
    },
}
