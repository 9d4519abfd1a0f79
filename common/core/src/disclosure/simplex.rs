//! The least and the greatest value of unknowns x >= 0 under linear equations, from a table that is known to solve them.
//!
//! Everything is an integer: the tableau is kept over a common denominator and divided exactly (Edmonds 1967; Bareiss 1968),
//! so there is no tolerance to choose and no rounding. The known table is walked to a corner first, one pivot for each
//! unknown at most; then an unknown's own row says where to go. Bland's rule keeps it from going round in circles.
//!
//! Every corner on the way whose unknowns are all integers is a table that the equations allow. So what it says of integers
//! is never more than the truth: values that were seen are those of tables that exist.

/// Numbers left the range of the machine, or there were too many steps: nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsolved;

/// How many entries of tableaux may still be written: a bound on time that is the same on every machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work(u64);

impl Work {
    pub const fn new(entries: u64) -> Work {
        Work(entries)
    }

    pub fn is_spent(&self) -> bool {
        self.0 == 0
    }

    fn take(&mut self, rows: usize, columns: usize) -> Result<(), Unsolved> {
        self.0 = self.0.saturating_sub(rows as u64 * columns as u64);
        if self.is_spent() { Err(Unsolved) } else { Ok(()) }
    }
}

/// Equations in reduced form, at a corner.
pub(super) struct Simplex<'a> {
    work: &'a mut Work,
    rows: Vec<Vec<i64>>,
    /// Value of each row's own unknown, times `denominator`.
    values: Vec<i64>,
    /// Each row's own unknown.
    basis: Vec<usize>,
    /// The row of each unknown that has one; the others are 0.
    row_of: Vec<Option<usize>>,
    denominator: i64,
    /// Least and greatest value of each unknown at the integer tables that were seen.
    seen: Vec<(i64, i64)>,
}

