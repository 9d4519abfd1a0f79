//! Shape, noise and sums of a release under differential privacy.

use crate::contract::ContractText;
use crate::disclosure::{NOISE_RULE, RELEASE_FORMAT, ReleaseText, ReleasedGroup, noisy_totals};
use crate::event::Tier;
use crate::fault::Refusal;
use crate::limits;
use crate::plan::PlanText;
use crate::privacy::Noise;
use crate::roster::same;

/// Every group's counts with the noise that the plan asks for, and nothing else. What noise was drawn nobody can tell from
/// the release: that is for `journal reproduce` at the site.
pub(super) fn check_noisy(text: &ReleaseText, plan: &PlanText, contract: &ContractText) -> Result<(), Refusal> {
    same("version", &(RELEASE_FORMAT, NOISE_RULE), &(text.format, text.rule.as_str()))?;
    same("release", &plan.disclosure.k, &text.k)?;
    let [wanted, found] = [Noise::of(plan), text.noise].map(|noise| noise.as_ref().map(described));
    same("noise", &wanted, &found)?;
    let identity = text.strata.iter().any(|stratum| stratum.identity.is_some());
    let exact = [!text.intake.is_empty(), text.quality.is_some(), text.operations.is_some(), identity];
    same("noise", &[false; 4], &exact)?;
    let strata: Vec<_> = text.strata.iter().map(|stratum| (&stratum.model_version, stratum.tier)).collect();
    same("release", &plan.model_versions.iter().map(|version| (version, Tier::Full)).collect::<Vec<_>>(), &strata)?;
    let mut wanted = vec![(Vec::new(), vec![Vec::new()])];
    wanted.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    for slices in text.strata.iter().map(|stratum| &stratum.slices) {
        same("release", &wanted.len(), &slices.len())?;
        for (slice, (attributes, groups)) in slices.iter().zip(&wanted) {
            same("release", attributes, &slice.attributes)?;
            let found: Vec<_> = slice.groups.iter().map(|group| group.group.clone()).collect();
            same("release", groups, &found)?;
            same("noise", &0, &slice.folds.len())?;
            slice.groups.iter().try_for_each(check_group)?;
        }
    }
    same("release", &noisy_totals(&text.strata), &[text.events, text.outcomes])
}

fn described(noise: &Noise) -> String {
    let Noise { mechanism, scale, events_per_subject } = noise;
    format!("{mechanism:?} of scale {}/{}, {events_per_subject} events", scale.numerator, scale.denominator)
}

fn check_group(group: &ReleasedGroup) -> Result<(), Refusal> {
    let ReleasedGroup { group: _, counts, scores, classes, ranks, moments, label_weights, subjects } = group;
    let parts = [
        scores.is_some(),
        classes.is_some(),
        ranks.is_some(),
        moments.is_some(),
        label_weights.is_some(),
        subjects.is_some(),
    ];
    same("noise", &[false; 6], &parts)?;
    let Some(counts) = counts.noisy() else {
        return Err(Refusal::new("noise", "counts with noise", "a block without"));
    };
    let most = limits::EVENTS_PER_RELEASE.saturating_mul(2);
    match counts.iter().flatten().find(|count| count.unsigned_abs() > most) {
        Some(count) => Err(Refusal::new("noise", format!("counts from -{most} to {most}"), count)),
        None => Ok(()),
    }
}

/// A window is released with noise once: a second release would cost as much again, and be averaged with the first.
pub(super) fn check_once(plan: &PlanText, amends: bool) -> Result<(), Refusal> {
    match plan.disclosure.privacy.is_some() && amends {
        true => Err(Refusal::new("noise", "one release of each window, never amended", "an amendment")),
        false => Ok(()),
    }
}
