//! Codes at every border, and a canonical form that no two lists of values share.

use super::FeatureValue::{Bool, Integer, Missing, Number, Text};
use super::*;
use crate::contract::{from_toml, tests::ADMISSION};
use proptest::prelude::*;

const FEATURES: &str = r#"
[[feature]]
name = "age"
type = "integer"
min = 18
max = 120
edges = [30, 50]

[[feature]]
name = "grade"
type = "number"
min = 0
max = 4
edges = [2.5]
missing = true

[[feature]]
name = "school"
type = "category"
categories = ["state", "private"]

[[feature]]
name = "first"
type = "boolean"

[[feature]]
name = "essay"
type = "text"
missing = true
"#;

fn features() -> Vec<Feature> {
    from_toml(&format!("{ADMISSION}{FEATURES}")).expect("valid").features.clone()
}

fn codes(at: usize, values: &[FeatureValue]) -> Vec<u16> {
    values.iter().map(|value| code(&features()[at], *value)).collect()
}

fn form(values: &[FeatureValue]) -> String {
    let mut out = String::new();
    canonical(values, &mut out).expect("a text takes all");
    out
}

#[test]
fn bins_are_right_closed_and_all_else_is_a_violation() {
    let ages = [18, 30, 31, 50, 51, 120, 17, 121, i64::MAX].map(Integer);
    assert_eq!(codes(0, &ages), [0, 0, 1, 1, 2, 2, 4, 4, 4]);
    assert_eq!(codes(0, &[Number(30.0), Number(30.5), Text("30"), Bool(true), Missing]), [0, 4, 4, 4, 4]);
    let grades = [0.0, 2.5, 2.500_000_1, 4.0, -0.1, 4.1, f64::NAN, f64::INFINITY].map(Number);
    assert_eq!(codes(1, &grades), [0, 0, 1, 1, 3, 3, 3, 3]);
    assert_eq!(codes(1, &[Integer(3), Missing, Text("")]), [1, 2, 3]);
    assert_eq!(codes(2, &[Text("state"), Text("private"), Text("State"), Missing]), [0, 1, 3, 3]);
    assert_eq!(codes(3, &[Bool(false), Bool(true), Integer(1), Missing]), [0, 1, 3, 3]);
    assert_eq!(codes(4, &[Text(""), Text("x"), Missing, Integer(1)]), [0, 0, 1, 2]);
}

#[test]
fn text_of_a_column_becomes_what_the_contract_expects() {
    let [age, grade, school, first, essay] = &features()[..] else { panic!("five features") };
    let integers = ["41", "41.0", "old", ""].map(|text| age.value_of_text(text));
    assert_eq!(integers, [Integer(41), Number(41.0), Text("old"), Missing]);
    assert_eq!(grade.value_of_text("2.5"), Number(2.5));
    assert_eq!(["true", "false", "yes"].map(|text| first.value_of_text(text)), [Bool(true), Bool(false), Text("yes")]);
    assert_eq!([school, essay].map(|feature| feature.value_of_text("1")), [Text("1"), Text("1")]);
}

#[test]
fn errors_name_the_feature_and_what_would_be_right() {
    let cases = [
        ("max = 120", "max = 18", "feature `age`: `min` 18 must be below `max` 18"),
        ("max = 120", "", "feature `age` needs `min` and `max`"),
        ("max = 4", "max = inf", "`min` 0 must be below `max` inf"),
        ("[30, 50]", "[50, 30]", "`edges` must ascend between `min` and `max`; 30 does not"),
        ("[30, 50]", "[18, 30]", "18 does not"),
        ("[30, 50]", "[30, 120]", "120 does not"),
        ("[30, 50]", "[30.5]", "feature `age`: 30.5 is no integer"),
        ("\"state\", \"private\"", "", "feature `school` has 0 categories; 1 to 1000"),
        ("\"private\"", "\"state\"", "feature `school` lists `state` twice"),
        (
            "type = \"boolean\"",
            "type = \"boolean\"\nmin = 0",
            "feature `first` has `min`, which its type does not know",
        ),
        ("name = \"first\"", "name = \"essay\"", "feature `essay` stands twice"),
        ("type = \"text\"", "type = \"date\"", "unknown variant `date`"),
        ("missing = true", "mising = true", "unknown field `mising`"),
    ];
    for (from, to, expected) in cases {
        let text = FEATURES.replacen(from, to, 1);
        assert_ne!(text, FEATURES, "{from}");
        let error = from_toml(&format!("{ADMISSION}{text}")).expect_err(to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn the_form_depends_on_values_and_not_on_how_they_are_written() {
    assert_eq!(
        form(&[Integer(41), Number(41.0), Number(-0.0), Number(-1e15)]),
        "i 41\ni 41\ni 0\ni -1000000000000000\n"
    );
    assert_eq!(
        form(&[Number(0.1), Number(2.5e-7), Number(1e19), Number(-41.5)]),
        "n 1e-1\nn 2.5e-7\nn 1e19\nn -4.15e1\n"
    );
    assert_eq!(form(&[Number(f64::NAN), Number(-f64::NAN)]), "x nan\nx nan\n");
    assert_eq!(form(&[Number(f64::INFINITY), Number(f64::NEG_INFINITY)]), "x inf\nx -inf\n");
    assert_eq!(form(&[Text("é\n-"), Bool(true), Bool(false), Missing]), "t 4 é\n-\nb 1\nb 0\n-\n");
    assert_eq!(
        form(&[Integer(i64::MIN), Number(-END), Number(END)]),
        "i -9223372036854775808\n".repeat(2) + "n 9.223372036854776e18\n"
    );
}

fn value() -> impl Strategy<Value = (u8, i64, f64, String)> {
    (0..5_u8, prop_oneof![-3..3_i64, any::<i64>()], any::<f64>(), "[-bit0 1\n]{0,4}")
}

fn of((kind, integer, number, text): &(u8, i64, f64, String)) -> FeatureValue<'_> {
    match kind {
        0 => Missing,
        1 => Integer(*integer),
        2 => Number(*number),
        3 => Bool(*integer > 0),
        _ => Text(text),
    }
}

proptest! {
    #[test]
    fn different_values_have_different_forms(
        a in proptest::collection::vec(value(), 0..4),
        b in proptest::collection::vec(value(), 0..4),
    ) {
        let a: Vec<_> = a.iter().map(of).collect();
        let b: Vec<_> = b.iter().map(of).collect();
        let same = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| whole(*a) == whole(*b));
        prop_assert_eq!(form(&a) == form(&b), same);
        let hashed: [u8; 32] = Sha256::digest(form(&a)).into();
        prop_assert_eq!(digest(&a), hashed);
    }
}
