//! What an event of a model looks like. Written in TOML by people, published as JSON, named by that JSON's digest.

pub mod feature;

pub use feature::{Feature, FeatureType, FeatureValue};

use crate::codec::{Rules, Valid};
use crate::ids::Name;
use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Where an attribute value that the contract does not list is counted.
pub const OTHER: &str = "other";
/// Where an absent attribute value is counted.
pub const UNKNOWN: &str = "unknown";

/// A contract that keeps its rules.
pub type Contract = Valid<ContractText>;

/// The text of a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractText {
    /// Name; with `version`, unique in a federation.
    pub contract: Name,
    /// Version, from 1; a later version replaces an earlier one.
    pub version: u32,
    /// What the model is for, in a line.
    pub title: String,
    /// What kind of output the model gives.
    pub task: Task,
    /// The model's id, as events carry it.
    pub model: String,
    /// The decision and which of its values is favourable to the person concerned.
    pub decision: Decision,
    /// The outcome and which of its values is positive; absent where outcomes are never known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The score's range and bins; absent where the model gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// Unit of events' costs; a cost without it has no meaning to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Attributes of the person concerned, in the order in which events hold their codes.
    #[serde(default, rename = "attribute")]
    pub attributes: Vec<Attribute>,
    /// What the model sees, in the order in which events hold its codes.
    #[serde(default, rename = "feature", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
}

/// Kinds of model output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Two decisions, two labels.
    Binary,
    /// Three classes or more, of which the model decides for one.
    Multiclass,
    /// A value, which the score is; decision and label say on which side of the threshold it lies.
    Regression,
}

/// What the model decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// How data write decision 0 and decision 1, the one called "selected"; all classes in a multiclass task.
    pub values: Vec<String>,
    /// Which of `values` is favourable to the person concerned (METRICS rule P). In a multiclass task it is the one called
    /// "selected", and the positive label.
    pub favourable: String,
    /// Whether the order of a multiclass task's classes means something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// The score from which on the decision is `values[1]`, for sources that send scores without decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// What turns out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// How data write label 0 and label 1; all classes in a multiclass task. In a regression data hold the true value, and
    /// these name what lies below the decision's threshold, and what does not.
    pub values: Vec<String>,
    /// Which of `values` is positive: the second, or in a multiclass task the favourable decision.
    pub positive: String,
}

/// A score's range and resolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Least score.
    pub min: f64,
    /// Greatest score.
    pub max: f64,
    /// Histogram bins, 10 * 2^m, so that halving ends at the ten bins of a reliability diagram.
    #[serde(default = "default_bins")]
    pub bins: u32,
}

fn default_bins() -> u32 {
    1_280
}

/// An attribute of the person concerned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The column's name.
    pub name: String,
    /// Its categories. Events add two codes: `other` (n) and `unknown` (n + 1).
    pub categories: Vec<String>,
}

impl Attribute {
    /// Codes of this attribute: its categories, `other`, `unknown`.
    pub fn codes(&self) -> usize {
        self.categories.len() + 2
    }

    /// The text of a code.
    pub fn category(&self, code: usize) -> &str {
        match code.checked_sub(self.categories.len()) {
            None => &self.categories[code],
            Some(0) => OTHER,
            Some(_) => UNKNOWN,
        }
    }
}

impl ContractText {
    /// The code, 0 or 1, of the favourable decision once classes are told apart as selected or not ([`Self::selected`]).
    pub fn favourable_code(&self) -> usize {
        usize::from(self.decision.favourable == self.selected())
    }

    /// The decision called "selected": the second, or in a multiclass task the favourable one.
    pub fn selected(&self) -> &str {
        match self.task {
            Task::Multiclass => &self.decision.favourable,
            Task::Binary | Task::Regression => self.decision.values.get(1).map_or("", String::as_str),
        }
    }

