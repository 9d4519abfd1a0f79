//! Numbers that carry their derivatives by four cell counts, so that the delta method needs no formula of its own for
//! each figure (forward-mode automatic differentiation).

use std::ops::{Add, Div, Mul, Sub};

/// A value and its slope in each of the cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub value: f64,
    pub slope: [f64; CELLS],
}

/// Cells of a table of two decisions and two labels.
pub(super) const CELLS: usize = 4;

impl Dual {
    /// The counts themselves, as variables.
    pub fn cells(counts: [u64; CELLS]) -> [Dual; CELLS] {
        std::array::from_fn(|at| Dual {
            value: counts[at] as f64,
            slope: std::array::from_fn(|of| if of == at { 1.0 } else { 0.0 }),
        })
    }

    pub fn constant(value: f64) -> Dual {
        Dual { value, slope: [0.0; CELLS] }
    }

    fn with(self, value: f64, derivative: f64) -> Dual {
        Dual { value, slope: self.slope.map(|slope| slope * derivative) }
    }

    pub fn sqrt(self) -> Dual {
        let root = self.value.sqrt();
        self.with(root, 0.5 / root)
    }

    pub fn ln(self) -> Dual {
        self.with(self.value.ln(), self.value.recip())
    }

    fn times(self, other: Dual) -> Dual {
        let slope = std::array::from_fn(|at| self.slope[at] * other.value + self.value * other.slope[at]);
        Dual { value: self.value * other.value, slope }
    }

    fn by(self, other: Dual) -> Dual {
        let value = self.value / other.value;
        let slope = std::array::from_fn(|at| (self.slope[at] - value * other.slope[at]) / other.value);
        Dual { value, slope }
    }

    /// Variance by the delta method where the cells are multinomial and the figure does not change when all of them are
    /// multiplied by the same number: the sum of x_i times the squared slope in x_i.
    pub fn multinomial_variance(self, counts: [u64; CELLS]) -> f64 {
        self.slope.iter().zip(counts).map(|(slope, count)| count as f64 * slope * slope).sum()
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, other: Dual) -> Dual {
        let slope = std::array::from_fn(|at| self.slope[at] + other.slope[at]);
        Dual { value: self.value + other.value, slope }
    }
}

impl Sub for Dual {
    type Output = Dual;
    fn sub(self, other: Dual) -> Dual {
        let slope = std::array::from_fn(|at| self.slope[at] - other.slope[at]);
        Dual { value: self.value - other.value, slope }
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, other: Dual) -> Dual {
        self.times(other)
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, other: Dual) -> Dual {
        self.by(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn slopes_are_those_of_small_steps(counts in proptest::array::uniform4(5..500_u64)) {
            let figure = |[a, b, c, d]: [Dual; CELLS]| (a * d - b * c) / ((a + b) * (c + d)).sqrt() + (a / d).ln();
            let at = |values: [f64; CELLS]| figure(values.map(Dual::constant)).value;
            let found = figure(Dual::cells(counts));
            let values = counts.map(|count| count as f64);
            prop_assert!((found.value - at(values)).abs() <= 1e-12 * found.value.abs());
            for cell in 0..CELLS {
                let step = |by: f64| at(std::array::from_fn(|of| values[of] + if of == cell { by } else { 0.0 }));
                let slope = (step(1e-3) - step(-1e-3)) / 2e-3;
                prop_assert!((found.slope[cell] - slope).abs() < 1e-5 * (1.0 + slope.abs()), "{slope} {found:?}");
            }
        }
    }
}
