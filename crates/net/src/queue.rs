//! The bounded queue between `Net::send` and the writer of one lane of one connection.
//!
//! Must not know of QUIC. One consumer; any number of producers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::lane::Lane;

#[derive(Debug)]
pub(crate) struct LaneQueue {
    frames_max: usize,
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
}

impl LaneQueue {
    pub(crate) fn new(lane: Lane) -> Self {
        Self {
            frames_max: lane.queue_frames_max(),
            bytes_max: lane.queue_bytes_max(),
            waiting: Mutex::default(),
            added: Notify::new(),
        }
    }

    /// False, and nothing changed, when either limit would be passed.
    #[must_use]
    pub(crate) fn push(&self, frame: Bytes) -> bool {
        {
            let mut waiting = self.lock();
            let bytes = waiting.bytes.saturating_add(frame.len());
            if waiting.frames.len() >= self.frames_max || bytes > self.bytes_max {
                return false;
            }
            waiting.bytes = bytes;
            waiting.frames.push_back(frame);
        }
        self.added.notify_one();
        true
    }

    /// The oldest frame, as soon as there is one. Cancel-safe.
    pub(crate) async fn pop(&self) -> Bytes {
        loop {
            {
                let mut waiting = self.lock();
                if let Some(frame) = waiting.frames.pop_front() {
                    waiting.bytes -= frame.len();
                    return frame;
                }
            }
            // A push between the check and here left its permit in `added`.
            self.added.notified().await;
        }
    }

    /// Frames and bytes that wait now.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.frames.len(), waiting.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code panics between the two updates of `Waiting`, so a poisoned lock is still consistent.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_order_and_both_limits() {
        let queue = LaneQueue::new(Lane::Odds);
        for n in 0..4_u8 {
            assert!(queue.push(Bytes::from(vec![n])));
        }
        assert!(!queue.push(Bytes::from_static(b"fifth")), "the limit in frames");
        assert_eq!(queue.queued(), (4, 4));
        for n in 0..4_u8 {
            assert_eq!(queue.pop().await, vec![n]);
        }
        let largest = Bytes::from(vec![0; Lane::Odds.queue_bytes_max()]);
        assert!(queue.push(largest));
        assert!(!queue.push(Bytes::from_static(b"x")), "the limit in bytes");
        assert!(queue.push(Bytes::new()));
    }
}
