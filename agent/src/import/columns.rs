//! Which column of a file is what, and a row as an event.

mod extras;

use super::map::{COLUMNS, EXTRAS, Map};
use super::rows::{Next, Rows, Source};
use super::table::Table;
use crate::journal::EventRow;
use extras::Extras;
use fedaudit_core::contract::{ContractText, Task};
use fedaudit_core::event::{attribute_code, decision_at, decision_code, label_code, quantise, value_code};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::Time;
use std::collections::BTreeSet;
use std::path::Path;

/// Places of what counts.
pub(crate) struct Columns {
    width: usize,
    event_id: Place,
    occurred_at: Place,
    model_id: Place,
    model_version: Place,
    decision: Place,
    score: Option<Place>,
    /// Label, and when it became known.
    label: Option<(Place, Place)>,
    /// Rows without a label have a time for it all the same.
    labelled_anyway: bool,
    /// In the contract's order.
    attributes: Vec<Place>,
    extras: Extras,
    /// Names of the others.
    pub ignored: Vec<String>,
}

/// Where a value of a row is.
enum Place {
    Column(usize),
    /// Nowhere: this stands for it.
    Constant(String),
}

impl Place {
    fn of<'a, T: Table>(&'a self, rows: &'a T) -> &'a str {
        match self {
            Place::Column(at) => rows.field(*at),
            Place::Constant(text) => text,
        }
    }
}

/// Reads the header of a file: its separator and the names of its columns.
///
/// # Errors
/// No header, a name that stands twice, or no CSV in UTF-8; `undone` says what therefore did not happen.
pub(crate) fn header<S: Source>(rows: &mut Rows<S>, path: &Path, undone: &str) -> Result<Vec<String>, Fault> {
    let refuse = |what: &str, hint: &str| {
        Err(Fault::new(Blame::Input, format!("{} was not {undone}: {what}", path.display()), hint))
    };
    rows.skip_mark()?;
    let utf16 = rows.peek().starts_with(&[0xff, 0xfe]) || rows.peek().starts_with(&[0xfe, 0xff]);
    let workbook = rows.peek().starts_with(b"PK");
    let parquet = rows.peek().starts_with(b"PAR");
    rows.find_separator()?;
    match rows.next()? {
        _ if parquet => return refuse("it is Parquet", "save it as CSV here; `import` reads Parquet as well"),
        Next::Row => {}
        Next::End => return refuse("it is empty", "its first line must name the columns"),
        Next::Bad(_) if utf16 => return refuse("it is UTF-16", "save it as UTF-8"),
        Next::Bad(_) if workbook => {
            return refuse("it has no header: it is a workbook or a ZIP file", "save it as CSV");
        }
        Next::Bad(reason) => {
            return refuse(&format!("its first line is no header: {reason}"), "save it as CSV in UTF-8");
        }
    }
    let names: Vec<String> = (0..rows.fields()).map(|at| rows.field(at).to_owned()).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
        let what = format!("column `{}` stands twice", twice.escape_debug());
        return refuse(&what, "rename or remove one of them");
    }
    Ok(names)
}

