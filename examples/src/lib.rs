//! Whole federations on one machine: real processes, real QUIC, real files.

#![forbid(unsafe_code)]

pub mod dataset;
pub mod federation;
pub mod process;
pub mod ucb;
