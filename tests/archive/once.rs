//! An archive on a store that lets every file be written once, by a library that stands before the agent's system calls.

use super::cold::{SITE, cold, data};
use fedaudit_tests::world::World;
use fedaudit_tests::{Said, program};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Compiles `once.c`.
fn library(world: &World) -> PathBuf {
    let library = world.scratch("once.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/archive/once.c");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    let said = compile.output().expect("a compiler is there, for Rust links with it");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    library
}

/// Runs a command of the agent with `folder` as such a store.
fn agent(world: &World, folder: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(program("fedaudit-agent"));
    command.env("LD_PRELOAD", world.scratch("once.so")).env("FEDAUDIT_ONCE", folder);
    let output = command.arg("--home").arg(world.site(SITE)).args(args).output().expect("starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn an_archive_lies_where_files_are_written_once() {
    let world = World::new(&[SITE, "dept-b"]);
    cold(&world, "[retention]\narchive = \"cold\"\nhot_days = 30\n");
    library(&world);
    let store = world.site(SITE).join("cold");
    let agent = |args: &[&str]| agent(&world, &store, args);
    let hot = world.agent(SITE, &["journal", "reproduce", "all"]).good().out;
    let said = agent(&["journal", "archive"]).good().out;
    assert_eq!(said, "segment 1 archived; segment 1 deleted from the journal\n");

    // A second segment goes into the same folders. What an interrupted copy left there is not the agent's to remove.
    let more = world.scratch("more.csv");
    let text = std::fs::read_to_string(data(&world)).expect("reads");
    std::fs::write(&more, text.replace("\nucb-", "\nlater-")).expect("writes");
    world.agent(SITE, &["import", &more.display().to_string()]).good();
    world.agent(SITE, &["journal", "seal"]).good();
    let segment = OpenOptions::new().write(true).open(world.site(SITE).join("journal/000002.sqlite")).expect("opens");
    segment.set_modified(SystemTime::now() - Duration::from_secs(40 * 86_400)).expect("sets");
    let beginning = store.join("ledger/segment-000002.parquet");
    std::fs::write(&beginning, b"PAR1").expect("writes");
    let place = beginning.display().to_string();
    agent(&["journal", "archive"]).fault("operator", &["an interrupted copy left", &place, "cannot be removed"]);
    std::fs::remove_file(&beginning).expect("removes");
    let said = agent(&["journal", "archive"]).good().out;
    assert_eq!(said, "segment 2 archived; segment 2 deleted from the journal\n");
    assert!(agent(&["journal", "verify"]).good().out.contains("archive: 2 segments whole"));
    assert_eq!(agent(&["journal", "reproduce", "all"]).good().out, hot);

    // What is due and may not go yet is named, and goes when it may; until then it is checked like everything else.
    let config = world.site(SITE).join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    std::fs::write(&config, format!("{text}delete_after_days = 31\n")).expect("writes");
    let said = agent(&["journal", "archive"]).good().out;
    for segment in [1, 2] {
        let kept = format!("segment {segment} is kept: cannot delete {}", store.display());
        assert!(said.contains(&kept) && said.contains("Operation not permitted"), "{said}");
    }
    assert!(agent(&["journal", "verify"]).good().out.contains("archive: 2 segments whole"));
    let said = world.agent(SITE, &["journal", "archive"]).good().out;
    assert_eq!(said, "2 segments (1 to 2) deleted from the archive\n");
}
