//! What clients heard of their withdrawals: set aside, held, left or come back. Each word is compared with the ones
//! before it; whether it is true is compared with the log elsewhere (`one_posting`). Knows answers only.

use std::collections::BTreeMap;

use engine::door::{Request, RequestId};
use model::{AccountId, Answer, Command, MintedId, Posting, Query, Refusal, WithdrawalState};

/// The last word on one withdrawal; those that follow each other in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Word {
    #[default]
    Nothing,
    Prepared,
    Held,
    Insufficient,
    Confirmed,
    Released,
}

/// All withdrawals that clients know of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Withdrawals {
    /// By id: whose, the word, minor units, and the newest request asked before the word was heard.
    heard: BTreeMap<MintedId, (AccountId, Word, u64, RequestId)>,
    /// A region that held others' entries has lost its disk: what was held may be held nowhere for a while.
    pub(crate) acker_lost: bool,
}

impl Withdrawals {
    /// Every withdrawal that was ever asked for.
    pub(crate) fn known(&self) -> impl Iterator<Item = (MintedId, AccountId)> + '_ {
        self.heard.iter().map(|(id, (account, ..))| (*id, account.clone()))
    }

    /// What clients were told has left of accounts whose withdrawals began where `counts` says, minor units.
    pub(crate) fn confirmed(&self, counts: impl Fn(MintedId) -> bool) -> u64 {
        let left = self.heard.iter().filter(|(id, (_, word, ..))| counts(**id) && *word == Word::Confirmed);
        left.map(|(_, (_, _, amount, _))| amount).sum()
    }

    /// A client was told that it is set aside, and has not ended it.
    pub(crate) fn is_set_aside(&self, id: MintedId) -> bool {
        self.heard.get(&id).is_some_and(|(_, word, ..)| matches!(word, Word::Prepared | Word::Held))
    }

    /// A client was told that it is released.
    pub(crate) fn is_released(&self, id: MintedId) -> bool {
        self.heard.get(&id).is_some_and(|(_, word, ..)| *word == Word::Released)
    }

    /// Notes a call.
    pub(crate) fn asked(&mut self, request: &Request) {
        if let Request::Command(Command::Withdraw { id, account, .. }) = request {
            self.heard.entry(*id).or_insert_with(|| (account.clone(), Word::Nothing, 0, 0));
        }
    }

    /// Hears an answer to request `asked`; `last` is the newest one asked until now. Fails when it contradicts an earlier
    /// answer.
    pub(crate) fn heard(
        &mut self,
        region: u16,
        (asked, last): (RequestId, RequestId),
        request: &Request,
        answer: &Answer,
    ) -> Result<(), String> {
        let id = match request {
            Request::Command(Command::Withdraw { id, .. } | Command::ResolveWithdrawal { id, .. })
            | Request::Query(Query::Withdrawal(_, id)) => *id,
            _ => return Ok(()),
        };
        let word = match answer {
            Answer::Withdrawal { posting, held, .. } => word_of(posting, *held),
            // Undecided answers that an origin gave to a forwarded question may be overtaken on their way.
            Answer::Refused(Refusal::NotHeldYet | Refusal::WithdrawalUnknown) if id.region() != region => None,
            Answer::Refused(Refusal::NotHeldYet) => Some(Word::Prepared),
            Answer::Refused(Refusal::WithdrawalConfirmed) => Some(Word::Confirmed),
            Answer::Refused(Refusal::WithdrawalReleased) => Some(Word::Released),
            Answer::Refused(Refusal::WithdrawalRefused) => Some(Word::Insufficient),
            Answer::Refused(Refusal::WithdrawalUnknown) => Some(Word::Nothing),
            _ => None,
        };
        let Some(word) = word else { return Ok(()) };
        let Some((account, before, amount, heard_at)) = self.heard.get_mut(&id) else { return Ok(()) };
        // The origin's word of before: it was under way, through another region, while a client heard the newer one.
        if asked <= *heard_at && word < *before && word <= Word::Held {
            return Ok(());
        }
        let follows = match (*before, word) {
            (Word::Nothing, _)
            | (Word::Prepared, Word::Held)
            | (Word::Prepared | Word::Held, Word::Confirmed | Word::Released) => true,
            (Word::Held, Word::Prepared) => self.acker_lost,
            (before, word) => before == word,
        };
        if !follows {
            return Err(format!("withdrawal {id} of {account} was {before:?} and is now {word:?}"));
        }
        if *before != word {
            (*before, *heard_at) = (word, last);
        }
        if let Answer::Withdrawal { posting, .. } = answer {
            *amount = posting.amount.minor();
        }
        Ok(())
    }
}

fn word_of(posting: &Posting, held: bool) -> Option<Word> {
    Some(match posting.withdrawal()?.state {
        WithdrawalState::Prepared if held => Word::Held,
        WithdrawalState::Prepared => Word::Prepared,
        WithdrawalState::Insufficient => Word::Insufficient,
        WithdrawalState::Confirmed => Word::Confirmed,
        WithdrawalState::Released => Word::Released,
    })
}
