//! Many bundles at once, on a few threads, answered in the order given.

use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;

/// Answers that wait for their turn, a thread.
const AHEAD: usize = 8;

/// Does `work` for each number below `count` on `threads` threads, and hands the answers to `take` in order, the first as soon as
/// it is there. No thread is more than a few answers ahead.
pub fn in_order<T: Send>(
    count: usize,
    threads: NonZeroUsize,
    work: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(T),
) {
    let threads = threads.get().min(count.max(1));
    let work = &work;
    std::thread::scope(|scope| {
        let answers: Vec<_> = (0..threads)
            .map(|first| {
                let (send, receive) = sync_channel(AHEAD);
                // Nobody listens any more only if the taker panicked.
                scope.spawn(move || (first..count).step_by(threads).all(|at| send.send(work(at)).is_ok()));
                receive
            })
            .collect();
        for at in 0..count {
            // A thread that panicked has no answer; the scope passes the panic on.
            if let Ok(answer) = answers[at % threads].recv() {
                take(answer);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn answers_come_in_order_and_few_wait() {
        for (count, threads) in [(0, 2), (1, 4), (100, 1), (100, 3)] {
            let (started, mut taken) = (AtomicUsize::new(0), Vec::new());
            let threads = NonZeroUsize::new(threads).expect("some");
            let work = |at| {
                started.fetch_add(1, Ordering::SeqCst);
                at
            };
            in_order(count, threads, work, |at| {
                taken.push(at);
                let ahead = started.load(Ordering::SeqCst) - taken.len();
                assert!(ahead <= threads.get() * (AHEAD + 2), "{ahead} ahead");
            });
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
        }
    }
}
