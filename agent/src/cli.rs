//! The command line of the agent.

mod import;
mod journal;
mod key;
mod outbox;
mod plan;
mod report;
mod status;

use crate::carry::join_by_file;
use crate::draft;
use crate::home::{Config, Home};
use crate::join::join;
use crate::leave::listed;
use crate::outbox::{Kind, Listed, State};
use crate::releases::{self, ReleaseCommand};
use crate::run::{Until, run};
use crate::site::Site;
use clap::{Parser, Subcommand};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_link::home::{Lock, now};
use fedaudit_link::protocol::Token;
use fedaudit_link::{say, trust};
use std::ffi::OsString;
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
        /// Have all keys of this site replaced, which is in the roster: they are lost, or were revoked.
        #[arg(long)]
        new_keys: bool,
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
    /// Journal the events and outcomes of files: CSV (.csv, .csv.gz) or Parquet. Importing twice changes nothing.
    Import(import::Import),
    /// Contracts and plans from data at hand; needs no home.
    #[command(subcommand)]
    Contract(draft::Command),
    /// Plans of the federation.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// What this site signed about plans.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Reports on plans that this site released under.
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// The journal.
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Destroy what says which events are a subject's: their ids, salts and key. Releases stay valid.
    Erase {
        /// The subject, as the site's systems call them; `-` reads it from standard input.
        subject: String,
    },
    /// This site's keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Releases on their way, and the way by file.
    #[command(subcommand)]
    Outbox(outbox::OutboxCommand),
    /// Put the next version of trust.json in its place: other witnesses count from then on.
    Trust {
        /// The file, from governance.
        file: PathBuf,
        /// Its governance fingerprint, which governance tells by another way.
        #[arg(long)]
        fingerprint: Digest,
    },
    /// Copy this home into a new folder, without what identifies events or persons.
    Backup {
        /// The folder; it must not exist.
        dir: PathBuf,
        /// Leave the keys out.
        #[arg(long)]
        without_keys: bool,
    },
    /// What this site holds, and how far its releases are.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
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
            let config = Config { k_floor, never_report, poll_seconds, offline, ..Config::default() };
            Home::init(&cli.home, &config)?;
            say!("home {} is made; its policy is in config.toml", cli.home.display());
            say!("next: fedaudit-agent join TOKEN");
            Ok(())
        }
        Command::Join { token, new_keys, to } => {
            join_with(&Home::open(&cli.home)?, &token, new_keys, to.as_deref()).await
        }
        Command::Run { once } => {
            say::log();
            let site = Site::open(Home::open(&cli.home)?)?;
            let until = if once { Until::Shipped } else { Until::Stopped };
            let ready = format!("ready: {} of {}", site.enrolment.site, site.enrolment.federation);
            let ready = |intake: Option<&str>| match intake {
                Some(address) => say!("{ready}; intake at {address}"),
                None => say!("{ready}"),
            };
            let mut site = run(site, until, ready).await?;
            say!("stopped: {}{}{}", how_far(&listed(&mut site)?), plan::held(&mut site)?, plan::waiting(&mut site)?);
            Ok(())
        }
        Command::Trust { file, fingerprint } => {
            let home = Home::open(&cli.home)?;
            home.enrolment()?;
            let _run = Lock::try_acquire(&home.run_lock()).map_err(|fault| {
                let hint = "stop the agent, and start it again afterwards";
                Fault { hint: hint.to_owned(), ..fault }
            })?;
            let taken = trust::take(&home.dir.join("trust.json"), &file, &fingerprint, 0o600)?;
            say!("{}", trust::describe(&taken));
            Ok(())
        }
        Command::Import(import) => import.run(Site::open(Home::open(&cli.home)?)?).await,
        Command::Contract(command) => draft::command(&command, now()),
        Command::Plan(command) => plan::run(Site::open(Home::open(&cli.home)?)?, command).await,
        Command::Release(command) => {
            let mut site = Site::open(Home::open(&cli.home)?)?;
            releases::run(&mut site, &command, now())
        }
        Command::Report(command) => report::run(Site::open(Home::open(&cli.home)?)?, command).await,
        Command::Journal(command) => journal::run(command, Home::open(&cli.home)?),
        Command::Erase { subject } => journal::erase(Site::open(Home::open(&cli.home)?)?, &subject),
        Command::Key(command) => key::run(Home::open(&cli.home)?, command).await,
        Command::Outbox(command) => outbox::run(command, Home::open(&cli.home)?),
        Command::Backup { dir, without_keys } => {
            let done = crate::backup::backup(&Home::open(&cli.home)?, &dir, !without_keys)?;
            say!(
                "{}: {} files, {} bytes; check with: sha256sum --check SHA256SUMS",
                dir.display(),
                done.files,
                done.bytes
            );
            Ok(())
        }
        Command::Status { json } => status::status(Site::open(Home::open(&cli.home)?)?, json),
    }
}

