//! What checks came to, and what they come to together.

use crate::fault::Refusal;
use crate::report::Report;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold: the evidence contradicts itself, the report or the trust file.
    Fail,
    /// It cannot be told: something is missing or unknown.
    Undecidable,
    /// The bytes are not what they should be.
    Malformed,
}

/// One named check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, as listed in `schemas/checks.md`.
    pub check: String,
    /// What it looked at.
    pub subject: String,
    /// What it came to.
    pub outcome: Outcome,
    /// What it wanted.
    pub expected: String,
    /// What it met.
    pub found: String,
    /// Whose document it is about: the party and the id of the key that the document names; whether that key did sign is for
    /// the check to say. Absent where there is no one document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// All checks of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// Files that were not looked at: they are no evidence.
    pub not_evidence: Vec<String>,
    /// The report, if it could be read.
    #[serde(skip)]
    pub report: Option<Report>,
}

impl Verdict {
    pub(crate) fn empty() -> Verdict {
        Verdict { checks: Vec::new(), not_evidence: Vec::new(), report: None }
    }

    /// 0 verified, 1 refuted, 2 undecidable, 3 malformed; 3 before 1 before 2.
    pub fn exit_code(&self) -> u8 {
        let any = |outcome| self.checks.iter().any(|check| check.outcome == outcome);
        match () {
            () if any(Outcome::Malformed) => 3,
            () if any(Outcome::Fail) => 1,
            () if any(Outcome::Undecidable) || self.checks.is_empty() => 2,
            () => 0,
        }
    }

    /// The exit code in a word.
    pub fn word(&self) -> &'static str {
        ["verified", "refuted", "undecidable", "malformed"][usize::from(self.exit_code().min(3))]
    }

    pub(crate) fn pass(&mut self, check: &str, subject: impl ToString, found: impl ToString) {
        let found = found.to_string();
        self.push(check, subject, Outcome::Pass, found.clone(), found);
    }

    pub(crate) fn push(
        &mut self,
        check: &str,
        subject: impl ToString,
        outcome: Outcome,
        expected: String,
        found: String,
    ) {
        let (check, subject, signer) = (check.to_owned(), subject.to_string(), None);
        self.checks.push(Check { check, subject, outcome, expected, found, signer });
    }

    /// Says whose document the last check was about.
    pub(crate) fn by(&mut self, signer: Option<String>) {
        if let Some(check) = self.checks.last_mut() {
            check.signer = signer;
        }
    }

    /// Whose document the last check was about.
    pub(super) fn signer(&self) -> Option<String> {
        self.checks.last()?.signer.clone()
    }

    /// Of each check, at most [`LINES`] that did not pass, and one line for all others: it comes to the worst of them.
    pub(super) fn shorten(&mut self) {
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut more: BTreeMap<String, (usize, Outcome)> = BTreeMap::new();
        self.checks.retain(|check| {
            if check.outcome == Outcome::Pass {
                return true;
            }
            let count = lines.entry(check.check.clone()).or_default();
            *count += 1;
            if *count > LINES {
                let (left_out, worst) = more.entry(check.check.clone()).or_insert((0, check.outcome));
                *left_out += 1;
                *worst = worse(*worst, check.outcome);
            }
            *count <= LINES
        });
        for (check, (count, outcome)) in more {
            let found = format!("and {count} more that did not pass");
            self.push(&check, "others", outcome, "as above".to_owned(), found);
        }
    }

    /// A refusal under the heading of `check`; an unknown signer or version is undecidable, not wrong.
    pub(crate) fn refuse(&mut self, check: &str, subject: impl ToString, refusal: &Refusal) {
        let outcome = match refusal.check.as_str() {
            "signer" | "missing" | "version" | "witnesses" => Outcome::Undecidable,
            "bundle" | "envelope" => Outcome::Malformed,
            _ => Outcome::Fail,
        };
        let found = format!("{}: {}", refusal.check, refusal.found);
        self.push(check, subject, outcome, refusal.expected.clone(), found);
    }
}

/// Malformed before refuted before undecidable.
fn worse(a: Outcome, b: Outcome) -> Outcome {
    let order = [Outcome::Malformed, Outcome::Fail, Outcome::Undecidable];
    order.into_iter().find(|outcome| [a, b].contains(outcome)).unwrap_or(Outcome::Pass)
}

/// Lines of one check that did not pass which a verdict holds.
pub const LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_pass_is_counted_beyond_a_hundred_lines() {
        let mut verdict = Verdict::empty();
        for index in 0..LINES + 5 {
            let missing = Refusal::new("missing", "a file", "none");
            verdict.refuse("release", index, &missing);
        }
        verdict.refuse("release", "last", &Refusal::new("signature", "a good one", "a bad one"));
        verdict.pass("artifact", "all", "good");
        verdict.shorten();
        assert_eq!(verdict.checks.len(), LINES + 2);
        let last = &verdict.checks[LINES + 1];
        assert_eq!((last.check.as_str(), last.found.as_str()), ("release", "and 6 more that did not pass"));
        assert_eq!((last.outcome, verdict.exit_code()), (Outcome::Fail, 1), "the worst of those left out counts");
    }

    /// What a verifier makes of a refused document is as `schemas/codes.json` says.
    #[test]
    fn a_refused_document_has_the_outcome_of_its_code() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/codes.json");
        let codes: Vec<serde_json::Value> =
            serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
        let mut seen = 0;
        for row in codes.iter().filter(|row| row["where"] == "document") {
            let mut verdict = Verdict::empty();
            let code = row["code"].as_str().expect("a code");
            verdict.refuse("release", "a document", &Refusal::new(code, "", ""));
            assert_eq!(serde_json::json!(verdict.checks[0].outcome), row["outcome"], "{code}");
            seen += 1;
        }
        assert!(seen > 20, "{seen} codes");
    }
}
