//! The region as a pure state machine: ledger, escrow, odds and replication behind one door. It decides everything
//! and does nothing: no async, no clock, no randomness, no IO, no C code, no hash-map order.
//!
//! A map of the code, as a request walks through it:
//! * [`door`]: what comes in and goes out; [`commit`]: groups, one sync each, effects after it;
//! * `engine`: the state and the dispatch; `requests`, `placing`, `admission`, `desk`, `feed`, `query`: clients;
//! * `cashing`, `cancelling`: what happens to an accepted wager beside its results;
//! * [`ledger`]: accounts, rows, grants, settlement, foreign entries; [`log`]: entries and the hash chain;
//! * [`odds`]: registers, sale rules, freshness, the odds lane; `odds_lane`, `replication`: links, acks, pulls; [`wire`]: frames;
//! * `cutting`: how logs are cut at the front; [`snapshot`], `taking`: what a peer behind the cut is given, and takes;
//! * [`port`]: durable state as the engine sees it; [`overlay`]: what is not durable yet; [`conformance`]: its test.

mod admission;
mod browsing;
mod cancelling;
mod cashing;
pub mod commit;
mod confirming;
pub mod conformance;
mod cutting;
mod delayed;
mod delaying;
mod desk;
pub mod door;
mod early;
mod engine;
mod feed;
mod fencing;
mod homes;
mod identity;
pub mod ledger;
pub mod log;
#[cfg(test)]
mod model_check;
pub mod odds;
mod odds_lane;
mod on_time;
pub mod overlay;
mod parked;
mod placing;
pub mod planted;
pub mod port;
mod postings;
mod query;
mod quoting;
mod referencing;
mod relay;
mod replication;
mod requests;
mod resolving;
mod sessions;
pub mod snapshot;
mod spend;
pub mod stats;
mod suspending;
mod taking;
mod tickets;
mod time;
mod tx;
mod under_way;
mod uof;
pub mod wire;
mod withdrawing;

pub use engine::Engine;
