//! What is measured over a contract, when, and what may leave. Written in TOML, published as JSON, named by its digest.

mod identity;
mod privacy;
mod reference;

pub use identity::ModelDigest;
pub use privacy::{Fraction, Mechanism, Privacy};
pub use reference::{Reference, ReferenceFeature, ReferenceSlice};

use crate::codec::{Rules, Valid};
use crate::contract::{ContractText, UNKNOWN, text};
use crate::ids::{Digest, Name};
use crate::limits;
use crate::policy;
use crate::time::{Every, HOUR_NS, Time, Window, tumbling};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A plan that keeps its rules.
pub type Plan = Valid<PlanText>;

/// The text of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanText {
    /// Name; with `version`, unique in a federation.
    pub plan: Name,
    /// Version, from 1; a later version replaces an earlier one.
    pub version: u32,
    /// The question that this plan answers, in a line.
    pub title: String,
    /// Name of the contract measured.
    pub contract: Name,
    /// Digest of the contract measured; filled in when the plan is published.
    pub contract_digest: Digest,
    /// Model versions measured, each on its own; events of others are not counted.
    pub model_versions: Vec<String>,
    /// Which models these are; of a version that is not named, events are not compared.
    #[serde(default, rename = "model_digest", skip_serializing_if = "Vec::is_empty")]
    pub model_digests: Vec<ModelDigest>,
    /// Sites whose release a report needs.
    pub required_sites: Vec<Name>,
    /// Sites with fewer events than this in either group are named and left out of pooled effects.
    #[serde(default = "default_min_site_n")]
    pub min_site_n: u64,
    /// Least share of events with a label, 0 to 1: below it, figures that need labels are immature and not shown.
    #[serde(default = "default_min_coverage")]
    pub min_coverage: f64,
    /// When.
    pub windows: Windows,
    /// The window that the others are compared with, for drift: one of this plan's. Its author chooses one of the same phase of
    /// the calendar as those compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_window: Option<Window>,
    /// Counts of other data that all windows are compared with instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What may leave.
    pub disclosure: Disclosure,
    /// Policy packs whose tables and clauses the report shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<String>,
    /// Groups that a pack lets a plan leave out of its ratios, and why.
    #[serde(default, rename = "exclusion", skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<Exclusion>,
    /// Attribute sets to cut by. The slice without attributes is always there and is not listed.
    #[serde(default, rename = "slice")]
    pub slices: Vec<Slice>,
}

fn default_min_site_n() -> u64 {
    10
}

fn default_min_coverage() -> f64 {
    0.8
}

/// One fixed window, or tumbling ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Start of the first window: a whole hour; for tumbling windows, a start of one.
    pub start: Time,
    /// End of the last window: a whole hour; for tumbling windows, an end of one.
    pub end: Time,
    /// Length of tumbling windows; absent for one window from `start` to `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// Hours after a window's end at which it is released; outcomes labelled until then count.
    pub release_after_hours: u32,
}

/// What may leave a site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Least count that may be seen, 0 apart.
    #[serde(default = "default_k")]
    pub k: u64,
    /// Whether a 0 of a group is hidden like a number from 1 to k - 1; absent where zeros are published.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hide_zeros: bool,
    /// Counts leave with noise instead, and nothing else does; absent where rule K holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Privacy>,
    /// Sums of scores and of values leave as multiples of this share of the score's range; exact where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment_step: Option<Fraction>,
}

fn default_k() -> u64 {
    10
}

/// An attribute set to cut by, and the group that others are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// Names of attributes of the contract; two or more make intersections.
    pub attributes: Vec<String>,
    /// The reference group: a category of each attribute, in the same order.
    pub reference: Vec<String>,
}

/// A group left out of a pack's ratios; its number and rate are still shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The slice: names of attributes.
    pub attributes: Vec<String>,
    /// The group: a category of each.
    pub group: Vec<String>,
    /// Why.
    pub justification: String,
}

impl PlanText {
    /// The windows that begin before `until`, in order.
    pub fn windows_before(&self, until: Time) -> Vec<Window> {
        let Windows { start, end, every, .. } = self.windows;
        let Some(every) = every else {
            return if start < until { vec![Window { start, end }] } else { Vec::new() };
        };
        let mut windows = Vec::new();
        let mut at = start;
        while at < until && at < end && windows.len() < limits::WINDOWS {
            let window = tumbling(every, at);
            windows.push(window);
            at = window.end;
        }
        windows
    }

