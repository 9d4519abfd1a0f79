//! Figures of classes, worked by hand.

use super::*;
use crate::contract::{Contract, from_toml};
use crate::disclosure::{Block, Cell};
use crate::report::Estimate;

pub(in crate::report) const TRIAGE: &str = r#"
contract = "triage"
version = 1
title = "How urgent a call is"
task = "multiclass"
model = "triage"

[decision]
values = ["low", "middle", "high"]
favourable = "high"

[label]
values = ["low", "middle", "high"]
positive = "high"

[[attribute]]
name = "gender"
categories = ["Female", "Male"]
"#;

/// Decisions 4, 4, 2 of the classes by labels 5, 3, 2; two more decisions without label, and one label without decision.
fn table() -> Vec<Vec<u64>> {
    vec![vec![3, 1, 0, 0], vec![1, 2, 1, 0], vec![1, 0, 1, 2], vec![0, 1, 0, 0]]
}

fn contract(ordered: bool) -> Contract {
    let ordered = if ordered { "values = [\"low\", \"middle\", \"high\"]\nordered = true" } else { "" };
    let text = match ordered {
        "" => TRIAGE.to_owned(),
        ordered => TRIAGE.replacen("values = [\"low\", \"middle\", \"high\"]", ordered, 1),
    };
    from_toml(&text).expect("valid")
}

fn with(contract: &Contract, tables: Vec<Vec<Vec<u64>>>, places: Vec<Vec<u64>>, look: impl Fn(&Classes)) {
    let terms = Terms { contract, min_coverage: 0.5, min_site_n: 10, step: crate::disclosure::Step::EXACT };
    let counts: Vec<Counts> = tables.iter().map(|table| against_rest(table, 2)).collect();
    let sites = |shown: bool| u64::from(shown);
    look(&Classes {
        terms: &terms,
        tables: Shown { sites: sites(!tables.is_empty()), counts: counts.clone(), sums: tables },
        places: Shown { sites: sites(!places.is_empty()), counts, sums: places },
    });
}

fn close(figure: &Figure, expected: f64) -> bool {
    figure.value().is_some_and(|value| (value - expected).abs() < 1e-12)
}

fn undefined(why: &str) -> Figure {
    Figure::NotEstimable(why.to_owned())
}

#[test]
fn three_classes_by_hand() {
    let mut places = vec![0; 17];
    (places[0], places[1], places[16]) = (6, 3, 1);
    with(&contract(true), vec![table()], vec![places], |classes| {
        let found = classes.figures(0);
        assert_eq!(found.sites, 1);
        let names: Vec<_> = found.classes.iter().map(|class| class.class.as_str()).collect();
        assert_eq!(names, ["low", "middle", "high"]);
        let high = &found.classes[2];
        // Selected 4 of 12 decided, labelled or not; of the 10 with both 1 is right, 1 wrong, 1 missed.
        assert!(high.selected == 4 && close(&high.selection_rate, 4.0 / 12.0));
        let labelled = high.outcomes.as_ref().expect("labels");
        assert_eq!((labelled.tp, labelled.fp, labelled.fn_, labelled.tn), (1, 1, 1, 7));
        assert!(close(&labelled.prevalence, 0.2) && close(&labelled.precision, 0.5) && close(&labelled.recall, 0.5));
        assert!(close(&labelled.f1, 0.5) && close(&labelled.specificity, 7.0 / 8.0));
        let all = found.outcomes.as_ref().expect("labels");
        assert!(close(&all.accuracy, 0.6) && close(&all.micro.f1, 0.6) && close(&all.weighted.recall, 0.6));
        assert!(close(&all.macro_.precision, (0.75 + 0.5 + 0.5) / 3.0));
        assert!(close(&all.balanced_accuracy, (0.6 + 2.0 / 3.0 + 0.5) / 3.0));
        assert!(close(&all.weighted.precision, 0.5 * 0.75 + 0.3 * 0.5 + 0.2 * 0.5));
        assert!(close(&all.macro_.f1, (6.0 / 9.0 + 4.0 / 7.0 + 0.5) / 3.0));
        assert!(close(&all.kappa, 0.24 / 0.64) && close(&all.quadratic_kappa, 1.0 - 7.0 / 11.8));
        assert!(close(&all.mcc, 24.0 / (64.0_f64 * 62.0).sqrt()));
        assert_eq!((&all.never_decided, &all.never_true), (&Vec::new(), &Vec::new()));
        // Of three classes top-1 and top-2, no more.
        let top: Vec<_> = all.top.accuracies.iter().map(|top| (top.k, top.accuracy.value())).collect();
        assert_eq!((all.top.events, top), (10, vec![(1, Some(0.6)), (2, Some(0.9))]));
    });
    with(&contract(false), vec![table()], Vec::new(), |classes| {
        let all = classes.figures(0).outcomes.expect("labels");
        assert_eq!(all.quadratic_kappa, undefined("classes_not_ordered"));
        assert!(close(&all.kappa, 0.24 / 0.64));
        // Places are hidden where classes are not.
        assert_eq!((all.top.sites, all.top.events), (0, 0));
        assert!(all.top.accuracies.iter().all(|top| top.accuracy == Figure::Suppressed));
    });
}

