//! Numbers, dates and untrusted text, as the page shows them. The same value gives the same text everywhere.

use crate::report::{Figure, TestFigure};
use crate::statistics::Interval;
use crate::time::{Time, Window};

const DAY_NS: i64 = 24 * crate::time::HOUR_NS;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// What a figure without an interval says in front of the reason, in its method.
const NO_INTERVAL: &str = "no interval: ";

/// A number with `decimals` digits after the point; zero has no sign, very large numbers an exponent.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "undefined".to_owned();
    }
    if value.abs() >= 1e7 {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        _ => text,
    }
}

/// `+20.3`: a difference of rates in percentage points.
pub(super) fn points(value: f64) -> String {
    let text = fixed(value * 100.0, 1);
    if text.starts_with(['-', 'u']) || text == "0.0" { text } else { format!("+{text}") }
}

/// `14.2`: a gap without direction, in percentage points.
pub(super) fn gap(value: f64) -> String {
    fixed(value * 100.0, 1)
}

/// `30.4 %`.
pub(super) fn percent(value: f64) -> String {
    format!("{} %", fixed(value * 100.0, 1))
}

/// `1.105`; a positive number too small for that is `< 0.001`, so that it does not look like 0.
pub(super) fn ratio(value: f64) -> String {
    if value > 0.0 && value < 0.001 { "< 0.001".to_owned() } else { fixed(value, 3) }
}

/// `12.34`, `0.001234`: a value in units that nobody here knows, with four digits.
pub(super) fn significant(value: f64) -> String {
    let text = format!("{value:.3e}");
    match text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok()) {
        Some(exponent @ -6..=6) if value != 0.0 => fixed(value, usize::try_from(3 - exponent).unwrap_or(0)),
        Some(_) if value != 0.0 => text,
        _ => fixed(value, 0),
    }
}

/// `0.00735`.
pub(super) fn variance(value: f64) -> String {
    if value > 0.0 && value < 0.000_01 { "< 0.00001".to_owned() } else { fixed(value, 5) }
}

/// `1,835`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 site`, `2 sites`.
pub(super) fn plural(number: usize, noun: &str) -> String {
    let number = number as u64;
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `-17.0 to -11.3`.
pub(super) fn interval(interval: &Interval, text: fn(f64) -> String) -> String {
    format!("{} to {}", text(interval.lower), text(interval.upper))
}

/// `60.9 to 64.2`: an interval under its estimate, which has the unit.
pub(super) fn bare_interval(interval: &Interval, text: fn(f64) -> String) -> String {
    let bare = |value| text(value).trim_end_matches(" %").to_owned();
    format!("{} to {}", bare(interval.lower), bare(interval.upper))
}

/// The state of a figure that has no estimate, in words.
pub(super) fn state(figure: &Figure) -> Option<String> {
    match figure {
        Figure::Estimate(estimate) if estimate.value.is_finite() => None,
        Figure::Estimate(_) => Some("not estimable (no number)".to_owned()),
        Figure::AtLeast(_) => Some("only a lower bound is known".to_owned()),
        Figure::Suppressed => Some("suppressed".to_owned()),
        Figure::NotEstimable(reason) => Some(not_estimable(reason)),
    }
}

/// `not estimable (empty denominator)`.
pub(super) fn not_estimable(reason: &str) -> String {
    format!("not estimable ({})", words(reason))
}

/// `-14.2 (-17.0 to -11.3)`, or the state.
pub(super) fn with_interval(figure: &Figure, text: fn(f64) -> String) -> String {
    match (figure, state(figure)) {
        (Figure::AtLeast(least), _) => format!("at least {}", text(*least)),
        (_, Some(state)) => state,
        (Figure::Estimate(estimate), None) => match &estimate.interval {
            Some(bounds) => format!("{} ({})", text(estimate.value), interval(bounds, text)),
            None => text(estimate.value),
        },
        _ => String::new(),
    }
}

/// Why a figure has no interval; absent where it has one.
pub(super) fn no_interval(figure: &Figure) -> Option<String> {
    match figure {
        Figure::Estimate(estimate) if estimate.interval.is_none() => {
            Some(words(estimate.method.strip_prefix(NO_INTERVAL).unwrap_or(&estimate.method)))
        }
        _ => None,
    }
}

/// The reason of a test that could not be made.
pub(super) fn no_test(test: &TestFigure) -> Option<&str> {
    match test {
        TestFigure::NotEstimable(reason) => Some(reason),
        TestFigure::Suppressed => Some("suppressed"),
        TestFigure::Test { .. } => None,
    }
}

/// A method, as its authors spell themselves.
pub(super) fn method(name: &str) -> String {
    let known = match name {
        "wilson" => "Wilson",
        "newcombe" => "Newcombe",
        "newcombe, Bonferroni over pairs" => "Newcombe, Bonferroni over pairs",
        "katz_log" => "Katz, log",
        "koopman_score" => "Koopman, score",
        "katz or koopman, Bonferroni over pairs" => "Katz or Koopman, Bonferroni over pairs",
        "newcombe, Bonferroni over pairs and rates" => "Newcombe, Bonferroni over pairs and rates",
        "katz or koopman, Bonferroni over pairs and rates" => "Katz or Koopman, Bonferroni over pairs and rates",
        "katz of smoothed counts, Bonferroni over pairs and decisions" => {
            "Katz of smoothed counts, Bonferroni over pairs and decisions"
        }
        "newcombe of both, joined" => "Newcombe of both, joined (Zou and Donner)",
        "wilson, as odds" => "Wilson, as odds",
        "hedges_olkin" => "Hedges and Olkin",
        "delta, multinomial" => "delta method, multinomial",
        "delong_on_bins" => "DeLong, on bins",
        "woolf" => "Woolf",
        "robins_breslow_greenland" => "Robins, Breslow and Greenland",
        "greenland_robins" => "Greenland and Robins",
        "sato" => "Sato",
        "student_t" => "Student",
        "welch" => "Welch",
        "welch, Bonferroni over pairs" => "Welch, Bonferroni over pairs",
        "fisher_z" => "Fisher's z",
        "newcombe, Bonferroni over pairs and classes" => "Newcombe, Bonferroni over pairs and classes",
        "inverse_variance" => "inverse variance, normal",
        "dersimonian_laird" => "DerSimonian and Laird",
        "hartung_knapp_sidik_jonkman" => "Hartung, Knapp, Sidik and Jonkman",
        other if other.starts_with(NO_INTERVAL) => "",
        other => return words(other),
    };
    known.to_owned()
}

fn words(code: &str) -> String {
    plain(&code.replace('_', " "))
}

/// Untrusted text with characters that would hide or reorder what stands beside them made visible.
pub(super) fn plain(text: &str) -> String {
    let reorders =
        |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || reorders(c) { '\u{fffd}' } else { c }).collect()
}

