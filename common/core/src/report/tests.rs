//! Hand-worked figures of whole reports: what is hidden, flagged, found, and certain.

mod mixed;

use super::*;
use crate::disclosure::Counts;
use crate::render::tests::world::{Gave, World};
use crate::statistics::Interval;

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

fn estimate(figure: &Figure) -> &Estimate {
    match figure {
        Figure::Estimate(estimate) => estimate,
        other => panic!("no estimate: {other:?}"),
    }
}

/// The slice by gender of one site with women, men, `other` and nobody unknown.
fn sliced(counts: [Counts; 3], favourable: &str) -> (SliceFigures, Multiplicity) {
    let blocks = counts.into_iter().chain([[[0; 3]; 3]]).collect();
    let world = World { favourable: favourable.to_owned(), ..World::new(vec![("a", Gave::Blocks(blocks))]) };
    let mut scope = world.report().scopes.remove(0);
    (scope.slices.remove(1), scope.multiplicity)
}

/// So many true and false positives, false and true negatives, and events without label that were not selected.
fn labelled([tp, fp, fn_, tn]: [u64; 4], without: u64) -> Counts {
    [[tn, fn_, without], [fp, tp, 0], [0; 3]]
}

/// Selected, of a hundred.
fn of_100(selected: u64) -> Counts {
    [[0, 0, 100 - selected], [0, 0, selected], [0; 3]]
}

#[test]
fn a_group_that_hides_its_rate_bounds_the_gap() {
    let women = labelled([30, 20, 10, 40], 0);
    let men = labelled([45, 10, 5, 40], 0);
    // Ten of fifty have a label; the plan wants 80 %.
    let (slice, _) = sliced([women, men, labelled([1, 2, 3, 4], 40)], "1");
    let parity = slice.parity.expect("a cut");
    let gap = parity.outcomes.expect("labels").equal_opportunity;
    assert_eq!((gap.groups_defined, gap.groups_hidden), (2, 1));
    let (difference, ratio) = (estimate(&gap.difference), estimate(&gap.ratio));
    near(difference.value, 0.9 - 0.75);
    near(ratio.value, 0.75 / 0.9);
    assert_eq!(difference.bounds, Some(Interval { lower: difference.value, upper: 1.0 }));
    assert_eq!(ratio.bounds, Some(Interval { lower: 0.0, upper: ratio.value }));
    // Selection needs no label: nothing is hidden there.
    let selection = parity.demographic_parity;
    assert_eq!((selection.groups_defined, selection.groups_hidden), (3, 0));
    assert_eq!((estimate(&selection.difference).bounds, estimate(&selection.ratio).bounds), (None, None));
    // With all labels known there is nothing to bound.
    let (slice, _) = sliced([women, men, labelled([1, 2, 3, 4], 0)], "1");
    let gap = slice.parity.and_then(|parity| parity.outcomes).expect("labels").equal_opportunity;
    assert_eq!((gap.groups_defined, gap.groups_hidden, estimate(&gap.difference).bounds), (3, 0, None));
    near(estimate(&gap.difference).value, 0.9 - 0.25);
    // And with too few everywhere there is no gap.
    let few = labelled([1, 2, 3, 4], 40);
    let gap = sliced([few, few, few], "1").0.parity.and_then(|parity| parity.outcomes).expect("labels");
    let immature = Figure::NotEstimable("immature".to_owned());
    assert_eq!((gap.equal_opportunity.groups_hidden, gap.equal_opportunity.difference), (3, immature));
}

