//! Operators' suspensions of every scope: all, a sport, an event, a market, an account. The first four are operator
//! slots of the odds plane, of an account it is a row in the log. Writes one register or one row each; what follows
//! for a sale is `odds::sale` and admission.

use crdt::{Hlc, OperatorSlot, Site};
use model::limits::LIST_MAX;
use model::{AccountId, Answer, MarketKey, MarketStatus, Refusal, SaleScope, Suspension, SuspensionView, Text};

use crate::engine::Engine;
use crate::odds::{AnyWrite, RegisterKey, SlotWrite};
use crate::port::View;
use crate::tx::Tx;

impl Engine {
    /// Suspends a scope, or lifts every suspension of it that this region has seen.
    pub(crate) fn suspend<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        scope: Suspension,
        lift: bool,
    ) -> Result<Answer, Refusal> {
        let key = match &scope {
            Suspension::Account(account) => {
                self.suspend_account(tx, account, lift)?;
                return Ok(Answer::Suspended(self.suspension(scope)));
            }
            Suspension::Market(market) => {
                self.known_market(market)?;
                RegisterKey::Status(market.clone())
            }
            Suspension::Sale(wide) => RegisterKey::Held(wide.clone()),
        };
        if !self.plane.holds().has_room(&key) {
            return Err(Refusal::Overloaded { what: Text::new("suspended scopes") });
        }
        // Nothing has ever been suspended there: nothing is lifted either, and no register is made.
        if !lift || self.plane.get(&key).is_some() {
            let value = (!lift).then_some(MarketStatus::Suspended);
            self.write_odds(key, AnyWrite::Status(SlotWrite::Operator(value)));
        }
        Ok(Answer::Suspended(self.suspension(scope)))
    }

    /// Any region suspends an account; its home readmits it.
    fn suspend_account<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, lift: bool) -> Result<(), Refusal> {
        let home = self.ledger.account_head(account).ok_or(Refusal::AccountUnknown)?.home;
        if lift {
            if home != self.site {
                return Err(Refusal::NotOwner { region: home.region });
            }
            if self.ledger.is_excluded(account) {
                let at = self.time.stamp();
                self.ledger.readmit(tx, at, account);
            }
            return Ok(());
        }
        if self.ledger.exclusions_are_full(account) {
            return Err(Refusal::Overloaded { what: Text::new("suspended accounts") });
        }
        let at = self.time.stamp();
        self.ledger.exclude(tx, at, account);
        Ok(())
    }

    fn suspension(&self, scope: Suspension) -> SuspensionView {
        let by = match &scope {
            Suspension::Account(account) => self.ledger.excluded_by(account).collect(),
            Suspension::Market(market) => {
                self.plane.markets().get(market).map(|m| held(&m.status.operator)).unwrap_or_default()
            }
            Suspension::Sale(wide) => self.plane.holds().get(wide).map(|r| held(&r.operator)).unwrap_or_default(),
        };
        SuspensionView { scope, by }
    }

    /// Those in force after one: wide scopes, then markets, then accounts, each in order of keys.
    pub(crate) fn suspensions(&self, after: Option<&Suspension>, limit: usize) -> Answer {
        use std::ops::Bound::{Excluded, Unbounded};
        let (wide, market, account): (Option<&SaleScope>, Option<&MarketKey>, Option<&AccountId>) = match after {
            None => (None, None, None),
            Some(Suspension::Sale(scope)) => (Some(scope), None, None),
            Some(Suspension::Market(market)) => (None, Some(market), None),
            Some(Suspension::Account(account)) => (None, None, Some(account)),
        };
        let limit = limit.min(LIST_MAX);
        let scopes = self.plane.holds().in_force().range((wide.map_or(Unbounded, Excluded), Unbounded));
        let scopes = scopes.filter(|_| market.is_none() && account.is_none()).cloned().map(Suspension::Sale);
        let markets = self.plane.held_markets().range((market.map_or(Unbounded, Excluded), Unbounded));
        let markets = markets.filter(|_| account.is_none()).cloned().map(Suspension::Market);
        let accounts = self.ledger.excluded_accounts(account).cloned().map(Suspension::Account);
        let mut all = scopes.chain(markets).chain(accounts);
        let list = all.by_ref().take(limit).map(|scope| self.suspension(scope)).collect();
        Answer::Suspensions { list, more: all.next().is_some() }
    }
}

fn held(slot: &OperatorSlot<MarketStatus>) -> Vec<(Site, Hlc)> {
    slot.held().map(|(dot, at, _)| (dot.site, at)).collect()
}
