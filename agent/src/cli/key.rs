//! This site's keys.

use crate::home::KEYS;
use crate::rotate::asked::{ask, cancel};
use crate::rotate::own::rotate_transport;
use crate::site::Site;
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::key::{KeyUse, PublicKey};
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
pub(super) async fn run(site: Site, command: KeyCommand) -> Result<(), Fault> {
    let KeyCommand::Rotate { uses, to, cancel: back } = command;
    if back {
        say!("{}", cancel(site).await?);
        return Ok(());
    }
    if to.is_none() && uses == [Rotated::Transport] {
        let site = rotate_transport(site).await?;
        let id = PublicKey::of(&site.key(KeyUse::Transport)?).id();
        say!("the transport key is {id} from now on; the one before is gone");
        return Ok(());
    }
    let uses: Vec<KeyUse> = match &uses[..] {
        [] => KEYS.to_vec(),
        some => some.iter().map(|of| of.usage()).collect(),
    };
    say!("{}", ask(site, &uses, to.as_deref()).await?);
    Ok(())
}
