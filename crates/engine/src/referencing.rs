//! Deposits by a payment provider's reference, from the outside in. The birth site decides at once; any other region
//! takes the provider's word in, durably, and answers `received` until the decision has come back in-stream.
//! Knows who may decide and who waits; what a decision is, and that it is the only one, is the ledger's.

use model::limits::REFERENCES_UNDECIDED_MAX;
use model::{
    AccountId, Answer, Command, Hash16, Received, Reference, ReferenceDecision, ReferenceOutcome, ReferenceRefusal,
    Refusal, SentAmount, Text,
};
use rust_decimal::Decimal;

use crate::admission::malformed;
use crate::door::{Request, RequestId};
use crate::engine::Engine;
use crate::log::{Cause, Entry, Event, hash16};
use crate::parked::{Until, Waiting};
use crate::planted::Planted;
use crate::port::View;
use crate::requests::bad_amount;
use crate::tx::Tx;

/// References decided at one tick, where an earlier chance was missed.
const LEFT_OVER_MAX: usize = 128;

/// What a provider says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ByReference {
    pub(crate) reference: Reference,
    pub(crate) account: AccountId,
    pub(crate) amount: Decimal,
}

impl ByReference {
    /// The command's body; the reference itself is what it is compared under.
    fn body(&self) -> Hash16 {
        hash16(format!("reference {} {}", self.account, self.amount.normalize()).as_bytes())
    }
}

/// What a call came to.
enum Look {
    Answered(Answer),
    /// Taken in here, by this call or before it.
    Taken {
        first: bool,
    },
}

