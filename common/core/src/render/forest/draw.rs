//! Drawing a forest plot: scale, columns and marks.
//!
//! Every coordinate is made by +, -, *, / and square root, which IEEE 754 rounds exactly, and printed with one decimal.

use super::{Mark, Plot, Row};
use crate::render::format::{fixed, shorten};
use crate::statistics::Interval;
use maud::{Markup, html};

/// Width of the drawing, in its own units.
pub(super) const WIDTH: f64 = 860.0;
const HEAD: f64 = 44.0;
const ROW: f64 = 23.0;
const NOTE: f64 = 13.0;
const GAP: f64 = 14.0;
/// About the width of a character, for columns that fit their text.
const CHAR: f64 = 6.9;
const NAME_CHARS: usize = 30;
/// Greatest side of a site's square.
const SQUARE: f64 = 15.0;

/// Percentage points along the x axis.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
    left: f64,
    right: f64,
}

/// Ticks stand at multiples of one of these.
const STEPS: [f64; 10] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0];
const TICKS: f64 = 8.0;
/// Numbers this near, in steps, are the same: the last bit of a figure does not move the axis.
const NEAR: f64 = 1e-6;

impl Scale {
    /// All points and all summary intervals; sites' intervals as far as they leave the rest legible.
    fn of(rows: &[Row], left: f64, right: f64) -> Scale {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for row in rows {
            let Some((value, bounds)) = row.value() else { continue };
            let bounds = bounds.filter(|_| !row.is_site()).unwrap_or(Interval { lower: value, upper: value });
            low = low.min(bounds.lower).min(value);
            high = high.max(bounds.upper).max(value);
        }
        let room = (high - low).max(2.0);
        let sites: Vec<Interval> = rows.iter().filter(|row| row.is_site()).filter_map(|row| row.value()?.1).collect();
        let least = sites.iter().fold(low, |least, i| least.min(i.lower)).max(low - room).max(-100.0);
        let most = sites.iter().fold(high, |most, i| most.max(i.upper)).min(high + room).min(100.0);
        let (low, high) = (low.min(least).clamp(-100.0, -0.5), high.max(most).clamp(0.5, 100.0));
        let step = STEPS.into_iter().find(|step| (high - low) / step <= TICKS).unwrap_or(50.0);
        let (low, high) = ((low / step + NEAR).floor() * step, (high / step - NEAR).ceil() * step);
        Scale { low, high, step, left, right }
    }

    fn x(&self, value: f64) -> f64 {
        self.left + (value.clamp(self.low, self.high) - self.low) / (self.high - self.low) * (self.right - self.left)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, last) = ((self.low / self.step).round() as i64, (self.high / self.step).round() as i64);
        (first..=last).map(|at| at as f64 * self.step)
    }

    fn cuts_low(&self, value: f64) -> bool {
        value < self.low - NEAR * self.step
    }

    fn cuts_high(&self, value: f64) -> bool {
        value > self.high + NEAR * self.step
    }
}

/// Where everything stands.
pub(super) struct Layout {
    scale: Scale,
    group_end: f64,
    reference_end: f64,
    /// Upper edge of each row.
    pub(super) tops: Vec<f64>,
    bottom: f64,
    pub(super) height: f64,
    summary: f64,
}

