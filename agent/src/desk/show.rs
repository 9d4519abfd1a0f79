//! `release show`: every number that would leave, or that left.

mod text;

use super::hidden::{Hidden, hidden};
use super::numbers::{Change, changes};
use super::{Case, Desk, Standing, bytes, fresh, keep, recheck};
use crate::amend::{earlier, question};
use crate::close::{Question, recover};
use crate::outbox::{Kind, Outgoing, State};
use crate::site::{Site, refused};
use clap::Args;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::{Time, Window};
use fedaudit_core::verify;
use fedaudit_link::home::Lock;
use fedaudit_link::say;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `release show WINDOW|DIGEST`
#[derive(Args)]
pub struct Show {
    /// A window as START/END, or the first 8 or more digits of a digest.
    pub what: String,
    /// The plan's name, where windows of several are alike.
    #[arg(long)]
    pub plan: Option<Name>,
    /// For programs.
    #[arg(long)]
    pub json: bool,
}

/// A release as it is shown.
pub(super) struct View {
    question: Question,
    /// `waiting`, or how far it is.
    state: String,
    /// SHA-256 of its `release.json`, and how many bytes that has.
    digest: Digest,
    size: usize,
    made: Option<Time>,
    /// Who approved it: name and time.
    approvals: Vec<(String, Time)>,
    needed: u32,
    waiting: bool,
    amends: Option<String>,
    /// Sizes of the predictions and the outcomes log behind it.
    journal: [u64; 2],
    release: Value,
    hidden: Vec<Hidden>,
    /// What left of the window before.
    before: Vec<Earlier>,
    /// What is different from the draft as it was, if it had to be made again.
    changed: Option<(Digest, Vec<Change>)>,
}

/// What left before.
pub(super) struct Earlier {
    number: u64,
    state: &'static str,
    /// SHA-256 of its `release.json`.
    digest: Digest,
    /// What is different now.
    changes: Vec<Change>,
}

/// Shows it. What waits is computed afresh; if the journal gives another release by now, that one takes the draft's place.
///
/// # Errors
/// Nothing of that name; a journal or outbox that fails.
pub fn show(site: &mut Site, wanted: &Show, now: Time) -> Result<(), Fault> {
    let view = view(site, wanted, now)?;
    if wanted.json {
        say!("{}", as_json(&view));
    } else {
        text::lines(&view).iter().for_each(|line| say!("{line}"));
    }
    Ok(())
}

fn view(site: &mut Site, wanted: &Show, now: Time) -> Result<View, Fault> {
    let plan = wanted.plan.as_ref().map(|plan| site.plan_named(plan)).transpose()?.map(|(digest, _)| digest);
    let window = Window::parse(&wanted.what).ok();
    let digits = wanted.what.len() >= 8 && wanted.what.bytes().all(|byte| byte.is_ascii_hexdigit());
    if window.is_none() && !digits {
        let hint = "name a window as START/END, or 8 digits of a digest: `release list` has both";
        return Err(Fault::new(Blame::Operator, format!("`{}` is no window and no digest", wanted.what), hint));
    }
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    let desk = recheck(site, now)?;
    let meant = |of: &Digest, at: &Window, digests: &[Digest]| {
        let named = digests.iter().any(|digest| digest.to_string().starts_with(&wanted.what));
        plan.is_none_or(|plan| plan == *of) && window.map_or(named, |window| window == *at)
    };
    let drafts: Vec<&Case> = desk.cases().filter(|case| meant(&case.plan, &case.window, &[case.artifact])).collect();
    match drafts[..] {
        [case] if case.standing == Standing::Waiting => return draft(site, &case.clone(), now),
        [_, _, ..] => return Err(several(&wanted.what)),
        _ => {}
    }
    let releases = site.outbox.releases()?.into_iter().filter(|of| of.kind == Kind::Release);
    let mut signed: Vec<_> = releases
        .filter(|of| meant(&of.plan, &of.window, &[Digest::of(&of.artifact), Digest::of(&of.envelope)]))
        .collect();
    // Of a window the last one counts.
    let Some(last) = signed.pop() else { return Err(nothing(site, &desk, wanted, drafts.first().copied())) };
    if signed.iter().any(|other| other.plan != last.plan || window.is_none()) {
        return Err(several(&wanted.what));
    }
    released(site, &desk, last)
}

fn several(what: &str) -> Fault {
    let hint = "name the plan as well: --plan PLAN; or more digits";
    Fault::new(Blame::Operator, format!("`{what}` means more than one release"), hint)
}

fn nothing(site: &Site, desk: &Desk, wanted: &Show, case: Option<&Case>) -> Fault {
    let hint = "fedaudit-agent release list shows what is there; `run` drafts the windows that are due";
    let what = match case.map(|case| &case.standing) {
        Some(Standing::Refused(reason, act)) => {
            format!("{} was refused by {} on {}: {reason}; its numbers are not kept", wanted.what, act.by, act.at)
        }
        Some(Standing::Withdrawn(reason, at)) => {
            format!("{} was withdrawn on {at}: {reason}; its numbers are not kept", wanted.what)
        }
        _ => {
            let old = desk.drafted.iter().find(|(digest, _)| digest.to_string().starts_with(&wanted.what));
            match old.and_then(|(_, key)| desk.cases.get(key)) {
                Some(case) => format!("{} was an earlier draft of {}: see {}", wanted.what, case.window, case.artifact),
                None => format!("{} of {} has neither draft nor release", wanted.what, site.enrolment.site),
            }
        }
    };
    Fault::new(Blame::Operator, what, hint)
}

