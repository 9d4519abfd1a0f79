//! The daemon: closes what is due, ships what is ready, for ever or until all is done; takes in events meanwhile.

use crate::archive::Rounds;
use crate::close::close_due;
use crate::drive::{self, ask, hear, shipper};
use crate::heartbeat::beat_if_due;
use crate::home::KEYS;
use crate::intake::Intake;
use crate::leave::listed;
use crate::outbox::State;
use crate::rotate;
use crate::ship::{Shipper, Step};
use crate::site::Site;
use fedaudit_core::codec;
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::key::KeyUse;
use fedaudit_core::limits;
use fedaudit_core::time::{SECOND_NS, Time};
use fedaudit_link::home::{Lock, next_key, now};
use fedaudit_link::protocol::Response;
use fedaudit_link::quic::{Connection, connect_any};
use rand::Rng as _;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longest time that the aggregator may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest sleep, so that decisions made by another process of this home are seen.
const TICK: Duration = Duration::from_secs(1);

/// Longest that a run which is to end waits for an aggregator that is away.
const PATIENCE_NS: i64 = 15 * 60 * SECOND_NS;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A signal, or a contradiction.
    Stopped,
    /// The registry is read, what is due is closed, and the aggregator's receipts for all that may leave are kept.
    Shipped,
    /// The registry is read.
    Synced,
}

/// Runs the daemon of a home; `ready` is called when it has the home for itself, with the address of intake, which only
/// a daemon that runs for ever serves.
///
/// # Errors
/// Another daemon of this home; keys that are not those that the site was enrolled with; a journal or outbox that fails,
/// unless the operator can mend it while the daemon runs; a contradiction between what was signed; with
/// [`Until::Synced`], an aggregator that cannot be reached; with [`Until::Shipped`], one that is away for a quarter of an
/// hour, a site that is not approved yet, or a release that was refused.
pub async fn run(mut site: Site, until: Until, ready: impl FnOnce(Option<&str>)) -> Result<Site, Fault> {
    let _lock = match until {
        Until::Synced => None,
        _ => Some(Lock::try_acquire(&site.home.run_lock()).map_err(|fault| {
            Fault::new(
                fault.blame,
                fault.what,
                "another fedaudit-agent run is at work on this home; let it, or stop it",
            )
        })?),
    };
    // Whoever lost its keys connects with the next ones, and signs nothing.
    if !rotate::waits_for_all(&site.home)? {
        KEYS.iter().try_for_each(|usage| site.key(*usage).map(drop))?;
    }
    let mut terminate = signal(SignalKind::terminate())
        .map_err(|e| Fault::new(Blame::Operator, format!("no signal handler: {e}"), "report this"))?;
    let mut intake = match &site.home.config.intake {
        Some(config) if until == Until::Stopped => {
            Some(Intake::start(&site.home, config, site.mirror.registry()).await?)
        }
        _ => None,
    };
    ready(intake.as_ref().map(|intake| intake.address.as_str()));
    let worked = match site.home.config.offline {
        true => stay_offline(&mut site, until, &mut terminate, &mut intake).await,
        false => stay_online(&mut site, until, terminate, &mut intake).await,
    };
    // What senders were promised is written whatever ends the daemon.
    let stopped = match intake {
        Some(intake) => intake.stop().await,
        None => Ok(()),
    };
    worked.and(stopped).map(|()| site)
}

