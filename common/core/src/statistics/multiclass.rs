//! How decisions meet labels where there are more than two classes.
//!
//! Classes have a place each, the same for decisions and labels. One class against all others is a [`Confusion`], with its
//! figures; here is what all classes say together.

use super::classification::{SIGNED, UNIT, held};
use super::dual::Dual;
use super::{Confusion, Estimate, Interval, NotEstimable};

/// Events with decision and label, `[decision][label]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassTable {
    cells: Vec<Vec<u64>>,
    decided: Vec<u64>,
    labelled: Vec<u64>,
    events: u64,
}

/// How the figures of single classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Every class counts the same.
    Macro,
    /// A class counts as often as it is true; one that never is does not.
    Weighted,
}

/// What a disagreement costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Each the same.
    Equal,
    /// The square of the distance between both places: classes have an order.
    Quadratic,
}

impl Weights {
    fn of(self, decision: usize, label: usize) -> f64 {
        let distance = decision.abs_diff(label) as f64;
        match self {
            Weights::Equal => distance.min(1.0),
            Weights::Quadratic => distance * distance,
        }
    }
}

impl ClassTable {
    /// The table `cells`, `[decision][label]`.
    ///
    /// # Errors
    /// `UnequalRows` unless there are as many labels as decisions, in each row.
    pub fn new(cells: Vec<Vec<u64>>) -> Result<ClassTable, NotEstimable> {
        let classes = cells.len();
        if cells.iter().any(|row| row.len() != classes) {
            return Err(NotEstimable::UnequalRows);
        }
        let decided: Vec<u64> = cells.iter().map(|row| row.iter().sum()).collect();
        let labelled = (0..classes).map(|label| cells.iter().map(|row| row[label]).sum()).collect();
        let events = decided.iter().sum();
        Ok(ClassTable { cells, decided, labelled, events })
    }

    /// Events of each class by decision.
    pub fn decided(&self) -> &[u64] {
        &self.decided
    }

    /// Events of each class by label.
    pub fn labelled(&self) -> &[u64] {
        &self.labelled
    }

    /// (events whose decision is their label, all events): accuracy, which is also micro precision, recall and F1, and
    /// recall weighted by how often each class is true.
    pub fn correct(&self) -> (u64, u64) {
        ((0..self.cells.len()).map(|class| self.cells[class][class]).sum(), self.events)
    }

    /// `class` against all others.
    pub fn one_against_rest(&self, class: usize) -> Confusion {
        let tp = self.cells[class][class];
        let (fp, fn_) = (self.decided[class] - tp, self.labelled[class] - tp);
        Confusion { tp, fp, fn_, tn: self.events - tp - fp - fn_ }
    }

    /// Mean precision of the classes. Between 0 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events, or where a class that counts is never decided; `InvalidLevel`.
    pub fn precision(&self, average: Average, level: f64) -> Result<Estimate, NotEstimable> {
        self.counting(average, |class| self.decided[class])?;
        self.average(average, level, |[right, decided, ..]| right / decided)
    }

    /// Mean recall of the classes, each counting the same, which is called balanced accuracy. Between 0 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` where a class is never true; `InvalidLevel`.
    pub fn macro_recall(&self, level: f64) -> Result<Estimate, NotEstimable> {
        self.counting(Average::Macro, |class| self.labelled[class])?;
        self.average(Average::Macro, level, |[right, _, labelled, _]| right / labelled)
    }

    /// Mean F1 of the classes, 2 right / (decided + true) each. Between 0 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events, or where a class that counts is neither decided nor true; `InvalidLevel`.
    pub fn f1(&self, average: Average, level: f64) -> Result<Estimate, NotEstimable> {
        self.counting(average, |class| self.decided[class] + self.labelled[class])?;
        self.average(average, level, |[right, decided, labelled, _]| (right + right) / (decided + labelled))
    }

    /// Whether every class that counts has a denominator.
    fn counting(&self, average: Average, denominator: impl Fn(usize) -> u64) -> Result<(), NotEstimable> {
        let counts = |class: &usize| average == Average::Macro || self.labelled[*class] > 0;
        let all = (0..self.cells.len()).filter(counts).all(|class| denominator(class) > 0);
        if all && self.events > 0 { Ok(()) } else { Err(NotEstimable::EmptyDenominator) }
    }

