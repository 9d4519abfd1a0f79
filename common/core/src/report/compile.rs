//! From verified releases to a report.

use super::absent::{Absences, abstention_rows, waiver_rows};
use super::disputed::{LoggedReport, dispute_rows};
use super::drift::{Against, feature_drift, scope_drift};
use super::group::Terms;
use super::identity::identity_rows;
use super::impact::pack_figures;
use super::multiplicity::multiplicity;
use super::operations::operation_figures;
use super::private::private_figures;
use super::quality::{intake, quality};
use super::sampled::{WeightedFigures, is_weighted, sampled_rows, weighted_figures};
use super::slices::{slice_figures, window_figures};
use super::{
    DecisionRef, DisclosureRef, DocumentRef, EpochRow, FORMAT, LogRef, METHOD, ReleaseRow, Report, Scope, SiteRow, Use,
};
use crate::contract::{ContractText, Task};
use crate::disclosure::{
    Block, Cell, Decimal, Moments, NOISE_RULE, RULE, ReleaseText, ReleasedGroup, ReleasedSlice, Scores,
};
use crate::event::Tier;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::limits;
use crate::plan::{Plan, Slice};
use crate::roster::{PublishedEpoch, Registry, plan_origin, registry_origin, same};
use crate::time::Window;
use crate::verify::{VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use std::collections::{BTreeMap, BTreeSet};

/// What a report is a function of.
pub struct Input<'a> {
    /// Roster, contracts and plans as of a registry size.
    pub registry: &'a Registry,
    /// The plan reported on.
    pub plan: Digest,
    /// The windows to add: consecutive windows of the plan.
    pub windows: &'a [Window],
    /// Size of the plan's log.
    pub log_size: u64,
    /// Every release in the log below that size, with its index, in order.
    pub releases: &'a [(u64, VerifiedRelease)],
    /// Every abstention in the log below that size, likewise.
    pub abstentions: &'a [(u64, VerifiedAbstention)],
    /// Every dispute in the log below that size, likewise.
    pub disputes: &'a [(u64, VerifiedDispute)],
    /// Every report in the log below that size, in order.
    pub reports: &'a [LoggedReport],
}

/// Compiles a report.
///
/// # Errors
/// A plan or contract that the registry does not hold; windows that are no consecutive windows of the plan.
pub fn compile(input: &Input) -> Result<Report, Refusal> {
    let published = input.registry.plan(&input.plan)?;
    let plan = &published.plan;
    let contract = input.registry.contract_of(plan)?;
    check_windows(plan, input.windows)?;
    check_roster(input)?;
    let (rows, used) = sort_releases(input);
    let sites = sites(input.registry, plan);
    let absences = Absences::of(input);
    let federation = &input.registry.trust().federation;
    let terms = Terms::of(plan, contract);
    let empty = empty_slices(plan, &terms);
    let all = Part {
        sites: &sites,
        windows: input.windows,
        used: &used,
        empty: &empty,
        version: "",
        tier: Tier::Full,
        slice: 0,
    };
    let against = Against::of(plan, input.windows);
    let whole = Slice { attributes: Vec::new(), reference: Vec::new() };
    let slices: Vec<_> = std::iter::once(&whole).chain(&plan.slices).collect();
    let private = private_figures(plan, &slices, &all, &terms);
    // Exact figures of counts with noise there are none.
    let (scopes, weighted) = match private {
        Some(_) => (Vec::new(), Vec::new()),
        None => figures(plan, &slices, &all, against, &terms),
    };
    let rule = if private.is_some() { NOISE_RULE } else { RULE };
    let packs = pack_figures(plan, &terms, &scopes, &all);
    let of = |window: &Window| sites.iter().map(|site| Some(used.get(&(site, *window))?.text())).collect();
    let texts = |site| input.windows.iter().filter_map(|window| Some(used.get(&(site, *window))?.text())).collect();
    let texts: Vec<Vec<&ReleaseText>> = sites.iter().map(texts).collect();
    Ok(Report {
        format: FORMAT,
        method: METHOD.to_owned(),
        federation: federation.clone(),
        plan: document(&plan.plan, plan.version, &plan.title, input.plan),
        contract: document(&contract.contract, contract.version, &contract.title, plan.contract_digest),
        model: contract.model.clone(),
        decision: decision(contract),
        positive_label: contract.label.as_ref().map(|label| label.positive.clone()),
        retrospective: published.issued_at > plan.windows.start,
        plan_changed_inside: changed_inside(input, plan),
        windows: input.windows.to_vec(),
        plan_windows: plan.all_windows().len() as u64,
        disclosure: disclosure(rule, plan),
        min_site_n: plan.min_site_n,
        min_coverage: plan.min_coverage,
        log: LogRef { origin: plan_origin(federation, &input.plan), size: input.log_size },
        registry: LogRef { origin: registry_origin(federation), size: input.registry.size() },
        sites: sites.iter().map(|site| site_row(site, plan, input, &used, &absences)).collect(),
        abstentions: abstention_rows(input),
        waivers: waiver_rows(input),
        disputes: dispute_rows(input),
        scopes,
        weighted,
        feature_drift: against.map(|against| feature_drift(input.windows, against, contract, of)).unwrap_or_default(),
        reference_window: against.and_then(|against| against.window()),
        reference: against.and_then(|against| against.given()),
        operations: operation_figures(&texts),
        packs,
        identity: identity_rows(plan, &sites, input.windows, &used),
        private,
        releases: rows,
    })
}

