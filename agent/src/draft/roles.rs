//! Which column is what: by its name, or one that people often give it, and only if what it holds fits.

use super::look::{Column, Table, VALUES, fault, shown};
use crate::import::columns::list;
use crate::import::map::{COLUMNS, Map};
use fedaudit_core::fault::Fault;
use std::collections::BTreeSet;

/// What was found.
pub(super) struct Roles {
    /// The map that an import needs; without entries if all columns are called as in a contract.
    pub map: Map,
    /// Our columns, and where each was found, in words.
    pub said: Vec<(&'static str, String)>,
    /// Their columns that are spoken for.
    pub taken: BTreeSet<String>,
    /// Whether there are scores, and labels.
    pub score: bool,
    pub label: bool,
}

/// Why our column was not found.
struct Missing {
    why: String,
    /// One of exactly this name is there, and holds something else.
    misfit: bool,
}

/// Finds all columns; what `given` says is taken as said.
pub(super) fn find(table: &Table, given: &Map) -> Result<Roles, Fault> {
    let (map, said, taken) = (given.clone(), Vec::new(), BTreeSet::new());
    let mut roles = Roles { map, said, taken, score: false, label: false };
    let mut missing = Vec::new();
    for ours in ["event_id", "occurred_at", "decision"] {
        if let Err(lack) = roles.find(table, given, ours) {
            missing.push(format!("{ours}: {}", lack.why));
        }
    }
    roles.labels(table, given, &mut missing);
    match roles.find(table, given, "score") {
        Ok(()) => roles.score = true,
        Err(lack) => roles.say("score", format!("none: {}", lack.why)),
    }
    for (ours, text) in [("model_id", MODEL), ("model_version", VERSION)] {
        match roles.find(table, given, ours) {
            Ok(()) => {}
            Err(lack) if lack.misfit => missing.push(format!("{ours}: {}", lack.why)),
            Err(lack) => {
                roles.say(ours, format!("\"{text}\" for every event, by map.toml: {}", lack.why));
                roles.map.constants.insert(ours.to_owned(), text.to_owned());
            }
        }
    }
    roles.said.sort_by_key(|(ours, _)| COLUMNS.iter().position(|column| column == ours));
    match missing[..] {
        [] => Ok(roles),
        _ => Err(fault(&format!("{}; the files have {}", missing.join("; "), table.names()), MISSING_HINT)),
    }
}

impl Roles {
    fn say(&mut self, ours: &'static str, what: String) {
        self.said.push((ours, what));
    }

    /// The column that is `ours`.
    pub fn column<'a>(&self, table: &'a Table, ours: &str) -> Option<&'a Column> {
        table.column(self.map.theirs(ours)).filter(|_| !self.map.constants.contains_key(ours))
    }

    /// Label and labelled_at: both, or neither.
    fn labels(&mut self, table: &Table, given: &Map, missing: &mut Vec<String>) {
        let lack = self.find(table, given, "label").err();
        self.label = lack.is_none();
        if let Some(lack) = lack {
            let blank = table.column("label").is_some_and(|column| column.filled == 0);
            let half = table.column("label").is_some() != table.column("labelled_at").is_some();
            if !blank && (lack.misfit || half) {
                missing.push(format!("label: {}", lack.why));
                return;
            }
            self.say("label", format!("none: {}", lack.why));
            if half {
                // An import asks for the time of labels where a column for them is, even a blank one.
                let theirs = self.map.theirs("occurred_at").to_owned();
                self.map.columns.insert("labelled_at".to_owned(), theirs);
            }
            return;
        }
        let Err(lack) = self.find(table, given, "labelled_at") else { return };
        if lack.misfit && table.column("labelled_at").is_some_and(|column| column.filled > 0) {
            missing.push(format!("labelled_at: {}", lack.why));
            return;
        }
        let theirs = self.map.theirs("occurred_at").to_owned();
        self.say(
            "labelled_at",
            format!(
                "`{}`, by map.toml: each label counts as known when its event occurred; {}",
                shown(&theirs),
                lack.why
            ),
        );
        self.map.columns.insert("labelled_at".to_owned(), theirs);
    }

    /// Finds `ours` and says where.
    fn find(&mut self, table: &Table, given: &Map, ours: &'static str) -> Result<(), Missing> {
        if let Some(text) = given.constants.get(ours) {
            self.say(ours, format!("\"{}\" for every event, as the map says", shown(text)));
            return Ok(());
        }
        if let Some(theirs) = given.columns.get(ours) {
            let why = match table.column(theirs) {
                Some(column) if table.everywhere(column) => match fits(ours, column) {
                    Ok(()) => return self.take(ours, column, "as the map says"),
                    Err(why) => format!("the map says `{}`; {why}", shown(theirs)),
                },
                _ => format!("the map says `{}`, which is not in every file", shown(theirs)),
            };
            return Err(Missing { why, misfit: true });
        }
        let named: Vec<_> = table.columns.iter().filter(|column| is_called(ours, &column.name)).collect();
        let mut why = "no column is called that, or what others call it".to_owned();
        let mut misfit = false;
        for (rank, column) in ranked(ours, &named) {
            let exact = column.name == ours;
            let partly = exact && ours.starts_with("label");
            if self.taken.contains(&column.name) {
                continue;
            }
            let found = match table.everywhere(column) || partly {
                true => fits(ours, column),
                false => Err("is not in every file".to_owned()),
            };
            match found {
                Ok(()) if rank == 0 => return self.take(ours, column, "as named"),
                Ok(()) => return self.take(ours, column, "another name for it: map.toml says so"),
                Err(reason) if !misfit => {
                    why = format!("column `{}` {reason}", shown(&column.name));
                    misfit = exact;
                }
                Err(_) => {}
            }
            if exact && column.filled > 0 {
                // A file's own column of this name would be read by an import: no other can stand for it unseen.
                break;
            }
        }
        Err(Missing { why, misfit })
    }

    fn take(&mut self, ours: &'static str, column: &Column, why: &str) -> Result<(), Missing> {
        self.taken.insert(column.name.clone());
        self.say(ours, format!("column `{}`, {why}", shown(&column.name)));
        if column.name != ours {
            self.map.columns.insert(ours.to_owned(), column.name.clone());
        }
        Ok(())
    }
}

