//! What the ledger says was spent.

use super::PrivacyConfig;
use crate::close::Question;
use crate::site::Site;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Digest;
use fedaudit_core::plan::Fraction;
use fedaudit_core::privacy::{Cost, composed, cost};
use fedaudit_core::time::Window;
use std::collections::BTreeMap;

/// Releases that were paid for.
#[derive(Debug, Default)]
pub(crate) struct Spending(BTreeMap<(Digest, Window), Paid>);

/// One release.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paid {
    model: String,
    cost: Cost,
    left_out: u64,
    /// The noise on each count.
    pub noise: Vec<i64>,
}

/// A model's releases of one period.
pub(crate) struct Period {
    /// The model's id.
    pub model: String,
    /// When.
    pub period: Window,
    /// Releases that were paid for.
    pub releases: usize,
    /// Events left out of their counts.
    pub left_out: u64,
    /// What they cost together; none where no bound holds.
    pub spent: Option<Fraction>,
}

impl Period {
    /// What is left of a budget.
    pub fn left(&self, budget: Fraction) -> Fraction {
        let spent = self.spent.map_or(u64::MAX, Fraction::parts);
        Fraction::of_parts(budget.parts().saturating_sub(spent))
    }
}

impl Paid {
    /// Whether the ledger would say nothing new.
    pub fn is(&self, entry: &LedgerEntry) -> bool {
        let Paid { model, cost, left_out, noise } = self;
        matches!(entry, LedgerEntry::Spent { model: m, cost: c, left_out: l, noise: n, .. } if (m, c, l, n) == (model, cost, left_out, noise))
    }
}

impl Spending {
    /// Reads the ledger; of a plan and window the last entry counts.
    ///
    /// # Errors
    /// A journal that is damaged.
    pub fn read(site: &mut Site) -> Result<Spending, Fault> {
        let mut spending = Spending::default();
        site.journal.ledger(|_, entry| {
            if let LedgerEntry::Spent { plan, window, model, cost, left_out, noise } = entry {
                spending.0.insert((plan, window), Paid { model, cost, left_out, noise });
            }
            Ok(())
        })?;
        Ok(spending)
    }

    /// What was paid for a window of a plan.
    pub fn entry(&self, plan: &Digest, window: &Window) -> Option<&Paid> {
        self.0.get(&(*plan, *window))
    }

    fn of<'a>(&'a self, model: &'a str, period: i64, budget: &'a PrivacyConfig) -> impl Iterator<Item = &'a Paid> {
        let meant = move |((_, window), paid): &(&(Digest, Window), &Paid)| {
            paid.model == model && budget.periods(window).contains(&period)
        };
        self.0.iter().filter(meant).map(|(_, paid)| paid)
    }

    /// What was spent, by model and period.
    pub fn periods(&self, budget: &PrivacyConfig) -> Vec<Period> {
        let all = self.0.iter().flat_map(|((_, window), paid)| budget.periods(window).map(move |at| (&paid.model, at)));
        let all: std::collections::BTreeSet<_> = all.collect();
        let of = |(model, at): (&String, i64)| {
            let paid: Vec<&Paid> = self.of(model, at, budget).collect();
            let costs: Vec<Cost> = paid.iter().map(|paid| paid.cost).collect();
            Period {
                model: model.clone(),
                period: budget.period(at),
                releases: paid.len(),
                left_out: paid.iter().map(|paid| paid.left_out).sum(),
                spent: composed(&costs, budget.delta),
            }
        };
        all.into_iter().map(of).collect()
    }
}

/// Why the budget does not allow a release with noise, for the site's own log; none if it does, or if the release is paid for
/// or has no noise.
///
/// # Errors
/// A journal that is damaged.
pub(crate) fn spent(site: &mut Site, question: &Question) -> Result<Option<String>, Fault> {
    let Some(cost) = cost(&question.plan) else { return Ok(None) };
    let Some(budget) = site.home.config.privacy else {
        return Ok(Some("config.toml has no [privacy] any more".to_owned()));
    };
    let spending = Spending::read(site)?;
    if spending.entry(&question.digest, &question.window).is_some() {
        return Ok(None);
    }
    let model = &question.contract.model;
    for period in budget.periods(&question.window) {
        let before: Vec<Cost> = spending.of(model, period, &budget).map(|paid| paid.cost).collect();
        let with: Vec<Cost> = before.iter().copied().chain([cost]).collect();
        let with = composed(&with, budget.delta);
        if with.is_none_or(|epsilon| epsilon > budget.epsilon) {
            let text = |of: Option<Fraction>| of.map_or("no bound".to_owned(), |epsilon| format!("epsilon {epsilon}"));
            return Ok(Some(format!(
                "the budget of model {model} for {} is epsilon {}: {} is spent by {} releases, it would be {} with this one",
                budget.period(period),
                budget.epsilon,
                text(composed(&before, budget.delta)),
                before.len(),
                text(with)
            )));
        }
    }
    Ok(None)
}
