//! How often intervals hold the truth, in drawn samples: 2,000 of each scenario, as many as `FEDAUDIT_COVERAGE` says in a long
//! run. Expected is the exact coverage, where all samples can be enumerated, else the level that the method claims.

use super::*;

/// SplitMix64 (Steele, Lea and Flood 2014): the same samples in every run.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).map(|_| u64::from(self.uniform() < p)).sum()
    }

    /// Box and Muller 1958.
    fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// The place in `shares`, which add up to 1.
    fn place(&mut self, shares: &[f64]) -> usize {
        let mut left = self.uniform();
        let found = shares.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        found.unwrap_or(shares.len() - 1)
    }
}

fn trials() -> u64 {
    std::env::var("FEDAUDIT_COVERAGE").ok().map_or(2_000, |text| text.parse().expect("FEDAUDIT_COVERAGE is a number"))
}

/// The share of samples in which `covers` holds.
fn coverage(mut covers: impl FnMut(&mut Draws) -> bool) -> f64 {
    let mut draws = Draws(1_973);
    (0..trials()).filter(|_| covers(&mut draws)).count() as f64 / trials() as f64
}

/// Within one point, and what so many samples leave open (four standard errors).
fn close(scenario: &str, found: f64, expected: f64) {
    let open = 4.0 * (expected * (1.0 - expected) / trials() as f64).sqrt();
    println!("{scenario}: {found:.4}, expected {expected:.4}, {} samples", trials());
    assert!((found - expected).abs() <= 0.01 + open, "{scenario}: {found}, not {expected}");
}

/// Not more than one point below, and what so many samples leave open.
fn at_least(scenario: &str, found: f64, expected: f64) {
    let open = 4.0 * (expected * (1.0 - expected) / trials() as f64).sqrt();
    println!("{scenario}: {found:.4}, at least {expected:.4}, {} samples", trials());
    assert!(found >= expected - 0.01 - open, "{scenario}: {found}, below {expected}");
}

fn holds(interval: Result<Interval, NotEstimable>, truth: f64) -> bool {
    interval.is_ok_and(|interval| interval.contains(truth))
}

/// Probabilities of 0 to n of n.
fn binomial_shares(n: u64, p: f64) -> Vec<f64> {
    let mut share = (1.0 - p).powi(n as i32);
    let mut shares = vec![share];
    for x in 0..n {
        share *= (n - x) as f64 / (x + 1) as f64 * p / (1.0 - p);
        shares.push(share);
    }
    shares
}

#[test]
fn wilson_and_newcombe_cover_as_often_as_enumeration_says() {
    for (n, p) in [(50, 0.1), (20, 0.5), (200, 0.02)] {
        let exact: f64 =
            (0..).zip(binomial_shares(n, p)).filter(|(x, _)| holds(wilson(*x, n, LEVEL), p)).map(|x| x.1).sum();
        let found = coverage(|draws| holds(wilson(draws.binomial(n, p), n, LEVEL), p));
        close(&format!("Wilson, n {n}, p {p}"), found, exact);
        assert!((0.92..1.0).contains(&exact), "{exact}");
    }
    for ((n1, p1), (n0, p0)) in [((40, 0.3), (60, 0.2)), ((30, 0.05), (80, 0.1))] {
        let pairs = (0..)
            .zip(binomial_shares(n1, p1))
            .flat_map(|(x1, a)| (0..).zip(binomial_shares(n0, p0)).map(move |(x0, b)| (x1, x0, a * b)));
        let covered = |x1, x0| holds(newcombe_difference(x1, n1, x0, n0, LEVEL), p1 - p0);
        let exact: f64 = pairs.filter(|(x1, x0, _)| covered(*x1, *x0)).map(|(.., share)| share).sum();
        let found = coverage(|draws| covered(draws.binomial(n1, p1), draws.binomial(n0, p0)));
        close(&format!("Newcombe, {p1} of {n1} against {p0} of {n0}"), found, exact);
        assert!((0.93..1.0).contains(&exact), "{exact}");
    }
}