/// A draft, made again if the journal has moved on.
fn draft(site: &mut Site, case: &Case, now: Time) -> Result<View, Fault> {
    let question = question(site, &case.plan, case.window)?;
    let answer = fresh(site, &question, case.amends.as_ref(), false)?;
    let bytes = bytes(&answer)?;
    let release = parse(&bytes)?;
    let digest = Digest::of(&bytes);
    let (mut made, mut approvals, mut changed) = (case.made, case.approvals.as_slice(), None);
    if digest == case.artifact {
        // Lost with an outbox of an earlier state, perhaps.
        site.outbox.keep_draft(&bytes)?;
    } else {
        let old = site.outbox.draft(&case.artifact)?;
        let old = old.map_or(Ok(Vec::new()), |old| parse(&old).map(|old| changes(&old, &release)))?;
        keep(site, &question, &answer, case.amends.as_ref(), now)?;
        (made, approvals, changed) = (now, &[], Some((case.artifact, old)));
    }
    let reasons = answer.reasons.iter().map(|of| ([of.stratum, of.slice, of.group], of.why)).collect();
    Ok(View {
        state: "waiting".to_owned(),
        digest,
        size: bytes.len(),
        made: Some(made),
        approvals: approvals.iter().map(|(act, _)| (act.by.clone(), act.at)).collect(),
        needed: case.needed(site.home.config.approvals),
        waiting: true,
        amends: case.amends.as_ref().map(|amends| amends.reason.clone()),
        journal: answer.sizes,
        before: before(&earlier(site, &case.plan, case.window)?, &release)?,
        hidden: hidden(&release, &reasons, &question.plan.disclosure),
        release,
        changed,
        question,
    })
}

/// What was signed.
fn released(site: &mut Site, desk: &Desk, of: Outgoing) -> Result<View, Fault> {
    let question = question(site, &of.plan, of.window)?;
    let verified = verify::release(&of.envelope, &of.artifact, site.mirror.registry()).map_err(refused)?;
    let mut journal = [0; 2];
    for (size, checkpoint) in journal.iter_mut().zip(verified.journal()) {
        *size = checkpoint.size;
    }
    let (release, digest) = (parse(&of.artifact)?, Digest::of(&of.artifact));
    let mut older = earlier(site, &of.plan, of.window)?;
    older.retain(|other| other.sequence < of.sequence);
    let signed = desk.signed.get(&digest);
    let state = crate::leave::listed(site)?.into_iter().find(|listed| listed.envelope == Digest::of(&of.envelope));
    Ok(View {
        state: state.map_or(State::Ready, |listed| listed.state).word().to_owned(),
        digest,
        size: of.artifact.len(),
        made: signed.map(|case| case.made),
        approvals: signed
            .map_or(Vec::new(), |case| case.approvals.iter().map(|(act, _)| (act.by.clone(), act.at)).collect()),
        needed: signed.map_or(0, |case| case.needed(1)),
        waiting: false,
        amends: verified.claim().amends.as_ref().map(|amends| amends.reason.clone()),
        journal,
        before: before(&older, &release)?,
        hidden: hidden(&release, desk.reasons.get(&digest).unwrap_or(&BTreeMap::new()), &question.plan.disclosure),
        release,
        changed: None,
        question,
    })
}

fn before(earlier: &[Outgoing], release: &Value) -> Result<Vec<Earlier>, Fault> {
    let row = |of: &Outgoing| {
        let changes = changes(&parse(&of.artifact)?, release);
        let (number, state, digest) = (of.sequence, of.state.word(), Digest::of(&of.artifact));
        Ok(Earlier { number, state, digest, changes })
    };
    earlier.iter().map(row).collect()
}

fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    let damaged = |e| Fault::new(Blame::Site, format!("outbox.sqlite: {e}"), "restore it from a backup");
    serde_json::from_slice(bytes).map_err(damaged)
}

fn as_json(view: &View) -> Value {
    let Question { plan, window, contract, .. } = &view.question;
    let logs = contract.journal_logs();
    json!({
        "plan": plan.plan, "version": plan.version, "window": window, "state": view.state, "digest": view.digest,
        "bytes": view.size, "drafted_at": view.made, "needed": view.needed, "amends_because": view.amends,
        "approvals": view.approvals.iter().map(|(by, at)| json!({ "by": by, "at": at })).collect::<Vec<_>>(),
        "journal": logs.iter().zip(view.journal).map(|(log, size)| json!({ "log": log, "records": size })).collect::<Vec<_>>(),
        "release": view.release,
        "hidden": view.hidden.iter().map(|Hidden { at, shown, why }| json!({
            "at": at.join(" > "), "shown": shown, "rule": view.release["rule"], "why": why,
        })).collect::<Vec<_>>(),
        "before": view.before.iter().map(|Earlier { number, state, digest, changes }| json!({
            "sequence": number, "state": state, "digest": digest, "changes": changes,
        })).collect::<Vec<_>>(),
        "changed": view.changed.as_ref().map(|(digest, changes)| json!({ "digest": digest, "changes": changes })),
    })
}
