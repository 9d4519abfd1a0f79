//! From a plan's log to `report.json`, `report.html` and `bundle.zip`.

use crate::centre::{Centre, PlanLog};
use crate::checked::Checked;
use crate::home::{operator, operator_hint, plan_named, refused};
use crate::intake::Book;
use crate::store::LogDir;
use fedaudit_core::bundle::{Bundle, LogPart, pack};
use fedaudit_core::codec;
use fedaudit_core::envelope::{Claimed, Head, ReportClaim};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::KeyUse;
use fedaudit_core::render;
use fedaudit_core::report::{self, Input, METHOD, Measures, Report};
use fedaudit_core::roster::Party;
use fedaudit_core::time::{Time, Window};
use fedaudit_core::verify::{self, Entry};
use fedaudit_link::home::write_atomic;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A report that was built, logged and written.
pub struct Built {
    /// The report.
    pub report: Report,
    /// Its index in the plan's log.
    pub index: u64,
    /// Bytes of `bundle.zip`.
    pub bundle_bytes: usize,
}

impl Built {
    /// How many of the required sites have answered, as a line for people; none if all have.
    pub fn missing(&self) -> Option<String> {
        let required = self.report.sites.iter().filter(|site| site.required);
        let (lack, answered): (Vec<_>, Vec<_>) = required.partition(|site| !site.missing.is_empty());
        let names: Vec<_> = lack.iter().map(|site| site.site.to_string()).collect();
        let (n, m) = (answered.len(), answered.len() + lack.len());
        let line =
            format!("{n} of {m} required sites: a verifier will call it undecidable; missing: {}", names.join(", "));
        (!lack.is_empty()).then_some(line)
    }
}

/// Builds the report on the latest version of `plan` over its windows that are due, logs it, and writes it to `out`.
///
/// # Errors
/// No such plan, no window due, too few witnesses, a folder that cannot be written.
pub fn build(centre: &mut Centre, plan: &Name, out: &Path, now: Time) -> Result<Built, Fault> {
    // Before the report is logged: without them there would be an entry more and no bundle.
    centre.check_witnesses()?;
    let lock = centre.lock()?;
    let (digest, published) = plan_named(centre.registry(), plan)?;
    let windows: Vec<Window> =
        published.plan.windows_before(now).into_iter().filter(|w| published.plan.release_time(w) <= now).collect();
    let Some(log) = centre.plan(&digest).filter(|_| !windows.is_empty()) else {
        return Err(operator_hint(format!("no window of plan {plan} is due yet"), "wait until its first release time"));
    };
    let log_size = log.log.size();
    let input = Input {
        registry: centre.registry(),
        plan: digest,
        windows: &windows,
        log_size,
        releases: &log.releases,
        abstentions: &log.abstentions,
        disputes: &log.disputes,
        reports: &log.reports,
    };
    let report = report::compile(&input).map_err(refused)?;
    let json = codec::to_json(&report).map_err(|e| operator(e.to_string()))?;
    let html = render::html(&report).into_bytes();
    let (number, supersedes) = log.state.next_report(&windows);
    let claim = ReportClaim {
        plan: digest,
        windows,
        log_size,
        registry_size: centre.registry().size(),
        method: METHOD.to_owned(),
        number,
        supersedes,
    };
    let head = Head {
        federation: centre.home.trust.federation.clone(),
        issued_at: now,
        seen: centre.registry().seen(),
        replaces: None,
    };
    let key = centre.home.key(KeyUse::Attest)?;
    let attestation = report::attest(json.clone(), html.clone(), claim, head, &key).map_err(refused)?;
    let checked = Checked::report(&attestation.envelope, centre.registry()).map_err(refused)?;
    let index = centre.stage(Book::Plan(digest), &attestation, checked)?;
    centre.commit(&lock)?;
    // Witnesses take their time, and sites go on sending: the bundle holds what was logged meanwhile too.
    drop(lock);
    centre.need_witnesses()?;
    let bundle = pack(&Bundle {
        report_json: json.clone(),
        report_html: html.clone(),
        report_envelope: attestation.envelope.clone(),
        registry: registry_part(centre)?,
        plan: plan_part(centre, &digest)?,
        not_evidence: conveniences(centre, &report)?,
    })
    .map_err(refused)?;
    let trust = codec::to_json(&centre.home.trust).map_err(|e| operator(e.to_string()))?;
    let files: [(&str, &[u8]); 5] = [
        ("report.json", &json),
        ("report.html", &html),
        ("report.dsse.json", &attestation.envelope),
        ("trust.json", &trust),
        ("bundle.zip", &bundle),
    ];
    write(out, &files)?;
    Ok(Built { report, index, bundle_bytes: bundle.len() })
}

