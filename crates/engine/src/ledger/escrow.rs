//! The operator's view of an account's rights. Reads the ledger; decides nothing.

use model::{AccountId, Currency, EscrowView, InFlight, SpendView};

use super::{Account, Ledger};

impl Ledger {
    /// All that is known here of an account's rights; `None` while its head has not arrived.
    #[must_use]
    pub fn escrow(&self, id: &AccountId) -> Option<EscrowView> {
        let account = self.accounts.get(id)?;
        let head = account.head.as_ref()?;
        Some(EscrowView {
            account: id.clone(),
            currency: head.currency,
            home: head.home,
            epoch: head.epoch(),
            moves_ms: head.tenure.as_ref().map_or_else(Vec::new, |t| t.moves_ms.clone()),
            rows: account.rows.iter().map(|(site, row)| (*site, row.clone())).collect(),
            in_flight: account.in_flight(),
            here: self.spend_view(account, head.currency),
        })
    }

    fn spend_view(&self, account: &Account, currency: Currency) -> SpendView {
        let rights = account.free_at(self.site);
        let (account_window, region_window) = self.window.left(currency, account.unacked);
        let replicated = Some(rights.saturating_sub(account.unacked.credit));
        SpendView { rights, account_window, replicated, region_window }
    }
}

impl Account {
    /// Rights granted by a site and not yet taken, pair by pair, as known here. A taker whose log is ahead of its giver's
    /// here has taken more than is known to be granted; that is not in flight.
    fn in_flight(&self) -> Vec<InFlight> {
        let mut all = Vec::new();
        for (from, row) in &self.rows {
            for (to, sent) in &row.sent {
                let taken = self.rows.get(to).and_then(|r| r.recv.get(from)).copied().unwrap_or(0);
                if *sent > taken {
                    all.push(InFlight { from: *from, to: *to, amount: sent - taken });
                }
            }
        }
        all
    }
}
