//! Results as registers: what producers and operators say happened, and what follows from it together.
//! Knows no wagers and no money.

use std::cmp::Ordering;
use std::num::NonZeroU64;

use crdt::{FeedSlot, Register, Restrict};
use minicbor::data::Type;
use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Write};
use minicbor::{Decode, Encode};

use crate::grade::{Canonical, Grade, Verdict, VerdictError};
use crate::{CancelWindow, OutcomeKey, ProducerId};

/// What one source says of one outcome. On disk and on the wire a plain result is its number, a graded one the pair
/// of its number and the grade; numbers are never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OutcomeResult {
    /// Nothing (any more): a feed's result that was rolled back. Number 0.
    None,
    /// Won. Number 1.
    Won,
    /// Lost. Number 2.
    Lost,
    /// Void: stakes return. Number 3.
    Void,
    /// Void because the runner was withdrawn: only this selection leaves the sale. Number 4.
    Withdrawn,
    /// An operator's "no result, whatever feeds say". Number 5.
    Open,
    /// Half won, half lost, a dead heat, placed only, or with deductions. Number 6.
    Graded(Grade),
}

const GRADED: u8 = 6;

impl<C> Encode<C> for OutcomeResult {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        let number = match self {
            Self::None => 0,
            Self::Won => 1,
            Self::Lost => 2,
            Self::Void => 3,
            Self::Withdrawn => 4,
            Self::Open => 5,
            Self::Graded(grade) => {
                e.array(2)?.u8(GRADED)?;
                return grade.encode(e, ctx);
            }
        };
        e.u8(number)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for OutcomeResult {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        let unknown = || minicbor::decode::Error::message("a result of an unknown kind");
        if d.datatype()? == Type::Array {
            if d.array()? != Some(2) || d.u8()? != GRADED {
                return Err(unknown());
            }
            return Grade::decode(d, ctx).map(Self::Graded);
        }
        Ok(match d.u8()? {
            0 => Self::None,
            1 => Self::Won,
            2 => Self::Lost,
            3 => Self::Void,
            4 => Self::Withdrawn,
            5 => Self::Open,
            _ => return Err(unknown()),
        })
    }
}

impl Restrict for OutcomeResult {
    /// What is noted beside a result is when its market had closed: of two writers the later word stands.
    const MARKS_JOIN: bool = true;

    /// `None` wins a tie, then the smaller value.
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        other.cmp(self)
    }
}

impl OutcomeResult {
    /// What a source says, in its canonical form: a verdict without anything special is plainly won, lost or void.
    ///
    /// # Errors
    /// [`VerdictError`] when the factors mean nothing.
    pub fn of(verdict: Verdict) -> Result<Self, VerdictError> {
        Ok(match Grade::of(verdict)? {
            Canonical::Won => Self::Won,
            Canonical::Lost => Self::Lost,
            Canonical::Void => Self::Void,
            Canonical::Graded(grade) => Self::Graded(grade),
        })
    }

    /// How the outcome ended; `None` while it has not. A void one has a void factor of 1.
    #[must_use]
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Self::None | Self::Open => None,
            Self::Won => Some(Verdict::plain(true)),
            Self::Lost => Some(Verdict::plain(false)),
            Self::Void | Self::Withdrawn => Some(Verdict { void_factor: crate::Share::ONE, ..Verdict::plain(false) }),
            Self::Graded(grade) => Some(grade.verdict()),
        }
    }

    /// Its name in the HTTP contract; the factors of a graded one stand beside it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Void => "void",
            Self::Withdrawn => "withdrawn",
            Self::Open => "open",
            Self::Graded(grade) => match grade.verdict() {
                Verdict { won: true, .. } => "won",
                Verdict { placed: true, .. } => "placed",
                _ => "lost",
            },
        }
    }

    /// Whether it settles the market as a whole, so that nothing of it is sold any more.
    #[must_use]
    pub const fn closes_market(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Void | Self::Graded(_))
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
    /// All wagers of the market that were placed in a span of time: void while a source says so, whatever else the
    /// market's results are.
    #[n(2)]
    Window(#[n(0)] CancelWindow),
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
    /// What a market's registers come to for a leg on one of its outcomes, taken at a time, Unix ms. A cancel window in
    /// force that covers it comes first.
    #[must_use]
    pub fn of_leg(registers: &[(ResultScope, ResultRegister)], outcome: &OutcomeKey, placed_ms: u64) -> Self {
        let (mut own, mut market) = (None, None);
        for (scope, register) in registers {
            match scope {
                ResultScope::Market => market = Some(register),
                ResultScope::Outcome(of) if of == outcome => own = Some(register),
                ResultScope::Window(window) if window.covers(placed_ms) => match Self::resolve(Some(register), None) {
                    Self::Open => {}
                    in_force => return in_force,
                },
                ResultScope::Outcome(_) | ResultScope::Window(_) => {}
            }
        }
        Self::resolve(own, market)
    }

    /// Whether it is a result that money follows.
    #[must_use]
    pub const fn is_result(self) -> bool {
        matches!(self, Self::Result(_))
    }

    /// When the market had closed for an outcome, Unix ms, as the sources say whose result counts: what is stated beside
    /// it, else the result's own time. Of several the latest. `None` while there is no result.
    #[must_use]
    pub fn closed_ms(registers: &[(ResultScope, ResultRegister)], outcome: &OutcomeKey) -> Option<u64> {
        let of = |wanted: &dyn Fn(&ResultScope) -> bool| registers.iter().find(|(s, _)| wanted(s)).map(|(_, r)| r);
        let own = of(&|scope| matches!(scope, ResultScope::Outcome(of) if of == outcome));
        let market = of(&|scope| *scope == ResultScope::Market);
        let operator = || own.and_then(operator_closed_ms).or_else(|| market.and_then(operator_closed_ms));
        let feeds = || {
            let slots = producers(own, market).into_iter().filter_map(|p| feed_slot(p, own, market));
            let told = slots.filter(|slot| slot.value != OutcomeResult::None);
            told.map(|slot| slot.mark.map_or(slot.time_ms, NonZeroU64::get)).max()
        };
        operator().or_else(feeds)
    }

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

fn operator_closed_ms(register: &ResultRegister) -> Option<u64> {
    let told = register.operator.values.values().filter(|v| v.value.is_some_and(|r| r != OutcomeResult::None));
    told.map(|v| v.mark.map_or(v.at.ms(), NonZeroU64::get)).max()
}

fn producers<'a>(
    own: Option<&'a ResultRegister>,
    market: Option<&'a ResultRegister>,
) -> std::collections::BTreeSet<&'a ProducerId> {
    own.into_iter().chain(market).flat_map(|r| r.feeds.keys()).collect()
}

