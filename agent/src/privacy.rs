//! Releases with noise: what is drawn, what it costs, and whether this site still gives it.
//!
//! Crash order: (1) the noise key is in its file, (2) the ledger names it, (3) the ledger says what a release costs and with
//! which noise, (4) its signed bytes are in the outbox ([`crate::close`], step (2)). A crash between (3) and (4) leaves a window
//! that is paid for and not released; it is then answered from the journal as it is, and costs nothing more: nothing had left.
//! Noise is derived, never stored and read back, so that the same counts leave with the same noise whatever was restored.
//!
//! For the stores, the worst if someone alters them: `noise.key`: the site does not answer any more; read by others, they can
//! subtract the noise from what was released. `config.toml`: the budget is what it says. The ledger is in the journal.

mod config;
mod key;
mod sampler;
mod spending;

pub use config::PrivacyConfig;
pub(crate) use config::SAMPLE;
pub(crate) use spending::{Period, Spending, spent};

use crate::beside::Others;
use crate::close::Question;
use crate::site::{Site, refused};
use fedaudit_core::aggregate::Aggregate;
use fedaudit_core::disclosure::{Release, ReleaseText, disclose_noisy, noisy_numbers};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::PlanText;
use fedaudit_core::privacy::{Noise, Stream, cost, seed};
use fedaudit_core::time::Window;

/// What everybody reads as the reason of an abstention when the budget is spent.
pub(crate) const REASON: &str = "the privacy budget is spent";

/// Whether a plan's counts leave with noise.
pub(crate) fn is_private(plan: &PlanText) -> bool {
    plan.disclosure.privacy.is_some()
}

/// Whether noise can be drawn as it must be. Without the key a window waits, and holds up no other plan; the log says so.
///
/// # Errors
/// A journal that is damaged.
pub(crate) fn can_answer(site: &mut Site, plan: &PlanText) -> Result<bool, Fault> {
    if !is_private(plan) {
        return Ok(true);
    }
    match key::missing(site)? {
        None => Ok(true),
        Some(fault) => {
            tracing::error!(plan = %plan.plan, "not released: {fault}");
            Ok(false)
        }
    }
}

/// A release with noise, and the noise.
///
/// # Errors
/// No key, or another one than the ledger names.
pub(crate) fn release(
    site: &mut Site,
    question: &Question,
    aggregate: &Aggregate,
) -> Result<(Release, Vec<i64>), Fault> {
    let key = key::obtain(site)?;
    let noise = draw(&key, question, aggregate)?;
    Ok((with_noise(site, question, aggregate, &noise)?, noise))
}

fn draw(key: &[u8; 32], question: &Question, aggregate: &Aggregate) -> Result<Vec<i64>, Fault> {
    let Question { plan, contract, digest, window } = question;
    let of = Noise::of(plan).ok_or_else(|| misfit("a plan without noise"))?;
    let raw = aggregate.salted_digest(&[0; 16]).map_err(misfit)?;
    let stream = Stream::new(seed(key, &raw, digest, window));
    sampler::draw(&of, noisy_numbers(plan, contract), stream).map_err(misfit)
}

fn with_noise(site: &Site, question: &Question, aggregate: &Aggregate, noise: &[i64]) -> Result<Release, Fault> {
    let Question { plan, contract, digest, window } = question;
    disclose_noisy(aggregate, (plan, *digest), contract, &site.enrolment.site, *window, noise).map_err(misfit)
}

/// Pays for a release before it is signed. A window that is paid for is not paid for again; if it is answered with other
/// noise by now, the ledger says so.
///
/// # Errors
/// The budget does not allow it; a journal that cannot be written.
pub(crate) fn charge(site: &mut Site, question: &Question, aggregate: &Aggregate, noise: &[i64]) -> Result<(), Fault> {
    let Some(cost) = cost(&question.plan) else { return Ok(()) };
    if let Some(why) = spent(site, question)? {
        let hint = "nothing was signed; a greater budget is the data steward's to give: config.toml";
        return Err(Fault::new(Blame::Operator, why, hint));
    }
    let left_out = aggregate.left_out();
    if left_out > 0 {
        tracing::info!(plan = %question.plan.plan, window = %question.window, left_out, "events beyond the plan's bound for a subject, or of sampled tiers, were left out");
    }
    let entry = LedgerEntry::Spent {
        plan: question.digest,
        window: question.window,
        model: question.contract.model.clone(),
        cost,
        left_out,
        noise: noise.to_vec(),
    };
    let before = Spending::read(site)?;
    if before.entry(&question.digest, &question.window).is_some_and(|paid| paid.is(&entry)) {
        return Ok(());
    }
    site.journal.append(&[entry], &mut site.rng)
}