/// Goes on until it is to stop, with the aggregator on the line.
async fn stay_online(
    site: &mut Site,
    until: Until,
    terminate: Signal,
    intake: &mut Option<Intake>,
) -> Result<(), Fault> {
    let mut link = Link { shipper: shipper(site)?, connection: None, terminate, up: now() };
    let mut rounds = Rounds::new();
    loop {
        let step = look(site, &link.shipper, until, intake).map(Some);
        let Some(step) = unless_mended(step, until, "nothing is done")? else {
            if link.sleep(Time(i64::MAX)).await {
                break;
            }
            continue;
        };
        // The registry is read by now. What waits is not sent by the way: the steward may be about to refuse it.
        if step == Step::Submit && until == Until::Synced {
            break;
        }
        let Step::Wait(at) = step else {
            link.step(site, step, until).await?;
            continue;
        };
        if until != Until::Synced {
            if link.shipper.is_settled() {
                site.standing.clear()?;
            }
            if close(site, until)? > 0 {
                continue;
            }
            if until == Until::Stopped
                && link.shipper.is_settled()
                && unless_mended(beat_if_due(site, now()), until, "no heartbeat is signed")?
            {
                continue;
            }
        }
        if until == Until::Stopped {
            rounds.go(site, now());
        }
        if until != Until::Stopped && link.shipper.is_up() && done(site, until)? {
            break;
        }
        if link.sleep(at).await {
            break;
        }
    }
    link.close().await;
    Ok(())
}

/// What to do next; before a rest, what others added to the registry is read.
fn look(site: &mut Site, shipper: &Shipper, until: Until, intake: &mut Option<Intake>) -> Result<Step, Fault> {
    let step = drive::next(site, shipper, now())?;
    if until != Until::Synced && matches!(step, Step::Wait(_)) {
        reload(site, intake)?;
    }
    Ok(step)
}

/// Closes what is due; opens no connection. What was closed leaves by file.
async fn stay_offline(
    site: &mut Site,
    until: Until,
    terminate: &mut Signal,
    intake: &mut Option<Intake>,
) -> Result<(), Fault> {
    if until == Until::Synced {
        return Ok(());
    }
    let mut rounds = Rounds::new();
    loop {
        if unless_mended(reload(site, intake).map(|()| true), until, "nothing is done")? {
            site.standing.clear()?;
            while close(site, until)? > 0 {}
        }
        if until == Until::Stopped {
            rounds.go(site, now());
        }
        if until == Until::Shipped || sleep(TICK, terminate).await {
            return Ok(());
        }
    }
}

/// Closes what is due.
fn close(site: &mut Site, until: Until) -> Result<usize, Fault> {
    unless_mended(close_due(site, now()), until, "nothing is closed")
}

/// What the operator can mend, a full disk above all, does not end the daemon: it tries again.
fn unless_mended<T: Default>(done: Result<T, Fault>, until: Until, undone: &str) -> Result<T, Fault> {
    match done {
        Err(fault) if until == Until::Stopped && fault.blame == Blame::Operator => {
            tracing::warn!(what = %fault.what, hint = %fault.hint, "{undone}");
            Ok(T::default())
        }
        done => done,
    }
}

/// Reads what others added to this home's copy of the registry, for intake as well.
fn reload(site: &mut Site, intake: &mut Option<Intake>) -> Result<(), Fault> {
    site.reload_mirror()?;
    intake.as_mut().map_or(Ok(()), |intake| intake.learn(site.mirror.registry()))
}

/// Sleeps; true if the daemon is to stop.
async fn sleep(wait: Duration, terminate: &mut Signal) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => false,
        _ = terminate.recv() => true,
        _ = tokio::signal::ctrl_c() => true,
    }
}

/// Whether nothing is left to do, for what is held waits for the steward; a refused release is an error.
fn done(site: &mut Site, until: Until) -> Result<bool, Fault> {
    if until == Until::Synced {
        return Ok(true);
    }
    let releases = listed(site)?;
    if let Some(refused) = releases.iter().find(|release| release.state == State::Refused) {
        let reason = refused.refusal.clone().unwrap_or_default();
        let what = format!("release {} of {} was refused: {reason}", refused.sequence, refused.window);
        return Err(Fault::new(
            Blame::Site,
            what,
            "nothing more of this plan is sent; tell governance and the steward",
        ));
    }
    Ok(releases.iter().all(|release| matches!(release.state, State::Received | State::Held)))
}

