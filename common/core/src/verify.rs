//! One document at a time: from claimed bytes to a verified release. Only verified ones enter a report.

use crate::codec;
use crate::contract::ContractText;
use crate::disclosure::{Cell, Counts, RELEASE_FORMAT, RULE, ReleaseText, ReleasedGroup, ReleasedSlice, Scores};
use crate::envelope::{Claim, Claimed, ReleaseClaim, ReportClaim, Statement};
use crate::event::SCORE_ONE;
use crate::fault::Refusal;
use crate::ids::{Digest, Name};
use crate::key::KeyUse;
use crate::limits;
use crate::note::{Checkpoint, NoteError};
use crate::plan::PlanText;
use crate::roster::{Party, Registry, check_federation, journal_origin, same};
use crate::time::{Time, Window};
use std::collections::BTreeMap;

/// A release whose signature, signer, plan, window, journal checkpoints and sums were checked. Only [`release`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedRelease {
    envelope: Digest,
    artifact: Digest,
    issued_at: Time,
    claim: ReleaseClaim,
    text: ReleaseText,
    journal: Vec<Checkpoint>,
}

impl VerifiedRelease {
    /// SHA-256 of the envelope.
    pub fn envelope(&self) -> Digest {
        self.envelope
    }
    /// SHA-256 of `release.json`.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }
    /// When the site says it signed.
    pub fn issued_at(&self) -> Time {
        self.issued_at
    }
    /// What the site claims of the release.
    pub fn claim(&self) -> &ReleaseClaim {
        &self.claim
    }
    /// The numbers.
    pub fn text(&self) -> &ReleaseText {
        &self.text
    }
    /// The journal checkpoints that the numbers were computed from.
    pub fn journal(&self) -> &[Checkpoint] {
        &self.journal
    }
}

/// Checks everything about a release that the registry and the release itself can tell.
///
/// # Errors
/// Which check it did not pass.
pub fn release(envelope: &[u8], artifact: &[u8], registry: &Registry) -> Result<VerifiedRelease, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    let Claim::Release(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a release", statement.predicate.claim.predicate_type()));
    };
    same("signer", &party, &Party::Site(claim.site.clone()))?;
    statement.check_artifacts(&[artifact])?;
    let plan = &registry.plan(&claim.plan)?.plan;
    let contract = registry.contract_of(plan)?;
    same("contract", &plan.contract_digest, &claim.contract)?;
    if !plan.has_window(&claim.window) {
        return Err(Refusal::new("window", format!("a window of plan {}", plan.plan), claim.window));
    }
    let text: ReleaseText = codec::from_json(artifact).map_err(|e| Refusal::new("release", "a release document", e))?;
    same("release", &(&claim.site, claim.plan, claim.window), &(&text.site, text.plan, text.window))?;
    check_numbers(&text, plan, contract)?;
    let journal = journal(claim, contract, registry)?;
    Ok(VerifiedRelease {
        envelope: Digest::of(envelope),
        artifact: Digest::of(artifact),
        issued_at: statement.predicate.issued_at,
        claim: claim.clone(),
        text,
        journal,
    })
}

/// Checks who signed a report, over which files, and reads its claim.
///
/// # Errors
/// Which check it did not pass.
pub fn report(envelope: &[u8], files: &[&[u8]], registry: &Registry) -> Result<ReportClaim, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    let Claim::Report(claim) = &statement.predicate.claim else {
        return Err(Refusal::new("statement", "a report", statement.predicate.claim.predicate_type()));
    };
    same("signer", &party, &Party::Aggregator)?;
    statement.check_artifacts(files)?;
    Ok(claim.clone())
}

/// What an entry of a plan's log is.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A release; [`release`] checks it.
    Release,
    /// A report by the aggregator.
    Report(ReportClaim),
}

/// Checks who signed an entry of a plan's log, and of what kind it is.
///
/// # Errors
/// Which check it did not pass.
pub fn entry(envelope: &[u8], registry: &Registry) -> Result<Entry, Refusal> {
    let (statement, party) = statement(envelope, registry)?;
    match statement.predicate.claim {
        Claim::Release(_) => Ok(Entry::Release),
        Claim::Report(claim) => {
            same("signer", &Party::Aggregator, &party)?;
            Ok(Entry::Report(claim))
        }
        other => Err(Refusal::new("statement", "a release or a report", other.predicate_type())),
    }
}

/// The digest of the one artifact that an envelope speaks of. Nobody has checked the signature: this only finds the file.
///
/// # Errors
/// `envelope`, `statement`: no envelope, or none with one subject.
pub fn claimed_subject(envelope: &[u8]) -> Result<Digest, Refusal> {
    Claimed::parse(envelope)?.claimed_statement()?.only_subject()
}

