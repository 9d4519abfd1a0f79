//! Records that left come back for as long as they are needed, and those of the window only.

use super::*;
use std::collections::BTreeSet;

/// A site whose segments also hold labels of events of the segment before, changed.
fn relabelled() -> Site {
    let (home, mut journal) = new();
    for part in 0..3 {
        let new = (part * EVENTS..(part + 1) * EVENTS).map(event);
        let changed = (part.saturating_sub(1) * EVENTS..part * EVENTS).step_by(16).map(|n| {
            let row = event(n);
            let at = row.occurred_at.plus_ns((60 + part as i64) * HOUR_NS);
            EventRow { outcome: Some((n / 16 % 2, at)), ..row }
        });
        let rows: Vec<_> = new.chain(changed).collect();
        journal.record_events(&contract(), &rows, &mut rng(part as u8)).expect("written");
        if part < 2 {
            journal.seal(&mut rng(9)).expect("sealed");
        }
    }
    let retention = Retention { archive: "cold".to_owned(), ..Retention::default() };
    std::fs::create_dir(home.path().join("cold")).expect("made");
    Site { home, journal, retention }
}

fn window(days: std::ops::Range<i64>) -> Window {
    Window { start: Time(days.start * names::DAY_NS), end: Time(days.end * names::DAY_NS) }
}

/// All that a window can be computed from: positions and records of its predictions, and of their outcomes.
fn seen(journal: &mut Journal, window: Window) -> Result<Vec<String>, Fault> {
    let (mut found, mut positions) = (Vec::new(), Vec::new());
    let size = journal.size(PREDICTIONS)?;
    journal.predictions_in(&contract(), window, size, |position, seen| {
        if let crate::journal::Seen::Prediction(of) = seen {
            positions.push(position);
            found.push(format!("{position} {of:?}"));
        }
        Ok(())
    })?;
    let Some((first, last)) = positions.first().zip(positions.last()) else { return Ok(found) };
    let range = *first..last + 1;
    let size = journal.size("outcomes/admission/1")?;
    journal.outcomes_for(&contract(), range, size, Time(i64::MAX), |position, of| {
        found.push(format!("{position} {of:?}"));
        Ok(())
    })?;
    Ok(found)
}

impl Site {
    /// Puts back what a window needs; which segments.
    fn thaw(&mut self, window: Window) -> Result<BTreeSet<u32>, Fault> {
        let needed = self.journal.gone_for(&contract(), window, &BTreeSet::new())?;
        let acts = Acts::read(&mut self.journal)?;
        let (cold, scratch) = (self.home.path().join("cold"), self.home.path().join("scratch"));
        create_dir_private(&scratch)?;
        for number in &needed {
            self.journal.thaw(*number, &scratch.join(number.to_string()), |segment, put| {
                segment.logs.iter().filter(|log| log.name != LEDGER).try_for_each(|log| {
                    let take = &mut |position, bytes: &[u8]| put(log.id, position, bytes);
                    check::check_log(&cold, (segment, log), &acts.archived[number], None, take)
                })
            })?;
        }
        Ok(needed)
    }
}

#[test]
fn a_window_reads_the_same_from_the_archive() {
    let mut site = relabelled();
    let windows = [0..1, 2..4, 0..10, 7..9, 20..21].map(window);
    let before = windows.map(|window| seen(&mut site.journal, window).expect("read"));
    assert!(before[..4].iter().all(|of| of.len() > 900) && before[4].is_empty());
    assert_eq!(site.run(days(31)).expect("archived").deleted, [1, 2]);
    // Labels of day 0 lie in segments 1 and 2, those of days 7 and 8 in none that left.
    let needed = [vec![1, 2], vec![1, 2], vec![1, 2], vec![], vec![]];
    for ((window, before), needed) in windows.into_iter().zip(&before).zip(needed) {
        assert_eq!(seen(&mut site.journal, window).is_ok(), needed.is_empty());
        let thawed = site.thaw(window).expect("thawed");
        assert_eq!(thawed.iter().copied().collect::<Vec<_>>(), needed);
        assert_eq!(seen(&mut site.journal, window).as_ref(), Ok(before));
        for number in thawed {
            site.journal.freeze(number).expect("frozen");
            std::fs::remove_file(site.home.path().join(format!("scratch/{number}"))).expect("removed");
        }
        assert_eq!(seen(&mut site.journal, window).is_ok(), before.is_empty() || window.start.0 >= 7 * names::DAY_NS);
    }
    assert!(site.journal.verify().is_ok());
}

#[test]
fn nothing_is_read_of_a_segment_with_one_wrong_record() {
    let mut site = relabelled();
    site.run(days(31)).expect("archived");
    let name = "outcomes/model=admission/date=1970-01-04/segment-000001-v1.parquet";
    let path = site.home.path().join("cold").join(name);
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    replace(&path, &bytes);
    let fault = site.thaw(window(0..1)).expect_err("found");
    assert!(fault.what.contains(name), "{fault}");
    seen(&mut site.journal, window(0..1)).expect_err("still gone");
}
