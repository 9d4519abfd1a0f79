//! A map: how a file calls the columns that a contract calls otherwise, and what stands for columns that it lacks.

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits::TOML_BYTES;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Columns of every contract's files, attributes apart.
pub(crate) const COLUMNS: [&str; 8] =
    ["event_id", "occurred_at", "model_id", "model_version", "score", "decision", "label", "labelled_at"];

/// Columns that a file may have, and that are read if the map names them: others call many things so.
pub(crate) const EXTRAS: [&str; 11] = [
    "subject",
    "caller",
    "risk_tier",
    "explanation",
    "threshold",
    "model_digest",
    "dataset_digest",
    "latency_ms",
    "cost",
    "tokens_in",
    "tokens_out",
];

/// What a file's columns are called; without entries, as the contract calls them.
///
/// In TOML: `[columns]`, our column = "their column"; `[constants]`, our column = "what stands in each row" of a file
/// without that column. `labelled_at` may be read from the column of `occurred_at`: each label then counts as known at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Map {
    /// Our column to theirs.
    pub columns: BTreeMap<String, String>,
    /// Our column to the text of every row.
    pub constants: BTreeMap<String, String>,
}

impl Map {
    /// Reads a map that people wrote.
    ///
    /// # Errors
    /// The key at fault and what would be right.
    pub fn from_toml(text: &str) -> Result<Map, String> {
        if text.len() > TOML_BYTES {
            return Err(format!("{} bytes of TOML; at most {TOML_BYTES} are read", text.len()));
        }
        let map: Map = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
        map.check()?;
        Ok(map)
    }

    /// Reads a map from a file.
    ///
    /// # Errors
    /// A file that cannot be read, or as for [`Map::from_toml`].
    pub fn open(path: &Path) -> Result<Map, Fault> {
        let fault = |e: String, hint: &str| Fault::new(Blame::Input, format!("{}: {e}", path.display()), hint);
        let text = std::fs::read_to_string(path).map_err(|e| fault(e.to_string(), "check the path of the map"))?;
        Map::from_toml(&text).map_err(|e| {
            fault(e, "a map has [columns], with our column = \"their column\", and [constants], our column = \"text\"")
        })
    }

    /// Whether it says where our column is.
    pub fn names(&self, ours: &str) -> bool {
        self.columns.contains_key(ours) || self.constants.contains_key(ours)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(both) = self.constants.keys().find(|name| self.columns.contains_key(*name)) {
            return Err(format!("`{both}` is in [columns] and in [constants]; leave one out"));
        }
        if let Some(varies) = self.constants.keys().find(|name| VARY.contains(&name.as_str())) {
            return Err(format!("`{varies}` is in [constants]; it is a column's, not the same for all events"));
        }
        for (name, value) in self.columns.iter().chain(&self.constants) {
            if value.trim() != value || value.is_empty() {
                return Err(format!("`{name}` is \"{}\"; no blanks at its ends", value.escape_debug()));
            }
        }
        let mut taken = BTreeSet::new();
        let shared = self.labelled_with_occurred();
        for (name, theirs) in self.columns.iter().filter(|(name, _)| !(shared && *name == "labelled_at")) {
            if !taken.insert(theirs) {
                let theirs = theirs.escape_debug();
                return Err(format!("`{name}` is \"{theirs}\", as another is; only labelled_at and occurred_at share"));
            }
        }
        Ok(())
    }

    /// What the file calls our column.
    pub fn theirs<'a>(&'a self, ours: &'a str) -> &'a str {
        self.columns.get(ours).map_or(ours, String::as_str)
    }

    /// Whether a label counts as known when its event occurred.
    pub fn labelled_with_occurred(&self) -> bool {
        self.columns.contains_key("labelled_at") && self.theirs("labelled_at") == self.theirs("occurred_at")
    }
}

/// Columns for which no constant can stand.
const VARY: [&str; 4] = ["event_id", "score", "decision", "label"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_strictly() {
        let map = Map::from_toml(
            "[columns]\nevent_id = \"id\"\noccurred_at = \"when\"\nlabelled_at = \"when\"\n[constants]\nmodel_version = \"v1\"",
        );
        let map = map.expect("a map");
        assert_eq!((map.theirs("event_id"), map.theirs("score")), ("id", "score"));
        assert!(map.labelled_with_occurred());
        // Without an entry, `occurred_at` is the name of the column itself.
        assert!(Map::from_toml("[columns]\nlabelled_at = \"occurred_at\"").expect("a map").labelled_with_occurred());
        assert_eq!(Map::from_toml(""), Ok(Map::default()));
        let cases = [
            ("[column]\na = \"b\"", "unknown field `column`"),
            ("[columns]\na = 1", "expected a string"),
            ("[columns]\na = \"b\"\na = \"c\"", "duplicate key"),
            ("[columns]\na = \"b\"\n[constants]\na = \"c\"", "`a` is in [columns] and in [constants]"),
            ("[constants]\nevent_id = \"1\"", "`event_id` is in [constants]"),
            ("[columns]\na = \" b\"", "no blanks at its ends"),
            ("[columns]\na = \"\"", "no blanks at its ends"),
            ("[columns]\ndecision = \"x\"\nlabel = \"x\"", "`label` is \"x\", as another is"),
        ];
        for (text, expected) in cases {
            let error = Map::from_toml(text).expect_err(expected);
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
