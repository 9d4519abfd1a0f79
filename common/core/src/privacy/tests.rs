use super::*;
use crate::ids::{Digest, hex};
use crate::plan::tests::{ADMISSIONS, plan};
use crate::time::{Time, Window};

fn private(table: &str) -> Result<crate::plan::Plan, String> {
    let source = ADMISSIONS.replacen("k = 5\n", &format!("k = 5\n\n[disclosure.privacy]\n{table}"), 1);
    crate::plan::from_toml(&source, |_| Some(Digest([7; 32])))
}

const LAPLACE: &str = "mechanism = \"discrete_laplace\"\nepsilon = \"0.5\"\nevents_per_subject = 2\n";
const GAUSSIAN: &str =
    "mechanism = \"discrete_gaussian\"\nepsilon = \"1\"\ndelta = \"0.00001\"\nevents_per_subject = 1\n";

#[test]
fn noise_follows_from_the_plan() {
    assert_eq!(Noise::of(&plan()), None);
    // Three slices, two events a subject: L1 = 6, by half.
    let laplace = Noise::of(&private(LAPLACE).expect("valid")).expect("noise");
    assert_eq!(laplace.scale, Scale { numerator: 12, denominator: 1 });
    // 2 q / (1 - q)^2 with q = exp(-1 / 12), by Python's decimal.
    assert!((laplace.variance() - 287.833_391_187_760).abs() < 1e-6, "{}", laplace.variance());
    // rho = (sqrt(1 + ln 1e5) - sqrt(ln 1e5))^2 = 0.020818..., sigma = sqrt(3 / (2 rho)) = 8.48801..., by Python.
    let gaussian = Noise::of(&private(GAUSSIAN).expect("valid")).expect("noise");
    assert_eq!(gaussian.scale.value(), 8.489);
    let Some(Cost::Concentrated(rho)) = cost(&private(GAUSSIAN).expect("valid")) else { panic!("concentrated") };
    let own = composed(&[Cost::Concentrated(rho)], Fraction::parse("0.00001").expect("a decimal")).expect("a bound");
    assert!(own.value() <= 1.0 && own.value() > 0.999, "{own}");
}

#[test]
fn a_plan_that_asks_for_what_cannot_be_is_told_what_can() {
    let cases = [
        (LAPLACE.replace("0.5", "0"), "0.001 to 100"),
        (LAPLACE.replace("0.5", "0.0000005"), "0.001 to 100"),
        (LAPLACE.replace("\"0.5\"", "0.5"), "expected a string"),
        (LAPLACE.replace("subject = 2", "subject = 0"), "`disclosure.privacy.events_per_subject` is 0; 1 to 100"),
        (format!("{LAPLACE}delta = \"0.1\"\n"), "leave it out"),
        (GAUSSIAN.replace("delta = \"0.00001\"\n", ""), "`disclosure.privacy.delta` is missing"),
        (GAUSSIAN.replace("\"0.00001\"", "\"0.1\""), "above 0, up to 0.01"),
        (format!("{LAPLACE}sigma = 3\n"), "unknown field `sigma`"),
    ];
    for (table, expected) in cases {
        let error = private(&table).expect_err(&table);
        assert!(error.contains(expected), "{table}: {error}");
    }
}

#[test]
fn costs_compose() {
    let of = |text: &str| Fraction::parse(text).expect("a decimal");
    let pure = Cost::Pure(of("0.1"));
    let none = Fraction::default();
    assert_eq!(composed(&[], none), Some(none));
    assert_eq!(composed(&[pure; 3], none), Some(of("0.3")), "exactly");
    assert_eq!(composed(&[Cost::Concentrated(of("0.02"))], none), None, "no delta, no bound");
    // Few pure releases: their sum is better. A thousand: rho = 5, and 5 + 2 sqrt(5 ln 1e6) = 21.62..., not 100.
    let delta = of("0.000001");
    assert_eq!(composed(&[pure; 3], delta), Some(of("0.3")));
    let many = composed(&[pure; 1_000], delta).expect("a bound").value();
    assert!((many - (5.0 + 2.0 * (5.0 * 1e6_f64.ln()).sqrt())).abs() < 1e-9, "{many}");
    // One pure beside Gaussian ones: 0.1 + (0.5 + 2 sqrt(0.5 ln 1e6)) = 5.856..., while rho 0.505 gives 5.787...
    let mixed = composed(&[pure, Cost::Concentrated(of("0.25")), Cost::Concentrated(of("0.25"))], delta);
    let expected = 0.505 + 2.0 * (0.505 * 1e6_f64.ln()).sqrt();
    assert!((mixed.expect("a bound").value() - expected).abs() < 1e-9);
}

#[test]
fn the_stream_is_what_its_definition_says() {
    let window = Window { start: Time(3_600_000_000_000), end: Time(7_200_000_000_000) };
    let seed = seed(&[1; 32], &Digest([2; 32]), &Digest([3; 32]), &window);
    // By Python's hmac and hashlib.
    assert_eq!(hex(&seed), SEED);
    assert_eq!(key_id(&[1; 32]).to_string(), KEY_ID);
    let (mut stream, mut bytes) = (Stream::new(seed), [0; 40]);
    stream.fill(&mut bytes[..7]);
    stream.fill(&mut bytes[7..]);
    assert_eq!(hex(&bytes), BYTES);
}

const SEED: &str = "ca239494f3ecbdea1031232cec901f10e02c45bded06c323ccf4f3c5887ad0ef";
const KEY_ID: &str = "00f85c81b5072a278c3a671f0720e914c9408ae7e9d960866caab7a0a8469406";
const BYTES: &str = "bd94713a384be40fcd63a4ea5b0e43ddbc9acfb9f5671135e187234fe8c86544ba0421a647a90dda";
