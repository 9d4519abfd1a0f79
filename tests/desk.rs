//! The release desk, through the real programs: what waits, what is shown of it, and who lets it go.

#[path = "desk/crash.rs"]
mod crash;

use fedaudit_agent::outbox::{Kind, Outbox, Outgoing};
use fedaudit_core::ids::Digest;
use fedaudit_core::time::Window;
use fedaudit_tests::Said;
use fedaudit_tests::absent::{JANUARY, MARCH, import, split};
use fedaudit_tests::world::{World, restore};
use serde_json::Value;
use std::path::{Path, PathBuf};

const SITE: &str = "dept-a";
const SITES: [&str; 3] = [SITE, "dept-b", "dept-c"];

/// A site that reviews, with its data imported but for `late` rows of January; what waits is drafted.
fn reviewing(late: usize) -> (World, PathBuf) {
    let world = World::new(&SITES);
    world.enrol(SITE);
    let [late, early] = split(&world, SITE, late);
    import(&world, SITE, &early);
    let plan = world.plan();
    let accept = ["plan", "accept", plan.as_str(), "--review", "--by", "steward-one"];
    let accepted = world.agent(SITE, &accept).good().out;
    assert!(accepted.contains("accepted; each release waits for review"), "{accepted}");
    let said = run(&world);
    assert!(said.contains("stopped: nothing in the outbox; 6 releases wait for approval: release list"), "{said}");
    (world, late)
}

fn run(world: &World) -> String {
    world.agent(SITE, &["run", "--once"]).good().out
}

fn set(world: &World, key: &str, value: &str) {
    let path = world.site(SITE).join("config.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).expect("the key").to_owned();
    std::fs::write(&path, text.replace(&line, &format!("{key} = {value}"))).expect("writes");
}

/// Rows of `release list`.
fn listed(world: &World) -> Vec<Value> {
    serde_json::from_str(&world.agent(SITE, &["release", "list", "--json"]).good().out).expect("JSON")
}

fn drafts(world: &World, state: &str) -> Vec<Value> {
    listed(world).into_iter().filter(|row| row["kind"] == "draft" && row["state"] == state).collect()
}

/// The digest of the draft of a window.
#[track_caller]
fn digest(world: &World, window: &str) -> String {
    let rows = drafts(world, "waiting");
    let row = rows.iter().find(|row| row["window"] == serde_json::to_value(parse(window)).expect("JSON"));
    row.and_then(|row| row["digest"].as_str()).expect("it waits").to_owned()
}

fn parse(window: &str) -> Window {
    Window::parse(window).expect("a window")
}

fn approve(world: &World, digest: &str, by: &str) -> Said {
    world.agent(SITE, &["release", "approve", digest, "--by", by])
}

fn show(world: &World, what: &str) -> (String, Value) {
    let text = world.agent(SITE, &["release", "show", what]).good().out;
    let json = world.agent(SITE, &["release", "show", what, "--json"]).good().out;
    (text, serde_json::from_str(&json).expect("JSON"))
}

fn signed(world: &World) -> Vec<Outgoing> {
    Outbox::open(&world.site(SITE)).expect("opens").releases().expect("reads")
}

/// Every number of a document.
fn numbers(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| numbers(item, found)),
        Value::Number(number) => found.push(number.to_string()),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            found.push(text.clone());
        }
        _ => {}
    }
}

/// How often each number stands in a text at least.
fn holds_all(text: &str, value: &Value) {
    let words = |text: &str| -> Vec<String> {
        let of = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.');
        of.map(|word| word.trim_matches('.').to_owned()).collect()
    };
    let (mut wanted, said) = (Vec::new(), words(text));
    numbers(value, &mut wanted);
    assert!(wanted.len() > 10, "a release has numbers: {value}");
    for number in &wanted {
        let count = |all: &[String]| all.iter().filter(|word| *word == number).count();
        assert!(count(&said) >= count(&wanted), "{number} is not shown {} times:\n{text}", count(&wanted));
    }
}

