//! Joining: tokens, secrets, pins and keys.

use ed25519_dalek::SigningKey;
use fedaudit_core::fault::Blame;
use fedaudit_core::ids::Digest;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_core::limits;
use fedaudit_core::roster::RosterKey;
use fedaudit_core::time::{HOUR_NS, Time};
use fedaudit_link::home::now;
use fedaudit_link::protocol::{JoinRequest, Request, Response, Token};
use fedaudit_tests::client::{Client, hello, key};
use fedaudit_tests::forge::Forger;
use fedaudit_tests::run;
use fedaudit_tests::world::{World, name};

/// A federation that gave out a token for `dept-b`, whose home is made.
fn invited() -> (World, Token) {
    let world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.agent("dept-b", &["init", "--k-floor", "5"]).good();
    let token = world.aggregator(&["site", "add", "dept-b"]).good();
    assert!(token.err.contains("is a secret and expires"), "{token:?}");
    (world, Token::parse(&token.out).expect("a token"))
}

fn join(world: &World, token: &Token) -> fedaudit_tests::Said {
    let said = world.agent("dept-b", &["join", &token.to_text().expect("encodes")]);
    let secret = fedaudit_core::ids::hex(&token.secret);
    assert!(!said.err.contains(&secret) && !said.out.contains(&secret), "the secret is printed: {said:?}");
    said
}

#[test]
fn a_program_knows_the_home_of_the_other() {
    let world = World::new(&["dept-a", "dept-b"]);
    world.agent("dept-a", &["init"]).good();
    let status =
        |program: &str, home: &std::path::Path| run(program, &["--home".as_ref(), home.as_os_str(), "status".as_ref()]);
    let said = status("fedaudit-aggregator", &world.site("dept-a"));
    said.fault("operator", &["this is an agent's home", "run fedaudit-agent"]);
    let said = status("fedaudit-agent", &world.home());
    said.fault("operator", &["this is an aggregator's home", "run fedaudit-aggregator"]);
    status("fedaudit-aggregator", &world.home()).good();
}

#[test]
fn tokens_that_are_not_what_governance_gave() {
    let (world, token) = invited();
    let with = |edit: &dyn Fn(&mut Token)| {
        let mut token = token.clone();
        edit(&mut token);
        join(&world, &token)
    };
    let past = Time(now().0 - HOUR_NS).unix_seconds();
    with(&|t| t.expires_unix_s = past).fault("operator", &["the join token expired", "ask governance"]);
    with(&|t| t.transport = Digest::of(b"other")).fault("aggregator", &["holds a different key", "do not go on"]);
    with(&|t| t.governance = Digest::of(b"other")).fault("aggregator", &["governance fingerprint", "the token says"]);
    let foreign = with(&|t| t.federation = name("elsewhere"));
    foreign.fault("site", &["federation: expected admissions, found elsewhere"]);
    world.logged("federation: expected admissions, found elsewhere");
    let mut mistyped = token.to_text().expect("encodes").into_bytes();
    mistyped[40] = if mistyped[40] == b'0' { b'1' } else { b'0' };
    for mistyped in [String::from_utf8(mistyped).expect("text"), "fedaudit-join-1-00".to_owned(), "abc".to_owned()] {
        world.agent("dept-b", &["join", &mistyped]).fault("input", &["join token"]);
    }
    // None of them left a trace: the home has not joined, and the right token still works.
    world.agent("dept-b", &["status"]).fault("operator", &["has not joined"]);
    world.aggregator(&["site", "approve", "nobody"]).fault("operator", &["has not asked to join"]);
    join(&world, &token).good();
    world.aggregator(&["site", "approve", "dept-b"]).good();
    world.ship("dept-a");
}

