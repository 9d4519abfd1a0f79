//! Laws that hold for every table, checked on drawn ones.

use super::*;
use proptest::prelude::*;

/// A count and its total, often 0, equal, or tiny.
fn group() -> impl Strategy<Value = (u64, u64)> {
    (prop_oneof![0..4u64, 0..60u64, 0..1_000_000_000u64], 0..=6u64, 0.0..1.0f64).prop_map(|(n, kind, share)| match kind
    {
        0 => (0, n),
        1 => (n, n),
        _ => (((n as f64 * share) as u64).min(n), n),
    })
}

/// A group with events.
fn filled() -> impl Strategy<Value = (u64, u64)> {
    group().prop_filter("needs events", |(_, n)| *n > 0)
}

fn strata() -> impl Strategy<Value = Vec<Stratum>> {
    prop::collection::vec((group(), group()).prop_map(|((x1, n1), (x0, n0))| Stratum { x1, n1, x0, n0 }), 0..9)
}

fn effects() -> impl Strategy<Value = Vec<Effect>> {
    let effect = (-1.0..1.0f64, 1e-6..1.0f64).prop_map(|(estimate, variance)| Effect { estimate, variance });
    prop::collection::vec(effect, 1..9)
}

/// Equal to 1e-9 of the larger one, or of 1.
fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

fn near_result(one: Result<f64, NotEstimable>, other: Result<f64, NotEstimable>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => near(one, other),
        (one, other) => one == other,
    }
}

fn swapped(strata: &[Stratum]) -> Vec<Stratum> {
    strata.iter().map(|s| Stratum { x1: s.x0, n1: s.n0, x0: s.x1, n0: s.n1 }).collect()
}

