//! Bounds of what a slice leaves possible against linear programs, `slices` of `schemas/vectors/statistics/identified.json`.

use super::*;
use crate::disclosure::ReleasedGroup;
use serde_json::Value;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/vectors/statistics/identified.json"));

fn slice(case: &Value) -> (ReleasedSlice, TableRange) {
    let block = |value: &Value| serde_json::from_value::<Block>(value.clone()).expect("a block");
    let list = |name: &str| case[name].as_array().expect("a list").clone();
    let mut groups: Vec<Block> = list("groups").iter().map(block).collect();
    for (at, fold) in list("folds").iter().enumerate() {
        for member in fold["members"].as_array().expect("a list") {
            groups[member.as_u64().expect("a group") as usize] = Block::Folded(at as u32);
        }
    }
    let groups = groups.into_iter().map(|counts| ReleasedGroup::new(Vec::new(), counts, None)).collect();
    let folds = list("folds").iter().map(|fold| block(&fold["block"])).collect();
    (ReleasedSlice { attributes: Vec::new(), groups, folds }, table(&block(&case["whole"])))
}

#[test]
fn bounds_hold_what_linear_programs_find() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let cases = vectors["slices"].as_array().expect("cases");
    let names = ["selection_rate", "tpr", "fpr", "ppv", "accuracy"];
    let (mut all, mut sharp) = (0, [0; RATES.len()]);
    for case in cases {
        let (slice, whole) = slice(case);
        let ranges = ranges(&slice, whole);
        for ((name, rate), sharp) in names.iter().zip(RATES).zip(&mut sharp) {
            let found = identified_rate(rate(ranges.group(0))).ok();
            let Some([least, greatest]) = case["bounds"][name].as_array().map(|ends| [&ends[0], &ends[1]]) else {
                continue;
            };
            let [least, greatest] = [least, greatest].map(|end| end.as_f64().expect("a number"));
            let found = found.expect("a rate that can be");
            assert!(found.lower <= least + 1e-9 && found.upper >= greatest - 1e-9, "{name} {found:?} {case}");
            all += 1;
            *sharp += usize::from((found.lower - least).abs() < 1e-9 && (found.upper - greatest).abs() < 1e-9);
        }
    }
    // What docs/metrics.md says of them.
    assert_eq!((all, sharp), (777, [160, 153, 150, 154, 155]));
}
