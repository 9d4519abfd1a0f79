//! The drafted documents. Counts stay out of them: whoever publishes them need not know how many people are in which group.

use super::guess::{Attribute, Guess, K};
use super::look::shown;
use crate::import::Map;
use std::fmt::Write as _;

/// `contract.toml`.
pub(super) fn contract(guess: &Guess) -> String {
    let Guess { contract, model, decision, attributes, .. } = guess;
    let [no, yes] = &decision.values;
    let mut toml = format!(
        "# Drafted by `fedaudit-agent contract draft`. What an event of the model looks like, at every site alike: a row\n\
         # that does not fit is rejected when it is imported. CHECK marks what the files could not tell.\n\
         contract = {}\n\
         version = 1\n\
         title = {}   # CHECK: what the model decides, in a line\n\
         task = \"binary\"\n\
         model = {}   # what the column model_id says\n\n\
         [decision]\n\
         values = [{}, {}]   # as the files write them; the second one is called \"selected\"\n\
         favourable = {}   # CHECK: guessed {}; which one is good for the person concerned?\n",
        quote(contract.as_str()),
        quote(&format!("Decisions of {model}")),
        quote(model),
        quote(no),
        quote(yes),
        quote(yes),
        decision.why
    );
    if let Some(label) = &guess.label {
        let [no, yes] = &label.values;
        let _ = write!(
            toml,
            "\n[label]\n\
             values = [{}, {}]\n\
             positive = {}   # CHECK: guessed {}; it must be the second of values, so swap both if it is the other\n",
            quote(no),
            quote(yes),
            quote(yes),
            label.why
        );
    }
    if let Some((min, max)) = guess.score {
        let _ = write!(
            toml,
            "\n[score]\nmin = {min:?}\nmax = {max:?}   # CHECK: can the model give scores outside? They would be rejected\n"
        );
    }
    let (known, others): (Vec<_>, Vec<_>) = attributes.iter().partition(|attribute| attribute.known);
    if !known.is_empty() {
        toml += "\n# CHECK: what may be compared. A value that is not listed counts as `other`, a blank as `unknown`.\n\
                 # Remove an attribute that no plan needs: what is not in the contract is not journaled.\n";
    }
    known.iter().for_each(|attribute| toml += &category_block(attribute, ""));
    if !others.is_empty() {
        toml += "\n# CHECK: columns whose names do not tell that they group people. A contract goes to every site and into every\n\
                 # bundle: remove the marks of one only if its values are no names of persons, and a plan needs it.\n";
    }
    others.iter().for_each(|attribute| toml += &category_block(attribute, "# "));
    toml.trim_end().to_owned() + "\n"
}

fn category_block(attribute: &Attribute, mark: &str) -> String {
    let categories: Vec<_> = attribute.categories.iter().map(|category| quote(category)).collect();
    format!(
        "{mark}[[attribute]]\n{mark}name = {}\n{mark}categories = [{}]\n\n",
        quote(&attribute.name),
        categories.join(", ")
    )
}

/// `plan.toml`.
pub(super) fn plan(guess: &Guess) -> String {
    let versions: Vec<_> = guess.versions.iter().map(|version| quote(version)).collect();
    let sites: Vec<_> = guess.sites.iter().map(|site| quote(site.as_str())).collect();
    let mut toml = format!(
        "# Drafted by `fedaudit-agent contract draft`. What is measured over the contract, when, and what may leave a site.\n\
         plan = \"first-look\"\n\
         version = 1\n\
         title = {}   # CHECK: your question, in a line\n\
         contract = {}\n\
         model_versions = [{}]\n\
         required_sites = [{}]   # a report without one of them is undecidable\n\
         min_site_n = 10   # sites with fewer events in a group are named, and left out of pooled effects\n\n\
         [windows]   # the whole {} that cover the files\n\
         start = \"{}\"\n\
         end = \"{}\"\n\
         release_after_hours = {}   # {}\n\n\
         [disclosure]\n\
         k = {K}   # CHECK: a slice with a count from 1 to k - 1 does not leave its site\n",
        quote(&title(guess)),
        quote(guess.contract.as_str()),
        versions.join(", "),
        sites.join(", "),
        guess.unit(),
        guess.window.start,
        guess.window.end,
        guess.release_after_hours,
        match (&guess.label, guess.release_after_hours) {
            (None, _) => "there are no labels to wait for",
            (_, 0) => "all labels are known by the window's end; later ones would not count",
            _ => "until the last label in the files; later ones do not count",
        },
    );
    if guess.slices.is_empty() {
        toml += "\n# CHECK: no column is surely one to cut by, so only all events together are reported.\n";
    } else {
        toml +=
            "\n# CHECK: by what events are cut, and the group that others are compared with (drafted: the largest).\n";
    }
    for slice in &guess.slices {
        toml += &block(guess, slice, "");
    }
    let others: Vec<_> = guess.attributes.iter().filter(|attribute| !attribute.known).collect();
    if !others.is_empty() {
        toml += "\n# CHECK: by what is a comment in contract.toml, too.\n";
    }
    for other in others {
        toml += &block(guess, std::slice::from_ref(&other.name), "# ");
    }
    toml.trim_end().to_owned() + "\n"
}

fn block(guess: &Guess, slice: &[String], mark: &str) -> String {
    let references = slice.iter().filter_map(|name| {
        guess.attributes.iter().find(|attribute| attribute.name == *name).map(|attribute| quote(&attribute.reference))
    });
    let references: Vec<_> = references.collect();
    let names: Vec<_> = slice.iter().map(|name| quote(name)).collect();
    format!(
        "{mark}[[slice]]\n{mark}attributes = [{}]\n{mark}reference = [{}]\n\n",
        names.join(", "),
        references.join(", ")
    )
}

/// The plan's question.
fn title(guess: &Guess) -> String {
    let names: Vec<_> =
        guess.slices.iter().filter(|slice| slice.len() == 1).flatten().map(|name| shown(name)).collect();
    match &names[..] {
        [] => format!("How often does {} decide in favour?", guess.model),
        [only] => format!("Does {} decide alike whatever the {only}?", guess.model),
        [first @ .., last] => format!("Does {} decide alike whatever the {} or {last}?", guess.model, first.join(", ")),
    }
}

/// `map.toml`.
pub(super) fn map(map: &Map) -> String {
    let mut toml = "# Drafted by `fedaudit-agent contract draft`: where these files name columns otherwise than a contract does.\n\
                    # import FILE --map map.toml reads them so; federation does if this stands beside contract.toml.\n"
        .to_owned();
    if !map.columns.is_empty() {
        toml += "\n[columns]   # our column = \"their column\"\n";
    }
    for (ours, theirs) in &map.columns {
        let shared = ours == "labelled_at" && map.labelled_with_occurred();
        let why = if shared { "   # CHECK: each label counts as known when its event occurred" } else { "" };
        let _ = writeln!(toml, "{} = {}{why}", key(ours), quote(theirs));
    }
    if !map.constants.is_empty() {
        toml += "\n[constants]   # our column = \"what stands for it in every row\"\n";
    }
    for (ours, text) in &map.constants {
        let _ = writeln!(toml, "{} = {}", key(ours), quote(text));
    }
    toml
}

/// A text as a TOML basic string.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A key: bare where it can be.
fn key(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare && !name.is_empty() { name.to_owned() } else { quote(name) }
}
