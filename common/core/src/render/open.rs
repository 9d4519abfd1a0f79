//! What could not be evaluated: sites without release, suppressed slices, figures without a value.

use super::format::{no_interval, no_test, not_estimable, plain, plural, state};
use crate::report::{
    DeviationsFigure, EpochRow, Figure, Gap, GroupFigures, OutcomeFigures, PairFigures, Report, Scope, ScoreFigures,
    SimpsonFigures, SiteRow, SiteState, SliceFigures, State, TestFigure,
};
use maud::{Markup, html};

/// Why a figure has no interval by its nature.
const BY_NATURE: [&str; 7] = [
    "descriptive",
    "fourth powers of scores are not released",
    "joint fourth moments are not released",
    "biased upwards; compare with chance",
    "biased upwards",
    "a test statistic, approximate from bins",
    "equal groups are at the end of its range",
];
/// The state of a figure that waits for labels.
const IMMATURE: &str = "not estimable (immature)";

/// The list, or that nothing is open.
pub(super) fn list(report: &Report) -> Markup {
    let mut items = sites(report);
    items.extend(super::private::open(report));
    for scope in &report.scopes {
        for slice in &scope.slices {
            let name = slice_name(report, scope, slice);
            items.extend(suppressed(&name, slice, "suppressed", |site| site.state == State::Suppressed));
            items.extend(suppressed(&name, slice, "some groups suppressed", |site| site.state == State::Partial));
            items.extend(suppressed(&name, slice, "score histograms suppressed", |site| {
                site.scores == Some(State::Suppressed)
            }));
            if slice.groups.iter().all(|group| group.pooled.is_none()) {
                items.push(format!("{name}: no figures, as no site gave this slice."));
                continue;
            }
            items.extend(apart(&name, slice));
            items.extend(super::tasks::hidden(&name, slice));
            items.extend(gaps(&name, slice));
            items.extend(slice.pairs.iter().flat_map(|pair| pair_gaps(&name, pair)));
        }
    }
    html! {
        @if items.is_empty() { p { "Nothing: every site released every slice, and every figure has a value." } }
        @else { ul.open { @for item in &items { li { (item) } } } }
    }
}

/// The attributes of a slice, with the model version where there are several.
pub(super) fn slice_name(report: &Report, scope: &Scope, slice: &SliceFigures) -> String {
    let title = slice_title(slice);
    if report.scopes.len() == 1 { title } else { format!("{title} ({})", plain(&scope.name())) }
}

/// The attributes of a slice.
pub(super) fn slice_title(slice: &SliceFigures) -> String {
    attributes(&slice.attributes)
}

/// Attributes, or that there are none.
pub(super) fn attributes(attributes: &[String]) -> String {
    if attributes.is_empty() { "All events".to_owned() } else { plain(&attributes.join(" x ")) }
}

fn sites(report: &Report) -> Vec<String> {
    let all = report.windows.len() as u64;
    let open = report.sites.iter().filter(|site| site.windows_released < all);
    let epochs = report.sites.iter().flat_map(|site| site.epochs.iter().map(move |of| lost(site, of)));
    let open = open.map(|site| {
        let required = if site.required { " (required)" } else { "" };
        let without = all - site.windows_released;
        let windows = plural(report.windows.len(), "window");
        format!("{}{required}: no release for {without} of {windows}{}.", site.site, because(site))
    });
    open.chain(epochs).collect()
}

/// What a site lost of its journal.
fn lost(site: &SiteRow, of: &EpochRow) -> String {
    let kept: Vec<_> = of.kept.iter().map(|kept| format!("{} of {}", kept.size, plain(&kept.log))).collect();
    let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
    let reason = plain(&of.reason);
    format!("{}: records of its journal were lost; epoch {} began. Records kept: {kept}. {reason}", site.site, of.epoch)
}

/// ` (1 abstained, 2 waived, 1 missing)`, each in windows; empty where all are missing.
pub(super) fn because(site: &SiteRow) -> String {
    if site.abstained.is_empty() && site.waived.is_empty() {
        return String::new();
    }
    let kinds = [("abstained", &site.abstained), ("waived", &site.waived), ("missing", &site.missing)];
    let kinds = kinds.iter().filter(|(_, windows)| !windows.is_empty());
    let kinds: Vec<_> = kinds.map(|(word, windows)| format!("{} {word}", windows.len())).collect();
    format!(" ({})", kinds.join(", "))
}

fn suppressed(name: &str, slice: &SliceFigures, what: &str, is: fn(&SiteState) -> bool) -> Option<String> {
    let hidden: Vec<_> = slice.sites.iter().filter(|site| is(site)).map(|site| site.site.as_str()).collect();
    (!hidden.is_empty()).then(|| {
        let sites = plural(slice.sites.len(), "site");
        format!("{name}: {what} at {} of {sites} ({}).", hidden.len(), hidden.join(", "))
    })
}

