//! The order that releases, abstentions and disputes of a site must come in, and reports.
//!
//! What a site signs is numbered together, from 0, each naming the one before it. A dispute is about a report that stands
//! before it and a document of the site that stands before that; one for both. Reports over the same windows are numbered
//! from 0 as well. For each window:
//!
//! - one release, unless a later one amends the latest;
//! - one abstention, and none once there is a release: what was released is amended, not unsaid;
//! - a release after an abstention counts: the site changed its mind, and both stay in the log.
//!
//! The very bytes of a logged document, sent again, are answered with its receipt before any of this is asked.

use super::{VerifiedAbstention, VerifiedDispute, VerifiedRelease};
use crate::envelope::ReportClaim;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::roster::{Position, Registry, plan_origin};
use crate::time::Window;
use std::collections::BTreeMap;

/// What a plan's log holds so far, site by site.
#[derive(Clone, Debug, Default)]
pub struct PlanState {
    sites: BTreeMap<Name, SiteState>,
    /// Index of each report, by envelope.
    reports: BTreeMap<Digest, u64>,
    /// How many reports there are over these windows, and the last of them.
    over: BTreeMap<Vec<Window>, (u64, Digest)>,
}

#[derive(Clone, Debug, Default)]
struct SiteState {
    next: u64,
    last: Option<Digest>,
    windows: BTreeMap<Window, Digest>,
    abstained: BTreeMap<Window, Digest>,
    /// Index of each release and abstention, by envelope.
    documents: BTreeMap<Digest, u64>,
    /// The dispute about a report and a document, by both.
    disputes: BTreeMap<(Digest, Digest), Digest>,
}

/// Why a document does not fit behind those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The check.
    pub refusal: Refusal,
    /// The logged envelope that contradicts it; both together are evidence.
    pub against: Option<Digest>,
}

/// Where in its plan's log a document stands, or would stand, and who was who there.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The registry.
    pub registry: &'a Registry,
    /// Index in the plan's log.
    pub index: u64,
}

impl At<'_> {
    /// Whether a key held here.
    fn holds(&self, key: &Digest, plan: Digest, sequence: Option<u64>) -> Result<(), Conflict> {
        let origin = plan_origin(&self.registry.trust().federation, &plan);
        let number = sequence.map(|sequence| (plan, sequence));
        let held = self.registry.holds(key, Position { origin: &origin, index: self.index, number });
        held.map_err(|refusal| Conflict { refusal, against: None })
    }
}

impl PlanState {
    /// Takes the report that comes next.
    ///
    /// # Errors
    /// `key`: the one that signed it had ended. `report-number`: another number than the next over these windows, or another
    /// report before it. Then nothing has changed.
    pub fn admit_report(
        &mut self,
        envelope: Digest,
        claim: &ReportClaim,
        signer: &Digest,
        at: At,
    ) -> Result<(), Refusal> {
        at.holds(signer, claim.plan, None).map_err(|conflict| conflict.refusal)?;
        let (number, supersedes) = self.next_report(&claim.windows);
        let said = |number: u64, before: Option<Digest>| match before {
            Some(before) => format!("report {number} over these windows, which supersedes {before}"),
            None => format!("report {number} over these windows, which supersedes none"),
        };
        if (number, supersedes) != (claim.number, claim.supersedes) {
            let (expected, found) = (said(number, supersedes), said(claim.number, claim.supersedes));
            return Err(Refusal::new("report-number", expected, found));
        }
        self.over.insert(claim.windows.clone(), (number + 1, envelope));
        self.reports.insert(envelope, at.index);
        Ok(())
    }

    /// Number of the next report over `windows`, and the one that it supersedes.
    pub fn next_report(&self, windows: &[Window]) -> (u64, Option<Digest>) {
        self.over.get(windows).map_or((0, None), |(count, last)| (*count, Some(*last)))
    }

    /// Whether `release` may come next.
    ///
    /// # Errors
    /// A broken sequence, a second release for a window that does not amend the first, a wrong previous digest, a key that
    /// had ended.
    pub fn check(&self, release: &VerifiedRelease, at: At) -> Result<(), Conflict> {
        let claim = release.claim();
        for key in release.signers() {
            at.holds(key, claim.plan, Some(claim.sequence))?;
        }
        let amended = claim.amends.as_ref().map(|amends| amends.envelope);
        let current = self.current(&claim.site, &claim.window);
        if current != amended {
            let wanted = current.map_or("no release amended".to_owned(), |old| format!("a release that amends {old}"));
            let found = amended.map_or("one that amends none".to_owned(), |old| format!("one that amends {old}"));
            return conflict("window", wanted, found, current);
        }
        self.check_number(&claim.site, claim.sequence, claim.previous)
    }

