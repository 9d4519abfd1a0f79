//! What a contract and a plan over these files would say.

use super::look::{Column, DAY_NS, Table, fault, shown};
use super::names::slug;
use super::roles::{Roles, plain};
use crate::import::map::COLUMNS;
use fedaudit_core::contract::{OTHER, UNKNOWN};
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::limits;
use fedaudit_core::time::{Every, HOUR_NS, Time, Window, tumbling};

/// All that contract and plan say.
pub(super) struct Guess {
    pub contract: Name,
    pub model: String,
    pub versions: Vec<String>,
    /// Decision 0 and 1.
    pub decision: Pair,
    pub label: Option<Pair>,
    pub score: Option<(f64, f64)>,
    pub attributes: Vec<Attribute>,
    /// Names of attributes to cut by.
    pub slices: Vec<Vec<String>>,
    pub window: Window,
    pub release_after_hours: u32,
    pub sites: Vec<Name>,
    /// Columns that were left out, and why.
    pub left_out: Vec<(String, String)>,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

impl Guess {
    /// What the window is made of.
    pub fn unit(&self) -> &'static str {
        let days = [self.window.start, self.window.end].iter().all(|time| time.0.rem_euclid(DAY_NS) == 0);
        if days { "days (UTC)" } else { "hours (UTC)" }
    }
}

/// Two texts; the second is taken for the favourable, or positive, one.
pub(super) struct Pair {
    pub values: [String; 2],
    /// Why the second is.
    pub why: String,
}

/// A column that says who a person is.
pub(super) struct Attribute {
    pub name: String,
    /// In the order of the alphabet.
    pub categories: Vec<String>,
    /// The largest group.
    pub reference: String,
    /// How many values are no category, as fewer than [`K`] rows have them: everybody reads a contract.
    pub rare: usize,
    /// One of the names by which people ask whether decisions are fair. Any other column may hold anything, names of
    /// persons too: it is drafted as a comment.
    pub known: bool,
    /// The groups and their sizes, for the reader.
    pub counts: String,
}

/// Guesses all of it; `now` tells whether a release can be due.
pub(super) fn guess(table: &Table, roles: &Roles, now: Time) -> Result<Guess, Fault> {
    let mut notes = Vec::new();
    let model = texts(table, roles, "model_id");
    let [model, others @ ..] = &model[..] else {
        return Err(fault("model_id: no value that a contract can hold", "name the model in the files, or in a map"));
    };
    if !others.is_empty() {
        notes.push(format!(
            "the files are about several models; the contract is about {}, rows of {} are rejected: draft one for each",
            shown(model),
            others.iter().map(|other| shown(other)).collect::<Vec<_>>().join(", ")
        ));
    }
    let mut versions = texts(table, roles, "model_version");
    versions.sort();
    if versions.is_empty() {
        return Err(fault(
            "model_version: no value that a plan can hold",
            "name the version in the files, or in a map",
        ));
    }
    let decision = pair(roles.column(table, "decision"), "decision")?;
    let label = if roles.label { Some(pair(roles.column(table, "label"), "label")?) } else { None };
    let (window, release_after_hours) = when(table, roles, now, &mut notes)?;
    let (attributes, left_out) = attributes(table, roles);
    Ok(Guess {
        contract: slug(model).or_else(|| Name::new("model").ok()).ok_or_else(|| fault("no name", "report this"))?,
        model: model.clone(),
        versions,
        decision,
        label,
        score: score(table, roles)?,
        slices: slices(&attributes),
        attributes,
        window,
        release_after_hours,
        sites: table.files.iter().map(|file| file.site.clone()).collect(),
        left_out,
        notes,
    })
}

/// The values of a column, or its constant, most frequent first.
fn texts(table: &Table, roles: &Roles, ours: &str) -> Vec<String> {
    if let Some(text) = roles.map.constants.get(ours) {
        return vec![text.clone()];
    }
    let Some(column) = roles.column(table, ours) else { return Vec::new() };
    let values = column.by_count().into_iter().filter(|(value, _)| is_text(value));
    values.map(|(value, _)| value.to_owned()).collect()
}

/// Whether a document can hold this text.
fn is_text(value: &str) -> bool {
    value.chars().count() <= limits::EVENT_ID_CHARS && !value.chars().any(char::is_control)
}

/// The two values of a column, and which is likely the good one: no file can tell.
fn pair(column: Option<&Column>, ours: &str) -> Result<Pair, Fault> {
    let values: Vec<&str> = column.map(|column| column.values.keys().map(String::as_str).collect()).unwrap_or_default();
    let is = |value: &str, at: usize| WORDS.iter().any(|pair| pair[at] == value.to_lowercase());
    match values[..] {
        [a, b] if is(a, 1) && !is(b, 1) || is(b, 0) && !is(a, 0) => {
            Ok(Pair { values: [b.to_owned(), a.to_owned()], why: "by the word alone".to_owned() })
        }
        [a, b] if is(b, 1) || is(a, 0) => {
            Ok(Pair { values: [a.to_owned(), b.to_owned()], why: "by the word alone".to_owned() })
        }
        [a, b] => Ok(Pair { values: [a.to_owned(), b.to_owned()], why: "by the alphabet alone".to_owned() }),
        [only] => match opposite(only) {
            Some(values) => Ok(Pair { values, why: format!("only `{}` is in the files", shown(only)) }),
            None => Err(fault(
                &format!("{ours}: the only value is `{}`; two are compared", shown(only)),
                "give files in which both stand",
            )),
        },
        _ => Err(fault(&format!("{ours} is blank"), "give files with values in it")),
    }
}

