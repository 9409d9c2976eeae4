//! Results, their rollbacks, and cancel windows: registers of the log, each with its twin in the odds plane. What they
//! come to for a wager is the ledger's matter.

use std::collections::{BTreeMap, BTreeSet};

use feeds::uof::{Cancel, MarketResult, MarketRollback};
use model::limits::{CANCEL_WINDOWS_MAX, MARKETS_MAX};
use model::{CancelWindow, MarketKey, OutcomeResult, ProducerId, ResultRegister, ResultScope};

use super::{Refused, uncrowded};
use crate::desk::Resulting;
use crate::engine::Engine;
use crate::odds::SlotWrite;
use crate::port::View;
use crate::tx::Tx;

/// What a message writes, by market.
type Results = Vec<(MarketKey, Vec<(ResultScope, OutcomeResult)>)>;

impl Engine {
    pub(super) fn uof_settlement<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        time_ms: u64,
        markets: Vec<MarketResult>,
    ) -> Result<(), Refused> {
        let results = markets.into_iter().map(|m| {
            let outcomes = m.outcomes.into_iter().map(|o| (ResultScope::Outcome(o.outcome), o.result));
            (m.market, outcomes.collect())
        });
        self.uof_results(tx, producer, time_ms, results.collect())
    }

    /// Takes back a market's results, or only those of the listed outcomes. The market's own slot does the first: it
    /// outranks every older one of its outcomes, also those that this region has not heard of yet.
    pub(super) fn uof_rollback<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        time_ms: u64,
        markets: Vec<MarketRollback>,
    ) -> Result<(), Refused> {
        let results = markets.into_iter().map(|m| {
            let scopes = if m.outcomes.is_empty() {
                vec![ResultScope::Market]
            } else {
                m.outcomes.into_iter().map(ResultScope::Outcome).collect()
            };
            (m.market, scopes.into_iter().map(|scope| (scope, OutcomeResult::None)).collect())
        });
        self.uof_results(tx, producer, time_ms, results.collect())
    }

    pub(super) fn uof_cancel<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        time_ms: u64,
        cancel: &Cancel,
    ) -> Result<(), Refused> {
        let scope = window(cancel);
        for market in &cancel.markets {
            let known = tx.results(market);
            let windows = known.iter().filter(|(s, _)| matches!(s, ResultScope::Window(_)));
            if windows.clone().count() >= CANCEL_WINDOWS_MAX && !windows.clone().any(|(s, _)| *s == scope) {
                return Err(("too_many_windows", format!("{market} has {CANCEL_WINDOWS_MAX} cancel windows")));
            }
        }
        let results = cancel.markets.iter().map(|m| (m.clone(), vec![(scope.clone(), OutcomeResult::Void)]));
        self.uof_results(tx, producer, time_ms, results.collect())
    }

    /// Takes back a cancel of the same window. One that names no producer takes back every producer's.
    pub(super) fn uof_revive<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: Option<&ProducerId>,
        time_ms: u64,
        cancel: &Cancel,
    ) -> Result<(), Refused> {
        let scope = window(cancel);
        if let Some(producer) = producer {
            let results = cancel.markets.iter().map(|m| (m.clone(), vec![(scope.clone(), OutcomeResult::None)]));
            return self.uof_results(tx, producer, time_ms, results.collect());
        }
        for market in &cancel.markets {
            let known = tx.results(market);
            let held = known.iter().find(|(s, _)| *s == scope);
            let producers: Vec<ProducerId> = held.into_iter().flat_map(|(_, r)| r.feeds.keys().cloned()).collect();
            for producer in producers {
                let results = vec![(market.clone(), vec![(scope.clone(), OutcomeResult::None)])];
                self.uof_results(tx, &producer, time_ms, results)?;
            }
        }
        Ok(())
    }

    /// Writes results that have been checked as a whole.
    fn uof_results<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        producer: &ProducerId,
        time_ms: u64,
        results: Results,
    ) -> Result<(), Refused> {
        let known = self.plane.markets();
        let new: BTreeSet<_> = results.iter().map(|(m, _)| m).filter(|m| !known.contains_key(m)).collect();
        if known.len() + new.len() > MARKETS_MAX {
            return Err(("too_many_markets", "this region holds no more markets".to_owned()));
        }
        for (market, written) in &results {
            let Some(held) = known.get(market) else { continue };
            for (scope, _) in written {
                uncrowded(held.resulted.get(scope).map(|twin| &twin.results), producer, market)?;
            }
        }
        for (market, written) in results {
            let mut known: BTreeMap<ResultScope, ResultRegister> = tx.results(&market).into_iter().collect();
            for (scope, value) in written {
                let write = SlotWrite::Feed { producer: producer.clone(), time_ms, seq: 0, value };
                self.write_result(tx, &market, Resulting { scope, write, closed_ms: None }, &mut known);
            }
        }
        Ok(())
    }
}

const fn window(cancel: &Cancel) -> ResultScope {
    ResultScope::Window(CancelWindow { start_ms: cancel.start_ms, end_ms: cancel.end_ms })
}
