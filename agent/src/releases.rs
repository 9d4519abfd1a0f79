//! What this site drafted and signed about plans, for people and programs.

use crate::amend::{Amend, Amended, amend};
use crate::desk::act::{Approved, approve, refuse, review, who};
use crate::desk::{Case, Desk, Show, Standing, show};
use crate::leave::listed;
use crate::outbox::{Listed, State};
use crate::own::{Figures, figures};
use crate::site::Site;
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::Time;
use fedaudit_link::say;

/// `release ...`
#[derive(Subcommand)]
pub enum ReleaseCommand {
    /// List drafts, releases and abstentions: which plan and window, what they amend, how far they are.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Show every number that would leave, or that left, what is hidden, and what left of the window before.
    Show(Show),
    /// Approve a draft; with the last approval that is needed it is signed, and `run` sends it.
    Approve {
        /// Its digest, as `release show` prints it.
        digest: String,
        /// Who approves; kept in this site's ledger. The login name, if left out.
        #[arg(long)]
        by: Option<String>,
    },
    /// Refuse a draft: nothing leaves of its window until it is asked for again.
    Refuse {
        /// Its digest, as `release show` prints it.
        digest: String,
        /// Why; kept in this site's ledger, and nobody else learns it.
        #[arg(long)]
        reason: String,
        /// Who refuses; kept in this site's ledger. The login name, if left out.
        #[arg(long)]
        by: Option<String>,
    },
    /// Ask again for a window whose draft was refused or withdrawn.
    Review {
        /// The window as START/END, or `all`.
        window: String,
        /// The plan's name; left out, every plan.
        #[arg(long)]
        plan: Option<Name>,
        /// Who asks; kept in this site's ledger. The login name, if left out.
        #[arg(long)]
        by: Option<String>,
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
            match amend(site, wanted, now)? {
                Amended::Signed(number) => {
                    say!("release {number} of plan {} amends {}; `run` sends it", wanted.plan, wanted.window);
                }
                Amended::Waits(digest) => say!("an amendment of {} waits for approval: {digest}", wanted.window),
            }
            Ok(())
        }
        ReleaseCommand::Show(wanted) => show(site, wanted, now),
        ReleaseCommand::Approve { digest, by } => {
            let act = who(by.as_deref(), now)?;
            match approve(site, digest, &act)? {
                Approved::Signed(number) => say!("{} approved it; release {number} is signed, `run` sends it", act.by),
                Approved::Waits(have, needed) => {
                    say!("{} approved it; {have} of {needed} approvals, nothing is signed yet", act.by);
                }
            }
            Ok(())
        }
        ReleaseCommand::Refuse { digest, reason, by } => {
            let act = who(by.as_deref(), now)?;
            let window = refuse(site, digest, reason, &act)?;
            say!("{} refused it; nothing leaves of {window} until: release review {window}", act.by);
            Ok(())
        }
        ReleaseCommand::Review { window, plan, by } => {
            let count = review(site, window, plan.as_ref(), &who(by.as_deref(), now)?)?;
            let plural = if count == 1 { "" } else { "s" };
            say!("{count} window{plural} asked for again; `run` drafts what is due");
            Ok(())
        }
    }
}

fn list(site: &mut Site, json: bool) -> Result<(), Fault> {
    let listed = listed(site)?;
    let desk = Desk::read(site)?;
    let name = |plan: &Digest| {
        let published = site.mirror.registry().plan(plan).map(|published| published.plan.plan.to_string());
        published.unwrap_or_else(|_| plan.short())
    };
    let approvals = site.home.config.approvals;
    let number = |envelope| listed.iter().find(|other| Some(other.envelope) == envelope).map(|other| other.sequence);
    let amended_by = |of: &Listed| listed.iter().find(|o| o.amends == Some(of.envelope)).map(|other| other.sequence);
    let rows = listed.iter().map(|of| (of, name(&of.plan), number(of.amends), amended_by(of)));
    if json {
        let rows: Vec<_> = rows
            .map(|(of, plan, amends, amended_by)| {
                serde_json::json!({
                    "plan": plan, "window": of.window, "sequence": of.sequence, "kind": of.kind.word(),
                    "envelope": of.envelope, "amends": amends, "amended_by": amended_by, "state": of.state.word(),
                    "received": of.state == State::Received, "reason": of.refusal,
                })
            })
            .chain(desk.cases().map(|case| as_json(case, name(&case.plan), approvals)))
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
    for case in desk.cases() {
        let amends = if case.amends.is_some() { ", amends" } else { "" };
        let state = standing(case, approvals);
        say!("{}\t{}\tdraft {}\t{}{amends}{}", name(&case.plan), case.window, case.artifact, state.0, state.1);
    }
    Ok(())
}

fn standing(case: &Case, approvals: u32) -> (&'static str, String) {
    match &case.standing {
        Standing::Waiting => {
            let persons: Vec<_> = case.approvals.iter().map(|(act, _)| act.by.as_str()).collect();
            let persons = if persons.is_empty() { String::new() } else { format!(" ({})", persons.join(", ")) };
            ("waiting", format!(": {} of {} approvals{persons}", case.persons().len(), case.needed(approvals)))
        }
        Standing::Refused(reason, act) => ("refused", format!(" by {} on {}: {reason}", act.by, act.at)),
        Standing::Withdrawn(reason, at) => ("withdrawn", format!(" on {at}: {reason}")),
    }
}

/// A draft among the rows of `release list`: it has no number and no envelope yet.
fn as_json(case: &Case, plan: String, approvals: u32) -> serde_json::Value {
    let (state, reason) = match &case.standing {
        Standing::Waiting => ("waiting", None),
        Standing::Refused(reason, _) => ("refused", Some(reason)),
        Standing::Withdrawn(reason, _) => ("withdrawn", Some(reason)),
    };
    let persons = case.approvals.iter().map(|(act, _)| serde_json::json!({ "by": act.by, "at": act.at }));
    serde_json::json!({
        "plan": plan, "window": case.window, "kind": "draft", "digest": case.artifact, "state": state, "reason": reason,
        "drafted_at": case.made, "approvals": persons.collect::<Vec<_>>(), "needed": case.needed(approvals),
        "amends": case.amends.as_ref().map(|amends| amends.envelope), "received": false,
    })
}
