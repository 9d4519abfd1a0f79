//! The agent's side of the link as a state machine: no clock, no randomness, no IO.
//!
//! A driver asks [`Shipper::next`] what to do, does it, and reports with [`Shipper::up`], [`Shipper::down`] or
//! [`Shipper::heard`]. The daemon drives it over QUIC, the simulation over nothing.

mod ended;
mod receipt;
mod seen;
mod steps;

pub use self::seen::SeenReport;
use self::seen::reported;
pub use receipt::proven;
pub use steps::{Asked, Keep, RootAt, Step};

use crate::mirror::Mirror;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::note::Checkpoint;
use fedaudit_core::time::{SECOND_NS, Time};
use fedaudit_link::protocol::{Document, PROTOCOL, RegistryPart, Reported, Response, Welcome};
use receipt::receipt_of;
use std::collections::{BTreeMap, VecDeque};

/// The link's state.
#[derive(Debug)]
pub struct Shipper {
    state: State,
    failures: u32,
    poll_ns: i64,
    note_keys: Vec<PublicKey>,
    journals: BTreeMap<String, Checkpoint>,
    part: Option<Part>,
    pending: bool,
    ended: bool,
    /// Whether the next transport key is tried, for the present one has ended.
    other: bool,
    /// Plans whose reports are to be read, each from an index on.
    reports: VecDeque<(Digest, u64)>,
    /// Whether this home has all that the aggregator has of it, as of this connection.
    settled: bool,
    /// What contradicts this journal, unless the registry holds a new epoch of it.
    doubt: Option<Fault>,
}

/// Registry entries that lead on from the mirror, but not yet up to the checkpoint.
#[derive(Debug)]
struct Part {
    from: u64,
    entries: Vec<Document>,
    copy: Mirror,
}

#[derive(Debug)]
enum State {
    Down {
        until: Time,
    },
    Connected,
    /// The hello was answered; the registry is to be read when it is `poll` or later.
    Up {
        poll: Time,
    },
    Halted(Fault),
}

/// First wait after a failure; doubles up to [`LONGEST_WAIT_NS`].
const FIRST_WAIT_NS: i64 = SECOND_NS / 4;
/// Longest wait between attempts.
const LONGEST_WAIT_NS: i64 = 60 * SECOND_NS;

impl Shipper {
    /// A link that is down and may connect at once. One of `note_keys` signs this site's journal checkpoints, or did.
    pub fn new(note_keys: Vec<PublicKey>, poll_ns: i64) -> Self {
        Shipper {
            state: State::Down { until: Time(i64::MIN) },
            failures: 0,
            poll_ns,
            note_keys,
            journals: BTreeMap::new(),
            part: None,
            pending: false,
            ended: false,
            other: false,
            reports: VecDeque::new(),
            settled: false,
            doubt: None,
        }
    }

    /// What to do at `now`; `ready` says whether a release waits, `beat` whether a heartbeat, `registry` how many entries the
    /// mirror has.
    pub fn next(&self, ready: bool, beat: bool, registry: u64, now: Time) -> Step {
        match &self.state {
            State::Halted(fault) => Step::Halt(fault.clone()),
            State::Down { until } if *until > now => Step::Wait(*until),
            State::Down { .. } => Step::Connect,
            State::Connected => Step::Hello,
            State::Up { poll } if *poll <= now => {
                Step::Registry(self.part.as_ref().map_or(registry, |part| part.copy.registry().size()))
            }
            State::Up { .. } if !self.settled => Step::Mine,
            State::Up { .. } if let Some((plan, from)) = self.reports.front() => Step::Reports(*plan, *from),
            State::Up { .. } if ready => Step::Submit,
            State::Up { .. } if beat => Step::Heartbeat,
            State::Up { poll } => Step::Wait(*poll),
        }
    }

    /// The connection stands. Whether this site was let in shows with the answer to the hello.
    pub fn up(&mut self) {
        self.state = State::Connected;
        (self.settled, self.doubt) = (false, None);
    }

    /// The link begins anew: what was judged before no longer holds.
    pub fn again(&mut self) {
        self.journals.clear();
        (self.part, self.doubt) = (None, None);
        self.state = State::Down { until: Time(i64::MIN) };
    }

    /// Stops for good, with what the fault says.
    pub fn halt(&mut self, fault: Fault) -> Fault {
        self.state = State::Halted(fault.clone());
        fault
    }

