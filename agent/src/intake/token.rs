//! The token that senders show.

use fedaudit_core::fault::{Blame, Fault};
use fedaudit_core::ids::hex;
use fedaudit_link::home::{create_new, os_random};
use sha2::{Digest as _, Sha256};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The token; never shown.
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// Whether `shown` is this token, in the same time wherever they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

/// Makes the token of a home: 256 random bits as hexadecimal digits, in `keys/intake.token`.
///
/// # Errors
/// There is one, or it cannot be written.
pub fn create_token(home: &Path) -> Result<(), Fault> {
    create_secret(home, FILE)
}

fn create_secret(home: &Path, file: &str) -> Result<(), Fault> {
    let secret = Zeroizing::new(os_random::<32>());
    let mut text = Zeroizing::new(hex(secret.as_slice()));
    text.push('\n');
    create_new(&home.join(file), text.as_bytes(), 0o600)
}

/// What chooses the events that sampling leaves in: `keys/sampling.key`, made where there is none.
///
/// # Errors
/// A file that is open to others, or holds no secret.
pub(crate) fn sampling_secret(home: &Path) -> Result<[u8; 32], Fault> {
    load_secret(home, "keys/sampling.key").map(|text| Sha256::digest(text.as_bytes()).into())
}

/// Reads the token of a home, which is made where there is none.
///
/// # Errors
/// A file that is open to others, or holds no token.
pub(crate) fn load_or_create(home: &Path) -> Result<Token, Fault> {
    load_secret(home, FILE).map(Token)
}

fn load_secret(home: &Path, file: &str) -> Result<Zeroizing<String>, Fault> {
    let path = home.join(file);
    let shown = path.display();
    let io = |error: std::io::Error| {
        Fault::new(Blame::Operator, format!("cannot read {shown}: {error}"), "check its permissions and the disk")
    };
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_secret(home, file)?;
            std::fs::File::open(&path).map_err(io)?
        }
        opened => opened.map_err(io)?,
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let what = format!("{shown} is open to others (mode {mode:04o})");
        let hint = "remove it: a new one is made; a token is then to be given to the senders again";
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES + 2));
    file.take(TOKEN_BYTES as u64 + 2).read_to_string(&mut text).map_err(io)?;
    let token = Zeroizing::new(text.trim_end().to_owned());
    if token.len() != TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let what = format!("{shown} holds no secret: {TOKEN_BYTES} hexadecimal digits");
        let hint = "remove it: a new one is made; a token is then to be given to the senders again";
        return Err(Fault::new(Blame::Operator, what, hint));
    }
    Ok(token)
}

const FILE: &str = "keys/intake.token";
const TOKEN_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_it_opens() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("keys")).expect("makes");
        let token = load_or_create(home.path()).expect("made");
        let text = std::fs::read_to_string(home.path().join(FILE)).expect("reads");
        let text = text.trim_end();
        assert!(token.is(text.as_bytes()) && load_or_create(home.path()).expect("read").is(text.as_bytes()));
        assert!(
            !token.is(b"") && !token.is(&text.as_bytes()[1..]) && !token.is(text.to_uppercase().as_bytes())
                || text == text.to_uppercase()
        );
        let set = |mode| {
            std::fs::set_permissions(home.path().join(FILE), std::fs::Permissions::from_mode(mode)).expect("sets")
        };
        set(0o644);
        assert!(
            load_or_create(home.path())
                .is_err_and(|fault| fault.what.contains("open to others") && !fault.what.contains(text))
        );
        set(0o600);
        std::fs::write(home.path().join(FILE), &text[2..]).expect("writes");
        assert!(load_or_create(home.path()).is_err_and(|fault| fault.what.contains("holds no secret")));
    }
}
