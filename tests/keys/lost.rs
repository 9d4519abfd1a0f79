//! Keys that nobody has any more, and sites that come back after they were revoked: governance replaces them.

use super::rotated::{keys, received};
use super::*;
use fedaudit_agent::outbox::{Kind, Outbox, State};
use fedaudit_core::key::KeyUse;
use fedaudit_core::roster::RosterKey;
use fedaudit_link::protocol::{JoinRequest, Token};

/// A new token for the site.
fn token(world: &World) -> String {
    world.aggregator(&["site", "add", SITE]).good().out.trim().to_owned()
}

fn ended(world: &World, key: &SigningKey) -> String {
    let (registry, _) = exported(world);
    let member = registry.member(&PublicKey::of(key).id()).expect("a member").clone();
    member.ended.map_or(String::new(), |(_, ended)| ended.why.to_string())
}

#[test]
fn a_site_that_lost_its_keys_gets_others() {
    let world = world();
    // In a later epoch of its journal, with releases that were signed and never arrived.
    world.aggregator(&["site", "epoch", SITE, "--reason", "a test"]).good();
    world.agent(SITE, &["plan", "list"]).good();
    world.agent(SITE, &["outbox", "export", &path(&world, "never")]).good();
    let before = ["attest", "note", "transport"].map(|usage| key(&world, SITE, usage));
    for usage in ["attest", "note", "transport"] {
        std::fs::remove_file(world.site(SITE).join(format!("keys/{usage}.key"))).expect("removes");
    }
    world.agent(SITE, &["run", "--once"]).fault("operator", &["attest.key"]);
    let said = world.aggregator(&["site", "add", SITE]).good();
    assert!(said.err.contains("dept-a is in the roster: this token has all of its keys replaced"), "{said:?}");
    let token = said.out.trim();
    world.agent(SITE, &["join", token]).fault("operator", &["attest.key", "--new-keys"]);
    world.agent(SITE, &["join", token, "--new-keys"]).good();
    world.agent(SITE, &["join", token, "--new-keys"]).good();
    let listed = world.aggregator(&["site", "list"]).good().out;
    assert!(listed.contains("dept-a\twaiting for approval of other keys"), "{listed}");
    world.agent(SITE, &["run", "--once"]).fault("operator", &["waits for approval", "site approve dept-a"]);
    assert!(world.aggregator(&["site", "approve", SITE]).good().out.contains("has other keys from now on"));
    assert!(world.aggregator(&["site", "approve", SITE]).good().out.contains("is enrolled"));

    // What was signed before and never received is signed anew, for nobody could tell it from a thief's.
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6);
    assert!(keys(&world, SITE).iter().zip(&before).all(|(after, before)| *after != before.to_bytes()));
    assert!(before.iter().all(|key| ended(&world, key) == "lost"));
    let status: Value = serde_json::from_str(&world.agent(SITE, &["status", "--json"]).good().out).expect("JSON");
    assert_eq!((&status["epoch"], &status["keys_wait"]), (&json!(2), &json!(false)));
    let receipts = path(&world, "receipts");
    world
        .aggregator(&["import", &path(&world, "never"), "--receipts", &receipts])
        .fault("site", &["key", "lost by entry"]);
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out.lines().count(), 0, "it contradicts nothing");
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn what_a_site_abstained_from_stays_with_it_when_its_keys_are_lost() {
    let world = world();
    let plan = world.plan().to_string();
    let abstain = ["plan", "abstain", &plan, "--window", "all", "--reason", "a strike", "--by", "steward"];
    assert!(world.agent(SITE, &abstain).good().out.contains("for 6 windows"));
    for usage in ["attest", "note", "transport"] {
        std::fs::remove_file(world.site(SITE).join(format!("keys/{usage}.key"))).expect("removes");
    }
    world.agent(SITE, &["join", &token(&world), "--new-keys"]).good();
    world.aggregator(&["site", "approve", SITE]).good();
    let said = world.agent(SITE, &["run", "--once"]).good();
    assert!(said.err.contains("it is signed anew if it still holds"), "{said:?}");
    world.agent(SITE, &["run", "--once"]).good();
    let all = Outbox::open(&world.site(SITE)).expect("opens").releases().expect("reads");
    assert!(all.len() == 6 && all.iter().all(|of| of.kind == Kind::Abstention && of.state == State::Received));
    assert!(all.iter().all(|of| String::from_utf8_lossy(&of.artifact).contains("a strike")));
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out.lines().count(), 0, "it contradicts nothing");
}

