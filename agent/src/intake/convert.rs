//! Rows of a model server's bodies in codes of a contract.

use super::contracts::Known;
use super::json::coded;
use super::limits::EVENTS_PER_REQUEST;
use super::pair::{Answered, Asked};
use super::scalar::Scalar;
use super::served::Row;
use fedaudit_core::contract::FeatureValue;
use fedaudit_core::event::{ABSENT, SCORE_ONE, attribute_code, decision_at, decision_code, label_code, quantise};

/// The instances of a request: features in the contract's order, or by their names. An attribute is taken from the value
/// of its name, and is `unknown` where there is none.
pub(super) fn asked(known: &Known, rows: Vec<Row>) -> Result<Vec<Asked>, String> {
    check_count(&rows)?;
    rows.into_iter().map(|row| instance(known, row)).collect()
}

/// A message is one request, whatever it holds.
pub(super) fn check_count(rows: &[Row]) -> Result<(), String> {
    match rows.len() {
        many if many > EVENTS_PER_REQUEST => Err(format!("{many} instances; at most {EVENTS_PER_REQUEST}")),
        _ => Ok(()),
    }
}

fn instance(known: &Known, row: Row) -> Result<Asked, String> {
    let features = &known.contract.features;
    let pairs: Vec<(&str, Scalar)> = match &row {
        // A lone value may be called anything.
        Row::Named(pairs) if pairs.len() == 1 && features.len() == 1 => features
            .iter()
            .map(|feature| feature.name.as_str())
            .zip(pairs.iter().map(|(_, value)| value.clone()))
            .collect(),
        Row::Named(pairs) => pairs.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
        Row::Ordered(values) if features.is_empty() || values.len() == features.len() => {
            features.iter().map(|feature| feature.name.as_str()).zip(values.iter().cloned()).collect()
        }
        Row::Ordered(values) => {
            return Err(format!(
                "an instance of {} values; the contract lists {} features",
                values.len(),
                features.len()
            ));
        }
    };
    let mut values = vec![FeatureValue::Missing; features.len()];
    for (nth, (name, scalar)) in pairs.iter().enumerate() {
        if let Some(slot) = known.feature(nth, name).and_then(|at| values.get_mut(at)) {
            *slot = scalar.value();
        }
    }
    let (codes, canonical) = coded(known, &values);
    let attribute = |attribute: &fedaudit_core::contract::Attribute| {
        let value = pairs.iter().find(|(name, _)| *name == attribute.name).map(|(_, value)| text(value));
        attribute_code(attribute, &value.unwrap_or_default())
    };
    let attributes = known.contract.attributes.iter().map(attribute).collect();
    Ok(Asked { attributes, features: codes, canonical: (!features.is_empty()).then_some(canonical) })
}

/// The answers of a response. A text, a truth value, and an integer that the contract lists as a decision are the
/// decision; another number is the score; two are the confidences of the contract's two decisions, of which the second
/// is the score. A score alone is decided by the contract's threshold.
pub(super) fn answered(known: &Known, rows: Vec<Row>) -> Result<Vec<Answered>, String> {
    check_count(&rows)?;
    rows.into_iter().map(|row| answer(known, row)).collect()
}

fn answer(known: &Known, row: Row) -> Result<Answered, String> {
    let contract = &known.contract;
    let values = match row {
        Row::Ordered(values) => values,
        Row::Named(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
    };
    // Two integers are confidences that a server wrote without their points.
    let pair = values.len() == 2 && values.iter().all(|value| number(value).is_some());
    let mut answered = Answered::default();
    let mut numbers = Vec::new();
    for value in &values {
        let class = match value {
            Scalar::Number(_) | Scalar::Null => None,
            Scalar::Integer(_) => contract.decision.values.contains(&text(value)).then(|| text(value)),
            Scalar::Boolean(_) | Scalar::Text(_) => Some(text(value)),
        };
        match (class, number(value)) {
            (Some(class), _) if !pair => {
                if answered.decision != ABSENT {
                    return Err("an answer with two decisions".to_owned());
                }
                answered.decision = decision_code(contract, &class)?;
            }
            (_, Some(number)) => numbers.push(number),
            _ => {}
        }
    }
    match numbers.as_slice() {
        [] => {}
        [score] => answered.score_q = Some(quantised(known, *score)?),
        [first, second] => {
            answered.score_q = Some(quantised(known, *second)?);
            for (class, confidence) in contract.decision.values.iter().zip([first, second]) {
                if !(0.0..=1.0).contains(confidence) {
                    return Err(format!("confidence {confidence}; 0 to 1"));
                }
                answered.outputs.push((class.clone(), (confidence * SCORE_ONE as f64).round() as u64));
            }
        }
        more => return Err(format!("an answer of {} numbers; a score, or the confidences of two classes", more.len())),
    }
    if let (ABSENT, Some(score_q)) = (answered.decision, answered.score_q) {
        answered.decision = decision_at(contract, score_q);
    }
    if answered == Answered::default() {
        return Err("an answer without decision and score".to_owned());
    }
    Ok(answered)
}

/// The label of a row of truths.
pub(super) fn label(known: &Known, row: Row) -> Result<u8, String> {
    let values = match row {
        Row::Ordered(values) => values,
        Row::Named(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
    };
    let [value] = values.as_slice() else { return Err(format!("a truth of {} values", values.len())) };
    match label_code(&known.contract, &text(value))? {
        ABSENT => Err("a truth that is blank".to_owned()),
        code => Ok(code),
    }
}

fn quantised(known: &Known, value: f64) -> Result<u64, String> {
    let score = known.contract.score.as_ref().ok_or_else(|| format!("score {value}: the contract has no [score]"))?;
    quantise(score, value)
}

fn number(value: &Scalar) -> Option<f64> {
    match value {
        Scalar::Integer(value) => Some(*value as f64),
        Scalar::Number(value) => Some(*value),
        _ => None,
    }
}

/// A value as data write it: a whole number without its point.
fn text(value: &Scalar) -> String {
    match value {
        Scalar::Null => String::new(),
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Number(value) => value.to_string(),
        Scalar::Text(text) => text.clone().into_owned(),
    }
}
