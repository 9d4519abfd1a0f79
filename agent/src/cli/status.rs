//! `status`: what this site holds, and how far its releases are.

use crate::desk::Desk;
use crate::leave::listed;
use crate::outbox::Kind;
use crate::privacy::{Period, PrivacyConfig, Spending};
use crate::rotate;
use crate::site::{Decision, Site};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Window;
use fedaudit_link::say;

pub(super) fn status(mut site: Site, json: bool) -> Result<(), Fault> {
    let decisions = site.decisions()?;
    let mut releases = listed(&mut site)?;
    releases.retain(|listed| listed.kind == Kind::Release);
    let plan_name = |digest: &Digest| {
        let published = site.mirror.registry().plan(digest).map(|published| published.plan.plan.to_string());
        published.unwrap_or_else(|_| digest.short())
    };
    let rows: Vec<(String, Window, &str, Option<String>)> =
        releases.into_iter().map(|r| (plan_name(&r.plan), r.window, r.state.word(), r.refusal)).collect();
    let enrolled = site.enrolled();
    let sources = site.journal.sources()?;
    let waiting = Desk::read(&mut site)?.waiting().count();
    let intake = site.journal.counts()?;
    let privacy = privacy(&mut site)?;
    let beat = site.outbox.last_beat()?;
    let accepted = decisions.values().filter(|decision| !matches!(decision, Decision::Refused(_))).count();
    if json {
        let releases: Vec<_> = rows
            .iter()
            .map(|(plan, window, state, why)| serde_json::json!({ "plan": plan, "window": window, "state": state, "reason": why }))
            .collect();
        let status = serde_json::json!({
            "federation": site.enrolment.federation, "site": site.enrolment.site, "aggregator": site.enrolment.address,
            "enrolled": enrolled, "registry_entries": site.mirror.registry().size(), "plans_accepted": accepted, "releases": releases,
            "releases_waiting": waiting, "keys_wait": rotate::waits(&site.home)?, "intake": intake, "privacy": privacy.as_json(),
            "epoch": site.enrolment.epoch, "heartbeat": beat.as_ref().map(|beat| serde_json::json!({
                "sequence": beat.sequence, "at": beat.at, "received": beat.receipt.is_some(),
            })),
            "sources": sources.iter().map(|source| serde_json::json!({
                "contract": source.contract, "source": source.name, "last_event": source.seen, "missing": source.missing,
            })).collect::<Vec<_>>(),
        });
        say!("{status}");
        return Ok(());
    }
    say!("{} of {}, aggregator at {}", site.enrolment.site, site.enrolment.federation, site.enrolment.address);
    if site.revoked() {
        say!("governance revoked this site, as far as this home's copy of the registry goes");
    } else if !enrolled {
        say!("approval by governance is pending, as far as this home's copy of the registry goes");
    }
    say!("registry: {} entries, {accepted} plans accepted", site.mirror.registry().size());
    continuity(&site)?;
    if waiting > 0 {
        say!("releases that wait for the data steward: {waiting}; see `release list`");
    }
    for (plan, window, state, why) in rows {
        say!("{plan}\t{window}\t{state}\t{}", why.unwrap_or_default());
    }
    privacy.lines().iter().for_each(|line| say!("{line}"));
    for (contract, counts) in &intake {
        let name = |kind| serde_json::to_value(kind).ok().and_then(|name| Some(name.as_str()?.replace('_', " ")));
        let counts = counts.iter().map(|(kind, count)| format!("{count} {}", name(kind).unwrap_or_default()));
        say!("intake of {contract}: {}", counts.collect::<Vec<_>>().join(", "));
    }
    for source in &sources {
        let missing: u64 = source.missing.iter().map(|(first, last)| last - first + 1).sum();
        let ranges: Vec<_> = source.missing.iter().take(3).map(|(first, last)| format!("{first} to {last}")).collect();
        let more = if source.missing.len() > ranges.len() { ", ..." } else { "" };
        let gaps = if missing == 0 { String::new() } else { format!(": {}{more}", ranges.join(", ")) };
        say!(
            "source {} of {}: last event {}; {missing} numbers missing{gaps}",
            source.name,
            source.contract,
            source.seen
        );
    }
    Ok(())
}

/// Whether anything new may be signed, and the last heartbeat.
fn continuity(site: &Site) -> Result<(), Fault> {
    if let Err(fault) = site.standing.clear() {
        say!("nothing new is signed: {}; {}", fault.what, fault.hint);
    }
    if let Err(fault) = rotate::check(&site.home) {
        say!("{}; {}", fault.what, fault.hint);
    }
    if let Some(beat) = site.outbox.last_beat()? {
        let received = if beat.receipt.is_some() { "received" } else { "not received yet" };
        say!("last heartbeat: {} at {}, {received}; journal in epoch {}", beat.sequence, beat.at, site.enrolment.epoch);
    }
    Ok(())
}

/// The budget, and what was spent of it.
struct Privacy {
    budget: Option<PrivacyConfig>,
    periods: Vec<Period>,
}

fn privacy(site: &mut Site) -> Result<Privacy, Fault> {
    let budget = site.home.config.privacy;
    let periods = match &budget {
        Some(budget) => Spending::read(site)?.periods(budget),
        None => Vec::new(),
    };
    Ok(Privacy { budget, periods })
}

impl Privacy {
    fn lines(&self) -> Vec<String> {
        let Some(PrivacyConfig { epsilon, delta, period_days }) = self.budget else { return Vec::new() };
        let mut lines =
            vec![format!("privacy budget: epsilon {epsilon}, delta {delta}, of each model in each {period_days} days")];
        lines.extend(self.periods.iter().map(|of| {
            let Period { model, period, releases, left_out, .. } = of;
            let spent = of.spent.map_or("no bound".to_owned(), |spent| format!("epsilon {spent}"));
            let left = of.left(epsilon);
            format!("  model {model}, {period}: {spent} spent by {releases} releases, {left} left; {left_out} events left out")
        }));
        lines
    }

    fn as_json(&self) -> serde_json::Value {
        let Some(PrivacyConfig { epsilon, delta, period_days }) = self.budget else { return serde_json::Value::Null };
        let period = |of: &Period| {
            serde_json::json!({
                "model": of.model, "period": of.period, "releases": of.releases, "left_out": of.left_out,
                "spent": of.spent, "left": of.left(epsilon),
            })
        };
        let periods: Vec<_> = self.periods.iter().map(period).collect();
        serde_json::json!({ "epsilon": epsilon, "delta": delta, "period_days": period_days, "periods": periods })
    }
}
