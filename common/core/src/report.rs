//! `report.json`: a pure function of plan, contract, roster and verified releases, at a named method version.
//!
//! Everything here is computed from released integers only, so no figure gives away more than they do. A figure is an
//! estimate, `suppressed`, or `not_estimable` with the reason; never 0 for hidden or undefined.

mod absent;
mod compile;
mod figure;
mod slices;
mod story;

pub use absent::{AbstentionRow, WaiverRow, absent_sites};
pub use compile::{Input, compile};
pub use figure::{Estimate, Figure, TestFigure};
pub use story::story;

use crate::disclosure::Tier;
use crate::envelope::{Attestation, Claim, Head, ReportClaim, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::time::Window;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// Format of `report.json`.
pub const FORMAT: u32 = 1;
/// Version of the definitions that the figures follow. Old versions stay computable.
pub const METHOD: &str = "1";
/// Confidence level of every interval.
pub const LEVEL: f64 = 0.95;

/// A report on one plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// [`METHOD`].
    pub method: String,
    /// The federation.
    pub federation: Name,
    /// The plan.
    pub plan: DocumentRef,
    /// The contract that it measures.
    pub contract: DocumentRef,
    /// The model's id.
    pub model: String,
    /// How the data write decision 1, the one called selected, and the decision that favours the person.
    pub decision: DecisionRef,
    /// Whether governance signed the plan after its first window began.
    pub retrospective: bool,
    /// The windows added, in order.
    pub windows: Vec<Window>,
    /// Windows that the plan has in all.
    pub plan_windows: u64,
    /// Disclosure rule and its k.
    pub disclosure: DisclosureRef,
    /// Least events a group at a site, for pooled effects.
    pub min_site_n: u64,
    /// The plan's log: every entry below `size` was considered.
    pub log: LogRef,
    /// The registry: the roster is as of `size`.
    pub registry: LogRef,
    /// Every enrolled or required site.
    pub sites: Vec<SiteRow>,
    /// Every release in the log, used or not.
    pub releases: Vec<ReleaseRow>,
    /// Every abstention in the log, whether a release came after it or not.
    pub abstentions: Vec<AbstentionRow>,
    /// Every waiver about the plan in the registry.
    pub waivers: Vec<WaiverRow>,
    /// Figures, a model version and sampling tier each.
    pub scopes: Vec<Scope>,
}

/// A contract or plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentRef {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// SHA-256 of its JSON.
    pub digest: Digest,
}

/// The decision's two values of note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRef {
    /// Decision 1: a selection rate is its share of all decisions.
    pub selected: String,
    /// The decision that favours the person: impact ratios are about it.
    pub favourable: String,
}

/// What hid cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureRef {
    /// The rule.
    pub rule: String,
    /// Its k.
    pub k: u64,
}

/// A log and a size of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRef {
    /// The origin of its checkpoints.
    pub origin: String,
    /// Entries considered.
    pub size: u64,
}

/// A site in the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRow {
    /// The site.
    pub site: Name,
    /// Whether the plan requires it.
    pub required: bool,
    /// Windows with a release, of those that the report adds.
    pub windows_released: u64,
    /// Those without a release, for which it abstained.
    pub abstained: Vec<Window>,
    /// Those with neither, which governance waived.
    pub waived: Vec<Window>,
    /// Those with none of these.
    pub missing: Vec<Window>,
    /// Events in them; always public.
    pub events: u64,
    /// Outcomes in them; always public.
    pub outcomes: u64,
}

/// A release in the plan's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRow {
    /// Its index in the log.
    pub index: u64,
    /// The site.
    pub site: Name,
    /// The window.
    pub window: Window,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// SHA-256 of `release.json`.
    pub artifact: Digest,
    /// Whether the figures use it, or why not.
    pub used: Use,
    /// Why it replaces the release of its window before it; null if it replaces none.
    pub amends: Option<String>,
}

/// Whether figures use a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// They do.
    Used,
    /// A later release of the site replaces it: its index.
    AmendedBy(u64),
    /// Its window is not one that the report adds.
    OtherWindow,
}

/// Figures of one model version and sampling tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The model version.
    pub model_version: String,
    /// The sampling tier.
    pub tier: Tier,
    /// The slice without attributes, then the plan's.
    pub slices: Vec<SliceFigures>,
}

/// Figures of one slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SliceFigures {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// The group that others are compared with.
    pub reference: Vec<String>,
    /// What each site gave for this slice; pooled figures are over the `released` ones.
    pub sites: Vec<SiteState>,
    /// Its groups. Groups with an `unknown` value are counted, not compared.
    pub groups: Vec<GroupFigures>,
    /// Gaps over all compared groups, sites as if they were one; absent for the slice without attributes.
    pub parity: Option<Parity>,
    /// The same at each site, in the order of `sites`; absent where the site's counts are not known.
    pub site_parity: Vec<Option<Parity>>,
    /// Each other group against the reference.
    pub pairs: Vec<PairFigures>,
}

/// What a site gave for a slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteState {
    /// The site.
    pub site: Name,
    /// Its state.
    pub state: State,
}

