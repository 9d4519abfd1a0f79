//! A real risk score with late labels: ProPublica's COMPAS data through a whole federation, every figure against scikit-learn's,
//! fairlearn's and statsmodels', and against what ProPublica published.

#[path = "compas/known.rs"]
mod known;
#[path = "compas/published.rs"]
mod published;
#[path = "compas/suppressed.rs"]
mod suppressed;

use fedaudit_core::bundle::{Bundle, pack, unpack};
use fedaudit_tests::evidence::judge;
use fedaudit_tests::{figures, run};
use std::path::Path;

/// A data set folder with the contract, the plans of `plans` as `edit` changes them, and `sites`.
fn dataset(folder: &Path, plans: &[&str], sites: &Path, edit: impl Fn(&str) -> String) {
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("compas");
    std::fs::create_dir(folder).expect("makes");
    std::fs::copy(texts.join("contract.toml"), folder.join("contract.toml")).expect("copies");
    for plan in plans {
        let name = format!("plan-{plan}.toml");
        let text = std::fs::read_to_string(texts.join(&name)).expect("reads");
        std::fs::write(folder.join(name), edit(&text)).expect("writes");
    }
    std::os::unix::fs::symlink(sites, folder.join("sites")).expect("links");
}

/// Runs a whole federation over a data set; what it printed.
fn federation(dataset: &Path, out: &Path) -> String {
    run("federation", &[dataset.as_os_str(), "--out".as_ref(), out.as_os_str()]).good().out
}

#[test]
fn every_figure_is_that_of_other_software() {
    let Some(data) = figures::shared("compas") else { return };
    let expected = figures::json(&data.join("expected.json"));
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, out) = (dir.path().join("compas"), dir.path().join("out"));
    dataset(&folder, &["two-years", "as-of-2014", "as-of-2015", "by-month"], &data.join("sites"), str::to_owned);
    let said = federation(&folder, &out);
    for line in [
        "all events: 818 of 5111 labelled (16.0 %)",
        "all events: 2205 of 7214 labelled (30.6 %)",
        "race: African-American false positive rate 44.8 %, Caucasian 23.5 %; difference +21.4 points",
        "false negative rate 28.0 %, Caucasian 47.7 %; difference -19.7 points",
        "verified: two-years v1, 4 of 4 sites; retrospective: the plan was logged after its window began",
    ] {
        assert!(said.contains(line), "`{line}` is not said:\n{said}");
    }
    let report = |plan: &str| figures::report(&out.join(plan));
    known::two_years(&report("two-years"), &expected);
    known::as_of(&report("as-of-2014"), &expected["as_of"]["2014-01-01T00:00:00Z"]);
    known::as_of(&report("as-of-2015"), &expected["as_of"]["2015-01-01T00:00:00Z"]);
    known::by_month(&report("by-month"), &expected, &report("two-years"));
    published::truth_tables(&report("two-years"), &figures::json(&data.join("../published_checks.json")));
    another_plan_is_no_evidence(&out);
}

/// The log, or the report, of another plan of the same federation, all with the right keys' signatures.
fn another_plan_is_no_evidence(out: &Path) {
    let read = |plan: &str, name: &str| std::fs::read(out.join(plan).join(name)).expect("reads");
    let [whole, early] = ["two-years", "as-of-2014"].map(|plan| unpack(&read(plan, "bundle.zip")).expect("a bundle"));
    let trust = read("two-years", "trust.json");
    let judged = |bundle: &Bundle| judge(&pack(bundle).expect("packs"), &trust);
    assert_eq!(judged(&whole).code, 0, "as it is, it is verified");
    judged(&Bundle { plan: early.plan.clone(), ..whole.clone() }).is(2, "plan-checkpoint", "plan/checkpoint");
    let report = Bundle {
        report_json: early.report_json,
        report_html: early.report_html,
        report_envelope: early.report_envelope,
        ..whole
    };
    judged(&report).is(2, "plan-checkpoint", "plan/checkpoint");
}

#[test]
fn immature_labels_give_no_figures() {
    let Some(data) = figures::shared("compas") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, out) = (dir.path().join("compas"), dir.path().join("out"));
    let plans = ["as-of-2014", "as-of-2015"];
    dataset(&folder, &plans, &data.join("sites"), |plan| plan.replace("min_coverage = 0.0\n", ""));
    let said = federation(&folder, &out);
    assert!(said.contains("818 of 5111 labelled (16.0 %): too few for figures that need labels"), "{said}");
    for plan in plans {
        known::immature(&figures::report(&out.join(plan)));
        let page = std::fs::read_to_string(out.join(plan).join("report.html")).expect("reads");
        assert!(page.contains("not estimable (immature)"));
    }
}
