//! What a person does at the desk.

use super::{Carried, Case, Desk, Standing, bytes, fresh, keep, recheck, sign_approved};
use crate::amend::question;
use crate::close::recover;
use crate::outbox::Kind;
use crate::site::{Act, Site};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::{Time, Window};
use fedaudit_link::home::Lock;
use std::os::unix::fs::MetadataExt as _;

/// What an approval led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approved {
    /// It is signed, with this number within the plan.
    Signed(u64),
    /// So many of so many persons have approved.
    Waits(usize, u32),
}

/// Who does it: the name given, else the login name.
///
/// # Errors
/// A name that is no line of 1 to 100 characters.
pub fn who(by: Option<&str>, at: Time) -> Result<Act, Fault> {
    let login = || {
        let named = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(|key| std::env::var(key).ok());
        let number = || std::fs::metadata("/proc/self").map_or(String::new(), |facts| format!("uid {}", facts.uid()));
        named.into_iter().find(|name| !name.trim().is_empty()).unwrap_or_else(number)
    };
    let by = by.map_or_else(login, str::to_owned);
    let hint = "name yourself: --by NAME";
    Ok(Act { by: line(&by, "--by").map_err(|what| Fault::new(Blame::Operator, what, hint))?, at })
}

/// A name as it is compared: two spellings are one person.
pub(crate) fn person(by: &str) -> String {
    by.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn line(text: &str, what: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LINE_CHARS || text.chars().any(char::is_control) {
        return Err(format!("{what} is a line of 1 to {LINE_CHARS} characters"));
    }
    Ok(text.to_owned())
}

/// Approves a draft: exactly the bytes that `digest` names. With the last approval they are signed.
///
/// # Errors
/// No such draft waits; it was withdrawn just now; the journal gives another release by now, which is drafted instead; the
/// same person approved before. Then nothing is signed.
pub fn approve(site: &mut Site, digest: &str, act: &Act) -> Result<Approved, Fault> {
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    let desk = recheck(site, act.at)?;
    let case = waiting(site, &desk, digest)?;
    let now = site.home.config.approvals;
    if case.persons().contains(&person(&act.by)) && case.persons().len() < now as usize {
        let (have, needed) = (case.persons().len(), case.needed(now));
        let what = format!("{} approved it before: {have} of {needed} persons have", act.by);
        return Err(Fault::new(Blame::Operator, what, "another person approves it, under their own name: --by NAME"));
    }
    // What is approved is what is there now, whatever became of the journal since the draft was made.
    let question = question(site, &case.plan, case.window)?;
    let answer = fresh(site, &question, case.amends.as_ref(), false)?;
    if Digest::of(&bytes(&answer)?) != case.artifact {
        let new = keep(site, &question, &answer, case.amends.as_ref(), act.at)?;
        return Err(changed(&case, &new));
    }
    let (plan, window, artifact) = (case.plan, case.window, case.artifact);
    let (by, at) = (act.by.clone(), act.at);
    let entry = LedgerEntry::Approved { plan, window, artifact, needed: now, by, at };
    site.journal.append(&[entry], &mut site.rng)?;
    let mut case = case;
    case.approvals.push((act.clone(), now));
    if !case.is_approved(now) {
        return Ok(Approved::Waits(case.persons().len(), case.needed(now)));
    }
    match sign_approved(site, &case, act.at)? {
        Carried::Signed(number) => Ok(Approved::Signed(number)),
        Carried::Changed(new) => Err(changed(&case, &new)),
        Carried::Dropped(why) => {
            let hint = "the draft is withdrawn; if it is wanted once more labels are in: fedaudit-agent release review";
            Err(Fault::new(Blame::Operator, format!("{} was not signed: {why}", case.window), hint))
        }
    }
}

fn changed(case: &Case, new: &Digest) -> Fault {
    let what = format!(
        "what would leave of {} has changed since {} was drafted: it is {new} now, and nothing was signed",
        case.window,
        case.artifact.short()
    );
    Fault::new(Blame::Operator, what, format!("look at it again: fedaudit-agent release show {}", case.window))
}

/// Refuses a draft: nothing leaves of its window until it is asked for again. Its window.
///
/// # Errors
/// No such draft waits; a reason that is no line.
pub fn refuse(site: &mut Site, digest: &str, reason: &str, act: &Act) -> Result<Window, Fault> {
    let reason = line(reason, "--reason");
    let reason = reason.map_err(|e| Fault::new(Blame::Operator, e, "say why in a line: --reason TEXT"))?;
    let _import = Lock::acquire(&site.home.import_lock())?;
    let desk = Desk::read(site)?;
    let Case { plan, window, artifact, .. } = waiting(site, &desk, digest)?;
    let (by, at) = (act.by.clone(), act.at);
    let entry = LedgerEntry::Declined { plan, window, artifact, reason, by, at };
    site.journal.append(&[entry], &mut site.rng)?;
    Ok(window)
}

/// Asks again for windows whose draft was refused or withdrawn; how many.
///
/// # Errors
/// None of them was.
pub fn review(site: &mut Site, window: &str, plan: Option<&Name>, act: &Act) -> Result<usize, Fault> {
    let hint = "name a window as START/END, or all; `release list` shows what was refused";
    let parsed = match window {
        "all" => None,
        text => Some(Window::parse(text).map_err(|e| Fault::new(Blame::Operator, e, hint))?),
    };
    let plan = plan.map(|plan| site.plan_named(plan)).transpose()?.map(|(digest, _)| digest);
    let _import = Lock::acquire(&site.home.import_lock())?;
    let desk = Desk::read(site)?;
    let meant = |case: &&Case| {
        case.standing != Standing::Waiting
            && parsed.is_none_or(|window| window == case.window)
            && plan.is_none_or(|plan| plan == case.plan)
    };
    let entry = |case: &Case| {
        let (by, at) = (act.by.clone(), act.at);
        LedgerEntry::Reviewed { plan: case.plan, window: case.window, by, at }
    };
    let entries: Vec<_> = desk.cases().filter(meant).map(entry).collect();
    if entries.is_empty() {
        let what = format!("no draft of {window} was refused or withdrawn");
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    site.journal.append(&entries, &mut site.rng)?;
    Ok(entries.len())
}

/// The draft that a digest names, whole: a decision goes by nothing less.
fn waiting(site: &Site, desk: &Desk, digest: &str) -> Result<Case, Fault> {
    let hint = "fedaudit-agent release list shows what waits, each with its digest";
    let Some(wanted) = Digest::from_hex(digest) else {
        let what = format!("`{digest}` is no digest of 64 hexadecimal digits");
        return Err(Fault::new(Blame::Operator, what, hint));
    };
    let Some((plan, window)) = desk.drafted.get(&wanted) else {
        return Err(Fault::new(Blame::Operator, format!("no draft has the digest {wanted}"), hint));
    };
    let case = desk.cases.get(&(*plan, *window));
    let what = match case {
        Some(case) if case.artifact != wanted => {
            return Err(changed(&Case { artifact: wanted, ..case.clone() }, &case.artifact));
        }
        Some(case) => match &case.standing {
            Standing::Waiting => return Ok(case.clone()),
            Standing::Refused(reason, act) => format!("{} refused it on {}: {reason}", act.by, act.at),
            Standing::Withdrawn(reason, at) => format!("it was withdrawn on {at}: {reason}"),
        },
        None => {
            let released = site.outbox.releases()?;
            let signed = released.iter().find(|of| of.kind == Kind::Release && Digest::of(&of.artifact) == wanted);
            signed.map_or("it waits no more".to_owned(), |of| format!("it is signed: release {}", of.sequence))
        }
    };
    let what = format!("the draft {} of {window} cannot be decided about: {what}", wanted.short());
    Err(Fault::new(Blame::Operator, what, hint))
}

/// Longest name or reason.
const LINE_CHARS: usize = 100;