    /// The mean of `figure` over the classes, from what it makes of [right, decided, labelled, all events].
    fn average(
        &self,
        average: Average,
        level: f64,
        figure: impl Fn([Dual; 4]) -> Dual,
    ) -> Result<Estimate, NotEstimable> {
        let share = Dual::constant(1.0 / self.cells.len() as f64);
        let of = |class: usize| {
            let counts = [self.cells[class][class], self.decided[class], self.labelled[class], self.events];
            let [right, decided, labelled, all] = Dual::cells(counts);
            match average {
                Average::Macro => share * figure([right, decided, labelled, all]),
                Average::Weighted if counts[2] == 0 => Dual::constant(0.0),
                Average::Weighted => labelled / all * figure([right, decided, labelled, all]),
            }
        };
        let parts: Vec<Dual> = (0..self.cells.len()).map(of).collect();
        let everywhere: f64 = parts.iter().map(|part| part.slope[3]).sum();
        let value = parts.iter().map(|part| part.value).sum();
        self.delta(value, UNIT, level, |decision, label| {
            let right = if decision == label { parts[label].slope[0] } else { 0.0 };
            right + parts[decision].slope[1] + parts[label].slope[2] + everywhere
        })
    }

    /// Cohen's kappa of decision and label, 1 - n sum(w x) / sum(w expected), for disagreements of any weight (Cohen 1960,
    /// 1968; the variance is that of Fleiss, Cohen and Everitt 1969). Between -1 and 1.
    ///
    /// # Errors
    /// `EmptyDenominator` without events, or where all decisions and labels are of one class; `InvalidLevel`.
    pub fn kappa(&self, weights: Weights, level: f64) -> Result<Estimate, NotEstimable> {
        let [decided, labelled] = self.margins();
        let places = || 0..decided.len();
        // By decision and by label: what disagreement is expected beside each, up to the factor n.
        let beside = |decision: usize| places().map(|label| weights.of(decision, label) * labelled[label]).sum();
        let beside_decision: Vec<f64> = places().map(beside).collect();
        let beside = |label: usize| places().map(|decision| weights.of(decision, label) * decided[decision]).sum();
        let beside_label: Vec<f64> = places().map(beside).collect();
        let expected: f64 = places().map(|decision| decided[decision] * beside_decision[decision]).sum();
        if expected == 0.0 {
            return Err(NotEstimable::EmptyDenominator);
        }
        let cell = |decision: usize, label: usize| weights.of(decision, label) * self.cells[decision][label] as f64;
        let observed: f64 = places().flat_map(|decision| places().map(move |label| cell(decision, label))).sum();
        let n = self.events as f64;
        let ratio = n * observed / expected;
        self.delta(1.0 - ratio, SIGNED, level, |decision, label| {
            let more = observed + n * weights.of(decision, label);
            (ratio * (beside_decision[decision] + beside_label[label]) - more) / expected
        })
    }

    /// Matthews' correlation coefficient of K classes, (n right - sum r c) / root of (n^2 - sum r^2)(n^2 - sum c^2), r and c
    /// the events of each class by decision and by label (Gorodkin 2004). At most 1; its least value is above -1 for more
    /// than two classes.
    ///
    /// # Errors
    /// `EmptyDenominator` where all decisions, or all labels, are the same; `InvalidLevel`.
    pub fn matthews(&self, level: f64) -> Result<Estimate, NotEstimable> {
        let [decided, labelled] = self.margins();
        let n = self.events as f64;
        // n^2 - sum r^2 without cancellation: exactly 0 where all are of one class.
        let mixed = |margin: &[f64]| -> f64 { margin.iter().map(|count| count * (n - count)).sum() };
        let (by_decision, by_label) = (mixed(&decided), mixed(&labelled));
        if by_decision == 0.0 || by_label == 0.0 {
            return Err(NotEstimable::EmptyDenominator);
        }
        let right = self.correct().0 as f64;
        let chance: f64 = decided.iter().zip(&labelled).map(|(r, c)| r * c).sum();
        let above = n * right - chance;
        // Two roots: that of a perfect table is then exact.
        let root = by_decision.sqrt() * by_label.sqrt();
        let value = above / root;
        self.delta(value, SIGNED, level, |decision, label| {
            let own = if decision == label { n } else { 0.0 };
            let slope = right + own - labelled[decision] - decided[label];
            let roots = (n - decided[decision]) / by_decision + (n - labelled[label]) / by_label;
            slope / root - value * roots
        })
    }