fn decision(contract: &ContractText) -> DecisionRef {
    DecisionRef { selected: contract.selected().to_owned(), favourable: contract.decision.favourable.clone() }
}

/// The windows in which a later version of the plan was signed. When, governance says; nobody else's clock was asked.
fn changed_inside(input: &Input, plan: &Plan) -> Vec<Window> {
    let later = input.registry.plans().map(|(_, published)| published);
    let later = later.filter(|of| of.plan.plan == plan.plan && of.plan.version > plan.version);
    let changes: Vec<_> = later.map(|published| published.issued_at).collect();
    let inside = |window: &&Window| changes.iter().any(|at| window.start <= *at && *at < window.end);
    input.windows.iter().filter(inside).copied().collect()
}

fn document(name: &Name, version: u32, title: &str, digest: Digest) -> DocumentRef {
    DocumentRef { name: name.clone(), version, title: title.to_owned(), digest }
}

fn disclosure(rule: &str, plan: &Plan) -> DisclosureRef {
    DisclosureRef { rule: rule.to_owned(), k: plan.disclosure.k, moment_step: plan.disclosure.moment_step }
}

/// Figures of each model version: of each tier, and over all tiers where there are several.
fn figures(
    plan: &Plan,
    slices: &[&Slice],
    all: &Part,
    against: Option<Against>,
    terms: &Terms,
) -> (Vec<Scope>, Vec<WeightedFigures>) {
    let (mut scopes, mut weighted) = (Vec::new(), Vec::new());
    for version in &plan.model_versions {
        let part = Part { version, ..*all };
        let tiers: Vec<_> = part.tiers().into_iter().collect();
        scopes.extend(tiers.iter().map(|tier| scope(slices, &Part { tier: *tier, ..part }, against, terms)));
        if is_weighted(&tiers, &part) {
            weighted.push(weighted_figures(slices, &tiers, &part, terms));
        }
    }
    (scopes, weighted)
}

/// Figures of one model version and tier, whose slice without attributes `part` is.
fn scope(slices: &[&Slice], part: &Part, against: Option<Against>, terms: &Terms) -> Scope {
    let figures = |(at, slice): (usize, &&Slice)| {
        slice_figures(slice, &slice.groups(terms.contract), &Part { slice: at, ..*part }, terms)
    };
    let drift = against.map(|against| scope_drift(slices, part, against, terms)).unwrap_or_default();
    let slices: Vec<_> = slices.iter().enumerate().map(figures).collect();
    Scope {
        model_version: part.version.to_owned(),
        tier: part.tier,
        multiplicity: multiplicity(&slices),
        slices,
        windows: window_figures(part, terms),
        drift,
    }
}

/// What a release that does not list a sampled tier says of it: there was no event, in the slice without attributes and
/// in the plan's.
fn empty_slices(plan: &Plan, terms: &Terms) -> Vec<ReleasedSlice> {
    let bins = terms.contract.score.as_ref().map(|score| score.bins);
    let scores = |bins| {
        let (square_sums, histogram) = ([Decimal(0); 3], [const { Vec::new() }; 3]);
        Cell::Value(Scores { bins, no_score: [0; 3], square_sums, histogram })
    };
    let group = |group| empty_group(terms, ReleasedGroup::new(group, Block::Full([[0; 3]; 3]), bins.map(scores)));
    let whole = ReleasedSlice { attributes: Vec::new(), groups: vec![group(Vec::new())], folds: Vec::new() };
    let slice = |slice: &Slice| ReleasedSlice {
        attributes: slice.attributes.clone(),
        groups: slice.groups(terms.contract).into_iter().map(group).collect(),
        folds: Vec::new(),
    };
    std::iter::once(whole).chain(plan.slices.iter().map(slice)).collect()
}

fn empty_group(terms: &Terms, group: ReleasedGroup) -> ReleasedGroup {
    let size = terms.contract.classes() + 1;
    let multiclass = terms.contract.task == Task::Multiclass;
    let nothing = Decimal(0);
    let moments = Moments {
        events: 0,
        predicted: nothing,
        actual: nothing,
        predicted_squares: nothing,
        actual_squares: nothing,
        products: nothing,
        absolute_errors: nothing,
        fourth_powers: nothing,
    };
    ReleasedGroup {
        classes: multiclass.then(|| Cell::Value(vec![vec![0; size]; size])),
        ranks: multiclass.then(|| Cell::Value(vec![0; limits::OUTPUTS + 1])),
        moments: (terms.contract.task == Task::Regression).then_some(Cell::Value(moments)),
        ..group
    }
}