#[test]
fn a_token_of_another_federation_leads_to_nobody() {
    let (world, token) = invited();
    let other = World::new(&["dept-a", "dept-b"]);
    let foreign = Token::parse(&other.aggregator(&["site", "add", "dept-b"]).good().out).expect("a token");
    // Its pin at our address, and our pin at its address: each reaches an aggregator with another key.
    let pins = [(token.address.clone(), foreign.transport), (foreign.address.clone(), token.transport)];
    for (address, transport) in pins {
        let said = join(&world, &Token { address, transport, ..token.clone() });
        said.fault("aggregator", &["holds a different key than the join token", "instead of"]);
    }
    // Another federation of the same name, whole: its governance is not the token's.
    let mixed = Token { governance: token.governance, ..foreign };
    join(&world, &mixed).fault("aggregator", &["governance fingerprint"]);
}

#[test]
fn approval_wants_the_secret_in_time() {
    let (world, token) = invited();
    let before = world.logs();
    let refused = |blame: &str, what: &[&str]| {
        world.aggregator(&["site", "approve", "dept-b"]).fault(blame, what);
        assert_eq!(world.logs(), before, "nobody was enrolled");
    };
    let wrong = Token { secret: [7; 16], ..token.clone() };
    join(&world, &wrong).good();
    refused("site", &["secret: expected an HMAC under the token's secret", "does not hold the token"]);
    // Not approved, the site may do nothing but join.
    let said = world.agent("dept-b", &["plan", "list"]);
    let waits = "operator: site dept-b waits for approval by governance\nhint: governance approves it: \
                 fedaudit-aggregator site approve dept-b\n";
    assert!(said.err.starts_with(waits), "{said:?}");
    let said = world.agent("dept-b", &["run", "--once"]);
    assert_eq!((said.code, said.err.as_str()), (Some(4), waits), "it does not wait for people: {said:?}");
    let status = || world.agent("dept-b", &["status"]).good().out;
    assert!(status().contains("approval by governance is pending"), "{}", status());
    world.logged("signer: expected a transport key in the roster");
    join(&world, &token).good();
    let invite = world.governance().join("invites/dept-b.invite");
    let expired = Token { expires_unix_s: Time(now().0 - HOUR_NS).unix_seconds(), ..token.clone() };
    let kept = std::fs::read(&invite).expect("reads");
    std::fs::write(&invite, expired.to_text().expect("encodes")).expect("writes");
    refused("operator", &["the token of site dept-b expired", "site add dept-b"]);
    std::fs::write(&invite, kept).expect("writes");
    world.aggregator(&["site", "approve", "dept-b"]).good();
    world.agent("dept-b", &["run", "--once"]).good();
    assert!(!status().contains("pending"), "{}", status());
    // Used up: the token enrols nobody else, and the same keys may ask again.
    assert!(!invite.exists());
    join(&world, &token).good();
    // A token for a site in the roster says what it does; nobody used it.
    assert!(world.aggregator(&["site", "add", "dept-b"]).good().err.contains("all of its keys replaced"));
    refused_anew(&world);
    world.ship("dept-a");
}

fn refused_anew(world: &World) {
    world.aggregator(&["site", "approve", "dept-b"]).fault("operator", &["has not asked to join"]);
    world.aggregator(&["site", "add", "aggregator"]).fault("operator", &["no site may be called aggregator"]);
}

/// A join request of made-up keys, under the secret of `token`.
fn request(token: &Token, seed: u8) -> (JoinRequest, SigningKey) {
    let keys = [seed, seed + 1, seed + 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport].iter().zip(&keys);
    let public = uses.map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) }).collect();
    let signing: Vec<_> = keys.iter().collect();
    let request = JoinRequest::new(token.federation.clone(), token.site.clone(), public, &signing, &token.secret);
    (request.expect("encodes"), keys[2].clone())
}

