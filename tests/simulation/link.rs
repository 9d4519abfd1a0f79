//! What the link does with answers that it cannot keep, and with answers that come when another process has gone on.

use crate::answer;
use crate::world::World;
use fedaudit_agent::drive::{self, Ask};
use fedaudit_agent::home::Home;
use fedaudit_agent::outbox::State;
use fedaudit_agent::ship::{Shipper, Step};
use fedaudit_agent::site::Site;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::roster::plan_origin;
use fedaudit_core::time::SECOND_NS;
use fedaudit_link::protocol::Response;
use rusqlite::Connection;
use std::path::PathBuf;

/// A world whose first site has releases to send, and its link up.
fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    world.observe(0);
    (0..10).for_each(|_| world.close(0));
    world.now = world.now.plus_ns(60 * SECOND_NS);
    assert!(world.waiting(0) > 2);
    world
}

fn home(world: &World) -> PathBuf {
    world.dir.path().join("site-0")
}

/// Takes the steps of the first site's link until this one comes.
fn until(world: &mut World, wanted: &Step) {
    for _ in 0..20 {
        let now = world.now;
        let (site, shipper) = &mut world.sites[0];
        let step = drive::next(site.as_mut().expect("is open"), shipper, now).expect("reads");
        if step == *wanted {
            return;
        }
        world.ship(0, 1);
    }
    panic!("{wanted:?} never comes");
}

/// Sends what a step asks, and leaves the answer to be heard.
fn asked(world: &mut World, step: Step) -> (Ask, Response) {
    let now = world.now;
    let (site, shipper) = &mut world.sites[0];
    let site = site.as_mut().expect("is open");
    let ask = drive::ask(site, shipper, step).expect("asks").expect("something to send");
    let peer = PublicKey::of(&site.home.key(KeyUse::Transport).expect("a key"));
    let response = answer(world.centre.as_mut().expect("is open"), &peer, &ask.frame, now).expect("answers");
    (ask, response)
}

fn hear(world: &mut World, ask: &Ask, response: Response) -> Result<(), String> {
    let now = world.now;
    let (site, shipper) = &mut world.sites[0];
    drive::hear(site.as_mut().expect("is open"), shipper, ask, response, now, 0.5).map_err(|fault| fault.what)
}

#[test]
fn an_answer_is_judged_by_what_was_asked() {
    let mut world = world(3_000);
    until(&mut world, &Step::Submit);
    let (ask, response) = asked(&mut world, Step::Submit);
    // Another process of this home sends the same and all others meanwhile.
    let mut other = Site::open(Home::open(&home(&world)).expect("a home")).expect("opens");
    let link: Shipper = drive::shipper(&other).expect("a shipper");
    std::mem::swap(world.site(0), &mut other);
    let link = std::mem::replace(&mut world.sites[0].1, link);
    world.ship(0, 50);
    assert_eq!(world.waiting(0), 0);
    std::mem::swap(world.site(0), &mut other);
    world.sites[0].1 = link;
    let plan = other.outbox.list().expect("reads")[0].plan;
    let origin = plan_origin(&other.enrolment.federation, &plan);
    let seen = other.outbox.seen_of(&origin).expect("reads");
    hear(&mut world, &ask, response).expect("it fits what was asked");
    assert!(!world.halted(0), "nobody went back");
    assert_eq!(world.site(0).outbox.seen_of(&origin).expect("reads"), seen, "what was seen stays seen");
}

#[test]
fn what_cannot_be_kept_is_asked_for_after_a_while() {
    let mut world = world(3_001);
    until(&mut world, &Step::Submit);
    let disk = Connection::open(home(&world).join("outbox.sqlite")).expect("opens");
    let fails = "CREATE TRIGGER fails BEFORE UPDATE ON release BEGIN SELECT RAISE(FAIL, 'the disk fails'); END";
    disk.execute_batch(fails).expect("a trigger");
    let (ask, response) = asked(&mut world, Step::Submit);
    let what = hear(&mut world, &ask, response).expect_err("it is not kept");
    assert!(what.contains("the disk fails"), "{what}");
    assert!(!world.sites[0].1.is_up(), "it is not sent again at once");
    disk.execute_batch("DROP TRIGGER fails").expect("drops");
    world.now = world.now.plus_ns(60 * SECOND_NS);
    world.ship(0, 50);
    assert_eq!(world.waiting(0), 0);
}

#[test]
fn a_fence_that_cannot_be_written_is_tried_again() {
    let mut world = world(3_002);
    let fence = home(&world).join("fence.json");
    std::fs::remove_file(&fence).expect("removes");
    world.crash(0);
    assert!(world.site(0).standing.clear().is_err());
    until(&mut world, &Step::Mine);
    // Nothing can be renamed to it.
    std::fs::create_dir_all(fence.join("full")).expect("makes a folder");
    let (ask, response) = asked(&mut world, Step::Mine);
    hear(&mut world, &ask, response).expect_err("no fence");
    assert!(!world.sites[0].1.is_settled(), "nothing is settled without it");
    std::fs::remove_dir_all(&fence).expect("removes");
    world.now = world.now.plus_ns(60 * SECOND_NS);
    world.ship(0, 50);
    assert!(world.site(0).standing.clear().is_ok());
    let listed = world.site(0).outbox.list().expect("reads");
    assert!(listed.iter().all(|of| of.state == State::Received), "{listed:?}");
}