#[test]
fn gaps_of_several_groups_and_of_many_tests_keep_their_level() {
    // Five equal groups: a bootstrap of max - min never covers 0.
    let equal = coverage(|draws| {
        let groups: Vec<(u64, u64)> = (0..5).map(|_| (draws.binomial(100, 0.3), 100)).collect();
        max_min_difference(&groups, LEVEL).is_ok_and(|gap| gap.interval.contains(0.0))
    });
    at_least("max - min, five equal groups", equal, 0.95);
    let apart = coverage(|draws| {
        let groups: Vec<(u64, u64)> = [0.2, 0.3, 0.5].map(|p| (draws.binomial(150, p), 150)).to_vec();
        max_min_difference(&groups, LEVEL).is_ok_and(|gap| gap.interval.contains(0.3))
    });
    at_least("max - min, three groups apart", apart, 0.95);
    let none = coverage(|draws| {
        let p: Vec<f64> = (0..10)
            .filter_map(|_| two_proportions(draws.binomial(80, 0.3), 80, draws.binomial(120, 0.3), 120).ok())
            .map(|test| test.p)
            .collect();
        holm(&p).iter().all(|p| *p >= 0.05)
    });
    at_least("Holm, ten true null hypotheses, none rejected", none, 0.95);
}

#[test]
fn figures_of_one_table_cover_at_their_level() {
    let shares = [0.30, 0.12, 0.08, 0.50];
    let table = |counts: [f64; 4]| {
        let [tp, fp, fn_, tn] = counts.map(|count| count.round() as u64);
        Confusion { tp, fp, fn_, tn }
    };
    let truth = table(shares.map(|share| share * 1e12));
    type OfTable = fn(Confusion) -> Result<Estimate, NotEstimable>;
    let figures: [(&str, OfTable); 5] = [
        ("F1", |table| table.f_beta(1.0, LEVEL)),
        ("Matthews", |table| table.matthews(LEVEL)),
        ("kappa", |table| table.kappa(LEVEL)),
        ("G-mean", |table| table.geometric_mean(LEVEL)),
        ("Theil", |table| table.theil(LEVEL)),
    ];
    for (name, figure) in figures {
        let expected = figure(truth).expect("defined").value;
        let found = coverage(|draws| {
            let mut counts = [0.0; 4];
            (0..600).for_each(|_| counts[draws.place(&shares)] += 1.0);
            figure(table(counts)).is_ok_and(|figure| holds(figure.interval, expected))
        });
        close(&format!("{name}, 600 events"), found, 0.95);
    }
}

#[test]
fn scores_cover_at_their_level() {
    // Twenty bins; positives rise, negatives fall.
    let shares = |weight: fn(f64) -> f64| {
        let weights: Vec<f64> = (0..20).map(|bin| weight(f64::from(bin))).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect::<Vec<f64>>()
    };
    let (positive, negative) = (shares(|bin| 1.0 + bin), shares(|bin| 30.0 - bin));
    let mut below = 0.0;
    let truth: f64 = positive
        .iter()
        .zip(&negative)
        .map(|(p, n)| {
            below += n;
            p * (below - n / 2.0)
        })
        .sum();
    let found = coverage(|draws| {
        let mut counts = [[0_u64; 20], [0; 20]];
        (0..150).for_each(|_| counts[0][draws.place(&positive)] += 1);
        (0..250).for_each(|_| counts[1][draws.place(&negative)] += 1);
        auc(&counts[0], &counts[1], LEVEL).is_ok_and(|auc| holds(auc.estimate.interval, truth))
    });
    close("AUC, 150 positives, 250 negatives", found, 0.95);
    let found = coverage(|draws| {
        let (mut positives, mut sum, mut squares) = (0, 0.0, 0.0);
        for _ in 0..300 {
            let score = 0.1 + 0.6 * draws.uniform();
            let label = u64::from(draws.uniform() < score);
            positives += label;
            sum += score;
            squares += (label as f64 - score).powi(2);
        }
        let large = calibration_in_the_large(300, positives, sum, squares / 300.0, LEVEL);
        large.is_ok_and(|large| holds(large.interval, 0.0))
    });
    close("calibration in the large, 300 events", found, 0.95);
}

#[test]
fn effects_over_sites_cover_at_their_level() {
    let found = coverage(|draws| {
        let strata: Vec<Stratum> = (0..8)
            .map(|site| {
                let p0 = 0.1 + 0.08 * f64::from(site);
                let (n1, n0) = (60 + 10 * u64::try_from(site).unwrap_or(0), 80);
                Stratum { x1: draws.binomial(n1, p0 + 0.05), n1, x0: draws.binomial(n0, p0), n0 }
            })
            .collect();
        mantel_haenszel(&strata, LEVEL).is_ok_and(|mh| holds(mh.risk_difference.interval, 0.05))
    });
    close("Mantel-Haenszel difference, eight sites", found, 0.95);
    // Between sites the effect varies, so that nothing but random effects can cover.
    let random = |of: fn(RandomEffects) -> Result<Interval, NotEstimable>| {
        coverage(|draws| {
            let effects: Vec<Effect> = (0..6)
                .map(|_| {
                    let variance = 0.0005 + 0.001 * draws.uniform();
                    let estimate = 0.1 + 0.05 * draws.normal() + variance.sqrt() * draws.normal();
                    Effect { estimate, variance }
                })
                .collect();
            meta_analysis(&effects, LEVEL).is_ok_and(|meta| meta.random.is_ok_and(|random| holds(of(random), 0.1)))
        })
    };
    close("Hartung-Knapp, six sites that differ", random(|random| random.hksj), 0.95);
    at_least("Hartung-Knapp modified, six sites that differ", random(|random| random.hksj_modified), 0.95);
}

