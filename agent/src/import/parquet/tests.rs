//! Files as writers in the wild make them, and files that are none.

use super::*;
use crate::import::{Map, Reading, import_file};
use crate::journal::tests::{contract, new, rng};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt16Array,
};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// 2026-01-02T03:04:05Z.
const SECOND: i64 = 1_767_323_045;

fn write(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true)));
    let batch = batch.expect("a batch");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("written")
}

/// Three events with scores, decisions, labels and times of the types given.
fn events(score: ArrayRef, decision: ArrayRef, label: ArrayRef, times: ArrayRef) -> Vec<u8> {
    let gender: DictionaryArray<arrow_array::types::Int8Type> =
        vec![Some("Female"), None, Some("Male")].into_iter().collect();
    let same = |text: &str| Arc::new(StringArray::from(vec![text; 3])) as ArrayRef;
    write(vec![
        ("event_id", Arc::new(UInt16Array::from(vec![7, 8, 9]))),
        ("occurred_at", times.clone()),
        ("model_id", same("committee")),
        ("model_version", same(" v1 ")),
        ("score", score),
        ("decision", decision),
        ("label", label),
        ("labelled_at", times),
        ("gender", Arc::new(gender)),
        (
            "path",
            Arc::new(ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(vec![
                Some(vec![Some(1)]);
                3
            ])),
        ),
    ])
}

fn usual() -> Vec<u8> {
    let times = TimestampMicrosecondArray::from(vec![SECOND * 1_000_000; 3]).with_timezone("Europe/Berlin");
    let labels = Float64Array::from(vec![Some(1.0), Some(0.0), Some(1.0)]);
    let (scores, decisions) = (Float64Array::from(vec![0.25, 0.5, 1.0]), Int8Array::from(vec![Some(0), Some(1), None]));
    events(Arc::new(scores), Arc::new(decisions), Arc::new(labels), Arc::new(times))
}

/// What an import says of a file after one that held the same events as CSV.
fn import(bytes: &[u8]) -> Result<crate::import::ImportSummary, Fault> {
    let (home, mut journal) = new();
    let (csv, parquet) = (home.path().join("a.csv"), home.path().join("a.parquet"));
    let time = "2026-01-02T03:04:05Z";
    let text = format!(
        "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,gender\n\
         7,{time},committee,v1,0.25,0,1,{time},Female\n8,{time},committee,v1,0.5,1,0,{time},\n\
         9,{time},committee,v1,1,,1,{time},Male\n"
    );
    std::fs::write(&csv, text).expect("written");
    std::fs::write(&parquet, bytes).expect("written");
    let (contract, map) = (contract(), Map::default());
    let reading = Reading { contract: &contract, map: &map, released: &[] };
    let rejects = home.path().join("rejects.csv");
    let mut take = |file: &Path| import_file(&mut journal, &reading, file, &rejects, &mut rng(1), &mut |_, _| {});
    assert_eq!(take(&csv).map(|summary| summary.events), Ok(3));
    take(&parquet)
}

#[test]
fn values_are_those_of_csv_whatever_their_type() {
    let summary = import(&usual()).expect("imported");
    assert_eq!((summary.rows, summary.duplicates, summary.rejected), (3, 3, 0), "{summary:?}");
    assert_eq!((summary.unit, summary.ignored_columns), (Unit::Row, vec!["path".to_owned()]));
    // Other types of the same values.
    let times = TimestampMillisecondArray::from(vec![SECOND * 1_000; 3]).with_timezone("UTC");
    let decisions = StringArray::from(vec![Some("0"), Some("1"), None]);
    let labels = Int64Array::from(vec![1, 0, 1]);
    let scores = Float32Array::from(vec![0.25, 0.5, 1.0]);
    let bytes = events(Arc::new(scores), Arc::new(decisions), Arc::new(labels), Arc::new(times));
    let summary = import(&bytes).expect("imported");
    assert_eq!((summary.rows, summary.duplicates), (3, 3), "{summary:?}");
}

#[test]
fn what_does_not_fit_is_refused_by_row() {
    // No zone; decisions that the contract does not list; a label of null with a time; NaN.
    let naive = TimestampNanosecondArray::from(vec![SECOND * 1_000_000_000; 3]);
    let scores = Float64Array::from(vec![0.25, 0.5, 1.0]);
    let labels = Int64Array::from(vec![1, 0, 1]);
    let decisions: ArrayRef = Arc::new(Int8Array::from(vec![0, 1, 0]));
    let bytes = events(Arc::new(scores.clone()), decisions.clone(), Arc::new(labels.clone()), Arc::new(naive));
    let summary = import(&bytes).expect("looked at");
    assert_eq!(summary.rejected, 3);
    assert!(summary.first_rejects[0].reason.contains("it names no time zone"), "{summary:?}");
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![SECOND * 1_000; 3]).with_timezone("UTC"));
    let truths = Arc::new(BooleanArray::from(vec![true; 3]));
    let summary = import(&events(Arc::new(scores), truths, Arc::new(labels), times.clone())).expect("looked at");
    assert!(summary.first_rejects[0].reason.contains("decision \"true\""), "{summary:?}");
    let scores = Float64Array::from(vec![f64::NAN, 0.5, 7.0]);
    let labels = Int64Array::from(vec![Some(1), None, Some(1)]);
    let summary = import(&events(Arc::new(scores), decisions, Arc::new(labels), times)).expect("looked at");
    let rejects: Vec<_> = summary.first_rejects.iter().map(|reject| (reject.number, reject.reason.as_str())).collect();
    let expected = ["score NaN", "labelled_at without label", "score 7"];
    assert!(
        rejects.len() == 3 && rejects.iter().zip(1..).zip(expected).all(|((of, n), e)| of.0 == n && of.1.contains(e)),
        "{rejects:?}"
    );
}

#[test]
fn files_that_are_no_good_are_refused() {
    let list = write(vec![
        ("event_id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        (
            "score",
            Arc::new(ListArray::from_iter_primitive::<arrow_array::types::Int32Type, _, _>(vec![Some(vec![Some(1)])])),
        ),
    ]);
    let few = write(vec![("event_id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    let good = usual();
    let cut = good[..good.len() - 1].to_vec();
    let mut long = good.clone();
    let at = long.len() - 5;
    long[at] = 0x7f;
    let mut encrypted = good.clone();
    encrypted.splice(good.len() - 4.., *b"PARE");
    for (bytes, expected) in [
        (&b"PAR1"[..], "cannot read"),
        (&b"PAR1PAR1"[..], "cannot read"),
        (&list, "column `score` has type List"),
        (&few, "it lacks `occurred_at`"),
        (&cut, "cut short"),
        (&long, "cut short"),
        (&encrypted, "it is encrypted"),
    ] {
        let fault = import(bytes).expect_err(expected);
        assert!(fault.what.contains(expected) && fault.blame == Blame::Input, "{expected}: {fault}");
    }
}

/// A file with a flipped bit is refused, or read, but never worse.
#[test]
fn flipped_bits_do_not_crash() {
    let good = usual();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("a.parquet");
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).expect("written");
        if let Ok(mut rows) = ParquetRows::open(&path) {
            while !matches!(rows.next(), Ok(Next::End) | Err(_)) {}
        }
    }
}