    /// Whether the aggregator has shown, on this connection, that it has nothing of this site that this home lacks.
    pub fn is_settled(&self) -> bool {
        self.is_up() && self.settled
    }

    /// What contradicts this journal, once the registry is read.
    pub fn doubted(&self) -> Option<Fault> {
        self.doubt.clone().filter(|_| self.part.is_none())
    }

    /// The connection or an answer was lost. `jitter` is random in 0..1.
    pub fn down(&mut self, now: Time, jitter: f64) {
        if let State::Halted(_) = self.state {
            return;
        }
        let longest = FIRST_WAIT_NS.saturating_mul(1 << self.failures.min(12)).min(LONGEST_WAIT_NS);
        // Between half and all of it, so that sites do not come back in step.
        let wait = (longest as f64 * (0.5 + jitter.clamp(0.0, 1.0) / 2.0)) as i64;
        self.failures = self.failures.saturating_add(1);
        self.part = None;
        self.reports.clear();
        self.state = State::Down { until: now.plus_ns(wait) };
    }

    /// Whether the hello was answered.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// Whether the registry is read to its end.
    pub fn is_read(&self) -> bool {
        self.is_up() && self.part.is_none()
    }

    /// The reports of these plans are to be read, each from an index on.
    pub fn ask_reports(&mut self, plans: Vec<(Digest, u64)>) {
        self.reports = plans.into();
    }

    /// Whether the aggregator answered last that it does not know this site's key, and the verified registry does not
    /// hold it either: the site is not approved yet.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// The last checkpoint of each of this site's journal logs that the aggregator says it has verified.
    pub fn journals(&self) -> &BTreeMap<String, Checkpoint> {
        &self.journals
    }

    /// The aggregator verified these checkpoints of this site's journal with a release that it received.
    pub fn journal_seen(&mut self, checkpoints: impl IntoIterator<Item = Checkpoint>) {
        for checkpoint in checkpoints {
            let known = self.journals.get(&checkpoint.origin).map_or(0, |seen| seen.size);
            if checkpoint.size >= known {
                self.journals.insert(checkpoint.origin.clone(), checkpoint);
            }
        }
    }

    /// Judges an answer.
    ///
    /// # Errors
    /// An answer that cannot be used: the link is down until `now` and a while, or halted for good.
    pub fn heard(
        &mut self,
        response: Response,
        asked: Asked,
        mirror: &Mirror,
        now: Time,
        jitter: f64,
    ) -> Result<Keep, Fault> {
        (self.pending, self.ended) = (false, false);
        let judged = match (response, asked) {
            (Response::Hello(welcome), Asked::Hello(own)) => self.greeted(&welcome, own, mirror, now),
            (Response::Registry(part), Asked::Registry) => self.registry(part, mirror, now),
            (Response::Mine(None), Asked::Mine) => {
                self.settled = true;
                Ok(Keep::Nothing)
            }
            (Response::Mine(Some(logged)), Asked::Mine) => Ok(Keep::Mine(logged)),
            (Response::Receipt(receipt), Asked::Submit { envelope, origin, seen }) => {
                receipt_of(receipt, envelope, origin, seen, mirror)
            }
            (Response::Reported(report), Asked::Reports { origin, from, seen }) => {
                self.report(report.map(|report| *report), origin, from, seen, mirror)
            }
            (Response::Refused(refused), Asked::Submit { .. }) if refused.blame == Blame::Site => {
                Ok(Keep::Refused(refused))
            }
            (Response::Refused(refused), Asked::Hello(_))
                if refused.refusal.check == "signer" && self.enrolled(mirror) && !self.other =>
            {
                Err(went_back(refused.refusal))
            }
            (Response::Refused(refused), asked) => {
                // A key that nobody holds is the operator's matter; another site's name would be the site's.
                self.pending = matches!(asked, Asked::Hello(_))
                    && refused.refusal.check == "signer"
                    && refused.blame == Blame::Operator;
                self.other = false;
                self.ended = refused.refusal.check == "key" && refused.blame == Blame::Operator;
                let what = format!("the aggregator refused: {}", refused.refusal);
                Err(Judged::Later(Fault::new(refused.blame, what, refused.hint)))
            }
            _ => Err(Judged::Later(Fault::new(Blame::Aggregator, "an answer to another question", "report it"))),
        };
        judged.map_err(|why| match why {
            Judged::Later(fault) => {
                self.down(now, jitter);
                fault
            }
            Judged::Never(fault) => {
                self.state = State::Halted(fault.clone());
                fault
            }
        })
    }

