//! What several releases cost together.

use crate::plan::Fraction;
use serde::{Deserialize, Serialize};

/// What a release costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cost {
    /// It is epsilon-differentially private.
    Pure(Fraction),
    /// It is rho-zero-concentrated differentially private.
    Concentrated(Fraction),
}

/// The epsilon of several releases together, at `delta`: the least of the bounds that hold. None where none does: a Gaussian
/// release at delta 0.
///
/// - Epsilons of pure releases add, and need no delta.
/// - Rhos add. A release of epsilon has rho epsilon^2 / 2, and rho gives epsilon = rho + 2 sqrt(rho ln(1 / delta)) at delta
///   (Bun, Steinke 2016: propositions 1.4 and 1.3, lemma 2.3).
/// - The sum of both, each over the releases of its own kind.
///
/// It holds for releases that are chosen one after the other in view of what came before.
pub fn composed(costs: &[Cost], delta: Fraction) -> Option<Fraction> {
    let (mut pure, mut rho, mut all) = (0_u64, 0.0_f64, 0.0_f64);
    for cost in costs {
        match cost {
            Cost::Pure(epsilon) => {
                pure = pure.saturating_add(epsilon.parts());
                all += epsilon.value() * epsilon.value() / 2.0;
            }
            Cost::Concentrated(of) => {
                rho += of.value();
                all += of.value();
            }
        }
    }
    let log = -delta.value().ln();
    let epsilon = |rho: f64| Fraction::at_least(rho + 2.0 * (rho * log).sqrt());
    let mut bounds = Vec::new();
    if rho == 0.0 {
        bounds.push(Fraction::of_parts(pure));
    }
    if delta > Fraction::default() {
        bounds.push(epsilon(all));
        bounds.push(Fraction::of_parts(pure.saturating_add(epsilon(rho).parts())));
    }
    bounds.into_iter().min()
}
