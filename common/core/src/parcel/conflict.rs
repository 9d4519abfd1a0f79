//! Whether two numbered documents of one site, releases, abstentions or disputes of a plan, or heartbeats, contradict each
//! other: a pure function of both, which anybody can compute.

use super::{Conflict, Content, Document, read};
use crate::bundle::{Check, Outcome, Verdict, signer_of};
use crate::codec::Valid;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::note::Checkpoint;
use crate::roster::{Ending, Registry, Trust};
use crate::verify::{self, Numbered, VerifiedHeartbeat};

/// What a site signed with a number, and the one before it.
enum Signed {
    /// Of a plan.
    OfPlan(Numbered),
    /// Of the site's heartbeats.
    Heartbeat(Box<VerifiedHeartbeat>),
}

impl Signed {
    /// As `release 3`.
    fn name(&self) -> String {
        match self {
            Signed::OfPlan(it) => named(it),
            Signed::Heartbeat(it) => format!("heartbeat {}", it.claim.sequence),
        }
    }

    fn envelope(&self) -> Digest {
        match self {
            Signed::OfPlan(it) => it.envelope(),
            Signed::Heartbeat(it) => it.envelope,
        }
    }

    fn site(&self) -> &Name {
        match self {
            Signed::OfPlan(it) => it.site(),
            Signed::Heartbeat(it) => &it.claim.site,
        }
    }

    fn sequence(&self) -> u64 {
        match self {
            Signed::OfPlan(it) => it.sequence(),
            Signed::Heartbeat(it) => it.claim.sequence,
        }
    }

    fn previous(&self) -> Option<Digest> {
        match self {
            Signed::OfPlan(it) => it.previous(),
            Signed::Heartbeat(it) => it.claim.previous,
        }
    }

    fn journal(&self) -> &[Checkpoint] {
        match self {
            Signed::OfPlan(it) => it.journal(),
            Signed::Heartbeat(it) => &it.journal,
        }
    }

    /// A key that signed it and may not have been the site's any more: it was revoked or lost, and its end does not cover the
    /// number. Where a document stands in a log the evidence does not show.
    fn foreign(&self, registry: &Registry) -> Option<String> {
        let (signers, number) = match self {
            Signed::OfPlan(it) => (it.signers(), Some((it.plan(), it.sequence()))),
            Signed::Heartbeat(it) => (it.signers.clone(), None),
        };
        signers.iter().filter_map(|id| registry.member(id)).find_map(|member| {
            let (entry, ended) = member.ended.as_ref()?;
            let covered = number.is_some_and(|number| ended.holds_number(number));
            let key =
                || format!("{} {}, {} by entry {entry} of the registry", member.usage, ended.key.short(), ended.why);
            (ended.why != Ending::Rotated && !covered).then(key)
        })
    }
}

/// Checks exported evidence against `trust`, offline: both documents are signed by the site, and they contradict each
/// other. The verdict is 0 if that is proven.
pub fn check_conflict(bytes: &[u8], trust: &Valid<Trust>) -> Verdict {
    let mut verdict = Verdict::empty();
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
    let refused = numbered("refused", &conflict.refused, conflict, &registry, verdict);
    let logged = match &conflict.logged {
        Some(document) => Some(numbered("logged", document, conflict, &registry, verdict)?),
        None => None,
    };
    let refused = refused?;
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
    Check { check, subject, outcome, expected, found, signer: None }
}

fn numbered(
    subject: &str,
    document: &Document,
    conflict: &Conflict,
    registry: &Registry,
    verdict: &mut Verdict,
) -> Option<Signed> {
    let (envelope, artifact) = (&document.envelope.0, &document.artifact.0);
    // Of any other kind: the release's checks say what is wrong with it.
    let check = match verify::claimed_kind(envelope) {
        Ok(verify::Kind::Abstention) => "abstention",
        Ok(verify::Kind::Dispute) => "dispute",
        Ok(verify::Kind::Heartbeat) => "heartbeat",
        _ => "release",
    };
    let document = match check {
        "heartbeat" => verify::heartbeat(envelope, artifact, registry).map(Box::new).map(Signed::Heartbeat),
        _ => verify::numbered(envelope, artifact, registry).map(Signed::OfPlan),
    };
    let document = document
        .and_then(|document| crate::roster::same(check, &conflict.site, document.site()).map(|()| document))
        .map_err(|refusal| verdict.refuse(check, subject, &refusal));
    if let Ok(document) = &document {
        let window = match document {
            Signed::OfPlan(it) => format!(" on {}", it.window()),
            Signed::Heartbeat(_) => String::new(),
        };
        let (name, site) = (document.name(), document.site());
        verdict.pass(check, subject, format!("{}, {name}{window}, signed by {site}", document.envelope()));
    }
    verdict.by(signer_of(envelope, registry));
    let document = document.ok()?;
    let Some(found) = document.foreign(registry) else { return Some(document) };
    let expected = "keys that were the site's: whoever else had one may have signed this";
    verdict.checks.push(unmet("key", subject, Outcome::Undecidable, expected, found));
    verdict.by(signer_of(envelope, registry));
    None
}

