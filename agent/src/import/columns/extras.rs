//! What a file may say of events beside what every file must: features by the contract, the rest where the map names it.

use super::Place;
use super::number;
use crate::import::map::{EXTRAS, Map};
use crate::import::table::Table;
use crate::journal::EventRow;
use fedaudit_core::contract::ContractText;
use fedaudit_core::contract::feature::{FeatureType, FeatureValue, code, digest};
use fedaudit_core::event::quantise;
use fedaudit_core::ids::Digest;

/// Places of what a file says beside.
pub(super) struct Extras {
    /// In the contract's order; empty where the file has no column of a feature.
    features: Vec<Place>,
    /// Name, one of [`EXTRAS`], and place.
    named: Vec<(&'static str, Place)>,
}

impl Extras {
    /// Finds them. A file has the columns of all features, or of none: one that lacks some would look as if their values
    /// were missing.
    pub fn find(
        has: impl Fn(&str) -> bool,
        place: &mut dyn FnMut(&str) -> Place,
        contract: &ContractText,
        map: &Map,
    ) -> Self {
        let any = contract.features.iter().any(|feature| has(&feature.name));
        let features = contract.features.iter().filter(|_| any).map(|feature| place(&feature.name)).collect();
        let named = EXTRAS.into_iter().filter(|name| map.names(name));
        Extras { features, named: named.map(|name| (name, place(name))).collect() }
    }

    /// Adds to a row what the current row of the file says beside.
    pub fn add<T: Table>(&self, rows: &T, contract: &ContractText, row: &mut EventRow) -> Result<(), String> {
        if !self.features.is_empty() {
            let values = contract.features.iter().zip(&self.features);
            let values: Vec<_> = values
                .map(|(feature, place)| {
                    let text = place.of(rows);
                    // Numbers with a decimal comma are numbers here as well.
                    match feature.value_of_text(text) {
                        FeatureValue::Text(_) if feature.kind != FeatureType::Category => {
                            number(text, rows.separator()).map_or(FeatureValue::Text(text), FeatureValue::Number)
                        }
                        value => value,
                    }
                })
                .collect();
            row.features =
                contract.features.iter().zip(&values).map(|(feature, value)| code(feature, *value)).collect();
            row.canonical = Some(digest(&values));
        }
        for (name, place) in &self.named {
            let text = place.of(rows);
            if !text.is_empty() {
                take(name, text, rows.separator(), contract, row)?;
            }
        }
        Ok(())
    }
}

fn take(name: &str, text: &str, separator: u8, contract: &ContractText, row: &mut EventRow) -> Result<(), String> {
    let wrong = |what: &str| format!("{name} \"{}\" is not {what}", text.escape_debug());
    let number = || number(text, separator).ok_or_else(|| wrong("a number"));
    let count = || text.parse().map(Some).map_err(|_| wrong("a number of tokens"));
    let hash = || Digest::from_hex(text).map(Some).ok_or_else(|| wrong("64 lowercase hexadecimal digits"));
    let scaled = |unit: f64| match (number()? * unit).round() {
        value if (0.0..=EXACT).contains(&value) => Ok(Some(value as u64)),
        _ => Err(wrong("within its range, from 0 on")),
    };
    match name {
        "subject" => row.subject = Some(text.to_owned()),
        "caller" => row.caller = Some(text.to_owned()),
        "risk_tier" => row.risk_tier = Some(text.to_owned()),
        "explanation" => row.explanation = Some(text.to_owned()),
        "threshold" => {
            let range = contract.score.as_ref().ok_or_else(|| wrong("possible: the contract has no [score]"))?;
            row.threshold_q = Some(quantise(range, number()?).map_err(|e| e.replacen("score", "threshold", 1))?);
        }
        "model_digest" => row.model_digest = hash()?,
        "dataset_digest" => row.dataset_digest = hash()?,
        "latency_ms" => row.latency_us = scaled(1e3)?,
        "cost" => row.cost_micros = scaled(1e6)?,
        "tokens_in" => row.tokens_in = count()?,
        _ => row.tokens_out = count()?,
    }
    Ok(())
}

/// Integers up to here are exact as floating-point numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;
