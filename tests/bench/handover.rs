//! How long handing over an event takes in its caller: at 20,000 a second, and as fast as one thread can.
//!
//! `cargo bench -p fedaudit-tests --bench handover` with `FEDAUDIT_BIN` at the programs.

use fedaudit_client::{Client, Event, Options, Target, Value};
use fedaudit_tests::intake::Desk;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Of some 700 bytes as JSON.
fn event(nth: u64) -> Event {
    let mut event = Event::new(
        format!("018f6b1c-7d2a-{nth:016x}"),
        UNIX_EPOCH + Duration::from_micros(1_777_000_000_000_000 + nth),
        "2026-04-30.1",
    );
    event.contract = Some("loans".to_owned());
    event.caller = Some("branch-app".to_owned());
    event.risk_tier = Some("high".to_owned());
    event.decision = Some("grant".to_owned());
    event.score = Some(0.731_25);
    event.threshold = Some(0.5);
    event.attributes = BTreeMap::from([("sex".to_owned(), "female".to_owned())]);
    event.features = (0..12).map(|at| (format!("feature_number_{at}"), Value::Number(at as f64 + 0.25))).collect();
    event.subject = Some(format!("customer-{:08}", nth % 100_000));
    event.latency_ms = Some(3.25);
    event
}

fn quantiles(name: &str, mut ns: Vec<u64>, start: Instant, client: &Client) {
    let seconds = start.elapsed().as_secs_f64();
    ns.sort_unstable();
    let at = |share: f64| ns[((ns.len() - 1) as f64 * share) as usize] as f64 / 1_000.0;
    println!(
        "{name}: {:.0}/s offered; hand-over p50 {:.2} us, p99 {:.2} us, p99.9 {:.2} us, most {:.0} us",
        ns.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    let delivered = client.flush(Duration::from_secs(120));
    println!(
        "  {:?}, all settled: {delivered}, {:.0}/s durable",
        client.counts(),
        client.counts().delivered as f64 / start.elapsed().as_secs_f64()
    );
}

fn main() {
    let desk = Desk::open("listen = \"127.0.0.1:0\"");
    let target = || Target::Tcp(desk.address.trim_start_matches("http://").to_owned());
    let connect = || Client::connect(target(), &desk.token, Options::default()).expect("a client");
    let mut next = 0;
    {
        let (client, start, period) = (connect(), Instant::now(), Duration::from_micros(50));
        let mut ns = Vec::with_capacity(200_000);
        for nth in 0..200_000_u32 {
            let event = event(next);
            next += 1;
            let due = start + period * nth;
            // Sleeping would wake too late; giving way lets the others work on a machine with few processors.
            while Instant::now() < due {
                std::thread::yield_now();
            }
            let before = Instant::now();
            let _ = client.record(event);
            ns.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        quantiles("20,000/s", ns, start, &client);
    }
    let (client, start) = (connect(), Instant::now());
    let mut ns = Vec::with_capacity(1_000_000);
    for _ in 0..1_000_000 {
        let event = event(next);
        next += 1;
        let before = Instant::now();
        let _ = client.record(event);
        ns.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    quantiles("full speed", ns, start, &client);
}
