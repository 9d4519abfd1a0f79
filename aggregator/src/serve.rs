//! The daemon: carries out what [`crate::intake`] decides, and serves it over QUIC.

mod live;
mod queue;

use crate::centre::Centre;
use crate::checked::{Checked, check_all};
use crate::fence::Standing;
use crate::home::operator;
use crate::intake::{Book, Decision, decide, frame_limit};
use crate::store::LogDir;
use crate::witnesses::Sender;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::{Digest, Name};
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::time::Time;
use fedaudit_link::home::{Lock, now, write_atomic};
use fedaudit_link::protocol::{JoinRequest, Logged, Receipt, RegistryPart, Reported, Request, Response};
use fedaudit_link::quic::{CloseReason, Incoming, RequestStream, Server};
use live::Live;
use queue::Queue;
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
    /// This home is damaged or went back in time: the daemon must stop, and nothing was answered.
    pub fn take_all(
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
            Decision::Mine(found) => {
                let logged = found.map(|(book, index, seen)| self.logged_at(book, index, seen)).transpose();
                Response::Mine(logged.map_err(Halted)?.map(Box::new))
            }
            Decision::Conflict(refused, against) => {
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
    let (queue, waiting) = Queue::new();
    let shared = Arc::new(Shared { centre: Mutex::new(centre), live, queue, halted, stop });
    let _groups = tokio::spawn(queue::serve(shared.clone(), waiting));
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
    queue: Queue,
    halted: Mutex<Option<Fault>>,
    stop: Notify,
}

impl Shared {
    /// The answer to a request; none when the daemon ends.
    async fn answer(self: &Arc<Self>, peer: PublicKey, request: Request) -> Option<Result<Response, Halted>> {
        if Queue::takes(&request) {
            return self.queue.answer(peer, request).await;
        }
        let worker = self.clone();
        let answered = tokio::task::spawn_blocking(move || worker.centre.blocking_lock().answer(&peer, request, now()));
        answered.await.ok()
    }

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
    loop {
        let (asking, shared) = (shared.clone(), shared.clone());
        let round = tokio::task::spawn_blocking(move || {
            let faults = ask_witnesses(&shared, &mut sender).unwrap_or_else(|fault| vec![fault]);
            let restored = shared.centre.blocking_lock().standing.clear().is_err();
            (sender, faults, restored)
        });
        let Ok((again, faults, restored)) = round.await else { return };
        sender = again;
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

fn ask_witnesses(shared: &Shared, sender: &mut Sender) -> Result<Vec<Fault>, Fault> {
    let path = shared.centre.blocking_lock().home.witness_lock();
    let lock = Lock::acquire(&path)?;
    let wanted = {
        let mut centre = shared.centre.blocking_lock();
        centre.refresh()?;
        centre.wanted()
    };
    Ok(sender.round(&wanted, false, std::time::Instant::now(), &lock)?.faults)
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
    let (frame, reply) = (request.frame, request.reply);
    let answered = match codec::decode::<Request>(&frame) {
        Ok(request) => shared.answer(peer, request).await,
        Err(error) => {
            let refusal = Refusal::new("frame", "a request of this protocol", error);
            let hint = "use versions of agent and aggregator that overlap";
            Some(Ok(crate::intake::refused(Blame::Site, refusal, hint)))
        }
    };
    let Some(answered) = answered else { return };
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
            let hint = "the aggregator's operator must mend it; keep this home";
            let response = crate::intake::refused(Blame::Aggregator, refusal, hint);
            if let Ok(body) = codec::encode(&response) {
                let _ = reply.send(&body, REQUEST_TIME).await;
            }
            shared.halt(fault).await;
        }
    }
}
