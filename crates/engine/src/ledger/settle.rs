//! Settlement: each site recomputes the wagers it owns from the current results and posts the difference
//! (DOMAIN.md 3 and 7). Duplicates, corrections and rollbacks need no case of their own.
//! A wager is looked at whenever a result of any of its legs' markets changes, and stands by what all of them say now.
//! Knows no odds plane and no feeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::Hlc;
use model::settlement::{LegVerdict, Standing, standing};
use model::{
    Amount, LegTaken, MarketKey, MintedId, OutcomeResult, ResultRegister, ResultScope, SettlementCall, Step, StepKind,
    WagerRecord, WagerState,
};

use super::Ledger;
use crate::log::{Event, Settled};
use crate::port::{SettleCursor, View, Write};
use crate::tx::Tx;

/// Result registers of the markets that a slice has met: its wagers share them.
pub(super) type Results = BTreeMap<MarketKey, Vec<(ResultScope, ResultRegister)>>;

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
        let (legs, past_posted) = self.verdicts(tx, &record, results);
        let Standing::At(state, paid) = standing(&record, &legs) else { return false };
        let past_posted = if state.is_settled() { past_posted } else { Vec::new() };
        if (state, paid) == (record.state, record.paid.minor()) && past_posted == record.past_posted() {
            return false;
        }
        if !self.has_room(&record, paid) {
            tx.alarm("row_full", format!("wager {id} cannot be settled: its account cannot count further"));
            return false;
        }
        let stands = Stands { state, paid, burned: record.stake, past_posted };
        let next = self.advance(tx, at, &record, StepKind::Settled, stands);
        tx.events.push(Event::Settled(settled(&next)));
        true
    }

    /// How each leg of a wager stands by the current registers, and which legs were taken after their market had closed:
    /// those are void, whatever their results say.
    pub(super) fn verdicts<V: View>(
        &self,
        tx: &Tx<'_, V>,
        record: &WagerRecord,
        results: &mut Results,
    ) -> (Vec<LegVerdict>, Vec<u8>) {
        let placed_ms = record.placed_at.ms();
        let mut past_posted = Vec::new();
        let mut verdict = |(n, leg): (usize, &LegTaken)| {
            let known = results.entry(leg.market.clone()).or_insert_with(|| tx.results(&leg.market));
            let call = SettlementCall::of_leg(known, &leg.outcome, placed_ms);
            let closed_ms = SettlementCall::closed_ms(known, &leg.outcome).filter(|_| call.is_result());
            if closed_ms.is_some_and(|closed| placed_ms > closed.saturating_add(self.skew_allowance_ms)) {
                past_posted.extend(u8::try_from(n));
                return SettlementCall::Result(OutcomeResult::Void).into();
            }
            call.into()
        };
        let legs = record.legs.iter().enumerate().map(&mut verdict).collect();
        (legs, past_posted)
    }

    /// How each leg of a wager stands by the current registers.
    pub(crate) fn verdicts_now<V: View>(&self, tx: &Tx<'_, V>, record: &WagerRecord) -> Vec<LegVerdict> {
        self.verdicts(tx, record, &mut Results::new()).0
    }

    /// Whether the account's row can count what a wager's next step moves.
    pub(super) fn has_room(&self, record: &WagerRecord, paid: u64) -> bool {
        let room = self.accounts.get(&record.account).and_then(|a| a.rows.get(&self.site)).map_or(0, crdt::Row::room);
        paid.max(record.paid.minor()).max(record.stake.minor()) <= room
    }

    /// Takes a wager one step further: consumes stake, posts the difference of what it has paid, and keeps the record.
    /// The caller writes the event.
    pub(super) fn advance<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        record: &WagerRecord,
        what: StepKind,
        stands: Stands,
    ) -> Arc<WagerRecord> {
        let Stands { state, paid, burned, past_posted } = stands;
        let (before, burned) = (record.paid.minor(), burned.max(record.burned()));
        let row = self.own_row(tx, &record.account);
        row.bur += burned.minor() - record.burned().minor();
        assert!(row.reserved() >= 0, "a stake is consumed once");
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
        let paid = Amount::from_minor(paid).expect("a payout was bounded when the wager was admitted");
        let version = record.settled_version + 1;
        let next = Arc::new(record.after(Step { version, at, state, paid, what }, burned, past_posted));
        tx.put(Write::Wager(Arc::clone(&next)));
        self.credited(&record.account, gained);
        if self.ack_quorum == 0 {
            self.push_home(tx, &record.account, gained - repaid);
        }
        self.note_debt(&record.account);
        next
    }
}

/// How a wager stands after a step.
pub(super) struct Stands {
    pub(super) state: WagerState,
    /// In all, minor units.
    pub(super) paid: u64,
    /// Stake consumed; never less than before, whatever is said here.
    pub(super) burned: Amount,
    pub(super) past_posted: Vec<u8>,
}

/// What the log says of a wager's last step.
pub(super) fn settled(record: &WagerRecord) -> Settled {
    let past_posted = record.past_posted();
    Settled {
        id: record.id,
        version: record.settled_version,
        state: record.state,
        paid: record.paid.minor(),
        past_posted: (!past_posted.is_empty()).then(|| past_posted.to_vec()),
    }
}
