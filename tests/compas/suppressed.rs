//! The same data under k = 10: what is hidden says so, and cannot be had from what is not.

use crate::{dataset, federation};
use fedaudit_core::report::{Report, State};
use fedaudit_tests::figures;

#[test]
fn what_is_hidden_says_so() {
    let Some(data) = figures::shared("compas") else { return };
    let expected = figures::json(&data.join("expected.json"));
    let dir = tempfile::tempdir().expect("a folder");
    let (folder, out) = (dir.path().join("compas"), dir.path().join("out"));
    dataset(&folder, &["two-years"], &data.join("sites"), |plan| plan.replace("k = 1\n", "k = 10\n"));
    let said = federation(&folder, &out);
    let report: Report = figures::report(&out);
    assert!(said.contains("slices suppressed at a site"), "{said}");
    let hidden: usize = report.scopes[0].slices.iter().map(|slice| suppressed(slice)).sum();
    assert!(hidden > 4, "{hidden}");
    let small = &expected["scopes"]["compas-general-recidivism@broward-2013"]["small_cells_below_10"];
    assert!(small.as_array().is_some_and(|cells| !cells.is_empty()));
}

fn suppressed(slice: &fedaudit_core::report::SliceFigures) -> usize {
    slice.sites.iter().filter(|site| site.state == State::Suppressed).count()
}
