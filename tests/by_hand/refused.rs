//! What is carried by file and must not be taken: with whose fault it is, and nothing half done. And what must be.

use fedaudit_core::codec;
use fedaudit_core::fault::Blame;
use fedaudit_core::ids::Digest;
use fedaudit_core::parcel::{
    Answer, Content, Document, Outbox, Outcome, Parcel, ParcelText, Receipts, Refused, RegistryText, read,
};
use fedaudit_tests::forge::Forger;
use fedaudit_tests::world::{World, name};
use fedaudit_tests::{Said, run};
use std::fmt::Write as _;
use std::path::Path;

/// A federation whose `dept-a` is enrolled by file and has accepted the plan; its aggregator serves nobody.
pub fn world() -> World {
    let mut world = World::new(&["dept-a", "dept-b", "dept-c"]);
    world.stop();
    let token = invite(&world, "dept-a");
    world.agent("dept-a", &["join", &token, "--to", &file(&world, "join")]).good();
    world.aggregator(&["import", &file(&world, "join")]).good();
    world.aggregator(&["site", "approve", "dept-a"]).good();
    world.aggregator(&["registry", "export", &file(&world, "registry")]).good();
    world.agent("dept-a", &["outbox", "import", &file(&world, "registry")]).good();
    world.agent("dept-a", &["plan", "accept", world.plan().as_str()]).good();
    world
}

/// Makes an offline home for a site, and a token.
fn invite(world: &World, site: &str) -> String {
    world.agent(site, &["init", "--k-floor", "5", "--offline"]).good();
    world.aggregator(&["site", "add", site]).good().out.trim().to_owned()
}

pub fn file(world: &World, name: &str) -> String {
    world.scratch(name).to_string_lossy().into_owned()
}

pub fn data(world: &World, site: &str) -> String {
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(site)).expect("data");
    file.to_string_lossy().into_owned()
}

/// Exports the outbox of `dept-a` and has it imported; what the aggregator said.
fn carry(world: &World, receipts: &str) -> Said {
    world.agent("dept-a", &["outbox", "export", &file(world, "outbox")]).good();
    world.aggregator(&["import", &file(world, "outbox"), "--receipts", &file(world, receipts)])
}

pub fn parcel(path: &str) -> ParcelText {
    (*read(&std::fs::read(path).expect("reads")).expect("a parcel")).clone()
}

pub fn put(path: &str, parcel: ParcelText) {
    let parcel = Parcel::new(parcel).expect("keeps its rules");
    std::fs::write(path, codec::to_json(&parcel).expect("encodes")).expect("writes");
}

/// Lines of `outbox list` that hold a word.
fn listed(world: &World, word: &str) -> usize {
    let said = world.agent("dept-a", &["outbox", "list"]).good();
    said.out.lines().filter(|line| line.contains(&format!("\t{word}\t"))).count()
}