#[test]
fn hidden_is_suppressed_throughout() {
    with(&contract(false), Vec::new(), Vec::new(), |classes| {
        let found = classes.figures(0);
        assert!(found.sites == 0 && found.classes.is_empty());
        let all = found.outcomes.expect("labels");
        for figure in
            [&all.accuracy, &all.macro_.f1, &all.weighted.precision, &all.kappa, &all.quadratic_kappa, &all.mcc]
        {
            assert_eq!(*figure, Figure::Suppressed);
        }
        assert!(all.never_decided.is_empty() && all.never_true.is_empty());
        let parity = classes.parity(&[vec!["Female".to_owned()], vec!["Male".to_owned()]]);
        assert!(parity.classes.iter().all(|class| class.selection_rate == Gap::suppressed()) && parity.worst.is_none());
    });
}

#[test]
fn too_few_labels_hide_what_needs_them() {
    // 3 of 13 labelled.
    let table = vec![vec![1, 0, 0, 4], vec![0, 1, 0, 3], vec![0, 0, 1, 3], vec![0; 4]];
    with(&contract(true), vec![table], vec![vec![1; 17]], |classes| {
        let found = classes.figures(0);
        assert!(close(&found.classes[0].selection_rate, 5.0 / 13.0));
        let (class, all) = (found.classes[0].outcomes.as_ref().expect("labels"), found.outcomes.expect("labels"));
        for figure in [&class.recall, &class.f1, &all.accuracy, &all.macro_.recall, &all.quadratic_kappa] {
            assert_eq!(*figure, undefined("immature"));
        }
        assert!(all.top.accuracies.iter().all(|top| top.accuracy == undefined("immature")));
    });
}

#[test]
fn a_class_without_events_is_named() {
    // All are low: one class, no correlation.
    let low = vec![vec![7, 0, 0, 0], vec![0; 4], vec![0; 4], vec![0; 4]];
    let empty = undefined("empty_denominator");
    with(&contract(true), vec![low, vec![vec![0; 4]; 4]], vec![vec![0; 17]; 2], |classes| {
        let all = classes.figures(0).outcomes.expect("labels");
        assert!(close(&all.accuracy, 1.0) && close(&all.weighted.f1, 1.0));
        assert_eq!(all.never_decided, ["middle", "high"]);
        assert_eq!(all.never_true, ["middle", "high"]);
        for figure in [&all.macro_.precision, &all.macro_.recall, &all.kappa, &all.quadratic_kappa, &all.mcc] {
            assert_eq!(*figure, empty);
        }
        assert_eq!(all.top.accuracies[0].accuracy, empty);
        // A group without any event.
        let nothing = classes.figures(1);
        assert_eq!(nothing.classes[0].selection_rate, empty);
        assert_eq!(nothing.outcomes.expect("labels").accuracy, empty);
    });
}

#[test]
fn groups_are_compared_class_by_class() {
    // Women: 4, 4, 4 of 12 decided; men: 1, 6, 5 of 12. The unknown group is not compared.
    let men = vec![vec![1, 0, 0, 0], vec![0, 5, 1, 0], vec![0, 0, 2, 3], vec![0; 4]];
    let unknown = vec![vec![0, 0, 0, 9], vec![0; 4], vec![0; 4], vec![0; 4]];
    let groups = ["Female", "Male", "unknown"].map(|group| vec![group.to_owned()]);
    with(&contract(false), vec![table(), men, unknown], Vec::new(), |classes| {
        let parity = classes.parity(&groups);
        let gaps: Vec<_> = parity.classes.iter().map(|class| class.selection_rate.difference.value()).collect();
        let close = |found: Option<f64>, of_12: f64| found.is_some_and(|gap| (gap - of_12 / 12.0).abs() < 1e-12);
        assert!(close(gaps[0], 3.0) && close(gaps[1], 2.0) && close(gaps[2], 1.0));
        let worst = parity.worst.expect("two groups");
        assert!(worst.class == "low" && close(worst.difference.value(), 3.0));
        // All three classes share the error, so that its interval is wider than the class's own.
        let interval = |figure: &Figure| match figure {
            Figure::Estimate(Estimate { interval: Some(interval), .. }) => *interval,
            _ => panic!("no interval"),
        };
        assert!(interval(&worst.difference).upper > interval(&parity.classes[0].selection_rate.difference).upper);
    });
    // One group is none to compare.
    with(&contract(false), vec![table()], Vec::new(), |classes| {
        let parity = classes.parity(&groups[..1]);
        assert_eq!(parity.classes[0].selection_rate.difference, undefined("too_few_groups"));
        assert!(parity.worst.is_none());
    });
}

#[test]
fn hidden_cells_are_read_as_hidden() {
    let group = |classes| ReleasedGroup { classes, ..ReleasedGroup::new(Vec::new(), Block::Full([[0; 3]; 3]), None) };
    assert_eq!(read_classes(&group(None)), None);
    assert_eq!(read_classes(&group(Some(Cell::Suppressed))), None);
    assert_eq!(read_classes(&group(Some(Cell::Value(table())))), Some(table()));
}
