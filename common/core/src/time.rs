//! UTC time and windows. There is no clock here: `now` is an argument.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z; RFC 3339 in text, `i64` on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Nanoseconds of an hour.
pub const HOUR_NS: i64 = 3_600_000_000_000;
/// Nanoseconds of a second.
pub const SECOND_NS: i64 = 1_000_000_000;

impl Time {
    /// Reads RFC 3339 with an offset (`1973-01-02T08:00:00Z`).
    ///
    /// # Errors
    /// Text that is not such a time, or a time outside 1678 to 2261.
    pub fn parse(text: &str) -> Result<Self, String> {
        let stamp: jiff::Timestamp = text.parse().map_err(|_| {
            let (shown, why) = (text.escape_debug(), what_lacks(text));
            format!("`{shown}` is not a time such as 2026-01-31T13:00:00Z{why}")
        })?;
        let ns = i64::try_from(stamp.as_nanosecond());
        ns.map(Time).map_err(|_| format!("`{}` is outside the years 1678 to 2261", text.escape_debug()))
    }

    /// `self + ns`, held at the ends of the range.
    #[must_use]
    pub fn plus_ns(self, ns: i64) -> Time {
        Time(self.0.saturating_add(ns))
    }

    /// Whole seconds since 1970, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(SECOND_NS)
    }

    /// Whether this is a whole hour.
    pub fn is_whole_hour(self) -> bool {
        self.0.rem_euclid(HOUR_NS) == 0
    }

    /// The start of the hour that holds this instant.
    pub fn hour_start(self) -> Time {
        Time(self.0.saturating_sub(self.0.rem_euclid(HOUR_NS)))
    }

    fn zoned(self) -> jiff::Zoned {
        self.stamp().to_zoned(jiff::tz::TimeZone::UTC)
    }

    fn stamp(self) -> jiff::Timestamp {
        // Every i64 of nanoseconds lies inside jiff's range of years -9999 to 9999.
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// What keeps a text that people take for a time from being one.
fn what_lacks(text: &str) -> &'static str {
    let date = text.parse::<jiff::civil::Date>().is_ok();
    let clock = text.contains(':');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    match text.parse::<jiff::civil::DateTime>() {
        Ok(_) if date && !clock => ": it is a date alone; add the time of day and the zone, T00:00:00Z",
        Ok(_) => ": it names no time zone; add Z for UTC, or an offset such as +01:00",
        Err(_) if digits >= 6 && text.contains(['.', '/', '-']) => {
            ": write year, month, day, then the time of day and the zone"
        }
        Err(_) => "",
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stamp().fmt(f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stamp().fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            let time = Time::parse(&text).map_err(serde::de::Error::custom)?;
            // One text for one time: what is published is read back to the same bytes.
            if time.to_string() == text {
                return Ok(time);
            }
            Err(serde::de::Error::custom(format!("`{text}` must be written {time}")))
        } else {
            Ok(Time(i64::deserialize(d)?))
        }
    }
}

/// A half-open range of whole hours, UTC: `start <= t < end`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First instant inside.
    pub start: Time,
    /// First instant after.
    pub end: Time,
}

impl Window {
    /// Reads `START/END`, two times as [`Time::parse`] reads them.
    ///
    /// # Errors
    /// Text that is none, or ends before it starts.
    pub fn parse(text: &str) -> Result<Window, String> {
        let (start, end) = text.split_once('/').ok_or_else(|| {
            let text = text.escape_debug();
            format!("`{text}` is not a window such as 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z")
        })?;
        let (start, end) = (Time::parse(start)?, Time::parse(end)?);
        if start < end { Ok(Window { start, end }) } else { Err(format!("{start} is not before {end}")) }
    }

    /// Whether `time` lies inside.
    pub fn contains(&self, time: Time) -> bool {
        self.start <= time && time < self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.end)
    }
}