#[test]
fn parcels_that_are_none_or_go_elsewhere() {
    let world = world();
    let (join, registry, bad) = (file(&world, "join"), file(&world, "registry"), file(&world, "bad"));
    let before = world.logs();
    let import = |path: &str| world.aggregator(&["import", path]);
    let take = |path: &str| world.agent("dept-a", &["outbox", "import", path]);
    import(&registry).fault("input", &["is a registry", "fedaudit-agent outbox import"]);
    take(&join).fault("input", &["a request to join", "fedaudit-aggregator import"]);
    import(&file(&world, "nothing")).fault("input", &["No such file"]);
    let good = std::fs::read(&registry).expect("reads");
    for bytes in [&good[..good.len() / 2], b"", b"{}", b"PK\x03\x04", &[&good[..], b"x"].concat()[..]] {
        std::fs::write(&bad, bytes).expect("writes");
        import(&bad).fault("input", &["parcel: expected a parcel", "bad"]);
        take(&bad).fault("input", &["parcel: expected a parcel", "bad"]);
    }
    let mut other = parcel(&join);
    other.federation = name("elsewhere");
    put(&bad, other);
    import(&bad).fault("input", &["belongs to federation elsewhere"]);
    let said = world.aggregator(&["import", &join, "--receipts", &bad]);
    said.fault("input", &["--receipts is for a site's releases"]);
    // Something new in it, so that it is looked at.
    world.agent("dept-b", &["init"]).good();
    let token = world.aggregator(&["site", "add", "dept-b"]).good().out;
    world.agent("dept-b", &["join", token.trim(), "--to", &file(&world, "join-b")]).good();
    world.aggregator(&["import", &file(&world, "join-b")]).good();
    world.aggregator(&["site", "approve", "dept-b"]).good();
    world.aggregator(&["registry", "export", &registry]).good();
    // Without its last entry, with the last two swapped, under a cut checkpoint, with another trust.
    type Edit = fn(&mut RegistryText);
    let edits: [(&str, &str, Edit); 4] = [
        ("input", "not over the 4 entries", |r| drop(r.entries.pop())),
        ("aggregator", "a registry entry does not pass", |r| r.entries.swap(3, 4)),
        ("aggregator", "not a continuation: checkpoint", |r| r.checkpoint.truncate(r.checkpoint.len() - 10)),
        ("aggregator", "trust.json is not the one", |r| r.trust = other_trust()),
    ];
    for (blame, what, edit) in edits {
        let mut altered = parcel(&registry);
        let Content::Registry(text) = &mut altered.content else { panic!("a registry") };
        edit(text);
        put(&bad, altered);
        take(&bad).fault(blame, &[what]);
    }
    let said = take(&registry).good();
    assert!(said.out.contains("dept-a is enrolled"), "{said:?}");
    assert_ne!(world.logs(), before, "dept-b was enrolled");
}

fn other_trust() -> codec::Valid<fedaudit_core::roster::Trust> {
    let other = World::new(&["dept-a", "dept-b"]);
    fedaudit_link::trust::read(&other.home().join("trust.json")).expect("a trust file")
}

#[test]
fn joining_by_file_is_checked_as_over_the_network() {
    let mut world = world();
    let token = invite(&world, "dept-b");
    let (join, registry) = (file(&world, "join-b"), file(&world, "registry"));
    // An offline home opens no connection.
    world.agent("dept-b", &["join", &token]).fault("operator", &["never connects"]);
    world.agent("dept-b", &["join", &token, "--to", &join]).good();
    world.agent("dept-b", &["status"]).fault("operator", &["asked to join by file and has no registry yet"]);
    // A bit of the request: possession, or no request any more. The secret of another token.
    let good = parcel(&join);
    for at in [5, 60, 200] {
        let mut bad = good.clone();
        let Content::Join(request) = &mut bad.content else { panic!("a join") };
        request.request.0[at] ^= 1;
        put(&file(&world, "bad"), bad);
        let said = world.aggregator(&["import", &file(&world, "bad")]);
        assert!(said.code == Some(4) && said.err.contains("hint: "), "{said:?}");
    }
    assert!(!world.aggregator(&["site", "list"]).good().out.contains("dept-b"));
    world.aggregator(&["import", &join]).good();
    let renewed = world.aggregator(&["site", "add", "dept-b"]).good().out;
    let refused = world.aggregator(&["site", "approve", "dept-b"]);
    refused.fault("site", &["secret: expected an HMAC under the token's secret"]);
    world.agent("dept-b", &["join", renewed.trim(), "--to", &join]).good();
    // Straight to governance, without the aggregator: the same check, the same entry.
    let to = file(&world, "entry");
    let governance = world.governance().to_string_lossy().into_owned();
    let sign = ["--home", "nowhere", "--governance", &governance, "site", "approve", "dept-b", "--from", &registry];
    run("fedaudit-aggregator", &[&sign[..], &["--from", &join, "--to", &to]].concat()).good();
    run("fedaudit-aggregator", &[&sign[..], &["--to", &to]].concat()).fault("operator", &["has not asked to join"]);
    let shown = world.aggregator(&["governance", "show", &to]).good();
    assert!(
        shown.out.contains("roster entry dept-b of admissions") && shown.out.contains("\"transport\""),
        "{shown:?}"
    );
    // A registry of another federation, to a home that waits for one.
    let other = World::new(&["dept-a", "dept-b"]);
    other.aggregator(&["registry", "export", &file(&world, "foreign")]).good();
    let said = world.agent("dept-b", &["outbox", "import", &file(&world, "foreign")]);
    said.fault("aggregator", &["governance fingerprint"]);
    world.aggregator(&["import", &to]).good();
    let again = world.aggregator(&["import", &to]).good();
    assert!(again.out.contains("was published before"), "{again:?}");
    assert!(world.aggregator(&["import", &join]).good().out.contains("is enrolled already"));
    world.aggregator(&["registry", "export", &registry]).good();
    let said = world.agent("dept-b", &["outbox", "import", &registry]).good();
    assert!(said.out.contains("joined admissions as dept-b") && said.out.contains("dept-b is enrolled"), "{said:?}");
    world.start();
    world.ship("dept-c");
}

