//! Keys under a passphrase, by real programs and by OpenSSL.

use fedaudit_core::key::PublicKey;
use fedaudit_link::home::load_key;
use fedaudit_tests::world::{World, name};
use fedaudit_tests::{Said, python, run_in};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SITE: &str = "dept-a";
const FILE: &str = "FEDAUDIT_PASSPHRASE_FILE";
const PASSPHRASE: &str = "seven brown horses";

/// Writes a passphrase to a file of the test.
fn passphrase(world: &World, file: &str, text: &str, mode: u32) -> PathBuf {
    let path = world.scratch(file);
    std::fs::write(&path, text).expect("writes");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    path
}

/// Runs a command with the passphrase in a file; neither it nor a key is ever shown.
fn ask(world: &World, program: &str, args: &[&str], environment: &[(&str, &Path)]) -> Said {
    let home = if program == "fedaudit-agent" { world.site(SITE) } else { world.home() };
    let mut all: Vec<OsString> = vec!["--home".into(), home.into()];
    if program == "fedaudit-aggregator" {
        all.extend(["--governance".into(), world.governance().into()]);
    }
    let said =
        run_in(program, &all.into_iter().chain(args.iter().map(OsString::from)).collect::<Vec<_>>(), environment);
    let shown = format!("{}{}", said.out, said.err);
    assert!(!shown.contains("horses") && !shown.contains("PRIVATE"), "{shown}");
    said
}

/// What OpenSSL says of a key file: its public key, if the passphrase opens it.
fn openssl(args: &[&str], file: &Path, passphrase: &Path) -> Option<String> {
    let given = format!("file:{}", passphrase.display());
    let mut command = Command::new("openssl");
    command.args(args).arg("-in").arg(file).args(["-passin", &given]).stdin(Stdio::null());
    let said = command.output().expect("openssl is installed");
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
}

fn sealed(path: &Path) -> bool {
    let mode = std::fs::metadata(path).expect("a file").permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600, "{}", path.display());
    std::fs::read_to_string(path).expect("reads").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
}

/// A site with data and plain keys.
fn world() -> World {
    let world = World::new(&[SITE, "dept-b"]);
    world.enrol(SITE);
    let (_, file) = world.dataset.sites.iter().find(|(of, _)| *of == name(SITE)).expect("data");
    world.agent(SITE, &["import", &file.to_string_lossy()]).good();
    world
}

#[test]
fn both_daemons_run_with_protected_keys() {
    let mut world = world();
    let file = passphrase(&world, "passphrase", &format!("{PASSPHRASE}\n"), 0o600);
    let with = [(FILE, &*file)];
    let aggregator =
        |world: &World, args: &[&str], with: &[(&str, &Path)]| ask(world, "fedaudit-aggregator", args, with);
    let agent = |world: &World, args: &[&str], with: &[(&str, &Path)]| ask(world, "fedaudit-agent", args, with);

    aggregator(&world, &["key", "protect"], &with).fault("operator", &["another program", "stop the aggregator"]);
    world.stop();
    aggregator(&world, &["key", "protect"], &[]).fault("operator", &["no passphrase was given", FILE]);
    let log = world.home().join("keys/log.key");
    assert!(!sealed(&log));
    let public = PublicKey::of(&load_key(&log).expect("a key")).pem();
    let said = aggregator(&world, &["key", "protect"], &with).good();
    assert!(said.out.contains("3 key files are protected, 3 of them since now"), "{said:#?}");
    assert!(["attest", "log", "transport"].iter().all(|of| sealed(&world.home().join(format!("keys/{of}.key")))));
    let said = aggregator(&world, &["key", "protect"], &with).good();
    assert!(said.out.contains("0 of them since now"), "{said:#?}");

    // Another program reads it, with that passphrase only.
    let wrong = passphrase(&world, "wrong", "seven brown cows", 0o600);
    assert_eq!(openssl(&["pkey", "-pubout"], &log, &file).as_deref(), Some(&*public));
    assert_eq!(openssl(&["pkey", "-pubout"], &log, &wrong), None);

    aggregator(&world, &["status"], &[]).fault("operator", &["log.key is protected", "FEDAUDIT_PASSPHRASE"]);
    aggregator(&world, &["status"], &[(FILE, &wrong)])
        .fault("operator", &["the passphrase in", "wrong", "does not open", "log.key"]);
    world.start_in(&with);

    agent(&world, &["key", "protect"], &with).good();
    agent(&world, &["run", "--once"], &[]).fault("operator", &["is protected", FILE]);
    agent(&world, &["run", "--once"], &with).good();
    // A key that takes the place of a protected one is protected; so is one that OpenSSL wrote read.
    let key = world.site(SITE).join("keys/transport.key");
    agent(&world, &["key", "rotate", "--use", "transport"], &with).good();
    assert!(sealed(&key) && openssl(&["pkey", "-pubout"], &key, &file).is_some());
    agent(&world, &["run", "--once"], &[("FEDAUDIT_PASSPHRASE", Path::new(PASSPHRASE))]).good();

    agent(&world, &["key", "unprotect"], &[(FILE, &wrong)]).fault("operator", &["does not open"]);
    assert!(sealed(&key));
    agent(&world, &["key", "unprotect"], &with).good();
    assert!(!sealed(&key));
    agent(&world, &["run", "--once"], &[]).good();
    let status = agent(&world, &["release", "list"], &[]).good().out;
    assert!(status.contains("received"), "{status}");
}

