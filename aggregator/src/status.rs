//! How far the federation is: who is enrolled, what is in for each plan, what has to be looked at.

use crate::centre::Centre;
use crate::conflicts::Counts;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::{Time, Window};
use serde::Serialize;

/// The federation as of now.
#[derive(Serialize)]
pub struct Status {
    /// Its name.
    pub federation: Name,
    /// Entries of the registry.
    pub registry_entries: u64,
    /// Sites in the roster.
    pub enrolled: Vec<Name>,
    /// Sites that wait for approval.
    pub waiting: Vec<Name>,
    /// The latest version of each plan.
    pub plans: Vec<PlanStatus>,
    /// Why nothing is appended, if nothing is: this home was restored from a copy, or went back in time.
    pub held: Option<String>,
    /// Sites that have not said hello since this home was restored.
    pub unheard: Vec<Name>,
    /// Conflicts kept as evidence.
    pub conflicts: usize,
    /// Conflicts that came when their site's share was full.
    pub conflicts_not_kept: u64,
}

/// How far a plan is.
#[derive(Serialize)]
pub struct PlanStatus {
    /// Its name.
    pub plan: Name,
    /// Its version.
    pub version: u32,
    /// Windows whose release time has come.
    pub windows_due: usize,
    /// Sites that the plan requires.
    pub required: usize,
    /// Of these, the ones that released every window that is due.
    pub complete: usize,
    /// The other ones.
    pub missing: Vec<Name>,
    /// Releases logged.
    pub releases: usize,
}

/// What stands in the logs at `now`.
///
/// # Errors
/// A folder that cannot be read.
pub fn status(centre: &Centre, now: Time) -> Result<Status, Fault> {
    let registry = centre.registry();
    let enrolled: Vec<Name> = registry.sites().filter(|site| registry.is_member(site)).cloned().collect();
    let mut waiting: Vec<Name> = centre.home.joins()?.into_iter().map(|(site, _)| site).collect();
    waiting.retain(|site| !enrolled.contains(site));
    waiting.dedup();
    let latest = |digest: &Digest, plan: &Name| registry.plan_named(plan).is_some_and(|(last, ..)| last == *digest);
    let plans = registry.plans().filter(|(digest, published)| latest(digest, &published.plan.plan));
    let mut plans: Vec<_> = plans.map(|(digest, _)| plan_status(centre, digest, now)).collect::<Result<_, _>>()?;
    plans.sort_by(|a, b| a.plan.cmp(&b.plan));
    let (federation, registry_entries) = (centre.home.trust.federation.clone(), registry.size());
    let Counts { kept: conflicts, not_kept: conflicts_not_kept } = centre.conflicts_kept()?;
    let (held, unheard) = (centre.standing.clear().err().map(|fault| fault.what), centre.unheard());
    Ok(Status { federation, registry_entries, enrolled, waiting, plans, held, unheard, conflicts, conflicts_not_kept })
}

fn plan_status(centre: &Centre, digest: &Digest, now: Time) -> Result<PlanStatus, Fault> {
    let plan = &centre.registry().plan(digest).map_err(crate::home::refused)?.plan;
    let due: Vec<Window> = plan.windows_before(now).into_iter().filter(|w| plan.release_time(w) <= now).collect();
    let log = centre.plan(digest);
    let complete = |site: &&Name| log.is_some_and(|log| due.iter().all(|w| log.state.current(site, w).is_some()));
    let missing: Vec<Name> = plan.required_sites.iter().filter(|site| !complete(site)).cloned().collect();
    Ok(PlanStatus {
        plan: plan.plan.clone(),
        version: plan.version,
        windows_due: due.len(),
        required: plan.required_sites.len(),
        complete: plan.required_sites.len() - missing.len(),
        missing,
        releases: log.map_or(0, |log| log.releases.len()),
    })
}

/// The same for people, a line each.
pub fn lines(status: &Status) -> Vec<String> {
    let names = |names: &[Name]| names.iter().map(Name::to_string).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("federation {}: registry of {} entries", status.federation, status.registry_entries)];
    if let Some(held) = &status.held {
        lines.push(format!("nothing is appended: {held}"));
    }
    if !status.unheard.is_empty() {
        lines.push(format!("not heard of since, {}: {}", status.unheard.len(), names(&status.unheard)));
    }
    lines.push(format!("{} sites enrolled: {}", status.enrolled.len(), names(&status.enrolled)));
    if !status.waiting.is_empty() {
        lines.push(format!("{} waiting for `site approve`: {}", status.waiting.len(), names(&status.waiting)));
    }
    for plan in &status.plans {
        let missing =
            if plan.missing.is_empty() { String::new() } else { format!("; missing: {}", names(&plan.missing)) };
        lines.push(format!(
            "plan {} v{}: {} of {} required sites released all {} windows that are due; {} releases{missing}",
            plan.plan, plan.version, plan.complete, plan.required, plan.windows_due, plan.releases
        ));
    }
    let counts = Counts { kept: status.conflicts, not_kept: status.conflicts_not_kept };
    lines.extend(crate::conflicts::line(&counts));
    lines
}