#[test]
fn governance_documents_by_file_follow_from_the_registry() {
    let world = world();
    let (registry, to, both) = (file(&world, "registry"), file(&world, "signed"), file(&world, "both"));
    let contract = world.dataset.contract.to_string_lossy().into_owned();
    let publish = |version: u32, title: &str| {
        let text = std::fs::read_to_string(&contract).expect("reads");
        let text = text.replace("version = 1", &format!("version = {version}")).replace("Admission to", title);
        std::fs::write(world.scratch("contract.toml"), text).expect("writes");
        let source = file(&world, "contract.toml");
        world.aggregator(&["contract", "publish", &source, "--from", &registry, "--to", &to])
    };
    let same = publish(1, "Admission to").good();
    assert!(same.out.contains("was published before; nothing was written") && !Path::new(&to).exists(), "{same:?}");
    publish(1, "Another").fault("operator", &["contract: expected a version above 1"]);
    assert!(!Path::new(&to).exists());
    let said = world.aggregator(&["contract", "publish", &contract, "--to", &to]);
    assert!(said.code == Some(4) && said.err.contains("--from"), "{said:?}");
    publish(2, "Second").good();
    // Another key signs too. It is none of this federation's: its signature changes nothing.
    let second = world.scratch("second");
    let args = |folder: &str| ["--governance".to_owned(), folder.to_owned()];
    let init = ["--home", &file(&world, "second-home"), "--governance", &file(&world, "second")].map(str::to_owned);
    let rest = ["init", "--federation", "admissions", "--address", "127.0.0.1:1"].map(str::to_owned);
    run("fedaudit-aggregator", &[&init[..], &rest].concat()).good();
    std::fs::copy(world.governance().join("trust.json"), second.join("trust.json")).expect("copies");
    let sign = ["governance", "sign", &to, "--to", &both].map(str::to_owned);
    let said = run("fedaudit-aggregator", &[&args(&file(&world, "second"))[..], &sign].concat()).good();
    assert!(said.out.contains("signed by [") && said.out.contains(", "), "{said:?}");
    // Altered after signing, signed by a stranger alone, and behind another that was published meanwhile.
    let before = world.logs();
    for (at, what) in [(0, "artifact"), (1, "signer")] {
        let mut bad = parcel(&to);
        let Content::Governance(signed) = &mut bad.content else { panic!("documents") };
        let document = &mut signed.documents[0];
        if at == 0 {
            document.artifact.0.push(b' ');
        } else {
            let text = String::from_utf8(document.envelope.0.clone()).expect("text");
            let keyid = text.find("keyid\":\"").expect("a key id") + 8;
            document.envelope.0[keyid] = if document.envelope.0[keyid] == b'0' { b'1' } else { b'0' };
        }
        put(&file(&world, "bad"), bad);
        world.aggregator(&["import", &file(&world, "bad")]).fault("operator", &[what]);
        assert_eq!(world.logs(), before, "nothing is published");
    }
    let first = file(&world, "first");
    std::fs::copy(&both, &first).expect("copies");
    publish(3, "Third").good();
    let said = world.aggregator(&["import", &first]).good();
    assert!(said.out.contains("published: contract"), "{said:?}");
    let before = world.logs();
    world.aggregator(&["import", &to]).fault("operator", &["contract", "registry export"]);
    assert_eq!(world.logs(), before);
}