impl<'a> Simplex<'a> {
    /// Equations as (unknown, coefficient) that `table` solves, whatever their right side is.
    pub fn new(equations: &[Vec<(usize, i64)>], table: &[i64], work: &'a mut Work) -> Result<Simplex<'a>, Unsolved> {
        let mut simplex = Simplex {
            work,
            rows: Vec::new(),
            values: Vec::new(),
            basis: Vec::new(),
            row_of: vec![None; table.len()],
            denominator: 1,
            seen: table.iter().map(|value| (*value, *value)).collect(),
        };
        for equation in equations {
            simplex.add(equation, table.len())?;
        }
        // As long as unknowns without a row keep their values of the known table, so do those with one.
        for (value, unknown) in simplex.values.iter_mut().zip(&simplex.basis) {
            *value = table[*unknown].checked_mul(simplex.denominator).ok_or(Unsolved)?;
        }
        for (unknown, value) in table.iter().enumerate() {
            if simplex.row_of[unknown].is_none() && *value > 0 {
                simplex.lower_to_zero(unknown, *value)?;
            }
        }
        simplex.look();
        Ok(simplex)
    }

    /// Whether as many integers as needed lie between the values that were seen.
    fn is_wide(&self, unknown: usize, need: i64) -> bool {
        let (least, greatest) = self.seen[unknown];
        greatest - least + 1 >= need
    }

    /// Whether an unknown may be one of `need` integers, or can only be 0 where that is enough.
    pub fn is_free(&mut self, unknown: usize, need: i64, or_zero: bool) -> Result<bool, Unsolved> {
        let most = self.greatest(unknown, need)?;
        if most.is_none_or(|most| most == 0 && or_zero) {
            return Ok(true);
        }
        self.least(unknown, need)?;
        Ok(self.is_wide(unknown, need))
    }

    /// Goes where an unknown is greatest, and says where, rounded down; none if it has no end, or once it is wide.
    fn greatest(&mut self, unknown: usize, need: i64) -> Result<Option<i64>, Unsolved> {
        for _ in 0..STEPS {
            if self.is_wide(unknown, need) {
                return Ok(None);
            }
            let next = match self.row_of[unknown] {
                None => Some(unknown),
                Some(row) => self.falling(row),
            };
            let Some(next) = next else {
                let row = self.row_of[unknown].ok_or(Unsolved)?;
                return Ok(Some(self.values[row].div_euclid(self.denominator)));
            };
            let Some(row) = self.blocking(next) else { return Ok(None) };
            self.pivot(row, next)?;
            self.look();
        }
        Err(Unsolved)
    }

    /// Goes where an unknown is least, or until it is wide.
    fn least(&mut self, unknown: usize, need: i64) -> Result<(), Unsolved> {
        for _ in 0..STEPS {
            if self.is_wide(unknown, need) {
                return Ok(());
            }
            let next = self.row_of[unknown].and_then(|row| self.rising(row));
            let Some(next) = next else { return Ok(()) };
            let Some(row) = self.blocking(next) else { return Err(Unsolved) };
            self.pivot(row, next)?;
            self.look();
        }
        Err(Unsolved)
    }

    /// The first unknown at 0 whose growth lets the row's own one grow.
    fn falling(&self, row: usize) -> Option<usize> {
        self.rows[row].iter().position(|coefficient| *coefficient < 0)
    }

    /// The first unknown at 0 whose growth makes the row's own one fall.
    fn rising(&self, row: usize) -> Option<usize> {
        (0..self.row_of.len()).find(|at| self.row_of[*at].is_none() && self.rows[row][*at] > 0)
    }

    /// The row whose own unknown is the first to reach 0 when `next` grows.
    fn blocking(&self, next: usize) -> Option<usize> {
        let rows = (0..self.rows.len()).filter(|row| self.rows[*row][next] > 0);
        rows.min_by(|one, other| {
            let ratio = |row: usize, by: usize| i128::from(self.values[row]) * i128::from(self.rows[by][next]);
            ratio(*one, *other).cmp(&ratio(*other, *one)).then(self.basis[*one].cmp(&self.basis[*other]))
        })
    }

    /// Adds an equation, with an unknown of its own unless it follows from the others.
    fn add(&mut self, equation: &[(usize, i64)], unknowns: usize) -> Result<(), Unsolved> {
        self.work.take(self.rows.len(), unknowns)?;
        let mut row = vec![0_i64; unknowns];
        for (unknown, coefficient) in equation {
            row[*unknown] += coefficient * self.denominator;
        }
        for (own, unknown) in self.rows.iter().zip(&self.basis) {
            let factor = row[*unknown];
            if factor != 0 {
                for (mine, theirs) in row.iter_mut().zip(own) {
                    *mine = combined(*mine, self.denominator, factor, *theirs, self.denominator)?;
                }
            }
        }
        let Some(unknown) = row.iter().position(|coefficient| *coefficient != 0) else { return Ok(()) };
        self.rows.push(row);
        self.values.push(0);
        self.basis.push(unknown);
        let last = self.rows.len() - 1;
        self.pivot(last, unknown)
    }

    /// Takes an unknown without a row from its value in the known table to 0, or gives it the row that stands in the way.
    fn lower_to_zero(&mut self, unknown: usize, value: i64) -> Result<(), Unsolved> {
        let falls = (0..self.rows.len()).filter(|row| self.rows[*row][unknown] < 0);
        let blocking = falls.min_by(|one, other| {
            let ratio = |row: usize, by: usize| i128::from(self.values[row]) * -i128::from(self.rows[by][unknown]);
            ratio(*one, *other).cmp(&ratio(*other, *one))
        });
        for (row, own) in self.rows.iter().zip(&mut self.values) {
            let change = i128::from(row[unknown]) * i128::from(value);
            *own = i64::try_from(i128::from(*own) + change).map_err(|_| Unsolved)?;
        }
        match blocking.filter(|row| self.values[*row] < 0) {
            Some(row) => self.pivot(row, unknown),
            None => Ok(()),
        }
    }

    /// Makes `unknown` the row's own, and clears it from all others.
    fn pivot(&mut self, row: usize, unknown: usize) -> Result<(), Unsolved> {
        self.work.take(self.rows.len(), self.row_of.len())?;
        if self.rows[row][unknown] < 0 {
            self.rows[row].iter_mut().for_each(|coefficient| *coefficient = -*coefficient);
            self.values[row] = -self.values[row];
        }
        let (old, new) = (self.denominator, self.rows[row][unknown]);
        let own = std::mem::take(&mut self.rows[row]);
        let value = self.values[row];
        let places: Vec<usize> = (0..own.len()).filter(|at| own[*at] != 0).collect();
        for (at, other) in self.rows.iter_mut().enumerate().filter(|(at, _)| *at != row) {
            let factor = other[unknown];
            if factor == 0 && old == new {
                continue;
            }
            if old == new {
                for place in &places {
                    other[*place] = combined(other[*place], new, factor, own[*place], old)?;
                }
            } else {
                for (mine, theirs) in other.iter_mut().zip(&own) {
                    *mine = combined(*mine, new, factor, *theirs, old)?;
                }
            }
            self.values[at] = combined(self.values[at], new, factor, value, old)?;
        }
        self.rows[row] = own;
        let before = std::mem::replace(&mut self.basis[row], unknown);
        self.row_of[before] = None;
        self.row_of[unknown] = Some(row);
        self.denominator = new;
        Ok(())
    }

    /// Remembers the corner, if it is a table of integers.
    fn look(&mut self) {
        if self.values.iter().any(|value| value % self.denominator != 0) {
            return;
        }
        for (unknown, seen) in self.seen.iter_mut().enumerate() {
            let value = self.row_of[unknown].map_or(0, |row| self.values[row] / self.denominator);
            *seen = (seen.0.min(value), seen.1.max(value));
        }
    }
}

/// `(mine * new - factor * theirs) / old`, which is an integer.
fn combined(mine: i64, new: i64, factor: i64, theirs: i64, old: i64) -> Result<i64, Unsolved> {
    if mine == 0 && theirs == 0 {
        return Ok(0);
    }
    let product = mine.checked_mul(new).zip(factor.checked_mul(theirs));
    if let Some(product) = product.and_then(|(mine, theirs)| mine.checked_sub(theirs)) {
        return Ok(if old == 1 { product } else { product / old });
    }
    // What is too large in between need not be in the end.
    let product = i128::from(mine) * i128::from(new) - i128::from(factor) * i128::from(theirs);
    i64::try_from(product / i128::from(old)).map_err(|_| Unsolved)
}

/// Most pivots on the way to one value.
const STEPS: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEVER: i64 = i64::MAX;

