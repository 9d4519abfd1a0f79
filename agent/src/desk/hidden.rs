//! What a release does not show, and by which rule: for the site's own eyes.

use super::numbers::{label, leaves};
use fedaudit_core::event::Why;
use fedaudit_core::plan::Disclosure;
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

/// All such places of a `release.json` of a plan with this rule.
pub fn hidden(release: &Value, reasons: &BTreeMap<At, Why>, rule: &Disclosure) -> Vec<Hidden> {
    // What is said of the whole window has no groups: its zeros are seen under every plan.
    let few = if rule.hide_zeros { "a number from 0 to k - 1" } else { "a number from 1 to k - 1" };
    let mut found = Vec::new();
    for (stratum, of) in (0..).zip(list(release, "strata")) {
        for (slice, of_slice) in (0..).zip(list(of, "slices")) {
            for (group, of_group) in (0..).zip(list(of_slice, "groups")) {
                let at = [of, of_slice, of_group].map(|item| label(item).unwrap_or_default());
                let Some(shown) = of_group.get("counts").and_then(below_full) else { continue };
                let why = reasons.get(&[stratum, slice, group]).map_or(NOT_KEPT.to_owned(), |why| words(*why, few));
                let at = at.into_iter().chain(["counts".to_owned()]).collect();
                found.push(Hidden { at, shown: shown.to_owned(), why });
            }
        }
    }
    let others = leaves(release).into_iter().filter(|leaf| leaf.text == "suppressed");
    found.extend(others.map(|leaf| {
        let named = |part: &String| !["strata", "slices", "groups"].contains(&part.as_str());
        let (at, shown) = (leaf.path.iter().filter(|part| named(part)).cloned().collect(), "not shown".to_owned());
        let why = match leaf.path.iter().any(|part| part == "groups") {
            true => format!(
                "of a slice with a group below full, with {few}, or beside releases that it could be held against"
            ),
            false => OF_THE_WINDOW.to_owned(),
        };
        Hidden { at, shown, why }
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

fn words(why: Why, few: &str) -> String {
    match why {
        Why::Few => format!("it has {few}"),
        Why::Fold => "other groups of the slice have too few, and are shown together with it".to_owned(),
        Why::Others => "beside it, hidden numbers of others could be worked out".to_owned(),
        Why::Circle => "slices overlap in a circle, and one of them is withheld for the others".to_owned(),
    }
}

/// What a plan's rule says beside k, to be read after it; nothing of most plans.
pub fn beside_k(rule: &Disclosure) -> String {
    let zeros = if rule.hide_zeros { ", zeros hidden" } else { "" };
    let step = rule.moment_step.map(|step| format!(", sums of scores to {step} of the range"));
    zeros.to_owned() + &step.unwrap_or_default()
}

const NOT_KEPT: &str = "the ledger has no reason of it";
const OF_THE_WINDOW: &str = "a number from 1 to k - 1 is in it, or it could be held against other releases";

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::plan::Fraction;
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
        let release = json!({ "operations": "suppressed", "strata": strata });
        let mut rule = Disclosure { k: 10, hide_zeros: false, privacy: None, moment_step: None };
        let told = |rule: &Disclosure| -> Vec<String> {
            let found = hidden(&release, &reasons, rule);
            found.iter().map(|of| format!("{}: {}; {}", of.at.join(" "), of.shown, of.why)).collect()
        };
        let zeros_seen = told(&rule);
        assert_eq!(
            zeros_seen,
            [
                "v1 (full) all everyone counts: number of events only; the ledger has no reason of it",
                "v1 (full) x b counts: totals only; it has a number from 1 to k - 1",
                "v1 (full) x c counts: number of events only; the ledger has no reason of it",
                "v1 (full) x d counts: only together with other groups of the slice; other groups of the slice have too \
                 few, and are shown together with it",
                "v1 (full) x e counts: not shown; beside it, hidden numbers of others could be worked out",
                "operations: not shown; a number from 1 to k - 1 is in it, or it could be held against other releases",
                "v1 (full) x d scores: not shown; of a slice with a group below full, with a number from 1 to k - 1, or \
                 beside releases that it could be held against",
            ]
        );
        // Where zeros of groups are hidden, a 0 may be it, and nothing else is said differently.
        rule.hide_zeros = true;
        let of_groups = |line: &String| match line.starts_with("operations") {
            true => line.clone(),
            false => line.replace("from 1 to k", "from 0 to k"),
        };
        assert_eq!(told(&rule), zeros_seen.iter().map(of_groups).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_plan_asks_beside_k_is_said() {
        let mut rule = Disclosure { k: 10, hide_zeros: false, privacy: None, moment_step: None };
        assert_eq!(beside_k(&rule), "");
        (rule.hide_zeros, rule.moment_step) = (true, Fraction::parse("0.01").ok());
        assert_eq!(beside_k(&rule), ", zeros hidden, sums of scores to 0.01 of the range");
    }
}
