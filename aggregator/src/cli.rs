//! The command line of the aggregator.

use crate::centre::Centre;
use crate::governance::{Governance, PublishedAs, Waive};
use crate::home::{Config, Home, init, operator};
use crate::{reports, serve};
use clap::{Parser, Subcommand};
use fedaudit_core::codec;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::time::HOUR_NS;
use fedaudit_link::home::{now, write_atomic};
use fedaudit_link::protocol::governance_fingerprint;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The centre of a federated audit.
#[derive(Parser)]
#[command(name = "fedaudit-aggregator", version)]
struct Cli {
    /// The aggregator's folder.
    #[arg(long, global = true, env = "FEDAUDIT_AGGREGATOR_HOME", default_value = "aggregator-home")]
    home: PathBuf,
    /// The governance folder, for commands that governance signs.
    #[arg(long, global = true, env = "FEDAUDIT_GOVERNANCE", default_value = "governance")]
    governance: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a federation: home, governance folder, registry.
    Init {
        /// Its name.
        #[arg(long)]
        federation: Name,
        /// Address and UDP port to listen on.
        #[arg(long, default_value = "0.0.0.0:4433")]
        listen: String,
        /// host:port at which sites reach it.
        #[arg(long)]
        address: String,
    },
    /// Serve until stopped.
    Run,
    /// Sites of the federation.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Contracts.
    #[command(subcommand)]
    Contract(PublishCommand),
    /// Plans.
    #[command(subcommand)]
    Plan(PublishCommand),
    /// Do without the releases of a required site: sign a waiver and publish it in the registry.
    Waiver(Waive),
    /// Reports.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Logs.
    #[command(subcommand)]
    Log(LogCommand),
    /// What relying parties need.
    #[command(subcommand)]
    Trust(TrustCommand),
}

