//! Hand-made odds: markets, prices, suspensions, results and signs of life that operators and hand-fed producers write.
//! Each write is one register write; a result is a log event and its twin in the odds plane, in one batch.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use crdt::Dot;
use model::limits::{
    DEFINITION_BYTES_MAX, ENTRY_EVENTS_MAX, MARKETS_MAX, ODDS_WRITES_MAX, OUTCOMES_MAX, PRODUCERS_PER_PRICE_MAX,
    SOURCE_AHEAD_MS_MAX, TIME_MS_MAX,
};
use model::{
    Answer, Command, Definition, MarketDraft, MarketKey, MarketStatus, OddsChange, OddsReport, OddsWrite,
    OutcomeResult, Price, ProducerId, ProducerState, Refusal, ResultRegister, ResultScope, ResultWrite, StatusAct,
    Text,
};

use crate::admission::malformed;
use crate::engine::Engine;
use crate::log::Event;
use crate::odds::{AnyWrite, ClockTime, RegisterKey, SlotWrite};
use crate::port::{View, Write};
use crate::tx::Tx;

/// One result to be written.
pub(crate) struct Resulting {
    pub(crate) scope: ResultScope,
    pub(crate) write: SlotWrite<OutcomeResult>,
    /// When the market had closed, as an operator states it, Unix ms.
    pub(crate) closed_ms: Option<u64>,
}

impl Engine {
    /// Runs an operator's command.
    pub(crate) fn desk<V: View>(&mut self, tx: &mut Tx<'_, V>, command: Command) -> Result<Answer, Refusal> {
        match command {
            Command::PutMarket(draft) => self.put_market(tx, &draft),
            Command::WriteOdds(writes) => self.put_odds(writes).map(Answer::Odds),
            Command::Suspend { scope, lift } => self.suspend(tx, scope, lift),
            Command::SetStatus { market, act } => self.set_status(tx, &market, act),
            Command::WriteResults { market, results, closed_ms } => {
                self.write_results(tx, &market, &results, closed_ms)
            }
            Command::Alive { producer, source_time_ms } => {
                if producer.desk_region().is_some() {
                    return Err(malformed("producer", "is a desk, which is alive while its region is"));
                }
                if !self.fresh.has_room(&producer) {
                    return Err(Refusal::Overloaded { what: Text::new("producers") });
                }
                let now_ms = self.time.owner_ms();
                let source_ms = source_time_ms.unwrap_or(now_ms);
                self.check_source(source_ms)?;
                if producer.is_uof() {
                    self.uof_alive(tx.now.steady_ms, &producer, source_ms, true);
                } else {
                    self.heard(tx.now.steady_ms, &producer, source_ms, ProducerState::Up);
                }
                if self.config.replay {
                    self.advance_clock(source_ms);
                }
                Ok(Answer::Producers(self.producer_views(tx.now)))
            }
            Command::SetClock { now_ms } => self.set_clock(now_ms),
            Command::Place(_)
            | Command::Deposit { .. }
            | Command::DepositByReference { .. }
            | Command::OpenSession { .. }
            | Command::EndSession { .. }
            | Command::Adjust { .. }
            | Command::Withdraw { .. }
            | Command::ResolveWithdrawal { .. }
            | Command::OpenAccount { .. }
            | Command::CashOut { .. }
            | Command::CancelWager { .. }
            | Command::CloseWager { .. } => {
                unreachable!("money and sessions have their own way in")
            }
        }
    }

    pub(crate) fn desk_producer(&self) -> ProducerId {
        let name = self.region_name(self.site.region).map_or("here", Text::as_str);
        ProducerId::desk(name).expect("a region's name is short and of a key's characters")
    }

