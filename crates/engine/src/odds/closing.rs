//! When a producer's effective slot of a market left `active`, its stops included: noted beside each status by whoever
//! writes it, and from there beside each result as the time at which its market had closed (DESIGN.md 3, "Settlement").
//! Knows one market's registers and stops; no wagers.

use std::num::NonZeroU64;

use crdt::FeedSlot;
use model::{MarketStatus, ProducerId};

use super::plane::Market;

impl Market {
    /// What is to be noted beside a producer's next status: when its effective slot left `active`, source time.
    /// `None` while it is active, and where it never was.
    pub(super) fn left_active(&self, producer: &ProducerId, next: &FeedSlot<MarketStatus>) -> Option<NonZeroU64> {
        if next.value == MarketStatus::Active {
            return None;
        }
        let before = self.status.feeds.get(producer)?;
        match before.value {
            MarketStatus::Active => {
                let stopped_ms = self.stopped.since(producer, before.time_ms);
                NonZeroU64::new(stopped_ms.unwrap_or(next.time_ms).min(next.time_ms))
            }
            _ => before.mark,
        }
    }

    /// When the market had closed for a result of a producer's, source times in Unix ms: when its slot left `active`,
    /// if it is not active now, but never after the result itself. A slot that was handed over says nothing of it: the
    /// market was sold on, by another.
    pub(crate) fn closed_for(&self, producer: &ProducerId, result_ms: u64) -> u64 {
        let Some(slot) = self.status.feeds.get(producer) else { return result_ms };
        let left = match slot.value {
            MarketStatus::Active => self.stopped.since(producer, slot.time_ms),
            MarketStatus::HandedOver => None,
            _ => slot.mark.map(NonZeroU64::get),
        };
        left.map_or(result_ms, |left_ms| left_ms.min(result_ms))
    }
}
