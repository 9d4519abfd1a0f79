//! This site's keys.

use crate::rotate::rotate_transport;
use crate::site::Site;
use clap::{Subcommand, ValueEnum};
use fedaudit_core::fault::Fault;
use fedaudit_core::key::{KeyUse, PublicKey};
use fedaudit_link::say;

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Replace a key by a new one.
    Rotate {
        /// Which one.
        #[arg(long = "use", value_enum)]
        usage: Rotated,
    },
}

/// A key that a site replaces by itself.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Rotated {
    /// The one for connections; the attest key vouches for the next one.
    Transport,
}

/// Carries a command out.
pub(super) async fn run(site: Site, command: KeyCommand) -> Result<(), Fault> {
    let KeyCommand::Rotate { usage: Rotated::Transport } = command;
    let site = rotate_transport(site).await?;
    let id = PublicKey::of(&site.key(KeyUse::Transport)?).id();
    say!("the transport key is {id} from now on; the one before is gone");
    Ok(())
}