impl Layout {
    pub(super) fn of(rows: &[Row], plot: &Plot) -> Layout {
        let widest = |least: usize, of: fn(&Row) -> &str| {
            rows.iter().map(|row| of(row).chars().count()).chain([least]).max().unwrap_or(least)
        };
        let name = widest(19, |row| &row.name).min(NAME_CHARS) as f64 * CHAR;
        let (group, reference) = plot.names();
        let column =
            |of: fn(&Row) -> &str, head: &str| widest(head.chars().count().clamp(8, 12), of).min(22) as f64 * CHAR;
        let group_end = name + column(|row| &row.group, &group) + 12.0;
        let reference_end = group_end + column(|row| &row.reference, &reference) + 12.0;
        let mut tops = Vec::new();
        let mut y = HEAD;
        let mut summary = HEAD;
        for (at, row) in rows.iter().enumerate() {
            if at > 0 && rows[at - 1].is_site() && !row.is_site() {
                summary = y + GAP / 2.0;
                y += GAP;
            }
            tops.push(y);
            y += if row.note.is_some() { ROW + NOTE } else { ROW };
        }
        let bottom = y + 4.0;
        let right = (WIDTH - 226.0).max(reference_end + 120.0);
        let scale = Scale::of(rows, reference_end + 22.0, right);
        Layout { scale, group_end, reference_end, tops, bottom, height: bottom + 62.0, summary }
    }

    pub(super) fn head(&self, group: &str, reference: &str) -> Markup {
        html! {
            text.soft.small x="0" y="29" { "Site" }
            text.soft.small.e x=(fixed(self.group_end, 1)) y="15" { (shorten(group, 12)) }
            text.soft.small.e x=(fixed(self.group_end, 1)) y="29" { "selected/n" }
            text.soft.small.e x=(fixed(self.reference_end, 1)) y="15" { (shorten(reference, 12)) }
            text.soft.small.e x=(fixed(self.reference_end, 1)) y="29" { "selected/n" }
            text.soft.small.e x=(fixed(WIDTH - 58.0, 1)) y="15" { "Difference, points" }
            text.soft.small.e x=(fixed(WIDTH - 58.0, 1)) y="29" { "(95 % interval)" }
            text.soft.small.e x=(fixed(WIDTH, 1)) y="29" { "Weight" }
            line.axis x1="0" x2=(fixed(WIDTH, 1)) y1="36.5" y2="36.5" {}
        }
    }

    pub(super) fn grid(&self, plot: &Plot) -> Markup {
        let (group, reference) = plot.names();
        let zero = self.scale.x(0.0);
        let decimals = if self.scale.step < 1.0 { 1 } else { 0 };
        let toward = |name: &str| {
            let name = shorten(name, 26);
            if plot.favourable { format!("favours {name}") } else { format!("{name} selected more often") }
        };
        let bottom = fixed(self.bottom, 1);
        html! {
            @for tick in self.scale.ticks() {
                line.rule x1=(fixed(self.scale.x(tick), 1)) x2=(fixed(self.scale.x(tick), 1)) y1="37" y2=(bottom) {}
                text.soft.small.m x=(fixed(self.scale.x(tick), 1)) y=(fixed(self.bottom + 16.0, 1)) {
                    (if tick > 0.0 { "+" } else { "" }) (fixed(tick, decimals))
                }
            }
            line.zero x1=(fixed(zero, 1)) x2=(fixed(zero, 1)) y1="37" y2=(fixed(self.bottom + 5.0, 1)) {}
            line.axis x1=(fixed(self.scale.left, 1)) x2=(fixed(self.scale.right, 1)) y1=(bottom) y2=(bottom) {}
            line.rule x1="0" x2=(fixed(WIDTH, 1)) y1=(fixed(self.summary, 1)) y2=(fixed(self.summary, 1)) {}
            text.e x=(fixed(zero - 9.0, 1)) y=(fixed(self.bottom + 36.0, 1)) { "\u{2190} " (toward(&reference)) }
            text x=(fixed(zero + 9.0, 1)) y=(fixed(self.bottom + 36.0, 1)) { (toward(&group)) " \u{2192}" }
            text.soft.small.m x=(fixed((self.scale.left + self.scale.right) / 2.0, 1)) y=(fixed(self.bottom + 54.0, 1)) {
                "difference in selection rate, percentage points"
            }
        }
    }

