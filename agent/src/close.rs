//! Closing a window: journal -> aggregate -> release -> attestation -> outbox.
//!
//! Crash order: (1) pads fill the journal's blocks, (2) the signed bytes are durable in the outbox as `prepared`, (3) the
//! ledger names them, and the fence, (4) they are `ready` to be sent. A crash before (2) leaves nothing but pads, and the window is closed
//! anew; after (2) the same bytes go on, by [`recover`], which every run begins with. Nothing is ever signed twice.
//!
//! Of a plan that was accepted with review, a window is drafted instead, and signed once the steward approved it: see
//! [`crate::desk`].
//!
//! Amendments ([`crate::amend`]) and abstentions ([`crate::abstain`]) go the same way from (2) on. All three take
//! `import.lock` first, so that one process numbers documents at a time, and never in the middle of an import.

use crate::abstain::{stand, standing};
use crate::beside::{self, Others};
use crate::desk;
use crate::epoch;
use crate::fence;
use crate::home::{Enrolment, SOFTWARE};
use crate::journal::aggregate;
use crate::outbox::{Kind, Listed, Outgoing, State};
use crate::privacy;
use crate::rotate;
use crate::site::{Decision, Site, refused};
use fedaudit_core::aggregate::Aggregate;
use fedaudit_core::contract::Contract;
use fedaudit_core::disclosure::{Disclosed, Release, disclose};
use fedaudit_core::envelope::{Amends, Head, ReleaseClaim, attest_release};
use fedaudit_core::event::{LedgerEntry, Reason};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::journal_origin;
use fedaudit_core::time::{Time, Window};
use fedaudit_link::home::Lock;
use rand::Rng as _;
use std::collections::BTreeSet;

/// Closes or drafts every window that is due of every accepted plan that the site's own policy still allows; how many.
///
/// A plan over a contract under which nothing was ever journaled waits: silence is not yet zero events. While an import
/// is at work nothing is closed. A window for which the site abstained is left, unless it withdrew that, and so is one
/// whose draft waits or was refused.
///
/// # Errors
/// A journal or outbox that fails; an outbox that lacks a release which the ledger names. What was closed before stays
/// closed.
pub fn close_due(site: &mut Site, now: Time) -> Result<usize, Fault> {
    epoch::begin(site)?;
    let Ok(_import) = Lock::try_acquire(&site.home.import_lock()) else { return Ok(0) };
    recover(site)?;
    // Before contact nobody knows; after it, `run` says what is wrong.
    if site.standing.clear().is_err() || rotate::waits(&site.home)? {
        return Ok(0);
    }
    let desk = desk::recheck(site, now)?;
    let abstained = standing(site)?;
    let accepted = site.decisions()?.into_iter().filter(|(_, decision)| !matches!(decision, Decision::Refused(_)));
    let released = site.outbox.list()?;
    let mut closed = 0;
    for (digest, decision) in accepted {
        let Ok(published) = site.mirror.registry().plan(&digest) else { continue };
        let plan = published.plan.clone();
        if site.home.config.allows(&plan).is_err() {
            continue;
        }
        let contract = site.mirror.registry().contract_of(&plan).map_err(refused)?.clone();
        let [predictions, _] = contract.journal_logs();
        if site.journal.size(&predictions)? == 0 {
            continue;
        }
        let done =
            released.iter().filter(|r| r.plan == digest && r.kind == Kind::Release).map(|release| release.window);
        let done = done.chain(abstained.keys().filter(|(of, _)| *of == digest).map(|(_, window)| *window));
        let done: BTreeSet<_> = done.chain(desk.windows(&digest)).collect();
        for window in plan.windows_before(now) {
            if plan.release_time(&window) <= now && !done.contains(&window) && privacy::can_answer(site, &plan)? {
                if closed == 0 {
                    check_outbox(site)?;
                }
                site.journal.count_silence(&contract, window.end, &mut site.rng)?;
                let question = Question { plan: plan.clone(), contract: contract.clone(), digest, window };
                let others = beside::others(site, (&digest, &plan), window, None)?;
                if let Some((why, reason)) = kept_back(site, &question, &others)? {
                    tracing::warn!(plan = %plan.plan, %window, %why, "not released: {reason}");
                    let before = |l: &&Listed| l.plan == digest && l.window == window && l.kind == Kind::Abstention;
                    stand(site, (digest, window), released.iter().find(before), reason, &beside::act(now))?;
                } else if decision == Decision::Review {
                    desk::draft_due(site, &question, now)?;
                } else {
                    let answer = answer(site, &question)?;
                    sign(site, &question, answer, Leave { amends: None, approved: None }, now)?;
                }
                closed += 1;
            }
        }
    }
    recover(site)?;
    Ok(closed)
}

