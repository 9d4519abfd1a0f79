//! This site's keys.

use crate::home::Home;
use crate::rotate::rotate_transport;
use crate::site::Site;
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_link::home::{Lock, new_passphrase, passphrase, protect_keys, unprotect_keys};
use fedaudit_link::say;

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Replace a key by a new one.
    Rotate {
        /// Which one.
        #[arg(long = "use", value_enum)]
        usage: Rotated,
    },
    /// Put the key files under a passphrase: from the file that FEDAUDIT_PASSPHRASE_FILE names, from FEDAUDIT_PASSPHRASE, or
    /// typed at the terminal. Whoever uses the home gives it the same way from then on.
    Protect,
    /// Take the passphrase off the key files.
    Unprotect,
}

/// A key that a site replaces by itself.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Rotated {
    /// The one for connections; the attest key vouches for the next one.
    Transport,
}

/// Carries a command out.
pub(super) async fn run(home: Home, command: KeyCommand) -> Result<(), Fault> {
    match command {
        KeyCommand::Rotate { usage: Rotated::Transport } => {
            let site = rotate_transport(Site::open(home)?).await?;
            let id = PublicKey::of(&site.key(KeyUse::Transport)?).id();
            say!("the transport key is {id} from now on; the one before is gone");
        }
        KeyCommand::Protect => {
            let _locks = locks(&home)?;
            let files = home.key_files()?;
            let new = protect_keys(&files, &new_passphrase()?)?;
            say!("{} key files are protected, {new} of them since now; keep the passphrase elsewhere", files.len());
        }
        KeyCommand::Unprotect => {
            let _locks = locks(&home)?;
            let files = home.key_files()?;
            let new = unprotect_keys(&files, &passphrase(&home.dir.join("keys/attest.key"))?)?;
            say!("{} key files are plain, {new} of them since now", files.len());
        }
    }
    Ok(())
}

/// No daemon that reads the keys as they were, and no rotation between two of them.
fn locks(home: &Home) -> Result<[Lock; 2], Fault> {
    let run = Lock::try_acquire(&home.run_lock()).map_err(|fault| {
        let hint = "stop the agent, and start it again in the environment that gives the passphrase";
        Fault { hint: hint.to_owned(), ..fault }
    })?;
    Ok([run, Lock::acquire(&home.keys_lock())?])
}
