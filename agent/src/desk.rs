//! The release desk: releases of plans that were accepted with review wait here until the data steward decides.
//!
//! A draft is a release that is computed and disclosed, and not signed. The ledger alone says which drafts there are and
//! what was decided about them; the outbox keeps their bytes, so that a change can be shown.
//!
//! Crash order: (1) the draft's bytes are in the outbox, (2) the ledger names them, (3) the ledger names who approved, (4)
//! what is computed afresh is compared with what was approved, and goes the way of [`crate::close`] from its step (2) on. A
//! crash before (2) leaves bytes that `recheck` forgets; one between (3) and (4) leaves an approval that `recheck`
//! carries out. Bytes that are lost are computed again. To refuse, and to ask again, is one entry of the ledger each.

pub mod act;
mod hidden;
mod numbers;
mod show;

pub(crate) use hidden::beside_k;
pub use show::{Show, show};

use crate::abstain::standing;
use crate::amend::{beside_earlier, earlier, question};
use crate::archive::Thaw;
use crate::beside;
use crate::close::{Answer, Leave, Question, answer, check_outbox, hid, kept_back, look, next_number, recover, sign};
use crate::site::{Act, Decision, Site};
use fedaudit_core::codec;
use fedaudit_core::envelope::Amends;
use fedaudit_core::event::{LedgerEntry, Why};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::Fraction;
use fedaudit_core::time::{Time, Window};
use std::collections::{BTreeMap, BTreeSet};

/// What the ledger says of drafts.
#[derive(Debug, Default)]
pub struct Desk {
    cases: BTreeMap<(Digest, Window), Case>,
    /// Every draft there ever was, and of what.
    drafted: BTreeMap<Digest, (Digest, Window)>,
    /// Those that were approved and signed.
    signed: BTreeMap<Digest, Case>,
    policy: Option<Policy>,
    /// Why groups of a release are hidden, by SHA-256 of its `release.json`.
    reasons: BTreeMap<Digest, BTreeMap<hidden::At, Why>>,
}

/// The site's own policy: least k, attributes never reported, approvals needed, budget for releases with noise.
type Policy = (u64, Vec<String>, u32, Option<(Fraction, Fraction, u32)>);

/// The last draft of a window, unless it was signed or is asked for again.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The plan.
    pub plan: Digest,
    /// The window.
    pub window: Window,
    /// SHA-256 of the `release.json` that would leave.
    pub artifact: Digest,
    /// Sizes of the predictions and the outcomes log that it was computed from.
    pub journal: [u64; 2],
    /// Latest versions of plan and contract known then.
    pub versions: [u32; 2],
    /// What it would replace, and why.
    pub amends: Option<Amends>,
    /// When it was made.
    pub made: Time,
    /// Who approved it, and of how many persons that was thought one.
    pub approvals: Vec<(Act, u32)>,
    /// What became of it.
    pub standing: Standing,
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It waits for the steward.
    Waiting,
    /// A person refused it.
    Refused(String, Act),
    /// It does not fit any more what was decided here or in the federation.
    Withdrawn(String, Time),
}

impl Case {
    /// Different persons who approved.
    pub fn persons(&self) -> BTreeSet<String> {
        self.approvals.iter().map(|(act, _)| act::person(&act.by)).collect()
    }

    /// How many have to, where the site's policy says `now`.
    pub fn needed(&self, now: u32) -> u32 {
        self.approvals.last().map_or(now, |(_, then)| now.max(*then))
    }

    fn is_approved(&self, now: u32) -> bool {
        !self.approvals.is_empty() && self.persons().len() >= self.needed(now) as usize
    }
}

impl Desk {
    /// Reads the ledger.
    ///
    /// # Errors
    /// A journal that is damaged.
    pub fn read(site: &mut Site) -> Result<Desk, Fault> {
        let mut desk = Desk::default();
        site.journal.ledger(|_, entry| {
            desk.take(entry);
            Ok(())
        })?;
        Ok(desk)
    }

