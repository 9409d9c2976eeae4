//! What this site has spent and been credited with beyond the ack floor, and how much more it may spend (ESCROW.md
//! 2.4, S2 and S3; DESIGN.md 3, S4). Money that no other region knows of may be lost with this one: the windows bound
//! it. Knows sums and limits; knows no wagers, no peers and no waiting clients.

use std::collections::{BTreeMap, VecDeque};

use minicbor::{Decode, Encode};
use model::limits::UNACKED_MAX;
use model::{AccountId, Currency};

use crate::planted::Planted;

/// The windows of one currency. A currency without an entry, or a window that is not stated, is unlimited: then only
/// S1 and S3 bind, and whoever reclaims this site's rights withholds all of them (ESCROW.md 2.4, `E = ∞`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct Exposure {
    /// The currency: no window is ever used for another one.
    #[n(0)]
    pub currency: Currency,
    /// Greatest sum of one account's stakes that no other region knows of, minor units (S2).
    #[n(1)]
    pub per_account: Option<u64>,
    /// Greatest such sum of all accounts together, minor units (S4).
    #[n(2)]
    pub per_region: Option<u64>,
}

/// The windows as this site's log says from one entry on; whole, never a difference.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Announced {
    /// The entry that says so.
    #[n(0)]
    pub index: u64,
    /// The windows; those of currencies not named are unlimited.
    #[n(1)]
    pub exposures: Vec<Exposure>,
}

/// One account's sums beyond the ack floor, minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Unacked {
    /// Stakes. A clawback is no part of it: it is no client's act, an heir computes it again by itself, and it is
    /// never refused. It counts in S3 because it lowers what is free.
    pub debit: u64,
    /// Own credits: deposits, releases, gross payouts. Rights received are none: they stand in the giver's log.
    pub credit: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Item {
    index: u64,
    account: AccountId,
    currency: Currency,
    sums: Unacked,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Limits {
    per_account: u64,
    per_region: u64,
}

impl Limits {
    const NONE: Self = Self { per_account: u64::MAX, per_region: u64::MAX };
}

/// The queue of everything unacknowledged, the regional sums, and the limits in force. The accounts' own sums stand
/// in the accounts, where a wager has been looked up already.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Window {
    queue: VecDeque<Item>,
    /// What came when the queue was full: per account one sum, at the newest index that added to it, so that it counts
    /// as unacknowledged longer than it is, never shorter.
    merged: BTreeMap<(u64, AccountId), (Currency, Unacked)>,
    /// Where an account's sum stands in it.
    merged_at: BTreeMap<AccountId, u64>,
    debits: BTreeMap<Currency, u64>,
    /// The newest acknowledged announcement, if any, and all later ones, in order.
    announced: Vec<Announced>,
    in_force: BTreeMap<Currency, Limits>,
    /// The ack floor up to which everything has been taken out.
    floor: u64,
}

impl Window {
    /// Notes a debit or credit of the entry at `index`, which is above the floor.
    pub(super) fn push(&mut self, index: u64, account: &AccountId, currency: Currency, sums: Unacked) {
        if sums.debit > 0 {
            let debits = self.debits.entry(currency).or_default();
            *debits = debits.saturating_add(sums.debit);
        }
        if !self.is_full() {
            return self.queue.push_back(Item { index, account: account.clone(), currency, sums });
        }
        let before =
            self.merged_at.insert(account.clone(), index).and_then(|at| self.merged.remove(&(at, account.clone())));
        let before = before.map_or(Unacked::default(), |(_, before)| before);
        let debit = before.debit.saturating_add(sums.debit);
        let credit = before.credit.saturating_add(sums.credit);
        self.merged.insert((index, account.clone()), (currency, Unacked { debit, credit }));
    }

