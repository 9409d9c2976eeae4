//! Ghosts: what the true logs say, read once from each site's own disk as it commits; the yardstick for the
//! invariants. Never looks at what one site believes of another. Knows entries; knows no engine rules.

use std::collections::{BTreeMap, BTreeSet};

use crdt::{Row, Site};
use engine::log::{CashedOut, Entry, Event, Settled, hash16, sum16};
use model::{
    AccountId, Amount, CashOut, Currency, Hash16, MintedId, Posting, Reference, ReferenceDecision, Step, StepKind,
    WagerRecord, WithdrawalState,
};

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
    /// How far each had been read before the last look.
    looked: BTreeMap<Site, u64>,
    /// Each site's ack floor as stored with its last two groups.
    floors: BTreeMap<Site, (u64, u64)>,
    /// Hash and running digest at every index.
    pub(crate) chain: BTreeMap<(Site, u64), (Hash16, Hash16)>,
    pub(crate) postings: BTreeMap<MintedId, Posting>,
    /// Sessions by the logs together: whether opened, whether ended.
    pub(crate) sessions: BTreeMap<MintedId, (bool, bool)>,
    /// Payment references as the log that decided them has them.
    pub(crate) references: BTreeMap<Reference, ReferenceDecision>,
    /// Payment references that were taken in, in whichever log.
    pub(crate) received: BTreeSet<(Reference, Site)>,
    /// Wagers as their owner's log has them, settlements followed.
    pub(crate) wagers: BTreeMap<MintedId, WagerRecord>,
    pub(crate) sums: BTreeMap<(AccountId, Site), Sums>,
    pub(crate) accounts: BTreeSet<AccountId>,
    /// What each site did with a wager id instead of deciding it: to whom it went, `None` for a tombstone.
    pub(crate) handed: BTreeMap<(MintedId, Site), Option<Site>>,
    grants: BTreeSet<(Site, Site, AccountId, u64)>,
    /// Who made each move of a home: a number is used once in the world.
    pub(crate) homes: BTreeMap<(AccountId, u64), Site>,
    /// Rows at their owners by index, from the newest at or below the floor on.
    pub(crate) rows: BTreeMap<(Site, AccountId), BTreeMap<u64, Row>>,
    /// A site's stakes in all accounts of a currency by index.
    pub(crate) stakes: BTreeMap<(Site, Currency), BTreeMap<u64, u64>>,
    /// A site's prepared stakes in an account by index, in all up to there: no debits of the windows.
    pub(crate) prepared: BTreeMap<(Site, AccountId), BTreeMap<u64, u64>>,
    /// How far each log has ever been durable at another site.
    pub(crate) elsewhere: BTreeMap<Site, u64>,
    currencies: BTreeMap<AccountId, Currency>,
    /// Cash-outs, and cancels of accepted wagers.
    pub(crate) cashed_out: u64,
    pub(crate) revoked: u64,
}

