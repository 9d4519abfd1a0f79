//! The entries of a plan's log.

use super::{Verdict, artifact_of};
use crate::bundle::{Bundle, LogPart};
use crate::envelope::ReportClaim;
use crate::fault::Refusal;
use crate::ids::Digest;
use crate::report::LoggedReport;
use crate::roster::{Registry, same};
use crate::verify::{self, At, Entry, Kind, PlanState, VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use std::num::NonZeroUsize;

/// What stands in the plan's log, each with its index; behind the report as well.
#[derive(Default)]
pub(super) struct Logged {
    pub releases: Vec<(u64, VerifiedRelease)>,
    pub abstentions: Vec<(u64, VerifiedAbstention)>,
    pub disputes: Vec<(u64, VerifiedDispute)>,
    pub reports: Vec<LoggedReport>,
}

/// Those of them that stand below an index.
pub(super) fn below<T>(all: &[(u64, T)], size: u64) -> &[(u64, T)] {
    all.get(..all.partition_point(|(index, _)| *index < size)).unwrap_or_default()
}

impl Logged {
    pub fn reports_below(&self, size: u64) -> &[LoggedReport] {
        self.reports.get(..self.reports.partition_point(|report| report.index < size)).unwrap_or_default()
    }
}

/// What an entry is, and whether it is good by itself; its place among the others is not looked at.
enum Judged {
    Report(ReportClaim, Digest),
    Release(Box<VerifiedRelease>),
    Abstention(Box<VerifiedAbstention>),
    Dispute(Box<VerifiedDispute>),
    /// The heading of the check that it did not pass.
    Refused(&'static str, Refusal),
}

/// Checks every entry, those behind the report too.
pub(super) fn check(
    bundle: &Bundle,
    registry: &Registry,
    claim: &ReportClaim,
    workers: NonZeroUsize,
    verdict: &mut Verdict,
) -> Option<Logged> {
    let mut replay = Replay { claim, state: Some(PlanState::default()), logged: Logged::default() };
    let mut good = true;
    for (index, judged) in (0..).zip(judge_all(&bundle.plan, registry, workers)) {
        let (check, taken) = match judged {
            Judged::Report(report, signer) => {
                let envelope = usize::try_from(index).ok().and_then(|index| bundle.plan.entries.get(index));
                let envelope = Digest::of(envelope.map(Vec::as_slice).unwrap_or_default());
                let taken = replay.report(At { registry, index }, envelope, report, &signer);
                let numbered = taken.as_ref().is_err_and(|refusal| refusal.check == "report-number");
                (if numbered { "report-number" } else { "report" }, taken)
            }
            Judged::Release(release) => ("release", replay.release(At { registry, index }, *release)),
            Judged::Abstention(abstention) => ("abstention", replay.abstention(At { registry, index }, *abstention)),
            Judged::Dispute(dispute) => ("dispute-entry", replay.dispute(At { registry, index }, *dispute)),
            Judged::Refused(check, refusal) => (check, Err(refusal)),
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
        let [releases, abstentions] =
            [below(&logged.releases, claim.log_size).len(), below(&logged.abstentions, claim.log_size).len()];
        let found = format!("{releases} releases signed by their sites, in sequence");
        verdict.pass("release", "plan/entries", found);
        if abstentions > 0 {
            let found = format!("{abstentions} abstentions signed by their sites, in sequence");
            verdict.pass("abstention", "plan/entries", found);
        }
        let found = match claim.supersedes {
            None => "the first over its windows".to_owned(),
            Some(before) => format!("number {} over its windows; it supersedes {}", claim.number, before.short()),
        };
        verdict.pass("report-number", "report.dsse.json", found);
    }
    check_logged(bundle, claim, verdict);
    good.then_some(logged)
}

/// Signatures take nearly all of the time, and no entry's depend on another's: each worker checks a share of them.
fn judge_all(part: &LogPart, registry: &Registry, workers: NonZeroUsize) -> Vec<Judged> {
    let share = part.entries.len().div_ceil(workers.get()).max(LEAST_SHARE);
    let judge_share =
        |entries: &[Vec<u8>]| entries.iter().map(|entry| judge(entry, part, registry)).collect::<Vec<_>>();
    if part.entries.len() <= share {
        return judge_share(&part.entries);
    }
    std::thread::scope(|scope| {
        let shares: Vec<_> =
            part.entries.chunks(share).map(|entries| (entries, scope.spawn(move || judge_share(entries)))).collect();
        // A share whose thread failed is judged again, here.
        shares.into_iter().flat_map(|(entries, done)| done.join().unwrap_or_else(|_| judge_share(entries))).collect()
    })
}

fn judge(envelope: &[u8], part: &LogPart, registry: &Registry) -> Judged {
    // The kind is only claimed so far; what is then checked holds, or does not, whatever was claimed.
    let kind = verify::claimed_kind(envelope);
    let artifact = || artifact_of(envelope, part);
    // An entry that nobody in the roster signed is that first, whatever else is wrong with it.
    let refused = |check, refusal| Judged::Refused(check, verify::entry(envelope, registry).err().unwrap_or(refusal));
    match kind {
        Ok(Kind::Release) => match artifact().and_then(|artifact| verify::release(envelope, artifact, registry)) {
            Ok(release) => Judged::Release(Box::new(release)),
            Err(refusal) => refused("release", refusal),
        },
        Ok(Kind::Abstention) => {
            match artifact().and_then(|artifact| verify::abstention(envelope, artifact, registry)) {
                Ok(abstention) => Judged::Abstention(Box::new(abstention)),
                Err(refusal) => refused("abstention", refusal),
            }
        }
        Ok(Kind::Dispute) => match artifact().and_then(|artifact| verify::dispute(envelope, artifact, registry)) {
            Ok(dispute) => Judged::Dispute(Box::new(dispute)),
            Err(refusal) => refused("dispute-entry", refusal),
        },
        Ok(Kind::Other) | Err(_) => match verify::entry(envelope, registry) {
            Ok(Entry::Report(claim, signer)) => Judged::Report(claim, signer),
            Ok(_) => Judged::Refused("release", Refusal::new("statement", "a report", "another kind")),
            Err(refusal) => Judged::Refused("release", refusal),
        },
    }
}

struct Replay<'a> {
    claim: &'a ReportClaim,
    /// None once the order cannot be told any more.
    state: Option<PlanState>,
    logged: Logged,
}

impl Replay<'_> {
    fn release(&mut self, at: At, release: VerifiedRelease) -> Result<(), Refusal> {
        same("plan", &self.claim.plan, &release.claim().plan)?;
        if let Some(state) = &mut self.state {
            state.admit(&release, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.releases.push((at.index, release));
        Ok(())
    }

    fn abstention(&mut self, at: At, abstention: VerifiedAbstention) -> Result<(), Refusal> {
        same("plan", &self.claim.plan, &abstention.claim().plan)?;
        if let Some(state) = &mut self.state {
            state.admit_abstention(&abstention, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.abstentions.push((at.index, abstention));
        Ok(())
    }

    fn dispute(&mut self, at: At, dispute: VerifiedDispute) -> Result<(), Refusal> {
        same("plan", &self.claim.plan, &dispute.claim().plan)?;
        if let Some(state) = &mut self.state {
            state.admit_dispute(&dispute, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.disputes.push((at.index, dispute));
        Ok(())
    }

    fn report(&mut self, at: At, envelope: Digest, claim: ReportClaim, signer: &Digest) -> Result<(), Refusal> {
        same("plan", &self.claim.plan, &claim.plan)?;
        if let Some(state) = &mut self.state {
            state.admit_report(envelope, &claim, signer, at)?;
        }
        self.logged.reports.push(LoggedReport { index: at.index, envelope, windows: claim.windows });
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

/// Entries below which a second thread is not worth its start.
const LEAST_SHARE: usize = 64;
