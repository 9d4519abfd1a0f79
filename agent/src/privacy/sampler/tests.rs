use super::*;

fn noise(mechanism: Mechanism, numerator: u64, denominator: u64) -> Noise {
    Noise { mechanism, scale: Scale { numerator, denominator }, events_per_subject: 1 }
}

/// Weight of an integer, up to a factor.
fn weight(noise: &Noise, x: i64) -> f64 {
    let (scale, x) = (noise.scale.value(), x as f64);
    match noise.mechanism {
        Mechanism::DiscreteLaplace => (-x.abs() / scale).exp(),
        Mechanism::DiscreteGaussian => (-x * x / (2.0 * scale * scale)).exp(),
    }
}

/// Chi-square of the samples against the exact probabilities, and its degrees of freedom: integers of which ten or more are
/// expected are cells of their own, those beyond are one at each end.
fn chi_square(noise: &Noise, samples: &[i64]) -> (f64, f64) {
    let far = (noise.scale.value() * 60.0) as i64 + 10;
    let all: f64 = (-far..=far).map(|x| weight(noise, x)).sum();
    let expected = |x: i64| samples.len() as f64 * weight(noise, x) / all;
    let last = (0..far).take_while(|x| expected(*x) >= 10.0).last().expect("many samples");
    let seen = |keep: &dyn Fn(i64) -> bool| samples.iter().filter(|x| keep(**x)).count() as f64;
    let mut cells: Vec<(f64, f64)> = (-last..=last).map(|x| (seen(&|y| x == y), expected(x))).collect();
    let tail: f64 = (last + 1..=far).map(expected).sum();
    cells.extend([(seen(&|y| y > last), tail), (seen(&|y| y < -last), tail)]);
    (cells.iter().map(|(n, e)| (n - e) * (n - e) / e).sum(), cells.len() as f64 - 1.0)
}

#[test]
fn samples_follow_the_exact_probabilities() {
    let cases = [
        noise(Mechanism::DiscreteLaplace, 1, 2),
        noise(Mechanism::DiscreteLaplace, 4, 1),
        noise(Mechanism::DiscreteLaplace, 40, 3),
        noise(Mechanism::DiscreteGaussian, 1, 2),
        noise(Mechanism::DiscreteGaussian, 3, 1),
        noise(Mechanism::DiscreteGaussian, 8_489, 1_000),
    ];
    for (at, noise) in (0..).zip(&cases) {
        let samples = draw(noise, 20_000, Stream::new([at; 32])).expect("samples");
        let (statistic, degrees) = chi_square(noise, &samples);
        // Wilson and Hilferty: the upper 0.01 % of chi-square.
        let limit = degrees * (1.0 - 2.0 / (9.0 * degrees) + 3.719 * (2.0 / (9.0 * degrees)).sqrt()).powi(3);
        assert!(statistic < limit, "{noise:?}: {statistic} of {limit}");
        // The test can fail: other noise does not pass as this.
        let Scale { numerator, denominator } = noise.scale;
        let other = Noise { scale: Scale { numerator: numerator * 11, denominator: denominator * 10 }, ..*noise };
        assert!(chi_square(&other, &samples).0 > limit, "{noise:?}");
        // The variance that reports count with.
        let mean_square = samples.iter().map(|x| (x * x) as f64).sum::<f64>() / samples.len() as f64;
        if noise.mechanism == Mechanism::DiscreteLaplace || noise.scale.value() >= 1.0 {
            assert!((mean_square / noise.variance() - 1.0).abs() < 0.06, "{noise:?}: {mean_square}");
        }
    }
}

#[test]
fn the_same_bytes_give_the_same_noise() {
    let laplace = noise(Mechanism::DiscreteLaplace, 12, 1);
    let first = |noise: &Noise| draw(noise, 8, Stream::new([7; 32])).expect("samples");
    // What this program drew when it was written: another version that draws otherwise would release twice.
    assert_eq!(first(&laplace), [3, -26, 9, 6, -3, 10, -6, -18]);
    assert_eq!(first(&noise(Mechanism::DiscreteGaussian, 8_489, 1_000)), [3, 9, 3, -4, 1, -3, -4, -1]);
}
