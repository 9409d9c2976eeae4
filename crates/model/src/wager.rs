//! A wager: what was asked, what was decided, and how it stands.
//! Knows no ledger and no market state; it only carries what they said.

use crdt::{Dot, Hlc, Site};
use minicbor::{Decode, Encode};

use crate::limits::AMOUNT_MINOR_MAX;
use crate::settlement::{self, LegMultiplier, Rounding, System};
use crate::{AccountId, Amount, Currency, Later, MarketKey, MintedId, Odds, OutcomeKey, Share, Text, Verdict};

/// First 16 bytes of a BLAKE3 hash: of a request's body, or of a log entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Hash16(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl std::fmt::Display for Hash16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for Hash16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What a player agrees to when the odds have moved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum OddsPolicy {
    /// Only the requested odds.
    #[n(0)]
    #[default]
    None,
    /// The requested odds or better ones.
    #[n(1)]
    Higher,
    /// Whatever is on offer.
    #[n(2)]
    Any,
}

/// What must have happened before a client hears that a wager is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Durability {
    /// It is on this region's disk, within the exposure windows. A stake above a window is `Geo` whatever was asked.
    #[default]
    Local,
    /// It is on the disks of enough other regions as well.
    Geo,
}

/// One leg as requested.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Market.
    pub market: MarketKey,
    /// Outcome.
    pub outcome: OutcomeKey,
    /// Odds the player saw; a bound, not necessarily on a ladder.
    pub odds: Odds,
}

/// One leg as taken, with what admission saw.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct LegTaken {
    /// Market.
    #[n(0)]
    pub market: MarketKey,
    /// Outcome.
    #[n(1)]
    pub outcome: OutcomeKey,
    /// Odds taken; for a rejected wager the odds requested.
    #[n(2)]
    pub odds: Odds,
    /// Version of the market that was seen (its newest hybrid time); zero if none was seen.
    #[n(3)]
    pub version: Hlc,
    /// The write that the price came from.
    #[n(4)]
    pub price_dot: Option<Dot>,
}

/// Reasons of a final refusal, in the words of API.md.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[expect(missing_docs, reason = "the names are the contract's own codes, spelled out in API.md")]
pub enum RejectCode {
    #[n(0)]
    ProducerDown,
    #[n(1)]
    OddsStale,
    #[n(2)]
    MarketSuspended,
    #[n(3)]
    MarketInactive,
    #[n(4)]
    MarketHandedOver,
    #[n(5)]
    MarketSettled,
    #[n(6)]
    MarketCancelled,
    #[n(7)]
    SelectionInactive,
    #[n(8)]
    NoPrice,
    #[n(9)]
    OddsChanged,
    #[n(10)]
    InsufficientFunds,
    #[n(11)]
    IdExpired,
    #[n(12)]
    LegsNotCombinable,
    #[n(13)]
    AccountExcluded,
}

impl RejectCode {
    /// The stable snake_case code.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProducerDown => "producer_down",
            Self::OddsStale => "odds_stale",
            Self::MarketSuspended => "market_suspended",
            Self::MarketInactive => "market_inactive",
            Self::MarketHandedOver => "market_handed_over",
            Self::MarketSettled => "market_settled",
            Self::MarketCancelled => "market_cancelled",
            Self::SelectionInactive => "selection_inactive",
            Self::NoPrice => "no_price",
            Self::OddsChanged => "odds_changed",
            Self::InsufficientFunds => "insufficient_funds",
            Self::IdExpired => "id_expired",
            Self::LegsNotCombinable => "legs_not_combinable",
            Self::AccountExcluded => "account_excluded",
        }
    }
}

/// Why a leg (or the wager as a whole) was refused for good.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Problem {
    /// Index of the leg; `None` speaks of the wager.
    #[n(0)]
    pub leg: Option<u8>,
    /// The reason.
    #[n(1)]
    pub code: RejectCode,
    /// Odds on offer now, where they moved.
    #[n(2)]
    pub odds: Option<Odds>,
}

/// The owner's final word on an id.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub enum Decision {
    /// Accepted; the money is reserved.
    #[n(0)]
    Accepted,
    /// Refused for good; no money moved.
    #[n(1)]
    Rejected(#[n(0)] Vec<Problem>),
}

/// How an accepted wager stands. A rejected one stays `Open` and means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum WagerState {
    /// Not settled, or settled and rolled back.
    #[n(0)]
    Open,
    /// Won.
    #[n(1)]
    Won,
    /// Lost.
    #[n(2)]
    Lost,
    /// Stake returned.
    #[n(3)]
    Void,
    /// Something returns, but less than the stake: half lost, placed at short odds, a few lines of a system.
    #[n(4)]
    Part,
    /// All of it was cashed out.
    #[n(5)]
    CashedOut,
    /// An operator cancelled it: what was not cashed out returned.
    #[n(6)]
    Cancelled,
}

