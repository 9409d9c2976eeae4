//! The ledger: accounts, rows of rights, logs and acks. One `Clone + Hash + Eq` struct of ordered maps, so that it can
//! be model-checked as it stands. Knows no odds, no frames and no clock.

mod acks;
mod adjust;
mod cashed;
mod deposit;
mod dues;
mod escrow;
mod exclusions;
mod geo;
mod handed;
mod homes;
mod later;
mod merge;
mod place;
mod references;
mod revoke;
mod rights;
mod sessions;
mod settle;
mod snapshot;
mod spend;
mod window;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Row, Site, Vector};
use model::{AccountId, AccountView, Hash16, MarketKey, MintedId, SessionRecord, ShareView};

pub(crate) use adjust::Adjusting;
pub(crate) use cashed::CashingOut;
pub(crate) use deposit::Deposited;
pub use exclusions::{Exclusion, Exclusions};
pub(crate) use handed::Standing;
pub use homes::{StakedAt, Tenure};
pub(crate) use place::{Admitted, Judged, Shape};
pub use references::Taken;
pub(crate) use rights::Granting;
pub(crate) use spend::Paid;
pub use window::{Announced, Exposure, Unacked, Window};
pub(crate) use withdraw::Preparing;

use crate::log::hash16;
use crate::planted::Planted;
use crate::port::{AccountHead, Handed, LogHead, SettleCursor, View, Write};
use crate::tx::Tx;

/// One account as known here.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Account {
    /// Opening facts; `None` while only rows have arrived. Such an account is unknown to clients.
    pub head: Option<AccountHead>,
    /// Rows by site. Only this site's own row is always up to date.
    pub rows: BTreeMap<Site, Row>,
    /// When a wager was last accepted here. Policy only: not part of the state.
    pub staked: StakedAt,
    /// What this site has debited and credited beyond the ack floor.
    pub unacked: Unacked,
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
    /// Accounts whose players bet here and live elsewhere: their homes are asked to move. Drained by every group.
    pub travellers: BTreeSet<AccountId>,
    /// Acknowledged index of the own log, by the site that holds it.
    pub acks: BTreeMap<Site, u64>,
    /// Sites whose acks count no more: newer incarnations have taken their place, or they are in quarantine.
    pub lost: BTreeSet<Site>,
    /// This site is in quarantine: it writes no row and no entry, and does not judge others by what it last knew of
    /// itself.
    pub read_only: bool,
    /// Other regions that must hold an entry before it counts for the floor.
    pub ack_quorum: usize,
    /// Highest own index durable in `ack_quorum` other regions, as far as known now. It falls when an acker is lost
    /// (ESCROW.md 4.4): who reckons with it takes all own entries above what it is at that moment.
    pub ack_floor: u64,
    /// Everything beyond the floor, and the limits in force.
    pub window: Window,
    /// Per site up to where its prepared wagers are confirmed. Of the own log it is the highest floor ever reached: what
    /// a client heard because of it stays said when the floor falls.
    pub confirmed: Vector,
    /// Own entries with prepared wagers that are not confirmed yet.
    pub prepared: BTreeSet<u64>,
    /// Wager ids that a site gave away or closed, by id and that site.
    pub handed: BTreeMap<(MintedId, Site), Handed>,
    /// Payment references that a site has taken in and that are not decided, as far as is known here.
    pub taken: Taken,
    /// Sessions by id, which begins with when they expire.
    pub sessions: BTreeMap<MintedId, SessionRecord>,
    /// Suspended accounts, a row each per site that has suspended or readmitted one.
    pub(crate) exclusions: Exclusions,
    /// Money set aside for wagers that wait for a market's delay, minor units by account. Follows from their notes.
    pub(crate) delayed: BTreeMap<AccountId, u64>,
    /// How much later than its market closed a leg may have been taken, ms. A policy of this region, in no log.
    pub skew_allowance_ms: u64,
    pub(crate) planted: Planted,
}

impl Ledger {
    pub(crate) fn new(site: Site, ack_quorum: usize) -> Self {
        Self {
            site,
            accounts: BTreeMap::new(),
            logs: BTreeMap::new(),
            granted: BTreeMap::new(),
            settling: BTreeMap::new(),
            debtors: BTreeSet::new(),
            travellers: BTreeSet::new(),
            acks: BTreeMap::new(),
            lost: BTreeSet::new(),
            read_only: false,
            ack_quorum,
            ack_floor: 0,
            window: Window::default(),
            confirmed: Vector::default(),
            prepared: BTreeSet::new(),
            handed: BTreeMap::new(),
            taken: Taken::default(),
            sessions: BTreeMap::new(),
            exclusions: Exclusions::new(),
            delayed: BTreeMap::new(),
            skew_allowance_ms: u64::MAX,
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

    /// Money set aside here for wagers that wait for a market's delay, minor units.
    #[must_use]
    pub fn set_aside(&self, account: &AccountId) -> u64 {
        // Nearly always there is none at all.
        if self.delayed.is_empty() { 0 } else { self.delayed.get(account).copied().unwrap_or(0) }
    }

    /// Free rights of this site's own row (S1) beside what is set aside, never below zero.
    #[must_use]
    pub fn free_here(&self, account: &AccountId) -> u64 {
        self.accounts.get(account).map_or(0, |a| a.free_at(self.site)).saturating_sub(self.set_aside(account))
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

    /// Recomputes the floor, which may also fall: the `ack_quorum`-th highest ack, or the own index when no other region
    /// is asked for.
    pub(crate) fn raise_floor(&mut self) {
        let mut all: Vec<u64> = self.acks.values().copied().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        let floor = match self.ack_quorum {
            0 => self.next_seq() - 1,
            q => all.get(q - 1).copied().unwrap_or(0),
        };
        self.ack_floor = floor;
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
            Write::Handed(id, site, Some(handed)) => {
                self.handed.insert((id, site), handed);
            }
            Write::Session(id, Some(record)) => {
                self.sessions.insert(id, record);
            }
            Write::Received(_, site, Some(received)) => self.taken.insert(site, received),
            Write::Exclusion(account, site, row) => self.restore_exclusion(account, site, row),
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
        for named in &self.exclusions {
            let bytes = minicbor::to_vec(named).expect("writing to memory cannot fail");
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
        // Whoever can wait for rights from home can wait for acks as well.
        let with_wait = i128::from(self.free_here(id)) + i128::from(self.elsewhere(id));
        Some(AccountView {
            account: id.clone(),
            currency: head.currency,
            balance: account.free_everywhere(),
            spendable_here,
            spendable_with_wait: if home_reachable { with_wait } else { spendable_here },
            reserved: account.rows.values().map(Row::reserved).sum(),
            in_transfer: account.in_transfer(),
            held: account.rows.values().map(Row::held).sum(),
            debt: account.rows.values().map(Row::debt).sum(),
            home: head.home,
            excluded: self.is_excluded(id),
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
