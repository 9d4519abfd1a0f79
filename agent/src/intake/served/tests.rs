//! Bodies as model servers write them, of each protocol.

use super::*;

fn asked(json: &str, features: usize) -> Result<Vec<Row<'_>>, String> {
    serde_json::from_str::<Body>(json).map_err(|e| e.to_string())?.asked(features)
}

fn answered(json: &str) -> Result<Vec<Row<'_>>, String> {
    serde_json::from_str::<Body>(json).map_err(|e| e.to_string())?.answered()
}

fn integers(row: &[i64]) -> Row<'static> {
    Row::Ordered(row.iter().map(|value| Scalar::Integer(*value)).collect())
}

fn named(pairs: &[(&str, Scalar<'static>)]) -> Row<'static> {
    Row::Named(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

#[test]
fn v1_instances_are_lists_objects_or_values() {
    assert_eq!(asked(r#"{"instances":[[1,2],[3,4]]}"#, 2), Ok(vec![integers(&[1, 2]), integers(&[3, 4])]));
    assert_eq!(asked(r#"{"signature_name":"x","instances":[5]}"#, 1), Ok(vec![integers(&[5])]));
    let row = named(&[("age", Scalar::Integer(41)), ("job", Scalar::Text("none".into()))]);
    assert_eq!(asked(r#"{"instances":[{"job":"none","age":41}]}"#, 2), Ok(vec![row]));
    assert_eq!(answered(r#"{"predictions":[[0.25,0.75]]}"#).expect("rows").len(), 1);
    assert!(asked(r#"{"instances":[{"age":41,"age":42}]}"#, 2).is_err_and(|e| e.contains("twice the key `age`")));
}

#[test]
fn v2_tensors_are_rows_or_columns() {
    let matrix = r#"{"id":"x","inputs":[{"name":"in","shape":[2,2],"datatype":"INT64","data":[1,2,3,4]}]}"#;
    let nested = matrix.replace("[1,2,3,4]", "[[1,2],[3,4]]");
    let rows = Ok(vec![integers(&[1, 2]), integers(&[3, 4])]);
    assert_eq!(asked(matrix, 2), rows);
    assert_eq!(asked(&nested, 2), rows);
    let columns = r#"{"inputs":[{"name":"age","shape":[2,1],"datatype":"INT32","data":[41,42]},
        {"name":"sex","shape":[2],"datatype":"BYTES","data":["f","m"]}]}"#;
    let row = |age, sex: &'static str| named(&[("age", Scalar::Integer(age)), ("sex", Scalar::Text(sex.into()))]);
    assert_eq!(asked(columns, 2), Ok(vec![row(41, "f"), row(42, "m")]));
    let both = r#"{"model_version":"7","outputs":[{"name":"predict","shape":[1],"datatype":"INT64","data":[1]},
        {"name":"proba","shape":[1,2],"datatype":"FP64","data":[0.25,0.75]}]}"#;
    let row =
        named(&[("predict", Scalar::Integer(1)), ("proba.0", Scalar::Number(0.25)), ("proba.1", Scalar::Number(0.75))]);
    assert_eq!(answered(both), Ok(vec![row]));
    assert!(asked(&matrix.replace("[2,2]", "[3,2]"), 2).is_err_and(|e| e.contains("do not fill the shape")));
    assert!(
        asked(&columns.replace("[2]", "[1]").replace("[\"f\",\"m\"]", "[\"f\"]"), 2)
            .is_err_and(|e| e.contains("1 rows, others 2"))
    );
}

#[test]
fn seldons_data_are_arrays_or_tensors_with_names() {
    let pair = named(&[("a", Scalar::Integer(1)), ("b", Scalar::Integer(2))]);
    assert_eq!(asked(r#"{"data":{"names":["a","b"],"ndarray":[[1,2]]}}"#, 2), Ok(vec![pair.clone()]));
    assert_eq!(asked(r#"{"data":{"names":["a","b"],"ndarray":[1,2]}}"#, 2), Ok(vec![pair.clone()]));
    assert_eq!(asked(r#"{"data":{"names":["a","b"],"tensor":{"shape":[1,2],"values":[1,2]}}}"#, 2), Ok(vec![pair]));
    assert_eq!(asked(r#"{"data":{"ndarray":[1,2,3]}}"#, 2), Ok(vec![integers(&[1]), integers(&[2]), integers(&[3])]));
    let truth: Body = serde_json::from_str(
        r#"{"request":{"data":{"ndarray":[[1]]}},"response":{"meta":{"puid":"p-1"}},"reward":1,"truth":{"data":{"ndarray":[[1]]}}}"#,
    )
    .expect("feedback");
    assert_eq!(truth.response.and_then(|response| response.meta?.puid).as_deref(), Some("p-1"));
    assert_eq!(truth.truth.expect("a truth").answered(), Ok(vec![integers(&[1])]));
}

#[test]
fn other_bodies_are_strange() {
    for json in [
        "{}",
        r#"{"instances":7}"#,
        r#"{"data":{}}"#,
        r#"{"instances":[],"inputs":[]}"#,
        r#"{"data":{"ndarray":[[{}]]}}"#,
    ] {
        assert!(asked(json, 1).is_err(), "{json}");
    }
    assert!(answered(r#"{"instances":[1]}"#).is_err() && asked("[1]", 1).is_err());
}

#[test]
fn a_shape_asks_for_no_more_rows_than_there_are_values() {
    for shape in [&[1_000_000_000_000, 0][..], &[u64::MAX, 0], &[2], &[3, 3]] {
        assert!(cut(vec![Scalar::Integer(1)], shape).is_err(), "{shape:?}");
    }
    assert!(cut(Vec::new(), &[1_000_000_000_000, 0]).is_err());
    assert_eq!(cut(vec![Scalar::Integer(1)], &[1, 1]).map(|rows| rows.len()), Ok(1));
}
