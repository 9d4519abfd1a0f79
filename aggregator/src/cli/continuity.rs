//! Commands about sites that go on, fall silent, or begin again.

use super::{ByFile, cosigned, say};
use crate::basis::Basis;
use crate::beats;
use crate::by_file;
use crate::centre::Centre;
use crate::fence::RISK;
use crate::governance::{Begin, Governance, Signed, new_keys};
use clap::Subcommand;
use fedaudit_core::codec;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::roster::Party;
use fedaudit_link::home::now;
use fedaudit_link::protocol::RotateRequest;
use std::path::Path;

#[derive(Subcommand)]
pub enum HeartbeatCommand {
    /// List the heartbeats logged: site, number, when, index, digest.
    List {
        /// Of this site only.
        #[arg(long)]
        site: Option<Name>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// What was logged, for people or programs.
pub fn heartbeats(
    centre: &Centre,
    HeartbeatCommand::List { site, json }: HeartbeatCommand,
) -> Result<Vec<String>, Fault> {
    let rows = beats::list(centre, site.as_ref())?;
    if json {
        return Ok(vec![serde_json::json!(rows).to_string()]);
    }
    let line = |r: &beats::Row| format!("{}\t{}\t{}\tentry {}\t{}", r.site, r.sequence, r.at, r.index, r.envelope);
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    for of in beats::beats(centre, now())?.iter().filter(|of| site.as_ref().is_none_or(|site| *site == of.site)) {
        lines.extend(of.gaps.iter().map(|(from, to)| format!("{}\tsilent from {from} to {to}", of.site)));
        lines.extend(of.silent_since.map(|since| format!("{}\tsilent since {since}", of.site)));
    }
    Ok(lines)
}

/// Every site with its state and its last heartbeat.
pub fn sites(centre: &Centre, json: bool) -> Result<Vec<String>, Fault> {
    let beats = beats::beats(centre, now())?;
    let registry = centre.registry();
    let reason = |site: &Name| registry.party(&Party::Site(site.clone())).ok().and_then(|entry| entry.reason.clone());
    let asking: Vec<RotateRequest> =
        centre.home.rotations()?.iter().filter_map(|bytes| codec::decode(bytes).ok()).collect();
    let asks = |of: &Party| asking.iter().find(|it| it.party == *of).map(|it| new_keys(it, centre.registry()));
    let state = |site: &Name| if centre.registry().is_member(site) { "enrolled" } else { "revoked" };
    let mut waiting: Vec<Name> = centre.home.joins()?.into_iter().map(|(site, _)| site).collect();
    waiting.dedup();
    let (replacing, waiting): (Vec<Name>, Vec<Name>) =
        waiting.into_iter().partition(|site| beats.iter().any(|of| of.site == *site));
    if json {
        let enrolled = beats.iter().map(|of| {
            serde_json::json!({
                "site": of.site, "state": state(&of.site), "reason": reason(&of.site), "epoch": centre.registry().epoch(&of.site), "heartbeats": of.heartbeats,
                "last_heartbeat": of.last, "by_file": of.by_file, "silent_since": of.silent_since, "gaps": of.gaps,
                "asks_for_keys": asks(&Party::Site(of.site.clone())), "replacement_waits": replacing.contains(&of.site),
            })
        });
        let waiting = waiting.iter().map(|site| serde_json::json!({ "site": site, "state": "waiting for approval" }));
        return Ok(vec![enrolled.chain(waiting).collect::<serde_json::Value>().to_string()]);
    }
    let enrolled = beats.iter().map(|of| {
        let epoch = centre.registry().epoch(&of.site);
        let epoch = if epoch > 1 { format!("\tepoch {epoch}") } else { String::new() };
        let reason = reason(&of.site).map(|reason| format!("\t{reason}")).unwrap_or_default();
        format!("{}\t{}\t{}{epoch}{reason}", of.site, state(&of.site), of.line())
    });
    let waiting = waiting.iter().map(|site| format!("{site}\twaiting for approval"));
    let parties = beats.iter().map(|of| Party::Site(of.site.clone())).chain([Party::Aggregator]);
    let asking = parties.filter_map(|party| Some(format!("{}\tasks for keys: {}", party.name().ok()?, asks(&party)?)));
    let replacing = replacing.iter().map(|site| format!("{site}\twaiting for approval of other keys"));
    Ok(enrolled.chain(waiting).chain(asking).chain(replacing).collect())
}

/// Lets a restored home append again.
pub fn settle(centre: &mut Centre, without: &[Name]) -> Result<(), Fault> {
    if !centre.settle(without)? {
        return say(["this home may append as it is; nothing had to be settled".to_owned()]);
    }
    without.iter().for_each(|site| eprintln!("without the word of {site}: {RISK}"));
    say(["this home appends again".to_owned()])
}

/// Publishes a new epoch; with `--from` and `--to`, signs it to be published elsewhere.
pub fn epoch(
    wanted: &Begin,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make =
            |governance: &Governance, basis: &Basis| governance.sign_epoch(basis, wanted, now()).map(Signed::New);
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let epoch = Governance::open(governance, &centre)?.begin_epoch(&mut centre, wanted, now())?;
    cosigned(&mut centre)?;
    say([format!("epoch {epoch} of {} published; its agent begins it when it next reads the registry", wanted.site)])
}
