//! What happened to a wager after it was accepted: cash-outs, the part that an operator cancelled, and the trail of
//! settlements. Knows the record's bookkeeping; what a part pays is `settlement`.

use crdt::Hlc;
use minicbor::{Decode, Encode};

use crate::limits::{CASH_OUTS_MAX, WAGER_STEPS_MAX};
use crate::{Amount, MintedId, Share, Text, WagerRecord, WagerState};

/// Everything that came later, if anything did.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct Later {
    /// The part that an operator cancelled; the last word counts.
    #[n(0)]
    pub cancelled: Option<Cancelled>,
    /// Parts that were cashed out, in order. They add up.
    #[n(1)]
    pub cash_outs: Vec<CashOut>,
    /// Settlements, cash-outs and cancels in order; the oldest settlements are dropped when there are too many.
    #[n(2)]
    pub steps: Vec<Step>,
    /// Stake that has been consumed, minor units.
    #[n(3)]
    pub burned: Amount,
    /// Legs, by index, that were void because they were taken after their market had closed.
    #[n(4)]
    pub past_posted: Vec<u8>,
}

impl Later {
    /// Whether it can belong to a wager of this stake and so many legs.
    #[must_use]
    pub fn is_coherent(&self, stake: Amount, legs: usize) -> bool {
        let taken = self.cash_outs.iter().try_fold(0u64, |sum, c| sum.checked_add(c.stake.minor()));
        self.cash_outs.len() <= CASH_OUTS_MAX
            && taken.is_some_and(|taken| taken <= stake.minor())
            && self.steps.len() <= WAGER_STEPS_MAX
            && self.burned <= stake
            && self.past_posted.iter().all(|n| usize::from(*n) < legs)
    }
}

/// The cancelled part of a wager.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Cancelled {
    /// Of the original stake, in all (DOMAIN.md 5).
    #[n(0)]
    pub share: Share,
    /// In the operator's words.
    #[n(1)]
    pub reason: Text,
}

/// One cash-out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct CashOut {
    /// Its minted id, which is a posting's.
    #[n(0)]
    pub id: MintedId,
    /// The part of the original stake that it took out, minor units.
    #[n(1)]
    pub stake: Amount,
    /// What it paid, minor units.
    #[n(2)]
    pub pays: Amount,
}

/// One step of a wager's money.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Step {
    /// Its number, from 1, without holes.
    #[n(0)]
    pub version: u32,
    /// Hybrid time.
    #[n(1)]
    pub at: Hlc,
    /// How the wager stands after it.
    #[n(2)]
    pub state: WagerState,
    /// Paid in all after it, minor units.
    #[n(3)]
    pub paid: Amount,
    /// What it was.
    #[n(4)]
    pub what: StepKind,
}

/// What a step was.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum StepKind {
    /// The money followed results, or their absence.
    #[n(0)]
    Settled,
    /// A part was cashed out.
    #[n(1)]
    CashedOut(#[n(0)] CashOut),
    /// An operator said which part is cancelled, in all.
    #[n(2)]
    Cancelled(#[n(0)] Cancelled),
}

impl WagerRecord {
    /// Stake consumed so far, minor units. Records from before cash-outs say it by having been settled.
    #[must_use]
    pub fn burned(&self) -> Amount {
        match &self.later {
            Some(later) => later.burned,
            None if self.settled_version > 0 => self.stake,
            None => Amount::default(),
        }
    }

    /// The part that an operator cancelled.
    #[must_use]
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.later.as_ref().and_then(|l| l.cancelled.as_ref())
    }

    /// Its cash-outs, in order.
    #[must_use]
    pub fn cash_outs(&self) -> &[CashOut] {
        self.later.as_ref().map_or(&[], |l| &l.cash_outs)
    }

    /// What is kept of its trail, oldest first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        self.later.as_ref().map_or(&[], |l| &l.steps)
    }

    /// Steps of the trail that are kept no longer, or were taken before a trail was kept.
    #[must_use]
    pub fn steps_dropped(&self) -> u32 {
        self.settled_version.saturating_sub(u32::try_from(self.steps().len()).unwrap_or(u32::MAX))
    }

    /// Legs, by index, that were taken after their market had closed.
    #[must_use]
    pub fn past_posted(&self) -> &[u8] {
        self.later.as_ref().map_or(&[], |l| &l.past_posted)
    }

    /// The record with what a cash-out or a cancel says, and nothing of what follows from it.
    #[must_use]
    pub fn with(&self, what: &StepKind) -> Self {
        let mut next = self.clone();
        let mut later = next.later.take().unwrap_or_default();
        later.burned = self.burned();
        match what {
            StepKind::Settled => {}
            StepKind::CashedOut(cash_out) => later.cash_outs.push(*cash_out),
            StepKind::Cancelled(cancelled) => {
                later.cancelled = (cancelled.share != Share::ZERO).then(|| cancelled.clone());
            }
        }
        next.later = Some(later);
        next
    }

    /// The record after one more step.
    #[must_use]
    pub fn after(&self, step: Step, burned: Amount, past_posted: Vec<u8>) -> Self {
        let mut next = self.with(&step.what);
        (next.state, next.paid) = (step.state, step.paid);
        (next.settled_version, next.settled_at) = (step.version, step.at);
        let later = next.later.get_or_insert_default();
        (later.burned, later.past_posted) = (burned, past_posted);
        if later.steps.len() >= WAGER_STEPS_MAX {
            let settled = later.steps.iter().position(|s| s.what == StepKind::Settled);
            let oldest = || later.steps.iter().position(|s| matches!(s.what, StepKind::Cancelled(_)));
            let at = settled.or_else(oldest).unwrap_or(0);
            later.steps.remove(at);
        }
        later.steps.push(step);
        next
    }
}
