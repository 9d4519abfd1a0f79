//! `fedaudit-verify demo`: a small bundle, verified, and then broken in many ways, each of which must be noticed.

mod changes;
mod world;

use changes::CHANGES;
use clap::Args;
use fedaudit_core::bundle::{Outcome, check, pack};
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct DemoArgs {
    /// Leave bundle.zip, trust.json and every broken bundle in this folder, which must not exist.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What is to be printed, and the exit code: 0 if the bundle is verified and every change was noticed.
pub fn run(args: &DemoArgs) -> Result<(String, u8), Fault> {
    let failed = |e: String| Fault::new(Blame::Input, format!("the demo cannot be built: {e}"), "report this");
    let demo = world::build().map_err(failed)?;
    let bytes = pack(&demo.bundle).map_err(|e| failed(e.to_string()))?;
    let verdict = check(&bytes, &demo.trust, NonZeroUsize::MIN);
    let mut out = "a made-up federation of two sites; its keys are public and protect nothing\n".to_owned();
    out += &format!("{}\n", verdict.first_line());
    let mut files = vec![("bundle.zip".to_owned(), bytes)];
    files.push(("trust.json".to_owned(), codec::to_json(&demo.trust).map_err(|e| failed(e.to_string()))?));
    let mut caught = 0;
    for (number, change) in (1..).zip(&CHANGES) {
        let bytes = changes::changed(&demo, change).map_err(failed)?;
        let broken = check(&bytes, &demo.trust, NonZeroUsize::MIN);
        let by = broken.checks.iter().find(|check| check.outcome != Outcome::Pass);
        let by = by.map_or("NOTHING", |check| check.check.as_str());
        caught += usize::from(broken.exit_code() != 0);
        out += &format!("  {:<11} {by:<20} {}\n", broken.word(), change.0);
        files.push((format!("broken-{number:02}.zip"), bytes));
    }
    out += &format!("{caught} of {} changes were noticed\n", CHANGES.len());
    if let Some(folder) = &args.out {
        write(folder, &files)?;
    }
    Ok((out, u8::from(verdict.exit_code() != 0 || caught < CHANGES.len())))
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Fault> {
    let failed = |e: std::io::Error| {
        Fault::new(Blame::Operator, format!("{}: {e}", folder.display()), "name a folder that does not exist yet")
    };
    std::fs::create_dir(folder).map_err(failed)?;
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes)).map_err(failed)
}