/// A group's categories, or what the slice without attributes holds.
pub(super) fn group(categories: &[String]) -> String {
    if categories.is_empty() { "all events".to_owned() } else { plain(&categories.join(" x ")) }
}

/// At most `most` characters: the middle gives way, so that both ends still tell names apart.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let tail = (most.saturating_sub(1)) / 3;
    let head: String = text.chars().take(most.saturating_sub(1 + tail)).collect();
    let tail: String = text.chars().skip(length - tail).collect();
    format!("{head}\u{2026}{tail}")
}

/// `1 January 2026 to 28 February 2026`, last day included; hours where the window does not end with a day.
pub(super) fn window(window: &Window) -> String {
    let (start, end) = (Stamp::of(window.start), Stamp::of(window.end));
    if start.clock != MIDNIGHT || end.clock != MIDNIGHT {
        return format!("{} {} to {} {}", start.day, start.clock, end.day, end.clock);
    }
    let last = Stamp::of(window.end.plus_ns(-DAY_NS));
    if last.day == start.day || window.end <= window.start {
        start.day
    } else {
        format!("{} to {}", start.day, last.day)
    }
}

/// `January 2026` for a whole month, else as [`window`].
pub(super) fn short_window(of: &Window) -> String {
    let month = crate::time::tumbling(crate::time::Every::Month, of.start) == *of;
    let day = Stamp::of(of.start).day;
    if month { day.strip_prefix("1 ").map_or_else(|| window(of), str::to_owned) } else { window(of) }
}

/// From the first to the last window, in words.
pub(super) fn windows(all: &[Window]) -> String {
    let (Some(first), Some(last)) = (all.first(), all.last()) else { return "no window".to_owned() };
    let span = window(&Window { start: first.start, end: last.end });
    if all.len() == 1 { span } else { format!("{span}, {}", plural(all.len(), "window")) }
}

const MIDNIGHT: &str = "00:00";

struct Stamp {
    day: String,
    clock: String,
}

impl Stamp {
    fn of(time: Time) -> Stamp {
        let text = time.to_string();
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
        match (part(8, 10).parse::<u32>(), month) {
            (Ok(day), Some(month)) => {
                Stamp { day: format!("{day} {month} {}", part(0, 4)), clock: part(11, 16).to_owned() }
            }
            _ => Stamp { day: text.clone(), clock: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_text() {
        assert_eq!(
            ["-0.0004", "0.0004", "-12.34"].map(|x| fixed(x.parse().unwrap_or(9.0), 1)),
            ["0.0", "0.0", "-12.3"]
        );
        assert_eq!([points(-0.0001), points(0.2), points(-0.142)], ["0.0", "+20.0", "-14.2"]);
        assert_eq!([ratio(1e-9), ratio(0.0), ratio(3e12)], ["< 0.001", "0.000", "3.00e12"]);
        assert_eq!([count(0), count(999), count(1_000), count(12_345_678)], ["0", "999", "1,000", "12,345,678"]);
        let short = [12.345, -0.001_234_56, 0.0, -0.0, 1_234.5, 9.999_96, 4.2e9, 3e-9];
        let short = short.map(significant);
        assert_eq!(short, ["12.35", "-0.001235", "0", "0", "1234", "10.00", "4.200e9", "3.000e-9"]);
        assert_eq!([fixed(f64::NAN, 1), points(f64::INFINITY)], ["undefined", "undefined"]);
    }

    #[test]
    fn dates_are_for_people() {
        let at = |text: &str| Time::parse(text).expect("a time");
        let text = |start: &str, end: &str| window(&Window { start: at(start), end: at(end) });
        assert_eq!(text("1973-01-01T00:00:00Z", "1974-01-01T00:00:00Z"), "1 January 1973 to 31 December 1973");
        assert_eq!(text("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"), "1 March 2026");
        assert_eq!(text("2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z"), "1 March 2026 13:00 to 1 March 2026 14:00");
        let short = |start: &str, end: &str| short_window(&Window { start: at(start), end: at(end) });
        assert_eq!(short("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"), "March 2026");
        assert_eq!(short("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"), "2 March 2026");
        assert!(!window(&Window { start: Time(i64::MIN), end: Time(i64::MIN) }).is_empty());
    }

    #[test]
    fn text_cannot_reorder_its_neighbours() {
        assert_eq!(plain("a\u{202e}b\u{0}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(shorten("a-rather-long-name-1", 10), "a-rath\u{2026}e-1");
    }
}
