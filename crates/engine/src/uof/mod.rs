//! Messages of the Unified Odds Feed: checked whole, then written into registers, message by message. A refused message
//! changes nothing and the rest goes on. Knows the order of things; what is written is in `odds`, `results`, `life`.
//!
//! Every write says its source time and nothing of what is known here, so that the same feed read in several regions, in
//! any order and any number of times, ends in the same registers.

mod life;
mod odds;
mod results;

use feeds::uof::{Body, UofMessage};
use model::limits::{FEED_LINES_MAX, PRODUCERS_MAX, PRODUCERS_PER_PRICE_MAX};
use model::{FeedReport, LineRefusal, ProducerId};

use crate::door::UofLine;
use crate::engine::Engine;
use crate::port::View;
use crate::tx::Tx;

/// Why a message was refused: stable code and words.
type Refused = (&'static str, String);

/// What became of a message that was not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    Applied,
    /// Known and without effect here.
    Ignored,
}

impl Engine {
    /// Applies messages in order.
    pub(crate) fn uof<V: View>(&mut self, tx: &mut Tx<'_, V>, lines: Vec<UofLine>) -> FeedReport {
        let mut report = FeedReport { messages: lines.len(), ..FeedReport::default() };
        for (index, UofLine { line, message }) in lines.into_iter().enumerate() {
            let outcome = if index < FEED_LINES_MAX {
                self.uof_message(tx, message)
            } else {
                Err(("too_many_messages", format!("send at most {FEED_LINES_MAX} messages a call")))
            };
            match outcome {
                Ok(Taken::Applied) => {
                    report.applied += 1;
                    self.stats.feed_messages += 1;
                }
                Ok(Taken::Ignored) => report.ignored += 1,
                Err((code, detail)) => report.refused.push(LineRefusal { line, code, detail }),
            }
        }
        report
    }

    fn uof_message<V: View>(&mut self, tx: &mut Tx<'_, V>, message: UofMessage) -> Result<Taken, Refused> {
        let UofMessage { producer, time_ms, body, .. } = message;
        let Some(time_ms) = time_ms else {
            // Documents are no messages: nobody's time stands in them.
            return match body {
                Body::Descriptions(all) => self.uof_descriptions(all).map(|()| Taken::Applied),
                _ => Ok(Taken::Ignored),
            };
        };
        self.check_source(time_ms)
            .map_err(|_| ("source_ahead", "the message's time lies more than 10 s in the future".to_owned()))?;
        if let Some(producer) = &producer
            && !self.has_room_for_producer(producer)
        {
            return Err(("too_many_producers", format!("this region knows {PRODUCERS_MAX} producers already")));
        }
        let taken = match (producer, body) {
            (Some(producer), Body::Alive { subscribed }) => {
                self.uof_alive(tx.now.steady_ms, &producer, time_ms, subscribed);
                Taken::Applied
            }
            (Some(producer), Body::SnapshotComplete) => self.uof_up(&producer, time_ms),
            (Some(producer), Body::ProductDown) => self.uof_down(&producer, time_ms),
            (Some(producer), Body::OddsChange(change)) => {
                self.uof_odds(&producer, time_ms, change)?;
                Taken::Applied
            }
            (Some(producer), Body::BetStop(stop)) => {
                self.uof_stop(&producer, time_ms, stop)?;
                Taken::Applied
            }
            (Some(producer), Body::BetSettlement(markets)) => {
                self.uof_settlement(tx, &producer, time_ms, markets)?;
                Taken::Applied
            }
            (Some(producer), Body::RollbackBetSettlement(markets)) => {
                self.uof_rollback(tx, &producer, time_ms, markets)?;
                Taken::Applied
            }
            (Some(producer), Body::BetCancel(cancel)) => {
                self.uof_cancel(tx, &producer, time_ms, &cancel)?;
                Taken::Applied
            }
            (producer, Body::RollbackBetCancel(cancel)) => {
                self.uof_revive(tx, producer.as_ref(), time_ms, &cancel)?;
                Taken::Applied
            }
            _ => Taken::Ignored,
        };
        if self.config.replay {
            self.advance_clock(time_ms);
        }
        Ok(taken)
    }

    /// Whether a producer is known or one more may be.
    pub(crate) fn has_room_for_producer(&self, producer: &ProducerId) -> bool {
        let known = self.plane.alive().contains_key(producer) || self.plane.producers().contains_key(producer);
        known || (self.plane.alive().len() < PRODUCERS_MAX && self.fresh.has_room(producer))
    }
}

/// Refuses one producer too many in a register.
fn uncrowded<V>(
    register: Option<&crdt::Register<ProducerId, V>>,
    producer: &ProducerId,
    what: &dyn std::fmt::Display,
) -> Result<(), Refused> {
    let crowded = register.is_some_and(|r| r.feeds.len() >= PRODUCERS_PER_PRICE_MAX && !r.feeds.contains_key(producer));
    if crowded {
        Err(("too_many_producers", format!("{what} has {PRODUCERS_PER_PRICE_MAX} producers")))
    } else {
        Ok(())
    }
}
