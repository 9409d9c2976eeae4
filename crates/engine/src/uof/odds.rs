//! Changes of odds, stops and descriptions. A change writes each listed market's status and, where it lists outcomes,
//! its definition and their prices; a stop writes one register a group, however many markets it hits.

use std::collections::BTreeSet;

use feeds::uof::{Description, MarketOdds, OddsChange, Stop, group_key};
use model::limits::{DEFINITION_BYTES_MAX, DESCRIPTIONS_MAX, MARKETS_MAX, STOPS_MAX};
use model::{Definition, GroupKey, Groups, OutcomeDef, Price, ProducerId, Text};

use super::{Refused, uncrowded};
use crate::desk::encoded_len;
use crate::engine::Engine;
use crate::odds::{AnyWrite, RegisterKey, SlotWrite};

/// Whose word descriptions are.
const VENDOR: &str = "uof";

impl Engine {
    pub(super) fn uof_odds(&mut self, producer: &ProducerId, time_ms: u64, change: OddsChange) -> Result<(), Refused> {
        let known = self.plane.markets();
        let new: BTreeSet<_> = change.markets.iter().map(|m| &m.market).filter(|m| !known.contains_key(m)).collect();
        if known.len() + new.len() > MARKETS_MAX {
            return Err(("too_many_markets", "this region holds no more markets".to_owned()));
        }
        let mut definitions = Vec::with_capacity(change.markets.len());
        for listed in &change.markets {
            definitions.push(self.uof_check(producer, &change, listed)?);
        }
        for (listed, definition) in change.markets.into_iter().zip(definitions) {
            self.uof_market(producer, time_ms, listed, definition);
        }
        Ok(())
    }

    /// Refuses what a market cannot take, before anything is written; its definition, where outcomes are listed.
    fn uof_check(
        &self,
        producer: &ProducerId,
        change: &OddsChange,
        listed: &MarketOdds,
    ) -> Result<Option<Definition>, Refused> {
        let known = self.plane.markets().get(&listed.market);
        uncrowded(known.map(|m| &m.status), producer, &listed.market)?;
        for outcome in &listed.outcomes {
            uncrowded(known.and_then(|m| m.prices.get(&outcome.outcome)), producer, &listed.market)?;
        }
        if listed.outcomes.is_empty() {
            return Ok(None);
        }
        let held = known.and_then(|m| m.definition.feeds.get(producer)).map(|s| s.value.in_play);
        let outcomes = listed.outcomes.iter().map(|o| OutcomeDef { key: o.outcome.clone(), name: Text::new("") });
        let definition = Definition {
            name: Text::new(""),
            event: change.event.clone(),
            sport: Text::new(""),
            start_ms: 0,
            in_play: change.live.or(held).unwrap_or(false),
            bet_delay_ms: 0,
            outcomes: outcomes.collect(),
            exchange: false,
            terms: None,
        };
        let bytes = encoded_len(&definition);
        if bytes > DEFINITION_BYTES_MAX {
            return Err(("definition_too_large", format!("{}: {bytes} bytes of names are too many", listed.market)));
        }
        Ok(Some(definition))
    }

    fn uof_market(&mut self, producer: &ProducerId, time_ms: u64, listed: MarketOdds, definition: Option<Definition>) {
        let MarketOdds { market, status, outcomes, .. } = listed;
        if let Some(value) = definition {
            // Written even when it says the same again: its time says that what it does not list is gone.
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value };
            self.write_odds(RegisterKey::Definition(market.clone()), AnyWrite::Definition(write));
        }
        let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value: status };
        self.write_odds(RegisterKey::Status(market.clone()), AnyWrite::Status(write));
        for outcome in outcomes {
            let value = Price { active: outcome.active, odds: outcome.odds.and_then(feeds::Decimal::odds) };
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value };
            self.write_odds(RegisterKey::Price(market.clone(), outcome.outcome), AnyWrite::Price(write));
        }
    }

    /// One register a group. There is always room to stop an event: a group too many stops all of them.
    pub(super) fn uof_stop(&mut self, producer: &ProducerId, time_ms: u64, stop: Stop) -> Result<(), Refused> {
        let all = group_key("all").expect("a valid key");
        let fits = |groups: &[GroupKey]| self.plane.stops().has_room_for(&stop.event, groups);
        let groups = if fits(&stop.groups) { stop.groups } else { vec![all] };
        if !fits(&groups) {
            return Err(("too_many_stops", format!("this region holds {STOPS_MAX} stops already")));
        }
        for group in &groups {
            uncrowded(self.plane.stops().stop(&stop.event, group), producer, &stop.event)?;
        }
        for group in groups {
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value: stop.status };
            self.write_odds(RegisterKey::Stop(stop.event.clone(), group), AnyWrite::Status(write));
        }
        Ok(())
    }

    /// Descriptions have no time of their own: the one that came last counts.
    pub(super) fn uof_descriptions(&mut self, all: Vec<Description>) -> Result<(), Refused> {
        let stops = self.plane.stops();
        let new: BTreeSet<u32> = all.iter().map(|d| d.kind).filter(|k| stops.described(*k).is_none()).collect();
        if stops.described_count() + new.len() > DESCRIPTIONS_MAX {
            return Err(("too_many_descriptions", format!("this region holds at most {DESCRIPTIONS_MAX}")));
        }
        let producer = ProducerId::new(VENDOR).expect("a valid key");
        let time_ms = self.time.owner_ms();
        for Description { kind, groups } in all {
            let held = self.plane.stops().described(kind).and_then(|r| r.feeds.get(&producer));
            let value = Groups(groups);
            if held.is_some_and(|s| s.value == value) {
                continue;
            }
            let seq = held.filter(|s| s.time_ms == time_ms).map_or(0, |s| s.seq + 1);
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value };
            self.write_odds(RegisterKey::Described(kind), AnyWrite::Groups(write));
        }
        Ok(())
    }
}
