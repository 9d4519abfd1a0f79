//! Releases on their way, and the way by file.

use crate::carry;
use crate::home::Home;
use crate::leave::listed;
use crate::outbox::{Listed, State};
use crate::site::Site;
use clap::Subcommand;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_link::home::{create_new, now};
use fedaudit_link::say;
use std::path::{Path, PathBuf};

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
    /// Write the receipt that the aggregator gave for a release or abstention: `fedaudit-verify --receipt` holds a bundle against it.
    Receipt {
        /// The digest that `outbox list` shows.
        digest: String,
        /// The file, in the format of C2SP tlog-proof.
        #[arg(long)]
        out: PathBuf,
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
        OutboxCommand::Receipt { digest, out } => receipt(&Site::open(home)?, &digest, &out)?,
        OutboxCommand::Import { file } => carry::import(home, &file, now())?,
    };
    said.iter().for_each(|line| say!("{line}"));
    Ok(())
}

fn receipt(site: &Site, digest: &str, out: &Path) -> Result<Vec<String>, Fault> {
    let missing = |what: String, hint: &str| Fault::new(Blame::Input, what, hint);
    let known = Digest::from_hex(digest).map(|digest| site.outbox.of(&digest)).transpose()?.flatten();
    let sent =
        known.ok_or_else(|| missing(format!("nothing sent is called {digest}"), "see: fedaudit-agent outbox list"))?;
    let Some(receipt) = sent.answer.filter(|_| sent.state == State::Received) else {
        return Err(missing(
            format!("{digest} has no receipt: {}", sent.state.word()),
            "ship it first: fedaudit-agent run --once",
        ));
    };
    create_new(out, receipt.as_bytes(), 0o644)?;
    Ok(vec![format!("wrote {}", out.display())])
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
