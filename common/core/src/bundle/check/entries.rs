//! The entries of a plan's log.

use super::registry::artifact_of;
use super::{Outcome, Verdict, signer_of};
use crate::bundle::{Bundle, LogPart};
use crate::envelope::{Claim, Claimed, ReportClaim};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::report::LoggedReport;
use crate::roster::{Registry, same};
use crate::verify::{self, At, Entry, Kind, PlanState, VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use std::collections::BTreeSet;
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

/// What the entries are held against.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    /// The plan whose log it is, where that is known.
    pub plan: Option<Digest>,
    /// The report's: what stands behind it is checked and does not count.
    pub log_size: u64,
    /// Whether these are all entries of the log, in its order; else each is looked at by itself.
    pub whole: bool,
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
    scope: Scope,
    workers: NonZeroUsize,
    verdict: &mut Verdict,
) -> Option<Logged> {
    let state = scope.whole.then(PlanState::default);
    let mut replay = Replay { scope, state, lost: BTreeSet::new(), logged: Logged::default() };
    let mut good = scope.whole;
    let judged = judge_all(&bundle.plan, registry, workers);
    for (index, (judged, envelope)) in (0..).zip(judged.into_iter().zip(&bundle.plan.entries)) {
        let (check, taken) = match judged {
            Judged::Report(report, signer) => {
                let taken = replay.report(At { registry, index }, Digest::of(envelope), report, &signer);
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
            verdict.by(signer_of(envelope, registry));
            let undecidable = verdict.checks.last().is_some_and(|check| check.outcome == Outcome::Undecidable);
            replay.lose(envelope, undecidable);
        }
    }
    let logged = replay.logged;
    if good {
        let [releases, abstentions] =
            [below(&logged.releases, scope.log_size).len(), below(&logged.abstentions, scope.log_size).len()];
        let found = format!("{releases} releases signed by their sites, in sequence");
        verdict.pass("release", "plan/entries", found);
        if abstentions > 0 {
            let found = format!("{abstentions} abstentions signed by their sites, in sequence");
            verdict.pass("abstention", "plan/entries", found);
        }
    }
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
        Ok(Kind::Heartbeat | Kind::Other) | Err(_) => match verify::entry(envelope, registry) {
            Ok(Entry::Report(claim, signer)) => Judged::Report(claim, signer),
            Ok(_) => Judged::Refused("release", Refusal::new("statement", "a report", "another kind")),
            Err(refusal) if matches!(claimed(envelope), Ok(Claim::Report(_))) => Judged::Refused("report", refusal),
            Err(refusal) => Judged::Refused("release", refusal),
        },
    }
}

/// What an envelope claims; nobody has checked it.
fn claimed(envelope: &[u8]) -> Result<Claim, Refusal> {
    Ok(Claimed::parse(envelope)?.claimed_statement()?.predicate.claim)
}

struct Replay {
    scope: Scope,
    /// None once the order cannot be told any more.
    state: Option<PlanState>,
    /// Sites whose order cannot be told any more.
    lost: BTreeSet<Name>,
    logged: Logged,
}

impl Replay {
    fn release(&mut self, at: At, release: VerifiedRelease) -> Result<(), Refusal> {
        same("plan", &self.scope.plan.unwrap_or(release.claim().plan), &release.claim().plan)?;
        if let Some(state) = self.state.as_mut().filter(|_| !self.lost.contains(&release.claim().site)) {
            state.admit(&release, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.releases.push((at.index, release));
        Ok(())
    }

    fn abstention(&mut self, at: At, abstention: VerifiedAbstention) -> Result<(), Refusal> {
        same("plan", &self.scope.plan.unwrap_or(abstention.claim().plan), &abstention.claim().plan)?;
        if let Some(state) = self.state.as_mut().filter(|_| !self.lost.contains(&abstention.claim().site)) {
            state.admit_abstention(&abstention, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.abstentions.push((at.index, abstention));
        Ok(())
    }

    fn dispute(&mut self, at: At, dispute: VerifiedDispute) -> Result<(), Refusal> {
        same("plan", &self.scope.plan.unwrap_or(dispute.claim().plan), &dispute.claim().plan)?;
        if let Some(state) = self.state.as_mut().filter(|_| !self.lost.contains(&dispute.claim().site)) {
            state.admit_dispute(&dispute, at).map_err(|conflict| conflict.refusal)?;
        }
        self.logged.disputes.push((at.index, dispute));
        Ok(())
    }

    fn report(&mut self, at: At, envelope: Digest, claim: ReportClaim, signer: &Digest) -> Result<(), Refusal> {
        same("plan", &self.scope.plan.unwrap_or(claim.plan), &claim.plan)?;
        if let Some(state) = &mut self.state {
            state.admit_report(envelope, &claim, signer, at)?;
        }
        self.logged.reports.push(LoggedReport { index: at.index, envelope, windows: claim.windows });
        Ok(())
    }

    /// Behind an entry that did not pass, the order of what its site says cannot be told; behind one of which it cannot be told
    /// whose it is, nobody's can.
    fn lose(&mut self, envelope: &[u8], undecidable: bool) {
        match claimed(envelope) {
            _ if undecidable => self.state = None,
            Ok(Claim::Report(_)) => {}
            Ok(Claim::Release(claim)) => drop(self.lost.insert(claim.site)),
            Ok(Claim::Abstention(claim)) => drop(self.lost.insert(claim.site)),
            Ok(Claim::Dispute(claim)) => drop(self.lost.insert(claim.site)),
            _ => self.state = None,
        }
    }
}

/// Entries below which a second thread is not worth its start.
const LEAST_SHARE: usize = 64;
