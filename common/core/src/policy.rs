//! Policy packs: dated texts with citation and status, never constants in code. Files in `schemas/policy-packs`.

use serde::{Deserialize, Serialize};

/// A pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// What plans call it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where the rule stands.
    pub citation: String,
    /// Whether and how it is in force.
    pub status: String,
    /// Year and month, or day, of that status.
    pub status_as_of: String,
    /// The rule, in short.
    pub rule: String,
    /// What is computed by it.
    pub table: Table,
    /// The impact ratio below which a group is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The share below which a group may be left out with a justification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_share: Option<f64>,
    /// Which figure or file answers which clause.
    #[serde(rename = "clause")]
    pub clauses: Vec<Clause>,
}

/// Tables of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Table {
    /// Rates of the favourable decision and their ratios.
    #[serde(rename = "selection")]
    Selection,
    /// The same, and rates of scores above the median.
    #[serde(rename = "selection and scoring")]
    SelectionAndScoring,
    /// Text only.
    #[serde(rename = "none")]
    None,
}

/// A clause and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Its number in the source.
    pub id: String,
    /// What it asks for.
    pub asks: String,
    /// What answers it.
    pub answer: String,
}

const FILES: [&str; 7] = [
    include_str!("../../../schemas/policy-packs/eu-ai-act.toml"),
    include_str!("../../../schemas/policy-packs/fda-pccp.toml"),
    include_str!("../../../schemas/policy-packs/four-fifths.toml"),
    include_str!("../../../schemas/policy-packs/nyc-ll144.toml"),
    include_str!("../../../schemas/policy-packs/onc-hti-1.toml"),
    include_str!("../../../schemas/policy-packs/reg-b.toml"),
    include_str!("../../../schemas/policy-packs/sr-26-2.toml"),
];

/// The pack called `id`.
///
/// # Errors
/// There is none; the text names all there are.
pub fn pack(id: &str) -> Result<Pack, String> {
    let packs = FILES.iter().filter_map(|file| toml::from_str::<Pack>(file).ok()).collect::<Vec<_>>();
    let known = packs.iter().map(|pack| pack.id.as_str()).collect::<Vec<_>>().join(", ");
    let found = packs.into_iter().find(|pack| pack.id == id);
    found.ok_or_else(|| format!("no policy pack is called `{}`; there are {known}", id.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_pack_and_no_other_is() {
        for file in FILES {
            let pack_of_file: Pack = toml::from_str(file).expect("a pack");
            assert_eq!(pack(&pack_of_file.id).as_ref(), Ok(&pack_of_file));
            assert!(!pack_of_file.clauses.is_empty() && pack_of_file.status_as_of.starts_with("202"));
        }
        assert!(pack("sr-11-7").is_err_and(|error| error.contains("there are eu-ai-act, fda-pccp")));
    }
}
