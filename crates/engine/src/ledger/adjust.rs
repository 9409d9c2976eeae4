//! Adjustments: an operator gives money, or takes what is free here and leaves the rest as debt.
//! Knows the row's arithmetic; who may ask, and what for, is `postings`.

use crdt::Hlc;
use model::{AccountId, Adjustment, Amount, Hash16, MintedId, Posting, PostingAct, Refusal, Text};

use super::Ledger;
use crate::log::Event;
use crate::port::{View, Write};
use crate::tx::Tx;

/// An adjustment that may be decided: the id is this site's and undecided, the account is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Adjusting {
    pub(crate) id: MintedId,
    pub(crate) account: AccountId,
    pub(crate) amount: Amount,
    pub(crate) body: Hash16,
    /// Its debt is filled in here.
    pub(crate) adjustment: Adjustment,
}

impl Ledger {
    /// Gives or takes money once. What is given serves debt here first. What is taken is at most what is free at this
    /// site; the rest becomes debt, for a balance never goes below zero (DESIGN.md section 3).
    pub(crate) fn adjust<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        asked: Adjusting,
    ) -> Result<Posting, Refusal> {
        let Adjusting { id, account, amount, body, mut adjustment } = asked;
        let room = self.accounts.get(&account).and_then(|a| a.rows.get(&self.site)).map_or(u64::MAX, crdt::Row::room);
        if amount.minor() > room {
            let why = Text::new("would carry the account beyond what can be counted; open another account");
            return Err(Refusal::Malformed { field: Text::new("amount"), why });
        }
        let row = self.own_row(tx, &account);
        let mut gained = 0;
        let taken = adjustment.taken;
        if adjustment.taken {
            let free = u64::try_from(row.free()).unwrap_or(0);
            let taken = amount.minor().min(free);
            adjustment.debt = amount.minor() - taken;
            row.clw += taken;
            row.dbt += adjustment.debt;
        } else {
            row.dep += amount.minor();
            let repaid = amount.minor().min(u64::try_from(row.debt()).unwrap_or(0));
            row.dpd += repaid;
            gained = amount.minor() - repaid;
        }
        assert!(row.free() >= 0, "an adjustment takes no more than is free");
        let act = Some(PostingAct::Adjustment(adjustment));
        let posting = Posting { id, account, amount, body, at, site: self.site, act };
        tx.put(Write::Posting(posting.clone()));
        tx.events.push(Event::Posting(posting.clone()));
        if !taken {
            self.credited(&posting.account, posting.amount.minor());
        }
        if self.ack_quorum == 0 {
            self.push_home(tx, &posting.account, gained);
        }
        self.note_debt(&posting.account);
        Ok(posting)
    }
}
