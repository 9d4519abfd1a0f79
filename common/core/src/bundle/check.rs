//! What a verifier does: rebuild both logs, check every document, recompute the report.

mod complete;
mod disputes;
mod entries;

use super::{Bundle, LogPart, compare, unpack};
use crate::codec::{self, Valid};
use crate::envelope::ReportClaim;
use crate::fault::Refusal;
use crate::ids::Digest;
use crate::merkle::{Frontier, leaf_hash};
use crate::note::NoteError;
use crate::render;
use crate::report::{self, Input, METHOD, Report};
use crate::roster::{Party, Registry, Trust, plan_origin, registry_origin};
use crate::verify;
use entries::below;
use serde::Serialize;
use std::num::NonZeroUsize;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold: the evidence contradicts itself, the report or the trust file.
    Fail,
    /// It cannot be told: something is missing or unknown.
    Undecidable,
    /// The bytes are not what they should be.
    Malformed,
}

/// One named check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, as listed in `schemas/checks.md`.
    pub check: String,
    /// What it looked at.
    pub subject: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What it wanted.
    pub expected: String,
    /// What it met.
    pub found: String,
}

/// All checks of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Files that were not looked at: they are no evidence.
    pub not_evidence: Vec<String>,
    /// The report, if it could be read.
    #[serde(skip)]
    pub report: Option<Report>,
}

impl Verdict {
    /// 0 verified, 1 refuted, 2 undecidable, 3 malformed; 3 before 1 before 2.
    pub fn exit_code(&self) -> u8 {
        let any = |outcome| self.checks.iter().any(|check| check.outcome == outcome);
        match () {
            () if any(Outcome::Malformed) => 3,
            () if any(Outcome::Fail) => 1,
            () if any(Outcome::Undecidable) || self.checks.is_empty() => 2,
            () => 0,
        }
    }

    /// The exit code in a word.
    pub fn word(&self) -> &'static str {
        ["verified", "refuted", "undecidable", "malformed"][usize::from(self.exit_code().min(3))]
    }

    pub(crate) fn pass(&mut self, check: &str, subject: impl ToString, found: impl ToString) {
        let found = found.to_string();
        self.push(check, subject, Outcome::Pass, found.clone(), found);
    }

    fn push(&mut self, check: &str, subject: impl ToString, outcome: Outcome, expected: String, found: String) {
        self.checks.push(Check { check: check.to_owned(), subject: subject.to_string(), outcome, expected, found });
    }

    /// A refusal under the heading of `check`; an unknown signer or version is undecidable, not wrong.
    pub(crate) fn refuse(&mut self, check: &str, subject: impl ToString, refusal: &Refusal) {
        let outcome = match refusal.check.as_str() {
            "signer" | "missing" | "version" => Outcome::Undecidable,
            "bundle" | "envelope" => Outcome::Malformed,
            _ => Outcome::Fail,
        };
        let found = format!("{}: {}", refusal.check, refusal.found);
        self.push(check, subject, outcome, refusal.expected.clone(), found);
    }
}

/// What a ZIP file says beside its files' names and bytes, as verdicts list it among what is not evidence.
pub const ZIP_METADATA: &str = "zip metadata";

/// Checks a bundle against `trust`, offline, on up to `workers` threads; their number changes nothing but the time.
pub fn check(bytes: &[u8], trust: &Valid<Trust>, workers: NonZeroUsize) -> Verdict {
    let mut verdict = Verdict { checks: Vec::new(), not_evidence: Vec::new(), report: None };
    match unpack(bytes) {
        Ok(bundle) => {
            verdict.not_evidence = bundle.not_evidence.keys().cloned().collect();
            verdict.not_evidence.push(ZIP_METADATA.to_owned());
            // An early refusal is already written down; what depends on it cannot be told.
            let _: Option<()> = check_bundle(&bundle, trust, workers, &mut verdict);
        }
        Err(refusal) => verdict.refuse("bundle", "bundle.zip", &refusal),
    }
    verdict
}

