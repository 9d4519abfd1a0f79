//! What totals, sums over groups and sums of parts leave possible for tables of which only some numbers are known: ranges of whole
//! numbers that hold every table there can be.
//!
//! Ranges are narrowed by sums until nothing changes: a sum lies between the sums of its parts' ends, a part between what the
//! others' ends leave of the sum. For totals of one table these are Fréchet's bounds.

/// A whole number that is not known, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least that it can be.
    pub least: u64,
    /// The greatest.
    pub most: u64,
}

impl Range {
    /// Nothing is known.
    pub const ANY: Range = Range { least: 0, most: u64::MAX };

    /// A known number.
    pub fn exactly(number: u64) -> Range {
        Range { least: number, most: number }
    }

    /// Of a sum of two.
    pub fn plus(self, other: Range) -> Range {
        Range { least: self.least.saturating_add(other.least), most: self.most.saturating_add(other.most) }
    }

    /// How far its ends are apart.
    pub fn width(self) -> u64 {
        self.most.saturating_sub(self.least)
    }

    fn narrow(&mut self, to: Range) {
        self.least = self.least.max(to.least);
        self.most = self.most.min(to.most);
    }

    fn less(self, other: Range) -> Range {
        let most = if self.most == u64::MAX { u64::MAX } else { self.most.saturating_sub(other.least) };
        Range { least: self.least.saturating_sub(other.most), most }
    }
}

/// Ranges of a table `[decision 0, 1, absent][label 0, 1, none]` and of its totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRange([Range; NUMBERS]);

const ROWS: usize = 9;
const COLUMNS: usize = 12;
const LABELLED: usize = 15;
const DECIDED: usize = 16;
const ALL: usize = 17;
const NUMBERS: usize = 18;

/// Ranges hold after any number of rounds; more make them no worse, and rarely better.
const ROUNDS: usize = 8;

/// A number of the table, and those that it is the sum of.
const SUMS: [(usize, &[usize]); 10] = [
    (ROWS, &[0, 1, 2]),
    (ROWS + 1, &[3, 4, 5]),
    (ROWS + 2, &[6, 7, 8]),
    (COLUMNS, &[0, 3, 6]),
    (COLUMNS + 1, &[1, 4, 7]),
    (COLUMNS + 2, &[2, 5, 8]),
    (LABELLED, &[COLUMNS, COLUMNS + 1]),
    (DECIDED, &[ROWS, ROWS + 1]),
    (ALL, &[LABELLED, COLUMNS + 2]),
    (ALL, &[DECIDED, ROWS + 2]),
];

impl TableRange {
    /// Nothing is known.
    pub const ANY: TableRange = TableRange([Range::ANY; NUMBERS]);

    /// Every cell is known.
    pub fn exactly(counts: &[[u64; 3]; 3]) -> TableRange {
        let mut table = TableRange::ANY;
        for (range, count) in table.0.iter_mut().zip(counts.iter().flatten()) {
            *range = Range::exactly(*count);
        }
        // Each sum stands after its parts.
        for (sum, parts) in SUMS {
            table.0[sum] = parts.iter().fold(Range::exactly(0), |all, part| all.plus(table.0[*part]));
        }
        table
    }

    /// Rows and columns are known.
    pub fn of_totals(decisions: [u64; 3], labels: [u64; 3]) -> TableRange {
        let mut table = TableRange::ANY;
        for (at, total) in decisions.into_iter().chain(labels).enumerate() {
            table.0[ROWS + at] = Range::exactly(total);
        }
        table.settle();
        table
    }

    /// The number of events is known.
    pub fn of_events(events: u64) -> TableRange {
        let mut table = TableRange::ANY;
        table.0[ALL] = Range::exactly(events);
        table.settle();
        table
    }

    /// Events and labelled events are known.
    pub fn of_labelled(events: u64, labelled: u64) -> TableRange {
        let mut table = TableRange::of_events(events);
        table.0[LABELLED] = Range::exactly(labelled);
        table.settle();
        table
    }

    /// Events with this decision and label.
    pub fn cell(&self, decision: usize, label: usize) -> Range {
        self.0[3 * decision + label]
    }

    /// Events with this decision.
    pub fn decision(&self, decision: usize) -> Range {
        self.0[ROWS + decision]
    }

    /// Events with this label.
    pub fn label(&self, label: usize) -> Range {
        self.0[COLUMNS + label]
    }

    /// Events with a decision.
    pub fn decided(&self) -> Range {
        self.0[DECIDED]
    }

    /// Events with a label.
    pub fn labelled(&self) -> Range {
        self.0[LABELLED]
    }

    /// Events.
    pub fn all(&self) -> Range {
        self.0[ALL]
    }

