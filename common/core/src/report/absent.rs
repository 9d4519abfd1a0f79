//! Abstentions and waivers: why a release is not there.

use super::{Input, Report, SiteRow};
use crate::ids::{Digest, Name};
use crate::time::Window;
use crate::verify::VerifiedAbstention;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An abstention in the plan's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbstentionRow {
    /// Its index in the log.
    pub index: u64,
    /// The site.
    pub site: Name,
    /// The window.
    pub window: Window,
    /// Why.
    pub reason: String,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// SHA-256 of `abstention.json`.
    pub artifact: Digest,
    /// Index of the site's release for the window that came after all, and counts; null if none did.
    pub released: Option<u64>,
}

/// A waiver in the registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverRow {
    /// Its index in the registry.
    pub index: u64,
    /// The site.
    pub site: Name,
    /// The windows waived, whether the site released them or not.
    pub windows: Vec<Window>,
    /// Why.
    pub reason: String,
    /// SHA-256 of `waiver.json`.
    pub artifact: Digest,
}

/// Who need not release which window.
pub(super) struct Absences<'a> {
    abstained: BTreeSet<(&'a Name, Window)>,
    waived: BTreeSet<(&'a Name, Window)>,
}

impl<'a> Absences<'a> {
    /// Those of the log and of the registry.
    pub fn of(input: &Input<'a>) -> Self {
        let claims = input.abstentions.iter().map(|(_, abstention)| abstention.claim());
        let waivers = input.registry.waivers_of(&input.plan).map(|published| &published.waiver);
        Absences {
            abstained: claims.map(|claim| (&claim.site, claim.window)).collect(),
            waived: waivers.flat_map(|waiver| waiver.windows.iter().map(|window| (&waiver.site, *window))).collect(),
        }
    }

    /// Whether the site says that it will not release the window.
    pub fn abstained(&self, site: &Name, window: &Window) -> bool {
        self.abstained.contains(&(site, *window))
    }

    /// Whether governance does without it.
    pub fn waived(&self, site: &Name, window: &Window) -> bool {
        self.waived.contains(&(site, *window))
    }
}

/// Every abstention, with the release that came after it.
pub(super) fn abstention_rows(input: &Input) -> Vec<AbstentionRow> {
    let releases =
        input.releases.iter().map(|(index, release)| ((&release.claim().site, release.claim().window), *index));
    let last: BTreeMap<_, _> = releases.collect();
    let row = |(index, abstention): &(u64, VerifiedAbstention)| {
        let claim = abstention.claim();
        AbstentionRow {
            index: *index,
            site: claim.site.clone(),
            window: claim.window,
            reason: abstention.reason().to_owned(),
            envelope: abstention.envelope(),
            artifact: abstention.artifact(),
            released: last.get(&(&claim.site, claim.window)).copied(),
        }
    };
    input.abstentions.iter().map(row).collect()
}

/// Every waiver about the plan.
pub(super) fn waiver_rows(input: &Input) -> Vec<WaiverRow> {
    let rows = input.registry.waivers_of(&input.plan).map(|published| WaiverRow {
        index: published.index,
        site: published.waiver.site.clone(),
        windows: published.waiver.windows.clone(),
        reason: published.waiver.reason.clone(),
        artifact: published.artifact,
    });
    rows.collect()
}

/// ` (1 abstained, 1 waived, 2 missing)`: sites that lack a release, by why; empty where none does.
pub fn absent_sites(report: &Report) -> String {
    let lack = |of: fn(&SiteRow) -> &[Window]| report.sites.iter().filter(|site| !of(site).is_empty()).count();
    let counts = [
        (lack(|site| &site.abstained), "abstained"),
        (lack(|site| &site.waived), "waived"),
        (lack(|site| &site.missing), "missing"),
    ];
    let parts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
