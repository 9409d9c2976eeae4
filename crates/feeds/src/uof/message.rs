//! The feed's messages as typed facts, in the order and with the meaning of the vendor's documentation. What the store
//! does not use (favourites, probabilities, clocks, void reasons) is not kept.

use model::{EventKey, GroupKey, MarketKey, MarketStatus, OutcomeKey, OutcomeResult, ProducerId};

use crate::decimal::Decimal;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UofMessage {
    /// Who says it; none where the message names no product.
    pub producer: Option<ProducerId>,
    /// Source time, Unix ms of the producer's clock; none in documents that are no messages of a producer.
    pub time_ms: Option<u64>,
    /// The recovery that it belongs to.
    pub request_id: Option<i64>,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The producer's sign of life.
    Alive {
        /// Whether it sends what we subscribed to; if not, messages may have been missed.
        subscribed: bool,
    },
    /// A recovery is complete.
    SnapshotComplete,
    /// The producer is down.
    ProductDown,
    /// Markets, prices and statuses.
    OddsChange(OddsChange),
    /// No bets on groups of an event's markets.
    BetStop(Stop),
    /// Results.
    BetSettlement(Vec<MarketResult>),
    /// Results taken back.
    RollbackBetSettlement(Vec<MarketRollback>),
    /// Wagers of a time are void.
    BetCancel(Cancel),
    /// They are not.
    RollbackBetCancel(Cancel),
    /// The fixture should be fetched again: no effect here.
    FixtureChange,
    /// Descriptions of markets: which groups they belong to.
    Descriptions(Vec<Description>),
    /// A document of the feed's API that is known and not used.
    Ignored {
        /// Its root element.
        kind: &'static str,
    },
}

/// A change of odds: the listed markets only; those not listed stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddsChange {
    /// The event.
    pub event: EventKey,
    /// Whether it is under way, where the message says so.
    pub live: Option<bool>,
    /// The listed markets, each with all its current outcomes.
    pub markets: Vec<MarketOdds>,
}

/// One market of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketOdds {
    /// Its key.
    pub market: MarketKey,
    /// The feed's number of its kind, for its description.
    pub kind: u32,
    /// Its status; a market without one is active.
    pub status: MarketStatus,
    /// All its outcomes; none where only the status is told.
    pub outcomes: Vec<OutcomeOdds>,
}

/// One outcome of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeOdds {
    /// Its key.
    pub outcome: OutcomeKey,
    /// Whether it may be bet on.
    pub active: bool,
    /// Decimal odds, as stated; an active outcome may lack them.
    pub odds: Option<Decimal>,
}

/// A stop of groups of markets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The event.
    pub event: EventKey,
    /// Names of groups; `all` is every market.
    pub groups: Vec<GroupKey>,
    /// What active markets become: suspended or inactive.
    pub status: MarketStatus,
}

/// Results of one market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketResult {
    /// Its key.
    pub market: MarketKey,
    /// Its outcomes' results.
    pub outcomes: Vec<OutcomeVerdict>,
}

/// The result of one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeVerdict {
    /// Its key.
    pub outcome: OutcomeKey,
    /// `result`, `void_factor` and `dead_heat_factor` together; nothing while it is undecided.
    pub result: OutcomeResult,
}

/// Results of one market taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketRollback {
    /// Its key.
    pub market: MarketKey,
    /// Only these outcomes; none listed: all.
    pub outcomes: Vec<OutcomeKey>,
}

/// Void wagers of a time, or their revival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Wagers placed from this time on, Unix ms.
    pub start_ms: Option<u64>,
    /// Wagers placed up to this time, Unix ms.
    pub end_ms: Option<u64>,
    /// The markets.
    pub markets: Vec<MarketKey>,
}

/// Groups of a kind of markets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The feed's number of the kind.
    pub kind: u32,
    /// Names of its groups.
    pub groups: Vec<GroupKey>,
}
