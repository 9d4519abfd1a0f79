//! Whatever a crash leaves, a draft waits, or what was approved is signed once.

use super::{SITE, approve, digest, drafts, holds_all, parse, reviewing, run, show, signed};
use fedaudit_agent::home::Home;
use fedaudit_agent::site::Site;
use fedaudit_core::event::LedgerEntry;
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Time;
use fedaudit_tests::absent::{JANUARY, MARCH};
use fedaudit_tests::program;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_crash_between_approval_and_signature_is_mended() {
    let (world, _) = reviewing(0);
    let draft = digest(&world, JANUARY);
    {
        let mut site = Site::open(Home::open(&world.site(SITE)).expect("a home")).expect("opens");
        let (plan, _) = site.plan_named(&world.plan()).expect("the plan");
        let artifact = Digest::from_hex(&draft).expect("a digest");
        let (by, at) = ("steward-one".to_owned(), Time(0));
        let entry = LedgerEntry::Approved { plan, window: parse(JANUARY), artifact, needed: 1, by, at };
        site.journal.append(&[entry], &mut site.rng).expect("written");
    }
    assert!(run(&world).contains("1 release received; 5 releases wait"));
    assert_eq!(Digest::of(&signed(&world)[0].artifact).to_string(), draft);
    // The drafts' bytes are lost: they are computed again.
    let march = digest(&world, MARCH);
    let outbox = rusqlite::Connection::open(world.site(SITE).join("outbox.sqlite")).expect("opens");
    assert_eq!(outbox.execute("DELETE FROM draft", []).expect("deletes"), 5);
    drop(outbox);
    let (text, json) = show(&world, MARCH);
    assert_eq!((json["digest"].as_str(), &json["changed"]), (Some(march.as_str()), &Value::Null));
    holds_all(&text, &json["release"]);
    approve(&world, &march, "steward-one").good();
}

#[test]
fn killed_while_approving_it_is_signed_once_or_waits() {
    let (world, _) = reviewing(0);
    let approved: Vec<String> =
        drafts(&world, "waiting").iter().map(|row| row["digest"].as_str().expect("a digest").to_owned()).collect();
    let home = world.site(SITE);
    for (nth, draft) in (0..).zip(&approved) {
        let mut command = Command::new(program("fedaudit-agent"));
        command.arg("--home").arg(&home).args(["release", "approve", draft, "--by", "steward-one"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(3 + 9 * nth));
        let _ = child.kill();
        let _ = child.wait();
        world.agent(SITE, &["journal", "verify"]).good();
    }
    run(&world);
    for row in drafts(&world, "waiting") {
        approve(&world, row["digest"].as_str().expect("a digest"), "steward-one").good();
    }
    assert!(run(&world).contains("stopped: all 6 releases received\n"));
    let mut sent: Vec<_> = signed(&world).iter().map(|of| Digest::of(&of.artifact).to_string()).collect();
    let mut wanted = approved;
    sent.sort();
    wanted.sort();
    assert_eq!(sent, wanted, "each once, and as it was approved");
}
