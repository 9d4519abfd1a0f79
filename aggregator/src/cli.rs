//! The command line of the aggregator.

mod carried;
mod continuity;
mod keys;
mod report;
mod trust;

use crate::basis::Basis;
use crate::centre::Centre;
use crate::governance::{Begin, Governance, PublishedAs, Signed, Waive};
use crate::home::{Config, Home, WitnessAt, init, operator, operator_hint};
use crate::{by_file, conflicts, reports, serve};
use carried::Carried;
use clap::{Args, Parser, Subcommand};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::time::HOUR_NS;
use fedaudit_link::home::now;
use fedaudit_link::protocol::governance_fingerprint;
use fedaudit_link::say;
use report::ReportCommand;
use std::ffi::OsString;
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
        /// KEY@URL of a witness: the verifier key that it prints, and its http:// or https:// address; may be given several
        /// times. trust.json names them for good.
        #[arg(long)]
        witness: Vec<WitnessAt>,
        /// How many of the witnesses must have cosigned a checkpoint; all of them by default.
        #[arg(long)]
        witness_threshold: Option<usize>,
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
    Waiver {
        #[command(flatten)]
        wanted: Waive,
        #[command(flatten)]
        by_file: ByFile,
    },
    /// Reports.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Logs.
    #[command(subcommand)]
    Log(LogCommand),
    /// What relying parties need.
    #[command(subcommand)]
    Trust(trust::TrustCommand),
    /// The aggregator's keys, and files of keys.
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Heartbeats of the sites.
    #[command(subcommand)]
    Heartbeat(continuity::HeartbeatCommand),
    #[command(flatten)]
    Carried(Carried),
}

/// Signing on a machine that has the governance folder and nothing else.
#[derive(Args)]
struct ByFile {
    /// Sign without the aggregator's home: from its `registry export`, and from joins and documents signed but not yet
    /// published, in order; may be given several times.
    #[arg(long, requires = "to")]
    from: Vec<PathBuf>,
    /// Where the signed document goes; carry it to the aggregator: import FILE.
    #[arg(long, requires = "from")]
    to: Option<PathBuf>,
}

#[derive(Subcommand)]
enum SiteCommand {
    /// Make a join token for a site and print it. It is a secret: hand it over safely. For a site in the roster, which lost its
    /// keys or was revoked, it has all of its keys replaced.
    Add {
        /// The site's name.
        site: Name,
        /// Hours until the token expires.
        #[arg(long, default_value_t = 72)]
        expires_hours: u32,
        /// Without the aggregator's home: its `registry export`.
        #[arg(long)]
        from: Vec<PathBuf>,
    },
    /// Enrol a site that has asked to join; or give one in the roster, which joined with a new token, the keys that it asked for.
    Approve {
        /// The site's name.
        site: Name,
        #[command(flatten)]
        by_file: ByFile,
    },
    /// List sites: enrolled, since when silent, revoked, and waiting for approval.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// End all keys of a site: its connections are cut, what it sends from now on is refused, what was logged before stays
    /// good. It can come back with a new token.
    Revoke {
        /// The site's name.
        site: Name,
        /// What happened; everybody reads it in the registry.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        by_file: ByFile,
    },
    /// Give a site the keys that it asked for with `key rotate`, or the aggregator: under the name `aggregator`. Compare them
    /// with its operator first: site list.
    Rotate {
        /// The site's name, or `aggregator`.
        name: Name,
        /// The aggregator's attest key is lost, and its operator has said so, and its new keys, by another way.
        #[arg(long)]
        lost: bool,
        #[command(flatten)]
        by_file: ByFile,
    },
    /// Let a site go on whose journal was lost, or is older than what it signed: sign a new epoch and publish it.
    Epoch {
        #[command(flatten)]
        wanted: Begin,
        #[command(flatten)]
        by_file: ByFile,
    },
}

#[derive(Subcommand)]
enum PublishCommand {
    /// Check a TOML file, sign it, and publish it in the registry.
    Publish {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        by_file: ByFile,
    },
}

#[derive(Subcommand)]
enum LogCommand {
    /// Check every document in every log again.
    Verify,
    /// After this home was restored from a copy: append again, once every site has said hello or is named here.
    Settle {
        /// A site whose hello is not waited for, since it is gone or never connects; may be given several times.
        #[arg(long)]
        without: Vec<Name>,
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
        Command::Init { federation, listen, address, witness: witnesses, witness_threshold } => {
            let threshold = witness_threshold.unwrap_or(witnesses.len());
            let config = Config { witnesses, ..Config::of(listen, address) };
            let trust = init(&cli.home, &cli.governance, &federation, &config, threshold)?;
            say!("federation {federation}: home {}, governance {}", cli.home.display(), cli.governance.display());
            let fingerprint = governance_fingerprint(&trust);
            say!("governance fingerprint {fingerprint}");
            Ok(())
        }
        Command::Run => {
            fedaudit_link::say::log();
            serve::run(open()?, |address| say!("ready: listening on {address}"))
        }
        Command::Site(command) => site(command, open, &cli.governance),
        Command::Contract(command) => publish("contract", command, open, &cli.governance),
        Command::Plan(command) => publish("plan", command, open, &cli.governance),
        Command::Waiver { wanted, by_file } => waiver(&wanted, by_file, open, &cli.governance),
        Command::Report(command) => report::run(command, &mut open()?),
        Command::Log(LogCommand::Settle { without }) => continuity::settle(&mut open()?, &without),
        Command::Log(LogCommand::Verify) => {
            let centre = open()?;
            for log in centre.logs() {
                log.verify()?;
                say!("{}: {} entries, root {}", log.origin(), log.size(), log.root());
            }
            reports::verify_files(&centre)?;
            centre.standing.serve()?;
            conflicts::line(&centre.conflicts_kept()?).iter().for_each(|line| eprintln!("{line}"));
            Ok(())
        }
        Command::Trust(command) => trust::run(command, open, &cli.home, &cli.governance),
        Command::Key(command) => keys::run(command, open, &cli.home, &cli.governance),
        Command::Heartbeat(command) => say(continuity::heartbeats(&open()?, command)?),
        Command::Carried(command) => carried::run(command, open, &cli.governance),
    }
}

