//! A home lost with its disk, and what its backup gives back.

use fedaudit_tests::world::{World, copy};
use fedaudit_tests::{Said, run};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SITE: &str = "dept-a";

fn agent(home: &Path, args: &[&str]) -> Said {
    let home = [OsString::from("--home"), home.into()];
    run("fedaudit-agent", &home.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>())
}

fn data(world: &World) -> PathBuf {
    world.dataset.sites.iter().find(|(site, _)| site.as_str() == SITE).map(|(_, file)| file.clone()).expect("data")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("lists").flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

#[test]
fn a_backup_gives_the_site_back_and_tells_nothing_of_anybody() {
    let world = World::new(&[SITE, "dept-b"]);
    world.ship(SITE);
    world.agent(SITE, &["journal", "seal"]).good();
    let more = std::fs::read_to_string(data(&world)).expect("reads").replace("\nucb-", "\nlater-");
    let (more_csv, bad) = (world.scratch("more.csv"), world.scratch("bad.csv"));
    std::fs::write(&more_csv, &more).expect("writes");
    std::fs::write(&bad, more.replace("\nlater-", "\n,")).expect("writes");
    world.agent(SITE, &["import", &more_csv.display().to_string()]).good();
    world.agent(SITE, &["import", &bad.display().to_string()]);
    assert!(world.site(SITE).join("rejects").is_dir(), "rejected rows are there to be left out");

    let to = world.scratch("backup");
    let said = world.agent(SITE, &["backup", &to.display().to_string()]).good().out;
    assert!(said.contains("sha256sum --check"), "{said}");
    world.agent(SITE, &["backup", &to.display().to_string()]).fault("operator", &["exists", "replaces nothing"]);
    let check = Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&to).output();
    let check = check.expect("coreutils");
    assert!(check.status.success(), "{check:?}");
    let listed = String::from_utf8_lossy(&check.stdout).lines().count();
    assert_eq!(listed + 1, files(&to).len());
    for file in files(&to) {
        let mode = std::fs::metadata(&file).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }

    // No event id, first or last, stands in any of its bytes; both stand in the home.
    let csv = std::fs::read_to_string(data(&world)).expect("reads");
    let id = |line: &str| line.split(',').next().expect("an id").to_owned();
    let ids: Vec<String> = csv.lines().skip(1).map(id).flat_map(|id| [id.replace("ucb-", "later-"), id]).collect();
    let holds = |folder: &Path, id: &String| {
        files(folder).iter().any(|file| {
            let bytes = std::fs::read(file).expect("reads");
            bytes.windows(id.len()).any(|window| window == id.as_bytes())
        })
    };
    for id in [&ids[0], &ids[1], &ids[ids.len() - 1]] {
        assert!(holds(&world.site(SITE), id) && !holds(&to, id), "{id}");
    }

    let restored = world.scratch("restored");
    copy(&to, &restored);
    for file in files(&restored) {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("sets");
    }
    let roots = |home: &Path| {
        let said = agent(home, &["journal", "verify"]).good().out;
        let lines = said.lines().filter_map(|line| line.split_once(", root ").map(|(_, root)| root.to_owned()));
        (lines.collect::<Vec<_>>(), said)
    };
    let ((mine, _), (theirs, said)) = (roots(&world.site(SITE)), roots(&restored));
    assert_eq!(mine, theirs);
    assert!(said.contains("1866 predictions are erased") && said.contains("the journal continues each"), "{said}");
    // What was released is computed again, and what is due goes on; events are not taken in: none could be told from
    // those that are journaled.
    assert!(agent(&restored, &["journal", "reproduce", "all"]).good().out.contains("as signed"));
    agent(&restored, &["run", "--once"]).good();
    let import = agent(&restored, &["import", &data(&world).display().to_string()]);
    import.fault("operator", &["older than the journal", "begin a new epoch"]);

    let bare = world.scratch("bare");
    world.agent(SITE, &["backup", "--without-keys", &bare.display().to_string()]).good();
    assert!(files(&bare.join("keys")).is_empty() && !files(&to.join("keys")).is_empty());
}
