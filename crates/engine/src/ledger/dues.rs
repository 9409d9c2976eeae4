//! What an entry's events must have done to its writer's rows: a row alone moves no money. Deposits, stakes, payouts
//! and their like stand in the same entry as the row that they changed, so a row is checked against them to the unit.
//! Knows the row's arithmetic; not whether an event as such is right, which `merge` has checked before.
//!
//! Two fields are out of reach. `recv` repeats what a third site has granted, and between two sites' logs there is no
//! order: it is checked against this site's own grants only. `dpd` pays a debt that the row itself shows.

use std::collections::BTreeMap;

use crdt::Row;
use model::{AccountId, Posting, PostingAct, WithdrawalState};

use crate::log::EntryError;

/// How much each counter of one row grows by an entry, minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Due {
    dep: u64,
    stk: u64,
    bur: u64,
    pay: u64,
    hld: u64,
    wdr: u64,
    unh: u64,
    /// Taken back: from free money or as debt.
    back: u64,
}

/// The dues of an entry, by account.
#[derive(Default)]
pub(super) struct Dues(BTreeMap<AccountId, Due>);

impl Dues {
    fn of(&mut self, account: &AccountId) -> &mut Due {
        // Most entries name an account many times; its name is shared, not copied.
        self.0.entry(account.clone()).or_default()
    }

    /// A wager was accepted.
    pub(super) fn staked(&mut self, account: &AccountId, stake: u64) {
        let due = self.of(account);
        due.stk = due.stk.saturating_add(stake);
    }

    /// A wager was settled: the first time its stake is consumed; its payout goes from `before` to `after`.
    pub(super) fn settled(&mut self, account: &AccountId, consumed: u64, before: u64, after: u64) {
        let due = self.of(account);
        due.bur = due.bur.saturating_add(consumed);
        due.pay = due.pay.saturating_add(after.saturating_sub(before));
        due.back = due.back.saturating_add(before.saturating_sub(after));
    }

    /// A posting was decided.
    pub(super) fn posted(&mut self, posting: &Posting) {
        let minor = posting.amount.minor();
        let due = self.of(&posting.account);
        match &posting.act {
            Some(PostingAct::Adjustment(adjustment)) if adjustment.taken => due.back = due.back.saturating_add(minor),
            Some(PostingAct::Withdrawal(w)) if w.state != WithdrawalState::Prepared => {}
            // What it pays is the step of its wager.
            Some(PostingAct::CashOut(_)) => {}
            Some(PostingAct::Withdrawal(_)) => due.hld = due.hld.saturating_add(minor),
            Some(PostingAct::Adjustment(_) | PostingAct::Reference(_)) | None => {
                due.dep = due.dep.saturating_add(minor)
            }
        }
    }

    /// A withdrawal was confirmed or released.
    pub(super) fn resolved(&mut self, posting: &Posting, confirmed: bool) {
        let minor = posting.amount.minor();
        let due = self.of(&posting.account);
        let counter = if confirmed { &mut due.wdr } else { &mut due.unh };
        *counter = counter.saturating_add(minor);
    }

    /// Whether an account's row grew by what is due, and by nothing else. Asked once for each row of the entry.
    ///
    /// # Errors
    /// [`EntryError::Refused`]: the entry must not be applied.
    pub(super) fn check(&mut self, account: &AccountId, before: &Row, after: &Row) -> Result<(), EntryError> {
        let due = self.0.remove(account).unwrap_or_default();
        let grown = |field: fn(&Row) -> u64| field(after).saturating_sub(field(before));
        let has = Due {
            dep: grown(|r| r.dep),
            stk: grown(|r| r.stk),
            bur: grown(|r| r.bur),
            pay: grown(|r| r.pay),
            hld: grown(|r| r.hld),
            wdr: grown(|r| r.wdr),
            unh: grown(|r| r.unh),
            back: grown(|r| r.clw).saturating_add(grown(|r| r.dbt)),
        };
        if has == due && grown(|r| r.rel) == 0 {
            return Ok(());
        }
        Err(EntryError::Refused(format!(
            "row of {account} moves money that its entry's events do not: {has:?}, not {due:?}"
        )))
    }

    /// Whether every account that money is due of had a row in the entry.
    ///
    /// # Errors
    /// [`EntryError::Refused`]: the entry must not be applied.
    pub(super) fn check_paid(&self) -> Result<(), EntryError> {
        match self.0.iter().find(|(_, due)| **due != Due::default()) {
            None => Ok(()),
            Some((account, due)) => {
                Err(EntryError::Refused(format!("the entry moves money of {account} without its row: {due:?}")))
            }
        }
    }
}
