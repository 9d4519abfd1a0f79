//! Features of a prediction: what a contract expects of them, their codes, and the form in which they are hashed.
//!
//! Raw values are not journaled: a code says which bin a value is in, and an HMAC over the canonical form lets the site
//! show later that certain values are those of an event (`schemas/features.md`).

use super::text;
use crate::codec::Rules;
use crate::limits;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// A feature that a contract lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// What data call it. It may have the name of an attribute: an event carries both.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub kind: FeatureType,
    /// Least value of a number or an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest value of a number or an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Inner edges of the bins of a number or an integer, ascending between `min` and `max`. Bins are right-closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// Values of a category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub missing: bool,
}

/// What a feature's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureType {
    /// A finite number.
    Number,
    /// A whole number.
    Integer,
    /// One of the texts that the contract lists.
    Category,
    /// True or false.
    Boolean,
    /// Any text: hashed, but all in one bin.
    Text,
}

/// A value as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum FeatureValue<'a> {
    /// A number that was not written as an integer.
    Number(f64),
    /// An integer.
    Integer(i64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'a str),
    /// None.
    #[default]
    Missing,
}

impl Feature {
    /// Number of its bins.
    pub fn bins(&self) -> usize {
        match self.kind {
            FeatureType::Number | FeatureType::Integer => self.edges.len() + 1,
            FeatureType::Category => self.categories.len(),
            FeatureType::Boolean => 2,
            FeatureType::Text => 1,
        }
    }

    /// Number of its codes: its bins, missing, violation.
    pub fn codes(&self) -> usize {
        self.bins() + 2
    }

    /// Code of a value that is absent and may be.
    pub fn missing_code(&self) -> u16 {
        narrow(self.bins())
    }

    /// Code of a value that breaks the contract: of another type, outside the range, not listed, or absent.
    pub fn violation_code(&self) -> u16 {
        narrow(self.bins() + 1)
    }

    /// What a column of text holds: a CSV file does not tell numbers from text, and says nothing where a value is missing.
    pub fn value_of_text<'a>(&self, text: &'a str) -> FeatureValue<'a> {
        let number = || text.parse().map(FeatureValue::Number);
        match (self.kind, text) {
            (_, "") => FeatureValue::Missing,
            (FeatureType::Number | FeatureType::Integer, _) => {
                text.parse().map(FeatureValue::Integer).or_else(|_| number()).unwrap_or(FeatureValue::Text(text))
            }
            (FeatureType::Boolean, "true") => FeatureValue::Bool(true),
            (FeatureType::Boolean, "false") => FeatureValue::Bool(false),
            _ => FeatureValue::Text(text),
        }
    }

    fn bin(&self, value: FeatureValue) -> Option<usize> {
        match (self.kind, whole(value)) {
            (FeatureType::Number, FeatureValue::Number(number)) => self.bin_of_number(number),
            (FeatureType::Number | FeatureType::Integer, FeatureValue::Integer(integer)) => {
                // Ends and edges of an integer are at most 2^53 away from 0, so that rounding cannot cross them.
                let far = self.kind == FeatureType::Integer && integer.unsigned_abs() > EXACT;
                if far { None } else { self.bin_of_number(integer as f64) }
            }
            (FeatureType::Category, FeatureValue::Text(text)) => self.categories.iter().position(|c| c == text),
            (FeatureType::Boolean, FeatureValue::Bool(value)) => Some(usize::from(value)),
            (FeatureType::Text, FeatureValue::Text(_)) => Some(0),
            _ => None,
        }
    }

    fn bin_of_number(&self, value: f64) -> Option<usize> {
        let inside = self.min.is_some_and(|min| value >= min) && self.max.is_some_and(|max| value <= max);
        inside.then(|| self.edges.partition_point(|edge| *edge < value))
    }
}

/// Code of a value: its bin, or missing, or violation. With b bins: 0 to b - 1, b, b + 1.
pub fn code(feature: &Feature, value: FeatureValue) -> u16 {
    match feature.bin(value) {
        Some(bin) => narrow(bin),
        None if value == FeatureValue::Missing && feature.missing => feature.missing_code(),
        None => feature.violation_code(),
    }
}