proptest! {
    #[test]
    fn wilson_holds_the_rate_and_stays_inside((x, n) in filled(), level in 0.01..0.999f64) {
        let interval = wilson(x, n, level)?;
        prop_assert!(0.0 <= interval.lower && interval.upper <= 1.0 && interval.lower < interval.upper);
        prop_assert!(interval.contains(rate(x, n)?));
        let mirrored = wilson(n - x, n, level)?;
        prop_assert!(near(mirrored.lower, 1.0 - interval.upper));
        prop_assert!(near(mirrored.upper, 1.0 - interval.lower));
    }

    #[test]
    fn newcombe_holds_the_difference_and_turns_with_it((x1, n1) in filled(), (x0, n0) in filled()) {
        let interval = newcombe_difference(x1, n1, x0, n0, LEVEL)?;
        prop_assert!(interval.contains(difference(x1, n1, x0, n0)?));
        prop_assert!(-1.0 <= interval.lower && interval.upper <= 1.0);
        let turned = newcombe_difference(x0, n0, x1, n1, LEVEL)?;
        prop_assert_eq!((turned.lower, turned.upper), (-interval.upper, -interval.lower));
    }

    #[test]
    fn a_ratio_lies_in_its_interval_and_inverts((x1, n1) in filled(), (x0, n0) in filled()) {
        if let Ok(katz) = katz_ratio(x1, n1, x0, n0, LEVEL) {
            prop_assert!(katz.interval.contains(katz.value));
            if let Ok(turned) = katz_ratio(x0, n0, x1, n1, LEVEL) {
                prop_assert!(near(turned.interval.lower * katz.interval.upper, 1.0));
                prop_assert!(near(turned.interval.upper * katz.interval.lower, 1.0));
            }
        }
        if let Ok(score) = koopman_bounds(x1, n1, x0, n0, LEVEL) {
            let turned = koopman_bounds(x0, n0, x1, n1, LEVEL)?;
            let inverse = turned.upper.map_or(0.0, f64::recip);
            prop_assert!((score.lower - inverse).abs() <= 1e-9 * inverse, "{:?} {:?}", score, turned);
            if let (Ok(ratio), Some(upper)) = (ratio(x1, n1, x0, n0), score.upper) {
                prop_assert!(score.lower <= ratio && ratio <= upper);
            }
        }
    }

    #[test]
    fn the_spread_lies_in_its_interval(groups in prop::collection::vec(group(), 0..8)) {
        if let Ok(spread) = max_min_difference(&groups, LEVEL) {
            prop_assert!(spread.interval.contains(spread.value));
            prop_assert!(0.0 <= spread.interval.lower && spread.interval.upper <= 1.0);
            let mut turned = groups.clone();
            turned.reverse();
            prop_assert_eq!(max_min_difference(&turned, LEVEL), Ok(spread));
        }
        if let Ok(ratio) = min_max_ratio(&groups, LEVEL) {
            prop_assert!(ratio.interval.contains(ratio.value), "{:?}", ratio);
            prop_assert!(0.0 <= ratio.interval.lower && ratio.interval.upper <= 1.0);
        }
    }

    #[test]
    fn the_order_of_sites_does_not_matter(strata in strata(), by in 0..9usize) {
        let mut moved = strata.clone();
        moved.rotate_left(by % strata.len().max(1));
        let value = |e: Result<Estimate, NotEstimable>| e.map(|e| e.value);
        let upper = |e: Result<Estimate, NotEstimable>| e.and_then(|e| e.interval).map(|i| i.upper);
        match (mantel_haenszel(&strata, LEVEL), mantel_haenszel(&moved, LEVEL)) {
            (Ok(one), Ok(other)) => {
                prop_assert!(near_result(value(one.odds_ratio), value(other.odds_ratio)));
                prop_assert!(near_result(upper(one.odds_ratio), upper(other.odds_ratio)));
                prop_assert!(near_result(value(one.risk_ratio), value(other.risk_ratio)));
                prop_assert!(near_result(upper(one.risk_ratio), upper(other.risk_ratio)));
                prop_assert!(near(one.risk_difference.value, other.risk_difference.value));
                prop_assert!(near_result(upper(Ok(one.risk_difference)), upper(Ok(other.risk_difference))));
                prop_assert_eq!(one.used.len() + one.left_out.len(), strata.len());
            }
            (one, other) => prop_assert_eq!(one, other),
        }
        let plain = |s: &[Stratum]| cochran_mantel_haenszel(s).map(|t| t.plain.p);
        prop_assert!(near_result(plain(&strata), plain(&moved)));
    }

    #[test]
    fn swapping_the_groups_inverts_ratios_and_turns_differences(strata in strata()) {
        let turned = swapped(&strata);
        if let (Ok(one), Ok(other)) = (mantel_haenszel(&strata, LEVEL), mantel_haenszel(&turned, LEVEL)) {
            for (one, other) in [(one.odds_ratio, other.odds_ratio), (one.risk_ratio, other.risk_ratio)] {
                if let (Ok(one), Ok(other)) = (one, other) {
                    prop_assert!(near(one.value * other.value, 1.0));
                    if let (Ok(one), Ok(other)) = (one.interval, other.interval) {
                        prop_assert!(near(one.lower * other.upper, 1.0));
                    }
                }
            }
            prop_assert!(near(one.risk_difference.value, -other.risk_difference.value));
            if let (Ok(one), Ok(other)) = (one.risk_difference.interval, other.risk_difference.interval) {
                prop_assert!(near(one.lower, -other.upper));
            }
        }
        let corrected = |s: &[Stratum]| cochran_mantel_haenszel(s).map(|t| t.corrected.p);
        prop_assert!(near_result(corrected(&strata), corrected(&turned)));
    }

    #[test]
    fn simpson_counts_every_site_once(strata in strata()) {
        if let Ok(s) = simpson(&strata, LEVEL) {
            let pointing = s.sites_favouring_group + s.sites_favouring_reference + s.sites_equal;
            prop_assert_eq!(pointing + s.left_out.len(), strata.len());
            prop_assert!(!s.reversal || s.crude.value != 0.0);
        }
    }

    #[test]
    fn meta_analysis_moves_and_scales_with_its_effects(effects in effects(), by in -1.0..1.0f64, factor in 0.1..9.0f64) {
        let meta = meta_analysis(&effects, LEVEL)?;
        let moved: Vec<Effect> = effects
            .iter()
            .map(|e| Effect { estimate: (e.estimate + by) * factor, variance: e.variance * factor * factor })
            .collect();
        let moved = meta_analysis(&moved, LEVEL)?;
        prop_assert!(near(moved.fixed.estimate, (meta.fixed.estimate + by) * factor));
        prop_assert!(near(moved.fixed.se, meta.fixed.se * factor));
        if let (Ok(one), Ok(other)) = (meta.heterogeneity, moved.heterogeneity) {
            prop_assert!(near(one.q.statistic, other.q.statistic) && (0.0..=1.0).contains(&one.i2));
            prop_assert!(near(one.tau2_pm * factor * factor, other.tau2_pm));
        }
        if let (Ok(one), Ok(other)) = (meta.random, moved.random) {
            prop_assert!(near(other.estimate, (one.estimate + by) * factor));
            if let (Ok(plain), Ok(modified)) = (one.hksj, one.hksj_modified) {
                prop_assert!(modified.lower <= plain.lower && plain.upper <= modified.upper);
            }
            prop_assert!(one.prediction.is_ok_and(|p| p.contains(one.estimate)) || effects.len() < 3);
        }
    }

    #[test]
    fn no_input_panics(
        counts in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), 0..4),
        numbers in prop::collection::vec((any::<f64>(), any::<f64>()), 0..5),
        level in any::<f64>(),
    ) {
        for level in [level, LEVEL] {
            let strata: Vec<Stratum> =
                counts.iter().map(|(x1, n1, x0, n0)| Stratum { x1: *x1, n1: *n1, x0: *x0, n0: *n0 }).collect();
            for s in &strata {
                let _ = koopman_bounds(s.x1, s.n1, s.x0, s.n0, level);
                let _ = katz_ratio(s.x1, s.n1, s.x0, s.n0, level);
                let _ = odds_ratio(s.x1, s.n1, s.x0, s.n0, level);
                let _ = risk_difference_effect(*s);
            }
            let groups: Vec<(u64, u64)> = counts.iter().map(|(x, n, _, _)| (*x, *n)).collect();
            let _ = (max_min_difference(&groups, level), min_max_ratio(&groups, level));
            let _ = (mantel_haenszel(&strata, level), simpson(&strata, level));
            let _ = (cochran_mantel_haenszel(&strata), breslow_day(&strata));
            let _ = pearson_chi2(&counts.iter().map(|(a, b, c, d)| [*a, *b, *c, *d]).collect::<Vec<_>>());
            let effects: Vec<Effect> =
                numbers.iter().map(|(y, v)| Effect { estimate: *y, variance: v.abs() }).collect();
            if let Ok(meta) = meta_analysis(&effects, level) {
                prop_assert!(meta.fixed.interval.lower.is_finite() && meta.fixed.interval.upper.is_finite());
            }
        }
    }
}
