//! Amendments: a window is answered again from the journal as it is now, and the new release replaces the old one.
//!
//! Outcomes count by the plan's own rule: labelled until the window's release time, however late they came in. What may
//! not be told by subtracting the two is for [`fedaudit_core::disclosure::Transitions`] to say. The steps and their crash
//! order are those of [`crate::close`].

use crate::abstain::named;
use crate::archive::Thaw;
use crate::beside;
use crate::close::{Answer, Leave, Question, answer, check_outbox, look, recover, sign};
use crate::desk;
use crate::journal::count_transitions;
use crate::outbox::{Kind, Outgoing, State};
use crate::privacy::check_amends;
use crate::reproduce::raw;
use crate::site::{Decision, Site, refused};
use clap::Args;
use fedaudit_core::codec;
use fedaudit_core::disclosure::{ReleaseText, Transitions};
use fedaudit_core::envelope::Amends;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::{Time, Window};
use fedaudit_core::verify;
use fedaudit_link::home::Lock;
use std::path::PathBuf;

/// `release amend PLAN --window WINDOW --reason TEXT`
#[derive(Args)]
pub struct Amend {
    /// The plan's name.
    pub plan: Name,
    /// The window, as START/END.
    #[arg(long)]
    pub window: String,
    /// Why; signed, and everybody reads it.
    #[arg(long)]
    pub reason: String,
    /// The archive's folder, for records that have left the journal; left out, that of config.toml.
    #[arg(long)]
    pub archive: Option<PathBuf>,
}

/// What became of an amendment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amended {
    /// It is signed, with this number.
    Signed(u64),
    /// It waits for the steward, under this digest.
    Waits(Digest),
}

/// Signs a release that replaces the latest one of the window, or drafts it where releases wait for the steward.
///
/// # Errors
/// No such plan, window or release; a plan that this site refused; nothing that is released would change; a difference that would show fewer than k
/// events. Then nothing was signed.
pub fn amend(site: &mut Site, wanted: &Amend, now: Time) -> Result<Amended, Fault> {
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    check_outbox(site)?;
    let (digest, windows) = named(site, &wanted.plan, &wanted.window)?;
    let [window] = windows[..] else {
        let what = format!("--window names {} windows", windows.len());
        return Err(Fault::new(Blame::Operator, what, "amend one window at a time"));
    };
    let review = accepted(site, &wanted.plan, &digest)?;
    let all: Vec<Outgoing> = site.outbox.releases()?.into_iter().filter(|r| r.plan == digest).collect();
    if let Some(refused) = all.iter().find(|document| document.state == State::Refused) {
        let what =
            format!("number {} of plan {} was refused: nothing more of it is sent", refused.sequence, wanted.plan);
        return Err(Fault::new(Blame::Site, what, "tell governance and the steward"));
    }
    let question = question(site, &digest, window)?;
    check_amends(&question.plan, window)?;
    let earlier = earlier(site, &digest, window)?;
    let Some(last) = earlier.last() else {
        let what = format!("{window} of plan {} has no release yet", wanted.plan);
        return Err(Fault::new(Blame::Operator, what, "it is released when it is due; then it can be amended"));
    };
    let amends = Amends { envelope: Digest::of(&last.envelope), reason: wanted.reason.clone() };
    amends.check().map_err(|e| Fault::new(Blame::Operator, e, "say why in a line: --reason TEXT"))?;
    desk::may_amend(site, &digest, window)?;
    let mut thaw = Thaw::new(wanted.archive.as_deref());
    let new = thaw.need(site, &question.contract, window).and_then(|()| {
        let new = if review { look(site, &question) } else { answer(site, &question) };
        beside_earlier(site, &question, &earlier, new?)
    });
    let new = new.and_then(|new| beside_others(site, &question, new, &mut thaw));
    let closed = thaw.close(site);
    let new = new.and_then(|new| closed.map(|()| new))?;
    if review {
        return desk::keep(site, &question, &new, Some(&amends), now).map(Amended::Waits);
    }
    let sequence = crate::close::next_number(site, &digest)?.0;
    sign(site, &question, new, Leave { amends: Some(amends), approved: None }, now)?;
    recover(site)?;
    Ok(Amended::Signed(sequence))
}

/// All releases of a window so far, the oldest first.
pub(crate) fn earlier(site: &Site, plan: &Digest, window: Window) -> Result<Vec<Outgoing>, Fault> {
    let of = |r: &Outgoing| r.plan == *plan && r.kind == Kind::Release && r.window == window;
    Ok(site.outbox.releases()?.into_iter().filter(of).collect())
}

