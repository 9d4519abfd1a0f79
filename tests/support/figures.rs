//! Reports held against the figures that other software computed from the same rows (`expected.json` of the shared data).

use fedaudit_core::codec;
use fedaudit_core::report::{Estimate, Figure, Gap, Measures, PairFigures, Parity, Report, SliceFigures, TestFigure};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The folder of a shared data set; none where it is absent, which CI does not allow.
///
/// # Panics
/// It is absent in CI.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    let folder = folder.canonicalize();
    if folder.is_err() {
        assert!(std::env::var_os("CI").is_none(), "the shared data {path} are absent: CI demands them");
        eprintln!("NOT CHECKED against other software: the shared data {path} are absent");
    }
    folder.ok()
}

/// A JSON file.
///
/// # Panics
/// It is none.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("well-formed")
}

/// The report that a federation left in `out`.
///
/// # Panics
/// There is none.
pub fn report(out: &Path) -> Report {
    codec::from_json(&std::fs::read(out.join("report.json")).expect("written")).expect("a report")
}

/// `found` is `expected`, to `tolerance * max(1, |expected|)`.
///
/// # Panics
/// It is not.
#[track_caller]
pub fn near(found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

/// The estimate of a figure that has one.
///
/// # Panics
/// It has none.
#[track_caller]
pub fn estimate(figure: &Figure) -> &Estimate {
    let Figure::Estimate(estimate) = figure else { panic!("{figure:?}") };
    estimate
}

/// A figure is `expected`, or undefined where that is null or absent.
///
/// # Panics
/// It is not.
#[track_caller]
pub fn same(figure: &Figure, expected: &Value) {
    match expected {
        Value::Null => assert!(matches!(figure, Figure::NotEstimable(_)), "{figure:?} where nothing is expected"),
        _ => near(estimate(figure).value, expected, 1e-9),
    }
}

/// A figure and its interval are as expected.
///
/// # Panics
/// They are not.
#[track_caller]
pub fn with_interval(figure: &Figure, value: &Value, interval: &Value) {
    let estimate = estimate(figure);
    near(estimate.value, value, 1e-9);
    let bounds = estimate.interval.expect("an interval");
    near(bounds.lower, &interval[0], 1e-9);
    near(bounds.upper, &interval[1], 1e-9);
}

/// A test's statistic and p are as expected.
///
/// # Panics
/// They are not.
#[track_caller]
pub fn test_of(test: &TestFigure, value: &Value, p_value: &Value) {
    let TestFigure::Test { statistic, p, .. } = test else { panic!("{test:?}") };
    near(*statistic, value, 1e-9);
    near(*p, p_value, 1e-9);
}

/// Counts are as expected, and the selection rate; outcome and score figures where the contract has them.
///
/// # Panics
/// They are not.
#[track_caller]
pub fn measures(found: &Measures, expected: &Value) {
    for (count, key) in [(found.n, "n"), (found.selected, "selected"), (found.labelled, "labelled")] {
        assert_eq!(Some(count), expected[key].as_u64(), "{key}");
    }
    near(estimate(&found.selection_rate).value, &expected["selection_rate"], 1e-12);
    with_interval(&found.selection_rate, &expected["selection_rate"], &expected["selection_rate_wilson95"]);
    if let Some(o) = &found.outcomes {
        for (count, key) in [(o.tp, "tp"), (o.fp, "fp"), (o.fn_, "fn"), (o.tn, "tn")] {
            assert_eq!(Some(count), expected[key].as_u64(), "{key}");
        }
        let rates = [
            (&o.prevalence, "base_rate"),
            (&o.accuracy, "accuracy"),
            (&o.tpr, "tpr"),
            (&o.fnr, "fnr"),
            (&o.fpr, "fpr"),
            (&o.tnr, "tnr"),
            (&o.ppv, "ppv"),
            (&o.npv, "npv"),
        ];
        for (figure, key) in rates {
            same(figure, &expected[key]);
        }
        // Where one of the two rates is undefined, their mean stands in no one's software.
        if !expected["tpr"].is_null() && !expected["fpr"].is_null() {
            same(&o.balanced_accuracy, &expected["balanced_accuracy"]);
        }
    }
    if let Some(s) = &found.scores {
        for (figure, key) in [(&s.auc, "auc"), (&s.brier, "brier"), (&s.ece, "ece10"), (&s.mean_score, "mean_score")] {
            same(figure, &expected[key]);
        }
        if let Some(auc) = expected["auc"].as_f64() {
            let bounds = estimate(&s.auc).bounds.expect("bounds");
            assert!(bounds.contains(auc), "{auc} is not inside {bounds:?}");
        }
    }
}

/// Gaps over groups are as expected: `disparities`, and `by_group`, of one attribute.
///
/// The `defined_groups` block leaves a group without positives or without negatives out of everything; here it is left out
/// of what it has no rate for. So where there is such a group, the gap of a single rate is held against the rates by group.
///
/// # Panics
/// They are not.
#[track_caller]
pub fn parity(found: &Parity, disparities: &Value, by_group: &Value) {
    let all = &disparities["all_groups"];
    same(&found.demographic_parity.difference, &all["demographic_parity_difference"]);
    same(&found.demographic_parity.ratio, &all["demographic_parity_ratio"]);
    test_of(&found.chi2, &disparities["chi2"]["chi2"], &disparities["chi2"]["p"]);
    let Some(outcomes) = &found.outcomes else { return };
    near(estimate(&outcomes.accuracy.difference).value, &all["accuracy_difference"], 1e-9);
    let defined = &disparities["defined_groups"];
    assert!(!defined.is_null(), "no group is defined");
    same(&outcomes.equalized_odds.difference, &defined["equalized_odds_difference"]);
    same(&outcomes.equalized_odds.ratio, &defined["equalized_odds_ratio"]);
    let none = disparities["degenerate_groups"].as_array().is_some_and(Vec::is_empty);
    if none {
        same(&outcomes.equal_opportunity.difference, &defined["equal_opportunity_difference"]);
        same(&outcomes.equal_opportunity.ratio, &defined["equal_opportunity_ratio"]);
        same(&outcomes.predictive_equality.difference, &defined["fpr_difference"]);
    }
    spread(&outcomes.equal_opportunity, by_group, "tpr");
    spread(&outcomes.predictive_equality, by_group, "fpr");
    spread(&outcomes.predictive_parity, by_group, "ppv");
    spread(&outcomes.accuracy, by_group, "accuracy");
}

/// The gap of one rate is that of the rates by group which are defined.
#[track_caller]
fn spread(gap: &Gap, by_group: &Value, rate: &str) {
    let groups = by_group.as_object().expect("groups");
    let rates: Vec<f64> = groups.values().filter_map(|group| group[rate].as_f64()).collect();
    assert_eq!(gap.groups_defined, rates.len() as u64, "{rate}");
    let greatest = rates.iter().copied().fold(f64::MIN, f64::max);
    let least = rates.iter().copied().fold(f64::MAX, f64::min);
    near(estimate(&gap.difference).value, &Value::from(greatest - least), 1e-9);
    near(estimate(&gap.ratio).value, &Value::from(least / greatest), 1e-9);
}

/// Everything about the groups of one attribute: pooled, at each site, gaps, pairs.
///
/// # Panics
/// Something is not as expected.
pub fn attribute(report: &Report, name: &str, expected: &Value) {
    let slices = &report.scopes[0].slices;
    let slice = slices.iter().find(|slice| slice.attributes == [name]).expect("the plan has this slice");
    let pooled = &expected["pooled"]["attributes"][name];
    by_group(slice, None, &pooled["by_group"]);
    parity(slice.parity.as_ref().expect("compared"), &pooled["disparities"], &pooled["by_group"]);
    for (at, site) in slice.sites.iter().enumerate() {
        let there = &expected["per_site"][site.site.as_str()]["attributes"][name];
        by_group(slice, Some(at), &there["by_group"]);
        let found = slice.site_parity[at].as_ref().expect("compared");
        parity(found, &there["disparities"], &there["by_group"]);
    }
    let pairs = pooled["pairs_vs_reference"].as_object().expect("pairs");
    assert_eq!(slice.pairs.len(), pairs.len());
    for found in &slice.pairs {
        pair(slice, found, &pairs[&found.group[0]]);
    }
}

/// Each group with events stands in `expected`, and no other does.
fn by_group(slice: &SliceFigures, site: Option<usize>, expected: &Value) {
    let mut checked = 0;
    for group in &slice.groups {
        let found = match site {
            None => group.pooled.as_ref(),
            Some(at) => group.sites[at].as_ref(),
        };
        let found = found.expect("released");
        if found.n > 0 {
            measures(found, &expected[&group.group[0]]);
            checked += 1;
        }
    }
    assert_eq!(Some(checked), expected.as_object().map(|groups| groups.len()));
}

/// A group against the reference: crude, at each site, adjusted, pooled.
///
/// # Panics
/// Something is not as expected.
pub fn pair(slice: &SliceFigures, pair: &PairFigures, expected: &Value) {
    with_interval(&pair.crude.difference, &expected["difference"], &expected["difference_newcombe95"]);
    near(estimate(&pair.crude.selection_ratio).value, &expected["disparate_impact_ratio"], 1e-9);
    with_interval(&pair.crude.odds_ratio, &expected["odds_ratio"], &expected["odds_ratio_ci95"]);
    for (site, found) in slice.sites.iter().zip(&pair.sites) {
        let expected = &expected["per_site"][site.site.as_str()];
        let contrast = found.contrast.as_ref().expect("released");
        same(&contrast.difference, &expected["difference"]);
        same(&contrast.selection_ratio, &expected["disparate_impact_ratio"]);
        // They give the variance where the site is pooled.
        if let Some(variance) = expected["variance"].as_f64() {
            near(found.variance.expect("defined"), &Value::from(variance), 1e-9);
        }
    }
    let (meta, pooled) = (&expected["meta_difference"], &pair.pooled);
    if meta.is_null() {
        assert!(pooled.sites.len() < 2, "{:?}", pooled.sites);
    } else {
        assert_eq!(serde_json::to_value(&pooled.sites).expect("names"), meta["sites_used"]);
        with_interval(&pooled.fixed, &meta["fe"], &meta["fe_ci95"]);
        near(estimate(&pooled.random).value, &meta["re_dl"], 1e-9);
        // Two sites have no random-effects interval here (METRICS), whatever the formula gives.
        if pooled.sites.len() > 2 {
            with_interval(&pooled.random, &meta["re_dl"], &meta["re_dl_ci95"]);
            with_interval(&pooled.random_hksj, &meta["re_dl"], &meta["re_hksj_t_ci95"]);
        } else {
            assert_eq!(estimate(&pooled.random).interval, None);
        }
        test_of(&pooled.q, &meta["q"], &meta["q_p"]);
        near(estimate(&pooled.i2).value, &meta["i2"], 1e-9);
        near(estimate(&pooled.tau2).value, &meta["tau2"], 1e-9);
    }
    let (stratified, adjusted) = (&expected["mantel_haenszel"], &pair.mantel_haenszel);
    assert_eq!(serde_json::to_value(&adjusted.sites).expect("names"), stratified["sites_used"]);
    with_interval(&adjusted.odds_ratio, &stratified["or"], &stratified["or_ci95"]);
    near(estimate(&adjusted.risk_ratio).value, &stratified["rr"], 1e-9);
    test_of(&adjusted.cmh, &stratified["cmh_chi2"], &stratified["cmh_p"]);
    test_of(&adjusted.cmh_corrected, &stratified["cmh_chi2_corrected"], &stratified["cmh_p_corrected"]);
    test_of(&adjusted.breslow_day, &stratified["breslow_day"], &stratified["breslow_day_p"]);
    test_of(&adjusted.breslow_day_tarone, &stratified["breslow_day_tarone"], &stratified["breslow_day_tarone_p"]);
}
