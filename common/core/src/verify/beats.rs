//! The order that heartbeats of a site must come in: numbered from 0 through all of its epochs, each naming the one before.

use super::{At, Conflict, VerifiedHeartbeat};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::roster::{Position, heartbeats_origin};
use crate::time::Time;
use std::collections::BTreeMap;

/// What the log of heartbeats holds so far, site by site.
#[derive(Clone, Debug, Default)]
pub struct BeatState {
    sites: BTreeMap<Name, SiteBeats>,
}

/// The heartbeats of a site.
#[derive(Clone, Debug, Default)]
pub struct SiteBeats {
    /// By number: index in the log, and when the site says it signed.
    pub logged: Vec<(u64, Time)>,
    /// The envelope of the last one.
    pub last: Option<Digest>,
}

impl BeatState {
    /// Whether `heartbeat` may come next.
    ///
    /// # Errors
    /// A broken sequence, a wrong previous digest, a key that had ended.
    pub fn check(&self, heartbeat: &VerifiedHeartbeat, at: At) -> Result<(), Conflict> {
        let origin = heartbeats_origin(&at.registry.trust().federation);
        for key in &heartbeat.signers {
            let held = at.registry.holds(key, Position { origin: &origin, index: at.index, number: None });
            held.map_err(|refusal| Conflict { refusal, against: None })?;
        }
        let claim = &heartbeat.claim;
        let (next, last) = self.of(&claim.site).map_or((0, None), |of| (of.logged.len() as u64, of.last));
        let conflict =
            |check, wanted, found| Err(Conflict { refusal: Refusal::new(check, wanted, found), against: last });
        if claim.sequence != next {
            return conflict("sequence", next.to_string(), claim.sequence.to_string());
        }
        if claim.previous != last {
            return conflict("previous", format!("{last:?}"), format!("{:?}", claim.previous));
        }
        Ok(())
    }

    /// Takes the heartbeat that comes next.
    ///
    /// # Errors
    /// As [`BeatState::check`]; then nothing has changed.
    pub fn admit(&mut self, heartbeat: &VerifiedHeartbeat, at: At) -> Result<(), Conflict> {
        self.check(heartbeat, at)?;
        let of = self.sites.entry(heartbeat.claim.site.clone()).or_default();
        of.logged.push((at.index, heartbeat.issued_at));
        of.last = Some(heartbeat.envelope);
        Ok(())
    }

    /// The heartbeats of a site; none if there are none.
    pub fn of(&self, site: &Name) -> Option<&SiteBeats> {
        self.sites.get(site)
    }
}
