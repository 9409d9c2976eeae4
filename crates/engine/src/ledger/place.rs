//! Placing a wager: the money guard (S1 to S4), run inside the transition, and the record of the decision.
//! Admission has read the odds plane already; nothing of it is read here.

use std::sync::Arc;

use crdt::Hlc;
use model::settlement::{Rounding, System};
use model::{
    AccountId, Amount, Currency, Decision, Durability, Hash16, LegTaken, MintedId, OddsPolicy, Problem, RejectCode,
    Share, Text, WagerRecord, WagerState,
};

use super::Ledger;
use super::window::Unacked;
use crate::log::Event;
use crate::planted::Planted;
use crate::port::{View, Write};
use crate::tx::Tx;

/// A wager that admission has seen: all that it saw, and its verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Admitted {
    pub(crate) id: MintedId,
    pub(crate) account: AccountId,
    pub(crate) currency: Currency,
    pub(crate) body: Hash16,
    pub(crate) stake: Amount,
    pub(crate) legs: Vec<LegTaken>,
    pub(crate) policy: OddsPolicy,
    pub(crate) client_ref: Option<Text>,
    pub(crate) durability: Durability,
    /// How long it waits before it is judged, ms; 0: it is judged now.
    pub(crate) delay_ms: u64,
    /// When it was taken in, if it has waited.
    pub(crate) asked_ms: Option<u64>,
    /// What lines it has.
    pub(crate) shape: Shape,
    /// Why admission refuses it for good; empty if it does not.
    pub(crate) problems: Vec<Problem>,
}

/// The lines of a wager, as its record keeps them. The default is a single or one accumulator, not each-way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shape {
    /// Stake per line, where that is not the whole stake.
    pub(crate) unit: Option<Amount>,
    pub(crate) system: Option<System>,
    /// Each leg's place fraction.
    pub(crate) each_way: Option<Vec<Share>>,
    pub(crate) rounding: Rounding,
}

/// What the ledger says of an admitted wager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Judged {
    /// Decided and recorded.
    Decided(Arc<WagerRecord>),
    /// Nothing speaks against it, and it waits for its markets' delay: nothing was recorded.
    Delay(Box<Admitted>),
    /// The account's row cannot count further; nothing was recorded.
    Full,
    /// Not enough rights here; nothing was recorded. `missing` minor units.
    Short { missing: u64 },
    /// The rights are here, but too much is still unknown to other regions (S2 to S4); nothing was recorded.
    Window,
}

