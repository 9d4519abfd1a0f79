//! Pages of several classes and of predicted values, over sites of which some hide them.

use super::world::{Gave, World};
use super::{Report, check, html};
use crate::disclosure::{Block, Cell, Decimal, Moments, ReleasedGroup, ReleasedSlice};
use crate::report::{Figure, tables};

const TRIAGE: &str = r#"
contract = "admission"
version = 1
title = "How urgent a call is"
task = "multiclass"
model = "triage"
[decision]
values = ["low", "<i>middle</i>", "high"]
favourable = "high"
[label]
values = ["low", "<i>middle</i>", "high"]
positive = "high"
[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;

const STAY: &str = r#"
contract = "admission"
version = 1
title = "Days in hospital"
task = "regression"
model = "stay"
[decision]
values = ["short", "long"]
favourable = "short"
threshold = 10.0
[label]
values = ["short", "long"]
positive = "long"
[score]
min = 0.0
max = 128.0
bins = 10
[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;

/// Both groups with others, after all of them together.
fn slices<T>(
    parts: [T; 2],
    empty: &T,
    sum: impl Fn(&T, &T) -> T,
    group: impl Fn(&T) -> ReleasedGroup,
) -> Vec<ReleasedSlice> {
    let named = |name: &str, part: &T| ReleasedGroup { group: vec![name.to_owned()], ..group(part) };
    let groups =
        vec![named("Female", &parts[0]), named("Male", &parts[1]), named("other", empty), named("unknown", empty)];
    vec![
        ReleasedSlice { attributes: Vec::new(), groups: vec![group(&sum(&parts[0], &parts[1]))], folds: Vec::new() },
        ReleasedSlice { attributes: vec!["gender".to_owned()], groups, folds: Vec::new() },
    ]
}

type Table = [[u64; 4]; 4];

/// Decisions by labels; none is absent. Half of the labelled events are right at the first place, as their table says.
fn classes(parts: [Table; 2], shown: bool) -> Vec<ReleasedSlice> {
    let sum = |a: &Table, b: &Table| std::array::from_fn(|d| std::array::from_fn(|l| a[d][l] + b[d][l]));
    slices(parts, &[[0; 4]; 4], sum, |table| {
        let side = |at: usize| [0, 0, 1, 2][at];
        let mut counts = [[0; 3]; 3];
        table.iter().enumerate().for_each(|(d, row)| {
            row.iter().enumerate().for_each(|(l, count)| counts[side(d)][side(l)] += count);
        });
        let right = (0..3).map(|class| table[class][class]).sum::<u64>();
        let labelled = table.iter().map(|row| row[..3].iter().sum::<u64>()).sum::<u64>();
        let mut ranks = vec![0; 17];
        (ranks[0], ranks[2]) = (right, labelled - right);
        let cell =
            |shown: bool| if shown { Cell::Value(table.map(|row| row.to_vec()).to_vec()) } else { Cell::Suppressed };
        ReleasedGroup {
            classes: Some(cell(shown)),
            ranks: Some(Cell::Value(ranks)),
            ..ReleasedGroup::new(Vec::new(), Block::Full(counts), None)
        }
    })
}

/// Women: 4 of each decided; men: 1, 6, 4. Site b hides classes, and shows places.
pub(super) fn triage() -> Report {
    let women = [[3, 1, 0, 0], [1, 2, 1, 0], [1, 0, 1, 2], [0; 4]];
    let men = [[0, 1, 0, 0], [0, 5, 1, 0], [0, 0, 2, 2], [0; 4]];
    let site = |shown| Gave::Slices(classes([women, men], shown));
    let sites = vec![("a", site(true)), ("b", site(false)), ("c", Gave::Nothing), ("d", site(true))];
    World { contract: Some(TRIAGE), min_site_n: 1, ..World::new(sites) }.report()
}

/// One day, of 128, in whole numbers.
const DAY: u128 = 1 << 25;

fn days(pairs: &[(u128, u128)]) -> Moments {
    let sum = |of: &dyn Fn(u128, u128) -> u128| Decimal(pairs.iter().map(|(p, t)| of(p * DAY, t * DAY)).sum());
    Moments {
        events: pairs.len() as u64,
        predicted: sum(&|p, _| p),
        actual: sum(&|_, t| t),
        predicted_squares: sum(&|p, _| p * p),
        actual_squares: sum(&|_, t| t * t),
        products: sum(&|p, t| p * t),
        absolute_errors: sum(&|p, t| p.abs_diff(t)),
        fourth_powers: sum(&|p, t| (p.abs_diff(t) >> 16).pow(4)),
    }
}

type Pairs = Vec<(u128, u128)>;

fn stays(parts: [Pairs; 2], shown: bool) -> Vec<ReleasedSlice> {
    let sum = |a: &Pairs, b: &Pairs| [&a[..], &b[..]].concat();
    slices(parts, &Vec::new(), sum, |pairs| {
        let mut counts = [[0; 3]; 3];
        pairs.iter().for_each(|(p, t)| counts[usize::from(*p >= 10)][usize::from(*t >= 10)] += 1);
        let moments = if shown { Cell::Value(days(pairs)) } else { Cell::Suppressed };
        // All scores are hidden: the histogram is another test's.
        let scores = Some(Cell::Suppressed);
        ReleasedGroup { moments: Some(moments), ..ReleasedGroup::new(Vec::new(), Block::Full(counts), scores) }
    })
}

pub(super) fn stay() -> Report {
    let women = vec![(12, 10), (19, 20), (34, 30), (39, 40)];
    let site = |men: Pairs, shown| Gave::Slices(stays([women.clone(), men], shown));
    let men = vec![(10, 10), (23, 20), (33, 30), (42, 40)];
    let sites = vec![("a", site(men.clone(), true)), ("b", site(men, false)), ("c", site(vec![(50, 41)], true))];
    World { contract: Some(STAY), min_site_n: 1, ..World::new(sites) }.report()
}

fn close(figure: &Figure, expected: f64) -> bool {
    figure.value().is_some_and(|value| (value - expected).abs() < 1e-12)
}

#[test]
fn classes_are_pooled_over_the_sites_that_show_them() {
    let report = triage();
    let slice = &report.scopes[0].slices[1];
    let women = &slice.groups[0];
    // One against the rest from three sites, classes from two of them.
    assert_eq!(women.pooled.as_ref().map(|pooled| (pooled.n, pooled.selected)), Some((36, 12)));
    let classes = women.multiclass.as_ref().expect("classes");
    assert_eq!((classes.sites, classes.classes[0].selected), (2, 8));
    let all = classes.outcomes.as_ref().expect("labels");
    assert!(close(&all.accuracy, 0.6) && close(&all.kappa, 0.375));
    assert_eq!((all.top.sites, all.top.events), (3, 30));
    assert!(all.top.accuracies.iter().all(|top| close(&top.accuracy, 0.6)));
    let worst = slice.multiclass.as_ref().and_then(|parity| parity.worst.as_ref()).expect("two groups");
    assert!(worst.class == "low" && close(&worst.difference, 8.0 / 33.0));
    assert!(report.scopes[0].slices[0].multiclass.is_none() && women.regression.is_none());

    let page = html(&report);
    check(&report, &page);
    for text in [
        "2 of 4 sites showed classes",
        "gender: classes suppressed at 1 of the 3 sites that showed all groups of this slice.",
        "&lt;i&gt;middle&lt;/i&gt;",
        "not estimable (classes not ordered)",
        "The decision in which groups differ most: low",
        "Newcombe, Bonferroni over pairs and classes",
        "Male</bdi>: never true",
        "<th class=\"n\" scope=\"col\">Top 2</th>",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<i>"));
    // A model that gives its decisions alone.
    let mut alone = report.clone();
    for group in alone.scopes[0].slices.iter_mut().flat_map(|slice| &mut slice.groups) {
        let outcomes = group.multiclass.as_mut().and_then(|classes| classes.outcomes.as_mut());
        outcomes.expect("labels").top.events = 0;
    }
    assert!(!html(&alone).contains(">Top 1<"));
    let files = tables(&report);
    let groups = String::from_utf8(files["tables/groups.csv"].clone()).expect("UTF-8");
    for row in
        [",gender,Female,,,,multiclass.classes.low.precision,0.75,", ",gender,Female,,,,multiclass.outcomes.top.2,0.6,"]
    {
        assert!(groups.contains(row), "{row}");
    }
}

#[test]
fn values_are_pooled_over_the_sites_that_show_them() {
    let report = stay();
    let slice = &report.scopes[0].slices[1];
    let [women, men] = [0, 1].map(|at| slice.groups[at].regression.as_ref().expect("values"));
    assert_eq!((women.sites, women.events, men.events), (2, Some(8), Some(5)));
    // The same four women at both sites; of the men one more, nine days too long.
    assert!(close(&women.bias, 1.0) && close(&women.mae, 2.0) && close(&women.rmse, 5.5_f64.sqrt()));
    assert!(close(&men.bias, 17.0 / 5.0));
    let at: Vec<_> = men.at_sites.iter().map(|site| site.as_ref().map(|site| site.events)).collect();
    assert_eq!(at, [Some(4), None, Some(1)]);
    assert!(men.at_sites[2].as_ref().is_some_and(|site| close(&site.bias, 9.0) && close(&site.mae, 9.0)));
    let pair = slice.pairs[0].regression.as_ref().expect("a contrast");
    assert!(close(&pair.bias, 1.0 - 3.4) && close(&pair.mae, 2.0 - 3.4));
    let parity = slice.regression.as_ref().expect("two groups");
    assert!(parity.groups_defined == 2 && close(&parity.bias, 2.4) && close(&parity.mae, 1.4));

    let page = html(&report);
    check(&report, &page);
    for text in [
        "2 of 3 sites showed sums",
        "sums of values suppressed at 1 of the 3 sites",
        "Mean error, greatest less least",
        "2.400",
        "Welch, Bonferroni over pairs",
        "2.345",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let files = tables(&report);
    let gaps = String::from_utf8(files["tables/gaps.csv"].clone()).expect("UTF-8");
    assert!(gaps.contains(",gender,,,,,regression.bias,2.4"));
}

#[test]
fn nothing_of_it_stands_in_other_reports() {
    let text = serde_json::to_string(&super::berkeley().report()).expect("encodes");
    assert!(!text.contains("multiclass") && !text.contains("regression"));
}