#[derive(Subcommand)]
enum SiteCommand {
    /// Make a join token for a site and print it. It is a secret: hand it over safely.
    Add {
        /// The site's name.
        site: Name,
        /// Hours until the token expires.
        #[arg(long, default_value_t = 72)]
        expires_hours: u32,
    },
    /// Enrol a site that has asked to join.
    Approve {
        /// The site's name.
        site: Name,
    },
    /// List sites: enrolled, and waiting for approval.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum PublishCommand {
    /// Check a TOML file, sign it, and publish it in the registry.
    Publish {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum ReportCommand {
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

#[derive(Subcommand)]
enum LogCommand {
    /// Check every document in every log again.
    Verify,
}

#[derive(Subcommand)]
enum TrustCommand {
    /// Print trust.json, and the fingerprints to compare by another way.
    Export {
        /// File to write instead.
        #[arg(long)]
        out: Option<PathBuf>,
    },
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
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(4)
        }
    }
}

fn run(cli: Cli) -> Result<(), Fault> {
    let open = || Centre::open(Home::open(&cli.home)?);
    match cli.command {
        Command::Init { federation, listen, address } => {
            let trust = init(&cli.home, &cli.governance, &federation, &Config { listen, address })?;
            println!("federation {federation}: home {}, governance {}", cli.home.display(), cli.governance.display());
            let fingerprint = governance_fingerprint(trust.governance.threshold, &trust.governance.keys);
            println!("governance fingerprint {fingerprint}");
            Ok(())
        }
        Command::Run => {
            logging();
            serve::run(open()?, |address| println!("ready: listening on {address}"))
        }
        Command::Site(command) => site(command, &mut open()?, &cli.governance),
        Command::Contract(PublishCommand::Publish { file }) => {
            let mut centre = open()?;
            let published = Governance::open(&cli.governance, &centre)?.publish_contract(&mut centre, &file, now())?;
            say_published("contract", &published);
            Ok(())
        }
        Command::Plan(PublishCommand::Publish { file }) => {
            let mut centre = open()?;
            let published = Governance::open(&cli.governance, &centre)?.publish_plan(&mut centre, &file, now())?;
            say_published("plan", &published);
            Ok(())
        }
        Command::Waiver(wanted) => {
            let mut centre = open()?;
            let waived = Governance::open(&cli.governance, &centre)?.waive(&mut centre, &wanted, now())?;
            println!(
                "{} windows waived{}",
                waived.len(),
                if waived.is_empty() { ": all were waived before" } else { "" }
            );
            Ok(())
        }
        Command::Report(command) => report(command, &mut open()?),
        Command::Log(LogCommand::Verify) => {
            let centre = open()?;
            let plans = centre.registry().plans().filter_map(|(digest, _)| centre.plan(digest)).map(|plan| &plan.log);
            for log in std::iter::once(centre.registry_log()).chain(plans) {
                log.verify()?;
                println!("{}: {} entries, root {}", log.origin(), log.size(), log.root());
            }
            Ok(())
        }
        Command::Trust(TrustCommand::Export { out }) => trust(&open()?, out.as_deref()),
    }
}

fn site(command: SiteCommand, centre: &mut Centre, governance: &Path) -> Result<(), Fault> {
    match command {
        SiteCommand::Add { site, expires_hours } => {
            let expires = now().plus_ns(i64::from(expires_hours).saturating_mul(HOUR_NS));
            let token = Governance::open(governance, centre)?.invite(centre, &site, expires)?;
            println!("{}", token.to_text().map_err(|e| operator(e.to_string()))?);
            eprintln!(
                "site {site}: this token is a secret and expires {expires}; run at the site: fedaudit-agent join TOKEN"
            );
            Ok(())
        }
        SiteCommand::Approve { site } => {
            Governance::open(governance, centre)?.approve(centre, &site, now())?;
            println!("site {site} is enrolled");
            Ok(())
        }
        SiteCommand::List { json } => {
            let enrolled = centre.registry().sites().map(|site| (site.to_string(), "enrolled"));
            let mut rows: Vec<_> = enrolled.collect();
            for (site, _) in centre.home.joins()? {
                if !rows.iter().any(|(known, _)| *known == site.to_string()) {
                    rows.push((site.to_string(), "waiting for approval"));
                }
            }
            if json {
                let rows: Vec<_> =
                    rows.iter().map(|(site, state)| serde_json::json!({ "site": site, "state": state })).collect();
                println!("{}", serde_json::Value::from(rows));
            } else {
                rows.iter().for_each(|(site, state)| println!("{site}\t{state}"));
            }
            Ok(())
        }
    }
}

fn say_published(what: &str, published: &PublishedAs) {
    let how = if published.already { "was published before" } else { "published" };
    println!("{what} {} {how}", published.digest);
}

fn report(command: ReportCommand, centre: &mut Centre) -> Result<(), Fault> {
    match command {
        ReportCommand::Build { plan, out } => {
            let built = reports::build(centre, &plan, &out, now())?;
            let released = built.report.releases.len();
            println!(
                "report on {plan}: {released} releases, entry {} of the plan's log, bundle.zip {} bytes, in {}",
                built.index,
                built.bundle_bytes,
                out.display()
            );
            Ok(())
        }
        ReportCommand::List { json } => {
            let listed = reports::list(centre)?;
            if json {
                let rows: Vec<_> = listed
                    .iter()
                    .map(|r| serde_json::json!({ "plan": r.plan, "index": r.index, "windows": r.claim.windows, "log_size": r.claim.log_size, "method": r.claim.method }))
                    .collect();
                println!("{}", serde_json::Value::from(rows));
            } else {
                for r in listed {
                    println!(
                        "{}\tentry {}\t{} windows\t{} log entries",
                        r.plan,
                        r.index,
                        r.claim.windows.len(),
                        r.claim.log_size
                    );
                }
            }
            Ok(())
        }
    }
}

fn trust(centre: &Centre, out: Option<&Path>) -> Result<(), Fault> {
    let trust = &centre.home.trust;
    let json = codec::to_json(trust).map_err(|e| operator(e.to_string()))?;
    match out {
        Some(path) => write_atomic(path, &json, 0o644)?,
        None => print!("{}", String::from_utf8_lossy(&json)),
    }
    eprintln!("federation {}", trust.federation);
    eprintln!("governance fingerprint {}", governance_fingerprint(trust.governance.threshold, &trust.governance.keys));
    eprintln!("registry log {}", trust.registry);
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
