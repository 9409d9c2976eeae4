//! What clients heard of their withdrawals: set aside, held, left or come back. Each word is compared with the ones
//! before it; whether it is true is compared with the log elsewhere (`one_posting`). Knows answers only.

use std::collections::BTreeMap;

use engine::door::Request;
use model::{AccountId, Answer, Command, MintedId, Posting, Query, Refusal, WithdrawalState};

/// The last word on one withdrawal.
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
    heard: BTreeMap<MintedId, (AccountId, Word, u64)>,
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
        let left = self.heard.iter().filter(|(id, (_, word, _))| counts(**id) && *word == Word::Confirmed);
        left.map(|(_, (.., amount))| amount).sum()
    }

    /// Notes a call.
    pub(crate) fn asked(&mut self, request: &Request) {
        if let Request::Command(Command::Withdraw { id, account, .. }) = request {
            self.heard.entry(*id).or_insert_with(|| (account.clone(), Word::Nothing, 0));
        }
    }

    /// Hears an answer. Fails when it contradicts an earlier one.
    pub(crate) fn heard(&mut self, request: &Request, answer: &Answer) -> Result<(), String> {
        let id = match request {
            Request::Command(Command::Withdraw { id, .. } | Command::ResolveWithdrawal { id, .. })
            | Request::Query(Query::Withdrawal(_, id)) => *id,
            _ => return Ok(()),
        };
        let word = match answer {
            Answer::Withdrawal { posting, held, .. } => word_of(posting, *held),
            Answer::Refused(Refusal::NotHeldYet) => Some(Word::Prepared),
            Answer::Refused(Refusal::WithdrawalConfirmed) => Some(Word::Confirmed),
            Answer::Refused(Refusal::WithdrawalReleased) => Some(Word::Released),
            Answer::Refused(Refusal::WithdrawalRefused) => Some(Word::Insufficient),
            Answer::Refused(Refusal::WithdrawalUnknown) => Some(Word::Nothing),
            _ => None,
        };
        let Some(word) = word else { return Ok(()) };
        let Some((account, before, amount)) = self.heard.get_mut(&id) else { return Ok(()) };
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
        *before = word;
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
