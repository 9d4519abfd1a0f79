//! A release beside those of other plans over the same events: whether subtracting one from another would tell of few.
//!
//! Plans over one contract may overlap: a week beside its days, a window beside almost the same one, the same events cut
//! otherwise. Whatever was released first stands; what comes later is held against it: against each other plan by itself
//! ([`Overlap`]), and all of them are solved together with it ([`Together`]).

use crate::archive::Thaw;
use crate::close::{Answer, Question, look};
use crate::journal::{count_together, span};
use crate::outbox::{Kind, Listed};
use crate::privacy;
use crate::site::{Act, Site, refused};
use fedaudit_core::disclosure::{Overlap, Release, ReleaseText, Together};
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::Plan;
use fedaudit_core::roster::journal_origin;
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
    sharing(site, plan.1, window, (Some(plan.0), until))
}

/// The same, of all plans but that of a digest.
fn sharing(
    site: &mut Site,
    plan: &Plan,
    window: Window,
    (but, until): (Option<&Digest>, Option<Digest>),
) -> Result<Others, Fault> {
    let shares = |of: &Listed| of.window.start < window.end && window.start < of.window.end;
    let mut listed = site.outbox.list()?;
    listed.retain(|of| of.kind == Kind::Release && but != Some(&of.plan) && shares(of));
    // Most windows stand beside none: the ledger is not read for those.
    if let Some(envelope) = until.filter(|_| !listed.is_empty()) {
        let earlier = named_before(site, envelope)?;
        listed.retain(|of| earlier.contains(&of.envelope));
    }
    let registry = site.mirror.registry();
    let mut found: Others = BTreeMap::new();
    for release in listed {
        // A plan that is no longer published measured the same events all the same; its digest was in the registry once.
        if registry.plan(&release.plan).map_err(refused)?.plan.contract_digest != plan.contract_digest {
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
        if let Some(why) = lost(site, &other, &release)? {
            return Ok(Some(why));
        }
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
    let plans = standing(site, question, others)?;
    // Where nothing is hidden, nothing can be told by subtraction.
    if plans.len() < 2 || plans.iter().all(|of| of.k == 1) {
        return Ok(None);
    }
    for of in &plans {
        for release in &of.releases {
            if let Some(why) = lost(site, &of.plan, release)? {
                return Ok(Some(why));
            }
        }
    }
    let texts: Vec<Vec<&ReleaseText>> = plans.iter().map(Standing::texts).collect();
    let mut released: Vec<_> = plans.iter().zip(&texts).map(|(of, texts)| (&*of.plan, texts.clone())).collect();
    let mut windows: Vec<_> = plans.iter().map(|of| (&of.plan, of.windows())).collect();
    // The plan's own releases come first, the new one before all others.
    if let (Some((_, own)), Some((_, at))) = (released.first_mut(), windows.first_mut()) {
        own.insert(0, &answer.release);
        at.insert(0, (*window, answer.sizes));
    }
    let own = released.first().map(|(_, own)| own.clone()).unwrap_or_default();
    let mut together = match Together::new(released, contract) {
        Ok(together) => together,
        Err(why) => return Ok(Some(why)),
    };
    let mut pairs = Vec::new();
    for (at, (of, texts)) in plans.iter().zip(&texts).enumerate().filter(|(_, (of, _))| of.shared > 0 && of.k > 1) {
        let shared = (&texts[..of.shared], &*of.plan);
        pairs.push((at, Overlap::new((&own, plan), shared, contract).map_err(misfit)?));
    }
    thaw.need(site, contract, hull(windows.iter().flat_map(|(_, of)| of.iter().map(|of| of.0)), *window))?;
    count_together(&mut site.journal, contract, &windows, |event, counted| {
        for (at, overlap) in &mut pairs {
            overlap.add(event, counted[0], counted[*at].filter(|(release, ..)| *release < plans[*at].shared))?;
        }
        together.add(event, counted)
    })?;
    for (at, overlap) in pairs {
        let Standing { plan, k, .. } = &plans[at];
        if let Err(why) = overlap.check(*k) {
            return Ok(Some(format!("beside plan {}: {why}; it must be none, or at least k = {k}", plan.plan)));
        }
    }
    Ok(together.check().err())
}

/// A plan beside the new release, and releases of it.
struct Standing {
    plan: Plan,
    /// The greater of its k and that of the new release's plan.
    k: u64,
    /// The first are those whose windows share time with the new one's.
    releases: Vec<VerifiedRelease>,
    /// How many these are; none of its own plan.
    shared: usize,
}

impl Standing {
    fn texts(&self) -> Vec<&ReleaseText> {
        self.releases.iter().map(VerifiedRelease::text).collect()
    }

    fn windows(&self) -> Vec<(Window, [u64; 2])> {
        self.releases.iter().map(|release| (release.claim().window, sizes(release))).collect()
    }
}

/// The new release's plan, and then all others without noise that may tell of its events: those that share time with it, and
/// those that share time with these, for a week less six of its days tells of the seventh, whoever released them.
fn standing(site: &mut Site, question: &Question, others: &Others) -> Result<Vec<Standing>, Fault> {
    let Question { plan, digest, window, .. } = question;
    let mut apart = BTreeSet::new();
    let mut around = *window;
    for (other, of) in others {
        if privacy::is_apart(site, plan, other)? {
            apart.insert(*other);
        } else {
            around = hull(of.iter().map(|of| of.window), around);
        }
    }
    let mut near = if apart.len() == others.len() { Others::new() } else { sharing(site, plan, around, (None, None))? };
    let mut own = near.remove(digest).unwrap_or_default();
    own.retain(|of| of.window != *window);
    let mut found = vec![standing_of(site, plan, (digest, own), 0)?];
    for (other, mut of) in near {
        if apart.contains(&other) || privacy::is_apart(site, plan, &other)? {
            continue;
        }
        let shared = others.get(&other).map_or(&[][..], Vec::as_slice);
        let is_shared = |of: &Listed| shared.iter().any(|shared| shared.window == of.window);
        of.sort_by_key(|of| !is_shared(of));
        let count = of.iter().filter(|of| is_shared(of)).count();
        found.push(standing_of(site, plan, (&other, of), count)?);
    }
    Ok(found)
}

fn standing_of(
    site: &Site,
    plan: &Plan,
    (digest, releases): (&Digest, Vec<Listed>),
    shared: usize,
) -> Result<Standing, Fault> {
    let k = strictest(site, plan, digest)?;
    let plan = site.mirror.registry().plan(digest).map_err(refused)?.plan.clone();
    let releases = releases.iter().map(|of| verified(site, of)).collect::<Result<_, _>>()?;
    Ok(Standing { plan, k, releases, shared })
}

/// From the start of the first to the end of the last.
fn hull(windows: impl Iterator<Item = Window>, first: Window) -> Window {
    windows.fold(first, |all, window| Window { start: all.start.min(window.start), end: all.end.max(window.end) })
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

/// Why a release of an earlier epoch cannot be counted again: records below its checkpoints were lost, and others may stand
/// in their place. What it has in common with another release nobody can tell any more. None if they are all there.
fn lost(site: &mut Site, plan: &Plan, release: &VerifiedRelease) -> Result<Option<String>, Fault> {
    let claim = release.claim();
    if claim.epoch == site.enrolment.epoch {
        return Ok(None);
    }
    let base = journal_origin(&site.enrolment.federation, &claim.site, claim.epoch, "");
    for then in release.journal() {
        let log = then.origin.strip_prefix(&base).unwrap_or(&then.origin).to_owned();
        let has = site.journal.size(&log)?;
        if has < then.size || site.journal.checkpoint(&log, then.size, &then.origin)?.root != then.root {
            return Ok(Some(format!(
                "plan {} released {} in epoch {} from {} records of {log}; epoch {} did not keep them all, so nobody can \
                 count what the two have in common",
                plan.plan, claim.window, claim.epoch, then.size, site.enrolment.epoch
            )));
        }
    }
    Ok(None)
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
