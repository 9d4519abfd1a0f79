//! `federation [DATASET] [--out DIR]`: a whole federation on this machine, from files of decisions to a verified report.

#![forbid(unsafe_code)]

use clap::Parser;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::report::{Report, story};
use fedaudit_examples::dataset::Dataset;
use fedaudit_examples::federation::Federation;
use fedaudit_examples::process::{Programs, command};
use fedaudit_examples::ucb;
use fedaudit_link::say;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Runs a federation on this machine: one aggregator and one agent a site, as processes, over QUIC.
///
/// Without DATASET: Berkeley graduate admissions, autumn 1973; six departments as sites.
/// Exit code: the verifier's; 4 if something could not be run.
#[derive(Parser)]
#[command(name = "federation", version)]
struct Cli {
    /// A folder with contract.toml, plan*.toml and sites/*.csv (or .csv.gz), one site a file; map.toml is used if there.
    dataset: Option<PathBuf>,
    /// Where the report and the federation's homes go.
    #[arg(long, default_value = "federation-out")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // This one binary is every party: it runs itself again as each of them.
    if let (Some("as"), Some(party)) = (args.get(1).and_then(|a| a.to_str()), args.get(2).and_then(|a| a.to_str())) {
        let rest = args[2..].to_vec();
        match party {
            "agent" => return fedaudit_agent::cli::main(rest),
            "aggregator" => return fedaudit_aggregator::cli::main(rest),
            "verify" => return fedaudit_verify::main(rest),
            _ => {}
        }
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 4 } else { 0 });
        }
    };
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::from(4)
        }
    }
}

fn run(cli: &Cli) -> Result<u8, Fault> {
    let started = Instant::now();
    let work = fresh(&cli.out)?;
    let folder = match &cli.dataset {
        Some(folder) => folder.clone(),
        None => {
            let folder = work.join("ucb-admissions");
            ucb::write(&folder)?;
            folder
        }
    };
    let dataset = Dataset::open(&folder)?;
    let federation = Federation::init(Programs::this()?, &work.join("homes"), &dataset.federation)?;
    let aggregator = federation.start_aggregator()?;
    federation.publish(&dataset)?;
    say!("federation {}: 1 aggregator, {} agents, as processes over QUIC", dataset.federation, dataset.sites.len());
    federation.whole_sites(&dataset, |site, imported| {
        let line =
            imported.lines().next().and_then(|line| line.rsplit_once(": ")).map_or(imported, |(_, counts)| counts);
        say!("  {site:<20} {line}");
    })?;
    let mut worst = 0;
    for (_, plan) in &dataset.plans {
        let out = if dataset.plans.len() == 1 { cli.out.clone() } else { cli.out.join(plan.plan.as_str()) };
        federation.report(&plan.plan, &out)?;
        worst = worse(worst, conclude(&federation, &out)?);
    }
    drop(aggregator);
    say!(
        "\n{:.1} s in all; the homes of all parties are in {}",
        started.elapsed().as_secs_f64(),
        work.join("homes").display()
    );
    Ok(worst)
}

/// Tells the story of a report and has it verified; the verifier's exit code.
fn conclude(federation: &Federation, out: &Path) -> Result<u8, Fault> {
    let unreadable = |e: String| Fault::new(Blame::Aggregator, format!("{}: {e}", out.display()), "report this");
    let json = std::fs::read(out.join("report.json")).map_err(|e| unreadable(e.to_string()))?;
    let report: Report = codec::from_json(&json).map_err(|e| unreadable(e.to_string()))?;
    say!("\n{} (plan {} v{})", report.plan.title, report.plan.name, report.plan.version);
    for line in story(&report) {
        say!("  {line}");
    }
    let (bundle, trust) = (out.join("bundle.zip"), out.join("trust.json"));
    let bytes = std::fs::metadata(&bundle).map_err(|e| unreadable(e.to_string()))?.len();
    say!("\nfedaudit-verify {} --trust {}   ({bytes} bytes)", bundle.display(), trust.display());
    let args = [bundle.into(), "--trust".into(), trust.into()];
    let clock = Instant::now();
    let status = command(&federation.programs.verify, &args).status();
    let code = status.map_err(|e| unreadable(e.to_string()))?.code().unwrap_or(4);
    say!(
        "  verified in {:.2} s, exit code {code}; read {}",
        clock.elapsed().as_secs_f64(),
        out.join("report.html").display()
    );
    Ok(u8::try_from(code).unwrap_or(4))
}

/// 4 before 3 before 1 before 2 before 0.
fn worse(a: u8, b: u8) -> u8 {
    let rank = |code: u8| [0, 2, 1, 3, 4].iter().position(|of| *of == code).unwrap_or(4);
    if rank(a) >= rank(b) { a } else { b }
}

/// The folder for homes, empty. Only a folder that an earlier run made is emptied.
fn fresh(out: &Path) -> Result<PathBuf, Fault> {
    let work = out.join("federation");
    let marker = work.join(".made-by-federation");
    let failed =
        |e: std::io::Error| Fault::new(Blame::Operator, format!("{}: {e}", work.display()), "name another --out");
    if work.exists() {
        if !marker.exists() {
            let what = format!("{} exists and was not made by this program", work.display());
            return Err(Fault::new(Blame::Operator, what, "name another --out"));
        }
        std::fs::remove_dir_all(&work).map_err(failed)?;
    }
    std::fs::create_dir_all(&work).map_err(failed)?;
    std::fs::write(&marker, "").map_err(failed)?;
    Ok(work)
}
