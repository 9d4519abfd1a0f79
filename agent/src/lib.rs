//! The agent at a site: journals predictions and late labels, answers plans, ships what disclosure control releases.
//!
//! The way of the data: [`import`] or [`intake`] -> [`journal`] -> [`close`] (aggregate, release, attestation) -> [`outbox`] ->
//! [`ship`] (the link as a state machine; [`drive`] and [`run`] carry it out; [`carry`] does without a network; [`leave`]
//! says what may go). [`site`] and [`home`] hold it together. Two more ways into the outbox: [`amend`] replaces a release,
//! [`abstain`] says that there will be none. [`desk`] is where releases wait for a person. [`archive`] keeps closed segments of the journal as Parquet;
//! [`privacy`] adds noise where a plan asks for it, and keeps the budget; [`backup`] copies a home without what identifies.

#![forbid(unsafe_code)]

pub mod abstain;
pub mod amend;
pub mod archive;
pub mod backup;
mod beside;
pub mod carry;
pub mod cli;
pub mod close;
pub mod compare;
mod db;
pub mod desk;
pub mod draft;
pub mod drive;
pub mod epoch;
pub mod fence;
mod foreign;
pub mod heartbeat;
pub mod home;
pub mod import;
pub mod intake;
pub mod join;
pub mod journal;
pub mod leave;
pub mod mine;
pub mod mirror;
pub mod outbox;
pub mod own;
pub mod privacy;
pub mod releases;
mod reproduce;
pub mod rotate;
pub mod run;
pub mod ship;
pub mod site;