    /// Number of classes; two where the task is not multiclass.
    pub fn classes(&self) -> usize {
        self.decision.values.len()
    }

    /// The position of the attribute called `name`.
    pub fn attribute(&self, name: &str) -> Option<usize> {
        self.attributes.iter().position(|a| a.name == name)
    }

    /// Names of the journal logs that hold this contract's predictions and outcomes.
    pub fn journal_logs(&self) -> [String; 2] {
        ["predictions", "outcomes"].map(|kind| format!("{kind}/{}", self.journal_key()))
    }

    /// What a journal calls this contract version: `<contract>/<version>`.
    pub fn journal_key(&self) -> String {
        format!("{}/{}", self.contract, self.version)
    }
}

/// Reads a contract that people wrote.
///
/// # Errors
/// The key at fault and what would be right.
pub fn from_toml(text: &str) -> Result<Contract, String> {
    if text.len() > limits::TOML_BYTES {
        return Err(format!("{} bytes of TOML; at most {} are read", text.len(), limits::TOML_BYTES));
    }
    toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
}

impl Rules for ContractText {
    fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("`version` is 0; versions count from 1".to_owned());
        }
        text("title", &self.title)?;
        text("model", &self.model)?;
        self.check_decision()?;
        if let Some(label) = &self.label {
            self.check_label(label)?;
        }
        if let Some(score) = &self.score {
            score.check()?;
        }
        self.check_threshold()?;
        if let Some(currency) = &self.currency {
            text("currency", currency)?;
        }
        if self.attributes.len() > limits::ATTRIBUTES {
            return Err(format!("{} attributes; at most {}", self.attributes.len(), limits::ATTRIBUTES));
        }
        let mut names = BTreeSet::new();
        for attribute in &self.attributes {
            if !names.insert(&attribute.name) {
                return Err(format!("attribute `{}` stands twice", attribute.name));
            }
            attribute.check()?;
        }
        if self.features.len() > limits::FEATURES {
            return Err(format!("{} features; at most {}", self.features.len(), limits::FEATURES));
        }
        let mut names = BTreeSet::new();
        for feature in &self.features {
            if !names.insert(&feature.name) {
                return Err(format!("feature `{}` stands twice", feature.name));
            }
            feature.check()?;
        }
        Ok(())
    }
}