#[test]
fn an_unknown_key_may_only_join_and_only_briefly() {
    let (world, token) = invited();
    world.ship("dept-a");
    let (good, transport) = request(&token, 1);
    let stranger = Client::connect(&world, &transport);
    stranger.refused(&world, &hello("dept-b"), Blame::Operator, "signer");
    stranger.refused(&world, &Request::Registry { from: 0 }, Blame::Operator, "signer");
    world.federation.enrol(&name("dept-c"), 5).expect("enrols");
    world.agent("dept-c", &["plan", "accept", world.plan().as_str()]).good();
    let release = Forger::new(&world, "dept-c", "dept-a").release(0, None, |_| {});
    let submit = Request::Submit(Box::new(release.submission()));
    stranger.refused(&world, &submit, Blame::Operator, "signer");
    let mut long = good.clone();
    long.proofs.push(vec![0; limits::UNKNOWN_PEER_FRAME_BYTES]);
    let fault = stranger.ask(&Request::Join(Box::new(long))).expect_err("too long for a stranger");
    assert!(fault.blame == Blame::Site && fault.what.contains("longer than this peer may send"), "{fault}");
    assert!(fault.hint.contains("may only join"), "{fault}");
    world.logged(&format!("of which {} are allowed", limits::UNKNOWN_PEER_FRAME_BYTES));
    let refused = |request: &JoinRequest, check: &str| {
        stranger.refused(&world, &Request::Join(Box::new(request.clone())), Blame::Site, check);
    };
    let mut unproven = good.clone();
    unproven.proofs.swap(0, 1);
    refused(&unproven, "possession");
    let (other, _) = request(&token, 10);
    // Somebody else's keys, over a connection that does not show them.
    refused(&other, "possession");
    let mut twice = good.clone();
    twice.keys[0] = twice.keys[1].clone();
    refused(&twice, "roster");
    let (mut enrolled, _) = request(&Token { site: name("dept-c"), ..token.clone() }, 1);
    enrolled.federation = name("elsewhere");
    refused(&enrolled, "federation");
    let answer = stranger.ask(&Request::Join(Box::new(good)));
    assert!(matches!(answer, Ok(Response::Joined { .. })), "{answer:?}");
    // Two requests that both hold the secret: governance does not choose.
    let (second, transport) = request(&token, 20);
    let answer = Client::connect(&world, &transport).ask(&Request::Join(Box::new(second)));
    assert!(matches!(answer, Ok(Response::Joined { .. })), "{answer:?}");
    world.aggregator(&["site", "approve", "dept-b"]).fault("site", &["two different requests hold the token's secret"]);
    // The keys of an enrolled site, under another name. A new token makes the requests under the old one void.
    let token = world.aggregator(&["site", "add", "dept-b"]).good();
    let token = Token::parse(&token.out).expect("a token");
    let known = key(&world, "dept-a", "transport");
    let keys = ["attest", "note", "transport"].map(|usage| key(&world, "dept-a", usage));
    let uses = [KeyUse::Attest, KeyUse::Note, KeyUse::Transport].iter().zip(&keys);
    let public = uses.map(|(usage, key)| RosterKey { usage: *usage, key: PublicKey::of(key) }).collect();
    let signing: Vec<_> = keys.iter().collect();
    let again = JoinRequest::new(token.federation.clone(), token.site, public, &signing, &token.secret);
    let answer = Client::connect(&world, &known).ask(&Request::Join(Box::new(again.expect("encodes"))));
    assert!(answer.is_ok(), "{answer:?}");
    let before = world.logs();
    let said = world.aggregator(&["site", "approve", "dept-b"]);
    assert!(said.code == Some(4) && said.err.contains("keys that no other party has"), "{said:?}");
    assert_eq!(world.logs(), before);
}

#[test]
fn joins_that_wait_have_a_quota() {
    let (world, token) = invited();
    let joins = world.home().join("joins");
    for nth in 0..limits::PENDING_JOINS {
        std::fs::write(joins.join(format!("site-{nth}@{nth}.join")), b"").expect("writes");
    }
    let (good, transport) = request(&token, 1);
    let stranger = Client::connect(&world, &transport);
    let refused = stranger.refused(&world, &Request::Join(Box::new(good.clone())), Blame::Operator, "quota");
    assert_eq!(refused.refusal.found, limits::PENDING_JOINS.to_string());
    std::fs::remove_file(joins.join("site-0@0.join")).expect("removes");
    let answer = stranger.ask(&Request::Join(Box::new(good)));
    assert!(matches!(answer, Ok(Response::Joined { .. })), "{answer:?}");
}
