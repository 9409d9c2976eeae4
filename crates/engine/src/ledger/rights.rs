//! Rights between sites: granting on request (once per request number) and taking what came in-stream.
//! Knows no lanes and no waiting clients; asking is policy and lives in `parked`.

use crdt::Site;
use model::AccountId;

use super::Ledger;
use crate::log::{Event, Grant};
use crate::planted::Planted;
use crate::port::{View, Write};
use crate::tx::Tx;
use crate::wire::Acquire;

/// What the giver did with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Granting {
    /// Granted now.
    Granted(u64),
    /// Granted before, by the same number: nothing more.
    Repeat,
    /// Enough may be free once other regions know of credits booked here: to be judged again when the floor rises.
    Later,
    /// Nothing free here, or held for a bet that waits here.
    Nothing,
}

impl Ledger {
    /// Grants rights to a requester: what it wants, or as much of it as is free; partial grants are kept (ESCROW.md 2.5).
    /// A grant is final when its entry is logged; it is never taken back.
    pub(crate) fn grant<V: View>(&mut self, tx: &mut Tx<'_, V>, to: Site, ask: &Acquire, held: bool) -> Granting {
        let key = (to, ask.account.clone());
        let seen = self.granted.get(&key).copied().unwrap_or(0);
        if ask.n <= seen && self.planted != Planted::RegrantRepeats {
            if self.planted == Planted::RefundOnTimeout {
                let sent = self.own_row(tx, &ask.account).sent.entry(to).or_default();
                *sent = sent.saturating_sub(ask.need);
            }
            return Granting::Repeat;
        }
        let room = self.accounts.get(&ask.account).and_then(|a| a.rows.get(&self.site)).map_or(0, crdt::Row::room);
        let sure = self.grantable(&ask.account);
        let amount = ask.want.max(ask.need).min(sure).min(room);
        if held || ask.need == 0 || self.account_head(&ask.account).is_none() {
            return Granting::Nothing;
        }
        if amount < ask.need && self.free_here(&ask.account) > sure {
            return Granting::Later;
        }
        if amount == 0 {
            return Granting::Nothing;
        }
        if self.planted == Planted::GrantKept {
            let row = self.own_row(tx, &ask.account);
            *row.sent.entry(to).or_default() += amount;
            row.dep += amount;
        } else {
            self.give(tx, &ask.account, to, amount);
        }
        self.granted.insert(key, ask.n);
        tx.put(Write::Granted(to, ask.account.clone(), ask.n));
        let grant = Grant { to, account: ask.account.clone(), amount, request: ask.n };
        tx.events.push(Event::Grant(grant));
        Granting::Granted(amount)
    }

    /// Grants rights in the entry that hands a wager id to `to`: (what it lacks, what it would like). No number tells
    /// repeats apart: an id is handed over once, so this runs once for it. Returns what was granted, minor units.
    pub(crate) fn grant_along<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        to: Site,
        account: &AccountId,
        (need, want): (u64, u64),
        held: bool,
    ) -> u64 {
        let room = self.accounts.get(account).and_then(|a| a.rows.get(&self.site)).map_or(0, crdt::Row::room);
        let sure = self.grantable(account);
        let amount = want.max(need).min(sure).min(room);
        // Enough may be free once other regions know of credits booked here: the asker's own request can wait for that.
        let later = amount < need && self.free_here(account) > sure;
        if held || later || need == 0 || amount == 0 || self.account_head(account).is_none() {
            return 0;
        }
        self.give(tx, account, to, amount);
        tx.events.push(Event::Grant(Grant { to, account: account.clone(), amount, request: 0 }));
        amount
    }

    /// Takes what a giver's row, in our contiguous prefix of its log, says it has sent here. Harmless when repeated.
    /// Returns how much was new.
    pub(crate) fn receive<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, account: &AccountId) -> u64 {
        let me = self.site;
        let Some(known) = self.accounts.get(account) else { return 0 };
        let sent = known.rows.get(&from).and_then(|r| r.sent.get(&me)).copied().unwrap_or(0);
        let taken = known.rows.get(&me).and_then(|r| r.recv.get(&from)).copied().unwrap_or(0);
        if sent <= taken || self.read_only {
            return 0;
        }
        let row = self.own_row(tx, account);
        row.recv.insert(from, sent);
        // Debt is served before anything else.
        let repaid = u64::try_from(row.debt().min(row.free()).max(0)).unwrap_or(0);
        row.dpd += repaid;
        self.note_debt(account);
        sent - taken
    }

    /// Keeps the list of accounts that owe here, away from their home: the home is asked for them.
    pub(crate) fn note_debt(&mut self, account: &AccountId) {
        let Some(known) = self.accounts.get(account) else { return };
        let owes = known.rows.get(&self.site).is_some_and(|r| r.debt() > 0);
        let away = known.head.as_ref().is_some_and(|h| h.home != self.site);
        if owes && away {
            self.debtors.insert(account.clone());
        } else {
            self.debtors.remove(account);
        }
    }

    /// After a start: takes everything that is addressed to this site and was not taken before.
    pub(crate) fn receive_all<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        for (account, from) in self.addressed() {
            self.receive(tx, from, &account);
        }
    }

    /// Accounts and sites whose rows address rights to this site.
    pub(crate) fn addressed(&self) -> Vec<(AccountId, Site)> {
        let me = self.site;
        self.accounts
            .iter()
            .flat_map(|(id, a)| a.rows.iter().map(move |(site, row)| (id, *site, row)))
            .filter(|(_, site, row)| *site != me && row.sent.contains_key(&me))
            .map(|(id, site, _)| (id.clone(), site))
            .collect()
    }
}
