//! Comparison with `schemas/vectors/statistics/oracle.json`: statsmodels, scipy and exact arithmetic, to 1e-9.
//!
//! Where those differ from us by convention, the file's `conventions` say so; `generate.py` beside it made it.

use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/oracle.json"));

fn cases(section: &str) -> Vec<Value> {
    cases_of(VECTORS, section)
}

/// The cases of a section of a file of vectors.
pub(super) fn cases_of(vectors: &str, section: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(vectors).expect("the vectors are JSON");
    let cases = vectors[section].as_array().expect("a section is a list").clone();
    assert!(cases.len() > 60, "{section} has only {} cases", cases.len());
    cases
}

/// Counts of a list, or of a list of lists.
pub(super) fn counts(value: &Value) -> Vec<u64> {
    value.as_array().expect("a list").iter().map(|n| n.as_u64().expect("a count")).collect()
}

/// Equal to 1e-9 relative; below 1e-12 the vectors round to 0.
pub(super) fn near(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-9 * ours.abs().max(theirs.abs()) || (ours - theirs).abs() <= 1e-12
}

/// Asserts that what is `null` there is not estimable here, and that the numbers are the same.
pub(super) fn same(what: &str, case: &Value, ours: Option<Vec<Option<f64>>>, theirs: &Value) {
    let equal = match (&ours, theirs) {
        (None, Value::Null) => true,
        (Some(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| match (ours, theirs.as_f64()) {
                    (Some(ours), Some(theirs)) => near(*ours, theirs),
                    (ours, theirs) => ours.is_none() && theirs.is_none(),
                })
        }
        _ => false,
    };
    assert!(equal, "{what}: here {ours:?}, there {theirs}, for {case}");
}

pub(super) fn interval(interval: Result<Interval, NotEstimable>) -> Option<Vec<Option<f64>>> {
    interval.ok().map(|i| vec![Some(i.lower), Some(i.upper)])
}

pub(super) fn estimate(estimate: Result<Estimate, NotEstimable>) -> Option<Vec<Option<f64>>> {
    let estimate = estimate.ok()?;
    let ends = estimate.interval.ok();
    Some(vec![Some(estimate.value), ends.map(|i| i.lower), ends.map(|i| i.upper)])
}

pub(super) fn same_test(what: &str, case: &Value, ours: Option<Chi2Test>, theirs: &Value) {
    let ours = ours.map(|t| vec![Some(t.statistic), Some(t.p), Some(t.dof as f64)]);
    let theirs = match theirs {
        Value::Null => Value::Null,
        test => Value::from(vec![test["statistic"].clone(), test["p"].clone(), test["dof"].clone()]),
    };
    same(what, case, ours, &theirs);
}

#[test]
fn two_proportions_match() {
    for case in cases("pairs") {
        let [x1, n1, x0, n0] = counts(&case["counts"])[..] else { panic!("four counts") };
        same("wilson", &case, interval(wilson(x1, n1, LEVEL)), &case["wilson"]);
        same("newcombe", &case, interval(newcombe_difference(x1, n1, x0, n0, LEVEL)), &case["newcombe"]);
        let koopman = koopman_bounds(x1, n1, x0, n0, LEVEL).ok();
        same("koopman", &case, koopman.map(|b| vec![Some(b.lower), b.upper]), &case["koopman"]);

        let katz = katz_ratio(x1, n1, x0, n0, LEVEL);
        if katz.is_ok_and(|r| r.method == RatioMethod::KatzLog) {
            same("katz", &case, interval(katz.map(|r| r.interval)), &case["katz"]);
        } else {
            assert!(case["katz"].is_null());
            // The score interval stands in, unless the ratio has no value.
            assert_eq!(katz.is_err(), x0 == 0, "{case}");
            if x0 > 0 {
                same("katz", &case, interval(katz.map(|r| r.interval)), &case["koopman"]);
            }
        }

        let balanced = balanced_accuracy(x1, n1, x0, n0, LEVEL);
        same("balanced accuracy", &case, estimate(balanced), &case["balanced_accuracy"]);

        let or = odds_ratio(x1, n1, x0, n0, LEVEL).ok().filter(|or| or.interval.is_ok());
        same("odds ratio", &case, or.and_then(|or| estimate(Ok(or))), &case["odds_ratio"]);
    }
}

#[test]
fn several_groups_match() {
    for case in cases("groups") {
        let list = case["groups"].as_array().expect("a list");
        let groups: Vec<(u64, u64)> = list.iter().map(|group| (counts(group)[0], counts(group)[1])).collect();
        let spread = max_min_difference(&groups, LEVEL);
        let spread = spread.map(|s| Estimate { value: s.value, interval: Ok(s.interval) });
        same("max - min", &case, estimate(spread), &case["max_min_difference"]);
        let ratio = min_max_ratio(&groups, LEVEL);
        let ratio = ratio.map(|s| Estimate { value: s.value, interval: Ok(s.interval) });
        same("min / max", &case, estimate(ratio), &case["min_max_ratio"]);
    }
}

