//! What a region still waits for, for tests: healed and left alone, it waits for nothing. Knows no reasons.

use crate::engine::Engine;

impl Engine {
    /// The first kind of question or request that is still open here; `None` when nothing is.
    #[must_use]
    pub fn waits_for(&self) -> Option<&'static str> {
        let open = [
            (self.parked.len() > 0, "a parked request"),
            (!self.placing.is_idle(), "rights for a wager, or another site's deferred request for them"),
            (!self.confirming.is_idle(), "the acks of a prepared wager"),
            (!self.withdrawing.is_idle(), "rights for a withdrawal"),
            (!self.resolving.is_idle(), "the end of a withdrawal at its origin"),
            (!self.delaying.is_idle(), "the in-play delay of a wager"),
            (!self.fencing.is_idle(), "another region's word on a wager id"),
        ];
        open.into_iter().find(|(is_open, _)| *is_open).map(|(_, what)| what)
    }
}