/// A value and its opposite, where there can be but one, written alike; the good one is the second.
fn opposite(only: &str) -> Option<[String; 2]> {
    let alike = |word: &str| {
        let mut letters = only.chars();
        match (letters.next(), letters.next()) {
            (Some(first), Some(second)) if first.is_uppercase() && second.is_uppercase() => word.to_uppercase(),
            (Some(first), Some(_)) if first.is_uppercase() => {
                word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect()
            }
            (Some(first), None) if first.is_uppercase() => word.to_uppercase(),
            _ => word.to_owned(),
        }
    };
    let pair = WORDS.iter().take(OPPOSITES).find(|pair| pair.contains(&only.to_lowercase().as_str()))?;
    Some(pair.map(alike))
}

/// The range of the scores, if there are any.
fn score(table: &Table, roles: &Roles) -> Result<Option<(f64, f64)>, Fault> {
    let Some(seen) = roles.column(table, "score").filter(|_| roles.score).and_then(|column| column.numbers.range)
    else {
        return Ok(None);
    };
    let (min, max) = seen;
    let unfit = || {
        let what = format!("score: what lies between {min:e} and {max:e} cannot be cut into bins");
        fault(&what, "mend the scores, or leave their column out")
    };
    range(seen).map(Some).ok_or_else(unfit)
}

/// A score's range: 0 to 1 if all lie inside, else rounded outwards to two figures of its width. None if that is too
/// narrow or too wide to be cut into bins.
fn range((min, max): (f64, f64)) -> Option<(f64, f64)> {
    if min >= 0.0 && max <= 1.0 {
        return Some((0.0, 1.0));
    }
    let width = if max > min { max - min } else { 1.0 };
    if !width.is_normal() {
        return None;
    }
    let step = 10_f64.powf(width.log10().floor() - 1.0);
    let digits = usize::try_from(-(step.log10().round() as i64)).unwrap_or(0);
    let round = |value: f64| format!("{value:.digits$}").parse().unwrap_or(value);
    let (low, high) = (round((min / step).floor() * step), round((max / step).ceil() * step));
    // Rounding may not leave a score outside, nor a range without width.
    let (low, high) = (f64::min(low, min), f64::max(high, max));
    let high = if low < high { high } else { low + 1.0 };
    (high - low).is_normal().then_some((low, high))
}

/// The window, and how long after it labels are waited for.
fn when(table: &Table, roles: &Roles, now: Time, notes: &mut Vec<String>) -> Result<(Window, u32), Fault> {
    for ours in ["occurred_at", "labelled_at"] {
        if let Some(far) = roles.column(table, ours).and_then(|column| column.far.as_ref()) {
            let what = format!("{ours}: {far} is within a day of where times end");
            return Err(fault(&what, "mend the time, or leave a blank where it is not known"));
        }
    }
    let range = roles.column(table, "occurred_at").and_then(|column| column.times.range);
    let Some((first, last)) = range else {
        return Err(fault("occurred_at holds no times", "give a column of times, such as 2026-01-31T13:00:00Z"));
    };
    let cover = |every| Window { start: tumbling(every, first).start, end: tumbling(every, last).end };
    let days = cover(Every::Day);
    let short = last.0.saturating_sub(first.0) < DAY_NS;
    let window = if short || days.end > now { cover(Every::Hour) } else { days };
    let known = roles.column(table, "labelled_at").filter(|_| roles.label).and_then(|column| column.times.range);
    let late = known.map_or(0, |(_, last)| last.0.saturating_sub(window.end.0)).max(0);
    let rounded = |unit: i64| u32::try_from(late.div_euclid(unit) + i64::from(late % unit > 0)).unwrap_or(0);
    let due = |hours: u32| window.end.plus_ns(i64::from(hours).saturating_mul(HOUR_NS));
    let (days, hours) = (rounded(DAY_NS) * 24, rounded(HOUR_NS));
    let after = if due(days) > now { hours } else { days };
    if due(after) > now {
        notes
            .push(format!("nothing is released before {}: the window's end, and {after} hours for labels", due(after)));
    }
    Ok((window, after))
}

/// Columns that are attributes, and those left out with the reason.
fn attributes(table: &Table, roles: &Roles) -> (Vec<Attribute>, Vec<(String, String)>) {
    let (mut found, mut left) = (Vec::new(), Vec::new());
    let blank = |column: &Column| COLUMNS.contains(&column.name.as_str()) && column.filled == 0;
    for column in table.columns.iter().filter(|column| !roles.taken.contains(&column.name) && !blank(column)) {
        match attribute(table, column) {
            Ok(attribute) => found.push(attribute),
            Err(why) => left.push((column.name.clone(), why)),
        }
    }
    found.sort_by_key(|attribute| rank(&attribute.name));
    for attribute in found.split_off(found.len().min(limits::ATTRIBUTES)) {
        left.push((attribute.name, format!("a contract has at most {} attributes", limits::ATTRIBUTES)));
    }
    (found, left)
}

