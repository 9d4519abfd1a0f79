//! A release beside those of other plans over the same events: whether subtracting one from another would tell of few.
//!
//! Plans over one contract may overlap: a week beside its days, a window beside almost the same one, the same events cut
//! otherwise. Whatever was released first stands; what comes later is held against it ([`Overlap`]).

use crate::archive::Thaw;
use crate::close::{Answer, Question, look};
use crate::journal::{count_overlap, span};
use crate::outbox::{Kind, Listed};
use crate::privacy;
use crate::site::{Act, Site, refused};
use fedaudit_core::disclosure::{Overlap, Release};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::Plan;
use fedaudit_core::time::{Time, Window};
use fedaudit_core::verify::{self, VerifiedRelease};
use std::collections::{BTreeMap, BTreeSet};

/// The releases of other plans that a release stands beside, the last one of each window, by plan.
pub(crate) type Others = BTreeMap<Digest, Vec<Listed>>;

/// Releases of other plans over the same contract, whose windows share some time with `window`; with `until`, those alone
/// that the ledger names before that envelope.
///
/// # Errors
/// An outbox or a journal that cannot be read.
pub(crate) fn others(
    site: &mut Site,
    plan: (&Digest, &Plan),
    window: Window,
    until: Option<Digest>,
) -> Result<Others, Fault> {
    let shares = |of: &Listed| of.window.start < window.end && window.start < of.window.end;
    let mut listed = site.outbox.list()?;
    listed.retain(|of| of.kind == Kind::Release && of.plan != *plan.0 && shares(of));
    // Most windows stand beside none: the ledger is not read for those.
    if let Some(envelope) = until.filter(|_| !listed.is_empty()) {
        let earlier = named_before(site, envelope)?;
        listed.retain(|of| earlier.contains(&of.envelope));
    }
    let registry = site.mirror.registry();
    let mut found: Others = BTreeMap::new();
    for release in listed {
        // A plan that is no longer published measured the same events all the same; its digest was in the registry once.
        if registry.plan(&release.plan).map_err(refused)?.plan.contract_digest != plan.1.contract_digest {
            continue;
        }
        let of = found.entry(release.plan).or_default();
        // Releases come by number: an amendment stands for what it amends, which was held against it when it was made.
        of.retain(|other| other.window != release.window);
        of.push(release);
    }
    Ok(found)
}

/// Envelopes of releases that the ledger names before this one.
fn named_before(site: &mut Site, envelope: Digest) -> Result<BTreeSet<Digest>, Fault> {
    let (mut named, mut over) = (BTreeSet::new(), false);
    site.journal.ledger(|_, entry| {
        if let LedgerEntry::Released { envelope: other, .. } = entry {
            over |= other == envelope;
            if !over {
                named.insert(other);
            }
        }
        Ok(())
    })?;
    Ok(named)
}

/// Withholds what nothing bounds beside releases of other plans; with k = 1 on both sides nothing needs to be.
///
/// # Errors
/// A registry that lacks one of the plans.
pub(crate) fn withhold(site: &Site, plan: &Plan, others: &Others, release: &mut Release) -> Result<(), Fault> {
    for digest in others.keys() {
        if !privacy::is_apart(site, plan, digest)? && strictest(site, plan, digest)? > 1 {
            release.hide_beside_others();
        }
    }
    Ok(())
}

/// Why what would leave now may not, beside releases of other plans, for the site's own log; none if it may.
///
/// # Errors
/// As [`check`].
pub(crate) fn few(site: &mut Site, question: &Question, others: &Others) -> Result<Option<String>, Fault> {
    let mut thaw = Thaw::new(None);
    let few = few_of(site, question, others, &mut thaw);
    // The first error is the one to tell.
    let closed = thaw.close(site);
    few.and_then(|few| closed.map(|()| few))
}

fn few_of(site: &mut Site, question: &Question, others: &Others, thaw: &mut Thaw) -> Result<Option<String>, Fault> {
    let other = recoded(site, question, thaw)?;
    if other.is_some() || others.is_empty() {
        return Ok(other);
    }
    let mixed = privacy::mixed(site, &question.plan, others)?;
    if mixed.is_some() || privacy::is_private(&question.plan) {
        return Ok(mixed);
    }
    thaw.need(site, &question.contract, question.window)?;
    let answer = look(site, question)?;
    check(site, question, &answer, others, thaw)
}

