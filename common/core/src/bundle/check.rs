//! What a verifier does: rebuild both logs, check every document, recompute the report.

mod complete;
mod disputes;
mod entries;
mod receipt;
mod registry;
mod signer;
mod time;
mod verdict;

pub(crate) use signer::signer_of;
pub use verdict::{Check, LINES, Outcome, Verdict};

use super::{Bundle, LogPart, compare, unpack};
use crate::codec::{self, Valid};
use crate::envelope::ReportClaim;
use crate::ids::Digest;
use crate::merkle::{Frontier, leaf_hash};
use crate::note::{Checkpoint, NoteError};
use crate::render;
use crate::report::{self, Input, METHOD, Report};
use crate::roster::{Party, Registry, Trust, Witnesses, plan_origin, registry_origin};
use crate::time::Time;
use crate::verify;
use entries::below;
use registry::Replays;
use std::num::NonZeroUsize;

/// What a ZIP file says beside its files' names and bytes, as verdicts list it among what is not evidence.
pub const ZIP_METADATA: &str = "zip metadata";

/// A relying party that looks at bundles: whom it trusts, what it asks beside, and the registries that it has replayed.
pub struct Checker {
    trust: Valid<Trust>,
    asked: Asked,
    replays: Replays,
}

/// What a relying party may ask beside what every bundle is asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The bundle is to have stood like this by then: cosignatures of that time or before say so.
    pub at: Option<Time>,
    /// Receipts of the bundle's logs (tlog-proof), each with the name that lines about it carry.
    pub receipts: Vec<(String, Vec<u8>)>,
}

impl Checker {
    /// Nothing was looked at yet.
    pub fn new(trust: Valid<Trust>, asked: Asked) -> Checker {
        Checker { trust, asked, replays: Replays::default() }
    }

    /// Checks a bundle, offline, on up to `workers` threads; their number changes nothing but the time.
    pub fn check(&self, bytes: &[u8], workers: NonZeroUsize) -> Verdict {
        let mut verdict = Verdict::empty();
        match unpack(bytes) {
            Ok(bundle) => {
                verdict.not_evidence = bundle.not_evidence.keys().cloned().collect();
                verdict.not_evidence.push(ZIP_METADATA.to_owned());
                self.check_bundle(&bundle, workers, &mut verdict);
                verdict.shorten();
            }
            Err(refusal) => verdict.refuse("bundle", "bundle.zip", &refusal),
        }
        verdict
    }

    fn check_bundle(&self, bundle: &Bundle, workers: NonZeroUsize, verdict: &mut Verdict) {
        // An early refusal is already written down; what depends on it cannot be told, and all else is looked at.
        let report = self.check_logs(bundle, workers, verdict);
        if report.is_none() {
            check_page_alone(bundle, verdict);
        }
    }

    fn check_logs(&self, bundle: &Bundle, workers: NonZeroUsize, verdict: &mut Verdict) -> Option<()> {
        // Entries are signed by governance: what they say of the log's key holds before the log is looked at.
        let (known, strays) = self.replays.replay(&bundle.registry, &self.trust);
        for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
            check_artifacts(folder, part, &known, verdict);
        }
        let log = check_log("registry", &bundle.registry, &registry_origin(&self.trust.federation), &known, verdict);
        registry::judge(&bundle.registry, &known, &strays, verdict);
        let registry = Some(known).filter(|_| log.is_some() && strays.is_empty())?;
        let claim = check_report_signature(bundle, &registry, verdict);
        let logged = check_plan(bundle, &registry, claim.as_ref(), workers, verdict);
        self.asked.receipts.iter().for_each(|(name, text)| receipt::check(name, text, bundle, &registry, verdict));
        if let Some(at) = self.asked.at {
            time::check(bundle, &self.trust, at, verdict);
        }
        let (claim, logged) = (claim?, logged?);
        disputes::check(bundle, &claim, &logged, verdict);
        let entries = bundle.registry.entries.len();
        let as_of = usize::try_from(claim.registry_size).ok().filter(|size| *size <= entries);
        let Some(as_of) = as_of else {
            let expected = format!("registry of {} entries", claim.registry_size);
            let found = format!("{entries} entries");
            verdict.push("report-claim", "report.dsse.json", Outcome::Fail, expected, found);
            verdict.by(signer_of(&bundle.report_envelope, &registry));
            return None;
        };
        if as_of == entries {
            return check_report(bundle, &registry, &claim, &logged, verdict);
        }
        let (earlier, _) = registry::replay(&bundle.registry, as_of, &self.trust);
        check_report(bundle, &earlier, &claim, &logged, verdict)
    }
}

