//! What sites say against reports, held against the log.

use super::{Outcome, Verdict, entries::Logged};
use crate::bundle::{Bundle, LogPart};
use crate::codec;
use crate::dispute::DisputeText;
use crate::envelope::ReportClaim;
use crate::ids::{Digest, Name};
use crate::merkle::{Frontier, leaf_hash};
use crate::report::{Receipted, Report, unfaithful};
use crate::verify::{self, VerifiedDispute};

/// A line each. A dispute of an earlier report says nothing against this one, whichever is right.
pub(super) fn check(bundle: &Bundle, claim: &ReportClaim, logged: &Logged, verdict: &mut Verdict) {
    for (index, dispute) in &logged.disputes {
        let text = dispute.text();
        let Some(report) = logged.reports.iter().find(|report| report.envelope == text.report) else { continue };
        let this = report.index == claim.log_size;
        let said = format!("entry {index}: {} in the report at entry {}: ", document(dispute), report.index);
        let json = if this { Some(&bundle.report_json[..]) } else { disputed_json(&bundle.plan, report.index) };
        let (outcome, found) = match borne_out(&bundle.plan, dispute, report.index, json, logged) {
            Err(open) => (if this { Outcome::Undecidable } else { Outcome::Pass }, open),
            Ok(true) if this => (Outcome::Fail, "the log bears it out".to_owned()),
            Ok(true) => (Outcome::Pass, "the log bears it out: that report is refuted, this one is another".to_owned()),
            Ok(false) => {
                (Outcome::Pass, "the log does not bear it out: the report names it as it is logged".to_owned())
            }
        };
        let name = if this { "dispute" } else { "dispute-before" };
        let expected = "a report that names every document logged before it".to_owned();
        verdict.push(name, &text.site, outcome, expected, said + &found);
    }
}

fn document(dispute: &VerifiedDispute) -> String {
    let DisputeText { release, window, what, .. } = dispute.text();
    format!("{} of {window} at entry {} is {}", release.short(), dispute.index(), what.word())
}

/// Whether the log and the report that is disputed show what the dispute says; or why that cannot be told.
fn borne_out(
    plan: &LogPart,
    dispute: &VerifiedDispute,
    report_index: u64,
    json: Option<&[u8]>,
    logged: &Logged,
) -> Result<bool, String> {
    let checkpoint = dispute.checkpoint();
    let entries = usize::try_from(checkpoint.size).ok().and_then(|size| plan.entries.get(..size));
    let Some(entries) = entries else {
        let (size, here) = (checkpoint.size, plan.entries.len());
        return Err(format!("cannot be told: its receipt is of a log of {size} entries, here are {here}"));
    };
    let mut tree = Frontier::new();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
    if tree.root() != checkpoint.root {
        let size = checkpoint.size;
        return Err(format!("cannot be told: its receipt is of another log, with another root of {size} entries"));
    }
    let Some(json) = json else { return Err("cannot be told: that report is not in this bundle".to_owned()) };
    let Ok(report) = codec::from_json::<Report>(json) else {
        return Err("cannot be told: that report cannot be read".to_owned());
    };
    let text = dispute.text();
    let own = logged.documents_of(&text.site, report_index);
    Ok(unfaithful(&report, &text.site, &own)
        .iter()
        .any(|(one, what)| one.envelope == text.release && *what == text.what))
}

/// `report.json` of an earlier report, which travels with the log once it is disputed.
fn disputed_json(plan: &LogPart, index: u64) -> Option<&[u8]> {
    let envelope = usize::try_from(index).ok().and_then(|index| plan.entries.get(index))?;
    let subjects: Vec<Digest> = verify::claimed_subjects(envelope).ok()?;
    plan.artifacts.get(subjects.first()?).map(Vec::as_slice)
}

impl Logged {
    /// What a site logged before an index, in order.
    fn documents_of(&self, site: &Name, before: u64) -> Vec<Receipted> {
        let releases = self.releases.iter().map(|(index, of)| (&of.claim().site, Receipted::release(*index, of)));
        let abstentions =
            self.abstentions.iter().map(|(index, of)| (&of.claim().site, Receipted::abstention(*index, of)));
        let own = releases.chain(abstentions).filter(|(of, one)| *of == site && one.index < before);
        let mut own: Vec<_> = own.map(|(_, one)| one).collect();
        own.sort_by_key(|one| one.index);
        own
    }
}