fn statement(envelope: &[u8], registry: &Registry) -> Result<(Statement, Party), Refusal> {
    let claimed = Claimed::parse(envelope)?;
    let owner = claimed.signers().find_map(|id| match registry.owner(&id) {
        Some((party, KeyUse::Attest)) => Some(party.clone()),
        _ => None,
    });
    let Some(party) = owner else {
        let found: Vec<_> = claimed.signers().map(|id| id.short()).collect();
        return Err(Refusal::new("signer", "an attest key in the roster", format!("[{}]", found.join(", "))));
    };
    let statement = claimed.verify(&[registry.party(&party)?.key(KeyUse::Attest)?], 1)?;
    check_federation(&statement, &registry.trust().federation)?;
    Ok((statement, party))
}

fn journal(claim: &ReleaseClaim, contract: &ContractText, registry: &Registry) -> Result<Vec<Checkpoint>, Refusal> {
    let key = registry.party(&Party::Site(claim.site.clone()))?.key(KeyUse::Note)?;
    let federation = &registry.trust().federation;
    let wanted = contract.journal_logs().map(|log| journal_origin(federation, &claim.site, claim.epoch, &log));
    if claim.journal.len() != wanted.len() {
        return Err(Refusal::new("journal", format!("checkpoints of {}", wanted.join(", ")), claim.journal.len()));
    }
    let opened = wanted.iter().zip(&claim.journal).map(|(origin, note)| {
        let bad = |e: NoteError| {
            Refusal::new("journal", format!("a checkpoint of {origin} signed by the site's note key"), e)
        };
        let checkpoint = Checkpoint::open(note.as_bytes(), origin, &key).map_err(bad)?;
        if !checkpoint.size.is_multiple_of(limits::BLOCK_RECORDS) {
            return Err(Refusal::new(
                "journal",
                format!("a multiple of {} records", limits::BLOCK_RECORDS),
                checkpoint.size,
            ));
        }
        Ok(checkpoint)
    });
    opened.collect()
}

/// Shape, rule, bounds and sums of a release.
fn check_numbers(text: &ReleaseText, plan: &PlanText, contract: &ContractText) -> Result<(), Refusal> {
    same("version", &(RELEASE_FORMAT, RULE), &(text.format, text.rule.as_str()))?;
    same("release", &plan.disclosure.k, &text.k)?;
    if text.outcomes > text.events || text.events > limits::EVENTS_PER_RELEASE {
        let expected = format!("outcomes <= events <= {}", limits::EVENTS_PER_RELEASE);
        return Err(Refusal::new("release", expected, format!("{} outcomes, {} events", text.outcomes, text.events)));
    }
    let versions: Vec<_> = text.strata.iter().map(|stratum| &stratum.model_version).collect();
    same("release", &plan.model_versions.iter().collect::<Vec<_>>(), &versions)?;
    let mut whole = Some((0, 0));
    for stratum in &text.strata {
        check_slices(&stratum.slices, plan, contract, text.k)?;
        let counts = stratum.slices.first().and_then(|slice| slice.groups.first()?.counts.value());
        whole = whole.zip(counts).map(|((events, outcomes), counts)| {
            (events + total(counts), outcomes + counts.iter().map(|row| row[0] + row[1]).sum::<u64>())
        });
    }
    match whole {
        Some(sums) => same("release", &(text.events, text.outcomes), &sums),
        None => Ok(()),
    }
}

fn check_slices(slices: &[ReleasedSlice], plan: &PlanText, contract: &ContractText, k: u64) -> Result<(), Refusal> {
    let mut wanted = vec![(Vec::new(), vec![Vec::new()])];
    wanted.extend(plan.slices.iter().map(|slice| (slice.attributes.clone(), slice.groups(contract))));
    if slices.len() != wanted.len() {
        return Err(Refusal::new("release", format!("{} slices", wanted.len()), slices.len()));
    }
    let whole = slices[0].groups.first().and_then(|group| group.counts.value());
    for (slice, (attributes, groups)) in slices.iter().zip(&wanted) {
        same("release", attributes, &slice.attributes)?;
        let found: Vec<_> = slice.groups.iter().map(|group| group.group.clone()).collect();
        same("release", groups, &found)?;
        let hidden = slice.groups.iter().filter(|group| group.counts.value().is_none()).count();
        if hidden != 0 && hidden != slice.groups.len() {
            return Err(Refusal::new("release", "a slice whole or withheld whole", format!("{hidden} groups hidden")));
        }
        for group in &slice.groups {
            check_group(group, contract, k)?;
        }
        if hidden == 0 {
            let mut sum = [[0_u64; 3]; 3];
            for counts in slice.groups.iter().filter_map(|group| group.counts.value()) {
                for (decision, row) in counts.iter().enumerate() {
                    for (label, count) in row.iter().enumerate() {
                        sum[decision][label] = sum[decision][label].saturating_add(*count);
                    }
                }
            }
            same("release", &whole, &Some(&sum))?;
        }
    }
    Ok(())
}

