//! Deposits: one posting per minted id, decided by its origin; and accounts, opened by their birth site.
//! Knows no payment providers: their references are `references`.

use crdt::Hlc;
use model::{AccountId, Amount, Currency, Hash16, MintedId, Posting, Refusal, Text};

use super::Ledger;
use crate::log::{Event, Grant};
use crate::port::{AccountHead, View, Write};
use crate::tx::Tx;

/// What became of a deposit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Deposited {
    pub(crate) posting: Posting,
    pub(crate) replayed: bool,
}

impl Ledger {
    /// Opens an account whose name says this region. The same again changes nothing.
    pub(crate) fn open_account<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: &AccountId,
        currency: Currency,
        accounts_max: usize,
    ) -> Result<bool, Refusal> {
        if let Some(head) = self.account_head(id) {
            let has = head.currency;
            return if has == currency { Ok(false) } else { Err(Refusal::CurrencyDiffers { has }) };
        }
        if self.accounts.len() >= accounts_max {
            return Err(Refusal::Overloaded { what: Text::new("accounts") });
        }
        let head = AccountHead { currency, home: self.site, tenure: None, hearsay: None };
        self.accounts.entry(id.clone()).or_default().head = Some(head.clone());
        tx.put(Write::Account(id.clone(), head.clone()));
        tx.events.push(Event::Account(id.clone(), head));
        Ok(true)
    }

    /// Credits an account once per id. The account is known; the id is this site's.
    pub(crate) fn deposit<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        id: MintedId,
        account: &AccountId,
        amount: Amount,
        body: Hash16,
    ) -> Result<Deposited, Refusal> {
        if amount.minor() > self.credit_room(account) {
            let why = Text::new("would carry the account beyond what can be counted; open another account");
            return Err(Refusal::Malformed { field: Text::new("amount"), why });
        }
        let posting = Posting { id, account: account.clone(), amount, body, at, site: self.site, act: None };
        self.credit(tx, &posting);
        Ok(Deposited { posting, replayed: false })
    }

    /// How much more may be credited to an account here, minor units.
    pub(super) fn credit_room(&self, account: &AccountId) -> u64 {
        self.accounts.get(account).and_then(|a| a.rows.get(&self.site)).map_or(u64::MAX, crdt::Row::room)
    }

    /// Books a posting that credits. There is room for it, and its id is undecided.
    pub(super) fn credit<V: View>(&mut self, tx: &mut Tx<'_, V>, posting: &Posting) {
        let (account, minor) = (&posting.account, posting.amount.minor());
        let row = self.own_row(tx, account);
        row.dep = row.dep.checked_add(minor).expect("deposits of one account fit 64 bits");
        tx.put(Write::Posting(posting.clone()));
        tx.events.push(Event::Posting(posting.clone()));
        self.credited(account, minor);
        if self.ack_quorum == 0 {
            self.push_home(tx, account, minor);
        }
    }

    /// Grants a credit that was booked away from home to the home as soon as S3 allows, which is once other regions
    /// know of it: all rights of an account sit there. It takes the place of rights borrowed before, if need be.
    pub(crate) fn push_home<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, gained: u64) {
        let home = self.account_head(account).map_or(self.site, |h| h.home);
        let room = self.accounts.get(account).and_then(|a| a.rows.get(&self.site)).map_or(0, crdt::Row::room);
        let amount = gained.min(self.grantable(account)).min(room);
        // A home in quarantine, or of a dead incarnation, could spend nothing of it: here it can be spent.
        let gone = self.lost.contains(&home);
        if home == self.site || amount == 0 || self.read_only || gone {
            return;
        }
        self.give(tx, account, home, amount);
        tx.events.push(Event::Grant(Grant { to: home, account: account.clone(), amount, request: 0 }));
    }

    /// Moves rights to another site's column. The giver's own limit tightens in this very step (T1, T2).
    pub(super) fn give<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, to: crdt::Site, amount: u64) {
        let row = self.own_row(tx, account);
        let sent = row.sent.entry(to).or_default();
        *sent = sent.checked_add(amount).expect("grants of one account fit 64 bits");
        assert!(row.free() >= 0, "rights were granted that are not there");
    }
}
