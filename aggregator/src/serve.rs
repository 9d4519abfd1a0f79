//! The daemon: serves what [`crate::answer`] answers over QUIC.

mod live;
mod queue;

use crate::answer::Halted;
use crate::centre::Centre;
use crate::home::operator;
use crate::intake::frame_limit;
use crate::witnesses::Sender;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault, Refusal};
use fedaudit_core::ids::Name;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_link::home::{Lock, now};
use fedaudit_link::protocol::{Request, Response};
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
    centre.log_key()?;
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

    /// Ends the daemon, a part of which panicked: half of one would only look alive.
    async fn broke(&self, part: &str) {
        let what = format!("{part} broke; its panic is above in this log");
        self.halt(Fault::new(Blame::Aggregator, what, "start the daemon again, and report it")).await;
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
    let mut first = true;
    loop {
        let (asking, shared) = (shared.clone(), shared.clone());
        let round = tokio::task::spawn_blocking(move || {
            let faults = ask_witnesses(&shared, &mut sender, first).unwrap_or_else(|fault| vec![fault]);
            let restored = shared.centre.blocking_lock().standing.clear().is_err();
            (sender, faults, restored)
        });
        let Ok((again, faults, restored)) = round.await else { return asking.broke("the round of witnesses").await };
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
