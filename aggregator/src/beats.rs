//! The log of heartbeats, and what it tells of sites that fell silent.

use crate::centre::{Centre, SeenJournals};
use crate::home::{Home, refused};
use crate::keys::refresh;
use crate::store::LogDir;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::roster::{Registry, heartbeats_origin};
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_core::verify::{self, At, BeatState};
use serde::Serialize;

/// The log, and what follows from it.
pub struct Beats {
    /// The log.
    pub log: LogDir,
    /// Numbers and times, site by site.
    pub state: BeatState,
    read: u64,
}

impl Beats {
    /// The log of a home, of which nothing is read yet.
    pub fn of(home: &Home) -> Beats {
        let log = LogDir::unread(&home.heartbeats_dir(), &heartbeats_origin(&home.trust.federation));
        Beats { log, state: BeatState::default(), read: 0 }
    }

    /// Reads what was appended, checking every document again.
    ///
    /// # Errors
    /// A home that is damaged, or went back in time.
    pub fn refresh(&mut self, home: &Home, registry: &Registry, journals: &mut SeenJournals) -> Result<(), Fault> {
        refresh(&mut self.log, registry)?;
        while self.read < self.log.size() {
            let envelope = self.log.entry(self.read)?;
            let artifact = home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?)?;
            let beat = verify::heartbeat(&envelope, &artifact, registry).map_err(refused)?;
            let at = At { registry, index: self.read };
            self.state.admit(&beat, at).map_err(|conflict| refused(conflict.refusal))?;
            journals.note(&beat.claim.site, &beat.journal, &beat.notes, beat.envelope);
            self.read += 1;
        }
        Ok(())
    }
}

/// The heartbeats of a site, as of now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SiteBeat {
    /// The site.
    pub site: Name,
    /// Heartbeats logged.
    pub heartbeats: usize,
    /// When the last one was signed, by the site's clock.
    pub last: Option<Time>,
    /// The same, if more than three intervals ago.
    pub silent_since: Option<Time>,
    /// Earlier silences of more than three intervals: from one heartbeat to the next.
    pub gaps: Vec<(Time, Time)>,
}

/// Intervals without a heartbeat after which a site counts as silent.
const MISSED: i64 = 3;

/// How the sites' hearts beat.
pub fn beats(centre: &Centre, now: Time) -> Vec<SiteBeat> {
    let longest = i64::from(centre.home.config.heartbeat_minutes).saturating_mul(MISSED * HOUR_NS / 60);
    // Of a federation that expects none, nobody is silent.
    let silent = |from: Time, to: Time| longest > 0 && to.0.saturating_sub(from.0) > longest;
    let of = |site: &Name| {
        let logged = centre.beats().state.of(site).map(|of| &of.logged[..]).unwrap_or_default();
        let last = logged.last().map(|(_, at)| *at);
        let pairs = logged.windows(2).map(|pair| (pair[0].1, pair[1].1));
        SiteBeat {
            site: site.clone(),
            heartbeats: logged.len(),
            last,
            // Whoever was revoked is not waited for.
            silent_since: last.filter(|last| silent(*last, now) && centre.registry().is_member(site)),
            gaps: pairs.filter(|(from, to)| silent(*from, *to)).collect(),
        }
    };
    centre.registry().sites().map(of).collect()
}

impl SiteBeat {
    /// The last heartbeat, for people.
    pub fn line(&self) -> String {
        match (self.last, self.silent_since) {
            (_, Some(since)) => format!("silent since {since}"),
            (Some(last), None) => format!("last heartbeat {last}"),
            (None, None) => "no heartbeat yet".to_owned(),
        }
    }
}

/// A heartbeat as it is listed.
#[derive(Serialize)]
pub struct Row {
    /// The site.
    pub site: Name,
    /// Its number within the site.
    pub sequence: usize,
    /// When it was signed, by the site's clock.
    pub at: Time,
    /// Index in the log.
    pub index: u64,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
}

/// The heartbeats of one site, or of all, by site and number.
///
/// # Errors
/// A log that cannot be read.
pub fn list(centre: &Centre, site: Option<&Name>) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for of in centre.registry().sites().filter(|of| site.is_none_or(|site| site == *of)) {
        let logged = centre.beats().state.of(of).map(|of| &of.logged[..]).unwrap_or_default();
        for (sequence, (index, at)) in logged.iter().enumerate() {
            let envelope = Digest::of(&centre.beats().log.entry(*index)?);
            rows.push(Row { site: of.clone(), sequence, at: *at, index: *index, envelope });
        }
    }
    Ok(rows)
}