/// Why a window is not answered, for the site's own log and for everybody; none if it is.
pub(crate) fn kept_back(
    site: &mut Site,
    question: &Question,
    others: &Others,
) -> Result<Option<(String, &'static str)>, Fault> {
    if let Some(why) = beside::few(site, question, others)? {
        return Ok(Some((why, beside::REASON)));
    }
    Ok(privacy::spent(site, question)?.map(|why| (why, privacy::REASON)))
}

/// Carries what is `prepared` to the ledger and to `ready`: the last step of closing, and of every recovery.
///
/// # Errors
/// A journal or outbox that fails.
pub fn recover(site: &mut Site) -> Result<(), Fault> {
    // Whoever waited for the lock signs with the keys that hold now.
    site.reload_mirror()?;
    let prepared = site.outbox.prepared()?;
    if prepared.is_empty() {
        return Ok(());
    }
    let mut named = BTreeSet::new();
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Released { envelope, .. }
        | LedgerEntry::Abstained { envelope, .. }
        | LedgerEntry::Disputed { envelope, .. } = entry
        {
            named.insert(envelope);
        }
        Ok(())
    })?;
    let entries: Vec<_> =
        prepared.iter().filter(|release| !named.contains(&Digest::of(&release.envelope))).map(ledger_entry).collect();
    if !entries.is_empty() {
        site.journal.append(&entries, &mut site.rng)?;
    }
    fence::record(site, &prepared)?;
    prepared.iter().try_for_each(|release| site.outbox.mark_ready(&Digest::of(&release.envelope)))
}

/// What the ledger says of a document that was signed.
pub(crate) fn ledger_entry(of: &Outgoing) -> LedgerEntry {
    let (plan, window, sequence, envelope) = (of.plan, of.window, of.sequence, Digest::of(&of.envelope));
    match of.kind {
        Kind::Release => LedgerEntry::Released { plan, window, sequence, envelope, salt: of.salt },
        Kind::Abstention => LedgerEntry::Abstained { plan, window, sequence, envelope },
        Kind::Dispute => LedgerEntry::Disputed { plan, window, sequence, envelope },
    }
}

/// An outbox older than the ledger would have a window signed a second time: the ledger is asked first.
pub(crate) fn check_outbox(site: &mut Site) -> Result<(), Fault> {
    let kept: BTreeSet<_> = site.outbox.list()?.into_iter().map(|release| release.envelope).collect();
    let (mut lost, mut void) = (None, BTreeSet::new());
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Lost { envelope } = entry {
            void.insert(envelope);
        }
        Ok(())
    })?;
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Released { window, envelope, .. }
        | LedgerEntry::Abstained { window, envelope, .. }
        | LedgerEntry::Disputed { window, envelope, .. } = entry
            && !kept.contains(&envelope)
            && !void.contains(&envelope)
        {
            lost.get_or_insert(window);
        }
        Ok(())
    })?;
    match lost {
        None => Ok(()),
        Some(window) => {
            let what = format!(
                "outbox.sqlite lacks the release, abstention or dispute of {window} that the ledger names: it is older than the journal"
            );
            Err(Fault::new(Blame::Site, what, "restore the newest outbox.sqlite; nothing is signed until then"))
        }
    }
}

/// A window of a plan, and what its answer is computed with.
pub(crate) struct Question {
    pub plan: Plan,
    pub contract: Contract,
    pub digest: Digest,
    pub window: Window,
}

/// What the journal says to a question, as it is now.
pub(crate) struct Answer {
    /// Sizes of the predictions and the outcomes log.
    pub sizes: [u64; 2],
    aggregate: Aggregate,
    /// What may leave of it.
    pub release: Release,
    /// Why it shows less than everything of some groups.
    pub reasons: Vec<Reason>,
    /// The noise on its counts; none unless the plan asks for it.
    noise: Vec<i64>,
}

/// Fills the journal's blocks and computes an answer that can be signed; nothing leaves.
pub(crate) fn answer(site: &mut Site, question: &Question) -> Result<Answer, Fault> {
    let [predictions, outcomes] = question.contract.journal_logs();
    let blocks = site.home.config.pad_blocks;
    let mut pad = |log| site.journal.pad_to(log, blocks, &mut site.rng);
    let sizes = [pad(&predictions)?, pad(&outcomes)?];
    answer_at(site, question, sizes)
}

/// Computes an answer and leaves the journal as it is.
pub(crate) fn look(site: &mut Site, question: &Question) -> Result<Answer, Fault> {
    let [predictions, outcomes] = question.contract.journal_logs();
    let sizes = [site.journal.size(&predictions)?, site.journal.size(&outcomes)?];
    answer_at(site, question, sizes)
}