#[test]
fn four_fifths_exactly_are_not_below() {
    let rows = |selected: [u64; 3], favourable: &str| {
        let four_fifths = sliced(selected.map(of_100), favourable).0.fairness.expect("a cut").four_fifths;
        let rows = four_fifths.groups.iter();
        let rows = rows.map(|row| (row.group[0].clone(), row.below.clone(), row.impact_ratio.value()));
        (four_fifths.highest.expect("decisions"), rows.collect::<Vec<_>>())
    };
    let (highest, found) = rows([40, 50, 39], "1");
    assert_eq!(highest, ["Male"]);
    assert_eq!(
        found,
        [("Female".to_owned(), Some(Below::No), Some(0.8)), ("other".to_owned(), Some(Below::Yes), Some(0.39 / 0.5))]
    );
    // Where decision 0 favours: 60, 50 and 61 of a hundred; 50 is above four fifths of 61.
    let (highest, found) = rows([40, 50, 39], "0");
    assert_eq!(
        (&highest[0][..], found.into_iter().map(|row| row.1).collect::<Vec<_>>()),
        ("other", vec![Some(Below::No); 2])
    );
    // Nobody is selected: there is no highest rate to be below.
    let (highest, found) = rows([0, 0, 0], "1");
    assert_eq!((&highest[0][..], found.into_iter().map(|row| row.1).collect::<Vec<_>>()), ("Female", vec![None; 2]));
}

#[test]
fn a_finding_stands_after_correction_or_is_nominal() {
    let findings = |selected: [u64; 3]| {
        let family = sliced(selected.map(of_100), "1").1;
        // Nothing is labelled: three rates of two groups cannot be tested.
        assert_eq!((family.undefined, family.tests.len()), (6, 2));
        family.tests.iter().map(|test| (test.p, test.holm, test.finding)).collect::<Vec<_>>()
    };
    // 43 against 58: z = -0.15 by the root of 0.505 * 0.495 * 2 / 100, which is 2.12 deviations.
    let [(p, holm, finding), (_, _, other)] = findings([43, 58, 57])[..] else { panic!("two tests") };
    assert!((0.0338..0.0340).contains(&p) && (0.0676..0.0680).contains(&holm), "{p} {holm}");
    assert_eq!((finding, other), (Finding::Nominal, Finding::None));
    // 40 against 60: 2.83 deviations, p 0.0047, twice that after correction.
    let [(p, holm, finding), (_, _, other)] = findings([40, 60, 60])[..] else { panic!("two tests") };
    assert!((0.0046..0.0048).contains(&p) && (holm - 2.0 * p).abs() < 1e-15, "{p} {holm}");
    assert_eq!((finding, other), (Finding::Corrected, Finding::None));
    // Beside a smaller p the same nominal one needs no correction by two.
    let [(p, holm, finding), (_, _, other)] = findings([43, 58, 20])[..] else { panic!("two tests") };
    assert_eq!((p, finding, other), (holm, Finding::Corrected, Finding::Corrected));
}

#[test]
fn what_a_site_hides_is_anything() {
    let counts = Gave::Counts(vec![[30, 70], [50, 50], [0, 0], [0, 0]]);
    let world = World::new(vec![("a", counts), ("b", Gave::Hidden(5)), ("c", Gave::Nothing)]);
    let report = world.report();
    let slice = &report.scopes[0].slices[1];
    let women = slice.groups[0].identified.as_ref().expect("something is hidden");
    assert_eq!((women.known, women.hidden), (100, 5));
    // All five are selected: the site shows all events together.
    assert_eq!(women.selection_rate, Some(Interval { lower: 30.0 / 100.0, upper: 35.0 / 105.0 }));
    // Nothing is labelled, here or there.
    assert_eq!((women.tpr, women.accuracy), (None, None));
    let contrast = slice.pairs[0].identified.as_ref().and_then(|identified| identified.selection_rate);
    let contrast = contrast.expect("something is hidden");
    near(contrast.lower, 30.0 / 100.0 - 55.0 / 105.0);
    near(contrast.upper, 35.0 / 105.0 - 50.0 / 100.0);
    // Where nothing is hidden there are no bounds to tell.
    let report = World::new(vec![("a", Gave::Counts(vec![[30, 70], [50, 50], [0, 0], [0, 0]]))]).report();
    assert_eq!(report.scopes[0].slices[1].groups[0].identified, None);
}
