//! `report.json`: a pure function of plan, contract, roster and verified releases, at a named method version.
//!
//! Everything here is computed from released integers only, so no figure gives away more than they do. A figure is an
//! estimate, `suppressed`, or `not_estimable` with the reason; never 0 for hidden or undefined.

mod absent;
mod across;
mod calibration;
mod classification;
mod compile;
mod contrast;
mod disputed;
mod drift;
mod fairness;
mod figure;
mod group;
mod histogram;
mod identified;
mod identity;
mod impact;
mod median;
mod multiclass;
mod multiplicity;
mod operations;
mod pair;
mod parity;
mod pools;
mod private;
mod quality;
mod ranking;
mod rates;
mod regression;
mod sampled;
mod shown;
mod slices;
mod story;
mod table;
mod tables;

pub use absent::{AbstentionRow, WaiverRow, absent_sites};
pub use across::PooledFigures;
pub use calibration::CalibrationFigures;
pub use classification::ClassificationFigures;
pub use compile::{Input, compile};
pub use contrast::{DistanceFigures, OutcomeContrast};
pub use disputed::{DisputeRow, LoggedReport, Receipted, unfaithful};
pub use drift::{Distribution, FeatureDrift, ReferenceRef, ScopeDrift};
pub use fairness::{FairnessFigures, FourFifths, FourFifthsRow, OutcomeFairness};
pub use figure::{Below, DeviationsFigure, Estimate, Figure, TestFigure};
pub use group::{GroupFigures, Measures, OutcomeFigures, ReliabilityBin, ScoreFigures};
pub use identified::{Identified, IdentifiedContrast};
pub use identity::{Different, IdentityRow};
pub use impact::{ImpactRow, ImpactTable, Kind, PackFigures};
pub use multiclass::{
    Averages, ClassFigures, ClassGap, ClassOutcomes, MulticlassFigures, MulticlassOutcomes, MulticlassParity,
    TopAccuracy, TopFigures, WorstClass,
};
pub use multiplicity::{Finding, Multiplicity, PairTest, TestedRate};
pub use operations::{Mean, OperationFigures, Quantiles};
pub use pair::{AdjustedFigures, Contrast, PairFigures, SimpsonFigures, SiteContrast, SplitFigures};
pub use parity::{Gap, OutcomeParity, Parity};
pub use private::{
    PrivateDifferences, PrivateFigures, PrivateGroup, PrivateOutcomeDifferences, PrivateOutcomes, PrivateScope,
    PrivateSlice,
};
pub use ranking::{RankingFigures, ScoreContrast};
pub use regression::{RegressionContrast, RegressionFigures, RegressionParity, SiteErrors};
pub use sampled::{SampledRow, WeightedFigures, WeightedGroup, WeightedOutcomes, WeightedSlice};
pub use story::story;
pub use tables::tables;

