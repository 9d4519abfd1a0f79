//! The forest plot of a pair of groups: each site in a row, then the crude, the adjusted and the pooled difference.

mod draw;

use super::format::{count, fixed, group, percent, plain, points, state, with_interval};
use crate::disclosure::Counts;
use crate::report::{Figure, GroupFigures, PairFigures, SiteContrast, SiteState, SliceFigures, State};
use crate::statistics::Interval;
use draw::{Layout, WIDTH};
use maud::{Markup, html};

/// What the plot needs to know of the report.
pub(super) struct Plot<'a> {
    pub slice: &'a SliceFigures,
    pub pair: &'a PairFigures,
    /// Whether decision 1 is the one that favours the person.
    pub favourable: bool,
    /// Unique on the page: names the title and the description.
    pub id: String,
}

/// The plot as inline SVG with its caption.
pub(super) fn figure(plot: &Plot) -> Markup {
    let rows = rows(plot);
    let layout = Layout::of(&rows, plot);
    let (group, reference) = plot.names();
    let title = format!("Difference in selection rate, {group} minus {reference}, at each site");
    let left_out = rows.iter().any(|row| matches!(row.mark, Mark::Out));
    html! {
        figure.short[rows.len() <= 24] {
            div.scroll tabindex="0" {
                svg.forest role="img" viewBox=(format!("0 0 {} {}", fixed(WIDTH, 0), fixed(layout.height, 0)))
                    aria-labelledby=(format!("{0}t {0}d", plot.id)) {
                    title id=(format!("{}t", plot.id)) { (title) }
                    desc id=(format!("{}d", plot.id)) { @for row in &rows { (row.sentence(&group, &reference)) " " } }
                    (layout.head(&group, &reference))
                    (layout.grid(plot))
                    @for (row, y) in rows.iter().zip(&layout.tops) { (layout.row(row, *y)) }
                }
            }
            figcaption {
                "Percentage points with 95 % intervals. Filled squares: sites in the pooled effects, area by weight."
                @if left_out { " Hollow circles: sites left out of them, with the reason." }
                " Circle: all sites as if they were one. Diamonds: adjusted and pooled, as wide as their interval."
                " Arrowheads: the interval goes on."
            }
        }
    }
}

/// Rows that a plot takes: one a site, and the summary.
pub(super) fn height_rows(slice: &SliceFigures) -> usize {
    slice.sites.len() + 4
}

enum Mark {
    /// Pooled: share of the weight, by the greatest share.
    Square(f64),
    Out,
    Circle,
    Diamond(&'static str),
}

struct Row {
    name: String,
    note: Option<String>,
    group: String,
    reference: String,
    /// The figure, or the state of a site without counts.
    figure: Result<Figure, String>,
    weight: String,
    mark: Mark,
}

impl Row {
    fn text(&self) -> Result<String, String> {
        let figure = self.figure.as_ref().map_err(Clone::clone)?;
        state(figure).map_or_else(|| Ok(with_interval(figure, points)), Err)
    }

    fn value(&self) -> Option<(f64, Option<Interval>)> {
        match self.figure.as_ref().ok()? {
            Figure::Estimate(estimate) if estimate.value.is_finite() => {
                let bounds = estimate.interval.filter(|i| i.lower.is_finite() && i.upper.is_finite());
                let scaled = bounds.map(|i| Interval { lower: i.lower * 100.0, upper: i.upper * 100.0 });
                Some((estimate.value * 100.0, scaled))
            }
            _ => None,
        }
    }

    fn is_site(&self) -> bool {
        matches!(self.mark, Mark::Square(_) | Mark::Out)
    }

    /// The row for those who hear it.
    fn sentence(&self, group: &str, reference: &str) -> String {
        let mut text = format!("{}: ", self.name);
        if !self.group.is_empty() {
            text += &format!("{group} {}, {reference} {}, ", self.group, self.reference);
        }
        text += &match self.text() {
            Ok(numbers) => format!("difference {numbers}"),
            Err(state) => state,
        };
        if !self.weight.is_empty() {
            text += &format!(", weight {}", self.weight);
        }
        if let Some(note) = &self.note {
            text += &format!(", {note}");
        }
        text + "."
    }
}

impl Plot<'_> {
    fn names(&self) -> (String, String) {
        (group(&self.pair.group), group(&self.slice.reference))
    }

