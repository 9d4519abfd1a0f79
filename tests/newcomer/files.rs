//! Files as newcomers have them, made from a fixed seed.

use fedaudit_core::time::{SECOND_NS, Time};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// One decision.
pub struct Row {
    pub number: u64,
    pub at: Time,
    pub sex: &'static str,
    pub age_group: &'static str,
    /// In thousandths.
    pub score: u32,
    pub approved: bool,
    pub repaid: bool,
}

/// The decisions of a site, one in ten minutes from the first of March 2025 on.
pub fn rows(site: u64) -> impl Iterator<Item = Row> {
    let mut rng = StdRng::seed_from_u64(site);
    let first = Time::parse("2025-03-01T08:00:00Z").expect("a time");
    (0_i64..).map(move |n| {
        let mut below = |bound: u32| rng.next_u32() % bound;
        let female = below(100) < 30 + 10 * site as u32;
        let age_group = ["18-29", "30-49", "50+"][below(3) as usize];
        let score = below(900) + if female { 0 } else { 100 };
        let repaid = below(1_000) < 300 + score / 2;
        Row {
            number: site * 1_000_000 + n as u64,
            at: first.plus_ns(n * 600 * SECOND_NS),
            sex: if female { "female" } else { "male" },
            age_group,
            score,
            approved: score > 450,
            repaid,
        }
    })
}

impl Row {
    /// As the README's example has it: names that a contract does not use, and nothing about the model.
    pub fn plain(&self) -> String {
        let Row { number, at, sex, age_group, score, approved, repaid } = self;
        let (approved, repaid) = (yes(*approved), yes(*repaid));
        format!("{number},{at},{sex},{age_group},0.{score:03},{approved},{repaid}")
    }

    /// With the names of a contract, and all of its columns.
    pub fn whole(&self) -> String {
        let Row { number, at, sex, age_group, score, approved, repaid } = self;
        let (approved, repaid) = (u8::from(*approved), u8::from(*repaid));
        format!("{number},{at},loans,v1,0.{score:03},{approved},{repaid},{},{sex},{age_group}", at.plus_ns(LATER_NS))
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Writes a file of `count` rows of a site, line by line.
pub fn write(path: &Path, header: &str, site: u64, count: usize, line: impl Fn(&Row) -> String) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    let mut file = BufWriter::new(std::fs::File::create(path).expect("creates"));
    writeln!(file, "{header}").expect("writes");
    for row in rows(site).take(count) {
        writeln!(file, "{}", line(&row)).expect("writes");
    }
    file.flush().expect("writes");
}

/// The README's example: three branches of a lender.
pub fn branches(folder: &Path) {
    for (site, name) in (1..).zip(["north", "south", "west"]) {
        write(&folder.join(name).with_extension("csv"), PLAIN, site, 600, Row::plain);
    }
}

pub const PLAIN: &str = "id,timestamp,sex,age_group,probability,approved,outcome";
pub const WHOLE: &str = "event_id,occurred_at,model_id,model_version,score,decision,label,labelled_at,sex,age_group";
/// How much later a label is known.
pub const LATER_NS: i64 = 30 * 86_400 * SECOND_NS;
