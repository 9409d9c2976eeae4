//! The HTTP contract over a scripted node: what is read, what is asked, what is written. No engine, no disk.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, reason = "test code")]

mod accounts;
mod admin;
mod bad_bodies;
mod cash_outs;
mod contract;
mod deposits;
mod feeds;
mod ids;
mod lines;
mod markets;
mod odds;
mod refusals;
mod serving;
mod sessions;
mod support;
mod tokens;
mod trading;
mod uof;
mod wagers;
mod withdrawals;