/// Groups that no site shows, and those that no site shows together with the reference.
fn apart(name: &str, slice: &SliceFigures) -> Vec<String> {
    let groups = slice.groups.iter();
    let hidden = groups.clone().filter(|group| group.pooled.is_none());
    let hidden = hidden.map(|group| format!("{name}: {} suppressed at every site.", super::group(&group.group)));
    let alone = groups.filter(|group| {
        let is_pair = slice.pairs.iter().any(|pair| pair.group == group.group) || group.group == slice.reference;
        !slice.attributes.is_empty()
            && group.compared
            && !is_pair
            && group.pooled.as_ref().is_some_and(|own| own.decided > 0)
    });
    let reference = super::group(&slice.reference);
    let alone = alone.map(|group| {
        format!(
            "{name}: {} not compared: no site shows its decisions and those of {reference}.",
            super::group(&group.group)
        )
    });
    hidden.chain(alone).collect()
}

fn gaps(name: &str, slice: &SliceFigures) -> Vec<String> {
    let mut gaps = Gaps::default();
    for group in &slice.groups {
        let Some(pooled) = group.pooled.as_ref().filter(|pooled| pooled.n > 0) else { continue };
        let name = super::group(&group.group);
        gaps.figure(&format!("selection rate of {name}"), &pooled.selection_rate);
        if let Some(outcomes) = &pooled.outcomes {
            outcome_gaps(&name, outcomes, pooled.scores.as_ref(), &mut gaps);
            // Immature labels were named above.
            if state(&outcomes.accuracy).as_deref() != Some(IMMATURE) {
                score_gaps(&name, group, &mut gaps);
            }
            classification_gaps(&name, group, &mut gaps);
        }
        super::tasks::group_gaps(&name, group, &mut gaps);
    }
    if let Some(parity) = &slice.parity {
        gaps.gap("demographic parity", &parity.demographic_parity);
        gaps.test("chi-square", &parity.chi2);
        if let Some(outcomes) = &parity.outcomes {
            gaps.gap("equal opportunity", &outcomes.equal_opportunity);
            gaps.gap("predictive equality", &outcomes.predictive_equality);
            gaps.gap("equalized odds", &outcomes.equalized_odds);
            gaps.gap("predictive parity", &outcomes.predictive_parity);
            gaps.gap("accuracy", &outcomes.accuracy);
        }
    }
    super::tasks::slice_gaps(slice, &mut gaps);
    if let Some(fairness) = &slice.fairness {
        gaps.figure("differential fairness", &fairness.differential_fairness);
        if let Some(outcomes) = &fairness.outcomes {
            gaps.gap("mean equalized odds", &outcomes.mean_equalized_odds);
            gaps.gap("conditional use accuracy", &outcomes.conditional_use_accuracy);
            gaps.figure("generalised entropy", &outcomes.generalized_entropy);
            gaps.figure("Theil's index", &outcomes.theil);
        }
    }
    gaps.lines(name)
}

fn outcome_gaps(name: &str, outcomes: &OutcomeFigures, scores: Option<&ScoreFigures>, gaps: &mut Gaps) {
    // One line instead of one a figure: none of them is shown while labels are missing.
    if state(&outcomes.accuracy).as_deref() == Some(IMMATURE) {
        return gaps.add(IMMATURE.to_owned(), &format!("what needs labels, of {name}"));
    }
    let o = outcomes;
    let rates = [
        ("base rate", &o.prevalence),
        ("accuracy", &o.accuracy),
        ("true positive rate", &o.tpr),
        ("false positive rate", &o.fpr),
        ("positive predictive value", &o.ppv),
        ("negative predictive value", &o.npv),
        ("balanced accuracy", &o.balanced_accuracy),
    ];
    for (rate, figure) in rates {
        gaps.figure(&format!("{rate} of {name}"), figure);
    }
    let Some(s) = scores else { return };
    for (score, figure) in [("AUC", &s.auc), ("Brier score", &s.brier), ("ECE", &s.ece), ("mean score", &s.mean_score)]
    {
        gaps.figure(&format!("{score} of {name}"), figure);
    }
}

fn score_gaps(name: &str, group: &GroupFigures, gaps: &mut Gaps) {
    if let Some(r) = &group.ranking {
        let figures = [("average precision", &r.average_precision), ("partial AUC", &r.partial_auc), ("KS", &r.ks)];
        for (figure, value) in figures.into_iter().chain([("AUC across sites", &r.across_sites.random)]) {
            gaps.figure(&format!("{figure} of {name}"), value);
        }
    }
    if let Some(c) = &group.calibration {
        let figures = [
            ("Brier skill", &c.brier_skill),
            ("Murphy's parts", &c.murphy_reliability),
            ("MCE", &c.mce),
            ("observed by expected", &c.observed_expected),
            ("calibration in the large", &c.in_the_large),
            ("calibration slope", &c.slope),
        ];
        for (figure, value) in figures {
            gaps.figure(&format!("{figure} of {name}"), value);
        }
        gaps.test(&format!("Spiegelhalter's test of {name}"), &c.spiegelhalter);
    }
}