    /// One report at a time, until there are no more.
    fn report(
        &mut self,
        report: Option<Reported>,
        origin: &str,
        from: u64,
        seen: Option<Checkpoint>,
        mirror: &Mirror,
    ) -> Result<Keep, Judged> {
        let asked = self.reports.pop_front();
        let Some(report) = report else { return Ok(Keep::Nothing) };
        let kept = reported(report, origin, from, seen, mirror)?;
        self.reports.extend(asked.map(|(plan, _)| (plan, kept.index + 1)));
        Ok(Keep::Report(Box::new(kept)))
    }

    /// Whether the verified registry holds this site: an aggregator that does not know it any more lost entries.
    fn enrolled(&self, mirror: &Mirror) -> bool {
        self.note_keys.iter().any(|key| mirror.registry().member(&key.id()).is_some_and(|of| of.ended.is_none()))
    }

    fn greeted(&mut self, welcome: &Welcome, own: &mut RootAt, mirror: &Mirror, now: Time) -> Result<Keep, Judged> {
        if welcome.protocol != PROTOCOL {
            let what = format!("the aggregator speaks protocol {}, this agent {PROTOCOL}", welcome.protocol);
            return Err(Judged::Later(Fault::new(
                Blame::Operator,
                what,
                "use versions of agent and aggregator that overlap",
            )));
        }
        mirror.check(&welcome.registry).map_err(went_back)?;
        for note in &welcome.seen {
            let origin = note.lines().next().unwrap_or_default();
            // Only what this site signed can stop it.
            let Ok((checkpoint, _)) = Checkpoint::open_by(note.as_bytes(), origin, &self.note_keys) else { continue };
            if own(origin, checkpoint.size).map_err(Judged::Later)? != Some(checkpoint.root) {
                let what = format!(
                    "the aggregator holds a checkpoint of {origin} with {} records that this journal does not lead to",
                    checkpoint.size
                );
                let hint =
                    "this home is older than what it signed: restore the newest copy; a lost journal needs a new epoch";
                // Unless governance began a new epoch, which the registry says.
                self.doubt.get_or_insert(Fault::new(Blame::Site, what, hint));
                continue;
            }
            self.journal_seen([checkpoint]);
        }
        self.failures = 0;
        self.state = State::Up { poll: now };
        Ok(Keep::Nothing)
    }

    fn registry(&mut self, part: RegistryPart, mirror: &Mirror, now: Time) -> Result<Keep, Judged> {
        let begin = || Part { from: mirror.registry().size(), entries: Vec::new(), copy: mirror.clone() };
        let Part { from, mut entries, copy } = self.part.take().unwrap_or_else(begin);
        if part.from != copy.registry().size() {
            let what = format!("registry entries from {}, asked from {}", part.from, copy.registry().size());
            return Err(Judged::Later(Fault::new(Blame::Aggregator, what, "report it")));
        }
        let untrue = |refusal: Refusal| {
            Judged::Later(Fault::new(
                Blame::Aggregator,
                format!("a registry entry does not pass: {refusal}"),
                "report it to governance",
            ))
        };
        let copy = copy.with(&part.entries).map_err(untrue)?;
        let empty = part.entries.is_empty();
        entries.extend(part.entries);
        if copy.check(&part.checkpoint).map_err(went_back)? > copy.registry().size() {
            if empty {
                let what = "a registry checkpoint without the entries under it";
                return Err(Judged::Later(Fault::new(Blame::Aggregator, what, "report it")));
            }
            self.part = Some(Part { from, entries, copy });
            return Ok(Keep::Nothing);
        }
        self.state = State::Up { poll: now.plus_ns(self.poll_ns) };
        if entries.is_empty() {
            return Ok(Keep::Nothing);
        }
        Ok(Keep::Registry { from, entries, note: part.checkpoint, mirror: Box::new(copy) })
    }
}

enum Judged {
    Later(Fault),
    Never(Fault),
}

fn went_back(refusal: Refusal) -> Judged {
    if refusal.check == "witnesses" {
        let hint = "nothing is sent until they did: the aggregator's operator looks after them; this agent tries again";
        let what = format!("the aggregator's registry is not witnessed: {refusal}");
        return Judged::Later(Fault::new(Blame::Aggregator, what, hint));
    }
    let hint = "keep this home as it is: its signed checkpoints are evidence; tell governance";
    Judged::Never(Fault::new(
        Blame::Aggregator,
        format!("the aggregator's registry is not a continuation: {refusal}"),
        hint,
    ))
}
