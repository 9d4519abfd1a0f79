//! Events such as a lender's serving system would hand over.

use fedaudit_core::time::Time;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// What they look like.
pub const CONTRACT: &str = r#"
contract = "loans"
version = 1
title = "Loans"
task = "binary"
model = "scorecard"
[decision]
values = ["declined", "approved"]
favourable = "approved"
[label]
values = ["defaulted", "repaid"]
positive = "repaid"
[score]
min = 0.0
max = 1.0
[[attribute]]
name = "sex"
categories = ["female", "male"]
[[attribute]]
name = "age_group"
categories = ["18-29", "30-44", "45-59", "60+"]
[[feature]]
name = "income"
type = "number"
min = 0.0
max = 1000000.0
edges = [10000.0, 20000.0, 40000.0, 80000.0]
[[feature]]
name = "debt_ratio"
type = "number"
min = 0.0
max = 5.0
edges = [0.2, 0.4, 0.8]
[[feature]]
name = "employment"
type = "category"
categories = ["employee", "self-employed", "retired", "student", "none"]
[[feature]]
name = "dependants"
type = "integer"
min = 0
max = 20
edges = [1, 2, 4]
missing = true
[[feature]]
name = "owner"
type = "boolean"
"#;

/// What is asked of them.
pub const PLAN: &str = r#"
plan = "loans"
version = 1
title = "Are women and men, young and old, treated alike?"
contract = "loans"
model_versions = ["2026.1", "2026.2"]
required_sites = ["a"]
[windows]
start = "2026-01-01T00:00:00Z"
end = "2030-01-01T00:00:00Z"
every = "day"
release_after_hours = 2400
[disclosure]
k = 10
[[slice]]
attributes = ["sex"]
reference = ["male"]
[[slice]]
attributes = ["age_group"]
reference = ["30-44"]
[[slice]]
attributes = ["sex", "age_group"]
reference = ["male", "30-44"]
"#;

/// Each window of events is a day.
pub const WINDOW_NS: i64 = 24 * 3_600_000_000_000;

/// Writes `count` events, the first with number `from`; bytes written. As many make a day.
pub fn write_lines(path: &Path, from: u64, count: u64) -> u64 {
    write(path, (from..from + count).map(|n| line(n, count)))
}

/// Writes lines to a new file; how many bytes.
pub fn write(path: &Path, lines: impl Iterator<Item = String>) -> u64 {
    let file = std::fs::File::create(path).expect("a file");
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = 0;
    for line in lines {
        bytes += line.len() as u64;
        out.write_all(line.as_bytes()).expect("written");
    }
    out.flush().expect("written");
    bytes
}

/// Event `n`, where `day` of them make a day.
pub fn line(n: u64, day: u64) -> String {
    // Numbers that look random and are the same every time.
    let mix = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n >> 7).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let pick = |shift: u32, of: u64| (mix >> shift) % of;
    let start = Time::parse("2026-01-01T00:00:00Z").expect("a time");
    let at = start.plus_ns((i128::from(n) * i128::from(WINDOW_NS) / i128::from(day)) as i64);
    let score = pick(3, 10_000) as f64 / 10_000.0;
    let decision = if score >= 0.4 { "approved" } else { "declined" };
    let (sex, age) =
        (["female", "male"][pick(17, 2) as usize], ["18-29", "30-44", "45-59", "60+"][pick(21, 4) as usize]);
    let label = if pick(29, 5) == 0 {
        String::new()
    } else {
        let label = if pick(31, 10_000) as f64 / 10_000.0 < score { "repaid" } else { "defaulted" };
        format!(",\"label\":\"{label}\",\"labelled_at\":\"{}\"", at.plus_ns(3_600_000_000_000))
    };
    let employment = ["employee", "self-employed", "retired", "student", "none"][pick(37, 5) as usize];
    format!(
        "{{\"contract\":\"loans\",\"event_id\":\"{:08x}-{:04x}-7{:03x}-8{:03x}-{:012x}\",\"occurred_at\":\"{at}\",\
         \"model_version\":\"2026.{}\",\"model_digest\":\"{}\",\"dataset_digest\":\"{}\",\"caller\":\"branch-{:03}\",\"risk_tier\":\"{}\",\
         \"decision\":\"{decision}\",\"score\":{score},\"threshold\":0.4,\
         \"attributes\":{{\"sex\":\"{sex}\",\"age_group\":\"{age}\"}},\
         \"features\":{{\"income\":{}.{:02},\"debt_ratio\":{:.4},\"employment\":\"{employment}\",\"dependants\":{},\"owner\":{}}},\
         \"subject\":\"customer-{:012}\",\"explanation\":\"s3://explanations/loans/2026/{:016x}.json\",\
         \"latency_ms\":{}.{},\"cost\":0.0004{label}}}\n",
        n >> 32,
        (n >> 16) & 0xffff,
        n & 0xfff,
        pick(40, 4_096),
        mix & 0xffff_ffff_ffff,
        1 + pick(43, 2),
        "3f5a9c1e7b2d4860a1c3e5f7092b4d6f8091a2b3c4d5e6f708192a3b4c5d6e7f",
        "c0ffee1e7b2d4860a1c3e5f7092b4d6f8091a2b3c4d5e6f708192a3b4c5dbeef",
        pick(45, 400),
        ["low", "high"][pick(47, 2) as usize],
        pick(5, 120_000),
        pick(11, 100),
        pick(13, 20_000) as f64 / 10_000.0,
        pick(19, 6),
        pick(23, 2) == 0,
        n / 3,
        mix,
        2 + pick(25, 30),
        pick(27, 10),
    )
}
