//! The clients' memory: every final answer by id, every token, and what was asked and not answered. It never trusts a
//! time-out: an id without an answer may be decided or not, and is asked again. Knows no engine state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::Site;
use engine::door::{Request, RequestId};
use model::{
    AccountId, Amount, Answer, Command, MintedId, Posting, Query, Reference, ReferenceOutcome, Refusal, Token,
    WagerAnswer, WagerRecord, WagerRequest, WagerState, WagerView,
};
use rust_decimal::Decimal;

use crate::cash_outs::CashOuts;
use crate::ghost::Ghost;
use crate::report::Breach;
use crate::withdrawals::Withdrawals;

/// A client's call of a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Call {
    pub(crate) region: u16,
    pub(crate) request: Request,
    pub(crate) token: Option<Token>,
    pub(crate) wait_ms: u64,
}

/// A payment provider's words: reference, account and amount.
type Sent = (Reference, AccountId, Decimal);

/// A final answer to a wager id.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Final {
    Decided(Arc<WagerRecord>),
    NeverPlaced,
}

/// All clients together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    /// Calls under way, with the process life they went to.
    pending: BTreeMap<RequestId, (Call, u64)>,
    answered: BTreeMap<RequestId, u64>,
    wagers: BTreeMap<MintedId, Final>,
    /// The newest request that had been asked when an id's final answer was first heard.
    heard_at: BTreeMap<MintedId, RequestId>,
    /// Prepared wagers that a region has called accepted.
    counted: BTreeSet<(u16, MintedId)>,
    /// Answers that said pending.
    pub(crate) pending_said: u64,
    /// Answers that a wager waits for a market's delay.
    pub(crate) delayed_said: u64,
    pub(crate) deposits: BTreeMap<MintedId, Posting>,
    pub(crate) withdrawals: Withdrawals,
    /// What clients were told of payment references, by what they had sent, and the newest request asked before that.
    references: BTreeMap<Sent, (ReferenceOutcome, RequestId)>,
    /// Payments that clients were told are credited by their own call: one call of each.
    credited: BTreeSet<Reference>,
    /// Tokens of answers that carried a decision.
    pub(crate) tokens: BTreeMap<MintedId, Token>,
    /// Furthest token that each region has shown of its own writes: (log, odds).
    pub(crate) shown: BTreeMap<Site, (u64, u64)>,
    last_id: RequestId,
    pub(crate) accepted: u64,
    pub(crate) rejected: u64,
    pub(crate) undecided: u64,
    /// Regions that said `pending` of an id, which they must resolve by themselves.
    pub(crate) promised: BTreeSet<(u16, MintedId)>,
    /// Wager ids that all regions were asked to place in one moment.
    pub(crate) everywhere: BTreeSet<MintedId>,
    /// What clients were offered for parts of their wagers, and what they were told of taking it.
    pub(crate) cash_outs: CashOuts,
}

/// A session that a client is shown is in a log, and so is its end.
fn session(id: MintedId, answer: &Answer, ghost: &Ghost) -> Result<(), Breach> {
    let (opened, ended) = ghost.sessions.get(&id).copied().unwrap_or_default();
    let missing = match answer {
        Answer::Session(_) => !opened,
        Answer::SessionEnded { .. } => !ended,
        _ => false,
    };
    if missing { Err(Breach::new("durable_ack", format!("session {id}: {answer:?} is in no log"))) } else { Ok(()) }
}

/// The part of a decision that never changes.
fn frozen(record: &WagerRecord) -> WagerRecord {
    let mut frozen = record.clone();
    frozen.state = WagerState::Open;
    (frozen.paid, frozen.settled_version, frozen.settled_at) = (Amount::default(), 0, crdt::Hlc::default());
    frozen.later = None;
    frozen
}