async fn join_with(home: &Home, token: &str, new_keys: bool, to: Option<&Path>) -> Result<(), Fault> {
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
        let enrolment = join_by_file(home, &token, new_keys, to, now())?;
        say!("{} asks to join {}: {}", enrolment.site, enrolment.federation, to.display());
        say!("next: carry it to the aggregator, fedaudit-aggregator import FILE; then bring its registry back");
        return Ok(());
    }
    let enrolment = join(home, &token, new_keys, now()).await?;
    say!(
        "asked to join {} as {}; governance approves it with: site approve {}",
        enrolment.federation,
        enrolment.site,
        enrolment.site
    );
    Ok(())
}

/// How many of the documents in the outbox have their receipt.
fn how_far(outbox: &[Listed]) -> String {
    let noun = if outbox.iter().all(|listed| listed.kind == Kind::Release) { "release" } else { "document" };
    let plural = if outbox.len() == 1 { "" } else { "s" };
    let all = format!("{} {noun}{plural}", outbox.len());
    let of = |state: State| outbox.iter().filter(|listed| listed.state == state).count();
    let (received, refused, held) = (of(State::Received), of(State::Refused), of(State::Held));
    match (outbox.len() - received - refused - held, refused) {
        (0, 0) if outbox.is_empty() => "nothing in the outbox".to_owned(),
        (0, 0) if held > 0 => format!("{received} of {all} received"),
        (0, 0) if outbox.len() > 1 => format!("all {all} received"),
        (0, 0) => format!("{all} received"),
        (waiting, 0) => format!("{waiting} of {all} waiting"),
        (waiting, refused) => format!("{waiting} of {all} waiting, {refused} refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fedaudit_core::ids::Digest;
    use fedaudit_core::time::{Time, Window};

    #[test]
    fn the_last_line_of_a_run_says_what_waits() {
        use State::{Prepared, Ready, Received, Refused};
        let said = |states: &[State], kind: Kind| {
            let window = Window { start: Time(0), end: Time(1) };
            let digest = Digest([0; 32]);
            let listed = states.iter().zip(0..).map(|(&state, sequence)| Listed {
                kind: if sequence == 0 { kind } else { Kind::Release },
                plan: digest,
                window,
                sequence,
                envelope: digest,
                amends: None,
                state,
                refusal: None,
            });
            how_far(&listed.collect::<Vec<_>>())
        };
        assert_eq!(said(&[], Kind::Release), "nothing in the outbox");
        assert_eq!(said(&[Received], Kind::Release), "1 release received");
        assert_eq!(said(&[Received; 3], Kind::Release), "all 3 releases received");
        assert_eq!(said(&[Ready], Kind::Release), "1 of 1 release waiting");
        assert_eq!(said(&[Received, Received, Ready], Kind::Release), "1 of 3 releases waiting");
        assert_eq!(said(&[Prepared, Received], Kind::Abstention), "1 of 2 documents waiting");
        assert_eq!(said(&[Refused, Received, Ready], Kind::Release), "1 of 3 releases waiting, 1 refused");
    }
}
