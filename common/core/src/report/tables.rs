//! The report's pooled figures as CSV files, for people who live in spreadsheets: a pure function of the report. They are no
//! evidence: whoever doubts them holds them against `report.json`.
//!
//! A row is a figure or a count, named by its place in `report.json`. Sites stand in `sites.csv`, all their events together, and in
//! `pair_sites.csv`, group against reference. Texts that a spreadsheet would take for formulas begin with an apostrophe.

use super::{MulticlassFigures, Multiplicity, PairFigures, Report, Scope, SliceFigures};
use crate::event::Tier;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a row belongs: columns that all files share.
#[derive(Clone, Default)]
struct Place {
    model_version: String,
    one_in: String,
    slice: String,
    group: String,
    against: String,
    site: String,
    window: String,
}

const COLUMNS: &str =
    "model_version,one_in,slice,group,against,site,window,figure,value,lower,upper,at_least,at_most,method,state\n";

/// The files of a report by path.
pub fn tables(report: &Report) -> BTreeMap<String, Vec<u8>> {
    let files = [
        ("groups", groups(report)),
        ("gaps", gaps(report)),
        ("pairs", pairs(report)),
        ("pair_sites", pair_sites(report)),
        ("sites", sites(report)),
        ("windows", windows(report)),
        ("drift", drift(report)),
        ("operations", operations(report)),
        ("impact", impact(report)),
        ("private", private(report)),
    ];
    let filled = files.into_iter().filter(|(_, rows)| !rows.is_empty());
    filled.map(|(name, rows)| (format!("tables/{name}.csv"), format!("{COLUMNS}{rows}").into_bytes())).collect()
}

fn groups(report: &Report) -> String {
    each_slice(report, |slice, place, rows| {
        for row in &slice.groups {
            let place = Place { group: row.group.join(" x "), ..place.clone() };
            add(rows, &place, "", &row.pooled);
            add(rows, &place, "classification", &row.classification);
            add(rows, &place, "ranking", &row.ranking);
            add(rows, &place, "calibration", &row.calibration);
            add(rows, &place, "identified", &row.identified);
            add(rows, &place, "multiclass", &row.multiclass);
            add_classes(rows, &place, &row.multiclass);
            add(rows, &place, "regression", &row.regression);
        }
    })
}

fn private(report: &Report) -> String {
    let mut rows = String::new();
    for scope in report.private.iter().flat_map(|private| &private.scopes) {
        for slice in &scope.slices {
            let place = Place { slice: slice.attributes.join(" x "), ..of(&scope.model_version, Tier::Full) };
            for group in &slice.groups {
                let place = Place { group: group.group.join(" x "), ..place.clone() };
                add_but(&mut rows, &place, "", group, &["group", "compared"]);
            }
        }
    }
    rows
}

fn gaps(report: &Report) -> String {
    each_slice(report, |slice, place, rows| {
        add(rows, place, "", &slice.parity);
        add(rows, place, "fairness", &slice.fairness);
        for row in slice.multiclass.iter().flat_map(|parity| &parity.classes) {
            add(rows, place, &format!("multiclass.classes.{}.selection_rate", row.class), &row.selection_rate);
        }
        add(rows, place, "multiclass", &slice.multiclass);
        add(rows, place, "regression", &slice.regression);
        let Some(four_fifths) = slice.fairness.as_ref().map(|fairness| &fairness.four_fifths) else { return };
        for row in &four_fifths.groups {
            let against = four_fifths.highest.as_ref().map(|group| group.join(" x ")).unwrap_or_default();
            let place = Place { group: row.group.join(" x "), against, ..place.clone() };
            add_but(rows, &place, "fairness.four_fifths", row, &["group"]);
        }
    })
}

