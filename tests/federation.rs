//! The main job, from one command: six departments as processes, a verified report, and its figures against others' software.

use fedaudit_core::codec;
use fedaudit_core::report::{Estimate, Figure, Parity, Report, Selection, SimpsonFigures, TestFigure};
use fedaudit_tests::run;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What the shared data say about this data set, computed by statsmodels, fairlearn and scipy; none where they are absent.
fn expected(path: &str) -> Option<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    let Ok(text) = std::fs::read_to_string(folder.join("expected.json")) else {
        assert!(std::env::var_os("CI").is_none(), "{} is absent: CI demands it", folder.display());
        eprintln!("NOT CHECKED against other software: {} is absent", folder.display());
        return None;
    };
    Some((folder, serde_json::from_str(&text).expect("well-formed")))
}

fn read(out: &Path) -> Report {
    codec::from_json(&std::fs::read(out.join("report.json")).expect("written")).expect("a report")
}

#[track_caller]
fn near(found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

#[track_caller]
fn estimate(figure: &Figure) -> &Estimate {
    let Figure::Estimate(estimate) = figure else { panic!("{figure:?}") };
    estimate
}

#[track_caller]
fn with_interval(figure: &Figure, value: &Value, interval: &Value) {
    let estimate = estimate(figure);
    near(estimate.value, value, 1e-9);
    let bounds = estimate.interval.expect("an interval");
    near(bounds.lower, &interval[0], 1e-9);
    near(bounds.upper, &interval[1], 1e-9);
}

#[track_caller]
fn test_of(test: &TestFigure, value: &Value, p_value: &Value) {
    let TestFigure::Test { statistic, p, .. } = test else { panic!("{test:?}") };
    near(*statistic, value, 1e-9);
    near(*p, p_value, 1e-9);
}

#[track_caller]
fn selection(found: &Selection, expected: &Value) {
    for (count, key) in [(found.n, "n"), (found.selected, "selected"), (found.labelled, "labelled")] {
        assert_eq!(Some(count), expected[key].as_u64(), "{key}");
    }
    near(estimate(&found.selection_rate).value, &expected["selection_rate"], 1e-12);
    with_interval(&found.selection_rate, &expected["selection_rate"], &expected["selection_rate_wilson95"]);
}

#[track_caller]
fn parity(found: &Parity, expected: &Value) {
    near(estimate(&found.difference).value, &expected["all_groups"]["demographic_parity_difference"], 1e-9);
    near(estimate(&found.ratio).value, &expected["all_groups"]["demographic_parity_ratio"], 1e-9);
    test_of(&found.chi2, &expected["chi2"]["chi2"], &expected["chi2"]["p"]);
}

/// Every figure of `expected.json`, in the order in which it stands there.
fn check_all(report: &Report, expected: &Value) {
    let scope = &expected["scopes"]["ucb-graduate-admission@fall-1973"];
    let [whole, gender] = &report.scopes[0].slices[..] else { panic!("two slices") };
    selection(whole.groups[0].pooled.as_ref().expect("pooled"), &scope["pooled"]["overall"]);
    let by_gender = &scope["pooled"]["attributes"]["gender"];
    for group in gender.groups.iter().filter(|group| group.group == ["Female"] || group.group == ["Male"]) {
        selection(group.pooled.as_ref().expect("pooled"), &by_gender["by_group"][&group.group[0]]);
    }
    parity(gender.parity.as_ref().expect("compared"), &by_gender["disparities"]);
    for (at, site) in gender.sites.iter().enumerate() {
        let expected = &scope["per_site"][site.site.as_str()];
        selection(whole.groups[0].sites[at].as_ref().expect("released"), &expected["overall"]);
        for group in 0..2 {
            let name = &gender.groups[group].group[0];
            let found = gender.groups[group].sites[at].as_ref().expect("released");
            selection(found, &expected["attributes"]["gender"]["by_group"][name]);
        }
        parity(gender.site_parity[at].as_ref().expect("compared"), &expected["attributes"]["gender"]["disparities"]);
    }
    check_pair(gender, &by_gender["pairs_vs_reference"]["Female"]);
}

fn check_pair(gender: &fedaudit_core::report::SliceFigures, expected: &Value) {
    let [pair] = &gender.pairs[..] else { panic!("one pair") };
    assert_eq!((&pair.group[0], &gender.reference[0]), (&"Female".to_owned(), &"Male".to_owned()));
    with_interval(&pair.crude.difference, &expected["difference"], &expected["difference_newcombe95"]);
    near(estimate(&pair.crude.impact_ratio).value, &expected["disparate_impact_ratio"], 1e-9);
    near(estimate(&pair.crude.selection_ratio).value, &expected["disparate_impact_ratio"], 1e-9);
    with_interval(&pair.crude.odds_ratio, &expected["odds_ratio"], &expected["odds_ratio_ci95"]);
    for (site, found) in gender.sites.iter().zip(&pair.sites) {
        let expected = &expected["per_site"][site.site.as_str()];
        let contrast = found.contrast.as_ref().expect("released");
        near(estimate(&contrast.difference).value, &expected["difference"], 1e-9);
        near(estimate(&contrast.impact_ratio).value, &expected["disparate_impact_ratio"], 1e-9);
        near(found.variance.expect("defined"), &expected["variance"], 1e-9);
    }
    let (meta, pooled) = (&expected["meta_difference"], &pair.pooled);
    assert_eq!(serde_json::to_value(&pooled.sites).expect("names"), meta["sites_used"]);
    with_interval(&pooled.fixed, &meta["fe"], &meta["fe_ci95"]);
    with_interval(&pooled.random, &meta["re_dl"], &meta["re_dl_ci95"]);
    with_interval(&pooled.random_hksj, &meta["re_dl"], &meta["re_hksj_t_ci95"]);
    test_of(&pooled.q, &meta["q"], &meta["q_p"]);
    near(estimate(&pooled.i2).value, &meta["i2"], 1e-9);
    near(estimate(&pooled.tau2).value, &meta["tau2"], 1e-9);
    let (stratified, adjusted) = (&expected["mantel_haenszel"], &pair.mantel_haenszel);
    assert_eq!(serde_json::to_value(&adjusted.sites).expect("names"), stratified["sites_used"]);
    with_interval(&adjusted.odds_ratio, &stratified["or"], &stratified["or_ci95"]);
    near(estimate(&adjusted.risk_ratio).value, &stratified["rr"], 1e-9);
    test_of(&adjusted.cmh, &stratified["cmh_chi2"], &stratified["cmh_p"]);
    test_of(&adjusted.cmh_corrected, &stratified["cmh_chi2_corrected"], &stratified["cmh_p_corrected"]);
    test_of(&adjusted.breslow_day, &stratified["breslow_day"], &stratified["breslow_day_p"]);
    test_of(&adjusted.breslow_day_tarone, &stratified["breslow_day_tarone"], &stratified["breslow_day_tarone_p"]);
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
    let report = read(out);
    assert!(matches!(report.scopes[0].slices[1].pairs[0].simpson, SimpsonFigures::Compared { reversal: true, .. }));
    assert_eq!(report.sites.iter().map(|site| site.events).collect::<Vec<_>>(), [933, 585, 918, 792, 584, 714]);
    if let Some((_, expected)) = expected("ucb-admissions") {
        check_all(&report, &expected);
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
    let same_each_time = |line: &str| {
        let word = |word: &str| {
            let digest = word.contains(|c: char| c.is_ascii_hexdigit())
                && word.split('/').any(|part| part.trim_end_matches(',').len() == 64);
            let measured = ["bytes)", " s in all", "verified in"].iter().any(|unit| line.contains(unit));
            let number = measured && word.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit());
            if digest || number { "*".to_owned() } else { word.to_owned() }
        };
        line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
    };
    let lines = |lines: &mut dyn Iterator<Item = &str>| {
        let mut lines: Vec<_> = lines.map(same_each_time).filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&mut shown.into_iter()), lines(&mut printed.lines()), "show the README's output anew");
}

#[test]
fn a_folder_of_files_is_a_federation() {
    let Some((data, expected)) = expected("ucb-admissions") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let dataset = dir.path().join("berkeley");
    std::fs::create_dir(&dataset).expect("makes");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ucb-admissions");
    for file in ["contract.toml", "plan.toml"] {
        std::fs::copy(examples.join(file), dataset.join(file)).expect("copies");
    }
    std::os::unix::fs::symlink(data.join("sites").canonicalize().expect("exists"), dataset.join("sites"))
        .expect("links");
    let out = dir.path().join("out");
    let said = run("federation", &[&dataset.display().to_string(), "--out", &out.display().to_string()]).good();
    assert!(said.out.contains("federation berkeley"), "{}", said.out);
    check_all(&read(&out), &expected);
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