#[test]
fn a_mixture_and_files_of_openssl_are_read() {
    let world = world();
    let file = passphrase(&world, "passphrase", PASSPHRASE, 0o600);
    let given = format!("file:{}", file.display());
    let keys = world.site(SITE).join("keys");
    // By OpenSSL's own choice (PBKDF2), and with scrypt; the third stays plain, as after a crash in between.
    for (of, how) in [("attest", &["-v2", "aes-256-cbc"][..]), ("note", &["-scrypt"][..])] {
        let (plain, out) = (keys.join(format!("{of}.key")), keys.join(format!("{of}.tmp")));
        let to = out.to_string_lossy().into_owned();
        let from = plain.to_string_lossy().into_owned();
        let args = [&["pkcs8", "-topk8", "-in", &from, "-out", &to, "-passout", &given], how].concat();
        let made = Command::new("openssl").args(args).stdin(Stdio::null()).status().expect("openssl is installed");
        assert!(made.success(), "{of}");
        std::fs::rename(&out, &plain).expect("renames");
        assert!(sealed(&plain));
    }
    let agent = |args: &[&str], with: &[(&str, &Path)]| ask(&world, "fedaudit-agent", args, with);
    agent(&["run", "--once"], &[]).fault("operator", &["is protected"]);
    agent(&["run", "--once"], &[(FILE, &file)]).good();
    // Not two passphrases in one folder: nothing is written then.
    let other = passphrase(&world, "other", "a second one", 0o600);
    agent(&["key", "protect"], &[(FILE, &other)]).fault("operator", &["other", "does not open", "attest.key"]);
    assert!(!sealed(&keys.join("transport.key")));
    let said = agent(&["key", "protect"], &[(FILE, &file)]).good();
    assert!(said.out.contains("3 key files are protected, 1 of them since now"), "{said:#?}");

    // Who else could read the passphrase: refused, but for what systemd puts behind an access list.
    let open = passphrase(&world, "open", PASSPHRASE, 0o640);
    agent(&["run", "--once"], &[(FILE, &open)]).fault("operator", &["open to others (mode 0640)", "chmod 600"]);
    let folder = open.parent().expect("a folder");
    agent(&["run", "--once"], &[(FILE, &open), ("CREDENTIALS_DIRECTORY", folder)]).good();
    let empty = passphrase(&world, "empty", "\n", 0o600);
    agent(&["run", "--once"], &[(FILE, &empty)]).fault("operator", &["is empty"]);
    agent(&["run", "--once"], &[(FILE, &world.scratch("none"))]).fault("operator", &[FILE, "none"]);
}

#[test]
fn governance_signs_under_its_passphrase() {
    let world = world();
    let file = passphrase(&world, "passphrase", PASSPHRASE, 0o600);
    let aggregator = |args: &[&str], with: &[(&str, &Path)]| ask(&world, "fedaudit-aggregator", args, with);
    // The aggregator's daemon, which never opens this folder, may run.
    aggregator(&["key", "protect", "--of", "governance"], &[(FILE, &file)]).good();
    assert!(sealed(&world.governance().join("governance.key")));
    aggregator(&["site", "revoke", SITE], &[]).fault("operator", &["governance.key is protected"]);
    aggregator(&["site", "revoke", SITE], &[(FILE, &file)]).good();
    aggregator(&["key", "unprotect", "--of", "governance"], &[(FILE, &file)]).good();
    assert!(!sealed(&world.governance().join("governance.key")));
}

#[test]
fn the_terminal_is_asked_once() {
    let mut world = world();
    world.stop();
    let agent = fedaudit_tests::program("fedaudit-agent");
    let home = world.site(SITE);
    let typed = |command: &[&str], prompts: &[&str]| {
        let mut args: Vec<OsString> = vec![prompts.len().to_string().into()];
        args.extend(prompts.iter().map(OsString::from));
        args.extend([agent.clone().into(), "--home".into(), home.clone().into()]);
        python(
            "tests/protected/terminal.py",
            &args.into_iter().chain(command.iter().map(OsString::from)).collect::<Vec<_>>(),
        )
    };
    let said = typed(&["key", "protect"], &[PASSPHRASE, "seven brown cows"]);
    assert!(!said.content && said.said.contains("the two passphrases differ"), "{}", said.said);
    let said = typed(&["key", "protect"], &[PASSPHRASE, PASSPHRASE]);
    assert!(said.content && sealed(&home.join("keys/note.key")), "{}", said.said);
    let out = world.scratch("out").to_string_lossy().into_owned();
    let said = typed(&["outbox", "export", &out], &["seven brown cows"]);
    assert!(!said.content && said.said.contains("the passphrase from the terminal does not open"), "{}", said.said);
    // All keys for one question, and no echo.
    let said = typed(&["outbox", "export", &out], &[PASSPHRASE]);
    assert!(said.content && said.said.matches("Passphrase of").count() == 1, "{}", said.said);
    assert!(!said.said.contains("horses") && world.scratch("out").is_file(), "{}", said.said);
}
