//! What disclosure control costs: `cargo bench --bench disclosure`.
//!
//! Three slices of 208 groups together (10, 18 and 10 x 18), 1,280 bins, k = 10; from few events, where nearly all is hidden,
//! to many, where nearly nothing is.

#![forbid(unsafe_code)]

use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::disclosure::{Block, disclose};
use fedaudit_core::event::{Prediction, SCORE_ONE, Tier};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::{contract, plan};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Instant;

const CODES: [u16; 2] = [10, 18];

fn main() {
    println!("{:>9} events  full  totals  n  hidden groups", "");
    for events in [300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000] {
        one(events);
    }
}

fn one(events: usize) {
    let contract = contract::from_toml(&contract_text()).expect("a contract");
    let plan = plan::from_toml(PLAN, |_| Some(Digest([0; 32]))).expect("a plan");
    let mut aggregate = Aggregate::empty(&plan, &contract).expect("fits");
    let mut rng = StdRng::seed_from_u64(8);
    for _ in 0..events {
        // The later of a few categories are rarer.
        let code = |rng: &mut StdRng, codes: u16| rng.random_range(0..codes).min(rng.random_range(0..codes));
        let attributes = CODES.iter().map(|codes| code(&mut rng, *codes)).collect();
        let score: f64 = rng.random::<f64>() * rng.random::<f64>();
        let event = Prediction {
            decision: u8::from(score > 0.3),
            score_q: Some((score * SCORE_ONE as f64) as u64),
            attributes,
            ..Prediction::default()
        };
        let truth = Truth::new(u64::from(rng.random::<f64>() < score));
        aggregate.add((0, Tier::Full), &event, Some(truth)).expect("inside the contract");
    }
    let site = Name::new("s").expect("a name");
    let clock = Instant::now();
    let made =
        disclose(&aggregate, &plan, &contract, Digest([0; 32]), &site, plan.all_windows()[0]).expect("a release");
    let time = clock.elapsed();
    let mut rungs = [0; 4];
    for group in made.release.strata[0].slices.iter().flat_map(|slice| &slice.groups) {
        let rung = match group.counts {
            Block::Full(_) => 0,
            Block::Margins(_) => 1,
            Block::N(_) => 2,
            Block::Folded(_) | Block::Withheld | Block::Noisy(_) => 3,
        };
        rungs[rung] += 1;
    }
    println!("{events:>9} events {rungs:>4?} {:>9.3} s", time.as_secs_f64());
}

fn contract_text() -> String {
    let mut text = "contract = \"t\"\nversion = 1\ntitle = \"t\"\ntask = \"binary\"\nmodel = \"t\"\n[decision]\nvalues = [\"0\", \"1\"]\n\
        favourable = \"1\"\n[label]\nvalues = [\"0\", \"1\"]\npositive = \"1\"\n[score]\nmin = 0.0\nmax = 1.0\n"
        .to_owned();
    for (name, codes) in ["a", "b"].iter().zip(CODES) {
        let categories: Vec<String> = (0..codes - 2).map(|code| code.to_string()).collect();
        text += &format!("[[attribute]]\nname = \"{name}\"\ncategories = {categories:?}\n");
    }
    text
}

const PLAN: &str = r#"
plan = "t"
version = 1
title = "t"
contract = "t"
model_versions = ["v"]
required_sites = ["s"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-02-01T00:00:00Z"
release_after_hours = 0
[disclosure]
k = 10
[[slice]]
attributes = ["a"]
reference = ["0"]
[[slice]]
attributes = ["b"]
reference = ["0"]
[[slice]]
attributes = ["a", "b"]
reference = ["0", "0"]
"#;