    fn put_market<V: View>(&mut self, tx: &mut Tx<'_, V>, draft: &MarketDraft) -> Result<Answer, Refusal> {
        let outcomes = &draft.definition.outcomes;
        if outcomes.is_empty() || outcomes.len() > OUTCOMES_MAX {
            return Err(malformed("outcomes", "must have 1 to 1000 outcomes"));
        }
        let mut keys: Vec<_> = outcomes.iter().map(|o| &o.key).collect();
        keys.sort();
        if keys.windows(2).any(|w| w.first() == w.last()) {
            return Err(malformed("outcomes", "names an outcome twice"));
        }
        if encoded_len(&draft.definition) > DEFINITION_BYTES_MAX {
            return Err(malformed("outcomes", "make a definition of more than 128 KiB; shorten the names"));
        }
        self.room_for(&draft.market)?;
        let producer = self.desk_producer();
        let time_ms = self.time.owner_ms();
        let seq = self.desk_seq(&draft.market, &producer, time_ms);
        let definition = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value: draft.definition.clone() };
        self.write_odds(RegisterKey::Definition(draft.market.clone()), AnyWrite::Definition(definition));
        let status = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value: draft.status };
        self.write_odds(RegisterKey::Status(draft.market.clone()), AnyWrite::Status(status));
        for outcome in outcomes {
            let key = RegisterKey::Price(draft.market.clone(), outcome.key.clone());
            if self.plane.get(&key).is_none() {
                let value = Price { active: true, odds: None };
                let blank = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value };
                self.write_odds(key, AnyWrite::Price(blank));
            }
        }
        self.market_answer(tx, &draft.market)
    }

    /// Sequence for a desk write at a time that the desk may already have used.
    fn desk_seq(&self, market: &MarketKey, producer: &ProducerId, time_ms: u64) -> u32 {
        let slot = self.plane.markets().get(market).and_then(|m| m.status.feeds.get(producer));
        slot.filter(|s| s.time_ms == time_ms).map_or(0, |s| s.seq + 1)
    }

    pub(crate) fn room_for(&self, market: &MarketKey) -> Result<(), Refusal> {
        let full = self.plane.markets().len() >= MARKETS_MAX && !self.plane.markets().contains_key(market);
        if full { Err(Refusal::Overloaded { what: Text::new("markets") }) } else { Ok(()) }
    }

    fn put_odds(&mut self, writes: Vec<OddsWrite>) -> Result<OddsReport, Refusal> {
        if writes.len() > ODDS_WRITES_MAX {
            return Err(malformed("", "has more than 50000 items"));
        }
        let mut report = OddsReport { applied: 0, ignored: 0, refused: Vec::new() };
        for (index, write) in writes.into_iter().enumerate() {
            match self.put_price(write) {
                Ok(true) => report.applied += 1,
                Ok(false) => report.ignored += 1,
                Err(refusal) => report.refused.push((index, refusal)),
            }
        }
        Ok(report)
    }

    fn put_price(&mut self, write: OddsWrite) -> Result<bool, Refusal> {
        let market = self.known_market(&write.market)?;
        let offer = market.offer(&write.outcome);
        let named = market.shown_definition().is_some_and(|d| d.outcomes.iter().any(|o| o.key == write.outcome));
        if offer.is_none() && !named {
            return Err(Refusal::SelectionUnknown);
        }
        let register = market.prices.get(&write.outcome);
        let slot_odds = match &write.producer {
            None => offer.as_ref().and_then(|o| o.odds),
            Some(producer) => register.and_then(|r| r.feeds.get(producer)).and_then(|s| s.value.odds),
        };
        let crowded = register.filter(|r| r.feeds.len() >= PRODUCERS_PER_PRICE_MAX);
        if crowded.is_some_and(|r| write.producer.as_ref().is_some_and(|p| !r.feeds.contains_key(p))) {
            return Err(malformed("producer", "would be one too many for this outcome"));
        }
        let value = match write.change {
            OddsChange::Odds(odds) => Price { active: true, odds: Some(odds) },
            OddsChange::Active(active) => Price { active, odds: slot_odds },
        };
        let now_ms = self.time.owner_ms();
        let slot = match write.producer {
            None => SlotWrite::Operator(Some(value)),
            Some(producer) => {
                let time_ms = write.source_time_ms.unwrap_or(now_ms);
                self.check_source(time_ms)?;
                SlotWrite::Feed { producer, time_ms, seq: write.source_seq, value }
            }
        };
        Ok(self.write_odds(RegisterKey::Price(write.market, write.outcome), AnyWrite::Price(slot)))
    }

    fn set_status<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        market: &MarketKey,
        act: StatusAct,
    ) -> Result<Answer, Refusal> {
        self.known_market(market)?;
        let value = match act {
            StatusAct::Suspend => Some(MarketStatus::Suspended),
            StatusAct::Resume => None,
        };
        let key = RegisterKey::Status(market.clone());
        self.write_odds(key, AnyWrite::Status(SlotWrite::Operator(value)));
        self.market_answer(tx, market)
    }

    fn write_results<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        market: &MarketKey,
        results: &[ResultWrite],
        closed_ms: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let known = self.known_market(market)?;
        if closed_ms.is_some_and(|ms| self.check_source(ms).is_err()) {
            return Err(malformed("closed_at", "lies more than 10 s in the future of this region"));
        }
        if results.is_empty() || results.len() > OUTCOMES_MAX {
            return Err(malformed("results", "must have 1 to 1000 results"));
        }
        for result in results {
            if let ResultScope::Outcome(outcome) = &result.scope
                && known.offer(outcome).is_none()
                && !known.shown_definition().is_some_and(|d| d.outcomes.iter().any(|o| o.key == *outcome))
            {
                return Err(Refusal::SelectionUnknown);
            }
        }
        let mut known = tx.results(market).into_iter().collect();
        for result in results {
            let value = (result.result != OutcomeResult::None).then_some(result.result);
            let write = Resulting { scope: result.scope.clone(), write: SlotWrite::Operator(value), closed_ms };
            self.write_result(tx, market, write, &mut known);
        }
        self.market_answer(tx, market)
    }

    /// Writes a result into this site's log and, in the same batch, its twin into the odds plane.
    pub(crate) fn write_result<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        market: &MarketKey,
        resulting: Resulting,
        known: &mut BTreeMap<ResultScope, ResultRegister>,
    ) -> bool {
        let Resulting { scope, write, closed_ms } = resulting;
        let mut register = known.get(&scope).cloned().unwrap_or_default();
        let dot = Dot { site: self.site, n: self.ledger.next_seq() };
        if register.operator.context.covers_dot(dot) {
            // Two results of one market and outcome in one entry: each needs an index of its own.
            self.seal(tx);
        }
        let dot = Dot { site: self.site, n: self.ledger.next_seq() };
        let at = self.time.stamp();
        let mut delta = write.delta(Some(&register), dot, at);
        self.note_closing(market, &mut delta, closed_ms);
        if register.join(&delta) == crdt::Joined::Unchanged {
            return false;
        }
        tx.put(Write::Result(market.clone(), scope.clone(), register.clone()));
        known.insert(scope.clone(), register.clone());
        tx.events.push(Event::Result(market.clone(), scope.clone(), register.clone()));
        self.write_odds(RegisterKey::Resulted(market.clone(), scope), AnyWrite::Resulted(register));
        self.ledger.mark_settle(tx, market);
        if tx.events.len() >= ENTRY_EVENTS_MAX {
            self.seal(tx);
        }
        true
    }

    /// Notes beside a result when its market had closed: an operator's as stated, a feed's as its producer's status says.
    fn note_closing(&self, market: &MarketKey, delta: &mut ResultRegister, closed_ms: Option<u64>) {
        let known = self.plane.markets().get(market);
        for (producer, slot) in delta.feeds.iter_mut().filter(|(_, slot)| slot.value != OutcomeResult::None) {
            let closed = known.map_or(slot.time_ms, |m| m.closed_for(producer, slot.time_ms));
            slot.mark = NonZeroU64::new(closed);
        }
        for value in delta.operator.values.values_mut().filter(|v| v.value.is_some()) {
            value.mark = closed_ms.and_then(NonZeroU64::new);
        }
    }

    /// A producer's sign of life or of trouble, read here.
    pub(crate) fn heard(&mut self, steady_ms: u64, producer: &ProducerId, source_ms: u64, state: ProducerState) {
        if state == ProducerState::Up {
            self.fresh.heard(producer, self.site, steady_ms, source_ms);
        }
        let held = self.plane.producers().get(producer).and_then(|r| r.feeds.get(producer));
        let same = held.is_some_and(|s| s.value == state);
        // Live, the register only says up or down; its time is needed by every region only on the replay clock.
        if !same || self.config.replay {
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms: source_ms, seq: 0, value: state };
            self.write_odds(RegisterKey::Producer(producer.clone()), AnyWrite::Producer(write));
            self.refresh_covered();
        }
    }

    /// Refuses a source time that lies in the owner's future, where it enters.
    pub(crate) fn check_source(&self, source_ms: u64) -> Result<(), Refusal> {
        if source_ms > TIME_MS_MAX {
            return Err(malformed("source_time", "lies beyond all time"));
        }
        let ahead = source_ms > self.time.owner_ms() + SOURCE_AHEAD_MS_MAX;
        if ahead && !self.config.replay {
            return Err(malformed("source_time", "lies more than 10 s in the future of this region"));
        }
        Ok(())
    }

    fn set_clock(&mut self, now_ms: u64) -> Result<Answer, Refusal> {
        if !self.config.replay {
            return Err(Refusal::ClockNotReplay);
        }
        let held_ms = self.plane.clock_ms();
        if now_ms > TIME_MS_MAX {
            return Err(malformed("now", "lies beyond all time"));
        }
        if now_ms < held_ms {
            return Err(Refusal::ClockBack { now_ms: held_ms });
        }
        self.advance_clock(now_ms);
        Ok(Answer::Clock(self.clock_view()))
    }

    /// Moves the replay clock forward; carried by a register that takes a dot, so that a token implies its time.
    pub(crate) fn advance_clock(&mut self, to_ms: u64) {
        let producer = ProducerId::new("clock").expect("a valid key");
        let write = SlotWrite::Feed { producer, time_ms: to_ms, seq: 0, value: ClockTime(to_ms) };
        self.write_odds(RegisterKey::Clock, AnyWrite::Clock(write));
        self.time.set_replay(self.plane.clock_ms());
    }
}

/// Bytes of a definition as it is stored and sent.
pub(crate) fn encoded_len(definition: &Definition) -> usize {
    minicbor::to_vec(definition).expect("writing to memory cannot fail").len()
}
