//! The regulator's tool: checks bundles offline. It loads and prints; the checks are [`fedaudit_core::bundle::check`].
//! And it can be run as a witness, which keeps what an aggregator signed.

#![forbid(unsafe_code)]

mod conflict;
mod fork;
mod witness;
mod demo;
mod explain;
mod many;
mod vectors;

use clap::{Parser, Subcommand};
use fedaudit_core::bundle::{Asked, Check, Checker, Outcome, Verdict};
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits;
use fedaudit_core::roster::Trust;
use fedaudit_core::time::Time;
use serde::Serialize;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code for wrong usage and for files that cannot be read.
const USAGE: u8 = 4;
/// Bytes of `trust.json` that are read.
const TRUST_BYTES: u64 = 1 << 20;
/// Bytes of a receipt that are read: a checkpoint, a line of data, and a few hashes.
const RECEIPT_BYTES: u64 = 3 * limits::NOTE_BYTES as u64;

/// Checks reports offline: every signature, the completeness of the logs, and every number.
///
/// Exit code: 0 verified, 1 refuted, 2 undecidable, 3 malformed, 4 usage or IO; of several, 4 before 3 before 1 before 2.
#[derive(Parser)]
#[command(name = "fedaudit-verify", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    /// Bundles to check.
    #[arg(required = true)]
    bundles: Vec<PathBuf>,
    /// The federation's trust.json, had from somewhere you trust.
    #[arg(long, required = true)]
    trust: Option<PathBuf>,
    /// For programs: one JSON document for all bundles.
    #[arg(long)]
    json: bool,
    /// Whether each bundle stood as it does by this time (RFC 3339, UTC), by the word of witnesses.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// A receipt that somebody got for a document: whether each bundle's log holds it. May be repeated.
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check evidence that a site contradicted itself: both documents are its own, and cannot be true together.
    Conflict(conflict::ConflictArgs),
    /// Check whether two signed checkpoints prove that the aggregator keeps two histories of one log.
    Fork(fork::ForkArgs),
    /// Be a witness (C2SP tlog-witness): cosign the checkpoints of the federations' logs, and keep the last of each.
    Witness(witness::WitnessArgs),
    /// Build a small bundle, verify it, and break it in many ways: each must be noticed. Exit code 0, or 1 if one is not.
    Demo(demo::DemoArgs),
    /// Run the vectors of schemas/vectors through this program's readers. Exit code 0, or 1 if one gets another verdict.
    Vectors(vectors::VectorsArgs),
    /// What verified, refuted, undecidable and malformed mean, and what no verdict establishes.
    Explain,
}

/// Runs a command line.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(USAGE)
        }
    }
}

/// What stands in the place of an answer about a file that cannot be read.
#[derive(Serialize)]
struct Unread<'a> {
    bundle: String,
    exit_code: u8,
    fault: &'a Fault,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Answer(Answer<'a>),
    Unread(Unread<'a>),
}

#[derive(Serialize)]
struct Answer<'a> {
    bundle: String,
    verdict: &'a str,
    exit_code: u8,
    first_line: String,
    #[serde(flatten)]
    checks: &'a Verdict,
    does_not_establish: &'a [&'static str],
}

fn run(cli: &Cli) -> Result<u8, Fault> {
    match &cli.command {
        Some(Command::Fork(args)) => {
            let (out, code) = fork::run(args)?;
            print(&out);
            Ok(code)
        }
        Some(Command::Witness(args)) => witness::run(args).map(|()| 0),
        Some(Command::Conflict(args)) => {
            let (out, code) = conflict::run(args)?;
            print(&out);
            Ok(code)
        }
        Some(Command::Demo(args)) => {
            let (out, code) = demo::run(args)?;
            print(&out);
            Ok(code)
        }
        Some(Command::Vectors(args)) => {
            let (out, code) = vectors::run(args)?;
            print(&out);
            Ok(code)
        }
        Some(Command::Explain) => {
            print(explain::DOCUMENT);
            Ok(0)
        }
        None => verify(cli),
    }
}

/// A closed pipe is no reason to change the exit code.
fn print(out: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
}

fn verify(cli: &Cli) -> Result<u8, Fault> {
    let trust = read_trust(cli.trust.as_deref().unwrap_or(Path::new("trust.json")))?;
    let checker = Checker::new(trust, asked(cli)?);
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    // Several bundles have a thread each; a single one has them all.
    let workers = if cli.bundles.len() == 1 { threads } else { NonZeroUsize::MIN };
    let one = |at: usize| {
        let path = &cli.bundles[at];
        // A file that cannot be read is a matter of usage, not of evidence: it takes nothing from what is said of the others.
        let result = read(path, limits::BUNDLE_BYTES).map(|bytes| checker.check(&bytes, workers));
        (shown(cli.json, path, &result), exit_code(&result), result.err())
    };
    let (mut code, mut faults, mut printed) = (None, Vec::new(), 0_usize);
    many::in_order(cli.bundles.len(), threads, one, |(out, exit_code, fault)| {
        match cli.json {
            true => print(&format!("{}{out}", if printed == 0 { "[\n" } else { ",\n" })),
            false => print(&out),
        }
        printed += 1;
        code = Some(worst(code.into_iter().chain([exit_code])));
        faults.extend(fault);
    });
    if cli.json {
        print("\n]\n");
    }
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    Ok(code.unwrap_or(USAGE))
}