#[test]
fn a_site_that_lost_its_whole_home_goes_on() {
    let world = world();
    world.agent(SITE, &["run", "--once"]).good();
    std::fs::remove_dir_all(world.site(SITE)).expect("removes");
    world.agent(SITE, &["init", "--k-floor", "5"]).good();
    let token = token(&world);
    world.agent(SITE, &["join", &token, "--new-keys"]).fault("operator", &["has not joined"]);
    world.agent(SITE, &["join", &token]).good();
    world.aggregator(&["site", "approve", SITE]).good();
    // The journal is lost too: that is for governance to say.
    world.agent(SITE, &["run", "--once"]).fault("site", &["does not lead to", "new epoch"]);
    world.aggregator(&["site", "epoch", SITE, "--reason", "the disk is lost"]).good();
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!(received(&world, SITE), 6, "what was logged is taken back");
    world.ship(OTHER);
    let evidence = Evidence::of(&world);
    assert_eq!(judge(&evidence.bytes, &evidence.trust).code, 0);
}

#[test]
fn a_revoked_site_comes_back_with_a_new_token() {
    let world = world();
    let before = key(&world, SITE, "attest");
    world.aggregator(&["site", "revoke", SITE]).good();
    world.agent(SITE, &["run", "--once"]).fault("operator", &["which has ended"]);
    let token = token(&world);
    // Its present keys have ended: refused, or cut before that is said.
    let said = world.agent(SITE, &["join", &token]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.err.contains("--new-keys") || said.err.contains("this key has ended"), "{said:?}");
    world.agent(SITE, &["join", &token, "--new-keys"]).good();
    world.aggregator(&["site", "approve", SITE]).good();
    assert!(world.aggregator(&["site", "list"]).good().out.contains("dept-a\tenrolled"));
    world.agent(SITE, &["run", "--once"]).good();
    assert_eq!((received(&world, SITE), ended(&world, &before)), (6, "revoked".to_owned()));
    world.logs();
}

#[test]
fn only_the_last_token_replaces_keys() {
    let world = world();
    let first = Token::parse(&token(&world)).expect("a token");
    let second = Token::parse(&token(&world)).expect("a token");
    let stranger = |token: &Token, seed: u8| {
        let keys = [seed, seed + 1, seed + 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport].into_iter().zip(&keys);
        let public = uses.map(|(usage, key)| RosterKey { usage, key: PublicKey::of(key) }).collect();
        let signing: Vec<_> = keys.iter().collect();
        let request = JoinRequest::new(name("admissions"), name(SITE), public, &signing, &token.secret);
        let answer = Client::connect(&world, &keys[2]).ask(&Request::Join(Box::new(request.expect("encodes"))));
        assert!(matches!(answer, Ok(Response::Joined { .. })), "{answer:?}");
    };
    stranger(&first, 31);
    let entries = registry(&world);
    world.aggregator(&["site", "approve", SITE]).fault("site", &["secret"]);
    // Another entry of the site makes its tokens void.
    world.agent(SITE, &["key", "rotate", "--use", "transport"]).good();
    stranger(&second, 51);
    assert!(world.aggregator(&["site", "approve", SITE]).good().out.contains("is enrolled"));
    assert_eq!(registry(&world), entries + 1);
    world.agent(SITE, &["run", "--once"]).good();
}
