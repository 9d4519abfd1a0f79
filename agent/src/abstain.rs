//! Abstentions: the site says, signed and logged, that it will not answer a plan for a window.
//!
//! A window with a standing abstention is not closed. It can be withdrawn here, by a ledger entry: what was signed is
//! never unsaid, but the window is released when it is due, the release counts, and the log shows both. The steps and
//! their crash order are those of [`crate::close`], from the outbox on.

use crate::close::{check_outbox, head, next_number, recover};
use crate::desk::act::who;
use crate::outbox::{Kind, Listed, Outgoing, State};
use crate::site::{Act, Site, refused};
use clap::Args;
use fedaudit_core::absence::{Abstention, AbstentionText, FORMAT, attest_abstention, windows_named};
use fedaudit_core::codec;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::time::{Time, Window};
use fedaudit_link::home::Lock;
use fedaudit_link::say;
use std::collections::BTreeMap;

/// `plan abstain PLAN --window WINDOW --reason TEXT`
#[derive(Args)]
pub struct Abstain {
    /// The plan's name.
    pub plan: Name,
    /// A window as START/END, or `all`: every window that has no release yet.
    #[arg(long)]
    pub window: String,
    /// Why; signed, and everybody reads it.
    #[arg(long)]
    pub reason: String,
    /// Who you are, for the site's own ledger; default: the login name.
    #[arg(long)]
    pub by: Option<String>,
}

/// `plan withdraw PLAN --window WINDOW`
#[derive(Args)]
pub struct Withdraw {
    /// The plan's name.
    pub plan: Name,
    /// A window as START/END, or `all`: every window with an abstention.
    #[arg(long)]
    pub window: String,
    /// Who you are, for the site's own ledger; default: the login name.
    #[arg(long)]
    pub by: Option<String>,
}

impl Abstain {
    /// Abstains and says so.
    ///
    /// # Errors
    /// As [`abstain`].
    pub fn run(&self, site: &mut Site, now: Time) -> Result<(), Fault> {
        say!("abstained for {} windows of plan {}; `run` sends it", abstain(site, self, now)?, self.plan);
        Ok(())
    }
}

impl Withdraw {
    /// Withdraws and says so.
    ///
    /// # Errors
    /// As [`withdraw`].
    pub fn run(&self, site: &mut Site, now: Time) -> Result<(), Fault> {
        say!("{} abstentions of plan {} withdrawn", withdraw(site, self, now)?, self.plan);
        Ok(())
    }
}

/// The abstentions that hold: signed, and not withdrawn, with the envelope.
///
/// # Errors
/// A journal that is damaged.
pub fn standing(site: &mut Site) -> Result<BTreeMap<(Digest, Window), Digest>, Fault> {
    let mut standing = BTreeMap::new();
    site.journal.ledger(|_, entry| {
        match entry {
            LedgerEntry::Abstained { plan, window, envelope, .. } => drop(standing.insert((plan, window), envelope)),
            LedgerEntry::Withdrawn { plan, window, .. } => drop(standing.remove(&(plan, window))),
            _ => {}
        }
        Ok(())
    })?;
    Ok(standing)
}

/// Abstains for the windows that have neither release nor standing abstention; how many.
///
/// # Errors
/// No such plan or window; one window that is named and released, or abstained for with another reason.
pub fn abstain(site: &mut Site, wanted: &Abstain, now: Time) -> Result<usize, Fault> {
    let act = who(wanted.by.as_deref(), now)?;
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    check_outbox(site)?;
    let (plan, windows) = named(site, &wanted.plan, &wanted.window)?;
    let listed: Vec<Listed> = site.outbox.list()?.into_iter().filter(|listed| listed.plan == plan).collect();
    let of = |window: Window, kind: Kind| listed.iter().find(move |l| l.window == window && l.kind == kind);
    if let [window] = windows[..]
        && of(window, Kind::Release).is_some()
    {
        let hint = "what was released is amended, not unsaid: fedaudit-agent release amend";
        return Err(Fault::new(Blame::Operator, format!("{window} has a release already"), hint));
    }
    let open: Vec<_> = windows.into_iter().filter(|window| of(*window, Kind::Release).is_none()).collect();
    let standing = standing(site)?;
    let mut count = 0;
    for window in open {
        match of(window, Kind::Abstention) {
            Some(_) if standing.contains_key(&(plan, window)) => continue,
            signed => stand(site, (plan, window), signed, &wanted.reason, &act)?,
        }
        count += 1;
    }
    recover(site)?;
    Ok(count)
}