use crate::codec;
use crate::continuity::KeptLog;
use crate::disclosure::Quality;
use crate::envelope::{Attestation, Claim, Head, ReportClaim, seal};
use crate::event::{IntakeCounts, Tier};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::plan::Fraction;
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
    /// How the data write the positive label; absent where outcomes are never known.
    pub positive_label: Option<String>,
    /// Whether governance signed the plan after its first window began.
    pub retrospective: bool,
    /// Windows of the report during which governance signed a later version of the plan, by the times that it claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan_changed_inside: Vec<Window>,
    /// The windows added, in order.
    pub windows: Vec<Window>,
    /// Windows that the plan has in all.
    pub plan_windows: u64,
    /// Disclosure rule and its k.
    pub disclosure: DisclosureRef,
    /// Least events a group at a site, for pooled effects.
    pub min_site_n: u64,
    /// Least share of labelled events, for figures that need labels.
    pub min_coverage: f64,
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
    /// Every dispute in the log: a site says that an earlier report does not name what it logged.
    pub disputes: Vec<DisputeRow>,
    /// Figures, a model version and sampling tier each: counts are of journaled events. Within a tier all events have one
    /// weight, which no rate, interval or effect depends on.
    pub scopes: Vec<Scope>,
    /// Rates over all tiers, of each model version of which events were sampled.
    pub weighted: Vec<WeightedFigures>,
    /// The window that others are compared with; absent where the plan names none that the report adds.
    pub reference_window: Option<Window>,
    /// The counts of other data that all windows are compared with instead; absent where the plan gives none.
    pub reference: Option<ReferenceRef>,
    /// Features of each other window against it.
    pub feature_drift: Vec<FeatureDrift>,
    /// What events took; absent where none took anything.
    pub operations: Option<OperationFigures>,
    /// The policy packs that the plan names.
    pub packs: Vec<PackFigures>,
    /// Whether events named the model that the plan names, of versions of which it names one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<IdentityRow>,
    /// Figures from counts with noise, which are then all there are; absent where counts are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<PrivateFigures>,
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
    /// The share of the score's range to whose multiples sums of scores and of values are rounded; absent where exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment_step: Option<Fraction>,
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
    /// What intake counted beside them, those of 0 left out; always public.
    #[serde(with = "codec::counts")]
    pub intake: IntakeCounts,
    /// How well the features of its events keep the contract; absent where it lists none, or without release.
    pub quality: Option<Quality>,
    /// Sampled tiers, by model version.
    pub sampled: Vec<SampledRow>,
    /// Later epochs of its journal, which was lost or is older than what it signed; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochRow>,
}

/// An epoch of a site's journal that governance let begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRow {
    /// Its number, from 2.
    pub epoch: u32,
    /// How many records governance says are kept of each log; logs that are not named are lost.
    pub kept: Vec<KeptLog>,
    /// What happened, as governance says.
    pub reason: String,
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
    /// Which differences are findings among so many.
    pub multiplicity: Multiplicity,
    /// All events of each window that the report adds, in order.
    pub windows: Vec<WindowFigures>,
    /// Each other window against the reference.
    pub drift: Vec<ScopeDrift>,
}

impl Scope {
    /// The model version, and the tier if it is a sampled one.
    pub fn name(&self) -> String {
        match self.tier {
            Tier::Full => self.model_version.clone(),
            Tier::Sampled(events) => format!("{}, one in {events}", self.model_version),
        }
    }
}

/// All events of one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowFigures {
    /// The window.
    pub window: Window,
    /// Sites whose counts are known in this window.
    pub sites: u64,
    /// Over these sites; absent where there is none.
    pub pooled: Option<Measures>,
}

/// Figures of one slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SliceFigures {
    /// Its attributes.
    pub attributes: Vec<String>,
    /// The group that others are compared with.
    pub reference: Vec<String>,
    /// What each site gave for this slice.
    pub sites: Vec<SiteState>,
    /// Its groups. Groups with an `unknown` value are counted, not compared.
    pub groups: Vec<GroupFigures>,
    /// Sites whose counts of all compared groups are known: `parity` and `fairness` are over them.
    pub compared_at: u64,
    /// Gaps over all compared groups, sites as if they were one; absent for the slice without attributes.
    pub parity: Option<Parity>,
    /// How the compared groups are treated, sites as if they were one; absent for the slice without attributes.
    pub fairness: Option<FairnessFigures>,
    /// How often compared groups get each class; absent unless the task is multiclass, and for the slice without attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiclass: Option<MulticlassParity>,
    /// How far apart compared groups' mean errors are; absent unless the task is regression with labels, and for the slice
    /// without attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<RegressionParity>,
    /// Gaps at each site, in the order of `sites`; absent where the site's counts of a compared group are not known.
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
    /// The same for its score histograms; absent where there are none, or where its counts are not known.
    pub scores: Option<State>,
}

/// Which of a site's counts of a slice are known, in every window that the report adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Those of all groups.
    Released,
    /// Those of some groups; disclosure control hid the others in at least one window.
    Partial,
    /// Those of no group that has events.
    Suppressed,
    /// At least one window has no release.
    Missing,
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

#[cfg(test)]
mod tests;
