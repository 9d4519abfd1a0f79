//! What an outbox keeps.

use fedaudit_core::ids::Digest;
use fedaudit_core::time::Window;

/// What a signed document is. All are numbered together within a plan, and go the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An answer to the plan.
    Release,
    /// That there will be none.
    Abstention,
    /// That a report does not name one of these.
    Dispute,
}

impl Kind {
    pub(super) const ALL: [(Kind, &'static str); 3] =
        [(Kind::Release, "release"), (Kind::Abstention, "abstention"), (Kind::Dispute, "dispute")];

    /// The kind in a word.
    pub fn word(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

/// A release, or an abstention, on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// Which of both.
    pub kind: Kind,
    /// The plan.
    pub plan: Digest,
    /// The window; of a dispute, that of what it is about.
    pub window: Window,
    /// Number within site and plan.
    pub sequence: u64,
    /// The envelope's exact bytes.
    pub envelope: Vec<u8>,
    /// `release.json`, `abstention.json` or `dispute.json`.
    pub artifact: Vec<u8>,
    /// The release that this one replaces; of a dispute, SHA-256 over report and release, so that there is one for both.
    pub amends: Option<Digest>,
    /// Salt of the raw aggregate's digest, zeros for others, and where it is lost; the ledger keeps it too, and it never leaves.
    pub salt: [u8; 16],
    /// How far it is.
    pub state: State,
    /// The receipt, once received; the refusal, once refused.
    pub answer: Option<String>,
}

impl Outgoing {
    /// Whether this is a release that was taken back from the log, in a home that had lost its salt.
    pub fn is_unsalted(&self) -> bool {
        self.kind == Kind::Release && self.salt == [0; 16]
    }
}

/// A release, or an abstention, without its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which of both.
    pub kind: Kind,
    /// The plan.
    pub plan: Digest,
    /// The window.
    pub window: Window,
    /// Number within site and plan.
    pub sequence: u64,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// The release that this one replaces.
    pub amends: Option<Digest>,
    /// How far it is.
    pub state: State,
    /// The refusal, once refused; why it is held.
    pub refusal: Option<String>,
}

/// How far a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Durable here; perhaps not yet in the ledger.
    Prepared,
    /// In the ledger; to be sent.
    Ready,
    /// Ready, but its plan is refused by the steward now: see [`crate::leave`]. The outbox has it as ready.
    Held,
    /// The aggregator's receipt is verified and kept.
    Received,
    /// The aggregator refused these bytes for good.
    Refused,
}

impl State {
    pub(super) const ALL: [(State, &'static str); 5] = [
        (State::Prepared, "prepared"),
        (State::Ready, "ready"),
        (State::Held, "held"),
        (State::Received, "received"),
        (State::Refused, "refused"),
    ];

    /// The state in a word.
    pub fn word(self) -> &'static str {
        State::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }
}

/// The value that a column's word stands for.
pub(super) fn word_of<T: Copy>(row: &rusqlite::Row, at: usize, all: &[(T, &str)]) -> rusqlite::Result<T> {
    let word: String = row.get(at)?;
    let found = all.iter().find(|(_, name)| *name == word).map(|(value, _)| *value);
    found.ok_or(rusqlite::Error::InvalidQuery)
}

/// SQLite takes nulls for different from each other; no bytes stand for none.
pub(super) fn amends_of(row: &rusqlite::Row, at: usize) -> rusqlite::Result<Option<Digest>> {
    let bytes: Vec<u8> = row.get(at)?;
    match bytes.len() {
        0 => Ok(None),
        _ => bytes.try_into().map(|bytes| Some(Digest(bytes))).map_err(|_| rusqlite::Error::InvalidQuery),
    }
}
