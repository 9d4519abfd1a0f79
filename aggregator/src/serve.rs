//! The daemon: carries out what [`crate::intake`] decides, and serves it over QUIC.

mod live;

use crate::centre::Centre;
use crate::fence::Standing;
use crate::home::operator;
use crate::intake::{Book, Decision, decide, frame_limit};
use crate::store::LogDir;
use crate::witnesses::Sender;
use fedaudit_core::codec;
use fedaudit_core::envelope::Attestation;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, now, write_atomic};
use fedaudit_link::protocol::{JoinRequest, Logged, Receipt, RegistryPart, Reported, Request, Response};
use fedaudit_link::quic::{CloseReason, Incoming, RequestStream, Server};
use live::Live;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// Longest time that a request may take to arrive, and its answer to leave.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// Connections held at once; a federation has at most one a site.
const CONNECTIONS: usize = 10_000;

/// How often the daemon looks whether a log grew that witnesses have not cosigned.
const WITNESS_TIME: Duration = Duration::from_millis(500);
/// Longest time for what is under way when the daemon stops.
const STOP_TIME: Duration = Duration::from_secs(1);

/// Why the daemon must stop serving.
#[derive(Debug)]
pub struct Halted(pub Fault);

impl Centre {
    /// Answers one frame from the holder of `peer`.
    ///
    /// # Errors
    /// This home is damaged or went back in time: the daemon must stop, and nothing was answered.
    pub fn answer(&mut self, peer: &PublicKey, frame: &[u8], now: Time) -> Result<Response, Halted> {
        let request = match codec::decode::<Request>(frame) {
            Ok(request) => request,
            Err(error) => {
                let refusal = Refusal::new("frame", "a request of this protocol", error);
                return Ok(crate::intake::refused(
                    Blame::Site,
                    refusal,
                    "use versions of agent and aggregator that overlap",
                ));
            }
        };
        // A submission is decided about under the lock, so that the decision still holds when it is carried out.
        let appends = matches!(&request, Request::Submit(_) | Request::Heartbeat(_) | Request::Transport(_));
        // Another process may have settled how a restored home stands.
        let lock = match self.standing {
            Standing::Clear if !appends => None,
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

    /// Decides about a request from the holder of `peer` and carries it out. What came by file goes this way too.
    ///
    /// # Errors
    /// As [`Centre::answer`].
    pub fn take(
        &mut self,
        peer: &PublicKey,
        request: Request,
        lock: Option<&Lock>,
        now: Time,
    ) -> Result<Response, Halted> {
        if let Some(held_back) = self.held_back(&request) {
            return Ok(held_back);
        }
        let sent = match &request {
            Request::Submit(sent) | Request::Heartbeat(sent) => Some(sent.clone()),
            _ => None,
        };
        let plan_seen = sent.as_ref().map_or(0, |sent| sent.plan_seen);
        match decide(self, peer, request) {
            Decision::Reply(response) => Ok(response),
            Decision::Registry(from) => self.registry_part(from).map_err(Halted),
            Decision::Join(request) => self.keep_join(peer, &request).map_err(Halted),
            Decision::Reports(plan, from, seen) => self.report_from(&plan, from, seen).map_err(Halted),
            Decision::Again(book, index) => self.receipt(book, index, plan_seen).map(Response::Receipt).map_err(Halted),
            Decision::Append(book, attestation) => {
                let Some(lock) = lock else { return Err(Halted(operator("a release without the lock"))) };
                let index = match book {
                    Book::Plan(plan) => self.append(&plan, &attestation, lock),
                    Book::Heartbeats => self.append_heartbeat(&attestation, lock),
                };
                self.receipt(book, index.map_err(Halted)?, plan_seen).map(Response::Receipt).map_err(Halted)
            }
            Decision::Publish(attestation) => {
                let Some(lock) = lock else { return Err(Halted(operator("a registry entry without the lock"))) };
                self.publish(&attestation, lock).map(|index| Response::Published { index }).map_err(Halted)
            }
            Decision::Mine(found) => {
                let logged = found.map(|(book, index, seen)| self.logged_at(book, index, seen)).transpose();
                logged.map(|logged| Response::Mine(logged.map(Box::new))).map_err(Halted)
            }
            Decision::Conflict(refused, against) => {
                if let (Some(sent), Some(site)) = (sent, self.registry().site_of(peer)) {
                    let sent = Attestation { envelope: sent.envelope, artifacts: vec![sent.artifact] };
                    self.keep_conflict(site, &refused, &sent, against, now).map_err(Halted)?;
                }
                Ok(Response::Refused(refused))
            }
            Decision::Halt(what) => Err(Halted(Fault::new(
                Blame::Aggregator,
                format!("this home went back in time: {what}"),
                "restore the newest copy of this home; do not serve from an older one",
            ))),
        }
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
        let enrolled = self.registry().sites().any(|site| *site == request.site);
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

/// Serves until a signal, or until the home must not be served any more. `ready` is told the address.
///
/// # Errors
/// Another daemon of this home; an address that cannot be used; a damaged home; a home that went back in time.
pub fn run(centre: Centre, ready: impl FnOnce(SocketAddr)) -> Result<(), Fault> {
    let _lock = Lock::try_acquire(&centre.home.run_lock()).map_err(|fault| {
        let hint = "another aggregator is at work on this home; let it, or stop it";
        Fault::new(fault.blame, fault.what, hint)
    })?;
    centre.standing.serve()?;
    if let Err(fault) = centre.standing.clear() {
        tracing::warn!(%fault, waits_for = ?centre.unheard().iter().map(Name::as_str).collect::<Vec<_>>(), "restored");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| operator(format!("no runtime: {e}")))?;
    let served = runtime.block_on(serve(centre, ready));
    // All requests are answered by now; a witness that is slow is not waited for.
    runtime.shutdown_timeout(STOP_TIME);
    served
}

async fn serve(centre: Centre, ready: impl FnOnce(SocketAddr)) -> Result<(), Fault> {
    let listen: SocketAddr = centre.home.config.listen.parse().map_err(|_| {
        let what = format!("config.toml: listen = {:?}", centre.home.config.listen);
        crate::home::operator_hint(what, "write an IP address and a port, such as 0.0.0.0:4433")
    })?;
    let server = Server::bind(listen, &centre.home.key(KeyUse::Transport)?)?;
    ready(server.local_addr()?);
    let (live, halted, stop) = (Live::default(), Mutex::new(None), Notify::new());
    let shared = Arc::new(Shared { centre: Mutex::new(centre), live, halted, stop });
    let _witnesses = tokio::spawn(witnesses(shared.clone()));
    let _roster = tokio::spawn(live::watch(shared.clone()));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|e| operator(format!("no signal handler: {e}")))?;
    loop {
        tokio::select! {
            incoming = server.accept() => match incoming {
                None => break,
                Some(incoming) if server.open_connections() > CONNECTIONS => incoming.close(CloseReason::Busy, "full"),
                Some(incoming) => {
                    tokio::spawn(connection(shared.clone(), incoming));
                }
            },
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
            () = shared.stop.notified() => break,
        }
    }
    server.close(CloseReason::Shutdown, "stopping");
    server.wait_idle().await;
    match shared.halted.lock().await.take() {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// What all connections share. `centre` owns the state; requests take turns.
struct Shared {
    centre: Mutex<Centre>,
    live: Live,
    halted: Mutex<Option<Fault>>,
    stop: Notify,
}

impl Shared {
    /// Ends the daemon, which says why.
    async fn halt(&self, fault: Fault) {
        *self.halted.lock().await = Some(fault);
        self.stop.notify_one();
    }
}

/// Has the logs cosigned as they grow. The centre is held only to read what there is, never while a witness is asked.
async fn witnesses(shared: Arc<Shared>) {
    let sender = {
        let centre = shared.centre.lock().await;
        if centre.home.config.witnesses.is_empty() {
            return;
        }
        Sender::new(&centre.home)
    };
    let mut sender = match sender {
        Ok(sender) => sender,
        Err(fault) => return tracing::error!(%fault, "witnesses are not asked"),
    };
    let mut first = true;
    loop {
        let (asking, shared) = (shared.clone(), shared.clone());
        let round = tokio::task::spawn_blocking(move || {
            let faults = ask_witnesses(&shared, &mut sender, first).unwrap_or_else(|fault| vec![fault]);
            let restored = shared.centre.blocking_lock().standing.clear().is_err();
            (sender, faults, restored)
        });
        let Ok((again, faults, restored)) = round.await else { return };
        (sender, first) = (again, false);
        // A witness that saw more knows what the sites are asked for.
        if let Some(fault) = faults.iter().find(|fault| restored && fault.blame == Blame::Aggregator) {
            return asking.halt(fault.clone()).await;
        }
        for fault in faults {
            tracing::warn!(%fault, "not cosigned");
        }
        tokio::time::sleep(WITNESS_TIME).await;
    }
}

fn ask_witnesses(shared: &Shared, sender: &mut Sender, first: bool) -> Result<Vec<Fault>, Fault> {
    let path = shared.centre.blocking_lock().home.witness_lock();
    let lock = Lock::acquire(&path)?;
    let (wanted, again) = {
        let mut centre = shared.centre.blocking_lock();
        centre.refresh()?;
        // A restored home asks once about what was cosigned before, too: a witness may have seen more since.
        (centre.wanted(), first && centre.standing.clear().is_err())
    };
    Ok(sender.round(&wanted, again, std::time::Instant::now(), &lock)?.faults)
}

async fn connection(shared: Arc<Shared>, incoming: Incoming) {
    let peer = incoming.peer_key();
    tracing::debug!(peer = %peer.id().short(), from = %incoming.remote_addr(), "connected");
    let place = shared.live.enter(&incoming);
    while let Some(stream) = incoming.accept_stream().await {
        tokio::spawn(request(shared.clone(), peer, stream));
    }
    shared.live.leave(place);
}

async fn request(shared: Arc<Shared>, peer: PublicKey, stream: RequestStream) {
    let limit = frame_limit(&*shared.centre.lock().await, &peer);
    let request = match stream.read(limit, REQUEST_TIME).await {
        Ok(request) => request,
        Err(error) => return tracing::warn!(peer = %peer.id().short(), %error, "request refused"),
    };
    let worker = shared.clone();
    let answered = tokio::task::spawn_blocking(move || {
        let mut centre = worker.centre.blocking_lock();
        (centre.answer(&peer, &request.frame, now()), request.reply)
    });
    let Ok((answered, reply)) = answered.await else { return };
    match answered {
        Ok(response) => {
            if let Response::Refused(refused) = &response {
                tracing::warn!(peer = %peer.id().short(), blame = %refused.blame, refusal = %refused.refusal, "refused");
            }
            let sent = match codec::encode(&response) {
                Ok(body) => reply.send(&body, REQUEST_TIME).await.map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = sent {
                tracing::debug!(peer = %peer.id().short(), %error, "answer lost");
            }
        }
        Err(Halted(fault)) => {
            tracing::error!(%fault, "halted");
            // What stands in this home is for its operator; the site learns that nothing was taken, and whose fault it is.
            let refusal = Refusal::new("halted", "an aggregator that can serve", "one that must not");
            let response = crate::intake::refused(
                Blame::Aggregator,
                refusal,
                "the aggregator's operator must mend it; keep this home",
            );
            if let Ok(body) = codec::encode(&response) {
                let _ = reply.send(&body, REQUEST_TIME).await;
            }
            shared.halt(fault).await;
        }
    }
}
