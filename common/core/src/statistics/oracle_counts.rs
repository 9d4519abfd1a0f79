//! Comparison with `schemas/vectors/statistics/counts.json`: scikit-learn, fairlearn, statsmodels and the papers, to 1e-9.

use super::oracle::{cases_of, counts, estimate, near, same};
use super::*;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/counts.json"));

fn table(cells: &Value) -> Confusion {
    let [tp, fp, fn_, tn] = counts(cells)[..] else { panic!("four counts") };
    Confusion { tp, fp, fn_, tn }
}

/// A figure whose interval the vectors do not give.
fn value(what: &str, case: &Value, ours: Result<f64, NotEstimable>, theirs: &Value) {
    same(what, case, Some(vec![ours.ok()]), &Value::from(vec![theirs.clone()]));
}

#[test]
fn tables_match() {
    for case in cases_of(VECTORS, "tables") {
        let t = table(&case["cells"]);
        for (name, ours) in [
            ("f1", t.f_beta(1.0, LEVEL)),
            ("f2", t.f_beta(2.0, LEVEL)),
            ("jaccard", t.jaccard(LEVEL)),
            ("mcc", t.matthews(LEVEL)),
            ("kappa", t.kappa(LEVEL)),
            ("geometric_mean", t.geometric_mean(LEVEL)),
            ("fn_to_fp", t.fn_to_fp(LEVEL)),
            ("generalized_entropy", t.generalized_entropy(LEVEL)),
            ("theil", t.theil(LEVEL)),
        ] {
            same(name, &case, estimate(ours), &case[name]);
        }
        let [p, n] = t.labels();
        for (name, ours) in [
            ("error_rate", rate(t.fp + t.fn_, p + n)),
            ("fdr", rate(t.fp, t.tp + t.fp)),
            ("for", rate(t.fn_, t.fn_ + t.tn)),
            ("lr_positive", ratio(t.tp, p, t.fp, n)),
            ("lr_negative", ratio(t.fn_, p, t.tn, n)),
            ("odds_ratio", odds_ratio(t.tp, p, t.fp, n, LEVEL).map(|or| or.value)),
        ] {
            value(name, &case, ours, &case[name]);
        }
        let youden = difference(t.tp, p, t.fp, n);
        let youden = youden.map(|value| Estimate { value, interval: newcombe_difference(t.tp, p, t.fp, n, LEVEL) });
        same("youden", &case, estimate(youden), &case["youden"]);
    }
}

/// [difference, ratio] of a rate over the groups that have it.
fn spread(what: &str, case: &Value, rates: &[(u64, u64)], theirs: &Value) {
    value(what, case, max_min_difference(rates, LEVEL).map(|s| s.value), &theirs[0]);
    value(what, case, min_max_ratio(rates, LEVEL).map(|s| s.value), &theirs[1]);
}

fn joint(what: &str, case: &Value, rates: &[[(u64, u64); 2]], joint: Joint, theirs: &Value) {
    let rates: Vec<_> = rates.iter().filter(|[a, b]| a.1 > 0 && b.1 > 0).copied().collect();
    value(what, case, joint_difference(&rates, joint, LEVEL).map(|e| e.value), &theirs[0]);
    value(what, case, joint_ratio(&rates, joint, LEVEL).map(|e| e.value), &theirs[1]);
}

#[test]
fn groups_match() {
    for case in cases_of(VECTORS, "groups") {
        let groups: Vec<Confusion> = case["groups"].as_array().expect("a list").iter().map(table).collect();
        let rates = |of: fn(&Confusion) -> (u64, u64)| groups.iter().map(of).collect::<Vec<_>>();
        let both = |of: fn(&Confusion) -> [(u64, u64); 2]| groups.iter().map(of).collect::<Vec<_>>();
        let selected = rates(|t| (t.tp + t.fp, t.tp + t.fp + t.fn_ + t.tn));
        spread("demographic parity", &case, &selected, &case["demographic_parity"]);
        spread("equal opportunity", &case, &rates(|t| (t.tp, t.tp + t.fn_)), &case["equal_opportunity"]);
        let errors = rates(|t| (t.fp + t.fn_, t.tp + t.fp + t.fn_ + t.tn));
        spread("error rate", &case, &errors, &case["error_gap"]);
        spread("NPV", &case, &rates(|t| (t.tn, t.tn + t.fn_)), &case["npv_gap"]);
        let odds = both(|t| [(t.tp, t.tp + t.fn_), (t.fp, t.fp + t.tn)]);
        joint("equalized odds", &case, &odds, Joint::Worse, &case["equalized_odds"]["worst"]);
        joint("mean equalized odds", &case, &odds, Joint::Mean, &case["equalized_odds"]["mean"]);
        let values = both(|t| [(t.tp, t.tp + t.fp), (t.tn, t.tn + t.fn_)]);
        joint("conditional use accuracy", &case, &values, Joint::Worse, &case["conditional_use"]);
        let found = differential_fairness(&selected, LEVEL);
        same("differential fairness", &case, estimate(found), &case["differential_fairness"]);
        value("entropy between", &case, entropy_between(&groups), &case["entropy_between"]);
        value("Theil between", &case, theil_between(&groups), &case["theil_between"]);
    }
}

#[test]
fn pairs_match() {
    for case in cases_of(VECTORS, "pairs") {
        let (one, other) = (table(&case["pair"][0]), table(&case["pair"][1]));
        let odds = average_odds_difference(one, other, LEVEL);
        same("average odds", &case, estimate(odds), &case["average_odds"]);
        let selected = |t: Confusion| (t.tp + t.fp, t.labels().iter().sum::<u64>());
        let ((x1, n1), (x0, n0)) = (selected(one), selected(other));
        same("Cohen d", &case, estimate(cohen_d(x1, n1, x0, n0, LEVEL)), &case["cohen_d"]);
        let z = two_proportions(x1, n1, x0, n0).ok();
        same("z", &case, z.map(|test| vec![Some(test.z), Some(test.p)]), &case["z"]);
    }
}

#[test]
fn corrections_match() {
    for case in cases_of(VECTORS, "families") {
        let numbers = |key: &str| -> Vec<f64> {
            case[key].as_array().expect("a list").iter().map(|p| p.as_f64().expect("a number")).collect()
        };
        for (name, ours) in [("holm", holm(&numbers("p"))), ("benjamini_hochberg", benjamini_hochberg(&numbers("p")))] {
            let theirs = numbers(name);
            assert!(ours.iter().zip(&theirs).all(|(a, b)| near(*a, *b)) && ours.len() == theirs.len(), "{name} {case}");
        }
    }
}