/// What the ledger is to say of a release that was taken back from the log, unless it says so already; none without noise. Which
/// noise it was is lost.
///
/// # Errors
/// A registry that lacks the plan; a journal that is damaged.
pub(crate) fn owed(site: &mut Site, plan: Digest, window: Window) -> Result<Option<LedgerEntry>, Fault> {
    let text = site.mirror.registry().plan(&plan).map_err(refused)?.plan.clone();
    let Some(cost) = cost(&text) else { return Ok(None) };
    let model = site.mirror.registry().contract_of(&text).map_err(refused)?.model.clone();
    if Spending::read(site)?.entry(&plan, &window).is_some() {
        return Ok(None);
    }
    Ok(Some(LedgerEntry::Spent { plan, window, model, cost, left_out: 0, noise: Vec::new() }))
}

/// Why what leaves with noise and what leaves without must not stand beside each other, for the site's own log: subtracted from
/// exact counts of the same events, noise is no secret. None if there is nothing of the other kind.
///
/// # Errors
/// A registry that lacks one of the plans.
pub(crate) fn mixed(site: &Site, plan: &PlanText, others: &Others) -> Result<Option<String>, Fault> {
    for digest in others.keys() {
        let other = &site.mirror.registry().plan(digest).map_err(refused)?.plan;
        let shares = plan.model_versions.iter().any(|version| other.model_versions.contains(version));
        if shares && is_private(plan) != is_private(other) {
            let how = if is_private(other) { "with noise" } else { "without noise" };
            return Ok(Some(format!("plan {} released some of the same events {how}", other.plan)));
        }
    }
    Ok(None)
}

/// Whether another plan's release is no matter of subtraction: one of both has noise.
///
/// # Errors
/// As [`mixed`].
pub(crate) fn is_apart(site: &Site, plan: &PlanText, other: &Digest) -> Result<bool, Fault> {
    let other = &site.mirror.registry().plan(other).map_err(refused)?.plan;
    Ok(is_private(plan) || is_private(other))
}

/// Refuses to amend what left with noise.
///
/// # Errors
/// The plan is such a plan.
pub(crate) fn check_amends(plan: &PlanText, window: Window) -> Result<(), Fault> {
    if !is_private(plan) {
        return Ok(());
    }
    let what = format!("{window} of plan {} was released with noise: such a window is released once", plan.plan);
    let hint = "nothing was signed; a second answer would cost as much again and could be averaged with the first: \
                choose a later release_after_hours in a next plan";
    Err(Fault::new(Blame::Operator, what, hint))
}

/// Holds a release with noise against the journal and the ledger: fresh noise from the key, if it is here, is the noise in the
/// ledger; and what was released less that noise is what the journal gives. Whether the key was here.
///
/// # Errors
/// Something is not the same, or another key is here.
pub(crate) fn reproduce(
    site: &mut Site,
    question: &Question,
    aggregate: &Aggregate,
    left: &ReleaseText,
) -> Result<bool, Fault> {
    let Question { plan, digest, window, .. } = question;
    let spending = Spending::read(site)?;
    let Some(paid) = spending.entry(digest, window) else {
        return Err(misfit(format!("the ledger holds no noise for {window} of plan {}", plan.plan)));
    };
    let noise = paid.noise.clone();
    let key = key::held(site)?;
    if let Some(key) = &key
        && draw(key, question, aggregate)? != noise
    {
        return Err(misfit(format!("noise.key gives other noise for {window} of plan {} than the ledger", plan.plan)));
    }
    match *with_noise(site, question, aggregate, &noise)? == *left {
        true => Ok(key.is_some()),
        false => {
            Err(misfit(format!("the release of {window} less the noise in the ledger is not what the journal gives")))
        }
    }
}

fn misfit(what: impl ToString) -> Fault {
    Fault::new(Blame::Site, what.to_string(), "run `fedaudit-agent journal verify`; nothing was signed")
}
