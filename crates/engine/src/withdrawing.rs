//! Withdrawals from the outside in. The origin of the id decides, once the account's home has answered a request for
//! rights of purpose `Withdraw` (also for none): a home that knows of debt says so, and nothing is set aside.
//! Rights set aside are shown as held only when the entry is durable at enough other regions. Withdrawals are exempt
//! from the exposure windows (S2 and S4): they count in S1 and S3 alone, and wait for the ack floor instead.

use std::collections::{BTreeMap, BTreeSet};

use crdt::Site;
use model::limits::{ASK_AGAIN_MS, PARKED_MAX};
use model::{AccountId, Amount, Answer, MintedId, Refusal, Text, WithdrawalState};
use rust_decimal::Decimal;

use crate::door::{Lane, RequestId};
use crate::engine::Engine;
use crate::ledger::Preparing;
use crate::log::{Cause, hash16};
use crate::planted::Planted;
use crate::port::View;
use crate::requests::bad_amount;
use crate::tx::Tx;
use crate::wire::{Acquire, Acquired, PeerMessage, Purpose};

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Asked {
    pub(crate) id: MintedId,
    pub(crate) account: AccountId,
    pub(crate) amount: Decimal,
}

/// A withdrawal that waits for its home or for rights.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Job {
    asked: Asked,
    deadline_ms: u64,
    /// The home has said that it knows of no debt.
    cleared: bool,
    /// Regions that had less than was missing.
    refused: BTreeSet<u16>,
    question: Option<Question>,
}

/// A request for rights under way.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Question {
    region: u16,
    message: Acquire,
    sent_ms: u64,
    /// Counts once our prefix of the giver's log holds the index it speaks of.
    answer: Option<(Site, Acquired)>,
}

/// All withdrawals that wait.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Withdrawing {
    jobs: BTreeMap<RequestId, Job>,
}

impl Withdrawing {
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let unanswered = |q: &&Question| q.answer.is_none();
        let again = self.jobs.values().filter_map(|j| j.question.as_ref()).filter(unanswered);
        self.jobs.values().map(|j| j.deadline_ms).chain(again.map(|q| q.sent_ms + ASK_AGAIN_MS)).min()
    }
}

/// What one look at a withdrawal came to.
enum Look {
    Answered(Answer),
    /// The home has to answer first.
    Uncleared,
    Short {
        missing: u64,
    },
}

impl Engine {
    pub(crate) fn withdraw<V: View>(&mut self, tx: &mut Tx<'_, V>, id: RequestId, asked: Asked, wait_ms: u64) {
        let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
        let (cleared, refused) = (false, BTreeSet::new());
        let job = Job { asked, deadline_ms, cleared, refused, question: None };
        if wait_ms > 0 && self.withdrawing.jobs.len() >= PARKED_MAX {
            return tx.refuse(id, Refusal::Overloaded { what: Text::new("withdrawals waiting for rights") });
        }
        self.further(tx, id, job, wait_ms > 0);
    }

    /// Looks at a withdrawal from scratch; answers it, or asks whom it takes and keeps it.
    fn further<V: View>(&mut self, tx: &mut Tx<'_, V>, id: RequestId, mut job: Job, may_wait: bool) {
        let next = match self.look_at_withdrawal(tx, &job, false) {
            Look::Answered(answer) => return tx.reply(id, answer),
            Look::Uncleared => self.home_of(&job.asked.account).filter(|r| self.is_reachable(*r)).map(|r| (r, 0)),
            Look::Short { missing } => self.lender(&job.asked.account, &job.refused).map(|region| (region, missing)),
        };
        let Some((region, missing)) = next.filter(|_| may_wait) else {
            let last = next.is_none() && job.cleared;
            let answer = self.last_word(tx, &job, last);
            return tx.reply(id, answer);
        };
        let (n, account) = (self.next_acquire(), job.asked.account.clone());
        // A withdrawal asks for what it takes: what more there is stays where the player bets.
        let need = missing.max(if job.cleared { 0 } else { self.missing_here(&job.asked) });
        let purpose = (!job.cleared).then_some(Purpose::Withdraw);
        let message = Acquire { n, account, need, want: need, purpose };
        tx.send(region, Lane::Requests, &PeerMessage::Acquire(message.clone()));
        self.stats.acquires += 1;
        job.question = Some(Question { region, message, sent_ms: tx.now.steady_ms, answer: None });
        self.withdrawing.jobs.insert(id, job);
    }

    /// The answer to what cannot wait any longer. `certain`: nobody is left to be asked.
    fn last_word<V: View>(&mut self, tx: &mut Tx<'_, V>, job: &Job, certain: bool) -> Answer {
        let home = self.ledger.account_head(&job.asked.account).map(|h| h.home);
        let heard = home.is_some_and(|h| h == self.site || job.refused.contains(&h.region));
        match self.look_at_withdrawal(tx, job, certain && heard) {
            Look::Answered(answer) => answer,
            Look::Uncleared => {
                let name = self.home_of(&job.asked.account).and_then(|r| self.region_name(r));
                let region = name.cloned().unwrap_or_else(|| Text::new("?"));
                Answer::Refused(Refusal::RegionUnreachable { region })
            }
            Look::Short { .. } => Answer::Refused(self.short_of(&job.asked.account)),
        }
    }

