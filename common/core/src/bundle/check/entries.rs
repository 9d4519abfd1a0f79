//! The entries of a plan's log.

use super::{Verdict, artifact_of};
use crate::bundle::Bundle;
use crate::envelope::ReportClaim;
use crate::fault::Refusal;
use crate::roster::{Registry, same};
use crate::verify::{self, Entry, PlanState, VerifiedAbstention, VerifiedRelease};

/// What sites said below the report's log size, each with its index.
#[derive(Default)]
pub(super) struct Logged {
    pub releases: Vec<(u64, VerifiedRelease)>,
    pub abstentions: Vec<(u64, VerifiedAbstention)>,
}

/// Checks every entry, those behind the report too.
pub(super) fn check(
    bundle: &Bundle,
    registry: &Registry,
    claim: &ReportClaim,
    verdict: &mut Verdict,
) -> Option<Logged> {
    let mut replay = Replay { bundle, registry, claim, state: Some(PlanState::default()), logged: Logged::default() };
    let mut good = true;
    for (index, envelope) in (0..).zip(&bundle.plan.entries) {
        let (check, taken) = match verify::entry(envelope, registry) {
            Ok(Entry::Report(_)) => continue,
            Ok(Entry::Release) => ("release", replay.release(index, envelope)),
            Ok(Entry::Abstention) => ("abstention", replay.abstention(index, envelope)),
            Err(refusal) => ("release", Err(refusal)),
        };
        if let Err(refusal) = taken {
            good = false;
            verdict.refuse(check, format!("plan/entries/{index}"), &refusal);
            // Behind an entry that cannot be told, the order cannot be told either.
            if verdict.checks.last().is_some_and(|check| check.outcome == super::Outcome::Undecidable) {
                replay.state = None;
            }
        }
    }
    let logged = replay.logged;
    if good {
        let found = format!("{} releases signed by their sites, in sequence", logged.releases.len());
        verdict.pass("release", "plan/entries", found);
        if !logged.abstentions.is_empty() {
            let found = format!("{} abstentions signed by their sites, in sequence", logged.abstentions.len());
            verdict.pass("abstention", "plan/entries", found);
        }
    }
    check_logged(bundle, claim, verdict);
    good.then_some(logged)
}

struct Replay<'a> {
    bundle: &'a Bundle,
    registry: &'a Registry,
    claim: &'a ReportClaim,
    /// None once the order cannot be told any more.
    state: Option<PlanState>,
    logged: Logged,
}

impl Replay<'_> {
    fn release(&mut self, index: u64, envelope: &[u8]) -> Result<(), Refusal> {
        let release = verify::release(envelope, artifact_of(envelope, &self.bundle.plan)?, self.registry)?;
        same("plan", &self.claim.plan, &release.claim().plan)?;
        if let Some(state) = &mut self.state {
            state.admit(&release).map_err(|conflict| conflict.refusal)?;
        }
        if index < self.claim.log_size {
            self.logged.releases.push((index, release));
        }
        Ok(())
    }

    fn abstention(&mut self, index: u64, envelope: &[u8]) -> Result<(), Refusal> {
        let abstention = verify::abstention(envelope, artifact_of(envelope, &self.bundle.plan)?, self.registry)?;
        same("plan", &self.claim.plan, &abstention.claim().plan)?;
        if let Some(state) = &mut self.state {
            state.admit_abstention(&abstention).map_err(|conflict| conflict.refusal)?;
        }
        if index < self.claim.log_size {
            self.logged.abstentions.push((index, abstention));
        }
        Ok(())
    }
}

/// The report's own place: neither earlier nor later, as a release logged in between would be left out and nowhere named.
fn check_logged(bundle: &Bundle, claim: &ReportClaim, verdict: &mut Verdict) {
    let logged = bundle.plan.entries.iter().position(|entry| *entry == bundle.report_envelope);
    if let Some(index) = logged.filter(|index| *index as u64 == claim.log_size) {
        verdict.pass("report-logged", "report.dsse.json", format!("entry {index} of the plan's log"));
        return;
    }
    let expected = format!("the report at index {}", claim.log_size);
    let found = logged.map_or("nowhere in the log".to_owned(), |index| format!("index {index}"));
    verdict.push("report-logged", "report.dsse.json", super::Outcome::Fail, expected, found);
}
