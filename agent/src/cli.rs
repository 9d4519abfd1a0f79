//! The command line of the agent.

mod outbox;

use crate::abstain::{Abstain, Withdraw};
use crate::carry::join_by_file;
use crate::draft;
use crate::home::{Config, Home};
use crate::import::{ImportSummary, Map, import_csv};
use crate::join::join;
use crate::journal::{Journal, StdRng};
use crate::outbox::Kind;
use crate::releases::{self, ReleaseCommand};
use crate::run::{Until, run};
use crate::site::{Decision, Site};
use clap::{Args, Parser, Subcommand};
use fedaudit_core::contract::Contract;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::time::Window;
use fedaudit_link::home::{Lock, create_dir_private, now, os_random};
use fedaudit_link::protocol::Token;
use rand::SeedableRng as _;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The agent at a site of a federated audit.
#[derive(Parser)]
#[command(name = "fedaudit-agent", version)]
struct Cli {
    /// The agent's folder.
    #[arg(long, global = true, env = "FEDAUDIT_AGENT_HOME", default_value = "agent-home")]
    home: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a home: configuration, keys, an empty journal.
    Init {
        /// Least k of a plan that this site accepts.
        #[arg(long, default_value_t = 10)]
        k_floor: u64,
        /// An attribute that never leaves this site; may be given several times.
        #[arg(long)]
        never_report: Vec<String>,
        /// Seconds between looks at the registry and at windows that are due.
        #[arg(long, default_value_t = 10)]
        poll_seconds: u32,
        /// This site never connects: all that leaves and comes is carried by file.
        #[arg(long)]
        offline: bool,
    },
    /// Join a federation with a token from governance.
    Join {
        /// The token; `-` reads it from standard input, which keeps it out of the list of processes.
        token: String,
        /// Write the request into this file instead of sending it, and carry it to the aggregator: import FILE.
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Close windows that are due and ship releases, until stopped.
    Run {
        /// Stop when everything due is closed and received.
        #[arg(long)]
        once: bool,
    },
    /// Journal the events and outcomes of CSV files (.csv, .csv.gz). Importing twice changes nothing.
    Import(Import),
    /// Contracts and plans from data at hand; needs no home.
    #[command(subcommand)]
    Contract(draft::Command),
    /// Plans of the federation.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// What this site signed about plans.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// The journal.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Releases on their way, and the way by file.
    #[command(subcommand)]
    Outbox(outbox::OutboxCommand),
    /// What this site holds, and how far its releases are.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Import {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Name of the contract; may be left out where there is one.
    #[arg(long)]
    contract: Option<Name>,
    /// What the files' columns are called, where not as the contract calls them (TOML).
    #[arg(long)]
    map: Option<PathBuf>,
}

#[derive(Subcommand)]
enum PlanCommand {
    /// List the plans published, and what this site decided.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Accept a plan: the standing approval of its releases.
    Accept {
        /// Its name.
        plan: Name,
    },
    /// Refuse a plan.
    Refuse {
        /// Its name.
        plan: Name,
        /// Why; kept in this site's ledger.
        #[arg(long)]
        reason: String,
    },
    /// Say that this site will not answer a plan for a window; such a window is not closed.
    Abstain(Abstain),
    /// Withdraw an abstention: the window is released when it is due.
    Withdraw(Withdraw),
}

#[derive(Subcommand)]
enum JournalCommand {
    /// Hash every record again and hold it against the blocks' roots.
    Verify,
}

/// Runs a command line; exit code 0, or 4 with the fault on standard error.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 4 } else { 0 });
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(command(cli)),
        Err(e) => Err(Fault::new(Blame::Operator, format!("no runtime: {e}"), "check the limits of this user")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(4)
        }
    }
}

