//! One pass over the files: what each column holds, in memory that does not grow with them.

use crate::import::columns::{header, list, number};
use crate::import::input::Input;
use crate::import::rows::{Next, Rows};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Name;
use fedaudit_core::time::{HOUR_NS, Time};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All files.
#[derive(Default)]
pub(super) struct Table {
    pub files: Vec<Looked>,
    /// In the order in which they are met.
    pub columns: Vec<Column>,
}

/// One file.
pub(super) struct Looked {
    pub path: PathBuf,
    pub site: Name,
    pub rows: u64,
    pub separator: u8,
}

/// What a column holds, over all files that have it.
pub(super) struct Column {
    pub name: String,
    /// How many files have it.
    pub files: usize,
    /// Fields that are not blank.
    pub filled: u64,
    /// The different values and how often each stands; not all of them if `many`.
    pub values: BTreeMap<String, u64>,
    /// More than [`VALUES`] different ones, or long ones.
    pub many: bool,
    pub numbers: Kind<f64>,
    pub times: Kind<Time>,
    /// The first time around which no window of whole days can be counted in nanoseconds: where, and its text.
    pub far: Option<String>,
}

/// The fields that can be read as something.
pub(super) struct Kind<T> {
    pub read: u64,
    pub unread: u64,
    /// Least and greatest.
    pub range: Option<(T, T)>,
    /// The first that could not: where, and why.
    pub first_unread: Option<String>,
}

impl<T: Copy + PartialOrd> Kind<T> {
    /// After so many fields that are something else, and none that fits, no more are looked at.
    fn is_open(&self) -> bool {
        self.read > 0 || self.unread < TRIES
    }

    fn take(&mut self, value: Option<T>) {
        let Some(value) = value else {
            self.unread += 1;
            return;
        };
        self.read += 1;
        self.range = Some(self.range.map_or((value, value), |(min, max)| {
            (if value < min { value } else { min }, if value > max { value } else { max })
        }));
    }
}

impl<T> Default for Kind<T> {
    fn default() -> Self {
        Kind { read: 0, unread: 0, range: None, first_unread: None }
    }
}

impl Table {
    /// Reads the files, each of the site that stands beside it.
    pub fn read(files: &[(PathBuf, Name)]) -> Result<Table, Fault> {
        let mut table = Table::default();
        for (path, site) in files {
            table.add(path, site)?;
        }
        match table.rows() {
            0 => Err(fault("no file has a row under its header", "give files with data: what is in them is looked at")),
            _ => Ok(table),
        }
    }

    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether each file has this column.
    pub fn everywhere(&self, column: &Column) -> bool {
        column.files == self.files.len()
    }

    fn add(&mut self, path: &Path, site: &Name) -> Result<(), Fault> {
        let mut rows = Rows::new(Input::open(path)?);
        let names = header(&mut rows, path, "read")?;
        if names.len() > COLUMNS {
            let what = format!("{} has {} columns; at most {COLUMNS}", path.display(), names.len());
            return Err(fault(&what, "leave out those that say nothing about the model's decisions"));
        }
        let places: Vec<Option<usize>> = names.iter().map(|name| self.place(name)).collect();
        let mut file = Looked { path: path.to_owned(), site: site.clone(), rows: 0, separator: rows.separator() };
        let (mut bad, mut first_bad) = (0, None);
        loop {
            let unread = match rows.next()? {
                Next::End => break,
                Next::Bad(reason) => Some(reason),
                Next::Row if rows.fields() == names.len() => None,
                Next::Row => Some(format!("{} fields; the header has {}", rows.fields(), names.len())),
            };
            file.rows += 1;
            if let Some(reason) = unread {
                bad += 1;
                first_bad.get_or_insert((rows.line(), reason));
                continue;
            }
            for (at, place) in places.iter().enumerate() {
                let Some(column) = place.and_then(|place| self.columns.get_mut(place)) else { continue };
                let at_line = || format!("{}, line {}", path.display(), rows.line());
                column.take(rows.field(at), file.separator, at_line);
            }
        }
        // Where some can be read, the trial says which cannot.
        if let Some((line, reason)) = first_bad.filter(|_| bad == file.rows) {
            let what = format!("no row of {} can be read; the first, line {line}: {reason}", path.display());
            return Err(fault(&what, "save it as CSV in UTF-8, with as many fields in each row as in the first"));
        }
        self.files.push(file);
        Ok(())
    }