fn answer_at(site: &mut Site, question: &Question, sizes: [u64; 2]) -> Result<Answer, Fault> {
    let Question { plan, contract, digest, window } = question;
    let aggregate = aggregate(&mut site.journal, plan, contract, *window, sizes[0], sizes[1])?;
    if privacy::is_private(plan) {
        let (release, noise) = privacy::release(site, question, &aggregate)?;
        return Ok(Answer { sizes, aggregate, release, reasons: Vec::new(), noise });
    }
    let disclosed = disclose(&aggregate, plan, contract, *digest, &site.enrolment.site, *window).map_err(misfit)?;
    let Disclosed { mut release, reasons } = disclosed;
    let others = beside::others(site, (digest, plan), *window, None)?;
    beside::withhold(site, plan, &others, &mut release)?;
    Ok(Answer { sizes, aggregate, release, reasons, noise: Vec::new() })
}

/// Signed checkpoints of a contract's logs at the sizes of an answer.
fn checkpoints(site: &mut Site, contract: &Contract, sizes: [u64; 2]) -> Result<Vec<String>, Fault> {
    let mut notes = Vec::new();
    for (log, size) in contract.journal_logs().iter().zip(sizes) {
        let Enrolment { federation, site: name, epoch, .. } = &site.enrolment;
        let origin = journal_origin(federation, name, *epoch, log);
        let note = site.journal.checkpoint(log, size, &origin)?.sign(&site.key(KeyUse::Note)?);
        notes.push(note.map_err(|e| Fault::new(Blame::Site, format!("checkpoint of {origin}: {e}"), "report this"))?);
    }
    Ok(notes)
}

fn misfit(error: String) -> Fault {
    Fault::new(Blame::Site, error, "run `fedaudit-agent journal verify`")
}

/// What a release leaves by.
pub(crate) struct Leave {
    /// What it replaces, and why.
    pub amends: Option<Amends>,
    /// SHA-256 of the `release.json` that the steward approved, where they were asked.
    pub approved: Option<Digest>,
}

/// Signs the release of a window, and keeps its bytes. What was approved is what is signed, or nothing is.
pub(crate) fn sign(site: &mut Site, question: &Question, answer: Answer, leave: Leave, now: Time) -> Result<(), Fault> {
    let mut salt = [0; 16];
    site.rng.fill_bytes(&mut salt);
    let (sequence, previous) = next_number(site, &question.digest)?;
    let replaced = leave.amends.as_ref().map(|amends| amends.envelope);
    let claim = ReleaseClaim {
        site: site.enrolment.site.clone(),
        plan: question.digest,
        contract: question.plan.contract_digest,
        window: question.window,
        epoch: site.enrolment.epoch,
        sequence,
        previous,
        amends: leave.amends,
        journal: checkpoints(site, &question.contract, answer.sizes)?,
        raw: answer.aggregate.salted_digest(&salt).map_err(|e| misfit(e.to_string()))?,
        software: SOFTWARE.to_owned(),
    };
    let (head, key) = (head(site, now), site.key(KeyUse::Attest)?);
    let mut attestation = attest_release(&answer.release, head, claim, &key).map_err(refused)?;
    let artifact = attestation.artifacts.pop().unwrap_or_default();
    if let Some(approved) = leave.approved.filter(|approved| *approved != Digest::of(&artifact)) {
        let what = format!("the release of {} is not the {approved} that was approved", question.window);
        return Err(Fault::new(Blame::Site, what, "nothing was signed; look at it again: `release show`"));
    }
    // A draft's are there already.
    if leave.approved.is_none() {
        site.journal.append(&hid(Digest::of(&artifact), &answer.reasons), &mut site.rng)?;
    }
    privacy::charge(site, question, &answer.aggregate, &answer.noise)?;
    site.outbox.prepare(&Outgoing {
        kind: Kind::Release,
        plan: question.digest,
        window: question.window,
        sequence,
        amends: replaced,
        artifact,
        envelope: attestation.envelope,
        salt,
        state: State::Prepared,
        answer: None,
    })
}

/// Why groups of a release are hidden, for the ledger.
pub(crate) fn hid(artifact: Digest, reasons: &[Reason]) -> Vec<LedgerEntry> {
    let entry = |groups: &[Reason]| LedgerEntry::Hid { artifact, groups: groups.to_vec() };
    reasons.chunks(REASONS).map(entry).collect()
}

/// Most of them in one entry: a record is no longer than 65,535 bytes.
const REASONS: usize = 3_000;

/// Number and envelope before it of the next document within this site and a plan.
///
/// # Errors
/// A home that may sign nothing new, whose next keys wait, or whose epoch is over.
pub(crate) fn next_number(site: &Site, plan: &Digest) -> Result<(u64, Option<Digest>), Fault> {
    site.standing.clear()?;
    epoch::check(site)?;
    rotate::check(&site.home)?;
    let last = site.outbox.last_of(plan)?;
    Ok(last.map_or((0, None), |last| (last.sequence + 1, Some(Digest::of(&last.envelope)))))
}

/// What this site adds to what it claims now.
pub(crate) fn head(site: &Site, now: Time) -> Head {
    let federation = site.enrolment.federation.clone();
    Head { federation, issued_at: now, seen: site.mirror.registry().seen(), replaces: None }
}