fn check_group(group: &ReleasedGroup, contract: &ContractText, k: u64) -> Result<(), Refusal> {
    same("release", &contract.score.is_some(), &group.scores.is_some())?;
    let Some(counts) = group.counts.value() else {
        return match &group.scores {
            Some(Cell::Value(_)) => Err(Refusal::new("release", "no histogram of a withheld group", "one")),
            _ => Ok(()),
        };
    };
    for count in counts.iter().flatten() {
        check_count(*count, k)?;
    }
    match (&group.scores, &contract.score) {
        (Some(Cell::Value(scores)), Some(score)) => check_scores(scores, counts, score.bins, k),
        _ => Ok(()),
    }
}

fn check_count(count: u64, k: u64) -> Result<(), Refusal> {
    if (count == 0 || count >= k) && count <= limits::EVENTS_PER_RELEASE {
        return Ok(());
    }
    Err(Refusal::new("release", format!("counts of 0 or {k} to {}", limits::EVENTS_PER_RELEASE), count))
}

fn check_scores(scores: &Scores, counts: &Counts, bins: u32, k: u64) -> Result<(), Refusal> {
    let nested = scores.bins >= 10 && bins.is_multiple_of(scores.bins) && (bins / scores.bins).is_power_of_two();
    if !nested {
        return Err(Refusal::new("release", format!("{bins} bins, halved down to 10"), scores.bins));
    }
    for label in 0..3 {
        let mut sum = scores.no_score[label];
        let mut next = 0;
        check_count(sum, k)?;
        for bin in &scores.histogram[label] {
            check_count(bin.1, k)?;
            let most = u128::from(bin.1) * u128::from(SCORE_ONE);
            if bin.0 < next || bin.0 >= scores.bins || bin.1 == 0 || bin.2.0 > most {
                return Err(Refusal::new("release", "ascending bins with events and sums inside the range", bin.0));
            }
            next = bin.0 + 1;
            sum = sum.saturating_add(bin.1);
        }
        let margin = counts.iter().map(|row| row[label]).sum::<u64>();
        same("release", &margin, &sum)?;
        let most = u128::from(margin) * u128::from(SCORE_ONE) * u128::from(SCORE_ONE);
        if scores.square_sums[label].0 > most {
            return Err(Refusal::new("release", format!("at most {most}"), scores.square_sums[label].0));
        }
    }
    Ok(())
}

fn total(counts: &Counts) -> u64 {
    counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(*count))
}

/// What a plan's log holds so far, site by site: the order that releases must come in.
#[derive(Clone, Debug, Default)]
pub struct PlanState {
    sites: BTreeMap<Name, SiteState>,
}

#[derive(Clone, Debug, Default)]
struct SiteState {
    next: u64,
    last: Option<Digest>,
    windows: BTreeMap<Window, Digest>,
}

/// Why a release does not fit behind those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The check.
    pub refusal: Refusal,
    /// The logged envelope that contradicts it; both together are evidence.
    pub against: Option<Digest>,
}

impl PlanState {
    /// Whether `release` may come next.
    ///
    /// # Errors
    /// A broken sequence, a second release for a window that does not amend the first, a wrong previous digest.
    pub fn check(&self, release: &VerifiedRelease) -> Result<(), Conflict> {
        let empty = SiteState::default();
        let claim = release.claim();
        let state = self.sites.get(&claim.site).unwrap_or(&empty);
        let conflict = |check: &str, expected: String, found: String, against: Option<Digest>| {
            Err(Conflict { refusal: Refusal::new(check, expected, found), against })
        };
        let amended = claim.amends.as_ref().map(|amends| amends.envelope);
        let current = state.windows.get(&claim.window).copied();
        if current != amended {
            let wanted = current.map_or("no release amended".to_owned(), |old| format!("a release that amends {old}"));
            let found = amended.map_or("one that amends none".to_owned(), |old| format!("one that amends {old}"));
            return conflict("window", wanted, found, current);
        }
        if claim.sequence != state.next {
            return conflict("sequence", state.next.to_string(), claim.sequence.to_string(), state.last);
        }
        if claim.previous != state.last {
            return conflict("previous", format!("{:?}", state.last), format!("{:?}", claim.previous), state.last);
        }
        Ok(())
    }

    /// Takes the release that comes next.
    ///
    /// # Errors
    /// As [`PlanState::check`]; then nothing has changed.
    pub fn admit(&mut self, release: &VerifiedRelease) -> Result<(), Conflict> {
        self.check(release)?;
        let state = self.sites.entry(release.claim().site.clone()).or_default();
        state.next += 1;
        state.last = Some(release.envelope());
        state.windows.insert(release.claim().window, release.envelope());
        Ok(())
    }

    /// The envelope that holds for a site and window: the last one logged.
    pub fn current(&self, site: &Name, window: &Window) -> Option<Digest> {
        self.sites.get(site)?.windows.get(window).copied()
    }
}
