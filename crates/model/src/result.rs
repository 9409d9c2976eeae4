//! Results as registers: what producers and operators say happened, and what follows from it together.
//! Knows no wagers and no money.

use std::cmp::Ordering;

use crdt::{Register, Restrict};
use minicbor::{Decode, Encode};

use crate::{OutcomeKey, ProducerId};

/// What one source says of one outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum OutcomeResult {
    /// Nothing (any more): a feed's result that was rolled back.
    #[n(0)]
    None,
    /// Won.
    #[n(1)]
    Won,
    /// Lost.
    #[n(2)]
    Lost,
    /// Void: stakes return.
    #[n(3)]
    Void,
    /// Void because the runner was withdrawn: only this selection leaves the sale.
    #[n(4)]
    Withdrawn,
    /// An operator's "no result, whatever feeds say".
    #[n(5)]
    Open,
}

impl Restrict for OutcomeResult {
    /// `None` wins a tie, then the smaller value.
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        other.cmp(self)
    }
}

impl OutcomeResult {
    /// Its name in the HTTP contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Void => "void",
            Self::Withdrawn => "withdrawn",
            Self::Open => "open",
        }
    }

    /// Whether it settles the market as a whole, so that nothing of it is sold any more.
    #[must_use]
    pub const fn closes_market(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Void)
    }
}

/// What a result speaks of: one outcome, or every outcome of the market.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub enum ResultScope {
    /// All outcomes (`*`).
    #[n(0)]
    Market,
    /// One.
    #[n(1)]
    Outcome(#[n(0)] OutcomeKey),
}

/// A result register. In the log its dots are (site, log index); its twin in the odds plane has the plane's dots.
pub type ResultRegister = Register<ProducerId, OutcomeResult>;

/// What all registers of one outcome come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettlementCall {
    /// No result: the wager is open.
    Open,
    /// A result that money follows.
    Result(OutcomeResult),
    /// Sources differ and no operator has spoken: paid wagers keep what they have, nothing further is settled.
    Disputed,
}

impl SettlementCall {
    /// Resolves an outcome's own register and the market's `*` register (DESIGN.md section 3, "Results").
    #[must_use]
    pub fn resolve(own: Option<&ResultRegister>, market: Option<&ResultRegister>) -> Self {
        if let Some(call) = own.and_then(operator_call).or_else(|| market.and_then(operator_call)) {
            return call;
        }
        let mut found = None;
        for producer in producers(own, market) {
            let value = feed_value(producer, own, market);
            if value == OutcomeResult::None {
                continue;
            }
            match found {
                None => found = Some(value),
                Some(other) if other == value => {}
                Some(_) => return Self::Disputed,
            }
        }
        found.map_or(Self::Open, Self::Result)
    }
}

fn operator_call(register: &ResultRegister) -> Option<SettlementCall> {
    let mut held = register.operator.held().map(|(_, _, v)| *v).filter(|v| *v != OutcomeResult::None);
    let first = held.next()?;
    if held.any(|v| v != first) {
        return Some(SettlementCall::Disputed);
    }
    Some(if first == OutcomeResult::Open { SettlementCall::Open } else { SettlementCall::Result(first) })
}

fn producers<'a>(
    own: Option<&'a ResultRegister>,
    market: Option<&'a ResultRegister>,
) -> std::collections::BTreeSet<&'a ProducerId> {
    own.into_iter().chain(market).flat_map(|r| r.feeds.keys()).collect()
}

/// A producer's word on an outcome: the newer of its own slot and its `*` slot; on a tie `None`, then its own.
fn feed_value(producer: &ProducerId, own: Option<&ResultRegister>, market: Option<&ResultRegister>) -> OutcomeResult {
    let slot =
        |r: Option<&'_ ResultRegister>| r.and_then(|r| r.feeds.get(producer)).map(|s| ((s.time_ms, s.seq), s.value));
    match (slot(own), slot(market)) {
        (None, None) => OutcomeResult::None,
        (Some((_, v)), None) | (None, Some((_, v))) => v,
        (Some((a, own)), Some((b, star))) => match a.cmp(&b) {
            Ordering::Greater => own,
            Ordering::Less => star,
            Ordering::Equal if star == OutcomeResult::None => star,
            Ordering::Equal => own,
        },
    }
}

#[cfg(test)]
mod tests {
    use crdt::{Dot, FeedSlot, Hlc, Site};

    use super::*;

    fn word(time_ms: u64, value: OutcomeResult) -> FeedSlot<OutcomeResult> {
        FeedSlot { time_ms, seq: 0, value, dot: Dot { site: Site::new(1, 1), n: time_ms }, at: Hlc(1) }
    }

    fn feeds(words: &[(&str, u64, OutcomeResult)]) -> ResultRegister {
        let mut r = ResultRegister::default();
        for (p, t, v) in words {
            r.offer(&ProducerId::new(p).unwrap(), word(*t, *v));
        }
        r
    }

    #[test]
    fn two_producers_that_differ_are_a_dispute_until_an_operator_speaks() {
        let mut own = feeds(&[("a", 1, OutcomeResult::Won), ("b", 9, OutcomeResult::Lost)]);
        assert_eq!(SettlementCall::resolve(Some(&own), None), SettlementCall::Disputed);
        let dot = Dot { site: Site::new(1, 1), n: 1 };
        own.operator.write(dot, Hlc(1), Some(OutcomeResult::Void));
        assert_eq!(SettlementCall::resolve(Some(&own), None), SettlementCall::Result(OutcomeResult::Void));
        own.operator.write(Dot { n: 2, ..dot }, Hlc(2), Some(OutcomeResult::Open));
        assert_eq!(SettlementCall::resolve(Some(&own), None), SettlementCall::Open);
    }

    #[test]
    fn a_later_rollback_of_the_market_reopens_an_outcome() {
        let own = feeds(&[("a", 5, OutcomeResult::Won)]);
        let star = feeds(&[("a", 6, OutcomeResult::None)]);
        assert_eq!(SettlementCall::resolve(Some(&own), Some(&star)), SettlementCall::Open);
        let tie = feeds(&[("a", 5, OutcomeResult::Lost)]);
        assert_eq!(SettlementCall::resolve(Some(&own), Some(&tie)), SettlementCall::Result(OutcomeResult::Won));
    }
}
