//! From a site's own files to a contract and a plan that fit them: `contract draft`. It reads the files twice and writes
//! nothing but the drafts; everything that it guessed, it says.
//!
//! `look` at the columns, find their `roles`, `guess` the rest, write it down as `text`, and make a `trial`.

mod guess;
mod look;
mod names;
mod roles;
mod text;
mod trial;

use crate::import::Map;
use crate::import::columns::list;
use fedaudit_core::contract::{self, Contract};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::plan::{self, Plan};
use fedaudit_core::time::Time;
use fedaudit_link::home::create_new;
use fedaudit_link::say;
use guess::{Guess, K};
use look::{REASON_CHARS, Table, cut, fault, shown};
pub use names::{rename_of, site_of};
use roles::Roles;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trial::Tried;

/// Commands about contracts.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write a contract and a plan that fit CSV files (.csv, .csv.gz), to be read and corrected by people.
    Draft(Draft),
}

/// What to draft from.
#[derive(clap::Args)]
pub struct Draft {
    /// The files, one a site, each named as its site is to be called.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Folder for contract.toml, plan.toml and, where columns have other names, map.toml; nothing is replaced.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// What some columns are called, where the names alone do not tell (TOML).
    #[arg(long)]
    map: Option<PathBuf>,
}

/// Runs a command.
///
/// # Errors
/// Files from which nothing can be drafted, or drafts that are there already; then nothing is written.
pub fn command(command: &Command, now: Time) -> Result<(), Fault> {
    let Command::Draft(draft) = command;
    let given = draft.map.as_deref().map(Map::open).transpose()?.unwrap_or_default();
    let places = Places::new(draft);
    places.are_free()?;
    let table = Table::read(&sites(&draft.files)?)?;
    let roles = roles::find(&table, &given)?;
    let guess = guess::guess(&table, &roles, now)?;
    let documents = Documents::write(&guess)?;
    let tried: Result<Vec<_>, _> =
        table.files.iter().map(|file| trial::attempt(file, &documents.contract, &documents.plan, &roles.map)).collect();
    let tried = tried?;
    if let (true, Some((line, why))) = (
        tried.iter().map(|t| t.rejected).sum::<u64>() == table.rows(),
        tried.iter().find_map(|t| t.first_rejects.first()),
    ) {
        let what = format!("no row of these files could be imported; the first, line {line}: {why}");
        return Err(fault(&what, "mend the files, and draft again"));
    }
    let written = places.write(&documents, &given, &roles.map)?;
    say_columns(&table, &roles);
    say_guess(&guess);
    say_trial(&table, &guess, &tried);
    say!("wrote {}", written.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "));
    say_next(&table, &draft.out);
    Ok(())
}

/// The files with their sites.
fn sites(files: &[PathBuf]) -> Result<Vec<(PathBuf, Name)>, Fault> {
    let mut found: BTreeMap<Name, &Path> = BTreeMap::new();
    for file in files {
        let rename = "one file a site: name each as its site is called, in letters a-z, digits and -";
        let site = site_of(file).ok_or_else(|| fault(&format!("{} names no site", file.display()), rename))?;
        if let Some(other) = found.insert(site.clone(), file) {
            let what = format!("{} and {} are both named for site {site}", other.display(), file.display());
            return Err(fault(&what, rename));
        }
    }
    Ok(files.iter().filter_map(|file| Some((file.clone(), site_of(file)?))).collect())
}

/// The drafts, as text and as the programs read it.
struct Documents {
    texts: [String; 2],
    contract: Contract,
    plan: Plan,
}

impl Documents {
    fn write(guess: &Guess) -> Result<Documents, Fault> {
        let texts = [text::contract(guess), text::plan(guess)];
        let misfit = |e: String| fault(&format!("the draft does not hold together: {e}"), "report this");
        let contract = contract::from_toml(&texts[0]).map_err(misfit)?;
        // The contract's digest is known when it is published; any stands for it here.
        let plan = plan::from_toml(&texts[1], |_| Some(Digest([0; 32]))).map_err(misfit)?;
        plan.check_against(&contract).map_err(misfit)?;
        Ok(Documents { texts, contract, plan })
    }
}

/// Where the drafts go.
struct Places<'a> {
    out: &'a Path,
    contract: PathBuf,
    plan: PathBuf,
    map: PathBuf,
    /// The map that was given is the one in `out`.
    map_given: bool,
}