#[test]
fn rates_of_people_who_come_back_cover_at_their_level() {
    // 150 people, each one to four times; a person's visits are alike with probability 0.6, else on their own.
    let of = |people: bool| {
        coverage(|draws| {
            let (mut count, mut total, mut pairs) = (0, 0, [0.0; 3]);
            for _ in 0..150 {
                let visits = 1 + draws.place(&[0.25; 4]) as u64;
                let own = match draws.uniform() < 0.6 {
                    true => f64::from(u8::from(draws.uniform() < 0.3)),
                    false => 0.3,
                };
                let counts = draws.binomial(visits, own);
                let (a, b) = (counts as f64, (visits - counts) as f64);
                (count, total) = (count + counts, total + visits);
                let own = [a * (a - 1.0), a * b, b * (b - 1.0)];
                (0..3).filter(|_| people).for_each(|at| pairs[at] += own[at]);
            }
            let rate = weighted_rate(WeightedSums { pairs, ..WeightedSums::of(1, count, total) });
            holds(rate.and_then(|rate| wilson_effective(rate, LEVEL)), 0.3)
        })
    };
    close("Wilson at the effective number, people who come back", of(true), 0.95);
    let found = of(false);
    println!("the same, taken for independent: {found:.4}");
    assert!(found < 0.9, "{found}");
}

/// A discrete Laplace number: the difference of two geometric ones.
fn laplace(draws: &mut Draws, scale: f64) -> f64 {
    let mut geometric = || (-(1.0 - draws.uniform()).ln() * scale).floor();
    geometric() - geometric()
}

/// So many events of which a share counts, with the noise of some releases on each of a + b cells.
fn with_noise(draws: &mut Draws, (n, p): (u64, f64), [a, b]: [u64; 2], (scale, releases): (f64, u64)) -> [NoisySum; 2] {
    let q = (-1.0 / scale).exp();
    let each = 2.0 * q / (1.0 - q).powi(2) * releases as f64;
    let x = draws.binomial(n, p);
    [(x, a), (n - x, b)].map(|(count, cells)| {
        let noise: f64 = (0..cells * releases).map(|_| laplace(draws, scale)).sum();
        NoisySum { value: count as f64 + noise, variance: each * cells as f64 }
    })
}

#[test]
fn intervals_of_noisy_counts_contain_the_noise() {
    // Selection has three cells on either side, a true positive rate one.
    for (events, cells, noise) in [
        ((400, 0.3), [3, 3], (6.0, 1)),
        ((400, 0.05), [1, 1], (6.0, 1)),
        ((2_000, 0.5), [3, 3], (12.0, 3)),
        ((150, 0.9), [2, 2], (3.0, 2)),
    ] {
        let found = coverage(|draws| {
            let [part, rest] = with_noise(draws, events, cells, noise);
            noisy_rate(part, rest, 10, LEVEL).is_ok_and(|rate| rate.interval.contains(events.1))
        });
        close(&format!("noise {noise:?} on {events:?}"), found, 0.95);
        // The test can fail: without the noise intervals are too narrow.
        let narrow = coverage(|draws| {
            let sums = with_noise(draws, events, cells, noise);
            let [part, rest] = sums.map(|sum| NoisySum { variance: 0.0, ..sum });
            noisy_rate(part, rest, 10, LEVEL).is_ok_and(|rate| rate.interval.contains(events.1))
        });
        assert!(narrow < found - 0.05, "{narrow} of {found}");
    }
    let found = coverage(|draws| {
        let rate = |draws: &mut Draws, events| {
            let [part, rest] = with_noise(draws, events, [3, 3], (6.0, 1));
            noisy_rate(part, rest, 10, LEVEL)
        };
        let (one, other) = (rate(draws, (300, 0.4)), rate(draws, (500, 0.25)));
        one.and_then(|one| other.map(|other| noisy_difference(one, other).1.contains(0.4 - 0.25))).unwrap_or(false)
    });
    close("the difference of two", found, 0.95);
}