/// Checks a bundle against `trust`, as [`Checker`] does.
pub fn check(bytes: &[u8], trust: &Valid<Trust>, workers: NonZeroUsize) -> Verdict {
    Checker::new(trust.clone(), Asked::default()).check(bytes, workers)
}

/// The plan's log and all that sites said in it. Without the report's word for its plan, it is the one that the log names.
fn check_plan(
    bundle: &Bundle,
    registry: &Registry,
    claim: Option<&ReportClaim>,
    workers: NonZeroUsize,
    verdict: &mut Verdict,
) -> Option<entries::Logged> {
    if let Err(refusal) = registry.party(&Party::Aggregator) {
        verdict.refuse("plan-checkpoint", "plan/checkpoint", &refusal);
        return None;
    }
    let named = named_plan(&bundle.plan, registry);
    let plan = claim.map(|claim| claim.plan).or(named);
    if plan.is_none() {
        let found = String::from_utf8_lossy(&bundle.plan.checkpoint);
        let found = found.lines().next().unwrap_or_default().escape_debug().take(200).collect();
        let expected = "a log of a plan of the registry".to_owned();
        verdict.push("plan-checkpoint", "plan/checkpoint", Outcome::Undecidable, expected, found);
    }
    let origin = plan.map(|plan| plan_origin(&registry.trust().federation, &plan));
    let log = origin.and_then(|origin| check_log("plan", &bundle.plan, &origin, registry, verdict));
    let log_size = claim.map_or(u64::MAX, |claim| claim.log_size);
    // Entries of another plan's log are no evidence here, but nobody who signed them did wrong.
    let scope = entries::Scope { plan: named.or(plan), log_size, whole: log.is_some() };
    let logged = entries::check(bundle, registry, scope, workers, verdict);
    if let (Some(()), Some(claim)) = (log, claim) {
        check_logged(bundle, registry, claim, verdict);
        check_number(bundle, registry, claim, logged.is_some(), verdict);
    }
    logged
}

/// The plan of the registry whose log a checkpoint says that it is of.
fn named_plan(part: &LogPart, registry: &Registry) -> Option<Digest> {
    let origin = part.checkpoint.split(|byte| *byte == b'\n').next()?;
    let mut plans = registry.plans().map(|(plan, _)| *plan);
    plans.find(|plan| plan_origin(&registry.trust().federation, plan).as_bytes() == origin)
}

/// The report's own place: neither earlier nor later, as a release logged in between would be left out and nowhere named.
fn check_logged(bundle: &Bundle, registry: &Registry, claim: &ReportClaim, verdict: &mut Verdict) {
    let logged = bundle.plan.entries.iter().position(|entry| *entry == bundle.report_envelope);
    match logged.filter(|index| *index as u64 == claim.log_size) {
        Some(index) => verdict.pass("report-logged", "report.dsse.json", format!("entry {index} of the plan's log")),
        None => {
            let expected = format!("the report at index {}", claim.log_size);
            let found = logged.map_or("nowhere in the log".to_owned(), |index| format!("index {index}"));
            verdict.push("report-logged", "report.dsse.json", Outcome::Fail, expected, found);
        }
    }
    verdict.by(signer_of(&bundle.report_envelope, registry));
}

/// The entries were taken in their order: so the report's number, and what it supersedes, are what the log says.
fn check_number(bundle: &Bundle, registry: &Registry, claim: &ReportClaim, good: bool, verdict: &mut Verdict) {
    if good {
        let found = match claim.supersedes {
            None => "the first over its windows".to_owned(),
            Some(before) => format!("number {} over its windows; it supersedes {}", claim.number, before.short()),
        };
        verdict.pass("report-number", "report.dsse.json", found);
        verdict.by(signer_of(&bundle.report_envelope, registry));
    }
}