/// A producer's word on an outcome: the newer of its own slot and its `*` slot; on a tie `None`, then its own.
fn feed_value(producer: &ProducerId, own: Option<&ResultRegister>, market: Option<&ResultRegister>) -> OutcomeResult {
    feed_slot(producer, own, market).map_or(OutcomeResult::None, |slot| slot.value)
}

fn feed_slot<'r>(
    producer: &ProducerId,
    own: Option<&'r ResultRegister>,
    market: Option<&'r ResultRegister>,
) -> Option<&'r FeedSlot<OutcomeResult>> {
    let slot = |r: Option<&'r ResultRegister>| r.and_then(|r| r.feeds.get(producer));
    match (slot(own), slot(market)) {
        (one, None) | (None, one) => one,
        (Some(own), Some(star)) => Some(match (own.time_ms, own.seq).cmp(&(star.time_ms, star.seq)) {
            Ordering::Greater => own,
            Ordering::Less => star,
            Ordering::Equal if star.value == OutcomeResult::None => star,
            Ordering::Equal => own,
        }),
    }
}

#[cfg(test)]
mod tests {
    use crdt::{Dot, Hlc, Site};

    use super::*;

    fn word(time_ms: u64, value: OutcomeResult) -> FeedSlot<OutcomeResult> {
        FeedSlot { time_ms, seq: 0, value, dot: Dot { site: Site::new(1, 1), n: time_ms }, at: Hlc(1), mark: None }
    }

    fn feeds(words: &[(&str, u64, OutcomeResult)]) -> ResultRegister {
        let mut r = ResultRegister::default();
        for (p, t, v) in words {
            r.offer(&ProducerId::new(p).unwrap(), word(*t, *v));
        }
        r
    }

    #[test]
    fn plain_results_keep_their_bytes_and_graded_ones_are_read_back() {
        use OutcomeResult::{Lost, None, Open, Void, Withdrawn, Won};
        for (number, plain) in [None, Won, Lost, Void, Withdrawn, Open].into_iter().enumerate() {
            assert_eq!(minicbor::to_vec(plain).unwrap(), [u8::try_from(number).unwrap()]);
            assert_eq!(minicbor::decode::<OutcomeResult>(&minicbor::to_vec(plain).unwrap()).unwrap(), plain);
        }
        let half = Verdict { void_factor: crate::Share::HALF, ..Verdict::plain(true) };
        let graded = OutcomeResult::of(half).unwrap();
        assert_eq!(graded.verdict(), Some(half));
        let bytes = minicbor::to_vec(graded).unwrap();
        assert_eq!(minicbor::decode::<OutcomeResult>(&bytes).unwrap(), graded);
        assert!(minicbor::decode::<OutcomeResult>(&[7]).is_err());
        let mut plainly_won = bytes.clone();
        let at = plainly_won.windows(3).position(|w| w == [0x82, 1, 2]).unwrap();
        plainly_won.splice(at..at + 3, [0x82, 0, 1]);
        assert!(minicbor::decode::<OutcomeResult>(&plainly_won).is_err(), "one value has one form");
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
    fn a_cancel_window_in_force_comes_before_every_result_of_the_legs_that_it_covers() {
        let outcome = OutcomeKey::new("7").unwrap();
        let window = |start_ms, end_ms| ResultScope::Window(CancelWindow { start_ms, end_ms });
        let won = (ResultScope::Outcome(outcome.clone()), feeds(&[("a", 5, OutcomeResult::Won)]));
        let void = |scope, time_ms| (scope, feeds(&[("a", time_ms, OutcomeResult::Void)]));
        let call = |scope, placed_ms| SettlementCall::of_leg(&[void(scope, 9), won.clone()], &outcome, placed_ms);
        let (cancelled, paid) =
            (SettlementCall::Result(OutcomeResult::Void), SettlementCall::Result(OutcomeResult::Won));
        assert_eq!([9, 10, 19, 20].map(|t| call(window(Some(10), Some(20)), t)), [paid, cancelled, cancelled, paid]);
        assert_eq!([9, 10].map(|t| call(window(Some(10), None), t)), [paid, cancelled]);
        assert_eq!([9, 10].map(|t| call(window(None, Some(10)), t)), [cancelled, paid]);
        assert_eq!(call(window(None, None), 0), cancelled);
        let mut taken_back = void(window(None, None), 9);
        taken_back.1.offer(&ProducerId::new("a").unwrap(), word(10, OutcomeResult::None));
        assert_eq!(SettlementCall::of_leg(&[taken_back, won], &outcome, 0), paid);
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
