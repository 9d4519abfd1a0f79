//! Private keys as files: PKCS#8 in PEM, for their owner only; under a passphrase if the operator wants that.
//!
//! A protected file is encrypted PKCS#8 (PBES2: scrypt, AES-256-CBC), which `openssl pkey` reads and writes too. Protected
//! and plain files may lie side by side: so a crash between two of them harms nothing, and the command is run again.

use crate::passphrase::{Passphrase, passphrase};
use crate::{create_new, io_fault, os_random, write_atomic};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::Digest;
use pkcs8::der::SecretDocument;
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

/// Makes the Ed25519 key of `seed` and writes it to `path` as PKCS#8 in PEM, mode 0600; an existing file stays. It is
/// protected if a key is that lies beside it, or in `keys/` beside it.
///
/// # Errors
/// As for [`create_new`]; keys beside it are protected and there is no passphrase, or one that does not open them.
pub fn create_key(path: &Path, seed: [u8; 32]) -> Result<SigningKey, Fault> {
    let seed = Zeroizing::new(seed);
    let key = SigningKey::from_bytes(&seed);
    // Without the public half (RFC 5958, version 1), which more programs read.
    let pair = KeypairBytes { secret_key: *seed, public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|error| not_encoded(path, &error))?;
    let pem = match protected_beside(path)? {
        None => pem,
        Some(beside) => {
            // Opened by the very passphrase that seals: one that was opened before may have been so by another.
            let passphrase = passphrase(&beside)?;
            open(&beside, &read_text(&beside)?, &passphrase)?;
            seal(path, &pem, &passphrase)?
        }
    };
    create_new(path, pem.as_bytes(), KEY_MODE)?;
    Ok(key)
}

/// Reads an Ed25519 key from PKCS#8 in PEM; only its owner may be able to read the file. If it is protected, the passphrase
/// is asked for as [`passphrase`] says.
///
/// # Errors
/// The file is missing, open to others, or no such key; no passphrase, or another. What it holds is never shown.
pub fn load_key(path: &Path) -> Result<SigningKey, Fault> {
    let text = read_text(path)?;
    if !is_sealed(&text) {
        return SigningKey::from_pkcs8_pem(&text).map_err(|_| no_key(path));
    }
    // Each opening costs a fifth of a second, by intent; a daemon reads its keys again and again.
    static OPENED: Mutex<Vec<(Digest, Zeroizing<[u8; 32]>)>> = Mutex::new(Vec::new());
    let id = Digest::of(text.as_bytes());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, seed)) = opened.iter().find(|(known, _)| *known == id) {
        return Ok(SigningKey::from_bytes(seed));
    }
    let key = open(path, &text, &passphrase(path)?)?;
    opened.push((id, Zeroizing::new(key.to_bytes())));
    Ok(key)
}

/// The key files in a folder, by name: what ends in `.key` and is PEM. Others may lie there, whoever may read them.
///
/// # Errors
/// A folder or file that cannot be read.
pub fn key_files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    pem_files(folder, "PRIVATE KEY")
}

