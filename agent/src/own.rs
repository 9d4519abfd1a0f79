//! What this site's own releases say: the federation's report, computed by the same functions, over one site.

use crate::outbox::{Kind, Outgoing};
use crate::site::{Site, refused};
use clap::Args;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Name;
use fedaudit_core::report::{self, Input};
use fedaudit_core::time::Window;
use fedaudit_core::{codec, render, verify};
use fedaudit_link::home::write_atomic;
use fedaudit_link::say;
use std::path::PathBuf;

/// `release figures PLAN --out DIR`
#[derive(Args)]
pub struct Figures {
    /// The plan's name.
    pub plan: Name,
    /// The folder for report.json and report.html.
    #[arg(long)]
    pub out: PathBuf,
}

/// Writes the figures of all windows that this site released; nothing is signed, and nothing leaves.
///
/// # Errors
/// No such plan, no release of it, or a folder that cannot be written.
pub fn figures(site: &Site, wanted: &Figures) -> Result<(), Fault> {
    let (digest, published) = site.plan_named(&wanted.plan)?;
    let registry = site.mirror.registry();
    let own: Vec<Outgoing> = site.outbox.releases()?.into_iter().filter(|of| of.plan == digest).collect();
    let released = |kind| own.iter().filter(move |of| of.kind == kind);
    let windows = released(Kind::Release).map(|of| of.window);
    let range = windows.clone().map(|window| window.start).min().zip(windows.map(|window| window.end).max());
    let Some((start, end)) = range else {
        let what = format!("this site has no release of plan {} yet", wanted.plan);
        return Err(Fault::new(Blame::Operator, what, "`run` releases the windows that are due"));
    };
    let inside = |window: &Window| window.start >= start && window.end <= end;
    let windows: Vec<Window> = published.plan.windows_before(end).into_iter().filter(inside).collect();
    let releases = released(Kind::Release)
        .map(|of| verify::release(&of.envelope, &of.artifact, registry).map(|release| (of.sequence, release)));
    let abstentions = released(Kind::Abstention)
        .map(|of| verify::abstention(&of.envelope, &of.artifact, registry).map(|abstention| (of.sequence, abstention)));
    let input = Input {
        registry,
        plan: digest,
        windows: &windows,
        log_size: own.len() as u64,
        releases: &releases.collect::<Result<Vec<_>, _>>().map_err(refused)?,
        disputes: &[],
        reports: &[],
        abstentions: &abstentions.collect::<Result<Vec<_>, _>>().map_err(refused)?,
    };
    let report = report::compile(&input).map_err(refused)?;
    let json = codec::to_json(&report).map_err(|e| Fault::new(Blame::Site, e.to_string(), "report this"))?;
    let out = &wanted.out;
    let unwritten =
        |e| Fault::new(Blame::Operator, format!("{}: {e}", out.display()), "name another folder: --out DIR");
    std::fs::create_dir_all(out).map_err(unwritten)?;
    // As private as the home: figures of one site are for that site.
    write_atomic(&out.join("report.json"), &json, 0o600)?;
    write_atomic(&out.join("report.html"), render::html(&report).as_bytes(), 0o600)?;
    say!(
        "{}: plan {}, {} of this site's windows from {start} to {end}; of released numbers, as all other sites will see them",
        out.join("report.html").display(),
        wanted.plan,
        windows.len()
    );
    Ok(())
}