impl Ledger {
    /// Decides an admitted wager. `final_cut` says that no more rights can be fetched: what is missing is then a final
    /// `insufficient_funds` if it is missing everywhere.
    pub(crate) fn place<V: View>(&mut self, tx: &mut Tx<'_, V>, at: Hlc, wager: Admitted, final_cut: bool) -> Judged {
        if !wager.problems.is_empty() {
            let problems = wager.problems.clone();
            return Judged::Decided(self.record(tx, at, wager, Decision::Rejected(problems), None));
        }
        let stake = wager.stake.minor();
        let prepared = self.must_prepare(&wager);
        let full = prepared && self.prepared_are_full();
        let me = self.site;
        let set_aside = self.set_aside(&wager.account);
        let unknown = self.is_cut_above_floor();
        let blind = if self.planted == Planted::GuardWithoutOverlay { spent_here(tx, &wager.account) } else { 0 };
        if let Some(known) = self.accounts.get_mut(&wager.account)
            && let Some(row) = known.rows.get_mut(&me)
            && let Some(free) = left(row.free() + blind, set_aside).filter(|free| *free >= stake)
        {
            if stake > row.room() {
                return Judged::Full;
            }
            if self.ack_quorum > 0 {
                let room = if prepared {
                    super::window::replicated(free, known.unacked, self.planted)
                } else {
                    self.window.room(wager.currency, free, known.unacked, self.planted)
                };
                if unknown || stake > room || full {
                    return Judged::Window;
                }
            }
            if wager.delay_ms > 0 {
                return Judged::Delay(Box::new(wager));
            }
            if self.ack_quorum > 0 {
                let index = self.logs.get(&self.site).map_or(0, |h| h.index) + 1;
                if prepared {
                    self.prepared.insert(index);
                } else {
                    known.unacked.debit = known.unacked.debit.saturating_add(stake);
                    self.window.push(index, &wager.account, wager.currency, Unacked { debit: stake, credit: 0 });
                }
            }
            row.stk = row.stk.checked_add(stake).expect("stakes of one account fit 64 bits");
            assert!(row.free() + blind >= 0, "a stake was taken from rights that are not there");
            tx.rows.insert(wager.account.clone());
            let away = known.head.as_ref().is_some_and(|h| h.home != me);
            if known.note_stake(at) && away {
                self.travellers.insert(wager.account.clone());
            }
            return Judged::Decided(self.record(tx, at, wager, Decision::Accepted, prepared.then_some(true)));
        }
        let free = self.free_here(&wager.account);
        let certain = final_cut || self.nothing_elsewhere(&wager.account);
        // Credits that no other region knows of are money too: nothing is final because of a window.
        if certain && free.saturating_add(self.elsewhere(&wager.account)) < stake {
            let problems = vec![Problem { leg: None, code: RejectCode::InsufficientFunds, odds: None }];
            return Judged::Decided(self.record(tx, at, wager, Decision::Rejected(problems), None));
        }
        Judged::Short { missing: stake - free }
    }

    /// Whether a stake is missing for certain: this site is the home and nothing is anywhere else.
    pub(crate) fn lacks(&self, account: &AccountId, stake: u64) -> bool {
        self.nothing_elsewhere(account) && self.free_here(account) < stake
    }

    /// This site is the account's home and knows of no rights anywhere else: what is missing here is missing.
    pub(super) fn nothing_elsewhere(&self, account: &AccountId) -> bool {
        let home = self.account_head(account).map(|h| h.home);
        home == Some(self.site) && self.elsewhere(account) == 0
    }

    fn record<V: View>(
        &self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        wager: Admitted,
        decision: Decision,
        prepared: Option<bool>,
    ) -> Arc<WagerRecord> {
        let record = Arc::new(WagerRecord {
            id: wager.id,
            account: wager.account,
            currency: wager.currency,
            owner: self.site,
            entry: self.next_seq(),
            body: wager.body,
            stake: wager.stake,
            legs: wager.legs,
            policy: wager.policy,
            client_ref: wager.client_ref,
            placed_at: at,
            decision,
            state: WagerState::Open,
            paid: Amount::default(),
            settled_version: 0,
            settled_at: Hlc::default(),
            prepared,
            unit: wager.shape.unit,
            system: wager.shape.system,
            each_way: wager.shape.each_way,
            rounding: Some(wager.shape.rounding),
            asked_ms: wager.asked_ms,
            later: None,
        });
        tx.put(Write::Wager(Arc::clone(&record)));
        tx.put(Write::AccountWager(record.account.clone(), record.id));
        if record.is_accepted() {
            for leg in &record.legs {
                tx.put(Write::MarketWager(leg.market.clone(), record.id));
            }
        }
        tx.decided(&record);
        record
    }
}

/// What is free beside what is set aside; nothing if it is less than nothing.
fn left(free: i128, set_aside: u64) -> Option<u64> {
    u64::try_from(free - i128::from(set_aside)).ok()
}

/// Stakes that the entry being built has taken already: what a guard outside the transition would not see.
fn spent_here<V: View>(tx: &Tx<'_, V>, account: &AccountId) -> i128 {
    let stakes = tx.events.iter().filter_map(|event| match event {
        Event::Wager(w) if w.0.is_accepted() && w.0.account == *account => Some(i128::from(w.0.stake.minor())),
        _ => None,
    });
    stakes.sum()
}
