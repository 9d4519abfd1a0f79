//! Files of events in JSON, an object a line (NDJSON), as intake over HTTP takes them.

use super::input::Input;
use super::rows::Next;
use super::table::{Table, Unit};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::limits::CSV_LINE_BYTES;
use std::path::Path;

/// The lines of a file.
pub(crate) struct Lines {
    input: Input,
    buffer: Vec<u8>,
    /// The current line, without its end.
    start: usize,
    end: usize,
    /// Where the next line begins.
    next: usize,
    at_end: bool,
    number: u64,
}

/// Whether a file's name says that it holds JSON lines.
pub(crate) fn is_lines(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(name);
    [".ndjson", ".jsonl"].iter().any(|ending| name.ends_with(ending))
}

impl Lines {
    pub fn new(input: Input) -> Self {
        Lines { input, buffer: Vec::new(), start: 0, end: 0, next: 0, at_end: false, number: 0 }
    }

    /// Finds the end of the line that begins at `next`, reading on as needed; false at the end of the file.
    fn find(&mut self) -> Result<bool, Fault> {
        let mut searched = 0;
        loop {
            let rest = self.buffer.get(self.next + searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', rest) {
                (self.start, self.end) = (self.next, self.next + searched + at);
                self.next = self.end + 1;
                return Ok(true);
            }
            searched = self.buffer.len() - self.next;
            if self.at_end {
                (self.start, self.end) = (self.next, self.buffer.len());
                self.next = self.end;
                return Ok(searched > 0);
            }
            if searched > CSV_LINE_BYTES {
                // Too long, and it goes on: what is known of it is dropped, but for its beginning.
                self.buffer.truncate(self.next + CSV_LINE_BYTES + 1);
                searched = CSV_LINE_BYTES + 1;
            } else if self.next > 0 {
                self.buffer.drain(..self.next);
                self.next = 0;
            }
            self.at_end = self.input.read_to(&mut self.buffer)? == 0;
        }
    }
}

impl Table for Lines {
    const UNIT: Unit = Unit::Line;

    fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if !self.find()? {
                return Ok(Next::End);
            }
            self.number += 1;
            if self.end - self.start > CSV_LINE_BYTES {
                return Ok(Next::Bad("longer than 1 MiB".to_owned()));
            }
            if !self.raw().trim_ascii().is_empty() {
                return Ok(Next::Row);
            }
        }
    }

    fn fields(&self) -> usize {
        0
    }

    fn field(&self, _: usize) -> &str {
        ""
    }

    fn separator(&self) -> u8 {
        b','
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn raw(&self) -> &[u8] {
        let raw = self.buffer.get(self.start..self.end).unwrap_or_default();
        raw.get(..CSV_LINE_BYTES).unwrap_or(raw)
    }

    fn progress(&self) -> (u64, u64) {
        (self.input.done(), self.input.total())
    }

    fn digest(&mut self) -> Result<Digest, Fault> {
        self.input.digest()
    }
}
