//! Placing wagers from the outside in: admission, the ledger's verdict, and waiting for rights from another site.
//! A short wager is judged again from scratch whenever rights arrive; nothing is held while it waits.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Site;
use model::limits::{ASK_AGAIN_MS, PARKED_MAX, WAGER_HORIZON_MS};
use model::{AccountId, Answer, Refusal, Text, WagerAnswer, WagerRequest};

use crate::admission::{body_of, malformed};
use crate::door::{Lane, RequestId};
use crate::engine::Engine;
use crate::ledger::{Granting, Judged, Standing};
use crate::log::Cause;
use crate::planted::Planted;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{Acquire, Acquired, PeerMessage, Purpose};

/// Debts asked for at a time.
const DEBTS_ASKED_MAX: usize = 100;

/// A place command with items that wait for rights.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Job {
    items: Vec<WagerRequest>,
    answers: Vec<Option<WagerAnswer>>,
    open: usize,
    deadline_ms: u64,
}

/// An account that wagers wait for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Wanted {
    items: BTreeSet<(RequestId, usize)>,
    asked: Option<Asked>,
    /// Regions that had nothing more to give while these items have waited.
    refused: BTreeSet<u16>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked {
    region: u16,
    message: Acquire,
    sent_ms: u64,
    /// The giver has answered as of this index of its log: nothing is concluded before our prefix holds it.
    answered: Option<(Site, u64, bool)>,
}

/// Everything that waits for rights.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Placing {
    jobs: BTreeMap<RequestId, Job>,
    wanted: BTreeMap<AccountId, Wanted>,
    /// Answers whose index our prefix has not reached yet.
    cuts: BTreeMap<(Site, u64), BTreeSet<AccountId>>,
    /// Accounts with wagers that wait for acks.
    pub(crate) windowed: BTreeSet<AccountId>,
    /// Requests of other sites that credits booked here will meet once other regions know of them.
    pub(crate) deferred: BTreeMap<(Site, AccountId), Acquire>,
    /// When the homes of debtors were asked last, steady ms.
    debts_asked_ms: Option<u64>,
}

impl Placing {
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.wanted.is_empty() && self.cuts.is_empty() && self.deferred.is_empty()
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let jobs = self.jobs.values().map(|j| j.deadline_ms);
        let waiting = self.wanted.values().filter_map(|w| w.asked.as_ref()).filter(|a| a.answered.is_none());
        jobs.chain(waiting.map(|a| a.sent_ms + ASK_AGAIN_MS)).min()
    }

    /// Whether wagers wait here for rights of an account.
    pub(crate) fn waits_for(&self, account: &AccountId) -> bool {
        self.wanted.contains_key(account)
    }

    /// What waits is answered at the next tick: no rights will come.
    pub(crate) fn give_up(&mut self) {
        self.jobs.values_mut().for_each(|job| job.deadline_ms = 0);
    }

    /// When homes may be asked for debts again, steady ms.
    pub(crate) fn debts_due_ms(&self) -> u64 {
        self.debts_asked_ms.map_or(0, |t| t + ASK_AGAIN_MS)
    }
}

/// What one look at a wager came to.
pub(crate) enum Look {
    Answered(WagerAnswer),
    /// Short of rights here.
    Short {
        missing: u64,
    },
    /// Short only of an exposure window, or of credits that others know of.
    Window,
    /// Another region may decide it, as far as is known here.
    Elsewhere {
        region: u16,
    },
}