impl Oracle {
    /// Wagers that clients were told are accepted, in the order of their ids.
    pub(crate) fn accepted_ids(&self) -> impl DoubleEndedIterator<Item = MintedId> + '_ {
        self.wagers.iter().filter_map(|(id, told)| match told {
            Final::Decided(record) if record.is_accepted() => Some(*id),
            Final::Decided(_) | Final::NeverPlaced => None,
        })
    }

    /// Notes a call that has reached a living process.
    pub(crate) fn ask(&mut self, call: &Call, life: u64) -> RequestId {
        self.last_id += 1;
        self.withdrawals.asked(&call.request);
        self.pending.insert(self.last_id, (call.clone(), life));
        self.last_id
    }

    /// A process died: its calls will not be answered any more.
    pub(crate) fn forget(&mut self, region: u16) {
        self.pending.retain(|_, (call, _)| call.region != region);
    }

    /// These ids were asked for everywhere; it counts where every region has the question now.
    pub(crate) fn note_everywhere(&mut self, ids: impl Iterator<Item = MintedId>) {
        for id in ids {
            let asks = |call: &Call| match &call.request {
                Request::Command(Command::Place(items)) => items.iter().any(|item| item.id == id),
                _ => false,
            };
            let asked = self.pending.values().filter(|(call, _)| asks(call)).map(|(call, _)| call.region);
            if asked.collect::<BTreeSet<u16>>().len() == crate::world::REGIONS.len() {
                self.everywhere.insert(id);
            }
        }
    }

    /// Calls that are still waiting.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Ids that clients know an answer of.
    pub(crate) fn final_ids(&self) -> impl Iterator<Item = MintedId> + '_ {
        self.wagers.keys().copied()
    }

    /// Every acknowledged decision, as it was shown.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = &WagerRecord> {
        self.wagers.values().filter_map(|f| match f {
            Final::Decided(record) => Some(record.as_ref()),
            Final::NeverPlaced => None,
        })
    }

    /// Hears an answer. Returns the call that it answers.
    pub(crate) fn heard(
        &mut self,
        id: RequestId,
        answer: &Answer,
        token: &Token,
        ghost: &Ghost,
        me: Site,
    ) -> Result<Call, Breach> {
        let Some((call, _)) = self.pending.remove(&id) else {
            return Err(Breach::new("sticky_answer", format!("request {id} was answered twice or never asked")));
        };
        *self.answered.entry(id).or_default() += 1;
        let shown = self.shown.entry(me).or_default();
        *shown = (shown.0.max(token.log.get(me)), shown.1.max(token.odds.get(me)));
        self.withdrawals
            .heard(call.region, (id, self.last_id), &call.request, answer)
            .map_err(|detail| Breach::new("sticky_answer", detail))?;
        self.cash_outs.heard(&call.request, answer, ghost)?;
        match (&call.request, answer) {
            (Request::Command(Command::Place(items)), Answer::Placed(answers)) => {
                if items.len() != answers.len() {
                    let text = format!("{} wagers, {} answers", items.len(), answers.len());
                    return Err(Breach::new("sticky_answer", text));
                }
                for (item, answer) in items.iter().zip(answers) {
                    if matches!(answer, WagerAnswer::Ticket(_)) {
                        self.promised.insert((me.region, item.id));
                    }
                    self.placed(id, item, answer, token, ghost, me)?;
                }
            }
            (Request::Command(Command::Deposit { id, .. } | Command::Adjust { id, .. }), answer) => {
                self.deposited(*id, answer, ghost)?
            }
            (Request::Command(Command::DepositByReference { reference, account, amount }), answer) => {
                let sent = (reference.clone(), account.clone(), amount.normalize());
                self.referenced(id, &sent, answer, ghost)?;
            }
            (Request::Command(Command::OpenSession { id, .. } | Command::EndSession { id }), answer) => {
                session(*id, answer, ghost)?;
            }
            (Request::Query(Query::Wager(id)), Answer::Wager { view, .. }) => {
                let covered = call.token.as_ref().zip(self.tokens.get(id)).is_some_and(|(a, b)| a.covers(b));
                self.viewed(*id, view, covered, ghost, me)?;
            }
            (
                Request::Command(Command::CloseWager { id, .. } | Command::CancelWager { id, .. }),
                Answer::Wager { view, .. },
            ) => {
                self.viewed(*id, view, false, ghost, me)?;
            }
            (Request::Command(Command::OpenAccount { account, .. }), Answer::AccountOpened { .. })
                if !ghost.accounts.contains(account) =>
            {
                return Err(Breach::new("durable_ack", format!("account {account} was shown and is in no log")));
            }
            _ => {}
        }
        Ok(call)
    }

    fn placed(
        &mut self,
        request: RequestId,
        item: &WagerRequest,
        answer: &WagerAnswer,
        token: &Token,
        ghost: &Ghost,
        me: Site,
    ) -> Result<(), Breach> {
        if let WagerAnswer::Decided { record, .. } | WagerAnswer::AwaitingAck { record, .. } = answer {
            let asked = (item.id, &item.account);
            if (record.id, &record.account) != asked || record.legs.len() != item.legs.len() {
                return Err(Breach::new("sticky_answer", format!("wager {} was answered with another", item.id)));
            }
        }
        match answer {
            WagerAnswer::Decided { record, .. } => {
                self.tokens.entry(item.id).or_insert_with(|| token.clone());
                self.decided(record, ghost, me)
            }
            WagerAnswer::AwaitingAck { record, .. } => self.awaiting(record, ghost, me),
            // No answer: the id may be decided elsewhere, or never be.
            WagerAnswer::Ticket(_) => Ok(()),
            WagerAnswer::Delayed(_) => self.delayed(request, item.id),
            WagerAnswer::Refused(Refusal::IdExpired) => self.never(item.id, "expired", ghost),
            WagerAnswer::Refused(Refusal::IdClosed) => self.never(item.id, "closed", ghost),
            WagerAnswer::Refused(refusal) => {
                self.undecided += 1;
                let fine = matches!(
                    refusal,
                    Refusal::NotOwner { .. }
                        | Refusal::RegionUnreachable { .. }
                        | Refusal::IdReused
                        | Refusal::NotReady { .. }
                        | Refusal::Overloaded { .. }
                );
                // A call that was under way when the decision was first shown may still say that it knows nothing.
                let before = self.heard_at.get(&item.id).is_some_and(|last| request > *last);
                if !fine && before && matches!(self.wagers.get(&item.id), Some(Final::Decided(_))) {
                    let text = format!("wager {} was decided and is now {refusal:?}", item.id);
                    return Err(Breach::new("sticky_answer", text));
                }
                Ok(())
            }
        }
    }

    /// What waits for a delay has no end yet: a call that was made after the end was heard does not say that it waits.
    fn delayed(&mut self, request: RequestId, id: MintedId) -> Result<(), Breach> {
        self.delayed_said += 1;
        let before = self.heard_at.get(&id).is_some_and(|last| request > *last);
        if before && self.wagers.contains_key(&id) {
            return Err(Breach::new("sticky_answer", format!("wager {id} has ended and is said to wait")));
        }
        Ok(())
    }

    /// Pending is no acceptance, but it is recorded. A region that has called the wager accepted never goes back, and
    /// its owner not after anybody has.
    fn awaiting(&mut self, record: &WagerRecord, ghost: &Ghost, me: Site) -> Result<(), Breach> {
        let id = record.id;
        self.pending_said += 1;
        if !record.is_prepared() || ghost.wagers.get(&id).map(frozen) != Some(frozen(record)) {
            return Err(Breach::new("durable_ack", format!("wager {id} was called pending and is in no log")));
        }
        let heard = matches!(self.wagers.get(&id), Some(Final::Decided(_)));
        if self.counted.contains(&(me.region, id)) || (heard && me == record.owner) {
            let text = format!("wager {id} was accepted and region {} calls it pending", me.region);
            return Err(Breach::new("sticky_answer", text));
        }
        Ok(())
    }

    fn decided(&mut self, record: &Arc<WagerRecord>, ghost: &Ghost, me: Site) -> Result<(), Breach> {
        let id = record.id;
        if record.is_prepared() {
            self.counted.insert((me.region, id));
        }
        match ghost.wagers.get(&id) {
            None => return Err(Breach::new("durable_ack", format!("wager {id} was answered and is in no log"))),
            Some(truth) if frozen(truth) != frozen(record) => {
                let text = format!("wager {id} was answered {:?}, logged {:?}", record.decision, truth.decision);
                return Err(Breach::new("sticky_answer", text));
            }
            Some(_) => {}
        }
        match self.wagers.get(&id) {
            None => {
                *(if record.is_accepted() { &mut self.accepted } else { &mut self.rejected }) += 1;
                self.wagers.insert(id, Final::Decided(Arc::clone(record)));
                self.heard_at.insert(id, self.last_id);
                Ok(())
            }
            Some(Final::Decided(before)) if frozen(before) == frozen(record) => Ok(()),
            Some(before) => {
                let text = format!("wager {id} was {before:?} and is now {:?}", record.decision);
                Err(Breach::new("sticky_answer", text))
            }
        }
    }

    fn never(&mut self, id: MintedId, word: &str, ghost: &Ghost) -> Result<(), Breach> {
        if ghost.wagers.contains_key(&id) || matches!(self.wagers.get(&id), Some(Final::Decided(_))) {
            return Err(Breach::new("sticky_answer", format!("wager {id} is decided and was answered `{word}`")));
        }
        self.wagers.insert(id, Final::NeverPlaced);
        Ok(())
    }

    fn viewed(&mut self, id: MintedId, view: &WagerView, covered: bool, ghost: &Ghost, me: Site) -> Result<(), Breach> {
        match view {
            WagerView::Known(record) => self.decided(record, ghost, me),
            WagerView::AwaitingAck(record) if !covered => self.awaiting(record, ghost, me),
            WagerView::NotPlaced { definitive: true } => self.never(id, "not_placed", ghost),
            // Elsewhere it is the owner's word of a moment ago.
            WagerView::NotPlaced { definitive: false }
                if me.region == id.region() && ghost.wagers.contains_key(&id) =>
            {
                Err(Breach::new("sticky_answer", format!("wager {id} is decided, its owner says not placed")))
            }
            _ if covered => {
                Err(Breach::new("sticky_answer", format!("a read that waited for wager {id}'s token does not show it")))
            }
            _ => Ok(()),
        }
    }

    /// A payment's answer stays; one call of all is told that it was the first.
    fn referenced(&mut self, id: RequestId, sent: &Sent, answer: &Answer, ghost: &Ghost) -> Result<(), Breach> {
        let reference = &sent.0;
        let outcome = match answer {
            Answer::Deposited { posting, replayed, .. } => {
                if (posting.reference(), &posting.account) != (Some(reference), &sent.1) {
                    return Err(Breach::new("sticky_answer", format!("payment {reference} was answered with another")));
                }
                if !replayed && !self.credited.insert(reference.clone()) {
                    return Err(Breach::new("one_posting", format!("payment {reference} was credited by two calls")));
                }
                self.deposited(posting.id, answer, ghost)?;
                ReferenceOutcome::Posted(posting.id)
            }
            Answer::ReferenceRefused { decision, .. } => decision.outcome,
            Answer::Received(_) | Answer::Refused(Refusal::IdReused | Refusal::AccountUnknown) => {
                let before = self.references.get(sent).filter(|(_, last)| id > *last);
                return match before {
                    None => Ok(()),
                    // A region that has not heard of the decision yet takes the payment in, or still holds another
                    // body of it; both end as the decision says.
                    Some(_) if !matches!(answer, Answer::Refused(Refusal::AccountUnknown)) => Ok(()),
                    Some(_) => {
                        let text = format!("payment {reference} was decided and is now {answer:?}");
                        Err(Breach::new("sticky_answer", text))
                    }
                };
            }
            _ => return Ok(()),
        };
        match self.references.insert(sent.clone(), (outcome, self.last_id)) {
            Some((before, _)) if before != outcome => {
                Err(Breach::new("sticky_answer", format!("payment {reference} was {before:?} and is now {outcome:?}")))
            }
            _ => Ok(()),
        }
    }

    fn deposited(&mut self, id: MintedId, answer: &Answer, ghost: &Ghost) -> Result<(), Breach> {
        let Answer::Deposited { posting, .. } = answer else {
            let replay = !matches!(
                answer,
                Answer::Refused(
                    Refusal::NotOwner { .. }
                        | Refusal::IdReused
                        | Refusal::NotReady { .. }
                        | Refusal::TokenAhead
                        | Refusal::Overloaded { .. }
                )
            );
            if replay && self.deposits.contains_key(&id) {
                let text = format!("deposit {id} was posted and is now {answer:?}");
                return Err(Breach::new("sticky_answer", text));
            }
            return Ok(());
        };
        if ghost.postings.get(&id) != Some(posting) {
            return Err(Breach::new("durable_ack", format!("deposit {id} was answered and is in no log")));
        }
        match self.deposits.insert(id, posting.clone()) {
            Some(before) if before != *posting => {
                Err(Breach::new("sticky_answer", format!("deposit {id} was answered in two ways")))
            }
            _ => Ok(()),
        }
    }
}
