//! Has the logs' checkpoints cosigned by witnesses (C2SP tlog-witness), and keeps them with the cosignatures.
//!
//! A process that asks holds `witness.lock`, so that a witness sees one request of this home at a time. The state is the
//! witnesses' and the file `checkpoint.cosigned` of each log, replaced as a whole once enough have cosigned: it always holds
//! one checkpoint with its cosignatures. What is in memory only saves requests.

mod ask;

use crate::centre::Centre;
use crate::home::{Home, WitnessAt, operator_hint};
use crate::store::{COSIGNED, Head, LogDir};
use ask::Ask;
use fedaudit_core::codec::Valid;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::note::{Cosigner, cosignatures};
use fedaudit_core::roster::Trust;
use fedaudit_link::home::{Lock, write_atomic};
use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// First wait after a witness failed; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait until a witness that fails is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A log to be cosigned: its checkpoint, and what was cosigned of it before.
#[derive(Clone, Debug)]
pub struct Wanted {
    head: Head,
    kept: Option<Head>,
}

/// Asks witnesses, and remembers how that went.
pub struct Sender {
    trust: Valid<Trust>,
    witnesses: Vec<Witness>,
    /// Cosignature lines of checkpoints that lack others, by origin: note, and lines by witness.
    gathered: BTreeMap<String, (String, BTreeMap<usize, String>)>,
}

struct Witness {
    ask: Ask,
    failures: u32,
    /// Not asked before then.
    wait: Option<Instant>,
}

/// What asking came to.
#[derive(Default)]
pub struct Round {
    /// Witnesses that cosigned all that they were asked to.
    pub cosigned: Vec<Cosigner>,
    /// What went wrong, witness by witness.
    pub faults: Vec<Fault>,
}

impl Sender {
    /// For the witnesses of `config.toml`.
    ///
    /// # Errors
    /// A key that cannot be read.
    pub fn new(home: &Home) -> Result<Sender, Fault> {
        let make = |WitnessAt { url, key }: &WitnessAt| {
            let key =
                Cosigner::parse(key).map_err(|e| operator_hint(format!("[[witnesses]]: {e}"), "mend that key"))?;
            Ok(Witness { ask: Ask::new(url, key), failures: 0, wait: None })
        };
        let witnesses = home.config.witnesses.iter().map(make).collect::<Result<_, Fault>>()?;
        Ok(Sender { trust: home.trust.clone(), witnesses, gathered: BTreeMap::new() })
    }

