//! Files of a home: modes, atomicity, keys, locks.

use fedaudit_core::fault::Blame;
use fedaudit_core::key::PublicKey;
use fedaudit_home::{
    Lock, Passphrase, create_dir_private, create_key, create_new, is_protected, key_files, load_key, now, os_random,
    protect_keys, sync_dir, unprotect_keys, write_all, write_atomic,
};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
}

fn names(dir: &Path) -> Vec<String> {
    let read = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<_> = read.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_atomic_write_replaces_the_whole_content_and_the_mode() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("state");
    write_atomic(&file, b"a long first content", 0o644).expect("write");
    assert_eq!(mode(&file), 0o644);
    write_atomic(&file, b"short", 0o600).expect("write");
    assert_eq!(fs::read(&file).expect("read"), b"short");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(names(home.path()), ["state"]);
    sync_dir(home.path()).expect("sync");
}

#[test]
fn what_a_crash_left_does_not_matter() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("state");
    // As left by a program of the same process number that died between its steps.
    let strays: Vec<_> = (0..20).map(|n| format!(".state.{}-{n}.tmp", std::process::id())).collect();
    for stray in &strays {
        fs::write(home.path().join(stray), b"half").expect("stray");
    }
    write_atomic(&file, b"whole", 0o600).expect("write");
    assert_eq!(fs::read(&file).expect("read"), b"whole");
    assert_eq!(names(home.path()).len(), strays.len() + 1);
    assert_eq!(fs::read(home.path().join(&strays[0])).expect("stray"), b"half");
}

#[test]
fn a_failed_write_leaves_the_old_and_no_rest() {
    let home = tempfile::tempdir().expect("temp");
    let folder = home.path().join("taken");
    fs::create_dir(&folder).expect("folder");
    assert_eq!(write_atomic(&folder, b"x", 0o600).expect_err("a folder").blame, Blame::Operator);
    assert_eq!(names(home.path()), ["taken"]);
    assert!(write_atomic(&home.path().join("none/file"), b"x", 0o600).is_err());
    assert!(write_atomic(Path::new("/"), b"x", 0o600).is_err());
}

#[test]
fn create_new_never_replaces() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("once");
    create_new(&file, b"first", 0o640).expect("create");
    let fault = create_new(&file, b"second", 0o600).expect_err("it exists");
    assert_eq!(fault.blame, Blame::Operator);
    assert!(fault.hint.contains("never replaced"), "{fault}");
    assert_eq!(fs::read(&file).expect("read"), b"first");
    assert_eq!(mode(&file), 0o640);
    std::os::unix::fs::symlink("nowhere", home.path().join("link")).expect("link");
    assert!(create_new(&home.path().join("link"), b"x", 0o600).is_err());
    assert_eq!(names(home.path()), ["link", "once"]);
}

#[test]
fn writers_at_once_leave_one_whole_content() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("state");
    std::thread::scope(|scope| {
        for n in 0..8_u8 {
            let file = &file;
            scope.spawn(move || write_atomic(file, &[n; 10_000], 0o600).expect("write"));
        }
    });
    let content = fs::read(&file).expect("read");
    assert!(content.len() == 10_000 && content.iter().all(|b| *b == content[0]));
    assert_eq!(names(home.path()), ["state"]);
}

#[test]
fn private_folders() {
    let home = tempfile::tempdir().expect("temp");
    let inner = home.path().join("a/b");
    create_dir_private(&inner).expect("folder");
    assert_eq!((mode(&inner), mode(&home.path().join("a"))), (0o700, 0o700));
    set_mode(&inner, 0o750);
    create_dir_private(&inner).expect("again");
    assert_eq!(mode(&inner), 0o750);
    fs::write(home.path().join("file"), b"").expect("file");
    assert!(create_dir_private(&home.path().join("file")).is_err());
}

