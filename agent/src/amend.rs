//! Amendments: a window is answered again from the journal as it is now, and the new release replaces the old one.
//!
//! Outcomes count by the plan's own rule: labelled until the window's release time, however late they came in. What may
//! not be told by subtracting the two is for [`fedaudit_core::disclosure::Transitions`] to say. The steps and their crash
//! order are those of [`crate::close`].

use crate::abstain::named;
use crate::archive::Thaw;
use crate::beside;
use crate::close::{Answer, Question, answer, check_outbox, recover, sign};
use crate::journal::count_transitions;
use crate::outbox::{Kind, Outgoing, State};
use crate::reproduce::raw;
use crate::site::{Decision, Site, refused};
use clap::Args;
use fedaudit_core::codec;
use fedaudit_core::disclosure::{ReleaseText, Transitions};
use fedaudit_core::envelope::Amends;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::Time;
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

/// Signs a release that replaces the latest one of the window; its number.
///
/// # Errors
/// No such plan, window or release; a plan that this site refused; nothing that is released would change; a difference that would show fewer than k
/// events. Then nothing was signed.
pub fn amend(site: &mut Site, wanted: &Amend, now: Time) -> Result<u64, Fault> {
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    check_outbox(site)?;
    let (digest, windows) = named(site, &wanted.plan, &wanted.window)?;
    let [window] = windows[..] else {
        let what = format!("--window names {} windows", windows.len());
        return Err(Fault::new(Blame::Operator, what, "amend one window at a time"));
    };
    accepted(site, &wanted.plan, &digest)?;
    let earlier: Vec<Outgoing> = site.outbox.releases()?.into_iter().filter(|r| r.plan == digest).collect();
    if let Some(refused) = earlier.iter().find(|document| document.state == State::Refused) {
        let what =
            format!("number {} of plan {} was refused: nothing more of it is sent", refused.sequence, wanted.plan);
        return Err(Fault::new(Blame::Site, what, "tell governance and the steward"));
    }
    let earlier: Vec<_> = earlier.into_iter().filter(|r| r.kind == Kind::Release && r.window == window).collect();
    let Some(last) = earlier.last() else {
        let what = format!("{window} of plan {} has no release yet", wanted.plan);
        return Err(Fault::new(Blame::Operator, what, "it is released when it is due; then it can be amended"));
    };
    let amends = Amends { envelope: Digest::of(&last.envelope), reason: wanted.reason.clone() };
    amends.check().map_err(|e| Fault::new(Blame::Operator, e, "say why in a line: --reason TEXT"))?;
    let registry = site.mirror.registry();
    let plan = registry.plan(&digest).map_err(refused)?.plan.clone();
    let contract = registry.contract_of(&plan).map_err(refused)?.clone();
    let question = Question { plan, contract, digest, window };
    let mut thaw = Thaw::new(wanted.archive.as_deref());
    let new = thaw.need(site, &question.contract, window).and_then(|()| answer_again(site, &question, &earlier, last));
    let new = new.and_then(|new| beside_others(site, &question, new, &mut thaw));
    let closed = thaw.close(site);
    let new = new.and_then(|new| closed.map(|()| new))?;
    let sequence = crate::close::next_number(site, &digest)?.0;
    sign(site, &question, new, Some(amends), now)?;
    recover(site)?;
    Ok(sequence)
}

/// The answer now, if it may be told beside the earlier ones.
fn answer_again(site: &mut Site, question: &Question, earlier: &[Outgoing], last: &Outgoing) -> Result<Answer, Fault> {
    let mut new = answer(site, question)?;
    for old in earlier {
        new.release.hide_differences(&text(old)?);
    }
    if !new.release.is_news_to(&text(last)?) {
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
    match beside::check(site, question, &new, &others, thaw)? {
        None => Ok(new),
        Some(why) => {
            let what = format!("the amendment would show too few by subtraction: {why}");
            let hint = "wait until more labels or events of the window are in, and amend then; nothing was signed";
            Err(Fault::new(Blame::Operator, what, hint))
        }
    }
}

/// What the steward decided last about the plan holds for amendments as it does for closing.
fn accepted(site: &mut Site, plan: &Name, digest: &Digest) -> Result<(), Fault> {
    let what = match site.decisions()?.get(digest) {
        Some(Decision::Accepted) => return Ok(()),
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
