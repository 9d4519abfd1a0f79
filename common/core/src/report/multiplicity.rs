//! All tests of a scope read together: with many groups and many rates some differ by chance.

use super::group::decided;
use super::rates::{Rate, false_positives, predicted_positives, true_positives};
use super::{Figure, SliceFigures};
use crate::statistics::{self as st, LEVEL, NormalTest};
use serde::{Deserialize, Serialize};

/// The family of all tests of a scope: in every slice, every group against the reference, by selection rate, TPR, FPR and
/// PPV where they are defined; each over the sites that show both groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiplicity {
    /// Below this p is a finding.
    pub significance: f64,
    /// Tests that were made.
    pub tests: Vec<PairTest>,
    /// Tests that could not be made, because a rate is undefined, or both are 0 or both 1.
    pub undefined: u64,
}

/// One test: the two-proportion z test with pooled variance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairTest {
    /// The slice's attributes.
    pub attributes: Vec<String>,
    /// The group that is held against the slice's reference.
    pub group: Vec<String>,
    /// The rate that is compared.
    pub rate: TestedRate,
    /// Standard deviations; positive where the group's rate is the higher one.
    pub z: f64,
    /// Two-sided nominal p.
    pub p: f64,
    /// p after Holm's correction over the family.
    pub holm: f64,
    /// q of Benjamini and Hochberg over the family.
    pub benjamini_hochberg: f64,
    /// What it comes to.
    pub finding: Finding,
}

/// A rate that groups are tested by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestedRate {
    /// Selected by decided.
    SelectionRate,
    /// True positive rate.
    Tpr,
    /// False positive rate.
    Fpr,
    /// Positive predictive value.
    Ppv,
}

/// What a test comes to at the family's significance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Nothing.
    None,
    /// On its own it would be a finding; among so many it is not.
    Nominal,
    /// It stands after Holm's correction.
    Corrected,
}

impl Multiplicity {
    /// Tests that come to `finding`.
    pub fn count(&self, finding: Finding) -> usize {
        self.tests.iter().filter(|test| test.finding == finding).count()
    }
}

/// Of a scope's pairs.
pub(super) fn multiplicity(slices: &[SliceFigures]) -> Multiplicity {
    let significance = 1.0 - LEVEL;
    let (mut tests, mut undefined) = (Vec::new(), 0);
    for slice in slices {
        for (group, rate, test) in slice_tests(slice) {
            let Some(NormalTest { z, p }) = test else {
                undefined += 1;
                continue;
            };
            tests.push(PairTest {
                attributes: slice.attributes.clone(),
                group: group.to_vec(),
                rate,
                z,
                p,
                holm: p,
                benjamini_hochberg: p,
                finding: Finding::None,
            });
        }
    }
    let p: Vec<f64> = tests.iter().map(|test| test.p).collect();
    for ((test, holm), q) in tests.iter_mut().zip(st::holm(&p)).zip(st::benjamini_hochberg(&p)) {
        (test.holm, test.benjamini_hochberg) = (holm, q);
        test.finding = match () {
            () if holm < significance => Finding::Corrected,
            () if test.p < significance => Finding::Nominal,
            () => Finding::None,
        };
    }
    Multiplicity { significance, tests, undefined }
}

type Tested<'a> = (&'a [String], TestedRate, Option<NormalTest>);

fn slice_tests(slice: &SliceFigures) -> Vec<Tested<'_>> {
    let mut tests = Vec::new();
    for pair in &slice.pairs {
        let test = |rate: Rate| {
            let [(x1, n1), (x0, n0)] = pair.counts.each_ref().map(rate);
            st::two_proportions(x1, n1, x0, n0).ok()
        };
        tests.push((&pair.group[..], TestedRate::SelectionRate, test(decided)));
        let Some(contrast) = &pair.outcomes else { continue };
        let mut add = |rate: TestedRate, difference: &Figure, of: Rate| {
            // Where labels are too few the counts are there, and the difference is not.
            tests.push((&pair.group[..], rate, difference.value().and_then(|_| test(of))));
        };
        add(TestedRate::Tpr, &contrast.tpr, true_positives);
        add(TestedRate::Fpr, &contrast.fpr, false_positives);
        add(TestedRate::Ppv, &contrast.ppv, predicted_positives);
    }
    tests
}
