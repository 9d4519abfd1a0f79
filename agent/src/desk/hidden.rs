//! What a release does not show, and by which rule: for the site's own eyes.

use super::numbers::{label, leaves};
use fedaudit_core::event::Why;
use serde_json::Value;
use std::collections::BTreeMap;

/// Number of the stratum, of the slice in it, of the group in that.
pub type At = [u32; 3];

/// A place where less than everything is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// From the outside in: model version and tier, slice, group, what.
    pub at: Vec<String>,
    /// What is shown instead.
    pub shown: String,
    /// The rule, in words.
    pub why: String,
}

/// All such places of a `release.json`.
pub fn hidden(release: &Value, reasons: &BTreeMap<At, Why>) -> Vec<Hidden> {
    let mut found = Vec::new();
    for (stratum, of) in (0..).zip(list(release, "strata")) {
        for (slice, of_slice) in (0..).zip(list(of, "slices")) {
            for (group, of_group) in (0..).zip(list(of_slice, "groups")) {
                let at = [of, of_slice, of_group].map(|item| label(item).unwrap_or_default());
                let Some(shown) = of_group.get("counts").and_then(below_full) else { continue };
                let why = reasons.get(&[stratum, slice, group]).map_or(NOT_KEPT, |why| words(*why));
                let at = at.into_iter().chain(["counts".to_owned()]).collect();
                found.push(Hidden { at, shown: shown.to_owned(), why: why.to_owned() });
            }
        }
    }
    let others = leaves(release).into_iter().filter(|leaf| leaf.text == "suppressed");
    found.extend(others.map(|leaf| {
        let named = |part: &String| !["strata", "slices", "groups"].contains(&part.as_str());
        let (at, shown) = (leaf.path.iter().filter(|part| named(part)).cloned().collect(), "not shown".to_owned());
        let why = if leaf.path.iter().any(|part| part == "groups") { OF_A_GROUP } else { OF_THE_WINDOW };
        Hidden { at, shown, why: why.to_owned() }
    }));
    found
}

/// What counts below *full* show; none of those that show every cell.
fn below_full(counts: &Value) -> Option<&'static str> {
    match counts {
        Value::String(_) => Some("not shown"),
        counts if counts.get("margins").is_some() => Some("totals only"),
        counts if counts.get("n").is_some() => Some("number of events only"),
        counts if counts.get("folded").is_some() => Some("only together with other groups of the slice"),
        _ => None,
    }
}

fn words(why: Why) -> &'static str {
    match why {
        Why::Few => "it has a number from 1 to k - 1",
        Why::Fold => "other groups of the slice have too few, and are shown together with it",
        Why::Others => "beside it, hidden numbers of others could be worked out",
        Why::Circle => "slices overlap in a circle, and one of them is withheld for the others",
    }
}

const NOT_KEPT: &str = "the ledger has no reason of it";
const OF_A_GROUP: &str = "of a slice with a group below full, with a number from 1 to k - 1, or beside releases that it could be held against";
const OF_THE_WINDOW: &str = "a number from 1 to k - 1 is in it, or it could be held against other releases";

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_hidden_place_has_its_rule() {
        let groups = json!([
            { "group": ["a"], "counts": { "full": [[9, 9, 9], [9, 9, 9], [9, 9, 9]] } },
            { "group": ["b"], "counts": { "margins": { "decisions": [9, 9, 9], "labels": [9, 9, 9] } } },
            { "group": ["c"], "counts": { "n": 9 } },
            { "group": ["d"], "counts": { "folded": 0 }, "scores": "suppressed" },
            { "group": ["e"], "counts": "withheld" }
        ]);
        let strata = json!([{ "model_version": "v1", "tier": "full", "slices": [
            { "attributes": [], "groups": [{ "group": [], "counts": { "n": 60 } }] },
            { "attributes": ["x"], "groups": groups },
        ] }]);
        let reasons = [([0, 1, 1], Why::Few), ([0, 1, 3], Why::Fold), ([0, 1, 4], Why::Others)].into();
        let found = hidden(&json!({ "strata": strata }), &reasons);
        let told: Vec<_> = found.iter().map(|of| format!("{}: {}; {}", of.at.join(" "), of.shown, of.why)).collect();
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        assert_eq!(
            told,
            [
                "v1 (full) all everyone counts: number of events only; the ledger has no reason of it",
                "v1 (full) x b counts: totals only; it has a number from 1 to k - 1",
                "v1 (full) x c counts: number of events only; the ledger has no reason of it",
                "v1 (full) x d counts: only together with other groups of the slice; other groups of the slice have too \
                 few, and are shown together with it",
                "v1 (full) x e counts: not shown; beside it, hidden numbers of others could be worked out",
                "v1 (full) x d scores: not shown; of a slice with a group below full, with a number from 1 to k - 1, or \
                 beside releases that it could be held against",
            ]
        );
    }
}