/// Writes the canonical form of values, one for each feature of the contract in its order, absent ones as
/// [`FeatureValue::Missing`]. The form depends on the values alone, so that 41 and 41.0 have the same.
///
/// # Errors
/// Those of `out`.
pub fn canonical(values: &[FeatureValue], out: &mut impl Write) -> fmt::Result {
    values.iter().try_for_each(|value| match whole(*value) {
        FeatureValue::Missing => out.write_str("-\n"),
        FeatureValue::Bool(value) => out.write_str(if value { "b 1\n" } else { "b 0\n" }),
        FeatureValue::Integer(value) => writeln!(out, "i {value}"),
        FeatureValue::Number(value) if value.is_nan() => out.write_str("x nan\n"),
        FeatureValue::Number(value) if value.is_infinite() => {
            out.write_str(if value > 0.0 { "x inf\n" } else { "x -inf\n" })
        }
        FeatureValue::Number(value) => writeln!(out, "n {value:e}"),
        FeatureValue::Text(text) => {
            write!(out, "t {} ", text.len())?;
            out.write_str(text)?;
            out.write_str("\n")
        }
    })
}

/// SHA-256 of the canonical form of values, without holding the form.
pub fn digest(values: &[FeatureValue]) -> [u8; 32] {
    let mut hash = Hash(Sha256::new());
    // A hash takes whatever is written to it.
    match canonical(values, &mut hash) {
        Ok(()) | Err(fmt::Error) => hash.0.finalize().into(),
    }
}

struct Hash(Sha256);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

/// A number that an `i64` holds exactly becomes one: data write 41 and 41.0 for the same value.
fn whole(value: FeatureValue) -> FeatureValue {
    match value {
        FeatureValue::Number(number) if number.fract() == 0.0 && (-END..END).contains(&number) => {
            FeatureValue::Integer(number as i64)
        }
        other => other,
    }
}

impl Rules for Feature {
    fn check(&self) -> Result<(), String> {
        text("feature.name", &self.name)?;
        let key = format!("feature `{}`", self.name);
        let numeric = matches!(self.kind, FeatureType::Number | FeatureType::Integer);
        let category = self.kind == FeatureType::Category;
        let surplus = [
            ("min", self.min.is_some() && !numeric),
            ("max", self.max.is_some() && !numeric),
            ("edges", !self.edges.is_empty() && !numeric),
            ("categories", !self.categories.is_empty() && !category),
        ];
        if let Some((name, _)) = surplus.iter().find(|(_, surplus)| *surplus) {
            return Err(format!("{key} has `{name}`, which its type does not know; leave it out"));
        }
        match self.kind {
            FeatureType::Number | FeatureType::Integer => self.check_range(&key),
            FeatureType::Category => self.check_categories(&key),
            FeatureType::Boolean | FeatureType::Text => Ok(()),
        }
    }
}

impl Feature {
    fn check_range(&self, key: &str) -> Result<(), String> {
        let (Some(min), Some(max)) = (self.min, self.max) else {
            return Err(format!("{key} needs `min` and `max`"));
        };
        if !(min.is_finite() && max.is_finite() && min < max) {
            return Err(format!("{key}: `min` {min} must be below `max` {max}"));
        }
        if self.edges.len() > limits::EDGES {
            return Err(format!("{key} has {} edges; at most {}", self.edges.len(), limits::EDGES));
        }
        let mut last = min;
        for &edge in &self.edges {
            if !(last < edge && edge < max) {
                return Err(format!("{key}: `edges` must ascend between `min` and `max`; {edge} does not"));
            }
            last = edge;
        }
        let exact = |value: &f64| value.fract() == 0.0 && value.abs() <= EXACT as f64;
        let mut all = [min, max].into_iter().chain(self.edges.iter().copied());
        match all.find(|value| self.kind == FeatureType::Integer && !exact(value)) {
            Some(value) => Err(format!("{key}: {value} is no integer, or beyond 2^53")),
            None => Ok(()),
        }
    }

    fn check_categories(&self, key: &str) -> Result<(), String> {
        if self.categories.is_empty() || self.categories.len() > limits::CATEGORIES {
            return Err(format!("{key} has {} categories; 1 to {}", self.categories.len(), limits::CATEGORIES));
        }
        let mut seen = BTreeSet::new();
        for category in &self.categories {
            text(key, category)?;
            if !seen.insert(category) {
                return Err(format!("{key} lists `{category}` twice"));
            }
        }
        Ok(())
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Limits keep codes far below 2^16.
fn narrow(code: usize) -> u16 {
    u16::try_from(code).unwrap_or(u16::MAX)
}

/// Up to here every integer is a 64-bit floating-point number.
const EXACT: u64 = 1 << 53;
/// 2^63: the first number above every `i64`.
const END: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests;