fn check_artifacts(folder: &str, part: &LogPart, registry: &Registry, verdict: &mut Verdict) {
    let mut good = true;
    for (digest, bytes) in &part.artifacts {
        let found = Digest::of(bytes);
        if found != *digest {
            good = false;
            let subject = format!("{folder}/artifacts/{digest}.json");
            verdict.push("artifact", subject, Outcome::Fail, digest.to_string(), found.to_string());
            let names = |entry: &&Vec<u8>| verify::claimed_subject(entry).is_ok_and(|subject| subject == *digest);
            verdict.by(part.entries.iter().find(names).and_then(|entry| signer_of(entry, registry)));
        }
    }
    if good {
        verdict.pass(
            "artifact",
            format!("{folder}/artifacts"),
            format!("{} files with their digests", part.artifacts.len()),
        );
    }
}

/// Fewer cosignatures than the trust file asks for leave it open: the others may exist elsewhere.
fn check_witnesses(subject: &str, note: &[u8], trust: &Trust, verdict: &mut Verdict) {
    let Witnesses { threshold, keys } = &trust.witnesses;
    let expected = format!("cosignatures of at least {threshold} of {} witnesses", keys.len());
    match trust.check_quorum(note) {
        Ok(_) if *threshold == 0 => {}
        Ok(found) => {
            let times = trust.cosigned_at(note).unwrap_or_default();
            let times: Vec<_> = times.iter().map(|(name, time)| format!("{name} at {time}")).collect();
            let found = format!("{found} of {}, {threshold} needed: {}", keys.len(), times.join(", "));
            verdict.pass("witnesses", subject, found);
        }
        Err(NoteError::Witnesses { found, .. }) => {
            verdict.push("witnesses", subject, Outcome::Undecidable, expected, format!("{found} of {}", keys.len()));
        }
        Err(error) => verdict.push("witnesses", subject, Outcome::Fail, expected, error.to_string()),
    }
}

/// Who must have cosigned is for the trust file to say, not for the bundle; which may be of another version of that file.
fn check_policy(folder: &str, part: &LogPart, expected: &str, verdict: &mut Verdict) {
    if part.policy != expected.as_bytes() {
        let found = String::from_utf8_lossy(&part.policy).escape_debug().take(200).collect();
        let subject = format!("{folder}/policy");
        verdict.push(&format!("{folder}-checkpoint"), subject, Outcome::Undecidable, expected.to_owned(), found);
    }
}

/// The checkpoint's signature, then the root of the entries.
fn check_log(folder: &str, part: &LogPart, origin: &str, registry: &Registry, verdict: &mut Verdict) -> Option<()> {
    let subject = format!("{folder}/checkpoint");
    let keys = registry.log_keys().ok()?;
    let checkpoint = match registry.open_checkpoint(&part.checkpoint, origin) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let outcome = match error {
                NoteError::UnknownSigner { .. } => Outcome::Undecidable,
                NoteError::Malformed { .. } => Outcome::Malformed,
                _ => Outcome::Fail,
            };
            let known: Vec<_> = keys.iter().map(|key| key.id().short()).collect();
            let expected = format!("a checkpoint of {origin} signed by {}", known.join(" or "));
            verdict.push(&format!("{folder}-checkpoint"), subject, outcome, expected, error.to_string());
            return None;
        }
    };
    verdict.pass(&format!("{folder}-checkpoint"), &subject, format!("{origin}, {} entries", checkpoint.size));
    let signed = Checkpoint::open_by(&part.checkpoint, origin, &keys);
    verdict.by(signed.ok().and_then(|(_, signers)| signers.first().map(signer::log_key)));
    check_witnesses(&subject, &part.checkpoint, registry.trust(), verdict);
    let mut tree = Frontier::new();
    part.entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    let expected = format!("{} entries, root {}", checkpoint.size, checkpoint.root);
    let found = format!("{} entries, root {}", tree.size(), tree.root());
    let outcome = if expected == found { Outcome::Pass } else { Outcome::Fail };
    let by = verdict.signer();
    verdict.push(&format!("{folder}-log"), format!("{folder}/entries"), outcome, expected, found);
    verdict.by(by);
    if let Some(key) = keys.first() {
        check_policy(folder, part, &registry.trust().policy(origin, key), verdict);
    }
    (outcome == Outcome::Pass).then_some(())
}

