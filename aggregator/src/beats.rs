//! The log of heartbeats, and what it tells of sites that fell silent.

use crate::centre::{Centre, SeenJournals};
use crate::home::{Home, operator, operator_hint, refused};
use crate::keys::refresh;
use crate::store::LogDir;
use fedaudit_core::codec;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::roster::{Registry, heartbeats_origin};
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_core::verify::{self, At, BeatState, VerifiedHeartbeat};
use fedaudit_link::home::write_atomic;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
            for envelope in self.log.entries(self.read)? {
                let artifact = home.artifact(&verify::claimed_subject(&envelope).map_err(refused)?)?;
                let beat = verify::heartbeat(&envelope, &artifact, registry).map_err(refused)?;
                self.admit(&beat, registry, journals)?;
            }
        }
        Ok(())
    }

    /// Takes the heartbeat that comes next, which was checked by itself.
    ///
    /// # Errors
    /// One that does not come next; then nothing has changed.
    pub fn admit(
        &mut self,
        beat: &VerifiedHeartbeat,
        registry: &Registry,
        journals: &mut SeenJournals,
    ) -> Result<(), Fault> {
        let at = At { registry, index: self.read };
        self.state.admit(beat, at).map_err(|conflict| refused(conflict.refusal))?;
        journals.note(&beat.claim.site, &beat.journal, &beat.notes, beat.envelope);
        self.read += 1;
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
    /// Whether that one came by file.
    pub by_file: bool,
    /// When the last one was signed, if more than three intervals ago; by file, if more than so many days.
    pub silent_since: Option<Time>,
    /// Earlier silences as long: from one heartbeat to the next.
    pub gaps: Vec<(Time, Time)>,
}

/// `carried.json`: how many heartbeats of a site there were when one last came by file.
type Carried = BTreeMap<Name, usize>;

fn carried_path(home: &Home) -> PathBuf {
    home.dir.join("carried.json")
}

/// Which sites' heartbeats came by file.
///
/// # Errors
/// A file that cannot be read.
fn carried(home: &Home) -> Result<Carried, Fault> {
    let path = carried_path(home);
    match std::fs::read(&path) {
        Ok(bytes) => codec::from_json(&bytes).map_err(|e| {
            let hint = "remove it: sites without a network are then called silent until their next heartbeat";
            operator_hint(format!("{}: {e}", path.display()), hint)
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Carried::new()),
        Err(e) => Err(operator(format!("{}: {e}", path.display()))),
    }
}

/// This logged heartbeat of a site came by file: the next may take as long.
///
/// # Errors
/// A file that cannot be read or written.
pub fn note_carried(centre: &Centre, site: &Name, envelope: &[u8]) -> Result<(), Fault> {
    let mut carried = carried(&centre.home)?;
    let (beats, logged) = (centre.beats(), centre.beats().state.of(site).map(|of| &of.logged[..]).unwrap_or_default());
    let this = |(index, _): &(u64, Time)| beats.log.entry(*index).is_ok_and(|logged| logged == envelope);
    let nth = logged.iter().rposition(this).map_or(0, |nth| nth + 1);
    if carried.get(site).is_some_and(|known| *known >= nth) {
        return Ok(());
    }
    carried.insert(site.clone(), nth);
    let json = codec::to_json(&carried).map_err(|e| operator(e.to_string()))?;
    write_atomic(&carried_path(&centre.home), &json, 0o644)
}

/// Intervals without a heartbeat after which a site counts as silent.
const MISSED: i64 = 3;

/// How the sites' hearts beat.
///
/// # Errors
/// A file that cannot be read.
pub fn beats(centre: &Centre, now: Time) -> Result<Vec<SiteBeat>, Fault> {
    let carried = carried(&centre.home)?;
    let config = &centre.home.config;
    let online = i64::from(config.heartbeat_minutes).saturating_mul(MISSED * HOUR_NS / 60);
    let of = |site: &Name| {
        let by_file = carried.get(site).copied().unwrap_or(0);
        // Of a federation that expects none, nobody is silent.
        let silent = |nth: usize, from: Time, to: Time| {
            let days = i64::from(config.by_file_days).saturating_mul(24 * HOUR_NS);
            let longest = if nth < by_file { online.max(days) } else { online };
            online > 0 && to.0.saturating_sub(from.0) > longest
        };
        let logged = centre.beats().state.of(site).map(|of| &of.logged[..]).unwrap_or_default();
        let last = logged.last().map(|(_, at)| *at);
        let pairs = logged.windows(2).map(|pair| (pair[0].1, pair[1].1)).enumerate();
        let nth = logged.len().saturating_sub(1);
        SiteBeat {
            site: site.clone(),
            heartbeats: logged.len(),
            last,
            // Whoever was revoked is not waited for.
            silent_since: last.filter(|last| silent(nth, *last, now) && centre.registry().is_member(site)),
            by_file: !logged.is_empty() && by_file == logged.len(),
            gaps: pairs.filter(|(nth, (from, to))| silent(*nth, *from, *to)).map(|(_, pair)| pair).collect(),
        }
    };
    Ok(centre.registry().sites().map(of).collect())
}

impl SiteBeat {
    /// The last heartbeat, for people.
    pub fn line(&self) -> String {
        match (self.last, self.silent_since) {
            (_, Some(since)) => format!("silent since {since}"),
            (Some(last), None) if self.by_file => format!("last heartbeat {last}, by file"),
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
