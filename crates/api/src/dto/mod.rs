//! The JSON shapes of the contract, both ways. Reading checks every value; writing borrows from the node's answers.
//! Knows no routes and no status codes, except where a body carries one (batch items).

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod browse;
pub(crate) mod cash_outs;
pub(crate) mod deposits;
pub(crate) mod escrow;
pub(crate) mod exchange;
pub(crate) mod ids;
pub(crate) mod lines;
pub(crate) mod markets;
pub(crate) mod odds;
pub(crate) mod pending;
pub(crate) mod postings;
pub(crate) mod producers;
pub(crate) mod quotes;
pub(crate) mod reports;
pub(crate) mod sessions;
pub(crate) mod shown;
pub(crate) mod suspensions;
pub(crate) mod trail;
pub(crate) mod verdicts;
pub(crate) mod wager_views;
pub(crate) mod wagers;
