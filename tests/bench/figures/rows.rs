//! Rows of a fixed seed, and the contracts and plans over them.

use fedaudit_core::aggregate::{Aggregate, Truth};
use fedaudit_core::contract::Contract;
use fedaudit_core::event::{Prediction, SCORE_ONE, Tier};
use fedaudit_core::plan::Plan;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Two attributes, ten groups.
pub const CONTRACT: &str = r#"
contract = "risk"
version = 1
title = "A risk score"
task = "binary"
model = "risk"
[decision]
values = ["0", "1"]
favourable = "0"
[label]
values = ["0", "1"]
positive = "1"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "sex"
categories = ["female", "male"]
[[attribute]]
name = "age"
categories = ["18-29", "30-44", "45-59", "60-74", "75+"]
"#;

/// Their intersection.
pub const PLAN: &str = r#"
plan = "risk"
version = 1
title = "A plan"
contract = "risk"
model_versions = ["v1"]
required_sites = ["site-0000"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-02-01T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 10
[[slice]]
attributes = ["sex", "age"]
reference = ["male", "45-59"]
"#;

/// One attribute of eight categories; with `other` and `unknown` there are ten groups.
pub const GROUPS_CONTRACT: &str = r#"
contract = "risk"
version = 1
title = "A risk score"
task = "binary"
model = "risk"
[decision]
values = ["0", "1"]
favourable = "0"
[label]
values = ["0", "1"]
positive = "1"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "region"
categories = ["a", "b", "c", "d", "e", "f", "g", "h"]
"#;

/// A plan without slices, and one with the slice of ten groups.
pub const BY_GROUP: (&str, &str) = (
    r#"
plan = "risk"
version = 1
title = "A plan"
contract = "risk"
model_versions = ["v1"]
required_sites = ["site-0000"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-02-01T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 1
"#,
    r#"
plan = "risk"
version = 1
title = "A plan"
contract = "risk"
model_versions = ["v1"]
required_sites = ["site-0000"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2026-02-01T00:00:00Z"
release_after_hours = 24
[disclosure]
k = 1
[[slice]]
attributes = ["region"]
reference = ["a"]
"#,
);

/// Score, decision, label.
fn draw(rng: &mut StdRng) -> (f64, bool, bool) {
    let score = rng.random::<f64>() * rng.random::<f64>();
    (score, score > 0.3, rng.random::<f64>() < score)
}

/// Writes rows as CSV.
pub fn write(path: &Path, rows: usize) {
    let mut rng = StdRng::seed_from_u64(2026);
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).expect("a file"));
    out.write_all(b"event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,sex,age\n")
        .expect("written");
    for n in 0..rows {
        let (score, decision, label) = draw(&mut rng);
        let (sex, age) = (["female", "male"][rng.random_range(0..2)], AGES[rng.random_range(0..5)]);
        let (day, decision, label) = (1 + n % 28, u8::from(decision), u8::from(label));
        writeln!(
            out,
            "e{n},2026-01-{day:02}T08:00:00Z,risk,v1,{score:.9},{decision},{label},2026-01-{:02}T09:00:00Z,{sex},{age}",
            day + 1
        )
        .expect("written");
    }
    out.flush().expect("written");
}

/// Events of ten groups, as a site would count them.
pub fn drawn(plan: &Plan, contract: &Contract, events: usize) -> Aggregate {
    let mut rng = StdRng::seed_from_u64(10);
    let window = plan.all_windows()[0];
    let mut aggregate = Aggregate::empty(plan, contract).expect("fits");
    for _ in 0..events {
        let (score, decision, label) = draw(&mut rng);
        let event = Prediction {
            occurred_at: window.start,
            decision: u8::from(decision),
            score_q: Some((score * SCORE_ONE as f64) as u64),
            attributes: vec![rng.random_range(0..10_u16)],
            ..Prediction::default()
        };
        aggregate.describe(&event).expect("inside the contract");
        aggregate.delay(event.occurred_at, event.occurred_at);
        aggregate.add((0, Tier::Full), &event, Some(Truth::new(u64::from(label)))).expect("inside the contract");
    }
    aggregate
}

const AGES: [&str; 5] = ["18-29", "30-44", "45-59", "60-74", "75+"];
