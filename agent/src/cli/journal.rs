//! `journal ...` and `erase`: what the journal holds, whether it is whole, and what it says of an event or a person.

use crate::archive;
use crate::home::Home;
use crate::intake::{Pairs, Scalar};
use crate::journal::{Found, Journal};
use crate::reproduce::{check_left, reproduce};
use crate::site::Site;
use clap::Subcommand;
use fedaudit_core::contract::Contract;
use fedaudit_core::contract::feature::{FeatureValue, digest};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::KeyUse;
use fedaudit_core::limits::BLOCK_RECORDS;
use fedaudit_core::note::LogProof;
use fedaudit_core::roster::journal_origin;
use fedaudit_core::time::Time;
use fedaudit_link::home::{self, now};
use fedaudit_link::say;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum JournalCommand {
    /// Hash every record again, here and in the archive, and hold it against the blocks' roots, and these against every
    /// checkpoint that left.
    Verify {
        /// The archive's folder; left out, that of config.toml.
        #[arg(long)]
        archive: Option<PathBuf>,
    },
    #[command(flatten)]
    Retention(archive::Command),
    /// Compute a release again and compare it with what left.
    Reproduce {
        /// The first digits of its digest, as `release list --json` shows them, or `all`.
        release: String,
        /// The archive's folder, for records that have left the journal; left out, that of config.toml.
        #[arg(long)]
        archive: Option<PathBuf>,
    },
    /// Write a proof that the journal holds an event, under a checkpoint that this site signs.
    Prove {
        /// Its id, or `#` and its position.
        event: String,
        /// Its contract, where the site knows several.
        #[arg(long)]
        contract: Option<String>,
        /// Where to write it, in the format of C2SP tlog-proof.
        #[arg(long)]
        out: PathBuf,
    },
    /// Say whether features are those of an event: match, no match, or erased.
    Match {
        /// Its id, or `#` and its position.
        event: String,
        /// Its contract, where the site knows several.
        #[arg(long)]
        contract: Option<String>,
        /// The features, a JSON object.
        #[arg(long)]
        features: PathBuf,
    },
    /// List the events of a subject, newest first.
    Find {
        /// The subject, as the site's systems call them; `-` reads it from standard input.
        #[arg(long)]
        subject: String,
        /// From when on (RFC 3339).
        #[arg(long)]
        from: Option<String>,
        /// Until before when.
        #[arg(long)]
        to: Option<String>,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Close the segment that is written to; it is never written to again.
    Seal,
}

pub(super) fn run(command: JournalCommand, home: Home) -> Result<(), Fault> {
    if let JournalCommand::Verify { archive } = command {
        return verify(home, archive.as_deref());
    }
    let mut site = Site::open(home)?;
    match command {
        JournalCommand::Verify { .. } => Ok(()),
        JournalCommand::Retention(command) => command.run(&mut site, now()),
        JournalCommand::Reproduce { release, archive } => reproduce_named(&mut site, &release, archive.as_deref()),
        JournalCommand::Prove { event, contract, out } => prove(&mut site, &event, contract.as_deref(), &out),
        JournalCommand::Match { event, contract, features } => {
            match_features(&mut site, &event, contract.as_deref(), &features)
        }
        JournalCommand::Find { subject, from, to, json } => find(&mut site, &subject, from, to, json),
        JournalCommand::Seal => {
            site.journal.seal(&mut site.rng)?;
            say!("sealed");
            Ok(())
        }
    }
}

/// `erase SUBJECT`
pub(super) fn erase(mut site: Site, subject: &str) -> Result<(), Fault> {
    let subject = secret_argument(subject)?;
    let events = site.journal.erase(&subject, now(), &mut site.rng)?;
    match events {
        0 => say!("no event of this subject is known; nothing was left to erase"),
        _ => say!("erased: what said that {events} events are of this subject, their ids, salts and key"),
    }
    say!("what stays are codes, times and random tokens; files imported and rejects are the site's to delete");
    Ok(())
}

/// A name that should not stand in the list of processes can come by standard input.
fn secret_argument(text: &str) -> Result<String, Fault> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|e| Fault::new(Blame::Operator, format!("standard input: {e}"), "pipe the subject in"))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn verify(home: Home, archive: Option<&Path>) -> Result<(), Fault> {
    let mut journal = Journal::open(&home.dir)?;
    let report = journal.verify()?;
    for log in &report.logs {
        say!("{}: {}, root {}", log.name, log.counts(), log.root);
    }
    if report.erased > 0 {
        say!("{} predictions are erased: nothing says whose they are", report.erased);
    }
    let [checked, unchecked] = archive::verify(&home, &mut journal, archive)?;
    for (segments, what) in [(checked, "whole"), (unchecked, "NOT checked: name its folder with --archive")] {
        if !segments.is_empty() {
            say!("archive: {} segments {what}", segments.len());
        }
    }
    drop(journal);
    if home.enrolment().is_ok() {
        let left = check_left(&mut Site::open(home)?)?;
        say!("{left} checkpoints that left: the journal continues each");
    }
    Ok(())
}

