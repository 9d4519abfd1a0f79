//! What windows are compared with when it is no window of the plan: counts of other data, signed with the plan.

use super::PlanText;
use crate::codec::Rules;
use crate::contract::{ContractText, text};
use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Counts of the data that windows are compared with, for example those that the model was fitted to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What data these are.
    pub source: String,
    /// Events counted.
    pub events: u64,
    /// Those with decision 0, and with decision 1.
    pub decisions: [u64; 2],
    /// Those with label 0, and with label 1; absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<[u64; 2]>,
    /// Those with a score by bin: the contract's bins, or these halved as often as its author likes, down to ten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Vec<u64>>,
    /// Those of each group of slices of the plan.
    #[serde(default, rename = "slice", skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<ReferenceSlice>,
    /// Values of features of the contract.
    #[serde(default, rename = "feature", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<ReferenceFeature>,
}

/// Events by group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSlice {
    /// Attributes of a slice of the plan.
    pub attributes: Vec<String>,
    /// Events of each of its groups, in their order: row-major, each attribute's categories, then `other` and `unknown`.
    pub counts: Vec<u64>,
}

/// Events by value of a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceFeature {
    /// The contract's name of the feature.
    pub name: String,
    /// Events by bin of the contract.
    pub counts: Vec<u64>,
    /// Events in which it was absent, where the contract lets it be.
    #[serde(default)]
    pub missing: u64,
    /// Events whose value breaks the contract.
    #[serde(default)]
    pub violations: u64,
}

impl ReferenceFeature {
    /// By code: bins, missing, violation.
    pub fn by_code(&self) -> Vec<u64> {
        self.counts.iter().copied().chain([self.missing, self.violations]).collect()
    }
}

impl Reference {
    /// Events of each group of the slice, where they are given.
    pub fn slice(&self, attributes: &[String]) -> Option<&[u64]> {
        self.slices.iter().find(|slice| slice.attributes == attributes).map(|slice| &slice.counts[..])
    }

    /// Whether enough of the events have a label.
    pub fn is_mature(&self, min_coverage: f64) -> bool {
        self.labels.is_some_and(|[n0, n1]| (n0 + n1) as f64 >= min_coverage * self.events as f64)
    }

    fn within(&self, key: &str, counts: impl Iterator<Item = u64>) -> Result<(), String> {
        let sum = counts.fold(0, u64::saturating_add);
        if sum == 0 || sum > self.events {
            return Err(format!(
                "`{key}` adds up to {sum}; at least 1, at most the reference's {} events",
                self.events
            ));
        }
        Ok(())
    }

    /// Checks what needs the contract and the plan's slices.
    ///
    /// # Errors
    /// The key at fault and what would be right.
    pub(super) fn check_against(&self, plan: &PlanText, contract: &ContractText) -> Result<(), String> {
        if self.labels.is_some() && contract.label.is_none() {
            return Err("`reference.labels` is of labels; the contract has none, leave it out".to_owned());
        }
        if let Some(counts) = &self.score {
            let Some(score) = &contract.score else {
                return Err("`reference.score` is of scores; the contract has none, leave it out".to_owned());
            };
            let halved = |bins: &u32| (bins.is_multiple_of(2) && bins / 2 >= LEAST_BINS).then(|| bins / 2);
            let fitting: Vec<u32> = std::iter::successors(Some(score.bins), halved).collect();
            if !fitting.iter().any(|bins| *bins as usize == counts.len()) {
                let fitting: Vec<_> = fitting.iter().map(u32::to_string).collect();
                let found = counts.len();
                return Err(format!("`reference.score` has {found} bins; it must be one of {}", fitting.join(", ")));
            }
        }
        for ReferenceSlice { attributes, counts } in &self.slices {
            let name = attributes.join(" x ");
            let Some(slice) = plan.slices.iter().find(|slice| slice.attributes == *attributes) else {
                return Err(format!("`reference.slice` {name}: the plan has no such slice"));
            };
            let groups = slice.groups(contract).len();
            if counts.len() != groups {
                let found = counts.len();
                return Err(format!(
                    "`reference.slice` {name} has {found} counts; one for each of its {groups} groups, `other` and `unknown` included"
                ));
            }
        }
        self.features.iter().try_for_each(|feature| feature.check_against(contract))
    }
}

