//! The regulator's tool: checks bundles offline. It loads and prints; the checks are [`fedaudit_core::bundle::check`].
//! And it can be run as a witness, which keeps what an aggregator signed.

#![forbid(unsafe_code)]

mod conflict;
mod fork;
mod witness;

use clap::{Parser, Subcommand};
use fedaudit_core::bundle::{Check, Outcome, Verdict, check};
use fedaudit_core::codec::{self, Valid};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits;
use fedaudit_core::roster::Trust;
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
}

fn run(cli: &Cli) -> Result<u8, Fault> {
    if let Some(command) = &cli.command {
        let (out, code) = match command {
            Command::Conflict(args) => conflict::run(args)?,
            Command::Fork(args) => fork::run(args)?,
            Command::Witness(args) => return witness::run(args).map(|()| 0),
        };
        let _ = std::io::stdout().write_all(out.as_bytes());
        return Ok(code);
    }
    let trust = read_trust(cli.trust.as_deref().unwrap_or(Path::new("trust.json")))?;
    let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    // A file that cannot be read is a matter of usage, not of evidence: it takes nothing from what is said of the others.
    let judged = |path: &PathBuf| read(path, limits::BUNDLE_BYTES).map(|bytes| check(&bytes, &trust, workers));
    let results: Vec<_> = cli.bundles.iter().map(|path| (path.as_path(), judged(path))).collect();
    let mut out = String::new();
    if cli.json {
        let rows: Vec<_> = results.iter().map(|(path, result)| row(path, result)).collect();
        let json = codec::to_json(&rows).map_err(|e| Fault::new(Blame::Input, e.to_string(), "report this"))?;
        out += &String::from_utf8_lossy(&json);
    } else {
        for (path, verdict) in results.iter().filter_map(|(path, result)| Some((path, result.as_ref().ok()?))) {
            out += &text(path, verdict);
        }
    }
    // A closed pipe is no reason to change the exit code.
    let _ = std::io::stdout().write_all(out.as_bytes());
    results.iter().filter_map(|(_, result)| result.as_ref().err()).for_each(|fault| eprintln!("{fault}"));
    Ok(worst(results.iter().map(|(_, result)| exit_code(result))))
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
            Row::Answer(Answer { bundle, verdict: word, exit_code, first_line, checks: verdict })
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
        0 => format!("  {}: a signature shows who said it, not that it is true\n", path.display()),
        1 => format!(
            "hint: do not rely on {}; ask for a fresh bundle, and if it repeats, report the log\n",
            path.display()
        ),
        2 => format!("hint: {} may be right; ask for what is missing, or for the right trust.json\n", path.display()),
        _ => format!("hint: {} is damaged or no bundle; ask for it again\n", path.display()),
    };
    out
}

fn line(check: &Check) -> String {
    let head = match check.outcome {
        Outcome::Pass => return format!("  pass        {:<20} {}: {}\n", check.check, check.subject, check.found),
        Outcome::Fail => "refuted",
        Outcome::Undecidable => "undecidable",
        Outcome::Malformed => "malformed",
    };
    format!(
        "  {head:<11} {:<20} {}\n              expected {}\n              found    {}\n",
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
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        let what = format!("{} has more than {limit} bytes", path.display());
        return Err(Fault::new(Blame::Input, what, "name the file that was meant"));
    }
    Ok(bytes)
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