fn pairs(report: &Report) -> String {
    let mut rows = each_slice(report, |slice, place, rows| {
        for pair in &slice.pairs {
            add_but(rows, &of_pair(place, slice, pair), "", pair, &["group", "sites"]);
        }
    });
    rows += &each_scope(report, |scope, place, rows| {
        let Multiplicity { significance, tests, undefined } = &scope.multiplicity;
        if !tests.is_empty() || *undefined > 0 {
            add(rows, place, "multiplicity.significance", significance);
            add(rows, place, "multiplicity.undefined", undefined);
        }
        for test in tests {
            let slice = scope.slices.iter().find(|slice| slice.attributes == test.attributes);
            let against = slice.map(|slice| slice.reference.join(" x ")).unwrap_or_default();
            let (slice, group) = (test.attributes.join(" x "), test.group.join(" x "));
            let name = format!("multiplicity.{}", word(&test.rate));
            let place = Place { slice, group, against, ..place.clone() };
            add_but(rows, &place, &name, test, &["attributes", "group", "rate"]);
        }
    });
    rows
}

fn pair_sites(report: &Report) -> String {
    each_slice(report, |slice, place, rows| {
        for pair in &slice.pairs {
            let place = of_pair(place, slice, pair);
            for (site, contrast) in slice.sites.iter().zip(&pair.sites) {
                add(rows, &Place { site: site.site.to_string(), ..place.clone() }, "", contrast);
            }
        }
    })
}

fn of_pair(place: &Place, slice: &SliceFigures, pair: &PairFigures) -> Place {
    Place { group: pair.group.join(" x "), against: slice.reference.join(" x "), ..place.clone() }
}

fn sites(report: &Report) -> String {
    each_scope(report, |scope, place, rows| {
        // Groups at each of hundreds of sites would be too many rows for a spreadsheet: they are in `report.json`.
        let Some(slice) = scope.slices.first() else { return };
        for row in &slice.groups {
            for (site, measures) in slice.sites.iter().zip(&row.sites) {
                let (group, site) = (row.group.join(" x "), site.site.to_string());
                add(rows, &Place { group, site, ..place.clone() }, "", measures);
            }
        }
    })
}

fn windows(report: &Report) -> String {
    each_scope(report, |scope, place, rows| {
        for window in &scope.windows {
            add(rows, &Place { window: window.window.to_string(), ..place.clone() }, "", &window.pooled);
        }
    })
}

fn drift(report: &Report) -> String {
    let mut rows = each_scope(report, |scope, place, rows| {
        for drift in &scope.drift {
            let place = Place { window: drift.window.to_string(), ..place.clone() };
            add(rows, &place, "selection_rate_change", &drift.selection_rate);
            add(rows, &place, "label_rate_change", &drift.label_rate);
            add(rows, &place, "score", &drift.scores);
            for (slice, groups) in scope.slices.iter().skip(1).zip(&drift.groups) {
                let place = Place { slice: slice.attributes.join(" x "), ..place.clone() };
                add(rows, &place, "groups", groups);
            }
        }
    });
    for feature in &report.feature_drift {
        let place = Place { window: feature.window.to_string(), group: feature.feature.clone(), ..Place::default() };
        add(&mut rows, &place, "feature", &feature.distribution);
    }
    rows
}

fn operations(report: &Report) -> String {
    let mut rows = String::new();
    add(&mut rows, &Place::default(), "", &report.operations);
    rows
}

fn impact(report: &Report) -> String {
    let mut rows = String::new();
    for (pack, table) in
        report.packs.iter().flat_map(|pack| pack.tables.iter().map(move |table| (&pack.pack.id, table)))
    {
        let name = format!("{pack}.{}", word(&table.kind));
        let mut place = of(&table.model_version, table.tier);
        place.slice = table.attributes.join(" x ");
        place.against = table.highest.as_ref().map(|group| group.join(" x ")).unwrap_or_default();
        add(&mut rows, &place, &format!("{name}.median"), &table.median);
        add(&mut rows, &place, &format!("{name}.unknown"), &table.unknown);
        for row in &table.rows {
            let place = Place { group: row.group.join(" x "), ..place.clone() };
            add_but(&mut rows, &place, &name, row, &["group"]);
        }
    }
    rows
}

/// Each class against all others, by its name.
fn add_classes(rows: &mut String, place: &Place, figures: &Option<MulticlassFigures>) {
    for class in figures.iter().flat_map(|figures| &figures.classes) {
        let name = format!("multiclass.classes.{}", class.class);
        add(rows, place, &format!("{name}.selected"), &class.selected);
        add(rows, place, &format!("{name}.selection_rate"), &class.selection_rate);
        add(rows, place, &name, &class.outcomes);
    }
    let top = figures.iter().filter_map(|figures| figures.outcomes.as_ref()).flat_map(|all| &all.top.accuracies);
    for row in top {
        add(rows, place, &format!("multiclass.outcomes.top.{}", row.k), &row.accuracy);
    }
}

