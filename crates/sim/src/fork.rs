//! A second history of a site: what a machine writes after its directory parted from the true one, because it is an old
//! copy, or because two processes run on copies of one directory. Says exactly what it may do until it is noticed.
//! Knows logs and answers; knows no network.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Site;
use engine::door::{Request, RequestId};
use engine::log::{Entry, Event};
use model::{AccountId, Answer, Currency, MintedId, WagerAnswer, WagerRecord, WithdrawalState};

use crate::disk::Tables;
use crate::ghost::Ghost;
use crate::invariants::quarantine;
use crate::oracle::Call;

/// What bounds a history that nobody else has a word of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Allowance {
    /// Greatest window in force of an account and of the region, minor units.
    pub(crate) per_account: u64,
    pub(crate) per_region: u64,
}

/// One such history.
#[derive(Clone, Debug)]
pub(crate) struct Fork {
    pub(crate) site: Site,
    /// The disk where the histories part.
    start: Tables,
    /// `None`: others may hear of it before anybody notices, and acknowledge it.
    alone: Option<Allowance>,
    read: u64,
    staked: BTreeMap<AccountId, u64>,
    staked_in: BTreeMap<Currency, u64>,
    decided: BTreeSet<MintedId>,
    /// What it had written when it was noticed: log and odds.
    pub(crate) noticed_at: Option<(u64, u64)>,
    asked: BTreeMap<RequestId, Call>,
    last_id: RequestId,
    /// Ids that the true history decided after the parting, decided here too.
    pub(crate) again: u64,
}

/// Ids of requests to such a machine: never those of the oracle.
const FIRST_ID: RequestId = 1 << 48;

impl Fork {
    pub(crate) fn new(site: Site, start: Tables, alone: Option<Allowance>) -> Self {
        let read = start.heads.get(&site).map_or(0, |h| h.index);
        Self {
            site,
            start,
            alone,
            read,
            staked: BTreeMap::new(),
            staked_in: BTreeMap::new(),
            decided: BTreeSet::new(),
            noticed_at: None,
            asked: BTreeMap::new(),
            last_id: FIRST_ID,
            again: 0,
        }
    }

    /// All stakes taken since the parting, minor units.
    pub(crate) fn staked(&self) -> u64 {
        self.staked.values().sum()
    }

    /// Notes a call that has reached the machine.
    pub(crate) fn ask(&mut self, call: &Call) -> RequestId {
        self.last_id += 1;
        self.asked.insert(self.last_id, call.clone());
        self.last_id
    }

    /// The process died: its calls will not be answered.
    pub(crate) fn forget(&mut self) {
        self.asked.clear();
    }

    /// After a group of the machine: what it wrote since the last one.
    pub(crate) fn after_group(&mut self, tables: &Tables, ghost: &Ghost) -> Result<(), String> {
        let site = self.site;
        quarantine::after_group(&mut self.noticed_at, tables, site)?;
        for ((_, index), bytes) in tables.log.range((site, self.read + 1)..=(site, u64::MAX)) {
            let entry = Entry::decode(bytes).map_err(|e| format!("own entry {index} of {site}: {e}"))?;
            self.read = *index;
            for event in &entry.events {
                self.event(event, tables, ghost)?;
            }
        }
        for ((account, _), row) in tables.rows.iter().filter(|((_, of), _)| *of == site) {
            if row.free() < 0 || row.reserved() < 0 || row.held() < 0 || row.debt() < 0 {
                return Err(format!("{account} at the second {site}: {row:?}"));
            }
        }
        self.within_allowance(tables)
    }

    fn within_allowance(&self, tables: &Tables) -> Result<(), String> {
        let Some(allowed) = self.alone else { return Ok(()) };
        let floor = |t: &Tables| t.meta.as_ref().map_or(0, |m| m.ack_floor);
        if self.noticed_at.is_none() && floor(tables) > floor(&self.start) {
            return Err(format!("others acknowledge {} of the second {}", floor(tables), self.site));
        }
        if let Some((account, sum)) = self.staked.iter().find(|(_, sum)| **sum > allowed.per_account) {
            return Err(format!("{sum} of {account} were staked again, its window is {}", allowed.per_account));
        }
        match self.staked_in.iter().find(|(_, sum)| **sum > allowed.per_region) {
            Some((currency, sum)) => {
                Err(format!("{sum} {currency} were staked again, the region's window is {}", allowed.per_region))
            }
            None => Ok(()),
        }
    }

