//! How events came into the journal, and what intake counted beside them.

use super::TallyKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How events came into the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Every one of them.
    Full,
    /// One in so many, at least 2, chosen by a keyed hash of the event's id.
    Sampled(u32),
}

impl Tier {
    /// The tier of which one event in so many is journaled.
    pub fn one_in(events: u32) -> Tier {
        if events < 2 { Tier::Full } else { Tier::Sampled(events) }
    }

    /// How many events one of this tier stands for.
    pub fn weight(self) -> u64 {
        match self {
            Tier::Full => 1,
            Tier::Sampled(events) => u64::from(events),
        }
    }
}

/// What intake counted; what was never met is left out.
pub type IntakeCounts = BTreeMap<TallyKind, u64>;

impl TallyKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [TallyKind; 13] = [
        TallyKind::Paired,
        TallyKind::RequestOnly,
        TallyKind::ResponseOnly,
        TallyKind::Conflicting,
        TallyKind::Sampled,
        TallyKind::Duplicate,
        TallyKind::Late,
        TallyKind::OutOfOrder,
        TallyKind::MissingSequence,
        TallyKind::OutcomeWithoutEvent,
        TallyKind::ChangedOutcome,
        TallyKind::Refused,
        TallyKind::SilentSource,
    ];
}