/// What the table of classification figures shows; one line says that labels are missing.
fn classification_gaps(name: &str, group: &GroupFigures, gaps: &mut Gaps) {
    let Some(c) = group.classification.as_ref() else { return };
    if state(&c.error_rate).as_deref() == Some(IMMATURE) {
        return;
    }
    let figures = [
        ("F1", &c.f1),
        ("Matthews' correlation", &c.mcc),
        ("kappa", &c.kappa),
        ("Youden's J", &c.youden),
        ("positive likelihood ratio", &c.lr_positive),
        ("negative likelihood ratio", &c.lr_negative),
        ("diagnostic odds ratio", &c.diagnostic_odds_ratio),
    ];
    for (figure, of) in figures {
        gaps.figure(&format!("{figure} of {name}"), of);
    }
}

fn pair_gaps(name: &str, pair: &PairFigures) -> Vec<String> {
    let mut gaps = Gaps::default();
    let (crude, adjusted, pooled) = (&pair.crude, &pair.mantel_haenszel, &pair.pooled);
    gaps.figure("difference", &crude.difference);
    gaps.figure("selection ratio", &crude.selection_ratio);
    gaps.figure("impact ratio", &crude.impact_ratio);
    gaps.figure("odds ratio", &crude.odds_ratio);
    gaps.figure("Mantel-Haenszel difference", &adjusted.risk_difference);
    gaps.figure("Mantel-Haenszel risk ratio", &adjusted.risk_ratio);
    gaps.figure("Mantel-Haenszel odds ratio", &adjusted.odds_ratio);
    gaps.figure("Cohen's d", &pair.distance.cohen_d);
    if let DeviationsFigure::NotEstimable(reason) = &pair.distance.deviations {
        gaps.add(not_estimable(reason), "standard deviations");
    }
    if let Some(outcomes) = &pair.outcomes {
        gaps.figure("average odds difference", &outcomes.average_odds);
        gaps.figure("treatment equality", &outcomes.treatment_equality);
    }
    gaps.test("Cochran-Mantel-Haenszel", &adjusted.cmh);
    gaps.test("Cochran-Mantel-Haenszel, corrected", &adjusted.cmh_corrected);
    gaps.test("Breslow-Day", &adjusted.breslow_day);
    gaps.test("Tarone", &adjusted.breslow_day_tarone);
    gaps.figure("fixed effect", &pooled.fixed);
    gaps.figure("random effects", &pooled.random);
    gaps.figure("random effects (HKSJ)", &pooled.random_hksj);
    gaps.test("Cochran's Q", &pooled.q);
    gaps.figure("I\u{b2}", &pooled.i2);
    gaps.figure("tau\u{b2}", &pooled.tau2);
    gaps.figure("prediction", &pooled.prediction);
    gaps.figure("pooled risk ratio", &pair.pooled_risk_ratio.random);
    gaps.figure("pooled odds ratio", &pair.pooled_odds_ratio.random);
    gaps.figure("difference within sites", &pair.split.within_sites);
    if let Some(scores) = &pair.scores {
        gaps.figure("AUC difference", &scores.auc);
        gaps.figure("ABROCA", &scores.abroca);
    }
    if let Some(errors) = &pair.regression {
        gaps.figure("difference of mean errors", &errors.bias);
        gaps.figure("difference of mean absolute errors", &errors.mae);
    }
    if let SimpsonFigures::NotEstimable(reason) = &pair.simpson {
        gaps.add(not_estimable(reason), "Simpson's paradox");
    }
    gaps.lines(&format!("{name}, {}", super::group(&pair.group)))
}

/// Names of figures by why they have no value, in the order met.
#[derive(Default)]
pub(super) struct Gaps(Vec<(String, Vec<String>)>);

impl Gaps {
    pub fn figure(&mut self, name: &str, figure: &Figure) {
        if let Some(state) = state(figure) {
            self.add(state, name);
        } else if let Some(reason) = no_interval(figure).filter(|reason| !BY_NATURE.contains(&reason.as_str())) {
            self.add(format!("no interval ({reason})"), name);
        }
    }

    pub fn gap(&mut self, name: &str, gap: &Gap) {
        self.figure(&format!("{name} difference"), &gap.difference);
        self.figure(&format!("{name} ratio"), &gap.ratio);
    }

    fn test(&mut self, name: &str, test: &TestFigure) {
        if let Some(reason) = no_test(test) {
            self.add(not_estimable(reason), name);
        }
    }

    fn add(&mut self, why: String, name: &str) {
        match self.0.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name.to_owned()),
            None => self.0.push((why, vec![name.to_owned()])),
        }
    }

    fn lines(&self, name: &str) -> Vec<String> {
        self.0.iter().map(|(why, names)| format!("{name}: {}: {why}.", names.join(", "))).collect()
    }
}
