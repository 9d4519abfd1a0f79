//! Releases computed again from what is in the archive only, through the real program.

use super::cold::{SITE, cold, data, window};
use fedaudit_tests::world::{World, copy};
use fedaudit_tests::{Said, run};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Flips a bit in the middle of a file, runs `check`, and puts the file back as it was.
fn with_flipped_bit(file: &Path, check: impl FnOnce()) {
    let good = std::fs::read(file).expect("reads");
    let mut bytes = good.clone();
    bytes[good.len() / 2] ^= 1;
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("sets");
    std::fs::write(file, &bytes).expect("writes");
    check();
    std::fs::write(file, &good).expect("writes");
}

/// The archive's files of predictions.
fn predictions(archive: &Path) -> Vec<PathBuf> {
    let dates = std::fs::read_dir(archive.join("predictions/model=graduate-admission")).expect("lists").flatten();
    dates.map(|date| date.path().join("segment-000001-v1.parquet")).collect()
}

/// What stays of a scratch copy when nothing reads it any more.
fn scratch(world: &World) -> bool {
    world.site(SITE).join("archive-staging/thawed").exists()
}

#[test]
fn a_release_is_computed_again_from_the_archive_until_that_is_deleted() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\narchive = \"cold\"\nhot_days = 30\n");
    let reproduce = || world.agent(SITE, &["journal", "reproduce", "all"]);
    let hot = reproduce().good().out;
    assert_eq!(hot.matches(": reproduced").count(), 6, "{hot}");
    let before = world.scratch("before");
    copy(&world.site(SITE), &before);
    world.agent(SITE, &["journal", "archive"]).good();
    assert_eq!(reproduce().good().out, hot);
    assert!(!scratch(&world), "the copy is gone");

    // One release needs its window's blocks; a bit in any file of their segment is found, and the file named.
    let archive = world.site(SITE).join("cold");
    let files = predictions(&archive);
    assert!(files.len() > 2, "{files:?}");
    for file in [&files[0], &files[files.len() - 1]] {
        with_flipped_bit(file, || _ = reproduce().fault("site", &[&file.display().to_string()]));
        assert!(!scratch(&world), "a failure leaves nothing");
    }
    assert_eq!(reproduce().good().out, hot);
    let moved = world.scratch("moved");
    std::fs::rename(&archive, &moved).expect("moves");
    reproduce().fault("operator", &["is missing", "mount the archive"]);
    let named = world.agent(SITE, &["journal", "reproduce", "all", "--archive", &moved.display().to_string()]);
    assert_eq!(named.good().out, hot);
    std::fs::rename(&moved, &archive).expect("moves");

    amended(&world, &before);

    // After retention the files are gone, and the program says what is left.
    let config = world.site(SITE).join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    std::fs::write(&config, format!("{text}delete_after_days = 31\n")).expect("writes");
    assert_eq!(world.agent(SITE, &["journal", "archive"]).good().out, "segment 1 deleted from the archive\n");
    reproduce()
        .fault("operator", &["was deleted from the archive as well", "what remains are the roots of its blocks"]);
    let verified = world.agent(SITE, &["journal", "verify"]).good().out;
    assert!(verified.contains("the journal continues each"), "{verified}");
}

/// Late events amend a release over the archive to the same numbers as in a journal that has all of its records.
fn amended(world: &World, before: &Path) {
    let (plan, window) = (world.plan(), window(world));
    let amend = ["release", "amend", plan.as_str(), "--window", window.as_str(), "--reason", "late events"];
    world.agent(SITE, &amend).fault("operator", &["nothing that is released of", "would change"]);
    let late = world.scratch("late.csv");
    let text = std::fs::read_to_string(data(world)).expect("reads");
    std::fs::write(&late, text.replace("\nucb-", "\nlater-")).expect("writes");
    let in_copy = |args: &[&str]| -> Said {
        let home = [OsString::from("--home"), before.into()];
        run("fedaudit-agent", &home.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>())
    };
    for agent in [&in_copy as &dyn Fn(&[&str]) -> Said, &|args: &[&str]| world.agent(SITE, args)] {
        agent(&["import", &late.display().to_string()]).good();
        agent(&amend).good();
    }
    let sent = |said: Said| {
        let out = said.good().out;
        let lines = out.lines().filter(|line| line.contains("release.json")).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let cold = sent(world.agent(SITE, &["journal", "reproduce", "all"]));
    assert_eq!((cold.len(), &cold), (7, &sent(in_copy(&["journal", "reproduce", "all"]))));
    assert_ne!(cold[0], cold[6], "the amendment says something else");
    assert!(!scratch(world));
}

#[test]
fn an_encrypted_archive_gives_a_release_back_to_who_has_the_key() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\nencrypt = true\n");
    let hot = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    let to = world.scratch("mount");
    std::fs::create_dir(&to).expect("makes");
    let to = to.display().to_string();
    world.agent(SITE, &["journal", "archive", "--to", &to]).good();
    world.agent(SITE, &["journal", "reproduce", "all"]).fault("operator", &["are in the archive", "--archive DIR"]);
    let reproduce = || world.agent(SITE, &["journal", "reproduce", "all", "--archive", &to]);
    assert_eq!(reproduce().good().out, hot);
    for file in predictions(Path::new(&to)).into_iter().take(2) {
        with_flipped_bit(&file, || _ = reproduce().fault("site", &[&file.display().to_string()]));
    }
    let (key, away) = (world.site(SITE).join("keys/archive.key"), world.scratch("key"));
    std::fs::rename(&key, &away).expect("moves");
    reproduce().fault("site", &["keys/archive.key"]);
    std::fs::rename(&away, &key).expect("moves");
    assert_eq!(reproduce().good().out, hot);
}