    fn look_at_withdrawal<V: View>(&mut self, tx: &mut Tx<'_, V>, job: &Job, final_cut: bool) -> Look {
        self.try_withdraw(tx, job, final_cut).unwrap_or_else(|refusal| Look::Answered(Answer::Refused(refusal)))
    }

    fn try_withdraw<V: View>(&mut self, tx: &mut Tx<'_, V>, job: &Job, final_cut: bool) -> Result<Look, Refusal> {
        let Asked { id, account, amount } = &job.asked;
        // It may have waited while quarantine began.
        if let Some(refusal) = self.not_ready() {
            return Err(refusal);
        }
        self.check_origin(*id)?;
        let body = hash16(format!("withdraw {account} {}", amount.normalize()).as_bytes());
        let head = self.ledger.account_head(account).ok_or(Refusal::AccountUnknown)?.clone();
        if let Some(posting) = self.decided(tx, *id, body)? {
            return self.withdrawal_answer(posting, true).map(Look::Answered);
        }
        let amount = Amount::from_decimal(*amount, head.currency).map_err(|e| bad_amount("amount", e))?;
        if self.ledger.owes(account) {
            return Err(Refusal::DebtOutstanding);
        }
        if head.home != self.site && !job.cleared {
            return Ok(Look::Uncleared);
        }
        let at = self.time.stamp();
        let preparing = Preparing { id: *id, account: account.clone(), amount, body };
        let Some(posting) = self.ledger.prepare(tx, at, preparing, final_cut)? else {
            return Ok(Look::Short { missing: amount.minor() - self.ledger.free_here(account) });
        };
        self.withdrawal_answer(posting, false).map(Look::Answered)
    }

    /// Whether a withdrawal's rights are held: its entry has been durable at enough other regions, once and so for good.
    /// Only its origin can know.
    pub(crate) fn is_held(&self, posting: &model::Posting) -> bool {
        let Some(withdrawal) = posting.withdrawal() else { return false };
        let acked = withdrawal.entry <= self.ledger.confirmed_here() || self.planted == Planted::HeldEarly;
        posting.site == self.site && withdrawal.state == WithdrawalState::Prepared && acked
    }

    fn home_of(&self, account: &AccountId) -> Option<u16> {
        self.ledger.account_head(account).map(|h| h.home.region)
    }

    fn missing_here(&self, asked: &Asked) -> u64 {
        let Some(head) = self.ledger.account_head(&asked.account) else { return 0 };
        let amount = Amount::from_decimal(asked.amount, head.currency).map_or(0, Amount::minor);
        amount.saturating_sub(self.ledger.free_here(&asked.account))
    }

    /// A giver has answered; `false` when the question is not a withdrawal's.
    pub(crate) fn withdrawal_acquired<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, answer: &Acquired) -> bool {
        let questions = self.withdrawing.jobs.iter_mut().filter_map(|(_, j)| j.question.as_mut());
        let mut mine = questions.filter(|q| q.message.n == answer.n && q.region == from.region);
        let Some(question) = mine.next() else { return false };
        question.answer = Some((from, answer.clone()));
        self.withdrawals_reached(tx, from);
        true
    }

    /// The prefix of a site's log has grown, or its answer has come: what waited for both goes on.
    pub(crate) fn withdrawals_reached<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site) {
        if self.withdrawing.jobs.is_empty() {
            return;
        }
        let index = self.ledger.head(site).index;
        let ripe = |j: &Job| {
            let answer = j.question.as_ref().and_then(|q| q.answer.as_ref());
            answer.is_some_and(|(from, a)| *from == site && a.seq <= index)
        };
        let due: Vec<RequestId> = self.withdrawing.jobs.iter().filter(|(_, j)| ripe(j)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(mut job) = self.withdrawing.jobs.remove(&id) else { continue };
            let Some(Question { region, message, answer: Some((_, answer)), .. }) = job.question.take() else {
                continue;
            };
            self.seal(tx);
            tx.by = Cause::Client;
            if message.purpose == Some(Purpose::Withdraw) && answer.debt == Some(true) {
                tx.refuse(id, Refusal::DebtOutstanding);
                continue;
            }
            job.cleared = true;
            if answer.granted < message.need {
                job.refused.insert(region);
            }
            self.further(tx, id, job, true);
            self.seal(tx);
        }
    }

    /// Answers what has waited long enough, and repeats questions that were lost on the way.
    pub(crate) fn withdraw_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        let jobs = self.withdrawing.jobs.iter();
        let late: Vec<RequestId> = jobs.filter(|(_, j)| now_ms >= j.deadline_ms).map(|(id, _)| *id).collect();
        for id in late {
            let Some(job) = self.withdrawing.jobs.remove(&id) else { continue };
            let answer = self.last_word(tx, &job, false);
            tx.reply(id, answer);
            self.seal(tx);
        }
        let questions = self.withdrawing.jobs.values_mut().filter_map(|j| j.question.as_mut());
        for question in questions.filter(|q| q.answer.is_none() && now_ms >= q.sent_ms + ASK_AGAIN_MS) {
            question.sent_ms = now_ms;
            tx.send(question.region, Lane::Requests, &PeerMessage::Acquire(question.message.clone()));
        }
    }
}
