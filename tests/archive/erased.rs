//! What says who it was, searched for in the raw bytes of a home, its archive and its backups, after an erasure.

use fedaudit_core::ids::Digest;
use fedaudit_tests::intake::{Desk, SITE};
use serde_json::json;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PEOPLE: u32 = 4;

fn subject(person: u32) -> String {
    format!("citizen-{person}-by-name")
}

pub(super) fn id(person: u32, nth: u32) -> String {
    format!("loan-{person}-{nth}-of-many")
}

/// Takes in two events of each person.
pub(super) fn import(desk: &Desk, first: u32) {
    let line = |person: u32, nth: u32| {
        let event = json!({
            "event_id": id(person, nth), "occurred_at": format!("2020-05-{:02}T10:00:00Z", 1 + nth + person),
            "model_version": "v1", "decision": "grant", "score": 0.5, "attributes": {"sex": "female"},
            "subject": subject(person), "features": {"age": 20 + person, "sex": "female"},
            "explanation": format!("s3://why/{}/{nth}", subject(person)), "label": "repaid", "labelled_at": "2020-06-01T00:00:00Z"
        });
        format!("{event}\n")
    };
    let lines: String = (0..PEOPLE).flat_map(|person| (first..first + 2).map(move |nth| line(person, nth))).collect();
    let file = desk.world.scratch("events.ndjson");
    std::fs::write(&file, lines).expect("writes");
    desk.world.agent(SITE, &["import", "--contract", "loans", &file.to_string_lossy()]).good();
}

/// Makes the archive's folder, and names it in the site's configuration.
pub(super) fn configure(desk: &Desk, archive: &Path, encrypt: bool) {
    std::fs::create_dir(archive).expect("makes");
    let config = desk.home().join("config.toml");
    let text = std::fs::read_to_string(&config).expect("reads");
    let text = text.replace("\narchive = \"\"", &format!("\narchive = {archive:?}"));
    std::fs::write(&config, text.replace("\nencrypt = false", &format!("\nencrypt = {encrypt}"))).expect("writes");
}

/// Closes the newest segment, lets it be old, and sends it to the archive.
pub(super) fn archive(desk: &Desk, segment: u32) {
    desk.world.agent(SITE, &["journal", "seal"]).good();
    let file = OpenOptions::new().write(true).open(desk.home().join(format!("journal/{segment:06}.sqlite")));
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 86_400);
    file.expect("opens").set_modified(long_ago).expect("sets");
    let said = desk.world.agent(SITE, &["journal", "archive"]).good().out;
    assert_eq!(said, format!("segment {segment} archived; segment {segment} deleted from the journal\n"));
}

/// All files below folders, with their bytes.
fn files(folders: &[PathBuf]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in folders.iter().flat_map(|folder| std::fs::read_dir(folder).expect("lists").flatten()) {
        match entry.path() {
            folder if folder.is_dir() => found.extend(files(&[folder])),
            file => found.push((file.clone(), std::fs::read(file).expect("reads"))),
        }
    }
    found
}

/// Those that hold one of the texts.
fn holding(folders: &[PathBuf], texts: &[Vec<u8>]) -> Vec<PathBuf> {
    let holds = |bytes: &[u8]| texts.iter().any(|text| bytes.windows(text.len()).any(|window| window == text));
    files(folders).into_iter().filter(|(_, bytes)| holds(bytes)).map(|(file, _)| file).collect()
}

/// The 16 bytes that stand behind `text` in the sidecar and of which, with it, `token` is made: a salt, or a key.
fn secret(home: &Path, text: &str, journaled: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let sidecar = files(&[home.to_owned()]).into_iter().filter(|(file, _)| file.to_string_lossy().contains("sidecar"));
    for (_, bytes) in sidecar {
        for at in 0..bytes.len().saturating_sub(text.len() + 16) {
            let Some(secret) = bytes[at..].strip_prefix(text.as_bytes()).map(|rest| &rest[..16]) else { continue };
            if journaled(&Digest::of(&[secret, text.as_bytes()].concat()).0[..16]) {
                return secret.to_vec();
            }
        }
    }
    panic!("nothing in the sidecar makes the token of `{text}`");
}

fn erased_everywhere(encrypt: bool) {
    let mut desk = Desk::open("listen = \"127.0.0.1:0\"");
    desk.stop();
    let (home, cold) = (desk.home(), desk.world.scratch("cold"));
    configure(&desk, &cold, encrypt);

    // Of each person some events are in the archive, some were there when a backup was made, some are in the journal.
    import(&desk, 0);
    let backup = |name: &str| {
        let to = desk.world.scratch(name);
        desk.world.agent(SITE, &["backup", &to.to_string_lossy()]).good();
        to
    };
    let all = [home.clone(), cold, backup("backup-1")];
    let journal = files(&[home.join("journal")]);
    let journaled =
        |token: &[u8]| journal.iter().any(|(_, bytes)| bytes.windows(token.len()).any(|window| window == token));
    // What identifies: names, and the salts and keys that lead from a name to a token.
    let secrets = |person: u32| -> [Vec<u8>; 5] {
        let names = [subject(person), id(person, 0), id(person, 1)];
        let secrets = [&names[0], &names[1]].map(|name| secret(&home, name, journaled));
        let [first, second, third] = names.map(String::into_bytes);
        let [key, salt] = secrets;
        [first, second, third, key, salt]
    };
    let (gone, stays) = (secrets(2), secrets(3));
    archive(&desk, 1);
    import(&desk, 2);
    for text in gone.iter().chain(&stays) {
        let files = holding(&all, std::slice::from_ref(text));
        assert!(!files.is_empty() && files.iter().all(|file| file.to_string_lossy().contains("sidecar")), "{files:?}");
    }
    let said = desk.world.agent(SITE, &["erase", &subject(2)]).good().out;
    assert!(said.contains("4 events"), "those in the archive too: {said}");

    // Nothing anywhere says who it was, now and when more goes into archive and backup; of the others everything stays.
    for round in 0..2 {
        let mut gone = gone.to_vec();
        gone.extend([id(2, 2), id(2, 3)].map(String::into_bytes));
        assert_eq!(holding(&all, &gone), Vec::<PathBuf>::new(), "round {round}");
        assert!(stays.iter().all(|text| !holding(&all, std::slice::from_ref(text)).is_empty()));
        if round == 0 {
            archive(&desk, 2);
            assert_eq!(holding(&[backup("backup-2")], &gone), Vec::<PathBuf>::new());
        }
    }
    let verified = desk.world.agent(SITE, &["journal", "verify"]).good().out;
    assert!(verified.contains("archive: 2 segments whole"), "{verified}");
    assert!(desk.world.agent(SITE, &["erase", &subject(2)]).good().out.contains("nothing was left"));
}

#[test]
fn a_person_is_erased_from_journal_archive_and_backups() {
    erased_everywhere(false);
}

#[test]
fn a_person_is_erased_where_the_archive_is_encrypted() {
    erased_everywhere(true);
}