fn asked(cli: &Cli) -> Result<Asked, Fault> {
    let at = match &cli.at {
        Some(text) => Some(Time::parse(text).map_err(|e| {
            Fault::new(Blame::Input, format!("--at {text}: {e}"), "name a time such as 2026-08-01T00:00:00Z")
        })?),
        None => None,
    };
    let receipt = |path: &PathBuf| Ok((path.display().to_string(), read(path, RECEIPT_BYTES)?));
    Ok(Asked { at, receipts: cli.receipt.iter().map(receipt).collect::<Result<_, Fault>>()? })
}

/// One bundle's part of the output.
fn shown(json: bool, path: &Path, result: &Result<Verdict, Fault>) -> String {
    match (json, result) {
        (true, _) => {
            let json = codec::to_json(&row(path, result)).unwrap_or_default();
            let json = String::from_utf8_lossy(&json);
            json.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
        }
        (false, Ok(verdict)) => text(path, verdict),
        (false, Err(_)) => String::new(),
    }
}

/// 4 before 3 before 1 before 2 before 0.
fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    let rank = |code: &u8| [0, 2, 1, 3, USAGE].iter().position(|of| of == code);
    codes.max_by_key(rank).unwrap_or(2)
}

fn exit_code(result: &Result<Verdict, Fault>) -> u8 {
    result.as_ref().map_or(USAGE, Verdict::exit_code)
}

fn row<'a>(path: &Path, result: &'a Result<Verdict, Fault>) -> Row<'a> {
    let (bundle, exit_code) = (path.display().to_string(), exit_code(result));
    match result {
        Ok(verdict) => {
            let (first_line, word) = (verdict.first_line(), verdict.word());
            let does_not_establish = &explain::DOES_NOT_ESTABLISH[..];
            Row::Answer(Answer { bundle, verdict: word, exit_code, first_line, checks: verdict, does_not_establish })
        }
        Err(fault) => Row::Unread(Unread { bundle, exit_code, fault }),
    }
}

/// The verdict as people read it: the first line, each check by name, what was not looked at.
pub fn text(path: &Path, verdict: &Verdict) -> String {
    let mut out = format!("{}\n", verdict.first_line());
    for check in &verdict.checks {
        let mut check = check.clone();
        if check.check == "bundle" {
            // The whole file, which the reader knows by the name that it was given.
            check.subject = path.display().to_string();
        }
        out += &line(&check);
    }
    if !verdict.not_evidence.is_empty() {
        out += &format!("  not evidence, not looked at: {}\n", folders(&verdict.not_evidence).join(", "));
    }
    out += &match verdict.exit_code() {
        0 => format!("  {}: {}\n", path.display(), explain::MAIN),
        1 => format!(
            "hint: do not rely on {}; ask for a fresh bundle, and if it repeats, report the log\n",
            path.display()
        ),
        2 => format!("hint: {} may be right; ask for what is missing, or for the right trust.json\n", path.display()),
        _ => format!("hint: {} is damaged or no bundle; ask for it again\n", path.display()),
    };
    out + "  what a verdict establishes, and what not: fedaudit-verify explain\n"
}

fn line(check: &Check) -> String {
    let head = match check.outcome {
        Outcome::Pass => {
            let by = check.signer.as_ref().map_or(String::new(), |signer| format!(" ({signer})"));
            return format!("  pass        {:<20} {}: {}{by}\n", check.check, check.subject, check.found);
        }
        Outcome::Fail => "refuted",
        Outcome::Undecidable => "undecidable",
        Outcome::Malformed => "malformed",
    };
    let by = check.signer.as_ref().map_or(String::new(), |signer| format!("              signer   {signer}\n"));
    format!(
        "  {head:<11} {:<20} {}\n              expected {}\n              found    {}\n{by}",
        check.check, check.subject, check.expected, check.found
    )
}

/// `keys/ (12 files)` for folders, names for single files.
fn folders(paths: &[String]) -> Vec<String> {
    let mut counted: Vec<(String, usize)> = Vec::new();
    for path in paths {
        let head = path.split_once('/').map_or(path.clone(), |(folder, _)| format!("{folder}/"));
        match counted.last_mut() {
            Some((last, count)) if *last == head => *count += 1,
            _ => counted.push((head, 1)),
        }
    }
    counted
        .into_iter()
        .map(|(head, count)| if head.ends_with('/') { format!("{head} ({count} files)") } else { head })
        .collect()
}

fn read_trust(path: &Path) -> Result<Valid<Trust>, Fault> {
    codec::from_json(&read(path, TRUST_BYTES)?).map_err(|e| {
        let hint = "export it again: fedaudit-aggregator trust export; and compare fingerprints";
        Fault::new(Blame::Input, format!("{} is no trust file: {e}", path.display()), hint)
    })
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let failed = |e: std::io::Error| {
        Fault::new(Blame::Input, format!("{}: {e}", path.display()), "name a file that can be read")
    };
    let long = || {
        let what = format!("{} has more than {limit} bytes", path.display());
        Fault::new(Blame::Input, what, "name the file that was meant")
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > limit {
        return Err(long());
    }
    // What is no plain file may say that it has no bytes.
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit { Err(long()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_counts() {
        assert_eq!(worst([0, 2, 1].into_iter()), 1);
        assert_eq!(worst([0, 2].into_iter()), 2);
        assert_eq!(worst([1, 3].into_iter()), 3);
        assert_eq!(worst([3, 4, 1].into_iter()), 4);
        assert_eq!(worst([0, 0].into_iter()), 0);
        assert_eq!(worst([].into_iter()), 2);
    }
}
