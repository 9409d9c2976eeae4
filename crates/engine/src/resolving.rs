//! Confirming and releasing withdrawals: decided at the origin once the rights are held, forwarded there from
//! elsewhere. A forwarded answer is passed on once the origin's log is known here as far as the answer speaks of.

use std::collections::BTreeMap;

use crdt::Site;
use model::limits::{ASK_AGAIN_MS, PARKED_MAX};
use model::{AccountId, Answer, MintedId, Posting, Refusal, Text, WithdrawalState};

use crate::door::{Lane, RequestId};
use crate::engine::Engine;
use crate::log::Cause;
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{PeerMessage, Resolve, ResolveRefusal, ResolveReply};

/// A question on its way to an origin.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Forwarded {
    message: Resolve,
    region: u16,
    deadline_ms: u64,
    sent_ms: u64,
    answer: Option<(Site, ResolveReply)>,
}

/// All questions on their way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Resolving {
    forwarded: BTreeMap<RequestId, Forwarded>,
}

impl Resolving {
    pub(crate) fn is_idle(&self) -> bool {
        self.forwarded.is_empty()
    }

    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let unanswered = self.forwarded.values().filter(|f| f.answer.is_none()).map(|f| f.sent_ms + ASK_AGAIN_MS);
        self.forwarded.values().map(|f| f.deadline_ms).chain(unanswered).min()
    }
}

impl Engine {
    /// What is known of a withdrawal. Whether one is held is only known at its origin.
    pub(crate) fn view_withdrawal<V: View>(
        &mut self,
        tx: &Tx<'_, V>,
        account: &AccountId,
        id: MintedId,
    ) -> Result<Answer, Refusal> {
        let posting = tx.posting(id).filter(|p| p.account == *account && p.withdrawal().is_some());
        let mine = self.check_origin(id);
        let Some(posting) = posting else {
            return Err(mine.err().unwrap_or(Refusal::WithdrawalUnknown));
        };
        let prepared = posting.withdrawal().is_some_and(|w| w.state == WithdrawalState::Prepared);
        if prepared {
            mine?;
        }
        self.withdrawal_answer(posting, true)
    }

    pub(crate) fn withdrawal_answer(&mut self, posting: Posting, replayed: bool) -> Result<Answer, Refusal> {
        let currency = self.ledger.account_head(&posting.account).ok_or(Refusal::AccountUnknown)?.currency;
        let held = self.is_held(&posting);
        if held {
            self.commit_confirmed();
        }
        Ok(Answer::Withdrawal { posting, currency, held, replayed })
    }