#[test]
fn a_plan_that_came_before_its_contract_waits_for_it() {
    let world = world();
    let [registry, contract, plan] = ["registry", "contract", "plan"].map(|name| file(&world, name));
    let source = |path: &Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(path).expect("reads");
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(world.scratch("source.toml"), text.replacen(from, to, 1)).expect("writes");
        file(&world, "source.toml")
    };
    let second = source(&world.dataset.contract, "version = 1", "version = 2");
    world.aggregator(&["contract", "publish", &second, "--from", &registry, "--to", &contract]).good();
    let again = source(&world.dataset.plans[0].0, "plan = \"admissions-1973\"", "plan = \"again\"");
    let sign = ["plan", "publish", &again, "--from", &registry, "--from", &contract, "--to", &plan];
    world.aggregator(&sign).good();
    let before = world.logs();
    let said = world.aggregator(&["import", &plan]).fault("operator", &["plan again", "contract: expected"]);
    assert!(said.err.contains("hint: import the contract that it stands on first, then this again"), "{said:?}");
    assert_eq!(world.logs(), before);
    for parcel in [&contract, &plan] {
        world.aggregator(&["import", parcel]).good();
    }
}

#[test]
fn releases_by_file_meet_the_same_intake() {
    let mut world = world();
    world.agent("dept-a", &["import", &data(&world, "dept-a")]).good();
    let said = world.agent("dept-a", &["outbox", "export", &file(&world, "outbox")]).good();
    assert!(said.out.contains("6 releases and a heartbeat in"), "{said:?}");
    world
        .aggregator(&["import", &file(&world, "outbox")])
        .fault("operator", &["the site needs the receipts", "--receipts"]);
    let said = carry(&world, "receipts").good();
    assert!(said.out.contains("6 of 6 releases received"), "{said:?}");
    assert_eq!((listed(&world, "ready"), listed(&world, "received")), (6, 0), "until the receipts are home");
    refusals_and_strange_receipts_change_nothing(&world);
    let said = world.agent("dept-a", &["outbox", "import", &file(&world, "receipts")]).good();
    assert!(said.out.contains("7 receipts verified and kept"), "{said:?}");
    assert_eq!(listed(&world, "received"), 6);
    // Later the journal has grown, and another plan asks: the proof from the old checkpoint to the new one is carried.
    more_to_answer(&world);
    // Without that proof nothing can be told, as over the network: it is asked for, and no evidence against anybody.
    world.agent("dept-a", &["outbox", "export", &file(&world, "outbox")]).good();
    let mut cut = parcel(&file(&world, "outbox"));
    let mut wrong = cut.clone();
    let Content::Outbox(outbox) = &mut cut.content else { panic!("releases") };
    assert_eq!((outbox.releases.len(), outbox.proofs.len()), (6, 1), "of the predictions; there are no outcomes");
    outbox.proofs.clear();
    put(&file(&world, "cut"), cut);
    let said = world.aggregator(&["import", &file(&world, "cut"), "--receipts", &file(&world, "none")]);
    said.fault("operator", &["0 of 6 releases received", "journal: expected a proof from", "with a proof from size"]);
    let said = world.agent("dept-a", &["outbox", "import", &file(&world, "none")]);
    said.fault("operator", &["journal: expected a proof from", "this home still offers it"]);
    assert_eq!(world.aggregator(&["conflict", "list"]).good().out, "");
    // One that is wrong is another history.
    let Content::Outbox(outbox) = &mut wrong.content else { panic!("releases") };
    outbox.proofs[0].hashes[0] = Digest::of(b"another");
    put(&file(&world, "cut"), wrong);
    let said = world.aggregator(&["import", &file(&world, "cut"), "--receipts", &file(&world, "none")]);
    said.fault("site", &["0 of 6 releases received", "journal: expected"]);
    let said = carry(&world, "later").good();
    assert!(said.out.contains("6 of 6 releases received"), "{said:?}");
    let kept = world.aggregator(&["conflict", "list"]).good();
    assert!(kept.out.lines().count() == 1 && kept.out.contains("received since, as entry 0"), "{kept:?}");
    world.agent("dept-a", &["outbox", "import", &file(&world, "later")]).good();
    assert_eq!(listed(&world, "received"), 12);
    let logs = world.logs();
    // A contradiction by file is kept as one that came by the network is.
    let forger = Forger::new(&world, "dept-a", "dept-a");
    let forged = forger.release(0, None, |d| d.claim["raw"] = serde_json::json!("11".repeat(32)));
    let releases = vec![Document::new(forged.envelope.clone(), forged.artifact.clone())];
    let outbox = Outbox { site: name("dept-a"), seen: Vec::new(), releases, proofs: Vec::new(), heartbeat: None };
    put(&file(&world, "forged"), ParcelText::new(name("admissions"), Content::Outbox(outbox)));
    let said = world.aggregator(&["import", &file(&world, "forged"), "--receipts", &file(&world, "refusals")]);
    said.fault("site", &["0 of 1 releases received", "window: expected a release that amends"]);
    assert_eq!(world.logs(), logs, "nothing is logged");
    let kept = world.aggregator(&["conflict", "list"]).good();
    assert!(kept.out.lines().count() == 2 && kept.out.contains(&forged.digest().to_string()), "{kept:?}");
    let said = world.agent("dept-a", &["outbox", "import", &file(&world, "refusals")]);
    said.fault("input", &["which this home never signed"]);
    // The others come by the network, and the report uses all of them.
    world.start();
    world.ship("dept-b");
    let out = file(&world, "report");
    let said = world.aggregator(&["report", "build", world.plan().as_str(), "--out", &out]).good();
    assert!(said.out.contains("12 releases") && said.out.contains("conflicts kept: 2"), "{said:?}");
    let verified =
        run("fedaudit-verify", &[&format!("{out}/bundle.zip"), "--trust", &format!("{out}/trust.json")]).good();
    assert!(verified.out.starts_with("verified: admissions-1973 v1, 2 of 2 sites"), "{verified:?}");
}