fn write(out: &Path, files: &[(&str, &[u8])]) -> Result<(), Fault> {
    std::fs::create_dir_all(out).map_err(|e| operator(format!("{}: {e}", out.display())))?;
    files.iter().try_for_each(|(name, bytes)| write_atomic(&out.join(name), bytes, 0o644))
}

fn registry_part(centre: &Centre) -> Result<LogPart, Fault> {
    let log = centre.registry_log();
    let mut part =
        LogPart { checkpoint: centre.shown(log).1.into(), policy: policy(centre, log)?, ..LogPart::default() };
    for index in 0..log.size() {
        take(centre, log.entry(index)?, &mut part)?;
    }
    Ok(part)
}

fn plan_part(centre: &Centre, digest: &Digest) -> Result<LogPart, Fault> {
    let Some(PlanLog { log, disputes, .. }) = centre.plan(digest) else {
        return Err(operator(format!("no plan {digest}")));
    };
    let mut part =
        LogPart { checkpoint: centre.shown(log).1.into(), policy: policy(centre, log)?, ..LogPart::default() };
    for index in 0..log.size() {
        let envelope = log.entry(index)?;
        match verify::entry(&envelope, centre.registry()).map_err(refused)? {
            Entry::Release | Entry::Abstention | Entry::Dispute => take(centre, envelope, &mut part)?,
            // A report travels by its own files, or is an earlier one that this bundle does not need, unless it is disputed.
            Entry::Report(..) => {
                let disputed = Digest::of(&envelope);
                if disputes.iter().any(|(_, dispute)| dispute.text().report == disputed) {
                    let subjects = verify::claimed_subjects(&envelope).map_err(refused)?;
                    let json = subjects.first().map(|json| centre.artifact(json).map(|bytes| (*json, bytes)));
                    part.artifacts.extend(json.transpose()?);
                }
                part.entries.push(envelope);
            }
        }
    }
    Ok(part)
}

fn policy(centre: &Centre, log: &LogDir) -> Result<Vec<u8>, Fault> {
    let key = centre.registry().party(&Party::Aggregator).and_then(|entry| entry.key(KeyUse::Log)).map_err(refused)?;
    Ok(centre.home.trust.policy(log.origin(), &key).into_bytes())
}

fn take(centre: &Centre, envelope: Vec<u8>, part: &mut LogPart) -> Result<(), Fault> {
    let digest = verify::claimed_subject(&envelope).map_err(refused)?;
    part.artifacts.insert(digest, centre.artifact(&digest)?);
    part.entries.push(envelope);
    Ok(())
}

/// Files for people: public keys as PEM, the counts as CSV.
fn conveniences(centre: &Centre, report: &Report) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let mut files = BTreeMap::new();
    for (at, key) in (1..).zip(&centre.home.trust.governance.keys) {
        files.insert(format!("keys/governance-{at}.pem"), key.pem().into_bytes());
    }
    let parties = centre.registry().sites().map(|site| Party::Site(site.clone())).chain([Party::Aggregator]);
    for party in parties {
        let entry = centre.registry().party(&party).map_err(refused)?;
        let name = party.name().map_err(refused)?;
        for key in &entry.keys {
            files.insert(format!("keys/{name}-{}.pem", key.usage), key.key.pem().into_bytes());
        }
    }
    files.insert("tables/counts.csv".to_owned(), counts_table(report).into_bytes());
    files.extend(report::tables(report));
    Ok(files)
}