fn check_windows(plan: &Plan, windows: &[Window]) -> Result<(), Refusal> {
    if windows.is_empty() {
        return Err(Refusal::new("window", "at least one window", "none"));
    }
    if let Some(other) = windows.iter().find(|window| !plan.has_window(window)) {
        return Err(Refusal::new("window", format!("windows of plan {}", plan.plan), other));
    }
    windows.windows(2).try_for_each(|pair| same("window", &pair[0].end, &pair[1].start))
}

/// A document by a site that the roster does not hold would be listed and not counted.
fn check_roster(input: &Input) -> Result<(), Refusal> {
    let sites: BTreeSet<_> = input.registry.sites().collect();
    let releases = input.releases.iter().map(|(index, release)| (index, &release.claim().site));
    let abstentions = input.abstentions.iter().map(|(index, abstention)| (index, &abstention.claim().site));
    match releases.chain(abstentions).find(|(_, site)| !sites.contains(site)) {
        Some((index, site)) => {
            let found = format!("entry {index} by {site}, enrolled later");
            Err(Refusal::new("roster", "a roster with the site of every release", found))
        }
        None => Ok(()),
    }
}

pub(super) type Used<'a> = BTreeMap<(&'a Name, Window), &'a VerifiedRelease>;

/// Every release with whether it is used; and those that are. The last one logged for a site and window counts.
fn sort_releases<'a>(input: &Input<'a>) -> (Vec<ReleaseRow>, Used<'a>) {
    let mut last = BTreeMap::new();
    for (index, release) in input.releases {
        last.insert((&release.claim().site, release.claim().window), (*index, release));
    }
    let rows = input.releases.iter().map(|(index, release)| {
        let claim = release.claim();
        let latest = last.get(&(&claim.site, claim.window)).map_or(*index, |(latest, _)| *latest);
        let used = match () {
            () if !input.windows.contains(&claim.window) => Use::OtherWindow,
            () if latest != *index => Use::AmendedBy(latest),
            () => Use::Used,
        };
        ReleaseRow {
            index: *index,
            site: claim.site.clone(),
            window: claim.window,
            envelope: release.envelope(),
            artifact: release.artifact(),
            used,
            amends: claim.amends.as_ref().map(|amends| amends.reason.clone()),
        }
    });
    let rows = rows.collect();
    let used = last.into_iter().filter(|((_, window), _)| input.windows.contains(window));
    (rows, used.map(|(key, (_, release))| (key, release)).collect())
}

/// Enrolled and required sites, by name.
fn sites(registry: &Registry, plan: &Plan) -> Vec<Name> {
    registry.sites().chain(&plan.required_sites).cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn site_row(site: &Name, plan: &Plan, input: &Input, used: &Used, absences: &Absences) -> SiteRow {
    let windows = input.windows;
    let epoch = |of: &PublishedEpoch| EpochRow {
        epoch: of.epoch.epoch,
        kept: of.epoch.kept.clone(),
        reason: of.epoch.reason.clone(),
    };
    let releases: Vec<&ReleaseText> =
        windows.iter().filter_map(|window| Some(used.get(&(site, *window))?.text())).collect();
    let open = windows.iter().filter(|window| !used.contains_key(&(site, **window)));
    let (abstained, open) = open.partition::<Vec<Window>, _>(|window| absences.abstained(site, window));
    let (waived, missing) = open.into_iter().partition(|window| absences.waived(site, window));
    SiteRow {
        site: site.clone(),
        required: plan.required_sites.contains(site),
        windows_released: releases.len() as u64,
        abstained,
        waived,
        missing,
        events: releases.iter().map(|release| release.events).sum(),
        outcomes: releases.iter().map(|release| release.outcomes).sum(),
        intake: intake(&releases),
        quality: quality(&releases),
        sampled: sampled_rows(&releases),
        epochs: input.registry.epochs_of(site).map(epoch).collect(),
    }
}

/// One slice of one model version and tier, at all sites and in all windows.
pub(super) struct Part<'a> {
    pub sites: &'a [Name],
    pub windows: &'a [Window],
    pub used: &'a Used<'a>,
    pub empty: &'a [ReleasedSlice],
    pub version: &'a str,
    pub tier: Tier,
    pub slice: usize,
}

impl<'a> Part<'a> {
    /// The tiers of the model version: the full one, and every sampled one that a release lists.
    fn tiers(&self) -> BTreeSet<Tier> {
        let strata = self.used.values().flat_map(|release| &release.text().strata);
        let own = strata.filter(|stratum| stratum.model_version == self.version).map(|stratum| stratum.tier);
        own.chain([Tier::Full]).collect()
    }

    /// What `site` released in `window`.
    pub fn slice(&self, site: &'a Name, window: &Window) -> Option<&'a ReleasedSlice> {
        let strata = &self.used.get(&(site, *window))?.text().strata;
        let own = strata.iter().find(|stratum| stratum.model_version == self.version && stratum.tier == self.tier);
        own.map_or(self.empty, |stratum| &stratum.slices).get(self.slice)
    }

    /// What `site` released, one a window; none if a window has no release.
    pub fn slices(&self, site: &'a Name) -> Option<Vec<&'a ReleasedSlice>> {
        self.windows.iter().map(|window| self.slice(site, window)).collect()
    }
}