    /// Whether `window` is one of this plan's.
    pub fn has_window(&self, window: &Window) -> bool {
        let Windows { start, end, every, .. } = self.windows;
        match every {
            None => *window == Window { start, end },
            Some(every) => start <= window.start && window.end <= end && tumbling(every, window.start) == *window,
        }
    }

    /// All windows, in order.
    pub fn all_windows(&self) -> Vec<Window> {
        self.windows_before(self.windows.end)
    }

    /// When `window` is released: its end plus the label maturity.
    pub fn release_time(&self, window: &Window) -> Time {
        window.end.plus_ns(i64::from(self.windows.release_after_hours).saturating_mul(HOUR_NS))
    }

    /// Checks what needs both documents: attributes, reference groups, sizes.
    ///
    /// # Errors
    /// The key at fault and what would be right.
    pub fn check_against(&self, contract: &ContractText) -> Result<(), String> {
        for slice in &self.slices {
            let mut groups = 1_usize;
            for (name, reference) in slice.attributes.iter().zip(&slice.reference) {
                let Some(at) = contract.attribute(name) else {
                    let known: Vec<_> = contract.attributes.iter().map(|a| a.name.as_str()).collect();
                    return Err(format!("`slice.attributes` names `{name}`; the contract has {}", known.join(", ")));
                };
                let attribute = &contract.attributes[at];
                if !attribute.categories.contains(reference) {
                    return Err(format!(
                        "`slice.reference` for `{name}` is \"{reference}\"; it must be one of {}",
                        attribute.categories.join(", ")
                    ));
                }
                groups = groups.saturating_mul(attribute.codes());
            }
            if groups > limits::GROUPS {
                return Err(format!("slice {} has {groups} groups; at most {}", slice.name(), limits::GROUPS));
            }
        }
        if let Some(reference) = &self.reference {
            reference.check_against(self, contract)?;
        }
        if self.disclosure.privacy.is_some() {
            Privacy::check_against(self, contract)?;
        }
        for Exclusion { attributes, group, .. } in &self.exclusions {
            let slice = self.slices.iter().find(|slice| slice.attributes == *attributes);
            if !slice.is_some_and(|slice| slice.groups(contract).contains(group)) {
                return Err(format!("exclusion {}: the contract has no such group", group.join(" x ")));
            }
        }
        Ok(())
    }
}

impl Slice {
    /// The attributes joined by ` x `, for people.
    pub fn name(&self) -> String {
        self.attributes.join(" x ")
    }

    /// All groups of this slice, row-major in the contract's category order, `other` and `unknown` last.
    ///
    /// Attributes that `contract` lacks give no group; [`PlanText::check_against`] refuses such plans.
    pub fn groups(&self, contract: &ContractText) -> Vec<Vec<String>> {
        let mut groups = vec![Vec::new()];
        for name in &self.attributes {
            let Some(at) = contract.attribute(name) else { return Vec::new() };
            let attribute = &contract.attributes[at];
            groups = groups
                .iter()
                .flat_map(|head: &Vec<String>| {
                    (0..attribute.codes()).map(move |code| {
                        let mut group = head.clone();
                        group.push(attribute.category(code).to_owned());
                        group
                    })
                })
                .collect();
        }
        groups
    }
}

/// Whether a group takes part in comparisons: one with an `unknown` value is counted and shown, but it is no group of people.
pub fn is_compared(group: &[String]) -> bool {
    !group.iter().any(|value| value == UNKNOWN)
}

/// Reads a plan that people wrote; `contract_digest` resolves the contract's name and fills in that key.
///
/// # Errors
/// The key at fault and what would be right.
pub fn from_toml(source: &str, contract_digest: impl Fn(&Name) -> Option<Digest>) -> Result<Plan, String> {
    if source.len() > limits::TOML_BYTES {
        return Err(format!("{} bytes of TOML; at most {} are read", source.len(), limits::TOML_BYTES));
    }
    let mut table: toml::Table = toml::from_str(source).map_err(|e| e.to_string().trim_end().to_owned())?;
    if table.contains_key("contract_digest") {
        return Err("`contract_digest` is filled in when the plan is published; leave it out".to_owned());
    }
    if let Some(toml::Value::String(name)) = table.get("contract") {
        let name = Name::new(name).map_err(|e| format!("`contract`: {e}"))?;
        let digest = contract_digest(&name).ok_or_else(|| {
            format!("`contract` is \"{name}\"; no contract of this name is published, publish it first")
        })?;
        table.insert("contract_digest".to_owned(), toml::Value::String(digest.to_string()));
    }
    table.try_into().map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())
}

