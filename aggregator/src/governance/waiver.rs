//! Waivers: governance does without the releases of a required site.

use super::Governance;
use crate::basis::Basis;
use crate::centre::Centre;
use crate::home::{operator_hint, plan_named, refused};
use clap::Args;
use fedaudit_core::absence::{FORMAT, Waiver, WaiverText, attest_waiver, windows_named};
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::Name;
use fedaudit_core::time::{Time, Window};
use std::collections::BTreeSet;

/// `waiver PLAN SITE --window WINDOW --reason TEXT`
#[derive(Args)]
pub struct Waive {
    /// The plan's name; its latest version.
    plan: Name,
    /// The site; the plan requires it.
    site: Name,
    /// A window as START/END, or `all`; may be given several times.
    #[arg(long, required = true)]
    window: Vec<String>,
    /// Why; everybody reads it.
    #[arg(long)]
    reason: String,
}

impl Governance {
    /// Signs a waiver for those of the windows that are not waived yet; which these are. None if all are.
    ///
    /// # Errors
    /// No such plan or window, a site that the plan does not require, a reason that is none.
    pub fn sign_waiver(
        &self,
        basis: &Basis,
        wanted: &Waive,
        now: Time,
    ) -> Result<Option<(Attestation, Vec<Window>)>, Fault> {
        let (digest, published) = plan_named(&basis.registry, &wanted.plan)?;
        let plan = &published.plan;
        if !plan.required_sites.contains(&wanted.site) {
            let required: Vec<_> = plan.required_sites.iter().map(Name::as_str).collect();
            let hint = format!("only a required site needs a waiver: {}", required.join(", "));
            return Err(operator_hint(format!("plan {} does not require site {}", plan.plan, wanted.site), hint));
        }
        let hint = "name windows of the plan as START/END, or all; nothing was signed";
        let mut windows = BTreeSet::new();
        for text in &wanted.window {
            windows.extend(windows_named(plan, text).map_err(|e| operator_hint(format!("--window: {e}"), hint))?);
        }
        for known in basis.registry.waivers_of(&digest).filter(|known| known.waiver.site == wanted.site) {
            windows.retain(|window| known.waiver.windows.binary_search(window).is_err());
        }
        let windows: Vec<_> = windows.into_iter().collect();
        if windows.is_empty() {
            return Ok(None);
        }
        let (site, reason) = (wanted.site.clone(), wanted.reason.clone());
        let waiver = Waiver::new(WaiverText { format: FORMAT, plan: digest, site, windows: windows.clone(), reason });
        let waiver = waiver.map_err(|e| operator_hint(e, "say why in a line: --reason TEXT"))?;
        let attestation = attest_waiver(&waiver, self.head(basis, now, None), &[&self.key]).map_err(refused)?;
        Ok(Some((attestation, windows)))
    }

    /// Publishes a waiver for those of the windows that are not waived yet; which these are.
    ///
    /// # Errors
    /// As [`Governance::sign_waiver`], or a disk that fails.
    pub fn waive(&self, centre: &mut Centre, wanted: &Waive, now: Time) -> Result<Vec<Window>, Fault> {
        let lock = centre.lock()?;
        let Some((attestation, windows)) = self.sign_waiver(&Basis::of(centre)?, wanted, now)? else {
            return Ok(Vec::new());
        };
        centre.publish(&attestation, &lock)?;
        Ok(windows)
    }
}
