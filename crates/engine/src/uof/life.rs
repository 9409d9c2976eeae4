//! Whether a producer of the Unified Odds Feed may be believed. Only `alive` is a sign of life; once down, only the end of
//! a recovery lifts it. The two are registers of their own, so that no order of arrival can let an `alive` lift a down.

use model::{ProducerId, ProducerState, RejectCode};

use super::Taken;
use crate::door::Now;
use crate::engine::Engine;
use crate::odds::{AnyWrite, ClockTime, RegisterKey, SlotWrite};

impl Engine {
    /// A sign of life. One after a silence longer than the limit, or one that says that nothing was subscribed, means
    /// that messages were missed: down, until a recovery ends.
    pub(crate) fn uof_alive(&mut self, steady_ms: u64, producer: &ProducerId, time_ms: u64, subscribed: bool) {
        let held = self.plane.alive().get(producer).and_then(|r| r.feeds.get(producer)).map(|s| s.time_ms);
        let limit_ms = self.config.freshness_ms;
        if let Some(silent_ms) = held.map(|h| h.saturating_add(limit_ms)).filter(|silent_ms| time_ms > *silent_ms) {
            self.uof_state(producer, silent_ms, ProducerState::Down);
        }
        if !subscribed {
            self.uof_state(producer, time_ms, ProducerState::Down);
        }
        if held.is_some_and(|h| h >= time_ms) {
            // Heard before: it says nothing of now.
            return;
        }
        self.fresh.heard(producer, self.site, steady_ms, time_ms);
        let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value: ClockTime(time_ms) };
        self.write_odds(RegisterKey::Alive(producer.clone()), AnyWrite::Clock(write));
        self.refresh_covered();
    }

    /// A recovery is complete. We ask for none ourselves, so there is no request to match it with.
    pub(super) fn uof_up(&mut self, producer: &ProducerId, time_ms: u64) -> Taken {
        self.uof_state(producer, time_ms, ProducerState::Up)
    }

    /// The producer says that it is down.
    pub(super) fn uof_down(&mut self, producer: &ProducerId, time_ms: u64) -> Taken {
        self.uof_state(producer, time_ms, ProducerState::Down)
    }

    fn uof_state(&mut self, producer: &ProducerId, time_ms: u64, value: ProducerState) -> Taken {
        let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value };
        self.write_odds(RegisterKey::Producer(producer.clone()), AnyWrite::Producer(write));
        self.refresh_covered();
        Taken::Applied
    }

    /// Why this producer's odds are not sold here now. A down counts as soon as it is known here, an up only once all
    /// that was written before it is.
    pub(crate) fn uof_refusal(&self, now: Now, producer: &ProducerId) -> Option<RejectCode> {
        let word = self.plane.producers().get(producer).and_then(|r| r.feeds.get(producer)).map(|s| s.value);
        let covered = self.fresh.covered_word(producer).map(|(_, state)| state);
        if word == Some(ProducerState::Down) || (word.is_some() && covered != Some(ProducerState::Up)) {
            return Some(RejectCode::ProducerDown);
        }
        if !self.config.replay {
            return self.fresh.refusal(producer, now.steady_ms, self.config.freshness_ms);
        }
        let alive = self.fresh.covered_alive(producer);
        let limit_ms = self.config.freshness_ms;
        let fresh = alive.is_some_and(|alive_ms| self.plane.clock_ms().saturating_sub(alive_ms) <= limit_ms);
        (!fresh).then_some(RejectCode::ProducerDown)
    }
}
