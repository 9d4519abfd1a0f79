//! Whether two signed releases of one site contradict each other: a pure function of both, which anybody can compute.

use super::{Conflict, Content, Document, read};
use crate::bundle::{Check, Outcome, Verdict};
use crate::codec::Valid;
use crate::fault::Refusal;
use crate::roster::{Registry, Trust};
use crate::verify::{self, VerifiedRelease};

/// Checks exported evidence against `trust`, offline: both documents are signed by the site, and they contradict each
/// other. The verdict is 0 if that is proven.
pub fn check_conflict(bytes: &[u8], trust: &Valid<Trust>) -> Verdict {
    let mut verdict = Verdict { checks: Vec::new(), not_evidence: Vec::new(), report: None };
    let malformed = |verdict: &mut Verdict, expected: &str, found: String| {
        verdict.checks.push(unmet("parcel", "conflict", Outcome::Malformed, expected, found));
    };
    match read(bytes).map(|parcel| parcel.content.clone()) {
        Ok(Content::Conflict(conflict)) => {
            // An early refusal is already written down; what depends on it cannot be told.
            let _: Option<()> = check(&conflict, trust, &mut verdict);
            verdict.not_evidence = vec!["at".to_owned(), "reason".to_owned()];
        }
        Ok(other) => malformed(&mut verdict, "evidence of a conflict", other.meant_for().to_owned()),
        Err(refusal) => malformed(&mut verdict, &refusal.expected, refusal.found),
    }
    verdict
}

fn check(conflict: &Conflict, trust: &Valid<Trust>, verdict: &mut Verdict) -> Option<()> {
    let missing = || Refusal::new("missing", "the registry, to check signatures with", "none");
    let registry = conflict.registry.as_ref().ok_or_else(missing).and_then(|registry| registry.open(trust));
    let registry = match registry {
        Ok((registry, checkpoint)) => {
            verdict.pass("registry", "registry", format!("{} entries signed by governance", checkpoint.size));
            registry
        }
        Err(refusal) => {
            verdict.refuse("registry", "registry", &refusal);
            return None;
        }
    };
    let refused = release("refused", &conflict.refused, conflict, &registry, verdict)?;
    let logged = match &conflict.logged {
        Some(document) => Some(release("logged", document, conflict, &registry, verdict)?),
        None => None,
    };
    let found = contradictions(&refused, logged.as_ref());
    if found.is_empty() {
        let expected = "two signed documents that cannot both hold";
        let found = match logged {
            Some(_) => "both may hold: whether one continues the other only the site can show".to_owned(),
            None => "one document, which does not contradict itself".to_owned(),
        };
        verdict.checks.push(unmet("contradiction", "refused", Outcome::Undecidable, expected, found));
    }
    found.iter().for_each(|found| verdict.pass("contradiction", "refused", found));
    Some(())
}

fn unmet(check: &str, subject: &str, outcome: Outcome, expected: &str, found: String) -> Check {
    let [check, subject, expected] = [check, subject, expected].map(str::to_owned);
    Check { check, subject, outcome, expected, found }
}

fn release(
    subject: &str,
    document: &Document,
    conflict: &Conflict,
    registry: &Registry,
    verdict: &mut Verdict,
) -> Option<VerifiedRelease> {
    let release = verify::release(&document.envelope.0, &document.artifact.0, registry)
        .and_then(|release| crate::roster::same("release", &conflict.site, &release.claim().site).map(|()| release));
    match release {
        Ok(release) => {
            let claim = release.claim();
            let found = format!(
                "{}, release {} on {}, signed by {}",
                release.envelope(),
                claim.sequence,
                claim.window,
                claim.site
            );
            verdict.pass("release", subject, found);
            Some(release)
        }
        Err(refusal) => {
            verdict.refuse("release", subject, &refusal);
            None
        }
    }
}

/// Everything in which `refused`, by itself or together with `logged`, cannot be true.
///
/// A number that is left out, and journals of different sizes, are no contradiction: something may stand in between.
pub fn contradictions(refused: &VerifiedRelease, logged: Option<&VerifiedRelease>) -> Vec<String> {
    let mut found = Vec::new();
    for release in [Some(refused), logged].into_iter().flatten() {
        let claim = release.claim();
        if (claim.sequence == 0) != claim.previous.is_none() {
            let previous = if claim.previous.is_none() { "none" } else { "one" };
            found.push(format!(
                "{} is release {} and names {previous} before it",
                release.envelope().short(),
                claim.sequence
            ));
        }
    }
    let Some(logged) = logged.filter(|logged| logged.envelope() != refused.envelope()) else { return found };
    let (a, b) = (refused.claim(), logged.claim());
    if a.site != b.site {
        return found;
    }
    if a.plan == b.plan {
        if a.window == b.window && amended(refused) == amended(logged) {
            found.push(format!("two releases for {}, of which neither amends the other", a.window));
        }
        if a.sequence == b.sequence {
            found.push(format!("two releases with the number {}", a.sequence));
        } else if a.previous.is_some() && a.previous == b.previous {
            found.push(format!("releases {} and {} name the same one before them", a.sequence, b.sequence));
        }
        for (later, earlier) in [(refused, logged), (logged, refused)] {
            let follows = later.claim().previous == Some(earlier.envelope());
            let next = earlier.claim().sequence.checked_add(1) == Some(later.claim().sequence);
            if follows != next {
                let word = if follows { "names" } else { "does not name" };
                found.push(format!(
                    "release {} {word} release {} as the one before it",
                    later.claim().sequence,
                    earlier.claim().sequence
                ));
            }
        }
    }
    for x in refused.journal() {
        for y in logged.journal().iter().filter(|y| (&y.origin, y.size) == (&x.origin, x.size) && y.root != x.root) {
            found.push(format!("two roots of {} with {} records: {} and {}", x.origin, x.size, x.root, y.root));
        }
    }
    found
}

fn amended(release: &VerifiedRelease) -> Option<crate::ids::Digest> {
    release.claim().amends.as_ref().map(|amends| amends.envelope)
}
