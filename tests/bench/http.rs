//! Intake over HTTP as a serving system without the client library uses it: one event a request at 20,000 a second, how
//! much more than that holds, and lines of 100. The offered rate does not wait for answers, and the time of an answer
//! counts from when its request was due. The baseline asks the same daemon for nothing, with the same bytes.
//!
//! `cargo bench -p fedaudit-tests --bench http` with `FEDAUDIT_BIN` at the programs.

use fedaudit_tests::intake::Desk;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Connections of the open loop; the agent serves 256.
const CONNECTIONS: usize = 200;
/// Connections that send lines, each as fast as it is answered.
const LINE_SENDERS: usize = 8;
const LINES: u64 = 100;
/// An answer that comes later than this after its request was due says that the rate does not hold.
const LATE: Duration = Duration::from_millis(250);
/// Attempts at a rate: a disk that is busy with something else is not the agent's limit.
const ATTEMPTS: u32 = 2;

/// Of some 700 bytes.
fn event(nth: u64) -> String {
    let features: String = (0..12).map(|at| format!(",\"feature_number_{at}\":{at}.25")).collect();
    format!(
        "{{\"contract\":\"loans\",\"event_id\":\"018f6b1c-7d2a-{nth:016x}\",\"occurred_at\":\"2026-05-04T10:{:02}:{:02}.{:06}Z\",\
         \"model_version\":\"2026-04-30.1\",\"caller\":\"branch-app\",\"risk_tier\":\"high\",\"decision\":\"grant\",\"score\":0.73125,\
         \"threshold\":0.5,\"attributes\":{{\"sex\":\"female\"}},\"features\":{{\"age\":41,\"sex\":\"female\"{features}}},\
         \"subject\":\"customer-{:08}\",\"latency_ms\":3.25}}",
        nth / 60 % 60,
        nth % 60,
        nth % 1_000_000,
        nth % 100_000
    )
}

/// Where to send, and how far ids are used up.
struct Target {
    address: String,
    token: String,
    next: AtomicU64,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Event,
    Lines,
    /// The bytes of an event, and nothing to do.
    Health,
}

impl Target {
    fn request(&self, what: What) -> Vec<u8> {
        let (path, media, events) = match what {
            What::Event => ("POST /v1/predictions", "application/json", 1),
            What::Lines => ("POST /v1/predictions", "application/x-ndjson", LINES),
            What::Health => ("GET /healthz", "application/json", 1),
        };
        let first = self.next.fetch_add(events, Ordering::Relaxed);
        let body = (first..first + events).map(event).collect::<Vec<_>>().join("\n");
        let (length, token) = (body.len(), &self.token);
        format!(
            "{path} HTTP/1.1\r\nhost: agent\r\nauthorization: Bearer {token}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address.trim_start_matches("http://")).await.expect("intake listens");
        stream.set_nodelay(true).expect("a socket");
        stream
    }
}

/// Sends a request and reads the answer; whether it was 200.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<bool, Error> {
    stream.write_all(request).await?;
    let (mut buffer, mut have) = ([0; 4_096], 0);
    loop {
        let read = stream.read(&mut buffer[have..]).await?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        have += read;
        let text = std::str::from_utf8(&buffer[..have]).unwrap_or_default();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Ok(head.starts_with("HTTP/1.1 200"));
        }
    }
}

/// Times from when a request was due to its answer, in order, and how many were not 200.
struct Run {
    times: Vec<Duration>,
    refused: usize,
    seconds: f64,
}