    /// Of two tables together.
    pub fn plus(&self, other: &TableRange) -> TableRange {
        TableRange(std::array::from_fn(|at| self.0[at].plus(other.0[at])))
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let before = *self;
            for (sum, parts) in SUMS {
                let mut ranges = [Range::ANY; 3];
                let ranges = &mut ranges[..parts.len()];
                ranges.iter_mut().zip(parts).for_each(|(range, part)| *range = self.0[*part]);
                add_up(&mut self.0[sum], ranges);
                parts.iter().zip(ranges).for_each(|(part, range)| self.0[*part] = *range);
            }
            if *self == before {
                return;
            }
        }
    }
}

/// Tables of the groups of a slice, of what is known of some of them together, and of all.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRange {
    whole: TableRange,
    /// Each with the groups that it is the sum of.
    folds: Vec<(TableRange, Vec<usize>)>,
    groups: Vec<TableRange>,
    /// Sums of the least of the members of each fold, and of all groups.
    least: Vec<[u64; NUMBERS]>,
}

impl SliceRange {
    /// No group is in two folds.
    pub fn new(whole: TableRange, folds: Vec<(TableRange, Vec<usize>)>, groups: Vec<TableRange>) -> SliceRange {
        let mut slice = SliceRange { whole, folds, groups, least: Vec::new() };
        for _ in 0..ROUNDS {
            let before = slice.clone();
            slice.round();
            if slice == before {
                break;
            }
        }
        slice.least = slice.least_sums();
        slice
    }

    /// The table of a group.
    pub fn group(&self, group: usize) -> &TableRange {
        &self.groups[group]
    }

    /// Of two groups together: what one has of their fold, or of all, the other has not.
    pub fn both(&self, one: usize, other: usize) -> TableRange {
        let mut both = self.groups[one].plus(&self.groups[other]);
        let own = both;
        let sums = self.folds.iter().zip(&self.least).filter(|((_, of), _)| of.contains(&one) && of.contains(&other));
        let sums =
            sums.map(|((sum, _), least)| (sum, least)).chain(self.least.last().map(|least| (&self.whole, least)));
        for (sum, least) in sums {
            for (at, range) in both.0.iter_mut().enumerate() {
                let others = least[at].saturating_sub(own.0[at].least);
                range.narrow(sum.0[at].less(Range { least: others, most: u64::MAX }));
            }
        }
        both
    }

    /// Sums of the least of the groups of each fold, and of all groups.
    fn least_sums(&self) -> Vec<[u64; NUMBERS]> {
        let all: Vec<usize> = (0..self.groups.len()).collect();
        let of = |members: &[usize]| {
            let least = |at: usize| members.iter().map(move |group| self.groups[*group].0[at].least);
            std::array::from_fn(|at| least(at).fold(0_u64, u64::saturating_add))
        };
        self.folds.iter().map(|(_, members)| &members[..]).chain([&all[..]]).map(of).collect()
    }

    fn round(&mut self) {
        for (fold, members) in &mut self.folds {
            let mut parts: Vec<_> = members.iter().map(|at| self.groups[*at]).collect();
            add_tables(fold, &mut parts);
            members.iter().zip(parts).for_each(|(at, part)| self.groups[*at] = part);
        }
        let alone = |at: &usize| !self.folds.iter().any(|(_, members)| members.contains(at));
        let alone: Vec<usize> = (0..self.groups.len()).filter(alone).collect();
        let mut parts: Vec<_> = alone.iter().map(|at| self.groups[*at]).collect();
        parts.extend(self.folds.iter().map(|(fold, _)| *fold));
        add_tables(&mut self.whole, &mut parts);
        let folds = parts.split_off(alone.len());
        alone.iter().zip(parts).for_each(|(at, part)| self.groups[*at] = part);
        self.folds.iter_mut().zip(folds).for_each(|((fold, _), part)| *fold = part);
    }
}

/// Narrows a table and its parts by each other, number by number.
pub fn add_tables(sum: &mut TableRange, parts: &mut [TableRange]) {
    let before = parts.to_vec();
    let mut ranges = vec![Range::ANY; parts.len()];
    for at in 0..NUMBERS {
        ranges.iter_mut().zip(&*parts).for_each(|(range, part)| *range = part.0[at]);
        add_up(&mut sum.0[at], &mut ranges);
        parts.iter_mut().zip(&ranges).for_each(|(part, range)| part.0[at] = *range);
    }
    sum.settle();
    let changed = parts.iter_mut().zip(&before).filter(|(part, before)| part != before);
    changed.for_each(|(part, _)| part.settle());
}

