//! The numbers of a `release.json`, whatever their shape: read from its JSON, so that nothing that leaves goes unseen.

use serde_json::Value;

/// A number or a few, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where, from the outside in: model version, slice, group, what.
    pub path: Vec<String>,
    /// What stands there.
    pub text: String,
}

/// A difference between two releases.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Where.
    pub at: String,
    /// What stood there; nothing, if it is new.
    pub old: Option<String>,
    /// What stands there; nothing, if it is gone.
    pub new: Option<String>,
}

/// All that a value holds.
pub fn leaves(value: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    found
}

fn walk(value: &Value, path: &mut Vec<String>, found: &mut Vec<Leaf>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                // A cell that is seen is what it holds.
                let cell = key == "value" && map.len() == 1;
                if !cell {
                    path.push(key.clone());
                }
                walk(inner, path, found);
                if !cell {
                    path.pop();
                }
            }
        }
        Value::Array(items) if !plain(value) => {
            for (at, item) in items.iter().enumerate() {
                path.push(label(item).unwrap_or_else(|| at.to_string()));
                walk(item, path, found);
                path.pop();
            }
        }
        _ => found.push(Leaf { path: path.clone(), text: text(value) }),
    }
}

fn plain(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().all(plain),
        _ => true,
    }
}

/// A value without objects, in a line.
pub fn text(value: &Value) -> String {
    let join = |items: &[Value], between: &str| items.iter().map(text).collect::<Vec<_>>().join(between);
    match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => match items.iter().map(depth).max() {
            Some(0) => join(items, " "),
            Some(1) => join(items, ", "),
            _ => join(items, "; "),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// What people call an item of a list.
pub fn label(item: &Value) -> Option<String> {
    let texts = |key: &str, between: &str, none: &str| {
        let items = item.get(key)?.as_array()?;
        let joined = items.iter().map(text).collect::<Vec<_>>().join(between);
        Some(if items.is_empty() { none.to_owned() } else { joined })
    };
    if let Some(version) = item.get("model_version").and_then(Value::as_str) {
        let tier = item.get("tier").map_or(String::new(), |tier| {
            leaves(tier).iter().map(|leaf| format!("{} {}", leaf.path.join(" "), leaf.text).trim().to_owned()).collect()
        });
        return Some(format!("{version} ({tier})"));
    }
    let named = || item.get("name").or_else(|| item.get("feature")).and_then(Value::as_str).map(str::to_owned);
    texts("attributes", " x ", "all").or_else(|| texts("group", " / ", "everyone")).or_else(named)
}

/// What is different in `new`.
pub fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (old, new) = (leaves(old), leaves(new));
    let of =
        |leaves: &[Leaf], path: &[String]| leaves.iter().find(|leaf| leaf.path == path).map(|leaf| leaf.text.clone());
    let gone = old.iter().filter(|leaf| of(&new, &leaf.path).is_none());
    let all = new.iter().chain(gone).map(|leaf| Change {
        at: leaf.path.join(" > "),
        old: of(&old, &leaf.path),
        new: of(&new, &leaf.path),
    });
    all.filter(|change| change.old != change.new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(counts: Value) -> Value {
        json!({ "events": 12, "strata": [{ "model_version": "v1", "tier": "full", "slices": [
            { "attributes": ["sex"], "groups": [{ "group": ["female"], "counts": counts }] } ] }] })
    }

    #[test]
    fn every_number_has_its_place() {
        let found = leaves(&release(json!({ "value": [[1, 2, 3], [4, 5, 6], [7, 8, 9]] })));
        let at = |leaf: &Leaf| format!("{}: {}", leaf.path.join(" > "), leaf.text);
        assert!(found.iter().map(at).any(|line| {
            line == "strata > v1 (full) > slices > sex > groups > female > counts: 1 2 3, 4 5 6, 7 8 9"
        }));
        // Shapes that this program does not know yet are shown as well.
        let other = leaves(&release(json!({ "margins": { "decisions": [5, 6, 7], "labels": [1, 2, 3] } })));
        assert!(other.iter().any(|leaf| leaf.path.ends_with(&["margins".to_owned(), "labels".to_owned()])));
        assert_eq!(text(&json!([[[0, 4, "9"], [1, 5, "8"]], []])), "0 4 9, 1 5 8; none");
    }

    #[test]
    fn a_change_says_what_stood_there() {
        let (old, new) = (release(json!({ "value": [[1, 2, 3]] })), release(json!("suppressed")));
        let at = "strata > v1 (full) > slices > sex > groups > female > counts".to_owned();
        let change = Change { at, old: Some("1 2 3".to_owned()), new: Some("suppressed".to_owned()) };
        assert_eq!(changes(&old, &new), [change]);
        assert_eq!(changes(&old, &old), []);
    }
}
