//! Finding what concerns a subject, and destroying what says so.
//!
//! What stays after an erasure are the records: codes, tokens that are random without the keys destroyed, the same token
//! in all records of the subject (so that distinct subjects can still be counted, and releases be computed again), and
//! times to the nanosecond. Together these may single out a person to somebody who knows them otherwise; they no longer
//! say who it is, and an event of the subject that is taken in again is taken for new.

use super::batch::{Batch, predictions_log};
use super::ids::Kind;
use super::sidecar::{Identity, Known, Sidecar};
use super::{Journal, LEDGER, StdRng, last_of, read};
use crate::db::{count, int};
use fedaudit_core::event::{LedgerEntry, Prediction, Record};
use fedaudit_core::fault::Fault;
use fedaudit_core::time::Time;
use rusqlite::OptionalExtension as _;

/// An event of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// `<contract>/<version>`.
    pub contract: String,
    /// Position in the predictions log.
    pub position: u64,
    /// What the site calls the event.
    pub event_id: String,
    /// Where an explanation of it lies.
    pub explanation: Option<String>,
    /// The record.
    pub prediction: Prediction,
}

impl Journal {
    /// The events of a subject with `from <= occurred_at < to`, newest first, as far as they are in this journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn find(&mut self, subject: &str, from: Time, to: Time) -> Result<Vec<Found>, Fault> {
        self.write(|batch| {
            let mut found = Vec::new();
            for known in batch.sidecar.contracts()? {
                let Some(log) = batch.heads.find(&predictions_log(&known.key)) else { continue };
                for (position, identity) in chain(batch, &known, subject)? {
                    // The archive has it, and those before it.
                    if batch.is_gone(log, position) {
                        break;
                    }
                    let prediction = batch.prediction(log, position)?;
                    if (from..to).contains(&prediction.occurred_at) {
                        let (contract, Identity { event_id, explanation, .. }) = (known.key.clone(), identity);
                        found.push(Found { contract, position, event_id, explanation, prediction });
                    }
                }
            }
            Ok(found)
        })
    }

    /// Destroys what identifies a subject and their events, on the disk too; of how many events.
    ///
    /// Crash order: (1) files of ids without the subject's are durable, (2) the sidecar, zeroed, is committed, and with it
    /// what the ledger is to say, (3) the ledger's entry is committed, (4) the sidecar's write-ahead log is emptied, (5) the
    /// old files of ids are removed. A crash before (2) leaves all as it was. After (2) erasing once more, which finds no
    /// event, does (3) to (5); (3) is done as well when the site is opened ([`Journal::settle_erasures`]).
    ///
    /// # Errors
    /// The journal cannot be written, or the disk may still hold something: then erase once more.
    pub fn erase(&mut self, subject: &str, now: Time, rng: &mut StdRng) -> Result<u64, Fault> {
        self.roll_over(false, rng)?;
        let events = self.write(|batch| {
            let mut events = 0;
            let mut keys = Vec::new();
            for known in batch.sidecar.contracts()? {
                let chain = chain(batch, &known, subject)?;
                let ids = batch.ids()?;
                keys.push(ids.key(Kind::Subject, known.id, subject.as_bytes()));
                keys.extend(chain.iter().map(|(_, of)| ids.key(Kind::Event, known.id, of.event_id.as_bytes())));
                let positions: Vec<_> = chain.iter().map(|(position, _)| *position).collect();
                events += batch.sidecar.erase(known.id, &positions)?;
            }
            if events > 0 {
                let sidecar = batch.sidecar;
                batch.ids()?.erase(sidecar, &keys)?;
                batch.sidecar.owe(now, events, batch.size(LEDGER))?;
                batch.put_ledger(LedgerEntry::Erased { at: now, events }, rng)?;
            }
            Ok(events)
        })?;
        self.settle_erasures(rng)?;
        self.sidecar.empty_log()?;
        // Another program may have written runs since: read again which there are.
        self.ids.ids = None;
        self.write(|batch| batch.ids().map(|_| ()))?;
        Ok(events)
    }

    /// Says in the ledger what was erased, where a crash left that out, and forgets what stands there.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn settle_erasures(&mut self, rng: &mut StdRng) -> Result<(), Fault> {
        // What is put in is durable only at the second look, or the next.
        while self.sidecar.owed()?.is_some() {
            self.roll_over(false, rng)?;
            self.write(|batch| {
                let Some((at, events, from)) = batch.sidecar.owed()? else { return Ok(()) };
                let (mut stands, wanted) = (false, Record::Ledger(LedgerEntry::Erased { at, events }));
                let last = last_of(batch.segments)?;
                if let Some(row) = last.log(LEDGER)? {
                    let path = &last.db.path;
                    read::scan(batch.segments, &row, from.min(row.size)..row.size, &mut |position, bytes| {
                        stands |= read::decode(path, &row, position, bytes)? == wanted;
                        Ok(())
                    })?;
                }
                if stands {
                    return batch.sidecar.settle(at);
                }
                batch.put_ledger(LedgerEntry::Erased { at, events }, rng)
            })?;
        }
        Ok(())
    }

    /// What identifies the event at a position, and whether `canonical` are its features; none if that was erased, or
    /// it came without features.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn match_features(&mut self, key: &str, position: u64, canonical: &[u8; 32]) -> Result<Option<bool>, Fault> {
        self.write(|batch| {
            let Some(known) = batch.sidecar.contract(key)? else { return Ok(None) };
            let Some(log) = batch.heads.find(&predictions_log(key)) else { return Ok(None) };
            let Some(hmac) = batch.prediction(log, position)?.feature_hmac else { return Ok(None) };
            let identity = batch.identity(known.id, position)?;
            Ok(identity.map(|Identity { salt, subject, .. }| {
                let key = subject.map(|subject| subject.key);
                fedaudit_core::event::feature_hmac(&salt, key.as_ref(), canonical) == hmac
            }))
        })
    }
}