fn check_report_signature(bundle: &Bundle, registry: &Registry, verdict: &mut Verdict) -> Option<ReportClaim> {
    let files: [&[u8]; 2] = [&bundle.report_json, &bundle.report_html];
    let signed = verify::report(&bundle.report_envelope, &files, registry);
    match &signed {
        Ok(_) => {
            let found = "signed by the aggregator over report.json and report.html";
            verdict.pass("report-signature", "report.dsse.json", found);
        }
        Err(refusal) => verdict.refuse("report-signature", "report.dsse.json", refusal),
    }
    verdict.by(signer_of(&bundle.report_envelope, registry));
    signed.ok()
}

fn check_report(
    bundle: &Bundle,
    registry: &Registry,
    claim: &ReportClaim,
    logged: &entries::Logged,
    verdict: &mut Verdict,
) -> Option<()> {
    let by = signer_of(&bundle.report_envelope, registry);
    if claim.method != METHOD {
        let (expected, found) = (format!("method version {METHOD}"), format!("version {}", claim.method));
        verdict.push("report-method", "report.dsse.json", Outcome::Undecidable, expected, found);
        verdict.by(by);
        return Some(());
    }
    let input = Input {
        registry,
        plan: claim.plan,
        windows: &claim.windows,
        log_size: claim.log_size,
        releases: below(&logged.releases, claim.log_size),
        abstentions: below(&logged.abstentions, claim.log_size),
        disputes: below(&logged.disputes, claim.log_size),
        reports: logged.reports_below(claim.log_size),
    };
    let recomputed = report::compile(&input);
    // The same bytes say the same: nothing need be read.
    let same = recomputed.as_ref().is_ok_and(|r| codec::to_json(r).is_ok_and(|json| json == bundle.report_json));
    let claimed: Option<Report> = match codec::from_json(&bundle.report_json) {
        _ if same => None,
        Ok(claimed) => Some(claimed),
        Err(error) => {
            let (expected, found) = ("a report".to_owned(), error.to_string());
            verdict.push("report-numbers", "report.json", Outcome::Malformed, expected, found);
            verdict.by(by);
            return Some(());
        }
    };
    let recomputed = recomputed.map_err(|refusal| {
        verdict.refuse("report-numbers", "report.json", &refusal);
        verdict.by(by.clone());
    });
    let recomputed = recomputed.ok()?;
    let (differences, more) = match &claimed {
        None => Default::default(),
        Some(claimed) => {
            let [expected, found] = [&recomputed, claimed].map(|report| serde_json::to_value(report).ok());
            compare::differences(&expected?, &found?, LINES - 1)
        }
    };
    if differences.is_empty() {
        verdict.pass("report-numbers", "report.json", "every figure recomputed from the sites' releases");
        verdict.by(by.clone());
    }
    for (path, expected, found) in differences {
        verdict.push("report-numbers", format!("report.json{path}"), Outcome::Fail, expected, found);
        verdict.by(by.clone());
    }
    if more > 0 {
        let found = format!("and {more} more figures that differ");
        verdict.push("report-numbers", "report.json", Outcome::Fail, "as above".to_owned(), found);
        verdict.by(by.clone());
    }
    check_page(bundle, claimed.as_ref().unwrap_or(&recomputed), verdict);
    verdict.by(by);
    // Who answered, and the first line, follow from the log, not from what the report says of it.
    complete::check(&recomputed, verdict);
    verdict.report = Some(recomputed);
    Some(())
}

fn check_page(bundle: &Bundle, report: &Report, verdict: &mut Verdict) {
    if render::html(report).as_bytes() == bundle.report_html {
        verdict.pass("report-page", "report.html", "is report.json, rendered");
    } else {
        let found = format!("{} other bytes", bundle.report_html.len());
        verdict.push("report-page", "report.html", Outcome::Fail, "report.json, rendered".to_owned(), found);
    }
}

/// Both files are at hand whatever else cannot be told: that one is not the other rendered is said in any case.
fn check_page_alone(bundle: &Bundle, verdict: &mut Verdict) {
    let report: Option<Report> = codec::from_json(&bundle.report_json).ok();
    if let Some(report) = report.filter(|report| report.method == METHOD) {
        check_page(bundle, &report, verdict);
    }
}
