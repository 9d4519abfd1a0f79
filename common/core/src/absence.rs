//! What stands in the place of a release that is not there: a site's abstention, or a waiver by governance.
//!
//! Neither adds a number to a report; both say, signed and logged, why one is missing.

use crate::codec::{Rules, Valid};
use crate::contract::text;
use crate::envelope::{AbstentionClaim, Attestation, Claim, Head, Published, json, seal};
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::limits;
use crate::plan::PlanText;
use crate::time::Window;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// Format of `abstention.json` and `waiver.json`.
pub const FORMAT: u32 = 1;

/// An abstention that keeps its rules.
pub type Abstention = Valid<AbstentionText>;

/// A site says that it will not answer a plan for a window (`abstention.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbstentionText {
    /// [`FORMAT`].
    pub format: u32,
    /// The site.
    pub site: Name,
    /// Digest of the plan.
    pub plan: Digest,
    /// The window.
    pub window: Window,
    /// Why.
    pub reason: String,
}

/// A waiver that keeps its rules.
pub type Waiver = Valid<WaiverText>;

/// Governance does without the releases of a required site (`waiver.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverText {
    /// [`FORMAT`].
    pub format: u32,
    /// Digest of the plan.
    pub plan: Digest,
    /// The site; the plan requires it, whether it is enrolled or not.
    pub site: Name,
    /// The windows, in order.
    pub windows: Vec<Window>,
    /// Why.
    pub reason: String,
}

impl Rules for AbstentionText {
    fn check(&self) -> Result<(), String> {
        format(self.format)?;
        text("reason", &self.reason)
    }
}

impl Rules for WaiverText {
    fn check(&self) -> Result<(), String> {
        format(self.format)?;
        text("reason", &self.reason)?;
        if self.windows.is_empty() || self.windows.len() > limits::WINDOWS {
            return Err(format!("`windows` holds {}; at least 1, at most {}", self.windows.len(), limits::WINDOWS));
        }
        if self.windows.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("`windows` must ascend, each once".to_owned());
        }
        Ok(())
    }
}

fn format(found: u32) -> Result<(), String> {
    if found == FORMAT { Ok(()) } else { Err(format!("`format` is {found}; this program knows {FORMAT}")) }
}

/// The windows of `plan` that a person names: `all`, or one as `START/END`.
///
/// # Errors
/// Text that is no window, or no window of the plan.
pub fn windows_named(plan: &PlanText, text: &str) -> Result<Vec<Window>, String> {
    if text == "all" {
        return Ok(plan.all_windows());
    }
    let window = Window::parse(text)?;
    if plan.has_window(&window) {
        return Ok(vec![window]);
    }
    let all = plan.all_windows();
    let known: Vec<_> = all.iter().take(3).map(ToString::to_string).collect();
    let more = if all.len() > known.len() { ", ..." } else { "" };
    Err(format!("{window} is no window of plan {}; it has {}{more}", plan.plan, known.join(", ")))
}

/// Attests an abstention, as the next document of the site in the plan's log: number and envelope before it as in a
/// release's claim.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_abstention(
    abstention: &Abstention,
    head: Head,
    sequence: u64,
    previous: Option<Digest>,
    key: &SigningKey,
) -> Result<Attestation, Refusal> {
    let AbstentionText { site, plan, window, .. } = &**abstention;
    let claim = AbstentionClaim { site: site.clone(), plan: *plan, window: *window, sequence, previous };
    seal(head.predicate(Claim::Abstention(claim)), vec![json(abstention)?], &[key])
}

/// Attests a waiver.
///
/// # Errors
/// An envelope over [`limits::ENTRY_BYTES`].
pub fn attest_waiver(waiver: &Waiver, head: Head, keys: &[&SigningKey]) -> Result<Attestation, Refusal> {
    let claim = Published { name: waiver.site.clone(), version: 1, replaces: head.replaces };
    seal(head.predicate(Claim::Waiver(claim)), vec![json(waiver)?], keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HOUR_NS, Time};

    fn window(at: i64) -> Window {
        Window { start: Time(at * HOUR_NS), end: Time((at + 1) * HOUR_NS) }
    }

    #[test]
    fn windows_are_named_as_they_are_printed() {
        let plan = crate::plan::tests::plan();
        let all = plan.all_windows();
        assert_eq!(windows_named(&plan, "all"), Ok(all.clone()));
        assert_eq!(windows_named(&plan, &all[1].to_string()), Ok(vec![all[1]]));
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", "is not a window such as"),
            ("2026-02-01T00:00:00Z/2026-01-01T00:00:00Z", "is not before"),
            ("2026-01-01T00:00:00Z/2026-03-01T00:00:00Z", "it has 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z, "),
        ] {
            let error = windows_named(&plan, text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_waiver_names_windows_once_and_says_why() {
        let site = Name::new("site-a").expect("a name");
        let with = |windows: Vec<Window>, reason: &str| {
            let reason = reason.to_owned();
            Waiver::new(WaiverText { format: FORMAT, plan: Digest([1; 32]), site: site.clone(), windows, reason })
        };
        assert!(with(vec![window(0), window(2)], "closed down").is_ok());
        for (windows, reason, expected) in [
            (vec![], "closed down", "`windows` holds 0"),
            (vec![window(1), window(1)], "closed down", "must ascend"),
            (vec![window(1), window(0)], "closed down", "must ascend"),
            (vec![window(0)], "", "`reason` is \"\""),
            (vec![window(0)], "a\nb", "control characters"),
        ] {
            let error = with(windows, reason).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