impl WagerState {
    /// Whether its legs' results say it: neither open nor taken off the legs by a cash-out or a cancel of the whole.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Void | Self::Part)
    }

    /// Its name in the HTTP contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Void => "void",
            Self::Part => "part",
            Self::CashedOut => "cashed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A decided wager: immutable except for its settlement part, which only the owner advances.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct WagerRecord {
    /// Its id.
    #[n(0)]
    pub id: MintedId,
    /// Whose money.
    #[n(1)]
    pub account: AccountId,
    /// Currency of the account.
    #[n(2)]
    pub currency: Currency,
    /// The site that decided it and settles it.
    #[n(3)]
    pub owner: Site,
    /// Index of the log entry that carries the decision.
    #[n(4)]
    pub entry: u64,
    /// Hash of the request's body (`id_reused` is told by it).
    #[n(5)]
    pub body: Hash16,
    /// Total stake, minor units.
    #[n(6)]
    pub stake: Amount,
    /// Legs as taken.
    #[n(7)]
    pub legs: Vec<LegTaken>,
    /// Policy asked for.
    #[n(8)]
    pub policy: OddsPolicy,
    /// The client's own reference.
    #[n(9)]
    pub client_ref: Option<Text>,
    /// Hybrid time of the decision.
    #[n(10)]
    pub placed_at: Hlc,
    /// The decision.
    #[n(11)]
    pub decision: Decision,
    /// How it stands.
    #[n(12)]
    pub state: WagerState,
    /// Paid out so far, minor units, net of clawbacks.
    #[n(13)]
    pub paid: Amount,
    /// Number of the last settlement; 0 before the first.
    #[n(14)]
    pub settled_version: u32,
    /// Hybrid time of the last settlement.
    #[n(15)]
    pub settled_at: Hlc,
    /// Set when its acceptance counts only once the decision's entry is durable in enough other regions (level `geo`).
    /// Part of the decision: it is never taken off. Whether it counts yet is told by the owner's log.
    #[n(16)]
    pub prepared: Option<bool>,
    /// Stake per line (each-way: per line and part), where that is not the whole stake.
    #[n(17)]
    pub unit: Option<Amount>,
    /// Its lines, unless all legs are one accumulator.
    #[n(18)]
    pub system: Option<System>,
    /// Each leg's place fraction, in an each-way wager.
    #[n(19)]
    pub each_way: Option<Vec<Share>>,
    /// The rule of its one rounding; records from before it was stored round down.
    #[n(20)]
    pub rounding: Option<Rounding>,
    /// When it was taken in, Unix ms of the owner's time, if it then waited for an in-play delay.
    #[n(25)]
    pub asked_ms: Option<u64>,
    /// What came later; `None` until something did, and in records from before it was kept.
    #[n(21)]
    pub later: Option<Box<Later>>,
}

impl WagerRecord {
    /// Whether it was accepted.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self.decision, Decision::Accepted)
    }

    /// Whether its acceptance counts only once enough other regions hold it.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.prepared == Some(true)
    }

    /// Stake per line (each-way: per line and part).
    #[must_use]
    pub const fn unit_stake(&self) -> Amount {
        match self.unit {
            Some(unit) => unit,
            None => self.stake,
        }
    }

    /// Unit stakes in it.
    #[must_use]
    pub fn lines(&self) -> u64 {
        settlement::lines_of(self.system.as_ref(), self.legs.len(), self.each_way.is_some())
    }

    /// The rule of its one rounding.
    #[must_use]
    pub fn rounding(&self) -> Rounding {
        self.rounding.unwrap_or_default()
    }

    /// What a leg multiplies a stake by if its outcome ended so. Nothing, if there is no such leg.
    #[must_use]
    pub fn multiplier(&self, leg: usize, verdict: &Verdict) -> LegMultiplier {
        let place = self.each_way.as_ref().and_then(|all| all.get(leg).copied());
        match self.legs.get(leg) {
            Some(taken) => settlement::multiplier(taken.odds, place, verdict, self.placed_at.ms()),
            None => LegMultiplier { win: settlement::whole(0), place: None },
        }
    }

    /// What it pays if every leg wins, minor units, rounded once by its rule; `u64::MAX` when that does not fit.
    #[must_use]
    pub fn potential_payout(&self) -> u64 {
        if let ([leg], None, None, Rounding::Floor) =
            (self.legs.as_slice(), &self.system, &self.each_way, self.rounding())
        {
            // Nearly every wager is this one, and its numbers fit.
            return leg.odds.payout_floor(self.stake.minor());
        }
        let place = |n: usize| self.each_way.as_ref().and_then(|all| all.get(n).copied());
        let legs = self.legs.iter().enumerate().map(|(n, leg)| (leg.odds, place(n)));
        let unit = self.unit_stake().minor();
        settlement::potential(unit, self.system.as_ref(), legs, self.rounding()).unwrap_or(u64::MAX)
    }

    /// Whether its parts fit each other: lines over its legs, a stake that is its lines' sum, a payout that can be
    /// represented. Asked of every record that comes from elsewhere.
    #[must_use]
    pub fn is_coherent(&self) -> bool {
        let legs = self.legs.len();
        let lines_fit = (1..=crate::limits::LEGS_MAX).contains(&legs)
            && self.system.as_ref().is_none_or(|s| s.check(legs).is_ok())
            && self.each_way.as_ref().is_none_or(|all| all.len() == legs);
        lines_fit
            && self.later.as_ref().is_none_or(|later| later.is_coherent(self.stake, legs))
            && self.stake.minor() <= AMOUNT_MINOR_MAX
            && self.unit_stake().minor().checked_mul(self.lines()) == Some(self.stake.minor())
            && self.potential_payout() <= AMOUNT_MINOR_MAX
    }
}

/// What a client needs in order to stamp ids of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mint {
    /// Region number.
    pub region: u16,
    /// Incarnation of its site.
    pub incarnation: u32,
    /// The region's own time, Unix ms.
    pub now_ms: u64,
    /// Furthest `place_by` of a wager, Unix ms.
    pub place_by_ms_max: u64,
}
