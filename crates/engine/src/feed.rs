//! Exchange stream messages: folded into ladders, and what changed written into registers, message by message.
//! A refused message changes nothing and the rest goes on. Knows the plane; the fold's rules are in `feeds`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use feeds::betfair::registers::{Change, RunnerResult, event_key, market_key, outcome_key};
use feeds::betfair::{Book, MarketChange, McmMessage, RunnerKey};
use model::limits::{DEFINITION_BYTES_MAX, FEED_LINES_MAX};
use model::{
    Definition, EventKey, FeedReport, LineRefusal, MarketKey, MarketStatus, OutcomeDef, OutcomeResult, Price,
    ProducerId, ProducerState, ResultScope, Text,
};

use crate::desk::{Resulting, encoded_len};
use crate::door::FeedLine;
use crate::engine::Engine;
use crate::odds::{AnyWrite, Exchange, RegisterKey, SlotWrite};
use crate::port::{View, Write};
use crate::tx::Tx;

/// The exchange's producer name.
const EXCHANGE: &str = "betfair";

/// Why a message was refused: stable code and words.
type Refused = (&'static str, String);

impl Engine {
    /// Applies lines in order.
    pub(crate) fn feed<V: View>(&mut self, tx: &mut Tx<'_, V>, lines: Vec<FeedLine>) -> FeedReport {
        let mut report = FeedReport { messages: lines.len(), ..FeedReport::default() };
        let mut touched = BTreeSet::new();
        let producer = ProducerId::new(EXCHANGE).expect("a valid key");
        for (index, line) in lines.into_iter().enumerate() {
            let outcome = if index < FEED_LINES_MAX {
                self.message(tx, &producer, &line.message, &mut touched)
            } else {
                Err(("too_many_lines", format!("send at most {FEED_LINES_MAX} lines a call")))
            };
            match outcome {
                Ok(()) => {
                    report.applied += 1;
                    self.stats.feed_messages += 1;
                }
                Err((code, detail)) => report.refused.push(LineRefusal { line: line.line, code, detail }),
            }
        }
        for market in touched {
            if let Some(exchange) = self.plane.markets().get(&market).and_then(|m| m.exchange.as_ref()) {
                tx.put(Write::Book(market, Arc::new(exchange.book.clone())));
            }
        }
        report
    }

    fn message<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        message: &McmMessage,
        touched: &mut BTreeSet<MarketKey>,
    ) -> Result<(), Refused> {
        self.check_source(message.pt)
            .map_err(|_| ("source_ahead", "the message's time lies more than 10 s in the future".to_owned()))?;
        let folded = self.fold(message)?;
        if self.config.replay {
            self.advance_clock(message.pt);
        }
        for (market, exchange, changes) in folded {
            self.write_changes(tx, producer, message.pt, &market, &exchange.book, &changes);
            self.plane.market_mut(&market).exchange = Some(exchange);
            touched.insert(market);
        }
        let state = if message.status_503 { ProducerState::Down } else { ProducerState::Up };
        self.heard(tx.now.steady_ms, producer, message.pt, state);
        Ok(())
    }

    /// Folds a message into copies-on-write of its markets' books: all of it or nothing.
    fn fold(&mut self, message: &McmMessage) -> Result<Vec<(MarketKey, Exchange, Vec<Change>)>, Refused> {
        let mut books: BTreeMap<MarketKey, (Exchange, Vec<Change>, bool)> = BTreeMap::new();
        let mut failed = None;
        for change in &message.changes {
            if let Err(refused) = self.fold_change(message.pt, change, &mut books, message.changes.len() > 1) {
                failed = Some(refused);
                break;
            }
        }
        if let Some(refused) = failed {
            // Books that were taken out go back as they were.
            for (market, (exchange, _, taken)) in books {
                if taken {
                    self.plane.market_mut(&market).exchange = Some(exchange);
                }
            }
            return Err(refused);
        }
        Ok(books.into_iter().map(|(market, (exchange, changes, _))| (market, exchange, changes)).collect())
    }

    fn fold_change(
        &mut self,
        pt: u64,
        change: &MarketChange,
        books: &mut BTreeMap<MarketKey, (Exchange, Vec<Change>, bool)>,
        several: bool,
    ) -> Result<(), Refused> {
        let market = market_key(&change.id).map_err(|e| ("bad_field", format!("mc.id {e}")))?;
        if !books.contains_key(&market) {
            self.room_for(&market).map_err(|_| ("too_many_markets", "this region holds no more markets".to_owned()))?;
            let known = self.plane.markets().contains_key(&market);
            // One market, the usual case: its book is moved out and back. Several: copies, so that all can be undone.
            let held = match (known, several) {
                (false, _) => None,
                (true, true) => self.plane.markets().get(&market).and_then(|m| m.exchange.clone()),
                (true, false) => self.plane.market_mut(&market).exchange.take(),
            };
            let taken = held.is_some() && !several;
            let fresh = || Exchange { book: Book::default(), summary: feeds::betfair::registers::Summary::default() };
            books.insert(market.clone(), (held.unwrap_or_else(fresh), Vec::new(), taken));
        }
        let (exchange, changes, _) = books.get_mut(&market).expect("just made sure");
        let changed = exchange.book.apply(pt, change).map_err(|e| (e.code(), format!("{}: {e}", change.id)))?;
        if changed.definition {
            let bytes = encoded_len(&definition_of(&market, &exchange.book));
            if bytes > DEFINITION_BYTES_MAX {
                return Err(("definition_too_large", format!("{}: {bytes} bytes of names are too many", change.id)));
            }
            // Marks the definition itself as to be written; the summary only carries what bettors see of it.
            changes.insert(0, Change::State(exchange.book.status().map_or_else(closed, Into::into)));
        }
        changes.extend(exchange.summary.advance_by(&exchange.book, &changed));
        Ok(())
    }

    fn write_changes<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        time_ms: u64,
        market: &MarketKey,
        book: &Book,
        changes: &[Change],
    ) {
        let seq = book.ordinal();
        let mut prices: BTreeMap<RunnerKey, Price> = BTreeMap::new();
        let mut results: BTreeMap<RunnerKey, RunnerResult> = BTreeMap::new();
        let mut state = None;
        for change in changes {
            match change {
                Change::State(s) => state = Some(*s),
                Change::Price { key, active, offer } => {
                    prices.insert(*key, Price { active: *active, odds: offer.and_then(feeds::Decimal::odds) });
                }
                Change::Result { key, result } => {
                    results.insert(*key, *result);
                }
            }
        }
        if let Some(state) = state {
            let definition = definition_of(market, book);
            let held = self.plane.markets().get(market).and_then(|m| m.definition.feeds.get(producer));
            if held.is_none_or(|s| s.value != definition) {
                let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value: definition };
                self.write_odds(RegisterKey::Definition(market.clone()), AnyWrite::Definition(write));
            }
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value: MarketStatus::from(state) };
            self.write_odds(RegisterKey::Status(market.clone()), AnyWrite::Status(write));
        }
        for (runner, value) in prices {
            let Ok(outcome) = outcome_key(runner) else { continue };
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value };
            self.write_odds(RegisterKey::Price(market.clone(), outcome), AnyWrite::Price(write));
        }
        let mut known = BTreeMap::new();
        if !results.is_empty() {
            known = tx.results(market).into_iter().collect();
        }
        for (runner, result) in results {
            let Ok(outcome) = outcome_key(runner) else { continue };
            let value = match result {
                RunnerResult::None => OutcomeResult::None,
                RunnerResult::Won => OutcomeResult::Won,
                RunnerResult::Lost => OutcomeResult::Lost,
                RunnerResult::Void => OutcomeResult::Withdrawn,
            };
            let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq, value };
            let resulting = Resulting { scope: ResultScope::Outcome(outcome), write, closed_ms: None };
            self.write_result(tx, market, resulting, &mut known);
        }
    }
}