impl Ghost {
    /// Reads what a site has committed since the last look. Returns the wagers accepted in it.
    pub(crate) fn read(&mut self, site: Site, tables: &Tables) -> Result<Vec<WagerRecord>, Breach> {
        let mut accepted = Vec::new();
        let from = self.read.get(&site).copied().unwrap_or(0) + 1;
        self.looked.insert(site, from - 1);
        let floors = self.floors.entry(site).or_default();
        *floors = (floors.1, tables.meta.as_ref().map_or(0, |m| m.ack_floor));
        for (of, head) in tables.heads.iter().filter(|(of, _)| **of != site) {
            let held = self.elsewhere.entry(*of).or_default();
            *held = (*held).max(head.index);
        }
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
                if let Event::Wager(record) = &event {
                    may_decide(site, record.0.id, tables)?;
                }
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

    /// How far a site's log had been read before the last look at it.
    pub(crate) fn looked(&self, site: Site) -> u64 {
        self.looked.get(&site).copied().unwrap_or(0)
    }

    /// The floor that a site's last group was judged by. It may fall within a group, after something was spent, when an
    /// acker says `Hello` with less than it held.
    pub(crate) fn floor(&self, site: Site) -> u64 {
        self.floors.get(&site).map_or(0, |(before, now)| *before.max(now))
    }

    /// Prepared stakes of a site in an account in the entries after one index up to another.
    pub(crate) fn prepared_since(&self, site: Site, account: &AccountId, after: u64, upto: u64) -> u64 {
        let Some(sums) = self.prepared.get(&(site, account.clone())) else { return 0 };
        let sum = |index: u64| sums.range(..=index).next_back().map_or(0, |(_, sum)| *sum);
        sum(upto) - sum(after.min(upto))
    }

    /// A site confirms only what has been durable elsewhere.
    fn confirmed(&self, site: Site, upto: u64) -> Result<(), Breach> {
        let held = self.elsewhere.get(&site).copied().unwrap_or(0);
        if upto <= held {
            return Ok(());
        }
        let text = format!("{site} confirms its log up to {upto}, elsewhere it was held up to {held}");
        Err(Breach::new("durable_ack", text))
    }

    fn note_prepared(&mut self, site: Site, record: &WagerRecord) {
        let index = self.read.get(&site).copied().unwrap_or(0);
        let sums = self.prepared.entry((site, record.account.clone())).or_default();
        let before = sums.last_key_value().map_or(0, |(_, sum)| *sum);
        sums.insert(index, before + record.stake.minor());
    }

    fn note_row(&mut self, site: Site, account: AccountId, row: Row) {
        let index = self.read.get(&site).copied().unwrap_or(0);
        let currency = self.currencies.get(&account).copied();
        let rows = self.rows.entry((site, account.clone())).or_default();
        let (before, after) = (rows.last_key_value().map_or(0, |(_, r)| r.stk), row.stk);
        rows.insert(index, row);
        let prepared = self.prepared_since(site, &account, index - 1, index);
        let staked = (after - before).saturating_sub(prepared);
        // A site has the opening of an account before it takes a stake of it, and so has this reader.
        let Some(currency) = currency.filter(|_| staked > 0) else { return };
        let stakes = self.stakes.entry((site, currency)).or_default();
        let before = stakes.last_key_value().map_or(0, |(_, sum)| *sum);
        stakes.insert(index, before + staked);
    }

    /// A site gives an id away or closes it once, and only while it is undecided there.
    fn hand(&mut self, site: Site, id: MintedId, to: Option<Site>) -> Result<(), Breach> {
        let decided = self.wagers.get(&id).is_some_and(|w| w.owner == site || to.is_none());
        if decided || self.handed.insert((id, site), to).is_some() {
            let text = format!("wager {id} was no longer at {site} to go to {to:?}");
            return Err(Breach::new("one_acceptance", text));
        }
        Ok(())
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

    /// A payment reference is decided once in the world, whichever log says so.
    fn referenced(&mut self, decision: ReferenceDecision) -> Result<(), Breach> {
        let (reference, site) = (decision.received.reference.clone(), decision.site);
        if let Some(before) = self.references.insert(reference.clone(), decision) {
            let text = format!("payment {reference} was decided by {} and again by {site}", before.site);
            return Err(Breach::new("one_posting", text));
        }
        Ok(())
    }

    /// Withdrawals that have come to their end.
    pub(crate) fn resolved_count(&self) -> u64 {
        let ended = |p: &&Posting| {
            p.withdrawal().is_some_and(|w| matches!(w.state, WithdrawalState::Confirmed | WithdrawalState::Released))
        };
        self.postings.values().filter(ended).count() as u64
    }

    /// A withdrawal leaves or comes back once.
    fn resolved(&mut self, site: Site, id: MintedId, confirmed: bool) -> Result<(), Breach> {
        let state = if confirmed { WithdrawalState::Confirmed } else { WithdrawalState::Released };
        let Some(posting) = self.postings.get_mut(&id) else {
            return Err(Breach::new("one_posting", format!("withdrawal {id} is unknown")));
        };
        if posting.withdrawal().map(|w| w.state) != Some(WithdrawalState::Prepared) {
            return Err(Breach::new("one_posting", format!("withdrawal {id} was resolved twice")));
        }
        *posting = posting.withdrawn(state);
        let (account, amount) = (posting.account.clone(), posting.amount.minor());
        let [_, left, released] = &mut self.sums(&account, site).withdrawals;
        *(if confirmed { left } else { released }) += amount;
        Ok(())
    }

    fn decided(&mut self, site: Site, record: &WagerRecord, accepted: &mut Vec<WagerRecord>) -> Result<(), Breach> {
        if record.is_accepted() {
            self.sums(&record.account, site).stakes += record.stake.minor();
            if record.is_prepared() {
                self.note_prepared(site, record);
            }
            accepted.push(record.clone());
        }
        let id = record.id;
        if self.handed.contains_key(&(id, site)) {
            let text = format!("wager {id} was decided by {site}, which had given it away");
            return Err(Breach::new("one_acceptance", text));
        }
        if self.wagers.insert(id, record.clone()).is_some() {
            return Err(Breach::new("one_acceptance", format!("wager {id} was decided twice")));
        }
        Ok(())
    }

    /// A step of a wager's money: a settlement consumes all of the stake, another what its entry says.
    fn stepped(&mut self, site: Site, settled: &Settled, what: StepKind, burned: Option<Amount>) -> Result<(), Breach> {
        let Some(record) = self.wagers.get_mut(&settled.id) else {
            return Err(Breach::new("conservation", format!("wager {} is settled and unknown", settled.id)));
        };
        let (before, consumed) = (record.paid.minor(), record.burned().minor());
        let paid = Amount::from_minor(settled.paid).unwrap_or_default();
        let step = Step { version: settled.version, at: crdt::Hlc::default(), state: settled.state, paid, what };
        let past_posted = settled.past_posted.clone().unwrap_or_default();
        *record = record.after(step, burned.unwrap_or(record.stake), past_posted);
        let (account, burned) = (record.account.clone(), record.burned().minor());
        let sums = self.sums(&account, site);
        sums.consumed += burned - consumed;
        sums.paid = (sums.paid + settled.paid).saturating_sub(before);
        Ok(())
    }

    /// A cash-out is decided once in the world, by its wager's owner, and takes no more than was in play.
    fn cashed(&mut self, site: Site, cashed: &CashedOut) -> Result<(), Breach> {
        let posting = &cashed.posting;
        let known = self.postings.insert(posting.id, posting.clone()).is_some();
        let Some(of) = posting.cash_out().filter(|_| !known) else {
            return Err(Breach::new("one_posting", format!("cash-out {} was posted twice, or of nothing", posting.id)));
        };
        let id = posting.id;
        let what = StepKind::CashedOut(CashOut { id, stake: of.stake, pays: posting.amount });
        self.stepped(site, &cashed.settled, what, Some(cashed.burned))?;
        let wager = self.wagers.get(&of.wager);
        let taken = wager.map_or(u64::MAX, |w| w.cash_outs().iter().map(|c| c.stake.minor()).sum());
        if wager.is_none_or(|w| w.owner != site || w.account != posting.account || taken > w.stake.minor()) {
            return Err(Breach::new("conservation", format!("cash-out {id} takes what is not in play")));
        }
        self.cashed_out += 1;
        Ok(())
    }

    fn event(&mut self, site: Site, event: Event, accepted: &mut Vec<WagerRecord>) -> Result<(), Breach> {
        match event {
            Event::Account(account, head) => {
                self.currencies.insert(account.clone(), head.currency);
                if !self.accounts.insert(account.clone()) {
                    return Err(Breach::new("one_posting", format!("account {account} was opened twice")));
                }
            }
            Event::Home(account, head) => {
                if let Some(other) = self.homes.insert((account.clone(), head.epoch()), site) {
                    let text = format!("{other} and {site} both moved the home of {account} as move {}", head.epoch());
                    return Err(Breach::new("one_home", text));
                }
            }
            Event::Row(account, row) => self.note_row(site, account, row),
            Event::Result(..) | Event::Windows(..) | Event::Excluded(..) => {}
            Event::Confirmed(upto) => self.confirmed(site, upto)?,
            Event::Fenced(fenced) => self.hand(site, fenced.id, Some(fenced.to))?,
            Event::Cancelled(cancelled) => self.hand(site, cancelled.id, None)?,
            Event::Posting(posting) => {
                if self.postings.insert(posting.id, posting.clone()).is_some() {
                    return Err(Breach::new("one_posting", format!("deposit {} was posted twice", posting.id)));
                }
                self.posting(site, &posting);
            }
            Event::Wager(shared) => self.decided(site, &shared.0, accepted)?,
            Event::Settled(settled) => self.stepped(site, &settled, StepKind::Settled, None)?,
            Event::CashedOut(cashed) => self.cashed(site, &cashed)?,
            Event::Revoked(revoked) => {
                self.revoked += 1;
                self.stepped(site, &revoked.settled, StepKind::Cancelled(revoked.cancelled), Some(revoked.burned))?;
            }
            Event::Session(session) => self.sessions.entry(session.id).or_default().0 = true,
            Event::SessionEnded(ended) => self.sessions.entry(ended.id).or_default().1 = true,
            Event::Received(received) => drop(self.received.insert((received.reference, site))),
            Event::Referenced(decision) => self.referenced(decision)?,
            Event::Resolved(resolved) => self.resolved(site, resolved.id, resolved.confirmed)?,
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

/// A site decides ids of its own stamp; others only with the hand-over in its own durable prefix, never from a reply.
fn may_decide(site: Site, id: MintedId, tables: &Tables) -> Result<(), Breach> {
    let handed = || tables.handed.iter().any(|((of, _), h)| *of == id && h.to == Some(site));
    if id.region() == site.region || handed() {
        return Ok(());
    }
    Err(Breach::new("one_acceptance", format!("wager {id} was decided by {site} without a hand-over in its prefix")))
}
