//! Splitting CSV (RFC 4180) into rows and fields.
//!
//! Written here rather than taken from a library for three things: a limit on the bytes of a row, the raw bytes of
//! rows that are rejected, and a quote that is never closed costs the line that it stands on, not the rest of the file.

use super::input::Input;
use fedaudit_core::fault::Fault;
use fedaudit_core::limits::CSV_LINE_BYTES;

/// Where bytes come from.
pub(crate) trait Source {
    /// Appends more bytes; 0 at the end.
    fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault>;
}

impl Source for Input {
    fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault> {
        Input::read_to(self, buffer)
    }
}

/// The rows of a file, one at a time.
pub(crate) struct Rows<S> {
    source: S,
    buffer: Vec<u8>,
    /// The current row, with its line end.
    start: usize,
    end: usize,
    at_end: bool,
    line: u64,
    next_line: u64,
    fields: Fields,
    separator: u8,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A row, to be looked at with [`Rows::field`].
    Row,
    /// A line that is no row.
    Bad(String),
    /// Nothing.
    End,
}

#[derive(Default)]
struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

enum Split {
    /// A row of so many bytes.
    Row(usize),
    Bad(&'static str),
    More,
}

impl<S: Source> Rows<S> {
    pub fn new(source: S) -> Self {
        let (buffer, fields) = (Vec::new(), Fields::default());
        Rows { source, buffer, start: 0, end: 0, at_end: false, line: 0, next_line: 1, fields, separator: b',' }
    }

    pub fn input(&self) -> &S {
        &self.source
    }

    pub fn input_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// The line on which the current row begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Number of fields of the current row.
    pub fn fields(&self) -> usize {
        self.fields.ends.len()
    }

    /// A field of the current row without spaces around it; empty if there is none, or if it is not UTF-8.
    pub fn field(&self, at: usize) -> &str {
        let start = at.checked_sub(1).and_then(|before| self.fields.ends.get(before)).copied().unwrap_or(0);
        let bytes = self.fields.ends.get(at).and_then(|end| self.fields.text.get(start..*end)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default().trim()
    }

    /// The bytes of the current row, without its line end and at most [`CSV_LINE_BYTES`] of them.
    pub fn raw(&self) -> &[u8] {
        let raw = self.buffer.get(self.start..self.end).unwrap_or_default();
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        raw.get(..CSV_LINE_BYTES).unwrap_or(raw)
    }

    /// Goes on to the next row; blank lines are passed over.
    pub fn next(&mut self) -> Result<Next, Fault> {
        loop {
            self.start = self.end;
            self.line = self.next_line;
            let next = self.split()?;
            if next != Next::Row || !self.raw().is_empty() {
                return Ok(next);
            }
        }
    }

    fn split(&mut self) -> Result<Next, Fault> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            if rest.is_empty() && self.at_end {
                self.end = self.start;
                return Ok(Next::End);
            }
            match split(rest, self.separator, self.at_end, &mut self.fields) {
                Split::Row(length) if length <= CSV_LINE_BYTES => {
                    self.take(length);
                    let valid = std::str::from_utf8(self.raw()).is_ok();
                    return Ok(if valid { Next::Row } else { Next::Bad("not UTF-8".to_owned()) });
                }
                Split::More if rest.len() <= CSV_LINE_BYTES => self.fill()?,
                Split::Row(_) | Split::More => return self.bad_line(TOO_LONG),
                Split::Bad(reason) => return self.bad_line(reason),
            }
        }
    }