    fn take(&mut self, entry: LedgerEntry) {
        match entry {
            LedgerEntry::Drafted { plan, window, artifact, journal, versions, amends, at } => {
                let amends = amends.map(|(envelope, reason)| Amends { envelope, reason });
                let (approvals, standing) = (Vec::new(), Standing::Waiting);
                let case = Case { plan, window, artifact, journal, versions, amends, made: at, approvals, standing };
                self.drafted.insert(artifact, (plan, window));
                self.cases.insert((plan, window), case);
            }
            LedgerEntry::Approved { plan, window, artifact, needed, by, at } => {
                if let Some(case) = self.waiting_at(plan, window, artifact) {
                    case.approvals.push((Act { by, at }, needed));
                }
            }
            LedgerEntry::Declined { plan, window, artifact, reason, by, at } => {
                if let Some(case) = self.waiting_at(plan, window, artifact) {
                    case.standing = Standing::Refused(reason, Act { by, at });
                }
            }
            LedgerEntry::Dropped { plan, window, artifact, reason, at } => {
                if let Some(case) = self.waiting_at(plan, window, artifact) {
                    case.standing = Standing::Withdrawn(reason, at);
                }
            }
            LedgerEntry::Reviewed { plan, window, .. } => {
                self.cases.retain(|key, case| *key != (plan, window) || case.standing == Standing::Waiting);
            }
            LedgerEntry::Released { plan, window, .. } => {
                if let Some(case) = self.cases.remove(&(plan, window)) {
                    self.signed.insert(case.artifact, case);
                }
            }
            LedgerEntry::Accepted { plan, review, .. } => self.cases.retain(|(of, _), case| {
                let stays = match case.standing {
                    Standing::Waiting => review || case.amends.is_some(),
                    Standing::Withdrawn(..) => false,
                    Standing::Refused(..) => true,
                };
                *of != plan || stays
            }),
            LedgerEntry::Policy { k_floor, never_report, approvals, privacy, .. } => {
                self.policy = Some((k_floor, never_report, approvals, privacy));
            }
            LedgerEntry::Hid { artifact, groups } => {
                let of = self.reasons.entry(artifact).or_default();
                of.extend(groups.into_iter().map(|of| ([of.stratum, of.slice, of.group], of.why)));
            }
            _ => {}
        }
    }

    fn waiting_at(&mut self, plan: Digest, window: Window, artifact: Digest) -> Option<&mut Case> {
        let case = self.cases.get_mut(&(plan, window));
        case.filter(|case| case.artifact == artifact && case.standing == Standing::Waiting)
    }

    /// All that stands there, by plan and window.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    /// Those that wait for the steward.
    pub fn waiting(&self) -> impl Iterator<Item = &Case> {
        self.cases().filter(|case| case.standing == Standing::Waiting)
    }

    /// The windows of a plan of which nothing is to leave until they are asked for again.
    pub fn kept_back(&self, plan: &Digest) -> impl Iterator<Item = Window> {
        let kept = self.cases.values().filter(|case| case.standing != Standing::Waiting);
        kept.filter(move |case| case.plan == *plan).map(|case| case.window)
    }

    /// The windows of a plan that are not to be closed: their draft waits, or nothing is to leave of them.
    pub fn windows(&self, plan: &Digest) -> impl Iterator<Item = Window> {
        self.cases.values().filter(move |case| case.plan == *plan).map(|case| case.window)
    }
}

