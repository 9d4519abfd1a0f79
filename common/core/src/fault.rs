//! Errors that say what failed, whose fault it is and what to do next.

use std::fmt;

/// Who can mend a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// A site's agent, its keys or its journal.
    Site,
    /// The path between two parties.
    Network,
    /// The centre.
    Aggregator,
    /// Whoever configured or started this program.
    Operator,
    /// A file, document or flag given to this program.
    Input,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Site => "site",
            Blame::Network => "network",
            Blame::Aggregator => "aggregator",
            Blame::Operator => "operator",
            Blame::Input => "input",
        })
    }
}

/// A failure for people: what, whose, and what next. Secrets never enter it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fault {
    /// Whose fault it is.
    pub blame: Blame,
    /// What failed, with the thing it failed on.
    pub what: String,
    /// What to do next.
    pub hint: String,
}

impl Fault {
    /// A failure of `blame`: `what` failed, do `hint`.
    pub fn new(blame: Blame, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault { blame, what: what.into(), hint: hint.into() }
    }

    /// The same failure, seen while doing `doing`.
    #[must_use]
    pub fn while_(mut self, doing: impl fmt::Display) -> Self {
        self.what = format!("{doing}: {}", self.what);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\nhint: {}", self.blame, self.what, self.hint)
    }
}

impl std::error::Error for Fault {}

/// One check that a document did not pass. Check names are listed in `schemas/checks.md`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refusal {
    /// The check's name.
    pub check: String,
    /// What it wanted.
    pub expected: String,
    /// What it met.
    pub found: String,
}

impl Refusal {
    /// The check `check` wanted `expected` and met `found`.
    pub fn new(check: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Refusal { check: check.to_owned(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.check, self.expected, self.found)
    }
}

impl std::error::Error for Refusal {}
