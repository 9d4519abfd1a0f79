//! A request's body as rows: one object, an array, or a line each.

use super::contracts::{Contracts, Known};
use super::json::{self, Bad, Kind};
use super::limits::{EVENTS_PER_REQUEST, REASON_CHARS};
use super::writer::{Group, Item};
use fedaudit_core::time::Time;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/json`: an object, or an array of them.
    Json,
    /// `application/x-ndjson`: an object a line.
    Lines,
}

/// What a body holds.
#[derive(Debug)]
pub(crate) struct Rows {
    /// What can be taken, by contract.
    pub groups: Vec<Group>,
    /// The line of each item of each group.
    pub lines: Vec<Vec<u32>>,
    /// What cannot, and is not counted: nobody knows under which contract.
    pub rejected: Vec<Reject>,
    /// Lines of the body: room for so many is made at once.
    expected: usize,
    /// When it is read.
    now: Time,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reject {
    /// The line, from 1; of an array, the element.
    pub line: u32,
    /// Why.
    pub reason: String,
}

/// Why a body is of no use as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Useless {
    /// It is not JSON, or holds nothing.
    Malformed(String),
    /// It holds too many lines.
    Long,
}

/// Reads a body.
pub(crate) fn read(kind: Kind, format: Format, body: &[u8], contracts: &Contracts, now: Time) -> Result<Rows, Useless> {
    let (groups, lines, rejected) = Default::default();
    let mut rows = Rows { groups, lines, rejected, expected: 0, now };
    match (format, body.trim_ascii_start().first()) {
        (_, None) => return Err(Useless::Malformed("the body is empty".to_owned())),
        (Format::Lines, _) => rows.read_lines(kind, body, contracts)?,
        (Format::Json, Some(b'[')) => {
            let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(malformed)?;
            rows.expected = elements.len().min(EVENTS_PER_REQUEST).min(body.len() / LEAST_BYTES);
            if elements.is_empty() {
                return Err(Useless::Malformed("the array is empty".to_owned()));
            }
            for (line, element) in (1..).zip(elements) {
                rows.read(kind, line, element.get().as_bytes(), contracts)?;
            }
        }
        (Format::Json, _) => match json::read(kind, body, contracts) {
            Err(Bad { json: false, what }) => return Err(Useless::Malformed(what)),
            read => rows.add(1, read)?,
        },
    }
    Ok(rows)
}

fn malformed(error: serde_json::Error) -> Useless {
    Useless::Malformed(error.to_string())
}

impl Rows {
    fn read_lines(&mut self, kind: Kind, body: &[u8], contracts: &Contracts) -> Result<(), Useless> {
        self.expected = memchr::memchr_iter(b'\n', body).count().min(EVENTS_PER_REQUEST).min(body.len() / LEAST_BYTES);
        let mut start = 0;
        for (line, end) in (1..).zip(memchr::memchr_iter(b'\n', body).chain([body.len()])) {
            let json = body.get(start..end).unwrap_or_default();
            start = end + 1;
            if !json.trim_ascii().is_empty() {
                self.read(kind, line, json, contracts)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, kind: Kind, line: u32, json: &[u8], contracts: &Contracts) -> Result<(), Useless> {
        self.add(line, json::read(kind, json, contracts))
    }

    fn add(&mut self, line: u32, read: Result<(&Arc<Known>, Result<Item, String>), Bad>) -> Result<(), Useless> {
        if self.rejected.len() + self.lines.iter().map(Vec::len).sum::<usize>() >= EVENTS_PER_REQUEST {
            return Err(Useless::Long);
        }
        match read {
            Err(bad) => self.rejected.push(Reject::new(line, &bad.what)),
            Ok((contract, item)) => {
                let at = self.groups.iter().position(|group| Arc::ptr_eq(&group.contract, contract));
                let at = at.unwrap_or_else(|| {
                    let items = Vec::with_capacity(self.expected);
                    self.groups.push(Group { contract: Arc::clone(contract), items });
                    self.lines.push(Vec::new());
                    self.groups.len() - 1
                });
                if let (Some(group), Some(lines)) = (self.groups.get_mut(at), self.lines.get_mut(at)) {
                    group.items.push(item.unwrap_or_else(|reason| Item::Refused(self.now, reason)));
                    lines.push(line);
                }
            }
        }
        Ok(())
    }
}

impl Reject {
    /// A line, and why it was not taken, within [`REASON_CHARS`].
    pub fn new(line: u32, reason: &str) -> Self {
        Reject { line, reason: reason.chars().take(REASON_CHARS).collect() }
    }
}

/// Bytes of the shortest label: no body makes room for more of them than it can hold.
const LEAST_BYTES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::json::tests::contracts;

    fn lines(format: Format, body: &str) -> Result<(Vec<u32>, Vec<u32>), Useless> {
        let rows = read(Kind::Outcomes, format, body.as_bytes(), &contracts(), Time(0))?;
        // Of one contract all belong to it, what is rejected too.
        let items = rows.groups.iter().flat_map(|group| &group.items).zip(rows.lines.concat());
        let (refused, taken): (Vec<_>, Vec<_>) = items.partition(|(item, _)| matches!(item, Item::Refused(..)));
        let [taken, mut refused] = [taken, refused].map(|of| of.into_iter().map(|(_, line)| line).collect::<Vec<_>>());
        refused.extend(rows.rejected.iter().map(|reject| reject.line));
        Ok((taken, refused))
    }

    const GOOD: &str = r#"{"event_id":"e","label":"1","labelled_at":"2026-01-01T00:00:00Z"}"#;

    #[test]
    fn lines_and_elements_stand_for_themselves() {
        assert_eq!(lines(Format::Json, GOOD), Ok((vec![1], vec![])));
        assert_eq!(lines(Format::Json, &format!(" [{GOOD}, {{}}, 7,\n{GOOD}] ")), Ok((vec![1, 4], vec![2, 3])));
        assert_eq!(lines(Format::Lines, &format!("{GOOD}\r\n\n{{\n{GOOD}\n[]\n\n")), Ok((vec![1, 4], vec![5, 3])));
        assert_eq!(lines(Format::Json, r#"{"event_id":7}"#), Ok((vec![], vec![1])));
    }

    #[test]
    fn what_is_no_json_is_useless_as_a_whole() {
        for body in ["", " \n", "[]", "{", "[{},", "nonsense", &format!("{GOOD}{GOOD}"), &format!("[{GOOD}")] {
            assert!(matches!(lines(Format::Json, body), Err(Useless::Malformed(_))), "{body}");
        }
        assert!(matches!(lines(Format::Lines, "\n"), Err(Useless::Malformed(_))));
        assert_eq!(lines(Format::Lines, &"x\n".repeat(EVENTS_PER_REQUEST + 1)), Err(Useless::Long));
        assert!(lines(Format::Lines, &"x\n".repeat(EVENTS_PER_REQUEST)).is_ok());
    }
}