    fn event(&mut self, event: &Event, tables: &Tables, ghost: &Ghost) -> Result<(), String> {
        let nobody = self.alone.is_some();
        match event {
            Event::Wager(record) => self.decides(&record.0, tables, ghost),
            Event::Posting(posting) => {
                let known = self.start.postings.contains_key(&posting.id);
                self.again += u64::from(ghost.postings.contains_key(&posting.id));
                self.once(posting.id, known)
            }
            Event::Resolved(resolved) => {
                let before = self.start.postings.get(&resolved.id);
                let ended = before.and_then(|p| p.withdrawal()).is_some_and(|w| w.state != WithdrawalState::Prepared);
                if ended { Err(format!("withdrawal {} was ended before the copy", resolved.id)) } else { Ok(()) }
            }
            Event::Cancelled(cancelled) => {
                let known = self.start.wagers.contains_key(&cancelled.id);
                self.once(cancelled.id, known)
            }
            Event::Account(account, _) if self.start.accounts.contains_key(account) => {
                Err(format!("account {account} was opened before the copy"))
            }
            Event::Grant(_) | Event::Fenced(_) | Event::Home(..) if nobody => {
                Err(format!("nobody was linked with, and yet: {event:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Only what followed the parting is decided, and once.
    fn once(&mut self, id: MintedId, known: bool) -> Result<(), String> {
        let given = self.start.handed.contains_key(&(id, self.site));
        if known || given || !self.decided.insert(id) {
            return Err(format!("{id} was decided, closed or given away in what the second {} knows", self.site));
        }
        Ok(())
    }

    fn decides(&mut self, record: &WagerRecord, tables: &Tables, ghost: &Ghost) -> Result<(), String> {
        let known = self.start.wagers.contains_key(&record.id);
        self.once(record.id, known)?;
        let handed = || tables.handed.iter().any(|((of, _), h)| *of == record.id && h.to == Some(self.site));
        if record.id.region() != self.site.region && !handed() {
            return Err(format!("wager {} is not {}'s to decide", record.id, self.site));
        }
        self.again += u64::from(ghost.wagers.contains_key(&record.id));
        // A prepared wager counts for nobody before others hold its entry, and nobody is there.
        if record.is_accepted() && !record.is_prepared() {
            let stake = record.stake.minor();
            *self.staked.entry(record.account.clone()).or_default() += stake;
            *self.staked_in.entry(record.currency).or_default() += stake;
        }
        Ok(())
    }

    /// Hears an answer of the machine: what it had decided before the parting stays; in quarantine it does nothing.
    pub(crate) fn answered(&mut self, id: RequestId, answer: &Answer, tables: &Tables) -> Result<(), String> {
        let call = self.asked.remove(&id).ok_or_else(|| format!("request {id} was answered twice"))?;
        let acts = !matches!(call.request, Request::Query(_));
        if acts && self.noticed_at.is_some() && !refused(answer) {
            return Err(format!("{} is in quarantine and answers {answer:?}", self.site));
        }
        let Answer::Placed(answers) = answer else { return Ok(()) };
        for record in answers.iter().filter_map(decided) {
            let stored = tables.wagers.get(&record.id).is_some_and(|w| w.decision == record.decision);
            let before = self.start.wagers.get(&record.id).is_none_or(|w| w.decision == record.decision);
            if !stored || !before {
                return Err(format!("wager {} is not what {} has stored of it", record.id, self.site));
            }
        }
        Ok(())
    }
}

fn decided(answer: &WagerAnswer) -> Option<&WagerRecord> {
    match answer {
        WagerAnswer::Decided { record, .. } | WagerAnswer::AwaitingAck { record, .. } => Some(record),
        WagerAnswer::Refused(_) | WagerAnswer::Ticket(_) | WagerAnswer::Delayed(_) => None,
    }
}

/// Nothing was done: what waited when quarantine began may be refused for what it waited for.
fn refused(answer: &Answer) -> bool {
    match answer {
        Answer::Refused(_) => true,
        Answer::Placed(answers) => answers.iter().all(|a| matches!(a, WagerAnswer::Refused(_))),
        _ => false,
    }
}
