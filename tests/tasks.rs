//! Models with several classes, and models that predict a value, through whole federations: every figure against scikit-learn,
//! scipy and statsmodels on the same rows.

use fedaudit_tests::{figures, python, run};
use serde_json::Value;

#[test]
fn classes_values_and_people_are_what_other_software_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = python("tests/tasks/make.py", &[dir.path()]);
    assert!(made.content, "{}", made.said);
    let expected = figures::json(&dir.path().join("expected.json"));
    for name in ["triage", "stay"] {
        let (folder, out) = (dir.path().join(name), dir.path().join(format!("{name}-out")));
        run("federation", &[folder.as_os_str(), "--out".as_ref(), out.as_os_str()]).good();
        let report: Value = figures::json(&out.join("report.json"));
        let places = expected[name].as_object().expect("figures by place");
        assert!(places.len() > 20, "{name}: {} figures", places.len());
        for (place, theirs) in places {
            let ours = report.pointer(place).and_then(Value::as_f64);
            let theirs = theirs.as_f64().expect("a number");
            // Values are rounded to 2^-32 of their range.
            let close = ours.is_some_and(|ours| (ours - theirs).abs() <= 1e-8 * theirs.abs().max(1.0));
            assert!(close, "{name}{place}: {ours:?}, not {theirs}");
        }
    }
}
