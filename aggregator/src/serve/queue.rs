//! Requests that make logs grow take turns in groups: those that wait while one group becomes durable are the next.

use super::Shared;
use crate::answer::Halted;
use crate::centre::Centre;
use fedaudit_core::key::PublicKey;
use fedaudit_link::home::now;
use fedaudit_link::protocol::{Request, Response};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most requests of a group: what they send is held in memory, twice.
const GROUP: usize = 256;

/// A request that waits for its group.
pub struct Waiting {
    peer: PublicKey,
    request: Request,
    answer: oneshot::Sender<Result<Response, Halted>>,
}

/// Where requests wait.
pub struct Queue(mpsc::Sender<Waiting>);

impl Queue {
    /// An empty queue, and its other end.
    pub fn new() -> (Queue, mpsc::Receiver<Waiting>) {
        let (sender, receiver) = mpsc::channel(GROUP);
        (Queue(sender), receiver)
    }

    /// Whether a request must wait here.
    pub fn takes(request: &Request) -> bool {
        matches!(request, Request::Submit(_) | Request::Heartbeat(_) | Request::Transport(_) | Request::Rotate(_))
    }

    /// Waits for the answer to a request; none when the daemon ends.
    pub async fn answer(&self, peer: PublicKey, request: Request) -> Option<Result<Response, Halted>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { peer, request, answer }).await.ok()?;
        answered.await.ok()
    }
}

/// Answers group after group, until the daemon ends.
pub async fn serve(shared: Arc<Shared>, mut queue: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let group = std::mem::take(&mut group);
        let worker = shared.clone();
        if tokio::task::spawn_blocking(move || answer(&mut worker.centre.blocking_lock(), group)).await.is_err() {
            return shared.broke("the intake").await;
        }
    }
}

/// Decided about under the lock, so that decisions still hold when they are carried out.
fn answer(centre: &mut Centre, group: Vec<Waiting>) {
    let (mut requests, mut waiting) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
    for Waiting { peer, request, answer } in group {
        requests.push((peer, request));
        waiting.push(answer);
    }
    let taken = centre.lock().map_err(Halted).and_then(|lock| centre.take_all(requests, Some(&lock), now()));
    // Whoever does not wait any more has lost the connection, and will ask again.
    match taken {
        Ok(answers) => waiting.into_iter().zip(answers).for_each(|(to, response)| _ = to.send(Ok(response))),
        Err(halted) => waiting.into_iter().for_each(|to| _ = to.send(Err(halted.clone()))),
    }
}
