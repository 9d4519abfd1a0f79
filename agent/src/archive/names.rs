//! Where a segment's records lie in the archive: Hive partitions, as column stores expect them.
//!
//! `predictions/model=<contract>/date=<UTC date of occurred_at>/segment-<number>-v<contract version>.parquet`,
//! `outcomes/` likewise by the date of `labelled_at`, and `ledger/segment-<number>.parquet`. Records without a date
//! (pads) lie in the partition that stands for null.

use fedaudit_core::time::Time;

/// The file of a log's records of one date; none for those without. Of the ledger there is one file only.
pub(crate) fn file(log: &str, segment: u32, date: Option<i64>) -> String {
    let date = date.map_or_else(|| NO_DATE.to_owned(), text);
    join(log, segment, &format!("date={date}/"))
}

/// The files of all dates.
pub(crate) fn pattern(log: &str, segment: u32) -> String {
    join(log, segment, "date=*/")
}

/// Whether a file holds records of a log.
pub(crate) fn belongs(file: &str, log: &str, segment: u32) -> bool {
    let pattern = pattern(log, segment);
    let (start, end) = pattern.split_once("date=*/").unwrap_or((&pattern, ""));
    let middle = file.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    middle.is_some_and(|middle| middle.is_empty() != pattern.contains('*') && middle.matches('/').count() < 2)
}

/// Days since 1970-01-01, UTC, of a time.
pub(crate) fn date_of(time: Time) -> i64 {
    time.0.div_euclid(DAY_NS)
}

fn text(date: i64) -> String {
    let text = Time(date.saturating_mul(DAY_NS)).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

fn join(log: &str, segment: u32, date: &str) -> String {
    match log.split('/').collect::<Vec<_>>()[..] {
        [kind, contract, version] => format!("{kind}/model={contract}/{date}segment-{segment:06}-v{version}.parquet"),
        _ => format!("{log}/segment-{segment:06}.parquet"),
    }
}

/// Nanoseconds of a day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;
/// What Hive, Spark, DuckDB and Arrow read as null.
const NO_DATE: &str = "__HIVE_DEFAULT_PARTITION__";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_again_by_log_and_segment() {
        let at = Time::parse("1969-12-31T23:00:00Z").expect("a time");
        let name = file("predictions/admission/2", 7, Some(date_of(at)));
        assert_eq!(name, "predictions/model=admission/date=1969-12-31/segment-000007-v2.parquet");
        assert!(belongs(&name, "predictions/admission/2", 7));
        for (log, segment) in [
            ("predictions/admission/1", 7),
            ("predictions/admission/2", 8),
            ("outcomes/admission/2", 7),
            ("predictions/a/2", 7),
            ("ledger", 7),
        ] {
            assert!(!belongs(&name, log, segment), "{log} {segment}");
        }
        let pads = file("predictions/admission/2", 7, None);
        assert!(belongs(&pads, "predictions/admission/2", 7) && pads.contains("date=__HIVE_DEFAULT_PARTITION__/"));
        assert!(
            belongs(&file("ledger", 7, None), "ledger", 7) && !belongs("ledger/segment-000008.parquet", "ledger", 7)
        );
        assert!(!belongs("predictions/model=admission/segment-000007-v2.parquet", "predictions/admission/2", 7));
    }
}