    /// Whether `abstention` may come next.
    ///
    /// # Errors
    /// A window with a release or another abstention; a broken sequence, a wrong previous digest, a key that had ended.
    pub fn check_abstention(&self, abstention: &VerifiedAbstention, at: At) -> Result<(), Conflict> {
        let claim = abstention.claim();
        at.holds(&abstention.signer, claim.plan, Some(claim.sequence))?;
        let said = |what: &str, envelope: Digest| {
            let wanted = format!("a window of {} without {what}", claim.site);
            conflict("window", wanted, format!("{what} {envelope}"), Some(envelope))
        };
        if let Some(release) = self.current(&claim.site, &claim.window) {
            return said("a release", release);
        }
        let before = self.sites.get(&claim.site).and_then(|state| state.abstained.get(&claim.window));
        if let Some(abstention) = before {
            return said("an abstention", *abstention);
        }
        self.check_number(&claim.site, claim.sequence, claim.previous)
    }

    /// Whether `dispute` may come next.
    ///
    /// # Errors
    /// A report, or a document of the site, that does not stand before it at its place; a second dispute about both; a broken
    /// sequence, a wrong previous digest, a key that had ended.
    pub fn check_dispute(&self, dispute: &VerifiedDispute, at: At) -> Result<(), Conflict> {
        let (claim, text) = (dispute.claim(), dispute.text());
        at.holds(&dispute.signer, claim.plan, Some(claim.sequence))?;
        let site = self.sites.get(&claim.site);
        let report = self.reports.get(&text.report).copied();
        let Some(report) = report else {
            return conflict("dispute", "a report in this log".to_owned(), text.report.to_string(), None);
        };
        let document = site.and_then(|site| site.documents.get(&text.release).copied());
        if document != Some(dispute.index()) || dispute.index() >= report {
            let expected = format!("the receipt of a document of {} before entry {report}", claim.site);
            let found = format!("{} at index {}", text.release, dispute.index());
            return conflict("dispute", expected, found, None);
        }
        // The log key may end later, with this log's size as it is then: what it signed must lie below.
        let (receipt, here) = (dispute.checkpoint().size, at.index);
        if receipt > here {
            let expected = format!("a receipt of a log of at most {here} entries");
            return conflict("dispute", expected, format!("one of {receipt}"), None);
        }
        let before = site.and_then(|site| site.disputes.get(&(text.report, text.release)));
        if let Some(before) = before {
            let expected = "one dispute about a report and a document".to_owned();
            return conflict("dispute", expected, format!("another beside {before}"), Some(*before));
        }
        self.check_number(&claim.site, claim.sequence, claim.previous)
    }

    fn check_number(&self, site: &Name, sequence: u64, previous: Option<Digest>) -> Result<(), Conflict> {
        let (next, last) = self.sites.get(site).map_or((0, None), |state| (state.next, state.last));
        if sequence != next {
            return conflict("sequence", next.to_string(), sequence.to_string(), last);
        }
        if previous != last {
            return conflict("previous", format!("{last:?}"), format!("{previous:?}"), last);
        }
        Ok(())
    }

    /// Takes the release that comes next.
    ///
    /// # Errors
    /// As [`PlanState::check`]; then nothing has changed.
    pub fn admit(&mut self, release: &VerifiedRelease, at: At) -> Result<(), Conflict> {
        self.check(release, at)?;
        let state = self.advance(&release.claim().site, release.envelope());
        state.documents.insert(release.envelope(), at.index);
        state.windows.insert(release.claim().window, release.envelope());
        Ok(())
    }

    /// Takes the abstention that comes next.
    ///
    /// # Errors
    /// As [`PlanState::check_abstention`]; then nothing has changed.
    pub fn admit_abstention(&mut self, abstention: &VerifiedAbstention, at: At) -> Result<(), Conflict> {
        self.check_abstention(abstention, at)?;
        let state = self.advance(&abstention.claim().site, abstention.envelope());
        state.documents.insert(abstention.envelope(), at.index);
        state.abstained.insert(abstention.claim().window, abstention.envelope());
        Ok(())
    }

    /// Takes the dispute that comes next.
    ///
    /// # Errors
    /// As [`PlanState::check_dispute`]; then nothing has changed.
    pub fn admit_dispute(&mut self, dispute: &VerifiedDispute, at: At) -> Result<(), Conflict> {
        self.check_dispute(dispute, at)?;
        let state = self.advance(&dispute.claim().site, dispute.envelope());
        state.disputes.insert((dispute.text().report, dispute.text().release), dispute.envelope());
        Ok(())
    }

    fn advance(&mut self, site: &Name, envelope: Digest) -> &mut SiteState {
        let state = self.sites.entry(site.clone()).or_default();
        state.next += 1;
        state.last = Some(envelope);
        state
    }

    /// The envelope of the release that holds for a site and window: the last one logged.
    pub fn current(&self, site: &Name, window: &Window) -> Option<Digest> {
        self.sites.get(site)?.windows.get(window).copied()
    }
}

fn conflict(check: &str, expected: String, found: String, against: Option<Digest>) -> Result<(), Conflict> {
    Err(Conflict { refusal: Refusal::new(check, expected, found), against })
}
