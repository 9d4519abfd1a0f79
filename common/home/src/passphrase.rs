//! Where the passphrase of protected keys comes from: a file, the environment, or the terminal. Never an argument, which
//! every user of the machine could read.

use crate::io_fault;
use fedaudit_core::fault::{Blame, Fault};
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Names the file that holds the passphrase, in one line.
pub const FILE_VARIABLE: &str = "FEDAUDIT_PASSPHRASE_FILE";
/// The passphrase itself.
pub const VARIABLE: &str = "FEDAUDIT_PASSPHRASE";

/// A passphrase, and where it came from. It is never shown, and wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Passphrase {
    bytes: Zeroizing<Vec<u8>>,
    source: String,
}

impl Passphrase {
    /// What somebody gave, without the end of its line.
    ///
    /// # Errors
    /// Nothing is left, or more than a line, or more than OpenSSL takes.
    pub fn new(bytes: Vec<u8>, source: &str) -> Result<Passphrase, Fault> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        let why = match bytes.len() {
            0 => "is empty",
            BYTES.. => "is longer than 1,023 bytes",
            _ if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) => "is more than one line",
            _ => return Ok(Passphrase { bytes, source: source.to_owned() }),
        };
        Err(Fault::new(Blame::Operator, format!("the passphrase {source} {why}"), "give one line of text"))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it came from, as in "the passphrase from ...".
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// The passphrase of the protected key at `path`: from the file that `FEDAUDIT_PASSPHRASE_FILE` names, else
/// `FEDAUDIT_PASSPHRASE`, else from the terminal, which is asked once for each folder.
///
/// # Errors
/// There is none of these; a file that others can read.
pub fn passphrase(path: &Path) -> Result<Passphrase, Fault> {
    static ASKED: Mutex<Vec<(PathBuf, Passphrase)>> = Mutex::new(Vec::new());
    if let Some(given) = given()? {
        return Ok(given);
    }
    let folder = crate::parent(path);
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, said)) = asked.iter().find(|(of, _)| of == folder) {
        return Ok(said.clone());
    }
    let said =
        ask(&format!("Passphrase of the keys in {}: ", folder.display()), &format!("{} is protected", path.display()))?;
    asked.push((folder.to_owned(), said.clone()));
    Ok(said)
}

/// A passphrase for keys that are to be protected: as [`passphrase`], but at the terminal it is typed twice.
///
/// # Errors
/// As [`passphrase`]; what was typed differs.
pub fn new_passphrase() -> Result<Passphrase, Fault> {
    if let Some(given) = given()? {
        return Ok(given);
    }
    let why = "keys are to be protected";
    let (first, second) = (ask("New passphrase: ", why)?, ask("Again: ", why)?);
    if first.bytes == second.bytes {
        return Ok(first);
    }
    Err(Fault::new(Blame::Operator, "the two passphrases differ", "type the same twice; nothing was changed"))
}

fn given() -> Result<Option<Passphrase>, Fault> {
    if let Some(path) = std::env::var_os(FILE_VARIABLE) {
        return from_file(Path::new(&path), std::env::var_os("CREDENTIALS_DIRECTORY")).map(Some);
    }
    let text = std::env::var_os(VARIABLE);
    text.map(|text| Passphrase::new(text.into_vec(), &format!("from {VARIABLE}"))).transpose()
}

/// `credentials` is where systemd puts what only this service can read, under an access list whose mask looks like a group's.
fn from_file(path: &Path, credentials: Option<OsString>) -> Result<Passphrase, Fault> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| io_fault("read", path, &error).while_(FILE_VARIABLE))?;
    let facts = file.metadata().map_err(|error| io_fault("read", path, &error))?;
    let mode = facts.permissions().mode() & 0o7777;
    let ours = credentials.is_some_and(|folder| path.parent() == Some(Path::new(&folder)));
    let others = if ours { 0o007 } else { 0o077 };
    // What is no file, such as a pipe that a shell made, is nobody else's.
    if facts.is_file() && mode & others != 0 {
        let what = format!("the passphrase file {shown} is open to others (mode {mode:04o})");
        return Err(Fault::new(
            Blame::Operator,
            what,
            format!("chmod 600 {shown}; if others may have read it, change it"),
        ));
    }
    let mut bytes = Vec::with_capacity(2 * BYTES);
    file.take(BYTES as u64 + 2).read_to_end(&mut bytes).map_err(|error| io_fault("read", path, &error))?;
    Passphrase::new(bytes, &format!("in {shown} ({FILE_VARIABLE})"))
}

fn ask(prompt: &str, why: &str) -> Result<Passphrase, Fault> {
    let none = |why: &str| {
        let hint = format!(
            "name a file that holds it, chmod 600, in {FILE_VARIABLE}, or set {VARIABLE}, or run this at a terminal"
        );
        Fault::new(Blame::Operator, format!("{why}, and no passphrase was given"), hint)
    };
    if !(std::io::stdin().is_terminal() || std::io::stderr().is_terminal()) {
        return Err(none(why));
    }
    let said =
        rpassword::prompt_password(prompt).map_err(|error| none(&format!("{why} (the terminal says: {error})")))?;
    Passphrase::new(said.into_bytes(), "from the terminal")
}

/// OpenSSL takes as many, with the end.
const BYTES: usize = 1_024;
