//! Releases on their way, and the way by file.

use crate::carry;
use crate::home::Home;
use crate::leave::listed;
use crate::outbox::Listed;
use crate::site::Site;
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_link::home::now;
use fedaudit_link::say;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum OutboxCommand {
    /// List this site's releases: plan, window, number, how far, digest.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Close what is due, and write every release without a receipt, unless its plan is refused, into a file for the aggregator.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Take in what the aggregator gave: the registry, or receipts.
    Import {
        /// The file.
        file: PathBuf,
    },
}

/// Carries a command out.
pub fn run(command: OutboxCommand, home: Home) -> Result<(), Fault> {
    let said = match command {
        OutboxCommand::List { json } => list(&mut Site::open(home)?, json)?,
        OutboxCommand::Export { file } => carry::export(&mut Site::open(home)?, &file, now())?,
        OutboxCommand::Import { file } => carry::import(home, &file, now())?,
    };
    said.iter().for_each(|line| say!("{line}"));
    Ok(())
}

fn list(site: &mut Site, json: bool) -> Result<Vec<String>, Fault> {
    let releases = listed(site)?;
    let plan_name = |release: &Listed| {
        let published = site.mirror.registry().plan(&release.plan);
        published.map_or_else(|_| release.plan.short(), |published| published.plan.plan.to_string())
    };
    if json {
        let row = |r: &Listed| {
            serde_json::json!({
                "plan": plan_name(r), "window": r.window, "sequence": r.sequence, "state": r.state.word(),
                "envelope": r.envelope, "reason": r.refusal,
            })
        };
        return Ok(vec![releases.iter().map(row).collect::<serde_json::Value>().to_string()]);
    }
    let line = |r: &Listed| {
        let reason = r.refusal.clone().unwrap_or_default();
        format!("{}\t{}\t{}\t{}\t{}\t{reason}", plan_name(r), r.window, r.sequence, r.state.word(), r.envelope)
    };
    Ok(releases.iter().map(|r| line(r).trim_end().to_owned()).collect())
}
