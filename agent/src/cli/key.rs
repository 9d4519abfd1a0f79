//! This site's keys.

use crate::home::{Home, KEYS};
use crate::rotate::asked::{ask, cancel};
use crate::rotate::own::rotate_transport;
use crate::site::Site;
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_link::home::{Lock, new_passphrase, passphrase, protect_keys, unprotect_keys};
use fedaudit_link::say;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Replace keys by new ones. The transport key is replaced at once; for others, and for several, governance is asked, and
    /// until it has signed nothing new is.
    Rotate {
        /// Which key; may be given several times. All three by default.
        #[arg(long = "use", value_enum)]
        uses: Vec<Rotated>,
        /// Write the request into this file instead of sending it, and carry it to the aggregator: import FILE.
        #[arg(long)]
        to: Option<PathBuf>,
        /// Take the request back, and go on with the present keys.
        #[arg(long, conflicts_with_all = ["uses", "to"])]
        cancel: bool,
    },
    /// Put the key files under a passphrase: from the file that FEDAUDIT_PASSPHRASE_FILE names, from FEDAUDIT_PASSPHRASE, or
    /// typed at the terminal. Whoever uses the home gives it the same way from then on.
    Protect,
    /// Take the passphrase off the key files.
    Unprotect,
}

/// A key of a site.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum Rotated {
    /// The one that signs releases.
    Attest,
    /// The one that signs checkpoints of the journal.
    Note,
    /// The one for connections; the attest key vouches for the next one.
    Transport,
}

impl Rotated {
    fn usage(self) -> KeyUse {
        match self {
            Rotated::Attest => KeyUse::Attest,
            Rotated::Note => KeyUse::Note,
            Rotated::Transport => KeyUse::Transport,
        }
    }
}

/// Carries a command out.
pub(super) async fn run(home: Home, command: KeyCommand) -> Result<(), Fault> {
    match command {
        KeyCommand::Rotate { cancel: true, .. } => say!("{}", cancel(Site::open(home)?).await?),
        KeyCommand::Rotate { uses, to: None, .. } if uses == [Rotated::Transport] => {
            let site = rotate_transport(Site::open(home)?).await?;
            let id = PublicKey::of(&site.key(KeyUse::Transport)?).id();
            say!("the transport key is {id} from now on; the one before is gone");
        }
        KeyCommand::Rotate { uses, to, .. } => {
            let uses: Vec<KeyUse> = match &uses[..] {
                [] => KEYS.to_vec(),
                some => some.iter().map(|of| of.usage()).collect(),
            };
            say!("{}", ask(Site::open(home)?, &uses, to.as_deref()).await?);
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
