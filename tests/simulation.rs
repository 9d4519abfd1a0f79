//! The protocol's state machines over real journals and logs, with a fake clock and a network that loses replies.
//!
//! A run is a list of operations made from a seed: observe, close, abstain, withdraw, ship, lose a reply, crash. Every event is unique, so
//! that anything counted twice or lost shows in the counts, which are kept a second time in a plain map.

#[path = "simulation/abstain.rs"]
mod abstain;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/world.rs"]
mod world;

use fedaudit_aggregator::centre::Centre;
use fedaudit_core::codec;
use fedaudit_core::fault::Fault;
use fedaudit_core::key::PublicKey;
use fedaudit_core::time::Time;
use fedaudit_link::protocol::Response;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use world::World;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Operation {
    /// A site journals some events, some with labels; time goes on.
    Observe(usize),
    /// Time goes on by days, and a site closes what is due.
    Close(usize),
    /// A site abstains for a window, or for all that are open.
    Abstain(usize),
    /// A site withdraws its abstentions.
    Withdraw(usize),
    /// A site talks to the aggregator until it has nothing more to say, or a few steps only.
    Ship(usize, u32),
    /// A site sends; the aggregator does its part; the reply is lost.
    LoseReply(usize),
    /// A site's agent (0, 1) or the aggregator (2) dies and comes back from its files.
    Crash(usize),
}

fn operations(rng: &mut StdRng) -> Vec<Operation> {
    let below = |rng: &mut StdRng, n: u32| rng.next_u32() % n;
    (0..40)
        .map(|_| {
            let site = below(rng, 2) as usize;
            match below(rng, 12) {
                0..=3 => Operation::Observe(site),
                4..=5 => Operation::Close(site),
                6 => Operation::Ship(site, 1 + below(rng, 4)),
                7 => Operation::Ship(site, 50),
                8 => Operation::LoseReply(site),
                9 => Operation::Abstain(site),
                10 => Operation::Withdraw(site),
                _ => Operation::Crash(below(rng, 3) as usize),
            }
        })
        .collect()
}

/// Runs the list; whatever the order, the report is the plain count in the end.
fn run(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let operations = operations(&mut rng);
    let mut world = World::new(seed);
    for (at, operation) in operations.iter().enumerate() {
        match *operation {
            Operation::Observe(site) => world.observe(site),
            Operation::Close(site) => world.close(site),
            Operation::Abstain(site) => world.abstain(site),
            Operation::Withdraw(site) => world.withdraw(site),
            Operation::Ship(site, steps) => world.ship(site, steps),
            Operation::LoseReply(site) => world.lose_reply(site),
            Operation::Crash(who) => world.crash(who),
        }
        world.check(&format!("seed {seed}, after operation {at} {operation:?}"));
    }
    world.finish();
    world.check_report(&format!("seed {seed}: {operations:?}"));
}

/// What the daemon answers to a frame, as a group of its own.
fn answer(centre: &mut Centre, peer: &PublicKey, frame: &[u8], now: Time) -> Result<Response, Fault> {
    let request = codec::decode(frame).expect("a request of this protocol");
    let lock = centre.lock()?;
    centre.take(peer, request, Some(&lock), now).map_err(|halted| halted.0)
}

#[test]
fn any_order_of_operations_gives_the_plain_count() {
    (0..24).for_each(run);
}

#[test]
fn a_lost_reply_changes_nothing() {
    let mut world = World::new(1_000);
    world.observe(0);
    world.observe(0);
    (0..4).for_each(|_| world.close(0));
    assert!(world.waiting(0) > 0, "something is ready to be sent");
    let before = world.logged();
    world.lose_reply(0);
    assert_eq!(world.logged(), before + 1, "the aggregator did its part");
    assert!(world.waiting(0) > 0, "the site does not know");
    world.crash(0);
    world.crash(2);
    world.finish();
    world.check_report("after a lost reply");
}

#[test]
fn a_home_older_than_its_checkpoints_halts() {
    let mut world = World::new(2_000);
    let old = world.copy_site(0);
    world.observe(0);
    (0..4).for_each(|_| world.close(0));
    world.ship(0, 50);
    assert!(world.logged() > 0);
    world.restore_site(0, &old);
    let fault = world.first_fault(0).expect("the site sees its own future");
    assert!(fault.what.contains("this journal does not lead to"), "{fault}");
    assert!(world.halted(0));
}
