//! `expected.json`, part by part.

use fedaudit_core::report::{Figure, Report};
use fedaudit_tests::figures;
use serde_json::Value;

/// Everything about the two years: pooled, at each site, by race, sex and age, and by race and sex.
pub fn two_years(report: &Report, expected: &Value) {
    let scope = &expected["scopes"]["compas-general-recidivism@broward-2013"];
    let whole = &report.scopes[0].slices[0];
    figures::measures(whole.groups[0].pooled.as_ref().expect("pooled"), &scope["pooled"]["overall"]);
    for (at, site) in whole.sites.iter().enumerate() {
        let found = whole.groups[0].sites[at].as_ref().expect("released");
        figures::measures(found, &scope["per_site"][site.site.as_str()]["overall"]);
    }
    for name in ["race", "sex", "age_cat"] {
        figures::attribute(report, name, scope);
    }
    murphy_adds_up(report);
    let crossed = report.scopes[0].slices.iter().find(|slice| slice.attributes == ["race", "sex"]).expect("a slice");
    let expected = scope["pooled"]["intersections"]["race|sex"].as_object().expect("groups");
    let mut checked = 0;
    for group in &crossed.groups {
        let found = group.pooled.as_ref().expect("released");
        let Some(expected) = expected.get(&group.group.join("|")) else {
            assert_eq!(found.n, 0, "{:?}", group.group);
            continue;
        };
        assert_eq!((Some(found.n), Some(found.selected)), (expected["n"].as_u64(), expected["selected"].as_u64()));
        figures::same(&found.selection_rate, &expected["selection_rate"]);
        checked += 1;
    }
    assert_eq!(checked, expected.len());
}

/// The parts of the Brier score are the Brier score, of every group.
fn murphy_adds_up(report: &Report) {
    let mut checked = 0;
    for group in report.scopes[0].slices.iter().flat_map(|slice| &slice.groups) {
        let (Some(c), Some(pooled)) = (&group.calibration, &group.pooled) else { continue };
        let value = |figure: &Figure| figures::estimate(figure).value;
        let brier = &pooled.scores.as_ref().expect("scores").brier;
        let Some(brier) = brier.value() else { continue };
        let between = value(&c.murphy_reliability) - value(&c.murphy_resolution) + value(&c.murphy_uncertainty);
        let parts = between + value(&c.murphy_within_variance) - value(&c.murphy_within_covariance);
        assert!((parts - brier).abs() < 1e-12, "{parts} is not {brier}");
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}

/// What was known on a day: label coverage, and the figures of the few labels there were.
pub fn as_of(report: &Report, expected: &Value) {
    let whole = report.scopes[0].slices[0].groups[0].pooled.as_ref().expect("pooled");
    figures::measures(whole, &expected["overall"]);
    let coverage = &whole.outcomes.as_ref().expect("outcomes").label_coverage;
    let of = |key: &str| expected["overall"][key].as_f64().expect("a count");
    figures::near(figures::estimate(coverage).value, &Value::from(of("labelled") / of("n")), 1e-12);
    let race = &report.scopes[0].slices[1];
    let mut checked = 0;
    for group in
        race.groups.iter().filter_map(|group| Some((group, group.pooled.as_ref().filter(|found| found.n > 0)?)))
    {
        figures::measures(group.1, &expected["race"][&group.0.group[0]]);
        checked += 1;
    }
    assert_eq!(Some(checked), expected["race"].as_object().map(|groups| groups.len()));
    let (parity, all) = (race.parity.as_ref().expect("compared"), &expected["disparities"]["all_groups"]);
    figures::same(&parity.demographic_parity.difference, &all["demographic_parity_difference"]);
    let outcomes = parity.outcomes.as_ref().expect("outcomes");
    figures::same(&outcomes.equal_opportunity.difference, &all["equal_opportunity_difference"]);
    // No label is negative: fairlearn calls the false positive rates 0 and equal; here they are undefined.
    assert_eq!(all["fpr_difference"], 0.0);
    assert!(matches!(outcomes.predictive_equality.difference, Figure::NotEstimable(_)));
    assert!(matches!(outcomes.equalized_odds.difference, Figure::NotEstimable(_)));
}

/// Below the plan's coverage nothing that needs labels has a value, and each says why.
pub fn immature(report: &Report) {
    let immature = Figure::NotEstimable("immature".to_owned());
    for slice in &report.scopes[0].slices {
        for measures in slice.groups.iter().flat_map(|group| group.sites.iter().chain([&group.pooled])).flatten() {
            let (outcomes, scores) = (measures.outcomes.as_ref().expect("outcomes"), measures.scores.as_ref());
            let scores = scores.expect("scores");
            let coverage = measures.labelled as f64 / measures.n.max(1) as f64;
            assert!(coverage < 0.8);
            let figures = [&outcomes.accuracy, &outcomes.tpr, &outcomes.ppv, &scores.auc, &scores.brier, &scores.ece];
            for figure in figures.into_iter().filter(|_| measures.n > 0) {
                assert_eq!(*figure, immature);
            }
        }
        if let Some(parity) = &slice.parity {
            assert!(parity.demographic_parity.difference.value().is_some(), "selection needs no label");
            assert_eq!(parity.outcomes.as_ref().expect("outcomes").equalized_odds.difference, immature);
        }
    }
}

/// Month by month, and all months added up as if they were one window.
pub fn by_month(report: &Report, expected: &Value, whole: &Report) {
    let months =
        expected["scopes"]["compas-general-recidivism@broward-2013"]["by_month_utc"].as_object().expect("months");
    let windows = &report.scopes[0].windows;
    assert_eq!((windows.len(), report.windows.len()), (months.len(), 24));
    for found in windows {
        let expected = &months[&found.window.start.to_string()[..7]];
        let pooled = found.pooled.as_ref().expect("released");
        let outcomes = pooled.outcomes.as_ref().expect("outcomes");
        let counts = [(pooled.n, "n"), (pooled.selected, "selected"), (pooled.labelled, "labelled")];
        for (count, key) in counts.into_iter().chain([(outcomes.tp + outcomes.fn_, "positives")]) {
            assert_eq!(Some(count), expected[key].as_u64(), "{} {key}", found.window);
        }
    }
    for at in 0..2 {
        let (added, one) = (&report.scopes[0].slices[at], &whole.scopes[0].slices[at]);
        assert_eq!(added, one, "24 windows added are the one window");
    }
}
