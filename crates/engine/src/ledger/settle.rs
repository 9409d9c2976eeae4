//! Settlement: each site recomputes the wagers it owns from the current results and posts the difference
//! (DOMAIN.md 3 and 7). Duplicates, corrections and rollbacks need no case of their own.
//! A wager is looked at whenever a result of any of its legs' markets changes, and stands by what all of them say now.
//! Knows no odds plane and no feeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::Hlc;
use model::settlement::{LegVerdict, Standing, standing};
use model::{
    Amount, LegTaken, MarketKey, MintedId, ResultRegister, ResultScope, SettlementCall, WagerRecord, WagerState,
};

use super::Ledger;
use crate::log::{Event, Settled};
use crate::port::{SettleCursor, View, Write};
use crate::tx::Tx;

/// Result registers of the markets that a slice has met: its wagers share them.
type Results = BTreeMap<MarketKey, Vec<(ResultScope, ResultRegister)>>;

impl Ledger {
    /// Marks a market for settlement from its first wager on, durably.
    pub(crate) fn mark_settle<V: View>(&mut self, tx: &mut Tx<'_, V>, market: &MarketKey) {
        self.settling.insert(market.clone(), SettleCursor::default());
        tx.put(Write::Settle(market.clone(), Some(SettleCursor::default())));
    }

    /// Settles the next slice of one market, at most `count_max` wagers. Returns how many changed.
    pub(crate) fn settle_slice<V: View>(&mut self, tx: &mut Tx<'_, V>, at: Hlc, count_max: usize) -> usize {
        let Some((market, cursor)) = self.settling.first_key_value().map(|(m, c)| (m.clone(), c.clone())) else {
            return 0;
        };
        let mut results = Results::new();
        let ids = tx.market_wagers(&market, cursor.after, count_max);
        let mut changed = 0;
        for id in &ids {
            changed += usize::from(self.settle_wager(tx, at, *id, &market, &mut results));
        }
        if ids.len() < count_max {
            self.settling.remove(&market);
            tx.put(Write::Settle(market, None));
        } else {
            let cursor = SettleCursor { after: ids.last().copied() };
            self.settling.insert(market.clone(), cursor.clone());
            tx.put(Write::Settle(market, Some(cursor)));
        }
        changed
    }

    fn settle_wager<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        id: MintedId,
        market: &MarketKey,
        results: &mut Results,
    ) -> bool {
        let record = tx.wager(id).expect("the market index names wagers that exist");
        assert!(record.is_accepted() && record.owner == self.site, "only own accepted wagers are indexed");
        assert!(record.legs.iter().any(|leg| &leg.market == market), "the index leads to wagers of its market");
        let legs: Vec<LegVerdict> =
            record.legs.iter().map(|leg| verdict(tx, leg, record.placed_at.ms(), results)).collect();
        let Standing::At(state, paid) = standing(&record, &legs) else { return false };
        if (state, paid) == (record.state, record.paid.minor()) {
            return false;
        }
        let room = self.accounts.get(&record.account).and_then(|a| a.rows.get(&self.site)).map_or(0, crdt::Row::room);
        if paid.max(record.paid.minor()).max(record.stake.minor()) > room {
            tx.alarm("row_full", format!("wager {id} cannot be settled: its account cannot count further"));
            return false;
        }
        self.post_difference(tx, at, &record, state, paid);
        true
    }

    fn post_difference<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        record: &Arc<WagerRecord>,
        state: WagerState,
        paid: u64,
    ) {
        let before = record.paid.minor();
        let row = self.own_row(tx, &record.account);
        if record.settled_version == 0 {
            row.bur += record.stake.minor();
            assert!(row.reserved() >= 0, "a stake is consumed once");
        }
        let gained = paid.saturating_sub(before);
        let mut repaid = 0;
        if gained > 0 {
            row.pay += gained;
            repaid = gained.min(u64::try_from(row.debt()).unwrap_or(0));
            row.dpd += repaid;
        } else {
            let back = before - paid;
            let taken = back.min(u64::try_from(row.free()).unwrap_or(0));
            row.clw += taken;
            row.dbt += back - taken;
        }
        assert!(row.free() >= 0, "a clawback takes no more than is free");
        let mut next = WagerRecord::clone(record);
        next.state = state;
        next.paid = Amount::from_minor(paid).expect("a payout was bounded when the wager was admitted");
        next.settled_version += 1;
        next.settled_at = at;
        let settled = Settled { id: next.id, version: next.settled_version, state, paid };
        tx.put(Write::Wager(Arc::new(next)));
        tx.events.push(Event::Settled(settled));
        self.credited(&record.account, gained);
        if self.ack_quorum == 0 {
            self.push_home(tx, &record.account, gained - repaid);
        }
        self.note_debt(&record.account);
    }
}

/// How a leg stands by the current registers of its market, for a wager placed at that time, Unix ms.
fn verdict<V: View>(tx: &Tx<'_, V>, leg: &LegTaken, placed_ms: u64, results: &mut Results) -> LegVerdict {
    let known = results.entry(leg.market.clone()).or_insert_with(|| tx.results(&leg.market));
    SettlementCall::of_leg(known, &leg.outcome, placed_ms).into()
}