/// Lets an abstention hold: one that was signed and withdrawn, or a new one.
pub(crate) fn stand(
    site: &mut Site,
    (plan, window): (Digest, Window),
    signed: Option<&Listed>,
    reason: &str,
    act: &Act,
) -> Result<(), Fault> {
    let chosen = LedgerEntry::Abstains { plan, window, by: act.by.clone(), at: act.at };
    match signed {
        // It is in the log, or on its way there, and holds again.
        Some(Listed { sequence, envelope, .. }) => {
            let entry = LedgerEntry::Abstained { plan, window, sequence: *sequence, envelope: *envelope };
            site.journal.append(&[chosen, entry], &mut site.rng).map(drop)
        }
        None => prepare(site, chosen, (plan, window), reason, act.at),
    }
}

fn prepare(
    site: &mut Site,
    chosen: LedgerEntry,
    (plan, window): (Digest, Window),
    reason: &str,
    now: Time,
) -> Result<(), Fault> {
    let text =
        AbstentionText { format: FORMAT, site: site.enrolment.site.clone(), plan, window, reason: reason.into() };
    let abstention = Abstention::new(text);
    let abstention = abstention.map_err(|e| Fault::new(Blame::Operator, e, "say why in a line: --reason TEXT"))?;
    let (sequence, previous) = next_number(site, &plan)?;
    let (head, key) = (head(site, now), site.key(KeyUse::Attest)?);
    let mut attestation = attest_abstention(&abstention, head, sequence, previous, &key).map_err(refused)?;
    site.journal.append(&[chosen], &mut site.rng)?;
    site.outbox.prepare(&Outgoing {
        kind: Kind::Abstention,
        plan,
        window,
        sequence,
        amends: None,
        artifact: attestation.artifacts.pop().unwrap_or_default(),
        envelope: attestation.envelope,
        salt: [0; 16],
        state: State::Prepared,
        answer: None,
    })
}

/// Signs abstentions anew that were given up and hold: what was decided here stands, whatever became of the document. The caller
/// holds `import.lock`.
///
/// # Errors
/// A home that may sign nothing new: the windows stay here all the same.
pub(crate) fn renew(site: &mut Site, lost: &[Outgoing], now: Time) -> Result<(), Fault> {
    let held = standing(site)?;
    let holds = |of: &&Outgoing| held.get(&(of.plan, of.window)) == Some(&Digest::of(&of.envelope));
    let lost: Vec<_> = lost.iter().filter(|of| of.kind == Kind::Abstention).filter(holds).collect();
    let mut chosen = BTreeMap::new();
    if !lost.is_empty() {
        site.journal.ledger(|_, entry| {
            if let LedgerEntry::Abstains { plan, window, by, .. } = entry {
                chosen.insert((plan, window), by);
            }
            Ok(())
        })?;
    }
    for of in lost {
        let damaged = |e| Fault::new(Blame::Site, format!("outbox.sqlite: {e}"), "restore it from a backup");
        let text: Abstention = codec::from_json(&of.artifact).map_err(damaged)?;
        let by = chosen.remove(&(of.plan, of.window)).unwrap_or_default();
        stand(site, (of.plan, of.window), None, &text.reason, &Act { by, at: now })?;
    }
    recover(site)
}

/// Withdraws the abstentions that hold for the windows; how many.
///
/// # Errors
/// No such plan or window; none of them has one.
pub fn withdraw(site: &mut Site, wanted: &Withdraw, now: Time) -> Result<usize, Fault> {
    let act = who(wanted.by.as_deref(), now)?;
    let _import = Lock::acquire(&site.home.import_lock())?;
    recover(site)?;
    let (plan, windows) = named(site, &wanted.plan, &wanted.window)?;
    let standing = standing(site)?;
    let held = windows.into_iter().filter(|window| standing.contains_key(&(plan, *window)));
    let entry = |window| LedgerEntry::Withdrawn { plan, window, by: act.by.clone(), at: act.at };
    let entries: Vec<_> = held.map(entry).collect();
    if entries.is_empty() {
        let what = format!("no abstention holds for {} of plan {}", wanted.window, wanted.plan);
        return Err(Fault::new(Blame::Operator, what, "fedaudit-agent release list shows what was signed"));
    }
    site.journal.append(&entries, &mut site.rng)?;
    Ok(entries.len())
}

/// A plan by its name, and the windows that a person names of it.
pub(crate) fn named(site: &Site, plan: &Name, window: &str) -> Result<(Digest, Vec<Window>), Fault> {
    let (digest, published) = site.plan_named(plan)?;
    let windows = windows_named(&published.plan, window);
    let hint = "name a window of the plan as START/END, or all";
    Ok((digest, windows.map_err(|e| Fault::new(Blame::Operator, format!("--window: {e}"), hint))?))
}