    /// Whether as much waits for an ack as is kept one by one. Nothing is staked then, for a region that is cut off for
    /// long without windows would grow without bound; what is owed to players (deposits, payouts, releases) is still
    /// taken, for it cannot be refused without loss.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= UNACKED_MAX
    }

    /// The ack floor that these sums hold for.
    #[must_use]
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// Everything up to `floor` has been taken out.
    pub(super) const fn reached(&mut self, floor: u64) {
        self.floor = floor;
    }

    /// Forgets all sums; the limits stay.
    pub(super) fn clear(&mut self, floor: u64) {
        self.queue.clear();
        self.merged.clear();
        self.merged_at.clear();
        self.debits.clear();
        self.floor = floor;
    }

    /// Takes out what the next entry up to `floor` brought; `None` when nothing up to it is left.
    pub(super) fn pop(&mut self, floor: u64) -> Option<(AccountId, Unacked)> {
        let item = self.queue.pop_front_if(|item| item.index <= floor).or_else(|| self.pop_merged(floor))?;
        if item.sums.debit > 0
            && let Some(debits) = self.debits.get_mut(&item.currency)
        {
            *debits = debits.saturating_sub(item.sums.debit);
            if *debits == 0 {
                self.debits.remove(&item.currency);
            }
        }
        Some((item.account, item.sums))
    }

    fn pop_merged(&mut self, floor: u64) -> Option<Item> {
        let first = self.merged.first_entry().filter(|e| e.key().0 <= floor)?;
        let ((index, account), (currency, sums)) = first.remove_entry();
        self.merged_at.remove(&account);
        Some(Item { index, account, currency, sums })
    }

    /// What S1 to S4 together leave of `free`, minor units; nothing while the queue is full.
    pub(super) fn room(&self, currency: Currency, free: u64, unacked: Unacked, planted: Planted) -> u64 {
        if self.is_full() {
            return 0;
        }
        let limits = self.in_force.get(&currency).copied().unwrap_or(Limits::NONE);
        let region = self.debits.get(&currency).copied().unwrap_or(0);
        let bound = |dropped: Planted, left: u64| if planted == dropped { u64::MAX } else { left };
        replicated(free, unacked, planted)
            .min(bound(Planted::DropS2, limits.per_account.saturating_sub(unacked.debit)))
            .min(bound(Planted::DropS4, limits.per_region.saturating_sub(region)))
    }

    /// Whether a stake is above a window as such: it could never be taken within it, however much is acknowledged.
    pub(super) fn is_beyond(&self, currency: Currency, stake: u64, planted: Planted) -> bool {
        let limits = self.in_force.get(&currency).copied().unwrap_or(Limits::NONE);
        (stake > limits.per_account && planted != Planted::DropS2)
            || (stake > limits.per_region && planted != Planted::DropS4)
    }

    /// What S2 and S4 each leave on their own, minor units; `None` where a window is not limited.
    pub(super) fn left(&self, currency: Currency, unacked: Unacked) -> (Option<u64>, Option<u64>) {
        let Some(limits) = self.in_force.get(&currency) else { return (None, None) };
        let region = self.debits.get(&currency).copied().unwrap_or(0);
        let left = |limit: u64, used: u64| (limit != u64::MAX).then(|| limit.saturating_sub(used));
        (left(limits.per_account, unacked.debit), left(limits.per_region, region))
    }

    /// The windows last written into the log.
    #[must_use]
    pub fn announced(&self) -> &[Announced] {
        &self.announced
    }

    /// The windows that the newest announcement states.
    #[must_use]
    pub fn newest(&self) -> &[Exposure] {
        self.announced.last().map_or(&[], |a| a.exposures.as_slice())
    }

    /// Takes an announcement over, and with it the limits in force.
    pub(super) fn announce(&mut self, announced: Announced, floor: u64) {
        self.announced.push(announced);
        self.settle_limits(floor);
    }

    pub(super) fn restore(&mut self, announced: Vec<Announced>) {
        self.announced = announced;
    }

    /// A lowered window is in force at once, a raised one once its entry is acknowledged: what is in force is the
    /// least of the newest acknowledged announcement and all later ones.
    pub(super) fn settle_limits(&mut self, floor: u64) {
        let acked = self.announced.iter().filter(|a| a.index <= floor).count();
        self.announced.drain(..acked.saturating_sub(1));
        self.in_force.clear();
        for exposure in self.announced.iter().flat_map(|a| &a.exposures) {
            let limits = self.in_force.entry(exposure.currency).or_insert(Limits::NONE);
            limits.per_account = limits.per_account.min(exposure.per_account.unwrap_or(u64::MAX));
            limits.per_region = limits.per_region.min(exposure.per_region.unwrap_or(u64::MAX));
        }
    }

    /// Whether an announcement waits for its ack.
    pub(super) fn is_changing(&self) -> bool {
        self.announced.len() > 1
    }

    /// Debits and credits that wait for an ack; what is kept as one sum counts once.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + self.merged.len()
    }

    /// Whether everything is acknowledged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.merged.is_empty()
    }
}

/// What S1 and S3 leave of `free`, minor units: all that a debit exempt from the windows may take.
pub(super) fn replicated(free: u64, unacked: Unacked, planted: Planted) -> u64 {
    if planted == Planted::DropS3 { free } else { free.saturating_sub(unacked.credit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_acks_is_bounded_and_nothing_of_it_is_lost() {
        let (p, q) = (AccountId::new("p@eu-west").unwrap(), AccountId::new("q@eu-west").unwrap());
        let gbp = Currency::new("GBP").unwrap();
        let (stake, credit) = (Unacked { debit: 1, credit: 0 }, Unacked { debit: 0, credit: 1 });
        let mut window = Window::default();
        let max = u64::try_from(UNACKED_MAX).unwrap();
        let room = |w: &Window| w.room(gbp, 100, Unacked::default(), Planted::Nothing);
        for index in 1..=max {
            assert_eq!(room(&window), 100, "no window is stated: it binds nothing");
            window.push(index, &p, gbp, stake);
        }
        assert_eq!(room(&window), 0, "nothing more is staked");
        for index in max + 1..=max + 500 {
            window.push(index, &p, gbp, credit);
            window.push(index, &q, gbp, credit);
        }
        assert_eq!(window.len(), UNACKED_MAX + 2, "what cannot be refused is kept as one sum an account");
        assert_eq!(window.pop(1), Some((p.clone(), stake)));
        assert_eq!(room(&window), 100, "one ack makes room again");
        window.push(max + 501, &q, gbp, stake);
        let mut sums: BTreeMap<AccountId, Unacked> = BTreeMap::new();
        let floor = max + 499;
        while let Some((account, popped)) = window.pop(floor) {
            let sum = sums.entry(account).or_default();
            (sum.debit, sum.credit) = (sum.debit + popped.debit, sum.credit + popped.credit);
        }
        assert_eq!(
            sums.get(&p),
            Some(&Unacked { debit: max - 1, credit: 0 }),
            "a sum counts until its newest part is acked"
        );
        assert!(!sums.contains_key(&q));
        while let Some((account, popped)) = window.pop(u64::MAX) {
            let sum = sums.entry(account).or_default();
            (sum.debit, sum.credit) = (sum.debit + popped.debit, sum.credit + popped.credit);
        }
        assert_eq!(sums.get(&p), Some(&Unacked { debit: max - 1, credit: 500 }));
        assert_eq!(sums.get(&q), Some(&Unacked { debit: 1, credit: 500 }));
        assert!(window.is_empty() && window.debits.is_empty());
    }
}
