//! Waivers in the registry.

use super::Registry;
use crate::absence::Waiver;
use crate::fault::Refusal;
use crate::ids::Digest;

/// A waiver and where it stands.
#[derive(Clone, Debug)]
pub struct PublishedWaiver {
    /// Its index in the registry.
    pub index: u64,
    /// SHA-256 of `waiver.json`.
    pub artifact: Digest,
    /// The waiver.
    pub waiver: Waiver,
}

impl Registry {
    /// The waivers about a plan, in the registry's order.
    pub fn waivers_of(&self, plan: &Digest) -> impl Iterator<Item = &PublishedWaiver> {
        self.waivers.iter().filter(move |published| published.waiver.plan == *plan)
    }

    /// A waiver is about windows of a plan that requires the site, and about none that was waived before: it is never
    /// changed, nor taken back.
    pub(super) fn check_waiver(&self, waiver: &Waiver) -> Result<(), Refusal> {
        let plan = &self.plan(&waiver.plan)?.plan;
        if !plan.required_sites.contains(&waiver.site) {
            return Err(Refusal::new("waiver", format!("a site that plan {} requires", plan.plan), &waiver.site));
        }
        if let Some(other) = waiver.windows.iter().find(|window| !plan.has_window(window)) {
            return Err(Refusal::new("window", format!("windows of plan {}", plan.plan), other));
        }
        let mut before = self.waivers_of(&waiver.plan).filter(|known| known.waiver.site == waiver.site);
        let twice = before
            .find_map(|known| waiver.windows.iter().find(|window| known.waiver.windows.binary_search(window).is_ok()));
        match twice {
            Some(window) => Err(Refusal::new("waiver", "windows that are not waived yet", window)),
            None => Ok(()),
        }
    }
}