fn refusals_and_strange_receipts_change_nothing(world: &World) {
    let take = |parcel: ParcelText| {
        put(&file(world, "bad"), parcel);
        let said = world.agent("dept-a", &["outbox", "import", &file(world, "bad")]);
        assert_eq!((listed(world, "received"), listed(world, "refused")), (0, 0), "{said:?}");
        said
    };
    let edited = |edit: &dyn Fn(&mut Receipts)| {
        let mut bad = parcel(&file(world, "receipts"));
        let Content::Receipts(receipts) = &mut bad.content else { panic!("receipts") };
        edit(receipts);
        take(bad)
    };
    edited(&|r| r.site = name("dept-b")).fault("input", &["the receipts of dept-b"]);
    edited(&|r| r.answers[0].envelope = Digest::of(b"other")).fault("input", &["never signed"]);
    let swapped = |r: &mut Receipts| {
        let (first, second) = (r.answers[0].result.clone(), r.answers[1].result.clone());
        (r.answers[0].result, r.answers[1].result) = (second, first);
    };
    edited(&swapped).fault("aggregator", &["a bad receipt"]);
    let refuse = |r: &mut Receipts| {
        let words = ["sequence", "1", "0", "explain this to the aggregator"].map(str::to_owned);
        let [check, expected, found, hint] = words;
        let refused = Outcome::Refused(Refused { blame: Blame::Site, check, expected, found, hint });
        r.answers = vec![Answer { envelope: r.answers[0].envelope, result: refused }];
    };
    edited(&refuse).fault("site", &["sequence: expected 1, found 0", "nobody signs a refusal"]);
}

/// A second plan, and enough new events for another block of the journal.
fn more_to_answer(world: &World) {
    let plan = std::fs::read_to_string(&world.dataset.plans[0].0).expect("reads");
    let plan = plan.replacen("plan = \"admissions-1973\"", "plan = \"again\"", 1);
    std::fs::write(world.scratch("again.toml"), plan).expect("writes");
    world.aggregator(&["plan", "publish", &file(world, "again.toml")]).good();
    world.aggregator(&["registry", "export", &file(world, "registry")]).good();
    world.agent("dept-a", &["outbox", "import", &file(world, "registry")]).good();
    let csv = std::fs::read_to_string(data(world, "dept-a")).expect("reads");
    let mut more = String::new();
    for line in csv.lines() {
        writeln!(more, "{}", line.replacen("ucb-", "more-", 1)).expect("text grows");
    }
    // The model's name begins with the same word, in a later column.
    assert!(more.contains(",ucb-graduate-admission,"), "{}", &more[..200]);
    std::fs::write(world.scratch("more.csv"), more).expect("writes");
    world.agent("dept-a", &["import", &file(world, "more.csv")]).good();
    world.agent("dept-a", &["plan", "accept", "again"]).good();
}