#[test]
fn what_is_shown_and_approved_is_what_is_sent() {
    let (world, _) = reviewing(0);
    let list = world.agent(SITE, &["release", "list"]).good().out;
    assert_eq!(list.matches("\twaiting: 0 of 1 approvals").count(), 6, "{list}");
    assert!(world.agent(SITE, &["status"]).good().out.contains("wait for the data steward: 6"));
    let nothing = world.scratch("nothing").to_string_lossy().into_owned();
    let said = world.agent(SITE, &["outbox", "export", &nothing]).good().out;
    assert!(said.starts_with("0 releases and a heartbeat in ") && said.contains("6 not signed yet"), "{said}");
    // Heartbeats go on.
    let logged = || world.logs().lines().filter(|log| !log.contains("/heartbeats: ")).collect::<Vec<_>>().join("\n");
    let before = logged();
    let draft = digest(&world, JANUARY);
    let (text, json) = show(&world, JANUARY);
    assert_eq!(json["digest"].as_str(), Some(draft.as_str()));
    assert!(json["release"]["events"].as_u64().is_some_and(|events| events > 50), "{json}");
    holds_all(&text, &json["release"]);
    for said in [
        "state     waiting: 0 of 1 approvals",
        "nothing of this window and plan has been signed",
        "1 (favourable)",
        "Female",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains(&format!("fedaudit-agent release approve {draft}")), "{text}");
    // By the first digits one may look, not decide.
    assert_eq!(show(&world, &draft[..8]).0, text);
    approve(&world, &draft[..16], "steward-one").fault("operator", &["is no digest of 64"]);
    approve(&world, &"0".repeat(64), "steward-one").fault("operator", &["no draft has the digest"]);
    assert!(run(&world).contains("nothing in the outbox; 6 releases wait"));
    assert_eq!(logged(), before, "nothing has left");

    let said = approve(&world, &draft, "steward-one").good().out;
    assert_eq!(said, "steward-one approved it; release 0 is signed, `run` sends it\n");
    approve(&world, &draft, "steward-two").fault("operator", &["it is signed: release 0"]);
    assert!(run(&world).contains("1 release received; 5 releases wait"));
    assert_ne!(logged(), before);
    let [sent] = &signed(&world)[..] else { panic!("one release is signed") };
    assert_eq!(Digest::of(&sent.artifact).to_string(), draft);
    assert_eq!(serde_json::from_slice::<Value>(&sent.artifact).expect("JSON"), json["release"]);
    let (text, after) = show(&world, JANUARY);
    assert!(text.contains("state     received; approved (steward-one on "), "{text}");
    holds_all(&text, &after["release"]);
    assert_eq!((&after["release"], &after["digest"]), (&json["release"], &json["digest"]));
    world.agent(SITE, &["journal", "reproduce", "all"]).good();
    world.agent(SITE, &["journal", "verify"]).good();
}

#[test]
fn hidden_cells_are_named_with_their_rule() {
    // Of February there are 71 men and 108 women, of whom fewer than 60 were rejected.
    let world = World::with_plan(&SITES, |plan| plan.replace("k = 5", "k = 60"));
    world.enrol(SITE);
    let [_, early] = split(&world, SITE, 0);
    import(&world, SITE, &early);
    world.agent(SITE, &["plan", "accept", world.plan().as_str(), "--review"]).good();
    run(&world);
    let (text, json) = show(&world, "1973-02-01T00:00:00Z/1973-03-01T00:00:00Z");
    let hidden = json["hidden"].as_array().expect("a list");
    assert!(hidden.iter().any(|cell| cell["at"].as_str().is_some_and(|at| at.contains("Female"))), "{json}");
    assert!(hidden.iter().all(|cell| cell["rule"] == json["release"]["rule"]), "{json}");
    let rule = json["release"]["rule"].as_str().expect("text");
    let from = text.find(&format!("hidden, by rule {rule} at k = 60")).expect("said");
    assert!(text[from..].contains("Female, counts"), "{text}");
    holds_all(&text, &json["release"]);
}

