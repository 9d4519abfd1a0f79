//! What one site signed, taken in from a file: by the same decisions as over the network.

use super::claimed_plan;
use crate::beats;
use crate::centre::Centre;
use crate::conflicts::parcel_refusal;
use crate::home::operator;
use fedaudit_core::fault::Fault;
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::PublicKey;
use fedaudit_core::parcel::{self, Answer, Document, Outcome};
use fedaudit_core::time::Time;
use fedaudit_link::home::Lock;
use fedaudit_link::protocol::{Consistency, Receipt, Refused, Request, Response, Submission};
use std::collections::BTreeSet;

/// Whether a heartbeat was on its way while its key or epoch ended: nobody did wrong, and the next one says as much.
pub(super) fn late(refused: &Refused) -> bool {
    ["key", "epoch"].contains(&refused.refusal.check.as_str())
}

/// A receipt that leads on from what the site had seen of the log.
pub(super) fn outcome(receipt: Receipt, from: u64) -> Outcome {
    Outcome::Receipt(parcel::Receipt { proof: receipt.proof, from, consistency: receipt.consistency })
}

/// A document, and what came of it.
pub(super) type Taken<'d> = (&'d Document, Result<Receipt, Refused>);

/// Takes what one site signed in, under one lock.
pub(super) struct Intake<'a> {
    pub centre: &'a mut Centre,
    pub transport: PublicKey,
    pub journal: Vec<Consistency>,
    pub lock: &'a Lock,
    pub now: Time,
}

impl Intake<'_> {
    /// Takes a heartbeat in, and notes that it came by file; the answer, and why it was refused.
    pub fn beat(&mut self, document: &Document, site: &Name, seen: u64) -> Result<(Answer, Option<Refused>), Fault> {
        let sent = self.submission(document, seen);
        let envelope = Digest::of(&document.envelope.0);
        Ok(match self.ask(Request::Heartbeat(Box::new(sent)))? {
            Ok(receipt) => {
                beats::note_carried(self.centre, site, &document.envelope.0)?;
                (Answer { envelope, result: outcome(receipt, seen) }, None)
            }
            Err(refused) => (Answer { envelope, result: Outcome::Refused(parcel_refusal(&refused)) }, Some(refused)),
        })
    }

    /// Takes releases in, in their order. As over the network: behind a refused one nothing more of its plan is taken.
    pub fn submit_all<'d>(&mut self, releases: &'d [Document]) -> Result<Vec<Taken<'d>>, Fault> {
        let (mut taken, mut stopped) = (Vec::new(), BTreeSet::new());
        for document in releases {
            let plan = claimed_plan(document);
            if plan.is_some_and(|plan| stopped.contains(&plan)) {
                continue;
            }
            let answer = self.submit(document, 0)?;
            if answer.is_err() {
                stopped.extend(plan);
            }
            taken.push((document, answer));
        }
        Ok(taken)
    }

    pub fn submit(&mut self, document: &Document, plan_seen: u64) -> Result<Result<Receipt, Refused>, Fault> {
        let sent = self.submission(document, plan_seen);
        self.ask(Request::Submit(Box::new(sent)))
    }

    fn submission(&self, document: &Document, plan_seen: u64) -> Submission {
        let (envelope, artifact) = (document.envelope.0.clone(), document.artifact.0.clone());
        Submission { envelope, artifact, journal: self.journal.clone(), plan_seen }
    }

    fn ask(&mut self, request: Request) -> Result<Result<Receipt, Refused>, Fault> {
        match self.centre.take(&self.transport, request, Some(self.lock), self.now).map_err(|halted| halted.0)? {
            Response::Receipt(receipt) => Ok(Ok(receipt)),
            Response::Refused(refused) => Ok(Err(refused)),
            _ => Err(operator("an answer to another question")),
        }
    }
}
