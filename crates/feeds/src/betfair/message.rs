//! The shape of one stream message, read straight into what the fold needs. Fields without use here (`trd`, `tv`,
//! `spn`, `spf`, `con`, ...) and fields nobody has heard of yet are skipped.
//!
//! It must not know what the changes are applied to.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

use super::{
    definition::{MarketDefinition, RunnerKey},
    limits,
};
use crate::decimal::{Decimal, finite};

/// One line of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamMessage {
    /// A market change message; also every heartbeat.
    Market(McmMessage),
    /// A message of a kind that is known and not used (`ccm`, `ocm`, `connection`, `status`).
    Ignored {
        /// Its kind.
        op: &'static str,
    },
}

/// A market change message (`op: mcm`). Whatever else it says, it shows that the stream is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McmMessage {
    /// Publish time, Unix milliseconds.
    pub pt: u64,
    /// True for `ct: HEARTBEAT`.
    pub heartbeat: bool,
    /// True when the exchange says that its data is late (`status: 503`).
    pub status_503: bool,
    /// Resume token, if the message has one.
    pub clk: Option<String>,
    /// The changes, in the order of the message; a market may stand more than once.
    pub changes: Vec<MarketChange>,
}

/// What one message changes in one market.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MarketChange {
    /// The market's id, `1.197931750`: 1 to 64 letters, digits, dots, dashes, underscores.
    #[serde(deserialize_with = "market_id")]
    pub id: String,
    /// True: an image; it replaces the market's prices.
    #[serde(default, deserialize_with = "null_is_false")]
    pub img: bool,
    /// The new definition, whole.
    #[serde(default, rename = "marketDefinition")]
    pub definition: Option<MarketDefinition>,
    /// The changed runners.
    #[serde(default, rename = "rc", deserialize_with = "bounded::<_, _, { limits::RUNNERS_MAX }>")]
    pub runners: Vec<RunnerChange>,
}

/// What one message changes in the prices of one runner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunnerChange {
    /// Selection id.
    #[serde(deserialize_with = "selection_id")]
    pub id: u64,
    /// Handicap; 0 when the market has none.
    #[serde(default, deserialize_with = "handicap")]
    pub hc: Decimal,
    /// Last traded price, if it changed.
    #[serde(default, deserialize_with = "finite")]
    pub ltp: Option<Decimal>,
    /// Levels available to back.
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::LEVELS_MAX }>")]
    pub atb: Vec<Level>,
    /// Levels available to lay.
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::LEVELS_MAX }>")]
    pub atl: Vec<Level>,
    /// Best prices to back.
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::POSITIONS_MAX }>")]
    pub batb: Vec<PositionLevel>,
    /// Best prices to lay.
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::POSITIONS_MAX }>")]
    pub batl: Vec<PositionLevel>,
    /// Best prices to back as displayed (virtual bets included).
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::POSITIONS_MAX }>")]
    pub bdatb: Vec<PositionLevel>,
    /// Best prices to lay as displayed (virtual bets included).
    #[serde(default, deserialize_with = "bounded::<_, _, { limits::POSITIONS_MAX }>")]
    pub bdatl: Vec<PositionLevel>,
}

impl RunnerChange {
    /// The runner's key.
    #[must_use]
    pub const fn key(&self) -> RunnerKey {
        RunnerKey { id: self.id, hc: self.hc }
    }
}

/// A level by price. As a change, size 0 deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "(Decimal, Decimal)")]
pub struct Level {
    /// Decimal odds (or a line), never negative.
    pub price: Decimal,
    /// Money at that price in the stream's currency, never negative.
    pub size: Decimal,
}

impl TryFrom<(Decimal, Decimal)> for Level {
    type Error = &'static str;

    fn try_from((price, size): (Decimal, Decimal)) -> Result<Self, Self::Error> {
        if price.is_negative() || size.is_negative() {
            return Err("price and size must not be negative");
        }
        Ok(Self { price, size })
    }
}

/// A level by position. As a change, size 0 deletes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "(u64, Decimal, Decimal)")]
pub struct PositionLevel {
    /// `0..64`; 0 is the best.
    pub position: u8,
    /// Decimal odds (or a line), never negative.
    pub price: Decimal,
    /// Money at that price in the stream's currency, never negative.
    pub size: Decimal,
}

impl TryFrom<(u64, Decimal, Decimal)> for PositionLevel {
    type Error = &'static str;

    fn try_from((position, price, size): (u64, Decimal, Decimal)) -> Result<Self, Self::Error> {
        let Level { price, size } = Level::try_from((price, size))?;
        match u8::try_from(position) {
            Ok(position) if usize::from(position) < limits::POSITIONS_MAX => Ok(Self { position, price, size }),
            _ => Err("position must be below 64"),
        }
    }
}

/// A list of at most `MAX` elements; `null` is an empty one.
///
/// # Errors
/// That of the deserializer; also when there are more elements, as soon as the first of them is met.
pub(super) fn bounded<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Bounded<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Bounded<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX} elements")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = list.next_element()? {
                if elements.len() == MAX {
                    return Err(A::Error::custom(format_args!("more than {MAX} elements")));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_any(Bounded::<T, MAX>(PhantomData))
}

/// A selection id, as a number or as a number in a string (both are seen in recordings).
pub(super) fn selection_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Id;

    impl Visitor<'_> for Id {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a selection id")
        }

        fn visit_u64<E>(self, id: u64) -> Result<u64, E> {
            Ok(id)
        }

        fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<u64, E> {
            id.parse().map_err(|_| E::invalid_value(serde::de::Unexpected::Str(id), &self))
        }
    }

    deserializer.deserialize_any(Id)
}

/// A handicap; `null` and the like are 0.
pub(super) fn handicap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    Ok(finite(deserializer)?.unwrap_or_default())
}

/// A text of bounded length, or `null`.
pub(super) fn short_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    match &text {
        Some(long) if long.len() > limits::TEXT_BYTES_MAX => {
            Err(D::Error::custom(format_args!("longer than {} bytes", limits::TEXT_BYTES_MAX)))
        }
        _ => Ok(text),
    }
}

fn null_is_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn market_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked_id(String::deserialize(deserializer)?)
}

/// An event's id, or `null`.
pub(super) fn event_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(checked_id).transpose()
}

/// Ids become part of a key, hence the narrow choice of characters.
fn checked_id<E: serde::de::Error>(id: String) -> Result<String, E> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if id.is_empty() || id.len() > limits::ID_BYTES_MAX || !id.bytes().all(plain) {
        return Err(E::custom("an id has 1 to 64 letters, digits, dots, dashes or underscores"));
    }
    Ok(id)
}