/// Counts by model version, slice, group and site; hidden and missing counts are words, what a contract has not is empty.
fn counts_table(report: &Report) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut table = "model_version,slice,group,site,state,n,decided,selected,labelled,tp,fp,fn,tn\n".to_owned();
    for scope in &report.scopes {
        for slice in &scope.slices {
            for group in &slice.groups {
                for (site, measures) in slice.sites.iter().zip(&group.sites) {
                    table += &format!(
                        "{},{},{},{},{:?},{}\n",
                        quoted(&scope.name()),
                        quoted(&slice.attributes.join(" x ")),
                        quoted(&group.group.join(" x ")),
                        site.site,
                        site.state,
                        counts(measures.as_ref()),
                    );
                }
            }
        }
    }
    table
}

fn counts(measures: Option<&Measures>) -> String {
    let Some(m) = measures else { return ",,,,,,,".to_owned() };
    let outcomes = m.outcomes.as_ref().map(|o| format!("{},{},{},{}", o.tp, o.fp, o.fn_, o.tn));
    format!("{},{},{},{},{}", m.n, m.decided, m.selected, m.labelled, outcomes.unwrap_or(",,,".to_owned()))
}

/// Checks that the files of every report logged are those that were signed. Nothing else reads them again.
///
/// # Errors
/// A log or a file that cannot be read, or was altered.
pub fn verify_files(centre: &Centre) -> Result<(), Fault> {
    let keys = centre.registry().keys_of(&Party::Aggregator, KeyUse::Attest);
    for report in list(centre)? {
        let Some(plan) = centre.plan(&report.claim.plan) else { continue };
        let envelope = plan.log.entry(report.index)?;
        let statement = Claimed::parse(&envelope).and_then(|claimed| claimed.verify(&keys, 1)).map_err(refused)?;
        for subject in &statement.subject {
            let of = format!("{} of the report at entry {} of plan {}", subject.name, report.index, report.plan);
            centre.artifact(&subject.digest.sha256).map_err(|fault| fault.while_(of))?;
        }
    }
    Ok(())
}

/// A report in a plan's log.
pub struct Listed {
    /// The plan.
    pub plan: Name,
    /// Index in its log.
    pub index: u64,
    /// What the report claims.
    pub claim: ReportClaim,
    /// Sites that dispute it.
    pub disputed: BTreeSet<Name>,
}

/// Every report logged.
///
/// # Errors
/// A log that cannot be read.
pub fn list(centre: &Centre) -> Result<Vec<Listed>, Fault> {
    let mut listed = Vec::new();
    for (digest, published) in centre.registry().plans() {
        let Some(plan) = centre.plan(digest) else { continue };
        for index in 0..plan.log.size() {
            let envelope = plan.log.entry(index)?;
            if let Entry::Report(claim, _) = verify::entry(&envelope, centre.registry()).map_err(refused)? {
                let report = Digest::of(&envelope);
                let against = plan.disputes.iter().filter(|(_, dispute)| dispute.text().report == report);
                let disputed = against.map(|(_, dispute)| dispute.claim().site.clone()).collect();
                listed.push(Listed { plan: published.plan.plan.clone(), index, claim, disputed });
            }
        }
    }
    Ok(listed)
}

/// A report as a line for people.
pub fn line(listed: &Listed) -> String {
    let Listed { plan, index, claim, disputed } = listed;
    let supersedes = claim.supersedes.map_or(String::new(), |before| format!(", supersedes {}", before.short()));
    let disputed: Vec<_> = disputed.iter().map(Name::to_string).collect();
    let disputed = if disputed.is_empty() { String::new() } else { format!("\tdisputed by {}", disputed.join(", ")) };
    let (windows, size) = (claim.windows.len(), claim.log_size);
    format!(
        "{plan}\tentry {index}\t{windows} windows\t{size} log entries\tnumber {}{supersedes}{disputed}",
        claim.number
    )
}