/// Whether a site's counts of a slice are known, in every window that the report adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// All are.
    Released,
    /// Disclosure control hid them in at least one window.
    Suppressed,
    /// At least one window has no release.
    Missing,
}

/// One group, pooled and at each site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFigures {
    /// A category of each attribute.
    pub group: Vec<String>,
    /// Whether it takes part in comparisons.
    pub compared: bool,
    /// Over the sites that released the slice; absent where none did.
    pub pooled: Option<Selection>,
    /// In the order of the slice's sites; absent where the site's counts are not known.
    pub sites: Vec<Option<Selection>>,
}

/// Selection in one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Events.
    pub n: u64,
    /// Events with a decision.
    pub decided: u64,
    /// Events with decision 1.
    pub selected: u64,
    /// Events with a label.
    pub labelled: u64,
    /// `selected / decided`, Wilson interval.
    pub selection_rate: Figure,
}

/// Gaps over all compared groups with a defined rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parity {
    /// Compared groups with a defined rate.
    pub groups_defined: u64,
    /// Compared groups with events.
    pub groups: u64,
    /// Demographic parity difference: greatest less least selection rate.
    pub difference: Figure,
    /// Demographic parity ratio: least by greatest selection rate.
    pub ratio: Figure,
    /// Pearson's test that selection does not depend on the group.
    pub chi2: TestFigure,
}

/// One group against the reference group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairFigures {
    /// The group.
    pub group: Vec<String>,
    /// Sites as if they were one.
    pub crude: Contrast,
    /// Each site, in the order of the slice's sites.
    pub sites: Vec<SiteContrast>,
    /// Sites where the group is selected more often than the reference.
    pub favouring_group: Vec<Name>,
    /// Sites where the reference is selected more often.
    pub favouring_reference: Vec<Name>,
    /// Adjusted for site.
    pub mantel_haenszel: AdjustedFigures,
    /// Risk differences of the sites pooled by inverse variance.
    pub pooled: PooledFigures,
    /// Whether the crude and the adjusted difference tell different stories.
    pub simpson: SimpsonFigures,
}

/// Differences and ratios of selection rates, group against reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// Selection rate of the group less that of the reference; Newcombe.
    pub difference: Figure,
    /// Selection rate of the group by that of the reference; Katz, or a score interval beside a 0.
    pub selection_ratio: Figure,
    /// The same ratio for the favourable decision.
    pub impact_ratio: Figure,
    /// Odds ratio of selection; Woolf.
    pub odds_ratio: Figure,
}

/// A contrast at one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteContrast {
    /// The contrast; hidden or missing where the site's counts are.
    pub contrast: Option<Contrast>,
    /// Variance of the difference, p(1-p)/n summed over both groups.
    pub variance: Option<f64>,
    /// Share of the fixed-effect weight; absent where the site is left out.
    pub weight: Option<f64>,
    /// Why the site is left out of pooled effects; absent where it is in.
    pub left_out: Option<String>,
}

/// Stratified by site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustedFigures {
    /// Sites with events in both groups.
    pub sites: Vec<Name>,
    /// Mantel-Haenszel odds ratio; Robins, Breslow and Greenland.
    pub odds_ratio: Figure,
    /// Mantel-Haenszel risk ratio; Greenland and Robins.
    pub risk_ratio: Figure,
    /// Mantel-Haenszel risk difference; Sato.
    pub risk_difference: Figure,
    /// Cochran-Mantel-Haenszel test.
    pub cmh: TestFigure,
    /// The same with continuity correction.
    pub cmh_corrected: TestFigure,
    /// Breslow-Day test that the odds ratio is the same at all sites.
    pub breslow_day: TestFigure,
    /// The same with Tarone's correction.
    pub breslow_day_tarone: TestFigure,
}

/// Inverse-variance pooling of the sites' risk differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PooledFigures {
    /// Sites used.
    pub sites: Vec<Name>,
    /// Fixed effect.
    pub fixed: Figure,
    /// Random effects, DerSimonian and Laird.
    pub random: Figure,
    /// Random effects with the Hartung-Knapp-Sidik-Jonkman interval.
    pub random_hksj: Figure,
    /// Cochran's Q.
    pub q: TestFigure,
    /// Share of the variation that is between sites.
    pub i2: Figure,
    /// Between-site variance, DerSimonian and Laird, not below 0.
    pub tau2: Figure,
}

/// Crude against adjusted risk difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SimpsonFigures {
    /// Both can be told.
    Compared {
        /// They point opposite ways.
        reversal: bool,
        /// They differ by more than 20 % of an adjusted difference of at least 0.01.
        material: bool,
    },
    /// Undefined, and why.
    NotEstimable(String),
}

/// Attests a report: `report.json` and `report.html`.
///
/// # Errors
/// An envelope over the limit of a log entry.
pub fn attest(
    json: Vec<u8>,
    html: Vec<u8>,
    claim: ReportClaim,
    head: Head,
    key: &SigningKey,
) -> Result<Attestation, Refusal> {
    seal(head.predicate(Claim::Report(claim)), vec![json, html], &[key])
}