fn check_bundle(bundle: &Bundle, trust: &Valid<Trust>, workers: NonZeroUsize, verdict: &mut Verdict) -> Option<()> {
    for (folder, part) in [("registry", &bundle.registry), ("plan", &bundle.plan)] {
        check_artifacts(folder, part, verdict);
    }
    // Entries are signed by governance: what they say of the log's key holds before the log is looked at.
    let replayed = replay(&bundle.registry, bundle.registry.entries.len(), trust);
    let before = Registry::new(trust.clone());
    let known = replayed.as_ref().unwrap_or(&before);
    check_log("registry", &bundle.registry, &registry_origin(&trust.federation), known, verdict)?;
    let registry = judged(replayed, bundle.registry.entries.len(), verdict)?;
    let claim = check_report_signature(bundle, &registry, verdict)?;
    if let Err(refusal) = registry.party(&Party::Aggregator) {
        verdict.refuse("plan-checkpoint", "plan/checkpoint", &refusal);
        return None;
    }
    check_log("plan", &bundle.plan, &plan_origin(&trust.federation, &claim.plan), &registry, verdict)?;
    let logged = entries::check(bundle, &registry, &claim, workers, verdict)?;
    let as_of = usize::try_from(claim.registry_size).ok().filter(|size| *size <= bundle.registry.entries.len());
    let Some(as_of) = as_of else {
        let found = format!("{} entries", bundle.registry.entries.len());
        verdict.push(
            "report-claim",
            "report.dsse.json",
            Outcome::Fail,
            format!("registry of {} entries", claim.registry_size),
            found,
        );
        return None;
    };
    let registry = replay(&bundle.registry, as_of, trust).ok()?;
    disputes::check(bundle, &claim, &logged, verdict);
    check_report(bundle, &registry, &claim, &logged, verdict)
}

