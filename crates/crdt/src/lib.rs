//! Merge laws and nothing else: site names, hybrid clock, version vectors, slot registers and the
//! bounded counter's row.
//!
//! This crate knows no betting, no storage, no network and no clock: time comes in as an argument.
//! Every `join` here is associative, commutative and idempotent; `laws.rs` attacks that.

mod counter;
mod hlc;
#[cfg(test)]
mod laws;
mod register;
mod site;
mod vector;

pub use counter::{Row, RowError};
pub use hlc::Hlc;
pub use register::{FeedSlot, Joined, OperatorSlot, OperatorValue, Register, Restrict};
pub use site::{Dot, Site};
pub use vector::Vector;
