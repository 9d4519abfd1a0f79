//! What ProPublica published about these scores (`published_checks.json` names notebook and cell of each figure).

use crate::{dataset, federation};
use fedaudit_core::report::{GroupFigures, Report};
use fedaudit_tests::figures;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;

/// The published value of `check`, to its tolerance.
#[track_caller]
fn published(checks: &Value, check: &str, found: f64) {
    let checks = checks.as_array().expect("a list");
    let wanted = checks.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("nothing is called {check}"));
    let (value, tolerance) = (wanted["published"].as_f64(), wanted["tolerance"].as_f64());
    let (value, tolerance) = (value.expect("a number"), tolerance.expect("a number"));
    assert!((found - value).abs() <= tolerance, "{check}: {found} is not {value}");
}

/// Truth tables at both cuts of the score: Medium and High against Low, and High against the rest.
pub fn truth_tables(report: &Report, checks: &Value) {
    let [whole, race, ..] = &report.scopes[0].slices[..] else { panic!("slices") };
    let group = |name: &str| race.groups.iter().find(|group| group.group == [name]).expect("a group");
    for (name, group) in
        [("All", &whole.groups[0]), ("African-American", group("African-American")), ("Caucasian", group("Caucasian"))]
    {
        let o = group.pooled.as_ref().and_then(|pooled| pooled.outcomes.as_ref()).expect("outcomes");
        table(checks, name, "(Medium+High vs Low)", "", [o.tn, o.fp, o.fn_, o.tp]);
        if name != "All" {
            // High is a decile of 8 to 10: the three upper bins of ten.
            let cut = |from: usize, to: usize| -> (u64, u64) {
                let bins = &group.reliability[from..to];
                (bins.iter().map(|bin| bin.n - bin.positives).sum(), bins.iter().map(|bin| bin.positives).sum())
            };
            let ((low0, low1), (high0, high1)) = (cut(0, 7), cut(7, 10));
            table(checks, name, "(High only)", " (High only)", [low0, high0, low1, high1]);
        }
    }
}

fn table(checks: &Value, name: &str, cut: &str, rates: &str, [tn, fp, fn_, tp]: [u64; 4]) {
    for (what, count) in [("survived_low", tn), ("survived_high", fp), ("recid_low", fn_), ("recid_high", tp)] {
        published(checks, &format!("{name} {what} {cut}"), count as f64);
    }
    let percent = |x: u64, n: u64| 100.0 * x as f64 / n as f64;
    published(checks, &format!("{name} FPR %{rates}"), percent(fp, fp + tn));
    published(checks, &format!("{name} FNR %{rates}"), percent(fn_, fn_ + tp));
}

/// The 6,172 rows of their regression table, chosen by the features, through a federation of their own.
#[test]
fn the_filtered_table_is_the_published_one() {
    let Some(data) = figures::shared("compas") else { return };
    let checks = figures::json(&data.join("../published_checks.json"));
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, out, sites) = (dir.path().join("filtered"), dir.path().join("out"), dir.path().join("sites"));
    filter(&data.join("sites"), &sites);
    dataset(&folder, &["two-years"], &sites, str::to_owned);
    federation(&folder, &out);
    let report = figures::report(&out);
    let [whole, race, ..] = &report.scopes[0].slices[..] else { panic!("slices") };
    let all = whole.groups[0].pooled.as_ref().expect("released");
    published(&checks, "filtered rows", all.n as f64);
    let n = |group: &GroupFigures| group.pooled.as_ref().map_or(0, |pooled| pooled.n) as f64;
    let races = ["African-American", "Asian", "Caucasian", "Hispanic", "Native American", "Other"];
    for name in races {
        let group = race.groups.iter().find(|group| group.group == [name]).expect("a group");
        published(&checks, &format!("filtered n {name}"), n(group));
    }
    let bins = &whole.groups[0].reliability;
    for (name, of) in [("Low", 0..4), ("Medium", 4..7), ("High", 7..10)] {
        let n: u64 = bins[of].iter().map(|bin| bin.n).sum();
        published(&checks, &format!("filtered n score {name}"), n as f64);
    }
    let outcomes = all.outcomes.as_ref().expect("outcomes");
    published(&checks, "filtered recidivists", (outcomes.tp + outcomes.fn_) as f64);
    published(&checks, "filtered recidivism %", 100.0 * figures::estimate(&outcomes.prevalence).value);
}

/// Keeps the rows that ProPublica kept: screened within 30 days of arrest, a known charge and outcome.
fn filter(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("makes");
    for file in std::fs::read_dir(from).expect("reads").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("reads");
        let mut lines = text.lines();
        let header = lines.next().expect("a header");
        let at = |name: &str| header.split(',').position(|column| column == name).expect("a column");
        let (days, recid, charge) = (at("days_b_screening_arrest"), at("is_recid"), at("c_charge_degree"));
        let text = at("score_text");
        let mut kept = std::fs::File::create(to.join(file.file_name())).expect("creates");
        writeln!(kept, "{header}").expect("writes");
        for line in lines {
            let fields: Vec<_> = line.split(',').collect();
            assert_eq!(fields.len(), header.split(',').count(), "no field is quoted");
            let near = fields[days].parse::<f64>().is_ok_and(|days| (-30.0..=30.0).contains(&days));
            if near && fields[recid] != "-1" && fields[charge] != "O" && fields[text] != "N/A" {
                writeln!(kept, "{line}").expect("writes");
            }
        }
    }
}

/// R prints Mantel-Haenszel's odds ratio of Berkeley for men to women; here the reference are men.
#[test]
fn berkeley_is_what_r_prints() {
    let Some(data) = figures::shared("ucb-admissions") else { return };
    let checks = figures::json(&data.join("../published_checks.json"));
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    fedaudit_tests::run("federation", &["--out".as_ref(), out.as_os_str()]).good();
    let report = figures::report(&out);
    let adjusted = &report.scopes[0].slices[1].pairs[0].mantel_haenszel;
    let odds = figures::estimate(&adjusted.odds_ratio);
    let interval = odds.interval.expect("an interval");
    published(&checks, "MH common OR (Male vs Female)", 1.0 / odds.value);
    published(&checks, "MH CI low", 1.0 / interval.upper);
    published(&checks, "MH CI high", 1.0 / interval.lower);
    let fedaudit_core::report::TestFigure::Test { statistic, p, .. } = adjusted.cmh_corrected else { panic!("a test") };
    published(&checks, "MH chi2, continuity corrected", statistic);
    published(&checks, "MH p", p);
}