    pub(super) fn row(&self, row: &Row, top: f64) -> Markup {
        let y = top + ROW / 2.0;
        let baseline = fixed(y + 4.3, 1);
        let middle = fixed((self.scale.left + self.scale.right) / 2.0, 1);
        let tint = match row.mark {
            Mark::Circle => "tc",
            Mark::Diamond("adjusted") => "ta",
            _ => "",
        };
        let name = shorten(&row.name, NAME_CHARS);
        html! {
            g {
                text class=[(!tint.is_empty()).then_some(tint)] x="0" y=(baseline) {
                    (name) @if name != row.name { title { (row.name) } }
                }
                @if let Some(note) = &row.note {
                    text.soft.small x="0" y=(fixed(y + 4.3 + NOTE, 1)) { (note) }
                }
                @if !row.group.is_empty() { text.e x=(fixed(self.group_end, 1)) y=(baseline) { (row.group) } }
                @if !row.reference.is_empty() { text.e x=(fixed(self.reference_end, 1)) y=(baseline) { (row.reference) } }
                @match row.text() {
                    Ok(numbers) => {
                        (self.mark(row, y))
                        text.e class=[(!tint.is_empty()).then_some(tint)] x=(fixed(WIDTH - 58.0, 1)) y=(baseline) { (numbers) }
                    }
                    Err(state) => text.st.m x=(middle) y=(baseline) { (state) }
                }
                @if !row.weight.is_empty() { text.e x=(fixed(WIDTH, 1)) y=(baseline) { (row.weight) } }
            }
        }
    }

    fn mark(&self, row: &Row, y: f64) -> Markup {
        let Some((value, bounds)) = row.value() else { return html! {} };
        let x = self.scale.x(value);
        match &row.mark {
            Mark::Square(share) => {
                let side = (SQUARE * share.max(0.0).sqrt()).max(2.0);
                html! {
                    (self.whisker(bounds, y, "site"))
                    rect.site x=(fixed(x - side / 2.0, 1)) y=(fixed(y - side / 2.0, 1)) width=(fixed(side, 1)) height=(fixed(side, 1)) {}
                }
            }
            Mark::Out => html! {
                (self.whisker(bounds, y, "site"))
                circle.out cx=(fixed(x, 1)) cy=(fixed(y, 1)) r="3.5" {}
            },
            Mark::Circle => html! {
                (self.whisker(bounds, y, "crude"))
                circle.crude cx=(fixed(x, 1)) cy=(fixed(y, 1)) r="4.5" {}
            },
            Mark::Diamond(class) => {
                let (from, to) = bounds.map_or((x - 4.0, x + 4.0), |i| {
                    (self.scale.x(i.lower).min(x - 3.0), self.scale.x(i.upper).max(x + 3.0))
                });
                let [from, x, to] = [from, x, to].map(|x| fixed(x, 1));
                let [above, y, below] = [y - 6.0, y, y + 6.0].map(|y| fixed(y, 1));
                html! { path class=(class) d=(format!("M{from} {y}L{x} {above}L{to} {y}L{x} {below}Z")) {} }
            }
        }
    }

    /// The interval as a line; an arrowhead where it goes on beyond the axis.
    fn whisker(&self, bounds: Option<Interval>, y: f64, class: &str) -> Markup {
        let Some(Interval { lower, upper }) = bounds else { return html! {} };
        let (from, to) = (self.scale.x(lower), self.scale.x(upper));
        let head = |tip: f64, back: f64| {
            let [tip, back] = [tip, back].map(|x| fixed(x, 1));
            let [above, y, below] = [y - 4.0, y, y + 4.0].map(|y| fixed(y, 1));
            format!("M{tip} {y}L{back} {above}L{back} {below}Z")
        };
        html! {
            line class=(class) x1=(fixed(from, 1)) x2=(fixed(to, 1)) y1=(fixed(y, 1)) y2=(fixed(y, 1)) {}
            @if self.scale.cuts_low(lower) { path class=(class) d=(head(from - 2.0, from + 6.0)) {} }
            @if self.scale.cuts_high(upper) { path class=(class) d=(head(to + 2.0, to - 6.0)) {} }
        }
    }
}