    /// The place of the column called `name`, which one more file has; none for a column without a name.
    fn place(&mut self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let at = self.columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
            self.columns.push(Column::new(name));
            self.columns.len() - 1
        });
        self.columns.get_mut(at)?.files += 1;
        Some(at)
    }

    /// The names of all columns, for people.
    pub fn names(&self) -> String {
        list(&self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>())
    }
}

impl Column {
    fn new(name: &str) -> Self {
        let (numbers, times) = (Kind::default(), Kind::default());
        Column {
            name: name.to_owned(),
            files: 0,
            filled: 0,
            values: BTreeMap::new(),
            many: false,
            numbers,
            times,
            far: None,
        }
    }

    fn take(&mut self, text: &str, separator: u8, at: impl Fn() -> String) {
        if text.is_empty() {
            return;
        }
        self.filled += 1;
        if !self.many {
            let full = self.values.len() >= VALUES || text.len() > VALUE_BYTES;
            match self.values.get_mut(text) {
                Some(count) => *count += 1,
                None if full => self.many = true,
                None => _ = self.values.insert(text.to_owned(), 1),
            }
        }
        if self.numbers.is_open() {
            let read = number(text, separator).filter(|number| number.is_finite());
            if read.is_none() && self.numbers.first_unread.is_none() {
                self.numbers.first_unread = Some(format!("{}: `{}` is not a number", at(), shown(text)));
            }
            self.numbers.take(read);
        }
        if self.times.is_open() {
            let read = Time::parse(text);
            if let (Err(why), None) = (&read, &self.times.first_unread) {
                self.times.first_unread = Some(format!("{}: {}", at(), cut(why, REASON_CHARS)));
            }
            let whole = i64::MIN + DAY_NS..=i64::MAX - DAY_NS;
            if self.far.is_none() && read.as_ref().is_ok_and(|time| !whole.contains(&time.0)) {
                self.far = Some(format!("{}: `{}`", at(), shown(text)));
            }
            self.times.take(read.ok());
        }
    }

    /// Whether it holds nothing but numbers.
    pub fn is_numeric(&self) -> bool {
        self.numbers.read > 0 && self.numbers.unread == 0
    }

    /// The different values, most frequent first.
    pub fn by_count(&self) -> Vec<(&str, u64)> {
        let mut values: Vec<_> = self.values.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        values
    }
}

/// A text from a file, short and on one line.
pub(super) fn shown(text: &str) -> String {
    cut(&text.escape_debug().to_string(), SHOWN_CHARS)
}

/// The beginning of a text.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A failure of the files.
pub(super) fn fault(what: &str, hint: &str) -> Fault {
    Fault::new(Blame::Input, format!("nothing was drafted: {what}"), hint)
}

pub(super) const DAY_NS: i64 = 24 * HOUR_NS;
/// Different values that are kept of a column; more than anyone wants to compare.
pub(super) const VALUES: usize = 64;
/// Bytes of a value that is a category rather than a text.
const VALUE_BYTES: usize = 200;
/// Columns that are looked at.
const COLUMNS: usize = 1_000;
/// Fields after which a column that never held a number, or a time, is taken for something else.
const TRIES: u64 = 100;
/// Characters of a reason shown to people; it may hold a value.
pub(super) const REASON_CHARS: usize = 300;
/// Characters of a value shown to people.
const SHOWN_CHARS: usize = 120;