fn each_scope(report: &Report, f: impl Fn(&Scope, &Place, &mut String)) -> String {
    let mut rows = String::new();
    report.scopes.iter().for_each(|scope| f(scope, &of(&scope.model_version, scope.tier), &mut rows));
    rows
}

fn each_slice(report: &Report, f: impl Fn(&SliceFigures, &Place, &mut String)) -> String {
    each_scope(report, |scope, place, rows| {
        for slice in &scope.slices {
            f(slice, &Place { slice: slice.attributes.join(" x "), ..place.clone() }, rows);
        }
    })
}

fn of(model_version: &str, tier: Tier) -> Place {
    Place { model_version: model_version.to_owned(), one_in: tier.weight().to_string(), ..Place::default() }
}

/// Adds what is there of a part of the report.
fn add(rows: &mut String, place: &Place, name: &str, part: &impl Serialize) {
    if let Ok(value) = serde_json::to_value(part) {
        flatten(rows, place, name, &value);
    }
}

/// The same without the keys that name the row's place.
fn add_but(rows: &mut String, place: &Place, name: &str, part: &impl Serialize, keys: &[&str]) {
    if let Ok(Value::Object(mut members)) = serde_json::to_value(part) {
        keys.iter().for_each(|key| _ = members.remove(*key));
        flatten(rows, place, name, &Value::Object(members));
    }
}

/// What `report.json` writes for one of several words.
fn word(of: &impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// A row for each figure and count in `value`, named by its way from there.
fn flatten(rows: &mut String, place: &Place, name: &str, value: &Value) {
    let inside = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Number(number) => row(rows, place, name, [&number.to_string(), "", "", "", ""], "", "value"),
        Value::Bool(known) => row(rows, place, name, [&known.to_string(), "", "", "", ""], "", "value"),
        Value::String(text) if text == "suppressed" => row(rows, place, name, [""; 5], "", "suppressed"),
        Value::String(text) => row(rows, place, name, [text, "", "", "", ""], "", "value"),
        Value::Object(object) => match (object.get("estimate"), object.get("not_estimable"), object.get("test")) {
            (Some(estimate), ..) => estimate_row(rows, place, name, estimate),
            _ if object.len() == 1 && object.contains_key("at_least") => {
                let least = object["at_least"].to_string();
                row(rows, place, name, ["", "", "", &least, ""], "", "bound");
            }
            (_, Some(Value::String(why)), _) => row(rows, place, name, [""; 5], why, "not estimable"),
            (.., Some(test)) if object.len() == 1 => flatten(rows, place, name, test),
            _ => object.iter().for_each(|(key, value)| flatten(rows, place, &inside(key), value)),
        },
        // Lists belong to other tables.
        Value::Array(_) | Value::Null => {}
    }
}

fn estimate_row(rows: &mut String, place: &Place, name: &str, estimate: &Value) {
    let number = |value: &Value| if value.is_number() { value.to_string() } else { String::new() };
    let ends = |of: &str| ["lower", "upper"].map(|end| number(&estimate[of][end]));
    let ([lower, upper], [at_least, at_most]) = (ends("interval"), ends("bounds"));
    let value = number(&estimate["value"]);
    let numbers = [&value, &lower, &upper, &at_least, &at_most].map(String::as_str);
    row(rows, place, name, numbers, estimate["method"].as_str().unwrap_or_default(), "estimate");
}

fn row(rows: &mut String, place: &Place, name: &str, numbers: [&str; 5], method: &str, state: &str) {
    let Place { model_version, one_in, slice, group, against, site, window } = place;
    let texts = [model_version, one_in, slice, group, against, site, window].map(String::as_str);
    let cells = texts.into_iter().chain([name]).map(cell).chain(numbers.into_iter().map(cell_of_value));
    let cells: Vec<String> = cells.chain([method, state].into_iter().map(cell)).collect();
    rows.push_str(&cells.join(","));
    rows.push('\n');
}

