//! The calls, one file an area. A handler reads, asks the node once, and writes; it decides nothing.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod browse;
pub(crate) mod cash_outs;
pub(crate) mod deposits;
pub(crate) mod feeds;
pub(crate) mod health;
pub(crate) mod ids;
pub(crate) mod markets;
pub(crate) mod odds;
pub(crate) mod postings;
pub(crate) mod producers;
pub(crate) mod quotes;
pub(crate) mod sessions;
pub(crate) mod suspensions;
pub(crate) mod uof;
pub(crate) mod wagers;