#[test]
fn strata_match() {
    for case in cases("strata") {
        let list = case["strata"].as_array().expect("a list");
        let strata: Vec<Stratum> = list
            .iter()
            .map(|stratum| match counts(stratum)[..] {
                [x1, n1, x0, n0] => Stratum { x1, n1, x0, n0 },
                _ => panic!("four counts"),
            })
            .collect();
        let mh = mantel_haenszel(&strata, LEVEL);
        same("MH OR", &case, estimate(mh.clone().and_then(|mh| mh.odds_ratio)), &case["mh_or"]);
        same("MH RR", &case, estimate(mh.clone().and_then(|mh| mh.risk_ratio)), &case["mh_rr"]);
        same("MH RD", &case, estimate(mh.map(|mh| mh.risk_difference)), &case["mh_rd"]);
        let cmh = cochran_mantel_haenszel(&strata).ok();
        same_test("CMH", &case, cmh.map(|t| t.plain), &case["cmh"]);
        same_test("CMH corrected", &case, cmh.map(|t| t.corrected), &case["cmh_corrected"]);
        let bd = breslow_day(&strata).ok();
        same_test("Breslow-Day", &case, bd.map(|t| t.plain), &case["breslow_day"]);
        same_test("Tarone", &case, bd.map(|t| t.tarone), &case["tarone"]);
    }
}

#[test]
fn tables_match() {
    for case in cases("tables") {
        let table: Vec<Vec<u64>> = case["table"].as_array().expect("a list").iter().map(counts).collect();
        same_test("chi-square", &case, pearson_chi2(&table).ok(), &case["chi2"]);
    }
}

#[test]
fn meta_analyses_match() {
    for case in cases("meta") {
        let list = case["effects"].as_array().expect("a list");
        let number = |value: &Value| value.as_f64().expect("a number");
        let effects: Vec<Effect> =
            list.iter().map(|pair| Effect { estimate: number(&pair[0]), variance: number(&pair[1]) }).collect();
        let meta = meta_analysis(&effects, LEVEL).expect("the vectors hold positive variances");
        assert_eq!(meta.k, effects.len());
        let MeanEffect { estimate, se, interval: Interval { lower, upper } } = meta.fixed;
        same("fixed", &case, Some([estimate, se, lower, upper].map(Some).to_vec()), &case["fixed"]);

        let theirs = &case["heterogeneity"];
        let ours = meta.heterogeneity.ok();
        same_test("Q", &case, ours.map(|h| h.q), &theirs["q"]);
        for (name, ours) in
            [("i2", ours.map(|h| h.i2)), ("tau2_dl", ours.map(|h| h.tau2_dl)), ("tau2_pm", ours.map(|h| h.tau2_pm))]
        {
            same(name, &case, Some(vec![ours]), &Value::from(vec![theirs[name].clone()]));
        }

        let theirs = &case["random"];
        let ours = meta.random.ok();
        let mean = Value::from(vec![theirs["estimate"].clone(), theirs["se"].clone()]);
        same("random", &case, Some(vec![ours.map(|r| r.estimate), ours.map(|r| r.se)]), &mean);
        for (name, ours) in [
            ("interval", ours.map(|r| r.interval)),
            ("hksj", ours.map(|r| r.hksj)),
            ("hksj_modified", ours.map(|r| r.hksj_modified)),
            ("prediction", ours.map(|r| r.prediction)),
        ] {
            same(name, &case, interval(ours.unwrap_or(Err(NotEstimable::TooFewStudies))), &theirs[name]);
        }
    }
}

#[test]
fn scores_match() {
    for case in cases("scores") {
        let events: Vec<[u64; 2]> =
            case["events"].as_array().expect("a list").iter().map(|e| [counts(e)[0], counts(e)[1]]).collect();
        let mut bins = [CalibrationBin::default(); 10];
        let (mut squares, mut positive_sum) = (0.0, 0.0);
        for [label, thousandths] in &events {
            let score = *thousandths as f64 / 1000.0;
            let bin = &mut bins[(thousandths.saturating_sub(1) / 100) as usize];
            bin.n += 1;
            bin.positives += label;
            bin.score_sum += score;
            bin.positive_score_sum += score * *label as f64;
            squares += score * score;
            positive_sum += score * *label as f64;
        }
        let positives = bins.map(|bin| bin.positives);
        let area = auc(&positives, &bins.map(|bin| bin.n - bin.positives), LEVEL);
        same("AUC", &case, estimate(area.map(|a| a.estimate)), &case["auc"]);
        same("AUC bounds", &case, interval(area.map(|a| a.bounds)), &case["auc_bounds"]);
        let (n, p) = (events.len() as u64, positives.iter().sum());
        let brier = brier(n, p, squares, positive_sum).ok();
        same("Brier", &case, Some(vec![brier]), &Value::from(vec![case["brier"].clone()]));
        let error = expected_calibration_error(&bins).ok();
        same("ECE", &case, Some(vec![error]), &Value::from(vec![case["ece"].clone()]));
        let mean = mean_of_sums(n, bins.iter().map(|bin| bin.score_sum).sum(), squares, LEVEL);
        same("mean", &case, estimate(mean), &case["mean"]);
    }
}
