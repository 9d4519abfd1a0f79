//! Whether two reports say the same: integers, states and text exactly, floating-point numbers within a tolerance.

use serde_json::Value;

/// Largest difference of two floating-point figures, relative to max(1, |x|).
const TOLERANCE: f64 = 1e-9;

/// A place, what was expected there, and what was found.
pub(super) type Difference = (String, String, String);

/// The places where `found` differs from `expected`: the first `most` of them, and how many more there are.
pub(super) fn differences(expected: &Value, found: &Value, most: usize) -> (Vec<Difference>, usize) {
    let (mut differences, mut more) = (Vec::new(), 0);
    differ("", expected, found, &mut |path, expected, found| {
        if differences.len() < most {
            differences.push((path.to_owned(), short(expected), short(found)));
        } else {
            more += 1;
        }
    });
    (differences, more)
}

fn differ(path: &str, expected: &Value, found: &Value, tell: &mut impl FnMut(&str, &Value, &Value)) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().for_each(|(key, value)| differ(&format!("{path}/{key}"), value, &b[key], tell));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(at, (x, y))| differ(&format!("{path}/{at}"), x, y, tell));
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            let close = (x - y).abs() <= TOLERANCE * x.abs().max(1.0);
            if !close {
                tell(path, expected, found);
            }
        }
        _ if expected == found => {}
        _ => tell(path, expected, found),
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
        let differs = |a: Value, b: Value| differences(&json!({ "x": [a] }), &json!({ "x": [b] }), 9).0.pop();
        assert_eq!(differs(json!(0.5), json!(0.5 + 1e-10)), None);
        assert_eq!(differs(json!(1e6), json!(1e6 + 1e-5)), None);
        let found = differs(json!(0.5), json!(0.5 + 1e-8)).expect("differs");
        assert_eq!(found.0, "/x/0");
        assert!(differs(json!(1), json!(2)).is_some());
        assert!(differs(json!(1), json!(1.0)).is_some());
        assert!(differs(json!("suppressed"), json!(0)).is_some());
        assert!(differs(json!({"a": 1}), json!({"a": 1, "b": 1})).is_some());
    }

    #[test]
    fn every_difference_is_told_or_counted() {
        let (told, more) =
            differences(&json!({ "a": [1, 2], "b": 3, "c": 4 }), &json!({ "a": [0, 2], "b": 0, "c": 0 }), 2);
        let paths: Vec<_> = told.iter().map(|(path, _, _)| path.as_str()).collect();
        assert_eq!((paths, more), (vec!["/a/0", "/b"], 1));
    }
}
