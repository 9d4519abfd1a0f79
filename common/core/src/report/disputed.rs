//! Disputes in the plan's log, and what a report must say of a site's documents.

use super::{Input, Report, Use};
use crate::dispute::What;
use crate::ids::{Digest, Name};
use crate::time::Window;
use crate::verify::{VerifiedAbstention, VerifiedRelease};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A dispute in the plan's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeRow {
    /// Its index in the log.
    pub index: u64,
    /// The site.
    pub site: Name,
    /// SHA-256 of the envelope of the report that it disputes.
    pub report: Digest,
    /// SHA-256 of the envelope of the site's release, or abstention, that it is about.
    pub release: Digest,
    /// Its window.
    pub window: Window,
    /// What is wrong with it in that report.
    pub what: What,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// SHA-256 of `dispute.json`.
    pub artifact: Digest,
    /// Whether this report, or one logged before it, takes the place of the one disputed: it is over the same windows and
    /// later. Else the dispute is open.
    pub superseded: bool,
}

/// A report in the plan's log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedReport {
    /// Its index in the log.
    pub index: u64,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// The windows that it adds.
    pub windows: Vec<Window>,
}

/// Every dispute in the log.
pub(super) fn dispute_rows(input: &Input) -> Vec<DisputeRow> {
    let by_envelope: BTreeMap<_, _> = input.reports.iter().map(|report| (report.envelope, report)).collect();
    let superseded = |report: &LoggedReport| {
        let later = input.reports.iter().filter(|other| other.index > report.index);
        report.windows == input.windows || later.into_iter().any(|other| other.windows == report.windows)
    };
    let rows = input.disputes.iter().map(|(index, dispute)| {
        let text = dispute.text();
        DisputeRow {
            index: *index,
            site: text.site.clone(),
            report: text.report,
            release: text.release,
            window: text.window,
            what: text.what,
            envelope: dispute.envelope(),
            artifact: dispute.artifact(),
            superseded: by_envelope.get(&text.report).is_some_and(|report| superseded(report)),
        }
    });
    rows.collect()
}

/// A release, or abstention, that stands in the plan's log before a report, as its site knows it by its receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipted {
    /// Its index in the log.
    pub index: u64,
    /// Whether it is a release.
    pub release: bool,
    /// The window.
    pub window: Window,
    /// SHA-256 of its envelope.
    pub envelope: Digest,
    /// SHA-256 of its artifact.
    pub artifact: Digest,
}

impl Receipted {
    /// A release.
    pub fn release(index: u64, of: &VerifiedRelease) -> Self {
        let (window, envelope, artifact) = (of.claim().window, of.envelope(), of.artifact());
        Receipted { index, release: true, window, envelope, artifact }
    }

    /// An abstention.
    pub fn abstention(index: u64, of: &VerifiedAbstention) -> Self {
        let (window, envelope, artifact) = (of.claim().window, of.envelope(), of.artifact());
        Receipted { index, release: false, window, envelope, artifact }
    }
}

/// Which of a site's documents a report does not name as it must: all those that were logged before it are here, in order.
pub fn unfaithful<'a>(report: &Report, site: &Name, logged: &'a [Receipted]) -> Vec<(&'a Receipted, What)> {
    logged.iter().filter_map(|one| Some((one, wrong(report, site, one, logged)?))).collect()
}

fn wrong(report: &Report, site: &Name, one: &Receipted, logged: &[Receipted]) -> Option<What> {
    // The last release of its window holds.
    let last = logged.iter().rfind(|other| other.release && other.window == one.window).map(|other| other.index);
    let named = (one.index, site, one.window, one.envelope, one.artifact);
    let (mut rows, mut right): (Vec<_>, bool) = (Vec::new(), true);
    if one.release {
        for row in &report.releases {
            rows.push((row.index, &row.site, row.window, row.envelope, row.artifact));
            right &= rows.last() != Some(&named) || row.used == use_of(report, one, last);
        }
    } else {
        for row in &report.abstentions {
            rows.push((row.index, &row.site, row.window, row.envelope, row.artifact));
            right &= rows.last() != Some(&named) || row.released == last;
        }
    }
    match () {
        () if rows.contains(&named) => (!right).then_some(What::Unused),
        () if rows.iter().any(|row| row.3 == one.envelope || row.0 == one.index) => Some(What::Altered),
        () => Some(What::Missing),
    }
}

/// What must be said of a release; `last` is the index of the last one of its site and window.
fn use_of(report: &Report, one: &Receipted, last: Option<u64>) -> Use {
    match last {
        _ if !report.windows.contains(&one.window) => Use::OtherWindow,
        Some(last) if last != one.index => Use::AmendedBy(last),
        _ => Use::Used,
    }
}
