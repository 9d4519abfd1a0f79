//! The same data under k = 10: what is hidden says so, and cannot be had from what is not.

use crate::{dataset, federation};
use fedaudit_core::bundle::unpack;
use fedaudit_core::codec;
use fedaudit_core::disclosure::{Cell, Counts, ReleaseText, ReleasedSlice};
use fedaudit_core::report::{Report, State};
use fedaudit_tests::figures;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const K: u64 = 10;

#[test]
fn what_is_hidden_says_so_and_stays_hidden() {
    let Some(data) = figures::shared("compas") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, out) = (dir.path().join("compas"), dir.path().join("out"));
    dataset(&folder, &["two-years"], &data.join("sites"), |plan| plan.replace("k = 1\n", "k = 10\n"));
    let said = federation(&folder, &out);
    assert!(said.contains("slices suppressed at a site"), "{said}");
    let report: Report = figures::report(&out);
    let bundle = unpack(&std::fs::read(out.join("bundle.zip")).expect("reads")).expect("a bundle");
    let releases = bundle.plan.artifacts.values().map(|json| codec::from_json::<ReleaseText>(json).expect("a release"));
    let (mut hidden, mut attacked) = (0, 0);
    for release in releases {
        let truth = truth(&data.join(format!("sites/{}.csv", release.site)));
        for (at, slice) in release.strata[0].slices.iter().enumerate() {
            small_counts_are_absent(slice);
            let shown = &report.scopes[0].slices[at];
            let site = shown.sites.iter().position(|state| state.site == release.site).expect("a site");
            let is_hidden = slice.full().is_none();
            let state = shown.sites[site].state;
            assert_eq!(state != State::Released, is_hidden, "{} {:?}", release.site, slice.attributes);
            for (shown, group) in shown.groups.iter().zip(&slice.groups) {
                assert_eq!(shown.sites[site].is_some(), group.counts.full().is_some(), "{:?}", group.group);
            }
            hidden += usize::from(is_hidden);
            attacked += if is_hidden { attack(&release.strata[0].slices, slice, &truth) } else { 0 };
        }
    }
    let expected = figures::json(&data.join("expected.json"));
    let expected = &expected["scopes"]["compas-general-recidivism@broward-2013"];
    certain_bounds_hold_the_truth(&report, expected);
    let small = &expected["small_cells_below_10"];
    assert!(hidden >= small.as_array().expect("a list").len().min(4) && attacked > 30, "{hidden} {attacked}");
    let page = std::fs::read_to_string(out.join("report.html")).expect("reads");
    assert!(page.contains("race: suppressed at 2 of 4 sites"), "the page lists what is hidden");
    assert!(page.contains("race: some groups suppressed at 2 of 4 sites"), "the page lists what is hidden");
}

/// Where something is hidden, the rates over all rows lie where the report says that they must.
fn certain_bounds_hold_the_truth(report: &Report, expected: &Value) {
    let (mut held, mut narrow) = (0, 0);
    for slice in &report.scopes[0].slices {
        let [attribute] = &slice.attributes[..] else { continue };
        let attribute = &expected["pooled"]["attributes"][attribute.as_str()]["by_group"];
        for group in &slice.groups {
            assert_eq!(group.identified.is_some(), group.known_at < group.of_sites, "{:?}", group.group);
            let (Some(found), truth) = (&group.identified, &attribute[&group.group[0]]) else { continue };
            let rates = [
                (found.selection_rate, "selection_rate"),
                (found.tpr, "tpr"),
                (found.fpr, "fpr"),
                (found.ppv, "ppv"),
                (found.accuracy, "accuracy"),
            ];
            for (bounds, rate) in rates {
                let Some(truth) = truth[rate].as_f64() else { continue };
                let bounds = bounds.expect("bounds");
                assert!(bounds.contains(truth), "{:?} {rate}: {truth} is outside {bounds:?}", group.group);
                held += 1;
                narrow += usize::from(bounds.upper - bounds.lower < 0.5);
            }
        }
    }
    assert!(held > 20 && narrow >= 10, "{held} bounds, {narrow} of them say something");
}

/// Every count that is seen, in blocks and in histograms, is 0 or at least k.
fn small_counts_are_absent(slice: &ReleasedSlice) {
    for group in &slice.groups {
        let blocks = group.counts.full().into_iter().flatten().flatten();
        let totals = group.counts.margins();
        let totals: Vec<u64> = totals.iter().flat_map(|of| of.decisions.into_iter().chain(of.labels)).collect();
        let scores = group.scores.as_ref().and_then(Cell::value);
        let bins = scores.into_iter().flat_map(|scores| scores.histogram.iter().flatten().map(|bin| &bin.1));
        for count in blocks.chain(bins).chain(&totals).chain(&group.counts.events()) {
            assert!(*count == 0 || *count >= K, "{count} in {:?}", group.group);
        }
    }
}

/// Race and sex of a row, and its decision and label: the counts that nobody outside may learn.
type Truth = BTreeMap<([String; 3], usize, usize), u64>;

fn truth(path: &Path) -> Truth {
    let text = std::fs::read_to_string(path).expect("reads");
    let mut truth = Truth::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let (decision, label) = (fields[5].parse().expect("a decision"), fields[6].parse().expect("a label"));
        let attributes = [fields[8], fields[9], fields[10]].map(str::to_owned);
        *truth.entry((attributes, decision, label)).or_default() += 1;
    }
    truth
}

/// Bounds every count of a hidden slice by what else is seen of the site, and wants none between 0 and k pinned. How many there were.
///
/// For each decision and label the groups are a table of their own. A slice of one attribute is bounded by the total; a
/// slice of two by Fréchet's bounds from its margins, seen or not, which are exact for a two-way table.
fn attack(slices: &[ReleasedSlice], hidden: &ReleasedSlice, truth: &Truth) -> usize {
    let whole = slices[0].groups[0].counts.full().expect("all events are seen");
    let margin = |attribute: &String, value: &String| -> Option<&Counts> {
        let slice = slices.iter().find(|slice| slice.attributes == [attribute.clone()])?;
        slice.groups.iter().find(|group| group.group == [value.clone()])?.counts.full()
    };
    let mut attacked = 0;
    for group in &hidden.groups {
        for (decision, label) in (0..2).flat_map(|d| (0..2).map(move |l| (d, l))) {
            let total = whole[decision][label];
            let seen = |(attribute, value)| margin(attribute, value).map(|counts| counts[decision][label]);
            let margins: Vec<_> = hidden.attributes.iter().zip(&group.group).map(seen).collect();
            let upper = margins.iter().flatten().copied().min().unwrap_or(total);
            let sum: Option<u64> = margins.iter().copied().sum();
            let lower = sum.filter(|_| margins.len() == 2).map_or(0, |sum| sum.saturating_sub(total));
            let names = ["race", "sex", "age_cat"];
            let is = |attributes: &[String; 3]| {
                hidden.attributes.iter().zip(&group.group).all(|(attribute, value)| {
                    names.iter().position(|name| name == attribute).is_some_and(|at| attributes[at] == *value)
                })
            };
            let count: u64 =
                truth.iter().filter(|((a, d, l), _)| is(a) && (*d, *l) == (decision, label)).map(|(_, n)| n).sum();
            assert!((lower..=upper).contains(&count), "{:?}: {count} is outside {lower} to {upper}", group.group);
            if count > 0 && count < K {
                assert!(lower < upper, "{:?}: {count} follows from what is seen", group.group);
                attacked += 1;
            }
        }
    }
    attacked
}