/// Narrows a sum and its parts by each other.
fn add_up(sum: &mut Range, parts: &mut [Range]) {
    let least = parts.iter().fold(0_u64, |all, part| all.saturating_add(part.least));
    let (open, most) = parts.iter().fold((0, 0_u64), |(open, all), part| match part.most {
        u64::MAX => (open + 1, all),
        most => (open, all.saturating_add(most)),
    });
    sum.narrow(Range { least, most: if open > 0 { u64::MAX } else { most } });
    for part in parts {
        let others = Range {
            least: least.saturating_sub(part.least),
            most: match (open, part.most) {
                (0, own) => most.saturating_sub(own),
                (1, u64::MAX) => most,
                _ => u64::MAX,
            },
        };
        part.narrow(sum.less(others));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Counts = [[u64; 3]; 3];

    fn sum<'a>(tables: impl Iterator<Item = &'a Counts>) -> Counts {
        tables.fold([[0; 3]; 3], |sum, part| std::array::from_fn(|d| std::array::from_fn(|l| sum[d][l] + part[d][l])))
    }

    /// All numbers of a table, as ranges have them.
    fn numbers(counts: &Counts) -> [u64; NUMBERS] {
        TableRange::exactly(counts).0.map(|range| range.least)
    }

    /// What is shown of a table at a rung: all, totals, the number of events, nothing.
    fn shown(counts: &Counts, rung: u8) -> TableRange {
        let row = |d: usize| counts[d].iter().sum::<u64>();
        let column = |l: usize| counts.iter().map(|row| row[l]).sum::<u64>();
        match rung {
            0 => TableRange::exactly(counts),
            1 => TableRange::of_totals([0, 1, 2].map(row), [0, 1, 2].map(column)),
            2 => TableRange::of_events((0..3).map(row).sum()),
            _ => TableRange::ANY,
        }
    }

    fn tables() -> impl Strategy<Value = Vec<(Counts, u8)>> {
        let count = prop_oneof![3 => Just(0_u64), 3 => 1_u64..4, 1 => 4_u64..60];
        let table = prop::collection::vec(count, 9)
            .prop_map(|cells| std::array::from_fn(|d| std::array::from_fn(|l| cells[3 * d + l])));
        prop::collection::vec((table, 0_u8..6), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Rungs 4 and 5 are in the fold.
        #[test]
        fn what_is_there_is_among_what_can_be(groups in tables(), whole in 0_u8..4, fold in 0_u8..3) {
            let members: Vec<usize> = (0..groups.len()).filter(|at| groups[*at].1 > 3).collect();
            let folded = sum(members.iter().map(|at| &groups[*at].0));
            let all = sum(groups.iter().map(|(counts, _)| counts));
            let folds = if members.len() > 1 { vec![(shown(&folded, fold), members)] } else { Vec::new() };
            let parts = groups.iter().map(|(counts, rung)| shown(counts, *rung)).collect();
            let slice = SliceRange::new(shown(&all, whole), folds, parts);
            let holds = |range: &TableRange, counts: &Counts| {
                range.0.iter().zip(numbers(counts)).all(|(range, number)| (range.least..=range.most).contains(&number))
            };
            for (at, (counts, rung)) in groups.iter().enumerate() {
                prop_assert!(holds(slice.group(at), counts), "{:?} {:?}", slice.group(at), counts);
                prop_assert!(*rung > 0 || slice.group(at).0.iter().all(|range| range.width() == 0));
                for (other, (others, _)) in groups.iter().enumerate().filter(|(other, _)| *other != at) {
                    let both = sum([counts, others].into_iter());
                    prop_assert!(holds(&slice.both(at, other), &both), "{:?} {:?}", slice.both(at, other), both);
                }
            }
        }
    }

    #[test]
    fn totals_leave_frechets_bounds() {
        // 20 events, 7 with decision 1, 15 with label 1: at least 2 have both, at most 7.
        let table = TableRange::of_totals([13, 7, 0], [5, 15, 0]);
        assert_eq!(table.cell(1, 1), Range { least: 2, most: 7 });
        assert_eq!((table.cell(0, 0), table.cell(2, 1)), (Range { least: 0, most: 5 }, Range::exactly(0)));
        assert_eq!(
            (table.decided(), table.all(), table.labelled()),
            (Range::exactly(20), Range::exactly(20), Range::exactly(20))
        );
    }

    #[test]
    fn what_one_has_the_other_has_not() {
        let whole = TableRange::of_events(10);
        let slice =
            SliceRange::new(whole, Vec::new(), vec![TableRange::ANY, TableRange::ANY, TableRange::of_events(4)]);
        assert_eq!(slice.group(0).all(), Range { least: 0, most: 6 });
        assert_eq!(slice.both(0, 1).all(), Range { least: 0, most: 6 });
        let fold = (TableRange::of_events(3), vec![0, 1]);
        let slice = SliceRange::new(TableRange::ANY, vec![fold], vec![TableRange::ANY; 3]);
        assert_eq!((slice.group(0).all().most, slice.both(0, 1).all().most), (3, 3));
        assert_eq!((slice.group(2).all(), slice.both(0, 2).all()), (Range::ANY, Range::ANY));
    }

    #[test]
    fn numbers_that_contradict_each_other_end_too() {
        let slice = SliceRange::new(TableRange::of_events(1), Vec::new(), vec![TableRange::of_events(u64::MAX); 3]);
        assert!(slice.group(0).all().width() == 0 || slice.group(0).all().least > 1);
        _ = TableRange::of_totals([u64::MAX; 3], [0, 1, u64::MAX - 1]);
    }
}
