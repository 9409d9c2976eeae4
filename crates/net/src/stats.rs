//! Counters: cheap to bump, read as a whole.
//!
//! Must not know how they are exported.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::lane::PerLane;

/// What a [`Net`](crate::Net) has done since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetStats {
    /// Connections that were refused, by us or by the other side, whoever it was.
    pub refused: u64,
    /// By region number; every configured peer is present.
    pub peers: BTreeMap<u16, PeerStats>,
}

/// What was exchanged with one peer, over all its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Whether there is a connection now.
    pub connected: bool,
    /// The path's round trip as QUIC estimates it; `None` while not connected.
    pub rtt: Option<Duration>,
    /// Connections that came up.
    pub connects: u64,
    /// Attempts that were refused by either side after the peer was known.
    pub refused: u64,
    /// Attempts to dial it that came to nothing, refused ones included.
    pub dial_failures: u64,
    /// By lane.
    pub lanes: PerLane<LaneStats>,
}

/// What went over one lane; bytes are those of the frames, without prefixes and packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Frames handed to QUIC whole.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Frames received whole; the last may still wait for room in the caller's channel.
    pub frames_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Frames that wait in the queue now.
    pub queued_frames: usize,
    /// Their bytes.
    pub queued_bytes: usize,
}

/// The counters behind [`PeerStats`].
#[derive(Debug, Default)]
pub(crate) struct PeerCounters {
    pub(crate) connects: Counter,
    pub(crate) refused: Counter,
    pub(crate) dial_failures: Counter,
    pub(crate) lanes: PerLane<LaneCounters>,
}

#[derive(Debug, Default)]
pub(crate) struct LaneCounters {
    frames_sent: Counter,
    bytes_sent: Counter,
    frames_received: Counter,
    bytes_received: Counter,
}

impl LaneCounters {
    pub(crate) fn sent(&self, bytes: usize) {
        self.frames_sent.add(1);
        self.bytes_sent.add(bytes as u64);
    }

    pub(crate) fn received(&self, frame: &Bytes) {
        self.frames_received.add(1);
        self.bytes_received.add(frame.len() as u64);
    }

    pub(crate) fn read(&self, (queued_frames, queued_bytes): (usize, usize)) -> LaneStats {
        LaneStats {
            frames_sent: self.frames_sent.get(),
            bytes_sent: self.bytes_sent.get(),
            frames_received: self.frames_received.get(),
            bytes_received: self.bytes_received.get(),
            queued_frames,
            queued_bytes,
        }
    }
}

/// A number that only grows. Relaxed: counters order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
