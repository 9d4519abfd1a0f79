//! Rows of a model server's bodies in codes of a contract.

use super::contracts::Known;
use super::json::coded;
use super::limits::EVENTS_PER_REQUEST;
use super::pair::{Answered, Asked};
use super::scalar::Scalar;
use super::served::Row;
use fedaudit_core::contract::{FeatureValue, Task};
use fedaudit_core::event::{
    ABSENT, SCORE_ONE, attribute_code, decision_at, decision_code, label_code, quantise, value_code,
};
use fedaudit_core::limits::OUTPUTS;

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
/// decision; another number is the score; as many as the contract has classes are their confidences, of which that of the
/// decision called "selected" is the score. A score alone is decided by the contract's threshold, confidences of more than
/// two classes by the greatest. In a regression every number is the score.
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
    let regression = contract.task == Task::Regression;
    // Integers may be confidences that a server wrote without their points.
    let confidences =
        !regression && values.len() == contract.classes() && values.iter().all(|value| number(value).is_some());
    let mut answered = Answered::default();
    let mut numbers = Vec::new();
    for value in &values {
        let class = match value {
            Scalar::Number(_) | Scalar::Null => None,
            Scalar::Integer(_) if regression => None,
            Scalar::Integer(_) => contract.decision.values.contains(&text(value)).then(|| text(value)),
            Scalar::Boolean(_) | Scalar::Text(_) => Some(text(value)),
        };
        match (class, number(value)) {
            (Some(class), _) if !confidences => {
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
        all if !regression && all.len() == contract.classes() => confide(known, all, &mut answered)?,
        more => {
            let classes = contract.classes();
            return Err(format!(
                "an answer of {} numbers; a score, or the confidences of {classes} classes",
                more.len()
            ));
        }
    }
    if let (ABSENT, Some(score_q)) = (answered.decision, answered.score_q) {
        answered.decision = decision_at(contract, score_q);
    }
    if answered == Answered::default() {
        return Err("an answer without decision and score".to_owned());
    }
    Ok(answered)
}

/// Takes the confidences of all classes, in the contract's order.
fn confide(known: &Known, confidences: &[f64], answered: &mut Answered) -> Result<(), String> {
    let contract = &known.contract;
    for (class, confidence) in contract.decision.values.iter().zip(confidences) {
        if !(0.0..=1.0).contains(confidence) {
            return Err(format!("confidence {confidence}; 0 to 1"));
        }
        if class == contract.selected() && (contract.score.is_some() || contract.task == Task::Binary) {
            answered.score_q = Some(quantised(known, *confidence)?);
        }
        answered.outputs.push((class.clone(), (confidence * SCORE_ONE as f64).round() as u64));
    }
    if contract.task == Task::Multiclass {
        answered.outputs.sort_by_key(|(_, confidence)| std::cmp::Reverse(*confidence));
        answered.outputs.truncate(OUTPUTS);
        if answered.decision == ABSENT {
            answered.decision = decision_code(contract, answered.outputs.first().map_or("", |(class, _)| class))?;
        }
    }
    Ok(())
}

/// The label of a row of truths.
pub(super) fn label(known: &Known, row: Row) -> Result<u64, String> {
    let values = match row {
        Row::Ordered(values) => values,
        Row::Named(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
    };
    let [value] = values.as_slice() else { return Err(format!("a truth of {} values", values.len())) };
    match (known.contract.task, number(value)) {
        (Task::Regression, Some(value)) => value_code(&known.contract, value),
        _ => label_code(&known.contract, &text(value))?.ok_or_else(|| "a truth that is blank".to_owned()),
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
