//! A market's definition as the exchange states it: always whole, never a difference. Owns its shape and its checks.
//!
//! It must not know prices.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{limits, message};
use crate::{
    decimal::{Decimal, finite},
    instant::parse_utc_ms,
};

/// A market's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Encode, Decode)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cbor(index_only)]
pub enum MarketStatus {
    /// Not yet, or for now not, open.
    #[n(0)]
    Inactive,
    /// Open for bets.
    #[n(1)]
    Open,
    /// No bets for now.
    #[n(2)]
    Suspended,
    /// Settled.
    #[n(3)]
    Closed,
}

/// A runner's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Encode, Decode)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cbor(index_only)]
pub enum RunnerStatus {
    /// Taking part.
    #[n(0)]
    Active,
    /// Won.
    #[n(1)]
    Winner,
    /// Placed, in a market for places.
    #[n(2)]
    Placed,
    /// Lost.
    #[n(3)]
    Loser,
    /// Withdrawn: bets on it are void.
    #[n(4)]
    Removed,
    /// A greyhound's trap that stayed empty: void too.
    #[n(5)]
    RemovedVacant,
    /// Not shown.
    #[n(6)]
    Hidden,
}

impl MarketStatus {
    /// The exchange's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Open => "OPEN",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }
}

impl RunnerStatus {
    /// The exchange's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Winner => "WINNER",
            Self::Placed => "PLACED",
            Self::Loser => "LOSER",
            Self::Removed => "REMOVED",
            Self::RemovedVacant => "REMOVED_VACANT",
            Self::Hidden => "HIDDEN",
        }
    }
}

/// A selection of a market: on Asian-handicap markets one id stands once per handicap. Order: id, then handicap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RunnerKey {
    /// Selection id.
    #[n(0)]
    pub id: u64,
    /// Handicap; 0 when the market has none.
    #[n(1)]
    pub hc: Decimal,
}

/// The outcome's name in a market: the id, and `@` with the handicap unless that is 0 (`36276560@-1.5`).
impl fmt::Display for RunnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hc.is_zero() { write!(f, "{}", self.id) } else { write!(f, "{}@{}", self.id, self.hc) }
    }
}

/// A runner as the definition states it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode)]
#[serde(rename_all = "camelCase")]
pub struct RunnerDefinition {
    /// Selection id.
    #[n(0)]
    #[serde(deserialize_with = "message::selection_id")]
    pub id: u64,
    /// Handicap; 0 when the market has none.
    #[n(1)]
    #[serde(default, deserialize_with = "message::handicap")]
    pub hc: Decimal,
    /// Status.
    #[n(2)]
    pub status: RunnerStatus,
    /// Place in the exchange's display order.
    #[n(3)]
    #[serde(default)]
    pub sort_priority: u32,
    /// Reduction factor in percent that other runners' odds suffer when this one is withdrawn.
    #[n(4)]
    #[serde(default, deserialize_with = "finite")]
    pub adjustment_factor: Option<Decimal>,
    /// Starting price, once reconciled.
    #[n(5)]
    #[serde(default, deserialize_with = "finite")]
    pub bsp: Option<Decimal>,
    /// Name, if the stream carries names.
    #[n(6)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub name: Option<String>,
}

impl RunnerDefinition {
    /// The runner's key.
    #[must_use]
    pub const fn key(&self) -> RunnerKey {
        RunnerKey { id: self.id, hc: self.hc }
    }
}

/// The definition of a market. Fields that this house has no use for are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Encode, Decode)]
#[serde(rename_all = "camelCase")]
pub struct MarketDefinition {
    /// Status.
    #[n(0)]
    pub status: MarketStatus,
    /// Whether the event is under way.
    #[n(1)]
    #[serde(default)]
    pub in_play: bool,
    /// Seconds that a bet is held back in play.
    #[n(2)]
    #[serde(default)]
    pub bet_delay: u32,
    /// How many runners are active.
    #[n(3)]
    #[serde(default)]
    pub number_of_active_runners: u32,
    /// Whether starting prices are final.
    #[n(4)]
    #[serde(default)]
    pub bsp_reconciled: bool,
    /// Grows with every change that matters.
    #[n(5)]
    #[serde(default)]
    pub version: u64,
    /// How many runners win.
    #[n(6)]
    #[serde(default)]
    pub number_of_winners: u32,
    /// Such as `MATCH_ODDS`.
    #[n(7)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub market_type: Option<String>,
    /// Such as `ODDS`, `LINE`, `ASIAN_HANDICAP_DOUBLE_LINE`.
    #[n(8)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub betting_type: Option<String>,
    /// The sport's id.
    #[n(9)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub event_type_id: Option<String>,
    /// The event's id, of the characters of a market id.
    #[n(10)]
    #[serde(default, deserialize_with = "message::event_id")]
    pub event_id: Option<String>,
    /// The event's name, if the stream carries names.
    #[n(11)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub event_name: Option<String>,
    /// Scheduled start, as written (RFC 3339).
    #[n(12)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub market_time: Option<String>,
    /// The market's name, if the stream carries names.
    #[n(13)]
    #[serde(default, deserialize_with = "message::short_text")]
    pub name: Option<String>,
    /// Every runner, in the order of their keys.
    #[n(14)]
    #[serde(default, deserialize_with = "runners_by_key")]
    pub runners: Vec<RunnerDefinition>,
}

impl MarketDefinition {
    /// The runner with this key.
    #[must_use]
    pub fn runner(&self, key: RunnerKey) -> Option<&RunnerDefinition> {
        let at = self.runners.binary_search_by_key(&key, RunnerDefinition::key).ok()?;
        self.runners.get(at)
    }

    /// Scheduled start in Unix milliseconds, when it is written as a UTC time.
    #[must_use]
    pub fn start_ms(&self) -> Option<u64> {
        parse_utc_ms(self.market_time.as_deref()?)
    }

    /// Whether the numbers in its ladders are odds: in `LINE` and `RANGE` markets they are lines of runs or points,
    /// which must never be sold as odds.
    #[must_use]
    pub fn has_odds(&self) -> bool {
        !matches!(self.betting_type.as_deref(), Some("LINE" | "RANGE"))
    }
}

fn runners_by_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RunnerDefinition>, D::Error> {
    let mut runners: Vec<RunnerDefinition> = message::bounded::<_, _, { limits::RUNNERS_MAX }>(deserializer)?;
    runners.sort_by_key(RunnerDefinition::key);
    let twice = runners.iter().zip(runners.iter().skip(1)).find(|(a, b)| a.key() == b.key());
    match twice {
        Some((runner, _)) => Err(D::Error::custom(format_args!("runner {} stands twice", runner.key()))),
        None => Ok(runners),
    }
}