/// Checks what waits against what is decided by now, and carries out what was approved before a crash; what stands then.
/// The caller holds `import.lock`.
///
/// # Errors
/// A journal or outbox that fails.
pub(crate) fn recheck(site: &mut Site, now: Time) -> Result<Desk, Fault> {
    let mut desk = Desk::read(site)?;
    let mut entries = Vec::new();
    let config = &site.home.config;
    let budget = config.privacy.map(|of| (of.epsilon, of.delta, of.period_days));
    let policy: Policy = (config.k_floor, config.never_report.clone(), config.approvals, budget);
    if desk.policy.as_ref() != Some(&policy) {
        let (k_floor, never_report, approvals, privacy) = policy;
        entries.push(LedgerEntry::Policy { k_floor, never_report, approvals, privacy, at: now });
    }
    let (decisions, abstained) = match desk.waiting().next() {
        Some(_) => (site.decisions()?, standing(site)?),
        None => Default::default(),
    };
    for case in desk.waiting() {
        let abstained = case.amends.is_none() && abstained.contains_key(&(case.plan, case.window));
        if let Some(reason) = objection(site, case, decisions.get(&case.plan), abstained)? {
            let (plan, window, artifact) = (case.plan, case.window, case.artifact);
            tracing::warn!(%window, %artifact, %reason, "a draft is withdrawn");
            entries.push(LedgerEntry::Dropped { plan, window, artifact, reason, at: now });
        }
    }
    if !entries.is_empty() {
        site.journal.append(&entries, &mut site.rng)?;
        desk = Desk::read(site)?;
    }
    let needed = site.home.config.approvals;
    let approved: Vec<Case> = desk.waiting().filter(|case| case.is_approved(needed)).cloned().collect();
    for case in &approved {
        match sign_approved(site, case, now)? {
            Carried::Signed(_) => {}
            Carried::Changed(new) => {
                tracing::warn!(window = %case.window, artifact = %new, "the draft has changed since it was approved");
            }
            Carried::Dropped(why) => tracing::warn!(window = %case.window, %why, "a draft is withdrawn"),
        }
    }
    if !approved.is_empty() {
        desk = Desk::read(site)?;
    }
    site.outbox.keep_only_drafts(&desk.waiting().map(|case| case.artifact).collect())?;
    Ok(desk)
}

/// Why a draft may wait no longer.
fn objection(site: &Site, case: &Case, decision: Option<&Decision>, abstained: bool) -> Result<Option<String>, Fault> {
    if let Some(Decision::Refused(reason)) = decision {
        return Ok(Some(format!("this site refused the plan: {reason}")));
    }
    if abstained {
        return Ok(Some("this site abstained for the window".to_owned()));
    }
    let question = question(site, &case.plan, case.window)?;
    if let Err(reason) = site.home.config.allows(&question.plan) {
        return Ok(Some(format!("this site does not allow the plan any more: {reason}")));
    }
    let [plan, contract] = versions(site, &question);
    Ok(match case.versions {
        [then, _] if then < plan => Some(format!("version {plan} of the plan was published since")),
        [_, then] if then < contract => {
            Some(format!("version {contract} of contract {} was published since", question.contract.contract))
        }
        _ => None,
    })
}

/// The latest versions of a plan and its contract that this site knows.
fn versions(site: &Site, question: &Question) -> [u32; 2] {
    let registry = site.mirror.registry();
    let plan = registry.plan_named(&question.plan.plan).map_or(0, |(_, version, _)| version);
    [plan, registry.contract(&question.contract.contract).map_or(0, |(_, version, _)| version)]
}

/// Drafts a window that is due.
///
/// # Errors
/// A journal or outbox that fails.
pub(crate) fn draft_due(site: &mut Site, question: &Question, now: Time) -> Result<(), Fault> {
    let answer = fresh(site, question, None, false)?;
    keep(site, question, &answer, None, now).map(|_| ())
}