struct Link {
    shipper: Shipper,
    connection: Option<Connection>,
    terminate: Signal,
    /// When the link was up last, or this run began.
    up: Time,
}

impl Link {
    /// Does one step. Faults of the link, and what the operator of a daemon can mend, are logged and lead to another
    /// attempt; other faults of this home end the run.
    async fn step(&mut self, site: &mut Site, step: Step, until: Until) -> Result<(), Fault> {
        let halts = matches!(step, Step::Halt(_));
        match self.try_step(site, step, until).await {
            Err(fault) if !halts && until == Until::Stopped && fault.blame == Blame::Operator => {
                self.lost(site, fault, until)
            }
            done => done,
        }
    }

    async fn try_step(&mut self, site: &mut Site, step: Step, until: Until) -> Result<(), Fault> {
        match step {
            Step::Halt(fault) => return Err(fault),
            Step::Connect => {
                let (key, other) = rotate::transport_key(site, self.shipper.is_other())?;
                self.shipper.set_other(other);
                match connect_any(&site.enrolment.address, &key, &site.server_keys()).await {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        self.shipper.up();
                    }
                    Err(fault) => self.lost(site, fault, until)?,
                }
            }
            step => {
                let Some(ask) = ask(site, &self.shipper, step)? else { return Ok(()) };
                match self.request(&ask.frame).await {
                    Ok(response) => {
                        let (jitter, other) = (jitter(site), self.shipper.is_other());
                        if let Err(fault) = hear(site, &mut self.shipper, &ask, response, now(), jitter) {
                            if self.shipper.is_ended()
                                && !other
                                && next_key(&site.home.keys(), KeyUse::Transport)?.is_some()
                            {
                                self.shipper.try_other();
                                self.connection = None;
                                return Ok(());
                            }
                            // Approval, and another key, are for people, who may take days: nothing that ends waits for it.
                            if until == Until::Shipped && (self.shipper.is_pending() || self.shipper.is_ended()) {
                                return Err(fault);
                            }
                            self.report(fault, until)?;
                        }
                    }
                    Err(fault) => self.lost(site, fault, until)?,
                }
                if self.shipper.is_up() {
                    self.up = now();
                } else {
                    self.connection = None;
                }
            }
        }
        Ok(())
    }

    async fn request(&self, frame: &[u8]) -> Result<Response, Fault> {
        let Some(connection) = &self.connection else {
            return Err(Fault::new(Blame::Network, "not connected", "wait for the next attempt"));
        };
        let answer = connection.request(frame, limits::FRAME_BYTES, ANSWER).await?;
        codec::decode(&answer).map_err(|e| {
            let hint = "use versions of agent and aggregator that overlap";
            Fault::new(Blame::Aggregator, format!("an answer that is {e}"), hint)
        })
    }

    fn lost(&mut self, site: &mut Site, fault: Fault, until: Until) -> Result<(), Fault> {
        self.connection = None;
        let jitter = jitter(site);
        self.shipper.down(now(), jitter);
        self.report(fault, until)
    }

    fn report(&self, fault: Fault, until: Until) -> Result<(), Fault> {
        let waited_ns = now().0.saturating_sub(self.up.0);
        if until == Until::Synced || (until == Until::Shipped && waited_ns > PATIENCE_NS) {
            return Err(fault);
        }
        tracing::warn!(blame = %fault.blame, what = %fault.what, hint = %fault.hint, "link");
        Ok(())
    }

    /// Sleeps until `at`, at most a tick; true if the daemon is to stop.
    async fn sleep(&mut self, at: Time) -> bool {
        let wait_ns = u64::try_from(at.0.saturating_sub(now().0)).unwrap_or(0);
        sleep(Duration::from_nanos(wait_ns).min(TICK), &mut self.terminate).await
    }

    async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }
}

fn jitter(site: &mut Site) -> f64 {
    f64::from(site.rng.next_u32()) / f64::from(u32::MAX)
}