fn reproduce_named(site: &mut Site, wanted: &str, archive: Option<&Path>) -> Result<(), Fault> {
    let releases = site.outbox.releases()?;
    let chosen: Vec<_> = releases
        .iter()
        .filter(|release| release.kind == crate::outbox::Kind::Release)
        .filter(|release| wanted == "all" || Digest::of(&release.envelope).to_string().starts_with(wanted))
        .collect();
    if chosen.is_empty() || (chosen.len() > 1 && wanted != "all") {
        let what = format!("{} releases of this site begin with `{wanted}`", chosen.len());
        return Err(Fault::new(Blame::Operator, what, "`release list --json` shows their digests, `envelope`"));
    }
    let (unsalted, chosen): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|release| wanted == "all" && release.is_unsalted());
    for release in unsalted {
        say!("release {} of {}: taken back from the log; its salt is lost", release.sequence, release.window);
    }
    reproduce(site, &chosen, archive, |release, done| {
        say!("release {} of {}: reproduced", release.sequence, release.window);
        say!("  {} predictions, {} outcomes, padding included", done.sizes[0], done.sizes[1]);
        say!("  raw aggregate {}: as signed", done.raw);
        if let Some(noise) = done.noise {
            say!("  noise: {noise}");
        }
        say!("  release.json {}: as sent", done.artifact);
    })
}

/// The contract that is meant: the only one, or the one named.
fn contract(site: &Site, wanted: Option<&str>) -> Result<Contract, Fault> {
    let registry = site.mirror.registry();
    let mut known: Vec<_> = registry.contracts().cloned().collect();
    known.retain(|contract| {
        wanted.is_none_or(|name| contract.contract.to_string() == name || contract.journal_key() == name)
    });
    // Of several versions the latest, unless one is named.
    known.sort_by_key(|contract| contract.version);
    let names: std::collections::BTreeSet<_> = known.iter().map(|contract| contract.contract.clone()).collect();
    match (names.len(), known.pop()) {
        (1, Some(contract)) => Ok(contract),
        (0, _) => Err(Fault::new(Blame::Operator, "no such contract", "`plan list` reads the registry")),
        _ => Err(Fault::new(Blame::Operator, "this site knows several contracts", "name one: --contract NAME")),
    }
}

/// The position of an event of this journal, named by its id or by `#` and the position itself.
fn position(site: &mut Site, contract: &Contract, event: &str) -> Result<u64, Fault> {
    let position = match event.strip_prefix('#') {
        Some(number) => {
            number.parse().map_err(|_| Fault::new(Blame::Operator, format!("{event} is no position"), "such as #17"))?
        }
        None => site.journal.position_of(contract, event)?.ok_or_else(|| {
            let what = format!("no event is called `{}`, or it was erased", event.escape_debug());
            Fault::new(Blame::Operator, what, "an erased event is found by its position only: #N")
        })?,
    };
    let [log, _] = contract.journal_logs();
    site.journal.check_event(&log, position)?;
    Ok(position)
}

