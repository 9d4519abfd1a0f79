//! Berkeley graduate admissions, autumn 1973: Bickel, Hammel and O'Connell, Science 187 (1975), 398-404; the 24 counts of
//! the six largest departments as R's `UCBAdmissions` prints them. Rows are made from the counts; times are invented.

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::time::{SECOND_NS, Time};
use std::fmt::Write as _;
use std::path::Path;

const CONTRACT: &str = include_str!("../ucb-admissions/contract.toml");
const PLAN: &str = include_str!("../ucb-admissions/plan.toml");
const COUNTS: &str = include_str!("../ucb-admissions/counts.csv");

/// First invented application, and the time between two: the 4,526 of them end before the plan's window does.
const FIRST: &str = "1973-01-02T08:00:00Z";
const BETWEEN_NS: i64 = 3_400 * SECOND_NS;

/// Writes the data set as a folder that `federation DATASET` reads: contract, plan, a CSV file a department.
///
/// # Errors
/// A folder that cannot be written.
pub fn write(folder: &Path) -> Result<(), Fault> {
    let failed =
        |e: std::io::Error| Fault::new(Blame::Operator, format!("{}: {e}", folder.display()), "name another --out");
    std::fs::create_dir_all(folder.join("sites")).map_err(failed)?;
    std::fs::write(folder.join("contract.toml"), CONTRACT).map_err(failed)?;
    std::fs::write(folder.join("plan.toml"), PLAN).map_err(failed)?;
    for (department, csv) in departments()? {
        std::fs::write(folder.join(format!("sites/dept-{department}.csv")), csv).map_err(failed)?;
    }
    Ok(())
}

/// A CSV text for each department.
fn departments() -> Result<Vec<(String, String)>, Fault> {
    let bad = |line: &str| Fault::new(Blame::Input, format!("counts.csv: {line}"), "restore the file");
    let first = Time::parse(FIRST).map_err(|e| bad(&e))?;
    let mut files: Vec<(String, String)> = Vec::new();
    let mut number = 0;
    for line in COUNTS.lines().skip(1) {
        let [department, gender, admitted, rejected] = line.split(',').collect::<Vec<_>>()[..] else {
            return Err(bad(line));
        };
        if files.last().is_none_or(|(last, _)| last != department) {
            files.push((department.to_owned(), HEADER.to_owned()));
        }
        let Some((_, csv)) = files.last_mut() else { return Err(bad(line)) };
        for (decision, count) in [(1, admitted), (0, rejected)] {
            for _ in 0..count.parse::<u32>().map_err(|_| bad(line))? {
                let at = first.plus_ns(BETWEEN_NS * number);
                number += 1;
                // Writing to a string cannot fail.
                let _ = writeln!(csv, "ucb-{number:04},{at},ucb-graduate-admission,fall-1973,{decision},{gender}");
            }
        }
    }
    Ok(files)
}

const HEADER: &str = "event_id,occurred_at,model_id,model_version,decision,gender\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_the_counts() {
        let files = departments().expect("well-formed");
        let rows: Vec<_> = files.iter().flat_map(|(_, csv)| csv.lines().skip(1)).collect();
        assert_eq!((files.len(), rows.len()), (6, 4_526));
        let count = |end: &str| rows.iter().filter(|row| row.ends_with(end)).count();
        // Science 187, table 1 has all departments; these are the six of UCBAdmissions.
        assert_eq!(
            (count(",1,Male"), count(",0,Male"), count(",1,Female"), count(",0,Female")),
            (1_198, 1_493, 557, 1_278)
        );
        assert!(rows.last().expect("rows").contains("1973-06-2"), "the last lies inside the window");
    }
}
