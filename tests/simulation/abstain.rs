//! Abstentions in the simulation: what is withdrawn in the end is counted in the end.

use crate::world::World;
use fedaudit_agent::abstain::{Abstain, Withdraw, abstain, standing, withdraw};
use fedaudit_agent::outbox::Kind;
use fedaudit_core::ids::Name;

impl World {
    /// A site abstains for the first window that it has not released, or for all of them.
    pub fn abstain(&mut self, site: usize) {
        let (all, now) = (self.below(4) == 0, self.now);
        let plan = Name::new("weekly").expect("a name");
        let home = self.site(site);
        let (_, published) = home.plan_named(&plan).expect("is published");
        let listed = home.outbox.list().expect("reads");
        let released = |window| listed.iter().any(|l| l.kind == Kind::Release && l.window == window);
        let Some(window) = published.plan.all_windows().into_iter().find(|window| !released(*window)) else { return };
        let window = if all { "all".to_owned() } else { window.to_string() };
        let wanted = Abstain { plan, window, reason: "on holiday".to_owned(), by: None };
        abstain(home, &wanted, now).expect("abstains");
        assert_eq!(abstain(home, &wanted, now), Ok(0), "once is enough");
    }

    /// A site withdraws all of its abstentions.
    pub fn withdraw(&mut self, site: usize) {
        let now = self.now;
        let home = self.site(site);
        let held = standing(home).expect("reads").len();
        let wanted = Withdraw { plan: Name::new("weekly").expect("a name"), window: "all".to_owned(), by: None };
        assert_eq!(withdraw(home, &wanted, now).unwrap_or(0), held);
    }
}
