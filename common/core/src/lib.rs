//! What all parties of a federated audit must agree on.
//!
//! Pure: no clock, no randomness, no IO. Time and random bytes are arguments. A module imports only what stands
//! before it in this list; `tests/tidy.rs` checks that.

pub mod fault;
pub mod ids;
pub mod key;
pub mod limits;
pub mod time;
pub mod codec;
pub mod contract;
pub mod policy;
pub mod plan;
pub mod privacy;
pub mod event;
pub mod statistics;
pub mod aggregate;
pub mod disclosure;
pub mod envelope;
pub mod absence;
pub mod continuity;
pub mod dispute;
pub mod merkle;
pub mod note;
pub mod log;
pub mod roster;
pub mod verify;
pub mod report;
pub mod render;
pub mod bundle;
pub mod parcel;
