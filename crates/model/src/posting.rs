//! Postings: money that comes in or goes out under a minted id, decided once by its origin.
//! Knows no rights and no acks: whether a withdrawal is held follows from the origin's log.

use crdt::{Hlc, Site};
use minicbor::{Decode, Encode};

use crate::{AccountId, Amount, Hash16, MintedId, Reference, Text};

/// A decided posting: a deposit, unless `act` says otherwise.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Posting {
    /// Its id.
    #[n(0)]
    pub id: MintedId,
    /// Whose money.
    #[n(1)]
    pub account: AccountId,
    /// Minor units.
    #[n(2)]
    pub amount: Amount,
    /// Hash of the request's body.
    #[n(3)]
    pub body: Hash16,
    /// Hybrid time of the decision.
    #[n(4)]
    pub at: Hlc,
    /// The site that decided it.
    #[n(5)]
    pub site: Site,
    /// What it is, if it is no plain deposit.
    #[n(6)]
    pub act: Option<PostingAct>,
}

/// What a posting is, if it is no plain deposit.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum PostingAct {
    /// An operator's adjustment.
    #[n(0)]
    Adjustment(#[n(0)] Adjustment),
    /// A withdrawal.
    #[n(1)]
    Withdrawal(#[n(0)] Withdrawal),
    /// A deposit that a payment provider's reference stands for.
    #[n(2)]
    Reference(#[n(0)] Reference),
    /// A cash-out; the amount is what it paid.
    #[n(3)]
    CashOut(#[n(0)] CashedWager),
}

/// The particulars of a cash-out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct CashedWager {
    /// The wager.
    #[n(0)]
    pub wager: MintedId,
    /// The part of its original stake, minor units.
    #[n(1)]
    pub stake: Amount,
}

/// What an operator says an adjustment is for. The money moves the same way for all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum AdjustmentKind {
    /// Something was booked wrongly.
    #[n(0)]
    Correction,
    /// A payment was taken back by its provider.
    #[n(1)]
    Chargeback,
    /// A gift of the house.
    #[n(2)]
    Bonus,
    /// What an account brings along from another book.
    #[n(3)]
    OpeningBalance,
}

impl AdjustmentKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Correction, Self::Chargeback, Self::Bonus, Self::OpeningBalance];

    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Correction => "correction",
            Self::Chargeback => "chargeback",
            Self::Bonus => "bonus",
            Self::OpeningBalance => "opening_balance",
        }
    }

    /// By its stable name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The particulars of an adjustment.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Adjustment {
    /// What for.
    #[n(0)]
    pub kind: AdjustmentKind,
    /// In the operator's words.
    #[n(1)]
    pub reason: Text,
    /// Whose desk did it.
    #[n(2)]
    pub actor: Text,
    /// Whether the amount was taken away rather than given.
    #[n(3)]
    pub taken: bool,
    /// The part of a taken amount that was not free at the origin and became debt, minor units.
    #[n(4)]
    pub debt: u64,
}

/// The particulars of a withdrawal.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Withdrawal {
    /// Index of the decision in the origin's log: the rights are held once the ack floor has reached it.
    #[n(0)]
    pub entry: u64,
    /// How it stands.
    #[n(1)]
    pub state: WithdrawalState,
}

/// How a withdrawal stands in its origin's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum WithdrawalState {
    /// Its rights are set aside.
    #[n(0)]
    Prepared,
    /// Refused for good: the money is nowhere. Nothing was set aside.
    #[n(1)]
    Insufficient,
    /// The money is gone.
    #[n(2)]
    Confirmed,
    /// The money is free again.
    #[n(3)]
    Released,
}

impl Posting {
    /// Its particulars, if it is an adjustment.
    #[must_use]
    pub const fn adjustment(&self) -> Option<&Adjustment> {
        match &self.act {
            Some(PostingAct::Adjustment(adjustment)) => Some(adjustment),
            _ => None,
        }
    }

    /// Its particulars, if it is a withdrawal.
    #[must_use]
    pub const fn withdrawal(&self) -> Option<&Withdrawal> {
        match &self.act {
            Some(PostingAct::Withdrawal(withdrawal)) => Some(withdrawal),
            _ => None,
        }
    }

    /// The payment provider's reference that it stands for, if any.
    #[must_use]
    pub const fn reference(&self) -> Option<&Reference> {
        match &self.act {
            Some(PostingAct::Reference(reference)) => Some(reference),
            _ => None,
        }
    }

    /// Its particulars, if it is a cash-out.
    #[must_use]
    pub const fn cash_out(&self) -> Option<&CashedWager> {
        match &self.act {
            Some(PostingAct::CashOut(cashed)) => Some(cashed),
            _ => None,
        }
    }

    /// The same withdrawal in another state.
    #[must_use]
    pub fn withdrawn(&self, state: WithdrawalState) -> Self {
        let mut next = self.clone();
        if let Some(PostingAct::Withdrawal(withdrawal)) = &mut next.act {
            withdrawal.state = state;
        }
        next
    }
}
