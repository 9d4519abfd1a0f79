//! What intake counted, and how well features keep the contract, over a site's windows.

use crate::disclosure::{Cell, FeatureQuality, Quality, ReleaseText};
use crate::event::IntakeCounts;

/// Intake's counts, added.
pub(super) fn intake(releases: &[&ReleaseText]) -> IntakeCounts {
    let mut sum = IntakeCounts::new();
    for (kind, count) in releases.iter().flat_map(|release| &release.intake) {
        let total = sum.entry(*kind).or_default();
        *total = total.saturating_add(*count);
    }
    sum
}

/// Quality, added; hidden where a window hides it, absent without release or features.
pub(super) fn quality(releases: &[&ReleaseText]) -> Option<Quality> {
    let mut parts = releases.iter().filter_map(|release| release.quality.as_ref());
    let first = parts.next()?.clone();
    Some(parts.fold(first, |sum, part| Quality {
        events: add(&sum.events, &part.events),
        features: sum.features.iter().zip(&part.features).map(|(sum, part)| add_feature(sum, part)).collect(),
    }))
}

fn add_feature(sum: &FeatureQuality, part: &FeatureQuality) -> FeatureQuality {
    FeatureQuality {
        feature: sum.feature.clone(),
        missing: add(&sum.missing, &part.missing),
        violations: add(&sum.violations, &part.violations),
        histogram: match (sum.histogram.value(), part.histogram.value()) {
            (Some(sum), Some(part)) => {
                Cell::Value(sum.iter().zip(part).map(|(sum, part)| sum.saturating_add(*part)).collect())
            }
            _ => Cell::Suppressed,
        },
    }
}

fn add(sum: &Cell<u64>, part: &Cell<u64>) -> Cell<u64> {
    match (sum.value(), part.value()) {
        (Some(sum), Some(part)) => Cell::Value(sum.saturating_add(*part)),
        _ => Cell::Suppressed,
    }
}