fn say(lines: impl IntoIterator<Item = String>) -> Result<(), Fault> {
    lines.into_iter().for_each(|line| say!("{line}"));
    Ok(())
}

/// Asks witnesses to cosign what was published. It is published without them too, and asked for again: a warning, no fault.
fn cosigned(centre: &mut Centre) -> Result<(), Fault> {
    centre.ask_witnesses()?.iter().for_each(|fault| eprintln!("not cosigned yet: {fault}"));
    Ok(())
}

/// Publishes a contract or plan; with `--from` and `--to`, signs it to be published elsewhere.
fn publish(
    what: &str,
    PublishCommand::Publish { file, by_file }: PublishCommand,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| match what {
            "plan" => governance.sign_plan(basis, &file, now()),
            _ => governance.sign_contract(basis, &file, now()),
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let governance = Governance::open(governance, &centre)?;
    let PublishedAs { digest, already } = match what {
        "plan" => governance.publish_plan(&mut centre, &file, now())?,
        _ => governance.publish_contract(&mut centre, &file, now())?,
    };
    cosigned(&mut centre)?;
    say([format!("{what} {digest} {}", if already { "was published before" } else { "published" })])
}

/// Publishes a waiver; with `--from` and `--to`, signs it to be published elsewhere.
fn waiver(
    wanted: &Waive,
    by_file: ByFile,
    open: impl FnOnce() -> Result<Centre, Fault>,
    governance: &Path,
) -> Result<(), Fault> {
    if let Some(to) = by_file.to {
        let make = |governance: &Governance, basis: &Basis| {
            let signed = governance.sign_waiver(basis, wanted, now())?;
            let hint = "nothing has to be signed for them";
            signed
                .map(|(attestation, _)| Signed::New(attestation))
                .ok_or_else(|| operator_hint("all windows are waived already", hint))
        };
        return say([by_file::sign(governance, &by_file.from, &to, make)?]);
    }
    let mut centre = open()?;
    let waived = Governance::open(governance, &centre)?.waive(&mut centre, wanted, now())?;
    cosigned(&mut centre)?;
    let before = if waived.is_empty() { ": all were waived before" } else { "" };
    say([format!("{} windows waived{before}", waived.len())])
}

fn site(command: SiteCommand, open: impl FnOnce() -> Result<Centre, Fault>, governance: &Path) -> Result<(), Fault> {
    match command {
        SiteCommand::Add { site, expires_hours, from } => {
            let expires = now().plus_ns(i64::from(expires_hours).saturating_mul(HOUR_NS));
            let (governance, basis) = if from.is_empty() {
                let centre = open()?;
                (Governance::open(governance, &centre)?, Basis::of(&centre)?)
            } else {
                let governance = Governance::load(governance)?;
                let basis = Basis::of_parcels(&governance, &from)?;
                (governance, basis)
            };
            let token = governance.invite(&basis, &site, expires)?;
            if basis.enrolled(&site) {
                eprintln!(
                    "site {site} is in the roster: this token has all of its keys replaced, at the site with --new-keys"
                );
            }
            say!("{}", token.to_text().map_err(|e| operator(e.to_string()))?);
            eprintln!(
                "site {site}: this token is a secret and expires {expires}; run at the site: fedaudit-agent join TOKEN"
            );
            Ok(())
        }
        SiteCommand::Approve { site, by_file: ByFile { from, to: Some(to) } } => {
            let make = |governance: &Governance, basis: &Basis| {
                let signed = governance.sign_entry(basis, &site, now())?;
                signed.map(Signed::New).ok_or_else(|| {
                    operator_hint(format!("site {site} is enrolled already"), "nothing has to be signed for it")
                })
            };
            say([by_file::sign(governance, &from, &to, make)?])
        }
        SiteCommand::Approve { site, .. } => {
            let mut centre = open()?;
            let known = centre.registry().sites().any(|known| *known == site);
            let before = centre.registry().size();
            Governance::open(governance, &centre)?.approve(&mut centre, &site, now())?;
            cosigned(&mut centre)?;
            match known && centre.registry().size() > before {
                true => say!("site {site} has other keys from now on; those before ended as lost"),
                false => say!("site {site} is enrolled"),
            }
            Ok(())
        }
        SiteCommand::List { json } => say(continuity::sites(&open()?, json)?),
        SiteCommand::Revoke { site, reason, by_file } => {
            keys::revoke(&site, reason.as_deref(), by_file, open, governance)
        }
        SiteCommand::Rotate { name, lost, by_file } => keys::grant(&name, lost, by_file, open, governance),
        SiteCommand::Epoch { wanted, by_file } => continuity::epoch(&wanted, by_file, open, governance),
    }
}