async fn command(cli: Cli) -> Result<(), Fault> {
    match cli.command {
        Command::Init { k_floor, never_report, poll_seconds, offline } => {
            Home::init(&cli.home, &Config { k_floor, never_report, poll_seconds, offline })?;
            println!("home {} is made; its policy is in config.toml", cli.home.display());
            println!("next: fedaudit-agent join TOKEN");
            Ok(())
        }
        Command::Join { token, to } => join_with(&Home::open(&cli.home)?, &token, to.as_deref()).await,
        Command::Run { once } => {
            logging();
            let site = Site::open(Home::open(&cli.home)?)?;
            println!("ready: {} of {}", site.enrolment.site, site.enrolment.federation);
            let until = if once { Until::Shipped } else { Until::Stopped };
            let site = run(site, until).await?;
            let releases = site.outbox.list()?.len();
            println!("stopped: {releases} releases in the outbox");
            Ok(())
        }
        Command::Import(import) => import_files(Site::open(Home::open(&cli.home)?)?, &import).await,
        Command::Contract(command) => draft::command(&command, now()),
        Command::Plan(command) => plan(Site::open(Home::open(&cli.home)?)?, command).await,
        Command::Release(command) => {
            let mut site = Site::open(Home::open(&cli.home)?)?;
            releases::run(&mut site, &command, now())
        }
        Command::Journal(JournalCommand::Verify) => {
            let home = Home::open(&cli.home)?;
            let report = Journal::open(&home.dir)?.verify()?;
            for log in &report.logs {
                println!("{}: {} records, root {}", log.name, log.size, log.root);
            }
            Ok(())
        }
        Command::Outbox(command) => outbox::run(command, Home::open(&cli.home)?),
        Command::Status { json } => status(Site::open(Home::open(&cli.home)?)?, json),
    }
}

async fn join_with(home: &Home, token: &str, to: Option<&Path>) -> Result<(), Fault> {
    let mut text = token.to_owned();
    if token == "-" {
        text.clear();
        std::io::stdin()
            .read_line(&mut text)
            .map_err(|e| Fault::new(Blame::Operator, format!("standard input: {e}"), "pipe the token in"))?;
    }
    let token =
        Token::parse(&text).map_err(|e| Fault::new(Blame::Input, e, "copy the whole token that governance gave"))?;
    if let Some(to) = to {
        let enrolment = join_by_file(home, &token, to, now())?;
        println!("{} asks to join {}: {}", enrolment.site, enrolment.federation, to.display());
        println!("next: carry it to the aggregator, fedaudit-aggregator import FILE; then bring its registry back");
        return Ok(());
    }
    let enrolment = join(home, &token, now()).await?;
    println!(
        "asked to join {} as {}; governance approves it with: site approve {}",
        enrolment.federation, enrolment.site, enrolment.site
    );
    Ok(())
}

/// Reads the registry, unless the aggregator is away: then the copy at hand serves, and the reader is told.
async fn synced(site: Site) -> Result<Site, Fault> {
    let dir = site.home.dir.clone();
    match run(site, Until::Synced).await {
        Ok(site) => Ok(site),
        Err(fault) => {
            eprintln!("{fault}\nusing this home's copy of the registry");
            Site::open(Home::open(&dir)?)
        }
    }
}

async fn plan(site: Site, command: PlanCommand) -> Result<(), Fault> {
    let mut site = synced(site).await?;
    match command {
        PlanCommand::List { json } => list_plans(&mut site, json),
        PlanCommand::Accept { plan } => {
            let new = site.accept(&plan)?;
            println!("plan {plan} {}", if new { "accepted" } else { "was accepted before" });
            Ok(())
        }
        PlanCommand::Refuse { plan, reason } => {
            let (digest, _) = site.plan_named(&plan)?;
            site.decide(digest, Decision::Refused(reason))?;
            println!("plan {plan} refused");
            Ok(())
        }
        PlanCommand::Abstain(wanted) => wanted.run(&mut site, now()),
        PlanCommand::Withdraw(wanted) => wanted.run(&mut site),
    }
}

fn list_plans(site: &mut Site, json: bool) -> Result<(), Fault> {
    let decisions = site.decisions()?;
    let mut rows = Vec::new();
    for (digest, published) in site.mirror.registry().plans() {
        let decision = match decisions.get(digest) {
            None => "undecided".to_owned(),
            Some(Decision::Accepted) => "accepted".to_owned(),
            Some(Decision::Refused(reason)) => format!("refused: {reason}"),
        };
        rows.push((published.plan.clone(), digest.to_string(), decision));
    }
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(plan, digest, decision)| {
                serde_json::json!({ "plan": plan.plan, "version": plan.version, "digest": digest, "decision": decision, "k": plan.disclosure.k })
            })
            .collect();
        println!("{}", serde_json::Value::from(rows));
        return Ok(());
    }
    for (plan, digest, decision) in rows {
        println!("{} v{}\tk = {}\t{decision}\t{}\t{digest}", plan.plan, plan.version, plan.disclosure.k, plan.title);
    }
    Ok(())
}