impl Engine {
    pub(crate) fn place<V: View>(&mut self, tx: &mut Tx<'_, V>, id: RequestId, items: Vec<WagerRequest>, wait_ms: u64) {
        let mut answers: Vec<Option<WagerAnswer>> = Vec::with_capacity(items.len());
        let mut short = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match self.look(tx, item, false) {
                Look::Answered(answer) => {
                    let may_wait = wait_ms > 0 && self.placing.jobs.len() < PARKED_MAX;
                    let waits = may_wait
                        && (self.awaits_ack(&answer, (id, index))
                            || self.awaits_delay(item.id, &answer, (id, index), wait_ms));
                    if waits {
                        answers.push(None);
                        short.push(index);
                    } else {
                        answers.push(Some(answer));
                    }
                }
                Look::Elsewhere { region } => {
                    let may_wait = wait_ms > 0 && self.placing.jobs.len() < PARKED_MAX;
                    let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
                    if may_wait && self.ask_for_id(tx, region, item, (id, index), deadline_ms) {
                        answers.push(None);
                        short.push(index);
                    } else {
                        answers.push(Some(self.elsewhere_answer(tx, item, region, false)));
                    }
                }
                Look::Short { missing } => {
                    let may_wait = wait_ms > 0 && self.placing.jobs.len() < PARKED_MAX;
                    if may_wait && self.want(tx, &item.account, missing, (id, index)) {
                        answers.push(None);
                        short.push(index);
                    } else {
                        answers.push(Some(self.short_answer(item)));
                    }
                }
                Look::Window => {
                    let may_wait = wait_ms > 0 && self.placing.jobs.len() < PARKED_MAX && self.acks_come();
                    if may_wait {
                        self.await_window(&item.account, (id, index));
                        answers.push(None);
                        short.push(index);
                    } else {
                        answers.push(Some(self.window_answer(item)));
                    }
                }
            }
        }
        if short.is_empty() {
            return reply(tx, id, answers);
        }
        let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
        self.placing.jobs.insert(id, Job { items, answers, open: short.len(), deadline_ms });
    }

    /// One look at a wager: decided before, refused, decided now, or short of rights.
    fn look<V: View>(&mut self, tx: &mut Tx<'_, V>, item: &WagerRequest, final_cut: bool) -> Look {
        if self.planted != Planted::NotSticky
            && let Some(record) = tx.wager(item.id)
        {
            self.stats.wagers_replayed += 1;
            return Look::Answered(if record.body == body_of(item) {
                self.wager_answer(record, true)
            } else {
                WagerAnswer::Refused(Refusal::IdReused)
            });
        }
        if let Some(refusal) = self.not_ready() {
            // It waited for rights when quarantine began.
            return Look::Answered(WagerAnswer::Refused(refusal));
        }
        if tx.posting(item.id).is_some() {
            return Look::Answered(WagerAnswer::Refused(Refusal::IdReused));
        }
        if let Some(answer) = self.ticket_answer(item).or_else(|| self.delayed_answer(item)) {
            return Look::Answered(answer);
        }
        match self.standing(item.id) {
            Standing::Mine => {}
            Standing::Away(region) => return Look::Elsewhere { region },
            Standing::Closed(..) => return Look::Answered(WagerAnswer::Refused(Refusal::IdClosed)),
        }
        if let Err(refusal) = self.check_time(item.id, WAGER_HORIZON_MS) {
            self.stats.wagers_undecided += 1;
            return Look::Answered(WagerAnswer::Refused(refusal));
        }
        self.judge(tx, item, final_cut, None)
    }

    /// Sees a wager against the odds and the money of this moment. `asked_ms`: it was taken in then and has waited for its
    /// markets' delay.
    pub(crate) fn judge<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        item: &WagerRequest,
        final_cut: bool,
        asked_ms: Option<u64>,
    ) -> Look {
        let mut admitted = match self.admit(tx.now, item) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.stats.wagers_undecided += 1;
                return Look::Answered(WagerAnswer::Refused(refusal));
            }
        };
        if asked_ms.is_some() {
            (admitted.delay_ms, admitted.asked_ms) = (0, asked_ms);
        }
        let at = self.time.stamp();
        match self.ledger.place(tx, at, admitted, final_cut) {
            Judged::Delay(admitted) => Look::Answered(self.delay(tx, item, &admitted)),
            Judged::Decided(record) => {
                if record.is_accepted() {
                    self.stats.wagers_accepted += 1;
                } else {
                    self.stats.wagers_rejected += 1;
                }
                if tx.is_full() {
                    self.seal(tx);
                }
                Look::Answered(self.wager_answer(record, false))
            }
            Judged::Full => Look::Answered(WagerAnswer::Refused(malformed(
                "account",
                "has taken more than can be counted; open another account",
            ))),
            Judged::Short { missing } => Look::Short { missing },
            Judged::Window => {
                self.stats.windows_bound += 1;
                Look::Window
            }
        }
    }

    /// Only for a planted bug: judges a wager that nobody waits for.
    pub(crate) fn place_unasked<V: View>(&mut self, tx: &mut Tx<'_, V>, item: &WagerRequest) {
        self.look(tx, item, false);
    }

    pub(crate) fn away_answer(&mut self, region: u16) -> WagerAnswer {
        self.stats.wagers_undecided += 1;
        WagerAnswer::Refused(self.away(region))
    }

    /// What was asked about an item's id is now known: it is judged again, from scratch, unless `told` settles it.
    pub(crate) fn item_standing<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        (id, index): (RequestId, usize),
        told: Option<Refusal>,
    ) {
        let Some(job) = self.placing.jobs.get(&id) else { return };
        let open = job.answers.get(index).is_some_and(Option::is_none);
        let Some(item) = job.items.get(index).filter(|_| open).cloned() else { return };
        tx.by = Cause::Client;
        let answer = match self.look(tx, &item, false) {
            Look::Answered(answer) => answer,
            Look::Elsewhere { region } => match told {
                Some(Refusal::RegionUnreachable { .. }) => self.elsewhere_answer(tx, &item, region, true),
                Some(told) => WagerAnswer::Refused(told),
                None => self.elsewhere_answer(tx, &item, region, false),
            },
            Look::Short { missing } if self.want(tx, &item.account, missing, (id, index)) => return,
            Look::Short { .. } => self.short_answer(&item),
            Look::Window if self.acks_come() => return self.await_window(&item.account, (id, index)),
            Look::Window => self.window_answer(&item),
        };
        self.answer_item(tx, &item.account, (id, index), answer);
    }

    /// Notes that an item waits until other regions know more of this site's log.
    fn await_window(&mut self, account: &AccountId, item: (RequestId, usize)) {
        self.await_acks(account);
        self.placing.wanted.entry(account.clone()).or_default().items.insert(item);
    }

    fn short_answer(&mut self, item: &WagerRequest) -> WagerAnswer {
        self.stats.wagers_undecided += 1;
        WagerAnswer::Refused(self.short_of(&item.account))
    }

    /// What is spendable here and what is elsewhere, where that is too little or out of reach.
    pub(crate) fn short_of(&self, account: &AccountId) -> Refusal {
        match self.ledger.account_head(account).map(|h| h.currency) {
            Some(currency) => Refusal::InsufficientLocalFunds {
                spendable_here: self.ledger.spendable(account),
                elsewhere: self.ledger.elsewhere(account),
                currency,
            },
            None => Refusal::AccountUnknown,
        }
    }

    /// Notes that an item waits, and asks for rights unless that is under way. `false`: nobody can be asked.
    fn want<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        account: &AccountId,
        missing: u64,
        item: (RequestId, usize),
    ) -> bool {
        if self.placing.wanted.get(account).is_none_or(|w| w.asked.is_none()) {
            let Some(giver) = self.giver(account) else { return false };
            self.ask(tx, account, giver, missing);
        }
        self.placing.wanted.entry(account.clone()).or_default().items.insert(item);
        true
    }

    /// Whom to ask: the home; then the linked site that is known to hold most, for what over-asking has left there.
    /// Nobody who has just had nothing more.
    fn giver(&self, account: &AccountId) -> Option<u16> {
        let nobody = BTreeSet::new();
        self.lender(account, self.placing.wanted.get(account).map_or(&nobody, |w| &w.refused))
    }

    /// The same for any who ask: `refused` have had too little already.
    pub(crate) fn lender(&self, account: &AccountId, refused: &BTreeSet<u16>) -> Option<u16> {
        let able = |r: u16| r != self.site.region && self.is_reachable(r) && !refused.contains(&r);
        let home = self.ledger.account_head(account)?.home.region;
        if able(home) {
            return Some(home);
        }
        let rows = &self.ledger.accounts.get(account)?.rows;
        let others = rows.iter().filter(|(site, row)| row.free() > 0 && able(site.region));
        others.max_by_key(|(site, row)| (row.free(), std::cmp::Reverse(**site))).map(|(site, _)| site.region)
    }

    /// Whether what is missing for an account is known to be missing everywhere: its home has nothing left to give.
    fn is_certain(&self, account: &AccountId) -> bool {
        let Some(home) = self.ledger.account_head(account).map(|h| h.home) else { return false };
        home == self.site || self.placing.wanted.get(account).is_some_and(|w| w.refused.contains(&home.region))
    }

    fn ask<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId, region: u16, missing: u64) {
        let want = self.over_ask(account, missing);
        let n = self.next_acquire();
        let message = Acquire { n, account: account.clone(), need: missing, want, purpose: None };
        tx.send(region, Lane::Requests, &PeerMessage::Acquire(message.clone()));
        self.stats.acquires += 1;
        let wanted = self.placing.wanted.entry(account.clone()).or_default();
        wanted.asked = Some(Asked { region, message, sent_ms: tx.now.steady_ms, answered: None });
    }

    /// Over-asks by policy: four times what is missing, or a quarter of what is known elsewhere (ESCROW.md 2.6: asking
    /// for the exact deficit is the worst policy).
    pub(crate) fn over_ask(&self, account: &AccountId, missing: u64) -> u64 {
        missing.saturating_mul(4).max(self.ledger.elsewhere(account) / 4)
    }

    /// A peer asks for rights.
    pub(crate) fn acquire<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, ask: &Acquire) {
        // Rights of a site in quarantine or of a dead incarnation are out of everybody's reach.
        if self.not_ready().is_some() || self.ledger.lost.contains(&from) {
            return;
        }
        let home = self.ledger.account_head(&ask.account).map(|h| h.home);
        let held = self.placing.wanted.contains_key(&ask.account) && home != Some(from);
        tx.by = Cause::Peer;
        let debt = (ask.purpose == Some(Purpose::Withdraw)).then(|| self.ledger.owes(&ask.account));
        let granted = match self.ledger.grant(tx, from, ask, held || debt == Some(true)) {
            Granting::Granted(amount) => {
                self.stats.grants += 1;
                amount
            }
            Granting::Repeat => ask.need,
            Granting::Later if self.defer(from, ask) => return,
            Granting::Later => 0,
            Granting::Nothing => 0,
        };
        self.seal(tx);
        let seq = self.ledger.next_seq() - 1;
        let answer = Acquired { n: ask.n, account: ask.account.clone(), granted, seq, debt };
        tx.send(from.region, Lane::Requests, &PeerMessage::Acquired(answer));
    }

    /// A giver has answered. Nothing is concluded before our prefix of its log holds the index it answered at: a grant
    /// counts only in-stream, and "nothing" is certain only then.
    pub(crate) fn acquired<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, answer: &Acquired) {
        if self.withdrawal_acquired(tx, from, answer) {
            return;
        }
        let Some(wanted) = self.placing.wanted.get_mut(&answer.account) else { return };
        let Some(asked) = wanted.asked.as_mut().filter(|a| a.message.n == answer.n && a.region == from.region) else {
            return;
        };
        // Less than was needed is all there was.
        asked.answered = Some((from, answer.seq, answer.granted < asked.message.need));
        if self.planted == Planted::GrantFromReply && answer.granted > 0 {
            *self.ledger.own_row(tx, &answer.account).recv.entry(from).or_default() += answer.granted;
        }
        if self.ledger.head(from).index >= answer.seq {
            self.conclude(tx, &answer.account);
        } else {
            self.placing.cuts.entry((from, answer.seq)).or_default().insert(answer.account.clone());
        }
    }

    /// The prefix of a site's log has grown: answers that waited for it are concluded.
    pub(crate) fn reached<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site, seq: u64) {
        self.withdrawals_reached(tx, site);
        self.resolves_reached(tx, site);
        while let Some((cut, _)) = self.placing.cuts.range((site, 0)..=(site, seq)).next() {
            let cut = *cut;
            for account in self.placing.cuts.remove(&cut).unwrap_or_default() {
                self.conclude(tx, &account);
                self.seal(tx);
            }
        }
    }

    fn conclude<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId) {
        let head = |site: Site| self.ledger.logs.get(&site).map_or(0, |h| h.index);
        let Some(wanted) = self.placing.wanted.get_mut(account) else { return };
        let Some((site, seq, nothing)) = wanted.asked.as_ref().and_then(|a| a.answered) else { return };
        if head(site) < seq {
            return;
        }
        wanted.asked = None;
        if nothing {
            wanted.refused.insert(site.region);
        }
        self.retry(tx, account);
    }

    /// Judges everything again that waits for rights.
    pub(crate) fn retry_all<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        for account in self.placing.wanted.keys().cloned().collect::<Vec<_>>() {
            self.retry(tx, &account);
            self.seal(tx);
        }
    }

    /// Judges again, from scratch, what waits for an account; then asks once more for the smallest that still waits.
    pub(crate) fn retry<V: View>(&mut self, tx: &mut Tx<'_, V>, account: &AccountId) {
        let Some(wanted) = self.placing.wanted.get(account) else { return };
        let mut smallest: Option<u64> = None;
        for item in wanted.items.clone() {
            if let Some(missing) = self.retry_item(tx, account, item) {
                smallest = Some(smallest.map_or(missing, |m| m.min(missing)));
            }
        }
        let Some(wanted) = self.placing.wanted.get(account) else { return };
        if wanted.items.is_empty() {
            self.placing.wanted.remove(account);
        } else if let (Some(missing), None) = (smallest, &wanted.asked)
            && let Some(giver) = self.giver(account)
        {
            self.ask(tx, account, giver, missing);
        }
    }

    /// What is still missing for an item that goes on waiting.
    fn retry_item<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        account: &AccountId,
        (id, index): (RequestId, usize),
    ) -> Option<u64> {
        let item = self.placing.jobs.get(&id)?.items.get(index)?.clone();
        let under_way = self.placing.wanted.get(account).is_some_and(|w| w.asked.is_some());
        let last_look = !under_way && self.giver(account).is_none();
        tx.by = Cause::Client;
        let answer = match self.look(tx, &item, last_look && self.is_certain(account)) {
            Look::Answered(answer) => answer,
            Look::Elsewhere { region } => self.elsewhere_answer(tx, &item, region, false),
            Look::Short { .. } if last_look => self.short_answer(&item),
            Look::Short { missing } => return Some(missing),
            Look::Window if self.acks_come() => {
                self.await_acks(account);
                return None;
            }
            Look::Window => self.window_answer(&item),
        };
        self.answer_item(tx, account, (id, index), answer);
        None
    }

    pub(crate) fn answer_item<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        account: &AccountId,
        (id, index): (RequestId, usize),
        answer: WagerAnswer,
    ) {
        if let Some(wanted) = self.placing.wanted.get_mut(account) {
            wanted.items.remove(&(id, index));
        }
        let job = self.placing.jobs.get(&id);
        let left_ms = job.map_or(0, |job| job.deadline_ms.saturating_sub(tx.now.steady_ms));
        let asked = job.and_then(|job| job.items.get(index)).map(|item| item.id);
        let delays = |asked| self.awaits_delay(asked, &answer, (id, index), left_ms);
        if left_ms > 0 && (asked.is_some_and(delays) || self.awaits_ack(&answer, (id, index))) {
            return;
        }
        let Some(job) = self.placing.jobs.get_mut(&id) else { return };
        if let Some(slot) = job.answers.get_mut(index)
            && slot.is_none()
        {
            *slot = Some(answer);
            job.open -= 1;
        }
        if job.open == 0
            && let Some(job) = self.placing.jobs.remove(&id)
        {
            reply(tx, id, job.answers);
        }
    }

    /// Answers what has waited long enough, and repeats requests for rights that were lost on the way.
    pub(crate) fn place_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        let late: Vec<RequestId> =
            self.placing.jobs.iter().filter(|(_, j)| now_ms >= j.deadline_ms).map(|(id, _)| *id).collect();
        let over = !late.is_empty();
        let unheard = if over { self.fencing.unheard() } else { BTreeSet::new() };
        for id in late {
            let Some(job) = self.placing.jobs.get(&id).cloned() else { continue };
            for (index, item) in job.items.iter().enumerate() {
                if job.answers.get(index).is_some_and(Option::is_none) {
                    // One more look: another call with this id may have been decided meanwhile.
                    let answer = match self.look(tx, item, false) {
                        Look::Answered(answer) => answer,
                        Look::Elsewhere { region } => {
                            self.elsewhere_answer(tx, item, region, unheard.contains(&(id, index)))
                        }
                        Look::Short { .. } => self.short_answer(item),
                        Look::Window => self.window_answer(item),
                    };
                    self.answer_item(tx, &item.account, (id, index), answer);
                }
            }
        }
        if over {
            self.confirming.keep(|id| self.placing.jobs.contains_key(&id));
            self.delaying.keep(|id| self.placing.jobs.contains_key(&id));
        }
        self.placing.wanted.retain(|_, w| !w.items.is_empty());
        if self.placing.wanted.is_empty() {
            self.placing.cuts.clear();
            self.placing.windowed.clear();
        }
        let mut again = Vec::new();
        for wanted in self.placing.wanted.values_mut() {
            if let Some(asked) = &mut wanted.asked
                && asked.answered.is_none()
                && now_ms >= asked.sent_ms + ASK_AGAIN_MS
            {
                asked.sent_ms = now_ms;
                again.push((asked.region, asked.message.clone()));
            }
        }
        for (region, message) in again {
            tx.send(region, Lane::Requests, &PeerMessage::Acquire(message));
        }
        self.ask_for_debts(tx);
    }

    /// Asks the homes of accounts that owe here for what is owed; what comes is repaid at once, before any wager.
    fn ask_for_debts<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        if self.ledger.debtors.is_empty() || now_ms < self.placing.debts_due_ms() || self.not_ready().is_some() {
            return;
        }
        self.placing.debts_asked_ms = Some(now_ms);
        let debtors: Vec<AccountId> = self.ledger.debtors.iter().take(DEBTS_ASKED_MAX).cloned().collect();
        for account in debtors {
            let row = self.ledger.accounts.get(&account).and_then(|a| a.rows.get(&self.site));
            let owed = row.map_or(0, |r| u64::try_from(r.debt()).unwrap_or(0));
            let home = self.ledger.account_head(&account).map(|h| h.home.region);
            if let Some(region) = home.filter(|r| owed > 0 && self.is_reachable(*r)) {
                let n = self.next_acquire();
                let message = Acquire { n, account, need: owed, want: owed, purpose: None };
                tx.send(region, Lane::Requests, &PeerMessage::Acquire(message));
            }
        }
    }
}

fn reply<V: View>(tx: &mut Tx<'_, V>, id: RequestId, answers: Vec<Option<WagerAnswer>>) {
    let undecided = || WagerAnswer::Refused(Refusal::Overloaded { what: Text::new("wagers waiting for rights") });
    let answers = answers.into_iter().map(|a| a.unwrap_or_else(undecided)).collect();
    tx.reply(id, Answer::Placed(answers));
}
