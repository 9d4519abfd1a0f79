//! Whether all that were asked have answered, and the first line of a verdict.

use super::{Outcome, Verdict};
use crate::report::{Report, SiteRow, State, Use, absent_sites};
use std::collections::BTreeSet;

/// A required site without a release leaves the question open, unless it abstained or governance waived it.
pub(super) fn check(report: &Report, verdict: &mut Verdict) {
    let windows = report.windows.len() as u64;
    let required: Vec<_> = report.sites.iter().filter(|site| site.required).collect();
    let mut complete = true;
    for site in required.iter().filter(|site| !site.missing.is_empty()) {
        complete = false;
        let absent: u64 = (site.abstained.len() + site.waived.len()) as u64;
        let expected = match absent {
            0 => format!("releases for {windows} windows"),
            _ => format!("releases for {} windows; {absent} abstained or waived", windows - absent),
        };
        let more = if site.missing.len() > 1 { ", and others" } else { "" };
        let found = format!("{}; none for {}{more}", site.windows_released, site.missing[0]);
        verdict.push("required-sites", &site.site, Outcome::Undecidable, expected, found);
    }
    if complete {
        verdict.pass("required-sites", "report.json", said(&required, windows));
    }
}

fn said(required: &[&SiteRow], windows: u64) -> String {
    let sum = |of: fn(&SiteRow) -> usize| required.iter().map(|site| of(site)).sum::<usize>();
    let (abstained, waived) = (sum(|site| site.abstained.len()), sum(|site| site.waived.len()));
    if abstained + waived == 0 {
        return format!("all {} required sites released all {windows} windows", required.len());
    }
    let released: u64 = required.iter().map(|site| site.windows_released).sum();
    let all = required.len() as u64 * windows;
    format!("{released} of {all} windows of required sites released, {abstained} abstained, {waived} waived")
}

/// Sites with a release in every window, and sites in the report.
fn scope(report: &Report) -> (usize, usize) {
    let windows = report.windows.len() as u64;
    (report.sites.iter().filter(|site| site.windows_released == windows).count(), report.sites.len())
}

impl Verdict {
    /// The first line: the verdict, k of N sites, and what a reader must know before any number.
    pub fn first_line(&self) -> String {
        let Some(report) = &self.report else { return self.word().to_owned() };
        let (known, all) = scope(report);
        let absent = absent_sites(report);
        let retrospective =
            if report.retrospective { "; retrospective: the plan was logged after its window began" } else { "" };
        let changed = match report.plan_changed_inside.len() {
            0 => "",
            _ => "; a later version of the plan was signed inside a window",
        };
        let windows = match report.windows.len() as u64 {
            added if added < report.plan_windows => format!("; {added} of the plan's {} windows", report.plan_windows),
            _ => String::new(),
        };
        let hidden = report
            .scopes
            .iter()
            .flat_map(|scope| &scope.slices)
            .filter(|slice| slice.sites.iter().any(|site| matches!(site.state, State::Suppressed | State::Partial)))
            .count();
        let hidden = match hidden {
            0 => String::new(),
            1 => "; 1 slice suppressed at a site".to_owned(),
            _ => format!("; {hidden} slices suppressed at a site"),
        };
        let noise = if report.private.is_some() { "; counts with noise" } else { "" };
        let amended = report.releases.iter().filter(|row| row.amends.is_some() && row.used == Use::Used).count();
        let amended = match amended {
            0 => String::new(),
            1 => "; 1 release amended".to_owned(),
            _ => format!("; {amended} releases amended"),
        };
        format!(
            "{}: {} v{}, {known} of {all} sites{absent}{retrospective}{changed}{windows}{noise}{amended}{hidden}{}",
            self.word(),
            report.plan.name,
            report.plan.version,
            self.disputed()
        )
    }

    /// Sites that say that this report, or an earlier one, does not name what they logged.
    fn disputed(&self) -> String {
        let sites = |name: &str| {
            let lines = self.checks.iter().filter(|check| check.check == name);
            lines.map(|check| &check.subject).collect::<BTreeSet<_>>().len()
        };
        let said = |what: &str, sites: usize| match sites {
            0 => String::new(),
            1 => format!("; {what}disputed by 1 site"),
            _ => format!("; {what}disputed by {sites} sites"),
        };
        said("", sites("dispute")) + &said("an earlier report ", sites("dispute-before"))
    }
}
