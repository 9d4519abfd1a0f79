//! What this site signed about plans, for people and programs.

use crate::amend::{Amend, amend};
use crate::leave::listed;
use crate::outbox::{Listed, State};
use crate::own::{Figures, figures};
use crate::site::Site;
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_core::time::Time;
use fedaudit_link::say;

/// `release ...`
#[derive(Subcommand)]
pub enum ReleaseCommand {
    /// List releases and abstentions: which plan and window, what they amend, whether they were received.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Answer a window again from the journal as it is now; the new release replaces the old one, and both stay visible.
    Amend(Amend),
    /// The figures of this site's own releases, by the functions that compile the federation's report.
    Figures(Figures),
}

/// Runs a command.
///
/// # Errors
/// An outbox that cannot be read; an amendment that is refused.
pub fn run(site: &mut Site, command: &ReleaseCommand, now: Time) -> Result<(), Fault> {
    match command {
        ReleaseCommand::List { json } => list(site, *json),
        ReleaseCommand::Figures(wanted) => figures(site, wanted),
        ReleaseCommand::Amend(wanted) => {
            let number = amend(site, wanted, now)?;
            say!("release {number} of plan {} amends {}; `run` sends it", wanted.plan, wanted.window);
            Ok(())
        }
    }
}

fn list(site: &mut Site, json: bool) -> Result<(), Fault> {
    let listed = listed(site)?;
    let name = |of: &Listed| {
        let published = site.mirror.registry().plan(&of.plan).map(|published| published.plan.plan.to_string());
        published.unwrap_or_else(|_| of.plan.short())
    };
    let number = |envelope| listed.iter().find(|other| Some(other.envelope) == envelope).map(|other| other.sequence);
    let amended_by = |of: &Listed| listed.iter().find(|o| o.amends == Some(of.envelope)).map(|other| other.sequence);
    let rows = listed.iter().map(|of| (of, name(of), number(of.amends), amended_by(of)));
    if json {
        let rows: Vec<_> = rows
            .map(|(of, plan, amends, amended_by)| {
                serde_json::json!({
                    "plan": plan, "window": of.window, "sequence": of.sequence, "kind": of.kind.word(),
                    "envelope": of.envelope, "amends": amends, "amended_by": amended_by, "state": of.state.word(),
                    "received": of.state == State::Received, "reason": of.refusal,
                })
            })
            .collect();
        say!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    for (of, plan, amends, amended_by) in rows {
        let amends = amends.map_or(String::new(), |number| format!(", amends {number}"));
        let amended = amended_by.map_or(String::new(), |number| format!(", amended by {number}"));
        let why = of.refusal.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let (kind, state) = (of.kind.word(), of.state.word());
        say!("{plan}\t{}\t{kind} {}\t{state}{amends}{amended}{why}", of.window, of.sequence);
    }
    Ok(())
}