    /// The group's and the reference's counts.
    fn columns(&self) -> [Option<&GroupFigures>; 2] {
        [&self.pair.group, &self.slice.reference]
            .map(|name| self.slice.groups.iter().find(|group| group.group == *name))
    }
}

fn at_site(group: Option<&GroupFigures>, site: usize) -> String {
    let own = group.and_then(|group| group.sites.get(site)?.as_ref());
    own.map(|own| share(own.selected, own.decided)).unwrap_or_default()
}

/// `89/108`: selected of decided.
fn share(selected: u64, decided: u64) -> String {
    format!("{}/{}", count(selected), count(decided))
}

/// The same over the sites of a pair.
fn pooled([rest, selected, _]: &Counts) -> String {
    let [rest, selected] = [rest, selected].map(|row| row.iter().sum::<u64>());
    share(selected, rest + selected)
}

fn rows(plot: &Plot) -> Vec<Row> {
    let (slice, pair) = (plot.slice, plot.pair);
    let [group, reference] = plot.columns();
    let greatest = pair.sites.iter().filter_map(|site| site.weight).fold(0.0, f64::max);
    let mut rows: Vec<Row> = slice
        .sites
        .iter()
        .enumerate()
        .map(|(at, site)| site_row(pair.sites.get(at), site, [at_site(group, at), at_site(reference, at)], greatest))
        .collect();
    let summary = |name: &str, figure: &Figure, mark: Mark| Row {
        name: name.to_owned(),
        note: match figure {
            Figure::Estimate(estimate) if estimate.interval.is_none() => {
                Some(plain(&estimate.method.replace('_', " ")))
            }
            _ => None,
        },
        group: String::new(),
        reference: String::new(),
        figure: Ok(figure.clone()),
        weight: String::new(),
        mark,
    };
    let mut crude = summary("Crude, sites as one", &pair.crude.difference, Mark::Circle);
    [crude.group, crude.reference] = pair.counts.each_ref().map(pooled);
    rows.push(crude);
    rows.push(summary("Mantel-Haenszel", &pair.mantel_haenszel.risk_difference, Mark::Diamond("adjusted")));
    rows.push(summary("Fixed effect", &pair.pooled.fixed, Mark::Diamond("pooled")));
    rows.push(summary("Random effects", &pair.pooled.random, Mark::Diamond("pooled")));
    rows
}

fn site_row(contrast: Option<&SiteContrast>, site: &SiteState, shares: [String; 2], greatest: f64) -> Row {
    let [group, reference] = shares;
    let figure = match (site.state, contrast.and_then(|site| site.contrast.as_ref())) {
        (State::Missing, _) => Err("no release".to_owned()),
        (_, Some(contrast)) => Ok(contrast.difference.clone()),
        (_, None) => Err("suppressed".to_owned()),
    };
    let weight = contrast.and_then(|site| site.weight).filter(|weight| weight.is_finite());
    let shown = matches!(&figure, Ok(figure) if state(figure).is_none());
    let reason = contrast.and_then(|site| site.left_out.as_ref()).filter(|_| shown);
    Row {
        name: site.site.to_string(),
        note: reason.map(|reason| format!("left out: {}", plain(&reason.replace('_', " ")))),
        group,
        reference,
        figure,
        weight: weight.map(percent).unwrap_or_default(),
        mark: match weight {
            Some(weight) if greatest > 0.0 => Mark::Square(weight / greatest),
            _ => Mark::Out,
        },
    }
}

/// Why a pair has no plot.
pub(super) fn without_plot(sites: usize) -> Markup {
    html! {
        p.state {
            "forest plot left out: the page is full. This pair's "
            (count(sites as u64)) " sites stand in report.json."
        }
    }
}
