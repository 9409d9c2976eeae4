//! What a market is: its status, definition and prices, and how careful each value is.
//! Knows no registers (those are in `crdt`) and no feed's own words (those are in `feeds`).

use std::cmp::Ordering;

use crdt::Restrict;
use minicbor::{Decode, Encode};

use crate::{EventKey, GroupKey, Odds, OutcomeKey, Share, Text};

/// Status of a market, from the least to the most restrictive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum MarketStatus {
    /// On sale.
    #[n(0)]
    Active,
    /// Not on sale, may come back.
    #[n(1)]
    Inactive,
    /// Not on sale for the moment; odds are still shown.
    #[n(2)]
    Suspended,
    /// Another producer takes over.
    #[n(3)]
    HandedOver,
    /// Closed with a result.
    #[n(4)]
    Settled,
    /// Called off.
    #[n(5)]
    Cancelled,
}

impl Restrict for MarketStatus {
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl MarketStatus {
    /// Its name in the HTTP contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
            Self::HandedOver => "handed_over",
            Self::Settled => "settled",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One outcome of a definition.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct OutcomeDef {
    /// Key inside its market.
    #[n(0)]
    pub key: OutcomeKey,
    /// Name for people; may be empty.
    #[n(1)]
    pub name: Text,
}

/// What a producer or a desk says a market is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct Definition {
    /// Name for people.
    #[n(0)]
    pub name: Text,
    /// The event it belongs to.
    #[n(1)]
    pub event: EventKey,
    /// Sport or event type, may be empty.
    #[n(2)]
    pub sport: Text,
    /// Scheduled start, Unix ms; 0 when unknown.
    #[n(3)]
    pub start_ms: u64,
    /// Whether the event is under way.
    #[n(4)]
    pub in_play: bool,
    /// How long a wager waits before it is judged while the event is under way, in ms.
    #[n(5)]
    pub bet_delay_ms: u32,
    /// Its outcomes, in display order.
    #[n(6)]
    pub outcomes: Vec<OutcomeDef>,
    /// Whether it comes from an exchange stream, whose own status says when it is on sale.
    #[n(7)]
    pub exchange: bool,
    /// What wagers beyond a plain single need to know of it; `None`: nothing beyond. (8 and 9 are left free.)
    #[n(10)]
    pub terms: Option<MarketTerms>,
}

/// A market's terms for each-way wagers and for accumulators.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
pub struct MarketTerms {
    /// Its each-way terms; `None`: it is not sold each-way.
    #[n(0)]
    pub each_way: Option<EachWayTerms>,
    /// Whether it may stand in one wager with another such market of its event.
    #[n(1)]
    pub combinable: bool,
}

/// What the place part of an each-way wager pays, and on how many places.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct EachWayTerms {
    /// Fraction of the winnings: a fifth, a quarter.
    #[n(0)]
    pub fraction: Share,
    /// Places that count; shown only, whether an outcome was placed is said by its result.
    #[n(1)]
    pub places: u8,
}

impl Restrict for Definition {
    /// No definition is safer than another: the smaller one wins a tie, so that regions agree.
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        other.cmp(self)
    }
}

/// The groups that a kind of markets belongs to, by the vendor's description of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Groups(#[n(0)] pub Vec<GroupKey>);

impl Restrict for Groups {
    /// No description is safer than another: the smaller one wins a tie, so that regions agree.
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        other.cmp(self)
    }
}

/// A price on an outcome. No odds means nothing is on offer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct Price {
    /// Whether the selection may be bet on at all.
    #[n(0)]
    pub active: bool,
    /// Odds on offer.
    #[n(1)]
    pub odds: Option<Odds>,
}

impl Restrict for Price {
    /// Inactive before active, no odds before odds, lower odds first.
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        other.active.cmp(&self.active).then_with(|| other.odds.cmp(&self.odds))
    }
}

/// Whether a producer may be believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
pub enum ProducerState {
    /// Alive.
    #[n(0)]
    Up,
    /// Silent or declared down.
    #[n(1)]
    Down,
}

impl Restrict for ProducerState {
    fn restrict_cmp(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}