/// Names, quoted, for people.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|n| format!("`{}`", n.as_ref().escape_debug())).collect::<Vec<_>>().join(", ")
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// A column is missing or stands twice, the file is not CSV in UTF-8, or the map does not fit file or contract.
    pub fn read<S: Source>(rows: &mut Rows<S>, contract: &ContractText, map: &Map, path: &Path) -> Result<Self, Fault> {
        Columns::named(&header(rows, path, "imported")?, contract, map, path)
    }

    /// Finds the columns of a file that has `names`.
    ///
    /// # Errors
    /// A column is missing, or the map does not fit file or contract.
    pub fn named(names: &[String], contract: &ContractText, map: &Map, path: &Path) -> Result<Self, Fault> {
        Columns::find(names, contract, map).map_err(|(what, hint)| {
            Fault::new(Blame::Input, format!("{} was not imported: {what}", path.display()), hint)
        })
    }

    /// Finds the columns by their names, or says what is wrong and what to do.
    fn find(names: &[String], contract: &ContractText, map: &Map) -> Result<Self, (String, &'static str)> {
        check_map(names, contract, map)?;
        let mut used = BTreeSet::new();
        let mut missing = Vec::new();
        let has = |ours: &str| names.iter().any(|n| n == map.theirs(ours));
        let mut place = |ours: &str| {
            if let Some(text) = map.constants.get(ours) {
                return Place::Constant(text.clone());
            }
            let at = names.iter().position(|n| n == map.theirs(ours));
            match at {
                Some(at) => _ = used.insert(at),
                None => missing.push(map.theirs(ours).to_owned()),
            }
            Place::Column(at.unwrap_or(0))
        };
        let labelled_anyway = map.labelled_with_occurred() || map.constants.contains_key("labelled_at");
        // A file without any labels is fine; one with labels says when they became known.
        let labels = has("label") || map.columns.contains_key("label") || !labelled_anyway && has("labelled_at");
        let mut columns = Columns {
            width: names.len(),
            event_id: place("event_id"),
            occurred_at: place("occurred_at"),
            model_id: place("model_id"),
            model_version: place("model_version"),
            decision: place("decision"),
            score: contract.score.is_some().then(|| place("score")),
            label: labels.then(|| (place("label"), place("labelled_at"))),
            labelled_anyway,
            attributes: contract.attributes.iter().map(|attribute| place(&attribute.name)).collect(),
            extras: Extras::find(has, &mut place, contract, map),
            ignored: Vec::new(),
        };
        if !missing.is_empty() {
            return Err((format!("it lacks {}; it has {}", list(&missing), list(names)), MISSING_HINT));
        }
        let others = names.iter().enumerate().filter(|(at, name)| !used.contains(at) && !name.is_empty());
        columns.ignored = others.map(|(_, name)| name.clone()).collect();
        Ok(columns)
    }

    /// The current row as an event.
    ///
    /// # Errors
    /// Why it is none.
    pub fn event<T: Table>(&self, rows: &T, contract: &ContractText) -> Result<EventRow, String> {
        if rows.fields() != self.width {
            return Err(format!("{} fields; the header has {}", rows.fields(), self.width));
        }
        let model = self.model_id.of(rows);
        if model != contract.model {
            return Err(format!("model_id \"{}\"; the contract is about \"{}\"", model.escape_debug(), contract.model));
        }
        let score = match (&contract.score, self.score.as_ref().map(|place| place.of(rows)).unwrap_or_default()) {
            (Some(score), text) if !text.is_empty() => {
                let number = number(text, rows.separator());
                let number = number.ok_or_else(|| format!("score \"{}\" is not a number", text.escape_debug()))?;
                Some(quantise(score, number)?)
            }
            _ => None,
        };
        let attributes = contract.attributes.iter().zip(&self.attributes);
        let mut row = EventRow {
            event_id: self.event_id.of(rows).to_owned(),
            occurred_at: Time::parse(self.occurred_at.of(rows)).map_err(|e| format!("occurred_at: {e}"))?,
            model_version: self.model_version.of(rows).to_owned(),
            decision: decided(contract, self.decision.of(rows), score)?,
            score_q: score,
            attributes: attributes.map(|(attribute, place)| attribute_code(attribute, place.of(rows))).collect(),
            outcome: self.outcome(rows, contract)?,
            ..EventRow::default()
        };
        self.extras.add(rows, contract, &mut row)?;
        Ok(row)
    }

    /// The code of a label; a true value may be written with a decimal comma, as scores may.
    fn label_code<T: Table>(&self, text: &str, contract: &ContractText, rows: &T) -> Result<Option<u64>, String> {
        if contract.task != Task::Regression || contract.label.is_none() || text.is_empty() {
            return label_code(contract, text);
        }
        let value = number(text, rows.separator());
        let value = value.ok_or_else(|| format!("label \"{}\" is not a number", text.escape_debug()))?;
        value_code(contract, value).map(Some)
    }

    fn outcome<T: Table>(&self, rows: &T, contract: &ContractText) -> Result<Option<(u64, Time)>, String> {
        let Some((label, labelled_at)) = &self.label else { return Ok(None) };
        match (self.label_code(label.of(rows), contract, rows)?, labelled_at.of(rows)) {
            (None, _) if self.labelled_anyway => Ok(None),
            (None, "") => Ok(None),
            (Some(_), "") => Err("label without labelled_at".to_owned()),
            (None, _) => Err("labelled_at without label".to_owned()),
            (Some(label), time) => Ok(Some((label, Time::parse(time).map_err(|e| format!("labelled_at: {e}"))?))),
        }
    }
}

/// The decision; in a regression one that is blank follows from the predicted value.
fn decided(contract: &ContractText, text: &str, score_q: Option<u64>) -> Result<u8, String> {
    match (contract.task, score_q) {
        (Task::Regression, Some(score_q)) if text.is_empty() => Ok(decision_at(contract, score_q)),
        _ => decision_code(contract, text),
    }
}

/// A number as files write it: with a point, or, where no comma stands between columns, with a decimal comma.
pub(crate) fn number(text: &str, separator: u8) -> Option<f64> {
    let comma = separator != b',' && text.bytes().filter(|byte| *byte == b',').count() == 1 && !text.contains('.');
    if comma { text.replace(',', ".").parse().ok() } else { text.parse().ok() }
}

/// Whether a map speaks of columns that are there.
fn check_map(names: &[String], contract: &ContractText, map: &Map) -> Result<(), (String, &'static str)> {
    let feature = |name: &str| contract.features.iter().any(|feature| feature.name == name);
    let known = |name: &str| {
        COLUMNS.contains(&name) || EXTRAS.contains(&name) || contract.attribute(name).is_some() || feature(name)
    };
    if let Some(stranger) = map.columns.keys().chain(map.constants.keys()).find(|name| !known(name)) {
        let attributes: Vec<_> = contract.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        let all: Vec<_> = COLUMNS.iter().chain(&attributes).collect();
        let what = format!("the map names `{}`; the contract has {}", stranger.escape_debug(), list(&all));
        return Err((what, "in a map, what stands before `=` is the contract's name of a column"));
    }
    if let Some(both) = map.constants.keys().find(|name| names.contains(name)) {
        let what = format!("the map has a constant for `{both}`, and the file has a column of that name");
        return Err((what, "remove the constant, or name that column in [columns] of the map"));
    }
    Ok(())
}

const MISSING_HINT: &str = "names must be those of the contract, capitals included, and a column may be left blank, not left out; \
     for a file with other names, write a map ([columns], our_name = \"their name\"; [constants], our_name = \"text\") \
     and import with --map MAP";