/// Whether what a column holds can be `ours`; why not.
fn fits(ours: &str, column: &Column) -> Result<(), String> {
    if column.filled == 0 {
        return Err("is blank".to_owned());
    }
    let distinct = column.values.len();
    match ours {
        "event_id" if column.name != ours && !column.many && (distinct * column.files) < column.filled as usize => {
            Err("has the same value in several rows".to_owned())
        }
        "occurred_at" | "labelled_at" if column.times.read == 0 => {
            let first = column.times.first_unread.clone().unwrap_or_default();
            Err(format!("holds no time that can be read ({first})"))
        }
        "decision" | "label" if column.many || distinct > 2 => {
            let some: Vec<_> = column.values.keys().take(4).map(|value| shown(value)).collect();
            Err(format!("has more than two different values ({}, ...)", list(&some)))
        }
        "score" if column.numbers.read == 0 || column.numbers.unread > column.numbers.read => {
            let first = column.numbers.first_unread.clone().unwrap_or_default();
            Err(format!("holds no numbers ({first})"))
        }
        "model_id" | "model_version" if column.many => Err(format!("has more than {VALUES} different values")),
        _ => Ok(()),
    }
}

/// Columns that may be `ours`, the likeliest first; 0 is one of exactly this name.
fn ranked<'a>(ours: &str, named: &[&'a Column]) -> Vec<(usize, &'a Column)> {
    let mut ranked: Vec<_> = named
        .iter()
        .map(|column| {
            let plain = plain(&column.name);
            let alias = aliases(ours).iter().position(|alias| *alias == plain).map_or(1, |at| at + 2);
            (if column.name == ours { 0 } else { alias }, *column)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
}

fn is_called(ours: &str, name: &str) -> bool {
    let plain = plain(name);
    plain == ours || aliases(ours).contains(&plain.as_str())
}

/// A name in lower case with `_` between its words.
pub(super) fn plain(name: &str) -> String {
    let name: String = name.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    name.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

/// What others call a column, the likeliest first.
fn aliases(ours: &str) -> Vec<&'static str> {
    let names = match ours {
        "event_id" => {
            "prediction_id id decision_id case_id application_id request_id record_id row_id uuid event eventid \
             predictionid caseid case_number index"
        }
        "occurred_at" => {
            "timestamp predicted_at prediction_time decided_at decision_time decision_date scored_at event_time datetime \
             date_time time date prediction_date created_at ts"
        }
        "model_id" => "model model_name",
        "model_version" => "version model_ver modelversion",
        "score" => {
            "risk_score probability model_score prediction_score predicted_probability prob proba y_score y_prob y_proba \
             risk confidence p prediction y_pred output"
        }
        "decision" => {
            "prediction predicted decided y_pred predicted_label predicted_class model_decision approved accepted \
             admitted selected hired granted result"
        }
        "label" => "outcome y_true target ground_truth actual true_label truth observed y actual_outcome",
        "labelled_at" => {
            "labeled_at outcome_at outcome_time outcome_date label_time label_date observed_at labelled_on \
             outcome_timestamp label_timestamp"
        }
        _ => "",
    };
    names.split_whitespace().collect()
}

/// What stands for a model's id and version where no column says them.
const MODEL: &str = "model";
const VERSION: &str = "v1";
const MISSING_HINT: &str = "every event needs an id of its own, a time with its zone, and a decision of two values: add or mend the \
     column; or, if it is there under another name, write a map ([columns], our_name = \"their name\") and draft with --map MAP; \
     a contract of several classes, or of a predicted value, is written by hand (schemas/documents.md)";

#[cfg(test)]
mod tests;