    fn margins(&self) -> [Vec<f64>; 2] {
        [&self.decided, &self.labelled].map(|margin| margin.iter().map(|count| *count as f64).collect())
    }

    /// The delta method's interval for a multinomial sample: a figure that does not change when all cells are multiplied by
    /// the same number has the variance sum x slope^2.
    fn delta(
        &self,
        value: f64,
        range: Interval,
        level: f64,
        slope: impl Fn(usize, usize) -> f64,
    ) -> Result<Estimate, NotEstimable> {
        let mut variance = 0.0;
        for (decision, row) in self.cells.iter().enumerate() {
            for (label, count) in row.iter().enumerate().filter(|(_, count)| **count > 0) {
                variance += *count as f64 * slope(decision, label).powi(2);
            }
        }
        held(value, variance, self.events as f64, range, level)
    }
}

/// (events whose true class is among the model's `k` likeliest, all events), of events by the place of the true class: what
/// top-k accuracy is the share of. The last of `places` is none of the others.
pub fn among_first(places: &[u64], k: usize) -> (u64, u64) {
    (places.iter().take(k.min(places.len().saturating_sub(1))).sum(), places.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{LEVEL, balanced_accuracy, normal_quantile};
    use proptest::prelude::*;

    type Found = Result<Estimate, NotEstimable>;

    fn table(cells: &[&[u64]]) -> ClassTable {
        ClassTable::new(cells.iter().map(|row| row.to_vec()).collect()).expect("square")
    }

    fn near(a: Found, b: Found) -> bool {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        match (a, b) {
            (Ok(Estimate { value: a, interval: Ok(i) }), Ok(Estimate { value: b, interval: Ok(j) })) => {
                close(a, b) && close(i.lower, j.lower) && close(i.upper, j.upper)
            }
            (Ok(a), Ok(b)) => close(a.value, b.value) && a.interval == b.interval,
            (a, b) => a == b,
        }
    }

    #[test]
    fn three_classes_by_hand() {
        // Decisions 4, 4, 2 of the classes; labels 5, 3, 2; right 3 + 2 + 1 of 10.
        let t = table(&[&[3, 1, 0], &[1, 2, 1], &[1, 0, 1]]);
        assert_eq!((t.decided(), t.labelled(), t.correct()), (&[4, 4, 2][..], &[5, 3, 2][..], (6, 10)));
        assert_eq!(t.one_against_rest(0), Confusion { tp: 3, fp: 1, fn_: 2, tn: 4 });
        assert_eq!(t.one_against_rest(2), Confusion { tp: 1, fp: 1, fn_: 1, tn: 7 });
        let value = |found: Found| found.expect("defined").value;
        let close = |found: Found, expected: f64| (value(found) - expected).abs() < 1e-15;
        assert!(close(t.precision(Average::Macro, LEVEL), (3.0 / 4.0 + 2.0 / 4.0 + 1.0 / 2.0) / 3.0));
        assert!(close(t.precision(Average::Weighted, LEVEL), (5.0 * 0.75 + 3.0 * 0.5 + 2.0 * 0.5) / 10.0));
        assert!(close(t.macro_recall(LEVEL), (3.0 / 5.0 + 2.0 / 3.0 + 1.0 / 2.0) / 3.0));
        assert!(close(t.f1(Average::Macro, LEVEL), (6.0 / 9.0 + 4.0 / 7.0 + 2.0 / 4.0) / 3.0));
        // Expected agreement (20 + 12 + 4) / 100.
        assert!(close(t.kappa(Weights::Equal, LEVEL), (0.6 - 0.36) / 0.64));
        // Squared distances: observed 1 + 1 + 1 + 4, expected (4 * (3 + 8) + 4 * (5 + 2) + 2 * (20 + 3)) / 10.
        assert!(close(t.kappa(Weights::Quadratic, LEVEL), 1.0 - 7.0 / 11.8));
        assert!(close(t.matthews(LEVEL), (60.0 - 36.0) / (64.0_f64 * 62.0).sqrt()));
    }

    #[test]
    fn nothing_out_of_nothing_is_not_zero() {
        let empty = Err(NotEstimable::EmptyDenominator);
        for t in [table(&[&[0, 0, 0], &[0, 0, 0], &[0, 0, 0]]), table(&[])] {
            for average in [Average::Macro, Average::Weighted] {
                assert_eq!([t.precision(average, LEVEL), t.f1(average, LEVEL)], [empty; 2]);
            }
            assert_eq!([t.macro_recall(LEVEL), t.kappa(Weights::Equal, LEVEL), t.matthews(LEVEL)], [empty; 3]);
        }
        // The last class is decided once and never true; the second is true once and never decided.
        let t = table(&[&[4, 1, 0], &[0, 0, 0], &[1, 0, 0]]);
        assert_eq!([t.precision(Average::Macro, LEVEL), t.precision(Average::Weighted, LEVEL)], [empty; 2]);
        assert_eq!(t.macro_recall(LEVEL), empty);
        assert!(t.f1(Average::Macro, LEVEL).is_ok());
        // A class that is never true does not count by weight.
        let t = table(&[&[4, 1, 0], &[1, 3, 0], &[0, 0, 0]]);
        assert_eq!(t.f1(Average::Macro, LEVEL), empty);
        assert!(t.precision(Average::Weighted, LEVEL).is_ok_and(|p| (p.value - 7.0 / 9.0).abs() < 1e-12));
        let t = table(&[&[7, 0, 0], &[0, 0, 0], &[0, 0, 0]]);
        assert_eq!([t.kappa(Weights::Equal, LEVEL), t.kappa(Weights::Quadratic, LEVEL), t.matthews(LEVEL)], [empty; 3]);
        assert_eq!(
            [among_first(&[4, 2, 1], 2), among_first(&[4, 2, 1], 5), among_first(&[], 1)],
            [(6, 7), (6, 7), (0, 0)]
        );
        let right = table(&[&[3, 0, 0], &[0, 2, 0], &[0, 0, 5]]);
        let one = Ok(Estimate { value: 1.0, interval: Err(NotEstimable::ZeroVariance) });
        assert_eq!([right.kappa(Weights::Equal, LEVEL), right.matthews(LEVEL), right.macro_recall(LEVEL)], [one; 3]);
        assert_eq!(ClassTable::new(vec![vec![1, 2], vec![3]]), Err(NotEstimable::UnequalRows));
        assert_eq!(right.kappa(Weights::Equal, 1.0), Err(NotEstimable::InvalidLevel));
    }

    /// The figures again, of any numbers, as their definitions read.
    fn plainly(x: &[Vec<f64>]) -> [f64; 7] {
        let k = x.len();
        let n: f64 = x.iter().flatten().sum();
        let row = |i: usize| x[i].iter().sum::<f64>();
        let column = |j: usize| x.iter().map(|row| row[j]).sum::<f64>();
        let over = |f: &dyn Fn(usize) -> f64| (0..k).map(f).sum::<f64>();
        let kappa = |w: &dyn Fn(f64) -> f64| {
            let all = |f: &dyn Fn(usize, usize) -> f64| over(&|i| over(&|j| w(i as f64 - j as f64) * f(i, j)));
            1.0 - all(&|i, j| x[i][j] / n) / all(&|i, j| row(i) / n * (column(j) / n))
        };
        let chance = over(&|i| row(i) * column(i)) / (n * n);
        let spread = (1.0 - over(&|i| (row(i) / n).powi(2))) * (1.0 - over(&|i| (column(i) / n).powi(2)));
        [
            over(&|i| x[i][i] / row(i)) / k as f64,
            over(&|i| column(i) / n * x[i][i] / row(i)),
            over(&|i| x[i][i] / column(i)) / k as f64,
            over(&|i| 2.0 * x[i][i] / (row(i) + column(i))) / k as f64,
            over(&|i| column(i) / n * 2.0 * x[i][i] / (row(i) + column(i))),
            kappa(&|d| d * d),
            (over(&|i| x[i][i]) / n - chance) / spread.sqrt(),
        ]
    }

    fn squares(cell: std::ops::Range<u64>) -> impl Strategy<Value = Vec<Vec<u64>>> {
        (2..6_usize).prop_flat_map(move |k| proptest::collection::vec(proptest::collection::vec(cell.clone(), k), k))
    }

    fn all(t: &ClassTable) -> [Found; 7] {
        [
            t.precision(Average::Macro, LEVEL),
            t.precision(Average::Weighted, LEVEL),
            t.macro_recall(LEVEL),
            t.f1(Average::Macro, LEVEL),
            t.f1(Average::Weighted, LEVEL),
            t.kappa(Weights::Quadratic, LEVEL),
            t.matthews(LEVEL),
        ]
    }

    proptest! {
        #[test]
        fn slopes_are_those_of_small_steps(cells in squares(3..90)) {
            let x: Vec<Vec<f64>> = cells.iter().map(|row| row.iter().map(|count| *count as f64).collect()).collect();
            let mut variances = [0.0; 7];
            for (i, j) in (0..x.len()).flat_map(|i| (0..x.len()).map(move |j| (i, j))) {
                let step = |by: f64| { let mut y = x.clone(); y[i][j] += by; plainly(&y) };
                let (up, down) = (step(1e-3), step(-1e-3));
                for (at, sum) in variances.iter_mut().enumerate() {
                    *sum += x[i][j] * ((up[at] - down[at]) / 2e-3).powi(2);
                }
            }
            let table = ClassTable::new(cells).expect("square");
            let z = normal_quantile(LEVEL)?;
            for ((found, value), variance) in all(&table).into_iter().zip(plainly(&x)).zip(variances) {
                let found = found?;
                prop_assert!((found.value - value).abs() < 1e-12);
                let (half, expected) = (found.interval?.upper - value, z * variance.sqrt());
                let held = found.interval?.upper == 1.0;
                prop_assert!(held || (half - expected).abs() < 1e-5 * expected, "{half} {expected} {table:?}");
            }
        }

        #[test]
        fn two_classes_are_a_table_of_decisions(cells in proptest::array::uniform4(0..60_u64)) {
            let [tn, fn_, fp, tp] = cells;
            let (t, two) = (table(&[&[tn, fn_], &[fp, tp]]), Confusion { tp, fp, fn_, tn });
            prop_assert_eq!(t.one_against_rest(1), two);
            prop_assert!(near(t.kappa(Weights::Equal, LEVEL), two.kappa(LEVEL)));
            prop_assert!(near(t.kappa(Weights::Quadratic, LEVEL), two.kappa(LEVEL)));
            prop_assert!(near(t.matthews(LEVEL), two.matthews(LEVEL)));
            let [p, n] = two.labels();
            prop_assert!(near(t.macro_recall(LEVEL), balanced_accuracy(tp, p, tn, n, LEVEL)));
        }

        #[test]
        fn the_places_of_classes_do_not_matter(cells in squares(0..12), by in 0..5_usize) {
            let k = cells.len();
            let moved = |of: &dyn Fn(usize) -> usize| {
                let row = |i: usize| (0..k).map(|j| cells[of(i)][of(j)]).collect();
                ClassTable::new((0..k).map(row).collect()).expect("square")
            };
            let (here, turned, back) = (moved(&|i| i), moved(&|i| (i + by) % k), moved(&|i| k - 1 - i));
            prop_assert!(near(here.kappa(Weights::Equal, LEVEL), turned.kappa(Weights::Equal, LEVEL)));
            // The other way round an order is the same order.
            prop_assert!(near(here.kappa(Weights::Quadratic, LEVEL), back.kappa(Weights::Quadratic, LEVEL)));
            for (at, (a, b)) in all(&here).into_iter().zip(all(&turned)).enumerate() {
                prop_assert!(at == 5 || near(a, b), "{at}");
                if let Ok(Estimate { value, interval }) = a {
                    prop_assert!((-1.0..=1.0).contains(&value));
                    prop_assert!(interval.is_err() || interval.is_ok_and(|i| i.contains(value) && i.upper <= 1.0));
                }
            }
        }
    }
}
