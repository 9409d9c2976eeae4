//! The driver: one thread feeds the engine and performs its effects; everything around it is tokio.
//! The only crate that reads a clock and draws random numbers. Decides nothing about money or odds.
//!
//! Map: [`NodeHandle`] asks; `driver` groups what is queued, runs it through the engine's commit loop and performs the
//! effects (`effects`), some of them on other threads (`beside`); [`Node`] starts and stops the whole; `watch` notices a step that does not end; [`Figures`] are
//! what the driver publishes for metrics; [`clock`] is the one clock.

mod beside;
pub mod clock;
mod disk;
mod driver;
mod effects;
mod figures;
mod handle;
mod running;
mod sources;
mod watch;

pub use figures::{COMMIT_SECONDS_BUCKETS, Figures, GROUP_INPUTS_BUCKETS, METRIC_COMMIT_SECONDS, METRIC_GROUP_INPUTS};
pub use handle::{AskError, Envelope, NodeHandle, Reply};
pub use running::{Node, NodeConfig, NodeError, QUEUE_DEPTH_DEFAULT, StartError};
