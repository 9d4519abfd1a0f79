//! Hand-worked distances from a reference that the plan gives.

use super::*;
use crate::disclosure::{Bin, Block, Cell, Decimal, ReleasedGroup, Scores};
use crate::render::tests::world::{Gave, World};

fn value(figure: &Figure) -> f64 {
    figure.value().unwrap_or_else(|| panic!("no estimate: {figure:?}"))
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
}

#[test]
fn counts_of_other_data_may_be_the_reference() {
    let mut world = World::new(vec![
        ("a", Gave::Counts(vec![[10, 10], [20, 20], [0, 0], [0, 0]])),
        ("b", Gave::Counts(vec![[5, 15], [10, 10], [0, 0], [0, 0]])),
        ("c", Gave::Hidden(40)),
    ]);
    world.plan = "[reference]\nsource = \"the census\"\nevents = 1000\ndecisions = [200, 800]\nlabels = [500, 200]\n\
                  [[reference.slice]]\nattributes = [\"gender\"]\ncounts = [500, 500, 0, 0]\n"
        .to_owned();
    let report = world.report();
    assert_eq!(report.reference, Some(ReferenceRef { source: "the census".to_owned(), events: 1000 }));
    let drift = &report.scopes[0].drift;
    // The window is compared although it is the plan's only one. Site c hides its groups, and shows all its events.
    assert_eq!((drift.len(), drift[0].sites, report.reference_window), (1, 3, None));
    near(value(&drift[0].selection_rate), 85.0 / 140.0 - 0.8);
    // 70 % of the reference have a label, and the plan wants 80 %.
    assert_eq!(drift[0].label_rate, Some(Figure::undefined(NotEstimable::Immature)));
    let groups = drift[0].groups[0].as_ref().expect("given");
    assert_eq!((groups.sites, groups.reference, groups.current, groups.bins), (2, 1000, 100, 2));
    // 40 of 100 are women, half of the reference: (0.4 - 0.5) ln(0.8) + (0.6 - 0.5) ln(1.2) = 0.1 ln 1.5.
    near(value(&groups.psi), 0.1 * 1.5_f64.ln());
    near(value(&groups.noise_floor), 1.0 / 1000.0 + 1.0 / 100.0);
    near(value(&groups.total_variation), 0.1);
    assert_eq!((groups.alert, drift[0].scores.is_none()), (Some(false), true));
    world.plan = "[reference]\nsource = \"the census\"\nevents = 10\ndecisions = [2, 8]\n".to_owned();
    let drift = &world.report().scopes[0].drift[0];
    assert!(drift.label_rate.is_none() && drift.groups == [None], "what is not given is not compared");
}

#[test]
fn scores_meet_at_the_coarser_resolution() {
    let scores = |bins: u32, counts: &[(u32, u64)]| {
        let row = counts.iter().map(|(bin, count)| Bin(*bin, *count, Decimal(0))).collect();
        let histogram = [row, Vec::new(), Vec::new()];
        Scores { bins, no_score: [0; 3], square_sums: [Decimal(0); 3], histogram }
    };
    let slice = |scores| {
        let (group, counts) = (Vec::new(), Block::Withheld);
        let group = ReleasedGroup::new(group, counts, Some(Cell::Value(scores)));
        ReleasedSlice { attributes: Vec::new(), groups: vec![group], folds: Vec::new() }
    };
    let given = (0..20).map(|bin| u64::from(bin < 4)).collect();
    let mut sum = Pair { reference: given, ..Pair::default() };
    add_scores(&mut sum, None, &slice(scores(40, &[(0, 3), (39, 1)])));
    assert_eq!((sum.reference.len(), sum.current[0], sum.current[19]), (20, 3, 1));
    add_scores(&mut sum, None, &slice(scores(10, &[(1, 5)])));
    assert_eq!(sum.reference, [2, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((sum.sites, &sum.current[..]), (2, &[3, 5, 0, 0, 0, 0, 0, 0, 0, 1][..]));
    let figures = score_figures(&sum, (0.0, 1.0), 1);
    // Shares 1/2, 1/2 against 3/9, 5/9, 1/9 at the end.
    near(value(&figures.total_variation), (1.0 / 6.0 + 1.0 / 18.0 + 1.0 / 9.0) / 2.0);
    near(value(figures.ks.as_ref().expect("ordered")), 1.0 / 6.0);
}
