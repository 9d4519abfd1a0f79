//! Reports, compared with what this site knows by its receipts: every release and abstention of it that was logged before
//! a report must be named there, and used or not with a reason that holds. Else the site disputes the report.
//!
//! Crash order: disputes are prepared in the outbox first, then the report is kept as compared. After a crash between both
//! the report is compared again; there is one dispute for a report and a document, so none is signed twice. From the
//! outbox on the steps are those of [`crate::close`].

use crate::close::{check_outbox, head, next_number, recover};
use crate::outbox::{Kind, Outgoing, State};
use crate::ship::SeenReport;
use crate::site::{Site, refused};
use fedaudit_core::codec;
use fedaudit_core::dispute::{Dispute, DisputeText, FORMAT, What, attest_dispute};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::note::LogProof;
use fedaudit_core::report::{Receipted, Report, unfaithful};
use fedaudit_core::time::Time;
use fedaudit_link::home::Lock;
use std::collections::BTreeSet;

/// The plans whose logs hold something of this site, each with the index from which on its reports are to be compared.
///
/// # Errors
/// An outbox that cannot be read.
pub fn wanted(site: &Site) -> Result<Vec<(Digest, u64)>, Fault> {
    let listed = site.outbox.list()?;
    let plans: BTreeSet<_> = listed.iter().filter(|of| of.state == State::Received).map(|of| of.plan).collect();
    plans.into_iter().map(|plan| Ok((plan, site.outbox.next_report(&plan)?))).collect()
}

/// Compares a report and keeps what was found; signs a dispute for each document that it is not faithful to.
///
/// # Errors
/// A journal or outbox that fails.
pub fn take(site: &mut Site, plan: &Digest, seen: &SeenReport, now: Time) -> Result<(), Fault> {
    let own = receipted(site, plan, seen.index)?;
    let report = codec::from_json::<Report>(&seen.json);
    let (found, wrong) = match &report {
        _ if seen.claim.is_none() => ("not compared: it is too long to be sent".to_owned(), Vec::new()),
        Err(error) => (format!("not compared: report.json is {error}"), Vec::new()),
        Ok(report) => {
            let documents: Vec<Receipted> = own.iter().map(|(one, _)| one.clone()).collect();
            let wrong = unfaithful(report, &site.enrolment.site, &documents);
            let wrong: Vec<(Receipted, What)> = wrong.into_iter().map(|(one, what)| (one.clone(), what)).collect();
            (summary(&wrong, own.len()), wrong)
        }
    };
    if !wrong.is_empty() {
        tracing::warn!(index = seen.index, plan = %plan.short(), "a report is {found}");
        let _import = Lock::acquire(&site.home.import_lock())?;
        recover(site)?;
        check_outbox(site)?;
        for (one, what) in &wrong {
            let receipt = own.iter().find(|(of, _)| of == one).map(|(_, receipt)| receipt.clone());
            dispute(site, plan, &Digest::of(&seen.envelope), (one, *what), receipt.unwrap_or_default(), now)?;
        }
        recover(site)?;
    }
    site.outbox.keep_report(plan, seen, &found, !wrong.is_empty())
}

/// As `complete: all 6 documents`, or `disputed: window missing; 1 of 6 documents`.
fn summary(wrong: &[(Receipted, What)], all: usize) -> String {
    let Some((first, what)) = wrong.first() else { return format!("complete: {all} of {all} documents of this site") };
    let kind = if first.release { "release" } else { "abstention" };
    let more = if wrong.len() > 1 { ", and others" } else { "" };
    format!(
        "disputed: {} of {all} documents of this site; the {kind} of {} is {}{more}",
        wrong.len(),
        first.window,
        what.word()
    )
}

/// This site's releases and abstentions that stand in the plan's log before `index`, in order, each with its receipt.
fn receipted(site: &Site, plan: &Digest, index: u64) -> Result<Vec<(Receipted, String)>, Fault> {
    let mut own = Vec::new();
    for of in site.outbox.releases()? {
        let (Some(receipt), State::Received) = (&of.answer, of.state) else { continue };
        if of.plan != *plan || of.kind == Kind::Dispute {
            continue;
        }
        let proof = LogProof::parse(receipt).map_err(|e| {
            let hint = "outbox.sqlite is damaged: restore this home as a whole from its newest backup";
            Fault::new(Blame::Site, format!("outbox.sqlite: a receipt is {e}"), hint)
        })?;
        if proof.index < index {
            let one = Receipted {
                index: proof.index,
                release: of.kind == Kind::Release,
                window: of.window,
                envelope: Digest::of(&of.envelope),
                artifact: Digest::of(&of.artifact),
            };
            own.push((one, receipt.clone()));
        }
    }
    own.sort_by_key(|(one, _)| one.index);
    Ok(own)
}

/// What a dispute is about, in the outbox: a report and a document, so that there is one for both.
pub(crate) fn about(report: &Digest, document: &Digest) -> Digest {
    Digest::of(&[report.0, document.0].concat())
}

/// Signs a dispute, unless there is one about this report and document already.
fn dispute(
    site: &mut Site,
    plan: &Digest,
    report: &Digest,
    (one, what): (&Receipted, What),
    receipt: String,
    now: Time,
) -> Result<(), Fault> {
    let about = about(report, &one.envelope);
    if site.outbox.list()?.iter().any(|of| of.kind == Kind::Dispute && of.amends == Some(about)) {
        return Ok(());
    }
    let text = DisputeText {
        format: FORMAT,
        site: site.enrolment.site.clone(),
        plan: *plan,
        report: *report,
        release: one.envelope,
        window: one.window,
        what,
        receipt,
    };
    let dispute = Dispute::new(text).map_err(|e| Fault::new(Blame::Site, e, "report this"))?;
    let (sequence, previous) = next_number(site, plan)?;
    let (head, key) = (head(site, now), site.key(KeyUse::Attest)?);
    let mut attestation = attest_dispute(&dispute, head, sequence, previous, &key).map_err(refused)?;
    site.outbox.prepare(&Outgoing {
        kind: Kind::Dispute,
        plan: *plan,
        window: one.window,
        sequence,
        amends: Some(about),
        artifact: attestation.artifacts.pop().unwrap_or_default(),
        envelope: attestation.envelope,
        salt: [0; 16],
        state: State::Prepared,
        answer: None,
    })
}