    #[test]
    fn a_table_between_its_margins() {
        // [[3, 2], [0, 5]]: rows 5 and 5, columns 3 and 7.
        let equations = [[0, 1], [2, 3], [0, 2], [1, 3]].map(|pair| pair.map(|at| (at, 1)).to_vec());
        let mut work = Work::new(NEVER as u64);
        let mut simplex = Simplex::new(&equations, &[3, 2, 0, 5], &mut work).expect("small");
        assert_eq!(simplex.greatest(0, NEVER), Ok(Some(3)));
        assert_eq!(simplex.least(0, NEVER), Ok(()));
        assert_eq!(simplex.seen[0], (0, 3));
        assert_eq!(simplex.greatest(3, NEVER), Ok(Some(5)));
        assert_eq!(simplex.seen[3], (2, 5));
    }

    #[test]
    fn what_has_no_end_has_none() {
        let mut work = Work::new(NEVER as u64);
        let mut simplex = Simplex::new(&[vec![(0, 1), (1, -1)]], &[4, 4, 1].map(i64::from), &mut work).expect("small");
        assert_eq!([simplex.greatest(0, NEVER), simplex.greatest(2, NEVER)], [Ok(None), Ok(None)]);
    }

    /// All tables of `cells` counts up to `most`.
    fn tables(cells: usize, most: i64) -> impl Iterator<Item = Vec<i64>> {
        let base = most + 1;
        (0..base.pow(cells as u32)).map(move |code| (0..cells as u32).map(|at| code / base.pow(at) % base).collect())
    }

    proptest! {
        /// Coefficients of 0, 1 and 2 make corners that are no integers, too.
        #[test]
        fn bounds_are_those_of_all_tables(
            equations in proptest::collection::vec(proptest::collection::vec(0..3_i64, 5), 0..4),
            table in proptest::collection::vec(0..2_i64, 5),
        ) {
            let mut all: Vec<Vec<(usize, i64)>> =
                equations.iter().map(|of| of.iter().copied().enumerate().filter(|(_, by)| *by != 0).collect()).collect();
            // The sum is known, so that everything has an end.
            all.push((0..5).map(|at| (at, 1)).collect());
            let value = |table: &[i64]| -> Vec<i64> {
                all.iter().map(|of| of.iter().map(|(at, by)| table[*at] * by).sum()).collect()
            };
            let fitting: Vec<_> = tables(5, 5).filter(|other| value(other) == value(&table)).collect();
            let mut work = Work::new(NEVER as u64);
            let mut simplex = Simplex::new(&all, &table, &mut work).expect("small");
            for at in 0..5 {
                let most = simplex.greatest(at, NEVER).expect("small").expect("an end");
                simplex.least(at, NEVER).expect("small");
                let (low, high) = simplex.seen[at];
                let values = || fitting.iter().map(|table| table[at]);
                // What was seen exists, and what is greatest is not exceeded.
                prop_assert!(values().any(|value| value == high) && values().any(|value| value == low));
                prop_assert!(values().all(|value| value <= most));
                let ones = all.iter().flatten().all(|(_, by)| *by == 1);
                prop_assert!(!ones || all.len() > 2 || (values().min(), values().max()) == (Some(low), Some(high)));
            }
        }
    }
}