/// A book without a status is not on sale.
const fn closed() -> feeds::betfair::registers::MarketState {
    feeds::betfair::registers::MarketState::Inactive
}

/// What the exchange's definition says in the house's words.
fn definition_of(market: &MarketKey, book: &Book) -> Definition {
    let definition = book.definition();
    let text = |t: Option<&String>| Text::new(t.map_or("", String::as_str));
    let event = definition.and_then(|d| d.event_id.as_deref()).and_then(|e| event_key(e).ok());
    let own_event = || EventKey::new(market.as_str()).expect("a market's key is a valid key");
    let runners = definition.map(|d| d.runners.as_slice()).unwrap_or_default();
    let mut ordered: Vec<_> = runners.iter().collect();
    ordered.sort_by_key(|r| (r.sort_priority, r.key()));
    let outcomes = ordered.into_iter().filter_map(|r| {
        let name = text(r.name.as_ref());
        outcome_key(r.key()).ok().map(|key| OutcomeDef { key, name })
    });
    Definition {
        name: text(definition.and_then(|d| d.name.as_ref().or(d.market_type.as_ref()))),
        event: event.unwrap_or_else(own_event),
        sport: text(definition.and_then(|d| d.event_type_id.as_ref())),
        start_ms: definition.and_then(|d| d.start_ms()).unwrap_or(0),
        in_play: definition.is_some_and(|d| d.in_play),
        bet_delay_ms: definition.map_or(0, |d| d.bet_delay.saturating_mul(1_000)),
        outcomes: outcomes.collect(),
        exchange: true,
        terms: None,
    }
}