fn check_artifacts(folder: &str, part: &LogPart, verdict: &mut Verdict) {
    let mut good = true;
    for (digest, bytes) in &part.artifacts {
        let found = Digest::of(bytes);
        if found != *digest {
            good = false;
            let subject = format!("{folder}/artifacts/{digest}.json");
            verdict.push("artifact", subject, Outcome::Fail, digest.to_string(), found.to_string());
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

/// Who must have cosigned is for the trust file to say, not for the bundle.
fn check_policy(folder: &str, part: &LogPart, expected: &str, verdict: &mut Verdict) {
    if part.policy != expected.as_bytes() {
        let found = String::from_utf8_lossy(&part.policy).escape_debug().take(200).collect();
        let subject = format!("{folder}/policy");
        verdict.push(&format!("{folder}-checkpoint"), subject, Outcome::Fail, expected.to_owned(), found);
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
    verdict.pass(&format!("{folder}-checkpoint"), subject, format!("{origin}, {} entries", checkpoint.size));
    let mut tree = Frontier::new();
    part.entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    let expected = format!("{} entries, root {}", checkpoint.size, checkpoint.root);
    let found = format!("{} entries, root {}", tree.size(), tree.root());
    let outcome = if expected == found { Outcome::Pass } else { Outcome::Fail };
    verdict.push(&format!("{folder}-log"), format!("{folder}/entries"), outcome, expected, found);
    if let Some(key) = keys.first() {
        check_policy(folder, part, &registry.trust().policy(origin, key), verdict);
    }
    (outcome == Outcome::Pass).then_some(())
}

/// An entry of the registry that does not follow from those before it.
struct Stray {
    index: usize,
    refusal: Refusal,
}

/// The registry's first `size` entries, each checked against the roster before it.
fn replay(part: &LogPart, size: usize, trust: &Valid<Trust>) -> Result<Registry, Stray> {
    let mut registry = Registry::new(trust.clone());
    for (index, envelope) in part.entries.iter().take(size).enumerate() {
        let applied = artifact_of(envelope, part).and_then(|artifact| registry.apply(envelope, artifact));
        applied.map_err(|refusal| Stray { index, refusal })?;
    }
    Ok(registry)
}

fn judged(replayed: Result<Registry, Stray>, size: usize, verdict: &mut Verdict) -> Option<Registry> {
    match replayed {
        Ok(registry) => {
            let sites = registry.sites().count();
            let found = format!("{size} entries signed by governance, {sites} sites");
            verdict.pass("registry-entry", "registry/entries", found);
            Some(registry)
        }
        Err(Stray { index, refusal }) => {
            verdict.refuse("registry-entry", format!("registry/entries/{index}"), &refusal);
            None
        }
    }
}

/// The artifact that an envelope names; found before the signature is checked, so nothing follows from it alone.
fn artifact_of<'a>(envelope: &[u8], part: &'a LogPart) -> Result<&'a [u8], Refusal> {
    let digest = verify::claimed_subject(envelope)?;
    let found = part.artifacts.get(&digest);
    found.map(Vec::as_slice).ok_or_else(|| Refusal::new("missing", format!("artifacts/{digest}.json"), "no such file"))
}

fn check_report_signature(bundle: &Bundle, registry: &Registry, verdict: &mut Verdict) -> Option<ReportClaim> {
    let files: [&[u8]; 2] = [&bundle.report_json, &bundle.report_html];
    match verify::report(&bundle.report_envelope, &files, registry) {
        Ok(claim) => {
            verdict.pass(
                "report-signature",
                "report.dsse.json",
                "signed by the aggregator over report.json and report.html",
            );
            Some(claim)
        }
        Err(refusal) => {
            verdict.refuse("report-signature", "report.dsse.json", &refusal);
            None
        }
    }
}

fn check_report(
    bundle: &Bundle,
    registry: &Registry,
    claim: &ReportClaim,
    logged: &entries::Logged,
    verdict: &mut Verdict,
) -> Option<()> {
    if claim.method != METHOD {
        let found = format!("version {}", claim.method);
        verdict.push(
            "report-method",
            "report.dsse.json",
            Outcome::Undecidable,
            format!("method version {METHOD}"),
            found,
        );
        return None;
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
    let claimed: Option<Report> = if same { None } else { Some(read_report(&bundle.report_json, verdict)?) };
    let recomputed = recomputed.map_err(|refusal| verdict.refuse("report-numbers", "report.json", &refusal)).ok()?;
    let difference = match &claimed {
        None => None,
        Some(claimed) => {
            let [expected, found] = [&recomputed, claimed].map(|report| serde_json::to_value(report).ok());
            compare::difference(&expected?, &found?)
        }
    };
    match difference {
        None => verdict.pass("report-numbers", "report.json", "every figure recomputed from the sites' releases"),
        Some((path, expected, found)) => {
            verdict.push("report-numbers", format!("report.json{path}"), Outcome::Fail, expected, found);
        }
    }
    let page = render::html(claimed.as_ref().unwrap_or(&recomputed));
    if page.as_bytes() == bundle.report_html {
        verdict.pass("report-page", "report.html", "is report.json, rendered");
    } else {
        let found = format!("{} other bytes", bundle.report_html.len());
        verdict.push("report-page", "report.html", Outcome::Fail, "report.json, rendered".to_owned(), found);
    }
    // Who answered, and the first line, follow from the log, not from what the report says of it.
    complete::check(&recomputed, verdict);
    verdict.report = Some(recomputed);
    Some(())
}

fn read_report(json: &[u8], verdict: &mut Verdict) -> Option<Report> {
    let malformed = |error: codec::CodecError| {
        verdict.push("report-numbers", "report.json", Outcome::Malformed, "a report".to_owned(), error.to_string());
    };
    codec::from_json(json).map_err(malformed).ok()
}
