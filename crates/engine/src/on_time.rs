//! What happens because time passes: waiting requests, settlement slices, silent producers.
//! Knows when; what is done belongs to the planes.

use model::ProducerState;
use model::limits::{ENTRY_EVENTS_MAX, SETTLE_SLICE_MAX};

use crate::engine::Engine;
use crate::log::Cause;
use crate::odds::{AnyWrite, RegisterKey, SlotWrite};
use crate::port::View;
use crate::tx::Tx;

/// Producers' silence is looked at this often, ms.
const SILENCE_EVERY_MS: u64 = 1_000;

/// Sessions forgotten at one tick.
const SESSIONS_FORGOTTEN_MAX: usize = 1_000;

impl Engine {
    /// The deadline has passed. At most once a group: waiting requests are looked at, and a slice is settled, once for
    /// all inputs of a group, so that neither holds the others up.
    pub(crate) fn tick<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        self.unpark(tx);
        self.place_on_time(tx);
        self.fence_on_time(tx);
        self.tickets_on_time(tx);
        self.delayed_on_time(tx);
        self.seal(tx);
        self.withdraw_on_time(tx);
        self.resolve_on_time(tx);
        self.decide_left_over(tx);
        self.ledger.expire_sessions(tx, self.time.owner_ms(), SESSIONS_FORGOTTEN_MAX);
        self.settle_some(tx);
        self.silence(tx);
        self.take_on_time(tx);
        self.cut_on_time(tx);
    }

    /// One slice of the first market that waits.
    fn settle_some<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.ledger.settling.is_empty() || self.not_ready().is_some() {
            return;
        }
        tx.by = Cause::Settlement;
        for _ in 0..SETTLE_SLICE_MAX / ENTRY_EVENTS_MAX {
            let at = self.time.stamp();
            tx.at = Some(at);
            self.stats.settlements += self.ledger.settle_slice(tx, at, ENTRY_EVENTS_MAX) as u64;
            self.seal(tx);
            tx.at = None;
        }
    }

    /// Writes producers down that were read here and have fallen silent: at the time of their last sign plus the limit.
    fn silence<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let limit_ms = self.config.freshness_ms;
        if tx.now.steady_ms < self.silence_ms + SILENCE_EVERY_MS {
            return;
        }
        self.silence_ms = tx.now.steady_ms;
        if self.config.replay || self.not_ready().is_some() {
            return;
        }
        for (producer, source_ms) in self.fresh.silent(self.site, tx.now.steady_ms, limit_ms) {
            let word = self.plane.producers().get(&producer).and_then(|r| r.feeds.get(&producer));
            let known_down = word.map(|w| w.value == ProducerState::Down);
            // A producer of the Unified Odds Feed is up by its signs of life, before there is any word on its state.
            if known_down.unwrap_or(!producer.is_uof()) {
                continue;
            }
            let time_ms = source_ms + limit_ms;
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value: ProducerState::Down };
            self.write_odds(RegisterKey::Producer(producer), AnyWrite::Producer(write));
        }
    }

    pub(crate) fn silence_due_ms(&self) -> Option<u64> {
        let nobody = self.plane.producers().is_empty() && self.plane.alive().is_empty();
        let watched = !self.config.replay && !nobody;
        watched.then_some(self.silence_ms + SILENCE_EVERY_MS)
    }
}