    /// Asks each witness for what it has not cosigned, side by side, each for one log after the other. With `again` also
    /// for what it has cosigned, to see whether it can. `_lock` shows that nobody else asks.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn round(&mut self, wanted: &[Wanted], again: bool, now: Instant, _lock: &Lock) -> Result<Round, Fault> {
        self.gathered.retain(|_, (note, _)| wanted.iter().any(|of| of.head.note == *note));
        let due: Vec<Vec<&Wanted>> = (0..self.witnesses.len()).map(|at| self.due(at, wanted, again, now)).collect();
        let asks: Vec<Ask> = self.witnesses.iter().map(|witness| witness.ask.clone()).collect();
        let mut faults: BTreeMap<usize, Fault> = BTreeMap::new();
        let (said, heard) = mpsc::channel();
        std::thread::scope(|scope| -> Result<(), Fault> {
            for ((at, ask), due) in asks.iter().enumerate().zip(&due) {
                let said = said.clone();
                scope.spawn(move || {
                    for wanted in due {
                        let answer = ask.cosign(&wanted.head, wanted.kept.as_ref());
                        let failed = answer.is_err();
                        // A witness that does not answer is not waited for log after log.
                        if said.send((at, *wanted, answer)).is_err() || failed {
                            break;
                        }
                    }
                });
            }
            drop(said);
            for (at, wanted, answer) in heard {
                match answer {
                    Ok(line) => self.take(at, wanted, line)?,
                    Err(fault) => _ = faults.insert(at, fault),
                }
            }
            Ok(())
        })?;
        Ok(self.close(&due, &faults, now))
    }

    /// What a witness is to be asked for now.
    fn due<'a>(&self, at: usize, wanted: &'a [Wanted], again: bool, now: Instant) -> Vec<&'a Wanted> {
        let Some(witness) = self.witnesses.get(at) else { return Vec::new() };
        if !again && witness.wait.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let gathered = |of: &Wanted| {
            let held = self.gathered.get(&of.head.checkpoint.origin);
            held.is_some_and(|(note, lines)| *note == of.head.note && lines.contains_key(&at))
        };
        let has = |of: &Wanted| gathered(of) || of.line_of(&witness.ask.key).is_some();
        wanted.iter().filter(|of| again || !has(of)).collect()
    }

    /// Keeps a cosignature; on disk once there are enough, and whenever there are more.
    fn take(&mut self, at: usize, wanted: &Wanted, line: String) -> Result<(), Fault> {
        let Head { path, checkpoint, note } = &wanted.head;
        let entry = self.gathered.entry(checkpoint.origin.clone());
        let (held, lines) = entry.or_insert_with(|| (note.clone(), BTreeMap::new()));
        if held != note {
            (*held, *lines) = (note.clone(), BTreeMap::new());
        }
        lines.entry(at).or_insert(line);
        let mut whole = note.clone();
        for (at, witness) in self.witnesses.iter().enumerate() {
            // The first time that a witness saw it says more than the last.
            let line = wanted.line_of(&witness.ask.key).or_else(|| lines.get(&at).cloned());
            whole += &line.unwrap_or_default();
        }
        let new = wanted.kept.as_ref().is_none_or(|kept| kept.note != whole);
        if new && self.trust.check_quorum(whole.as_bytes()).is_ok() {
            write_atomic(&path.join(COSIGNED), whole.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn close(&mut self, due: &[Vec<&Wanted>], faults: &BTreeMap<usize, Fault>, now: Instant) -> Round {
        let mut round = Round::default();
        for (at, witness) in self.witnesses.iter_mut().enumerate() {
            if let Some(fault) = faults.get(&at) {
                let wait = FIRST_WAIT.saturating_mul(1 << witness.failures.min(6)).min(LONGEST_WAIT);
                witness.failures = witness.failures.saturating_add(1);
                witness.wait = Some(now + wait);
                round.faults.push(fault.clone());
            } else if due.get(at).is_some_and(|due| !due.is_empty()) {
                (witness.failures, witness.wait) = (0, None);
                round.cosigned.push(witness.ask.key.clone());
            }
        }
        round
    }
}

impl Wanted {
    /// The line of a witness below this very checkpoint, if it is kept.
    fn line_of(&self, key: &Cosigner) -> Option<String> {
        let kept = self.kept.as_ref().filter(|kept| kept.checkpoint == self.head.checkpoint)?;
        let text = kept.checkpoint.text();
        let lines = kept.note.get(text.len() + 1..)?.split_inclusive('\n');
        let by = |line: &&str| {
            let found =
                cosignatures(format!("{text}\n{line}").as_bytes(), std::slice::from_ref(key)).map(|of| of.len());
            found == Ok(1)
        };
        lines.filter(by).map(str::to_owned).next()
    }
}

impl Centre {
    /// What is to be cosigned: every log with entries.
    pub fn wanted(&self) -> Vec<Wanted> {
        let wanted = self.logs().filter_map(|log| Some(Wanted { head: log.head()?, kept: log.cosigned().cloned() }));
        wanted.collect()
    }

    /// Asks all witnesses once, if there are any, for what this command appended. Nothing is undone if they do not answer:
    /// the daemon, or the next command, asks again. What went wrong.
    ///
    /// # Errors
    /// A home that is damaged.
    pub fn ask_witnesses(&mut self) -> Result<Vec<Fault>, Fault> {
        self.witnesses_round(false).map(|round| round.faults)
    }

    /// Checks that as many witnesses as `trust.json` asks for cosign now, before anything is written that needs them.
    ///
    /// # Errors
    /// Too few do; the fault names the others.
    pub fn check_witnesses(&mut self) -> Result<(), Fault> {
        let threshold = self.home.trust.witnesses.threshold;
        if threshold == 0 {
            return Ok(());
        }
        let round = self.witnesses_round(true)?;
        let trusted = self.home.trust.cosigners();
        let answered = trusted.iter().filter(|of| round.cosigned.contains(of)).count();
        if answered >= threshold { Ok(()) } else { Err(self.too_few(answered, &round.faults)) }
    }

    /// Has every log cosigned as it stands; its checkpoints are then those that others are shown.
    ///
    /// # Errors
    /// Too few witnesses cosigned; the fault names the others.
    pub fn need_witnesses(&mut self) -> Result<(), Fault> {
        let faults = self.ask_witnesses()?;
        let least = self.logs().filter(|log| log.size() > 0).map(|log| self.cosigned_by(log)).min().unwrap_or(0);
        if least < self.home.trust.witnesses.threshold {
            return Err(self.too_few(least, &faults));
        }
        faults.iter().for_each(|fault| eprintln!("not cosigned: {fault}"));
        Ok(())
    }

    /// How many of the witnesses of `trust.json` are known to have cosigned the log as it stands.
    fn cosigned_by(&self, log: &LogDir) -> usize {
        let head = log.cosigned().filter(|head| head.checkpoint.size == log.size());
        head.and_then(|head| self.home.trust.check_quorum(head.note.as_bytes()).ok()).unwrap_or(0)
    }

    pub(crate) fn witnesses_round(&mut self, again: bool) -> Result<Round, Fault> {
        if self.home.config.witnesses.is_empty() {
            return Ok(Round::default());
        }
        let lock = Lock::acquire(&self.home.witness_lock())?;
        self.refresh()?;
        let round = Sender::new(&self.home)?.round(&self.wanted(), again, Instant::now(), &lock)?;
        // Nothing else is read: the logs stay those that were cosigned.
        self.refresh_cosigned()?;
        Ok(round)
    }

    fn too_few(&self, answered: usize, faults: &[Fault]) -> Fault {
        let (wanted, known) = (&self.home.trust.witnesses, &self.home.config.witnesses);
        let nowhere = wanted.keys.iter().filter(|key| known.iter().all(|witness| witness.key != **key)).map(|key| {
            let name = Cosigner::parse(key).map_or(key.clone(), |key| key.label());
            let hint = "add it to [[witnesses]] in config.toml, and run this again";
            operator_hint(format!("config.toml does not say where witness {name} is"), hint)
        });
        let faults: Vec<Fault> = faults.iter().cloned().chain(nowhere).collect();
        let (n, m) = (wanted.threshold, wanted.keys.len());
        let what = format!("{answered} of {m} witnesses cosign the logs' checkpoints, {n} are needed");
        let said: String = faults.iter().map(|fault| format!("; {}", fault.what)).collect();
        let blame = faults.first().map_or(Blame::Network, |fault| fault.blame);
        let hint = faults.first().map_or("run this again", |fault| &fault.hint);
        Fault::new(blame, what + &said, format!("{hint}; no report was written"))
    }
}
