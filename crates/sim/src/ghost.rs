//! Ghosts: what the true logs say, read once from each site's own disk as it commits; the yardstick for the
//! invariants. Never looks at what one site believes of another. Knows entries; knows no engine rules.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Site;
use engine::log::{Entry, Event, hash16, sum16};
use model::{AccountId, Hash16, MintedId, Posting, WagerRecord, WithdrawalState};

use crate::disk::Tables;
use crate::report::Breach;

/// What an account's row at one site must come to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) deposits: u64,
    pub(crate) stakes: u64,
    pub(crate) consumed: u64,
    pub(crate) paid: u64,
    /// Taken by operators, what became debt included.
    pub(crate) taken: u64,
    /// Set aside for withdrawals, confirmed, released.
    pub(crate) withdrawals: [u64; 3],
    pub(crate) sent: BTreeMap<Site, u64>,
}

/// The true history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ghost {
    read: BTreeMap<Site, u64>,
    /// Hash and running digest at every index.
    pub(crate) chain: BTreeMap<(Site, u64), (Hash16, Hash16)>,
    pub(crate) postings: BTreeMap<MintedId, Posting>,
    /// Wagers as their owner's log has them, settlements followed.
    pub(crate) wagers: BTreeMap<MintedId, WagerRecord>,
    pub(crate) sums: BTreeMap<(AccountId, Site), Sums>,
    pub(crate) accounts: BTreeSet<AccountId>,
    grants: BTreeSet<(Site, Site, AccountId, u64)>,
}

impl Ghost {
    /// Reads what a site has committed since the last look. Returns the wagers accepted in it.
    pub(crate) fn read(&mut self, site: Site, tables: &Tables) -> Result<Vec<WagerRecord>, Breach> {
        let mut accepted = Vec::new();
        let from = self.read.get(&site).copied().unwrap_or(0) + 1;
        for ((_, index), bytes) in tables.log.range((site, from)..=(site, u64::MAX)) {
            let entry = Entry::decode(bytes).map_err(|e| Breach::new("durable_ack", format!("own entry: {e}")))?;
            let (before, digest) = self.chain.get(&(site, index - 1)).copied().unwrap_or_default();
            if entry.seq != *index || entry.site != site || (entry.prev != before) {
                return Err(Breach::new("convergence", format!("entry {index} of {site} does not chain at its owner")));
            }
            let hash = hash16(bytes);
            self.chain.insert((site, *index), (hash, sum16(digest, hash)));
            self.read.insert(site, *index);
            for event in entry.events {
                self.event(site, event, &mut accepted)?;
            }
        }
        Ok(accepted)
    }

    /// How far a site's log has been read.
    pub(crate) fn length(&self, site: Site) -> u64 {
        self.read.get(&site).copied().unwrap_or(0)
    }

    fn sums(&mut self, account: &AccountId, site: Site) -> &mut Sums {
        self.sums.entry((account.clone(), site)).or_default()
    }

    fn posting(&mut self, site: Site, posting: &Posting) {
        let (sums, amount) = (self.sums(&posting.account, site), posting.amount.minor());
        match posting.adjustment() {
            Some(adjustment) if adjustment.taken => sums.taken += amount,
            None if posting.withdrawal().is_some() => {
                let prepared = posting.withdrawal().is_some_and(|w| w.state == WithdrawalState::Prepared);
                sums.withdrawals[0] += if prepared { amount } else { 0 };
            }
            _ => sums.deposits += amount,
        }
    }

    fn event(&mut self, site: Site, event: Event, accepted: &mut Vec<WagerRecord>) -> Result<(), Breach> {
        match event {
            Event::Account(account, _) => {
                if !self.accounts.insert(account.clone()) {
                    return Err(Breach::new("one_posting", format!("account {account} was opened twice")));
                }
            }
            Event::Row(..) | Event::Result(..) => {}
            Event::Posting(posting) => {
                if self.postings.insert(posting.id, posting.clone()).is_some() {
                    return Err(Breach::new("one_posting", format!("deposit {} was posted twice", posting.id)));
                }
                self.posting(site, &posting);
            }
            Event::Wager(shared) => {
                let record = WagerRecord::clone(&shared.0);
                if record.is_accepted() {
                    self.sums(&record.account, site).stakes += record.stake.minor();
                    accepted.push(record.clone());
                }
                let id = record.id;
                if self.wagers.insert(id, record).is_some() {
                    return Err(Breach::new("one_acceptance", format!("wager {id} was decided twice")));
                }
            }
            Event::Settled(settled) => {
                let Some(record) = self.wagers.get_mut(&settled.id) else {
                    return Err(Breach::new("conservation", format!("wager {} is settled and unknown", settled.id)));
                };
                let (first, before) = (record.settled_version == 0, record.paid.minor());
                let (account, stake) = (record.account.clone(), record.stake.minor());
                (record.state, record.settled_version) = (settled.state, settled.version);
                record.paid = model::Amount::from_minor(settled.paid).unwrap_or_default();
                let sums = self.sums(&account, site);
                sums.consumed += if first { stake } else { 0 };
                sums.paid = (sums.paid + settled.paid).saturating_sub(before);
            }
            Event::Resolved(resolved) => {
                let state = if resolved.confirmed { WithdrawalState::Confirmed } else { WithdrawalState::Released };
                let Some(posting) = self.postings.get_mut(&resolved.id) else {
                    return Err(Breach::new("one_posting", format!("withdrawal {} is unknown", resolved.id)));
                };
                if posting.withdrawal().map(|w| w.state) != Some(WithdrawalState::Prepared) {
                    return Err(Breach::new("one_posting", format!("withdrawal {} was resolved twice", resolved.id)));
                }
                *posting = posting.withdrawn(state);
                let (account, amount) = (posting.account.clone(), posting.amount.minor());
                let [_, confirmed, released] = &mut self.sums(&account, site).withdrawals;
                *(if resolved.confirmed { confirmed } else { released }) += amount;
            }
            Event::Grant(grant) => {
                *self.sums(&grant.account, site).sent.entry(grant.to).or_default() += grant.amount;
                let key = (site, grant.to, grant.account.clone(), grant.request);
                if grant.request > 0 && !self.grants.insert(key) {
                    let text = format!("{site} granted request {} of {} twice", grant.request, grant.to);
                    return Err(Breach::new("one_grant", text));
                }
            }
        }
        Ok(())
    }
}
