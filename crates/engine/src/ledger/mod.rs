//! The ledger: accounts, rows of rights, logs and acks. One `Clone + Hash + Eq` struct of ordered maps, so that it can
//! be model-checked as it stands. Knows no odds, no frames and no clock.

mod adjust;
mod deposit;
mod merge;
mod place;
mod rights;
mod settle;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Row, Site};
use model::{AccountId, AccountView, Hash16, MarketKey, ShareView};

pub(crate) use adjust::Adjusting;
pub(crate) use deposit::Deposited;
pub(crate) use place::{Admitted, Judged};
pub(crate) use rights::Granting;
pub(crate) use withdraw::Preparing;

use crate::log::hash16;
use crate::planted::Planted;
use crate::port::{AccountHead, LogHead, SettleCursor, View, Write};
use crate::tx::Tx;

/// One account as known here.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Account {
    /// Opening facts; `None` while only rows have arrived. Such an account is unknown to clients.
    pub head: Option<AccountHead>,
    /// Rows by site. Only this site's own row is always up to date.
    pub rows: BTreeMap<Site, Row>,
}

/// All money of the cluster as known at one site.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ledger {
    /// This site: the only one whose rows it writes.
    pub site: Site,
    /// Accounts by name.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Logs by site, this one's own included.
    pub logs: BTreeMap<Site, LogHead>,
    /// Last acquire request granted, by requester and account.
    pub granted: BTreeMap<(Site, AccountId), u64>,
    /// Markets whose wagers wait to be settled.
    pub settling: BTreeMap<MarketKey, SettleCursor>,
    /// Accounts that owe here, away from their home. Follows from the rows.
    pub debtors: BTreeSet<AccountId>,
    /// Acknowledged index of the own log, by region number.
    pub acks: BTreeMap<u16, u64>,
    /// Other regions that must hold an entry before it counts for the floor.
    pub ack_quorum: usize,
    /// Highest own index durable in `ack_quorum` other regions.
    pub ack_floor: u64,
    pub(crate) planted: Planted,
}

impl Ledger {
    pub(crate) const fn new(site: Site, ack_quorum: usize) -> Self {
        Self {
            site,
            accounts: BTreeMap::new(),
            logs: BTreeMap::new(),
            granted: BTreeMap::new(),
            settling: BTreeMap::new(),
            debtors: BTreeSet::new(),
            acks: BTreeMap::new(),
            ack_quorum,
            ack_floor: 0,
            planted: Planted::Nothing,
        }
    }

    /// Head of a log; the empty one if nothing is known.
    #[must_use]
    pub fn head(&self, site: Site) -> LogHead {
        self.logs.get(&site).cloned().unwrap_or_default()
    }

    /// An account's opening facts, once they have arrived.
    #[must_use]
    pub fn account_head(&self, account: &AccountId) -> Option<&AccountHead> {
        self.accounts.get(account)?.head.as_ref()
    }

    /// Index that the next entry of this site will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.logs.get(&self.site).map_or(0, |h| h.index) + 1
    }

    /// Newest site of a region that anything is known of.
    #[must_use]
    pub fn site_of(&self, region: u16) -> Option<Site> {
        self.logs.keys().rev().find(|s| s.region == region).copied()
    }

    /// What this site may spend of an account now (S1): free rights of its own row, never below zero.
    #[must_use]
    pub fn spendable(&self, account: &AccountId) -> u64 {
        let free = self.accounts.get(account).and_then(|a| a.rows.get(&self.site)).map_or(0, Row::free);
        u64::try_from(free).unwrap_or(0)
    }

    /// Free rights known at other sites or in transfer, minor units, never below zero.
    #[must_use]
    pub fn elsewhere(&self, account: &AccountId) -> u64 {
        let Some(account) = self.accounts.get(account) else { return 0 };
        let total = account.free_everywhere() - account.rows.get(&self.site).map_or(0, Row::free);
        u64::try_from(total).unwrap_or(0)
    }

    /// This site's row, to be changed; the account is marked for the entry being built.
    pub(crate) fn own_row<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId) -> &mut Row {
        tx.rows.insert(account.clone());
        let known = self.accounts.get_mut(account).expect("callers have looked the account up");
        known.rows.entry(self.site).or_default()
    }

    /// Notes an ack of the own log and raises the floor. Acks only rise.
    pub(crate) fn acked(&mut self, region: u16, index: u64) {
        let index = index.min(self.next_seq() - 1);
        let ack = self.acks.entry(region).or_default();
        *ack = (*ack).max(index);
        self.raise_floor();
    }

    /// Recomputes the floor: the `ack_quorum`-th highest ack, or the own index when no other region is asked for.
    pub(crate) fn raise_floor(&mut self) {
        let mut all: Vec<u64> = self.acks.values().copied().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let floor = match self.ack_quorum {
            0 => self.next_seq() - 1,
            q => all.get(q - 1).copied().unwrap_or(0),
        };
        self.ack_floor = self.ack_floor.max(floor);
    }

    pub(crate) fn restore(&mut self, write: Write) {
        match write {
            Write::LogHead(site, head) => {
                self.logs.insert(site, head);
            }
            Write::Account(account, head) => {
                self.accounts.entry(account).or_default().head = Some(head);
            }
            Write::Row(account, site, row) => {
                self.accounts.entry(account).or_default().rows.insert(site, row);
            }
            Write::Granted(site, account, n) => {
                self.granted.insert((site, account), n);
            }
            Write::Settle(market, Some(cursor)) => {
                self.settling.insert(market, cursor);
            }
            _ => {}
        }
    }

    /// Digest of everything that is replicated: equal in regions that know the same logs.
    #[must_use]
    pub fn digest(&self) -> Hash16 {
        let mut sum = Hash16::default();
        for (name, account) in &self.accounts {
            let bytes = minicbor::to_vec((name, &account.head, &account.rows)).expect("writing to memory cannot fail");
            sum = crate::log::sum16(sum, hash16(&bytes));
        }
        sum
    }

    /// An account as people see it.
    #[must_use]
    pub fn view(&self, id: &AccountId, home_reachable: bool) -> Option<AccountView> {
        let account = self.accounts.get(id)?;
        let head = account.head.as_ref()?;
        let spendable_here = i128::from(self.spendable(id));
        let elsewhere = i128::from(self.elsewhere(id));
        Some(AccountView {
            account: id.clone(),
            currency: head.currency,
            balance: account.free_everywhere(),
            spendable_here,
            spendable_with_wait: spendable_here + if home_reachable { elsewhere } else { 0 },
            reserved: account.rows.values().map(Row::reserved).sum(),
            in_transfer: account.in_transfer(),
            held: account.rows.values().map(Row::held).sum(),
            debt: account.rows.values().map(Row::debt).sum(),
            home: head.home,
            shares: account
                .rows
                .iter()
                .map(|(site, row)| ShareView { site: *site, free: row.free(), reserved: row.reserved() })
                .collect(),
        })
    }
}

impl Account {
    /// Rights granted by one site and not yet applied by the other, as known here.
    #[must_use]
    pub fn in_transfer(&self) -> i128 {
        let sent: i128 = self.rows.values().flat_map(|r| r.sent.values()).map(|n| i128::from(*n)).sum();
        let received: i128 = self.rows.values().flat_map(|r| r.recv.values()).map(|n| i128::from(*n)).sum();
        sent - received
    }

    /// Free money everywhere, in transfer included.
    #[must_use]
    pub fn free_everywhere(&self) -> i128 {
        self.rows.values().map(Row::free).sum::<i128>() + self.in_transfer()
    }
}
