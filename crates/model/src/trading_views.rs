//! What is seen of suspensions, events and wagers that wait. Views only: who decides them is the engine's matter.

use crdt::{Hlc, Site};

use crate::{EventKey, Suspension, Text};

/// A wager that waits for its markets' in-play delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DelayView {
    /// Number of the region that judges it.
    pub owner: u16,
    /// When it was taken in, Unix ms.
    pub asked_ms: u64,
    /// When it is judged, Unix ms.
    pub due_ms: u64,
}

/// A scope and the suspensions of it that stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuspensionView {
    /// The scope.
    pub scope: Suspension,
    /// Who suspended it and when; empty: it is not suspended.
    pub by: Vec<(Site, Hlc)>,
}

/// An event, by what the definitions of its markets state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventView {
    /// Its key.
    pub event: EventKey,
    /// Its sports as stated; mostly one.
    pub sports: Vec<Text>,
    /// Earliest scheduled start of its markets, Unix ms; 0 when none is known.
    pub start_ms: u64,
    /// Whether any of its markets is in play.
    pub in_play: bool,
    /// Markets.
    pub markets: usize,
}

/// A wager id whose owner cannot be heard, as noted in the region that was asked. That region never places it; it asks
/// the owner as soon as it can, and then knows the decision there was or that there never will be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TicketView {
    /// Number of the region that may decide it, as far as is known here.
    pub owner: u16,
    /// When it was noted, Unix ms.
    pub opened_ms: u64,
}