#[test]
fn a_journal_that_moved_on_voids_what_was_looked_at() {
    let (world, late) = reviewing(20);
    let (first, march) = (digest(&world, JANUARY), digest(&world, MARCH));
    set(&world, "approvals", "2");
    approve(&world, &first, "steward-one").good();
    import(&world, SITE, &late);
    // It would be the last approval, of what is not there any more.
    approve(&world, &first, "steward-two").fault("operator", &["has changed since", "nothing was signed"]);
    let second = digest(&world, JANUARY);
    assert_ne!(first, second);
    let row = drafts(&world, "waiting").into_iter().find(|row| row["digest"] == second.as_str()).expect("a row");
    assert_eq!(row["approvals"], Value::Array(Vec::new()), "nobody has seen this one");
    approve(&world, &first, "steward-two").fault("operator", &["has changed since"]);
    assert_eq!(digest(&world, MARCH), march, "of other windows nothing changed");
    assert_eq!(signed(&world), []);
    for by in ["steward-two", "steward-one"] {
        approve(&world, &second, by).good();
    }
    assert_eq!(Digest::of(&signed(&world)[0].artifact).to_string(), second);
}

#[test]
fn showing_says_what_has_changed() {
    let (world, late) = reviewing(20);
    let first = digest(&world, JANUARY);
    import(&world, SITE, &late);
    let (text, json) = show(&world, JANUARY);
    assert!(text.contains(&format!("since it was drafted as {}", &first[..16])), "{text}");
    assert!(text.lines().any(|line| line.trim().starts_with("events: ") && line.contains(" -> ")), "{text}");
    // The second look finds nothing new, and no draft more.
    assert_eq!(json["changed"], Value::Null);
    approve(&world, &first, "steward-one").fault("operator", &["has changed since"]);
    approve(&world, json["digest"].as_str().expect("a digest"), "steward-one").good();
}

#[test]
fn two_persons_are_two() {
    let (world, _) = reviewing(0);
    set(&world, "approvals", "6");
    world.agent(SITE, &["release", "list"]).fault("operator", &["`approvals` is 6; 1 to 5"]);
    set(&world, "approvals", "2");
    let draft = digest(&world, JANUARY);
    assert!(approve(&world, &draft, "Steward One").good().out.contains("1 of 2 approvals"));
    for same in ["Steward One", " steward  one"] {
        approve(&world, &draft, same).fault("operator", &["approved it before", "1 of 2"]);
    }
    approve(&world, &draft, " ").fault("operator", &["--by is a line"]);
    assert!(run(&world).contains("nothing in the outbox; 6 releases wait"));
    let list = world.agent(SITE, &["release", "list"]).good().out;
    assert!(list.contains("\twaiting: 1 of 2 approvals (Steward One)"), "{list}");

    // A disk is lost: a backup keeps what waits, and who approved.
    let (backup, home) = (world.scratch("backup"), world.site(SITE));
    world.agent(SITE, &["backup", &backup.to_string_lossy()]).good();
    restore(&backup, &home);
    assert!(run(&world).contains("nothing in the outbox; 6 releases wait"));
    approve(&world, &draft, "steward one").fault("operator", &["approved it before"]);
    assert!(approve(&world, &draft, "steward-two").good().out.contains("release 0 is signed"));
    assert!(run(&world).contains("1 release received; 5 releases wait"));
    assert_eq!(Digest::of(&signed(&world)[0].artifact).to_string(), draft);
}

