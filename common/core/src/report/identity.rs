//! Whether events named the model that the plan names.

use super::Report;
use super::compile::Used;
use crate::disclosure::{Cell, ModelIdentity};
use crate::event::Tier;
use crate::ids::{Digest, Name};
use crate::plan::Plan;
use crate::time::Window;
use serde::{Deserialize, Serialize};

/// Events of a model version and tier at a site, by the model's digest that they came with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRow {
    /// The site.
    pub site: Name,
    /// The model version.
    pub model_version: String,
    /// The sampling tier.
    pub tier: Tier,
    /// The digest that the plan names.
    pub subject: Digest,
    /// Journaled events, over the windows that show them.
    pub events: ModelIdentity,
    /// Windows that hide them.
    pub hidden: u64,
    /// Whether some came with another digest.
    pub different: Different,
}

/// Whether events came with another digest than the plan names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Different {
    /// Some did.
    Yes,
    /// None did.
    No,
    /// None that is seen did; a window hides its numbers.
    Hidden,
}

impl Different {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Different::Yes => "yes",
            Different::No => "no",
            Different::Hidden => "hidden",
        }
    }
}

/// A row for each site, version and tier that was released, of versions whose model the plan names.
pub(super) fn identity_rows(plan: &Plan, sites: &[Name], windows: &[Window], used: &Used) -> Vec<IdentityRow> {
    let mut rows: Vec<IdentityRow> = Vec::new();
    for site in sites {
        let texts = windows.iter().filter_map(|window| Some(used.get(&(site, *window))?.text()));
        for stratum in texts.flat_map(|text| &text.strata) {
            let (version, tier) = (&stratum.model_version, stratum.tier);
            let Some((named, identity)) = plan.model_digest(version).zip(stratum.identity.as_ref()) else { continue };
            let known = rows.iter().position(|row| (&row.site, &row.model_version, row.tier) == (site, version, tier));
            let at = known.unwrap_or_else(|| {
                rows.push(IdentityRow {
                    site: site.clone(),
                    model_version: version.clone(),
                    tier,
                    subject: named.subject,
                    events: ModelIdentity::default(),
                    hidden: 0,
                    different: Different::No,
                });
                rows.len() - 1
            });
            if let Some(row) = rows.get_mut(at) {
                row.add(identity);
            }
        }
    }
    rows
}

impl IdentityRow {
    fn add(&mut self, identity: &Cell<ModelIdentity>) {
        match identity {
            Cell::Value(ModelIdentity { equal, different, absent }) => {
                self.events.equal += equal;
                self.events.different += different;
                self.events.absent += absent;
            }
            Cell::Suppressed => self.hidden += 1,
        }
        self.different = match (self.events.different, self.hidden) {
            (0, 0) => Different::No,
            (0, _) => Different::Hidden,
            _ => Different::Yes,
        };
    }
}

/// What a reader must know of it first.
pub(super) fn identity_story(report: &Report) -> Vec<String> {
    let line = |row: &IdentityRow| {
        let IdentityRow { site, model_version, events, hidden, .. } = row;
        let at = format!("at site {site} of version {model_version}");
        match row.different {
            Different::Yes => {
                let more = if *hidden > 0 { "at least " } else { "" };
                Some(format!("model identity: {more}{} events {at} had another digest.", events.different))
            }
            Different::Hidden => Some(format!("model identity: whether events {at} had another digest is hidden.")),
            Different::No => None,
        }
    };
    report.identity.iter().filter_map(line).collect()
}
