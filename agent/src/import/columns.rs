//! Which column of a file is what, and a row as an event.

use super::rows::{Next, Rows, Source};
use crate::journal::EventRow;
use fedaudit_core::contract::ContractText;
use fedaudit_core::event::{ABSENT, attribute_code, decision_code, label_code, quantise};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::Time;
use std::collections::BTreeSet;
use std::path::Path;

/// Positions of the columns that count.
pub(super) struct Columns {
    width: usize,
    event_id: usize,
    occurred_at: usize,
    model_id: usize,
    model_version: usize,
    decision: usize,
    score: Option<usize>,
    /// Label, and when it became known.
    label: Option<(usize, usize)>,
    /// In the contract's order.
    attributes: Vec<usize>,
    /// Names of the others.
    pub ignored: Vec<String>,
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// A column is missing or stands twice, or the file is not CSV in UTF-8.
    pub fn read<S: Source>(rows: &mut Rows<S>, contract: &ContractText, path: &Path) -> Result<Self, Fault> {
        let refuse = |what: &str, hint: &str| {
            Fault::new(Blame::Input, format!("{} was not imported: {what}", path.display()), hint)
        };
        rows.skip_mark()?;
        let utf16 = rows.peek().starts_with(&[0xff, 0xfe]) || rows.peek().starts_with(&[0xfe, 0xff]);
        match rows.next()? {
            Next::Row => {}
            Next::End => return Err(refuse("it is empty", "its first line must name the columns")),
            Next::Bad(_) if utf16 => return Err(refuse("it is UTF-16", "save it as UTF-8")),
            Next::Bad(reason) => {
                return Err(refuse(&format!("its first line is no header: {reason}"), "save it as CSV in UTF-8"));
            }
        }
        let names: Vec<String> = (0..rows.fields()).map(|at| rows.field(at).to_owned()).collect();
        if let [only] = &names[..]
            && let Some(separator) =
                [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")].iter().find(|s| only.contains(s.0))
        {
            let what = format!("its columns seem to be separated by {}", separator.1);
            return Err(refuse(&what, "save it with commas between the columns"));
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
            let what = format!("column `{}` stands twice", twice.escape_debug());
            return Err(refuse(&what, "rename or remove one of them"));
        }
        Columns::find(&names, contract).map_err(|missing| {
            let list = |names: &[String]| {
                names.iter().map(|n| format!("`{}`", n.escape_debug())).collect::<Vec<_>>().join(", ")
            };
            let what = format!("it lacks {}; it has {}", list(&missing), list(&names));
            let hint =
                "names must be those of the contract, capitals included; a column may be left blank, not left out";
            refuse(&what, hint)
        })
    }

    /// Finds the columns by their names, or says which are missing.
    fn find(names: &[String], contract: &ContractText) -> Result<Self, Vec<String>> {
        let mut used = BTreeSet::new();
        let mut missing = Vec::new();
        let mut column = |name: &str| {
            let at = names.iter().position(|n| n == name);
            match at {
                Some(at) => _ = used.insert(at),
                None => missing.push(name.to_owned()),
            }
            at.unwrap_or(0)
        };
        let mut columns = Columns {
            width: names.len(),
            event_id: column("event_id"),
            occurred_at: column("occurred_at"),
            model_id: column("model_id"),
            model_version: column("model_version"),
            decision: column("decision"),
            score: contract.score.is_some().then(|| column("score")),
            label: None,
            attributes: contract.attributes.iter().map(|attribute| column(&attribute.name)).collect(),
            ignored: Vec::new(),
        };
        if ["label", "labelled_at"].iter().any(|name| names.iter().any(|n| n == name)) {
            columns.label = Some((column("label"), column("labelled_at")));
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let others = names.iter().enumerate().filter(|(at, name)| !used.contains(at) && !name.is_empty());
        columns.ignored = others.map(|(_, name)| name.clone()).collect();
        Ok(columns)
    }

    /// The current row as an event.
    ///
    /// # Errors
    /// Why it is none.
    pub fn event<S: Source>(&self, rows: &Rows<S>, contract: &ContractText) -> Result<EventRow, String> {
        if rows.fields() != self.width {
            return Err(format!("{} fields; the header has {}", rows.fields(), self.width));
        }
        let model = rows.field(self.model_id);
        if model != contract.model {
            return Err(format!("model_id \"{}\"; the contract is about \"{}\"", model.escape_debug(), contract.model));
        }
        let score = match (&contract.score, self.score.map(|at| rows.field(at)).unwrap_or_default()) {
            (Some(score), text) if !text.is_empty() => {
                let number = text.parse::<f64>();
                let number = number.map_err(|_| format!("score \"{}\" is not a number", text.escape_debug()))?;
                Some(quantise(score, number)?)
            }
            _ => None,
        };
        let attributes = contract.attributes.iter().zip(&self.attributes);
        Ok(EventRow {
            event_id: rows.field(self.event_id).to_owned(),
            occurred_at: Time::parse(rows.field(self.occurred_at)).map_err(|e| format!("occurred_at: {e}"))?,
            model_version: rows.field(self.model_version).to_owned(),
            decision: decision_code(contract, rows.field(self.decision))?,
            score_q: score,
            attributes: attributes.map(|(attribute, at)| attribute_code(attribute, rows.field(*at))).collect(),
            outcome: self.outcome(rows, contract)?,
        })
    }

    fn outcome<S: Source>(&self, rows: &Rows<S>, contract: &ContractText) -> Result<Option<(u8, Time)>, String> {
        let Some((label, labelled_at)) = self.label else { return Ok(None) };
        let label = label_code(contract, rows.field(label))?;
        match rows.field(labelled_at) {
            "" if label == ABSENT => Ok(None),
            "" => Err("label without labelled_at".to_owned()),
            _ if label == ABSENT => Err("labelled_at without label".to_owned()),
            time => Ok(Some((label, Time::parse(time).map_err(|e| format!("labelled_at: {e}"))?))),
        }
    }
}