/// How long a tumbling window is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Every {
    /// One hour.
    Hour,
    /// A UTC day.
    Day,
    /// Monday to Sunday (ISO 8601), UTC.
    Week,
    /// A calendar month, UTC.
    Month,
}

/// The tumbling window of length `every` that holds `time`.
pub fn tumbling(every: Every, time: Time) -> Window {
    use jiff::ToSpan;
    let at = time.zoned();
    let day = at.start_of_day().unwrap_or_else(|_| at.clone());
    let (start, span) = match every {
        Every::Hour => {
            let start = Time(time.0.div_euclid(HOUR_NS) * HOUR_NS);
            return Window { start, end: start.plus_ns(HOUR_NS) };
        }
        Every::Day => (day, 1.day()),
        Every::Week => {
            let back = i64::from(at.weekday().to_monday_zero_offset());
            (day.saturating_sub(back.days()), 1.week())
        }
        Every::Month => (day.first_of_month().unwrap_or(day), 1.month()),
    };
    let end = start.saturating_add(span);
    Window { start: from_zoned(&start), end: from_zoned(&end) }
}

fn from_zoned(zoned: &jiff::Zoned) -> Time {
    let ns = zoned.timestamp().as_nanosecond();
    Time(ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(every: Every, at: &str) -> String {
        tumbling(every, Time::parse(at).expect("a time")).to_string()
    }

    #[test]
    fn windows_follow_the_calendar() {
        let at = "2026-07-29T13:45:00Z"; // a Wednesday
        assert_eq!(window(Every::Hour, at), "2026-07-29T13:00:00Z/2026-07-29T14:00:00Z");
        assert_eq!(window(Every::Day, at), "2026-07-29T00:00:00Z/2026-07-30T00:00:00Z");
        assert_eq!(window(Every::Week, at), "2026-07-27T00:00:00Z/2026-08-03T00:00:00Z");
        assert_eq!(window(Every::Month, at), "2026-07-01T00:00:00Z/2026-08-01T00:00:00Z");
        assert_eq!(window(Every::Month, "1969-12-31T23:59:59Z"), "1969-12-01T00:00:00Z/1970-01-01T00:00:00Z");
        assert_eq!(window(Every::Hour, "1969-12-31T23:59:59Z"), "1969-12-31T23:00:00Z/1970-01-01T00:00:00Z");
    }

    #[test]
    fn texts_that_lack_something_are_told_what() {
        let cases = [
            ("2026-01-31 13:00:00", "no time zone; add Z"),
            ("2026-01-31T13:00", "no time zone; add Z"),
            ("2026-01-31", "a date alone"),
            ("31.12.2025", "year, month, day"),
            ("12/31/2025 13:00", "year, month, day"),
            ("2026-02-30T00:00:00Z", "year, month, day"),
            ("1767225600", "2026-01-31T13:00:00Z"),
            ("", "2026-01-31T13:00:00Z"),
            ("soon", "2026-01-31T13:00:00Z"),
        ];
        for (text, expected) in cases {
            let error = Time::parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
        for text in
            ["2026-01-31 13:00:00Z", "2026-01-31 14:00:00+01:00", "2026-01-31t13:00Z", "2026-01-31T13:00:00.000+00"]
        {
            assert_eq!(Time::parse(text).map(|time| time.to_string()), Ok("2026-01-31T13:00:00Z".to_owned()), "{text}");
        }
    }

    #[test]
    fn times_have_one_text() {
        assert!(Time::parse("1973-01-02 08:00").is_err());
        assert!(Time::parse("0001-01-01T00:00:00Z").is_err());
        let read = |text: &str| serde_json::from_str::<Time>(&format!("\"{text}\""));
        assert!(read("1973-01-02T08:00:00Z").is_ok());
        assert!(read("1973-01-02T09:00:00+01:00").is_err());
        assert!(read("1973-01-02T08:00:00.000Z").is_err());
    }
}
