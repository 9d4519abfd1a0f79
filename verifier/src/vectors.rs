//! `fedaudit-verify vectors`: the published vectors through this very program's readers.

mod run;

use clap::Args;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::roster::Registry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sets of `schemas/vectors` that are verdicts of readers; the others hold figures.
const SETS: [&str; 6] = ["note", "cosignature", "ed25519", "merkle", "log", "documents"];
/// Deviations that are shown; the others are counted.
const SHOWN: usize = 100;
/// Bytes of a vector that are read.
const VECTOR_BYTES: u64 = 16 << 20;

#[derive(Args)]
pub struct VectorsArgs {
    /// The folder `schemas/vectors`.
    folder: PathBuf,
}

/// Of a kind: accepted and refused as expected.
#[derive(Default)]
struct Counts {
    accepted: usize,
    refused: usize,
    deviating: usize,
    not_read: usize,
}

/// What is to be printed, and the exit code.
pub fn run(args: &VectorsArgs) -> Result<(String, u8), Fault> {
    let mut counts: BTreeMap<(&str, String), Counts> = BTreeMap::new();
    let mut deviations = Vec::new();
    let registry = world(&args.folder.join("documents/world.json"))?;
    for set in SETS {
        for path in files(&args.folder.join(set))? {
            let (name, vector) = (format!("{set}/{}", stem(&path)), load(&path)?);
            let kind = vector["kind"].as_str().or(vector["check"].as_str()).unwrap_or("?").to_owned();
            if kind == "world" {
                continue;
            }
            let counts = counts.entry((set, kind)).or_default();
            let (deviation, of) = match run::run(set, &vector, &registry) {
                None => (None, &mut counts.not_read),
                Some(Err(broken)) => (Some(broken), &mut counts.deviating),
                Some(Ok(found)) => match (run::deviation(set, &vector, &found), &found) {
                    (Some(deviation), _) => (Some(deviation), &mut counts.deviating),
                    (None, Ok(_)) => (None, &mut counts.accepted),
                    (None, Err(_)) => (None, &mut counts.refused),
                },
            };
            *of += 1;
            deviations.extend(deviation.map(|deviation| format!("  {name}: {deviation}\n")));
        }
    }
    Ok((shown(&counts, &deviations), u8::from(!deviations.is_empty())))
}

fn shown(counts: &BTreeMap<(&str, String), Counts>, deviations: &[String]) -> String {
    let mut out = String::new();
    for ((set, kind), counts) in counts {
        let place = format!("{set} {kind}");
        let Counts { accepted, refused, deviating, not_read } = counts;
        let mut said = Vec::new();
        if accepted + refused + deviating > 0 {
            said.push(format!("{accepted} accepted, {refused} refused, as expected"));
        }
        if *deviating > 0 {
            said.push(format!("{deviating} deviate"));
        }
        if *not_read > 0 {
            said.push(format!("{not_read} not read by this program"));
        }
        out += &format!("{place:<28} {}\n", said.join("; "));
    }
    deviations.iter().take(SHOWN).for_each(|line| out += line);
    if deviations.len() > SHOWN {
        out += &format!("  and {} others\n", deviations.len() - SHOWN);
    }
    out
}

fn world(path: &Path) -> Result<Registry, Fault> {
    run::world(&load(path)?).map_err(|what| fault(path, &what))
}

fn fault(path: &Path, what: &str) -> Fault {
    Fault::new(Blame::Input, format!("{}: {what}", path.display()), "name the folder schemas/vectors of this version")
}

fn load(path: &Path) -> Result<Value, Fault> {
    serde_json::from_slice(&super::read(path, VECTOR_BYTES)?).map_err(|e| fault(path, &e.to_string()))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The vectors of a set, in order; a set without any is none of this version.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let failed = |e: std::io::Error| fault(folder, &e.to_string());
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    if paths.is_empty() { Err(fault(folder, "it holds no vectors")) } else { Ok(paths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_hides_nothing() {
        let counts = Counts { accepted: 1, refused: 2, deviating: 3, not_read: 4 };
        let out = shown(&[(("documents", "release".to_owned()), counts)].into(), &[]);
        assert!(out.ends_with(" 1 accepted, 2 refused, as expected; 3 deviate; 4 not read by this program\n"), "{out}");
    }
}
