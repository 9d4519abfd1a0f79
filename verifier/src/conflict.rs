//! `fedaudit-verify conflict`: whether exported evidence proves that a site contradicted itself.

use super::{Answer, explain, line, read, read_trust};
use clap::Args;
use fedaudit_core::bundle::Verdict;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::limits::PARCEL_BYTES;
use fedaudit_core::parcel::check_conflict;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct ConflictArgs {
    /// What `fedaudit-aggregator conflict export` wrote.
    file: PathBuf,
    /// The federation's trust.json, had from somewhere you trust.
    #[arg(long)]
    trust: PathBuf,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// What is to be printed, and the exit code.
pub fn run(args: &ConflictArgs) -> Result<(String, u8), Fault> {
    let trust = read_trust(&args.trust)?;
    let verdict = check_conflict(&read(&args.file, PARCEL_BYTES)?, &trust);
    let out = if args.json {
        let answer = Answer {
            bundle: args.file.display().to_string(),
            verdict: verdict.word(),
            exit_code: verdict.exit_code(),
            first_line: first_line(&verdict).to_owned(),
            checks: &verdict,
            does_not_establish: &explain::DOES_NOT_ESTABLISH,
        };
        let json = codec::to_json(&answer).map_err(|e| Fault::new(Blame::Input, e.to_string(), "report this"))?;
        String::from_utf8_lossy(&json).into_owned()
    } else {
        text(&args.file, &verdict)
    };
    Ok((out, verdict.exit_code()))
}

fn first_line(verdict: &Verdict) -> &'static str {
    match verdict.exit_code() {
        0 => "verified: the site signed what cannot be true together",
        1 => "refuted: this is no evidence against the site",
        2 => "undecidable: no contradiction is proven",
        _ => "malformed",
    }
}

fn text(path: &Path, verdict: &Verdict) -> String {
    let mut out = format!("{}\n", first_line(verdict));
    verdict.checks.iter().for_each(|check| out += &line(check));
    out += &match verdict.exit_code() {
        0 => "  not evidence, not looked at: when and why the aggregator refused\n".to_owned(),
        1 => format!("hint: do not rely on {}; ask for a fresh export\n", path.display()),
        2 => "hint: ask the site for what stands in between, or for the right trust.json\n".to_owned(),
        _ => format!("hint: {} is damaged or no evidence of a conflict; ask for it again\n", path.display()),
    };
    out
}
