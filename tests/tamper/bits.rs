//! One bit, anywhere in the evidence.

use crate::figures::SCORED;
use crate::{AMENDED, EVIDENCE};
use fedaudit_tests::evidence::{Evidence, evidence_files};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// The checks that may be the first to notice a change in `path`.
fn checks_of(path: &str) -> &'static [&'static str] {
    match path.split('/').take(2).collect::<Vec<_>>()[..] {
        ["report.json" | "report.html"] => &["report-signature"],
        // Some bits of base64 and JSON change nothing but the bytes; the log holds the exact ones.
        ["report.dsse.json"] => &["report-signature", "report-logged"],
        [_, "artifacts"] => &["artifact"],
        ["registry", "checkpoint" | "policy"] => &["registry-checkpoint"],
        ["plan", "checkpoint" | "policy"] => &["plan-checkpoint"],
        ["registry", "entries"] => &["registry-log"],
        ["plan", "entries"] => &["plan-log"],
        _ => &[],
    }
}

/// Flips one bit of one file of the evidence; what does not happen as it should, in words.
fn flipped(evidence: &Evidence, file: usize, bit: usize) -> Option<String> {
    let mut path = String::new();
    let mut where_ = 0;
    let verdict = evidence.altered(|bundle| {
        let mut files = evidence_files(bundle);
        let nth = file % files.len();
        let (name, bytes) = &mut files[nth];
        where_ = bit % (bytes.len() * 8);
        bytes[where_ / 8] ^= 1 << (where_ % 8);
        path.clone_from(name);
    });
    let first = verdict.first().map_or("nothing", |check| check.check.as_str());
    let noticed = (1..=3).contains(&verdict.code) && checks_of(&path).contains(&first);
    (!noticed).then(|| format!("{path}, bit {where_}: exit code {}, noticed by {first}", verdict.code))
}

#[test]
fn a_flipped_bit_anywhere_in_the_evidence_is_noticed() {
    let mut rng = StdRng::seed_from_u64(19_730_901);
    let mut next = || rng.next_u32() as usize;
    let mut flips: Vec<(&'static Evidence, usize, usize)> = Vec::new();
    for evidence in [&*EVIDENCE, &*AMENDED, &*SCORED] {
        let files = evidence_files(&mut evidence.bundle()).len();
        // Each file once, and then any.
        for nth in 0..200.max(files) {
            let (any, bit) = (next(), next());
            flips.push((evidence, if nth < files { nth } else { any }, bit));
        }
    }
    let unseen: Vec<String> = std::thread::scope(|scope| {
        let work = |part: &'static [(&'static Evidence, usize, usize)]| {
            scope.spawn(move || part.iter().filter_map(|(of, file, bit)| flipped(of, *file, *bit)).collect::<Vec<_>>())
        };
        let flips: &'static [_] = flips.leak();
        let halves = flips.split_at(flips.len() / 2);
        [work(halves.0), work(halves.1)].into_iter().flat_map(|half| half.join().expect("a verdict")).collect()
    });
    assert!(unseen.is_empty(), "{} flips:\n{}", unseen.len(), unseen.join("\n"));
}