/// A window of a plan that the registry knows.
pub(crate) fn question(site: &Site, digest: &Digest, window: Window) -> Result<Question, Fault> {
    let registry = site.mirror.registry();
    let plan = registry.plan(digest).map_err(refused)?.plan.clone();
    let contract = registry.contract_of(&plan).map_err(refused)?.clone();
    Ok(Question { plan, contract, digest: *digest, window })
}

/// The answer, if it may be told beside the earlier ones.
pub(crate) fn beside_earlier(
    site: &mut Site,
    question: &Question,
    earlier: &[Outgoing],
    mut new: Answer,
) -> Result<Answer, Fault> {
    for old in earlier {
        new.release.hide_differences(&text(old)?);
    }
    let news = earlier.last().map_or(Ok(true), |last| text(last).map(|last| new.release.is_news_to(&last)))?;
    if !news {
        let what = format!("nothing that is released of {} would change", question.window);
        return Err(Fault::new(Blame::Operator, what, "import the late events and outcomes first; nothing was signed"));
    }
    // Oldest first: what is told by subtraction from any of them counts.
    for old in earlier {
        check_difference(site, question, old, &new)?;
    }
    Ok(new)
}

/// The same answer, if it may be told beside releases of other plans.
fn beside_others(site: &mut Site, question: &Question, new: Answer, thaw: &mut Thaw) -> Result<Answer, Fault> {
    let others = beside::others(site, (&question.digest, &question.plan), question.window, None)?;
    let few = match beside::recoded(site, question, thaw)? {
        None => beside::check(site, question, &new, &others, thaw)?,
        why => why,
    };
    match few {
        None => Ok(new),
        Some(why) => {
            let what = format!("the amendment would show too few by subtraction: {why}");
            let hint = "wait until more labels or events of the window are in, and amend then; nothing was signed";
            Err(Fault::new(Blame::Operator, what, hint))
        }
    }
}

/// What the steward decided last about the plan, and the site's own policy, hold for amendments as they do for closing;
/// whether releases wait for review.
fn accepted(site: &mut Site, plan: &Name, digest: &Digest) -> Result<bool, Fault> {
    if let Err(reason) = site.home.config.allows(&site.mirror.registry().plan(digest).map_err(refused)?.plan) {
        let hint = "nothing was signed; config.toml is the data steward's to change";
        return Err(Fault::new(Blame::Operator, format!("this site does not allow plan {plan}: {reason}"), hint));
    }
    let what = match site.decisions()?.get(digest) {
        Some(Decision::Accepted) => return Ok(false),
        Some(Decision::Review) => return Ok(true),
        Some(Decision::Refused(reason)) => format!("this site refused plan {plan}: {reason}"),
        None => format!("this site has not accepted plan {plan}"),
    };
    let hint = format!("nothing was signed; if it is to be answered again: fedaudit-agent plan accept {plan}");
    Err(Fault::new(Blame::Operator, what, hint))
}

/// The release as it was signed.
pub(crate) fn text(release: &Outgoing) -> Result<ReleaseText, Fault> {
    let damaged = |e| Fault::new(Blame::Site, format!("outbox.sqlite: {e}"), "restore it from a backup");
    codec::from_json(&release.artifact).map_err(damaged)
}

/// Whether the difference between two releases shows no fewer than k events.
fn check_difference(site: &mut Site, question: &Question, old: &Outgoing, new: &Answer) -> Result<(), Fault> {
    let Question { plan, contract, window, .. } = question;
    let verified = verify::release(&old.envelope, &old.artifact, site.mirror.registry()).map_err(refused)?;
    let (_, before) = raw(site, plan, contract, old, &verified)?;
    let misfit = |e| Fault::new(Blame::Site, e, "run `fedaudit-agent journal verify`");
    let mut transitions = Transitions::new(verified.text(), &new.release, plan, contract).map_err(misfit)?;
    count_transitions(&mut site.journal, plan, contract, *window, [before, new.sizes], &mut transitions)?;
    transitions.check(plan.disclosure.k).map_err(|e| {
        let what = format!("the amendment would show too few by subtraction from release {}: {e}", old.sequence);
        let hint = "wait until more labels or events of the window are in, and amend then; nothing was signed";
        Fault::new(Blame::Operator, what, hint)
    })
}