/// Those of the files `*.key` in a folder that hold `mark`; who may read them is not looked at.
fn pem_files(folder: &Path, mark: &str) -> Result<Vec<PathBuf>, Fault> {
    let entries = std::fs::read_dir(folder).map_err(|error| io_fault("list", folder, &error))?;
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_none_or(|ext| ext != "key") || !path.is_file() {
            continue;
        }
        let file = File::open(&path).map_err(|error| io_fault("read", &path, &error))?;
        if read_short(&path, file)?.is_ok_and(|text| text.contains(mark)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Puts each of these files under `passphrase`, those that are plain; how many were. None is written unless all can be.
///
/// # Errors
/// A file that is no key, or is under another passphrase; a disk that fails: run it again then.
pub fn protect_keys(paths: &[PathBuf], passphrase: &Passphrase) -> Result<usize, Fault> {
    replace(paths, |path, text| match is_sealed(text) {
        true => open(path, text, passphrase).map(|_| None),
        false => {
            SigningKey::from_pkcs8_pem(text).map_err(|_| no_key(path))?;
            seal(path, text, passphrase).map(Some)
        }
    })
}

/// Takes the passphrase off these files, those that have one; how many had. None is written unless all can be.
///
/// # Errors
/// As [`protect_keys`].
pub fn unprotect_keys(paths: &[PathBuf], passphrase: &Passphrase) -> Result<usize, Fault> {
    replace(paths, |path, text| {
        if !is_sealed(text) {
            return Ok(None);
        }
        let pair = KeypairBytes { secret_key: open(path, text, passphrase)?.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map(Some).map_err(|error| not_encoded(path, &error))
    })
}

/// Whether a key file is protected.
///
/// # Errors
/// A file that cannot be read.
pub fn is_protected(path: &Path) -> Result<bool, Fault> {
    Ok(is_sealed(&read_text(path)?))
}

type Pem = Zeroizing<String>;

fn replace(paths: &[PathBuf], change: impl Fn(&Path, &str) -> Result<Option<Pem>, Fault>) -> Result<usize, Fault> {
    let mut changed = Vec::new();
    for path in paths {
        changed.extend(change(path, &read_text(path)?)?.map(|pem| (path, pem)));
    }
    for (path, pem) in &changed {
        write_atomic(path, pem.as_bytes(), KEY_MODE)?;
    }
    Ok(changed.len())
}

/// A protected key file that lies beside a new one.
fn protected_beside(path: &Path) -> Result<Option<PathBuf>, Fault> {
    let folder = crate::parent(path);
    for folder in [folder.to_owned(), folder.join("keys")] {
        if !folder.is_dir() {
            continue;
        }
        if let Some(file) = pem_files(&folder, SEALED)?.into_iter().next() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn seal(path: &Path, pem: &str, passphrase: &Passphrase) -> Result<Pem, Fault> {
    let failed = |error: pkcs8::Error| not_encoded(path, &error);
    let (_, plain) = SecretDocument::from_pem(pem).map_err(|error| not_encoded(path, &error))?;
    let key = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|error| not_encoded(path, &error))?;
    let (log_n, r, p) = SCRYPT;
    let cost = pkcs5::scrypt::Params::new(log_n, r, p).map_err(|error| not_encoded(path, &error))?;
    let how = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &os_random::<16>(), os_random());
    let how = how.map_err(|error| failed(pkcs8::Error::EncryptedPrivateKey(error)))?;
    let sealed = key.encrypt_with_params(how, passphrase.bytes()).map_err(failed)?;
    sealed.to_pem(SEALED, LineEnding::LF).map_err(|error| not_encoded(path, &error))
}

fn open(path: &Path, text: &str, passphrase: &Passphrase) -> Result<SigningKey, Fault> {
    let (_, sealed) = SecretDocument::from_pem(text).map_err(|_| no_key(path))?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).map_err(|_| no_key(path))?;
    let shown = path.display();
    let wrong = || {
        let what = format!("the passphrase {} does not open {shown}", passphrase.source());
        Fault::new(Blame::Operator, what, "give the passphrase under which this folder's keys were put: key protect")
    };
    let plain = sealed.decrypt(passphrase.bytes()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::UnsupportedAlgorithm { .. } | pkcs5::Error::AlgorithmParametersInvalid { .. },
        ) => {
            let hint = "encrypt it anew: openssl pkcs8 -topk8 -scrypt, or in the clear and then key protect";
            Fault::new(Blame::Operator, format!("{shown} is encrypted in a way that is not read here"), hint)
        }
        // Behind a wrong passphrase is noise, which may even end like padding.
        _ => wrong(),
    })?;
    SigningKey::from_pkcs8_der(plain.as_bytes()).map_err(|_| wrong())
}

/// The text of a file that only its owner can read.
fn read_text(path: &Path) -> Result<Pem, Fault> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| io_fault("read", path, &error))?;
    let facts = file.metadata().map_err(|error| io_fault("read", path, &error))?;
    let mode = facts.permissions().mode() & 0o7777;
    if facts.is_file() && mode & 0o077 != 0 {
        let what = format!("the key file {shown} is open to others (mode {mode:04o})");
        let hint = format!("chmod 600 {shown}; if others may have read it, rotate it");
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    if !facts.is_file() {
        return Err(not_a_key(path, "not a file", "name the key file"));
    }
    read_short(path, file)?.map_err(|why| not_a_key(path, why, RESTORE))
}

/// What stands in a file, or why that cannot be a key.
fn read_short(path: &Path, file: File) -> Result<Result<Pem, &'static str>, Fault> {
    // Room from the start: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES + 1));
    match file.take(KEY_FILE_BYTES as u64 + 1).read_to_string(&mut text) {
        Ok(read) if read > KEY_FILE_BYTES => Ok(Err("too long")),
        Ok(_) => Ok(Ok(text)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(Err("not text")),
        Err(error) => Err(io_fault("read", path, &error)),
    }
}

fn is_sealed(text: &str) -> bool {
    text.contains(SEALED)
}

fn no_key(path: &Path) -> Fault {
    not_a_key(path, "no Ed25519 private key in PKCS#8 PEM", RESTORE)
}

fn not_a_key(path: &Path, why: &str, hint: &str) -> Fault {
    Fault::new(Blame::Operator, format!("{} is not a key: {why}", path.display()), hint)
}

fn not_encoded(path: &Path, error: &dyn std::fmt::Display) -> Fault {
    let what = format!("the key for {} cannot be encoded: {error}", path.display());
    Fault::new(Blame::Operator, what, "report this")
}

const RESTORE: &str = "restore it from a backup, or make a new key and have it put into the roster";
const SEALED: &str = "ENCRYPTED PRIVATE KEY";
/// Only the owner reads and writes.
pub(crate) const KEY_MODE: u32 = 0o600;
/// Bytes of a key file; one in PEM has about 120, protected 400.
const KEY_FILE_BYTES: usize = 4 << 10;
/// log2 N, r and p: 16 MiB, the most that OpenSSL 3 reads with its own limits, five times over.
const SCRYPT: (u8, u32, u32) = (14, 8, 5);
