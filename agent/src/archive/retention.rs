//! `[retention]` of `config.toml`: how long records stay where.

use fedaudit_core::time::Time;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How long records stay where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The archive's folder; empty: none, and the journal keeps everything.
    pub archive: String,
    /// Days in the journal.
    pub hot_days: u32,
    /// Days until a segment is closed whatever its size.
    pub segment_days: u32,
    /// Whether archive files are encrypted.
    pub encrypt: bool,
    /// Days until archive files are deleted as well; 0: never.
    pub delete_after_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { archive: String::new(), hot_days: 30, segment_days: 1, encrypt: false, delete_after_days: 0 }
    }
}

impl Retention {
    /// The section as `config.toml` has it.
    pub(crate) fn to_toml(&self) -> String {
        let Retention { archive, hot_days, segment_days, encrypt, delete_after_days } = self;
        format!(
            "\n[retention]\n\
             # Folder of the archive (Parquet), absolute or within this home; may be a write-once mount. Empty: no archive, and\n\
             # the journal keeps everything.\narchive = {archive:?}\n\n\
             # Days, 1 to 36500, that a closed segment stays in the journal after its newest event occurred, or it was closed\n\
             # if that is later. Then it is archived, checked, and deleted from the journal; roots and ledger stay.\n\
             hot_days = {hot_days}\n\n\
             # Days, 1 to 366, after which the segment that is written to is closed, however small. Its blocks are then padded.\n\
             segment_days = {segment_days}\n\n\
             # Whether archive files are encrypted under keys/archive.key (Parquet modular encryption, AES-GCM-256). Without\n\
             # that key nobody can read them any more: keep a copy.\nencrypt = {encrypt}\n\n\
             # Days, counted as hot_days are, after which archive files are deleted as well: more than hot_days, at most\n\
             # 36500; 0: never.\ndelete_after_days = {delete_after_days}\n"
        )
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The key at fault and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=DAYS_MAX).contains(&self.hot_days) {
            return Err(format!("`retention.hot_days` is {}; 1 to {DAYS_MAX}", self.hot_days));
        }
        if !(1..=SEGMENT_DAYS_MAX).contains(&self.segment_days) {
            return Err(format!("`retention.segment_days` is {}; 1 to {SEGMENT_DAYS_MAX}", self.segment_days));
        }
        let until = self.delete_after_days;
        if until != 0 && !(self.hot_days + 1..=DAYS_MAX).contains(&until) {
            let hot = self.hot_days;
            return Err(format!(
                "`retention.delete_after_days` is {until}; 0, or above hot_days ({hot}) to {DAYS_MAX}"
            ));
        }
        Ok(())
    }

    /// The archive's folder, if there is one.
    pub fn folder(&self, home: &Path) -> Option<PathBuf> {
        (!self.archive.is_empty()).then(|| home.join(&self.archive))
    }

    /// Whether what is as new as `newest` has left the journal by now.
    pub(crate) fn is_cold(&self, newest: Time, now: Time) -> bool {
        older(newest, self.hot_days, now)
    }

    /// Whether what is as new as `newest` has left the archive by now.
    pub(crate) fn is_over(&self, newest: Time, now: Time) -> bool {
        self.delete_after_days != 0 && older(newest, self.delete_after_days, now)
    }
}

/// Whether more than `days` have gone since.
pub(crate) fn older(since: Time, days: u32, now: Time) -> bool {
    since.plus_ns(i64::from(days).saturating_mul(super::names::DAY_NS)) < now
}

const DAYS_MAX: u32 = 36_500;
const SEGMENT_DAYS_MAX: u32 = 366;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let bad = |edit: fn(&mut Retention)| {
            let mut retention = Retention::default();
            edit(&mut retention);
            retention.check().expect_err("refused")
        };
        assert_eq!(Retention::default().check(), Ok(()));
        assert!(bad(|r| r.hot_days = 0).contains("hot_days"));
        assert!(bad(|r| r.segment_days = 367).contains("segment_days"));
        assert!(bad(|r| r.delete_after_days = 30).contains("above hot_days (30)"));
        assert!(bad(|r| r.delete_after_days = 36_501).contains("36500"));
    }

    #[test]
    fn days_are_counted_from_the_newest_event() {
        let retention = Retention { hot_days: 2, delete_after_days: 3, ..Retention::default() };
        let time = |text: &str| Time::parse(text).expect("a time");
        let newest = time("2026-01-01T12:00:00Z");
        assert!(!retention.is_cold(newest, time("2026-01-03T12:00:00Z")));
        assert!(retention.is_cold(newest, time("2026-01-03T12:00:01Z")));
        assert!(!retention.is_over(newest, time("2026-01-04T12:00:00Z")));
        assert!(retention.is_over(newest, time("2026-01-04T12:00:01Z")));
        assert!(!Retention::default().is_over(newest, Time(i64::MAX)));
    }
}
