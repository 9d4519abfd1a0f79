//! Comparison of ranking and calibration with `schemas/vectors/statistics/scores.json`: scikit-learn, scipy, statsmodels.

use super::oracle::{cases_of, counts, estimate, interval, same, same_test};
use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/scores.json"));

/// Value and bounds.
fn bounded(found: Result<Bounded, NotEstimable>) -> Option<Vec<Option<f64>>> {
    found.ok().map(|b| [b.value, b.bounds.lower, b.bounds.upper].map(Some).to_vec())
}

fn point(found: Result<f64, NotEstimable>) -> Option<Vec<Option<f64>>> {
    Some(vec![found.ok()])
}

fn one(value: &Value) -> Value {
    Value::from(vec![value.clone()])
}

#[test]
fn rankings_match() {
    for case in cases_of(VECTORS, "histograms") {
        let [(p, n), (r, m)] = ["one", "other"].map(|group| (counts(&case[group][0]), counts(&case[group][1])));
        let (first, second) = (auc(&p, &n, LEVEL), auc(&r, &m, LEVEL));
        let difference = first.and_then(|first| auc_difference(&first, &second?, LEVEL));
        same("AUC difference", &case, estimate(difference.map(|d| d.estimate)), &case["auc_difference"]);
        if let (Ok(difference), Ok(first), Ok(second)) = (difference, first, second) {
            assert_eq!(difference.bounds.lower, first.bounds.lower - second.bounds.upper);
        }
        same("ABROCA", &case, bounded(abroca((&p, &n), (&r, &m))), &case["abroca"]);
        let theirs = &case["ranking"];
        assert_eq!(first.is_err(), theirs.is_null(), "{case}");
        let Ok(first) = first else { continue };
        let gini = Ok(gini(&first).estimate.value);
        same("Gini", &case, point(gini), &one(&theirs["gini"]));
        let effect = auc_effect(&first).ok();
        same("logit AUC", &case, effect.map(|e| vec![Some(e.estimate), Some(e.variance)]), &theirs["auc_effect"]);
        same("KS", &case, bounded(label_distance(&p, &n)), &theirs["ks"]);
        same("partial AUC", &case, bounded(partial_auc(&p, &n, 0.1)), &theirs["partial_auc"]);
        let precision = average_precision(&p, &n, LEVEL);
        same("AP", &case, estimate(precision.map(|a| a.estimate)), &theirs["average_precision"]);
        let bounds = interval(precision.map(|a| a.bounds));
        same("AP bounds", &case, bounds, &theirs["average_precision_bounds"]);
    }
}

#[test]
fn calibrations_match() {
    for case in cases_of(VECTORS, "events") {
        let mut bins = [CalibrationBin::default(); 10];
        let (mut n, mut squares) = (0, 0.0);
        for event in case["events"].as_array().expect("a list") {
            let [label, thousandth] = counts(event)[..] else { panic!("label and score") };
            let score = thousandth as f64 / 1024.0;
            let bin = &mut bins[(10 * thousandth).div_ceil(1024).saturating_sub(1) as usize];
            bin.n += 1;
            bin.positives += label;
            bin.score_sum += score;
            bin.positive_score_sum += score * label as f64;
            (n, squares) = (n + 1, squares + score * score);
        }
        let positives = bins.iter().map(|bin| bin.positives).sum();
        let sum = bins.iter().map(|bin| bin.score_sum).sum();
        let brier = brier(n, positives, squares, bins.iter().map(|bin| bin.positive_score_sum).sum());
        same("Brier", &case, point(brier), &one(&case["brier"]));
        same("skill", &case, point(brier_skill(brier.unwrap_or(0.0), n, positives)), &one(&case["skill"]));
        let parts = murphy(&bins, squares).map(|m| {
            [m.reliability, m.resolution, m.uncertainty, m.within_variance, m.within_covariance].map(Some).to_vec()
        });
        same("Murphy", &case, parts.ok(), &case["murphy"]);
        same("MCE", &case, point(maximum_calibration_error(&bins)), &one(&case["mce"]));
        let ratio = observed_expected(n, positives, sum, LEVEL);
        same("O/E", &case, estimate(ratio), &case["observed_expected"]);
        let large = calibration_in_the_large(n, positives, sum, brier.unwrap_or(0.0), LEVEL);
        same("in the large", &case, estimate(large), &case["in_the_large"]);
        let fit = recalibration(&bins, LEVEL).ok();
        let fit = fit.and_then(|fit| Some([estimate(Ok(fit.slope))?, estimate(Ok(fit.intercept))?].concat()));
        same("recalibration", &case, fit, &case["recalibration"]);
        let test = spiegelhalter(&bins, squares).ok();
        same("z", &case, Some(vec![test.map(|t| t.z)]), &one(&case["spiegelhalter"][0]));
        same_test("Spiegelhalter", &case, test.map(|t| t.test), &case["spiegelhalter"][1]);
    }
}