fn prove(site: &mut Site, event: &str, wanted: Option<&str>, out: &Path) -> Result<(), Fault> {
    let contract = contract(site, wanted)?;
    let position = position(site, &contract, event)?;
    if out.exists() {
        let what = format!("{} exists", out.display());
        return Err(Fault::new(Blame::Operator, what, "name a file that does not exist: a proof replaces nothing"));
    }
    let key = site.key(KeyUse::Note)?;
    let [log, _] = contract.journal_logs();
    // Nothing that can fail for another reason than the disk comes after a pad.
    let mut size = site.journal.size(&log)? / BLOCK_RECORDS * BLOCK_RECORDS;
    if position >= size {
        size = site.journal.pad_to(&log, site.home.config.pad_blocks, &mut site.rng)?;
    }
    let (record, hashes) = site.journal.prove(&log, position, size)?;
    let origin = journal_origin(&site.enrolment.federation, &site.enrolment.site, site.enrolment.epoch, &log);
    let note = site.journal.checkpoint(&log, size, &origin)?.sign(&key);
    let checkpoint =
        note.map_err(|e| Fault::new(Blame::Site, format!("checkpoint of {origin}: {e}"), "report this"))?;
    let proof = LogProof { index: position, extra: Some(record), hashes, checkpoint };
    home::create_new(out, proof.to_text().as_bytes(), 0o600)?;
    say!("record {position} of {log}, below the checkpoint of {size}: {}", out.display());
    say!("its line `extra` is the record itself; the leaf is SHA-256 of a zero byte and these bytes");
    Ok(())
}

fn match_features(site: &mut Site, event: &str, wanted: Option<&str>, file: &Path) -> Result<(), Fault> {
    let contract = contract(site, wanted)?;
    let input = |e: &dyn std::fmt::Display| {
        Fault::new(
            Blame::Input,
            format!("{}: {e}", file.display()),
            "a JSON object: {\"age\": 41, \"sex\": \"female\"}",
        )
    };
    let text = std::fs::read(file).map_err(|e| input(&e))?;
    let given: Pairs<Scalar> = serde_json::from_slice(&text).map_err(|e| input(&e))?;
    let mut values = vec![None; contract.features.len()];
    for (name, scalar) in &given.0 {
        let (name, shown) = (name.as_str(), name.as_str().escape_debug());
        let slot = contract.features.iter().position(|feature| feature.name == name).and_then(|at| values.get_mut(at));
        let slot = slot.ok_or_else(|| input(&format!("the contract has no feature `{shown}`")))?;
        if slot.replace(scalar.value()).is_some() {
            return Err(input(&format!("twice the feature `{shown}`")));
        }
    }
    let values: Vec<FeatureValue> = values.into_iter().map(Option::unwrap_or_default).collect();
    let position = position(site, &contract, event)?;
    let matched = site.journal.match_features(&contract.journal_key(), position, &digest(&values))?;
    say!(
        "{}",
        match matched {
            Some(true) => "match",
            Some(false) => "no match",
            None => "erased",
        }
    );
    Ok(())
}

fn find(site: &mut Site, subject: &str, from: Option<String>, to: Option<String>, json: bool) -> Result<(), Fault> {
    let time = |text: Option<String>, default: i64| match text {
        None => Ok(Time(default)),
        Some(text) => {
            Time::parse(&text).map_err(|e| Fault::new(Blame::Operator, e.to_string(), "such as 2026-01-31T00:00:00Z"))
        }
    };
    let (from, to) = (time(from, i64::MIN)?, time(to, i64::MAX)?);
    let found = site.journal.find(&secret_argument(subject)?, from, to)?;
    let versions = site.journal.model_versions()?;
    let version =
        |found: &Found| versions.get(found.prediction.model_version as usize).map(|(_, version)| version.clone());
    if json {
        let rows = found.iter().map(|of| {
            serde_json::json!({
                "contract": of.contract, "position": of.position, "event_id": of.event_id,
                "occurred_at": of.prediction.occurred_at, "model_version": version(of), "explanation": of.explanation,
            })
        });
        say!("{}", rows.collect::<serde_json::Value>());
        return Ok(());
    }
    for of in &found {
        let version = version(of).unwrap_or_default();
        let explanation = of.explanation.as_deref().unwrap_or_default();
        say!(
            "{}\t#{}\t{}\t{}\t{version}\t{explanation}",
            of.contract,
            of.position,
            of.prediction.occurred_at,
            of.event_id
        );
    }
    say!("{} events", found.len());
    Ok(())
}