impl<'a> Places<'a> {
    fn new(draft: &'a Draft) -> Self {
        let [contract, plan, map] = ["contract.toml", "plan.toml", "map.toml"].map(|name| draft.out.join(name));
        let given = draft.map.as_ref().and_then(|path| path.canonicalize().ok());
        let map_given = given.is_some_and(|given| map.canonicalize().is_ok_and(|map| map == given));
        Places { out: &draft.out, contract, plan, map, map_given }
    }

    fn are_free(&self) -> Result<(), Fault> {
        let map = (!self.map_given).then_some(&self.map);
        let there: Vec<_> = [&self.contract, &self.plan].into_iter().chain(map).filter(|path| path.exists()).collect();
        match there[..] {
            [] => Ok(()),
            _ => {
                let there: Vec<_> = there.iter().map(|path| path.display().to_string()).collect();
                let what = format!("nothing was drafted: {} is there already", there.join(", "));
                Err(Fault::new(Blame::Operator, what, "name another folder with --out, or move away what is there"))
            }
        }
    }

    /// Writes what is needed; all of it, or nothing.
    fn write(&self, documents: &Documents, given: &Map, map: &Map) -> Result<Vec<PathBuf>, Fault> {
        let mut files = vec![(&self.contract, documents.texts[0].clone()), (&self.plan, documents.texts[1].clone())];
        if self.map_given && map != given {
            let what = format!(
                "{} lacks some of the names; with all of them it would be:\n\n{}",
                self.map.display(),
                text::map(map)
            );
            return Err(fault(&what, "put these lines into the map, or name another folder with --out"));
        }
        if !self.map_given && *map != Map::default() {
            files.push((&self.map, text::map(map)));
        }
        std::fs::create_dir_all(self.out).map_err(|e| {
            Fault::new(Blame::Operator, format!("cannot make {}: {e}", self.out.display()), "name another --out")
        })?;
        let mut written = Vec::new();
        for (path, text) in files {
            if let Err(fault) = create_new(path, text.as_bytes(), MODE) {
                written.iter().for_each(|path| _ = std::fs::remove_file(path));
                return Err(fault);
            }
            written.push(path.clone());
        }
        Ok(written)
    }
}

fn say_columns(table: &Table, roles: &Roles) {
    let files = if table.files.len() == 1 { "file" } else { "files" };
    say!("read {} {files}, {} rows", table.files.len(), table.rows());
    for file in &table.files {
        let between = match file.separator {
            b',' => "",
            b';' => ", separated by semicolons",
            b'\t' => ", separated by tabs",
            _ => ", separated by bars",
        };
        say!("  {:<20} {} rows{between}: {}", file.site, file.rows, file.path.display());
    }
    say!("columns");
    for (ours, what) in &roles.said {
        say!("  {ours:<20} {what}");
    }
}

