use super::*;

pub(crate) const ADMISSIONS: &str = r#"
plan = "admissions"
version = 1
title = "Are women admitted as often as men?"
contract = "admission"
model_versions = ["v1"]
required_sites = ["dept-a", "dept-b"]

[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-03-01T00:00:00Z"
every = "month"
release_after_hours = 24

[disclosure]
k = 5

[[slice]]
attributes = ["gender"]
reference = ["Male"]

[[slice]]
attributes = ["gender", "home"]
reference = ["Male", "near"]
"#;

pub(crate) fn plan() -> Plan {
    from_toml(ADMISSIONS, |_| Some(Digest([7; 32]))).expect("a valid plan")
}

#[test]
fn windows_tumble() {
    let plan = plan();
    let windows = plan.all_windows();
    assert_eq!(
        windows.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["2026-01-01T00:00:00Z/2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z/2026-03-01T00:00:00Z"]
    );
    assert!(windows.iter().all(|window| plan.has_window(window)));
    assert!(!plan.has_window(&Window { start: windows[0].start, end: windows[1].end }));
    assert_eq!(plan.release_time(&windows[0]).to_string(), "2026-02-02T00:00:00Z");
    assert_eq!(plan.windows_before(Time::parse("2026-01-15T00:00:00Z").expect("a time")).len(), 1);
}

#[test]
fn a_contract_says_which_slices_there_are() {
    let contract = crate::contract::from_toml(crate::contract::tests::ADMISSION).expect("valid");
    let plan = plan();
    assert_eq!(plan.check_against(&contract), Ok(()));
    let groups = plan.slices[1].groups(&contract);
    assert_eq!(groups.len(), 16);
    assert_eq!(groups[1], ["Female", "far"]);
    assert_eq!(groups[15], [UNKNOWN, UNKNOWN]);
    assert!(is_compared(&groups[1]) && !is_compared(&groups[3]));
}

#[test]
fn errors_name_the_key_and_what_would_be_right() {
    let cases = [
        ("[windows]", "min_coverage = 80.0\n[windows]", "`min_coverage` is 80; a share from 0 to 1"),
        ("k = 5", "k = 0", "`disclosure.k` is 0; at least 1"),
        (
            "k = 5",
            "k = 5\nhide_zeros = true\nprivacy = { mechanism = \"discrete_laplace\", epsilon = \"1\", events_per_subject = 1 }",
            "`disclosure.hide_zeros` is for exact counts",
        ),
        ("T00:00:00Z\"\nend", "T00:30:00Z\"\nend", "windows begin and end on whole hours"),
        ("\"2026-03-01", "\"2026-03-02", "the window that holds it ends 2026-04-01T00:00:00Z"),
        ("\"2026-03-01", "\"2025-03-01", "must be before `windows.end`"),
        ("reference = [\"Male\"]", "reference = []", "`reference` has 0 values; one for each of its 1 attributes"),
        ("\"dept-a\", \"dept-b\"", "\"dept-a\", \"dept-a\"", "`required_sites` lists `dept-a` twice"),
        ("[\"v1\"]", "[]", "`model_versions` is empty"),
        ("version = 1", "version = 1\nfoo = 2", "unknown field `foo`"),
        ("contract =", "contract_digest = \"\"\ncontract =", "leave it out"),
    ];
    for (from, to, expected) in cases {
        let source = ADMISSIONS.replacen(from, to, 1);
        assert_ne!(source, ADMISSIONS, "{from}");
        let error = from_toml(&source, |_| Some(Digest([7; 32]))).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
    let error = from_toml(ADMISSIONS, |_| None).expect_err("no contract");
    assert!(error.contains("publish it first"), "{error}");
}
