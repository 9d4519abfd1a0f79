//! Reports: what they say of this site's documents.

use super::plan::synced;
use crate::site::{Site, refused};
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::verify::{self, Entry};
use fedaudit_link::say;

#[derive(Subcommand)]
pub(super) enum ReportCommand {
    /// List the reports on plans that this site released under: whether they name all that it holds receipts for. One that
    /// does not is disputed; `run` sends the dispute.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// Carries a command out.
pub(super) async fn run(site: Site, command: ReportCommand) -> Result<(), Fault> {
    let site = synced(site).await?;
    let ReportCommand::List { json } = command;
    let mut rows = Vec::new();
    for compared in site.outbox.compared()? {
        let plan = site.mirror.registry().plan(&compared.plan);
        let plan = plan.map_or(compared.plan.short(), |published| published.plan.plan.to_string());
        let entry = verify::entry(&compared.envelope, site.mirror.registry()).map_err(refused)?;
        let Entry::Report(claim, _) = entry else { continue };
        rows.push((plan, claim, compared));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(plan, claim, of)| {
                serde_json::json!({
                    "plan": plan, "index": of.index, "envelope": Digest::of(&of.envelope), "windows": claim.windows,
                    "number": claim.number, "supersedes": claim.supersedes, "found": of.found,
                })
            })
            .collect();
        say!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    for (plan, claim, of) in rows {
        say!("{plan}\tentry {}\t{} windows\tnumber {}\t{}", of.index, claim.windows.len(), claim.number, of.found);
    }
    Ok(())
}
