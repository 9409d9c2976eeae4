//! The lanes: what separates traffic classes on one connection, and the limits of each.
//!
//! Must not know what the frames of a lane mean.

use crate::wire::FRAME_BYTES_MAX;

/// A traffic class with its own stream in each direction, so that none waits behind another's bytes.
///
/// Stream priority is `Odds` > `Requests` > `Log` > `Bulk`: what is already buffered for a higher lane is
/// put into the next packet first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Steady first-in first-out traffic.
    Log,
    /// Conflated traffic: the sender hands over one small frame at a time and waits for
    /// [`Event::Sent`](crate::Event::Sent), so that newer values replace older ones before they are sent.
    Odds,
    /// Small questions and answers.
    Requests,
    /// Catch-up and snapshots: large, and never in a hurry.
    Bulk,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Odds, Self::Requests, Self::Log, Self::Bulk];

    /// Most frames that may wait in the queue of this lane for one peer.
    #[must_use]
    pub const fn queue_frames_max(self) -> usize {
        match self {
            Self::Odds => 4,
            Self::Requests => 1024,
            Self::Log => 4096,
            Self::Bulk => 256,
        }
    }

    /// Most bytes that may wait in the queue of this lane for one peer; never under one largest frame.
    #[must_use]
    pub const fn queue_bytes_max(self) -> usize {
        match self {
            Self::Odds => FRAME_BYTES_MAX,
            Self::Requests => 4 * FRAME_BYTES_MAX,
            Self::Log => 16 * FRAME_BYTES_MAX,
            Self::Bulk => 64 * FRAME_BYTES_MAX,
        }
    }

    /// The byte that names this lane in a stream's header.
    #[must_use]
    pub const fn wire_byte(self) -> u8 {
        match self {
            Self::Odds => 1,
            Self::Requests => 2,
            Self::Log => 3,
            Self::Bulk => 4,
        }
    }

    pub(crate) fn from_wire_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.wire_byte() == byte)
    }

    /// QUIC stream priority; the control stream stands above all at `CONTROL_PRIORITY`.
    pub(crate) const fn priority(self) -> i32 {
        match self {
            Self::Odds => 30,
            Self::Requests => 20,
            Self::Log => 10,
            Self::Bulk => 0,
        }
    }
}

pub(crate) const CONTROL_PRIORITY: i32 = 40;

/// One value for each lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerLane<T> {
    /// Of [`Lane::Log`].
    pub log: T,
    /// Of [`Lane::Odds`].
    pub odds: T,
    /// Of [`Lane::Requests`].
    pub requests: T,
    /// Of [`Lane::Bulk`].
    pub bulk: T,
}

impl<T> PerLane<T> {
    pub(crate) fn from_fn(mut make: impl FnMut(Lane) -> T) -> Self {
        Self { log: make(Lane::Log), odds: make(Lane::Odds), requests: make(Lane::Requests), bulk: make(Lane::Bulk) }
    }

    /// The value of `lane`.
    #[must_use]
    pub const fn get(&self, lane: Lane) -> &T {
        match lane {
            Lane::Log => &self.log,
            Lane::Odds => &self.odds,
            Lane::Requests => &self.requests,
            Lane::Bulk => &self.bulk,
        }
    }

    pub(crate) const fn get_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Log => &mut self.log,
            Lane::Odds => &mut self.odds,
            Lane::Requests => &mut self.requests,
            Lane::Bulk => &mut self.bulk,
        }
    }
}