#[test]
fn what_is_refused_stays_and_nobody_is_told_why() {
    let (world, _) = reviewing(0);
    let draft = digest(&world, JANUARY);
    let refuse = |reason: &str| {
        world.agent(SITE, &["release", "refuse", &draft, "--reason", reason, "--by", "steward-of-ward-9"])
    };
    refuse("two\nlines").fault("operator", &["--reason is a line"]);
    refuse("the-only-case-of-ward-9").good();
    refuse("again").fault("operator", &["steward-of-ward-9 refused it on", "the-only-case-of-ward-9"]);
    approve(&world, &draft, "steward-one").fault("operator", &["refused it on"]);
    world.agent(SITE, &["release", "show", JANUARY]).fault("operator", &["was refused by steward-of-ward-9"]);
    for window in drafts(&world, "waiting") {
        approve(&world, window["digest"].as_str().expect("a digest"), "steward-one").good();
    }
    // Neither another run nor a standing approval lets it go.
    assert!(run(&world).contains("all 5 releases received"));
    world.agent(SITE, &["plan", "accept", world.plan().as_str()]).good();
    assert!(run(&world).contains("all 5 releases received"));
    assert_eq!(drafts(&world, "refused").len(), 1);
    assert_eq!(world.agent(SITE, &["journal", "verify"]).good().code, Some(0));

    let log = world.log();
    for word in ["ward-9", "steward"] {
        assert!(!log.contains(word), "{log}");
        assert_eq!(holding(&world.home(), word.as_bytes()), Vec::<PathBuf>::new(), "`{word}` has left the site");
    }
    assert!(!holding(&world.site(SITE), b"ward-9").is_empty(), "the ledger has it");

    world.agent(SITE, &["release", "review", MARCH]).fault("operator", &["no draft of", "was refused"]);
    world.agent(SITE, &["plan", "accept", world.plan().as_str(), "--review"]).good();
    world.agent(SITE, &["release", "review", JANUARY]).good();
    assert!(run(&world).contains("all 5 releases received; 1 release waits"));
    assert_eq!(digest(&world, JANUARY), draft);
}

