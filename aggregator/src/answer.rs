//! Carries out what [`crate::intake`] decides, and makes the answers.

use crate::centre::Centre;
use crate::checked::{Checked, check_all};
use crate::fence::Standing;
use crate::home::operator;
use crate::intake::{Book, Decision, decide};
use crate::store::LogDir;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Digest;
use fedaudit_core::key::PublicKey;
use fedaudit_core::limits;
use fedaudit_core::roster::Party;
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, write_atomic};
use fedaudit_link::protocol::{JoinRequest, Logged, Receipt, RegistryPart, Reported, Request, Response};

/// Why the daemon must stop serving.
#[derive(Clone, Debug)]
pub struct Halted(pub Fault);

/// What a request came to, before what is staged is durable.
enum Taken {
    Answered(Response),
    /// Its log, its index there, and how much of that log the site has seen.
    Logged(Book, u64, u64),
}

impl Centre {
    /// Answers a request that makes no log grow.
    ///
    /// # Errors
    /// As [`Centre::take_all`].
    pub fn answer(&mut self, peer: &PublicKey, request: Request, now: Time) -> Result<Response, Halted> {
        // Another process may have settled how a restored home stands.
        let lock = match self.standing {
            Standing::Clear => None,
            _ => Some(self.lock().map_err(Halted)?),
        };
        if lock.is_none() {
            self.refresh().map_err(Halted)?;
        }
        let greets = matches!(&request, Request::Hello(_)).then(|| self.registry().site_of(peer).cloned()).flatten();
        let response = self.take(peer, request, lock.as_ref(), now)?;
        if let (Some(site), Response::Hello(_), Some(lock)) = (greets, &response, &lock) {
            self.heard(&site, lock).map_err(Halted)?;
        }
        Ok(response)
    }

    /// Answers a request from the holder of `peer`.
    ///
    /// # Errors
    /// As [`Centre::take_all`].
    pub fn take(
        &mut self,
        peer: &PublicKey,
        request: Request,
        lock: Option<&Lock>,
        now: Time,
    ) -> Result<Response, Halted> {
        let mut answers = self.take_all(vec![(*peer, request)], lock, now)?;
        answers.pop().ok_or_else(|| Halted(operator("a request without an answer")))
    }

    /// Decides about requests from the holders of keys, in their order, and carries them out: what is to be logged
    /// becomes durable together, before any of it is answered. What came by file goes this way too.
    ///
    /// # Errors
    /// This home is damaged or went back in time: the daemon must stop, nothing was answered, and nothing will be.
    pub fn take_all(
        &mut self,
        requests: Vec<(PublicKey, Request)>,
        lock: Option<&Lock>,
        now: Time,
    ) -> Result<Vec<Response>, Halted> {
        let answered = self.take_group(requests, lock, now);
        if let Err(Halted(fault)) = &answered {
            self.standing = Standing::Stopped(fault.clone());
        }
        answered
    }

    fn take_group(
        &mut self,
        requests: Vec<(PublicKey, Request)>,
        lock: Option<&Lock>,
        now: Time,
    ) -> Result<Vec<Response>, Halted> {
        let checked = check_all(&requests, self.registry());
        let mut taken = Vec::with_capacity(requests.len());
        for ((peer, request), checked) in requests.into_iter().zip(checked) {
            taken.push(self.take_one(&peer, request, checked, lock, now)?);
        }
        if taken.iter().any(|taken| matches!(taken, Taken::Logged(..))) {
            let lock = lock.ok_or_else(|| Halted(operator("a release without the lock")))?;
            self.commit(lock).map_err(Halted)?;
        }
        let answer = |taken| match taken {
            Taken::Answered(response) => Ok(response),
            Taken::Logged(book, index, seen) => self.receipt(book, index, seen).map(Response::Receipt).map_err(Halted),
        };
        taken.into_iter().map(answer).collect()
    }

    fn take_one(
        &mut self,
        peer: &PublicKey,
        request: Request,
        checked: Option<Result<Checked, Refusal>>,
        lock: Option<&Lock>,
        now: Time,
    ) -> Result<Taken, Halted> {
        if let Some(held_back) = self.held_back(&request) {
            return Ok(Taken::Answered(held_back));
        }
        let sent = match &request {
            Request::Submit(sent) | Request::Heartbeat(sent) => Some(sent.clone()),
            _ => None,
        };
        let seen = sent.as_ref().map_or(0, |sent| sent.plan_seen);
        let response = match decide(self, peer, request, checked) {
            Decision::Reply(response) => response,
            Decision::Registry(from) => self.registry_part(from).map_err(Halted)?,
            Decision::Join(request) => self.keep_join(peer, &request).map_err(Halted)?,
            Decision::Reports(plan, from, seen) => self.report_from(&plan, from, seen).map_err(Halted)?,
            Decision::Again(book, index) => return Ok(Taken::Logged(book, index, seen)),
            Decision::Append(book, attestation, checked) => {
                let index = self.stage(book, &attestation, checked).map_err(Halted)?;
                return Ok(Taken::Logged(book, index, seen));
            }
            Decision::Publish(attestation) => {
                let lock = lock.ok_or_else(|| Halted(operator("a registry entry without the lock")))?;
                Response::Published { index: self.publish(&attestation, lock).map_err(Halted)? }
            }
            Decision::Rotate(site, request) => {
                self.home.keep_rotation(&site, request.as_deref()).map_err(Halted)?;
                Response::Kept
            }
            Decision::Mine(found) => {
                let logged = found.map(|(book, index, seen)| self.logged_at(book, index, seen)).transpose();
                Response::Mine(logged.map_err(Halted)?.map(Box::new))
            }
            Decision::Conflict(refused, against) => {
                // What it contradicts may have come in the same group, and evidence names what is logged.
                if let Some(lock) = lock {
                    self.commit(lock).map_err(Halted)?;
                }
                if let (Some(sent), Some(site)) = (sent, self.registry().site_of(peer)) {
                    let sent = sent.attestation();
                    self.keep_conflict(site, &refused, &sent, against, now).map_err(Halted)?;
                }
                Response::Refused(refused)
            }
            Decision::Halt(what) => {
                let what = format!("this home went back in time: {what}");
                let hint = "restore the newest copy of this home; do not serve from an older one";
                return Err(Halted(Fault::new(Blame::Aggregator, what, hint)));
            }
        };
        Ok(Taken::Answered(response))
    }

