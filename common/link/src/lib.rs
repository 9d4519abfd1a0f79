//! What both daemons share to reach each other and to keep their homes.
//!
//! - [`frame`]: one request is one bidirectional stream; each way carries exactly one length-prefixed frame.
//! - [`quic`]: QUIC with Ed25519 raw public keys (RFC 7250) on both sides. A client pins the server's key; a server
//!   learns the client's key and decides at each request what it may do.
//! - [`home`]: files written so that a crash leaves the old content or the new, private keys, locks, the clock and the
//!   operating system's random numbers.
//! - [`parcel`]: what is carried as a file instead.
//! - [`trust`]: a later version of `trust.json`.
//!
//! What is said inside a frame is not decided here.

#![forbid(unsafe_code)]

pub mod frame;
pub mod parcel;
pub mod protocol;
pub mod quic;
pub mod say;
mod refusal;
mod tls;
pub mod trust;

pub use fedaudit_home as home;
