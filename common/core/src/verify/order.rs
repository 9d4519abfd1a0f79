//! The order that releases and abstentions of a site must come in.
//!
//! They are numbered together, from 0, each naming the one before it. For each window:
//!
//! - one release, unless a later one amends the latest;
//! - one abstention, and none once there is a release: what was released is amended, not unsaid;
//! - a release after an abstention counts: the site changed its mind, and both stay in the log.
//!
//! The very bytes of a logged document, sent again, are answered with its receipt before any of this is asked.

use super::{VerifiedAbstention, VerifiedRelease};
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
}

#[derive(Clone, Debug, Default)]
struct SiteState {
    next: u64,
    last: Option<Digest>,
    windows: BTreeMap<Window, Digest>,
    abstained: BTreeMap<Window, Digest>,
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
    /// Whether the key that signed a report held where it stands.
    ///
    /// # Errors
    /// `key`: it had ended.
    pub fn check_report(claim: &ReportClaim, signer: &Digest, at: At) -> Result<(), Refusal> {
        at.holds(signer, claim.plan, None).map_err(|conflict| conflict.refusal)
    }

    /// Whether `release` may come next.
    ///
    /// # Errors
    /// A broken sequence, a second release for a window that does not amend the first, a wrong previous digest, a key that
    /// had ended.
    pub fn check(&self, release: &VerifiedRelease, at: At) -> Result<(), Conflict> {
        let claim = release.claim();
        for key in std::iter::once(&release.signer).chain(&release.notes) {
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
        state.abstained.insert(abstention.claim().window, abstention.envelope());
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