    pub(crate) fn resolve<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        request: RequestId,
        account: AccountId,
        id: MintedId,
        confirm: bool,
        wait_ms: u64,
    ) {
        if self.check_origin(id).is_ok() {
            let resolved = self.resolve_here(tx, &account, id, confirm);
            let answer = resolved.and_then(|(posting, replayed)| self.withdrawal_answer(posting, replayed));
            return tx.reply(request, answer.unwrap_or_else(Answer::Refused));
        }
        let region = id.region();
        let Some(name) = self.region_name(region).filter(|_| region != self.site.region).cloned() else {
            return tx.refuse(request, Refusal::NotOwner { region });
        };
        if wait_ms == 0 || !self.is_reachable(region) {
            return tx.refuse(request, Refusal::RegionUnreachable { region: name });
        }
        if self.resolving.forwarded.len() >= PARKED_MAX {
            return tx.refuse(request, Refusal::Overloaded { what: Text::new("requests waiting for another region") });
        }
        let message = Resolve { n: self.next_acquire(), account, id, confirm };
        tx.send(region, Lane::Requests, &PeerMessage::Resolve(message.clone()));
        let (sent_ms, deadline_ms) = (tx.now.steady_ms, tx.now.steady_ms.saturating_add(wait_ms));
        self.resolving.forwarded.insert(request, Forwarded { message, region, deadline_ms, sent_ms, answer: None });
    }

    /// The origin's decision. Repeats of the same say the same; the opposite of what stands is refused.
    fn resolve_here<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        account: &AccountId,
        id: MintedId,
        confirm: bool,
    ) -> Result<(Posting, bool), Refusal> {
        let posting = tx.posting(id).filter(|p| p.account == *account).ok_or(Refusal::WithdrawalUnknown)?;
        let state = posting.withdrawal().ok_or(Refusal::WithdrawalUnknown)?.state;
        match (state, confirm) {
            (WithdrawalState::Confirmed, true) | (WithdrawalState::Released, false) => Ok((posting, true)),
            (WithdrawalState::Confirmed, false) => Err(Refusal::WithdrawalConfirmed),
            (WithdrawalState::Released, true) => Err(Refusal::WithdrawalReleased),
            (WithdrawalState::Insufficient, _) => Err(Refusal::WithdrawalRefused),
            (WithdrawalState::Prepared, _) if !self.is_held(&posting) => Err(Refusal::NotHeldYet),
            (WithdrawalState::Prepared, _) => Ok((self.ledger.resolve(tx, &posting, confirm), false)),
        }
    }

    /// A peer forwards a client's confirm or release.
    pub(crate) fn resolve_asked<V: View>(&mut self, tx: &mut Tx<'_, V>, from: u16, ask: &Resolve) {
        if self.not_ready().is_some() || self.check_origin(ask.id).is_err() {
            return;
        }
        tx.by = Cause::Client;
        let (posting, refused) = match self.resolve_here(tx, &ask.account, ask.id, ask.confirm) {
            Ok((posting, replayed)) => (Some((posting, replayed)), None),
            Err(refusal) => (None, Some(ResolveRefusal::of(&refusal))),
        };
        self.seal(tx);
        let seq = self.ledger.next_seq() - 1;
        let (posting, replayed) = posting.map_or((None, false), |(p, r)| (Some(p), r));
        let reply = ResolveReply { n: ask.n, seq, posting, replayed, refused };
        tx.send(from, Lane::Requests, &PeerMessage::Resolved(reply));
    }

    /// The origin has answered.
    pub(crate) fn resolve_answered<V: View>(&mut self, tx: &mut Tx<'_, V>, from: Site, reply: &ResolveReply) {
        let mut all = self.resolving.forwarded.values_mut();
        if let Some(asked) = all.find(|f| f.message.n == reply.n && f.region == from.region) {
            asked.answer = Some((from, reply.clone()));
            self.resolves_reached(tx, from);
        }
    }

    /// The prefix of a site's log has grown, or its answer has come.
    pub(crate) fn resolves_reached<V: View>(&mut self, tx: &mut Tx<'_, V>, site: Site) {
        if self.resolving.forwarded.is_empty() {
            return;
        }
        let index = self.ledger.head(site).index;
        let ripe = |f: &Forwarded| f.answer.as_ref().is_some_and(|(from, a)| *from == site && a.seq <= index);
        let ids: Vec<RequestId> = self.resolving.forwarded.iter().filter(|(_, f)| ripe(f)).map(|(id, _)| *id).collect();
        for id in ids {
            let answer = self.resolving.forwarded.remove(&id).and_then(|f| f.answer);
            let Some((_, ResolveReply { posting, replayed, refused, .. })) = answer else { continue };
            let answer = match (posting, refused) {
                (Some(posting), _) => self.withdrawal_answer(posting, replayed),
                (None, Some(refused)) => Err(refused.refusal()),
                (None, None) => Err(Refusal::WithdrawalUnknown),
            };
            tx.reply(id, answer.unwrap_or_else(Answer::Refused));
        }
    }

    /// Answers what has waited long enough, and repeats what was lost on the way.
    pub(crate) fn resolve_on_time<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let now_ms = tx.now.steady_ms;
        let late = self.resolving.forwarded.iter().filter(|(_, f)| now_ms >= f.deadline_ms);
        for (id, region) in late.map(|(id, f)| (*id, f.region)).collect::<Vec<_>>() {
            self.resolving.forwarded.remove(&id);
            let region = self.region_name(region).cloned().unwrap_or_else(|| Text::new("?"));
            tx.refuse(id, Refusal::RegionUnreachable { region });
        }
        let waiting = self.resolving.forwarded.values_mut().filter(|f| f.answer.is_none());
        for asked in waiting.filter(|f| now_ms >= f.sent_ms + ASK_AGAIN_MS) {
            asked.sent_ms = now_ms;
            tx.send(asked.region, Lane::Requests, &PeerMessage::Resolve(asked.message.clone()));
        }
    }
}