/// Why the events of a window may not leave under this version of their contract, for the site's own log: they may be those
/// that left under another version. A small category that is called otherwise in one of them could be had by subtraction,
/// and what the two versions count in common cannot be told any more.
///
/// # Errors
/// A journal that does not give these releases any more, or whose records are in no archive.
pub(crate) fn recoded(site: &mut Site, question: &Question, thaw: &mut Thaw) -> Result<Option<String>, Fault> {
    let Question { plan, contract, window, .. } = question;
    let shares = |of: &Listed| of.window.start < window.end && window.start < of.window.end;
    for of in site.outbox.list()?.into_iter().filter(|of| of.kind == Kind::Release && shares(of)) {
        let registry = site.mirror.registry();
        let other = registry.plan(&of.plan).map_err(refused)?.plan.clone();
        if other.contract != plan.contract || other.contract_digest == plan.contract_digest {
            continue;
        }
        let theirs = registry.contract_of(&other).map_err(refused)?.clone();
        if strictest(site, plan, &of.plan)? == 1 {
            continue;
        }
        let release = verified(site, &of)?;
        thaw.need(site, &theirs, of.window)?;
        thaw.need(site, contract, *window)?;
        let [predictions, outcomes] = contract.journal_logs();
        let now = [site.journal.size(&predictions)?, site.journal.size(&outcomes)?];
        let old = span(&mut site.journal, &other, &theirs, of.window, sizes(&release))?;
        let new = span(&mut site.journal, plan, contract, *window, now)?;
        if let Some((old, new)) = old.zip(new).filter(|(old, new)| old.0 <= new.1 && new.0 <= old.1) {
            return Ok(Some(format!(
                "plan {} released events from {} to {} under version {} of contract {}; these are from {} to {} under \
                 version {}, and may be the same",
                other.plan, old.0, old.1, theirs.version, contract.contract, new.0, new.1, contract.version
            )));
        }
    }
    Ok(None)
}

/// Why an answer may not leave beside releases of other plans, for the site's own log; none if it may.
///
/// # Errors
/// A journal that does not give these releases any more, or whose records are in no archive.
pub(crate) fn check(
    site: &mut Site,
    question: &Question,
    answer: &Answer,
    others: &Others,
    thaw: &mut Thaw,
) -> Result<Option<String>, Fault> {
    let misfit = |e: String| Fault::new(Blame::Site, e, "run `fedaudit-agent journal verify`");
    let Question { plan, contract, window, .. } = question;
    if let Some(why) = privacy::mixed(site, plan, others)? {
        return Ok(Some(why));
    }
    for (digest, releases) in others {
        let k = strictest(site, plan, digest)?;
        if k == 1 || privacy::is_apart(site, plan, digest)? {
            continue;
        }
        let other = site.mirror.registry().plan(digest).map_err(refused)?.plan.clone();
        let verified: Vec<VerifiedRelease> = releases.iter().map(|of| verified(site, of)).collect::<Result<_, _>>()?;
        let texts: Vec<_> = verified.iter().map(VerifiedRelease::text).collect();
        let mut overlap = Overlap::new((&answer.release, plan), (&texts, &other), contract).map_err(misfit)?;
        let old: Vec<_> = verified.iter().map(|release| (release.claim().window, sizes(release))).collect();
        let all = old.iter().fold(*window, |all, (window, _)| Window {
            start: all.start.min(window.start),
            end: all.end.max(window.end),
        });
        thaw.need(site, contract, all)?;
        count_overlap(&mut site.journal, contract, (plan, *window, answer.sizes), (&other, &old), &mut overlap)?;
        if let Err(why) = overlap.check(k) {
            return Ok(Some(format!("beside plan {}: {why}; it must be none, or at least k = {k}", other.plan)));
        }
        if let Err(why) = overlap.solve((&answer.release, plan), (&texts, &other)) {
            return Ok(Some(format!("beside plan {}: {why}", other.plan)));
        }
    }
    Ok(None)
}

/// What everybody reads as the reason of an abstention that follows from other plans' releases: no more than the plans
/// themselves tell.
pub(crate) const REASON: &str = "another plan covers some of the same events";

/// Who lets a window stay here by such a rule.
pub(crate) fn act(now: Time) -> Act {
    Act { by: "the agent, by a rule of disclosure control".to_owned(), at: now }
}

fn verified(site: &Site, of: &Listed) -> Result<VerifiedRelease, Fault> {
    let lost =
        || Fault::new(Blame::Site, format!("outbox.sqlite lost release {}", of.envelope), "restore it from a backup");
    let release = site.outbox.of(&of.envelope)?.ok_or_else(lost)?;
    verify::release(&release.envelope, &release.artifact, site.mirror.registry()).map_err(refused)
}

fn sizes(release: &VerifiedRelease) -> [u64; 2] {
    let mut sizes = [0; 2];
    for (size, checkpoint) in sizes.iter_mut().zip(release.journal()) {
        *size = checkpoint.size;
    }
    sizes
}

/// The greater k of a plan and another.
fn strictest(site: &Site, plan: &Plan, other: &Digest) -> Result<u64, Fault> {
    let other = site.mirror.registry().plan(other).map_err(refused)?;
    Ok(plan.disclosure.k.max(other.plan.disclosure.k))
}