fn holding(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if std::fs::read(&path).expect("reads").windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_waits_is_checked_against_what_is_decided_since() {
    let (world, _) = reviewing(0);
    let plan = world.plan().to_string();
    let draft = digest(&world, JANUARY);
    let withdrawn = |why: &str| {
        assert!(run(&world).contains("stopped: nothing in the outbox\n"), "nothing waits, nothing leaves");
        let rows = drafts(&world, "withdrawn");
        assert_eq!(rows.len(), 6, "{rows:?}");
        assert!(rows.iter().all(|row| row["reason"].as_str().is_some_and(|reason| reason.contains(why))), "{rows:?}");
    };
    set(&world, "k_floor", "6");
    // Whoever comes first finds it out.
    approve(&world, &draft, "steward-one").fault("operator", &["withdrawn", "its k is 5; this site's k_floor is 6"]);
    withdrawn("this site's k_floor is 6");
    world.agent(SITE, &["release", "review", "all"]).good();
    assert!(run(&world).contains("stopped: nothing in the outbox\n"), "it is not allowed yet");
    assert!(world.agent(SITE, &["plan", "list"]).good().out.contains("nothing of it is released: its k is 5"));
    set(&world, "k_floor", "5");
    assert!(run(&world).contains("6 releases wait"));

    set(&world, "never_report", "[\"gender\"]");
    withdrawn("cuts by `gender`, which this site never reports");
    set(&world, "never_report", "[]");
    world.agent(SITE, &["release", "review", "all", "--plan", &plan]).good();
    assert!(run(&world).contains("6 releases wait"));

    world.agent(SITE, &["plan", "refuse", &plan, "--reason", "not now"]).good();
    withdrawn("this site refused the plan: not now");
    world.agent(SITE, &["plan", "accept", &plan, "--review"]).good();
    assert!(run(&world).contains("6 releases wait"), "accepted anew, it is due");

    let path = world.scratch("plan-2.toml");
    let text = std::fs::read_to_string(world.scratch("admissions/plan.toml")).expect("reads");
    std::fs::write(&path, text.replace("version = 1", "version = 2")).expect("writes");
    world.aggregator(&["plan", "publish", &path.to_string_lossy()]).good();
    world.agent(SITE, &["plan", "list"]).good();
    withdrawn("version 2 of the plan was published since");
    assert_eq!(signed(&world), []);
}

#[test]
fn an_abstention_and_a_new_contract_withdraw_what_waits() {
    let (world, _) = reviewing(0);
    let plan = world.plan().to_string();
    let reasons = || drafts(&world, "withdrawn").into_iter().map(|row| row["reason"].as_str().map(str::to_owned));
    world
        .agent(SITE, &["plan", "abstain", &plan, "--window", JANUARY, "--reason", "holidays", "--by", "steward-one"])
        .good();
    run(&world);
    assert_eq!(reasons().collect::<Vec<_>>(), [Some("this site abstained for the window".to_owned())]);
    let args = ["plan", "withdraw", &plan, "--window", JANUARY, "--by", "steward-two"];
    world.agent(SITE, &args).good();
    world.agent(SITE, &["release", "review", JANUARY]).good();
    assert!(run(&world).contains("6 releases wait"));
    let path = world.scratch("contract-2.toml");
    let text = std::fs::read_to_string(world.scratch("admissions/contract.toml")).expect("reads");
    std::fs::write(&path, text.replace("version = 1", "version = 2")).expect("writes");
    world.aggregator(&["contract", "publish", &path.to_string_lossy()]).good();
    world.agent(SITE, &["plan", "list"]).good();
    run(&world);
    let reasons: Vec<_> = reasons().flatten().collect();
    assert_eq!(reasons.len(), 6);
    assert!(reasons.iter().all(|reason| reason.contains("version 2 of contract")), "{reasons:?}");
    assert!(signed(&world).iter().all(|of| of.kind == Kind::Abstention));
}

#[test]
fn an_amendment_waits_as_well() {
    let (world, late) = reviewing(60);
    approve(&world, &digest(&world, JANUARY), "steward-one").good();
    assert!(run(&world).contains("1 release received"));
    import(&world, SITE, &late);
    let plan = world.plan().to_string();
    let amend = || world.agent(SITE, &["release", "amend", &plan, "--window", JANUARY, "--reason", "late rows"]);
    assert!(
        amend().good().out.contains("an amendment of 1973-01-01T00:00:00Z/1973-02-01T00:00:00Z waits for approval: ")
    );
    let draft = digest(&world, JANUARY);
    let (text, json) = show(&world, &draft);
    assert_eq!(json["before"][0]["sequence"], 0);
    assert!(json["before"][0]["changes"].as_array().is_some_and(|changes| changes.len() > 2), "{json}");
    for said in ["because: late rows (everybody reads this)", "before    release 0, received"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(run(&world).contains("1 release received"), "it is not sent");
    world.agent(SITE, &["release", "refuse", &draft, "--reason", "not yet"]).good();
    amend().fault("operator", &["was refused or withdrawn: not yet"]);
    world.agent(SITE, &["release", "review", JANUARY]).good();
    amend().good();
    approve(&world, &draft, "steward-one").good();
    assert!(run(&world).contains("all 2 releases received"));
    let [first, second] = &signed(&world)[..] else { panic!("two are signed") };
    assert_eq!(second.amends, Some(Digest::of(&first.envelope)));
    assert_eq!(Digest::of(&second.artifact).to_string(), draft);
    world.agent(SITE, &["journal", "reproduce", "all"]).good();
}

#[test]
fn a_standing_approval_is_as_it_was() {
    let world = World::new(&SITES);
    world.enrol(SITE);
    let [_, file] = split(&world, SITE, 0);
    import(&world, SITE, &file);
    assert!(run(&world).contains("stopped: all 6 releases received"));
    assert!(listed(&world).iter().all(|row| row["kind"] == "release" && row["received"] == true));
    // The desk shows what left by itself, too.
    let (text, json) = show(&world, JANUARY);
    assert!(text.contains("state     received\n"), "{text}");
    holds_all(&text, &json["release"]);
    // A review from now on does not touch what left.
    world.agent(SITE, &["plan", "accept", world.plan().as_str(), "--review"]).good();
    assert!(run(&world).contains("stopped: all 6 releases received\n"));
}
