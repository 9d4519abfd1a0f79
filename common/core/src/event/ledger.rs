//! What a site did, for its own audit.

use crate::ids::{Digest, Name};
use crate::plan::Fraction;
use crate::privacy::Cost;
use crate::time::{Time, Window};
use serde::{Deserialize, Serialize};

/// What a site did, for its own audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LedgerEntry {
    /// The journal begins.
    Genesis {
        /// The federation.
        federation: Name,
        /// The site.
        site: Name,
        /// The epoch, from 1.
        epoch: u32,
    },
    /// A model version gets its code.
    ModelVersion {
        /// The code, counted from 0.
        code: u32,
        /// The model's id.
        model: String,
        /// The version's text.
        version: String,
        /// SHA-256 of the model, if the source tells it.
        digest: Option<Digest>,
        /// SHA-256 of the manifest of the data that it was trained on, if the source tells it.
        dataset: Option<Digest>,
    },
    /// A file was imported.
    Import {
        /// SHA-256 of the file's bytes.
        file: Digest,
        /// Events that were new.
        events: u64,
        /// Outcomes that were new.
        outcomes: u64,
        /// Rows that were there already.
        duplicates: u64,
        /// Rows refused.
        rejected: u64,
    },
    /// A plan was accepted.
    Accepted {
        /// The plan.
        plan: Digest,
        /// Whether each of its releases waits for the data steward; without, this is their standing approval.
        review: bool,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// A plan was refused.
    Refused {
        /// The plan.
        plan: Digest,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// A release was signed.
    Released {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Its number within site and plan, from 0.
        sequence: u64,
        /// SHA-256 of its envelope.
        envelope: Digest,
        /// Salt of the raw aggregate's digest.
        salt: [u8; 16],
    },
    /// An abstention stands: it was signed, or taken up again after it was withdrawn.
    Abstained {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Its number within site and plan.
        sequence: u64,
        /// SHA-256 of its envelope.
        envelope: Digest,
    },
    /// An abstention was withdrawn here: the window is released when it is due, and the release will say so.
    Withdrawn {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// A text of few values (caller, class, source) gets its code.
    Term {
        /// The code, counted from 0.
        code: u32,
        /// The text.
        text: String,
    },
    /// A sampling tier begins.
    Sampling {
        /// Its code, counted from 1; 0 is the tier of which every event is journaled.
        tier: u32,
        /// One event in so many is journaled.
        one_in: u32,
        /// SHA-256 of the secret that chooses them, committed before the first choice.
        commitment: Digest,
    },
    /// Sequence numbers of a source did not come; those that come later are told by their events.
    Gap {
        /// Code of the source ([`LedgerEntry::Term`]).
        source: u32,
        /// First number missing.
        first: u64,
        /// Last number missing.
        last: u64,
    },
    /// A segment was closed; nothing is written to it any more.
    Sealed {
        /// Its number, from 1.
        segment: u32,
        /// Name, size and root of each log, as of its end.
        logs: Vec<(String, u64, Digest)>,
    },
    /// A sealed segment was written to the archive.
    Archived {
        /// Its number.
        segment: u32,
        /// Name within the archive and SHA-256 of each file.
        files: Vec<(String, Digest)>,
    },
    /// Records of a sealed segment were deleted; the roots of their blocks stay.
    Deleted {
        /// Its number.
        segment: u32,
        /// Whether they went from the archive as well.
        archive: bool,
    },
    /// Nothing is deleted from here on, until the hold is lifted.
    Held {
        /// Why.
        reason: String,
    },
    /// A hold was lifted.
    HoldLifted {
        /// Why.
        reason: String,
    },
    /// What identified a subject was destroyed. Who it was is not said.
    Erased {
        /// When.
        at: Time,
        /// Events of the subject that can no longer be told to be.
        events: u64,
    },
    /// A release was computed and waits for the data steward; it takes the place of an earlier draft of the window.
    Drafted {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// SHA-256 of the `release.json` that would leave.
        artifact: Digest,
        /// Sizes of the predictions and the outcomes log that it was computed from.
        journal: [u64; 2],
        /// Latest versions of the plan and of its contract that this site knew.
        versions: [u32; 2],
        /// The envelope of the release that it would replace, and why.
        amends: Option<(Digest, String)>,
        /// When.
        at: Time,
    },
    /// A person approved a draft.
    Approved {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// The draft: SHA-256 of its `release.json`.
        artifact: Digest,
        /// How many different persons the site's policy asked for.
        needed: u32,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// A person refused a draft: nothing leaves of the window until it is asked for again.
    Declined {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// The draft.
        artifact: Digest,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// A draft no longer fits what the site allows, or was asked: nothing leaves of the window until it is asked for again.
    Dropped {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// The draft.
        artifact: Digest,
        /// Why.
        reason: String,
        /// When.
        at: Time,
    },
    /// A window whose draft was declined or dropped is asked for again.
    Reviewed {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Who.
        by: String,
        /// When.
        at: Time,
    },
    /// The site's own policy, as it was found to be from here on.
    Policy {
        /// Least k of a plan that the site accepts.
        k_floor: u64,
        /// Attributes that never leave the site.
        never_report: Vec<String>,
        /// Persons who approve a release that waits.
        approvals: u32,
        /// The budget for releases with noise: epsilon, delta, days of a period.
        privacy: Option<(Fraction, Fraction, u32)>,
        /// When it was found.
        at: Time,
    },
    /// The key from which noise is derived, before its first use. Another one draws other noise: it is refused.
    NoiseKey {
        /// What it is called ([`crate::privacy::key_id`]).
        key: Digest,
    },
    /// A release with noise was paid for; the last entry of a plan and window counts, once.
    Spent {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Id of the model whose events were counted.
        model: String,
        /// What it costs.
        cost: Cost,
        /// Events that were left out of the counts.
        left_out: u64,
        /// The noise on each count, in the order of the release.
        noise: Vec<i64>,
    },
    /// Why a release, or a draft of one, shows less than everything of some groups; before it leaves, or waits.
    Hid {
        /// SHA-256 of its `release.json`.
        artifact: Digest,
        /// Those groups.
        groups: Vec<Reason>,
    },
    /// The site is to abstain; what it signs is named by an [`LedgerEntry::Abstained`].
    Abstains {
        /// The plan.
        plan: Digest,
        /// The window.
        window: Window,
        /// Who; the agent itself where a rule of disclosure control keeps the window from leaving.
        by: String,
        /// When.
        at: Time,
    },
    /// A dispute of a report was signed.
    Disputed {
        /// The plan.
        plan: Digest,
        /// The window of what it is about.
        window: Window,
        /// Its number within site and plan.
        sequence: u64,
        /// SHA-256 of its envelope.
        envelope: Digest,
    },
    /// A new epoch begins, as governance said: the journal was lost, or is older than what it signed.
    Epoch {
        /// Its number.
        epoch: u32,
        /// SHA-256 of `epoch.json`.
        document: Digest,
        /// Names of the logs, and how many records each really has.
        sizes: Vec<(String, u64)>,
    },
    /// A document that was signed in an earlier epoch, or by a key that ended, and never received: it is void, and its number free again.
    Lost {
        /// SHA-256 of its envelope.
        envelope: Digest,
    },
}

/// Why less than everything of a group is shown. It never leaves the site: beside a release it would say too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Number of the stratum in the release, from 0.
    pub stratum: u32,
    /// Number of the slice in it.
    pub slice: u32,
    /// Number of the group in that.
    pub group: u32,
    /// The rule.
    pub why: Why,
}

/// Which rule of disclosure control lets less than everything of a group be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// It has numbers from 1 to below k, or from 0 where the plan hides zeros.
    Few,
    /// Other groups of its slice have, and are folded with it.
    Fold,
    /// With it, numbers of others would follow.
    Others,
    /// The slices that overlap go round in a circle, and what follows from them together is not solved.
    Circle,
}
