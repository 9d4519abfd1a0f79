//! Two-way tables: odds ratio and Pearson's chi-square.

use super::{Chi2Test, Estimate, Interval, NotEstimable, normal_quantile, rate};

/// The odds ratio `(x1 / (n1 - x1)) / (x0 / (n0 - x0))` with Woolf's log interval (Woolf 1955), without adding 1/2.
///
/// The interval is `ZeroCell` if the odds ratio is 0.
///
/// # Errors
/// Those of [`rate`], for either row; `ZeroCell` if `n1 - x1` or `x0` is 0; `InvalidLevel`.
pub fn odds_ratio(x1: u64, n1: u64, x0: u64, n0: u64, level: f64) -> Result<Estimate, NotEstimable> {
    rate(x1, n1)?;
    rate(x0, n0)?;
    let z = normal_quantile(level)?;
    if n1 == x1 || x0 == 0 {
        return Err(NotEstimable::ZeroCell);
    }
    let [a, b, c, d] = [x1, n1 - x1, x0, n0 - x0].map(|cell| cell as f64);
    let value = (a / b) * (d / c);
    let interval = if a == 0.0 || d == 0.0 {
        Err(NotEstimable::ZeroCell)
    } else {
        Interval::around_log(value.ln(), z * (1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d).sqrt())
    };
    Ok(Estimate { value, interval })
}

/// Pearson's chi-square test of independence in a table of counts, without continuity correction (Pearson 1900).
///
/// Rows and columns that are 0 throughout carry no information and are left out, also of the degrees of freedom.
///
/// # Errors
/// `UnequalRows`; `TooFewGroups` if fewer than two rows, or two columns, hold events.
pub fn pearson_chi2<R: AsRef<[u64]>>(table: &[R]) -> Result<Chi2Test, NotEstimable> {
    let width = table.first().map_or(0, |row| row.as_ref().len());
    if table.iter().any(|row| row.as_ref().len() != width) {
        return Err(NotEstimable::UnequalRows);
    }
    let sum = |cells: &mut dyn Iterator<Item = u64>| cells.fold(0.0, |total, cell| total + cell as f64);
    let rows: Vec<f64> = table.iter().map(|row| sum(&mut row.as_ref().iter().copied())).collect();
    let columns: Vec<f64> =
        (0..width).map(|j| sum(&mut table.iter().filter_map(|row| row.as_ref().get(j).copied()))).collect();
    let total: f64 = rows.iter().sum();
    let filled = |margins: &[f64]| margins.iter().filter(|margin| **margin > 0.0).count() as u64;
    let dof = filled(&rows).saturating_sub(1) * filled(&columns).saturating_sub(1);
    if dof == 0 {
        return Err(NotEstimable::TooFewGroups);
    }
    let mut statistic = 0.0;
    for (row, row_sum) in table.iter().zip(&rows) {
        for (cell, column_sum) in row.as_ref().iter().zip(&columns) {
            let expected = row_sum / total * column_sum;
            if expected > 0.0 {
                statistic += (*cell as f64 - expected).powi(2) / expected;
            }
        }
    }
    Chi2Test::new(statistic, dof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::LEVEL;

    #[test]
    fn berkeley_odds_ratio_and_chi_square() {
        let or = odds_ratio(557, 1835, 1198, 2691, LEVEL);
        let interval = or.and_then(|or| or.interval);
        assert!(or.is_ok_and(|or| (or.value - 0.5431594389188031).abs() < 1e-14));
        assert!(interval.is_ok_and(|i| (i.lower - 0.4792272106977804).abs() < 1e-13));
        assert!(interval.is_ok_and(|i| (i.upper - 0.6156206690705671).abs() < 1e-13));

        let test = pearson_chi2(&[[557, 1835 - 557], [1198, 2691 - 1198]]);
        assert!(test.is_ok_and(|t| (t.statistic - 92.20528041152764).abs() < 1e-10 && t.dof == 1));
        assert!(test.is_ok_and(|t| (t.p / 7.813600388994667e-22 - 1.0).abs() < 1e-9));
    }

    #[test]
    fn empty_rows_and_columns_do_not_count() {
        let with_empty = pearson_chi2(&[vec![3, 0, 9], vec![0, 0, 0], vec![7, 0, 2]]);
        assert!(with_empty.is_ok());
        assert_eq!(with_empty, pearson_chi2(&[[3, 9], [7, 2]]));
        assert_eq!(pearson_chi2(&[[3, 9], [0, 0]]), Err(NotEstimable::TooFewGroups));
        assert_eq!(pearson_chi2(&[[0, 0], [0, 0]]), Err(NotEstimable::TooFewGroups));
        assert_eq!(pearson_chi2::<[u64; 2]>(&[]), Err(NotEstimable::TooFewGroups));
        assert_eq!(pearson_chi2(&[vec![1], vec![1, 2]]), Err(NotEstimable::UnequalRows));
    }

    #[test]
    fn a_zero_cell_leaves_no_interval() {
        assert_eq!(odds_ratio(5, 5, 2, 5, LEVEL), Err(NotEstimable::ZeroCell));
        assert_eq!(odds_ratio(2, 5, 0, 5, LEVEL), Err(NotEstimable::ZeroCell));
        assert_eq!(odds_ratio(2, 5, 0, 0, LEVEL), Err(NotEstimable::EmptyDenominator));
        assert_eq!(odds_ratio(0, 5, 2, 5, LEVEL), Ok(Estimate { value: 0.0, interval: Err(NotEstimable::ZeroCell) }));
    }
}
