//! The centre of a federated audit: takes releases in, logs them, pools them into reports; and the governance commands.
//!
//! The way of the data: [`serve`] (QUIC) -> [`answer`] -> [`intake`] (what to do with a request; pure) -> [`centre`] (what follows
//! from the logs, and the one place that appends) -> [`store`] (tlog-tiles folders) -> [`reports`]. What is carried by file
//! comes in by [`by_file`], through the same intake. [`witnesses`] are asked to cosign what the logs came to.

#![forbid(unsafe_code)]

pub mod answer;
pub mod backup;
pub mod basis;
pub mod beats;
pub mod by_file;
pub mod centre;
pub mod checked;
pub mod cli;
pub mod conflicts;
pub mod fence;
pub mod governance;
pub mod home;
pub mod intake;
pub mod keys;
pub mod reports;
pub mod rotations;
pub mod serve;
pub mod status;
pub mod store;
pub mod witnesses;
