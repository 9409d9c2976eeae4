//! A cancel window: wagers placed in it are void. Says which times it covers; whether it is in force is a register's
//! matter (see [`crate::ResultScope::Window`]).

use minicbor::{Decode, Encode};

/// A span of placement times, from `start_ms` on and before `end_ms`; an end that is missing is open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct CancelWindow {
    /// Wagers placed from this time on, Unix ms.
    #[n(0)]
    pub start_ms: Option<u64>,
    /// Wagers placed before this time, Unix ms.
    #[n(1)]
    pub end_ms: Option<u64>,
}

impl CancelWindow {
    /// Whether a wager placed at a time, Unix ms, falls into it.
    #[must_use]
    pub fn covers(&self, placed_ms: u64) -> bool {
        self.start_ms.is_none_or(|start| start <= placed_ms) && self.end_ms.is_none_or(|end| placed_ms < end)
    }
}
