//! Scores against labels, pooled, a group each.

use super::format::{count, group, interval, plural, ratio};
use super::outcomes::{cell, groups, head, with_range};
use crate::report::{Estimate, Figure, SliceFigures, State};
use maud::{Markup, html};

/// How scores rank and are calibrated.
pub(super) fn tables(slice: &SliceFigures) -> Markup {
    html! { (score_table(slice)) (further(slice)) }
}

fn score_table(slice: &SliceFigures) -> Markup {
    let known = slice.sites.iter().filter(|site| site.scores == Some(State::Released)).count();
    let columns = ["Scored", "Bins", "AUC", "AUC for certain", "Brier score", "ECE", "ECE by chance", "Mean score"];
    html! {
        div.scroll tabindex="0" {
            table {
                caption {
                    "Scores against labels; " (known) " of " (plural(slice.sites.len(), "site"))
                    " gave histograms. \u{201c}For certain\u{201d}: wherever inside their bins the scores lie."
                }
                (head(&columns))
                tbody {
                    @for (row, pooled) in groups(slice) {
                        @if let Some(scores) = &pooled.scores {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                @match (scores.scored, scores.bins) {
                                    (Some(scored), Some(bins)) => { td.n { (count(scored)) } td.n { (count(u64::from(bins))) } }
                                    _ => { td.n.state { "suppressed" } td.n.state { "suppressed" } }
                                }
                                (with_range(&scores.auc, ratio))
                                td.n { (bounds(&scores.auc)) }
                                (cell(&scores.brier, ratio))
                                (cell(&scores.ece, ratio))
                                (cell(&scores.ece_by_chance, ratio))
                                (with_range(&scores.mean_score, ratio))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn further(slice: &SliceFigures) -> Markup {
    let ranking = ["Average precision", "for certain", "AUC to FPR 0.1", "for certain", "KS", "AUC across sites"];
    let calibration =
        ["Brier skill", "MCE", "Observed by expected", "Label less score", "Slope", "Intercept", "Spiegelhalter z"];
    html! {
        div.scroll tabindex="0" {
            table {
                caption { "Ranking. The area up to a false positive rate of 0.1 is standardised: 0.5 is chance. Across sites: random effects." }
                (head(&ranking))
                tbody {
                    @for (row, _) in groups(slice) {
                        @if let Some(r) = &row.ranking {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                (with_range(&r.average_precision, ratio))
                                td.n { (bounds(&r.average_precision)) }
                                (cell(&r.partial_auc, ratio))
                                td.n { (bounds(&r.partial_auc)) }
                                (cell(&r.ks, ratio))
                                (with_range(&r.across_sites.random, ratio))
                            }
                        }
                    }
                }
            }
        }
        div.scroll tabindex="0" {
            table {
                caption { "Calibration. Slope, intercept and z are approximate: they take the events of a bin to share their mean score." }
                (head(&calibration))
                tbody {
                    @for (row, _) in groups(slice) {
                        @if let Some(c) = &row.calibration {
                            tr {
                                th scope="row" { bdi { (group(&row.group)) } }
                                (cell(&c.brier_skill, ratio))
                                (cell(&c.mce, ratio))
                                @for figure in [&c.observed_expected, &c.in_the_large, &c.slope, &c.intercept] {
                                    (with_range(figure, ratio))
                                }
                                (cell(&c.spiegelhalter_z, ratio))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bounds(figure: &Figure) -> String {
    match figure {
        Figure::Estimate(Estimate { bounds: Some(bounds), .. }) => interval(bounds, ratio),
        _ => String::new(),
    }
}
