//! What must be refused, by real daemons over real QUIC: with whose fault it is, by which check, and what to do next;
//! in the sender's answer and in the aggregator's log; and the aggregator serves good sites afterwards.

#[path = "refusals/evidence.rs"]
mod evidence;
#[path = "refusals/forms.rs"]
mod forms;
#[path = "refusals/group.rs"]
mod group;
#[path = "refusals/join.rs"]
mod join;
#[path = "refusals/kept.rs"]
mod kept;
#[path = "refusals/past.rs"]
mod past;
#[path = "refusals/publish.rs"]
mod publish;
#[path = "refusals/wire.rs"]
mod wire;

use fedaudit_core::fault::Blame;
use fedaudit_core::key::PublicKey;
use fedaudit_link::protocol::{Request, Response};
use fedaudit_tests::client::{Client, hello, key};
use fedaudit_tests::forge::{Draft, Forger, Signed};
use fedaudit_tests::world::World;
use serde_json::{Value, json};

/// A federation in which `dept-a` has shipped, `dept-b` is enrolled and speaks through the test, and `dept-c` is to come.
struct Hostile {
    world: World,
    client: Client,
    forger: Forger,
    /// Releases logged so far.
    logged: u64,
}

impl Hostile {
    fn new() -> Hostile {
        let world = World::new(&["dept-a", "dept-b", "dept-c"]);
        world.enrol("dept-b");
        // What is forged after its releases then names a registry that holds `dept-b`'s keys.
        world.ship("dept-a");
        let client = Client::of_site(&world, "dept-b");
        assert!(matches!(client.ask(&hello("dept-b")), Ok(Response::Hello(_))), "the link is up");
        let forger = Forger::new(&world, "dept-b", "dept-a");
        Hostile { world, client, forger, logged: 6 }
    }

    /// Sends a release that `check` must refuse.
    #[track_caller]
    fn refused(&self, signed: &Signed, check: &str) -> String {
        let request = Request::Submit(Box::new(signed.submission()));
        self.client.refused(&self.world, &request, Blame::Site, check).refusal.to_string()
    }

    /// Sends a release that must be received as the next in the log.
    #[track_caller]
    fn received(&mut self, signed: &Signed) {
        assert_eq!(self.client.received(signed), self.logged, "the next index");
        self.logged += 1;
    }

    /// Folders under `conflicts`.
    fn conflicts(&self) -> usize {
        std::fs::read_dir(self.world.home().join("conflicts")).expect("lists").count()
    }

    /// What `conflict list --json` says.
    fn listed(&self) -> Vec<Value> {
        let said = self.world.aggregator(&["conflict", "list", "--json"]).good();
        serde_json::from_str::<Value>(&said.out).expect("JSON").as_array().expect("a list").clone()
    }

    /// Sends a release that contradicts `logged`: both are kept, the log is not changed, and whoever has the trust file
    /// can tell from the export whether a contradiction is proven (`proof` is then part of how).
    #[track_caller]
    fn conflict(&self, signed: &Signed, check: &str, logged: Option<&Signed>, proof: Option<&str>) {
        let (before, kept) = (self.world.logs(), self.conflicts());
        let refused = self.refused(signed, check);
        assert_eq!((self.world.logs(), self.conflicts()), (before, kept + 1), "{refused}");
        let listed = self.listed();
        let fits = |row: &&Value| row["refused"] == signed.digest().to_string() && row["check"] == check;
        let row = listed.iter().find(fits).unwrap_or_else(|| panic!("{refused}: {listed:?}"));
        assert_eq!(row["logged"], json!(logged.map(|signed| signed.digest().to_string())), "{refused}");
        assert_eq!((row["site"].as_str(), row["received"].is_null()), (Some("dept-b"), true));
        evidence::check(&self.world, row["id"].as_str().expect("an id"), signed, logged, proof);
        // The same again is refused again, and kept once.
        assert_eq!(self.refused(signed, check), refused);
        assert_eq!(self.conflicts(), kept + 1);
    }

    /// A good site ships, and the report over all of it is verified.
    #[track_caller]
    fn end(self) {
        self.world.ship("dept-c");
        let logs = self.world.logs();
        assert!(logs.contains(&format!("{} entries", self.logged + 6)), "{logs}");
    }
}

/// One group's counts in a release.
fn counts(release: &mut Value, slice: usize, group: usize) -> &mut Value {
    &mut release["strata"][0]["slices"][slice]["groups"][group]["counts"]["full"]
}