/// Everything in which `refused`, by itself or together with `logged`, cannot be true.
///
/// A number that is left out, journals of different sizes, and a release that comes after an abstention are no
/// contradiction: something may stand in between, and the site may have changed its mind.
fn contradictions(refused: &Signed, logged: Option<&Signed>) -> Vec<String> {
    let mut found = Vec::new();
    for document in [Some(refused), logged].into_iter().flatten() {
        if (document.sequence() == 0) != document.previous().is_none() {
            let previous = if document.previous().is_none() { "none" } else { "one" };
            let (envelope, name) = (document.envelope().short(), document.name());
            found.push(format!("{envelope} is {name} and names {previous} before it"));
        }
    }
    let Some(logged) = logged.filter(|logged| logged.envelope() != refused.envelope()) else { return found };
    if refused.site() != logged.site() {
        return found;
    }
    match (refused, logged) {
        (Signed::OfPlan(a), Signed::OfPlan(b)) if a.plan() == b.plan() => {
            found.extend(answers(a, b));
            found.extend(numbers(refused, logged));
        }
        (Signed::Heartbeat(_), Signed::Heartbeat(_)) => found.extend(numbers(refused, logged)),
        // Numbered apart.
        _ => {}
    }
    for x in refused.journal() {
        for y in logged.journal().iter().filter(|y| (&y.origin, y.size) == (&x.origin, x.size) && y.root != x.root) {
            found.push(format!("two roots of {} with {} records: {} and {}", x.origin, x.size, x.root, y.root));
        }
    }
    found
}

/// Two answers for one window, of which the later cannot stand behind the earlier.
fn answers(a: &Numbered, b: &Numbered) -> Option<String> {
    if a.window() != b.window() {
        return None;
    }
    let window = a.window();
    match (a, b) {
        (Numbered::Release(x), Numbered::Release(y)) => {
            (amended(x) == amended(y)).then(|| format!("two releases for {window}, of which neither amends the other"))
        }
        (Numbered::Abstention(_), Numbered::Abstention(_)) => Some(format!("two abstentions for {window}")),
        (Numbered::Release(_), Numbered::Abstention(_)) => unsaid(a, b),
        (Numbered::Abstention(_), Numbered::Release(_)) => unsaid(b, a),
        // A dispute answers no window.
        (Numbered::Dispute(_), _) | (_, Numbered::Dispute(_)) => None,
    }
}

/// What was released is amended, not unsaid.
fn unsaid(release: &Numbered, abstention: &Numbered) -> Option<String> {
    (abstention.sequence() > release.sequence())
        .then(|| format!("{} for {}, behind {} for it", named(abstention), release.window(), named(release)))
}

/// As `release 3`.
fn named(document: &Numbered) -> String {
    format!("{} {}", document.word(), document.sequence())
}

/// Numbers and envelopes before that do not fit one sequence.
fn numbers(refused: &Signed, logged: &Signed) -> Vec<String> {
    let mut found = Vec::new();
    let (a, b) = (refused.name(), logged.name());
    if refused.sequence() == logged.sequence() {
        found.push(format!("two documents with one number: {a} and {b}"));
    } else if refused.previous().is_some() && refused.previous() == logged.previous() {
        found.push(format!("{a} and {b} name the same one before them"));
    }
    for (later, earlier) in [(refused, logged), (logged, refused)] {
        let follows = later.previous() == Some(earlier.envelope());
        let next = earlier.sequence().checked_add(1) == Some(later.sequence());
        if follows != next {
            let word = if follows { "names" } else { "does not name" };
            found.push(format!("{} {word} {} as the one before it", later.name(), earlier.name()));
        }
    }
    found
}

fn amended(release: &verify::VerifiedRelease) -> Option<Digest> {
    release.claim().amends.as_ref().map(|amends| amends.envelope)
}