/// An amendment takes the place of an earlier draft of one, not of one that was refused.
///
/// # Errors
/// It was refused or withdrawn.
pub(crate) fn may_amend(site: &mut Site, plan: &Digest, window: Window) -> Result<(), Fault> {
    let desk = Desk::read(site)?;
    match desk.cases.get(&(*plan, window)).map(|case| &case.standing) {
        None | Some(Standing::Waiting) => Ok(()),
        Some(Standing::Refused(reason, _) | Standing::Withdrawn(reason, _)) => {
            let what = format!("the draft of an amendment of {window} was refused or withdrawn: {reason}");
            Err(Fault::new(Blame::Operator, what, format!("if it is wanted again: release review {window}")))
        }
    }
}

/// What would leave now: computed from the journal as it is, and from the archive where records have left it. Only what is
/// `sealed`, with the journal's blocks filled, can be signed.
fn fresh(site: &mut Site, question: &Question, amends: Option<&Amends>, sealed: bool) -> Result<Answer, Fault> {
    let mut thaw = Thaw::new(None);
    let new = thaw.need(site, &question.contract, question.window).and_then(|()| {
        let new = if sealed { answer(site, question)? } else { look(site, question)? };
        match amends {
            None => Ok(new),
            Some(_) => {
                let earlier = earlier(site, &question.digest, question.window)?;
                beside_earlier(site, question, &earlier, new)
            }
        }
    });
    let closed = thaw.close(site);
    new.and_then(|new| closed.map(|()| new))
}

/// The bytes that would be signed of an answer.
fn bytes(answer: &Answer) -> Result<Vec<u8>, Fault> {
    codec::to_json(&answer.release).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))
}

/// Keeps a draft, in the place of an earlier one of its window; its digest.
///
/// # Errors
/// A journal or outbox that fails.
pub(crate) fn keep(
    site: &mut Site,
    question: &Question,
    answer: &Answer,
    amends: Option<&Amends>,
    now: Time,
) -> Result<Digest, Fault> {
    let bytes = bytes(answer)?;
    let artifact = Digest::of(&bytes);
    site.outbox.keep_draft(&bytes)?;
    let entry = LedgerEntry::Drafted {
        plan: question.digest,
        window: question.window,
        artifact,
        journal: answer.sizes,
        versions: versions(site, question),
        amends: amends.map(|amends| (amends.envelope, amends.reason.clone())),
        at: now,
    };
    let mut entries = hid(artifact, &answer.reasons);
    entries.push(entry);
    site.journal.append(&entries, &mut site.rng)?;
    Ok(artifact)
}

/// Signs what enough persons approved, and nothing else: if the journal gives another release by now, that one is drafted,
/// and nobody has approved it yet.
fn sign_approved(site: &mut Site, case: &Case, now: Time) -> Result<Carried, Fault> {
    let question = question(site, &case.plan, case.window)?;
    check_outbox(site)?;
    let answer = fresh(site, &question, case.amends.as_ref(), true)?;
    if Digest::of(&bytes(&answer)?) != case.artifact {
        return keep(site, &question, &answer, case.amends.as_ref(), now).map(Carried::Changed);
    }
    // Another plan's release may have left while this one waited.
    let others = beside::others(site, (&question.digest, &question.plan), question.window, None)?;
    if let Some((why, reason)) = kept_back(site, &question, &others)? {
        let (plan, window, artifact, reason) = (case.plan, case.window, case.artifact, reason.to_owned());
        site.journal.append(&[LedgerEntry::Dropped { plan, window, artifact, reason, at: now }], &mut site.rng)?;
        return Ok(Carried::Dropped(why));
    }
    let number = next_number(site, &case.plan)?.0;
    let leave = Leave { amends: case.amends.clone(), approved: Some(case.artifact) };
    sign(site, &question, answer, leave, now)?;
    recover(site)?;
    Ok(Carried::Signed(number))
}

/// What became of an approved draft.
enum Carried {
    /// It is signed, with this number.
    Signed(u64),
    /// It is another by now, and drafted anew.
    Changed(Digest),
    /// It is withdrawn: beside a release of another plan it would tell of few events.
    Dropped(String),
}

#[cfg(test)]
mod tests;
