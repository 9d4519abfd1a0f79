use super::*;

pub(crate) const ADMISSION: &str = r#"
contract = "admission"
version = 1
title = "Admission to graduate study"
task = "binary"
model = "committee"

[decision]
values = ["0", "1"]
favourable = "1"

[label]
values = ["0", "1"]
positive = "1"

[score]
min = 0.0
max = 1.0
bins = 80

[[attribute]]
name = "gender"
categories = ["Female", "Male"]

[[attribute]]
name = "home"
categories = ["near", "far"]
"#;

/// Three classes, of which `home` is the favourable one.
pub(crate) const CLASSES: &str = r#"
contract = "triage"
version = 1
title = "Where patients go"
task = "multiclass"
model = "triage"

[decision]
values = ["home", "ward", "intensive"]
favourable = "home"
ordered = true

[label]
values = ["home", "ward", "intensive"]
positive = "home"

[[attribute]]
name = "sex"
categories = ["f", "m"]
"#;

/// Days in hospital; from 10 on they are many.
pub(crate) const VALUES: &str = r#"
contract = "stay"
version = 1
title = "Days in hospital"
task = "regression"
model = "stay"

[decision]
values = ["short", "long"]
favourable = "short"
threshold = 10.0

[label]
values = ["short", "long"]
positive = "long"

[score]
min = 0.0
max = 30.0
bins = 20

[[attribute]]
name = "sex"
categories = ["f", "m"]
"#;

#[test]
fn examples_are_read_and_survive_json() {
    for text in [ADMISSION, CLASSES, VALUES] {
        let contract = from_toml(text).expect("a valid contract");
        let json = crate::codec::to_json(&contract).expect("encodes");
        assert_eq!(crate::codec::from_json::<Contract>(&json), Ok(contract));
    }
}

#[test]
fn each_task_has_its_rules() {
    let cases = [
        (CLASSES, "positive = \"home\"", "positive = \"ward\"", "it must be `decision.favourable`, \"home\""),
        (
            CLASSES,
            "[label]\nvalues = [\"home\", ",
            "[label]\nvalues = [\"house\", ",
            "must be the classes of `decision.values`",
        ),
        (
            CLASSES,
            "values = [\"home\", \"ward\", ",
            "values = [\"home\", ",
            "holds 2 values; a multiclass task has 3 to 20",
        ),
        (CLASSES, "ordered = true", "threshold = 0.5", "`decision.threshold` cuts in two"),
        (CLASSES, "task = \"multiclass\"", "task = \"binary\"", "`decision.values` holds 3 values; this task has 2"),
        (VALUES, "threshold = 10.0", "", "a regression needs `[score]`"),
        (VALUES, "threshold = 10.0", "ordered = true\nthreshold = 10.0", "`decision.ordered` is for several classes"),
    ];
    for (of, from, to, expected) in cases {
        let text = of.replacen(from, to, 1);
        assert_ne!(text, of, "{from}");
        let error = from_toml(&text).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn errors_name_the_key_and_what_would_be_right() {
    let cases = [
        ("favourable = \"1\"", "favourable = \"2\"", "`decision.favourable` is \"2\"; it must be \"0\" or \"1\""),
        ("bins = 80", "bins = 100", "`score.bins` is 100; it must be 10 * 2^m"),
        ("max = 1.0", "max = 0.0", "`score.min` 0 must be below `score.max` 0"),
        ("min = 0.0\nmax = 1.0", "min = -1.7e308\nmax = 1.7e308", "are too far apart"),
        ("version = 1", "version = 0", "`version` is 0; versions count from 1"),
        (
            "favourable = \"1\"",
            "favourable = \"1\"\nthreshold = 1.5",
            "`decision.threshold` is 1.5; the score's range is 0 to 1",
        ),
        ("title =", "titel =", "unknown field `titel`"),
        ("positive = \"1\"", "positive = \"0\"", "`label.positive` is \"0\""),
        ("\"near\", \"far\"", "\"near\", \"near\"", "lists `near` twice"),
        ("\"near\", \"far\"", "\"near\", \"unknown\"", "it is always there, leave it out"),
        ("name = \"home\"", "name = \"gender\"", "attribute `gender` stands twice"),
        ("\"admission\"", "\"Admission\"", "is not a name"),
        (
            "task = \"binary\"",
            "task = \"ranking\"",
            "unknown variant `ranking`, expected one of `binary`, `multiclass`, `regression`",
        ),
    ];
    for (from, to, expected) in cases {
        let text = ADMISSION.replacen(from, to, 1);
        assert_ne!(text, ADMISSION, "{from}");
        let error = from_toml(&text).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}
