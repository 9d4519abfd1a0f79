//! `fedaudit-verify fork`: whether two signed checkpoints prove two histories of one log.

use super::{Answer, explain, line, read, read_trust};
use clap::Args;
use fedaudit_core::bundle::Verdict;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits::PARCEL_BYTES;
use fedaudit_core::parcel::check_fork;
use std::path::{Path, PathBuf};

/// Bytes of a checkpoint, or of a log proof with one.
const FILE_BYTES: u64 = 256 << 10;

#[derive(Args)]
pub struct ForkArgs {
    /// A signed checkpoint, or a receipt (tlog-proof) with one.
    a: PathBuf,
    /// Another of the same log.
    b: PathBuf,
    /// A consistency proof between them, where their sizes differ: hashes in base64, a line each, as witnesses are sent it.
    #[arg(long)]
    proof: Option<PathBuf>,
    /// The federation's trust.json, had from somewhere you trust.
    #[arg(long)]
    trust: PathBuf,
    /// The registry, where the log key changed since the trust file was made: what `fedaudit-aggregator registry export` writes.
    #[arg(long, value_name = "PARCEL")]
    registry: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// What is to be printed, and the exit code.
pub fn run(args: &ForkArgs) -> Result<(String, u8), Fault> {
    let trust = read_trust(&args.trust)?;
    let shown = |path: &Path| path.display().to_string();
    let load = |path: &Path, limit: u64| Ok::<_, Fault>((shown(path), read(path, limit)?));
    let (a, b) = (load(&args.a, FILE_BYTES)?, load(&args.b, FILE_BYTES)?);
    let proof = args.proof.as_deref().map(|path| load(path, FILE_BYTES)).transpose()?;
    let registry = args.registry.as_deref().map(|path| load(path, PARCEL_BYTES)).transpose()?;
    let [proof, registry] = [&proof, &registry].map(|of| of.as_ref().map(|(name, bytes)| (&name[..], &bytes[..])));
    let verdict = check_fork((&a.0, &a.1), (&b.0, &b.1), proof, &trust, registry);
    let out = if args.json {
        let answer = Answer {
            bundle: format!("{} {}", a.0, b.0),
            verdict: verdict.word(),
            exit_code: verdict.exit_code(),
            first_line: first_line(&verdict).to_owned(),
            checks: &verdict,
            does_not_establish: &explain::DOES_NOT_ESTABLISH,
        };
        let json = codec::to_json(&answer).map_err(|e| Fault::new(Blame::Input, e.to_string(), "report this"))?;
        String::from_utf8_lossy(&json).into_owned()
    } else {
        text(&verdict)
    };
    Ok((out, verdict.exit_code()))
}

fn first_line(verdict: &Verdict) -> &'static str {
    match verdict.exit_code() {
        0 => "verified: the aggregator signed two histories of one log",
        1 => "refuted: this is no fork",
        2 => "undecidable: no fork is proven",
        _ => "malformed",
    }
}

fn text(verdict: &Verdict) -> String {
    let mut out = format!("{}\n", first_line(verdict));
    verdict.checks.iter().for_each(|check| out += &line(check));
    out += match verdict.exit_code() {
        0 => "  keep both files as they are: whoever has the trust file can check them again\n",
        1 => "hint: one of the files does not say what it was given for; ask for them again\n",
        2 => "hint: ask witnesses and sites for the checkpoints that they hold, the right trust.json, or --registry\n",
        _ => "hint: a file is damaged, or no signed checkpoint; ask for it again\n",
    };
    out
}