fn attribute(table: &Table, column: &Column) -> Result<Attribute, String> {
    let known = rank(&column.name) < KNOWN.len();
    let values: Vec<_> = column.by_count().into_iter().filter(|(v, _)| ![OTHER, UNKNOWN].contains(v)).collect();
    if COLUMNS.contains(&column.name.as_str()) {
        return Err("not used, and its name has another meaning in a contract".to_owned());
    }
    if !table.everywhere(column) {
        return Err("is not in every file".to_owned());
    }
    let most = if known && !column.is_numeric() { KNOWN_GROUPS } else { GROUPS };
    if column.many || values.len() > most {
        let many = if column.is_numeric() { "many different numbers" } else { "too many different values" };
        return Err(format!("{many} for groups: to compare by it, add a column with ranges or coarser groups"));
    }
    if !known && column.is_numeric() && values.len() > NUMBERS {
        return Err(format!("{} different numbers, rather a measure than groups", values.len()));
    }
    if !known && column.times.read > 0 {
        return Err("holds times".to_owned());
    }
    let texts = values.iter().all(|(value, _)| is_text(value));
    if !texts || !is_text(&column.name) {
        return Err("holds control characters or long texts".to_owned());
    }
    if values.len() < 2 {
        return Err(if column.filled == 0 { "is blank" } else { "has a single value" }.to_owned());
    }
    let (common, rare): (Vec<_>, Vec<_>) = values.into_iter().partition(|(_, count)| *count >= K);
    let [(reference, _), _, ..] = common[..] else {
        return Err(format!("fewer than two values have {K} rows or more"));
    };
    let mut categories: Vec<String> = common.iter().map(|(value, _)| (*value).to_owned()).collect();
    categories.sort();
    let counts = common.iter().map(|(value, count)| format!("{} {count}", shown(value))).collect::<Vec<_>>().join(", ");
    let (name, reference) = (column.name.clone(), reference.to_owned());
    Ok(Attribute { name, categories, reference, rare: rare.len(), known, counts })
}

/// Place among the names by which people ask whether decisions are fair; after them all for others.
fn rank(name: &str) -> usize {
    let name = plain(name);
    KNOWN.iter().position(|known| *known == name).unwrap_or(KNOWN.len())
}

/// Each well-known attribute on its own, and the first two together.
fn slices(attributes: &[Attribute]) -> Vec<Vec<String>> {
    let known: Vec<_> = attributes.iter().filter(|attribute| attribute.known).collect();
    let mut slices: Vec<_> = known.iter().map(|attribute| vec![attribute.name.clone()]).collect();
    if let [first, second, ..] = known[..]
        && first.categories.len() * second.categories.len() <= CROSSED_GROUPS
    {
        slices.push(vec![first.name.clone(), second.name.clone()]);
    }
    slices
}

#[cfg(test)]
mod tests;

/// The drafted plan's k; a value with fewer rows is not written into a contract either.
pub(super) const K: u64 = 10;
/// Most different values of an attribute, and of one with a well-known name.
const GROUPS: usize = 12;
const KNOWN_GROUPS: usize = 40;
/// Most different numbers that are groups (0 and 1, grades) rather than a measure.
const NUMBERS: usize = 5;
/// Most groups of two attributes together.
const CROSSED_GROUPS: usize = 12;
/// Opposites: the second is the one that people ask for.
const WORDS: [[&str; 2]; 21] = [
    ["0", "1"],
    ["0.0", "1.0"],
    ["no", "yes"],
    ["n", "y"],
    ["false", "true"],
    ["f", "t"],
    ["-1", "1"],
    ["nein", "ja"],
    ["non", "oui"],
    ["no", "si"],
    ["denied", "approved"],
    ["declined", "accepted"],
    ["rejected", "admitted"],
    ["refused", "granted"],
    ["deny", "approve"],
    ["reject", "accept"],
    ["fail", "pass"],
    ["failed", "passed"],
    ["negative", "positive"],
    ["bad", "good"],
    ["not selected", "selected"],
];
/// The first of them, which have no other opposite.
const OPPOSITES: usize = 6;
/// Attributes by which decisions are compared, the most usual first.
const KNOWN: [&str; 28] = [
    "sex",
    "gender",
    "race",
    "ethnicity",
    "ethnic_group",
    "age_group",
    "age_cat",
    "age_band",
    "agegroup",
    "age_range",
    "age_bracket",
    "disability",
    "disabled",
    "religion",
    "nationality",
    "citizenship",
    "foreign_worker",
    "marital_status",
    "sexual_orientation",
    "pregnancy",
    "veteran",
    "language",
    "insurance",
    "insurance_type",
    "income_group",
    "education",
    "region",
    "age",
];