    fn registry_part(&self, from: u64) -> Result<Response, Fault> {
        let log = self.registry_log();
        let (size, note) = self.shown(log);
        let mut entries = Vec::new();
        let mut bytes = 0;
        for index in from..size {
            let envelope = log.entry(index)?;
            let subject = fedaudit_core::verify::claimed_subject(&envelope).map_err(crate::home::refused)?;
            let artifact = self.artifact(&subject)?;
            bytes += envelope.len() + artifact.len();
            if entries.len() >= limits::ENTRIES_PER_RESPONSE || (bytes > limits::ARTIFACT_BYTES && !entries.is_empty())
            {
                break;
            }
            entries.push((envelope, artifact));
        }
        Ok(Response::Registry(RegistryPart { checkpoint: note.to_owned(), from, entries }))
    }

    fn keep_join(&self, peer: &PublicKey, request: &JoinRequest) -> Result<Response, Fault> {
        let trust =
            std::fs::read(self.home.dir.join("trust.json")).map_err(|e| operator(format!("trust.json: {e}")))?;
        let held = self.registry().party(&Party::Site(request.site.clone()));
        let enrolled = held.is_ok_and(|entry| entry.keys == request.keys);
        let path = self.home.join_path(&request.site, peer);
        let bytes = codec::encode(request).map_err(|e| operator(e.to_string()))?;
        let waiting = self.home.joins()?.len();
        if !enrolled && !path.exists() && waiting >= limits::PENDING_JOINS {
            let refusal = Refusal::new("quota", format!("at most {} waiting joins", limits::PENDING_JOINS), waiting);
            return Ok(crate::intake::refused(
                Blame::Operator,
                refusal,
                "governance must approve or drop waiting joins",
            ));
        }
        if !enrolled && std::fs::read(&path).ok().as_deref() != Some(&bytes) {
            write_atomic(&path, &bytes, 0o600)?;
        }
        Ok(Response::Joined { trust })
    }

    fn report_from(&self, plan: &Digest, from: u64, seen: u64) -> Result<Response, Fault> {
        let report = self.plan(plan).and_then(|log| Some((log, log.reports.iter().find(|r| r.index >= from)?)));
        let Some((log, report)) = report else { return Ok(Response::Reported(None)) };
        let envelope = log.log.entry(report.index)?;
        let subjects = fedaudit_core::verify::claimed_subjects(&envelope).map_err(crate::home::refused)?;
        let json = subjects.first().map_or(Ok(Vec::new()), |subject| self.artifact(subject))?;
        let json = if json.len() > limits::ARTIFACT_BYTES { Vec::new() } else { json };
        let receipt = self.receipt(Book::Plan(*plan), report.index, seen)?;
        Ok(Response::Reported(Some(Box::new(Reported { envelope, json, receipt }))))
    }

    fn book(&self, book: Book) -> Result<&LogDir, Fault> {
        match book {
            Book::Heartbeats => Ok(&self.beats().log),
            Book::Plan(plan) => {
                self.plan(&plan).map(|plan| &plan.log).ok_or_else(|| operator(format!("no plan {plan}")))
            }
        }
    }

    fn receipt(&self, book: Book, index: u64, seen: u64) -> Result<Receipt, Fault> {
        let log = self.book(book)?;
        let proof = log.proof(index)?.to_text();
        let consistency = if seen <= log.size() { log.consistency(seen)? } else { Vec::new() };
        Ok(Receipt { proof, consistency })
    }

    fn logged_at(&self, book: Book, index: u64, seen: u64) -> Result<Logged, Fault> {
        let envelope = self.book(book)?.entry(index)?;
        let artifact =
            self.artifact(&fedaudit_core::verify::claimed_subject(&envelope).map_err(crate::home::refused)?)?;
        let plan = match book {
            Book::Plan(plan) => Some(plan),
            Book::Heartbeats => None,
        };
        Ok(Logged { plan, envelope, artifact, receipt: self.receipt(book, index, seen)? })
    }
}
