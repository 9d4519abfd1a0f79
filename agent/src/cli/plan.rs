//! Plans: what was asked, and what this site decided.

use crate::abstain::{Abstain, Withdraw};
use crate::desk::act::who;
use crate::desk::{Desk, beside_k};
use crate::home::Home;
use crate::leave::listed;
use crate::outbox::State;
use crate::run::{self, Until};
use crate::site::{Decision, Site};
use clap::Subcommand;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_link::home::now;
use fedaudit_link::say;

#[derive(Subcommand)]
pub(super) enum PlanCommand {
    /// List the plans published, and what this site decided.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Accept a plan: the standing approval of its releases, unless they are to be reviewed.
    Accept {
        /// Its name.
        plan: Name,
        /// Each release waits until the data steward approves it: `release list`, `show`, `approve`, `refuse`.
        #[arg(long)]
        review: bool,
        /// Who accepts; kept in this site's ledger. The login name, if left out.
        #[arg(long)]
        by: Option<String>,
    },
    /// Refuse a plan.
    Refuse {
        /// Its name.
        plan: Name,
        /// Why; kept in this site's ledger.
        #[arg(long)]
        reason: String,
        /// Who refuses; kept in this site's ledger. The login name, if left out.
        #[arg(long)]
        by: Option<String>,
    },
    /// Say that this site will not answer a plan for a window; such a window is not closed.
    Abstain(Abstain),
    /// Withdraw an abstention: the window is released when it is due.
    Withdraw(Withdraw),
}

/// Carries a command out.
pub(super) async fn run(site: Site, command: PlanCommand) -> Result<(), Fault> {
    let mut site = synced(site).await?;
    match command {
        PlanCommand::List { json } => list(&mut site, json),
        PlanCommand::Accept { plan, review, by } => {
            let new = site.accept(&plan, review, &who(by.as_deref(), now())?)?;
            let how = if review { "; each release waits for review" } else { "" };
            say!("plan {plan} {}{how}", if new { "accepted" } else { "was accepted before" });
            Ok(())
        }
        PlanCommand::Refuse { plan, reason, by } => {
            let (digest, _) = site.plan_named(&plan)?;
            site.decide(digest, Decision::Refused(reason), &who(by.as_deref(), now())?)?;
            say!("plan {plan} refused{}", held(&mut site)?);
            Ok(())
        }
        PlanCommand::Abstain(wanted) => wanted.run(&mut site, now()),
        PlanCommand::Withdraw(wanted) => wanted.run(&mut site, now()),
    }
}

/// Reads the registry, unless the aggregator is away: then the copy at hand serves, and the reader is told.
pub(super) async fn synced(site: Site) -> Result<Site, Fault> {
    let dir = site.home.dir.clone();
    match run::run(site, Until::Synced, |_| {}).await {
        Ok(site) => Ok(site),
        Err(fault) => {
            eprintln!("{fault}\nusing this home's copy of the registry");
            Site::open(Home::open(&dir)?)
        }
    }
}

/// How many documents stay here because of a refusal, if any do.
pub(super) fn held(site: &mut Site) -> Result<String, Fault> {
    let held = listed(site)?.iter().filter(|of| of.state == State::Held).count();
    Ok(if held == 0 {
        String::new()
    } else {
        format!("; {held} that are signed are held until their plan is accepted")
    })
}

/// How many drafts wait for the steward, if any do.
pub(super) fn waiting(site: &mut Site) -> Result<String, Fault> {
    Ok(match Desk::read(site)?.waiting().count() {
        0 => String::new(),
        1 => "; 1 release waits for approval: release list".to_owned(),
        many => format!("; {many} releases wait for approval: release list"),
    })
}

fn list(site: &mut Site, json: bool) -> Result<(), Fault> {
    let decisions = site.decisions()?;
    let mut rows = Vec::new();
    for (digest, published) in site.mirror.registry().plans() {
        let mut decision = match decisions.get(digest) {
            None => "undecided".to_owned(),
            Some(Decision::Accepted) => "accepted".to_owned(),
            Some(Decision::Review) => "accepted with review".to_owned(),
            Some(Decision::Refused(reason)) => format!("refused: {reason}"),
        };
        if let (true, Err(reason)) = (decision.starts_with("accepted"), site.home.config.allows(&published.plan)) {
            decision = format!("{decision}, but nothing of it is released: {reason}");
        }
        rows.push((published.plan.clone(), digest.to_string(), decision));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(plan, digest, decision)| {
                let rule = &plan.disclosure;
                serde_json::json!({
                    "plan": plan.plan, "version": plan.version, "digest": digest, "decision": decision, "k": rule.k,
                    "hide_zeros": rule.hide_zeros, "moment_step": rule.moment_step, "privacy": rule.privacy,
                })
            })
            .collect();
        say!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    for (plan, digest, decision) in rows {
        let rule = &plan.disclosure;
        let beside = rule.privacy.map_or(beside_k(rule), |of| format!(", noise of epsilon {} a window", of.epsilon));
        say!("{} v{}\tk = {}{beside}\t{decision}\t{}\t{digest}", plan.plan, plan.version, rule.k, plan.title);
    }
    Ok(())
}