impl ReferenceFeature {
    fn check_against(&self, contract: &ContractText) -> Result<(), String> {
        let key = format!("`reference.feature` `{}`", self.name);
        let Some(feature) = contract.features.iter().find(|feature| feature.name == self.name) else {
            let known: Vec<_> = contract.features.iter().map(|feature| feature.name.as_str()).collect();
            return Err(format!(
                "{key}: the contract has {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ));
        };
        if self.counts.len() != feature.bins() {
            let (found, bins) = (self.counts.len(), feature.bins());
            return Err(format!("{key} has {found} counts; the contract has {bins} bins"));
        }
        if self.missing > 0 && !feature.missing {
            return Err(format!(
                "{key} has `missing`; the contract lets no value be absent: count them as `violations`"
            ));
        }
        Ok(())
    }
}

impl Rules for Reference {
    fn check(&self) -> Result<(), String> {
        text("reference.source", &self.source)?;
        if self.events > limits::EVENTS_PER_RELEASE {
            return Err(format!("`reference.events` is {}; at most {}", self.events, limits::EVENTS_PER_RELEASE));
        }
        self.within("reference.decisions", self.decisions.into_iter())?;
        self.labels.map_or(Ok(()), |labels| self.within("reference.labels", labels.into_iter()))?;
        let score = self.score.as_ref();
        score.map_or(Ok(()), |score| self.within("reference.score", score.iter().copied()))?;
        let mut seen = BTreeSet::new();
        for ReferenceSlice { attributes, counts } in &self.slices {
            let name = attributes.join(" x ");
            if !seen.insert(attributes) {
                return Err(format!("`reference.slice` {name} stands twice"));
            }
            self.within(&format!("reference.slice {name}"), counts.iter().copied())?;
        }
        let mut seen = BTreeSet::new();
        for feature in &self.features {
            if !seen.insert(&feature.name) {
                return Err(format!("`reference.feature` `{}` stands twice", feature.name));
            }
            self.within(&format!("reference.feature {}", feature.name), feature.by_code().into_iter())?;
        }
        Ok(())
    }
}

/// Sites release scores in ten bins at least.
const LEAST_BINS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::super::tests::ADMISSIONS;
    use super::super::{Plan, from_toml};
    use crate::ids::Digest;

    const REFERENCE: &str = r#"
[reference]
source = "The data of 2025 that the model was fitted to"
events = 100
decisions = [60, 39]
labels = [70, 30]
score = [10, 0, 10, 10, 10, 10, 10, 10, 10, 10]

[[reference.slice]]
attributes = ["gender"]
counts = [40, 59, 0, 1]

[[reference.feature]]
name = "grade"
counts = [20, 30, 40]
missing = 8
violations = 2

[[slice]]"#;
    const FEATURE: &str =
        "[[feature]]\nname = \"grade\"\ntype = \"integer\"\nmin = 1\nmax = 6\nedges = [2, 4]\nmissing = true\n";

    fn read(change: (&str, &str)) -> Result<Plan, String> {
        let source = ADMISSIONS.replacen("[[slice]]", REFERENCE, 1).replacen(change.0, change.1, 1);
        from_toml(&source, |_| Some(Digest([7; 32])))
    }

    fn contract(change: (&str, &str)) -> crate::contract::Contract {
        let source = format!("{}{FEATURE}", crate::contract::tests::ADMISSION);
        crate::contract::from_toml(&source.replacen(change.0, change.1, 1)).expect("a contract")
    }

    #[test]
    fn a_reference_is_read_and_survives_json() {
        let plan = read(("", "")).expect("a plan");
        assert_eq!(plan.check_against(&contract(("", ""))), Ok(()));
        let json = crate::codec::to_json(&plan).expect("encodes");
        assert_eq!(crate::codec::from_json::<Plan>(&json).as_ref(), Ok(&plan));
        let reference = plan.reference.as_ref().expect("there");
        assert_eq!(reference.slice(&["gender".to_owned()]), Some(&[40, 59, 0, 1][..]));
        assert_eq!(reference.features[0].by_code(), [20, 30, 40, 8, 2]);
        assert!(reference.is_mature(1.0));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        let window =
            "[reference_window]\nstart = \"2026-01-01T00:00:00Z\"\nend = \"2026-02-01T00:00:00Z\"\n[reference]";
        for (from, to, expected) in [
            ("[reference]", window, "`reference` and `reference_window` are both there; leave one out"),
            (
                "[60, 39]",
                "[60, 41]",
                "`reference.decisions` adds up to 101; at least 1, at most the reference's 100 events",
            ),
            ("[60, 39]", "[0, 0]", "`reference.decisions` adds up to 0"),
            ("[60, 39]", "[60, 39, 1]", "invalid length 3"),
            ("[70, 30]", "[70, 31]", "`reference.labels` adds up to 101"),
            ("score = [10, 0", "score = [10, 11", "`reference.score` adds up to 101"),
            ("[40, 59, 0, 1]", "[40, 59, 0, 2]", "`reference.slice gender` adds up to 101"),
            ("violations = 2", "violations = 3", "`reference.feature grade` adds up to 101"),
            ("events = 100", "events = 4294967297", "`reference.events` is 4294967297; at most 4294967296"),
            ("events = 100\n", "", "missing field `events`"),
            ("source = \"The", "source = \" The", "`reference.source`"),
            ("missing = 8", "absent = 8", "unknown field `absent`"),
            (
                "[[reference.feature]]",
                "[[reference.slice]]\nattributes = [\"gender\"]\ncounts = [1]\n[[reference.feature]]",
                "stands twice",
            ),
            (
                "[[reference.feature]]",
                "[[reference.feature]]\nname = \"grade\"\ncounts = [1]\n[[reference.feature]]",
                "stands twice",
            ),
        ] {
            let error = read((from, to)).expect_err(to);
            assert!(error.contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn what_the_contract_lacks_is_refused() {
        let same = ("", "");
        for (plan, of, expected) in [
            (
                same,
                ("[label]\nvalues = [\"0\", \"1\"]\npositive = \"1\"", ""),
                "`reference.labels` is of labels; the contract has none",
            ),
            (
                same,
                ("[score]\nmin = 0.0\nmax = 1.0\nbins = 80", ""),
                "`reference.score` is of scores; the contract has none",
            ),
            (("score = [10, ", "score = ["), same, "`reference.score` has 9 bins; it must be one of 80, 40, 20, 10"),
            (
                ("attributes = [\"gender\"]\ncounts", "attributes = [\"home\"]\ncounts"),
                same,
                "home: the plan has no such slice",
            ),
            (("[40, 59, 0, 1]", "[40, 59]"), same, "gender has 2 counts; one for each of its 4 groups"),
            (("name = \"grade\"", "name = \"mark\""), same, "`mark`: the contract has grade"),
            (("[20, 30, 40]", "[20, 30]"), same, "`grade` has 2 counts; the contract has 3 bins"),
            (same, ("missing = true\n", ""), "the contract lets no value be absent"),
        ] {
            let error = read(plan).expect("a plan").check_against(&contract(of)).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
