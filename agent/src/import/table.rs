//! A file of rows, whatever its format: each value is a text.

use super::input::Input;
use super::rows::{Next, Rows};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use serde::Serialize;

/// The rows of a file, one at a time.
pub(crate) trait Table {
    /// What a row is found by.
    const UNIT: Unit;

    /// Goes on to the next row.
    fn next(&mut self) -> Result<Next, Fault>;

    /// Number of values of the current row.
    fn fields(&self) -> usize;

    /// A value of the current row, without spaces around it; empty if there is none.
    fn field(&self, at: usize) -> &str;

    /// What stands between columns: where that is a comma, a number has none.
    fn separator(&self) -> u8;

    /// Where the current row is found, from 1.
    fn number(&self) -> u64;

    /// The current row as people may look at it.
    fn raw(&self) -> &[u8];

    /// Bytes of the file read so far, and all of them.
    fn progress(&self) -> (u64, u64);

    /// SHA-256 of the whole file, once its rows are read.
    fn digest(&mut self) -> Result<Digest, Fault>;
}

/// What a row of a file is found by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The line of a text on which it begins.
    #[default]
    Line,
    /// Its number among the rows.
    Row,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Unit::Line => "line",
            Unit::Row => "row",
        })
    }
}

impl Table for Rows<Input> {
    const UNIT: Unit = Unit::Line;

    fn next(&mut self) -> Result<Next, Fault> {
        Rows::next(self)
    }

    fn fields(&self) -> usize {
        Rows::fields(self)
    }

    fn field(&self, at: usize) -> &str {
        Rows::field(self, at)
    }

    fn separator(&self) -> u8 {
        Rows::separator(self)
    }

    fn number(&self) -> u64 {
        self.line()
    }

    fn raw(&self) -> &[u8] {
        Rows::raw(self)
    }

    fn progress(&self) -> (u64, u64) {
        (self.input().done(), self.input().total())
    }

    fn digest(&mut self) -> Result<Digest, Fault> {
        self.input_mut().digest()
    }
}
