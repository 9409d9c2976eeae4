//! Withdrawals: rights are set aside, and later leave or come back. Knows the row's arithmetic and the rule of the
//! last word; who is asked for rights, and when a withdrawal counts as held, is `withdrawing`.

use crdt::{Hlc, Row};
use model::{AccountId, Amount, Hash16, MintedId, Posting, PostingAct, Refusal, Text, Withdrawal, WithdrawalState};

use super::Ledger;
use crate::log::{Event, Resolved};
use crate::port::{View, Write};
use crate::tx::Tx;

/// A withdrawal that may be decided: the id is this site's and undecided, the account is known and owes nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Preparing {
    pub(crate) id: MintedId,
    pub(crate) account: AccountId,
    pub(crate) amount: Amount,
    pub(crate) body: Hash16,
}

impl Ledger {
    /// Whether this site knows of any debt of an account.
    pub(crate) fn owes(&self, account: &AccountId) -> bool {
        self.accounts.get(account).is_some_and(|a| a.rows.values().any(|row| row.debt() > 0))
    }

    /// Sets rights aside, or says for good that the money is nowhere (`final_cut` as for wagers). `None`: not enough
    /// rights here, and no more is certain; nothing was recorded.
    pub(crate) fn prepare<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        asked: Preparing,
        final_cut: bool,
    ) -> Result<Option<Posting>, Refusal> {
        let minor = asked.amount.minor();
        let free = self.free_here(&asked.account);
        if minor > free {
            let certain = final_cut || self.nothing_elsewhere(&asked.account);
            let nowhere = certain && free.saturating_add(self.elsewhere(&asked.account)) < minor;
            return Ok(nowhere.then(|| self.note_withdrawal(tx, at, asked, WithdrawalState::Insufficient)));
        }
        // S3 alone: a withdrawal is exempt from the windows, for it counts only once others know of it.
        let replicated = self.grantable(&asked.account);
        if minor > replicated {
            let currency = self.account_head(&asked.account).map(|h| h.currency).ok_or(Refusal::AccountUnknown)?;
            return Err(Refusal::ReplicationWindow { spendable_here: replicated, currency });
        }
        let room = self.accounts.get(&asked.account).and_then(|a| a.rows.get(&self.site)).map_or(0, Row::room);
        if minor > room {
            let why = Text::new("has moved more than can be counted; open another account");
            return Err(Refusal::Malformed { field: Text::new("account"), why });
        }
        let row = self.own_row(tx, &asked.account);
        row.hld += minor;
        assert!(row.free() >= 0, "a withdrawal was set aside from rights that are not there");
        Ok(Some(self.note_withdrawal(tx, at, asked, WithdrawalState::Prepared)))
    }

    fn note_withdrawal<V: View>(
        &self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        asked: Preparing,
        state: WithdrawalState,
    ) -> Posting {
        let Preparing { id, account, amount, body } = asked;
        let act = Some(PostingAct::Withdrawal(Withdrawal { entry: self.next_seq(), state }));
        let posting = Posting { id, account, amount, body, at, site: self.site, act };
        tx.put(Write::Posting(posting.clone()));
        tx.events.push(Event::Posting(posting.clone()));
        posting
    }

    /// Lets set-aside rights go, or takes them back. The posting is this site's, prepared and held.
    pub(crate) fn resolve<V: View>(&mut self, tx: &mut Tx<'_, V>, posting: &Posting, confirmed: bool) -> Posting {
        let minor = posting.amount.minor();
        let row = self.own_row(tx, &posting.account);
        let state = if confirmed {
            row.wdr += minor;
            WithdrawalState::Confirmed
        } else {
            row.unh += minor;
            WithdrawalState::Released
        };
        assert!(row.held() >= 0, "a withdrawal is resolved once");
        let gained = if confirmed {
            0
        } else {
            // Debt is served before anything else.
            let repaid = u64::try_from(row.debt().min(row.free()).max(0)).unwrap_or(0);
            row.dpd += repaid;
            minor.saturating_sub(repaid)
        };
        let next = posting.withdrawn(state);
        tx.put(Write::Posting(next.clone()));
        tx.events.push(Event::Resolved(Resolved { id: posting.id, confirmed }));
        if !confirmed {
            self.credited(&posting.account, minor);
        }
        if self.ack_quorum == 0 {
            self.push_home(tx, &posting.account, gained);
        }
        self.note_debt(&posting.account);
        next
    }
}