impl Sidecar {
    /// Notes that the ledger, of `size` records so far, is to say that events were erased.
    fn owe(&self, at: Time, events: u64, size: u64) -> Result<(), Fault> {
        self.db.run("write", |c| {
            let sql = "INSERT INTO erasure (at, events, ledger) VALUES (?, ?, ?)";
            c.execute(sql, [at.0, int(events), int(size)]).map(|_| ())
        })
    }

    /// The oldest erasure that the ledger may not name: when, of how many events, and from which record on it would.
    fn owed(&self) -> Result<Option<(Time, u64, u64)>, Fault> {
        self.db.run("read", |c| {
            let sql = "SELECT at, events, ledger FROM erasure ORDER BY at LIMIT 1";
            c.query_row(sql, [], |row| Ok((Time(row.get(0)?), count(row.get(1)?), count(row.get(2)?)))).optional()
        })
    }

    /// Forgets an erasure that the ledger names.
    fn settle(&self, at: Time) -> Result<(), Fault> {
        self.db.run("write", |c| c.execute("DELETE FROM erasure WHERE at = ?", [at.0]).map(|_| ()))
    }
}

/// The events of a subject under a contract version, newest first.
fn chain(batch: &mut Batch, known: &Known, subject: &str) -> Result<Vec<(u64, Identity)>, Fault> {
    batch.cover(known)?;
    let ids = batch.ids()?;
    let mut next = ids.get(&ids.key(Kind::Subject, known.id, subject.as_bytes()))?;
    let mut chain = Vec::new();
    while let Some(position) = next {
        let Some(identity) = batch.identity(known.id, position)? else { break };
        next = match &identity.subject {
            // Positions descend, so that a damaged file cannot lead in circles.
            Some(of) if of.id == subject => of.previous.filter(|previous| *previous < position),
            _ => break,
        };
        chain.push((position, identity));
    }
    Ok(chain)
}