#[test]
fn keys_come_back_and_stay_private() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("transport.pem");
    let made = create_key(&file, [7; 32]).expect("key");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(PublicKey::of(&load_key(&file).expect("key")), PublicKey::of(&made));
    assert!(create_key(&file, [8; 32]).is_err());
    // RFC 8410: 16 bytes of structure, then the seed.
    let text = fs::read_to_string(&file).expect("PEM");
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAcHBwcH"), "{text}");
    for open in [0o640, 0o604, 0o610, 0o602] {
        set_mode(&file, open);
        let fault = load_key(&file).expect_err("open to others");
        assert_eq!(fault.blame, Blame::Operator);
        assert!(fault.hint.starts_with("chmod 600 "), "{fault}");
    }
    set_mode(&file, 0o400);
    assert!(load_key(&file).is_ok());
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("key.pem");
    let refused = |bytes: &[u8]| {
        write_atomic(&file, bytes, 0o600).expect("write");
        load_key(&file).expect_err("no key").to_string()
    };
    let long = "TOPSECRET".repeat(1000);
    // RFC 8410, section 10.3, with its identifier changed to X25519.
    let x25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                  -----END PRIVATE KEY-----\n";
    for bad in [b"".as_slice(), b"TOPSECRET", b"TOPSECRET\xff", long.as_bytes(), x25519.as_bytes()] {
        let fault = refused(bad);
        assert!(fault.contains("is not a key") && !fault.contains("SECRET") && !fault.contains("MC4"), "{fault}");
    }
    let fault = refused(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nTOPSECRET\n");
    assert!(fault.contains("no passphrase was given") && !fault.contains("SECRET"), "{fault}");
    assert!(load_key(home.path()).expect_err("a folder").what.contains("not a file"));
    assert!(load_key(&home.path().join("none")).expect_err("missing").what.contains("none"));
}

#[test]
fn a_passphrase_is_put_on_and_taken_off() {
    let home = tempfile::tempdir().expect("temp");
    let given = |text: &str| Passphrase::new(text.into(), "given").expect("a passphrase");
    for nth in [7, 8] {
        create_key(&home.path().join(format!("{nth}.key")), [nth; 32]).expect("key");
    }
    fs::write(home.path().join("archive.key"), "00").expect("write");
    set_mode(&home.path().join("archive.key"), 0o600);
    let files = key_files(home.path()).expect("files");
    let plain = fs::read(&files[0]).expect("reads");
    assert_eq!(files.len(), 2);
    assert_eq!(protect_keys(&files[..1], &given("one\r\n")).expect("protects"), 1);
    let (sealed, other) = (fs::read(&files[0]).expect("reads"), fs::read(&files[1]).expect("reads"));
    assert!(is_protected(&files[0]).expect("reads") && mode(&files[0]) == 0o600);
    // Another passphrase beside it: nothing is written.
    let fault = protect_keys(&files, &given("two")).expect_err("another passphrase");
    assert!(fault.what.contains("the passphrase given does not open") && !fault.to_string().contains("two"), "{fault}");
    assert_eq!(fs::read(&files[1]).expect("reads"), other);
    assert_eq!(protect_keys(&files, &given("one")).expect("protects"), 1);
    assert_eq!(fs::read(&files[0]).expect("reads"), sealed);
    // A new key beside protected ones would be, too; nobody says under what.
    assert!(create_key(&home.path().join("9.key"), [9; 32]).expect_err("no passphrase").what.contains("is protected"));
    assert!(unprotect_keys(&files, &given("two")).is_err());
    assert_eq!(unprotect_keys(&files, &given("one")).expect("plain"), 2);
    assert_eq!(fs::read(&files[0]).expect("reads"), plain);
    for bad in ["", "\n", "a\nb", "a\0b", &"a".repeat(1_024)] {
        assert!(Passphrase::new(bad.into(), "given").is_err());
    }
}

#[test]
fn what_is_no_key_of_ours_keeps_nobody_from_making_one() {
    let home = tempfile::tempdir().expect("temp");
    fs::create_dir(home.path().join("folder.key")).expect("a folder");
    // As others have them: in DER, and one that a web server's group may read.
    fs::write(home.path().join("der.key"), [0x30, 0x82, 0xff, 0xfe]).expect("write");
    fs::write(home.path().join("long.key"), "x".repeat(1 << 16)).expect("write");
    create_key(&home.path().join("1.key"), [1; 32]).expect("key");
    fs::copy(home.path().join("1.key"), home.path().join("tls.key")).expect("copies");
    for (name, bits) in [("der.key", 0o644), ("long.key", 0o644), ("tls.key", 0o640)] {
        set_mode(&home.path().join(name), bits);
    }
    create_key(&home.path().join("2.key"), [2; 32]).expect("key");
    // Whoever reads it as a key is told.
    let files = key_files(home.path()).expect("files");
    let found: Vec<_> = files.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(found, ["1.key", "2.key", "tls.key"]);
    let given = Passphrase::new("one".into(), "given").expect("a passphrase");
    assert!(protect_keys(&files, &given).expect_err("open to others").what.contains("mode 0640"));
}