    /// Gives up the line on which the row begins, however long.
    fn bad_line(&mut self, reason: &str) -> Result<Next, Fault> {
        let mut searched = 0;
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let found = rest.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(at) = found {
                self.take(searched + at + 1);
                break;
            }
            if self.at_end {
                self.take(rest.len());
                break;
            }
            searched = rest.len().min(CSV_LINE_BYTES + 1);
            // Of a line without end, its beginning is kept.
            self.buffer.truncate(self.start + searched);
            self.fill()?;
        }
        Ok(Next::Bad(reason.to_owned()))
    }

    fn take(&mut self, length: usize) {
        self.end = self.start + length;
        let row = self.buffer.get(self.start..self.end).unwrap_or_default();
        self.next_line += row.iter().filter(|byte| **byte == b'\n').count() as u64;
    }

    fn fill(&mut self) -> Result<(), Fault> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.end = 0;
        self.at_end = self.source.read_to(&mut self.buffer)? == 0;
        Ok(())
    }

    /// Passes over a byte order mark; to be called before the first row.
    pub fn skip_mark(&mut self) -> Result<(), Fault> {
        while self.buffer.len() < MARK.len() && !self.at_end {
            self.fill()?;
        }
        if self.buffer.starts_with(&MARK) {
            self.end = MARK.len();
        }
        Ok(())
    }

    /// Finds out from the first line what stands between columns; to be called before the first row.
    pub fn find_separator(&mut self) -> Result<(), Fault> {
        self.start = self.end;
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let whole = self.at_end || rest.len() > CSV_LINE_BYTES;
            if let Some(separator) = separator_of(rest.get(blank..).unwrap_or_default(), whole) {
                self.separator = separator;
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// What stands between columns.
    pub fn separator(&self) -> u8 {
        self.separator
    }

    /// The first bytes of the file.
    pub fn peek(&self) -> &[u8] {
        self.buffer.get(..self.buffer.len().min(MARK.len())).unwrap_or_default()
    }
}

/// The separator that stands most often, outside of quotes, on the first line of `text`; a comma where none does.
/// None if the line goes on after `text`, which is not `whole`.
fn separator_of(text: &[u8], whole: bool) -> Option<u8> {
    let mut counts = SEPARATORS.map(|separator| (0, separator));
    let (mut quoted, mut ended) = (false, whole);
    for byte in text {
        match byte {
            b'\n' if !quoted => {
                ended = true;
                break;
            }
            b'"' => quoted = !quoted,
            _ if !quoted => counts.iter_mut().filter(|(_, of)| of == byte).for_each(|(count, _)| *count += 1),
            _ => {}
        }
    }
    ended.then(|| counts.iter().fold((0, b','), |best, &of| if of.0 > best.0 { of } else { best }).1)
}

/// Splits the row at the beginning of `bytes`.
fn split(bytes: &[u8], separator: u8, at_end: bool, fields: &mut Fields) -> Split {
    fields.text.clear();
    fields.ends.clear();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (used, last) = match rest.first() {
            Some(b'"') => match quoted(rest, separator, at_end, &mut fields.text) {
                Quoted::Field(used, last) => (used, last),
                Quoted::Bad(reason) => return Split::Bad(reason),
                Quoted::More => return Split::More,
            },
            _ => match rest.iter().position(|byte| *byte == separator || *byte == b'\n') {
                None if at_end => {
                    fields.text.extend_from_slice(rest.strip_suffix(b"\r").unwrap_or(rest));
                    (rest.len(), true)
                }
                None => return Split::More,
                Some(end) => {
                    let last = rest.get(end) == Some(&b'\n');
                    let field = rest.get(..end).unwrap_or_default();
                    let field = if last { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
                    fields.text.extend_from_slice(field);
                    (end + 1, last)
                }
            },
        };
        fields.ends.push(fields.text.len());
        at += used;
        if last {
            return Split::Row(at);
        }
    }
}

enum Quoted {
    /// Bytes used, and whether the row ends with them.
    Field(usize, bool),
    Bad(&'static str),
    More,
}

/// Reads the quoted field at the beginning of `bytes`, and what ends it.
fn quoted(bytes: &[u8], separator: u8, at_end: bool, text: &mut Vec<u8>) -> Quoted {
    let mut at = 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'"') else {
            return if at_end { Quoted::Bad("a quoted field does not end") } else { Quoted::More };
        };
        text.extend_from_slice(rest.get(..end).unwrap_or_default());
        at += end + 1;
        match bytes.get(at..).unwrap_or_default() {
            [b'"', ..] => {
                text.push(b'"');
                at += 1;
            }
            [after, ..] if *after == separator => return Quoted::Field(at + 1, false),
            [b'\n', ..] => return Quoted::Field(at + 1, true),
            [b'\r', b'\n', ..] => return Quoted::Field(at + 2, true),
            [] | [b'\r'] if !at_end => return Quoted::More,
            rest @ ([] | [b'\r']) => return Quoted::Field(at + rest.len(), true),
            _ => return Quoted::Bad("text after the closing quote of a field"),
        }
    }
}

/// What may stand between columns; of equally frequent ones, the first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// UTF-8 byte order mark.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const TOO_LONG: &str = "longer than 1 MiB";
const _: () = assert!(CSV_LINE_BYTES == 1 << 20);

#[cfg(test)]
mod tests;