impl Run {
    fn at(&self, share: f64) -> f64 {
        self.times[((self.times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0
    }

    fn holds(&self) -> bool {
        self.refused == 0 && self.at(0.99) <= LATE.as_secs_f64() * 1_000.0
    }

    fn print(&self, name: &str, rate: u64) {
        println!(
            "{name}: {rate}/s offered, {:.0}/s answered, {} not 200; p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, most {:.1} ms",
            self.times.len() as f64 / self.seconds,
            self.refused,
            self.at(0.5),
            self.at(0.99),
            self.at(0.999),
            self.at(1.0)
        );
    }
}

/// A connection: takes the next request that is due, whoever is free first.
async fn serve(target: Arc<Target>, what: What, due: Arc<Mutex<UnboundedReceiver<Instant>>>) -> (Vec<Duration>, usize) {
    let (mut stream, mut times, mut refused) = (target.connect().await, Vec::new(), 0);
    loop {
        let Some(at) = due.lock().await.recv().await else { return (times, refused) };
        let good = ask(&mut stream, &target.request(what)).await;
        if good.is_err() {
            stream = target.connect().await;
        }
        times.push(at.elapsed());
        refused += usize::from(!good.unwrap_or(false));
    }
}

/// Offers `rate` requests a second for some seconds, whether they are answered or not.
fn offer(runtime: &Runtime, target: &Arc<Target>, what: What, rate: u64, seconds: u64) -> Run {
    let (send, due) = unbounded_channel();
    let due = Arc::new(Mutex::new(due));
    let (target, start) = (Arc::clone(target), Instant::now() + Duration::from_millis(200));
    // Its own thread: a timer of the runtime has whole milliseconds.
    let pace = std::thread::spawn(move || {
        for nth in 0..rate * seconds {
            let at = start + Duration::from_nanos(nth * 1_000_000_000 / rate);
            while let Some(left) = at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                std::thread::sleep(left);
            }
            if send.send(at).is_err() {
                return;
            }
        }
    });
    let (mut times, mut refused) = (Vec::new(), 0);
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..CONNECTIONS).map(|_| tokio::spawn(serve(Arc::clone(&target), what, Arc::clone(&due)))).collect();
        for task in tasks {
            let (more, bad) = task.await.expect("no sender panics");
            times.extend(more);
            refused += bad;
        }
    });
    pace.join().expect("the pace is kept");
    times.sort_unstable();
    Run { times, refused, seconds: start.elapsed().as_secs_f64() }
}

/// Events a second in lines, each connection as fast as it is answered.
fn lines(runtime: &Runtime, target: &Arc<Target>) -> f64 {
    let (start, end) = (Instant::now(), Instant::now() + Duration::from_secs(5));
    let events: u64 = runtime.block_on(async {
        let send = |target: Arc<Target>| async move {
            let (mut stream, mut events) = (target.connect().await, 0);
            while Instant::now() < end {
                assert!(ask(&mut stream, &target.request(What::Lines)).await.expect("an answer"), "200");
                events += LINES;
            }
            events
        };
        let tasks: Vec<_> = (0..LINE_SENDERS).map(|_| tokio::spawn(send(Arc::clone(target)))).collect();
        let mut events = 0;
        for task in tasks {
            events += task.await.expect("no sender panics");
        }
        events
    });
    events as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    let desk = Desk::open("listen = \"127.0.0.1:0\"");
    let (address, token) = (desk.address.clone(), desk.token.clone());
    let target = Arc::new(Target { address, token, next: AtomicU64::new(0) });
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |what, rate, seconds| offer(&runtime, &target, what, rate, seconds);
    run(What::Event, 2_000, 1);
    println!("{} bytes an event, {CONNECTIONS} connections", event(0).len());
    let health = run(What::Health, 20_000, 5);
    health.print("/healthz", 20_000);
    let event = run(What::Event, 20_000, 5);
    event.print("one event a request", 20_000);
    println!(
        "  p50 {:.1} times, p99 {:.1} times the baseline's",
        event.at(0.5) / health.at(0.5),
        event.at(0.99) / health.at(0.99)
    );
    let mut held = [0; 2];
    for (most, what) in held.iter_mut().zip([What::Health, What::Event]) {
        for rate in (10_000..=80_000).step_by(5_000) {
            let holds = |_| {
                let run = run(what, rate, 3);
                if !run.holds() {
                    run.print("  does not hold", rate);
                }
                run.holds()
            };
            if !(0..ATTEMPTS).any(holds) {
                break;
            }
            *most = rate;
        }
    }
    println!("held (99 % answered within {LATE:?}): {}/s events, {}/s /healthz", held[1], held[0]);
    let lines = lines(&runtime, &target);
    println!("{LINES} lines a request, {LINE_SENDERS} connections: {lines:.0} events/s durable");
}
