//! Durable state of a region on RocksDB, behind the engine's port.
//!
//! `keys` says where a record lies, `record` what its bytes are, `codec` joins the two for each kind of change, `batch`
//! puts a group in order, `open` turns a path into a [`Store`] or a precise refusal, `store` commits, reads and loads.
//!
//! `beside` is what other threads do with a store while it commits: sealing `segment`s of logs, and reading a state that
//! stands still.
//!
//! A commit is one RocksDB batch with one fsync: after a kill at any moment a batch is there as a whole or not at all,
//! and there if its commit returned. This crate decides nothing about betting, and reads no clock.

mod batch;
mod beside;
mod codec;
mod identity;
mod keys;
mod open;
mod options;
mod record;
mod segment;
mod store;
mod usage;

pub use beside::Beside;
pub use identity::{Identity, OpenError};
pub use options::StoreOptions;
pub use store::Store;
pub use usage::Usage;