#[test]
fn releases_that_say_what_they_must_not() {
    type Edit = fn(Draft);
    let cases: [(&str, &str, Edit); 14] = [
        ("plan", "the digest of a plan in the registry", |d| {
            d.claim["plan"] = json!("00".repeat(32));
            d.release["plan"] = json!("00".repeat(32));
        }),
        ("contract", "", |d| d.claim["contract"] = json!("00".repeat(32))),
        ("window", "a window of plan admissions-1973", |d| {
            let window = json!({ "start": "1973-01-01T00:00:00Z", "end": "1973-07-01T00:00:00Z" });
            (d.claim["window"], d.release["window"]) = (window.clone(), window);
        }),
        ("window", "a window of plan admissions-1973", |d| {
            let window = json!({ "start": "1973-07-01T00:00:00Z", "end": "1973-08-01T00:00:00Z" });
            (d.claim["window"], d.release["window"]) = (window.clone(), window);
        }),
        ("release", "dept-b", |d| d.release["site"] = json!("dept-a")),
        ("release", "", |d| d.release["k"] = json!(1)),
        ("release", "counts of 0 or 5", |d| *counts(d.release, 1, 0) = json!([[0, 0, 4], [0, 0, 0], [0, 0, 0]])),
        ("release", "", |d| counts(d.release, 1, 1)[0][2] = json!(10_000)),
        ("release", "", |d| d.release["events"] = json!(1)),
        ("release", "outcomes <= events", |d| d.release["outcomes"] = json!(1_000_000)),
        ("release", "0 folds", |d| {
            d.release["strata"][0]["slices"][1]["groups"][0]["counts"] = json!({ "folded": 0 });
        }),
        ("release", "2 slices", |d| drop(d.release["strata"][0]["slices"].as_array_mut().expect("slices").pop())),
        ("release", "a release document", |d| d.release["comment"] = json!("")),
        ("statement", "an in-toto statement", |d| d.claim["comment"] = json!("")),
    ];
    let mut hostile = Hostile::new();
    let before = hostile.world.logs();
    for (check, expected, edit) in cases {
        let refused = hostile.refused(&hostile.forger.release(0, None, edit), check);
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
    assert_eq!((hostile.world.logs(), hostile.conflicts()), (before, 0), "nothing was logged, nothing contradicts");
    // The control: made in the same way, with nothing wrong in it, it is received.
    hostile.received(&hostile.forger.release(0, None, |_| {}));
    hostile.end();
}

#[test]
fn releases_altered_or_signed_by_others() {
    let mut hostile = Hostile::new();
    let good = hostile.forger.release(0, None, |_| {});
    let id = |key| PublicKey::of(key).id();
    let (attest, note) = (&hostile.forger.attest, &hostile.forger.note);
    let by = |key, keyid| hostile.forger.signed_by(0, None, |_| {}, key, keyid);
    let other = key(&hostile.world, "dept-a", "attest");
    hostile.refused(&by(note, id(note)), "signer");
    hostile.refused(&by(note, id(attest)), "signature");
    hostile.refused(&by(&other, id(attest)), "signature");
    hostile.refused(&by(&other, id(&other)), "signer");
    hostile.refused(&by(attest, id(note)), "signer");
    // Another character in the middle of each region.
    for (region, check) in
        [("payload", "signature"), ("sig", "signature"), ("keyid", "signer"), ("payloadType", "envelope")]
    {
        let text = String::from_utf8(good.envelope.clone()).expect("text");
        let start = text.find(&format!("\"{region}\":\"")).expect("a region") + region.len() + 4;
        let length = text[start..].find('"').expect("an end");
        let mut bytes = text.into_bytes();
        let at = start + length / 2;
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        hostile.refused(&Signed { envelope: bytes, artifact: good.artifact.clone() }, check);
    }
    let mut artifact = good.artifact.clone();
    artifact.push(b' ');
    hostile.refused(&Signed { envelope: good.envelope.clone(), artifact }, "artifact");
    hostile.refused(&Signed { envelope: good.envelope.clone(), artifact: Vec::new() }, "artifact");
    hostile.refused(&Signed { envelope: vec![b'{'; 70_000], artifact: Vec::new() }, "envelope");
    hostile.refused(&Signed { envelope: b"{}".to_vec(), artifact: Vec::new() }, "envelope");
    // The journal's checkpoints are signed by the note key, at the end of a block, of this site and its first epoch.
    let journal = |edit: &dyn Fn(&Forger) -> Value| {
        let journal = edit(&hostile.forger);
        hostile.forger.release(0, None, |d| d.claim["journal"] = journal)
    };
    hostile.refused(&journal(&|f| f.journal(1, [1000, 0], 0)), "journal");
    hostile.refused(&journal(&|f| f.journal(2, [1024, 0], 0)), "journal");
    hostile.refused(&journal(&|_| json!([])), "journal");
    let second = hostile.forger.release(0, None, |d| {
        d.claim["epoch"] = json!(2);
        d.claim["journal"] = hostile.forger.journal(2, [1024, 0], 0);
    });
    hostile.refused(&second, "epoch");
    hostile.received(&good);
    hostile.end();
}

#[test]
fn a_release_is_its_own_sites_and_is_logged_once() {
    let mut hostile = Hostile::new();
    let first = hostile.forger.release(0, None, |_| {});
    // Over the connection of another site, that of `dept-a`.
    let other = Client::of_site(&hostile.world, "dept-a");
    let request = Request::Submit(Box::new(first.submission()));
    other.refused(&hostile.world, &request, Blame::Site, "signer");
    hostile.received(&first);
    let before = hostile.world.logs();
    for _ in 0..3 {
        assert_eq!(hostile.client.received(&first), hostile.logged - 1, "the same receipt");
    }
    assert_eq!((hostile.world.logs(), hostile.conflicts()), (before, 0));
    // A site speaks in its own name only.
    hostile.client.refused(&hostile.world, &hello("dept-a"), Blame::Site, "signer");
    hostile.end();
}

#[test]
fn releases_that_contradict_logged_ones_are_kept_as_evidence() {
    let mut hostile = Hostile::new();
    let quiet = hostile.world.aggregator(&["status"]).good();
    assert!(!quiet.out.contains("conflicts"), "{quiet:?}");
    hostile.conflict(&hostile.forger.release(3, None, |_| {}), "sequence", None, Some("names none before it"));
    let first = hostile.forger.release(0, None, |_| {});
    let beginning = hostile.forger.release(0, Some(&first), |_| {});
    hostile.conflict(&beginning, "previous", None, Some("names one before it"));
    hostile.received(&first);
    // A second answer for the window, with another number and another digest of the raw counts.
    let edit = |d: Draft| d.claim["raw"] = json!("11".repeat(32));
    let second_answer = hostile.forger.release(0, None, edit);
    hostile.conflict(&second_answer, "window", Some(&first), Some("of which neither amends the other"));
    let next = |d: Draft| d.claim["sequence"] = json!(1);
    let numbered = hostile.forger.release(0, Some(&first), next);
    hostile.conflict(&numbered, "window", Some(&first), Some("of which neither amends the other"));
    let forger = &hostile.forger;
    let skipped = forger.release(2, Some(&first), |_| {});
    hostile.conflict(&skipped, "sequence", Some(&first), Some("release 2 names release 0 as the one before it"));
    let gap = forger.release(2, Some(&second_answer), |_| {});
    hostile.conflict(&gap, "sequence", Some(&first), None);
    let rootless = forger.release(1, None, |_| {});
    hostile.conflict(&rootless, "previous", Some(&first), Some("does not name release 0 as the one before it"));
    let (other, shrunk) = (forger.journal(1, [1024, 0], 9), forger.journal(1, [0, 0], 0));
    let grown = forger.journal(1, [2048, 0], 9);
    let rewritten = forger.release(1, Some(&first), |d| d.claim["journal"] = other);
    hostile.conflict(&rewritten, "journal", Some(&first), Some("two roots of"));
    let unproven = forger.release(1, Some(&first), |d| d.claim["journal"] = grown);
    // What nobody proves is asked for, and held against nobody.
    let (kept, request) = (hostile.conflicts(), Request::Submit(Box::new(unproven.submission())));
    let asked = hostile.client.refused(&hostile.world, &request, Blame::Operator, "journal");
    assert!(asked.hint.contains("a proof from size 1024"), "{asked:?}");
    assert_eq!(hostile.conflicts(), kept);
    // Every log contains the empty one; such a release is behind what was seen, and consistent with it.
    let second = forger.release(1, Some(&first), |d| d.claim["journal"] = shrunk);
    hostile.received(&second);
    // An amendment must name what it amends.
    let amends = |d: Draft| d.claim["amends"] = json!({ "envelope": "22".repeat(32), "reason": "a test" });
    hostile.conflict(&hostile.forger.release(2, Some(&second), amends), "window", None, None);
    // The same bytes, refused for another reason later: both reasons are kept.
    let kept = hostile.conflicts();
    hostile.received(&hostile.forger.release(2, Some(&second), |_| {}));
    hostile.refused(&rewritten, "window");
    assert_eq!(hostile.conflicts(), kept + 1);
    let digest = json!(rewritten.digest().to_string());
    let checks: Vec<_> = hostile.listed().into_iter().filter(|row| row["refused"] == digest).collect();
    let checks: Vec<_> = checks.iter().map(|row| row["check"].as_str().expect("a check")).collect();
    assert_eq!(checks, ["journal", "window"]);
    let seen = format!("conflicts kept: {}", kept + 1);
    assert!(hostile.world.aggregator(&["status"]).good().out.contains(&seen));
    assert!(hostile.world.aggregator(&["log", "verify"]).good().err.contains(&seen));
    hostile.end();
}