/// Runs itself again, for the environment is the process's.
#[test]
fn a_new_key_is_sealed_under_what_opens_its_neighbour_now() {
    const SELF: &str = "a_new_key_is_sealed_under_what_opens_its_neighbour_now";
    let Some(file) = std::env::var_os("FEDAUDIT_PASSPHRASE_FILE") else {
        let home = tempfile::tempdir().expect("temp");
        let mut again = Command::new(std::env::current_exe().expect("a path"));
        again.args(["--exact", SELF]).env("FEDAUDIT_PASSPHRASE_FILE", home.path().join("passphrase"));
        return assert!(again.status().expect("runs").success());
    };
    let file = Path::new(&file);
    let say = |text: &str| write_atomic(file, text.as_bytes(), 0o600).expect("write");
    let path = |name: &str| file.with_file_name(name);
    say("one");
    create_key(&path("1.key"), [1; 32]).expect("key");
    protect_keys(&[path("1.key")], &Passphrase::new("one".into(), "given").expect("a passphrase")).expect("protects");
    load_key(&path("1.key")).expect("opens");
    say("two");
    load_key(&path("1.key")).expect("was opened before");
    assert!(create_key(&path("2.key"), [2; 32]).expect_err("another").what.contains("does not open"));
    assert!(!path("2.key").exists());
    say("one");
    create_key(&path("2.key"), [2; 32]).expect("key");
    assert!(is_protected(&path("2.key")).expect("reads"));
}

#[test]
fn a_lock_has_one_holder() {
    let home = tempfile::tempdir().expect("temp");
    let file = home.path().join("lock");
    let held = Lock::acquire(&file).expect("free");
    assert_eq!(mode(&file), 0o600);
    assert_eq!(Lock::try_acquire(&file).expect_err("held").blame, Blame::Operator);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Lock::acquire(&file).map(drop));
        drop(held);
        assert!(waiting.join().expect("thread").is_ok());
    });
    assert!(Lock::try_acquire(&file).is_ok());
}

#[test]
fn randomness_differs_and_time_is_now() {
    assert_ne!(os_random::<32>(), os_random::<32>());
    let year_2020 = fedaudit_core::time::Time::parse("2020-01-01T00:00:00Z").expect("a time");
    assert!(now() > year_2020);
}

#[test]
fn many_files_are_written_like_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let folders = ["a", "b"].map(|name| dir.path().join(name));
    folders.iter().for_each(|folder| std::fs::create_dir(folder).expect("makes"));
    std::fs::write(folders[0].join("3"), "old").expect("writes");
    let files: Vec<_> = (0..20).map(|nth| (folders[nth % 2].join(nth.to_string()), vec![nth as u8; nth])).collect();
    for count in [0, 1, 6, 7, 20] {
        write_all(&files[..count], 0o640).expect("writes");
        for (path, bytes) in &files[..count] {
            assert_eq!(std::fs::read(path).expect("reads"), *bytes);
            assert_eq!(std::fs::metadata(path).expect("is there").permissions().mode() & 0o7777, 0o640);
        }
    }
    // One that cannot be written: what was there stays, and no rest of it.
    let listed = || folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("lists")).count();
    let before = listed();
    let mut bad: Vec<_> = files.iter().map(|(path, _)| (path.clone(), b"new".to_vec())).collect();
    bad.push((dir.path().join("none/21"), Vec::new()));
    assert!(write_all(&bad, 0o640).expect_err("no folder").what.contains("none/21"));
    assert_eq!(listed(), before);
    assert_eq!(std::fs::read(&files[19].0).expect("reads"), [19; 19]);
}