/// A number as it is, a text as a cell.
fn cell_of_value(text: &str) -> String {
    if text.parse::<f64>().is_ok() { text.to_owned() } else { cell(text) }
}

/// A text within a line (RFC 4180), which no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
        false => format!("{guard}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::world::{Gave, World};
    use serde_json::json;

    #[test]
    fn lists_have_rows() {
        let counts = |n: [u64; 4]| Gave::Counts(vec![[n[0], n[1]], [n[2], n[3]], [0, 0], [0, 0]]);
        let world = World::new(vec![
            ("a", counts([30, 70, 60, 40])),
            ("b", counts([40, 60, 50, 50])),
            ("c", counts([10, 90, 50, 50])),
            ("d", Gave::Nothing),
        ]);
        let files = tables(&world.report());
        let text = |name: &str| String::from_utf8_lossy(&files[&format!("tables/{name}.csv")]).into_owned();
        // Nothing is labelled. 80 of 300 women, 160 of 300 men: half as often, and z = -0.8/3 by the square root of 0.4 * 0.6 * 2/300.
        let z = (-80.0 / 300.0) / (0.4 * 0.6 * 2.0 / 300.0_f64).sqrt();
        for (file, start, value, state) in [
            ("gaps", "v1,1,gender,Female,Male,,,fairness.four_fifths.below,", "yes", "value"),
            ("gaps", "v1,1,gender,Female,Male,,,fairness.four_fifths.impact_ratio,", "0.5", "estimate"),
            ("pairs", "v1,1,gender,Female,Male,,,multiplicity.selection_rate.finding,", "corrected", "value"),
            ("pairs", "v1,1,gender,Female,Male,,,multiplicity.selection_rate.z,", &z.to_string()[..14], "value"),
            ("pairs", "v1,1,,,,,,multiplicity.undefined,", "3", "value"),
            ("pair_sites", "v1,1,gender,Female,Male,b,,contrast.difference,", "-0.", "estimate"),
            ("pair_sites", "v1,1,gender,Female,Male,b,,without,", "-0.3", "value"),
            ("pair_sites", "v1,1,gender,Female,Male,d,,left_out,", "", "value"),
        ] {
            let table = text(file);
            let row = table.lines().find_map(|row| row.strip_prefix(start));
            let row = row.unwrap_or_else(|| panic!("{start} is not in\n{table}"));
            assert!(row.starts_with(value) && row.ends_with(state), "{start}{row}");
        }
        assert_eq!(text("gaps").matches("four_fifths.below").count(), 1, "a row for each other group");
    }

    #[test]
    fn figures_become_rows() {
        let part = json!({
            "n": 3,
            "rate": { "estimate": { "value": 0.5, "interval": { "lower": 0.1, "upper": 0.9 }, "method": "wilson" } },
            "tail": { "at_least": 7.5 },
            "inner": { "auc": { "not_estimable": "immature" }, "ece": "suppressed", "none": null },
            "chi2": { "test": { "statistic": 2.5, "dof": 1, "p": 0.1 } },
            "list": [1, 2],
        });
        let place = Place { model_version: "=1+1".to_owned(), group: "a, \"b\"".to_owned(), ..Place::default() };
        let mut rows = String::new();
        add(&mut rows, &place, "", &part);
        let start = "'=1+1,,,\"a, \"\"b\"\"\",,,";
        let expected = [
            "chi2.dof,1,,,,,,value",
            "chi2.p,0.1,,,,,,value",
            "chi2.statistic,2.5,,,,,,value",
            "inner.auc,,,,,,immature,not estimable",
            "inner.ece,,,,,,,suppressed",
            "n,3,,,,,,value",
            "rate,0.5,0.1,0.9,,,wilson,estimate",
            "tail,,,,7.5,,,bound",
        ];
        let expected: String = expected.iter().map(|row| format!("{start},{row}\n")).collect();
        let mut found: Vec<&str> = rows.lines().collect();
        found.sort_unstable();
        assert_eq!(found.join("\n") + "\n", expected);
        assert_eq!(cell_of_value("-0.5"), "-0.5");
        assert_eq!(cell("-x"), "'-x");
    }
}