fn say_guess(guess: &Guess) {
    let line = |key: &str, what: &str| say!("  {key:<20} {what}");
    say!("guessed");
    let pairs = [("decision", "favourable", Some(&guess.decision)), ("label", "positive", guess.label.as_ref())];
    for (ours, good, pair) in pairs {
        let Some(pair) = pair else { continue };
        let [no, yes] = pair.values.each_ref().map(|value| shown(value));
        line(ours, &format!("\"{no}\" or \"{yes}\"; {good} \"{yes}\", {}: CHECK", pair.why));
    }
    if let Some((min, max)) = guess.score {
        line("score", &format!("{min} to {max}"));
    }
    line("model", &format!("{}, version {}", shown(&guess.model), list(&guess.versions)));
    line("window", &format!("{}, the whole {} that cover all events", guess.window, guess.unit()));
    match (&guess.label, guess.release_after_hours) {
        (None, _) => {}
        (_, 0) => line("release", "at its end: all labels are known by then"),
        (_, hours) => line("release", &format!("{hours} hours after its end, when the last label is known")),
    }
    for attribute in &guess.attributes {
        line(&shown(&attribute.name), &format!("{}; reference {}", attribute.counts, shown(&attribute.reference)));
        if attribute.rare > 0 {
            let values = if attribute.rare == 1 { "value" } else { "values" };
            let why = format!("left out of the categories, as fewer than {K} rows have them");
            line("", &format!("{why}: {} {values}; they count as other", attribute.rare));
        }
        if !attribute.known {
            line("", "no usual name of an attribute, so contract.toml and plan.toml have it as a comment: CHECK");
        }
    }
    for slice in guess.slices.iter().filter(|slice| slice.len() > 1) {
        line("together", &slice.iter().map(|name| shown(name)).collect::<Vec<_>>().join(" x "));
    }
    if guess.attributes.is_empty() {
        line("no attribute", "no column has groups to compare, such as sex or age_group");
    }
    if !guess.left_out.is_empty() {
        say!("left out");
    }
    for (name, why) in &guess.left_out {
        line(&shown(name), why);
    }
}

fn say_trial(table: &Table, guess: &Guess, tried: &[Tried]) {
    say!("tried");
    let rejected: u64 = tried.iter().map(|tried| tried.rejected).sum();
    match rejected {
        0 => say!("  all {} rows fit the contract", table.rows()),
        _ => say!("  {rejected} of {} rows would be rejected:", table.rows()),
    }
    for (file, tried) in table.files.iter().zip(tried) {
        for (line, why) in &tried.first_rejects {
            say!("    {}, line {line}: {}", file.path.display(), cut(why, REASON_CHARS));
        }
        if tried.rejected > tried.first_rejects.len() as u64 {
            say!("    {}: {} in all", file.path.display(), tried.rejected);
        }
    }
    for (slice, sites) in withheld(table, tried) {
        let what = if slice.is_empty() { "all events".to_owned() } else { slice.join(" x ") };
        say!(
            "  {} would withhold {}: a count in it is from 1 to {}, below k = {K}",
            sites.join(", "),
            shown(&what),
            K - 1
        );
    }
    if tried.iter().any(|tried| !tried.withheld.is_empty()) {
        say!("  to see more: coarser groups, fewer attributes at once, or a lower k in plan.toml");
    }
    for note in &guess.notes {
        say!("  note: {note}");
    }
}

/// Slices that sites would withhold, and which sites.
fn withheld(table: &Table, tried: &[Tried]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut found: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (file, tried) in table.files.iter().zip(tried) {
        for slice in &tried.withheld {
            found.entry(slice.clone()).or_default().push(file.site.to_string());
        }
    }
    found
}

fn say_next(table: &Table, out: &Path) {
    say!("next");
    say!("  read the drafts: CHECK marks what the files could not tell");
    let sites = out.join("sites");
    for file in &table.files {
        let folder = file.path.parent().and_then(|folder| folder.canonicalize().ok());
        let there = folder.is_some() && folder == sites.canonicalize().ok();
        let name = rename_of(&file.path);
        if let (true, Some(name)) = (there, &name) {
            say!("  rename {} to {name}", file.path.display());
        } else if !there {
            let name = name.unwrap_or_else(|| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            say!("  put {} there as {}", file.path.display(), sites.join(name).display());
        }
    }
    say!("  try it all on this machine: federation {} --out report", out.display());
    say!("  or have governance publish it: fedaudit-aggregator contract publish, then plan publish");
}

/// Mode of drafts: they are meant to be handed on.
const MODE: u32 = 0o644;