impl ContractText {
    fn check_decision(&self) -> Result<(), String> {
        let Decision { values, favourable, ordered, .. } = &self.decision;
        distinct("decision.values", values, self.task)?;
        one_of("decision.favourable", favourable, values)?;
        if *ordered && self.task != Task::Multiclass {
            return Err("`decision.ordered` is for several classes: `task = \"multiclass\"`".to_owned());
        }
        let threshold = self.decision.threshold.is_some();
        match self.task {
            Task::Multiclass if threshold => Err("`decision.threshold` cuts in two; leave it out of a multiclass task".to_owned()),
            Task::Regression if self.score.is_none() || !threshold => Err(
                "a regression needs `[score]`, the range of predicted and true values, and `decision.threshold`, the value from which on the decision is the second"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn check_label(&self, label: &Label) -> Result<(), String> {
        distinct("label.values", &label.values, self.task)?;
        if self.task == Task::Multiclass {
            if label.values != self.decision.values {
                return Err("`label.values` must be the classes of `decision.values`, in the same order".to_owned());
            }
            if label.positive != self.decision.favourable {
                return Err(format!(
                    "`label.positive` is \"{}\"; in a multiclass task it must be `decision.favourable`, \"{}\": the class that is told from the rest where there is room for one",
                    label.positive, self.decision.favourable
                ));
            }
            return Ok(());
        }
        match label.values.get(1) {
            Some(second) if *second == label.positive => Ok(()),
            second => Err(format!(
                "`label.positive` is \"{}\"; it must be the second of `label.values`, \"{}\" (swap the values)",
                label.positive,
                second.map_or("", String::as_str)
            )),
        }
    }
    fn check_threshold(&self) -> Result<(), String> {
        match (self.decision.threshold, &self.score) {
            (None, _) => Ok(()),
            (Some(_), None) => Err("`decision.threshold` needs a `[score]`".to_owned()),
            (Some(at), Some(score)) if (score.min..=score.max).contains(&at) => Ok(()),
            (Some(at), Some(score)) => {
                Err(format!("`decision.threshold` is {at}; the score's range is {} to {}", score.min, score.max))
            }
        }
    }
}

impl Rules for Score {
    fn check(&self) -> Result<(), String> {
        if !(self.min.is_finite() && self.max.is_finite() && self.min < self.max) {
            return Err(format!("`score.min` {} must be below `score.max` {}", self.min, self.max));
        }
        if !(self.max - self.min).is_normal() {
            return Err(format!(
                "`score.min` {} and `score.max` {} are too far apart, or too near",
                self.min, self.max
            ));
        }
        let whole = self.bins.is_multiple_of(10) && (self.bins / 10).is_power_of_two();
        if !whole || self.bins > limits::SCORE_BINS {
            return Err(format!(
                "`score.bins` is {}; it must be 10 * 2^m, at most {} (for example 1280)",
                self.bins,
                limits::SCORE_BINS
            ));
        }
        Ok(())
    }
}

impl Rules for Attribute {
    fn check(&self) -> Result<(), String> {
        let key = format!("attribute `{}`", self.name);
        text("attribute.name", &self.name)?;
        if self.categories.is_empty() || self.categories.len() > limits::CATEGORIES {
            return Err(format!("{key} has {} categories; 1 to {}", self.categories.len(), limits::CATEGORIES));
        }
        let mut seen = BTreeSet::new();
        for category in &self.categories {
            text(&key, category)?;
            if category == OTHER || category == UNKNOWN {
                return Err(format!("{key} lists `{category}`; it is always there, leave it out"));
            }
            if !seen.insert(category) {
                return Err(format!("{key} lists `{category}` twice"));
            }
        }
        Ok(())
    }
}

/// Checks a free text: not blank, within [`limits::TEXT_CHARS`], no control characters, no space at its ends.
pub(crate) fn text(key: &str, value: &str) -> Result<(), String> {
    if value.trim() != value || value.is_empty() {
        return Err(format!(
            "`{key}` is \"{}\"; it must not be blank or begin or end with a space",
            value.escape_debug()
        ));
    }
    if value.chars().count() > limits::TEXT_CHARS || value.chars().any(char::is_control) {
        return Err(format!("`{key}` must be at most {} characters without control characters", limits::TEXT_CHARS));
    }
    Ok(())
}

fn distinct(key: &str, values: &[String], task: Task) -> Result<(), String> {
    let expected = match task {
        Task::Multiclass => 3..=limits::CLASSES,
        Task::Binary | Task::Regression => 2..=2,
    };
    if !expected.contains(&values.len()) {
        let of = match task {
            Task::Multiclass => format!("a multiclass task has 3 to {}", limits::CLASSES),
            Task::Binary | Task::Regression => "this task has 2".to_owned(),
        };
        return Err(format!("`{key}` holds {} values; {of}", values.len()));
    }
    let mut seen = BTreeSet::new();
    for value in values {
        text(key, value)?;
        if !seen.insert(value) {
            return Err(format!("`{key}` holds \"{value}\" twice; different values are needed"));
        }
    }
    Ok(())
}

fn one_of(key: &str, value: &str, values: &[String]) -> Result<(), String> {
    if values.iter().any(|v| v == value) {
        return Ok(());
    }
    let known: Vec<_> = values.iter().map(|value| format!("\"{value}\"")).collect();
    Err(format!("`{key}` is \"{value}\"; it must be {}", known.join(" or ")))
}

#[cfg(test)]
pub(crate) mod tests;
