//! What the driver asks of a store beyond the engine's port: figures, and a tidy end.
//! Knows no tables.

use engine::port::{Durable, StoreError};
use store::{Store, Usage};

/// A store that the driver can own.
pub(crate) trait Disk: Durable + Sized {
    /// Disk and memory in use.
    fn usage(&self) -> Usage;

    /// Writes everything out and closes.
    ///
    /// # Errors
    /// [`StoreError`] when that fails; nothing committed is lost.
    fn close(self) -> Result<(), StoreError>;
}

impl Disk for Store {
    fn usage(&self) -> Usage {
        Self::usage(self)
    }

    fn close(self) -> Result<(), StoreError> {
        Self::close(self)
    }
}