impl Engine {
    pub(crate) fn deposit_by_reference<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: RequestId,
        asked: ByReference,
        wait_ms: u64,
    ) {
        let first = match self.look_at_reference(tx, &asked) {
            Ok(Look::Answered(answer)) => return tx.reply(id, answer),
            Err(refusal) => return tx.refuse(id, refusal),
            Ok(Look::Taken { first }) => first,
        };
        let (reference, body) = (asked.reference.clone(), asked.body());
        if wait_ms > 0 {
            let ByReference { reference, account, amount } = asked;
            let until = Until::Reference(reference.clone(), first);
            let request = Request::Command(Command::DepositByReference { reference, account, amount });
            let deadline_ms = tx.now.steady_ms.saturating_add(wait_ms);
            if self.parked.park(id, Waiting { request, until, deadline_ms, wait_ms }) {
                return;
            }
        }
        self.answer_reference(tx, id, &reference, body, first);
    }

    /// One look at a reference: decided before, decided now, or taken in.
    fn look_at_reference<V: View>(&mut self, tx: &mut Tx<'_, V>, asked: &ByReference) -> Result<Look, Refusal> {
        let ByReference { reference, account, amount } = asked;
        if self.region_number(account.region()).is_none() || reference.region() != account.region() {
            return Err(malformed("account", "names a region that is not in the topology"));
        }
        let body = asked.body();
        if let Some(decision) = tx.reference(reference) {
            return self.reference_answer(tx, decision, body, false).map(Look::Answered);
        }
        let (site, taken) = (self.site, &self.ledger.taken);
        // Of several words the birth site takes the earliest: what was taken in here with this body still may be it.
        let again = taken.of(reference).any(|(by, received)| by == site && received.body == body);
        if !again && taken.of(reference).any(|(_, received)| received.body != body) {
            return Err(Refusal::IdReused);
        }
        let amount = SentAmount::of(*amount).map_err(|e| bad_amount("amount", e))?;
        let here = self.is_birth_region(reference) && self.may_decide_references();
        let head = self.ledger.account_head(account).filter(|h| h.hearsay.is_none());
        if let Some(head) = head {
            amount.in_currency(head.currency).map_err(|e| bad_amount("amount", e))?;
        }
        let received = |at| Received { reference: reference.clone(), account: account.clone(), amount, body, at };
        if here || self.planted == Planted::RefDedupeLocal {
            let at = self.time.stamp();
            let judged = self.ledger.judge_reference(&received(at)).map_err(undecided)?;
            let decision = self.ledger.decide_reference(tx, at, received(at), self.site, Ok(judged));
            self.stats.references_decided += 1;
            return self.reference_answer(tx, decision, body, true).map(Look::Answered);
        }
        if self.ledger.taken.holds(self.site, reference) {
            return Ok(Look::Taken { first: false });
        }
        if self.ledger.taken.count(self.site) >= REFERENCES_UNDECIDED_MAX {
            return Err(Refusal::Overloaded { what: Text::new("payment references that no birth site has decided") });
        }
        let at = self.time.stamp();
        self.ledger.take_in(tx, received(at));
        self.stats.references_received += 1;
        Ok(Look::Taken { first: true })
    }

    /// Answers a call whose reference was taken in here: the decision, or `received` where there is none yet.
    fn answer_reference<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: RequestId,
        reference: &Reference,
        body: Hash16,
        first: bool,
    ) {
        let answer = match tx.reference(reference) {
            Some(decision) => self.reference_answer(tx, decision, body, first),
            None => {
                let own = self.ledger.taken.of(reference).find(|(site, _)| *site == self.site);
                let (_, received) = own.expect("what is taken in stays until it is decided");
                Ok(Answer::Received(received.clone()))
            }
        };
        tx.reply(id, answer.unwrap_or_else(Answer::Refused));
    }

    /// The same, for a call that has waited.
    pub(crate) fn answer_waiting_reference<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        id: RequestId,
        request: Request,
        first: bool,
    ) {
        if let Some(refusal) = self.not_ready() {
            // Quarantine began while it waited: what was taken in here since may be in a log that nobody follows.
            return tx.refuse(id, refusal);
        }
        if let Request::Command(Command::DepositByReference { reference, account, amount }) = request {
            let asked = ByReference { reference, account, amount };
            self.answer_reference(tx, id, &asked.reference, asked.body(), first);
        }
    }

    /// A decision as an answer. Of all calls only the one whose word was decided on is told that it was the first.
    fn reference_answer<V: View>(
        &self,
        tx: &Tx<'_, V>,
        decision: ReferenceDecision,
        body: Hash16,
        first: bool,
    ) -> Result<Answer, Refusal> {
        if decision.received.body != body {
            return Err(Refusal::IdReused);
        }
        let replayed = !(first && decision.from == self.site);
        match decision.outcome {
            ReferenceOutcome::Refused(_) => Ok(Answer::ReferenceRefused { decision, replayed }),
            ReferenceOutcome::Posted(id) => {
                // An entry brings both; a faulty region's snapshot may not.
                let posting = tx.posting(id).ok_or(Refusal::NotOwner { region: decision.site.region })?;
                let head = self.ledger.account_head(&posting.account).ok_or(Refusal::AccountUnknown)?;
                Ok(Answer::Deposited { currency: head.currency, posting, replayed })
            }
        }
    }

    fn is_birth_region(&self, reference: &Reference) -> bool {
        self.region_number(reference.region()) == Some(self.site.region)
    }

    /// Whether this site may decide references of its region. A later incarnation must first hold all that the other
    /// regions know of the earlier ones' logs, or it would decide again what they decided.
    fn may_decide_references(&self) -> bool {
        if self.not_ready().is_some() {
            return false;
        }
        let earlier = |site: &crdt::Site| site.region == self.site.region && *site < self.site;
        self.site.incarnation <= 1
            || self.links.values().all(|link| {
                let known = |(site, index)| !earlier(&site) || self.ledger.head(site).index >= index;
                link.met && link.have.iter().all(known)
            })
    }

    /// Decides what a merged entry has brought for this birth site.
    pub(crate) fn decide_received<V: View>(&mut self, tx: &mut Tx<'_, V>, entry: &Entry) {
        for event in &entry.events {
            if let Event::Received(received) = event
                && self.is_birth_region(&received.reference)
                && self.may_decide_references()
            {
                self.decide_taken(tx, &received.reference);
            }
        }
    }

    /// Whether something taken in before can be decided here now: after a start, or once an earlier incarnation's log
    /// is known whole.
    pub(crate) fn references_due(&self) -> bool {
        !self.ledger.taken.is_empty() && self.left_over().is_some()
    }

    fn left_over(&self) -> Option<&Reference> {
        let name = self.region_name(self.site.region)?;
        let found = self.ledger.taken.first(name.as_str())?;
        self.may_decide_references().then_some(found)
    }

    pub(crate) fn decide_left_over<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.ledger.taken.is_empty() {
            return;
        }
        self.seal(tx);
        for _ in 0..LEFT_OVER_MAX {
            let Some(reference) = self.left_over().cloned() else { return };
            self.decide_taken(tx, &reference);
        }
    }

    /// Decides a reference on the earliest word that was taken in; others of another body were too late.
    fn decide_taken<V: View>(&mut self, tx: &mut Tx<'_, V>, reference: &Reference) {
        let words = self.ledger.taken.of(reference);
        let earliest = words.min_by_key(|(site, received)| (received.at, *site));
        let Some((from, received)) = earliest.map(|(site, received)| (site, received.clone())) else { return };
        let judged = self.ledger.judge_reference(&received);
        tx.by = Cause::Peer;
        self.stats.references_decided += 1;
        if let Err(why) = judged {
            self.stats.references_refused += 1;
            let (account, why) = (&received.account, why.as_str());
            tx.alarm("reference_refused", format!("payment {reference} for {account} is refused for good: {why}"));
        }
        let at = self.time.stamp();
        self.ledger.decide_reference(tx, at, received, from, judged);
        self.seal(tx);
    }
}

/// What the birth site answers itself, without a decision: the provider may send it again.
fn undecided(why: ReferenceRefusal) -> Refusal {
    match why {
        ReferenceRefusal::AccountUnknown => Refusal::AccountUnknown,
        ReferenceRefusal::OverPrecise => malformed("amount", "has more decimal places than the currency"),
        ReferenceRefusal::TooLarge => malformed("amount", "would carry the account beyond what can be counted"),
    }
}
