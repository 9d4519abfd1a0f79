//! Commands for reports.

use super::say;
use crate::centre::Centre;
use crate::{conflicts, reports};
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_link::home::now;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum ReportCommand {
    /// Build, log and write the report on a plan, over all its windows that are due.
    Build {
        /// The plan's name.
        plan: Name,
        /// Folder for report.json, report.html, report.dsse.json, bundle.zip, trust.json.
        #[arg(long)]
        out: PathBuf,
    },
    /// List the reports logged.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// Carries a command out.
pub fn run(command: ReportCommand, centre: &mut Centre) -> Result<(), Fault> {
    match command {
        ReportCommand::Build { plan, out } => {
            let built = reports::build(centre, &plan, &out, now())?;
            let released = built.report.releases.len();
            say!(
                "report on {plan}: {released} releases, entry {} of the plan's log, bundle.zip {} bytes, in {}",
                built.index,
                built.bundle_bytes,
                out.display()
            );
            say(built.missing().into_iter().chain(conflicts::line(&centre.conflicts_kept()?)))
        }
        ReportCommand::List { json } => {
            let listed = reports::list(centre)?;
            if json {
                let rows: Vec<_> = listed
                    .iter()
                    .map(|r| serde_json::json!({ "plan": r.plan, "index": r.index, "windows": r.claim.windows, "log_size": r.claim.log_size, "method": r.claim.method, "number": r.claim.number, "supersedes": r.claim.supersedes, "disputed": r.disputed }))
                    .collect();
                say!("{}", serde_json::Value::from(rows));
            } else {
                for r in listed {
                    say!("{}", reports::line(&r));
                }
            }
            Ok(())
        }
    }
}
