//! Logs, journals and receipts of a real federation, recomputed by `tests/foreign/tile_tree.py`, which shares no code with the program.

use crate::artifacts::python;
use fedaudit_tests::world::{World, copy, name};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SITES: [&str; 2] = ["dept-a", "dept-b"];

/// What the script is given: trust, the aggregator's home, the sites' homes, a receipt of each site.
struct Evidence {
    trust: PathBuf,
    home: PathBuf,
    sites: PathBuf,
    receipts: PathBuf,
}

impl Evidence {
    fn at(folder: &Path) -> Evidence {
        let [home, sites, receipts] = ["aggregator", "sites", "receipts"].map(|name| folder.join(name));
        Evidence { trust: home.join("trust.json"), home, sites, receipts }
    }

    fn check(&self) -> (bool, String) {
        let mut args: Vec<OsString> = vec![self.trust.clone().into(), self.home.clone().into()];
        for site in SITES {
            args.extend(["--site".into(), self.sites.join(site).into()]);
            args.extend(["--receipt".into(), site.into(), self.receipts.join(site).into()]);
        }
        let answer = python("tests/foreign/tile_tree.py", &args);
        (answer.content, answer.said)
    }
}

/// Lets a site's daemon run until its heartbeat is received.
fn beat(world: &World, site: &str) {
    let daemon = world.federation.start_agent(&name(site), false).expect("starts");
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status: Value = serde_json::from_str(&world.agent(site, &["status", "--json"]).good().out).expect("JSON");
        if status["heartbeat"]["received"] == json!(true) {
            break;
        }
        assert!(Instant::now() < until, "no heartbeat: {}", world.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(daemon);
}

/// Releases, heartbeats and receipts of two sites, as they lie on disks.
fn shipped(world: &mut World) -> Evidence {
    for site in SITES {
        world.ship(site);
        beat(world, site);
    }
    world.stop();
    let folder = world.scratch("evidence");
    copy(&world.home(), &folder.join("aggregator"));
    std::fs::create_dir_all(folder.join("receipts")).expect("a folder can be made");
    for site in SITES {
        copy(&world.site(site), &folder.join("sites").join(site));
        let listed = world.agent(site, &["outbox", "list"]).good().out;
        let digest = listed.lines().next().and_then(|line| line.split('\t').next_back()).expect("a release");
        let receipt = folder.join("receipts").join(site).display().to_string();
        world.agent(site, &["outbox", "receipt", "--out", &receipt, digest]).good();
    }
    Evidence::at(&folder)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("a file can be written");
}

/// The widest partial file of a folder: the one that counts.
fn last(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("000.p")).expect("a folder of partial files");
    let widest = files.map(|file| file.expect("a file").path());
    let width = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    widest.max_by_key(width).expect("a partial file")
}

#[test]
fn logs_journals_and_receipts_are_recomputed_elsewhere() {
    let mut world = World::new(&SITES);
    let evidence = shipped(&mut world);
    let (content, said) = evidence.check();
    assert!(content, "{said}");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 7, "three logs, two journals, two receipts: {said}");
    for (line, wanted) in
        lines.iter().zip(["/registry: ", "/plan/", "/heartbeats: 2 ", "journal of dept-a", "journal of dept-b"])
    {
        assert!(line.starts_with("ok ") && line.contains(wanted), "{line}");
    }
    // Two of the release, at least one of the heartbeat.
    assert!(lines[3].ends_with("signed checkpoints") && !lines[3].ends_with(", 2 signed checkpoints"), "{said}");

    // Whatever counts is looked at: one bit of it, and the script says where.
    let plan = std::fs::read_dir(evidence.home.join("logs/plan")).expect("a folder").next().expect("a plan");
    let plan = plan.expect("a plan").path();
    let logs = evidence.home.join("logs");
    let spoils = [
        (last(&plan.join("tile/0")), 40, "is not what the entries make"),
        (last(&plan.join("tile/entries")), 200, "the entries lead to another root"),
        (last(&logs.join("heartbeats/tile/0")), 0, "is not what the entries make"),
        (last(&logs.join("registry/tile/entries")), 900, "registry: the entries lead to another root"),
        (plan.join("checkpoint"), 1, "bad_signature"),
        (logs.join("heartbeats/checkpoint"), usize::MAX - 1, "refused: "),
        (evidence.receipts.join("dept-a"), 30, "refused: "),
        (evidence.receipts.join("dept-b"), 300, "refused: "),
    ];
    for (at, (path, byte, wanted)) in spoils.iter().enumerate() {
        let place = world.scratch(&format!("spoilt-{at}"));
        copy(&world.scratch("evidence"), &place);
        let inside = path.strip_prefix(world.scratch("evidence")).expect("inside");
        flip(&place.join(inside), *byte);
        let (content, said) = Evidence::at(&place).check();
        assert!(!content && said.contains(wanted), "{}: {said}", inside.display());
    }
}

/// Records, block roots and tails of a journal, each changed where it lies.
#[test]
fn a_changed_journal_is_noticed_elsewhere() {
    let mut world = World::new(&SITES);
    shipped(&mut world);
    let spoils = [
        ("UPDATE block SET root = zeroblob(32)", "has another root"),
        ("UPDATE log SET tail = zeroblob(32) WHERE id = 1", "ends in another root"),
        ("DELETE FROM chunk WHERE key = (SELECT max(key) FROM chunk WHERE key >> 44 = 1)", "records, not"),
        ("DELETE FROM chunk WHERE key = (SELECT min(key) FROM chunk WHERE key >> 44 = 2)", "a chunk at"),
    ];
    for (at, (change, wanted)) in spoils.iter().enumerate() {
        let place = world.scratch(&format!("spoilt-{at}"));
        copy(&world.scratch("evidence"), &place);
        let file = place.join("sites/dept-a/journal/000001.sqlite");
        let changed = rusqlite::Connection::open(file).and_then(|file| file.execute(change, []));
        assert!(changed.expect("a change") > 0, "{change}");
        let (content, said) = Evidence::at(&place).check();
        assert!(!content && said.contains(wanted), "{change}: {said}");
    }
}