async fn import_files(site: Site, import: &Import) -> Result<(), Fault> {
    let map = import.map.as_deref().map(Map::open).transpose()?.unwrap_or_default();
    let mut site = if site.mirror.registry().size() == 0 { synced(site).await? } else { site };
    let contract = match contract_of(&site, import.contract.as_ref()) {
        Ok(contract) => contract,
        Err(_) => {
            site = synced(site).await?;
            contract_of(&site, import.contract.as_ref())?
        }
    };
    // Held until the last file is in: no window is closed in the middle of an import.
    let _lock = Lock::acquire(&site.home.import_lock())?;
    let mut rng = StdRng::from_seed(os_random());
    for file in &import.files {
        let summary = import_one(&mut site, &contract, &map, file, &mut rng)?;
        print_summary(file, &summary);
        summary.refused(file).map_or(Ok(()), Err)?;
    }
    Ok(())
}

fn contract_of(site: &Site, name: Option<&Name>) -> Result<Contract, Fault> {
    let registry = site.mirror.registry();
    let mut names: Vec<_> = registry.contracts().map(|contract| contract.contract.clone()).collect();
    names.dedup();
    let known = names.iter().map(Name::to_string).collect::<Vec<_>>().join(", ");
    let wanted = match (name, &names[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, []) => {
            let hint = "governance publishes one: fedaudit-aggregator contract publish FILE";
            return Err(Fault::new(Blame::Operator, "the federation has no contract yet", hint));
        }
        (None, _) => {
            let what = format!("there are several contracts: {known}");
            return Err(Fault::new(Blame::Operator, what, "name one with --contract"));
        }
    };
    let found = registry.contract(&wanted).map(|(_, _, contract)| contract.clone());
    found.ok_or_else(|| {
        Fault::new(Blame::Operator, format!("no contract is called {wanted}"), format!("published contracts: {known}"))
    })
}

fn import_one(
    site: &mut Site,
    contract: &Contract,
    map: &Map,
    file: &Path,
    rng: &mut StdRng,
) -> Result<ImportSummary, Fault> {
    let rejects = site.home.dir.join("rejects");
    create_dir_private(&rejects)?;
    let reject_name = format!("{}.rejects.csv", file.file_name().unwrap_or_default().to_string_lossy());
    let bar = indicatif::ProgressBar::new(0);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let rejects = rejects.join(&reject_name);
    let summary = import_csv(&mut site.journal, contract, map, file, &rejects, rng, &mut progress)?;
    bar.finish_and_clear();
    if summary.rejected > 0 {
        eprintln!("{}: {} rows rejected, see {}", file.display(), summary.rejected, rejects.display());
        for reject in &summary.first_rejects {
            eprintln!("  line {}: {}", reject.line, reject.reason);
        }
    }
    Ok(summary)
}

fn print_summary(file: &Path, s: &ImportSummary) {
    println!(
        "{}: {} rows, {} new events, {} new outcomes, {} duplicates, {} rejected",
        file.display(),
        s.rows,
        s.events,
        s.outcomes,
        s.duplicates,
        s.rejected
    );
    if !s.ignored_columns.is_empty() {
        println!("  columns that the contract does not know, ignored: {}", s.ignored_columns.join(", "));
    }
}

fn status(mut site: Site, json: bool) -> Result<(), Fault> {
    let decisions = site.decisions()?;
    let mut releases = site.outbox.list()?;
    releases.retain(|listed| listed.kind == Kind::Release);
    let plan_name = |digest: &Digest| {
        let published = site.mirror.registry().plan(digest).map(|published| published.plan.plan.to_string());
        published.unwrap_or_else(|_| digest.short())
    };
    let rows: Vec<(String, Window, &str, Option<String>)> =
        releases.into_iter().map(|r| (plan_name(&r.plan), r.window, r.state.word(), r.refusal)).collect();
    let accepted = decisions.values().filter(|decision| **decision == Decision::Accepted).count();
    if json {
        let releases: Vec<_> = rows
            .iter()
            .map(|(plan, window, state, why)| serde_json::json!({ "plan": plan, "window": window, "state": state, "reason": why }))
            .collect();
        let status = serde_json::json!({
            "federation": site.enrolment.federation, "site": site.enrolment.site, "aggregator": site.enrolment.address,
            "registry_entries": site.mirror.registry().size(), "plans_accepted": accepted, "releases": releases,
        });
        println!("{status}");
        return Ok(());
    }
    println!("{} of {}, aggregator at {}", site.enrolment.site, site.enrolment.federation, site.enrolment.address);
    println!("registry: {} entries, {accepted} plans accepted", site.mirror.registry().size());
    for (plan, window, state, why) in rows {
        println!("{plan}\t{window}\t{state}\t{}", why.unwrap_or_default());
    }
    Ok(())
}

/// Logs to standard error; `FEDAUDIT_LOG` chooses what, `warn` by default.
fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("FEDAUDIT_LOG");
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let colour = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    let _ = log.try_init();
}
