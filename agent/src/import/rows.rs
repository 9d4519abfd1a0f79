//! Splitting CSV (RFC 4180) into rows and fields.
//!
//! Written here rather than taken from a library for three things: a limit on the bytes of a row, the raw bytes of
//! rows that are rejected, and a quote that is never closed costs the line that it stands on, not the rest of the file.

use super::input::Input;
use fedaudit_core::fault::Fault;
use fedaudit_core::limits::CSV_LINE_BYTES;

/// Where bytes come from.
pub(super) trait Source {
    /// Appends more bytes; 0 at the end.
    fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault>;
}

impl Source for Input {
    fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault> {
        Input::read_to(self, buffer)
    }
}

/// The rows of a file, one at a time.
pub(super) struct Rows<S> {
    source: S,
    buffer: Vec<u8>,
    /// The current row, with its line end.
    start: usize,
    end: usize,
    at_end: bool,
    line: u64,
    next_line: u64,
    fields: Fields,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
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
        Rows { source, buffer, start: 0, end: 0, at_end: false, line: 0, next_line: 1, fields }
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
            match split(rest, self.at_end, &mut self.fields) {
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

    /// The first bytes of the file.
    pub fn peek(&self) -> &[u8] {
        self.buffer.get(..self.buffer.len().min(MARK.len())).unwrap_or_default()
    }
}

/// Splits the row at the beginning of `bytes`.
fn split(bytes: &[u8], at_end: bool, fields: &mut Fields) -> Split {
    fields.text.clear();
    fields.ends.clear();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (used, last) = match rest.first() {
            Some(b'"') => match quoted(rest, at_end, &mut fields.text) {
                Quoted::Field(used, last) => (used, last),
                Quoted::Bad(reason) => return Split::Bad(reason),
                Quoted::More => return Split::More,
            },
            _ => match rest.iter().position(|byte| matches!(byte, b',' | b'\n')) {
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
fn quoted(bytes: &[u8], at_end: bool, text: &mut Vec<u8>) -> Quoted {
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
            [b',', ..] => return Quoted::Field(at + 1, false),
            [b'\n', ..] => return Quoted::Field(at + 1, true),
            [b'\r', b'\n', ..] => return Quoted::Field(at + 2, true),
            [] | [b'\r'] if !at_end => return Quoted::More,
            rest @ ([] | [b'\r']) => return Quoted::Field(at + rest.len(), true),
            _ => return Quoted::Bad("text after the closing quote of a field"),
        }
    }
}

/// UTF-8 byte order mark.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const TOO_LONG: &str = "longer than 1 MiB";
const _: () = assert!(CSV_LINE_BYTES == 1 << 20);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that come in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Source for Pieces<'_> {
        fn read_to(&mut self, buffer: &mut Vec<u8>) -> Result<usize, Fault> {
            let (piece, rest) = self.0.split_at(self.1.min(self.0.len()));
            buffer.extend_from_slice(piece);
            self.0 = rest;
            Ok(piece.len())
        }
    }

    fn all(bytes: &[u8], piece: usize) -> Vec<(u64, Result<Vec<String>, String>)> {
        let mut rows = Rows::new(Pieces(bytes, piece));
        let mut found = Vec::new();
        loop {
            match rows.next().expect("no errors") {
                Next::End => return found,
                Next::Bad(reason) => found.push((rows.line(), Err(reason))),
                Next::Row => {
                    let fields = (0..rows.fields()).map(|at| rows.field(at).to_owned()).collect();
                    found.push((rows.line(), Ok(fields)));
                }
            }
        }
    }

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        let text = b"a, b ,c\r\n\n\"x,\"\"y\"\"\",,\"two\nlines\"\r\nz\"z,1,2";
        for piece in 1..text.len() + 1 {
            let rows = all(text, piece);
            let ok = |fields: &[&str]| Ok(fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>());
            let expected =
                [(1, ok(&["a", "b", "c"])), (3, ok(&["x,\"y\"", "", "two\nlines"])), (5, ok(&["z\"z", "1", "2"]))];
            assert_eq!(rows, expected, "pieces of {piece}");
        }
    }

    #[test]
    fn an_open_quote_costs_its_line_only() {
        let text = b"a,b\n1,\"open\n2,\"closed\"\n3,x\n4,\"open";
        for piece in [1, 7, 100] {
            let rows = all(text, piece);
            let bad: Vec<_> = rows.iter().map(|(line, row)| (*line, row.is_ok())).collect();
            assert_eq!(bad, [(1, true), (2, false), (3, true), (4, true), (5, false)]);
        }
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut text = b"a,b\n".to_vec();
        text.extend(vec![b'x'; 5 * CSV_LINE_BYTES]);
        text.extend(b"\n1,2\n\"");
        text.extend(vec![b'y'; 3 * CSV_LINE_BYTES]);
        text.extend(b"\n3,4\n\xff,5\n6,7");
        let mut rows = Rows::new(Pieces(&text, 100_000));
        let mut lines = Vec::new();
        while rows.next().map(|next| next != Next::End) == Ok(true) {
            assert!(rows.raw().len() <= CSV_LINE_BYTES && rows.buffer.len() <= CSV_LINE_BYTES + 200_002);
            lines.push((rows.line(), rows.field(0).get(..1).unwrap_or_default().to_owned()));
        }
        assert_eq!(lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!([2, 4, 6].map(|at| lines[at].1.as_str()), ["1", "3", "6"]);
    }

    proptest! {
        #[test]
        fn reads_what_a_csv_library_writes(
            table in proptest::collection::vec(proptest::collection::vec("[a-z,\"\n\r ;é]{0,6}", 3), 1..20),
            piece in 1..40_usize,
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).expect("written");
            }
            let text = writer.into_inner().expect("written");
            let read: Vec<_> = all(&text, piece).into_iter().map(|(_, row)| row.expect("a row")).collect();
            let trimmed: Vec<Vec<_>> =
                table.iter().map(|row| row.iter().map(|f| f.trim().to_owned()).collect()).collect();
            prop_assert_eq!(read, trimmed);
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(
            proptest::sample::select(b"a,\"\n\r\xff\xc3".to_vec()), 0..60), piece in 1..9_usize) {
            let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64 + 1;
            prop_assert!(all(&bytes, piece).iter().all(|(line, _)| *line <= lines));
        }
    }
}
