//! The `[intake]` table of `config.toml`.

use super::limits;
use fedaudit_core::fault::{Blame, Fault};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where serving systems hand over events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeConfig {
    /// A loopback address with port, `127.0.0.1:7070`; port 0 takes a free one. Either this or `socket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Path of a Unix socket, from the home on where it is relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Rows that may wait to be written.
    #[serde(default = "queue_events")]
    pub queue_events: usize,
    /// One event in so many is journaled, by risk tier; all events of tiers that are not listed.
    #[serde(default)]
    pub sample: BTreeMap<String, u32>,
    /// Days back from now for which ids are told apart; events that occurred before are refused. For ever, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_days: Option<u32>,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What a new `config.toml` says about intake: nothing is served, and how to serve.
pub const SAMPLE: &str = "\
# Intake over HTTP: remove the # and restart. The token that senders must show is in keys/intake.token.
# [intake]
# Loopback address to listen on.
# listen = \"127.0.0.1:7070\"
# Or the path of a Unix socket, from this folder on where it is relative.
# socket = \"intake.sock\"
# Events that may wait to be written; beyond, senders are told to come again.
# queue_events = 50000
# One event in so many is journaled, by the risk tier that events name; the others are counted. All, if not listed.
# sample = { low = 10 }
# Days back from now for which ids are told apart; events that occurred before are refused. For ever, without this.
# horizon_days = 90
";

impl IntakeConfig {
    /// Where to listen.
    ///
    /// # Errors
    /// None or two places, or an address that others could reach.
    pub fn place(&self) -> Result<Place, Fault> {
        let refuse = |what: String, hint: &str| Err(Fault::new(Blame::Operator, format!("config.toml: {what}"), hint));
        if self.queue_events == 0 {
            return refuse("[intake] queue_events is 0".to_owned(), "let at least one event wait");
        }
        if let Some((tier, _)) = self.sample.iter().find(|(_, one_in)| **one_in < 2) {
            let what = format!("[intake] sample: `{tier}` is one in less than 2");
            return refuse(what, "leave out the tiers of which every event is journaled");
        }
        if self.horizon_days.is_some_and(|days| !(1..=36_500).contains(&days)) {
            return refuse(
                "[intake] horizon_days is not from 1 to 36500".to_owned(),
                "leave it out to have no horizon",
            );
        }
        match (&self.listen, &self.socket) {
            (Some(listen), None) => match listen.parse::<SocketAddr>() {
                Ok(address) if address.ip().is_loopback() => Ok(Place::Tcp(address)),
                Ok(address) => refuse(
                    format!("[intake] listens on {address}, which other machines can reach"),
                    "events name persons and travel unencrypted: use 127.0.0.1, ::1 or a socket; let a proxy with TLS stand before it",
                ),
                Err(_) => {
                    refuse(format!("[intake] listen `{}` is no address", listen.escape_debug()), "write 127.0.0.1:7070")
                }
            },
            (None, Some(socket)) => Ok(Place::Unix(socket.clone())),
            _ => {
                refuse("[intake] needs either `listen` or `socket`".to_owned(), "give one of them; or remove the table")
            }
        }
    }
}

fn queue_events() -> usize {
    limits::QUEUE_EVENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<Place, String> {
        let config: IntakeConfig = toml::from_str(text).map_err(|e| e.to_string())?;
        config.place().map_err(|fault| fault.what)
    }

    #[test]
    fn only_this_machine_can_hand_over_events() {
        assert_eq!(place("listen = \"127.0.0.1:1\""), Ok(Place::Tcp(SocketAddr::from(([127, 0, 0, 1], 1)))));
        assert!(place("listen = \"[::1]:0\"").is_ok());
        for open in ["0.0.0.0:1", "192.168.0.1:80", "[::]:1"] {
            assert!(place(&format!("listen = \"{open}\"")).is_err_and(|e| e.contains("other machines")), "{open}");
        }
        assert!(place("listen = \"localhost\"").is_err_and(|e| e.contains("no address")));
        assert!(place("").is_err_and(|e| e.contains("either")));
        assert!(place("listen = \"127.0.0.1:1\"\nsocket = \"s\"").is_err_and(|e| e.contains("either")));
        assert!(place("socket = \"s\"\nqueue_events = 0").is_err_and(|e| e.contains("is 0")));
        assert!(place("socket = \"s\"\nsample = { low = 1 }").is_err_and(|e| e.contains("one in less than 2")));
        assert!(place("socket = \"s\"\nqueue = 1").is_err_and(|e| e.contains("unknown field `queue`")));
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let keys = SAMPLE.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| line.contains(" = "));
        let keys: Vec<&str> = keys.collect();
        assert_eq!(keys.len(), 5);
        for without in ["listen", "socket"] {
            let kept: Vec<&str> = keys.iter().copied().filter(|key| !key.starts_with(without)).collect();
            assert!(place(&kept.join("\n")).is_ok(), "{kept:?}");
        }
    }
}