impl Rules for PlanText {
    fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("`version` is 0; versions count from 1".to_owned());
        }
        text("title", &self.title)?;
        unique("model_versions", &self.model_versions)?;
        for version in &self.model_versions {
            text("model_versions", version)?;
        }
        self.check_model_digests()?;
        unique("required_sites", &self.required_sites)?;
        if self.min_site_n == 0 {
            return Err("`min_site_n` is 0; at least 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.min_coverage) {
            return Err(format!("`min_coverage` is {}; a share from 0 to 1", self.min_coverage));
        }
        if self.disclosure.k == 0 {
            return Err("`disclosure.k` is 0; at least 1 (1 hides nothing)".to_owned());
        }
        self.disclosure.check_step()?;
        self.windows.check()?;
        if let Some(window) = self.reference_window.filter(|window| !self.has_window(window)) {
            return Err(format!("`reference_window` is {window}; it must be one of the plan's windows"));
        }
        if let Some(reference) = &self.reference {
            if self.reference_window.is_some() {
                return Err("`reference` and `reference_window` are both there; leave one out".to_owned());
            }
            reference.check()?;
        }
        if self.slices.len() > limits::SLICES {
            return Err(format!("{} slices; at most {}", self.slices.len(), limits::SLICES));
        }
        self.check_packs()?;
        if let Some(privacy) = &self.disclosure.privacy {
            privacy.check(self)?;
        }
        let mut seen = BTreeSet::new();
        for slice in &self.slices {
            unique("slice.attributes", &slice.attributes)?;
            if slice.reference.len() != slice.attributes.len() {
                return Err(format!(
                    "slice {}: `reference` has {} values; one for each of its {} attributes",
                    slice.name(),
                    slice.reference.len(),
                    slice.attributes.len()
                ));
            }
            let set: BTreeSet<_> = slice.attributes.iter().collect();
            if !seen.insert(set) {
                return Err(format!("slice {} stands twice", slice.name()));
            }
        }
        Ok(())
    }
}

impl PlanText {
    fn check_packs(&self) -> Result<(), String> {
        if !self.packs.is_empty() {
            unique("packs", &self.packs)?;
        }
        self.packs
            .iter()
            .try_for_each(|id| policy::pack(id).map(|_| ()).map_err(|error| format!("`packs`: {error}")))?;
        for Exclusion { attributes, group, justification } in &self.exclusions {
            text("exclusion.justification", justification)?;
            let slice = self.slices.iter().any(|slice| slice.attributes == *attributes);
            if !slice || group.len() != attributes.len() {
                return Err(format!(
                    "exclusion {}: it must name a slice and a category of each attribute",
                    group.join(" x ")
                ));
            }
        }
        Ok(())
    }
}

impl Rules for Windows {
    fn check(&self) -> Result<(), String> {
        for (key, time) in [("windows.start", self.start), ("windows.end", self.end)] {
            if !time.is_whole_hour() {
                return Err(format!("`{key}` is {time}; windows begin and end on whole hours"));
            }
        }
        if self.start >= self.end {
            return Err(format!("`windows.start` {} must be before `windows.end` {}", self.start, self.end));
        }
        let Some(every) = self.every else { return Ok(()) };
        let first = tumbling(every, self.start);
        if first.start != self.start {
            return Err(format!("`windows.start` is {}; the window that holds it starts {}", self.start, first.start));
        }
        let last = tumbling(every, self.end.plus_ns(-1));
        if last.end != self.end {
            return Err(format!("`windows.end` is {}; the window that holds it ends {}", self.end, last.end));
        }
        let length_ns = first.end.0.saturating_sub(first.start.0).max(HOUR_NS);
        let count = self.end.0.saturating_sub(self.start.0) / length_ns;
        if usize::try_from(count).map_or(true, |count| count > limits::WINDOWS) {
            return Err(format!("about {count} windows; at most {}: publish a next plan later", limits::WINDOWS));
        }
        Ok(())
    }
}

fn unique<T: Ord + std::fmt::Display>(key: &str, values: &[T]) -> Result<(), String> {
    if values.is_empty() {
        return Err(format!("`{key}` is empty; at least one"));
    }
    let mut seen = BTreeSet::new();
    match values.iter().find(|value| !seen.insert(*value)) {
        Some(twice) => Err(format!("`{key}` lists `{twice}` twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
