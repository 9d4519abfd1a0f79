//! The main job, from one command: six departments as processes, a verified report, and its figures against others' software.

use fedaudit_core::report::{Report, SimpsonFigures};
use fedaudit_tests::{figures, readme, run};
use serde_json::Value;
use std::path::Path;

/// Every figure of `expected.json`.
fn check_all(report: &Report, expected: &Value) {
    let scope = &expected["scopes"]["ucb-graduate-admission@fall-1973"];
    let whole = &report.scopes[0].slices[0];
    figures::measures(whole.groups[0].pooled.as_ref().expect("pooled"), &scope["pooled"]["overall"]);
    for (at, site) in whole.sites.iter().enumerate() {
        let found = whole.groups[0].sites[at].as_ref().expect("released");
        figures::measures(found, &scope["per_site"][site.site.as_str()]["overall"]);
    }
    figures::attribute(report, "gender", scope);
    let [pair] = &report.scopes[0].slices[1].pairs[..] else { panic!("one pair") };
    let expected = &scope["pooled"]["attributes"]["gender"]["pairs_vs_reference"]["Female"];
    // To be admitted is the favourable decision.
    figures::same(&pair.crude.impact_ratio, &expected["disparate_impact_ratio"]);
}

#[test]
fn one_command_tells_berkeleys_story_and_is_verified() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out").display().to_string();
    let said = run("federation", &["--out", &out]).good();
    for line in [
        "federation ucb-admissions: 1 aggregator, 6 agents, as processes over QUIC",
        "crude difference -14.2 points (-17.0 to -11.3)",
        "4 sites favour Female (dept-a, dept-b, dept-d, dept-f), 2 sites favour Male (dept-c, dept-e)",
        "adjusted for site, odds ratio Female to Male 1.105 (0.943 to 1.295): no adjusted difference shown",
        "Breslow-Day p = 0.002",
        "Simpson's paradox",
        "verified: admissions-1973 v1, 6 of 6 sites; retrospective: the plan was logged after its window began",
    ] {
        assert!(said.out.contains(line), "`{line}` is not said:\n{}", said.out);
    }
    let out = Path::new(&out);
    for file in ["report.json", "report.html", "bundle.zip", "trust.json"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let report = figures::report(out);
    assert!(matches!(report.scopes[0].slices[1].pairs[0].simpson, SimpsonFigures::Compared { reversal: true, .. }));
    assert_eq!(report.sites.iter().map(|site| site.events).collect::<Vec<_>>(), [933, 585, 918, 792, 584, 714]);
    if let Some(data) = figures::shared("ucb-admissions") {
        check_all(&report, &figures::json(&data.join("expected.json")));
    }
    readme_is_true(&said.out.replace(&out.display().to_string(), "out"));
    // A second run into the same folder starts afresh.
    run("federation", &["--out", &out.display().to_string()]).good();
}

/// The output that the README shows is this one, but for digests, sizes, seconds, and the order in which sites finish.
fn readme_is_true(printed: &str) {
    let readme = include_str!("../README.md");
    let shown = readme.lines().skip_while(|line| !line.starts_with("    federation ucb-admissions"));
    let shown = shown.take_while(|line| line.is_empty() || line.starts_with("    ")).map(|line| line.trim_start());
    let lines = |lines: &mut dyn Iterator<Item = &str>| {
        let mut lines: Vec<_> = lines.map(readme::same_each_time).filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&mut shown.into_iter()), lines(&mut printed.lines()), "show the README's output anew");
}

#[test]
fn a_folder_of_files_is_a_federation() {
    let Some(data) = figures::shared("ucb-admissions") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let dataset = dir.path().join("berkeley");
    std::fs::create_dir(&dataset).expect("makes");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ucb-admissions");
    for file in ["contract.toml", "plan.toml"] {
        std::fs::copy(examples.join(file), dataset.join(file)).expect("copies");
    }
    std::os::unix::fs::symlink(data.join("sites"), dataset.join("sites")).expect("links");
    let out = dir.path().join("out");
    let said = run("federation", &[&dataset.display().to_string(), "--out", &out.display().to_string()]).good();
    assert!(said.out.contains("federation berkeley"), "{}", said.out);
    check_all(&figures::report(&out), &figures::json(&data.join("expected.json")));
}

#[test]
fn what_cannot_be_run_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    run("federation", &[&path("absent"), "--out", &path("out")]).fault("input", &["contract.toml is missing"]);
    std::fs::create_dir_all(dir.path().join("own/federation/precious")).expect("makes");
    run("federation", &["--out", &path("own")]).fault("operator", &["was not made by this program"]);
    assert!(dir.path().join("own/federation/precious").is_dir(), "nothing of others is removed");
    assert_eq!(run("federation", &["--nonsense"]).code, Some(4));
}
