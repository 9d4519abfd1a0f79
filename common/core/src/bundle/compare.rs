//! Whether two reports say the same: integers, states and text exactly, floating-point numbers within a tolerance.

use serde_json::Value;

/// Largest difference of two floating-point figures, relative to max(1, |x|).
const TOLERANCE: f64 = 1e-9;

/// A place, what was expected there, and what was found.
pub(super) type Difference = (String, String, String);

/// The first place where `found` differs from `expected`.
pub(super) fn difference(expected: &Value, found: &Value) -> Option<Difference> {
    differ("", expected, found)
}

fn differ(path: &str, expected: &Value, found: &Value) -> Option<Difference> {
    let here = || Some((path.to_owned(), short(expected), short(found)));
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            if !a.keys().eq(b.keys()) {
                return here();
            }
            a.iter().find_map(|(key, value)| differ(&format!("{path}/{key}"), value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return here();
            }
            a.iter().zip(b).enumerate().find_map(|(at, (x, y))| differ(&format!("{path}/{at}"), x, y))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            let close = (x - y).abs() <= TOLERANCE * x.abs().max(1.0);
            if close { None } else { here() }
        }
        _ if expected == found => None,
        _ => here(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_floats_have_a_tolerance() {
        let differs = |a: Value, b: Value| difference(&json!({ "x": [a] }), &json!({ "x": [b] }));
        assert_eq!(differs(json!(0.5), json!(0.5 + 1e-10)), None);
        assert_eq!(differs(json!(1e6), json!(1e6 + 1e-5)), None);
        let found = differs(json!(0.5), json!(0.5 + 1e-8)).expect("differs");
        assert_eq!(found.0, "/x/0");
        assert!(differs(json!(1), json!(2)).is_some());
        assert!(differs(json!(1), json!(1.0)).is_some());
        assert!(differs(json!("suppressed"), json!(0)).is_some());
        assert!(differs(json!({"a": 1}), json!({"a": 1, "b": 1})).is_some());
    }
}
